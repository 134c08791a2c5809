/* Bytes to nouns and back: the messages of docs/protocol.md. Pure.
 *
 * Every noun of the wire is a table of fields (struct record), and a field names its codec: how its
 * type is written, how it is read, and when it need not be written. Reading and writing go through
 * the same table, so that they cannot drift apart. A field's number is its place in the table, from
 * 1: the key where the noun travels as a map, the position where it travels as a row. So a table is
 * appended to, and nothing is ever taken out of it or moved.
 *
 *   writing: fields with their default value are left out of a map, and off the end of a row;
 *   reading: unknown keys and positions are skipped; a field that is not there, or nil, has its
 *            default; keys that come twice are refused.
 *
 * Writing never fails halfway: what does not fit is remembered by the buffer, what must not be said
 * by the writer, and both are looked at once, at the end.
 *
 * Strings are checked here (length, UTF-8, no control characters, the alphabet of identities),
 * since answers and the feed have no check of their own; what only makes sense for a whole noun is
 * checked by report_check(), decision_check() and query_check().
 *
 * Unresolved: names of topics are checked twice on either side, here and by report_check(); it
 * costs about a tenth of the time of a report with many topics. */
#include "common/wire.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include <msgpack/pack.h>

#include "common/buffer.h"
#include "common/cursor.h"
#include "common/refuse.h"

#define ENVELOPE_ELEMENTS 10
#define MAC_BYTES_MAX     64

/* Keys above are skipped without being looked at; the highest that can be told to come twice. */
#define KEY_MAX 63

/* Numbers of an enum; those of a later version are kept as they are. */
#define ENUM_MAX 0xffff

/* Every integer up to here is exact in a double. */
#define EXACT_MAX 9007199254740992.0

struct reader {
    struct cursor cursor;
    struct report *report; /* the one that is being filled, or NULL */
    char *why;
    bool told; /* `why` holds a sentence */
};

struct writer {
    msgpack_packer packer;
    struct buffer buffer;
    const struct report *report; /* the one that is being written, or NULL */
    bool bad;                    /* something had to be written that a reader refuses */
};

struct field;

struct codec {
    int (*get)(struct reader *in, const struct field *field, void *ret_at);
    void (*put)(struct writer *out, const struct field *field, const void *at);
    bool (*is_default)(const struct field *field, const void *at);
};

struct field {
    const char *name;
    const struct codec *codec;
    size_t offset; /* of the member in its noun; 0 for codecs that take the noun itself */
    size_t size;
    bool required;               /* in a row: before all that are not */
    const struct record *record; /* of rows; NULL otherwise */
    const struct list *list;     /* of a list; NULL otherwise */
};

/* Where a noun keeps a list: in itself, or behind a pointer to memory that the caller gave. */
struct list {
    size_t rows; /* offset of the array, or of the pointer */
    size_t n;    /* offset of the count */
    size_t n_max;
    bool is_pointer;
    size_t n_max_at; /* offset of the bound, when it is a pointer */
};

struct record {
    const char *noun;
    const struct field *fields;
    size_t n_fields;
    size_t size;               /* of its struct */
    void (*clear)(void *noun); /* everything to its default; NULL: zeros */
};

/* A member of `struct noun`, and one that must be there. */
#define FIELD(noun, member, codec_)                                                                \
    {                                                                                              \
        .name = #member, .codec = &(codec_), .offset = offsetof(struct noun, member),              \
        .size = sizeof(((struct noun *)NULL)->member)                                              \
    }
#define REQUIRED(noun, member, codec_)                                                             \
    {                                                                                              \
        .name = #member, .codec = &(codec_), .offset = offsetof(struct noun, member),              \
        .size = sizeof(((struct noun *)NULL)->member), .required = true                            \
    }

/* A field whose codec takes the noun itself. */
#define FIELD_OF_NOUN(name_, codec_)                                                               \
    {                                                                                              \
        .name = (name_), .codec = &(codec_)                                                        \
    }

/* A member that is a noun of its own and travels as a row. */
#define ROW(noun_, member, record_)                                                                \
    {                                                                                              \
        .name = #member, .codec = &codec_row, .offset = offsetof(struct noun_, member),            \
        .record = &(record_)                                                                       \
    }

