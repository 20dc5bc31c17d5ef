/* SPDX-License-Identifier: MIT */
/*
 * Google Places API (New): searchNearby, POST, a field mask that decides the price, real HTTP statuses.
 * Its answers are translated to the legacy shape; strings and numbers keep the bytes they came with.
 */
#include "google.h"
#include "raw.h"

#include <stdio.h>
#include <string.h>

#define NAME "Google Places"

/* Everything here is billed as Pro; one field more and every request costs as Enterprise. */
#define PRO_FIELDS                                                                               \
    "places.id,places.displayName,places.location,places.viewport,places.types,"                 \
    "places.shortFormattedAddress,places.businessStatus,places.plusCode,places.iconMaskBaseUri," \
    "places.attributions"
#define ENTERPRISE_FIELDS \
    PRO_FIELDS ",places.rating,places.userRatingCount,places.priceLevel,places.currentOpeningHours.openNow"

const char *herd_google_new_fields(const char *fields)
{
    if (!fields || strcmp(fields, "pro") == 0)
        return PRO_FIELDS;
    return strcmp(fields, "enterprise") == 0 ? ENTERPRISE_FIELDS : fields;
}

int herd_google_new_body(struct herd_buf *out, const struct herd_places_query *query)
{
    /* 0 would mean 20: where nothing is wanted one is asked for, and cut out. */
    unsigned count = query->bound < 1 ? 1 : query->bound > 20 ? 20 : query->bound;
    char tail[64];
    snprintf(tail, sizeof tail, "}},\"maxResultCount\":%u}", count);
    int err;
    if ((err = herd_buf_add_text(out, "{\"locationRestriction\":{\"circle\":{\"center\":{\"latitude\":")) < 0 ||
        (err = herd_buf_add(out, query->lat.at, query->lat.len)) < 0 ||
        (err = herd_buf_add_text(out, ",\"longitude\":")) < 0 ||
        (err = herd_buf_add(out, query->lon.at, query->lon.len)) < 0 ||
        (err = herd_buf_add_text(out, "},\"radius\":")) < 0 ||
        (err = herd_buf_add(out, query->radius.at, query->radius.len)) < 0)
        return err;
    return herd_buf_add_text(out, tail);
}

/* google.rpc.Status is more specific than the HTTP status. */
static void classify_error(const struct herd_reply *reply, struct herd_reply_class *ret_class)
{
    static const struct {
        const char *code, *status;
    } codes[] = {{"INVALID_ARGUMENT", "INVALID_REQUEST"},
                 {"RESOURCE_EXHAUSTED", "OVER_QUERY_LIMIT"},
                 {"PERMISSION_DENIED", "REQUEST_DENIED"},
                 {"UNAUTHENTICATED", "REQUEST_DENIED"},
                 {"FAILED_PRECONDITION", "REQUEST_DENIED"}};
    struct herd_raw_fault fault;
    herd_reply_class_http(ret_class, NAME, reply->http_status);
    if (herd_raw_check(reply->body, &fault) < 0)
        return;
    struct herd_span body = herd_raw_trim(reply->body), error, code;
    struct herd_raw_walk walk = herd_raw_walk(body);
    if (herd_raw_kind(body) == '[') /* some front ends wrap the object in an array */
        (void)herd_raw_element(&walk, &body);
    (void)herd_raw_get(body, "error", &error);
    (void)herd_raw_get(error, "status", &code);
    struct herd_span message = herd_raw_text(error, "message");
    char words[120];
    int words_len = (int)herd_raw_decode(message, words, sizeof words);
    bool retry = ret_class->retry;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (code.len && herd_raw_is(code, codes[i].code)) {
            /* A bad key is reported as a bad argument. */
            bool key = i == 0 && message.len >= 7 && memcmp(message.at, "API key", 7) == 0;
            herd_reply_class_fail(ret_class, key ? "REQUEST_DENIED" : codes[i].status, i != 0 || key,
                                  NAME " answered %s: %.*s", codes[i].code, words_len, words);
            ret_class->retry = retry;
            return;
        }
}

