/* The fleet: which reports are believed, who is fresh, who owns what. */
#include "aggregator/fleet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fleet_language.h"

static int setup(void **state)
{
    struct fleet *fleet = malloc(sizeof(*fleet));
    struct fleet_settings settings = usual_fleet();

    assert_non_null(fleet);
    fleet_init(fleet, &settings);
    *state = fleet;
    return 0;
}

static int teardown(void **state)
{
    fleet_done(*state);
    free(*state);
    return 0;
}

/* Node `n1` reports broker `a`, without topics, sampled and received at once. */
static enum fleet_verdict hears(struct fleet *fleet, uint64_t boot, uint64_t seq, time_us now_us)
{
    struct report *report = report_of("n1", boot, seq, now_us);

    with_broker(report, "a");
    return fleet_report(fleet, report, 100, now_us);
}

/* `node` reports `broker` with one topic, or none. */
static enum fleet_verdict shows(struct fleet *fleet, const char *node, const char *broker,
                                const char *topic, uint64_t seq, time_us now_us)
{
    struct report *report = report_of(node, 1, seq, now_us);

    with_broker(report, broker);
    if (topic != NULL) {
        with_topic(report, topic);
    }
    return fleet_report(fleet, report, 100, now_us);
}

static enum freshness seen(struct fleet *fleet, const char *broker, time_us now_us)
{
    const struct fleet_broker *known = fleet_broker(fleet, broker);

    assert_non_null(known);
    return fleet_freshness(fleet, known, now_us);
}

static void assert_owner(struct fleet *fleet, const char *topic, const char *broker, time_us now_us)
{
    const struct fleet_claim *claim = fleet_owner(fleet, topic, FRESH, now_us);

    if (broker == NULL) {
        assert_null(claim);
        return;
    }
    assert_non_null(claim);
    assert_string_equal(claim->broker->id, broker);
}

/* A first report makes the node and its brokers, with what it says of them. */
static void test_first_report(void **state)
{
    struct fleet *fleet = *state;
    struct report *report = report_of("n1", 7, 1, T0);
    const struct fleet_broker *broker;

    with_load(with_broker(report, "a"), 10, 20);
    with_topic(report, "orders")->values[TOPIC_BYTES_IN_PER_S] = value_of(1000);
    with_topic(report, "bills")->values[TOPIC_BYTES_OUT_PER_S] = value_of(500);
    assert_int_equal(fleet_report(fleet, report, 321, T0), FLEET_ACCEPTED);
    broker = fleet_broker(fleet, "a");
    assert_non_null(broker);
    assert_string_equal(broker->node->id, "n1");
    assert_int_equal(broker->node->report_bytes, 321);
    assert_int_equal(fleet_topic_count(broker), 2);
    assert_int_equal(fleet_n_topics(fleet), 2);
    assert_true(value_is_present(broker->topics_bytes_per_s));
    assert_true(broker->topics_bytes_per_s.number == 1500);
    assert_true(broker->values[METRIC_MEMORY_RATIO].number == 0.2);
}

/* Freshness goes by silence: three intervals to stale, twelve to gone, and not a microsecond less.
 */
static void test_freshness(void **state)
{
    struct fleet *fleet = *state;

    assert_int_equal(hears(fleet, 1, 1, T0), FLEET_ACCEPTED);
    assert_int_equal(seen(fleet, "a", T0 + 3 * INTERVAL), FRESH);
    assert_int_equal(seen(fleet, "a", T0 + 3 * INTERVAL + 1), STALE);
    assert_int_equal(seen(fleet, "a", T0 + 12 * INTERVAL), STALE);
    assert_int_equal(seen(fleet, "a", T0 + 12 * INTERVAL + 1), GONE);
    assert_int_equal(fleet_next_change_us(fleet, T0), T0 + 3 * INTERVAL + 1);
    assert_int_equal(fleet_next_change_us(fleet, T0 + 4 * INTERVAL), T0 + 12 * INTERVAL + 1);
    assert_true(fleet_next_change_us(fleet, T0 + 13 * INTERVAL) == TIME_NEVER);
}

