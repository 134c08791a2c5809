/* The configuration: what is read, what is refused and with which words, what is printed. */
#include <errno.h>
#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/config.h"
#include "common/limits.h"

struct source {
    int type;
    char *url;
};

struct broker {
    char *id;
    int64_t port;
    struct source source;
    struct option_texts command;
};

struct config {
    bool insecure;
    int64_t retries;
    double weight;
    time_us interval_us;
    int64_t body_bytes_max;
    char *node;
    int format;
    struct option_texts names;
    struct option_list brokers;
};

static const char *const formats[] = {"json", "text", NULL};
static const char *const types[] = {"none", "nats", NULL};

static const struct option_row source_rows[] = {
    {.key = "type",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct source, type),
     .choices = types,
     .fallback = "none",
     .help = "none | nats."},
    {.key = "url",
     .type = OPTION_TEXT,
     .offset = offsetof(struct source, url),
     .max = 20,
     .fallback = ""},
    {.key = NULL},
};

static const struct option_row broker_rows[] = {
    {.key = "id", .type = OPTION_TEXT, .offset = offsetof(struct broker, id), .min = 1, .max = 10},
    {.key = "port",
     .type = OPTION_INTEGER,
     .offset = offsetof(struct broker, port),
     .max = 65535,
     .fallback = "0"},
    {.key = "source",
     .type = OPTION_GROUP,
     .offset = offsetof(struct broker, source),
     .rows = source_rows},
    {.key = "command", .type = OPTION_TEXTS, .offset = offsetof(struct broker, command), .max = 3},
    {.key = NULL},
};

static const struct option_row report_rows[] = {
    {.key = "interval",
     .type = OPTION_DURATION,
     .offset = offsetof(struct config, interval_us),
     .min = MILLISECONDS(100),
     .max = SECONDS(3600),
     .fallback = "5s",
     .help = "How often."},
    {.key = NULL},
};

static const struct option_row rows[] = {
    {.key = "insecure",
     .type = OPTION_BOOL,
     .offset = offsetof(struct config, insecure),
     .fallback = "no"},
    {.key = "retries",
     .type = OPTION_INTEGER,
     .offset = offsetof(struct config, retries),
     .min = -5,
     .max = INT64_MAX,
     .fallback = "3"},
    {.key = "weight",
     .type = OPTION_REAL,
     .offset = offsetof(struct config, weight),
     .real_max = 1.0,
     .fallback = "0.25"},
    {.key = "report", .type = OPTION_GROUP, .rows = report_rows},
    {.key = "body",
     .type = OPTION_SIZE,
     .offset = offsetof(struct config, body_bytes_max),
     .min = 1024,
     .max = 1 << 20,
     .fallback = "64KiB"},
    {.key = "node", .type = OPTION_TEXT, .offset = offsetof(struct config, node), .max = 10},
    {.key = "format",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct config, format),
     .choices = formats,
     .fallback = "json"},
    {.key = "names", .type = OPTION_TEXTS, .offset = offsetof(struct config, names), .max = 4},
    {.key = "brokers",
     .type = OPTION_LIST,
     .offset = offsetof(struct config, brokers),
     .max = 3,
     .rows = broker_rows,
     .element_size = sizeof(struct broker)},
    {.key = NULL},
};

static struct config config;
static struct config_file *file;
static char error[CONFIG_ERROR_BYTES];

static int read_bytes(const char *bytes, size_t n)
{
    return config_read_bytes("t.yaml", bytes, n, rows, &config, &file, error);
}

/* Read `text`, which must be accepted. */
static void reads(const char *text)
{
    error[0] = '\0';
    if (read_bytes(text, strlen(text)) != 0) {
        fail_msg("refused: %s", error);
    }
}

static void done(void)
{
    config_file_free(file);
    config_done(rows, &config, sizeof(config));
    file = NULL;
}

