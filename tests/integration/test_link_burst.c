/* A fleet of 200 agents that report in the same instant, round after round: nothing is lost. */
#include "tests/integration/link_bed.h"

#define N_AGENTS     200
#define N_ROUNDS     10
#define REPORT_BYTES 10000

static void hear_round(struct link *reports, int round, bool *heard)
{
    struct link_message message;
    size_t agent;
    size_t i;

    memset(heard, 0, N_AGENTS * sizeof(*heard));
    for (i = 0; i < N_AGENTS; i++) {
        assert_int_equal(receive_soon(reports, &message), 0);
        assert_int_equal(message.n, REPORT_BYTES);
        agent = message.bytes[0];
        assert_false(heard[agent]);
        assert_int_equal(message.bytes[1], round);
        assert_int_equal(message.bytes[REPORT_BYTES - 1], agent);
        heard[agent] = true;
    }
    assert_int_equal(link_receive(reports, &message), -EAGAIN);
}

/* The receiver is busy while all of them send, then it finds every report, once. */
static void test_a_burst_in_phase_loses_nothing(void **state)
{
    static uint8_t report[REPORT_BYTES];
    static bool heard[N_AGENTS];
    static struct link *agents[N_AGENTS];
    uint16_t port = free_port();
    struct link *reports = open_link(LINK_REPORTS_IN, url_of(port));
    int round;
    int i;

    (void)state;
    for (i = 0; i < N_AGENTS; i++) {
        agents[i] = open_link(LINK_REPORTS_OUT, url_of(port));
    }
    UNTIL(link_n_pipes(reports) == N_AGENTS, 10);
    link_sweep(reports, clock_now_us());
    for (i = 0; i < N_AGENTS; i++) {
        UNTIL(link_n_pipes(agents[i]) == 1, 5);
    }
    for (round = 0; round < N_ROUNDS; round++) {
        for (i = 0; i < N_AGENTS; i++) {
            report[0] = (uint8_t)i;
            report[1] = (uint8_t)round;
            report[REPORT_BYTES - 1] = (uint8_t)i;
            assert_int_equal(link_send(agents[i], report, sizeof(report)), 0);
        }
        hear_round(reports, round, heard);
    }
    assert_int_equal(statistics_of(reports).n_disconnected, 0);
    for (i = 0; i < N_AGENTS; i++) {
        link_close(agents[i]);
    }
    link_close(reports);
}

/* The listener ends and comes back: within 3 s all 200 are there again, and are heard. */
static void test_the_fleet_comes_back(void **state)
{
    static uint8_t report[REPORT_BYTES];
    static bool heard[N_AGENTS];
    static struct link *agents[N_AGENTS];
    uint16_t port = free_port();
    struct link *reports = open_link(LINK_REPORTS_IN, url_of(port));
    int i;

    (void)state;
    for (i = 0; i < N_AGENTS; i++) {
        agents[i] = open_link(LINK_REPORTS_OUT, url_of(port));
    }
    UNTIL(link_n_pipes(reports) == N_AGENTS, 10);
    link_close(reports);
    (void)poll(NULL, 0, 3000);
    reports = open_link(LINK_REPORTS_IN, url_of(port));
    UNTIL(link_n_pipes(reports) == N_AGENTS, 3);
    for (i = 0; i < N_AGENTS; i++) {
        UNTIL(link_n_pipes(agents[i]) == 1, 5);
        (void)poll(NULL, 0, 1);
        report[0] = report[REPORT_BYTES - 1] = (uint8_t)i;
        assert_int_equal(link_send(agents[i], report, sizeof(report)), 0);
    }
    hear_round(reports, 0, heard);
    for (i = 0; i < N_AGENTS; i++) {
        link_close(agents[i]);
    }
    link_close(reports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_burst_in_phase_loses_nothing),
        cmocka_unit_test(test_the_fleet_comes_back),
    };

    raise_descriptors();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
