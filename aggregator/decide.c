/* Moves: from the wish to move a topic to an outcome that a report has shown.
 *
 * An actuator's word is not an outcome. What ends a move well is a fresh report in which the target
 * shows the topic, before or after any receipt, for receipts and reports travel on different ways.
 * That the topic is still where it was, or somewhere else, is believed only when the report was
 * made after the actuator ended: by the same process of the agent (boot id), with applied_seq at or
 * above the decision's seq. After a restart of the agent there is no such report, so the target or
 * the deadline ends the move.
 *
 * An agent that says "unknown topic" or "wrong owner" may know better than the last report: its
 * refusal stands only when a later report of its node still shows the old owner.
 *
 * A decision is sent again with the same id while no receipt came (agents run an id once), and
 * with a new id after "busy" (the receipt for the old id is spent). A decision's id is above every
 * applied_seq that its agent has reported: after a restart of the aggregator the numbers begin
 * anew, and what an agent applied for the process before must not count for this one.
 *
 * Unresolved: after a timeout the actuator may still finish; the move is then told as timed out
 * although the next report shows the topic at its target. */
#include "aggregator/decide.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH_AHEAD_MAX (1ULL << 32)
#define SEQ_AHEAD_MAX   (1ULL << 32)

/* Texts name ids only: those are ASCII, so that a cut one is still valid UTF-8. */
__attribute__((format(printf, 2, 3))) static void say(char text[TEXT_BYTES_MAX + 1],
                                                      const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, TEXT_BYTES_MAX + 1, format, arguments);
    va_end(arguments);
}

void decide_init(struct decide *decide, uint64_t epoch, time_us deadline_us)
{
    memset(decide, 0, sizeof(*decide));
    decide->epoch = epoch;
    decide->deadline_us = deadline_us;
}

static bool is_in_flight(const struct move *move)
{
    return move->id != 0 && move->state != MOVE_ENDED;
}

static void enter(struct move *move, enum move_state state)
{
    move->state = state;
    move->changed = true;
}

static void end(struct decide *decide, struct move *move, enum move_outcome outcome, time_us now_us)
{
    assert(is_in_flight(move));
    enter(move, MOVE_ENDED);
    move->outcome = outcome;
    move->ended_us = now_us;
    decide->n_in_flight--;
    decide->n_outcomes[outcome]++;
}

const struct move *decide_find(const struct decide *decide, uint64_t id)
{
    for (size_t i = 0; i < MOVES_MAX; i++) {
        if (id != 0 && decide->moves[i].id == id) {
            return &decide->moves[i];
        }
    }
    return NULL;
}

static const struct move *find_topic(const struct decide *decide, const char *topic)
{
    for (size_t i = 0; i < MOVES_MAX; i++) {
        if (is_in_flight(&decide->moves[i]) && strcmp(decide->moves[i].topic.text, topic) == 0) {
            return &decide->moves[i];
        }
    }
    return NULL;
}

/* A free place, or that of the oldest move that has ended and was told of; NULL: all in flight. */
static struct move *find_place(struct decide *decide)
{
    struct move *oldest = NULL;

    for (size_t i = 0; i < MOVES_MAX; i++) {
        struct move *move = &decide->moves[i];

        if (move->id == 0) {
            return move;
        }
        if (!is_in_flight(move) && !move->changed && (oldest == NULL || move->id < oldest->id)) {
            oldest = move;
        }
    }
    return oldest;
}

