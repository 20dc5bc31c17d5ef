/* SPDX-License-Identifier: MIT */
/* The newest record of each client, in slots of one cache line. */
#include "store_impl.h"

#include "effective.h"

#include <herd/geo.h>
#include <herd/protocol.h>
#include <herd/stamp.h>

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
        herd_cell_clear(herd_store_cell(store, slot));
    for (size_t i = 0; i < store->chunk_count; i++)
        free(store->chunks[i]);
    free(store->chunks);
    herd_index_fini(&store->index);
    herd_names_fini(&store->names);
    herd_digest_fini(&store->digest);
    herd_buf_fini(&store->draft);
    herd_buf_fini(&store->texts);
    free(store);
}

static bool is_id(const void *ctx, uint32_t slot, struct herd_span id)
{
    return herd_span_equal(herd_cell_id(herd_store_cell(ctx, slot)), id);
}

uint32_t herd_store_find(const struct herd_store *store, uint64_t hash, uint32_t guess, struct herd_span id)
{
    if (guess != HERD_NO_SLOT && is_id(store, guess, id))
        return guess;
    return herd_index_find(&store->index, hash, is_id, store, id);
}

/* Differences that need the texts: equal nanoseconds, but not the same bytes. */
static int order_texts(struct herd_store *store, const struct herd_cell *cell, const struct herd_draft *draft,
                       int *ret_order)
{
    struct herd_record old;
    int err = herd_cell_texts(cell, &store->texts, &old);
    if (err < 0)
        return err;
    int order = herd_stamp_compare(draft->record->time, old.time);
    if (!order)
        order = herd_span_compare(herd_names_text(&store->names, draft->server),
                                  herd_names_text(&store->names, cell->server));
    if (!order)
        order = herd_span_compare(draft->record->diff, old.diff);
    if (!order)
        order = herd_span_compare(draft->record->place, old.place);
    if (!order)
        order = herd_span_compare(draft->record->time, old.time);
    *ret_order = order;
    return 0;
}

/* The order of the times two records count for; 0: they are equal, and the texts decide. */
static int order_effective(struct herd_store *store, const struct herd_cell *cell, const struct herd_draft *draft,
                           int *ret_order)
{
    struct herd_record old = {.time_ns = cell->time_ns};
    int err = herd_cell_texts(cell, &store->texts, &old);
    if (err < 0)
        return err;
    int64_t ours = herd_effective_ns(&old, store->expire_ns);
    int64_t theirs = herd_effective_ns(draft->record, store->expire_ns);
    *ret_order = (theirs > ours) - (theirs < ours);
    return 0;
}

static void note_newest(struct herd_store *store, const struct herd_draft *draft)
{
    if (store->expire_ns <= 0)
        return;
    int64_t effective_ns = herd_effective_ns(draft->record, store->expire_ns);
    if (effective_ns > store->newest_ns)
        store->newest_ns = effective_ns;
}

int herd_store_order(struct herd_store *store, uint32_t slot, const struct herd_draft *draft, int *ret_order)
{
    const struct herd_cell *cell = herd_store_cell(store, slot);
    if (store->expire_ns > 0) {
        int err = order_effective(store, cell, draft, ret_order);
        if (err < 0 || *ret_order != 0)
            return err;
    }
    if (draft->record->time_ns != cell->time_ns) {
        *ret_order = draft->record->time_ns < cell->time_ns ? -1 : 1;
        return 0;
    }
    /* A copy that came round another way is the common case: most lines between servers are. */
    struct herd_shape shape = herd_cell_shape(cell);
    if (draft->server == cell->server && memcmp(&shape, &draft->shape, sizeof shape) == 0 &&
        memcmp(herd_cell_body(cell), draft->body, herd_shape_body(&shape)) == 0) {
        *ret_order = 0;
        return 0;
    }
    return order_texts(store, cell, draft, ret_order);
}

static uint64_t cell_hash(const struct herd_store *store, const struct herd_cell *cell)
{
    struct herd_shape shape = herd_cell_shape(cell);
    return herd_body_hash(herd_cell_body(cell), &shape, cell->time_ns, store->names.list[cell->server].hash);
}

