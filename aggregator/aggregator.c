/* The aggregator's core: events in, effects out.
 *
 * Every step has the same two halves. First the event is taken in: a report into the fleet, a poll
 * into the parked ones (and its receipts into the moves), a query into its answer. Then what has
 * become due is flushed, whatever the event was: moves that a report or the time has ended, polls
 * that have a decision or have been held long enough, moves to tell of, a ranking to publish. So a
 * lost wake-up delays things, and never loses them.
 *
 * The ranking is made when it is needed, not with each report: an assign sees all that was reported
 * and assigned before it, and a burst of reports costs one ranking. */
#include "aggregator/aggregator.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/place.h"
#include "aggregator/views.h"

#define FORGET_INTERVAL_US SECONDS(1)

struct aggregator *aggregator_new(const struct aggregator_settings *settings, time_us now_us)
{
    struct aggregator *aggregator = calloc(1, sizeof(*aggregator));

    if (aggregator == NULL) {
        return NULL;
    }
    aggregator->settings = *settings;
    aggregator->started_us = now_us;
    aggregator->now_us = now_us;
    aggregator->published_us = now_us;
    aggregator->forgot_us = now_us;
    aggregator->ranking_is_old = true;
    fleet_init(&aggregator->fleet, &settings->fleet);
    decide_init(&aggregator->decide, settings->epoch, settings->move_deadline_us);
    return aggregator;
}

void aggregator_free(struct aggregator *aggregator)
{
    if (aggregator != NULL) {
        fleet_done(&aggregator->fleet);
        free(aggregator);
    }
}

bool aggregator_is_ready(const struct aggregator *aggregator)
{
    return aggregator->statistics.n_reports[FLEET_ACCEPTED] > 0;
}

const struct ranking *aggregator_ranking(struct aggregator *aggregator)
{
    if (aggregator->ranking_is_old || aggregator->now_us >= aggregator->ranking_expires_us) {
        rank_brokers(&aggregator->settings.rank, &aggregator->fleet, aggregator->now_us,
                     &aggregator->ranking);
        aggregator->ranking_is_old = false;
        aggregator->ranking_is_untold = true;
        aggregator->ranking_expires_us = fleet_next_change_us(&aggregator->fleet,
                                                              aggregator->now_us);
    }
    return &aggregator->ranking;
}

static struct aggregator_effect *add_effect(struct aggregator_effects *effects,
                                            enum aggregator_effect_kind kind)
{
    struct aggregator_effect *effect = &effects->effects[effects->n];

    assert(effects->n < AGGREGATOR_EFFECTS_MAX);
    effects->n++;
    *effect = (struct aggregator_effect){.kind = kind};
    return effect;
}

/* Begin a line for the log; AGGREGATOR_LINES_MAX has room for all that one step can say. */
static struct aggregator_line *add_line(struct aggregator *aggregator,
                                        struct aggregator_effects *effects, bool warning,
                                        const char *event)
{
    struct aggregator_line *line = &aggregator->lines[aggregator->n_lines];

    assert(aggregator->n_lines < AGGREGATOR_LINES_MAX);
    aggregator->n_lines++;
    line->warning = warning;
    line->event = event;
    line->n_fields = 0;
    add_effect(effects, AGGREGATOR_LOG)->line = line;
    return line;
}

static void add_text(struct aggregator_line *line, const char *key, const char *text)
{
    size_t i = line->n_fields++;
    size_t n = strlen(text);

    assert(i < N_ELEMENTS(line->fields) && n < sizeof(line->fields[i].text));
    line->fields[i].key = key;
    line->fields[i].is_text = true;
    memcpy(line->fields[i].text, text, n);
    line->fields[i].text[n] = '\0';
}

static void add_number(struct aggregator_line *line, const char *key, int64_t number)
{
    size_t i = line->n_fields++;

    assert(i < N_ELEMENTS(line->fields));
    line->fields[i].key = key;
    line->fields[i].is_text = false;
    line->fields[i].number = number;
}

