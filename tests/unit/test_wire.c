/* Tests of the wire: golden messages, round trips, and bytes that must be refused.
 *
 * `test_wire --write-golden DIRECTORY` writes the golden messages. That was done once for version
 * 1: the files in fixtures/wire are what every later version must be able to read. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/prng.h"
#include "tests/unit/wire_nouns.h"

#define LIST_MAX 8

/* One of every noun, with memory for its lists. */
struct nouns {
    struct report report;
    struct poll_request poll_request;
    struct poll_reply poll_reply;
    struct query query;
    struct answer answer;
    struct feed feed;
    struct broker_view brokers[LIST_MAX], feed_brokers[LIST_MAX];
    struct topic_load topics[LIST_MAX];
    struct move_view moves[LIST_MAX];
};

static struct nouns said, heard;
static char why[TEXT_BYTES_MAX + 1];
static uint8_t bytes[MESSAGE_BYTES_MAX];
static uint8_t again[MESSAGE_BYTES_MAX];

static void clear(struct nouns *nouns)
{
    report_clear(&nouns->report);
    memset(&nouns->poll_request, 0, sizeof(nouns->poll_request));
    memset(&nouns->poll_reply, 0, sizeof(nouns->poll_reply));
    memset(&nouns->query, 0, sizeof(nouns->query));
    nouns->answer = (struct answer){
        .brokers = nouns->brokers,
        .n_brokers_max = LIST_MAX,
        .topics = nouns->topics,
        .n_topics_max = LIST_MAX,
        .moves = nouns->moves,
        .n_moves_max = LIST_MAX,
    };
    nouns->feed = (struct feed){.brokers = nouns->feed_brokers, .n_brokers_max = LIST_MAX};
}

/* How a kind of message is said, heard and compared. */
struct kind {
    int (*put)(const struct nouns *nouns, uint8_t *ret_bytes, size_t size, size_t *ret_n);
    int (*get)(const uint8_t *message, size_t n, struct nouns *ret_nouns);
    bool (*same)(const struct nouns *a, const struct nouns *b);
};

#define KIND(noun)                                                                                 \
    static int put_##noun(const struct nouns *nouns, uint8_t *ret_bytes, size_t size,              \
                          size_t *ret_n)                                                           \
    {                                                                                              \
        return wire_put_##noun(&golden_envelope, &nouns->noun, ret_bytes, size, ret_n);            \
    }                                                                                              \
    static int get_##noun(const uint8_t *message, size_t n, struct nouns *ret_nouns)               \
    {                                                                                              \
        return wire_get_##noun(message, n, &ret_nouns->noun, why);                                 \
    }                                                                                              \
    static bool same_##noun##s(const struct nouns *a, const struct nouns *b)                       \
    {                                                                                              \
        return same_##noun(&a->noun, &b->noun);                                                    \
    }                                                                                              \
    static const struct kind noun##_kind = {put_##noun, get_##noun, same_##noun##s};

KIND(report)
KIND(poll_request)
KIND(poll_reply)
KIND(query)
KIND(answer)
KIND(feed)

static const struct kind *const kinds[] = {
    [WIRE_REPORT] = &report_kind,         [WIRE_POLL_REQUEST] = &poll_request_kind,
    [WIRE_POLL_REPLY] = &poll_reply_kind, [WIRE_QUERY] = &query_kind,
    [WIRE_ANSWER] = &answer_kind,         [WIRE_FEED] = &feed_kind,
};

#define SAY(name, noun)                                                                            \
    static void say_##name(struct nouns *nouns)                                                    \
    {                                                                                              \
        golden_##name(&nouns->noun);                                                               \
    }

SAY(report, report)
SAY(poll_request, poll_request)
SAY(poll_reply, poll_reply)
SAY(poll_refusal, poll_reply)
SAY(query, query)
SAY(answer_status, answer)
SAY(answer_assign, answer)
SAY(answer_reports, answer)
SAY(answer_moves, answer)
SAY(feed_ranking, feed)
SAY(feed_move, feed)

static const struct golden {
    const char *name;
    const struct kind *kind;
    void (*say)(struct nouns *nouns);
} goldens[] = {
    {"v1_report", &report_kind, say_report},
    {"v1_poll_request", &poll_request_kind, say_poll_request},
    {"v1_poll_reply", &poll_reply_kind, say_poll_reply},
    {"v1_poll_refusal", &poll_reply_kind, say_poll_refusal},
    {"v1_query", &query_kind, say_query},
    {"v1_answer_status", &answer_kind, say_answer_status},
    {"v1_answer_assign", &answer_kind, say_answer_assign},
    {"v1_answer_reports", &answer_kind, say_answer_reports},
    {"v1_answer_moves", &answer_kind, say_answer_moves},
    {"v1_feed_ranking", &feed_kind, say_feed_ranking},
    {"v1_feed_move", &feed_kind, say_feed_move},
};

static size_t read_golden(const struct golden *golden, uint8_t *ret_bytes, size_t size)
{
    char path[4096];
    const char *fixtures = getenv("FIXTURES");
    cleanup_fclose FILE *file = NULL;
    size_t n;

    (void)snprintf(path, sizeof(path), "%s/wire/%s.bin",
                   fixtures != NULL ? fixtures : "tests/fixtures", golden->name);
    file = fopen(path, "rb");
    assert_non_null(file);
    n = fread(ret_bytes, 1, size, file);
    assert_in_range(n, 1, size - 1);
    return n;
}

/* -- Messages by hand -- */

/* A message of `kind` with `payload`, from a sender "n" of boot 1. */
static size_t message(enum wire_kind kind, const void *payload, size_t n_payload)
{
    static const uint8_t head[] = {0x9a, 1, 0, 0, 0xa1, 'n', 1, 1, 1, 0xa0};
    static const uint8_t end[] = {0xc4, 0};

    assert_true(n_payload + sizeof(head) + sizeof(end) <= sizeof(bytes));
    memcpy(bytes, head, sizeof(head));
    bytes[3] = (uint8_t)kind;
    memcpy(bytes + sizeof(head), payload, n_payload);
    memcpy(bytes + sizeof(head) + n_payload, end, sizeof(end));
    return sizeof(head) + n_payload + sizeof(end);
}

static int hear(enum wire_kind kind, const void *payload, size_t n_payload)
{
    clear(&heard);
    why[0] = '\0';
    return kinds[kind]->get(bytes, message(kind, payload, n_payload), &heard);
}

/* The same for payloads that are string literals. */
#define HEAR(kind, payload) hear(kind, payload, sizeof(payload) - 1)

/* A report's payload starts with at_us 0 and interval_us 1 s; two pairs of a map. */
#define REPORT_HEAD "\x01\x00\x02\xce\x00\x0f\x42\x40"

/* A broker "b" that is up; two pairs of a map. */
#define BROKER_HEAD                                                                                \
    "\x01\xa1"                                                                                     \
    "b\x03\x01"

/* -- Tests -- */

/* For ever: version 1's bytes say what they said when they were written. */
static void test_golden_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(goldens); i++) {
        size_t n = read_golden(&goldens[i], bytes, sizeof(bytes));

        clear(&said);
        clear(&heard);
        goldens[i].say(&said);
        assert_int_equal(goldens[i].kind->get(bytes, n, &heard), 0);
        assert_true(goldens[i].kind->same(&said, &heard));
    }
}

