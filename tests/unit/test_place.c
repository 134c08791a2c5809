/* Placement: the same answer until something real has changed. */
#include "aggregator/place.h"

#include <stdlib.h>
#include <string.h>

#include "aggregator/rank.h"
#include "tests/unit/fleet_language.h"

static const struct rank_settings settings = {.algorithm = RANK_SIMPLE};

struct scene {
    struct fleet fleet;
    struct ranking ranking;
    struct answer answer;
};

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    struct fleet_settings usual = usual_fleet();

    assert_non_null(scene);
    fleet_init(&scene->fleet, &usual);
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

/* The node of the same name reports `broker`, with `topic` or none. */
static void shows(struct scene *scene, const char *broker, const char *topic, uint64_t seq,
                  time_us now_us)
{
    struct report *report = report_of(broker, 1, seq, now_us);

    with_broker(report, broker);
    if (topic != NULL) {
        with_topic(report, topic);
    }
    assert_int_equal(fleet_report(&scene->fleet, report, 1, now_us), FLEET_ACCEPTED);
}

static enum answer_status assign(struct scene *scene, const char *topic, time_us now_us)
{
    rank_brokers(&settings, &scene->fleet, now_us, &scene->ranking);
    place_assign(&scene->fleet, &scene->ranking, topic, now_us, &scene->answer);
    return scene->answer.status;
}

static void assert_placed(const struct scene *scene, const char *broker,
                          enum placement_source source)
{
    assert_int_equal(scene->answer.status, ANSWER_OK);
    assert_string_equal(scene->answer.placement.broker, broker);
    assert_int_equal(scene->answer.placement.source, source);
}

/* An empty fleet has nobody to assign to, and says so. */
static void test_nobody(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(assign(scene, "orders", T0), ANSWER_NO_BROKER);
    assert_true(scene->answer.text[0] != '\0');
    assert_int_equal(scene->fleet.n_assignments, 0);
}

/* The best of the ranking gets a new topic, and keeps it although it is the best no more. */
static void test_assign_is_idempotent(void **state)
{
    struct scene *scene = *state;

    shows(scene, "a", NULL, 1, T0);
    shows(scene, "b", NULL, 1, T0);
    assert_int_equal(assign(scene, "orders", T0), ANSWER_OK);
    assert_placed(scene, "a", PLACEMENT_ASSIGNED);
    assert_int_equal(assign(scene, "bills", T0), ANSWER_OK);
    assert_placed(scene, "b", PLACEMENT_ASSIGNED);
    assert_int_equal(assign(scene, "orders", T0), ANSWER_OK);
    assert_placed(scene, "a", PLACEMENT_ASSIGNED);
    assert_int_equal(scene->fleet.n_assignments, 2);
}

/* What a fresh broker shows is where it is, whatever was assigned, and assigns nothing. */
static void test_observed_wins(void **state)
{
    struct scene *scene = *state;

    shows(scene, "a", NULL, 1, T0);
    shows(scene, "b", "orders", 1, T0);
    (void)assign(scene, "orders", T0);
    assert_placed(scene, "b", PLACEMENT_OBSERVED);
    assert_int_equal(scene->fleet.n_assignments, 0);
}

/* A silent broker keeps its topics; one that is gone loses them to a fresh one. */
static void test_reassigned_when_gone(void **state)
{
    struct scene *scene = *state;
    time_us stale_us = T0 + 4 * INTERVAL, gone_us = T0 + 13 * INTERVAL;

    shows(scene, "a", NULL, 1, T0);
    (void)assign(scene, "orders", T0);
    shows(scene, "b", NULL, 1, stale_us);
    (void)assign(scene, "orders", stale_us);
    assert_placed(scene, "a", PLACEMENT_ASSIGNED);
    shows(scene, "b", NULL, 2, gone_us);
    (void)assign(scene, "orders", gone_us);
    assert_placed(scene, "b", PLACEMENT_ASSIGNED);
    assert_int_equal(scene->fleet.n_assignments, 1);
}

/* The same for topics that were shown and never assigned by us. */
static void test_observed_then_silent(void **state)
{
    struct scene *scene = *state;
    time_us stale_us = T0 + 4 * INTERVAL, gone_us = T0 + 13 * INTERVAL;

    shows(scene, "a", "orders", 1, T0);
    shows(scene, "b", NULL, 1, stale_us);
    (void)assign(scene, "orders", stale_us);
    assert_placed(scene, "a", PLACEMENT_OBSERVED);
    assert_true(scene->answer.text[0] != '\0');
    shows(scene, "b", NULL, 2, gone_us);
    (void)assign(scene, "orders", gone_us);
    assert_placed(scene, "b", PLACEMENT_ASSIGNED);
}

/* A broker that is silent or down gets no new topic, be it the emptiest. */
static void test_never_to_the_silent(void **state)
{
    struct scene *scene = *state;
    struct report *report;

    shows(scene, "a", NULL, 1, T0);
    report = report_of("b", 1, 1, T0 + 3 * INTERVAL);
    with_broker(report, "b")->state = BROKER_DOWN;
    assert_int_equal(fleet_report(&scene->fleet, report, 1, T0 + 3 * INTERVAL), FLEET_ACCEPTED);
    assert_int_equal(assign(scene, "orders", T0 + 4 * INTERVAL), ANSWER_NO_BROKER);
    shows(scene, "c", "full", 1, T0 + 4 * INTERVAL);
    (void)assign(scene, "orders", T0 + 4 * INTERVAL);
    assert_placed(scene, "c", PLACEMENT_ASSIGNED);
}

/* A lookup finds what is shown or assigned, and changes nothing. */
static void test_lookup(void **state)
{
    struct scene *scene = *state;

    shows(scene, "a", "orders", 1, T0);
    place_lookup(&scene->fleet, "orders", T0, &scene->answer);
    assert_placed(scene, "a", PLACEMENT_OBSERVED);
    assert_string_equal(scene->answer.placement.topic.text, "orders");
    place_lookup(&scene->fleet, "bills", T0, &scene->answer);
    assert_int_equal(scene->answer.status, ANSWER_NOT_FOUND);
    assert_int_equal(scene->fleet.n_assignments, 0);
    (void)assign(scene, "bills", T0);
    place_lookup(&scene->fleet, "bills", T0, &scene->answer);
    assert_placed(scene, "a", PLACEMENT_ASSIGNED);
}

/* A release forgets the assignment, once; the topic's load leaves the model with it. */
static void test_release(void **state)
{
    struct scene *scene = *state;

    shows(scene, "a", NULL, 1, T0);
    (void)assign(scene, "orders", T0);
    place_release(&scene->fleet, "orders", &scene->answer);
    assert_placed(scene, "a", PLACEMENT_ASSIGNED);
    assert_int_equal(fleet_topic_count(fleet_broker(&scene->fleet, "a")), 0);
    place_release(&scene->fleet, "orders", &scene->answer);
    assert_int_equal(scene->answer.status, ANSWER_NOT_FOUND);
    place_lookup(&scene->fleet, "orders", T0, &scene->answer);
    assert_int_equal(scene->answer.status, ANSWER_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_assign_is_idempotent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_observed_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reassigned_when_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_observed_then_silent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_never_to_the_silent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lookup, setup, teardown),
        cmocka_unit_test_setup_teardown(test_release, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
