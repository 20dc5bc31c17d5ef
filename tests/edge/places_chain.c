/* SPDX-License-Identifier: MIT */
/* The chain: who answers when somebody else does not, and for how long one is left alone. */
#include "../../lib/edge/places/places_stats.h"
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
    struct herd_config_provider *overpass = world_provider(w, "overpass", stub_url(w->stub, "/api/interpreter"));
    overpass->cache_ms = 60000;
    overpass->filter = (char *)(uintptr_t) "[\"name\"][leisure=park]";
    world_open(w);
    herd_places_reload(w->places); /* it has nothing that could be read again */
    assert_int_equal(w->log_text.len, 0);
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
    assert_non_null(memmem(request.at, request.len, "%5B%22name%22%5D%5Bleisure%3Dpark%5D%3Bout", 42));
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
        /* An hour at most, whatever it says. */
        {{.status = 429, .headers = "Retry-After: 100000\r\n"}, "for_ms=3600000"},
        {{.status = 429, .headers = "Retry-After: 9223372036854775807\r\n"}, "for_ms=3600000"},
        {{.status = 429, .headers = "Retry-After: 9223372036854776\r\n"}, "for_ms=3600000"},
        {{.status = 429, .headers = "Retry-After: -5\r\n"}, "for_ms=30000"},
        {{.status = 429, .headers = "Retry-After: soon\r\n"}, "for_ms=30000"},
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

/* In front of a look-up under way: that one ends where it is, and is told of by its own provider's name. */
static void test_prepended_meanwhile(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct own own = {.mode = 1};
    struct herd_provider provider = {
        .name = "own", .ctx = &own, .start = own_start, .cancel = own_cancel, .free = own_free};
    w->plans[0] = (struct stub_plan){.act = STUB_HOLD};
    world_provider(w, "google-legacy", stub_url(w->stub, "/"));
    world_provider(w, "google-legacy", stub_url(w->stub, "/"))->in_flight_max = 1;
    world_open(w);
    w->config.limits.lookups_max = 2;
    herd_places_configure(w->places, &w->config.limits);
    struct herd_places_request *running = world_ask(w, UCLA, 1);
    struct herd_places_request *other = world_ask(w, UCLA, 2);
    struct herd_places_request *waiting = world_ask(w, UCLA, 3);
    assert_true(running && other && waiting);
    assert_int_equal(herd_places_prepend(w->places, &provider), 0);
    struct herd_places_request *later = world_ask(w, UCLA, 4); /* for the new one, whose turn comes with room */
    assert_non_null(later);
    assert_int_equal(own.started, 0);
    struct herd_places_stats stats;
    bool first;
    static const struct {
        const char *name;
        size_t in_flight;
        bool first;
    } before[] = {{"own", 0, true}, {"google-legacy", 2, true}, {"google-legacy", 2, false}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(herd_places_stats(w->places, i, &stats, &first), 0);
        assert_string_equal(stats.provider, before[i].name);
        assert_int_equal(stats.in_flight, before[i].in_flight);
        assert_true(first == before[i].first);
    }
    assert_int_equal(herd_places_stats(w->places, 3, &stats, &first), HERD_E_NOTFOUND);
    herd_places_cancel(other);
    assert_int_equal(own.started, 1);
    herd_provider_call_answer(own.pending, herd_span_of(TWO));
    assert_int_equal(w->answered, 1);
    assert_string_equal(w->origins[0], "own");
    struct stub_plan plan = reply_with(TWO);
    while (w->answered < 3) {
        event_base_loop(w->base, EVLOOP_ONCE);
        stub_release(w->stub, &plan);
    }
    assert_string_equal(w->origins[1], "google-legacy");
    assert_string_equal(w->origins[2], "google-legacy");
    assert_true(herd_places_idle(w->places));
    world_free(w);
    assert_int_equal(own.freed, 1);
}

/* A provider that gives up, from inside its start, the last request of the look-up it is handed. */
struct giving_up {
    struct herd_places_request *request;
    struct herd_provider_call *pending;
    size_t started;
};

