/* The sampler on this kernel: a child that burns CPU under a real quota, on v1 or v2.
 *
 * Needs to make cgroups; says what is missing and is skipped (77) where it cannot, unless CI is
 * set.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/cgroup.h"
#include "agent/sampler.h"
#include "common/clock.h"

#define QUOTA_CORES   0.3
#define MEMORY_BYTES  (64LL << 20)
#define MEMORY_LIMIT  (256LL << 20)
#define INTERVAL_US   SECONDS(2)
#define SKIP_STATUS   77
#define CONTROLLERS_N 3

static const enum cgroups_controller controllers[CONTROLLERS_N] = {CGROUPS_CPU, CGROUPS_CPUACCT,
                                                                   CGROUPS_MEMORY};
static char group[64];
static char parents[CONTROLLERS_N][CGROUPS_PATH_BYTES], leaves[CONTROLLERS_N][CGROUPS_PATH_BYTES];
static bool is_v2[CONTROLLERS_N];
static pid_t child = -1;

static int write_file(const char *directory, const char *name, const char *text)
{
    char path[CGROUPS_PATH_BYTES + 64];
    int fd, r;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    r = write(fd, text, strlen(text)) < 0 ? -errno : 0;
    (void)close(fd);
    return r;
}

/* Whether the kernel has the controller on v1. */
static bool is_on_v1(const struct cgroups *cgroups, enum cgroups_controller controller)
{
    for (size_t i = 0; i < cgroups->n_mounts; i++) {
        if ((cgroups->mounts[i].controllers >> controller & 1) != 0) {
            return true;
        }
    }
    return false;
}

static const char *make_groups(void)
{
    static struct cgroups cgroups;
    static char why[128];
    uint64_t n_errors = 0;

    (void)snprintf(group, sizeof(group), "/evenkeel-test-%d", (int)getpid());
    cgroups_discover(&cgroups, "/proc", "", &n_errors);
    for (size_t i = 0; i < CONTROLLERS_N; i++) {
        struct cgroups_place place = {.is_v2 = !is_on_v1(&cgroups, controllers[i])};
        size_t n_levels;

        is_v2[i] = place.is_v2;
        memcpy(place.path, group, sizeof(group));
        if (cgroups_resolve(&cgroups, controllers[i], &place, parents[i], &n_levels) < 0) {
            return "no cgroup hierarchy for cpu, cpuacct or memory is mounted";
        }
        if (place.is_v2) {
            (void)write_file("/sys/fs/cgroup", "cgroup.subtree_control", "+cpu +memory +io");
        }
        if (mkdir(parents[i], 0755) < 0 && errno != EEXIST) {
            (void)snprintf(why, sizeof(why), "mkdir: %s", strerror(errno));
            return why;
        }
        if (place.is_v2) {
            (void)write_file(parents[i], "cgroup.subtree_control", "+cpu +memory +io");
        }
        (void)snprintf(leaves[i], sizeof(leaves[i]), "%.*s/leaf", CGROUPS_PATH_BYTES - 6,
                       parents[i]);
        if (mkdir(leaves[i], 0755) < 0 && errno != EEXIST) {
            return "cannot make a child cgroup";
        }
    }
    return NULL;
}

static void remove_groups(void)
{
    if (child > 0) {
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
        child = -1;
    }
    for (size_t i = 0; i < CONTROLLERS_N; i++) {
        /* The kernel lets go of a group a moment after its last process. */
        for (int tries = 0; tries < 50 && rmdir(leaves[i]) < 0; tries++) {
            (void)poll(NULL, 0, 20);
        }
        (void)rmdir(parents[i]);
    }
}

static void clean_up_and_leave(int signal_number)
{
    remove_groups();
    _exit(128 + signal_number);
}

static void set_limits(void)
{
    int r;

    /* On the parent: the leaf has no limit of its own. */
    if (is_v2[0]) {
        r = write_file(parents[0], "cpu.max", "15000 50000");
    } else {
        r = write_file(parents[0], "cpu.cfs_period_us", "50000");
        assert_int_equal(r, 0);
        r = write_file(parents[0], "cpu.cfs_quota_us", "15000");
    }
    assert_int_equal(r, 0);
    r = write_file(parents[2], is_v2[2] ? "memory.max" : "memory.limit_in_bytes", "268435456");
    assert_int_equal(r, 0);
}