/* A list `name` of rows, with its count n_`name`, inside the noun; and one behind a pointer. */
#define LIST(noun_, member, record_, max)                                                          \
    {                                                                                              \
        .name = #member, .codec = &codec_list, .record = (record_), .list = &(const struct list)   \
        {                                                                                          \
            .rows = offsetof(struct noun_, member), .n = offsetof(struct noun_, n_##member),       \
            .n_max = (max)                                                                         \
        }                                                                                          \
    }
#define LIST_OF_IDS(noun_, member, max)                                                            \
    {                                                                                              \
        .name = #member, .codec = &codec_ids, .list = &(const struct list)                         \
        {                                                                                          \
            .rows = offsetof(struct noun_, member), .n = offsetof(struct noun_, n_##member),       \
            .n_max = (max)                                                                         \
        }                                                                                          \
    }
#define LIST_POINTER(noun_, member, record_)                                                       \
    {                                                                                              \
        .name = #member, .codec = &codec_list, .record = (record_), .list = &(const struct list)   \
        {                                                                                          \
            .rows = offsetof(struct noun_, member), .n = offsetof(struct noun_, n_##member),       \
            .is_pointer = true, .n_max_at = offsetof(struct noun_, n_##member##_max)               \
        }                                                                                          \
    }

#define RECORD(noun_, struct_, fields_, clear_)                                                    \
    {                                                                                              \
        .noun = (noun_), .fields = (fields_), .n_fields = N_ELEMENTS(fields_),                     \
        .size = sizeof(struct struct_), .clear = (clear_)                                          \
    }

/* -- What is wrong, in one sentence: the innermost one wins. -- */

__attribute__((format(printf, 2, 3))) static void tell(struct reader *in, const char *format, ...)
{
    va_list arguments;

    if (in->told) {
        return;
    }
    in->told = true;
    va_start(arguments, format);
    (void)vsnprintf(in->why, TEXT_BYTES_MAX + 1, format, arguments);
    va_end(arguments);
}

#define FAIL(in, r, ...) (tell(in, __VA_ARGS__), (r))

static int fail_malformed(struct reader *in, int r, const char *what)
{
    return FAIL(in, r, "%s: not as it should be, at byte %zu of %zu", what, in->cursor.at,
                in->cursor.n);
}

/* -- Whole numbers and flags -- */

/* Numbers, enums and flags: 0. */
static bool scalar_is_default(const struct field *field, const void *at)
{
    static const char zeros[sizeof(uint64_t)];

    assert(field->size <= sizeof(zeros));
    return memcmp(at, zeros, field->size) == 0;
}

static int get_uint64(struct reader *in, const struct field *field, void *ret_at)
{
    (void)field;
    return cursor_get_uint(&in->cursor, ret_at);
}

static void put_uint64(struct writer *out, const struct field *field, const void *at)
{
    (void)field;
    (void)msgpack_pack_uint64(&out->packer, *(const uint64_t *)at);
}

static const struct codec codec_uint64 = {get_uint64, put_uint64, scalar_is_default};

/* A point in time or a duration: 0 … TIME_NEVER, so that sums of two cannot overflow. */
static int get_time(struct reader *in, const struct field *field, void *ret_at)
{
    uint64_t number;
    int r = cursor_get_uint(&in->cursor, &number);

    if (r < 0) {
        return r;
    }
    if (number > TIME_NEVER) {
        return FAIL(in, -EBADMSG, "%s is out of range", field->name);
    }
    *(time_us *)ret_at = (time_us)number;
    return 0;
}

static void put_time(struct writer *out, const struct field *field, const void *at)
{
    time_us time = *(const time_us *)at;

    (void)field;
    if (time < 0 || time > TIME_NEVER) {
        out->bad = true;
        return;
    }
    (void)msgpack_pack_uint64(&out->packer, (uint64_t)time);
}

static const struct codec codec_time = {get_time, put_time, scalar_is_default};

/* The number of an enum. One that this version does not know is kept: it is for people to see. */
static int get_enum(struct reader *in, const struct field *field, void *ret_at)
{
    uint64_t number;
    uint32_t number32;
    int r = cursor_get_uint(&in->cursor, &number);

    if (r < 0) {
        return r;
    }
    if (number > ENUM_MAX) {
        return FAIL(in, -EBADMSG, "%s is out of range", field->name);
    }
    assert(field->size == sizeof(number32));
    number32 = (uint32_t)number;
    memcpy(ret_at, &number32, sizeof(number32));
    return 0;
}

static uint32_t enum_number(const void *at)
{
    uint32_t number;

    memcpy(&number, at, sizeof(number));
    return number;
}

static void put_enum(struct writer *out, const struct field *field, const void *at)
{
    (void)field;
    (void)msgpack_pack_uint32(&out->packer, enum_number(at));
}

static const struct codec codec_enum = {get_enum, put_enum, scalar_is_default};

static int get_bool(struct reader *in, const struct field *field, void *ret_at)
{
    (void)field;
    return cursor_get_bool(&in->cursor, ret_at);
}

static void put_bool(struct writer *out, const struct field *field, const void *at)
{
    (void)field;
    (void)(*(const bool *)at ? msgpack_pack_true(&out->packer) : msgpack_pack_false(&out->packer));
}

static const struct codec codec_bool = {get_bool, put_bool, scalar_is_default};

/* A set of bits, of which version 1 knows the lowest. */
static int get_flag(struct reader *in, const struct field *field, void *ret_at)
{
    uint64_t bits;
    int r = cursor_get_uint(&in->cursor, &bits);

    (void)field;
    if (r < 0) {
        return r;
    }
    *(bool *)ret_at = (bits & 1) != 0;
    return 0;
}

static void put_flag(struct writer *out, const struct field *field, const void *at)
{
    (void)field;
    (void)msgpack_pack_uint8(&out->packer, *(const bool *)at ? 1 : 0);
}

static const struct codec codec_flag = {get_flag, put_flag, scalar_is_default};

/* -- Strings -- */

/* Copy a string out, NUL-terminated. Clean ones hold no NUL of their own. */
static int get_string(struct reader *in, const struct field *field, void *ret_at)
{
    struct span text;
    int r = cursor_get_text(&in->cursor, &text);

    if (r < 0) {
        return r;
    }
    if (text.n >= field->size) {
        return FAIL(in, -EMSGSIZE, "%s is longer than %zu bytes", field->name, field->size - 1);
    }
    if (text.n > 0 && !name_is_clean((const char *)text.bytes, text.n)) {
        return FAIL(in, -EBADMSG, "%s is not UTF-8, or holds a control character", field->name);
    }
    memcpy(ret_at, text.bytes, text.n);
    ((char *)ret_at)[text.n] = '\0';
    return 0;
}

static void pack_string(struct writer *out, const char *text, size_t n)
{
    (void)msgpack_pack_str(&out->packer, n);
    (void)msgpack_pack_str_body(&out->packer, text, n);
}

static void put_string(struct writer *out, const struct field *field, const void *at)
{
    size_t n = strnlen(at, field->size);

    if (n >= field->size || (n > 0 && !name_is_clean(at, n))) {
        out->bad = true;
        return;
    }
    pack_string(out, at, n);
}

static bool string_is_default(const struct field *field, const void *at)
{
    (void)field;
    return *(const char *)at == '\0';
}

static const struct codec codec_string = {get_string, put_string, string_is_default};

/* A name that must be said: not empty. */
static int get_name(struct reader *in, const struct field *field, void *ret_at)
{
    int r = get_string(in, field, ret_at);

    if (r < 0) {
        return r;
    }
    return *(const char *)ret_at != '\0' ? 0 : FAIL(in, -EBADMSG, "%s is empty", field->name);
}

static const struct codec codec_name = {get_name, put_string, string_is_default};

static int get_id_or_none(struct reader *in, const struct field *field, void *ret_at)
{
    int r = get_string(in, field, ret_at);

    if (r < 0) {
        return r;
    }
    if (*(const char *)ret_at != '\0' && !name_is_id(ret_at)) {
        return FAIL(in, -EBADMSG, "%s is not an identity", field->name);
    }
    return 0;
}

static void put_id_or_none(struct writer *out, const struct field *field, const void *at)
{
    if (*(const char *)at != '\0' && !name_is_id(at)) {
        out->bad = true;
        return;
    }
    put_string(out, field, at);
}

static const struct codec codec_id_or_none = {get_id_or_none, put_id_or_none, string_is_default};

static int get_id(struct reader *in, const struct field *field, void *ret_at)
{
    int r = get_id_or_none(in, field, ret_at);

    if (r < 0) {
        return r;
    }
    return *(const char *)ret_at != '\0' ? 0 : FAIL(in, -EBADMSG, "%s is empty", field->name);
}

static void put_id(struct writer *out, const struct field *field, const void *at)
{
    out->bad = out->bad || *(const char *)at == '\0';
    put_id_or_none(out, field, at);
}

static const struct codec codec_id = {get_id, put_id, string_is_default};

/* A sentence may hold an actuator's words, cut off anywhere: it is cleaned rather than refused, for
 * a receipt that cannot be sent would be a move without an end. */
static void put_sentence(struct writer *out, const struct field *field, const void *at)
{
    char text[TEXT_BYTES_MAX + 1];

    assert(field->size <= sizeof(text));
    if (name_copy(text, field->size, at) < 0) {
        out->bad = true;
        return;
    }
    name_make_clean(text);
    pack_string(out, text, strlen(text));
}

static const struct codec codec_sentence = {get_string, put_sentence, string_is_default};

/* -- Measured numbers -- */

static int get_real(struct reader *in, const struct field *field, void *ret_at)
{
    double number;
    int r = cursor_get_real(&in->cursor, &number);

    if (r < 0) {
        return r;
    }
    if (number < 0) {
        return FAIL(in, -EBADMSG, "%s is negative", field->name);
    }
    *(double *)ret_at = number;
    return 0;
}

/* Whether `number` goes as an integer: shorter than a float below 2^32, and exact. */
static bool is_whole(double number)
{
    return number <= EXACT_MAX && number == floor(number);
}

static void put_real(struct writer *out, const struct field *field, const void *at)
{
    double number = *(const double *)at;

    (void)field;
    if (!isfinite(number) || number < 0) {
        out->bad = true;
    } else if (is_whole(number)) {
        (void)msgpack_pack_uint64(&out->packer, (uint64_t)number);
    } else {
        (void)msgpack_pack_double(&out->packer, number);
    }
}

static const struct codec codec_real = {get_real, put_real, scalar_is_default};

/* Why a value is absent: an array of one number. Reasons of a later version are just "unknown". */
static int get_absent(struct reader *in, struct value *ret_value)
{
    size_t n;
    uint64_t state;
    int r = cursor_enter_array(&in->cursor, &n);

    if (r < 0) {
        return r;
    }
    r = n == 1 ? cursor_get_uint(&in->cursor, &state) : -EBADMSG;
    if (r < 0) {
        return r;
    }
    if (state == VALUE_PRESENT) {
        return -EBADMSG;
    }
    cursor_leave(&in->cursor);
    *ret_value = value_absent(state < VALUE_STATES ? (enum value_state)state : VALUE_UNKNOWN);
    return 0;
}

static int get_value(struct reader *in, const struct field *field, void *ret_at)
{
    double number;

    if (cursor_get_real(&in->cursor, &number) < 0) {
        return get_absent(in, ret_at);
    }
    if (number < 0) {
        return FAIL(in, -EBADMSG, "%s is negative", field->name);
    }
    *(struct value *)ret_at = value_of(number);
    return 0;
}

/* A measured number with a fraction goes as a float of 32 bits: seven digits, which no sample
 * deserves, at half the bytes. */
static void put_number(struct writer *out, double number)
{
    if (number < EXACT_MAX && !is_whole(number)) {
        number = (double)(float)number;
    }
    if (is_whole(number)) {
        (void)msgpack_pack_uint64(&out->packer, (uint64_t)number);
    } else if (number < EXACT_MAX) {
        (void)msgpack_pack_float(&out->packer, (float)number);
    } else {
        (void)msgpack_pack_double(&out->packer, number);
    }
}

static void put_value(struct writer *out, const struct field *field, const void *at)
{
    const struct value *value = at;

    (void)field;
    if (value->state == VALUE_UNKNOWN) {
        (void)msgpack_pack_nil(&out->packer);
    } else if (!value_is_present(*value)) {
        (void)msgpack_pack_array(&out->packer, 1);
        (void)msgpack_pack_uint32(&out->packer, (uint32_t)value->state);
    } else if (isfinite(value->number) && value->number >= 0) {
        put_number(out, value->number);
    } else {
        out->bad = true;
    }
}

static bool value_is_default(const struct field *field, const void *at)
{
    (void)field;
    return ((const struct value *)at)->state == VALUE_UNKNOWN;
}

static const struct codec codec_value = {get_value, put_value, value_is_default};

/* -- Fields of a noun -- */

static int get_field(struct reader *in, const struct record *record, const struct field *field,
                     void *noun)
{
    int r;

    if (cursor_is_nil(&in->cursor)) {
        if (field->required) {
            return FAIL(in, -EBADMSG, "%s: %s is missing", record->noun, field->name);
        }
        return cursor_get_nil(&in->cursor);
    }
    r = field->codec->get(in, field, (char *)noun + field->offset);
    return r < 0 ? fail_malformed(in, r, field->name) : 0;
}

static void put_field(struct writer *out, const struct field *field, const void *noun)
{
    field->codec->put(out, field, (const char *)noun + field->offset);
}

static bool field_is_needed(const struct field *field, const void *noun)
{
    return field->required || !field->codec->is_default(field, (const char *)noun + field->offset);
}

static void clear_noun(const struct record *record, void *noun)
{
    if (record->clear != NULL) {
        record->clear(noun);
    } else {
        memset(noun, 0, record->size);
    }
}

static int get_row(struct reader *in, const struct record *record, void *noun)
{
    size_t n;
    int r = cursor_enter_array(&in->cursor, &n);

    if (r < 0) {
        return fail_malformed(in, r, record->noun);
    }
    clear_noun(record, noun);
    for (size_t i = 0; i < n; i++) {
        r = i < record->n_fields ? get_field(in, record, &record->fields[i], noun)
                                 : cursor_skip(&in->cursor);
        if (r < 0) {
            return fail_malformed(in, r, record->noun);
        }
    }
    if (n < record->n_fields && record->fields[n].required) {
        return FAIL(in, -EBADMSG, "%s: %s is missing", record->noun, record->fields[n].name);
    }
    cursor_leave(&in->cursor);
    return 0;
}

static void put_row(struct writer *out, const struct record *record, const void *noun)
{
    size_t n = record->n_fields;

    while (n > 0 && !field_is_needed(&record->fields[n - 1], noun)) {
        n--;
    }
    (void)msgpack_pack_array(&out->packer, n);
    for (size_t i = 0; i < n; i++) {
        put_field(out, &record->fields[i], noun);
    }
}

/* Take a key, which must not be among those `seen`. What can be no field's key (a larger number, or
 * no unsigned integer) is 0. */
static int get_key(struct reader *in, uint64_t *seen, size_t *ret_key)
{
    uint64_t key;

    if (cursor_get_uint(&in->cursor, &key) < 0) {
        *ret_key = 0;
        return cursor_skip(&in->cursor);
    }
    if (key > KEY_MAX) {
        *ret_key = 0;
        return 0;
    }
    if ((*seen >> key & 1) != 0) {
        return FAIL(in, -EBADMSG, "key %u comes twice", (unsigned)key);
    }
    *seen |= (uint64_t)1 << key;
    *ret_key = (size_t)key;
    return 0;
}

static int get_pair(struct reader *in, const struct record *record, uint64_t *seen, void *noun)
{
    size_t key;
    int r = get_key(in, seen, &key);

    if (r < 0) {
        return r;
    }
    if (key == 0 || key > record->n_fields) {
        return cursor_skip(&in->cursor);
    }
    return get_field(in, record, &record->fields[key - 1], noun);
}

/* Unlike get_row(), leaves it to the caller to clear the noun. */
static int get_map(struct reader *in, const struct record *record, void *noun)
{
    uint64_t seen = 0;
    size_t n;
    int r = cursor_enter_map(&in->cursor, &n);

    if (r < 0) {
        return fail_malformed(in, r, record->noun);
    }
    for (size_t i = 0; i < n; i++) {
        r = get_pair(in, record, &seen, noun);
        if (r < 0) {
            return fail_malformed(in, r, record->noun);
        }
    }
    for (size_t i = 0; i < record->n_fields; i++) {
        if (record->fields[i].required && (seen >> (i + 1) & 1) == 0) {
            return FAIL(in, -EBADMSG, "%s: %s is missing", record->noun, record->fields[i].name);
        }
    }
    cursor_leave(&in->cursor);
    return 0;
}

static void put_map(struct writer *out, const struct record *record, const void *noun)
{
    size_t n = 0;

    for (size_t i = 0; i < record->n_fields; i++) {
        n += field_is_needed(&record->fields[i], noun) ? 1 : 0;
    }
    (void)msgpack_pack_map(&out->packer, n);
    for (size_t i = 0; i < record->n_fields; i++) {
        if (field_is_needed(&record->fields[i], noun)) {
            (void)msgpack_pack_uint8(&out->packer, (uint8_t)(i + 1));
            put_field(out, &record->fields[i], noun);
        }
    }
}

/* -- Lists -- */

static int enter_list(struct reader *in, const char *name, size_t n_max, size_t *ret_n)
{
    size_t n;
    int r = cursor_enter_array(&in->cursor, &n);

    if (r < 0) {
        return r;
    }
    if (n > n_max) {
        return FAIL(in, -EMSGSIZE, "%s: more than %zu", name, n_max);
    }
    *ret_n = n;
    return 0;
}

static void *list_rows(const struct list *list, const void *noun)
{
    char *at = (char *)noun + list->rows;

    return list->is_pointer ? *(void **)at : at;
}

static size_t list_n(const struct list *list, const void *noun)
{
    return *(const size_t *)((const char *)noun + list->n);
}

static size_t list_n_max(const struct list *list, const void *noun)
{
    return list->is_pointer ? *(const size_t *)((const char *)noun + list->n_max_at) : list->n_max;
}

static int get_list(struct reader *in, const struct field *field, void *noun)
{
    char *rows = list_rows(field->list, noun);
    size_t n;
    int r = enter_list(in, field->name, list_n_max(field->list, noun), &n);

    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < n; i++) {
        r = get_row(in, field->record, rows + i * field->record->size);
        if (r < 0) {
            return r;
        }
    }
    cursor_leave(&in->cursor);
    *(size_t *)((char *)noun + field->list->n) = n;
    return 0;
}

static void put_rows(struct writer *out, const struct record *record, const void *rows, size_t n)
{
    (void)msgpack_pack_array(&out->packer, n);
    for (size_t i = 0; i < n; i++) {
        put_row(out, record, (const char *)rows + i * record->size);
    }
}

static void put_list(struct writer *out, const struct field *field, const void *noun)
{
    put_rows(out, field->record, list_rows(field->list, noun), list_n(field->list, noun));
}

static bool list_is_default(const struct field *field, const void *noun)
{
    return list_n(field->list, noun) == 0;
}

static const struct codec codec_list = {get_list, put_list, list_is_default};

/* A list of identities: no rows but strings. */
static int get_ids(struct reader *in, const struct field *field, void *noun)
{
    const struct field id = {.name = field->name, .size = ID_BYTES_MAX + 1};
    char *ids = list_rows(field->list, noun);
    size_t n;
    int r = enter_list(in, field->name, list_n_max(field->list, noun), &n);

    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < n; i++) {
        r = get_id(in, &id, ids + i * id.size);
        if (r < 0) {
            return r;
        }
    }
    cursor_leave(&in->cursor);
    *(size_t *)((char *)noun + field->list->n) = n;
    return 0;
}

static void put_ids(struct writer *out, const struct field *field, const void *noun)
{
    const struct field id = {.name = field->name, .size = ID_BYTES_MAX + 1};
    const char *ids = list_rows(field->list, noun);
    size_t n = list_n(field->list, noun);

    (void)msgpack_pack_array(&out->packer, n);
    for (size_t i = 0; i < n; i++) {
        put_id(out, &id, ids + i * id.size);
    }
}

static const struct codec codec_ids = {get_ids, put_ids, list_is_default};

/* One row. It need not be said when all of it is default. */
static int get_one_row(struct reader *in, const struct field *field, void *ret_at)
{
    return get_row(in, field->record, ret_at);
}

static void put_one_row(struct writer *out, const struct field *field, const void *at)
{
    put_row(out, field->record, at);
}

static bool row_is_default(const struct field *field, const void *at)
{
    for (size_t i = 0; i < field->record->n_fields; i++) {
        const struct field *inner = &field->record->fields[i];

        if (!inner->codec->is_default(inner, (const char *)at + inner->offset)) {
            return false;
        }
    }
    return true;
}

static const struct codec codec_row = {get_one_row, put_one_row, row_is_default};

/* -- Measured values in the order of enum metric: of a host, of a broker -- */

static void forget_values(struct value *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        values[i] = value_absent(VALUE_UNKNOWN);
    }
}

static int get_metric(struct reader *in, size_t metric, struct value *ret_values)
{
    const struct field field = {.name = metric < METRICS ? metric_info((enum metric)metric)->name
                                                         : "a metric of a later version"};

    if (metric >= METRICS) {
        return cursor_skip(&in->cursor);
    }
    return cursor_is_nil(&in->cursor) ? cursor_get_nil(&in->cursor)
                                      : get_value(in, &field, &ret_values[metric]);
}

static int get_metrics(struct reader *in, const struct field *field, void *ret_at)
{
    size_t n;
    int r = cursor_enter_array(&in->cursor, &n);

    (void)field;
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < n; i++) {
        r = get_metric(in, i, ret_at);
        if (r < 0) {
            return r;
        }
    }
    cursor_leave(&in->cursor);
    return 0;
}

