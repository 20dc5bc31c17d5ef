/* SPDX-License-Identifier: MIT */
/*
 * Every allocation of a server with HTTP failing once, and it with the twenty behind it: while it is made and while clients
 * bring requests in pieces and in chunks, wait for an answer, watch a stream, and go. Whatever failed, each request is
 * answered, or its connection ends; afterwards a new client is served as ever, and nothing is left of the others.
 */
#include "http_story.h"

/* ---- routes ---- */

static struct {
    struct herd_http_deferred *deferred;
    struct herd_http_stream *stream;
    int opened;
} now;

static int open_module(struct herd_http *http, void **ret_state)
{
    (void)http;
    *ret_state = malloc(1);
    now.opened += *ret_state != NULL;
    return *ret_state ? 0 : HERD_E_NOMEM;
}

static void close_module(void *state)
{
    free(state);
    now.opened--;
}

static int echo(struct herd_http_exchange *exchange)
{
    enum herd_verdict verdict;
    struct herd_http_pairs pairs = {.rest = exchange->query};
    struct herd_span name, value;
    while (herd_http_pair_next(exchange, &pairs, &name, &value))
        ;
    int err =
        herd_http_report(exchange, exchange->segments[0], herd_span_of("+1-1"), herd_span_of("5"), NULL, &verdict);
    if (err >= 0)
        err = herd_buf_add(herd_http_body(exchange), exchange->body.at, exchange->body.len);
    if (err >= 0)
        err = herd_http_add_header(exchange, "ETag", herd_span_of("\"1\""));
    return err < 0 ? err : herd_http_reply(exchange, 200, "text/plain");
}

static void on_gone(void *ctx)
{
    (void)ctx;
    now.deferred = NULL;
}

static int later(struct herd_http_exchange *exchange)
{
    now.deferred = herd_http_defer(exchange, on_gone, NULL);
    return now.deferred ? 0 : HERD_E_NOMEM;
}

static void on_closed(void *ctx)
{
    (void)ctx;
    now.stream = NULL;
}

static int stream(struct herd_http_exchange *exchange)
{
    int err = herd_http_stream(exchange, "text/event-stream", on_closed, NULL, &now.stream);
    return err == HERD_E_LIMIT || err == HERD_E_STATE ? 0 : err;
}

static const struct herd_http_route routes[] = {
    {.methods = HERD_HTTP_ON_PUT, .path = "/echo/{}", .handler = echo, .accepts = HERD_HTTP_ELSE},
    {.methods = HERD_HTTP_ON_GET, .path = "/later", .handler = later},
    {.methods = HERD_HTTP_ON_GET, .path = "/stream", .handler = stream},
};
static const struct herd_http_module module = {
    .routes = routes, .route_count = sizeof routes / sizeof *routes, .open = open_module, .close = close_module};

/* ---- the story ---- */

static void turns(struct http_client *c, int count)
{
    for (int i = 0; i < count && !c->ended; i++)
        client_turn(c);
}

static void echoes(struct http_world *w)
{
    static const char *const requests[] = {
        "PUT /echo/a%20b?x=1%20 HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello",
        "PUT /echo/a HTTP/1.1\r\n" HOST
        "Origin: https://a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "PUT /echo/a HTTP/1.1\r\n" HOST
        "Authorization: Basic YTpi\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\nlonger...",
        "GET /nowhere HTTP/1.1\r\n" HOST "\r\n",
        "nonsense\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        size_t len = strlen(requests[i]);
        struct http_client c;
        client_open(&c, w);
        for (size_t at = 0; at < len; at += 20)
            client_send(&c, requests[i] + at, len - at < 20 ? len - at : 20);
        expect_or_end(&c, "HTTP/1.1 ");
        client_say(&c, requests[i]);
        expect_or_end(&c, "HTTP/1.1 ");
        client_close(&c);
    }
}

/* What an app is told was taken is known: it does not send that again. */
static void phones(struct http_world *w)
{
    static const struct {
        const char *id, *request;
    } list[] = {
        {"jane/phone",
         "POST /pub HTTP/1.1\r\n" HOST "X-Limit-U: jane\r\nX-Limit-D: phone\r\nContent-Length: 44\r\n\r\n"
         "{\"_type\":\"location\",\"lat\":1,\"lon\":2,\"tst\":3}"},
        {"a%20b", "GET /?id=a%20b&lat=1&lon=2&timestamp=3 HTTP/1.1\r\n" HOST "\r\n"},
        {"ann", "POST /overland HTTP/1.1\r\n" HOST "Content-Length: 108\r\n\r\n"
                "{\"locations\":[{\"geometry\":{\"type\":\"Point\",\"coordinates\":[2,1]},\"properties\":{\"device_"
                "id\":\"ann\"}},7,     {}]}"},
        {NULL, "GET /api/0/last?user=jane HTTP/1.1\r\n" HOST "\r\n"},
        {NULL, "GET /api/0/last?user=jane&device=phone HTTP/1.1\r\n" HOST "\r\n"},
        {NULL, "GET /api/0/list HTTP/1.1\r\n" HOST "\r\n"},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct herd_record record;
        struct http_client c;
        time_t end = seconds() + DEADLINE_S;
        client_open(&c, w);
        client_say(&c, list[i].request);
        while (!c.ended && !strstr(client_text(&c), "\r\n\r\n")) {
            client_turn(&c);
            assert_true(seconds() < end);
        }
        const char *text = client_text(&c);
        if (!c.ended || strstr(text, "HTTP/1.1 "))
            assert_true(strstr(text, "HTTP/1.1 200") || strstr(text, "HTTP/1.1 503"));
        if (list[i].id && strstr(text, "HTTP/1.1 200"))
            assert_int_equal(herd_server_find(w->server, herd_span_of(list[i].id), &record), 0);
        client_close(&c);
    }
}

