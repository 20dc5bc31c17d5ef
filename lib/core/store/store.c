/* SPDX-License-Identifier: MIT */
/* The newest record of each client, in slots of one cache line. */
#include "store_impl.h"

#include "../base/array.h"
#include "effective.h"
#include "order.h"

#include <herd/geo.h>
#include <herd/protocol.h>
#include <herd/timestamp.h>

#include <stdlib.h>

#define NS_DECIMALS 9

int herd_store_new(struct herd_store **ret_store, const struct herd_store_options *options)
{
    struct herd_store *store = calloc(1, sizeof *store);
    if (!store)
        return HERD_E_NOMEM;
    if (herd_digest_init(&store->digest, HERD_DIGEST_BITS_FIRST) < 0) {
        free(store);
        return HERD_E_NOMEM;
    }
    if (options) {
        memcpy(store->table_key, options->table_key, sizeof store->table_key);
        store->digest_key = options->digest_key;
    }
    herd_names_init(&store->names, store->digest_key, store->table_key);
    store->free_slot = store->sweep_behind = HERD_NO_SLOT;
    store->newest_ns = INT64_MIN;
    *ret_store = store;
    return 0;
}

void herd_store_free(struct herd_store *store)
{
    if (!store)
        return;
    for (uint32_t slot = 0; slot < store->slots; slot++)
        herd_packed_record_clear(herd_store_packed(store, slot));
    for (size_t i = 0; i < store->chunk_count; i++)
        free(store->chunks[i]);
    free(store->chunks);
    herd_index_fini(&store->index);
    herd_names_fini(&store->names);
    herd_digest_fini(&store->digest);
    herd_buf_fini(&store->encoded);
    herd_buf_fini(&store->texts);
    free(store);
}

static bool is_id(const void *ctx, uint32_t slot, struct herd_span id)
{
    return herd_span_equal(herd_packed_record_id(herd_store_packed(ctx, slot)), id);
}

uint32_t herd_store_find(const struct herd_store *store, uint64_t hash, uint32_t slot_hint, struct herd_span id)
{
    if (slot_hint != HERD_NO_SLOT && is_id(store, slot_hint, id))
        return slot_hint;
    return herd_index_find(&store->index, hash, is_id, store, id);
}

/* Differences that need the texts: equal nanoseconds, but not the same bytes. */
static int order_texts(struct herd_store *store, const struct herd_packed_record *packed,
                       const struct herd_encoded_record *encoded, int *ret_order)
{
    struct herd_record old;
    int err = herd_packed_record_texts(packed, &store->texts, &old);
    if (err < 0)
        return err;
    struct herd_record new = *encoded->record;
    new.server = herd_names_text(&store->names, encoded->server);
    old.server = herd_names_text(&store->names, packed->server);
    *ret_order = herd_record_compare_texts(&new, &old);
    return 0;
}

/* The order of the times two records count for; 0: they are equal, and the texts decide. */
static int order_effective(struct herd_store *store, const struct herd_packed_record *packed,
                           const struct herd_encoded_record *encoded, int *ret_order)
{
    struct herd_record old = {.time_ns = packed->time_ns};
    int err = herd_packed_record_texts(packed, &store->texts, &old);
    if (err < 0)
        return err;
    int64_t ours = herd_effective_ns(&old, store->expire_ns);
    int64_t theirs = herd_effective_ns(encoded->record, store->expire_ns);
    *ret_order = (theirs > ours) - (theirs < ours);
    return 0;
}

static void note_newest(struct herd_store *store, const struct herd_encoded_record *encoded)
{
    if (store->expire_ns <= 0)
        return;
    int64_t effective_ns = herd_effective_ns(encoded->record, store->expire_ns);
    if (effective_ns > store->newest_ns)
        store->newest_ns = effective_ns;
}

int herd_store_order(struct herd_store *store, uint32_t slot, const struct herd_encoded_record *encoded,
                     int *ret_order)
{
    const struct herd_packed_record *packed = herd_store_packed(store, slot);
    if (store->expire_ns > 0) {
        int err = order_effective(store, packed, encoded, ret_order);
        if (err < 0 || *ret_order != 0)
            return err;
    }
    if (encoded->record->time_ns != packed->time_ns) {
        *ret_order = encoded->record->time_ns < packed->time_ns ? -1 : 1;
        return 0;
    }
    /* A copy that came round another way is the common case: most lines between servers are. */
    struct herd_record_layout layout = herd_packed_record_layout(packed);
    if (encoded->server == packed->server && memcmp(&layout, &encoded->layout, sizeof layout) == 0 &&
        memcmp(herd_packed_record_body(packed), encoded->body, herd_record_layout_body(&layout)) == 0) {
        *ret_order = 0;
        return 0;
    }
    return order_texts(store, packed, encoded, ret_order);
}