/* An empty reply to a poll, one of AGGREGATOR_REPLIES_MAX. */
static struct poll_reply *add_reply(struct aggregator *aggregator,
                                    struct aggregator_effects *effects, uint64_t token)
{
    struct poll_reply *reply = &aggregator->replies[aggregator->n_replies];
    struct aggregator_effect *effect = add_effect(effects, AGGREGATOR_REPLY);

    assert(aggregator->n_replies < AGGREGATOR_REPLIES_MAX);
    aggregator->n_replies++;
    reply->status = POLL_OK;
    reply->text[0] = '\0';
    reply->epoch = aggregator->decide.epoch;
    reply->n_decisions = 0;
    aggregator->decide.epoch_used = true;
    effect->token = token;
    effect->reply = reply;
    return reply;
}

static void refuse_poll(struct aggregator *aggregator, struct aggregator_effects *effects,
                        uint64_t token, enum poll_status status, const char *text)
{
    struct poll_reply *reply = add_reply(aggregator, effects, token);

    reply->status = status;
    (void)snprintf(reply->text, sizeof(reply->text), "%s", text);
    aggregator->statistics.n_polls_refused++;
}

static void take_report(struct aggregator *aggregator, const struct aggregator_event *event,
                        struct aggregator_effects *effects)
{
    const struct report *report = event->report;
    const struct fleet_node *before = fleet_node(&aggregator->fleet, report->node);
    uint64_t boot_before = before != NULL ? before->boot_id : 0;
    bool joined = before == NULL;
    enum fleet_verdict verdict = fleet_report(&aggregator->fleet, report, event->bytes,
                                              event->now_us);
    struct aggregator_line *line;

    aggregator->statistics.n_reports[verdict]++;
    if (verdict != FLEET_ACCEPTED) {
        line = add_line(aggregator, effects, true, "report_refused");
        /* The reason first: repeats are told apart by it, and ids can be made up without end. */
        add_text(line, "reason", fleet_verdict_name(verdict));
        add_text(line, "node", report->node);
        return;
    }
    aggregator->ranking_is_old = true;
    if (joined || boot_before != report->boot_id) {
        line = add_line(aggregator, effects, false, joined ? "node_joined" : "node_restarted");
        add_text(line, "node", report->node);
        add_number(line, "brokers", (int64_t)report->n_brokers);
    }
}

/* Whether a poll may be parked; it is refused here when not. */
static bool admit_poll(struct aggregator *aggregator, const struct aggregator_event *event,
                       struct aggregator_effects *effects)
{
    const struct poll_request *request = event->poll;

    if (fleet_boot_is_old(&aggregator->fleet, request->node, request->boot_id)) {
        refuse_poll(aggregator, effects, event->token, POLL_REFUSED,
                    "a newer process of this agent speaks for the node");
        return false;
    }
    if (decide_see_epoch(&aggregator->decide, request) < 0) {
        aggregator->statistics.n_epochs_refused++;
        refuse_poll(aggregator, effects, event->token, POLL_REFUSED,
                    "the epoch seen is more than 2^32 ahead of this aggregator's");
        return false;
    }
    return true;
}

static void take_poll(struct aggregator *aggregator, const struct aggregator_event *event,
                      struct aggregator_effects *effects)
{
    struct poll poll = {
        .boot_id = event->poll->boot_id,
        .token = event->token,
        .arrived_us = event->now_us,
    };
    struct poll displaced;

    aggregator->statistics.n_polls++;
    if (!admit_poll(aggregator, event, effects)) {
        return;
    }
    decide_receipts(&aggregator->decide, event->poll, event->now_us);
    memcpy(poll.node, event->poll->node, sizeof(poll.node));
    if (polls_park(&aggregator->polls, &poll, &displaced)) {
        aggregator->statistics.n_polls_superseded++;
        (void)add_reply(aggregator, effects, displaced.token);
    }
}

