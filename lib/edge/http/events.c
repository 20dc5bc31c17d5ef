/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/events: what changes, as server-sent events.
 *
 *     event: hello      once: the server's name, and after how long a silent client is forgotten
 *     event: snapshot   what there is, in pieces; `first` says that all before is void, `last` that it is whole
 *     event: at         what changed since the last tick
 *     event: leave      who left the box, or was deleted
 *
 * One timer serves all viewers, and runs only while there are any. What changed is formatted once, and once more put
 * together for each group of viewers with the same filter and the same rights. A viewer that does not take what it is
 * sent is left out, and gets a new snapshot when it has; memory does not grow with what it missed. A stream that was cut
 * goes on behind its Last-Event-ID as long as the ring has all that came after it: a message bears an id only where it
 * leaves its viewer whole, so never during a snapshot. A box gets a new snapshot instead, for who left it meanwhile was
 * forgotten. Work of one tick is bounded: what is
 * left stays in the change stream, where a client that changes again costs nothing more.
 */
#include "../../core/base/hash.h"
#include "../../core/node/expiry.h"
#include "event_filter.h"
#include "event_ring.h"
#include "event_set.h"
#include "http_impl.h"

#include <event2/event.h>
#include <herd/geo.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_US          200000
#define HEARTBEAT_TICKS  75 /* 15 s */
#define CHANGES_A_TICK   2000
#define CHECKS_A_TICK    20000 /* changes times groups */
#define SLOTS_A_TICK     20000
#define FEATURES_A_PIECE 500
#define SET_ENTRIES_MAX  (1u << 20) /* of all groups */
#define EVENT_ID_MAX     48

struct events;

struct viewer {
    struct herd_list link; /* in its group */
    struct group *group;
    struct herd_http_stream *stream;
    bool snapshot;  /* one is under way: */
    bool first;     /* its first piece is to come */
    uint32_t slot;  /* the next to look at */
    uint64_t since; /* the last change before it began */
    bool resumes;   /* what came after `since` is to be sent */
    bool behind;    /* left out */
};

/* Viewers who see the same. */
struct group {
    struct herd_list link, viewers;
    struct events *events;
    struct herd_event_filter filter;
    const struct herd_identity *identity;
    struct herd_event_set shown; /* of a box */
    bool untracked;              /* `shown` is not complete: whoever is outside leaves */
};

/* What became of a client. */
struct change {
    struct herd_span id;         /* of the ring */
    size_t feature, feature_len; /* in events->features; 0 bytes: it is gone */
    double lat, lon;
};

struct events {
    struct herd_http *http;
    struct event *timer;
    struct herd_watch *watch; /* NULL: nobody looks */
    struct herd_list groups;
    struct herd_event_ring ring;
    uint64_t key[2];
    size_t shown_count;
    unsigned ticks;
    struct change *changes; /* room for CHANGES_A_TICK while somebody looks */
    size_t change_count;
    struct herd_buf features, out; /* of `changes`; of a message */
};

/* ---- messages ---- */

static int put_event(struct herd_buf *out, const char *name)
{
    int err = herd_buf_add_text(out, "event: ");
    if (err >= 0)
        err = herd_buf_add_text(out, name);
    return err < 0 ? err : herd_buf_add_text(out, "\ndata: ");
}

/* Ends a message. `change`: what it brings the viewer up to. */
static int put_id(const struct events *events, struct herd_buf *out, uint64_t change)
{
    char text[EVENT_ID_MAX + 16];
    int len = snprintf(text, sizeof text, "\nid: %" PRIx64 "-%" PRIu64 "\n\n",
                       (uint64_t)events->http->server->start_wall_ns, change);
    return herd_buf_add(out, text, (size_t)len);
}

static void send_text(struct viewer *viewer, struct herd_span bytes)
{
    struct herd_block *block = herd_block_new(bytes);
    if (!block) {
        viewer->behind = true;
        return;
    }
    herd_http_stream_write(viewer->stream, block);
    herd_block_release(block);
}

static struct herd_span text_of(const struct herd_buf *buf)
{
    return (struct herd_span){buf->at, buf->len};
}

/* ---- groups ---- */

static bool may_see(const struct group *group, struct herd_span id)
{
    if (!group->events->http->server->trust->identities)
        return true;
    return group->identity && herd_identity_may_ask(group->identity, id);
}

static uint64_t hash_of(const struct events *events, struct herd_span id)
{
    return herd_siphash(events->key, id.at, id.len);
}

