/* SPDX-License-Identifier: MIT */
/* A node's turn: what it wants done, its links filled, its watcher, its next tick; and how it starts and crashes. */
#include "world.h"

#include "node_impl.h"

#include <string.h>

int64_t world_ping(const struct world *w, struct rng *r)
{
    return w->ping_ns / 10 * rng_in(r, 10, 20);
}

/* Some time the node hears that a dial failed, or that what it said did not arrive. */
void world_dial_fails(struct world *w, int node, size_t peer, int64_t latest_ns)
{
    w->nodes[node].failing[peer]++;
    world_event(w, w->now + rng_in(&w->network, MS, latest_ns), EV_DIAL_FAILED, (uint32_t)node, (uint32_t)peer,
                w->nodes[node].starts);
}

static void dial(struct world *w, int from, size_t peer)
{
    struct sim_node *n = &w->nodes[from];
    int to = n->peers[peer];
    struct edge *edge = world_edge(w, from, to);
    bool plain = to >= w->count, behind = n->node->peers[peer]->needs_full_send;
    if (edge->cut || !(plain ? w->nodes[to].up : w->nodes[to].node != NULL)) {
        if (!edge->cut_silently && rng_one_in(&w->network, 2))
            herd_node_dial_failed(n->node, peer, world_clock(w, from));
        else
            world_dial_fails(w, from, peer, 500 * MS);
        return;
    }
    struct conn *conn = world_connect(w, from, to);
    conn->end[1].unopened = !plain;
    w->out.len = 0;
    world_enter(w, from);
    int err =
        herd_session_connected(n->node, &conn->end[0].session, &conn->end[0], peer, world_clock(w, from), &w->out);
    world_leave(w);
    if (err < 0) {
        conn->end[0].session = NULL;
        world_close(w, &conn->end[0]);
        w->out.len = 0;
        return;
    }
    if (w->verbose && plain)
        sim_say(w, "%s tells %s%s:\n%.*s", n->name, w->nodes[to].name, behind ? " all" : "", (int)w->out.len,
                w->out.len ? w->out.at : "");
    trust_prove(w, &conn->end[0], plain ? -1 : to);
    if (plain && behind) /* it is told everything */
        w->nodes[to].unnoticed[from] = false;
    if (plain)
        world_see_lines(w, &conn->end[1]);
    world_send_out(w, &conn->end[0]);
}

void world_scans(struct world *w, int node)
{
    const struct herd_node *n = w->nodes[node].node;
    for (size_t p = 0; p < n->peer_count; p++)
        if (n->peers[p]->session && n->peers[p]->sync.scan)
            ((struct end *)herd_session_user(n->peers[p]->session))->conn->epoch++;
}

void world_effects(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    struct herd_effect e;
    while (herd_node_next_effect(n->node, &e)) {
        switch (e.kind) {
        case HERD_EFFECT_DIAL: dial(w, node, e.peer); break;
        case HERD_EFFECT_CLOSE:
            if (w->calm && strcmp(e.text, "silent") == 0)
                sim_fail(w, "%s takes a neighbour for dead, and nothing ever happened to it", n->name);
            if (herd_session_user(e.session)) /* who speaks now notices by itself */
                world_close(w, herd_session_user(e.session));
            break;
        case HERD_EFFECT_PEER_UP:
            w->figures->links++;
            n->heard_up[e.peer] = true;
            n->links[e.peer] = e.session;
            break;
        case HERD_EFFECT_PEER_DOWN:
            if (!n->heard_up[e.peer])
                sim_fail(w, "%s lost %.*s, which was not up", n->name, (int)e.detail.len, e.detail.at);
            n->heard_up[e.peer] = false;
            n->links[e.peer] = NULL;
            break;
        case HERD_EFFECT_RESUME: {
            struct end *end = e.session ? herd_session_user(e.session) : NULL;
            if (end)
                world_wake(w, end);
            break;
        }
        case HERD_EFFECT_LINE_TIMEOUT: world_line_timeout(w, herd_session_user(e.session)); break;
        case HERD_EFFECT_LOOKUP:
            if (w->ticket_count == 16)
                sim_fail(w, "too many look-ups");
            w->tickets[w->ticket_count++] = e.ticket;
            break;
        case HERD_EFFECT_AUTH:
            w->auth_asked = true;
            w->auth_ticket = e.ticket;
            w->auth_identity = trust_find(w, node, e.detail);
            break;
        case HERD_EFFECT_NOTICE:
            trust_see(w, node, e.detail);
            if (w->verbose)
                sim_say(w, "%s notices %s %.*s", n->name, e.text, (int)e.detail.len, e.detail.at);
            if (strcmp(e.text, "digest_differs") == 0)
                sim_fail(w, "%s repairs a link to %.*s", n->name, (int)e.detail.len, e.detail.at);
            break;
        default: break;
        }
        if (w->verbose && e.kind == HERD_EFFECT_PEER_UP)
            sim_say(w, "%s up with %.*s", n->name, (int)e.detail.len, e.detail.at);
        if (w->verbose && e.kind == HERD_EFFECT_PEER_DOWN)
            sim_say(w, "%s down with %.*s: %s", n->name, (int)e.detail.len, e.detail.at, e.text);
        if (w->verbose && e.kind == HERD_EFFECT_CLOSE)
            sim_say(w, "%s closes a connection: %s", n->name, e.text);
    }
    /* Whoever takes the effects knows what the node knows. */
    for (size_t p = 0; p < n->node->peer_count; p++) {
        const struct herd_peer *peer = n->node->peers[p];
        bool up = peer->plain ? !peer->needs_full_send : peer->session != NULL;
        if (n->links[p] != herd_node_link(n->node, p) || n->heard_up[p] != up)
            sim_fail(w, "%s holds %.*s for %s, and it is not", n->name, (int)peer->name.len, peer->name.at,
                     n->heard_up[p] ? "up" : "down");
    }
}

