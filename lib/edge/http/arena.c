/* SPDX-License-Identifier: MIT */
/* Memory that lasts as long as a request: pieces that stay where they are. */
#include "http_impl.h"

#include <stdlib.h>

#define PIECE_BYTES 4096

struct herd_http_piece {
    struct herd_http_piece *next;
    size_t used, size;
    char bytes[];
};

char *herd_http_arena_alloc(struct herd_http_arena *arena, size_t len)
{
    struct herd_http_piece *piece = arena->pieces;
    if (!piece || piece->size - piece->used < len) {
        size_t size = len > PIECE_BYTES ? len : PIECE_BYTES;
        piece = malloc(sizeof *piece + size);
        if (!piece)
            return NULL;
        piece->next = arena->pieces;
        piece->used = 0;
        piece->size = size;
        arena->pieces = piece;
    }
    char *at = piece->bytes + piece->used;
    piece->used += len;
    return at;
}

void herd_http_arena_reset(struct herd_http_arena *arena)
{
    struct herd_http_piece *kept = NULL;
    for (struct herd_http_piece *piece = arena->pieces, *next; piece; piece = next) {
        next = piece->next;
        if (!kept && piece->size == PIECE_BYTES)
            kept = piece;
        else
            free(piece);
    }
    if (kept) {
        kept->used = 0;
        kept->next = NULL;
    }
    arena->pieces = kept;
}

void herd_http_arena_fini(struct herd_http_arena *arena)
{
    herd_http_arena_reset(arena);
    free(arena->pieces);
    arena->pieces = NULL;
}
