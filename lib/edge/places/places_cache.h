/* SPDX-License-Identifier: MIT */
/* Answers that may be kept. */
#ifndef HERD_EDGE_PLACES_CACHE_H
#define HERD_EDGE_PLACES_CACHE_H

#include <herd/places.h>

struct places_cache;

/* Keeps answers for `keep_ms`, at most `bytes_max` of them together with what holds them. HERD_E_NOMEM. */
int places_cache_new(struct places_cache **ret_cache, int64_t keep_ms, size_t bytes_max);
/* NULL is fine. */
void places_cache_free(struct places_cache *cache);
/* False if there is no fresh answer; the span is borrowed until the next call. */
bool places_cache_get(struct places_cache *cache, const struct herd_places_query *query, int64_t now_ms,
                      struct herd_span *ret_json);
/* Copies an answer, unless there is a fresh one or no memory. */
void places_cache_put(struct places_cache *cache, const struct herd_places_query *query, int64_t now_ms,
                      struct herd_span json);

#endif
