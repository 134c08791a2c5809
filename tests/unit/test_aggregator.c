/* The aggregator's step: stories of a fleet on a virtual clock. */
#include "aggregator/aggregator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/metrics_page.h"
#include "tests/unit/fleet_language.h"

#define EPOCH 1700000000ULL
#define HOLD  SECONDS(10)
#define BOOT  1

struct story {
    struct aggregator *aggregator;
    struct aggregator_effects effects;
    time_us now_us;
    uint64_t seq, token;
};

static int setup(void **state)
{
    struct story *story = calloc(1, sizeof(*story));
    struct aggregator_settings settings = {
        .version = "test",
        .epoch = EPOCH,
        .rank = {.algorithm = RANK_WEIGHTED_COMPOSITE,
                 .weights = {.25, .20, .15, .10, .15, .10, .05}},
        .move_deadline_us = SECONDS(60),
        .poll_hold_us = HOLD,
    };

    assert_non_null(story);
    settings.fleet = usual_fleet();
    story->now_us = T0;
    story->aggregator = aggregator_new(&settings, T0);
    assert_non_null(story->aggregator);
    *state = story;
    return 0;
}

static int teardown(void **state)
{
    struct story *story = *state;

    aggregator_free(story->aggregator);
    free(story);
    return 0;
}

static void happens(struct story *story, struct aggregator_event event)
{
    event.now_us = story->now_us;
    aggregator_step(story->aggregator, &event, &story->effects);
    assert_true(story->effects.wake_at_us >= story->now_us);
}

/* `passed_us` later, woken as often as was asked for. */
static void passes(struct story *story, time_us passed_us)
{
    time_us until_us = story->now_us + passed_us;

    while (story->effects.wake_at_us < until_us) {
        story->now_us = MAX(story->now_us, story->effects.wake_at_us);
        happens(story, (struct aggregator_event){.kind = AGGREGATOR_WOKEN});
    }
    story->now_us = until_us;
}

static void reports(struct story *story, struct report *report)
{
    happens(story,
            (struct aggregator_event){.kind = AGGREGATOR_REPORTED, .report = report, .bytes = 500});
}

/* The node of the same name reports `broker`, with `topic` or none. */
static struct report *report_with(struct story *story, const char *broker, const char *topic)
{
    struct report *report = report_of(broker, BOOT, ++story->seq, story->now_us);

    with_load(with_broker(report, broker), 10, 10);
    if (topic != NULL) {
        with_topic(report, topic);
    }
    return report;
}

static void shows(struct story *story, const char *broker, const char *topic)
{
    reports(story, report_with(story, broker, topic));
}

/* The one effect of a kind that this step has for `token`, or NULL. */
static const struct aggregator_effect *effect_of(const struct story *story,
                                                 enum aggregator_effect_kind kind, uint64_t token)
{
    const struct aggregator_effect *found = NULL;

    for (size_t i = 0; i < story->effects.n; i++) {
        if (story->effects.effects[i].kind == kind && story->effects.effects[i].token == token) {
            assert_null(found);
            found = &story->effects.effects[i];
        }
    }
    return found;
}

static const struct answer *asks(struct story *story, struct query query)
{
    const struct aggregator_effect *effect;

    happens(story, (struct aggregator_event){
                       .kind = AGGREGATOR_ASKED, .query = &query, .token = ++story->token});
    effect = effect_of(story, AGGREGATOR_ANSWER, story->token);
    assert_non_null(effect);
    return effect->answer;
}

static struct query query_of(enum query_verb verb, const char *topic, const char *broker)
{
    struct query query = {.verb = verb};

    (void)name_copy(query.topic.text, sizeof(query.topic.text), topic);
    (void)name_copy(query.broker, sizeof(query.broker), broker);
    return query;
}

