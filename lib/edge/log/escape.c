/* SPDX-License-Identifier: MIT */
/* Escapes bytes for one line of text, sixteen at a time while nothing needs escaping. */
#include "escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef signed char chars16 __attribute__((vector_size(16)));
typedef uint64_t words2 __attribute__((vector_size(16)));

static inline chars16 load(const char *at)
{
    chars16 chars;
    memcpy(&chars, at, sizeof chars);
    return chars;
}

/* As signed numbers, bytes above 0x7f are below 0x20 too. */
static inline bool is_clean(chars16 chars)
{
    words2 found = (words2)((chars < 0x20) | (chars == 0x7f) | (chars == '"') | (chars == '\\'));
    return (found[0] | found[1]) == 0;
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
    size_t left = len;
    for (; left >= sizeof(chars16); from += sizeof(chars16), left -= sizeof(chars16)) {
        chars16 chars = load(from);
        if (is_clean(chars)) {
            memcpy(to, &chars, sizeof chars);
            to += sizeof chars;
        } else {
            for (size_t i = 0; i < sizeof chars; i++)
                to = escape_byte(to, (unsigned char)from[i]);
        }
    }
    /* The end is written with some clean bytes before it, which are written once more as they are. */
    if (left > 0 && len >= sizeof(chars16)) {
        size_t again = sizeof(chars16) - left;
        chars16 chars = load(from - again);
        if (is_clean(chars)) {
            memcpy(to - again, &chars, sizeof chars);
            return (size_t)(to + left - start);
        }
    }
    while (left--)
        to = escape_byte(to, (unsigned char)*from++);
    return (size_t)(to - start);
}
