/* SPDX-License-Identifier: MIT */
/* The client of the library: order, failing over, time-outs, refusals, and servers that are none. */
#include "client_world.h"

static void test_order(void **state)
{
    struct world *w = *state;
    w->addresses[0] = serve(w);
    connect_client(w, 1, (struct herd_client_options){0});
    for (int i = 0; i < 200; i++) {
        char id[16];
        snprintf(id, sizeof id, "id%d", i);
        assert_int_equal(i % 3 ? report(w, id) : report(w, id) + whatsat(w, id), 0);
    }
    assert_int_equal(herd_client_pending(w->client), 267);
    run(w, 267);
    size_t at = 0;
    for (int i = 0; i < 200; i++) {
        char id[16];
        snprintf(id, sizeof id, "id%d", i);
        for (int k = i % 3 ? 1 : 0; k < 2; k++, at++) {
            assert_int_equal(w->errs[at], 0);
            assert_string_equal(w->id[at], id);
        }
    }
    assert_int_equal(herd_client_pending(w->client), 0);
    assert_int_equal(w->ups, 1);
    assert_int_equal(w->downs, 0);
}

static void test_question(void **state)
{
    struct world *w = *state;
    w->addresses[0] = serve(w);
    connect_client(w, 1, (struct herd_client_options){0});
    assert_int_equal(whatsat(w, "nobody"), 0);
    assert_int_equal(report(w, "kiwi"), 0);
    assert_int_equal(whatsat(w, "kiwi"), 0);
    run(w, 3);
    assert_int_equal(w->errs[0], HERD_E_NOTFOUND);
    assert_int_equal(w->errs[2], 0);
    assert_int_equal(w->json[0], '{');
    assert_int_equal(w->json[strlen(w->json) - 1], '}');
    assert_non_null(strstr(w->json, "\"OK\""));
}

static void test_arguments(void **state)
{
    struct world *w = *state;
    w->addresses[0] = unused_address(w);
    const struct herd_client_options none = {.servers = w->addresses}, negative = {w->addresses, 1, .reply_ms = -1};
    assert_int_equal(herd_client_new(&w->client, w->base, &none), HERD_E_ARG);
    assert_int_equal(herd_client_new(&w->client, w->base, &negative), HERD_E_ARG);
    const struct herd_client_options one = {.servers = w->addresses, .server_count = 1};
    assert_int_equal(herd_client_new(NULL, w->base, &one), HERD_E_ARG);
    assert_int_equal(herd_client_new(&w->client, NULL, &one), HERD_E_ARG);
    assert_int_equal(herd_client_new(&w->client, w->base, NULL), HERD_E_ARG);
    static const char *const tokens[] = {"", "a b", "a\tb", "a\x7f", "\x1f"};
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        struct herd_diagnostic diagnostic = {0};
        const struct herd_client_options with = {
            .servers = w->addresses, .server_count = 1, .token = tokens[i], .diagnostic = &diagnostic};
        assert_int_equal(herd_client_new(&w->client, w->base, &with), HERD_E_ARG);
        assert_non_null(strstr(diagnostic.message, "the token: expected 1 to"));
    }
    connect_client(w, 1, (struct herd_client_options){.requests_max = 1});
    static const struct {
        const char *id, *place, *time;
        int err;
    } reports[] = {
        {"", KIWI, "1", HERD_E_SYNTAX},          {"a b", KIWI, "1", HERD_E_SYNTAX},
        {"a\n", KIWI, "1", HERD_E_SYNTAX},       {"a", "34-118", "1", HERD_E_SYNTAX},
        {"a", "+91-118", "1", HERD_E_RANGE},     {"a", KIWI, "-1", HERD_E_SYNTAX},
        {"a", KIWI, "9223372037", HERD_E_RANGE},
    };
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++)
        assert_int_equal(herd_client_report(w->client, herd_span_of(reports[i].id), herd_span_of(reports[i].place),
                                            herd_span_of(reports[i].time), on_done, w),
                         reports[i].err);
    static const struct {
        const char *radius;
        unsigned bound;
        int err;
    } questions[] = {
        {"50.1", 1, HERD_E_RANGE}, {"-1", 1, HERD_E_SYNTAX}, {"", 1, HERD_E_SYNTAX}, {"50", 21, HERD_E_RANGE}};
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
        assert_int_equal(herd_client_whatsat(w->client, herd_span_of("a"), herd_span_of(questions[i].radius),
                                             questions[i].bound, on_done, w),
                         questions[i].err);
    assert_int_equal(whatsat(w, "a b"), HERD_E_SYNTAX);
    assert_int_equal(whatsat(w, ""), HERD_E_SYNTAX);
    assert_int_equal(report(w, "a"), 0);
    assert_int_equal(report(w, "b"), HERD_E_LIMIT);
    assert_int_equal(w->ended, 0);
}

