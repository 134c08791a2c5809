/* Filling a load report, and whether one may be believed. Pure. */
#include "common/report.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "common/refuse.h"

#define INTERVAL_US_MIN MILLISECONDS(100)
#define INTERVAL_US_MAX SECONDS(3600)

static const char *const topic_metrics[TOPIC_METRICS] = {
    [TOPIC_MESSAGES_IN_PER_S] = "messages_in_per_s",
    [TOPIC_BYTES_IN_PER_S] = "bytes_in_per_s",
    [TOPIC_MESSAGES_OUT_PER_S] = "messages_out_per_s",
    [TOPIC_BYTES_OUT_PER_S] = "bytes_out_per_s",
    [TOPIC_STORAGE_BYTES] = "storage_bytes",
    [TOPIC_BACKLOG_MESSAGES] = "backlog_messages",
    [TOPIC_PRODUCERS] = "producers",
    [TOPIC_CONSUMERS] = "consumers",
};

const char *topic_metric_name(enum topic_metric metric)
{
    assert(metric < TOPIC_METRICS);
    return topic_metrics[metric];
}

static void forget_values(struct value *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        values[i] = value_absent(VALUE_UNKNOWN);
    }
}

void report_clear(struct report *report)
{
    report->node[0] = '\0';
    report->boot_id = 0;
    report->seq = 0;
    report->sent_unix_us = 0;
    report->at_us = 0;
    report->interval_us = 0;
    report->applied_seq = 0;
    forget_values(report->host, METRICS);
    report->environment = (struct environment){0};
    report->n_brokers = 0;
    report->n_topics = 0;
}

struct broker_load *report_add_broker(struct report *report)
{
    struct broker_load *broker;

    if (report->n_brokers >= NODE_BROKERS_MAX) {
        return NULL;
    }
    broker = &report->brokers[report->n_brokers++];
    memset(broker, 0, offsetof(struct broker_load, peers)); /* 8 KB of names are not touched */
    broker->n_topics = 0;
    broker->n_topics_omitted = 0;
    forget_values(broker->values, METRICS);
    broker->first_topic = report->n_topics;
    return broker;
}

struct topic_load *report_add_topic(struct report *report)
{
    struct topic_load *topic;

    assert(report->n_brokers > 0);
    if (report->n_topics >= REPORT_TOPICS_MAX) {
        return NULL;
    }
    topic = &report->topics[report->n_topics++];
    topic->name.text[0] = '\0';
    topic->movable = false;
    topic->candidates = 0;
    forget_values(topic->values, TOPIC_METRICS);
    report->brokers[report->n_brokers - 1].n_topics++;
    return topic;
}

/* The index of the first value that cannot be, or `n`. */
static size_t find_bad_value(const struct value *values, size_t n)
{
    size_t i = 0;

    while (
        i < n && values[i].state < VALUE_STATES &&
        (!value_is_present(values[i]) || (isfinite(values[i].number) && values[i].number >= 0))) {
        i++;
    }
    return i;
}

static int check_topic(const struct topic_load *topic, size_t n_peers, char *ret_why)
{
    size_t n = strnlen(topic->name.text, sizeof(topic->name.text));
    size_t bad = find_bad_value(topic->values, TOPIC_METRICS);

    if (n > NAME_BYTES_MAX || !name_is_clean(topic->name.text, n)) {
        return refuse(-EBADMSG, ret_why,
                      "a topic's name is empty, not UTF-8, or holds a control "
                      "character");
    }
    if (n_peers < BROKER_PEERS_MAX && topic->candidates >> n_peers != 0) {
        return refuse(-EBADMSG, ret_why, "a topic's candidate is not among the broker's peers");
    }
    if (bad < TOPIC_METRICS) {
        return refuse(-EBADMSG, ret_why, "a topic's %s is not a finite number from 0 up",
                      topic_metric_name((enum topic_metric)bad));
    }
    return 0;
}

