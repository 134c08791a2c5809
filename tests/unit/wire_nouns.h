/* The nouns of the golden messages, and whether two nouns say the same. For tests of the wire. */
#ifndef TESTS_UNIT_WIRE_NOUNS_H
#define TESTS_UNIT_WIRE_NOUNS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/wire.h"

/* -- The golden ones. They were encoded once, and never change. -- */

static const struct envelope golden_envelope = {
    .sender = "node-1",
    .boot_id = 0x1122334455667788,
    .seq = 42,
    .sent_unix_us = 1700000000123456,
};

static inline void golden_broker(struct broker_load *broker)
{
    strcpy(broker->id, "nats-1");
    strcpy(broker->address, "nats://10.0.0.1:4222");
    broker->state = BROKER_UP;
    broker->incarnation = 0xfedcba9876543210;
    broker->actuator = true;
    broker->topics_known = true;
    broker->values[METRIC_CPU_CORES] = value_of(1.5);
    broker->values[METRIC_CPU_LIMIT_CORES] = value_of(4);
    broker->values[METRIC_CPU_RATIO] = value_of(0.375);
    broker->values[METRIC_CPU_THROTTLED_RATIO] = value_absent(VALUE_FIRST);
    broker->values[METRIC_MEMORY_BYTES] = value_of(268435456);
    broker->values[METRIC_MEMORY_WORKING_SET_BYTES] = value_absent(VALUE_RESET);
    broker->values[METRIC_MEMORY_LIMIT_BYTES] = value_absent(VALUE_UNLIMITED);
    broker->values[METRIC_MEMORY_RATIO] = value_absent(VALUE_UNSUPPORTED);
    broker->values[METRIC_DISK_READ_BYTES_PER_S] = value_absent(VALUE_DENIED);
    broker->values[METRIC_DISK_WRITE_BYTES_PER_S] = value_absent(VALUE_FAILED);
    broker->values[METRIC_DISK_USED_BYTES] = value_absent(VALUE_UNCONFIGURED);
    broker->values[METRIC_DISK_TOTAL_BYTES] = value_absent(VALUE_GONE);
    broker->values[METRIC_NET_RX_BYTES_PER_S] = value_absent(VALUE_SHARED);
    broker->values[METRIC_NET_TX_BYTES_PER_S] = value_of(9007199254740992.0);
    strcpy(broker->peers[0], "nats-2");
    strcpy(broker->peers[1], "nats-3");
    broker->n_peers = 2;
    broker->n_topics_omitted = 5;
}

static inline void golden_topics(struct topic_load *first, struct topic_load *second)
{
    strcpy(first->name.text, "$G/orders");
    first->movable = true;
    first->candidates = 3;
    first->values[TOPIC_MESSAGES_IN_PER_S] = value_of(1000.5);
    first->values[TOPIC_BYTES_IN_PER_S] = value_of(256128);
    first->values[TOPIC_MESSAGES_OUT_PER_S] = value_of(0.25);
    first->values[TOPIC_BYTES_OUT_PER_S] = value_of(0);
    first->values[TOPIC_STORAGE_BYTES] = value_of(5000000000);
    first->values[TOPIC_BACKLOG_MESSAGES] = value_absent(VALUE_UNSUPPORTED);
    first->values[TOPIC_PRODUCERS] = value_of(2);
    first->values[TOPIC_CONSUMERS] = value_of(300);
    strcpy(second->name.text, "$G/gr\xc3\xb6\xc3\x9f"
                              "en");
    second->values[TOPIC_MESSAGES_IN_PER_S] = value_absent(VALUE_FIRST);
}

static inline void golden_report(struct report *report)
{
    struct broker_load *broker;
    struct topic_load *topic;

    report_clear(report);
    report->at_us = 5000000123;
    report->interval_us = SECONDS(5);
    report->applied_seq = 7;
    report->host[METRIC_CPU_RATIO] = value_of(0.5);
    report->host[METRIC_MEMORY_BYTES] = value_of(8589934592);
    golden_broker(report_add_broker(report));
    topic = report_add_topic(report);
    golden_topics(topic, report_add_topic(report));
    broker = report_add_broker(report);
    strcpy(broker->id, "rabbit@host-2");
    broker->state = BROKER_DOWN;
}

