/* The ranking: the order and the scores, by hand and by chance. */
#include "aggregator/rank.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/prng.h"
#include "tests/unit/fleet_language.h"

static const struct rank_settings weighted = {
    .algorithm = RANK_WEIGHTED_COMPOSITE,
    .weights = {.25, .20, .15, .10, .15, .10, .05},
};
static const struct rank_settings simple = {.algorithm = RANK_SIMPLE};

static struct ranking ranking;

/* A load of which nothing is known. */
static struct rank_load load(const char *id)
{
    struct rank_load made = {.id = id};

    for (size_t i = 0; i < RANK_RESOURCES; i++) {
        made.values[i] = value_absent(VALUE_UNKNOWN);
    }
    return made;
}

static struct rank_load load_of(const char *id, double cpu, double memory, double topics)
{
    struct rank_load made = load(id);

    made.values[RANK_CPU] = value_of(cpu);
    made.values[RANK_MEMORY] = value_of(memory);
    made.values[RANK_TOPIC_COUNT] = value_of(topics);
    return made;
}

static void assert_row(size_t row, const char *id, double score)
{
    assert_true(row < ranking.n);
    assert_string_equal(ranking.rows[row].id, id);
    assert_true(fabs(ranking.rows[row].score - score) < 1e-9);
}

/* 10 % cpu, 20 % memory, 5 topics; 50, 60, 10; 30, 40, 3 rank first, third, second. By hand, over
 * .25 + .20 + .10 = .55: (.25·10/50 + .20·20/60 + .10·5/10) / .55 = 10/33,
 * (.25·30/50 + .20·40/60 + .10·3/10) / .55 = 94/165, and 1 for the largest in everything. */
static void test_example(void **state)
{
    struct rank_load loads[] = {load_of("one", 10, 20, 5), load_of("two", 50, 60, 10),
                                load_of("three", 30, 40, 3)};

    (void)state;
    rank_order(&weighted, loads, 3, &ranking);
    assert_int_equal(ranking.n, 3);
    assert_row(0, "one", 10.0 / 33);
    assert_row(1, "three", 94.0 / 165);
    assert_row(2, "two", 1);
    assert_int_equal(ranking.row_of[1], 2);
}

/* The same by number of topics alone. */
static void test_simple(void **state)
{
    struct rank_load loads[] = {load_of("one", 10, 20, 5), load_of("two", 50, 60, 10),
                                load_of("three", 30, 40, 3)};

    (void)state;
    rank_order(&simple, loads, 3, &ranking);
    assert_row(0, "three", .3);
    assert_row(1, "one", .5);
    assert_row(2, "two", 1);
}

/* What is absent takes no part, and the other weights are rescaled: with a zero for its memory the
 * blind one would come first, (.25 + .10) / .55 against (.25·40/50 + .20 + .10) / .55. */
static void test_absent_is_not_zero(void **state)
{
    struct rank_load loads[] = {load_of("blind", 50, 0, 1), load_of("seen", 40, 10, 1)};

    (void)state;
    loads[0].values[RANK_MEMORY] = value_absent(VALUE_DENIED);
    rank_order(&weighted, loads, 2, &ranking);
    assert_row(0, "seen", .5 / .55);
    assert_row(1, "blind", 1);
}

/* The largest value is taken as 1.0 at least, so that dust is not a load. */
static void test_largest_is_at_least_one(void **state)
{
    struct rank_load loads[] = {load("a"), load("b")};

    (void)state;
    loads[0].values[RANK_CPU] = value_of(.5);
    loads[1].values[RANK_CPU] = value_of(.1);
    rank_order(&weighted, loads, 2, &ranking);
    assert_row(0, "b", .1);
    assert_row(1, "a", .5);
}

/* A broker of which nothing with a weight is known is left out, and counted. */
static void test_nothing_known(void **state)
{
    struct rank_settings cpu_only = {.algorithm = RANK_WEIGHTED_COMPOSITE, .weights = {1}};
    struct rank_load loads[] = {load("dark"), load_of("seen", 5, 5, 5), load("cpuless")};

    (void)state;
    loads[2].values[RANK_MEMORY] = value_of(1);
    rank_order(&cpu_only, loads, 3, &ranking);
    assert_int_equal(ranking.n, 1);
    assert_int_equal(ranking.n_unrated, 2);
    assert_int_equal(ranking.row_of[0], RANK_NONE);
    assert_int_equal(ranking.row_of[1], 0);
    assert_int_equal(ranking.row_of[2], RANK_NONE);
}

