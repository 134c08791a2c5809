/* Cases of the sampler: kernel files in, numbers out.
 *
 * `sampler_cases FILE` reads a JSON list of cases ({"id", "title", "files", "times_s", "expect"}),
 * plays each through the agent's sampler over trees of files, and prints a line a case. What a case
 * is about is told by the names of its files and by what it expects, never by its id. A name that
 * is not known fails the case: nothing passes unseen.
 *
 * `files`: a text, or one for each time. `expect`: a number (within 0.5 %, or half a unit of the
 * last decimal given), null for absent, a list for one of these a sample. "naive_…" and
 * "seed_would_give_…" are what must not come out. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/cgroup.h"
#include "agent/counters.h"
#include "agent/held.h"
#include "agent/rate.h"
#include "aggregator/rank.h"
#include "common/cleanup.h"
#include "tests/unit/case_stage.h"

#define BYTES_MAX (8 << 20)

/* The case that is played. */
static const char *case_id, *case_title;
static unsigned n_complaints;
static struct stage stage;
static char log_text_of_case[65536];

__attribute__((format(printf, 2, 3))) static void complain(const char *key, const char *format, ...)
{
    va_list arguments;

    n_complaints++;
    (void)printf("FAILED %s %s: ", case_id, key);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)printf("\n");
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static yajl_val member(yajl_val object, const char *name)
{
    for (size_t i = 0; YAJL_IS_OBJECT(object) && i < object->u.object.len; i++) {
        if (strcmp(object->u.object.keys[i], name) == 0) {
            return object->u.object.values[i];
        }
    }
    return NULL;
}

/* -- Comparing -- */

static const char *string_of(yajl_val value)
{
    return YAJL_IS_STRING(value) ? value->u.string : "";
}

static const char *number_of(yajl_val value)
{
    return YAJL_IS_NUMBER(value) ? value->u.number.r : "no number";
}

/* Half a unit of the last decimal, when there are decimals. */
static double tolerance_of(const char *text)
{
    double number = fabs(strtod(text, NULL));
    const char *point = strchr(text, '.');
    double half_unit = point != NULL ? 0.5 * pow(10, -(double)strspn(point + 1, "0123456789")) : 0;

    return fmax(0.005 * number, half_unit) * (1 + 1e-9) + 1e-9;
}

static bool is_near(double got, const char *want)
{
    return fabs(got - strtod(want, NULL)) <= tolerance_of(want);
}

static void show(struct value value, char text[64])
{
    if (value_is_present(value)) {
        (void)snprintf(text, 64, "%.10g", value.number);
    } else {
        (void)snprintf(text, 64, "null (%s)", value_state_name(value.state));
    }
}

static void check_value(const char *key, struct value got, yajl_val want)
{
    char text[64];

    show(got, text);
    if (YAJL_IS_NULL(want)) {
        if (value_is_present(got)) {
            complain(key, "got %s, want null", text);
        }
    } else if (!YAJL_IS_NUMBER(want)) {
        complain(key, "cannot compare %s with what is wanted", text);
    } else if (!value_is_present(got) || !is_near(got.number, number_of(want))) {
        complain(key, "got %s, want %s", text, number_of(want));
    }
}

static void check_text(const char *key, const char *got, yajl_val want)
{
    if (YAJL_IS_NULL(want)
            ? got != NULL
            : !YAJL_IS_STRING(want) || got == NULL || strcmp(got, string_of(want)) != 0) {
        complain(key, "got %s, want %s", got != NULL ? got : "null",
                 YAJL_IS_STRING(want) ? string_of(want) : "null");
    }
}

static void check_flag(const char *key, bool got, yajl_val want)
{
    if (got ? !YAJL_IS_TRUE(want) : !YAJL_IS_FALSE(want)) {
        complain(key, "got %s, want %s", got ? "true" : "false",
                 YAJL_IS_TRUE(want) ? "true" : "other");
    }
}

static void check_count(const char *key, uint64_t got, yajl_val want)
{
    if (!YAJL_IS_INTEGER(want) || (uint64_t)YAJL_GET_INTEGER(want) != got) {
        complain(key, "got %llu, want %s", (unsigned long long)got,
                 YAJL_IS_NUMBER(want) ? number_of(want) : "no number");
    }
}

/* -- Numbers of a sample -- */

/* Whose value a key means. Of memory, pressure and network it is what the case has files of: the
 * broker's cgroup and process, or the host. */
enum whose { OF_BROKER, OF_HOST, OF_MEMORY, OF_PRESSURE, OF_NETWORK };

