/* SPDX-License-Identifier: MIT */
/* Answers that are kept: against a list in which the newest is looked for first; times, room, no memory. */
#include "cm.h"

#include "alloc.h"

#include "places_cache.h"
#include "places_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUERIES 600
#define KEEP_MS 1000

static void make(struct herd_places_query *query, char text[3][16], int i)
{
    snprintf(text[0], 16, "%d.5", i % 90);
    snprintf(text[1], 16, "-%d.25", i % 170);
    snprintf(text[2], 16, "%d", i / 100 * 1000);
    *query = (struct herd_places_query){.lat = herd_span_of(text[0]),
                                        .lon = herd_span_of(text[1]),
                                        .radius = herd_span_of(text[2]),
                                        .bound = (unsigned)i % 7};
}

static void test_against_a_list(void **state)
{
    (void)state;
    static struct {
        int64_t until_ms;
        int answer;
    } kept[QUERIES];
    struct places_cache *cache;
    memset(kept, 0, sizeof kept);
    assert_int_equal(places_cache_new(&cache, KEEP_MS, 1 << 20), 0);
    srand(5);
    size_t hits = 0;
    int64_t now_ms = 1;
    for (int step = 1; step < 60000; step++) {
        struct herd_places_query query;
        struct herd_span json;
        char text[3][16], answer[16];
        int i = rand() % QUERIES;
        make(&query, text, i);
        now_ms += rand() % 4;
        bool is = places_cache_get(cache, &query, now_ms, &json);
        assert_int_equal(is, kept[i].until_ms > now_ms);
        if (is) {
            snprintf(answer, sizeof answer, "{%d}", kept[i].answer);
            assert_true(herd_span_equal(json, herd_span_of(answer)));
            hits++;
        }
        if (rand() % 2) {
            snprintf(answer, sizeof answer, "{%d}", step);
            places_cache_put(cache, &query, now_ms, herd_span_of(answer));
            if (!is) { /* what is known is not put again */
                kept[i].until_ms = now_ms + KEEP_MS;
                kept[i].answer = step;
            }
        }
    }
    assert_true(hits > 1000);
    places_cache_free(cache);
}

static void test_room(void **state)
{
    (void)state;
    struct places_cache *cache;
    struct herd_places_query query;
    struct herd_span json;
    char text[3][16], answer[600];
    memset(answer, '0', sizeof answer);
    assert_int_equal(places_cache_new(&cache, KEEP_MS, 10000), 0);
    for (int i = 0; i < 100; i++) {
        make(&query, text, i);
        places_cache_put(cache, &query, 1, (struct herd_span){answer, sizeof answer});
    }
    size_t there = 0;
    for (int i = 0; i < 100; i++) {
        make(&query, text, i);
        bool is = places_cache_get(cache, &query, 1, &json);
        there += is;
        assert_true(is == (there > 0)); /* the oldest went */
    }
    assert_in_range(there, 10, 16);
    static char large[10001];
    memset(large, 'x', sizeof large);
    make(&query, text, 101);
    places_cache_put(cache, &query, 1, (struct herd_span){large, sizeof large}); /* drives nobody out */
    assert_false(places_cache_get(cache, &query, 1, &json));
    make(&query, text, 99);
    assert_true(places_cache_get(cache, &query, 1, &json));
    assert_false(places_cache_get(cache, &query, 1 + KEEP_MS, &json)); /* and all are gone */
    places_cache_put(cache, &query, 2 * KEEP_MS, herd_span_of(""));
    assert_true(places_cache_get(cache, &query, 2 * KEEP_MS, &json) && json.len == 0);
    places_cache_free(cache);
    places_cache_free(NULL);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct places_cache *cache = NULL;
    struct herd_places_query query;
    struct herd_span json;
    char text[3][16];
    make(&query, text, 1);
    alloc_fail_at = 1;
    assert_int_equal(places_cache_new(&cache, KEEP_MS, 10000), HERD_E_NOMEM);
    alloc_fail_at = 0;
    assert_int_equal(places_cache_new(&cache, KEEP_MS, 10000), 0);
    alloc_fail_at = 1;
    places_cache_put(cache, &query, 1, herd_span_of("{}"));
    alloc_fail_at = 0;
    assert_false(places_cache_get(cache, &query, 1, &json));
    places_cache_put(cache, &query, 1, herd_span_of("{}"));
    assert_true(places_cache_get(cache, &query, 1, &json));
    places_cache_free(cache);
}

/* Queries are equal if every byte of them is. */
static void test_equal_queries(void **state)
{
    (void)state;
    static const struct herd_places_query rows[] = {
        {.lat = {"1.5", 3}, .lon = {"2", 1}, .radius = {"1000", 4}, .bound = 5},
        {.lat = {"1.5", 3}, .lon = {"2", 1}, .radius = {"1000", 4}, .bound = 6},
        {.lat = {"1.50", 4}, .lon = {"2", 1}, .radius = {"1000", 4}, .bound = 5},
        {.lat = {"1.5", 3}, .lon = {"3", 1}, .radius = {"1000", 4}, .bound = 5},
        {.lat = {"1.5", 3}, .lon = {"2", 1}, .radius = {"100", 3}, .bound = 5},
        {.lat = {"1.52", 4}, .lon = {"", 0}, .radius = {"1000", 4}, .bound = 5},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
            assert_true(places_query_equal(&rows[i], &rows[k]) == (i == k));
            assert_true((places_query_hash(&rows[i]) == places_query_hash(&rows[k])) == (i == k));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equal_queries), cmocka_unit_test(test_against_a_list),
                                       cmocka_unit_test(test_room), cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
