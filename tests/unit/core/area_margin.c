/* SPDX-License-Identifier: MIT */
/* Margins round polygons: beside distances on the sphere, across the date line, of several parts and holes; and the boxes that
 * are compared first. */
#include "area_world.h"

static struct herd_shape *polygon_of(const struct herd_ring *rings, size_t count)
{
    struct herd_shape *shape;
    const char *message;
    assert_int_equal(herd_shape_polygon(&shape, rings, count, &message), 0);
    return shape;
}

static void set_fence(struct world *world, struct herd_shape *shape, double margin_m)
{
    const struct herd_fence_options options = {0, margin_m, 0};
    assert_int_equal(herd_area_fence_set(world->area, herd_span_of("f"), shape, &options), 0);
}

/* What is told of a client that reports there, or 0. */
static unsigned told_at(struct world *world, double lat, double lon)
{
    struct herd_fence_event event;
    size_t steps = 10000;
    unsigned kinds = 0;
    report_at(world, 1, lat, lon, 7);
    while (herd_area_next(world->area, world->now, &steps, &event))
        kinds = kinds * 16 + (unsigned)event.kind;
    return kinds;
}

/* ---- beside the sphere ---- */

struct edge {
    double lon1, lat1, lon2, lat2;
};

static double metres_to(const struct edge *edge, double along, double lat, double lon)
{
    const double at_lat = edge->lat1 + along * (edge->lat2 - edge->lat1);
    const double at_lon = edge->lon1 + along * (edge->lon2 - edge->lon1);
    return herd_haversine_metres(herd_haversine(lat, herd_cosine_deg(lat), lon, at_lat, at_lon));
}

/* To the nearest point of an edge: over some degrees the distance has a single minimum. */
static double metres_to_edge(const struct edge *edge, double lat, double lon)
{
    double low = 0, high = 1;
    for (int i = 0; i < 60; i++) {
        double a = low + (high - low) / 3, b = high - (high - low) / 3;
        if (metres_to(edge, a, lat, lon) < metres_to(edge, b, lat, lon))
            high = b;
        else
            low = a;
    }
    return metres_to(edge, low, lat, lon);
}

static void test_near_as_on_the_sphere(void **state)
{
    (void)state;
    unsigned near = 0, far = 0;
    seed = 8;
    for (unsigned round = 0; round < 40; round++) {
        const double size = pow(10, between(-3, 0)), lat = between(-60, 60);
        const double lon = round % 4 ? between(-180, 180) : 180; /* some lie across the date line */
        double outer[2 * 9], inner[2 * 4];
        struct edge edges[8 + 3];
        for (unsigned i = 0; i < 9; i++) {
            const double angle = 6.283185307179586 * (i % 8) / 8, r = size * (1 + 0.3 * (i % 2));
            outer[2 * i] = lon + r * cos(angle);
            outer[2 * i + 1] = lat + r * sin(angle);
        }
        for (unsigned i = 0; i < 4; i++) {
            const double angle = 6.283185307179586 * (i % 3) / 3;
            inner[2 * i] = lon + size / 2 * cos(angle);
            inner[2 * i + 1] = lat + size / 2 * sin(angle);
        }
        for (unsigned i = 0; i < 8; i++)
            edges[i] = (struct edge){outer[2 * i], outer[2 * i + 1], outer[2 * i + 2], outer[2 * i + 3]};
        for (unsigned i = 0; i < 3; i++)
            edges[8 + i] = (struct edge){inner[2 * i], inner[2 * i + 1], inner[2 * i + 2], inner[2 * i + 3]};
        const struct herd_ring rings[] = {{outer, 9, false}, {inner, 4, true}};
        struct herd_shape *shape = polygon_of(rings, 2);
        for (unsigned i = 0; i < 100; i++) {
            const double margin_m = size * 111195 * between(0.01, 0.3);
            const double at_lat = lat + size * between(-2, 2);
            const double at_lon = remainder(lon + size * between(-2, 2), 360);
            double least_m = 1e9;
            for (size_t e = 0; e < sizeof edges / sizeof *edges; e++)
                least_m = fmin(least_m, metres_to_edge(&edges[e], at_lat, at_lon));
            if (herd_shape_contains(shape, at_lat, at_lon) || fabs(least_m - margin_m) < 0.01 * margin_m)
                continue;
            const struct herd_e7 position = {(int32_t)llround(at_lat * 1e7), (int32_t)llround(at_lon * 1e7)};
            if (herd_shape_is_near(shape, position, margin_m) != (least_m < margin_m))
                fail_msg("%.7f %.7f is %.3f m from a polygon of %.4f degrees about %.7f %.7f, margin %.3f m",
                         at_lat, at_lon, least_m, size, lat, lon, margin_m);
            near += least_m < margin_m;
            far += least_m >= margin_m;
        }
        herd_shape_free(shape);
    }
    assert_true(near > 300 && far > 1000);
}

/* ---- what a fence tells ---- */