static const struct measure {
    const char *key;
    enum whose whose;
    enum metric metric;
    double factor;
} measures[] = {
    {"cpu_cores", OF_BROKER, METRIC_CPU_CORES, 1},
    {"cpu_limit_cores", OF_BROKER, METRIC_CPU_LIMIT_CORES, 1},
    {"cpu_ratio", OF_BROKER, METRIC_CPU_RATIO, 1},
    {"cpu_pct", OF_BROKER, METRIC_CPU_RATIO, 100},
    {"throttled_ratio", OF_BROKER, METRIC_CPU_THROTTLED_RATIO, 1},
    {"throttled_pct", OF_BROKER, METRIC_CPU_THROTTLED_RATIO, 100},
    {"throttled_ms_per_s", OF_BROKER, METRIC_CPU_THROTTLED_SECONDS_PER_S, 1000},
    {"host_cpu_cores", OF_HOST, METRIC_CPU_CORES, 1},
    {"host_cpu_busy_pct", OF_HOST, METRIC_CPU_RATIO, 100},
    {"host_cpus", OF_HOST, METRIC_CPU_LIMIT_CORES, 1},
    {"mem_limit", OF_MEMORY, METRIC_MEMORY_LIMIT_BYTES, 1},
    {"mem_used", OF_MEMORY, METRIC_MEMORY_BYTES, 1},
    {"mem_nocache", OF_MEMORY, METRIC_MEMORY_BYTES, 1},
    {"mem_nocache_pct", OF_MEMORY, METRIC_MEMORY_RATIO, 100},
    {"mem_working_set", OF_MEMORY, METRIC_MEMORY_WORKING_SET_BYTES, 1},
    {"mem_working_set_pct", OF_MEMORY, METRIC_MEMORY_WORKING_SET_RATIO, 100},
    {"mem_available", OF_HOST, METRIC_MEMORY_AVAILABLE_BYTES, 1},
    {"mem_available_kb", OF_HOST, METRIC_MEMORY_AVAILABLE_BYTES, 1.0 / 1024},
    {"mem_swap", OF_MEMORY, METRIC_SWAP_BYTES, 1},
    {"swap_used", OF_MEMORY, METRIC_SWAP_BYTES, 1},
    {"swap_bytes", OF_MEMORY, METRIC_SWAP_BYTES, 1},
    {"oom_kills", OF_MEMORY, METRIC_OOM_KILLS, 1},
    {"oom_kill", OF_MEMORY, METRIC_OOM_KILLS, 1},
    {"io_r_Bps", OF_BROKER, METRIC_DISK_READ_BYTES_PER_S, 1},
    {"io_w_Bps", OF_BROKER, METRIC_DISK_WRITE_BYTES_PER_S, 1},
    {"io_r_iops", OF_BROKER, METRIC_DISK_READS_PER_S, 1},
    {"io_w_iops", OF_BROKER, METRIC_DISK_WRITES_PER_S, 1},
    {"disk_r_Bps", OF_HOST, METRIC_DISK_READ_BYTES_PER_S, 1},
    {"disk_w_Bps", OF_HOST, METRIC_DISK_WRITE_BYTES_PER_S, 1},
    {"disk_r_iops", OF_HOST, METRIC_DISK_READS_PER_S, 1},
    {"disk_w_iops", OF_HOST, METRIC_DISK_WRITES_PER_S, 1},
    {"disk_util_pct", OF_HOST, METRIC_DISK_BUSY_RATIO, 100},
    {"disk_latency_ms", OF_HOST, METRIC_DISK_LATENCY_SECONDS, 1000},
    {"disk_await_ms", OF_HOST, METRIC_DISK_LATENCY_SECONDS, 1000},
    {"space_total", OF_BROKER, METRIC_DISK_TOTAL_BYTES, 1},
    {"space_used", OF_BROKER, METRIC_DISK_USED_BYTES, 1},
    {"space_avail", OF_BROKER, METRIC_DISK_AVAILABLE_BYTES, 1},
    {"inodes_total", OF_BROKER, METRIC_INODES_TOTAL, 1},
    {"inodes_used", OF_BROKER, METRIC_INODES_USED, 1},
    {"net_rx_Bps", OF_NETWORK, METRIC_NET_RX_BYTES_PER_S, 1},
    {"net_tx_Bps", OF_NETWORK, METRIC_NET_TX_BYTES_PER_S, 1},
    {"host_net_rx_Bps", OF_HOST, METRIC_NET_RX_BYTES_PER_S, 1},
    {"host_net_tx_Bps", OF_HOST, METRIC_NET_TX_BYTES_PER_S, 1},
    {"net_speed_Bps", OF_NETWORK, METRIC_NET_SPEED_BYTES_PER_S, 1},
    {"psi_cpu_some_pct", OF_PRESSURE, METRIC_CPU_PRESSURE_SOME_RATIO, 100},
    {"psi_cpu_full_pct", OF_PRESSURE, METRIC_CPU_PRESSURE_FULL_RATIO, 100},
    {"psi_memory_some_pct", OF_PRESSURE, METRIC_MEMORY_PRESSURE_SOME_RATIO, 100},
    {"psi_memory_full_pct", OF_PRESSURE, METRIC_MEMORY_PRESSURE_FULL_RATIO, 100},
    {"psi_io_some_pct", OF_PRESSURE, METRIC_IO_PRESSURE_SOME_RATIO, 100},
    {"psi_io_full_pct", OF_PRESSURE, METRIC_IO_PRESSURE_FULL_RATIO, 100},
    {"open_fds", OF_BROKER, METRIC_OPEN_FDS, 1},
    {"fds_open", OF_BROKER, METRIC_OPEN_FDS, 1},
    {"max_fds", OF_BROKER, METRIC_MAX_FDS, 1},
    {"fds_limit", OF_BROKER, METRIC_MAX_FDS, 1},
    {"threads", OF_BROKER, METRIC_THREADS, 1},
};

static const struct measure *measure_of(const char *key)
{
    for (size_t i = 0; i < N_ELEMENTS(measures); i++) {
        if (strcmp(key, measures[i].key) == 0) {
            return &measures[i];
        }
    }
    return NULL;
}

static bool has_group_memory(void)
{
    return stage_has(&stage, "memory.") || stage_file(&stage, "proc/PID/status") != NULL;
}

static bool is_of_host(const struct measure *measure)
{
    switch (measure->whose) {
    case OF_MEMORY:
        return !has_group_memory();
    case OF_PRESSURE:
        return stage_file(&stage, "proc/pressure/cpu") != NULL ||
               stage_file(&stage, "proc/pressure/memory") != NULL ||
               stage_file(&stage, "proc/pressure/io") != NULL;
    case OF_NETWORK:
        return stage_file(&stage, "proc/net/dev") != NULL ||
               stage_file(&stage, "proc/1/net/dev") != NULL;
    case OF_HOST:
        return true;
    case OF_BROKER:
        break;
    }
    return false;
}

