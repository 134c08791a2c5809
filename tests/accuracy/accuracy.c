/* What the agent reports, compared with the truth: accuracy AGENT FOLDER
 *
 * Puts known load into real cgroups (v1 or v2, as this kernel has them mounted), one broker a load,
 * runs the program AGENT over them, hears every report that it sends, and compares sums of
 * rate × interval with what the kernel's counters and the loads themselves say. FOLDER is on a file
 * system with a page cache (not tmpfs), and has room for 200 MiB.
 *
 * Loads work between times of rest: a sum that begins and ends in one does not depend on where the
 * intervals lie, and nothing here expects the machine to be fast. Needs root.
 *
 * Prints a row a comparison, and "N passed, N failed". Exit status: 0, 1, or 77 when the
 * surroundings are missing (which is said). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/loop.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/accuracy/ear.h"
#include "tests/accuracy/groups.h"
#include "tests/accuracy/load.h"

#define MIB         (1LL << 20)
#define QUOTA_US    20000 /* in 100 ms: 0.2 of a core */
#define QUOTA_CORES 0.2
#define LASTS_US    SECONDS(6)
#define BULK_BYTES  (200 * MIB)
#define DISK_BYTES  (64 * MIB)
#define SKIP_STATUS 77

#define SHARE_MAX 0.02 /* CPU, network, disk: of the truth */
/* More than all of a quota is reported as all of it, interval by interval; the test's intervals end
 * a little later than the agent's. */
#define RATIO_MAX  0.03
#define BYTES_MAX  MIB  /* memory */
#define POINTS_MAX 0.05 /* throttling: a period at an edge may count on either side */

/* The whole path: busybox has an applet of that name, which knows less. */
#define IP "/bin/ip"

#define OUTER "198.18.213.1"
#define INNER "198.18.213.2"

/* CPU first, then the rest: else they would take each other's time. */
enum { PHASE_CPU, PHASE_REST, PHASES };

enum { CPU_10, CPU_50, CPU_100, CPU_150, MEMORY, CACHE, NET, DISK, BROKERS };

static const char *const names[BROKERS] = {"cpu10",  "cpu50", "cpu100", "cpu150",
                                           "memory", "cache", "net",    "disk"};

/* The kernel's counters at one time. */
struct truth {
    time_us at_us;
    int64_t cpu_us[BROKERS], process_us[BROKERS], periods[BROKERS], throttled[BROKERS];
    int64_t net_in, net_out, written;
    struct group_memory memory[BROKERS];
    int64_t cached; /* of the file that is read twice */
};

/* Counters of those that burn CPU, read just after a report was heard. */
struct mark {
    size_t report; /* its index */
    time_us at_us;
    int64_t periods[CPU_150 + 1], cpu_us[CPU_150 + 1];
};

static struct {
    char folder[256], link_name[16], device[64];
    dev_t device_number;
    int device_fd;
    struct group parent, groups[BROKERS];
    struct load loads[BROKERS], sender;
    struct load_result results[BROKERS], sent;
    struct truth before[PHASES], after[PHASES];
    size_t n_marks;
    struct mark marks[EAR_REPORTS_MAX];
    struct ear ear;
    int n_passed, n_failed;
} test;

/* --- rows --- */

static void judge(bool is_good, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    puts(is_good ? "  ok" : "  FAILED");
    test.n_passed += is_good;
    test.n_failed += !is_good;
}

static void say_absent(const char *load, const char *value, enum value_state state)
{
    judge(false, "%-22s %-26s absent or lost: %s", load, value, value_state_name(state));
}

/* A sum of rates against the truth, both shown for a second of the load. */
static void check_sum(size_t broker, enum metric metric, const char *load, const char *value,
                      double truth, double error_max, double unit)
{
    size_t phase = broker <= CPU_150 ? PHASE_CPU : PHASE_REST;
    double sum = 0, error;
    enum value_state state = VALUE_UNKNOWN;

    if (ear_sum(&test.ear, broker, metric, test.before[phase].at_us, test.after[phase].at_us, &sum,
                &state) < 0) {
        say_absent(load, value, state);
        return;
    }
    error = truth > 0 ? sum / truth - 1 : INFINITY;
    judge(fabs(error) <= error_max, "%-22s %-26s %12.4f %12.4f %+10.3f %%", load, value,
          truth / unit / 1e-6 / (double)LASTS_US, sum / unit / 1e-6 / (double)LASTS_US,
          error * 100);
}