static uint64_t packed_hash(const struct herd_store *store, const struct herd_packed_record *packed)
{
    struct herd_record_layout layout = herd_packed_record_layout(packed);
    return herd_body_hash(herd_packed_record_body(packed), &layout, packed->time_ns,
                          store->names.list[packed->server].hash);
}

static uint64_t encoded_hash(const struct herd_store *store, const struct herd_encoded_record *encoded)
{
    return herd_body_hash(encoded->body, &encoded->layout, encoded->record->time_ns,
                          store->names.list[encoded->server].hash);
}

int herd_store_replace(struct herd_store *store, uint32_t slot, uint64_t id_hash,
                       const struct herd_encoded_record *encoded)
{
    struct herd_packed_record *packed = herd_store_packed(store, slot);
    uint64_t change = encoded_hash(store, encoded) - packed_hash(store, packed);
    size_t external_bytes = herd_packed_record_external_bytes(packed);
    const bool tombstone = herd_packed_record_tombstone(packed);
    unsigned server = packed->server;
    int err = herd_packed_record_write(packed, encoded);
    if (err < 0)
        return err;
    if (encoded->server != server) {
        herd_names_ref(&store->names, encoded->server);
        herd_names_unref(&store->names, server);
    }
    store->external_bytes += herd_packed_record_external_bytes(packed) - external_bytes;
    store->tombstones += (size_t)herd_record_layout_tombstone(&encoded->layout) - (size_t)tombstone;
    herd_digest_add(&store->digest, id_hash, change);
    note_newest(store, encoded);
    return 0;
}

uint64_t herd_store_record_hash(const struct herd_store *store, uint32_t slot)
{
    return packed_hash(store, herd_store_packed(store, slot));
}

static void link_slot(struct herd_store *store, struct herd_digest *digest, uint64_t id_hash, uint32_t slot)
{
    uint32_t *head = &digest->heads[herd_digest_leaf(digest, id_hash)];
    *herd_store_next(store, slot) = *head;
    *head = slot;
}

static void unlink_slot(struct herd_store *store, uint64_t id_hash, uint32_t slot)
{
    uint32_t *at = &store->digest.heads[herd_digest_leaf(&store->digest, id_hash)];
    while (*at != slot) {
        store->steps++;
        at = herd_store_next(store, *at);
    }
    *at = *herd_store_next(store, slot);
    if (store->sweep_behind == slot)
        store->sweep_behind = HERD_NO_SLOT;
}

/* More leaves when these hold many records each; what cannot be had now is tried again later. */
static void grow_digest(struct herd_store *store)
{
    struct herd_digest bigger;
    if (store->digest.bits >= HERD_DIGEST_BITS_MAX || store->count >> store->digest.bits < 8 ||
        herd_digest_init(&bigger, store->digest.bits + 4) < 0)
        return;
    for (uint32_t slot = 0; slot < store->slots; slot++) {
        const struct herd_packed_record *packed = herd_store_packed(store, slot);
        if (herd_packed_record_empty(packed))
            continue;
        uint64_t id_hash = herd_store_id_hash(store, herd_packed_record_id(packed));
        herd_digest_add(&bigger, id_hash, packed_hash(store, packed));
        link_slot(store, &bigger, id_hash, slot);
    }
    herd_digest_fini(&store->digest);
    store->digest = bigger;
    store->sweep_behind = HERD_NO_SLOT; /* lists are in another order */
    store->steps += store->slots / 8;
}

static int add_chunk(struct herd_store *store)
{
    struct herd_chunk **chunks =
        herd_array_reserve(store->chunks, &store->chunk_cap, store->chunk_count + 1, sizeof(struct herd_chunk *));
    if (!chunks)
        return HERD_E_NOMEM;
    store->chunks = chunks;
    struct herd_chunk *chunk = aligned_alloc(HERD_PACKED_RECORD_BYTES, sizeof *chunk);
    if (!chunk)
        return HERD_E_NOMEM;
    store->chunks[store->chunk_count++] = chunk;
    return 0;
}

