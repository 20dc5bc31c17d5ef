/* SPDX-License-Identifier: MIT */
/* Heads of replies. */
#include "response.h"

#include "chars.h"

#define NUMBER_MAX 20 /* digits of 2^64 - 1 */

/* Appends to room that was reserved. */
static void put(struct herd_buf *out, const char *bytes, size_t len)
{
    memcpy(out->at + out->len, bytes, len);
    out->len += len;
}

#define PUT_LITERAL(out, text) put((out), (text), sizeof(text) - 1)

int herd_http_response_begin(struct herd_buf *out, int status, int64_t wall_ns)
{
    const char *reason = herd_http_reason(status);
    char code[3] = {(char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10), (char)('0' + status % 10)};
    char date[HERD_HTTP_DATE_BYTES];
    size_t len = strlen(reason);
    int err = herd_buf_reserve(out, len + 64);
    if (err < 0)
        return err;
    herd_http_date_put(date, wall_ns);
    PUT_LITERAL(out, "HTTP/1.1 ");
    put(out, code, sizeof code);
    PUT_LITERAL(out, " ");
    put(out, reason, len);
    PUT_LITERAL(out, "\r\nDate: ");
    put(out, date, sizeof date);
    PUT_LITERAL(out, "\r\n");
    return 0;
}

int herd_http_response_field(struct herd_buf *out, const char *name, struct herd_span value)
{
    size_t len = strlen(name);
    if (value.len && herd_http_skip(value.at, value.at + value.len, HERD_HTTP_VALUE) != value.at + value.len)
        return HERD_E_SYNTAX;
    if (value.len > SIZE_MAX / 8)
        return HERD_E_NOMEM;
    int err = herd_buf_reserve(out, len + value.len + 4);
    if (err < 0)
        return err;
    put(out, name, len);
    PUT_LITERAL(out, ": ");
    if (value.len)
        put(out, value.at, value.len);
    PUT_LITERAL(out, "\r\n");
    return 0;
}

int herd_http_response_number(struct herd_buf *out, const char *name, uint64_t value)
{
    char digits[NUMBER_MAX], *end = digits + sizeof digits, *p = end;
    do {
        *--p = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return herd_http_response_field(out, name, (struct herd_span){p, (size_t)(end - p)});
}

int herd_http_response_length(struct herd_buf *out, uint64_t len)
{
    return herd_http_response_number(out, "Content-Length", len);
}

int herd_http_response_connection(struct herd_buf *out, bool keep_alive)
{
    return herd_http_response_field(out, "Connection", herd_span_of(keep_alive ? "keep-alive" : "close"));
}

int herd_http_response_end(struct herd_buf *out)
{
    return herd_buf_add(out, "\r\n", 2);
}

int herd_http_response_continue(struct herd_buf *out)
{
    return herd_buf_add_text(out, "HTTP/1.1 100 Continue\r\n\r\n");
}

int herd_http_response_chunk(struct herd_buf *out, size_t len)
{
    char line[2 * sizeof len + 2], *p = line + sizeof line;
    if (len == 0)
        return herd_buf_add_text(out, "0\r\n\r\n");
    *--p = '\n';
    *--p = '\r';
    for (; len; len >>= 4)
        *--p = "0123456789abcdef"[len & 15];
    return herd_buf_add(out, p, (size_t)(line + sizeof line - p));
}
