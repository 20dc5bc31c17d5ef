/* SPDX-License-Identifier: MIT */
/* Setting up fences and removing them. */
#include "fences.h"

#include <stdlib.h>
#include <string.h>

#define COARSE      HERD_FENCE_COARSE
#define LEVEL_SHIFT 28
#define NS_PER_MS   INT64_C(1000000)

static const struct {
    int64_t cell_e7;
    uint32_t rows, columns;
} levels[HERD_FENCE_LEVELS] = {
    {HERD_GRID_CELL_E7, HERD_GRID_ROWS, HERD_GRID_COLUMNS},
    {HERD_GRID_CELL_E7 * COARSE, HERD_GRID_ROWS / COARSE, HERD_GRID_COLUMNS / COARSE},
    {HERD_E7_CIRCLE, 1, 1},
};

void herd_fences_init(struct herd_fences *fences, const uint64_t key[2])
{
    *fences = (struct herd_fences){.key = {key[0], ~key[1]}};
    herd_cells_init(&fences->cells, fences->key);
    fences->lists_free = fences->nodes_free = HERD_FENCE_NONE;
}

void herd_fences_fini(struct herd_fences *fences)
{
    for (uint32_t i = 0; i < fences->used; i++) {
        if (!fences->all[i])
            continue;
        herd_proximity_free(fences->all[i]->proximity);
        herd_shape_free(fences->all[i]->shape);
        free(fences->all[i]);
    }
    free(fences->all);
    free(fences->lists);
    free(fences->nodes);
    free(fences->marked[0]);
    free(fences->marked[1]);
    herd_index_fini(&fences->names);
    herd_cells_fini(&fences->cells);
    *fences = (struct herd_fences){.used = 0};
}

static uint32_t row_of(unsigned level, int64_t lat_e7)
{
    uint32_t row = (uint32_t)((lat_e7 + HERD_E7_LAT_MAX) / levels[level].cell_e7);
    return row < levels[level].rows ? row : levels[level].rows - 1;
}

uint32_t herd_fence_cell_number(unsigned level, uint32_t row, uint32_t column)
{
    return (uint32_t)level << LEVEL_SHIFT | (row * levels[level].columns + column % levels[level].columns);
}

uint32_t herd_fence_cell(unsigned level, struct herd_e7 position)
{
    /* Divisors that the compiler knows. */
    const uint32_t row = herd_grid_row(position.lat), column = herd_grid_column(position.lon);
    if (level == 0)
        return row * HERD_GRID_COLUMNS + column;
    return level == 1 ? herd_fence_cell_number(1, row / COARSE, column / COARSE) : herd_fence_cell_number(2, 0, 0);
}

struct herd_fence_cells herd_fence_cells_of(const struct herd_box *box, unsigned level)
{
    int64_t west = box->west + HERD_E7_LON_MAX, cell_e7 = levels[level].cell_e7;
    uint32_t row = row_of(level, box->south), column = (uint32_t)(west / cell_e7);
    uint64_t columns = (uint64_t)((west + box->width) / cell_e7) - column + 1;
    return (struct herd_fence_cells){level, row, row_of(level, box->north) - row + 1, column,
                                     columns < levels[level].columns ? (uint32_t)columns : levels[level].columns};
}

static struct herd_fence_cells choose_cells(const struct herd_box *box)
{
    unsigned level = 0;
    struct herd_fence_cells cells = herd_fence_cells_of(box, level);
    while ((uint64_t)cells.rows * cells.columns > HERD_FENCE_CELLS_MAX)
        cells = herd_fence_cells_of(box, ++level);
    return cells;
}

static bool is_name(const void *ctx, uint32_t number, struct herd_span name)
{
    const struct herd_fence *fence = ((const struct herd_fences *)ctx)->all[number];
    return herd_span_equal((struct herd_span){fence->name, fence->name_len}, name);
}

uint32_t herd_fences_find(const struct herd_fences *fences, struct herd_span name)
{
    uint64_t hash = herd_siphash(fences->key, name.at, name.len);
    return herd_index_find(&fences->names, hash, is_name, fences, name);
}

/* Takes an entry of an array that grows by half; its free entries are linked through their first member. */
static int take_entry(void **io_array, size_t size, uint32_t *io_used, uint32_t *io_cap, uint32_t *io_free,
                      uint32_t *ret_entry)
{
    if (*io_free != HERD_FENCE_NONE) {
        *ret_entry = *io_free;
        memcpy(io_free, (char *)*io_array + size * *io_free, sizeof *io_free);
        return 0;
    }
    if (*io_used == *io_cap) {
        uint32_t cap = *io_cap ? *io_cap + *io_cap / 2 : 64;
        void *array = cap < HERD_FENCE_NONE / 2 ? realloc(*io_array, size * cap) : NULL;
        if (!array)
            return HERD_E_NOMEM;
        *io_array = array;
        *io_cap = cap;
    }
    *ret_entry = (*io_used)++;
    return 0;
}

