/* SPDX-License-Identifier: MIT */
/* The table of flights. */
#ifndef HERD_EDGE_PLACES_FLIGHT_H
#define HERD_EDGE_PLACES_FLIGHT_H

#include "places_types.h"

/* Makes a flight for a copy of the query and puts it into the table; no flight for an equal query may be there.
 * NULL: no memory. */
struct herd_provider_call *places_flight_new(struct herd_places *places, const struct herd_places_query *query);
/* Returns the flight of an equal query, or NULL. */
struct herd_provider_call *places_flight_find(const struct herd_places *places,
                                              const struct herd_places_query *query);
/* Takes a flight that was given up out of the table and frees it and its requests, without answering. */
void places_flight_free(struct herd_provider_call *flight);
/* Answers every request, from `origin`, and frees the flight. The answers may make and cancel requests; an equal
 * query starts a new flight from here on. */
void places_flight_finish(struct herd_provider_call *flight, const char *origin);

#endif
