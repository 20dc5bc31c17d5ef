/* SPDX-License-Identifier: MIT */
/* Look-ups over HTTP: what goes out, what comes back, and who shares it. */
#include "world.h"

#include "../unit/open_files.h"

#include <unistd.h>

static void test_legacy_verbatim(void **state)
{
    (void)state;
    struct world *w = world_new();
    w->plans[0] = reply_with(TWO);
    world_provider(w, "google-legacy", stub_url(w->stub, "/json"));
    world_open(w);
    assert_non_null(world_ask(w, UCLA, 1));
    run_until(w->base, &w->answered, 1);
    assert_string_equal(w->answers[0].at, "{\n \"results\" : [ {\"name\":\"a\"} ],\n \"status\" : \"OK\"\n}");
    assert_string_equal(w->origins[0], "google-legacy");
    static const char want[] = "GET /json?location=34.068930,-118.445127&radius=10000&key=" CANARY " HTTP/1.1\r\n";
    assert_memory_equal(stub_request(w->stub, 0).at, want, sizeof want - 1);
    assert_true(world_logged(w, "lookup provider=google-legacy status=OK duration_us="));
    char bytes[32];
    snprintf(bytes, sizeof bytes, " bytes=%zu", strlen(w->answers[0].at));
    assert_true(world_logged(w, bytes));
    world_free(w);
}