/* What a server says of itself: whole, refused, or the connection ends; never a part of it that looks like all. */
static void eyes(struct http_world *w)
{
    static const char *const paths[] = {"/metrics",  "/readyz",       "/v1/node",
                                        "/v1/peers", "/openapi.json", "/v1/clients/jane%2Fphone/trace"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char request[100];
        struct http_client c;
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", paths[i]);
        client_open(&c, w);
        client_say(&c, request);
        time_t end = seconds() + DEADLINE_S;
        while (!c.ended) {
            client_turn(&c);
            assert_true(seconds() < end);
        }
        const char *text = client_text(&c), *body = strstr(text, "\r\n\r\n");
        const char *length = strstr(text, "Content-Length: ");
        if (body && strstr(text, "HTTP/1.1 200")) {
            assert_non_null(length);
            assert_int_equal(strlen(body + 4), strtoul(length + 16, NULL, 10));
            assert_int_equal(text[strlen(text) - 1], '\n');
        } else if (*text) {
            assert_true(strstr(text, "HTTP/1.1 503") || strstr(text, "HTTP/1.1 404"));
        }
        client_close(&c);
    }
}

static void answers_later(struct http_world *w)
{
    struct http_client c;
    client_open(&c, w);
    client_say(&c, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    turns(&c, 20);
    if (now.deferred) {
        struct herd_http_exchange *exchange = herd_http_resume(now.deferred);
        arm(true);
        if (herd_buf_add_text(herd_http_body(exchange), "later") < 0)
            (void)herd_http_problem(exchange, 503, "internal", "No memory", NULL);
        else
            (void)herd_http_reply(exchange, 200, "text/plain");
        arm(false);
        now.deferred = NULL;
        expect_or_end(&c, "HTTP/1.1 ");
    }
    client_close(&c);
    /* One that goes before its answer. */
    client_open(&c, w);
    client_say(&c, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    turns(&c, 20);
    client_close(&c);
}

static void streams(struct http_world *w)
{
    static char bytes[65536];
    struct http_client c;
    client_open(&c, w);
    client_say(&c, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    turns(&c, 20);
    struct herd_block *block = herd_block_new((struct herd_span){bytes, sizeof bytes});
    assert_non_null(block);
    for (int i = 0; i < 100 && now.stream; i++) {
        arm(true);
        herd_http_stream_write(now.stream, block);
        event_base_loop(w->base, EVLOOP_NONBLOCK);
        arm(false);
    }
    client_close(&c);
    for (int i = 0; i < 20; i++)
        event_base_loop(w->base, EVLOOP_NONBLOCK);
    assert_int_equal(block->holders, 1);
    herd_block_release(block);
}

/* At once, and behind a report that is not taken in yet: found, or refused, or the connection ends. */
static void near(struct http_world *w)
{
    static const char *const requests[] = {
        "GET /v1/clients?near=0,0&radius=1e7 HTTP/1.1\r\n" HOST "\r\n",
        "PUT /v1/clients/n HTTP/1.1\r\n" HOST
        "Content-Type: application/json\r\nContent-Length: 17\r\n\r\n{\"lat\":1,\"lon\":2}"
        "GET /v1/clients?near=jane%2Fphone&limit=5 HTTP/1.1\r\n" HOST "\r\n",
        "PUT /v1/clients/n HTTP/1.1\r\n" HOST
        "Content-Type: application/json\r\nContent-Length: 17\r\n\r\n{\"lat\":3,\"lon\":2}"
        "GET /v1/clients?bbox=0,0,9,9&limit=1 HTTP/1.1\r\n" HOST "\r\n",
    };
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct http_client c;
        client_open(&c, w);
        client_say(&c, requests[i]);
        turns(&c, 30);
        expect_or_end(&c, "HTTP/1.1 ");
        client_close(&c);
    }
    for (int i = 0; i < 20; i++)
        event_base_loop(w->base, EVLOOP_NONBLOCK);
    assert_int_equal(w->server->search_count, 0);
}

static void once(void)
{
    struct http_world w;
    memset(&now, 0, sizeof now);
    if (http_world_try(&w, &module, ",\"area\":true,\"http\":{\"proxies\":[\"10.0.0.0/8\"]}") >= 0) {
        plan.additions = true;
        echoes(&w);
        phones(&w);
        near(&w);
        eyes(&w);
        answers_later(&w);
        streams(&w);
        /* From here on there is memory. */
        http_world_arm = NULL;
        struct http_client c;
        client_open(&c, &w);
        client_say(&c, "PUT /echo/a HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello");
        client_expect(&c, "\r\n\r\nhello");
        client_close(&c);
        phones(&w);
        near(&w);
        eyes(&w);
        assert_int_equal(w.server->http->bodies_bytes, 0);
    }
    http_world_arm = NULL;
    http_world_close(&w);
    assert_int_equal(now.opened, 0);
    assert_null(now.deferred);
    assert_null(now.stream);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one), cmocka_unit_test(test_twenty)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
