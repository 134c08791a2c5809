/* A chain: a broker's cgroup in the hierarchy of one controller, and its ancestors. Shell. */
#ifndef AGENT_CHAIN_H
#define AGENT_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "agent/cgroup.h"
#include "agent/held.h"

/* Levels that are looked at, the cgroup itself included. Kubernetes nests 5, systemd 7. */
#define CHAIN_LEVELS_MAX 16

/* Zeroed is closed. */
struct chain {
    bool is_seen; /* the directory is open; `dir_fd`, `n_levels` and `identity` hold */
    bool is_v2;
    bool is_root; /* the hierarchy's root: everybody's, or nobody's */
    bool is_own;  /* counts this broker and nobody else that is known of; set by the caller */
    enum value_state error; /* not seen: why; VALUE_PRESENT: there is no such hierarchy */
    int dir_fd;
    size_t n_levels;
    struct stat identity;
    char path[CGROUPS_PATH_BYTES]; /* in the hierarchy */
};

/* Open the cgroup of `controller` that /proc/PID/cgroup names in `bytes`. When it is `within` or
 * below it (the cgroup that the broker is configured by; "" = none), the former is taken. */
void chain_open(struct chain *chain, const struct cgroups *cgroups,
                enum cgroups_controller controller, const char *bytes, size_t n,
                const char *within);

/* Open the chains of all controllers for process `pid`, whose /proc/PID/cgroup is in `bytes`. A
 * cgroup that no mount of ours shows is looked for where the process itself has it mounted, below
 * /proc/PID/root: an agent beside a broker in a pod may see it there, with the broker's uid and gid
 * or CAP_SYS_PTRACE, and down from the container's own level. */
void chain_open_all(struct chain chains[CGROUPS_CONTROLLERS], const struct cgroups *cgroups,
                    int proc_fd, pid_t pid, const char *bytes, size_t n, const char *within);

/* Close what it holds open. */
void chain_close(struct chain *chain);

/* Whether both are the same cgroup. */
bool chain_is_same(const struct chain *a, const struct chain *b);

/* The path of file `name` of the cgroup `level` levels up (0: its own), below `dir_fd`. */
void chain_path(size_t level, const char *name, char ret_path[HELD_PATH_BYTES]);

/* Hold that file open. */
void chain_hold(const struct chain *chain, size_t level, const char *name, struct held *held);

/* Read that file once into the reader. */
int chain_read(const struct chain *chain, size_t level, const char *name, struct reader *reader);

#endif
