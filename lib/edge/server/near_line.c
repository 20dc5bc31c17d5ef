/* SPDX-License-Identifier: MIT */
/*
 * NEAR who radius limit: clients within `radius` kilometres of a place or of a client, the nearest first; one line each, and
 * a last one that says how many there were and whether there are more.
 *
 *     NEAR +48.8584+2.2945 0.2 10        NEAR 12.34 AT Riley +0.26 kiwi +48.8585+2.2945 1621464827.9
 *                                        NEAR END 1
 */
#include "near_line.h"

#include "../../core/node/access.h"
#include "../../core/protocol/decimal.h"
#include "../../core/protocol/fields.h"
#include "search.h"
#include "server_impl.h"

#include <herd/geo.h>
#include <herd/protocol.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_MAX    1000
#define LIMIT_DIGITS 4
#define RADIUS_MAX   32 /* bytes */

struct near_call {
    struct herd_ticket_call call;
    struct herd_server *server;
    uint64_t ticket;
    struct herd_search *search;
    struct herd_buf reply;
    size_t count;
    bool ended;
    bool starting; /* herd_search_begin is on the stack */
};

static void free_call(struct near_call *call)
{
    herd_buf_fini(&call->reply);
    free(call);
}

static void on_cancel(struct herd_ticket_call *ticket_call)
{
    struct near_call *call = HERD_CONTAINER_OF(ticket_call, struct near_call, call);
    herd_search_cancel(call->search);
    free_call(call);
}

/* Metres with two decimals: nothing depends on how a double is printed. */
static int put_distance(struct herd_buf *out, double distance_m)
{
    char text[48];
    uint64_t cm = (uint64_t)(distance_m * 100 + 0.5);
    int len = snprintf(text, sizeof text, "NEAR %" PRIu64 ".%02u ", cm / 100, (unsigned)(cm % 100));
    return herd_buf_add(out, text, (size_t)len);
}

static int on_hit(void *ctx, const struct herd_area_hit *hit)
{
    struct near_call *call = ctx;
    const struct herd_record *record = &hit->record;
    if (call->count > 0 && call->reply.len > (size_t)call->server->limits->output_max_bytes / 2)
        return 1;
    int err = put_distance(&call->reply, hit->distance_m);
    call->count++;
    return err < 0 ? err
                   : herd_format_at(&call->reply, record->server, record->diff, record->id, record->position,
                                    record->time);
}

static void on_done(void *ctx, int err, bool truncated)
{
    struct near_call *call = ctx;
    char text[48];
    call->ended = true;
    call->search = NULL;
    if (err >= 0) {
        int len = snprintf(text, sizeof text, "NEAR %s %zu\n", truncated ? "MORE" : "END", call->count);
        err = herd_buf_add(&call->reply, text, (size_t)len);
    }
    struct herd_span reply = {call->reply.at, call->reply.len};
    if (err >= 0)
        herd_lookups_reply(call->server, call->ticket, &reply);
    else if (err == HERD_E_ACCESS)
        herd_lookups_reply(call->server, call->ticket, NULL);
    else
        herd_lookups_reply(call->server, call->ticket, &(struct herd_span){"NEAR BUSY\n", 10});
    if (!call->starting)
        free_call(call);
}

static const struct herd_search_asker asker = {.hit = on_hit, .done = on_done};

/* ---- the line ---- */

static bool read_limit(struct herd_span text, size_t *ret_limit)
{
    size_t limit = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        limit = limit * 10 + (size_t)(text.at[i] - '0');
    }
    *ret_limit = limit;
    return text.len > 0 && text.len <= LIMIT_DIGITS && limit >= 1 && limit <= LIMIT_MAX;
}

/* Kilometres: digits [. digits]. */
static bool read_radius(struct herd_span text, double *ret_radius_m)
{
    char digits[RADIUS_MAX + 1] = "+";
    const char *end = text.at + text.len, *stop;
    struct herd_decimal decimal;
    if (text.len > RADIUS_MAX || !(stop = herd_decimal_scan(text.at, end, end, &decimal)) || stop != end)
        return false;
    memcpy(digits + 1, text.at, text.len);
    *ret_radius_m = herd_coordinate_degrees((struct herd_span){digits, text.len + 1}) * 1000;
    return true;
}

/* Where it is asked about. False: no such client, or not theirs. */
static bool read_who(struct herd_server *server, struct herd_conn *conn, struct herd_span who,
                     struct herd_area_question *ret_question)
{
    struct herd_position position;
    struct herd_record record;
    int err = herd_position_parse(who, &position);
    if (err == HERD_E_RANGE)
        return false;
    if (err < 0) {
        if (!herd_access_ask(conn->session, who) || herd_node_find(server->node, who, herd_clock(), &record) < 0 ||
            herd_position_parse(record.position, &position) < 0)
            return false;
        ret_question->except = who;
    }
    ret_question->lat_deg = herd_coordinate_degrees(position.lat);
    ret_question->lon_deg = herd_coordinate_degrees(position.lon);
    return true;
}

static bool read_line(struct herd_server *server, struct herd_conn *conn, const struct herd_span fields[4],
                      struct herd_area_question *ret_question, double *ret_radius_m)
{
    *ret_question = (struct herd_area_question){.by_distance = true};
    return read_radius(fields[2], ret_radius_m) && read_limit(fields[3], &ret_question->limit) &&
           read_who(server, conn, fields[1], ret_question);
}

static int begin(struct near_call *call, struct herd_conn *conn, const struct herd_area_question *question,
                 double radius_m)
{
    struct herd_shape *shape = NULL;
    int err = herd_shape_circle(&shape, question->lat_deg, question->lon_deg, radius_m);
    if (err >= 0) {
        call->starting = true;
        err = herd_search_begin(call->server, conn, question, shape, &asker, call, &call->search);
        call->starting = false;
    }
    if (err < 0)
        herd_shape_free(shape);
    return err;
}

bool herd_near_line(struct herd_server *server, const struct herd_effect *effect)
{
    struct herd_span fields[4], line = effect->detail;
    struct herd_area_question question;
    double radius_m;
    if (!server->area || !server->limits->near_line)
        return false;
    size_t count = herd_fields(line, line.at + line.len, fields, 4);
    if (count == 0 || !herd_span_equal(fields[0], herd_span_of("NEAR")))
        return false;
    const uint64_t ticket = effect->ticket;
    struct herd_conn *conn = herd_session_user(effect->session);
    if (count != 4 || !read_line(server, conn, fields, &question, &radius_m)) {
        herd_lookups_reply(server, ticket, NULL);
        return true;
    }
    struct near_call *call = calloc(1, sizeof *call);
    int err = call ? 0 : HERD_E_NOMEM;
    if (call) {
        *call = (struct near_call){.call = {on_cancel}, .server = server, .ticket = ticket};
        err = begin(call, conn, &question, radius_m);
    }
    if (err >= 0 && !call->ended) {
        herd_ticket_user(server->node, ticket, &call->call);
        return true;
    }
    if (call)
        free_call(call);
    if (err < 0)
        herd_lookups_reply(server, ticket, err == HERD_E_ACCESS ? NULL : &(struct herd_span){"NEAR BUSY\n", 10});
    return true;
}