/* Bytes must be refused with exactly this line, and leave nothing behind. */
static void refuses_bytes(const char *bytes, size_t n, const char *line)
{
    static const struct config zero;

    error[0] = '\0';
    assert_int_equal(read_bytes(bytes, n), -EINVAL);
    assert_string_equal(error, line);
    assert_memory_equal(&config, &zero, sizeof(zero));
    assert_null(file);
}

static void refuses(const char *text, const char *line)
{
    refuses_bytes(text, strlen(text), line);
}

static const struct broker *broker(size_t i)
{
    assert_true(i < config.brokers.n);
    return &((const struct broker *)config.brokers.elements)[i];
}

/* Every type of option is read into its member. */
static void test_everything(void **state)
{
    (void)state;
    reads("insecure: yes\nretries: -5\nweight: 1e-1\nreport:\n  interval: 250ms\nbody: 2KiB\n"
          "node: n1\nformat: text\nnames: [a, \"b c\"]\n"
          "brokers:\n  - id: x\n    port: 4222\n    source: {type: nats, url: 'http://x'}\n"
          "    command:\n      - /bin/mv\n      - ''\n  - id: y\n");
    assert_true(config.insecure);
    assert_int_equal(config.retries, -5);
    assert_true(config.weight == 0.1);
    assert_int_equal(config.interval_us, 250000);
    assert_int_equal(config.body_bytes_max, 2048);
    assert_string_equal(config.node, "n1");
    assert_int_equal(config.format, 1);
    assert_int_equal(config.names.n, 2);
    assert_string_equal(config.names.texts[1], "b c");
    assert_null(config.names.texts[2]);
    assert_int_equal(config.brokers.n, 2);
    assert_int_equal(broker(0)->port, 4222);
    assert_int_equal(broker(0)->source.type, 1);
    assert_string_equal(broker(0)->source.url, "http://x");
    assert_string_equal(broker(0)->command.texts[1], "");
    assert_null(broker(0)->command.texts[2]);
    assert_string_equal(broker(1)->source.url, "");
    assert_int_equal(broker(1)->command.n, 0);
    assert_non_null(broker(1)->command.texts);
    done();
}

/* What is not written has its default, and empty groups and lists are none. */
static void test_defaults(void **state)
{
    (void)state;
    reads("node: ~\nreport:\nnames:\nbrokers: null\n");
    assert_false(config.insecure);
    assert_int_equal(config.retries, 3);
    assert_true(config.weight == 0.25);
    assert_int_equal(config.interval_us, 5000000);
    assert_int_equal(config.body_bytes_max, 65536);
    assert_string_equal(config.node, "");
    assert_int_equal(config.format, 0);
    assert_int_equal(config.names.n, 0);
    assert_null(config.names.texts[0]);
    assert_int_equal(config.brokers.n, 0);
    done();
}

/* An empty file is an empty mapping, and says what it lacks. */
static void test_empty(void **state)
{
    (void)state;
    refuses("", "t.yaml: node: is required");
    refuses("# nothing\n", "t.yaml: node: is required");
    refuses("---\n", "t.yaml: node: is required");
    refuses("- a\n", "t.yaml:1: must be a mapping: key, colon, value");
    refuses("word\n", "t.yaml:1: must be a mapping: key, colon, value");
}

/* A required row that is missing is told where its parent stands. */
static void test_required(void **state)
{
    (void)state;
    refuses("node: a\nbrokers:\n  - id: x\n\n  - port: 1\n",
            "t.yaml:5: brokers[1].id: is required");
    refuses("node: a\nbrokers:\n  -\n", "t.yaml:3: brokers[0].id: is required");
}

