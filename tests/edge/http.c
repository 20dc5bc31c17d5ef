/* SPDX-License-Identifier: MIT */
/* HTTP from a connection's first byte to a handler and back: bodies of every framing, answers that come later or have no
 * end, and who may not. */
#include "http_world.h"

/* ---- routes ---- */

static struct {
    struct herd_http_deferred *deferred;
    struct herd_http_stream *stream;
    unsigned gone, closed, calls;
    char id[64], pair[64];
} told;

static int echo(struct herd_http_exchange *exchange)
{
    struct herd_buf *body = herd_http_body(exchange);
    told.calls++;
    int err = herd_buf_add(body, exchange->body.at, exchange->body.len);
    return err < 0 ? err : herd_http_reply(exchange, 200, "text/plain");
}

static int length(struct herd_http_exchange *exchange)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%zu bytes", exchange->body.len);
    int err = herd_buf_add(herd_http_body(exchange), text, (size_t)len);
    return err < 0 ? err : herd_http_reply(exchange, 200, "text/plain");
}

static void on_gone(void *ctx)
{
    (void)ctx;
    told.gone++;
    told.deferred = NULL;
}

static int later(struct herd_http_exchange *exchange)
{
    told.deferred = herd_http_defer(exchange, on_gone, NULL);
    return told.deferred ? 0 : HERD_E_NOMEM;
}

static int answer(struct herd_http_exchange *exchange, const char *text)
{
    int err = herd_buf_add_text(herd_http_body(exchange), text);
    return err < 0 ? err : herd_http_reply(exchange, 200, "text/plain");
}

static int at_once(struct herd_http_exchange *exchange)
{
    struct herd_http_deferred *deferred = herd_http_defer(exchange, on_gone, NULL);
    return deferred ? answer(herd_http_resume(deferred), "at once") : HERD_E_NOMEM;
}

static int cannot_begin(struct herd_http_exchange *exchange)
{
    return herd_http_defer(exchange, NULL, NULL) ? HERD_E_LIMIT : HERD_E_NOMEM;
}

static void on_closed(void *ctx)
{
    (void)ctx;
    told.closed++;
    told.stream = NULL;
}

static int stream(struct herd_http_exchange *exchange)
{
    int err = herd_http_stream(exchange, "text/event-stream", on_closed, NULL, &told.stream);
    return err == HERD_E_LIMIT || err == HERD_E_STATE ? 0 : err;
}

static int segment(struct herd_http_exchange *exchange)
{
    assert_int_equal(exchange->segment_count, 1);
    snprintf(told.id, sizeof told.id, "%.*s", (int)exchange->segments[0].len, exchange->segments[0].at);
    struct herd_http_pairs pairs = {.rest = exchange->query};
    struct herd_span name, value;
    told.pair[0] = '\0';
    while (herd_http_pair_next(exchange, &pairs, &name, &value)) {
        size_t len = strlen(told.pair);
        snprintf(told.pair + len, sizeof told.pair - len, "%.*s=%.*s;", (int)name.len, name.at, (int)value.len,
                 value.at);
    }
    return pairs.err < 0 ? herd_http_problem(exchange, 400, "query", "Bad query", NULL)
                         : herd_http_reply(exchange, 204, NULL);
}

static int silent(struct herd_http_exchange *exchange)
{
    (void)exchange;
    return 0;
}

static int broken(struct herd_http_exchange *exchange)
{
    (void)exchange;
    return HERD_E_NOMEM;
}

static int report(struct herd_http_exchange *exchange)
{
    enum herd_verdict verdict;
    int err = herd_http_report(exchange, exchange->segments[0], herd_span_of("+1-1"), herd_span_of("5"),
                               herd_http_body(exchange), &verdict);
    if (err < 0)
        return err;
    return verdict == HERD_VERDICT_NOT_ALLOWED ? herd_http_refuse(exchange)
                                               : herd_http_reply(exchange, 200, "text/plain");
}

