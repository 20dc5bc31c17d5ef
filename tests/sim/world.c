/* SPDX-License-Identifier: MIT */
/* Events in the order of time, clocks, and what becomes of each event. */
#include "world.h"

#include <stdlib.h>

/* ---- events ---- */

static bool before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

void world_event(struct world *w, int64_t at, enum event_kind kind, uint32_t a, uint32_t b, uint32_t stamp)
{
    if (w->heap_len == w->heap_cap) {
        w->heap_cap = w->heap_cap ? w->heap_cap * 2 : 256;
        w->heap = realloc(w->heap, w->heap_cap * sizeof *w->heap);
    }
    struct event e = {at < w->now ? w->now : at, w->seq++, kind, a, b, stamp};
    size_t i = w->heap_len++;
    for (; i > 0 && before(&e, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = e;
}

bool world_next(struct world *w, struct event *ret)
{
    if (w->heap_len == 0)
        return false;
    *ret = w->heap[0];
    struct event last = w->heap[--w->heap_len];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < w->heap_len; i = child) {
        if (child + 1 < w->heap_len && before(&w->heap[child + 1], &w->heap[child]))
            child++;
        if (!before(&w->heap[child], &last))
            break;
        w->heap[i] = w->heap[child];
    }
    w->heap[i] = last;
    return true;
}

/* ---- small things ---- */

struct herd_now world_clock(const struct world *w, int node)
{
    const struct sim_node *n = &w->nodes[node];
    int64_t drift_ns = (w->now - n->drift_since) / 1000000 * n->drift_ppm;
    return (struct herd_now){INT64_C(1621464828000000000) + w->now + n->wall_off + drift_ns,
                             w->now + n->steady_off};
}

struct edge *world_edge(struct world *w, int a, int b)
{
    return a < b ? &w->edge[a][b] : &w->edge[b][a];
}

void world_enter(struct world *w, int node)
{
    if (w->nodes[node].oom_one_in && w->out.len == 0)
        herd_buf_fini(&w->out); /* what was allocated in better times is no help */
    sim_alloc.one_in = w->nodes[node].oom_one_in;
}

void world_leave(struct world *w)
{
    (void)w;
    sim_alloc.one_in = 0;
}

void world_trace(struct world *w, uint64_t what)
{
    w->trace = mix(w->trace, what);
}

/* ---- steps ---- */

void world_step(struct world *w, const struct event *e)
{
    w->now = e->at;
    switch (e->kind) {
    case EV_MOVE: {
        struct conn *conn = &w->conns[e->a];
        if (conn->used && conn->serial == e->stamp)
            world_move(w, &conn->end[e->b]);
        break;
    }
    case EV_TICK: {
        struct sim_node *n = &w->nodes[e->a];
        if (!n->node || n->starts != e->stamp || (e->at != n->tick_at && n->tick_at != 0))
            break;
        if (n->paused_until > w->now) {
            n->tick_at = n->paused_until;
            world_event(w, n->tick_at, EV_TICK, e->a, 0, n->starts);
            break;
        }
        n->tick_at = 0;
        world_scans(w, (int)e->a);
        world_enter(w, (int)e->a);
        herd_node_tick(n->node, world_clock(w, (int)e->a));
        world_leave(w);
        model_tick(w, (int)e->a);
        world_turn(w, (int)e->a);
        break;
    }
    case EV_TURN: {
        struct sim_node *n = &w->nodes[e->a];
        if (!n->node || n->starts != e->stamp)
            break;
        if (n->paused_until > w->now)
            world_event(w, n->paused_until, EV_TURN, e->a, 0, n->starts);
        else
            world_turn(w, (int)e->a);
        break;
    }
    case EV_DIAL_FAILED: {
        struct sim_node *n = &w->nodes[e->a];
        if (n->node && n->starts == e->stamp) {
            n->failing[e->b]--;
            herd_node_dial_failed(n->node, e->b, world_clock(w, (int)e->a));
            world_turn(w, (int)e->a);
        }
        break;
    }
    case EV_START:
        if (w->nodes[e->a].starts != e->stamp || w->nodes[e->a].node)
            break;
        if ((int)e->a < w->count)
            world_start(w, (int)e->a);
        else
            w->nodes[e->a].up = true;
        break;
    case EV_OP: load_op(w); break;
    case EV_AUTH: load_late(w, e->a); break;
    case EV_FAULT: fault_event(w, e); break;
    }
}

void world_free(struct world *w)
{
    for (int i = 0; i < w->count + w->plains; i++) {
        struct sim_node *n = &w->nodes[i];
        if (n->node)
            world_crash(w, i, true);
        free(n->has);
        free(n->watched);
        free(n->slots);
        free(n->lives);
        disk_free(n);
    }
    for (uint32_t i = 0; i < w->conn_top; i++)
        for (int k = 0; w->conns[i].used && k < 2; k++)
            herd_buf_fini(&w->conns[i].end[k].in);
    free(w->conns);
    free(w->heap);
    herd_buf_fini(&w->out);
    model_fini(&w->model);
}
