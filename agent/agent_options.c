/* The agent's option rows, and the checks that rows cannot say. Shell (reads the file). */
#include "agent/agent_options.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/container.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/name.h"
#include "common/url.h"

#define KEY_BYTES_MAX 64

static const char *const source_types[] = {"none", "nats", NULL};
static const char *const actuator_types[] = {"none", "exec", NULL};

static const struct option_row report_rows[] = {
    {.key = "interval",
     .type = OPTION_DURATION,
     .offset = offsetof(struct agent_config, report_interval_us),
     .min = MILLISECONDS(100),
     .max = SECONDS(3600),
     .fallback = "5s",
     .help = "How often a sample is taken and reported; shorter notices faster and costs more."},
    {.key = NULL},
};

static const struct option_row aggregator_rows[] = {
    {.key = "reports",
     .type = OPTION_TEXT,
     .offset = offsetof(struct aggregator_options, reports),
     .min = 1,
     .max = ADDRESS_BYTES_MAX,
     .help = "Where this aggregator hears reports: tcp://host:7701 or ipc:///path."},
    {.key = "decisions",
     .type = OPTION_TEXT,
     .offset = offsetof(struct aggregator_options, decisions),
     .min = 1,
     .max = ADDRESS_BYTES_MAX,
     .help = "Where this aggregator is asked for decisions: tcp://host:7702 or ipc:///path."},
    {.key = NULL},
};

static const struct option_row match_rows[] = {
    {.key = "cgroup",
     .type = OPTION_TEXT,
     .offset = offsetof(struct match_options, cgroup),
     .max = ADDRESS_BYTES_MAX,
     .fallback = "",
     .help = "The broker's processes are those of this cgroup and below, a path from the "
             "hierarchy's root (/system.slice/nats.service); the surest way."},
    {.key = "pid_file",
     .type = OPTION_TEXT,
     .offset = offsetof(struct match_options, pid_file),
     .max = ADDRESS_BYTES_MAX,
     .fallback = "",
     .help = "The broker is the process whose number stands in this file."},
    {.key = "executable",
     .type = OPTION_TEXT,
     .offset = offsetof(struct match_options, executable),
     .max = ADDRESS_BYTES_MAX,
     .fallback = "",
     .help = "The broker is the process that runs this executable (last part, or a whole path)."},
    {.key = "arguments",
     .type = OPTION_TEXT,
     .offset = offsetof(struct match_options, arguments),
     .max = ADDRESS_BYTES_MAX,
     .fallback = "",
     .help = "With executable: a pattern (* and ?) over the arguments joined by spaces, for hosts "
             "that run several."},
    {.key = "port",
     .type = OPTION_INTEGER,
     .offset = offsetof(struct match_options, port),
     .min = 0,
     .max = 65535,
     .fallback = "0",
     .help = "The broker is the process that listens on this TCP port; 0 = not used."},
    {.key = "container",
     .type = OPTION_TEXT,
     .offset = offsetof(struct match_options, container),
     .max = CONTAINER_ID_DIGITS_MAX,
     .fallback = "",
     .help = "The broker's processes are those of the container with this id, or the first 12 or "
             "more digits of it."},
    {.key = "pod_mate",
     .type = OPTION_BOOL,
     .offset = offsetof(struct match_options, pod_mate),
     .fallback = "no",
     .help = "For a sidecar in a pod with a shared pid namespace: the broker's processes are those "
             "of the pod's other container; with several, that which runs executable."},
    {.key = NULL},
};

static const struct option_row network_rows[] = {
    {.key = "speed",
     .type = OPTION_SIZE,
     .offset = offsetof(struct broker_options, network_bytes_per_s),
     .min = 0,
     .max = INT64_C(1000) * 1000 * 1000 * 1000,
     .fallback = "0",
     .help = "What the way out carries each second (10Gbit), where the kernel does not know it "
             "(virtual machines); 0 = as the kernel says."},
    {.key = NULL},
};

