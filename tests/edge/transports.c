/* SPDX-License-Identifier: MIT */
/* Sockets and bufferevents that carry a connection: what a call that fails does to one, who can read what it carries, and what its ends
 * are. A bufferevent is one of TLS where the test says so. */
#include "../unit/cm.h"
#include "../unit/failing_calls.h"

#include "transport.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- calls that fail ---- */

static const char *armed; /* the next call of that name */

static bool fails(const char *name)
{
    if (!armed || strcmp(armed, name) != 0)
        return false;
    armed = NULL;
    return true;
}

FAILING(void *, calloc, NULL, (size_t count, size_t size), count, size)
FAILING(int, evbuffer_add, -1, (struct evbuffer * buf, const void *bytes, size_t len), buf, bytes, len)
FAILING(int, evbuffer_add_reference, -1,
        (struct evbuffer * buf, const void *bytes, size_t len, evbuffer_ref_cleanup_cb done, void *arg), buf, bytes,
        len, done, arg)
FAILING(struct event *, event_new, NULL,
        (struct event_base * b, evutil_socket_t fd, short what, event_callback_fn fn, void *arg), b, fd, what, fn,
        arg)
FAILING(int, event_add, -1, (struct event * event, const struct timeval *after), event, after)
FAILING(int, herd_buf_reserve, HERD_E_NOMEM, (struct herd_buf * buf, size_t more), buf, more)
FAILING(int, herd_buf_add, HERD_E_NOMEM, (struct herd_buf * buf, const void *bytes, size_t len), buf, bytes, len)
FAILING(int, bufferevent_enable, -1, (struct bufferevent * bev, short what), bev, what)
FAILING(int, bufferevent_write, -1, (struct bufferevent * bev, const void *bytes, size_t len), bev, bytes, len)
FAILING(unsigned char *, evbuffer_pullup, NULL, (struct evbuffer * buf, ev_ssize_t len), buf, len)

struct evbuffer *__real_evbuffer_new(void);
struct evbuffer *__wrap_evbuffer_new(void);
struct evbuffer *__wrap_evbuffer_new(void)
{
    return fails("evbuffer_new") ? NULL : __real_evbuffer_new();
}

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    va_start(args, request);
    int *value = va_arg(args, int *);
    va_end(args);
    return fails("ioctl") ? -1 : __real_ioctl(fd, request, value);
}

/* Of libevent_openssl, which is not linked. */
struct ssl_st;
struct ssl_st *bufferevent_openssl_get_ssl(struct bufferevent *bev);
static struct bufferevent *of_tls;

struct ssl_st *bufferevent_openssl_get_ssl(struct bufferevent *bev)
{
    return bev == of_tls ? (struct ssl_st *)(void *)bev : NULL;
}

/* ---- the world ---- */

static struct event_base *base;
static char scratch[HERD_SOCKET_SCRATCH_BYTES];
static struct herd_socket_loop loop;
static int ends[2];
static struct {
    unsigned inputs, eofs, drains, failures;
    char why[64];
} seen;

static void on_input(void *ctx)
{
    (void)ctx;
    seen.inputs++;
}

static void on_eof(void *ctx)
{
    (void)ctx;
    seen.eofs++;
}

static void on_drained(void *ctx)
{
    (void)ctx;
    seen.drains++;
}

static void on_failed(void *ctx, const char *why)
{
    (void)ctx;
    seen.failures++;
    snprintf(seen.why, sizeof seen.why, "%s", why);
}

static const struct herd_transport_events events = {on_input, on_eof, on_drained, on_failed};

static int setup(void **state)
{
    (void)state;
    base = event_base_new();
    loop = (struct herd_socket_loop){base, scratch};
    memset(&seen, 0, sizeof seen);
    armed = NULL;
    of_tls = NULL;
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends);
}

static int teardown(void **state)
{
    (void)state;
    close(ends[1]);
    event_base_free(base);
    return 0;
}

