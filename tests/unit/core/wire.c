/* SPDX-License-Identifier: MIT */
/* Nodes and byte queues in one process; see wire.h. */
#include "wire.h"

#include "guard.h"

#include <herd/store.h>

#include <stdio.h>

int wire_inside;

static void must(bool good)
{
    if (!good)
        abort();
}

static void append(struct herd_buf *to, const char *at, size_t len)
{
    must(herd_buf_add(to, at, len) == 0);
}

int wire_find(const struct wire *w, const char *name)
{
    for (int i = 0; i < w->count; i++)
        if (strcmp(w->nodes[i].name, name) == 0)
            return i;
    return -1;
}

struct wire *wire_new(const char *names, const char *edges)
{
    struct wire *w = calloc(1, sizeof *w);
    must(w != NULL);
    w->now = (struct herd_now){INT64_C(1621464828000000000), INT64_C(1000000000)};
    w->random = 1;
    w->room = 65536;
    w->answer = "{}";
    int used;
    for (const char *p = names; sscanf(p, " %15s%n", w->nodes[w->count].name, &used) == 1; p += used) {
        w->nodes[w->count].seed = (uint64_t)w->count * 1000;
        must(++w->count < WIRE_NODES);
    }
    char a[16], b[16];
    for (const char *p = edges; sscanf(p, " %15[^- ]-%15s%n", a, b, &used) == 2; p += used) {
        int from = wire_find(w, a), to = wire_find(w, b);
        must(from >= 0 && to >= 0);
        w->edge[from][to] = w->edge[to][from] = true;
        w->edges++;
    }
    return w;
}

int wire_start(struct wire *w, int node)
{
    struct wire_node *n = &w->nodes[node];
    struct herd_span peers[WIRE_NODES];
    struct herd_node_options options = n->options;
    bool plain[WIRE_NODES];
    options.peers = peers;
    options.peers_plain = plain;
    for (int i = 0; i < w->count; i++) {
        if (!w->edge[node][i])
            continue;
        plain[options.peer_count] = n->plain || w->nodes[i].plain;
        peers[options.peer_count++] = herd_span_of(w->nodes[i].name);
    }
    options.name = herd_span_of(n->name);
    options.seed[0] = ++n->seed; /* a restart is another incarnation */
    options.seed[1] = (uint64_t)node + 1;
    wire_inside++;
    int err = herd_node_new(&n->node, &options);
    wire_inside--;
    if (err < 0)
        n->node = NULL;
    return err;
}

/* ---- connections ---- */

/* What time a node thinks it is. */
static struct herd_now wire_now(const struct wire *w, int node)
{
    return (struct herd_now){w->now.wall_ns + w->nodes[node].skew_ns, w->now.steady_ns};
}

static struct wire_conn *connect_ends(struct wire *w, int a, int b)
{
    struct wire_conn *conn = calloc(1, sizeof *conn);
    must(conn != NULL);
    conn->next = w->conns;
    w->conns = conn;
    for (int i = 0; i < 2; i++)
        conn->end[i] = (struct wire_end){.wire = w, .other = &conn->end[1 - i], .node = i ? b : a};
    return conn;
}

void wire_close(struct wire_end *end)
{
    if (end->session) {
        wire_inside++;
        herd_session_close(end->session);
        wire_inside--;
    }
    end->session = NULL;
    end->closed = true;
    end->in.len = end->given = 0;
    end->other->eof = true;
}

/* What the library put into w->out goes to the other side. */
static void send_out(struct wire_end *end)
{
    struct herd_buf *out = &end->wire->out;
    if (out->len && !end->other->closed)
        append(&end->other->in, out->at, out->len);
    out->len = 0;
}

struct wire_end *wire_client(struct wire *w, int node)
{
    struct wire_conn *conn = connect_ends(w, -1, node);
    wire_inside++;
    int err = herd_session_open(w->nodes[node].node, &conn->end[1].session, &conn->end[1], wire_now(w, node));
    wire_inside--;
    if (err < 0)
        wire_close(&conn->end[1]);
    return &conn->end[0];
}

