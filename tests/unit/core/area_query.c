/* SPDX-License-Identifier: MIT */
/*
 * Questions to an area, compared with a look at every record: after each round of changes questions of all kinds are answered in
 * steps of random size, while clients move, are deleted and expire.
 */
#include "area_world.h"

#include "area_query.h"

struct wanted {
    double key;
    uint32_t slot;
};

static int compare(const void *a, const void *b)
{
    const struct wanted *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static double metres(double lat1, double lon1, double lat2, double lon2)
{
    const double rad = 0.017453292519943295;
    double a = sin((lat2 - lat1) * rad / 2), b = sin((lon2 - lon1) * rad / 2);
    double h = a * a + cos(lat1 * rad) * cos(lat2 * rad) * b * b;
    return 2 * 6371008.8 * asin(sqrt(h < 1 ? h : 1));
}

struct asked {
    struct herd_area_question question;
    double radius_m;                 /* of a circle; below 0: none */
    double west, south, east, north; /* of a box */
    bool box, polygon;
};

static bool is_in(const struct asked *asked, double lat, double lon)
{
    if (asked->radius_m >= 0)
        return metres(asked->question.lat_deg, asked->question.lon_deg, lat, lon) <= asked->radius_m;
    if (asked->polygon)
        return herd_shape_contains(asked->question.shape, lat, lon);
    if (!asked->box)
        return true;
    if (lat < asked->south || lat > asked->north)
        return false;
    double other = fabs(lon) == 180 ? -lon : lon;
    if (asked->west > asked->east)
        return lon >= asked->west || lon <= asked->east;
    return (lon >= asked->west && lon <= asked->east) || (other >= asked->west && other <= asked->east);
}

static void check(struct world *world, const struct asked *asked)
{
    static struct wanted wanted[CLIENTS + 100000];
    struct herd_store *store = herd_node_store(world->node);
    size_t count = 0;
    for (uint32_t slot = asked->question.from_slot; slot < herd_store_slots(store); slot++) {
        struct herd_record record;
        struct herd_position position;
        if (!herd_store_get_slot(store, slot, &record) || herd_record_is_tombstone(&record))
            continue;
        char id[64];
        snprintf(id, sizeof id, "%.*s", (int)record.id.len, record.id.at);
        if (asked->question.except.at && herd_span_equal(asked->question.except, record.id))
            continue;
        struct herd_record found;
        if (herd_node_find(world->node, herd_span_of(id), world->now, &found) < 0)
            continue;
        assert_int_equal(herd_position_parse(found.position, &position), 0);
        double lat = herd_coordinate_degrees(position.lat), lon = herd_coordinate_degrees(position.lon);
        if (!is_in(asked, lat, lon))
            continue;
        wanted[count].slot = slot;
        wanted[count++].key =
            asked->question.by_distance ? metres(asked->question.lat_deg, asked->question.lon_deg, lat, lon) : slot;
    }
    qsort(wanted, count, sizeof wanted[0], compare);

    struct herd_area_query *query;
    struct herd_area_hit hit;
    assert_int_equal(herd_area_ask(world->area, &asked->question, &query), 0);
    while (herd_area_step(query, world->now, 1 + rng() % 2000))
        ;
    size_t limit = asked->question.limit, expected = count < limit ? count : limit, n = 0;
    assert_int_equal(herd_area_hit_count(query), expected);
    if (asked->question.shape)
        assert_int_equal(herd_area_truncated(query), count > limit);
    for (; herd_area_hit(query, &hit); n++) {
        assert_true(n < expected);
        if (!asked->question.by_distance) {
            assert_int_equal(hit.slot, wanted[n].slot);
            continue;
        }
        assert_true(fabs(hit.distance_m - wanted[n].key) <
                    1e-6 * (1 + wanted[n].key) + 0.2 * (wanted[n].key > 2e7));
    }
    assert_int_equal(n, expected);
    herd_area_query_free(query);
}

static void ask_something(struct world *world)
{
    struct asked asked = {.radius_m = -1};
    struct herd_shape *shape = NULL;
    char id[32];
    double lat, lon;
    place(&lat, &lon);
    asked.question.lat_deg = lat;
    asked.question.lon_deg = lon;
    asked.question.limit = rng() % 2 ? 1 + rng() % 20 : HERD_AREA_HITS_MAX;
    asked.question.by_distance = rng() % 4 != 0;
    switch (rng() % 4) {
    case 0:
        asked.radius_m = pow(10, between(0, 7.31));
        assert_int_equal(herd_shape_circle(&shape, lat, lon, asked.radius_m), 0);
        break;
    case 1:
        asked.box = true;
        asked.south = lat;
        asked.north = between(lat, 90);
        asked.west = between(-180, 180);
        asked.east = rng() % 4 ? asked.west + between(0, 1) : between(-180, 180);
        if (rng() % 4 == 0)
            asked.east = 180;
        asked.east = asked.east > 180 ? asked.east - 360 : asked.east;
        assert_int_equal(herd_shape_box(&shape, asked.west, asked.south, asked.east, asked.north), 0);
        break;
    case 2:
        asked.polygon = true;
        shape = some_polygon();
        break;
    default: asked.question.by_distance = true; break;
    }
    if (rng() % 4 == 0) {
        snprintf(id, sizeof id, "client-%u", (unsigned)(rng() % CLIENTS));
        asked.question.except = herd_span_of(id);
    }
    if (!asked.question.by_distance && rng() % 2)
        asked.question.from_slot = (uint32_t)(rng() % (herd_store_slots(herd_node_store(world->node)) + 2));
    asked.question.shape = shape;
    check(world, &asked);
    herd_shape_free(shape);
}

static void test_questions_equal_brute_force(void **state)
{
    (void)state;
    struct world world;
    seed = 20261126;
    open_world(&world, 0);
    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < 400; i++) {
            unsigned client = (unsigned)(rng() % CLIENTS);
            if (rng() % 10 == 0)
                delete (&world, client);
            else
                move(&world, client);
            replayed(&world, client);
        }
        take_in(&world);
        size_t known =
            herd_store_count(herd_node_store(world.node)) - herd_store_tombstones(herd_node_store(world.node));
        assert_int_equal(herd_area_stats(world.area).clients, known);
        for (int i = 0; i < 60; i++)
            ask_something(&world);
    }
    for (unsigned client = 0; client < CLIENTS; client++)
        delete (&world, client);
    take_in(&world);
    assert_int_equal(herd_area_stats(world.area).clients, 0);
    assert_true(herd_area_stats(world.area).bytes < 4096); /* a crowd that left gave its memory back */
    close_world(&world);
}