static bool is_candidate(const struct fleet_claim *claim, const char *broker)
{
    const struct fleet_broker *owner = claim->broker;

    if (claim->candidates == 0) {
        return true;
    }
    for (size_t i = 0; i < owner->n_peers; i++) {
        if ((claim->candidates >> i & 1) != 0 && strcmp(owner->peers[i], broker) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the rules allow the move; `text` says which one does not. */
static enum answer_status judge(const struct fleet *fleet, const struct fleet_claim *claim,
                                const struct fleet_broker *to, time_us now_us, char *text)
{
    enum freshness freshness = fleet_freshness(fleet, to, now_us);

    if (freshness != FRESH) {
        say(text, "broker %s is %s", to->id, freshness_name(freshness));
    } else if (!claim->movable) {
        say(text, "the topic is not movable");
    } else if (!is_candidate(claim, to->id)) {
        say(text, "broker %s is not a candidate for this topic", to->id);
    } else if (!claim->broker->actuator) {
        say(text, "broker %s has no actuator", claim->broker->id);
    } else {
        return ANSWER_OK;
    }
    return ANSWER_REFUSED;
}

static struct move move_from(const struct decide *decide, const char *topic,
                             const struct fleet_broker *from, const char *to, time_us now_us)
{
    struct move move = {
        .state = MOVE_PLANNED,
        .started_us = now_us,
        .not_before_us = now_us,
        .deadline_us = now_us + decide->deadline_us,
        .changed = true,
    };

    (void)name_copy(move.topic.text, sizeof(move.topic.text), topic);
    (void)name_copy(move.from, sizeof(move.from), from->id);
    (void)name_copy(move.to, sizeof(move.to), to);
    (void)name_copy(move.node, sizeof(move.node), from->node->id);
    return move;
}

/* Keep the move, at once ended when there is nothing to do. */
static enum answer_status keep(struct decide *decide, struct move *move, bool noop, time_us now_us,
                               char *text)
{
    struct move *place = find_place(decide);

    if (place == NULL) {
        say(text, "%d moves are in flight; wait for some to end", MOVES_MAX);
        return ANSWER_FULL;
    }
    move->id = ++decide->last_id;
    decide->n_in_flight++;
    if (noop) {
        end(decide, move, MOVE_NOOP, now_us);
    }
    *place = *move;
    return ANSWER_OK;
}

static void foretell(const struct fleet_broker *from, const struct fleet_broker *to, bool noop,
                     char *text)
{
    uint64_t n_from = fleet_topic_count(from), n_to = fleet_topic_count(to);

    if (noop) {
        say(text, "dry run: nothing to do, %s owns it already", to->id);
        return;
    }
    say(text, "dry run: topics of %s %" PRIu64 " -> %" PRIu64 ", of %s %" PRIu64 " -> %" PRIu64,
        from->id, n_from, n_from > 0 ? n_from - 1 : 0, to->id, n_to, n_to + 1);
}

/* The move that is under way already: the same one when it has the same target. */
static enum answer_status join(const struct move *moving, const char *broker, char *text,
                               struct move *ret_move)
{
    if (strcmp(moving->to, broker) != 0) {
        say(text, "move %" PRIu64 " of this topic to %s is under way", moving->id, moving->to);
        return ANSWER_REFUSED;
    }
    *ret_move = *moving;
    return ANSWER_OK;
}

static enum answer_status plan(struct decide *decide, const struct fleet *fleet,
                               const struct fleet_claim *claim, const struct fleet_broker *to,
                               bool dry_run, time_us now_us, char *text, struct move *ret_move)
{
    bool noop = claim->broker == to;
    enum answer_status status = noop ? ANSWER_OK : judge(fleet, claim, to, now_us, text);
    struct move move = move_from(decide, fleet_claim_topic(claim), claim->broker, to->id, now_us);

    if (status != ANSWER_OK) {
        return status;
    }
    if (dry_run) {
        move.state = noop ? MOVE_ENDED : MOVE_PLANNED;
        move.outcome = noop ? MOVE_NOOP : MOVE_UNDECIDED;
        move.ended_us = now_us;
        foretell(claim->broker, to, noop, text);
    } else {
        status = keep(decide, &move, noop, now_us, text);
    }
    if (status == ANSWER_OK) {
        *ret_move = move;
    }
    return status;
}

void decide_move(struct decide *decide, const struct fleet *fleet, const char *topic,
                 const char *broker, bool dry_run, time_us now_us, struct answer *ret_answer,
                 struct move *ret_move)
{
    const struct fleet_claim *claim = fleet_owner(fleet, topic, FRESH, now_us);
    const struct fleet_broker *to = fleet_broker(fleet, broker);
    const struct move *moving = find_topic(decide, topic);
    char *text = ret_answer->text;

    text[0] = '\0';
    if (to == NULL) {
        say(text, "no broker %s", broker);
        ret_answer->status = ANSWER_NOT_FOUND;
    } else if (moving != NULL) {
        ret_answer->status = join(moving, broker, text, ret_move);
    } else if (claim == NULL) {
        say(text, "no fresh broker shows this topic");
        ret_answer->status = ANSWER_NOT_FOUND;
    } else {
        ret_answer->status = plan(decide, fleet, claim, to, dry_run, now_us, text, ret_move);
    }
}

static bool is_refused_as_old(const struct decide *decide, const struct poll_request *request)
{
    for (size_t i = 0; i < request->n_receipts; i++) {
        if (request->receipts[i].status == RECEIPT_OLD_EPOCH &&
            request->receipts[i].epoch == decide->epoch) {
            return true;
        }
    }
    return false;
}

int decide_see_epoch(struct decide *decide, const struct poll_request *request)
{
    uint64_t seen = request->epoch_seen;
    /* Equal and never told to anyone: a process before this one used it in the same second. */
    bool taken = seen == decide->epoch && !decide->epoch_used;

    if (seen > decide->epoch && seen - decide->epoch > EPOCH_AHEAD_MAX) {
        return -ERANGE;
    }
    if (!taken && !(seen > decide->epoch && is_refused_as_old(decide, request))) {
        return 0;
    }
    decide->epoch = seen + 1;
    decide->epoch_used = false;
    decide->n_epochs_raised++;
    return 0;
}

static void send_anew(struct move *move, time_us not_before_us)
{
    enter(move, MOVE_PLANNED);
    move->not_before_us = not_before_us;
}

static void take_refusal(struct decide *decide, struct move *move, const struct receipt *receipt,
                         time_us now_us)
{
    switch (receipt->status) {
    case RECEIPT_BUSY:
        send_anew(move, now_us + DECIDE_RETRY_US);
        return;
    case RECEIPT_OLD_EPOCH:
        if (!move->epoch_raised) {
            move->epoch_raised = true;
            send_anew(move, now_us);
            return;
        }
        break;
    case RECEIPT_UNKNOWN_TOPIC:
    case RECEIPT_WRONG_OWNER:
        enter(move, MOVE_VERIFYING);
        return;
    default:
        break;
    }
    end(decide, move, MOVE_REFUSED, now_us);
}

static void take_receipt(struct decide *decide, struct move *move, const struct receipt *receipt,
                         time_us now_us)
{
    bool sent = move->state == MOVE_SENT;

    if (!sent && move->state != MOVE_RUNNING) {
        return;
    }
    if (!sent && receipt->status < RECEIPT_SUCCEEDED) {
        return; /* "accepted" again, or a refusal of what runs already */
    }
    move->receipt = receipt->status;
    move->receipt_us = now_us;
    say(move->text, "%s",
        receipt->text[0] != '\0' ? receipt->text : receipt_status_name(receipt->status));
    switch (receipt->status) {
    case RECEIPT_ACCEPTED:
        enter(move, MOVE_RUNNING);
        break;
    case RECEIPT_SUCCEEDED:
    case RECEIPT_FAILED:
    case RECEIPT_TIMED_OUT:
        enter(move, MOVE_VERIFYING);
        break;
    default:
        take_refusal(decide, move, receipt, now_us);
    }
}

static bool is_sent_to(const struct move *move, const struct poll_request *request)
{
    return is_in_flight(move) && move->seq != 0 && strcmp(move->node, request->node) == 0;
}

void decide_receipts(struct decide *decide, const struct poll_request *request, time_us now_us)
{
    for (size_t i = 0; i < MOVES_MAX; i++) {
        struct move *move = &decide->moves[i];

        for (size_t k = 0; k < request->n_receipts && is_sent_to(move, request); k++) {
            const struct receipt *receipt = &request->receipts[k];

            if (receipt->epoch == move->epoch && receipt->seq == move->seq) {
                take_receipt(decide, move, receipt, now_us);
            }
        }
        if (is_sent_to(move, request) && move->boot_id != request->boot_id &&
            (move->state == MOVE_SENT || move->state == MOVE_RUNNING)) {
            say(move->text, "the agent of %s was restarted on the way", move->node);
            enter(move, MOVE_VERIFYING);
        }
    }
}

static bool is_refusal_in_doubt(const struct move *move)
{
    return move->receipt == RECEIPT_UNKNOWN_TOPIC || move->receipt == RECEIPT_WRONG_OWNER;
}

/* Whether the reports of the agent's node tell how things are after the actuator (or a refusal). */
static bool is_report_later(const struct fleet *fleet, const struct move *move)
{
    const struct fleet_node *node = fleet_node(fleet, move->node);

    if (move->state != MOVE_VERIFYING || node == NULL || node->boot_id != move->boot_id) {
        return false;
    }
    return is_refusal_in_doubt(move) ? node->received_us > move->receipt_us
                                     : node->applied_seq >= move->seq;
}

/* The old owner still has it, by a report that can be believed. */
static void review_unmoved(struct decide *decide, struct move *move, time_us now_us)
{
    if (is_refusal_in_doubt(move)) {
        end(decide, move, MOVE_REFUSED, now_us);
    } else if (move->receipt == RECEIPT_FAILED || move->receipt == RECEIPT_TIMED_OUT) {
        end(decide, move, MOVE_FAILED, now_us);
    }
}

static void review_deadline(struct decide *decide, struct move *move, time_us now_us)
{
    if (is_refusal_in_doubt(move) && move->state == MOVE_VERIFYING) {
        end(decide, move, MOVE_REFUSED, now_us);
        return;
    }
    if (move->state == MOVE_PLANNED && move->seq == 0) {
        say(move->text, "the agent of %s did not ask for decisions", move->node);
    } else if (move->receipt == RECEIPT_SUCCEEDED) {
        say(move->text, "the actuator succeeded, but no report shows the topic on %s", move->to);
    }
    end(decide, move, MOVE_TIMED_OUT, now_us);
}

static void review_owner(struct decide *decide, const struct fleet *fleet, struct move *move,
                         const struct fleet_claim *owner, time_us now_us)
{
    const char *id = owner->broker->id;
    bool later = is_report_later(fleet, move);

    if (strcmp(id, move->to) == 0) {
        end(decide, move, move->seq != 0 ? MOVE_MOVED : MOVE_NOOP, now_us);
    } else if (strcmp(id, move->from) == 0) {
        if (later) {
            review_unmoved(decide, move, now_us);
        }
    } else if (later || move->seq == 0) {
        say(move->text, "broker %s owns it", id);
        end(decide, move, MOVE_ELSEWHERE, now_us);
    }
}

void decide_review(struct decide *decide, const struct fleet *fleet, time_us now_us)
{
    for (size_t i = 0; i < MOVES_MAX && decide->n_in_flight > 0; i++) {
        struct move *move = &decide->moves[i];
        const struct fleet_claim *owner;

        if (!is_in_flight(move)) {
            continue;
        }
        owner = fleet_owner(fleet, move->topic.text, FRESH, now_us);
        if (owner != NULL) {
            review_owner(decide, fleet, move, owner, now_us);
        }
        if (is_in_flight(move) && now_us >= move->deadline_us) {
            review_deadline(decide, move, now_us);
        }
    }
}

/* The id of a new decision: above all of ours, and above what the agent says it has applied, as far
 * as that is not out of reason. */
static uint64_t next_seq(struct decide *decide, const struct fleet_node *node)
{
    uint64_t applied = node != NULL ? node->applied_seq : 0;

    if (applied > decide->last_seq && applied - decide->last_seq < SEQ_AHEAD_MAX) {
        decide->last_seq = applied;
    }
    return ++decide->last_seq;
}

static void put(const struct fleet *fleet, const struct move *move, time_us arrived_us,
                struct poll_reply *reply)
{
    struct decision *decision = &reply->decisions[reply->n_decisions++];
    const struct fleet_broker *to = fleet_broker(fleet, move->to);

    *decision = (struct decision){
        .kind = DECISION_MOVE,
        .epoch = move->epoch,
        .seq = move->seq,
        .boot_id = move->boot_id,
        .expires_in_us = move->deadline_us - arrived_us,
        .topic = move->topic,
    };
    memcpy(decision->from, move->from, sizeof(decision->from));
    memcpy(decision->to, move->to, sizeof(decision->to));
    if (to != NULL) {
        memcpy(decision->to_address, to->address, sizeof(decision->to_address));
    }
}

static bool is_due(const struct move *move, const char *node, uint64_t boot_id, time_us now_us)
{
    if (!is_in_flight(move) || strcmp(move->node, node) != 0 || move->not_before_us > now_us) {
        return false;
    }
    return move->state == MOVE_PLANNED || (move->state == MOVE_SENT && move->boot_id == boot_id);
}

/* The oldest move that is due, so that decisions go out in the order of their moves. */
static struct move *find_due(struct decide *decide, const char *node, uint64_t boot_id,
                             time_us now_us)
{
    struct move *first = NULL;

    for (size_t i = 0; i < MOVES_MAX; i++) {
        struct move *move = &decide->moves[i];

        if (is_due(move, node, boot_id, now_us) && (first == NULL || move->id < first->id)) {
            first = move;
        }
    }
    return first;
}

size_t decide_take(struct decide *decide, const struct fleet *fleet, const char *node,
                   uint64_t boot_id, time_us arrived_us, time_us now_us, struct poll_reply *reply)
{
    size_t before = reply->n_decisions;

    while (decide->n_in_flight > 0 && reply->n_decisions < DECISIONS_PER_REPLY_MAX) {
        struct move *move = find_due(decide, node, boot_id, now_us);

        if (move == NULL) {
            break;
        }
        if (move->state == MOVE_PLANNED) {
            move->epoch = decide->epoch;
            move->seq = next_seq(decide, fleet_node(fleet, node));
            move->boot_id = boot_id;
            enter(move, MOVE_SENT);
        }
        move->not_before_us = now_us + DECIDE_RESEND_US;
        put(fleet, move, arrived_us, reply);
    }
    return reply->n_decisions - before;
}

size_t decide_busy_nodes(const struct decide *decide, const char *ret_nodes[MOVES_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < MOVES_MAX && n < decide->n_in_flight; i++) {
        if (is_in_flight(&decide->moves[i])) {
            ret_nodes[n++] = decide->moves[i].node;
        }
    }
    return n;
}

time_us decide_wake_at_us(const struct decide *decide, time_us now_us)
{
    time_us wake_us = TIME_NEVER;

    for (size_t i = 0; i < MOVES_MAX && decide->n_in_flight > 0; i++) {
        const struct move *move = &decide->moves[i];

        if (!is_in_flight(move)) {
            continue;
        }
        wake_us = MIN(wake_us, move->deadline_us);
        if (move->state <= MOVE_SENT && move->not_before_us > now_us) {
            wake_us = MIN(wake_us, move->not_before_us);
        }
    }
    return wake_us;
}

const struct move *decide_take_change(struct decide *decide)
{
    struct move *first = NULL;

    for (size_t i = 0; i < MOVES_MAX; i++) {
        struct move *move = &decide->moves[i];

        if (move->changed && (first == NULL || move->id < first->id)) {
            first = move;
        }
    }
    if (first != NULL) {
        first->changed = false;
    }
    return first;
}

void decide_view(const struct move *move, time_us now_us, struct move_view *ret_view)
{
    time_us until_us = move->state == MOVE_ENDED ? move->ended_us : now_us;

    *ret_view = (struct move_view){
        .id = move->id,
        .topic = move->topic,
        .state = move->state,
        .outcome = move->outcome,
        .seconds = (double)(until_us - move->started_us) / (double)US_PER_S,
    };
    memcpy(ret_view->from, move->from, sizeof(ret_view->from));
    memcpy(ret_view->to, move->to, sizeof(ret_view->to));
    memcpy(ret_view->text, move->text, sizeof(ret_view->text));
}

static int newest_first(const void *left, const void *right)
{
    const struct move_view *a = left, *b = right;

    return CMP(b->id, a->id);
}

size_t decide_views(const struct decide *decide, time_us now_us, struct move_view *views)
{
    size_t n = 0;

    for (size_t i = 0; i < MOVES_MAX; i++) {
        if (decide->moves[i].id != 0) {
            decide_view(&decide->moves[i], now_us, &views[n++]);
        }
    }
    qsort(views, n, sizeof(views[0]), newest_first);
    return n;
}
