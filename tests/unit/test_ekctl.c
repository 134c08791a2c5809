/* ekctl without a network: the command line, tables, numbers and JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/ekctl.h"
#include "client/ekctl_json.h"
#include "client/ekctl_table.h"

#define LINE(...)                                                                                  \
    (const char *[])                                                                               \
    {                                                                                              \
        "ekctl", __VA_ARGS__, NULL                                                                 \
    }

/* Read a command line; the options, or the sentence of the refusal, are in the statics. */
static struct ekctl_options read_options;
static char why[EK_TEXT_SIZE];

static int read_line(const char **line)
{
    int n = 0;

    memset(&read_options, 0, sizeof(read_options));
    why[0] = '\0';
    while (line[n] != NULL) {
        n++;
    }
    return ekctl_options_read(n, (char **)(uintptr_t)line, "tcp://default:1", &read_options, why);
}

static void assert_text(char *text, const char *expected)
{
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void assert_holds(const char *text, const char *part)
{
    assert_non_null(text);
    if (strstr(text, part) == NULL) {
        fail_msg("%s\nis not in\n%s", part, text);
    }
}

/* Options may stand before and after the command, and defaults hold where none is given. */
static void test_options_anywhere(void **state)
{
    (void)state;
    assert_int_equal(read_line(LINE("-o", "json", "ranking", "--timeout", "250ms")), 0);
    assert_string_equal(read_options.command->name, "ranking");
    assert_int_equal(read_options.output, OUTPUT_JSON);
    assert_int_equal(read_options.timeout_ms, 250);
    assert_string_equal(read_options.servers, "tcp://default:1");

    assert_int_equal(read_line(LINE("move", "a/b", "--to=nats-1", "--wait", "-s", "tcp://x:2")), 0);
    assert_string_equal(read_options.argument, "a/b");
    assert_string_equal(read_options.to, "nats-1");
    assert_true(read_options.wait);
    assert_false(read_options.dry_run);
    assert_string_equal(read_options.servers, "tcp://x:2");
    assert_int_equal(read_options.timeout_ms, EK_TIMEOUT_MS_DEFAULT);
}

/* A topic that looks like an option can be given after "--". */
static void test_options_end(void **state)
{
    (void)state;
    assert_int_equal(read_line(LINE("lookup", "--", "--odd")), 0);
    assert_string_equal(read_options.argument, "--odd");
}

/* What is wrong with a command line is said by name. */
static void test_options_refused(void **state)
{
    static const struct {
        const char *line[6];
        const char *part;
    } rows[] = {
        {{"ekctl", NULL}, "a command is missing"},
        {{"ekctl", "rank", NULL}, "there is no command rank"},
        {{"ekctl", "ranking", "--colour", NULL}, "--colour is not an option"},
        {{"ekctl", "ranking", "--server", NULL}, "--server needs a value"},
        {{"ekctl", "ranking", "--wait", NULL}, "--wait does not go with ranking"},
        {{"ekctl", "move", "t", NULL}, "move needs --to"},
        {{"ekctl", "assign", NULL}, "usage: ekctl assign TOPIC"},
        {{"ekctl", "assign", "a", "b", NULL}, "usage: ekctl assign TOPIC"},
        {{"ekctl", "status", "-o", "yaml", NULL}, "yaml is neither"},
        {{"ekctl", "status", "-t", "5", NULL}, "5 is not a time"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(read_line((const char **)(uintptr_t)rows[i].line), -1);
        assert_holds(why, rows[i].part);
    }
}

/* --help is granted however incomplete the rest is. */
static void test_options_help(void **state)
{
    (void)state;
    assert_int_equal(read_line(LINE("move", "--help")), 0);
    assert_true(read_options.help);
    assert_string_equal(read_options.command->name, "move");
    assert_int_equal(read_line(LINE("--version")), 0);
    assert_true(read_options.version);
}

/* Durations have a unit and a range. */
static void test_durations(void **state)
{
    uint32_t ms = 7;

    (void)state;
    assert_int_equal(ekctl_duration_read("1.5s", &ms), 0);
    assert_int_equal(ms, 1500);
    assert_int_equal(ekctl_duration_read("60m", &ms), 0);
    assert_int_equal(ms, 3600000);
    ms = 7;
    assert_int_equal(ekctl_duration_read("61m", &ms), -1);
    assert_int_equal(ekctl_duration_read("0s", &ms), -1);
    assert_int_equal(ekctl_duration_read("-1s", &ms), -1);
    assert_int_equal(ekctl_duration_read("nans", &ms), -1);
    assert_int_equal(ekctl_duration_read("", &ms), -1);
    assert_int_equal(ekctl_duration_read("5 s", &ms), -1);
    assert_int_equal(ms, 7);
}

/* Every command says what it does, and takes no option that it requires without taking it. */
static void test_commands_are_complete(void **state)
{
    size_t n = 0;

    (void)state;
    for (const struct command *command = ekctl_commands; command->name != NULL; command++) {
        assert_non_null(command->arguments);
        assert_true(strlen(command->summary) > 0);
        assert_non_null(command->help);
        assert_non_null(command->run);
        assert_int_equal(command->required & ~command->options, 0);
        n++;
    }
    assert_int_equal(n, 8);
}

/* Bytes take the unit that leaves one to four digits, also at the edges where rounding carries. */
static void test_bytes(void **state)
{
    (void)state;
    assert_string_equal(human_bytes(0).text, "0 B");
    assert_string_equal(human_bytes(1023).text, "1023 B");
    assert_string_equal(human_bytes(1023.9).text, "1.0 KiB");
    assert_string_equal(human_bytes(1536).text, "1.5 KiB");
    assert_string_equal(human_bytes(1048575).text, "1.0 MiB");
    assert_string_equal(human_bytes(5.5 * 1024 * 1024 * 1024).text, "5.5 GiB");
}

/* Times take two units at most. */
static void test_seconds(void **state)
{
    (void)state;
    assert_string_equal(human_seconds(0.04).text, "0.0 s");
    assert_string_equal(human_seconds(59.97).text, "1 m 0 s");
    assert_string_equal(human_seconds(200).text, "3 m 20 s");
    assert_string_equal(human_seconds(3599.7).text, "1 h 0 m");
    assert_string_equal(human_seconds(90000).text, "1 d 1 h");
    assert_string_equal(human_seconds(1e12).text, "11574074 d");
}

static struct ek_metric metric(const char *name, double value)
{
    return (struct ek_metric){.name = name, .value = value, .present = true};
}

static const char *shown(const char *name, double value)
{
    static struct short_text text;
    struct ek_metric made = metric(name, value);

    text = human_metric(&made);
    return text.text;
}

/* A metric's name says its unit; what is absent is a dash, never a zero. */
static void test_metrics_by_name(void **state)
{
    struct ek_metric absent = {.name = "cpu_ratio", .absent = "first_sample"};

    (void)state;
    assert_string_equal(shown("cpu_ratio", 0.1234), "12.3 %");
    assert_string_equal(shown("cpu_cores", 1.256), "1.26");
    assert_string_equal(shown("memory_bytes", 2048), "2.0 KiB");
    assert_string_equal(shown("net_rx_bytes_per_s", 1048576), "1.0 MiB/s");
    assert_string_equal(shown("bytes_in_per_s", 100), "100 B/s");
    assert_string_equal(shown("messages_in_per_s", 12.34), "12.3/s");
    assert_string_equal(shown("consumers", 3), "3");
    assert_string_equal(human_metric(&absent).text, "-");
    assert_string_equal(human_metric(NULL).text, "-");
}

/* Columns are as wide as their widest cell, counted in characters; lines end without blanks. */
static void test_table(void **state)
{
    static const struct column columns[] = {{"NAME", false}, {"N", true}, {"TEXT", false}};
    struct table *table = table_new(columns, 3);

    (void)state;
    table_cell(table, "%s", "größe");
    table_cell(table, "%d", 5);
    table_cell(table, "%s", "");
    table_cell(table, "%s", "b");
    table_cell(table, "%d", 1234);
    table_cell(table, "%s", "long text");
    table_cell(table, "%s", "cut");
    assert_text(table_text(table), "NAME      N  TEXT\n"
                                   "größe     5  -\n"
                                   "b      1234  long text\n"
                                   "cut       -  -\n");
    table_free(table);
}

/* A table of pairs has no header; an empty one is just its header. */
static void test_table_edges(void **state)
{
    static const struct column pairs[] = {{NULL, false}, {NULL, false}};
    static const struct column headed[] = {{"A", true}, {"B", false}};
    struct table *table = table_new(pairs, 2);

    (void)state;
    table_cell(table, "key");
    table_cell(table, "value");
    assert_text(table_text(table), "key  value\n");
    table_free(table);

    table = table_new(headed, 2);
    assert_text(table_text(table), "A  B\n");
    table_free(table);

    table_cell(NULL, "lost");
    assert_null(table_text(NULL));
    table_free(NULL);
}

/* What a server sends cannot steer the terminal. */
static void test_control_characters(void **state)
{
    static const struct column columns[] = {{"T", false}};
    struct table *table = table_new(columns, 1);

    (void)state;
    table_cell(table, "%s",
               "a\033[2Jb\r\n\x7f\xc2\x9b"
               "c");
    assert_text(table_text(table), "T\na?[2Jb?????c\n");
    table_free(table);
}

/* Reports are raw numbers; an absent metric is null, with its reason beside it. */
static void test_json_reports(void **state)
{
    const struct ek_metric metrics[] = {metric("memory_bytes", 1073741824),
                                        metric("memory_ratio", 0.1),
                                        {.name = "cpu_ratio", .absent = "first_sample"}};
    const char *candidates[] = {"b"};
    const struct ek_broker broker = {.id = "a",
                                     .node = "n1",
                                     .address = "",
                                     .freshness = EK_FRESH,
                                     .age_seconds = 0.25,
                                     .topics = 1,
                                     .report_bytes = 900,
                                     .n_metrics = 3,
                                     .metrics = metrics};
    const struct ek_topic topic = {
        .name = "o\"x", .movable = true, .n_candidates = 1, .candidates = candidates};
    const struct ek_reports reports = {
        .n_brokers = 1, .brokers = &broker, .n_topics = 1, .topics = &topic};

    (void)state;
    assert_text(json_reports(&reports, true), "{\n"
                                              "  \"api_version\": \"evenkeel/v1\",\n"
                                              "  \"kind\": \"reports\",\n"
                                              "  \"brokers\": [\n"
                                              "    {\n"
                                              "      \"id\": \"a\",\n"
                                              "      \"node\": \"n1\",\n"
                                              "      \"address\": null,\n"
                                              "      \"state\": \"fresh\",\n"
                                              "      \"score\": null,\n"
                                              "      \"age_seconds\": 0.25,\n"
                                              "      \"topics\": 1,\n"
                                              "      \"report_bytes\": 900,\n"
                                              "      \"memory_bytes\": 1073741824,\n"
                                              "      \"memory_ratio\": 0.1,\n"
                                              "      \"cpu_ratio\": null,\n"
                                              "      \"absent\": {\n"
                                              "        \"cpu_ratio\": \"first_sample\"\n"
                                              "      }\n"
                                              "    }\n"
                                              "  ],\n"
                                              "  \"topics\": [\n"
                                              "    {\n"
                                              "      \"name\": \"o\\\"x\",\n"
                                              "      \"movable\": true,\n"
                                              "      \"candidates\": [\n"
                                              "        \"b\"\n"
                                              "      ]\n"
                                              "    }\n"
                                              "  ]\n"
                                              "}\n");
}

/* Numbers keep all their digits: 64-bit counts, and doubles that need 17. */
static void test_json_numbers(void **state)
{
    const struct ek_status status = {
        .version = "1", .algorithm = "simple", .epoch = UINT64_MAX, .uptime_seconds = 0.1 + 0.2};
    char *text = json_status(&status);

    (void)state;
    assert_holds(text, "\"epoch\": 18446744073709551615,");
    assert_holds(text, "\"uptime_seconds\": 0.30000000000000004,");
    free(text);
}

/* A move says all that the table says. */
static void test_json_move(void **state)
{
    const struct ek_move move = {.id = 7,
                                 .topic = "t",
                                 .from = "a",
                                 .to = "b",
                                 .state = EK_MOVE_ENDED,
                                 .outcome = EK_MOVED,
                                 .seconds = 1.5};
    char *text = json_move(&move, false);

    (void)state;
    assert_holds(text, "\"kind\": \"move\"");
    assert_holds(text, "\"id\": 7,");
    assert_holds(text, "\"state\": \"ended\"");
    assert_holds(text, "\"outcome\": \"moved\"");
    assert_holds(text, "\"seconds\": 1.5,");
    assert_holds(text, "\"text\": null");
    assert_holds(text, "\"dry_run\": false");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_anywhere),
        cmocka_unit_test(test_options_end),
        cmocka_unit_test(test_options_refused),
        cmocka_unit_test(test_options_help),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_commands_are_complete),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_seconds),
        cmocka_unit_test(test_metrics_by_name),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_table_edges),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_json_reports),
        cmocka_unit_test(test_json_numbers),
        cmocka_unit_test(test_json_move),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