#define METRE (1 / 111195.08)

struct step {
    double north_m, east_m;
    unsigned kind;
};

/* Two squares of 200 m, 600 m apart on the equator, the western with a hole of 100 m; 20 m of margin. North and east of the
 * middle of the western one. */
static void walk(double middle_lon)
{
    static const double part[][4] = {{-100, -100, 100, 100}, {-50, -50, 50, 50}, {500, -100, 700, 100}};
    static const struct step steps[] = {
        {0, 0, 0},                    /* in the hole */
        {0, 40, 0},                   /* near its border, and never was inside */
        {0, 60, HERD_FENCE_ENTER},    /* between both rings */
        {0, 40, 0},                   /* 10 m into the hole: not far enough */
        {0, 31, 0},                   /* 19 m */
        {0, 29, HERD_FENCE_LEAVE},    /* 21 m */
        {0, 40, 0},                   /* who left has to come in */
        {99, 99, HERD_FENCE_ENTER},   /* a corner */
        {113, 113, 0},                /* 18.4 m from it */
        {115, 115, HERD_FENCE_LEAVE}, /* 21.2 m, though 15 m beyond either edge */
        {-60, 0, HERD_FENCE_ENTER},
        {0, -119, 0},
        {0, -121, HERD_FENCE_LEAVE},
        {0, 600, HERD_FENCE_ENTER}, /* the other part */
        {0, 481, 0},
        {99, 60, 4},
        {-119, 60, 0},
        {0, 300, HERD_FENCE_LEAVE}, /* between the parts, beyond both margins, in the box of both */
        {0, 500, HERD_FENCE_ENTER}, /* on an edge is inside */
        {5000, 600, HERD_FENCE_LEAVE},
    };
    double at[3][10];
    struct herd_ring rings[3];
    struct world world;
    for (size_t i = 0; i < 3; i++) {
        const double west = middle_lon + part[i][0] * METRE, east = middle_lon + part[i][2] * METRE;
        const double south = part[i][1] * METRE, north = part[i][3] * METRE;
        const double corners[10] = {west, south, east, south, east, north, west, north, west, south};
        memcpy(at[i], corners, sizeof corners);
        rings[i] = (struct herd_ring){at[i], 5, i == 1};
    }
    open_world(&world, 0);
    set_fence(&world, polygon_of(rings, 3), 20);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const unsigned kinds =
            told_at(&world, steps[i].north_m * METRE, remainder(middle_lon + steps[i].east_m * METRE, 360));
        /* ENTER and LEAVE are asked for, INSIDE is not */
        if (kinds != (steps[i].kind & (HERD_FENCE_ENTER | HERD_FENCE_LEAVE)))
            fail_msg("about %.4f, step %zu: told %x, wanted %x", middle_lon, i, kinds, steps[i].kind);
    }
    assert_int_equal(world.area->members.used, 0);
    close_world(&world);
}

static void test_walks(void **state)
{
    (void)state;
    walk(7);
    walk(180);             /* both sides of the date line */
    walk(180 - 2 * METRE); /* its east end in the west */
    walk(-180);
    walk(-180 - 500 * METRE); /* the eastern part begins at the date line; longitudes run on past it */
    walk(200);                /* all of it is written beyond the date line */
    walk(-340);
}

/* ---- wide ones ---- */

/* A belt in pieces of ninety degrees, all the way round the earth but for a gap. */
static struct herd_shape *belt(double from, double to)
{
    double at[2 * 11];
    for (unsigned i = 0; i < 5; i++) {
        at[2 * i] = from + (to - from) * i / 4;
        at[2 * i + 1] = 10;
        at[2 * (9 - i)] = at[2 * i];
        at[2 * (9 - i) + 1] = 20;
    }
    at[20] = at[0];
    at[21] = at[1];
    const struct herd_ring ring = {at, 11, false};
    return polygon_of(&ring, 1);
}

