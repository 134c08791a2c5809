/* A target: one broker as the sampler follows it, from its processes to its values. Shell.
 *
 * Who a broker is: its root process, by pid and start time. Whose a counter is: that process and
 * the cgroup's inode, together the `owner` that rate.c compares. A cgroup counts for a broker only
 * when nobody else is known to be in it: not the hierarchy's root, not the agent's own, not another
 * broker's. Else its processes are summed up, and the cgroup still tells the limits. */
#include "agent/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "agent/counters.h"
#include "common/log.h"

/* While a broker is not there, it is looked for so often at first, and so seldom at last when every
 * process has to be looked at for it. */
#define FIND_WAIT_US_MIN SECONDS(1)
#define FIND_WAIT_US_MAX SECONDS(10)

static const char v1_io_file[] = "blkio.throttle.io_service_bytes_recursive";
static const char v1_io_operations_file[] = "blkio.throttle.io_serviced_recursive";

uint64_t target_hash(uint64_t hash, const void *bytes, size_t n)
{
    const uint8_t *byte = bytes;

    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ byte[i]) * 0x100000001b3ULL;
    }
    return hash;
}

static void set_all(struct target *target, enum value_state state)
{
    for (size_t i = 0; i < METRICS; i++) {
        target->values[i] = value_absent(state);
    }
}

void target_init(struct target *target, const struct broker_options *options)
{
    *target = (struct target){.options = options};
    set_all(target, VALUE_GONE);
}

static void close_files(struct target *target)
{
    target->has_limits = false;
    cpu_close(&target->cpu);
    memory_close(&target->memory);
    pressure_close(&target->pressure);
    held_close(&target->io);
    held_close(&target->io_operations);
    held_close(&target->network);
}

void target_lose(struct target *target)
{
    close_files(target);
    family_close(&target->family);
    for (size_t i = 0; i < CGROUPS_CONTROLLERS; i++) {
        chain_close(&target->chains[i]);
    }
    target->is_found = false;
    set_all(target, VALUE_GONE);
}

void target_done(struct target *target)
{
    target_lose(target);
    match_processes_done(&target->processes);
}

/* Say once that a broker came or went; `r` is what looking for it gave. */
static void say(struct target *target, int r)
{
    if (target->was_said && target->said_found == target->is_found) {
        return;
    }
    if (target->is_found) {
        log_event(LOG_INFO, "broker_found", log_text("broker", target->options->id),
                  log_number("pid", target->root.pid));
    } else {
        log_event(LOG_WARN, "broker_not_running", log_text("broker", target->options->id),
                  log_text(r == -ENOTUNIQ ? "why" : NULL,
                           "several other containers of the pod could be it"));
    }
    target->was_said = true;
    target->said_found = target->is_found;
}

static uint64_t incarnation_of(const struct match_process *root, uint64_t boot_hash)
{
    uint64_t hash = target_hash(boot_hash, &root->start_ticks, sizeof(root->start_ticks));

    hash = target_hash(hash, &root->pid, sizeof(root->pid));
    return hash != 0 ? hash : 1;
}

/* Read /proc/PID/cgroup; a kernel without cgroups has none. */
static void read_places(struct target *target, struct surroundings *around)
{
    char path[HELD_PATH_BYTES];

    (void)snprintf(path, sizeof(path), "%d/cgroup", (int)target->root.pid);
    if (reader_once(&around->reader, around->proc_fd, path) < 0) {
        around->reader.n = 0;
    }
}

/* A cgroup can be removed when the last in it is ending, and its file goes on to tell the name. */
static bool is_cgroup_removed(const struct reader *reader)
{
    struct cgroups_place place;

    for (unsigned i = 0; i < CGROUPS_CONTROLLERS; i++) {
        if (cgroups_parse_place(reader->bytes, reader->n, i, &place) == -ENODEV) {
            return true;
        }
    }
    return false;
}

