/* The agent's mind. Pure.
 *
 * Reports: the first soon after the start, the second after a random part of the interval more, the
 * rest a whole interval after the last: agents that start together do not report together for ever.
 * A tick that was missed is skipped: there is never more than one report to make.
 *
 * Polls: each aggregator has one request open. Receipts wait in its outbox and stay there until a
 * good reply to the very poll that carried them: a lost reply repeats them, the aggregator must not
 * count them twice. A receipt that changed meanwhile (accepted, then succeeded) is put behind the
 * carried ones, so that an acknowledgement never removes what was not told. */
#include "agent/agent.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static struct agent_note *note(struct agent_effects *effects, enum agent_note_kind kind,
                               size_t aggregator, const char *text)
{
    struct agent_note *made = &effects->notes[effects->n_notes];

    assert(effects->n_notes < AGENT_NOTES_MAX);
    effects->n_notes++;
    memset(made, 0, sizeof(*made));
    made->kind = kind;
    made->aggregator = aggregator;
    (void)snprintf(made->text, sizeof(made->text), "%.*s", TEXT_BYTES_MAX, text);
    return made;
}

static void note_receipt(struct agent_effects *effects, enum agent_note_kind kind,
                         size_t aggregator, const struct receipt *receipt, const char *topic)
{
    struct agent_note *made = note(effects, kind, aggregator, receipt->text);

    made->epoch = receipt->epoch;
    made->seq = receipt->seq;
    made->status = receipt->status;
    (void)snprintf(made->topic, sizeof(made->topic), "%s", topic);
}

/* A random time in [low, high]. */
static time_us between(struct agent *agent, time_us low, time_us high)
{
    return low + (time_us)prng_below(&agent->prng, (uint64_t)(high - low) + 1);
}

static void outbox_remove(struct agent_poll *poll, size_t index)
{
    poll->n_outbox--;
    memmove(&poll->outbox[index], &poll->outbox[index + 1],
            (poll->n_outbox - index) * sizeof(poll->outbox[0]));
    if (index < poll->n_carried) {
        poll->n_carried--;
    }
}

/* Put a receipt behind those that wait, in the place of an earlier one of the same decision that
 * was not told yet. */
static void outbox_put(struct agent *agent, size_t aggregator, const struct receipt *receipt)
{
    struct agent_poll *poll = &agent->polls[aggregator];

    for (size_t i = poll->n_carried; i < poll->n_outbox; i++) {
        if (poll->outbox[i].epoch == receipt->epoch && poll->outbox[i].seq == receipt->seq) {
            poll->outbox[i] = *receipt;
            return;
        }
    }
    if (poll->n_outbox == AGENT_OUTBOX_MAX) {
        outbox_remove(poll, 0);
        agent->statistics.n_receipts_lost++;
    }
    poll->outbox[poll->n_outbox++] = *receipt;
}

/* Drop each receipt that a later one of the same decision follows. */
static void outbox_compact(struct agent_poll *poll)
{
    for (size_t i = 0; i < poll->n_outbox; i++) {
        for (size_t k = i + 1; k < poll->n_outbox; k++) {
            if (poll->outbox[i].epoch == poll->outbox[k].epoch &&
                poll->outbox[i].seq == poll->outbox[k].seq) {
                outbox_remove(poll, i);
                i--;
                break;
            }
        }
    }
}

static void count_receipt(struct agent *agent, enum receipt_status status)
{
    if ((size_t)status < N_ELEMENTS(agent->statistics.n_receipts)) {
        agent->statistics.n_receipts[status]++;
    }
}

static void ask_if_due(struct agent *agent, size_t aggregator, time_us now_us,
                       struct agent_effects *effects)
{
    struct agent_poll *poll = &agent->polls[aggregator];
    struct agent_ask *ask;

    if (poll->asked || now_us < poll->ask_at_us) {
        return;
    }
    outbox_compact(poll);
    poll->n_carried = poll->n_outbox;
    poll->asked = true;
    poll->asked_us = now_us;
    agent->statistics.n_polls++;
    ask = &effects->asks[effects->n_asks++];
    ask->aggregator = aggregator;
    memcpy(ask->request.node, agent->node, sizeof(ask->request.node));
    ask->request.boot_id = agent->boot_id;
    ask->request.epoch_seen = agent->guard.epoch_seen;
    ask->request.n_receipts = poll->n_outbox;
    memcpy(ask->request.receipts, poll->outbox, poll->n_outbox * sizeof(poll->outbox[0]));
}

