/* SPDX-License-Identifier: MIT */
/* The chain: who answers when somebody else does not, and for how long one is left alone. */
#include "world.h"

static void test_next_one_answers_and_breaker_opens(void **state)
{
    (void)state;
    struct world *w = world_new();
    w->plans[0] = (struct stub_plan){.status = 502};
    world_provider(w, "google-legacy", stub_url(w->stub, "/"));
    world_provider(w, "embedded", NULL);
    world_open(w);
    for (size_t i = 1; i <= 6; i++) {
        world_ask(w, UCLA, (unsigned)i);
        run_until(w->base, &w->answered, i);
        assert_string_equal(w->origins[i - 1], "embedded");
        assert_non_null(strstr(w->answers[i - 1].at, "Beverly Hills"));
    }
    assert_int_equal(stub_requests(w->stub), 3); /* after that it is left alone */
    assert_true(world_logged(w, "provider_rests provider=google-legacy for_ms=2000"));
    assert_true(world_logged(w, "warn lookup provider=google-legacy status=UNKNOWN_ERROR"));
    /* Well again: one question finds out when the rest is over, and then everybody is back. */
    w->plans[0] = reply_with(TWO);
    for (size_t i = 7; strcmp(w->origins[w->answered - 1], "google-legacy") != 0; i++) {
        struct timeval moment = {0, 200000};
        w->answered = 6;
        w->answers[6].len = 0;
        world_ask(w, UCLA, 5);
        run_until(w->base, &w->answered, 7);
        event_base_loopexit(w->base, &moment);
        event_base_dispatch(w->base);
        assert_true(i < 100);
    }
    assert_true(world_logged(w, "provider_back provider=google-legacy"));
    world_free(w);
}

static void test_one_provider_resting_answers_at_once(void **state)
{
    (void)state;
    struct world *w = world_new();
    w->plans[0] = (struct stub_plan){.status = 429, .headers = "Retry-After: 60\r\n"};
    world_provider(w, "google-new", stub_url(w->stub, "/"));
    world_open(w);
    world_ask(w, UCLA, 1);
    run_until(w->base, &w->answered, 1);
    assert_non_null(strstr(w->answers[0].at, "\"status\" : \"OVER_QUERY_LIMIT\""));
    assert_true(world_logged(w, "for_ms=60000"));
    assert_null(world_ask(w, UCLA, 2));
    assert_int_equal(w->answered, 2);
    assert_non_null(strstr(w->answers[1].at, "left alone"));
    assert_non_null(strstr(w->answers[1].at, "\"status\" : \"OVER_QUERY_LIMIT\""));
    assert_int_equal(stub_requests(w->stub), 1);
    world_free(w);
}

static void test_retry_where_documented(void **state)
{
    (void)state;
    struct world *w = world_new();
    w->plans[0] = (struct stub_plan){.status = 503};
    w->plans[1] = reply_with("{\"results\":[],\"status\":\"UNKNOWN_ERROR\"}");
    w->plans[2] = reply_with(TWO);
    w->plan_count = 3;
    world_provider(w, "google-legacy", stub_url(w->stub, "/"));
    world_open(w);
    world_ask(w, UCLA, 5);
    run_until(w->base, &w->answered, 1);
    assert_int_equal(stub_requests(w->stub), 3);
    assert_string_equal(w->origins[0], "google-legacy");
    world_free(w);
}

static void test_own_words_at_the_end_of_the_chain(void **state)
{
    (void)state;
    static const char denied[] =
        "{\"error_message\":\"The provided API key is expired.\",\"results\":[],\"status\":\"REQUEST_DENIED\"}";
    struct world *w = world_new();
    w->plans[0] = reply_with(denied);
    world_provider(w, "google-legacy", stub_url(w->stub, "/"));
    world_open(w);
    world_ask(w, UCLA, 5);
    run_until(w->base, &w->answered, 1);
    assert_string_equal(w->answers[0].at, denied);
    assert_string_equal(w->origins[0], "none");
    world_free(w);
}

