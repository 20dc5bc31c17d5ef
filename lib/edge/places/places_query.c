/* SPDX-License-Identifier: MIT */
/* Equality and hash of queries: their exact texts and the bound. */
#include "places_query.h"

bool places_query_equal(const struct herd_places_query *a, const struct herd_places_query *b)
{
    return a->bound == b->bound && herd_span_equal(a->lat, b->lat) && herd_span_equal(a->lon, b->lon) &&
           herd_span_equal(a->radius, b->radius);
}

uint64_t places_query_hash(const struct herd_places_query *query)
{
    const struct herd_span parts[] = {query->lat, query->lon, query->radius};
    uint64_t hash = 14695981039346656037u + query->bound;
    for (size_t p = 0; p < 3; p++) {
        for (size_t i = 0; i < parts[p].len; i++)
            hash = (hash ^ (unsigned char)parts[p].at[i]) * 1099511628211u;
        hash = (hash ^ ',') * 1099511628211u;
    }
    return hash ^ hash >> 32;
}
