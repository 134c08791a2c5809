/* Tables and numbers for people. Pure; allocates. */
#ifndef CLIENT_EKCTL_TABLE_H
#define CLIENT_EKCTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include <evenkeel/evenkeel.h>

struct column {
    const char *header; /* NULL in the first column: a table without a header line */
    bool right;         /* numbers */
};

struct table;

/* An empty table; `columns` must stay while it lives. NULL for want of memory: the functions below
 * take that, and table_text() then gives NULL, so that one check at the end is enough. */
struct table *table_new(const struct column *columns, size_t n_columns);
void table_free(struct table *table);

/* Add the next cell, row by row. Empty text is shown as "-"; control characters as "?". */
__attribute__((format(printf, 2, 3))) void table_cell(struct table *table, const char *format, ...);

/* The aligned text, lines ended by newlines, to be given to free(); NULL for want of memory. A row
 * that is not complete is filled with "-". */
char *table_text(const struct table *table);

/* A short text, by value: `human_bytes(x).text` lives to the end of the expression. */
struct short_text {
    char text[32];
};

struct short_text human_bytes(double bytes);     /* "512 B", "1.5 MiB" */
struct short_text human_seconds(double seconds); /* "1.2 s", "3 m 20 s", "5 h 7 m" */
struct short_text human_ratio(double ratio);     /* "12.5 %" */
struct short_text
human_metric(const struct ek_metric *metric); /* by its name's unit; absent: "-" */

/* The metric of that name, or NULL. */
const struct ek_metric *metric_find(const struct ek_metric *metrics, size_t n, const char *name);

/* Overwrite control characters in `text` with "?": it may come from a server and go to a terminal.
 */
void make_printable(char *text);

#endif