/* Bytes held now, against the truth. */
static void check_bytes(size_t broker, enum metric metric, const char *load, const char *value,
                        int64_t truth)
{
    struct value reported = test.ear.reports[test.ear.n - 1].values[broker][metric];
    double error = (reported.number - (double)truth) / (double)MIB;

    if (!value_is_present(reported)) {
        say_absent(load, value, reported.state);
        return;
    }
    judge(fabs(error) * (double)MIB <= (double)BYTES_MAX, "%-22s %-26s %12.3f %12.3f %+8.3f MiB",
          load, value, (double)truth / (double)MIB, reported.number / (double)MIB, error);
}

/* Each reported share of the periods that there were meanwhile, against all that were throttled. */
static void check_throttling(size_t broker, const char *load)
{
    const struct truth *before = &test.before[PHASE_CPU], *after = &test.after[PHASE_CPU];
    int64_t periods = after->periods[broker] - before->periods[broker];
    int64_t throttled = after->throttled[broker] - before->throttled[broker];
    double truth = periods > 0 ? (double)throttled / (double)periods : -1, sum = 0, error;

    for (size_t i = 1; i < test.n_marks; i++) { /* at rest there are no periods */
        const struct mark *mark = &test.marks[i];
        struct value share =
            test.ear.reports[mark->report].values[broker][METRIC_CPU_THROTTLED_RATIO];

        if (!value_is_present(share) || mark->report != mark[-1].report + 1) {
            say_absent(load, "throttled share", share.state);
            return;
        }
        sum += share.number * (double)(mark->periods[broker] - mark[-1].periods[broker]);
    }
    error = sum / (double)MAX(periods, 1) - truth;
    judge(fabs(error) <= POINTS_MAX, "%-22s %-26s %12.4f %12.4f %+8.3f pts", load,
          "throttled share", truth, sum / (double)MAX(periods, 1), error * 100);
}

/* Use of the quota, in seconds. More than all of it is reported as all: the kernel lets what was
 * left over be used a little later. */
static double quota_used(size_t broker)
{
    double used = 0;

    for (size_t i = 1; i < test.n_marks && test.marks[i - 1].at_us < test.after[PHASE_CPU].at_us;
         i++) {
        const struct mark *mark = &test.marks[i];

        used += fmin((double)(mark->at_us - mark[-1].at_us),
                     (double)(mark->cpu_us[broker] - mark[-1].cpu_us[broker]) / QUOTA_CORES);
    }
    return used / 1e6;
}

static void check_cpu(size_t broker, const char *load)
{
    const struct truth *before = &test.before[PHASE_CPU], *after = &test.after[PHASE_CPU];
    double used = (double)(after->cpu_us[broker] - before->cpu_us[broker]) / 1e6;
    double process = (double)(after->process_us[broker] - before->process_us[broker]) / 1e6;

    check_sum(broker, METRIC_CPU_CORES, load, "cores, cgroup's counter", used, SHARE_MAX, 1);
    check_sum(broker, METRIC_CPU_CORES, load, "cores, process's clock", process, SHARE_MAX, 1);
    check_sum(broker, METRIC_CPU_RATIO, load, "of the quota", quota_used(broker), RATIO_MAX, 1);
    check_throttling(broker, load);
}

/* What is to be throttled was: else nothing of it was tested. */
static void check_demand(void)
{
    int64_t throttled = test.after[PHASE_CPU].throttled[CPU_150];

    if (throttled == 0) {
        judge(false, "the load of 150 %% of a quota did not get so far: a machine too busy?");
    }
}

static int64_t nocache(const struct group_memory *memory)
{
    return memory->current - memory->file + memory->shmem;
}

/* With that way of ageing, pages that were read twice by read(2) may still count as inactive. */
static bool is_multi_generational(void)
{
    FILE *file = fopen("/sys/kernel/mm/lru_gen/enabled", "re");
    unsigned flags = 0;

    if (file == NULL) {
        return false;
    }
    (void)fscanf(file, "%x", &flags);
    (void)fclose(file);
    return (flags & 1) != 0;
}

