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

#include "../places/answer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define BREAKER_FAILURES    3
#define BREAKER_REST_MS     2000
#define BREAKER_REST_MAX_MS 60000
#define REST_MAX_MS         3600000 /* of a Retry-After */

int64_t places_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* After a rest one question at a time tries the provider until one succeeds. */
static bool breaker_allows(const struct places_slot *slot)
{
    const struct places_breaker *breaker = &slot->breaker;
    if (!breaker->closed_until_ms)
        return true;
    return herd_fetch_now_ms() >= breaker->closed_until_ms && !slot->in_flight;
}

static void log_rest(struct herd_places *places, const struct places_slot *slot, int64_t rest_ms)
{
    struct herd_log_field fields[] = {herd_log_text("provider", slot->name), herd_log_int("for_ms", rest_ms),
                                      herd_log_text("why", slot->breaker.why)};
    herd_log_event(places->log, HERD_LOG_WARN, "provider_rests", fields, 3);
}

static void breaker_success(struct herd_places *places, struct places_slot *slot)
{
    if (slot->breaker.closed_until_ms) {
        struct herd_log_field field = herd_log_text("provider", slot->name);
        herd_log_event(places->log, HERD_LOG_INFO, "provider_back", &field, 1);
    }
    slot->breaker = (struct places_breaker){0};
}

static void breaker_failure(struct places_slot *slot, const struct herd_lookup *flight)
{
    struct places_breaker *breaker = &slot->breaker;
    memcpy(breaker->status, flight->status, sizeof breaker->status);
    memcpy(breaker->why, flight->why, sizeof breaker->why);
    breaker->failures++;
    bool again = breaker->closed_until_ms != 0; /* the try after a rest failed too */
    int64_t now_ms = herd_fetch_now_ms(), rest_ms = 0;
    if (flight->rest_ms > 0)
        rest_ms = flight->rest_ms < REST_MAX_MS ? flight->rest_ms : REST_MAX_MS;
    else if (again && now_ms >= breaker->closed_until_ms)
        rest_ms = breaker->rest_ms * 2 < BREAKER_REST_MAX_MS ? breaker->rest_ms * 2 : BREAKER_REST_MAX_MS;
    else if (!again && breaker->failures >= BREAKER_FAILURES)
        rest_ms = BREAKER_REST_MS;
    if (!rest_ms)
        return;
    breaker->rest_ms = rest_ms < BREAKER_REST_MS ? BREAKER_REST_MS : rest_ms;
    if (now_ms + rest_ms > breaker->closed_until_ms)
        breaker->closed_until_ms = now_ms + rest_ms;
    log_rest(flight->places, slot, rest_ms);
}

static void set_failure(struct herd_lookup *flight, const char *status, const char *why)
{
    snprintf(flight->status, sizeof flight->status, "%s", status);
    snprintf(flight->why, sizeof flight->why, "%s", why);
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
        set_failure(flight, "OVER_QUERY_LIMIT", why);
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
    enum herd_log_level level = flight->failed ? HERD_LOG_WARN : HERD_LOG_INFO;
    if (!places->log || !herd_log_enabled(places->log, level))
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
        breaker_success(places, slot);
        if (slot->cache)
            places_cache_put(slot->cache, &flight->query, herd_fetch_now_ms(),
                             (struct herd_span){flight->json.at, flight->json.len});
        places_finish(flight, slot->name);
        return true;
    }
    if (flight->blame)
        breaker_failure(slot, flight);
    else
        breaker_success(places, slot); /* it is well enough to tell a wrong question */
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
        if (!breaker_allows(slot)) {
            char why[224];
            snprintf(why, sizeof why, "%s is left alone for a while: %.150s", slot->name, slot->breaker.why);
            if (!flight->status[0])
                set_failure(flight, slot->breaker.status, why);
            continue;
        }
        flight->began_ns = places_now_ns();
        if (!slot->waiting && has_room(places, slot))
            return false;
        if (places->waiting >= places->waiting_max) {
            set_failure(flight, "OVER_QUERY_LIMIT", "too many look-ups are waiting at this server");
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
        set_failure(flight, "UNKNOWN_ERROR", "no provider of places is configured");
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
            bool allowed = breaker_allows(slot);
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

/* Inside start the drive loop goes on by itself; otherwise it is set going here. */
static void ended(struct herd_lookup *flight)
{
    flight->state = PLACES_ENDED;
    if (flight->starting)
        return;
    struct herd_places *places = flight->places;
    places_drive(flight);
    places_pump(places);
}

void places_lookup_answer_final(struct herd_lookup *lookup, struct herd_span json)
{
    static const char none[] = "\"ZERO_RESULTS\"\n}"; /* how our own answers end that found nothing */
    size_t len = sizeof none - 1;
    bool empty = json.len > len && memcmp(json.at + json.len - len, none, len) == 0;
    lookup->json.len = 0;
    if (herd_buf_add(&lookup->json, json.at, json.len) < 0) {
        herd_lookup_fail(lookup, "UNKNOWN_ERROR", "out of memory");
        return;
    }
    snprintf(lookup->status, sizeof lookup->status, "%s", empty ? "ZERO_RESULTS" : "OK");
    ended(lookup);
}

void places_lookup_answer_shaped(struct herd_lookup *lookup, struct herd_span json,
                                 const struct herd_answer_shape *shape)
{
    lookup->json.len = 0;
    if (herd_answer_cut(&lookup->json, json, shape, lookup->query.bound) < 0) {
        herd_lookup_fail(lookup, "UNKNOWN_ERROR", "out of memory");
        return;
    }
    size_t len = shape->status.len < sizeof lookup->status ? shape->status.len : sizeof lookup->status - 1;
    if (len)
        memcpy(lookup->status, shape->status.at, len);
    lookup->status[len] = '\0';
    ended(lookup);
}

void herd_lookup_answer(struct herd_lookup *lookup, struct herd_span json)
{
    struct herd_answer_shape shape = {0};
    char fault[120] = "no results", why[200];
    if (herd_answer_read(json, &shape, fault, sizeof fault) < 0 || !shape.results.at) {
        snprintf(why, sizeof why, "%s sent no valid answer: %s", lookup->places->slots[lookup->slot]->name, fault);
        places_lookup_fail(lookup, &(struct places_failure){.status = "UNKNOWN_ERROR", .why = why, .blame = true});
        return;
    }
    places_lookup_answer_shaped(lookup, json, &shape);
}

void places_lookup_fail(struct herd_lookup *lookup, const struct places_failure *failure)
{
    /* The provider's own words, if they are an answer in shape, are what the client gets at the chain's end. */
    struct herd_answer_shape shape;
    char fault[120];
    lookup->json.len = 0;
    if (failure->verbatim.at && herd_answer_read(failure->verbatim, &shape, fault, sizeof fault) == 0 &&
        herd_answer_cut(&lookup->json, failure->verbatim, &shape, lookup->query.bound) < 0)
        lookup->json.len = 0;
    set_failure(lookup, failure->status, failure->why);
    lookup->failed = true;
    lookup->blame = failure->blame;
    lookup->rest_ms = failure->rest_ms;
    ended(lookup);
}

void herd_lookup_fail(struct herd_lookup *lookup, const char *status, const char *why)
{
    bool question = strcmp(status, "INVALID_REQUEST") == 0;
    places_lookup_fail(lookup, &(struct places_failure){.status = status, .why = why, .blame = !question});
}