static const struct option_row source_rows[] = {
    {.key = "type",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct source_options, type),
     .fallback = "none",
     .choices = source_types,
     .help = "Who tells the broker's topics: nats = its monitoring page. Its server_name must be "
             "the broker's id. none = the broker is ranked by what the kernel says alone."},
    {.key = "url",
     .type = OPTION_TEXT,
     .offset = offsetof(struct source_options, url),
     .max = ADDRESS_BYTES_MAX,
     .fallback = "",
     .help = "Where the page is: http://127.0.0.1:8222 for a nats-server with http_port 8222."},
    {.key = "interval",
     .type = OPTION_DURATION,
     .offset = offsetof(struct source_options, interval_us),
     .min = MILLISECONDS(100),
     .max = SECONDS(3600),
     .fallback = "5s",
     .help = "How often the broker is asked; a broker with many topics pays for each answer."},
    {.key = "timeout",
     .type = OPTION_DURATION,
     .offset = offsetof(struct source_options, timeout_us),
     .min = MILLISECONDS(100),
     .max = SECONDS(60),
     .fallback = "3s",
     .help = "How long one answer may take before it is given up."},
    {.key = "body_max",
     .type = OPTION_SIZE,
     .offset = offsetof(struct source_options, body_bytes_max),
     .min = 1024,
     .max = INT64_C(1024) * 1024 * 1024,
     .fallback = "16MiB",
     .help = "The longest answer that is read; raise it for brokers with many topics."},
    {.key = NULL},
};

static const struct option_row actuator_rows[] = {
    {.key = "type",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct actuator_options, type),
     .fallback = "none",
     .choices = actuator_types,
     .help = "What moves a topic away from this broker: exec = a program; none = nothing, moves "
             "are refused."},
    {.key = "command",
     .type = OPTION_TEXTS,
     .offset = offsetof(struct actuator_options, command),
     .max = 64,
     .help = "With exec: program and arguments, never through a shell; the move stands in the "
             "environment (EVENKEEL_TOPIC, EVENKEEL_FROM, EVENKEEL_TO, EVENKEEL_TO_ADDRESS, "
             "EVENKEEL_DECISION, EVENKEEL_DEADLINE_MS)."},
    {.key = "timeout",
     .type = OPTION_DURATION,
     .offset = offsetof(struct actuator_options, timeout_us),
     .min = MILLISECONDS(100),
     .max = SECONDS(3600),
     .fallback = "30s",
     .help = "How long it may run before it and its children are ended."},
    {.key = NULL},
};

static const struct option_row broker_rows[] = {
    {.key = "id",
     .type = OPTION_TEXT,
     .offset = offsetof(struct broker_options, id),
     .min = 1,
     .max = ID_BYTES_MAX,
     .help = "The broker's name in the fleet, unique there; as the broker calls itself."},
    {.key = "address",
     .type = OPTION_TEXT,
     .offset = offsetof(struct broker_options, address),
     .max = ADDRESS_BYTES_MAX,
     .fallback = "",
     .help = "Where clients reach it (nats://10.0.0.1:4222); told to those who ask who owns a "
             "topic."},
    {.key = "match",
     .type = OPTION_GROUP,
     .offset = offsetof(struct broker_options, match),
     .rows = match_rows,
     .help = "How its processes are found; exactly one way."},
    {.key = "data_directory",
     .type = OPTION_TEXT,
     .offset = offsetof(struct broker_options, data_directory),
     .max = ADDRESS_BYTES_MAX,
     .fallback = "",
     .help = "Where it keeps its data; the space of that file system is reported."},
    {.key = "network",
     .type = OPTION_GROUP,
     .offset = 0,
     .rows = network_rows,
     .help = "What the kernel cannot know of its network."},
    {.key = "source",
     .type = OPTION_GROUP,
     .offset = offsetof(struct broker_options, source),
     .rows = source_rows,
     .help = "Where its topics are learnt."},
    {.key = "actuator",
     .type = OPTION_GROUP,
     .offset = offsetof(struct broker_options, actuator),
     .rows = actuator_rows,
     .help = "How a topic is moved away from it."},
    {.key = NULL},
};

static const struct option_row http_rows[] = {
    {.key = "listen",
     .type = OPTION_TEXT,
     .offset = offsetof(struct agent_config, http_listen),
     .max = ADDRESS_BYTES_MAX,
     .fallback = "127.0.0.1:7710",
     .help = "Where /metrics, /healthz and /readyz are served; \"\" = nowhere."},
    {.key = NULL},
};

