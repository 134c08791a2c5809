/* NATS's pages: those of a real cluster, and those that no server should send. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/nats.h"
#include "common/cleanup.h"

struct world {
    struct nats_answer answer;
    struct nats_answer before;
    struct report report;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    nats_answer_clear(&w->answer);
    nats_answer_clear(&w->before);
    (void)snprintf(w->answer.server_name, sizeof(w->answer.server_name), "n1");
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

/* Read a page in pieces of `n_piece` bytes. */
static int read_pieces(struct nats_answer *answer, enum nats_page page, const char *text, size_t n,
                       size_t n_piece)
{
    struct nats_parser *parser;
    int r;

    assert_int_equal(nats_parser_new(page, answer, &parser), 0);
    r = 0;
    for (size_t i = 0; r == 0 && i < n; i += n_piece) {
        r = nats_parse(parser, text + i, MIN(n_piece, n - i));
    }
    if (r == 0) {
        r = nats_parse_end(parser);
    }
    nats_parser_free(parser);
    return r;
}

static int read_text(struct nats_answer *answer, enum nats_page page, const char *text)
{
    return read_pieces(answer, page, text, strlen(text), 4096);
}

/* Read a checked-in page of a real server, in awkward pieces. */
static void read_fixture(struct nats_answer *answer, enum nats_page page, const char *name)
{
    static char text[65536];
    char path[1024];
    cleanup_fclose FILE *file = NULL;
    size_t n;

    (void)snprintf(path, sizeof(path), "%s/nats/%s", getenv("FIXTURES"), name);
    file = fopen(path, "rb");
    assert_non_null(file);
    n = fread(text, 1, sizeof(text), file);
    assert_int_equal(read_pieces(answer, page, text, n, 7), 0);
    nats_answer_finish(answer);
}

/* A page with one account "A" that holds the given streams. */
static int read_streams(struct nats_answer *answer, const char *streams)
{
    char text[8192];
    const int n = snprintf(text, sizeof(text),
                           "{\"account_details\":[{\"name\":\"A\",\"stream_detail\":[%s]}]}",
                           streams);

    assert_true(n > 0 && (size_t)n < sizeof(text));
    return read_text(answer, NATS_JSZ, text);
}

/* A stream "S" of a single server. */
static void stream(struct nats_answer *answer, time_us at_us, const char *created,
                   unsigned long long last_seq, unsigned long long messages,
                   unsigned long long bytes)
{
    char text[512];

    (void)snprintf(text, sizeof(text),
                   "{\"name\":\"S\",\"created\":\"%s\",\"state\":{\"messages\":%llu,\"bytes\":%llu,"
                   "\"last_seq\":%llu,\"consumer_count\":0}}",
                   created, messages, bytes, last_seq);
    nats_answer_clear(answer);
    answer->at_us = at_us;
    assert_int_equal(read_streams(answer, text), 0);
    nats_answer_finish(answer);
    assert_int_equal(answer->n_streams, 1);
}

/* The server's page names it and counts its bytes. */
static void test_varz(void **state)
{
    struct world *w = *state;

    w->answer.server_name[0] = '\0';
    read_fixture(&w->answer, NATS_VARZ, "varz.json");
    assert_string_equal(w->answer.server_name, "n1");
    assert_int_equal(w->answer.in_bytes.number, 14604453);
    assert_int_equal(w->answer.out_bytes.number, 9193131);
}

/* A replica lists streams that it does not lead; none of them counts. */
static void test_replica_counts_nothing(void **state)
{
    struct world *w = *state;

    read_fixture(&w->answer, NATS_JSZ, "jsz.json");
    assert_int_equal(w->answer.n_streams, 0);
    assert_int_equal(w->answer.n_names_skipped, 0);
}

/* The leader's page gives the streams in order, with what is stored, pending, and possible. */
static void test_leader(void **state)
{
    struct world *w = *state;
    const struct nats_stream *orders;

    (void)snprintf(w->answer.server_name, sizeof(w->answer.server_name), "n3");
    read_fixture(&w->answer, NATS_JSZ, "jsz_n3.json");
    assert_int_equal(w->answer.n_streams, 3);
    assert_string_equal(w->answer.streams[0].name.text, "APP/EVENTS");
    assert_string_equal(w->answer.streams[1].name.text, "APP/METRICS");
    orders = &w->answer.streams[2];
    assert_string_equal(orders->name.text, "APP/ORDERS");
    assert_int_equal(orders->last_seq.number, 8320);
    assert_int_equal(orders->messages.number, 8320);
    assert_int_equal(orders->bytes.number, 4576000);
    assert_int_equal(orders->consumers.number, 2);
    assert_int_equal(orders->backlog.number, 8320);
    assert_int_equal(orders->candidates, 3);
    assert_int_equal(w->answer.n_peers, 2);
    assert_string_equal(w->answer.peers[0], "n1");
    assert_string_equal(w->answer.peers[1], "n2");
}