static void test_place(void **state)
{
    (void)state;
    char text[HERD_CLIENT_POSITION_MAX];
    assert_int_equal(herd_client_format_position(text, 34.06893, -118.445127), 0);
    assert_string_equal(text, "+34.068930000-118.445127000");
    assert_int_equal(herd_client_format_position(text, -90, 180), 0);
    assert_string_equal(text, "-90.000000000+180.000000000");
    assert_int_equal(herd_client_format_position(text, 0, 0), 0);
    assert_int_equal(herd_client_format_position(text, 90.1, 0), HERD_E_RANGE);
    assert_int_equal(herd_client_format_position(text, 0, strtod("nan", NULL)), HERD_E_RANGE);
}

static void test_fail_over(void **state)
{
    struct world *w = *state;
    w->addresses[0] = unused_address(w);
    w->fakes[0].close_at_once = true;
    w->addresses[1] = fake_open(w, &w->fakes[0]);
    w->addresses[2] = serve(w);
    connect_client(w, 3, (struct herd_client_options){0});
    for (int i = 0; i < 10; i++)
        assert_int_equal(report(w, "kiwi"), 0);
    run(w, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(w->errs[i], 0);
    assert_int_equal(w->last_server, 2);
    assert_int_equal(w->downs, 2);
}

/* A connection that ended while nothing was asked: the others come first, and the one that may be dead comes last. */
static void test_ended_while_idle(void **state)
{
    struct world *w = *state;
    w->addresses[0] = serve(w);
    w->addresses[1] = fake_open(w, &w->fakes[0]);
    connect_client(w, 2, (struct herd_client_options){.reply_ms = 50});
    assert_int_equal(report(w, "kiwi"), 0);
    run(w, 1);
    assert_int_equal(w->last_server, 0);
    herd_server_free(w->server);
    w->server = NULL;
    while (w->downs == 0)
        event_base_loop(w->base, EVLOOP_ONCE);
    assert_int_equal(report(w, "kiwi"), 0);
    while (w->fakes[0].count == 0)
        event_base_loop(w->base, EVLOOP_ONCE);
    assert_int_equal(w->downs, 1); /* no attempt failed before */
    /* This one is silent: then the first is tried, which is back. */
    w->config->servers[0].port = w->addresses[0].port;
    serve(w);
    run(w, 2);
    assert_int_equal(w->errs[1], 0);
    assert_int_equal(w->last_server, 0);
}

/* A server that accepts and says nothing, then one that talks nonsense, then a good one. */
static void test_silent_and_lying(void **state)
{
    struct world *w = *state;
    w->addresses[0] = fake_open(w, &w->fakes[0]);
    w->fakes[1].text = "HTTP/1.1 400 Bad Request\r\n\r\n";
    w->addresses[1] = fake_open(w, &w->fakes[1]);
    w->addresses[2] = serve(w);
    connect_client(w, 3, (struct herd_client_options){.reply_ms = 50});
    assert_int_equal(report(w, "kiwi") + whatsat(w, "kiwi"), 0);
    run(w, 2);
    assert_int_equal(w->errs[0], 0);
    assert_int_equal(w->errs[1], 0);
    assert_int_equal(w->last_server, 2);
    assert_int_equal(w->downs, 2);
    assert_string_equal(w->why, "the server's reply makes no sense");
}

/* What is no reply to what was asked is not taken for one: the client goes to the next server. */
static void test_replies_that_are_none(void **state)
{
    static const struct {
        bool question;
        const char *text;
    } rows[] = {
        {false, "AT X +0.1 other +1+1 1\n"},
        {false, "AT X +0.1 kiwi +1+2 1\n"},
        {false, "AT X +0.1 kiwi +1+1 2\n"},
        {false, "AT X +0.1 kiwi +1+1\n"},
        {false, "? \n"},
        {false, "?\n"},
        {false, "? IAMAT kiwi +1+1 2\n"},
        {false, "? IAMAT kiwi +1+1 1 and more than was said\n"},
        {false, "? WHATSAT kiwi 1 1\n"},
        {false, "\n"},
        {false, "IAMAT kiwi +1+1 1\n"},
        {true, "AT X +0.1 other +1+1 1\n{}\n\n"},
        {true, "{}\n\n"},
        {true, "? IAMAT kiwi +1+1 1\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *fresh;
        setup(&fresh);
        struct world *w = fresh;
        w->fakes[0].text = rows[i].text;
        w->addresses[0] = fake_open(w, &w->fakes[0]);
        w->fakes[1].text = rows[i].question ? "AT X +0.1 kiwi +5+5 5\n{}\n\n" : "AT Y -0.1 kiwi +1+1 1\n";
        w->addresses[1] = fake_open(w, &w->fakes[1]);
        connect_client(w, 2, (struct herd_client_options){.retry_min_ms = 1, .retry_max_ms = 2, .reply_ms = 2000});
        int err = rows[i].question
                      ? herd_client_whatsat(w->client, herd_span_of("kiwi"), herd_span_of("1"), 1, on_done, w)
                      : herd_client_report(w->client, herd_span_of("kiwi"), herd_span_of("+1+1"), herd_span_of("1"),
                                           on_done, w);
        assert_int_equal(err, 0);
        run(w, 1);
        if (w->errs[0] != 0 || w->last_server != 1)
            fail_msg("%s: %d from server %zu", rows[i].text, w->errs[0], w->last_server);
        teardown(&fresh);
    }
}

static void test_options(void **state)
{
    struct world *w = *state;
    struct herd_client_address good = {"127.0.0.1", 1}, no_host = {NULL, 1}, empty = {"", 1},
                               no_port = {"127.0.0.1", 0};
    const int64_t too_long = INT64_MAX / 4;
    const struct herd_client_options rows[] = {
        {&good, 1, .connect_ms = -1},   {&good, 1, .timeout_ms = -1},       {&good, 1, .retry_min_ms = -1},
        {&good, 1, .retry_max_ms = -1}, {&good, 1, .connect_ms = too_long}, {&good, 1, .retry_max_ms = too_long},
        {&no_host, 1, .connect_ms = 1}, {&empty, 1, .connect_ms = 1},       {&no_port, 1, .connect_ms = 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(herd_client_new(&w->client, w->base, &rows[i]), HERD_E_ARG);
    assert_null(w->client);
    herd_client_free(NULL);
    /* Nobody has to be told. */
    w->addresses[0] = serve(w);
    connect_client(w, 1, (struct herd_client_options){0});
    assert_int_equal(
        herd_client_report(w->client, herd_span_of("quiet"), herd_span_of(KIWI), herd_span_of("5"), NULL, NULL), 0);
    assert_int_equal(whatsat(w, "quiet"), 0);
    run(w, 1);
    assert_int_equal(w->errs[0], 0);
    /* Any byte that is no white space may be in an id. */
    assert_int_equal(report(w, "caf\xc3\xa9\x01\x0e"), 0);
    assert_int_equal(whatsat(w, "caf\xc3\xa9\x01\x0e"), 0);
    run(w, 3);
    assert_int_equal(w->errs[1], 0);
    assert_int_equal(w->errs[2], 0);
}

/* A server whose queue is full takes no connection, and says nothing. */
static void test_no_connection(void **state)
{
    struct world *w = *state;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM, 0), full[8];
    assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    for (int i = 0; i < 8; i++) {
        full[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(evutil_make_socket_nonblocking(full[i]), 0);
        (void)connect(full[i], (struct sockaddr *)&in, len);
    }
    w->addresses[0] = (struct herd_client_address){"127.0.0.1", ntohs(in.sin_port)};
    w->addresses[1] = serve(w);
    connect_client(w, 2, (struct herd_client_options){.connect_ms = 50});
    assert_int_equal(report(w, "kiwi"), 0);
    run(w, 1);
    assert_int_equal(w->errs[0], 0);
    assert_int_equal(w->last_server, 1);
    assert_string_equal(w->why, "no connection in time");
    for (int i = 0; i < 8; i++)
        evutil_closesocket(full[i]);
    evutil_closesocket(fd);
}

static void test_timeout(void **state)
{
    struct world *w = *state;
    w->addresses[0] = fake_open(w, &w->fakes[0]);
    connect_client(w, 1, (struct herd_client_options){.timeout_ms = 60});
    assert_int_equal(report(w, "kiwi") + whatsat(w, "kiwi"), 0);
    run(w, 2);
    assert_int_equal(w->errs[0], HERD_E_TIMEOUT);
    assert_int_equal(w->errs[1], HERD_E_TIMEOUT);
    assert_int_equal(herd_client_pending(w->client), 0);
    assert_int_equal(w->downs, 0); /* it may yet reply, and later requests find theirs */
}

/* The reply to a request that has timed out is not given to the next. */
static void test_late_reply(void **state)
{
    struct world *w = *state;
    w->addresses[0] = fake_open(w, &w->fakes[0]);
    connect_client(w, 1, (struct herd_client_options){.timeout_ms = 60});
    assert_int_equal(
        herd_client_report(w->client, herd_span_of("a"), herd_span_of("+1+1"), herd_span_of("1"), on_done, w), 0);
    run(w, 1);
    assert_int_equal(
        herd_client_report(w->client, herd_span_of("b"), herd_span_of("+2+2"), herd_span_of("2"), on_done, w), 0);
    static const char late[] = "AT X +0.1 a +1+1 1\nAT X +0.1 b +2+2 2\n";
    assert_int_equal(w->fakes[0].count, 1);
    bufferevent_write(w->fakes[0].bevs[0], late, strlen(late));
    run(w, 2);
    assert_int_equal(w->errs[0], HERD_E_TIMEOUT);
    assert_int_equal(w->errs[1], 0);
    assert_string_equal(w->id[1], "b");
}

static void test_unreachable(void **state)
{
    struct world *w = *state;
    w->addresses[0] = w->addresses[1] = unused_address(w);
    connect_client(w, 2, (struct herd_client_options){.timeout_ms = 150, .retry_min_ms = 20, .retry_max_ms = 40});
    assert_int_equal(report(w, "kiwi"), 0);
    run(w, 1);
    assert_int_equal(w->errs[0], HERD_E_TIMEOUT);
    assert_in_range(w->downs, 4, 40); /* two a round, at least 10 ms between rounds */
}

/* A herd that is down for a while: what was asked meanwhile is answered when it is back. */
static void begin_serving(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    serve(arg);
}

static void test_comes_back(void **state)
{
    struct world *w = *state;
    w->addresses[0] = serve(w);
    connect_client(w, 1, (struct herd_client_options){.retry_min_ms = 10, .retry_max_ms = 50});
    assert_int_equal(report(w, "kiwi"), 0);
    run(w, 1);
    herd_server_free(w->server);
    w->server = NULL;
    w->config->servers[0].port = w->addresses[0].port;
    assert_int_equal(report(w, "kiwi") + whatsat(w, "kiwi"), 0);
    event_base_once(w->base, -1, EV_TIMEOUT, begin_serving, w, &(struct timeval){0, 100000});
    run(w, 3);
    assert_int_equal(w->errs[1], 0);
    assert_int_equal(w->errs[2], 0);
    assert_true(w->ups >= 2 && w->downs >= 1);
}

static void test_refused(void **state)
{
    struct world *w = *state;
    w->config->limits.records_max = 1;
    w->config->limits.line_max_bytes = 300;
    w->addresses[0] = serve(w);
    connect_client(w, 1, (struct herd_client_options){.retry_min_ms = 10});
    char id[1000];
    memset(id, 'x', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    assert_int_equal(report(w, "first") + report(w, "second") + report(w, id) + report(w, "first"), 0);
    run(w, 4);
    assert_int_equal(w->errs[0], 0);
    assert_int_equal(w->errs[1], HERD_E_ACCESS);
    assert_int_equal(w->errs[2], HERD_E_LIMIT);
    assert_int_equal(w->errs[3], 0); /* on a new connection: the server closed the old one */
    assert_int_equal(w->ups, 2);
}

static void test_reply_too_long(void **state)
{
    struct world *w = *state;
    w->addresses[0] = serve(w);
    connect_client(w, 1, (struct herd_client_options){.reply_max_bytes = 200, .retry_min_ms = 10});
    assert_int_equal(report(w, "kiwi") + whatsat(w, "kiwi") + report(w, "kiwi"), 0);
    run(w, 3);
    assert_int_equal(w->errs[0], 0);
    assert_int_equal(w->errs[1], HERD_E_LIMIT);
    assert_int_equal(w->errs[2], 0);
}

static void test_free_inside(void **state)
{
    struct world *w = *state;
    w->addresses[0] = serve(w);
    connect_client(w, 1, (struct herd_client_options){0});
    w->free_in_done = true;
    assert_int_equal(report(w, "a") + report(w, "b") + whatsat(w, "a"), 0);
    run(w, 1);
    assert_null(w->client);
    assert_int_equal(w->ended, 1);
    w->addresses[0] = fake_open(w, &w->fakes[0]); /* and from a time-out */
    connect_client(w, 1, (struct herd_client_options){.timeout_ms = 20});
    assert_int_equal(report(w, "a") + report(w, "b"), 0);
    run(w, 2);
    assert_null(w->client);
}

static void test_name(void **state)
{
    struct world *w = *state;
    w->addresses[1] = serve(w);
    w->addresses[0] = (struct herd_client_address){"no-such-host.invalid", 1};
    w->addresses[1].host = "localhost";
    connect_client(w, 2, (struct herd_client_options){.connect_ms = 300});
    assert_int_equal(report(w, "kiwi"), 0);
    run(w, 1);
    assert_int_equal(w->errs[0], 0);
    assert_int_equal(w->last_server, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order),
        TEST(test_question),
        TEST(test_arguments),
        TEST(test_place),
        TEST(test_fail_over),
        TEST(test_ended_while_idle),
        TEST(test_silent_and_lying),
        TEST(test_timeout),
        TEST(test_late_reply),
        TEST(test_unreachable),
        TEST(test_comes_back),
        TEST(test_refused),
        TEST(test_reply_too_long),
        TEST(test_free_inside),
        TEST(test_name),
        TEST(test_options),
        TEST(test_no_connection),
        cmocka_unit_test(test_replies_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
