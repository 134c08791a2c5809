/* Links between good peers: asking, answering, reconnecting, cutting off, keeping in order. */
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/stat.h>

#include "tests/integration/link_bed.h"

#define N_ASKERS 500

/* An answering link at a free port and `n` asking links that have asked "0", "1", …. */
struct bed {
    uint16_t port;
    struct link *answer;
    struct link *ask[N_ASKERS];
    size_t n;
};

static struct bed *make_bed(size_t n)
{
    struct bed *bed = calloc(1, sizeof(*bed));
    char text[24];
    size_t i;

    assert_non_null(bed);
    bed->port = free_port();
    bed->answer = open_link(LINK_ANSWER, url_of(bed->port));
    bed->n = n;
    for (i = 0; i < n; i++) {
        bed->ask[i] = open_link(LINK_ASK, url_of(bed->port));
        (void)snprintf(text, sizeof(text), "%zu", i);
        ask_soon(bed->ask[i], text, SECONDS(20));
    }
    return bed;
}

static void drop_bed(struct bed *bed)
{
    size_t i;

    for (i = 0; i < bed->n; i++) {
        link_close(bed->ask[i]);
    }
    link_close(bed->answer);
    free(bed);
}

/* 500 requests are parked and answered in the reverse order, each with its own text. */
static void test_answers_come_in_any_order(void **state)
{
    static struct link_message parked[N_ASKERS];
    static char texts[N_ASKERS][16];
    struct bed *bed = make_bed(N_ASKERS);
    struct link_message message;
    size_t i;

    (void)state;
    for (i = 0; i < N_ASKERS; i++) {
        assert_int_equal(receive_soon(bed->answer, &parked[i]), 0);
        (void)snprintf(texts[i], sizeof(texts[i]), "%.*s", (int)parked[i].n,
                       (const char *)parked[i].bytes);
    }
    for (i = N_ASKERS; i-- > 0;) {
        assert_int_equal(
            link_answer(bed->answer, parked[i].request, (uint8_t *)texts[i], strlen(texts[i])), 0);
    }
    for (i = 0; i < N_ASKERS; i++) {
        assert_int_equal(receive_soon(bed->ask[i], &message), 0);
        assert_int_equal(strtol((const char *)message.bytes, NULL, 10), i);
    }
    assert_int_equal(statistics_of(bed->answer).n_dropped, 0);
    drop_bed(bed);
}

/* A request can be answered once; one that was dropped, or never was, not at all. */
static void test_an_answer_counts_once(void **state)
{
    struct bed *bed = make_bed(2);
    struct link_message first;
    struct link_message second;

    (void)state;
    assert_int_equal(receive_soon(bed->answer, &first), 0);
    assert_int_equal(receive_soon(bed->answer, &second), 0);
    assert_int_not_equal(first.request, second.request);
    assert_int_equal(link_answer(bed->answer, first.request, NULL, 0), 0);
    assert_int_equal(link_answer(bed->answer, first.request, NULL, 0), -ENOTCONN);
    link_drop(bed->answer, second.request);
    link_drop(bed->answer, second.request);
    assert_int_equal(link_answer(bed->answer, second.request, NULL, 0), -ENOTCONN);
    assert_int_equal(link_answer(bed->answer, 0, NULL, 0), -ENOTCONN);
    assert_int_equal(link_answer(bed->answer, UINT64_MAX, NULL, 0), -ENOTCONN);
    drop_bed(bed);
}

/* A request whose peer has gone is forgotten, and its answer finds nobody. */
static void test_a_gone_peer_is_not_answered(void **state)
{
    struct bed *bed = make_bed(2);
    struct link_message first;
    struct link_message second;

    (void)state;
    assert_int_equal(receive_soon(bed->answer, &first), 0);
    assert_int_equal(receive_soon(bed->answer, &second), 0);
    link_close(bed->ask[0]);
    link_close(bed->ask[1]);
    bed->n = 0;
    UNTIL(link_n_pipes(bed->answer) == 0, 5);
    assert_int_equal(link_answer(bed->answer, first.request, NULL, 0), -ENOTCONN);
    link_sweep(bed->answer, clock_now_us());
    assert_int_equal(statistics_of(bed->answer).n_dropped, 2);
    assert_int_equal(link_answer(bed->answer, second.request, NULL, 0), -ENOTCONN);
    drop_bed(bed);
}

