/* SPDX-License-Identifier: MIT */
/* The clocks. */
#ifndef HERD_EDGE_CLOCK_H
#define HERD_EDGE_CLOCK_H

#include <herd/types.h>

#include <sys/time.h>
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

/* Longest time-out, 31 years in seconds: where time_t has 32 bits, more would overflow. */
#define HERD_TIMEVAL_MAX_S 1000000000

/* A time-out of `us` microseconds for libevent; negative is 0. */
static inline struct timeval herd_timeval_us(int64_t us)
{
    int64_t s = us / 1000000;
    if (us < 0)
        return (struct timeval){0, 0};
    if (s >= HERD_TIMEVAL_MAX_S)
        return (struct timeval){HERD_TIMEVAL_MAX_S, 0};
    return (struct timeval){(time_t)s, (suseconds_t)(us % 1000000)};
}

/* A time-out of `ms` milliseconds for libevent; negative is 0. */
static inline struct timeval herd_timeval_ms(int64_t ms)
{
    return herd_timeval_us(ms > INT64_MAX / 1000 ? INT64_MAX : ms * 1000);
}

/* A time-out of `ns` nanoseconds for libevent, rounded up so that it has passed when the timer fires; negative is
 * 0. */
static inline struct timeval herd_timeval_ns(int64_t ns)
{
    return herd_timeval_us(ns < 0 ? 0 : ns / 1000 + (ns % 1000 != 0));
}

#endif
