/* SPDX-License-Identifier: MIT */
/* The words of GET /v1/clients. */
#include "client_query.h"

#include "id.h"

#include <math.h>
#include <string.h>

#define LIMIT_USUAL   100
#define BBOX_TEXT_MAX 128 /* it is in the link to the next page */

void herd_client_query_init(struct herd_client_query *ret_query)
{
    *ret_query =
        (struct herd_client_query){.limit = LIMIT_USUAL, .after = {"", 0}, .bbox_text = {"", 0}, .id = {"", 0}};
}

static const char *take_limit(struct herd_client_query *query, struct herd_span text)
{
    uint32_t number = 0;
    for (size_t i = 0; i < text.len && number <= HERD_CLIENTS_LIMIT_MAX; i++) {
        const char digit = text.at[i];
        number = digit >= '0' && digit <= '9' ? number * 10 + (uint32_t)(digit - '0') : HERD_CLIENTS_LIMIT_MAX + 1;
    }
    query->limit = number;
    return number < 1 || number > HERD_CLIENTS_LIMIT_MAX ? "limit is from 1 to 1000" : NULL;
}

static const char *take_id(struct herd_client_query *query, struct herd_span id)
{
    if (!herd_http_is_id(id))
        return "near is a place, lat,lon in degrees, or the id of a client without a comma; near_id any id";
    query->near = HERD_NEAR_CLIENT;
    query->id = id;
    return NULL;
}

static const char *take_near(struct herd_client_query *query, struct herd_span value)
{
    struct herd_span rest = value;
    double lat_deg, lon_deg;
    if (value.len == 0 || !memchr(value.at, ',', value.len))
        return take_id(query, value);
    if (herd_degrees_take(&rest, &lat_deg) < 0 || rest.len == 0 || herd_degrees_take(&rest, &lon_deg) < 0 ||
        rest.len > 0 || !(fabs(lat_deg) <= 90 && fabs(lon_deg) <= 180))
        return "near is lat,lon with lat from -90 to 90 and lon from -180 to 180; an id with a comma is near_id";
    query->near = HERD_NEAR_PLACE;
    query->lat_deg = lat_deg;
    query->lon_deg = lon_deg;
    return NULL;
}

static const char *take_radius(struct herd_client_query *query, struct herd_span value)
{
    query->within = true;
    if (herd_degrees_take(&value, &query->radius_m) < 0 || value.len > 0 || !(query->radius_m >= 0))
        return "radius is in metres, 0 or more";
    return NULL;
}

static const char *take_bbox(struct herd_client_query *query, struct herd_span value)
{
    query->in_bbox = true;
    query->bbox_text = value;
    if (value.len > BBOX_TEXT_MAX)
        return "bbox is too long";
    return herd_bbox_parse(value, &query->bbox) < 0
               ? "bbox is west,south,east,north in degrees, south not above north"
               : NULL;
}

static const char *take_after(struct herd_client_query *query, struct herd_span value)
{
    query->pages = true;
    query->after = value;
    return NULL;
}

static const struct {
    const char *name, *once;
    const char *(*take)(struct herd_client_query *query, struct herd_span value);
} words[] = {
    {"limit", "limit is given once", take_limit},  {"after", "after is given once", take_after},
    {"bbox", "bbox is given once", take_bbox},     {"near", "near is given once", take_near},
    {"near_id", "near_id is given once", take_id}, {"radius", "radius is given once", take_radius},
};

const char *herd_client_query_take(struct herd_client_query *query, struct herd_span name, struct herd_span value)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!herd_span_equal(name, herd_span_of(words[i].name)))
            continue;
        if (query->given & 1u << i)
            return words[i].once;
        query->given |= 1u << i;
        if (query->near && (words[i].take == take_near || words[i].take == take_id))
            return "near and near_id do not go together";
        return words[i].take(query, value);
    }
    return "expected limit, after, bbox, near, near_id or radius";
}

const char *herd_client_query_check(const struct herd_client_query *query)
{
    if (query->near && query->in_bbox)
        return "near and bbox do not go together";
    if (query->near && query->pages)
        return "near has no pages: after is for lists";
    if (query->within && !query->near)
        return "radius without near";
    return NULL;
}
