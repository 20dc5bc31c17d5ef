/* SPDX-License-Identifier: MIT */
/* What a provider's answer or failure makes of a flight. */
#include "places_result.h"

#include "../../places/answer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void places_set_failure(struct herd_provider_call *flight, const char *status, const char *why)
{
    snprintf(flight->status, sizeof flight->status, "%s", status);
    snprintf(flight->why, sizeof flight->why, "%s", why);
}

/* Returns the empty buffer of the flight, with the memory of an earlier answer. */
static struct herd_buf *buffer(struct herd_provider_call *flight)
{
    if (!flight->json.at) {
        flight->json = flight->places->spare;
        flight->places->spare = (struct herd_buf){0};
    }
    flight->json.len = 0;
    return &flight->json;
}

int places_result_final(struct herd_provider_call *flight, struct herd_span json)
{
    static const char none[] = "\"ZERO_RESULTS\"\n}"; /* the end of an answer of lib/places without results */
    size_t len = sizeof none - 1;
    assert(json.len > len);
    bool empty = memcmp(json.at + json.len - len, none, len) == 0;
    if (herd_buf_add(buffer(flight), json.at, json.len) < 0)
        return HERD_E_NOMEM;
    snprintf(flight->status, sizeof flight->status, "%s", empty ? "ZERO_RESULTS" : "OK");
    return 0;
}

int places_result_shaped(struct herd_provider_call *flight, struct herd_span json,
                         const struct herd_answer_shape *shape)
{
    if (herd_answer_truncate(buffer(flight), json, shape, flight->query.bound) < 0)
        return HERD_E_NOMEM;
    size_t len = shape->status.len < sizeof flight->status ? shape->status.len : sizeof flight->status - 1;
    if (len)
        memcpy(flight->status, shape->status.at, len);
    flight->status[len] = '\0';
    return 0;
}

void places_result_failure(struct herd_provider_call *flight, const struct places_failure *failure)
{
    flight->json.len = 0;
    if (failure->verbatim.at) /* without memory it is the sentence */
        (void)herd_answer_truncate(&flight->json, failure->verbatim, failure->shape, flight->query.bound);
    places_set_failure(flight, failure->status, failure->why);
    flight->failed = true;
    flight->counts_as_failure = failure->counts_as_failure;
    flight->retry_after_ms = failure->retry_after_ms;
}
