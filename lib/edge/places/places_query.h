/* SPDX-License-Identifier: MIT */
/* Equality and hash of queries. */
#ifndef HERD_EDGE_PLACES_QUERY_H
#define HERD_EDGE_PLACES_QUERY_H

#include <herd/places.h>

/* Compares everything a provider can see of two queries. */
bool places_query_equal(const struct herd_places_query *a, const struct herd_places_query *b);
/* Hashes the same; not keyed, for tables whose size is bounded. */
uint64_t places_query_hash(const struct herd_places_query *query);

#endif
