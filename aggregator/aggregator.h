/* The aggregator's core: events in, effects out. Pure: time comes with the event, and what is to be
 * done comes out as data. Allocates itself once in aggregator_new(), and in the fleet's tables.
 *
 * The shell turns messages into events, calls aggregator_step(), and carries the effects out in the
 * order given. Not thread-safe. */
#ifndef AGGREGATOR_AGGREGATOR_H
#define AGGREGATOR_AGGREGATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregator/decide.h"
#include "aggregator/fleet.h"
#include "aggregator/polls.h"
#include "aggregator/rank.h"
#include "common/decision.h"
#include "common/query.h"
#include "common/report.h"
#include "common/units.h"

/* A changed ranking is told at most so often: a thousand reports in a second are one change. */
#define AGGREGATOR_FEED_LEAST_US MILLISECONDS(100)

/* … and an unchanged one so often, for those who just began to listen. */
#define AGGREGATOR_FEED_MOST_US SECONDS(5)

/* Polls of a node with a move in flight return after this, so that its receipts come promptly. */
#define AGGREGATOR_BUSY_HOLD_US MILLISECONDS(250)

/* Poll replies, and moves told of, in one step; what is left comes with the next, at once. */
#define AGGREGATOR_REPLIES_MAX 16
#define AGGREGATOR_CHANGES_MAX 16
#define AGGREGATOR_LINES_MAX   (AGGREGATOR_CHANGES_MAX + 4)
#define AGGREGATOR_EFFECTS_MAX                                                                     \
    (1 + 1 + AGGREGATOR_REPLIES_MAX + AGGREGATOR_CHANGES_MAX + AGGREGATOR_LINES_MAX)

struct aggregator_settings {
    char version[32];
    uint64_t epoch; /* above that of every process before: unix seconds at the start */
    struct fleet_settings fleet;
    struct rank_settings rank;
    time_us move_deadline_us;
    time_us poll_hold_us;
};

enum aggregator_event_kind {
    AGGREGATOR_REPORTED,
    AGGREGATOR_POLLED,
    AGGREGATOR_ASKED,
    AGGREGATOR_GARBLED, /* a message could not be decoded */
    AGGREGATOR_WOKEN,   /* wake_at_us has come; harmless at any time */
};

/* Which socket a message came by. */
enum aggregator_socket {
    AGGREGATOR_REPORTS,
    AGGREGATOR_DECISIONS,
    AGGREGATOR_QUERIES,
    AGGREGATOR_SOCKETS
};

/* Why it could not be decoded. */
enum aggregator_garbling {
    AGGREGATOR_MALFORMED,
    AGGREGATOR_OVERSIZE,    /* a list or string beyond limits.h */
    AGGREGATOR_UNSUPPORTED, /* a newer major version, or a kind that is not known here */
    AGGREGATOR_GARBLINGS
};

/* What happened. What it points to is only read during the call. */
struct aggregator_event {
    time_us now_us; /* boot clock, never smaller than in the event before */
    enum aggregator_event_kind kind;
    const struct report *report; /* REPORTED, with the message's length: */
    size_t bytes;
    const struct poll_request *poll; /* POLLED */
    const struct query *query;       /* ASKED */
    uint64_t token;                  /* POLLED, ASKED, GARBLED: the link's request, to answer it */
    enum aggregator_socket socket;   /* GARBLED, with */
    enum aggregator_garbling garbling;
    const char *peer; /* who sent it, as far as is known */
    const char *text; /* a sentence */
};

/* A line for the log. */
struct aggregator_line {
    bool warning;
    const char *event;
    size_t n_fields;
    struct {
        const char *key;
        bool is_text; /* else `number` holds */
        int64_t number;
        char text[NAME_BYTES_MAX + 1];
    } fields[6];
};

enum aggregator_effect_kind {
    AGGREGATOR_ANSWER,  /* answer `token` on the queries socket with `answer` */
    AGGREGATOR_REPLY,   /* answer `token` on the decisions socket with `reply` */
    AGGREGATOR_PUBLISH, /* send `feed` */
    AGGREGATOR_LOG,     /* write `line` */
};

/* One thing to do. What it points to is the aggregator's, and stands until the next step. */
struct aggregator_effect {
    enum aggregator_effect_kind kind;
    uint64_t token;
    const struct answer *answer;
    const struct poll_reply *reply;
    const struct feed *feed;
    const struct aggregator_line *line;
};

struct aggregator_effects {
    size_t n;
    struct aggregator_effect effects[AGGREGATOR_EFFECTS_MAX]; /* to be done in this order */
    time_us wake_at_us; /* step again by then (WOKEN) even if nothing happens */
};

#define AGGREGATOR_VERBS    (QUERY_MOVES + 1)
#define AGGREGATOR_STATUSES (ANSWER_FULL + 1)

/* Counters since the start, for /metrics. */
struct aggregator_statistics {
    uint64_t n_reports[FLEET_VERDICTS];
    uint64_t n_garbled[AGGREGATOR_SOCKETS][AGGREGATOR_GARBLINGS];
    uint64_t n_queries[AGGREGATOR_VERBS][AGGREGATOR_STATUSES]; /* verb 0: not decoded */
    uint64_t n_polls;
    uint64_t n_polls_refused;
    uint64_t n_polls_superseded;
    uint64_t n_epochs_refused; /* polls that spoke of an epoch beyond reason */
    uint64_t n_decisions;      /* sent, repeats included */
    uint64_t n_feeds;
};

struct aggregator {
    struct aggregator_settings settings;
    time_us started_us, now_us;
    struct fleet fleet;
    struct ranking ranking;
    bool ranking_is_old;        /* must be made anew before it is used */
    bool ranking_is_untold;     /* was made anew since it was compared with what was told */
    time_us ranking_expires_us; /* when silence makes it old */
    uint64_t ranking_version;
    time_us published_us; /* when the ranking was told last */
    time_us forgot_us;    /* when the fleet was last rid of the long silent */
    struct decide decide;
    struct polls polls;
    struct aggregator_statistics statistics;

    /* What effects point to. */
    struct answer answer;
    struct broker_view answer_brokers[FLEET_BROKERS_MAX];
    struct topic_load answer_topics[REPORT_TOPICS_MAX];
    struct move_view answer_moves[MOVES_MAX];
    struct feed feed;
    struct broker_view feed_brokers[2][FLEET_BROKERS_MAX]; /* one of them was told last: */
    size_t n_feed_brokers[2];
    int told;
    struct feed changes[AGGREGATOR_CHANGES_MAX];
    size_t n_changes;
    struct poll_reply replies[AGGREGATOR_REPLIES_MAX];
    size_t n_replies;
    struct aggregator_line lines[AGGREGATOR_LINES_MAX];
    size_t n_lines;
};

/* An aggregator that starts at `now_us`; `settings` are copied. NULL: no memory (about 12 MB). */
struct aggregator *aggregator_new(const struct aggregator_settings *settings, time_us now_us);

/* Take in one event. Never fails: what cannot be done is answered, counted and told. */
void aggregator_step(struct aggregator *aggregator, const struct aggregator_event *event,
                     struct aggregator_effects *ret_effects);

/* The ranking as it is at the time of the last event. */
const struct ranking *aggregator_ranking(struct aggregator *aggregator);

/* Whether a report has been accepted since the start. */
bool aggregator_is_ready(const struct aggregator *aggregator);

/* NULL is fine. */
void aggregator_free(struct aggregator *aggregator);

#endif
