/* Strangers on a listening port: what they send costs them their connection, not us. */
#include "tests/integration/link_bed.h"

/* The address sanitizer keeps freed memory for a while. */
#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_FACTOR 4
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEMORY_FACTOR 4
#endif
#endif
#ifndef MEMORY_FACTOR
#define MEMORY_FACTOR 1
#endif

#define N_SILENT 1000
#define N_KICKS  300

/* It announces 100 bytes, and has 3. */
static const uint8_t half_message[] = {0, 0, 0, 0, 0, 0, 0, 100, 0x80, 0, 0};

/* An answering link and one good client of it. */
struct bed {
    uint16_t port;
    struct link *answer;
    struct link *ask;
};

static struct bed make_bed(const struct link_options *options)
{
    struct bed bed = {.port = free_port()};

    assert_int_equal(link_open(LINK_ANSWER, url_of(bed.port), options, &bed.answer), 0);
    bed.ask = open_link(LINK_ASK, url_of(bed.port));
    UNTIL(link_n_pipes(bed.ask) == 1 && link_n_pipes(bed.answer) == 1, 5);
    return bed;
}

static void drop_bed(const struct bed *bed)
{
    link_close(bed->ask);
    link_close(bed->answer);
}

/* The good client is served, whatever else comes in (and is answered, too). */
static void assert_served(const struct bed *bed)
{
    time_us deadline_us = clock_now_us() + SECONDS(5);
    struct link_message message = {0};
    int r = -EAGAIN;

    ask_soon(bed->ask, "good", SECONDS(5));
    while (r == -EAGAIN && clock_now_us() < deadline_us) {
        if (link_receive(bed->answer, &message) == 0) {
            (void)link_answer(bed->answer, message.request, message.bytes, message.n);
        } else {
            (void)is_readable(bed->ask, 1);
        }
        r = link_receive(bed->ask, &message);
    }
    assert_int_equal(r, 0);
    assert_text(&message, "good");
}

