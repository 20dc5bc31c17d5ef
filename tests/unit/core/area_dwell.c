/* SPDX-License-Identifier: MIT */
/* Fences that clients have to dwell in, compared with a replay that keeps, for each client and fence, since when it is in. */
#include "cm.h"

#include "dwells.h"

#include <herd/area.h>
#include <herd/node.h>

#include <stdio.h>
#include <stdlib.h>

#define CLIENTS 40
#define FENCES  12
#define MS      INT64_C(1000000)
#define METRE   (1 / 111195.08)

static uint64_t seed = 1;

static unsigned any(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)((seed * UINT64_C(2685821657736338717) >> 33) % below);
}

/* Fence f is a circle of 100 m, 150 m north of the one before. */
struct replay {
    enum { OUT, WAITS, IN } state;
    int64_t due_ns;
};

struct world {
    struct herd_node *node;
    struct herd_area *area;
    struct herd_now now;
    bool known[CLIENTS];
    double north_m[CLIENTS];
    struct replay of[CLIENTS][FENCES];
    int wanted[CLIENTS][FENCES]; /* events of this step: enters less leaves, by sixteens */
};

static int64_t dwell_ms(unsigned fence)
{
    return fence % 3 ? (int64_t)fence * 700 : 0;
}

static double margin_m(unsigned fence)
{
    return fence % 2 ? 30 : 0;
}

static void report(struct world *world, unsigned client)
{
    char id[16], position[64], time[32];
    enum herd_verdict verdict;
    snprintf(id, sizeof id, "%u", client);
    snprintf(position, sizeof position, "%+.7f+1.0", world->north_m[client] * METRE);
    snprintf(time, sizeof time, "%lld.%09lld", (long long)(world->now.wall_ns / 1000000000),
             (long long)(world->now.wall_ns % 1000000000));
    assert_int_equal(herd_node_report(world->node, herd_span_of(id), herd_span_of(position), herd_span_of(time),
                                      world->now, NULL, &verdict),
                     0);
}

/* How many enter; that this is used keeps gcc 12 from taking the call for one without effects. */
static unsigned enter_due(struct world *world, int64_t now_ns)
{
    unsigned count = 0;
    for (unsigned client = 0; client < CLIENTS; client++) {
        for (unsigned fence = 0; fence < FENCES; fence++) {
            struct replay *replay = &world->of[client][fence];
            if (replay->state != WAITS || replay->due_ns > now_ns)
                continue;
            replay->state = IN;
            world->wanted[client][fence] = world->wanted[client][fence] * 16 + HERD_FENCE_ENTER;
            count++;
        }
    }
    return count;
}

static void replay_move(struct world *world, unsigned client)
{
    for (unsigned fence = 0; fence < FENCES; fence++) {
        struct replay *replay = &world->of[client][fence];
        double away_m = world->north_m[client] - 150 * fence;
        away_m = away_m < 0 ? -away_m : away_m;
        bool in = world->known[client] && away_m <= 100 + (replay->state != OUT ? margin_m(fence) : 0);
        if (in && replay->state == OUT) {
            replay->state = WAITS;
            replay->due_ns = world->now.steady_ns + dwell_ms(fence) * MS;
            if (dwell_ms(fence) == 0) {
                replay->state = IN;
                world->wanted[client][fence] = world->wanted[client][fence] * 16 + HERD_FENCE_ENTER;
            }
        } else if (!in && replay->state != OUT) {
            if (replay->state == IN)
                world->wanted[client][fence] = world->wanted[client][fence] * 16 + HERD_FENCE_LEAVE;
            replay->state = OUT;
        }
    }
}

static void expect(struct world *world)
{
    struct herd_fence_event event;
    size_t steps = 1000000;
    int told[CLIENTS][FENCES] = {{0}};
    while (herd_area_next(world->area, world->now, &steps, &event)) {
        char name[16], id[16];
        snprintf(name, sizeof name, "%.*s", (int)event.fence.len, event.fence.at);
        snprintf(id, sizeof id, "%.*s", (int)event.record.id.len, event.record.id.at);
        int *at = &told[atoi(id)][atoi(name)];
        *at = *at * 16 + (int)event.kind;
    }
    for (unsigned client = 0; client < CLIENTS; client++) {
        for (unsigned fence = 0; fence < FENCES; fence++) {
            if (told[client][fence] != world->wanted[client][fence])
                fail_msg("client %u at %.2f m, fence %u: told %x, wanted %x", client, world->north_m[client], fence,
                         (unsigned)told[client][fence], (unsigned)world->wanted[client][fence]);
            world->wanted[client][fence] = 0;
        }
    }
}

static void set_fence(struct world *world, unsigned fence)
{
    char name[16];
    struct herd_shape *shape;
    snprintf(name, sizeof name, "%u", fence);
    const struct herd_fence_options options = {0, margin_m(fence), dwell_ms(fence)};
    assert_int_equal(herd_shape_circle(&shape, 150 * fence * METRE, 1, 100), 0);
    assert_int_equal(herd_area_fence_set(world->area, herd_span_of(name), shape, &options), 0);
    struct herd_fence_options got;
    assert_int_equal(herd_area_fence_options(world->area, herd_span_of(name), &got), 0);
    assert_true(got.dwell_ms == options.dwell_ms && got.margin_m >= options.margin_m && got.kinds == 3);
}