/* What the envelope says reaches report and poll. */
static void test_golden_envelope(void **state)
{
    struct envelope envelope;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(goldens); i++) {
        size_t n = read_golden(&goldens[i], bytes, sizeof(bytes));

        assert_int_equal(wire_get_envelope(bytes, n, &envelope, why), 0);
        assert_int_equal(envelope.major, 1);
        assert_int_equal(envelope.minor, 0);
        assert_ptr_equal(kinds[envelope.kind], goldens[i].kind);
        assert_string_equal(envelope.sender, "node-1");
        assert_true(envelope.boot_id == 0x1122334455667788);
        assert_int_equal(envelope.seq, 42);
        assert_true(envelope.sent_unix_us == 1700000000123456);
        assert_string_equal(envelope.key_id, "");
    }
    (void)wire_get_report(bytes, read_golden(&goldens[0], bytes, sizeof(bytes)), &heard.report,
                          why);
    assert_string_equal(heard.report.node, "node-1");
    assert_true(heard.report.boot_id == 0x1122334455667788);
    assert_int_equal(heard.report.seq, 42);
    assert_true(heard.report.sent_unix_us == 1700000000123456);
    (void)wire_get_poll_request(bytes, read_golden(&goldens[1], bytes, sizeof(bytes)),
                                &heard.poll_request, why);
    assert_string_equal(heard.poll_request.node, "node-1");
    assert_true(heard.poll_request.boot_id == 0x1122334455667788);
}

/* Version 1.0 writes these very bytes. A later minor version may write others, for instance when it
 * has more to say; then this test changes, and test_golden_is_read() does not. */
static void test_golden_is_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(goldens); i++) {
        size_t n = read_golden(&goldens[i], bytes, sizeof(bytes));
        size_t n_again;

        clear(&said);
        goldens[i].say(&said);
        assert_int_equal(goldens[i].kind->put(&said, again, sizeof(again), &n_again), 0);
        assert_int_equal(n_again, n);
        assert_memory_equal(again, bytes, n);
    }
}

/* A message that is cut off anywhere is refused, and so is one with a byte behind it. */
static void test_truncated(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(goldens); i++) {
        size_t n = read_golden(&goldens[i], bytes, sizeof(bytes));

        for (size_t cut = 0; cut < n; cut++) {
            /* In memory of just that size, so that a sanitizer sees a byte too far. */
            uint8_t *exact = malloc(cut + 1);

            assert_non_null(exact);
            memcpy(exact + 1, bytes, cut);
            clear(&heard);
            assert_int_equal(goldens[i].kind->get(exact + 1, cut, &heard), -EBADMSG);
            free(exact);
        }
        bytes[n] = 0xc0;
        clear(&heard);
        assert_int_equal(goldens[i].kind->get(bytes, n + 1, &heard), -EBADMSG);
        assert_non_null(strstr(why, "after the message"));
    }
}

/* With one byte changed a message is refused, or still says something that may be believed: it can
 * be said again and is then heard the same. */
static void assert_mutation_is_harmless(const struct kind *kind, size_t n)
{
    size_t n_again;

    clear(&heard);
    why[0] = '\0';
    if (kind->get(bytes, n, &heard) < 0) {
        assert_int_not_equal(strlen(why), 0);
        return;
    }
    assert_int_equal(kind->put(&heard, again, sizeof(again), &n_again), 0);
    clear(&said);
    assert_int_equal(kind->get(again, n_again, &said), 0);
}

static void test_mutated(void **state)
{
    static const uint8_t others[] = {0x00, 0x7f, 0x80, 0x90, 0xa0, 0xc0, 0xc1, 0xca, 0xdf, 0xff};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(goldens); i++) {
        size_t n = read_golden(&goldens[i], bytes, sizeof(bytes));

        for (size_t at = 0; at < n; at++) {
            uint8_t original = bytes[at];

            for (int bit = 0; bit < 8; bit++) {
                bytes[at] = original ^ (uint8_t)(1 << bit);
                assert_mutation_is_harmless(goldens[i].kind, n);
            }
            for (size_t j = 0; j < sizeof(others); j++) {
                bytes[at] = others[j];
                assert_mutation_is_harmless(goldens[i].kind, n);
            }
            bytes[at] = original;
        }
    }
}

/* Every buffer that is too small is told apart from a bad noun, and the length is left alone. */
static void test_buffer_too_small(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(goldens); i++) {
        size_t n = 0;
        size_t n_small = 4711;

        clear(&said);
        goldens[i].say(&said);
        assert_int_equal(goldens[i].kind->put(&said, bytes, sizeof(bytes), &n), 0);
        for (size_t size = 0; size < n; size++) {
            assert_int_equal(goldens[i].kind->put(&said, bytes, size, &n_small), -ENOSPC);
        }
        assert_int_equal(n_small, 4711);
        assert_int_equal(goldens[i].kind->put(&said, bytes, n, &n_small), 0);
    }
}

/* -- Random nouns -- */

static void random_text(struct prng *prng, char *ret_text, size_t n_min, size_t n_max,
                        const char *alphabet)
{
    size_t n = n_min + prng_below(prng, n_max - n_min + 1);

    for (size_t i = 0; i < n; i++) {
        ret_text[i] = alphabet[prng_below(prng, strlen(alphabet))];
    }
    ret_text[n] = '\0';
}

#define ID_ALPHABET   "abcXYZ019._:@-"
#define TEXT_ALPHABET "abcXYZ019 /$#\"\\<&'~"

static void random_id(struct prng *prng, char *ret_id)
{
    random_text(prng, ret_id, 1, prng_below(prng, 8) == 0 ? ID_BYTES_MAX : 12, ID_ALPHABET);
}

/* A number of any size, as often small as large. */
static uint64_t random_number(struct prng *prng)
{
    return prng_next(prng) >> prng_below(prng, 64);
}

static time_us random_time(struct prng *prng)
{
    return (time_us)(random_number(prng) % (TIME_NEVER + 1ULL));
}

/* Numbers that a value carries exactly: integers up to 2^53, floats, large doubles. */
static struct value random_value(struct prng *prng)
{
    switch (prng_below(prng, 4)) {
    case 0:
        return value_absent((enum value_state)(1 + prng_below(prng, VALUE_STATES - 1)));
    case 1:
        return value_of((double)(random_number(prng) >> 11));
    case 2:
        return value_of((double)((float)(prng_next(prng) >> 40) / 65536.0F));
    default:
        return value_of(
            ldexp(1 + (double)prng_below(prng, 1000) / 1000, 54 + (int)prng_below(prng, 900)));
    }
}

static void random_values(struct prng *prng, struct value *ret_values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ret_values[i] = random_value(prng);
    }
}

static void random_topic(struct prng *prng, struct topic_load *ret_topic, size_t n_peers)
{
    random_text(prng, ret_topic->name.text, 1, prng_below(prng, 8) == 0 ? NAME_BYTES_MAX : 28,
                TEXT_ALPHABET);
    ret_topic->movable = prng_below(prng, 2) == 1;
    ret_topic->candidates = n_peers == 0 ? 0 : prng_next(prng) >> (64 - n_peers);
    random_values(prng, ret_topic->values, TOPIC_METRICS);
}

/* Unique by their numbers. */
static size_t random_peers(struct prng *prng, char (*ret_peers)[ID_BYTES_MAX + 1])
{
    size_t n = prng_below(prng, BROKER_PEERS_MAX + 1);

    for (size_t i = 0; i < n; i++) {
        (void)snprintf(ret_peers[i], sizeof(ret_peers[i]), "peer-%zu", i);
    }
    return n;
}

