/* SPDX-License-Identifier: MIT */
/* Bytes arrive: a session takes its turn, and the model learns what the node was told. */
#include "world.h"

#include "node_impl.h"

#include <stdlib.h>
#include <string.h>

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
        bool record = len > 5 && (memcmp(at, "AT ", 3) == 0 || (!plain && memcmp(at, "GONE ", 5) == 0));
        if (((link && lf) || plain) && record) {
            struct herd_span line = {at, len};
            int32_t version = model_find(&w->model, plain ? foreign_read_message(line) : line);
            w->figures->plain_lines += plain;
            if (version == NO_VERSION)
                sim_fail(w, "%s was told what nobody reported: %.*s", w->nodes[end->node].name, (int)len, at);
            model_learn(w, end->node, version);
            /* what is refused is not taken */
            if (model_within(w, end->node, version) &&
                model_order(&w->model, w->nodes[end->node].has[w->model.versions[version].key], version) >= 0)
                model_note(&w->model,
                           (uint64_t)conn->serial << 36 | (uint64_t)(uint32_t)version << 4 | side << 1 | 1,
                           model_epoch(w, end, w->model.versions[version].key));
        }
        at = lf ? lf + 1 : stop;
    }
}

static void use_up(struct end *end, size_t consumed)
{
    if (consumed)
        memmove(end->in.at, end->in.at + consumed, end->in.len - consumed);
    end->in.len -= consumed;
    end->shown -= consumed;
}

/* A message is not cut by the network: as long as some of it is on its way there is no such time-out. */
void world_line_timeout(struct world *w, struct end *end)
{
    struct herd_input_result result;
    if (!end->session || end->in.len > end->shown || end->torn)
        return;
    struct herd_span bytes = {end->in.len ? end->in.at : "", end->shown};
    world_enter(w, end->node);
    int err = herd_session_line_timeout(end->session, bytes, world_clock(w, end->node), &result);
    world_leave(w);
    if (err < 0 || (result.consumed != 0 && result.consumed != end->shown))
        sim_fail(w, "%s: time-out of a line: %d, %zu of %zu", w->nodes[end->node].name, err, result.consumed,
                 end->shown);
    if (result.consumed && end->session->role == HERD_ROLE_CLIENT)
        learn_lines(w, end, result.consumed, false, true);
    else
        model_follow(w, end->node);
    w->figures->unfinished += result.consumed > 0;
    use_up(end, result.consumed);
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
    struct herd_input_result result = {0};
    struct herd_span bytes = {end->in.len ? end->in.at : "", end->shown};
#ifdef SIM_EXACT_INPUT /* bytes end where their memory ends */
    char *copy = malloc(bytes.len ? bytes.len : 1);
    memcpy(copy, bytes.at, bytes.len);
    bytes.at = copy;
#endif
    w->out.len = 0;
    uint64_t failed = sim_alloc.failed;
    world_enter(w, node);
    int err = last ? herd_session_eof(end->session, bytes, world_clock(w, node), &w->out, &result)
                   : herd_session_input(end->session, bytes, world_clock(w, node), &w->out, &result);
    world_leave(w);
#ifdef SIM_EXACT_INPUT /* bytes end where their memory ends */
    free(copy);
#endif
    failed = sim_alloc.failed - failed;
    if (err < 0 && !(err == HERD_E_NOMEM && failed))
        sim_fail(w, "%s: input: %s", n->name, herd_strerror(err));
    bool is_link = err >= 0 && herd_session_peer(end->session) >= 0;
    if (err >= 0 && result.consumed > end->shown)
        sim_fail(w, "%s used %zu bytes of %zu", n->name, result.consumed, end->shown);
    if (err < 0) {
        world_close(w, end);
        model_follow(w, node);
        return;
    }
    trust_see_link(w, end);
    world_send_out(w, end);
    plain = plain && end->session->role == HERD_ROLE_CLIENT;
    if (is_link || plain)
        learn_lines(w, end, result.consumed, was_link, plain);
    else
        model_follow(w, node);
    use_up(end, result.consumed);
    if (result.close)
        world_close(w, end);
    else if (last && !result.blocked)
        end->eof = false; /* it was told; a CLOSE effect follows */
}

void world_move(struct world *w, struct end *end)
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
        world_trace(w, (uint64_t)w->now ^ (uint64_t)conn->serial << 20 ^ some);
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
        if (from->node >= 0)
            trust_prove(w, end, from->node >= w->count ? -1 : from->node);
        else
            herd_session_set_proof(end->session, end->proof, end->proof.len > 0);
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
    world_trace(w, (uint64_t)w->now ^ (uint64_t)conn->serial << 20 ^ some);
    uint32_t serial = conn->serial;
    int node = end->node, sender = from->node;
    deliver(w, end);
    bool alive = conn->used && conn->serial == serial && !end->closed;
    if (alive && (end->in.len > end->shown || end->eof))
        world_wake(w, end);
    world_turn(w, node);
    /* The sender may have more to say, now that less is on its way. */
    if (alive && conn->used && conn->serial == serial && !from->closed && sender >= 0 && from->session &&
        end->in.len < w->room && herd_session_want_write(from->session))
        world_event(w, w->now, EV_TURN, (uint32_t)sender, 0, w->nodes[sender].starts);
}