/* Agent `node` asks for decisions, with a receipt for `of` or none. Returns the poll's token. */
static uint64_t polls(struct story *story, const char *node, const struct decision *of,
                      enum receipt_status status)
{
    struct poll_request request = {.boot_id = BOOT};

    (void)name_copy(request.node, sizeof(request.node), node);
    if (of != NULL) {
        request.n_receipts = 1;
        request.receipts[0] =
            (struct receipt){.epoch = of->epoch, .seq = of->seq, .status = status};
    }
    happens(story, (struct aggregator_event){
                       .kind = AGGREGATOR_POLLED, .poll = &request, .token = ++story->token});
    return story->token;
}

static const struct poll_reply *reply_to(const struct story *story, uint64_t token)
{
    const struct aggregator_effect *effect = effect_of(story, AGGREGATOR_REPLY, token);

    return effect != NULL ? effect->reply : NULL;
}

static const struct feed *ranking_told(const struct story *story)
{
    for (size_t i = 0; i < story->effects.n; i++) {
        const struct aggregator_effect *effect = &story->effects.effects[i];

        if (effect->kind == AGGREGATOR_PUBLISH && effect->feed->kind == FEED_RANKING) {
            return effect->feed;
        }
    }
    return NULL;
}

static size_t n_of(const struct story *story, enum aggregator_effect_kind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < story->effects.n; i++) {
        n += story->effects.effects[i].kind == kind;
    }
    return n;
}

static const struct move *first_move(const struct story *story)
{
    return decide_find(&story->aggregator->decide, 1);
}

/* Before the first report nobody knows where topics are; afterwards a new one has a place. */
static void test_readiness(void **state)
{
    struct story *story = *state;

    assert_false(aggregator_is_ready(story->aggregator));
    assert_int_equal(asks(story, query_of(QUERY_ASSIGN, "orders", ""))->status, ANSWER_NOT_READY);
    assert_int_equal(asks(story, query_of(QUERY_LOOKUP, "orders", ""))->status, ANSWER_NOT_READY);
    assert_int_equal(asks(story, query_of(QUERY_STATUS, "", ""))->status, ANSWER_OK);
    shows(story, "a", NULL);
    assert_true(aggregator_is_ready(story->aggregator));
    assert_int_equal(asks(story, query_of(QUERY_ASSIGN, "orders", ""))->status, ANSWER_OK);
    story->now_us += 4 * INTERVAL;
    assert_int_equal(asks(story, query_of(QUERY_ASSIGN, "bills", ""))->status, ANSWER_NO_BROKER);
}

/* Between two reports, a hundred new topics spread over equal brokers: no herd. */
static void test_burst_spreads(void **state)
{
    struct story *story = *state;
    char name[8];

    for (int i = 0; i < 4; i++) {
        (void)snprintf(name, sizeof(name), "b%d", i);
        shows(story, name, NULL);
    }
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof(name), "t%d", i);
        assert_int_equal(asks(story, query_of(QUERY_ASSIGN, name, ""))->status, ANSWER_OK);
    }
    for (int i = 0; i < 4; i++) {
        (void)snprintf(name, sizeof(name), "b%d", i);
        assert_int_equal(fleet_topic_count(fleet_broker(&story->aggregator->fleet, name)), 25);
    }
}

