/* A report for people and for programs: as a table, and as JSON. Shell: writes to a stream.
 *
 * The unit of a value is the end of its name, and so is how it is shown: bytes in powers of 1024,
 * ratios as per cent. JSON has the raw numbers. */
#include "agent/show.h"

#include <string.h>

#include "common/json.h"

#define NUMBER_BYTES 64

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), n_end = strlen(end);

    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

static void write_bytes(double bytes, const char *per, char ret_text[NUMBER_BYTES])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t i = 0;

    while (bytes >= 1024 && i + 1 < sizeof(units) / sizeof(units[0])) {
        bytes /= 1024;
        i++;
    }
    (void)snprintf(ret_text, NUMBER_BYTES, i > 0 ? "%.1f %s%s" : "%.0f %s%s", bytes, units[i], per);
}

static void write_number(const char *name, double number, char ret_text[NUMBER_BYTES])
{
    if (ends_with(name, "_bytes_per_s") || (strncmp(name, "bytes_", 6) == 0)) {
        write_bytes(number, "/s", ret_text);
    } else if (ends_with(name, "_bytes")) {
        write_bytes(number, "", ret_text);
    } else if (ends_with(name, "_ratio")) {
        (void)snprintf(ret_text, NUMBER_BYTES, "%.2f %%", 100 * number);
    } else {
        (void)snprintf(ret_text, NUMBER_BYTES, "%.6g", number);
    }
}

/* --- table --- */

static void print_value(const char *name, struct value value, FILE *to)
{
    char text[NUMBER_BYTES];

    if (value_is_present(value)) {
        write_number(name, value.number, text);
        (void)fprintf(to, "  %-28s %s\n", name, text);
    } else {
        (void)fprintf(to, "  %-28s -  (%s)\n", name, value_state_name(value.state));
    }
}

static void print_values(const struct value *values, FILE *to)
{
    for (unsigned i = 0; i < METRICS; i++) {
        print_value(metric_info(i)->name, values[i], to);
    }
}

static void print_environment(const struct environment *environment, FILE *to)
{
    (void)fprintf(to, "environment %s, cgroup %s:", environment_kind_name(environment->kind),
                  environment_hierarchy_name(environment->hierarchy));
    for (unsigned i = 0; i < ENVIRONMENT_CONTROLLERS; i++) {
        (void)fprintf(to, " %s %s", environment_controller_name(i),
                      environment_version_name(environment->versions[i]));
    }
    (void)fputs("\n\n", to);
}

/* "name: messages_in_per_s 12, bytes_in_per_s 1.0 KiB/s, …": what is absent for the topic says why.
 */
static void print_topic(const struct topic_load *topic, FILE *to)
{
    (void)fprintf(to, "    %s%s:", topic->name.text, topic->movable ? "" : " (not movable)");
    for (unsigned i = 0; i < TOPIC_METRICS; i++) {
        const char *name = topic_metric_name(i);
        char text[NUMBER_BYTES];

        if (value_is_present(topic->values[i])) {
            write_number(name, topic->values[i].number, text);
        } else {
            (void)snprintf(text, sizeof(text), "- (%s)", value_state_name(topic->values[i].state));
        }
        (void)fprintf(to, "%s %s %s", i > 0 ? "," : "", name, text);
    }
    (void)fputs("\n", to);
}

static void print_broker(const struct report *report, const struct broker_load *broker, FILE *to)
{
    (void)fprintf(to, "\nbroker %s: %s%s%s\n", broker->id,
                  broker->state == BROKER_UP ? "up" : "down",
                  broker->address[0] != '\0' ? ", " : "", broker->address);
    print_values(broker->values, to);
    (void)fprintf(to, "  %-28s %s", "topics", broker->topics_known ? "" : "-  (unknown)\n");
    if (broker->topics_known) {
        (void)fprintf(to, "%zu\n", broker->n_topics + broker->n_topics_omitted);
    }
    for (size_t i = 0; i < broker->n_topics; i++) {
        print_topic(&report->topics[broker->first_topic + i], to);
    }
}

