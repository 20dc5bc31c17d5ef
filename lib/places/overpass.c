/* SPDX-License-Identifier: MIT */
/*
 * OpenStreetMap through Overpass: a query in its own language, elements with tags in return, translated
 * to the legacy shape and put in order of distance here, since Overpass has no such order. Up to
 * ELEMENTS_MAX elements are asked for, which bounds what the public servers have to send; where more lie
 * within the radius, the nearest of those sent are answered.
 */
#include "decimal.h"
#include "google.h"
#include "points.h"
#include "raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME         "Overpass"
#define ELEMENTS_MAX 400
#define ATTRIBUTION \
    "\"Places: <a href=\\\"https://www.openstreetmap.org/copyright\\\">OpenStreetMap contributors</a>, ODbL\""

static int add_form(struct herd_buf *out, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr("-._", c);
        char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};
        int err = plain ? herd_buf_add(out, text, 1) : herd_buf_add(out, escaped, 3);
        if (err < 0)
            return err;
    }
    return 0;
}

int herd_overpass_body(struct herd_buf *out, const struct herd_places_query *query, const char *filter,
                       unsigned timeout_s)
{
    char head[64], tail[64];
    snprintf(head, sizeof head, "[out:json][timeout:%u];nwr(around:", timeout_s);
    snprintf(tail, sizeof tail, ";out center %d;", ELEMENTS_MAX);
    int err;
    if ((err = herd_buf_add_text(out, "data=")) < 0 || (err = add_form(out, head)) < 0 ||
        (err = herd_buf_add(out, query->radius.at, query->radius.len)) < 0 ||
        (err = herd_buf_add_text(out, "%2C")) < 0 || (err = herd_buf_add(out, query->lat.at, query->lat.len)) < 0 ||
        (err = herd_buf_add_text(out, "%2C")) < 0 || (err = herd_buf_add(out, query->lon.at, query->lon.len)) < 0 ||
        (err = add_form(out, ")")) < 0 || (err = add_form(out, filter)) < 0)
        return err;
    return add_form(out, tail);
}

struct element {
    double haversine;
    struct herd_span value, lat, lon, tags, name;
};

/* An element with a name and a position within the radius. Of a way that only reaches into it the centre may lie
 * far outside: a query for a kilometre returns nothing farther away. */
static bool read_element(struct herd_span value, const struct herd_places_query *query, struct element *ret_element)
{
    struct element e = {.value = value};
    struct herd_span place = value, center;
    if (herd_raw_get(value, "center", &center)) /* ways and relations */
        place = center;
    int64_t lat_e7, lon_e7;
    (void)herd_raw_get(value, "tags", &e.tags);
    e.name = herd_raw_text(e.tags, "name");
    if (!e.name.len)
        e.name = herd_raw_text(e.tags, "name:en");
    if (!e.name.len || !herd_raw_get(place, "lat", &e.lat) || !herd_raw_get(place, "lon", &e.lon) ||
        herd_raw_kind(e.lat) != '0' || herd_raw_kind(e.lon) != '0' || herd_decimal_e7(e.lat, &lat_e7) < 0 ||
        herd_decimal_e7(e.lon, &lon_e7) < 0)
        return false;
    e.haversine = herd_points_haversine(query->lat_deg, query->lon_deg, (double)lat_e7 / 1e7, (double)lon_e7 / 1e7);
    *ret_element = e;
    return herd_points_metres(e.haversine) <= query->radius_m;
}

static int by_distance(const void *a, const void *b)
{
    const struct element *x = a, *y = b;
    if (x->haversine != y->haversine)
        return x->haversine < y->haversine ? -1 : 1;
    return (x->value.at > y->value.at) - (x->value.at < y->value.at);
}

