/* SPDX-License-Identifier: MIT */
/* How a provider of this library ends a look-up. */
#ifndef HERD_EDGE_PLACES_CALL_H
#define HERD_EDGE_PLACES_CALL_H

#include "places_types.h"

struct herd_answer_shape;

/* Ends a look-up with an answer that lib/places wrote: valid, in shape and within the bound. */
void places_call_answer_final(struct herd_provider_call *call, struct herd_span json);
/* Ends a look-up with an answer whose shape is known; it is truncated to the bound here. */
void places_call_answer_shaped(struct herd_provider_call *call, struct herd_span json,
                               const struct herd_answer_shape *shape);
/* Ends a look-up without an answer. */
void places_call_fail(struct herd_provider_call *call, const struct places_failure *failure);

#endif
