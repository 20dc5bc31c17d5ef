/* SPDX-License-Identifier: MIT */
/* Requests: equal queries share one flight, and every request gets exactly one answer unless it is cancelled. */
#include "places_chain.h"
#include "places_flight.h"

#include <assert.h>
#include <stdlib.h>

int herd_places_lookup(struct herd_places *places, const struct herd_places_query *query,
                       herd_places_answer *answer, void *ctx, struct herd_places_request **ret_request)
{
    struct herd_places_request *request = calloc(1, sizeof *request);
    if (!request)
        return HERD_E_NOMEM;
    struct herd_provider_call *flight = places_flight_find(places, query);
    bool first = !flight;
    if (first && !(flight = places_flight_new(places, query))) {
        free(request);
        return HERD_E_NOMEM;
    }
    struct herd_places_request *self = request; /* NULL once it was answered or cancelled */
    *request =
        (struct herd_places_request){.flight = flight, .answer = answer, .ctx = ctx, .self = first ? &self : NULL};
    struct herd_places_request **end = &flight->requests;
    while (*end)
        end = &(*end)->next;
    *end = request;
    *ret_request = NULL; /* before an answer that comes from inside this call */
    if (first)
        places_drive(flight);
    if (self) {
        self->self = NULL;
        *ret_request = self;
    }
    return 0;
}

void herd_places_cancel(struct herd_places_request *request)
{
    if (!request)
        return;
    struct herd_provider_call *flight = request->flight;
    struct herd_places_request **at = &flight->requests;
    while (*at != request)
        at = &(*at)->next;
    *at = request->next;
    assert(!request->self); /* inside herd_places_lookup nobody has it yet */
    free(request);
    if (flight->requests || flight->state == PLACES_FINISHED || flight->starting)
        return;
    struct herd_places *places = flight->places;
    places_abandon(flight);
    places_flight_free(flight);
    places_pump(places);
}