static size_t n_metrics_said(const struct value *values)
{
    size_t n = METRICS;

    while (n > 0 && values[n - 1].state == VALUE_UNKNOWN) {
        n--;
    }
    return n;
}

static void put_metrics(struct writer *out, const struct field *field, const void *at)
{
    const struct value *values = at;
    size_t n = n_metrics_said(values);

    (void)msgpack_pack_array(&out->packer, n);
    for (size_t i = 0; i < n; i++) {
        put_value(out, field, &values[i]);
    }
}

static bool metrics_are_default(const struct field *field, const void *at)
{
    (void)field;
    return n_metrics_said(at) == 0;
}

static const struct codec codec_metrics = {get_metrics, put_metrics, metrics_are_default};

/* -- Topics: rows of reports and answers -- */

static void clear_topic(void *noun)
{
    struct topic_load *topic = noun;

    topic->name.text[0] = '\0';
    topic->movable = false;
    topic->candidates = 0;
    forget_values(topic->values, TOPIC_METRICS);
}

#define TOPIC_VALUE(metric, name_)                                                                 \
    {                                                                                              \
        .name = (name_), .codec = &codec_value,                                                    \
        .offset = offsetof(struct topic_load, values[metric]), .size = sizeof(struct value)        \
    }

static const struct field topic_fields[] = {
    REQUIRED(topic_load, name.text, codec_name),
    FIELD(topic_load, movable, codec_flag),
    FIELD(topic_load, candidates, codec_uint64),
    TOPIC_VALUE(TOPIC_MESSAGES_IN_PER_S, "messages_in_per_s"),
    TOPIC_VALUE(TOPIC_BYTES_IN_PER_S, "bytes_in_per_s"),
    TOPIC_VALUE(TOPIC_MESSAGES_OUT_PER_S, "messages_out_per_s"),
    TOPIC_VALUE(TOPIC_BYTES_OUT_PER_S, "bytes_out_per_s"),
    TOPIC_VALUE(TOPIC_STORAGE_BYTES, "storage_bytes"),
    TOPIC_VALUE(TOPIC_BACKLOG_MESSAGES, "backlog_messages"),
    TOPIC_VALUE(TOPIC_PRODUCERS, "producers"),
    TOPIC_VALUE(TOPIC_CONSUMERS, "consumers"),
};
static const struct record topic_record = RECORD("topic", topic_load, topic_fields, clear_topic);

