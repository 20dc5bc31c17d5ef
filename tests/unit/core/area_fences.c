/* SPDX-License-Identifier: MIT */
/* What fences tell, compared with a replay of all positions; margins, crossings, and what was there before. */
#include "area_world.h"

#define FENCES 60

struct fence {
    struct herd_shape *shape; /* the test's own, made alike */
    bool has_margin;
};

static void expect_events(struct world *world, const struct fence *fences, unsigned client, struct herd_e7 was,
                          bool was_known)
{
    unsigned told[FENCES] = {0};
    struct herd_fence_event event;
    size_t steps = 1000000;
    while (herd_area_next(world->area, world->now, &steps, &event)) {
        unsigned number = number_behind(event.fence, 2);
        assert_int_equal(told[number], 0); /* one event a fence */
        told[number] = event.kind;
        assert_int_equal(event.gone, !world->known[client]);
        assert_int_equal(number_behind(event.record.id, 7), client);
    }
    struct herd_e7 is = world->at[client];
    for (unsigned i = 0; i < FENCES; i++) {
        bool before = was_known && herd_shape_contains(fences[i].shape, was.lat / 1e7, was.lon / 1e7);
        bool now = world->known[client] && herd_shape_contains(fences[i].shape, is.lat / 1e7, is.lon / 1e7);
        unsigned want = now ? (before ? HERD_FENCE_INSIDE : HERD_FENCE_ENTER) : before ? HERD_FENCE_LEAVE : 0;
        assert_int_equal(told[i] & ~(unsigned)HERD_FENCE_CROSS, want);
    }
}

static void test_fences_equal_a_replay(void **state)
{
    (void)state;
    struct world world;
    struct fence fences[FENCES];
    uint64_t events = 0;
    seed = 5;
    open_world(&world, 0);
    for (unsigned i = 0; i < FENCES; i++) {
        char name[16];
        struct herd_shape *shape;
        uint64_t again = seed;
        double lat, lon;
        for (int copy = 0; copy < 2; copy++) {
            seed = again;
            place(&lat, &lon);
            if (i % 2)
                assert_int_equal(herd_shape_circle(&shape, lat, lon, pow(10, between(1, 7))), 0);
            else
                shape = some_polygon();
            if (copy == 0)
                fences[i].shape = shape;
        }
        snprintf(name, sizeof name, "f-%u", i);
        const struct herd_fence_options options = {15, 0, 0};
        assert_int_equal(herd_area_fence_set(world.area, herd_span_of(name), shape, &options), 0);
    }
    assert_int_equal(herd_area_fence_count(world.area), FENCES);
    for (int i = 0; i < 6000; i++) {
        unsigned client = (unsigned)(rng() % 200);
        struct herd_e7 was = world.at[client];
        bool was_known = world.known[client];
        if (rng() % 12)
            move(&world, client);
        else if (!delete (&world, client))
            continue;
        replayed(&world, client);
        expect_events(&world, fences, client, was, was_known);
    }
    events = herd_area_stats(world.area).events;
    assert_true(events > 3000);
    assert_int_equal(herd_area_stats(world.area).events_lost, 0);
    size_t at = 0, names = 0;
    struct herd_span name;
    for (; herd_area_fence_next(world.area, &at, &name); names++)
        assert_non_null(herd_area_fence_shape(world.area, name));
    assert_int_equal(names, FENCES);
    for (unsigned i = 0; i < FENCES; i++) {
        char text[16];
        snprintf(text, sizeof text, "f-%u", i);
        assert_int_equal(herd_area_fence_remove(world.area, herd_span_of(text)), 0);
        assert_int_equal(herd_area_fence_remove(world.area, herd_span_of(text)), HERD_E_NOTFOUND);
        herd_shape_free(fences[i].shape);
    }
    assert_int_equal(world.area->fences.cells.bytes, 0);
    close_world(&world);
}

static uint64_t events_of(struct world *world)
{
    struct herd_fence_event event;
    size_t steps = 10000;
    uint64_t kinds = 0;
    while (herd_area_next(world->area, world->now, &steps, &event))
        kinds = kinds * 16 + event.kind;
    return kinds;
}

