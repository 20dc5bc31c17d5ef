/* SPDX-License-Identifier: MIT */
/* The circuit breaker of a provider: after failures in a row it is left alone, each time for longer. */
#include "places_parts.h"

#include <string.h>

#define BREAKER_FAILURES    3
#define BREAKER_REST_MS     2000
#define BREAKER_REST_MAX_MS 60000
#define REST_MAX_MS         3600000 /* of a Retry-After */

/* After a rest one question at a time tries the provider until one succeeds. */
bool places_breaker_allows(const struct places_backend *backend)
{
    const struct places_breaker *breaker = &backend->breaker;
    if (!breaker->open_until_ms)
        return true;
    return herd_fetch_now_ms() >= breaker->open_until_ms && !backend->in_flight;
}

static void log_open(struct herd_places *places, const struct places_backend *backend, int64_t open_ms)
{
    struct herd_log_field fields[] = {herd_log_text("provider", backend->name), herd_log_int("for_ms", open_ms),
                                      herd_log_text("why", backend->breaker.why)};
    herd_log_event(places->log, HERD_LOG_WARN, "provider_rests", fields, 3);
}

void places_breaker_success(struct herd_places *places, struct places_backend *backend)
{
    if (backend->breaker.open_until_ms) {
        struct herd_log_field field = herd_log_text("provider", backend->name);
        herd_log_event(places->log, HERD_LOG_INFO, "provider_back", &field, 1);
    }
    backend->breaker = (struct places_breaker){0};
}

void places_breaker_failure(struct places_backend *backend, const struct herd_provider_call *flight)
{
    struct places_breaker *breaker = &backend->breaker;
    memcpy(breaker->status, flight->status, sizeof breaker->status);
    memcpy(breaker->why, flight->why, sizeof breaker->why);
    breaker->failures++;
    bool again = breaker->open_until_ms != 0; /* the try after a rest failed too */
    int64_t now_ms = herd_fetch_now_ms(), open_ms = 0;
    if (flight->retry_after_ms > 0)
        open_ms = flight->retry_after_ms < REST_MAX_MS ? flight->retry_after_ms : REST_MAX_MS;
    else if (again && now_ms >= breaker->open_until_ms)
        open_ms = breaker->open_ms * 2 < BREAKER_REST_MAX_MS ? breaker->open_ms * 2 : BREAKER_REST_MAX_MS;
    else if (!again && breaker->failures >= BREAKER_FAILURES)
        open_ms = BREAKER_REST_MS;
    if (!open_ms)
        return;
    breaker->open_ms = open_ms < BREAKER_REST_MS ? BREAKER_REST_MS : open_ms;
    if (now_ms + open_ms > breaker->open_until_ms)
        breaker->open_until_ms = now_ms + open_ms;
    log_open(flight->places, backend, open_ms);
}