/* The whole of a move, as agent and client see it. */
static void test_move(void **state)
{
    struct story *story = *state;
    const struct answer *answer;
    struct decision decision;
    uint64_t poll;

    shows(story, "a", "orders");
    shows(story, "b", NULL);
    poll = polls(story, "a", NULL, 0);
    assert_null(reply_to(story, poll));
    passes(story, SECONDS(2));
    answer = asks(story, query_of(QUERY_MOVE, "orders", "b"));
    assert_int_equal(answer->status, ANSWER_OK);
    assert_int_equal(answer->n_moves, 1);
    assert_int_equal(answer->moves[0].id, 1);
    assert_non_null(reply_to(story, poll)); /* at once, in the same step */
    assert_int_equal(reply_to(story, poll)->n_decisions, 1);
    assert_int_equal(reply_to(story, poll)->epoch, EPOCH);
    decision = reply_to(story, poll)->decisions[0];
    assert_int_equal(decision.expires_in_us, SECONDS(62));
    poll = polls(story, "a", &decision, RECEIPT_ACCEPTED);
    passes(story, AGGREGATOR_BUSY_HOLD_US - 1);
    assert_null(reply_to(story, poll));
    passes(story, 2); /* returned soon, so that the outcome comes soon */
    assert_int_equal(story->aggregator->polls.n, 0);
    (void)polls(story, "a", &decision, RECEIPT_SUCCEEDED);
    assert_int_equal(first_move(story)->state, MOVE_VERIFYING);
    shows(story, "b", "orders");
    assert_int_equal(first_move(story)->outcome, MOVE_MOVED);
    answer = asks(story, (struct query){.verb = QUERY_MOVES, .move_id = 1});
    assert_int_equal(answer->moves[0].outcome, MOVE_MOVED);
    assert_int_equal(asks(story, (struct query){.verb = QUERY_MOVES, .move_id = 9})->status,
                     ANSWER_NOT_FOUND);
}

/* The first reply is lost, and so are the receipts: the decision is given again with the same id,
 * and the reports tell the outcome. */
static void test_lost_messages(void **state)
{
    struct story *story = *state;
    struct decision first;
    uint64_t poll;

    shows(story, "a", "orders");
    shows(story, "b", NULL);
    (void)asks(story, query_of(QUERY_MOVE, "orders", "b"));
    poll = polls(story, "a", NULL, 0);
    first = reply_to(story, poll)->decisions[0];
    passes(story, SECONDS(3));
    poll = polls(story, "a", NULL, 0);
    assert_int_equal(reply_to(story, poll)->n_decisions, 1);
    assert_int_equal(reply_to(story, poll)->decisions[0].seq, first.seq);
    shows(story, "b", "orders");
    assert_int_equal(first_move(story)->outcome, MOVE_MOVED);
}

/* Nobody confirms: the deadline ends the move by itself, and listeners hear of it. */
static void test_deadline(void **state)
{
    struct story *story = *state;

    shows(story, "a", "orders");
    shows(story, "b", NULL);
    (void)asks(story, query_of(QUERY_MOVE, "orders", "b"));
    passes(story, SECONDS(60) - 1);
    assert_int_equal(first_move(story)->state, MOVE_PLANNED);
    passes(story, 2);
    assert_int_equal(first_move(story)->outcome, MOVE_TIMED_OUT);
    assert_int_equal(asks(story, query_of(QUERY_STATUS, "", ""))->fleet.n_moves_in_flight, 0);
}

/* A restarted agent reports as another process; its new topics' owner tells the outcome. */
static void test_agent_restart(void **state)
{
    struct story *story = *state;
    struct poll_request request = {.node = "a", .boot_id = BOOT + 1};
    struct report *report;

    shows(story, "a", "orders");
    shows(story, "b", NULL);
    (void)asks(story, query_of(QUERY_MOVE, "orders", "b"));
    (void)polls(story, "a", NULL, 0);
    passes(story, SECONDS(1));
    report = report_with(story, "a", "orders");
    report->boot_id = BOOT + 1;
    reports(story, report);
    happens(story, (struct aggregator_event){
                       .kind = AGGREGATOR_POLLED, .poll = &request, .token = ++story->token});
    assert_int_equal(first_move(story)->state, MOVE_VERIFYING);
    assert_int_equal(reply_to(story, polls(story, "a", NULL, 0))->status, POLL_REFUSED);
    passes(story, SECONDS(1));
    shows(story, "b", "orders");
    assert_int_equal(first_move(story)->outcome, MOVE_MOVED);
}