static const struct herd_http_route routes[] = {
    {.methods = HERD_HTTP_ON_POST, .path = "/echo", .handler = echo},
    {.methods = HERD_HTTP_ON_PUT,
     .path = "/echo",
     .handler = echo,
     .accepts = HERD_HTTP_ELSE,
     .body_optional = true},
    {.methods = HERD_HTTP_ON_POST,
     .path = "/big",
     .handler = length,
     .accepts = HERD_HTTP_ELSE,
     .body_max_bytes = 1 << 20},
    {.methods = HERD_HTTP_ON_GET, .path = "/later", .handler = later},
    {.methods = HERD_HTTP_ON_GET, .path = "/now", .handler = at_once},
    {.methods = HERD_HTTP_ON_GET, .path = "/cannot", .handler = cannot_begin},
    {.methods = HERD_HTTP_ON_GET, .path = "/stream", .handler = stream},
    {.methods = HERD_HTTP_ON_GET, .path = "/ids/{}", .handler = segment},
    {.methods = HERD_HTTP_ON_GET, .path = "/ids/{}/deep", .handler = segment},
    {.methods = HERD_HTTP_ON_GET, .path = "/silent", .handler = silent},
    {.methods = HERD_HTTP_ON_GET, .path = "/broken", .handler = broken},
    {.methods = HERD_HTTP_ON_GET | HERD_HTTP_ON_POST,
     .path = "/phone",
     .handler = echo,
     .get_writes = true,
     .accepts = HERD_HTTP_JSON | HERD_HTTP_FORM | HERD_HTTP_ELSE},
    {.methods = HERD_HTTP_ON_GET, .path = "/report/{}", .handler = report},
};
static const struct herd_http_module module = {.routes = routes, .route_count = sizeof routes / sizeof *routes};

/* The server's end of the only client, when it is there. */
static struct herd_conn *only_conn(struct http_client *c)
{
    const struct herd_list *conns = &c->world->server->conns;
    while (herd_list_empty(conns))
        client_turn(c);
    return HERD_CONTAINER_OF(conns->next, struct herd_conn, all);
}

static void open_world(struct http_world *w, const char *more)
{
    memset(&told, 0, sizeof told);
    http_world_open(w, &module, more);
}

/* Asks on a connection of its own, and expects `text`. */
static void ask(struct http_world *w, const char *request, const char *text)
{
    struct http_client c;
    client_open(&c, w);
    client_say(&c, request);
    client_expect(&c, text);
    client_close(&c);
}

#define JSON "Content-Type: application/json\r\n"

/* ---- bodies ---- */

static void test_bodies(void **state)
{
    (void)state;
    struct http_world w;
    struct http_client c;
    static const char *const requests[] = {
        "POST /echo HTTP/1.1\r\n" HOST JSON "Content-Length: 5\r\n\r\nhello",
        "POST /echo HTTP/1.1\r\n" HOST JSON
        "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nA: b\r\n\r\n",
        "POST /echo HTTP/1.1\r\n" HOST
        "Content-Type: application/geo+json; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello",
        "PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello",
    };
    open_world(&w, "");
    client_open(&c, &w);
    /* Whole, and in two pieces, cut at every byte; all on one connection. */
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        for (size_t at = 0; at < strlen(requests[i]); at++) {
            client_send(&c, requests[i], at);
            client_say(&c, requests[i] + at);
            client_expect(&c, "\r\n\r\nhello");
            assert_int_equal(c.got.len, 0);
        }
    /* Byte for byte, and many behind one another. */
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        for (const char *at = requests[i]; *at; at++)
            client_send(&c, at, 1);
    for (int i = 0; i < 4; i++)
        client_expect(&c, "\r\n\r\nhello");
    for (int n = 0; n < 100; n++)
        client_say(&c, requests[n % 4]);
    for (int n = 0; n < 100; n++)
        client_expect(&c, "\r\n\r\nhello");
    assert_int_equal(c.got.len, 0);
    assert_int_equal(w.server->http->bodies_bytes, 0);
    client_close(&c);
    http_world_close(&w);
}