/* Join the leaves, take memory, and burn CPU until killed. */
static _Noreturn void burn(void)
{
    volatile uint64_t n = 0;
    void *memory;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 0; i < CONTROLLERS_N; i++) {
        if (write_file(leaves[i], "cgroup.procs", "0") < 0) {
            _exit(1);
        }
    }
    memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) {
        _exit(1);
    }
    for (;;) {
        n++;
    }
}

static struct value value_of_broker(struct sampler *sampler, enum metric metric)
{
    static struct broker_load load;

    sampler_broker(sampler, 0, &load);
    return load.values[metric];
}

static void expect_near(struct sampler *sampler, enum metric metric, double number,
                        double tolerance)
{
    struct value value = value_of_broker(sampler, metric);

    print_message("metric %d: state %d, %.4f (expected %.4f +- %.4f)\n", (int)metric,
                  (int)value.state, value.number, number, tolerance);
    assert_int_equal(value.state, VALUE_PRESENT);
    assert_true(fabs(value.number - number) <= tolerance);
}

/* What the child has used of a processor, by its own clock. */
static double child_cpu_us(void)
{
    struct timespec used;
    clockid_t clock;

    assert_int_equal(clock_getcpuclockid(child, &clock), 0);
    assert_int_equal(clock_gettime(clock, &used), 0);
    return (double)used.tv_sec * 1e6 + (double)used.tv_nsec / 1e3;
}

/* The truth that the sample is held against is the child's own clock, and the limits that were set:
 * on a busy machine it gets less than its quota. */
static void test_quota(void **state)
{
    struct broker_options options = {.id = (char[]){"b"}, .match = {.cgroup = group}};
    struct agent_config config = {.proc_root = (char[]){"/proc"},
                                  .cgroup_root = (char[]){""},
                                  .brokers = {.elements = &options, .n = 1}};
    struct sampler *sampler = NULL;
    struct value value;
    double used_us, cores;
    time_us at_us;

    (void)state;
    set_limits();
    child = fork();
    if (child == 0) {
        burn();
    }
    assert_true(child > 0);
    (void)usleep(1500000);
    assert_int_equal(sampler_new(&config, &sampler), 0);
    at_us = clock_now_us();
    used_us = child_cpu_us();
    sampler_take(sampler, at_us);
    (void)usleep(INTERVAL_US);
    cores = (child_cpu_us() - used_us) / (double)(clock_now_us() - at_us);
    sampler_take(sampler, clock_now_us());

    expect_near(sampler, METRIC_CPU_LIMIT_CORES, QUOTA_CORES, 1e-9);
    /* A few milliseconds may pass between the two readings: half a period of the quota. */
    expect_near(sampler, METRIC_CPU_CORES, cores, 0.025);
    expect_near(sampler, METRIC_CPU_RATIO, cores / QUOTA_CORES, 0.025 / QUOTA_CORES);
    value = value_of_broker(sampler, METRIC_CPU_THROTTLED_RATIO);
    assert_int_equal(value.state, VALUE_PRESENT);
    assert_true(value.number > 0);
    expect_near(sampler, METRIC_MEMORY_LIMIT_BYTES, MEMORY_LIMIT, 0);
    expect_near(sampler, METRIC_MEMORY_BYTES, MEMORY_BYTES, 2 << 20);

    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    child = -1;
    sampler_take(sampler, clock_now_us());
    assert_int_equal(value_of_broker(sampler, METRIC_CPU_CORES).state, VALUE_GONE);
    sampler_free(sampler);
}

static int teardown(void **state)
{
    (void)state;
    remove_groups();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quota),
    };
    const char *why = geteuid() != 0 ? "not root" : make_groups();

    (void)signal(SIGTERM, clean_up_and_leave);
    (void)signal(SIGINT, clean_up_and_leave);
    (void)signal(SIGABRT, clean_up_and_leave);
    if (why != NULL) {
        remove_groups();
        (void)printf("cannot make cgroups here: %s\n", why);
        return getenv("CI") != NULL ? EXIT_FAILURE : SKIP_STATUS;
    }
    return cmocka_run_group_tests(tests, NULL, teardown);
}