static int check_topics(const struct report *report, const struct broker_load *broker,
                        char *ret_why)
{
    for (size_t i = 0; i < broker->n_topics; i++) {
        int r = check_topic(&report->topics[broker->first_topic + i], broker->n_peers, ret_why);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int check_peers(const struct broker_load *broker, char *ret_why)
{
    if (broker->n_peers > BROKER_PEERS_MAX) {
        return refuse(-EBADMSG, ret_why, "a broker has more than %d peers", BROKER_PEERS_MAX);
    }
    for (size_t i = 0; i < broker->n_peers; i++) {
        if (!name_is_id(broker->peers[i])) {
            return refuse(-EBADMSG, ret_why, "peers[%zu] of broker %s is not an identity", i,
                          broker->id);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(broker->peers[i], broker->peers[j]) == 0) {
                return refuse(-EBADMSG, ret_why, "a peer of broker %s is named twice", broker->id);
            }
        }
    }
    return 0;
}

static int check_broker(const struct broker_load *broker, char *ret_why)
{
    size_t n_address = strnlen(broker->address, sizeof(broker->address));
    size_t bad = find_bad_value(broker->values, METRICS);

    if (!name_is_id(broker->id)) {
        return refuse(-EBADMSG, ret_why, "the id of a broker is not an identity");
    }
    if (n_address > ADDRESS_BYTES_MAX ||
        (n_address > 0 && !name_is_clean(broker->address, n_address))) {
        return refuse(-EBADMSG, ret_why, "the address of broker %s is not clean text", broker->id);
    }
    if (broker->state != BROKER_UP && broker->state != BROKER_DOWN) {
        return refuse(-EBADMSG, ret_why, "the state of broker %s is neither up nor down",
                      broker->id);
    }
    if (bad < METRICS) {
        return refuse(-EBADMSG, ret_why, "%s of broker %s is not a finite number from 0 up",
                      metric_info((enum metric)bad)->name, broker->id);
    }
    return check_peers(broker, ret_why);
}

/* The slices of the brokers follow each other, in the brokers' order, and cover all topics. */
static int check_slices(const struct report *report, char *ret_why)
{
    size_t next = 0;

    if (report->n_topics > REPORT_TOPICS_MAX) {
        return refuse(-EBADMSG, ret_why, "more than %d topics", REPORT_TOPICS_MAX);
    }
    for (size_t i = 0; i < report->n_brokers; i++) {
        const struct broker_load *broker = &report->brokers[i];

        if (broker->n_topics > 0 &&
            (broker->first_topic != next || broker->n_topics > report->n_topics - next)) {
            return refuse(-EBADMSG, ret_why, "brokers[%zu]: its topics are out of place", i);
        }
        next += broker->n_topics;
    }
    if (next != report->n_topics) {
        return refuse(-EBADMSG, ret_why, "topics that belong to no broker");
    }
    return 0;
}

static int check_ids_unique(const struct report *report, char *ret_why)
{
    for (size_t i = 0; i < report->n_brokers; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(report->brokers[i].id, report->brokers[j].id) == 0) {
                return refuse(-EBADMSG, ret_why, "broker %s is named twice", report->brokers[i].id);
            }
        }
    }
    return 0;
}

static int check_brokers(const struct report *report, char *ret_why)
{
    int r;

    for (size_t i = 0; i < report->n_brokers; i++) {
        r = check_broker(&report->brokers[i], ret_why);
        if (r < 0) {
            return r;
        }
        r = check_topics(report, &report->brokers[i], ret_why);
        if (r < 0) {
            return r;
        }
    }
    return check_ids_unique(report, ret_why);
}

static int check_head(const struct report *report, char *ret_why)
{
    size_t bad = find_bad_value(report->host, METRICS);

    if (report->at_us < 0 || report->at_us > TIME_NEVER) {
        return refuse(-EBADMSG, ret_why, "at_us is out of range");
    }
    if (report->interval_us < INTERVAL_US_MIN || report->interval_us > INTERVAL_US_MAX) {
        return refuse(-EBADMSG, ret_why, "interval_us is not between 100 ms and 1 h");
    }
    if (bad < METRICS) {
        return refuse(-EBADMSG, ret_why, "%s of the host is not a finite number from 0 up",
                      metric_info((enum metric)bad)->name);
    }
    if (report->n_brokers > NODE_BROKERS_MAX) {
        return refuse(-EBADMSG, ret_why, "more than %d brokers", NODE_BROKERS_MAX);
    }
    return 0;
}

int report_check(const struct report *report, char *ret_why)
{
    int r = check_head(report, ret_why);

    if (r < 0) {
        return r;
    }
    r = check_slices(report, ret_why);
    if (r < 0) {
        return r;
    }
    return check_brokers(report, ret_why);
}
