/* SPDX-License-Identifier: MIT */
/* The table of flights: creation, freeing, and answering every request of one exactly once. */
#include "places_flight.h"

#include "../../places/answer.h"
#include "places_query.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SPARE_MAX_BYTES 65536

struct herd_provider_call *places_flight_find(const struct herd_places *places,
                                              const struct herd_places_query *query)
{
    uint64_t hash = places_query_hash(query);
    struct herd_provider_call *flight = places->table[hash % PLACES_TABLE];
    while (flight && (flight->hash != hash || !places_query_equal(&flight->query, query)))
        flight = flight->bucket_next;
    return flight;
}

struct herd_provider_call *places_flight_new(struct herd_places *places, const struct herd_places_query *query)
{
    uint64_t hash = places_query_hash(query);
    struct herd_provider_call *flight =
        calloc(1, sizeof *flight + query->lat.len + query->lon.len + query->radius.len);
    if (!flight)
        return NULL;
    char *to = (char *)(flight + 1); /* the query's texts live right behind the flight */
    flight->query = *query;
    struct herd_span *parts[] = {&flight->query.lat, &flight->query.lon, &flight->query.radius};
    for (size_t i = 0; i < 3; i++) {
        if (parts[i]->len)
            memcpy(to, parts[i]->at, parts[i]->len);
        parts[i]->at = to;
        to += parts[i]->len;
    }
    flight->places = places;
    flight->hash = hash;
    flight->bucket_next = places->table[hash % PLACES_TABLE];
    places->table[hash % PLACES_TABLE] = flight;
    return flight;
}

static void table_remove(struct herd_provider_call *flight)
{
    struct herd_provider_call **at = &flight->places->table[flight->hash % PLACES_TABLE];
    while (*at != flight)
        at = &(*at)->bucket_next;
    *at = flight->bucket_next;
}

static void release(struct herd_provider_call *flight)
{
    assert(!flight->deadline_set);
    while (flight->requests) {
        struct herd_places_request *next = flight->requests->next;
        free(flight->requests);
        flight->requests = next;
    }
    struct herd_buf *spare = &flight->places->spare;
    if (flight->json.cap > spare->cap && flight->json.cap <= SPARE_MAX_BYTES) {
        herd_buf_fini(spare);
        *spare = flight->json;
    } else {
        herd_buf_fini(&flight->json);
    }
    free(flight);
}

void places_flight_free(struct herd_provider_call *flight)
{
    assert(flight->state == PLACES_FINISHED && !flight->starting);
    table_remove(flight);
    release(flight);
}

void places_flight_finish(struct herd_provider_call *flight, const char *origin)
{
    /* What is sent when there is no memory for a better message. */
    static const char last_resort[] =
        "{\n   \"error_message\" : \"out of memory\",\n   \"html_attributions\" : [],\n"
        "   \"results\" : [],\n   \"status\" : \"UNKNOWN_ERROR\"\n}";
    assert(flight->state == PLACES_CHOOSING || flight->state == PLACES_ENDED);
    assert(!flight->starting && !flight->deadline_set);
    flight->state = PLACES_FINISHED;
    table_remove(flight);
    if (!flight->json.len)
        (void)herd_answer_failure(&flight->json, flight->status, herd_span_of(flight->why));
    struct herd_span json =
        flight->json.len ? (struct herd_span){flight->json.at, flight->json.len} : herd_span_of(last_resort);
    /* An answer may cancel other requests of this flight, so the list is read anew each time. */
    while (flight->requests) {
        struct herd_places_request *request = flight->requests;
        flight->requests = request->next;
        herd_places_answer *answer = request->answer;
        void *ctx = request->ctx;
        if (request->self)
            *request->self = NULL;
        free(request);
        answer(ctx, json, origin);
    }
    release(flight);
}