static void test_round_the_earth(void **state)
{
    (void)state;
    struct world world;
    for (int gap = 0; gap < 2; gap++) {
        open_world(&world, 0);
        /* With its margin it has every longitude in its box: the ends are 222 m apart. */
        set_fence(&world, belt(-180 + gap * 0.001, 180 - gap * 0.001), 1000);
        for (double lon = -179.5; lon < 180; lon += 24.5) {
            assert_int_equal(told_at(&world, 15, lon), HERD_FENCE_ENTER);
            assert_int_equal(told_at(&world, 20 + 990 * METRE, lon), 0);
            assert_int_equal(told_at(&world, 10 - 990 * METRE, lon), 0);
            assert_int_equal(told_at(&world, 10 - 1010 * METRE, lon), HERD_FENCE_LEAVE);
        }
        assert_int_equal(told_at(&world, 15, 180), gap ? 0 : HERD_FENCE_ENTER); /* in the gap */
        close_world(&world);
    }
    /* The same belt of four corners: edges longer than half the earth. */
    static const double corners[] = {-180, 10, 180, 10, 180, 20, -180, 20, -180, 10};
    const struct herd_ring four = {corners, 5, false};
    open_world(&world, 0);
    set_fence(&world, polygon_of(&four, 1), 1000);
    for (double lon = -179.5; lon < 180; lon += 24.5) {
        assert_int_equal(told_at(&world, 15, lon), HERD_FENCE_ENTER);
        assert_int_equal(told_at(&world, 20 + 990 * METRE, lon), 0);
        assert_int_equal(told_at(&world, 10 - 990 * METRE, lon), 0);
        assert_int_equal(told_at(&world, 10 - 1010 * METRE, lon), HERD_FENCE_LEAVE);
    }
    close_world(&world);
    /* Two parts that have all longitudes together, and neither alone. */
    double west[] = {-180, 0, 0, 0, 0, 5, -180, 5, -180, 0}, east[] = {0, -5, 180, -5, 180, 3, 0, 3, 0, -5};
    const struct herd_ring rings[] = {{west, 5, false}, {east, 5, false}};
    struct herd_shape *shape = polygon_of(rings, 2);
    assert_int_equal(shape->box.width, HERD_E7_CIRCLE);
    for (double lon = -180; lon < 180; lon += 7.5) {
        assert_int_equal(herd_shape_contains(shape, 4, lon), lon <= 0);
        assert_int_equal(herd_shape_contains(shape, -4, lon), lon >= 0 || lon == -180);
        assert_false(herd_shape_contains(shape, 6, lon));
    }
    herd_shape_free(shape);
    /* From -180 to 180 with a corner at each end: both are on the meridian that has two names. */
    double corner_each[] = {-180, 0, 0, 10, 180, 40, 0, -10, -180, 0};
    const struct herd_ring round = {corner_each, 5, false};
    shape = polygon_of(&round, 1);
    for (double lon = -180; lon <= 180; lon += 360)
        for (double lat = -90; lat <= 90; lat += 10)
            assert_int_equal(herd_shape_contains(shape, lat, lon), lat == 0 || lat == 40);
    herd_shape_free(shape);
    /* Longitudes beyond 180 in all of it. */
    double beyond[] = {190, 0, 200, 0, 200, 5, 190, 5, 190, 0};
    const struct herd_ring ring = {beyond, 5, false};
    shape = polygon_of(&ring, 1);
    assert_true(herd_shape_contains(shape, 1, -170));
    assert_true(herd_shape_contains(shape, 1, -160));
    assert_false(herd_shape_contains(shape, 1, -170.0000001));
    assert_false(herd_shape_contains(shape, 1, 170));
    herd_shape_free(shape);
}

static void test_boxes_grow(void **state)
{
    (void)state;
    const struct herd_box town = {-10000000, 10000000, 17990000000 % HERD_E7_CIRCLE - HERD_E7_CIRCLE / 2, 10000000};
    const struct {
        struct herd_box box;
        double metres;
        bool whole; /* every longitude */
    } rows[] = {
        {town, 0, false},
        {town, 1e5, false},
        {town, 3e7, true}, /* farther than anything is */
        {{100000000, 200000000, -1800000000, 3599990000}, 1000, true},
        {{100000000, 200000000, -1800000000, 3590000000}, 1000, false},
        {{890000000, 899000000, 0, 10}, 2e4, true}, /* the pole is in it */
        {{-899000000, -890000000, 0, 10}, 2e4, true},
        {{890000000, 891000000, 0, 10}, 1e4, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct herd_box *box = &rows[i].box, grown = herd_box_grow(box, rows[i].metres);
        assert_int_equal(grown.width == HERD_E7_CIRCLE, rows[i].whole);
        assert_true(grown.south >= -HERD_E7_LAT_MAX && grown.north <= HERD_E7_LAT_MAX);
        assert_true(grown.west >= -HERD_E7_LON_MAX && grown.west < HERD_E7_LON_MAX);
        const int32_t dlat = (int32_t)fmin(rows[i].metres * METRE * 1e7, 1.8e9);
        assert_true(grown.south <= fmax(box->south - (double)dlat, -HERD_E7_LAT_MAX));
        assert_true(grown.north >= fmin(box->north + (double)dlat, HERD_E7_LAT_MAX));
        /* Its corners, and what is so far west and east of them. */
        const double lat = fmax(abs(box->south), abs(box->north)) / 1e7;
        const int64_t dlon = rows[i].whole ? 0 : (int64_t)(dlat / herd_cosine_deg(lat));
        const int64_t lons[] = {box->west - dlon, box->west + box->width + dlon};
        for (size_t k = 0; k < 2; k++) {
            const struct herd_e7 corner = {box->south, (int32_t)(remainder((double)lons[k] / 1e7, 360) * 1e7)};
            assert_true(herd_box_has(&grown, corner));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_near_as_on_the_sphere),
        cmocka_unit_test(test_walks),
        cmocka_unit_test(test_round_the_earth),
        cmocka_unit_test(test_boxes_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