/* A slot to write to: a removed one, or the next. The slot is taken only by take_slot. */
static int find_room(struct herd_store *store, uint32_t *ret_slot)
{
    if (store->free_slot != HERD_NO_SLOT) {
        *ret_slot = store->free_slot;
        return 0;
    }
    if (store->slots == HERD_NO_SLOT - 1)
        return HERD_E_LIMIT;
    if (store->slots / HERD_CHUNK_RECORDS == store->chunk_count && add_chunk(store) < 0)
        return HERD_E_NOMEM;
    struct herd_packed_record *packed = herd_store_packed(store, store->slots);
    memset(packed, 0, sizeof *packed);
    packed->server = HERD_NO_SERVER;
    *herd_store_next(store, store->slots) = HERD_NO_SLOT;
    *ret_slot = store->slots;
    return 0;
}

static void take_slot(struct herd_store *store, uint32_t slot, uint32_t next_free)
{
    if (slot == store->slots)
        store->slots++;
    else
        store->free_slot = next_free;
}

int herd_store_insert(struct herd_store *store, uint64_t hash, uint64_t id_hash,
                      const struct herd_encoded_record *encoded, uint32_t *ret_slot)
{
    uint32_t slot;
    int err = find_room(store, &slot);
    if (err < 0)
        return err;
    err = herd_index_reserve(&store->index, hash);
    if (err < 0)
        return err;
    struct herd_packed_record *packed = herd_store_packed(store, slot);
    uint32_t next_free = (uint32_t)packed->time_ns;
    err = herd_packed_record_write(packed, encoded);
    if (err < 0)
        return err;
    store->external_bytes += herd_packed_record_external_bytes(packed);
    herd_names_ref(&store->names, encoded->server);
    take_slot(store, slot, next_free);
    herd_index_insert(&store->index, hash, slot);
    store->count++;
    store->tombstones += herd_record_layout_tombstone(&encoded->layout);
    herd_digest_add(&store->digest, id_hash, encoded_hash(store, encoded));
    link_slot(store, &store->digest, id_hash, slot);
    note_newest(store, encoded);
    grow_digest(store);
    *ret_slot = slot;
    return 0;
}

int herd_store_offer(struct herd_store *store, const struct herd_record *record, enum herd_put *ret_verdict,
                     uint32_t *ret_slot)
{
    int server = herd_names_intern(&store->names, record->server);
    if (server < 0)
        return server;
    struct herd_encoded_record encoded;
    int err = herd_record_encode(&encoded, &store->encoded, record, (uint16_t)server);
    if (err < 0)
        return err;

    uint64_t hash = herd_store_hash(store, record->id), id_hash = herd_store_id_hash(store, record->id);
    uint32_t slot = herd_store_find(store, hash, HERD_NO_SLOT, record->id);
    enum herd_put verdict = HERD_PUT_NEW;
    if (slot == HERD_NO_SLOT) {
        err = herd_store_insert(store, hash, id_hash, &encoded, &slot);
        if (err < 0)
            return err;
    } else {
        int order;
        err = herd_store_order(store, slot, &encoded, &order);
        if (err < 0)
            return err;
        verdict = order < 0 ? HERD_PUT_OLDER : order == 0 ? HERD_PUT_SAME : HERD_PUT_NEWER;
        if (order > 0 && (err = herd_store_replace(store, slot, id_hash, &encoded)) < 0)
            return err;
    }
    *ret_verdict = verdict;
    *ret_slot = slot;
    return 0;
}

/* An id is one field of a line. */
static bool id_valid(struct herd_span id)
{
    for (size_t i = 0; i < id.len; i++)
        if (id.at[i] == ' ' || (unsigned char)(id.at[i] - '\t') < 5)
            return false;
    return id.len > 0;
}

int herd_record_check(const struct herd_record *record, struct herd_record *ret_checked)
{
    /* Texts are kept by what the protocol allows in them: any other would come back changed. */
    struct herd_record checked = *record;
    struct herd_position position;
    if (!herd_name_valid(record->server) || !herd_diff_valid(record->diff) || !id_valid(record->id) ||
        (!herd_record_is_tombstone(record) && herd_position_parse(record->position, &position) < 0) ||
        herd_timestamp_parse(record->time, &checked.time_ns) < 0 ||
        (record->time_ns != 0 && record->time_ns != checked.time_ns))
        return HERD_E_ARG;
    *ret_checked = checked;
    return 0;
}