static struct value scaled(struct value value, double factor)
{
    return value_is_present(value) ? value_of(value.number * factor) : value;
}

static struct value share_of(struct value part, struct value rest)
{
    if (!value_is_present(part) || !value_is_present(rest)) {
        return value_is_present(part) ? rest : part;
    }
    return value_of(100 * part.number / (part.number + rest.number));
}

/* Numbers that people make of two values. */
static bool derive(const char *key, const struct beat *beat, struct value *ret_value)
{
    const struct value *values = beat->broker;

    if (strcmp(key, "mem_pct") == 0) { /* what kubectl would call it */
        *ret_value = has_group_memory() ? scaled(values[METRIC_MEMORY_WORKING_SET_RATIO], 100)
                                        : scaled(beat->host[METRIC_MEMORY_RATIO], 100);
    } else if (strcmp(key, "space_used_pct") == 0) { /* as df has it */
        *ret_value = share_of(values[METRIC_DISK_USED_BYTES], values[METRIC_DISK_AVAILABLE_BYTES]);
    } else if (strcmp(key, "inodes_used_pct") == 0) {
        *ret_value = share_of(
            values[METRIC_INODES_USED],
            value_of(values[METRIC_INODES_TOTAL].number - values[METRIC_INODES_USED].number));
    } else {
        return false;
    }
    return true;
}

/* The value of a key at a beat. Returns whether it is one. */
static bool measure(const char *key, const struct beat *beat, struct value *ret_value)
{
    const struct measure *found = measure_of(key);

    if (found == NULL) {
        return derive(key, beat, ret_value);
    }
    *ret_value = scaled((is_of_host(found) ? beat->host : beat->broker)[found->metric],
                        found->factor);
    return true;
}

static const struct beat *last_beat(void)
{
    return &stage.beats[stage.n_samples - 1];
}

static double last_time_s(void)
{
    return stage.times_s[stage.n_samples - 1];
}

static bool check_measure(const char *key, yajl_val want)
{
    struct value got = value_absent(VALUE_UNKNOWN);

    if (!measure(key, last_beat(), &got)) {
        return false;
    }
    if (!YAJL_IS_ARRAY(want)) {
        check_value(key, got, want);
        return true;
    }
    if (want->u.array.len != stage.n_samples) {
        complain(key, "wants %zu values of %zu samples", want->u.array.len, stage.n_samples);
        return true;
    }
    for (size_t i = 0; i < stage.n_samples; i++) {
        (void)measure(key, &stage.beats[i], &got);
        check_value(key, got, want->u.array.values[i]);
    }
    return true;
}

/* -- What must not come out -- */

static const char *naive_rest(const char *key)
{
    return starts_with(key, "naive_")             ? key + strlen("naive_")
           : starts_with(key, "seed_would_give_") ? key + strlen("seed_would_give_")
                                                  : NULL;
}

static void check_naive(const char *key, yajl_val want, yajl_val expect)
{
    const char *rest = naive_rest(key);
    size_t n_compared = 0;

    for (size_t i = 0; i < expect->u.object.len; i++) {
        const char *other = expect->u.object.keys[i];
        size_t n = strlen(other), n_rest = strlen(rest);
        struct value got;

        if (naive_rest(other) != NULL || n < n_rest || strcmp(other + n - n_rest, rest) != 0 ||
            !measure(other, last_beat(), &got)) {
            continue;
        }
        n_compared++;
        if (!YAJL_IS_NUMBER(want) ||
            (value_is_present(got) && is_near(got.number, number_of(want)))) {
            complain(key, "%s is what it must not be", other);
        }
    }
    if (n_compared == 0) {
        complain(key, "nothing to compare with");
    }
}

/* -- Where things are -- */

static struct cgroups cgroups;

static const char *places_text(void)
{
    return stage_text(stage_file(&stage, "proc/PID/cgroup"), stage.n_samples - 1);
}

static int controller_of(const char *key)
{
    static const char *const names[CGROUPS_CONTROLLERS] = {
        [CGROUPS_CPU] = "cpu",       [CGROUPS_CPUACCT] = "cpuacct", [CGROUPS_CPUSET] = "cpuset",
        [CGROUPS_MEMORY] = "memory", [CGROUPS_IO] = "blkio",        [CGROUPS_UNIFIED] = "unified",
    };

    for (int i = 0; i < CGROUPS_CONTROLLERS; i++) {
        if (strcmp(key, names[i]) == 0) {
            return i;
        }
    }
    return strcmp(key, "io") == 0 ? CGROUPS_IO : -1;
}

/* The path of the controller in its hierarchy; in the file system, when the mounts are told. */
static int resolve(enum cgroups_controller controller, char ret_path[CGROUPS_PATH_BYTES])
{
    const char *places = places_text();
    struct cgroups_place place;
    uint64_t n_errors = 0;
    size_t n_levels;
    int r;

    if (places == NULL) {
        return -ENOENT;
    }
    r = cgroups_parse_place(places, strlen(places), controller, &place);
    if (r < 0 || !stage.has_mounts) {
        (void)snprintf(ret_path, CGROUPS_PATH_BYTES, "%s", r == 0 ? place.path : "");
        return r;
    }
    cgroups_discover(&cgroups, stage.proc_root, "", &n_errors);
    r = cgroups_resolve(&cgroups, controller, &place, ret_path, &n_levels);
    if (r == 0) {
        size_t n_root = strlen(stage.tree.root);

        memmove(ret_path, ret_path + n_root, strlen(ret_path + n_root) + 1);
    }
    return r;
}

