/* `evenkeel-agent doctor`: what the agent can and cannot see here. Shell. */
#include "agent/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/doctor_broker.h"
#include "agent/reach.h"
#include "common/cleanup.h"
#include "common/link.h"

#define READER_BYTES     (256 << 10)
#define REACH_TIMEOUT_MS 1000

/* Files that the agent keeps open for itself, and at most for each broker: cgroups of 16 levels are
 * rare, 8 processes of 3 files are not. */
#define DESCRIPTORS_OWN        64
#define DESCRIPTORS_PER_BROKER 48

#define TELL(doctor, level, of, check, remedy, ...)                                                \
    finding(&(doctor)->findings, level, of, check, remedy, __VA_ARGS__)

/* --- the agent --- */

static void check_configuration(struct doctor *doctor, const char *path)
{
    char error[CONFIG_ERROR_BYTES] = "";

    if (path == NULL) {
        TELL(doctor, FINDING_WARN, "agent", "configuration", "give one with --config FILE",
             "none: only the host is looked at");
    } else if (agent_config_read(path, &doctor->config, error) < 0) {
        TELL(doctor, FINDING_FAIL, "agent", "configuration", "correct it", "%s", error);
    } else {
        TELL(doctor, FINDING_OK, "agent", "configuration", "", "%s: %zu brokers, %zu aggregators",
             path, doctor->config.brokers.n, doctor->config.aggregators.n);
        return;
    }
    (void)agent_config_default(&doctor->config, error);
}

/* Whether the agent may look into the processes of other users: bit 19 of CapEff. */
static bool has_ptrace(struct doctor *doctor)
{
    struct reader *reader = &doctor->reader;
    const char *line;

    if (reader_once(reader, AT_FDCWD, "/proc/self/status") < 0 || reader->n >= reader->size) {
        return false;
    }
    reader->bytes[reader->n] = '\0';
    line = strstr(reader->bytes, "\nCapEff:");
    return line != NULL && (strtoull(line + strlen("\nCapEff:"), NULL, 16) >> 19 & 1) != 0;
}

static void check_rights(struct doctor *doctor)
{
    if (has_ptrace(doctor)) {
        TELL(doctor, FINDING_OK, "agent", "rights", "", "uid %u, with CAP_SYS_PTRACE",
             (unsigned)geteuid());
    } else {
        TELL(doctor, FINDING_OK, "agent", "rights", "",
             "uid %u, without CAP_SYS_PTRACE: /proc/PID/io, exe and fd of other users are hidden",
             (unsigned)geteuid());
    }
}

static void check_descriptors(struct doctor *doctor)
{
    const rlim_t n_wanted = DESCRIPTORS_OWN + DESCRIPTORS_PER_BROKER * doctor->config.brokers.n;
    struct rlimit limit = {0};

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < n_wanted) {
        TELL(doctor, FINDING_WARN, "agent", "descriptors", "raise the hard limit (LimitNOFILE=)",
             "%llu may be open, up to %llu may be needed", (unsigned long long)limit.rlim_max,
             (unsigned long long)n_wanted);
    } else {
        TELL(doctor, FINDING_OK, "agent", "descriptors", "", "%llu may be open",
             (unsigned long long)limit.rlim_max);
    }
}

static void check_library(struct doctor *doctor)
{
    if (link_library_is_defective()) {
        TELL(doctor, FINDING_WARN, "agent", "nng",
             "use nng 1.6 or later, or let a supervisor start the agent again (Restart=always)",
             "version %s can wedge; the agent notices and ends with status 75",
             link_library_version());
    } else {
        TELL(doctor, FINDING_OK, "agent", "nng", "", "version %s", link_library_version());
    }
}

static void check_url(struct doctor *doctor, const char *url)
{
    const int r = reach(url, REACH_TIMEOUT_MS);

    if (r < 0) {
        TELL(doctor, FINDING_FAIL, "agent", "aggregator",
             "start it, correct the url, or open the way (firewall, network policy)", "%s: %s", url,
             strerror(-r));
    } else {
        TELL(doctor, FINDING_OK, "agent", "aggregator", "", "%s listens", url);
    }
}