/* The listener closes before it replies: the descriptor tells, and the error says why. */
static void test_a_lost_peer_is_told_at_once(void **state)
{
    struct bed *bed = make_bed(1);
    struct link_message message;
    time_us before_us;

    (void)state;
    assert_int_equal(receive_soon(bed->answer, &message), 0);
    while (link_receive(bed->ask[0], &message) == 0) {
    }
    before_us = clock_now_us();
    link_close(bed->answer);
    bed->answer = NULL;
    assert_true(is_readable(bed->ask[0], 1000));
    assert_int_equal(receive_soon(bed->ask[0], &message), -ECONNRESET);
    assert_true(clock_now_us() - before_us < SECONDS(1));
    assert_int_equal(link_ask(bed->ask[0], NULL, 0, SECONDS(1)), -EAGAIN);
    drop_bed(bed);
}

/* The same when the peer's machine answers with a reset in the middle of a request. */
static void test_a_reset_is_told_at_once(void **state)
{
    uint16_t port = free_port();
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct linger reset = {.l_onoff = 1};
    struct link_message message;
    uint8_t bytes[64];
    struct link *ask;
    int listener;
    int fd;

    (void)state;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(bind(listener, (struct sockaddr *)&address, sizeof(address)), errno);
    assert_return_code(listen(listener, 1), errno);
    ask = open_link(LINK_ASK, url_of(port));
    fd = accept(listener, NULL, NULL);
    raw_hello(fd, SP_REP);
    ask_soon(ask, "?", SECONDS(20));
    assert_int_equal(recv(fd, bytes, 8 + 8 + 4 + 1, MSG_WAITALL), 21);
    assert_int_equal(link_receive(ask, &message), -EAGAIN);
    assert_return_code(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), errno);
    (void)close(fd);
    (void)close(listener);
    assert_true(is_readable(ask, 1000));
    assert_int_equal(link_receive(ask, &message), -ECONNRESET);
    link_close(ask);
}

/* The listener comes back: connected again within 3 s, and asked again. */
static void test_it_reconnects(void **state)
{
    struct bed *bed = make_bed(1);
    struct link_message message;
    int fd = link_fd(bed->ask[0]);

    (void)state;
    link_close(bed->answer);
    assert_int_equal(receive_soon(bed->ask[0], &message), -ECONNRESET);
    (void)poll(NULL, 0, 1500);
    bed->answer = open_link(LINK_ANSWER, url_of(bed->port));
    UNTIL(link_n_pipes(bed->ask[0]) == 1, 3);
    ask_soon(bed->ask[0], "again", SECONDS(5));
    assert_int_equal(receive_soon(bed->answer, &message), 0);
    assert_text(&message, "again");
    assert_int_equal(link_fd(bed->ask[0]), fd);
    drop_bed(bed);
}

