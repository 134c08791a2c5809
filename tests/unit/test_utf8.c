/* UTF-8: what is a character, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/utf8.h"

/* The code point at the start of `bytes`, which must take `length` bytes. */
static uint32_t code_of(const char *bytes, size_t length)
{
    uint32_t code = 0;

    assert_int_equal(utf8_get(bytes, strlen(bytes), &code), length);
    return code;
}

static void refuses(const char *bytes)
{
    uint32_t code = 4711;

    assert_int_equal(utf8_get(bytes, strlen(bytes), &code), 0);
    assert_int_equal(code, 4711);
}

/* The first and the last character of every length. */
static void test_characters(void **state)
{
    uint32_t code = 1;

    (void)state;
    assert_int_equal(utf8_get("", 1, &code), 1);
    assert_int_equal(code, 0);
    assert_int_equal(code_of("\x7F", 1), 0x7F);
    assert_int_equal(code_of("\xC2\x80", 2), 0x80);
    assert_int_equal(code_of("\xDF\xBFx", 2), 0x7FF);
    assert_int_equal(code_of("\xE0\xA0\x80", 3), 0x800);
    assert_int_equal(code_of("\xED\x9F\xBF", 3), 0xD7FF);
    assert_int_equal(code_of("\xEF\xBF\xBF", 3), 0xFFFF);
    assert_int_equal(code_of("\xF0\x90\x80\x80", 4), 0x10000);
    assert_int_equal(code_of("\xF4\x8F\xBF\xBF", 4), 0x10FFFF);
}

/* Cut off, overlong, surrogates, too large, and bytes that start nothing. */
static void test_refused(void **state)
{
    (void)state;
    refuses("");
    refuses("\x80");
    refuses("\xC2");
    refuses("\xC2(");
    refuses("\xC1\xBF");
    refuses("\xE0\x9F\xBF");
    refuses("\xE2\x82");
    refuses("\xED\xA0\x80");
    refuses("\xF0\x8F\xBF\xBF");
    refuses("\xF4\x90\x80\x80");
    refuses("\xF8\x88\x80\x80\x80");
    refuses("\xFF");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