static void start_and_give_up(void *ctx, struct herd_provider_call *lookup, const struct herd_places_query *query)
{
    struct giving_up *giving_up = ctx;
    (void)query;
    giving_up->started++;
    herd_places_cancel(giving_up->request);
    giving_up->request = NULL;
    giving_up->pending = lookup;
}

static void never_cancelled(void *ctx, struct herd_provider_call *lookup)
{
    (void)ctx;
    (void)lookup;
    fail_msg("cancelled, though it was started");
}

static void test_given_up_by_its_provider(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct giving_up giving_up = {0};
    struct herd_provider provider = {
        .name = "own", .ctx = &giving_up, .start = start_and_give_up, .cancel = never_cancelled};
    w->config.limits.lookups_max = 1;
    world_open(w); /* without any */
    assert_null(world_ask(w, UCLA, 1));
    assert_string_equal(w->origins[0], "none");
    assert_non_null(strstr(w->answers[0].at, "no provider of places is configured"));
    assert_int_equal(herd_places_prepend(w->places, &provider), 0);
    assert_non_null(world_ask(w, UCLA, 1));
    struct herd_provider_call *first = giving_up.pending;
    assert_false(herd_places_idle(w->places));
    giving_up.request = world_ask(w, UCLA, 2); /* waits */
    assert_non_null(giving_up.request);
    assert_int_equal(giving_up.started, 1);
    herd_provider_call_answer(first, herd_span_of(TWO)); /* which makes room */
    assert_int_equal(w->answered, 2);
    assert_int_equal(giving_up.started, 2);
    herd_provider_call_answer(giving_up.pending, herd_span_of(TWO)); /* for nobody */
    assert_int_equal(w->answered, 2);
    assert_true(herd_places_idle(w->places));
    assert_non_null(world_ask(w, UCLA, 3));
    herd_provider_call_answer(giving_up.pending, herd_span_of(TWO));
    assert_int_equal(w->answered, 3);
    world_free(w);
}

/* Answers that say no status, or are larger than what is kept of an answer's memory. */
static void answer_oddly(void *ctx, struct herd_provider_call *lookup, const struct herd_places_query *query)
{
    (void)query;
    herd_provider_call_answer(lookup, *(const struct herd_span *)ctx);
}

static void test_odd_answers(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct herd_buf text = {0};
    struct herd_span answer;
    struct herd_provider provider = {.name = "own", .ctx = &answer, .start = answer_oddly};
    world_open(w);
    assert_int_equal(herd_places_prepend(w->places, &provider), 0);
    for (unsigned i = 0; i < 4; i++) {
        text.len = 0;
        assert_int_equal(herd_buf_add_text(&text, "{\"results\":[\""), 0);
        for (size_t n = 0; i % 2 && n < 100000; n++)
            assert_int_equal(herd_buf_add(&text, &"abcdefghij"[(n + i) % 10], 1), 0);
        assert_int_equal(
            herd_buf_add_text(&text, i < 2 ? "\"]}" : "\"],\"status\":\"a status that is longer than any is\"}"),
            0);
        answer = (struct herd_span){text.at, text.len};
        assert_null(world_ask(w, UCLA, i));
        assert_string_equal(w->origins[i], "own");
        assert_int_equal(w->answers[i].len - 1, i ? text.len : text.len - 2); /* of bound 0 no result is left */
        assert_true(i == 0 || memcmp(w->answers[i].at, text.at, text.len) == 0);
    }
    /* A query that says nothing is one too. */
    const struct herd_places_query empty = {.bound = 20};
    struct herd_places_request *request;
    for (size_t i = 4; i < 6; i++) {
        assert_int_equal(herd_places_lookup(w->places, &empty, world_answer, w, &request), 0);
        assert_null(request);
        assert_string_equal(w->origins[i], "own");
    }
    answer = herd_span_of("{\"status\":\"OK\"}");
    assert_null(world_ask(w, UCLA, 5));
    assert_string_equal(w->origins[6], "none");
    assert_non_null(strstr(w->answers[6].at, "own sent no valid answer: no results"));
    herd_buf_fini(&text);
    world_free(w);
}

