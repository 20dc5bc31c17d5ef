/* SPDX-License-Identifier: MIT */
/* Misfortune, drawn from its own stream; and its end. */
#include "world.h"

#include "node_impl.h"

#include <stdlib.h>

enum fault {
    FAULT_CUT,
    FAULT_CUT_SILENT,
    FAULT_STALL,
    FAULT_RATE,
    FAULT_SLICE,
    FAULT_RESET,
    FAULT_CRASH,
    FAULT_CRASH_SILENT,
    FAULT_PAUSE,
    FAULT_CLOCK,
    FAULT_OOM,
    FAULT_STRANGER,
    FAULT_IMPOSTOR,
    FAULT_LIMITS,
    FAULT_SWIZZLE,
    FAULTS
};

static const char *const names[FAULTS] = {"cut",       "silent cut", "stall",        "rate",         "slice",
                                          "reset",     "crash",      "silent crash", "pause",        "clock",
                                          "no memory", "stranger",   "impostor",     "other limits", "swizzle"};

int fault_number(const char *name)
{
    for (int fault = 0; fault < FAULTS; fault++)
        if (strcmp(names[fault], name) == 0)
            return fault;
    return -1;
}

static void until(struct world *w, int64_t ns, enum fault fault, int a, int b)
{
    world_event(w, w->now + ns, EV_FAULT, (uint32_t)fault + 1, (uint32_t)a << 8 | (uint32_t)b, 0);
}

static void break_between(struct world *w, int a, int b, bool told)
{
    for (uint32_t i = 0; i < w->conn_top; i++) {
        struct conn *conn = &w->conns[i];
        if (conn->used && ((conn->end[0].node == a && conn->end[1].node == b) ||
                           (conn->end[0].node == b && conn->end[1].node == a)))
            world_break(w, conn, told && !rng_one_in(&w->faults, 4));
    }
}

static struct edge *some_edge(struct world *w, int *ret_a, int *ret_b)
{
    for (;;) {
        uint64_t all = (uint64_t)(w->count + w->plains);
        int a = (int)rng_below(&w->faults, all), b = (int)rng_below(&w->faults, all);
        if (a < b && w->edge[a][b].there) {
            *ret_a = a;
            *ret_b = b;
            return &w->edge[a][b];
        }
    }
}

static const char *const noise[] = {
    "AT ",    "IAMAT ",     "WHATSAT ",  "HELLO 2 ",       "HELLO 3 ", "n0 ",
    "n1 ",    "n2 ",        "+1.5",      "-2.5",           "+1-1 ",    "5x ",
    "\n",     "\n",         "\r\n",      "ROOT 1 1\n",     "PUSH\n",   "PING\n",
    "PONG\n", "REFUSE x\n", "SUMS 0 0 ", "LIST 0 0 ask\n", " ",        "\t",
    "x",      "\xff\xfe",   "?",
};

static struct end *stranger(struct world *w, int node)
{
    struct conn *conn = world_connect(w, -1, node);
    conn->end[1].unopened = true;
    return &conn->end[1];
}

static void babble(struct world *w, struct end *to)
{
    to->keyless = true;
    char text[2048];
    size_t len = 0;
    for (uint64_t words = rng_below(&w->faults, 60); words > 0; words--) {
        const char *word = noise[rng_below(&w->faults, sizeof noise / sizeof *noise)];
        memcpy(text + len, word, strlen(word));
        len += strlen(word);
    }
    world_send(w, to, text, len);
    to->eof = rng_one_in(&w->faults, 2);
    world_wake(w, to);
}

