/* Moves: what is planned, what the agent is told, and what counts as an outcome. */
#include "aggregator/decide.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fleet_language.h"

#define EPOCH    1700000000ULL
#define DEADLINE SECONDS(60)
#define BOOT     1

/* Three brokers a, b, c on nodes of the same names; `orders` is on a. */
struct scene {
    struct fleet fleet;
    struct decide decide;
    struct answer answer;
    struct move move;
    struct poll_reply reply;
    uint64_t seq;         /* of all nodes' last report */
    uint64_t applied_seq; /* what node a's next report says */
};

/* `node` reports its broker, with `topic` or none. */
static void shows(struct scene *scene, const char *node, const char *topic, time_us now_us)
{
    struct report *report = report_of(node, BOOT, ++scene->seq, now_us);
    struct broker_load *broker = with_broker(report, node);

    report->applied_seq = strcmp(node, "a") == 0 ? scene->applied_seq : 0;
    broker->n_peers = 2;
    (void)snprintf(broker->peers[0], sizeof(broker->peers[0]), "b");
    (void)snprintf(broker->peers[1], sizeof(broker->peers[1]), "c");
    if (topic != NULL) {
        with_topic(report, topic);
    }
    assert_int_equal(fleet_report(&scene->fleet, report, 1, now_us), FLEET_ACCEPTED);
    decide_review(&scene->decide, &scene->fleet, now_us);
}

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    struct fleet_settings usual = usual_fleet();

    assert_non_null(scene);
    fleet_init(&scene->fleet, &usual);
    decide_init(&scene->decide, EPOCH, DEADLINE);
    shows(scene, "a", "orders", T0);
    shows(scene, "b", NULL, T0);
    shows(scene, "c", NULL, T0);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    fleet_done(&scene->fleet);
    free(scene);
    return 0;
}

static enum answer_status move(struct scene *scene, const char *topic, const char *to, bool dry_run,
                               time_us now_us)
{
    decide_move(&scene->decide, &scene->fleet, topic, to, dry_run, now_us, &scene->answer,
                &scene->move);
    return scene->answer.status;
}

/* Agent a's poll, which arrives now, takes what there is. */
static size_t take(struct scene *scene, uint64_t boot, time_us now_us)
{
    scene->reply.n_decisions = 0;
    return decide_take(&scene->decide, &scene->fleet, "a", boot, now_us, now_us, &scene->reply);
}

/* Agent a's poll brings a receipt for the decision that it was given last. */
static void gives(struct scene *scene, enum receipt_status status, time_us now_us)
{
    struct poll_request request = {.node = "a", .boot_id = BOOT, .n_receipts = 1};

    request.receipts[0] = (struct receipt){.epoch = scene->reply.decisions[0].epoch,
                                           .seq = scene->reply.decisions[0].seq,
                                           .status = status};
    decide_receipts(&scene->decide, &request, now_us);
    decide_review(&scene->decide, &scene->fleet, now_us);
}

/* A move of orders to b that agent a was given at T0. */
static void sent(struct scene *scene)
{
    assert_int_equal(move(scene, "orders", "b", false, T0), ANSWER_OK);
    assert_int_equal(take(scene, BOOT, T0), 1);
}

static void assert_state(const struct scene *scene, enum move_state state)
{
    assert_int_equal(decide_find(&scene->decide, 1)->state, state);
}

static void assert_ended(const struct scene *scene, enum move_outcome outcome)
{
    const struct move *ended = decide_find(&scene->decide, 1);

    assert_int_equal(ended->state, MOVE_ENDED);
    assert_int_equal(ended->outcome, outcome);
    assert_int_equal(scene->decide.n_in_flight, 0);
    assert_int_equal(scene->decide.n_outcomes[outcome], 1);
}

/* The whole way: planned, sent, accepted, done by the actuator, shown by the target. */
static void test_moved(void **state)
{
    struct scene *scene = *state;
    const struct decision *decision = &scene->reply.decisions[0];
    char why[TEXT_BYTES_MAX + 1];

    sent(scene);
    assert_int_equal(decision_check(decision, why), 0);
    assert_int_equal(decision->epoch, EPOCH);
    assert_int_equal(decision->boot_id, BOOT);
    assert_int_equal(decision->expires_in_us, DEADLINE);
    assert_string_equal(decision->from, "a");
    assert_string_equal(decision->to, "b");
    assert_state(scene, MOVE_SENT);
    gives(scene, RECEIPT_ACCEPTED, T0 + 1);
    assert_state(scene, MOVE_RUNNING);
    gives(scene, RECEIPT_SUCCEEDED, T0 + 2);
    assert_state(scene, MOVE_VERIFYING);
    shows(scene, "b", "orders", T0 + SECONDS(2));
    assert_ended(scene, MOVE_MOVED);
}

