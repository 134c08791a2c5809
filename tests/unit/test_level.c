/* Use against limits, level by level. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/level.h"

static struct level level(double used, double limit)
{
    return (struct level){.used = value_of(used),
                          .limit = limit,
                          .extra = value_absent(VALUE_UNLIMITED),
                          .throttled_s = value_absent(VALUE_UNLIMITED)};
}

static void expect(struct value value, double number)
{
    assert_int_equal(value.state, VALUE_PRESENT);
    assert_true(fabs(value.number - number) <= number * 1e-9 + 1e-12);
}

/* Without any limit the host's CPUs are the limit. */
static void test_host_binds(void **state)
{
    const struct level levels[] = {level(2, INFINITY)};
    struct value values[METRICS];

    (void)state;
    level_cpu(levels, 1, value_of(4), VALUE_PRESENT, values);
    expect(values[METRIC_CPU_CORES], 2);
    expect(values[METRIC_CPU_LIMIT_CORES], 4);
    expect(values[METRIC_CPU_RATIO], 0.5);
    assert_int_equal(values[METRIC_CPU_THROTTLED_RATIO].state, VALUE_UNLIMITED);
}

/* A neighbour under the same ancestor uses its limit up too: the ancestor's own use tells. */
static void test_ancestor_binds(void **state)
{
    const struct level levels[] = {level(0.5, 2), level(3.5, 4)};
    struct value values[METRICS];

    (void)state;
    level_cpu(levels, 2, value_of(8), VALUE_PRESENT, values);
    expect(values[METRIC_CPU_CORES], 0.5);
    expect(values[METRIC_CPU_LIMIT_CORES], 2);
    expect(values[METRIC_CPU_RATIO], 0.875);
}

/* An ancestor whose use is not known still limits. */
static void test_ancestor_unknown(void **state)
{
    struct level levels[] = {level(0.1963, INFINITY), level(0, 0.2)};
    struct value values[METRICS];

    (void)state;
    levels[1].used = value_absent(VALUE_FIRST);
    level_cpu(levels, 2, value_of(2), VALUE_PRESENT, values);
    expect(values[METRIC_CPU_RATIO], 0.9815);
}

/* The worst throttling of all levels counts. */
static void test_throttling(void **state)
{
    struct level levels[] = {level(1, INFINITY), level(1, 1), level(1, 2)};
    struct value values[METRICS];

    (void)state;
    levels[1].extra = value_of(0.25);
    levels[2].extra = value_of(1);
    level_cpu(levels, 3, value_of(2), VALUE_PRESENT, values);
    expect(values[METRIC_CPU_THROTTLED_RATIO], 1);
    levels[1].extra = levels[2].extra = value_absent(VALUE_FIRST);
    level_cpu(levels, 3, value_of(2), VALUE_PRESENT, values);
    assert_int_equal(values[METRIC_CPU_THROTTLED_RATIO].state, VALUE_FIRST);
}

/* Seconds throttled, too, are those of the worst level. */
static void test_throttled_time(void **state)
{
    struct level levels[] = {level(1, INFINITY), level(1, 1), level(1, 2)};
    struct value values[METRICS];

    (void)state;
    level_cpu(levels, 3, value_of(2), VALUE_PRESENT, values);
    assert_int_equal(values[METRIC_CPU_THROTTLED_SECONDS_PER_S].state, VALUE_UNLIMITED);
    levels[1].throttled_s = value_of(3.5);
    levels[2].throttled_s = value_of(0.25);
    level_cpu(levels, 3, value_of(2), VALUE_PRESENT, values);
    expect(values[METRIC_CPU_THROTTLED_SECONDS_PER_S], 3.5);
}

/* The working set is held against the limit of its own level. */
static void test_working_set_ratio(void **state)
{
    struct level levels[] = {level(10, INFINITY), level(20, 100)};
    struct value values[METRICS];

    (void)state;
    levels[0].extra = value_of(30);
    levels[1].extra = value_of(60);
    level_memory(levels, 2, value_of(1000), VALUE_PRESENT, values);
    expect(values[METRIC_MEMORY_WORKING_SET_BYTES], 30);
    expect(values[METRIC_MEMORY_WORKING_SET_RATIO], 0.6);
    expect(values[METRIC_MEMORY_RATIO], 0.2);
}

/* A limit of nothing is used up, and divides nothing. */
static void test_limit_zero(void **state)
{
    const struct level levels[] = {level(0, 0)};
    struct value values[METRICS];

    (void)state;
    level_memory(levels, 1, value_of(1000), VALUE_PRESENT, values);
    expect(values[METRIC_MEMORY_RATIO], 1);
}

/* What could not be read stays absent, with its reason. */
static void test_absent(void **state)
{
    struct level levels[] = {level(1, 5)};
    struct value values[METRICS];

    (void)state;
    level_memory(levels, 1, value_of(10), VALUE_DENIED, values);
    expect(values[METRIC_MEMORY_BYTES], 1);
    assert_int_equal(values[METRIC_MEMORY_LIMIT_BYTES].state, VALUE_DENIED);
    assert_int_equal(values[METRIC_MEMORY_RATIO].state, VALUE_DENIED);
    levels[0].used = value_absent(VALUE_FAILED);
    level_memory(levels, 1, value_of(10), VALUE_PRESENT, values);
    assert_int_equal(values[METRIC_MEMORY_RATIO].state, VALUE_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_binds),       cmocka_unit_test(test_ancestor_binds),
        cmocka_unit_test(test_ancestor_unknown), cmocka_unit_test(test_throttling),
        cmocka_unit_test(test_throttled_time),   cmocka_unit_test(test_working_set_ratio),
        cmocka_unit_test(test_limit_zero),       cmocka_unit_test(test_absent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
