/* SPDX-License-Identifier: MIT */
/*
 * Neighbours that speak the class protocol, as somebody else might have written them: the newest report of each
 * client by its time alone, told to all neighbours, a connection for each message, with the route behind it or not.
 * They forget everything when they crash, and nobody can ask them what they know.
 */
#include "world.h"

#include "node_impl.h"

#include <stdlib.h>

#define FIELDS 6

#define DIFF 2

/* The first six fields, their difference in the form that the herd has for it. */
struct herd_span foreign_read_message(struct herd_span line)
{
    static char text[4096];
    size_t field = 0, from = 0, to = 0, len = line.len;
    for (size_t i = 0; i <= line.len; i++) {
        if (i < line.len && line.at[i] != ' ')
            continue;
        if (++field == DIFF)
            from = i + 1;
        else if (field == DIFF + 1)
            to = i;
        else if (field == FIELDS) {
            len = i;
            break;
        }
    }
    struct herd_span diff = {line.at + from, to > from ? to - from : 0};
    bool sloppy = diff.len > 1 && ((diff.at[0] != '+' && diff.at[0] != '-') || diff.at[1] == '-' ||
                                   memchr(diff.at, 'e', diff.len) != NULL);
    if (!sloppy || len > sizeof text - 100)
        return (struct herd_span){line.at, len};
    const char *number = diff.at[0] == '+' ? diff.at + 1 : diff.at; /* "+-2.5" among them */
    int n = snprintf(text, sizeof text, "%.*s%+.9f%.*s", (int)from, line.at, strtod(number, NULL), (int)(len - to),
                     line.at + to);
    return (struct herd_span){text, (size_t)n};
}

/* A message as its sender prints it: the difference not always in the form that the herd has. */
static size_t print_message(struct world *w, int32_t version, char *text, size_t size)
{
    const struct version *v = &w->model.versions[version];
    struct herd_span server = v->part[0], diff = v->part[1];
    double value = strtod(diff.at, NULL);
    char sloppy[64];
    switch (rng_below(&w->network, 5)) {
    case 0: snprintf(sloppy, sizeof sloppy, "%.9f", value); break;
    case 1: snprintf(sloppy, sizeof sloppy, "%+.9e", value); break;
    case 2: snprintf(sloppy, sizeof sloppy, "+%.9f", value); break; /* "+-2.5" among them */
    default: snprintf(sloppy, sizeof sloppy, "%.*s", (int)diff.len, diff.at);
    }
    struct herd_span exact = {w->model.texts[version], v->len};
    const char *rest = diff.at + diff.len;
    int n = snprintf(text, size, "AT %.*s %s%.*s", (int)server.len, server.at, sloppy,
                     (int)(exact.at + exact.len - rest), rest);
    struct herd_span line = {text, (size_t)n};
    if ((size_t)n < size && herd_span_equal(foreign_read_message(line), exact))
        return line.len;
    memcpy(text, exact.at, exact.len); /* one that was taken by another, or with digits that get lost */
    return exact.len;
}

static bool newer(const struct world *w, int32_t a, int32_t b)
{
    if (a == NO_VERSION || b == NO_VERSION)
        return a != NO_VERSION;
    return model_time_order(w->model.versions[a].part[4], w->model.versions[b].part[4]) > 0;
}

/* What is lost on the way is lost: nobody asks whether it arrived. */
static void tell(struct world *w, int node, int32_t version)
{
    struct sim_node *n = &w->nodes[node];
    struct rng *r = &w->network;
    for (size_t p = 0; p < n->options.peer_count; p++) {
        int peer = n->peers[p];
        if (world_edge(w, node, peer)->cut || !w->nodes[peer].node)
            continue;
        struct conn *conn = world_connect(w, node, peer);
        struct end *to = &conn->end[1];
        bool leaves = !rng_one_in(r, 4);
        to->unopened = true;
        char text[4096];
        world_send(w, to, text, print_message(w, version, text, sizeof text));
        if (rng_one_in(r, 3))
            world_send(w, to, " p9 p8", 6);
        if (rng_one_in(r, 2))
            world_send(w, to, "\n", 1);
        if (leaves) /* others wait until the other side has enough of it */
            world_close(w, &conn->end[0]);
    }
}