/* -- The report -- */

/* The broker is the report's last one while it is being read: its topics go to the report's end. */
static int get_broker_topics(struct reader *in, const struct field *field, void *ret_at)
{
    size_t n;
    int r = enter_list(in, field->name, REPORT_TOPICS_MAX - in->report->n_topics, &n);

    assert(ret_at == &in->report->brokers[in->report->n_brokers - 1]);
    (void)ret_at;
    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < n; i++) {
        r = get_row(in, &topic_record, report_add_topic(in->report));
        if (r < 0) {
            return r;
        }
    }
    cursor_leave(&in->cursor);
    return 0;
}

static void put_broker_topics(struct writer *out, const struct field *field, const void *at)
{
    const struct broker_load *broker = at;

    (void)field;
    put_rows(out, &topic_record, &out->report->topics[broker->first_topic], broker->n_topics);
}

static bool broker_has_no_topics(const struct field *field, const void *at)
{
    (void)field;
    return ((const struct broker_load *)at)->n_topics == 0;
}

static const struct codec codec_broker_topics = {get_broker_topics, put_broker_topics,
                                                 broker_has_no_topics};

static const struct field broker_fields[] = {
    REQUIRED(broker_load, id, codec_id),
    FIELD(broker_load, address, codec_string),
    REQUIRED(broker_load, state, codec_enum),
    FIELD(broker_load, incarnation, codec_uint64),
    FIELD(broker_load, actuator, codec_bool),
    FIELD(broker_load, topics_known, codec_bool),
    FIELD(broker_load, values, codec_metrics),
    LIST_OF_IDS(broker_load, peers, BROKER_PEERS_MAX),
    FIELD_OF_NOUN("topics", codec_broker_topics),
    FIELD(broker_load, n_topics_omitted, codec_uint64),
};
static const struct record broker_record = RECORD("broker", broker_load, broker_fields, NULL);

