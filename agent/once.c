/* One full sample, taken at once. Shell. */
#include "agent/once.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/observe.h"
#include "common/clock.h"

/* How often it is looked whether the sources are done. */
#define LOOK_US MILLISECONDS(10)

static void sleep_us(time_us us)
{
    const struct timespec pause = {.tv_sec = us / US_PER_S, .tv_nsec = us % US_PER_S * 1000};

    (void)nanosleep(&pause, NULL);
}

void once_free(struct once *once)
{
    if (once == NULL) {
        return;
    }
    for (size_t i = 0; i < NODE_BROKERS_MAX; i++) {
        source_stop(once->sources[i]);
    }
    sampler_free(once->sampler);
    free(once);
}

static int start_sources(struct once *once, struct agent_config *config, time_us gap_us)
{
    struct broker_options *brokers = config->brokers.elements;

    for (size_t i = 0; i < config->brokers.n; i++) {
        if (brokers[i].source.type != SOURCE_NONE) {
            brokers[i].source.interval_us = gap_us;
            int r = source_start(&brokers[i], &once->sources[i]);

            if (r < 0) {
                return r;
            }
        }
    }
    return 0;
}

/* Whether a source has said what it will. */
static bool is_done(struct source *source)
{
    struct source_statistics statistics;

    if (source == NULL) {
        return true;
    }
    source_statistics(source, &statistics);
    return statistics.n_polls >= 2 || statistics.n_failures > 0;
}

static bool are_all_done(struct once *once)
{
    for (size_t i = 0; i < NODE_BROKERS_MAX; i++) {
        if (!is_done(once->sources[i])) {
            return false;
        }
    }
    return true;
}

/* Each of two answers may take as long as is allowed. */
static time_us longest_wait(const struct agent_config *config, time_us gap_us)
{
    const struct broker_options *brokers = config->brokers.elements;
    time_us longest_us = 0;

    for (size_t i = 0; i < config->brokers.n; i++) {
        longest_us = MAX(longest_us, brokers[i].source.timeout_us);
    }
    return gap_us + 2 * longest_us;
}

static void wait_for_all(struct once *once, const struct agent_config *config, time_us gap_us)
{
    const time_us until_us = clock_now_us() + longest_wait(config, gap_us);

    sleep_us(gap_us);
    while (!are_all_done(once) && clock_now_us() < until_us) {
        sleep_us(LOOK_US);
    }
}

static void name_node(const struct agent_config *config, struct report *report)
{
    char host[ID_BYTES_MAX + 1] = "";

    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(report->node, sizeof(report->node), "%s",
                   config->node[0] != '\0' ? config->node : host);
}

int once_take(struct agent_config *config, time_us gap_us, struct once **ret_once)
{
    struct once *once = calloc(1, sizeof(*once));
    int r;

    if (once == NULL) {
        return -ENOMEM;
    }
    r = sampler_new(config, &once->sampler);
    if (r == 0) {
        r = start_sources(once, config, gap_us);
    }
    if (r < 0) {
        once_free(once);
        return r;
    }
    sampler_take(once->sampler, clock_now_us());
    wait_for_all(once, config, gap_us);
    (void)observe(config, once->sampler, once->sources, clock_now_us(), &once->report);
    name_node(config, &once->report);
    once->report.interval_us = gap_us;
    *ret_once = once;
    return 0;
}