static void check_memory(void)
{
    const struct group_memory *before = test.before[PHASE_REST].memory;
    const struct group_memory *after = test.after[PHASE_REST].memory;
    int64_t tables = after[CACHE].slab - before[CACHE].slab;
    int64_t active = is_multi_generational() ? after[CACHE].file - after[CACHE].inactive_file
                                             : test.after[PHASE_REST].cached;

    check_bytes(MEMORY, METRIC_MEMORY_BYTES, "200 MiB anonymous", "without cache",
                nocache(&before[MEMORY]) + test.results[MEMORY].bytes);
    check_bytes(MEMORY, METRIC_MEMORY_WORKING_SET_BYTES, "200 MiB anonymous", "working set",
                nocache(&before[MEMORY]) + test.results[MEMORY].bytes);
    check_bytes(CACHE, METRIC_MEMORY_BYTES, "200 MiB file, re-read", "without cache",
                nocache(&before[CACHE]) + tables);
    check_bytes(CACHE, METRIC_MEMORY_WORKING_SET_BYTES, "200 MiB file, re-read", "working set",
                nocache(&before[CACHE]) + tables + active);
}

static void check_all(void)
{
    const struct truth *before = &test.before[PHASE_REST], *after = &test.after[PHASE_REST];

    (void)printf("%-22s %-26s %12s %12s %12s\n", "load", "value", "truth", "reported", "error");
    check_cpu(CPU_10, "CPU, 10 % of a quota");
    check_cpu(CPU_50, "CPU, 50 % of a quota");
    check_cpu(CPU_100, "CPU, 100 % of a quota");
    check_cpu(CPU_150, "CPU, 150 % of a quota");
    check_demand();
    check_memory();
    check_sum(NET, METRIC_NET_RX_BYTES_PER_S, "UDP in, 50 MB/s", "MB/s, peer's counter",
              (double)(after->net_in - before->net_in), SHARE_MAX, 1e6);
    check_sum(NET, METRIC_NET_RX_BYTES_PER_S, "UDP in, 50 MB/s", "MB/s, sender",
              (double)test.sent.bytes, SHARE_MAX, 1e6);
    check_sum(NET, METRIC_NET_TX_BYTES_PER_S, "UDP out, 20 MB/s", "MB/s, peer's counter",
              (double)(after->net_out - before->net_out), SHARE_MAX, 1e6);
    check_sum(NET, METRIC_NET_TX_BYTES_PER_S, "UDP out, 20 MB/s", "MB/s, sender",
              (double)test.results[NET].bytes, SHARE_MAX, 1e6);
    check_sum(DISK, METRIC_DISK_WRITE_BYTES_PER_S, "direct writes, 20 MB/s",
              "MB/s, kernel's counter", (double)(after->written - before->written), SHARE_MAX, 1e6);
    check_sum(DISK, METRIC_DISK_WRITE_BYTES_PER_S, "direct writes, 20 MB/s", "MB/s, writer",
              (double)test.results[DISK].bytes, SHARE_MAX, 1e6);
}

/* --- surroundings --- */

static _Noreturn void leave(int status);

static _Noreturn void skip(const char *what)
{
    (void)printf("needs %s\n", what);
    leave(SKIP_STATUS);
}

static const char *path_of(const char *name)
{
    static char path[512];

    (void)snprintf(path, sizeof(path), "%s/%s", test.folder, name);
    return path;
}

static void show_log(void)
{
    FILE *log = fopen(path_of("agent.log"), "re");
    char line[1024];

    while (log != NULL && fgets(line, sizeof(line), log) != NULL) {
        (void)printf("    %s", line);
    }
    if (log != NULL) {
        (void)fclose(log);
    }
}

/* What must work once the surroundings are there. */
static void must(int r, const char *what)
{
    if (r < 0) {
        judge(false, "%s: %s", what, strerror(-r));
        show_log();
        (void)printf("%d passed, %d failed\n", test.n_passed, test.n_failed);
        leave(1);
    }
}

/* What the surroundings may lack. */
static void need(int r, const char *what)
{
    char text[256];

    if (r < 0) {
        (void)snprintf(text, sizeof(text), "%s: %s", what, strerror(-r));
        skip(text);
    }
}

