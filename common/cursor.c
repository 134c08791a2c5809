/* A bounded reader of msgpack. Pure; allocates nothing.
 *
 * Every value begins with a head: one byte that says the form, then 0, 1, 2, 4 or 8 bytes of
 * argument (a number's bits, a length or a count). read_head() is the only place that looks at
 * bytes; it also checks that what the head promises can be there, so that a count may be believed
 * as far as the bytes reach. Forms: https://github.com/msgpack/msgpack/blob/master/spec.md */
#include "common/cursor.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "common/limits.h"

enum form {
    FORM_INVALID,
    FORM_NIL,
    FORM_BOOL, /* the argument is in the first byte */
    FORM_UINT,
    FORM_INT,
    FORM_FLOAT,
    FORM_DOUBLE,
    FORM_TEXT,
    FORM_BINARY,
    FORM_EXTENSION,
    FORM_ARRAY,
    FORM_MAP,
    FORMS
};

struct head {
    enum form form;
    size_t n;          /* bytes of the head */
    uint64_t argument; /* bits of a number, or bytes or elements that follow */
};

static const struct {
    uint8_t form;
    uint8_t n_argument;
} forms_from_c0[] = {
    {FORM_NIL, 0},       {FORM_INVALID, 0},   {FORM_BOOL, 0},      {FORM_BOOL, 0},
    {FORM_BINARY, 1},    {FORM_BINARY, 2},    {FORM_BINARY, 4},    {FORM_EXTENSION, 1},
    {FORM_EXTENSION, 2}, {FORM_EXTENSION, 4}, {FORM_FLOAT, 4},     {FORM_DOUBLE, 8},
    {FORM_UINT, 1},      {FORM_UINT, 2},      {FORM_UINT, 4},      {FORM_UINT, 8},
    {FORM_INT, 1},       {FORM_INT, 2},       {FORM_INT, 4},       {FORM_INT, 8},
    {FORM_EXTENSION, 0}, {FORM_EXTENSION, 0}, {FORM_EXTENSION, 0}, {FORM_EXTENSION, 0},
    {FORM_EXTENSION, 0}, {FORM_TEXT, 1},      {FORM_TEXT, 2},      {FORM_TEXT, 4},
    {FORM_ARRAY, 2},     {FORM_ARRAY, 4},     {FORM_MAP, 2},       {FORM_MAP, 4},
};

static const enum cursor_type types[FORMS] = {
    [FORM_NIL] = CURSOR_NIL,     [FORM_BOOL] = CURSOR_BOOL,           [FORM_UINT] = CURSOR_INTEGER,
    [FORM_INT] = CURSOR_INTEGER, [FORM_FLOAT] = CURSOR_REAL,          [FORM_DOUBLE] = CURSOR_REAL,
    [FORM_TEXT] = CURSOR_TEXT,   [FORM_BINARY] = CURSOR_BINARY,       [FORM_ARRAY] = CURSOR_ARRAY,
    [FORM_MAP] = CURSOR_MAP,     [FORM_EXTENSION] = CURSOR_EXTENSION,
};

/* A head of one byte: the argument is in its low bits. */
static struct head short_head(uint8_t first)
{
    if (first < 0x80) {
        return (struct head){FORM_UINT, 1, first};
    }
    if (first >= 0xe0) {
        return (struct head){FORM_INT, 1, first | ~(uint64_t)0xff};
    }
    if (first >= 0xa0) {
        return (struct head){FORM_TEXT, 1, first & 0x1f};
    }
    return (struct head){first >= 0x90 ? FORM_ARRAY : FORM_MAP, 1, first & 0x0f};
}

static uint64_t big_endian(const uint8_t *bytes, size_t n)
{
    uint64_t number = 0;

    for (size_t i = 0; i < n; i++) {
        number = number << 8 | bytes[i];
    }
    return number;
}

/* int8 … int64 have their sign in the top bit of the argument. */
static uint64_t sign_extend(uint64_t argument, size_t n_argument)
{
    uint64_t sign;

    assert(n_argument > 0);
    sign = (uint64_t)1 << (8 * n_argument - 1);
    return (argument ^ sign) - sign;
}