/* The target's own report may come before every receipt. */
static void test_target_reports_first(void **state)
{
    struct scene *scene = *state;

    sent(scene);
    shows(scene, "b", "orders", T0 + SECONDS(1));
    assert_ended(scene, MOVE_MOVED);
    gives(scene, RECEIPT_ACCEPTED, T0 + SECONDS(2));
    assert_ended(scene, MOVE_MOVED);
}

/* Of a poll that was held, the expiry still ends at the deadline: it counts from the poll. */
static void test_expiry_counts_from_the_poll(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(move(scene, "orders", "b", false, T0), ANSWER_OK);
    scene->reply.n_decisions = 0;
    assert_int_equal(
        decide_take(&scene->decide, &scene->fleet, "a", BOOT, T0 - SECONDS(9), T0, &scene->reply),
        1);
    assert_int_equal(scene->reply.decisions[0].expires_in_us, DEADLINE + SECONDS(9));
}

/* A topic that is there already is a move that ended at once. */
static void test_noop(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(move(scene, "orders", "a", false, T0), ANSWER_OK);
    assert_int_equal(scene->move.outcome, MOVE_NOOP);
    assert_ended(scene, MOVE_NOOP);
    assert_int_equal(take(scene, BOOT, T0), 0);
}

/* A dry run says what would happen by the same rules, and does nothing. */
static void test_dry_run(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(move(scene, "orders", "b", true, T0), ANSWER_OK);
    assert_string_equal(scene->answer.text, "dry run: topics of a 1 -> 0, of b 0 -> 1");
    assert_int_equal(scene->move.id, 0);
    assert_int_equal(move(scene, "orders", "nobody", true, T0), ANSWER_NOT_FOUND);
    assert_int_equal(scene->decide.n_in_flight, 0);
    assert_int_equal(take(scene, BOOT, T0), 0);
}

/* Against a rule: a sentence says which, and nothing is planned. */
static void test_rules(void **state)
{
    struct scene *scene = *state;
    struct fleet_claim *claim = fleet_broker(&scene->fleet, "a")->claims;

    assert_int_equal(move(scene, "bills", "b", false, T0), ANSWER_NOT_FOUND);
    assert_int_equal(move(scene, "orders", "nobody", false, T0), ANSWER_NOT_FOUND);
    claim->candidates = 2; /* c alone */
    assert_int_equal(move(scene, "orders", "b", false, T0), ANSWER_REFUSED);
    assert_int_equal(move(scene, "orders", "c", true, T0), ANSWER_OK);
    claim->movable = false;
    assert_int_equal(move(scene, "orders", "c", false, T0), ANSWER_REFUSED);
    claim->movable = true;
    fleet_broker(&scene->fleet, "a")->actuator = false;
    assert_int_equal(move(scene, "orders", "c", false, T0), ANSWER_REFUSED);
    fleet_broker(&scene->fleet, "a")->actuator = true;
    fleet_broker(&scene->fleet, "c")->state = BROKER_DOWN;
    assert_int_equal(move(scene, "orders", "c", false, T0), ANSWER_REFUSED);
    assert_string_equal(scene->answer.text, "broker c is gone");
    assert_int_equal(scene->decide.last_id, 0);
}

/* One move a topic: asking again for the same one joins it, another one is refused. */
static void test_one_at_a_time(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(move(scene, "orders", "b", false, T0), ANSWER_OK);
    assert_int_equal(move(scene, "orders", "b", false, T0), ANSWER_OK);
    assert_int_equal(scene->move.id, 1);
    assert_int_equal(move(scene, "orders", "c", false, T0), ANSWER_REFUSED);
    assert_int_equal(scene->decide.n_in_flight, 1);
}

/* Without a receipt the same decision goes out again, a second later and not before. */
static void test_lost_reply(void **state)
{
    struct scene *scene = *state;
    uint64_t seq;

    sent(scene);
    seq = scene->reply.decisions[0].seq;
    assert_int_equal(take(scene, BOOT, T0 + DECIDE_RESEND_US - 1), 0);
    assert_int_equal(take(scene, BOOT, T0 + DECIDE_RESEND_US), 1);
    assert_int_equal(scene->reply.decisions[0].seq, seq);
    gives(scene, RECEIPT_ACCEPTED, T0 + SECONDS(2));
    assert_int_equal(take(scene, BOOT, T0 + SECONDS(10)), 0);
}

