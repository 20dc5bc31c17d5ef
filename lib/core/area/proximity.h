/* SPDX-License-Identifier: MIT */
/*
 * Pairs of clients that are near each other, of one fence.
 *
 * Clients of its groups are in a hashed grid of cubes in space, which has neither poles nor a date line: a cube is twice
 * as wide as the distance is long, so that what is near lies in eight of them. Distances are compared as chords. Which
 * pairs have been told of is remembered, so that each that came near parts once, and jitter within the margin is quiet.
 */
#ifndef HERD_CORE_PROXIMITY_H
#define HERD_CORE_PROXIMITY_H

#include "cells.h"
#include "grid.h"
#include "shape.h"

#include <herd/area.h>

#define HERD_PROXIMITY_NONE UINT32_MAX
/* Clients that one move is compared with: about 20 us. */
#define HERD_PROXIMITY_LOOKS_MAX 2048
/* Slots of a piece of memory: few, for a group may be scattered among all clients. */
#define HERD_PROXIMITY_CHUNK 64

/* The groups of a client; values are bits. */
enum herd_proximity_group { HERD_PROXIMITY_WHO = 1, HERD_PROXIMITY_NEAR = 2 };

struct herd_proximity_client {
    double at[3];        /* metres from the middle of the earth */
    uint64_t turn;       /* the move that it was last found to be in a pair in */
    uint32_t next, prev; /* of its list, slots */
    uint32_t cell;       /* the list */
    uint32_t first_pair, pair_count;
    uint8_t groups; /* 0: there is no client */
    bool listed;
};

struct herd_proximity_chunk {
    uint32_t used;
    struct herd_proximity_client clients[HERD_PROXIMITY_CHUNK];
};

/* In the lists of both of its clients. Of free ones, next[0] is the next. */
struct herd_proximity_pair {
    uint32_t slot[2], next[2], prev[2];
};

struct herd_proximity {
    const struct herd_shape *shape;       /* borrowed */
    double near2, far2;                   /* squares of chords: what comes nearer, what is apart again */
    double reach, width;                  /* a chord, and the width of cubes */
    struct herd_cells cells;              /* to the first client of each list */
    struct herd_proximity_chunk **chunks; /* by slot */
    size_t chunk_count, client_count;
    size_t group_counts[4];
    struct herd_proximity_pair *pairs;
    uint32_t pairs_used, pairs_cap, pairs_free, pair_count;
    uint64_t turn;
    bool loading; /* clients that were there before it, from load_at on, are still to come */
    uint32_t load_at;
};

/* HERD_E_NOMEM. */
int herd_proximity_new(struct herd_proximity **ret_proximity, const struct herd_shape *shape, double margin_m,
                       const uint64_t key[2]);
/* NULL is fine. */
void herd_proximity_free(struct herd_proximity *proximity);

/* Of enum herd_proximity_group, which of them an id is in. */
unsigned herd_proximity_groups(const struct herd_proximity *proximity, struct herd_span id);
/* NULL: there is none in this slot. */
struct herd_proximity_client *herd_proximity_client(const struct herd_proximity *proximity, uint32_t slot);

/* What came of a move. */
struct herd_proximity_result {
    size_t steps;
    bool missed; /* there were too many to look at, or to remember */
    int err;     /* HERD_E_NOMEM: some was not noted; the next move of the client tries again */
};

/* Told of each other client: ENTER, INSIDE or LEAVE. */
typedef void herd_proximity_fn(void *ctx, enum herd_fence_kind kind, uint32_t other, double distance_m);

/* The client of a slot, of these groups (some), is at a position now; what it parts from is told first. */
struct herd_proximity_result herd_proximity_move(struct herd_proximity *proximity, uint32_t slot, unsigned groups,
                                                 struct herd_e7 position, herd_proximity_fn *on_found, void *ctx);
/* It is nowhere any more, and parts from all. Fine for one that is not there. */
void herd_proximity_remove(struct herd_proximity *proximity, uint32_t slot, herd_proximity_fn *on_found, void *ctx);

#endif