static void back_off(struct agent *agent, struct agent_poll *poll, time_us now_us)
{
    poll->asked = false;
    poll->n_carried = 0;
    poll->ask_at_us = now_us + between(agent, AGENT_BACKOFF_US_MIN, poll->backoff_us);
    poll->backoff_us = MIN(2 * poll->backoff_us, AGENT_BACKOFF_US_MAX);
}

static void on_poll_failed(struct agent *agent, const struct agent_event *event,
                           struct agent_effects *effects)
{
    struct agent_poll *poll = &agent->polls[event->aggregator];

    if (!poll->asked) {
        return;
    }
    agent->statistics.n_polls_failed++;
    if (!poll->lost) {
        (void)note(effects, AGENT_NOTE_LOST, event->aggregator, event->text);
    }
    poll->lost = true;
    back_off(agent, poll, event->now_us);
    if (event->kind == AGENT_POLL_UNSENT) {
        poll->ask_at_us = event->now_us + AGENT_UNSENT_US;
    }
}

/* The wait after a failure is over when the connection is there again. */
static void on_connected(struct agent *agent, const struct agent_event *event)
{
    struct agent_poll *poll = &agent->polls[event->aggregator];

    if (!poll->asked) {
        poll->ask_at_us = MIN(poll->ask_at_us,
                              MAX(event->now_us, poll->asked_us + AGENT_POLL_GAP_IDLE_US));
    }
}

static void take_decision(struct agent *agent, const struct agent_event *event,
                          const struct decision *decision, struct agent_effects *effects)
{
    const struct agent_poll *poll = &agent->polls[event->aggregator];
    struct verdict verdict;

    guard_judge(&agent->guard, decision, event->aggregator, agent->latest, poll->asked_us,
                event->now_us, &verdict);
    count_receipt(agent, verdict.receipt.status);
    outbox_put(agent, event->aggregator, &verdict.receipt);
    note_receipt(effects, AGENT_NOTE_DECISION, event->aggregator, &verdict.receipt,
                 decision->topic.text);
    if (verdict.run) {
        const struct broker_options *brokers = agent->config->brokers.elements;

        effects->runs[effects->n_runs++] = (struct agent_run){
            .decision = *decision,
            .broker = verdict.broker,
            .deadline_us = event->now_us + brokers[verdict.broker].actuator.timeout_us,
        };
    }
}

/* The carried receipts have been heard. */
static void acknowledge(struct agent_poll *poll)
{
    poll->n_outbox -= poll->n_carried;
    memmove(poll->outbox, &poll->outbox[poll->n_carried], poll->n_outbox * sizeof(poll->outbox[0]));
    poll->n_carried = 0;
}

static void on_refused(struct agent *agent, const struct agent_event *event,
                       struct agent_effects *effects)
{
    struct agent_poll *poll = &agent->polls[event->aggregator];

    agent->statistics.n_polls_refused++;
    (void)note(effects, AGENT_NOTE_POLL_REFUSED, event->aggregator, event->reply->text);
    back_off(agent, poll, event->now_us);
}

static void on_poll_replied(struct agent *agent, const struct agent_event *event,
                            struct agent_effects *effects)
{
    struct agent_poll *poll = &agent->polls[event->aggregator];
    const struct poll_reply *reply = event->reply;
    time_us gap_us = AGENT_POLL_GAP_IDLE_US;

    if (!poll->asked) {
        return;
    }
    if (reply->status != POLL_OK) {
        on_refused(agent, event, effects);
        return;
    }
    if (poll->lost) {
        (void)note(effects, AGENT_NOTE_FOUND, event->aggregator, "");
    }
    if (!guard_see_epoch(&agent->guard, reply->epoch)) {
        note(effects, AGENT_NOTE_EPOCH_REFUSED, event->aggregator, "")->epoch = reply->epoch;
    }
    poll->asked = false;
    poll->lost = false;
    poll->backoff_us = 2 * AGENT_BACKOFF_US_MIN;
    acknowledge(poll);
    for (size_t i = 0; i < reply->n_decisions; i++) {
        take_decision(agent, event, &reply->decisions[i], effects);
        gap_us = AGENT_POLL_GAP_BUSY_US;
    }
    poll->ask_at_us = poll->asked_us + gap_us;
}

static void on_ended(struct agent *agent, const struct agent_event *event,
                     struct agent_effects *effects)
{
    struct receipt receipt;
    size_t aggregator;
    int r;

    r = guard_ended(&agent->guard, event->epoch, event->seq, event->status, event->text,
                    event->now_us, &aggregator, &receipt);
    if (r < 0) {
        return;
    }
    count_receipt(agent, receipt.status);
    outbox_put(agent, aggregator, &receipt);
    note_receipt(effects, AGENT_NOTE_ENDED, aggregator, &receipt, "");
}

