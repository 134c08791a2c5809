/* ekctl's commands that ask and print. Shell. */
#include "client/ekctl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/ekctl_json.h"
#include "client/ekctl_table.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static bool wants_json(const struct ekctl *ekctl)
{
    return ekctl->options.output == OUTPUT_JSON;
}

/* The table's text; the table is freed. */
static char *finish(struct table *table)
{
    char *text = table_text(table);

    table_free(table);
    return text;
}

static const struct column pair_columns[] = {{NULL, false}, {NULL, false}};

static void add_count(struct table *table, const char *name, uint64_t count)
{
    table_cell(table, "%s", name);
    table_cell(table, "%" PRIu64, count);
}

static void add_text(struct table *table, const char *name, const char *text)
{
    table_cell(table, "%s", name);
    table_cell(table, "%s", text);
}

static char *status_text(const struct ek_status *status)
{
    struct table *table = table_new(pair_columns, N(pair_columns));

    add_text(table, "version", status->version);
    add_text(table, "ranked by", status->algorithm);
    add_text(table, "up for", human_seconds(status->uptime_seconds).text);
    add_count(table, "epoch", status->epoch);
    add_count(table, "nodes", status->nodes);
    table_cell(table, "brokers");
    table_cell(table, "%" PRIu64 " fresh, %" PRIu64 " stale, %" PRIu64 " gone",
               status->brokers_fresh, status->brokers_stale, status->brokers_gone);
    add_count(table, "topics", status->topics);
    add_count(table, "assignments", status->assignments);
    add_count(table, "moves in flight", status->moves_in_flight);
    table_cell(table, "reports");
    table_cell(table, "%" PRIu64 " accepted, %" PRIu64 " refused", status->reports,
               status->reports_refused);
    return finish(table);
}

int ekctl_status(struct ekctl *ekctl)
{
    struct ek_status status;
    int r = ek_status(ekctl->client, &status);

    if (r < 0) {
        return ekctl_fail(ekctl, r);
    }
    return ekctl_print(wants_json(ekctl) ? json_status(&status) : status_text(&status), EKCTL_OK);
}

static void add_score(struct table *table, const struct ek_broker *broker)
{
    if (broker->ranked) {
        table_cell(table, "%.3f", broker->score);
    } else {
        table_cell(table, "-");
    }
}

static char *ranking_text(const struct ek_ranking *ranking)
{
    static const struct column columns[] = {
        {"RANK", true},  {"BROKER", false}, {"SCORE", true},    {"TOPICS", true},
        {"NODE", false}, {"REPORT", true},  {"ADDRESS", false},
    };
    struct table *table = table_new(columns, N(columns));

    for (size_t i = 0; i < ranking->n_brokers; i++) {
        const struct ek_broker *broker = &ranking->brokers[i];

        table_cell(table, "%zu", i + 1);
        table_cell(table, "%s", broker->id);
        add_score(table, broker);
        table_cell(table, "%" PRIu64, broker->topics);
        table_cell(table, "%s", broker->node);
        table_cell(table, "%s ago", human_seconds(broker->age_seconds).text);
        table_cell(table, "%s", broker->address);
    }
    return finish(table);
}

int ekctl_ranking(struct ekctl *ekctl)
{
    struct ek_ranking *ranking;
    int r = ek_ranking(ekctl->client, &ranking);
    char *text;

    if (r < 0) {
        return ekctl_fail(ekctl, r);
    }
    text = wants_json(ekctl) ? json_ranking(ranking) : ranking_text(ranking);
    ek_ranking_free(ranking);
    return ekctl_print(text, EKCTL_OK);
}

/* The metrics that have a column in the list of brokers, and its header. */
static const struct {
    const char *header;
    const char *metric;
} broker_metrics[] = {
    {"CPU", "cpu_ratio"},
    {"MEM", "memory_ratio"},
    {"MEMORY", "memory_bytes"},
    {"DISK-R", "disk_read_bytes_per_s"},
    {"DISK-W", "disk_write_bytes_per_s"},
    {"NET-IN", "net_rx_bytes_per_s"},
    {"NET-OUT", "net_tx_bytes_per_s"},
};

#define BROKER_COLUMNS (4 + N(broker_metrics) + 2)

static void brokers_columns(struct column *ret_columns)
{
    size_t n = 0;

    ret_columns[n++] = (struct column){"BROKER", false};
    ret_columns[n++] = (struct column){"NODE", false};
    ret_columns[n++] = (struct column){"STATE", false};
    ret_columns[n++] = (struct column){"SCORE", true};
    for (size_t i = 0; i < N(broker_metrics); i++) {
        ret_columns[n++] = (struct column){broker_metrics[i].header, true};
    }
    ret_columns[n++] = (struct column){"TOPICS", true};
    ret_columns[n] = (struct column){"REPORT", true};
}

static char *brokers_text(const struct ek_reports *reports)
{
    struct column columns[BROKER_COLUMNS];
    struct table *table;

    brokers_columns(columns);
    table = table_new(columns, N(columns));
    for (size_t i = 0; i < reports->n_brokers; i++) {
        const struct ek_broker *broker = &reports->brokers[i];

        table_cell(table, "%s", broker->id);
        table_cell(table, "%s", broker->node);
        table_cell(table, "%s", ek_freshness_name(broker->freshness));
        add_score(table, broker);
        for (size_t m = 0; m < N(broker_metrics); m++) {
            const struct ek_metric *metric = metric_find(broker->metrics, broker->n_metrics,
                                                         broker_metrics[m].metric);

            table_cell(table, "%s", human_metric(metric).text);
        }
        table_cell(table, "%" PRIu64, broker->topics);
        table_cell(table, "%s ago", human_seconds(broker->age_seconds).text);
    }
    return finish(table);
}

