/* SPDX-License-Identifier: MIT */
/*
 * Every allocation failing once, and it with the twenty behind it, while clients use the native API: report, ask, list, delete,
 * watch, look at the server. Each request is answered with what it should, or with 503, or its connection ends; a report that
 * was taken is there, one that was not has changed nothing. Afterwards all of it is answered as ever.
 */
#include "http_story.h"

#define PUT(id, time)                                                                                         \
    "PUT /v1/clients/" id " HTTP/1.1\r\n" HOST "Content-Type: application/json\r\nContent-Length: 39\r\n\r\n" \
    "{\"lat\":1.5,\"lon\":2.5,\"time\":" time "}"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"

static bool known(struct http_world *w, const char *id)
{
    struct herd_record record;
    return herd_server_find(w->server, herd_span_of(id), &record) == 0;
}

/* The answer should be `right`; unless there is memory none is fine too, as is 503, or 502 of a provider of places. */
static bool expect_status(struct http_world *w, const char *request, int right)
{
    int status = http_ask(w, request);
    if (status != right && (!http_world_arm || (status != 0 && status != 502 && status != 503)))
        fail_msg("%d, not %d, to %s", status, right, request);
    return status == right;
}

/* Later than all before. */
static unsigned long later_time(void)
{
    static unsigned long time = 1700000000;
    return ++time;
}

static void reports(struct http_world *w)
{
    if (expect_status(w, PUT("ann", "1700000000"), 200))
        assert_true(known(w, "ann"));
    expect_status(w, GET("/v1/clients/ann"), known(w, "ann") ? 200 : 404);
    expect_status(w, GET("/v1/clients/ann/trace"), known(w, "ann") ? 200 : 404);
    expect_status(w, GET("/v1/clients/nobody"), 404);
    expect_status(w, GET("/v1/clients/ann/places?radius=10&limit=3"), known(w, "ann") ? 200 : 404);
}

static void lists(struct http_world *w)
{
    expect_status(w, GET("/v1/clients?limit=1"), 200);
    expect_status(w, GET("/v1/clients?bbox=-10,-10,10,10"), 200);
    expect_status(w, GET("/v1/clients?limit=none"), 400);
}

static void deletions(struct http_world *w)
{
    char request[300];
    snprintf(request, sizeof request, PUT("eve", "%lu"), later_time());
    (void)http_ask(w, request);
    if (!known(w, "eve"))
        return;
    if (expect_status(w, "DELETE /v1/clients/eve HTTP/1.1\r\n" HOST "\r\n", 204))
        assert_false(known(w, "eve"));
}

static void looks(struct http_world *w)
{
    static const char *const paths[] = {"/v1/node", "/v1/peers", "/metrics",
                                        "/healthz", "/readyz",   "/openapi.json"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char request[128];
        snprintf(request, sizeof request, GET("%s"), paths[i]);
        expect_status(w, request, 200);
    }
}

/* A viewer sees what changes, or is disconnected: never half of a message and the next. */
static void watches(struct http_world *w)
{
    struct http_client c;
    client_open(&c, w);
    client_say(&c, GET("/v1/events"));
    expect_or_end(&c, "\r\n\r\n");
    for (int i = 0; i < 3 && !c.ended; i++) {
        char request[300];
        snprintf(request, sizeof request, PUT("ann", "%lu"), later_time());
        if (http_ask(w, request) != 200 && !known(w, "ann"))
            break;
        for (int turn = 0; turn < 5; turn++)
            client_turn(&c);
    }
    client_close(&c);
}

static void once(void)
{
    struct http_world w;
    if (http_world_try(&w, NULL, ",\"limits\":{\"tombstones_max\":100}") >= 0) {
        plan.additions = true;
        reports(&w);
        lists(&w);
        deletions(&w);
        looks(&w);
        watches(&w);
        /* From here on there is memory. */
        http_world_arm = NULL;
        (void)http_ask(&w, PUT("ann", "1700000000"));
        assert_true(known(&w, "ann"));
        reports(&w);
        lists(&w);
        deletions(&w);
        looks(&w);
        watches(&w);
        for (int turn = 0; turn < 20; turn++)
            event_base_loop(w.base, EVLOOP_NONBLOCK);
        assert_int_equal(w.server->http->bodies_bytes, 0);
        assert_int_equal(herd_http_stream_count(w.server->http), 0);
    }
    http_world_arm = NULL;
    http_world_close(&w);
}

/* ---- a wrong token ---- */

static char identities[] = "/tmp/herd-identities-XXXXXX";

/* It waits for its answer, or has one at once, or its connection ends; and who waits may go. */
static void guess(void)
{
    static const char request[] = "GET /v1/node HTTP/1.1\r\n" HOST "Authorization: Bearer herd_x\r\n\r\n";
    struct http_world w;
    char more[128];
    snprintf(more, sizeof more, ",\"identities\":\"%s\"", identities);
    if (http_world_try(&w, NULL, more) >= 0) {
        struct http_client c;
        time_t end = seconds() + DEADLINE_S;
        client_open(&c, &w);
        client_say(&c, request);
        while (!c.ended && w.server->http->late_count == 0 && !whole(&c, request)) {
            client_turn(&c);
            assert_true(seconds() < end);
        }
        if (whole(&c, request)) {
            int status = atoi(client_text(&c) + strlen("HTTP/1.1 "));
            assert_true(status == 401 || status == 503);
        }
        client_close(&c);
        http_world_arm = NULL;
        assert_int_equal(http_ask(&w, GET("/v1/node")), 401);
        while (w.server->http->late_count > 0) {
            event_base_loop(w.base, EVLOOP_ONCE);
            assert_true(seconds() < end);
        }
    }
    http_world_arm = NULL;
    http_world_close(&w);
}

static void test_guesses(void **state)
{
    (void)state;
    static const char text[] = "kiwi cert x x\n";
    int fd = mkstemp(identities);
    assert_true(fd >= 0 && write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1);
    close(fd);
    run_all(guess, 1, 1);
    unlink(identities);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one), cmocka_unit_test(test_twenty),
                                       cmocka_unit_test(test_guesses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
