/* SPDX-License-Identifier: MIT */
/* One seed: a herd, its clients and its misfortunes; then all is well again, and all must agree. */
#include "world.h"

#include "node_impl.h"

#include <stdarg.h>
#include <stdlib.h>

#define HEALING_NS (300 * SECOND)
#define EVENTS_MAX UINT64_C(3000000)

struct sim_options sim_options = {.nodes_max = NODES_MAX, .ops_max = UINT32_MAX, .faults_max = UINT32_MAX};

void sim_say(struct world *w, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    printf("%12.6f ", (double)w->now / 1e9);
    vprintf(format, list);
    printf("\n");
    va_end(list);
}

_Noreturn void sim_fail(struct world *w, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fflush(stdout);
    fprintf(stderr, "seed %llu, after %llu events, at %.6f s: ", (unsigned long long)w->seed,
            (unsigned long long)w->events, (double)w->now / 1e9);
    vfprintf(stderr, format, list);
    fprintf(stderr, "\n");
    va_end(list);
    fflush(stderr);
    _Exit(1);
}

/* ---- what a seed means ---- */

static void link_nodes(struct world *w, int a, int b)
{
    struct edge *edge = world_edge(w, a, b);
    if (a == b || edge->there)
        return;
    edge->there = true;
    edge->latency_ns =
        rng_one_in(&w->topology, 4) ? rng_in(&w->topology, 10 * US, 40 * MS) : rng_in(&w->topology, 10 * US, MS);
    w->edges++;
    const int pair[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        struct sim_node *n = &w->nodes[pair[i]];
        const struct sim_node *o = &w->nodes[pair[1 - i]];
        n->peers[n->options.peer_count] = pair[1 - i];
        n->peers_plain[n->options.peer_count] = pair[1 - i] >= w->count;
        n->peer_names[n->options.peer_count++] = herd_span_of(o->name);
    }
}

static void make_topology(struct world *w)
{
    struct rng *r = &w->topology;
    uint64_t size = rng_below(r, 20);
    w->count = (int)(size < 10 ? rng_in(r, 2, 4) : size < 18 ? rng_in(r, 5, 8) : rng_in(r, 9, NODES_MAX));
    if (w->count > sim_options.nodes_max)
        w->count = sim_options.nodes_max;
    w->ping_ns = rng_one_in(r, 2) ? 0 : rng_in(r, 200, 5000) * MS;
    for (int i = 0; i < w->count; i++) {
        struct sim_node *n = &w->nodes[i];
        /* names whose order is not that of the numbers */
        snprintf(n->name, sizeof n->name, "%c%d", "nNza"[rng_below(r, 4)], i);
        n->steady_off = rng_in(r, 0, 1000) * SECOND;
        n->wall_off = rng_one_in(r, 3) ? rng_in(r, -5000, 5000) * MS : 0;
        n->options.ping_ns = world_ping(w, r);
        n->options.digest_ns = rng_one_in(r, 2) ? 0 : rng_in(r, 2, 60) * SECOND;
        n->options.redial_max_ns = rng_one_in(r, 2) ? 0 : rng_in(r, 50, 3000) * MS;
    }
    for (int i = 1; i < w->count; i++)
        link_nodes(w, i, (int)rng_below(r, (uint64_t)i));
    for (uint64_t more = rng_below(r, (uint64_t)w->count * 2); more > 0; more--)
        link_nodes(w, (int)rng_below(r, (uint64_t)w->count), (int)rng_below(r, (uint64_t)w->count));
    w->plains =
        rng_one_in(r, 4) ? (int)rng_in(r, 1, PLAINS_MAX) : 0; /* beside the herd: it does not depend on them */
    if (sim_options.no_plain)
        w->plains = 0;
    for (int i = w->count; i < w->count + w->plains; i++) {
        snprintf(w->nodes[i].name, sizeof w->nodes[i].name, "p%d", i);
        w->nodes[i].up = true;
        memset(w->nodes[i].unnoticed, true, sizeof w->nodes[i].unnoticed);
        for (int64_t more = rng_in(r, 1, 3); more > 0; more--)
            link_nodes(w, (int)rng_below(r, (uint64_t)w->count), i);
    }
    for (int i = 0; i < w->count; i++)
        w->nodes[i].options.plain_lines_max = rng_one_in(r, 2) ? 1 : (size_t)rng_in(r, 2, 5);
}