static void answer_status(struct aggregator *aggregator, struct answer *answer)
{
    const struct fleet *fleet = &aggregator->fleet;
    struct aggregator_status *status = &answer->fleet;

    memset(status, 0, sizeof(*status));
    memcpy(status->version, aggregator->settings.version, sizeof(status->version));
    status->epoch = aggregator->decide.epoch;
    status->uptime_s = (double)(aggregator->now_us - aggregator->started_us) / (double)US_PER_S;
    (void)snprintf(status->algorithm, sizeof(status->algorithm), "%s",
                   rank_algorithm_name(aggregator->settings.rank.algorithm));
    status->n_nodes = fleet->n_nodes;
    views_count(fleet, aggregator->now_us, status);
    status->n_topics = fleet_n_topics(fleet);
    status->n_assignments = fleet->n_assignments;
    status->n_moves_in_flight = aggregator->decide.n_in_flight;
    for (size_t i = 0; i < FLEET_VERDICTS; i++) {
        status->n_reports_refused += aggregator->statistics.n_reports[i];
    }
    status->n_reports = aggregator->statistics.n_reports[FLEET_ACCEPTED];
    status->n_reports_refused -= status->n_reports;
    for (size_t i = 0; i < AGGREGATOR_GARBLINGS; i++) {
        status->n_reports_refused += aggregator->statistics.n_garbled[AGGREGATOR_REPORTS][i];
    }
}

static void refuse_query(struct answer *answer, enum answer_status status, const char *text)
{
    answer->status = status;
    (void)snprintf(answer->text, sizeof(answer->text), "%s", text);
}

static void answer_reports(struct aggregator *aggregator, const struct query *query,
                           struct answer *answer)
{
    const struct ranking *ranking = aggregator_ranking(aggregator);
    const struct fleet_broker *broker = fleet_broker(&aggregator->fleet, query->broker);

    if (query->broker[0] == '\0') {
        answer->n_brokers = views_reports(&aggregator->fleet, ranking, aggregator->now_us,
                                          answer->brokers);
    } else if (broker == NULL) {
        refuse_query(answer, ANSWER_NOT_FOUND, "no such broker has reported");
    } else {
        views_broker(&aggregator->fleet, ranking, broker, aggregator->now_us, answer->brokers);
        answer->n_brokers = 1;
        answer->n_topics = views_topics(broker, answer->topics);
        answer->n_peers = broker->n_peers;
        memcpy(answer->peers, broker->peers, sizeof(answer->peers[0]) * broker->n_peers);
    }
}

static void answer_move(struct aggregator *aggregator, const struct query *query,
                        struct answer *answer)
{
    struct move move;

    decide_move(&aggregator->decide, &aggregator->fleet, query->topic.text, query->broker,
                query->dry_run, aggregator->now_us, answer, &move);
    if (answer->status == ANSWER_OK) {
        decide_view(&move, aggregator->now_us, &answer->moves[0]);
        answer->n_moves = 1;
    }
}

static void answer_moves(struct aggregator *aggregator, const struct query *query,
                         struct answer *answer)
{
    const struct move *move = decide_find(&aggregator->decide, query->move_id);

    if (query->move_id == 0) {
        answer->n_moves = decide_views(&aggregator->decide, aggregator->now_us, answer->moves);
    } else if (move == NULL) {
        refuse_query(answer, ANSWER_NOT_FOUND, "no such move is kept");
    } else {
        decide_view(move, aggregator->now_us, &answer->moves[0]);
        answer->n_moves = 1;
    }
}

static void answer_assign(struct aggregator *aggregator, const struct query *query,
                          struct answer *answer)
{
    place_assign(&aggregator->fleet, aggregator_ranking(aggregator), query->topic.text,
                 aggregator->now_us, answer);
    aggregator->ranking_is_old = true;
}

static void answer_release(struct aggregator *aggregator, const struct query *query,
                           struct answer *answer)
{
    place_release(&aggregator->fleet, query->topic.text, answer);
    aggregator->ranking_is_old = true;
}

/* Verbs that speak of where topics are: nobody knows before the first report. */
static bool needs_reports(enum query_verb verb)
{
    return verb == QUERY_ASSIGN || verb == QUERY_LOOKUP || verb == QUERY_MOVE;
}

