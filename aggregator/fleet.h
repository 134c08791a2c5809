/* The fleet: what all agents said last, who owns which topic, and what was assigned. Pure;
 * allocates its own tables with malloc, bounded by limits.h, and nothing else.
 *
 * Nodes and brokers stand in arrays ordered by id. A topic is found by name in a hash; it holds the
 * claims of the brokers that show it, and at most one assignment. Not thread-safe. */
#ifndef AGGREGATOR_FLEET_H
#define AGGREGATOR_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/limits.h"
#include "common/query.h"
#include "common/report.h"
#include "common/units.h"

/* Boot ids that a node had before, so that a late report of an ended agent is told apart. */
#define FLEET_OLD_BOOTS 8

struct fleet_settings {
    int64_t stale_intervals; /* silent for more of its report intervals than this: stale */
    int64_t gone_intervals;  /* … and than this: gone; above stale_intervals */
    time_us forget_after_us; /* silent for longer: freed */
};

struct fleet_node {
    char id[ID_BYTES_MAX + 1];
    uint64_t boot_id;
    uint64_t old_boots[FLEET_OLD_BOOTS]; /* a ring, 0: none */
    size_t next_old_boot;
    uint64_t seq, applied_seq;
    time_us received_us; /* our clock, when its last accepted report came */
    time_us interval_us;
    time_us at_us;             /* its boot clock in that report */
    time_us least_distance_us; /* least received_us - at_us of this boot, creeping up with drift */
    time_us late_distance_us;  /* … of the report before, when it was refused as late; else 0 */
    int64_t wall_distance_us;  /* its wall clock less its boot clock */
    uint64_t report_bytes;     /* of its last accepted report */
    uint64_t n_reports;        /* accepted, all boots */
    uint64_t n_refused;
    uint64_t n_missed; /* gaps in seq */
    struct value host[METRICS];
};

struct fleet_topic;

struct fleet_broker {
    char id[ID_BYTES_MAX + 1];
    char address[ADDRESS_BYTES_MAX + 1];
    struct fleet_node *node; /* who speaks for it */
    bool listed;             /* in its node's last report */
    time_us listed_us;       /* when a report listed it last, our clock */
    enum broker_state state;
    uint64_t incarnation;
    bool actuator;
    bool topics_known;
    struct value values[METRICS];
    struct value topics_bytes_per_s; /* in and out, summed over its topics */
    size_t n_peers;
    char peers[BROKER_PEERS_MAX][ID_BYTES_MAX + 1];
    struct fleet_claim *claims; /* in no order that means anything */
    uint64_t n_claims;
    uint64_t n_topics_omitted;
    struct fleet_topic *assigned; /* its assignments, newest first */
    uint64_t n_pending;           /* those of them that no report has shown yet */
    uint64_t mark;                /* of the report that listed it last */
};

/* One broker shows one topic. */
struct fleet_claim {
    struct fleet_topic *topic;
    struct fleet_broker *broker;
    time_us since_us; /* our clock: the first report of the unbroken row that shows it there */
    time_us shown_us; /* … and the last */
    bool movable;
    uint64_t candidates; /* as in struct topic_load, over broker->peers */
    struct value values[TOPIC_METRICS];
    uint64_t mark, first_mark; /* of the last and the first report that showed it */
    struct fleet_claim *next_of_topic;
    struct fleet_claim *next_of_broker;
};

/* What became of a report. */
enum fleet_verdict {
    FLEET_ACCEPTED = 0,
    FLEET_OWNER_CONFLICT, /* a broker of it is spoken for by another node that is fresh */
    FLEET_SEQ_BACK,       /* not above the last sequence number of this boot */
    FLEET_OLD_BOOT,       /* of an agent's process that a newer one has taken the place of */
    FLEET_TIME_BACK,      /* the agent's boot clock did not grow */
    FLEET_LATE,           /* older than the stale bound when it came */
    FLEET_CLOCK_JUMP,     /* the agent's wall clock jumped against its boot clock */
    FLEET_FULL,           /* a bound of limits.h is reached, or memory is short */
    FLEET_VERDICTS
};

struct fleet {
    struct fleet_settings settings;
    size_t n_nodes, n_brokers;
    struct fleet_node *nodes[FLEET_NODES_MAX];       /* by id */
    struct fleet_broker *brokers[FLEET_BROKERS_MAX]; /* by id */
    struct fleet_topic *topics;                      /* hash by name */
    uint64_t n_claims, n_assignments;
    uint64_t mark;        /* counts the reports that were applied */
    uint64_t n_conflicts; /* claims that began while another fresh broker showed the topic */
};

/* An empty fleet. `settings` are copied. */
void fleet_init(struct fleet *fleet, const struct fleet_settings *settings);

/* Free what it holds; `fleet` itself stays the caller's. NULL is fine. */
void fleet_done(struct fleet *fleet);

/* Apply a report that has passed report_check(), `bytes` long, received at `now_us`: whole, or not
 * at all. A refused one leaves the fleet as it was, but for counters, and for the distance of the
 * clocks after a jump. Brokers that the node's report lists no more are gone at once. */
enum fleet_verdict fleet_report(struct fleet *fleet, const struct report *report, size_t bytes,
                                time_us now_us);

/* Free nodes and brokers that have been silent for longer than forget_after_us. Returns how many
 * brokers went. */
size_t fleet_forget(struct fleet *fleet, time_us now_us);

/* Find by id, or NULL. */
struct fleet_node *fleet_node(const struct fleet *fleet, const char *id);
struct fleet_broker *fleet_broker(const struct fleet *fleet, const char *id);

/* Whether `boot_id` belongs to a process of that node's agent which another has replaced. */
bool fleet_boot_is_old(const struct fleet *fleet, const char *node, uint64_t boot_id);

/* How a broker is seen at `now_us`. */
enum freshness fleet_freshness(const struct fleet *fleet, const struct fleet_broker *broker,
                               time_us now_us);

/* When silence alone next changes the freshness of some broker; TIME_NEVER when it does not. */
time_us fleet_next_change_us(const struct fleet *fleet, time_us now_us);

/* Who owns a topic: of the brokers that show it and are at worst `worst` (FRESH or STALE), fresh
 * ones before stale ones, the one that began to show it last; equal: lower id. NULL: nobody. */
const struct fleet_claim *fleet_owner(const struct fleet *fleet, const char *topic,
                                      enum freshness worst, time_us now_us);

/* A claim's topic, as its broker spells it; lives as long as the claim. */
const char *fleet_claim_topic(const struct fleet_claim *claim);

/* Topics of a broker: shown, left out of its report, and assigned but not seen yet. */
uint64_t fleet_topic_count(const struct fleet_broker *broker);

/* Topics that are shown or assigned. */
size_t fleet_n_topics(const struct fleet *fleet);

/* Remember that `topic` shall belong to `broker`; an earlier assignment is replaced. It counts as
 * pending until a report shows the topic; then it follows the broker that shows it newest.
 * Returns 0, -ENOSPC (FLEET_TOPICS_MAX assignments), or -ENOMEM. */
int fleet_assign(struct fleet *fleet, const char *topic, struct fleet_broker *broker);

/* The broker that `topic` is assigned to, or NULL. */
struct fleet_broker *fleet_assignment(const struct fleet *fleet, const char *topic);

/* Forget the assignment of `topic`. Returns 0, or -ENOENT. */
int fleet_release(struct fleet *fleet, const char *topic);

/* "accepted", "owner_conflict", …; `verdict` < FLEET_VERDICTS. */
const char *fleet_verdict_name(enum fleet_verdict verdict);

#endif
