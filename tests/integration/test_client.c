/* libevenkeel against stub aggregators: real sockets on loopback, one thread a stub. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <evenkeel/evenkeel.h>

#include "common/clock.h"
#include "common/metric.h"
#include "tests/integration/stub.h"

/* A stub of that manner, and a client of it alone. */
static struct stub only;
static struct ek_client *client;

static void begin(enum manner manner)
{
    const struct ek_options options = {.timeout_ms = 1000, .connect_timeout_ms = 600};

    free_url(only.url, sizeof(only.url));
    stub_start(&only, manner);
    assert_int_equal(ek_connect(only.url, &options, &client), 0);
}

static void end(void)
{
    ek_disconnect(client);
    stub_stop(&only);
}

static void assert_error_says(const char *part)
{
    char text[EK_TEXT_SIZE];

    (void)ek_error(client, text, sizeof(text));
    if (strstr(text, part) == NULL) {
        fail_msg("%s is not in: %s", part, text);
    }
}

/* Assign and lookup give the placement of the topic that was asked for. */
static void test_placements(void **state)
{
    struct ek_placement placement;

    (void)state;
    begin(PROPER);
    assert_int_equal(ek_assign(client, "orders", &placement), 0);
    assert_string_equal(placement.topic, "orders");
    assert_string_equal(placement.broker, "a");
    assert_string_equal(placement.address, "nats://127.0.0.1:4222");
    assert_int_equal(placement.source, EK_ASSIGNED);
    assert_int_equal(ek_lookup(client, "größe", &placement), 0);
    assert_string_equal(placement.topic, "größe");
    assert_int_equal(ek_release(client, "orders"), 0);
    assert_int_equal(ek_error(client, NULL, 0), 0);
    end();
}

/* The ranking keeps its order, and outlives the client. */
static void test_ranking(void **state)
{
    struct ek_ranking *ranking;

    (void)state;
    begin(PROPER);
    assert_int_equal(ek_ranking(client, &ranking), 0);
    end();
    assert_int_equal(ranking->n_brokers, 2);
    assert_string_equal(ranking->brokers[0].id, "b");
    assert_true(ranking->brokers[0].ranked);
    assert_true(ranking->brokers[0].score > 0.24 && ranking->brokers[0].score < 0.26);
    assert_string_equal(ranking->brokers[1].id, "a");
    assert_string_equal(ranking->brokers[1].node, "host-1");
    assert_int_equal(ranking->brokers[1].n_metrics, 0);
    ek_ranking_free(ranking);
    ek_ranking_free(NULL);
}

/* Reports carry every metric, and say why one is absent. */
static void test_reports(void **state)
{
    struct ek_reports *reports;
    const struct ek_metric *metrics;

    (void)state;
    begin(PROPER);
    assert_int_equal(ek_reports(client, NULL, &reports), 0);
    end();
    assert_int_equal(reports->n_brokers, 1);
    assert_int_equal(reports->n_topics, 0);
    assert_int_equal(reports->brokers[0].n_metrics, METRICS);
    metrics = reports->brokers[0].metrics;
    assert_string_equal(metrics[METRIC_MEMORY_BYTES].name, "memory_bytes");
    assert_true(metrics[METRIC_MEMORY_BYTES].present);
    assert_int_equal((int)metrics[METRIC_MEMORY_BYTES].value, 4096);
    assert_false(metrics[METRIC_CPU_RATIO].present);
    assert_string_equal(metrics[METRIC_CPU_RATIO].absent, value_state_name(VALUE_FIRST));
    ek_reports_free(reports);
    ek_reports_free(NULL);
}

/* The report of one broker has its topics, with the candidates by name. */
static void test_report_of_one(void **state)
{
    struct ek_reports *reports;

    (void)state;
    begin(PROPER);
    assert_int_equal(ek_reports(client, "a", &reports), 0);
    end();
    assert_int_equal(reports->n_topics, 1);
    assert_string_equal(reports->topics[0].name, "orders");
    assert_true(reports->topics[0].movable);
    assert_int_equal(reports->topics[0].n_candidates, 2);
    assert_string_equal(reports->topics[0].candidates[0], "b");
    assert_string_equal(reports->topics[0].candidates[1], "c");
    assert_int_equal(reports->topics[0].n_metrics, TOPIC_METRICS);
    assert_int_equal((int)reports->topics[0].metrics[1].value, 1);
    ek_reports_free(reports);
}

