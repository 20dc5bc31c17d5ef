/* SPDX-License-Identifier: MIT */
/* Strings of JSON as the text they stand for. */
#include "raw.h"

#include <string.h>

static unsigned hex4(const char *at)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++)
        value = value * 16 + (at[i] <= '9' ? (unsigned)(at[i] - '0') : (unsigned)((at[i] | 0x20) - 'a') + 10);
    return value;
}

static size_t put_utf8(unsigned c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(first[len] | c);
    return len;
}

/* The character of the escape at `at`; returns how long that is, 0 for one that is cut off. */
static size_t escape(const char *at, size_t len, char out[4], size_t *ret_len)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (len < 2)
        return 0;
    const char *name = memchr(names, at[1], sizeof names - 1);
    if (name) {
        out[0] = values[name - names];
        *ret_len = 1;
        return 2;
    }
    if (at[1] != 'u' || len < 6)
        return 0;
    unsigned c = hex4(at + 2);
    size_t used = 6;
    if (c >= 0xd800 && c < 0xdc00 && len >= 12) { /* its other half follows: it was checked */
        c = 0x10000 + ((c - 0xd800) << 10) + (hex4(at + 8) - 0xdc00);
        used = 12;
    }
    *ret_len = put_utf8(c, out);
    return used;
}

size_t herd_raw_decode(struct herd_span inside, char *out, size_t cap)
{
    size_t len = 0;
    while (inside.len > 0) {
        char escaped[4];
        const char *text = inside.at;
        size_t text_len, used;
        if (*inside.at == '\\') {
            text = escaped;
            used = escape(inside.at, inside.len, escaped, &text_len);
        } else {
            used = text_len = herd_utf8_len(inside);
        }
        if (used == 0 || len + text_len > cap)
            break;
        memcpy(out + len, text, text_len);
        len += text_len;
        inside.at += used;
        inside.len -= used;
    }
    return len;
}
