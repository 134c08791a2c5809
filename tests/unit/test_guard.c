/* The guard: every verdict, and the memory that runs nothing twice. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/guard.h"

#define BOOT  77
#define EPOCH 1700000000

struct world {
    struct guard guard;
    struct report report;
    time_us now_us;
};

static void lead(struct world *w, const char *broker, const char *topic, bool actuator)
{
    struct broker_load *load = report_add_broker(&w->report);

    (void)snprintf(load->id, sizeof(load->id), "%s", broker);
    load->actuator = actuator;
    load->topics_known = true;
    (void)snprintf(report_add_topic(&w->report)->name.text, NAME_BYTES_MAX + 1, "%s", topic);
}

/* Broker a leads "t", b leads "u", c leads "v" and has no actuator. */
static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    guard_init(&w->guard, BOOT);
    report_clear(&w->report);
    lead(w, "a", "t", true);
    lead(w, "b", "u", true);
    lead(w, "c", "v", false);
    w->now_us = SECONDS(100);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static struct decision move(uint64_t seq, const char *topic, const char *from)
{
    struct decision d = {.kind = DECISION_MOVE,
                         .epoch = EPOCH,
                         .seq = seq,
                         .boot_id = BOOT,
                         .expires_in_us = SECONDS(10)};

    (void)snprintf(d.topic.text, sizeof(d.topic.text), "%s", topic);
    (void)snprintf(d.from, sizeof(d.from), "%s", from);
    (void)snprintf(d.to, sizeof(d.to), "z");
    return d;
}

/* Judge a decision in reply to a poll of a second ago. */
static struct verdict judge(struct world *w, struct decision d)
{
    struct verdict verdict;

    guard_judge(&w->guard, &d, 0, &w->report, w->now_us - SECONDS(1), w->now_us, &verdict);
    assert_int_equal(verdict.receipt.epoch, d.epoch);
    assert_int_equal(verdict.receipt.seq, d.seq);
    assert_int_equal(verdict.run, verdict.run && verdict.receipt.status == RECEIPT_ACCEPTED);
    return verdict;
}

static enum receipt_status status_of(struct world *w, struct decision d)
{
    return judge(w, d).receipt.status;
}

static void end(struct world *w, uint64_t seq, enum receipt_status status)
{
    struct receipt receipt;
    size_t aggregator;

    assert_int_equal(
        guard_ended(&w->guard, EPOCH, seq, status, "words", w->now_us, &aggregator, &receipt), 0);
    assert_int_equal(receipt.status, status);
}

/* A good decision is accepted and names the broker whose actuator must run. */
static void test_accepts(void **state)
{
    const struct verdict verdict = judge(*state, move(1, "u", "b"));

    assert_true(verdict.run);
    assert_int_equal(verdict.receipt.status, RECEIPT_ACCEPTED);
    assert_int_equal(verdict.broker, 1);
}

/* Each ground for refusal has its own word. */
static void test_refuses(void **state)
{
    struct world *w = *state;
    struct decision d;

    assert_int_equal(status_of(w, move(1, "nothing", "a")), RECEIPT_UNKNOWN_TOPIC);
    assert_int_equal(status_of(w, move(2, "u", "a")), RECEIPT_WRONG_OWNER);
    assert_int_equal(status_of(w, move(3, "t", "stranger")), RECEIPT_WRONG_OWNER);
    assert_int_equal(status_of(w, move(4, "v", "c")), RECEIPT_NO_ACTUATOR);
    d = move(5, "t", "a");
    d.boot_id = BOOT - 1;
    assert_int_equal(status_of(w, d), RECEIPT_EXPIRED);
    d = move(6, "t", "a");
    d.expires_in_us = SECONDS(1);
    assert_int_equal(status_of(w, d), RECEIPT_EXPIRED);
    assert_int_equal(w->guard.n_running, 0);
}

