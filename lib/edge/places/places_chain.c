/* SPDX-License-Identifier: MIT */
/*
 * A flight's way along the chain of providers:
 *
 *     CHOOSING -> (cache) -> FINISHED
 *         |  \
 *         |   -> WAITING -> RUNNING -> ENDED -> FINISHED, or CHOOSING with the next provider
 *         -> no provider left -> FINISHED with a failure
 *
 * A flight has timeout_ms at each provider, waiting included; then it goes on to the next.
 */
#include "places_chain.h"

#include "../../core/base/histogram.h"
#include "../clock.h"
#include "places_breaker.h"
#include "places_cache.h"
#include "places_flight.h"
#include "places_result.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static bool has_room(const struct herd_places *places, const struct places_backend *backend)
{
    /* A provider that answers at once occupies nothing, so it has room even when all the others are blocked. */
    return !backend->loading && (backend->synchronous || (backend->in_flight < backend->in_flight_max &&
                                                          places->in_flight < places->in_flight_max));
}

static void leave_queue(struct herd_provider_call *flight)
{
    struct places_backend *backend = flight->places->backends[flight->backend];
    struct herd_provider_call **at = &backend->waiting;
    while (*at != flight)
        at = &(*at)->waiting_next;
    *at = flight->waiting_next;
    if (!*at)
        backend->waiting_end = at;
    flight->waiting_next = NULL;
    flight->places->waiting--;
}

/* The time at this provider is over: goes on to the next one. */
static void on_deadline(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    struct herd_provider_call *flight = ctx;
    struct herd_places *places = flight->places;
    struct places_backend *backend = places->backends[flight->backend];
    char why[160];
    if (flight->state == PLACES_WAITING) {
        leave_queue(flight);
        if (backend->loading)
            snprintf(why, sizeof why, "%s is still reading its file", backend->name);
        else
            snprintf(why, sizeof why, "%s is busy: no place for this look-up within %lld ms", backend->name,
                     (long long)backend->timeout_ms);
        places_set_failure(flight, "OVER_QUERY_LIMIT", why);
        flight->backend++;
        flight->state = PLACES_CHOOSING;
        places_drive(flight);
    } else {
        assert(flight->state == PLACES_RUNNING);
        if (backend->provider.cancel)
            backend->provider.cancel(backend->provider.ctx, flight);
        snprintf(why, sizeof why, "%s did not answer within %lld ms", backend->name,
                 (long long)backend->timeout_ms);
        places_result_failure(
            flight, &(struct places_failure){.status = "UNKNOWN_ERROR", .why = why, .counts_as_failure = true});
        places_ended(flight);
    }
}

/* Sets the deadline at this provider; only where a flight has to wait, an answer from memory needs no timer. */
static void arm(struct herd_provider_call *flight)
{
    assert(!flight->deadline_set);
    struct timeval wait = herd_timeval_ms(flight->places->backends[flight->backend]->timeout_ms);
    event_assign(&flight->deadline, flight->places->base, -1, 0, on_deadline, flight);
    flight->deadline_set = event_add(&flight->deadline, &wait) == 0;
}

static void disarm(struct herd_provider_call *flight)
{
    if (flight->deadline_set)
        event_del(&flight->deadline);
    flight->deadline_set = false;
}

static void log_lookup(struct herd_provider_call *flight, int64_t took_ns, const char *cached)
{
    struct herd_places *places = flight->places;
    /* A success is traffic. */
    enum herd_log_level level = flight->failed                          ? HERD_LOG_WARN
                                : herd_log_traffic_enabled(places->log) ? HERD_LOG_INFO
                                                                        : HERD_LOG_DEBUG;
    if (!herd_log_enabled(places->log, level))
        return;
    struct herd_log_field fields[5] = {
        herd_log_text("provider", places->backends[flight->backend]->name),
        herd_log_text("status", flight->status),
        herd_log_int("duration_us", took_ns / 1000),
        herd_log_int("bytes", (int64_t)flight->json.len),
    };
    size_t count = 4;
    if (flight->failed)
        fields[count++] = herd_log_text("why", flight->why);
    else if (cached)
        fields[count++] = herd_log_text("from", cached);
    herd_log_event(places->log, level, "lookup", fields, count);
}

static void start(struct herd_provider_call *flight)
{
    struct places_backend *backend = flight->places->backends[flight->backend];
    assert(flight->state == PLACES_CHOOSING || flight->state == PLACES_WAITING);
    assert(has_room(flight->places, backend));
    backend->in_flight++;
    flight->places->in_flight++;
    flight->state = PLACES_RUNNING;
    flight->failed = false;
    flight->retry_after_ms = 0;
    flight->json.len = 0;
    flight->starting = true;
    backend->provider.start(backend->provider.ctx, flight, &flight->query);
    flight->starting = false;
}

/* Gives up the room at the provider that start took. */
static void release(struct herd_provider_call *flight)
{
    assert(flight->places->in_flight > 0 && flight->places->backends[flight->backend]->in_flight > 0);
    flight->places->backends[flight->backend]->in_flight--;
    flight->places->in_flight--;
}

/* Answers the flight's requests, frees it, and uses the room it leaves. */
static void finish(struct herd_provider_call *flight, const char *origin)
{
    struct herd_places *places = flight->places;
    places_flight_finish(flight, origin);
    places_pump(places);
}

