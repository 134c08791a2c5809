/* The agent's mind, as stories: what comes in, what shall be done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/agent.h"

#define BOOT  77
#define EPOCH 1700000000

struct world {
    struct agent agent;
    struct agent_effects effects;
    struct agent_config config;
    struct aggregator_options aggregators[2];
    struct broker_options brokers[1];
    struct report report;
    struct poll_reply reply;
    struct agent_ask asked[2]; /* the last poll of each aggregator */
    int n_asked[2];
    int n_samples;
    int n_runs;
    time_us now_us;
};

static void step(struct world *w, struct agent_event event)
{
    event.now_us = w->now_us;
    agent_step(&w->agent, &event, &w->effects);
    for (size_t i = 0; i < w->effects.n_asks; i++) {
        w->asked[w->effects.asks[i].aggregator] = w->effects.asks[i];
        w->n_asked[w->effects.asks[i].aggregator]++;
    }
    w->n_runs += (int)w->effects.n_runs;
    w->n_samples += w->effects.sample ? 1 : 0;
}

static void sampled(struct world *w)
{
    w->report.topics[0].values[0] = value_of(1);
    step(w, (struct agent_event){.kind = AGENT_SAMPLED,
                                 .report = &w->report,
                                 .taken_us = w->now_us,
                                 .seen_us = w->now_us});
    assert_true(w->effects.publish);
}

/* Let time pass, waking the agent when it asked for it and sampling when it wants to. */
static void run_until(struct world *w, time_us until_us)
{
    step(w, (struct agent_event){.kind = AGENT_WOKEN});
    while (w->effects.wake_at_us <= until_us) {
        assert_true(w->effects.wake_at_us >= w->now_us);
        w->now_us = w->effects.wake_at_us;
        step(w, (struct agent_event){.kind = AGENT_WOKEN});
        if (w->effects.sample) {
            sampled(w);
        }
    }
    w->now_us = until_us;
}

static void wait_for(struct world *w, time_us duration_us)
{
    run_until(w, w->now_us + duration_us);
}

static void fail_poll(struct world *w, size_t aggregator)
{
    step(w, (struct agent_event){
                .kind = AGENT_POLL_FAILED, .aggregator = aggregator, .text = "nobody there"});
}

/* Begin a reply; decide() adds to it, reply() sends it. */
static void begin_reply(struct world *w)
{
    memset(&w->reply, 0, sizeof(w->reply));
    w->reply.epoch = EPOCH;
}

static void decide(struct world *w, uint64_t seq)
{
    struct decision *d = &w->reply.decisions[w->reply.n_decisions++];

    *d = (struct decision){.kind = DECISION_MOVE,
                           .epoch = w->reply.epoch,
                           .seq = seq,
                           .boot_id = BOOT,
                           .expires_in_us = SECONDS(20)};
    (void)snprintf(d->topic.text, sizeof(d->topic.text), "t%d", (int)seq);
    (void)snprintf(d->from, sizeof(d->from), "a");
    (void)snprintf(d->to, sizeof(d->to), "b");
}

static void reply(struct world *w, size_t aggregator)
{
    step(w, (struct agent_event){
                .kind = AGENT_POLL_REPLIED, .aggregator = aggregator, .reply = &w->reply});
}

static void reply_empty(struct world *w, size_t aggregator)
{
    begin_reply(w);
    reply(w, aggregator);
}

static void reply_decision(struct world *w, size_t aggregator, uint64_t seq)
{
    begin_reply(w);
    decide(w, seq);
    reply(w, aggregator);
}

static void end(struct world *w, uint64_t seq, enum receipt_status status)
{
    step(w, (struct agent_event){.kind = AGENT_ACTUATOR_ENDED,
                                 .epoch = EPOCH,
                                 .seq = seq,
                                 .status = status,
                                 .text = "words"});
}

/* What the last poll of `aggregator` says of decision `seq`; 0: nothing. */
static int told(const struct world *w, size_t aggregator, uint64_t seq)
{
    const struct poll_request *request = &w->asked[aggregator].request;
    int found = 0;

    for (size_t i = 0; i < request->n_receipts; i++) {
        if (request->receipts[i].seq == seq) {
            assert_int_equal(found, 0);
            found = (int)request->receipts[i].status;
        }
    }
    return found;
}

