/* Prometheus text, byte for byte. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/exposition.h"

static char bytes[1024];
static struct buffer page;

static int start(void **state)
{
    (void)state;
    page = buffer_over(bytes, sizeof(bytes));
    return 0;
}

static void holds(const char *text)
{
    assert_false(page.overflowed);
    assert_int_equal(page.n, strlen(text));
    assert_memory_equal(bytes, text, page.n);
}

/* A family and its series, without and with labels. */
static void test_family(void **state)
{
    const struct exposition_label labels[] = {{"broker", "n1"}, {"state", "fresh"}};

    (void)state;
    exposition_family(&page, "evenkeel_moves_total", EXPOSITION_COUNTER, "Moves that ended.");
    exposition_sample(&page, "evenkeel_moves_total", NULL, 0, 3);
    exposition_sample(&page, "evenkeel_moves_total", labels, 1, 0.25);
    exposition_sample(&page, "evenkeel_moves_total", labels, 2, 1e300);
    holds("# HELP evenkeel_moves_total Moves that ended.\n"
          "# TYPE evenkeel_moves_total counter\n"
          "evenkeel_moves_total 3\n"
          "evenkeel_moves_total{broker=\"n1\"} 0.25\n"
          "evenkeel_moves_total{broker=\"n1\",state=\"fresh\"} 1e+300\n");
}

/* What the format gives a meaning is escaped. */
static void test_escapes(void **state)
{
    const struct exposition_label label = {"topic", "a\"b\\c\nd é"};

    (void)state;
    exposition_family(&page, "x", EXPOSITION_GAUGE, "Back\\slash, \"quotes\",\nline.");
    exposition_sample(&page, "x", &label, 1, 0);
    holds("# HELP x Back\\\\slash, \"quotes\",\\nline.\n"
          "# TYPE x gauge\n"
          "x{topic=\"a\\\"b\\\\c\\nd é\"} 0\n");
}

/* Numbers that are none have their own spelling. */
static void test_not_finite(void **state)
{
    (void)state;
    exposition_sample(&page, "x", NULL, 0, NAN);
    exposition_sample(&page, "x", NULL, 0, INFINITY);
    exposition_sample(&page, "x", NULL, 0, -INFINITY);
    holds("x NaN\nx +Inf\nx -Inf\n");
}

/* The families of the process have the names that dashboards expect. */
static void test_process(void **state)
{
    const struct process_usage usage = {
        .cpu_s = 1.5, .resident_bytes = 4096, .open_fds = 7, .start_unix_s = 1700000000.25};

    (void)state;
    exposition_process(&page, &usage);
    holds("# HELP process_cpu_seconds_total CPU time spent, user and system together.\n"
          "# TYPE process_cpu_seconds_total counter\n"
          "process_cpu_seconds_total 1.5\n"
          "# HELP process_resident_memory_bytes Memory held in RAM.\n"
          "# TYPE process_resident_memory_bytes gauge\n"
          "process_resident_memory_bytes 4096\n"
          "# HELP process_open_fds Open file descriptors.\n"
          "# TYPE process_open_fds gauge\n"
          "process_open_fds 7\n"
          "# HELP process_start_time_seconds When the process started, in seconds since 1970.\n"
          "# TYPE process_start_time_seconds gauge\n"
          "process_start_time_seconds 1700000000.25\n");
}

/* A page that does not fit says so, and stays within its bytes. */
static void test_overflow(void **state)
{
    (void)state;
    page = buffer_over(bytes, 10);
    memset(bytes, '.', 11);
    exposition_single(&page, "evenkeel_x", EXPOSITION_GAUGE, "X.", 1);
    assert_true(page.overflowed);
    assert_int_equal(bytes[10], '.');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_family, start),     cmocka_unit_test_setup(test_escapes, start),
        cmocka_unit_test_setup(test_not_finite, start), cmocka_unit_test_setup(test_process, start),
        cmocka_unit_test_setup(test_overflow, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
