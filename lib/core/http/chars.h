/* SPDX-License-Identifier: MIT */
/* The sets of characters that HTTP is made of. */
#ifndef HERD_CORE_HTTP_CHARS_H
#define HERD_CORE_HTTP_CHARS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define HERD_HTTP_TOKEN 0x01 /* tchar (RFC 9110, 5.6.2) */
/* What RFC 3986 has, and what browsers and libraries of phones send unescaped all the same: "percent-encode sets" of
 * WHATWG's URL standard. No parser takes any of it for an end. */
#define HERD_HTTP_PATH     0x02 /* pchar (3.3) but for '%', '/', and one of []| */
#define HERD_HTTP_QUERY    0x04 /* the same, '?', '%', and one of \^`{} */
#define HERD_HTTP_REG_NAME 0x08 /* reg-name (RFC 3986, 3.2.2) but for '%' */
#define HERD_HTTP_VALUE    0x10 /* VCHAR, obs-text, blank and TAB (RFC 9110, 5.5): no control character */
#define HERD_HTTP_QUOTED   0x20 /* qdtext (RFC 9110, 5.6.4) */

extern const uint8_t herd_http_chars[256];

static inline bool herd_http_is(char c, uint8_t set)
{
    return herd_http_chars[(unsigned char)c] & set;
}

/* The first byte at or behind `p` that is not in `set`, or `end`. */
static inline const char *herd_http_skip(const char *p, const char *end, uint8_t set)
{
    while (p < end && herd_http_is(*p, set))
        p++;
    return p;
}

static inline bool herd_http_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The first control character at or behind `p` (TAB is one), or `end`. Eight bytes at a time: in a word the lowest byte
 * that is flagged is one; a borrow only spoils higher ones. */
static inline const char *herd_http_text_end(const char *p, const char *end)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t ones = UINT64_C(0x0101010101010101);
    while (end - p >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        uint64_t del = word ^ ones * 0x7f;
        uint64_t flags = (((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & ones * 0x80;
        if (flags)
            return p + (unsigned)__builtin_ctzll(flags) / 8;
        p += 8;
    }
#endif
    while (p < end && (unsigned char)*p >= 0x20 && *p != 0x7f)
        p++;
    return p;
}

#endif
