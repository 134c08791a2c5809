/* Where a process's cgroups stand in the file system. Shell: reads mountinfo and /proc/PID/cgroup.
 *
 * Functions begin with `cgroups_`: libcgroup has taken `cgroup_`, and a program's symbol would be
 * used in place of the library's own. */
#ifndef AGENT_CGROUP_H
#define AGENT_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A path in a hierarchy or of one in the file system, with its NUL. Kubernetes and systemd stay
 * under 400; a longer one is left out, as not visible. */
#define CGROUPS_PATH_BYTES 1024

/* v1 has about 13 hierarchies; a container that also sees the host's has twice as many. */
#define CGROUPS_MOUNTS_MAX 32

/* The controllers that are sampled, as v1 names them; and the v2 hierarchy whatever it controls,
 * which has pressure. */
enum cgroups_controller {
    CGROUPS_CPU,
    CGROUPS_CPUACCT,
    CGROUPS_CPUSET,
    CGROUPS_MEMORY,
    CGROUPS_IO,
    CGROUPS_UNIFIED,
    CGROUPS_CONTROLLERS
};

struct cgroups_mount {
    bool is_v2;
    unsigned controllers;           /* v1: bit per enum cgroups_controller */
    char root[CGROUPS_PATH_BYTES];  /* which cgroup stands at the mount point */
    char point[CGROUPS_PATH_BYTES]; /* where, in the file system */
};

/* The hierarchies that can be seen; large: keep it on the heap. */
struct cgroups {
    bool was_asked; /* the library was, for comparison */
    size_t n_mounts;
    struct cgroups_mount mounts[CGROUPS_MOUNTS_MAX];
};

/* Where a process is in the hierarchy of one controller. */
struct cgroups_place {
    bool is_v2;
    char path[CGROUPS_PATH_BYTES];
};

/* Learn the mounts of /proc/self/mountinfo from its bytes; adds to `cgroups`. Lines that are no
 * cgroup mount, too long or malformed are skipped. A mount over another one hides it. */
void cgroups_parse_mounts(const char *bytes, size_t n, struct cgroups *cgroups);

/* The line of /proc/PID/cgroup that holds for `controller`: v1's when the controller is there, else
 * v2's. Returns 0, -ENODATA when there is neither, -ENODEV when the cgroup was removed, -EBADMSG.
 */
int cgroups_parse_place(const char *bytes, size_t n, enum cgroups_controller controller,
                        struct cgroups_place *ret_place);

/* The directory of `place` in the hierarchy of `controller`, below the mount that shows the most of
 * its ancestors, and how many levels of it can be seen: 1 is the mount point itself. Returns 0, or
 * -ENOENT when no mount shows it: never some other directory in its place. */
int cgroups_resolve(const struct cgroups *cgroups, enum cgroups_controller controller,
                    const struct cgroups_place *place, char *ret_directory, size_t *ret_n_levels);

/* Find all hierarchies: those of `proc_root`/self/mountinfo, or, when `cgroup_root` is not "",
 * those that stand in it as in /sys/fs/cgroup. libcgroup is asked too when both are the running
 * system's; what it cannot do or sees otherwise is counted in `n_library_errors`. Finding none is
 * no error. */
void cgroups_discover(struct cgroups *cgroups, const char *proc_root, const char *cgroup_root,
                      uint64_t *n_library_errors);

/* The hierarchies that process `pid` has mounted, as its /proc/PID/mountinfo below `proc_fd` tells.
 * Their points are below /proc/PID/root. None when it cannot be read. */
void cgroups_of_process(struct cgroups *cgroups, int proc_fd, pid_t pid);

#endif
