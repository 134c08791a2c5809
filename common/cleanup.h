/* Scope-bound release for shells: `cleanup_free char *line = NULL;`. Pure. */
#ifndef COMMON_CLEANUP_H
#define COMMON_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_pointer(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_close_fd(const int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

static inline void cleanup_close_file(FILE **file)
{
    if (*file != NULL) {
        (void)fclose(*file);
    }
}

static inline void cleanup_close_dir(DIR **dir)
{
    if (*dir != NULL) {
        (void)closedir(*dir);
    }
}

#define cleanup_free     __attribute__((cleanup(cleanup_free_pointer)))
#define cleanup_close    __attribute__((cleanup(cleanup_close_fd)))
#define cleanup_fclose   __attribute__((cleanup(cleanup_close_file)))
#define cleanup_closedir __attribute__((cleanup(cleanup_close_dir)))

#endif