static void answer_query(struct aggregator *aggregator, const struct query *query,
                         struct answer *answer)
{
    if (needs_reports(query->verb) && !aggregator_is_ready(aggregator)) {
        refuse_query(answer, ANSWER_NOT_READY, "just started: no report has come yet");
        return;
    }
    switch (query->verb) {
    case QUERY_STATUS:
        answer_status(aggregator, answer);
        break;
    case QUERY_RANKING:
        answer->n_brokers = views_ranking(&aggregator->fleet, aggregator_ranking(aggregator),
                                          aggregator->now_us, answer->brokers);
        break;
    case QUERY_REPORTS:
        answer_reports(aggregator, query, answer);
        break;
    case QUERY_ASSIGN:
        answer_assign(aggregator, query, answer);
        break;
    case QUERY_LOOKUP:
        place_lookup(&aggregator->fleet, query->topic.text, aggregator->now_us, answer);
        break;
    case QUERY_RELEASE:
        answer_release(aggregator, query, answer);
        break;
    case QUERY_MOVE:
        answer_move(aggregator, query, answer);
        break;
    case QUERY_MOVES:
        answer_moves(aggregator, query, answer);
        break;
    }
}

/* The answer, empty and OK, addressed to `token`. */
static struct answer *add_answer(struct aggregator *aggregator, struct aggregator_effects *effects,
                                 uint64_t token, enum query_verb verb)
{
    struct answer *answer = &aggregator->answer;
    struct aggregator_effect *effect = add_effect(effects, AGGREGATOR_ANSWER);

    memset(answer, 0, offsetof(struct answer, peers));
    answer->n_moves = 0;
    answer->verb = verb;
    answer->brokers = aggregator->answer_brokers;
    answer->n_brokers_max = N_ELEMENTS(aggregator->answer_brokers);
    answer->topics = aggregator->answer_topics;
    answer->n_topics_max = N_ELEMENTS(aggregator->answer_topics);
    answer->moves = aggregator->answer_moves;
    answer->n_moves_max = N_ELEMENTS(aggregator->answer_moves);
    effect->token = token;
    effect->answer = answer;
    return answer;
}

static void take_query(struct aggregator *aggregator, const struct aggregator_event *event,
                       struct aggregator_effects *effects)
{
    const struct query *query = event->query;
    struct answer *answer = add_answer(aggregator, effects, event->token, query->verb);

    assert(query->verb >= QUERY_STATUS && query->verb < AGGREGATOR_VERBS);
    /* What has become due ends first, so that the answer is of this moment. */
    decide_review(&aggregator->decide, &aggregator->fleet, event->now_us);
    answer_query(aggregator, query, answer);
    aggregator->statistics.n_queries[query->verb][answer->status]++;
}

static void take_garbled(struct aggregator *aggregator, const struct aggregator_event *event,
                         struct aggregator_effects *effects)
{
    static const char *const sockets[AGGREGATOR_SOCKETS] = {"reports", "decisions", "queries"};
    bool unsupported = event->garbling == AGGREGATOR_UNSUPPORTED;
    struct aggregator_line *line = add_line(aggregator, effects, true, "message_refused");

    add_text(line, "socket", sockets[event->socket]);
    add_text(line, "peer", event->peer);
    add_text(line, "why", event->text);
    aggregator->statistics.n_garbled[event->socket][event->garbling]++;
    if (event->socket == AGGREGATOR_DECISIONS) {
        refuse_poll(aggregator, effects, event->token,
                    unsupported ? POLL_UNSUPPORTED : POLL_REFUSED, event->text);
    } else if (event->socket == AGGREGATOR_QUERIES) {
        struct answer *answer = add_answer(aggregator, effects, event->token, QUERY_STATUS);

        refuse_query(answer, unsupported ? ANSWER_UNSUPPORTED : ANSWER_BAD_QUERY, event->text);
        aggregator->statistics.n_queries[0][answer->status]++;
    }
}

