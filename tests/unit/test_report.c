/* Tests of filling a report, and of which reports may be believed. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/report.h"

static struct report report;
static char why[TEXT_BYTES_MAX + 1];

static struct broker_load *broker(const char *id)
{
    struct broker_load *broker = report_add_broker(&report);

    assert_non_null(broker);
    assert_int_equal(name_copy(broker->id, sizeof(broker->id), id), 0);
    broker->state = BROKER_UP;
    return broker;
}

static struct topic_load *topic(const char *name)
{
    struct topic_load *topic = report_add_topic(&report);

    assert_non_null(topic);
    assert_int_equal(name_copy(topic->name.text, sizeof(topic->name.text), name), 0);
    return topic;
}

static void peer(struct broker_load *broker, const char *id)
{
    size_t i = broker->n_peers++;

    assert_int_equal(name_copy(broker->peers[i], sizeof(broker->peers[i]), id), 0);
}

static void assert_refused(const char *sentence)
{
    why[0] = '\0';
    assert_int_equal(report_check(&report, why), -EBADMSG);
    assert_non_null(strstr(why, sentence));
}

static void assert_believed(void)
{
    assert_int_equal(report_check(&report, why), 0);
}

/* Two brokers, the first with two topics, the second with one. */
static int setup(void **state)
{
    (void)state;
    report_clear(&report);
    report.interval_us = SECONDS(5);
    peer(broker("a"), "b");
    topic("t1");
    topic("t2");
    broker("b");
    topic("t3");
    return 0;
}

/* A cleared report says nothing, and nothing of what it said before. */
static void test_clear(void **state)
{
    (void)state;
    report.host[0] = value_of(1);
    report.applied_seq = 1;
    report_clear(&report);
    assert_int_equal(report.n_brokers, 0);
    assert_int_equal(report.n_topics, 0);
    assert_int_equal(report.applied_seq, 0);
    assert_int_equal(report.host[0].state, VALUE_UNKNOWN);
}

/* Topics are those of the broker that was added last, and everything starts unknown. */
static void test_slices(void **state)
{
    (void)state;
    assert_int_equal(report.brokers[0].first_topic, 0);
    assert_int_equal(report.brokers[0].n_topics, 2);
    assert_int_equal(report.brokers[1].first_topic, 2);
    assert_int_equal(report.brokers[1].n_topics, 1);
    assert_int_equal(report.brokers[1].values[METRIC_CPU_RATIO].state, VALUE_UNKNOWN);
    assert_int_equal(report.topics[2].values[TOPIC_CONSUMERS].state, VALUE_UNKNOWN);
    assert_false(report.topics[2].movable);
    assert_believed();
}

/* What does not fit any more is NULL. */
static void test_full(void **state)
{
    (void)state;
    for (size_t i = 2; i < NODE_BROKERS_MAX; i++) {
        assert_non_null(report_add_broker(&report));
    }
    assert_null(report_add_broker(&report));
    for (size_t i = 3; i < REPORT_TOPICS_MAX; i++) {
        assert_non_null(report_add_topic(&report));
    }
    assert_null(report_add_topic(&report));
    assert_int_equal(report.n_topics, REPORT_TOPICS_MAX);
}

/* The interval is 100 ms … 1 h, and the clock is not negative. */
static void test_head(void **state)
{
    (void)state;
    report.interval_us = MILLISECONDS(100) - 1;
    assert_refused("interval_us");
    report.interval_us = SECONDS(3600) + 1;
    assert_refused("interval_us");
    report.interval_us = SECONDS(3600);
    assert_believed();
    report.at_us = -1;
    assert_refused("at_us");
}

/* Ids are identities, and no two brokers share one. */
static void test_ids(void **state)
{
    (void)state;
    strcpy(report.brokers[1].id, "a");
    assert_refused("broker a is named twice");
    strcpy(report.brokers[1].id, "");
    assert_refused("not an identity");
    strcpy(report.brokers[1].id, "b\n");
    assert_refused("not an identity");
}

/* Peers are identities, each named once. */
static void test_peers(void **state)
{
    (void)state;
    peer(&report.brokers[0], "c");
    assert_believed();
    peer(&report.brokers[0], "b");
    assert_refused("twice");
    strcpy(report.brokers[0].peers[2], "d e");
    assert_refused("peers[2]");
    report.brokers[0].n_peers = BROKER_PEERS_MAX + 1;
    assert_refused("peers");
}

