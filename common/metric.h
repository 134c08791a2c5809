/* What is measured of a host or a broker: the list, and a measured value. Pure.
 *
 * The order of `enum metric` is the order on the wire: append only, never reuse. docs/protocol.md
 * lists it. */
#ifndef COMMON_METRIC_H
#define COMMON_METRIC_H

#include <stdbool.h>
#include <stddef.h>

/* Why a value is or is not there. The numbers go over the wire: append only. */
enum value_state {
    VALUE_PRESENT = 0, /* `number` holds */
    VALUE_UNKNOWN = 1, /* absent: nothing was said about it */
    VALUE_FIRST = 2,   /* absent: a rate needs a second sample */
    VALUE_RESET = 3, /* absent: the counter went back or its owner changed; known again next time */
    VALUE_UNSUPPORTED = 4, /* absent: this kernel or broker does not count it */
    VALUE_DENIED = 5,      /* absent: the agent may not read it (uid, capability, mount) */
    VALUE_FAILED = 6,      /* absent: reading or parsing failed */
    VALUE_SHARED =
        7, /* absent: counted for several brokers together (a shared network namespace) */
    VALUE_UNLIMITED = 8,    /* absent: there is no limit */
    VALUE_UNCONFIGURED = 9, /* absent: the configuration does not name it (a data directory) */
    VALUE_GONE = 10,        /* the thing that was measured is no more (process or cgroup) */
    VALUE_STATES
};

struct value {
    double number; /* finite and >= 0 when present, 0 otherwise */
    enum value_state state;
};

/* Each is of one broker, or of the whole host. Ratios are 0..1 of the limit that binds. */
enum metric {
    METRIC_CPU_CORES,       /* cores in use, averaged over the interval */
    METRIC_CPU_LIMIT_CORES, /* effective: least of quota and cpuset over all ancestors, and the host
                             */
    METRIC_CPU_RATIO,       /* cpu_cores / cpu_limit_cores, measured at the level that binds */
    METRIC_CPU_THROTTLED_RATIO,      /* throttled periods / periods, the worst level */
    METRIC_MEMORY_BYTES,             /* without reclaimable page cache: current - file + shmem */
    METRIC_MEMORY_WORKING_SET_BYTES, /* current - inactive_file, as kubectl shows it */
    METRIC_MEMORY_LIMIT_BYTES,       /* effective: least over all ancestors, and the host's RAM */
    METRIC_MEMORY_RATIO, /* memory_bytes / memory_limit_bytes, at the level that binds */
    METRIC_DISK_READ_BYTES_PER_S,
    METRIC_DISK_WRITE_BYTES_PER_S,
    METRIC_DISK_USED_BYTES, /* of the file system that holds the data directory */
    METRIC_DISK_TOTAL_BYTES,
    METRIC_NET_RX_BYTES_PER_S,
    METRIC_NET_TX_BYTES_PER_S,
    METRIC_NET_SPEED_BYTES_PER_S,       /* of the slowest way out, or as configured */
    METRIC_CPU_THROTTLED_SECONDS_PER_S, /* summed over CPUs, the worst level */
    METRIC_CPU_PRESSURE_SOME_RATIO,     /* share of time in which some task waited for it … */
    METRIC_CPU_PRESSURE_FULL_RATIO,     /* … in which all did that were not idle */
    METRIC_MEMORY_PRESSURE_SOME_RATIO,
    METRIC_MEMORY_PRESSURE_FULL_RATIO,
    METRIC_IO_PRESSURE_SOME_RATIO,
    METRIC_IO_PRESSURE_FULL_RATIO,
    METRIC_MEMORY_WORKING_SET_RATIO, /* memory_working_set_bytes / limit, at the level that binds */
    METRIC_MEMORY_AVAILABLE_BYTES,   /* of the host: free, and what can be had without swapping */
    METRIC_SWAP_BYTES,
    METRIC_OOM_KILLS, /* processes killed for want of memory since the cgroup, or the host, began */
    METRIC_DISK_READS_PER_S,
    METRIC_DISK_WRITES_PER_S,
    METRIC_DISK_BUSY_RATIO, /* share of time in which the busiest disk of the host was at work */
    METRIC_DISK_LATENCY_SECONDS, /* of an operation, the mean over the host's disks */
    METRIC_DISK_AVAILABLE_BYTES, /* what an unprivileged process can still write */
    METRIC_INODES_USED,          /* of the file system that holds the data directory */
    METRIC_INODES_TOTAL,
    METRIC_OPEN_FDS, /* file descriptors of the broker's root process, and its limit */
    METRIC_MAX_FDS,
    METRIC_THREADS, /* of the broker's root process */
    METRICS
};

struct metric_info {
    const char *name; /* "cpu_ratio": JSON key, and Prometheus name after the prefix */
    const char *help; /* one sentence for people */
};

/* The row of a metric; `metric` < METRICS. */
const struct metric_info *metric_info(enum metric metric);

/* The name of a state: "present", "first_sample", "denied", …; `state` < VALUE_STATES. */
const char *value_state_name(enum value_state state);

static inline bool value_is_present(struct value value)
{
    return value.state == VALUE_PRESENT;
}

static inline struct value value_of(double number)
{
    return (struct value){.number = number, .state = VALUE_PRESENT};
}

static inline struct value value_absent(enum value_state why)
{
    return (struct value){.number = 0, .state = why};
}

#endif
