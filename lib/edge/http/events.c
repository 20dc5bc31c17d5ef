/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/events: what changes, as server-sent events.
 *
 *     event: hello      once: the server's name, and after how long a silent client is forgotten
 *     event: snapshot   what there is, in pieces; `first` says that all before is void, `last` that it is whole
 *     event: at         what changed since the last tick
 *     event: leave      who left the box, was deleted, or was silent for too long
 *     event: fence      what happened at a fence that was asked for; a stream of fences alone has none of the others
 *     event: lost       how many of these the viewer did not get, because it did not take what it was sent
 *
 * One timer serves all viewers, and runs only while there are any. What changed is formatted once, and once more put
 * together for each group of viewers with the same filter and the same rights. A viewer that does not take what it is
 * sent is paused: it is sent what it missed when it has, as long as the ring has that, else a new snapshot; memory does
 * not grow with what it missed. A stream that was cut goes on behind its Last-Event-ID likewise: a message bears an id
 * only where it leaves its viewer whole, so never during a snapshot. A box gets a new snapshot then, for who left it
 * meanwhile was forgotten.
 *
 * All of it is done in pieces, one in an iteration of the loop: a message to a few viewers; when all have it, some of what
 * changed is put together for the next; when the tick has no more of that, what viewers are owed one by one, as fast as they
 * take it. Messages of fences to a few and some heartbeats go beside these. No iteration looks at all viewers. The work of a
 * tick is bounded too: what is left stays in the change stream, where a client that changes again costs nothing more, and a
 * tick that comes before the last is done is left out.
 */
#include "events.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TICK_US         200000
#define HEARTBEAT_TICKS 75 /* 15 s */
/* Of an iteration of the loop: slots of a snapshot, or looks at a viewer, and heartbeats. */
#define SLOTS_A_TURN 1000
#define SLOTS_A_LOOK 20
#define BEATS_A_TURN 2

static void fall_asleep(struct herd_events *events)
{
    event_del(events->tick);
    event_del(events->pump);
    if (events->watch)
        herd_server_fence_sink_remove(&events->sink);
    herd_watch_close(events->watch);
    events->watch = NULL;
    free(events->changes);
    events->changes = NULL;
    herd_buf_fini(&events->features);
    herd_buf_fini(&events->out);
}

static void free_viewer(struct herd_viewer *viewer)
{
    struct herd_events *events = viewer->group->events;
    herd_viewer_free(viewer);
    if (herd_list_empty(&events->groups))
        fall_asleep(events);
}

static void on_closed(void *ctx)
{
    free_viewer(ctx);
}

/* The next piece, when the loop has been round. */
static void pump_soon(struct herd_events *events)
{
    if (!event_pending(events->pump, EV_TIMEOUT, NULL))
        (void)event_add(events->pump, &(struct timeval){0, 0}); /* else the next tick does it */
}

static void on_drained(void *ctx)
{
    const struct herd_viewer *viewer = ctx;
    if (!herd_viewer_waits(viewer))
        return;
    viewer->group->events->owed_passed = 0;
    pump_soon(viewer->group->events);
}

/* ---- who is served when ---- */

/* What viewers are owed one by one, in turn; whether some would take more now. */
static bool serve_owed(struct herd_events *events)
{
    uint32_t left = SLOTS_A_TURN;
    while (left > SLOTS_A_LOOK && events->owed_passed < events->owed_count) {
        struct herd_viewer *viewer = HERD_CONTAINER_OF(events->owed.next, struct herd_viewer, owed);
        herd_list_remove(&viewer->owed);
        herd_list_append(&events->owed, &viewer->owed);
        left -= SLOTS_A_LOOK;
        events->owed_passed++;
        if (herd_viewer_waits(viewer)) {
            const uint32_t before = left;
            left = herd_viewer_serve(viewer, left);
            if (left < before && !viewer->behind) /* else memory was short: at the next tick */
                events->owed_passed = 0;
        }
        if (!herd_viewer_is_owed(viewer))
            herd_viewer_owe_nothing(viewer);
    }
    return events->owed_passed < events->owed_count;
}