static _Noreturn void leave(int status)
{
    static const char *const files[] = {"agent.yaml", "agent.log", "bulk", "reports"};
    char pid_file[32];

    ear_close(&test.ear);
    for (size_t i = 0; i < BROKERS; i++) {
        load_end(&test.loads[i]);
        group_remove(&test.groups[i]);
        (void)snprintf(pid_file, sizeof(pid_file), "%s.pid", names[i]);
        (void)unlink(path_of(pid_file));
    }
    load_end(&test.sender);
    group_remove(&test.parent);
    for (size_t i = 0; i < N_ELEMENTS(files); i++) {
        (void)unlink(path_of(files[i]));
    }
    (void)rmdir(test.folder);
    exit(status);
}

/* A loop device over memory: gone with the last who has it open. */
static int make_device(void)
{
    static const uint8_t zeros[65536];
    struct loop_config config = {.info.lo_flags = LO_FLAGS_AUTOCLEAR};
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), number;
    struct stat stat;

    number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
    config.fd = (unsigned)memfd_create("evenkeel-accuracy", MFD_CLOEXEC);
    if (number < 0 || (int)config.fd < 0) {
        return -errno;
    }
    for (int64_t at = 0; at < DISK_BYTES; at += (int64_t)sizeof(zeros)) {
        if (write((int)config.fd, zeros, sizeof(zeros)) != (ssize_t)sizeof(zeros)) {
            return -errno;
        }
    }
    (void)close(control);
    (void)snprintf(test.device, sizeof(test.device), "/dev/loop%d", number);
    test.device_fd = open(test.device, O_RDWR | O_CLOEXEC);
    if (test.device_fd < 0 || ioctl(test.device_fd, LOOP_CONFIGURE, &config) < 0 ||
        fstat(test.device_fd, &stat) < 0) {
        return -errno;
    }
    (void)close((int)config.fd);
    test.device_number = stat.st_rdev;
    return 0;
}

/* A file that nobody has in the cache: what a load reads of it is charged to that load. */
static int make_bulk(void)
{
    int fd = open(path_of("bulk"), O_WRONLY | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0600);
    void *block = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int r = fd < 0 || block == MAP_FAILED ? -errno : 0;

    for (int64_t at = 0; r == 0 && at < BULK_BYTES; at += MIB) {
        r = write(fd, block, MIB) == MIB ? 0 : -EIO;
    }
    (void)munmap(block, MIB);
    (void)close(fd);
    return r;
}

static void describe_loads(void)
{
    for (size_t i = CPU_10; i <= CPU_150; i++) {
        static const double shares[] = {0.1, 0.5, 1.0, 1.5};

        test.loads[i] = (struct load){.kind = LOAD_BURN, .cores = shares[i] * QUOTA_CORES};
    }
    test.loads[MEMORY] = (struct load){.kind = LOAD_MEMORY, .bytes = BULK_BYTES};
    test.loads[CACHE] = (struct load){.kind = LOAD_CACHE, .bytes = BULK_BYTES};
    (void)snprintf(test.loads[CACHE].path, sizeof(test.loads[CACHE].path), "%s", path_of("bulk"));
    test.loads[DISK] =
        (struct load){.kind = LOAD_WRITE, .bytes = DISK_BYTES, .bytes_per_s = 20000000};
    (void)snprintf(test.loads[DISK].path, sizeof(test.loads[DISK].path), "%s", test.device);
    test.loads[NET] = (struct load){
        .kind = LOAD_NET,
        .path = IP " address add " INNER "/30 dev inner && " IP " link set inner mtu 40000 up",
        .local = INNER,
        .remote = OUTER,
        .bytes_per_s = 20000000,
    };
    test.sender = (struct load){
        .kind = LOAD_NET,
        .local = OUTER,
        .remote = INNER,
        .bytes_per_s = 50000000,
    };
    test.sender.lasts_us = LASTS_US;
    for (size_t i = 0; i < BROKERS; i++) {
        test.loads[i].lasts_us = LASTS_US;
    }
}

static int write_pid(size_t i)
{
    char name[32];
    FILE *file;

    (void)snprintf(name, sizeof(name), "%s.pid", names[i]);
    file = fopen(path_of(name), "we");
    if (file == NULL || fprintf(file, "%d\n", (int)test.loads[i].pid) < 0 || fclose(file) != 0) {
        return -EIO;
    }
    return 0;
}