static void make_keys(struct world *w)
{
    struct rng *r = &w->workload;
    struct model *m = &w->model;
    uint64_t size = rng_below(r, 100);
    m->key_count = (uint32_t)(size < 60 ? rng_in(r, 1, 12) : size < 96 ? rng_in(r, 10, 60) : rng_in(r, 100, 900));
    if ((w->count > 8 || w->plains > 0) && m->key_count > 60)
        m->key_count = 60;
    m->keys = calloc(m->key_count, sizeof *m->keys);
    for (uint32_t key = 0; key < m->key_count; key++) {
        char id[400];
        int len = snprintf(id, sizeof id, "c%u_", key);
        if (rng_one_in(r, 6)) /* some are long, some are not ASCII */
            for (int64_t more = rng_in(r, 1, rng_one_in(r, 4) ? 300 : 40); more > 0; more--)
                id[len++] = (char)rng_in(r, 0x21, 0xff);
        m->keys[key].id = malloc((size_t)len);
        memcpy(m->keys[key].id, id, (size_t)len);
        m->keys[key].len = (uint32_t)len;
        m->keys[key].last = NO_VERSION;
    }
    for (int i = 0; i < w->count + w->plains; i++) {
        struct sim_node *n = &w->nodes[i];
        n->has = malloc(m->key_count * sizeof *n->has);
        n->watched = malloc(m->key_count * sizeof *n->watched);
        n->safe = malloc(m->key_count * sizeof *n->safe);
        n->slots = malloc(m->key_count * sizeof *n->slots);
        n->lives = calloc(m->key_count, sizeof *n->lives);
        for (uint32_t key = 0; key < m->key_count; key++)
            n->has[key] = n->watched[key] = n->safe[key] = NO_VERSION;
    }
}

static void draw(struct world *w)
{
    make_topology(w);
    make_keys(w);
    struct rng *r = &w->faults;
    w->calm = w->plains == 0 && rng_one_in(r, 8);
    w->expire_ns = !w->calm && w->count <= 6 && rng_one_in(r, 6) ? rng_in(r, 1, 600) * SECOND : 0;
    w->watch = rng_one_in(r, 4);
    for (int i = 0; i < w->count; i++) {
        disk_make(w, i, r);
        w->nodes[i].journals &= !sim_options.no_journal;
    }
    w->ops_left = (uint32_t)rng_in(r, 5, rng_one_in(r, 4) ? 200 : 60);
    w->faults_left = w->calm ? 0 : (uint32_t)rng_in(r, 0, rng_one_in(r, 4) ? 60 : 20);
    if (sim_options.no_expiry)
        w->expire_ns = 0;
    w->model.effective = w->expire_ns > 0;
    int64_t length = rng_in(r, 1, rng_one_in(r, 4) ? 20000 : 1500) * MS;
    if (w->expire_ns) { /* long enough to see records go, with no more than the standard keep-alives */
        length = rng_in(r, 300, 2000) * SECOND;
        w->ping_ns = 0;
        for (int i = 0; i < w->count; i++) {
            w->nodes[i].options.ping_ns = 0;
            w->nodes[i].options.digest_ns = rng_in(r, 10, 60) * SECOND;
        }
    }
    if (w->ops_left > sim_options.ops_max)
        w->ops_left = sim_options.ops_max;
    if (w->faults_left > sim_options.faults_max)
        w->faults_left = sim_options.faults_max;
    /* Some know fewer clients than there are: neighbours' and their own. */
    w->mixed = !w->calm && !w->expire_ns && !w->plains && !sim_options.no_mix && rng_one_in(&w->limits, 5);
    for (int i = 0; w->mixed && i < w->count; i++) {
        w->nodes[i].journals = false;
        w->nodes[i].options.records_max =
            rng_one_in(&w->limits, 3) ? 0 : 1 + (size_t)rng_below(&w->limits, w->model.key_count);
    }
    w->figures->mixed += w->mixed;
    w->deletes = !sim_options.no_delete && rng_one_in(&w->deletions, 3);
    for (int i = 0; w->deletes && i < w->count; i++) {
        struct herd_node_options *options = &w->nodes[i].options;
        options->forget_line = true;
        options->tombstones_max =
            w->mixed ? 1 + (size_t)rng_below(&w->deletions, w->model.key_count) : w->model.key_count + 1;
    }
    w->op_gap_ns = length / (w->ops_left ? w->ops_left : 1);
    w->fault_gap_ns = w->faults_left ? length / w->faults_left : 0;
    w->op_window_s = rng_in(r, 0, 30);
    w->room = (size_t)rng_in(r, 1, rng_one_in(r, 3) ? 65536 : 600);
    w->chunk = rng_one_in(r, w->calm ? 3 : 12) ? (size_t)rng_in(r, 20, 100) : (size_t)rng_in(r, 100, 65536);
    w->jitter_ns = rng_one_in(r, 2) ? 0 : rng_in(r, 0, 5 * MS);
    trust_draw(w);
}