static void random_broker(struct prng *prng, struct broker_load *ret_broker, size_t number)
{
    (void)snprintf(ret_broker->id, sizeof(ret_broker->id), "broker-%zu", number);
    random_text(prng, ret_broker->address, 0, ADDRESS_BYTES_MAX, TEXT_ALPHABET);
    ret_broker->state = prng_below(prng, 2) == 0 ? BROKER_UP : BROKER_DOWN;
    ret_broker->incarnation = random_number(prng);
    ret_broker->actuator = prng_below(prng, 2) == 1;
    ret_broker->topics_known = prng_below(prng, 2) == 1;
    random_values(prng, ret_broker->values, METRICS);
    ret_broker->n_peers = random_peers(prng, ret_broker->peers);
    ret_broker->n_topics_omitted = random_number(prng);
}

static void random_report(struct prng *prng, struct nouns *nouns)
{
    struct report *report = &nouns->report;

    report->at_us = random_time(prng);
    report->interval_us = MILLISECONDS(100) + (time_us)prng_below(prng, SECONDS(3599));
    report->applied_seq = random_number(prng);
    random_values(prng, report->host, METRICS);
    report->environment.kind = (enum environment_kind)prng_below(prng, ENVIRONMENT_KINDS);
    report->environment.hierarchy = (enum environment_hierarchy)prng_below(prng, HIERARCHIES);
    for (size_t i = 0; i < ENVIRONMENT_CONTROLLERS; i++) {
        report->environment.versions[i] = prng_below(prng, 3);
    }
    for (size_t i = prng_below(prng, NODE_BROKERS_MAX + 1); i > 0; i--) {
        struct broker_load *broker = report_add_broker(report);

        random_broker(prng, broker, i);
        for (size_t j = prng_below(prng, 20); j > 0; j--) {
            random_topic(prng, report_add_topic(report), broker->n_peers);
        }
    }
}

static void random_poll_request(struct prng *prng, struct nouns *nouns)
{
    struct poll_request *request = &nouns->poll_request;

    request->epoch_seen = random_number(prng);
    request->n_receipts = prng_below(prng, RECEIPTS_PER_REQUEST_MAX + 1);
    for (size_t i = 0; i < request->n_receipts; i++) {
        struct receipt *receipt = &request->receipts[i];

        receipt->epoch = random_number(prng);
        receipt->seq = random_number(prng);
        receipt->status = (enum receipt_status)prng_below(prng, 20);
        random_text(prng, receipt->text, 0, TEXT_BYTES_MAX, TEXT_ALPHABET);
    }
}

static void random_poll_reply(struct prng *prng, struct nouns *nouns)
{
    struct poll_reply *reply = &nouns->poll_reply;

    reply->status = (enum poll_status)prng_below(prng, 3);
    random_text(prng, reply->text, 0, TEXT_BYTES_MAX, TEXT_ALPHABET);
    reply->epoch = random_number(prng);
    reply->n_decisions = prng_below(prng, DECISIONS_PER_REPLY_MAX + 1);
    for (size_t i = 0; i < reply->n_decisions; i++) {
        struct decision *decision = &reply->decisions[i];

        decision->kind = DECISION_MOVE;
        decision->epoch = random_number(prng);
        decision->seq = 1 + random_number(prng) / 2;
        decision->boot_id = random_number(prng);
        decision->expires_in_us = (time_us)prng_below(prng, SECONDS(3600) + 1);
        random_text(prng, decision->from, 1, 60, "from.");
        random_text(prng, decision->to, 1, 60, "to-@:");
        random_text(prng, decision->to_address, 0, ADDRESS_BYTES_MAX, TEXT_ALPHABET);
        random_text(prng, decision->topic.text, 1, NAME_BYTES_MAX, TEXT_ALPHABET);
    }
}

static void random_query(struct prng *prng, struct nouns *nouns)
{
    struct query *query = &nouns->query;

    query->verb = (enum query_verb)(1 + prng_below(prng, 8));
    random_text(prng, query->topic.text, 1, NAME_BYTES_MAX, TEXT_ALPHABET);
    random_id(prng, query->broker);
    query->dry_run = prng_below(prng, 2) == 1;
    query->move_id = random_number(prng);
}

/* Any double from 0 up: those are carried exactly. */
static double random_real(struct prng *prng)
{
    return (double)random_number(prng) / 1000;
}

static size_t random_views(struct prng *prng, struct broker_view *ret_views)
{
    size_t n = prng_below(prng, LIST_MAX + 1);

    for (size_t i = 0; i < n; i++) {
        struct broker_view *view = &ret_views[i];

        memset(view, 0, sizeof(*view));
        random_id(prng, view->id);
        random_id(prng, view->node);
        random_text(prng, view->address, 0, ADDRESS_BYTES_MAX, TEXT_ALPHABET);
        view->freshness = (enum freshness)(1 + prng_below(prng, 3));
        view->ranked = prng_below(prng, 2) == 1;
        view->score = view->ranked ? random_real(prng) : 0;
        view->age_us = random_time(prng);
        view->n_topics = random_number(prng);
        view->report_bytes = random_number(prng);
        view->with_values = prng_below(prng, 2) == 1;
        for (size_t j = 0; j < METRICS; j++) {
            view->values[j] = view->with_values ? random_value(prng) : value_absent(VALUE_UNKNOWN);
        }
    }
    return n;
}

static void random_move(struct prng *prng, struct move_view *ret_move)
{
    memset(ret_move, 0, sizeof(*ret_move));
    ret_move->id = random_number(prng);
    random_text(prng, ret_move->topic.text, 1, NAME_BYTES_MAX, TEXT_ALPHABET);
    random_id(prng, ret_move->from);
    random_id(prng, ret_move->to);
    ret_move->state = (enum move_state)(1 + prng_below(prng, 5));
    ret_move->outcome = (enum move_outcome)prng_below(prng, 7);
    ret_move->seconds = random_real(prng);
    random_text(prng, ret_move->text, 0, TEXT_BYTES_MAX, TEXT_ALPHABET);
}

static void random_status(struct prng *prng, struct aggregator_status *ret_status)
{
    random_text(prng, ret_status->version, 0, sizeof(ret_status->version) - 1, TEXT_ALPHABET);
    ret_status->epoch = random_number(prng);
    ret_status->uptime_s = random_real(prng);
    random_text(prng, ret_status->algorithm, 0, sizeof(ret_status->algorithm) - 1, TEXT_ALPHABET);
    ret_status->n_nodes = random_number(prng);
    ret_status->n_fresh = random_number(prng);
    ret_status->n_stale = random_number(prng);
    ret_status->n_gone = random_number(prng);
    ret_status->n_topics = random_number(prng);
    ret_status->n_assignments = random_number(prng);
    ret_status->n_moves_in_flight = random_number(prng);
    ret_status->n_reports = random_number(prng);
    ret_status->n_reports_refused = random_number(prng);
}

static void random_answer(struct prng *prng, struct nouns *nouns)
{
    struct answer *answer = &nouns->answer;

    answer->verb = (enum query_verb)prng_below(prng, 10);
    answer->status = (enum answer_status)prng_below(prng, 9);
    random_text(prng, answer->text, 0, TEXT_BYTES_MAX, TEXT_ALPHABET);
    if (prng_below(prng, 2) == 1) {
        random_text(prng, answer->placement.topic.text, 1, NAME_BYTES_MAX, TEXT_ALPHABET);
        random_id(prng, answer->placement.broker);
        random_text(prng, answer->placement.address, 0, ADDRESS_BYTES_MAX, TEXT_ALPHABET);
        answer->placement.source = (enum placement_source)prng_below(prng, 3);
    }
    if (prng_below(prng, 2) == 1) {
        random_status(prng, &answer->fleet);
    }
    answer->n_brokers = random_views(prng, answer->brokers);
    answer->n_topics = prng_below(prng, LIST_MAX + 1);
    for (size_t i = 0; i < answer->n_topics; i++) {
        random_topic(prng, &answer->topics[i], 64);
    }
    answer->n_peers = random_peers(prng, answer->peers);
    answer->n_moves = prng_below(prng, LIST_MAX + 1);
    for (size_t i = 0; i < answer->n_moves; i++) {
        random_move(prng, &answer->moves[i]);
    }
}

