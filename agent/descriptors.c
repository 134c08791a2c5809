/* A process's open file descriptors, and how many it may have. Shell. */
#include "agent/descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "agent/counters.h"
#include "common/cleanup.h"

/* Names in the folder, without "." and "..". The reader's room stands in for readdir's, which
 * would be allocated. */
static int count_names(int dir_fd, const char *path, struct reader *reader, uint64_t *ret_n_names)
{
    cleanup_close int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint64_t n_names = 0;

    if (fd < 0) {
        return -errno;
    }
    for (;;) {
        long n = syscall(SYS_getdents64, fd, reader->bytes, reader->size);

        if (n < 0) {
            return -errno;
        }
        if (n == 0) {
            *ret_n_names = n_names;
            return 0;
        }
        for (long at = 0; at < n;) {
            const struct dirent64 *entry = (const void *)(reader->bytes + at);

            n_names += entry->d_name[0] != '.';
            at += entry->d_reclen;
        }
    }
}

static void count_open(struct descriptors *descriptors, int proc_fd, const char *path,
                       struct reader *reader)
{
    uint64_t n_open = 0;
    int r;

    if (descriptors->n_to_skip > 0) {
        descriptors->n_to_skip--;
        return;
    }
    r = count_names(proc_fd, path, reader, &n_open);
    descriptors->n_open = r < 0 ? value_absent(held_state(r)) : value_of((double)n_open);
    descriptors->n_to_skip = (unsigned)(n_open / DESCRIPTORS_BUDGET);
}

/* Elsewhere the size of a folder tells of its blocks. */
static bool is_procfs(int proc_fd)
{
    struct statfs status;

    return fstatfs(proc_fd, &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
}

static void refresh_open(struct descriptors *descriptors, int proc_fd, pid_t pid,
                         struct reader *reader)
{
    char path[HELD_PATH_BYTES];
    struct stat status;

    (void)snprintf(path, sizeof(path), "%d/fd", (int)pid);
    if (fstatat(proc_fd, path, &status, 0) < 0) {
        descriptors->n_open = value_absent(held_state(-errno));
    } else if (status.st_size == 0 || !is_procfs(proc_fd)) {
        count_open(descriptors, proc_fd, path, reader);
    } else {
        descriptors->n_open = value_of((double)status.st_size);
    }
}

static void refresh_max(struct descriptors *descriptors, int proc_fd, pid_t pid,
                        struct reader *reader)
{
    char path[HELD_PATH_BYTES];
    uint64_t n_max = 0;
    int r;

    (void)snprintf(path, sizeof(path), "%d/limits", (int)pid);
    r = reader_once(reader, proc_fd, path);
    if (r == 0) {
        r = reader_parsed(reader, counters_max_fds(reader->bytes, reader->n, &n_max));
    }
    if (r < 0) {
        descriptors->n_max = value_absent(held_state(r));
    } else {
        descriptors->n_max = n_max == COUNTERS_NONE ? value_absent(VALUE_UNLIMITED)
                                                    : value_of((double)n_max);
    }
}

void descriptors_refresh(struct descriptors *descriptors, int proc_fd, pid_t pid,
                         struct reader *reader)
{
    if (descriptors->pid != pid) {
        *descriptors = (struct descriptors){.pid = pid};
    }
    refresh_open(descriptors, proc_fd, pid, reader);
    refresh_max(descriptors, proc_fd, pid, reader);
}
