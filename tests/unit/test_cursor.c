/* Tests of the bounded msgpack reader. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/cursor.h"
#include "common/limits.h"
#include "common/units.h"

/* A cursor over the bytes of a string literal. */
#define OVER(literal) cursor_over((const uint8_t *)(literal), sizeof(literal) - 1)

/* Unsigned integers of every form, at the borders of each. */
static void test_uint(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        uint64_t number;
    } rows[] = {
        {"\x00", 1, 0},
        {"\x7f", 1, 127},
        {"\xcc\xff", 2, 255},
        {"\xcd\xff\xff", 3, 65535},
        {"\xce\xff\xff\xff\xff", 5, UINT32_MAX},
        {"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9, UINT64_MAX},
        {"\xcf\x00\x20\x00\x00\x00\x00\x00\x01", 9, (1ULL << 53) + 1},
        {"\xd0\x7f", 2, 127},
        {"\xd3\x7f\xff\xff\xff\xff\xff\xff\xff", 9, INT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct cursor cursor = cursor_over((const uint8_t *)rows[i].bytes, rows[i].n);
        uint64_t number;

        assert_int_equal(cursor_get_uint(&cursor, &number), 0);
        assert_true(number == rows[i].number);
        assert_int_equal(cursor_left(&cursor), 0);
    }
}

/* Signed integers of every form, at the borders of each. */
static void test_int(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        int64_t number;
    } rows[] = {
        {"\xff", 1, -1},
        {"\xe0", 1, -32},
        {"\xd0\x80", 2, -128},
        {"\xd1\x80\x00", 3, -32768},
        {"\xd2\x80\x00\x00\x00", 5, INT32_MIN},
        {"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9, INT64_MIN},
        {"\xd2\x00\x00\x00\x05", 5, 5},
        {"\xcc\x80", 2, 128},
        {"\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 9, INT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct cursor cursor = cursor_over((const uint8_t *)rows[i].bytes, rows[i].n);
        int64_t number;

        assert_int_equal(cursor_get_int(&cursor, &number), 0);
        assert_true(number == rows[i].number);
        assert_int_equal(cursor_left(&cursor), 0);
    }
}

/* What does not fit the type is refused, and nothing moves. */
static void test_integers_out_of_range(void **state)
{
    struct cursor minus = OVER("\xff");
    struct cursor large = OVER("\xcf\x80\x00\x00\x00\x00\x00\x00\x00");
    struct cursor real = OVER("\xca\x3f\x80\x00\x00");
    uint64_t number = 7;
    int64_t signed_number = 7;

    (void)state;
    assert_int_equal(cursor_get_uint(&minus, &number), -EBADMSG);
    assert_int_equal(cursor_get_int(&large, &signed_number), -EBADMSG);
    assert_int_equal(cursor_get_uint(&real, &number), -EBADMSG);
    assert_int_equal(number, 7);
    assert_int_equal(signed_number, 7);
    assert_int_equal(minus.at + large.at + real.at, 0);
}

/* Bit for bit, so that minus zero is not zero. */
static bool is(double a, double b)
{
    uint64_t bits_a;
    uint64_t bits_b;

    memcpy(&bits_a, &a, sizeof(a));
    memcpy(&bits_b, &b, sizeof(b));
    return bits_a == bits_b;
}

/* Reals come as floats of both widths and as integers; minus zero is zero. */
static void test_real(void **state)
{
    struct cursor cursor = OVER("\xca\x3f\x00\x00\x00"
                                "\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a"
                                "\x05\xff\xca\x80\x00\x00\x00");
    double number;

    (void)state;
    assert_int_equal(cursor_get_real(&cursor, &number), 0);
    assert_true(is(number, 0.5));
    assert_int_equal(cursor_get_real(&cursor, &number), 0);
    assert_true(is(number, 0.1));
    assert_int_equal(cursor_get_real(&cursor, &number), 0);
    assert_true(is(number, 5));
    assert_int_equal(cursor_get_real(&cursor, &number), 0);
    assert_true(is(number, -1));
    assert_int_equal(cursor_get_real(&cursor, &number), 0);
    assert_true(is(number, 0.0));
    assert_int_equal(cursor_left(&cursor), 0);
}

/* NaN and the infinities of both widths are refused, and so is what is no number. */
static void test_real_refused(void **state)
{
    struct cursor bad[] = {
        OVER("\xca\x7f\xc0\x00\x00"),
        OVER("\xca\x7f\x80\x00\x00"),
        OVER("\xca\xff\x80\x00\x00"),
        OVER("\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"),
        OVER("\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"),
        OVER("\xcb\xff\xf0\x00\x00\x00\x00\x00\x00"),
        OVER("\xa1x"),
        OVER("\xc0"),
        OVER("\xc3"),
    };
    double number = 7;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        assert_int_equal(cursor_get_real(&bad[i], &number), -EBADMSG);
        assert_int_equal(bad[i].at, 0);
    }
    assert_true(is(number, 7));
}

/* Nil, flags, strings and bytes of every width. */
static void test_others(void **state)
{
    struct cursor cursor = OVER("\xc0\xc2\xc3\xa2hi\xd9\x01x\xda\x00\x01y\xdb\x00\x00\x00\x01z"
                                "\xc4\x01\x00\xc5\x00\x00\xc6\x00\x00\x00\x00");
    struct span span;
    bool flag;

    (void)state;
    assert_true(cursor_is_nil(&cursor));
    assert_int_equal(cursor_get_nil(&cursor), 0);
    assert_false(cursor_is_nil(&cursor));
    assert_int_equal(cursor_get_bool(&cursor, &flag), 0);
    assert_false(flag);
    assert_int_equal(cursor_get_bool(&cursor, &flag), 0);
    assert_true(flag);
    assert_int_equal(cursor_get_text(&cursor, &span), 0);
    assert_int_equal(span.n, 2);
    assert_memory_equal(span.bytes, "hi", 2);
    for (const char *c = "xyz"; *c != '\0'; c++) {
        assert_int_equal(cursor_get_text(&cursor, &span), 0);
        assert_int_equal(span.n, 1);
        assert_int_equal(span.bytes[0], *c);
    }
    assert_int_equal(cursor_get_binary(&cursor, &span), 0);
    assert_int_equal(span.n, 1);
    assert_int_equal(cursor_get_binary(&cursor, &span), 0);
    assert_int_equal(cursor_get_binary(&cursor, &span), 0);
    assert_int_equal(span.n, 0);
    assert_int_equal(cursor_left(&cursor), 0);
    assert_false(cursor_is_nil(&cursor));
}

/* Types are told without moving. */
static void test_peek(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        enum cursor_type type;
    } rows[] = {
        {"\xc0", 1, CURSOR_NIL},
        {"\xc2", 1, CURSOR_BOOL},
        {"\x01", 1, CURSOR_INTEGER},
        {"\xff", 1, CURSOR_INTEGER},
        {"\xcb\0\0\0\0\0\0\0\0", 9, CURSOR_REAL},
        {"\xa0", 1, CURSOR_TEXT},
        {"\xc4\0", 2, CURSOR_BINARY},
        {"\xd4\0\0", 3, CURSOR_EXTENSION},
        {"\x90", 1, CURSOR_ARRAY},
        {"\x80", 1, CURSOR_MAP},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct cursor cursor = cursor_over((const uint8_t *)rows[i].bytes, rows[i].n);
        enum cursor_type type;

        assert_int_equal(cursor_peek(&cursor, &type), 0);
        assert_int_equal(type, rows[i].type);
        assert_int_equal(cursor.at, 0);
    }
}

