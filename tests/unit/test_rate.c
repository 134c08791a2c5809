/* Two stamped samples in, values per second out. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/rate.h"

#define OWNER 1

static bool count(struct rate *rate, double at_s, uint64_t number)
{
    return rate_step(rate, (time_us)(at_s * 1e6), OWNER, &number, 1);
}

static void expect(struct value value, double number)
{
    assert_int_equal(value.state, VALUE_PRESENT);
    assert_true(fabs(value.number - number) <= number * 1e-9 + 1e-12);
}

static void expect_absent(struct value value, enum value_state state)
{
    assert_int_equal(value.state, state);
    assert_true(value.number == 0);
}

/* A counter since boot is no rate: the first sample gives none. */
static void test_first(void **state)
{
    struct rate rate = {0};

    (void)state;
    expect_absent(rate_per_second(&rate, 0), VALUE_UNKNOWN);
    assert_false(count(&rate, 0, 987654321));
    expect_absent(rate_per_second(&rate, 0), VALUE_FIRST);
}

/* The measured interval counts, whatever it should have been. */
static void test_interval(void **state)
{
    struct rate rate = {0};

    (void)state;
    (void)count(&rate, 10, 0);
    (void)count(&rate, 13.5, 3500000);
    expect(rate_per_second(&rate, 0), 1e6);
    (void)count(&rate, 14.5, 3500000);
    expect(rate_per_second(&rate, 0), 0);
}

/* A counter that went back is a reset, known again with the next sample, and no wrap is guessed. */
static void test_reset(void **state)
{
    struct rate rate = {0};

    (void)state;
    (void)count(&rate, 0, 9000000);
    assert_true(count(&rate, 1, 120000));
    expect_absent(rate_per_second(&rate, 0), VALUE_RESET);
    assert_false(count(&rate, 2, 620000));
    expect(rate_per_second(&rate, 0), 500000);
}

/* Another owner's counters are no growth of ours, even when they are higher. */
static void test_owner(void **state)
{
    struct rate rate = {0};
    uint64_t number = 50;

    (void)state;
    (void)count(&rate, 0, 10);
    assert_true(rate_step(&rate, SECONDS(1), OWNER + 1, &number, 1));
    expect_absent(rate_per_second(&rate, 0), VALUE_RESET);
}

/* Below 10 ms the values and the base are held. */
static void test_hold(void **state)
{
    struct rate rate = {0};

    (void)state;
    (void)count(&rate, 0, 0);
    (void)count(&rate, 0.004, 20000);
    expect_absent(rate_per_second(&rate, 0), VALUE_FIRST);
    (void)count(&rate, 1, 40000);
    expect(rate_per_second(&rate, 0), 40000);
    (void)count(&rate, 1.001, 90000);
    expect(rate_per_second(&rate, 0), 40000);
    (void)count(&rate, 2, 50000);
    expect(rate_per_second(&rate, 0), 10000);
}

/* A sample that failed leaves the base: the next one is measured over both intervals. */
static void test_miss(void **state)
{
    struct rate rate = {0};

    (void)state;
    (void)count(&rate, 0, 1000000);
    rate_miss(&rate, VALUE_FAILED);
    expect_absent(rate_per_second(&rate, 0), VALUE_FAILED);
    (void)count(&rate, 2, 3000000);
    expect(rate_per_second(&rate, 0), 1000000);
}

/* What a new member had counted before it joined is no growth. */
static void test_join(void **state)
{
    struct rate rate = {0};

    (void)state;
    rate_join(&rate, 0, 5);
    (void)count(&rate, 0, 100);
    rate_join(&rate, 0, 1000);
    (void)count(&rate, 1, 1110);
    expect(rate_per_second(&rate, 0), 10);
}

/* A share of nothing is nothing. */
static void test_share(void **state)
{
    const uint64_t samples[][2] = {{5, 5}, {25, 20}, {25, 20}};
    struct rate rate = {0};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        (void)rate_step(&rate, SECONDS((time_us)i), OWNER, samples[i], 2);
        if (i == 1) {
            expect(rate_share(&rate, 1, 0), 0.75);
        }
    }
    expect(rate_share(&rate, 1, 0), 0);
}

/* Counters known to go back a little stand still, and do not count twice when they return. */
static void test_monotone(void **state)
{
    const uint64_t samples[][2] = {{8000, 400}, {8300, 390}, {8400, 410}, {10, 10}};
    struct rate rate = {0};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_false(rate_step_monotone(&rate, SECONDS((time_us)i), OWNER, samples[i], 2));
    }
    expect(rate_per_second(&rate, 0), 100);
    expect(rate_per_second(&rate, 1), 10);
    assert_true(rate_step_monotone(&rate, SECONDS(3), OWNER, samples[3], 2));
    expect_absent(rate_per_second(&rate, 0), VALUE_RESET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),    cmocka_unit_test(test_interval),
        cmocka_unit_test(test_reset),    cmocka_unit_test(test_owner),
        cmocka_unit_test(test_hold),     cmocka_unit_test(test_miss),
        cmocka_unit_test(test_join),     cmocka_unit_test(test_share),
        cmocka_unit_test(test_monotone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