static void random_feed(struct prng *prng, struct nouns *nouns)
{
    struct feed *feed = &nouns->feed;

    feed->kind = prng_below(prng, 2) == 0 ? FEED_RANKING : FEED_MOVE;
    feed->version = random_number(prng);
    feed->epoch = random_number(prng);
    feed->n_brokers = random_views(prng, feed->brokers);
    if (feed->kind == FEED_MOVE) {
        random_move(prng, &feed->move);
    }
}

/* Whatever may be said is heard as it was said. */
static void test_round_trip(void **state)
{
    static void (*const randoms[])(struct prng * prng, struct nouns * nouns) = {
        [WIRE_REPORT] = random_report,         [WIRE_POLL_REQUEST] = random_poll_request,
        [WIRE_POLL_REPLY] = random_poll_reply, [WIRE_QUERY] = random_query,
        [WIRE_ANSWER] = random_answer,         [WIRE_FEED] = random_feed,
    };

    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct prng prng = prng_of(seed);

        for (size_t kind = WIRE_REPORT; kind <= WIRE_FEED; kind++) {
            size_t n;
            size_t n_again;

            clear(&said);
            clear(&heard);
            randoms[kind](&prng, &said);
            assert_int_equal(kinds[kind]->put(&said, bytes, sizeof(bytes), &n), 0);
            assert_int_equal(kinds[kind]->get(bytes, n, &heard), 0);
            assert_true(kinds[kind]->same(&said, &heard));
            assert_int_equal(kinds[kind]->put(&heard, again, sizeof(again), &n_again), 0);
            assert_int_equal(n, n_again);
            assert_memory_equal(bytes, again, n);
        }
    }
}

/* -- Values -- */

static struct value carried(struct value value)
{
    size_t n;

    clear(&said);
    clear(&heard);
    said.report.interval_us = SECONDS(1);
    said.report.host[0] = value;
    assert_int_equal(report_kind.put(&said, bytes, sizeof(bytes), &n), 0);
    assert_int_equal(report_kind.get(bytes, n, &heard), 0);
    assert_int_equal(heard.report.host[0].state, value.state);
    return heard.report.host[0];
}

static bool is_carried_as(double number, double as)
{
    return same_number(carried(value_of(number)).number, as);
}

/* Whole numbers up to 2^53 are exact, fractions keep the digits of a float, and what is larger
 * stays a double. */
static void test_precision(void **state)
{
    (void)state;
    assert_true(is_carried_as(0, 0));
    assert_true(is_carried_as(16777217, 16777217));
    assert_true(is_carried_as(9007199254740991.0, 9007199254740991.0));
    assert_true(is_carried_as(1e300, 1e300));
    assert_true(is_carried_as(0.1, (double)0.1F));
    assert_true(is_carried_as(123456.789, (double)123456.789F));
    assert_true(is_carried_as(16777217.5, 16777218));
    assert_true(is_carried_as(1e-300, 0));
}

/* A reason of a later version is just "unknown"; an array that is no reason is refused. */
static void test_absent_values(void **state)
{
    (void)state;
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x04\x94\x91\x02\xc0\x91\x4d\x91\x01"),
                     0);
    assert_int_equal(heard.report.host[0].state, VALUE_FIRST);
    assert_int_equal(heard.report.host[1].state, VALUE_UNKNOWN);
    assert_int_equal(heard.report.host[2].state, VALUE_UNKNOWN);
    assert_int_equal(heard.report.host[3].state, VALUE_UNKNOWN);
    assert_int_equal(heard.report.host[4].state, VALUE_UNKNOWN);
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x04\x91\x90"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x04\x91\x91\x00"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x04\x91\x92\x02\x02"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x04\x91\x91\xa1x"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x04\x91\x91\xff"), -EBADMSG);
}

/* Neither NaN, nor an infinity, nor a negative number, nor a word is a value. */
static void test_bad_numbers(void **state)
{
    (void)state;
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x04\x91\xca\x7f\xc0\x00\x00"),
                     -EBADMSG);
    assert_non_null(strstr(why, "host"));
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x04\x91\xca\x7f\x80\x00\x00"),
                     -EBADMSG);
    assert_int_equal(
        HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x04\x91\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"),
        -EBADMSG);
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x04\x91\xff"), -EBADMSG);
    assert_non_null(strstr(why, "cpu_cores is negative"));
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x04\x91\xca\xbf\x80\x00\x00"),
                     -EBADMSG);
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x04\x91\xa1x"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_REPORT, "\x82\x01\xff\x02\xce\x00\x0f\x42\x40"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_REPORT, "\x82\x01\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"
                                       "\x02\xce\x00\x0f\x42\x40"),
                     -EBADMSG);
    assert_non_null(strstr(why, "at_us is out of range"));
}

/* A noun that must not be said is not said. */
static void test_bad_nouns(void **state)
{
    struct envelope nobody = golden_envelope;
    struct envelope no_boot = golden_envelope;
    size_t n = 4711;

    (void)state;
    clear(&said);
    say_report(&said);
    nobody.sender[0] = '\0';
    no_boot.boot_id = 0;
    assert_int_equal(wire_put_report(&nobody, &said.report, bytes, sizeof(bytes), &n), -EBADMSG);
    assert_int_equal(wire_put_report(&no_boot, &said.report, bytes, sizeof(bytes), &n), -EBADMSG);
    said.report.host[0] = value_of((double)NAN);
    assert_int_equal(report_kind.put(&said, bytes, sizeof(bytes), &n), -EBADMSG);
    said.poll_request.n_receipts = RECEIPTS_PER_REQUEST_MAX + 1;
    assert_int_equal(poll_request_kind.put(&said, bytes, sizeof(bytes), &n), -EBADMSG);
    say_poll_reply(&said);
    strcpy(said.poll_reply.decisions[1].to, "nats-1");
    assert_int_equal(poll_reply_kind.put(&said, bytes, sizeof(bytes), &n), -EBADMSG);
    assert_int_equal(query_kind.put(&said, bytes, sizeof(bytes), &n), -EBADMSG);
    say_answer_reports(&said);
    said.answer.brokers[0].score = (double)INFINITY;
    assert_int_equal(answer_kind.put(&said, bytes, sizeof(bytes), &n), -EBADMSG);
    say_feed_ranking(&said);
    strcpy(said.feed.brokers[1].id, "b b");
    assert_int_equal(feed_kind.put(&said, bytes, sizeof(bytes), &n), -EBADMSG);
    assert_int_equal(n, 4711);
}

/* An actuator's last words are sent, whatever they are: a receipt that cannot be said would be a
 * move without an end. */
static void test_last_words(void **state)
{
    size_t n;

    (void)state;
    clear(&said);
    clear(&heard);
    say_poll_request(&said);
    strcpy(said.poll_request.receipts[1].text, "no\nleader \xe2\x82");
    assert_int_equal(poll_request_kind.put(&said, bytes, sizeof(bytes), &n), 0);
    assert_int_equal(poll_request_kind.get(bytes, n, &heard), 0);
    assert_string_equal(heard.poll_request.receipts[1].text, "no?leader ??");
}

/* -- Fields that are missing, unknown or too many -- */

/* One value of every form, to be skipped: nil, flags, integers, reals (also NaN), strings (also
 * what is no UTF-8), bytes, extensions, containers. */
