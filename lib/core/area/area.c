/* SPDX-License-Identifier: MIT */
/* An area follows the changes of its node. */
#include "area_query.h"

#include "../node/expiry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN_MAX_M 100000
/* All slots are looked at for clients that expired in about this time. */
#define SWEEP_NS       INT64_C(10000000000)
#define RECORD_STEPS   4
#define SLOTS_PER_STEP 8
#define KINDS          (HERD_FENCE_ENTER | HERD_FENCE_LEAVE | HERD_FENCE_INSIDE | HERD_FENCE_CROSS)

static struct herd_span id_of(const struct herd_area *area, uint32_t slot)
{
    return herd_packed_record_id(herd_store_packed(area->node->store, slot));
}

/* Puts a LEAVE aside: its client's record is about to be gone. */
static void keep_gone(struct herd_area *area, const struct herd_fence_find *find, struct herd_span id)
{
    struct herd_fence_gone *gone = malloc(sizeof *gone + id.len);
    if (!gone) {
        area->events_lost++;
        return;
    }
    *gone = (struct herd_fence_gone){NULL, find->fence, find->serial, id.len};
    memcpy(gone->id, id.at, id.len);
    *area->gone_last = gone;
    area->gone_last = &gone->next;
}

/* What is found of the slot that events are given out for is not looked at: the removal comes between. */
static void remove_client(struct herd_area *area, uint32_t slot)
{
    const struct herd_grid_point *point = herd_grid_point(&area->grid, slot);
    size_t steps = 0;
    if (!point)
        return;
    struct herd_e7 from = herd_grid_position(point);
    if (area->fences.count > 0) {
        size_t count = area->find_count, next = area->find_next;
        uint32_t of = area->slot;
        struct herd_fence_find *kept = area->finds;
        bool pending = next < count && of != slot;
        if (pending) {
            area->finds = NULL;
            area->find_cap = 0;
        }
        if (herd_fences_judge(area, slot, &from, NULL, &steps) < 0)
            area->events_lost++;
        for (size_t i = 0; i < area->find_count; i++)
            keep_gone(area, &area->finds[i], id_of(area, slot));
        area->find_count = area->find_next = 0;
        if (pending) {
            free(area->finds);
            area->finds = kept;
            area->find_cap = area->find_count = count;
            area->find_next = next;
            area->slot = of;
        }
    }
    herd_grid_remove(&area->grid, slot);
}

/* The node empties a slot. */
static void on_forgotten(struct herd_subscriber *subscriber, uint32_t slot)
{
    remove_client(HERD_CONTAINER_OF(subscriber, struct herd_area, subscriber), slot);
}

int herd_area_open(struct herd_node *node, const uint64_t key[2], struct herd_area **ret_area)
{
    struct herd_area *area = calloc(1, sizeof *area);
    if (!area)
        return HERD_E_NOMEM;
    area->node = node;
    area->gone_last = &area->gone_first;
    area->swept_ns = INT64_MIN;
    area->loading = herd_store_slots(node->store) > 0;
    herd_list_init(&area->queries);
    herd_grid_init(&area->grid, key);
    herd_fences_init(&area->fences, key);
    herd_members_init(&area->members, key);
    int err = herd_changes_subscribe(&node->changes, &area->subscriber);
    if (err < 0) {
        free(area);
        return err;
    }
    area->subscriber.forgotten = on_forgotten;
    herd_subscriber_mark_all_dirty(&node->changes, &area->subscriber, herd_store_slots(node->store));
    *ret_area = area;
    return 0;
}

void herd_area_close(struct herd_area *area)
{
    if (!area)
        return;
    while (!herd_list_empty(&area->queries))
        herd_area_query_free(HERD_CONTAINER_OF(area->queries.next, struct herd_area_query, link));
    herd_changes_unsubscribe(&area->node->changes, &area->subscriber);
    for (struct herd_fence_gone *gone = area->gone_first, *next; gone; gone = next) {
        next = gone->next;
        free(gone);
    }
    free(area->gone_lent);
    free(area->finds);
    herd_grid_fini(&area->grid);
    herd_fences_fini(&area->fences);
    herd_members_fini(&area->members);
    free(area);
}

struct herd_area_stats herd_area_stats(const struct herd_area *area)
{
    return (struct herd_area_stats){area->grid.count, herd_grid_bytes(&area->grid), area->fences.count,
                                    area->events, area->events_lost};
}

/* ---- fences ---- */

int herd_area_fence_set(struct herd_area *area, struct herd_span name, struct herd_shape *shape,
                        const struct herd_fence_options *options)
{
    if (!herd_name_valid(name) || options->kinds & ~(unsigned)KINDS || shape->kind == HERD_SHAPE_BOX)
        return HERD_E_ARG;
    if (!(options->margin_m >= 0 && options->margin_m <= MARGIN_MAX_M))
        return HERD_E_RANGE;
    uint32_t old = herd_fences_find(&area->fences, name);
    bool margin = old != HERD_FENCE_NONE && area->fences.all[old]->margin_m > 0;
    uint32_t serial = margin ? area->fences.all[old]->serial : 0;
    int err = herd_fences_set(&area->fences, name, shape, options);
    if (err >= 0 && margin)
        herd_members_forget(&area->members, serial);
    return err;
}

