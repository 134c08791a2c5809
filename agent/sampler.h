/* The sampler: what the kernel says of this host and its brokers, as values of a report. Shell.
 *
 * It finds each broker's processes and cgroups, keeps what it reads from open, reads all of it at
 * one beat, and gives the numbers to rate.c. Finding is repeated every few seconds and when
 * something is gone; reading allocates nothing. Files are read beneath the roots of the
 * configuration, so that a checked-in tree can stand in for /proc and /sys/fs/cgroup; sysfs is the
 * folder `sys` beside the proc root. docs/sampling.md says where each number comes from. */
#ifndef AGENT_SAMPLER_H
#define AGENT_SAMPLER_H

#include <stddef.h>

#include "agent/agent_options.h"
#include "common/report.h"
#include "common/units.h"

struct sampler;

/* `config` must outlive the sampler. Returns 0, -ENOMEM, or -ENOENT when the proc root cannot be
 * opened. */
int sampler_new(const struct agent_config *config, struct sampler **ret_sampler);

/* Read everything once. `now_us` is on the boot clock; rates are over the time since the call
 * before. */
void sampler_take(struct sampler *sampler, time_us now_us);

/* What the last sampler_take() gave of the host: METRICS values. */
void sampler_host(const struct sampler *sampler, struct value ret_values[METRICS]);

/* … and of the configuration's broker `index`: state, incarnation and values of `broker`; the rest
 * is untouched. */
void sampler_broker(const struct sampler *sampler, size_t index, struct broker_load *broker);

/* Where the agent runs, as far as the first sampler_take() could see. */
void sampler_environment(const struct sampler *sampler, struct environment *ret_environment);

/* Counters for /metrics: files that could not be read or parsed, counters that began anew, brokers
 * found, and what libcgroup could not do or saw otherwise than our own resolver. */
struct sampler_statistics {
    uint64_t n_samples, n_read_errors, n_parse_errors, n_resets, n_discoveries,
        n_cgroup_library_errors;
};
void sampler_statistics(const struct sampler *sampler, struct sampler_statistics *ret_statistics);

/* Close everything and free; NULL is fine. */
void sampler_free(struct sampler *sampler);

#endif
