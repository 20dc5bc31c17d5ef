/* SPDX-License-Identifier: MIT */
/*
 * What a move does to fences: those in the lists of the cells where it began and ended are compared with both ends, and
 * with the line between them those that tell of crossings. Where a client is follows from its positions alone, so that
 * nothing is kept for each client and fence, except for fences with a margin or a dwell: these remember who is in, and
 * who is in but not told of yet.
 */
#include "../base/saturate.h"
#include "finds.h"

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
    int err = herd_finds_add(move->area, number, kind, HERD_NO_SLOT, 0);
    if (err < 0)
        move->err = err;
}

/* A client goes into a fence that it has to dwell in. */
static void begin_dwell(struct move *move, uint32_t number, uint64_t member)
{
    struct herd_area *area = move->area;
    const struct herd_dwell dwell = {
        herd_add_saturated(area->node->now.steady_ns, area->fences.all[number]->dwell_ns), member, number};
    int err = herd_dwells_add(&area->dwells, &dwell);
    if (err < 0)
        move->err = err;
}

/* What a fence that remembers makes of a move: false where nothing is to be told. */
static bool judge_remembered(struct move *move, uint32_t number, bool *io_was, bool *io_is)
{
    struct herd_area *area = move->area;
    const struct herd_fence *fence = area->fences.all[number];
    const uint64_t member = herd_member(fence->serial, move->slot);
    const bool waits = fence->dwell_ns > 0 && herd_dwells_has(&area->dwells, member);
    /* Who was inside before the fence was there, or before this process, counts as told of. */
    *io_was = (*io_was && !waits) || (move->from && herd_members_has(&area->members, member));
    *io_is =
        *io_is || ((*io_was || waits) && fence->margin_m > 0 && move->to && herd_box_has(&fence->box, *move->to) &&
                   herd_shape_is_near(fence->shape, *move->to, fence->margin_m));
    move->steps += fence->steps;
    if (!*io_was && fence->dwell_ns > 0) {
        if (*io_is && !waits)
            begin_dwell(move, number, member);
        else if (!*io_is)
            herd_dwells_remove(&area->dwells, member);
        return !*io_is && !waits;
    }
    if (*io_is && herd_members_add(&area->members, member) < 0)
        move->err = HERD_E_NOMEM;
    if (!*io_is)
        herd_members_remove(&area->members, member);
    return true;
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
    if (herd_fence_remembers(fence)) {
        if (!judge_remembered(move, number, &was, &is))
            return;
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

int herd_fences_dwelt(struct herd_area *area, const struct herd_dwell *dwell)
{
    struct move move = {.area = area, .slot = (uint32_t)dwell->member};
    herd_finds_begin(area, move.slot);
    /* Where it is not noted, its next position says that it is in. */
    (void)herd_members_add(&area->members, dwell->member);
    add_find(&move, dwell->fence, HERD_FENCE_ENTER);
    return move.err;
}