static int get_report_brokers(struct reader *in, const struct field *field, void *ret_at)
{
    struct report *report = ret_at;
    size_t n;
    int r = enter_list(in, field->name, NODE_BROKERS_MAX, &n);

    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < n; i++) {
        r = get_map(in, &broker_record, report_add_broker(report));
        if (r < 0) {
            return r;
        }
    }
    cursor_leave(&in->cursor);
    return 0;
}

static void put_report_brokers(struct writer *out, const struct field *field, const void *at)
{
    const struct report *report = at;

    (void)field;
    (void)msgpack_pack_array(&out->packer, report->n_brokers);
    for (size_t i = 0; i < report->n_brokers; i++) {
        put_map(out, &broker_record, &report->brokers[i]);
    }
}

static bool report_has_no_brokers(const struct field *field, const void *at)
{
    (void)field;
    return ((const struct report *)at)->n_brokers == 0;
}

static const struct codec codec_report_brokers = {get_report_brokers, put_report_brokers,
                                                  report_has_no_brokers};

#define CONTROLLER_VERSION(controller, name_)                                                      \
    {                                                                                              \
        .name = (name_), .codec = &codec_uint64,                                                   \
        .offset = offsetof(struct environment, versions[controller]), .size = sizeof(uint64_t)     \
    }

static const struct field environment_fields[] = {
    FIELD(environment, kind, codec_enum),
    FIELD(environment, hierarchy, codec_enum),
    CONTROLLER_VERSION(ENVIRONMENT_CPU, "cpu_version"),
    CONTROLLER_VERSION(ENVIRONMENT_CPUSET, "cpuset_version"),
    CONTROLLER_VERSION(ENVIRONMENT_MEMORY, "memory_version"),
    CONTROLLER_VERSION(ENVIRONMENT_IO, "io_version"),
    CONTROLLER_VERSION(ENVIRONMENT_PIDS, "pids_version"),
};
static const struct record environment_record = RECORD("environment", environment,
                                                       environment_fields, NULL);

static const struct field report_fields[] = {
    REQUIRED(report, at_us, codec_time),
    REQUIRED(report, interval_us, codec_time),
    FIELD(report, applied_seq, codec_uint64),
    FIELD(report, host, codec_metrics),
    FIELD_OF_NOUN("brokers", codec_report_brokers),
    ROW(report, environment, environment_record),
};
static const struct record report_record = RECORD("report", report, report_fields, NULL);

/* -- The poll and its reply -- */

static const struct field receipt_fields[] = {
    REQUIRED(receipt, epoch, codec_uint64),
    REQUIRED(receipt, seq, codec_uint64),
    REQUIRED(receipt, status, codec_enum),
    FIELD(receipt, text, codec_sentence),
};
static const struct record receipt_record = RECORD("receipt", receipt, receipt_fields, NULL);

