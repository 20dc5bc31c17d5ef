/* SPDX-License-Identifier: MIT */
/* Additive digests over prefixes of the hash of an id. */
#include "digest.h"

#include <stdlib.h>
#include <string.h>

int herd_digest_init(struct herd_digest *digest, unsigned bits)
{
    size_t count = (size_t)1 << bits;
    *digest = (struct herd_digest){.bits = bits};
    digest->leaves = calloc(count, sizeof *digest->leaves);
    digest->heads = malloc(count * sizeof *digest->heads);
    if (!digest->leaves || !digest->heads) {
        herd_digest_fini(digest);
        return HERD_E_NOMEM;
    }
    memset(digest->heads, 0xff, count * sizeof *digest->heads); /* HERD_NO_SLOT */
    return 0;
}

void herd_digest_fini(struct herd_digest *digest)
{
    free(digest->leaves);
    free(digest->heads);
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