/* Status, move, dry run and the list of moves. */
static void test_status_and_moves(void **state)
{
    struct ek_status status;
    struct ek_moves *moves;
    struct ek_move move;

    (void)state;
    begin(PROPER);
    assert_int_equal(ek_status(client, &status), 0);
    assert_string_equal(status.algorithm, "simple");
    assert_int_equal(status.brokers_fresh, 2);
    assert_int_equal(ek_move(client, "orders", "b", false, &move), 0);
    assert_int_equal(move.id, 7);
    assert_int_equal(move.state, EK_MOVE_RUNNING);
    assert_int_equal(ek_move(client, "orders", "b", true, &move), 0);
    assert_int_equal(move.outcome, EK_NOOP);
    assert_int_equal(ek_moves(client, 9, &moves), 0);
    end();
    assert_int_equal(moves->n_moves, 1);
    assert_int_equal(moves->moves[0].id, 9);
    assert_string_equal(moves->moves[0].from, "a");
    assert_string_equal(ek_move_state_name(moves->moves[0].state), "running");
    ek_moves_free(moves);
    ek_moves_free(NULL);
}

/* A question that is malformed never leaves the process. */
static void test_malformed(void **state)
{
    struct ek_placement placement;
    struct ek_move move;
    char name[600];

    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    begin(PROPER);
    assert_int_equal(ek_assign(client, "", &placement), -EINVAL);
    assert_int_equal(ek_assign(client, "a\nb", &placement), -EINVAL);
    assert_int_equal(ek_assign(client, name, &placement), -EINVAL);
    assert_int_equal(ek_move(client, "orders", "no such id", false, &move), -EINVAL);
    assert_true(ek_error(client, NULL, 0) > 0);
    assert_int_equal(atomic_load(&only.n_asked), 0);
    end();
}