static void fill(struct world *w, int node, struct end *end)
{
    struct end *to = other_end(end);
    while (!end->closed && to->in.len < w->room && herd_session_want_write(end->session)) {
        size_t room = (size_t)rng_in(&w->network, 1, (int64_t)w->room);
        w->out.len = 0;
        uint64_t failed = sim_alloc.failed;
        world_enter(w, node);
        int err = herd_session_write(end->session, room, world_clock(w, node), &w->out);
        world_leave(w);
        if (w->out.len > room + 66000)
            sim_fail(w, "%s filled %zu bytes into %zu", w->nodes[node].name, w->out.len, room);
        size_t len = w->out.len;
        world_see_lines(w, to);
        world_send_out(w, end);
        if (err < 0) {
            if (sim_alloc.failed == failed)
                sim_fail(w, "%s: fill: %s", w->nodes[node].name, herd_strerror(err));
            if (w->nodes[node].retry_at <= w->now) {
                w->nodes[node].retry_at = w->now + MS;
                world_event(w, w->now + MS, EV_TURN, (uint32_t)node, 0, w->nodes[node].starts);
            }
            return;
        }
        if (len == 0)
            return;
    }
}

void world_watch(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    struct herd_record record;
    while (n->watch && herd_watch_next(n->watch, &record)) {
        int32_t key = NO_VERSION;
        for (uint32_t k = 0; k < w->model.key_count && key == NO_VERSION; k++)
            if (w->model.keys[k].len == record.id.len &&
                memcmp(w->model.keys[k].id, record.id.at, record.id.len) == 0)
                key = (int32_t)k;
        if (key == NO_VERSION)
            sim_fail(w, "%s's watcher saw an unknown client", n->name);
        n->watched[key] = n->has[key];
    }
}

void world_turn(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    if (!n->node)
        return;
    world_effects(w, node);
    for (size_t p = 0; p < n->node->peer_count; p++) {
        struct herd_session *link = herd_node_link(n->node, p);
        if (link)
            fill(w, node, herd_session_user(link));
    }
    world_effects(w, node);
    disk_turn(w, node);
    if (n->watch && rng_one_in(&w->checks, 4))
        world_watch(w, node);
    areas_turn(w, node);
    int64_t next = herd_node_next_ns(n->node), disk_ns = disk_next_ns(w, node);
    if (disk_ns < next)
        next = disk_ns;
    if (next == INT64_MAX)
        return;
    next = next < n->steady_off ? w->now : next - n->steady_off;
    if (next < n->paused_until)
        next = n->paused_until;
    if (n->tick_at > w->now && n->tick_at <= next)
        return;
    n->tick_at = next > w->now ? next : w->now + 1;
    world_event(w, n->tick_at, EV_TICK, (uint32_t)node, 0, n->starts);
}

bool world_start(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    n->starts++;
    memset(n->links, 0, sizeof n->links);
    memset(n->heard_up, 0, sizeof n->heard_up);
    n->options.name = herd_span_of(n->name);
    n->options.peers = n->peer_names;
    n->options.peers_plain = n->peers_plain;
    n->options.expire_ns = w->expire_ns;
    n->options.seed[0] = w->seed ^ (uint64_t)node << 40 ^ n->starts;
    n->options.seed[1] = rng_next(&w->topology);
    trust_start(w, node);
    world_enter(w, node);
    int err = herd_node_new(&n->node, &n->options);
    world_leave(w);
    if (err < 0) {
        n->node = NULL;
        world_event(w, w->now + 50 * MS, EV_START, (uint32_t)node, 0, n->starts);
        return false;
    }
    model_forget(w, node);
    for (uint32_t key = 0; key < w->model.key_count; key++) {
        n->watched[key] = NO_VERSION;
        n->slots[key] = HERD_NO_SLOT;
    }
    memset(n->failing, 0, sizeof n->failing);
    n->tick_at = 0;
    n->paused_until = 0;
    n->retry_at = 0;
    if (w->verbose)
        sim_say(w, "%s starts", n->name);
    disk_open(w, node);
    if (w->watch && rng_one_in(&w->topology, 2) && herd_watch_open(n->node, &n->watch) < 0)
        sim_fail(w, "no watcher");
    areas_open(w, node);
    for (uint32_t key = 0; key < w->model.key_count; key++)
        n->watched[key] = n->has[key]; /* what was read back is no news */
    world_event(w, w->now, EV_TICK, (uint32_t)node, 0, n->starts);
    return true;
}

void world_crash(struct world *w, int node, bool told)
{
    struct sim_node *n = &w->nodes[node];
    if (w->verbose)
        sim_say(w, "%s crashes%s", n->name, told ? "" : " in silence");
    for (uint32_t i = 0; i < w->conn_top; i++) {
        struct conn *conn = &w->conns[i];
        for (int k = 0; conn->used && k < 2; k++) {
            struct end *end = &conn->end[k];
            if (end->node != node || end->closed)
                continue;
            world_break(w, conn, told);
            if (conn->used && !end->closed)
                world_close_end(w, end);
        }
    }
    disk_crash(w, node);
    herd_watch_close(n->watch);
    n->watch = NULL;
    areas_close(n);
    n->sent += herd_node_stats(n->node).at_sent;
    herd_node_free(n->node);
    n->node = NULL;
    trust_stop(n);
    n->starts++;
    model_forget(w, node);
}
