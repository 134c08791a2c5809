/* One line an event on stderr, JSON or text. Shell; may be called from any thread.
 *
 * Events have stable names ("report_refused"); what varies goes into fields. The same event with
 * the same first field more often than LOG_BURST times in LOG_WINDOW_US is counted and said once,
 * at the window's end
 * ("repeats": n), so that a broken peer cannot fill a disk. A line is at most 4096 bytes (what a
 * pipe takes at once) and a text 1024: longer texts end with an ellipsis, and fields that do not
 * fit are left out ("truncated": true).
 *
 * Two events are the log's own: log_lost ("lines": n that stderr did not take), and log_overflow
 * ("repeats": n) when more different events come within a window than it can tell apart. */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdint.h>

#include "common/units.h"

enum log_level {
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARN,
    LOG_ERROR,
};

enum log_format {
    LOG_JSON,
    LOG_TEXT,
};

#define LOG_BURST     5
#define LOG_WINDOW_US SECONDS(10)

/* One field of an event. Make them with log_text(), log_number() and log_real(). */
struct log_field {
    const char *key; /* NULL: absent field, skipped */
    enum { LOG_FIELD_TEXT, LOG_FIELD_NUMBER, LOG_FIELD_REAL } type;
    const char *text; /* any bytes; escaped on the way out */
    int64_t number;
    double real;
};

static inline struct log_field log_text(const char *key, const char *text)
{
    return (struct log_field){.key = key, .type = LOG_FIELD_TEXT, .text = text};
}

static inline struct log_field log_number(const char *key, int64_t number)
{
    return (struct log_field){.key = key, .type = LOG_FIELD_NUMBER, .number = number};
}

static inline struct log_field log_real(const char *key, double real)
{
    return (struct log_field){.key = key, .type = LOG_FIELD_REAL, .real = real};
}

/* Set who speaks ("agent"), from which level on, and how. Before the first event; the default is
 * info, JSON. */
void log_start(const char *component, enum log_level level, enum log_format format);

/* Say what was counted and not said yet. Call about once a second; `now_us` is on the boot clock.
 */
void log_flush(time_us now_us);

/* Write one event. Use the macro: log_event(LOG_WARN, "report_refused", log_text("node", id)).
 * Fields must be given in a fixed order; the first one tells repeats apart. */
void log_write(enum log_level level, const char *event, const struct log_field *fields,
               int n_fields);

#define log_event(level, event, ...)                                                               \
    log_write((level), (event), (const struct log_field[]){__VA_ARGS__},                           \
              (int)(sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field)))

#endif
