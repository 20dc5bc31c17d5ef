/* SPDX-License-Identifier: MIT */
/* Segments, pairs, and what their escapes stand for. */
#include "target.h"

#include "../base/hex_digit.h"

#include <string.h>

/* Cuts what stands before the first `c` off the front, and `c` with it; all if there is none. */
static struct herd_span cut(struct herd_span *io_text, char c)
{
    const char *at = io_text->at, *found = memchr(at, c, io_text->len);
    size_t len = found ? (size_t)(found - at) : io_text->len;
    io_text->at += found ? len + 1 : len;
    io_text->len -= found ? len + 1 : len;
    return (struct herd_span){at, len};
}

bool herd_http_path_next(struct herd_span *io_path, struct herd_span *ret_segment)
{
    if (io_path->len == 0 || *io_path->at != '/')
        return false;
    struct herd_span rest = {io_path->at + 1, io_path->len - 1};
    *ret_segment = cut(&rest, '/');
    io_path->at += 1 + ret_segment->len;
    io_path->len -= 1 + ret_segment->len;
    return true;
}

bool herd_http_query_next(struct herd_span *io_query, struct herd_span *ret_name, struct herd_span *ret_value)
{
    while (io_query->len > 0) {
        struct herd_span value = cut(io_query, '&');
        if (value.len == 0)
            continue;
        *ret_name = cut(&value, '=');
        *ret_value = value;
        return true;
    }
    return false;
}

int herd_http_unescape(struct herd_span text, enum herd_http_plus plus, char *to, size_t *ret_len)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == '%') {
            if (text.len - i < 3)
                return HERD_E_SYNTAX;
            int high = herd_hex_digit(text.at[i + 1]), low = herd_hex_digit(text.at[i + 2]);
            if (high < 0 || low < 0)
                return HERD_E_SYNTAX;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus == HERD_HTTP_BLANK) {
            c = ' ';
        }
        if (c == '\0')
            return HERD_E_SYNTAX;
        to[len++] = c;
    }
    *ret_len = len;
    return 0;
}
