/* The agent's configuration: what is read, what is refused and in which words, and the example. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/agent_options.h"
#include "common/cleanup.h"

#define AGGREGATOR                                                                                 \
    "aggregators:\n- {reports: 'tcp://127.0.0.1:7701', decisions: 'tcp://[::1]:7702'}\n"
#define BROKERS AGGREGATOR "brokers:\n"

/* Read a file that holds `text`; `ret_error` begins after the file's name. */
static int read_text(const char *text, struct agent_config *ret_config, char *ret_error)
{
    char path[] = "/tmp/evenkeel-agent-XXXXXX";
    char error[CONFIG_ERROR_BYTES] = {0};
    const int fd = mkstemp(path);
    const char *name;
    int r;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
    r = agent_config_read(path, ret_config, error);
    (void)unlink(path);
    name = strstr(error, path + strlen("/tmp/"));
    (void)snprintf(ret_error, CONFIG_ERROR_BYTES, "%s",
                   name == NULL ? error : name + strlen(path + strlen("/tmp/")));
    return r;
}

/* The file that holds `text` is refused with these words after its name. */
static void refused(const char *text, const char *words)
{
    struct agent_config config = {0};
    char error[CONFIG_ERROR_BYTES];

    assert_int_equal(read_text(text, &config, error), -EINVAL);
    assert_string_equal(error, words);
    assert_null(config.node);
}

/* The file that holds `text` is read. */
static void accepted(const char *text)
{
    struct agent_config config = {0};
    char error[CONFIG_ERROR_BYTES];
    const int r = read_text(text, &config, error);

    if (r < 0) {
        fail_msg("%s", error);
    }
    agent_config_done(&config);
}

/* What is not said has its default. */
static void test_defaults(void **state)
{
    struct agent_config config = {0};
    const struct broker_options *broker;
    char error[CONFIG_ERROR_BYTES];

    (void)state;
    assert_int_equal(read_text(BROKERS "- {id: n1, match: {port: 4222}}\n", &config, error), 0);
    broker = config.brokers.elements;
    assert_string_equal(config.node, "");
    assert_false(config.insecure);
    assert_int_equal(config.report_interval_us, SECONDS(5));
    assert_string_equal(config.proc_root, "/proc");
    assert_string_equal(config.http_listen, "127.0.0.1:7710");
    assert_int_equal(config.brokers.n, 1);
    assert_int_equal(broker->match.port, 4222);
    assert_int_equal(broker->source.type, SOURCE_NONE);
    assert_int_equal(broker->source.interval_us, SECONDS(5));
    assert_int_equal(broker->source.timeout_us, SECONDS(3));
    assert_int_equal(broker->source.body_bytes_max, 16 << 20);
    assert_int_equal(broker->actuator.type, ACTUATOR_NONE);
    assert_int_equal(broker->actuator.timeout_us, SECONDS(30));
    assert_int_equal(broker->network_bytes_per_s, 0);
    agent_config_done(&config);
    agent_config_done(&config);
}

/* An agent without an aggregator would speak to nobody. */
static void test_no_aggregator(void **state)
{
    (void)state;
    refused("node: a\n", ": aggregators: names no aggregator; at least one is needed");
    refused("node: a\naggregators: []\n",
            ":2: aggregators: names no aggregator; at least one is needed");
}

/* Urls are tcp with host and port, or ipc. */
static void test_urls(void **state)
{
    (void)state;
    refused("aggregators:\n- reports: http://127.0.0.1:7701\n  decisions: tcp://127.0.0.1:7702\n",
            ":2: aggregators[0].reports: \"http://127.0.0.1:7701\" is neither tcp://host:port nor "
            "ipc:///path");
    refused("aggregators:\n- reports: tcp://127.0.0.1:7701\n  decisions: tcp://127.0.0.1\n",
            ":3: aggregators[0].decisions: \"tcp://127.0.0.1\" has no host or no port "
            "(tcp://host:port)");
    refused("aggregators:\n- reports: tcp://:7701\n  decisions: tcp://127.0.0.1:1\n",
            ":2: aggregators[0].reports: \"tcp://:7701\" has no host or no port "
            "(tcp://host:port)");
    refused("aggregators:\n- reports: tcp://localhost:70000\n  decisions: tcp://127.0.0.1:1\n",
            ":2: aggregators[0].reports: \"tcp://localhost:70000\" has no host or no port "
            "(tcp://host:port)");
    accepted("aggregators:\n- {reports: 'ipc:///run/a', decisions: 'tcp://localhost:7702'}\n");
}

