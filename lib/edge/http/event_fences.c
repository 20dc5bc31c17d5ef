/* SPDX-License-Identifier: MIT */
/*
 * What happens at fences, to viewers who ask for it. Events are put together for each group and leave when the loop has been
 * round. A viewer that does not take what it is sent loses them, and is told how many: memory does not grow with it.
 */
#include "../server/fence_event.h"
#include "events.h"

#include <inttypes.h>
#include <stdio.h>

/* Of a group, until the loop has been round. */
#define WAITING_MAX_BYTES 262144

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
        group->fence_count++;
        if (len < WAITING_MAX_BYTES && put_event(&group->fences, event) >= 0)
            continue;
        group->fences.len = len;
        group->fences_lost++;
    }
    return any;
}

static void tell_lost(struct herd_viewer *viewer)
{
    char text[96];
    int len = snprintf(text, sizeof text, "event: lost\ndata: {\"fences\":%" PRIu64 "}\n\n", viewer->fences_lost);
    viewer->fences_lost = 0;
    herd_viewer_send(viewer, (struct herd_span){text, (size_t)len});
}

void herd_event_fences_tell_lost(struct herd_viewers *group)
{
    for (struct herd_list *link = group->viewers.next; link != &group->viewers; link = link->next) {
        struct herd_viewer *viewer = HERD_CONTAINER_OF(link, struct herd_viewer, link);
        if (viewer->fences_lost > 0 && herd_viewer_takes_more(viewer, 2))
            tell_lost(viewer);
    }
}

void herd_event_fences_send(struct herd_viewers *group)
{
    if (group->fence_count == 0)
        return;
    struct herd_block *block =
        group->fences.len > 0 ? herd_block_new((struct herd_span){group->fences.at, group->fences.len}) : NULL;
    for (struct herd_list *link = group->viewers.next; link != &group->viewers; link = link->next) {
        struct herd_viewer *viewer = HERD_CONTAINER_OF(link, struct herd_viewer, link);
        if (block && herd_viewer_takes_more(viewer, 1)) {
            herd_http_stream_write(viewer->stream, block);
            viewer->fences_lost += group->fences_lost;
        } else {
            viewer->fences_lost += group->fence_count;
        }
    }
    if (block)
        herd_block_release(block);
    herd_buf_fini(&group->fences);
    group->fence_count = group->fences_lost = 0;
}