static void test_wrong_questions_do_not_open_the_breaker(void **state)
{
    (void)state;
    struct world *w = world_new();
    w->plans[0] = (struct stub_plan){.status = 400};
    world_provider(w, "google-new", stub_url(w->stub, "/"));
    world_open(w);
    for (size_t i = 1; i <= 6; i++) {
        world_ask(w, UCLA, (unsigned)i);
        run_until(w->base, &w->answered, i);
        assert_non_null(strstr(w->answers[i - 1].at, "INVALID_REQUEST"));
    }
    assert_int_equal(stub_requests(w->stub), 6);
    world_free(w);
}

static const char overpass_body[] = "{\"elements\":[{\"type\":\"node\",\"id\":1,\"lat\":34.07,\"lon\":-118.44,"
                                    "\"tags\":{\"name\":\"Powell\",\"amenity\":\"library\"}}]}";

static void test_overpass_is_polite(void **state)
{
    (void)state;
    struct world *w = world_new();
    w->plans[0] = reply_with(overpass_body);
    w->plans[1] = reply_with("{\"elements\":[],\"remark\":\"runtime error: Query timed out\"}");
    w->plans[2] = (struct stub_plan){.status = 429, .body = herd_span_of("<html>")};
    w->plan_count = 3;
    world_provider(w, "overpass", stub_url(w->stub, "/api/interpreter"))->cache_ms = 60000;
    world_open(w);
    for (size_t i = 1; i <= 3; i++) { /* asked once, kept afterwards */
        world_ask(w, UCLA, 5);
        run_until(w->base, &w->answered, i);
        assert_non_null(strstr(w->answers[i - 1].at, "\"name\" : \"Powell\""));
    }
    assert_int_equal(stub_requests(w->stub), 1);
    assert_true(world_logged(w, "from=cache"));
    struct herd_span request = stub_request(w->stub, 0);
    assert_non_null(memmem(request.at, request.len, "User-Agent: libherd/", 20));
    assert_non_null(memmem(request.at, request.len, "data=%5Bout%3Ajson%5D", 21));
    assert_non_null(memmem(request.at, request.len, "around%3A10000%2C34.068930%2C-118.445127", 40));
    world_ask(w, UCLA, 6);
    run_until(w->base, &w->answered, 4);
    assert_non_null(strstr(w->answers[3].at, "Query timed out"));
    world_ask(w, UCLA, 7);
    run_until(w->base, &w->answered, 5);
    assert_non_null(strstr(w->answers[4].at, "OVER_QUERY_LIMIT"));
    assert_true(world_logged(w, "for_ms=30000"));
    assert_null(world_ask(w, UCLA, 8)); /* no request: it is resting */
    assert_int_equal(stub_requests(w->stub), 3);
    world_free(w);
}

