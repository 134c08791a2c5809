/* A target: one broker as the sampler follows it, from its processes to its values. Shell. */
#ifndef AGENT_TARGET_H
#define AGENT_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "agent/agent_options.h"
#include "agent/cgroup.h"
#include "agent/chain.h"
#include "agent/cpu.h"
#include "agent/descriptors.h"
#include "agent/family.h"
#include "agent/host.h"
#include "agent/match.h"
#include "agent/memory.h"
#include "agent/pressure.h"
#include "agent/rate.h"
#include "common/metric.h"
#include "common/units.h"

/* What all targets have in common. */
struct surroundings {
    int proc_fd, sys_fd;
    uint64_t boot_hash; /* of the kernel's boot id */
    struct host *host;
    struct cgroups *cgroups;
    struct match_processes all; /* every process; filled again when it is needed */
    struct reader reader;
    struct chain agent_chains[CGROUPS_CONTROLLERS]; /* where the agent itself is */
    bool has_host_network;                          /* `host_network` holds */
    bool is_host_network_hidden; /* what process 1's namespace carries is a pod's */
    struct stat host_network;    /* its net/dev: the same inode, the same namespace */
    uint64_t n_resets, n_discoveries;
};

/* Whose bytes the interfaces that a process sees carry. */
enum target_network {
    TARGET_NETWORK_OWN,
    TARGET_NETWORK_SHARED,
    TARGET_NETWORK_UNKNOWN, /* `network_error` says why */
};

struct target {
    const struct broker_options *options;
    bool is_found;
    bool was_said, said_found; /* what was logged of it */
    bool has_limits;           /* they were looked at since it is held */
    time_us find_at_us;        /* while it is not found: when to look again */
    time_us find_wait_us;      /* … and how long was waited for that */
    struct match_process root;
    uint64_t incarnation;
    struct match_processes processes; /* that matched; and their descendants, when needed */
    uint64_t places_hash;             /* of /proc/PID/cgroup: another one means that it was moved */
    struct chain chains[CGROUPS_CONTROLLERS];
    struct family family;
    struct cpu cpu;
    struct memory memory;
    struct pressure pressure;
    struct descriptors descriptors;
    bool is_io_of_cgroup; /* else of the processes */
    struct held io, network;
    struct held io_operations; /* v1, where they are not in the same file */
    struct rate io_rate, io_operation_rate, network_rate;
    enum target_network network_scope;
    enum value_state network_error;
    struct stat network_identity;
    struct value values[METRICS];
};

/* Begin; `options` must outlive the target. */
void target_init(struct target *target, const struct broker_options *options);

/* Whether to look for the broker again now: it is not found, and its time has come. */
bool target_is_due(const struct target *target, time_us now_us);

/* Look for the broker, and open its cgroups when it is another one than before or was moved. Sets
 * `is_found` and `processes`. A broker that is not there is looked for again after a second, or,
 * when that takes a look at every process, after twice as long each time. */
void target_find(struct target *target, time_us now_us, struct surroundings *around);

/* Decide what is its own and what is shared with the agent or with other targets, once all are
 * found. */
void target_share(struct target *target, const struct target *targets, size_t n_targets,
                  const struct surroundings *around);

/* Hold open what is to be read, after target_find() and target_share(). */
void target_hold(struct target *target, struct surroundings *around);

/* Look at limits again. Every few seconds. */
void target_refresh(struct target *target, struct surroundings *around);

/* Read it all once into `values`. Returns 0, or -ENODEV when the process or its cgroup is no more.
 */
int target_take(struct target *target, time_us now_us, struct surroundings *around);

/* It is no more: close everything; its values are gone. */
void target_lose(struct target *target);

/* Release everything. */
void target_done(struct target *target);

/* FNV-1a over bytes, for telling identities apart. */
uint64_t target_hash(uint64_t hash, const void *bytes, size_t n);

#endif
