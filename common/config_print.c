/* What the option rows print: the effective configuration, and the documented option list. */
#include <float.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "common/config.h"
#include "common/scalar.h"
#include "common/utf8.h"

/* One character of a double-quoted YAML text. Whatever a terminal or libyaml's reader would not
 * take as it is becomes an escape; a dollar is doubled, for it would be expanded. */
static void print_character(const char *bytes, size_t n, uint32_t code, FILE *to)
{
    if (code == '"' || code == '\\') {
        (void)fprintf(to, "\\%c", (int)code);
    } else if (code == '$') {
        (void)fputs("$$", to);
    } else if (code == '\n') {
        (void)fputs("\\n", to);
    } else if (code < ' ' || (code >= 0x7F && code < 0xA0)) {
        (void)fprintf(to, "\\x%02X", (unsigned)code);
    } else if (code == 0x2028 || code == 0x2029 || code == 0xFEFF || code == 0xFFFE ||
               code == 0xFFFF) {
        (void)fprintf(to, "\\u%04X", (unsigned)code);
    } else {
        (void)fwrite(bytes, 1, n, to);
    }
}

/* Whether every YAML reader takes the bare text for a text, and for this one. */
static bool is_bare(const char *text)
{
    static const char safe[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz/0123456789_.:-";
    static const char *const words[] = {"true", "false", "yes", "no",  "on",
                                        "off",  "y",     "n",   "null"};
    size_t n = strlen(text);

    for (size_t i = 0; i < N_ELEMENTS(words); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return false;
        }
    }
    return n > 0 && strspn(text, safe) == n && strchr("0123456789_.:-", text[0]) == NULL &&
           text[n - 1] != ':';
}

static void print_text(const char *text, FILE *to)
{
    size_t n = strlen(text);

    if (is_bare(text)) {
        (void)fputs(text, to);
        return;
    }
    (void)fputc('"', to);
    while (n > 0) {
        uint32_t code = '?';
        size_t length = MAX(utf8_get(text, n, &code), 1);

        print_character(text, length, code, to);
        text += length;
        n -= length;
    }
    (void)fputc('"', to);
}

static void print_scalar(const struct option_row *row, const void *at, FILE *to)
{
    char text[SCALAR_BYTES] = "";

    switch (row->type) {
    case OPTION_BOOL:
        (void)fputs(*(const bool *)at ? "true" : "false", to);
        return;
    case OPTION_TEXT:
        print_text(*(char *const *)at != NULL ? *(char *const *)at : "", to);
        return;
    case OPTION_CHOICE:
        print_text(row->choices[*(const int *)at], to);
        return;
    case OPTION_REAL:
        scalar_put_real(*(const double *)at, text);
        break;
    case OPTION_DURATION:
        scalar_put_duration(*(const time_us *)at, text);
        break;
    case OPTION_SIZE:
        scalar_put_size(*(const int64_t *)at, text);
        break;
    default:
        (void)snprintf(text, sizeof(text), "%" PRId64, *(const int64_t *)at);
        break;
    }
    (void)fputs(text, to);
}

static void print_texts(const struct option_texts *texts, int indent, FILE *to)
{
    (void)fputs(texts->n == 0 ? " []\n" : "\n", to);
    for (size_t i = 0; i < texts->n; i++) {
        (void)fprintf(to, "%*s- ", indent, "");
        print_text(texts->texts[i], to);
        (void)fputc('\n', to);
    }
}

static void print_rows(const struct option_row *rows, const void *base, int indent, bool element,
                       FILE *to);

static void print_list(const struct option_row *row, const struct option_list *list, int indent,
                       FILE *to)
{
    (void)fputs(list->n == 0 ? " []\n" : "\n", to);
    for (size_t i = 0; i < list->n; i++) {
        print_rows(row->rows, (const char *)list->elements + i * row->element_size, indent + 2,
                   true, to);
    }
}

static void print_value(const struct option_row *row, const void *at, int indent, FILE *to)
{
    switch (row->type) {
    case OPTION_GROUP:
        (void)fputs(row->rows->key == NULL ? " {}\n" : "\n", to);
        print_rows(row->rows, at, indent + 2, false, to);
        break;
    case OPTION_LIST:
        print_list(row, at, indent + 2, to);
        break;
    case OPTION_TEXTS:
        print_texts(at, indent + 2, to);
        break;
    default:
        (void)fputc(' ', to);
        print_scalar(row, at, to);
        (void)fputc('\n', to);
        break;
    }
}

/* The first row of a list's element stands behind its dash. */
static void print_rows(const struct option_row *rows, const void *base, int indent, bool element,
                       FILE *to)
{
    for (const struct option_row *row = rows; row->key != NULL; row++) {
        bool dash = element && row == rows;

        (void)fprintf(to, "%*s%s%s:", dash ? indent - 2 : indent, "", dash ? "- " : "", row->key);
        print_value(row, (const char *)base + row->offset, indent, to);
    }
}

