/* The host: what all of it uses, and what it has. Shell: reads below the proc and sys roots.
 *
 * Disks are counted where the bytes are moved: whole disks that do not stand on other block
 * devices. Interfaces likewise: physical ones, so that what passes a bridge, bond or veth pair on
 * its way out is counted once. Where sysfs shows none (a container, some VMs) all count that do not
 * look like the near end of such a way. */
#include "agent/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/cleanup.h"

#define PATH_BYTES 320 /* "class/net/NAME/…" below the sys root; names have at most 255 bytes */

void host_open(struct host *host, int proc_fd, int sys_fd)
{
    *host = (struct host){.proc_fd = proc_fd, .sys_fd = sys_fd};
    held_open(&host->stat, proc_fd, "stat", false);
    held_open(&host->memory, proc_fd, "meminfo", false);
    held_open(&host->disks, proc_fd, "diskstats", false);
    /* The first process's namespace is the host's, as far as it can be seen. */
    held_open(&host->network, proc_fd, "1/net/dev", false);
    if (host->network.error != 0) {
        held_open(&host->network, proc_fd, "net/dev", false);
    }
    pressure_hold_host(&host->pressure, proc_fd);
    for (size_t i = 0; i < METRICS; i++) {
        host->values[i] = value_absent(VALUE_UNKNOWN);
    }
}

void host_close(struct host *host)
{
    held_close(&host->stat);
    held_close(&host->memory);
    held_close(&host->disks);
    held_close(&host->network);
    pressure_close(&host->pressure);
}

static DIR *open_folder(int dir_fd, const char *path)
{
    int fd = dir_fd >= 0 ? openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;

    if (folder == NULL && fd >= 0) {
        (void)close(fd);
    }
    return folder;
}

/* Whether the folder holds anything. */
static bool has_entries(int dir_fd, const char *path)
{
    cleanup_closedir DIR *folder = open_folder(dir_fd, path);

    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.') {
            return true;
        }
    }
    return false;
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Disks that are memory or a file: their bytes are none of a disk's, or counted below. */
static bool is_no_disk(const char *name)
{
    return starts_with(name, "loop") || starts_with(name, "ram") || starts_with(name, "zram") ||
           starts_with(name, "sr") || starts_with(name, "fd");
}

static void add_stacked(struct host *host, struct reader *reader, const char *name)
{
    char path[PATH_BYTES];
    unsigned major_number, minor_number;

    (void)snprintf(path, sizeof(path), "block/%s/dev", name);
    if (host->stacked.n == COUNTERS_DEVICES_MAX || reader_once(reader, host->sys_fd, path) < 0 ||
        reader->n >= reader->size) {
        return;
    }
    reader->bytes[reader->n] = '\0';
    if (sscanf(reader->bytes, "%u:%u", &major_number, &minor_number) == 2) {
        host->stacked.devices[host->stacked.n].major = major_number;
        host->stacked.devices[host->stacked.n++].minor = minor_number;
    }
}

static void refresh_disks(struct host *host, struct reader *reader)
{
    cleanup_closedir DIR *folder = open_folder(host->sys_fd, "block");

    host->has_disk_names = folder != NULL;
    host->disk_names.n = 0;
    host->stacked.n = 0;
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        char slaves[PATH_BYTES];

        if (entry->d_name[0] == '.' || is_no_disk(entry->d_name)) {
            continue;
        }
        (void)snprintf(slaves, sizeof(slaves), "block/%s/slaves", entry->d_name);
        if (has_entries(host->sys_fd, slaves)) {
            add_stacked(host, reader, entry->d_name);
        } else {
            (void)counters_names_add(&host->disk_names, entry->d_name);
        }
    }
}

/* A driver without a link state says "unknown" and works. */
static bool is_up(struct host *host, struct reader *reader, const char *name)
{
    char path[PATH_BYTES];

    (void)snprintf(path, sizeof(path), "class/net/%s/operstate", name);
    return reader_once(reader, host->sys_fd, path) < 0 ||
           (reader->n >= 2 && memcmp(reader->bytes, "up", 2) == 0) ||
           (reader->n >= 7 && memcmp(reader->bytes, "unknown", 7) == 0);
}

static bool is_physical(struct host *host, const char *name)
{
    char path[PATH_BYTES];

    (void)snprintf(path, sizeof(path), "class/net/%s/device", name);
    return faccessat(host->sys_fd, path, F_OK, 0) == 0;
}

