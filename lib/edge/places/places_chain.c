/* SPDX-License-Identifier: MIT */
/*
 * A flight's way along the chain of providers:
 *
 *     CHOOSING -> (cache) -> FINISHED
 *         |  \
 *         |   -> WAITING -> RUNNING -> ENDED -> FINISHED, or CHOOSING with the next provider
 *         -> no provider left -> FINISHED with a failure
 *
 * Each provider has its time for a flight, waiting included; then the flight goes on to the next.
 */
#include "places_parts.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t places_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool has_room(const struct herd_places *places, const struct places_backend *backend)
{
    /* A provider that answers at once holds nothing, so it has room even when all the others are stuck. */
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

/* The provider's time is over: on to the next one. */
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
    } else if (flight->state == PLACES_RUNNING) {
        if (backend->provider.cancel)
            backend->provider.cancel(backend->provider.ctx, flight);
        snprintf(why, sizeof why, "%s did not answer within %lld ms", backend->name,
                 (long long)backend->timeout_ms);
        places_call_fail(
            flight, &(struct places_failure){.status = "UNKNOWN_ERROR", .why = why, .counts_as_failure = true});
    }
}

/* Timers are set only where a flight has to wait: an answer from memory needs none. */
static void arm(struct herd_provider_call *flight)
{
    if (flight->deadline_set)
        return;
    int64_t ms = flight->places->backends[flight->backend]->timeout_ms;
    struct timeval wait = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
    event_assign(&flight->deadline, flight->places->base, -1, 0, on_deadline, flight);
    flight->deadline_set = event_add(&flight->deadline, &wait) == 0;
}

static void disarm(struct herd_provider_call *flight)
{
    if (flight->deadline_set)
        event_del(&flight->deadline);
    flight->deadline_set = false;
}

static void log_lookup(struct herd_provider_call *flight, const char *cached)
{
    struct herd_places *places = flight->places;
    /* One that went well is traffic. */
    enum herd_log_level level = flight->failed                          ? HERD_LOG_WARN
                                : herd_log_traffic_enabled(places->log) ? HERD_LOG_INFO
                                                                        : HERD_LOG_DEBUG;
    if (!herd_log_enabled(places->log, level))
        return;
    struct herd_log_field fields[5] = {
        herd_log_text("provider", places->backends[flight->backend]->name),
        herd_log_text("status", flight->status),
        herd_log_int("duration_us", (places_now_ns() - flight->began_ns) / 1000),
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

static void release(struct herd_provider_call *flight)
{
    flight->places->backends[flight->backend]->in_flight--;
    flight->places->in_flight--;
}

/* What a provider said is weighed; true if the flight is over. */
static bool settle(struct herd_provider_call *flight)
{
    struct herd_places *places = flight->places;
    struct places_backend *backend = places->backends[flight->backend];
    disarm(flight);
    release(flight);
    log_lookup(flight, NULL);
    if (!flight->failed) {
        places_breaker_success(places, backend);
        if (backend->cache)
            places_cache_put(backend->cache, &flight->query, herd_fetch_now_ms(),
                             (struct herd_span){flight->json.at, flight->json.len});
        places_finish(flight, backend->name);
        return true;
    }
    if (flight->counts_as_failure)
        places_breaker_failure(backend, flight);
    else
        places_breaker_success(places, backend); /* it is well enough to tell a wrong question */
    flight->backend++;
    flight->state = PLACES_CHOOSING;
    return false;
}

static bool answered_from_cache(struct herd_provider_call *flight)
{
    struct places_backend *backend = flight->places->backends[flight->backend];
    struct herd_span json;
    if (!backend->cache || !places_cache_get(backend->cache, &flight->query, herd_fetch_now_ms(), &json))
        return false;
    flight->json.len = 0;
    if (herd_buf_add(&flight->json, json.at, json.len) < 0)
        return false;
    flight->began_ns = places_now_ns();
    flight->failed = false;
    snprintf(flight->status, sizeof flight->status, "OK");
    log_lookup(flight, "cache");
    places_finish(flight, backend->name);
    return true;
}

/* CHOOSING: finds the provider that may take the flight. True if the flight is over or waits. */
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
        flight->began_ns = places_now_ns();
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
    places_finish(flight, "none");
    return true;
}

void places_drive(struct herd_provider_call *flight)
{
    for (;;) {
        if (flight->state == PLACES_ENDED && settle(flight))
            return;
        if (flight->state == PLACES_CHOOSING && choose(flight))
            return;
        start(flight);
        if (flight->state == PLACES_RUNNING) {
            arm(flight);
            return;
        }
    }
}

void places_pump(struct herd_places *places)
{
    places->pump_again = true;
    if (places->pumping)
        return;
    places->pumping = true; /* flights that end in here free room too: then once more around */
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
                flight->state = PLACES_CHOOSING; /* which goes on to a provider that is well */
                places_drive(flight);
            }
        }
    }
    places->pumping = false;
}

void places_abandon(struct herd_provider_call *flight)
{
    struct places_backend *backend =
        flight->backend < flight->places->backend_count ? flight->places->backends[flight->backend] : NULL;
    if (flight->state == PLACES_WAITING) {
        leave_queue(flight);
    } else if (flight->state == PLACES_RUNNING) {
        if (backend->provider.cancel)
            backend->provider.cancel(backend->provider.ctx, flight);
        release(flight);
    }
    flight->state = PLACES_FINISHED;
}
