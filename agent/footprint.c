/* How much memory and how many threads the agent takes on a host that is not its own.
 *
 * nng makes two task threads and one for timers for each processor of the host, and 1.5.2 cannot be
 * told otherwise: on 64 processors 88 threads, of which the agent needs a handful. It asks for the
 * number with sysconf(), which this program has one of its own of: the linker takes the
 * executable's before the C library's, for it is exported (meson.build).
 *
 * Most of what is resident after the start are pages of libraries that ran once, to set themselves
 * up. They are clean, so that dropping them loses nothing, and those that are used come back with
 * the next beat. A mapping with a page of its own (relocations, a debugger's breakpoint) is left
 * alone. */
#include "agent/footprint.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* As nng's resolver threads need for getaddrinfo(); the deepest of ours needs half. */
#define STACK_BYTES (256 << 10)

static long real_sysconf(int name)
{
    static long (*real)(int);
    void *address;

    if (real == NULL) {
        address = dlsym(RTLD_NEXT, "sysconf");
        if (address == NULL) {
            errno = ENOSYS;
            return -1;
        }
        memcpy(&real, &address, sizeof(real));
    }
    return real(name);
}

long sysconf(int name)
{
    return name == _SC_NPROCESSORS_ONLN || name == _SC_NPROCESSORS_CONF ? 1 : real_sysconf(name);
}

void footprint_limit(void)
{
    pthread_attr_t attributes;

    (void)mallopt(M_ARENA_MAX, 1);
    if (pthread_attr_init(&attributes) == 0) {
        if (pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0) {
            (void)pthread_setattr_default_np(&attributes);
        }
        (void)pthread_attr_destroy(&attributes);
    }
}

/* A mapping of a file that is only read or run. */
struct mapping {
    unsigned long start, end;
    bool is_clean;
};

/* Take the first line of a mapping in smaps: its range, rights and file. */
static bool begins_mapping(const char *line, struct mapping *ret_mapping)
{
    unsigned long start, end, inode;
    char rights[5];

    if (sscanf(line, "%lx-%lx %4s %*s %*s %lu", &start, &end, rights, &inode) != 4) {
        return false;
    }
    *ret_mapping = (struct mapping){
        .start = start, .end = end, .is_clean = inode != 0 && strchr(rights, 'w') == NULL};
    return true;
}

static void drop(const struct mapping *mapping)
{
    if (mapping->is_clean && mapping->end > mapping->start) {
        (void)madvise((void *)mapping->start, mapping->end - mapping->start, MADV_DONTNEED);
    }
}

void footprint_trim(void)
{
    FILE *smaps = fopen("/proc/self/smaps", "re");
    struct mapping mapping = {.is_clean = false};
    unsigned long own_kb;
    char line[512];

    (void)malloc_trim(0);
    while (smaps != NULL && fgets(line, sizeof(line), smaps) != NULL) {
        struct mapping next;

        if (begins_mapping(line, &next)) {
            drop(&mapping);
            mapping = next;
        } else if (sscanf(line, "Anonymous: %lu", &own_kb) == 1 && own_kb > 0) {
            mapping.is_clean = false;
        }
    }
    drop(&mapping);
    if (smaps != NULL) {
        (void)fclose(smaps);
    }
}
