/* SPDX-License-Identifier: MIT */
/*
 * Fences, and in which cells each may matter.
 *
 *     level 0   cells of 0.05 degrees: those of the grid
 *     level 1   cells of 0.8 degrees
 *     level 2   one cell, the earth
 *
 * A fence is in the lists of the cells that its box touches, on the finest level where these are few; a position is compared
 * with the lists of its three cells. What these lists may cost is bounded where fences are set up.
 */
#ifndef HERD_CORE_FENCES_H
#define HERD_CORE_FENCES_H

#include "../store/index.h"
#include "cells.h"
#include "shape.h"

#include <herd/area.h>

#define HERD_FENCE_LEVELS         3
#define HERD_FENCE_CELLS_MAX      256
#define HERD_FENCE_LIST_STEPS_MAX 16384
#define HERD_FENCE_NODES_MAX      (1u << 24)
#define HERD_FENCE_NONE           UINT32_MAX

struct herd_fence_cells {
    unsigned level;
    uint32_t row, rows, column, columns; /* columns wrap */
};

struct herd_fence {
    struct herd_shape *shape;
    struct herd_box box; /* with the margin */
    double margin_m;
    struct herd_fence_cells cells;
    unsigned kinds;
    uint32_t serial; /* never used again */
    uint32_t steps;
    uint32_t first_node;
    uint64_t judged; /* the update that it was last compared with */
    size_t name_len;
    char name[];
};

/* A fence in the list of a cell. */
struct herd_fence_node {
    uint32_t fence, list;
    uint32_t prev, next; /* in the list */
    uint32_t of_fence;   /* the next node of the same fence */
};

struct herd_fence_list {
    uint32_t first; /* of free lists: the next one */
    uint32_t steps;
    uint32_t cell;
};

struct herd_fences {
    uint64_t key[2];
    struct herd_fence **all; /* by number; NULL: free */
    uint32_t used, cap;      /* numbers ever used */
    uint32_t hole;           /* below it all numbers are in use */
    uint32_t count, crossing_count;
    uint32_t level_count[HERD_FENCE_LEVELS];
    uint32_t serial;
    struct herd_index names;
    struct herd_cells cells; /* to numbers of lists */
    struct herd_fence_list *lists;
    uint32_t lists_used, lists_cap, lists_free;
    struct herd_fence_node *nodes;
    uint32_t nodes_used, nodes_cap, nodes_free;
};

void herd_fences_init(struct herd_fences *fences, const uint64_t key[2]);
void herd_fences_fini(struct herd_fences *fences);

/* HERD_FENCE_NONE: there is none. */
uint32_t herd_fences_find(const struct herd_fences *fences, struct herd_span name);
/* As herd_area_fence_set, of arguments that are in range. */
int herd_fences_set(struct herd_fences *fences, struct herd_span name, struct herd_shape *shape,
                    const struct herd_fence_options *options);
void herd_fences_remove(struct herd_fences *fences, uint32_t number);

/* The number of a cell, as `cells` has it; columns wrap. And that of the cell of a position. */
uint32_t herd_fence_cell_number(unsigned level, uint32_t row, uint32_t column);
uint32_t herd_fence_cell(unsigned level, struct herd_e7 position);
/* The cells of a level that a box touches. */
struct herd_fence_cells herd_fence_cells_of(const struct herd_box *box, unsigned level);
/* The first node of a cell's list, or HERD_FENCE_NONE. */
static inline uint32_t herd_fences_first(const struct herd_fences *fences, uint32_t cell)
{
    uint32_t list = herd_cells_find(&fences->cells, herd_cells_hash(&fences->cells, cell), cell);
    return list == HERD_CELLS_NONE ? HERD_FENCE_NONE : fences->lists[list].first;
}

#endif
