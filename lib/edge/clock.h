/* SPDX-License-Identifier: MIT */
/* The clocks. */
#ifndef HERD_EDGE_CLOCK_H
#define HERD_EDGE_CLOCK_H

#include <herd/types.h>

#include <time.h>

static inline int64_t herd_clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Milliseconds of the clock that only goes forward. */
static inline int64_t herd_clock_steady_ms(void)
{
    return herd_clock_ns(CLOCK_MONOTONIC) / 1000000;
}

/* Both clocks, read together. */
static inline struct herd_now herd_clock(void)
{
    return (struct herd_now){herd_clock_ns(CLOCK_REALTIME), herd_clock_ns(CLOCK_MONOTONIC)};
}

#endif
