/* The load report: what an agent says of its host, its brokers and their topics. Pure.
 *
 * Plain memory without pointers: a report can be copied, compared and thrown away. It is large
 * (REPORT_TOPICS_MAX topics, about 3 MB of address space) and touched only as far as it is filled,
 * so keep one for long and fill it again; report_clear() resets the counts alone. */
#ifndef COMMON_REPORT_H
#define COMMON_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/environment.h"
#include "common/limits.h"
#include "common/metric.h"
#include "common/name.h"
#include "common/units.h"

/* What a topic does on the broker that leads it. Names and units are fields on the wire, in this
 * order. */
enum topic_metric {
    TOPIC_MESSAGES_IN_PER_S,
    TOPIC_BYTES_IN_PER_S,
    TOPIC_MESSAGES_OUT_PER_S,
    TOPIC_BYTES_OUT_PER_S,
    TOPIC_STORAGE_BYTES,
    TOPIC_BACKLOG_MESSAGES,
    TOPIC_PRODUCERS,
    TOPIC_CONSUMERS,
    TOPIC_METRICS
};

struct topic_load {
    struct topic_name name;
    bool movable;
    uint64_t candidates; /* bit i: peers[i] of the broker's report may own it; without the owner
                            itself */
    struct value values[TOPIC_METRICS];
};

enum broker_state {
    BROKER_UP = 1,   /* its process runs */
    BROKER_DOWN = 2, /* matched before or configured, and not running now */
};

struct broker_load {
    char id[ID_BYTES_MAX + 1];
    char address[ADDRESS_BYTES_MAX + 1]; /* where clients reach it; may be empty */
    enum broker_state state;
    uint64_t incarnation; /* changes with each start of the broker's process; 0: unknown */
    bool actuator;        /* its agent can move topics away from it */
    bool topics_known; /* a topic source is configured and answered lately: no topic means no topic
                        */
    struct value values[METRICS];
    size_t n_peers; /* names of the cluster's members, as ids of brokers */
    char peers[BROKER_PEERS_MAX][ID_BYTES_MAX + 1];
    size_t first_topic; /* its topics are topics[first_topic] … [first_topic + n_topics - 1] */
    size_t n_topics;
    uint64_t n_topics_omitted; /* led by it and left out of the report for want of room */
};

struct report {
    char node[ID_BYTES_MAX + 1]; /* who speaks; from the envelope */
    uint64_t boot_id;            /* of the agent's process; from the envelope */
    uint64_t seq;                /* 1, 2, … within a boot; from the envelope */
    int64_t sent_unix_us;        /* the agent's wall clock; from the envelope */
    time_us at_us;               /* the agent's boot clock when the sample was taken */
    time_us interval_us;         /* the next one is due then */
    uint64_t applied_seq; /* the last decision whose effect this report can have seen; 0: none */
    struct value host[METRICS];
    struct environment environment; /* of the agent; zeros: not told */
    size_t n_brokers;
    struct broker_load brokers[NODE_BROKERS_MAX];
    size_t n_topics;
    struct topic_load topics[REPORT_TOPICS_MAX];
};

/* Make the report empty; all host values unknown. Costs nothing for what is not filled. */
void report_clear(struct report *report);

/* Append a broker with everything unknown. Returns it, or NULL when NODE_BROKERS_MAX are there. */
struct broker_load *report_add_broker(struct report *report);

/* Append a topic to the broker that was added last, everything unknown, not movable. Returns it, or
 * NULL when REPORT_TOPICS_MAX are there (count it in n_topics_omitted). */
struct topic_load *report_add_topic(struct report *report);

/* Whether a report may be believed: ids well-formed and unique, names clean, values finite and not
 * negative, counts and slices within bounds, interval 100 ms … 1 h. What comes from the envelope is
 * checked by wire.c. Called by both sides of the wire. Returns 0, or -EBADMSG with one sentence in
 * `ret_why` (TEXT_BYTES_MAX + 1 bytes). */
int report_check(const struct report *report, char *ret_why);

/* "bytes_in_per_s", …; `metric` < TOPIC_METRICS. */
const char *topic_metric_name(enum topic_metric metric);

#endif