/* Equal loads come in the order of their ids. */
static void test_ties(void **state)
{
    struct rank_load loads[] = {load_of("c", 1, 1, 1), load_of("a", 1, 1, 1),
                                load_of("b", 1, 1, 1)};

    (void)state;
    rank_order(&weighted, loads, 3, &ranking);
    assert_string_equal(ranking.rows[0].id, "a");
    assert_string_equal(ranking.rows[1].id, "b");
    assert_string_equal(ranking.rows[2].id, "c");
}

/* Random loads, some values equal, some absent, some absurdly large. */
static void draw(struct prng *prng, struct rank_load *loads, char (*ids)[24], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "b%zu", i);
        loads[i] = load(ids[i]);
        for (size_t k = 0; k < RANK_RESOURCES; k++) {
            uint64_t kind = prng_below(prng, 4);

            if (kind > 0) {
                loads[i].values[k] = value_of((double)prng_below(prng, kind == 1 ? 3 : 1000000) *
                                              1e300 / (kind == 3 ? 1 : 1e300));
            }
        }
    }
}

static void shuffle(struct prng *prng, struct rank_load *loads, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = (size_t)prng_below(prng, i);
        struct rank_load load = loads[i - 1];

        loads[i - 1] = loads[k];
        loads[k] = load;
    }
}

/* Whatever the loads are, the order is total, scores lie in 0..1, and the same loads in another
 * order rank the same. */
static void test_total_and_independent_of_order(void **state)
{
    struct prng prng = prng_of(20240601);
    struct rank_load loads[40];
    char ids[40][24];
    static struct ranking first;

    (void)state;
    for (int round = 0; round < 300; round++) {
        size_t n = (size_t)prng_below(&prng, N_ELEMENTS(loads) + 1);

        draw(&prng, loads, ids, n);
        rank_order(round % 3 == 0 ? &simple : &weighted, loads, n, &first);
        shuffle(&prng, loads, n);
        rank_order(round % 3 == 0 ? &simple : &weighted, loads, n, &ranking);
        assert_int_equal(first.n, ranking.n);
        assert_int_equal(first.n + first.n_unrated, n);
        for (size_t i = 0; i < first.n; i++) {
            double before = i > 0 ? first.rows[i - 1].score : 0;

            assert_string_equal(first.rows[i].id, ranking.rows[i].id);
            assert_true(first.rows[i].score >= before && first.rows[i].score <= 1);
            assert_true(i == 0 || first.rows[i].score > before ||
                        strcmp(first.rows[i - 1].id, first.rows[i].id) < 0);
        }
    }
}

/* A broker's load: ratios in percent, sums of both directions or of the one known, Mbit and GB. */
static void test_load_of_broker(void **state)
{
    struct fleet_broker broker = {.id = "a", .topics_known = true, .n_claims = 2, .n_pending = 3};
    struct rank_load made;

    (void)state;
    for (size_t i = 0; i < METRICS; i++) {
        broker.values[i] = value_absent(VALUE_UNSUPPORTED);
    }
    broker.values[METRIC_CPU_RATIO] = value_of(.5);
    broker.values[METRIC_NET_RX_BYTES_PER_S] = value_of(30);
    broker.values[METRIC_NET_TX_BYTES_PER_S] = value_of(12);
    broker.values[METRIC_DISK_WRITE_BYTES_PER_S] = value_of(7);
    broker.values[METRIC_DISK_USED_BYTES] = value_of(3e9);
    broker.topics_bytes_per_s = value_of(125000);
    rank_load_of(&weighted, &broker, &made);
    assert_true(made.values[RANK_CPU].number == 50);
    assert_int_equal(made.values[RANK_MEMORY].state, VALUE_UNSUPPORTED);
    assert_true(made.values[RANK_NETWORK_IO].number == 42);
    assert_true(made.values[RANK_DISK_IO].number == 7);
    assert_true(fabs(made.values[RANK_DISK_USAGE].number - 3) < 1e-9);
    assert_true(fabs(made.values[RANK_THROUGHPUT].number - 1) < 1e-9);
    assert_true(made.values[RANK_TOPIC_COUNT].number == 5);
}

