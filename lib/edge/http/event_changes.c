/* SPDX-License-Identifier: MIT */
/* What changed: noted in the ring, formatted once, put together for each group. */
#include "cursor.h"
#include "events.h"

#include "../../core/node/expiry.h"
#include "../../core/store/store_impl.h"

#include <herd/geo.h>
#include <stdio.h>

/* Of a tick: changes, and changes times groups. */
#define CHANGES_A_TICK 2000
#define CHECKS_A_TICK  20000
/* Of a piece: likewise, and how long ids and what they miss may be. */
#define CHECKS_A_PIECE       4000
#define IDS_BYTES_A_PIECE    16384
#define MISSED_BYTES_A_PIECE 32768
/* Of an iteration of the loop: who reports waits for no more than that. */
#define CHANGES_A_TURN 20
/* What these cost, in bytes that are sent. */
#define BYTES_A_CHECK 64
#define BYTES_A_LOOK  128

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

/* Reads what became of clients from the change *io_at on, and makes their features: `most` more, or until all are
 * `most_bytes`. HERD_E_NOMEM. */
static int prepare(struct herd_events *events, uint64_t *io_at, size_t most, size_t most_bytes)
{
    struct herd_node *node = events->http->server->node;
    struct herd_store *store = herd_node_store(node);
    int err = 0;
    for (; err >= 0 && *io_at < events->ring.next && most > 0 && events->features.len < most_bytes; most--) {
        struct herd_change *change = &events->changes[events->change_count++];
        struct herd_record record;
        struct herd_position position;
        *change = (struct herd_change){.id = herd_event_ring_id(&events->ring, (*io_at)++),
                                       .feature = events->features.len};
        const uint32_t slot = herd_store_find(store, herd_store_hash(store, change->id), HERD_NO_SLOT, change->id);
        err = slot == HERD_NO_SLOT ? 0 : herd_store_read_slot(store, slot, &record);
        if (err <= 0 || herd_expired(node, &record) || herd_position_parse(record.position, &position) < 0)
            continue; /* removed meanwhile, or a tombstone */
        change->lat = herd_coordinate_degrees(position.lat);
        change->lon = herd_coordinate_degrees(position.lon);
        err = herd_feature_put(&events->features, &record);
        change->feature_len = events->features.len - change->feature;
    }
    return err;
}

static void begin(struct herd_events *events)
{
    events->change_count = 0;
    events->features.len = 0;
}

static bool has(const struct herd_event_filter *filter, const struct herd_change *change)
{
    return change->feature_len > 0 && herd_event_filter_has_id(filter, change->id) &&
           (!filter->in_bbox || herd_bbox_has_place(&filter->bbox, change->lat, change->lon));
}

/* Whether a client that does not pass the filter is to be taken from the map of viewers. Who left a box while one of them was
 * paused is not in `shown` any more; and who is still in it, others of the group are yet to be told of. */
static bool has_left(struct herd_viewers *group, const struct herd_change *change, bool missed)
{
    return missed && group->filter.in_bbox ? herd_event_filter_has_id(&group->filter, change->id)
                                           : herd_viewers_hide(group, change);
}

