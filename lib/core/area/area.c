/* SPDX-License-Identifier: MIT */
/* An area follows the changes of its node. */
#include "area_query.h"
#include "finds.h"

#include "../base/saturate.h"
#include "../node/expiry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Changes that wait do so for less than this, or who dwelt is told of before them. */
#define LATE_NS INT64_C(1000000000)
/* All slots are looked at for clients that expired in about this time. */
#define SWEEP_NS       INT64_C(10000000000)
#define RECORD_STEPS   4
#define SLOTS_PER_STEP 8

static struct herd_span id_of(const struct herd_area *area, uint32_t slot)
{
    return herd_packed_record_id(herd_store_packed(area->node->store, slot));
}

/* Puts a LEAVE aside: its client's record is about to be gone. */
static void keep_gone(struct herd_area *area, const struct herd_fence_find *find, struct herd_span id)
{
    const struct herd_span other =
        find->other == HERD_NO_SLOT ? (struct herd_span){NULL, 0} : id_of(area, find->other);
    struct herd_fence_gone *gone = malloc(sizeof *gone + id.len + other.len);
    if (!gone) {
        area->events_lost++;
        return;
    }
    *gone = (struct herd_fence_gone){NULL, find->fence, find->serial, find->distance_m, id.len, other.len};
    memcpy(gone->id, id.at, id.len);
    if (other.len > 0)
        memcpy(gone->id + id.len, other.at, other.len);
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
        herd_finds_forget(area, slot);
        if (pending) {
            area->finds = NULL;
            area->find_cap = 0;
        }
        herd_finds_begin(area, slot);
        if (herd_fences_judge(area, slot, &from, NULL, &steps) < 0)
            area->events_lost++;
        if (herd_proximities_judge(area, slot, &from, NULL, false, &steps) < 0)
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
    herd_dwells_init(&area->dwells, key);
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
    herd_buf_fini(&area->other);
    herd_grid_fini(&area->grid);
    herd_fences_fini(&area->fences);
    herd_members_fini(&area->members);
    herd_dwells_fini(&area->dwells);
    free(area);
}

struct herd_area_stats herd_area_stats(const struct herd_area *area)
{
    struct herd_area_stats stats = {.clients = area->grid.count,
                                    .bytes = herd_grid_bytes(&area->grid),
                                    .fences = area->fences.count,
                                    .events = area->events,
                                    .events_lost = area->events_lost,
                                    .pairs_missed = area->pairs_missed};
    for (uint32_t i = 0; i < area->fences.proximity_count; i++)
        stats.pairs += area->fences.all[area->fences.proximities[i]]->proximity->pair_count;
    return stats;
}

bool herd_area_behind(const struct herd_area *area)
{
    return area->subscriber.pending > 0;
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
        ret_event->other = (struct herd_span){gone->id + gone->id_len, gone->other_len};
        ret_event->distance_m = gone->distance_m;
        area->events++;
        return true;
    }
    return false;
}

/* The other client of a proximity: false if it is gone, and that is told of. What a slot is read into holds one record: this
 * one is copied. */
static bool give_other(struct herd_area *area, const struct herd_fence_find *find,
                       struct herd_fence_event *ret_event)
{
    struct herd_record record;
    if (!herd_store_get_slot(area->node->store, find->other, &record))
        return false;
    area->other.len = 0;
    if (herd_buf_add(&area->other, record.id.at, record.id.len) < 0 ||
        herd_buf_add(&area->other, record.time.at, record.time.len) < 0) {
        area->events_lost++;
        return false;
    }
    ret_event->other = (struct herd_span){area->other.at, record.id.len};
    ret_event->other_time = (struct herd_span){area->other.at + record.id.len, record.time.len};
    ret_event->distance_m = find->distance_m;
    return true;
}

static bool give_find(struct herd_area *area, struct herd_fence_event *ret_event)
{
    while (area->find_next < area->find_count) {
        const struct herd_fence_find *find = &area->finds[area->find_next++];
        const struct herd_fence *fence = fence_of(area, find->fence, find->serial);
        *ret_event = (struct herd_fence_event){.kind = find->kind};
        if (!fence || (find->other != HERD_NO_SLOT && !give_other(area, find, ret_event)))
            continue;
        if (!herd_store_get_slot(area->node->store, area->slot, &ret_event->record))
            continue;
        ret_event->fence = (struct herd_span){fence->name, fence->name_len};
        area->events++;
        return true;
    }
    return false;
}

/* Somebody was in a fence for long enough, as of `now_ns`. */
static bool find_dwelt(struct herd_area *area, int64_t now_ns)
{
    struct herd_dwell dwell;
    while (herd_dwells_due(&area->dwells, now_ns, &dwell)) {
        if (!fence_of(area, dwell.fence, (uint32_t)(dwell.member >> 32)))
            continue;
        if (herd_fences_dwelt(area, &dwell) >= 0)
            return true;
        area->events_lost++;
    }
    return false;
}

/* The position of a record that lies in its cache line, from its digits as they are kept. */
static bool quick_position(const struct herd_packed_record *packed, struct herd_e7 *ret_e7)
{
    return packed->id_len != HERD_BODY_EXTERNAL &&
           herd_e7_position_packed(packed->body + packed->id_len, packed->diff_len,
                                   (size_t)packed->diff_len + packed->position_len, ret_e7);
}