static void give_node(struct herd_fences *fences, uint32_t node)
{
    fences->nodes[node].fence = fences->nodes_free;
    fences->nodes_free = node;
}

static void give_list(struct herd_fences *fences, uint32_t list)
{
    fences->lists[list].first = fences->lists_free;
    fences->lists_free = list;
}

static void mark(struct herd_fences *fences, uint32_t cell, bool has_list)
{
    const uint32_t level = cell >> LEVEL_SHIFT, at = cell & ((1u << LEVEL_SHIFT) - 1);
    const uint64_t bit = UINT64_C(1) << at % 64;
    if (level > 1)
        return;
    if (has_list)
        fences->marked[level][at / 64] |= bit;
    else
        fences->marked[level][at / 64] &= ~bit;
}

static int reserve_marks(struct herd_fences *fences, unsigned level)
{
    if (level > 1 || fences->marked[level])
        return 0;
    const size_t bits = (size_t)levels[level].rows * levels[level].columns;
    fences->marked[level] = calloc((bits + 63) / 64, sizeof *fences->marked[level]);
    return fences->marked[level] ? 0 : HERD_E_NOMEM;
}

/* The list of a cell, made if it has none yet. */
static int list_of(struct herd_fences *fences, uint32_t cell, uint32_t *ret_list)
{
    uint64_t hash = herd_cells_hash(&fences->cells, cell);
    *ret_list = herd_cells_find(&fences->cells, hash, cell);
    if (*ret_list != HERD_CELLS_NONE)
        return 0;
    int err = herd_cells_reserve(&fences->cells, hash);
    void *lists = fences->lists;
    if (err >= 0)
        err = take_entry(&lists, sizeof *fences->lists, &fences->lists_used, &fences->lists_cap,
                         &fences->lists_free, ret_list);
    fences->lists = lists;
    if (err < 0)
        return err;
    fences->lists[*ret_list] = (struct herd_fence_list){HERD_FENCE_NONE, 0, cell};
    herd_cells_set(&fences->cells, hash, cell, *ret_list);
    mark(fences, cell, true);
    return 0;
}

static void free_list_if_empty(struct herd_fences *fences, uint32_t list)
{
    uint32_t cell = fences->lists[list].cell;
    if (fences->lists[list].first != HERD_FENCE_NONE)
        return;
    herd_cells_remove(&fences->cells, herd_cells_hash(&fences->cells, cell), cell);
    mark(fences, cell, false);
    give_list(fences, list);
}

static int link_cell(struct herd_fences *fences, uint32_t number, uint32_t cell)
{
    struct herd_fence *fence = fences->all[number];
    uint32_t list, node;
    int err = list_of(fences, cell, &list);
    if (err < 0)
        return err;
    void *nodes = fences->nodes;
    bool full = fences->nodes_free == HERD_FENCE_NONE && fences->nodes_used >= HERD_FENCE_NODES_MAX;
    if (full || fences->lists[list].steps + fence->steps > HERD_FENCE_LIST_STEPS_MAX)
        err = HERD_E_LIMIT;
    else
        err = take_entry(&nodes, sizeof *fences->nodes, &fences->nodes_used, &fences->nodes_cap,
                         &fences->nodes_free, &node);
    fences->nodes = nodes;
    if (err < 0) {
        free_list_if_empty(fences, list);
        return err;
    }
    struct herd_fence_list *l = &fences->lists[list];
    fences->nodes[node] = (struct herd_fence_node){number, list, HERD_FENCE_NONE, l->first, fence->first_node};
    if (l->first != HERD_FENCE_NONE)
        fences->nodes[l->first].prev = node;
    l->first = node;
    l->steps += fence->steps;
    fence->first_node = node;
    return 0;
}

static void unlink_cells(struct herd_fences *fences, const struct herd_fence *fence)
{
    for (uint32_t node = fence->first_node, next; node != HERD_FENCE_NONE; node = next) {
        const struct herd_fence_node n = fences->nodes[node];
        next = n.of_fence;
        if (n.next != HERD_FENCE_NONE)
            fences->nodes[n.next].prev = n.prev;
        if (n.prev != HERD_FENCE_NONE)
            fences->nodes[n.prev].next = n.next;
        else
            fences->lists[n.list].first = n.next;
        fences->lists[n.list].steps -= fence->steps;
        give_node(fences, node);
        free_list_if_empty(fences, n.list);
    }
}