static const struct field poll_request_fields[] = {
    FIELD(poll_request, epoch_seen, codec_uint64),
    LIST(poll_request, receipts, &receipt_record, RECEIPTS_PER_REQUEST_MAX),
};
static const struct record poll_request_record = RECORD("poll", poll_request, poll_request_fields,
                                                        NULL);

static const struct field decision_fields[] = {
    REQUIRED(decision, kind, codec_enum),
    REQUIRED(decision, epoch, codec_uint64),
    REQUIRED(decision, seq, codec_uint64),
    REQUIRED(decision, boot_id, codec_uint64),
    REQUIRED(decision, expires_in_us, codec_time),
    REQUIRED(decision, from, codec_id),
    REQUIRED(decision, to, codec_id),
    REQUIRED(decision, topic.text, codec_name),
    FIELD(decision, to_address, codec_string),
};
static const struct record decision_record = RECORD("decision", decision, decision_fields, NULL);

static const struct field poll_reply_fields[] = {
    FIELD(poll_reply, status, codec_enum),
    FIELD(poll_reply, text, codec_sentence),
    FIELD(poll_reply, epoch, codec_uint64),
    LIST(poll_reply, decisions, &decision_record, DECISIONS_PER_REPLY_MAX),
};
static const struct record poll_reply_record = RECORD("poll reply", poll_reply, poll_reply_fields,
                                                      NULL);

/* -- The query -- */

static const struct field query_fields[] = {
    REQUIRED(query, verb, codec_enum),      FIELD(query, topic.text, codec_string),
    FIELD(query, broker, codec_id_or_none), FIELD(query, dry_run, codec_bool),
    FIELD(query, move_id, codec_uint64),
};
static const struct record query_record = RECORD("query", query, query_fields, NULL);

/* -- Rows of answers and of the feed -- */

static int get_score(struct reader *in, const struct field *field, void *ret_at)
{
    struct broker_view *view = ret_at;
    int r = get_real(in, field, &view->score);

    if (r < 0) {
        return r;
    }
    view->ranked = true;
    return 0;
}

static void put_score(struct writer *out, const struct field *field, const void *at)
{
    const struct broker_view *view = at;

    if (view->ranked) {
        put_real(out, field, &view->score);
    } else {
        (void)msgpack_pack_nil(&out->packer);
    }
}

static bool view_is_not_ranked(const struct field *field, const void *at)
{
    (void)field;
    return !((const struct broker_view *)at)->ranked;
}

static const struct codec codec_score = {get_score, put_score, view_is_not_ranked};

static int get_view_values(struct reader *in, const struct field *field, void *ret_at)
{
    struct broker_view *view = ret_at;
    int r = get_metrics(in, field, view->values);

    if (r < 0) {
        return r;
    }
    view->with_values = true;
    return 0;
}

static void put_view_values(struct writer *out, const struct field *field, const void *at)
{
    const struct broker_view *view = at;

    if (view->with_values) {
        put_metrics(out, field, view->values);
    } else {
        (void)msgpack_pack_nil(&out->packer);
    }
}

static bool view_is_without_values(const struct field *field, const void *at)
{
    (void)field;
    return !((const struct broker_view *)at)->with_values;
}

static const struct codec codec_view_values = {get_view_values, put_view_values,
                                               view_is_without_values};

static void clear_broker_view(void *noun)
{
    struct broker_view *view = noun;

    memset(view, 0, sizeof(*view));
    forget_values(view->values, METRICS);
}

static const struct field broker_view_fields[] = {
    REQUIRED(broker_view, id, codec_id),          REQUIRED(broker_view, node, codec_id_or_none),
    REQUIRED(broker_view, address, codec_string), REQUIRED(broker_view, freshness, codec_enum),
    FIELD_OF_NOUN("score", codec_score),          FIELD(broker_view, age_us, codec_time),
    FIELD(broker_view, n_topics, codec_uint64),   FIELD(broker_view, report_bytes, codec_uint64),
    FIELD_OF_NOUN("values", codec_view_values),
};
static const struct record broker_view_record = RECORD("broker", broker_view, broker_view_fields,
                                                       clear_broker_view);

static const struct field move_view_fields[] = {
    REQUIRED(move_view, id, codec_uint64),       REQUIRED(move_view, topic.text, codec_name),
    REQUIRED(move_view, from, codec_id_or_none), REQUIRED(move_view, to, codec_id_or_none),
    REQUIRED(move_view, state, codec_enum),      FIELD(move_view, outcome, codec_enum),
    FIELD(move_view, seconds, codec_real),       FIELD(move_view, text, codec_sentence),
};
static const struct record move_view_record = RECORD("move", move_view, move_view_fields, NULL);

static const struct field placement_fields[] = {
    FIELD(placement, topic.text, codec_string),
    FIELD(placement, broker, codec_id_or_none),
    FIELD(placement, address, codec_string),
    FIELD(placement, source, codec_enum),
};
static const struct record placement_record = RECORD("placement", placement, placement_fields,
                                                     NULL);

static const struct field status_fields[] = {
    FIELD(aggregator_status, version, codec_sentence),
    FIELD(aggregator_status, epoch, codec_uint64),
    FIELD(aggregator_status, uptime_s, codec_real),
    FIELD(aggregator_status, algorithm, codec_sentence),
    FIELD(aggregator_status, n_nodes, codec_uint64),
    FIELD(aggregator_status, n_fresh, codec_uint64),
    FIELD(aggregator_status, n_stale, codec_uint64),
    FIELD(aggregator_status, n_gone, codec_uint64),
    FIELD(aggregator_status, n_topics, codec_uint64),
    FIELD(aggregator_status, n_assignments, codec_uint64),
    FIELD(aggregator_status, n_moves_in_flight, codec_uint64),
    FIELD(aggregator_status, n_reports, codec_uint64),
    FIELD(aggregator_status, n_reports_refused, codec_uint64),
};
static const struct record status_record = RECORD("status", aggregator_status, status_fields, NULL);

/* -- The answer and the feed -- */

static const struct field answer_fields[] = {
    FIELD(answer, verb, codec_enum),
    FIELD(answer, status, codec_enum),
    FIELD(answer, text, codec_sentence),
    ROW(answer, placement, placement_record),
    ROW(answer, fleet, status_record),
    LIST_POINTER(answer, brokers, &broker_view_record),
    LIST_POINTER(answer, topics, &topic_record),
    LIST_OF_IDS(answer, peers, BROKER_PEERS_MAX),
    LIST_POINTER(answer, moves, &move_view_record),
};
static const struct record answer_record = RECORD("answer", answer, answer_fields, NULL);

