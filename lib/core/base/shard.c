/* SPDX-License-Identifier: MIT */
/* Which bucket an id is in, and which herd has a bucket. The definitions are part of the protocol: PROTOCOL.md, 5. */
#include "hash.h"

#include <herd/shard.h>

#define BUCKET_BITS 12

unsigned herd_bucket(struct herd_span id, uint64_t key)
{
    return (unsigned)(herd_hash(key, id.at, id.len) >> (64 - BUCKET_BITS));
}

/* What the weights of a herd have in common. */
static uint64_t seed_of(struct herd_span name)
{
    return herd_hash(0, name.at, name.len);
}

static uint64_t weigh(uint64_t seed, unsigned bucket)
{
    const unsigned char bytes[2] = {(unsigned char)(bucket & 0xff), (unsigned char)(bucket >> 8 & 0xff)};
    return herd_hash(seed, bytes, sizeof bytes);
}

/* Whether herd `a` has a bucket rather than herd `b`. Equal weights need a rule that does not depend on the order. */
static bool wins(uint64_t weight_a, struct herd_span a, uint64_t weight_b, struct herd_span b)
{
    return weight_a != weight_b ? weight_a > weight_b : herd_span_compare(a, b) < 0;
}

size_t herd_shard(unsigned bucket, const struct herd_span *names, size_t count)
{
    size_t best = 0;
    uint64_t best_weight = weigh(seed_of(names[0]), bucket);
    for (size_t i = 1; i < count; i++) {
        uint64_t weight = weigh(seed_of(names[i]), bucket);
        if (!wins(weight, names[i], best_weight, names[best]))
            continue;
        best = i;
        best_weight = weight;
    }
    return best;
}

void herd_shard_table(const struct herd_span *names, size_t count, uint16_t ret_herds[HERD_BUCKETS])
{
    uint64_t weights[HERD_BUCKETS];
    for (size_t i = 0; i < count; i++) {
        const uint64_t seed = seed_of(names[i]);
        for (unsigned bucket = 0; bucket < HERD_BUCKETS; bucket++) {
            uint64_t weight = weigh(seed, bucket);
            if (i > 0 && !wins(weight, names[i], weights[bucket], names[ret_herds[bucket]]))
                continue;
            ret_herds[bucket] = (uint16_t)i;
            weights[bucket] = weight;
        }
    }
}