static const struct {
    const char *bytes;
    size_t n;
} unknowns[] = {
    {"\xc0", 1},
    {"\xc2", 1},
    {"\xc3", 1},
    {"\xe1", 1},
    {"\xcc\xc8", 2},
    {"\xcd\x01\x02", 3},
    {"\xce\x01\x02\x03\x04", 5},
    {"\xcf\x01\x02\x03\x04\x05\x06\x07\x08", 9},
    {"\xd0\x81", 2},
    {"\xd1\x81\x02", 3},
    {"\xd2\x81\x02\x03\x04", 5},
    {"\xd3\x81\x02\x03\x04\x05\x06\x07\x08", 9},
    {"\xca\x7f\xc0\x00\x00", 5},
    {"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", 9},
    {"\xa2\xff\x00", 3},
    {"\xd9\x01z", 3},
    {"\xda\x00\x01z", 4},
    {"\xdb\x00\x00\x00\x01z", 6},
    {"\xc4\x01z", 3},
    {"\xc5\x00\x01z", 4},
    {"\xc6\x00\x00\x00\x01z", 6},
    {"\xd4\x01z", 3},
    {"\xd5\x01zz", 4},
    {"\xd6\x01zzzz", 6},
    {"\xd7\x01zzzzzzzz", 10},
    {"\xd8\x01zzzzzzzzzzzzzzzz", 18},
    {"\xc7\x01\x01z", 4},
    {"\xc8\x00\x01\x01z", 5},
    {"\xc9\x00\x00\x00\x01\x01z", 7},
    {"\x92\x01\x91\x02", 4},
    {"\xdc\x00\x01\x01", 4},
    {"\xdd\x00\x00\x00\x01\x01", 6},
    {"\x81\x01\x81\x02\x03", 5},
    {"\xde\x00\x01\x01\x02", 5},
    {"\xdf\x00\x00\x00\x01\x01\x02", 7},
};

/* Keys of a later version are stepped over, whatever they hold. */
static void test_unknown_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(unknowns); i++) {
        uint8_t payload[64] = {0x82, 0x3f};

        memcpy(payload + 2, unknowns[i].bytes, unknowns[i].n);
        payload[2 + unknowns[i].n] = 1;
        payload[3 + unknowns[i].n] = QUERY_RANKING;
        assert_int_equal(hear(WIRE_QUERY, payload, 4 + unknowns[i].n), 0);
        assert_int_equal(heard.query.verb, QUERY_RANKING);
    }
}

/* Keys that no version gives to a field (large, negative, no integers) are stepped over as well. */
static void test_strange_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(unknowns); i++) {
        uint8_t payload[64] = {0x82, 1, QUERY_RANKING};

        memcpy(payload + 3, unknowns[i].bytes, unknowns[i].n);
        payload[3 + unknowns[i].n] = 0x91;
        payload[4 + unknowns[i].n] = 0xc0;
        assert_int_equal(hear(WIRE_QUERY, payload, 5 + unknowns[i].n), 0);
        assert_int_equal(heard.query.verb, QUERY_RANKING);
    }
}

/* Positions of a later version are stepped over, whatever they hold. */
static void test_long_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(unknowns); i++) {
        uint8_t payload[64] = {0x81, 0x02, 0x91, 0x96, 5, 6, RECEIPT_BUSY, 0xa1, 'x'};

        memcpy(payload + 9, unknowns[i].bytes, unknowns[i].n);
        payload[9 + unknowns[i].n] = 0xc0;
        assert_int_equal(hear(WIRE_POLL_REQUEST, payload, 10 + unknowns[i].n), 0);
        assert_int_equal(heard.poll_request.n_receipts, 1);
        assert_int_equal(heard.poll_request.receipts[0].seq, 6);
        assert_string_equal(heard.poll_request.receipts[0].text, "x");
    }
}

/* Metrics of a later version are stepped over: METRICS known ones, and two. */
static void test_more_metrics(void **state)
{
    static const uint8_t head[] = "\x83" REPORT_HEAD "\x04\xdc";
    uint8_t payload[sizeof(head) + METRICS + 8];
    size_t n = sizeof(head) - 1;

    (void)state;
    memcpy(payload, head, n);
    payload[n++] = 0;
    payload[n++] = METRICS + 2;
    payload[n++] = 1;
    for (size_t i = 1; i < METRICS - 1; i++) {
        payload[n++] = 0xc0;
    }
    memcpy(payload + n, "\x0f\xff\xa1x", 4);
    assert_int_equal(hear(WIRE_REPORT, payload, n + 4), 0);
    assert_true(same_number(heard.report.host[METRICS - 1].number, 15));
}

/* Where the agent runs is optional; a longer row and later numbers are taken as they are. */
static void test_environment(void **state)
{
    (void)state;
    assert_int_equal(HEAR(WIRE_REPORT, "\x82" REPORT_HEAD), 0);
    assert_int_equal(heard.report.environment.kind, ENVIRONMENT_UNKNOWN);
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x06\x93\x03\x04\x02"), 0);
    assert_int_equal(heard.report.environment.kind, ENVIRONMENT_KUBERNETES);
    assert_int_equal(heard.report.environment.hierarchy, HIERARCHY_HYBRID);
    assert_int_equal(heard.report.environment.versions[ENVIRONMENT_CPU], 2);
    assert_int_equal(heard.report.environment.versions[ENVIRONMENT_MEMORY], 0);
    assert_int_equal(
        HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x06\x98\x09\x01\x01\x01\x01\x01\x02\xa1x"), 0);
    assert_int_equal(heard.report.environment.versions[ENVIRONMENT_PIDS], 2);
    assert_string_equal(environment_kind_name(heard.report.environment.kind), "unknown");
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x06\x91\xa1x"), -EBADMSG);
}

/* What is optional and not there, or nil, has its default. */
static void test_defaults(void **state)
{
    (void)state;
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x05\x91\x82" BROKER_HEAD), 0);
    assert_int_equal(heard.report.applied_seq, 0);
    assert_int_equal(heard.report.host[METRIC_CPU_RATIO].state, VALUE_UNKNOWN);
    assert_int_equal(heard.report.n_brokers, 1);
    assert_string_equal(heard.report.brokers[0].address, "");
    assert_int_equal(heard.report.brokers[0].incarnation, 0);
    assert_false(heard.report.brokers[0].actuator);
    assert_int_equal(heard.report.brokers[0].values[0].state, VALUE_UNKNOWN);
    assert_int_equal(heard.report.n_topics, 0);
    assert_int_equal(HEAR(WIRE_REPORT, "\x84" REPORT_HEAD "\x03\xc0\x05\x91\x84" BROKER_HEAD
                                       "\x09\x91\x91\xa1t\x0a\xc0"),
                     0);
    assert_int_equal(heard.report.n_topics, 1);
    assert_false(heard.report.topics[0].movable);
    assert_int_equal(heard.report.topics[0].candidates, 0);
    assert_int_equal(heard.report.topics[0].values[0].state, VALUE_UNKNOWN);
    assert_int_equal(HEAR(WIRE_POLL_REQUEST, "\x80"), 0);
    assert_int_equal(heard.poll_request.epoch_seen, 0);
    assert_int_equal(HEAR(WIRE_POLL_REPLY, "\x80"), 0);
    assert_int_equal(heard.poll_reply.status, POLL_OK);
    assert_int_equal(HEAR(WIRE_ANSWER, "\x80"), 0);
    assert_int_equal(heard.answer.status, ANSWER_OK);
    assert_int_equal(HEAR(WIRE_FEED, "\x81\x01\x01"), 0);
}

/* What was heard before does not shine through a message that does not say it. */
static void test_nothing_is_left_over(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(goldens); i++) {
        size_t n = read_golden(&goldens[i], bytes, sizeof(bytes));

        assert_int_equal(goldens[i].kind->get(bytes, n, &heard), 0);
    }
    clear(&said);
    said.report.interval_us = SECONDS(1);
    (void)wire_get_report(bytes, message(WIRE_REPORT, "\x82" REPORT_HEAD, 9), &heard.report, why);
    assert_true(same_report(&heard.report, &said.report));
    (void)wire_get_poll_request(bytes, message(WIRE_POLL_REQUEST, "\x80", 1), &heard.poll_request,
                                why);
    assert_true(same_poll_request(&heard.poll_request, &said.poll_request));
    (void)wire_get_poll_reply(bytes, message(WIRE_POLL_REPLY, "\x80", 1), &heard.poll_reply, why);
    assert_true(same_poll_reply(&heard.poll_reply, &said.poll_reply));
    (void)wire_get_answer(bytes, message(WIRE_ANSWER, "\x80", 1), &heard.answer, why);
    assert_true(same_answer(&heard.answer, &said.answer));
    said.feed.kind = FEED_RANKING;
    (void)wire_get_feed(bytes, message(WIRE_FEED, "\x81\x01\x01", 3), &heard.feed, why);
    assert_true(same_feed(&heard.feed, &said.feed));
    said.query.verb = QUERY_STATUS;
    (void)wire_get_query(bytes, message(WIRE_QUERY, "\x81\x01\x01", 3), &heard.query, why);
    assert_true(same_query(&heard.query, &said.query));
}

