/* SPDX-License-Identifier: MIT */
/*
 * Areas, compared with brute force: a node with clients that move, are deleted, come back and expire; after each round of
 * changes questions of all kinds are answered in steps of random size and compared with a look at every record, and what
 * fences tell with a replay of all positions.
 */
#include "cm.h"

#include "area_impl.h"
#include "guard.h"

#include <herd/area.h>
#include <herd/geo.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS 1500
#define FENCES  60
#define S       INT64_C(1000000000)

static uint64_t seed = 1;

static uint64_t rng(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * UINT64_C(2685821657736338717) >> 11;
}

static double between(double low, double high)
{
    return low + (high - low) * (double)rng() / 9007199254740992.0;
}

struct world {
    struct herd_node *node;
    struct herd_area *area;
    struct herd_now now;
    struct herd_e7 at[CLIENTS]; /* as the replay has it */
    bool known[CLIENTS];
    uint64_t reports;
};

static void open_world(struct world *world, int64_t expire_ns)
{
    static const uint64_t key[2] = {7, 9};
    memset(world, 0, sizeof *world);
    world->now = (struct herd_now){INT64_C(1700000000) * S, 1000 * S};
    struct herd_node_options options = {
        .name = herd_span_of("Riley"), .seed = {3, 5}, .tombstones_max = 100000, .expire_ns = expire_ns};
    assert_int_equal(herd_node_new(&world->node, &options), 0);
    assert_int_equal(herd_area_open(world->node, key, &world->area), 0);
}

static void close_world(struct world *world)
{
    herd_area_close(world->area);
    herd_node_free(world->node);
}

static unsigned number_behind(struct herd_span text, size_t prefix)
{
    char digits[16];
    snprintf(digits, sizeof digits, "%.*s", (int)(text.len - prefix), text.at + prefix);
    return (unsigned)atoi(digits);
}

/* Where clients like to be: places that are hard for a grid. */
static void place(double *ret_lat, double *ret_lon)
{
    switch (rng() % 8) {
    case 0: /* anywhere */
        *ret_lat = between(-90, 90);
        *ret_lon = between(-180, 180);
        break;
    case 1: /* about the date line */
        *ret_lat = between(-0.3, 0.3);
        *ret_lon = between(179.7, 180.3);
        break;
    case 2: /* about a pole */
        *ret_lat = between(89.8, 90);
        *ret_lon = between(-180, 180);
        break;
    case 3:
        *ret_lat = between(-90, -89.9);
        *ret_lon = between(-180, 180);
        break;
    case 4: /* corners of cells */
        *ret_lat = (double)(rng() % 9) * 0.05;
        *ret_lon = (double)(rng() % 9) * 0.05;
        break;
    case 5: /* one place for many */
        *ret_lat = 48.8566;
        *ret_lon = 2.3522;
        break;
    default: /* a town */
        *ret_lat = between(48.7, 49);
        *ret_lon = between(2.1, 2.6);
        break;
    }
    if (*ret_lon > 180)
        *ret_lon -= 360;
}

static void report_at(struct world *world, unsigned client, double lat, double lon, int decimals)
{
    char id[32], position[80], time[32];
    enum herd_verdict verdict;
    snprintf(id, sizeof id, "client-%u", client);
    snprintf(position, sizeof position, "%+.*f%+.*f", decimals, lat, decimals, lon);
    world->now.wall_ns += S / 1000;
    world->now.steady_ns += S / 1000;
    snprintf(time, sizeof time, "%lld.%03lld", (long long)(world->now.wall_ns / S),
             (long long)(world->now.wall_ns % S / 1000000));
    assert_int_equal(herd_node_report(world->node, herd_span_of(id), herd_span_of(position), herd_span_of(time),
                                      world->now, NULL, &verdict),
                     0);
    assert_true(verdict == HERD_VERDICT_NEW || verdict == HERD_VERDICT_NEWER);
}

