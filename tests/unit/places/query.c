/* SPDX-License-Identifier: MIT */
#include "cm.h"

#include "query.h"

#include <stdlib.h>
#include <string.h>

static void assert_span(struct herd_span got, const char *want)
{
    if (!herd_span_equal(got, herd_span_of(want)))
        fail_msg("got %.*s, not %s", (int)got.len, got.at, want);
}

static void test_texts(void **state)
{
    (void)state;
    struct herd_places_question q = {0};
    assert_int_equal(
        herd_places_query_make(&q, herd_span_of("+34.068930"), herd_span_of("-118.445127"), herd_span_of("10"), 5),
        0);
    assert_span(q.query.lat, "34.068930");
    assert_span(q.query.lon, "-118.445127");
    assert_span(q.query.radius, "10000");
    assert_int_equal(q.query.bound, 5);
    assert_true(q.query.lat_deg == 34.06893 && q.query.lon_deg == -118.445127 && q.query.radius_m == 10000);

    assert_int_equal(herd_places_query_make_iso(&q, herd_span_of("-05+007.5"), herd_span_of("0.0005"), 0), 0);
    assert_span(q.query.lat, "-5");
    assert_span(q.query.lon, "7.5");
    assert_span(q.query.radius, "0.5");
    assert_true(q.query.radius_m == 0.5);
    herd_places_query_fini(&q);
    herd_places_query_fini(&q);
}

static void test_unlimited_digits(void **state)
{
    (void)state;
    enum { N = 60000 };
    char *lat = malloc(N), *radius = malloc(N);
    assert_non_null(lat);
    assert_non_null(radius);
    memset(lat, '3', N);
    memcpy(lat, "+34.", 4);
    memset(radius, '0', N);
    radius[N - 1] = '7';
    struct herd_places_question q = {0};
    assert_int_equal(herd_places_query_make(&q, (struct herd_span){lat, N}, herd_span_of("+1"),
                                            (struct herd_span){radius, N}, 20),
                     0);
    assert_int_equal(q.query.lat.len, N - 1);
    assert_memory_equal(q.query.lat.at, lat + 1, N - 1);
    assert_span(q.query.radius, "7000");
    herd_places_query_fini(&q);
    free(lat);
    free(radius);
}

static void test_refused(void **state)
{
    (void)state;
    struct herd_places_question q = {0};
    static const char *const bad[] = {"", "x", "+34", "+34.1", "-", "+34.-1", "+34+", "34", "+1+2+3", "+1-2/"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (herd_places_query_make_iso(&q, herd_span_of(bad[i]), herd_span_of("1"), 1) != HERD_E_SYNTAX)
            fail_msg("accepted %s", bad[i]);
    assert_int_equal(herd_places_query_make_iso(&q, herd_span_of("+1+2"), herd_span_of("1e3"), 1), HERD_E_SYNTAX);
    herd_places_query_fini(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_unlimited_digits),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
