/* SPDX-License-Identifier: MIT */
/* Answers from points in memory, nearest first. */
#include "decimal.h"
#include "points_index.h"

/* The id of a point that came without one: its geo URI (RFC 5870), the same in every run. */
static int add_id(struct herd_buf *out, const struct herd_points *points, const struct herd_point *point)
{
    int err;
    if (point->id.len) {
        if ((err = herd_buf_add(out, points->id_prefix.at, points->id_prefix.len)) < 0)
            return err;
        return herd_buf_add(out, point->id.at, point->id.len);
    }
    if ((err = herd_buf_add_text(out, "geo:")) < 0 || (err = herd_decimal_e7_write(out, point->lat_e7)) < 0 ||
        (err = herd_buf_add_text(out, ",")) < 0)
        return err;
    return herd_decimal_e7_write(out, point->lon_e7);
}

static int add_place(struct herd_answer_writer *w, const struct herd_points *points, size_t i,
                     struct herd_buf *scratch)
{
    struct herd_point point;
    herd_points_get(points, i, &point);
    size_t ends[2];
    int err;
    scratch->len = 0;
    if ((err = herd_decimal_e7_write(scratch, point.lat_e7)) < 0)
        return err;
    ends[0] = scratch->len;
    if ((err = herd_decimal_e7_write(scratch, point.lon_e7)) < 0)
        return err;
    ends[1] = scratch->len;
    if ((err = add_id(scratch, points, &point)) < 0)
        return err;
    struct herd_answer_place place = {
        .lat = {scratch->at, ends[0]},
        .lng = {scratch->at + ends[0], ends[1] - ends[0]},
        .place_id = {scratch->at + ends[1], scratch->len - ends[1]},
        .name = point.name,
        .types = point.types,
        .vicinity = point.vicinity,
    };
    herd_answer_add(w, &place);
    return w->err;
}

int herd_points_answer(const struct herd_points *points, const struct herd_places_query *query,
                       struct herd_buf *out)
{
    struct herd_points_hit hits[HERD_POINTS_HITS_MAX];
    size_t begin = out->len;
    size_t cap = query->bound < HERD_POINTS_HITS_MAX ? query->bound : HERD_POINTS_HITS_MAX;
    /* One is searched for even if the bound is 0: the status depends on whether there is any. */
    size_t found =
        herd_points_nearest(points, query->lat_deg, query->lon_deg, query->radius_m, hits, cap ? cap : 1);
    /* Texts lie anywhere in memory: all of them are on their way before the first is read. */
    for (size_t i = 0; i < found; i++)
        __builtin_prefetch(points->text.at + (points->at[hits[i].i].text_type >> 16));
    struct herd_buf scratch = {0};
    struct herd_answer_writer w;
    herd_answer_begin(&w, out, (struct herd_span){points->attributions.at, points->attributions.len});
    for (size_t i = 0; i < found && i < cap && w.err == 0; i++)
        w.err = add_place(&w, points, hits[i].i, &scratch);
    int err = herd_answer_end(&w, found > 0);
    herd_buf_fini(&scratch);
    if (err < 0)
        out->len = begin;
    return err;
}
