/* SPDX-License-Identifier: MIT */
/*
 * WATCH fence, or WATCH * for every one: from now on events of it are sent as lines, between the replies to commands. WATCH alone
 * ends that.
 *
 *     WATCH station                      WATCH station
 *                                        FENCE enter station AT Riley +0.26 kiwi +48.8585+2.2945 1621464827.9
 *                                        FENCE leave station GONE kiwi
 *                                        FENCE enter close NEAR 13.31 emu AT Riley +0.26 kiwi +48.8585+2.2945 1621464827.9
 *
 * A client that does not take what it is sent is skipped, and told how many events it did not get: FENCE LOST count.
 */
#include "watch_line.h"

#include "../../core/node/access.h"
#include "../../core/protocol/fields.h"
#include "area.h"
#include "conn.h"
#include "fence_event.h"

#include <herd/protocol.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- events ---- */

static bool names(const struct herd_line_watch *watch, struct herd_span fence)
{
    if (watch->count == 0)
        return false;
    const char *at = watch->names.at, *end = at + watch->names.len;
    while (at < end) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        if (herd_span_equal((struct herd_span){at, (size_t)(lf - at)}, fence))
            return true;
        at = lf + 1;
    }
    return false;
}

/* The other one of two that are near each other, and how near. */
static int put_other(struct herd_buf *out, const struct herd_fence_event *event)
{
    char text[48];
    const uint64_t cm = (uint64_t)(event->distance_m * 100 + 0.5);
    const int len = snprintf(text, sizeof text, " NEAR %" PRIu64 ".%02u ", cm / 100, (unsigned)(cm % 100));
    int err = herd_buf_add(out, text, (size_t)len);
    return err < 0 ? err : herd_buf_add(out, event->other.at, event->other.len);
}

static int put_line(struct herd_buf *out, const struct herd_fence_event *event)
{
    const struct herd_record *record = &event->record;
    int err = herd_buf_add_text(out, "FENCE ");
    if (err >= 0)
        err = herd_buf_add_text(out, herd_fence_kind_name(event->kind));
    if (err >= 0)
        err = herd_buf_add(out, " ", 1);
    if (err >= 0)
        err = herd_buf_add(out, event->fence.at, event->fence.len);
    if (err >= 0 && event->other.len > 0)
        err = put_other(out, event);
    if (err >= 0)
        err = herd_buf_add_text(out, event->gone ? " GONE " : " ");
    if (err >= 0 && !event->gone)
        return herd_format_at(out, record->server, record->diff, record->id, record->position, record->time);
    if (err >= 0)
        err = herd_buf_add(out, record->id.at, record->id.len);
    return err < 0 ? err : herd_buf_add(out, "\n", 1);
}

static void send_lost(struct herd_conn *conn)
{
    char text[48];
    int len = snprintf(text, sizeof text, "FENCE LOST %" PRIu64 "\n", conn->watch->lost);
    conn->watch->lost = 0;
    herd_conn_send(conn, (struct herd_span){text, (size_t)len});
}

static bool may_see(void *ctx, struct herd_span id)
{
    return herd_access_see(ctx, id);
}

/* May close the connection. */
static void tell(struct herd_conn *conn, const struct herd_fence_event *event, struct herd_buf *io_line)
{
    struct herd_line_watch *watch = conn->watch;
    if (!conn->session || !(watch->every || names(watch, event->fence)) ||
        !herd_fence_event_visible(event, may_see, conn->session))
        return;
    if (io_line->len == 0 && put_line(io_line, event) < 0) {
        io_line->len = 0;
        watch->lost++;
        return;
    }
    if (herd_conn_output_full(conn)) {
        watch->lost++;
        return;
    }
    if (watch->lost > 0)
        send_lost(conn);
    if (conn->watch)
        herd_conn_send(conn, (struct herd_span){io_line->at, io_line->len});
}

static void on_fence(void *ctx, const struct herd_fence_event *event)
{
    struct herd_server *server = ctx;
    struct herd_buf line = {0};
    struct herd_list *next;
    for (struct herd_list *at = server->line_watches.next; at != &server->line_watches; at = next) {
        next = at->next; /* closing one takes out no other */
        tell(HERD_CONTAINER_OF(at, struct herd_line_watch, link)->conn, event, &line);
    }
    herd_buf_fini(&line);
    herd_server_schedule_flush(server);
}

