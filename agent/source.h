/* A topic source: asks a broker for its topics, on a thread of its own, so that a slow broker never
 * delays a sample. Shell.
 *
 * What it learns is parsed in constant memory, and handed over whole: the loop takes the latest
 * complete answer. */
#ifndef AGENT_SOURCE_H
#define AGENT_SOURCE_H

#include <stdint.h>

#include "agent/agent_options.h"
#include "common/report.h"
#include "common/units.h"

struct source;

/* Start asking for the topics of `broker`, which must outlive the source. Returns 0 or -ENOMEM,
 * -EAGAIN (no thread), -ELIBACC (no libcurl). */
int source_start(const struct broker_options *broker, struct source **ret_source);

/* Add what is known to `broker`, the one added last to `report`: its topics, its peers,
 * topics_known. Network rates that the sampler left absent because the namespace is shared
 * (VALUE_SHARED) are filled from the broker's own count where it has one. An answer older than
 * three intervals, or of a broker that is down, is not used: topics_known is false then.
 *
 * Returns the time at which the answer was asked for, or TIME_NEVER when none was used: what is in
 * the report was true then or later. */
time_us source_fill(struct source *source, time_us now_us, struct report *report,
                    struct broker_load *broker);

/* Counters for /metrics, since the source was started. */
struct source_statistics {
    uint64_t n_polls, n_failures;
    uint64_t n_topics;        /* in the last complete answer */
    uint64_t n_names_skipped; /* in the last complete answer: names that cannot be told on */
    double last_seconds;      /* how long the last complete answer took */
};
void source_statistics(struct source *source, struct source_statistics *ret_statistics);

/* Stop and free; wakes the thread and waits for it, a moment. NULL is fine. */
void source_stop(struct source *source);

#endif
