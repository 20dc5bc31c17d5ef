/* SPDX-License-Identifier: MIT */
/* Prints what lib/places makes of each file given, read as an answer of a provider, as GeoJSON and as a table: the
 * same on every machine. */
#include "answer.h"
#include "points.h"
#include "query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(const char *what, int err, struct herd_span text)
{
    printf("%s %d %.*s\n", what, err, (int)text.len, text.at);
}

static void as_answer(struct herd_span text)
{
    static const unsigned bounds[] = {0, 1, 20};
    struct herd_answer_shape shape = {0};
    char why[200] = "";
    int err = herd_answer_read(text, &shape, why, sizeof why);
    put("answer", err, herd_span_of(err < 0 ? why : ""));
    for (size_t i = 0; err == 0 && i < sizeof bounds / sizeof *bounds; i++) {
        struct herd_buf out = {0};
        int cut = herd_answer_truncate(&out, text, &shape, bounds[i]);
        put("cut", cut, (struct herd_span){out.at, out.len});
        herd_buf_fini(&out);
    }
}

static void ask(const struct herd_points *points, const char *place)
{
    struct herd_places_question question = {0};
    struct herd_buf out = {0};
    int err = herd_places_query_make_iso(&question, herd_span_of(place), herd_span_of("50"), 20);
    if (err == 0)
        err = herd_points_answer(points, &question.query, &out);
    put(place, err, (struct herd_span){out.at, out.len});
    herd_buf_fini(&out);
    herd_places_query_fini(&question);
}

static void as_points(enum herd_points_format format, struct herd_span text)
{
    struct herd_points *points = NULL;
    struct herd_points_reader *reader = NULL;
    struct herd_diagnostic diagnostic = {0};
    int err = herd_points_new(&points, "", "");
    if (err == 0)
        err = herd_points_reader_new(&reader, format, points);
    for (size_t at = 0; err == 0 && at < text.len; at += 7)
        err = herd_points_read(reader, (struct herd_span){text.at + at, text.len - at < 7 ? text.len - at : 7},
                               &diagnostic);
    if (err == 0)
        err = herd_points_read_end(reader, &diagnostic);
    if (err == 0)
        err = herd_points_build_index(points);
    put("points", err, herd_span_of(diagnostic.message));
    for (size_t i = 0; err == 0 && i < herd_points_count(points); i++) {
        struct herd_point point;
        herd_points_get(points, i, &point);
        printf("%d %d %.*s\n", (int)point.lat_e7, (int)point.lon_e7, (int)point.name.len, point.name.at);
        if (i < 20) {
            char place[64];
            snprintf(place, sizeof place, "%+.3f%+.3f", point.lat_e7 / 1e7, point.lon_e7 / 1e7);
            ask(points, place);
        }
    }
    if (reader)
        herd_points_reader_free(reader);
    herd_points_free(points);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        char *bytes = malloc(1 << 20);
        if (!file || !bytes)
            return 1;
        struct herd_span text = {bytes, fread(bytes, 1, 1 << 20, file)};
        fclose(file);
        as_answer(text);
        as_points(HERD_POINTS_GEOJSON, text);
        as_points(HERD_POINTS_TSV, text);
        free(bytes);
    }
    return 0;
}