/* An agent with two aggregators and broker "a", which leads t1 … t20; the first sample is taken
 * and both aggregators are asked. */
static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct broker_load *load;

    assert_non_null(w);
    w->config.report_interval_us = SECONDS(5);
    w->config.aggregators = (struct option_list){.elements = w->aggregators, .n = 2};
    w->config.brokers = (struct option_list){.elements = w->brokers, .n = 1};
    w->brokers[0].actuator.type = ACTUATOR_EXEC;
    w->brokers[0].actuator.timeout_us = SECONDS(30);
    report_clear(&w->report);
    load = report_add_broker(&w->report);
    (void)snprintf(load->id, sizeof(load->id), "a");
    load->actuator = true;
    load->topics_known = true;
    for (int i = 1; i <= 20; i++) {
        (void)snprintf(report_add_topic(&w->report)->name.text, NAME_BYTES_MAX + 1, "t%d", i);
    }
    w->now_us = SECONDS(1000);
    agent_init(&w->agent, &w->config, "node-1", BOOT, 42, w->now_us);
    wait_for(w, MILLISECONDS(250));
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

/* The first report comes at once and is stamped; both aggregators are asked by name and boot. */
static void test_starts(void **state)
{
    struct world *w = *state;

    assert_int_equal(w->n_samples, 1);
    assert_int_equal(w->report.seq, 1);
    assert_int_equal(w->report.boot_id, BOOT);
    assert_string_equal(w->report.node, "node-1");
    assert_int_equal(w->report.interval_us, SECONDS(5));
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(w->n_asked[i], 1);
        assert_string_equal(w->asked[i].request.node, "node-1");
        assert_int_equal(w->asked[i].request.boot_id, BOOT);
        assert_int_equal(w->asked[i].request.epoch_seen, 0);
    }
}

/* Reports come at the interval, from a phase that differs from seed to seed. */
static void test_reports_in_time(void **state)
{
    struct world *w = *state;
    time_us phase_us;

    wait_for(w, SECONDS(8));
    assert_true(w->n_samples >= 2);
    phase_us = w->report.at_us % SECONDS(5);
    wait_for(w, SECONDS(50));
    assert_int_equal(w->report.at_us % SECONDS(5), phase_us);
    assert_in_range(w->n_samples, 11, 13);
    agent_init(&w->agent, &w->config, "node-1", BOOT, 43, SECONDS(1000));
    w->now_us = SECONDS(1000);
    wait_for(w, SECONDS(8));
    assert_int_not_equal(w->report.at_us % SECONDS(5), phase_us);
}

/* After a long stop there is one report, not one for each that was missed. */
static void test_no_catching_up(void **state)
{
    struct world *w = *state;
    int n_samples;

    wait_for(w, SECONDS(20));
    n_samples = w->n_samples;
    w->now_us += SECONDS(3600);
    step(w, (struct agent_event){.kind = AGENT_WOKEN});
    assert_true(w->effects.sample);
    sampled(w);
    assert_false(w->effects.sample);
    assert_int_equal(w->n_samples, n_samples + 1);
    assert_true(w->effects.wake_at_us > w->now_us - 1);
    assert_true(w->agent.report_at_us > w->now_us);
    assert_in_range(w->agent.statistics.n_ticks_missed, 718, 720);
}

/* A decision is accepted, run with its deadline, and told in the next poll; so is its outcome. */
static void test_decision(void **state)
{
    struct world *w = *state;

    reply_decision(w, 0, 1);
    assert_int_equal(w->effects.n_runs, 1);
    assert_int_equal(w->effects.runs[0].deadline_us, w->now_us + SECONDS(30));
    wait_for(w, MILLISECONDS(20));
    assert_int_equal(told(w, 0, 1), RECEIPT_ACCEPTED);
    assert_int_equal(told(w, 1, 1), 0);
    assert_int_equal(w->asked[0].request.epoch_seen, EPOCH);
    end(w, 1, RECEIPT_SUCCEEDED);
    reply_empty(w, 0);
    wait_for(w, MILLISECONDS(150));
    assert_int_equal(told(w, 0, 1), RECEIPT_SUCCEEDED);
    reply_empty(w, 0);
    wait_for(w, MILLISECONDS(150));
    assert_int_equal(told(w, 0, 1), 0);
}

