/* SPDX-License-Identifier: MIT */
/* A story that is told again and again, each time with failures a little later, until nothing failed. */
#ifndef TEST_EDGE_HTTP_STORY_H
#define TEST_EDGE_HTTP_STORY_H

#include "http_fails.h"

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
