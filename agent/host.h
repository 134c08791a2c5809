/* The host: what all of it uses, and what it has. Shell: reads below the proc and sys roots. */
#ifndef AGENT_HOST_H
#define AGENT_HOST_H

#include <stdbool.h>

#include "agent/counters.h"
#include "agent/held.h"
#include "agent/pressure.h"
#include "agent/rate.h"
#include "common/metric.h"
#include "common/units.h"

/* Zeroed is the start. */
struct host {
    int proc_fd, sys_fd; /* the roots; sys_fd is -1 when there is no sysfs */
    struct held stat, memory, disks, network;
    struct rate cpu_rate, disk_rate, network_rate;
    struct rate operation_rate;                 /* of disks: reads, writes, milliseconds */
    struct rate busy_rates[COUNTERS_DISKS_MAX]; /* of single disks, by their place in the file */
    struct pressure pressure;
    bool was_pressure_said;           /* logged: PSI is switched off */
    struct value oom_kills;           /* of the last refresh */
    unsigned n_cpus_online;           /* 0: sysfs does not say */
    bool has_disk_names;              /* `disk_names` holds; else diskstats is guessed at */
    struct counters_names disk_names; /* whole disks that carry bytes themselves */
    struct counters_devices stacked;  /* devices over others: their bytes are counted below */
    struct counters_names interfaces; /* physical and up; none: all that look like a way out */
    struct value speed;               /* of the slowest of them */
    uint64_t n_resets;
    struct value values[METRICS];
};

/* Begin with the roots, which stay the caller's. */
void host_open(struct host *host, int proc_fd, int sys_fd);

/* Look again which disks, interfaces and CPUs there are. Every few seconds. */
void host_refresh(struct host *host, struct reader *reader);

/* Read it all once, into `values`. */
void host_take(struct host *host, time_us now_us, struct reader *reader);

/* Close what it holds open. */
void host_close(struct host *host);

/* Space and inodes of the file system at `path`, into their five values. */
void host_space(const char *path, struct value *values);

/* They are absent, for that reason. */
void host_miss_space(enum value_state why, struct value *values);

#endif