static char *broker_text(const struct ek_broker *broker)
{
    struct table *table = table_new(pair_columns, N(pair_columns));

    add_text(table, "broker", broker->id);
    add_text(table, "node", broker->node);
    add_text(table, "address", broker->address);
    add_text(table, "state", ek_freshness_name(broker->freshness));
    table_cell(table, "score");
    add_score(table, broker);
    add_count(table, "topics", broker->topics);
    add_text(table, "report's age", human_seconds(broker->age_seconds).text);
    add_text(table, "report's size", human_bytes((double)broker->report_bytes).text);
    return finish(table);
}

static char *metrics_text(const struct ek_broker *broker)
{
    static const struct column columns[] = {{"METRIC", false}, {"VALUE", true}, {"WHY", false}};
    struct table *table = table_new(columns, N(columns));

    for (size_t i = 0; i < broker->n_metrics; i++) {
        const struct ek_metric *metric = &broker->metrics[i];

        table_cell(table, "%s", metric->name);
        table_cell(table, "%s", human_metric(metric).text);
        table_cell(table, "%s", metric->present ? "" : metric->absent);
    }
    return finish(table);
}

static void add_topic_metric(struct table *table, const struct ek_topic *topic, const char *name)
{
    table_cell(table, "%s", human_metric(metric_find(topic->metrics, topic->n_metrics, name)).text);
}

static void add_candidates(struct table *table, const struct ek_topic *topic)
{
    char text[EK_NAME_SIZE] = "";
    size_t n = 0;

    for (size_t i = 0; i < topic->n_candidates && n < sizeof(text); i++) {
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", i > 0 ? "," : "",
                              topic->candidates[i]);
    }
    table_cell(table, "%s", text);
}

static char *topics_text(const struct ek_reports *reports)
{
    static const struct column columns[] = {
        {"TOPIC", false}, {"MOVABLE", false}, {"MSG-IN", true},  {"IN", true},
        {"OUT", true},    {"STORAGE", true},  {"BACKLOG", true}, {"CANDIDATES", false},
    };
    struct table *table = table_new(columns, N(columns));

    for (size_t i = 0; i < reports->n_topics; i++) {
        const struct ek_topic *topic = &reports->topics[i];

        table_cell(table, "%s", topic->name);
        table_cell(table, "%s", topic->movable ? "yes" : "no");
        add_topic_metric(table, topic, "messages_in_per_s");
        add_topic_metric(table, topic, "bytes_in_per_s");
        add_topic_metric(table, topic, "bytes_out_per_s");
        add_topic_metric(table, topic, "storage_bytes");
        add_topic_metric(table, topic, "backlog_messages");
        add_candidates(table, topic);
    }
    return finish(table);
}

/* One broker: what it is, its metrics, its topics. */
static char *report_text(const struct ek_reports *reports)
{
    char *parts[] = {broker_text(&reports->brokers[0]), metrics_text(&reports->brokers[0]),
                     topics_text(reports)};
    char *text = NULL;

    if (parts[0] != NULL && parts[1] != NULL && parts[2] != NULL &&
        asprintf(&text, "%s\n%s\n%s", parts[0], parts[1], parts[2]) < 0) {
        text = NULL;
    }
    for (size_t i = 0; i < N(parts); i++) {
        free(parts[i]);
    }
    return text;
}

int ekctl_reports(struct ekctl *ekctl)
{
    const char *broker = ekctl->options.broker;
    struct ek_reports *reports;
    int r = ek_reports(ekctl->client, broker, &reports);
    char *text;

    if (r < 0) {
        return ekctl_fail(ekctl, r);
    }
    if (wants_json(ekctl)) {
        text = json_reports(reports, broker != NULL);
    } else {
        text = broker != NULL && reports->n_brokers == 1 ? report_text(reports)
                                                         : brokers_text(reports);
    }
    ek_reports_free(reports);
    return ekctl_print(text, EKCTL_OK);
}

static char *placement_text(const struct ek_placement *placement)
{
    static const struct column columns[] = {
        {"TOPIC", false}, {"BROKER", false}, {"SOURCE", false}, {"ADDRESS", false}};
    struct table *table = table_new(columns, N(columns));

    table_cell(table, "%s", placement->topic);
    table_cell(table, "%s", placement->broker);
    table_cell(table, "%s", ek_source_name(placement->source));
    table_cell(table, "%s", placement->address);
    return finish(table);
}

static int print_placement(struct ekctl *ekctl, int r, const struct ek_placement *placement)
{
    if (r < 0) {
        return ekctl_fail(ekctl, r);
    }
    return ekctl_print(wants_json(ekctl) ? json_placement(placement) : placement_text(placement),
                       EKCTL_OK);
}

int ekctl_assign(struct ekctl *ekctl)
{
    struct ek_placement placement;
    int r = ek_assign(ekctl->client, ekctl->options.argument, &placement);

    return print_placement(ekctl, r, &placement);
}

int ekctl_lookup(struct ekctl *ekctl)
{
    struct ek_placement placement;
    int r = ek_lookup(ekctl->client, ekctl->options.argument, &placement);

    return print_placement(ekctl, r, &placement);
}

int ekctl_release(struct ekctl *ekctl)
{
    const char *topic = ekctl->options.argument;
    char *text = NULL;
    int r = ek_release(ekctl->client, topic);

    if (r < 0) {
        return ekctl_fail(ekctl, r);
    }
    if (wants_json(ekctl)) {
        text = json_release(topic);
    } else if (asprintf(&text, "%s is released\n", topic) < 0) {
        text = NULL;
    }
    return ekctl_print(text, EKCTL_OK);
}
