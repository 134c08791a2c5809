/* Which processes are a broker's. Shell: reads /proc. */
#ifndef AGENT_MATCH_H
#define AGENT_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/agent_options.h"
#include "agent/cgroup.h"

struct match_process {
    pid_t pid, ppid;
    uint64_t start_ticks; /* since boot: with the pid, who it is */
};

/* A list of processes, on the heap; zeroed is empty. Its capacity stays when it is filled again. */
struct match_processes {
    struct match_process *list;
    size_t n, n_max;
};

/* Where to look, and room to work in. All of it is the caller's. */
struct match_view {
    int proc_fd;                   /* the proc root */
    const struct cgroups *cgroups; /* for `cgroup` */
    char *bytes;                   /* scratch, `size` bytes */
    size_t size;
    struct match_processes *all; /* every process, once match_scan() was called; n = 0: not yet */
};

/* List every process. Those that end meanwhile are left out. Returns 0, -ENOMEM or what opening the
 * proc root gave. */
int match_scan(struct match_view *view);

/* Find the broker's processes that match, and of them the one to follow: that whose parent does not
 * match, the oldest of such. `ret_found` is filled with all that match (with `cgroup`,
 * `container` and `pod_mate`: all that are in it and below).
 *
 * Returns 0; -ESRCH when none matches; -EACCES when none does but the processes of others could not
 * be looked into; -ENOTUNIQ when several containers could be the pod mate; -ENOMEM. */
int match_find(const struct match_options *match, struct match_view *view,
               struct match_processes *ret_found, struct match_process *ret_root);

/* Whether all processes that match are the broker's, also those that its root did not start. */
bool match_is_whole(const struct match_options *match);

/* The cgroup that is the broker's as a whole, by the bytes of its root's /proc/PID/cgroup: what the
 * configuration names, or its container's. "" when there is none such. */
void match_cgroup(const struct match_options *match, const char *bytes, size_t n,
                  char ret_path[CGROUPS_PATH_BYTES]);

/* Whether every process must be looked at to find it. */
bool match_needs_scan(const struct match_options *match);

/* Whether `root`, found before by a look at every process, still runs and matches: then there is no
 * need for another. False for what is found without. */
bool match_stays(const struct match_options *match, struct match_view *view,
                 const struct match_process *root);

/* Add to `family`, which holds a process, all of its descendants. Returns 0 or -ENOMEM. */
int match_descendants(struct match_view *view, struct match_processes *family);

/* Read who process `pid` is. Returns 0, -ESRCH when it is no more, or -EBADMSG. */
int match_process(struct match_view *view, pid_t pid, struct match_process *ret_process);

/* Release the list. */
void match_processes_done(struct match_processes *processes);

#endif
