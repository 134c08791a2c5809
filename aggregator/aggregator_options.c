/* The aggregator's option rows, and the checks that rows cannot say. Shell (reads the file). */
#include "aggregator/aggregator_options.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/limits.h"
#include "common/log.h"
#include "common/name.h"
#include "common/url.h"

/* 0.05 is no binary number: sums of such weights miss 1.0 by some 1e-16, and people by rounding. */
#define WEIGHTS_TOLERANCE 0.001

static const char *const algorithms[] = {"simple", "weighted_composite", NULL};

#define LISTEN_ROW(name, url, why)                                                                 \
    {                                                                                              \
        .key = #name, .type = OPTION_TEXT, .offset = offsetof(struct listen_options, name),        \
        .min = 1, .max = ADDRESS_BYTES_MAX, .fallback = (url), .help = (why)                       \
    }

static const struct option_row listen_rows[] = {
    LISTEN_ROW(reports, "tcp://127.0.0.1:7701", "Where agents send their reports."),
    LISTEN_ROW(decisions, "tcp://127.0.0.1:7702", "Where agents ask for decisions."),
    LISTEN_ROW(queries, "tcp://127.0.0.1:7703", "Where brokers, clients and ekctl ask."),
    LISTEN_ROW(feed, "tcp://127.0.0.1:7704", "Where listeners hear the ranking and the moves."),
    {.key = NULL},
};

#define WEIGHT_ROW(name, resource, weight, why)                                                    \
    {                                                                                              \
        .key = #name, .type = OPTION_REAL,                                                         \
        .offset = offsetof(struct aggregator_config, weights) + (resource) * sizeof(double),       \
        .real_min = 0, .real_max = 1, .fallback = (weight), .help = (why)                          \
    }

static const struct option_row weight_rows[] = {
    WEIGHT_ROW(cpu, RANK_CPU, "0.25", "Percent of the broker's CPU limit."),
    WEIGHT_ROW(memory, RANK_MEMORY, "0.20", "Percent of the broker's memory limit."),
    WEIGHT_ROW(disk_io, RANK_DISK_IO, "0.15", "Bytes read and written a second."),
    WEIGHT_ROW(network_io, RANK_NETWORK_IO, "0.10", "Bytes received and sent a second."),
    WEIGHT_ROW(throughput, RANK_THROUGHPUT, "0.15", "Mbit/s of its topics, in and out."),
    WEIGHT_ROW(topic_count, RANK_TOPIC_COUNT, "0.10", "Number of its topics."),
    WEIGHT_ROW(disk_usage, RANK_DISK_USAGE, "0.05", "GB used where its data lies."),
    WEIGHT_ROW(pressure, RANK_PRESSURE, "0",
               "Percent of time that its tasks waited for CPU, memory or I/O, the worst of the "
               "three (PSI)."),
    {.key = NULL},
};

static const struct option_row ranking_rows[] = {
    {.key = "algorithm",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct aggregator_config, algorithm),
     .fallback = "weighted_composite",
     .choices = algorithms,
     .help =
         "simple = by number of topics; weighted_composite = by what brokers use, each resource "
         "against the largest in the fleet."},
    {.key = "weights",
     .type = OPTION_GROUP,
     .offset = 0,
     .rows = weight_rows,
     .help = "How much each resource counts in weighted_composite; the sum must be 1.0."},
    {.key = NULL},
};

static const struct option_row fleet_rows[] = {
    {.key = "stale_intervals",
     .type = OPTION_INTEGER,
     .offset = offsetof(struct aggregator_config, stale_intervals),
     .min = 1,
     .max = 100,
     .fallback = "3",
     .help = "A broker silent for more of its report intervals is neither ranked nor assigned to; "
             "fewer notice sooner and forgive fewer lost reports."},
    {.key = "gone_intervals",
     .type = OPTION_INTEGER,
     .offset = offsetof(struct aggregator_config, gone_intervals),
     .min = 2,
     .max = 1000,
     .fallback = "12",
     .help = "… and for more than this is taken for gone: its topics may be assigned elsewhere."},
    {.key = "forget_after",
     .type = OPTION_DURATION,
     .offset = offsetof(struct aggregator_config, forget_after_us),
     .min = SECONDS(1),
     .max = SECONDS(30 * 86400),
     .fallback = "1h",
     .help = "How long a broker that is gone is still listed."},
    {.key = NULL},
};

static const struct option_row moves_rows[] = {
    {.key = "deadline",
     .type = OPTION_DURATION,
     .offset = offsetof(struct aggregator_config, move_deadline_us),
     .min = SECONDS(1),
     .max = SECONDS(30 * 60),
     .fallback = "60s",
     .help = "A move that no report has confirmed by then has timed out; above the actuators' "
             "timeout and two report intervals."},
    {.key = NULL},
};

static const struct option_row polls_rows[] = {
    {.key = "hold",
     .type = OPTION_DURATION,
     .offset = offsetof(struct aggregator_config, poll_hold_us),
     .min = SECONDS(1),
     .max = SECONDS(60),
     .fallback = "10s",
     .help = "How long an agent's request waits here for a decision; longer costs fewer messages."},
    {.key = NULL},
};

static const struct option_row http_rows[] = {
    {.key = "listen",
     .type = OPTION_TEXT,
     .offset = offsetof(struct aggregator_config, http_listen),
     .max = ADDRESS_BYTES_MAX,
     .fallback = "127.0.0.1:7700",
     .help = "Where /metrics, /healthz and /readyz are served; \"\" = nowhere."},
    {.key = NULL},
};