static void on_sampled(struct agent *agent, const struct agent_event *event,
                       struct agent_effects *effects)
{
    struct report *report = event->report;

    memcpy(report->node, agent->node, sizeof(report->node));
    report->boot_id = agent->boot_id;
    report->seq = ++agent->report_seq;
    report->at_us = event->taken_us;
    report->interval_us = agent->config->report_interval_us;
    for (size_t i = 0; i < agent->config->aggregators.n; i++) {
        effects->applied_seqs[i] = guard_applied_seq(&agent->guard, i, event->seen_us);
    }
    report->applied_seq = effects->applied_seqs[0];
    agent->latest = report;
    agent->sampling = false;
    agent->statistics.n_reports++;
    effects->publish = true;
}

/* Ask for a sample when its time has come, and set the next time. */
static void sample_if_due(struct agent *agent, time_us now_us, struct agent_effects *effects)
{
    const time_us interval_us = agent->config->report_interval_us;

    if (now_us < agent->report_at_us || agent->sampling) {
        return;
    }
    effects->sample = true;
    agent->sampling = true;
    if (agent->report_seq == 0) {
        agent->report_at_us = now_us +
                              between(agent, interval_us / 2, interval_us + interval_us / 2);
    } else {
        const time_us n_intervals = (now_us - agent->report_at_us) / interval_us;

        agent->statistics.n_ticks_missed += (uint64_t)n_intervals;
        agent->report_at_us += (n_intervals + 1) * interval_us;
    }
}

static time_us next_wake(const struct agent *agent)
{
    time_us wake_at_us = agent->report_at_us;

    for (size_t i = 0; i < agent->config->aggregators.n; i++) {
        if (!agent->polls[i].asked) {
            wake_at_us = MIN(wake_at_us, agent->polls[i].ask_at_us);
        }
    }
    return wake_at_us;
}

void agent_init(struct agent *agent, const struct agent_config *config, const char *node,
                uint64_t boot_id, uint64_t seed, time_us now_us)
{
    assert(config->aggregators.n <= AGGREGATORS_MAX);
    memset(agent, 0, sizeof(*agent));
    agent->config = config;
    (void)snprintf(agent->node, sizeof(agent->node), "%s", node);
    agent->boot_id = boot_id;
    agent->prng = prng_of(seed);
    guard_init(&agent->guard, boot_id);
    agent->report_at_us = now_us + between(agent, 0, AGENT_FIRST_REPORT_US_MAX);
    for (size_t i = 0; i < config->aggregators.n; i++) {
        agent->polls[i].ask_at_us = now_us + between(agent, 0, AGENT_BACKOFF_US_MIN);
        agent->polls[i].backoff_us = 2 * AGENT_BACKOFF_US_MIN;
    }
}

void agent_step(struct agent *agent, const struct agent_event *event,
                struct agent_effects *ret_effects)
{
    ret_effects->n_notes = 0;
    ret_effects->publish = false;
    ret_effects->n_runs = 0;
    ret_effects->n_asks = 0;
    ret_effects->sample = false;
    switch (event->kind) {
    case AGENT_WOKEN:
        break;
    case AGENT_SAMPLED:
        on_sampled(agent, event, ret_effects);
        break;
    case AGENT_CONNECTED:
        on_connected(agent, event);
        break;
    case AGENT_POLL_REPLIED:
        on_poll_replied(agent, event, ret_effects);
        break;
    case AGENT_POLL_FAILED:
    case AGENT_POLL_UNSENT:
        on_poll_failed(agent, event, ret_effects);
        break;
    case AGENT_ACTUATOR_ENDED:
        on_ended(agent, event, ret_effects);
        break;
    }
    for (size_t i = 0; i < agent->config->aggregators.n; i++) {
        ask_if_due(agent, i, event->now_us, ret_effects);
    }
    sample_if_due(agent, event->now_us, ret_effects);
    ret_effects->wake_at_us = next_wake(agent);
}

bool agent_thin_report(struct report *report)
{
    size_t n_kept = 0;
    bool dropped = false;

    for (size_t i = 0; i < report->n_brokers; i++) {
        struct broker_load *broker = &report->brokers[i];
        const size_t n = (broker->n_topics + 1) / 2;

        memmove(&report->topics[n_kept], &report->topics[broker->first_topic],
                n * sizeof(report->topics[0]));
        dropped = dropped || n < broker->n_topics;
        broker->n_topics_omitted += broker->n_topics - n;
        broker->n_topics = n;
        broker->first_topic = n_kept;
        n_kept += n;
    }
    report->n_topics = n_kept;
    return dropped;
}