/* A head whose first byte is c0 … df; `left` >= 1 bytes are there. */
static struct head long_head(const uint8_t *bytes, size_t left)
{
    uint8_t first = bytes[0];
    size_t n_argument = forms_from_c0[first - 0xc0].n_argument;
    struct head head = {(enum form)forms_from_c0[first - 0xc0].form, 1 + n_argument, 0};

    if (head.n > left) {
        return (struct head){FORM_INVALID, 0, 0};
    }
    head.argument = big_endian(bytes + 1, n_argument);
    if (head.form == FORM_INT) {
        head.argument = sign_extend(head.argument, n_argument);
    } else if (head.form == FORM_BOOL) {
        head.argument = first == 0xc3;
    } else if (head.form == FORM_EXTENSION) {
        /* fixext holds 1, 2, 4, 8 or 16 bytes; each has a byte of type before its own. */
        head.argument = 1 + (n_argument == 0 ? (uint64_t)1 << (first - 0xd4) : head.argument);
    }
    return head;
}

/* Whether what follows a head can be there: an element has at least one byte. */
static bool head_fits(const struct head *head, size_t left)
{
    switch (head->form) {
    case FORM_INVALID:
        return false;
    case FORM_TEXT:
    case FORM_BINARY:
    case FORM_EXTENSION:
    case FORM_ARRAY:
        return head->argument <= left - head->n;
    case FORM_MAP:
        return head->argument <= (left - head->n) / 2;
    default:
        return true;
    }
}

static int read_head(const struct cursor *cursor, struct head *ret_head)
{
    size_t left = cursor->n - cursor->at;
    uint8_t first;
    struct head head;

    if (left == 0) {
        return -EBADMSG;
    }
    first = cursor->bytes[cursor->at];
    head = first < 0xc0 || first >= 0xe0 ? short_head(first)
                                         : long_head(cursor->bytes + cursor->at, left);
    if (!head_fits(&head, left)) {
        return -EBADMSG;
    }
    *ret_head = head;
    return 0;
}

static int expect_head(const struct cursor *cursor, enum form form, struct head *ret_head)
{
    struct head head;
    int r = read_head(cursor, &head);

    if (r < 0) {
        return r;
    }
    if (head.form != form) {
        return -EBADMSG;
    }
    *ret_head = head;
    return 0;
}

struct cursor cursor_over(const uint8_t *bytes, size_t n)
{
    return (struct cursor){.bytes = bytes, .n = n};
}

size_t cursor_left(const struct cursor *cursor)
{
    return cursor->n - cursor->at;
}

int cursor_peek(const struct cursor *cursor, enum cursor_type *ret_type)
{
    struct head head;
    int r = read_head(cursor, &head);

    if (r < 0) {
        return r;
    }
    *ret_type = types[head.form];
    return 0;
}

bool cursor_is_nil(const struct cursor *cursor)
{
    return cursor->at < cursor->n && cursor->bytes[cursor->at] == 0xc0;
}

int cursor_get_nil(struct cursor *cursor)
{
    struct head head;
    int r = expect_head(cursor, FORM_NIL, &head);

    if (r < 0) {
        return r;
    }
    cursor->at += head.n;
    return 0;
}

int cursor_get_bool(struct cursor *cursor, bool *ret_bool)
{
    struct head head;
    int r = expect_head(cursor, FORM_BOOL, &head);

    if (r < 0) {
        return r;
    }
    cursor->at += head.n;
    *ret_bool = head.argument != 0;
    return 0;
}

int cursor_get_uint(struct cursor *cursor, uint64_t *ret_number)
{
    struct head head;
    int r = read_head(cursor, &head);

    if (r < 0) {
        return r;
    }
    if (head.form != FORM_UINT && (head.form != FORM_INT || (int64_t)head.argument < 0)) {
        return -EBADMSG;
    }
    cursor->at += head.n;
    *ret_number = head.argument;
    return 0;
}

int cursor_get_int(struct cursor *cursor, int64_t *ret_number)
{
    struct head head;
    int r = read_head(cursor, &head);

    if (r < 0) {
        return r;
    }
    if (head.form != FORM_INT && (head.form != FORM_UINT || head.argument > INT64_MAX)) {
        return -EBADMSG;
    }
    cursor->at += head.n;
    *ret_number = (int64_t)head.argument;
    return 0;
}

