/* Rates: two stamped samples of a group of counters in, values per second out. Pure.
 *
 * A group is what one file gives at once. It keeps its own time, so that groups read at different
 * moments never share an interval. A sample that could not be read leaves the base where it is: the
 * next good one is measured from there. */
#ifndef AGENT_RATE_H
#define AGENT_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/metric.h"
#include "common/units.h"

#define RATE_COUNTS_MAX 8

/* Below this the jitter of reading is a good part of the interval (10 ms is one tick of the
 * kernel's coarse counters): the last values are held. */
#define RATE_INTERVAL_US_MIN MILLISECONDS(10)

/* Zeroed is the start: no sample yet. */
struct rate {
    bool based; /* the three below hold */
    time_us at_us;
    uint64_t owner;
    uint64_t counts[RATE_COUNTS_MAX];
    enum value_state state; /* what the last step came to; the two below hold when present */
    double seconds;
    uint64_t deltas[RATE_COUNTS_MAX];
};

/* Take a sample of `n_counts` <= RATE_COUNTS_MAX counters at `now_us`. `owner` is whose they are:
 * another one than before, or a counter that went back, is a reset. Returns whether it was one. */
bool rate_step(struct rate *rate, time_us now_us, uint64_t owner, const uint64_t *counts,
               size_t n_counts);

/* The same for counters of which single ones are known to go back a little (iowait and idle of
 * /proc/stat): those stand still meanwhile. Their sum going back is a reset. */
bool rate_step_monotone(struct rate *rate, time_us now_us, uint64_t owner, const uint64_t *counts,
                        size_t n_counts);

/* There is no sample this time, for that reason. */
void rate_miss(struct rate *rate, enum value_state why);

/* Something joined whose counter `i` stands at `count` already: that is no growth. */
void rate_join(struct rate *rate, size_t i, uint64_t count);

/* What counter `i` grew by in a second. */
struct value rate_per_second(const struct rate *rate, size_t i);

/* What counter `part` grew by in relation to counter `whole`, 0 … 1; 0 when `whole` stood still. */
struct value rate_share(const struct rate *rate, size_t part, size_t whole);

#endif
