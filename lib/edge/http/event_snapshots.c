/* SPDX-License-Identifier: MIT */
/* What there is, piece by piece, as fast as its viewer takes it. */
#include "../../core/node/expiry.h"
#include "../../core/store/store_impl.h"
#include "events.h"

#define FEATURES_A_PIECE 100
#define BYTES_A_PIECE    32768 /* long ids are that many sooner */
/* What these cost, in slots that are looked at. */
#define SLOTS_A_CHANGE  10
#define SLOTS_A_MESSAGE 480 /* a call of the kernel: two are an iteration's */
#define SLOTS_A_PIECE   900 /* of a hundred features or so */

void herd_event_snapshot_begin(struct herd_viewer *viewer)
{
    viewer->behind = viewer->paused = false;
    viewer->snapshot = viewer->first = true;
    viewer->slot = 0;
    viewer->since = viewer->group->events->ring.next - 1;
    herd_viewer_owe(viewer);
}

/* A piece of what there is; returns how many slots it looked at. */
static uint32_t send_piece(struct herd_viewer *viewer, uint32_t slots_most)
{
    struct herd_viewers *group = viewer->group;
    struct herd_events *events = group->events;
    struct herd_node *node = events->http->server->node;
    struct herd_store *store = herd_node_store(node);
    struct herd_buf *out = &events->out;
    const uint32_t slots = herd_store_slots(store), begin = viewer->slot;
    uint32_t count = 0;
    out->len = 0;
    int err = herd_event_put_name(out, "snapshot");
    if (err >= 0)
        err = herd_buf_add_text(out, viewer->first ? "{\"first\":true,\"features\":["
                                                   : "{\"first\":false,\"features\":[");
    while (err >= 0 && viewer->slot < slots && viewer->slot - begin < slots_most && count < FEATURES_A_PIECE &&
           out->len < BYTES_A_PIECE) {
        struct herd_record record;
        err = herd_store_read_slot(store, viewer->slot++, &record);
        if (err <= 0 || !herd_event_filter_has(&group->filter, &record) ||
            !herd_viewers_may_see(group, record.id) || herd_expired(node, &record))
            continue;
        herd_viewers_show(group, record.id);
        err = count++ ? herd_buf_add(out, ",", 1) : 0;
        if (err >= 0)
            err = herd_feature_put(out, &record);
    }
    const bool last = viewer->slot >= slots;
    if (err >= 0)
        err = herd_buf_add_text(out, last ? "],\"last\":true}" : "],\"last\":false}");
    if (err >= 0)
        err = last ? herd_event_put_id(events, out, viewer->since)
                   : herd_buf_add_text(out, viewer->first ? "\nid:\n\n" : "\n\n"); /* what it had is void */
    if (err < 0)
        herd_viewer_fall_behind(viewer);
    else if (count > 0 || viewer->first || last)
        herd_viewer_send(viewer, (struct herd_span){out->at, out->len});
    viewer->first = viewer->first && err < 0;
    viewer->snapshot = !last;
    return viewer->slot - begin + 1;
}

static uint32_t left_after(uint32_t left, uint32_t used)
{
    return used < left ? left - used : 0;
}

uint32_t herd_viewer_serve(struct herd_viewer *viewer, uint32_t left)
{
    const struct herd_event_ring *ring = &viewer->group->events->ring;
    if (herd_event_fences_tell_lost(viewer))
        left = left_after(left, SLOTS_A_MESSAGE);
    if (viewer->group->filter.fences_only)
        return left;
    if ((viewer->behind || viewer->paused) && !herd_viewer_takes_more(viewer, 2))
        return left;
    if (viewer->behind || (viewer->paused && !herd_event_ring_has_all_after(ring, viewer->seen)))
        herd_event_snapshot_begin(viewer);
    while (left > 0 && !viewer->behind && (viewer->paused || viewer->snapshot) &&
           herd_viewer_takes_more(viewer, 1)) {
        uint32_t used;
        if (viewer->paused) {
            uint64_t seen = viewer->seen;
            herd_event_changes_send_missed(viewer);
            used = (uint32_t)(viewer->seen - seen) * SLOTS_A_CHANGE + SLOTS_A_MESSAGE;
        } else {
            used = send_piece(viewer, left) + SLOTS_A_PIECE;
        }
        left = left_after(left, used);
    }
    return left;
}

bool herd_viewer_is_owed(const struct herd_viewer *viewer)
{
    return viewer->fences_lost > 0 ||
           (!viewer->group->filter.fences_only && (viewer->behind || viewer->paused || viewer->snapshot));
}

bool herd_viewer_waits(const struct herd_viewer *viewer)
{
    /* A snapshot goes on as soon as there is room; all else begins when half of what was sent has been taken. */
    const bool goes_on = viewer->snapshot && !viewer->behind && !viewer->paused;
    return herd_viewer_is_owed(viewer) && herd_viewer_takes_more(viewer, goes_on ? 1 : 2);
}