static inline void golden_poll_request(struct poll_request *request)
{
    *request = (struct poll_request){
        .epoch_seen = 1700000001,
        .n_receipts = 2,
        .receipts =
            {{.epoch = 1700000000, .seq = 1, .status = RECEIPT_ACCEPTED},
             {.epoch = 1700000001, .seq = 2, .status = RECEIPT_FAILED, .text = "exit status 1"}},
    };
}

static inline void golden_poll_reply(struct poll_reply *reply)
{
    *reply = (struct poll_reply){
        .epoch = 1700000001,
        .n_decisions = 2,
        .decisions = {{.kind = DECISION_MOVE,
                       .epoch = 1700000001,
                       .seq = 3,
                       .boot_id = 0x1122334455667788,
                       .expires_in_us = SECONDS(30),
                       .from = "nats-1",
                       .to = "nats-2",
                       .to_address = "nats://10.0.0.2:4222",
                       .topic = {"$G/orders"}},
                      {.kind = DECISION_MOVE,
                       .epoch = 1700000001,
                       .seq = 4,
                       .boot_id = 0x1122334455667788,
                       .expires_in_us = 1500000,
                       .from = "nats-1",
                       .to = "nats-3",
                       .topic = {"$G/payments"}}},
    };
}

static inline void golden_poll_refusal(struct poll_reply *reply)
{
    *reply = (struct poll_reply){.status = POLL_REFUSED, .text = "another boot speaks for node-1"};
}

static inline void golden_query(struct query *query)
{
    *query = (struct query){.verb = QUERY_MOVE,
                            .topic = {"$G/orders"},
                            .broker = "nats-2",
                            .dry_run = true,
                            .move_id = 9};
}

static inline void golden_views(struct broker_view *views)
{
    views[0] = (struct broker_view){.id = "nats-1",
                                    .node = "node-1",
                                    .address = "nats://10.0.0.1:4222",
                                    .freshness = FRESH,
                                    .ranked = true,
                                    .score = 0.1,
                                    .age_us = 1234567,
                                    .n_topics = 2,
                                    .report_bytes = 512};
    views[1] = (struct broker_view){.id = "nats-2", .node = "node-2", .freshness = GONE};
    for (int i = 0; i < METRICS; i++) {
        views[0].values[i] = value_absent(VALUE_UNKNOWN);
        views[1].values[i] = value_absent(VALUE_UNKNOWN);
    }
}

static inline void golden_move(struct move_view *move)
{
    *move = (struct move_view){.id = 9,
                               .topic = {"$G/orders"},
                               .from = "nats-1",
                               .to = "nats-2",
                               .state = MOVE_ENDED,
                               .outcome = MOVE_REFUSED,
                               .seconds = 2.7,
                               .text = "busy"};
}

static inline void golden_answer_status(struct answer *answer)
{
    answer->verb = QUERY_STATUS;
    answer->fleet = (struct aggregator_status){.version = "0.1.0",
                                               .epoch = 1700000001,
                                               .uptime_s = 12.5,
                                               .algorithm = "weighted_composite",
                                               .n_nodes = 3,
                                               .n_fresh = 2,
                                               .n_stale = 1,
                                               .n_gone = 4,
                                               .n_topics = 70000,
                                               .n_assignments = 5,
                                               .n_moves_in_flight = 1,
                                               .n_reports = 123456789012,
                                               .n_reports_refused = 6};
}

static inline void golden_answer_assign(struct answer *answer)
{
    answer->verb = QUERY_ASSIGN;
    answer->placement = (struct placement){.topic = {"$G/orders"},
                                           .broker = "nats-1",
                                           .address = "nats://10.0.0.1:4222",
                                           .source = PLACEMENT_ASSIGNED};
}

/* The lists must hold two brokers and two topics. */
static inline void golden_answer_reports(struct answer *answer)
{
    struct broker_load load = {.n_peers = 0};

    answer->verb = QUERY_REPORTS;
    answer->n_brokers = 2;
    golden_views(answer->brokers);
    golden_broker(&load);
    for (size_t i = METRIC_NET_SPEED_BYTES_PER_S; i < METRICS; i++) {
        load.values[i] = value_absent(VALUE_UNKNOWN);
    }
    answer->brokers[0].with_values = true;
    memcpy(answer->brokers[0].values, load.values, sizeof(load.values));
    answer->n_peers = load.n_peers;
    memcpy(answer->peers, load.peers, sizeof(load.peers));
    answer->n_topics = 2;
    for (int i = 0; i < TOPIC_METRICS; i++) {
        answer->topics[0].values[i] = value_absent(VALUE_UNKNOWN);
        answer->topics[1].values[i] = value_absent(VALUE_UNKNOWN);
    }
    golden_topics(&answer->topics[0], &answer->topics[1]);
}