static void lat_lng(struct herd_span object, struct herd_span *ret_lat, struct herd_span *ret_lng)
{
    (void)herd_raw_get(object, "latitude", ret_lat);
    (void)herd_raw_get(object, "longitude", ret_lng);
    if (herd_raw_kind(*ret_lat) != '0' || herd_raw_kind(*ret_lng) != '0')
        *ret_lat = *ret_lng = (struct herd_span){NULL, 0};
}

static struct herd_span value_of(struct herd_span object, const char *name, const char *kinds)
{
    struct herd_span value;
    if (!herd_raw_get(object, name, &value) || !strchr(kinds, herd_raw_kind(value)))
        value = (struct herd_span){NULL, 0};
    return value;
}

/* The elements of an array that are strings, "a", "b": false for no memory. */
static bool add_strings(struct herd_buf *out, struct herd_span array)
{
    struct herd_raw_walk walk = herd_raw_walk(array);
    struct herd_span element;
    bool first = true;
    while (herd_raw_kind(array) == '[' && herd_raw_element(&walk, &element)) {
        if (herd_raw_kind(element) != '"')
            continue;
        if ((!first && herd_buf_add_text(out, ", ") < 0) || herd_buf_add(out, element.at, element.len) < 0)
            return false;
        first = false;
    }
    return true;
}

static struct herd_span price_level(struct herd_span place)
{
    static const char *const levels[] = {"PRICE_LEVEL_FREE", "PRICE_LEVEL_INEXPENSIVE", "PRICE_LEVEL_MODERATE",
                                         "PRICE_LEVEL_EXPENSIVE", "PRICE_LEVEL_VERY_EXPENSIVE"};
    static const char digits[] = "01234";
    struct herd_span level = value_of(place, "priceLevel", "\"");
    for (size_t i = 0; i < 5; i++)
        if (level.len && herd_raw_is(level, levels[i]))
            return (struct herd_span){digits + i, 1};
    return (struct herd_span){NULL, 0};
}

static int add_place(struct herd_answer_writer *w, struct herd_span from, struct herd_buf *scratch)
{
    struct herd_answer_place place = {0};
    struct herd_span value;
    (void)herd_raw_get(from, "location", &value);
    lat_lng(value, &place.lat, &place.lng);
    if (!place.lat.len) /* a place that is nowhere is none */
        return 0;
    struct herd_span viewport = value_of(from, "viewport", "{");
    (void)herd_raw_get(viewport, "high", &value);
    lat_lng(value, &place.viewport[0], &place.viewport[1]);
    (void)herd_raw_get(viewport, "low", &value);
    lat_lng(value, &place.viewport[2], &place.viewport[3]);
    if (!place.viewport[2].len)
        place.viewport[0] = (struct herd_span){NULL, 0};
    place.name = herd_raw_text(value_of(from, "displayName", "{"), "text");
    place.place_id = herd_raw_text(from, "id");
    place.vicinity = herd_raw_text(from, "shortFormattedAddress");
    if (!place.vicinity.len)
        place.vicinity = herd_raw_text(from, "formattedAddress");
    place.business_status = herd_raw_text(from, "businessStatus");
    place.rating = value_of(from, "rating", "0");
    place.user_ratings_total = value_of(from, "userRatingCount", "0");
    place.price_level = price_level(from);
    place.open_now = value_of(value_of(from, "currentOpeningHours", "{"), "openNow", "tf");
    struct herd_span plus = value_of(from, "plusCode", "{");
    place.global_code = herd_raw_text(plus, "globalCode");
    place.compound_code = herd_raw_text(plus, "compoundCode");

    scratch->len = 0;
    struct herd_span icon = herd_raw_text(from, "iconMaskBaseUri");
    if (icon.len && (herd_buf_add(scratch, icon.at, icon.len) < 0 || herd_buf_add_text(scratch, ".png") < 0))
        return HERD_E_NOMEM;
    size_t icon_len = scratch->len;
    if (!add_strings(scratch, value_of(from, "types", "[")))
        return HERD_E_NOMEM;
    place.icon = (struct herd_span){scratch->at, icon_len};
    place.types = (struct herd_span){scratch->at ? scratch->at + icon_len : NULL, scratch->len - icon_len};
    herd_answer_add(w, &place);
    return w->err;
}

