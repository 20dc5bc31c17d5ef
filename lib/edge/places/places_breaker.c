/* SPDX-License-Identifier: MIT */
/* The circuit breaker of a provider: after failures in a row it is left alone, each time for longer. */
#include "places_parts.h"

#include <string.h>

#define BREAKER_FAILURES    3
#define BREAKER_REST_MS     2000
#define BREAKER_REST_MAX_MS 60000
#define REST_MAX_MS         3600000 /* of a Retry-After */

/* After a rest one question at a time tries the provider until one succeeds. */
bool places_breaker_allows(const struct places_slot *slot)
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

void places_breaker_success(struct herd_places *places, struct places_slot *slot)
{
    if (slot->breaker.closed_until_ms) {
        struct herd_log_field field = herd_log_text("provider", slot->name);
        herd_log_event(places->log, HERD_LOG_INFO, "provider_back", &field, 1);
    }
    slot->breaker = (struct places_breaker){0};
}

void places_breaker_failure(struct places_slot *slot, const struct herd_lookup *flight)
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