/* osm:node/123, the address and the kind of a place, all in the scratch buffer. */
static int add_element(struct herd_answer_writer *w, const struct element *e, struct herd_buf *scratch)
{
    static const char *const kinds[] = {"amenity", "shop", "tourism", "leisure", "office"};
    struct herd_span id, type = herd_raw_text(e->value, "type"), kind = {NULL, 0};
    (void)herd_raw_get(e->value, "id", &id);
    for (size_t i = 0; i < 5 && !kind.len; i++)
        kind = herd_raw_text(e->tags, kinds[i]);
    struct herd_span street = herd_raw_text(e->tags, "addr:street"), city = herd_raw_text(e->tags, "addr:city");
    struct herd_span number = herd_raw_text(e->tags, "addr:housenumber");
    size_t ends[2];
    scratch->len = 0;
    if (herd_buf_add_text(scratch, "osm:") < 0 || herd_buf_add(scratch, type.at, type.len) < 0 ||
        herd_buf_add_text(scratch, "/") < 0 ||
        herd_buf_add(scratch, id.at, herd_raw_kind(id) == '0' ? id.len : 0) < 0)
        return HERD_E_NOMEM;
    ends[0] = scratch->len;
    if ((kind.len && (herd_buf_add_text(scratch, "\"") < 0 || herd_buf_add(scratch, kind.at, kind.len) < 0 ||
                      herd_buf_add_text(scratch, "\", ") < 0)) ||
        herd_buf_add_text(scratch, "\"point_of_interest\", \"establishment\"") < 0)
        return HERD_E_NOMEM;
    ends[1] = scratch->len;
    if ((street.len && number.len &&
         (herd_buf_add(scratch, number.at, number.len) < 0 || herd_buf_add_text(scratch, " ") < 0)) ||
        herd_buf_add(scratch, street.at, street.len) < 0 ||
        (street.len && city.len && herd_buf_add_text(scratch, ", ") < 0) ||
        herd_buf_add(scratch, city.at, city.len) < 0)
        return HERD_E_NOMEM;
    struct herd_answer_place place = {
        .lat = e->lat,
        .lng = e->lon,
        .name = e->name,
        .place_id = {scratch->at, ends[0]},
        .types = {scratch->at + ends[0], ends[1] - ends[0]},
        .vicinity = {scratch->at + ends[1], scratch->len - ends[1]},
    };
    herd_answer_add(w, &place);
    return w->err;
}

static int translate(struct herd_span elements, const struct herd_places_query *query, struct herd_buf *out)
{
    struct element *list = malloc(ELEMENTS_MAX * sizeof *list);
    struct herd_raw_walk walk = herd_raw_walk(elements);
    struct herd_buf scratch = {0};
    struct herd_answer_writer w;
    struct herd_span value;
    size_t count = 0, begin = out->len;
    if (!list)
        return HERD_E_NOMEM;
    while (count < ELEMENTS_MAX && herd_raw_element(&walk, &value))
        if (read_element(value, query, &list[count]))
            count++;
    qsort(list, count, sizeof *list, by_distance);
    int err = 0;
    herd_answer_begin(&w, out, herd_span_of(ATTRIBUTION));
    for (size_t i = 0; i < count && i < query->bound && err == 0; i++)
        err = add_element(&w, &list[i], &scratch);
    if (err == 0)
        err = herd_answer_end(&w, count > 0);
    if (err < 0)
        out->len = begin;
    herd_buf_fini(&scratch);
    free(list);
    return err;
}

/* Does a remark say that the elements are not all of them? Others are harmless ("runtime remark: ..."). */
static bool is_failure(struct herd_span remark)
{
    static const char *const words[] = {"runtime error", "timed out", "out of memory", "rate_limited"};
    for (size_t i = 0; i < remark.len; i++)
        for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
            size_t len = strlen(words[w]);
            if (remark.len - i >= len && strncasecmp(remark.at + i, words[w], len) == 0)
                return true;
        }
    return false;
}

int herd_overpass_classify(const struct herd_reply *reply, const struct herd_places_query *query,
                           struct herd_buf *out, struct herd_reply_class *ret_class)
{
    struct herd_raw_fault fault;
    struct herd_span body, elements;
    if (reply->http_status != 200) {
        herd_reply_class_http(ret_class, NAME, reply->http_status);
        ret_class->retry = false; /* a loaded public server is left alone */
        return 0;
    }
    if (herd_raw_check(reply->body, &fault) < 0) {
        herd_reply_class_fail(ret_class, "UNKNOWN_ERROR", true, NAME " sent no valid answer: %s at byte %zu",
                              fault.what, fault.offset);
        return 0;
    }
    body = herd_raw_trim(reply->body);
    struct herd_span remark = herd_raw_text(body, "remark");
    if (is_failure(remark)) { /* HTTP 200, and yet it failed: out of time or memory */
        char words[150];
        int words_len = (int)herd_raw_decode(remark, words, sizeof words);
        herd_reply_class_fail(ret_class, "UNKNOWN_ERROR", true, NAME " answered: %.*s", words_len, words);
        return 0;
    }
    size_t lists = herd_raw_count(body, "elements", &elements);
    if (!lists || herd_raw_kind(elements) != '[') {
        herd_reply_class_fail(ret_class, "UNKNOWN_ERROR", true, NAME " sent no elements");
        return 0;
    }
    if (lists > 1) {
        herd_reply_class_fail(ret_class, "UNKNOWN_ERROR", true, NAME " sent \"elements\" a second time");
        return 0;
    }
    *ret_class = (struct herd_reply_class){.verdict = HERD_REPLY_ANSWER};
    return translate(elements, query, out);
}