const struct option_row agent_rows[] = {
    {.key = "node",
     .type = OPTION_TEXT,
     .offset = offsetof(struct agent_config, node),
     .max = ID_BYTES_MAX,
     .fallback = "",
     .help = "This host's id in the fleet, unique there; \"\" = its host name."},
    {.key = "insecure",
     .type = OPTION_BOOL,
     .offset = offsetof(struct agent_config, insecure),
     .fallback = "no",
     .help = "Allow plain tcp to other hosts, where everybody on the way can read and write it."},
    {.key = "report",
     .type = OPTION_GROUP,
     .offset = 0,
     .rows = report_rows,
     .help = "How reports are made."},
    {.key = "proc_root",
     .type = OPTION_TEXT,
     .offset = offsetof(struct agent_config, proc_root),
     .min = 1,
     .max = ADDRESS_BYTES_MAX,
     .fallback = "/proc",
     .help = "Where the host's /proc is seen, for an agent in a container (/host/proc)."},
    {.key = "cgroup_root",
     .type = OPTION_TEXT,
     .offset = offsetof(struct agent_config, cgroup_root),
     .max = ADDRESS_BYTES_MAX,
     .fallback = "",
     .help = "Where the host's cgroups are seen, for an agent in a container "
             "(/host/sys/fs/cgroup); \"\" = found through mountinfo."},
    {.key = "aggregators",
     .type = OPTION_LIST,
     .offset = offsetof(struct agent_config, aggregators),
     .min = 0,
     .max = AGGREGATORS_MAX,
     .rows = aggregator_rows,
     .element_size = sizeof(struct aggregator_options),
     .help = "Every aggregator that is reported to; at least one."},
    {.key = "brokers",
     .type = OPTION_LIST,
     .offset = offsetof(struct agent_config, brokers),
     .min = 0,
     .max = NODE_BROKERS_MAX,
     .rows = broker_rows,
     .element_size = sizeof(struct broker_options),
     .help = "The brokers of this host."},
    {.key = "http",
     .type = OPTION_GROUP,
     .offset = 0,
     .rows = http_rows,
     .help = "Pages for machines."},
    {.key = "log",
     .type = OPTION_GROUP,
     .offset = offsetof(struct agent_config, log),
     .rows = log_option_rows,
     .help = "What is said on stderr."},
    {.key = NULL},
};

/* What every check needs. */
struct checking {
    const struct agent_config *config;
    const struct config_file *file;
    char *ret_error;
};

#define COMPLAIN(checking, key, ...)                                                               \
    (config_complain((checking)->file, (key), (checking)->ret_error, __VA_ARGS__), -EINVAL)

static int check_url(const struct checking *checking, const char *key, const char *url)
{
    char why[TEXT_BYTES_MAX + 1];

    if (url_check(url, checking->config->insecure, why) < 0) {
        return COMPLAIN(checking, key, "%s", why);
    }
    return 0;
}

