/* SPDX-License-Identifier: MIT */
/* An HTTP server for tests that behaves as badly as it is told to. */
#include "stub.h"

#include "../unit/cm.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#ifdef STUB_TLS
#include <event2/bufferevent_ssl.h>
#include <openssl/ssl.h>
#endif

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#define REQUESTS_MAX 4096

void (*stub_pause)(bool in_stub);

static void pausing(bool in_stub)
{
    if (stub_pause)
        stub_pause(in_stub);
}

struct conn {
    struct conn *prev, *next;
    struct stub *stub;
    struct bufferevent *bev;
    bool held, endless, close_after;
};

struct stub {
    struct event_base *base;
    struct evconnlistener *listener;
    stub_decide *decide;
    void *ctx, *ssl_ctx;
    struct conn *conns;
    struct herd_buf requests[REQUESTS_MAX];
    size_t request_count, connection_count, held, held_max;
    unsigned port;
};

static void conn_free(struct conn *c)
{
    if (c->prev)
        c->prev->next = c->next;
    else
        c->stub->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    c->stub->held -= c->held;
    bufferevent_free(c->bev);
    free(c);
}

static void add_escaped(struct evbuffer *out, struct herd_span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] == '"' || text.at[i] == '\\')
            evbuffer_add_printf(out, "\\%c", text.at[i]);
        else if (text.at[i] >= ' ')
            evbuffer_add(out, &text.at[i], 1);
        else
            evbuffer_add_printf(out, "|");
}

static void reply(struct conn *c, const struct stub_plan *plan, struct herd_span request)
{
    struct evbuffer *out = bufferevent_get_output(c->bev);
    struct evbuffer *body = evbuffer_new();
    assert_non_null(body);
    if (plan->act == STUB_ECHO) {
        evbuffer_add_printf(body, "{\"error_message\":\"");
        add_escaped(body, request);
        evbuffer_add_printf(body, "\",\"results\":[],\"places\":[{\"location\":{\"latitude\":1,\"longitude\":2},"
                                  "\"displayName\":{\"text\":\"");
        add_escaped(body, request);
        evbuffer_add_printf(body, "\"}}],\"status\":\"%s\"}", plan->body.len ? plan->body.at : "OK");
    } else {
        evbuffer_add(body, plan->body.at, plan->body.len);
    }
    size_t len = evbuffer_get_length(body);
    evbuffer_add_printf(out, "HTTP/1.1 %d Any\r\nContent-Length: %zu\r\n%s\r\n", plan->status ? plan->status : 200,
                        plan->act == STUB_SHORT ? len + 100 : len, plan->headers ? plan->headers : "");
    evbuffer_add_buffer(out, body);
    evbuffer_free(body);
    c->close_after = plan->act == STUB_SHORT || plan->act == STUB_LEAVE;
}

static void on_write(struct bufferevent *bev, void *ctx)
{
    static char zeros[65536];
    struct conn *c = ctx;
    if (c->endless)
        bufferevent_write(bev, zeros, sizeof zeros);
    else if (c->close_after && evbuffer_get_length(bufferevent_get_output(bev)) == 0)
        conn_free(c);
}

static void act(struct conn *c, struct herd_span request)
{
    struct stub *stub = c->stub;
    struct stub_plan plan = stub->decide(stub->ctx, stub->request_count - 1, request);
    struct linger now = {1, 0};
    switch (plan.act) {
    case STUB_HOLD:
        c->held = true;
        if (++stub->held > stub->held_max)
            stub->held_max = stub->held;
        return;
    case STUB_RESET:
        setsockopt(bufferevent_getfd(c->bev), SOL_SOCKET, SO_LINGER, &now, sizeof now);
        conn_free(c);
        return;
    case STUB_ENDLESS:
    case STUB_HEADERS:
        c->endless = true;
        evbuffer_add_printf(bufferevent_get_output(c->bev), "HTTP/1.1 200 OK\r\n%s",
                            plan.act == STUB_ENDLESS ? "\r\n" : "X-Long: ");
        return;
    default: reply(c, &plan, request);
    }
}

