/* SPDX-License-Identifier: MIT */
/* From the fields of a WHATSAT to the exact texts a provider is asked with. */
#include "query.h"

#include "decimal.h"

int herd_places_query_make(struct herd_places_question *io_question, struct herd_span lat, struct herd_span lon,
                           struct herd_span radius_km, unsigned bound)
{
    struct herd_decimal lat_d, lon_d, radius_d;
    int err;
    if ((err = herd_decimal_split(lat, &lat_d)) < 0 || (err = herd_decimal_split(lon, &lon_d)) < 0 ||
        (err = herd_decimal_split(radius_km, &radius_d)) < 0)
        return err;
    struct herd_buf *text = &io_question->text;
    size_t ends[3];
    text->len = 0;
    if ((err = herd_decimal_write(text, &lat_d, 0, false)) < 0)
        return err;
    ends[0] = text->len;
    if ((err = herd_decimal_write(text, &lon_d, 0, false)) < 0)
        return err;
    ends[1] = text->len;
    if ((err = herd_decimal_write(text, &radius_d, 3, true)) < 0)
        return err;
    ends[2] = text->len;
    /* Spans only now: the buffer may have moved while it grew. */
    struct herd_places_query *query = &io_question->query;
    query->lat = (struct herd_span){text->at, ends[0]};
    query->lon = (struct herd_span){text->at + ends[0], ends[1] - ends[0]};
    query->radius = (struct herd_span){text->at + ends[1], ends[2] - ends[1]};
    query->lat_deg = herd_decimal_double(query->lat);
    query->lon_deg = herd_decimal_double(query->lon);
    query->radius_m = herd_decimal_double(query->radius);
    query->bound = bound;
    return 0;
}

int herd_places_query_make_iso(struct herd_places_question *io_question, struct herd_span position,
                               struct herd_span radius_km, unsigned bound)
{
    size_t cut = 1;
    while (cut < position.len && position.at[cut] != '+' && position.at[cut] != '-')
        cut++;
    if (cut >= position.len)
        return HERD_E_SYNTAX;
    return herd_places_query_make(io_question, (struct herd_span){position.at, cut},
                                  (struct herd_span){position.at + cut, position.len - cut}, radius_km, bound);
}

void herd_places_query_fini(struct herd_places_question *question)
{
    herd_buf_fini(&question->text);
    question->query = (struct herd_places_query){0};
}
