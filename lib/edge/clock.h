/* SPDX-License-Identifier: MIT */
/* Both clocks, read together. */
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

static inline struct herd_now herd_clock(void)
{
    return (struct herd_now){herd_clock_ns(CLOCK_REALTIME), herd_clock_ns(CLOCK_MONOTONIC)};
}

#endif