/* What a consumer has pending counts only where the consumer is led: one that another member leads
 * says nothing, and without any the backlog is not known. */
static void test_consumer_leader(void **state)
{
    struct world *w = *state;

    assert_int_equal(
        read_streams(&w->answer,
                     "{\"name\":\"S\",\"cluster\":{\"leader\":\"n1\"},\"state\":{"
                     "\"consumer_count\":2},\"consumer_detail\":["
                     "{\"num_pending\":900,\"cluster\":{\"leader\":\"n2\"}},"
                     "{\"num_pending\":5,\"cluster\":{\"leader\":\"n1\"}},"
                     "{\"num_pending\":3,\"cluster\":{\"leader\":\"n1\"}},"
                     "{\"num_pending\":700,\"cluster\":{}}]},"
                     "{\"name\":\"T\",\"state\":{\"consumer_count\":1},\"consumer_detail\":["
                     "{\"num_pending\":900,\"cluster\":{\"leader\":\"n2\"}}]}"),
        0);
    assert_int_equal(w->answer.n_streams, 2);
    assert_int_equal(w->answer.streams[0].backlog.number, 5);
    assert_false(w->answer.streams[1].backlog.known);
}

/* A stream in an election is led by nobody; one without a cluster by the single server. */
static void test_no_leader(void **state)
{
    struct world *w = *state;

    assert_int_equal(read_streams(&w->answer, "{\"name\":\"S\",\"cluster\":{\"name\":\"C\"}},"
                                              "{\"name\":\"R\",\"cluster\":{\"leader\":\"\"}},"
                                              "{\"name\":\"T\"}"),
                     0);
    assert_int_equal(w->answer.n_streams, 1);
    assert_string_equal(w->answer.streams[0].name.text, "A/T");
}

/* A member that is offline, or the leader itself, is no candidate. */
static void test_candidates(void **state)
{
    struct world *w = *state;

    assert_int_equal(
        read_streams(&w->answer, "{\"name\":\"S\",\"cluster\":{\"leader\":\"n1\",\"replicas\":["
                                 "{\"name\":\"n1\"},{\"name\":\"n2\",\"offline\":true},"
                                 "{\"name\":\"n3\",\"offline\":false},{\"name\":\"b\\u0007d\"}]}}"),
        0);
    assert_int_equal(w->answer.n_peers, 1);
    assert_string_equal(w->answer.peers[0], "n3");
    assert_int_equal(w->answer.streams[0].candidates, 1);
    assert_int_equal(w->answer.n_names_skipped, 1);
}

/* 64-bit numbers are exact; larger, negative and fractional ones are unknown, not wrong. */
static void test_numbers(void **state)
{
    struct world *w = *state;
    const struct nats_stream *s = w->answer.streams;

    assert_int_equal(read_streams(&w->answer,
                                  "{\"name\":\"S\",\"state\":{\"last_seq\":18446744073709551615,"
                                  "\"messages\":18446744073709551616,\"bytes\":-1,"
                                  "\"consumer_count\":1.5}}"),
                     0);
    assert_true(s->last_seq.known);
    assert_true(s->last_seq.number == UINT64_MAX);
    assert_false(s->messages.known);
    assert_false(s->bytes.known);
    assert_false(s->consumers.known);
}

/* A key of the wrong type is as good as absent, and what follows is still read. */
static void test_wrong_types(void **state)
{
    struct world *w = *state;
    const struct nats_stream *s = w->answer.streams;

    assert_int_equal(
        read_streams(&w->answer,
                     "{\"name\":\"S\",\"created\":[],\"state\":{\"last_seq\":\"7\",\"messages\":"
                     "{\"messages\":9},\"bytes\":[1,2],\"consumer_count\":null},"
                     "\"consumer_detail\":{\"num_pending\":4}},[3],7,\"x\",null,true,"
                     "{\"name\":12},{\"name\":\"T\",\"state\":{\"last_seq\":7}}"),
        0);
    assert_int_equal(w->answer.n_streams, 2);
    assert_int_equal(w->answer.n_names_skipped, 1);
    assert_false(s[0].last_seq.known);
    assert_false(s[0].messages.known);
    assert_false(s[0].bytes.known);
    assert_int_equal(s[1].last_seq.number, 7);
}