/* A poll is held, then returned empty; a newer poll of the node returns the older one at once. */
static void test_polls(void **state)
{
    struct story *story = *state;
    uint64_t older = polls(story, "unheard-of", NULL, 0), newer;

    assert_null(reply_to(story, older));
    story->now_us += SECONDS(1);
    newer = polls(story, "unheard-of", NULL, 0);
    assert_int_equal(reply_to(story, older)->status, POLL_OK);
    assert_int_equal(reply_to(story, older)->n_decisions, 0);
    assert_null(reply_to(story, newer));
    story->now_us += HOLD - 1;
    happens(story, (struct aggregator_event){.kind = AGGREGATOR_WOKEN});
    assert_null(reply_to(story, newer));
    story->now_us += 1;
    happens(story, (struct aggregator_event){.kind = AGGREGATOR_WOKEN});
    assert_int_equal(reply_to(story, newer)->n_decisions, 0);
    assert_int_equal(story->aggregator->statistics.n_polls_superseded, 1);
}

/* More polls than one step replies to are all replied to, and more than can be parked too. */
static void test_many_polls(void **state)
{
    struct story *story = *state;
    size_t n_replies = 0;
    char node[16];

    for (int i = 0; i < REQUESTS_PARKED_MAX + 5; i++) {
        (void)snprintf(node, sizeof(node), "n%d", i);
        (void)polls(story, node, NULL, 0);
        n_replies += n_of(story, AGGREGATOR_REPLY);
    }
    assert_int_equal(n_replies, 5);
    story->now_us += HOLD;
    for (int i = 0; i < REQUESTS_PARKED_MAX; i++) {
        happens(story, (struct aggregator_event){.kind = AGGREGATOR_WOKEN});
        n_replies += n_of(story, AGGREGATOR_REPLY);
        if (story->effects.wake_at_us > story->now_us) {
            break;
        }
    }
    assert_int_equal(n_replies, REQUESTS_PARKED_MAX + 5);
}

/* A report for another node's broker is refused, counted and told; the fleet stays as it was. */
static void test_owner_conflict(void **state)
{
    struct story *story = *state;
    struct report *report;
    const struct answer *answer;

    shows(story, "a", NULL);
    report = report_of("thief", BOOT, 1, story->now_us);
    with_broker(report, "a");
    reports(story, report);
    assert_int_equal(n_of(story, AGGREGATOR_LOG), 1);
    assert_string_equal(story->aggregator->lines[0].event, "report_refused");
    assert_string_equal(story->aggregator->lines[0].fields[0].text, "owner_conflict");
    answer = asks(story, query_of(QUERY_STATUS, "", ""));
    assert_int_equal(answer->fleet.n_reports, 1);
    assert_int_equal(answer->fleet.n_reports_refused, 1);
    assert_int_equal(answer->fleet.n_nodes, 1);
}

/* A changed ranking is told soon, a burst of changes once, and an unchanged one every 5 s. */
static void test_feed(void **state)
{
    struct story *story = *state;
    const struct feed *feed;

    story->now_us += SECONDS(1);
    shows(story, "a", NULL);
    feed = ranking_told(story);
    assert_non_null(feed);
    assert_int_equal(feed->n_brokers, 1);
    assert_int_equal(feed->version, 1);
    story->now_us += 1;
    shows(story, "b", NULL);
    assert_null(ranking_told(story));
    assert_int_equal(story->effects.wake_at_us, story->now_us - 1 + AGGREGATOR_FEED_LEAST_US);
    story->now_us = story->effects.wake_at_us;
    happens(story, (struct aggregator_event){.kind = AGGREGATOR_WOKEN});
    assert_int_equal(ranking_told(story)->n_brokers, 2);
    assert_int_equal(ranking_told(story)->version, 2);
    story->now_us += SECONDS(1);
    shows(story, "a", NULL);
    assert_null(ranking_told(story));
    story->now_us += SECONDS(4);
    happens(story, (struct aggregator_event){.kind = AGGREGATOR_WOKEN});
    assert_int_equal(ranking_told(story)->version, 2);
}

