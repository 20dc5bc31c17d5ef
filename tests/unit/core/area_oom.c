/* SPDX-License-Identifier: MIT */
/*
 * Every allocation of an area's story, failed once, and failed from then on: clients appear, move, cross fences and are
 * deleted; fences are set up, changed and removed; questions are put. What fails changes nothing, and when memory is back
 * the area knows where everybody is.
 */
#include "cm.h"

#include "area_impl.h"

static bool inside; /* an area's call, not the node's own */
#define ALLOC_HERE inside
#include "alloc.h"

#include "guard.h"

#include <stdio.h>
#include <string.h>

#define CLIENTS 300
#define S       INT64_C(1000000000)

static struct herd_now now = {INT64_C(1700000000) * S, 1000 * S};

static void report(struct herd_node *node, unsigned client, unsigned round)
{
    char id[32], position[64], time[32];
    enum herd_verdict verdict;
    snprintf(id, sizeof id, "c%u", client);
    snprintf(position, sizeof position, "%+.7f%+.4f", (double)(client % 20) + 0.01 * round, 0.5 * (client / 20));
    now.wall_ns += S;
    now.steady_ns += S;
    snprintf(time, sizeof time, "%lld", (long long)(now.wall_ns / S));
    inside = false;
    assert_int_equal(
        herd_node_report(node, herd_span_of(id), herd_span_of(position), herd_span_of(time), now, NULL, &verdict),
        0);
}

static void take_in(struct herd_area *area)
{
    struct herd_fence_event event;
    size_t steps = 100000;
    inside = true;
    while (herd_area_next(area, now, &steps, &event))
        ;
    inside = false;
}

static void set_fence(struct herd_area *area, const char *name, double lat, double margin_m)
{
    struct herd_shape *shape;
    struct herd_fence_options options = {15, margin_m, margin_m > 0 ? 1500 : 0};
    const double corners[] = {0, lat, 5, lat, 5, lat + 5, 0, lat + 5, 0, lat};
    const struct herd_ring ring = {corners, 5, false};
    const char *message;
    inside = true;
    int err = herd_shape_polygon(&shape, &ring, 1, &message);
    if (err >= 0) {
        size_t count = herd_area_fence_count(area);
        err = herd_area_fence_set(area, herd_span_of(name), shape, &options);
        if (err < 0) {
            assert_int_equal(herd_area_fence_count(area), count);
            herd_shape_free(shape);
        }
    }
    inside = false;
    assert_true(err >= 0 || err == HERD_E_NOMEM);
}

static void set_proximity(struct herd_area *area, double distance_m)
{
    struct herd_shape *shape;
    const struct herd_fence_options options = {7, 1000, 0};
    inside = true;
    int err = herd_shape_proximity(&shape, herd_span_of("c1*"), herd_span_of("*"), distance_m);
    if (err >= 0 && (err = herd_area_fence_set(area, herd_span_of("p"), shape, &options)) < 0)
        herd_shape_free(shape);
    inside = false;
    assert_true(err >= 0 || err == HERD_E_NOMEM);
}

static size_t count_all(struct herd_area *area)
{
    struct herd_area_query *query;
    struct herd_area_question question = {.limit = HERD_AREA_HITS_MAX};
    inside = true;
    int err = herd_area_ask(area, &question, &query);
    inside = false;
    if (err < 0)
        return SIZE_MAX;
    while (herd_area_step(query, now, 1000))
        ;
    size_t count = herd_area_hit_count(query);
    herd_area_query_free(query);
    return count;
}

/* Returns how many allocations there were. */
static size_t tell(size_t fail, bool all)
{
    static const uint64_t key[2] = {1, 2};
    struct herd_node *node;
    struct herd_area *area;
    struct herd_node_options options = {.name = herd_span_of("Riley"), .seed = {3, 5}, .tombstones_max = 1000};
    enum herd_verdict verdict;
    assert_int_equal(herd_node_new(&node, &options), 0);
    alloc_plan = (struct alloc_plan){true, 0, fail, all};
    inside = true;
    int err = herd_area_open(node, key, &area);
    inside = false;
    if (err < 0) {
        herd_node_free(node);
        return alloc_plan.count;
    }
    set_fence(area, "a", 0, 0);
    set_fence(area, "b", 3, 1000);
    set_proximity(area, 90000);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned client = 0; client < CLIENTS; client++)
            report(node, client, round * 30);
        take_in(area);
        set_fence(area, "a", round, 500);
        if (round == 1)
            set_proximity(area, 60000); /* clients are there before it */
    }
    (void)count_all(area);
    for (unsigned client = 0; client < 20; client++) {
        char id[32];
        snprintf(id, sizeof id, "c%u", client);
        assert_int_equal(herd_node_delete(node, herd_span_of(id), now, NULL, &verdict), 0);
    }
    take_in(area);
    size_t count = alloc_plan.count;
    alloc_plan.armed = false;
    take_in(area);
    assert_int_equal(herd_area_stats(area).clients, CLIENTS - 20);
    assert_int_equal(count_all(area), CLIENTS - 20);
    assert_true(herd_area_stats(area).pairs <= area->grid.count * 8);
    (void)herd_area_fence_remove(area, herd_span_of("p"));
    assert_int_equal(herd_area_stats(area).pairs, 0);
    (void)herd_area_fence_remove(area, herd_span_of("a"));
    (void)herd_area_fence_remove(area, herd_span_of("b"));
    assert_int_equal(area->members.used, 0);
    for (size_t i = 0; i < HERD_CELLS_SHARDS; i++) /* what was reserved may still be there */
        assert_int_equal(area->fences.cells.shards[i].used, 0);
    herd_area_close(area);
    herd_node_free(node);
    return count;
}

static void test_every_allocation(void **state)
{
    (void)state;
    size_t count = tell(0, false);
    assert_true(count > 50);
    for (size_t fail = 1; fail <= count; fail++) {
        tell(fail, false);
        tell(fail, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