/* Keys that nobody knows, with the one that was meant. */
static void test_unknown(void **state)
{
    (void)state;
    refuses("node: a\nreport:\n  intervall: 5s\n",
            "t.yaml:3: report.intervall: is not a known key; did you mean \"interval\"?");
    refuses("nodee: a\n", "t.yaml:1: nodee: is not a known key; did you mean \"node\"?");
    refuses("zebra: a\n", "t.yaml:1: zebra: is not a known key");
    refuses("<<: {node: a}\n", "t.yaml:1: <<: is not a known key");
    refuses("\"a\\nb\\e\": 1\n", "t.yaml:1: a?b?: is not a known key");
    refuses("brokers:\n  - id: a\n    prt: 1\n",
            "t.yaml:3: brokers[0].prt: is not a known key; did you mean \"port\"?");
}

/* A key twice is an error, in every mapping. */
static void test_repeated(void **state)
{
    (void)state;
    refuses("node: a\nretries: 1\nnode: b\n", "t.yaml:3: node: is given twice, first on line 1");
    refuses("node: a\nbrokers: [{id: a,\n \"id\": b}]\n",
            "t.yaml:3: brokers[0].id: is given twice, first on line 2");
}

/* Each type says what it wants. */
static void test_types(void **state)
{
    (void)state;
    refuses("insecure: maybe\n", "t.yaml:1: insecure: \"maybe\" is not true or false");
    refuses("retries: 0x10\n", "t.yaml:1: retries: \"0x10\" is not a whole number");
    refuses("retries: 010\n", "t.yaml:1: retries: \"010\" is not a whole number");
    refuses("retries: 1.5\n", "t.yaml:1: retries: \"1.5\" is not a whole number");
    refuses("retries: 3 # three\nweight: .5\n", "t.yaml:2: weight: \".5\" is not a number");
    refuses("weight: nan\n", "t.yaml:1: weight: \"nan\" is not a number");
    refuses("report: {interval: 5}\n", "t.yaml:1: report.interval: \"5\" is not a duration "
                                       "(250ms, 5s, 2m, 1h, 1d)");
    refuses("report: {interval: 5 s}\n", "t.yaml:1: report.interval: \"5 s\" is not a duration "
                                         "(250ms, 5s, 2m, 1h, 1d)");
    refuses("body: 4XB\n", "t.yaml:1: body: \"4XB\" is not a size (4096, 64KiB, 10MB, 1Gbit)");
    refuses("format: xml\n", "t.yaml:1: format: must be one of json, text, not \"xml\"");
    refuses("retries:\n", "t.yaml:1: retries: has no value");
    refuses("retries: \"\"\n", "t.yaml:1: retries: \"\" is not a whole number");
    refuses("retries: [1]\n", "t.yaml:1: retries: must be a single value, not a list");
    refuses("node: {a: b}\n", "t.yaml:1: node: must be a single value, not a mapping");
    refuses("report: 5s\n", "t.yaml:1: report: must be a mapping: key, colon, value");
    refuses("brokers: {id: a}\n", "t.yaml:1: brokers: must be a list");
    refuses("brokers: [a]\n", "t.yaml:1: brokers[0]: must be a mapping: key, colon, value");
    refuses("names: a\n", "t.yaml:1: names: must be a list");
    refuses("names:\n  - a\n  - [b]\n", "t.yaml:3: names[1]: must be a single value, not a list");
}

/* Out of range is told with the bound, in its unit. */
static void test_ranges(void **state)
{
    (void)state;
    refuses("node: a\n\nreport:\n  interval: 5ms\n",
            "t.yaml:4: report.interval: 5ms is below 100ms");
    refuses("report:\n  interval: 2h\n", "t.yaml:2: report.interval: 2h is above 1h");
    refuses("report:\n  interval: 99999999999999999999d\n",
            "t.yaml:2: report.interval: 99999999999999999999d is above 1h");
    refuses("retries: -6\n", "t.yaml:1: retries: -6 is below -5");
    refuses("retries: -99999999999999999999\n",
            "t.yaml:1: retries: -99999999999999999999 is below -5");
    refuses("retries: 9223372036854775808\n",
            "t.yaml:1: retries: 9223372036854775808 is above 9223372036854775807");
    refuses("weight: 1.25\n", "t.yaml:1: weight: 1.25 is above 1");
    refuses("weight: -0.5\n", "t.yaml:1: weight: -0.5 is below 0");
    refuses("weight: 1e999\n", "t.yaml:1: weight: 1e999 is above 1");
    refuses("body: 512\n", "t.yaml:1: body: 512 is below 1KiB");
    refuses("body: 1Gbit\n", "t.yaml:1: body: 1Gbit is above 1MiB");
    refuses("node: abcdefghijk\n", "t.yaml:1: node: has 11 bytes, at most 10 are allowed");
    refuses("brokers: [{id: ''}]\n", "t.yaml:1: brokers[0].id: must not be empty");
    refuses("names: [a, b, c, d, e]\n", "t.yaml:1: names: has 5 elements, at most 4 are allowed");
    refuses("brokers: [{}, {}, {}, {}]\n",
            "t.yaml:1: brokers: has 4 elements, at most 3 are allowed");
}

