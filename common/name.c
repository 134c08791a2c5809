/* What may stand in a name: clean UTF-8, and the narrower alphabet of identities. Pure. */
#include "common/name.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "common/utf8.h"

/* Bytes of the clean character at `bytes`, or 0 when there is none: no UTF-8, or a control
 * character of C0, DEL or C1. */
static size_t clean_character(const uint8_t *bytes, size_t n)
{
    uint32_t code;
    size_t length;

    if (bytes[0] < 0x80) {
        return bytes[0] >= 0x20 && bytes[0] != 0x7f ? 1 : 0;
    }
    length = utf8_get((const char *)bytes, n, &code);
    return length == 0 || code <= 0x9f ? 0 : length;
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
