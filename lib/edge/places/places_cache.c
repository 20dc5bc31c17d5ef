/* SPDX-License-Identifier: MIT */
/* Keeps answers for a while, for providers that allow it; evicts the oldest first. */
#include "places_cache.h"

#include "places_query.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 256

struct entry {
    struct entry *bucket_next;
    struct entry *newer;
    struct herd_places_query query; /* texts and answer behind the struct */
    uint64_t hash;
    int64_t until_ms;
    struct herd_span json;
    size_t bytes;
};

struct places_cache {
    struct entry *table[BUCKETS];
    struct entry *oldest, **newest_end;
    int64_t keep_ms;
    size_t bytes, bytes_max;
};

int places_cache_new(struct places_cache **ret_cache, int64_t keep_ms, size_t bytes_max)
{
    struct places_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return HERD_E_NOMEM;
    cache->keep_ms = keep_ms;
    cache->bytes_max = bytes_max;
    cache->newest_end = &cache->oldest;
    *ret_cache = cache;
    return 0;
}

/* Drops the oldest entry: every entry lives equally long, so it is also the first to become stale. */
static void drop_oldest(struct places_cache *cache)
{
    struct entry *entry = cache->oldest;
    assert(entry && cache->bytes >= entry->bytes);
    struct entry **at = &cache->table[entry->hash % BUCKETS];
    while (*at != entry)
        at = &(*at)->bucket_next;
    *at = entry->bucket_next;
    cache->oldest = entry->newer;
    if (!cache->oldest)
        cache->newest_end = &cache->oldest;
    cache->bytes -= entry->bytes;
    free(entry);
}

void places_cache_free(struct places_cache *cache)
{
    if (!cache)
        return;
    while (cache->oldest)
        drop_oldest(cache);
    free(cache);
}

bool places_cache_get(struct places_cache *cache, const struct herd_places_query *query, int64_t now_ms,
                      struct herd_span *ret_json)
{
    while (cache->oldest && cache->oldest->until_ms <= now_ms)
        drop_oldest(cache);
    uint64_t hash = places_query_hash(query);
    for (struct entry *entry = cache->table[hash % BUCKETS]; entry; entry = entry->bucket_next)
        if (entry->hash == hash && places_query_equal(&entry->query, query)) {
            *ret_json = entry->json;
            return true;
        }
    return false;
}

void places_cache_put(struct places_cache *cache, const struct herd_places_query *query, int64_t now_ms,
                      struct herd_span json)
{
    struct herd_span known;
    if (places_cache_get(cache, query, now_ms, &known))
        return;
    struct herd_span parts[] = {query->lat, query->lon, query->radius, json};
    size_t bytes = sizeof(struct entry);
    for (size_t i = 0; i < 4; i++)
        bytes += parts[i].len;
    if (bytes > cache->bytes_max)
        return;
    while (cache->bytes + bytes > cache->bytes_max)
        drop_oldest(cache);
    struct entry *entry = malloc(bytes);
    if (!entry)
        return; /* not kept */
    char *to = (char *)(entry + 1);
    for (size_t i = 0; i < 4; i++) {
        if (parts[i].len)
            memcpy(to, parts[i].at, parts[i].len);
        parts[i].at = to;
        to += parts[i].len;
    }
    *entry = (struct entry){.query = *query,
                            .hash = places_query_hash(query),
                            .until_ms = now_ms + cache->keep_ms,
                            .json = parts[3],
                            .bytes = bytes};
    entry->query.lat = parts[0];
    entry->query.lon = parts[1];
    entry->query.radius = parts[2];
    entry->bucket_next = cache->table[entry->hash % BUCKETS];
    cache->table[entry->hash % BUCKETS] = entry;
    *cache->newest_end = entry;
    cache->newest_end = &entry->newer;
    cache->bytes += bytes;
}