static int resolve_first(char ret_path[CGROUPS_PATH_BYTES])
{
    static const enum cgroups_controller order[] = {
        CGROUPS_MEMORY, CGROUPS_CPUACCT, CGROUPS_CPU, CGROUPS_IO, CGROUPS_CPUSET, CGROUPS_UNIFIED};
    const char *places = places_text();
    struct cgroups_place place;

    for (size_t i = 0; places != NULL && i < N_ELEMENTS(order); i++) {
        int r = cgroups_parse_place(places, strlen(places), order[i], &place);

        if (r == 0 && (order[i] == CGROUPS_UNIFIED || !place.is_v2)) {
            return resolve(order[i], ret_path);
        }
    }
    return resolve(CGROUPS_UNIFIED, ret_path);
}

static void check_controller(const char *key, int controller, yajl_val want)
{
    char path[CGROUPS_PATH_BYTES] = "";
    int r;

    /* CPU use is counted by cpuacct; "cpu" means that, where there is no line of its own. */
    r = resolve((enum cgroups_controller)controller, path);
    if (controller == CGROUPS_CPU && (r < 0 || strstr(places_text(), "cpu:") == NULL) &&
        strstr(places_text(), "cpuacct") != NULL) {
        r = resolve(CGROUPS_CPUACCT, path);
    }
    check_text(key, r < 0 ? NULL : path, want);
}

static void check_path(const char *key, yajl_val want)
{
    char path[CGROUPS_PATH_BYTES];
    int r = resolve_first(path);

    check_text(key, r < 0 ? NULL : path, want);
}

static void check_error(const char *key, yajl_val want)
{
    char path[CGROUPS_PATH_BYTES];
    int r = resolve_first(path);

    check_text(key,
               r == 0         ? NULL
               : r == -ENOENT ? "not visible"
               : r == -ENODEV ? "gone"
                              : "malformed",
               want);
}

static void check_not_used(const char *key, yajl_val want)
{
    char path[CGROUPS_PATH_BYTES];

    if (!YAJL_IS_STRING(want)) {
        complain(key, "wants no path");
    } else if (resolve_first(path) == 0 && strcmp(path, string_of(want)) == 0) {
        complain(key, "got %s", path);
    }
}

/* Pressure of a cgroup is the broker's; that of the root is the host's. */
static void check_pressure_scope(const char *key, yajl_val want)
{
    enum value_state state = last_beat()->broker[METRIC_CPU_PRESSURE_SOME_RATIO].state;

    check_text(key,
               state == VALUE_PRESENT || state == VALUE_FIRST ? "cgroup"
               : state == VALUE_UNSUPPORTED                   ? "host"
                                                              : value_state_name(state),
               want);
}

/* -- Who it is -- */

static const char *target_state(void)
{
    if (last_beat()->state != BROKER_UP) {
        return "gone";
    }
    return last_beat()->incarnation != stage.beats[0].incarnation ? "replaced" : "up";
}

static void check_target_state(const char *key, yajl_val want)
{
    check_text(key, target_state(), want);
    if (strcmp(target_state(), "gone") == 0) {
        for (size_t i = 0; i < METRICS; i++) {
            if (last_beat()->broker[i].state != VALUE_GONE) {
                complain(key, "%s is not gone", metric_info((enum metric)i)->name);
            }
        }
    }
}

/* No rate over two different things. */
static void check_rates(const char *key, yajl_val want)
{
    if (!YAJL_IS_NULL(want)) {
        complain(key, "only null is known");
    }
    for (size_t i = 0; i < METRICS; i++) {
        const char *name = metric_info((enum metric)i)->name;
        bool is_rate = strstr(name, "_per_s") != NULL || strcmp(name, "cpu_cores") == 0 ||
                       strcmp(name, "cpu_ratio") == 0 || strstr(name, "pressure") != NULL;

        if (is_rate && i != METRIC_NET_SPEED_BYTES_PER_S &&
            value_is_present(last_beat()->broker[i])) {
            complain(key, "%s is %g", name, last_beat()->broker[i].number);
        }
    }
}

/* It comes back under the same names, and is found. */
static void check_rediscover(const char *key, yajl_val want)
{
    struct sampler_statistics before, after;
    struct beat beat;
    char path[1024];

    sampler_statistics(stage.sampler, &before);
    stage.n_faults = 0;
    stage_put_process(&stage, stage.pids[0], 77777);
    (void)snprintf(path, sizeof(path), "proc/%d/cgroup", stage.pids[0]);
    tree_put(&stage.tree, path, "0::%s\n", stage.path);
    (void)snprintf(path, sizeof(path), "cgroup%s/cpu.stat", stage.path);
    tree_put(&stage.tree, path, "usage_usec 5\n");
    stage_take(&stage, last_time_s() + 1.5, &beat);
    sampler_statistics(stage.sampler, &after);
    check_flag(key, beat.state == BROKER_UP && after.n_discoveries > before.n_discoveries, want);
}

/* -- One sample more -- */

/* A beat that came too soon must not have moved the base: with the same counters, and time since
 * that base, there is a rate. */
static void check_baseline(const char *key, yajl_val want)
{
    struct beat beat;

    stage_take(&stage, stage.times_s[0] + 1, &beat);
    check_flag(key,
               value_is_present(beat.broker[METRIC_CPU_CORES]) &&
                   beat.broker[METRIC_CPU_CORES].number > 0,
               want);
}

