/* SPDX-License-Identifier: MIT */
/*
 * Three nodes in a triangle and the bytes of strangers. The input is a list of steps, each a byte that chooses
 * and one that measures: say some of the following bytes on a connection, move bytes of any number, answer a
 * look-up, let time pass, cut, crash. Every session's input lies in memory of exactly its size. Afterwards the
 * garbage is gone, the nodes link up, and must agree; nothing may leak.
 */
#include <herd/node.h>
#include <herd/protocol.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

#define NODES   3
#define ENDS    48
#define TICKETS 64

/* Ends 2k and 2k + 1 are connected; a stranger's end has no node. */
struct end {
    int node; /* -1: a stranger */
    struct herd_session *session;
    struct herd_buf in;
    bool used, eof, paused;
};

struct world {
    struct herd_node *node[NODES];
    uint64_t seed[NODES];
    struct end end[ENDS];
    struct {
        int node;
        uint64_t ticket;
    } tickets[TICKETS];
    size_t ticket_count;
    struct herd_now now;
};

static const char *const names[NODES] = {"a", "b", "c"};

static void start(struct world *w, int i)
{
    struct herd_span peers[2];
    struct herd_node_options options = {.name = herd_span_of(names[i]),
                                        .peers = peers,
                                        .line_max_bytes = 300,
                                        .lookups_per_client_max = 2,
                                        .queued_reply_max_bytes = 200,
                                        .records_max = 20};
    for (int k = 0; k < NODES; k++)
        if (k != i)
            peers[options.peer_count++] = herd_span_of(names[k]);
    options.seed[0] = ++w->seed[i];
    options.seed[1] = (uint64_t)i;
    MUST(herd_node_new(&w->node[i], &options) == 0);
}

static struct end *other(struct world *w, const struct end *end)
{
    return &w->end[(size_t)(end - w->end) ^ 1];
}

static void close_end(struct world *w, struct end *end)
{
    if (end->session)
        herd_session_close(end->session);
    end->session = NULL;
    end->in.len = 0;
    other(w, end)->eof = true;
    if (!other(w, end)->session)
        end->used = other(w, end)->used = false;
}

static void drop(struct world *w, struct end *end)
{
    close_end(w, end);
    close_end(w, other(w, end));
}

/* A free pair, its first end for `a`. */
static struct end *pair(struct world *w, int a, int b)
{
    for (size_t i = 0; i < ENDS; i += 2) {
        if (w->end[i].used)
            continue;
        for (size_t k = 0; k < 2; k++) {
            struct herd_buf in = w->end[i + k].in;
            in.len = 0;
            w->end[i + k] = (struct end){.node = k ? b : a, .in = in, .used = true};
        }
        return &w->end[i];
    }
    return NULL;
}

static struct end *find(struct world *w, const struct herd_session *session)
{
    for (size_t i = 0; i < ENDS; i++)
        if (w->end[i].session == session)
            return &w->end[i];
    abort();
}

static int index_of(struct herd_span name)
{
    return name.at[0] - 'a';
}

static void dial(struct world *w, int i, size_t peer)
{
    int to = index_of(herd_node_peer_name(w->node[i], peer));
    struct end *end = pair(w, i, to);
    if (!end) {
        herd_node_dial_failed(w->node[i], peer, w->now);
        return;
    }
    MUST(herd_session_connected(w->node[i], &end->session, NULL, peer, w->now, &end[1].in) == 0);
    MUST(herd_session_open(w->node[to], &end[1].session, NULL, w->now) == 0);
}

static void line_timeout(struct world *w, struct end *end)
{
    struct herd_input_result result;
    char *copy = malloc(end->in.len ? end->in.len : 1);
    MUST(copy != NULL);
    if (end->in.len)
        memcpy(copy, end->in.at, end->in.len);
    MUST(herd_session_line_timeout(end->session, (struct herd_span){copy, end->in.len}, w->now, &result) == 0);
    free(copy);
    MUST(result.consumed == 0 || result.consumed == end->in.len);
    end->in.len -= result.consumed;
}

static void effects(struct world *w)
{
    for (int i = 0; i < NODES; i++) {
        struct herd_effect e;
        while (herd_node_next_effect(w->node[i], &e)) {
            if (e.kind == HERD_EFFECT_DIAL)
                dial(w, i, e.peer);
            else if (e.kind == HERD_EFFECT_CLOSE)
                close_end(w, find(w, e.session));
            else if (e.kind == HERD_EFFECT_LINE_TIMEOUT)
                line_timeout(w, find(w, e.session));
            else if (e.kind == HERD_EFFECT_LOOKUP)
                w->tickets[w->ticket_count++ % TICKETS].node = i,
                                               w->tickets[(w->ticket_count - 1) % TICKETS].ticket = e.ticket;
        }
    }
}

/* Shows a session the first `len` bytes that came for it. */
static bool deliver(struct world *w, struct end *end, size_t len)
{
    if (!end->session || end->paused)
        return false;
    if (len > end->in.len)
        len = end->in.len;
    bool last = end->eof && len == end->in.len;
    if (len == 0 && !last)
        return false;
    struct herd_buf *out = &other(w, end)->in;
    size_t out_before = out->len;
    char *copy = malloc(len ? len : 1);
    MUST(copy != NULL);
    if (len)
        memcpy(copy, end->in.at, len);
    struct herd_input_result result;
    struct herd_span bytes = {copy, len};
    MUST((last ? herd_session_eof(end->session, bytes, w->now, out, &result)
               : herd_session_input(end->session, bytes, w->now, out, &result)) == 0);
    free(copy);
    MUST(result.consumed <= len && out->len >= out_before);
    MUST(out->len == out_before || out->at[out->len - 1] == '\n');
    if (result.consumed)
        memmove(end->in.at, end->in.at + result.consumed, end->in.len - result.consumed);
    end->in.len -= result.consumed;
    end->paused = result.blocked;
    if (last && !result.blocked)
        end->eof = false;
    if (result.close)
        close_end(w, end);
    effects(w);
    return result.consumed > 0 || result.close || last;
}