static void start_loads(void)
{
    for (size_t i = 0; i < BROKERS; i++) {
        must(group_make(&test.parent, names[i], &test.groups[i]), "make a cgroup");
        if (i <= CPU_150) {
            must(group_limit_cpu(&test.groups[i], QUOTA_US), "set a CPU quota");
        }
        need(load_start(&test.loads[i]), "the right to make a network namespace");
        must(group_join(&test.groups[i], test.loads[i].pid), "join a cgroup");
        must(write_pid(i), "write a pid file");
    }
    must(load_start(&test.sender), "start the sender");
    must(group_limit_writes(&test.groups[DISK], test.device_number, 1000000000),
         "set a rule for writes");
}

/* The pair of interfaces: the inner end goes to where the broker is, and ends with it. */
static int make_link(void)
{
    char command[512];

    (void)snprintf(test.link_name, sizeof(test.link_name), "ekacc%d", (int)getpid());
    (void)snprintf(command, sizeof(command),
                   IP " link add %s type veth peer name inner netns %d && " IP " address add " OUTER
                      "/30 dev %s && " IP " link set %s mtu 40000 up",
                   test.link_name, (int)test.loads[NET].pid, test.link_name, test.link_name);
    return system(command) == 0 ? 0 : -ENODEV; /* NOLINT: a shell's command it is */
}

static void prepare_loads(void)
{
    need(make_link(), "ip, and a kernel with veth");
    for (size_t i = 0; i < BROKERS; i++) {
        must(load_prepare(&test.loads[i]), names[i]);
    }
    must(load_prepare(&test.sender), "the sender");
}

static void write_config(void)
{
    FILE *file = fopen(path_of("agent.yaml"), "we");

    if (file == NULL) {
        must(-errno, "write the agent's configuration");
    }
    (void)fprintf(file,
                  "node: accuracy\nreport: {interval: 1s}\nhttp: {listen: \"\"}\n"
                  "aggregators:\n  - reports: ipc://%s/reports\n"
                  "    decisions: ipc://%s/nobody\nbrokers:\n",
                  test.folder, test.folder);
    for (size_t i = 0; i < BROKERS; i++) {
        (void)fprintf(file, "  - id: %s\n    match: {pid_file: %s/%s.pid}\n", names[i], test.folder,
                      names[i]);
    }
    must(fclose(file) != 0 ? -EIO : 0, "write the agent's configuration");
}

/* --- the run --- */

