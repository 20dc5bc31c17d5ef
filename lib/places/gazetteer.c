/* SPDX-License-Identifier: MIT */
/* The larger places of the world, compiled in: GeoNames (geonames.org), CC BY 4.0. */
#include "points.h"
#include "raw.h"

#include <string.h>

#include "gazetteer.inc"

_Static_assert(sizeof gazetteer_cities + sizeof gazetteer_countries <= 512 * 1024,
               "a library that is mostly a gazetteer: take fewer cities");

#define COUNTRY_COUNT (sizeof gazetteer_countries / sizeof gazetteer_countries[0])

struct herd_span herd_country_name(struct herd_span code)
{
    size_t low = 0, high = COUNTRY_COUNT;
    while (code.len == 2 && low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(gazetteer_countries[middle].code, code.at, 2);
        if (order == 0)
            return herd_span_of(gazetteer_countries[middle].name);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return (struct herd_span){NULL, 0};
}

/* One city at *io_at, as embed.py wrote it; `io_id` counts on. */
static int add_city(struct herd_points *points, const unsigned char **io_at, uint32_t *io_id,
                    struct herd_buf *scratch)
{
    const unsigned char *at = *io_at;
    uint32_t delta = 0;
    for (unsigned shift = 0;; shift += 7) {
        delta |= (uint32_t)(*at & 127) << shift;
        if (!(*at++ & 128))
            break;
    }
    *io_id += delta;
    size_t country = *at++;
    uint64_t place = 0;
    for (unsigned i = 0; i < 7; i++)
        place |= (uint64_t)*at++ << (8 * i);
    struct herd_span name = {(const char *)at + 1, *at};
    *io_at = at + 1 + name.len;

    char id[10];
    size_t id_at = sizeof id;
    for (uint32_t rest = *io_id; rest; rest /= 10)
        id[--id_at] = (char)('0' + rest % 10);
    scratch->len = 0;
    int err = herd_raw_escape(scratch, name);
    if (err < 0)
        return err;
    struct herd_point point = {
        .lat_e7 = (int32_t)(((int64_t)(place / 36000001) - 9000000) * 100),
        .lon_e7 = (int32_t)(((int64_t)(place % 36000001) - 18000000) * 100),
        .name = {scratch->at, scratch->len},
        .id = {id + id_at, sizeof id - id_at},
        .vicinity = herd_span_of(gazetteer_countries[country].name),
        .types = herd_span_of("\"locality\", \"political\""),
    };
    return herd_points_add(points, &point);
}

int herd_points_gazetteer(struct herd_points **ret_points)
{
    struct herd_points *points;
    int err = herd_points_new(&points, HERD_GEONAMES_ATTRIBUTION, "geonames:");
    if (err < 0)
        return err;
    struct herd_buf scratch = {0};
    const unsigned char *at = gazetteer_cities, *end = gazetteer_cities + sizeof gazetteer_cities;
    uint32_t id = 0;
    while (at < end && err == 0)
        err = add_city(points, &at, &id, &scratch);
    herd_buf_fini(&scratch);
    if (err == 0)
        err = herd_points_build_index(points);
    if (err < 0) {
        herd_points_free(points);
        return err;
    }
    *ret_points = points;
    return 0;
}
