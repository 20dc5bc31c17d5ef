/* SPDX-License-Identifier: MIT */
/* What must be true at any moment, and at the end. */
#include "world.h"

#include "node_impl.h"

#include <stdlib.h>

struct end *check_link(const struct world *w, int node, int peer)
{
    const struct sim_node *n = &w->nodes[node];
    for (size_t p = 0; n->node && p < n->node->peer_count; p++)
        if (n->peers[p] == peer && n->node->peers[p]->session)
            return herd_session_user(n->node->peers[p]->session);
    return NULL;
}

static struct herd_peer *peer_of(const struct world *w, const struct end *end)
{
    (void)w;
    return end->session->node->peers[herd_session_peer(end->session)];
}

/* Both ends are up on this connection and a comparison is under way. */
bool check_comparing(const struct world *w, struct conn *conn)
{
    for (int i = 0; i < 2; i++) {
        const struct end *end = &conn->end[i];
        if (end->frames > 0)
            return true;
        const struct herd_sync *sync = &peer_of(w, end)->sync;
        if (herd_sync_want_write(peer_of(w, end)) || sync->root_sent)
            return true;
    }
    return false;
}

uint32_t check_slot(struct world *w, int node, uint32_t key)
{
    struct sim_node *n = &w->nodes[node];
    struct herd_store *store = n->node->store;
    if (n->slots[key] == HERD_NO_SLOT) {
        struct herd_span id = {w->model.keys[key].id, w->model.keys[key].len};
        n->slots[key] = herd_store_find(store, herd_store_hash(store, id), HERD_NO_SLOT, id);
    }
    if (n->slots[key] == HERD_NO_SLOT && n->has[key] != NO_VERSION)
        sim_fail(w, "%s does not know client %u", n->name, key);
    return n->slots[key];
}

static void check_digest(struct world *w, const struct sim_node *n)
{
    const struct herd_store *store = n->node->store;
    uint64_t total = 0, leaves = 0, bytes = (uint64_t)store->slots * 68;
    for (uint32_t slot = 0; slot < store->slots; slot++)
        if (!herd_packed_record_empty(herd_store_packed(store, slot))) {
            total += herd_store_record_hash(store, slot);
            bytes += herd_packed_record_external_bytes(herd_store_packed(store, slot));
        }
    for (size_t leaf = 0; leaf < (size_t)1 << store->digest.bits; leaf++)
        leaves += store->digest.leaves[leaf];
    if (total != store->digest.total || total != leaves)
        sim_fail(w, "%s: the digest is wrong", n->name);
    if (bytes != herd_store_bytes(store))
        sim_fail(w, "%s counts its memory wrong", n->name);
}

static void check_subscriber(struct world *w, const struct sim_node *n, const struct herd_subscriber *subscriber)
{
    size_t bits = 0;
    for (uint32_t i = 0; i < n->node->changes.cap / 64; i++)
        bits += (size_t)__builtin_popcountll(subscriber->bits[i]);
    if (bits != subscriber->pending)
        sim_fail(w, "%s: %zu bits are set, %zu counted", n->name, bits, subscriber->pending);
}

void check_node(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    if (!n->node)
        return;
    struct herd_store *store = n->node->store;
    w->figures->checks++;
    check_digest(w, n);
    int64_t next_ns = herd_node_next_ns(n->node), now_ns = world_clock(w, node).steady_ns;
    if (w->expire_ns && next_ns > now_ns + (n->node->sweep_at == UINT32_MAX ? 60 * SECOND : 0))
        sim_fail(w, "%s sleeps instead of looking for what expired", n->name);
    if (store->tombstones != n->gone)
        sim_fail(w, "%s counts %zu tombstones instead of %u", n->name, store->tombstones, n->gone);
    if (store->count != n->held)
        sim_fail(w, "%s holds %zu records instead of %u", n->name, store->count, n->held);
    for (uint32_t key = 0; key < w->model.key_count; key++) {
        int32_t has = n->has[key];
        uint32_t slot = check_slot(w, node, key);
        if ((has == NO_VERSION) != (slot == HERD_NO_SLOT))
            sim_fail(w, "%s: client %u is %s", n->name, key, has == NO_VERSION ? "there" : "lost");
        if (has == NO_VERSION)
            continue;
        const struct version *v = &w->model.versions[has];
        w->out.len = 0;
        if (herd_store_format(store, slot, &w->out) < 0 || w->out.len != v->len + 1 ||
            memcmp(w->out.at, w->model.texts[has], v->len) != 0)
            sim_fail(w, "%s holds %.*s instead of %.*s", n->name, (int)w->out.len, w->out.at, (int)v->len,
                     w->model.texts[has]);
        w->out.len = 0;
    }
    trust_check(w, node);
    for (size_t p = 0; p < n->node->peer_count; p++)
        if (n->node->peers[p]->session)
            check_subscriber(w, n, &n->node->peers[p]->subscriber);
}

