/* SPDX-License-Identifier: MIT */
/* What proximities tell, compared with a replay of all pairs; and what bounds them. */
#include "area_world.h"

#define FEW   120
#define RULES 6

static const struct rule {
    const char *who, *near;
    double distance_m, margin_m;
} rules[RULES] = {
    {"*", "*", 200, 0},        {"*", "*", 300, 300}, {"client-1*", "client-2*", 5000, 1000},
    {"client-7", "*", 1e5, 0}, {"*", "*", 0, 0},     {"client-*", "client-3*", 20000, 100000},
};

static void set_proximity(struct world *world, const char *name, const struct rule *rule, unsigned kinds)
{
    struct herd_shape *shape;
    const struct herd_fence_options options = {kinds, rule->margin_m, 0};
    assert_int_equal(
        herd_shape_proximity(&shape, herd_span_of(rule->who), herd_span_of(rule->near), rule->distance_m), 0);
    assert_int_equal(herd_area_fence_set(world->area, herd_span_of(name), shape, &options), 0);
}

static bool is_in(const char *group, unsigned client)
{
    char id[32];
    const size_t len = strlen(group);
    snprintf(id, sizeof id, "client-%u", client);
    return group[len - 1] == '*' ? strncmp(id, group, len - 1) == 0 : strcmp(id, group) == 0;
}

static bool is_pair(const struct rule *rule, unsigned a, unsigned b)
{
    return a != b &&
           ((is_in(rule->who, a) && is_in(rule->near, b)) || (is_in(rule->near, a) && is_in(rule->who, b)));
}

static double metres_between(struct herd_e7 a, struct herd_e7 b)
{
    return herd_haversine_metres(
        herd_haversine(a.lat / 1e7, cos(a.lat / 1e7 * HERD_RADIANS), a.lon / 1e7, b.lat / 1e7, b.lon / 1e7));
}

struct replay {
    bool near[RULES][FEW][FEW];
    unsigned told[RULES][FEW];
    double metres[RULES][FEW];
    uint64_t kinds[5]; /* how often each was told */
};

static void take_events(struct world *world, struct replay *replay, unsigned client)
{
    struct herd_fence_event event;
    size_t steps = 1000000;
    memset(replay->told, 0, sizeof replay->told);
    while (herd_area_next(world->area, world->now, &steps, &event)) {
        const unsigned rule = number_behind(event.fence, 2), other = number_behind(event.other, 7);
        assert_true(rule < RULES && other < FEW);
        assert_int_equal(replay->told[rule][other], 0);
        assert_int_equal(number_behind(event.record.id, 7), client);
        assert_int_equal(event.gone, !world->known[client]);
        assert_int_equal(event.other_time.len == 0, event.gone);
        replay->told[rule][other] = event.kind;
        replay->metres[rule][other] = event.distance_m;
        replay->kinds[event.kind]++;
    }
}

static void check_client(struct world *world, struct replay *replay, unsigned client, struct herd_e7 was)
{
    const struct herd_e7 at = world->known[client] ? world->at[client] : was;
    for (unsigned i = 0; i < RULES; i++)
        for (unsigned other = 0; other < FEW; other++) {
            bool *near = &replay->near[i][client < other ? client : other][client < other ? other : client];
            const bool before = *near;
            const double metres = metres_between(at, world->at[other]);
            *near = world->known[client] && world->known[other] && is_pair(&rules[i], client, other) &&
                    metres <= rules[i].distance_m + 1e-6 + (before ? rules[i].margin_m : 0);
            const unsigned want = *near    ? (before ? HERD_FENCE_INSIDE : HERD_FENCE_ENTER)
                                  : before ? HERD_FENCE_LEAVE
                                           : 0;
            assert_int_equal(replay->told[i][other], want);
            if (want)
                assert_true(fabs(replay->metres[i][other] - metres) < 0.001 + metres * 1e-6);
        }
}

