/* SPDX-License-Identifier: MIT */
/* The total order of records of one client: PROTOCOL.md, 2.1, and where records expire 3.7. */
#include "order.h"

#include "effective.h"

#include <herd/timestamp.h>

int herd_record_compare_texts(const struct herd_record *a, const struct herd_record *b)
{
    int order = herd_timestamp_compare(a->time, b->time);
    if (!order)
        order = (int)herd_record_is_tombstone(a) - (int)herd_record_is_tombstone(b);
    if (!order)
        order = herd_span_compare(a->server, b->server);
    if (!order)
        order = herd_span_compare(a->diff, b->diff);
    if (!order)
        order = herd_span_compare(a->position, b->position);
    if (!order)
        order = herd_span_compare(a->time, b->time);
    return order;
}

int herd_record_compare(const struct herd_record *a, const struct herd_record *b, int64_t expire_ns)
{
    if (expire_ns > 0) {
        int64_t a_ns = herd_effective_ns(a, expire_ns), b_ns = herd_effective_ns(b, expire_ns);
        if (a_ns != b_ns)
            return a_ns < b_ns ? -1 : 1;
    }
    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns ? -1 : 1;
    return herd_record_compare_texts(a, b);
}