/* All receipts of the outcome lost: what the reports show is enough. */
static void test_lost_receipts(void **state)
{
    struct scene *scene = *state;

    sent(scene);
    gives(scene, RECEIPT_ACCEPTED, T0 + 1);
    shows(scene, "a", NULL, T0 + SECONDS(5));
    assert_state(scene, MOVE_RUNNING);
    shows(scene, "b", "orders", T0 + SECONDS(5));
    assert_ended(scene, MOVE_MOVED);
}

/* A busy agent is asked again later, with a new id, until the deadline. */
static void test_busy(void **state)
{
    struct scene *scene = *state;
    uint64_t seq;

    sent(scene);
    seq = scene->reply.decisions[0].seq;
    gives(scene, RECEIPT_BUSY, T0 + 1);
    assert_state(scene, MOVE_PLANNED);
    assert_int_equal(take(scene, BOOT, T0 + 2), 0);
    assert_int_equal(take(scene, BOOT, T0 + 1 + DECIDE_RETRY_US), 1);
    assert_true(scene->reply.decisions[0].seq > seq);
    gives(scene, RECEIPT_BUSY, T0 + SECONDS(3));
    decide_review(&scene->decide, &scene->fleet, T0 + DEADLINE);
    assert_ended(scene, MOVE_TIMED_OUT);
}

/* A poll that has seen an epoch, and perhaps refused a decision of ours as old. */
static int sees(struct scene *scene, uint64_t epoch, bool refused)
{
    struct poll_request request = {.epoch_seen = epoch, .n_receipts = refused ? 1 : 0};

    request.receipts[0] =
        (struct receipt){.epoch = scene->decide.epoch, .seq = 1, .status = RECEIPT_OLD_EPOCH};
    return decide_see_epoch(&scene->decide, &request);
}

/* Another aggregator's epoch is no reason to outbid it. */
static void test_no_outbidding(void **state)
{
    struct scene *scene = *state;

    scene->decide.epoch_used = true;
    assert_int_equal(sees(scene, EPOCH + 500, false), 0);
    assert_true(scene->decide.epoch == EPOCH);
}

/* An old epoch is raised above what the agent has seen, and the decision sent once more. */
static void test_old_epoch(void **state)
{
    struct scene *scene = *state;

    sent(scene);
    assert_int_equal(sees(scene, EPOCH + 500, true), 0);
    gives(scene, RECEIPT_OLD_EPOCH, T0 + 1);
    assert_int_equal(take(scene, BOOT, T0 + 1), 1);
    assert_int_equal(scene->reply.decisions[0].epoch, EPOCH + 501);
    gives(scene, RECEIPT_OLD_EPOCH, T0 + 2);
    assert_ended(scene, MOVE_REFUSED);
}

/* Epochs only grow, by as much as a clock explains, and are never shared with a former process. */
static void test_epochs(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(sees(scene, 0, false), 0);
    assert_true(scene->decide.epoch == EPOCH);
    assert_int_equal(sees(scene, EPOCH, false), 0);
    assert_true(scene->decide.epoch == EPOCH + 1);
    scene->decide.epoch_used = true;
    assert_int_equal(sees(scene, EPOCH + 1, false), 0);
    assert_true(scene->decide.epoch == EPOCH + 1);
    assert_int_equal(sees(scene, UINT64_MAX, true), -ERANGE);
    assert_int_equal(sees(scene, EPOCH + 2 + (1ULL << 32), true), -ERANGE);
    assert_true(scene->decide.epoch == EPOCH + 1);
    assert_int_equal(sees(scene, EPOCH + 1 + (1ULL << 32), true), 0);
    assert_true(scene->decide.epoch == EPOCH + 2 + (1ULL << 32));
}

/* "Unknown topic" stands only when a later report still shows the old owner. */
static void test_unknown_topic_confirmed(void **state)
{
    struct scene *scene = *state;

    sent(scene);
    gives(scene, RECEIPT_UNKNOWN_TOPIC, T0 + 1);
    assert_state(scene, MOVE_VERIFYING);
    shows(scene, "a", "orders", T0 + SECONDS(5));
    assert_ended(scene, MOVE_REFUSED);
}