/* Spread over the ticks, so that there is no moment at which all are due. */
static bool beat_some(struct herd_events *events)
{
    static const struct herd_span heartbeat = {":\n\n", 3};
    if (events->beats > events->viewer_count)
        events->beats = events->viewer_count; /* others left meanwhile */
    for (int i = 0; i < BEATS_A_TURN && events->beats > 0; i++, events->beats--) {
        struct herd_viewer *viewer = HERD_CONTAINER_OF(events->viewers.next, struct herd_viewer, all);
        herd_list_remove(&viewer->all);
        herd_list_append(&events->viewers, &viewer->all);
        if (herd_viewer_takes_more(viewer, 1))
            herd_viewer_send(viewer, heartbeat);
    }
    return events->beats > 0;
}

/* A piece of work; whether more is left. */
static bool go_on(struct herd_events *events)
{
    bool more = herd_event_fences_go_on(events);
    more |= beat_some(events);
    if (events->ticking && !herd_event_changes_go_on(events)) {
        events->ticking = false;
        events->owed_passed = 0;
    }
    return events->ticking || serve_owed(events) || more;
}

/* Behind the end of the iteration, where replies to what was read in it leave: whoever asks does not wait for viewers. */
static void on_pump(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct herd_events *events = arg;
    if (what & EV_TIMEOUT) {
        event_active(events->pump, 0, 0);
        return;
    }
    /* Several, where lines had much of this iteration: a piece is two messages of each kind at most. */
    size_t pieces = 1 + events->http->server->more_replies / 2;
    bool more = !herd_list_empty(&events->groups);
    events->http->server->more_replies = 0;
    while (more && pieces-- > 0)
        more = go_on(events);
    if (more)
        pump_soon(events);
}

static void on_fence(void *ctx, const struct herd_fence_event *event)
{
    struct herd_events *events = ctx;
    if (herd_event_fence_take(events, event))
        pump_soon(events);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct herd_events *events = arg;
    events->beat_parts += events->viewer_count;
    events->beats += events->beat_parts / HEARTBEAT_TICKS;
    events->beat_parts %= HEARTBEAT_TICKS;
    if (!events->ticking)
        herd_event_changes_begin(events);
    events->ticking = true;
    event_active(events->pump, 0, 0);
}

/* ---- a viewer comes ---- */

static int wake_up(struct herd_events *events)
{
    if (events->watch)
        return 0;
    events->restricted = events->http->server->trust->identities != NULL;
    events->expire_ms = events->http->server->limits->expire_ms;
    herd_event_ring_forget(&events->ring);
    herd_event_expiry_begin(events);
    events->changes_left = events->beats = events->beat_parts = 0;
    events->ticking = false;
    events->prepare_at = events->ring.next;
    events->changes = malloc(HERD_EVENTS_A_PIECE * sizeof *events->changes);
    if (events->changes && herd_watch_open(events->http->server->node, &events->watch) >= 0 &&
        event_add(events->tick, &(struct timeval){0, TICK_US}) == 0) {
        events->sink = (struct herd_fence_sink){.on_event = on_fence, .ctx = events};
        herd_server_fence_sink_add(events->http->server, &events->sink);
        return 0;
    }
    herd_watch_close(events->watch);
    events->watch = NULL;
    fall_asleep(events);
    return HERD_E_NOMEM;
}

static bool goes_on(struct herd_viewer *viewer, const struct herd_http_exchange *exchange)
{
    struct herd_span id;
    return !viewer->group->filter.in_bbox && !viewer->group->filter.fences_only &&
           herd_http_header(exchange, "Last-Event-ID", &id) &&
           herd_event_read_id(viewer->group->events, id, &viewer->seen);
}