static void turn(void)
{
    for (int i = 0; i < 3; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
}

static struct herd_transport *open_socket(void)
{
    struct herd_transport *transport = NULL;
    assert_int_equal(herd_socket_new(&transport, &loop, ends[0], &events, NULL), 0);
    return transport;
}

static void end(struct herd_transport *transport)
{
    transport->ops->close(transport);
    transport->ops->free(transport);
}

/* ---- sockets ---- */

enum { MUCH = 1 << 22 }; /* more than a kernel takes */

/* What the kernel does not take cannot be kept: it is said, and nobody holds anything afterwards. */
static void test_nothing_kept(void **state)
{
    static const char *const calls[] = {"evbuffer_new", "evbuffer_add", "evbuffer_add_reference", "event_new",
                                        "event_add"};
    char *much = malloc(MUCH);
    (void)state;
    assert_non_null(much);
    memset(much, 'x', MUCH);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        for (int shared = 0; shared < 2; shared++) {
            if (strcmp(calls[i], shared ? "evbuffer_add" : "evbuffer_add_reference") == 0)
                continue;
            void *inner = NULL;
            setup(&inner);
            struct herd_transport *transport = open_socket();
            struct herd_block *block = herd_block_new((struct herd_span){much, MUCH});
            assert_non_null(block);
            armed = calls[i];
            int err = shared ? herd_transport_send_block(transport, block)
                             : herd_transport_send(transport, (struct herd_span){much, MUCH});
            assert_int_equal(err, HERD_E_NOMEM);
            assert_null(armed);
            end(transport);
            assert_int_equal(block->holders, 1);
            herd_block_release(block);
            teardown(&inner);
        }
    free(much);
    setup(state);
    /* The kernel does not say what is on its way: that is no more than what is known. */
    struct herd_transport *transport = open_socket();
    assert_int_equal(herd_transport_send(transport, herd_span_of("hello")), 0);
    assert_true(transport->ops->unacked(transport) >= 5);
    armed = "ioctl";
    assert_int_equal(transport->ops->unacked(transport), 0);
    end(transport);
    teardown(state);
}

static void test_nothing_received(void **state)
{
    (void)state;
    char line[5000];
    memset(line, 'x', sizeof line);
    armed = "calloc";
    struct herd_transport *transport = NULL;
    assert_int_equal(herd_socket_new(&transport, &loop, ends[0], &events, NULL), HERD_E_NOMEM);
    armed = "event_add";
    assert_int_equal(herd_socket_new(&transport, &loop, ends[0], &events, NULL), HERD_E_NOMEM);
    assert_null(transport);
    transport = open_socket(); /* it is the caller's still */
    assert_int_equal(send(ends[1], line, sizeof line, 0), sizeof line);
    turn();
    assert_int_equal(seen.inputs, 1);
    assert_int_equal(send(ends[1], line, sizeof line, 0), sizeof line);
    armed = "herd_buf_reserve"; /* behind so much there is no room in what is shared */
    event_base_loop(base, EVLOOP_ONCE);
    assert_int_equal(seen.failures, 1);
    assert_string_equal(seen.why, "out_of_memory");
    assert_int_equal(seen.inputs, 1);
    end(transport);
}

/* What was not consumed, and what there is no memory to keep. */
static void test_rest_lost(void **state)
{
    (void)state;
    struct herd_transport *transport = open_socket();
    assert_int_equal(send(ends[1], "half", 4, 0), 4);
    armed = "herd_buf_add";
    event_base_loop(base, EVLOOP_ONCE);
    assert_int_equal(seen.inputs, 1);
    assert_int_equal(seen.failures, 1);
    assert_string_equal(seen.why, "out_of_memory");
    struct herd_span bytes;
    assert_int_equal(herd_transport_peek(transport, &bytes), 0);
    assert_int_equal(bytes.len, 0);
    end(transport);
}

static void test_blocks(void **state)
{
    (void)state;
    struct herd_block *block = herd_block_new((struct herd_span){NULL, 0});
    assert_non_null(block);
    assert_int_equal(herd_block_bytes(block).len, 0);
    struct herd_transport *transport = open_socket();
    assert_int_equal(herd_transport_send_block(transport, block), 0);
    assert_int_equal(block->holders, 1);
    end(transport);
    herd_block_release(block);
    herd_block_release(NULL);
}

/* ---- bufferevents ---- */

static struct bufferevent *bev_of(int fd)
{
    struct bufferevent *bev = bufferevent_socket_new(base, fd, 0);
    assert_non_null(bev);
    return bev;
}

/* A connection over TCP between two addresses of this machine; both ends have to be closed. */
static void tcp_pair(int ret_fds[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    ret_fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(ret_fds[0], (struct sockaddr *)&at, sizeof at), 0);
    ret_fds[1] = accept(listener, NULL, NULL);
    assert_true(ret_fds[1] >= 0);
    close(listener);
}

/* Who can read along: nobody where it stays on this machine, or is encrypted by what is known to encrypt. */
static void test_private(void **state)
{
    (void)state;
    struct bufferevent *pair[2], *local = bev_of(ends[0]), *none = bev_of(-1);
    int tcp[2], unconnected = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    tcp_pair(tcp);
    assert_int_equal(bufferevent_pair_new(base, 0, pair), 0);
    struct bufferevent *near = bev_of(tcp[0]), *apart = bev_of(unconnected);
    struct bufferevent *filter = bufferevent_filter_new(near, NULL, NULL, 0, NULL, NULL);
    assert_non_null(filter);
    assert_true(herd_bev_is_private(pair[0]));
    assert_true(herd_bev_is_private(local));
    assert_true(herd_bev_is_private(near));
    assert_false(herd_bev_is_private(none));
    assert_false(herd_bev_is_private(apart));
    assert_false(herd_bev_is_private(filter)); /* whatever it does to the bytes */
    of_tls = apart;
    assert_true(herd_bev_is_private(apart));
    assert_false(herd_bev_is_private(filter));
    bufferevent_free(filter);
    struct bufferevent *all[] = {pair[0], pair[1], local, none, near, apart};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        bufferevent_free(all[i]);
    turn(); /* they go with the loop */
    close(ends[0]);
    close(tcp[0]);
    close(tcp[1]);
    close(unconnected);
}

/* The end of a bare socket is the end of what is said; one of TLS says it itself, and a socket that is shut down below it would look
 * like an attack. */
static void test_shutdown(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        struct herd_transport *transport = NULL;
        struct bufferevent *bev = bev_of(ends[0]);
        char byte;
        of_tls = tls ? bev : NULL;
        assert_int_equal(herd_bev_new(&transport, bev, &events, NULL), 0);
        transport->ops->shutdown(transport);
        turn();
        assert_int_equal(recv(ends[1], &byte, 1, 0), tls ? -1 : 0);
        end(transport);
        close(ends[0]);
        if (!tls) {
            close(ends[1]);
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
        }
    }
}

