/* A growing text or byte string in memory that the caller gives. Pure.
 *
 * Writing past the end never happens: the first thing that does not fit sets `overflowed`, and
 * nothing is written from then on, so that one check at the end is enough. */
#ifndef COMMON_BUFFER_H
#define COMMON_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct buffer {
    char *bytes;
    size_t n;
    size_t n_max;
    bool overflowed;
};

/* A buffer over `n_max` bytes at `bytes`, which stay the caller's. */
static inline struct buffer buffer_over(char *bytes, size_t n_max)
{
    return (struct buffer){.bytes = bytes, .n_max = n_max};
}

/* Append `n` bytes, all or nothing. */
static inline void buffer_put(struct buffer *buffer, const void *bytes, size_t n)
{
    if (buffer->overflowed || n > buffer->n_max - buffer->n) {
        buffer->overflowed = true;
        return;
    }
    if (n > 0) {
        memcpy(buffer->bytes + buffer->n, bytes, n);
        buffer->n += n;
    }
}

/* Append formatted text, without its NUL, all or nothing; the NUL needs room, too. */
__attribute__((format(printf, 2, 3))) static inline void buffer_print(struct buffer *buffer,
                                                                      const char *format, ...)
{
    va_list arguments;
    int n;

    if (buffer->overflowed || buffer->n == buffer->n_max) {
        buffer->overflowed = true;
        return;
    }
    va_start(arguments, format);
    n = vsnprintf(buffer->bytes + buffer->n, buffer->n_max - buffer->n, format, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n >= buffer->n_max - buffer->n) {
        buffer->overflowed = true;
        return;
    }
    buffer->n += (size_t)n;
}

#endif
