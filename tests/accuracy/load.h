/* Known load: processes that use what they are told to, and say what they used. Shell.
 *
 * A load is a child process. It is started before anything else of the test, because it is forked;
 * it waits until it is told to prepare, then until it is told to go, works, says what it did, and
 * stays idle with what it holds until load_end(). */
#ifndef TESTS_ACCURACY_LOAD_H
#define TESTS_ACCURACY_LOAD_H

#include <stdint.h>
#include <sys/types.h>

#include "common/units.h"

enum load_kind {
    LOAD_BURN,   /* CPU: `cores` for the time */
    LOAD_MEMORY, /* `bytes` of anonymous memory, written once */
    LOAD_CACHE,  /* the file `path`, `bytes` long, read twice */
    LOAD_NET,    /* UDP both ways, `bytes_per_s` out; in a network namespace of its own when
                    `path` is not empty: its commands that set it up, for a shell */
    LOAD_WRITE,  /* direct writes of `bytes_per_s` to the block device `path`, `bytes` long */
};

struct load {
    enum load_kind kind;
    double cores;
    int64_t bytes, bytes_per_s;
    char path[512];
    char local[16], remote[16]; /* LOAD_NET: IPv4 addresses */
    time_us lasts_us;
    /* Filled in by load_start(). */
    pid_t pid;
    int to_fd, from_fd;
};

/* What a load says that it did. */
struct load_result {
    int error;           /* 0 or a negative errno: it could not do it all */
    int64_t bytes;       /* allocated with its page tables, read once, sent in frames, written */
    int64_t bytes_taken; /* LOAD_NET: received */
};

/* Start its process, idle. Returns 0 or a negative errno. */
int load_start(struct load *load);

/* Have it prepare (namespace set up, device opened), and wait until it has. The same errors. */
int load_prepare(struct load *load);

/* Have it work; returns at once. */
int load_go(struct load *load);

/* Wait, at most `within_us`, until it has done its work. Returns its error, or -ETIMEDOUT. */
int load_wait(struct load *load, time_us within_us, struct load_result *ret_result);

/* The CPU time of its process until now; negative when there is none. */
int64_t load_cpu_us(const struct load *load);

/* How much of a file the kernel has in memory. Returns 0 or a negative errno. */
int load_cached(const char *path, int64_t bytes, int64_t *ret_bytes);

/* End it; one that was never started is fine. */
void load_end(struct load *load);

#endif
