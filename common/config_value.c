/* One scalar of the configuration: into its row's member, or the reason why not. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/buffer.h"
#include "common/config_tree.h"
#include "common/scalar.h"
#include "common/utf8.h"

#define WHY_BYTES (CONFIG_ERROR_BYTES / 2)

static bool is_utf8(const char *text)
{
    for (size_t n = strlen(text); n > 0;) {
        uint32_t code;
        size_t length = utf8_get(text, n, &code);

        if (length == 0) {
            return false;
        }
        text += length;
        n -= length;
    }
    return true;
}

static int get_number(const struct option_row *row, const char *text, int64_t *ret_number)
{
    switch (row->type) {
    case OPTION_DURATION:
        return scalar_get_duration(text, ret_number);
    case OPTION_SIZE:
        return scalar_get_size(text, ret_number);
    default:
        return scalar_get_integer(text, ret_number);
    }
}

static int store_number(const struct option_row *row, const char *text, int64_t *at)
{
    int64_t number;
    int r;

    r = get_number(row, text, &number);
    if (r < 0) {
        return r;
    }
    if (number < row->min || number > row->max) {
        return -ERANGE;
    }
    *at = number;
    return 0;
}

static int store_real(const struct option_row *row, const char *text, double *at)
{
    double real;
    int r;

    r = scalar_get_real(text, &real);
    if (r < 0) {
        return r;
    }
    if (real < row->real_min || real > row->real_max) {
        return -ERANGE;
    }
    *at = real;
    return 0;
}

static int store_text(const struct option_row *row, const char *text, char **at)
{
    size_t n = strlen(text);

    if (!is_utf8(text)) {
        return -EINVAL;
    }
    if ((int64_t)n < row->min || (int64_t)n > row->max) {
        return -ERANGE;
    }
    *at = strdup(text);
    return *at != NULL ? 0 : -ENOMEM;
}

static int store_choice(const struct option_row *row, const char *text, int *at)
{
    for (int i = 0; row->choices[i] != NULL; i++) {
        if (strcmp(row->choices[i], text) == 0) {
            *at = i;
            return 0;
        }
    }
    return -EINVAL;
}

int config_store(const struct option_row *row, const char *text, void *base)
{
    void *at = (char *)base + row->offset;

    switch (row->type) {
    case OPTION_BOOL:
        return scalar_get_bool(text, at);
    case OPTION_INTEGER:
    case OPTION_DURATION:
    case OPTION_SIZE:
        return store_number(row, text, at);
    case OPTION_REAL:
        return store_real(row, text, at);
    case OPTION_TEXT:
        return store_text(row, text, at);
    default:
        return store_choice(row, text, at);
    }
}

/* Sentences for what store_scalar() refused. */

static void put_bound(const struct option_row *row, int64_t bound, char ret_text[SCALAR_BYTES])
{
    switch (row->type) {
    case OPTION_DURATION:
        scalar_put_duration(bound, ret_text);
        break;
    case OPTION_SIZE:
        scalar_put_size(bound, ret_text);
        break;
    default:
        (void)snprintf(ret_text, SCALAR_BYTES, "%" PRId64, bound);
        break;
    }
}

/* Whether a number that was refused is below the range; one too large to be read at all is far out
 * on its side. */
static bool is_below(const struct option_row *row, const char *text)
{
    int64_t number = *text == '-' ? INT64_MIN : INT64_MAX;
    double real = (double)number;

    if (row->type == OPTION_REAL) {
        (void)scalar_get_real(text, &real);
        return real < row->real_min;
    }
    (void)get_number(row, text, &number);
    return number < row->min;
}

static void explain_range(const struct option_row *row, const char *text, char *ret_why)
{
    bool below = is_below(row, text);
    char bound[SCALAR_BYTES];

    if (row->type == OPTION_REAL) {
        scalar_put_real(below ? row->real_min : row->real_max, bound);
    } else {
        put_bound(row, below ? row->min : row->max, bound);
    }
    (void)snprintf(ret_why, WHY_BYTES, "%.60s is %s %s", text, below ? "below" : "above", bound);
}

/* A text may be a secret: it is not repeated. */
static void explain_text(const struct option_row *row, const char *text, char *ret_why)
{
    size_t n = strlen(text);

    if (!is_utf8(text)) {
        (void)snprintf(ret_why, WHY_BYTES, "is not valid UTF-8");
    } else if (n == 0) {
        (void)snprintf(ret_why, WHY_BYTES, "must not be empty");
    } else if ((int64_t)n < row->min) {
        (void)snprintf(ret_why, WHY_BYTES, "has %zu bytes, at least %" PRId64 " are needed", n,
                       row->min);
    } else {
        (void)snprintf(ret_why, WHY_BYTES, "has %zu bytes, at most %" PRId64 " are allowed", n,
                       row->max);
    }
}

static void explain_choice(const struct option_row *row, const char *text, char *ret_why)
{
    struct buffer why = buffer_over(ret_why, WHY_BYTES);

    buffer_print(&why, "must be one of ");
    for (size_t i = 0; row->choices[i] != NULL; i++) {
        buffer_print(&why, "%s%s", i > 0 ? ", " : "", row->choices[i]);
    }
    buffer_print(&why, ", not \"%.60s\"", text);
}

void config_explain(const struct option_row *row, const char *text, int r, char *ret_why)
{
    static const char *const forms[] = {
        [OPTION_BOOL] = "true or false",
        [OPTION_INTEGER] = "a whole number",
        [OPTION_REAL] = "a number",
        [OPTION_DURATION] = "a duration (250ms, 5s, 2m, 1h, 1d)",
        [OPTION_SIZE] = "a size (4096, 64KiB, 10MB, 1Gbit)",
    };

    if (row->type == OPTION_TEXT) {
        explain_text(row, text, ret_why);
    } else if (row->type == OPTION_CHOICE) {
        explain_choice(row, text, ret_why);
    } else if (r == -ERANGE) {
        explain_range(row, text, ret_why);
    } else {
        (void)snprintf(ret_why, WHY_BYTES, "\"%.60s\" is not %s", text, forms[row->type]);
    }
}