/* Candidates are peers; all 64 bits can be. */
static void test_candidates(void **state)
{
    char id[] = "p00";

    (void)state;
    report.topics[0].candidates = 1;
    assert_believed();
    report.topics[0].candidates = 2;
    assert_refused("candidate");
    report.brokers[0].n_peers = 0;
    for (int i = 0; i < BROKER_PEERS_MAX; i++) {
        id[1] = (char)('0' + i / 10);
        id[2] = (char)('0' + i % 10);
        peer(&report.brokers[0], id);
    }
    report.topics[0].candidates = UINT64_MAX;
    assert_believed();
}

/* A broker is up or down, and its address may be empty but not dirty. */
static void test_broker(void **state)
{
    (void)state;
    report.brokers[0].state = BROKER_DOWN;
    assert_believed();
    report.brokers[0].state = (enum broker_state)3;
    assert_refused("neither up nor down");
    report.brokers[0].state = BROKER_UP;
    strcpy(report.brokers[0].address, "nats://h\x1b[2J");
    assert_refused("address");
}

/* Values are finite and not negative when they are there. */
static void test_values(void **state)
{
    (void)state;
    report.host[METRIC_CPU_RATIO] = value_of((double)NAN);
    assert_refused("cpu_ratio of the host");
    report.host[METRIC_CPU_RATIO] = value_of(-0.5);
    assert_refused("cpu_ratio of the host");
    report.host[METRIC_CPU_RATIO] = value_absent(VALUE_STATES);
    assert_refused("cpu_ratio of the host");
    report.host[METRIC_CPU_RATIO] = value_absent(VALUE_GONE);
    report.brokers[1].values[METRIC_DISK_USED_BYTES] = value_of((double)INFINITY);
    assert_refused("disk_used_bytes of broker b");
    report.brokers[1].values[METRIC_DISK_USED_BYTES] = value_of(0);
    report.topics[2].values[TOPIC_PRODUCERS] = value_of(-1);
    assert_refused("producers");
}

/* Names of topics are clean text. */
static void test_topic_names(void **state)
{
    (void)state;
    strcpy(report.topics[1].name.text, "");
    assert_refused("name");
    strcpy(report.topics[1].name.text, "a\tb");
    assert_refused("name");
    memset(report.topics[1].name.text, 'x', sizeof(report.topics[1].name.text));
    assert_refused("name");
}

/* Slices neither overlap, nor leave topics out, nor reach beyond the end. */
static void test_bad_slices(void **state)
{
    (void)state;
    report.brokers[1].first_topic = 1;
    assert_refused("out of place");
    report.brokers[1].first_topic = 2;
    report.brokers[1].n_topics = 2;
    assert_refused("out of place");
    report.brokers[1].n_topics = SIZE_MAX;
    assert_refused("out of place");
    report.brokers[1].n_topics = 0;
    assert_refused("no broker");
    report.n_topics = REPORT_TOPICS_MAX + 1;
    assert_refused("topics");
    report.n_brokers = NODE_BROKERS_MAX + 1;
    assert_refused("brokers");
}

/* Every metric of topics has a name of its own, at its place on the wire. */
static void test_topic_metrics(void **state)
{
    (void)state;
    assert_int_equal(TOPIC_METRICS, 8);
    assert_string_equal(topic_metric_name(TOPIC_MESSAGES_IN_PER_S), "messages_in_per_s");
    assert_string_equal(topic_metric_name((enum topic_metric)3), "bytes_out_per_s");
    assert_string_equal(topic_metric_name((enum topic_metric)7), "consumers");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_clear, setup),
        cmocka_unit_test_setup(test_slices, setup),
        cmocka_unit_test_setup(test_full, setup),
        cmocka_unit_test_setup(test_head, setup),
        cmocka_unit_test_setup(test_ids, setup),
        cmocka_unit_test_setup(test_peers, setup),
        cmocka_unit_test_setup(test_candidates, setup),
        cmocka_unit_test_setup(test_broker, setup),
        cmocka_unit_test_setup(test_values, setup),
        cmocka_unit_test_setup(test_topic_names, setup),
        cmocka_unit_test_setup(test_bad_slices, setup),
        cmocka_unit_test_setup(test_topic_metrics, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
