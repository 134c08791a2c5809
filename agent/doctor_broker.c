/* What `doctor` checks of one broker. Shell.
 *
 * Whether a number is there is told by the sample itself, so that what is said here is what the
 * aggregator will see; the checks beside it look for the cause. */
#include "agent/doctor_broker.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/chain.h"
#include "agent/counters.h"
#include "common/cleanup.h"

static const char rights[] = "run the agent with the broker's uid and gid, or give it "
                             "CAP_SYS_PTRACE";
static const char mounts[] = "mount the host's /sys/fs/cgroup read-only into the agent's container "
                             "and set cgroup_root, or run the agent with the broker's uid and gid";

static const char mounts_above[] = "mount the host's /sys/fs/cgroup read-only into the agent's "
                                   "container and set cgroup_root";

/* One broker while it is looked at. */
struct patient {
    struct doctor *doctor;
    const struct broker_options *options;
    const struct broker_load *load; /* as it was sampled; NULL: it was not */
    struct source *source;
    struct match_process root;
    struct chain chains[CGROUPS_CONTROLLERS];
};

#define TELL(patient, level, check, remedy, ...)                                                   \
    finding(&(patient)->doctor->findings, level, (patient)->options->id, check, remedy, __VA_ARGS__)

/* --- match --- */

static void tell_no_match(const struct patient *patient, int r)
{
    if (r == -EACCES) {
        TELL(patient, FINDING_FAIL, "match", rights,
             "processes of other users cannot be looked into, and the broker may be one");
    } else if (r == -ENOTUNIQ) {
        TELL(patient, FINDING_FAIL, "match", "name the broker's program in match.executable",
             "several other containers of the pod could be it");
    } else if (patient->options->match.pod_mate && !patient->doctor->namespaces.pid) {
        TELL(patient, FINDING_FAIL, "match",
             "set shareProcessNamespace: true in the pod, or match in another way",
             "the agent is in no pid namespace of a pod");
    } else if (patient->options->match.pod_mate) {
        TELL(patient, FINDING_FAIL, "match", "set shareProcessNamespace: true in the pod",
             "no other container of the pod can be seen");
    } else {
        TELL(patient, FINDING_FAIL, "match",
             patient->doctor->namespaces.pid
                 ? "start the broker, correct match, or give the agent the host's pids (hostPID)"
                 : "start the broker, or correct match",
             "no process fits");
    }
}

static bool find(struct patient *patient)
{
    struct doctor *doctor = patient->doctor;
    struct match_view view = {.proc_fd = doctor->proc_fd,
                              .cgroups = doctor->cgroups,
                              .bytes = doctor->reader.bytes,
                              .size = doctor->reader.size,
                              .all = &doctor->all};
    struct match_processes found = {0};
    int r;

    r = match_find(&patient->options->match, &view, &found, &patient->root);
    if (r < 0) {
        tell_no_match(patient, r);
    } else {
        TELL(patient, FINDING_OK, "match", "", "process %d%s", (int)patient->root.pid,
             found.n > 1 && !match_is_whole(&patient->options->match)
                 ? ", the oldest of several that fit"
                 : "");
    }
    match_processes_done(&found);
    return r == 0;
}

/* --- cgroups --- */

static const char *const controllers[CGROUPS_CONTROLLERS] = {
    [CGROUPS_CPU] = "cpu cgroup",       [CGROUPS_CPUACCT] = "cpuacct cgroup",
    [CGROUPS_CPUSET] = "cpuset cgroup", [CGROUPS_MEMORY] = "memory cgroup",
    [CGROUPS_IO] = "io cgroup",
};

static void open_chains(struct patient *patient)
{
    struct reader *reader = &patient->doctor->reader;
    char path[HELD_PATH_BYTES], within[CGROUPS_PATH_BYTES];

    (void)snprintf(path, sizeof(path), "%d/cgroup", (int)patient->root.pid);
    if (reader_once(reader, patient->doctor->proc_fd, path) < 0) {
        reader->n = 0;
    }
    match_cgroup(&patient->options->match, reader->bytes, reader->n, within);
    chain_open_all(patient->chains, patient->doctor->cgroups, patient->doctor->proc_fd,
                   patient->root.pid, reader->bytes, reader->n, within);
}

