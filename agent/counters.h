/* Counters: the text of one kernel file in, numbers out. Pure.
 *
 * Every parser takes the bytes of the file as read, not NUL-terminated, and gives 0, -EBADMSG
 * (torn or not of that format; the caller's numbers are untouched) or -ENODATA (well-formed, but
 * does not say it). A text of lines that does not end with a newline was cut off, and is refused:
 * the last number could be the head of a longer one. */
#ifndef AGENT_COUNTERS_H
#define AGENT_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* "There is no such limit", "the file does not say". */
#define COUNTERS_NONE UINT64_MAX

/* Names of devices that belong to a sum: whole disks, physical interfaces. */
#define COUNTERS_NAMES_MAX  128
#define COUNTERS_NAME_BYTES 32 /* as DISK_NAME_LEN; IFNAMSIZ is 16 */
struct counters_names {
    size_t n;
    char names[COUNTERS_NAMES_MAX][COUNTERS_NAME_BYTES];
};

/* Add a name; one that is too long or too many is left out and false is given. */
bool counters_names_add(struct counters_names *names, const char *name);

/* Block devices by number, to leave out of a sum: those stacked on others, which count the same
 * bytes again. */
#define COUNTERS_DEVICES_MAX 64
struct counters_devices {
    size_t n;
    struct {
        unsigned major, minor;
    } devices[COUNTERS_DEVICES_MAX];
};

/* Bytes in and out, and for disks the operations that moved them, where the file says so.
 * `members` tells which devices the sums are over: when it changes, so did their base. */
struct counters_traffic {
    uint64_t in_bytes, out_bytes;
    uint64_t in_operations, out_operations;
    uint64_t members;
};

/* A file of one number: memory.current, cpuacct.usage, a pid file. */
int counters_number(const char *bytes, size_t n, uint64_t *ret_number);

/* A file of one number or "max" or "-1": COUNTERS_NONE. */
int counters_limit(const char *bytes, size_t n, uint64_t *ret_limit);

/* cpu.max of v2, in cores; INFINITY: no quota. */
int counters_cpu_max(const char *bytes, size_t n, double *ret_cores);

/* How many CPUs a list such as "0-1,4" names; 0 for an empty one. */
int counters_cpu_set(const char *bytes, size_t n, unsigned *ret_n_cpus);

/* cpu.stat of v1 and v2. `usage_us` is COUNTERS_NONE on v1; without a quota ever set, no periods.
 * `throttled_us` is summed over CPUs. */
struct counters_cpu {
    uint64_t usage_us;
    uint64_t n_periods, n_throttled, throttled_us;
};
int counters_cpu_stat(const char *bytes, size_t n, struct counters_cpu *ret_cpu);

/* memory.stat, in bytes, of the group and all below it: v1's total_cache, total_shmem and
 * total_inactive_file, v2's file, shmem and inactive_file. What is not there is COUNTERS_NONE,
 * shmem 0. `limit` and `swap` are v1's hierarchical_memory_limit and total_swap. */
struct counters_memory {
    uint64_t file, shmem, inactive_file, limit, swap;
};
int counters_memory_stat(const char *bytes, size_t n, struct counters_memory *ret_memory);

/* /proc/meminfo, in bytes. Without MemAvailable (lxcfs, old kernels) it is estimated: free +
 * buffers + cached + reclaimable slab - shared memory. */
struct counters_host_memory {
    uint64_t total, available, free;
    uint64_t inactive_file, swap; /* COUNTERS_NONE when not said; swap: in use */
};
int counters_meminfo(const char *bytes, size_t n, struct counters_host_memory *ret_memory);

/* "oom_kill N" of memory.events (v2), memory.oom_control (v1) or /proc/vmstat: processes killed for
 * want of memory. -ENODATA on kernels that do not count them (before 4.13). */
int counters_oom_kills(const char *bytes, size_t n, uint64_t *ret_n_kills);

/* A pressure file (PSI). Averages are in percent over 10, 60 and 300 seconds, `stalled_us` is since
 * boot. Kernels before 5.13 say nothing of `full` for the CPU: `has_full` is false. */
enum { PRESSURE_10_S, PRESSURE_60_S, PRESSURE_300_S, PRESSURE_AVERAGES };
struct counters_stall {
    double averages[PRESSURE_AVERAGES];
    uint64_t stalled_us;
};
struct counters_pressure {
    bool has_full;
    struct counters_stall some, full;
};
int counters_pressure(const char *bytes, size_t n, struct counters_pressure *ret_pressure);