static bool has_data_after_fault(void)
{
    struct beat beat;

    stage_put_network(&stage, stage.pids[0], 3);
    stage_take(&stage, last_time_s() + 1, &beat);
    return value_is_present(beat.broker[METRIC_NET_RX_BYTES_PER_S]) &&
           beat.broker[METRIC_NET_RX_BYTES_PER_S].number > 0;
}

static bool holds_network(void)
{
    char suffix[64];

    (void)snprintf(suffix, sizeof(suffix), "proc/%d/net/dev", stage.pids[0]);
    return stage_holds(&stage, suffix);
}

static void check_action(const char *key, yajl_val want)
{
    bool is_present = has_data_after_fault();

    check_text(key, !is_present ? "none" : holds_network() ? "read-held" : "reopen-and-read", want);
}

/* Where the broker's bytes come from: what is still there without its process's own count. */
static void check_io_source(const char *key, yajl_val want)
{
    struct value bytes = last_beat()->broker[METRIC_DISK_READ_BYTES_PER_S];
    const char *source = "unavailable";
    struct beat beat;
    char name[64];

    if (value_is_present(bytes) || bytes.state == VALUE_FIRST) {
        (void)snprintf(name, sizeof(name), "proc/%d/io", stage.pids[0]);
        tree_remove(&stage.tree, name);
        stage_take(&stage, last_time_s() + 1, &beat);
        source = value_is_present(beat.broker[METRIC_DISK_READ_BYTES_PER_S]) ? "cgroup" : "process";
    }
    check_text(key, source, want);
}

/* The level whose limit binds: lifting it, and no other, changes the limit. */
static void check_bound_level(const char *key, yajl_val want)
{
    double limit = last_beat()->broker[METRIC_MEMORY_LIMIT_BYTES].number;
    const char *bound = NULL;
    double at_s = last_time_s();

    for (size_t i = 0; i < stage.files->u.object.len; i++) {
        const char *name = stage.files->u.object.keys[i];
        const char *text = stage_text(stage.files->u.object.values[i], stage.n_samples - 1);
        const char *slash = strrchr(name, '/');
        static char level[512], path[1024];
        struct beat beat;

        if (slash == NULL ||
            (strcmp(slash, "/memory.max") != 0 && strcmp(slash, "/memory.high") != 0)) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "cgroup/%s", name);
        tree_put(&stage.tree, path, "max\n");
        stage_take(&stage, at_s += 6, &beat);
        if (fabs(beat.broker[METRIC_MEMORY_LIMIT_BYTES].number - limit) > 0.5) {
            (void)snprintf(level, sizeof(level), "%.*s", (int)(slash - name), name);
            bound = level;
        }
        tree_put(&stage.tree, path, "%s", text);
    }
    check_text(key, bound, want);
}

/* -- Network namespaces -- */

/* A broker whose bytes are not its own alone, but would be without the other brokers, shares with
 * those; else with the host. */
static const char *scope_of(size_t index)
{
    static struct broker_load load;
    struct agent_config alone = stage.config;
    struct sampler *sampler = NULL;
    enum value_state together, single;

    sampler_broker(stage.sampler, index, &load);
    together = load.values[METRIC_NET_RX_BYTES_PER_S].state;
    alone.brokers.elements = &stage.brokers[index];
    alone.brokers.n = 1;
    if (together != VALUE_SHARED || sampler_new(&alone, &sampler) < 0) {
        return "own";
    }
    sampler_take(sampler, 0);
    sampler_broker(sampler, 0, &load);
    single = load.values[METRIC_NET_RX_BYTES_PER_S].state;
    sampler_free(sampler);
    return single == VALUE_SHARED ? "host" : "shared";
}

static void check_scope(const char *key, yajl_val want)
{
    if (!YAJL_IS_OBJECT(want)) {
        check_text(key, scope_of(0), want);
        return;
    }
    for (size_t i = 0; i < want->u.object.len; i++) {
        int pid = atoi(want->u.object.keys[i]);
        size_t index = 0;

        while (index < stage.config.brokers.n && stage.pids[index] != pid) {
            index++;
        }
        if (index == stage.config.brokers.n) {
            complain(key, "no process %d", pid);
        } else {
            check_text(want->u.object.keys[i], scope_of(index), want->u.object.values[i]);
        }
    }
}

/* -- Errors -- */

/* "memory:EACCES": the values of that name are absent for a reason that the error gives. */
static void check_errors(const char *key, yajl_val want)
{
    struct sampler_statistics statistics;

    sampler_statistics(stage.sampler, &statistics);
    for (size_t i = 0; YAJL_IS_ARRAY(want) && i < want->u.array.len; i++) {
        const char *text = stage_text(want->u.array.values[i], 0);
        const char *colon = text != NULL ? strchr(text, ':') : NULL;
        int error = colon != NULL ? stage_errno(colon + 1) : -1;
        size_t n_found = 0;

        for (size_t m = 0; error > 0 && m < METRICS; m++) {
            n_found += strncmp(metric_info((enum metric)m)->name, text, (size_t)(colon - text)) ==
                           0 &&
                       last_beat()->broker[m].state == held_state(-error);
        }
        if (n_found == 0 || statistics.n_read_errors == 0) {
            complain(key, "nothing says %s", text != NULL ? text : "nothing");
        }
    }
    if (!YAJL_IS_ARRAY(want) || (want->u.array.len == 0 && statistics.n_read_errors > 0)) {
        complain(key, "got %llu errors", (unsigned long long)statistics.n_read_errors);
    }
}

