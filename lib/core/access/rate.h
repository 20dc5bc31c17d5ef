/* SPDX-License-Identifier: MIT */
/*
 * A limit of rate: the generic cell rate algorithm, a token bucket kept as one instant. `next_ns` is when the next
 * event would be due if all came evenly; an event is in bounds while that lies at most a burst ahead of the clock.
 */
#ifndef HERD_CORE_RATE_H
#define HERD_CORE_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct herd_rate {
    int64_t interval_ns; /* between two events on average; 0: no limit */
    int64_t ahead_ns;    /* (burst - 1) intervals */
    int64_t next_ns;     /* steady time; INT64_MIN: nothing yet */
};

/* `per_second` and `burst` from 1 to 10^9. */
static inline void herd_rate_init(struct herd_rate *rate, int64_t per_second, int64_t burst)
{
    int64_t interval_ns = INT64_C(1000000000) / per_second;
    *rate = (struct herd_rate){interval_ns, interval_ns * (burst - 1), INT64_MIN};
}

/* Takes one event at `now_ns`, the steady clock. False: it is over the limit, and does not count. */
static inline bool herd_rate_take(struct herd_rate *rate, int64_t now_ns)
{
    if (rate->interval_ns == 0)
        return true;
    int64_t from_ns = rate->next_ns > now_ns ? rate->next_ns : now_ns;
    if (from_ns - now_ns > rate->ahead_ns)
        return false;
    rate->next_ns = from_ns + rate->interval_ns;
    return true;
}

/* What `from` has used of its rate counts for `rate`, at most what that allows at once. */
static inline void herd_rate_carry_over(struct herd_rate *rate, const struct herd_rate *from, int64_t now_ns)
{
    if (rate->interval_ns == 0 || from->interval_ns == 0 || from->next_ns <= now_ns)
        return;
    int64_t ahead_ns = from->next_ns - now_ns, most_ns = rate->ahead_ns + rate->interval_ns;
    rate->next_ns = now_ns + (ahead_ns < most_ns ? ahead_ns : most_ns);
}

#endif
