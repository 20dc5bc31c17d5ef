/* SPDX-License-Identifier: MIT */
/* Random numbers of a node: jitter, not secrets. */
#ifndef HERD_CORE_RANDOM_H
#define HERD_CORE_RANDOM_H

#include "../base/hash.h"
#include "node_impl.h"

/* A random number below `bound`. */
static inline uint64_t herd_node_random(struct herd_node *node, uint64_t bound)
{
    node->random += HERD_HASH_A;
    return herd_mul_fold(node->random, HERD_HASH_B ^ node->random >> 29) % bound;
}

#endif
