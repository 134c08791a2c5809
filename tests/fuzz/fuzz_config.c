/* Any bytes as a configuration: refused with one clean line, or accepted, and then what is printed
 * is accepted too and prints the same. */
#include <assert.h>
#include <errno.h>
#include <float.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/config.h"
#include "common/limits.h"

struct element {
    char *id;
    int64_t port;
    struct option_texts command;
    struct option_list inner;
};

struct inner {
    char *name;
    bool on;
};

struct config {
    bool on;
    int64_t number;
    double real;
    time_us duration;
    int64_t size;
    char *text;
    int choice;
    struct option_texts texts;
    struct option_list list;
};

static const char *const choices[] = {"json", "text", "on", NULL};

static const struct option_row inner_rows[] = {
    {.key = "name",
     .type = OPTION_TEXT,
     .offset = offsetof(struct inner, name),
     .max = 100,
     .fallback = "~"},
    {.key = "on", .type = OPTION_BOOL, .offset = offsetof(struct inner, on), .fallback = "off"},
    {.key = NULL},
};

static const struct option_row element_rows[] = {
    {.key = "id",
     .type = OPTION_TEXT,
     .offset = offsetof(struct element, id),
     .min = 1,
     .max = 127},
    {.key = "port",
     .type = OPTION_INTEGER,
     .offset = offsetof(struct element, port),
     .max = 65535,
     .fallback = "0"},
    {.key = "command",
     .type = OPTION_TEXTS,
     .offset = offsetof(struct element, command),
     .max = 1000},
    {.key = "inner",
     .type = OPTION_LIST,
     .offset = offsetof(struct element, inner),
     .max = 1000,
     .rows = inner_rows,
     .element_size = sizeof(struct inner)},
    {.key = NULL},
};

static const struct option_row group_rows[] = {
    {.key = "duration",
     .type = OPTION_DURATION,
     .offset = offsetof(struct config, duration),
     .max = INT64_MAX,
     .fallback = "5s"},
    {.key = "size",
     .type = OPTION_SIZE,
     .offset = offsetof(struct config, size),
     .max = INT64_MAX,
     .fallback = "64KiB"},
    {.key = NULL},
};

static const struct option_row rows[] = {
    {.key = "on", .type = OPTION_BOOL, .offset = offsetof(struct config, on), .fallback = "no"},
    {.key = "number",
     .type = OPTION_INTEGER,
     .offset = offsetof(struct config, number),
     .min = INT64_MIN,
     .max = INT64_MAX,
     .fallback = "0"},
    {.key = "real",
     .type = OPTION_REAL,
     .offset = offsetof(struct config, real),
     .real_min = -DBL_MAX,
     .real_max = DBL_MAX,
     .fallback = "0.25"},
    {.key = "group", .type = OPTION_GROUP, .rows = group_rows},
    {.key = "text",
     .type = OPTION_TEXT,
     .offset = offsetof(struct config, text),
     .max = INT64_MAX,
     .fallback = ""},
    {.key = "choice",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct config, choice),
     .choices = choices,
     .fallback = "on"},
    {.key = "texts",
     .type = OPTION_TEXTS,
     .offset = offsetof(struct config, texts),
     .max = INT64_MAX},
    {.key = "list",
     .type = OPTION_LIST,
     .offset = offsetof(struct config, list),
     .max = INT64_MAX,
     .rows = element_rows,
     .element_size = sizeof(struct element)},
    {.key = NULL},
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* What config_print() gives. */
static char *print(const struct config *config, size_t *ret_n)
{
    char *text = NULL;
    FILE *to = open_memstream(&text, ret_n);

    assert(to != NULL);
    config_print(rows, config, to);
    assert(fclose(to) == 0);
    return text;
}

static void check_error(const char *error)
{
    size_t n = strlen(error);

    assert(n > 0 && n < CONFIG_ERROR_BYTES && strncmp(error, "x.yaml:", 7) == 0);
    for (size_t i = 0; i < n; i++) {
        assert((unsigned char)error[i] >= ' ' && error[i] != 0x7F);
    }
}

static void check_round_trip(const struct config *config)
{
    struct config again = {.on = false};
    char error[CONFIG_ERROR_BYTES];
    size_t n, n_again;
    cleanup_free char *text = print(config, &n);
    cleanup_free char *text_again = NULL;

    /* Defaults and escapes can make a configuration too large to be read again. */
    if (config_read_bytes("x.yaml", text, n, rows, &again, NULL, error) < 0) {
        assert(n > (size_t)CONFIG_BYTES_MAX || strstr(error, "more than") != NULL);
        return;
    }
    text_again = print(&again, &n_again);
    assert(n == n_again && memcmp(text, text_again, n) == 0);
    config_done(rows, &again, sizeof(again));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct config config = {.on = false};
    struct config_file *file = NULL;
    char error[CONFIG_ERROR_BYTES] = "";
    int r;

    (void)setenv("A", "value", 1);
    r = config_read_bytes("x.yaml", (const char *)bytes, n, rows, &config, &file, error);
    if (r < 0) {
        assert(r == -EINVAL && file == NULL);
        assert(config.text == NULL && config.texts.texts == NULL && config.list.elements == NULL);
        check_error(error);
        return 0;
    }
    assert(config_line(file, "list[0].inner[1].name") >= 0);
    check_round_trip(&config);
    config_file_free(file);
    config_done(rows, &config, sizeof(config));
    return 0;
}