static void assert_empty(const struct world *world)
{
    assert_int_equal(herd_area_stats(world->area).pairs, 0);
    for (uint32_t i = 0; i < world->area->fences.proximity_count; i++) {
        const struct herd_proximity *proximity =
            world->area->fences.all[world->area->fences.proximities[i]]->proximity;
        assert_int_equal(proximity->client_count, 0);
        assert_int_equal(proximity->cells.bytes, 0);
        assert_null(proximity->pairs);
        for (size_t chunk = 0; chunk < proximity->chunk_count; chunk++)
            assert_null(proximity->chunks[chunk]);
    }
}

static void test_pairs_equal_a_replay(void **state)
{
    (void)state;
    static struct replay replay;
    struct world world;
    seed = 11;
    open_world(&world, 0);
    for (unsigned i = 0; i < RULES; i++) {
        char name[16];
        snprintf(name, sizeof name, "p-%u", i);
        set_proximity(&world, name, &rules[i], 7);
    }
    for (int i = 0; i < 8000; i++) {
        const unsigned client = (unsigned)(rng() % FEW);
        const struct herd_e7 was = world.at[client];
        if (rng() % 12)
            move(&world, client);
        else if (!delete (&world, client))
            continue;
        replayed(&world, client);
        take_events(&world, &replay, client);
        check_client(&world, &replay, client, was);
    }
    assert_true(replay.kinds[HERD_FENCE_ENTER] > 10000);
    assert_true(replay.kinds[HERD_FENCE_LEAVE] > 10000);
    assert_true(replay.kinds[HERD_FENCE_INSIDE] > 1000);
    assert_int_equal(herd_area_stats(world.area).pairs_missed, 0);
    assert_int_equal(herd_area_stats(world.area).events_lost, 0);
    for (unsigned client = 0; client < FEW; client++) {
        const struct herd_e7 was = world.at[client];
        if (!delete (&world, client))
            continue;
        replayed(&world, client);
        take_events(&world, &replay, client);
        check_client(&world, &replay, client, was);
    }
    assert_empty(&world);
    close_world(&world);
}

static unsigned count_events(struct world *world, unsigned kind)
{
    struct herd_fence_event event;
    unsigned count = 0;
    size_t steps = 1000000000;
    while (herd_area_next(world->area, world->now, &steps, &event))
        count += event.kind == kind ? 1 : 0;
    return count;
}

/* One place has many names at a pole and two at the date line. */
static void test_same_place(void **state)
{
    (void)state;
    static const double places[][4] = {{90, 10, 90, -170},
                                       {-90, 0, -90, 120},
                                       {12.5, 180, 12.5, -180},
                                       {0, 0, 0, 0},
                                       {48.8584, 2.2945, 48.8584, 2.2945}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct world world;
        struct herd_fence_event event;
        size_t steps = 100;
        open_world(&world, 0);
        set_proximity(&world, "same", &rules[4], 0);
        report_at(&world, 1, places[i][0], places[i][1], 7);
        report_at(&world, 2, places[i][2], places[i][3], 7);
        assert_true(herd_area_next(world.area, world.now, &steps, &event));
        assert_int_equal(event.kind, HERD_FENCE_ENTER);
        assert_true(event.distance_m < 0.001);
        assert_false(herd_area_next(world.area, world.now, &steps, &event));
        report_at(&world, 1, places[i][0] > 0 ? places[i][0] - 0.0000001 : places[i][0] + 0.0000001, places[i][1],
                  7);
        assert_int_equal(count_events(&world, HERD_FENCE_LEAVE), 1);
        close_world(&world);
    }
}