static int64_t interface_count(const char *name)
{
    char path[128];
    int64_t count = -1;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/%s", test.link_name, name);
    file = fopen(path, "re");
    if (file == NULL || fscanf(file, "%" SCNd64, &count) != 1) {
        count = -1;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return count;
}

/* What went out at our end of the pair came in at the broker's. */
static void read_truth(struct truth *ret_truth)
{
    for (size_t i = 0; i < BROKERS; i++) {
        ret_truth->cpu_us[i] = group_cpu_us(&test.groups[i]);
        ret_truth->process_us[i] = load_cpu_us(&test.loads[i]);
        ret_truth->periods[i] = group_periods(&test.groups[i], &ret_truth->throttled[i]);
        must(group_memory(&test.groups[i], &ret_truth->memory[i]), "read the kernel's account");
        must((int)MIN(ret_truth->cpu_us[i], 0), "read the kernel's CPU time");
    }
    ret_truth->net_in = interface_count("tx_bytes");
    ret_truth->net_out = interface_count("rx_bytes");
    ret_truth->written = group_bytes_written(&test.groups[DISK], test.device_number);
    ret_truth->at_us = clock_now_us();
}

static void start_agent(const char *agent)
{
    static const enum metric wanted[BROKERS] = {
        METRIC_CPU_THROTTLED_RATIO, METRIC_CPU_RATIO,
        METRIC_CPU_RATIO,           METRIC_CPU_RATIO,
        METRIC_MEMORY_BYTES,        METRIC_MEMORY_BYTES,
        METRIC_NET_RX_BYTES_PER_S,  METRIC_DISK_WRITE_BYTES_PER_S,
    };
    char url[300], config_path[512], log_path[512];

    write_config();
    (void)snprintf(url, sizeof(url), "ipc://%s/reports", test.folder);
    (void)snprintf(config_path, sizeof(config_path), "%s", path_of("agent.yaml"));
    (void)snprintf(log_path, sizeof(log_path), "%s", path_of("agent.log"));
    must(ear_open(&test.ear, url, agent, config_path, log_path), "start the agent");
    must(ear_wait_present(&test.ear, wanted, SECONDS(40)), "wait for the agent's first values");
}

static void mark_report(void)
{
    struct mark *mark = &test.marks[test.n_marks++];
    int64_t throttled;

    mark->report = test.ear.n - 1;
    mark->at_us = clock_now_us();
    for (size_t i = CPU_10; i <= CPU_150; i++) {
        mark->periods[i] = group_periods(&test.groups[i], &throttled);
        mark->cpu_us[i] = group_cpu_us(&test.groups[i]);
    }
}

/* Hear the reports until one was made at `at_us` or later. */
static void follow(time_us at_us)
{
    do {
        must(ear_wait(&test.ear, test.ear.reports[test.ear.n - 1].at_us + 1, SECONDS(30)),
             "wait for reports");
        mark_report();
    } while (test.ear.reports[test.ear.n - 1].at_us < at_us);
}

/* Have the loads from `first` to `last` work at the same time, from rest to rest. */
static void run_phase(size_t phase, size_t first, size_t last)
{
    follow(clock_now_us());
    read_truth(&test.before[phase]);
    for (size_t i = first; i <= last; i++) {
        must(load_go(&test.loads[i]), names[i]);
    }
    if (phase == PHASE_REST) {
        must(load_go(&test.sender), "the sender");
    }
    follow(test.before[phase].at_us + LASTS_US);
    for (size_t i = first; i <= last; i++) {
        must(load_wait(&test.loads[i], SECONDS(90), &test.results[i]), names[i]);
    }
    if (phase == PHASE_REST) {
        must(load_wait(&test.sender, SECONDS(90), &test.sent), "the sender");
    }
    read_truth(&test.after[phase]);
    follow(test.after[phase].at_us);
}

/* The kernel folds what it counts of memory together every two seconds: it is looked at after them,
 * beside the last report. */
static void run_loads(void)
{
    struct truth *last = &test.after[PHASE_REST];

    run_phase(PHASE_CPU, CPU_10, CPU_150);
    run_phase(PHASE_REST, MEMORY, DISK);
    follow(clock_now_us() + SECONDS(3));
    for (size_t i = 0; i < BROKERS; i++) {
        must(group_memory(&test.groups[i], &last->memory[i]), "read the kernel's account");
    }
    must(load_cached(path_of("bulk"), BULK_BYTES, &last->cached), "look at the cache");
}

static void say_where(void)
{
    struct utsname host;
    char today[32];
    time_t now = time(NULL);
    struct tm when;

    (void)uname(&host);
    (void)strftime(today, sizeof(today), "%F", localtime_r(&now, &when));
    (void)printf("Linux %s, cgroup %s, %ld CPUs, %s\n", host.release,
                 test.parent.is_v2[GROUP_CPU] ? "v2" : "v1", sysconf(_SC_NPROCESSORS_ONLN), today);
}

int main(int argc, char **argv)
{
    char name[64], whole[PATH_MAX], why[GROUP_WHY_BYTES] = "cgroups";

    if (argc != 3) {
        (void)fprintf(stderr, "usage: accuracy AGENT FOLDER\n");
        return 64;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    need(realpath(argv[2], whole) == NULL ? -errno : 0, "a folder to write in");
    (void)snprintf(test.folder, sizeof(test.folder), "%.60s/accuracy.XXXXXX", whole);
    need(mkdtemp(test.folder) == NULL ? -errno : 0, "a folder to write in");
    (void)snprintf(name, sizeof(name), "evenkeel-accuracy-%d", (int)getpid());
    if (geteuid() != 0 || group_make_parent(name, &test.parent, why) < 0) {
        skip(geteuid() != 0 ? "root" : why);
    }
    need(make_device(), "a loop device");
    need(make_bulk(), "a file system that takes 200 MiB of direct writes");
    (void)group_prefer(&test.parent);
    describe_loads();
    start_loads();
    prepare_loads();
    say_where();
    start_agent(argv[1]);
    run_loads();
    check_all();
    (void)printf("%d passed, %d failed\n", test.n_passed, test.n_failed);
    leave(test.n_failed > 0);
}