static inline void golden_answer_moves(struct answer *answer)
{
    answer->verb = QUERY_MOVES;
    answer->status = ANSWER_NOT_FOUND;
    strcpy(answer->text, "no such move");
    answer->n_moves = 1;
    golden_move(&answer->moves[0]);
}

static inline void golden_feed_ranking(struct feed *feed)
{
    feed->kind = FEED_RANKING;
    feed->version = 17;
    feed->epoch = 1700000001;
    feed->n_brokers = 2;
    golden_views(feed->brokers);
}

static inline void golden_feed_move(struct feed *feed)
{
    feed->kind = FEED_MOVE;
    feed->epoch = 1700000001;
    golden_move(&feed->move);
}

/* -- Whether two say the same. Numbers are compared exactly. -- */

static inline bool same_number(double a, double b)
{
    uint64_t bits_a;
    uint64_t bits_b;

    memcpy(&bits_a, &a, sizeof(a));
    memcpy(&bits_b, &b, sizeof(b));
    return bits_a == bits_b;
}

static inline bool same_values(const struct value *a, const struct value *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i].state != b[i].state || !same_number(a[i].number, b[i].number)) {
            return false;
        }
    }
    return true;
}

static inline bool same_ids(const char (*a)[ID_BYTES_MAX + 1], const char (*b)[ID_BYTES_MAX + 1],
                            size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(a[i], b[i]) != 0) {
            return false;
        }
    }
    return true;
}

static inline bool same_topics(const struct topic_load *a, const struct topic_load *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(a[i].name.text, b[i].name.text) != 0 || a[i].movable != b[i].movable ||
            a[i].candidates != b[i].candidates ||
            !same_values(a[i].values, b[i].values, TOPIC_METRICS)) {
            return false;
        }
    }
    return true;
}

static inline bool same_broker(const struct broker_load *a, const struct broker_load *b)
{
    return strcmp(a->id, b->id) == 0 && strcmp(a->address, b->address) == 0 &&
           a->state == b->state && a->incarnation == b->incarnation && a->actuator == b->actuator &&
           a->topics_known == b->topics_known && same_values(a->values, b->values, METRICS) &&
           a->n_peers == b->n_peers && same_ids(a->peers, b->peers, a->n_peers) &&
           a->first_topic == b->first_topic && a->n_topics == b->n_topics &&
           a->n_topics_omitted == b->n_topics_omitted;
}

static inline bool same_environment(const struct environment *a, const struct environment *b)
{
    return a->kind == b->kind && a->hierarchy == b->hierarchy &&
           memcmp(a->versions, b->versions, sizeof(a->versions)) == 0;
}

/* What comes from the envelope is not compared. */
static inline bool same_report(const struct report *a, const struct report *b)
{
    if (a->at_us != b->at_us || a->interval_us != b->interval_us ||
        a->applied_seq != b->applied_seq || !same_values(a->host, b->host, METRICS) ||
        a->n_brokers != b->n_brokers || a->n_topics != b->n_topics ||
        !same_environment(&a->environment, &b->environment)) {
        return false;
    }
    for (size_t i = 0; i < a->n_brokers; i++) {
        if (!same_broker(&a->brokers[i], &b->brokers[i])) {
            return false;
        }
    }
    return same_topics(a->topics, b->topics, a->n_topics);
}

static inline bool same_poll_request(const struct poll_request *a, const struct poll_request *b)
{
    if (a->epoch_seen != b->epoch_seen || a->n_receipts != b->n_receipts) {
        return false;
    }
    for (size_t i = 0; i < a->n_receipts; i++) {
        const struct receipt *x = &a->receipts[i];
        const struct receipt *y = &b->receipts[i];

        if (x->epoch != y->epoch || x->seq != y->seq || x->status != y->status ||
            strcmp(x->text, y->text) != 0) {
            return false;
        }
    }
    return true;
}

