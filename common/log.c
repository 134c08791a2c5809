/* One line an event on stderr, JSON or text.
 *
 * A line is one write(2) of at most PIPE_BUF bytes, so that lines of several threads and processes
 * never mix on a pipe. Repeats are told apart by a fixed table of windows; when all of them are
 * open, what is new shares one more window, so that a peer that makes up names cannot fill a disk
 * either. Nothing here can fail or block for long: what stderr does not take is counted, and the
 * count is said later. */
#include "common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/scalar.h"
#include "common/utf8.h"

#define LINE_BYTES_MAX PIPE_BUF

/* One field's text: a long one leaves room for the others. */
#define FIELD_BYTES_MAX 1024

/* What is kept for the end of a line: the mark, a quote, `,"truncated":true}` and the newline. */
#define LINE_BYTES_END 32

/* Windows open at a time: every event of a small fleet's every node, 90 KB. */
#define WINDOWS_MAX 512

struct window {
    uint64_t key;     /* hash of the event and its first field; 0: not used */
    time_us since_us; /* boot clock */
    int64_t n;        /* events in it, said or not */
    enum log_level level;
    char event[40];
    char first_key[24];
    char first_text[48];
    struct log_field first; /* points to the two above */
};

static struct {
    pthread_mutex_t lock;
    char component[32];
    enum log_level level;
    enum log_format format;
    int64_t n_lost; /* lines that stderr did not take */
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .component = "evenkeel", .level = LOG_INFO};

/* Under the same lock. */
static struct window windows[WINDOWS_MAX];
static struct window others;

/* Text of a line. */

static void put_character(struct buffer *line, const char *bytes, size_t length, uint32_t code)
{
    if (length == 0) {
        buffer_put(line, UTF8_REPLACEMENT, 3);
    } else if (code == '"' || code == '\\') {
        buffer_put(line, "\\", 1);
        buffer_put(line, bytes, 1);
    } else if (code == '\n') {
        buffer_put(line, "\\n", 2);
    } else if (code < ' ' || (code >= 0x7F && code < 0xA0)) {
        buffer_print(line, "\\u%04x", (unsigned)code);
    } else {
        buffer_put(line, bytes, length);
    }
}

/* A JSON string; cut and marked with an ellipsis when it is too long. */
static void put_quoted(struct buffer *line, const char *text)
{
    size_t end = MIN(line->n + FIELD_BYTES_MAX, line->n_max);
    size_t n = strnlen(text, FIELD_BYTES_MAX + 1);

    buffer_put(line, "\"", 1);
    while (n > 0) {
        uint32_t code = 0;
        size_t length = utf8_get(text, n, &code);

        if (line->n + strlen("\\u0000…\"") > end) {
            buffer_print(line, "…");
            break;
        }
        put_character(line, text, length, code);
        text += MAX(length, 1);
        n -= MAX(length, 1);
    }
    buffer_put(line, "\"", 1);
}

/* Whether a value of the text format needs no quotes: printable ASCII, nothing that ends it. */
static bool is_bare(const char *text)
{
    size_t n = strnlen(text, FIELD_BYTES_MAX);

    for (size_t i = 0; i < n; i++) {
        if (text[i] <= ' ' || text[i] > '~' || strchr("\"\\=", text[i]) != NULL) {
            return false;
        }
    }
    return n > 0 && n < FIELD_BYTES_MAX;
}

static void put_value(struct buffer *line, const struct log_field *field)
{
    bool json = state.format == LOG_JSON;
    char text[SCALAR_BYTES];

    if (field->type == LOG_FIELD_NUMBER) {
        buffer_print(line, "%" PRId64, field->number);
    } else if (field->type == LOG_FIELD_REAL) {
        scalar_put_real(field->real, text);
        buffer_print(line, "%s", json && !isfinite(field->real) ? "null" : text);
    } else if (field->text == NULL) {
        buffer_print(line, json ? "null" : "-");
    } else if (!json && is_bare(field->text)) {
        buffer_print(line, "%s", field->text);
    } else {
        put_quoted(line, field->text);
    }
}

