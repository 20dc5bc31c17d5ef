/* SPDX-License-Identifier: MIT */
/*
 * What happens at fences, to viewers who ask for it. Events are put together for each group and leave when those before have
 * left. A viewer that does not take what it is sent loses them, and is told how many: memory does not grow with it.
 */
#include "../server/fence_event.h"
#include "events.h"

#include <inttypes.h>
#include <stdio.h>

/* Of a group, until the loop has been round. */
#define WAITING_MAX_BYTES 262144
#define BYTES_A_LOOK      128

static int put_event(struct herd_buf *out, const struct herd_fence_event *event)
{
    int err = herd_event_put_name(out, "fence");
    if (err >= 0)
        err = herd_fence_event_put(out, event, herd_clock().wall_ns);
    return err < 0 ? err : herd_buf_add_text(out, "}\n\n");
}

static bool may_see(void *ctx, struct herd_span id)
{
    return herd_viewers_may_see(ctx, id);
}

bool herd_event_fence_take(struct herd_events *events, const struct herd_fence_event *event)
{
    bool any = false;
    for (struct herd_list *link = events->groups.next; link != &events->groups; link = link->next) {
        struct herd_viewers *group = HERD_CONTAINER_OF(link, struct herd_viewers, link);
        const bool wanted = herd_event_filter_has_id(&group->filter, event->record.id) ||
                            (event->other.len > 0 && herd_event_filter_has_id(&group->filter, event->other));
        if (!wanted || !herd_event_filter_has_fence(&group->filter, event->fence) ||
            !herd_fence_event_visible(event, may_see, group))
            continue;
        any = true;
        const size_t len = group->fences.len;
        if (!herd_list_linked(&group->fencing))
            herd_list_append(&events->fencing, &group->fencing);
        group->fence_count++;
        if (len < WAITING_MAX_BYTES && put_event(&group->fences, event) >= 0)
            continue;
        group->fences.len = len;
        group->fences_lost++;
    }
    return any;
}

bool herd_event_fences_tell_lost(struct herd_viewer *viewer)
{
    char text[96];
    if (viewer->fences_lost == 0 || !herd_viewer_takes_more(viewer, 2))
        return false;
    int len = snprintf(text, sizeof text, "event: lost\ndata: {\"fences\":%" PRIu64 "}\n\n", viewer->fences_lost);
    struct herd_block *block = herd_block_new((struct herd_span){text, (size_t)len});
    if (!block)
        return false; /* at the next tick */
    viewer->fences_lost = 0;
    herd_http_stream_write(viewer->stream, block);
    herd_block_release(block);
    return true;
}

static void begin(struct herd_viewers *group)
{
    if (group->fences.len > 0)
        group->fence_block = herd_block_new((struct herd_span){group->fences.at, group->fences.len});
    group->block_count = group->fence_count;
    group->block_lost = group->fences_lost;
    group->fence_at = group->viewers.next;
    herd_buf_fini(&group->fences);
    group->fence_count = group->fences_lost = 0;
}

static void send_to(struct herd_viewer *viewer, size_t *io_bytes)
{
    struct herd_viewers *group = viewer->group;
    size_t cost = BYTES_A_LOOK;
    if (group->fence_block && herd_viewer_takes_more(viewer, 1)) {
        cost = HERD_EVENTS_BYTES_A_CALL + herd_block_bytes(group->fence_block).len;
        herd_http_stream_write(viewer->stream, group->fence_block);
        viewer->fences_lost += group->block_lost;
    } else {
        viewer->fences_lost += group->block_count;
    }
    if (viewer->fences_lost > 0)
        herd_viewer_owe(viewer);
    *io_bytes -= cost < *io_bytes ? cost : *io_bytes;
}

/* Sends what is under way to some of a group, up to *io_bytes; whether some are left. */
static bool deliver(struct herd_viewers *group, size_t *io_bytes)
{
    while (group->fence_at != &group->viewers) {
        if (*io_bytes == 0)
            return true;
        struct herd_viewer *viewer = HERD_CONTAINER_OF(group->fence_at, struct herd_viewer, link);
        group->fence_at = group->fence_at->next;
        send_to(viewer, io_bytes);
    }
    herd_viewers_drop_fences(group);
    return false;
}

bool herd_event_fences_go_on(struct herd_events *events)
{
    size_t left = HERD_EVENTS_BYTES_A_TURN;
    while (left > 0 && !herd_list_empty(&events->fencing)) {
        struct herd_viewers *group = HERD_CONTAINER_OF(events->fencing.next, struct herd_viewers, fencing);
        if (!group->fence_at)
            begin(group);
        if (deliver(group, &left))
            return true;
        herd_list_remove(&group->fencing);
        if (group->fence_count > 0)
            herd_list_append(&events->fencing, &group->fencing); /* others' turn first */
    }
    return !herd_list_empty(&events->fencing);
}