/* Silence changes the ranking by itself, told when it happens or as soon as the feed may. */
static void test_silence_is_told(void **state)
{
    struct story *story = *state;
    const time_us silent_us = T0 + SECONDS(1) + 3 * INTERVAL + 1;
    const struct feed *feed = NULL;

    story->now_us += SECONDS(1);
    shows(story, "a", NULL);
    for (int i = 0; i < 10 && (feed == NULL || feed->n_brokers > 0); i++) {
        story->now_us = story->effects.wake_at_us;
        happens(story, (struct aggregator_event){.kind = AGGREGATOR_WOKEN});
        feed = ranking_told(story);
    }
    assert_in_range(story->now_us, silent_us, silent_us + AGGREGATOR_FEED_LEAST_US);
    assert_int_equal(feed->n_brokers, 0);
    assert_int_equal(feed->version, 2);
}

/* Reports of all and of one broker; topics come by name, candidates with their peers. */
static void test_reports(void **state)
{
    struct story *story = *state;
    struct report *report = report_with(story, "b", "users");
    const struct answer *answer;

    with_topic(report, "bills")->candidates = 1;
    report->brokers[0].n_peers = 1;
    (void)snprintf(report->brokers[0].peers[0], sizeof(report->brokers[0].peers[0]), "a");
    reports(story, report);
    shows(story, "a", NULL);
    answer = asks(story, query_of(QUERY_REPORTS, "", ""));
    assert_int_equal(answer->n_brokers, 2);
    assert_string_equal(answer->brokers[0].id, "a");
    assert_true(answer->brokers[1].with_values);
    answer = asks(story, query_of(QUERY_REPORTS, "", "b"));
    assert_int_equal(answer->n_brokers, 1);
    assert_int_equal(answer->n_topics, 2);
    assert_string_equal(answer->topics[0].name.text, "bills");
    assert_string_equal(answer->peers[0], "a");
    assert_int_equal(asks(story, query_of(QUERY_REPORTS, "", "x"))->status, ANSWER_NOT_FOUND);
    answer = asks(story, query_of(QUERY_RANKING, "", ""));
    assert_int_equal(answer->n_brokers, 2);
    assert_true(answer->brokers[0].ranked);
    assert_false(answer->brokers[0].with_values);
}

/* What cannot be decoded still gets an answer where one is awaited, and is counted and told. */
static void test_garbled(void **state)
{
    struct story *story = *state;
    struct aggregator_event event = {.kind = AGGREGATOR_GARBLED,
                                     .socket = AGGREGATOR_QUERIES,
                                     .garbling = AGGREGATOR_MALFORMED,
                                     .token = 7,
                                     .peer = "somebody",
                                     .text = "an array of 10 was expected"};

    happens(story, event);
    assert_int_equal(effect_of(story, AGGREGATOR_ANSWER, 7)->answer->status, ANSWER_BAD_QUERY);
    event.garbling = AGGREGATOR_UNSUPPORTED;
    happens(story, event);
    assert_int_equal(effect_of(story, AGGREGATOR_ANSWER, 7)->answer->status, ANSWER_UNSUPPORTED);
    assert_string_equal(effect_of(story, AGGREGATOR_ANSWER, 7)->answer->text, event.text);
    event.socket = AGGREGATOR_DECISIONS;
    happens(story, event);
    assert_int_equal(reply_to(story, 7)->status, POLL_UNSUPPORTED);
    event.socket = AGGREGATOR_REPORTS;
    happens(story, event);
    assert_int_equal(n_of(story, AGGREGATOR_ANSWER) + n_of(story, AGGREGATOR_REPLY), 0);
    assert_int_equal(n_of(story, AGGREGATOR_LOG), 1);
    assert_int_equal(asks(story, query_of(QUERY_STATUS, "", ""))->fleet.n_reports_refused, 1);
}