/* One that says it is a neighbour: what it says then is believed, so it may tell of updates nobody else saw. */
static void pose(struct world *w, int node, struct end *to)
{
    struct sim_node *n = &w->nodes[node];
    struct rng *r = &w->faults;
    struct model *m = &w->model;
    char line[1024];
    size_t peer = (size_t)rng_below(r, n->node->peer_count);
    int len = snprintf(line, sizeof line, "HELLO 2 %s %s %llx", w->nodes[n->peers[peer]].name, n->name,
                       (unsigned long long)rng_next(r));
    to->keyless = n->options.key_check && rng_one_in(&w->trust, 2);
    if (n->options.key_check && !to->keyless)
        len += snprintf(line + len, sizeof line - (size_t)len, " 0 %llx", (unsigned long long)n->options.key_check);
    line[len++] = '\n';
    trust_pose(w, to, n->peers[peer]);
    world_send(w, to, line, (size_t)len);
    for (uint64_t k = rng_below(r, 12); k > 0; k--) {
        uint32_t key = (uint32_t)rng_below(r, m->key_count);
        switch (rng_below(r, 6)) {
        case 0:
            len = snprintf(line, sizeof line, "ROOT %d %x\n", (int)rng_below(r, 2000), (unsigned)rng_below(r, 999));
            break;
        case 1: {
            unsigned depth = (unsigned)rng_below(r, 5) * 4;
            len = snprintf(line, sizeof line, "SUMS %u %x", depth, (unsigned)rng_below(r, UINT64_C(1) << depth));
            for (int i = 0; i < 16; i++)
                len += snprintf(line + len, sizeof line - (size_t)len, " %x", (unsigned)rng_below(r, 3));
            len += snprintf(line + len, sizeof line - (size_t)len, "\n");
            break;
        }
        case 2: {
            unsigned depth = (unsigned)rng_below(r, 5) * 4;
            static const char *const kinds[] = {"ask", "end", "all", "ask 0000000000000001:0000000000000002"};
            len = snprintf(line, sizeof line, "LIST %u %x %s\n", depth,
                           (unsigned)rng_below(r, UINT64_C(1) << depth), kinds[rng_below(r, 4)]);
            break;
        }
        case 3: len = snprintf(line, sizeof line, "PUSH\n"); break;
        case 4:
            if (m->count == 0)
                continue;
            key = (uint32_t)rng_below(r, m->count);
            len = snprintf(line, sizeof line, "%.*s\n", (int)m->versions[key].len, m->texts[key]);
            break;
        default:
            len = snprintf(line, sizeof line, "AT %s +1.000000000 %.*s +%d-1 16214648%02d.5",
                           w->nodes[n->peers[peer]].name, (int)m->keys[key].len, m->keys[key].id,
                           (int)rng_below(r, 80), (int)rng_below(r, 100));
            model_add(w, key, (struct herd_span){line, (size_t)len});
            line[len++] = '\n';
            break;
        }
        world_send(w, to, line, (size_t)len);
    }
    to->eof = rng_one_in(r, 2);
    world_wake(w, to);
}

static void end_fault(struct world *w, enum fault fault, int a, int b)
{
    struct edge *edge = &w->edge[a][b];
    if (w->verbose)
        sim_say(w, "%s ends (n%d n%d)", names[fault], a, b);
    switch (fault) {
    case FAULT_CUT:
    case FAULT_CUT_SILENT: edge->cut = edge->cut_silently = false; break;
    case FAULT_RATE: edge->gap_ns[0] = edge->gap_ns[1] = 0; break;
    case FAULT_SLICE: edge->chunk[0] = edge->chunk[1] = 0; break;
    case FAULT_OOM: w->nodes[a].oom_one_in = 0; break;
    case FAULT_SWIZZLE: /* its beginning, rather */
        edge->stalled_until[0] = edge->stalled_until[1] = w->now + rng_in(&w->faults, 0, 8 * w->fault_gap_ns);
        break;
    default: break;
    }
}

