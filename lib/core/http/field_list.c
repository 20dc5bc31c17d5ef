/* SPDX-License-Identifier: MIT */
/* Values of fields. */
#include "field_list.h"

#include "chars.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool herd_http_spans_equal_nocase(struct herd_span a, struct herd_span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (a.at[i] != b.at[i] && lower(a.at[i]) != lower(b.at[i]))
            return false;
    return true;
}

bool herd_http_equal_nocase(struct herd_span text, const char *other)
{
    return herd_http_spans_equal_nocase(text, herd_span_of(other));
}

/* Behind the element that begins at `p`. */
static const char *element_end(const char *p, const char *end)
{
    for (bool quoted = false; p < end; p++) {
        if (quoted && *p == '\\' && p + 1 < end)
            p++;
        else if (*p == '"')
            quoted = !quoted;
        else if (*p == ',' && !quoted)
            break;
    }
    return p;
}

bool herd_http_list_next(struct herd_span *io_value, struct herd_span *ret_element)
{
    if (io_value->len == 0)
        return false; /* it may have no address */
    const char *p = io_value->at, *end = p + io_value->len;
    while (p < end && (herd_http_is_blank(*p) || *p == ','))
        p++;
    if (p == end) {
        io_value->len = 0;
        return false;
    }
    const char *stop = element_end(p, end);
    io_value->at = stop;
    io_value->len = (size_t)(end - stop);
    while (herd_http_is_blank(stop[-1]))
        stop--; /* at p there is none */
    *ret_element = (struct herd_span){p, (size_t)(stop - p)};
    return true;
}
