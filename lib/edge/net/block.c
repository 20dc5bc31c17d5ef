/* SPDX-License-Identifier: MIT */
/* Bytes that many transports send. */
#include "transport.h"

#include <stdlib.h>
#include <string.h>

struct herd_block *herd_block_new(struct herd_span bytes)
{
    struct herd_block *block = malloc(sizeof *block + bytes.len);
    if (!block)
        return NULL;
    block->holders = 1;
    block->len = bytes.len;
    if (bytes.len > 0)
        memcpy(block->bytes, bytes.at, bytes.len);
    return block;
}

void herd_block_release(struct herd_block *block)
{
    if (block && --block->holders == 0)
        free(block);
}
