/* What may stand in a name: clean UTF-8, and the narrower alphabet of identities. Pure. */
#include "common/name.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* The well-formed UTF-8 sequences of more than one byte (Unicode 15, table 3-7), without the C1
 * controls U+0080 … U+009F, which would begin with C2 80. */
struct sequence {
    uint8_t first_min, first_max;
    uint8_t second_min, second_max;
    size_t length;
};

static const struct sequence sequences[] = {
    {0xc2, 0xc2, 0xa0, 0xbf, 2}, {0xc3, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool sequence_matches(const struct sequence *sequence, const uint8_t *bytes, size_t n)
{
    if (n < sequence->length || bytes[0] < sequence->first_min || bytes[0] > sequence->first_max ||
        bytes[1] < sequence->second_min || bytes[1] > sequence->second_max) {
        return false;
    }
    for (size_t i = 2; i < sequence->length; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return false;
        }
    }
    return true;
}

/* Bytes of the clean character at `bytes`, or 0 when there is none; n > 0. */
static size_t clean_character(const uint8_t *bytes, size_t n)
{
    if (bytes[0] < 0x80) {
        return bytes[0] >= 0x20 && bytes[0] != 0x7f ? 1 : 0;
    }
    for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
        if (sequence_matches(&sequences[i], bytes, n)) {
            return sequences[i].length;
        }
    }
    return 0;
}

#define EACH_BYTE(byte) ((uint64_t)(byte)*0x0101010101010101U)

/* Whether eight bytes are all printable ASCII: no top bit, none below 20 (subtracting borrows into
 * the top bit), no 7f (adding one carries into it). Names are mostly that, and are checked on both
 * sides of every report. */
static bool are_printable_ascii(const uint8_t *bytes)
{
    uint64_t eight;

    memcpy(&eight, bytes, sizeof(eight));
    if ((eight & EACH_BYTE(0x80)) != 0) {
        return false;
    }
    return (((eight - EACH_BYTE(0x20)) | (eight + EACH_BYTE(0x01))) & EACH_BYTE(0x80)) == 0;
}

/* Length of the prefix that consists of clean characters. */
static size_t clean_prefix(const uint8_t *bytes, size_t n)
{
    size_t at = 0;

    while (at < n) {
        size_t length = 0;

        if (n - at >= 8 && are_printable_ascii(bytes + at)) {
            length = 8;
        } else {
            length = clean_character(bytes + at, n - at);
        }
        if (length == 0) {
            break;
        }
        at += length;
    }
    return at;
}

bool name_is_clean(const char *bytes, size_t n)
{
    return n > 0 && clean_prefix((const uint8_t *)bytes, n) == n;
}

void name_make_clean(char *text)
{
    size_t n = strlen(text);
    size_t at = clean_prefix((const uint8_t *)text, n);

    while (at < n) {
        text[at++] = '?';
        at += clean_prefix((const uint8_t *)text + at, n - at);
    }
}

static bool is_id_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == ':' || c == '@' || c == '-';
}

bool name_is_id(const char *id)
{
    size_t n = 0;

    while (is_id_character(id[n])) {
        n++;
    }
    return n > 0 && n <= ID_BYTES_MAX && id[n] == '\0';
}

int name_copy(char *to, size_t size, const char *from)
{
    size_t n = strlen(from);

    if (n >= size) {
        return -ENAMETOOLONG;
    }
    memcpy(to, from, n + 1);
    return 0;
}