/* A decision refused as old raises our epoch above the one seen; one beyond reason is refused. */
static void test_epoch(void **state)
{
    struct story *story = *state;
    struct poll_request request = {
        .node = "a", .boot_id = BOOT, .epoch_seen = EPOCH + 7, .n_receipts = 1};
    struct aggregator_event event = {.kind = AGGREGATOR_POLLED, .poll = &request, .token = 1};

    request.receipts[0] = (struct receipt){.epoch = EPOCH, .seq = 1, .status = RECEIPT_OLD_EPOCH};
    happens(story, event);
    assert_int_equal(asks(story, query_of(QUERY_STATUS, "", ""))->fleet.epoch, EPOCH + 8);
    request.epoch_seen = UINT64_MAX;
    event.token = 2;
    happens(story, event);
    assert_int_equal(reply_to(story, 2)->status, POLL_REFUSED);
    assert_int_equal(story->aggregator->statistics.n_epochs_refused, 1);
}

/* More moves than one step tells of are all told of, each step of each. */
static void test_all_moves_are_told(void **state)
{
    struct story *story = *state;
    struct report *report = report_with(story, "a", NULL);
    size_t n_told = 0;
    char name[8];

    for (int i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof(name), "t%d", i);
        with_topic(report, name);
    }
    reports(story, report);
    shows(story, "b", NULL);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof(name), "t%d", i);
        assert_int_equal(asks(story, query_of(QUERY_MOVE, name, "b"))->status, ANSWER_OK);
    }
    story->now_us += SECONDS(60);
    for (int i = 0; i < 5; i++) {
        happens(story, (struct aggregator_event){.kind = AGGREGATOR_WOKEN});
        n_told += n_of(story, AGGREGATOR_LOG);
    }
    assert_int_equal(n_told, 40);
    assert_int_equal(story->aggregator->decide.n_outcomes[MOVE_TIMED_OUT], 40);
}

/* The metrics page names the fleet's numbers, and shows none of a silent broker. */
static void test_metrics_page(void **state)
{
    struct story *story = *state;
    struct metrics_shell shell = {
        .nng_version = "1.5.2", .n_links = 1, .links = {{.name = "reports"}}};
    static char bytes[64 * 1024];
    struct buffer page = buffer_over(bytes, sizeof(bytes) - 1);

    shows(story, "a", "orders");
    metrics_page(story->aggregator, &shell, &page);
    assert_false(page.overflowed);
    bytes[page.n] = '\0';
    assert_non_null(strstr(bytes, "evenkeel_brokers{state=\"fresh\"} 1\n"));
    assert_non_null(strstr(bytes, "evenkeel_broker_cpu_ratio{broker=\"a\"} 0.1\n"));
    assert_non_null(strstr(bytes, "evenkeel_reports_accepted_total 1\n"));
    assert_non_null(strstr(bytes, "evenkeel_reports_refused_total{reason=\"late\"} 0\n"));
    story->now_us += 4 * INTERVAL;
    happens(story, (struct aggregator_event){.kind = AGGREGATOR_WOKEN});
    page = buffer_over(bytes, sizeof(bytes) - 1);
    metrics_page(story->aggregator, &shell, &page);
    bytes[page.n] = '\0';
    assert_non_null(strstr(bytes, "evenkeel_brokers{state=\"stale\"} 1\n"));
    assert_null(strstr(bytes, "evenkeel_broker_cpu_ratio{"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_readiness, setup, teardown),
        cmocka_unit_test_setup_teardown(test_burst_spreads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_move, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_agent_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_polls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_polls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_owner_conflict, setup, teardown),
        cmocka_unit_test_setup_teardown(test_feed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silence_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reports, setup, teardown),
        cmocka_unit_test_setup_teardown(test_garbled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_epoch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_moves_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_metrics_page, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
