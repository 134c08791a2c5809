/* What a sample costs: CPU time of sampler_take() beside the floor, the same files held open and
 * read without parsing, in the same run; with none, one, three and two hundred brokers. Prints
 * medians in microseconds.
 *
 * Each broker is a sleeping process in a cgroup of its own, made and removed here: needs root, and
 * ends with 77 (skipped) without. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/sampler.h"

#define ROUNDS      400
#define BEATS       40
#define BROKERS_MAX 200
#define FLOOR_FILES 16384
#define SKIPPED     77

/* v1's controllers that are read, each mounted alone; v2's one hierarchy comes first. */
static const char *const hierarchies[] = {
    "/sys/fs/cgroup",        "/sys/fs/cgroup/cpu",   "/sys/fs/cgroup/cpuacct",
    "/sys/fs/cgroup/memory", "/sys/fs/cgroup/blkio",
};

static struct {
    pid_t pid;
    char cgroup[64];
} processes[BROKERS_MAX];

static char group[32]; /* above all of them */

static double cpu_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return CMP(*x, *y);
}

static double median(double *samples, size_t n)
{
    qsort(samples, n, sizeof(samples[0]), compare);
    return samples[n / 2];
}

/* --- brokers --- */

static bool is_v2(void)
{
    return access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
}

/* Whether the hierarchy is one to use here. */
static bool is_used(size_t i)
{
    return is_v2() ? i == 0 : i > 0 && access(hierarchies[i], F_OK) == 0;
}

static int write_text(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    int r = fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;

    if (fd >= 0) {
        (void)close(fd);
    }
    return r;
}

/* Make the cgroup in every hierarchy, and move `pid` there unless it is 0. */
static int enter(const char *cgroup, pid_t pid)
{
    for (size_t i = 0; i < N_ELEMENTS(hierarchies); i++) {
        char path[256], number[16];

        (void)snprintf(path, sizeof(path), "%s%s", hierarchies[i], cgroup);
        if (!is_used(i)) {
            continue;
        }
        if (mkdir(path, 0755) < 0 && errno != EEXIST) {
            return -errno;
        }
        (void)snprintf(path, sizeof(path), "%s%s/cgroup.procs", hierarchies[i], cgroup);
        (void)snprintf(number, sizeof(number), "%d", (int)pid);
        if (pid != 0 && write_text(path, number) < 0) {
            return -EACCES;
        }
    }
    return 0;
}

static void leave(const char *cgroup)
{
    for (size_t i = 0; i < N_ELEMENTS(hierarchies); i++) {
        char path[256];

        (void)snprintf(path, sizeof(path), "%s%s", hierarchies[i], cgroup);
        if (is_used(i)) {
            (void)rmdir(path);
        }
    }
}

static int start_process(size_t i)
{
    const pid_t pid = fork();

    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            (void)pause();
        }
    }
    if (pid < 0) {
        return -errno;
    }
    processes[i].pid = pid;
    (void)snprintf(processes[i].cgroup, sizeof(processes[i].cgroup), "%s/broker%zu", group, i);
    return enter(processes[i].cgroup, pid);
}

static void stop_processes(void)
{
    for (size_t i = 0; i < BROKERS_MAX && processes[i].pid != 0; i++) {
        (void)kill(processes[i].pid, SIGKILL);
        (void)waitpid(processes[i].pid, NULL, 0);
        leave(processes[i].cgroup);
    }
    leave(group);
}

static int start_processes(void)
{
    int r;

    (void)snprintf(group, sizeof(group), "/evenkeel-bench-%d", (int)getpid());
    r = enter(group, 0);
    if (r == 0 && is_v2()) {
        char path[256];

        (void)snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cgroup.subtree_control", group);
        (void)write_text("/sys/fs/cgroup/cgroup.subtree_control", "+cpu +memory +io");
        (void)write_text(path, "+cpu +memory +io");
    }
    for (size_t i = 0; r == 0 && i < BROKERS_MAX; i++) {
        r = start_process(i);
    }
    return r;
}

/* --- measuring --- */

/* Every file that the sampler holds open is one of this process: read each as it does. */
static size_t find_files(int *fds, size_t n_max)
{
    size_t n = 0;

    for (int fd = 3; fd < FLOOR_FILES && n < n_max; fd++) {
        char byte;

        if (pread(fd, &byte, 1, 0) == 1) {
            fds[n++] = fd;
        }
    }
    return n;
}

static void read_files(const int *fds, size_t n)
{
    static char bytes[64 << 10];

    for (size_t i = 0; i < n; i++) {
        if (pread(fds[i], bytes, sizeof(bytes), 0) < 0) {
            abort();
        }
    }
}

/* Forty beats a second apart: limits are read again, and brokers looked for. */
static void measure_beats(struct sampler *sampler, time_us now_us)
{
    double sum_us = 0, most_us = 0;

    for (size_t i = 0; i < BEATS; i++) {
        const double start_us = cpu_us();
        double used_us;

        now_us += SECONDS(1);
        sampler_take(sampler, now_us);
        used_us = cpu_us() - start_us;
        sum_us += used_us;
        most_us = MAX(most_us, used_us);
    }
    (void)printf(", with limits and looking: mean %.0f us, most %.0f us\n", sum_us / BEATS,
                 most_us);
}

static void measure(const struct agent_config *config)
{
    static double samples[ROUNDS], floors[ROUNDS];
    static int fds[FLOOR_FILES];
    struct sampler *sampler;
    time_us now_us = SECONDS(100);
    double first_us = cpu_us(), sample_us, floor_us;
    size_t n_files;

    if (sampler_new(config, &sampler) < 0) {
        abort();
    }
    sampler_take(sampler, now_us);
    first_us = cpu_us() - first_us;
    n_files = find_files(fds, FLOOR_FILES);
    for (size_t i = 0; i < ROUNDS; i++) {
        double start_us;

        (void)usleep(2000); /* before both: a beat finds the caches cold */
        start_us = cpu_us();
        now_us += MILLISECONDS(12); /* a beat in which nothing is looked for again */
        sampler_take(sampler, now_us);
        samples[i] = cpu_us() - start_us;
        (void)usleep(2000);
        start_us = cpu_us();
        read_files(fds, n_files);
        floors[i] = cpu_us() - start_us;
    }
    sample_us = median(samples, ROUNDS);
    floor_us = median(floors, ROUNDS);
    (void)printf(
        "brokers %zu: files %zu, sample %.1f us, floor %.1f us, ratio %.2f, the first %.0f us",
        config->brokers.n, n_files, sample_us, floor_us, sample_us / floor_us, first_us);
    measure_beats(sampler, now_us);
    sampler_free(sampler);
}

static void measure_all(void)
{
    static const size_t counts[] = {0, 1, 3, BROKERS_MAX};
    static struct broker_options brokers[BROKERS_MAX];
    struct agent_config config = {.proc_root = (char[]){"/proc"}, .cgroup_root = (char[]){""}};

    for (size_t i = 0; i < BROKERS_MAX; i++) {
        brokers[i].id = (char[]){"bench"};
        brokers[i].match.cgroup = processes[i].cgroup;
    }
    config.brokers.elements = brokers;
    for (size_t i = 0; i < N_ELEMENTS(counts); i++) {
        config.brokers.n = counts[i];
        measure(&config);
    }
}

int main(void)
{
    struct rlimit limit;
    int r;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    r = start_processes();
    if (r == 0) {
        measure_all();
    } else {
        (void)fprintf(stderr, "no cgroups can be made here: %s\n", strerror(-r));
    }
    stop_processes();
    return r == 0 ? EXIT_SUCCESS : SKIPPED;
}
