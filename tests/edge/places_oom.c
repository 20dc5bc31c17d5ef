/* SPDX-License-Identifier: MIT */
/* Every allocation of a look-up's way fails once: whoever asks is told so at once, or gets an answer. */
#include "world.h"

#include "../unit/edge/alloc.h"

static long paused_at;

/* The stub's own allocations do not count. */
static void pause_in_stub(bool in_stub)
{
    if (in_stub) {
        paused_at = alloc_fail_at;
        alloc_fail_at = 0;
    } else {
        alloc_fail_at = paused_at;
    }
}

static void count_answer(void *ctx, struct herd_span json, const char *origin)
{
    size_t *answers = ctx;
    if (json.len && origin)
        (*answers)++;
}

/* True if the failure was met. */
static bool look_up(const char *kind, const char *url_path, const char *reply, long n)
{
    struct world *w = world_new();
    struct herd_places_question q = {0};
    struct herd_places_ask *ask;
    size_t answers = 0;
    w->plans[0] = reply_with(reply);
    world_provider(w, kind, url_path ? stub_url(w->stub, url_path) : NULL)->cache_ms = 1000;
    assert_int_equal(herd_places_query_make_iso(&q, herd_span_of(UCLA), herd_span_of("10"), 5), 0);
    alloc_fail_at = n;
    int err = herd_places_new(&w->places, w->base, &w->config, NULL, &w->fault);
    if (err == 0)
        err = herd_places_ask(w->places, &q.query, count_answer, &answers, &ask);
    assert_true(err == 0 || err == HERD_E_NOMEM);
    if (err == 0) {
        for (int i = 0; i < 100000 && !answers; i++)
            event_base_loop(w->base, EVLOOP_ONCE);
        assert_int_equal(answers, 1);
    }
    bool met = alloc_fail_at <= 0;
    alloc_fail_at = 0;
    herd_places_query_fini(&q);
    world_free(w);
    return met;
}

static void fail_each(const char *kind, const char *url_path, const char *reply, long least)
{
    long n = 1;
    while (look_up(kind, url_path, reply, n))
        n++;
    assert_true(n > least);
}

static void test_look_ups(void **state)
{
    (void)state;
    stub_pause = pause_in_stub;
    fail_each("google-legacy", "/", TWO, 12);
    fail_each("google-new", "/", "{\"places\":[{\"types\":[\"a\"],\"location\":{\"latitude\":1,\"longitude\":2}}]}", 12);
    fail_each("overpass", "/", "{\"elements\":[{\"type\":\"node\",\"id\":1,\"lat\":1,\"lon\":2,\"tags\":{\"name\":\"n\"}}]}", 12);
    fail_each("embedded", NULL, "", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_look_ups)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
