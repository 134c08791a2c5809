/* Numbers, durations and sizes as people write them, and back. */
#include "common/scalar.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* From the largest to the smallest: printing takes the first that divides. */
static const struct unit duration_units[] = {
    {"d", 24 * (3600 * US_PER_S)},
    {"h", 3600 * US_PER_S},
    {"m", 60 * US_PER_S},
    {"s", US_PER_S},
    {"ms", US_PER_MS},
    {"us", 1},
    {NULL, 0},
};

static const struct unit size_units[] = {
    {"TiB", 1LL << 40}, {"TB", 1000000000000}, {"GiB", 1LL << 30},
    {"GB", 1000000000}, {"MiB", 1LL << 20},    {"MB", 1000000},
    {"KiB", 1LL << 10}, {"kB", 1000},          {"", 1},
    {NULL, 0},
};

/* Understood, and never printed. */
static const struct unit size_aliases[] = {
    {"KB", 1000},        {"B", 1},  {"kbit", 125}, {"Kbit", 125}, {"Mbit", 125000},
    {"Gbit", 125000000}, {NULL, 0},
};

int scalar_get_bool(const char *text, bool *ret_value)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

    for (size_t i = 0; i < N_ELEMENTS(words); i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret_value = i % 2 == 1;
            return 0;
        }
    }
    return -EINVAL;
}

/* The digits at the start of `text`, as a number that is not positive (which has the wider range).
 * `ret_end` is set even when the number is too large. */
static int get_digits(const char *text, const char **ret_end, int64_t *ret_negative)
{
    const char *at = text;
    int64_t value = 0;
    int r = 0;

    for (; isdigit((unsigned char)*at); at++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, *at - '0', &value)) {
            r = -ERANGE;
        }
    }
    if (at == text || (*text == '0' && at > text + 1)) {
        return -EINVAL;
    }
    *ret_end = at;
    *ret_negative = value;
    return r;
}

int scalar_get_integer(const char *text, int64_t *ret_value)
{
    bool negative = *text == '-';
    const char *end = "";
    int64_t value = 0;
    int r;

    r = get_digits(text + negative, &end, &value);
    if (r == -EINVAL || *end != '\0') {
        return -EINVAL;
    }
    if (r < 0 || (!negative && value == INT64_MIN)) {
        return -ERANGE;
    }
    *ret_value = negative ? value : -value;
    return 0;
}

/* Past a run of digits, which must not be empty; NULL when it is. */
static const char *past_digits(const char *at)
{
    if (at == NULL || !isdigit((unsigned char)*at)) {
        return NULL;
    }
    while (isdigit((unsigned char)*at)) {
        at++;
    }
    return at;
}

/* strtod() alone would take hexadecimal, infinities and leading spaces. */
static bool is_real(const char *at)
{
    at = past_digits(at + (*at == '-'));
    if (at != NULL && *at == '.') {
        at = past_digits(at + 1);
    }
    if (at != NULL && (*at == 'e' || *at == 'E')) {
        at++;
        at = past_digits(at + (*at == '-' || *at == '+'));
    }
    return at != NULL && *at == '\0';
}

int scalar_get_real(const char *text, double *ret_value)
{
    double value;

    if (!is_real(text)) {
        return -EINVAL;
    }
    value = strtod(text, NULL);
    if (!isfinite(value)) {
        return -ERANGE;
    }
    *ret_value = value;
    return 0;
}

static int64_t unit_factor(const struct unit *units, const char *name)
{
    for (const struct unit *unit = units; unit->name != NULL; unit++) {
        if (strcmp(unit->name, name) == 0) {
            return unit->factor;
        }
    }
    return 0;
}

static int get_quantity(const char *text, const struct unit *units, const struct unit *aliases,
                        int64_t *ret_value)
{
    const char *end = NULL;
    int64_t value, factor;
    int r;

    r = get_digits(text, &end, &value);
    if (r == -EINVAL) {
        return r;
    }
    factor = unit_factor(units, end);
    if (factor == 0 && aliases != NULL) {
        factor = unit_factor(aliases, end);
    }
    if (factor == 0) {
        return -EINVAL;
    }
    if (r < 0 || __builtin_mul_overflow(value, -factor, &value)) {
        return -ERANGE;
    }
    *ret_value = value;
    return 0;
}

int scalar_get_duration(const char *text, time_us *ret_value)
{
    return get_quantity(text, duration_units, NULL, ret_value);
}

int scalar_get_size(const char *text, int64_t *ret_bytes)
{
    return get_quantity(text, size_units, size_aliases, ret_bytes);
}

void scalar_put_real(double value, char ret_text[SCALAR_BYTES])
{
    if (isnan(value)) {
        (void)snprintf(ret_text, SCALAR_BYTES, "NaN");
        return;
    }
    if (isinf(value)) {
        (void)snprintf(ret_text, SCALAR_BYTES, value > 0 ? "+Inf" : "-Inf");
        return;
    }
    if (fabs(value) < 1e15 && value == trunc(value)) {
        (void)snprintf(ret_text, SCALAR_BYTES, "%.0f", value);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(ret_text, SCALAR_BYTES, "%.*g", digits, value);
        if (strtod(ret_text, NULL) == value) {
            break;
        }
    }
}

static void put_quantity(int64_t value, const struct unit *units, char ret_text[SCALAR_BYTES])
{
    while (value % units->factor != 0) {
        units++;
    }
    (void)snprintf(ret_text, SCALAR_BYTES, "%" PRId64 "%s", value / units->factor, units->name);
}

void scalar_put_duration(time_us value, char ret_text[SCALAR_BYTES])
{
    if (value == 0) {
        (void)snprintf(ret_text, SCALAR_BYTES, "0s");
        return;
    }
    put_quantity(value, duration_units, ret_text);
}

void scalar_put_size(int64_t bytes, char ret_text[SCALAR_BYTES])
{
    if (bytes == 0) {
        (void)snprintf(ret_text, SCALAR_BYTES, "0");
        return;
    }
    put_quantity(bytes, size_units, ret_text);
}
