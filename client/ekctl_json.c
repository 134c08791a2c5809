/* Answers as JSON documents. Pure; allocates. The only file of ekctl that knows yajl. */
#include "client/ekctl_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_gen.h>

static void put_string(yajl_gen gen, const char *text)
{
    (void)yajl_gen_string(gen, (const unsigned char *)text, strlen(text));
}

static void put_text(yajl_gen gen, const char *key, const char *text)
{
    put_string(gen, key);
    put_string(gen, text);
}

/* Empty text says that there is none. */
static void put_text_or_null(yajl_gen gen, const char *key, const char *text)
{
    put_string(gen, key);
    if (text[0] == '\0') {
        (void)yajl_gen_null(gen);
    } else {
        put_string(gen, text);
    }
}

static void put_bool(yajl_gen gen, const char *key, bool value)
{
    put_string(gen, key);
    (void)yajl_gen_bool(gen, value);
}

static void put_count(yajl_gen gen, const char *key, uint64_t count)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%" PRIu64, count);

    put_string(gen, key);
    (void)yajl_gen_number(gen, text, (size_t)n);
}

static void put_null(yajl_gen gen, const char *key)
{
    put_string(gen, key);
    (void)yajl_gen_null(gen);
}

/* The shortest of 15 and 17 digits that reads back as the same number. */
static void put_number(yajl_gen gen, const char *key, double number)
{
    char text[40];
    int n;

    if (!isfinite(number)) {
        put_null(gen, key);
        return;
    }
    n = snprintf(text, sizeof(text), "%.15g", number);
    if (strtod(text, NULL) < number || strtod(text, NULL) > number) {
        n = snprintf(text, sizeof(text), "%.17g", number);
    }
    put_string(gen, key);
    (void)yajl_gen_number(gen, text, (size_t)n);
}

static void open_list(yajl_gen gen, const char *key)
{
    put_string(gen, key);
    (void)yajl_gen_array_open(gen);
}

/* Metrics flat in the map that is open, then why some are absent. */
static void put_metrics(yajl_gen gen, const struct ek_metric *metrics, size_t n)
{
    if (n == 0) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        put_number(gen, metrics[i].name, metrics[i].present ? metrics[i].value : NAN);
    }
    put_string(gen, "absent");
    (void)yajl_gen_map_open(gen);
    for (size_t i = 0; i < n; i++) {
        if (!metrics[i].present) {
            put_text(gen, metrics[i].name, metrics[i].absent);
        }
    }
    (void)yajl_gen_map_close(gen);
}

static void put_broker(yajl_gen gen, const struct ek_broker *broker)
{
    (void)yajl_gen_map_open(gen);
    put_text(gen, "id", broker->id);
    put_text_or_null(gen, "node", broker->node);
    put_text_or_null(gen, "address", broker->address);
    put_text(gen, "state", ek_freshness_name(broker->freshness));
    put_number(gen, "score", broker->ranked ? broker->score : NAN);
    put_number(gen, "age_seconds", broker->age_seconds);
    put_count(gen, "topics", broker->topics);
    put_count(gen, "report_bytes", broker->report_bytes);
    put_metrics(gen, broker->metrics, broker->n_metrics);
    (void)yajl_gen_map_close(gen);
}

static void put_brokers(yajl_gen gen, const struct ek_broker *brokers, size_t n)
{
    open_list(gen, "brokers");
    for (size_t i = 0; i < n; i++) {
        put_broker(gen, &brokers[i]);
    }
    (void)yajl_gen_array_close(gen);
}

static void put_topic(yajl_gen gen, const struct ek_topic *topic)
{
    (void)yajl_gen_map_open(gen);
    put_text(gen, "name", topic->name);
    put_bool(gen, "movable", topic->movable);
    open_list(gen, "candidates");
    for (size_t i = 0; i < topic->n_candidates; i++) {
        put_string(gen, topic->candidates[i]);
    }
    (void)yajl_gen_array_close(gen);
    put_metrics(gen, topic->metrics, topic->n_metrics);
    (void)yajl_gen_map_close(gen);
}

static void put_move(yajl_gen gen, const struct ek_move *move)
{
    put_count(gen, "id", move->id);
    put_text(gen, "topic", move->topic);
    put_text_or_null(gen, "from", move->from);
    put_text(gen, "to", move->to);
    put_text(gen, "state", ek_move_state_name(move->state));
    put_text(gen, "outcome", ek_move_outcome_name(move->outcome));
    put_number(gen, "seconds", move->seconds);
    put_text_or_null(gen, "text", move->text);
}