static bool fill(struct world *w, struct end *end, size_t room)
{
    if (!end->session || !herd_session_want_write(end->session))
        return false;
    size_t before = other(w, end)->in.len;
    MUST(herd_session_write(end->session, room, w->now, &other(w, end)->in) == 0);
    return other(w, end)->in.len > before;
}

static void answer(struct world *w, size_t which)
{
    if (w->ticket_count == 0)
        return;
    which %= w->ticket_count < TICKETS ? w->ticket_count : TICKETS;
    struct herd_session *session;
    struct herd_buf out = {0};
    MUST(herd_node_answer(w->node[w->tickets[which].node], w->tickets[which].ticket, herd_span_of("{}"), w->now,
                          &out, &session) == 0);
    if (session) {
        struct end *end = find(w, session);
        MUST(herd_buf_add(&other(w, end)->in, out.at, out.len) == 0);
        end->paused = false;
    } else {
        MUST(out.len == 0);
    }
    herd_buf_fini(&out);
    effects(w);
}

static void tick(struct world *w, int64_t ns)
{
    w->now.steady_ns += ns;
    w->now.wall_ns += ns;
    for (int i = 0; i < NODES; i++)
        herd_node_tick(w->node[i], w->now);
    effects(w);
}

static void crash(struct world *w, int i)
{
    for (size_t k = 0; k < ENDS; k++)
        if (w->end[k].used && w->end[k].node == i)
            drop(w, &w->end[k]);
    for (size_t k = 0; k < TICKETS; k++)
        if (w->tickets[k].node == i)
            w->tickets[k].ticket = 0;
    herd_node_free(w->node[i]);
    start(w, i);
}

static void say(struct world *w, size_t which, const uint8_t *bytes, size_t len)
{
    struct end *end = &w->end[which % ENDS];
    if (!end->used || !end->session || other(w, end)->node >= 0) { /* strangers speak on their own connections */
        end = pair(w, -1, (int)(which % NODES));
        if (!end)
            return;
        end++;
        MUST(herd_session_open(w->node[end->node], &end->session, NULL, w->now) == 0);
        if (which & 16) /* from where plain neighbours may be */
            herd_session_allow_plain(end->session, -1);
    }
    MUST(herd_buf_add(&end->in, bytes, len) == 0);
}

static const uint8_t *step(struct world *w, const uint8_t *p, const uint8_t *stop)
{
    uint8_t what = *p++;
    size_t n = p < stop ? *p++ : 1;
    struct end *end = &w->end[(what >> 3) % ENDS];
    switch (what & 7) {
    case 0:
    case 1: {
        size_t len = n < (size_t)(stop - p) ? n : (size_t)(stop - p);
        say(w, what >> 3, p, len);
        return p + len;
    }
    case 2:
        for (size_t i = 0; i < ENDS; i++)
            deliver(w, &w->end[i], n + 1);
        break;
    case 3: deliver(w, end, n + 1); break;
    case 4:
        for (size_t i = 0; i < ENDS; i++)
            fill(w, &w->end[i], n * 4);
        break;
    case 5: answer(w, n); break;
    case 6: tick(w, (int64_t)n * n * 1000000); break;
    default:
        if (n < 200 && end->used)
            other(w, end)->node < 0 ? (void)(end->eof = true) : drop(w, end);
        else if (n >= 250)
            crash(w, (int)(n % NODES));
        effects(w);
    }
    return p;
}

static void run(struct world *w)
{
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < ENDS; i++) {
            moved |= fill(w, &w->end[i], 65536);
            moved |= deliver(w, &w->end[i], SIZE_MAX);
        }
    }
}

static bool all_linked(const struct world *w)
{
    for (int i = 0; i < NODES; i++)
        for (size_t p = 0; p < NODES - 1; p++)
            if (!herd_node_link(w->node[i], p))
                return false;
    return true;
}

static void check_agreement(struct world *w)
{
    for (size_t i = 0; i < ENDS; i++) {
        /* a stranger that introduced itself as a neighbour is gone like the others */
        if (w->end[i].used && (w->end[i].node < 0 || other(w, &w->end[i])->node < 0))
            drop(w, &w->end[i]);
    }
    effects(w);
    run(w); /* what is on its way may still end links */
    for (int i = 0; i < 3000 && !all_linked(w); i++) {
        tick(w, 20000000);
        run(w);
    }
    MUST(all_linked(w));
    struct herd_store *first = herd_node_store(w->node[0]);
    for (int i = 1; i < NODES; i++) {
        struct herd_store *store = herd_node_store(w->node[i]);
        MUST(herd_store_digest(store) == herd_store_digest(first));
        MUST(herd_store_count(store) == herd_store_count(first));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    struct world *w = &world;
    if (size > 4096)
        return 0;
    *w = (struct world){.now = {1000000000, 1000000000}};
    for (int i = 0; i < NODES; i++)
        start(w, i);
    for (const uint8_t *p = data, *stop = data + size; p < stop;)
        p = step(w, p, stop);
    check_agreement(w);
    for (int i = 0; i < NODES; i++)
        herd_node_free(w->node[i]);
    for (size_t i = 0; i < ENDS; i++)
        herd_buf_fini(&w->end[i].in);
    return 0;
}
