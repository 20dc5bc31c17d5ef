/* SPDX-License-Identifier: MIT */
/*
 * Clients spread over several herds. An id belongs to one of 4096 *buckets*, and a bucket to one of the herds: whoever
 * knows the names of the herds, and the key of the buckets, knows which herd has which client. Nothing has to be agreed
 * on, and a herd that is added takes buckets from all others and moves none between them.
 *
 *     const struct herd_span names[] = {herd_span_of("north"), herd_span_of("south")};
 *     unsigned bucket = herd_bucket(herd_span_of("kiwi.example"), 0);
 *     const struct herd_span herd = names[herd_shard(bucket, names, 2)];
 *
 * Both functions are exact: PROTOCOL.md, 4 and 5, says how to compute them elsewhere.
 */
#ifndef HERD_SHARD_H
#define HERD_SHARD_H

#include <herd/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HERD_BUCKETS 4096

/* The bucket of a client, 0 to HERD_BUCKETS - 1: the first 12 bits of the hash of its id under `key`. All herds, and all
 * clients that compute it, use the same key. With a key that is known, 0 above all, who chooses ids can put as many as
 * they like into one bucket. */
HERD_API unsigned herd_bucket(struct herd_span id, uint64_t key);

/* The herd that has bucket `bucket`, as an index into `names`: the one with the highest weight, which is a hash of the name
 * and the bucket (rendezvous hashing). It depends on the set of the names, not on their order; of a name given twice it is
 * the first. `count` is at least 1. Time grows with `count` and the lengths of the names. */
HERD_API size_t herd_shard(unsigned bucket, const struct herd_span *names, size_t count);

/* herd_shard of every bucket; for many names it takes less than one by one. `count` is 1 to 65535. */
HERD_API void herd_shard_table(const struct herd_span *names, size_t count, uint16_t ret_herds[HERD_BUCKETS]);

#ifdef __cplusplus
}
#endif
#endif
