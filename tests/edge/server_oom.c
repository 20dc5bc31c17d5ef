/* SPDX-License-Identifier: MIT */
/*
 * Every allocation of two servers failing once, and it with the twenty behind it: while they are made, link up,
 * serve clients (over sockets and over bufferevents handed to them), tell a plain neighbour, write a journal,
 * look places up, lose their link and stop. Whatever failed, a call says so, nothing leaks, the servers link up
 * again, whatever was answered is known to both, and both stop.
 *
 * Events count as allocations: making one, or adding it to the loop, fails like memory.
 */
#include "failing_memory.h"
#include "two_servers.h"

#include "server_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLIENTS 4 /* by socket; as many by bufferevents */
#define AT_ONCE 20

static struct {
    long next;  /* how many go well before the first that fails; negative: none fails */
    long count; /* how many fail in a row */
    long asked, failed;
    bool armed;
} plan;

/* For a debugger. */
static void failure_point(void)
{
    plan.failed++;
}

static bool fails_now(void)
{
    if (!plan.armed)
        return false;
    long n = plan.asked++;
    if (plan.next < 0 || n < plan.next || n >= plan.next + plan.count)
        return false;
    failure_point();
    return true;
}

struct event *__real_event_new(struct event_base *base, evutil_socket_t fd, short what, event_callback_fn fn,
                               void *arg);
struct event *__wrap_event_new(struct event_base *base, evutil_socket_t fd, short what, event_callback_fn fn,
                               void *arg);
int __real_event_add(struct event *event, const struct timeval *wait);
int __wrap_event_add(struct event *event, const struct timeval *wait);
int __real_evbuffer_add(struct evbuffer *buffer, const void *at, size_t len);
int __wrap_evbuffer_add(struct evbuffer *buffer, const void *at, size_t len);
struct evbuffer *__real_evbuffer_new(void);
struct evbuffer *__wrap_evbuffer_new(void);
int __real_bufferevent_write(struct bufferevent *bev, const void *at, size_t len);
int __wrap_bufferevent_write(struct bufferevent *bev, const void *at, size_t len);
int __real_bufferevent_enable(struct bufferevent *bev, short what);
int __wrap_bufferevent_enable(struct bufferevent *bev, short what);
unsigned char *__real_evbuffer_pullup(struct evbuffer *buffer, ev_ssize_t len);
unsigned char *__wrap_evbuffer_pullup(struct evbuffer *buffer, ev_ssize_t len);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);

struct event *__wrap_event_new(struct event_base *base, evutil_socket_t fd, short what, event_callback_fn fn,
                               void *arg)
{
    return fails_now() ? NULL : __real_event_new(base, fd, what, fn, arg);
}

int __wrap_event_add(struct event *event, const struct timeval *wait)
{
    return fails_now() ? -1 : __real_event_add(event, wait);
}

int __wrap_evbuffer_add(struct evbuffer *buffer, const void *at, size_t len)
{
    return fails_now() ? -1 : __real_evbuffer_add(buffer, at, len);
}

struct evbuffer *__wrap_evbuffer_new(void)
{
    return fails_now() ? NULL : __real_evbuffer_new();
}

int __wrap_bufferevent_write(struct bufferevent *bev, const void *at, size_t len)
{
    return fails_now() ? -1 : __real_bufferevent_write(bev, at, len);
}

int __wrap_bufferevent_enable(struct bufferevent *bev, short what)
{
    return fails_now() ? -1 : __real_bufferevent_enable(bev, what);
}

unsigned char *__wrap_evbuffer_pullup(struct evbuffer *buffer, ev_ssize_t len)
{
    return fails_now() ? NULL : __real_evbuffer_pullup(buffer, len);
}

char *__wrap_strdup(const char *text)
{
    return fails_now() ? NULL : __real_strdup(text);
}

/* ---- two servers, a plain neighbour of one of them ---- */

struct duo {
    struct event_base *base;
    struct herd_config *config;
    struct herd_log *log;
    struct herd_server *server[2];
    uint16_t port[2];
    int plain_fd;
    size_t log_bytes, updates, told, stopped;
    struct herd_buf answers; /* AT lines that clients were given */
    char journal[2][64];
};

static int count_log(void *ctx, const char *bytes, size_t len)
{
    (void)bytes;
    ((struct duo *)ctx)->log_bytes += len;
    return 0;
}

static void on_update(void *ctx, const struct herd_record *record)
{
    assert_true(record->id.len > 0);
    ((struct duo *)ctx)->updates++;
}

static void on_peer(void *ctx, struct herd_span name, bool up)
{
    (void)up;
    assert_true(name.len > 0);
    ((struct duo *)ctx)->told++;
}

static bool on_command(void *ctx, struct herd_span line, struct herd_buf *io_reply)
{
    (void)ctx;
    if (!herd_span_equal(line, herd_span_of("HOW ARE YOU")))
        return false;
    (void)herd_buf_add_text(io_reply, "? well\n"); /* out of memory: nothing */
    return true;
}

