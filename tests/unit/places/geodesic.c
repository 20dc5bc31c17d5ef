/* SPDX-License-Identifier: MIT */
/* Our distances against PROJ's geodesics on the ellipsoid: a sphere may differ by 0.57 percent, no more. */
#include "cm.h"

#include "points.h"

#include <geodesic.h>
#include <math.h>
#include <stdlib.h>

static void test_distances(void **state)
{
    (void)state;
    struct geod_geodesic earth;
    geod_init(&earth, 6378137, 1 / 298.257223563);
    srand(5);
    for (int i = 0; i < 20000; i++) {
        double lat = rand() % 179000 / 1000.0 - 89.5, lon = rand() % 360000 / 1000.0 - 180;
        double lat2 = lat + (rand() % 2000 - 1000) / 2500.0, lon2 = lon + (rand() % 2000 - 1000) / 2500.0;
        if (lat2 > 90 || lat2 < -90)
            continue;
        double want_m, azimuth1, azimuth2;
        geod_inverse(&earth, lat, lon, lat2, lon2, &want_m, &azimuth1, &azimuth2);
        double got_m = herd_points_metres(herd_points_haversine(lat, lon, lat2, lon2));
        if (fabs(got_m - want_m) > want_m * 0.0057 + 0.001)
            fail_msg("%f %f to %f %f: %f m, not %f", lat, lon, lat2, lon2, got_m, want_m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_distances)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