/* What is required must be there, and not nil. */
static void test_missing(void **state)
{
    (void)state;
    assert_int_equal(HEAR(WIRE_REPORT, "\x81\x01\x00"), -EBADMSG);
    assert_string_equal(why, "report: interval_us is missing");
    assert_int_equal(HEAR(WIRE_REPORT, "\x82\x01\x00\x02\xc0"), -EBADMSG);
    assert_string_equal(why, "report: interval_us is missing");
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x05\x91\x81\x03\x01"), -EBADMSG);
    assert_string_equal(why, "broker: id is missing");
    assert_int_equal(
        HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x05\x91\x83" BROKER_HEAD "\x09\x91\x90"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_POLL_REQUEST, "\x81\x02\x91\x92\x05\x06"), -EBADMSG);
    assert_string_equal(why, "receipt: status is missing");
    assert_int_equal(HEAR(WIRE_QUERY, "\x80"), -EBADMSG);
    assert_string_equal(why, "query: verb is missing");
    assert_int_equal(HEAR(WIRE_FEED, "\x80"), -EBADMSG);
}

/* A key that comes twice is refused, also one that is not known here. */
static void test_duplicate_keys(void **state)
{
    (void)state;
    assert_int_equal(HEAR(WIRE_QUERY, "\x82\x01\x01\x01\x02"), -EBADMSG);
    assert_string_equal(why, "key 1 comes twice");
    assert_int_equal(HEAR(WIRE_QUERY, "\x83\x01\x01\x3f\xc0\xcc\x3f\xc0"), -EBADMSG);
    assert_string_equal(why, "key 63 comes twice");
    assert_int_equal(HEAR(WIRE_QUERY, "\x83\x01\x01\x00\xc0\x00\xc0"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x05\x91\x83" BROKER_HEAD "\x03\x02"),
                     -EBADMSG);
    assert_string_equal(why, "key 3 comes twice");
}

/* -- Names -- */

/* Control characters and broken UTF-8 do not get in by a name, an address or a sentence. */
static void test_dirty_text(void **state)
{
    (void)state;
    assert_int_equal(HEAR(WIRE_QUERY, "\x82\x01\x04\x02\xa2\x61\x0a"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_QUERY, "\x82\x01\x04\x02\xa2\x61\x00"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_QUERY, "\x82\x01\x04\x02\xa2\xc2\x85"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_QUERY, "\x82\x01\x04\x02\xa2\xc3\x28"), -EBADMSG);
    assert_non_null(strstr(why, "topic"));
    assert_int_equal(HEAR(WIRE_QUERY, "\x82\x01\x03\x03\xa2\x62\x2f"), -EBADMSG);
    assert_non_null(strstr(why, "broker is not an identity"));
    assert_int_equal(
        HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x05\x91\x83" BROKER_HEAD "\x09\x91\x91\xa1\x07"),
        -EBADMSG);
    assert_int_equal(
        HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x05\x91\x83" BROKER_HEAD "\x02\xa1\x7f"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x05\x91\x82\x01\xa1\x20\x03\x01"),
                     -EBADMSG);
    assert_int_equal(HEAR(WIRE_POLL_REPLY, "\x81\x02\xa1\x1b"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_ANSWER, "\x81\x03\xa1\x1b"), -EBADMSG);
}

/* A string in place of bytes, and bytes in place of a string, are of another type. */
static void test_types(void **state)
{
    (void)state;
    assert_int_equal(HEAR(WIRE_QUERY, "\x82\x01\x04\x02\xc4\x01t"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_QUERY, "\x81\x01\xa1\x31"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_QUERY, "\x81\x01\xce\x00\x01\x00\x00"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_QUERY, "\x82\x01\x07\x04\x01"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_QUERY, "\x91\x01"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_QUERY, "\xc0"), -EBADMSG);
}

/* Two brokers of one id in a report are refused. */
static void test_duplicate_brokers(void **state)
{
    (void)state;
    assert_int_equal(
        HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x05\x92\x82" BROKER_HEAD "\x82" BROKER_HEAD),
        -EBADMSG);
    assert_string_equal(why, "broker b is named twice");
}

/* -- Bounds -- */

/* A string one byte too long is -EMSGSIZE, and one byte less is not. */
static void test_long_strings(void **state)
{
    static const uint8_t long_id[] = {0x82, 1, QUERY_REPORTS, 3, 0xd9, ID_BYTES_MAX + 1};
    uint8_t payload[8 + NAME_BYTES_MAX] = {0x82, 1, QUERY_LOOKUP, 2, 0xda, 0x02, 0x00};

    (void)state;
    memset(payload + 7, 'x', sizeof(payload) - 7);
    assert_int_equal(hear(WIRE_QUERY, payload, 7 + NAME_BYTES_MAX + 1), -EMSGSIZE);
    assert_non_null(strstr(why, "longer than 511 bytes"));
    payload[5] = 0x01;
    payload[6] = 0xff;
    assert_int_equal(hear(WIRE_QUERY, payload, 7 + NAME_BYTES_MAX), 0);
    assert_int_equal(strlen(heard.query.topic.text), NAME_BYTES_MAX);
    memcpy(payload, long_id, sizeof(long_id));
    assert_int_equal(hear(WIRE_QUERY, payload, 6 + ID_BYTES_MAX + 1), -EMSGSIZE);
    payload[5] = 0x7f;
    payload[6] = 'x';
    assert_int_equal(hear(WIRE_QUERY, payload, 6 + ID_BYTES_MAX), 0);
}

/* `n` times `row` in an array of 16 bits of count, behind `head`. */
static int hear_list(enum wire_kind kind, const char *head, size_t n_head, size_t n,
                     const char *row, size_t n_row)
{
    static uint8_t payload[MESSAGE_BYTES_MAX / 2];
    size_t at = n_head + 3;

    assert_true(at + n * n_row <= sizeof(payload));
    memcpy(payload, head, n_head);
    payload[n_head] = 0xdc;
    payload[n_head + 1] = (uint8_t)(n >> 8);
    payload[n_head + 2] = (uint8_t)n;
    for (size_t i = 0; i < n; i++, at += n_row) {
        memcpy(payload + at, row, n_row);
    }
    return hear(kind, payload, at);
}

#define HEAR_LIST(kind, head, n, row)                                                              \
    hear_list(kind, head, sizeof(head) - 1, n, row, sizeof(row) - 1)

/* A list one row too long is -EMSGSIZE. */
static void test_long_lists(void **state)
{
    (void)state;
    assert_int_equal(
        HEAR_LIST(WIRE_REPORT, "\x83" REPORT_HEAD "\x05", NODE_BROKERS_MAX + 1, "\x82" BROKER_HEAD),
        -EMSGSIZE);
    assert_string_equal(why, "brokers: more than 256");
    assert_int_equal(HEAR_LIST(WIRE_REPORT, "\x83" REPORT_HEAD "\x05\x91\x83" BROKER_HEAD "\x09",
                               REPORT_TOPICS_MAX, "\x91\xa1t"),
                     0);
    assert_int_equal(heard.report.n_topics, REPORT_TOPICS_MAX);
    assert_int_equal(HEAR_LIST(WIRE_REPORT, "\x83" REPORT_HEAD "\x05\x91\x83" BROKER_HEAD "\x09",
                               REPORT_TOPICS_MAX + 1, "\x91\xa1t"),
                     -EMSGSIZE);
    assert_int_equal(HEAR_LIST(WIRE_REPORT, "\x83" REPORT_HEAD "\x05\x91\x83" BROKER_HEAD "\x08",
                               BROKER_PEERS_MAX + 1, "\xa1p"),
                     -EMSGSIZE);
    assert_int_equal(
        HEAR_LIST(WIRE_POLL_REQUEST, "\x81\x02", RECEIPTS_PER_REQUEST_MAX, "\x93\x01\x02\x03"), 0);
    assert_int_equal(
        HEAR_LIST(WIRE_POLL_REQUEST, "\x81\x02", RECEIPTS_PER_REQUEST_MAX + 1, "\x93\x01\x02\x03"),
        -EMSGSIZE);
    assert_int_equal(HEAR_LIST(WIRE_POLL_REPLY, "\x81\x04", DECISIONS_PER_REPLY_MAX + 1,
                               "\x98\x01\x01\x01\x01\x01\xa1\x61\xa1\x62\xa1t"),
                     -EMSGSIZE);
    assert_int_equal(HEAR_LIST(WIRE_ANSWER, "\x81\x06", LIST_MAX, "\x94\xa1\x62\xa0\xa0\x01"), 0);
    assert_int_equal(heard.answer.n_brokers, LIST_MAX);
    assert_int_equal(HEAR_LIST(WIRE_ANSWER, "\x81\x06", LIST_MAX + 1, "\x94\xa1\x62\xa0\xa0\x01"),
                     -EMSGSIZE);
    assert_int_equal(
        HEAR_LIST(WIRE_FEED, "\x82\x01\x01\x04", LIST_MAX + 1, "\x94\xa1\x62\xa0\xa0\x01"),
        -EMSGSIZE);
}

/* A list for which the caller gave no memory cannot be heard, but an empty one can. */
static void test_no_memory_for_a_list(void **state)
{
    struct answer answer = {.n_brokers_max = 0};
    size_t n = message(WIRE_ANSWER, "\x81\x06\x91\x94\xa1\x62\xa0\xa0\x01", 9);

    (void)state;
    assert_int_equal(wire_get_answer(bytes, n, &answer, why), -EMSGSIZE);
    n = message(WIRE_ANSWER, "\x81\x06\x90", 3);
    assert_int_equal(wire_get_answer(bytes, n, &answer, why), 0);
}

/* Five bytes that promise gigabytes are refused wherever they stand. */
static void test_huge_counts(void **state)
{
    (void)state;
    assert_int_equal(report_kind.get((const uint8_t *)"\xdd\x0f\xff\xff\xff", 5, &heard), -EBADMSG);
    assert_int_equal(report_kind.get((const uint8_t *)"\xdd\xff\x00\x00\x00", 5, &heard), -EBADMSG);
    assert_int_equal(HEAR(WIRE_REPORT, "\xdf\xff\xff\xff\xff"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x04\xdd\xff\xff\xff\xff"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x05\xdd\xff\xff\xff\xff"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x05\x91\xdf\xff\xff\xff\xff"),
                     -EBADMSG);
    assert_int_equal(HEAR(WIRE_REPORT, "\x83" REPORT_HEAD "\x3f\xdd\xff\xff\xff\xff"), -EBADMSG);
    assert_int_equal(HEAR(WIRE_QUERY, "\x82\x01\x05\x02\xdb\xff\xff\xff\xff"), -EBADMSG);
}

/* A value of a later version may nest as deep as all messages may, and no deeper. */
static void test_depth(void **state)
{
    uint8_t payload[32] = {0x82, 0x01, 0x01, 0x3f};

    (void)state;
    memset(payload + 4, 0x91, sizeof(payload) - 4);
    payload[4 + WIRE_DEPTH_MAX - 2] = 0xc0;
    assert_int_equal(hear(WIRE_QUERY, payload, 5 + WIRE_DEPTH_MAX - 2), 0);
    payload[4 + WIRE_DEPTH_MAX - 2] = 0x91;
    payload[5 + WIRE_DEPTH_MAX - 2] = 0xc0;
    assert_int_equal(hear(WIRE_QUERY, payload, 6 + WIRE_DEPTH_MAX - 2), -EBADMSG);
}

/* -- Versions, kinds, the envelope -- */

/* A newer major version is refused in words, however different the rest of it is. */
static void test_newer_major(void **state)
{
    struct envelope envelope = {.major = 0};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(goldens); i++) {
        size_t n = read_golden(&goldens[i], bytes, sizeof(bytes));

        bytes[1] = 2;
        assert_int_equal(goldens[i].kind->get(bytes, n, &heard), -EPROTONOSUPPORT);
        assert_string_equal(why, "protocol version 2 is newer than 1, which is spoken here");
    }
    assert_int_equal(wire_get_envelope((const uint8_t *)"\x92\x07\xc1", 3, &envelope, why),
                     -EPROTONOSUPPORT);
    assert_int_equal(envelope.major, 7);
    assert_int_equal(wire_get_envelope((const uint8_t *)"\x92\xcd\x04\x00\x00", 5, &envelope, why),
                     -EPROTONOSUPPORT);
    assert_int_equal(envelope.major, 255);
    assert_int_equal(wire_get_envelope((const uint8_t *)"\x91\x07", 2, &envelope, why), -EBADMSG);
    assert_int_equal(wire_get_envelope((const uint8_t *)"\x92\x00\x00", 3, &envelope, why),
                     -EBADMSG);
    assert_int_equal(wire_get_envelope((const uint8_t *)"\x92\xa1\x32\x00", 4, &envelope, why),
                     -EBADMSG);
}

/* A newer minor version is read. */
static void test_newer_minor(void **state)
{
    struct envelope envelope;
    size_t n = read_golden(&goldens[0], bytes, sizeof(bytes));

    (void)state;
    bytes[2] = 9;
    assert_int_equal(report_kind.get(bytes, n, &heard), 0);
    assert_int_equal(wire_get_envelope(bytes, n, &envelope, why), 0);
    assert_int_equal(envelope.minor, 9);
}

/* Another kind than the one asked for is told apart from a malformed message. */
static void test_other_kind(void **state)
{
    struct envelope envelope;
    size_t n = read_golden(&goldens[0], bytes, sizeof(bytes));

    (void)state;
    assert_int_equal(query_kind.get(bytes, n, &heard), -EPROTONOSUPPORT);
    assert_string_equal(why, "a message of kind 1 where one of kind 4 belongs");
    bytes[3] = 99;
    assert_int_equal(report_kind.get(bytes, n, &heard), -EPROTONOSUPPORT);
    assert_int_equal(wire_get_envelope(bytes, n, &envelope, why), 0);
    assert_int_equal(envelope.kind, 99);
    assert_int_equal(HEAR(WIRE_FEED, "\x81\x01\x09"), -EPROTONOSUPPORT);
    assert_int_equal(HEAR(WIRE_QUERY, "\x81\x01\x09"), -EBADMSG);
    assert_string_equal(why, "verb 9 is not known here");
}

/* Numbers of a later version that are for people to see are kept. */
static void test_later_numbers(void **state)
{
    (void)state;
    assert_int_equal(HEAR(WIRE_POLL_REQUEST, "\x81\x02\x91\x93\x01\x02\x63"), 0);
    assert_int_equal(heard.poll_request.receipts[0].status, 99);
    assert_string_equal(receipt_status_name(heard.poll_request.receipts[0].status), "unknown");
    assert_int_equal(HEAR(WIRE_ANSWER, "\x81\x02\x63"), 0);
    assert_string_equal(answer_status_name(heard.answer.status), "unknown");
}

/* Who speaks is always said, and of a report and a poll also of which boot. */
static void test_speaker(void **state)
{
    /* Of 11 bytes each: the envelope as far as the payload, and the payload's map. */
    static const char bad[][12] = {
        "\x9a\x01\x00\x01\xa0\x01\x01\x01\xa0\x80\xc0", /* no sender */
        "\x9a\x01\x00\x01\xa1 \x01\x01\x01\xa0\x80",    /* a blank */
        "\x9a\x01\x00\x01\xa1n\xff\x01\x01\xa0\x80",    /* boot -1 */
        "\x9a\x01\x00\x01\xa1n\x01\x01\xff\xa0\x80",    /* before 1970 */
        "\x9a\x01\x00\x01\xa1n\x01\x01\x01\xc0\x80",    /* key_id nil */
        "\x9a\x01\x00\x01\xa1n\x01\xc3\x01\xa0\x80",    /* seq a flag */
        "\x99\x01\x00\x01\xa1n\x01\x01\x01\xa0\x80",    /* nine elements */
        "\x9b\x01\x00\x01\xa1n\x01\x01\x01\xa0\x80",    /* eleven */
    };
    static const char good[] = "\x9a\x01\x00\x01\xa1n\x01\x01\x01\xa0\x80\xc4\x00";
    struct envelope envelope;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        memcpy(bytes, good, sizeof(good));
        memcpy(bytes, bad[i], 11);
        assert_int_equal(wire_get_envelope(bytes, 13, &envelope, why), -EBADMSG);
    }
    memcpy(bytes, good, sizeof(good));
    assert_int_equal(wire_get_envelope(bytes, 13, &envelope, why), 0);
    message(WIRE_REPORT, "\x82" REPORT_HEAD, 9);
    bytes[6] = 0;
    assert_int_equal(report_kind.get(bytes, 21, &heard), -EBADMSG);
    assert_string_equal(why, "a report without boot_id or seq");
    message(WIRE_POLL_REQUEST, "\x80", 1);
    bytes[7] = 0;
    assert_int_equal(poll_request_kind.get(bytes, 13, &heard), -EBADMSG);
}