static void on_stopped(void *ctx)
{
    ((struct duo *)ctx)->stopped++;
}

static int listen_somewhere(uint16_t *ret_port)
{
    int fd = bind_somewhere(SOCK_NONBLOCK, ret_port);
    assert_int_equal(listen(fd, 64), 0);
    return fd;
}

/* The plain neighbour hangs up on whatever it is told. */
static void serve_plain(struct duo *d)
{
    for (int fd; (fd = accept(d->plain_fd, NULL, NULL)) >= 0;)
        close(fd);
}

static void turn(struct duo *d, bool armed)
{
    struct timeval soon = {0, 1000};
    event_base_loopexit(d->base, &soon); /* so that a turn ends when nothing happens */
    plan.armed = armed;
    event_base_loop(d->base, EVLOOP_ONCE);
    plan.armed = false;
    serve_plain(d);
}

static void make_server(struct duo *d, int i, int listen_fd)
{
    struct herd_server_options options = {
        .name = i ? "b" : "a",
        .config = d->config,
        .log = d->log,
        .listen_fd = listen_fd,
        .hooks = {.ctx = d, .update = on_update, .peer = on_peer, .command = on_command, .stopped = on_stopped}};
    struct herd_diagnostic diagnostic = {0};
    plan.armed = true;
    int err = herd_server_new(&d->server[i], d->base, &options, &diagnostic);
    plan.armed = false;
    if (err == 0)
        return;
    assert_true(diagnostic.message[0] != '\0' && d->server[i] == NULL);
    if (herd_server_new(&d->server[i], d->base, &options, &diagnostic) < 0) /* the descriptor remained ours */
        fail_msg("%s", diagnostic.message);
}

static void begin(struct duo *d)
{
    struct herd_diagnostic diagnostic;
    char json[1000];
    uint16_t plain_port;
    int fds[2];
    *d = (struct duo){.base = event_base_new()};
    d->plain_fd = listen_somewhere(&plain_port);
    for (int i = 0; i < 2; i++) {
        fds[i] = listen_somewhere(&d->port[i]);
        snprintf(d->journal[i], sizeof d->journal[i], "/tmp/herd-oom-%ld.%s", (long)getpid(), i ? "b" : "a");
    }
    assert_int_equal(herd_log_new(&d->log,
                                  &(struct herd_log_options){
                                      .level = HERD_LOG_DEBUG, .sink = count_log, .sink_ctx = d, .traffic = true}),
                     0);
    snprintf(json, sizeof json,
             "{\"servers\":{\"a\":{\"port\":%u},\"b\":{\"port\":%u},\"p\":{\"port\":%u,\"plain\":true}},"
             "\"area\":true,\"links\":[[\"a\",\"b\"],[\"a\",\"p\"]],\"journal\":\"/tmp/herd-oom-%ld.{name}\","
             "\"places\":{\"provider\":\"overpass\",\"url\":\"http://127.0.0.1:%u/\",\"timeout_ms\":100},"
             "\"limits\":{\"near_line\":1,\"redial_min_ms\":1,\"redial_max_ms\":20,\"peer_ping_ms\":50,\"peer_"
             "hello_ms\":200}}",
             d->port[0], d->port[1], plain_port, (long)getpid(), plain_port);
    if (herd_config_parse(&d->config, herd_span_of(json), &diagnostic) < 0)
        fail_msg("%s", diagnostic.message);
    make_server(d, 0, fds[0]);
    make_server(d, 1, fds[1]);
}

static void end(struct duo *d)
{
    for (int i = 0; i < 2; i++)
        herd_server_free(d->server[i]);
    event_base_loop(d->base, EVLOOP_NONBLOCK);
    herd_log_free(d->log);
    herd_config_free(d->config);
    event_base_free(d->base);
    herd_buf_fini(&d->answers);
    close(d->plain_fd);
    unlink(d->journal[0]);
    unlink(d->journal[1]);
}

static void wait_sound(struct duo *d, bool armed)
{
    double until = now_s() + DEADLINE_S;
    for (int turns = 0; !linked(d->server) || !both_know(d->server, &d->answers); turns++) {
        if (now_s() > until)
            fail_msg("failing %ld + %ld: %s", plan.next, plan.count,
                     linked(d->server) ? "no agreement" : "no link");
        turn(d, armed && turns < 200);
    }
}

/* ---- clients ---- */

struct client {
    int fd;
    struct herd_buf heard;
    bool done;
};