static void check_aggregators(struct doctor *doctor)
{
    const struct aggregator_options *aggregators = doctor->config.aggregators.elements;

    for (size_t i = 0; i < doctor->config.aggregators.n; i++) {
        check_url(doctor, aggregators[i].reports);
        check_url(doctor, aggregators[i].decisions);
    }
}

/* --- the host --- */

static void check_proc(struct doctor *doctor)
{
    int r;

    if (doctor->proc_fd < 0 || reader_once(&doctor->reader, doctor->proc_fd, "stat") < 0) {
        TELL(doctor, FINDING_FAIL, "host", "proc", "mount it, or correct proc_root",
             "%s cannot be read", doctor->config.proc_root);
        return;
    }
    TELL(doctor, FINDING_OK, "host", "proc", "", "%s can be read", doctor->config.proc_root);
    r = reader_once(&doctor->reader, doctor->proc_fd, "1/stat");
    if (r < 0) {
        TELL(doctor, FINDING_WARN, "host", "processes",
             "mount /proc without hidepid, or add the agent's user to the group of its gid=",
             "those of other users are hidden (hidepid, ProtectProc)");
    } else {
        TELL(doctor, FINDING_OK, "host", "processes", "", "those of other users can be seen");
    }
}

static void check_environment(struct doctor *doctor)
{
    const struct environment *environment = &doctor->once->report.environment;

    TELL(doctor, FINDING_OK, "agent", "environment", "", "%s",
         environment_kind_name(environment->kind));
    if (environment->hierarchy == HIERARCHY_NONE) {
        TELL(doctor, FINDING_FAIL, "host", "cgroups",
             "mount /sys/fs/cgroup into the agent's container, or set cgroup_root",
             "no cgroup file system can be seen");
        return;
    }
    TELL(doctor, FINDING_OK, "host", "cgroups", "", "%s",
         environment_hierarchy_name(environment->hierarchy));
    for (unsigned i = 0; i < ENVIRONMENT_CONTROLLERS; i++) {
        const uint64_t version = environment->versions[i];

        TELL(doctor, version != 0 ? FINDING_OK : FINDING_WARN, "host",
             environment_controller_name(i),
             version != 0 ? "" : "enable the controller (kernel, or cgroup.subtree_control)", "%s",
             version != 0 ? environment_version_name(version) : "no hierarchy serves it");
    }
}

static void check_namespaces(struct doctor *doctor)
{
    const struct environment_namespaces *namespaces = &doctor->namespaces;

    TELL(doctor, FINDING_OK, "agent", "pid namespace", "",
         namespaces->pid ? "its own, or a pod's: processes outside cannot be seen" : "the host's");
    if (namespaces->cgroup) {
        TELL(doctor, FINDING_WARN, "agent", "cgroup namespace",
             "run the agent in the host's (docker: --cgroupns=host), or mount the host's "
             "/sys/fs/cgroup and set cgroup_root",
             "its own: its cgroup is seen as /, and what lies above not at all");
    } else {
        TELL(doctor, FINDING_OK, "agent", "cgroup namespace", "", "the host's");
    }
    if (namespaces->network && namespaces->pid) {
        TELL(doctor, FINDING_WARN, "agent", "network namespace",
             "give the agent the host's network (hostNetwork) or pids (hostPID)",
             "its own, or a pod's: the host's traffic cannot be seen");
    } else if (namespaces->network) {
        TELL(doctor, FINDING_OK, "agent", "network namespace", "",
             "its own: the host's traffic is that of process 1");
    } else {
        TELL(doctor, FINDING_OK, "agent", "network namespace", "", "the host's");
    }
}

static void check_cgroup_library(struct doctor *doctor)
{
    struct sampler_statistics statistics;

    sampler_statistics(doctor->once->sampler, &statistics);
    if (doctor->config.cgroup_root[0] != '\0') {
        TELL(doctor, FINDING_OK, "host", "libcgroup", "",
             "not asked: cgroup_root tells where the hierarchies are");
    } else if (statistics.n_cgroup_library_errors > 0) {
        TELL(doctor, FINDING_WARN, "host", "libcgroup", "",
             "it fails here, or sees mounts otherwise than /proc/self/mountinfo tells, which the "
             "agent follows: nothing is lost");
    } else {
        TELL(doctor, FINDING_OK, "host", "libcgroup", "", "it agrees with mountinfo");
    }
}