/* Without a sample nobody is known to lead anything. */
static void test_no_report_yet(void **state)
{
    struct world *w = *state;
    const struct decision d = move(1, "t", "a");
    struct verdict verdict;

    guard_judge(&w->guard, &d, 0, NULL, w->now_us, w->now_us, &verdict);
    assert_int_equal(verdict.receipt.status, RECEIPT_UNKNOWN_TOPIC);
    assert_false(verdict.run);
}

/* The second coming of a decision gives the first one's receipt, whatever has changed. */
static void test_twice(void **state)
{
    struct world *w = *state;

    assert_true(judge(w, move(1, "t", "a")).run);
    w->now_us += SECONDS(60);
    assert_false(judge(w, move(1, "t", "a")).run);
    assert_int_equal(status_of(w, move(1, "t", "a")), RECEIPT_ACCEPTED);
    end(w, 1, RECEIPT_SUCCEEDED);
    assert_false(judge(w, move(1, "t", "a")).run);
    assert_int_equal(status_of(w, move(1, "t", "a")), RECEIPT_SUCCEEDED);
    assert_int_equal(status_of(w, move(2, "nothing", "a")), RECEIPT_UNKNOWN_TOPIC);
    (void)snprintf(w->report.topics[0].name.text, NAME_BYTES_MAX + 1, "nothing");
    assert_int_equal(status_of(w, move(2, "nothing", "a")), RECEIPT_UNKNOWN_TOPIC);
}

/* "busy" is said of a topic on its way and of too many actuators, and is not for ever. */
static void test_busy(void **state)
{
    struct world *w = *state;
    char name[16];

    for (uint64_t seq = 1; seq <= ACTUATORS_RUNNING_MAX; seq++) {
        (void)snprintf(name, sizeof(name), "t%d", (int)seq);
        (void)snprintf(w->report.topics[0].name.text, NAME_BYTES_MAX + 1, "%s", name);
        assert_true(judge(w, move(seq, name, "a")).run);
        if (seq == 1) {
            assert_int_equal(status_of(w, move(90, name, "a")), RECEIPT_BUSY);
        }
    }
    assert_int_equal(status_of(w, move(91, "u", "b")), RECEIPT_BUSY);
    end(w, 2, RECEIPT_FAILED);
    assert_true(judge(w, move(91, "u", "b")).run);
}

/* An older epoch is refused, a newer one becomes the measure, one too far ahead is not believed. */
static void test_epochs(void **state)
{
    struct world *w = *state;
    struct decision d = move(1, "t", "a");

    d.epoch = EPOCH + 1;
    assert_true(judge(w, d).run);
    assert_int_equal(status_of(w, move(2, "u", "b")), RECEIPT_OLD_EPOCH);
    d.epoch = EPOCH + 2 + GUARD_EPOCH_STEP_MAX;
    assert_int_equal(status_of(w, d), RECEIPT_OLD_EPOCH);
    assert_int_equal(w->guard.epoch_seen, EPOCH + 1);
    assert_false(guard_see_epoch(&w->guard, UINT64_MAX));
    assert_false(guard_see_epoch(&w->guard, 0));
    assert_true(guard_see_epoch(&w->guard, EPOCH + 5));
    assert_int_equal(w->guard.epoch_seen, EPOCH + 5);
}

/* What was forgotten counts as expired, and running ones are never forgotten. */
static void test_forgets(void **state)
{
    struct world *w = *state;

    assert_true(judge(w, move(1, "t", "a")).run);
    for (uint64_t seq = 2; seq <= GUARD_DECISIONS_MAX + 10; seq++) {
        assert_int_equal(status_of(w, move(seq, "nothing", "a")), RECEIPT_UNKNOWN_TOPIC);
    }
    assert_int_equal(w->guard.n_entries, GUARD_DECISIONS_MAX);
    assert_int_equal(status_of(w, move(1, "t", "a")), RECEIPT_ACCEPTED);
    assert_int_equal(status_of(w, move(3, "u", "b")), RECEIPT_EXPIRED);
    end(w, 1, RECEIPT_SUCCEEDED);
    assert_true(judge(w, move(500, "u", "b")).run);
}

