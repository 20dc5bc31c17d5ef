/* SPDX-License-Identifier: MIT */
/* What changed: noted in the ring, formatted once, put together for each group. */
#include "cursor.h"
#include "events.h"

#include "../../core/node/expiry.h"

#include <herd/geo.h>
#include <stdio.h>

#define CHECKS_A_TICK        20000 /* changes times groups */
#define IDS_BYTES_A_TICK     131072
#define MISSED_A_PIECE       500
#define MISSED_BYTES_A_PIECE 131072

int herd_event_put_name(struct herd_buf *out, const char *name)
{
    int err = herd_buf_add_text(out, "event: ");
    if (err >= 0)
        err = herd_buf_add_text(out, name);
    return err < 0 ? err : herd_buf_add_text(out, "\ndata: ");
}

int herd_event_put_id(const struct herd_events *events, struct herd_buf *out, uint64_t change)
{
    char id[HERD_CURSOR_DIGITS + 1];
    herd_cursor_write(events->http->cursor_key, HERD_CURSOR_EVENT, change, id);
    int err = herd_buf_add_text(out, "\nid: ");
    if (err >= 0)
        err = herd_buf_add_text(out, id);
    return err < 0 ? err : herd_buf_add_text(out, "\n\n");
}

static struct herd_span text_of(const struct herd_buf *buf)
{
    return (struct herd_span){buf->at, buf->len};
}

/* Reads what became of clients, and makes their features, up to `most` of them or until these are `most_bytes`. */
static int prepare(struct herd_events *events, uint64_t from, size_t most, size_t most_bytes)
{
    struct herd_node *node = events->http->server->node;
    int err = 0;
    events->change_count = 0;
    events->features.len = 0;
    for (uint64_t n = from;
         err >= 0 && n < events->ring.next && events->change_count < most && events->features.len < most_bytes;
         n++) {
        struct herd_change *change = &events->changes[events->change_count++];
        struct herd_record record;
        struct herd_position position;
        *change = (struct herd_change){.id = herd_event_ring_id(&events->ring, n), .feature = events->features.len};
        if (!herd_store_get(herd_node_store(node), change->id, &record) || herd_expired(node, &record) ||
            herd_position_parse(record.position, &position) < 0)
            continue; /* removed meanwhile, or a tombstone */
        change->lat = herd_coordinate_degrees(position.lat);
        change->lon = herd_coordinate_degrees(position.lon);
        err = herd_feature_put(&events->features, &record);
        change->feature_len = events->features.len - change->feature;
    }
    return err;
}

static bool has(const struct herd_event_filter *filter, const struct herd_change *change)
{
    return change->feature_len > 0 && herd_event_filter_has_id(filter, change->id) &&
           (!filter->in_bbox || herd_bbox_has_place(&filter->bbox, change->lat, change->lon));
}

/* Appends what became of a client to the two lists of a group. */
static int put_change(struct herd_viewers *group, const struct herd_change *change, struct herd_buf *at,
                      struct herd_buf *leave)
{
    if (!herd_viewers_may_see(group, change->id))
        return 0;
    if (has(&group->filter, change)) {
        herd_viewers_show(group, change->id);
        int err = at->len > 0 ? herd_buf_add(at, ",", 1) : 0;
        return err < 0 ? err : herd_buf_add(at, group->events->features.at + change->feature, change->feature_len);
    }
    if (!herd_viewers_hide(group, change))
        return 0;
    int err = herd_buf_add_text(leave, leave->len > 0 ? ",\"/v1/clients/" : "\"/v1/clients/");
    if (err >= 0)
        err = herd_feature_put_segment(leave, change->id);
    return err < 0 ? err : herd_buf_add(leave, "\"", 1);
}

/* Messages of both lists; the end of the last is left out. */
static int put_lists(struct herd_buf *out, const struct herd_buf *at, const struct herd_buf *leave)
{
    int err = 0;
    if (at->len > 0) {
        err = herd_event_put_name(out, "at");
        if (err >= 0)
            err = herd_buf_add_text(out, "{\"features\":[");
        if (err >= 0)
            err = herd_buf_add(out, at->at, at->len);
        if (err >= 0)
            err = herd_buf_add_text(out, leave->len > 0 ? "]}\n\n" : "]}");
    }
    if (leave->len > 0 && err >= 0) {
        err = herd_event_put_name(out, "leave");
        if (err >= 0)
            err = herd_buf_add_text(out, "{\"hrefs\":[");
        if (err >= 0)
            err = herd_buf_add(out, leave->at, leave->len);
        if (err >= 0)
            err = herd_buf_add_text(out, "]}");
    }
    return err;
}

/* The message of what was prepared for a group, without its end; empty: nothing. */
static int make_message(struct herd_viewers *group, struct herd_buf *out)
{
    struct herd_buf at = {0}, leave = {0};
    int err = 0;
    for (size_t i = 0; err >= 0 && i < group->events->change_count; i++)
        err = put_change(group, &group->events->changes[i], &at, &leave);
    out->len = 0;
    if (err >= 0)
        err = put_lists(out, &at, &leave);
    herd_buf_fini(&at);
    herd_buf_fini(&leave);
    return err;
}

