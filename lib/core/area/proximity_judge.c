/* SPDX-License-Identifier: MIT */
/* What a move does to proximities: fences about two clients that are near each other. */
#include "finds.h"

#define RECORD_STEPS 2

struct found {
    struct herd_area *area;
    uint32_t fence;
    int err;
};

static void on_found(void *ctx, enum herd_fence_kind kind, uint32_t other, double distance_m)
{
    struct found *found = ctx;
    const int err = herd_finds_add(found->area, found->fence, kind, other, distance_m);
    if (err < 0)
        found->err = err;
}

/* Counts what a move came to. */
static void note(struct herd_area *area, const struct herd_proximity_result *result, struct found *found,
                 size_t *io_steps)
{
    *io_steps -= result->steps < *io_steps ? result->steps : *io_steps;
    area->pairs_missed += result->missed;
    if (result->err < 0)
        found->err = result->err;
}

static void judge(struct herd_area *area, struct found *found, uint32_t slot, const struct herd_e7 *from,
                  const struct herd_e7 *to, bool quiet, size_t *io_steps)
{
    struct herd_proximity *proximity = area->fences.all[found->fence]->proximity;
    const struct herd_proximity_client *client = herd_proximity_client(proximity, slot);
    struct herd_proximity_result result;
    if (!to) {
        herd_proximity_remove(proximity, slot, on_found, found);
        return;
    }
    const struct herd_span id = herd_packed_record_id(herd_store_packed(area->node->store, slot));
    const unsigned groups = client ? client->groups : herd_proximity_groups(proximity, id);
    *io_steps -= *io_steps > 0;
    if (!groups)
        return;
    if (!client && from && proximity->loading) { /* it was there before the fence */
        result = herd_proximity_move(proximity, slot, groups, *from, NULL, NULL);
        note(area, &result, found, io_steps);
    }
    result = herd_proximity_move(proximity, slot, groups, *to, quiet ? NULL : on_found, found);
    note(area, &result, found, io_steps);
}

int herd_proximities_judge(struct herd_area *area, uint32_t slot, const struct herd_e7 *from,
                           const struct herd_e7 *to, bool quiet, size_t *io_steps)
{
    struct found found = {.area = area};
    for (uint32_t i = 0; i < area->fences.proximity_count; i++) {
        found.fence = area->fences.proximities[i];
        judge(area, &found, slot, from, to, quiet, io_steps);
    }
    return found.err;
}

/* Takes in a client that was there before the fence. HERD_E_NOMEM. */
static int load_slot(struct herd_area *area, struct herd_proximity *proximity, uint32_t slot, size_t *io_steps)
{
    struct found found = {.area = area};
    const struct herd_grid_point *point = herd_grid_point(&area->grid, slot);
    if (!point || herd_proximity_client(proximity, slot))
        return 0;
    *io_steps -= *io_steps < RECORD_STEPS ? *io_steps : RECORD_STEPS;
    const struct herd_span id = herd_packed_record_id(herd_store_packed(area->node->store, slot));
    const unsigned groups = herd_proximity_groups(proximity, id);
    if (!groups)
        return 0;
    const struct herd_proximity_result result =
        herd_proximity_move(proximity, slot, groups, herd_grid_position(point), NULL, NULL);
    note(area, &result, &found, io_steps);
    if (found.err < 0) /* as if it were still to come */
        herd_proximity_remove(proximity, slot, NULL, NULL);
    return found.err;
}

bool herd_proximities_load(struct herd_area *area, size_t *io_steps)
{
    const uint32_t slots = herd_store_slots(area->node->store);
    for (uint32_t i = 0; i < area->fences.proximity_count; i++) {
        struct herd_proximity *proximity = area->fences.all[area->fences.proximities[i]]->proximity;
        for (; proximity->loading && proximity->load_at < slots; proximity->load_at++) {
            if (*io_steps == 0)
                return true;
            *io_steps -= proximity->load_at % 8 == 0;
            if (load_slot(area, proximity, proximity->load_at, io_steps) < 0)
                return false; /* memory is short: another time */
        }
        proximity->loading = false;
    }
    return false;
}