/* The words of one that refused are forgotten when the next one answers. */
static void test_answered_behind_a_refusal(void **state)
{
    (void)state;
    struct world *w = world_new();
    w->plans[0] = reply_with("{\"results\":[{\"name\":\"of the refusal\"}],\"status\":\"REQUEST_DENIED\"}");
    world_provider(w, "google-legacy", stub_url(w->stub, "/"));
    world_provider(w, "embedded", NULL);
    world_open(w);
    world_ask(w, UCLA, 5);
    run_until(w->base, &w->answered, 1);
    assert_string_equal(w->origins[0], "embedded");
    assert_non_null(strstr(w->answers[0].at, "\"Santa Monica\""));
    assert_non_null(strstr(w->answers[0].at, "\"status\" : \"OK\""));
    assert_null(strstr(w->answers[0].at, "refus"));
    world_free(w);
}

/* Of one that failed just now and one that rests the former's reason is told. */
static void test_failed_before_one_that_rests(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct own own = {.mode = 2};
    struct herd_provider provider = {.name = "own", .ctx = &own, .start = own_start, .cancel = own_cancel};
    w->plans[0] = (struct stub_plan){.status = 429};
    world_provider(w, "overpass", stub_url(w->stub, "/"));
    world_open(w);
    assert_int_equal(herd_places_prepend(w->places, &provider), 0);
    world_ask(w, UCLA, 5);
    run_until(w->base, &w->answered, 1);
    assert_non_null(
        strstr(w->answers[0].at, "\"status\" : \"OVER_QUERY_LIMIT\"")); /* the last one that was asked */
    assert_null(world_ask(w, UCLA, 6));
    assert_string_equal(w->origins[1], "none");
    assert_non_null(strstr(w->answers[1].at, "not today"));
    assert_non_null(strstr(w->answers[1].at, "\"status\" : \"UNKNOWN_ERROR\""));
    assert_int_equal(own.started, 2);
    assert_int_equal(stub_requests(w->stub), 1);
    world_free(w);
}

/* Of several that cannot be used the first one's reason is told. */
static void test_none_can_be_used(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct own own = {.mode = 2};
    struct herd_provider provider = {.name = "own", .ctx = &own, .start = own_start, .cancel = own_cancel};
    world_provider(w, "file", NULL); /* without a file */
    world_provider(w, "google-new", NULL)->key_env = (char *)(uintptr_t) "HERD_NO_SUCH_VARIABLE";
    struct herd_config_provider *mask = world_provider(w, "google-new", NULL);
    mask->fields = (char *)(uintptr_t) "places.id\r\nX-Evil: 1";
    mask->timeout_ms = 0;
    world_provider(w, "embedded", NULL);
    world_open(w);
    assert_true(world_logged(w, "places_provider_unusable provider=file why=\"provider file needs a file\""));
    assert_true(world_logged(w, "HERD_NO_SUCH_VARIABLE is not set"));
    assert_true(world_logged(w, "provider google-new: a field mask has no line ends"));
    w->log_text.len = 0;
    assert_int_equal(herd_places_prepend(w->places, &provider), 0);
    herd_places_reload(w->places); /* nothing is mended */
    assert_true(world_logged(w, "places_provider_unusable provider=file why=\"provider file needs a file\""));
    assert_true(world_logged(w, "HERD_NO_SUCH_VARIABLE is not set"));
    assert_true(world_logged(w, "provider google-new: a field mask has no line ends"));
    assert_null(world_ask(w, UCLA, 5));
    assert_string_equal(w->origins[0], "embedded"); /* behind one that fails, and those */
    herd_places_free(w->places);
    w->places = NULL;
    w->config.provider_count = 3;
    assert_int_equal(herd_places_new(&w->places, w->base, &w->config, w->log, &w->fault), HERD_E_SYNTAX);
    assert_string_equal(w->fault.message, "provider file needs a file");
    w->config.provider_count = 4;
    world_free(w);
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
        cmocka_unit_test(test_prepended_meanwhile),
        cmocka_unit_test(test_given_up_by_its_provider),
        cmocka_unit_test(test_odd_answers),
        cmocka_unit_test(test_answered_behind_a_refusal),
        cmocka_unit_test(test_failed_before_one_that_rests),
        cmocka_unit_test(test_none_can_be_used),
        cmocka_unit_test(test_from_inside_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
