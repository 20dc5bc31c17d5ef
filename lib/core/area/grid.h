/* SPDX-License-Identifier: MIT */
/*
 * Where everything is: a hashed grid of cells of 0.05 degrees; the points of a cell are a list through their slots.
 *
 *     row 0 at the south pole .. 3599; column 0 at 180 degrees west, eastward, round the earth
 *
 * A point takes 16 bytes; which cell it is in follows from its position.
 */
#ifndef HERD_CORE_GRID_H
#define HERD_CORE_GRID_H

#include "../base/list.h"
#include "cells.h"
#include "e7.h"

#define HERD_GRID_CELL_E7 500000
#define HERD_GRID_ROWS    3600
#define HERD_GRID_COLUMNS 7200
#define HERD_GRID_NONE    UINT32_MAX
#define HERD_GRID_CHUNK   8192

struct herd_grid_point {
    int32_t lat2; /* twice the latitude, plus one if the text says more than the digits kept; HERD_GRID_ABSENT */
    int32_t lon;
    uint32_t next, prev; /* of the cell; HERD_GRID_NONE */
};
#define HERD_GRID_ABSENT INT32_MIN

struct herd_grid_chunk {
    struct herd_grid_point points[HERD_GRID_CHUNK]; /* first, so that none lies in two cache lines */
    uint32_t used;
};

struct herd_grid {
    struct herd_cells cells; /* to the first point of each */
    struct herd_grid_chunk **chunks;
    size_t chunk_count; /* entries of `chunks`, some perhaps NULL */
    size_t count, chunks_used;
    uint64_t changes; /* points put and removed so far */
    struct herd_list walks;
};

/* Lists that are walked with pauses: points that leave a cell do so in front of the walk. */
#define HERD_GRID_LANES 8
struct herd_grid_walk {
    struct herd_list link; /* in grid->walks */
    uint32_t at[HERD_GRID_LANES];
};

void herd_grid_init(struct herd_grid *grid, const uint64_t key[2]);
void herd_grid_fini(struct herd_grid *grid);

/* The point of `slot` is at `position` from now on. HERD_E_NOMEM: unchanged. */
int herd_grid_put(struct herd_grid *grid, uint32_t slot, struct herd_e7 position, bool exact);
/* Fine for a slot that has no point. */
void herd_grid_remove(struct herd_grid *grid, uint32_t slot);
size_t herd_grid_bytes(const struct herd_grid *grid);

/* Whether the point of the slot has a place in memory. */
static inline bool herd_grid_has_room(const struct herd_grid *grid, uint32_t slot)
{
    return slot / HERD_GRID_CHUNK < grid->chunk_count && grid->chunks[slot / HERD_GRID_CHUNK];
}

/* The point of a slot that has room. */
static inline const struct herd_grid_point *herd_grid_point_at(const struct herd_grid *grid, uint32_t slot)
{
    return &grid->chunks[slot / HERD_GRID_CHUNK]->points[slot % HERD_GRID_CHUNK];
}

/* NULL: the slot has none. */
static inline const struct herd_grid_point *herd_grid_point(const struct herd_grid *grid, uint32_t slot)
{
    if (!herd_grid_has_room(grid, slot))
        return NULL;
    const struct herd_grid_point *point = herd_grid_point_at(grid, slot);
    return point->lat2 == HERD_GRID_ABSENT ? NULL : point;
}

static inline bool herd_grid_exact(const struct herd_grid_point *point)
{
    return !(point->lat2 & 1);
}

static inline struct herd_e7 herd_grid_position(const struct herd_grid_point *point)
{
    return (struct herd_e7){(point->lat2 - (point->lat2 & 1)) / 2, point->lon};
}

static inline uint32_t herd_grid_row(int64_t lat_e7)
{
    int64_t row = (lat_e7 + HERD_E7_LAT_MAX) / HERD_GRID_CELL_E7;
    return row < HERD_GRID_ROWS ? (uint32_t)row : HERD_GRID_ROWS - 1;
}

/* 180 degrees east is 180 degrees west. */
static inline uint32_t herd_grid_column(int64_t lon_e7)
{
    return (uint32_t)((lon_e7 + HERD_E7_LON_MAX) / HERD_GRID_CELL_E7) % HERD_GRID_COLUMNS;
}

static inline uint32_t herd_grid_cell(struct herd_e7 position)
{
    return herd_grid_row(position.lat) * HERD_GRID_COLUMNS + herd_grid_column(position.lon);
}

#endif