static void test_bodies_refused(void **state)
{
    (void)state;
    struct http_world w;
    open_world(&w, "");
    ask(&w, "POST /echo HTTP/1.1\r\n" HOST JSON "\r\n", "HTTP/1.1 411 ");
    ask(&w, "PUT /echo HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 200 ");
    ask(&w, "POST /echo HTTP/1.1\r\n" HOST JSON "Content-Length: 65537\r\nExpect: 100-continue\r\n\r\n",
        "HTTP/1.1 413 ");
    ask(&w, "POST /echo HTTP/1.1\r\n" HOST JSON "Content-Length: 99999999999999999999999\r\n\r\n", "HTTP/1.1 413 ");
    ask(&w, "POST /echo HTTP/1.1\r\n" HOST JSON "Transfer-Encoding: chunked\r\n\r\n10001\r\n", "HTTP/1.1 413 ");
    ask(&w, "POST /echo HTTP/1.1\r\n" HOST JSON "Transfer-Encoding: chunked\r\n\r\nx", "HTTP/1.1 400 ");
    ask(&w, "POST /echo HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 415 ");
    ask(&w, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx", "HTTP/1.1 415 ");
    ask(&w, "POST /echo HTTP/1.1\r\n" HOST JSON "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 415 ");
    ask(&w, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "HTTP/1.1 200 ");
    assert_int_equal(w.server->http->bodies_bytes, 0);
    http_world_close(&w);
}

static void test_continue(void **state)
{
    (void)state;
    struct http_world w;
    struct http_client c;
    open_world(&w, "");
    client_open(&c, &w);
    client_say(&c, "POST /echo HTTP/1.1\r\n" HOST JSON "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    client_expect(&c, "HTTP/1.1 100 Continue\r\n\r\n");
    client_say(&c, "hel");
    client_say(&c, "lo");
    client_expect(&c, "\r\n\r\nhello");
    /* Who sends the body all the same is not told to. */
    client_say(&c, "POST /echo HTTP/1.1\r\n" HOST JSON "Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello");
    client_expect(&c, "HTTP/1.1 200 OK\r\n");
    client_expect(&c, "\r\n\r\nhello");
    client_say(&c,
               "POST /echo HTTP/1.1\r\n" HOST JSON "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
    client_expect(&c, "HTTP/1.1 100 Continue\r\n\r\n");
    client_say(&c, "5\r\nhello\r\n0\r\n\r\n");
    client_expect(&c, "\r\n\r\nhello");
    client_close(&c);
    http_world_close(&w);
}

/* Who announces much more than there is memory for, on many connections, is refused, and nobody else is. */
static void test_bodies_in_all(void **state)
{
    (void)state;
    struct http_world w;
    enum { MANY = 64 };
    struct http_client clients[MANY], more;
    static char half[1 << 19];
    open_world(&w, ",\"limits\":{\"output_max_bytes\":1048576}");
    for (size_t i = 0; i < MANY; i++) {
        client_open(&clients[i], &w);
        client_say(&clients[i], "POST /big HTTP/1.1\r\n" HOST "Content-Length: 1048576\r\n\r\n");
    }
    assert_true(w.server->http->bodies_bytes == (uint64_t)MANY << 20);
    client_open(&more, &w);
    client_say(&more, "POST /big HTTP/1.1\r\n" HOST "Content-Length: 1048576\r\n\r\n");
    client_expect(&more, "HTTP/1.1 503 ");
    client_expect_end(&more);
    client_close(&more);
    ask(&w, "PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", "\r\n\r\nhello");
    client_send(&clients[0], half, sizeof half);
    client_send(&clients[0], half, sizeof half);
    client_expect(&clients[0], "1048576 bytes");
    for (size_t i = 0; i < MANY; i++)
        client_close(&clients[i]);
    http_world_close(&w);
}

/* ---- paths ---- */

static void test_paths(void **state)
{
    (void)state;
    struct http_world w;
    static const struct {
        const char *target, *status, *id, *pair;
    } rows[] = {
        {"/ids/a", "204", "a", ""},
        {"/ids/a%2Fb%20c+d", "204", "a/b c+d", ""},
        {"/ids/a/deep?x=1&y=a+b%2B&&z", "204", "a", "x=1;y=a b+;z=;"},
        {"/ids/", "404", NULL, NULL},
        {"/ids//deep", "404", NULL, NULL},
        {"/ids/a/", "404", NULL, NULL},
        {"/ids", "404", NULL, NULL},
        {"/ids/%00", "400", NULL, NULL},
        {"/ids/a%", "400", NULL, NULL},
        {"/ids/a%zz", "400", NULL, NULL},
        {"/ids/a?x=%", "400", "a", ""}, /* its handler says so */
        {"/ids/..", "204", "..", ""},
    };
    open_world(&w, "");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char request[256], expected[32];
        memset(&told, 0, sizeof told);
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" HOST "\r\n", rows[i].target);
        snprintf(expected, sizeof expected, "HTTP/1.1 %s ", rows[i].status);
        ask(&w, request, expected);
        assert_string_equal(told.id, rows[i].id ? rows[i].id : "");
        assert_string_equal(told.pair, rows[i].pair ? rows[i].pair : "");
    }
    http_world_close(&w);
}

static void test_handlers_that_fail(void **state)
{
    (void)state;
    struct http_world w;
    open_world(&w, "");
    ask(&w, "GET /silent HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 500 ");
    ask(&w, "GET /broken HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 503 ");
    ask(&w, "GET /cannot HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 503 ");
    http_world_close(&w);
}

/* ---- pages ---- */

#define GOOD "HTTP/1.1 200 "
#define BAD  "HTTP/1.1 403 "

static void test_pages(void **state)
{
    (void)state;
    struct http_world w;
    static const struct {
        const char *fields, *post, *get;
    } rows[] = {
        {"", GOOD, GOOD},
        {"Origin: http://localhost\r\n", GOOD, GOOD},
        {"Origin: https://map.example\r\n", GOOD, GOOD},
        {"Origin: https://evil.example\r\n", BAD, BAD},
        {"Origin: null\r\n", BAD, BAD},
        {"Origin: http://localhost:81\r\n", BAD, BAD},
        {"Origin: http://localhost\r\nOrigin: http://localhost\r\n", BAD, BAD},
        {"Sec-Fetch-Site: cross-site\r\n", BAD, BAD},
        {"Sec-Fetch-Site: same-site\r\n", BAD, BAD},
        {"Sec-Fetch-Site: same-origin\r\n", GOOD, GOOD},
        {"Sec-Fetch-Site: none\r\n", GOOD, GOOD},
        {"Referer: http://localhost/page?x\r\n", GOOD, GOOD},
        {"Referer: https://map.example/\r\n", GOOD, GOOD},
        {"Referer: https://evil.example/http://localhost\r\n", BAD, BAD},
        {"Authorization: Basic YTpi\r\nOrigin: https://evil.example\r\n", BAD,
         BAD}, /* a browser adds what it has kept */
    };
    open_world(&w, ",\"http\":{\"origins\":[\"https://map.example\"]}");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char request[512];
        snprintf(request, sizeof request,
                 "POST /phone HTTP/1.1\r\n" HOST
                 "%sContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b",
                 rows[i].fields);
        ask(&w, request, rows[i].post);
        snprintf(request, sizeof request, "GET /phone?a=b HTTP/1.1\r\n" HOST "%s\r\n", rows[i].fields);
        ask(&w, request, rows[i].get);
        /* What changes nothing is for all who can reach it: a browser keeps the answer from the page. */
        snprintf(request, sizeof request, "GET /ids/a HTTP/1.1\r\n" HOST "%s\r\n", rows[i].fields);
        ask(&w, request, "HTTP/1.1 204 ");
    }
    http_world_close(&w);
}

/* ---- later ---- */

static void test_later(void **state)
{
    (void)state;
    struct http_world w;
    struct http_client c;
    open_world(&w, "");
    client_open(&c, &w);
    /* What is behind it waits, and is answered in order. */
    client_say(&c, "GET /later HTTP/1.1\r\n" HOST "Origin: https://a.example\r\n\r\n"
                   "PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello");
    while (!told.deferred)
        client_turn(&c);
    for (int i = 0; i < 20; i++)
        client_turn(&c);
    assert_int_equal(c.got.len, 0);
    assert_int_equal(answer(herd_http_resume(told.deferred), "later"), 0);
    client_expect(&c, "Vary: Origin\r\n\r\nlater");
    client_expect(&c, "\r\n\r\nhello");
    assert_int_equal(told.gone, 0);
    /* From inside the handler. */
    client_say(&c, "GET /now HTTP/1.1\r\n" HOST "\r\nGET /now HTTP/1.1\r\n" HOST "\r\n");
    client_expect(&c, "\r\n\r\nat once");
    client_expect(&c, "\r\n\r\nat once");
    /* To one who says nothing more. */
    told.deferred = NULL;
    client_say(&c, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    shutdown(c.fd, SHUT_WR);
    while (!told.deferred)
        client_turn(&c);
    for (int i = 0; i < 20; i++)
        client_turn(&c);
    assert_false(c.ended);
    assert_int_equal(answer(herd_http_resume(told.deferred), "last"), 0);
    client_expect(&c, "\r\n\r\nlast");
    client_expect_end(&c);
    client_close(&c);
    /* The connection goes first: the server closes it when it is freed, or the client resets it. */
    client_open(&c, &w);
    told.deferred = NULL;
    client_say(&c, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    while (!told.deferred)
        client_turn(&c);
    assert_int_equal(told.gone, 0);
    http_world_close(&w);
    assert_int_equal(told.gone, 1);
    close(c.fd);
    herd_buf_fini(&c.got);
}

/* A stop waits for an answer that is under way. */
static void test_later_and_stop(void **state)
{
    (void)state;
    struct http_world w;
    struct http_client c;
    open_world(&w, "");
    client_open(&c, &w);
    client_say(&c, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    while (!told.deferred)
        client_turn(&c);
    herd_server_stop(w.server, 10000);
    for (int i = 0; i < 20; i++)
        client_turn(&c);
    assert_false(c.ended);
    assert_int_equal(answer(herd_http_resume(told.deferred), "later"), 0);
    client_expect(&c, "\r\n\r\nlater");
    client_expect_end(&c);
    client_close(&c);
    http_world_close(&w);
}

/* ---- without end ---- */

static void write_stream(const char *text)
{
    struct herd_block *block = herd_block_new(herd_span_of(text));
    assert_non_null(block);
    herd_http_stream_write(told.stream, block);
    herd_block_release(block);
}

static void test_stream(void **state)
{
    (void)state;
    struct http_world w;
    struct http_client c, second;
    open_world(&w, ",\"limits\":{\"viewers_max\":1}");
    client_open(&c, &w);
    client_say(&c, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    client_expect(&c, "Connection: close\r\n\r\n");
    assert_non_null(told.stream);
    struct herd_http_stream *first = told.stream;
    write_stream("data: 1\n\n");
    client_expect(&c, "data: 1\n\n");
    /* One more than may be; HEAD is not one. */
    ask(&w, "GET /stream HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 503 ");
    ask(&w, "HEAD /stream HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 503 ");
    assert_ptr_equal(told.stream, first);
    assert_true(herd_http_stream_may_ask(first, herd_span_of("x")));
    /* What the viewer says is of no interest. */
    client_say(&c, "GET /now HTTP/1.1\r\n" HOST "\r\n");
    write_stream("data: 2\n\n");
    client_expect(&c, "data: 2\n\n");
    /* It goes. */
    client_close(&c);
    client_open(&second, &w);
    client_say(&second, "PUT /echo HTTP/1.1\r\n" HOST "\r\n");
    for (int i = 0; i < 1000 && told.stream; i++) {
        write_stream(": still there?\n\n");
        client_turn(&second);
    }
    assert_int_equal(told.closed, 1);
    assert_int_equal(w.server->http->stream_count, 0);
    /* The handler's side ends it. */
    client_say(&second, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    client_expect(&second, "text/event-stream");
    write_stream("data: 3\n\n");
    herd_http_stream_end(told.stream);
    client_expect(&second, "data: 3\n\n");
    client_expect_end(&second);
    client_close(&second);
    assert_int_equal(told.closed, 1);
    /* A stop ends it. */
    client_open(&c, &w);
    client_say(&c, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    client_expect(&c, "Connection: close\r\n\r\n");
    herd_server_stop(w.server, 10000);
    client_expect_end(&c);
    assert_int_equal(told.closed, 2);
    client_close(&c);
    http_world_close(&w);
}

/* One who watches and takes nothing holds no more than output_max_bytes, and blocks are shared. */
static void test_stalled_viewer(void **state)
{
    (void)state;
    struct http_world w;
    struct http_client c;
    static char bytes[65536];
    open_world(&w, ",\"limits\":{\"output_pause_bytes\":65536,\"output_max_bytes\":1048576}");
    client_open(&c, &w);
    client_say(&c, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
    client_expect(&c, "Connection: close\r\n\r\n");
    memset(bytes, 'x', sizeof bytes);
    struct herd_block *block = herd_block_new((struct herd_span){bytes, sizeof bytes});
    assert_non_null(block);
    size_t most = 0;
    for (int i = 0; i < 1000 && told.stream; i++) {
        herd_http_stream_write(told.stream, block);
        size_t unsent = herd_http_stream_unsent(told.stream);
        most = unsent > most ? unsent : most;
        event_base_loop(w.base, EVLOOP_NONBLOCK);
    }
    assert_int_equal(told.closed, 1);
    assert_true(most <= 1048576 + sizeof bytes);
    assert_int_equal(block->holders, 1);
    herd_block_release(block);
    client_close(&c);
    http_world_close(&w);
}

/* A head that is not whole when the output is full has its deadline again when that has left. */
static void test_half_a_head_and_full_output(void **state)
{
    (void)state;
    struct http_world w;
    struct http_client c;
    open_world(&w, ",\"limits\":{\"line_deadline_ms\":200}");
    client_open(&c, &w);
    client_say(&c, "GET /he");
    struct herd_conn *conn = only_conn(&c);
    for (const time_t end = seconds() + DEADLINE_S; !conn->request && seconds() < end;)
        client_turn(&c);
    conn->protocol->suspended(conn);
    conn->protocol->writable(conn);
    client_expect_end(&c);
    client_close(&c);
    http_world_close(&w);
}

/* ---- reports and counts ---- */

static void test_reports(void **state)
{
    (void)state;
    struct http_world w;
    struct herd_record record;
    struct herd_http_count count;
    open_world(&w, "");
    ask(&w, "GET /report/x HTTP/1.1\r\n" HOST "\r\n", "\r\n\r\nAT a +");
    assert_int_equal(herd_server_find(w.server, herd_span_of("x"), &record), 0);
    ask(&w, "GET /report/a%20b HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 500 ");
    ask(&w, "GET /nowhere HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 404 ");
    assert_true(herd_http_count_at(w.server->http, 0, &count));
    assert_null(count.route);
    assert_int_equal(count.by_class[4], 1);
    size_t index = 1;
    while (herd_http_count_at(w.server->http, index, &count) && strcmp(count.route->path, "/report/{}") != 0)
        index++;
    assert_int_equal(count.by_class[2], 1);
    assert_int_equal(count.by_class[5], 1);
    assert_false(herd_http_count_at(w.server->http, index + 1, &count));
    http_world_close(&w);
}

/* A token where others can read it is refused, right or wrong, and told; it is not on loopback by itself. */
static void test_token_in_clear(void **state)
{
    (void)state;
    struct http_world w;
    struct http_client c;
    char path[] = "/tmp/herd-identities-XXXXXX", more[128];
    static const char text[] = "kiwi sha256:0000000000000000000000000000000000000000000000000000000000000001 x x\n";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1);
    close(fd);
    snprintf(more, sizeof more, ",\"identities\":\"%s\"", path);
    open_world(&w, more);
    unlink(path);
    client_open(&c, &w);
    struct herd_conn *conn = only_conn(&c);
    client_say(&c, "GET /report/x HTTP/1.1\r\n" HOST "Authorization: Bearer herd_x\r\n\r\n");
    client_expect(&c, "HTTP/1.1 401 ");
    herd_session_set_proof(conn->session, (struct herd_span){"", 0}, false);
    client_say(&c, "GET /report/x HTTP/1.1\r\n" HOST "Authorization: Bearer herd_x\r\n\r\n");
    client_expect(&c, "HTTP/1.1 403 ");
    client_say(&c, "GET /report/x HTTP/1.1\r\n" HOST "\r\n");
    client_expect(&c, "HTTP/1.1 401 ");
    client_close(&c);
    http_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),         cmocka_unit_test(test_bodies_refused),
        cmocka_unit_test(test_continue),       cmocka_unit_test(test_bodies_in_all),
        cmocka_unit_test(test_paths),          cmocka_unit_test(test_handlers_that_fail),
        cmocka_unit_test(test_pages),          cmocka_unit_test(test_later),
        cmocka_unit_test(test_later_and_stop), cmocka_unit_test(test_stream),
        cmocka_unit_test(test_stalled_viewer), cmocka_unit_test(test_reports),
        cmocka_unit_test(test_token_in_clear), cmocka_unit_test(test_half_a_head_and_full_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