/* ENDED: takes the provider's result. Returns true if the flight is over, else it is CHOOSING. */
static bool settle(struct herd_provider_call *flight)
{
    struct herd_places *places = flight->places;
    struct places_backend *backend = places->backends[flight->backend];
    disarm(flight);
    release(flight);
    const int64_t took_ns = herd_clock_ns(CLOCK_MONOTONIC) - flight->began_ns;
    herd_histogram_add(&backend->durations, took_ns);
    backend->failures += flight->failed;
    log_lookup(flight, took_ns, NULL);
    if (!flight->failed) {
        places_breaker_success(places, backend);
        if (backend->cache)
            places_cache_put(backend->cache, &flight->query, herd_clock_steady_ms(),
                             (struct herd_span){flight->json.at, flight->json.len});
        finish(flight, backend->name);
        return true;
    }
    if (flight->counts_as_failure)
        places_breaker_failure(backend, flight);
    else
        places_breaker_success(places, backend); /* it works: it refused a wrong query */
    flight->backend++;
    flight->state = PLACES_CHOOSING;
    return false;
}

/* Answers the flight from the cache of the provider it is at. Returns true if it is over. */
static bool answered_from_cache(struct herd_provider_call *flight)
{
    struct places_backend *backend = flight->places->backends[flight->backend];
    struct herd_span json;
    if (!backend->cache || !places_cache_get(backend->cache, &flight->query, herd_clock_steady_ms(), &json))
        return false;
    flight->json.len = 0;
    if (herd_buf_add(&flight->json, json.at, json.len) < 0)
        return false;
    flight->failed = false;
    snprintf(flight->status, sizeof flight->status, "OK");
    log_lookup(flight, 0, "cache");
    finish(flight, backend->name);
    return true;
}

/* CHOOSING: finds the provider that takes the flight. Returns true if the flight is over or WAITING. */
static bool choose(struct herd_provider_call *flight)
{
    struct herd_places *places = flight->places;
    disarm(flight);
    for (; flight->backend < places->backend_count; flight->backend++) {
        struct places_backend *backend = places->backends[flight->backend];
        if (answered_from_cache(flight))
            return true;
        if (backend->unusable[0]) {
            if (!flight->status[0])
                places_set_failure(flight, "UNKNOWN_ERROR", backend->unusable);
            continue;
        }
        if (!places_breaker_allows(backend)) {
            char why[224];
            snprintf(why, sizeof why, "%s is left alone for a while: %.150s", backend->name, backend->breaker.why);
            if (!flight->status[0])
                places_set_failure(flight, backend->breaker.status, why);
            continue;
        }
        flight->began_ns = herd_clock_ns(CLOCK_MONOTONIC);
        if (!backend->waiting && has_room(places, backend))
            return false;
        if (places->waiting >= places->waiting_max) {
            places_set_failure(flight, "OVER_QUERY_LIMIT", "too many look-ups are waiting at this server");
            flight->json.len = 0;
            continue;
        }
        flight->state = PLACES_WAITING;
        flight->waiting_next = NULL;
        *backend->waiting_end = flight;
        backend->waiting_end = &flight->waiting_next;
        places->waiting++;
        arm(flight);
        return true;
    }
    if (!flight->status[0])
        places_set_failure(flight, "UNKNOWN_ERROR", "no provider of places is configured");
    finish(flight, "none");
    return true;
}

void places_drive(struct herd_provider_call *flight)
{
    assert(flight->state == PLACES_CHOOSING || flight->state == PLACES_ENDED);
    for (;;) {
        if (flight->state == PLACES_ENDED && settle(flight))
            return;
        if (choose(flight))
            return;
        start(flight);
        if (flight->state == PLACES_RUNNING) {
            arm(flight);
            return;
        }
    }
}

void places_ended(struct herd_provider_call *flight)
{
    assert(flight->state == PLACES_RUNNING);
    flight->state = PLACES_ENDED;
    if (flight->starting)
        return;
    struct herd_places *places = flight->places;
    places_drive(flight);
    places_pump(places);
}

void places_pump(struct herd_places *places)
{
    places->pump_again = true;
    if (places->pumping)
        return;
    places->pumping = true; /* flights that end in here leave room too: then the loop starts over */
    for (size_t i = 0; i < places->backend_count || places->pump_again; i++) {
        if (places->pump_again) {
            places->pump_again = false;
            i = 0;
        }
        struct places_backend *backend = i < places->backend_count ? places->backends[i] : NULL;
        while (backend && backend->waiting) {
            bool allowed = !backend->unusable[0] && places_breaker_allows(backend);
            if (allowed && !has_room(places, backend))
                break;
            struct herd_provider_call *flight = backend->waiting;
            leave_queue(flight);
            if (allowed) {
                start(flight);
                if (flight->state != PLACES_RUNNING)
                    places_drive(flight);
            } else {
                flight->state = PLACES_CHOOSING; /* goes on to a provider that can take it */
                places_drive(flight);
            }
        }
    }
    places->pumping = false;
}

void places_abandon(struct herd_provider_call *flight)
{
    assert(!flight->starting && (flight->state == PLACES_WAITING || flight->state == PLACES_RUNNING));
    disarm(flight);
    struct places_backend *backend = flight->places->backends[flight->backend];
    if (flight->state == PLACES_WAITING) {
        leave_queue(flight);
    } else {
        if (backend->provider.cancel)
            backend->provider.cancel(backend->provider.ctx, flight);
        release(flight);
    }
    flight->state = PLACES_FINISHED;
}
