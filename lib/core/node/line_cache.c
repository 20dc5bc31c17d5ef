/* SPDX-License-Identifier: MIT */
/* Lines kept for other links. */
#include "line_cache.h"

#include "../base/copy.h"

#include <stdlib.h>

void herd_line_cache_fini(struct herd_line_cache *cache)
{
    free(cache->lines);
    cache->lines = NULL;
}

static struct herd_cached_line *home(const struct herd_line_cache *cache, uint64_t place)
{
    return &cache->lines[place % HERD_LINE_CACHE_LINES];
}

bool herd_line_cache_copy(const struct herd_line_cache *cache, const struct herd_store *store, uint32_t slot,
                          uint64_t place, struct herd_buf *out)
{
    if (!cache->lines)
        return false;
    const struct herd_cached_line *line = home(cache, place);
    const struct herd_packed_record *packed = herd_store_packed(store, slot);
    if (line->len == 0 || line->names != store->names.renamed || line->packed.time_ns != packed->time_ns ||
        memcmp(&line->packed, packed, sizeof *packed) != 0)
        return false;
    if (herd_buf_reserve(out, HERD_LINE_CACHE_MAX) < 0)
        return false; /* who writes it says so */
    memcpy(out->at + out->len, line->text, HERD_LINE_CACHE_MAX);
    out->len += line->len;
    return true;
}

void herd_line_cache_keep(struct herd_line_cache *cache, const struct herd_store *store, uint32_t slot,
                          uint64_t place, struct herd_span line)
{
    const struct herd_packed_record *packed = herd_store_packed(store, slot);
    if (line.len > HERD_LINE_CACHE_MAX || packed->id_len == HERD_BODY_EXTERNAL)
        return;
    if (!cache->lines)
        cache->lines = calloc(HERD_LINE_CACHE_LINES, sizeof *cache->lines);
    if (!cache->lines)
        return;
    struct herd_cached_line *kept = home(cache, place);
    kept->packed = *packed;
    kept->names = store->names.renamed;
    kept->len = (uint8_t)line.len;
    herd_copy(kept->text, line.at, line.len);
}