/* Plain tcp leaves this host only when the configuration insists. */
static void test_insecure(void **state)
{
    (void)state;
    refused("aggregators:\n- reports: tcp://10.0.0.1:7701\n  decisions: tcp://127.0.0.1:7702\n",
            ":2: aggregators[0].reports: plain tcp beyond this host (tcp://10.0.0.1:7701) can be "
            "read and written by everybody on the way; say `insecure: true` to allow it");
    refused("aggregators:\n- reports: tcp://127.0.0.1:1\n  decisions: tcp://localhost.evil:7702\n",
            ":3: aggregators[0].decisions: plain tcp beyond this host (tcp://localhost.evil:7702) "
            "can be read and written by everybody on the way; say `insecure: true` to allow it");
    accepted("insecure: true\naggregators:\n"
             "- {reports: 'tcp://10.0.0.1:7701', decisions: 'tcp://keel:7702'}\n");
}

/* Ids are clean and unique. */
static void test_ids(void **state)
{
    (void)state;
    refused("node: a b\n" AGGREGATOR,
            ":1: node: \"a b\" is not an id: 1 to 127 letters, digits and . _ : @ - are");
    refused(BROKERS "- id: n/1\n  match: {port: 1}\n",
            ":4: brokers[0].id: \"n/1\" is not an id: 1 to 127 letters, digits and . _ : @ - are");
    refused(BROKERS "- {id: n1, match: {port: 1}}\n- {id: n2, match: {port: 2}}\n"
                    "- {id: n1, match: {port: 3}}\n",
            ":6: brokers[2].id: n1 is the id of brokers[0] too");
}

/* There is one way to find a broker. */
static void test_match(void **state)
{
    (void)state;
    refused(BROKERS "- id: n1\n",
            ":4: brokers[0].match: gives 0 ways to find the broker; exactly one of cgroup, "
            "pid_file, executable, port, container and pod_mate is needed");
    refused(BROKERS "- id: n1\n  match: {port: 1, cgroup: /a}\n",
            ":5: brokers[0].match: gives 2 ways to find the broker; exactly one of cgroup, "
            "pid_file, executable, port, container and pod_mate is needed");
    refused(BROKERS "- id: n1\n  match: {port: 1, arguments: x}\n",
            ":5: brokers[0].match: arguments are matched only together with executable");
    refused(BROKERS "- id: n1\n  match: {cgroup: a}\n",
            ":5: brokers[0].match: cgroup \"a\" does not start with a slash");
    accepted(BROKERS "- {id: n1, match: {executable: nats-server, arguments: '*n1*'}}\n");
    refused(BROKERS "- id: n1\n  match: {pod_mate: yes, port: 1}\n",
            ":5: brokers[0].match: gives 2 ways to find the broker; exactly one of cgroup, "
            "pid_file, executable, port, container and pod_mate is needed");
    refused(BROKERS "- id: n1\n  match: {container: 0123456789a}\n",
            ":5: brokers[0].match: container \"0123456789a\" is not 12 to 64 lower-case "
            "hexadecimal digits");
    refused(BROKERS "- id: n1\n  match: {container: 0123456789xyz}\n",
            ":5: brokers[0].match: container \"0123456789xyz\" is not 12 to 64 lower-case "
            "hexadecimal digits");
    refused(BROKERS "- id: n1\n  match: {container: 0123456789ab, executable: x}\n",
            ":5: brokers[0].match: gives 2 ways to find the broker; exactly one of cgroup, "
            "pid_file, executable, port, container and pod_mate is needed");
    accepted(BROKERS "- {id: n1, match: {pid_file: /run/n.pid}}\n");
    accepted(BROKERS "- {id: n1, match: {container: 0123456789ab}}\n");
    accepted(BROKERS "- {id: n1, match: {pod_mate: yes}}\n");
    accepted(BROKERS "- {id: n1, match: {pod_mate: yes, executable: nats-server}}\n");
}