static void close_chains(struct patient *patient)
{
    for (unsigned i = 0; i < CGROUPS_CONTROLLERS; i++) {
        chain_close(&patient->chains[i]);
    }
}

static size_t count_levels(const char *path)
{
    size_t n = path[1] == '\0' ? 0 : 1;

    for (size_t i = 1; path[i] != '\0'; i++) {
        n += path[i] == '/';
    }
    return n + 1;
}

static void check_chain(const struct patient *patient, enum cgroups_controller controller)
{
    const struct chain *chain = &patient->chains[controller];
    const char *check = controllers[controller], *version = chain->is_v2 ? "v2" : "v1";

    if (!chain->is_seen && chain->error == VALUE_PRESENT) {
        TELL(patient, FINDING_WARN, check, "enable the controller in the kernel or its hierarchy",
             "nobody serves it");
    } else if (!chain->is_seen) {
        TELL(patient, FINDING_WARN, check, mounts,
             "%s %s: no mount shows it; processes are summed up, and limits are not known", version,
             chain->path);
    } else if (chain->is_root) {
        TELL(patient, FINDING_WARN, check, "run the broker in a cgroup of its own",
             "%s: the broker is in the root, which counts everybody; its processes are summed up",
             version);
    } else if (chain->n_levels < count_levels(chain->path)) {
        TELL(patient, FINDING_WARN, check, mounts_above,
             "%s %s: seen, but not all of its ancestors, whose limits hold, too", version,
             chain->path);
    } else {
        TELL(patient, FINDING_OK, check, "", "%s %s", version, chain->path);
    }
}

/* The path of the cgroup `level` levels up. */
static void level_path(const struct chain *chain, size_t level, char ret_path[CGROUPS_PATH_BYTES])
{
    memcpy(ret_path, chain->path, sizeof(chain->path));
    for (char *slash; level > 0 && (slash = strrchr(ret_path, '/')) != NULL; level--) {
        *slash = '\0';
    }
    if (ret_path[0] == '\0') {
        (void)snprintf(ret_path, CGROUPS_PATH_BYTES, "/");
    }
}

/* What one file of a level limits to; INFINITY: nothing, or it is not there. */
static double read_limit(const struct chain *chain, size_t level, const char *name,
                         struct reader *reader)
{
    /* v1 writes the largest number of whole pages for "no limit". */
    const uint64_t limit_max = UINT64_C(1) << 62;
    uint64_t limit;

    if (chain_read(chain, level, name, reader) < 0 ||
        counters_limit(reader->bytes, reader->n, &limit) < 0 || limit >= limit_max) {
        return INFINITY;
    }
    return (double)limit;
}

static double cpu_limit(const struct chain *chain, size_t level, struct reader *reader)
{
    double cores;

    if (!chain->is_v2) {
        return read_limit(chain, level, "cpu.cfs_quota_us", reader) /
               read_limit(chain, level, "cpu.cfs_period_us", reader);
    }
    return chain_read(chain, level, "cpu.max", reader) == 0 &&
                   counters_cpu_max(reader->bytes, reader->n, &cores) == 0
               ? cores
               : INFINITY;
}

static double memory_limit(const struct chain *chain, size_t level, struct reader *reader)
{
    if (!chain->is_v2) {
        return read_limit(chain, level, "memory.limit_in_bytes", reader);
    }
    return fmin(read_limit(chain, level, "memory.max", reader),
                read_limit(chain, level, "memory.high", reader));
}

/* Tell which level's limit binds: the least one. */
static void check_limit(const struct patient *patient, const struct chain *chain, const char *check,
                        double (*limit_of)(const struct chain *, size_t, struct reader *),
                        double unit, const char *unit_name)
{
    char path[CGROUPS_PATH_BYTES];
    double least = INFINITY;
    size_t least_level = 0;

    for (size_t i = 0; chain->is_seen && i < chain->n_levels; i++) {
        const double limit = limit_of(chain, i, &patient->doctor->reader);

        if (limit < least) {
            least = limit;
            least_level = i;
        }
    }
    if (!chain->is_seen) {
        return;
    }
    if (isfinite(least)) {
        level_path(chain, least_level, path);
        TELL(patient, FINDING_OK, check, "", "%.6g %s by %s, level %zu of %zu", least / unit,
             unit_name, path, least_level + 1, chain->n_levels);
    } else {
        TELL(patient, FINDING_OK, check, "", "none of %zu levels has one: the host's",
             chain->n_levels);
    }
}

