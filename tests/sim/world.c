/* SPDX-License-Identifier: MIT */
/* Events in the order of time, and bytes from node to node. */
#include "world.h"

#include "node_impl.h"

#include <stdarg.h>
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
    return (struct herd_now){INT64_C(1621464828000000000) + w->now + n->wall_off, w->now + n->steady_off};
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

static void trace(struct world *w, uint64_t what)
{
    w->trace = mix(w->trace, what);
}

/* ---- connections ---- */

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

/* Something is to be moved to this end, some time from now. */
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
    if (line.at[0] != 'A') {
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
    bool news_again = w->out_of_order[v->key]; /* what was newer is forgotten, this is not */
    if (!model_note(&w->model, what, conn->epoch) && !news_again)
        sim_fail(w, "%s says twice: %.*s", w->nodes[from->node].name, (int)line.len, line.at);
    if (model_noted(&w->model, what | 1, conn->epoch) && !news_again)
        sim_fail(w, "%s echoes: %.*s", w->nodes[from->node].name, (int)line.len, line.at);
}

static void see_lines(struct world *w, struct end *to)
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
    trace(w, herd_hash((uint64_t)w->now, at, len));
    if (other_end(to)->closed || (to->closed && !to->conn->black_hole))
        return;
    if (herd_buf_add(&to->in, at, len) < 0)
        abort();
    world_wake(w, to); /* in a black hole it lies for ever, and fills the sender's buffer */
}

/* Replies and introductions. */
static void send_out(struct world *w, struct end *from)
{
    world_send(w, other_end(from), w->out.at, w->out.len);
    w->out.len = 0;
}

static void close_end(struct world *w, struct end *end)
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
    close_end(w, end);
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

/* ---- a session's turn ---- */

/* A node takes part in what the neighbour said: the model learns the same lines. A plain one's may have more
 * behind them, or no LF. */
static void learn_lines(struct world *w, struct end *end, size_t consumed, bool was_link, bool plain)
{
    struct conn *conn = end->conn;
    const char *at = end->in.at, *stop = at ? at + consumed : at;
    bool link = was_link;
    uint64_t side = end == &conn->end[1];
    while (at < stop) {
        const char *lf = memchr(at, '\n', (size_t)(stop - at));
        size_t len = lf ? (size_t)(lf - at) : (size_t)(stop - at);
        if (len > 5 && memcmp(at, "HELLO", 5) == 0)
            link = true;
        bool frame = len > 3 && (memcmp(at, "ROOT", 4) == 0 || memcmp(at, "PUSH", 4) == 0 ||
                                 memcmp(at, "SUMS", 4) == 0 || memcmp(at, "LIST", 4) == 0);
        if (frame) {
            conn->epoch++;
            end->frames -= end->frames > 0;
        }
        if (((link && lf) || plain) && len > 3 && memcmp(at, "AT ", 3) == 0) {
            struct herd_span line = {at, len};
            int32_t version = model_find(&w->model, plain ? foreign_cut(line) : line);
            w->figures->plain_lines += plain;
            if (version == NO_VERSION)
                sim_fail(w, "%s was told what nobody reported: %.*s", w->nodes[end->node].name, (int)len, at);
            model_learn(w, end->node, version);
            model_note(&w->model, (uint64_t)conn->serial << 36 | (uint64_t)(uint32_t)version << 4 | side << 1 | 1,
                       conn->epoch);
        }
        at = lf ? lf + 1 : stop;
    }
}