static uint64_t draft_hash(const struct herd_store *store, const struct herd_draft *draft)
{
    return herd_body_hash(draft->body, &draft->shape, draft->record->time_ns,
                          store->names.list[draft->server].hash);
}

int herd_store_replace(struct herd_store *store, uint32_t slot, uint64_t id_hash, const struct herd_draft *draft)
{
    struct herd_cell *cell = herd_store_cell(store, slot);
    uint64_t change = draft_hash(store, draft) - cell_hash(store, cell);
    size_t apart_bytes = herd_cell_apart_bytes(cell);
    unsigned server = cell->server;
    int err = herd_cell_write(cell, draft);
    if (err < 0)
        return err;
    if (draft->server != server) {
        herd_names_ref(&store->names, draft->server);
        herd_names_unref(&store->names, server);
    }
    store->apart_bytes += herd_cell_apart_bytes(cell) - apart_bytes;
    herd_digest_add(&store->digest, id_hash, change);
    note_newest(store, draft);
    return 0;
}

uint64_t herd_store_record_hash(const struct herd_store *store, uint32_t slot)
{
    return cell_hash(store, herd_store_cell(store, slot));
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
        const struct herd_cell *cell = herd_store_cell(store, slot);
        if (herd_cell_empty(cell))
            continue;
        uint64_t id_hash = herd_store_id_hash(store, herd_cell_id(cell));
        herd_digest_add(&bigger, id_hash, cell_hash(store, cell));
        link_slot(store, &bigger, id_hash, slot);
    }
    herd_digest_fini(&store->digest);
    store->digest = bigger;
    store->sweep_behind = HERD_NO_SLOT; /* lists are in another order */
    store->steps += store->slots / 8;
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
    if (store->slots / HERD_CHUNK_CELLS == store->chunk_count) {
        if (store->chunk_count == store->chunk_cap) {
            size_t cap = store->chunk_cap ? store->chunk_cap * 2 : 16;
            struct herd_chunk **chunks = realloc(store->chunks, cap * sizeof(struct herd_chunk *));
            if (!chunks)
                return HERD_E_NOMEM;
            store->chunks = chunks;
            store->chunk_cap = cap;
        }
        struct herd_chunk *chunk = aligned_alloc(HERD_CELL_BYTES, sizeof *chunk);
        if (!chunk)
            return HERD_E_NOMEM;
        memset(chunk->next, 0xff, sizeof chunk->next);
        store->chunks[store->chunk_count++] = chunk;
    }
    struct herd_cell *cell = herd_store_cell(store, store->slots);
    memset(cell, 0, sizeof *cell);
    cell->server = HERD_NO_SERVER;
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