/* The newest copies on their way to `end`. */
static void copies(struct world *w, const struct end *end, int32_t *newest)
{
    for (uint32_t key = 0; key < w->model.key_count; key++)
        newest[key] = NO_VERSION;
    const char *at = end->in.at, *stop = at ? at + end->in.len : at;
    while (at < stop) {
        const char *lf = memchr(at, '\n', (size_t)(stop - at));
        if (!lf)
            break;
        if (lf - at > 5 && (memcmp(at, "AT ", 3) == 0 || memcmp(at, "GONE ", 5) == 0)) {
            int32_t version = model_find(&w->model, (struct herd_span){at, (size_t)(lf - at)});
            if (version != NO_VERSION &&
                model_order(&w->model, version, newest[w->model.versions[version].key]) > 0)
                newest[w->model.versions[version].key] = version;
        }
        at = lf + 1;
    }
}

/* A difference on a link is compared, some time, when one side refused what the other has, or its clock went back. */
static bool has_reason(const struct world *w, int node, const struct herd_peer *peer)
{
    const struct herd_node *n = w->nodes[node].node;
    return peer->sync.refused > 0 || n->sweep_at != UINT32_MAX ||
           (w->expire_ns && n->purge_before_ns != model_window_begin(w, node));
}

/* The promise, link by link: what we have and a neighbour lacks is due, on its way, or being compared. */
void check_links(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    for (size_t p = 0; n->node && p < n->node->peer_count; p++) {
        struct herd_peer *peer = n->node->peers[p];
        struct end *end = check_link(w, node, n->peers[p]);
        if (!end || other_end(end)->node < 0)
            continue;
        struct end *to = other_end(end);
        const struct sim_node *v = &w->nodes[to->node];
        if (to->closed || to->eof || to->torn || end->eof || end->torn || end->conn->black_hole || !to->session ||
            herd_session_peer(to->session) < 0 || check_comparing(w, end->conn) ||
            v->node->store->digest.total == n->node->store->digest.total)
            continue;
        int32_t newest[2048];
        /* What a limit refuses is refused alone: all else keeps the promise. Where clients are deleted, there may be room
         * again for what was refused: it is offered when states are compared. */
        if ((!w->mixed || w->deletes) && (has_reason(w, node, peer) || has_reason(w, to->node, peer_of(w, to)) ||
                                          model_window_begin(w, node) != model_window_begin(w, to->node)))
            continue;
        bool looked = false;
        for (uint32_t key = 0; key < w->model.key_count; key++) {
            int32_t has = n->has[key];
            if (has == NO_VERSION || !model_within(w, to->node, has) || model_refuses(w, to->node, has) ||
                model_order(&w->model, v->has[key], has) >= 0 ||
                herd_subscriber_has(&peer->subscriber, check_slot(w, node, key)))
                continue;
            if (!looked)
                copies(w, to, newest);
            looked = true;
            if (model_order(&w->model, newest[key], has) < 0)
                sim_fail(w, "%s will never tell %s: %.*s", n->name, v->name, (int)w->model.versions[has].len,
                         w->model.texts[has]);
        }
    }
    foreign_check(w, node);
}

void check_all(struct world *w)
{
    for (int i = 0; i < w->count; i++) {
        check_node(w, i);
        check_links(w, i);
    }
}

/* What both ends of a link can hold is the same at both; what one end lacks it could not take. */
static bool agree(const struct world *w, int a, int b)
{
    const int32_t *x = w->nodes[a].has, *y = w->nodes[b].has;
    for (uint32_t key = 0; key < w->model.key_count; key++) {
        int order = model_order(&w->model, x[key], y[key]);
        if ((order < 0 && !model_refuses(w, a, y[key])) || (order > 0 && !model_refuses(w, b, x[key])))
            return false;
    }
    return true;
}

/* A node that holds what is from the future by its clock has yet to accept it anew, and to tell. */
static bool holds_future(const struct world *w, int node)
{
    for (uint32_t key = 0; w->expire_ns && key < w->model.key_count; key++) {
        int32_t has = w->nodes[node].has[key];
        if (has != NO_VERSION && w->model.versions[has].effective_ns > model_window_end(w, node))
            return true;
    }
    return false;
}

bool check_converged(struct world *w)
{
    const struct herd_store *first = w->nodes[0].node ? w->nodes[0].node->store : NULL;
    for (uint32_t i = 0; i < w->conn_top; i++)
        if (w->conns[i].used && w->conns[i].end[0].node < 0)
            return false; /* a stranger's words are still on their way */
    for (int a = 0; a < w->count; a++) {
        const struct sim_node *n = &w->nodes[a];
        bool differs = !w->mixed && a != w->apart && n->node && n->node->store->digest.total != first->digest.total;
        if (!n->node || differs || holds_future(w, a))
            return false;
        for (size_t p = 0; p < n->node->peer_count; p++) {
            if (n->peers_plain[p])
                continue;
            if (a == w->apart || n->peers[p] == w->apart) {
                if (check_link(w, a, n->peers[p]))
                    return false; /* an impostor, who leaves */
                continue;
            }
            struct end *end = check_link(w, a, n->peers[p]);
            if (!end || n->node->peers[p]->subscriber.pending > 0 || (w->mixed && !agree(w, a, n->peers[p])))
                return false;
            const struct end *back = check_link(w, n->peers[p], a);
            if (!back || back != other_end(end) || end->in.len > 0 || end->eof || check_comparing(w, end->conn))
                return false;
            if (end->conn->black_hole)
                return false; /* it hangs, and will be given up for another */
        }
    }
    return foreign_settled(w);
}