int herd_area_fence_remove(struct herd_area *area, struct herd_span name)
{
    uint32_t number = herd_fences_find(&area->fences, name);
    if (number == HERD_FENCE_NONE)
        return HERD_E_NOTFOUND;
    if (area->fences.all[number]->margin_m > 0)
        herd_members_forget(&area->members, area->fences.all[number]->serial);
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

/* ---- changes ---- */

static const struct herd_fence *fence_of(const struct herd_area *area, uint32_t number, uint32_t serial)
{
    const struct herd_fence *fence = number < area->fences.used ? area->fences.all[number] : NULL;
    return fence && fence->serial == serial ? fence : NULL;
}

static bool give_gone(struct herd_area *area, struct herd_fence_event *ret_event)
{
    free(area->gone_lent);
    area->gone_lent = NULL;
    while (area->gone_first) {
        struct herd_fence_gone *gone = area->gone_first;
        area->gone_first = gone->next;
        if (!area->gone_first)
            area->gone_last = &area->gone_first;
        const struct herd_fence *fence = fence_of(area, gone->fence, gone->serial);
        if (!fence) {
            free(gone);
            continue;
        }
        area->gone_lent = gone;
        *ret_event = (struct herd_fence_event){.kind = HERD_FENCE_LEAVE, .gone = true};
        ret_event->fence = (struct herd_span){fence->name, fence->name_len};
        ret_event->record.id = (struct herd_span){gone->id, gone->id_len};
        area->events++;
        return true;
    }
    return false;
}

static bool give_find(struct herd_area *area, struct herd_fence_event *ret_event)
{
    while (area->find_next < area->find_count) {
        const struct herd_fence_find *find = &area->finds[area->find_next++];
        const struct herd_fence *fence = fence_of(area, find->fence, find->serial);
        *ret_event = (struct herd_fence_event){.kind = find->kind};
        if (!fence || !herd_store_get_slot(area->node->store, area->slot, &ret_event->record))
            continue;
        ret_event->fence = (struct herd_span){fence->name, fence->name_len};
        area->events++;
        return true;
    }
    return false;
}

/* HERD_E_NOMEM: nothing was taken in. */
static int take_in(struct herd_area *area, uint32_t slot, size_t *io_steps)
{
    struct herd_node *node = area->node;
    struct herd_record record;
    *io_steps -= *io_steps < RECORD_STEPS ? *io_steps : RECORD_STEPS;
    if (!herd_store_get_slot(node->store, slot, &record)) {
        if (!herd_packed_record_empty(herd_store_packed(node->store, slot)))
            return HERD_E_NOMEM;
        return 0;
    }
    if (herd_record_is_tombstone(&record) || herd_expired(node, &record)) {
        remove_client(area, slot);
        return 0;
    }
    struct herd_e7 to;
    bool exact = herd_e7_position(record.position, &to);
    const struct herd_grid_point *point = herd_grid_point(&area->grid, slot);
    struct herd_e7 from = point ? herd_grid_position(point) : to;
    bool known = point != NULL;
    int err = herd_grid_put(&area->grid, slot, to, exact);
    if (err < 0)
        return err;
    if (area->fences.count == 0 || (area->loading && !known))
        return 0;
    if (herd_fences_judge(area, slot, known ? &from : NULL, &to, io_steps) < 0)
        area->events_lost++;
    return 0;
}

/* Looks at some slots for clients that expired: the node keeps them for longer than they are seen. */
static void sweep(struct herd_area *area, size_t *io_steps)
{
    struct herd_node *node = area->node;
    uint32_t slots = herd_store_slots(node->store);
    const int64_t now_ns = node->now.steady_ns;
    int64_t past_ns = area->swept_ns == INT64_MIN ? 0 : now_ns - area->swept_ns;
    if (node->options.expire_ns <= 0 || slots == 0 || area->grid.count == 0)
        return;
    if (past_ns < 0 || past_ns > SWEEP_NS)
        past_ns = SWEEP_NS;
    uint64_t due = (uint64_t)((double)slots * (double)past_ns / SWEEP_NS);
    if (due > 0 || past_ns == 0)
        area->swept_ns = now_ns;
    for (; due > 0 && *io_steps > 0; due--, area->sweep_at++) {
        struct herd_record record;
        if (area->sweep_at >= slots)
            area->sweep_at = 0;
        if (!herd_grid_point(&area->grid, area->sweep_at)) {
            *io_steps -= area->sweep_at % SLOTS_PER_STEP == 0;
            continue;
        }
        --*io_steps;
        if (herd_store_get_slot(node->store, area->sweep_at, &record) && herd_expired(node, &record))
            remove_client(area, area->sweep_at);
    }
}

bool herd_area_next(struct herd_area *area, struct herd_now now, size_t *io_steps,
                    struct herd_fence_event *ret_event)
{
    struct herd_changes *changes = &area->node->changes;
    area->node->now = now;
    for (;;) {
        if (give_gone(area, ret_event) || give_find(area, ret_event))
            return true;
        if (*io_steps == 0)
            return false;
        uint32_t slot = herd_subscriber_next(changes, &area->subscriber);
        if (slot == HERD_NO_SLOT) {
            area->loading = false;
            sweep(area, io_steps);
            if (!area->gone_first)
                return false;
            continue;
        }
        if (take_in(area, slot, io_steps) < 0) {
            herd_subscriber_mark_dirty(changes, &area->subscriber, slot);
            *io_steps = 0; /* another time */
            return false;
        }
        if (area->subscriber.sweep_left == 0)
            area->loading = false;
    }
}