/* Where the client of a slot is: 1; 0: nowhere, it is deleted, expired, or there is none. HERD_E_NOMEM. */
static int position_of(const struct herd_area *area, uint32_t slot, struct herd_e7 *ret_e7, bool *ret_exact)
{
    const struct herd_node *node = area->node;
    const struct herd_packed_record *packed = herd_store_packed(node->store, slot);
    struct herd_record record;
    *ret_exact = true;
    if (herd_packed_record_empty(packed) || herd_packed_record_tombstone(packed))
        return 0;
    if (node->options.expire_ns <= 0 && quick_position(packed, ret_e7))
        return 1;
    if (!herd_store_get_slot(node->store, slot, &record))
        return HERD_E_NOMEM;
    if (herd_expired(node, &record))
        return 0;
    *ret_exact = herd_e7_position(record.position, ret_e7);
    return 1;
}

/* HERD_E_NOMEM: nothing was taken in. */
static int take_in(struct herd_area *area, uint32_t slot, size_t *io_steps)
{
    struct herd_e7 to;
    bool exact;
    *io_steps -= *io_steps < RECORD_STEPS ? *io_steps : RECORD_STEPS;
    int err = position_of(area, slot, &to, &exact);
    if (err < 0)
        return err;
    if (err == 0) {
        remove_client(area, slot);
        return 0;
    }
    const struct herd_grid_point *point = herd_grid_point(&area->grid, slot);
    struct herd_e7 from = point ? herd_grid_position(point) : to;
    bool known = point != NULL;
    err = herd_grid_put(&area->grid, slot, to, exact);
    if (err < 0)
        return err;
    if (area->fences.count == 0)
        return 0;
    const struct herd_e7 *before = known ? &from : NULL;
    const bool quiet = area->loading && !known;
    herd_finds_begin(area, slot);
    if (!quiet && herd_fences_matter(&area->fences, before, &to) &&
        herd_fences_judge(area, slot, before, &to, io_steps) < 0)
        area->events_lost++;
    if (area->fences.proximity_count > 0 && herd_proximities_judge(area, slot, before, &to, quiet, io_steps) < 0)
        area->events_lost++;
    return 0;
}

/* Whether the slot has a client that the area should know and does not, or knows and should not. */
static bool is_wrong(const struct herd_area *area, uint32_t slot)
{
    struct herd_record record;
    bool known = herd_grid_point(&area->grid, slot) != NULL;
    if (!herd_store_get_slot(area->node->store, slot, &record))
        return false;
    return known == (herd_record_is_tombstone(&record) || herd_expired(area->node, &record));
}

/* Looks at some slots for clients that expired, for the node keeps them for longer than they are seen; and, as a clock may be
 * set back, for those that are seen again. */
static void sweep(struct herd_area *area, size_t *io_steps)
{
    struct herd_node *node = area->node;
    uint32_t slots = herd_store_slots(node->store);
    const int64_t now_ns = node->now.steady_ns;
    if (node->options.expire_ns <= 0 || slots == 0)
        return;
    if (area->swept_ns > now_ns || area->swept_ns < herd_sub_saturated(now_ns, SWEEP_NS))
        area->swept_ns = herd_sub_saturated(now_ns, SWEEP_NS);
    const uint64_t due = (uint64_t)((double)slots * (double)(now_ns - area->swept_ns) / SWEEP_NS);
    uint64_t looked_at = 0;
    for (; *io_steps > 0 && looked_at < due; looked_at++, area->sweep_at++) {
        if (area->sweep_at >= slots)
            area->sweep_at = 0;
        if (herd_packed_record_empty(herd_store_packed(node->store, area->sweep_at))) {
            *io_steps -= area->sweep_at % SLOTS_PER_STEP == 0;
            continue;
        }
        --*io_steps;
        if (is_wrong(area, area->sweep_at))
            herd_subscriber_mark_dirty(&node->changes, &area->subscriber, area->sweep_at);
    }
    /* What there were no steps for stays due. */
    area->swept_ns += (int64_t)((double)looked_at / slots * SWEEP_NS);
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
        if (area->dwells.count > 0 && find_dwelt(area, herd_sub_saturated(now.steady_ns, LATE_NS))) {
            --*io_steps;
            continue;
        }
        uint32_t slot = herd_subscriber_next(changes, &area->subscriber);
        if (slot == HERD_NO_SLOT) {
            area->loading = false;
            sweep(area, io_steps);
            if (area->fences.proximity_count > 0 && herd_proximities_load(area, io_steps))
                return false;
            if (!area->gone_first && area->subscriber.pending == 0 &&
                (area->dwells.count == 0 || !find_dwelt(area, now.steady_ns)))
                return false;
            *io_steps -= *io_steps > 0;
            continue;
        }
        /* Here and not in a function: gcc 12 leaves out calls of one that does nothing but fetch. */
        uint32_t ahead;
        while ((ahead = herd_subscriber_ahead(changes, &area->subscriber)) != HERD_NO_SLOT) {
            __builtin_prefetch(herd_store_packed(area->node->store, ahead));
            if (herd_grid_has_room(&area->grid, ahead))
                __builtin_prefetch(herd_grid_point_at(&area->grid, ahead));
        }
        if (take_in(area, slot, io_steps) < 0) {
            herd_subscriber_mark_dirty(changes, &area->subscriber, slot);
            return false; /* another time */
        }
        if (area->subscriber.sweep_left == 0)
            area->loading = false;
    }
}
