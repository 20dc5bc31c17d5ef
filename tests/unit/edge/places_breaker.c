/* SPDX-License-Identifier: MIT */
/* The circuit breaker of a provider by a clock of the test: when it opens, for how long, who may try it. */
#include "cm.h"

#include "places_breaker.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t now_ms;

int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    if (clock != CLOCK_MONOTONIC || now_ms == 0)
        return __real_clock_gettime(clock, time);
    *time = (struct timespec){(time_t)(now_ms / 1000), (long)(now_ms % 1000) * 1000000};
    return 0;
}

static void fails(struct places_backend *backend, int64_t retry_after_ms)
{
    static struct herd_places places;
    struct herd_provider_call flight = {.places = &places, .retry_after_ms = retry_after_ms};
    snprintf(flight.status, sizeof flight.status, "UNKNOWN_ERROR");
    snprintf(flight.why, sizeof flight.why, "failure after %lld", (long long)retry_after_ms);
    places_breaker_failure(backend, &flight);
    assert_string_equal(backend->breaker.status, flight.status);
    assert_string_equal(backend->breaker.why, flight.why);
}

/* Closed until the moment, and open for one look-up from then on. */
static void assert_open_for(struct places_backend *backend, int64_t ms)
{
    const int64_t before_ms = now_ms;
    if (ms > 0) {
        assert_false(places_breaker_allows(backend));
        now_ms = before_ms + ms - 1;
        assert_false(places_breaker_allows(backend));
    }
    now_ms = before_ms + ms;
    assert_true(places_breaker_allows(backend));
}

static void test_grows(void **state)
{
    (void)state;
    struct herd_places places = {0};
    struct places_backend backend = {.name = (char *)(uintptr_t) "p"};
    now_ms = 1000000;
    assert_true(places_breaker_allows(&backend));
    fails(&backend, 0);
    fails(&backend, 0);
    assert_open_for(&backend, 0); /* two in a row are not enough */
    places_breaker_success(&places, &backend);
    fails(&backend, 0);
    fails(&backend, 0);
    assert_open_for(&backend, 0);
    fails(&backend, 0);
    static const int64_t open_ms[] = {2000, 4000, 8000, 16000, 32000, 60000, 60000};
    for (size_t i = 0; i < sizeof open_ms / sizeof *open_ms; i++) {
        assert_open_for(&backend, open_ms[i]);
        backend.in_flight = 1; /* one tries it */
        assert_false(places_breaker_allows(&backend));
        backend.in_flight = 0;
        fails(&backend, 0);
    }
    places_breaker_success(&places, &backend);
    assert_true(places_breaker_allows(&backend));
    for (int i = 0; i < 3; i++)
        fails(&backend, 0);
    assert_open_for(&backend, 2000); /* from the begin */
}

/* What began before it opened and fails later neither opens it for longer nor for less. */
static void test_late_failures(void **state)
{
    (void)state;
    struct places_backend backend = {.name = (char *)(uintptr_t) "p"};
    now_ms = 1000000;
    for (int i = 0; i < 3; i++)
        fails(&backend, 0);
    now_ms += 500;
    fails(&backend, 0);
    fails(&backend, 1000); /* until 1500: it is open until 2000 already */
    assert_open_for(&backend, 1500);
    fails(&backend, 10000);
    now_ms += 1000;
    fails(&backend, 0);
    assert_open_for(&backend, 9000);
}

static void test_retry_after(void **state)
{
    (void)state;
    static const struct {
        int64_t retry_after_ms, open_ms, then_ms; /* and where the next look-up fails without one */
    } rows[] = {{1000, 1000, 4000},        {2000, 2000, 4000},        {7000, 7000, 14000},
                {40000, 40000, 60000},     {3600000, 3600000, 60000}, {3600001, 3600000, 60000},
                {86400000, 3600000, 60000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct places_backend backend = {.name = (char *)(uintptr_t) "p"};
        now_ms = 1000000;
        fails(&backend, rows[i].retry_after_ms); /* the first one counts */
        assert_open_for(&backend, rows[i].open_ms);
        fails(&backend, 0);
        assert_open_for(&backend, rows[i].then_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows),
        cmocka_unit_test(test_late_failures),
        cmocka_unit_test(test_retry_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
