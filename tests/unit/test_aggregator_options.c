/* The aggregator's configuration: defaults, and what is refused where. */
#include "aggregator/aggregator_options.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/log.h"

static char error[1024];

static int reads(const char *text, struct aggregator_config *config)
{
    return aggregator_config_read_bytes("aggregator.yaml", text, strlen(text), config, error);
}

/* The text is refused with exactly this line. */
static void assert_refused(const char *text, const char *line)
{
    struct aggregator_config config;

    assert_int_equal(reads(text, &config), -EINVAL);
    assert_string_equal(error, line);
    assert_null(config.id);
}

/* An empty file is a whole configuration, on loopback. */
static void test_defaults(void **state)
{
    struct aggregator_config config;
    struct aggregator_settings settings;

    (void)state;
    assert_int_equal(reads("{}\n", &config), 0);
    settings = aggregator_config_settings(&config);
    assert_string_equal(config.id, "");
    assert_string_equal(config.http_listen, "127.0.0.1:7700");
    assert_string_equal(config.listen.reports, "tcp://127.0.0.1:7701");
    assert_string_equal(config.listen.decisions, "tcp://127.0.0.1:7702");
    assert_string_equal(config.listen.queries, "tcp://127.0.0.1:7703");
    assert_string_equal(config.listen.feed, "tcp://127.0.0.1:7704");
    assert_false(config.insecure);
    assert_int_equal(settings.rank.algorithm, RANK_WEIGHTED_COMPOSITE);
    assert_true(settings.rank.weights[RANK_CPU] == .25);
    assert_true(settings.rank.weights[RANK_DISK_USAGE] == .05);
    assert_int_equal(settings.fleet.stale_intervals, 3);
    assert_int_equal(settings.fleet.gone_intervals, 12);
    assert_int_equal(settings.fleet.forget_after_us, SECONDS(3600));
    assert_int_equal(settings.move_deadline_us, SECONDS(60));
    assert_int_equal(settings.poll_hold_us, SECONDS(10));
    assert_int_equal(config.log.level, LOG_INFO);
    aggregator_config_done(&config);
}

/* What is written arrives where the core reads it. */
static void test_values(void **state)
{
    struct aggregator_config config;
    struct aggregator_settings settings;

    (void)state;
    assert_int_equal(reads("id: main\n"
                           "insecure: true\n"
                           "listen:\n"
                           "  reports: tcp://0.0.0.0:7701\n"
                           "  feed: ipc:///run/evenkeel/feed\n"
                           "ranking:\n"
                           "  algorithm: simple\n"
                           "  weights: {cpu: 0.2, memory: 0.25}\n"
                           "fleet: {stale_intervals: 2, gone_intervals: 4, forget_after: 10m}\n"
                           "moves: {deadline: 90s}\n"
                           "polls: {hold: 5s}\n"
                           "log: {level: debug, format: text}\n",
                           &config),
                     0);
    settings = aggregator_config_settings(&config);
    assert_string_equal(config.id, "main");
    assert_int_equal(settings.rank.algorithm, RANK_SIMPLE);
    assert_true(settings.rank.weights[RANK_MEMORY] == .25);
    assert_int_equal(settings.fleet.gone_intervals, 4);
    assert_int_equal(settings.move_deadline_us, SECONDS(90));
    assert_int_equal(settings.poll_hold_us, SECONDS(5));
    assert_int_equal(config.log.format, LOG_TEXT);
    aggregator_config_done(&config);
}

/* The names of the ranking are the words of the configuration, in the same order. */
static void test_words(void **state)
{
    const struct option_row *ranking = aggregator_rows;

    (void)state;
    while (strcmp(ranking->key, "ranking") != 0) {
        ranking++;
    }
    for (size_t i = 0; i < RANK_ALGORITHMS; i++) {
        assert_string_equal(ranking->rows[0].choices[i],
                            rank_algorithm_name((enum rank_algorithm)i));
    }
    for (size_t i = 0; i < RANK_RESOURCES; i++) {
        const struct option_row *row = &ranking->rows[1].rows[i];

        assert_string_equal(row->key, rank_resource_name((enum rank_resource)i));
        assert_int_equal(row->offset,
                         offsetof(struct aggregator_config, weights) + i * sizeof(double));
    }
    assert_null(ranking->rows[0].choices[RANK_ALGORITHMS]);
    assert_null(ranking->rows[1].rows[RANK_RESOURCES].key);
}