static void check_cgroups(struct patient *patient)
{
    open_chains(patient);
    for (unsigned i = 0; i < CGROUPS_CONTROLLERS; i++) {
        if (i != CGROUPS_CPUACCT ||
            patient->chains[CGROUPS_CPUACCT].is_seen != patient->chains[CGROUPS_CPU].is_seen) {
            check_chain(patient, i);
        }
    }
    check_limit(patient, &patient->chains[CGROUPS_CPU], "cpu limit", cpu_limit, 1, "cores");
    check_limit(patient, &patient->chains[CGROUPS_MEMORY], "memory limit", memory_limit, 1048576,
                "MiB");
}

/* --- values --- */

/* A value that stands for its group, and what is wrong when it is not there. */
struct group {
    const char *check;
    enum metric metric;
    enum finding_level absent;      /* how bad that is */
    const char *remedy_denied;      /* when it may not be read */
    const char *remedy_unsupported; /* when nobody counts it */
};

static const struct group groups[] = {
    {"cpu", METRIC_CPU_CORES, FINDING_FAIL, rights, "mount /proc and the cgroup file systems"},
    {"cpu ratio", METRIC_CPU_RATIO, FINDING_WARN, mounts, "mount the cgroup file systems"},
    {"throttling", METRIC_CPU_THROTTLED_RATIO, FINDING_WARN, mounts,
     "a kernel with CONFIG_CFS_BANDWIDTH counts it"},
    {"memory", METRIC_MEMORY_BYTES, FINDING_FAIL, rights, "a kernel with CONFIG_MEMCG counts it"},
    {"memory ratio", METRIC_MEMORY_RATIO, FINDING_WARN, mounts, "mount the cgroup file systems"},
    {"disk traffic", METRIC_DISK_READ_BYTES_PER_S, FINDING_WARN, rights,
     "a kernel with CONFIG_TASK_IO_ACCOUNTING counts it; on v1, a throttle rule for the device"},
    {"network", METRIC_NET_RX_BYTES_PER_S, FINDING_WARN, rights, "mount /proc"},
};

static void check_group(const struct patient *patient, const struct group *group)
{
    const enum value_state state = patient->load->values[group->metric].state;
    const char *name = metric_info(group->metric)->name;
    const char *remedy = state == VALUE_DENIED        ? group->remedy_denied
                         : state == VALUE_UNSUPPORTED ? group->remedy_unsupported
                                                      : "";

    if (state == VALUE_PRESENT || state == VALUE_UNLIMITED) {
        TELL(patient, FINDING_OK, group->check, "", "%s is %s", name, value_state_name(state));
    } else if (state == VALUE_SHARED) {
        TELL(patient, FINDING_WARN, group->check,
             "configure a source that counts its bytes, or give it a network namespace of its own",
             "its network namespace is the host's or another broker's, too: %s is shared", name);
    } else {
        TELL(patient, group->absent, group->check, remedy, "%s is absent: %s", name,
             value_state_name(state));
    }
}

/* Whose count the disk traffic is. */
static void check_io_file(const struct patient *patient)
{
    const struct chain *chain = &patient->chains[CGROUPS_IO];
    struct reader *reader = &patient->doctor->reader;
    const struct counters_devices none = {0};
    struct counters_traffic traffic;
    char path[HELD_PATH_BYTES];
    int r;

    if (!chain->is_v2 &&
        chain_read(chain, 0, "blkio.throttle.io_service_bytes_recursive", reader) == 0 &&
        counters_blkio(reader->bytes, reader->n, &none, &traffic) < 0) {
        TELL(patient, FINDING_OK, "blkio", "",
             "this kernel counts nothing until a throttle rule exists for the device; "
             "/proc/PID/io is read instead");
    }
    (void)snprintf(path, sizeof(path), "%d/io", (int)patient->root.pid);
    r = reader_once(reader, patient->doctor->proc_fd, path);
    if (r < 0) {
        TELL(patient, FINDING_WARN, "process io", r == -EACCES || r == -EPERM ? rights : "",
             "/proc/%s: %s", path, strerror(-r));
    } else {
        TELL(patient, FINDING_OK, "process io", "", "/proc/%s can be read", path);
    }
}