/* An overdue reply is told in time, comes too late for anybody, and the next ask gets its own. */
static void test_an_overdue_reply_is_not_the_next_one(void **state)
{
    struct bed *bed = make_bed(0);
    struct link *ask = open_link(LINK_ASK, url_of(bed->port));
    int fd = link_fd(ask);
    struct link_message message;
    time_us before_us;
    int i;

    (void)state;
    for (i = 0; i < 5; i++) {
        before_us = clock_now_us();
        ask_soon(ask, "late", MILLISECONDS(100));
        assert_int_equal(link_ask(ask, NULL, 0, SECONDS(1)), -EBUSY);
        assert_int_equal(receive_soon(bed->answer, &message), 0);
        link_request late = message.request;
        assert_int_equal(receive_soon(ask, &message), -ETIMEDOUT);
        assert_true(clock_now_us() - before_us >= MILLISECONDS(99));
        assert_true(clock_now_us() - before_us < SECONDS(2));
        (void)link_answer(bed->answer, late, (const uint8_t *)"too late", 8);
        ask_soon(ask, "next", SECONDS(5));
        assert_int_equal(receive_soon(bed->answer, &message), 0);
        assert_text(&message, "next");
        assert_int_equal(link_answer(bed->answer, message.request, (const uint8_t *)"right", 5), 0);
        assert_int_equal(receive_soon(ask, &message), 0);
        assert_text(&message, "right");
    }
    assert_int_equal(link_fd(ask), fd);
    UNTIL(link_n_pipes(bed->answer) == 1, 5);
    link_close(ask);
    drop_bed(bed);
}

static time_us cpu_used_us(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * US_PER_S + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
}

/* With nobody there an ask says so at once, and waiting for somebody costs next to nothing. */
static void test_nobody_there_costs_nothing(void **state)
{
    struct link *ask = open_link(LINK_ASK, url_of(free_port()));
    struct link *reports = open_link(LINK_REPORTS_OUT, url_of(free_port()));
    time_us before_us = cpu_used_us();
    int i;

    (void)state;
    for (i = 0; i < 20; i++) {
        assert_int_equal(link_ask(ask, (const uint8_t *)"?", 1, SECONDS(1)), -EAGAIN);
        assert_int_equal(link_send(reports, (const uint8_t *)"!", 1), 0);
        link_sweep(ask, clock_now_us());
        assert_false(is_readable(ask, 100));
    }
    assert_int_equal(link_n_pipes(ask), 0);
    assert_true(cpu_used_us() - before_us < MILLISECONDS(100)); /* of 2 s */
    link_close(ask);
    link_close(reports);
}

#define N_ROUND_TRIPS 10000

static void *answer_many(void *arg)
{
    struct link *answer = arg;
    struct link_message message;
    int i;

    for (i = 0; i < N_ROUND_TRIPS; i++) {
        assert_int_equal(receive_soon(answer, &message), 0);
        assert_int_equal(link_answer(answer, message.request, message.bytes, message.n), 0);
    }
    return NULL;
}

/* The next request may be sent as soon as the reply is there, thousands of times in a row. */
static void test_round_after_round(void **state)
{
    struct bed *bed = make_bed(0);
    struct link *ask = open_link(LINK_ASK, url_of(bed->port));
    struct link_message message;
    pthread_t thread;
    char text[16];
    int i;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, answer_many, bed->answer), 0);
    ask_soon(ask, "0", SECONDS(5));
    for (i = 1; i <= N_ROUND_TRIPS; i++) {
        assert_int_equal(receive_soon(ask, &message), 0);
        (void)snprintf(text, sizeof(text), "%d", i - 1);
        assert_text(&message, text);
        if (i < N_ROUND_TRIPS) {
            (void)snprintf(text, sizeof(text), "%d", i);
            assert_int_equal(link_ask(ask, (const uint8_t *)text, strlen(text), SECONDS(5)), 0);
        }
    }
    (void)pthread_join(thread, NULL);
    link_close(ask);
    drop_bed(bed);
}

/* Kicking one connection ends that one and no other, though both ends of all are in this process.
 */
