/* Moves: from the wish to move a topic to an outcome that a report has shown. Pure.
 *
 * A move's life:
 *
 *   PLANNED ──poll of the owner's agent──► SENT ──accepted──► RUNNING ──outcome──► VERIFYING ──►
 * ENDED ▲                                    │ busy, old epoch                          │ report,
 * deadline └────────────────────────────────────┘
 *
 * Receipts only move it forward; what ends it is the owner that reports show, a refusal, or the
 * deadline. See decide.c for what counts as shown. */
#ifndef AGGREGATOR_DECIDE_H
#define AGGREGATOR_DECIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aggregator/fleet.h"
#include "common/decision.h"
#include "common/limits.h"
#include "common/query.h"
#include "common/units.h"

/* A busy agent is asked again after this: actuators take seconds. */
#define DECIDE_RETRY_US SECONDS(1)

/* A decision without a receipt is sent again after this: a reply can be lost with its connection.
 */
#define DECIDE_RESEND_US SECONDS(1)

struct move {
    uint64_t id; /* 1, 2, … since the start; 0: a free place */
    struct topic_name topic;
    char from[ID_BYTES_MAX + 1];
    char to[ID_BYTES_MAX + 1];
    char node[ID_BYTES_MAX + 1]; /* whose agent moves it */
    enum move_state state;
    enum move_outcome outcome;
    char text[TEXT_BYTES_MAX + 1];
    time_us started_us, deadline_us, ended_us;
    time_us not_before_us;       /* PLANNED: not sent before; SENT: not sent again before */
    uint64_t epoch, seq;         /* of the decision that was sent last; 0: none */
    uint64_t boot_id;            /* of the agent's process it was sent to */
    enum receipt_status receipt; /* the last one; 0: none */
    time_us receipt_us;
    bool epoch_raised; /* refused for an old epoch once */
    bool changed;      /* since decide_take_change() last told of it */
};

struct decide {
    time_us deadline_us; /* a move's time from plan to outcome */
    uint64_t epoch;      /* of this aggregator */
    bool epoch_used;     /* some agent was told of it */
    uint64_t last_seq, last_id;
    size_t n_in_flight;
    uint64_t n_epochs_raised;
    uint64_t n_outcomes[MOVE_FAILED + 1]; /* by enum move_outcome */
    struct move moves[MOVES_MAX];
};

/* No moves. The epoch must be above that of every aggregator before; `deadline_us` is a move's
 * time. */
void decide_init(struct decide *decide, uint64_t epoch, time_us deadline_us);

/* Plan to move `topic` to `broker`, or with `dry_run` only say what would happen. Fills `status`,
 * `text` and, when OK, `*ret_move`, which is id 0 on a dry run.
 *
 * OK also for a topic that is there already (a move that ended with NOOP), and for a move to the
 * same target that is under way (that one). NOT_FOUND: nobody fresh shows the topic, or no such
 * broker. REFUSED: the target is not fresh or no candidate, the topic is not movable, its broker
 * has no actuator, or it is moving elsewhere. FULL: MOVES_MAX in flight. */
void decide_move(struct decide *decide, const struct fleet *fleet, const char *topic,
                 const char *broker, bool dry_run, time_us now_us, struct answer *ret_answer,
                 struct move *ret_move);

/* Adopt an epoch above the one that an agent has seen, when it refused a decision for that reason:
 * not whenever one is heard of, or two aggregators would outbid each other for ever. Call before
 * decide_receipts(). Returns 0, or -ERANGE when it is more than 2^32 ahead, which no clock
 * explains. */
int decide_see_epoch(struct decide *decide, const struct poll_request *request);

/* Take in a poll's receipts, and whether its agent is another process than moves were sent to. */
void decide_receipts(struct decide *decide, const struct poll_request *request, time_us now_us);

/* End or advance what the fleet's reports and the time allow. Call after every event; costs nothing
 * when no move is in flight. */
void decide_review(struct decide *decide, const struct fleet *fleet, time_us now_us);

/* Put what `node`'s agent (process `boot_id`) shall do now into a reply to its poll, which arrived
 * at `arrived_us`; a full reply leaves the rest for the next one. Returns how many decisions were
 * put. */
size_t decide_take(struct decide *decide, const struct fleet *fleet, const char *node,
                   uint64_t boot_id, time_us arrived_us, time_us now_us, struct poll_reply *reply);

/* The nodes that have moves in flight, whose polls shall return soon, into `ret_nodes`; a node may
 * come twice. The ids are the moves' own, valid until the next call that changes them. Returns how
 * many. */
size_t decide_busy_nodes(const struct decide *decide, const char *ret_nodes[MOVES_MAX]);

/* When decide_review() or decide_take() has something to do by time alone; TIME_NEVER: never. */
time_us decide_wake_at_us(const struct decide *decide, time_us now_us);

/* A move that changed and was not told of yet, oldest first, or NULL. It counts as told then. */
const struct move *decide_take_change(struct decide *decide);

/* The move `id`, or NULL. */
const struct move *decide_find(const struct decide *decide, uint64_t id);

/* How a move looks from outside. */
void decide_view(const struct move *move, time_us now_us, struct move_view *ret_view);

/* All moves that are kept, newest first, into `views` of MOVES_MAX. Returns how many. */
size_t decide_views(const struct decide *decide, time_us now_us, struct move_view *views);

#endif