static void learn(struct world *w, int node, int32_t version)
{
    int32_t *has = &w->nodes[node].has[w->model.versions[version].key];
    if (!newer(w, version, *has))
        return;
    *has = version;
    tell(w, node, version);
}

void foreign_report(struct world *w, int node, uint32_t key)
{
    char line[1024], time[64], position[64];
    const struct sim_key *id = &w->model.keys[key];
    load_draw(w, time, position);
    int len = snprintf(line, sizeof line, "AT %s %c%d.5%s %.*s %s %s", w->nodes[node].name,
                       rng_one_in(&w->workload, 4) ? '-' : '+', (int)rng_below(&w->workload, 3),
                       rng_one_in(&w->workload, 2) ? "00000000" : "", (int)id->len, id->id, position, time);
    w->figures->updates++;
    learn(w, node, model_add(w, key, (struct herd_span){line, (size_t)len}));
}

/* Bytes are shown to a plain neighbour, or the end of all. */
void foreign_read(struct world *w, struct end *end)
{
    int node = end->node;
    bool last = end->eof && end->shown == end->in.len;
    if (end == &end->conn->end[0]) { /* it spoke, and what it is answered is nothing to it */
        end->in.len = end->shown = 0;
        if (last)
            world_close(w, end);
        return;
    }
    size_t used = 0;
    while (used < end->shown) {
        struct herd_span line = {end->in.at + used, end->shown - used};
        const char *lf = memchr(line.at, '\n', line.len);
        if (!lf && !last)
            break;
        if (lf)
            line.len = (size_t)(lf - line.at);
        used += line.len + (lf != NULL);
        int32_t version = model_find(&w->model, line);
        if (version == NO_VERSION)
            sim_fail(w, "%s was told what nobody reported: %.*s", w->nodes[node].name, (int)line.len, line.at);
        learn(w, node, version);
    }
    if (used)
        memmove(end->in.at, end->in.at + used, end->in.len - used);
    end->in.len -= used;
    end->shown -= used;
    if (last)
        world_close(w, end);
}

static size_t peer_number(const struct sim_node *n, int peer)
{
    size_t p = 0;
    while (n->peers[p] != peer)
        p++;
    return p;
}

/* A connection that carries messages breaks. Who sends through the library hears of it, some time. */
void foreign_break(struct world *w, struct conn *conn)
{
    struct end *from = &conn->end[0], *to = &conn->end[1];
    if (to->node >= w->count) {
        struct sim_node *n = &w->nodes[from->node];
        if (to->in.len > 0 && n->node)
            world_dial_fails(w, from->node, peer_number(n, to->node), 5 * SECOND);
        world_close(w, to);
    } else {
        to->torn = true;
        to->in.len = (size_t)rng_in(&w->network, (int64_t)to->shown, (int64_t)to->in.len);
        world_close(w, from);
    }
}

/* It forgets everything, and what was on its way to it and from it is gone without a word. */
void foreign_crash(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    if (w->verbose)
        sim_say(w, "%s crashes", n->name);
    n->up = false;
    n->starts++;
    for (uint32_t i = 0; i < w->conn_top; i++)
        for (int k = 0; w->conns[i].used && k < 2; k++)
            if (w->conns[i].end[k].node == node) {
                struct end *other = other_end(&w->conns[i].end[k]);
                other->in.len = other->shown;
                other->torn = true;
                world_close(w, &w->conns[i].end[k]);
                break;
            }
    for (uint32_t key = 0; key < w->model.key_count; key++)
        n->has[key] = NO_VERSION;
    for (int i = 0; i < w->count; i++)
        n->unnoticed[i] = true;
}

