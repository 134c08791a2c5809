/* Rates: two stamped samples of a group of counters in, values per second out. Pure. */
#include "agent/rate.h"

#include <assert.h>
#include <string.h>

static void rebase(struct rate *rate, time_us now_us, uint64_t owner, const uint64_t *counts,
                   size_t n_counts)
{
    rate->based = true;
    rate->at_us = now_us;
    rate->owner = owner;
    memcpy(rate->counts, counts, n_counts * sizeof(counts[0]));
}

/* What every step begins with. Returns whether there is nothing left to do. */
static bool begin_step(struct rate *rate, time_us now_us, uint64_t owner, const uint64_t *counts,
                       size_t n_counts, bool *ret_is_reset)
{
    assert(n_counts <= RATE_COUNTS_MAX);
    *ret_is_reset = rate->based && rate->owner != owner;
    if (!rate->based || *ret_is_reset) {
        rate->state = rate->based ? VALUE_RESET : VALUE_FIRST;
        rebase(rate, now_us, owner, counts, n_counts);
        return true;
    }
    return now_us - rate->at_us < RATE_INTERVAL_US_MIN;
}

static void end_step(struct rate *rate, time_us now_us, uint64_t owner, const uint64_t *counts,
                     size_t n_counts)
{
    rate->state = VALUE_PRESENT;
    rate->seconds = (double)(now_us - rate->at_us) / (double)US_PER_S;
    rebase(rate, now_us, owner, counts, n_counts);
}

bool rate_step(struct rate *rate, time_us now_us, uint64_t owner, const uint64_t *counts,
               size_t n_counts)
{
    bool is_reset;

    if (begin_step(rate, now_us, owner, counts, n_counts, &is_reset)) {
        return is_reset;
    }
    for (size_t i = 0; i < n_counts; i++) {
        if (counts[i] < rate->counts[i]) {
            rate->state = VALUE_RESET;
            rebase(rate, now_us, owner, counts, n_counts);
            return true;
        }
        rate->deltas[i] = counts[i] - rate->counts[i];
    }
    end_step(rate, now_us, owner, counts, n_counts);
    return false;
}

bool rate_step_monotone(struct rate *rate, time_us now_us, uint64_t owner, const uint64_t *counts,
                        size_t n_counts)
{
    uint64_t highest[RATE_COUNTS_MAX] = {0};
    uint64_t sum = 0, sum_before = 0;
    bool is_reset;

    if (begin_step(rate, now_us, owner, counts, n_counts, &is_reset)) {
        return is_reset;
    }
    for (size_t i = 0; i < n_counts; i++) {
        sum += counts[i];
        sum_before += rate->counts[i];
        highest[i] = MAX(counts[i], rate->counts[i]);
        rate->deltas[i] = highest[i] - rate->counts[i];
    }
    if (sum < sum_before) {
        rate->state = VALUE_RESET;
        rebase(rate, now_us, owner, counts, n_counts);
        return true;
    }
    end_step(rate, now_us, owner, highest, n_counts);
    return false;
}

void rate_miss(struct rate *rate, enum value_state why)
{
    assert(why != VALUE_PRESENT);
    rate->state = why;
}

void rate_join(struct rate *rate, size_t i, uint64_t count)
{
    assert(i < RATE_COUNTS_MAX);
    if (rate->based) {
        rate->counts[i] += count;
    }
}

/* Why there is no rate; VALUE_PRESENT when there is. */
static enum value_state why_absent(const struct rate *rate)
{
    return rate->state == VALUE_PRESENT && rate->seconds <= 0 ? VALUE_UNKNOWN : rate->state;
}

struct value rate_per_second(const struct rate *rate, size_t i)
{
    enum value_state why = why_absent(rate);

    return why == VALUE_PRESENT ? value_of((double)rate->deltas[i] / rate->seconds)
                                : value_absent(why);
}

struct value rate_share(const struct rate *rate, size_t part, size_t whole)
{
    enum value_state why = why_absent(rate);

    if (why != VALUE_PRESENT) {
        return value_absent(why);
    }
    if (rate->deltas[whole] == 0) {
        return value_of(0);
    }
    return value_of(MIN(1.0, (double)rate->deltas[part] / (double)rate->deltas[whole]));
}