/* A sum that is not 1.0 is refused with file and line; the tolerance is not. */
static void test_weights(void **state)
{
    struct aggregator_config config;

    (void)state;
    assert_refused("id: main\n\nranking:\n  weights:\n    cpu: 0.15\n",
                   "aggregator.yaml:4: ranking.weights: sum is 0.9, must be 1.0 (± 0.001)");
    assert_int_equal(reads("ranking: {weights: {cpu: 0.251}}\n", &config), 0);
    aggregator_config_done(&config);
    assert_int_equal(reads("ranking: {weights: {cpu: 0.2511}}\n", &config), -EINVAL);
    assert_int_equal(reads("ranking: {weights: {cpu: -0.1, memory: 0.55}}\n", &config), -EINVAL);
}

/* An algorithm that nobody knows is refused with file and line. */
static void test_algorithm(void **state)
{
    struct aggregator_config config;

    (void)state;
    assert_int_equal(reads("ranking:\n  algorithm: clever\n", &config), -EINVAL);
    assert_non_null(strstr(error, "aggregator.yaml:2: ranking.algorithm: "));
}

/* Plain tcp is for loopback, unless the configuration insists. */
static void test_insecure(void **state)
{
    static const char *const loopback[] = {
        "listen: {feed: 'tcp://127.9.9.9:1'}\n",
        "listen: {feed: 'tcp://[::1]:1'}\n",
        "listen: {feed: 'tcp://localhost:1'}\n",
        "insecure: yes\nlisten: {feed: 'tcp://10.0.0.1:1'}\n",
    };
    static const char *const beyond[] = {
        "listen: {feed: 'tcp://0.0.0.0:1'}\n",
        "listen: {feed: 'tcp://*:1'}\n",
        "listen: {feed: 'tcp://[::]:1'}\n",
        "listen: {feed: 'tcp://localhost.example:1'}\n",
    };
    struct aggregator_config config;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(loopback); i++) {
        assert_int_equal(reads(loopback[i], &config), 0);
        aggregator_config_done(&config);
    }
    for (size_t i = 0; i < N_ELEMENTS(beyond); i++) {
        assert_int_equal(reads(beyond[i], &config), -EINVAL);
        assert_non_null(strstr(error, "insecure"));
    }
}

/* Addresses that cannot be listened on, or twice, are refused before anything is opened. */
static void test_urls(void **state)
{
    (void)state;
    assert_refused("listen:\n  feed: http://127.0.0.1:80\n",
                   "aggregator.yaml:2: listen.feed: \"http://127.0.0.1:80\" is neither "
                   "tcp://host:port nor ipc:///path");
    assert_refused("listen: {feed: 'tcp://127.0.0.1'}\n",
                   "aggregator.yaml:1: listen.feed: \"tcp://127.0.0.1\" has no host or no port "
                   "(tcp://host:port)");
    assert_refused("listen: {feed: 'tcp://127.0.0.1:7701'}\n",
                   "aggregator.yaml:1: listen.feed: tcp://127.0.0.1:7701 is listen.reports too");
}

/* Silence must be stale before it is gone. */
static void test_intervals(void **state)
{
    (void)state;
    assert_refused("fleet:\n  stale_intervals: 5\n  gone_intervals: 5\n",
                   "aggregator.yaml:3: fleet.gone_intervals: 5 is not above "
                   "fleet.stale_intervals (5)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),  cmocka_unit_test(test_values),
        cmocka_unit_test(test_words),     cmocka_unit_test(test_weights),
        cmocka_unit_test(test_algorithm), cmocka_unit_test(test_insecure),
        cmocka_unit_test(test_urls),      cmocka_unit_test(test_intervals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
