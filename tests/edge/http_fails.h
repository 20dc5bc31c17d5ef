/* SPDX-License-Identifier: MIT */
/* A server with HTTP whose allocations fail, for tests that tell a story again and again until nothing failed; link with
 * --wrap of what is below. */
#ifndef TEST_EDGE_HTTP_FAILS_H
#define TEST_EDGE_HTTP_FAILS_H

#include "../unit/failing_additions.h"
#include "failing_memory.h"
#include "http_world.h"

static struct {
    long next, count; /* how many go well before the first that fails; how many fail then */
    long asked, failed;
    bool armed;
    bool additions; /* those to a buffer fail too, whether or not it happens to have room */
} plan;

static void set_armed(bool on)
{
    plan.armed = on;
}

static bool fails_now(void)
{
    if (!plan.armed)
        return false;
    long n = plan.asked++;
    if (n < plan.next || n >= plan.next + plan.count)
        return false;
    plan.failed++;
    return true;
}

int __real_event_add(struct event *event, const struct timeval *wait);
int __wrap_event_add(struct event *event, const struct timeval *wait);
int __real_evbuffer_add(struct evbuffer *buffer, const void *at, size_t len);
int __wrap_evbuffer_add(struct evbuffer *buffer, const void *at, size_t len);
int __real_evbuffer_add_reference(struct evbuffer *buffer, const void *at, size_t len,
                                  evbuffer_ref_cleanup_cb cleanup, void *arg);
int __wrap_evbuffer_add_reference(struct evbuffer *buffer, const void *at, size_t len,
                                  evbuffer_ref_cleanup_cb cleanup, void *arg);

int __wrap_event_add(struct event *event, const struct timeval *wait)
{
    return fails_now() ? -1 : __real_event_add(event, wait);
}

int __wrap_evbuffer_add(struct evbuffer *buffer, const void *at, size_t len)
{
    return fails_now() ? -1 : __real_evbuffer_add(buffer, at, len);
}

int __wrap_evbuffer_add_reference(struct evbuffer *buffer, const void *at, size_t len,
                                  evbuffer_ref_cleanup_cb cleanup, void *arg)
{
    return fails_now() ? -1 : __real_evbuffer_add_reference(buffer, at, len, cleanup, arg);
}

static bool addition_fails_now(void)
{
    return plan.additions && fails_now();
}

/* Waits for `text`, or for the end of the connection. */
static inline void expect_or_end(struct http_client *c, const char *text)
{
    time_t end = seconds() + DEADLINE_S;
    while (!c->ended && !strstr(client_text(c), text)) {
        client_turn(c);
        assert_true(seconds() < end);
    }
    c->got.len = 0;
}

/* Whether the answer to `request` is whole, with the length it says. */
static inline bool whole(struct http_client *c, const char *request)
{
    const char *text = client_text(c), *end = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");
    if (!end || !length || length > end || strncmp(request, "HEAD ", 5) == 0)
        return end != NULL;
    return c->got.len - (size_t)(end + 4 - text) >= strtoul(length + 16, NULL, 10);
}

/* The status of the answer to `request`; 0: its connection ended first. */
static inline int http_ask(struct http_world *w, const char *request)
{
    struct http_client c;
    time_t end = seconds() + DEADLINE_S;
    client_open(&c, w);
    client_say(&c, request);
    while (!c.ended && !whole(&c, request)) {
        client_turn(&c);
        assert_true(seconds() < end);
    }
    int status = whole(&c, request) ? atoi(client_text(&c) + strlen("HTTP/1.1 ")) : 0;
    client_close(&c);
    return status;
}

#endif