static time_us hold_us(const struct aggregator *aggregator, const struct poll *poll,
                       const char *const *busy, size_t n_busy)
{
    for (size_t i = 0; i < n_busy; i++) {
        if (strcmp(busy[i], poll->node) == 0) {
            return AGGREGATOR_BUSY_HOLD_US;
        }
    }
    return aggregator->settings.poll_hold_us;
}

/* Put what is to be done by its agent into a reply to the poll at place `i`. */
static bool hand_out(struct aggregator *aggregator, struct aggregator_effects *effects, size_t i,
                     bool overdue)
{
    const struct poll *poll = &aggregator->polls.parked[i];
    struct poll_reply *reply = &aggregator->replies[aggregator->n_replies];
    size_t n;

    reply->n_decisions = 0;
    n = decide_take(&aggregator->decide, &aggregator->fleet, poll->node, poll->boot_id,
                    poll->arrived_us, aggregator->now_us, reply);
    if (n == 0 && !overdue) {
        return false;
    }
    reply = add_reply(aggregator, effects, polls_take(&aggregator->polls, i).token);
    reply->n_decisions = n;
    aggregator->statistics.n_decisions += n;
    return true;
}

/* Reply to the polls that have waited long enough, or for which there is a decision. Returns when
 * the next one is due. */
static time_us flush_polls(struct aggregator *aggregator, struct aggregator_effects *effects)
{
    const char *busy[MOVES_MAX];
    size_t n_busy = decide_busy_nodes(&aggregator->decide, busy);
    time_us wake_us = TIME_NEVER;
    size_t i = 0;

    while (i < aggregator->polls.n) {
        const struct poll *poll = &aggregator->polls.parked[i];
        time_us hold = hold_us(aggregator, poll, busy, n_busy);
        time_us due_us = poll->arrived_us + hold;
        bool overdue = aggregator->now_us >= due_us;

        if (aggregator->n_replies == AGGREGATOR_REPLIES_MAX) {
            return aggregator->now_us;
        }
        if ((overdue || hold == AGGREGATOR_BUSY_HOLD_US) &&
            hand_out(aggregator, effects, i, overdue)) {
            continue;
        }
        wake_us = MIN(wake_us, due_us);
        i++;
    }
    return wake_us;
}

static void log_move(struct aggregator *aggregator, struct aggregator_effects *effects,
                     const struct move_view *move)
{
    bool failed = move->state == MOVE_ENDED && move->outcome > MOVE_NOOP;
    struct aggregator_line *line = add_line(aggregator, effects, failed, "move");

    add_number(line, "move", (int64_t)move->id);
    add_text(line, "topic", move->topic.text);
    add_text(line, "from", move->from);
    add_text(line, "to", move->to);
    add_text(line, "state",
             move->state == MOVE_ENDED ? move_outcome_name(move->outcome)
                                       : move_state_name(move->state));
    add_text(line, "text", move->text);
}

/* Tell of moves that changed. Returns when there is more to tell. */
static time_us flush_moves(struct aggregator *aggregator, struct aggregator_effects *effects)
{
    const struct move *move = NULL;

    while (aggregator->n_changes < AGGREGATOR_CHANGES_MAX &&
           (move = decide_take_change(&aggregator->decide)) != NULL) {
        struct feed *feed = &aggregator->changes[aggregator->n_changes++];

        feed->kind = FEED_MOVE;
        feed->version = aggregator->ranking_version;
        feed->epoch = aggregator->decide.epoch;
        decide_view(move, aggregator->now_us, &feed->move);
        add_effect(effects, AGGREGATOR_PUBLISH)->feed = feed;
        log_move(aggregator, effects, &feed->move);
    }
    aggregator->statistics.n_feeds += aggregator->n_changes;
    return move != NULL ? aggregator->now_us : TIME_NEVER;
}