/* The length of the request at the start of the input, 0 while it is not whole. */
static size_t request_len(const char *at, size_t len)
{
    const char *end = memmem(at, len, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t head = (size_t)(end - at) + 4, body = 0;
    for (const char *line = at; line < end; line = (const char *)memchr(line, '\n', len) + 1)
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            body = strtoul(line + 15, NULL, 10);
    return len >= head + body ? head + body : 0;
}

static void take_request(struct bufferevent *bev, struct conn *c)
{
    struct stub *stub = c->stub;
    struct evbuffer *in = bufferevent_get_input(bev);
    size_t len = evbuffer_get_length(in);
    const char *at = len ? (const char *)evbuffer_pullup(in, -1) : "";
    size_t whole = request_len(at, len);
    if (!whole || stub->request_count == REQUESTS_MAX)
        return;
    struct herd_buf *note = &stub->requests[stub->request_count++];
    assert_int_equal(herd_buf_add(note, at, whole), 0);
    evbuffer_drain(in, whole);
    act(c, (struct herd_span){note->at, note->len});
}

static void on_read(struct bufferevent *bev, void *ctx)
{
    pausing(true);
    take_request(bev, ctx);
    pausing(false);
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
    (void)bev;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        conn_free(ctx);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address, int len,
                      void *ctx)
{
    (void)listener;
    (void)address;
    (void)len;
    struct stub *stub = ctx;
    pausing(true);
    struct conn *c = calloc(1, sizeof *c);
    pausing(false);
    assert_non_null(c);
    c->stub = stub;
#ifdef STUB_TLS
    if (stub->ssl_ctx)
        c->bev = bufferevent_openssl_socket_new(stub->base, fd, SSL_new(stub->ssl_ctx), BUFFEREVENT_SSL_ACCEPTING,
                                                BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
#endif
    if (!c->bev)
        c->bev = bufferevent_socket_new(stub->base, fd, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    assert_non_null(c->bev);
    c->next = stub->conns;
    if (c->next)
        c->next->prev = c;
    stub->conns = c;
    stub->connection_count++;
    bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
    bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

struct stub *stub_new(struct event_base *base, stub_decide *decide, void *ctx, void *ssl_ctx)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    struct stub *stub = calloc(1, sizeof *stub);
    assert_non_null(stub);
    stub->base = base;
    stub->decide = decide;
    stub->ctx = ctx;
    stub->ssl_ctx = ssl_ctx;
    stub->listener = evconnlistener_new_bind(base, on_accept, stub, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
                                             64, (struct sockaddr *)&address, (int)len);
    assert_non_null(stub->listener);
    assert_int_equal(getsockname(evconnlistener_get_fd(stub->listener), (struct sockaddr *)&address, &len), 0);
    stub->port = ntohs(address.sin_port);
    return stub;
}

void stub_free(struct stub *stub)
{
    while (stub->conns)
        conn_free(stub->conns);
    evconnlistener_free(stub->listener);
    for (size_t i = 0; i < stub->request_count; i++)
        herd_buf_fini(&stub->requests[i]);
    free(stub);
}

const char *stub_url(const struct stub *stub, const char *path)
{
    static char url[256];
    snprintf(url, sizeof url, "%s://127.0.0.1:%u%s", stub->ssl_ctx ? "https" : "http", stub->port, path);
    return url;
}

unsigned stub_port(const struct stub *stub)
{
    return stub->port;
}

void stub_release(struct stub *stub, const struct stub_plan *plan)
{
    for (struct conn *c = stub->conns; c; c = c->next)
        if (c->held) {
            c->held = false;
            stub->held--;
            reply(c, plan, (struct herd_span){"", 0});
        }
}

size_t stub_requests(const struct stub *stub)
{
    return stub->request_count;
}

size_t stub_connections(const struct stub *stub)
{
    return stub->connection_count;
}

size_t stub_held(const struct stub *stub)
{
    return stub->held;
}

size_t stub_held_max(const struct stub *stub)
{
    return stub->held_max;
}

struct herd_span stub_request(const struct stub *stub, size_t index)
{
    assert_true(index < stub->request_count);
    return (struct herd_span){stub->requests[index].at, stub->requests[index].len};
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    (void)ctx;
}

void run_until_(struct event_base *base, const size_t *count, size_t want, const char *what)
{
    struct timespec begin, now;
    struct timeval tick = {0, 10000};
    struct event *timer = event_new(base, -1, EV_PERSIST, on_tick, NULL);
    assert_non_null(timer);
    event_add(timer, &tick);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    while (*count < want) {
        event_base_loop(base, EVLOOP_ONCE);
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec - begin.tv_sec > 30)
            fail_msg("not in 30 s: %s (%zu)", what, *count);
    }
    event_free(timer);
}