static void check_pressure(struct doctor *doctor)
{
    const int r = reader_once(&doctor->reader, doctor->proc_fd, "pressure/cpu");

    if (r == -ENOENT) {
        TELL(doctor, FINDING_WARN, "host", "pressure",
             "use a kernel with CONFIG_PSI, or boot with psi=1", "/proc/pressure is not there");
    } else if (r < 0) {
        TELL(doctor, FINDING_WARN, "host", "pressure",
             r == -EOPNOTSUPP ? "boot with psi=1" : "let the agent read /proc/pressure",
             "/proc/pressure/cpu: %s", strerror(-r));
    } else {
        TELL(doctor, FINDING_OK, "host", "pressure", "", "/proc/pressure can be read");
    }
}

/* What of the host's values is absent. */
static void check_host_values(struct doctor *doctor)
{
    static const enum metric metrics[] = {METRIC_CPU_RATIO, METRIC_MEMORY_RATIO,
                                          METRIC_DISK_READ_BYTES_PER_S, METRIC_NET_RX_BYTES_PER_S};
    const struct value *values = doctor->once->report.host;

    for (size_t i = 0; i < N_ELEMENTS(metrics); i++) {
        const char *name = metric_info(metrics[i])->name;

        if (value_is_present(values[metrics[i]])) {
            TELL(doctor, FINDING_OK, "host", name, "", "present");
        } else {
            TELL(doctor, FINDING_WARN, "host", name,
                 values[metrics[i]].state == VALUE_DENIED ? "" : "mount /proc, and /sys beside it",
                 "absent: %s", value_state_name(values[metrics[i]].state));
        }
    }
}

static void check_sample(struct doctor *doctor)
{
    const int r = once_take(&doctor->config, ONCE_GAP_US_DEFAULT, &doctor->once);

    if (r < 0) {
        TELL(doctor, FINDING_FAIL, "agent", "sample", "", "none can be taken: %s", strerror(-r));
        return;
    }
    check_environment(doctor);
    check_namespaces(doctor);
    check_cgroup_library(doctor);
    check_pressure(doctor);
    check_host_values(doctor);
}

static void check_all(struct doctor *doctor, const char *path)
{
    uint64_t n_errors = 0;

    check_configuration(doctor, path);
    doctor->proc_fd = open(doctor->config.proc_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    cgroups_discover(doctor->cgroups, doctor->config.proc_root, doctor->config.cgroup_root,
                     &n_errors);
    environment_namespaces(doctor->proc_fd, &doctor->namespaces);
    check_rights(doctor);
    check_descriptors(doctor);
    check_library(doctor);
    check_proc(doctor);
    check_sample(doctor);
    check_aggregators(doctor);
    for (size_t i = 0; i < doctor->config.brokers.n; i++) {
        doctor_check_broker(doctor, i);
    }
}

static void release(struct doctor *doctor)
{
    once_free(doctor->once);
    match_processes_done(&doctor->all);
    cleanup_close_fd(&doctor->proc_fd);
    agent_config_done(&doctor->config);
    free(doctor->cgroups);
    free(doctor->reader.bytes);
}

int doctor_run(const char *path, enum show_format format, FILE *to)
{
    struct doctor doctor = {.proc_fd = -1, .reader = {.size = READER_BYTES}};
    bool is_well;
    int r;

    doctor.reader.bytes = malloc(READER_BYTES);
    doctor.cgroups = calloc(1, sizeof(*doctor.cgroups));
    r = doctor.reader.bytes == NULL || doctor.cgroups == NULL
            ? -ENOMEM
            : findings_open(&doctor.findings, format, to);
    if (r < 0) {
        release(&doctor);
        return r;
    }
    check_all(&doctor, path);
    is_well = findings_close(&doctor.findings);
    release(&doctor);
    return is_well ? 0 : 1;
}
