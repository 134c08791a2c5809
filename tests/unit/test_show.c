/* A report in words and in JSON, and what the doctor finds. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/finding.h"
#include "agent/show.h"
#include "common/json.h"

static struct report report;
static char *text;
static size_t n_text;
static FILE *to;

static int open_text(void **state)
{
    (void)state;
    to = open_memstream(&text, &n_text);
    return to == NULL;
}

static int close_text(void **state)
{
    (void)state;
    (void)fclose(to);
    free(text);
    return 0;
}

static void has(const char *words)
{
    (void)fflush(to);
    if (strstr(text, words) == NULL) {
        fail_msg("no \"%s\" in:\n%s", words, text);
    }
}

/* A node with a broker that leads a topic, and one that is down. */
static void fill(void)
{
    struct broker_load *broker;
    struct topic_load *topic;

    report_clear(&report);
    strcpy(report.node, "host-1");
    report.interval_us = SECONDS(1);
    report.environment = (struct environment){
        .kind = ENVIRONMENT_KUBERNETES, .hierarchy = HIERARCHY_HYBRID, .versions = {1, 1, 2, 0, 1}};
    report.host[METRIC_CPU_RATIO] = value_of(0.125);
    broker = report_add_broker(&report);
    strcpy(broker->id, "n1");
    broker->state = BROKER_UP;
    broker->topics_known = true;
    broker->values[METRIC_MEMORY_BYTES] = value_of(3 * 1024 * 1024);
    broker->values[METRIC_NET_RX_BYTES_PER_S] = value_absent(VALUE_SHARED);
    topic = report_add_topic(&report);
    strcpy(topic->name.text, "$G/a \"b\"");
    topic->values[TOPIC_BYTES_IN_PER_S] = value_of(2048);
    topic->values[TOPIC_MESSAGES_IN_PER_S] = value_absent(VALUE_FIRST);
    broker = report_add_broker(&report);
    strcpy(broker->id, "n2");
    broker->state = BROKER_DOWN;
}

/* People read units, and the reason in place of a number. */
static void test_table(void **state)
{
    (void)state;
    fill();
    assert_int_equal(show_report(&report, SHOW_TABLE, to), 0);
    has("node host-1\nenvironment kubernetes, cgroup hybrid: cpu v1 cpuset v1 memory v2 io none "
        "pids v1\n");
    has("cpu_ratio                    12.50 %\n");
    has("cpu_cores                    -  (unknown)\n");
    has("\nbroker n1: up\n");
    has("memory_bytes                 3.0 MiB\n");
    has("net_rx_bytes_per_s           -  (shared)\n");
    has("    $G/a \"b\" (not movable): messages_in_per_s - (first_sample), "
        "bytes_in_per_s 2.0 KiB/s");
    has("\nbroker n2: down\n");
    has("topics                       -  (unknown)\n");
}

/* Programs read raw numbers, null, and the reason beside it. */
static void test_json_report(void **state)
{
    (void)state;
    fill();
    assert_int_equal(show_report(&report, SHOW_JSON, to), 0);
    has("{\n  \"api_version\": \"evenkeel/v1\",\n  \"node\": \"host-1\",\n");
    has("\"kind\": \"kubernetes\"");
    has("\"memory\": \"v2\"");
    has("\"cpu_ratio\": 0.125");
    has("\"memory_bytes\": 3145728");
    has("\"net_rx_bytes_per_s\": null");
    has("\"net_rx_bytes_per_s\": \"shared\"");
    has("\"name\": \"$G/a \\\"b\\\"\"");
    has("\"topics_known\": false");
    assert_int_equal(text[n_text - 1], '\n');
    assert_int_equal(text[n_text - 2], '}');
}

/* Each kind of member, and numbers that read back as they were. */
static void test_json(void **state)
{
    struct json *json;

    (void)state;
    assert_int_equal(json_new(to, &json), 0);
    json_number(json, "third", 1.0 / 3);
    json_number(json, "nan", NAN);
    json_number(json, "tenth", 0.1);
    json_count(json, "most", UINT64_MAX);
    json_bool(json, "yes", true);
    json_text(json, "text", "\n");
    json_open_list(json, "list");
    json_text(json, NULL, "x");
    json_null(json, NULL);
    json_close_list(json);
    json_free(json);
    json_free(NULL);
    has("\"third\": 0.33333333333333331,\n");
    has("\"nan\": null,\n");
    has("\"tenth\": 0.1,\n");
    has("\"most\": 18446744073709551615,\n");
    has("\"yes\": true,\n");
    has("\"text\": \"\\n\",\n");
    has("\"list\": [\n    \"x\",\n    null\n  ]\n}\n");
}

/* One line a finding, and the count of each level. */
static void test_findings(void **state)
{
    struct findings findings;

    (void)state;
    assert_int_equal(findings_open(&findings, SHOW_TABLE, to), 0);
    finding(&findings, FINDING_OK, "host", "proc", "", "%s can be read", "/proc");
    finding(&findings, FINDING_WARN, "n1", "match", "mend it", "it is odd");
    assert_true(findings_close(&findings));
    has("ok    host proc: /proc can be read\n");
    has("warn  n1 match: it is odd; mend it\n");
    has("1 ok, 1 warn, 0 fail\n");
}

/* … or objects in a list; what fails is told at the end. */
static void test_findings_json(void **state)
{
    struct findings findings;

    (void)state;
    assert_int_equal(findings_open(&findings, SHOW_JSON, to), 0);
    finding(&findings, FINDING_FAIL, "n1", "match", "mend it", "it is bad");
    assert_false(findings_close(&findings));
    has("\"level\": \"fail\",\n");
    has("\"remedy\": \"mend it\"\n");
    has("\"fail\": 1\n}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_table, open_text, close_text),
        cmocka_unit_test_setup_teardown(test_json_report, open_text, close_text),
        cmocka_unit_test_setup_teardown(test_json, open_text, close_text),
        cmocka_unit_test_setup_teardown(test_findings, open_text, close_text),
        cmocka_unit_test_setup_teardown(test_findings_json, open_text, close_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
