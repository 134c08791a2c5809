/* A process's open file descriptors, and how many it may have. Shell.
 *
 * Since 6.2 the kernel says in the size of /proc/PID/fd how many there are, to everybody. Before,
 * they are counted, which takes rights, and time that grows with them. */
#ifndef AGENT_DESCRIPTORS_H
#define AGENT_DESCRIPTORS_H

#include <sys/types.h>

#include "agent/held.h"
#include "common/metric.h"

/* What may be counted in one refresh, on the average: a count of more is repeated less often. */
#define DESCRIPTORS_BUDGET 4096

/* Zeroed is the start. */
struct descriptors {
    pid_t pid;          /* whose they are */
    unsigned n_to_skip; /* refreshes until they are counted again */
    struct value n_open, n_max;
};

/* Look at them again. Every few seconds. `reader` is room to work in. */
void descriptors_refresh(struct descriptors *descriptors, int proc_fd, pid_t pid,
                         struct reader *reader);

#endif