int herd_store_insert(struct herd_store *store, uint64_t hash, uint64_t id_hash, const struct herd_draft *draft,
                      uint32_t *ret_slot)
{
    uint32_t slot;
    int err = find_room(store, &slot);
    if (err < 0)
        return err;
    err = herd_index_reserve(&store->index, hash);
    if (err < 0)
        return err;
    struct herd_cell *cell = herd_store_cell(store, slot);
    uint32_t next_free = (uint32_t)cell->time_ns;
    err = herd_cell_write(cell, draft);
    if (err < 0)
        return err;
    store->apart_bytes += herd_cell_apart_bytes(cell);
    herd_names_ref(&store->names, draft->server);
    take_slot(store, slot, next_free);
    herd_index_insert(&store->index, hash, slot);
    store->count++;
    herd_digest_add(&store->digest, id_hash, draft_hash(store, draft));
    link_slot(store, &store->digest, id_hash, slot);
    note_newest(store, draft);
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
    struct herd_draft draft;
    int err = herd_draft_make(&draft, &store->draft, record, (uint16_t)server);
    if (err < 0)
        return err;

    uint64_t hash = herd_store_hash(store, record->id), id_hash = herd_store_id_hash(store, record->id);
    uint32_t slot = herd_store_find(store, hash, HERD_NO_SLOT, record->id);
    enum herd_put verdict = HERD_PUT_NEW;
    if (slot == HERD_NO_SLOT) {
        err = herd_store_insert(store, hash, id_hash, &draft, &slot);
        if (err < 0)
            return err;
    } else {
        int order;
        err = herd_store_order(store, slot, &draft, &order);
        if (err < 0)
            return err;
        verdict = order < 0 ? HERD_PUT_OLDER : order == 0 ? HERD_PUT_SAME : HERD_PUT_NEWER;
        if (order > 0 && (err = herd_store_replace(store, slot, id_hash, &draft)) < 0)
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

int herd_store_put(struct herd_store *store, const struct herd_record *record, enum herd_put *ret_verdict,
                   uint32_t *ret_slot)
{
    if (!store || !record)
        return HERD_E_ARG;
    /* Texts are kept by what the protocol allows in them: any other would come back changed. */
    struct herd_record checked = *record;
    struct herd_place place;
    if (!herd_name_valid(record->server) || !herd_diff_valid(record->diff) || !id_valid(record->id) ||
        herd_place_parse(record->place, &place) < 0 || herd_stamp_parse(record->time, &checked.time_ns) < 0 ||
        (record->time_ns != 0 && record->time_ns != checked.time_ns))
        return HERD_E_ARG;
    enum herd_put verdict;
    uint32_t slot;
    int err = herd_store_offer(store, &checked, &verdict, &slot);
    if (err < 0)
        return err;
    if (ret_verdict)
        *ret_verdict = verdict;
    if (ret_slot)
        *ret_slot = slot;
    return 0;
}

bool herd_store_at(struct herd_store *store, uint32_t slot, struct herd_record *ret_record)
{
    if (slot >= store->slots)
        return false;
    const struct herd_cell *cell = herd_store_cell(store, slot);
    struct herd_record record;
    if (herd_cell_empty(cell) || herd_cell_texts(cell, &store->texts, &record) < 0)
        return false;
    record.server = herd_names_text(&store->names, cell->server);
    record.id = herd_cell_id(cell);
    record.time_ns = cell->time_ns;
    *ret_record = record;
    return true;
}

bool herd_store_get(struct herd_store *store, struct herd_span id, struct herd_record *ret_record)
{
    uint32_t slot = herd_store_find(store, herd_store_hash(store, id), HERD_NO_SLOT, id);
    return slot != HERD_NO_SLOT && herd_store_at(store, slot, ret_record);
}

void herd_store_drop(struct herd_store *store, uint32_t slot, uint64_t id_hash)
{
    struct herd_cell *cell = herd_store_cell(store, slot);
    herd_digest_add(&store->digest, id_hash, 0 - cell_hash(store, cell));
    herd_index_remove(&store->index, herd_store_hash(store, herd_cell_id(cell)), slot);
    store->apart_bytes -= herd_cell_apart_bytes(cell);
    herd_names_unref(&store->names, cell->server);
    herd_cell_clear(cell);
    cell->time_ns = store->free_slot;
    store->free_slot = slot;
    store->count--;
    if (store->changes)
        herd_changes_forget(store->changes, slot);
}

void herd_store_remove(struct herd_store *store, uint32_t slot)
{
    if (slot >= store->slots || herd_cell_empty(herd_store_cell(store, slot)))
        return;
    uint64_t id_hash = herd_store_id_hash(store, herd_cell_id(herd_store_cell(store, slot)));
    unlink_slot(store, id_hash, slot);
    herd_store_drop(store, slot, id_hash);
}

size_t herd_store_count(const struct herd_store *store)
{
    return store->count;
}

uint32_t herd_store_slots(const struct herd_store *store)
{
    return store->slots;
}

#define CELL_BYTES (sizeof(struct herd_chunk) / HERD_CHUNK_CELLS)

uint64_t herd_store_bytes(const struct herd_store *store)
{
    return (uint64_t)store->slots * CELL_BYTES + store->apart_bytes;
}

size_t herd_store_growth(const struct herd_store *store, uint32_t slot, const struct herd_draft *draft)
{
    size_t apart = herd_shape_apart(&draft->shape), had = 0;
    if (slot == HERD_NO_SLOT)
        apart += store->free_slot == HERD_NO_SLOT ? CELL_BYTES : 0;
    else
        had = herd_cell_apart_bytes(herd_store_cell(store, slot));
    return apart > had ? apart - had : 0;
}

uint64_t herd_store_digest(const struct herd_store *store)
{
    return store->digest.total;
}