/* ---- phases ---- */

static void step(struct world *w, const struct event *e)
{
    w->events++;
    if (w->events > w->event_max)
        sim_fail(w, "does not come to rest");
    world_step(w, e);
    uint64_t dice = rng_below(&w->checks, 64);
    int node = (int)rng_below(&w->checks, (uint64_t)w->count);
    check_invariants(w, node);
    if (dice == 0)
        check_node(w, node);
    if (dice < 3)
        check_links(w, node);
}

static void run_until(struct world *w, int64_t until)
{
    struct event e;
    while (w->heap_len > 0 && w->heap[0].at < until && world_next(w, &e))
        step(w, &e);
}

/* Until it is so, or too late. Looking costs more than an event: every fourth time is enough while much happens. At rest
 * only keep-alives happen, four events at a time, and every fourth alone might find each of them on its way. */
static bool run_until_converged(struct world *w, int64_t deadline)
{
    struct event e;
    uint32_t since = 0;
    for (;;) {
        bool pause = w->heap_len == 0 || w->heap[0].at - w->now > 100 * MS;
        if ((pause || since++ % 4 == 0) && check_converged(w))
            return true;
        if (!world_next(w, &e) || e.at > deadline)
            return false;
        step(w, &e);
    }
}

static void check_rest(struct world *w, const int32_t *least)
{
    check_all(w);
    foreign_check_rest(w);
    for (uint32_t key = 0; key < w->model.key_count; key++) {
        for (int i = 0; i < w->count; i++)
            if (!w->mixed && i != w->apart && w->nodes[i].has[key] != w->nodes[0].has[key])
                sim_fail(w, "%s and %s differ on client %u", w->nodes[0].name, w->nodes[i].name, key);
        bool held = true; /* by all, if they were told */
        for (int i = 0; i < w->count; i++)
            held &= least[key] != NO_VERSION && model_within(w, i, least[key]);
        int32_t newest = NO_VERSION; /* some cannot hold it */
        for (int i = 0; i < w->count; i++)
            newest = i != w->apart && model_order(&w->model, w->nodes[i].has[key], newest) > 0
                         ? w->nodes[i].has[key]
                         : newest;
        if (held && model_order(&w->model, newest, least[key]) < 0)
            sim_fail(w, "lost: %.*s", (int)w->model.versions[least[key]].len, w->model.texts[least[key]]);
    }
    for (int i = 0; i < w->count; i++)
        if (herd_node_stats(w->nodes[i].node).repairs)
            sim_fail(w, "%s had to repair", w->nodes[i].name);
    for (uint32_t v = 0; w->calm && v < w->model.count; v++)
        if (w->model.versions[v].calm && w->model.versions[v].sent_calm > (uint32_t)(2 * w->edges - w->count + 1))
            sim_fail(w, "sent %u times over %d links of %d nodes: %.*s", w->model.versions[v].sent_calm, w->edges,
                     w->count, (int)w->model.versions[v].len, w->model.texts[v]);
}

