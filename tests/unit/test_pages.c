/* The agent's /metrics page: what is on it, and that it always fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/pages.h"

#define PAGE_BYTES (512 * 1024)

struct world {
    struct page_numbers numbers;
    char page[PAGE_BYTES + 1];
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    w->numbers.version = "1.2.3";
    w->numbers.library_version = "1.5.2";
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void write_page(struct world *w)
{
    struct buffer buffer = buffer_over(w->page, PAGE_BYTES);

    agent_metrics_page(&buffer, &w->numbers);
    assert_false(buffer.overflowed);
    w->page[buffer.n] = '\0';
}

/* The page has a line of its own with just these words. */
static void has_line(const struct world *w, const char *line)
{
    const char *found = strstr(w->page, line);

    if (found == NULL || (found != w->page && found[-1] != '\n') || found[strlen(line)] != '\n') {
        fail_msg("the page has no line \"%s\"", line);
    }
}

/* Each number stands under its name. */
static void test_numbers(void **state)
{
    struct world *w = *state;

    w->numbers.environment = (struct environment){
        .kind = ENVIRONMENT_CONTAINER, .hierarchy = HIERARCHY_V2, .versions = {2, 0, 1}};
    w->numbers.reaper_ok = true;
    w->numbers.agent.n_reports = 7;
    w->numbers.agent.n_receipts[RECEIPT_BUSY] = 3;
    w->numbers.report_bytes = 222;
    w->numbers.sampler.n_read_errors = 4;
    w->numbers.n_decisions = 1;
    w->numbers.decisions[0] = (struct page_link){"ipc:///a", true, 2};
    w->numbers.n_sources = 1;
    w->numbers.sources[0] = (struct page_source){"n1",
                                                 {.n_polls = 9, .n_failures = 1, .n_topics = 5}};
    write_page(w);
    has_line(w, "evenkeel_agent_build_info{version=\"1.2.3\",nng_version=\"1.5.2\"} 1");
    has_line(w, "evenkeel_agent_environment_info{kind=\"container\",hierarchy=\"v2\",cpu=\"v2\","
                "cpuset=\"none\",memory=\"v1\",io=\"none\",pids=\"none\"} 1");
    has_line(w, "evenkeel_agent_nng_reaper_ok 1");
    has_line(w, "evenkeel_agent_reports_total 7");
    has_line(w, "evenkeel_agent_report_bytes 222");
    has_line(w, "evenkeel_agent_read_errors_total 4");
    has_line(w, "evenkeel_agent_receipts_total{status=\"busy\"} 3");
    has_line(w, "evenkeel_agent_link_up{link=\"decisions\",aggregator=\"ipc:///a\"} 1");
    has_line(w, "evenkeel_agent_link_connects_total{link=\"decisions\",aggregator=\"ipc:///a\"} 2");
    has_line(w, "evenkeel_agent_source_polls_total{broker=\"n1\"} 9");
    has_line(w, "evenkeel_agent_source_failures_total{broker=\"n1\"} 1");
    has_line(w, "evenkeel_agent_source_topics{broker=\"n1\"} 5");
}

/* A receipt whose status has no name is no series. */
static void test_no_unknown_status(void **state)
{
    struct world *w = *state;

    write_page(w);
    assert_null(strstr(w->page, "status=\"unknown\""));
    assert_non_null(strstr(w->page, "status=\"no_actuator\""));
    assert_non_null(strstr(w->page, "status=\"timed_out\""));
}

/* The longest names and as many links and sources as may be fit into the page. */
static void test_fits(void **state)
{
    static char url[ADDRESS_BYTES_MAX + 1];
    static char id[ID_BYTES_MAX + 1];
    struct world *w = *state;

    memset(url, '"', sizeof(url) - 1);
    memset(id, 'n', sizeof(id) - 1);
    w->numbers.n_reports = AGGREGATORS_MAX;
    w->numbers.n_decisions = AGGREGATORS_MAX;
    w->numbers.n_sources = NODE_BROKERS_MAX;
    for (size_t i = 0; i < AGGREGATORS_MAX; i++) {
        w->numbers.reports[i].aggregator = url;
        w->numbers.decisions[i].aggregator = url;
    }
    for (size_t i = 0; i < NODE_BROKERS_MAX; i++) {
        w->numbers.sources[i].broker = id;
    }
    write_page(w);
    assert_non_null(strstr(w->page, "process_"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_numbers),
        CASE(test_no_unknown_status),
        CASE(test_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