static void deliver(struct world *w, struct end *end)
{
    int node = end->node;
    struct sim_node *n = &w->nodes[node];
    bool last = end->eof && end->shown == end->in.len;
    bool was_link = herd_session_peer(end->session) >= 0, plain = other_end(end)->node >= w->count;
    if (last && plain && end->torn) { /* reset, not ended: what is there of a line is not taken */
        world_close(w, end);
        return;
    }
    struct herd_turn turn = {0};
    struct herd_span bytes = {end->in.len ? end->in.at : "", end->shown};
#ifdef SIM_EXACT_INPUT /* bytes end where their memory ends */
    char *copy = malloc(bytes.len ? bytes.len : 1);
    memcpy(copy, bytes.at, bytes.len);
    bytes.at = copy;
#endif
    w->out.len = 0;
    uint64_t failed = sim_alloc.failed;
    world_enter(w, node);
    int err = last ? herd_session_end(end->session, bytes, world_clock(w, node), &w->out, &turn)
                   : herd_session_input(end->session, bytes, world_clock(w, node), &w->out, &turn);
    world_leave(w);
#ifdef SIM_EXACT_INPUT /* bytes end where their memory ends */
    free(copy);
#endif
    failed = sim_alloc.failed - failed;
    if (err < 0 && !(err == HERD_E_NOMEM && failed))
        sim_fail(w, "%s: input: %s", n->name, herd_strerror(err));
    bool is_link = err >= 0 && herd_session_peer(end->session) >= 0;
    if (err >= 0 && turn.consumed > end->shown)
        sim_fail(w, "%s used %zu bytes of %zu", n->name, turn.consumed, end->shown);
    if (err < 0) {
        world_close(w, end);
        model_follow(w, node);
        return;
    }
    send_out(w, end);
    plain = plain && end->session->role == HERD_ROLE_CLIENT;
    if (is_link || plain)
        learn_lines(w, end, turn.consumed, was_link, plain);
    else
        model_follow(w, node);
    if (turn.consumed)
        memmove(end->in.at, end->in.at + turn.consumed, end->in.len - turn.consumed);
    end->in.len -= turn.consumed;
    end->shown -= turn.consumed;
    if (turn.close)
        world_close(w, end);
    else if (last)
        end->eof = false; /* it was told; a CLOSE effect follows */
}

static void move(struct world *w, struct end *end)
{
    struct conn *conn = end->conn;
    end->moving = false;
    if (end->closed || conn->black_hole)
        return;
    struct end *from = other_end(end);
    if (end->node < 0) { /* a stranger reads and forgets */
        end->in.len = 0;
        if (end->eof)
            world_close(w, end);
        return;
    }
    struct sim_node *n = &w->nodes[end->node];
    if (n->paused_until > w->now) {
        end->moving = true;
        world_event(w, n->paused_until, EV_MOVE, (uint32_t)(conn - w->conns), end == &conn->end[1], conn->serial);
        return;
    }
    size_t chunk = w->chunk;
    if (from->node >= 0) {
        struct edge *edge = world_edge(w, from->node, end->node);
        bool down = from->node > end->node;
        if (edge->stalled_until[down] > w->now) {
            world_wake(w, end);
            return;
        }
        if (edge->chunk[down])
            chunk = edge->chunk[down];
    }
    if (end->node >= w->count) {
        size_t left = end->in.len - end->shown, some = left < chunk ? left : chunk;
        uint32_t serial = conn->serial;
        end->shown += some;
        trace(w, (uint64_t)w->now ^ (uint64_t)conn->serial << 20 ^ some);
        foreign_read(w, end);
        if (conn->used && conn->serial == serial && !end->closed && end->in.len > end->shown)
            world_wake(w, end);
        return;
    }
    if (end->unopened) {
        world_enter(w, end->node);
        int err = herd_session_open(n->node, &end->session, end, world_clock(w, end->node));
        world_leave(w);
        end->unopened = false;
        if (err < 0) {
            world_close(w, end);
            return;
        }
        if (from->node >= w->count) { /* it may be one of several at that address */
            int peer = 0;
            while (n->peers[peer] != from->node)
                peer++;
            herd_session_allow_plain(end->session, rng_one_in(&w->network, 4) ? -1 : peer);
        }
    }
    if (!end->session)
        return;
    size_t left = end->in.len - end->shown;
    size_t some = left < chunk ? left : chunk;
    if (some > 1 && rng_one_in(&w->network, 4))
        some = (size_t)rng_in(&w->network, 1, (int64_t)some);
    end->shown += some;
    trace(w, (uint64_t)w->now ^ (uint64_t)conn->serial << 20 ^ some);
    uint32_t serial = conn->serial;
    int node = end->node, sender = from->node;
    deliver(w, end);
    bool alive = conn->used && conn->serial == serial && !end->closed;
    if (alive && (end->in.len > end->shown || end->eof))
        world_wake(w, end);
    world_turn(w, node);
    /* The sender may have more to say, now that less is on its way. */
    if (alive && conn->used && conn->serial == serial && !from->closed && sender >= 0 && from->session &&
        end->in.len < w->room && herd_session_wants(from->session))
        world_event(w, w->now, EV_TURN, (uint32_t)sender, 0, w->nodes[sender].starts);
}

/* ---- a node's turn ---- */

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
    bool plain = to >= w->count, behind = n->node->peers[peer].behind;
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
        herd_session_dialled(n->node, &conn->end[0].session, &conn->end[0], peer, world_clock(w, from), &w->out);
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
    if (plain && behind) /* it is told everything */
        w->nodes[to].unnoticed[from] = false;
    if (plain)
        see_lines(w, &conn->end[1]);
    send_out(w, &conn->end[0]);
}