/* Whether the ranking would give the broker a place, by what the case is about. */
static void check_eligible(const char *key, yajl_val want)
{
    static struct ranking ranking;
    struct rank_settings settings = {.algorithm = RANK_WEIGHTED_COMPOSITE};
    struct rank_load load = {.id = "b"};

    for (size_t i = 0; i < RANK_RESOURCES; i++) {
        load.values[i] = value_absent(VALUE_UNKNOWN);
    }
    load.values[RANK_CPU] = last_beat()->broker[METRIC_CPU_RATIO];
    load.values[RANK_MEMORY] = last_beat()->broker[METRIC_MEMORY_RATIO];
    settings.weights[RANK_CPU] = stage_has(&stage, "cpu.");
    settings.weights[RANK_MEMORY] = has_group_memory();
    rank_order(&settings, &load, 1, &ranking);
    check_flag(key, ranking.n == 1, want);
}

/* Lines of the log, but for those of a broker that came or went. */
static void check_log(const char *key, yajl_val want)
{
    uint64_t n_lines = 0;

    for (const char *line = log_text_of_case; *line != '\0';) {
        size_t n = strcspn(line, "\n");

        n_lines += n > 0 && memmem(line, n, "broker_found", 12) == NULL &&
                   memmem(line, n, "broker_not_running", 18) == NULL;
        line += n;
        line += *line != '\0';
    }
    check_count(key, n_lines, want);
}

static void check_no_pressure(const char *key, yajl_val want)
{
    static const char *const keys[] = {"psi_cpu_some_pct",    "psi_cpu_full_pct",
                                       "psi_memory_some_pct", "psi_memory_full_pct",
                                       "psi_io_some_pct",     "psi_io_full_pct"};

    if (!YAJL_IS_NULL(want)) {
        complain(key, "only null is known");
    }
    for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
        (void)check_measure(keys[i], want);
    }
}

static void check_resets(const char *key, yajl_val want)
{
    struct sampler_statistics statistics;

    sampler_statistics(stage.sampler, &statistics);
    check_count(key, statistics.n_resets, want);
}

static void check_finite(const char *key, yajl_val want)
{
    bool is_finite = true;

    for (size_t i = 0; i < METRICS; i++) {
        is_finite = is_finite && isfinite(last_beat()->broker[i].number) &&
                    isfinite(last_beat()->host[i].number);
    }
    check_flag(key, is_finite, want);
}

static void check_cpu_limited(const char *key, yajl_val want)
{
    struct value limit = last_beat()->broker[METRIC_CPU_LIMIT_CORES];
    struct value all = last_beat()->host[METRIC_CPU_LIMIT_CORES];

    check_flag(key, value_is_present(limit) && limit.number < all.number, want);
}

static void check_limited(const char *key, yajl_val want)
{
    struct value limit = last_beat()->broker[METRIC_MEMORY_LIMIT_BYTES];
    struct value ram = last_beat()->host[METRIC_MEMORY_LIMIT_BYTES];

    check_flag(key, value_is_present(limit) && limit.number < ram.number, want);
}

/* -- Processes -- */

static void check_pids(const char *key, yajl_val want)
{
    const char *text = stage_text(stage_file(&stage, "cgroup.procs"), stage.n_samples - 1);
    size_t n_pids = 0, n_hidden = 0;
    pid_t pids[64];

    if (text == NULL || counters_pids(text, strlen(text), pids, 64, &n_pids, &n_hidden) < 0 ||
        !YAJL_IS_ARRAY(want) || want->u.array.len != n_pids) {
        complain(key, "got %zu", n_pids);
        return;
    }
    for (size_t i = 0; i < n_pids; i++) {
        check_count(key, (uint64_t)pids[i], want->u.array.values[i]);
    }
}

/* How the broker in the cgroup was found. */
static void check_method(const char *key, yajl_val want)
{
    const char *text = stage_text(stage_file(&stage, "cgroup.procs"), 0);
    size_t n_pids = 0, n_hidden = 0;
    pid_t pids[64];

    if (text == NULL || counters_pids(text, strlen(text), pids, 64, &n_pids, &n_hidden) < 0 ||
        last_beat()->state != BROKER_UP) {
        complain(key, "the broker is not found");
        return;
    }
    check_text(key, n_pids > 0 ? "cgroup.procs" : "scan <procfs>/*/cgroup", want);
}

/* The fields of /proc/PID/stat. */
static bool check_process(const char *key, yajl_val want)
{
    struct counters_process process = {0};
    const char *text = NULL;
    char state[2] = "";

    for (size_t i = 0; i < stage.files->u.object.len && text == NULL; i++) {
        const char *name = stage.files->u.object.keys[i];
        const char *last = strrchr(name, '/');

        if (starts_with(name, "proc/") && last != NULL && strcmp(last, "/stat") == 0 &&
            strcmp(name, "proc/stat") != 0) {
            text = stage_text(stage.files->u.object.values[i], stage.n_samples - 1);
        }
    }
    if (text == NULL) {
        return false;
    }
    if (counters_process_stat(text, strlen(text), &process) < 0) {
        complain(key, "cannot be parsed");
        return true;
    }
    state[0] = process.state;
    if (strcmp(key, "comm") == 0) {
        check_text(key, process.name, want);
    } else if (strcmp(key, "state") == 0) {
        check_text(key, state, want);
    } else if (strcmp(key, "pid") == 0) {
        check_count(key, (uint64_t)process.pid, want);
    } else if (strcmp(key, "ppid") == 0) {
        check_count(key, (uint64_t)process.ppid, want);
    } else if (strcmp(key, "utime") == 0) {
        check_count(key, process.user_ticks, want);
    } else if (strcmp(key, "stime") == 0) {
        check_count(key, process.system_ticks, want);
    } else if (strcmp(key, "num_threads") == 0) {
        check_count(key, process.n_threads, want);
        check_value(key, last_beat()->broker[METRIC_THREADS], want);
    } else if (strcmp(key, "starttime") == 0) {
        check_count(key, process.start_ticks, want);
    } else {
        return false;
    }
    return true;
}