static void test_expired_clients_are_not_found(void **state)
{
    (void)state;
    struct world world;
    seed = 42;
    open_world(&world, 3600 * S);
    for (unsigned client = 0; client < 500; client++)
        move(&world, client);
    take_in(&world);
    world.now.wall_ns += 1800 * S;
    world.now.steady_ns += 1800 * S;
    for (unsigned client = 0; client < 250; client++)
        move(&world, client);
    take_in(&world);
    world.now.wall_ns += 1900 * S;
    world.now.steady_ns += 1900 * S;
    for (int i = 0; i < 100; i++)
        ask_something(&world); /* before the area looked for them */
    for (int i = 0; i < 30; i++) {
        world.now.wall_ns += S;
        world.now.steady_ns += S;
        take_in(&world);
    }
    assert_int_equal(herd_area_stats(world.area).clients, 250);
    /* A clock that is set back: those that expired by it are seen again. */
    const int64_t wall_ns = world.now.wall_ns;
    for (int set = 0; set < 2; set++) {
        world.now.wall_ns = set ? wall_ns - 1900 * S : wall_ns + 7200 * S;
        for (int i = 0; i < 30; i++) {
            world.now.wall_ns += S;
            world.now.steady_ns += S;
            take_in(&world);
        }
        assert_int_equal(herd_area_stats(world.area).clients, set ? 500 : 0);
        for (int i = 0; i < 20; i++)
            ask_something(&world);
    }
    close_world(&world);
}

/* What a turn had no steps left for is looked at by the next ones, however little each may do. */
static void test_clients_expire_in_short_turns(void **state)
{
    (void)state;
    struct world world;
    struct herd_fence_event event;
    open_world(&world, 3600 * S);
    for (unsigned client = 0; client < 500; client++)
        move(&world, client);
    take_in(&world);
    world.now.wall_ns += 3700 * S;
    world.now.steady_ns += 3700 * S;
    for (int turn = 0; turn < 1000; turn++) {
        size_t steps = 5;
        assert_false(herd_area_next(world.area, world.now, &steps, &event));
    }
    assert_int_equal(herd_area_stats(world.area).clients, 0);
    close_world(&world);
}

/* ---- a question that takes several turns, while clients move ---- */