static void open_chains(struct target *target, struct surroundings *around)
{
    char within[CGROUPS_PATH_BYTES];

    match_cgroup(&target->options->match, around->reader.bytes, around->reader.n, within);
    chain_open_all(target->chains, around->cgroups, around->proc_fd, target->root.pid,
                   around->reader.bytes, around->reader.n, within);
}

/* Which network namespace the broker is in. */
static void identify_network(struct target *target, const struct surroundings *around)
{
    char path[HELD_PATH_BYTES];

    (void)snprintf(path, sizeof(path), "%d/net/dev", (int)target->root.pid);
    if (fstatat(around->proc_fd, path, &target->network_identity, 0) < 0) {
        target->network_scope = TARGET_NETWORK_UNKNOWN;
        target->network_error = held_state(-errno);
    } else {
        target->network_scope = TARGET_NETWORK_SHARED;
    }
}

static bool is_same_process(const struct match_process *a, const struct match_process *b)
{
    return a->pid == b->pid && a->start_ticks == b->start_ticks;
}

/* Only a cgroup's or container's processes are all the broker's; of others that match, the root is,
 * and what comes from it. */
static void keep_root(struct target *target, const struct match_process *root)
{
    if (!match_is_whole(&target->options->match)) {
        target->processes.list[0] = *root;
        target->processes.n = 1;
    }
}

/* Follow `root` from now on. */
static void follow(struct target *target, const struct match_process *root,
                   struct surroundings *around)
{
    uint64_t places_hash;

    if (target->is_found && !is_same_process(&target->root, root)) {
        target_lose(target);
    }
    target->root = *root;
    target->incarnation = incarnation_of(root, around->boot_hash);
    identify_network(target, around);
    read_places(target, around);
    if (is_cgroup_removed(&around->reader)) {
        target_lose(target);
        return;
    }
    places_hash = target_hash(1, around->reader.bytes, around->reader.n);
    if (target->is_found && places_hash == target->places_hash) {
        return;
    }
    target->places_hash = places_hash;
    close_files(target);
    open_chains(target, around);
    target->is_found = true;
    around->n_discoveries++;
}

/* When to look again for what was not found. */
static void wait_for(struct target *target, time_us now_us)
{
    const time_us longest_us = match_needs_scan(&target->options->match) ? FIND_WAIT_US_MAX
                                                                         : FIND_WAIT_US_MIN;

    target->find_wait_us = CLAMP(2 * target->find_wait_us, FIND_WAIT_US_MIN, longest_us);
    target->find_at_us = now_us + target->find_wait_us;
}

bool target_is_due(const struct target *target, time_us now_us)
{
    return !target->is_found && now_us >= target->find_at_us;
}

void target_find(struct target *target, time_us now_us, struct surroundings *around)
{
    struct match_view view = {
        .proc_fd = around->proc_fd,
        .cgroups = around->cgroups,
        .bytes = around->reader.bytes,
        .size = around->reader.size,
        .all = &around->all,
    };
    struct match_process root;
    int r;

    if (target->is_found && match_stays(&target->options->match, &view, &target->root)) {
        root = target->root;
        target->processes.n = 1; /* the root, and its descendants when they are asked for */
        r = 0;
    } else {
        r = match_find(&target->options->match, &view, &target->processes, &root);
    }
    if (r < 0) {
        target_lose(target);
        wait_for(target, now_us);
        if (r == -EACCES) {
            set_all(target, VALUE_DENIED); /* it may run where we must not look */
        }
    } else {
        keep_root(target, &root);
        follow(target, &root, around);
        target->find_wait_us = 0;
        target->find_at_us = 0;
    }
    say(target, r);
}

static bool is_shared_with_target(const struct target *target, enum cgroups_controller controller,
                                  const struct target *targets, size_t n_targets)
{
    for (size_t i = 0; i < n_targets; i++) {
        if (&targets[i] != target && targets[i].is_found &&
            chain_is_same(&targets[i].chains[controller], &target->chains[controller])) {
            return true;
        }
    }
    return false;
}