/* A page that is cut off, anywhere, is refused; so is one that is no object. */
static void test_truncated(void **state)
{
    struct world *w = *state;
    const char *page =
        "{\"account_details\":[{\"name\":\"A\",\"stream_detail\":[{\"name\":\"S\"}]}]}";

    for (size_t n = 0; n < strlen(page); n++) {
        assert_int_equal(read_pieces(&w->answer, NATS_JSZ, page, n, 64), -EBADMSG);
    }
    assert_int_equal(read_text(&w->answer, NATS_JSZ, "[]"), -EBADMSG);
    assert_int_equal(read_text(&w->answer, NATS_JSZ, "{} {}"), -EBADMSG);
    assert_int_equal(read_text(&w->answer, NATS_JSZ, "<html>"), -EBADMSG);
    assert_int_equal(read_text(&w->answer, NATS_VARZ, "{}"), -EBADMSG);
    assert_int_equal(read_text(&w->answer, NATS_VARZ, "{\"server_name\":\"a b\"}"), -EBADMSG);
    assert_int_equal(read_text(&w->answer, NATS_JSZ, "{}"), 0);
}

/* Depth and tokens are bounded. */
static void test_bounds(void **state)
{
    struct world *w = *state;
    const size_t n = 1 << 20;
    char *text = malloc(n + 1);

    assert_non_null(text);
    memset(text, '[', n);
    assert_int_equal(read_pieces(&w->answer, NATS_JSZ, text, n, 16384), -EBADMSG);
    memset(text, 'x', n);
    text[0] = '{';
    text[1] = '"';
    assert_int_equal(read_pieces(&w->answer, NATS_JSZ, text, n, 16384), -EMSGSIZE);
    memset(text, '1', n);
    text[0] = '[';
    assert_int_equal(read_pieces(&w->answer, NATS_JSZ, text, n, 16384), -EMSGSIZE);
    free(text);
}

/* Streams whose names cannot be told on are skipped and counted, never cut. */
static void test_names(void **state)
{
    struct world *w = *state;
    char long_name[400];
    char text[1024];

    memset(long_name, 'n', sizeof(long_name));
    long_name[sizeof(long_name) - 1] = '\0';
    (void)snprintf(text, sizeof(text),
                   "{\"name\":\"%s\"},{\"name\":\"a\\u0000b\"},{\"name\":\"a\\nb\"},{},"
                   "{\"name\":\"\"},{\"name\":\"gr\xc3\xbc\xc3\x9f\"}",
                   long_name);
    assert_int_equal(read_streams(&w->answer, text), 0);
    assert_int_equal(w->answer.n_streams, 1);
    assert_string_equal(w->answer.streams[0].name.text, "A/gr\xc3\xbc\xc3\x9f");
    assert_int_equal(w->answer.n_names_skipped, 5);
}

/* More streams than a report holds are counted, and the rest is kept. */
static void test_too_many(void **state)
{
    struct world *w = *state;
    struct nats_parser *parser;
    char text[64];

    assert_int_equal(nats_parser_new(NATS_JSZ, &w->answer, &parser), 0);
    (void)snprintf(text, sizeof(text), "{\"account_details\":[{\"name\":\"A\",\"stream_detail\":[");
    assert_int_equal(nats_parse(parser, text, strlen(text)), 0);
    for (int i = 0; i < REPORT_TOPICS_MAX + 10; i++) {
        (void)snprintf(text, sizeof(text), "%s{\"name\":\"s%d\"}", i > 0 ? "," : "", i);
        assert_int_equal(nats_parse(parser, text, strlen(text)), 0);
    }
    assert_int_equal(nats_parse(parser, "]}]}", 4), 0);
    assert_int_equal(nats_parse_end(parser), 0);
    nats_parser_free(parser);
    nats_answer_finish(&w->answer);
    assert_int_equal(w->answer.n_streams, REPORT_TOPICS_MAX);
    assert_int_equal(w->answer.n_streams_omitted, 10);
}

/* The first answer gives no rate, the second one does: messages counted, bytes by the average. */
static void test_rates(void **state)
{
    struct world *w = *state;
    const struct nats_stream *s = w->answer.streams;

    stream(&w->before, SECONDS(10), "x", 1000, 500, 50000);
    nats_rate(NULL, &w->before);
    assert_int_equal(w->before.streams[0].messages_in_per_s.state, VALUE_FIRST);
    stream(&w->answer, SECONDS(15), "x", 1500, 1000, 100000);
    nats_rate(&w->before, &w->answer);
    assert_true(value_is_present(s->messages_in_per_s));
    assert_int_equal((int)s->messages_in_per_s.number, 100);
    assert_int_equal((int)s->bytes_in_per_s.number, 10000);
}