/* A broker that its agent reports down is gone at once, and back when it is up. */
static void test_down_is_gone(void **state)
{
    struct fleet *fleet = *state;
    struct report *report = report_of("n1", 1, 1, T0);

    with_broker(report, "a")->state = BROKER_DOWN;
    assert_int_equal(fleet_report(fleet, report, 1, T0), FLEET_ACCEPTED);
    assert_int_equal(seen(fleet, "a", T0), GONE);
    assert_int_equal(hears(fleet, 1, 2, T0 + INTERVAL), FLEET_ACCEPTED);
    assert_int_equal(seen(fleet, "a", T0 + INTERVAL), FRESH);
}

/* A broker that is dropped from its node's report is gone, and its topics with it. */
static void test_dropped_is_gone(void **state)
{
    struct fleet *fleet = *state;

    assert_int_equal(shows(fleet, "n1", "a", "orders", 1, T0), FLEET_ACCEPTED);
    assert_int_equal(shows(fleet, "n1", "b", NULL, 2, T0 + INTERVAL), FLEET_ACCEPTED);
    assert_int_equal(seen(fleet, "a", T0 + INTERVAL), GONE);
    assert_owner(fleet, "orders", NULL, T0 + INTERVAL);
    assert_int_equal(fleet_n_topics(fleet), 0);
}

/* A sequence number or a boot clock that does not grow is refused. */
static void test_back(void **state)
{
    struct fleet *fleet = *state;
    struct report *report;

    assert_int_equal(hears(fleet, 1, 5, T0), FLEET_ACCEPTED);
    assert_int_equal(hears(fleet, 1, 5, T0 + 1), FLEET_SEQ_BACK);
    assert_int_equal(hears(fleet, 1, 4, T0 + 2), FLEET_SEQ_BACK);
    report = report_of("n1", 1, 6, T0);
    assert_int_equal(fleet_report(fleet, report, 1, T0 + 3), FLEET_TIME_BACK);
    assert_int_equal(fleet_node(fleet, "n1")->n_refused, 3);
    assert_int_equal(seen(fleet, "a", T0 + 3), FRESH);
}

/* A new process may begin at 1 again; what the former one sent late is refused. */
static void test_boots(void **state)
{
    struct fleet *fleet = *state;

    assert_int_equal(hears(fleet, 11, 900, T0), FLEET_ACCEPTED);
    assert_int_equal(hears(fleet, 22, 1, T0 + INTERVAL), FLEET_ACCEPTED);
    assert_int_equal(hears(fleet, 11, 901, T0 + 2 * INTERVAL), FLEET_OLD_BOOT);
    assert_true(fleet_boot_is_old(fleet, "n1", 11));
    assert_false(fleet_boot_is_old(fleet, "n1", 22));
    assert_false(fleet_boot_is_old(fleet, "n1", 33));
    assert_false(fleet_boot_is_old(fleet, "nobody", 11));
}

/* A report that was on its way for longer than the stale bound is refused; a little less is not. */
static void test_late(void **state)
{
    struct fleet *fleet = *state;
    struct report *report;

    assert_int_equal(hears(fleet, 1, 1, T0), FLEET_ACCEPTED);
    report = report_of("n1", 1, 2, T0 + INTERVAL);
    assert_int_equal(fleet_report(fleet, report, 1, T0 + 5 * INTERVAL), FLEET_LATE);
    report = report_of("n1", 1, 3, T0 + 2 * INTERVAL);
    assert_int_equal(fleet_report(fleet, report, 1, T0 + 5 * INTERVAL), FLEET_ACCEPTED);
}

/* A clock that stood still for a minute (a paused virtual machine) costs one report, for the next
 * one is late by the same; what waited in a queue comes less and less late, and is refused to the
 * end. */
