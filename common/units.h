/* Quantities and the arithmetic on them that is safe. Pure. */
#ifndef COMMON_UNITS_H
#define COMMON_UNITS_H

#include <stdint.h>

/* Microseconds. A point in time is on the boot clock (CLOCK_BOOTTIME) unless its name says
 * `unix_us`. */
typedef int64_t time_us;

#define US_PER_MS       1000LL
#define US_PER_S        1000000LL
#define SECONDS(n)      ((time_us)(n)*US_PER_S)
#define MILLISECONDS(n) ((time_us)(n)*US_PER_MS)

/* "Never": later than every real time, and far enough from INT64_MAX to add an interval to. */
#define TIME_NEVER (INT64_MAX / 2)

/* Three-way comparison that cannot overflow: -1, 0 or 1. Every order ends with a comparison of ids.
 */
#define CMP(a, b) (((a) > (b)) - ((a) < (b)))

#define MIN(a, b)           ((a) < (b) ? (a) : (b))
#define MAX(a, b)           ((a) > (b) ? (a) : (b))
#define CLAMP(x, low, high) MIN(MAX(x, low), high)

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

#endif