/* Appends what became of a client to the two lists of a group, or of one of its viewers who missed it. */
static int put_change(struct herd_viewers *group, const struct herd_change *change, bool missed,
                      struct herd_buf *at, struct herd_buf *leave)
{
    if (!herd_viewers_may_see(group, change->id))
        return 0;
    if (has(&group->filter, change)) {
        herd_viewers_show(group, change->id);
        int err = at->len > 0 ? herd_buf_add(at, ",", 1) : 0;
        return err < 0 ? err : herd_buf_add(at, group->events->features.at + change->feature, change->feature_len);
    }
    if (!has_left(group, change, missed))
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

/* The message of what was prepared for a group, or for one of its viewers who missed it, without its end; empty: nothing. */
static int make_message(struct herd_viewers *group, bool missed, struct herd_buf *out)
{
    struct herd_buf at = {0}, leave = {0};
    int err = 0;
    for (size_t i = 0; err >= 0 && i < group->events->change_count; i++)
        err = put_change(group, &group->events->changes[i], missed, &at, &leave);
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
    int err = make_message(group, false, out);
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
    herd_viewer_owe(viewer);
    viewer->group->events->http->stream_pauses++;
}

static void spend(size_t *io_left, size_t cost)
{
    *io_left -= cost < *io_left ? cost : *io_left;
}

/* Whether a viewer is to be sent what was prepared; one that does not take it is paused. */
static bool is_sent(struct herd_viewer *viewer)
{
    const uint64_t before = viewer->group->events->before;
    if (viewer->paused || viewer->behind || (viewer->snapshot && viewer->since > before))
        return false; /* the snapshot has it */
    if (herd_viewer_takes_more(viewer, 1))
        return true;
    pause(viewer, before);
    return false;
}

/* Sends the message of a group to some who have not got it, up to *io_bytes; whether some are left. */
static bool deliver(struct herd_viewers *group, size_t *io_bytes)
{
    bool lost = false;
    if (!group->viewer_at) {
        lost = make_blocks(group, &group->block, &group->partial) < 0;
        group->viewer_at = group->viewers.next;
        spend(io_bytes, group->events->change_count * BYTES_A_CHECK);
    }
    const size_t cost = group->block ? herd_block_bytes(group->block).len : 0;
    while (group->viewer_at != &group->viewers && (group->block || lost)) {
        struct herd_viewer *viewer = HERD_CONTAINER_OF(group->viewer_at, struct herd_viewer, link);
        if (*io_bytes == 0 && !lost)
            return true;
        group->viewer_at = group->viewer_at->next;
        const bool sent = is_sent(viewer);
        if (sent && lost)
            herd_viewer_fall_behind(viewer);
        else if (sent)
            herd_http_stream_write(viewer->stream, viewer->snapshot ? group->partial : group->block);
        spend(io_bytes, sent ? HERD_EVENTS_BYTES_A_CALL + cost : BYTES_A_LOOK);
    }
    herd_viewers_drop_message(group);
    return false;
}

/* Likewise for all groups. */
static bool deliver_all(struct herd_events *events)
{
    size_t left = HERD_EVENTS_BYTES_A_TURN;
    while (events->group_at != &events->groups) {
        struct herd_viewers *group = HERD_CONTAINER_OF(events->group_at, struct herd_viewers, link);
        if (left == 0 || (!group->filter.fences_only && deliver(group, &left)))
            return true;
        events->group_at = events->group_at->next;
    }
    return false;
}

void herd_event_changes_send_missed(struct herd_viewer *viewer)
{
    struct herd_viewers *group = viewer->group;
    struct herd_events *events = group->events;
    uint64_t at = viewer->seen + 1;
    begin(events);
    int err = prepare(events, &at, HERD_EVENTS_A_PIECE, MISSED_BYTES_A_PIECE);
    if (err >= 0)
        err = make_message(group, true, &events->out);
    viewer->seen += events->change_count;
    if (err >= 0 && events->out.len > 0)
        err = viewer->snapshot ? herd_buf_add_text(&events->out, "\n\n")
                               : herd_event_put_id(events, &events->out, viewer->seen);
    if (err < 0)
        herd_viewer_fall_behind(viewer);
    else if (events->out.len > 0)
        herd_viewer_send(viewer, text_of(&events->out));
    viewer->paused = viewer->seen + 1 < events->ring.next;
}

static size_t share(size_t checks, size_t groups, size_t most)
{
    const size_t changes = groups > 0 ? checks / groups : most;
    return changes == 0 ? 1 : changes < most ? changes : most;
}

void herd_event_changes_begin(struct herd_events *events)
{
    const size_t most = share(CHECKS_A_TICK, events->group_count, CHANGES_A_TICK);
    const size_t pending = herd_watch_pending(events->watch);
    events->changes_left = pending < most ? pending : most; /* what changes from here on waits for the next */
    herd_event_expiry_tick(events, most / 4 + 1);
}

/* Whether the change stream, or the look for who expired, has more for this tick. */
static bool is_due(const struct herd_events *events)
{
    return events->changes_left > 0 || (events->expiry_left > 0 && events->expired_left > 0);
}

/* Notes a piece of that in the ring. */
static void take(struct herd_events *events)
{
    size_t piece = share(CHECKS_A_PIECE, events->group_count, HERD_EVENTS_A_PIECE), bytes = 0;
    const uint64_t from = events->ring.next;
    struct herd_record record;
    herd_event_expiry_take(events, (piece + 3) / 4);
    piece -= (size_t)(events->ring.next - from);
    for (; piece > 0 && events->changes_left > 0 && bytes < IDS_BYTES_A_PIECE; piece--) {
        if (!herd_watch_next(events->watch, &record)) {
            events->changes_left = 0;
            break;
        }
        events->changes_left--;
        bytes += record.id.len;
        if (herd_event_ring_add(&events->ring, record.id) < 0)
            break;
    }
    events->prepare_at = from;
    if (from < events->ring.first) {
        /* An id so long that it drove out others of this piece; or memory was short. */
        events->prepare_at = events->ring.first;
        herd_events_all_behind(events);
    }
    events->before = events->prepare_at - 1;
    begin(events);
}

static void prepare_some(struct herd_events *events)
{
    if (prepare(events, &events->prepare_at, CHANGES_A_TURN, SIZE_MAX) < 0) {
        events->prepare_at = events->ring.next;
        herd_events_all_behind(events);
    } else if (events->prepare_at == events->ring.next) {
        events->group_at = events->groups.next;
    }
}

bool herd_event_changes_go_on(struct herd_events *events)
{
    if (events->prepare_at < events->ring.next)
        prepare_some(events);
    else if (!deliver_all(events)) {
        if (!is_due(events))
            return false;
        take(events);
    }
    return true;
}

bool herd_event_read_id(const struct herd_events *events, struct herd_span value, uint64_t *ret_change)
{
    return herd_cursor_read(events->http->cursor_key, HERD_CURSOR_EVENT, value, ret_change) &&
           herd_event_ring_has_all_after(&events->ring, *ret_change);
}
