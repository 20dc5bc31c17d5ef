/* SPDX-License-Identifier: MIT */
/* The inside of a store, for the node, which looks up a whole read of lines at once. */
#ifndef HERD_CORE_STORE_IMPL_H
#define HERD_CORE_STORE_IMPL_H

#include "../base/hash.h"
#include "changes.h"
#include "digest.h"
#include "index.h"
#include "names.h"
#include "record.h"

#include <herd/store.h>

/* So many that a chunk has pages of its own (half a megabyte, touched as it fills): among them, those of the index
 * leave holes that nothing fits. */
#define HERD_CHUNK_RECORDS 8192

/* Slots in memory; `next` links those of one digest leaf. */
struct herd_chunk {
    struct herd_packed_record records[HERD_CHUNK_RECORDS];
    uint32_t next[HERD_CHUNK_RECORDS];
};

struct herd_store {
    struct herd_index index;
    struct herd_names names;
    struct herd_digest digest;
    struct herd_chunk **chunks;
    size_t chunk_count, chunk_cap;
    uint32_t slots;     /* ever used */
    uint32_t free_slot; /* head of the list of removed slots, linked through time_ns */
    size_t count;
    size_t tombstones;     /* of those: records of clients that were deleted */
    size_t external_bytes; /* of bodies that do not fit into packed records */
    uint64_t table_key[2];
    uint64_t digest_key;
    int64_t expire_ns;            /* 0: records are in the order of PROTOCOL.md, 2.1; else in that of 3.7 */
    int64_t newest_ns;            /* no record is effectively later; where records expire */
    struct herd_buf encoded;      /* scratch of herd_record_encode */
    struct herd_buf texts;        /* scratch of herd_packed_record_texts; what herd_store_get lends */
    struct herd_changes *changes; /* told of slots that are emptied; NULL: nobody is */
    uint32_t sweep_behind;        /* where a sweep that stopped inside a leaf goes on; HERD_NO_SLOT: at its head */
    uint64_t steps;               /* records looked at by what may be as long as the store; memory read in order
                                     counts as one for each 512 bytes */
};

static inline struct herd_packed_record *herd_store_packed(const struct herd_store *store, uint32_t slot)
{
    return &store->chunks[slot / HERD_CHUNK_RECORDS]->records[slot % HERD_CHUNK_RECORDS];
}

static inline uint32_t *herd_store_next(const struct herd_store *store, uint32_t slot)
{
    return &store->chunks[slot / HERD_CHUNK_RECORDS]->next[slot % HERD_CHUNK_RECORDS];
}

static inline uint64_t herd_store_hash(const struct herd_store *store, struct herd_span id)
{
    return herd_siphash(store->table_key, id.at, id.len);
}

/* What places an id in the digest: the same on every node. */
static inline uint64_t herd_store_id_hash(const struct herd_store *store, struct herd_span id)
{
    return herd_hash(store->digest_key, id.at, id.len);
}

/* The slot of an id whose hash is known, or HERD_NO_SLOT. `slot_hint` is what herd_index_first_match gave earlier
 * in the same batch, or HERD_NO_SLOT. */
uint32_t herd_store_find(const struct herd_store *store, uint64_t hash, uint32_t slot_hint, struct herd_span id);

/* The record in a slot, as herd_store_get_slot: 1. 0: the slot is empty. HERD_E_NOMEM. */
int herd_store_read_slot(struct herd_store *store, uint32_t slot, struct herd_record *ret_record);

/* Compares a record with the one in `slot`: the total order, of records alone. <0: the record comes before. HERD_E_NOMEM is
 * not possible: *ret_order is set and 0 returned unless memory ran out. */
int herd_store_order(struct herd_store *store, uint32_t slot, const struct herd_encoded_record *encoded,
                     int *ret_order);

/* The hash of the record in a slot, as digests sum it; the slot must not be empty. */
uint64_t herd_store_record_hash(const struct herd_store *store, uint32_t slot);

/* How much more memory for records an encoded record needs: 0 if it fits into the packed record it replaces. */
size_t herd_store_growth(const struct herd_store *store, uint32_t slot, const struct herd_encoded_record *encoded);

/* Checks a record as herd_store_put does; *ret_checked is it with its time_ns. HERD_E_ARG. */
int herd_record_check(const struct herd_record *record, struct herd_record *ret_checked);
/* herd_store_put for a record that is checked already, with its time_ns. HERD_E_NOMEM, HERD_E_LIMIT: unchanged. */
int herd_store_offer(struct herd_store *store, const struct herd_record *record, enum herd_put *ret_verdict,
                     uint32_t *ret_slot);
/* Stores an encoded record over the one in `slot`. HERD_E_NOMEM: unchanged. */
int herd_store_replace(struct herd_store *store, uint32_t slot, uint64_t id_hash,
                       const struct herd_encoded_record *encoded);
/* Stores an encoded record under a new id. HERD_E_NOMEM, HERD_E_LIMIT: unchanged. */
int herd_store_insert(struct herd_store *store, uint64_t hash, uint64_t id_hash,
                      const struct herd_encoded_record *encoded, uint32_t *ret_slot);

/* Forgets the record in a slot that no leaf's list holds any more. */
void herd_store_free_slot(struct herd_store *store, uint32_t slot, uint64_t id_hash);

/* Removes the records that go, leaf by leaf from *io_leaf on, until `budget` leaves and records were looked at: also
 * inside a leaf, whatever ids somebody chose to make its list long. Begin with 0, go on with what is in *io_leaf.
 * False: all leaves are done. */
typedef bool herd_store_should_remove(const void *ctx, const struct herd_record *record);
bool herd_store_sweep(struct herd_store *store, uint32_t *io_leaf, size_t budget,
                      herd_store_should_remove *should_remove, const void *ctx);

#endif