/* Who was near before the fence is not told of, and parts. */
static void test_set_up_later(void **state)
{
    (void)state;
    struct world world;
    const struct rule rule = {"*", "*", 100, 0};
    open_world(&world, 0);
    for (unsigned client = 0; client < 40; client++)
        report_at(&world, client, 10, 20 + client / 4, 7); /* four at each place */
    take_in(&world);
    set_proximity(&world, "near", &rule, 0);
    report_at(&world, 0, 30, 20, 7); /* it moves before it was taken in */
    assert_int_equal(count_events(&world, HERD_FENCE_ENTER), 0);
    assert_int_equal(herd_area_stats(world.area).pairs, 9 * 6 + 3);
    report_at(&world, 4, 30, 20, 7);
    struct herd_fence_event event;
    size_t steps = 100000;
    unsigned kinds[5] = {0};
    while (herd_area_next(world.area, world.now, &steps, &event))
        kinds[event.kind]++;
    assert_int_equal(kinds[HERD_FENCE_LEAVE], 3);
    assert_int_equal(kinds[HERD_FENCE_ENTER], 1);
    /* Set anew it forgets, and tells nothing. */
    set_proximity(&world, "near", &rule, 0);
    assert_int_equal(herd_area_stats(world.area).pairs, 0);
    assert_int_equal(count_events(&world, HERD_FENCE_ENTER) + count_events(&world, HERD_FENCE_LEAVE), 0);
    assert_int_equal(herd_area_stats(world.area).pairs, 8 * 6 + 3 + 3 + 1);
    assert_int_equal(herd_area_fence_remove(world.area, herd_span_of("near")), 0);
    assert_int_equal(herd_area_stats(world.area).pairs, 0);
    close_world(&world);
}

/* A few clients among many take memory for themselves, not for all between them. */
static void test_scattered(void **state)
{
    (void)state;
    struct world world;
    const struct rule rule = {"client-3", "client-14*", 100, 0};
    open_world(&world, 0);
    for (unsigned client = 0; client < CLIENTS; client++)
        report_at(&world, client, client / 100.0, 20, 7);
    take_in(&world);
    set_proximity(&world, "near", &rule, 0);
    assert_int_equal(count_events(&world, HERD_FENCE_ENTER), 0);
    const struct herd_proximity *proximity = world.area->fences.all[world.area->fences.proximities[0]]->proximity;
    size_t chunks = 0;
    for (size_t i = 0; i < proximity->chunk_count; i++)
        chunks += proximity->chunks[i] != NULL;
    assert_int_equal(proximity->client_count, 112); /* 3; 14, 140 to 149, 1400 to 1499 */
    assert_in_range(chunks, 1, 7);
    assert_true(sizeof(struct herd_proximity_chunk) < 3800);
    close_world(&world);
}

static void test_expired(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, 60 * S);
    set_proximity(&world, "near", &rules[0], 0);
    report_at(&world, 1, 1, 1, 7);
    report_at(&world, 2, 1, 1, 7);
    assert_int_equal(count_events(&world, HERD_FENCE_ENTER), 1);
    world.now.wall_ns += 50 * S;
    world.now.steady_ns += 50 * S;
    report_at(&world, 2, 1, 1, 7);
    assert_int_equal(count_events(&world, HERD_FENCE_LEAVE), 0);
    world.now.wall_ns += 20 * S;
    world.now.steady_ns += 20 * S;
    struct herd_fence_event event;
    size_t steps = 100000;
    assert_true(herd_area_next(world.area, world.now, &steps, &event));
    assert_int_equal(event.kind, HERD_FENCE_LEAVE);
    assert_true(event.gone);
    assert_true(herd_span_equal(event.record.id, herd_span_of("client-1")));
    assert_true(herd_span_equal(event.other, herd_span_of("client-2")));
    assert_false(herd_area_next(world.area, world.now, &steps, &event));
    close_world(&world);
}