void wire_write(struct wire_end *from, struct herd_span bytes)
{
    if (!from->other->closed)
        append(&from->other->in, bytes.at, bytes.len);
}

void wire_say(struct wire *w, struct wire_end *from, const char *text)
{
    wire_write(from, herd_span_of(text));
    wire_run(w);
}

/* One address for all: whose it is is known where there is but one plain neighbour. */
static void allow_plain(struct wire *w, int to, int from, struct herd_session *session)
{
    struct herd_node *node = w->nodes[to].node;
    int plain = 0, number = -1;
    for (size_t p = 0; p < herd_node_peer_count(node); p++) {
        plain += herd_node_peer_plain(node, p);
        if (herd_span_equal(herd_node_peer_name(node, p), herd_span_of(w->nodes[from].name)))
            number = (int)p;
    }
    herd_session_allow_plain(session, plain == 1 ? number : -1);
}

static void dial(struct wire *w, int from, size_t peer)
{
    struct herd_node *node = w->nodes[from].node;
    struct herd_span name = herd_node_peer_name(node, peer);
    int to = 0;
    while (!herd_span_equal(herd_span_of(w->nodes[to].name), name))
        to++;
    w->dials++;
    if (w->cut[from][to] || !w->nodes[to].node) {
        herd_node_dial_failed(node, peer, wire_now(w, from));
        return;
    }
    struct wire_conn *conn = connect_ends(w, from, to);
    wire_inside++;
    int err = herd_session_connected(node, &conn->end[0].session, &conn->end[0], peer, wire_now(w, from), &w->out);
    int other_err = herd_session_open(w->nodes[to].node, &conn->end[1].session, &conn->end[1], wire_now(w, to));
    if (other_err >= 0 && (w->nodes[from].plain || w->nodes[to].plain))
        allow_plain(w, to, from, conn->end[1].session);
    wire_inside--;
    if (err < 0) {
        w->failures++;
        w->out.len = 0;
        conn->end[0].session = NULL;
        wire_close(&conn->end[0]);
    } else {
        send_out(&conn->end[0]);
    }
    if (other_err < 0) {
        w->failures++;
        conn->end[1].session = NULL;
        wire_close(&conn->end[1]);
    }
}

/* ---- effects ---- */

static void answer(struct wire *w, int node, uint64_t ticket)
{
    struct herd_session *session;
    wire_inside++;
    int err = herd_node_answer(w->nodes[node].node, ticket, herd_span_of(w->answer), wire_now(w, node), &w->out,
                               &session);
    wire_inside--;
    if (!session) {
        must(w->out.len == 0);
        return;
    }
    struct wire_end *end = herd_session_user(session);
    if (err < 0) {
        w->failures++;
        w->out.len = 0;
        wire_close(end);
        return;
    }
    end->paused = false;
    send_out(end);
}

static void use_up(struct wire_end *end, size_t consumed)
{
    must(consumed <= end->given);
    if (consumed)
        memmove(end->in.at, end->in.at + consumed, end->in.len - consumed);
    end->in.len -= consumed;
    end->given -= consumed;
}

static void line_timeout(struct wire_end *end)
{
    struct herd_input_result result;
    struct herd_span bytes = guarded((struct herd_span){end->in.at, end->given});
    wire_inside++;
    must(herd_session_line_timeout(end->session, bytes, wire_now(end->wire, end->node), &result) == 0);
    wire_inside--;
    use_up(end, result.consumed);
}