static void come(struct duo *d, struct client *client, int i, bool armed)
{
    *client = (struct client){.fd = -1};
    if (i < CLIENTS) {
        client->fd = connect_to(d->port[i % 2]);
    } else {
        int ends[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        struct bufferevent *bev = bufferevent_socket_new(d->base, ends[0], BEV_OPT_CLOSE_ON_FREE);
        assert_non_null(bev);
        plan.armed = armed;
        int err = herd_server_adopt_client(d->server[i % 2], bev);
        plan.armed = false;
        assert_true(err == 0 || (armed && err == HERD_E_NOMEM));
        if (err < 0)
            bufferevent_free(bev); /* still ours */
        client->fd = ends[1];
    }
    fcntl(client->fd, F_SETFL, O_NONBLOCK);
}

/* True: the last command was answered, or the connection is closed. */
static bool hear(struct client *client)
{
    static const char last[] = "\n? end\n";
    char bytes[4096];
    ssize_t n = client->done ? 0 : recv(client->fd, bytes, sizeof bytes, 0);
    if (n > 0)
        assert_int_equal(herd_buf_add(&client->heard, bytes, (size_t)n), 0);
    else if (n == 0 || errno != EAGAIN)
        client->done = true;
    return client->done ||
           (client->heard.len && memmem(client->heard.at, client->heard.len, last, sizeof last - 1));
}

/* How many AT lines it was given; they are kept. */
static size_t leave(struct duo *d, struct client *client)
{
    size_t count = 0;
    const char *at = client->heard.at, *stop = at ? at + client->heard.len : at, *lf;
    for (; at < stop && (lf = memchr(at, '\n', (size_t)(stop - at))) != NULL; at = lf + 1)
        if (memcmp(at, "AT ", 3) == 0 && ++count)
            assert_int_equal(herd_buf_add(&d->answers, at, (size_t)(lf + 1 - at)), 0);
    herd_buf_fini(&client->heard);
    close(client->fd);
    return count;
}

static void load(struct duo *d, int round, bool armed)
{
    struct client clients[2 * CLIENTS];
    for (int i = 0; i < 2 * CLIENTS; i++) {
        char text[800];
        come(d, &clients[i], i, armed);
        int len =
            snprintf(text, sizeof text,
                     "IAMAT c%d-%d +34.0-118.4 5.5\nwhat\nHOW ARE YOU\nWHATSAT c%d-%d 10 5\nNEAR c%d-%d 10 5\n"
                     "IAMAT c%d-%d +34.5-118.4 6.5%0*d\nend\n",
                     round, i, round, i, round, i, round, i, i == 3 ? 300 : 1, 0);
        (void)send(clients[i].fd, text, (size_t)len, MSG_NOSIGNAL); /* it may be closed already */
    }
    double until = now_s() + DEADLINE_S;
    for (size_t left = 1, turns = 0; left > 0; turns++) {
        turn(d, armed && turns < 400);
        left = 0;
        for (int i = 0; i < 2 * CLIENTS; i++)
            left += !hear(&clients[i]);
        if (now_s() > until)
            fail_msg("failing %ld + %ld: %zu clients wait for ever", plan.next, plan.count, left);
    }
    for (int i = 0; i < 2 * CLIENTS; i++) {
        size_t told = leave(d, &clients[i]);
        assert_true(armed || told == 3);
    }
}

static void stop(struct duo *d)
{
    plan.armed = true;
    for (int i = 0; i < 2; i++)
        herd_server_stop(d->server[i], 300);
    plan.armed = false;
    double until = now_s() + DEADLINE_S;
    while (d->stopped < 2) {
        turn(d, true);
        if (now_s() > until)
            fail_msg("failing %ld + %ld: a server does not stop", plan.next, plan.count);
    }
}

/* True if the failure was met. */
static bool story(long next, long count)
{
    struct duo d;
    int free_fd = dup(0);
    close(free_fd);
    plan = (__typeof__(plan)){.next = next, .count = count};
    begin(&d);
    wait_sound(&d, true);
    load(&d, 1, true);
    struct herd_conn *link = d.server[0]->links[0];
    if (link)
        shutdown(herd_transport_fd(link->transport), SHUT_RDWR); /* linking up again fails too */
    for (int i = 0; i < 100 && !linked(d.server); i++)
        turn(&d, true);
    wait_sound(&d, true);
    load(&d, 2, false); /* all is well again */
    wait_sound(&d, false);
    assert_true(d.updates > 0 && d.told > 0 && d.log_bytes > 0);
    /* Stopping takes longest: where it is what fails, and now and then. */
    if (plan.failed == 0 || next % 8 == 0)
        stop(&d);
    end(&d);
    assert_int_equal(dup(0), free_fd); /* no descriptor was left open, and none closed that is not ours */
    close(free_fd);
    return plan.failed > 0;
}

static void fail_each(long count, long step)
{
    long points = 0;
    for (long next = 0; story(next, count); next += step)
        points++;
    print_message("%ld failure points of %ld allocations each\n", points, count);
    assert_true(points > 50);
}

static void test_all_is_well(void **state)
{
    (void)state;
    assert_false(story(-1, 0));
}

static void test_once(void **state)
{
    (void)state;
    fail_each(1, 1);
}

static void test_for_a_while(void **state)
{
    (void)state;
    fail_each(AT_ONCE, 4);
}

/* test-server_oom NEXT COUNT: one story, as a failure names it. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_is_well),
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_for_a_while),
    };
    signal(SIGPIPE, SIG_IGN);
    event_set_log_callback(quiet);
    if (argc == 3)
        return !story(atol(argv[1]), atol(argv[2]));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
