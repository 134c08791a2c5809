/* YAML configuration: option rows, read over libyaml's event API. Shell (reads a file, the
 * environment). Not thread-safe against setenv().
 *
 * A program describes its configuration as one table of rows; the table reads the file, checks it,
 * prints the effective configuration, and is the source of the option list in docs/operating.md (a
 * test compares). Unknown and repeated keys, wrong types and out-of-range values are refused with
 * file, line and range: agent.yaml:12: report.interval: 5ms is below 100ms
 *
 * `${NAME}` in a value is the environment's NAME, `${NAME:-text}` with a default for a name that is
 * not set or empty; `$$` is a dollar, and so is a `$` before anything else. A name that is not set
 * and has no default is an error. Durations: 250ms, 5s, 2m, 1h, 1d. Sizes: 4096, 64KiB, 10MB, 1Gbit
 * (= 125 MB). Nothing, `~` or `null` is an empty text, list or group; an empty file is an empty
 * mapping. Anchors, aliases, tags and several documents are refused; see limits.h for the bounds.
 */
#ifndef COMMON_CONFIG_H
#define COMMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/units.h"

enum option_type {
    OPTION_BOOL,     /* bool; true, false, yes, no, on, off */
    OPTION_INTEGER,  /* int64_t, min … max */
    OPTION_REAL,     /* double, real_min … real_max; not NaN */
    OPTION_DURATION, /* time_us, min … max */
    OPTION_SIZE,     /* int64_t bytes, min … max */
    OPTION_TEXT,     /* char *: on the heap, owned by the configuration; min … max bytes */
    OPTION_CHOICE,   /* int: the place of the word in `choices`, which a NULL ends */
    OPTION_TEXTS,    /* struct option_texts: a sequence of scalars, min … max of them */
    OPTION_GROUP,    /* a nested mapping: `rows` apply to the struct at `offset` */
    OPTION_LIST, /* struct option_list: a sequence of mappings, min … max of them; `rows` apply to
                    each */
};

struct option_texts {
    char **texts; /* each on the heap, and a NULL after the last: ready for execve */
    size_t n;
};

struct option_list {
    void *elements; /* n elements of `element_size` bytes, on the heap */
    size_t n;
};

/* One option. A table of them ends with a row whose key is NULL. */
struct option_row {
    const char *key; /* one step of the path: "interval" within the group "report" */
    enum option_type type;
    size_t offset; /* of the member in the configuration struct (or in the group's or element's) */
    int64_t min, max; /* inclusive; what they bound is said beside each type */
    double real_min, real_max;
    const char *fallback; /* the default, written as in the file; NULL: required (within its group
                             or element) for scalars, also when that group is not written; always
                             NULL for lists, which are empty then, or required if min > 0 */
    const char *const *choices;
    const struct option_row *rows;
    size_t element_size; /* LIST */
    const char *help;    /* why you would change it, one sentence */
};

/* Where something stood in the file; kept for the program's own checks (a sum of weights). */
struct config_file;

/* Bytes of an error text, with its NUL. */
#define CONFIG_ERROR_BYTES 1024

/* Read `path` into `config`, which must be zeroed and is filled with defaults first. On error
 * nothing is leaked, `config` is zeroed again, and one line for people is in `ret_error`
 * (CONFIG_ERROR_BYTES). `ret_file` (may be NULL) must be freed by config_file_free(); config_line()
 * finds lines in it. Refused besides what the rows refuse: what is no regular file, larger than
 * CONFIG_BYTES_MAX, or writable for everybody. Returns 0, -EINVAL refused, -ENOMEM, or what opening
 * or reading the file gave. */
int config_read(const char *path, const struct option_row *rows, void *config,
                struct config_file **ret_file, char *ret_error);

/* The same from bytes in memory; `name` stands for the path in errors. For tests and fuzzing. */
int config_read_bytes(const char *name, const char *bytes, size_t n, const struct option_row *rows,
                      void *config, struct config_file **ret_file, char *ret_error);

/* The line (1 …) where dotted `key` stands ("ranking.weights", "brokers[1].id"), or that of the
 * nearest parent that is written; 0 when nothing of it is. */
int config_line(const struct config_file *file, const char *key);

/* Format "name:line: key: message" for a check of the program's own into `ret_error`
 * (CONFIG_ERROR_BYTES); without the line when nothing of `key` is written. */
__attribute__((format(printf, 4, 5))) void config_complain(const struct config_file *file,
                                                           const char *key, char *ret_error,
                                                           const char *format, ...);

/* NULL is fine. */
void config_file_free(struct config_file *file);

/* Print the effective configuration as YAML that config_read() accepts, defaults included. The
 * environment's values are in it. */
void config_print(const struct option_row *rows, const void *config, FILE *to);

/* Print the option list as a Markdown table (key, type, default, range, help), dotted keys. */
void config_document(const struct option_row *rows, FILE *to);

/* Release what `config` owns and zero it; `size` is that of the struct. NULL is fine. */
void config_done(const struct option_row *rows, void *config, size_t size);

#endif