/* Pressure is the worst of the three that is known, and weighs nothing until it is told to. */
static void test_pressure(void **state)
{
    struct rank_settings by_pressure = {.algorithm = RANK_WEIGHTED_COMPOSITE,
                                        .weights = {[RANK_PRESSURE] = 1}};
    struct fleet_broker calm = {.id = "calm"}, starved = {.id = "starved"};
    struct rank_load loads[2];

    (void)state;
    for (size_t i = 0; i < METRICS; i++) {
        calm.values[i] = starved.values[i] = value_absent(VALUE_UNSUPPORTED);
    }
    rank_load_of(&by_pressure, &calm, &loads[0]);
    assert_int_equal(loads[0].values[RANK_PRESSURE].state, VALUE_UNSUPPORTED);
    calm.values[METRIC_MEMORY_PRESSURE_SOME_RATIO] = value_of(.02);
    starved.values[METRIC_CPU_PRESSURE_SOME_RATIO] = value_of(.01);
    starved.values[METRIC_MEMORY_PRESSURE_SOME_RATIO] = value_of(0);
    starved.values[METRIC_IO_PRESSURE_SOME_RATIO] = value_of(.4);
    rank_load_of(&by_pressure, &starved, &loads[0]);
    rank_load_of(&by_pressure, &calm, &loads[1]);
    assert_true(fabs(loads[0].values[RANK_PRESSURE].number - 40) < 1e-9);
    rank_order(&by_pressure, loads, 2, &ranking);
    assert_row(0, "calm", .05);
    assert_row(1, "starved", 1);
    rank_order(&weighted, loads, 2, &ranking);
    assert_int_equal(ranking.n, 2);
    assert_row(0, "calm", 0);
    assert_row(1, "starved", 0);
}

/* Sums of believable numbers never become infinite, which has no place in an order. */
static void test_sums_stay_finite(void **state)
{
    struct fleet_broker broker = {.id = "a"};
    struct rank_load made;

    (void)state;
    broker.values[METRIC_NET_RX_BYTES_PER_S] = value_of(DBL_MAX);
    broker.values[METRIC_NET_TX_BYTES_PER_S] = value_of(DBL_MAX);
    broker.values[METRIC_CPU_RATIO] = value_of(DBL_MAX);
    rank_load_of(&weighted, &broker, &made);
    rank_order(&weighted, &made, 1, &ranking);
    assert_int_equal(ranking.n, 1);
    assert_true(ranking.rows[0].score >= 0 && ranking.rows[0].score <= 1);
}

/* Without a working topic source the count is absent in the composite; simple takes what it has. */
static void test_unknown_topics(void **state)
{
    struct fleet_broker broker = {.id = "a", .n_pending = 3};
    struct rank_load made;

    (void)state;
    rank_load_of(&weighted, &broker, &made);
    assert_false(value_is_present(made.values[RANK_TOPIC_COUNT]));
    rank_load_of(&simple, &broker, &made);
    assert_true(made.values[RANK_TOPIC_COUNT].number == 3);
}

/* Of a fleet only the fresh and up are ranked, and places are those of the fleet. */
static void test_only_fresh(void **state)
{
    struct fleet *fleet = malloc(sizeof(*fleet));
    struct fleet_settings settings = usual_fleet();
    struct report *report;

    (void)state;
    assert_non_null(fleet);
    fleet_init(fleet, &settings);
    report = report_of("n1", 1, 1, T0);
    with_load(with_broker(report, "silent"), 1, 1);
    assert_int_equal(fleet_report(fleet, report, 1, T0), FLEET_ACCEPTED);
    report = report_of("n2", 1, 1, T0 + 3 * INTERVAL);
    with_load(with_broker(report, "down"), 1, 1);
    report->brokers[0].state = BROKER_DOWN;
    with_load(with_broker(report, "up"), 90, 90);
    assert_int_equal(fleet_report(fleet, report, 1, T0 + 3 * INTERVAL), FLEET_ACCEPTED);
    rank_brokers(&weighted, fleet, T0 + 4 * INTERVAL, &ranking);
    assert_int_equal(ranking.n, 1);
    assert_row(0, "up", 1 - .10 / .70 - .15 / .70);
    assert_ptr_equal(fleet->brokers[ranking.rows[0].index], fleet_broker(fleet, "up"));
    assert_int_equal(ranking.row_of[0], RANK_NONE);
    fleet_done(fleet);
    free(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_simple),
        cmocka_unit_test(test_absent_is_not_zero),
        cmocka_unit_test(test_largest_is_at_least_one),
        cmocka_unit_test(test_nothing_known),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_total_and_independent_of_order),
        cmocka_unit_test(test_load_of_broker),
        cmocka_unit_test(test_pressure),
        cmocka_unit_test(test_sums_stay_finite),
        cmocka_unit_test(test_unknown_topics),
        cmocka_unit_test(test_only_fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