/* What is not YAML is told with the place, and where the thing began that went wrong. */
static void test_syntax(void **state)
{
    (void)state;
    refuses("node: a: b\n", "t.yaml:1: mapping values are not allowed in this context");
    refuses("node: a\nnames: [a\nformat: json\n",
            "t.yaml:3: did not find expected ',' or ']' (while parsing a flow sequence, line 2)");
    refuses("retries: 1\nnode: \"a\nb\n",
            "t.yaml:4: found unexpected end of stream (while scanning a quoted scalar, line 2)");
    refuses("node: a\nx: @b\n", "t.yaml:2: found character that cannot start any token (while "
                                "scanning for the next token, line 2)");
    refuses("node: a\nx: \xFF\n", "t.yaml:2: invalid leading UTF-8 octet");
    refuses("node: \"a\\0b\"\n", "t.yaml:1: a text holds a NUL character");
    refuses("? [a]\n: b\n", "t.yaml:1: a key must be a text");
    refuses("? {a: b}\n: b\n", "t.yaml:1: a key must be a text");
}

/* The parts of YAML that a configuration has no use for, and an attacker has. */
static void test_features(void **state)
{
    (void)state;
    refuses("node: &a b\n", "t.yaml:1: anchors (&) are not allowed");
    refuses("node: a\nnames: &a [b]\n", "t.yaml:2: anchors (&) are not allowed");
    refuses("report: &a {}\n", "t.yaml:1: anchors (&) are not allowed");
    refuses("node: *a\n", "t.yaml:1: aliases (*) are not allowed");
    refuses("node: !!str b\n", "t.yaml:1: tags (!) are not allowed");
    refuses("node: ! b\n", "t.yaml:1: tags (!) are not allowed");
    refuses("names: !x []\n", "t.yaml:1: tags (!) are not allowed");
    refuses("node: a\n---\nnode: b\n", "t.yaml:2: a second document starts; one is allowed");
    refuses(
        "a: &a [\"lol\"]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n",
        "t.yaml:1: anchors (&) are not allowed");
}

/* Bytes `unit` again and again. */
static char *repeated(const char *unit, size_t times)
{
    size_t n = strlen(unit);
    char *bytes = malloc(n * times + 1);

    assert_non_null(bytes);
    for (size_t i = 0; i < times; i++) {
        memcpy(bytes + i * n, unit, n);
    }
    bytes[n * times] = '\0';
    return bytes;
}

/* Nesting that costs libyaml quadratic time ends at the ninth level. */
static void test_depth(void **state)
{
    cleanup_free char *flow = repeated("[", 60000);
    cleanup_free char *lines = repeated("[\n", 30000);
    cleanup_free char *block = repeated("- ", 30000);
    cleanup_free char *huge = repeated("[", 100000);
    clock_t before = clock();

    (void)state;
    refuses(flow, "t.yaml:1: nested deeper than 8 levels");
    refuses(lines, "t.yaml:9: nested deeper than 8 levels");
    refuses(block, "t.yaml:1: nested deeper than 8 levels");
    refuses(huge, "t.yaml: is larger than 65536 bytes");
    assert_true((double)(clock() - before) / CLOCKS_PER_SEC < 2.0);
}

