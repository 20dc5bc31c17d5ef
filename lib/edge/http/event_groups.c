/* SPDX-License-Identifier: MIT */
/* Viewers who see the same, and what a viewer is sent. */
#include "../../core/base/hash.h"
#include "events.h"

#include <stdlib.h>

#define SET_ENTRIES_MAX (1u << 20) /* of all groups */

void herd_viewer_owe(struct herd_viewer *viewer)
{
    struct herd_events *events = viewer->group->events;
    if (herd_list_linked(&viewer->owed))
        return;
    herd_list_append(&events->owed, &viewer->owed);
    events->owed_count++;
    events->owed_passed = 0;
}

void herd_viewer_owe_nothing(struct herd_viewer *viewer)
{
    struct herd_events *events = viewer->group->events;
    if (!herd_list_linked(&viewer->owed))
        return;
    herd_list_remove(&viewer->owed);
    events->owed_count--;
    events->owed_passed -= events->owed_passed > 0;
}

void herd_viewer_fall_behind(struct herd_viewer *viewer)
{
    viewer->behind = true;
    herd_viewer_owe(viewer);
}

void herd_viewer_send(struct herd_viewer *viewer, struct herd_span bytes)
{
    struct herd_block *block = herd_block_new(bytes);
    if (!block) {
        herd_viewer_fall_behind(viewer);
        return;
    }
    herd_http_stream_write(viewer->stream, block);
    herd_block_release(block);
}

bool herd_viewers_may_see(const struct herd_viewers *group, struct herd_span id)
{
    if (!group->events->http->server->trust->identities)
        return true;
    return group->identity && herd_identity_may_ask(group->identity, id);
}

static uint64_t hash_of(const struct herd_events *events, struct herd_span id)
{
    return herd_siphash(events->key, id.at, id.len);
}

void herd_viewers_show(struct herd_viewers *group, struct herd_span id)
{
    struct herd_events *events = group->events;
    if (!group->filter.in_bbox || group->untracked)
        return;
    int added = events->shown_count < SET_ENTRIES_MAX ? herd_event_set_add(&group->shown, hash_of(events, id))
                                                      : HERD_E_LIMIT;
    if (added < 0)
        group->untracked = true;
    else
        events->shown_count += (size_t)added;
}

bool herd_viewers_hide(struct herd_viewers *group, const struct herd_change *change)
{
    struct herd_events *events = group->events;
    if (!herd_event_filter_has_id(&group->filter, change->id))
        return false;
    if (!group->filter.in_bbox)
        return change->feature_len == 0;
    bool was = herd_event_set_remove(&group->shown, hash_of(events, change->id));
    events->shown_count -= was;
    return was || group->untracked;
}

void herd_viewers_drop_message(struct herd_viewers *group)
{
    group->viewer_at = NULL;
    if (!group->block)
        return;
    herd_block_release(group->block);
    herd_block_release(group->partial);
    group->block = group->partial = NULL;
}

void herd_viewers_drop_fences(struct herd_viewers *group)
{
    group->fence_at = NULL;
    if (group->fence_block)
        herd_block_release(group->fence_block);
    group->fence_block = NULL;
}

static void free_group(struct herd_viewers *group)
{
    group->events->shown_count -= group->shown.used;
    if (group->events->group_at == &group->link)
        group->events->group_at = group->link.next;
    herd_list_remove(&group->link);
    herd_list_remove(&group->fencing);
    group->events->group_count--;
    herd_viewers_drop_message(group);
    herd_viewers_drop_fences(group);
    herd_event_filter_fini(&group->filter);
    herd_event_set_fini(&group->shown);
    herd_buf_fini(&group->fences);
    free(group);
}

void herd_viewer_free(struct herd_viewer *viewer)
{
    struct herd_viewers *group = viewer->group;
    struct herd_events *events = group->events;
    if (group->viewer_at == &viewer->link)
        group->viewer_at = viewer->link.next;
    if (group->fence_at == &viewer->link)
        group->fence_at = viewer->link.next;
    herd_list_remove(&viewer->link);
    herd_list_remove(&viewer->all);
    events->viewer_count--;
    herd_viewer_owe_nothing(viewer);
    free(viewer);
    if (herd_list_empty(&group->viewers))
        free_group(group);
}

void herd_viewers_all_behind(struct herd_viewers *group)
{
    for (struct herd_list *link = group->viewers.next; link != &group->viewers; link = link->next)
        herd_viewer_fall_behind(HERD_CONTAINER_OF(link, struct herd_viewer, link));
}

void herd_events_all_behind(struct herd_events *events)
{
    for (struct herd_list *link = events->groups.next; link != &events->groups; link = link->next)
        herd_viewers_all_behind(HERD_CONTAINER_OF(link, struct herd_viewers, link));
}

bool herd_viewer_takes_more(const struct herd_viewer *viewer, size_t part)
{
    return herd_http_stream_unsent(viewer->stream) <= herd_http_stream_pause_bytes(viewer->stream) / part;
}

static struct herd_viewers *find_group(struct herd_events *events, const struct herd_event_filter *filter,
                                       const struct herd_identity *identity)
{
    for (struct herd_list *link = events->groups.next; link != &events->groups; link = link->next) {
        struct herd_viewers *group = HERD_CONTAINER_OF(link, struct herd_viewers, link);
        if (group->identity == identity &&
            herd_span_equal((struct herd_span){group->filter.text, group->filter.text_len},
                            (struct herd_span){filter->text, filter->text_len}))
            return group;
    }
    return NULL;
}

struct herd_viewers *herd_viewers_join(struct herd_events *events, struct herd_event_filter *filter,
                                       const struct herd_identity *identity)
{
    struct herd_viewers *group = find_group(events, filter, identity);
    if (group) {
        herd_event_filter_fini(filter);
        return group;
    }
    group = calloc(1, sizeof *group);
    if (!group) {
        herd_event_filter_fini(filter);
        return NULL;
    }
    *group = (struct herd_viewers){.events = events, .filter = *filter, .identity = identity};
    herd_list_init(&group->viewers);
    herd_list_append(&events->groups, &group->link);
    events->group_count++;
    return group;
}

void herd_viewers_add(struct herd_viewers *group, struct herd_viewer *viewer)
{
    viewer->group = group;
    herd_list_prepend(&group->viewers, &viewer->link); /* what is under way came before it */
    herd_list_append(&group->events->viewers, &viewer->all);
    group->events->viewer_count++;
}