void herd_watch_lines_tell_lost(struct herd_server *server)
{
    struct herd_list *next;
    for (struct herd_list *at = server->line_watches.next; at != &server->line_watches; at = next) {
        struct herd_line_watch *watch = HERD_CONTAINER_OF(at, struct herd_line_watch, link);
        next = at->next; /* closing one takes out no other */
        if (watch->lost > 0 && watch->conn->session && !herd_conn_output_full(watch->conn))
            send_lost(watch->conn);
    }
}

/* ---- the line ---- */

static struct herd_line_watch *watch_of(struct herd_conn *conn)
{
    struct herd_server *server = conn->server;
    if (conn->watch || server->line_watch_count >= HERD_LINE_WATCHERS_MAX)
        return conn->watch;
    struct herd_line_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->conn = conn;
    conn->watch = watch;
    herd_list_append(&server->line_watches, &watch->link);
    if (server->line_watch_count++ == 0) {
        server->line_sink = (struct herd_fence_sink){.on_event = on_fence, .ctx = server};
        herd_server_fence_sink_add(server, &server->line_sink);
    }
    return watch;
}

/* HERD_E_LIMIT, HERD_E_NOMEM: as it was. */
static int add_name(struct herd_line_watch *watch, struct herd_span name)
{
    if (herd_span_equal(name, herd_span_of("*"))) {
        watch->every = true;
        return 0;
    }
    if (names(watch, name))
        return 0;
    if (watch->count == HERD_LINE_FENCES_MAX)
        return HERD_E_LIMIT;
    int err = herd_buf_reserve(&watch->names, name.len + 1);
    if (err < 0)
        return err;
    (void)herd_buf_add(&watch->names, name.at, name.len);
    (void)herd_buf_add(&watch->names, "\n", 1);
    watch->count++;
    return 0;
}

static int put_reply(struct herd_buf *out, const char *what, struct herd_span name)
{
    int err = herd_buf_add_text(out, what);
    if (err >= 0)
        err = herd_buf_add(out, name.at, name.len);
    return err < 0 ? err : herd_buf_add(out, "\n", 1);
}

/* HERD_E_LIMIT, HERD_E_NOMEM: as it was. */
static int add(struct herd_conn *conn, struct herd_span name)
{
    struct herd_line_watch *watch = watch_of(conn);
    int err = watch ? add_name(watch, name) : HERD_E_LIMIT;
    if (watch && watch->count == 0 && !watch->every)
        herd_conn_unwatch(conn);
    return err;
}

bool herd_watch_line(struct herd_server *server, const struct herd_effect *effect)
{
    struct herd_span fields[2], line = effect->detail;
    if (!server->area || !server->limits->watch_line)
        return false;
    size_t count = herd_fields(line, line.at + line.len, fields, 2);
    if (count == 0 || !herd_span_equal(fields[0], herd_span_of("WATCH")))
        return false;
    struct herd_conn *conn = herd_session_user(effect->session);
    struct herd_buf out = {0};
    int err = 0;
    if (server->node->options.access && !herd_session_identity(effect->session)) {
        err = HERD_E_ACCESS; /* who may ask for nobody takes no place of others */
    } else if (count == 1) {
        herd_conn_unwatch(conn);
        err = put_reply(&out, "WATCH", herd_span_of(""));
    } else if (count != 2 || !(herd_name_valid(fields[1]) || herd_span_equal(fields[1], herd_span_of("*")))) {
        err = HERD_E_SYNTAX;
    } else {
        err = put_reply(&out, "WATCH ", fields[1]); /* before it holds: what cannot be said does not */
        if (err >= 0 && add(conn, fields[1]) < 0) {
            out.len = 0;
            err = put_reply(&out, "WATCH BUSY", herd_span_of(""));
        }
    }
    const struct herd_span bytes = {out.at, out.len};
    herd_lookups_reply(server, effect->ticket, err >= 0 ? &bytes : NULL);
    herd_buf_fini(&out);
    return true;
}
