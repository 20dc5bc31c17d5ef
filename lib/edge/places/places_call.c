/* SPDX-License-Identifier: MIT */
/* How a look-up ends: with an answer, checked and cut, or with a reason why there is none. */
#include "places_parts.h"

#include "../../places/answer.h"

#include <stdio.h>
#include <string.h>

void places_set_failure(struct herd_provider_call *flight, const char *status, const char *why)
{
    snprintf(flight->status, sizeof flight->status, "%s", status);
    snprintf(flight->why, sizeof flight->why, "%s", why);
}

/* Inside start the drive loop goes on by itself; otherwise it is set going here. */
static void ended(struct herd_provider_call *flight)
{
    flight->state = PLACES_ENDED;
    if (flight->starting)
        return;
    struct herd_places *places = flight->places;
    places_drive(flight);
    places_pump(places);
}

/* Where an answer goes. */
static struct herd_buf *room(struct herd_provider_call *call)
{
    if (!call->json.at) {
        call->json = call->places->spare;
        call->places->spare = (struct herd_buf){0};
    }
    call->json.len = 0;
    return &call->json;
}

void places_call_answer_final(struct herd_provider_call *call, struct herd_span json)
{
    static const char none[] = "\"ZERO_RESULTS\"\n}"; /* how our own answers end that found nothing */
    size_t len = sizeof none - 1;
    bool empty = json.len > len && memcmp(json.at + json.len - len, none, len) == 0;
    if (herd_buf_add(room(call), json.at, json.len) < 0) {
        herd_provider_call_fail(call, "UNKNOWN_ERROR", "out of memory");
        return;
    }
    snprintf(call->status, sizeof call->status, "%s", empty ? "ZERO_RESULTS" : "OK");
    ended(call);
}

void places_call_answer_shaped(struct herd_provider_call *call, struct herd_span json,
                               const struct herd_answer_shape *shape)
{
    if (herd_answer_truncate(room(call), json, shape, call->query.bound) < 0) {
        herd_provider_call_fail(call, "UNKNOWN_ERROR", "out of memory");
        return;
    }
    size_t len = shape->status.len < sizeof call->status ? shape->status.len : sizeof call->status - 1;
    if (len)
        memcpy(call->status, shape->status.at, len);
    call->status[len] = '\0';
    ended(call);
}

void herd_provider_call_answer(struct herd_provider_call *call, struct herd_span json)
{
    struct herd_answer_shape shape = {0};
    char fault[120] = "no results", why[200];
    if (herd_answer_read(json, &shape, fault, sizeof fault) < 0 || !shape.results.at) {
        snprintf(why, sizeof why, "%s sent no valid answer: %s", call->places->backends[call->backend]->name,
                 fault);
        places_call_fail(
            call, &(struct places_failure){.status = "UNKNOWN_ERROR", .why = why, .counts_as_failure = true});
        return;
    }
    places_call_answer_shaped(call, json, &shape);
}

void places_call_fail(struct herd_provider_call *call, const struct places_failure *failure)
{
    /* The provider's own words, if they are an answer in shape, are what the client gets at the chain's end. */
    struct herd_answer_shape shape;
    char fault[120];
    call->json.len = 0;
    if (failure->verbatim.at && herd_answer_read(failure->verbatim, &shape, fault, sizeof fault) == 0 &&
        herd_answer_truncate(&call->json, failure->verbatim, &shape, call->query.bound) < 0)
        call->json.len = 0;
    places_set_failure(call, failure->status, failure->why);
    call->failed = true;
    call->counts_as_failure = failure->counts_as_failure;
    call->retry_after_ms = failure->retry_after_ms;
    ended(call);
}

void herd_provider_call_fail(struct herd_provider_call *call, const char *status, const char *why)
{
    bool question = strcmp(status, "INVALID_REQUEST") == 0;
    places_call_fail(call, &(struct places_failure){.status = status, .why = why, .counts_as_failure = !question});
}
