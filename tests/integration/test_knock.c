/* Knocking, and links that dial only while somebody answers. */
#include "common/knock.h"
#include "tests/integration/link_bed.h"

/* A socket that listens, and never accepts. */
static int listen_on(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_return_code(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), errno);
    assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof(address)), errno);
    assert_return_code(listen(fd, 8), errno);
    return fd;
}

/* The answer, asked for until there is one. */
static enum knock_answer answer_of(struct knock *knock)
{
    enum knock_answer answer = KNOCK_WAITING;

    UNTIL((answer = knock_at(knock)) != KNOCK_WAITING, 5);
    return answer;
}

/* A port is closed until somebody listens, and again after; no descriptor stays. */
static void test_answers(void **state)
{
    const uint16_t port = free_port();
    struct knock knock;
    int fd;

    (void)state;
    knock_init(&knock, url_of(port));
    assert_true(knock_is_possible(&knock));
    assert_int_equal(answer_of(&knock), KNOCK_CLOSED);
    fd = listen_on(port);
    assert_int_equal(answer_of(&knock), KNOCK_OPEN);
    (void)close(fd);
    assert_int_equal(answer_of(&knock), KNOCK_CLOSED);
    assert_int_equal(knock.fd, -1);
}

/* Only numeric hosts over tcp: everything else would have to be looked up, or is no host. */
static void test_possible(void **state)
{
    static const char *const possible[] = {"tcp://127.0.0.1:1", "tcp://[::1]:7701"};
    static const char *const impossible[] = {
        "tcp://localhost:1", "tcp://:1", "tcp://127.0.0.1", "ipc:///x",
        "inproc://x",        "",         "tcp://[]:1",
    };
    struct knock knock;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(possible); i++) {
        knock_init(&knock, possible[i]);
        assert_true(knock_is_possible(&knock));
    }
    for (size_t i = 0; i < N_ELEMENTS(impossible); i++) {
        knock_init(&knock, impossible[i]);
        assert_false(knock_is_possible(&knock));
    }
}

/* Sweep as its owner does, only faster, until there are so many connections. */
static void sweep_until(struct link *link, size_t n_pipes)
{
    UNTIL((link_sweep(link, clock_now_us()), link_n_pipes(link) == n_pipes), 5);
}

/* A peer that comes and goes is found again each time, by the first sweep that can. */
static void test_return(void **state)
{
    const uint16_t port = free_port();
    struct link *asking = open_link(LINK_ASK, url_of(port));

    (void)state;
    for (int i = 0; i < 10; i++) {
        struct link *answering;

        sweep_until(asking, 0);
        for (int k = 0; k < 20; k++) { /* refused: its dialer is closed */
            link_sweep(asking, clock_now_us());
        }
        answering = open_link(LINK_ANSWER, url_of(port));
        sweep_until(asking, 1);
        link_close(answering);
    }
    link_close(asking);
}

static size_t n_connected(struct link **links, size_t n)
{
    size_t n_up = 0;

    for (size_t i = 0; i < n; i++) {
        n_up += link_n_pipes(links[i]);
    }
    return n_up;
}

/* Sweep all links in a second, one after the other. */
static void sweep_all(struct link **links, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        link_sweep(links[i], clock_now_us());
        (void)usleep((useconds_t)(US_PER_S / (time_us)n));
    }
}

/* A fleet of 200 that was refused for a while is whole within two seconds of the peer's return:
 * those who knock and vanish do not keep the others out. */
static void test_fleet(void **state)
{
    enum { FLEET = 200 };
    const uint16_t port = free_port();
    struct link *links[FLEET], *hearing;
    time_us began_us;

    (void)state;
    for (size_t i = 0; i < FLEET; i++) {
        links[i] = open_link(LINK_REPORTS_OUT, url_of(port));
    }
    sweep_all(links, FLEET);
    sweep_all(links, FLEET);
    hearing = open_link(LINK_REPORTS_IN, url_of(port));
    began_us = clock_now_us();
    sweep_all(links, FLEET);
    UNTIL(n_connected(links, FLEET) == FLEET, 5);
    assert_in_range((uintmax_t)(clock_now_us() - began_us), 0, SECONDS(2));
    for (size_t i = 0; i < FLEET; i++) {
        link_close(links[i]);
    }
    link_close(hearing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_possible),
        cmocka_unit_test(test_return),
        cmocka_unit_test(test_fleet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