static void test_a_kick_hits_one(void **state)
{
    struct bed *bed = make_bed(3);
    struct link_message parked[3];
    struct link_message message;
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++) {
        assert_int_equal(receive_soon(bed->answer, &parked[i]), 0);
        parked[i].n = (size_t)(parked[i].bytes[0] - '0'); /* who asked */
    }
    link_kick(bed->answer, parked[1].pipe);
    assert_int_equal(receive_soon(bed->ask[parked[1].n], &message), -ECONNRESET);
    assert_int_equal(link_answer(bed->answer, parked[0].request, NULL, 0), 0);
    assert_int_equal(link_answer(bed->answer, parked[2].request, NULL, 0), 0);
    assert_int_equal(receive_soon(bed->ask[parked[0].n], &message), 0);
    assert_int_equal(receive_soon(bed->ask[parked[2].n], &message), 0);
    assert_int_equal(statistics_of(bed->answer).n_kicked, 1);
    UNTIL(statistics_of(bed->answer).n_disconnected == 1, 5);
    link_kick(bed->answer, parked[1].pipe);
    assert_int_equal(statistics_of(bed->answer).n_kicked, 1);
    UNTIL(link_n_pipes(bed->ask[parked[1].n]) == 1, 5);
    drop_bed(bed);
}

/* Over ipc a kick hits the peer's process, and an overdue reply cuts the connection, too. */
static void test_cuts_over_ipc(void **state)
{
    char directory[] = "/tmp/evenkeel-test-XXXXXX";
    char url[sizeof(directory) + 16];
    struct link_message message;
    struct link *answer;
    struct link *ask;

    (void)state;
    assert_non_null(mkdtemp(directory));
    (void)snprintf(url, sizeof(url), "ipc://%s/s", directory);
    answer = open_link(LINK_ANSWER, url);
    ask = open_link(LINK_ASK, url);
    ask_soon(ask, "?", SECONDS(20));
    assert_int_equal(receive_soon(answer, &message), 0);
    link_kick(answer, message.pipe);
    assert_int_equal(receive_soon(ask, &message), -ECONNRESET);
    assert_int_equal(statistics_of(answer).n_kicked, 1);
    ask_soon(ask, "late", MILLISECONDS(50));
    assert_int_equal(receive_soon(ask, &message), -ETIMEDOUT);
    UNTIL(statistics_of(ask).n_disconnected == 2, 5);
    UNTIL(link_n_pipes(ask) == 1, 5);
    link_close(ask);
    link_close(answer);
    assert_return_code(rmdir(directory), errno);
}

/* Of two connections the one whose messages are good stays, the silent one is shut down. */
static void test_the_silent_are_swept(void **state)
{
    struct link_options options = {.silent_us_max = SECONDS(30)};
    uint16_t port = free_port();
    struct link_message message;
    struct link *reports;
    struct link *out;
    int silent;

    (void)state;
    assert_int_equal(link_open(LINK_REPORTS_IN, url_of(port), &options, &reports), 0);
    out = open_link(LINK_REPORTS_OUT, url_of(port));
    silent = raw_peer(port, SP_PUB);
    UNTIL(link_n_pipes(reports) == 2 && link_n_pipes(out) == 1, 5);
    link_sweep(reports, SECONDS(100));
    assert_int_equal(link_send(out, (const uint8_t *)"good", 4), 0);
    raw_message(silent, "bad", 3);
    assert_int_equal(receive_soon(reports, &message), 0);
    if (message.n == 4) {
        link_vouch(reports, message.pipe);
    }
    assert_int_equal(receive_soon(reports, &message), 0);
    if (message.n == 4) {
        link_vouch(reports, message.pipe);
    }
    link_sweep(reports, SECONDS(120));
    link_sweep(reports, SECONDS(130));
    assert_int_equal(statistics_of(reports).n_swept, 0);
    link_sweep(reports, SECONDS(131));
    assert_int_equal(statistics_of(reports).n_swept, 1);
    assert_true(raw_is_ended(silent));
    UNTIL(link_n_pipes(reports) == 1, 5);
    link_sweep(reports, SECONDS(150));
    assert_int_equal(statistics_of(reports).n_swept, 1);
    assert_int_equal(link_n_pipes(out), 1);
    (void)close(silent);
    link_close(out);
    link_close(reports);
}

