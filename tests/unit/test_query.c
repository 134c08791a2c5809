/* Tests of which queries are well-formed, and of the words. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/query.h"

static char why[TEXT_BYTES_MAX + 1];

static int check(enum query_verb verb, const char *topic, const char *broker)
{
    struct query query = {.verb = verb};

    assert_int_equal(name_copy(query.topic.text, sizeof(query.topic.text), topic), 0);
    assert_int_equal(name_copy(query.broker, sizeof(query.broker), broker), 0);
    return query_check(&query, why);
}

/* Each verb with just the names that it needs. */
static void test_well_formed(void **state)
{
    (void)state;
    assert_int_equal(check(QUERY_STATUS, "", ""), 0);
    assert_int_equal(check(QUERY_RANKING, "", ""), 0);
    assert_int_equal(check(QUERY_REPORTS, "", ""), 0);
    assert_int_equal(check(QUERY_REPORTS, "", "b"), 0);
    assert_int_equal(check(QUERY_ASSIGN, "t", ""), 0);
    assert_int_equal(check(QUERY_LOOKUP, "t", ""), 0);
    assert_int_equal(check(QUERY_RELEASE, "t", ""), 0);
    assert_int_equal(check(QUERY_MOVE, "t", "b"), 0);
    assert_int_equal(check(QUERY_MOVES, "", ""), 0);
}

/* A verb without the names that it needs. */
static void test_missing_names(void **state)
{
    (void)state;
    assert_int_equal(check(QUERY_ASSIGN, "", "b"), -EBADMSG);
    assert_string_equal(why, "assign needs a topic");
    assert_int_equal(check(QUERY_LOOKUP, "", ""), -EBADMSG);
    assert_int_equal(check(QUERY_RELEASE, "", ""), -EBADMSG);
    assert_int_equal(check(QUERY_MOVE, "", "b"), -EBADMSG);
    assert_int_equal(check(QUERY_MOVE, "t", ""), -EBADMSG);
    assert_string_equal(why, "move needs a broker");
}

/* Names are looked at even where the verb does not need them: they reach logs. */
static void test_dirty_names(void **state)
{
    (void)state;
    assert_int_equal(check(QUERY_STATUS, "a\n", ""), -EBADMSG);
    assert_int_equal(check(QUERY_STATUS, "", "a b"), -EBADMSG);
}

/* Verbs that version 1 does not have. */
static void test_unknown_verbs(void **state)
{
    (void)state;
    assert_int_equal(check((enum query_verb)0, "t", "b"), -EBADMSG);
    assert_int_equal(check((enum query_verb)9, "t", "b"), -EBADMSG);
    assert_string_equal(why, "verb 9 is not known here");
}

/* Words, and "unknown" beside them. */
static void test_words(void **state)
{
    (void)state;
    assert_string_equal(query_verb_name(QUERY_MOVES), "moves");
    assert_string_equal(query_verb_name((enum query_verb)0), "unknown");
    assert_string_equal(answer_status_name(ANSWER_OK), "ok");
    assert_string_equal(answer_status_name((enum answer_status)8), "unknown");
    assert_string_equal(freshness_name(FRESH), "fresh");
    assert_string_equal(freshness_name((enum freshness)0), "unknown");
    assert_string_equal(placement_source_name(PLACEMENT_ASSIGNED), "assigned");
    assert_string_equal(placement_source_name((enum placement_source)3), "unknown");
    assert_string_equal(move_state_name(MOVE_ENDED), "ended");
    assert_string_equal(move_state_name((enum move_state)6), "unknown");
    assert_string_equal(move_outcome_name(MOVE_MOVED), "moved");
    assert_string_equal(move_outcome_name((enum move_outcome)7), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_well_formed), cmocka_unit_test(test_missing_names),
        cmocka_unit_test(test_dirty_names), cmocka_unit_test(test_unknown_verbs),
        cmocka_unit_test(test_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
