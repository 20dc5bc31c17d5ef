/* SPDX-License-Identifier: MIT */
/*
 * Fences, and in which cells each may matter.
 *
 *     level 0   cells of 0.05 degrees: those of the grid
 *     level 1   cells of 0.8 degrees
 *     level 2   one cell, the earth
 *
 * A fence is in the lists of the cells that its box touches, on the finest level where these are few; a position is compared
 * with the lists of its three cells. What these lists may cost is bounded where fences are set up. A proximity is in no
 * cell: it has a grid of its own.
 */
#ifndef HERD_CORE_FENCES_H
#define HERD_CORE_FENCES_H

#include "../store/index.h"
#include "cells.h"
#include "grid.h"
#include "proximity.h"
#include "shape.h"

#include <herd/area.h>

#define HERD_FENCE_LEVELS         3
#define HERD_FENCE_COARSE         16 /* cells of level 0 beside each other in one of level 1 */
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
    struct herd_proximity *proximity; /* NULL: it is an area */
    struct herd_box box;              /* with the margin */
    double margin_m;
    int64_t dwell_ns;
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
    uint32_t level_count[HERD_FENCE_LEVELS + 1];                 /* the last: those that are in no cell */
    uint32_t proximities[HERD_PROXIMITIES_MAX], proximity_count; /* numbers */
    uint32_t serial;
    struct herd_index names;
    struct herd_cells cells; /* to numbers of lists */
    /* Of levels 0 and 1: a bit for each cell that has a list, so that the others cost one look; made with the first
     * fence of the level, 3.2 MB of which only what is looked at is there. */
    uint64_t *marked[2];
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
/* Whether a fence knows more of a client than its position says. */
static inline bool herd_fence_remembers(const struct herd_fence *fence)
{
    return fence->margin_m > 0 || fence->dwell_ns > 0;
}

/* Whether the cell at a row and column of level 0 or 1 has a list. */
static inline bool herd_fences_marked(const struct herd_fences *fences, unsigned level, uint32_t row,
                                      uint32_t column)
{
    const uint32_t bit = row * (level ? HERD_GRID_COLUMNS / HERD_FENCE_COARSE : HERD_GRID_COLUMNS) + column;
    return fences->marked[level] && fences->marked[level][bit / 64] >> bit % 64 & 1;
}

static inline bool herd_fences_are_at(const struct herd_fences *fences, uint32_t row, uint32_t column)
{
    return herd_fences_marked(fences, 0, row, column) ||
           herd_fences_marked(fences, 1, row / HERD_FENCE_COARSE, column / HERD_FENCE_COARSE) ||
           fences->level_count[2] > 0;
}

/* Whether a move has to be compared with any fence; NULL: from nowhere. */
static inline bool herd_fences_matter(const struct herd_fences *fences, const struct herd_e7 *from,
                                      const struct herd_e7 *to)
{
    const uint32_t row = herd_grid_row(to->lat), column = herd_grid_column(to->lon);
    if (herd_fences_are_at(fences, row, column))
        return true;
    if (!from)
        return false;
    const uint32_t old_row = herd_grid_row(from->lat), old_column = herd_grid_column(from->lon);
    return (old_row != row || old_column != column) &&
           (fences->crossing_count > 0 || herd_fences_are_at(fences, old_row, old_column));
}

/* The first node of a cell's list, or HERD_FENCE_NONE. */
static inline uint32_t herd_fences_first(const struct herd_fences *fences, uint32_t cell)
{
    uint32_t list = herd_cells_find(&fences->cells, herd_cells_hash(&fences->cells, cell), cell);
    return list == HERD_CELLS_NONE ? HERD_FENCE_NONE : fences->lists[list].first;
}

#endif
