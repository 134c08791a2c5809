/* A report's contents: what the sampler and the topic sources know. Shell. */
#ifndef AGENT_OBSERVE_H
#define AGENT_OBSERVE_H

#include "agent/agent_options.h"
#include "agent/sampler.h"
#include "agent/source.h"
#include "common/report.h"
#include "common/units.h"

/* Take a sample now and fill `ret_report` with it: the host, where the agent runs, every broker of
 * `config` and its topics. `sources` has one for each broker, or NULL where there is none. What
 * comes from the envelope, and the report's times, are left to the caller.
 *
 * Returns since when all of it was true. */
time_us observe(const struct agent_config *config, struct sampler *sampler,
                struct source *const *sources, time_us now_us, struct report *ret_report);

#endif
