/* A broker's CPU: use, limits and throttling, from its cgroups or its processes. Shell. */
#ifndef AGENT_CPU_H
#define AGENT_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/chain.h"
#include "agent/family.h"
#include "agent/held.h"
#include "agent/rate.h"
#include "common/metric.h"
#include "common/units.h"

struct cpu_level {
    bool is_used;       /* it has a quota, was throttled, or is the broker's own */
    double limit_cores; /* INFINITY: none */
    struct held usage;  /* cpuacct.usage; not wanted where cpu.stat says it (v2) */
    struct held stat;
    struct rate usage_rate, throttle_rate;
};

/* Zeroed is closed. */
struct cpu {
    const struct chain *quota, *usage, *cpuset; /* of the controllers cpu, cpuacct, cpuset */
    enum value_state limit_error;               /* VALUE_PRESENT, or why some limit is not known */
    unsigned n_cpus;                            /* of the cpuset; 0: as many as the host has */
    struct rate process_rate; /* of the family's ticks, when the cgroup is not its own */
    struct cpu_level levels[CHAIN_LEVELS_MAX];
};

/* Look at the limits again, and hold open what is to be read of each level. */
void cpu_refresh(struct cpu *cpu, struct reader *reader);

/* Read all of it into the CPU values. `owner` is whose counters they are; `host_cores` how many
 * CPUs are online. Returns 0, or -ENODEV when the cgroup is no more. Adds to `n_resets`. */
int cpu_take(struct cpu *cpu, struct family *family, time_us now_us, uint64_t owner,
             struct value host_cores, struct reader *reader, uint64_t *n_resets,
             struct value *values);

/* Close all files. The rates stay, and will see a reset. */
void cpu_close(struct cpu *cpu);

#endif