static const struct field feed_fields[] = {
    REQUIRED(feed, kind, codec_enum),  FIELD(feed, version, codec_uint64),
    FIELD(feed, epoch, codec_uint64),  LIST_POINTER(feed, brokers, &broker_view_record),
    ROW(feed, move, move_view_record),
};
static const struct record feed_record = RECORD("feed", feed, feed_fields, NULL);

/* -- The envelope -- */

/* Its elements after major and minor, up to the payload. */
static const struct field envelope_fields[] = {
    REQUIRED(envelope, kind, codec_enum),         REQUIRED(envelope, sender, codec_id),
    REQUIRED(envelope, boot_id, codec_uint64),    REQUIRED(envelope, seq, codec_uint64),
    REQUIRED(envelope, sent_unix_us, codec_time), REQUIRED(envelope, key_id, codec_id_or_none),
};
static const struct record envelope_record = RECORD("envelope", envelope, envelope_fields, NULL);

static int get_major(struct reader *in, struct envelope *ret_envelope)
{
    uint64_t major;
    int r = cursor_get_uint(&in->cursor, &major);

    if (r < 0 || major == 0) {
        return fail_malformed(in, -EBADMSG, "major version");
    }
    if (major > WIRE_MAJOR) {
        ret_envelope->major = (uint8_t)MIN(major, UINT8_MAX);
        return FAIL(in, -EPROTONOSUPPORT,
                    "protocol version %llu is newer than %d, which is spoken here",
                    (unsigned long long)major, WIRE_MAJOR);
    }
    ret_envelope->major = WIRE_MAJOR;
    return 0;
}

static int get_minor(struct reader *in, struct envelope *ret_envelope)
{
    uint64_t minor;
    int r = cursor_get_uint(&in->cursor, &minor);

    if (r < 0) {
        return fail_malformed(in, r, "minor version");
    }
    ret_envelope->minor = (uint8_t)MIN(minor, UINT8_MAX);
    return 0;
}

/* Leaves the cursor before the payload. On -EPROTONOSUPPORT only `major` is set. */
static int get_envelope(struct reader *in, struct envelope *ret_envelope)
{
    size_t n;
    int r = cursor_enter_array(&in->cursor, &n);

    if (r < 0 || n < 2) {
        return fail_malformed(in, -EBADMSG, "envelope");
    }
    r = get_major(in, ret_envelope);
    if (r < 0) {
        return r;
    }
    if (n != ENVELOPE_ELEMENTS) {
        return FAIL(in, -EBADMSG, "envelope: %zu elements instead of %d", n, ENVELOPE_ELEMENTS);
    }
    r = get_minor(in, ret_envelope);
    for (size_t i = 0; r == 0 && i < N_ELEMENTS(envelope_fields); i++) {
        r = get_field(in, &envelope_record, &envelope_fields[i], ret_envelope);
    }
    return r;
}

static void put_envelope(struct writer *out, const struct envelope *envelope, enum wire_kind kind)
{
    struct envelope filled = *envelope;

    filled.kind = kind;
    (void)msgpack_pack_array(&out->packer, ENVELOPE_ELEMENTS);
    (void)msgpack_pack_uint8(&out->packer, WIRE_MAJOR);
    (void)msgpack_pack_uint8(&out->packer, WIRE_MINOR);
    for (size_t i = 0; i < N_ELEMENTS(envelope_fields); i++) {
        put_field(out, &envelope_fields[i], &filled);
    }
}

int wire_get_envelope(const uint8_t *bytes, size_t n, struct envelope *ret_envelope, char *ret_why)
{
    struct reader in = {.cursor = cursor_over(bytes, n), .why = ret_why};
    struct envelope envelope = {.major = 0};
    int r = get_envelope(&in, &envelope);

    if (r == -EPROTONOSUPPORT) {
        ret_envelope->major = envelope.major;
    }
    if (r < 0) {
        return r;
    }
    *ret_envelope = envelope;
    return 0;
}

/* -- Whole messages -- */

static int write_buffer(void *buffer, const char *bytes, size_t n)
{
    buffer_put(buffer, bytes, n);
    return 0;
}

static int put_message(struct writer *out, const struct envelope *envelope, enum wire_kind kind,
                       const struct record *record, const void *noun, size_t *ret_n)
{
    msgpack_packer_init(&out->packer, &out->buffer, write_buffer);
    put_envelope(out, envelope, kind);
    put_map(out, record, noun);
    (void)msgpack_pack_bin(&out->packer, 0);
    if (out->bad) {
        return -EBADMSG;
    }
    if (out->buffer.overflowed) {
        return -ENOSPC;
    }
    *ret_n = out->buffer.n;
    return 0;
}

/* The MAC, which version 1.0 does not look at, ends the message. */
static int get_end(struct reader *in)
{
    struct span mac;
    int r = cursor_get_binary(&in->cursor, &mac);

    if (r < 0 || mac.n > MAC_BYTES_MAX) {
        return fail_malformed(in, -EBADMSG, "mac");
    }
    if (cursor_left(&in->cursor) > 0) {
        return FAIL(in, -EBADMSG, "%zu bytes after the message", cursor_left(&in->cursor));
    }
    return 0;
}

/* The noun is clear. */
static int get_message(struct reader *in, enum wire_kind kind, const struct record *record,
                       void *noun, struct envelope *ret_envelope)
{
    int r = get_envelope(in, ret_envelope);

    if (r < 0) {
        return r;
    }
    if (ret_envelope->kind != kind) {
        return FAIL(in, -EPROTONOSUPPORT, "a message of kind %u where one of kind %u belongs",
                    (unsigned)ret_envelope->kind, (unsigned)kind);
    }
    r = get_map(in, record, noun);
    if (r < 0) {
        return r;
    }
    return get_end(in);
}

/* Reports and polls are told apart by the boot that they come from. */
static bool envelope_names_boot(const struct envelope *envelope)
{
    return envelope->boot_id != 0 && envelope->seq != 0;
}

int wire_put_report(const struct envelope *envelope, const struct report *report, uint8_t *bytes,
                    size_t size, size_t *ret_n)
{
    struct writer out = {.buffer = buffer_over((char *)bytes, size), .report = report};
    char why[TEXT_BYTES_MAX + 1];
    int r = report_check(report, why);

    if (r < 0 || !envelope_names_boot(envelope)) {
        return -EBADMSG;
    }
    return put_message(&out, envelope, WIRE_REPORT, &report_record, report, ret_n);
}