/* A watcher saw the newest of everything that changed. */
static void check_watchers(struct world *w)
{
    for (int i = 0; i < w->count; i++) {
        struct sim_node *n = &w->nodes[i];
        if (!n->watch)
            continue;
        world_watch(w, i);
        for (uint32_t key = 0; key < w->model.key_count; key++)
            if (n->watched[key] != n->has[key])
                sim_fail(w, "%s's watcher missed %.*s", n->name, (int)w->model.versions[n->has[key]].len,
                         w->model.texts[n->has[key]]);
    }
}

/* Records that nodes refused for their clocks. */
static uint64_t outside_windows(const struct world *w)
{
    uint64_t count = 0;
    for (int i = 0; i < w->count; i++)
        count += herd_node_stats(w->nodes[i].node).at_expired + herd_node_stats(w->nodes[i].node).at_future;
    return count;
}

/* Nobody reports, nothing breaks: nothing but keep-alives is said, and roots agree. */
static void rest_a_while(struct world *w)
{
    if (w->mixed) /* of dials that crossed one is left meanwhile */
        run_until(w, w->now + 60 * SECOND);
    uint64_t lines = w->figures->lines, links = w->figures->links, outside = outside_windows(w);
    run_until(w, w->now + 130 * SECOND);
    if (w->mixed && w->figures->links != links)
        sim_fail(w, "a link went down although nothing happened but refusals");
    /* What a neighbour refused it is offered again, now and then: for want of room, or because it forgets a little
     * earlier. */
    lines += outside_windows(w) - outside;
    if (w->figures->lines > lines && !w->mixed)
        sim_fail(w, "%llu lines were sent while nothing happened", (unsigned long long)(w->figures->lines - lines));
    if (!run_until_converged(w, w->now + (w->expire_ns ? 400 : 30) * SECOND)) /* not all forget at once */
        sim_fail(w, "links broke while nothing happened");
}

/* A journal may be written anew just now: its last steps take some milliseconds. */
static void settle_disks(struct world *w)
{
    for (int i = 0; i < w->count; i++)
        for (int tries = 0; tries < 10 && !disk_name_is_safe(w, i); tries++)
            run_until(w, w->now + SECOND);
}

/* Everybody is silent for so long that nothing is known any more. */
static void forget_all(struct world *w)
{
    run_until(w, w->now + 2 * w->expire_ns + 1700 * SECOND);
    check_all(w);
    for (int i = 0; i < w->count; i++)
        if (w->nodes[i].held)
            sim_fail(w, "%s does not forget", w->nodes[i].name);
        else
            areas_check(w, i);
}

/* Links are up, and of dials that crossed one is left. */
static void settle(struct world *w)
{
    run_until(w, 10 * SECOND);
    if (!run_until_converged(w, HEALING_NS))
        sim_fail(w, "no link came up");
}