/* Megabits a second; the kernel says -1, or refuses, when it does not know. */
static void take_speed(struct host *host, struct reader *reader, const char *name)
{
    char path[PATH_BYTES];
    uint64_t megabits;
    size_t n;

    (void)snprintf(path, sizeof(path), "class/net/%s/speed", name);
    if (held_read_once(host->sys_fd, path, reader->bytes, reader->size, &n) < 0 ||
        counters_number(reader->bytes, n, &megabits) < 0 || megabits == 0 ||
        megabits >= UINT32_MAX) {
        return;
    }
    if (!value_is_present(host->speed) || (double)megabits * 125000 < host->speed.number) {
        host->speed = value_of((double)megabits * 125000);
    }
}

static void refresh_interfaces(struct host *host, struct reader *reader)
{
    cleanup_closedir DIR *folder = open_folder(host->sys_fd, "class/net");

    host->interfaces.n = 0;
    host->speed = value_absent(VALUE_UNSUPPORTED);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.' && is_physical(host, entry->d_name) &&
            is_up(host, reader, entry->d_name) &&
            counters_names_add(&host->interfaces, entry->d_name)) {
            take_speed(host, reader, entry->d_name);
        }
    }
}

/* /proc/vmstat is long, and kills are rare. */
static void refresh_oom_kills(struct host *host, struct reader *reader)
{
    uint64_t n_kills = 0;
    int r;

    r = reader_once(reader, host->proc_fd, "vmstat");
    if (r == 0) {
        r = reader_parsed(reader, counters_oom_kills(reader->bytes, reader->n, &n_kills));
    }
    host->oom_kills = r < 0 ? value_absent(held_state(r)) : value_of((double)n_kills);
}

void host_refresh(struct host *host, struct reader *reader)
{
    unsigned n_cpus = 0;

    held_retry(&host->stat);
    held_retry(&host->memory);
    held_retry(&host->disks);
    held_retry(&host->network);
    pressure_retry(&host->pressure);
    refresh_oom_kills(host, reader);
    refresh_disks(host, reader);
    refresh_interfaces(host, reader);
    host->n_cpus_online = 0;
    if (host->sys_fd >= 0 && reader_once(reader, host->sys_fd, "devices/system/cpu/online") == 0 &&
        reader_parsed(reader, counters_cpu_set(reader->bytes, reader->n, &n_cpus)) == 0) {
        host->n_cpus_online = n_cpus;
    }
}

/* Ticks that were not idle, in relation to all. */
static struct value busy_ratio(const struct rate *rate)
{
    uint64_t total = 0;
    double idle = 0;

    if (rate->state != VALUE_PRESENT) {
        return value_absent(rate->state);
    }
    for (size_t i = 0; i < TICKS; i++) {
        total += rate->deltas[i];
    }
    idle = (double)rate->deltas[TICK_IDLE] + (double)rate->deltas[TICK_IOWAIT];
    return total > 0 ? value_of(((double)total - idle) / (double)total) : value_of(0);
}

static void take_cpu(struct host *host, time_us now_us, struct reader *reader)
{
    struct counters_host_cpu cpu = {0};
    struct value ratio, limit;
    int r;

    r = reader_held(reader, &host->stat);
    if (r == 0) {
        r = reader_parsed(reader, counters_stat(reader->bytes, reader->n, &cpu));
    }
    if (r < 0) {
        rate_miss(&host->cpu_rate, held_state(r));
    } else {
        host->n_resets += rate_step_monotone(&host->cpu_rate, now_us, 1, cpu.ticks, TICKS);
    }
    if (host->n_cpus_online > 0) {
        cpu.n_cpus = host->n_cpus_online;
    }
    ratio = busy_ratio(&host->cpu_rate);
    limit = cpu.n_cpus > 0 ? value_of(cpu.n_cpus) : value_absent(VALUE_FAILED);
    host->values[METRIC_CPU_RATIO] = ratio;
    host->values[METRIC_CPU_LIMIT_CORES] = limit;
    host->values[METRIC_CPU_CORES] = !value_is_present(ratio) ? ratio
                                     : !value_is_present(limit)
                                         ? limit
                                         : value_of(ratio.number * limit.number);
    host->values[METRIC_CPU_THROTTLED_RATIO] = value_absent(VALUE_UNLIMITED);
    host->values[METRIC_CPU_THROTTLED_SECONDS_PER_S] = value_absent(VALUE_UNLIMITED);
}

static double bytes_without(uint64_t total, uint64_t part, uint64_t other_part)
{
    return fmax(0.0, (double)total - (double)part - (double)other_part);
}

