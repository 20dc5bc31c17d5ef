/* SPDX-License-Identifier: MIT */
/* Any bytes as a file of places, whole and in two pieces, with the same outcome; and what was read answers. */
#ifndef FUZZ_PLACES_FILE_H
#define FUZZ_PLACES_FILE_H

#include "places.h"

static inline int read_file(enum herd_points_format format, struct herd_span bytes, size_t cut,
                            struct herd_points *points, struct herd_diagnostic *diagnostic)
{
    struct herd_points_reader *reader;
    check(herd_points_reader_new(&reader, format, points) == 0);
    int err = herd_points_read(reader, (struct herd_span){bytes.at, cut}, diagnostic);
    if (err == 0 && cut < bytes.len)
        err = herd_points_read(reader, (struct herd_span){bytes.at + cut, bytes.len - cut}, diagnostic);
    if (err == 0)
        err = herd_points_read_end(reader, diagnostic);
    herd_points_reader_free(reader);
    return err;
}

static inline void fuzz_places_file(enum herd_points_format format, const uint8_t *at, size_t len)
{
    struct herd_span bytes = {(const char *)at, len};
    struct herd_points *points = NULL, *again = NULL;
    struct herd_diagnostic diagnostic = {0}, other = {0};
    check(herd_points_new(&points, "", "") == 0 && herd_points_new(&again, "", "") == 0);
    int err = read_file(format, bytes, len, points, &diagnostic);
    check(read_file(format, bytes, len ? at[0] % len : 0, again, &other) == err);
    check(diagnostic.line == other.line && strcmp(diagnostic.message, other.message) == 0);
    check(err == 0 || diagnostic.message[0]);
    check(herd_points_count(points) == herd_points_count(again));
    check(herd_points_build_index(points) == 0);
    for (size_t i = 0; i < herd_points_count(points) && i < 3; i++) {
        struct herd_point point;
        struct herd_buf out = {0};
        herd_points_get(points, i, &point);
        struct herd_places_query query = {
            .lat_deg = point.lat_e7 / 1e7, .lon_deg = point.lon_e7 / 1e7, .radius_m = 100, .bound = 3};
        check(herd_points_answer(points, &query, &out) == 0);
        check_answer((struct herd_span){out.at, out.len}, 3);
        herd_buf_fini(&out);
    }
    herd_points_free(points);
    herd_points_free(again);
}

#endif
