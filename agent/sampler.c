/* The sampler: what the kernel says of this host and its brokers, as values of a report. Shell.
 *
 * One beat reads; in longer beats limits are read again (a container can be resized while it runs)
 * and brokers are looked for again (processes come and go). A broker that is found gone while it is
 * read is looked for at once, so that a restart costs its rates one interval, and no more. */
#include "agent/sampler.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/environment.h"
#include "agent/host.h"
#include "agent/target.h"
#include "common/cleanup.h"

#define REFRESH_INTERVAL_US SECONDS(5)
#define FIND_INTERVAL_US    SECONDS(10)

/* Room for one file: /proc/net/dev of a host with two thousand interfaces, /proc/stat of one with
 * thousands of interrupts. Touched only as far as files are long. */
#define READER_BYTES (256 << 10)

struct sampler {
    const struct agent_config *config;
    bool was_taken;
    time_us taken_at_us, refreshed_at_us, found_at_us;
    time_us refresh_credit_us; /* a broker's limits are looked at for each REFRESH_INTERVAL_US */
    size_t refresh_next;       /* the broker whose turn it is */
    uint64_t n_samples, n_library_errors;
    struct host host;
    struct environment environment;
    struct surroundings around;
    size_t n_targets;
    struct target *targets;
};

static int open_root(const char *path, const char *sibling)
{
    char whole[CGROUPS_PATH_BYTES];
    int n = snprintf(whole, sizeof(whole), "%s%s", path, sibling);

    if (n < 0 || (size_t)n >= sizeof(whole)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(whole, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static uint64_t read_boot_hash(struct surroundings *around)
{
    struct reader *reader = &around->reader;

    return reader_once(reader, around->proc_fd, "sys/kernel/random/boot_id") == 0
               ? target_hash(1, reader->bytes, reader->n)
               : 1;
}

void sampler_free(struct sampler *sampler)
{
    if (sampler == NULL) {
        return;
    }
    for (size_t i = 0; i < sampler->n_targets; i++) {
        target_done(&sampler->targets[i]);
    }
    for (size_t i = 0; i < CGROUPS_CONTROLLERS; i++) {
        chain_close(&sampler->around.agent_chains[i]);
    }
    host_close(&sampler->host);
    match_processes_done(&sampler->around.all);
    cleanup_close_fd(&sampler->around.proc_fd);
    cleanup_close_fd(&sampler->around.sys_fd);
    free(sampler->around.cgroups);
    free(sampler->around.reader.bytes);
    free(sampler->targets);
    free(sampler);
}

static int allocate(struct sampler *sampler)
{
    struct surroundings *around = &sampler->around;
    const struct broker_options *brokers = sampler->config->brokers.elements;
    size_t n = sampler->config->brokers.n;

    around->reader.bytes = malloc(READER_BYTES);
    around->reader.size = READER_BYTES;
    around->cgroups = calloc(1, sizeof(*around->cgroups));
    sampler->targets = calloc(n > 0 ? n : 1, sizeof(*sampler->targets));
    if (around->reader.bytes == NULL || around->cgroups == NULL || sampler->targets == NULL) {
        return -ENOMEM;
    }
    sampler->n_targets = n;
    for (size_t i = 0; i < n; i++) {
        target_init(&sampler->targets[i], &brokers[i]);
    }
    return 0;
}

int sampler_new(const struct agent_config *config, struct sampler **ret_sampler)
{
    struct sampler *sampler = calloc(1, sizeof(*sampler));
    int r;

    if (sampler == NULL) {
        return -ENOMEM;
    }
    sampler->config = config;
    sampler->around.host = &sampler->host;
    sampler->around.proc_fd = open_root(config->proc_root, "");
    sampler->around.sys_fd = open_root(config->proc_root, "/../sys");
    r = sampler->around.proc_fd < 0 ? -ENOENT : allocate(sampler);
    if (r < 0) {
        sampler_free(sampler);
        return r;
    }
    host_open(&sampler->host, sampler->around.proc_fd, sampler->around.sys_fd);
    sampler->around.boot_hash = read_boot_hash(&sampler->around);
    *ret_sampler = sampler;
    return 0;
}

/* Only the first pid namespace has the kernel's own threads; their parent is process 2. */
static bool is_first_pid_namespace(struct surroundings *around)
{
    static const char kthreadd[] = "2 (kthreadd) ";

    return reader_once(&around->reader, around->proc_fd, "2/stat") == 0 &&
           around->reader.n > sizeof(kthreadd) &&
           memcmp(around->reader.bytes, kthreadd, sizeof(kthreadd) - 1) == 0;
}

/* Which network namespace is the host's. Process 1's is, unless the agent is in a pid namespace or
 * shares process 1's network and knows that it is not the host's: a pod's. */
static void find_host_network(struct surroundings *around)
{
    const int is_host = environment_network(around->proc_fd);
    struct stat *host = &around->host_network;

    if (is_host < 0) {
        around->has_host_network = fstatat(around->proc_fd, "1/net/dev", host, 0) == 0 ||
                                   fstatat(around->proc_fd, "net/dev", host, 0) == 0;
    } else if (is_host > 0) {
        around->has_host_network = fstatat(around->proc_fd, "net/dev", host, 0) == 0;
    } else {
        around->has_host_network = is_first_pid_namespace(around) &&
                                   fstatat(around->proc_fd, "1/net/dev", host, 0) == 0;
    }
    around->is_host_network_hidden = is_host == 0 && !around->has_host_network;
}

/* Where the agent itself is: a cgroup that it is in too is not a broker's own. */
static void find_self(struct surroundings *around)
{
    if (reader_once(&around->reader, around->proc_fd, "self/cgroup") < 0) {
        around->reader.n = 0;
    }
    for (unsigned i = 0; i < CGROUPS_CONTROLLERS; i++) {
        chain_open(&around->agent_chains[i], around->cgroups, i, around->reader.bytes,
                   around->reader.n, "");
    }
    find_host_network(around);
}

static void look_around(struct sampler *sampler)
{
    cleanup_close int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    const struct environment_view view = {
        .root_fd = root_fd,
        .proc_fd = sampler->around.proc_fd,
        .has_kubernetes_variable = getenv("KUBERNETES_SERVICE_HOST") != NULL,
        .cgroups = sampler->around.cgroups,
    };

    environment_detect(&view, &sampler->environment);
}

static void discover(struct sampler *sampler)
{
    cgroups_discover(sampler->around.cgroups, sampler->config->proc_root,
                     sampler->config->cgroup_root != NULL ? sampler->config->cgroup_root : "",
                     &sampler->n_library_errors);
    find_self(&sampler->around);
    if (!sampler->was_taken) {
        look_around(sampler);
    }
}

static bool is_any_due(const struct sampler *sampler, time_us now_us)
{
    for (size_t i = 0; i < sampler->n_targets; i++) {
        if (target_is_due(&sampler->targets[i], now_us)) {
            return true;
        }
    }
    return false;
}

/* Look for the brokers that are due, or for all; then, as all are known, decide who shares what
 * with whom. Processes are listed once for all of them. */
static void find(struct sampler *sampler, time_us now_us, bool is_for_all)
{
    struct surroundings *around = &sampler->around;

    around->all.n = 0;
    if (is_for_all) {
        sampler->found_at_us = now_us;
    }
    if (is_any_due(sampler, now_us) || !sampler->was_taken) {
        discover(sampler);
    }
    for (size_t i = 0; i < sampler->n_targets; i++) {
        struct target *target = &sampler->targets[i];

        if (target_is_due(target, now_us) || (is_for_all && target->is_found)) {
            target_find(target, now_us, around);
        }
    }
    for (size_t i = 0; i < sampler->n_targets; i++) {
        if (sampler->targets[i].is_found) {
            target_share(&sampler->targets[i], sampler->targets, sampler->n_targets, around);
            target_hold(&sampler->targets[i], around);
        }
    }
}

/* Look at the limits of each broker in turn, so that the work of many is spread over the beats. */
static void refresh_some(struct sampler *sampler, time_us now_us)
{
    const time_us since_us = MIN(now_us - sampler->taken_at_us, REFRESH_INTERVAL_US);

    sampler->refresh_credit_us += (time_us)sampler->n_targets * since_us;
    for (; sampler->refresh_credit_us >= REFRESH_INTERVAL_US;
         sampler->refresh_credit_us -= REFRESH_INTERVAL_US) {
        struct target *target = &sampler->targets[sampler->refresh_next];

        sampler->refresh_next = (sampler->refresh_next + 1) % sampler->n_targets;
        if (target->is_found) {
            target_refresh(target, &sampler->around);
        }
    }
}

/* Read every broker that is found. Returns whether one is no more. */
static bool take_all(struct sampler *sampler, time_us now_us)
{
    bool is_lost = false;

    for (size_t i = 0; i < sampler->n_targets; i++) {
        struct target *target = &sampler->targets[i];

        if (target->is_found && target_take(target, now_us, &sampler->around) < 0) {
            target_lose(target);
            is_lost = true;
        }
    }
    return is_lost;
}

static void look_again(struct sampler *sampler, time_us now_us)
{
    const bool is_for_all = !sampler->was_taken ||
                            now_us - sampler->found_at_us >= FIND_INTERVAL_US;

    if (is_for_all || is_any_due(sampler, now_us)) {
        find(sampler, now_us, is_for_all);
    }
    if (sampler->was_taken) {
        refresh_some(sampler, now_us);
    }
}

/* A pod's traffic is not the host's. */
static void hide_host_network(struct host *host)
{
    host->values[METRIC_NET_RX_BYTES_PER_S] = value_absent(VALUE_DENIED);
    host->values[METRIC_NET_TX_BYTES_PER_S] = value_absent(VALUE_DENIED);
}

void sampler_take(struct sampler *sampler, time_us now_us)
{
    sampler->n_samples++;
    if (!sampler->was_taken || now_us - sampler->refreshed_at_us >= REFRESH_INTERVAL_US) {
        sampler->refreshed_at_us = now_us;
        host_refresh(&sampler->host, &sampler->around.reader);
    }
    host_take(&sampler->host, now_us, &sampler->around.reader);
    if (sampler->around.is_host_network_hidden) {
        hide_host_network(&sampler->host);
    }
    look_again(sampler, now_us);
    sampler->was_taken = true;
    sampler->taken_at_us = now_us;
    if (take_all(sampler, now_us)) {
        find(sampler, now_us, true);
        (void)take_all(sampler, now_us); /* those read already hold their values */
    }
}

void sampler_host(const struct sampler *sampler, struct value ret_values[METRICS])
{
    memcpy(ret_values, sampler->host.values, sizeof(sampler->host.values));
}

void sampler_broker(const struct sampler *sampler, size_t index, struct broker_load *broker)
{
    const struct target *target = &sampler->targets[index];

    assert(index < sampler->n_targets);
    broker->state = target->is_found ? BROKER_UP : BROKER_DOWN;
    broker->incarnation = target->incarnation;
    memcpy(broker->values, target->values, sizeof(target->values));
}

void sampler_environment(const struct sampler *sampler, struct environment *ret_environment)
{
    *ret_environment = sampler->environment;
}

void sampler_statistics(const struct sampler *sampler, struct sampler_statistics *ret_statistics)
{
    const struct surroundings *around = &sampler->around;

    *ret_statistics = (struct sampler_statistics){
        .n_samples = sampler->n_samples,
        .n_read_errors = around->reader.n_read_errors,
        .n_parse_errors = around->reader.n_parse_errors,
        .n_resets = around->n_resets + sampler->host.n_resets,
        .n_discoveries = around->n_discoveries,
        .n_cgroup_library_errors = sampler->n_library_errors,
    };
}