/* -- Averages of pressure: "psi_cpu_some_avg10" -- */

static bool check_average(const char *key, yajl_val want)
{
    char resource[16], kind[8], name[64];
    struct counters_pressure pressure;
    const char *text;
    unsigned seconds;
    size_t which;

    if (sscanf(key, "psi_%15[a-z]_%7[a-z]_avg%u", resource, kind, &seconds) != 3) {
        return false;
    }
    (void)snprintf(name, sizeof(name), "%s.pressure", resource);
    text = stage_text(stage_file(&stage, name), stage.n_samples - 1);
    if (text == NULL) {
        (void)snprintf(name, sizeof(name), "proc/pressure/%s", resource);
        text = stage_text(stage_file(&stage, name), stage.n_samples - 1);
    }
    which = seconds == 10 ? PRESSURE_10_S : seconds == 60 ? PRESSURE_60_S : PRESSURE_300_S;
    if (text == NULL || counters_pressure(text, strlen(text), &pressure) < 0) {
        check_value(key, value_absent(VALUE_FAILED), want);
    } else if (strcmp(kind, "full") == 0 && !pressure.has_full) {
        check_value(key, value_absent(VALUE_UNSUPPORTED), want);
    } else {
        check_value(
            key,
            value_of((strcmp(kind, "full") == 0 ? pressure.full : pressure.some).averages[which]),
            want);
    }
    return true;
}

/* -- Single devices: "dev_7_0_r_Bps", by the same case with that device's lines alone -- */

static bool check_device(const char *key, yajl_val want)
{
    static struct stage alone;
    unsigned major_number, minor_number;
    char device[32], rest[32], whole_key[40];
    double times_s[SAMPLES_MAX];

    if (sscanf(key, "dev_%u_%u_%31s", &major_number, &minor_number, rest) != 3) {
        return false;
    }
    (void)snprintf(device, sizeof(device), "%u:%u", major_number, minor_number);
    (void)snprintf(whole_key, sizeof(whole_key), "io_%s", rest);
    if (measure_of(whole_key) == NULL) {
        return false;
    }
    memcpy(times_s, stage.times_s, sizeof(times_s));
    stage_end(&stage);
    stage_play(&alone, stage.files, times_s, stage.n_samples, device);
    stage = alone;
    (void)check_measure(whole_key, want);
    stage_end(&alone);
    stage_play(&stage, stage.files, times_s, stage.n_samples, NULL);
    return true;
}

/* -- Order of reading: each group's rate is over its own times -- */

/* The counter that a group of "read order" has at a sample. */
static uint64_t group_count(const char *group, size_t sample)
{
    const char *text = strcmp(group, "cpu") == 0
                           ? stage_text(stage_file(&stage, "cpu.stat"), sample)
                           : stage_text(stage_file(&stage, "net rx"), sample);
    struct counters_cpu cpu;

    if (strcmp(group, "cpu") == 0) {
        return text != NULL && counters_cpu_stat(text, strlen(text), &cpu) == 0 ? cpu.usage_us : 0;
    }
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static void check_order(const char *order)
{
    struct rate cpu = {.based = false}, net = {.based = false};
    double net_want = last_beat()->broker[METRIC_NET_RX_BYTES_PER_S].number;
    double cpu_want = last_beat()->broker[METRIC_CPU_CORES].number;
    size_t sample = 0;

    while (*order != '\0') {
        char group[16];
        double at_s;
        int n = 0;

        if (sscanf(order, " %15[a-z]@%lf%n", group, &at_s, &n) == 2) {
            struct rate *rate = strcmp(group, "cpu") == 0 ? &cpu : &net;
            uint64_t count = group_count(group, sample);

            (void)rate_step(rate, (time_us)(at_s * 1e6 + 0.5), 1, &count, 1);
        } else if (sscanf(order, " |%n", &n), n > 0) {
            sample++;
        } else {
            complain("read order", "cannot be parsed");
            return;
        }
        order += n;
    }
    if (fabs(rate_per_second(&net, 0).number - net_want) > 0.005 * net_want ||
        fabs(rate_per_second(&cpu, 0).number / 1e6 - cpu_want) > 0.005 * cpu_want) {
        complain("read order", "rates depend on the order");
    }
}

/* -- A case -- */

/* Keys of which each is of its own kind. Those that change the stage come last. */
static const struct check {
    const char *key;
    void (*check)(const char *key, yajl_val want);
    bool is_last;
} checks[] = {
    {"resets", check_resets, false},
    {"no_div_by_zero", check_finite, false},
    {"mem_limited", check_limited, false},
    {"cpu_limited", check_cpu_limited, false},
    {"target_state", check_target_state, false},
    {"rates", check_rates, false},
    {"errors", check_errors, false},
    {"score_eligible", check_eligible, false},
    {"log_lines", check_log, false},
    {"psi", check_no_pressure, false},
    {"psi_scope", check_pressure_scope, false},
    {"path", check_path, false},
    {"error", check_error, false},
    {"must_not_use", check_not_used, false},
    {"pids", check_pids, false},
    {"method", check_method, false},
    {"scope", check_scope, false},
    {"baseline_kept", check_baseline, true},
    {"mem_bound_level", check_bound_level, true},
    {"io_source", check_io_source, true},
    {"action", check_action, true},
    {"rediscover", check_rediscover, true},
};

static const struct check *check_of(const char *key)
{
    for (size_t i = 0; i < N_ELEMENTS(checks); i++) {
        if (strcmp(key, checks[i].key) == 0) {
            return &checks[i];
        }
    }
    return NULL;
}

static void check_key(const char *key, yajl_val want, yajl_val expect)
{
    const struct check *check = check_of(key);

    if (check != NULL) {
        check->check(key, want);
    } else if (naive_rest(key) != NULL) {
        check_naive(key, want, expect);
    } else if (strcmp(key, "data_present") == 0) {
        check_flag(key, has_data_after_fault(), want);
    } else if (strcmp(key, "net_fd_closed") == 0) {
        check_flag(key, !holds_network(), want);
    } else if (controller_of(key) >= 0 && places_text() != NULL) {
        check_controller(key, controller_of(key), want);
    } else if (!check_measure(key, want) && !check_process(key, want) &&
               !check_average(key, want) && !check_device(key, want)) {
        complain(key, "unknown expectation");
    }
}

static bool changes_stage(const char *key)
{
    const struct check *check = check_of(key);

    return (check != NULL && check->is_last) || starts_with(key, "dev_") ||
           strcmp(key, "data_present") == 0;
}

static void check_all(yajl_val expect)
{
    const char *order = stage_text(stage_file(&stage, "read order"), 0);

    if (order != NULL) {
        check_order(order);
    }
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < expect->u.object.len; i++) {
            if (changes_stage(expect->u.object.keys[i]) == (pass == 1)) {
                check_key(expect->u.object.keys[i], expect->u.object.values[i], expect);
            }
        }
    }
}

