/* Numbers, durations and sizes as people write them, and back. Pure.
 *
 * Reading is strict: no spaces, no leading plus or zeros, no hexadecimal, nothing behind it.
 * Every scalar_get_…: returns 0; -EINVAL not of that form; -ERANGE of that form and too large for
 * the type. The output is untouched on error. */
#ifndef COMMON_SCALAR_H
#define COMMON_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/units.h"

/* Room for every text that scalar_put_…() writes, with its NUL. */
#define SCALAR_BYTES 40

/* true, yes, on; false, no, off. */
int scalar_get_bool(const char *text, bool *ret_value);

/* 0, 42, -7. */
int scalar_get_integer(const char *text, int64_t *ret_value);

/* 0, 0.25, -1.5e-3. */
int scalar_get_real(const char *text, double *ret_value);

/* 10us, 250ms, 5s, 2m, 1h, 1d: a whole number and a unit. */
int scalar_get_duration(const char *text, time_us *ret_value);

/* 4096, 64KiB, 10MB, 1Gbit: a whole number, and a unit or none for bytes. */
int scalar_get_size(const char *text, int64_t *ret_bytes);

/* The shortest decimal that is read back as the same double; NaN, +Inf or -Inf when not finite. */
void scalar_put_real(double value, char ret_text[SCALAR_BYTES]);

/* In the largest unit that is exact: 1500ms, 90s, 2m. */
void scalar_put_duration(time_us value, char ret_text[SCALAR_BYTES]);

/* In the largest unit that is exact: 1500, 64KiB, 10MB. */
void scalar_put_size(int64_t bytes, char ret_text[SCALAR_BYTES]);

#endif
