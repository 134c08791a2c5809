/* The query of a broker, client or operator, its answer, and the feed. Pure. */
#ifndef COMMON_QUERY_H
#define COMMON_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/limits.h"
#include "common/metric.h"
#include "common/name.h"
#include "common/report.h"
#include "common/units.h"

enum query_verb {
    QUERY_STATUS = 1,  /* how the aggregator and the fleet are */
    QUERY_RANKING = 2, /* brokers from the least to the most loaded */
    QUERY_REPORTS = 3, /* every broker with its metrics; with `broker`: that one, and its topics */
    QUERY_ASSIGN = 4,  /* which broker shall own `topic`; the same answer until it is released */
    QUERY_LOOKUP = 5,  /* who owns `topic` */
    QUERY_RELEASE = 6, /* forget the assignment of `topic` */
    QUERY_MOVE = 7,    /* move `topic` to `broker`; with `dry_run`: only say what would happen */
    QUERY_MOVES = 8,   /* recent moves, newest first; with `move_id`: that one */
};

struct query {
    enum query_verb verb;
    struct topic_name topic;       /* ASSIGN, LOOKUP, RELEASE, MOVE */
    char broker[ID_BYTES_MAX + 1]; /* MOVE: the target; REPORTS: which one, or empty */
    bool dry_run;                  /* MOVE */
    uint64_t move_id;              /* MOVES: which one, or 0 for all */
};

enum answer_status {
    ANSWER_OK = 0,
    ANSWER_BAD_QUERY = 1,   /* malformed, or a verb that is not known here */
    ANSWER_UNSUPPORTED = 2, /* newer major version; `text` says which is spoken here */
    ANSWER_NOT_FOUND = 3,   /* no such topic, broker or move */
    ANSWER_NO_BROKER = 4,   /* nobody fresh to assign to */
    ANSWER_REFUSED = 5,     /* against a rule: not a candidate, not movable, already moving */
    ANSWER_NOT_READY = 6,   /* just started: try again (`text` says what is awaited) */
    ANSWER_FULL = 7,        /* a bound of limits.h is reached */
};

/* How the fleet sees a broker. */
enum freshness {
    FRESH = 1, /* reported within `stale_after`, and up */
    STALE = 2, /* silent for longer; neither ranked nor assigned to */
    GONE = 3,  /* down, or silent for longer than `gone_after` */
};

/* Where a placement comes from. */
enum placement_source {
    PLACEMENT_OBSERVED = 1, /* its owner's reports show the topic there */
    PLACEMENT_ASSIGNED = 2, /* assigned, not yet seen in a report */
};

struct placement {
    struct topic_name topic;
    char broker[ID_BYTES_MAX + 1];
    char address[ADDRESS_BYTES_MAX + 1];
    enum placement_source source;
};

/* One broker as the aggregator sees it: a row of the ranking, of the reports and of the feed. */
struct broker_view {
    char id[ID_BYTES_MAX + 1];
    char node[ID_BYTES_MAX + 1];
    char address[ADDRESS_BYTES_MAX + 1];
    enum freshness freshness;
    bool ranked;    /* `score` holds, and the row's place is its rank */
    double score;   /* 0..1, lower is less loaded */
    time_us age_us; /* since its last report was received */
    uint64_t n_topics;
    uint64_t report_bytes; /* size of its node's last report */
    bool with_values;      /* REPORTS only */
    struct value values[METRICS];
};

enum move_state {
    MOVE_PLANNED = 1,   /* waits for the agent's poll */
    MOVE_SENT = 2,      /* handed to the agent */
    MOVE_RUNNING = 3,   /* accepted; the actuator runs */
    MOVE_VERIFYING = 4, /* the actuator has ended; waits for a report that shows the owner */
    MOVE_ENDED = 5,     /* `outcome` holds */
};

enum move_outcome {
    MOVE_UNDECIDED = 0,
    MOVE_MOVED = 1,     /* a report shows `to` as the owner */
    MOVE_NOOP = 2,      /* `to` owned it already */
    MOVE_REFUSED = 3,   /* the agent said no; `text` says why */
    MOVE_ELSEWHERE = 4, /* a third broker owns it */
    MOVE_TIMED_OUT = 5, /* no verified outcome within the deadline */
    MOVE_FAILED = 6,    /* the actuator failed, and `from` still owns it */
};

struct move_view {
    uint64_t id;
    struct topic_name topic;
    char from[ID_BYTES_MAX + 1];
    char to[ID_BYTES_MAX + 1];
    enum move_state state;
    enum move_outcome outcome;
    double seconds; /* from the query to the outcome, or to now */
    char text[TEXT_BYTES_MAX + 1];
};

struct aggregator_status {
    char version[32];
    uint64_t epoch;
    double uptime_s;
    char algorithm[32]; /* "weighted_composite" */
    uint64_t n_nodes;
    uint64_t n_fresh, n_stale, n_gone; /* brokers */
    uint64_t n_topics;
    uint64_t n_assignments;
    uint64_t n_moves_in_flight;
    uint64_t n_reports; /* accepted since the start */
    uint64_t n_reports_refused;
};

/* What of an answer is filled depends on the verb, as said beside each member. List memory is the
 * caller's: set the pointers and their `_max` before wire_get_answer(); a longer list is -EMSGSIZE
 * there. */
struct answer {
    enum query_verb verb;
    enum answer_status status;
    char text[TEXT_BYTES_MAX +
              1];               /* for people; a sentence when status is not OK, else often empty */
    struct placement placement; /* ASSIGN, LOOKUP, RELEASE */
    struct aggregator_status fleet; /* STATUS */
    struct broker_view *brokers;    /* RANKING (ranked ones, in order), REPORTS (all, by id) */
    size_t n_brokers, n_brokers_max;
    struct topic_load *topics; /* REPORTS of one broker; candidates refer to `peers` */
    size_t n_topics, n_topics_max;
    size_t n_peers;
    char peers[BROKER_PEERS_MAX][ID_BYTES_MAX + 1];
    struct move_view *moves; /* MOVE (one), MOVES */
    size_t n_moves, n_moves_max;
};

/* What the aggregator publishes on the feed: the ranking whenever it changes, and each step of a
 * move. */
enum feed_kind {
    FEED_RANKING = 1,
    FEED_MOVE = 2,
};

struct feed {
    enum feed_kind kind;
    uint64_t version; /* of the ranking: grows with each change within an epoch */
    uint64_t epoch;
    struct broker_view *brokers; /* RANKING; memory as in struct answer */
    size_t n_brokers, n_brokers_max;
    struct move_view move; /* MOVE */
};

/* Whether a query is well-formed: a known verb, and the names that the verb needs.
 * Returns 0, or -EBADMSG with one sentence in `ret_why` (TEXT_BYTES_MAX + 1 bytes). */
int query_check(const struct query *query, char *ret_why);

/* Words for people and JSON: "ok", "fresh", "moved", …; "unknown" for numbers of a later version.
 */
const char *query_verb_name(enum query_verb verb);
const char *answer_status_name(enum answer_status status);
const char *freshness_name(enum freshness freshness);
const char *placement_source_name(enum placement_source source);
const char *move_state_name(enum move_state state);
const char *move_outcome_name(enum move_outcome outcome);

#endif
