/* SPDX-License-Identifier: MIT */
/* Additive digests over prefixes of the hash of an id. */
#include "digest.h"

#include <stdlib.h>

int herd_digest_init(struct herd_digest *digest)
{
    *digest = (struct herd_digest){.bits = HERD_DIGEST_BITS_FIRST};
    digest->leaves = calloc((size_t)1 << digest->bits, sizeof *digest->leaves);
    return digest->leaves ? 0 : HERD_E_NOMEM;
}

void herd_digest_fini(struct herd_digest *digest)
{
    free(digest->leaves);
    *digest = (struct herd_digest){0};
}

uint64_t herd_digest_sum(const struct herd_digest *digest, uint32_t prefix, unsigned depth)
{
    if (depth == 0)
        return digest->total;
    size_t width = (size_t)1 << (digest->bits - depth);
    const uint64_t *leaf = digest->leaves + (size_t)prefix * width;
    uint64_t sum = 0;
    for (size_t i = 0; i < width; i++)
        sum += leaf[i];
    return sum;
}