static int64_t run(struct world *w)
{
    bool ready = !w->calm && rng_one_in(&w->topology, 2);
    for (int i = 0; i < w->count; i++) {
        if (ready || w->calm || !rng_one_in(&w->topology, 4))
            world_start(w, i);
        else
            world_event(w, rng_in(&w->topology, 0, SECOND), EV_START, (uint32_t)i, 0, 0);
    }
    if (w->model.key_count > 60 || rng_one_in(&w->workload, 8)) {
        bool calm = w->calm;
        w->calm = false; /* these are told by comparisons */
        load_preload(w);
        w->calm = calm;
    }
    if (w->calm)
        settle(w);
    world_event(w, w->now, EV_OP, 0, 0, 0);
    world_event(w, w->now, EV_FAULT, 0, 0, 0);
    struct event e;
    while (w->ops_left > 0 || w->faults_left > 0) {
        if (!world_next(w, &e))
            sim_fail(w, "nothing happens any more");
        step(w, &e);
    }
    fault_heal(w);
    check_all(w);
    int32_t *least = malloc(w->model.key_count * sizeof *least);
    for (uint32_t key = 0; key < w->model.key_count; key++) {
        least[key] = NO_VERSION;
        for (int i = 0; i < w->count; i++)
            if (i != w->apart && model_order(&w->model, w->nodes[i].has[key], least[key]) > 0 &&
                model_within(w, i, w->nodes[i].has[key]))
                least[key] = w->nodes[i].has[key];
    }
    int64_t healed = w->now;
    if (!run_until_converged(w, w->now + (w->expire_ns || (w->mixed && w->deletes) ? 3 * HEALING_NS : HEALING_NS)))
        sim_fail(w, "no convergence");
    healed = w->now - healed;
    check_rest(w, least);
    if (w->watch)
        check_watchers(w);
    for (int i = 0; i < w->count; i++) {
        areas_check(w, i);
        disk_check(w, i);
    }
    if (rng_one_in(&w->checks, 16)) {
        rest_a_while(w);
        settle_disks(w);
        for (int i = 0; i < w->count; i++) {
            areas_check(w, i);
            disk_check_rest(w, i);
        }
        check_rest(w, least);
    }
    if (w->expire_ns && rng_one_in(&w->checks, 2))
        forget_all(w);
    free(least);
    return healed;
}

uint64_t sim_run(uint64_t seed, bool verbose, struct figures *figures)
{
    int64_t live = sim_alloc.live;
    struct world *w = calloc(1, sizeof *w);
    *w = (struct world){
        .seed = seed,
        .topology = rng_stream(seed, 1),
        .workload = rng_stream(seed, 2),
        .network = rng_stream(seed, 3),
        .faults = rng_stream(seed, 4),
        .checks = rng_stream(seed, 5),
        .limits = rng_stream(seed, 7),
        .trust = rng_stream(seed, 8),
        .deletions = rng_stream(seed, 9),
        .verbose = verbose,
        .event_max = EVENTS_MAX,
        .figures = figures,
    };
    sim_alloc.rng = rng_stream(seed, 6);
    sim_alloc.failed = 0;
    w->conns = calloc(CONNS_MAX, sizeof *w->conns);
    model_init(&w->model);
    draw(w);
    if (verbose)
        sim_say(
            w,
            "%d nodes, %d plain, %d links, %u clients, %u commands, %u faults%s, %zu unsent bytes, pieces of %zu",
            w->count, w->plains, w->edges, w->model.key_count, w->ops_left, w->faults_left,
            w->calm ? " (calm)" : "", w->room, w->chunk);
    run(w);
    figures->seeds++;
    figures->nodes += (uint64_t)w->count;
    figures->events += w->events;
    figures->virtual_s += (double)w->now / 1e9;
    figures->allocs_failed += sim_alloc.failed;
    for (int i = 0; i < w->count; i++) {
        figures->syncs += herd_node_stats(w->nodes[i].node).syncs;
        figures->refused += herd_node_stats(w->nodes[i].node).at_refused;
        w->trace = mix(w->trace, w->nodes[i].node->store->digest.total);
    }
    uint64_t hash = w->trace ^ w->events;
    world_free(w);
    struct world memory = *w;
    free(w);
    if (sim_alloc.live != live)
        sim_fail(&memory, "%lld blocks of memory are lost", (long long)(sim_alloc.live - live));
    return hash;
}
