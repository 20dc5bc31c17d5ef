/* SPDX-License-Identifier: MIT */
/* The index against brute force: thousands of centres, the same hits at the same distances. */
#include "cm.h"

#include "points_index.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = 88172645463325252u;

static uint64_t dice(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static int32_t between_e7(double low, double high)
{
    return (int32_t)((low + (high - low) * (double)(dice() % 1000000007) / 1000000006.0) * 1e7);
}

static struct herd_points *points_of(size_t count, double lat_low, double lat_high, double lon_low, double lon_high)
{
    struct herd_points *points;
    assert_int_equal(herd_points_new(&points, "", ""), 0);
    for (size_t i = 0; i < count; i++) {
        char name[24];
        snprintf(name, sizeof name, "p%zu", i);
        struct herd_point point = {.lat_e7 = between_e7(lat_low, lat_high),
                                   .lon_e7 = between_e7(lon_low, lon_high),
                                   .name = herd_span_of(name)};
        assert_int_equal(herd_points_add(points, &point), 0);
    }
    assert_int_equal(herd_points_build_index(points), 0);
    assert_int_equal(herd_points_count(points), count);
    return points;
}

static int ascending(const void *a, const void *b)
{
    const struct herd_points_hit *x = a, *y = b;
    if (x->haversine != y->haversine)
        return x->haversine < y->haversine ? -1 : 1;
    return (x->i > y->i) - (x->i < y->i);
}

static void compare(const struct herd_points *points, double lat, double lon, double radius_m, size_t cap,
                    struct herd_points_hit *all)
{
    size_t count = herd_points_count(points), within = 0;
    double sine = sin(radius_m / (2 * 6371008.8));
    double limit = sine * sine;
    for (size_t i = 0; i < count; i++) {
        struct herd_point point;
        herd_points_get(points, i, &point);
        double h = herd_points_haversine(lat, lon, point.lat_e7 / 1e7, point.lon_e7 / 1e7);
        if (h <= limit)
            all[within++] = (struct herd_points_hit){h, i};
    }
    qsort(all, within, sizeof *all, ascending);
    struct herd_points_hit hits[HERD_POINTS_HITS_MAX];
    size_t found = herd_points_nearest(points, lat, lon, radius_m, hits, cap);
    size_t want = within < cap ? within : cap;
    if (found != want)
        fail_msg("%zu hits around %.7f %.7f within %.1f m, not %zu", found, lat, lon, radius_m, want);
    for (size_t i = 0; i < found; i++)
        if (hits[i].haversine != all[i].haversine || hits[i].i != all[i].i)
            fail_msg("hit %zu around %.7f %.7f within %.1f m differs", i, lat, lon, radius_m);
}

static void against_brute_force(double lat_low, double lat_high, double lon_low, double lon_high, size_t count,
                                unsigned rounds)
{
    struct herd_points *points = points_of(count, lat_low, lat_high, lon_low, lon_high);
    struct herd_points_hit *all = malloc(count * sizeof *all);
    assert_non_null(all);
    for (unsigned r = 0; r < rounds; r++) {
        double lat = between_e7(lat_low, lat_high) / 1e7, lon = between_e7(lon_low, lon_high) / 1e7;
        if (r % 5 == 0) { /* a point itself */
            struct herd_point point;
            herd_points_get(points, dice() % count, &point);
            lat = point.lat_e7 / 1e7;
            lon = point.lon_e7 / 1e7;
        }
        double radius_m = r % 7 == 0 ? 0 : pow(10, (double)(dice() % 4700) / 1000.0);
        if (r % 50 == 0)
            radius_m = 30000000; /* all of the earth */
        compare(points, lat, lon, radius_m, dice() % 20 + 1, all);
    }
    free(all);
    herd_points_free(points);
}

static void test_random(void **state)
{
    (void)state;
    against_brute_force(-90, 90, -180, 180, 5000, 1000);
    against_brute_force(48, 49, 2, 3, 5000, 1000);          /* a crowded degree */
    against_brute_force(48.5, 48.6, 1.95, 2.05, 3000, 500); /* across a strip's edge */
}

static void test_antimeridian_and_poles(void **state)
{
    (void)state;
    against_brute_force(-1, 1, 179.5, 180, 1000, 300);
    struct herd_points *points;
    struct herd_points_hit *all = malloc(4000 * sizeof *all);
    assert_non_null(all);
    assert_int_equal(herd_points_new(&points, "", ""), 0);
    for (size_t i = 0; i < 4000; i++) {
        int32_t lon_e7 = i & 1 ? between_e7(179.5, 180) : between_e7(-180, -179.5);
        int32_t lat_e7 = i & 2 ? between_e7(-0.5, 0.5) : between_e7(65, 66);
        if (i % 100 == 0)
            lon_e7 = i % 200 ? 1800000000 : -1800000000; /* the same meridian */
        assert_int_equal(herd_points_add(points, &(struct herd_point){.lat_e7 = lat_e7, .lon_e7 = lon_e7}), 0);
    }
    assert_int_equal(herd_points_build_index(points), 0);
    for (unsigned r = 0; r < 1000; r++)
        compare(points, (r & 2 ? between_e7(-0.5, 0.5) : between_e7(65, 66)) / 1e7,
                r % 10 == 0   ? 180.0
                : r % 10 == 1 ? -180.0
                              : (r & 1 ? between_e7(179.5, 180) : between_e7(-180, -179.5)) / 1e7,
                pow(10, (double)(dice() % 4700) / 1000.0), 20, all);
    herd_points_free(points);
    free(all);
    for (double pole = -90; pole <= 90; pole += 180)
        against_brute_force(pole < 0 ? -90 : 89.7, pole < 0 ? -89.7 : 90, -180, 180, 2000, 500);
    /* The poles themselves, where longitude means nothing. */
    points = points_of(500, 89.9, 90, -180, 180);
    all = malloc(500 * sizeof *all);
    assert_non_null(all);
    for (int lon = -180; lon <= 180; lon += 60)
        compare(points, 90, lon, 5000, 20, all);
    free(all);
    herd_points_free(points);
}

/* Half the way round: rounding must not put it beyond the sphere, where there is no distance at all. */
static void test_the_other_side(void **state)
{
    (void)state;
    struct herd_points *points;
    struct herd_points_hit hit;
    const double half_m = 3.14159265358979323846 * 6371008.8;
    assert_int_equal(herd_points_new(&points, "", ""), 0);
    assert_int_equal(herd_points_add(points, &(struct herd_point){.lat_e7 = 450000000, .lon_e7 = -1200000000}), 0);
    assert_int_equal(herd_points_build_index(points), 0);
    assert_int_equal(herd_points_build_index(points), 0); /* again: as it was */
    assert_int_equal(herd_points_nearest(points, -45, 60, half_m + 1, &hit, 1), 1);
    assert_true(fabs(herd_points_metres(hit.haversine) - half_m) < 1);
    assert_int_equal(herd_points_nearest(points, -45, 60, half_m - 1, &hit, 1), 0);
    assert_true(fabs(herd_points_metres(1.0000000000000002) - half_m) < 1);
    herd_points_free(points);
}

/* Of two that are equally far the one with the lower number, whichever the walk meets first. */
static void test_equally_far(void **state)
{
    (void)state;
    struct herd_points *points;
    struct herd_points_hit hits[3];
    assert_int_equal(herd_points_new(&points, "", ""), 0);
    for (int side = -1; side <= 1; side += 2)
        for (int i = 0; i < 2; i++)
            assert_int_equal(herd_points_add(points, &(struct herd_point){.lat_e7 = side * 10000000}), 0);
    assert_int_equal(herd_points_build_index(points), 0);
    for (size_t cap = 1; cap <= 3; cap++) {
        assert_int_equal(herd_points_nearest(points, 0, 0, 200000, hits, cap), cap);
        for (size_t i = 0; i < cap; i++)
            assert_int_equal(hits[i].i, i);
    }
    herd_points_free(points);
}

static struct herd_point typed(char name[16], unsigned i)
{
    snprintf(name, 16, "\"t%u\"", i);
    return (struct herd_point){.lat_e7 = (int32_t)i, .name = {"n", 1}, .types = herd_span_of(name)};
}

/* Of more kinds than are kept the rest have none, and those before them keep theirs. */
static void test_many_kinds(void **state)
{
    (void)state;
    struct herd_points *points;
    struct herd_point point;
    char name[16];
    assert_int_equal(herd_points_new(&points, "", ""), 0);
    for (unsigned i = 0; i < HERD_POINTS_TYPES_MAX + 10; i++) {
        point = typed(name, i);
        assert_int_equal(herd_points_add(points, &point), 0);
    }
    point = typed(name, 3);
    point.lat_e7 = -1;
    assert_int_equal(herd_points_add(points, &point), 0);
    assert_int_equal(herd_points_build_index(points), 0);
    for (size_t i = 0; i < herd_points_count(points); i++) {
        herd_points_get(points, i, &point);
        unsigned number = point.lat_e7 < 0 ? 3 : (unsigned)point.lat_e7;
        struct herd_point want = typed(name, number);
        assert_true(herd_span_equal(point.types, number < HERD_POINTS_TYPES_MAX ? want.types : herd_span_of("")));
    }
    herd_points_free(points);
}

static void test_impossible_questions(void **state)
{
    (void)state;
    struct herd_points *points = points_of(10, -1, 1, -1, 1);
    struct herd_points_hit hits[4];
    struct herd_points *unfinished;
    assert_int_equal(herd_points_new(&unfinished, "", ""), 0);
    assert_int_equal(herd_points_add(unfinished, &(struct herd_point){0}), 0);
    assert_int_equal(herd_points_nearest(unfinished, 0, 0, 1e6, hits, 4), 0); /* not indexed */
    herd_points_free(unfinished);
    assert_int_equal(herd_points_nearest(points, 91, 0, 1e6, hits, 4), 0);
    assert_int_equal(herd_points_nearest(points, 0, 181, 1e6, hits, 4), 0);
    assert_int_equal(herd_points_nearest(points, NAN, 0, 1e6, hits, 4), 0);
    assert_int_equal(herd_points_nearest(points, 0, 0, -1, hits, 4), 0);
    assert_int_equal(herd_points_nearest(points, 0, 0, NAN, hits, 4), 0);
    assert_int_equal(herd_points_nearest(points, 0, 0, 1e6, hits, 0), 0);
    assert_int_equal(herd_points_add(points, &(struct herd_point){0}), HERD_E_STATE);
    herd_points_free(points);
    points = points_of(1, 0, 0, 0, 0);
    points->indexed = false;
    size_t count = points->count, text_len = points->text.len;
    points->count = UINT32_MAX; /* as many as there can be */
    assert_int_equal(herd_points_add(points, &(struct herd_point){0}), HERD_E_LIMIT);
    points->count = count;
#if SIZE_MAX > UINT32_MAX
    points->text.len = HERD_POINTS_TEXT_MAX + 1; /* as much text */
    assert_int_equal(herd_points_add(points, &(struct herd_point){0}), HERD_E_LIMIT);
    points->text.len = text_len;
#endif
    assert_int_equal(herd_points_add(points, &(struct herd_point){0}), 0);
    assert_true(points->text.len == text_len + 3);
    herd_points_free(points);
    points = points_of(0, 0, 0, 0, 0);
    assert_int_equal(herd_points_nearest(points, 0, 0, 1e9, hits, 4), 0);
    herd_points_free(points);
    herd_points_free(NULL);
}

static void test_memory(void **state)
{
    (void)state;
    struct herd_points *points = points_of(200000, -60, 70, -180, 180);
    double each = (double)herd_points_index_bytes(points) / 200000;
    if (each > 40)
        fail_msg("%.1f bytes a point", each);
    /* The digits and p of 200 000 names, and three NULs each: what growing left over is given back. */
    assert_int_equal(herd_points_text_bytes(points),
                     10 + 90 * 2 + 900 * 3 + 9000 * 4 + 90000 * 5 + 100000 * 6 + 4 * 200000);
    herd_points_free(points);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),         cmocka_unit_test(test_antimeridian_and_poles),
        cmocka_unit_test(test_the_other_side), cmocka_unit_test(test_equally_far),
        cmocka_unit_test(test_many_kinds),     cmocka_unit_test(test_impossible_questions),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
