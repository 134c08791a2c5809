/* Tables and numbers for people. Pure; allocates. */
#include "client/ekctl_table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A cell's bytes; a topic's name is the longest thing that is shown. */
#define CELL_BYTES_MAX (EK_NAME_SIZE + 32)

struct table {
    const struct column *columns;
    size_t n_columns;
    char **cells; /* row by row */
    size_t n_cells;
    size_t n_cells_max;
    bool failed; /* out of memory: what was added since is lost */
};

void make_printable(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at != '\0'; at++) {
        bool c1 = at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f;

        if (*at < 0x20 || *at == 0x7f) {
            at[0] = '?';
        } else if (c1) {
            at[0] = '?';
            at[1] = '?';
        }
    }
}

struct table *table_new(const struct column *columns, size_t n_columns)
{
    struct table *table = calloc(1, sizeof(*table));

    if (table != NULL) {
        table->columns = columns;
        table->n_columns = n_columns;
    }
    return table;
}

void table_free(struct table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->n_cells; i++) {
        free(table->cells[i]);
    }
    free((void *)table->cells);
    free(table);
}

static void table_add(struct table *table, const char *text)
{
    if (table->n_cells == table->n_cells_max) {
        size_t n_max = 2 * table->n_cells_max + 64;
        char **cells = realloc((void *)table->cells, n_max * sizeof(*cells));

        if (cells == NULL) {
            table->failed = true;
            return;
        }
        table->cells = cells;
        table->n_cells_max = n_max;
    }
    table->cells[table->n_cells] = strdup(text);
    if (table->cells[table->n_cells] == NULL) {
        table->failed = true;
        return;
    }
    table->n_cells++;
}

void table_cell(struct table *table, const char *format, ...)
{
    char text[CELL_BYTES_MAX];
    va_list arguments;

    if (table == NULL || table->failed) {
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    make_printable(text);
    table_add(table, text[0] != '\0' ? text : "-");
}

/* Characters on the screen: UTF-8's continuation bytes take no room. */
static size_t width_of(const char *text)
{
    size_t n = 0;

    for (; *text != '\0'; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80 ? 1 : 0;
    }
    return n;
}

static bool has_header(const struct table *table)
{
    return table->columns[0].header != NULL;
}

static size_t n_rows(const struct table *table)
{
    return (table->n_cells + table->n_columns - 1) / table->n_columns;
}

/* A cell's text; row 0 is the header. */
static const char *text_at(const struct table *table, size_t row, size_t column)
{
    size_t i;

    if (row == 0) {
        return has_header(table) ? table->columns[column].header : "";
    }
    i = (row - 1) * table->n_columns + column;
    return i < table->n_cells ? table->cells[i] : "-";
}

static size_t column_width(const struct table *table, size_t column)
{
    size_t widest = 0;

    for (size_t row = 0; row <= n_rows(table); row++) {
        size_t width = width_of(text_at(table, row, column));

        widest = width > widest ? width : widest;
    }
    return widest;
}

/* Write a row. Nothing follows the last cell, so that lines have no trailing blanks. */
static void write_row(FILE *out, const struct table *table, const size_t *widths, size_t row)
{
    for (size_t column = 0; column < table->n_columns; column++) {
        const char *text = text_at(table, row, column);
        bool last = column + 1 == table->n_columns;
        int blanks = (int)(widths[column] - width_of(text));

        if (table->columns[column].right) {
            (void)fprintf(out, "%*s%s%s", blanks, "", text, last ? "" : "  ");
        } else {
            (void)fprintf(out, "%s%*s", text, last ? 0 : blanks + 2, "");
        }
    }
    (void)fputc('\n', out);
}

char *table_text(const struct table *table)
{
    size_t *widths;
    char *text = NULL;
    size_t n;
    FILE *out;

    if (table == NULL || table->failed) {
        return NULL;
    }
    widths = calloc(table->n_columns, sizeof(*widths));
    out = widths != NULL ? open_memstream(&text, &n) : NULL;
    if (out == NULL) {
        free(widths);
        return NULL;
    }
    for (size_t column = 0; column < table->n_columns; column++) {
        widths[column] = column_width(table, column);
    }
    for (size_t row = has_header(table) ? 0 : 1; row <= n_rows(table); row++) {
        write_row(out, table, widths, row);
    }
    free(widths);
    (void)fclose(out);
    return text;
}

__attribute__((format(printf, 1, 2))) static struct short_text short_text(const char *format, ...)
{
    struct short_text made;
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(made.text, sizeof(made.text), format, arguments);
    va_end(arguments);
    return made;
}

struct short_text human_bytes(double bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t i = 0;

    /* What would be rounded to 1024 belongs to the next unit. */
    if (bytes < 1023.5) {
        return short_text("%.0f B", bytes);
    }
    for (bytes /= 1024; bytes >= 1023.95 && i + 1 < sizeof(units) / sizeof(units[0]); i++) {
        bytes /= 1024;
    }
    return short_text("%.1f %s", bytes, units[i]);
}

struct short_text human_seconds(double seconds)
{
    unsigned long whole;

    if (seconds < 59.95) {
        return short_text("%.1f s", seconds);
    }
    if (seconds >= 1e9) {
        return short_text("%.0f d", seconds / 86400);
    }
    whole = (unsigned long)(seconds + 0.5);
    if (whole < 3600) {
        return short_text("%lu m %lu s", whole / 60, whole % 60);
    }
    if (whole < 86400) {
        return short_text("%lu h %lu m", whole / 3600, whole % 3600 / 60);
    }
    return short_text("%lu d %lu h", whole / 86400, whole % 86400 / 3600);
}

struct short_text human_ratio(double ratio)
{
    return short_text("%.1f %%", 100 * ratio);
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name);
    size_t n_end = strlen(end);

    return n >= n_end && strcmp(name + n - n_end, end) == 0;
}

struct short_text human_metric(const struct ek_metric *metric)
{
    const char *name;

    if (metric == NULL || !metric->present) {
        return short_text("-");
    }
    name = metric->name;
    if (ends_with(name, "_per_s") && strstr(name, "bytes") != NULL) {
        return short_text("%s/s", human_bytes(metric->value).text);
    }
    if (ends_with(name, "_per_s")) {
        return short_text("%.1f/s", metric->value);
    }
    if (ends_with(name, "_bytes")) {
        return human_bytes(metric->value);
    }
    if (ends_with(name, "_ratio")) {
        return human_ratio(metric->value);
    }
    return short_text(ends_with(name, "_cores") ? "%.2f" : "%.0f", metric->value);
}

const struct ek_metric *metric_find(const struct ek_metric *metrics, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(metrics[i].name, name) == 0) {
            return &metrics[i];
        }
    }
    return NULL;
}