static void publish_ranking(struct aggregator *aggregator, struct aggregator_effects *effects,
                            bool changed)
{
    struct feed *feed = &aggregator->feed;

    aggregator->told ^= 1;
    aggregator->ranking_version += changed;
    aggregator->published_us = aggregator->now_us;
    aggregator->statistics.n_feeds++;
    feed->kind = FEED_RANKING;
    feed->version = aggregator->ranking_version;
    feed->epoch = aggregator->decide.epoch;
    feed->brokers = aggregator->feed_brokers[aggregator->told];
    feed->n_brokers = aggregator->n_feed_brokers[aggregator->told];
    feed->n_brokers_max = FLEET_BROKERS_MAX;
    add_effect(effects, AGGREGATOR_PUBLISH)->feed = feed;
}

/* Make the views that would be told now, beside those that were told last. Returns whether they say
 * something else. */
static bool view_ranking(struct aggregator *aggregator)
{
    const struct ranking *ranking = aggregator_ranking(aggregator);
    int next = aggregator->told ^ 1;

    aggregator->ranking_is_untold = false;
    aggregator->n_feed_brokers[next] = views_ranking(
        &aggregator->fleet, ranking, aggregator->now_us, aggregator->feed_brokers[next]);
    return !views_are_equal(aggregator->feed_brokers[0], aggregator->n_feed_brokers[0],
                            aggregator->feed_brokers[1], aggregator->n_feed_brokers[1]);
}

/* Publish the ranking when it has changed, or listeners have not heard of it for long. Returns when
 * to look again. */
static time_us flush_ranking(struct aggregator *aggregator, struct aggregator_effects *effects)
{
    time_us now_us = aggregator->now_us;
    time_us overdue_us = aggregator->published_us + AGGREGATOR_FEED_MOST_US;
    time_us least_us = aggregator->published_us + AGGREGATOR_FEED_LEAST_US;
    bool changed;

    if (aggregator->ranking_is_old || aggregator->ranking_is_untold ||
        now_us >= aggregator->ranking_expires_us || now_us >= overdue_us) {
        if (now_us < least_us) {
            return least_us;
        }
        changed = view_ranking(aggregator);
        if (changed || now_us >= overdue_us) {
            publish_ranking(aggregator, effects, changed);
        }
    }
    return MIN(aggregator->published_us + AGGREGATOR_FEED_MOST_US, aggregator->ranking_expires_us);
}

static void forget(struct aggregator *aggregator)
{
    if (aggregator->now_us - aggregator->forgot_us >= FORGET_INTERVAL_US) {
        aggregator->forgot_us = aggregator->now_us;
        if (fleet_forget(&aggregator->fleet, aggregator->now_us) > 0) {
            aggregator->ranking_is_old = true;
        }
    }
}

static void take_event(struct aggregator *aggregator, const struct aggregator_event *event,
                       struct aggregator_effects *effects)
{
    switch (event->kind) {
    case AGGREGATOR_REPORTED:
        take_report(aggregator, event, effects);
        break;
    case AGGREGATOR_POLLED:
        take_poll(aggregator, event, effects);
        break;
    case AGGREGATOR_ASKED:
        take_query(aggregator, event, effects);
        break;
    case AGGREGATOR_GARBLED:
        take_garbled(aggregator, event, effects);
        break;
    case AGGREGATOR_WOKEN:
        break;
    }
}

void aggregator_step(struct aggregator *aggregator, const struct aggregator_event *event,
                     struct aggregator_effects *ret_effects)
{
    time_us wake_us;

    assert(event->now_us >= aggregator->now_us);
    aggregator->now_us = event->now_us;
    aggregator->n_replies = 0;
    aggregator->n_changes = 0;
    aggregator->n_lines = 0;
    ret_effects->n = 0;
    forget(aggregator);
    take_event(aggregator, event, ret_effects);
    decide_review(&aggregator->decide, &aggregator->fleet, aggregator->now_us);
    wake_us = flush_polls(aggregator, ret_effects);
    wake_us = MIN(wake_us, flush_moves(aggregator, ret_effects));
    wake_us = MIN(wake_us, flush_ranking(aggregator, ret_effects));
    wake_us = MIN(wake_us, decide_wake_at_us(&aggregator->decide, aggregator->now_us));
    ret_effects->wake_at_us = wake_us;
}