void config_print(const struct option_row *rows, const void *config, FILE *to)
{
    print_rows(rows, config, 0, false, to);
}

/* A cell of the Markdown table: a bar would end it. */
static void print_cell(const char *text, FILE *to)
{
    for (; *text != '\0'; text++) {
        (void)fputs(*text == '|' ? "\\" : "", to);
        (void)fputc(*text, to);
    }
}

static void document_type(const struct option_row *row, FILE *to)
{
    static const char *const words[] = {
        [OPTION_BOOL] = "true or false", [OPTION_INTEGER] = "whole number",
        [OPTION_REAL] = "number",        [OPTION_DURATION] = "duration",
        [OPTION_SIZE] = "size",          [OPTION_TEXT] = "text",
        [OPTION_CHOICE] = "one of ",     [OPTION_TEXTS] = "list of texts",
        [OPTION_GROUP] = "group",        [OPTION_LIST] = "list",
    };

    (void)fputs(words[row->type], to);
    for (size_t i = 0; row->type == OPTION_CHOICE && row->choices[i] != NULL; i++) {
        (void)fprintf(to, "%s`%s`", i > 0 ? ", " : "", row->choices[i]);
    }
}

static void document_default(const struct option_row *row, FILE *to)
{
    bool list = row->type == OPTION_LIST || row->type == OPTION_TEXTS;

    if (row->type == OPTION_GROUP) {
        return;
    }
    if (list ? row->min > 0 : row->fallback == NULL) {
        (void)fputs("required", to);
    } else if (list) {
        (void)fputs("none", to);
    } else {
        (void)fputc('`', to);
        print_cell(*row->fallback != '\0' ? row->fallback : "\"\"", to);
        (void)fputc('`', to);
    }
}

/* The bound as text; empty when it does not bind. */
static void put_bound(const struct option_row *row, bool upper, char ret_text[SCALAR_BYTES])
{
    int64_t bound = upper ? row->max : row->min;
    double real = upper ? row->real_max : row->real_min;
    bool bare = row->type == OPTION_TEXT || row->type == OPTION_LIST || row->type == OPTION_TEXTS;

    ret_text[0] = '\0';
    if (row->type == OPTION_REAL) {
        if (real > -DBL_MAX && real < DBL_MAX) {
            scalar_put_real(real, ret_text);
        }
    } else if (bound == INT64_MIN || bound == INT64_MAX || (bare && !upper && bound == 0)) {
        return;
    } else if (row->type == OPTION_DURATION) {
        scalar_put_duration(bound, ret_text);
    } else if (row->type == OPTION_SIZE) {
        scalar_put_size(bound, ret_text);
    } else {
        (void)snprintf(ret_text, SCALAR_BYTES, "%" PRId64, bound);
    }
}

static void document_range(const struct option_row *row, FILE *to)
{
    static const char *const units[OPTION_LIST + 1] = {
        [OPTION_TEXT] = " bytes", [OPTION_TEXTS] = " elements", [OPTION_LIST] = " elements"};
    const char *unit = units[row->type] != NULL ? units[row->type] : "";
    char low[SCALAR_BYTES], high[SCALAR_BYTES];

    if (row->type == OPTION_BOOL || row->type == OPTION_CHOICE || row->type == OPTION_GROUP) {
        return;
    }
    put_bound(row, false, low);
    put_bound(row, true, high);
    if (low[0] != '\0' && high[0] != '\0') {
        (void)fprintf(to, "%s … %s%s", low, high, unit);
    } else if (low[0] != '\0') {
        (void)fprintf(to, "at least %s%s", low, unit);
    } else if (high[0] != '\0') {
        (void)fprintf(to, "at most %s%s", high, unit);
    }
}

/* A row for each option; a group has one of its own only when it has something to say. */
static void document_rows(const struct option_row *rows, const char *prefix, FILE *to)
{
    for (const struct option_row *row = rows; row->key != NULL; row++) {
        char key[256];

        (void)snprintf(key, sizeof(key), "%s%s", prefix, row->key);
        if (row->type != OPTION_GROUP || row->help != NULL) {
            (void)fprintf(to, "| `%s` | ", key);
            document_type(row, to);
            (void)fputs(" | ", to);
            document_default(row, to);
            (void)fputs(" | ", to);
            document_range(row, to);
            (void)fputs(" | ", to);
            print_cell(row->help != NULL ? row->help : "", to);
            (void)fputs(" |\n", to);
        }
        if (row->type == OPTION_GROUP || row->type == OPTION_LIST) {
            (void)snprintf(key, sizeof(key), "%s%s%s.", prefix, row->key,
                           row->type == OPTION_LIST ? "[]" : "");
            document_rows(row->rows, key, to);
        }
    }
}

void config_document(const struct option_row *rows, FILE *to)
{
    (void)fputs("| key | type | default | range | why change it |\n"
                "|---|---|---|---|---|\n",
                to);
    document_rows(rows, "", to);
}
