/* SPDX-License-Identifier: MIT */
/* The fences of an area: set up, found, removed. */
#include "area_impl.h"

#include <herd/protocol.h>

#define NS_PER_MS INT64_C(1000000)
#define KINDS     (HERD_FENCE_ENTER | HERD_FENCE_LEAVE | HERD_FENCE_INSIDE | HERD_FENCE_CROSS)

/* Of a fence that is no more. */
static void forget_clients(struct herd_area *area, uint32_t serial)
{
    herd_members_forget(&area->members, serial);
    herd_dwells_forget(&area->dwells, serial);
}

int herd_area_fence_set(struct herd_area *area, struct herd_span name, struct herd_shape *shape,
                        const struct herd_fence_options *options)
{
    const bool is_proximity = shape->kind == HERD_SHAPE_PROXIMITY;
    if (!herd_name_valid(name) || options->kinds & ~(unsigned)KINDS || shape->kind == HERD_SHAPE_BOX)
        return HERD_E_ARG;
    if (is_proximity && (options->kinds & HERD_FENCE_CROSS || options->dwell_ms != 0))
        return HERD_E_ARG;
    if (!(options->margin_m >= 0 && options->margin_m <= HERD_FENCE_MARGIN_MAX_M) || options->dwell_ms < 0 ||
        options->dwell_ms > HERD_FENCE_DWELL_MAX_MS)
        return HERD_E_RANGE;
    uint32_t old = herd_fences_find(&area->fences, name);
    bool remembers = old != HERD_FENCE_NONE && herd_fence_remembers(area->fences.all[old]);
    uint32_t serial = remembers ? area->fences.all[old]->serial : 0;
    int err = herd_fences_set(&area->fences, name, shape, options);
    if (err >= 0 && remembers)
        forget_clients(area, serial);
    if (err >= 0 && is_proximity && area->grid.count > 0)
        area->fences.all[herd_fences_find(&area->fences, name)]->proximity->loading = true;
    return err;
}

int herd_area_fence_remove(struct herd_area *area, struct herd_span name)
{
    uint32_t number = herd_fences_find(&area->fences, name);
    if (number == HERD_FENCE_NONE)
        return HERD_E_NOTFOUND;
    if (herd_fence_remembers(area->fences.all[number]))
        forget_clients(area, area->fences.all[number]->serial);
    herd_fences_remove(&area->fences, number);
    return 0;
}

size_t herd_area_fence_count(const struct herd_area *area)
{
    return area->fences.count;
}

const struct herd_shape *herd_area_fence_shape(const struct herd_area *area, struct herd_span name)
{
    uint32_t number = herd_fences_find(&area->fences, name);
    return number == HERD_FENCE_NONE ? NULL : area->fences.all[number]->shape;
}

int herd_area_fence_options(const struct herd_area *area, struct herd_span name,
                            struct herd_fence_options *ret_options)
{
    uint32_t number = herd_fences_find(&area->fences, name);
    if (number == HERD_FENCE_NONE)
        return HERD_E_NOTFOUND;
    const struct herd_fence *fence = area->fences.all[number];
    *ret_options = (struct herd_fence_options){fence->kinds, fence->margin_m, fence->dwell_ns / NS_PER_MS};
    return 0;
}

bool herd_area_fence_next(const struct herd_area *area, size_t *io_at, struct herd_span *ret_name)
{
    while (*io_at < area->fences.used) {
        const struct herd_fence *fence = area->fences.all[(*io_at)++];
        if (!fence)
            continue;
        *ret_name = (struct herd_span){fence->name, fence->name_len};
        return true;
    }
    return false;
}