/* A key's name and a MAC have their place and are not looked at; a MAC is bytes, at most 64. */
static void test_mac(void **state)
{
    static const uint8_t head[] = {0x9a, 1, 0, 4, 0xa1, 'n', 1, 1, 1, 0xa1, 'k', 0x81, 1, 1};
    struct envelope envelope;

    (void)state;
    memcpy(bytes, head, sizeof(head));
    memset(bytes + sizeof(head), 0xff, 80);
    bytes[sizeof(head)] = 0xc4;
    bytes[sizeof(head) + 1] = 64;
    assert_int_equal(query_kind.get(bytes, sizeof(head) + 66, &heard), 0);
    assert_int_equal(wire_get_envelope(bytes, sizeof(head) + 66, &envelope, why), 0);
    assert_string_equal(envelope.key_id, "k");
    bytes[sizeof(head) + 1] = 65;
    assert_int_equal(query_kind.get(bytes, sizeof(head) + 67, &heard), -EBADMSG);
    bytes[sizeof(head)] = 0xd9;
    bytes[sizeof(head) + 1] = 1;
    assert_int_equal(query_kind.get(bytes, sizeof(head) + 3, &heard), -EBADMSG);
}

/* A hundred topics with names of 28 bytes and four rates with fractions fit 6 KB. */
static void test_size(void **state)
{
    size_t n;

    (void)state;
    clear(&said);
    said.report.interval_us = SECONDS(5);
    strcpy(report_add_broker(&said.report)->id, "nats-1");
    said.report.brokers[0].state = BROKER_UP;
    for (int i = 0; i < 100; i++) {
        struct topic_load *topic = report_add_topic(&said.report);

        (void)snprintf(topic->name.text, sizeof(topic->name.text), "account/stream-of-orders-%03d",
                       i);
        topic->movable = true;
        topic->values[TOPIC_MESSAGES_IN_PER_S] = value_of(1234.5);
        topic->values[TOPIC_BYTES_IN_PER_S] = value_of(345678.9);
        topic->values[TOPIC_MESSAGES_OUT_PER_S] = value_of(2345.6);
        topic->values[TOPIC_BYTES_OUT_PER_S] = value_of(456789.1);
        topic->values[TOPIC_STORAGE_BYTES] = value_of(3000000000);
        topic->values[TOPIC_CONSUMERS] = value_of(3);
    }
    assert_int_equal(report_kind.put(&said, bytes, sizeof(bytes), &n), 0);
    assert_in_range(n, 1, 6144);
}

