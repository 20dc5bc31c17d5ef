/* SPDX-License-Identifier: MIT */
/* What a provider's answer or failure makes of a flight. */
#ifndef HERD_EDGE_PLACES_RESULT_H
#define HERD_EDGE_PLACES_RESULT_H

#include "places_types.h"

struct herd_answer_shape;

/* Writes status and sentence of a failure; both are copied. */
void places_set_failure(struct herd_provider_call *flight, const char *status, const char *why);
/* Takes an answer that lib/places wrote: valid, in shape and within the bound. HERD_E_NOMEM. */
int places_result_final(struct herd_provider_call *flight, struct herd_span json);
/* Takes an answer whose shape is known, truncated to the query's bound. HERD_E_NOMEM. */
int places_result_shaped(struct herd_provider_call *flight, struct herd_span json,
                         const struct herd_answer_shape *shape);
/* Takes a failure, and the provider's reply if that is an answer in shape: the client gets it if no provider after
 * this one does better. */
void places_result_failure(struct herd_provider_call *flight, const struct places_failure *failure);

#endif