/* More values than a configuration has. */
static void test_nodes(void **state)
{
    cleanup_free char *many = repeated("- a\n", CONFIG_NODES_MAX + 1);
    cleanup_free char *lists = repeated("- []\n", CONFIG_NODES_MAX + 1);

    (void)state;
    refuses(many, "t.yaml:4096: more than 4096 values");
    refuses(lists, "t.yaml:4096: more than 4096 values");
}

/* The environment in values, with defaults and dollars. */
static void test_environment(void **state)
{
    (void)state;
    (void)setenv("EK_TEST_NAME", "n7", 1);
    (void)setenv("EK_TEST_EMPTY", "", 1);
    (void)unsetenv("EK_TEST_NONE");
    reads("node: x-${EK_TEST_NAME}\nretries: ${EK_TEST_NONE:-12}\n"
          "names: ['$$a$b$', '${EK_TEST_EMPTY}', '${EK_TEST_EMPTY:-e:-}', \"$${x}\"]\n");
    assert_string_equal(config.node, "x-n7");
    assert_int_equal(config.retries, 12);
    assert_string_equal(config.names.texts[0], "$a$b$");
    assert_string_equal(config.names.texts[1], "");
    assert_string_equal(config.names.texts[2], "e:-");
    assert_string_equal(config.names.texts[3], "${x}");
    done();
    (void)setenv("EK_TEST_NAME", "[a, b]\nnode: c", 1);
    reads("node: ''\nnames: ['${EK_TEST_NAME}']\n");
    assert_string_equal(config.names.texts[0], "[a, b]\nnode: c");
    done();
}

/* What is wrong with a variable is told, and not what stands in it. */
static void test_environment_refused(void **state)
{
    cleanup_free char *long_value = repeated("x", 100000);

    (void)state;
    (void)unsetenv("EK_TEST_NONE");
    (void)setenv("EK_TEST_BAD", "\xC3(", 1);
    (void)setenv("EK_TEST_LONG", long_value, 1);
    refuses("\nnode: ${EK_TEST_NONE}\n",
            "t.yaml:2: node: ${EK_TEST_NONE} is not set in the environment, and has no default");
    refuses("node: ${EK_TEST\n",
            "t.yaml:1: node: ${ without a closing brace (write $$ for a dollar)");
    refuses("node: ${}\n",
            "t.yaml:1: node: ${} is no name of the environment (write $$ for a dollar)");
    refuses("node: ${1x}\n",
            "t.yaml:1: node: ${1x} is no name of the environment (write $$ for a dollar)");
    refuses("node: ${EK_TEST_BAD}\n", "t.yaml:1: node: is not valid UTF-8");
    refuses("node: ${EK_TEST_LONG}\n", "t.yaml:1: node: has 100000 bytes, at most 10 are allowed");
    refuses("names: ['${EK_TEST_LONG}', '${EK_TEST_LONG}']\n",
            "t.yaml:1: names[1]: the values are longer than 131072 bytes together");
    (void)unsetenv("EK_TEST_LONG");
}

/* A list is released when one of its last elements is refused. */
static void test_half_made(void **state)
{
    (void)state;
    refuses("node: a\nnames: [a, b]\nbrokers:\n  - id: x\n    command: [a, b]\n  - id: y\n"
            "    command: [a, {}]\n",
            "t.yaml:7: brokers[1].command[1]: must be a single value, not a mapping");
}

/* The text that config_print() gives. */
static char *printed(void)
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);

    assert_non_null(to);
    config_print(rows, &config, to);
    assert_int_equal(fclose(to), 0);
    return text;
}