/* Write what the golden messages say into a directory. */
static int write_golden(const char *directory)
{
    for (size_t i = 0; i < N_ELEMENTS(goldens); i++) {
        char path[4096];
        cleanup_fclose FILE *file = NULL;
        size_t n;

        clear(&said);
        goldens[i].say(&said);
        if (goldens[i].kind->put(&said, bytes, sizeof(bytes), &n) < 0) {
            return EXIT_FAILURE;
        }
        (void)snprintf(path, sizeof(path), "%s/%s.bin", directory, goldens[i].name);
        file = fopen(path, "wb");
        if (file == NULL || fwrite(bytes, 1, n, file) != n) {
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_is_read),
        cmocka_unit_test(test_golden_envelope),
        cmocka_unit_test(test_golden_is_written),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_mutated),
        cmocka_unit_test(test_buffer_too_small),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_precision),
        cmocka_unit_test(test_absent_values),
        cmocka_unit_test(test_bad_numbers),
        cmocka_unit_test(test_bad_nouns),
        cmocka_unit_test(test_last_words),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_strange_keys),
        cmocka_unit_test(test_long_rows),
        cmocka_unit_test(test_more_metrics),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_nothing_is_left_over),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_duplicate_keys),
        cmocka_unit_test(test_dirty_text),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_duplicate_brokers),
        cmocka_unit_test(test_long_strings),
        cmocka_unit_test(test_long_lists),
        cmocka_unit_test(test_no_memory_for_a_list),
        cmocka_unit_test(test_huge_counts),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_newer_major),
        cmocka_unit_test(test_newer_minor),
        cmocka_unit_test(test_other_kind),
        cmocka_unit_test(test_later_numbers),
        cmocka_unit_test(test_speaker),
        cmocka_unit_test(test_mac),
        cmocka_unit_test(test_size),
    };

    if (argc == 3 && strcmp(argv[1], "--write-golden") == 0) {
        return write_golden(argv[2]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
