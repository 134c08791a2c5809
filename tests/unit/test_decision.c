/* Tests of which decisions are well-formed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/decision.h"

static struct decision decision;
static char why[TEXT_BYTES_MAX + 1];

static int setup(void **state)
{
    (void)state;
    decision = (struct decision){
        .kind = DECISION_MOVE,
        .epoch = 1,
        .seq = 1,
        .expires_in_us = SECONDS(30),
        .from = "a",
        .to = "b",
        .topic = {"orders"},
    };
    return 0;
}

static void assert_refused(const char *sentence)
{
    why[0] = '\0';
    assert_int_equal(decision_check(&decision, why), -EBADMSG);
    assert_non_null(strstr(why, sentence));
}

/* A move of a named topic from one broker to another, with and without an address. */
static void test_well_formed(void **state)
{
    (void)state;
    assert_int_equal(decision_check(&decision, why), 0);
    strcpy(decision.to_address, "nats://b:4222");
    decision.expires_in_us = 0;
    assert_int_equal(decision_check(&decision, why), 0);
}

/* The brokers are two identities that differ. */
static void test_brokers(void **state)
{
    (void)state;
    strcpy(decision.to, "a");
    assert_refused("itself");
    strcpy(decision.to, "");
    assert_refused("identity");
    strcpy(decision.to, "b");
    strcpy(decision.from, "a b");
    assert_refused("identity");
}

/* Names are clean. */
static void test_names(void **state)
{
    (void)state;
    strcpy(decision.topic.text, "");
    assert_refused("topic");
    strcpy(decision.topic.text, "a\nb");
    assert_refused("topic");
    strcpy(decision.topic.text, "orders");
    strcpy(decision.to_address, "\x01");
    assert_refused("to_address");
}

/* Kind, number and expiry are within what version 1 knows. */
static void test_bounds(void **state)
{
    (void)state;
    decision.expires_in_us = SECONDS(3600) + 1;
    assert_refused("expires_in_us");
    decision.expires_in_us = -1;
    assert_refused("expires_in_us");
    decision.seq = 0;
    assert_refused("seq");
    decision.kind = (enum decision_kind)2;
    assert_refused("kind 2");
}

/* Receipts have words; numbers of a later version and the gap between the groups have none. */
static void test_receipt_words(void **state)
{
    (void)state;
    assert_string_equal(receipt_status_name(RECEIPT_ACCEPTED), "accepted");
    assert_string_equal(receipt_status_name(RECEIPT_TIMED_OUT), "timed_out");
    assert_string_equal(receipt_status_name((enum receipt_status)0), "unknown");
    assert_string_equal(receipt_status_name((enum receipt_status)8), "unknown");
    assert_string_equal(receipt_status_name((enum receipt_status)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_well_formed, setup),
        cmocka_unit_test_setup(test_brokers, setup),
        cmocka_unit_test_setup(test_names, setup),
        cmocka_unit_test_setup(test_bounds, setup),
        cmocka_unit_test_setup(test_receipt_words, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
