/* A report's contents: what the sampler and the topic sources know. Shell. */
#include "agent/observe.h"

#include <assert.h>
#include <stdio.h>

/* Add broker `index`. Returns since when what is said of it was true. */
static time_us observe_broker(const struct agent_config *config, const struct sampler *sampler,
                              struct source *source, size_t index, time_us now_us,
                              struct report *report)
{
    const struct broker_options *options = (const struct broker_options *)config->brokers.elements +
                                           index;
    struct broker_load *broker = report_add_broker(report);

    assert(broker != NULL);
    (void)snprintf(broker->id, sizeof(broker->id), "%s", options->id);
    (void)snprintf(broker->address, sizeof(broker->address), "%s", options->address);
    broker->actuator = options->actuator.type != ACTUATOR_NONE;
    sampler_broker(sampler, index, broker);
    return source != NULL ? source_fill(source, now_us, report, broker) : now_us;
}

time_us observe(const struct agent_config *config, struct sampler *sampler,
                struct source *const *sources, time_us now_us, struct report *ret_report)
{
    time_us seen_us = now_us;

    sampler_take(sampler, now_us);
    report_clear(ret_report);
    sampler_host(sampler, ret_report->host);
    sampler_environment(sampler, &ret_report->environment);
    for (size_t i = 0; i < config->brokers.n; i++) {
        const time_us broker_seen_us = observe_broker(config, sampler, sources[i], i, now_us,
                                                      ret_report);

        seen_us = MIN(seen_us, broker_seen_us);
    }
    return seen_us;
}
