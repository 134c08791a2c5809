/* The only place that reads a clock. Shell. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

#include "common/units.h"

/* Now on the boot clock: never goes back, counts suspended time. */
time_us clock_now_us(void);

/* Now on the wall clock, microseconds since 1970. For people and for envelopes, never for a
 * deadline. */
int64_t clock_unix_us(void);

/* 64 random bits from the kernel, never 0: boot ids and seeds. */
uint64_t clock_random(void);

#endif