int herd_store_put(struct herd_store *store, const struct herd_record *record, enum herd_put *ret_verdict,
                   uint32_t *ret_slot)
{
    if (!store || !record)
        return HERD_E_ARG;
    struct herd_record checked;
    int err = herd_record_check(record, &checked);
    if (err < 0)
        return err;
    enum herd_put verdict;
    uint32_t slot;
    err = herd_store_offer(store, &checked, &verdict, &slot);
    if (err < 0)
        return err;
    if (ret_verdict)
        *ret_verdict = verdict;
    if (ret_slot)
        *ret_slot = slot;
    return 0;
}

int herd_store_read_slot(struct herd_store *store, uint32_t slot, struct herd_record *ret_record)
{
    if (slot >= store->slots)
        return 0;
    const struct herd_packed_record *packed = herd_store_packed(store, slot);
    struct herd_record record;
    if (herd_packed_record_empty(packed))
        return 0;
    const int err = herd_packed_record_texts(packed, &store->texts, &record);
    if (err < 0)
        return err;
    record.server = herd_names_text(&store->names, packed->server);
    record.id = herd_packed_record_id(packed);
    record.time_ns = packed->time_ns;
    *ret_record = record;
    return 1;
}

bool herd_store_get_slot(struct herd_store *store, uint32_t slot, struct herd_record *ret_record)
{
    return herd_store_read_slot(store, slot, ret_record) > 0;
}

bool herd_store_get(struct herd_store *store, struct herd_span id, struct herd_record *ret_record)
{
    uint32_t slot = herd_store_find(store, herd_store_hash(store, id), HERD_NO_SLOT, id);
    return slot != HERD_NO_SLOT && herd_store_get_slot(store, slot, ret_record);
}

void herd_store_free_slot(struct herd_store *store, uint32_t slot, uint64_t id_hash)
{
    struct herd_packed_record *packed = herd_store_packed(store, slot);
    if (store->changes)
        herd_changes_forget(store->changes, slot);
    herd_digest_add(&store->digest, id_hash, 0 - packed_hash(store, packed));
    herd_index_remove(&store->index, herd_store_hash(store, herd_packed_record_id(packed)), slot);
    store->external_bytes -= herd_packed_record_external_bytes(packed);
    store->tombstones -= herd_packed_record_tombstone(packed);
    herd_names_unref(&store->names, packed->server);
    herd_packed_record_clear(packed);
    packed->time_ns = store->free_slot;
    store->free_slot = slot;
    store->count--;
}

void herd_store_remove(struct herd_store *store, uint32_t slot)
{
    if (slot >= store->slots || herd_packed_record_empty(herd_store_packed(store, slot)))
        return;
    uint64_t id_hash = herd_store_id_hash(store, herd_packed_record_id(herd_store_packed(store, slot)));
    unlink_slot(store, id_hash, slot);
    herd_store_free_slot(store, slot, id_hash);
}

size_t herd_store_count(const struct herd_store *store)
{
    return store->count;
}

size_t herd_store_tombstones(const struct herd_store *store)
{
    return store->tombstones;
}

uint32_t herd_store_slots(const struct herd_store *store)
{
    return store->slots;
}

#define CELL_BYTES (sizeof(struct herd_chunk) / HERD_CHUNK_RECORDS)

uint64_t herd_store_bytes(const struct herd_store *store)
{
    return (uint64_t)store->slots * CELL_BYTES + store->external_bytes;
}

size_t herd_store_growth(const struct herd_store *store, uint32_t slot, const struct herd_encoded_record *encoded)
{
    size_t external = herd_record_layout_external(&encoded->layout), had = 0;
    if (slot == HERD_NO_SLOT)
        external += store->free_slot == HERD_NO_SLOT ? CELL_BYTES : 0;
    else
        had = herd_packed_record_external_bytes(herd_store_packed(store, slot));
    return external > had ? external - had : 0;
}

uint64_t herd_store_digest(const struct herd_store *store)
{
    return store->digest.total;
}