static struct value ratio_of(struct value part, uint64_t whole)
{
    if (!value_is_present(part)) {
        return part;
    }
    return whole > 0 ? value_of(part.number / (double)whole) : value_absent(VALUE_FAILED);
}

static void miss_memory(struct value *values, enum value_state why)
{
    for (size_t i = METRIC_MEMORY_BYTES; i <= METRIC_MEMORY_RATIO; i++) {
        values[i] = value_absent(why);
    }
    values[METRIC_MEMORY_WORKING_SET_RATIO] = value_absent(why);
    values[METRIC_MEMORY_AVAILABLE_BYTES] = value_absent(why);
    values[METRIC_SWAP_BYTES] = value_absent(why);
}

static void take_memory(struct host *host, struct reader *reader)
{
    struct counters_host_memory memory = {0};
    struct value *values = host->values;
    int r;

    values[METRIC_OOM_KILLS] = host->oom_kills;

    r = reader_held(reader, &host->memory);
    if (r == 0) {
        r = reader_parsed(reader, counters_meminfo(reader->bytes, reader->n, &memory));
    }
    if (r < 0) {
        miss_memory(values, held_state(r));
        return;
    }
    values[METRIC_MEMORY_BYTES] = value_of(bytes_without(memory.total, memory.available, 0));
    values[METRIC_MEMORY_WORKING_SET_BYTES] =
        memory.inactive_file == COUNTERS_NONE
            ? value_absent(VALUE_UNSUPPORTED)
            : value_of(bytes_without(memory.total, memory.free, memory.inactive_file));
    values[METRIC_MEMORY_LIMIT_BYTES] = value_of((double)memory.total);
    values[METRIC_MEMORY_RATIO] = ratio_of(values[METRIC_MEMORY_BYTES], memory.total);
    values[METRIC_MEMORY_WORKING_SET_RATIO] = ratio_of(values[METRIC_MEMORY_WORKING_SET_BYTES],
                                                       memory.total);
    values[METRIC_MEMORY_AVAILABLE_BYTES] = value_of((double)memory.available);
    values[METRIC_SWAP_BYTES] = memory.swap == COUNTERS_NONE ? value_absent(VALUE_UNSUPPORTED)
                                                             : value_of((double)memory.swap);
}

/* Take the outcome of reading one group of bytes in and out into its rate. */
static void step_traffic(struct host *host, struct rate *rate, time_us now_us, int r,
                         const struct counters_traffic *traffic)
{
    if (r < 0) {
        rate_miss(rate, held_state(r));
        return;
    }
    const uint64_t counts[] = {traffic->in_bytes, traffic->out_bytes};

    host->n_resets += rate_step(rate, now_us, traffic->members, counts, N_ELEMENTS(counts));
}

/* The busiest disk: one that is at work all the time is no less so for the idle ones beside it. A
 * counter of 32 bits, which wraps: each disk has a rate of its own. */
static struct value busiest_ratio(struct host *host, time_us now_us,
                                  const struct counters_disks *disks)
{
    struct value busiest = value_absent(VALUE_UNKNOWN);

    for (size_t i = 0; i < disks->n; i++) {
        struct value busy;

        (void)rate_step(&host->busy_rates[i], now_us, disks->disks[i].name_hash,
                        &disks->disks[i].busy_ms, 1);
        busy = rate_per_second(&host->busy_rates[i], 0);
        busy.number = fmin(1.0, busy.number / 1000);
        if (value_is_present(busy) ? !value_is_present(busiest) || busy.number > busiest.number
                                   : busiest.state == VALUE_UNKNOWN) {
            busiest = busy;
        }
    }
    return busiest;
}

/* How long an operation took; unknown when there was none. */
static struct value latency_of(const struct rate *rate)
{
    double n_operations = (double)rate->deltas[0] + (double)rate->deltas[1];

    if (rate->state != VALUE_PRESENT) {
        return value_absent(rate->state);
    }
    return n_operations > 0 ? value_of((double)rate->deltas[2] / 1000 / n_operations)
                            : value_absent(VALUE_UNKNOWN);
}

/* Operations and times, apart from the bytes: times wrap, and that is no reset of the bytes. */
static void take_operations(struct host *host, time_us now_us, const struct counters_disks *disks)
{
    const uint64_t counts[] = {disks->sum.in_operations, disks->sum.out_operations,
                               disks->operation_ms};

    (void)rate_step(&host->operation_rate, now_us, disks->sum.members, counts, N_ELEMENTS(counts));
    host->values[METRIC_DISK_BUSY_RATIO] = busiest_ratio(host, now_us, disks);
}

