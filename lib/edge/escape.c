/* SPDX-License-Identifier: MIT */
/* Escapes bytes for one line of text, eight at a time while nothing needs escaping. */
#include "escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))

/*
 * Whether any of the eight bytes needs escaping, whatever their order in the word. Each term sets the
 * top bit of some byte exactly when the word holds a byte of its kind; a borrow or carry can spread only
 * from a byte that was already found, so it cannot turn a clean word into a dirty one.
 */
static bool word_is_dirty(uint64_t word)
{
    const uint64_t ones = EACH_BYTE(0x01), tops = EACH_BYTE(0x80);
    uint64_t quote = word ^ EACH_BYTE('"');
    uint64_t backslash = word ^ EACH_BYTE('\\');
    uint64_t below_space = (word - EACH_BYTE(0x20)) & ~word;
    uint64_t above_tilde = (word + ones) | word;
    return ((below_space | above_tilde | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash)) & tops) !=
           0;
}

static char *escape_byte(char *to, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    if (byte == '"' || byte == '\\') {
        *to++ = '\\';
        *to++ = (char)byte;
    } else if (byte >= 0x20 && byte <= 0x7e) {
        *to++ = (char)byte;
    } else {
        *to++ = '\\';
        *to++ = 'x';
        *to++ = hex[byte >> 4];
        *to++ = hex[byte & 15];
    }
    return to;
}

size_t herd_escape_copy(char *to, const char *from, size_t len)
{
    char *start = to;
    while (len >= 8) {
        uint64_t word;
        memcpy(&word, from, 8);
        if (word_is_dirty(word)) {
            for (int i = 0; i < 8; i++)
                to = escape_byte(to, (unsigned char)from[i]);
        } else {
            memcpy(to, &word, 8);
            to += 8;
        }
        from += 8;
        len -= 8;
    }
    while (len--)
        to = escape_byte(to, (unsigned char)*from++);
    return (size_t)(to - start);
}