/* What the aggregator says of a failure reaches the caller, with the address. */
static void test_statuses(void **state)
{
    static const struct {
        enum manner manner;
        int error;
        const char *text;
    } rows[] = {
        {REFUSING, -EPERM, "not a candidate"},
        {NOT_READY, -EAGAIN, "awaiting the first reports"},
        {MISSING, -ENOENT, "no such topic"},
        {CANNOT_READ, -EPROTONOSUPPORT, "version 9 is spoken here"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct ek_move move = {.id = 99};

        begin(rows[i].manner);
        assert_int_equal(ek_move(client, "orders", "b", false, &move), rows[i].error);
        assert_int_equal(move.id, 99);
        assert_error_says(rows[i].text);
        assert_error_says(only.url);
        end();
    }
}

/* Whatever comes instead of an answer, it is told, and nothing of it is used. */
static void test_lies(void **state)
{
    static const struct {
        enum manner manner;
        int error;
    } rows[] = {
        {GARBAGE, -EPROTO},
        {OTHER_VERB, -EPROTO},
        {OTHER_TOPIC, -EPROTO},
        {NEWER_MAJOR, -EPROTONOSUPPORT},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct ek_placement placement = {.broker = "untouched"};

        begin(rows[i].manner);
        assert_int_equal(ek_lookup(client, "orders", &placement), rows[i].error);
        assert_string_equal(placement.broker, "untouched");
        assert_error_says(only.url);
        end();
    }
}

/* Nobody there: told within the time for connecting, and the next call finds who came since. */
static void test_unreachable(void **state)
{
    const struct ek_options options = {.timeout_ms = 10000, .connect_timeout_ms = 300};
    struct ek_status status;
    time_us started_us;

    (void)state;
    free_url(only.url, sizeof(only.url));
    assert_int_equal(ek_connect(only.url, &options, &client), 0);
    started_us = clock_now_us();
    assert_int_equal(ek_status(client, &status), -EHOSTUNREACH);
    assert_true(clock_now_us() - started_us < SECONDS(3));
    assert_error_says(only.url);
    ek_disconnect(client);

    assert_int_equal(ek_connect(only.url, NULL, &client), 0);
    stub_start(&only, PROPER);
    assert_int_equal(ek_status(client, &status), 0);
    end();
}

/* A server that never answers costs the timeout, and the client works again with one that does. */
static void test_timeout(void **state)
{
    struct ek_status status;
    time_us started_us;

    (void)state;
    begin(SILENT);
    started_us = clock_now_us();
    assert_int_equal(ek_status(client, &status), -ETIMEDOUT);
    assert_true(clock_now_us() - started_us >= MILLISECONDS(700));
    assert_true(clock_now_us() - started_us < SECONDS(5));
    stub_stop(&only);
    stub_start(&only, PROPER);
    while (ek_status(client, &status) == -EHOSTUNREACH) {
    }
    assert_int_equal(ek_status(client, &status), 0);
    end();
}

/* A broken connection: a lookup is asked again, a move never. */
static void test_hanging_up(void **state)
{
    struct ek_placement placement;
    struct ek_move move;

    (void)state;
    begin(HANGING_UP);
    assert_int_equal(ek_move(client, "orders", "b", false, &move), -ECONNRESET);
    assert_int_equal(atomic_load(&only.n_asked), 1);
    assert_true(ek_lookup(client, "orders", &placement) < 0);
    assert_true(atomic_load(&only.n_asked) > 2);
    end();
}

/* Two stubs and a client that knows both. */
static void begin_two(struct stub stubs[2], enum manner first, enum manner second)
{
    const struct ek_options options = {.timeout_ms = 2000, .connect_timeout_ms = 1000};
    char urls[160];

    free_url(stubs[0].url, sizeof(stubs[0].url));
    stub_start(&stubs[0], first);
    free_url(stubs[1].url, sizeof(stubs[1].url));
    stub_start(&stubs[1], second);
    (void)snprintf(urls, sizeof(urls), "%s,%s", stubs[0].url, stubs[1].url);
    assert_int_equal(ek_connect(urls, &options, &client), 0);
}

static void end_two(struct stub stubs[2])
{
    ek_disconnect(client);
    stub_stop(&stubs[0]);
    stub_stop(&stubs[1]);
}

/* The server that answers is kept: after a silent first one, the second is asked alone. */
static void test_failover(void **state)
{
    static const enum manner bad[] = {SILENT, NOT_READY, GARBAGE, HANGING_UP};
    struct stub stubs[2];
    struct ek_status status;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        int n_first;

        begin_two(stubs, bad[i], PROPER);
        assert_int_equal(ek_status(client, &status), 0);
        n_first = atomic_load(&stubs[0].n_asked);
        assert_true(n_first >= 1);
        assert_int_equal(ek_status(client, &status), 0);
        assert_int_equal(atomic_load(&stubs[0].n_asked), n_first);
        assert_int_equal(atomic_load(&stubs[1].n_asked), 2);
        end_two(stubs);
    }
}

/* A move goes to another server only when the first one has surely done nothing. */
static void test_move_failover(void **state)
{
    struct stub stubs[2];
    struct ek_move move;

    (void)state;
    begin_two(stubs, NOT_READY, PROPER);
    assert_int_equal(ek_move(client, "orders", "b", false, &move), 0);
    end_two(stubs);
    begin_two(stubs, SILENT, PROPER);
    assert_int_equal(ek_move(client, "orders", "b", false, &move), -ETIMEDOUT);
    assert_int_equal(atomic_load(&stubs[1].n_asked), 0);
    end_two(stubs);
}

/* A server that is not there is passed over at once. */
static void test_first_is_down(void **state)
{
    struct stub stubs[2];
    struct ek_status status;

    (void)state;
    begin_two(stubs, PROPER, PROPER);
    assert_int_equal(ek_status(client, &status), 0);
    stub_stop(&stubs[0]);
    assert_int_equal(ek_status(client, &status), 0);
    assert_int_equal(atomic_load(&stubs[1].n_asked), 1);
    ek_disconnect(client);
    stub_stop(&stubs[1]);
}