static void move(struct world *world, unsigned client)
{
    double lat, lon;
    place(&lat, &lon);
    if (world->known[client] && rng() % 2) { /* a step from where it is */
        lat = world->at[client].lat / 1e7 + between(-0.01, 0.01);
        lon = world->at[client].lon / 1e7 + between(-0.01, 0.01);
        lat = lat > 90 ? 90 : lat < -90 ? -90 : lat;
        lon = lon > 180 ? lon - 360 : lon < -180 ? lon + 360 : lon;
    }
    report_at(world, client, lat, lon, 1 + (int)(rng() % 10));
}

static bool delete (struct world *world, unsigned client)
{
    char id[32];
    enum herd_verdict verdict;
    snprintf(id, sizeof id, "client-%u", client);
    return herd_node_delete(world->node, herd_span_of(id), world->now, NULL, &verdict) == 0;
}

static void take_in(struct world *world)
{
    struct herd_fence_event event;
    size_t steps;
    do {
        steps = 1 + rng() % 100;
        while (herd_area_next(world->area, world->now, &steps, &event))
            ;
    } while (steps == 0);
}

/* ---- questions ---- */

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
    for (uint32_t slot = 0; slot < herd_store_slots(store); slot++) {
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

static struct herd_shape *some_polygon(void)
{
    double lat, lon, outer[2 * 40], inner[2 * 5];
    struct herd_shape *shape;
    const char *message;
    place(&lat, &lon);
    lat = lat > 80 ? 80 : lat < -80 ? -80 : lat;
    size_t corners = 3 + rng() % 30;
    double size = pow(10, between(-3, 0.9));
    for (size_t i = 0; i < corners; i++) { /* a star, which may cross itself */
        double r = size * between(0.3, 1), a = 6.283185307179586 * (double)(i + rng() % 2) / (double)corners;
        outer[2 * i] = lon + r * cos(a);
        outer[2 * i + 1] = lat + r * sin(a);
    }
    outer[2 * corners] = outer[0];
    outer[2 * corners + 1] = outer[1];
    for (size_t i = 0; i < 5; i++) {
        inner[2 * i] = lon + size * ((i == 1 || i == 2) ? 0.2 : -0.2);
        inner[2 * i + 1] = lat + size * ((i == 2 || i == 3) ? 0.2 : -0.2);
    }
    const struct herd_ring rings[] = {{outer, corners + 1, false}, {inner, 5, true}};
    assert_int_equal(herd_shape_polygon(&shape, rings, 1 + rng() % 2, &message), 0);
    return shape;
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
    asked.question.shape = shape;
    check(world, &asked);
    herd_shape_free(shape);
}

static void replayed(struct world *world, unsigned client)
{
    char id[32];
    struct herd_record record;
    snprintf(id, sizeof id, "client-%u", client);
    world->known[client] = herd_node_find(world->node, herd_span_of(id), world->now, &record) == 0;
    if (world->known[client])
        herd_e7_position(record.position, &world->at[client]);
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

/* ---- fences ---- */

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
        const struct herd_fence_options options = {15, 0};
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

static unsigned events_of(struct world *world)
{
    struct herd_fence_event event;
    size_t steps = 10000;
    unsigned kinds = 0;
    while (herd_area_next(world->area, world->now, &steps, &event))
        kinds = kinds * 16 + (unsigned)event.kind;
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
    struct herd_fence_options options = {0, 20};
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
    options = (struct herd_fence_options){HERD_FENCE_CROSS, 0};
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

/* ---- what is refused ---- */

static void test_refused(void **state)
{
    (void)state;
    struct world world;
    struct herd_shape *shape;
    struct herd_area_query *query;
    const char *message;
    open_world(&world, 0);
    assert_int_equal(herd_shape_circle(&shape, (double)NAN, 0, 1), HERD_E_RANGE);
    assert_int_equal(herd_shape_circle(&shape, 90.1, 0, 1), HERD_E_RANGE);
    assert_int_equal(herd_shape_circle(&shape, 0, -180.1, 1), HERD_E_RANGE);
    assert_int_equal(herd_shape_circle(&shape, 0, 0, -1), HERD_E_RANGE);
    assert_int_equal(herd_shape_circle(&shape, 0, 0, (double)INFINITY), HERD_E_RANGE);
    assert_int_equal(herd_shape_box(&shape, 0, 1, 1, 0), HERD_E_RANGE);
    assert_int_equal(herd_shape_box(&shape, (double)NAN, 0, 1, 1), HERD_E_RANGE);
    struct row {
        double at[10];
        size_t count;
        int err;
    } rows[] = {
        {{0, 0, 1, 0, 1, 1, 0, 0}, 4, 0},
        {{0, 0, 1, 0, 1, 1, 0, 0.5}, 4, HERD_E_SYNTAX},
        {{0, 0, 1, 0, 0, 0}, 3, HERD_E_SYNTAX},
        {{0, 0, 0, 0, 0, 0, 0, 0}, 4, HERD_E_SYNTAX},
        {{0, 0, 1, 91, 1, 1, 0, 0}, 4, HERD_E_RANGE},
        {{0, 0, 361, 0, 1, 1, 0, 0}, 4, HERD_E_RANGE},
        {{-200, 0, 200, 0, 1, 1, -200, 0}, 4, HERD_E_RANGE},
        {{0, 0, (double)NAN, 0, 1, 1, 0, 0}, 4, HERD_E_RANGE},
        {{0, 0, 1, 1, 1, 0, 0, 1, 0, 0}, 5, 0}, /* crosses itself */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct herd_ring ring = {rows[i].at, rows[i].count, false};
        assert_int_equal(herd_shape_polygon(&shape, &ring, 1, &message), rows[i].err);
        if (rows[i].err == 0)
            herd_shape_free(shape);
    }
    const struct herd_ring hole = {rows[0].at, 4, true}, large = {rows[0].at, HERD_SHAPE_POSITIONS_MAX + 1, false};
    assert_int_equal(herd_shape_polygon(&shape, &hole, 1, &message), HERD_E_SYNTAX);
    assert_int_equal(herd_shape_polygon(&shape, NULL, 0, &message), HERD_E_SYNTAX);
    assert_int_equal(herd_shape_polygon(&shape, &large, 1, &message), HERD_E_LIMIT);
    struct herd_area_question question = {.limit = 0};
    assert_int_equal(herd_area_ask(world.area, &question, &query), HERD_E_ARG);
    question.limit = HERD_AREA_HITS_MAX + 1;
    assert_int_equal(herd_area_ask(world.area, &question, &query), HERD_E_ARG);
    question = (struct herd_area_question){.limit = 1, .by_distance = true, .lat_deg = (double)NAN};
    assert_int_equal(herd_area_ask(world.area, &question, &query), HERD_E_RANGE);
    assert_int_equal(herd_shape_box(&shape, 0, 0, 1, 1), 0);
    struct herd_fence_options options = {0};
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("box"), shape, &options), HERD_E_ARG);
    herd_shape_free(shape);
    assert_int_equal(herd_shape_circle(&shape, 0, 0, 3e7), 0); /* the earth */
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("a b"), shape, &options), HERD_E_ARG);
    options.kinds = 16;
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("a"), shape, &options), HERD_E_ARG);
    options = (struct herd_fence_options){0, (double)NAN};
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("a"), shape, &options), HERD_E_RANGE);
    options.margin_m = 0;
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("a"), shape, &options), 0);
    /* Too many fences of one place are refused, and leave everything as it was. */
    int err = 0;
    unsigned count = 0;
    for (; err == 0 && count < 20000; count++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", count);
        assert_int_equal(herd_shape_circle(&shape, 0, 0, 3e7), 0);
        err = herd_area_fence_set(world.area, herd_span_of(name), shape, &options);
    }
    assert_int_equal(err, HERD_E_LIMIT);
    herd_shape_free(shape);
    assert_int_equal(herd_area_fence_count(world.area), count);
    /* In place of one that is there: no more than before. */
    assert_int_equal(herd_shape_circle(&shape, 10, 10, 10), 0);
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("a"), shape, &options), 0);
    assert_int_equal(herd_area_fence_count(world.area), count);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_questions_equal_brute_force),
        cmocka_unit_test(test_expired_clients_are_not_found),
        cmocka_unit_test(test_a_question_outlives_changes),
        cmocka_unit_test(test_fences_equal_a_replay),
        cmocka_unit_test(test_margin_and_crossing),
        cmocka_unit_test(test_what_was_there_before_tells_nothing),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
