/* nng 1.5.2's reaper is wedged for real, by strangers that vanish with requests in flight, and the
 * canary must notice. The process is beyond help afterwards and ends with _exit. */
#include "tests/integration/link_bed.h"

#define N_STRANGERS 64
#define N_IN_FLIGHT 16
#define ROUNDS_MAX  100

/* Connect 64 times, send 16 requests on each, and vanish in the middle of it. */
static void vanish(uint16_t port)
{
    int fds[N_STRANGERS];
    uint32_t number;
    int i;

    for (i = 0; i < N_STRANGERS; i++) {
        fds[i] = raw_connect(port);
        raw_hello(fds[i], SP_REQ);
    }
    for (number = 0; number < N_IN_FLIGHT; number++) {
        for (i = 0; i < N_STRANGERS; i++) {
            raw_request(fds[i], number);
        }
    }
    for (i = 0; i < N_STRANGERS; i++) {
        (void)close(fds[i]);
    }
}

/* Take what is there, as a daemon's loop does, and answer it. */
static void serve(struct link *answer)
{
    struct link_message message;

    while (link_receive(answer, &message) == 0) {
        (void)link_answer(answer, message.request, message.bytes, message.n);
    }
}

static void test_the_canary_notices(void **state)
{
    uint16_t port = free_port();
    struct link *answer = open_link(LINK_ANSWER, url_of(port));
    struct link *other = open_link(LINK_REPORTS_IN, url_of(free_port()));
    time_us until_us;
    size_t n_pipes;
    time_us before_us;
    int round;

    (void)state;
    assert_int_equal(link_canary_start(), 0);
    assert_int_equal(link_canary_start(), 0);
    assert_true(link_canary_is_alive());
    for (round = 0; round < ROUNDS_MAX; round++) {
        vanish(port);
        serve(answer);
    }
    until_us = clock_now_us() + SECONDS(15);
    while (link_canary_is_alive() && clock_now_us() < until_us) {
        serve(answer);
        link_sweep(answer, clock_now_us());
        (void)is_readable(answer, 100);
    }
    print_message("nng %s: %zu of %d connections still known, canary %s\n", link_library_version(),
                  link_n_pipes(answer), N_STRANGERS * ROUNDS_MAX,
                  link_canary_is_alive() ? "alive" : "dead");
    assert_int_equal(link_canary_is_alive(), !link_library_is_defective());
    n_pipes = link_n_pipes(answer);
    (void)poll(NULL, 0, 1000);
    assert_true(link_library_is_defective() ? n_pipes > 0 && link_n_pipes(answer) == n_pipes
                                            : link_n_pipes(answer) == 0);
    before_us = clock_now_us();
    link_close(other);
    link_close(answer);
    assert_true(clock_now_us() - before_us < SECONDS(3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_canary_notices),
    };
    int n_failed;

    raise_descriptors();
    n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)fflush(NULL);
    _exit(n_failed);
}