static void test_a_question_outlives_changes(void **state)
{
    (void)state;
    struct world world;
    seed = 99;
    open_world(&world, 0);
    for (unsigned client = 0; client < CLIENTS; client++)
        report_at(&world, client, 48.8566, 2.3522, 4);
    take_in(&world);
    struct herd_shape *shape;
    struct herd_area_query *query;
    struct herd_area_hit hit;
    assert_int_equal(herd_shape_circle(&shape, 48.8566, 2.3522, 1000), 0);
    struct herd_area_question question = {shape, true, 48.8566, 2.3522, 0, HERD_AREA_HITS_MAX, NULL, {0}};
    assert_int_equal(herd_area_ask(world.area, &question, &query), 0);
    unsigned moved = 0;
    bool away[CLIENTS] = {false};
    while (herd_area_step(query, world.now, 20)) {
        unsigned client = (unsigned)(rng() % CLIENTS);
        if (rng() % 3 == 0 && !away[client]) {
            delete (&world, client);
            away[client] = true;
        } else if (!away[client]) {
            report_at(&world, client, 10, 10 + (double)client / 100, 4);
            away[client] = true;
        }
        moved += away[client];
        take_in(&world);
    }
    bool seen[CLIENTS] = {false};
    for (; herd_area_hit(query, &hit);) {
        unsigned client = number_behind(hit.record.id, 7);
        assert_false(seen[client]);
        assert_true(hit.distance_m < 1);
        seen[client] = true;
    }
    for (unsigned client = 0; client < CLIENTS; client++)
        if (!away[client])
            assert_true(seen[client]);
    assert_true(moved > 10);
    herd_area_query_free(query);
    /* One that is not freed goes with the area. */
    assert_int_equal(herd_area_ask(world.area, &question, &query), 0);
    herd_area_step(query, world.now, 20);
    close_world(&world);
    herd_shape_free(shape);
}

/* ---- what becomes of hits between the end of a question and their being given ---- */

static struct herd_area_query *ask_around(struct world *world, const struct herd_area_question *question)
{
    struct herd_area_query *query;
    assert_int_equal(herd_area_ask(world->area, question, &query), 0);
    while (herd_area_step(query, world->now, 1000))
        ;
    return query;
}

static void test_hits_are_looked_at_again(void **state)
{
    (void)state;
    struct world world;
    struct herd_shape *shape;
    struct herd_area_hit hit;
    open_world(&world, 0);
    for (unsigned client = 0; client < 5; client++)
        report_at(&world, client, 0, 0.001 * (client + 1), 4);
    take_in(&world);
    assert_int_equal(herd_shape_circle(&shape, 0, 0, 1000), 0);
    const struct herd_area_question question = {.shape = shape, .by_distance = true, .limit = 10, .identity = NULL};
    struct herd_area_query *query = ask_around(&world, &question);
    assert_int_equal(herd_area_hit_count(query), 5);
    report_at(&world, 0, 0, 0.008, 4); /* still there */
    report_at(&world, 1, 10, 10, 4);   /* went */
    assert_true(delete (&world, 2));   /* is gone */
    report_at(&world, 100, 10, 10, 4); /* a stranger in its place, perhaps */
    assert_true(herd_area_behind(world.area));
    take_in(&world);
    assert_false(herd_area_behind(world.area));
    const unsigned wanted[] = {0, 3, 4};
    const double metres_wanted[] = {889.6, 444.8, 556.0};
    for (size_t i = 0; i < 3; i++) {
        assert_true(herd_area_hit(query, &hit));
        assert_int_equal(number_behind(hit.record.id, 7), wanted[i]);
        assert_true(fabs(hit.distance_m - metres_wanted[i]) < 0.1);
    }
    assert_false(herd_area_hit(query, &hit));
    herd_area_query_free(query);

    static const char text[] = "a cert - client-3\nb cert - client-*\n";
    static const uint64_t key[2] = {1, 2};
    struct herd_identities *identities;
    struct herd_identities_error error;
    assert_int_equal(herd_identities_parse(&identities, herd_span_of(text), key, &error), 0);
    struct herd_area_question asked = question;
    asked.identity = herd_identities_find(identities, herd_span_of("b"));
    query = ask_around(&world, &asked);
    assert_int_equal(herd_area_hit_count(query), 3);
    herd_area_query_set_identity(query, herd_identities_find(identities, herd_span_of("a")));
    assert_true(herd_area_hit(query, &hit));
    assert_int_equal(number_behind(hit.record.id, 7), 3);
    assert_false(herd_area_hit(query, &hit));
    herd_area_query_free(query);
    herd_identities_free(identities);
    herd_shape_free(shape);
    close_world(&world);
}