static void print_report(const struct report *report, FILE *to)
{
    (void)fprintf(to, "node %s\n", report->node);
    print_environment(&report->environment, to);
    (void)fputs("host\n", to);
    print_values(report->host, to);
    for (size_t i = 0; i < report->n_brokers; i++) {
        print_broker(report, &report->brokers[i], to);
    }
}

/* --- JSON --- */

typedef const char *(*name_of)(unsigned metric);

static const char *metric_name(unsigned metric)
{
    return metric_info(metric)->name;
}

static const char *topic_name(unsigned metric)
{
    return topic_metric_name(metric);
}

/* Values flat in the object that is open, null when absent, and then why. */
static void put_values(struct json *json, const struct value *values, unsigned n, name_of name)
{
    for (unsigned i = 0; i < n; i++) {
        if (value_is_present(values[i])) {
            json_number(json, name(i), values[i].number);
        } else {
            json_null(json, name(i));
        }
    }
    json_open_object(json, "absent");
    for (unsigned i = 0; i < n; i++) {
        if (!value_is_present(values[i])) {
            json_text(json, name(i), value_state_name(values[i].state));
        }
    }
    json_close_object(json);
}

static void put_environment(struct json *json, const struct environment *environment)
{
    json_open_object(json, "environment");
    json_text(json, "kind", environment_kind_name(environment->kind));
    json_text(json, "hierarchy", environment_hierarchy_name(environment->hierarchy));
    json_open_object(json, "controllers");
    for (unsigned i = 0; i < ENVIRONMENT_CONTROLLERS; i++) {
        json_text(json, environment_controller_name(i),
                  environment_version_name(environment->versions[i]));
    }
    json_close_object(json);
    json_close_object(json);
}

static void put_topic(struct json *json, const struct topic_load *topic)
{
    json_open_object(json, NULL);
    json_text(json, "name", topic->name.text);
    json_bool(json, "movable", topic->movable);
    put_values(json, topic->values, TOPIC_METRICS, topic_name);
    json_close_object(json);
}

static void put_peers(struct json *json, const struct broker_load *broker)
{
    json_open_list(json, "peers");
    for (size_t i = 0; i < broker->n_peers; i++) {
        json_text(json, NULL, broker->peers[i]);
    }
    json_close_list(json);
}

static void put_topics(struct json *json, const struct report *report,
                       const struct broker_load *broker)
{
    json_bool(json, "topics_known", broker->topics_known);
    json_count(json, "topics_omitted", broker->n_topics_omitted);
    json_open_list(json, "topics");
    for (size_t i = 0; i < broker->n_topics; i++) {
        put_topic(json, &report->topics[broker->first_topic + i]);
    }
    json_close_list(json);
}

static void put_broker(struct json *json, const struct report *report,
                       const struct broker_load *broker)
{
    json_open_object(json, NULL);
    json_text(json, "id", broker->id);
    json_text(json, "address", broker->address);
    json_text(json, "state", broker->state == BROKER_UP ? "up" : "down");
    json_count(json, "incarnation", broker->incarnation);
    json_bool(json, "actuator", broker->actuator);
    put_values(json, broker->values, METRICS, metric_name);
    put_peers(json, broker);
    put_topics(json, report, broker);
    json_close_object(json);
}

static int put_report(const struct report *report, FILE *to)
{
    struct json *json;
    int r;

    r = json_new(to, &json);
    if (r < 0) {
        return r;
    }
    json_text(json, "node", report->node);
    json_number(json, "gap_seconds", (double)report->interval_us / (double)US_PER_S);
    put_environment(json, &report->environment);
    json_open_object(json, "host");
    put_values(json, report->host, METRICS, metric_name);
    json_close_object(json);
    json_open_list(json, "brokers");
    for (size_t i = 0; i < report->n_brokers; i++) {
        put_broker(json, report, &report->brokers[i]);
    }
    json_close_list(json);
    json_free(json);
    return 0;
}

int show_report(const struct report *report, enum show_format format, FILE *to)
{
    if (format == SHOW_JSON) {
        return put_report(report, to);
    }
    print_report(report, to);
    return 0;
}
