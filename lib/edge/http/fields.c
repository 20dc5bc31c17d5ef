/* SPDX-License-Identifier: MIT */
/* The words of a request: fields of its head, escapes, pairs. */
#include "../../core/http/field_list.h"
#include "../../core/http/target.h"
#include "../server/conn.h"
#include "http_impl.h"

#include <string.h>

bool herd_http_only(const struct herd_http_head *head, const char *name, struct herd_span *ret_value,
                    size_t *ret_count)
{
    *ret_value = (struct herd_span){"", 0};
    *ret_count = herd_http_head_find(head, name, ret_value);
    return *ret_count == 1;
}

bool herd_http_header(const struct herd_http_exchange *exchange, const char *name, struct herd_span *ret_value)
{
    const struct herd_http_request *request = herd_http_request_of_const(exchange);
    return request->head && herd_http_head_find(request->head, name, ret_value) > 0;
}

struct herd_span herd_http_from(const struct herd_http_exchange *exchange, char text[HERD_HTTP_FROM_MAX])
{
    static_assert(HERD_HTTP_FROM_MAX >= HERD_LABEL_MAX, "an address fits");
    return herd_conn_address(herd_http_request_of_const(exchange)->conn, text);
}

/* ---- escapes ---- */

int herd_http_decode(struct herd_http *http, struct herd_span text, bool form, struct herd_span *ret_text)
{
    *ret_text = text;
    if (text.len == 0 || (!memchr(text.at, '%', text.len) && !(form && memchr(text.at, '+', text.len))))
        return text.len == 0 || !memchr(text.at, '\0', text.len) ? 0 : HERD_E_SYNTAX;
    char *to = herd_http_arena_alloc(&http->arena, text.len);
    size_t len = 0;
    if (!to)
        return HERD_E_NOMEM;
    if (herd_http_unescape(text, form ? HERD_HTTP_BLANK : HERD_HTTP_PLUS, to, &len) < 0)
        return HERD_E_SYNTAX;
    *ret_text = (struct herd_span){to, len};
    return 0;
}

bool herd_http_pair_next(struct herd_http_exchange *exchange, struct herd_http_pairs *io_pairs,
                         struct herd_span *ret_name, struct herd_span *ret_value)
{
    struct herd_span name, value;
    if (io_pairs->err < 0 || !herd_http_query_next(&io_pairs->rest, &name, &value))
        return false;
    io_pairs->err = herd_http_decode(exchange->http, name, true, ret_name);
    if (io_pairs->err >= 0)
        io_pairs->err = herd_http_decode(exchange->http, value, true, ret_value);
    return io_pairs->err >= 0;
}

/* ---- types ---- */

enum herd_http_accepts herd_http_body_type(struct herd_span content_type)
{
    struct herd_span type = content_type;
    const char *end = type.len ? memchr(type.at, ';', type.len) : NULL;
    if (end)
        type.len = (size_t)(end - type.at);
    while (type.len > 0 && (type.at[type.len - 1] == ' ' || type.at[type.len - 1] == '\t'))
        type.len--;
    static const char suffix[] = "+json";
    const size_t tail = sizeof suffix - 1;
    if (herd_http_equal_nocase(type, "application/json") ||
        (type.len > tail && herd_http_equal_nocase((struct herd_span){type.at + type.len - tail, tail}, suffix)))
        return HERD_HTTP_JSON;
    return herd_http_equal_nocase(type, "application/x-www-form-urlencoded") ? HERD_HTTP_FORM : HERD_HTTP_ELSE;
}