/* Fields in order, until one does not fit. Returns whether all did. */
static bool put_fields(struct buffer *line, const struct log_field *fields, int n_fields)
{
    for (int i = 0; i < n_fields; i++) {
        size_t n_before = line->n;

        if (fields[i].key == NULL) {
            continue;
        }
        buffer_print(line, state.format == LOG_JSON ? ",\"%s\":" : " %s=", fields[i].key);
        put_value(line, &fields[i]);
        if (line->overflowed) {
            line->overflowed = false;
            line->n = n_before;
            return false;
        }
    }
    return true;
}

static void put_head(struct buffer *line, enum log_level level, const char *event)
{
    static const char *const names[][2] = {[LOG_DEBUG] = {"debug", "DEBUG"},
                                           [LOG_INFO] = {"info", "INFO"},
                                           [LOG_WARN] = {"warn", "WARN"},
                                           [LOG_ERROR] = {"error", "ERROR"}};
    int64_t now_unix_us = clock_unix_us();
    time_t now_unix_s = (time_t)(now_unix_us / US_PER_S);
    struct tm now;
    char date[32];

    (void)gmtime_r(&now_unix_s, &now);
    (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &now);
    buffer_print(line,
                 state.format == LOG_JSON
                     ? "{\"ts\":\"%s.%06dZ\",\"level\":\"%s\",\"component\":\"%s\",\"event\":\"%s\""
                     : "%s.%06dZ %s %s %s",
                 date, (int)(now_unix_us % US_PER_S), names[level][state.format == LOG_TEXT],
                 state.component, event);
}

/* A stderr that nobody reads any more sends a signal; the process shall live. */
static ssize_t write_without_signal(const char *bytes, size_t n)
{
    sigset_t pipe, before, pending;
    bool was_pending;
    ssize_t r;

    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE);
    (void)sigpending(&pending);
    was_pending = sigismember(&pending, SIGPIPE) == 1;
    (void)pthread_sigmask(SIG_BLOCK, &pipe, &before);
    do {
        r = write(STDERR_FILENO, bytes, n);
    } while (r < 0 && errno == EINTR);
    if (r < 0 && errno == EPIPE && !was_pending) {
        (void)sigtimedwait(&pipe, NULL, &(struct timespec){.tv_sec = 0});
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

/* Returns whether the line was taken. */
static bool say(enum log_level level, const char *event, const struct log_field *fields,
                int n_fields)
{
    char bytes[LINE_BYTES_MAX];
    struct buffer line = buffer_over(bytes, sizeof(bytes) - LINE_BYTES_END);
    bool json = state.format == LOG_JSON, whole;

    put_head(&line, level, event);
    whole = put_fields(&line, fields, n_fields);
    line.n_max = sizeof(bytes);
    if (!whole) {
        buffer_print(&line, json ? ",\"truncated\":true" : " truncated=true");
    }
    buffer_print(&line, json ? "}" : "");
    buffer_put(&line, "\n", 1);
    return write_without_signal(line.bytes, line.n) == (ssize_t)line.n;
}

static void say_or_count(enum log_level level, const char *event, const struct log_field *fields,
                         int n_fields)
{
    if (!say(level, event, fields, n_fields)) {
        state.n_lost++;
    }
}

/* Repeats. */

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t n)
{
    const unsigned char *at = bytes;

    /* FNV-1a, 64 bits. */
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ at[i]) * 0x100000001B3ULL;
    }
    return hash;
}

static uint64_t window_key(const char *event, const struct log_field *first)
{
    uint64_t hash = hash_bytes(0xCBF29CE484222325ULL, event, strlen(event) + 1);

    if (first != NULL && first->type == LOG_FIELD_TEXT && first->text != NULL) {
        hash = hash_bytes(hash, first->text, strlen(first->text));
    } else if (first != NULL) {
        hash = hash_bytes(hash, &first->number, sizeof(first->number));
        hash = hash_bytes(hash, &first->real, sizeof(first->real));
    }
    return MAX(hash, 1);
}