static void other_limits(struct world *w, struct sim_node *n)
{
    struct rng *r = &w->faults;
    n->options.records_max =
        rng_one_in(r, 2) ? 0 : w->model.key_count / 2 + 1 + (size_t)rng_below(r, w->model.key_count);
    n->options.records_bytes_max =
        !rng_one_in(r, 4) ? 0 : (uint64_t)rng_in(r, 1, 200 * (int64_t)w->model.key_count);
    n->options.lookups_per_client_max = (size_t)rng_in(r, 0, 3);
    n->options.queued_reply_max_bytes = rng_one_in(r, 2) ? 0 : (size_t)rng_in(r, 1, 500);
    n->options.line_max_bytes = rng_one_in(r, 2) ? 0 : (size_t)rng_in(r, 600, 5000);
    n->options.future_refuse = rng_one_in(r, 3);
    n->options.future_ns = rng_in(r, 0, 20) * SECOND;
    n->options.ping_ns = world_ping(w, r);
    if (w->mixed && n->options.records_max)
        n->options.records_max = 1 + (size_t)rng_below(&w->limits, w->model.key_count);
}

/* A wall clock jumps a little or by years, runs too fast or too slow, or is set right. */
static void set_clock(struct world *w, struct sim_node *n)
{
    struct rng *r = &w->faults;
    int64_t drifted_ns = (w->now - n->drift_since) / 1000000 * n->drift_ppm;
    n->wall_off += drifted_ns;
    n->drift_since = w->now;
    n->drift_ppm = 0;
    w->figures->clocks++;
    switch (rng_below(r, 6)) {
    case 0: n->wall_off = rng_in(r, -37000, 37000) * MS; break;
    case 1: n->wall_off += rng_in(r, -1000, 1000) * (rng_one_in(r, 2) ? SECOND : MS); break;
    case 2: n->wall_off = rng_in(r, -3000, 3000) * SECOND; break;
    case 3: n->wall_off = rng_in(r, -20, 20) * 86400 * SECOND; break;
    case 4: n->wall_off = rng_in(r, -20, 20) * 365 * 86400 * SECOND; break;
    default: n->drift_ppm = rng_in(r, -200000, 200000); break;
    }
}

static void happen(struct world *w)
{
    struct rng *r = &w->faults;
    if (w->healed || w->faults_left == 0)
        return;
    w->faults_left--;
    world_event(w, w->now + rng_in(r, 0, 2 * w->fault_gap_ns), EV_FAULT, 0, 0, 0);
    enum fault fault = (enum fault)rng_below(r, FAULTS);
    if (sim_options.without >> fault & 1)
        return;
    w->figures->faults++;
    int a, b, node = (int)rng_below(r, (uint64_t)(w->count + w->plains));
    struct sim_node *n = &w->nodes[node];
    struct edge *edge = some_edge(w, &a, &b);
    int64_t span = rng_in(r, 0, 8 * w->fault_gap_ns) + rng_in(r, 0, rng_one_in(r, 8) ? 30 * SECOND : 200 * MS);
    int way = (int)rng_below(r, 2);
    bool on_node = fault >= FAULT_CRASH && fault != FAULT_SWIZZLE;
    if (w->verbose)
        sim_say(w, "fault: %s (n%d, n%d n%d) for %lld us", names[fault], node, a, b, (long long)(span / 1000));
    if (on_node && node >= w->count) {
        if (fault == FAULT_PAUSE)
            n->paused_until = w->now + span;
        if ((fault == FAULT_CRASH || fault == FAULT_CRASH_SILENT) && n->up) {
            w->figures->crashes++;
            foreign_crash(w, node);
            world_event(w, w->now + rng_in(r, 0, span), EV_START, (uint32_t)node, 0, n->starts);
        }
        return;
    }
    if (on_node && !n->node)
        return;
    switch (fault) {
    case FAULT_CUT:
    case FAULT_CUT_SILENT:
        w->figures->cuts++;
        edge->cut = true;
        edge->cut_silently = fault == FAULT_CUT_SILENT;
        break_between(w, a, b, fault == FAULT_CUT);
        until(w, span, fault, a, b);
        break;
    case FAULT_RESET:
        w->figures->cuts++;
        break_between(w, a, b, true);
        break;
    case FAULT_STALL: edge->stalled_until[way] = w->now + span; break;
    case FAULT_RATE:
        edge->gap_ns[way] = rng_in(r, MS, 20 * MS);
        until(w, span, fault, a, b);
        break;
    case FAULT_SLICE:
        edge->chunk[way] = 1 + (size_t)rng_below(r, 7);
        until(w, span, fault, a, b);
        break;
    case FAULT_CRASH:
    case FAULT_CRASH_SILENT:
    case FAULT_LIMITS:
        w->figures->crashes++;
        world_crash(w, node, fault != FAULT_CRASH_SILENT);
        if (fault == FAULT_LIMITS)
            other_limits(w, n);
        world_event(w, w->now + rng_in(r, 0, span), EV_START, (uint32_t)node, 0, n->starts);
        break;
    case FAULT_PAUSE: n->paused_until = w->now + span; break;
    case FAULT_CLOCK: set_clock(w, n); break;
    case FAULT_OOM:
        n->oom_one_in = 1 + rng_below(r, rng_one_in(r, 4) ? 4 : 60);
        until(w, span, fault, node, 0);
        break;
    case FAULT_STRANGER: babble(w, stranger(w, node)); break;
    case FAULT_SWIZZLE: /* links clog one after the other, and are free again in another order */
        for (int one = 0; one < w->count + w->plains; one++)
            for (int two = one + 1; two < w->count + w->plains; two++)
                if (w->edge[one][two].there && rng_one_in(r, 2))
                    until(w, rng_in(r, 0, span), fault, one, two);
        break;
    case FAULT_IMPOSTOR:
        if (n->node->peer_count > 0)
            pose(w, node, stranger(w, node));
        break;
    default: break;
    }
}

