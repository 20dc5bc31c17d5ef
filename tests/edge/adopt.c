/* SPDX-License-Identifier: MIT */
/*
 * Connections handed to a server as bufferevents: pairs, sockets, and what they do when they end, fail, or carry
 * more than fits.
 */
#include "../unit/cm.h"

#include "server_impl.h"

#include <herd/herd.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_S 20

struct duo {
    struct event_base *base;
    struct herd_config *config;
    struct herd_server *server[2];
    struct bufferevent *ours[4], *link;
    bool eof[4];
    size_t stopped;
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_stopped(void *ctx)
{
    ((struct duo *)ctx)->stopped++;
}

static int begin(void **state)
{
    static const char json[] = "{\"servers\":{\"a\":{\"port\":1},\"b\":{\"port\":2},\"c\":{\"port\":3}},\"links\":["
                               "[\"a\",\"b\"],[\"b\",\"c\"]],"
                               "\"limits\":{\"output_pause_bytes\":4096,\"output_max_bytes\":65536,\"line_max_"
                               "bytes\":256,\"peer_ping_ms\":100,"
                               "\"peer_buffer_bytes\":4096}}";
    struct herd_diagnostic diagnostic;
    struct duo *d = calloc(1, sizeof *d);
    assert_non_null(d);
    d->base = event_base_new();
    if (herd_config_parse(&d->config, herd_span_of(json), &diagnostic) < 0)
        fail_msg("%s", diagnostic.message);
    for (int i = 0; i < 2; i++) {
        struct herd_server_options options = {.name = i ? "b" : "a",
                                              .config = d->config,
                                              .dont_listen = true,
                                              .dont_dial = true,
                                              .hooks = {.ctx = d, .stopped = on_stopped}};
        if (herd_server_new(&d->server[i], d->base, &options, &diagnostic) < 0)
            fail_msg("%s", diagnostic.message);
        assert_int_equal(herd_server_port(d->server[i]), 0);
    }
    *state = d;
    return 0;
}

static int end(void **state)
{
    struct duo *d = *state;
    for (int i = 0; i < 4; i++)
        if (d->ours[i])
            bufferevent_free(d->ours[i]);
    for (int i = 0; i < 2; i++)
        herd_server_free(d->server[i]);
    event_base_loop(d->base, EVLOOP_NONBLOCK);
    herd_config_free(d->config);
    event_base_free(d->base);
    free(d);
    return 0;
}

static void turn(struct duo *d)
{
    struct timeval soon = {0, 2000};
    event_base_loopexit(d->base, &soon);
    event_base_loop(d->base, EVLOOP_ONCE);
}

#define WAIT(condition)                                              \
    for (double until = now_s() + DEADLINE_S; !(condition); turn(d)) \
        if (now_s() > until)                                         \
    fail_msg("not in time: %s", #condition)

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct duo *d = arg;
    for (int i = 0; i < 4; i++)
        if (d->ours[i] == bev && what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
            d->eof[i] = true;
}

static void keep(struct duo *d, int i, struct bufferevent *bev)
{
    d->ours[i] = bev;
    d->eof[i] = false;
    bufferevent_setcb(bev, NULL, NULL, on_event, d);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}

/* A client of server `server` through a pair in memory. */
static void pair_client(struct duo *d, int i, int server)
{
    struct bufferevent *pair[2];
    assert_int_equal(bufferevent_pair_new(d->base, 0, pair), 0);
    assert_int_equal(herd_server_adopt_client(d->server[server], pair[0]), 0);
    keep(d, i, pair[1]);
}

/* The same through a socket, whose other end is left as a descriptor. */
static int socket_client(struct duo *d, int server)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    struct bufferevent *bev = bufferevent_socket_new(d->base, ends[0], BEV_OPT_CLOSE_ON_FREE);
    assert_int_equal(herd_server_adopt_client(d->server[server], bev), 0);
    return ends[1];
}

static void link_up(struct duo *d)
{
    struct bufferevent *pair[2];
    assert_int_equal(bufferevent_pair_new(d->base, 0, pair), 0);
    assert_int_equal(herd_server_adopt_link(d->server[0], pair[0], "b"), 0);
    assert_int_equal(herd_server_adopt_client(d->server[1], pair[1]), 0);
    d->link = pair[0];
    WAIT(herd_node_link(herd_server_node(d->server[0]), 0) && herd_node_link(herd_server_node(d->server[1]), 0));
}

static void say(struct bufferevent *bev, const char *text)
{
    assert_int_equal(bufferevent_write(bev, text, strlen(text)), 0);
}

static size_t have(struct bufferevent *bev)
{
    return evbuffer_get_length(bufferevent_get_input(bev));
}

static size_t known(struct duo *d, int server)
{
    return herd_store_count(herd_node_store(herd_server_node(d->server[server])));
}

static void expect_line(struct duo *d, struct bufferevent *bev, const char *start)
{
    WAIT(evbuffer_search(bufferevent_get_input(bev), "\n", 1, NULL).pos >= 0);
    char *line = evbuffer_readln(bufferevent_get_input(bev), NULL, EVBUFFER_EOL_LF);
    if (!line || strncmp(line, start, strlen(start)) != 0)
        fail_msg("got %s, not %s", line, start);
    free(line);
}

static void test_pair(void **state)
{
    struct duo *d = *state;
    pair_client(d, 0, 0);
    say(d->ours[0], "IAMAT k +1-1 5\nwhat is th");
    expect_line(d, d->ours[0], "AT a ");
    say(d->ours[0], "is\nWHATSAT nobody 1 1\n");
    expect_line(d, d->ours[0], "? what is this");
    expect_line(d, d->ours[0], "? WHATSAT nobody");
    say(d->ours[0], "IAMAT z +1-1 6"); /* the end of input is the end of a line too */
    bufferevent_flush(d->ours[0], EV_WRITE, BEV_FINISHED);
    WAIT(known(d, 0) == 2);
    expect_line(d, d->ours[0], "AT a ");
    WAIT(herd_list_empty(&d->server[0]->conns));
}

/* What a bufferevent had read before it was handed over is input like any other, of a client and of a link. */
static void test_bytes_that_came_before(void **state)
{
    struct duo *d = *state;
    struct bufferevent *pair[2];
    assert_int_equal(bufferevent_pair_new(d->base, 0, pair), 0);
    bufferevent_enable(pair[0], EV_READ);
    keep(d, 0, pair[1]);
    say(d->ours[0], "IAMAT k +1-1 5\n");
    WAIT(have(pair[0]) > 0);
    assert_int_equal(herd_server_adopt_client(d->server[0], pair[0]), 0);
    assert_int_equal(known(d, 0), 0); /* not before the caller has its answer */
    expect_line(d, d->ours[0], "AT a ");

    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    struct bufferevent *bev = bufferevent_socket_new(d->base, ends[0], BEV_OPT_CLOSE_ON_FREE);
    bufferevent_enable(bev, EV_READ);
    char hello[40];
    int len = snprintf(hello, sizeof hello, "HELLO %d b a 7\n", HERD_PROTOCOL_VERSION);
    assert_int_equal(send(ends[1], hello, (size_t)len, 0), len);
    WAIT(have(bev) == (size_t)len);
    assert_int_equal(herd_server_adopt_link(d->server[0], bev, "b"), 0);
    WAIT(herd_node_link(herd_server_node(d->server[0]), 0));
    close(ends[1]);
}

/* The end of an adopted socket is seen at its other side at once, not when the server has lingered. */
static void test_end_of_a_socket(void **state)
{
    struct duo *d = *state;
    int fd = socket_client(d, 0);
    char bytes[600];
    ssize_t n = 1;
    memset(bytes, 'x', sizeof bytes);
    assert_int_equal(send(fd, bytes, sizeof bytes, 0), (ssize_t)sizeof bytes); /* too long: closed */
    double begin = now_s();
    while (n != 0) {
        n = recv(fd, bytes, sizeof bytes, 0);
        assert_true(n >= 0 || errno == EAGAIN);
        assert_true(now_s() - begin < 1);
        if (n < 0)
            turn(d);
    }
    close(fd);
    WAIT(herd_list_empty(&d->server[0]->conns));
}

static void test_line_too_long(void **state)
{
    struct duo *d = *state;
    char text[300];
    memset(text, 'x', sizeof text);
    pair_client(d, 0, 0);
    bufferevent_write(d->ours[0], text, sizeof text);
    expect_line(d, d->ours[0], "? xxx");
    WAIT(d->eof[0]);
    /* What it still says is heard by nobody; when it ends, the connection is gone. */
    say(d->ours[0], "IAMAT k +1-1 5\n");
    bufferevent_flush(d->ours[0], EV_WRITE, BEV_FINISHED);
    WAIT(herd_list_empty(&d->server[0]->conns));
    assert_int_equal(known(d, 0), 0);
}

/* Replies pile up while nobody reads: the server stops reading, and goes on when they are taken. */
static void test_slow_reader(void **state)
{
    struct duo *d = *state;
    int fd = socket_client(d, 0), small = 4096, reports = 3000, asked = 0, heard = 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    char text[100], bytes[65536];
    bool stuck = false;
    double until = now_s() + DEADLINE_S;
    for (size_t sent = 0, len = 0; heard < reports; turn(d)) {
        while (asked < reports || sent < len) {
            if (sent == len) {
                len = (size_t)snprintf(text, sizeof text, "IAMAT id%d +1.25-1.25 %d.5\n", asked, asked + 1);
                sent = 0;
                asked++;
            }
            ssize_t n = send(fd, text + sent, len - sent, MSG_NOSIGNAL);
            if (n < 0) {
                assert_int_equal(errno, EAGAIN);
                break;
            }
            sent += (size_t)n;
        }
        /* Only when all stands still is a little read. */
        size_t before = known(d, 0);
        for (int i = 0; i < 5; i++)
            turn(d);
        if (known(d, 0) == before) {
            stuck |= known(d, 0) < (size_t)reports;
            ssize_t n = recv(fd, bytes, sizeof bytes, 0);
            for (ssize_t i = 0; i < n; i++)
                heard += bytes[i] == '\n';
        }
        if (now_s() > until)
            fail_msg("%d of %d answers", heard, reports);
    }
    assert_true(stuck);
    assert_int_equal(known(d, 0), reports);
    close(fd);
    WAIT(herd_list_empty(&d->server[0]->conns));
}

/* An end that breaks instead of ending. */
static void test_reset(void **state)
{
    struct duo *d = *state;
    int fd = socket_client(d, 0);
    assert_int_equal(send(fd, "IAMAT k +1-1 5\nwhat", 19, 0), 19);
    WAIT(known(d, 0) == 1);
    close(fd); /* its answer unread: to the server that is an error */
    WAIT(herd_list_empty(&d->server[0]->conns));
    pair_client(d, 0, 0);
    say(d->ours[0], "IAMAT k +1-1 6\nIAMA");
    expect_line(d, d->ours[0], "AT a ");
    bufferevent_trigger_event(bufferevent_pair_get_partner(d->ours[0]), BEV_EVENT_ERROR | BEV_EVENT_READING, 0);
    WAIT(herd_list_empty(&d->server[0]->conns));
}

static void test_link(void **state)
{
    struct duo *d = *state;
    link_up(d);
    pair_client(d, 0, 0);
    for (int i = 0; i < 2000; i++) { /* more than a link holds at once */
        char text[100];
        snprintf(text, sizeof text, "IAMAT id%d +1.25-1.25 %d.5\n", i, i + 1);
        say(d->ours[0], text);
        if (i % 50 == 0)
            WAIT(have(bufferevent_pair_get_partner(d->ours[0])) == 0);
        evbuffer_drain(bufferevent_get_input(d->ours[0]), have(d->ours[0]));
    }
    WAIT(known(d, 1) == 2000);
    pair_client(d, 1, 1);
    say(d->ours[1], "WHATSAT id1999 1 1\n");
    expect_line(d, d->ours[1], "AT a ");
    /* It says no more: the link is down, and another one can be had. */
    bufferevent_trigger_event(d->link, BEV_EVENT_EOF | BEV_EVENT_READING, 0);
    WAIT(!herd_node_link(herd_server_node(d->server[0]), 0));
    link_up(d);
}

static void test_refused(void **state)
{
    struct duo *d = *state;
    struct bufferevent *pair[2];
    assert_int_equal(bufferevent_pair_new(d->base, 0, pair), 0);
    assert_int_equal(herd_server_adopt_link(d->server[0], pair[0], "c"), HERD_E_NOTFOUND); /* no neighbour of a */
    assert_int_equal(herd_server_adopt_link(d->server[0], pair[0], ""), HERD_E_NOTFOUND);
    herd_server_stop(d->server[0], 1000);
    assert_int_equal(herd_server_adopt_client(d->server[0], pair[0]), HERD_E_STATE);
    assert_int_equal(herd_server_adopt_link(d->server[0], pair[0], "b"), HERD_E_STATE);
    WAIT(d->stopped == 1);
    bufferevent_free(pair[0]); /* ours still */
    bufferevent_free(pair[1]);
}

/* Stopping passes on what is known, answers what was asked, and ends both sides of every connection. */
static void test_stop(void **state)
{
    struct duo *d = *state;
    link_up(d);
    pair_client(d, 0, 0);
    say(d->ours[0], "IAMAT k +34.0-118.4 5\nWHATSAT k 10 1\n");
    expect_line(d, d->ours[0], "AT a ");
    herd_server_stop(d->server[0], 5000);
    herd_server_stop(d->server[0], 5000); /* once is enough */
    WAIT(d->stopped == 1);
    assert_true(d->eof[0]);
    WAIT(known(d, 1) == 1);
    herd_server_stop(d->server[1], 5000);
    WAIT(d->stopped == 2);
}

static void test_no_such_server(void **state)
{
    struct duo *d = *state;
    struct herd_server *server = NULL;
    struct herd_diagnostic diagnostic = {0};
    struct herd_server_options options = {.name = "nobody", .config = d->config, .dont_listen = true};
    assert_int_equal(herd_server_new(&server, d->base, &options, &diagnostic), HERD_E_NOTFOUND);
    assert_non_null(strstr(diagnostic.message, "nobody"));
    options = (struct herd_server_options){.name = "a", .config = d->config, .listen_fd = 1, .dont_dial = true};
    assert_int_equal(herd_server_new(&server, d->base, &options, &diagnostic),
                     HERD_E_ADDRESS); /* no socket at all */
    assert_non_null(strstr(diagnostic.message, "inherited socket 1"));
    options.listen_fd = socket(AF_INET, SOCK_STREAM, 0); /* one that does not listen */
    assert_int_equal(herd_server_new(&server, d->base, &options, &diagnostic), HERD_E_ADDRESS);
    close(options.listen_fd);
    assert_null(server);
}

/* What cannot be a server is refused before anything of it is there, and said in words where there is a place for them. */
static void test_arguments(void **state)
{
    (void)state;
    struct herd_config *config = NULL;
    struct herd_server *server = NULL;
    struct herd_diagnostic diagnostic = {0};
    struct event_base *base = event_base_new();
    assert_int_equal(herd_config_parse(&config, herd_span_of("{\"servers\":{\"a\":{\"port\":1}}}"), &diagnostic),
                     0);
    const struct herd_server_options good = {.name = "a", .config = config, .dont_listen = true};
    assert_int_equal(herd_server_new(NULL, base, &good, &diagnostic), HERD_E_ARG);
    assert_int_equal(herd_server_new(&server, NULL, &good, &diagnostic), HERD_E_ARG);
    assert_int_equal(herd_server_new(&server, base, NULL, &diagnostic), HERD_E_ARG);
    assert_int_equal(herd_server_new(&server, base, &good, NULL), HERD_E_ARG);
    const struct herd_server_options rows[] = {{.config = config}, {.name = "a"}, {.name = "b", .config = config}};
    for (size_t i = 0; i < 3; i++) {
        diagnostic.message[0] = '\0';
        assert_int_equal(herd_server_new(&server, base, &rows[i], &diagnostic),
                         i < 2 ? HERD_E_ARG : HERD_E_NOTFOUND);
        assert_true(diagnostic.message[0]);
    }
    assert_null(server);
    herd_server_free(NULL);
    herd_config_free(config);
    event_base_free(base);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pair),
        TEST(test_bytes_that_came_before),
        TEST(test_end_of_a_socket),
        TEST(test_line_too_long),
        TEST(test_slow_reader),
        TEST(test_reset),
        TEST(test_link),
        TEST(test_refused),
        TEST(test_stop),
        TEST(test_no_such_server),
        cmocka_unit_test(test_arguments),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
