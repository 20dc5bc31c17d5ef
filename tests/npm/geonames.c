/* SPDX-License-Identifier: MIT */
/* A whole GeoNames table: every row is read, and look-ups agree with brute force on random centres. */
#include "points.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b)
{
    const struct herd_points_hit *x = a, *y = b;
    if (x->haversine != y->haversine)
        return x->haversine < y->haversine ? -1 : 1;
    return (x->i > y->i) - (x->i < y->i);
}

int main(int argc, char **argv)
{
    struct herd_points *points;
    struct herd_diagnostic diagnostic;
    struct herd_points_summary summary;
    size_t hits_seen = 0;
    if (argc < 4 || herd_points_load(&points, argv[1], NULL, &summary, &diagnostic) < 0) {
        fprintf(stderr, "%s:%u: %s\n", argc < 4 ? "usage: geonames FILE ROWS CENTRES" : argv[1],
                argc < 4 ? 0 : diagnostic.line, argc < 4 ? "" : diagnostic.message);
        return 1;
    }
    size_t count = herd_points_count(points);
    if (count != strtoul(argv[2], NULL, 10) || summary.skipped) {
        fprintf(stderr, "%zu points, %zu skipped\n", count, summary.skipped);
        return 1;
    }
    struct herd_points_hit *all = malloc(count * sizeof *all), hits[HERD_POINTS_HITS_MAX];
    srand(3);
    for (unsigned long r = strtoul(argv[3], NULL, 10); r && all; r--) {
        struct herd_point point;
        herd_points_get(points, ((size_t)rand() << 16 ^ (size_t)rand()) % count, &point);
        /* around a place, on it, or anywhere */
        double away = r % 3 == 0 ? 0 : 0.3;
        double lat = point.lat_e7 / 1e7 + away * (rand() % 2000 - 1000) / 1000;
        double lon = point.lon_e7 / 1e7 + away * (rand() % 2000 - 1000) / 1000;
        if (r % 10 == 0) {
            lat = (double)(rand() % 1800) / 10 - 90;
            lon = (double)(rand() % 3600) / 10 - 180;
        }
        if (fabs(lat) > 90 || fabs(lon) > 180)
            continue;
        double radius_m = (double)(rand() % 50001);
        size_t bound = (size_t)(rand() % 20) + 1, within = 0;
        double half = sin(radius_m / (2 * 6371008.8));
        for (size_t i = 0; i < count; i++) {
            herd_points_get(points, i, &point);
            double h = herd_points_haversine(lat, lon, point.lat_e7 / 1e7, point.lon_e7 / 1e7);
            if (h <= half * half)
                all[within++] = (struct herd_points_hit){h, i};
        }
        qsort(all, within, sizeof *all, ascending);
        size_t found = herd_points_nearest(points, lat, lon, radius_m, hits, bound);
        if (found != (within < bound ? within : bound)) {
            fprintf(stderr, "%f %f %f: %zu hits, brute force %zu\n", lat, lon, radius_m, found, within);
            return 1;
        }
        for (size_t i = 0; i < found; i++)
            if (hits[i].haversine != all[i].haversine || hits[i].i != all[i].i) {
                fprintf(stderr, "%f %f %f: hit %zu differs\n", lat, lon, radius_m, i);
                return 1;
            }
        hits_seen += found;
    }
    printf("%zu rows, %zu hits as brute force has them\n", count, hits_seen);
    free(all);
    herd_points_free(points);
    return hits_seen ? 0 : 1;
}
