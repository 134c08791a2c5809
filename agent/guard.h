/* The guard: whether a decision may be carried out here, and the memory that runs none twice. Pure.
 */
#ifndef AGENT_GUARD_H
#define AGENT_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/decision.h"
#include "common/limits.h"
#include "common/report.h"
#include "common/units.h"

/* An epoch further ahead than this of the highest one seen is not believed: one bad message must
 * not lock out every aggregator that follows. Unix seconds, with which epochs start, fit until
 * 2106. */
#define GUARD_EPOCH_STEP_MAX (UINT64_C(1) << 32)

/* What is kept of an aggregator's decisions when they are forgotten. Aggregators number decisions
 * each for itself, and may share an epoch by chance. */
struct guard_memory {
    uint64_t forgotten_epoch; /* of the highest decision that was forgotten */
    uint64_t forgotten_seq;
    uint64_t epoch;        /* of the decisions that it sent last */
    uint64_t applied_base; /* highest seq of `epoch` that ran, ended, and was forgotten */
};

/* A decision that was judged, and what became of it. */
struct guard_entry {
    struct receipt receipt;
    struct topic_name topic; /* of a running one: no topic is moved twice at a time */
    bool running;            /* its actuator has not ended */
    bool ran;
    time_us ended_us; /* when its actuator ended */
    size_t aggregator;
};

struct guard {
    uint64_t boot_id;
    uint64_t epoch_seen; /* the highest one of all aggregators; 0: none */
    struct guard_memory memories[AGGREGATORS_MAX];
    size_t n_running;
    size_t n_entries; /* oldest first */
    struct guard_entry entries[GUARD_DECISIONS_MAX];
};

/* What came of judging a decision. */
struct verdict {
    struct receipt receipt;
    bool run;      /* the caller must run the actuator of broker `broker`, and then call
                      guard_ended() */
    size_t broker; /* index in the report */
};

/* A guard without memory, for the agent's process `boot_id`. */
void guard_init(struct guard *guard, uint64_t boot_id);

/* Whether `epoch` may be believed; when it is the highest one, it is remembered. False: it is lower
 * than one seen before, or too far ahead. */
bool guard_see_epoch(struct guard *guard, uint64_t epoch);

/* Judge a decision that `aggregator` (below AGGREGATORS_MAX) sent in reply to a poll of `asked_us`,
 * by the topics that the latest report shows (NULL: there was none yet).
 *
 * A decision that was judged before gets its latest receipt again and is not run again. "busy" is
 * not remembered: the same decision may come again later. */
void guard_judge(struct guard *guard, const struct decision *decision, size_t aggregator,
                 const struct report *latest, time_us asked_us, time_us now_us,
                 struct verdict *ret_verdict);

/* Note that the actuator of a decision has ended. `text` is cut to TEXT_BYTES_MAX. `ret_aggregator`
 * is who must hear of it. Returns 0, or -ENOENT when no such decision runs. */
int guard_ended(struct guard *guard, uint64_t epoch, uint64_t seq, enum receipt_status status,
                const char *text, time_us now_us, size_t *ret_aggregator,
                struct receipt *ret_receipt);

/* The highest seq of an aggregator's current epoch whose actuator had ended at `seen_us`, with none
 * running below it: a report of what was seen then shows the effect of all its decisions up to it.
 * 0: none. */
uint64_t guard_applied_seq(const struct guard *guard, size_t aggregator, time_us seen_us);

#endif
