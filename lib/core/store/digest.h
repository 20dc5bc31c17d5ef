/* SPDX-License-Identifier: MIT */
/*
 * What a store holds, in a few numbers that two nodes can compare.
 *
 * The hash of an id chooses a leaf by its top bits; a leaf is the sum, modulo 2^64, of the hashes of the
 * records in it, so that a change costs one subtraction and one addition. Leaves grow sixteenfold as the
 * store fills; inner sums are made when they are asked for.
 */
#ifndef HERD_CORE_DIGEST_H
#define HERD_CORE_DIGEST_H

#include <herd/types.h>

#define HERD_DIGEST_BITS_MAX   16
#define HERD_DIGEST_BITS_FIRST 8

struct herd_digest {
    uint64_t *leaves;
    uint32_t *heads; /* a leaf's first slot, or HERD_NO_SLOT; the store links slots of one leaf */
    unsigned bits;   /* log2 of the number of leaves */
    uint64_t total;
};

/* HERD_E_NOMEM. */
int herd_digest_init(struct herd_digest *digest, unsigned bits);
void herd_digest_fini(struct herd_digest *digest);

/* The sum over all ids whose hash begins with the `depth` bits of `prefix`; depth <= bits. */
uint64_t herd_digest_sum(const struct herd_digest *digest, uint32_t prefix, unsigned depth);

static inline size_t herd_digest_leaf(const struct herd_digest *digest, uint64_t id_hash)
{
    return (size_t)(id_hash >> (64 - digest->bits));
}

static inline void herd_digest_add(struct herd_digest *digest, uint64_t id_hash, uint64_t change)
{
    digest->leaves[herd_digest_leaf(digest, id_hash)] += change;
    digest->total += change;
}

#endif
