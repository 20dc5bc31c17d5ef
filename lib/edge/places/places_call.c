/* SPDX-License-Identifier: MIT */
/* How a provider ends a look-up: with an answer, checked and truncated, or with a failure. */
#include "places_call.h"

#include "../../places/answer.h"
#include "places_chain.h"
#include "places_result.h"

#include <stdio.h>
#include <string.h>

void places_call_fail(struct herd_provider_call *call, const struct places_failure *failure)
{
    places_result_failure(call, failure);
    places_ended(call);
}

void herd_provider_call_fail(struct herd_provider_call *call, const char *status, const char *why)
{
    bool wrong_query = strcmp(status, "INVALID_REQUEST") == 0;
    places_call_fail(call,
                     &(struct places_failure){.status = status, .why = why, .counts_as_failure = !wrong_query});
}

void places_call_answer_final(struct herd_provider_call *call, struct herd_span json)
{
    if (places_result_final(call, json) < 0)
        herd_provider_call_fail(call, "UNKNOWN_ERROR", "out of memory");
    else
        places_ended(call);
}

void places_call_answer_shaped(struct herd_provider_call *call, struct herd_span json,
                               const struct herd_answer_shape *shape)
{
    if (places_result_shaped(call, json, shape) < 0)
        herd_provider_call_fail(call, "UNKNOWN_ERROR", "out of memory");
    else
        places_ended(call);
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
