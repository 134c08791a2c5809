/* Numbers, durations and sizes: what is read, what is not, and how they are written. */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/scalar.h"

static int64_t integer(const char *text)
{
    int64_t value = 4711;
    int r = scalar_get_integer(text, &value);

    assert_true(r == 0 || value == 4711);
    return r == 0 ? value : r;
}

/* Whole numbers, to the ends of their type and not beyond. */
static void test_integers(void **state)
{
    (void)state;
    assert_int_equal(integer("0"), 0);
    assert_int_equal(integer("-7"), -7);
    assert_int_equal(integer("9223372036854775807"), INT64_MAX);
    assert_int_equal(integer("-9223372036854775808"), INT64_MIN);
    assert_int_equal(integer("9223372036854775808"), -ERANGE);
    assert_int_equal(integer("-9223372036854775809"), -ERANGE);
    assert_int_equal(integer("99999999999999999999x"), -EINVAL);
    for (const char *const *text = (const char *const[]){"", "-", "+1", " 1", "1 ", "01", "-01",
                                                         "1_0", "0x1", "1e1", "--1", NULL};
         *text != NULL; text++) {
        assert_int_equal(integer(*text), -EINVAL);
    }
}

static int real(const char *text, double wanted)
{
    double value = 47.11;
    int r = scalar_get_real(text, &value);

    assert_true(r == 0 ? value == wanted : value == 47.11);
    return r;
}

/* Decimal numbers alone: strtod() would take much more. */
static void test_reals(void **state)
{
    (void)state;
    assert_int_equal(real("0.25", 0.25), 0);
    assert_int_equal(real("-1.5e-3", -0.0015), 0);
    assert_int_equal(real("1E+2", 100), 0);
    assert_int_equal(real("1e999", 0), -ERANGE);
    for (const char *const *text =
             (const char *const[]){"", "-", ".5", "5.", "1e", "1e+", "nan", "inf", "0x1p3", " 1",
                                   "1 ", "+1", "1.2.3", NULL};
         *text != NULL; text++) {
        assert_int_equal(real(*text, 0), -EINVAL);
    }
}

static int64_t duration(const char *text)
{
    time_us value = 4711;
    int r = scalar_get_duration(text, &value);

    assert_true(r == 0 || value == 4711);
    return r == 0 ? value : r;
}

static int64_t size(const char *text)
{
    int64_t value = 4711;
    int r = scalar_get_size(text, &value);

    assert_true(r == 0 || value == 4711);
    return r == 0 ? value : r;
}

/* A duration needs its unit; a size may go without. */
static void test_quantities(void **state)
{
    (void)state;
    assert_int_equal(duration("10us"), 10);
    assert_int_equal(duration("250ms"), 250000);
    assert_int_equal(duration("0s"), 0);
    assert_int_equal(duration("2m"), SECONDS(120));
    assert_int_equal(duration("1d"), SECONDS(86400));
    assert_int_equal(duration("5"), -EINVAL);
    assert_int_equal(duration("s"), -EINVAL);
    assert_int_equal(duration("-1s"), -EINVAL);
    assert_int_equal(duration("1h30m"), -EINVAL);
    assert_int_equal(duration("1.5s"), -EINVAL);
    assert_int_equal(duration("9223372036855s"), -ERANGE);
    assert_int_equal(size("4096"), 4096);
    assert_int_equal(size("64KiB"), 65536);
    assert_int_equal(size("10MB"), 10000000);
    assert_int_equal(size("1Gbit"), 125000000);
    assert_int_equal(size("3B"), 3);
    assert_int_equal(size("1mb"), -EINVAL);
    assert_int_equal(size("9000000TiB"), -ERANGE);
}

static const char *put_real(double value)
{
    static char text[SCALAR_BYTES];

    scalar_put_real(value, text);
    return text;
}

static const char *put_duration(time_us value)
{
    static char text[SCALAR_BYTES];

    scalar_put_duration(value, text);
    return text;
}

static const char *put_size(int64_t value)
{
    static char text[SCALAR_BYTES];

    scalar_put_size(value, text);
    return text;
}

/* The shortest text that is exact. */
static void test_writing(void **state)
{
    (void)state;
    assert_string_equal(put_real(0.1), "0.1");
    assert_string_equal(put_real(1.0 / 3), "0.3333333333333333");
    assert_string_equal(put_real(1e300), "1e+300");
    assert_string_equal(put_real(123456789012.0), "123456789012");
    assert_string_equal(put_real(-2), "-2");
    assert_string_equal(put_real(NAN), "NaN");
    assert_string_equal(put_real(INFINITY), "+Inf");
    assert_string_equal(put_real(-INFINITY), "-Inf");
    assert_string_equal(put_duration(0), "0s");
    assert_string_equal(put_duration(90000000), "90s");
    assert_string_equal(put_duration(120000000), "2m");
    assert_string_equal(put_duration(1500000), "1500ms");
    assert_string_equal(put_duration(7), "7us");
    assert_string_equal(put_duration(INT64_MIN), "-9223372036854775808us");
    assert_string_equal(put_size(0), "0");
    assert_string_equal(put_size(1500), "1500");
    assert_string_equal(put_size(65536), "64KiB");
    assert_string_equal(put_size(125000000), "125MB");
    assert_string_equal(put_size(INT64_MAX), "9223372036854775807");
}

/* What is written is read as the same number. */
static void test_round_trip(void **state)
{
    const double values[] = {0.1, 1.0 / 3, 1e-300, DBL_MAX, DBL_MIN, 1e15, 123456.789, -0.25};
    uint64_t number = 1;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(values); i++) {
        assert_int_equal(real(put_real(values[i]), values[i]), 0);
    }
    for (int i = 0; i < 1000; i++) {
        number = number * 6364136223846793005ULL + 1442695040888963407ULL;
        assert_int_equal(size(put_size((int64_t)(number >> (i % 63 + 1)))),
                         (int64_t)(number >> (i % 63 + 1)));
        assert_int_equal(duration(put_duration((int64_t)(number >> (i % 63 + 1)))),
                         (int64_t)(number >> (i % 63 + 1)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),   cmocka_unit_test(test_reals),
        cmocka_unit_test(test_quantities), cmocka_unit_test(test_writing),
        cmocka_unit_test(test_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