/* Appends the attribution of a provider: `<a href="providerUri">provider</a>`, as the legacy API has it. */
static int add_attributions(struct herd_buf *out, struct herd_span places)
{
    struct herd_raw_walk walk = herd_raw_walk(places);
    struct herd_span place, attribution;
    while (herd_raw_element(&walk, &place)) {
        struct herd_span list = value_of(place, "attributions", "[");
        struct herd_raw_walk inner = herd_raw_walk(list);
        while (herd_raw_element(&inner, &attribution)) {
            struct herd_span provider = herd_raw_text(attribution, "provider");
            struct herd_span uri = herd_raw_text(attribution, "providerUri");
            if (!provider.len)
                continue;
            if (herd_buf_add_text(out, out->len ? ", \"<a href=\\\"" : "\"<a href=\\\"") < 0 ||
                herd_buf_add(out, uri.at, uri.len) < 0 || herd_buf_add_text(out, "\\\">") < 0 ||
                herd_buf_add(out, provider.at, provider.len) < 0 || herd_buf_add_text(out, "</a>\"") < 0)
                return HERD_E_NOMEM;
        }
    }
    return 0;
}

static int translate(struct herd_span places, const struct herd_places_query *query, struct herd_buf *out)
{
    struct herd_buf attributions = {0}, scratch = {0};
    struct herd_answer_writer w;
    struct herd_raw_walk walk = herd_raw_walk(places);
    struct herd_span place;
    bool found = false;
    size_t begin = out->len;
    int err = add_attributions(&attributions, places);
    herd_answer_begin(&w, out, (struct herd_span){attributions.at, attributions.len});
    while (err == 0 && herd_raw_element(&walk, &place)) {
        found = true;
        if (w.count < query->bound)
            err = add_place(&w, place, &scratch);
    }
    if (err == 0)
        err = herd_answer_end(&w, found);
    if (err < 0)
        out->len = begin;
    herd_buf_fini(&attributions);
    herd_buf_fini(&scratch);
    return err;
}

int herd_google_new_classify(const struct herd_reply *reply, const struct herd_places_query *query,
                             struct herd_buf *out, struct herd_reply_class *ret_class)
{
    struct herd_raw_fault fault;
    struct herd_span places;
    if (reply->http_status != 200) {
        classify_error(reply, ret_class);
        return 0;
    }
    if (herd_raw_check(reply->body, &fault) < 0) {
        herd_reply_class_fail(ret_class, "UNKNOWN_ERROR", true, NAME " sent no valid answer: %s at byte %zu",
                              fault.what, fault.offset);
        return 0;
    }
    struct herd_span body = herd_raw_trim(reply->body);
    size_t lists = herd_raw_count(body, "places", &places);
    if (herd_raw_kind(body) != '{' || (lists && herd_raw_kind(places) != '[')) {
        herd_reply_class_fail(ret_class, "UNKNOWN_ERROR", true, NAME " sent no list of places");
        return 0;
    }
    if (lists > 1) {
        herd_reply_class_fail(ret_class, "UNKNOWN_ERROR", true, NAME " sent \"places\" a second time");
        return 0;
    }
    *ret_class = (struct herd_reply_class){.verdict = HERD_REPLY_ANSWER};
    return translate(places, query, out); /* no member at all is how an empty list is written */
}