/* The effective configuration, exactly. */
static void test_print(void **state)
{
    cleanup_free char *text = NULL;

    (void)state;
    reads("node: 'true'\nreport: {interval: 90000ms}\nbody: 4096\nnames: [a, 'b: $$', '']\n"
          "brokers: [{id: x, command: [\"\\x01\\n\\\"\"]}, {id: z, source: {type: nats}}]\n");
    text = printed();
    assert_string_equal(text, "insecure: false\n"
                              "retries: 3\n"
                              "weight: 0.25\n"
                              "report:\n"
                              "  interval: 90s\n"
                              "body: 4KiB\n"
                              "node: \"true\"\n"
                              "format: json\n"
                              "names:\n"
                              "  - a\n"
                              "  - \"b: $$\"\n"
                              "  - \"\"\n"
                              "brokers:\n"
                              "  - id: x\n"
                              "    port: 0\n"
                              "    source:\n"
                              "      type: none\n"
                              "      url: \"\"\n"
                              "    command:\n"
                              "      - \"\\x01\\n\\\"\"\n"
                              "  - id: z\n"
                              "    port: 0\n"
                              "    source:\n"
                              "      type: nats\n"
                              "      url: \"\"\n"
                              "    command: []\n");
    done();
}

/* What is printed is read as the same configuration, whatever stands in the texts. */
static void test_round_trip(void **state)
{
    static const char *const texts[] = {
        "-",        "- a",    "a:",       "#",           "a #b", "~",      "null", "Yes",
        "12",       "1e3",    "${A}",     "$",           "'",    "\"",     "\\",   "é",
        "\xC2\x85", "\u2028", "\ufeff",   "\U0001F600",  " a",   "a ",     "\t",   "\x7f",
        "[a]",      "{a: b}", "&a",       "*a",          "!a",   "|",      ">",    "%a",
        "@a",       "`a",     "a,b",      "?",           "---",  "...",    "\r\n", "a\nb",
        "0x1F",     "a:b",    "/x-y_z.0", "127.0.0.1:1", "=",    "\uffff",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        cleanup_free char *first = NULL, *second = NULL;

        (void)setenv("EK_TEST_TEXT", texts[i], 1);
        reads("node: x\nnames: ['${EK_TEST_TEXT}']\nweight: 0.1\nretries: -1\n");
        assert_string_equal(config.names.texts[0], texts[i]);
        first = printed();
        done();
        reads(first);
        assert_string_equal(config.names.texts[0], texts[i]);
        assert_true(config.weight == 0.1);
        second = printed();
        assert_string_equal(first, second);
        done();
    }
}

/* Lines are found for the program's own checks, of the nearest parent that is written. */
static void test_lines(void **state)
{
    (void)state;
    reads("node: a\nreport:\n  interval: 5s\nbrokers:\n  - id: x\n    source:\n      url: u\n"
          "  - id: y\n    port: 7\n");
    assert_int_equal(config_line(file, "node"), 1);
    assert_int_equal(config_line(file, "report.interval"), 3);
    assert_int_equal(config_line(file, "brokers"), 4);
    assert_int_equal(config_line(file, "brokers[0]"), 5);
    assert_int_equal(config_line(file, "brokers[0].source.url"), 7);
    assert_int_equal(config_line(file, "brokers[1].id"), 8);
    assert_int_equal(config_line(file, "brokers[1].port"), 9);
    assert_int_equal(config_line(file, "brokers[1].source.type"), 8);
    assert_int_equal(config_line(file, "brokers[9].id"), 4);
    assert_int_equal(config_line(file, "format"), 0);
    assert_int_equal(config_line(file, ""), 0);
    assert_int_equal(config_line(file, "brokers[x"), 5);
    config_complain(file, "brokers[1].id", error, "\"%s\" is there %s", "y", "twice");
    assert_string_equal(error, "t.yaml:8: brokers[1].id: \"y\" is there twice");
    config_complain(file, "format", error, "is odd");
    assert_string_equal(error, "t.yaml: format: is odd");
    done();
}

