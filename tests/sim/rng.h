/* SPDX-License-Identifier: MIT */
/* Random streams, one for each thing that is drawn, so that drawing more of one does not shift the others. */
#ifndef SIM_RNG_H
#define SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

/* SplitMix64 */
static inline uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline struct rng rng_stream(uint64_t seed, uint64_t stream)
{
    struct rng r = {seed * UINT64_C(0xd1342543de82ef95) + stream};
    rng_next(&r);
    return r;
}

static inline uint64_t rng_below(struct rng *r, uint64_t bound)
{
    return bound ? rng_next(r) % bound : 0;
}

static inline uint64_t mix(uint64_t a, uint64_t b)
{
    struct rng r = {a ^ (b << 32 | b >> 32)};
    return rng_next(&r);
}

/* low .. high */
static inline int64_t rng_in(struct rng *r, int64_t low, int64_t high)
{
    return low + (int64_t)rng_below(r, (uint64_t)(high - low + 1));
}

static inline bool rng_one_in(struct rng *r, uint64_t n)
{
    return rng_below(r, n) == 0;
}

#endif
