/* UTF-8, one character at a time. Pure. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* What stands for bytes that are no character: U+FFFD. */
#define UTF8_REPLACEMENT "\xEF\xBF\xBD"

/* Decode the character at the start of `n` bytes into `ret_code`. Returns its length, 1 … 4, or 0
 * when the bytes do not start with a well-formed one (cut off, overlong, a surrogate, above
 * U+10FFFF, or nothing there); `ret_code` is untouched then. */
static inline size_t utf8_get(const char *bytes, size_t n, uint32_t *ret_code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t lead = n > 0 ? (uint8_t)bytes[0] : 0xFF;
    size_t length = lead < 0x80 ? 1 : lead < 0xC0 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    uint32_t code = length == 1 ? lead : lead & (0xFFu >> (length + 1));

    if (lead > 0xF4 || length == 0 || length > n) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if (((uint8_t)bytes[i] & 0xC0) != 0x80) {
            return 0;
        }
        code = code << 6 | ((uint8_t)bytes[i] & 0x3Fu);
    }
    if (code < least[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
        return 0;
    }
    *ret_code = code;
    return length;
}

#endif
