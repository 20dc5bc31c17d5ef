/* SPDX-License-Identifier: MIT */
/* Borrowed bytes: comparing them. */
#include <herd/types.h>

#include <string.h>

struct herd_span herd_span_of(const char *text)
{
    return (struct herd_span){text, strlen(text)};
}

bool herd_span_equal(struct herd_span a, struct herd_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

int herd_span_compare(struct herd_span a, struct herd_span b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.at, b.at, common) : 0;
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}