/* One value of each form, to be skipped and to be cut off. */
static const struct {
    const char *bytes;
    size_t n;
} values[] = {
    {"\xc0", 1},
    {"\xc3", 1},
    {"\x7f", 1},
    {"\xe0", 1},
    {"\xcc\x01", 2},
    {"\xcd\x01\x02", 3},
    {"\xce\x01\x02\x03\x04", 5},
    {"\xcf\x01\x02\x03\x04\x05\x06\x07\x08", 9},
    {"\xd0\x01", 2},
    {"\xd1\x01\x02", 3},
    {"\xd2\x01\x02\x03\x04", 5},
    {"\xd3\x01\x02\x03\x04\x05\x06\x07\x08", 9},
    {"\xca\x7f\xc0\x00\x00", 5},
    {"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", 9},
    {"\xa3\xff\x00\x01", 4},
    {"\xd9\x02zz", 4},
    {"\xda\x00\x02zz", 5},
    {"\xdb\x00\x00\x00\x02zz", 7},
    {"\xc4\x02zz", 4},
    {"\xc5\x00\x02zz", 5},
    {"\xc6\x00\x00\x00\x02zz", 7},
    {"\xd4\x01z", 3},
    {"\xd5\x01zz", 4},
    {"\xd6\x01zzzz", 6},
    {"\xd7\x01zzzzzzzz", 10},
    {"\xd8\x01zzzzzzzzzzzzzzzz", 18},
    {"\xc7\x02\x01zz", 5},
    {"\xc8\x00\x02\x01zz", 6},
    {"\xc9\x00\x00\x00\x02\x01zz", 8},
    {"\x92\x01\xa1z", 4},
    {"\xdc\x00\x02\x01\x90", 5},
    {"\xdd\x00\x00\x00\x02\x01\x80", 7},
    {"\x81\x01\x92\x02\xc0", 5},
    {"\xde\x00\x01\xa1k\x01", 6},
    {"\xdf\x00\x00\x00\x01\xa1k\x01", 8},
};