/* applied_seq waits for what is seen after the end, and for every lower one that runs. */
static void test_applied_seq(void **state)
{
    struct world *w = *state;
    const time_us ended_us = w->now_us;

    assert_int_equal(guard_applied_seq(&w->guard, 0, w->now_us), 0);
    assert_true(judge(w, move(4, "t", "a")).run);
    assert_true(judge(w, move(5, "u", "b")).run);
    assert_int_equal(status_of(w, move(6, "nothing", "a")), RECEIPT_UNKNOWN_TOPIC);
    end(w, 5, RECEIPT_SUCCEEDED);
    assert_int_equal(guard_applied_seq(&w->guard, 0, ended_us), 0);
    w->now_us += SECONDS(2);
    end(w, 4, RECEIPT_FAILED);
    assert_int_equal(guard_applied_seq(&w->guard, 0, ended_us - 1), 0);
    assert_int_equal(guard_applied_seq(&w->guard, 0, ended_us), 0);
    assert_int_equal(guard_applied_seq(&w->guard, 0, w->now_us), 5);
    assert_int_equal(guard_applied_seq(&w->guard, 1, w->now_us), 0);
    assert_true(guard_see_epoch(&w->guard, EPOCH + 1)); /* another aggregator's */
    assert_int_equal(guard_applied_seq(&w->guard, 0, w->now_us), 5);
}

/* A later epoch of the same aggregator begins with nothing applied. */
static void test_applied_seq_of_its_epoch(void **state)
{
    struct world *w = *state;
    struct decision later = move(1, "nothing", "a");

    assert_true(judge(w, move(4, "t", "a")).run);
    end(w, 4, RECEIPT_SUCCEEDED);
    assert_int_equal(guard_applied_seq(&w->guard, 0, w->now_us), 4);
    later.epoch = EPOCH + 1;
    (void)judge(w, later);
    assert_int_equal(guard_applied_seq(&w->guard, 0, w->now_us), 0);
}

/* Two aggregators that share an epoch by chance are told apart: neither gets the other's receipt.
 */
static void test_two_aggregators(void **state)
{
    struct world *w = *state;
    struct decision theirs = move(1, "u", "b");
    struct verdict verdict;

    assert_true(judge(w, move(1, "t", "a")).run);
    guard_judge(&w->guard, &theirs, 1, &w->report, w->now_us, w->now_us, &verdict);
    assert_int_equal(verdict.receipt.status, RECEIPT_BUSY);
    end(w, 1, RECEIPT_SUCCEEDED);
    guard_judge(&w->guard, &theirs, 1, &w->report, w->now_us, w->now_us, &verdict);
    assert_true(verdict.run);
    assert_int_equal(status_of(w, move(1, "t", "a")), RECEIPT_SUCCEEDED);
}

/* Only a decision that runs can end, and only once. */
static void test_ends_once(void **state)
{
    struct world *w = *state;
    struct receipt receipt;
    size_t aggregator;

    assert_int_equal(guard_ended(&w->guard, EPOCH, 1, RECEIPT_FAILED, "", 0, &aggregator, &receipt),
                     -ENOENT);
    assert_true(judge(w, move(1, "t", "a")).run);
    end(w, 1, RECEIPT_TIMED_OUT);
    assert_int_equal(guard_ended(&w->guard, EPOCH, 1, RECEIPT_FAILED, "", 0, &aggregator, &receipt),
                     -ENOENT);
    assert_int_equal(w->guard.n_running, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_accepts),         CASE(test_refuses),     CASE(test_no_report_yet),
        CASE(test_twice),           CASE(test_busy),        CASE(test_epochs),
        CASE(test_forgets),         CASE(test_applied_seq), CASE(test_applied_seq_of_its_epoch),
        CASE(test_two_aggregators), CASE(test_ends_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