static void test_new_translated(void **state)
{
    (void)state;
    struct world *w = world_new();
    w->plans[0] = reply_with("{\"places\":[{\"id\":\"x\",\"location\":{\"latitude\":1.50,\"longitude\":2},"
                             "\"displayName\":{\"text\":\"N\"}}]}");
    world_provider(w, "google-new", stub_url(w->stub, "/v1/places:searchNearby"));
    world_open(w);
    world_ask(w, UCLA, 7);
    run_until(w->base, &w->answered, 1);
    assert_non_null(strstr(w->answers[0].at, "\"lat\" : 1.50,"));
    struct herd_span request = stub_request(w->stub, 0);
    static const char *const wanted[] = {
        "POST /v1/places:searchNearby HTTP/1.1\r\n",
        "\r\nX-Goog-Api-Key: " CANARY "\r\n",
        "\r\nX-Goog-FieldMask: places.id,places.displayName,",
        "\r\nContent-Type: application/json\r\n",
        "\r\nUser-Agent: libherd/",
        ("\r\n\r\n{\"locationRestriction\":{\"circle\":{\"center\":{\"latitude\":34.068930,\"longitude\":-118."
         "445127},"
         "\"radius\":10000}},\"maxResultCount\":7}"),
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (!memmem(request.at, request.len, wanted[i], strlen(wanted[i])))
            fail_msg("no %s in %.*s", wanted[i], (int)request.len, request.at);
    assert_null(memmem(request.at, 40, CANARY, sizeof CANARY - 1));
    assert_null(memmem(request.at, request.len, "Expect", 6));
    world_free(w);
}

static void test_connection_is_reused(void **state)
{
    (void)state;
    struct world *w = world_new();
    w->plans[0] = reply_with(TWO);
    world_provider(w, "google-legacy", stub_url(w->stub, "/"));
    world_open(w);
    for (size_t i = 0; i < 20; i++) {
        world_ask(w, UCLA, 5);
        run_until(w->base, &w->answered, i + 1);
    }
    assert_int_equal(stub_requests(w->stub), 20); /* and nothing of Google's is kept */
    assert_int_equal(stub_connections(w->stub), 1);
    world_free(w);
}

/* Connections that the other side closes while they are kept: noticed without spinning, replaced, not leaked. */
static void test_kept_connection_goes_away(void **state)
{
    (void)state;
    size_t before = open_files();
    struct world *w = world_new();
    w->plans[0] = reply_with(TWO);
    w->plans[0].act = STUB_LEAVE;
    world_provider(w, "google-legacy", stub_url(w->stub, "/"));
    world_open(w);
    for (size_t round = 1; round <= 5; round++) {
        for (unsigned bound = 1; bound <= 3; bound++)
            world_ask(w, UCLA, bound);
        run_until(w->base, &w->answered, 3 * round);
        struct timeval moment = {0, 50000};
        size_t turns = 0;
        event_base_loopexit(w->base, &moment);
        while (!event_base_got_exit(w->base) && turns < 1000) {
            event_base_loop(w->base, EVLOOP_ONCE);
            turns++;
        }
        assert_in_range(turns, 1, 100);
        int pipes[2]; /* takes numbers that were a connection's */
        assert_int_equal(pipe(pipes), 0);
        close(pipes[round % 2]);
        close(pipes[1 - round % 2]);
    }
    for (size_t i = 0; i < w->answered; i++)
        assert_string_equal(w->origins[i], "google-legacy");
    assert_int_equal(stub_connections(w->stub), 15);
    world_free(w);
    assert_int_equal(open_files(), before);
}

static size_t request_count;
static struct stub_plan count_requests(void *ctx, size_t index, struct herd_span request)
{
    request_count++;
    return world_decide(ctx, index, request);
}

static struct world *holding_world(void)
{
    struct world *w = world_new();
    stub_free(w->stub);
    w->stub = stub_new(w->base, count_requests, w, NULL);
    w->plans[0] = (struct stub_plan){.act = STUB_HOLD};
    request_count = 0;
    return w;
}

static void test_equal_questions_share(void **state)
{
    (void)state;
    struct world *w = holding_world();
    struct stub_plan plan = reply_with(TWO);
    world_provider(w, "google-legacy", stub_url(w->stub, "/"));
    world_open(w);
    struct herd_places_request *asks[10];
    for (size_t i = 0; i < 10; i++)
        asks[i] = world_ask(w, UCLA, 5);
    world_ask(w, UCLA, 6); /* another question */
    run_until(w->base, &request_count, 2);
    herd_places_cancel(asks[0]); /* the first asker leaves, the others do not mind */
    herd_places_cancel(asks[5]);
    stub_release(w->stub, &plan);
    run_until(w->base, &w->answered, 9);
    assert_int_equal(stub_requests(w->stub), 2);
    world_free(w);
}

static void test_last_asker_cancels(void **state)
{
    (void)state;
    struct world *w = holding_world();
    world_provider(w, "google-legacy", stub_url(w->stub, "/"));
    world_open(w);
    struct herd_places_request *a = world_ask(w, UCLA, 5), *b = world_ask(w, UCLA, 5);
    run_until(w->base, &request_count, 1);
    herd_places_cancel(b);
    herd_places_cancel(a);
    herd_places_cancel(NULL);
    /* The connection is gone with the request: the same question again is a new one. */
    w->plans[0] = reply_with(TWO);
    world_ask(w, UCLA, 5);
    run_until(w->base, &w->answered, 1);
    assert_int_equal(stub_held(w->stub), 0);
    assert_int_equal(w->answered, 1);
    world_free(w);
}

static void test_provider_limit_and_order(void **state)
{
    (void)state;
    struct world *w = holding_world();
    struct stub_plan plan = reply_with(TWO);
    world_provider(w, "google-legacy", stub_url(w->stub, "/"))->in_flight_max = 2;
    world_open(w);
    for (unsigned i = 0; i < 6; i++)
        world_ask(w, UCLA, i);
    for (size_t round = 1; round <= 3; round++) {
        run_until(w->base, &request_count, round * 2);
        assert_int_equal(stub_held(w->stub), 2);
        stub_release(w->stub, &plan);
        run_until(w->base, &w->answered, round * 2);
    }
    assert_int_equal(stub_held_max(w->stub), 2);
    world_free(w);
}

static void test_limit_in_all_and_full_queue(void **state)
{
    (void)state;
    struct world *w = holding_world();
    struct stub_plan plan = reply_with(TWO);
    w->config.limits.lookups_max = 1;
    w->config.limits.lookup_queue_max = 2;
    world_provider(w, "google-legacy", stub_url(w->stub, "/"));
    world_open(w);
    world_ask(w, UCLA, 1);
    struct herd_places_request *second = world_ask(w, UCLA, 2);
    world_ask(w, UCLA, 3);
    assert_int_equal(w->answered, 0);
    assert_null(world_ask(w, UCLA, 4));
    assert_int_equal(w->answered, 1);
    assert_non_null(strstr(w->answers[0].at, "OVER_QUERY_LIMIT"));
    assert_non_null(strstr(w->answers[0].at, "too many look-ups"));
    herd_places_cancel(second); /* leaves the queue */
    run_until(w->base, &request_count, 1);
    stub_release(w->stub, &plan);
    run_until(w->base, &request_count, 2);
    stub_release(w->stub, &plan);
    run_until(w->base, &w->answered, 3);
    world_free(w);
}

static void test_waiting_has_its_deadline(void **state)
{
    (void)state;
    struct world *w = holding_world();
    struct herd_config_provider *p = world_provider(w, "google-legacy", stub_url(w->stub, "/"));
    p->in_flight_max = 1;
    p->timeout_ms = 150;
    world_provider(w, "embedded", NULL);
    world_open(w);
    for (unsigned i = 1; i <= 3; i++)
        world_ask(w, UCLA, i);
    run_until(w->base, &w->answered, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(w->origins[i], "embedded");
    assert_true(world_logged(w, "did not answer within 150 ms"));
    world_free(w);
}

static void test_free_with_everything_under_way(void **state)
{
    (void)state;
    struct world *w = holding_world();
    w->config.limits.lookups_max = 3;
    world_provider(w, "google-legacy", stub_url(w->stub, "/"));
    world_open(w);
    for (unsigned i = 1; i <= 9; i++)
        world_ask(w, UCLA, i);
    run_until(w->base, &request_count, 2);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_legacy_verbatim),          cmocka_unit_test(test_new_translated),
        cmocka_unit_test(test_connection_is_reused),     cmocka_unit_test(test_kept_connection_goes_away),
        cmocka_unit_test(test_equal_questions_share),    cmocka_unit_test(test_last_asker_cancels),
        cmocka_unit_test(test_provider_limit_and_order), cmocka_unit_test(test_limit_in_all_and_full_queue),
        cmocka_unit_test(test_waiting_has_its_deadline), cmocka_unit_test(test_free_with_everything_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
