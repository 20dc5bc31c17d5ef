/* SPDX-License-Identifier: MIT */
/* The circuit breaker of a provider: failures in a row open it, each time for longer. */
#include "places_breaker.h"

#include "../clock.h"

#include <string.h>

#define BREAKER_FAILURES   3
#define OPEN_MIN_MS        2000
#define OPEN_MAX_MS        60000
#define RETRY_AFTER_MAX_MS 3600000 /* of a Retry-After */

/* Once it was open for its time, one look-up at a time tries the provider until one succeeds. */
bool places_breaker_allows(const struct places_backend *backend)
{
    const struct places_breaker *breaker = &backend->breaker;
    if (!breaker->open_until_ms)
        return true;
    return herd_clock_steady_ms() >= breaker->open_until_ms && !backend->in_flight;
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
    bool was_open = breaker->open_until_ms != 0; /* the look-up tried it, or began before it opened */
    int64_t now_ms = herd_clock_steady_ms(), open_ms = 0;
    if (flight->retry_after_ms > 0)
        open_ms = flight->retry_after_ms < RETRY_AFTER_MAX_MS ? flight->retry_after_ms : RETRY_AFTER_MAX_MS;
    else if (was_open && now_ms >= breaker->open_until_ms)
        open_ms = breaker->open_ms * 2 < OPEN_MAX_MS ? breaker->open_ms * 2 : OPEN_MAX_MS;
    else if (!was_open && breaker->failures >= BREAKER_FAILURES)
        open_ms = OPEN_MIN_MS;
    if (!open_ms)
        return;
    breaker->open_ms = open_ms < OPEN_MIN_MS ? OPEN_MIN_MS : open_ms;
    if (now_ms + open_ms > breaker->open_until_ms)
        breaker->open_until_ms = now_ms + open_ms;
    log_open(flight->places, backend, open_ms);
}