static void free_number(struct herd_fences *fences, uint32_t number)
{
    struct herd_fence *fence = fences->all[number];
    unlink_cells(fences, fence);
    fences->all[number] = NULL;
    if (number < fences->hole)
        fences->hole = number;
    herd_proximity_free(fence->proximity);
    free(fence);
}

static int take_number(struct herd_fences *fences, uint32_t *ret_number)
{
    while (fences->hole < fences->used && fences->all[fences->hole])
        fences->hole++;
    if (fences->hole < fences->used) {
        *ret_number = fences->hole++;
        return 0;
    }
    if (fences->used == fences->cap) {
        uint32_t cap = fences->cap ? fences->cap + fences->cap / 2 : 64;
        struct herd_fence **all = realloc(fences->all, cap * sizeof(struct herd_fence *));
        if (!all)
            return HERD_E_NOMEM;
        fences->all = all;
        fences->cap = cap;
    }
    *ret_number = fences->used++;
    fences->hole = fences->used;
    return 0;
}

int herd_fences_set(struct herd_fences *fences, struct herd_span name, struct herd_shape *shape,
                    const struct herd_fence_options *options)
{
    uint32_t old = herd_fences_find(fences, name), number;
    if (old == HERD_FENCE_NONE && fences->count >= HERD_FENCES_MAX)
        return HERD_E_LIMIT;
    const bool is_proximity = shape->kind == HERD_SHAPE_PROXIMITY;
    const bool in_place = old != HERD_FENCE_NONE && fences->all[old]->proximity;
    if (is_proximity && fences->proximity_count - in_place >= HERD_PROXIMITIES_MAX)
        return HERD_E_LIMIT;
    uint64_t hash = herd_siphash(fences->key, name.at, name.len);
    size_t steps = options->margin_m > 0 || options->kinds & HERD_FENCE_CROSS ? herd_shape_all_steps(shape)
                                                                              : herd_shape_steps(shape);
    struct herd_fence *fence = calloc(1, sizeof *fence + name.len);
    if (!fence || herd_index_reserve(&fences->names, hash) < 0 || take_number(fences, &number) < 0) {
        free(fence);
        return HERD_E_NOMEM;
    }
    fence->shape = shape;
    fence->margin_m = options->margin_m;
    fence->dwell_ns = options->dwell_ms * NS_PER_MS;
    fence->box = herd_box_grow(&shape->box, options->margin_m);
    fence->cells = is_proximity ? (struct herd_fence_cells){.level = HERD_FENCE_LEVELS} : choose_cells(&fence->box);
    fence->kinds = options->kinds ? options->kinds : HERD_FENCE_ENTER | HERD_FENCE_LEAVE;
    fence->serial = fences->serial++;
    fence->steps = steps > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)steps;
    fence->first_node = HERD_FENCE_NONE;
    fence->name_len = name.len;
    memcpy(fence->name, name.at, name.len);
    fences->all[number] = fence;
    int err = reserve_marks(fences, fence->cells.level);
    if (is_proximity)
        err = herd_proximity_new(&fence->proximity, shape, options->margin_m, fences->key);
    for (uint32_t row = 0; row < fence->cells.rows && err >= 0; row++)
        for (uint32_t column = 0; column < fence->cells.columns && err >= 0; column++)
            err = link_cell(
                fences, number,
                herd_fence_cell_number(fence->cells.level, fence->cells.row + row, fence->cells.column + column));
    if (err < 0) {
        free_number(fences, number);
        return err;
    }
    if (old != HERD_FENCE_NONE)
        herd_fences_remove(fences, old);
    herd_index_insert(&fences->names, hash, number);
    fences->count++;
    fences->level_count[fence->cells.level]++;
    fences->crossing_count += (fence->kinds & HERD_FENCE_CROSS) != 0;
    if (is_proximity)
        fences->proximities[fences->proximity_count++] = number;
    return 0;
}

void herd_fences_remove(struct herd_fences *fences, uint32_t number)
{
    struct herd_fence *fence = fences->all[number];
    herd_index_remove(&fences->names, herd_siphash(fences->key, fence->name, fence->name_len), number);
    fences->count--;
    fences->level_count[fence->cells.level]--;
    fences->crossing_count -= (fence->kinds & HERD_FENCE_CROSS) != 0;
    for (uint32_t i = 0; i < fences->proximity_count; i++)
        if (fences->proximities[i] == number)
            fences->proximities[i] = fences->proximities[--fences->proximity_count];
    herd_shape_free(fence->shape);
    free_number(fences, number);
}