static bool carry_out(struct wire *w, int i)
{
    struct herd_effect effect;
    if (!w->nodes[i].node || !herd_node_next_effect(w->nodes[i].node, &effect))
        return false;
    switch (effect.kind) {
    case HERD_EFFECT_LOOKUP:
        if (w->answer)
            answer(w, i, effect.ticket);
        else if (w->lookup_count < 64)
            w->lookups[w->lookup_count++] = (struct wire_lookup){i, effect.ticket};
        break;
    case HERD_EFFECT_CANCEL: w->cancels++; break;
    case HERD_EFFECT_AUTH: /* the test answers */
        if (w->lookup_count < 64)
            w->lookups[w->lookup_count++] = (struct wire_lookup){i, effect.ticket};
        break;
    case HERD_EFFECT_FETCH:
    case HERD_EFFECT_COMMAND: break; /* not asked for */
    case HERD_EFFECT_DIAL: dial(w, i, effect.peer); break;
    case HERD_EFFECT_CLOSE: wire_close(herd_session_user(effect.session)); break;
    case HERD_EFFECT_PEER_UP: w->ups++; break;
    case HERD_EFFECT_PEER_DOWN: w->downs++; break;
    case HERD_EFFECT_RESUME:
        if (effect.session) {
            struct wire_end *end = herd_session_user(effect.session);
            end->paused = false;
            end->given = 0; /* all of it once more */
        }
        break;
    case HERD_EFFECT_LINE_TIMEOUT: line_timeout(herd_session_user(effect.session)); break;
    case HERD_EFFECT_NOTICE:
        w->notices++;
        snprintf(w->notice, sizeof w->notice, "%s", effect.text);
        break;
    }
    return true;
}

/* ---- moving bytes ---- */

/* Gives a session what has come for it, from memory that ends where its bytes end. */
static bool deliver(struct wire_end *end)
{
    struct wire *w = end->wire;
    if (!end->session || end->paused || (end->given == end->in.len && !end->eof))
        return false;
    size_t left = end->in.len - end->given;
    end->given += w->chunk && left ? rnd_below(&w->random, left < w->chunk ? left : w->chunk) + 1 : left;
    struct herd_span bytes = guarded((struct herd_span){end->in.at, end->given});
    bool last = end->eof && end->given == end->in.len;
    struct herd_input_result result = {0};
    wire_inside++;
    int err = last ? herd_session_eof(end->session, bytes, wire_now(w, end->node), &w->out, &result)
                   : herd_session_input(end->session, bytes, wire_now(w, end->node), &w->out, &result);
    wire_inside--;
    if (err < 0) {
        w->failures++;
        w->out.len = 0;
        wire_close(end);
        return true;
    }
    send_out(end);
    use_up(end, result.consumed);
    end->paused = result.blocked;
    if (result.blocked)
        end->given = 0;
    if (result.close)
        wire_close(end);
    else if (last && !result.blocked)
        end->eof = false; /* it was told; a CLOSE effect follows */
    return true;
}

static void show_tap(const struct wire_end *end)
{
    const struct wire *w = end->wire;
    const char *at = w->out.at, *stop = w->out.at + w->out.len;
    while (w->tap && at < stop) {
        const char *lf = memchr(at, '\n', (size_t)(stop - at));
        must(lf != NULL);
        w->tap(w->tap_ctx, end->node, end->other->node, (struct herd_span){at, (size_t)(lf - at)});
        at = lf + 1;
    }
}

static bool fill(struct wire_end *end)
{
    struct wire *w = end->wire;
    if (!end->session || end->other->in.len >= w->room || !herd_session_want_write(end->session))
        return false;
    wire_inside++;
    int err = herd_session_write(end->session, w->room, wire_now(w, end->node), &w->out);
    wire_inside--;
    w->failures += err < 0;
    if (w->out.len)
        show_tap(end);
    send_out(end);
    return err == 0;
}

static void sweep_closed(struct wire *w)
{
    for (struct wire_conn **at = &w->conns; *at;) {
        struct wire_conn *conn = *at;
        bool test = conn->end[0].node < 0;
        if (test || !conn->end[0].closed || !conn->end[1].closed) {
            at = &conn->next;
            continue;
        }
        *at = conn->next;
        herd_buf_fini(&conn->end[0].in);
        herd_buf_fini(&conn->end[1].in);
        free(conn);
    }
}

void wire_run(struct wire *w)
{
    bool moved = true;
    for (size_t turns = 0; moved; turns++) {
        must(turns < 10000000);
        moved = false;
        for (int i = 0; i < w->count; i++)
            while (carry_out(w, i))
                moved = true;
        /* Everyone speaks, then everyone listens: a line goes one hop a turn. */
        for (struct wire_conn *conn = w->conns; conn; conn = conn->next)
            for (int i = 0; i < 2; i++)
                moved |= !conn->stalled && fill(&conn->end[i]);
        for (struct wire_conn *conn = w->conns; conn; conn = conn->next)
            for (int i = 0; i < 2; i++)
                moved |= !conn->stalled && deliver(&conn->end[i]);
        sweep_closed(w);
    }
}

