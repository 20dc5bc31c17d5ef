/* SPDX-License-Identifier: MIT */
/* The circuit breaker of a provider. */
#ifndef HERD_EDGE_PLACES_BREAKER_H
#define HERD_EDGE_PLACES_BREAKER_H

#include "places_types.h"

/* True if a look-up may go to the provider: the circuit is closed, or was open for long enough and no other look-up
 * is trying it. */
bool places_breaker_allows(const struct places_backend *backend);
/* Closes the circuit. */
void places_breaker_success(struct herd_places *places, struct places_backend *backend);
/* Counts a failure, and opens the circuit if it is one too many or the provider asked for a pause. */
void places_breaker_failure(struct places_backend *backend, const struct herd_provider_call *flight);

#endif
