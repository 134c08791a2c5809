/* Tests of the list of metrics and of the states of a value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/metric.h"
#include "common/name.h"

/* Every metric has a name of its own that can be a JSON key and end a Prometheus name, and a
 * sentence. */
static void test_every_metric_is_named(void **state)
{
    (void)state;
    for (int i = 0; i < METRICS; i++) {
        const struct metric_info *info = metric_info((enum metric)i);

        assert_non_null(info->name);
        assert_int_equal(strspn(info->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(info->name));
        assert_true(info->help[strlen(info->help) - 1] == '.');
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(info->name, metric_info((enum metric)j)->name);
        }
    }
}

/* The places of metrics are on the wire for ever. */
static void test_order(void **state)
{
    (void)state;
    assert_string_equal(metric_info((enum metric)0)->name, "cpu_cores");
    assert_string_equal(metric_info((enum metric)7)->name, "memory_ratio");
    assert_string_equal(metric_info((enum metric)14)->name, "net_speed_bytes_per_s");
    assert_string_equal(metric_info((enum metric)15)->name, "cpu_throttled_seconds_per_s");
    assert_string_equal(metric_info((enum metric)25)->name, "oom_kills");
    assert_string_equal(metric_info((enum metric)35)->name, "threads");
    assert_int_equal(METRICS, 36);
}

/* Every state has a name of its own. */
static void test_states(void **state)
{
    (void)state;
    for (int i = 0; i < VALUE_STATES; i++) {
        assert_non_null(value_state_name((enum value_state)i));
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(value_state_name((enum value_state)i),
                                    value_state_name((enum value_state)j));
        }
    }
    assert_string_equal(value_state_name(VALUE_FIRST), "first_sample");
    assert_string_equal(value_state_name(VALUE_DENIED), "denied");
}

/* A value is there or has a reason. */
static void test_values(void **state)
{
    (void)state;
    assert_true(value_is_present(value_of(0)));
    assert_false(value_is_present(value_absent(VALUE_FIRST)));
    assert_true(value_absent(VALUE_FIRST).number >= 0 && value_absent(VALUE_FIRST).number <= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_metric_is_named),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
