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

/* Tells `once` with the first of `count` failures each `step` later. */
static void run_all(void (*once)(void), long count, long step)
{
    long next = 0;
    do {
        plan.next = next;
        plan.count = count;
        plan.asked = plan.failed = 0;
        http_world_arm = set_armed;
        plan.additions = false;
        once();
        next += step;
    } while (plan.failed > 0);
    assert_true(next > 100);
}

/* The story of the test that includes this, told again and again. */
static void once(void);

static void test_one(void **state)
{
    (void)state;
    run_all(once, 1, 1);
}

static void test_twenty(void **state)
{
    (void)state;
    run_all(once, 20, 7);
}

#endif