/* The two forms of what was prepared: for those who are whole, and without an id during a snapshot. */
static int make_blocks(struct herd_viewers *group, struct herd_block **ret_block, struct herd_block **ret_partial)
{
    struct herd_buf *out = &group->events->out;
    int err = make_message(group, out);
    const size_t len = out->len;
    *ret_block = *ret_partial = NULL;
    if (err < 0 || len == 0)
        return err;
    err = herd_buf_add_text(out, "\n\n");
    *ret_partial = err >= 0 ? herd_block_new(text_of(out)) : NULL;
    out->len = len;
    err = *ret_partial ? herd_event_put_id(group->events, out, group->events->ring.next - 1) : HERD_E_NOMEM;
    *ret_block = err >= 0 ? herd_block_new(text_of(out)) : NULL;
    if (*ret_block)
        return 0;
    if (*ret_partial)
        herd_block_release(*ret_partial);
    return HERD_E_NOMEM;
}

static void pause(struct herd_viewer *viewer, uint64_t seen)
{
    viewer->paused = true;
    viewer->seen = seen;
    viewer->group->events->http->stream_pauses++;
}

bool herd_event_changes_deliver(struct herd_viewers *group, size_t *io_bytes)
{
    while (*io_bytes > 0 && !herd_list_empty(&group->due)) {
        struct herd_viewer *viewer = HERD_CONTAINER_OF(group->due.next, struct herd_viewer, due);
        herd_list_remove(&viewer->due);
        if (viewer->behind)
            continue;
        if (!herd_viewer_takes_more(viewer, 1)) {
            pause(viewer, group->before);
            continue;
        }
        const size_t len = herd_block_bytes(group->block).len;
        herd_http_stream_write(viewer->stream, viewer->snapshot ? group->partial : group->block);
        *io_bytes -= len < *io_bytes ? len : *io_bytes;
    }
    if (!herd_list_empty(&group->due))
        return true;
    herd_viewers_drop_message(group);
    return false;
}

void herd_event_changes_send(struct herd_viewers *group)
{
    const struct herd_events *events = group->events;
    size_t all = SIZE_MAX;
    (void)herd_event_changes_deliver(group, &all); /* a tick that took too long; its order is kept */
    const bool lost = make_blocks(group, &group->block, &group->partial) < 0;
    group->before = events->ring.next - events->change_count - 1;
    for (struct herd_list *link = group->viewers.next; link != &group->viewers; link = link->next) {
        struct herd_viewer *viewer = HERD_CONTAINER_OF(link, struct herd_viewer, link);
        if (viewer->paused || viewer->behind)
            continue;
        if (!herd_viewer_takes_more(viewer, 1))
            pause(viewer, group->before);
        else if (lost)
            viewer->behind = true;
        else if (group->block)
            herd_list_append(&group->due, &viewer->due);
    }
}

void herd_event_changes_send_missed(struct herd_viewer *viewer)
{
    struct herd_viewers *group = viewer->group;
    struct herd_events *events = group->events;
    const bool untracked = group->untracked;
    int err = prepare(events, viewer->seen + 1, MISSED_A_PIECE, MISSED_BYTES_A_PIECE);
    /* Of a box: who left it while this viewer was paused is not in `shown` any more. */
    group->untracked = true;
    if (err >= 0)
        err = make_message(group, &events->out);
    group->untracked = untracked;
    viewer->seen += events->change_count;
    if (err >= 0 && events->out.len > 0)
        err = viewer->snapshot ? herd_buf_add_text(&events->out, "\n\n")
                               : herd_event_put_id(events, &events->out, viewer->seen);
    if (err < 0)
        viewer->behind = true;
    else if (events->out.len > 0)
        herd_viewer_send(viewer, text_of(&events->out));
    viewer->paused = viewer->seen + 1 < events->ring.next;
}

void herd_event_changes_take(struct herd_events *events, size_t groups)
{
    size_t most =
        groups > 0 && CHECKS_A_TICK / groups < HERD_EVENTS_A_TICK ? CHECKS_A_TICK / groups : HERD_EVENTS_A_TICK;
    uint64_t from = events->ring.next;
    size_t bytes = 0;
    struct herd_record record;
    herd_event_expiry_take(events, most / 4);
    most += most == 0;
    for (size_t i = (size_t)(events->ring.next - from);
         i < most && bytes < IDS_BYTES_A_TICK && herd_watch_next(events->watch, &record); i++) {
        bytes += record.id.len;
        if (herd_event_ring_add(&events->ring, record.id) < 0)
            break;
    }
    if (from < events->ring.first) {
        /* An id so long that it drove out others of this tick; or memory was short. */
        from = events->ring.first;
        herd_events_all_behind(events);
    }
    if (prepare(events, from, HERD_EVENTS_A_TICK, SIZE_MAX) < 0) {
        events->change_count = 0;
        herd_events_all_behind(events);
    }
}

bool herd_event_read_id(const struct herd_events *events, struct herd_span value, uint64_t *ret_change)
{
    return herd_cursor_read(events->http->cursor_key, HERD_CURSOR_EVENT, value, ret_change) &&
           herd_event_ring_has_all_after(&events->ring, *ret_change);
}