/* Play with stderr into a file, and keep what was written. */
static void play(yajl_val files, const double *times_s, size_t n_samples)
{
    int saved = dup(STDERR_FILENO), file = memfd_create("log", MFD_CLOEXEC);
    ssize_t n;

    (void)fflush(stderr);
    (void)dup2(file, STDERR_FILENO);
    stage_play(&stage, files, times_s, n_samples, NULL);
    (void)fflush(stderr);
    (void)dup2(saved, STDERR_FILENO);
    n = pread(file, log_text_of_case, sizeof(log_text_of_case) - 1, 0);
    log_text_of_case[n > 0 ? n : 0] = '\0';
    (void)close(saved);
    (void)close(file);
}

static bool read_times(yajl_val list, double *ret_times_s, size_t *ret_n)
{
    if (!YAJL_IS_ARRAY(list) || list->u.array.len == 0 || list->u.array.len > SAMPLES_MAX) {
        return false;
    }
    *ret_n = list->u.array.len;
    for (size_t i = 0; i < *ret_n; i++) {
        const char *text = stage_text(list->u.array.values[i], 0);

        if (text == NULL) {
            return false;
        }
        ret_times_s[i] = strtod(text, NULL);
    }
    return true;
}

/* Returns whether it passed. */
static bool run_case(yajl_val one)
{
    yajl_val files = member(one, "files"), expect = member(one, "expect");
    double times_s[SAMPLES_MAX];
    size_t n_samples;

    n_complaints = 0;
    case_id = stage_text(member(one, "id"), 0);
    case_title = stage_text(member(one, "title"), 0);
    case_id = case_id != NULL ? case_id : "?";
    if (!YAJL_IS_OBJECT(files) || !YAJL_IS_OBJECT(expect) || expect->u.object.len == 0 ||
        !read_times(member(one, "times_s"), times_s, &n_samples)) {
        complain("case", "needs files, times_s and expect");
        return false;
    }
    play(files, times_s, n_samples);
    if (stage.why[0] != '\0') {
        complain("files", "%s", stage.why);
    } else {
        check_all(expect);
    }
    stage_end(&stage);
    if (n_complaints == 0) {
        (void)printf("ok %s %s\n", case_id, case_title != NULL ? case_title : "");
    }
    return n_complaints == 0;
}

static yajl_val read_cases(const char *path)
{
    cleanup_fclose FILE *file = fopen(path, "re");
    cleanup_free char *text = malloc(BYTES_MAX + 1);
    char why[512] = "cannot be read";
    yajl_val cases = NULL;

    if (file != NULL && text != NULL) {
        text[fread(text, 1, BYTES_MAX, file)] = '\0';
        cases = yajl_tree_parse(text, why, sizeof(why));
    }
    if (!YAJL_IS_ARRAY(cases)) {
        (void)fprintf(stderr, "%s: %s\n", path, cases == NULL ? why : "no list of cases");
        yajl_tree_free(cases);
        return NULL;
    }
    return cases;
}

int main(int argc, char **argv)
{
    unsigned n_passed = 0, n_failed = 0;
    yajl_val cases;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: sampler_cases FILE\n");
        return EXIT_FAILURE;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    cases = read_cases(argv[1]);
    if (cases == NULL) {
        return EXIT_FAILURE;
    }
    /* What the sampler logs is looked at case by case. */
    (void)!freopen("/dev/null", "we", stderr);
    for (size_t i = 0; i < cases->u.array.len; i++) {
        if (run_case(cases->u.array.values[i])) {
            n_passed++;
        } else {
            n_failed++;
        }
    }
    yajl_tree_free(cases);
    (void)printf("%u passed, %u failed\n", n_passed, n_failed);
    return n_failed == 0 && n_passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