static void test_late_for_good(void **state)
{
    struct fleet *fleet = *state;
    const time_us pause_us = SECONDS(60);
    struct report *report;

    assert_int_equal(hears(fleet, 1, 1, T0), FLEET_ACCEPTED);
    for (uint64_t i = 2; i <= 4; i++) {
        report = report_of("n1", 1, i, T0 + (time_us)(i - 1) * INTERVAL);
        assert_int_equal(fleet_report(fleet, report, 1, T0 + pause_us), FLEET_LATE);
    }
    report = report_of("n1", 1, 5, T0 + 4 * INTERVAL);
    assert_int_equal(fleet_report(fleet, report, 1, T0 + 4 * INTERVAL + pause_us), FLEET_LATE);
    for (uint64_t i = 6; i <= 8; i++) {
        report = report_of("n1", 1, i, T0 + (time_us)(i - 1) * INTERVAL);
        report->sent_unix_us = report->at_us + BOOT_DISTANCE + WALL_DISTANCE;
        assert_int_equal(
            fleet_report(fleet, report, 1, T0 + (time_us)(i - 1) * INTERVAL + pause_us),
            FLEET_ACCEPTED);
    }
}

/* An agent whose clock is slow by 200 ppm for ten days is still on time. */
static void test_drift_is_not_late(void **state)
{
    struct fleet *fleet = *state;
    const time_us hour_us = SECONDS(3600);

    assert_int_equal(hears(fleet, 1, 1, T0), FLEET_ACCEPTED);
    for (uint64_t i = 1; i <= 240; i++) {
        time_us passed_us = (time_us)i * hour_us;
        struct report *report = report_of("n1", 1, 1 + i, T0 + passed_us - passed_us / 5000);

        report->sent_unix_us = report->at_us + BOOT_DISTANCE + WALL_DISTANCE;
        assert_int_equal(fleet_report(fleet, report, 1, T0 + passed_us), FLEET_ACCEPTED);
    }
}

/* A wall clock that jumps costs one report; the next one goes from the new distance. */
static void test_clock_jump(void **state)
{
    struct fleet *fleet = *state;
    struct report *report;

    assert_int_equal(hears(fleet, 1, 1, T0), FLEET_ACCEPTED);
    report = report_of("n1", 1, 2, T0 + INTERVAL);
    report->sent_unix_us -= 2 * CLOCK_JUMP_US_MAX;
    assert_int_equal(fleet_report(fleet, report, 1, T0 + INTERVAL), FLEET_CLOCK_JUMP);
    report = report_of("n1", 1, 3, T0 + 2 * INTERVAL);
    report->sent_unix_us -= 2 * CLOCK_JUMP_US_MAX;
    assert_int_equal(fleet_report(fleet, report, 1, T0 + 2 * INTERVAL), FLEET_ACCEPTED);
}

/* Clocks at the edges of their type are held against each other without overflow. */
static void test_clock_extremes(void **state)
{
    static const int64_t edges[] = {INT64_MIN, -1, 0, INT64_MAX};
    struct fleet *fleet = *state;
    uint64_t seq = 1;

    for (size_t i = 0; i < N_ELEMENTS(edges); i++) {
        for (size_t k = 0; k < N_ELEMENTS(edges); k++) {
            struct report *report = report_of("n1", 1, seq++, T0);

            report->at_us = edges[i];
            report->sent_unix_us = edges[k];
            (void)fleet_report(fleet, report, 1, T0);
        }
    }
    assert_int_equal(fleet->n_nodes, 1);
}

/* A broker that a fresh node speaks for is not taken by another; a silent one's is. */
static void test_owner_conflict(void **state)
{
    struct fleet *fleet = *state;

    assert_int_equal(shows(fleet, "n1", "a", "orders", 1, T0), FLEET_ACCEPTED);
    assert_int_equal(shows(fleet, "n2", "a", "bills", 1, T0 + 1), FLEET_OWNER_CONFLICT);
    assert_null(fleet_node(fleet, "n2"));
    assert_owner(fleet, "bills", NULL, T0 + 1);
    assert_int_equal(shows(fleet, "n2", "a", "bills", 2, T0 + 4 * INTERVAL), FLEET_ACCEPTED);
    assert_string_equal(fleet_broker(fleet, "a")->node->id, "n2");
    assert_int_equal(shows(fleet, "n1", "a", "orders", 2, T0 + 5 * INTERVAL), FLEET_OWNER_CONFLICT);
}

/* Of two fresh brokers that show a topic, the later claim wins, and the conflict is counted once.
 */