/* The same decision again is answered the same, and not run again. */
static void test_decision_twice(void **state)
{
    struct world *w = *state;

    reply_decision(w, 0, 1);
    wait_for(w, MILLISECONDS(20));
    reply_decision(w, 0, 1);
    wait_for(w, MILLISECONDS(20));
    assert_int_equal(told(w, 0, 1), RECEIPT_ACCEPTED);
    end(w, 1, RECEIPT_FAILED);
    reply_decision(w, 0, 1);
    wait_for(w, MILLISECONDS(20));
    assert_int_equal(told(w, 0, 1), RECEIPT_FAILED);
    assert_int_equal(w->n_runs, 1);
}

/* A poll whose reply is lost has told nothing: its receipts come again, and the newest word counts.
 */
static void test_lost_reply(void **state)
{
    struct world *w = *state;

    reply_decision(w, 0, 1);
    wait_for(w, MILLISECONDS(20));
    assert_int_equal(told(w, 0, 1), RECEIPT_ACCEPTED);
    fail_poll(w, 0);
    wait_for(w, MILLISECONDS(300));
    assert_int_equal(told(w, 0, 1), RECEIPT_ACCEPTED);
    end(w, 1, RECEIPT_SUCCEEDED);
    fail_poll(w, 0);
    wait_for(w, MILLISECONDS(500));
    assert_int_equal(told(w, 0, 1), RECEIPT_SUCCEEDED);
}

/* An aggregator that refuses the poll has not heard its receipts either. */
static void test_refused_poll(void **state)
{
    struct world *w = *state;

    reply_decision(w, 0, 1);
    wait_for(w, MILLISECONDS(20));
    begin_reply(w);
    w->reply.status = POLL_REFUSED;
    decide(w, 2);
    reply(w, 0);
    assert_int_equal(w->effects.n_runs, 0);
    wait_for(w, MILLISECONDS(300));
    assert_int_equal(told(w, 0, 1), RECEIPT_ACCEPTED);
    assert_int_equal(w->agent.statistics.n_polls_refused, 1);
}

/* More decisions than may run at a time are answered with busy, all in one poll. */
static void test_busy(void **state)
{
    struct world *w = *state;

    begin_reply(w);
    for (uint64_t seq = 1; seq <= DECISIONS_PER_REPLY_MAX; seq++) {
        decide(w, seq);
    }
    reply(w, 0);
    assert_int_equal(w->effects.n_runs, ACTUATORS_RUNNING_MAX);
    wait_for(w, MILLISECONDS(20));
    assert_int_equal(w->asked[0].request.n_receipts, DECISIONS_PER_REPLY_MAX);
    assert_int_equal(told(w, 0, ACTUATORS_RUNNING_MAX), RECEIPT_ACCEPTED);
    assert_int_equal(told(w, 0, ACTUATORS_RUNNING_MAX + 1), RECEIPT_BUSY);
}

/* A process that was stopped does not act on a decision that waited for it meanwhile. */
static void test_expired_after_stop(void **state)
{
    struct world *w = *state;

    w->now_us += SECONDS(60);
    reply_decision(w, 0, 1);
    assert_int_equal(w->effects.n_runs, 0);
    assert_int_equal(w->effects.notes[0].status, RECEIPT_EXPIRED);
}

/* Of two aggregators the one with the lower epoch is refused and told so; the other is not. */
static void test_two_aggregators(void **state)
{
    struct world *w = *state;

    begin_reply(w);
    w->reply.epoch = EPOCH + 10;
    reply(w, 1);
    reply_decision(w, 0, 1);
    assert_int_equal(w->n_runs, 0);
    wait_for(w, MILLISECONDS(150));
    assert_int_equal(told(w, 0, 1), RECEIPT_OLD_EPOCH);
    assert_int_equal(told(w, 1, 1), 0);
    assert_int_equal(w->asked[0].request.epoch_seen, EPOCH + 10);
}

/* While an aggregator is away it is asked rarely, and asked at once when it is back. */
static void test_away(void **state)
{
    struct world *w = *state;
    int n_asked;

    for (int i = 0; i < 20; i++) {
        fail_poll(w, 0);
        wait_for(w, AGENT_BACKOFF_US_MAX);
    }
    n_asked = w->n_asked[0];
    assert_int_equal(n_asked, 21);
    assert_int_equal(w->effects.n_notes, 0);
    fail_poll(w, 0);
    assert_in_range(w->agent.polls[0].ask_at_us - w->now_us, AGENT_BACKOFF_US_MIN,
                    AGENT_BACKOFF_US_MAX);
    wait_for(w, AGENT_BACKOFF_US_MAX);
    reply_empty(w, 0);
    assert_int_equal(w->effects.notes[0].kind, AGENT_NOTE_FOUND);
    assert_int_equal(w->effects.n_asks, 1);
}

