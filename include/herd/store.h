/* SPDX-License-Identifier: MIT */
/*
 * The newest record of each client.
 *
 * A record is what an AT line says: (server, diff, id, position, time), kept byte for byte. Records of one
 * id are in a total order, the same on every node, so that all end with the same bytes: client time
 * (exact, all decimals), then a tombstone behind a report, then the accepting server's name, then diff, position
 * and time as bytes. The store keeps the greatest it was given.
 *
 * A *tombstone* is a record without a place, what a GONE line says: the client was deleted at that time. It is kept,
 * counted and compared like any other record, for it has to win over what is older wherever that still is.
 *
 * A record lives in a slot, a number from 0 to herd_store_slots() - 1 that it keeps until it is removed.
 */
#ifndef HERD_STORE_H
#define HERD_STORE_H

#include <herd/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct herd_record {
    struct herd_span server, diff, id, position, time;
    int64_t time_ns; /* `time` as herd_timestamp_parse gives it; to herd_store_put 0 says the same */
};

/* Whether it says that the client was deleted; its position is empty then. */
static inline bool herd_record_is_tombstone(const struct herd_record *record)
{
    return record->position.len == 0;
}

/* When a record was accepted, by the clock of the server that took it: its time plus its difference; at the ends of
 * int64_t where that is beyond. `time_ns` has to be set. */
HERD_API int64_t herd_record_accepted_ns(const struct herd_record *record);
/* The order of two records of one id: <0: `a` comes before `b`, 0: they are the same. Where records expire after
 * `expire_ns` > 0 the times that they count for come first (PROTOCOL.md, 3.7). Of both `time_ns` has to be set. */
HERD_API int herd_record_compare(const struct herd_record *a, const struct herd_record *b, int64_t expire_ns);

struct herd_store;

struct herd_store_options {
    uint64_t table_key[2]; /* random, this node's own: against ids chosen to collide */
    uint64_t digest_key;   /* the same on every node of a herd */
};

/* HERD_E_NOMEM. `options` is copied; NULL means all zero. */
HERD_API int herd_store_new(struct herd_store **ret_store, const struct herd_store_options *options);
HERD_API void herd_store_free(struct herd_store *store);

enum herd_put {
    HERD_PUT_NEW,   /* the id was not known: stored */
    HERD_PUT_NEWER, /* stored over an older record */
    HERD_PUT_SAME,  /* byte for byte what is stored */
    HERD_PUT_OLDER, /* ordered before what is stored: not stored */
};

/* Offers a record (copied). *ret_verdict says what came of it, *ret_slot where the id is now; either may be NULL.
 * `record->time_ns` is 0, and then read from `record->time`, or what herd_timestamp_parse makes of that. HERD_E_ARG: a
 * member that is not in the form of an AT line (an empty position is that of a tombstone), which the store could not give back as it was, or a time_ns that is
 * another time. HERD_E_NOMEM, HERD_E_LIMIT (65 535 names of servers). After an error nothing has changed. */
HERD_API int herd_store_put(struct herd_store *store, const struct herd_record *record, enum herd_put *ret_verdict,
                            uint32_t *ret_slot);

/* The record of an id, perhaps a tombstone. Spans are borrowed until the next call on the store. False: not known, or no
 * memory. */
HERD_API bool herd_store_get(struct herd_store *store, struct herd_span id, struct herd_record *ret_record);

/* The record in a slot, borrowed as above. False: the slot is empty, or no memory. */
HERD_API bool herd_store_get_slot(struct herd_store *store, uint32_t slot, struct herd_record *ret_record);

/* Appends the AT line of a slot, of a tombstone its GONE line, LF included. HERD_E_NOMEM, HERD_E_NOTFOUND (empty slot). */
HERD_API int herd_store_format(struct herd_store *store, uint32_t slot, struct herd_buf *out);

/* Forgets the record in a slot; an empty slot is left alone. */
HERD_API void herd_store_remove(struct herd_store *store, uint32_t slot);

/* How many records there are, how many of them are tombstones, and how many slots were ever used. */
HERD_API size_t herd_store_count(const struct herd_store *store);
HERD_API size_t herd_store_tombstones(const struct herd_store *store);
HERD_API uint32_t herd_store_slots(const struct herd_store *store);
/* Memory of records: 64 bytes for each slot ever used, and bodies that do not fit into them. */
HERD_API uint64_t herd_store_bytes(const struct herd_store *store);

/* The sum of the hashes of all records, modulo 2^64: equal stores have equal digests. */
HERD_API uint64_t herd_store_digest(const struct herd_store *store);

#ifdef __cplusplus
}
#endif
#endif