static long memory_kb(void)
{
    long pages = 0;
    FILE *file;

    file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
    (void)fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* A message over the limit ends its sender's connection; one at the limit is received. */
static void test_an_overlong_message(void **state)
{
    static uint8_t bytes[1001] = {0x80};
    struct bed bed = make_bed(&(struct link_options){.receive_bytes_max = 1000});
    struct link_message message;
    int fd = raw_peer(bed.port, SP_REQ);

    (void)state;
    raw_message(fd, bytes, 1000);
    assert_int_equal(receive_soon(bed.answer, &message), 0);
    assert_int_equal(message.n, 996);
    raw_message(fd, bytes, 1001);
    assert_true(raw_is_ended(fd));
    (void)close(fd);
    assert_served(&bed);
    drop_bed(&bed);
}

/* Announcing the largest length there is costs its sender the connection, and us nothing. */
static void test_a_huge_length(void **state)
{
    const uint8_t huge[8] = {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct bed bed = make_bed(NULL);
    long before_kb = memory_kb();
    int fds[50];
    size_t i;

    (void)state;
    for (i = 0; i < N_ELEMENTS(fds); i++) {
        fds[i] = raw_peer(bed.port, SP_REQ);
        raw_write(fds[i], huge, sizeof(huge));
    }
    for (i = 0; i < N_ELEMENTS(fds); i++) {
        assert_true(raw_is_ended(fds[i]));
        (void)close(fds[i]);
    }
    assert_true(memory_kb() - before_kb < 8192);
    assert_served(&bed);
    drop_bed(&bed);
}

/* One connection more than allowed is rejected, and the others live on. */
static void test_one_connection_too_many(void **state)
{
    struct bed bed = make_bed(&(struct link_options){.pipes_max = 3});
    int fds[5];
    size_t i;

    (void)state;
    fds[0] = raw_peer(bed.port, SP_REQ);
    fds[1] = raw_peer(bed.port, SP_REQ);
    UNTIL(link_n_pipes(bed.answer) == 3, 5);
    for (i = 2; i < 5; i++) {
        fds[i] = raw_connect(bed.port);
        raw_hello(fds[i], SP_REQ);
        assert_true(raw_is_ended(fds[i]));
    }
    assert_int_equal(statistics_of(bed.answer).n_rejected, 3);
    assert_int_equal(link_n_pipes(bed.answer), 3);
    assert_served(&bed);
    for (i = 0; i < 5; i++) {
        (void)close(fds[i]);
    }
    UNTIL(link_n_pipes(bed.answer) == 1, 5);
    drop_bed(&bed);
}

/* Garbage, half a hello, another protocol, half a message, a request without its number. */
static void test_garbage(void **state)
{
    struct bed bed = make_bed(NULL);
    uint8_t noise[256];
    int fds[50];
    size_t i;
    size_t j;

    (void)state;
    for (i = 0; i < N_ELEMENTS(fds); i++) {
        for (j = 0; j < sizeof(noise); j++) {
            noise[j] = (uint8_t)clock_random();
        }
        fds[i] = i % 5 < 3 ? raw_connect(bed.port) : raw_peer(bed.port, SP_REQ);
        switch (i % 5) {
        case 0:
            raw_write(fds[i], noise, sizeof(noise));
            break;
        case 1:
            raw_write(fds[i], "\0SP", 3);
            break;
        case 2:
            raw_hello(fds[i], SP_PUB);
            break;
        case 3:
            raw_write(fds[i], half_message, sizeof(half_message));
            break;
        default:
            raw_message(fds[i], "x", 1);
            break;
        }
    }
    assert_served(&bed);
    for (i = 0; i < N_ELEMENTS(fds); i++) {
        assert_true(i % 5 == 1 || i % 5 == 3 || raw_is_ended(fds[i]));
        (void)close(fds[i]);
    }
    assert_served(&bed);
    UNTIL(link_n_pipes(bed.answer) == 1, 5);
    drop_bed(&bed);
}

/* A thousand that say hello and no more: little memory, and all are swept, but the good one. */
static void test_a_thousand_silent_connections(void **state)
{
    struct bed bed = make_bed(&(struct link_options){.silent_us_max = SECONDS(15)});
    static int fds[N_SILENT];
    struct link_message message;
    long before_kb = memory_kb();
    size_t i;

    (void)state;
    for (i = 0; i < N_SILENT; i++) {
        fds[i] = raw_connect(bed.port);
        raw_hello(fds[i], SP_REQ);
    }
    UNTIL(link_n_pipes(bed.answer) == N_SILENT + 1, 10);
    assert_true(memory_kb() - before_kb < 32768 * MEMORY_FACTOR);
    assert_served(&bed);
    link_sweep(bed.answer, SECONDS(1000));
    ask_soon(bed.ask, "good", SECONDS(5));
    assert_int_equal(receive_soon(bed.answer, &message), 0);
    link_vouch(bed.answer, message.pipe);
    assert_int_equal(link_answer(bed.answer, message.request, NULL, 0), 0);
    link_sweep(bed.answer, SECONDS(1010));
    link_sweep(bed.answer, SECONDS(1020));
    assert_int_equal(statistics_of(bed.answer).n_swept, N_SILENT);
    UNTIL(link_n_pipes(bed.answer) == 1, 5);
    assert_int_equal(receive_soon(bed.ask, &message), 0);
    assert_served(&bed);
    for (i = 0; i < N_SILENT; i++) {
        (void)close(fds[i]);
    }
    drop_bed(&bed);
}

/* One that sends many requests and waits: 32 are kept, its oldest go, everybody else's stay. */
static void test_a_greedy_client(void **state)
{
    struct bed bed = make_bed(NULL);
    struct link_message first = {0};
    struct link_message message;
    struct link_message good;
    int fd = raw_peer(bed.port, SP_REQ);
    uint32_t i;

    (void)state;
    ask_soon(bed.ask, "good", SECONDS(20));
    assert_int_equal(receive_soon(bed.answer, &good), 0);
    for (i = 0; i < 100; i++) {
        raw_request(fd, i);
        assert_int_equal(receive_soon(bed.answer, &message), 0);
        first = i == 0 ? message : first;
    }
    assert_int_equal(statistics_of(bed.answer).n_dropped, 100 - 32);
    assert_int_equal(link_answer(bed.answer, first.request, NULL, 0), -ENOTCONN);
    assert_int_equal(link_answer(bed.answer, message.request, NULL, 0), 0);
    assert_int_equal(link_answer(bed.answer, good.request, NULL, 0), 0);
    assert_int_equal(receive_soon(bed.ask, &message), 0);
    (void)close(fd);
    drop_bed(&bed);
}

/* One that asks and never reads: 32 answers are kept for it, then it is not heard any more, and the
 * kernel ends its connection, for the sweep has said so. */
static void test_one_that_never_reads(void **state)
{
    static uint8_t answer[500000];
    struct bed bed = make_bed(NULL);
    struct link_message message;
    long before_kb = memory_kb();
    uint32_t n_answered = 0;
    uint32_t i;
    int fd = raw_peer(bed.port, SP_REQ);

    (void)state;
    UNTIL(link_n_pipes(bed.answer) == 2, 5);
    link_sweep(bed.answer, clock_now_us());
    for (i = 0; i < 200; i++) {
        raw_request(fd, i);
    }
    while (is_readable(bed.answer, 200)) {
        if (link_receive(bed.answer, &message) == 0) {
            assert_int_equal(link_answer(bed.answer, message.request, answer, sizeof(answer)), 0);
            n_answered++;
        }
    }
    assert_in_range(n_answered, 32, 100); /* the kernel takes some */
    assert_true(memory_kb() - before_kb < 500 * (32 + 2) * MEMORY_FACTOR);
    assert_served(&bed);
    UNTIL(link_n_pipes(bed.answer) == 1, 20);
    (void)close(fd);
    assert_served(&bed);
    drop_bed(&bed);
}

/* 300 connections are kicked in the middle of a message: each ends, and the reaper is well. */
static void test_many_kicks(void **state)
{
    struct bed bed = make_bed(NULL);
    struct link_message message;
    uint32_t i;
    int fd;

    (void)state;
    for (i = 0; i < N_KICKS; i++) {
        fd = raw_peer(bed.port, SP_REQ);
        raw_request(fd, i);
        assert_int_equal(receive_soon(bed.answer, &message), 0);
        raw_write(fd, half_message, sizeof(half_message));
        link_kick(bed.answer, message.pipe);
        assert_true(raw_is_ended(fd));
        (void)close(fd);
    }
    assert_int_equal(statistics_of(bed.answer).n_kicked, N_KICKS);
    UNTIL(link_n_pipes(bed.answer) == 1, 5);
    assert_served(&bed);
    drop_bed(&bed);
    assert_true(link_canary_is_alive());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_overlong_message),
        cmocka_unit_test(test_a_huge_length),
        cmocka_unit_test(test_one_connection_too_many),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_a_thousand_silent_connections),
        cmocka_unit_test(test_a_greedy_client),
        cmocka_unit_test(test_many_kicks),
        cmocka_unit_test(test_one_that_never_reads),
    };

    raise_descriptors();
    (void)link_canary_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