/* Say how many were held back, and forget the window. */
static void close_window(struct window *window)
{
    const struct log_field fields[] = {window->first, log_number("repeats", window->n - LOG_BURST)};

    if (window->n > LOG_BURST) {
        say_or_count(window->level, window->event, fields, N_ELEMENTS(fields));
    }
    window->key = 0;
    window->n = 0;
}

static void copy_text(char *to, size_t size, const char *from)
{
    size_t n = strnlen(from, size - 1);

    memcpy(to, from, n);
    to[n] = '\0';
}

static void open_window(struct window *window, uint64_t key, enum log_level level,
                        const char *event, const struct log_field *first)
{
    window->key = key;
    window->n = 0;
    window->level = level;
    copy_text(window->event, sizeof(window->event), event);
    window->first = (struct log_field){.key = NULL};
    if (first == NULL || first->key == NULL) {
        return;
    }
    window->first = *first;
    copy_text(window->first_key, sizeof(window->first_key), first->key);
    window->first.key = window->first_key;
    if (first->type == LOG_FIELD_TEXT && first->text != NULL) {
        copy_text(window->first_text, sizeof(window->first_text), first->text);
        window->first.text = window->first_text;
    }
}

static bool is_over(const struct window *window, time_us now_us)
{
    return now_us - window->since_us >= LOG_WINDOW_US;
}

/* The window of `key`, or one that can become it, or the shared one. */
static struct window *find_window(uint64_t key, time_us now_us)
{
    struct window *usable = NULL;

    for (size_t i = 0; i < WINDOWS_MAX; i++) {
        struct window *window = &windows[i];

        if (window->key == key) {
            return window;
        }
        if (usable == NULL && (window->key == 0 || is_over(window, now_us))) {
            usable = window;
        }
    }
    return usable != NULL ? usable : &others;
}

/* Count an event. Returns whether it is to be said. */
static bool admit(time_us now_us, enum log_level level, const char *event,
                  const struct log_field *first)
{
    uint64_t key = window_key(event, first);
    struct window *window = find_window(key, now_us);

    if (window->key != 0 && is_over(window, now_us)) {
        close_window(window);
    }
    if (window->key == 0) {
        window->since_us = now_us;
        if (window == &others) {
            open_window(window, 1, LOG_WARN, "log_overflow", NULL);
        } else {
            open_window(window, key, level, event, first);
        }
    }
    window->n++;
    return window->n <= LOG_BURST;
}

/* The public functions. */

void log_start(const char *component, enum log_level level, enum log_format format)
{
    (void)pthread_mutex_lock(&state.lock);
    copy_text(state.component, sizeof(state.component), component);
    state.level = level;
    state.format = format;
    (void)pthread_mutex_unlock(&state.lock);
}

void log_flush(time_us now_us)
{
    (void)pthread_mutex_lock(&state.lock);
    for (size_t i = 0; i < WINDOWS_MAX; i++) {
        if (windows[i].key != 0 && is_over(&windows[i], now_us)) {
            close_window(&windows[i]);
        }
    }
    if (others.key != 0 && is_over(&others, now_us)) {
        close_window(&others);
    }
    if (state.n_lost > 0 &&
        say(LOG_WARN, "log_lost", (struct log_field[]){log_number("lines", state.n_lost)}, 1)) {
        state.n_lost = 0;
    }
    (void)pthread_mutex_unlock(&state.lock);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields,
               int n_fields)
{
    (void)pthread_mutex_lock(&state.lock);
    if (level >= state.level &&
        admit(clock_now_us(), level, event, n_fields > 0 ? &fields[0] : NULL)) {
        say_or_count(level, event, fields, n_fields);
    }
    (void)pthread_mutex_unlock(&state.lock);
}