static void greet(struct herd_viewer *viewer)
{
    const struct herd_server *server = viewer->group->events->http->server;
    struct herd_span name = herd_node_name(server->node);
    char text[256];
    int len = snprintf(text, sizeof text,
                       "retry: 2000\n\nevent: hello\ndata: {\"server\":\"%.*s\",\"expire_ms\":%" PRId64 "}\n\n",
                       (int)name.len, name.at, (int64_t)server->limits->expire_ms);
    herd_viewer_send(viewer, (struct herd_span){text, (size_t)len});
}

static int get_events(struct herd_http_exchange *exchange)
{
    struct herd_events *events = exchange->state;
    struct herd_event_filter filter;
    const char *why = "";
    int err = herd_event_filter_read(&filter, exchange, &why);
    if (err >= 0 && herd_event_filter_wants_fences(&filter) && !exchange->server->area) {
        herd_event_filter_fini(&filter);
        why = "fences need area: true in the server's configuration";
        err = HERD_E_SYNTAX;
    }
    if (err == HERD_E_SYNTAX)
        return herd_http_problem(exchange, 400, "query", "Bad query", why);
    if (err < 0)
        return err;
    struct herd_viewer *viewer = calloc(1, sizeof *viewer);
    struct herd_viewers *group = viewer ? herd_viewers_join(events, &filter, exchange->identity) : NULL;
    if (!viewer)
        herd_event_filter_fini(&filter);
    if (!group) {
        free(viewer);
        return HERD_E_NOMEM;
    }
    herd_viewers_add(group, viewer);
    err = wake_up(events);
    viewer->paused = err >= 0 && goes_on(viewer, exchange);
    if (err >= 0)
        err = herd_http_stream(exchange, "text/event-stream", on_closed, viewer, &viewer->stream);
    if (err < 0) {
        free_viewer(viewer);
        return err == HERD_E_LIMIT || err == HERD_E_STATE ? 0 : err;
    }
    herd_http_stream_on_drained(viewer->stream, on_drained);
    if (viewer->paused)
        herd_viewer_owe(viewer);
    else if (!group->filter.fences_only)
        herd_event_snapshot_begin(viewer);
    greet(viewer);
    pump_soon(events);
    return 0;
}

/* ---- the module ---- */

static void free_events(struct herd_events *events)
{
    if (events->tick)
        event_free(events->tick);
    if (events->pump)
        event_free(events->pump);
    free(events);
}

static int open_events(struct herd_http *http, void **ret_state)
{
    struct herd_events *events = calloc(1, sizeof *events);
    if (!events)
        return HERD_E_NOMEM;
    events->http = http;
    herd_list_init(&events->groups);
    herd_list_init(&events->viewers);
    herd_list_init(&events->owed);
    herd_list_init(&events->fencing);
    events->group_at = &events->groups;
    evutil_secure_rng_get_bytes(events->key, sizeof events->key);
    events->tick = event_new(http->server->base, -1, EV_PERSIST, on_tick, events);
    events->pump = event_new(http->server->base, -1, 0, on_pump, events);
    if (!events->tick || !events->pump) {
        free_events(events);
        return HERD_E_NOMEM;
    }
    *ret_state = events;
    return 0;
}

/* Who may see what may have changed, or who expires when: viewers come again. */
static void reload_events(void *state)
{
    struct herd_events *events = state;
    const struct herd_server *server = events->http->server;
    if (!events->watch ||
        (!events->restricted && !server->trust->identities && events->expire_ms == server->limits->expire_ms))
        return;
    while (!herd_list_empty(&events->groups)) {
        struct herd_viewers *group = HERD_CONTAINER_OF(events->groups.next, struct herd_viewers, link);
        struct herd_viewer *viewer = HERD_CONTAINER_OF(group->viewers.next, struct herd_viewer, link);
        herd_http_stream_end(viewer->stream);
        free_viewer(viewer);
    }
}

static void close_events(void *state)
{
    struct herd_events *events = state;
    fall_asleep(events);
    herd_event_ring_forget(&events->ring);
    free_events(events);
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
