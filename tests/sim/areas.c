/* SPDX-License-Identifier: MIT */
/* Areas of some nodes: they follow a bounded number of steps at a time, and at the end each knows where everybody is. */
#include "world.h"

#include "area_impl.h"
#include "expiry.h"
#include "node_impl.h"

#include <herd/area.h>

#include <string.h>

#define ROUNDS_MAX 1000
/* Of the fence that some areas have, about any two clients so near each other. */
#define NEAR_M 50000

static void set_proximity(struct herd_area *area)
{
    const struct herd_fence_options options = {.margin_m = 0};
    struct herd_shape *shape;
    const struct herd_span all = herd_span_of("*");
    if (herd_shape_proximity(&shape, all, all, NEAR_M) >= 0 &&
        herd_area_fence_set(area, herd_span_of("near"), shape, &options) < 0)
        herd_shape_free(shape);
}

void areas_open(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    if (n->options.seed[0] % 3 == 0)
        return;
    world_enter(w, node);
    if (herd_area_open(n->node, n->options.seed, &n->area) < 0)
        n->area = NULL;
    if (n->area && n->options.seed[0] % 2 == 0)
        set_proximity(n->area);
    world_leave(w);
}

void areas_close(struct sim_node *n)
{
    herd_area_close(n->area);
    n->area = NULL;
}

/* Takes in changes for `steps`; how much is left of these. */
static size_t follow(struct world *w, int node, struct herd_now now, size_t steps)
{
    struct herd_fence_event event;
    while (herd_area_next(w->nodes[node].area, now, &steps, &event))
        if (event.other.len == 0 || herd_span_equal(event.record.id, event.other))
            sim_fail(w, "%s tells of a fence, and there is none", w->nodes[node].name);
    return steps;
}

void areas_turn(struct world *w, int node)
{
    if (!w->nodes[node].area || rng_one_in(&w->checks, 2))
        return;
    world_enter(w, node);
    follow(w, node, world_clock(w, node), (size_t)rng_in(&w->checks, 1, 100));
    world_leave(w);
}

static void check_point(struct world *w, int node, uint32_t slot, size_t *io_points, size_t *io_visible)
{
    struct sim_node *n = &w->nodes[node];
    struct herd_record record;
    struct herd_e7 e7;
    const struct herd_grid_point *point = herd_grid_point(&n->area->grid, slot);
    bool there = herd_store_get_slot(n->node->store, slot, &record) && !herd_record_is_tombstone(&record);
    bool visible = there && !herd_expired(n->node, &record);
    *io_points += point != NULL;
    *io_visible += visible;
    if (visible && !point)
        sim_fail(w, "%s's area lacks %.*s", n->name, (int)record.id.len, record.id.at);
    if (point && !there)
        sim_fail(w, "%s's area has a client that is gone", n->name);
    if (!point)
        return;
    herd_e7_position(record.position, &e7);
    struct herd_e7 kept = herd_grid_position(point);
    if (kept.lat != e7.lat || kept.lon != e7.lon)
        sim_fail(w, "%s's area has %.*s where it is not", n->name, (int)record.id.len, record.id.at);
}

/* A question for everybody finds the same. */
static void check_finding(struct world *w, int node, size_t visible)
{
    struct sim_node *n = &w->nodes[node];
    struct herd_area_query *query;
    const struct herd_area_question question = {.limit = HERD_AREA_HITS_MAX};
    if (herd_area_ask(n->area, &question, &query) < 0)
        sim_fail(w, "%s's area cannot be asked", n->name);
    while (herd_area_step(query, world_clock(w, node), 50))
        ;
    if (herd_area_hit_count(query) != visible)
        sim_fail(w, "%s's area finds %zu of %zu clients", n->name, herd_area_hit_count(query), visible);
    herd_area_query_free(query);
}

/* The pairs that are remembered are those that are near each other. */
static void check_pairs(struct world *w, int node)
{
    const struct sim_node *n = &w->nodes[node];
    const struct herd_grid *grid = &n->area->grid;
    const uint32_t slots = herd_store_slots(n->node->store);
    const struct herd_area_stats stats = herd_area_stats(n->area);
    size_t pairs = 0;
    /* Where memory was short the next move of a client finds the rest. */
    if (n->area->fences.proximity_count == 0 || stats.pairs_missed > 0 || stats.events_lost > 0)
        return;
    for (uint32_t a = 0; a < slots; a++) {
        const struct herd_grid_point *one = herd_grid_point(grid, a);
        for (uint32_t b = 0; one && b < a; b++) {
            const struct herd_grid_point *other = herd_grid_point(grid, b);
            if (!other)
                continue;
            const struct herd_e7 p = herd_grid_position(one), q = herd_grid_position(other);
            const double lat_deg = herd_e7_degrees(p.lat);
            pairs +=
                herd_haversine_metres(herd_haversine(lat_deg, herd_cosine_deg(lat_deg), herd_e7_degrees(p.lon),
                                                     herd_e7_degrees(q.lat), herd_e7_degrees(q.lon))) <= NEAR_M;
        }
    }
    if (pairs != stats.pairs)
        sim_fail(w, "%s's area has %zu of %zu pairs", n->name, stats.pairs, pairs);
}

void areas_check(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    size_t points = 0, visible = 0;
    if (!n->area)
        return;
    struct herd_now later = world_clock(w, node);
    if (later.steady_ns < n->area->swept_ns) /* the last check was a moment ago */
        later.steady_ns = n->area->swept_ns;
    later.steady_ns += 20 * SECOND; /* all slots are looked at: a clock may have been set */
    for (int rounds = 0; follow(w, node, later, 10000) == 0 || herd_area_behind(n->area); rounds++)
        if (rounds == ROUNDS_MAX)
            sim_fail(w, "%s's area never has all that changed", n->name);
    for (uint32_t slot = 0; slot < herd_store_slots(n->node->store); slot++)
        check_point(w, node, slot, &points, &visible);
    if (points != herd_area_stats(n->area).clients)
        sim_fail(w, "%s's area counts wrong", n->name);
    check_finding(w, node, visible);
    check_pairs(w, node);
    w->figures->areas++;
}
