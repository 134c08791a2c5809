/* Levels: a broker's use and limits on the way from its own cgroup up to the root. Pure.
 *
 * A limit on any ancestor binds, and what counts against it is everything below that ancestor. So
 * use and limit are compared level by level, and the tightest level is the broker's ratio. */
#ifndef AGENT_LEVEL_H
#define AGENT_LEVEL_H

#include <stddef.h>

#include "common/metric.h"

/* One level. The first of a list is the broker itself: what it uses is what is reported. */
struct level {
    struct value used;  /* cores, or bytes without reclaimable cache */
    double limit;       /* in the same unit; INFINITY: none here */
    struct value extra; /* CPU: throttled share (VALUE_UNLIMITED where there is no quota); memory:
                           the working set */
    struct value throttled_s; /* CPU: seconds throttled a second, likewise */
};

/* From at least one level, `capacity` (online CPUs) and `limit_error` (VALUE_PRESENT, or why some
 * level's limit could not be read, which leaves limit and ratio absent): the five CPU values. */
void level_cpu(const struct level *levels, size_t n_levels, struct value capacity,
               enum value_state limit_error, struct value *values);

/* The same for the five memory values; `capacity` is the host's RAM. */
void level_memory(const struct level *levels, size_t n_levels, struct value capacity,
                  enum value_state limit_error, struct value *values);

#endif
