/* SPDX-License-Identifier: MIT */
/* Connections: how they begin and end, what is on its way, and what may be said on them. */
#include "world.h"

#include "hash.h"

#include <stdlib.h>
#include <string.h>

struct conn *world_connect(struct world *w, int a, int b)
{
    uint32_t i = 0;
    while (i < w->conn_top && w->conns[i].used)
        i++;
    if (i == CONNS_MAX)
        sim_fail(w, "%d connections at once", CONNS_MAX);
    if (i == w->conn_top)
        w->conn_top++;
    struct conn *conn = &w->conns[i];
    *conn = (struct conn){.used = true, .serial = ++w->serial};
    conn->end[0] = (struct end){.conn = conn, .node = a};
    conn->end[1] = (struct end){.conn = conn, .node = b};
    return conn;
}

static void release(struct world *w, struct conn *conn)
{
    for (int i = 0; i < 2; i++)
        herd_buf_fini(&conn->end[i].in);
    conn->used = false;
    while (w->conn_top > 0 && !w->conns[w->conn_top - 1].used)
        w->conn_top--;
}

void world_wake(struct world *w, struct end *end)
{
    struct conn *conn = end->conn;
    if (end->moving || end->closed || conn->black_hole)
        return;
    int64_t at = w->now + 1;
    struct end *from = other_end(end);
    if (end->node >= 0 && from->node >= 0) {
        struct edge *edge = world_edge(w, from->node, end->node);
        bool up = from->node < end->node;
        at += edge->latency_ns + (int64_t)rng_below(&w->network, (uint64_t)w->jitter_ns + 1) + edge->gap_ns[!up];
        if (edge->stalled_until[!up] > at)
            at = edge->stalled_until[!up];
    } else {
        at += rng_in(&w->network, 0, MS);
    }
    end->moving = true;
    world_event(w, at, EV_MOVE, (uint32_t)(conn - w->conns), end == &conn->end[1], conn->serial);
}

/* Sees each line that a node writes to a link. */
static void see_line(struct world *w, struct end *to, struct herd_span line)
{
    struct conn *conn = to->conn;
    struct end *from = other_end(to);
    if (line.len < 3)
        sim_fail(w, "a strange line: %.*s", (int)line.len, line.at);
    if (line.at[0] == 'G' && to->node >= w->count)
        sim_fail(w, "%s tells a plain neighbour: %.*s", w->nodes[from->node].name, (int)line.len, line.at);
    if (line.at[0] != 'A' && line.at[0] != 'G') {
        bool frame =
            line.at[0] == 'R' || line.at[0] == 'L' || line.at[0] == 'S' || (line.at[0] == 'P' && line.at[1] == 'U');
        conn->epoch += frame;
        to->frames += frame;
        return;
    }
    int32_t version = model_find(&w->model, line);
    if (version == NO_VERSION)
        sim_fail(w, "%s says what nobody reported: %.*s", w->nodes[from->node].name, (int)line.len, line.at);
    if (w->verbose)
        sim_say(w, "LINE %s %d: %.*s", w->nodes[from->node].name, to->node, (int)line.len, line.at);
    w->figures->lines++;
    struct version *v = &w->model.versions[version];
    v->sent_calm++;
    if (from->node >= 0 && model_order(&w->model, version, w->nodes[from->node].has[v->key]) != 0)
        sim_fail(w, "%s says an old value: %.*s; it holds version %d of %u", w->nodes[from->node].name,
                 (int)line.len, line.at, w->nodes[from->node].has[v->key], (unsigned)version);
    uint64_t side = from == &conn->end[1];
    uint64_t what = (uint64_t)conn->serial << 36 | (uint64_t)(uint32_t)version << 4 | side << 1;
    uint32_t epoch = model_epoch(w, to, v->key);
    if (!model_note(&w->model, what, epoch))
        sim_fail(w, "%s says twice: %.*s", w->nodes[from->node].name, (int)line.len, line.at);
    if (model_noted(&w->model, what | 1, epoch))
        sim_fail(w, "%s echoes: %.*s", w->nodes[from->node].name, (int)line.len, line.at);
}

void world_see_lines(struct world *w, struct end *to)
{
    for (size_t at = 0; at < w->out.len;) {
        const char *lf = memchr(w->out.at + at, '\n', w->out.len - at);
        if (!lf)
            sim_fail(w, "%s says half a line", w->nodes[other_end(to)->node].name);
        size_t line = (size_t)(lf - w->out.at) - at;
        see_line(w, to, (struct herd_span){w->out.at + at, line});
        at += line + 1;
    }
}

void world_send(struct world *w, struct end *to, const char *at, size_t len)
{
    if (len == 0)
        return;
    world_trace(w, herd_hash((uint64_t)w->now, at, len));
    if (other_end(to)->closed || (to->closed && !to->conn->black_hole))
        return;
    if (herd_buf_add(&to->in, at, len) < 0)
        abort();
    world_wake(w, to); /* in a black hole it lies for ever, and fills the sender's buffer */
}

void world_send_out(struct world *w, struct end *from)
{
    world_send(w, other_end(from), w->out.at, w->out.len);
    w->out.len = 0;
}

void world_close_end(struct world *w, struct end *end)
{
    struct end *other = other_end(end);
    if (end->session)
        herd_session_close(end->session);
    end->session = NULL;
    end->closed = true;
    end->in.len = end->shown = 0;
    end->frames = 0;
    if (end->conn->black_hole && !other->session)
        other->closed = true; /* nobody is there who could notice */
    if (other->closed)
        release(w, end->conn);
}

void world_close(struct world *w, struct end *end)
{
    if (end->closed)
        return;
    other_end(end)->eof = true;
    world_wake(w, other_end(end));
    world_close_end(w, end);
}

void world_break(struct world *w, struct conn *conn, bool told)
{
    if (conn->end[0].node >= w->count || conn->end[1].node >= w->count) {
        foreign_break(w, conn);
        return;
    }
    for (int i = 0; i < 2; i++) {
        struct end *end = &conn->end[i];
        size_t keep = (size_t)rng_in(&w->network, (int64_t)end->shown, (int64_t)end->in.len);
        end->torn = end->torn || keep < end->in.len;
        end->in.len = keep;
        if (told) {
            end->eof = true;
            world_wake(w, end);
        }
    }
    if (!told)
        conn->black_hole = true;
}