/* Start a document of `kind`. Returns NULL for want of memory. */
static yajl_gen document_begin(const char *kind)
{
    yajl_gen gen = yajl_gen_alloc(NULL);

    if (gen == NULL) {
        return NULL;
    }
    (void)yajl_gen_config(gen, yajl_gen_beautify, 1);
    (void)yajl_gen_config(gen, yajl_gen_indent_string, "  ");
    (void)yajl_gen_map_open(gen);
    put_text(gen, "api_version", JSON_API_VERSION);
    put_text(gen, "kind", kind);
    return gen;
}

/* End it. Returns its text, or NULL. */
static char *document_end(yajl_gen gen)
{
    const unsigned char *bytes;
    char *text = NULL;
    size_t n;

    (void)yajl_gen_map_close(gen);
    if (yajl_gen_get_buf(gen, &bytes, &n) == yajl_gen_status_ok) {
        text = strndup((const char *)bytes, n);
    }
    yajl_gen_free(gen);
    return text;
}

char *json_status(const struct ek_status *status)
{
    yajl_gen gen = document_begin("status");

    if (gen == NULL) {
        return NULL;
    }
    put_text(gen, "version", status->version);
    put_text(gen, "algorithm", status->algorithm);
    put_count(gen, "epoch", status->epoch);
    put_number(gen, "uptime_seconds", status->uptime_seconds);
    put_count(gen, "nodes", status->nodes);
    put_count(gen, "brokers_fresh", status->brokers_fresh);
    put_count(gen, "brokers_stale", status->brokers_stale);
    put_count(gen, "brokers_gone", status->brokers_gone);
    put_count(gen, "topics", status->topics);
    put_count(gen, "assignments", status->assignments);
    put_count(gen, "moves_in_flight", status->moves_in_flight);
    put_count(gen, "reports", status->reports);
    put_count(gen, "reports_refused", status->reports_refused);
    return document_end(gen);
}

char *json_ranking(const struct ek_ranking *ranking)
{
    yajl_gen gen = document_begin("ranking");

    if (gen == NULL) {
        return NULL;
    }
    put_brokers(gen, ranking->brokers, ranking->n_brokers);
    return document_end(gen);
}

char *json_reports(const struct ek_reports *reports, bool with_topics)
{
    yajl_gen gen = document_begin("reports");

    if (gen == NULL) {
        return NULL;
    }
    put_brokers(gen, reports->brokers, reports->n_brokers);
    if (with_topics) {
        open_list(gen, "topics");
        for (size_t i = 0; i < reports->n_topics; i++) {
            put_topic(gen, &reports->topics[i]);
        }
        (void)yajl_gen_array_close(gen);
    }
    return document_end(gen);
}

char *json_placement(const struct ek_placement *placement)
{
    yajl_gen gen = document_begin("placement");

    if (gen == NULL) {
        return NULL;
    }
    put_text(gen, "topic", placement->topic);
    put_text(gen, "broker", placement->broker);
    put_text_or_null(gen, "address", placement->address);
    put_text(gen, "source", ek_source_name(placement->source));
    return document_end(gen);
}

char *json_release(const char *topic)
{
    yajl_gen gen = document_begin("release");

    if (gen == NULL) {
        return NULL;
    }
    put_text(gen, "topic", topic);
    put_bool(gen, "released", true);
    return document_end(gen);
}

char *json_move(const struct ek_move *move, bool dry_run)
{
    yajl_gen gen = document_begin("move");

    if (gen == NULL) {
        return NULL;
    }
    put_move(gen, move);
    put_bool(gen, "dry_run", dry_run);
    return document_end(gen);
}

char *json_moves(const struct ek_moves *moves)
{
    yajl_gen gen = document_begin("moves");

    if (gen == NULL) {
        return NULL;
    }
    open_list(gen, "moves");
    for (size_t i = 0; i < moves->n_moves; i++) {
        (void)yajl_gen_map_open(gen);
        put_move(gen, &moves->moves[i]);
        (void)yajl_gen_map_close(gen);
    }
    (void)yajl_gen_array_close(gen);
    return document_end(gen);
}