static double float_of(uint64_t bits)
{
    uint32_t bits32 = (uint32_t)bits;
    float number;

    memcpy(&number, &bits32, sizeof(number));
    return (double)number;
}

static double double_of(uint64_t bits)
{
    double number;

    memcpy(&number, &bits, sizeof(number));
    return number;
}

/* NAN for what is no number. */
static double number_of(const struct head *head)
{
    switch (head->form) {
    case FORM_UINT:
        return (double)head->argument;
    case FORM_INT:
        return (double)(int64_t)head->argument;
    case FORM_FLOAT:
        return float_of(head->argument);
    case FORM_DOUBLE:
        return double_of(head->argument);
    default:
        return (double)NAN;
    }
}

int cursor_get_real(struct cursor *cursor, double *ret_number)
{
    struct head head;
    double number;
    int r = read_head(cursor, &head);

    if (r < 0) {
        return r;
    }
    number = number_of(&head);
    if (!isfinite(number)) {
        return -EBADMSG;
    }
    cursor->at += head.n;
    *ret_number = number + 0.0;
    return 0;
}

static int get_span(struct cursor *cursor, enum form form, struct span *ret_span)
{
    struct head head;
    int r = expect_head(cursor, form, &head);

    if (r < 0) {
        return r;
    }
    *ret_span = (struct span){cursor->bytes + cursor->at + head.n, (size_t)head.argument};
    cursor->at += head.n + (size_t)head.argument;
    return 0;
}

int cursor_get_text(struct cursor *cursor, struct span *ret_text)
{
    return get_span(cursor, FORM_TEXT, ret_text);
}

int cursor_get_binary(struct cursor *cursor, struct span *ret_bytes)
{
    return get_span(cursor, FORM_BINARY, ret_bytes);
}

static int enter(struct cursor *cursor, enum form form, size_t *ret_n)
{
    struct head head;
    int r = expect_head(cursor, form, &head);

    if (r < 0) {
        return r;
    }
    if (cursor->depth >= WIRE_DEPTH_MAX) {
        return -EBADMSG;
    }
    cursor->depth++;
    cursor->at += head.n;
    *ret_n = (size_t)head.argument;
    return 0;
}

int cursor_enter_array(struct cursor *cursor, size_t *ret_n)
{
    return enter(cursor, FORM_ARRAY, ret_n);
}

int cursor_enter_map(struct cursor *cursor, size_t *ret_n)
{
    return enter(cursor, FORM_MAP, ret_n);
}

void cursor_leave(struct cursor *cursor)
{
    assert(cursor->depth > 0);
    cursor->depth--;
}

/* Step over a head and its bytes; `ret_n` values follow that belong to it. A container is refused
 * unless it `may_nest`. */
static int skip_head(struct cursor *cursor, bool may_nest, uint64_t *ret_n)
{
    struct head head;
    int r = read_head(cursor, &head);

    if (r < 0) {
        return r;
    }
    *ret_n = 0;
    if (head.form == FORM_TEXT || head.form == FORM_BINARY || head.form == FORM_EXTENSION) {
        cursor->at += (size_t)head.argument;
    } else if (head.form == FORM_ARRAY || head.form == FORM_MAP) {
        if (!may_nest) {
            return -EBADMSG;
        }
        *ret_n = head.form == FORM_MAP ? 2 * head.argument : head.argument;
    }
    cursor->at += head.n;
    return 0;
}

int cursor_skip(struct cursor *cursor)
{
    struct cursor ahead = *cursor;
    uint64_t due[WIRE_DEPTH_MAX + 1]; /* values still to come, at each depth */
    size_t depth = 0;

    due[0] = 1;
    while (due[0] > 0 || depth > 0) {
        uint64_t n;
        int r;

        if (due[depth] == 0) {
            depth--;
            continue;
        }
        due[depth]--;
        r = skip_head(&ahead, cursor->depth + depth < WIRE_DEPTH_MAX, &n);
        if (r < 0) {
            return r;
        }
        if (n > 0) {
            due[++depth] = n;
        }
    }
    cursor->at = ahead.at;
    return 0;
}