/* All is well again: whoever did not notice that a plain neighbour was away notices now. */
void foreign_heal(struct world *w)
{
    for (int p = w->count; p < w->count + w->plains; p++) {
        struct sim_node *n = &w->nodes[p];
        n->up = true;
        for (size_t i = 0; i < n->options.peer_count; i++) {
            struct sim_node *o = &w->nodes[n->peers[i]];
            if (o->node && n->unnoticed[n->peers[i]])
                herd_node_dial_failed(o->node, peer_number(o, p), world_clock(w, n->peers[i]));
        }
    }
}

static bool on_its_way(struct world *w, int node, int plain, uint32_t key)
{
    int32_t has = w->nodes[node].has[key];
    for (uint32_t i = 0; i < w->conn_top; i++) {
        const struct conn *conn = &w->conns[i];
        if (!conn->used || conn->end[0].node != node || conn->end[1].node != plain)
            continue;
        const char *at = conn->end[1].in.at, *stop = at ? at + conn->end[1].in.len : at;
        for (const char *lf; at < stop && (lf = memchr(at, '\n', (size_t)(stop - at))) != NULL; at = lf + 1) {
            int32_t version = model_find(&w->model, (struct herd_span){at, (size_t)(lf - at)});
            if (version != NO_VERSION && w->model.versions[version].key == key && !newer(w, has, version))
                return true;
        }
    }
    return false;
}

/* What we have and a plain neighbour lacks is due or on its way; or we know that it must be told everything; or it
 * forgot all, and nobody could notice. */
void foreign_check(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    for (size_t p = 0; n->node && p < n->node->peer_count; p++) {
        const struct herd_peer *peer = n->node->peers[p];
        const struct sim_node *v = &w->nodes[n->peers[p]];
        if (!peer->plain || peer->needs_full_send || n->failing[p] || v->unnoticed[node] || !v->up)
            continue;
        for (uint32_t key = 0; key < w->model.key_count; key++)
            if (!model_gone(w, node, key) && newer(w, n->has[key], v->has[key]) &&
                !herd_subscriber_has(&peer->subscriber, check_slot(w, node, key)) &&
                !on_its_way(w, node, n->peers[p], key))
                sim_fail(w, "%s will never tell %s: %.*s", n->name, v->name,
                         (int)w->model.versions[n->has[key]].len, w->model.texts[n->has[key]]);
    }
}

/* Nothing is on its way from or to one, and all are told. */
bool foreign_settled(struct world *w)
{
    for (uint32_t i = 0; i < w->conn_top; i++)
        for (int k = 0; w->conns[i].used && k < 2; k++) {
            const struct end *end = &w->conns[i].end[k];
            if (end->node >= w->count &&
                (end->in.len > 0 || other_end(&w->conns[i].end[k])->in.len > 0 || end->eof))
                return false;
        }
    for (int i = 0; i < w->count; i++)
        for (size_t p = 0; p < w->nodes[i].node->peer_count; p++) {
            const struct herd_peer *peer = w->nodes[i].node->peers[p];
            if (peer->plain &&
                (w->nodes[i].failing[p] || peer->subscriber.pending > 0 || peer->dial_asked ||
                 (peer->needs_full_send && w->nodes[i].node->store->count > w->nodes[i].node->store->tombstones)))
                return false;
        }
    return true;
}

/* The herd is told apart from them by what it promises: a plain neighbour holds nothing older. */
void foreign_check_rest(struct world *w)
{
    for (int p = w->count; p < w->count + w->plains; p++)
        for (uint32_t key = 0; key < w->model.key_count; key++)
            if (!model_gone(w, 0, key) && newer(w, w->nodes[0].has[key], w->nodes[p].has[key]))
                sim_fail(w, "%s was never told: %.*s", w->nodes[p].name,
                         (int)w->model.versions[w->nodes[0].has[key]].len, w->model.texts[w->nodes[0].has[key]]);
}
