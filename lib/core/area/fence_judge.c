/* SPDX-License-Identifier: MIT */
/*
 * What a move does to fences: those in the lists of the cells where it began and ended are compared with both ends, and
 * with the line between them those that tell of crossings. Where a client is follows from its positions alone, so that
 * nothing is kept for each client and fence, except for fences with a margin: these remember who is in.
 */
#include "area_impl.h"

#include <stdlib.h>

/* A longer jump is not judged as a crossing: no more than eight cells by eight. */
#define CROSSING_MAX_E7 (3 * HERD_E7_DEGREE / 10)

struct move {
    struct herd_area *area;
    uint32_t slot;
    const struct herd_e7 *from, *to;
    bool crossing; /* between its ends fences are crossed */
    size_t steps;
    int err;
};

static bool is_crossing(const struct herd_area *area, const struct herd_e7 *from, const struct herd_e7 *to)
{
    if (!area->fences.crossing_count || !from || !to)
        return false;
    int64_t dlat = (int64_t)to->lat - from->lat, east = herd_box_offset(from->lon, to->lon);
    return dlat <= CROSSING_MAX_E7 && dlat >= -CROSSING_MAX_E7 &&
           (east <= CROSSING_MAX_E7 || east >= HERD_E7_CIRCLE - CROSSING_MAX_E7);
}

static void add_find(struct move *move, uint32_t number, enum herd_fence_kind kind)
{
    struct herd_area *area = move->area;
    const struct herd_fence *fence = area->fences.all[number];
    if (!(fence->kinds & kind))
        return;
    if (area->find_count == area->find_cap) {
        size_t cap = area->find_cap ? area->find_cap * 2 : 16;
        struct herd_fence_find *finds = realloc(area->finds, cap * sizeof *finds);
        if (!finds) {
            move->err = HERD_E_NOMEM;
            return;
        }
        area->finds = finds;
        area->find_cap = cap;
    }
    area->finds[area->find_count++] = (struct herd_fence_find){number, fence->serial, kind};
}

static bool has(const struct herd_fence *fence, const struct herd_e7 *position)
{
    return position && herd_box_has(&fence->box, *position) && herd_shape_has_e7(fence->shape, *position);
}

static void judge(struct move *move, uint32_t number)
{
    struct herd_area *area = move->area;
    struct herd_fence *fence = area->fences.all[number];
    if (fence->judged == area->judged)
        return;
    fence->judged = area->judged;
    bool was = has(fence, move->from), is = has(fence, move->to);
    move->steps += 1;
    if (fence->margin_m > 0) {
        uint64_t member = herd_member(fence->serial, move->slot);
        was = was || (move->from && herd_members_has(&area->members, member));
        is = is || (was && move->to && herd_box_has(&fence->box, *move->to) &&
                    herd_shape_is_near(fence->shape, *move->to, fence->margin_m));
        move->steps += fence->steps;
        if (is && herd_members_add(&area->members, member) < 0)
            move->err = HERD_E_NOMEM;
        if (!is)
            herd_members_remove(&area->members, member);
    } else if (was || is) {
        move->steps += fence->steps;
    }
    if (is)
        add_find(move, number, was ? HERD_FENCE_INSIDE : HERD_FENCE_ENTER);
    else if (was)
        add_find(move, number, HERD_FENCE_LEAVE);
    else if (move->crossing && fence->kinds & HERD_FENCE_CROSS) {
        move->steps += fence->steps;
        if (herd_shape_is_crossed(fence->shape, *move->from, *move->to))
            add_find(move, number, HERD_FENCE_CROSS);
    }
}

static void judge_cell(struct move *move, uint32_t cell)
{
    const struct herd_fences *fences = &move->area->fences;
    move->steps++;
    for (uint32_t node = herd_fences_first(fences, cell); node != HERD_FENCE_NONE; node = fences->nodes[node].next)
        judge(move, fences->nodes[node].fence);
}

/* The cells of a level between both ends. */
static void judge_between(struct move *move, unsigned level)
{
    const struct herd_box from = {move->from->lat, move->from->lat, move->from->lon, 0};
    const struct herd_box to = {move->to->lat, move->to->lat, move->to->lon, 0};
    const struct herd_box box = herd_box_union(&from, &to);
    struct herd_fence_cells cells = herd_fence_cells_of(&box, level);
    for (uint32_t row = 0; row < cells.rows; row++)
        for (uint32_t column = 0; column < cells.columns; column++)
            judge_cell(move, herd_fence_cell_number(level, cells.row + row, cells.column + column));
}

int herd_fences_judge(struct herd_area *area, uint32_t slot, const struct herd_e7 *from, const struct herd_e7 *to,
                      size_t *io_steps)
{
    struct move move = {area, slot, from, to, is_crossing(area, from, to), 0, 0};
    area->judged++;
    area->slot = slot;
    area->find_count = area->find_next = 0;
    for (unsigned level = 0; level < HERD_FENCE_LEVELS; level++) {
        if (!area->fences.level_count[level])
            continue;
        uint32_t old = from ? herd_fence_cell(level, *from) : 0, new = to ? herd_fence_cell(level, *to) : 0;
        if (to)
            judge_cell(&move, new);
        if (from && (!to || old != new))
            judge_cell(&move, old);
        if (move.crossing && old != new)
            judge_between(&move, level);
    }
    *io_steps -= move.steps < *io_steps ? move.steps : *io_steps;
    return move.err;
}