static void open_world(struct world *world)
{
    static const uint64_t key[2] = {7, 9};
    *world = (struct world){.now = {INT64_C(1700000000000) * MS, 1000000 * MS}};
    struct herd_node_options options = {.name = herd_span_of("Riley"), .seed = {3, 5}, .tombstones_max = 1000};
    assert_int_equal(herd_node_new(&world->node, &options), 0);
    assert_int_equal(herd_area_open(world->node, key, &world->area), 0);
    for (unsigned fence = 0; fence < FENCES; fence++)
        set_fence(world, fence);
}

static void close_world(struct world *world)
{
    herd_area_close(world->area);
    herd_node_free(world->node);
}

static void test_dwells_equal_a_replay(void **state)
{
    (void)state;
    static struct world world;
    unsigned entered = 0;
    seed = 11;
    open_world(&world);
    for (int step = 0; step < 20000; step++) {
        unsigned client = any(CLIENTS);
        int64_t past_ns = (1 + any(120)) * MS;
        if (any(50) == 0)
            past_ns *= 20;
        world.now.wall_ns += past_ns;
        world.now.steady_ns += past_ns;
        entered += enter_due(&world, world.now.steady_ns - 1000 * MS);
        if (any(40) == 0) {
            char id[16];
            enum herd_verdict verdict;
            snprintf(id, sizeof id, "%u", client);
            if (herd_node_delete(world.node, herd_span_of(id), world.now, NULL, &verdict) == 0)
                world.known[client] = false;
        } else {
            double step_m = (double)any(400) / 10 - 20;
            world.north_m[client] = world.known[client] && any(20)
                                        ? world.north_m[client] + step_m
                                        : (double)any(20000) / 10 - 99.97; /* not on a border */
            world.known[client] = true;
            report(&world, client);
        }
        replay_move(&world, client);
        entered += enter_due(&world, world.now.steady_ns);
        expect(&world);
    }
    struct herd_area_stats stats = herd_area_stats(world.area);
    assert_true(stats.events > 2000 && entered > 300);
    assert_int_equal(stats.events_lost, 0);
    close_world(&world);
}

static size_t events_of(struct world *world)
{
    struct herd_fence_event event;
    size_t steps = 100000, count = 0;
    while (herd_area_next(world->area, world->now, &steps, &event))
        count++;
    return count;
}

/* Who is in a fence when it is set up anew, or removed, dwells in it no longer, and is told of no more. */
static void test_a_fence_is_set_anew(void **state)
{
    (void)state;
    static struct world world;
    open_world(&world);
    world.north_m[0] = 150 * 4;
    report(&world, 0);
    assert_int_equal(events_of(&world), 0);
    set_fence(&world, 4);
    world.now.steady_ns += 10000 * MS;
    assert_int_equal(events_of(&world), 0);
    world.now.wall_ns += 10000 * MS;
    world.north_m[0] = -500;
    report(&world, 0); /* it was in before the fence was there */
    assert_int_equal(events_of(&world), 1);
    world.now.wall_ns += 1;
    world.north_m[0] = 150 * 4;
    report(&world, 0);
    assert_int_equal(events_of(&world), 0);
    assert_int_equal(herd_area_fence_remove(world.area, herd_span_of("4")), 0);
    world.now.steady_ns += 10000 * MS;
    assert_int_equal(events_of(&world), 0);
    close_world(&world);
}

/* ---- the heap ---- */

static void test_the_heap(void **state)
{
    (void)state;
    static int64_t due[1000];
    struct herd_dwells dwells;
    herd_dwells_init(&dwells, (const uint64_t[]){1, 2});
    seed = 3;
    for (unsigned round = 0; round < 20000; round++) {
        uint64_t member = any(1000);
        assert_int_equal(herd_dwells_has(&dwells, (member % 7) << 32 | member), due[member] != 0);
        if (due[member]) {
            herd_dwells_remove(&dwells, (member % 7) << 32 | member);
            due[member] = 0;
        } else {
            due[member] = 1 + any(100000);
            const struct herd_dwell dwell = {due[member], (member % 7) << 32 | member, (uint32_t)member};
            assert_int_equal(herd_dwells_add(&dwells, &dwell), 0);
        }
        if (round % 1000 == 999) {
            herd_dwells_forget(&dwells, round / 1000 % 7);
            for (unsigned i = 0; i < 1000; i++)
                if (i % 7 == round / 1000 % 7)
                    due[i] = 0;
        }
    }
    struct herd_dwell dwell;
    assert_int_equal(dwells.count > 0, true);
    for (int64_t last = 0; herd_dwells_due(&dwells, 50000, &dwell); last = dwell.due_ns) {
        assert_true(dwell.due_ns >= last && dwell.due_ns <= 50000);
        assert_true(due[dwell.fence] == dwell.due_ns);
        due[dwell.fence] = 0;
    }
    for (unsigned i = 0; i < 1000; i++)
        assert_true(due[i] == 0 || due[i] > 50000);
    herd_dwells_fini(&dwells);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dwells_equal_a_replay),
        cmocka_unit_test(test_a_fence_is_set_anew),
        cmocka_unit_test(test_the_heap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