static void test_margin_and_crossing(void **state)
{
    (void)state;
    struct world world;
    struct herd_shape *shape;
    open_world(&world, 0);
    const double metre = 1 / 111195.08;
    assert_int_equal(herd_shape_circle(&shape, 0, 0, 100), 0);
    struct herd_fence_options options = {0, 20, 0};
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("door"), shape, &options), 0);
    static const struct {
        double east_m;
        unsigned kind;
    } way[] = {{110, 0},
               {99, HERD_FENCE_ENTER},
               {101, 0},
               {99, 0},
               {119, 0},
               {121, HERD_FENCE_LEAVE},
               {119, 0},
               {101, 0},
               {99, HERD_FENCE_ENTER},
               {500, HERD_FENCE_LEAVE}};
    for (size_t i = 0; i < sizeof way / sizeof *way; i++) {
        report_at(&world, 1, 0, way[i].east_m * metre, 7);
        assert_int_equal(events_of(&world), way[i].kind);
    }
    assert_int_equal(world.area->members.used, 0);
    report_at(&world, 1, 0, 0, 7);
    report_at(&world, 2, 0, 0, 7);
    assert_int_equal(events_of(&world), 0x11);
    assert_int_equal(world.area->members.used, 2);
    delete (&world, 1);
    assert_int_equal(events_of(&world), HERD_FENCE_LEAVE);
    assert_int_equal(herd_area_fence_remove(world.area, herd_span_of("door")), 0);
    assert_int_equal(world.area->members.used, 0);

    static const double square[] = {-1e-3, -1e-3, 1e-3, -1e-3, 1e-3, 1e-3, -1e-3, 1e-3, -1e-3, -1e-3};
    const struct herd_ring ring = {square, 5, false};
    const char *message;
    options = (struct herd_fence_options){HERD_FENCE_CROSS, 0, 0};
    assert_int_equal(herd_shape_polygon(&shape, &ring, 1, &message), 0);
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("square"), shape, &options), 0);
    assert_int_equal(herd_shape_circle(&shape, 0, 180, 100), 0);
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("circle"), shape, &options), 0);
    static const double line[][3] = {
        {0, -0.1, 0},        {0, 0.1, 8},          {0.01, 0.1, 0},     {0.01, -0.1, 0},  {0.0005, -0.0011, 0},
        {0.0021, 0.0005, 8}, {0, 0.0015, 0},       {-0.0015, 0, 8},    {0, 2, 0},        {0, -2, 0},
        {0.0005, 179.9, 0},  {-0.0005, -179.9, 8}, {0.001, 179.95, 8}, {0.01, 179.95, 0}};
    for (size_t i = 0; i < sizeof line / sizeof *line; i++) {
        report_at(&world, 3, line[i][0], line[i][1], 7);
        assert_int_equal(events_of(&world), (unsigned)line[i][2]);
    }
    close_world(&world);
}

/* On the straight line that an edge is a piece of, but not on the edge: nothing is crossed, whether a client moves or stands. */
static void test_in_line_with_an_edge(void **state)
{
    (void)state;
    struct world world;
    struct herd_shape *shape;
    const char *message;
    static const double corners[] = {0, 0, 0.02, 0, 0.02, 0.01, 0.01, 0.01, 0.01, 0.02, 0, 0.02, 0, 0};
    const struct herd_ring ring = {corners, 7, false};
    const struct herd_fence_options options = {HERD_FENCE_CROSS, 0, 0};
    static const double at[][3] = {
        {-0.01, 0, 0},     {-0.01, 0, 0},     {-0.005, 0, 0}, /* south of the western edge */
        {-0.005, 0.02, 0}, {-0.005, 0.02, 0},                 /* and of the eastern one */
        {-0.005, 0.05, 0}, {0.03, 0.05, 0},   {0.03, 0.01, 0},
        {0.03, 0.01, 0},   {0.025, 0.01, 0}, /* north of the inner corner */
        {-0.001, 0.01, 8}, {0.03, 0.01, 8},  /* through it, along an edge */
    };
    open_world(&world, 0);
    assert_int_equal(herd_shape_polygon(&shape, &ring, 1, &message), 0);
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("l"), shape, &options), 0);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        report_at(&world, 1, at[i][0], at[i][1], 7);
        assert_int_equal(events_of(&world), (uint64_t)at[i][2]);
    }
    close_world(&world);
}

static void test_what_was_there_before_tells_nothing(void **state)
{
    (void)state;
    struct world world;
    struct herd_shape *shape;
    static const uint64_t key[2] = {1, 2};
    open_world(&world, 0);
    report_at(&world, 1, 0, 0, 1);
    herd_area_close(world.area);
    assert_int_equal(herd_area_open(world.node, key, &world.area), 0);
    assert_int_equal(herd_shape_circle(&shape, 0, 0, 100), 0);
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("a"), shape, &(struct herd_fence_options){0}), 0);
    assert_int_equal(events_of(&world), 0);
    report_at(&world, 1, 1, 0, 1);
    assert_int_equal(events_of(&world), HERD_FENCE_LEAVE);
    report_at(&world, 2, 0, 0, 1);
    assert_int_equal(events_of(&world), HERD_FENCE_ENTER);
    close_world(&world);
}

/* ---- between two events ---- */

static void set_circle(struct world *world, const char *name, double radius_m, unsigned kinds)
{
    struct herd_shape *shape;
    const struct herd_fence_options options = {kinds, 0, 0};
    assert_int_equal(herd_shape_circle(&shape, 0, 0, radius_m), 0);
    assert_int_equal(herd_area_fence_set(world->area, herd_span_of(name), shape, &options), 0);
}

