/* The names of what is measured, and of why something is not. Pure. */
#include "common/metric.h"

#include <assert.h>

static const struct metric_info metrics[METRICS] = {
    [METRIC_CPU_CORES] = {"cpu_cores", "CPU cores in use, averaged over the report interval."},
    [METRIC_CPU_LIMIT_CORES] = {"cpu_limit_cores", "CPU cores that may be used: the least quota or "
                                                   "cpuset of all ancestors, and the host."},
    [METRIC_CPU_RATIO] = {"cpu_ratio", "CPU in use as a share of the limit that binds, 0 to 1."},
    [METRIC_CPU_THROTTLED_RATIO] = {"cpu_throttled_ratio",
                                    "Share of CPU periods that were throttled, 0 to 1."},
    [METRIC_MEMORY_BYTES] = {"memory_bytes", "Memory in use without reclaimable page cache."},
    [METRIC_MEMORY_WORKING_SET_BYTES] = {"memory_working_set_bytes",
                                         "Memory in use without inactive page cache."},
    [METRIC_MEMORY_LIMIT_BYTES] = {"memory_limit_bytes", "Memory that may be used: the least limit "
                                                         "of all ancestors, and the host's RAM."},
    [METRIC_MEMORY_RATIO] = {"memory_ratio",
                             "Memory in use as a share of the limit that binds, 0 to 1."},
    [METRIC_DISK_READ_BYTES_PER_S] = {"disk_read_bytes_per_s", "Bytes read from disks a second."},
    [METRIC_DISK_WRITE_BYTES_PER_S] = {"disk_write_bytes_per_s",
                                       "Bytes written to disks a second."},
    [METRIC_DISK_USED_BYTES] = {"disk_used_bytes",
                                "Bytes used on the file system of the data directory."},
    [METRIC_DISK_TOTAL_BYTES] = {"disk_total_bytes",
                                 "Size of the file system of the data directory."},
    [METRIC_NET_RX_BYTES_PER_S] = {"net_rx_bytes_per_s",
                                   "Bytes received from the network a second."},
    [METRIC_NET_TX_BYTES_PER_S] = {"net_tx_bytes_per_s", "Bytes sent to the network a second."},
    [METRIC_NET_SPEED_BYTES_PER_S] = {"net_speed_bytes_per_s",
                                      "Speed of the slowest way out, in bytes a second."},
    [METRIC_CPU_THROTTLED_SECONDS_PER_S] =
        {"cpu_throttled_seconds_per_s",
         "Time for which CPU use was throttled, in seconds a second, summed over CPUs."},
    [METRIC_CPU_PRESSURE_SOME_RATIO] = {"cpu_pressure_some_ratio",
                                        "Share of time in which some task waited for a CPU."},
    [METRIC_CPU_PRESSURE_FULL_RATIO] = {"cpu_pressure_full_ratio",
                                        "Share of time in which all tasks waited for a CPU."},
    [METRIC_MEMORY_PRESSURE_SOME_RATIO] = {"memory_pressure_some_ratio",
                                           "Share of time in which some task waited for memory."},
    [METRIC_MEMORY_PRESSURE_FULL_RATIO] = {"memory_pressure_full_ratio",
                                           "Share of time in which all tasks waited for memory."},
    [METRIC_IO_PRESSURE_SOME_RATIO] = {"io_pressure_some_ratio",
                                       "Share of time in which some task waited for I/O."},
    [METRIC_IO_PRESSURE_FULL_RATIO] = {"io_pressure_full_ratio",
                                       "Share of time in which all tasks waited for I/O."},
    [METRIC_MEMORY_WORKING_SET_RATIO] =
        {"memory_working_set_ratio",
         "Memory without inactive page cache as a share of the limit that binds, 0 to 1."},
    [METRIC_MEMORY_AVAILABLE_BYTES] = {"memory_available_bytes",
                                       "Memory of the host that can be had without swapping."},
    [METRIC_SWAP_BYTES] = {"swap_bytes", "Swap space in use."},
    [METRIC_OOM_KILLS] = {"oom_kills", "Processes killed for want of memory since the cgroup, or "
                                       "the host, began."},
    [METRIC_DISK_READS_PER_S] = {"disk_reads_per_s", "Read operations of disks a second."},
    [METRIC_DISK_WRITES_PER_S] = {"disk_writes_per_s", "Write operations of disks a second."},
    [METRIC_DISK_BUSY_RATIO] = {"disk_busy_ratio", "Share of time in which the host's busiest disk "
                                                   "was at work, 0 to 1."},
    [METRIC_DISK_LATENCY_SECONDS] = {"disk_latency_seconds",
                                     "Mean duration of an operation of the host's disks."},
    [METRIC_DISK_AVAILABLE_BYTES] =
        {"disk_available_bytes",
         "Bytes that unprivileged processes can still write to the file system of the data "
         "directory."},
    [METRIC_INODES_USED] = {"inodes_used", "Inodes used on the file system of the data directory."},
    [METRIC_INODES_TOTAL] = {"inodes_total", "Inodes of the file system of the data directory."},
    [METRIC_OPEN_FDS] = {"open_fds", "Open file descriptors of the broker's root process."},
    [METRIC_MAX_FDS] = {"max_fds", "File descriptors that the broker's root process may open."},
    [METRIC_THREADS] = {"threads", "Threads of the broker's root process."},
};

static const char *const value_states[VALUE_STATES] = {
    [VALUE_PRESENT] = "present",
    [VALUE_UNKNOWN] = "unknown",
    [VALUE_FIRST] = "first_sample",
    [VALUE_RESET] = "reset",
    [VALUE_UNSUPPORTED] = "unsupported",
    [VALUE_DENIED] = "denied",
    [VALUE_FAILED] = "failed",
    [VALUE_SHARED] = "shared",
    [VALUE_UNLIMITED] = "unlimited",
    [VALUE_UNCONFIGURED] = "unconfigured",
    [VALUE_GONE] = "gone",
};

const struct metric_info *metric_info(enum metric metric)
{
    assert(metric < METRICS);
    return &metrics[metric];
}

const char *value_state_name(enum value_state state)
{
    assert(state < VALUE_STATES);
    return value_states[state];
}