int wire_get_report(const uint8_t *bytes, size_t n, struct report *ret_report, char *ret_why)
{
    struct reader in = {.cursor = cursor_over(bytes, n), .report = ret_report, .why = ret_why};
    struct envelope envelope = {.major = 0};
    int r;

    report_clear(ret_report);
    r = get_message(&in, WIRE_REPORT, &report_record, ret_report, &envelope);
    if (r < 0) {
        return r;
    }
    if (!envelope_names_boot(&envelope)) {
        return refuse(-EBADMSG, ret_why, "a report without boot_id or seq");
    }
    memcpy(ret_report->node, envelope.sender, sizeof(ret_report->node));
    ret_report->boot_id = envelope.boot_id;
    ret_report->seq = envelope.seq;
    ret_report->sent_unix_us = envelope.sent_unix_us;
    return report_check(ret_report, ret_why);
}

int wire_put_poll_request(const struct envelope *envelope, const struct poll_request *request,
                          uint8_t *bytes, size_t size, size_t *ret_n)
{
    struct writer out = {.buffer = buffer_over((char *)bytes, size)};

    if (!envelope_names_boot(envelope) || request->n_receipts > RECEIPTS_PER_REQUEST_MAX) {
        return -EBADMSG;
    }
    return put_message(&out, envelope, WIRE_POLL_REQUEST, &poll_request_record, request, ret_n);
}

int wire_get_poll_request(const uint8_t *bytes, size_t n, struct poll_request *ret_request,
                          char *ret_why)
{
    struct reader in = {.cursor = cursor_over(bytes, n), .why = ret_why};
    struct envelope envelope = {.major = 0};
    int r;

    memset(ret_request, 0, sizeof(*ret_request));
    r = get_message(&in, WIRE_POLL_REQUEST, &poll_request_record, ret_request, &envelope);
    if (r < 0) {
        return r;
    }
    if (!envelope_names_boot(&envelope)) {
        return refuse(-EBADMSG, ret_why, "a poll without boot_id or seq");
    }
    memcpy(ret_request->node, envelope.sender, sizeof(ret_request->node));
    ret_request->boot_id = envelope.boot_id;
    return 0;
}

static int check_decisions(const struct poll_reply *reply, char *ret_why)
{
    for (size_t i = 0; i < reply->n_decisions; i++) {
        int r = decision_check(&reply->decisions[i], ret_why);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int wire_put_poll_reply(const struct envelope *envelope, const struct poll_reply *reply,
                        uint8_t *bytes, size_t size, size_t *ret_n)
{
    struct writer out = {.buffer = buffer_over((char *)bytes, size)};
    char why[TEXT_BYTES_MAX + 1];

    if (reply->n_decisions > DECISIONS_PER_REPLY_MAX || check_decisions(reply, why) < 0) {
        return -EBADMSG;
    }
    return put_message(&out, envelope, WIRE_POLL_REPLY, &poll_reply_record, reply, ret_n);
}

int wire_get_poll_reply(const uint8_t *bytes, size_t n, struct poll_reply *ret_reply, char *ret_why)
{
    struct reader in = {.cursor = cursor_over(bytes, n), .why = ret_why};
    struct envelope envelope = {.major = 0};
    int r;

    memset(ret_reply, 0, sizeof(*ret_reply));
    r = get_message(&in, WIRE_POLL_REPLY, &poll_reply_record, ret_reply, &envelope);
    if (r < 0) {
        return r;
    }
    return check_decisions(ret_reply, ret_why);
}

int wire_put_query(const struct envelope *envelope, const struct query *query, uint8_t *bytes,
                   size_t size, size_t *ret_n)
{
    struct writer out = {.buffer = buffer_over((char *)bytes, size)};
    char why[TEXT_BYTES_MAX + 1];

    if (query_check(query, why) < 0) {
        return -EBADMSG;
    }
    return put_message(&out, envelope, WIRE_QUERY, &query_record, query, ret_n);
}

int wire_get_query(const uint8_t *bytes, size_t n, struct query *ret_query, char *ret_why)
{
    struct reader in = {.cursor = cursor_over(bytes, n), .why = ret_why};
    struct envelope envelope = {.major = 0};
    int r;

    memset(ret_query, 0, sizeof(*ret_query));
    r = get_message(&in, WIRE_QUERY, &query_record, ret_query, &envelope);
    if (r < 0) {
        return r;
    }
    return query_check(ret_query, ret_why);
}

int wire_put_answer(const struct envelope *envelope, const struct answer *answer, uint8_t *bytes,
                    size_t size, size_t *ret_n)
{
    struct writer out = {.buffer = buffer_over((char *)bytes, size)};

    if (answer->n_peers > BROKER_PEERS_MAX) {
        return -EBADMSG;
    }
    return put_message(&out, envelope, WIRE_ANSWER, &answer_record, answer, ret_n);
}

/* Forget everything but the memory that the caller gave for the lists. */
static void clear_answer(struct answer *answer)
{
    answer->verb = (enum query_verb)0;
    answer->status = ANSWER_OK;
    answer->text[0] = '\0';
    memset(&answer->placement, 0, sizeof(answer->placement));
    memset(&answer->fleet, 0, sizeof(answer->fleet));
    answer->n_brokers = 0;
    answer->n_topics = 0;
    answer->n_peers = 0;
    answer->n_moves = 0;
}

int wire_get_answer(const uint8_t *bytes, size_t n, struct answer *ret_answer, char *ret_why)
{
    struct reader in = {.cursor = cursor_over(bytes, n), .why = ret_why};
    struct envelope envelope = {.major = 0};

    clear_answer(ret_answer);
    return get_message(&in, WIRE_ANSWER, &answer_record, ret_answer, &envelope);
}

int wire_put_feed(const struct envelope *envelope, const struct feed *feed, uint8_t *bytes,
                  size_t size, size_t *ret_n)
{
    struct writer out = {.buffer = buffer_over((char *)bytes, size)};

    return put_message(&out, envelope, WIRE_FEED, &feed_record, feed, ret_n);
}

int wire_get_feed(const uint8_t *bytes, size_t n, struct feed *ret_feed, char *ret_why)
{
    struct reader in = {.cursor = cursor_over(bytes, n), .why = ret_why};
    struct envelope envelope = {.major = 0};
    int r;

    ret_feed->version = 0;
    ret_feed->epoch = 0;
    ret_feed->n_brokers = 0;
    memset(&ret_feed->move, 0, sizeof(ret_feed->move));
    r = get_message(&in, WIRE_FEED, &feed_record, ret_feed, &envelope);
    if (r < 0) {
        return r;
    }
    if (ret_feed->kind != FEED_RANKING && ret_feed->kind != FEED_MOVE) {
        return refuse(-EPROTONOSUPPORT, ret_why, "feed of kind %u is not known here",
                      (unsigned)ret_feed->kind);
    }
    return 0;
}
