/* SPDX-License-Identifier: MIT */
/*
 * Distances of an area beside those of PROJ's geodesics on the ellipsoid WGS 84: nowhere does a sphere differ by more than
 * what area.h says.
 */
#include "cm.h"

#include <geodesic.h>
#include <herd/area.h>
#include <math.h>
#include <stdio.h>

#define S    INT64_C(1000000000)
#define MOST 0.006 /* of the distance: what area.h says */

static uint64_t seed = 20261127;

static double between(double low, double high)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return low + (high - low) * (double)(seed * UINT64_C(2685821657736338717) >> 11) / 9007199254740992.0;
}

/* Anywhere; at a pole, the equator or the date line; and never so far apart that the far side of the earth is meant. */
static void place(double *ret_lat, double *ret_lon)
{
    int kind = (int)between(0, 5);
    *ret_lat = kind == 0 ? between(89, 90) : kind == 1 ? between(-1e-3, 1e-3) : between(-90, 90);
    *ret_lon = kind == 2 ? between(179.9, 180) : between(-180, 180);
}

/* As an area says it: of one client that is asked about. */
static double distance_m(double lat1, double lon1, double lat2, double lon2, int64_t time_s, struct herd_node *node,
                         struct herd_area *area)
{
    char position[80], time[32];
    enum herd_verdict verdict;
    struct herd_now now = {time_s * S, time_s * S};
    struct herd_fence_event event;
    struct herd_area_query *query;
    struct herd_area_hit hit;
    size_t steps = 1000;
    snprintf(position, sizeof position, "%+.12f%+.12f", lat2, lon2);
    snprintf(time, sizeof time, "%lld", (long long)time_s);
    assert_int_equal(herd_node_report(node, herd_span_of("kiwi"), herd_span_of(position), herd_span_of(time), now,
                                      NULL, &verdict),
                     0);
    while (herd_area_next(area, now, &steps, &event))
        ;
    const struct herd_area_question question = {.by_distance = true, .lat_deg = lat1, .lon_deg = lon1, .limit = 1};
    assert_int_equal(herd_area_ask(area, &question, &query), 0);
    while (herd_area_step(query, now, 1000))
        ;
    assert_true(herd_area_hit(query, &hit));
    herd_area_query_free(query);
    return hit.distance_m;
}

static void test_beside_the_ellipsoid(void **state)
{
    static const uint64_t key[2] = {7, 9};
    struct herd_node_options options = {.name = herd_span_of("Riley"), .seed = {3, 5}};
    struct herd_node *node;
    struct herd_area *area;
    struct geod_geodesic earth;
    double worst = 0;
    (void)state;
    geod_init(&earth, 6378137, 1 / 298.257223563);
    assert_int_equal(herd_node_new(&node, &options), 0);
    assert_int_equal(herd_area_open(node, key, &area), 0);
    for (int i = 0; i < 20000; i++) {
        double lat1, lon1, lat2, lon2, wanted;
        place(&lat1, &lon1);
        if (i % 2) { /* near each other: metres to hundreds of kilometres */
            double size = pow(10, between(-5, 0.5));
            lat2 = fmin(90, fmax(-90, lat1 + size * between(-1, 1)));
            lon2 = lon1 + size * between(-1, 1);
            lon2 = lon2 > 180 ? lon2 - 360 : lon2 < -180 ? lon2 + 360 : lon2;
        } else {
            place(&lat2, &lon2);
        }
        geod_inverse(&earth, lat1, lon1, lat2, lon2, &wanted, NULL, NULL);
        double got = distance_m(lat1, lon1, lat2, lon2, 1700000000 + i, node, area);
        double off = fabs(got - wanted);
        assert_true(off <= MOST * wanted + 1e-5);
        if (wanted > 1000)
            worst = fmax(worst, off / wanted);
    }
    printf("at most %.3f %% from the ellipsoid\n", worst * 100);
    assert_true(worst > MOST / 2); /* the bound says something */
    herd_area_close(area);
    herd_node_free(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_beside_the_ellipsoid)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
