/* A bounded reader of msgpack. Pure; allocates nothing.
 *
 * The cursor stands before a value of borrowed bytes. Each get takes one value of the type that its
 * name says and steps over it. Nothing that the bytes say is believed before it is checked: a
 * string ends within the bytes, a container has at most as many elements as there are bytes left to
 * hold them, and containers nest at most WIRE_DEPTH_MAX deep.
 *
 * Every function that returns int gives 0, or -EBADMSG when the bytes end early, the value is of
 * another type, or it is out of the type's range. The cursor and the outputs are then untouched. */
#ifndef COMMON_CURSOR_H
#define COMMON_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
    const uint8_t *bytes; /* borrowed */
    size_t n;             /* all of them */
    size_t at;            /* those that were read */
    unsigned depth;       /* containers entered and not left */
};

/* Bytes inside the cursor's; not NUL-terminated. */
struct span {
    const uint8_t *bytes;
    size_t n;
};

enum cursor_type {
    CURSOR_NIL,
    CURSOR_BOOL,
    CURSOR_INTEGER,
    CURSOR_REAL,
    CURSOR_TEXT,
    CURSOR_BINARY,
    CURSOR_EXTENSION,
    CURSOR_ARRAY,
    CURSOR_MAP,
};

/* A cursor before the first of `n` bytes, which must outlive it and every span that it gives. */
struct cursor cursor_over(const uint8_t *bytes, size_t n);

/* Bytes that are not read yet. */
size_t cursor_left(const struct cursor *cursor);

/* The type of the next value, which stays where it is. */
int cursor_peek(const struct cursor *cursor, enum cursor_type *ret_type);

/* Whether the next value is nil; false at the end. */
bool cursor_is_nil(const struct cursor *cursor);

/* A nil, a bool. */
int cursor_get_nil(struct cursor *cursor);
int cursor_get_bool(struct cursor *cursor, bool *ret_bool);

/* An integer in any of msgpack's forms, exact in all 64 bits. */
int cursor_get_uint(struct cursor *cursor, uint64_t *ret_number);
int cursor_get_int(struct cursor *cursor, int64_t *ret_number);

/* A float of 32 or 64 bits, or an integer (rounded to the nearest double). NaN and the infinities
 * are refused; -0.0 becomes 0. */
int cursor_get_real(struct cursor *cursor, double *ret_number);

/* A string, whatever its bytes are; a byte string. */
int cursor_get_text(struct cursor *cursor, struct span *ret_text);
int cursor_get_binary(struct cursor *cursor, struct span *ret_bytes);

/* Step into a container and say how many elements, or pairs of key and value, follow. After the
 * last of them, call cursor_leave(), also when there are none. */
int cursor_enter_array(struct cursor *cursor, size_t *ret_n);
int cursor_enter_map(struct cursor *cursor, size_t *ret_n);
void cursor_leave(struct cursor *cursor);

/* Step over one value of any type with all that is in it. Does not recurse. */
int cursor_skip(struct cursor *cursor);

#endif