static void test_newest_claim_owns(void **state)
{
    struct fleet *fleet = *state;

    (void)shows(fleet, "n1", "a", "orders", 1, T0);
    (void)shows(fleet, "n2", "b", "orders", 1, T0 + 1);
    assert_owner(fleet, "orders", "b", T0 + 2);
    (void)shows(fleet, "n1", "a", "orders", 2, T0 + INTERVAL);
    assert_owner(fleet, "orders", "b", T0 + INTERVAL);
    assert_int_equal(fleet->n_conflicts, 1);
    (void)shows(fleet, "n2", "b", NULL, 2, T0 + INTERVAL + 1);
    assert_owner(fleet, "orders", "a", T0 + INTERVAL + 1);
}

/* Claims of one moment: the lower id owns, whatever the order of the report. */
static void test_equal_claims(void **state)
{
    struct fleet *fleet = *state;
    struct report *report = report_of("n1", 1, 1, T0);

    with_broker(report, "b");
    with_topic(report, "orders");
    with_broker(report, "a");
    with_topic(report, "orders");
    assert_int_equal(fleet_report(fleet, report, 1, T0), FLEET_ACCEPTED);
    assert_owner(fleet, "orders", "a", T0);
}

/* A silent broker owns nothing among the fresh, and comes after them when stale ones count. */
static void test_stale_owner(void **state)
{
    struct fleet *fleet = *state;
    time_us later_us = T0 + 4 * INTERVAL;

    (void)shows(fleet, "n1", "a", "orders", 1, T0);
    assert_owner(fleet, "orders", NULL, later_us);
    assert_string_equal(fleet_owner(fleet, "orders", STALE, later_us)->broker->id, "a");
    (void)shows(fleet, "n2", "b", "orders", 1, T0 + 3 * INTERVAL);
    assert_string_equal(fleet_owner(fleet, "orders", STALE, later_us)->broker->id, "b");
}

/* Topics that the agent could not learn are not topics that ended; those of a new process are. */
static void test_unknown_topics_stay(void **state)
{
    struct fleet *fleet = *state;
    struct report *report;

    (void)shows(fleet, "n1", "a", "orders", 1, T0);
    report = report_of("n1", 1, 2, T0 + INTERVAL);
    with_broker(report, "a")->topics_known = false;
    assert_int_equal(fleet_report(fleet, report, 1, T0 + INTERVAL), FLEET_ACCEPTED);
    assert_owner(fleet, "orders", "a", T0 + INTERVAL);
    report = report_of("n1", 1, 3, T0 + 2 * INTERVAL);
    with_broker(report, "a")->topics_known = false;
    report->brokers[0].incarnation = 2;
    assert_int_equal(fleet_report(fleet, report, 1, T0 + 2 * INTERVAL), FLEET_ACCEPTED);
    assert_owner(fleet, "orders", NULL, T0 + 2 * INTERVAL);
}

/* An assignment is pending until it is seen, and then follows the broker that shows the topic. */
static void test_assignments(void **state)
{
    struct fleet *fleet = *state;

    (void)shows(fleet, "n1", "a", NULL, 1, T0);
    (void)shows(fleet, "n2", "b", NULL, 1, T0);
    assert_int_equal(fleet_assign(fleet, "orders", fleet_broker(fleet, "a")), 0);
    assert_int_equal(fleet_topic_count(fleet_broker(fleet, "a")), 1);
    assert_int_equal(fleet_broker(fleet, "a")->n_pending, 1);
    (void)shows(fleet, "n2", "b", "orders", 2, T0 + INTERVAL);
    assert_int_equal(fleet_broker(fleet, "a")->n_pending, 0);
    assert_string_equal(fleet_assignment(fleet, "orders")->id, "b");
    assert_int_equal(fleet_topic_count(fleet_broker(fleet, "b")), 1);
    assert_int_equal(fleet_release(fleet, "orders"), 0);
    assert_int_equal(fleet_release(fleet, "orders"), -ENOENT);
    assert_int_equal(fleet->n_assignments, 0);
    assert_owner(fleet, "orders", "b", T0 + INTERVAL);
}