/* A source needs to know where, an actuator what. */
static void test_source_and_actuator(void **state)
{
    (void)state;
    refused(BROKERS "- id: n1\n  match: {port: 1}\n  source: {type: nats}\n",
            ":6: brokers[0].source: nats needs a url");
    refused(BROKERS "- id: n1\n  match: {port: 1}\n  source: {type: nats, url: 'file:///x'}\n",
            ":6: brokers[0].source: url \"file:///x\" is neither http:// nor https://");
    refused(BROKERS "- id: n1\n  match: {port: 1}\n  actuator: {type: exec}\n",
            ":6: brokers[0].actuator: exec needs a command");
    refused(BROKERS "- id: n1\n  match: {port: 1}\n  actuator: {type: exec, command: ['']}\n",
            ":6: brokers[0].actuator: exec needs a command");
    accepted(BROKERS
             "- {id: n1, match: {port: 1}, actuator: {type: exec, command: [/bin/m, a]}}\n");
}

/* Ranges are those of the rows. */
static void test_ranges(void **state)
{
    (void)state;
    refused("report:\n  interval: 5ms\n" AGGREGATOR, ":2: report.interval: 5ms is below 100ms");
    refused("report:\n  interval: 2h\n" AGGREGATOR, ":2: report.interval: 2h is above 1h");
}

/* The first `size` bytes of a file below the tree's root. */
static void read_file(const char *name, char *ret_text, size_t size)
{
    char path[1024];
    cleanup_fclose FILE *file = NULL;
    size_t n;

    (void)snprintf(path, sizeof(path), "%s/../../%s", getenv("FIXTURES"), name);
    file = fopen(path, "rb");
    assert_non_null(file);
    n = fread(ret_text, 1, size - 1, file);
    ret_text[n] = '\0';
}

/* Every key of the rows stands in `text`, commented out or not. */
static void mentions_all(const struct option_row *rows, const char *text)
{
    for (const struct option_row *row = rows; row->key != NULL; row++) {
        char key[64];

        (void)snprintf(key, sizeof(key), "%s:", row->key);
        if (strstr(text, key) == NULL) {
            fail_msg("deploy/agent.yaml does not mention %s", key);
        }
        if (row->rows != NULL) {
            mentions_all(row->rows, text);
        }
    }
}

/* The commented example is accepted as it is, and mentions every option. */
static void test_example(void **state)
{
    static char text[65536];

    (void)state;
    read_file("deploy/agent.yaml", text, sizeof(text));
    accepted(text);
    mentions_all(agent_rows, text);
}

/* Every option has its sentence. */
static void helps_all(const struct option_row *rows)
{
    for (const struct option_row *row = rows; row->key != NULL; row++) {
        assert_non_null(row->help);
        assert_int_equal(row->help[strlen(row->help) - 1], '.');
        if (row->rows != NULL) {
            helps_all(row->rows);
        }
    }
}

static void test_help(void **state)
{
    (void)state;
    helps_all(agent_rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_no_aggregator),
        cmocka_unit_test(test_urls),     cmocka_unit_test(test_insecure),
        cmocka_unit_test(test_ids),      cmocka_unit_test(test_match),
        cmocka_unit_test(test_ranges),   cmocka_unit_test(test_source_and_actuator),
        cmocka_unit_test(test_example),  cmocka_unit_test(test_help),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