static void expect_next(struct world *world, unsigned kind, const char *fence, const char *id)
{
    struct herd_fence_event event;
    size_t steps = 1000;
    assert_true(herd_area_next(world->area, world->now, &steps, &event));
    assert_int_equal(event.kind, kind);
    assert_true(herd_span_equal(event.fence, herd_span_of(fence)));
    assert_true(herd_span_equal(event.record.id, herd_span_of(id)));
}

/* A client's slot is given back while events of another one are given out: they go on behind the LEAVEs of who went. */
static void test_gone_between_events(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c"};
    struct world world;
    struct herd_shape *shape;
    struct herd_fence_event event;
    struct herd_store *store;
    const struct herd_fence_options plain = {0};
    size_t steps = 1000;
    open_world(&world, 0);
    store = herd_node_store(world.node);
    for (size_t i = 0; i < 3; i++)
        set_circle(&world, names[i], 100, HERD_FENCE_ENTER | HERD_FENCE_LEAVE);
    assert_int_equal(herd_shape_proximity(&shape, herd_span_of("client-*"), herd_span_of("client-*"), 50), 0);
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("near"), shape, &plain), 0);
    report_at(&world, 1, 0, 0, 7); /* slot 0 */
    report_at(&world, 2, 0, 0.0001, 7);
    report_at(&world, 3, 0, 0.0002, 7);
    assert_int_equal(events_of(&world), 0x111111111111); /* three fences, and three pairs */

    /* In again, with six events to come: three fences, and three that it is near. */
    report_at(&world, 1, 0, 1, 7);
    assert_int_equal(events_of(&world), 0x22222);
    report_at(&world, 1, 0, 0, 7);
    unsigned entered = 1, left = 0, near = 0;
    assert_true(herd_area_next(world.area, world.now, &steps, &event));
    assert_int_equal(event.kind, HERD_FENCE_ENTER);
    herd_store_remove(store, 1);
    while (herd_area_next(world.area, world.now, &steps, &event)) {
        const unsigned client = number_behind(event.record.id, 7);
        left += event.kind == HERD_FENCE_LEAVE && client == 2 && event.gone;
        entered += event.kind == HERD_FENCE_ENTER && client == 1 && event.other.len == 0;
        near += event.kind == HERD_FENCE_ENTER && event.other.len > 0;
        /* Of who is gone nobody is told that it is near. */
        assert_false(event.kind == HERD_FENCE_ENTER && herd_span_equal(event.other, herd_span_of("client-2")));
    }
    assert_int_equal(entered, 3);
    assert_int_equal(near, 1); /* the third */
    assert_int_equal(left, 5); /* three fences, and two that it was near */
    /* Who is told of goes itself. */
    report_at(&world, 3, 0, 1, 7);
    assert_true(herd_area_next(world.area, world.now, &steps, &event));
    herd_store_remove(store, 2);
    assert_int_equal(events_of(&world), 0);
    assert_int_equal(herd_area_stats(world.area).clients, 1);
    assert_int_equal(herd_area_stats(world.area).pairs, 0);
    assert_int_equal(herd_area_stats(world.area).events_lost, 0);
    herd_store_remove(store, 0); /* with its LEAVEs the area is closed */
    close_world(&world);
}

/* A fence is removed, or set anew, while its events are still to be given out: nothing is told of what is no more. */
static void test_fences_change_between_events(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, 0);
    for (int round = 0; round < 2; round++) {
        set_circle(&world, "a", 100, 0);
        set_circle(&world, "b", 100, 0);
        set_circle(&world, "c", 100, 0);
        report_at(&world, 1, 0, 0, 7);
        struct herd_fence_event event;
        size_t steps = 1000;
        assert_true(herd_area_next(world.area, world.now, &steps, &event));
        char first = event.fence.at[0];
        const char *const others = first == 'a' ? "bc" : first == 'b' ? "ac" : "ab";
        const char name[2] = {others[0], 0}, last[2] = {others[1], 0};
        if (round == 0)
            assert_int_equal(herd_area_fence_remove(world.area, herd_span_of(name)), 0);
        else
            set_circle(&world, name, 200, 0);
        expect_next(&world, HERD_FENCE_ENTER, last, "client-1");
        assert_int_equal(events_of(&world), 0);
        /* The same with those of who is gone. */
        herd_store_remove(herd_node_store(world.node), 0);
        assert_int_equal(herd_area_fence_remove(world.area, herd_span_of(last)), 0);
        assert_int_equal(events_of(&world), round == 0 ? 0x2 : 0x22);
    }
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fences_equal_a_replay),
        cmocka_unit_test(test_margin_and_crossing),
        cmocka_unit_test(test_what_was_there_before_tells_nothing),
        cmocka_unit_test(test_in_line_with_an_edge),
        cmocka_unit_test(test_gone_between_events),
        cmocka_unit_test(test_fences_change_between_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
