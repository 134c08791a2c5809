/* Kernel text that nobody wrote: the first byte selects the parser. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cgroup.h"
#include "agent/counters.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void fuzz_limits(unsigned which, const char *text, size_t n)
{
    uint64_t number;
    double cores;
    unsigned n_cpus;

    if (which == 0) {
        (void)counters_number(text, n, &number);
    } else if (which == 1) {
        (void)counters_limit(text, n, &number);
    } else if (which == 2) {
        if (counters_cpu_max(text, n, &cores) == 0) {
            assert(cores >= 0);
        }
    } else if (counters_cpu_set(text, n, &n_cpus) == 0) {
        assert(n_cpus <= 65536);
    }
}

static void fuzz_groups(unsigned which, const char *text, size_t n)
{
    const struct counters_devices left_out = {.n = 1, .devices = {{8, 0}}};
    struct counters_cpu cpu;
    struct counters_memory memory;
    struct counters_traffic traffic;

    if (which == 4) {
        (void)counters_cpu_stat(text, n, &cpu);
    } else if (which == 5) {
        (void)counters_memory_stat(text, n, &memory);
    } else if (which == 6) {
        (void)counters_io_stat(text, n, &left_out, &traffic);
    } else {
        (void)counters_blkio(text, n, &left_out, &traffic);
    }
}

static void fuzz_host(unsigned which, const char *text, size_t n)
{
    const struct counters_names only = {.n = 2, .names = {"eth0", "sda"}};
    struct counters_host_memory memory;
    struct counters_host_cpu cpu;
    struct counters_traffic traffic;
    struct counters_disks disks;

    if (which == 8) {
        if (counters_meminfo(text, n, &memory) == 0) {
            assert(memory.available <= memory.total);
        }
    } else if (which == 9) {
        (void)counters_stat(text, n, &cpu);
    } else if (which == 10) {
        (void)counters_net_dev(text, n, &only, false, &traffic);
        (void)counters_net_dev(text, n, NULL, true, &traffic);
    } else {
        (void)counters_disk_stats(text, n, &only, &disks);
        if (counters_disk_stats(text, n, NULL, &disks) == 0) {
            assert(disks.n > 0 && disks.n <= COUNTERS_DISKS_MAX);
        }
    }
}

static void fuzz_process(unsigned which, const char *text, size_t n)
{
    struct counters_process process;
    struct counters_process_memory memory;
    struct counters_traffic traffic;
    uint64_t inodes[4];
    pid_t pids[4];
    size_t n_found = 0, n_hidden;

    if (which == 12) {
        if (counters_process_stat(text, n, &process) == 0) {
            assert(memchr(process.name, '\0', sizeof(process.name)) != NULL);
        }
    } else if (which == 13) {
        (void)counters_process_status(text, n, &memory);
    } else if (which == 14) {
        (void)counters_process_io(text, n, &traffic);
    } else if (which == 15) {
        (void)counters_pids(text, n, pids, 4, &n_found, &n_hidden);
    } else {
        (void)counters_listeners(text, n, 4222, inodes, 4, &n_found);
    }
    assert(n_found <= 4);
}

static void fuzz_events(unsigned which, const char *text, size_t n)
{
    struct counters_pressure pressure;
    uint64_t number;

    if (which == 18) {
        if (counters_pressure(text, n, &pressure) == 0) {
            assert(pressure.some.averages[PRESSURE_10_S] < 101);
        }
    } else if (which == 19) {
        (void)counters_oom_kills(text, n, &number);
    } else {
        (void)counters_max_fds(text, n, &number);
    }
}

/* The text is a mountinfo, and after an empty line a /proc/PID/cgroup. */
static void fuzz_cgroups(const char *text, size_t n)
{
    static struct cgroups cgroups;
    const char *split = n > 1 ? memmem(text, n, "\n\n", 2) : NULL;
    size_t n_mounts = split != NULL ? (size_t)(split - text) + 1 : n;
    char directory[CGROUPS_PATH_BYTES];
    struct cgroups_place place;
    size_t n_levels;

    cgroups.n_mounts = 0;
    cgroups_parse_mounts(text, n_mounts, &cgroups);
    assert(cgroups.n_mounts <= CGROUPS_MOUNTS_MAX);
    for (unsigned i = 0; split != NULL && i < CGROUPS_CONTROLLERS; i++) {
        if (cgroups_parse_place(split + 2, n - n_mounts - 1, i, &place) == 0 &&
            cgroups_resolve(&cgroups, i, &place, directory, &n_levels) == 0) {
            assert(n_levels > 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    unsigned which;
    char *text;

    if (n == 0) {
        return 0;
    }
    which = bytes[0] % 21;
    text = malloc(n > 1 ? n - 1 : 1); /* exactly as long, so that a byte too far is seen */
    if (text == NULL) {
        return 0;
    }
    memcpy(text, bytes + 1, n - 1);
    if (which < 4) {
        fuzz_limits(which, text, n - 1);
    } else if (which < 8) {
        fuzz_groups(which, text, n - 1);
    } else if (which < 12) {
        fuzz_host(which, text, n - 1);
    } else if (which < 17) {
        fuzz_process(which, text, n - 1);
    } else if (which == 17) {
        fuzz_cgroups(text, n - 1);
    } else {
        fuzz_events(which, text, n - 1);
    }
    free(text);
    return 0;
}