/* The client is shown from now on. */
static void note_shown(struct group *group, struct herd_span id)
{
    struct events *events = group->events;
    if (!group->filter.in_bbox || group->untracked)
        return;
    int added = events->shown_count < SET_ENTRIES_MAX ? herd_event_set_add(&group->shown, hash_of(events, id))
                                                      : HERD_E_LIMIT;
    if (added < 0)
        group->untracked = true;
    else
        events->shown_count += (size_t)added;
}

/* Whether the client was shown, and is not any more. */
static bool note_gone(struct group *group, const struct change *change)
{
    struct events *events = group->events;
    if (!herd_event_filter_has_id(&group->filter, change->id))
        return false;
    if (!group->filter.in_bbox)
        return change->feature_len == 0;
    bool was = herd_event_set_remove(&group->shown, hash_of(events, change->id));
    events->shown_count -= was;
    return was || group->untracked;
}

static void free_group(struct group *group)
{
    group->events->shown_count -= group->shown.used;
    herd_list_remove(&group->link);
    herd_event_filter_fini(&group->filter);
    herd_event_set_fini(&group->shown);
    free(group);
}

static void fall_asleep(struct events *events)
{
    event_del(events->timer);
    herd_watch_close(events->watch);
    events->watch = NULL;
    free(events->changes);
    events->changes = NULL;
    herd_buf_fini(&events->features);
    herd_buf_fini(&events->out);
}

static void free_viewer(struct viewer *viewer)
{
    struct group *group = viewer->group;
    struct events *events = group->events;
    herd_list_remove(&viewer->link);
    free(viewer);
    if (herd_list_empty(&group->viewers))
        free_group(group);
    if (herd_list_empty(&events->groups))
        fall_asleep(events);
}

static void on_closed(void *ctx)
{
    free_viewer(ctx);
}

/* ---- what changed ---- */

/* Reads what became of clients, and makes their features, up to CHANGES_A_TICK of them. */
static int prepare(struct events *events, uint64_t from, uint64_t to)
{
    struct herd_store *store = herd_node_store(events->http->server->node);
    int err = 0;
    events->change_count = 0;
    events->features.len = 0;
    for (uint64_t n = from; err >= 0 && n < to && events->change_count < CHANGES_A_TICK; n++) {
        struct change *change = &events->changes[events->change_count++];
        struct herd_record record;
        struct herd_position position;
        *change = (struct change){.id = herd_event_ring_id(&events->ring, n), .feature = events->features.len};
        if (!herd_store_get(store, change->id, &record) || herd_position_parse(record.position, &position) < 0)
            continue; /* removed meanwhile, or a tombstone */
        change->lat = herd_coordinate_degrees(position.lat);
        change->lon = herd_coordinate_degrees(position.lon);
        err = herd_feature_put(&events->features, &record);
        change->feature_len = events->features.len - change->feature;
    }
    return err;
}

static bool has(const struct herd_event_filter *filter, const struct change *change)
{
    return change->feature_len > 0 && herd_event_filter_has_id(filter, change->id) &&
           (!filter->in_bbox || herd_bbox_has_place(&filter->bbox, change->lat, change->lon));
}