static void take_disks(struct host *host, time_us now_us, struct reader *reader)
{
    struct counters_disks disks;
    int r;

    disks.n = 0;
    disks.sum = (struct counters_traffic){0};
    disks.operation_ms = 0;
    r = reader_held(reader, &host->disks);
    if (r == 0) {
        r = reader_parsed(
            reader, counters_disk_stats(reader->bytes, reader->n,
                                        host->has_disk_names ? &host->disk_names : NULL, &disks));
    }
    step_traffic(host, &host->disk_rate, now_us, r, &disks.sum);
    if (r < 0) {
        rate_miss(&host->operation_rate, held_state(r));
        host->values[METRIC_DISK_BUSY_RATIO] = value_absent(held_state(r));
    } else {
        take_operations(host, now_us, &disks);
    }
    host->values[METRIC_DISK_READ_BYTES_PER_S] = rate_per_second(&host->disk_rate, 0);
    host->values[METRIC_DISK_WRITE_BYTES_PER_S] = rate_per_second(&host->disk_rate, 1);
    host->values[METRIC_DISK_READS_PER_S] = rate_per_second(&host->operation_rate, 0);
    host->values[METRIC_DISK_WRITES_PER_S] = rate_per_second(&host->operation_rate, 1);
    host->values[METRIC_DISK_LATENCY_SECONDS] = latency_of(&host->operation_rate);
}

static void take_network(struct host *host, time_us now_us, struct reader *reader)
{
    bool is_physical_known = host->interfaces.n > 0;
    struct counters_traffic traffic = {0};
    int r;

    r = reader_held(reader, &host->network);
    if (r == 0) {
        r = reader_parsed(reader, counters_net_dev(reader->bytes, reader->n,
                                                   is_physical_known ? &host->interfaces : NULL,
                                                   !is_physical_known, &traffic));
    }
    step_traffic(host, &host->network_rate, now_us, r, &traffic);
    host->values[METRIC_NET_RX_BYTES_PER_S] = rate_per_second(&host->network_rate, 0);
    host->values[METRIC_NET_TX_BYTES_PER_S] = rate_per_second(&host->network_rate, 1);
    host->values[METRIC_NET_SPEED_BYTES_PER_S] = host->speed;
}

void host_miss_space(enum value_state why, struct value *values)
{
    values[METRIC_DISK_USED_BYTES] = value_absent(why);
    values[METRIC_DISK_TOTAL_BYTES] = value_absent(why);
    values[METRIC_DISK_AVAILABLE_BYTES] = value_absent(why);
    values[METRIC_INODES_USED] = value_absent(why);
    values[METRIC_INODES_TOTAL] = value_absent(why);
}

void host_space(const char *path, struct value *values)
{
    struct statvfs status;
    double block;

    if (statvfs(path, &status) < 0) {
        host_miss_space(held_state(-errno), values);
        return;
    }
    /* Counts are of fragments; f_bsize is only a hint for reading. */
    block = (double)(status.f_frsize > 0 ? status.f_frsize : status.f_bsize);
    values[METRIC_DISK_USED_BYTES] =
        value_of(fmax(0.0, (double)status.f_blocks - (double)status.f_bfree) * block);
    values[METRIC_DISK_TOTAL_BYTES] = value_of((double)status.f_blocks * block);
    values[METRIC_DISK_AVAILABLE_BYTES] = value_of((double)status.f_bavail * block);
    if (status.f_files == 0) { /* btrfs makes them as they are needed */
        values[METRIC_INODES_USED] = value_absent(VALUE_UNLIMITED);
        values[METRIC_INODES_TOTAL] = value_absent(VALUE_UNLIMITED);
        return;
    }
    values[METRIC_INODES_USED] =
        value_of(fmax(0.0, (double)status.f_files - (double)status.f_ffree));
    values[METRIC_INODES_TOTAL] = value_of((double)status.f_files);
}

void host_take(struct host *host, time_us now_us, struct reader *reader)
{
    take_cpu(host, now_us, reader);
    take_memory(host, reader);
    take_disks(host, now_us, reader);
    take_network(host, now_us, reader);
    host_space("/", host->values);
    (void)pressure_take(&host->pressure, now_us, 1, reader, &host->was_pressure_said,
                        &host->n_resets, host->values);
}