void fault_heal(struct world *w)
{
    w->healed = true;
    int all = w->count + w->plains;
    for (int a = 0; a < all; a++) {
        for (int b = a + 1; b < all; b++) {
            struct edge *edge = &w->edge[a][b];
            edge->cut = edge->cut_silently = false;
            for (int way = 0; way < 2; way++) {
                edge->stalled_until[way] = 0;
                edge->chunk[way] = 0;
                edge->gap_ns[way] = 0;
            }
        }
        w->nodes[a].oom_one_in = 0;
        if (w->expire_ns || w->nodes[a].drift_ppm) { /* a little apart, as clocks are */
            w->nodes[a].wall_off = rng_in(&w->faults, -37000, 37000) * MS;
            w->nodes[a].drift_ppm = 0;
        }
        if (w->nodes[a].paused_until > w->now)
            w->nodes[a].paused_until = w->now;
    }
    for (int i = 0; i < w->count; i++)
        if (!w->nodes[i].node)
            world_start(w, i);
    foreign_heal(w);
    uint32_t top = w->conn_top;
    for (uint32_t i = 0; i < top; i++)
        if (w->conns[i].used && w->conns[i].end[0].node < 0)
            world_close(w, &w->conns[i].end[0]);
    /* What waited for the end of a stall is told that it is over. */
    for (uint32_t i = 0; i < w->conn_top; i++)
        for (int k = 0; w->conns[i].used && k < 2; k++) {
            w->conns[i].end[k].moving = false; /* a move too many is harmless */
            world_wake(w, &w->conns[i].end[k]);
        }
    for (int i = 0; i < w->count; i++)
        world_event(w, w->now, EV_TURN, (uint32_t)i, 0, w->nodes[i].starts);
}

/* The end of a fault comes as an event too. */
void fault_event(struct world *w, const struct event *e)
{
    if (e->a == 0)
        happen(w);
    else if (!w->healed)
        end_fault(w, (enum fault)(e->a - 1), (int)(e->b >> 8), (int)(e->b & 255));
}
