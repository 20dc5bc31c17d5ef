/* SPDX-License-Identifier: MIT */
/* A server with HTTP in this process, routes of the test's own, and clients on the same loop. */
#ifndef TEST_EDGE_HTTP_WORLD_H
#define TEST_EDGE_HTTP_WORLD_H

#include "../unit/cm.h"
#include "../unit/free_port.h"
#include "http_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_S 20
#define HOST       "Host: localhost\r\n"

struct http_world {
    struct event_base *base;
    struct herd_config *config;
    struct herd_server *server;
    uint16_t port;
};

/* Around what the library does, for a test of what fails in it; NULL: nobody wants to know. */
static void (*http_world_arm)(bool on);

static inline void arm(bool on)
{
    if (http_world_arm)
        http_world_arm(on);
}

/* Behind the server `a` and among the links, where a test wants more than one. */
static const char *http_world_servers = "", *http_world_links = "";

/* `more` stands in the configuration, behind a comma; a process has one world at a time. What herd_server_new says. */
static inline int http_world_try(struct http_world *w, const struct herd_http_module *module, const char *more)
{
    static uint16_t port, http_port;
    char json[1024];
    struct herd_diagnostic diagnostic = {0};
    if (!port) {
        port = free_port();
        http_port = free_port();
    }
    *w = (struct http_world){.base = event_base_new(), .port = http_port};
    assert_non_null(w->base);
    snprintf(json, sizeof json,
             "{\"servers\":{\"a\":{\"port\":%u,\"http_port\":%u}%s},\"links\":[%s],\"places\":{\"provider\":"
             "\"embedded\"}%s}",
             (unsigned)port, (unsigned)http_port, http_world_servers, http_world_links, more);
    arm(true);
    int err = herd_config_parse(&w->config, herd_span_of(json), &diagnostic);
    struct herd_server_options options = {.name = "a", .config = w->config};
    if (err >= 0)
        err = herd_server_new(&w->server, w->base, &options, &diagnostic);
    if (err >= 0 && module)
        err = herd_http_add_module(w->server->http, module);
    arm(false);
    if (err < 0 && !http_world_arm)
        fail_msg("%s", diagnostic.message);
    return err;
}

static inline void http_world_close(struct http_world *w)
{
    herd_server_free(w->server);
    herd_config_free(w->config);
    event_base_free(w->base);
}

static inline void http_world_open(struct http_world *w, const struct herd_http_module *module, const char *more)
{
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(http_world_try(w, module, more), 0);
}

static inline time_t seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* ---- clients ---- */

struct http_client {
    struct http_world *world;
    int fd;
    bool ended;
    struct herd_buf got;
};

static inline void client_open(struct http_client *c, struct http_world *w)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(w->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *c = (struct http_client){.world = w, .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_true(c->fd >= 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&in, sizeof in), 0);
    int on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static inline void client_close(struct http_client *c)
{
    close(c->fd);
    herd_buf_fini(&c->got);
}

/* One turn of the loop, and what it brought. */
static inline void client_turn(struct http_client *c)
{
    char bytes[65536];
    arm(true);
    event_base_loop(c->world->base, EVLOOP_NONBLOCK);
    arm(false);
    ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n > 0)
        assert_int_equal(herd_buf_add(&c->got, bytes, (size_t)n), 0);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        c->ended = true;
}

static inline void client_send(struct http_client *c, const char *bytes, size_t len)
{
    time_t end = seconds() + DEADLINE_S;
    while (len > 0 && !c->ended) {
        ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return;
        }
        client_turn(c);
        assert_true(seconds() < end);
    }
}

static inline void client_say(struct http_client *c, const char *text)
{
    client_send(c, text, strlen(text));
}

/* The text so far, with a NUL behind it. */
static inline const char *client_text(struct http_client *c)
{
    assert_int_equal(herd_buf_reserve(&c->got, 1), 0);
    c->got.at[c->got.len] = '\0';
    return c->got.at;
}

/* Waits until `text` has arrived, and drops what came up to there. */
static inline void client_expect(struct http_client *c, const char *text)
{
    time_t end = seconds() + DEADLINE_S;
    const char *found;
    while (!(found = strstr(client_text(c), text))) {
        if (c->ended || seconds() >= end)
            fail_msg("expected %s, got %s", text, client_text(c));
        client_turn(c);
    }
    size_t used = (size_t)(found - c->got.at) + strlen(text);
    memmove(c->got.at, c->got.at + used, c->got.len - used);
    c->got.len -= used;
}

static inline void client_expect_end(struct http_client *c)
{
    time_t end = seconds() + DEADLINE_S;
    while (!c->ended) {
        client_turn(c);
        assert_true(seconds() < end);
    }
}

#endif