/* The option list for the documentation. */
static void test_document(void **state)
{
    cleanup_free char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);

    (void)state;
    config_document(rows, to);
    assert_int_equal(fclose(to), 0);
    assert_string_equal(
        text, "| key | type | default | range | why change it |\n"
              "|---|---|---|---|---|\n"
              "| `insecure` | true or false | `no` |  |  |\n"
              "| `retries` | whole number | `3` | at least -5 |  |\n"
              "| `weight` | number | `0.25` | 0 … 1 |  |\n"
              "| `report.interval` | duration | `5s` | 100ms … 1h | How often. |\n"
              "| `body` | size | `64KiB` | 1KiB … 1MiB |  |\n"
              "| `node` | text | required | at most 10 bytes |  |\n"
              "| `format` | one of `json`, `text` | `json` |  |  |\n"
              "| `names` | list of texts | none | at most 4 elements |  |\n"
              "| `brokers` | list | none | at most 3 elements |  |\n"
              "| `brokers[].id` | text | required | 1 … 10 bytes |  |\n"
              "| `brokers[].port` | whole number | `0` | 0 … 65535 |  |\n"
              "| `brokers[].source.type` | one of `none`, `nats` | `none` |  | none \\| nats. |\n"
              "| `brokers[].source.url` | text | `\"\"` | at most 20 bytes |  |\n"
              "| `brokers[].command` | list of texts | none | at most 3 elements |  |\n");
}

/* A file of `n` bytes of `text` with this mode; its path is static. */
static const char *file_of(const char *text, mode_t mode)
{
    static char path[64];
    FILE *to;

    (void)snprintf(path, sizeof(path), "/tmp/evenkeel-test-config.%d", (int)getpid());
    to = fopen(path, "we");
    assert_non_null(to);
    assert_true(fputs(text, to) >= 0);
    assert_int_equal(fclose(to), 0);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

/* The error without the path before it. */
static int read_path(const char *path, const char **ret_words)
{
    int r = config_read(path, rows, &config, &file, error);

    *ret_words = r == 0 ? "" : error + strlen(path);
    return r;
}

/* What may be read as a configuration file. */
static void test_files(void **state)
{
    cleanup_free char *large = repeated("#\n", 32769);
    const char *words;

    (void)state;
    assert_int_equal(read_path(file_of("node: a\n", 0600), &words), 0);
    assert_string_equal(config.node, "a");
    done();
    assert_int_equal(read_path(file_of("node: a\n", 0646), &words), -EINVAL);
    assert_string_equal(words, ": is writable for everybody, so that nobody knows who wrote it");
    assert_int_equal(read_path(file_of(large, 0600), &words), -EINVAL);
    assert_string_equal(words, ": is larger than 65536 bytes");
    assert_int_equal(remove(file_of("", 0600)), 0);
    assert_int_equal(read_path("/nonexistent/x.yaml", &words), -ENOENT);
    assert_string_equal(words, ": cannot be opened: No such file or directory");
    assert_int_equal(read_path("/tmp", &words), -EINVAL);
    assert_string_equal(words, ": is not a regular file");
    assert_int_equal(read_path("/dev/null", &words), -EINVAL);
    assert_string_equal(words, ": is not a regular file");
}

/* Releasing accepts nothing, and the half-made. */
static void test_release(void **state)
{
    struct config none = {.insecure = false};

    (void)state;
    config_file_free(NULL);
    config_done(rows, NULL, 0);
    config_done(rows, &none, sizeof(none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything),  cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_empty),       cmocka_unit_test(test_required),
        cmocka_unit_test(test_unknown),     cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_types),       cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_syntax),      cmocka_unit_test(test_features),
        cmocka_unit_test(test_depth),       cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_environment), cmocka_unit_test(test_environment_refused),
        cmocka_unit_test(test_half_made),   cmocka_unit_test(test_print),
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_lines),
        cmocka_unit_test(test_document),    cmocka_unit_test(test_files),
        cmocka_unit_test(test_release),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