/* A stream that was emptied keeps its average; one that never held a message has none. */
static void test_held_average(void **state)
{
    struct world *w = *state;
    const struct nats_stream *s = w->answer.streams;

    stream(&w->before, SECONDS(10), "x", 1000, 10, 1000);
    nats_rate(NULL, &w->before);
    stream(&w->answer, SECONDS(20), "x", 2000, 0, 0);
    nats_rate(&w->before, &w->answer);
    assert_int_equal((int)s->bytes_in_per_s.number, 10000);
    stream(&w->before, SECONDS(10), "x", 1000, 0, 0);
    nats_rate(NULL, &w->before);
    stream(&w->answer, SECONDS(20), "x", 2000, 0, 0);
    nats_rate(&w->before, &w->answer);
    assert_true(value_is_present(s->messages_in_per_s));
    assert_int_equal(s->bytes_in_per_s.state, VALUE_UNKNOWN);
    stream(&w->answer, SECONDS(20), "x", 1000, 0, 0);
    nats_rate(&w->before, &w->answer);
    assert_true(value_is_present(s->bytes_in_per_s));
    assert_int_equal((int)s->bytes_in_per_s.number, 0);
}

/* A stream made anew, or not led here before, starts anew; a counter that goes back is no rate. */
static void test_new_base(void **state)
{
    struct world *w = *state;
    const struct nats_stream *s = w->answer.streams;

    stream(&w->before, SECONDS(10), "x", 1000, 10, 1000);
    nats_rate(NULL, &w->before);
    stream(&w->answer, SECONDS(20), "y", 2000, 10, 1000);
    nats_rate(&w->before, &w->answer);
    assert_int_equal(s->messages_in_per_s.state, VALUE_FIRST);
    stream(&w->answer, SECONDS(20), "x", 900, 10, 1000);
    nats_rate(&w->before, &w->answer);
    assert_int_equal(s->messages_in_per_s.state, VALUE_RESET);
    nats_answer_clear(&w->before);
    nats_rate(&w->before, &w->answer);
    assert_int_equal(s->messages_in_per_s.state, VALUE_FIRST);
}

/* The report gets topics, peers, and the network rates that the kernel could not tell apart. */
static void test_fill(void **state)
{
    struct world *w = *state;
    struct broker_load *broker;
    const struct topic_load *topic = w->report.topics;

    stream(&w->before, SECONDS(10), "x", 1000, 500, 50000);
    w->before.in_bytes = (struct nats_count){.number = 1000, .known = true};
    nats_rate(NULL, &w->before);
    stream(&w->answer, SECONDS(20), "x", 2000, 500, 50000);
    w->answer.in_bytes = (struct nats_count){.number = 6000, .known = true};
    nats_rate(&w->before, &w->answer);
    w->answer.streams[0].candidates = 1;
    (void)snprintf(w->answer.peers[0], sizeof(w->answer.peers[0]), "n2");
    w->answer.n_peers = 1;
    report_clear(&w->report);
    broker = report_add_broker(&w->report);
    broker->values[METRIC_NET_RX_BYTES_PER_S] = value_absent(VALUE_SHARED);
    broker->values[METRIC_NET_TX_BYTES_PER_S] = value_of(7);
    nats_fill(&w->answer, &w->report, broker);
    assert_true(broker->topics_known);
    assert_string_equal(broker->peers[0], "n2");
    assert_int_equal((int)broker->values[METRIC_NET_RX_BYTES_PER_S].number, 500);
    assert_int_equal((int)broker->values[METRIC_NET_TX_BYTES_PER_S].number, 7);
    assert_int_equal(broker->n_topics, 1);
    assert_string_equal(topic->name.text, "A/S");
    assert_true(topic->movable);
    assert_int_equal((int)topic->values[TOPIC_MESSAGES_IN_PER_S].number, 100);
    assert_int_equal((int)topic->values[TOPIC_STORAGE_BYTES].number, 50000);
    assert_true(value_is_present(topic->values[TOPIC_BACKLOG_MESSAGES]));
    assert_int_equal(topic->values[TOPIC_PRODUCERS].state, VALUE_UNSUPPORTED);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_varz),      CASE(test_replica_counts_nothing),
        CASE(test_leader),    CASE(test_consumer_leader),
        CASE(test_no_leader), CASE(test_candidates),
        CASE(test_numbers),   CASE(test_wrong_types),
        CASE(test_truncated), CASE(test_bounds),
        CASE(test_names),     CASE(test_too_many),
        CASE(test_rates),     CASE(test_held_average),
        CASE(test_new_base),  CASE(test_fill),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
