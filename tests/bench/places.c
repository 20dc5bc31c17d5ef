/* SPDX-License-Identifier: MIT */
/*
 * Offline look-ups: microseconds for a whole answer, against brute force in the same run, and what the
 * index costs to build and to keep.
 *
 *     bench-places [cities500.txt]     a GeoNames table, or 200 000 points made up around 500 cities
 *     bench-places --index FILE        only what the index of a table costs, as JSON
 */
#include "points.h"

#include "decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOKUPS 200000
#define BRUTE   40

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t seed = 88172645463325252u;

static double dice(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (double)(seed >> 11) / 9007199254740992.0;
}

static struct herd_points *made_up(void)
{
    struct herd_points *points;
    if (herd_points_new(&points, "", "") < 0)
        exit(1);
    for (int city = 0; city < 500; city++) {
        double lat = dice() * 120 - 50, lon = dice() * 350 - 175;
        for (int i = 0; i < 400; i++) {
            struct herd_point point = {.lat_e7 = (int32_t)((lat + dice() + dice() - 1) * 1e7),
                                       .lon_e7 = (int32_t)((lon + dice() + dice() - 1) * 1e7),
                                       .name = herd_span_of("A place"),
                                       .vicinity = herd_span_of("A country")};
            if (herd_points_add(points, &point) < 0)
                exit(1);
        }
    }
    return points;
}

/* What an answer costs without an index: every distance, the best five kept. */
static double brute_us(const struct herd_points *points)
{
    size_t count = herd_points_count(points), found = 0;
    double begin = now_s(), limit = sin(10000 / (2 * 6371008.8));
    for (int r = 0; r < BRUTE; r++) {
        struct herd_point centre, point;
        herd_points_get(points, (size_t)(dice() * (double)count), &centre);
        for (size_t i = 0; i < count; i++) {
            herd_points_get(points, i, &point);
            found += herd_points_haversine(centre.lat_e7 / 1e7, centre.lon_e7 / 1e7, point.lat_e7 / 1e7,
                                           point.lon_e7 / 1e7) <= limit * limit;
        }
    }
    return found ? (now_s() - begin) * 1e6 / BRUTE : 0;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void lookups(const struct herd_points *points, double radius_m, unsigned bound, double brute)
{
    static double took_us[LOOKUPS];
    struct herd_buf out = {0};
    size_t bytes = 0;
    double begin = now_s();
    for (size_t r = 0; r < LOOKUPS; r++) {
        struct herd_point centre;
        herd_points_get(points, (size_t)(dice() * (double)herd_points_count(points)), &centre);
        struct herd_places_query query = {
            .lat_deg = centre.lat_e7 / 1e7, .lon_deg = centre.lon_e7 / 1e7, .radius_m = radius_m, .bound = bound};
        double one = now_s();
        out.len = 0;
        if (herd_points_answer(points, &query, &out) < 0)
            exit(1);
        took_us[r] = (now_s() - one) * 1e6;
        bytes += out.len;
    }
    double mean = (now_s() - begin) * 1e6 / LOOKUPS;
    qsort(took_us, LOOKUPS, sizeof took_us[0], ascending);
    printf("%5.0f km, bound %2u: %6.2f us mean (clock included), p50 %.2f p99 %.2f max %.1f, %zu bytes, brute "
           "force x%.0f\n",
           radius_m / 1000, bound, mean, took_us[LOOKUPS / 2], took_us[LOOKUPS * 99 / 100], took_us[LOOKUPS - 1],
           bytes / LOOKUPS, brute / mean);
    herd_buf_fini(&out);
}

/* A table, read but not indexed yet. */
static struct herd_points *table(const char *path)
{
    static char chunk[65536];
    struct herd_points *points = NULL;
    struct herd_points_reader *reader = NULL;
    struct herd_diagnostic diagnostic = {0};
    FILE *file = fopen(path, "rb");
    int err = file ? 0 : HERD_E_IO;
    size_t got;
    if (err == 0 && (err = herd_points_new(&points, HERD_GEONAMES_ATTRIBUTION, "geonames:")) == 0)
        err = herd_points_reader_new(&reader, HERD_POINTS_TSV, points);
    while (err == 0 && (got = fread(chunk, 1, sizeof chunk, file)) > 0)
        err = herd_points_read(reader, (struct herd_span){chunk, got}, &diagnostic);
    if (err < 0 || (err = herd_points_read_end(reader, &diagnostic)) < 0) {
        fprintf(stderr, "%s:%u: %s %s\n", path, diagnostic.line, herd_strerror(err), diagnostic.message);
        exit(1);
    }
    fclose(file);
    herd_points_reader_free(reader);
    return points;
}

int main(int argc, char **argv)
{
    bool index_only = argc == 3 && strcmp(argv[1], "--index") == 0;
    double begin = now_s();
    struct herd_points *points = argc > 1 ? table(argv[argc - 1]) : made_up();
    double read = now_s();
    if (herd_points_build_index(points) < 0)
        return 1;
    double indexed = now_s();
    size_t count = herd_points_count(points);
    double index_bytes = (double)herd_points_index_bytes(points) / (double)count;
    double text_bytes = (double)herd_points_text_bytes(points) / (double)count;
    if (index_only) {
        printf("{\"points\":%zu,\"read_seconds\":%.6f,\"index_seconds\":%.6f,\"index_bytes_per_point\":%.2f,"
               "\"text_bytes_per_point\":%.2f}\n",
               count, read - begin, indexed - read, index_bytes, text_bytes);
    } else {
        printf("read in %.3f s, indexed in %.3f s\n", read - begin, indexed - read);
        printf("%zu points, %.1f bytes each beside %.1f of text\n", count, index_bytes, text_bytes);
        double brute = brute_us(points);
        printf("brute force: %.0f us (distances only)\n", brute);
        lookups(points, 10000, 5, brute);
        lookups(points, 50000, 20, brute);
    }
    herd_points_free(points);
    return 0;
}