static inline bool same_decision(const struct decision *a, const struct decision *b)
{
    return a->kind == b->kind && a->epoch == b->epoch && a->seq == b->seq &&
           a->boot_id == b->boot_id && a->expires_in_us == b->expires_in_us &&
           strcmp(a->from, b->from) == 0 && strcmp(a->to, b->to) == 0 &&
           strcmp(a->to_address, b->to_address) == 0 && strcmp(a->topic.text, b->topic.text) == 0;
}

static inline bool same_poll_reply(const struct poll_reply *a, const struct poll_reply *b)
{
    if (a->status != b->status || strcmp(a->text, b->text) != 0 || a->epoch != b->epoch ||
        a->n_decisions != b->n_decisions) {
        return false;
    }
    for (size_t i = 0; i < a->n_decisions; i++) {
        if (!same_decision(&a->decisions[i], &b->decisions[i])) {
            return false;
        }
    }
    return true;
}

static inline bool same_query(const struct query *a, const struct query *b)
{
    return a->verb == b->verb && strcmp(a->topic.text, b->topic.text) == 0 &&
           strcmp(a->broker, b->broker) == 0 && a->dry_run == b->dry_run &&
           a->move_id == b->move_id;
}

static inline bool same_views(const struct broker_view *a, const struct broker_view *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(a[i].id, b[i].id) != 0 || strcmp(a[i].node, b[i].node) != 0 ||
            strcmp(a[i].address, b[i].address) != 0 || a[i].freshness != b[i].freshness ||
            a[i].ranked != b[i].ranked || !same_number(a[i].score, b[i].score) ||
            a[i].age_us != b[i].age_us || a[i].n_topics != b[i].n_topics ||
            a[i].report_bytes != b[i].report_bytes || a[i].with_values != b[i].with_values ||
            !same_values(a[i].values, b[i].values, METRICS)) {
            return false;
        }
    }
    return true;
}

static inline bool same_moves(const struct move_view *a, const struct move_view *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i].id != b[i].id || strcmp(a[i].topic.text, b[i].topic.text) != 0 ||
            strcmp(a[i].from, b[i].from) != 0 || strcmp(a[i].to, b[i].to) != 0 ||
            a[i].state != b[i].state || a[i].outcome != b[i].outcome ||
            !same_number(a[i].seconds, b[i].seconds) || strcmp(a[i].text, b[i].text) != 0) {
            return false;
        }
    }
    return true;
}

static inline bool same_status(const struct aggregator_status *a, const struct aggregator_status *b)
{
    return strcmp(a->version, b->version) == 0 && a->epoch == b->epoch &&
           same_number(a->uptime_s, b->uptime_s) && strcmp(a->algorithm, b->algorithm) == 0 &&
           a->n_nodes == b->n_nodes && a->n_fresh == b->n_fresh && a->n_stale == b->n_stale &&
           a->n_gone == b->n_gone && a->n_topics == b->n_topics &&
           a->n_assignments == b->n_assignments && a->n_moves_in_flight == b->n_moves_in_flight &&
           a->n_reports == b->n_reports && a->n_reports_refused == b->n_reports_refused;
}

static inline bool same_placement(const struct placement *a, const struct placement *b)
{
    return strcmp(a->topic.text, b->topic.text) == 0 && strcmp(a->broker, b->broker) == 0 &&
           strcmp(a->address, b->address) == 0 && a->source == b->source;
}

static inline bool same_answer(const struct answer *a, const struct answer *b)
{
    return a->verb == b->verb && a->status == b->status && strcmp(a->text, b->text) == 0 &&
           same_placement(&a->placement, &b->placement) && same_status(&a->fleet, &b->fleet) &&
           a->n_brokers == b->n_brokers && same_views(a->brokers, b->brokers, a->n_brokers) &&
           a->n_topics == b->n_topics && same_topics(a->topics, b->topics, a->n_topics) &&
           a->n_peers == b->n_peers && same_ids(a->peers, b->peers, a->n_peers) &&
           a->n_moves == b->n_moves && same_moves(a->moves, b->moves, a->n_moves);
}

static inline bool same_feed(const struct feed *a, const struct feed *b)
{
    return a->kind == b->kind && a->version == b->version && a->epoch == b->epoch &&
           a->n_brokers == b->n_brokers && same_views(a->brokers, b->brokers, a->n_brokers) &&
           same_moves(&a->move, &b->move, 1);
}

#endif