static bool is_same_namespace(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_network_shared(const struct target *target, const struct target *targets,
                              size_t n_targets, const struct surroundings *around)
{
    if (around->has_host_network &&
        is_same_namespace(&target->network_identity, &around->host_network)) {
        return true;
    }
    for (size_t i = 0; i < n_targets; i++) {
        if (&targets[i] != target && targets[i].is_found &&
            targets[i].network_scope != TARGET_NETWORK_UNKNOWN &&
            is_same_namespace(&targets[i].network_identity, &target->network_identity)) {
            return true;
        }
    }
    return false;
}

void target_share(struct target *target, const struct target *targets, size_t n_targets,
                  const struct surroundings *around)
{
    bool is_changed = false;

    for (unsigned i = 0; i < CGROUPS_CONTROLLERS; i++) {
        struct chain *chain = &target->chains[i];
        bool is_own = chain->is_seen && !chain->is_root &&
                      !chain_is_same(chain, &around->agent_chains[i]) &&
                      !is_shared_with_target(target, i, targets, n_targets);

        is_changed = is_changed || is_own != chain->is_own;
        chain->is_own = is_own;
    }
    if (is_changed) {
        close_files(target);
    }
    if (target->network_scope != TARGET_NETWORK_UNKNOWN) {
        target->network_scope = is_network_shared(target, targets, n_targets, around)
                                    ? TARGET_NETWORK_SHARED
                                    : TARGET_NETWORK_OWN;
    }
}

/* Whether the cgroup counts bytes at all: v1's throttle files stay without a device on newer
 * kernels until a rule exists, and v2's are not there unless the controller is enabled. */
static bool counts_io(const struct chain *chain, struct surroundings *around)
{
    struct reader *reader = &around->reader;
    struct counters_traffic traffic;

    if (!chain->is_own) {
        return false;
    }
    if (chain->is_v2) {
        return chain_read(chain, 0, "io.stat", reader) == 0;
    }
    return chain_read(chain, 0, v1_io_file, reader) == 0 &&
           counters_blkio(reader->bytes, reader->n, &around->host->stacked, &traffic) == 0;
}

static void hold_io(struct target *target, struct surroundings *around)
{
    const struct chain *chain = &target->chains[CGROUPS_IO];

    target->is_io_of_cgroup = counts_io(chain, around);
    if (!target->is_io_of_cgroup) {
        held_close(&target->io);
        held_close(&target->io_operations);
    } else if (!target->io.is_wanted) {
        chain_hold(chain, 0, chain->is_v2 ? "io.stat" : v1_io_file, &target->io);
        if (!chain->is_v2) {
            chain_hold(chain, 0, v1_io_operations_file, &target->io_operations);
        }
    }
}

static void hold_network(struct target *target, struct surroundings *around)
{
    char path[HELD_PATH_BYTES];

    if (target->network_scope != TARGET_NETWORK_OWN) {
        held_close(&target->network);
    } else if (!target->network.is_wanted) {
        (void)snprintf(path, sizeof(path), "%d/net/dev", (int)target->root.pid);
        held_open(&target->network, around->proc_fd, path, false);
    }
}

/* Take over which processes there are. */
static void hold_family(struct target *target, struct surroundings *around)
{
    struct family_wants wants = {
        .cpu = !target->chains[CGROUPS_CPUACCT].is_own,
        .memory = !target->chains[CGROUPS_MEMORY].is_own,
        .io = !target->is_io_of_cgroup,
    };
    struct match_view view = {
        .proc_fd = around->proc_fd,
        .bytes = around->reader.bytes,
        .size = around->reader.size,
        .all = &around->all,
    };

    if (!match_is_whole(&target->options->match) && (wants.cpu || wants.memory || wants.io)) {
        (void)match_descendants(&view, &target->processes);
    }
    family_set(&target->family, &target->root, &target->processes, around->proc_fd, wants,
               &around->reader, &target->cpu.process_rate, &target->io_rate);
}

void target_hold(struct target *target, struct surroundings *around)
{
    hold_io(target, around);
    hold_family(target, around);
    target->cpu.quota = &target->chains[CGROUPS_CPU];
    target->cpu.usage = &target->chains[CGROUPS_CPUACCT];
    target->cpu.cpuset = &target->chains[CGROUPS_CPUSET];
    target->memory.chain = &target->chains[CGROUPS_MEMORY];
    pressure_hold(&target->pressure, &target->chains[CGROUPS_UNIFIED]);
    hold_network(target, around);
    if (!target->has_limits) {
        target_refresh(target, around);
    }
}

void target_refresh(struct target *target, struct surroundings *around)
{
    target->has_limits = true;
    cpu_refresh(&target->cpu, &around->reader);
    memory_refresh(&target->memory, around->host->values[METRIC_MEMORY_LIMIT_BYTES],
                   &around->reader);
    pressure_retry(&target->pressure);
    descriptors_refresh(&target->descriptors, around->proc_fd, target->root.pid, &around->reader);
    family_retry(&target->family);
    held_retry(&target->io);
    held_retry(&target->io_operations);
    held_retry(&target->network);
}

/* Whose the counters of a chain are. */
static uint64_t owner_of(const struct target *target, const struct chain *chain, bool is_of_cgroup)
{
    uint64_t hash = target->incarnation;

    if (is_of_cgroup) {
        hash = target_hash(hash, &chain->identity.st_ino, sizeof(chain->identity.st_ino));
    }
    return hash;
}

/* Take the outcome of reading bytes in and out into its rate and two values. */
static void step_traffic(struct rate *rate, time_us now_us, uint64_t owner, int r,
                         const struct counters_traffic *traffic, uint64_t *n_resets,
                         struct value *ret_in, struct value *ret_out)
{
    if (r < 0) {
        rate_miss(rate, held_state(r));
    } else {
        const uint64_t counts[] = {traffic->in_bytes, traffic->out_bytes};

        *n_resets += rate_step(rate, now_us, owner, counts, 2);
    }
    *ret_in = rate_per_second(rate, 0);
    *ret_out = rate_per_second(rate, 1);
}

/* Operations are in v2's file with the bytes, and in one of their own on v1; processes do not know
 * what became of theirs. A reset of them is one of the bytes, and counted there. */
static void take_io_operations(struct target *target, time_us now_us, uint64_t owner, int r,
                               struct counters_traffic *traffic, struct surroundings *around)
{
    struct reader *reader = &around->reader;
    struct rate *rate = &target->io_operation_rate;
    uint64_t n_resets = 0;

    if (!target->is_io_of_cgroup) {
        r = -EOPNOTSUPP;
    } else if (r == 0 && !target->chains[CGROUPS_IO].is_v2) {
        r = reader_held(reader, &target->io_operations);
        if (r == 0) {
            r = reader_parsed(
                reader, counters_blkio(reader->bytes, reader->n, &around->host->stacked, traffic));
        }
    } else {
        traffic->in_bytes = traffic->in_operations;
        traffic->out_bytes = traffic->out_operations;
    }
    step_traffic(rate, now_us, owner, r, traffic, &n_resets,
                 &target->values[METRIC_DISK_READS_PER_S],
                 &target->values[METRIC_DISK_WRITES_PER_S]);
}

static int take_io(struct target *target, time_us now_us, struct surroundings *around)
{
    const struct chain *chain = &target->chains[CGROUPS_IO];
    struct reader *reader = &around->reader;
    uint64_t owner = owner_of(target, chain, target->is_io_of_cgroup);
    struct counters_traffic traffic = {0};
    int r;

    if (target->is_io_of_cgroup) {
        r = reader_held(reader, &target->io);
        if (r == -ENODEV) {
            return r;
        }
        if (r == 0) {
            r = reader_parsed(reader,
                              (chain->is_v2 ? counters_io_stat : counters_blkio)(
                                  reader->bytes, reader->n, &around->host->stacked, &traffic));
        }
    } else {
        r = family_io(&target->family, reader, &traffic);
    }
    step_traffic(&target->io_rate, now_us, owner, r, &traffic, &around->n_resets,
                 &target->values[METRIC_DISK_READ_BYTES_PER_S],
                 &target->values[METRIC_DISK_WRITE_BYTES_PER_S]);
    take_io_operations(target, now_us, owner, r, &traffic, around);
    return r == -ENODEV ? r : 0;
}

static void take_space(struct target *target)
{
    const char *directory = target->options->data_directory;

    if (directory == NULL || directory[0] == '\0') {
        host_miss_space(VALUE_UNCONFIGURED, target->values);
    } else {
        host_space(directory, target->values);
    }
}

/* What is known of its root process alone; and what is told of the host alone. */
static void take_process(struct target *target)
{
    struct value *values = target->values;

    values[METRIC_OPEN_FDS] = target->descriptors.n_open;
    values[METRIC_MAX_FDS] = target->descriptors.n_max;
    values[METRIC_THREADS] = value_of((double)target->family.members[0].n_threads);
    values[METRIC_MEMORY_AVAILABLE_BYTES] = value_absent(VALUE_UNKNOWN);
    values[METRIC_DISK_BUSY_RATIO] = value_absent(VALUE_UNKNOWN);
    values[METRIC_DISK_LATENCY_SECONDS] = value_absent(VALUE_UNKNOWN);
}

static void take_network(struct target *target, time_us now_us, struct surroundings *around)
{
    struct reader *reader = &around->reader;
    struct counters_traffic traffic = {0};
    enum value_state why = VALUE_SHARED;
    int r;

    target->values[METRIC_NET_SPEED_BYTES_PER_S] =
        target->options->network_bytes_per_s > 0
            ? value_of((double)target->options->network_bytes_per_s)
            : around->host->speed;
    if (target->network_scope != TARGET_NETWORK_OWN) {
        if (target->network_scope == TARGET_NETWORK_UNKNOWN) {
            why = target->network_error;
        }
        target->values[METRIC_NET_RX_BYTES_PER_S] = value_absent(why);
        target->values[METRIC_NET_TX_BYTES_PER_S] = value_absent(why);
        return;
    }
    r = reader_held(reader, &target->network);
    if (r == 0) {
        r = reader_parsed(reader,
                          counters_net_dev(reader->bytes, reader->n, NULL, false, &traffic));
    }
    step_traffic(&target->network_rate, now_us,
                 target_hash(target->incarnation, &traffic.members, sizeof(traffic.members)), r,
                 &traffic, &around->n_resets, &target->values[METRIC_NET_RX_BYTES_PER_S],
                 &target->values[METRIC_NET_TX_BYTES_PER_S]);
}

int target_take(struct target *target, time_us now_us, struct surroundings *around)
{
    const struct chain *usage = &target->chains[CGROUPS_CPUACCT];
    struct reader *reader = &around->reader;
    int r;

    /* First of all: a held net/dev would read on after the process has ended. */
    r = family_check(&target->family, reader);
    if (r == -ENODEV) {
        return r;
    }
    if (r < 0) {
        set_all(target, held_state(r));
        return 0;
    }
    r = cpu_take(&target->cpu, &target->family, now_us, owner_of(target, usage, usage->is_own),
                 around->host->values[METRIC_CPU_LIMIT_CORES], reader, &around->n_resets,
                 target->values);
    if (r < 0) {
        return r;
    }
    r = memory_take(&target->memory, &target->family,
                    around->host->values[METRIC_MEMORY_LIMIT_BYTES], reader, target->values);
    if (r < 0) {
        return r;
    }
    r = take_io(target, now_us, around);
    if (r < 0) {
        return r;
    }
    r = pressure_take(&target->pressure, now_us,
                      owner_of(target, &target->chains[CGROUPS_UNIFIED], true), reader,
                      &around->host->was_pressure_said, &around->n_resets, target->values);
    if (r < 0) {
        return r;
    }
    take_space(target);
    take_process(target);
    take_network(target, now_us, around);
    return 0;
}