/* The long silent are freed with their topics and assignments; the others stay. */
static void test_forget(void **state)
{
    struct fleet *fleet = *state;
    time_us later_us = T0 + SECONDS(3600) + 1;

    (void)shows(fleet, "n1", "a", "orders", 1, T0);
    assert_int_equal(fleet_assign(fleet, "bills", fleet_broker(fleet, "a")), 0);
    (void)shows(fleet, "n2", "b", "users", 1, T0 + INTERVAL);
    assert_int_equal(fleet_forget(fleet, later_us - 1), 0);
    assert_int_equal(fleet_forget(fleet, later_us), 1);
    assert_null(fleet_broker(fleet, "a"));
    assert_null(fleet_node(fleet, "n1"));
    assert_null(fleet_assignment(fleet, "bills"));
    assert_int_equal(fleet_n_topics(fleet), 1);
    assert_non_null(fleet_broker(fleet, "b"));
}

/* A fleet that is full refuses a new node whole, and goes on hearing those it knows. */
static void test_full(void **state)
{
    struct fleet *fleet = *state;
    char node[16], broker[16];

    for (uint64_t i = 0; i < FLEET_NODES_MAX; i++) {
        (void)snprintf(node, sizeof(node), "n%u", (unsigned)i);
        (void)snprintf(broker, sizeof(broker), "b%u", (unsigned)i);
        assert_int_equal(shows(fleet, node, broker, NULL, 1, T0), FLEET_ACCEPTED);
    }
    assert_int_equal(shows(fleet, "more", "other", "orders", 1, T0), FLEET_FULL);
    assert_null(fleet_broker(fleet, "other"));
    assert_int_equal(fleet_n_topics(fleet), 0);
    assert_int_equal(shows(fleet, "n5", "b5", "orders", 2, T0 + 1), FLEET_ACCEPTED);
}

/* A known node that names one broker too many leaves no trace of that report. */
static void test_full_is_whole(void **state)
{
    struct fleet *fleet = *state;
    struct report *report;
    char node[16], broker[16];

    for (uint64_t i = 0; i < FLEET_BROKERS_MAX; i++) {
        (void)snprintf(node, sizeof(node), "n%u", (unsigned)i / 2);
        (void)snprintf(broker, sizeof(broker), "b%u", (unsigned)i);
        report = report_of(node, 1, 1 + i % 2, T0 + (time_us)i % 2);
        with_broker(report, broker);
        if (i % 2 == 1) {
            (void)snprintf(broker, sizeof(broker), "b%u", (unsigned)i - 1);
            with_broker(report, broker);
        }
        assert_int_equal(fleet_report(fleet, report, 1, T0 + (time_us)i % 2), FLEET_ACCEPTED);
    }
    report = report_of("n0", 1, 3, T0 + INTERVAL);
    with_broker(report, "b0");
    with_topic(report, "orders");
    with_broker(report, "one-too-many");
    assert_int_equal(fleet_report(fleet, report, 1, T0 + INTERVAL), FLEET_FULL);
    assert_int_equal(fleet_n_topics(fleet), 0);
    assert_int_equal(fleet->n_claims, 0);
    assert_int_equal(fleet_node(fleet, "n0")->seq, 2);
    assert_true(fleet_broker(fleet, "b1")->listed);
}

/* A topic that comes twice in a broker's report is one topic. */
static void test_doubled_topic(void **state)
{
    struct fleet *fleet = *state;
    struct report *report = report_of("n1", 1, 1, T0);

    with_broker(report, "a");
    with_topic(report, "orders");
    with_topic(report, "orders");
    assert_int_equal(fleet_report(fleet, report, 1, T0), FLEET_ACCEPTED);
    assert_int_equal(fleet_topic_count(fleet_broker(fleet, "a")), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_report, setup, teardown),
        cmocka_unit_test_setup_teardown(test_freshness, setup, teardown),
        cmocka_unit_test_setup_teardown(test_down_is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dropped_is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_boots, setup, teardown),
        cmocka_unit_test_setup_teardown(test_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_late_for_good, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drift_is_not_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clock_jump, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clock_extremes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_owner_conflict, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newest_claim_owns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_equal_claims, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stale_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_topics_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_assignments, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forget, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_doubled_topic, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
