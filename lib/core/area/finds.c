/* SPDX-License-Identifier: MIT */
/* A list of what was found of one client. */
#include "finds.h"

#include "../base/array.h"

void herd_finds_begin(struct herd_area *area, uint32_t slot)
{
    area->slot = slot;
    area->find_count = area->find_next = 0;
}

int herd_finds_add(struct herd_area *area, uint32_t number, enum herd_fence_kind kind, uint32_t other,
                   double distance_m)
{
    const struct herd_fence *fence = area->fences.all[number];
    if (!(fence->kinds & kind))
        return 0;
    struct herd_fence_find *finds =
        herd_array_reserve(area->finds, &area->find_cap, area->find_count + 1, sizeof *finds);
    if (!finds)
        return HERD_E_NOMEM;
    area->finds = finds;
    area->finds[area->find_count++] = (struct herd_fence_find){number, fence->serial, other, kind, distance_m};
    return 0;
}

void herd_finds_forget(struct herd_area *area, uint32_t other)
{
    for (size_t i = area->find_next; i < area->find_count; i++)
        if (area->finds[i].other == other)
            area->finds[i].fence = HERD_FENCE_NONE;
}