/* A value of any form is stepped over, and what comes behind it is left. */
static void test_skip(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(values); i++) {
        uint8_t bytes[32];
        struct cursor cursor = cursor_over(bytes, values[i].n + 1);

        memcpy(bytes, values[i].bytes, values[i].n);
        bytes[values[i].n] = 0xc0;
        assert_int_equal(cursor_skip(&cursor), 0);
        assert_int_equal(cursor.at, values[i].n);
        assert_int_equal(cursor_get_nil(&cursor), 0);
    }
}

/* A value that is cut off anywhere is refused, and the cursor stays. */
static void test_skip_truncated(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(values); i++) {
        for (size_t n = 0; n < values[i].n; n++) {
            struct cursor cursor = cursor_over((const uint8_t *)values[i].bytes, n);

            assert_int_equal(cursor_skip(&cursor), -EBADMSG);
            assert_int_equal(cursor.at, 0);
        }
    }
}

/* Five bytes that promise gigabytes: strings, containers, also one more than the bytes can hold. */
static void test_huge_counts(void **state)
{
    struct cursor huge[] = {
        OVER("\xdb\xff\xff\xff\xff"), OVER("\xc6\xff\xff\xff\xff"), OVER("\xc9\xff\xff\xff\xff"),
        OVER("\xdd\x0f\xff\xff\xff"), OVER("\xdd\xff\xff\xff\xff"), OVER("\xdf\xff\xff\xff\xff"),
        OVER("\xdf\x80\x00\x00\x00"), OVER("\x93\x01\x02"),         OVER("\x82\x01\x02\x03"),
    };
    size_t n = 7;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(huge); i++) {
        enum cursor_type type;

        assert_int_equal(cursor_skip(&huge[i]), -EBADMSG);
        assert_int_equal(cursor_enter_array(&huge[i], &n), -EBADMSG);
        assert_int_equal(cursor_enter_map(&huge[i], &n), -EBADMSG);
        assert_int_equal(cursor_peek(&huge[i], &type), -EBADMSG);
    }
    assert_int_equal(n, 7);
}

/* The byte c1 begins nothing. */
static void test_invalid_byte(void **state)
{
    struct cursor cursor = OVER("\xc1");

    (void)state;
    assert_int_equal(cursor_skip(&cursor), -EBADMSG);
}

/* Arrays nest WIRE_DEPTH_MAX deep and no deeper, whether skipped or entered. */
static void test_depth(void **state)
{
    uint8_t nested[WIRE_DEPTH_MAX + 2];
    struct cursor cursor;
    size_t n;

    (void)state;
    memset(nested, 0x91, sizeof(nested));
    nested[WIRE_DEPTH_MAX] = 0xc0;
    cursor = cursor_over(nested, WIRE_DEPTH_MAX + 1);
    assert_int_equal(cursor_skip(&cursor), 0);

    nested[WIRE_DEPTH_MAX] = 0x90;
    cursor = cursor_over(nested, WIRE_DEPTH_MAX + 1);
    assert_int_equal(cursor_skip(&cursor), -EBADMSG);
    for (int i = 0; i < WIRE_DEPTH_MAX; i++) {
        assert_int_equal(cursor_skip(&cursor), -EBADMSG);
        assert_int_equal(cursor_enter_array(&cursor, &n), 0);
        assert_int_equal(n, 1);
    }
    assert_int_equal(cursor_enter_array(&cursor, &n), -EBADMSG);
    cursor_leave(&cursor);
    assert_int_equal(cursor_enter_array(&cursor, &n), 0);
}

/* A long flat array and a deep stack of maps are stepped over without recursion. */
static void test_skip_wide(void **state)
{
    static uint8_t bytes[3 + 60000];
    struct cursor cursor = cursor_over(bytes, sizeof(bytes));

    (void)state;
    memset(bytes, 0xc0, sizeof(bytes));
    bytes[0] = 0xdc;
    bytes[1] = 60000 >> 8;
    bytes[2] = 60000 & 0xff;
    assert_int_equal(cursor_skip(&cursor), 0);
    assert_int_equal(cursor_left(&cursor), 0);
    memset(bytes, 0x91, sizeof(bytes));
    cursor = cursor_over(bytes, sizeof(bytes));
    assert_int_equal(cursor_skip(&cursor), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uint),
        cmocka_unit_test(test_int),
        cmocka_unit_test(test_integers_out_of_range),
        cmocka_unit_test(test_real),
        cmocka_unit_test(test_real_refused),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_peek),
        cmocka_unit_test(test_skip),
        cmocka_unit_test(test_skip_truncated),
        cmocka_unit_test(test_huge_counts),
        cmocka_unit_test(test_invalid_byte),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_skip_wide),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