/* Addresses and options that mean nothing are refused at once. */
static void test_connect_refused(void **state)
{
    const struct ek_options newer = {.reserved = {1}};
    const struct ek_options bad_id = {.client_id = "two words"};
    char long_url[EK_ADDRESS_SIZE + 1];

    (void)state;
    memset(long_url, 'x', sizeof(long_url) - 1);
    long_url[sizeof(long_url) - 1] = '\0';
    client = NULL;
    assert_int_equal(ek_connect("", NULL, &client), -EINVAL);
    assert_int_equal(ek_connect("tcp://127.0.0.1:1,", NULL, &client), -EINVAL);
    assert_int_equal(ek_connect("127.0.0.1:7703", NULL, &client), -EINVAL);
    assert_int_equal(ek_connect(long_url, NULL, &client), -EINVAL);
    assert_int_equal(ek_connect("ipc:///a,ipc:///b,ipc:///c,ipc:///d,ipc:///e,ipc:///f,ipc:///g,"
                                "ipc:///h",
                                NULL, &client),
                     -EINVAL);
    assert_int_equal(ek_connect("tcp://127.0.0.1:1", &newer, &client), -EINVAL);
    assert_int_equal(ek_connect("tcp://127.0.0.1:1", &bad_id, &client), -EINVAL);
    assert_null(client);
    ek_disconnect(NULL);
}

static void *ask_often(void *argument)
{
    const char *prefix = argument;
    intptr_t n_wrong = 0;

    for (int i = 0; i < 100; i++) {
        struct ek_placement placement;
        char topic[32];
        char text[EK_TEXT_SIZE];

        (void)snprintf(topic, sizeof(topic), "%s-%d", prefix, i);
        if (ek_lookup(client, topic, &placement) != 0 || strcmp(placement.topic, topic) != 0) {
            n_wrong++;
        }
        (void)ek_error(client, text, sizeof(text));
    }
    return (void *)n_wrong;
}

/* Two threads on one client: each gets its own answers. */
static void test_threads(void **state)
{
    pthread_t threads[2];
    char names[2][2] = {"x", "y"};
    void *n_wrong[2];

    (void)state;
    begin(PROPER);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, names[i]), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], &n_wrong[i]), 0);
    }
    assert_int_equal((intptr_t)n_wrong[0], 0);
    assert_int_equal((intptr_t)n_wrong[1], 0);
    assert_int_equal(atomic_load(&only.n_asked), 200);
    end();
}

/* The sentence is cut to the room there is, and its whole length told. */
static void test_error_is_cut(void **state)
{
    struct ek_placement placement;
    char text[5];
    size_t n;

    (void)state;
    begin(PROPER);
    assert_int_equal(ek_assign(client, "", &placement), -EINVAL);
    n = ek_error(client, text, sizeof(text));
    assert_true(n > 4);
    assert_int_equal(strlen(text), 4);
    end();
    assert_string_equal(ek_strerror(-EPERM), "refused");
    assert_string_equal(ek_strerror(0), "success");
    assert_string_equal(ek_strerror(-12345), "unknown error");
}

/* The structures have the size that programs were built with (64-bit systems). */
static void test_sizes(void **state)
{
    (void)state;
    if (sizeof(void *) != 8) {
        skip();
    }
    assert_int_equal(sizeof(struct ek_options), 64);
    assert_int_equal(sizeof(struct ek_placement), 960);
    assert_int_equal(sizeof(struct ek_metric), 32);
    assert_int_equal(sizeof(struct ek_broker), 112);
    assert_int_equal(sizeof(struct ek_topic), 80);
    assert_int_equal(sizeof(struct ek_ranking), 48);
    assert_int_equal(sizeof(struct ek_reports), 64);
    assert_int_equal(sizeof(struct ek_move), 1080);
    assert_int_equal(sizeof(struct ek_moves), 48);
    assert_int_equal(sizeof(struct ek_status), 216);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_placements),       cmocka_unit_test(test_ranking),
        cmocka_unit_test(test_reports),          cmocka_unit_test(test_report_of_one),
        cmocka_unit_test(test_status_and_moves), cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_statuses),         cmocka_unit_test(test_lies),
        cmocka_unit_test(test_unreachable),      cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_hanging_up),       cmocka_unit_test(test_failover),
        cmocka_unit_test(test_move_failover),    cmocka_unit_test(test_first_is_down),
        cmocka_unit_test(test_connect_refused),  cmocka_unit_test(test_threads),
        cmocka_unit_test(test_error_is_cut),     cmocka_unit_test(test_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