/* io.stat of v2: bytes and operations over all devices but those in `leave_out` and those without
 * a number ("(unknown)"). An empty file is no I/O yet. */
int counters_io_stat(const char *bytes, size_t n, const struct counters_devices *leave_out,
                     struct counters_traffic *ret_traffic);

/* blkio.throttle.io_service_bytes_recursive of v1: Read and Write lines of devices. -ENODATA
 * without a device line: such kernels count nothing until a throttle rule exists. The text of
 * blkio.throttle.io_serviced_recursive is the same, with operations: they come as the bytes. */
int counters_blkio(const char *bytes, size_t n, const struct counters_devices *leave_out,
                   struct counters_traffic *ret_traffic);

/* /proc/PID/io: bytes fetched from and sent to storage; cancelled writes are taken off. */
int counters_process_io(const char *bytes, size_t n, struct counters_traffic *ret_traffic);

/* /proc/net/dev: the interfaces in `only`, or, when NULL, all but loopback. `skip_virtual` leaves
 * out what containers and bridges make (veth…, docker…, br-…, cni…). -ENODATA: none of them. */
int counters_net_dev(const char *bytes, size_t n, const struct counters_names *only,
                     bool skip_virtual, struct counters_traffic *ret_traffic);

/* /proc/diskstats over the disks in `only`, or, when NULL, over those that do not look like a
 * partition of the disk before, a loop, memory or stacked device. -ENODATA: none. Disks after the
 * first COUNTERS_DISKS_MAX are in the sums alone. */
#define COUNTERS_DISKS_MAX 64
struct counters_disk {
    uint64_t name_hash;
    uint64_t busy_ms; /* with an operation under way */
};
struct counters_disks {
    struct counters_traffic sum;
    uint64_t operation_ms; /* how long the operations of the sum took together */
    size_t n;
    struct counters_disk disks[COUNTERS_DISKS_MAX];
};
int counters_disk_stats(const char *bytes, size_t n, const struct counters_names *only,
                        struct counters_disks *ret_disks);

/* The "cpu" line of /proc/stat, in ticks. Guest time is inside user and nice, and not added. */
enum counters_tick {
    TICK_USER,
    TICK_NICE,
    TICK_SYSTEM,
    TICK_IDLE,
    TICK_IOWAIT,
    TICK_IRQ,
    TICK_SOFTIRQ,
    TICK_STEAL,
    TICKS
};
struct counters_host_cpu {
    uint64_t ticks[TICKS];
    unsigned n_cpus; /* lines "cpu0" … */
};
int counters_stat(const char *bytes, size_t n, struct counters_host_cpu *ret_cpu);

/* /proc/PID/stat. The name may hold anything, blanks and parentheses too: it ends at the last ')'.
 */
struct counters_process {
    pid_t pid, ppid;
    char name[64]; /* cut off when longer */
    char state;
    uint64_t user_ticks, system_ticks; /* its own */
    uint64_t reaped_ticks;             /* of the children that it waited for */
    uint64_t n_threads, start_ticks;   /* the latter since boot */
};
int counters_process_stat(const char *bytes, size_t n, struct counters_process *ret_process);

/* /proc/PID/status, in bytes: anonymous and shared memory; all that is resident; what is swapped
 * out. Kernels that do not tell the first two apart give the latter for both. */
struct counters_process_memory {
    uint64_t nocache, resident, swap;
};
int counters_process_status(const char *bytes, size_t n,
                            struct counters_process_memory *ret_memory);

/* /proc/PID/limits: how many files the process may open; COUNTERS_NONE: as many as it likes. */
int counters_max_fds(const char *bytes, size_t n, uint64_t *ret_max_fds);

/* cgroup.procs: process ids, at most `n_max`; zeros are processes outside of our pid namespace, and
 * are only counted. Outputs are the caller's. */
int counters_pids(const char *bytes, size_t n, pid_t *pids, size_t n_max, size_t *ret_n_pids,
                  size_t *ret_n_hidden);

/* /proc/net/tcp and tcp6: inodes of the sockets that listen on `port`, at most `n_max` in all;
 * appends after the `*n_inodes` that are there. A line cut off at the end is left out: listeners
 * come first. */
int counters_listeners(const char *bytes, size_t n, uint16_t port, uint64_t *inodes, size_t n_max,
                       size_t *n_inodes);

#endif