/* … and is explained by a third owner when the reports show one. */
static void test_wrong_owner_elsewhere(void **state)
{
    struct scene *scene = *state;

    sent(scene);
    gives(scene, RECEIPT_WRONG_OWNER, T0 + 1);
    shows(scene, "c", "orders", T0 + SECONDS(4));
    assert_state(scene, MOVE_VERIFYING);
    shows(scene, "a", NULL, T0 + SECONDS(5));
    assert_ended(scene, MOVE_ELSEWHERE);
}

/* … and at the deadline, when nobody shows the topic any more. */
static void test_unknown_topic_unexplained(void **state)
{
    struct scene *scene = *state;

    sent(scene);
    gives(scene, RECEIPT_UNKNOWN_TOPIC, T0 + 1);
    shows(scene, "a", NULL, T0 + SECONDS(5));
    assert_state(scene, MOVE_VERIFYING);
    decide_review(&scene->decide, &scene->fleet, T0 + DEADLINE);
    assert_ended(scene, MOVE_REFUSED);
}

/* The refusals that nothing can change end the move at once, with the agent's word. */
static void test_refused(void **state)
{
    struct scene *scene = *state;

    sent(scene);
    gives(scene, RECEIPT_NO_ACTUATOR, T0 + 1);
    assert_ended(scene, MOVE_REFUSED);
    assert_string_equal(decide_find(&scene->decide, 1)->text,
                        receipt_status_name(RECEIPT_NO_ACTUATOR));
}

/* A failed actuator is believed when a report made after it still shows the old owner; an earlier
 * one proves nothing. */
static void test_failed(void **state)
{
    struct scene *scene = *state;

    sent(scene);
    gives(scene, RECEIPT_ACCEPTED, T0 + 1);
    gives(scene, RECEIPT_FAILED, T0 + 2);
    shows(scene, "a", "orders", T0 + SECONDS(1));
    assert_state(scene, MOVE_VERIFYING);
    scene->applied_seq = scene->reply.decisions[0].seq;
    shows(scene, "a", "orders", T0 + SECONDS(6));
    assert_ended(scene, MOVE_FAILED);
}

/* An actuator that failed and moved the topic all the same has moved it. */
static void test_failed_but_moved(void **state)
{
    struct scene *scene = *state;

    sent(scene);
    gives(scene, RECEIPT_FAILED, T0 + 2);
    shows(scene, "b", "orders", T0 + SECONDS(1));
    assert_ended(scene, MOVE_MOVED);
}

/* A success that no report confirms is a timeout, not a move. */
static void test_success_is_not_enough(void **state)
{
    struct scene *scene = *state;

    sent(scene);
    gives(scene, RECEIPT_SUCCEEDED, T0 + 2);
    scene->applied_seq = scene->reply.decisions[0].seq;
    shows(scene, "a", "orders", T0 + SECONDS(5));
    assert_state(scene, MOVE_VERIFYING);
    decide_review(&scene->decide, &scene->fleet, T0 + DEADLINE - 1);
    assert_state(scene, MOVE_VERIFYING);
    decide_review(&scene->decide, &scene->fleet, T0 + DEADLINE);
    assert_ended(scene, MOVE_TIMED_OUT);
}

/* A third owner ends the move only when the actuator has ended and the reports are later. */
static void test_elsewhere(void **state)
{
    struct scene *scene = *state;

    sent(scene);
    gives(scene, RECEIPT_ACCEPTED, T0 + 1);
    shows(scene, "c", "orders", T0 + SECONDS(1));
    assert_state(scene, MOVE_RUNNING);
    gives(scene, RECEIPT_SUCCEEDED, T0 + SECONDS(2));
    assert_state(scene, MOVE_VERIFYING);
    scene->applied_seq = scene->reply.decisions[0].seq;
    shows(scene, "a", NULL, T0 + SECONDS(5));
    assert_ended(scene, MOVE_ELSEWHERE);
}

/* After a restart of the agent nothing is sent to it again, and the owner decides. */
static void test_agent_restarted(void **state)
{
    struct scene *scene = *state;
    struct poll_request request = {.node = "a", .boot_id = BOOT + 1};

    sent(scene);
    decide_receipts(&scene->decide, &request, T0 + SECONDS(3));
    assert_state(scene, MOVE_VERIFYING);
    assert_int_equal(take(scene, BOOT + 1, T0 + SECONDS(4)), 0);
    shows(scene, "b", "orders", T0 + SECONDS(6));
    assert_ended(scene, MOVE_MOVED);
}

/* A move whose topic went away by itself before it was sent is not sent. */
static void test_overtaken(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(move(scene, "orders", "b", false, T0), ANSWER_OK);
    shows(scene, "c", "orders", T0 + SECONDS(1));
    assert_ended(scene, MOVE_ELSEWHERE);
    assert_int_equal(take(scene, BOOT, T0 + SECONDS(1)), 0);
}