/* Between a change and the moment at which the area takes it in: nobody is given who is gone, and no hit before the end. */
static void test_gone_before_it_is_taken_in(void **state)
{
    (void)state;
    struct world world;
    struct herd_shape *shape;
    struct herd_area_hit hit;
    struct herd_area_query *query;
    open_world(&world, 0);
    for (unsigned client = 0; client < 4; client++)
        report_at(&world, client, 0, 0.001 * (client + 1), 4);
    take_in(&world);
    assert_int_equal(herd_shape_circle(&shape, 0, 0.0005, 1000), 0);
    struct herd_area_question question = {
        .shape = shape, .limit = 10, .by_distance = true}; /* from beside its centre */
    query = ask_around(&world, &question);
    assert_true(delete (&world, 1));
    const unsigned wanted[] = {0, 2, 3};
    for (size_t i = 0; i < 3; i++) {
        assert_true(herd_area_hit(query, &hit));
        assert_int_equal(number_behind(hit.record.id, 7), wanted[i]);
    }
    assert_false(herd_area_hit(query, &hit));
    herd_area_query_free(query);
    /* One that has to read the records finds it gone. */
    question.except = herd_span_of("client-2");
    assert_int_equal(herd_area_ask(world.area, &question, &query), 0);
    assert_false(herd_area_hit(query, &hit)); /* it has not even begun */
    assert_int_equal(herd_area_hit_count(query), 0);
    while (herd_area_step(query, world.now, 1))
        assert_false(herd_area_hit(query, &hit));
    assert_int_equal(herd_area_hit_count(query), 2);
    assert_true(herd_area_hit(query, &hit));
    assert_int_equal(number_behind(hit.record.id, 7), 0);
    assert_true(herd_area_hit(query, &hit));
    assert_int_equal(number_behind(hit.record.id, 7), 3);
    herd_area_query_free(query);
    herd_shape_free(shape);
    close_world(&world);
}

/* Rights that are taken away while a question is looked into, and a client that comes in twice: in the cell it left, and in
 * the one it went to. */
static void test_changes_while_asked(void **state)
{
    (void)state;
    static const char text[] = "a cert - client-1*\nb cert - *\n";
    static const uint64_t key[2] = {1, 2};
    struct world world;
    struct herd_identities *identities;
    struct herd_identities_error error;
    struct herd_area_hit hit;
    size_t twice = 0;
    assert_int_equal(herd_identities_parse(&identities, herd_span_of(text), key, &error), 0);
    enum { MANY = 400 };
    for (unsigned begun = 1; begun < 400; begun += 31) {
        struct herd_area_query *query;
        struct herd_shape *shape;
        bool seen[MANY] = {false};
        const bool narrowed = begun % 2;
        open_world(&world, 0);
        for (unsigned client = 0; client < MANY; client++)
            report_at(&world, client, 0, 0.005 * client, 4);
        take_in(&world);
        assert_int_equal(herd_shape_box(&shape, -0.01, -0.01, 2.01, 0.01), 0);
        const struct herd_area_question question = {
            .shape = shape, .limit = 1000, .identity = herd_identities_find(identities, herd_span_of("b"))};
        assert_int_equal(herd_area_ask(world.area, &question, &query), 0);
        (void)herd_area_step(query, world.now, begun);
        for (unsigned client = 0; client < MANY; client++)
            report_at(&world, client, 0, 0.005 * (MANY - 1 - client), 4);
        take_in(&world);
        if (narrowed)
            herd_area_query_set_identity(query, herd_identities_find(identities, herd_span_of("a")));
        size_t most = 0;
        while (herd_area_step(query, world.now, 5))
            most = query->count > most ? query->count : most;
        if (!narrowed) /* all are in the box still: what was dropped was there twice */
            twice += most - herd_area_hit_count(query);
        while (herd_area_hit(query, &hit)) {
            const unsigned client = number_behind(hit.record.id, 7);
            assert_false(seen[client]);
            assert_true(!narrowed || client == 1 || (client >= 10 && client < 20) ||
                        (client >= 100 && client < 200));
            seen[client] = true;
        }
        herd_area_query_free(query);
        herd_shape_free(shape);
        close_world(&world);
    }
    assert_true(twice > 0);
    herd_identities_free(identities);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_questions_equal_brute_force),   cmocka_unit_test(test_expired_clients_are_not_found),
        cmocka_unit_test(test_clients_expire_in_short_turns), cmocka_unit_test(test_a_question_outlives_changes),
        cmocka_unit_test(test_hits_are_looked_at_again),      cmocka_unit_test(test_gone_before_it_is_taken_in),
        cmocka_unit_test(test_changes_while_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