/* A connection that is there again ends the wait, but not more often than polls may be. */
static void test_connected(void **state)
{
    struct world *w = *state;

    wait_for(w, AGENT_POLL_GAP_IDLE_US);
    fail_poll(w, 0);
    step(w, (struct agent_event){.kind = AGENT_CONNECTED, .aggregator = 0});
    assert_int_equal(w->effects.n_asks, 1);
    fail_poll(w, 0);
    step(w, (struct agent_event){.kind = AGENT_CONNECTED, .aggregator = 0});
    assert_int_equal(w->effects.n_asks, 0);
    step(w, (struct agent_event){.kind = AGENT_CONNECTED, .aggregator = 1});
    assert_int_equal(w->effects.n_asks, 0);
}

/* An aggregator that answers at once and holds nothing is not asked in a tight loop. */
static void test_no_tight_loop(void **state)
{
    struct world *w = *state;
    const time_us until_us = w->now_us + SECONDS(1);
    int n_replies = 0;

    while (w->now_us < until_us) {
        reply_empty(w, 0);
        n_replies++;
        wait_for(w, AGENT_POLL_GAP_IDLE_US);
    }
    assert_in_range(w->n_asked[0], n_replies - 1, n_replies + 1);
    assert_in_range(n_replies, 10, 11);
    reply_empty(w, 0);
    reply_empty(w, 0);
    assert_int_equal(w->effects.n_asks, 0);
}

/* A report says that a decision is applied only when what it shows was seen after the end. */
static void test_applied_seq(void **state)
{
    struct world *w = *state;
    time_us before_us;

    reply_decision(w, 0, 3);
    sampled(w);
    assert_int_equal(w->report.applied_seq, 0);
    before_us = w->now_us;
    w->now_us += SECONDS(1);
    end(w, 3, RECEIPT_SUCCEEDED);
    step(w, (struct agent_event){.kind = AGENT_SAMPLED,
                                 .report = &w->report,
                                 .taken_us = w->now_us,
                                 .seen_us = before_us});
    assert_int_equal(w->report.applied_seq, 0);
    sampled(w);
    assert_int_equal(w->report.applied_seq, 3);
}

/* Replies and ends that nobody waits for change nothing. */
static void test_strays(void **state)
{
    struct world *w = *state;

    fail_poll(w, 0);
    reply_decision(w, 0, 1); /* nobody asked */
    assert_int_equal(w->effects.n_runs, 0);
    end(w, 9, RECEIPT_SUCCEEDED);
    assert_int_equal(w->effects.n_notes, 0);
}

/* A report is thinned broker by broker, what remains keeps its place, and what is lost is counted.
 */
static void test_thin(void **state)
{
    struct world *w = *state;
    struct report *report = &w->report;
    struct broker_load *second = report_add_broker(report);

    (void)snprintf(report_add_topic(report)->name.text, NAME_BYTES_MAX + 1, "u1");
    assert_true(agent_thin_report(report));
    assert_int_equal(report->n_topics, 11);
    assert_int_equal(report->brokers[0].n_topics, 10);
    assert_int_equal(report->brokers[0].n_topics_omitted, 10);
    assert_int_equal(second->first_topic, 10);
    assert_int_equal(second->n_topics_omitted, 0);
    assert_string_equal(report->topics[10].name.text, "u1");
    while (agent_thin_report(report)) {
    }
    assert_int_equal(report->n_topics, 2);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_starts),
        CASE(test_reports_in_time),
        CASE(test_no_catching_up),
        CASE(test_decision),
        CASE(test_decision_twice),
        CASE(test_lost_reply),
        CASE(test_refused_poll),
        CASE(test_busy),
        CASE(test_expired_after_stop),
        CASE(test_two_aggregators),
        CASE(test_away),
        CASE(test_connected),
        CASE(test_no_tight_loop),
        CASE(test_applied_seq),
        CASE(test_strays),
        CASE(test_thin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