/* An agent that never asks lets the move time out, and the text says so. */
static void test_no_poll(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(move(scene, "orders", "b", false, T0), ANSWER_OK);
    assert_int_equal(decide_wake_at_us(&scene->decide, T0), T0 + DEADLINE);
    decide_review(&scene->decide, &scene->fleet, T0 + DEADLINE);
    assert_ended(scene, MOVE_TIMED_OUT);
    assert_string_equal(decide_find(&scene->decide, 1)->text,
                        "the agent of a did not ask for decisions");
}

/* What an agent applied for a former aggregator does not count for this one's decisions. */
static void test_ids_above_applied(void **state)
{
    struct scene *scene = *state;

    scene->applied_seq = 50;
    shows(scene, "a", "orders", T0 + 1);
    sent(scene);
    assert_int_equal(scene->reply.decisions[0].seq, 51);
    gives(scene, RECEIPT_FAILED, T0 + 2);
    assert_state(scene, MOVE_VERIFYING);
}

/* A receipt for another decision, or from another node, changes nothing. */
static void test_foreign_receipts(void **state)
{
    struct scene *scene = *state;
    struct poll_request request = {.node = "b", .boot_id = BOOT, .n_receipts = 1};

    sent(scene);
    request.receipts[0] = (struct receipt){
        .epoch = EPOCH, .seq = scene->reply.decisions[0].seq, .status = RECEIPT_NO_ACTUATOR};
    decide_receipts(&scene->decide, &request, T0 + 1);
    assert_state(scene, MOVE_SENT);
    scene->reply.decisions[0].seq++;
    gives(scene, RECEIPT_NO_ACTUATOR, T0 + 2);
    assert_state(scene, MOVE_SENT);
}

/* A full table refuses; ended moves make room, the oldest first; views come newest first. */
static void test_bounds(void **state)
{
    struct scene *scene = *state;
    static struct move_view views[MOVES_MAX];
    struct report *report = report_of("a", BOOT, ++scene->seq, T0 + 1);
    char name[16];

    with_broker(report, "a");
    for (int i = 0; i <= MOVES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "t%d", i);
        with_topic(report, name);
    }
    assert_int_equal(fleet_report(&scene->fleet, report, 1, T0 + 1), FLEET_ACCEPTED);
    for (int i = 0; i < MOVES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "t%d", i);
        assert_int_equal(move(scene, name, "b", false, T0 + 1), ANSWER_OK);
    }
    assert_int_equal(move(scene, name, "b", true, T0 + 1), ANSWER_OK);
    (void)snprintf(name, sizeof(name), "t%d", MOVES_MAX);
    assert_int_equal(move(scene, name, "b", false, T0 + 1), ANSWER_FULL);
    assert_int_equal(take(scene, BOOT, T0 + 1), DECISIONS_PER_REPLY_MAX);
    assert_int_equal(take(scene, BOOT, T0 + 1), DECISIONS_PER_REPLY_MAX);
    decide_review(&scene->decide, &scene->fleet, T0 + 1 + DEADLINE);
    while (decide_take_change(&scene->decide) != NULL) {
    }
    shows(scene, "a", "orders", T0 + 1 + DEADLINE);
    shows(scene, "b", NULL, T0 + 1 + DEADLINE);
    assert_int_equal(move(scene, "orders", "b", false, T0 + 1 + DEADLINE), ANSWER_OK);
    assert_null(decide_find(&scene->decide, 1));
    assert_int_equal(decide_views(&scene->decide, T0 + 1 + DEADLINE, views), MOVES_MAX);
    assert_int_equal(views[0].id, MOVES_MAX + 1);
    assert_int_equal(views[MOVES_MAX - 1].id, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_moved, setup, teardown),
        cmocka_unit_test_setup_teardown(test_target_reports_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expiry_counts_from_the_poll, setup, teardown),
        cmocka_unit_test_setup_teardown(test_noop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dry_run, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rules, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_reply, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_receipts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_busy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_outbidding, setup, teardown),
        cmocka_unit_test_setup_teardown(test_old_epoch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_epochs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_topic_confirmed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_owner_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_topic_unexplained, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_but_moved, setup, teardown),
        cmocka_unit_test_setup_teardown(test_success_is_not_enough, setup, teardown),
        cmocka_unit_test_setup_teardown(test_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_restarted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overtaken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_poll, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ids_above_applied, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_receipts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
