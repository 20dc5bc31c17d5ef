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

static bool has_room(const struct herd_places *places, const struct places_slot *slot)
{
    /* A provider that answers at once holds nothing, so it has room even when all the others are stuck. */
    return slot->instant || (slot->in_flight < slot->in_flight_max && places->in_flight < places->in_flight_max);
}

static void leave_queue(struct herd_lookup *flight)
{
    struct places_slot *slot = flight->places->slots[flight->slot];
    struct herd_lookup **at = &slot->waiting;
    while (*at != flight)
        at = &(*at)->waiting_next;
    *at = flight->waiting_next;
    if (!*at)
        slot->waiting_end = at;
    flight->waiting_next = NULL;
    flight->places->waiting--;
}

/* The provider's time is over: on to the next one. */
static void on_deadline(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    struct herd_lookup *flight = ctx;
    struct herd_places *places = flight->places;
    struct places_slot *slot = places->slots[flight->slot];
    char why[160];
    if (flight->state == PLACES_WAITING) {
        leave_queue(flight);
        snprintf(why, sizeof why, "%s is busy: no place for this look-up within %lld ms", slot->name,
                 (long long)slot->timeout_ms);
        places_set_failure(flight, "OVER_QUERY_LIMIT", why);
        flight->slot++;
        flight->state = PLACES_CHOOSING;
        places_drive(flight);
    } else if (flight->state == PLACES_RUNNING) {
        if (slot->provider.cancel)
            slot->provider.cancel(slot->provider.ctx, flight);
        snprintf(why, sizeof why, "%s did not answer within %lld ms", slot->name, (long long)slot->timeout_ms);
        places_lookup_fail(flight, &(struct places_failure){.status = "UNKNOWN_ERROR", .why = why, .blame = true});
    }
}

/* Timers are set only where a flight has to wait: an answer from memory needs none. */
static void arm(struct herd_lookup *flight)
{
    if (flight->deadline_set)
        return;
    int64_t ms = flight->places->slots[flight->slot]->timeout_ms;
    struct timeval wait = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};
    event_assign(&flight->deadline, flight->places->base, -1, 0, on_deadline, flight);
    flight->deadline_set = event_add(&flight->deadline, &wait) == 0;
}

static void disarm(struct herd_lookup *flight)
{
    if (flight->deadline_set)
        event_del(&flight->deadline);
    flight->deadline_set = false;
}

static void log_lookup(struct herd_lookup *flight, const char *cached)
{
    struct herd_places *places = flight->places;
    /* One that went well is traffic. */
    enum herd_log_level level = flight->failed                  ? HERD_LOG_WARN
                                : herd_log_traffic(places->log) ? HERD_LOG_INFO
                                                                : HERD_LOG_DEBUG;
    if (!herd_log_enabled(places->log, level))
        return;
    struct herd_log_field fields[5] = {
        herd_log_text("provider", places->slots[flight->slot]->name),
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

static void start(struct herd_lookup *flight)
{
    struct places_slot *slot = flight->places->slots[flight->slot];
    slot->in_flight++;
    flight->places->in_flight++;
    flight->state = PLACES_RUNNING;
    flight->failed = false;
    flight->rest_ms = 0;
    flight->json.len = 0;
    flight->starting = true;
    slot->provider.start(slot->provider.ctx, flight, &flight->query);
    flight->starting = false;
}

static void release(struct herd_lookup *flight)
{
    flight->places->slots[flight->slot]->in_flight--;
    flight->places->in_flight--;
}

/* What a provider said is weighed; true if the flight is over. */
static bool settle(struct herd_lookup *flight)
{
    struct herd_places *places = flight->places;
    struct places_slot *slot = places->slots[flight->slot];
    disarm(flight);
    release(flight);
    log_lookup(flight, NULL);
    if (!flight->failed) {
        places_breaker_success(places, slot);
        if (slot->cache)
            places_cache_put(slot->cache, &flight->query, herd_fetch_now_ms(),
                             (struct herd_span){flight->json.at, flight->json.len});
        places_finish(flight, slot->name);
        return true;
    }
    if (flight->blame)
        places_breaker_failure(slot, flight);
    else
        places_breaker_success(places, slot); /* it is well enough to tell a wrong question */
    flight->slot++;
    flight->state = PLACES_CHOOSING;
    return false;
}

static bool answered_from_cache(struct herd_lookup *flight)
{
    struct places_slot *slot = flight->places->slots[flight->slot];
    struct herd_span json;
    if (!slot->cache || !places_cache_get(slot->cache, &flight->query, herd_fetch_now_ms(), &json))
        return false;
    flight->json.len = 0;
    if (herd_buf_add(&flight->json, json.at, json.len) < 0)
        return false;
    flight->began_ns = places_now_ns();
    flight->failed = false;
    snprintf(flight->status, sizeof flight->status, "OK");
    log_lookup(flight, "cache");
    places_finish(flight, slot->name);
    return true;
}

/* CHOOSING: finds the provider that may take the flight. True if the flight is over or waits. */
static bool choose(struct herd_lookup *flight)
{
    struct herd_places *places = flight->places;
    disarm(flight);
    for (; flight->slot < places->slot_count; flight->slot++) {
        struct places_slot *slot = places->slots[flight->slot];
        if (answered_from_cache(flight))
            return true;
        if (slot->unusable[0]) {
            if (!flight->status[0])
                places_set_failure(flight, "UNKNOWN_ERROR", slot->unusable);
            continue;
        }
        if (!places_breaker_allows(slot)) {
            char why[224];
            snprintf(why, sizeof why, "%s is left alone for a while: %.150s", slot->name, slot->breaker.why);
            if (!flight->status[0])
                places_set_failure(flight, slot->breaker.status, why);
            continue;
        }
        flight->began_ns = places_now_ns();
        if (!slot->waiting && has_room(places, slot))
            return false;
        if (places->waiting >= places->waiting_max) {
            places_set_failure(flight, "OVER_QUERY_LIMIT", "too many look-ups are waiting at this server");
            flight->json.len = 0;
            continue;
        }
        flight->state = PLACES_WAITING;
        flight->waiting_next = NULL;
        *slot->waiting_end = flight;
        slot->waiting_end = &flight->waiting_next;
        places->waiting++;
        arm(flight);
        return true;
    }
    if (!flight->status[0])
        places_set_failure(flight, "UNKNOWN_ERROR", "no provider of places is configured");
    places_finish(flight, "none");
    return true;
}

void places_drive(struct herd_lookup *flight)
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
    for (size_t i = 0; i < places->slot_count || places->pump_again; i++) {
        if (places->pump_again) {
            places->pump_again = false;
            i = 0;
        }
        struct places_slot *slot = i < places->slot_count ? places->slots[i] : NULL;
        while (slot && slot->waiting) {
            bool allowed = places_breaker_allows(slot);
            if (allowed && !has_room(places, slot))
                break;
            struct herd_lookup *flight = slot->waiting;
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

void places_abandon(struct herd_lookup *flight)
{
    struct places_slot *slot =
        flight->slot < flight->places->slot_count ? flight->places->slots[flight->slot] : NULL;
    if (flight->state == PLACES_WAITING) {
        leave_queue(flight);
    } else if (flight->state == PLACES_RUNNING) {
        if (slot->provider.cancel)
            slot->provider.cancel(slot->provider.ctx, flight);
        release(flight);
    }
    flight->state = PLACES_FINISHED;
}
