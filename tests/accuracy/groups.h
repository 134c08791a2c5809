/* Cgroups of the accuracy test: made, limited, and read, v1 or v2, without the agent's code. Shell.
 *
 * What is read here is the truth that the agent is compared with, so nothing of agent/ is used. */
#ifndef TESTS_ACCURACY_GROUPS_H
#define TESTS_ACCURACY_GROUPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define GROUP_PATH_BYTES 256
#define GROUP_WHY_BYTES  512

enum group_controller {
    GROUP_CPU,
    GROUP_CPUACCT,
    GROUP_MEMORY,
    GROUP_IO,
    GROUP_CONTROLLERS,
};

/* A cgroup: its folder in each controller's hierarchy. */
struct group {
    char paths[GROUP_CONTROLLERS][GROUP_PATH_BYTES];
    bool is_v2[GROUP_CONTROLLERS];
};

/* Make `/NAME` in the hierarchies of all controllers, ready for groups below it. Returns 0, or a
 * negative errno with a sentence in `ret_why` (GROUP_WHY_BYTES). */
int group_make_parent(const char *name, struct group *ret_parent, char *ret_why);

/* Make `NAME` below `parent`. Returns 0 or a negative errno. */
int group_make(const struct group *parent, const char *name, struct group *ret_group);

/* Remove it; its processes must have ended. One that was never made is fine. */
void group_remove(const struct group *group);

/* Put a process in. Returns 0 or a negative errno. */
int group_join(const struct group *group, pid_t pid);

/* Let it have `quota_us` of CPU in each 100 ms. Returns 0 or a negative errno. */
int group_limit_cpu(const struct group *group, int64_t quota_us);

/* Let its processes go before others where CPUs are scarce. Returns 0 or a negative errno. */
int group_prefer(const struct group *group);

/* Let it write no more than `bytes_per_s` to the device; with v1 this makes the kernel count.
 * Returns 0 or a negative errno. */
int group_limit_writes(const struct group *group, dev_t device, int64_t bytes_per_s);

/* The kernel's counts of it. Each is negative when it cannot be read. */
int64_t group_cpu_us(const struct group *group);
int64_t group_periods(const struct group *group, int64_t *ret_throttled);
int64_t group_bytes_written(const struct group *group, dev_t device);

/* The kernel's account of its memory, in bytes. */
struct group_memory {
    int64_t current, file, shmem, inactive_file;
    int64_t
        slab; /* what the kernel keeps for it, tables of the cache among it; v1 does not say: 0 */
};

/* Read it. Returns 0 or a negative errno. */
int group_memory(const struct group *group, struct group_memory *ret_memory);

#endif