const struct option_row aggregator_rows[] = {
    {.key = "id",
     .type = OPTION_TEXT,
     .offset = offsetof(struct aggregator_config, id),
     .max = ID_BYTES_MAX,
     .fallback = "",
     .help = "What this aggregator calls itself in messages; \"\" = its host name."},
    {.key = "insecure",
     .type = OPTION_BOOL,
     .offset = offsetof(struct aggregator_config, insecure),
     .fallback = "no",
     .help = "Allow plain tcp from other hosts, where everybody on the way can read and write it."},
    {.key = "listen",
     .type = OPTION_GROUP,
     .offset = offsetof(struct aggregator_config, listen),
     .rows = listen_rows,
     .help = "Where the sockets listen: tcp://host:port or ipc:///path."},
    {.key = "http",
     .type = OPTION_GROUP,
     .offset = 0,
     .rows = http_rows,
     .help = "Pages for machines."},
    {.key = "ranking",
     .type = OPTION_GROUP,
     .offset = 0,
     .rows = ranking_rows,
     .help = "How brokers are compared."},
    {.key = "fleet",
     .type = OPTION_GROUP,
     .offset = 0,
     .rows = fleet_rows,
     .help = "When silence counts, in the report intervals of each node itself."},
    {.key = "moves",
     .type = OPTION_GROUP,
     .offset = 0,
     .rows = moves_rows,
     .help = "How topics are moved."},
    {.key = "polls",
     .type = OPTION_GROUP,
     .offset = 0,
     .rows = polls_rows,
     .help = "How agents' requests for decisions are held."},
    {.key = "log",
     .type = OPTION_GROUP,
     .offset = offsetof(struct aggregator_config, log),
     .rows = log_option_rows,
     .help = "What is said on stderr."},
    {.key = NULL},
};

/* What every check needs. */
struct checking {
    const struct aggregator_config *config;
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

static int check_listen(const struct checking *checking)
{
    const struct listen_options *listen = &checking->config->listen;
    const struct {
        const char *key, *url;
    } urls[] = {
        {"listen.reports", listen->reports},
        {"listen.decisions", listen->decisions},
        {"listen.queries", listen->queries},
        {"listen.feed", listen->feed},
    };
    int r = 0;

    for (size_t i = 0; i < N_ELEMENTS(urls) && r == 0; i++) {
        r = check_url(checking, urls[i].key, urls[i].url);
        for (size_t k = 0; k < i && r == 0; k++) {
            if (strcmp(urls[i].url, urls[k].url) == 0) {
                r = COMPLAIN(checking, urls[i].key, "%s is %s too", urls[i].url, urls[k].key);
            }
        }
    }
    return r;
}

static int check_weights(const struct checking *checking)
{
    double sum = 0;

    for (size_t i = 0; i < RANK_RESOURCES; i++) {
        sum += checking->config->weights[i];
    }
    if (fabs(sum - 1.0) > WEIGHTS_TOLERANCE + 1e-9) {
        return COMPLAIN(checking, "ranking.weights", "sum is %g, must be 1.0 (± 0.001)", sum);
    }
    return 0;
}

static int check(const struct checking *checking)
{
    const struct aggregator_config *config = checking->config;
    int r;

    if (config->id[0] != '\0' && !name_is_id(config->id)) {
        return COMPLAIN(checking, "id",
                        "\"%s\" is not an id: 1 to %d letters, digits and . _ : @ - are",
                        config->id, ID_BYTES_MAX);
    }
    if (config->gone_intervals <= config->stale_intervals) {
        return COMPLAIN(checking, "fleet.gone_intervals",
                        "%lld is not above fleet.stale_intervals (%lld)",
                        (long long)config->gone_intervals, (long long)config->stale_intervals);
    }
    r = check_listen(checking);
    return r == 0 ? check_weights(checking) : r;
}

/* Check what was read; release it when it is refused. Takes `file`. */
static int finish(struct aggregator_config *config, struct config_file *file, char *ret_error)
{
    struct checking checking = {.config = config, .file = file, .ret_error = ret_error};
    int r = check(&checking);

    config_file_free(file);
    if (r < 0) {
        aggregator_config_done(config);
    }
    return r;
}

int aggregator_config_read(const char *path, struct aggregator_config *ret_config, char *ret_error)
{
    struct config_file *file = NULL;
    int r;

    memset(ret_config, 0, sizeof(*ret_config));
    r = config_read(path, aggregator_rows, ret_config, &file, ret_error);
    return r == 0 ? finish(ret_config, file, ret_error) : r;
}

int aggregator_config_read_bytes(const char *name, const char *bytes, size_t n,
                                 struct aggregator_config *ret_config, char *ret_error)
{
    struct config_file *file = NULL;
    int r;

    memset(ret_config, 0, sizeof(*ret_config));
    r = config_read_bytes(name, bytes, n, aggregator_rows, ret_config, &file, ret_error);
    return r == 0 ? finish(ret_config, file, ret_error) : r;
}

void aggregator_config_done(struct aggregator_config *config)
{
    config_done(aggregator_rows, config, sizeof(*config));
}

struct aggregator_settings aggregator_config_settings(const struct aggregator_config *config)
{
    struct aggregator_settings settings = {
        .fleet = {.stale_intervals = config->stale_intervals,
                  .gone_intervals = config->gone_intervals,
                  .forget_after_us = config->forget_after_us},
        .rank = {.algorithm = (enum rank_algorithm)config->algorithm},
        .move_deadline_us = config->move_deadline_us,
        .poll_hold_us = config->poll_hold_us,
    };

    memcpy(settings.rank.weights, config->weights, sizeof(settings.rank.weights));
    return settings;
}
