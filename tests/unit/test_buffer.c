/* The buffer: what does not fit is refused whole, and so is all that follows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/buffer.h"

/* Bytes and formatted text follow one another. */
static void test_appends(void **state)
{
    char bytes[16];
    struct buffer buffer = buffer_over(bytes, sizeof(bytes));

    (void)state;
    buffer_put(&buffer, "ab", 2);
    buffer_put(&buffer, NULL, 0);
    buffer_print(&buffer, "-%d-", 7);
    assert_int_equal(buffer.n, 5);
    assert_memory_equal(bytes, "ab-7-", 5);
    assert_false(buffer.overflowed);
}

/* Bytes may fill the buffer to its end; one more is nothing more. */
static void test_put_overflow(void **state)
{
    char bytes[5] = "....";
    struct buffer buffer = buffer_over(bytes, 4);

    (void)state;
    buffer_put(&buffer, "abcd", 4);
    assert_false(buffer.overflowed);
    buffer_put(&buffer, "e", 1);
    assert_true(buffer.overflowed);
    buffer_put(&buffer, "", 0);
    assert_int_equal(buffer.n, 4);
    assert_string_equal(bytes, "abcd");
}

/* Formatted text needs room for its NUL, and nothing is taken after an overflow. */
static void test_print_overflow(void **state)
{
    char bytes[8] = "";
    struct buffer buffer = buffer_over(bytes, 4);

    (void)state;
    buffer_print(&buffer, "%s", "abc");
    assert_false(buffer.overflowed);
    buffer_print(&buffer, "%s", "d");
    assert_true(buffer.overflowed);
    buffer_print(&buffer, "%s", "");
    buffer_put(&buffer, "e", 1);
    assert_int_equal(buffer.n, 3);
    assert_memory_equal(bytes + 4, "\0\0\0", 4);
}

/* A full buffer and one without room are no special case. */
static void test_no_room(void **state)
{
    struct buffer buffer = buffer_over(NULL, 0);

    (void)state;
    buffer_put(&buffer, NULL, 0);
    assert_false(buffer.overflowed);
    buffer_print(&buffer, "x");
    assert_true(buffer.overflowed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_put_overflow),
        cmocka_unit_test(test_print_overflow),
        cmocka_unit_test(test_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