static int check_aggregators(const struct checking *checking)
{
    const struct aggregator_options *aggregators = checking->config->aggregators.elements;
    char key[KEY_BYTES_MAX];
    int r;

    if (checking->config->aggregators.n == 0) {
        return COMPLAIN(checking, "aggregators", "names no aggregator; at least one is needed");
    }
    for (size_t i = 0; i < checking->config->aggregators.n; i++) {
        (void)snprintf(key, sizeof(key), "aggregators[%zu].reports", i);
        r = check_url(checking, key, aggregators[i].reports);
        if (r < 0) {
            return r;
        }
        (void)snprintf(key, sizeof(key), "aggregators[%zu].decisions", i);
        r = check_url(checking, key, aggregators[i].decisions);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int check_id(const struct checking *checking, size_t index)
{
    const struct broker_options *brokers = checking->config->brokers.elements;
    const char *id = brokers[index].id;
    char key[KEY_BYTES_MAX];

    (void)snprintf(key, sizeof(key), "brokers[%zu].id", index);
    if (!name_is_id(id)) {
        return COMPLAIN(checking, key,
                        "\"%s\" is not an id: 1 to %d letters, digits and . _ : @ - are", id,
                        ID_BYTES_MAX);
    }
    for (size_t i = 0; i < index; i++) {
        if (strcmp(brokers[i].id, id) == 0) {
            return COMPLAIN(checking, key, "%s is the id of brokers[%zu] too", id, i);
        }
    }
    return 0;
}

static int check_match(const struct checking *checking, size_t index,
                       const struct match_options *match)
{
    const bool by_executable = match->executable[0] != '\0' && !match->pod_mate;
    const int n_ways = (match->cgroup[0] != '\0') + (match->pid_file[0] != '\0') + by_executable +
                       (match->port != 0) + (match->container[0] != '\0') + match->pod_mate;
    char key[KEY_BYTES_MAX];

    (void)snprintf(key, sizeof(key), "brokers[%zu].match", index);
    if (n_ways != 1) {
        return COMPLAIN(checking, key,
                        "gives %d ways to find the broker; exactly one of cgroup, pid_file, "
                        "executable, port, container and pod_mate is needed",
                        n_ways);
    }
    if (match->arguments[0] != '\0' && match->executable[0] == '\0') {
        return COMPLAIN(checking, key, "arguments are matched only together with executable");
    }
    if (match->cgroup[0] != '\0' && match->cgroup[0] != '/') {
        return COMPLAIN(checking, key, "cgroup \"%s\" does not start with a slash", match->cgroup);
    }
    if (match->container[0] != '\0' && !container_is_id(match->container)) {
        return COMPLAIN(checking, key,
                        "container \"%s\" is not %d to %d lower-case hexadecimal digits",
                        match->container, CONTAINER_ID_DIGITS_MIN, CONTAINER_ID_DIGITS_MAX);
    }
    return 0;
}

static int check_source(const struct checking *checking, size_t index,
                        const struct source_options *source)
{
    char key[KEY_BYTES_MAX];

    (void)snprintf(key, sizeof(key), "brokers[%zu].source", index);
    if (source->type == SOURCE_NONE) {
        return 0;
    }
    if (source->url[0] == '\0') {
        return COMPLAIN(checking, key, "%s needs a url", source_types[source->type]);
    }
    if (strncmp(source->url, "http://", strlen("http://")) != 0 &&
        strncmp(source->url, "https://", strlen("https://")) != 0) {
        return COMPLAIN(checking, key, "url \"%s\" is neither http:// nor https://", source->url);
    }
    return 0;
}

static int check_actuator(const struct checking *checking, size_t index,
                          const struct actuator_options *actuator)
{
    char key[KEY_BYTES_MAX];

    (void)snprintf(key, sizeof(key), "brokers[%zu].actuator", index);
    if (actuator->type == ACTUATOR_EXEC &&
        (actuator->command.n == 0 || actuator->command.texts[0][0] == '\0')) {
        return COMPLAIN(checking, key, "exec needs a command");
    }
    return 0;
}

static int check_broker(const struct checking *checking, size_t index)
{
    const struct broker_options *broker =
        (const struct broker_options *)checking->config->brokers.elements + index;
    char key[KEY_BYTES_MAX];
    int r;

    r = check_id(checking, index);
    if (r < 0) {
        return r;
    }
    if (broker->address[0] != '\0' && !name_is_clean(broker->address, strlen(broker->address))) {
        (void)snprintf(key, sizeof(key), "brokers[%zu].address", index);
        return COMPLAIN(checking, key, "holds control characters");
    }
    r = check_match(checking, index, &broker->match);
    if (r < 0) {
        return r;
    }
    r = check_source(checking, index, &broker->source);
    if (r < 0) {
        return r;
    }
    return check_actuator(checking, index, &broker->actuator);
}

static int check(const struct checking *checking)
{
    const struct agent_config *config = checking->config;
    int r;

    if (config->node[0] != '\0' && !name_is_id(config->node)) {
        return COMPLAIN(checking, "node",
                        "\"%s\" is not an id: 1 to %d letters, digits and . _ : @ - are",
                        config->node, ID_BYTES_MAX);
    }
    r = check_aggregators(checking);
    for (size_t i = 0; r == 0 && i < config->brokers.n; i++) {
        r = check_broker(checking, i);
    }
    return r;
}

int agent_config_read(const char *path, struct agent_config *ret_config, char *ret_error)
{
    struct agent_config config = {0};
    struct config_file *file = NULL;
    struct checking checking = {.config = &config, .ret_error = ret_error};
    int r;

    r = config_read(path, agent_rows, &config, &file, ret_error);
    if (r < 0) {
        return r;
    }
    checking.file = file;
    r = check(&checking);
    config_file_free(file);
    if (r < 0) {
        config_done(agent_rows, &config, sizeof(config));
        return r;
    }
    *ret_config = config;
    return 0;
}

int agent_config_default(struct agent_config *ret_config, char *ret_error)
{
    *ret_config = (struct agent_config){0};
    return config_read_bytes("defaults", "", 0, agent_rows, ret_config, NULL, ret_error);
}

void agent_config_done(struct agent_config *config)
{
    config_done(agent_rows, config, sizeof(*config));
}
