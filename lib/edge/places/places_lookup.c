/* SPDX-License-Identifier: MIT */
/* How a look-up ends: with an answer, checked and cut, or with a reason why there is none. */
#include "places_parts.h"

#include "../../places/answer.h"

#include <stdio.h>
#include <string.h>

void places_set_failure(struct herd_lookup *flight, const char *status, const char *why)
{
    snprintf(flight->status, sizeof flight->status, "%s", status);
    snprintf(flight->why, sizeof flight->why, "%s", why);
}

/* Inside start the drive loop goes on by itself; otherwise it is set going here. */
static void ended(struct herd_lookup *flight)
{
    flight->state = PLACES_ENDED;
    if (flight->starting)
        return;
    struct herd_places *places = flight->places;
    places_drive(flight);
    places_pump(places);
}

/* Where an answer goes. */
static struct herd_buf *room(struct herd_lookup *lookup)
{
    if (!lookup->json.at) {
        lookup->json = lookup->places->spare;
        lookup->places->spare = (struct herd_buf){0};
    }
    lookup->json.len = 0;
    return &lookup->json;
}

void places_lookup_answer_final(struct herd_lookup *lookup, struct herd_span json)
{
    static const char none[] = "\"ZERO_RESULTS\"\n}"; /* how our own answers end that found nothing */
    size_t len = sizeof none - 1;
    bool empty = json.len > len && memcmp(json.at + json.len - len, none, len) == 0;
    if (herd_buf_add(room(lookup), json.at, json.len) < 0) {
        herd_lookup_fail(lookup, "UNKNOWN_ERROR", "out of memory");
        return;
    }
    snprintf(lookup->status, sizeof lookup->status, "%s", empty ? "ZERO_RESULTS" : "OK");
    ended(lookup);
}

void places_lookup_answer_shaped(struct herd_lookup *lookup, struct herd_span json,
                                 const struct herd_answer_shape *shape)
{
    if (herd_answer_cut(room(lookup), json, shape, lookup->query.bound) < 0) {
        herd_lookup_fail(lookup, "UNKNOWN_ERROR", "out of memory");
        return;
    }
    size_t len = shape->status.len < sizeof lookup->status ? shape->status.len : sizeof lookup->status - 1;
    if (len)
        memcpy(lookup->status, shape->status.at, len);
    lookup->status[len] = '\0';
    ended(lookup);
}

void herd_lookup_answer(struct herd_lookup *lookup, struct herd_span json)
{
    struct herd_answer_shape shape = {0};
    char fault[120] = "no results", why[200];
    if (herd_answer_read(json, &shape, fault, sizeof fault) < 0 || !shape.results.at) {
        snprintf(why, sizeof why, "%s sent no valid answer: %s", lookup->places->slots[lookup->slot]->name, fault);
        places_lookup_fail(lookup, &(struct places_failure){.status = "UNKNOWN_ERROR", .why = why, .blame = true});
        return;
    }
    places_lookup_answer_shaped(lookup, json, &shape);
}

void places_lookup_fail(struct herd_lookup *lookup, const struct places_failure *failure)
{
    /* The provider's own words, if they are an answer in shape, are what the client gets at the chain's end. */
    struct herd_answer_shape shape;
    char fault[120];
    lookup->json.len = 0;
    if (failure->verbatim.at && herd_answer_read(failure->verbatim, &shape, fault, sizeof fault) == 0 &&
        herd_answer_cut(&lookup->json, failure->verbatim, &shape, lookup->query.bound) < 0)
        lookup->json.len = 0;
    places_set_failure(lookup, failure->status, failure->why);
    lookup->failed = true;
    lookup->blame = failure->blame;
    lookup->rest_ms = failure->rest_ms;
    ended(lookup);
}

void herd_lookup_fail(struct herd_lookup *lookup, const char *status, const char *why)
{
    bool question = strcmp(status, "INVALID_REQUEST") == 0;
    places_lookup_fail(lookup, &(struct places_failure){.status = status, .why = why, .blame = !question});
}
