/* Levels: a broker's use and limits on the way from its own cgroup up to the root. Pure. */
#include "agent/level.h"

#include <assert.h>
#include <math.h>

#include "common/units.h"

/* The least limit of all levels and the host. */
static struct value effective_limit(const struct level *levels, size_t n_levels,
                                    struct value capacity, enum value_state limit_error)
{
    double limit = value_is_present(capacity) ? capacity.number : INFINITY;

    if (limit_error != VALUE_PRESENT) {
        return value_absent(limit_error);
    }
    for (size_t i = 0; i < n_levels; i++) {
        limit = fmin(limit, levels[i].limit);
    }
    return isfinite(limit) ? value_of(limit) : value_absent(capacity.state);
}

/* A limit of nothing is used up. */
static double ratio_of(double used, double limit)
{
    return limit > 0 ? fmin(1.0, used / limit) : 1.0;
}

/* Which value of a level is meant. */
typedef struct value (*level_part)(const struct level *level);

static struct value used_of(const struct level *level)
{
    return level->used;
}

static struct value extra_of(const struct level *level)
{
    return level->extra;
}

static struct value throttled_s_of(const struct level *level)
{
    return level->throttled_s;
}

static struct value tightest_ratio(const struct level *levels, size_t n_levels, level_part part,
                                   struct value limit)
{
    struct value own = part(&levels[0]);
    double ratio;

    if (!value_is_present(own)) {
        return own;
    }
    if (!value_is_present(limit)) {
        return limit;
    }
    ratio = ratio_of(own.number, limit.number);
    for (size_t i = 1; i < n_levels; i++) {
        struct value other = part(&levels[i]);

        if (value_is_present(other) && isfinite(levels[i].limit)) {
            ratio = fmax(ratio, ratio_of(other.number, levels[i].limit));
        }
    }
    return value_of(ratio);
}

/* The largest that is present; else why one is absent that could have been there. */
static struct value worst_of(const struct level *levels, size_t n_levels, level_part part)
{
    struct value worst = value_absent(VALUE_UNLIMITED);

    for (size_t i = 0; i < n_levels; i++) {
        struct value extra = part(&levels[i]);

        if (value_is_present(extra)) {
            if (!value_is_present(worst) || extra.number > worst.number) {
                worst = extra;
            }
        } else if (worst.state == VALUE_UNLIMITED) {
            worst = extra;
        }
    }
    return worst;
}

void level_cpu(const struct level *levels, size_t n_levels, struct value capacity,
               enum value_state limit_error, struct value *values)
{
    struct value limit = effective_limit(levels, n_levels, capacity, limit_error);

    assert(n_levels > 0);
    values[METRIC_CPU_CORES] = levels[0].used;
    values[METRIC_CPU_LIMIT_CORES] = limit;
    values[METRIC_CPU_RATIO] = tightest_ratio(levels, n_levels, used_of, limit);
    values[METRIC_CPU_THROTTLED_RATIO] = worst_of(levels, n_levels, extra_of);
    values[METRIC_CPU_THROTTLED_SECONDS_PER_S] = worst_of(levels, n_levels, throttled_s_of);
}

void level_memory(const struct level *levels, size_t n_levels, struct value capacity,
                  enum value_state limit_error, struct value *values)
{
    struct value limit = effective_limit(levels, n_levels, capacity, limit_error);

    assert(n_levels > 0);
    values[METRIC_MEMORY_BYTES] = levels[0].used;
    values[METRIC_MEMORY_WORKING_SET_BYTES] = levels[0].extra;
    values[METRIC_MEMORY_LIMIT_BYTES] = limit;
    values[METRIC_MEMORY_RATIO] = tightest_ratio(levels, n_levels, used_of, limit);
    values[METRIC_MEMORY_WORKING_SET_RATIO] = tightest_ratio(levels, n_levels, extra_of, limit);
}