static void test_bufferevent_events(void **state)
{
    (void)state;
    struct herd_transport *transport = NULL;
    struct bufferevent *bev = bev_of(ends[0]);
    assert_int_equal(herd_bev_new(&transport, bev, &events, NULL), 0);
    bufferevent_trigger_event(bev, BEV_EVENT_CONNECTED, 0);
    turn();
    assert_int_equal(seen.eofs + seen.failures, 0);
    bufferevent_trigger_event(bev, BEV_EVENT_READING | BEV_EVENT_TIMEOUT, 0);
    turn();
    assert_int_equal(seen.failures, 1);
    assert_string_equal(seen.why, "transport_failed");
    bufferevent_trigger_event(bev, BEV_EVENT_WRITING | BEV_EVENT_ERROR, 0);
    turn();
    assert_int_equal(seen.failures, 2);
    bufferevent_trigger_event(bev, BEV_EVENT_READING | BEV_EVENT_EOF, 0);
    turn();
    assert_int_equal(seen.eofs, 1);
    end(transport);
    close(ends[0]);
}

static void test_bufferevent_fails(void **state)
{
    (void)state;
    struct herd_transport *transport = NULL;
    struct bufferevent *bev = bev_of(ends[0]);
    static const char *const calls[] = {"calloc", "bufferevent_enable"};
    for (size_t i = 0; i < 2; i++) {
        armed = calls[i];
        assert_int_equal(herd_bev_new(&transport, bev, &events, NULL), HERD_E_NOMEM);
        assert_null(transport);
    }
    assert_int_equal(herd_bev_new(&transport, bev, &events, NULL), 0); /* it is the caller's still */
    assert_int_equal(send(ends[1], "hello", 5, 0), 5);
    turn();
    assert_int_equal(seen.inputs, 1);
    struct herd_span bytes = {NULL, 0};
    armed = "evbuffer_pullup";
    assert_int_equal(herd_transport_peek(transport, &bytes), HERD_E_NOMEM);
    assert_int_equal(herd_transport_peek(transport, &bytes), 0);
    assert_true(herd_span_equal(bytes, herd_span_of("hello")));
    armed = "bufferevent_write";
    assert_int_equal(herd_transport_send(transport, bytes), HERD_E_NOMEM);
    /* A block is copied: nobody holds it. */
    char got[16] = "";
    struct herd_block *block = herd_block_new(herd_span_of("answer"));
    assert_non_null(block);
    assert_int_equal(herd_transport_send_block(transport, block), 0);
    assert_int_equal(block->holders, 1);
    herd_block_release(block);
    turn();
    assert_int_equal(recv(ends[1], got, sizeof got, 0), 6);
    assert_string_equal(got, "answer");
    end(transport);
    close(ends[0]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_kept),
        TEST(test_nothing_received),
        TEST(test_rest_lost),
        TEST(test_blocks),
        TEST(test_private),
        TEST(test_shutdown),
        TEST(test_bufferevent_events),
        TEST(test_bufferevent_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
