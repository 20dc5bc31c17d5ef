/* SPDX-License-Identifier: MIT */
/* Escapes bytes for one line of text, sixteen at a time while nothing needs escaping. */
#include "escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef signed char chars16 __attribute__((vector_size(16)));
typedef unsigned char bytes16 __attribute__((vector_size(16)));
typedef uint64_t words2 __attribute__((vector_size(16)));

static inline chars16 load(const char *at)
{
    chars16 chars;
    memcpy(&chars, at, sizeof chars);
    return chars;
}

/* Marks what needs escaping. What is below 0x20 or above 0x7e is, one higher and as a signed number, below 0x21. */
static inline chars16 found(chars16 chars)
{
    bytes16 higher = (bytes16)chars + 1; /* unsigned: 0x7f becomes 0x80 */
    return ((chars16)higher < 0x21) | (chars == '"') | (chars == '\\');
}

static inline bool is_clean(chars16 marks)
{
    words2 words = (words2)marks;
    return (words[0] | words[1]) == 0;
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

/* Copies whole words and returns how many bytes were clean. */
static size_t copy_clean(char *to, const char *from, size_t len)
{
    const size_t one = sizeof(chars16), two = 2 * one;
    size_t done = 0;
    for (; len - done >= two; done += two) {
        chars16 first = load(from + done), second = load(from + done + one);
        if (!is_clean(found(first) | found(second)))
            return done;
        memcpy(to + done, &first, one);
        memcpy(to + done + one, &second, one);
    }
    if (len - done >= one) {
        chars16 chars = load(from + done);
        if (!is_clean(found(chars)))
            return done;
        memcpy(to + done, &chars, one);
        done += one;
    }
    /* The end is written with some clean bytes before it, which are written once more as they are. */
    if (done > 0 && done < len) {
        chars16 chars = load(from + len - one);
        if (!is_clean(found(chars)))
            return done;
        memcpy(to + len - one, &chars, one);
        done = len;
    }
    return done;
}

size_t herd_escape_copy(char *to, const char *from, size_t len)
{
    char *start = to;
    size_t done = copy_clean(to, from, len);
    to += done;
    while (done < len) {
        /* Byte by byte past what needs escaping, then whole words again. */
        size_t some = len - done < sizeof(chars16) ? len - done : sizeof(chars16);
        for (size_t i = 0; i < some; i++)
            to = escape_byte(to, (unsigned char)from[done + i]);
        done += some;
        size_t clean = copy_clean(to, from + done, len - done);
        to += clean;
        done += clean;
    }
    return (size_t)(to - start);
}