static size_t count_tuned(void)
{
    size_t n_tuned = 0;
    socklen_t n;
    int value;
    int fd;

    for (fd = 0; fd < 256; fd++) {
        n = sizeof(value);
        value = 0;
        if (getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &n) == 0 && value == 6000) {
            n = sizeof(value);
            assert_return_code(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &n), errno);
            assert_int_equal(value, 1);
            n_tuned++;
        }
    }
    return n_tuned;
}

/* A sweep tunes new connections: of the listener, then of the dialer. */
static void test_a_sweep_tunes(void **state)
{
    struct bed *bed = make_bed(2);

    (void)state;
    UNTIL(link_n_pipes(bed->answer) == 2, 5);
    assert_int_equal(count_tuned(), 0);
    link_sweep(bed->answer, clock_now_us());
    assert_int_equal(count_tuned(), 2);
    link_sweep(bed->ask[0], clock_now_us());
    assert_int_equal(count_tuned(), 3);
    drop_bed(bed);
}

/* The feed reaches every listener that is there, over each transport. */
static void test_the_feed(void **state)
{
    const char *urls[] = {"inproc://feed", "ipc:///tmp/evenkeel-test-feed", url_of(free_port())};
    struct link_message message;
    struct link *out;
    struct link *in;
    size_t i;

    (void)state;
    for (i = 0; i < N_ELEMENTS(urls); i++) {
        out = open_link(LINK_FEED_OUT, urls[i]);
        in = open_link(LINK_FEED_IN, urls[i]);
        assert_int_equal(link_fd(out), -1);
        UNTIL(link_n_pipes(out) == 1, 5);
        assert_int_equal(link_receive(in, &message), -EAGAIN);
        assert_int_equal(link_send(out, (const uint8_t *)"news", 4), 0);
        assert_true(is_readable(in, 5000));
        assert_int_equal(receive_soon(in, &message), 0);
        assert_text(&message, "news");
        assert_false(is_readable(in, 0));
        link_close(in);
        link_close(out);
    }
}

/* What cannot be opened says why, and costs nothing. */
static void test_refusals(void **state)
{
    uint16_t port = free_port();
    struct link *link = NULL;
    struct link *other = NULL;

    (void)state;
    assert_int_equal(link_open(LINK_ASK, "ws://127.0.0.1:80/", NULL, &other), -EINVAL);
    assert_int_equal(link_open(LINK_ASK, "tcp:/127.0.0.1:80", NULL, &other), -EINVAL);
    assert_int_equal(link_open(LINK_ASK, "", NULL, &other), -EINVAL);
    assert_int_equal(link_open(LINK_ANSWER, "tcp://127.0.0.1:123456", NULL, &other), -EINVAL);
    link = open_link(LINK_ANSWER, url_of(port));
    assert_int_equal(link_open(LINK_REPORTS_IN, url_of(port), NULL, &other), -EADDRINUSE);
    assert_null(other);
    link_close(NULL);
    link_close(link);
    link_close(open_link(LINK_ANSWER, url_of(port)));
    assert_int_equal(link_library_is_defective(), strncmp(link_library_version(), "1.5", 3) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sweep_tunes),
        cmocka_unit_test(test_answers_come_in_any_order),
        cmocka_unit_test(test_an_answer_counts_once),
        cmocka_unit_test(test_a_gone_peer_is_not_answered),
        cmocka_unit_test(test_a_lost_peer_is_told_at_once),
        cmocka_unit_test(test_a_reset_is_told_at_once),
        cmocka_unit_test(test_it_reconnects),
        cmocka_unit_test(test_an_overdue_reply_is_not_the_next_one),
        cmocka_unit_test(test_nobody_there_costs_nothing),
        cmocka_unit_test(test_round_after_round),
        cmocka_unit_test(test_a_kick_hits_one),
        cmocka_unit_test(test_cuts_over_ipc),
        cmocka_unit_test(test_the_silent_are_swept),
        cmocka_unit_test(test_the_feed),
        cmocka_unit_test(test_refusals),
    };

    raise_descriptors();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