void world_effects(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    struct herd_effect e;
    while (herd_node_effect(n->node, &e)) {
        switch (e.kind) {
        case HERD_EFFECT_DIAL: dial(w, node, e.peer); break;
        case HERD_EFFECT_CLOSE:
            if (w->calm && strcmp(e.text, "silent") == 0)
                sim_fail(w, "%s takes a neighbour for dead, and nothing ever happened to it", n->name);
            world_close(w, herd_session_user(e.session));
            break;
        case HERD_EFFECT_PEER_UP: w->figures->links++; break;
        case HERD_EFFECT_LOOKUP:
            if (w->ticket_count == 16)
                sim_fail(w, "too many look-ups");
            w->tickets[w->ticket_count++] = e.ticket;
            break;
        case HERD_EFFECT_NOTICE:
            if (w->verbose)
                sim_say(w, "%s notices %s %.*s", n->name, e.text, (int)e.detail.len, e.detail.at);
            if (strcmp(e.text, "digest_differs") == 0 && !w->repairs)
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
}

static void fill(struct world *w, int node, struct end *end)
{
    struct end *to = other_end(end);
    while (!end->closed && to->in.len < w->room && herd_session_wants(end->session)) {
        size_t room = (size_t)rng_in(&w->network, 1, (int64_t)w->room);
        w->out.len = 0;
        uint64_t failed = sim_alloc.failed;
        world_enter(w, node);
        int err = herd_session_fill(end->session, room, world_clock(w, node), &w->out);
        world_leave(w);
        if (w->out.len > room + 66000)
            sim_fail(w, "%s filled %zu bytes into %zu", w->nodes[node].name, w->out.len, room);
        size_t len = w->out.len;
        see_lines(w, to);
        send_out(w, end);
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
    n->options.name = herd_span_of(n->name);
    n->options.peers = n->peer_names;
    n->options.peers_plain = n->peers_plain;
    n->options.expire_ns = w->expire_ns;
    n->options.seed[0] = w->seed ^ (uint64_t)node << 40 ^ n->starts;
    n->options.seed[1] = rng_next(&w->topology);
    world_enter(w, node);
    int err = herd_node_new(&n->node, &n->options);
    world_leave(w);
    if (err < 0) {
        n->node = NULL;
        world_event(w, w->now + 50 * MS, EV_START, (uint32_t)node, 0, n->starts);
        return false;
    }
    for (uint32_t key = 0; key < w->model.key_count; key++) {
        n->has[key] = n->watched[key] = NO_VERSION;
        n->slots[key] = HERD_NO_SLOT;
    }
    n->held = 0;
    n->forget_ns = INT64_MIN;
    memset(n->failing, 0, sizeof n->failing);
    n->tick_at = 0;
    n->paused_until = 0;
    n->retry_at = 0;
    if (w->verbose)
        sim_say(w, "%s starts", n->name);
    disk_open(w, node);
    if (w->watch && rng_one_in(&w->topology, 2) && herd_watch_open(n->node, &n->watch) < 0)
        sim_fail(w, "no watcher");
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
                close_end(w, end);
        }
    }
    disk_crash(w, node);
    herd_watch_close(n->watch);
    n->watch = NULL;
    n->sent += herd_node_counts(n->node).at_sent;
    herd_node_free(n->node);
    n->node = NULL;
    n->starts++;
    for (uint32_t key = 0; key < w->model.key_count; key++)
        n->has[key] = NO_VERSION;
    n->held = 0;
}

void world_step(struct world *w, const struct event *e)
{
    w->now = e->at;
    switch (e->kind) {
    case EV_MOVE: {
        struct conn *conn = &w->conns[e->a];
        if (conn->used && conn->serial == e->stamp)
            move(w, &conn->end[e->b]);
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
        world_enter(w, (int)e->a);
        herd_node_tick(n->node, world_clock(w, (int)e->a));
        world_leave(w);
        model_forget(w, (int)e->a);
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
        disk_free(n);
    }
    for (uint32_t i = 0; i < w->conn_top; i++)
        for (int k = 0; w->conns[i].used && k < 2; k++)
            herd_buf_fini(&w->conns[i].end[k].in);
    free(w->out_of_order);
    free(w->conns);
    free(w->heap);
    herd_buf_fini(&w->out);
    model_fini(&w->model);
}