void wire_advance(struct wire *w, int64_t ns)
{
    w->now.wall_ns += ns;
    w->now.steady_ns += ns;
    for (int i = 0; i < w->count; i++) {
        if (!w->nodes[i].node)
            continue;
        wire_inside++;
        herd_node_tick(w->nodes[i].node, wire_now(w, i));
        wire_inside--;
    }
    wire_run(w);
}

/* ---- the whole ---- */

bool wire_linked(const struct wire *w, int a, int b)
{
    const int pair[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        struct herd_node *node = w->nodes[pair[i]].node;
        bool found = false;
        for (size_t p = 0; node && p < herd_node_peer_count(node); p++)
            if (herd_span_equal(herd_node_peer_name(node, p), herd_span_of(w->nodes[pair[1 - i]].name)))
                found = herd_node_link(node, p) != NULL;
        if (!found)
            return false;
    }
    return true;
}

void wire_settle(struct wire *w)
{
    for (int i = 0; i < 2000; i++) {
        bool missing = false;
        for (int a = 0; a < w->count; a++)
            for (int b = 0; b < a; b++)
                if (w->edge[a][b] && !w->cut[a][b] && w->nodes[a].node && w->nodes[b].node && !w->nodes[a].plain &&
                    !w->nodes[b].plain)
                    missing |= !wire_linked(w, a, b);
        if (!missing && i > 0)
            return;
        wire_advance(w, INT64_C(10000000));
    }
    must(false);
}

void wire_crash(struct wire *w, int node)
{
    for (struct wire_conn *conn = w->conns; conn; conn = conn->next)
        for (int i = 0; i < 2; i++)
            if (conn->end[i].node == node)
                wire_close(&conn->end[i]);
    herd_node_free(w->nodes[node].node);
    w->nodes[node].node = NULL;
}

void wire_cut(struct wire *w, int a, int b)
{
    w->cut[a][b] = w->cut[b][a] = true;
    for (struct wire_conn *conn = w->conns; conn; conn = conn->next)
        if ((conn->end[0].node == a && conn->end[1].node == b) ||
            (conn->end[0].node == b && conn->end[1].node == a))
            for (int i = 0; i < 2; i++)
                wire_close(&conn->end[i]); /* what was on its way is lost */
}

void wire_mend(struct wire *w, int a, int b)
{
    w->cut[a][b] = w->cut[b][a] = false;
}

static bool same_records(struct herd_store *a, struct herd_store *b)
{
    if (herd_store_digest(a) != herd_store_digest(b) || herd_store_count(a) != herd_store_count(b))
        return false;
    for (uint32_t slot = 0; slot < herd_store_slots(a); slot++) {
        struct herd_record x, y;
        if (!herd_store_get_slot(a, slot, &x))
            continue;
        if (!herd_store_get(b, x.id, &y) || !herd_span_equal(x.server, y.server) ||
            !herd_span_equal(x.diff, y.diff) || !herd_span_equal(x.position, y.position) ||
            !herd_span_equal(x.time, y.time) || x.time_ns != y.time_ns)
            return false;
    }
    return true;
}

bool wire_agree(const struct wire *w)
{
    struct herd_node *first = NULL;
    for (int i = 0; i < w->count; i++) {
        if (!w->nodes[i].node)
            continue;
        if (first && !same_records(herd_node_store(first), herd_node_store(w->nodes[i].node)))
            return false;
        first = w->nodes[i].node;
    }
    return true;
}

void wire_free(struct wire *w)
{
    for (int i = 0; i < w->count; i++)
        wire_crash(w, i);
    while (w->conns) {
        struct wire_conn *conn = w->conns;
        w->conns = conn->next;
        herd_buf_fini(&conn->end[0].in);
        herd_buf_fini(&conn->end[1].in);
        free(conn);
    }
    herd_buf_fini(&w->out);
    free(w);
}