/* Appends what became of a client to the two lists of a group. */
static int put_change(struct group *group, const struct change *change, struct herd_buf *at, struct herd_buf *leave)
{
    if (!may_see(group, change->id))
        return 0;
    if (has(&group->filter, change)) {
        note_shown(group, change->id);
        int err = at->len > 0 ? herd_buf_add(at, ",", 1) : 0;
        return err < 0 ? err : herd_buf_add(at, group->events->features.at + change->feature, change->feature_len);
    }
    if (!note_gone(group, change))
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
        err = put_event(out, "at");
        if (err >= 0)
            err = herd_buf_add_text(out, "{\"features\":[");
        if (err >= 0)
            err = herd_buf_add(out, at->at, at->len);
        if (err >= 0)
            err = herd_buf_add_text(out, leave->len > 0 ? "]}\n\n" : "]}");
    }
    if (leave->len > 0 && err >= 0) {
        err = put_event(out, "leave");
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
static int make_message(struct group *group, struct herd_buf *out)
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

/* What was prepared, to all viewers of a group that are up to date. */
static void send_to_group(struct group *group, uint64_t change)
{
    struct herd_buf *out = &group->events->out;
    struct herd_block *block = NULL, *partial = NULL; /* for those who are whole; during a snapshot */
    int err = make_message(group, out);
    const size_t len = out->len;
    if (err >= 0 && len > 0) {
        err = herd_buf_add_text(out, "\n\n");
        partial = err >= 0 ? herd_block_new(text_of(out)) : NULL;
        out->len = len;
        err = partial ? put_id(group->events, out, change) : HERD_E_NOMEM;
        block = err >= 0 ? herd_block_new(text_of(out)) : NULL;
    }
    const bool lost = err < 0 || (len > 0 && !block);
    for (struct herd_list *link = group->viewers.next; link != &group->viewers; link = link->next) {
        struct viewer *viewer = HERD_CONTAINER_OF(link, struct viewer, link);
        if (lost)
            viewer->behind = true;
        else if (block && !viewer->behind && !viewer->resumes)
            herd_http_stream_write(viewer->stream, viewer->snapshot ? partial : block);
    }
    if (block)
        herd_block_release(block);
    if (partial)
        herd_block_release(partial);
}

/* All changes from `from` on, to a viewer that was away for a moment. */
static void send_missed(struct viewer *viewer, uint64_t from)
{
    struct events *events = viewer->group->events;
    while (from < events->ring.next && !viewer->behind) {
        int err = prepare(events, from, events->ring.next);
        from += events->change_count;
        if (err >= 0)
            err = make_message(viewer->group, &events->out);
        if (err >= 0 && events->out.len > 0)
            err = put_id(events, &events->out, from - 1);
        if (err < 0)
            viewer->behind = true;
        else if (events->out.len > 0)
            send_text(viewer, text_of(&events->out));
    }
}

static void all_behind(struct group *group)
{
    for (struct herd_list *link = group->viewers.next; link != &group->viewers; link = link->next)
        HERD_CONTAINER_OF(link, struct viewer, link)->behind = true;
}

/* Notes in the ring what the change stream has, as much as a tick may look at. */
static uint64_t take_changes(struct events *events, size_t groups)
{
    const size_t most =
        groups > 0 && CHECKS_A_TICK / groups < CHANGES_A_TICK ? CHECKS_A_TICK / groups : CHANGES_A_TICK;
    uint64_t from = events->ring.next;
    size_t bytes = 0;
    struct herd_record record;
    for (size_t i = 0; i < most && bytes < HERD_EVENT_RING_MAX_BYTES / 2 && herd_watch_next(events->watch, &record);
         i++) {
        bytes += record.id.len;
        if (herd_event_ring_add(&events->ring, record.id) >= 0)
            continue;
        from = events->ring.next;
        for (struct herd_list *link = events->groups.next; link != &events->groups; link = link->next)
            all_behind(HERD_CONTAINER_OF(link, struct group, link));
    }
    if (from < events->ring.first && events->ring.first < events->ring.next) {
        /* An id so long that it drove out others of this tick. */
        from = events->ring.first;
        for (struct herd_list *link = events->groups.next; link != &events->groups; link = link->next)
            all_behind(HERD_CONTAINER_OF(link, struct group, link));
    }
    return from;
}

/* ---- snapshots ---- */

static void begin_snapshot(struct viewer *viewer)
{
    viewer->behind = viewer->resumes = false;
    viewer->snapshot = viewer->first = true;
    viewer->slot = 0;
    viewer->since = viewer->group->events->ring.next - 1;
}

/* A piece of what there is; returns how many slots it looked at. */
static uint32_t send_piece(struct viewer *viewer, uint32_t slots_most)
{
    struct group *group = viewer->group;
    struct events *events = group->events;
    struct herd_node *node = events->http->server->node;
    struct herd_store *store = herd_node_store(node);
    struct herd_buf *out = &events->out;
    const uint32_t slots = herd_store_slots(store), begin = viewer->slot;
    uint32_t count = 0;
    out->len = 0;
    int err = put_event(out, "snapshot");
    if (err >= 0)
        err = herd_buf_add_text(out, viewer->first ? "{\"first\":true,\"features\":["
                                                   : "{\"first\":false,\"features\":[");
    while (err >= 0 && viewer->slot < slots && viewer->slot - begin < slots_most && count < FEATURES_A_PIECE) {
        struct herd_record record;
        if (!herd_store_get_slot(store, viewer->slot++, &record) ||
            !herd_event_filter_has(&group->filter, &record) || !may_see(group, record.id) ||
            herd_expired(node, &record))
            continue;
        note_shown(group, record.id);
        err = count++ ? herd_buf_add(out, ",", 1) : 0;
        if (err >= 0)
            err = herd_feature_put(out, &record);
    }
    const bool last = viewer->slot >= slots;
    if (err >= 0)
        err = herd_buf_add_text(out, last ? "],\"last\":true}" : "],\"last\":false}");
    if (err >= 0)
        err = last ? put_id(events, out, viewer->since)
                   : herd_buf_add_text(out, viewer->first ? "\nid:\n\n" : "\n\n"); /* what it had is void */
    if (err < 0)
        viewer->behind = true;
    else if (count > 0 || viewer->first || last)
        send_text(viewer, text_of(out));
    viewer->first = viewer->first && err < 0;
    viewer->snapshot = !last;
    return viewer->slot - begin + 1;
}

/* ---- the tick ---- */

static bool takes_more(const struct viewer *viewer, size_t part)
{
    return herd_http_stream_unsent(viewer->stream) <= herd_http_stream_pause_bytes(viewer->stream) / part;
}

/* What one viewer alone is owed; returns what of the tick's work is left. */
static uint32_t serve(struct viewer *viewer, uint32_t left)
{
    if (!takes_more(viewer, 1))
        viewer->behind = true;
    if (viewer->behind && takes_more(viewer, 2))
        begin_snapshot(viewer);
    if (viewer->behind || left == 0)
        return left;
    uint32_t used = 0;
    if (viewer->resumes) {
        viewer->resumes = false;
        if (herd_event_ring_has_all_after(&viewer->group->events->ring, viewer->since)) {
            used = (uint32_t)(viewer->group->events->ring.next - viewer->since) * 4;
            send_missed(viewer, viewer->since + 1);
        } else {
            begin_snapshot(viewer);
        }
    }
    if (viewer->snapshot)
        used += send_piece(viewer, left);
    return used < left ? left - used : 0;
}

static uint32_t serve_group(struct group *group, bool beats, uint32_t left)
{
    static const struct herd_span heartbeat = {":\n\n", 3};
    for (struct herd_list *link = group->viewers.next; link != &group->viewers; link = link->next) {
        struct viewer *viewer = HERD_CONTAINER_OF(link, struct viewer, link);
        if (beats && !viewer->behind)
            send_text(viewer, heartbeat);
        left = serve(viewer, left);
    }
    /* As with groups: those that begin anew and anew do not starve the others. */
    struct herd_list *first = group->viewers.next;
    herd_list_remove(first);
    herd_list_append(&group->viewers, first);
    return left;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct events *events = arg;
    const bool beats = ++events->ticks % HEARTBEAT_TICKS == 0;
    struct herd_list *link;
    size_t groups = 0;
    uint32_t left = SLOTS_A_TICK;
    for (link = events->groups.next; link != &events->groups; link = link->next)
        groups++;
    const uint64_t from = take_changes(events, groups);
    const bool failed = prepare(events, from, events->ring.next) < 0;
    for (link = events->groups.next; link != &events->groups; link = link->next) {
        struct group *group = HERD_CONTAINER_OF(link, struct group, link);
        if (failed)
            all_behind(group);
        else if (events->change_count > 0)
            send_to_group(group, events->ring.next - 1);
    }
    for (link = events->groups.next; link != &events->groups; link = link->next)
        left = serve_group(HERD_CONTAINER_OF(link, struct group, link), beats, left);
    /* Who was served first comes last next time: the work of a tick reaches everybody in turn. */
    link = events->groups.next;
    herd_list_remove(link);
    herd_list_append(&events->groups, link);
}

/* ---- a viewer comes ---- */

static int wake_up(struct events *events)
{
    if (events->watch)
        return 0;
    herd_event_ring_forget(&events->ring);
    events->changes = malloc(CHANGES_A_TICK * sizeof *events->changes);
    if (events->changes && herd_watch_open(events->http->server->node, &events->watch) >= 0 &&
        event_add(events->timer, &(struct timeval){0, TICK_US}) == 0)
        return 0;
    fall_asleep(events);
    return HERD_E_NOMEM;
}

static struct group *find_group(struct events *events, const struct herd_event_filter *filter,
                                const struct herd_identity *identity)
{
    for (struct herd_list *link = events->groups.next; link != &events->groups; link = link->next) {
        struct group *group = HERD_CONTAINER_OF(link, struct group, link);
        if (group->identity == identity &&
            herd_span_equal((struct herd_span){group->filter.text, group->filter.text_len},
                            (struct herd_span){filter->text, filter->text_len}))
            return group;
    }
    return NULL;
}

/* The group of a filter, which it takes. NULL: no memory; the filter is freed. */
static struct group *join(struct events *events, struct herd_event_filter *filter,
                          const struct herd_identity *identity)
{
    struct group *group = find_group(events, filter, identity);
    if (group) {
        herd_event_filter_fini(filter);
        return group;
    }
    group = calloc(1, sizeof *group);
    if (!group) {
        herd_event_filter_fini(filter);
        return NULL;
    }
    *group = (struct group){.events = events, .filter = *filter, .identity = identity};
    herd_list_init(&group->viewers);
    herd_list_append(&events->groups, &group->link);
    return group;
}

/* Where a stream that was cut left off: "INCARNATION-CHANGE". */
static bool read_last_id(const struct events *events, const struct herd_http_exchange *exchange,
                         uint64_t *ret_change)
{
    struct herd_span value;
    char text[EVENT_ID_MAX], expected[EVENT_ID_MAX];
    if (!herd_http_header(exchange, "Last-Event-ID", &value) || value.len >= sizeof text)
        return false;
    memcpy(text, value.at, value.len);
    text[value.len] = '\0';
    int len = snprintf(expected, sizeof expected, "%" PRIx64 "-", (uint64_t)events->http->server->start_wall_ns);
    if (strncmp(text, expected, (size_t)len) != 0 || text[len] < '0' || text[len] > '9')
        return false;
    *ret_change = strtoull(text + len, NULL, 10);
    return herd_event_ring_has_all_after(&events->ring, *ret_change);
}

static void greet(struct viewer *viewer)
{
    const struct herd_server *server = viewer->group->events->http->server;
    struct herd_span name = herd_node_name(server->node);
    char text[256];
    int len = snprintf(text, sizeof text,
                       "retry: 2000\n\nevent: hello\ndata: {\"server\":\"%.*s\",\"expire_ms\":%" PRId64 "}\n\n",
                       (int)name.len, name.at, (int64_t)server->limits->expire_ms);
    send_text(viewer, (struct herd_span){text, (size_t)len});
}

static int get_events(struct herd_http_exchange *exchange)
{
    struct events *events = exchange->state;
    struct herd_event_filter filter;
    const char *why = "";
    int err = herd_event_filter_read(&filter, exchange, &why);
    if (err == HERD_E_SYNTAX)
        return herd_http_problem(exchange, 400, "query", "Bad query", why);
    if (err < 0)
        return err;
    struct viewer *viewer = calloc(1, sizeof *viewer);
    struct group *group = viewer ? join(events, &filter, exchange->identity) : NULL;
    if (!viewer)
        herd_event_filter_fini(&filter);
    if (!group) {
        free(viewer);
        return HERD_E_NOMEM;
    }
    viewer->group = group;
    herd_list_append(&group->viewers, &viewer->link);
    err = wake_up(events);
    viewer->resumes = err >= 0 && !group->filter.in_bbox && read_last_id(events, exchange, &viewer->since);
    if (err >= 0)
        err = herd_http_stream(exchange, "text/event-stream", on_closed, viewer, &viewer->stream);
    if (err < 0) {
        free_viewer(viewer);
        return err == HERD_E_LIMIT || err == HERD_E_STATE ? 0 : err;
    }
    if (!viewer->resumes)
        begin_snapshot(viewer);
    greet(viewer);
    return 0;
}

/* ---- the module ---- */

static int open_events(struct herd_http *http, void **ret_state)
{
    struct events *events = calloc(1, sizeof *events);
    if (!events)
        return HERD_E_NOMEM;
    events->http = http;
    herd_list_init(&events->groups);
    evutil_secure_rng_get_bytes(events->key, sizeof events->key);
    events->timer = event_new(http->server->base, -1, EV_PERSIST, on_tick, events);
    if (!events->timer) {
        free(events);
        return HERD_E_NOMEM;
    }
    *ret_state = events;
    return 0;
}

/* Who may see what may have changed: viewers come again, and go on where they were. */
static void reload_events(void *state)
{
    struct events *events = state;
    if (!events->watch || !events->http->server->trust->identities)
        return;
    while (!herd_list_empty(&events->groups)) {
        struct group *group = HERD_CONTAINER_OF(events->groups.next, struct group, link);
        struct viewer *viewer = HERD_CONTAINER_OF(group->viewers.next, struct viewer, link);
        herd_http_stream_end(viewer->stream);
        free_viewer(viewer);
    }
}

static void close_events(void *state)
{
    struct events *events = state;
    fall_asleep(events);
    event_free(events->timer);
    herd_event_ring_forget(&events->ring);
    free(events);
}

static const struct herd_http_route routes[] = {
    {.methods = HERD_HTTP_ON_GET, .path = "/v1/events", .handler = get_events, .right = HERD_HTTP_CLIENT},
};

const struct herd_http_module herd_http_events = {
    .routes = routes,
    .route_count = sizeof routes / sizeof *routes,
    .open = open_events,
    .reload = reload_events,
    .close = close_events,
};
