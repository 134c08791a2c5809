/* Tests of what may stand in a name. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/name.h"
#include "common/units.h"

static bool clean(const char *text)
{
    return name_is_clean(text, strlen(text));
}

/* Printable characters of every length of UTF-8 are clean, at the borders of their ranges too. */
static void test_clean(void **state)
{
    (void)state;
    assert_true(clean("orders.eu-1/größe ~"));
    assert_true(clean("\xc2\xa0"));         /* U+00A0, the first after C1 */
    assert_true(clean("\xdf\xbf"));         /* U+07FF */
    assert_true(clean("\xe0\xa0\x80"));     /* U+0800 */
    assert_true(clean("\xed\x9f\xbf"));     /* U+D7FF, the last before the surrogates */
    assert_true(clean("\xee\x80\x80"));     /* U+E000, the first after them */
    assert_true(clean("\xf0\x90\x80\x80")); /* U+10000 */
    assert_true(clean("\xf4\x8f\xbf\xbf")); /* U+10FFFF */
}

/* Control characters of all three groups, and nothing at all, are not. */
static void test_control_characters(void **state)
{
    (void)state;
    assert_false(name_is_clean("", 0));
    assert_false(name_is_clean("a\0b", 3));
    assert_false(clean("a\nb"));
    assert_false(clean("\x1f"));
    assert_false(clean("\x7f"));
    assert_false(clean("\xc2\x80"));
    assert_false(clean("\xc2\x9f"));
}

/* What is no UTF-8: stray and missing continuations, overlong forms, surrogates, beyond Unicode. */
static void test_malformed(void **state)
{
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "a\xc3",
        "\xc3(",
        "\xe2\x82",
        "\xe2\x82(",
        "\xc0\xaf",
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf0\x9f\x92",
        "\xff",
        "\xfe",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        assert_false(clean(bad[i]));
    }
}

/* One bad byte is found at every place of a long name, and no good one is taken for it. */
static void test_every_place(void **state)
{
    char name[] = "abcdefghijklmnopqrstuvwxyz";

    (void)state;
    for (size_t at = 0; at < sizeof(name) - 1; at++) {
        char original = name[at];

        for (int byte = 0; byte < 256; byte++) {
            name[at] = (char)byte;
            assert_int_equal(name_is_clean(name, sizeof(name) - 1), byte >= 0x20 && byte < 0x7f);
        }
        name[at] = original;
    }
}

/* A sequence that the length cuts off is not completed by the bytes behind it. */
static void test_no_reading_past_the_end(void **state)
{
    (void)state;
    assert_false(name_is_clean("\xe2\x82\xac", 2));
    assert_true(name_is_clean("\xe2\x82\xac", 3));
    assert_true(name_is_clean("a\n", 1));
}

/* Cleaning keeps what is clean and puts a question mark for each byte that is not. */
static void test_make_clean(void **state)
{
    char text[] = "a\n\xc3\xb6\xe2\x82z\xff";
    char fine[] = "fine";
    char empty[] = "";

    (void)state;
    name_make_clean(text);
    assert_string_equal(text, "a?\xc3\xb6??z?");
    assert_true(clean(text));
    name_make_clean(fine);
    assert_string_equal(fine, "fine");
    name_make_clean(empty);
    assert_string_equal(empty, "");
}

/* Identities: the names of hosts, of RabbitMQ's nodes and of NATS's servers. */
static void test_id(void **state)
{
    char longest[ID_BYTES_MAX + 2];

    (void)state;
    assert_true(name_is_id("a"));
    assert_true(name_is_id("rabbit@host-1.example:5672_A"));
    assert_false(name_is_id(""));
    assert_false(name_is_id("a b"));
    assert_false(name_is_id("a/b"));
    assert_false(name_is_id("a\n"));
    assert_false(name_is_id("gr\xc3\xb6\xc3\x9f"
                            "e"));
    memset(longest, 'x', sizeof(longest));
    longest[ID_BYTES_MAX] = '\0';
    assert_true(name_is_id(longest));
    longest[ID_BYTES_MAX] = 'x';
    longest[ID_BYTES_MAX + 1] = '\0';
    assert_false(name_is_id(longest));
}

/* A copy fits whole or leaves the target as it was. */
static void test_copy(void **state)
{
    char to[4] = "old";

    (void)state;
    assert_int_equal(name_copy(to, sizeof(to), "four"), -ENAMETOOLONG);
    assert_string_equal(to, "old");
    assert_int_equal(name_copy(to, sizeof(to), "new"), 0);
    assert_string_equal(to, "new");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_every_place),
        cmocka_unit_test(test_no_reading_past_the_end),
        cmocka_unit_test(test_make_clean),
        cmocka_unit_test(test_id),
        cmocka_unit_test(test_copy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