/* --- what is configured --- */

static void check_data_directory(const struct patient *patient)
{
    const char *directory = patient->options->data_directory;
    struct statvfs status;

    if (directory[0] == '\0') {
        TELL(patient, FINDING_WARN, "data directory", "set data_directory",
             "not configured: its disk space is not told");
    } else if (statvfs(directory, &status) < 0) {
        TELL(patient, FINDING_FAIL, "data directory",
             errno == ENOENT ? "mount it into the agent's container at the same path, or correct "
                               "data_directory"
                             : "let the agent's user search the folders on the way",
             "%s: %s", directory, strerror(errno));
    } else {
        TELL(patient, FINDING_OK, "data directory", "", "%s can be seen", directory);
    }
}

static void check_source(const struct patient *patient)
{
    const struct source_options *options = &patient->options->source;
    struct source_statistics statistics = {0};

    if (options->type == SOURCE_NONE) {
        TELL(patient, FINDING_OK, "source", "", "none is configured: topics are not told");
        return;
    }
    if (patient->source != NULL) {
        source_statistics(patient->source, &statistics);
    }
    if (statistics.n_polls == 0 || statistics.n_failures > 0) {
        TELL(patient, FINDING_FAIL, "source", "start the broker's monitoring page, or correct url",
             "%s gives no good answer", options->url);
    } else {
        TELL(patient, FINDING_OK, "source", "", "%s tells %" PRIu64 " topics in %.3f s",
             options->url, statistics.n_topics, statistics.last_seconds);
    }
}

/* Whether a program can be run: a path, or a name on PATH. */
static bool is_executable(const char *program)
{
    const char *folders = getenv("PATH");
    char path[PATH_MAX];

    if (strchr(program, '/') != NULL) {
        return access(program, X_OK) == 0;
    }
    for (size_t n; folders != NULL; folders = folders[n] == ':' ? folders + n + 1 : NULL) {
        n = strcspn(folders, ":");
        (void)snprintf(path, sizeof(path), "%.*s/%s", (int)n, folders, program);
        if (n > 0 && access(path, X_OK) == 0) {
            return true;
        }
    }
    return false;
}

static void check_actuator(const struct patient *patient)
{
    const struct actuator_options *actuator = &patient->options->actuator;

    if (actuator->type == ACTUATOR_NONE) {
        TELL(patient, FINDING_OK, "actuator", "", "none is configured: moves are refused");
    } else if (is_executable(actuator->command.texts[0])) {
        TELL(patient, FINDING_OK, "actuator", "", "%s can be run", actuator->command.texts[0]);
    } else {
        TELL(patient, FINDING_FAIL, "actuator", "install it, and let the agent's user run it",
             "%s: %s", actuator->command.texts[0], strerror(errno));
    }
}

static void check_values(struct patient *patient)
{
    check_cgroups(patient);
    for (size_t i = 0; patient->load != NULL && i < N_ELEMENTS(groups); i++) {
        check_group(patient, &groups[i]);
    }
    check_io_file(patient);
    close_chains(patient);
}

void doctor_check_broker(struct doctor *doctor, size_t index)
{
    const struct broker_options *brokers = doctor->config.brokers.elements;
    struct patient *patient = calloc(1, sizeof(*patient));

    if (patient == NULL) {
        return;
    }
    patient->doctor = doctor;
    patient->options = &brokers[index];
    if (doctor->once != NULL) {
        patient->load = &doctor->once->report.brokers[index];
        patient->source = doctor->once->sources[index];
    }
    if (find(patient)) {
        check_values(patient);
    }
    check_data_directory(patient);
    check_source(patient);
    check_actuator(patient);
    free(patient);
}