/* Ten thousand at one place: no more is remembered, and nobody waits longer, than is said. */
static void test_crowd(void **state)
{
    (void)state;
    enum { CROWD = 10000 };
    struct world world;
    struct herd_fence_event event;
    uint64_t enters = 0, leaves = 0;
    open_world(&world, 0);
    set_proximity(&world, "near", &rules[0], 0);
    for (unsigned client = 0; client < CROWD; client++) {
        size_t steps = 100000;
        unsigned told = 0;
        report_at(&world, client, 48.8566, 2.3522, 7);
        while (herd_area_next(world.area, world.now, &steps, &event))
            told++;
        assert_true(100000 - steps < HERD_PROXIMITY_LOOKS_MAX + HERD_PROXIMITY_NEAR_MAX + 100);
        assert_true(told <= HERD_PROXIMITY_NEAR_MAX);
        enters += told;
    }
    assert_int_equal(herd_area_stats(world.area).pairs, enters);
    assert_true(enters <= HERD_PROXIMITY_PAIRS_MAX && enters <= (uint64_t)CROWD * HERD_PROXIMITY_NEAR_MAX / 2);
    assert_true(enters > HERD_PROXIMITY_PAIRS_MAX / 2);
    assert_true(herd_area_stats(world.area).pairs_missed > CROWD / 2);
    for (unsigned client = 0; client < CROWD; client++) {
        report_at(&world, client, -80 + 0.01 * client, 100, 7); /* they go apart: a kilometre */
        leaves += count_events(&world, HERD_FENCE_LEAVE);
    }
    /* While it became less crowded nobody reported from inside. */
    assert_int_equal(leaves, enters);
    assert_int_equal(herd_area_stats(world.area).pairs, 0);
    assert_null(world.area->fences.all[world.area->fences.proximities[0]]->proximity->pairs);
    close_world(&world);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const groups[] = {"", "a*b", "**", "*a"};
    char text[HERD_PROXIMITY_GROUP_MAX + 2];
    struct world world;
    struct herd_shape *shape, *kept;
    struct herd_area_query *query;
    const struct herd_span any = herd_span_of("*"), name = herd_span_of("near");
    open_world(&world, 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(herd_shape_proximity(&shape, herd_span_of(groups[i]), any, 1), HERD_E_ARG);
        assert_int_equal(herd_shape_proximity(&shape, any, herd_span_of(groups[i]), 1), HERD_E_ARG);
    }
    memset(text, 'a', sizeof text);
    assert_int_equal(herd_shape_proximity(&shape, (struct herd_span){text, HERD_PROXIMITY_GROUP_MAX + 1}, any, 1),
                     HERD_E_ARG);
    assert_int_equal(herd_shape_proximity(&shape, any, any, NAN), HERD_E_RANGE);
    assert_int_equal(herd_shape_proximity(&shape, any, any, -1), HERD_E_RANGE);
    assert_int_equal(herd_shape_proximity(&shape, any, any, HERD_PROXIMITY_MAX_M + 1), HERD_E_RANGE);
    assert_int_equal(
        herd_shape_proximity(&shape, (struct herd_span){text, HERD_PROXIMITY_GROUP_MAX}, any, HERD_PROXIMITY_MAX_M),
        0);
    assert_false(herd_shape_contains(shape, 0, 0));
    const struct herd_fence_options crosses = {HERD_FENCE_CROSS, 0, 0}, dwells = {0, 0, 1}, plain = {0, 0, 0};
    assert_int_equal(herd_area_fence_set(world.area, name, shape, &crosses), HERD_E_ARG);
    assert_int_equal(herd_area_fence_set(world.area, name, shape, &dwells), HERD_E_ARG);
    const struct herd_area_question question = {.shape = shape, .limit = 1};
    assert_int_equal(herd_area_ask(world.area, &question, &query), HERD_E_ARG);
    assert_int_equal(herd_area_fence_set(world.area, name, shape, &plain), 0);
    for (int i = 1; i < HERD_PROXIMITIES_MAX; i++) {
        snprintf(text, sizeof text, "p-%d", i);
        set_proximity(&world, text, &rules[0], 0);
    }
    assert_int_equal(herd_shape_proximity(&kept, any, any, 5), 0);
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("more"), kept, &plain), HERD_E_LIMIT);
    assert_int_equal(herd_area_fence_set(world.area, name, kept, &plain), 0); /* in place of one */
    assert_int_equal(herd_shape_circle(&kept, 0, 0, 5), 0);
    assert_int_equal(herd_area_fence_set(world.area, name, kept, &plain), 0);
    assert_int_equal(world.area->fences.proximity_count, HERD_PROXIMITIES_MAX - 1);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs_equal_a_replay),
        cmocka_unit_test(test_same_place),
        cmocka_unit_test(test_set_up_later),
        cmocka_unit_test(test_scattered),
        cmocka_unit_test(test_expired),
        cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
