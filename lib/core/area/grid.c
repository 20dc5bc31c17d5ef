/* SPDX-License-Identifier: MIT */
/* Points in lists, one a cell. */
#include "grid.h"

#include <stdlib.h>

void herd_grid_init(struct herd_grid *grid, const uint64_t key[2])
{
    *grid = (struct herd_grid){.count = 0};
    herd_cells_init(&grid->cells, key);
    herd_list_init(&grid->walks);
}

void herd_grid_fini(struct herd_grid *grid)
{
    for (size_t i = 0; i < grid->chunk_count; i++)
        free(grid->chunks[i]);
    free(grid->chunks);
    grid->chunks = NULL;
    grid->chunk_count = 0;
    herd_cells_fini(&grid->cells);
}

size_t herd_grid_bytes(const struct herd_grid *grid)
{
    return grid->cells.bytes + grid->chunks_used * sizeof(struct herd_grid_chunk) +
           grid->chunk_count * sizeof(struct herd_grid_chunk *);
}

static struct herd_grid_point *point_of(const struct herd_grid *grid, uint32_t slot)
{
    return &grid->chunks[slot / HERD_GRID_CHUNK]->points[slot % HERD_GRID_CHUNK];
}

static int reserve_chunk(struct herd_grid *grid, uint32_t slot)
{
    size_t chunk = slot / HERD_GRID_CHUNK;
    if (chunk >= grid->chunk_count) {
        size_t count = chunk + 1 + chunk / 2;
        struct herd_grid_chunk **chunks = realloc(grid->chunks, count * sizeof *chunks);
        if (!chunks)
            return HERD_E_NOMEM;
        for (size_t i = grid->chunk_count; i < count; i++)
            chunks[i] = NULL;
        grid->chunks = chunks;
        grid->chunk_count = count;
    }
    if (grid->chunks[chunk])
        return 0;
    struct herd_grid_chunk *points = malloc(sizeof *points);
    if (!points)
        return HERD_E_NOMEM;
    points->used = 0;
    for (size_t i = 0; i < HERD_GRID_CHUNK; i++)
        points->points[i] = (struct herd_grid_point){.lat2 = HERD_GRID_ABSENT};
    grid->chunks[chunk] = points;
    grid->chunks_used++;
    return 0;
}

static void free_empty_chunk(struct herd_grid *grid, uint32_t slot)
{
    struct herd_grid_chunk **chunk = &grid->chunks[slot / HERD_GRID_CHUNK];
    if ((*chunk)->used > 0)
        return;
    free(*chunk);
    *chunk = NULL;
    grid->chunks_used--;
}

/* Takes the point of a slot, as it was, out of the list of the cell where it was. */
static void unlink_point(struct herd_grid *grid, uint32_t slot, const struct herd_grid_point *point)
{
    for (struct herd_list *link = grid->walks.next; link != &grid->walks; link = link->next) {
        struct herd_grid_walk *walk = HERD_CONTAINER_OF(link, struct herd_grid_walk, link);
        for (size_t i = 0; i < HERD_GRID_LANES; i++)
            if (walk->at[i] == slot)
                walk->at[i] = point->next;
    }
    if (point->next != HERD_GRID_NONE)
        point_of(grid, point->next)->prev = point->prev;
    if (point->prev != HERD_GRID_NONE) {
        point_of(grid, point->prev)->next = point->next;
        return;
    }
    uint32_t cell = herd_grid_cell(herd_grid_position(point));
    uint64_t hash = herd_cells_hash(&grid->cells, cell);
    if (point->next != HERD_GRID_NONE)
        herd_cells_set(&grid->cells, hash, cell, point->next);
    else
        herd_cells_remove(&grid->cells, hash, cell);
}

int herd_grid_put(struct herd_grid *grid, uint32_t slot, struct herd_e7 position, bool exact)
{
    int err = reserve_chunk(grid, slot);
    if (err < 0)
        return err;
    grid->changes++;
    struct herd_grid_point *point = point_of(grid, slot);
    bool had = point->lat2 != HERD_GRID_ABSENT;
    uint32_t cell = herd_grid_cell(position);
    if (had && herd_grid_cell(herd_grid_position(point)) == cell) {
        point->lat2 = position.lat * 2 + !exact;
        point->lon = position.lon;
        return 0;
    }
    /* Its old neighbours, while the new cell is looked for. */
    if (had && point->next != HERD_GRID_NONE)
        __builtin_prefetch(point_of(grid, point->next), 1);
    if (had && point->prev != HERD_GRID_NONE)
        __builtin_prefetch(point_of(grid, point->prev), 1);
    uint64_t hash = herd_cells_hash(&grid->cells, cell);
    uint32_t first = herd_cells_find(&grid->cells, hash, cell);
    if (first == HERD_CELLS_NONE) {
        err = herd_cells_reserve(&grid->cells, hash);
        if (err < 0) {
            free_empty_chunk(grid, slot);
            return err;
        }
    }
    const struct herd_grid_point was = *point;
    *point = (struct herd_grid_point){position.lat * 2 + !exact, position.lon, first, HERD_GRID_NONE};
    if (first != HERD_GRID_NONE)
        point_of(grid, first)->prev = slot;
    herd_cells_set(&grid->cells, hash, cell, slot);
    /* The old cell comes last: removing it may give back the room that was reserved. */
    if (had) {
        unlink_point(grid, slot, &was);
        return 0;
    }
    grid->chunks[slot / HERD_GRID_CHUNK]->used++;
    grid->count++;
    return 0;
}

void herd_grid_remove(struct herd_grid *grid, uint32_t slot)
{
    if (!herd_grid_point(grid, slot))
        return;
    struct herd_grid_point *point = point_of(grid, slot);
    grid->changes++;
    unlink_point(grid, slot, point);
    point->lat2 = HERD_GRID_ABSENT;
    grid->chunks[slot / HERD_GRID_CHUNK]->used--;
    grid->count--;
    free_empty_chunk(grid, slot);
}