/* What the server says about when to come back is heard; a loaded one is not asked again at once. */
static void test_overpass_is_left_alone_when_it_says_so(void **state)
{
    (void)state;
    const struct {
        struct stub_plan plan;
        const char *logged; /* NULL: one failure is not yet a rest */
    } rows[] = {
        {{.status = 429, .headers = "Retry-After: 7\r\n", .body = herd_span_of("<html>")}, "for_ms=7000"},
        {{.status = 429}, "for_ms=30000"},
        {{.status = 504, .headers = "Retry-After: 9\r\n"}, "for_ms=9000"},
        {{.status = 504}, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *w = world_new();
        w->plans[0] = rows[i].plan;
        world_provider(w, "overpass", stub_url(w->stub, "/"));
        world_open(w);
        world_ask(w, UCLA, 5);
        run_until(w->base, &w->answered, 1);
        assert_int_equal(stub_requests(w->stub), 1);
        assert_int_equal(world_logged(w, "provider_rests provider=overpass"), rows[i].logged != NULL);
        assert_true(!rows[i].logged || world_logged(w, rows[i].logged));
        if (rows[i].logged)
            assert_null(world_ask(w, UCLA, 6));
        assert_int_equal(stub_requests(w->stub), 1);
        world_free(w);
    }
}

/* Only what the provider says may be asked again is. */
static void test_no_retry_elsewhere(void **state)
{
    (void)state;
    const struct {
        const char *kind;
        struct stub_plan plan;
    } rows[] = {
        {"google-legacy", .plan = {.status = 400}},
        {"google-legacy", .plan = {.status = 403}},
        {"google-legacy", .plan = {.status = 404}},
        {"google-legacy", .plan = {.status = 429}},
        {"google-legacy", .plan = {.status = 502}},
        {"google-legacy", .plan = {.status = 503, .headers = "Retry-After: 60\r\n"}},
        {"google-legacy", .plan = {.body = herd_span_of("{\"results\":[],\"status\":\"OVER_QUERY_LIMIT\"}")}},
        {"google-legacy", .plan = {.body = herd_span_of("{\"results\":[],\"status\":\"REQUEST_DENIED\"}")}},
        {"google-legacy", .plan = {.body = herd_span_of("{\"results\":[],\"status\":\"INVALID_REQUEST\"}")}},
        {"google-legacy", .plan = {.body = herd_span_of("<html>")}},
        {"google-legacy", .plan = {.act = STUB_RESET}},
        {"google-new", .plan = {.status = 400}},
        {"google-new", .plan = {.status = 403}},
        {"google-new", .plan = {.status = 429}},
        {"google-new", .plan = {.body = herd_span_of("[")}},
        {"overpass", .plan = {.status = 400}},
        {"overpass", .plan = {.status = 500}},
        {"overpass", .plan = {.status = 503}},
        {"overpass", .plan = {.body = herd_span_of("{\"elements\":[],\"remark\":\"r\"}")}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *w = world_new();
        w->plans[0] = rows[i].plan;
        world_provider(w, rows[i].kind, stub_url(w->stub, "/"));
        world_open(w);
        world_ask(w, UCLA, 5);
        run_until(w->base, &w->answered, 1);
        if (stub_requests(w->stub) != 1)
            fail_msg("row %zu: %s was asked %zu times", i, rows[i].kind, stub_requests(w->stub));
        world_free(w);
    }
}

static void test_overpass_one_at_a_time(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct stub_plan plan = reply_with(overpass_body);
    size_t turns = 0;
    w->plans[0] = (struct stub_plan){.act = STUB_HOLD};
    world_provider(w, "overpass", stub_url(w->stub, "/"));
    world_open(w);
    for (unsigned i = 1; i <= 3; i++)
        world_ask(w, UCLA, i);
    for (; w->answered < 3 && turns < 5000; turns++) {
        event_base_loop(w->base, EVLOOP_ONCE);
        stub_release(w->stub, &plan);
    }
    assert_int_equal(w->answered, 3);
    assert_int_equal(stub_held_max(w->stub), 1);
    world_free(w);
}

/* A provider of the program's own: at once, later, failing, cancelled. */
struct own {
    struct herd_provider_call *pending;
    size_t started, cancelled, freed;
    int mode;
};

static void own_start(void *ctx, struct herd_provider_call *lookup, const struct herd_places_query *query)
{
    struct own *own = ctx;
    own->started++;
    assert_true(query->bound <= 20 && query->lat.len);
    if (own->mode == 0)
        herd_provider_call_answer(lookup, herd_span_of(TWO));
    else if (own->mode == 1)
        own->pending = lookup;
    else if (own->mode == 2)
        herd_provider_call_fail(lookup, "UNKNOWN_ERROR", "not today");
    else
        herd_provider_call_answer(lookup, herd_span_of("{\"results\":[NaN]}"));
}

static void own_cancel(void *ctx, struct herd_provider_call *lookup)
{
    struct own *own = ctx;
    assert_ptr_equal(own->pending, lookup);
    own->pending = NULL;
    own->cancelled++;
}

static void own_free(void *ctx)
{
    ((struct own *)ctx)->freed++;
}

static void test_own_provider(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct own own = {0};
    struct herd_provider provider = {
        .name = "own", .ctx = &own, .start = own_start, .cancel = own_cancel, .free = own_free};
    world_provider(w, "embedded", NULL);
    world_open(w);
    assert_int_equal(herd_places_prepend(w->places, &provider), 0);
    assert_null(world_ask(w, UCLA, 1)); /* at once */
    assert_string_equal(w->origins[0], "own");
    assert_non_null(strstr(w->answers[0].at, "[ {\"name\":\"a\"} ]"));
    own.mode = 1;
    struct herd_places_request *request = world_ask(w, UCLA, 2);
    assert_non_null(request);
    herd_provider_call_answer(own.pending, herd_span_of(TWO)); /* later */
    assert_int_equal(w->answered, 2);
    request = world_ask(w, UCLA, 3);
    herd_places_cancel(request);
    assert_int_equal(own.cancelled, 1);
    own.mode = 2;
    assert_null(world_ask(w, UCLA, 4));
    assert_string_equal(w->origins[2], "embedded");
    own.mode = 3;
    assert_null(world_ask(w, UCLA, 5));
    assert_string_equal(w->origins[3], "embedded");
    assert_true(world_logged(w, "own sent no valid answer"));
    own.mode = 1;
    world_ask(w, UCLA, 6);
    world_free(w);
    assert_int_equal(own.cancelled, 2);
    assert_int_equal(own.freed, 1);
}

/* Asking and cancelling from inside an answer. */
struct again {
    struct world *w;
    size_t answers;
    struct herd_places_request *other;
};

static void answer_again(void *ctx, struct herd_span json, const char *origin)
{
    struct again *again = ctx;
    (void)json;
    (void)origin;
    again->answers++;
    if (again->other)
        herd_places_cancel(again->other);
    again->other = NULL;
    if (again->answers < 50) {
        struct herd_places_question q = {0};
        struct herd_places_request *request;
        assert_int_equal(herd_places_query_make_iso(&q, herd_span_of(UCLA), herd_span_of("10"), 3), 0);
        assert_int_equal(herd_places_lookup(again->w->places, &q.query, answer_again, again, &request), 0);
        herd_places_query_fini(&q);
    }
}

static void test_from_inside_an_answer(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct again again = {.w = w};
    w->plans[0] = reply_with(TWO);
    world_provider(w, "google-legacy", stub_url(w->stub, "/"));
    world_open(w);
    struct herd_places_question q = {0};
    struct herd_places_request *request;
    assert_int_equal(herd_places_query_make_iso(&q, herd_span_of(UCLA), herd_span_of("10"), 3), 0);
    assert_int_equal(herd_places_lookup(w->places, &q.query, answer_again, &again, &request), 0);
    again.other = world_ask(w, UCLA, 3);
    herd_places_query_fini(&q);
    run_until(w->base, &again.answers, 50);
    assert_int_equal(w->answered, 0); /* it was cancelled by the first one */
    assert_int_equal(stub_requests(w->stub), 50);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next_one_answers_and_breaker_opens),
        cmocka_unit_test(test_one_provider_resting_answers_at_once),
        cmocka_unit_test(test_retry_where_documented),
        cmocka_unit_test(test_own_words_at_the_end_of_the_chain),
        cmocka_unit_test(test_wrong_questions_do_not_open_the_breaker),
        cmocka_unit_test(test_overpass_is_polite),
        cmocka_unit_test(test_overpass_is_left_alone_when_it_says_so),
        cmocka_unit_test(test_no_retry_elsewhere),
        cmocka_unit_test(test_overpass_one_at_a_time),
        cmocka_unit_test(test_own_provider),
        cmocka_unit_test(test_from_inside_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
