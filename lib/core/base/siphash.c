/* SPDX-License-Identifier: MIT */
/* SipHash-1-3: one round a word, three at the end. */
#include "hash.h"

struct state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static inline void round_once(struct state *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 = rotate(s->v2, 32);
}

static inline void take(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    round_once(s);
    s->v0 ^= word;
}

uint64_t herd_siphash(const uint64_t key[2], const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    struct state s = {
        key[0] ^ UINT64_C(0x736f6d6570736575),
        key[1] ^ UINT64_C(0x646f72616e646f6d),
        key[0] ^ UINT64_C(0x6c7967656e657261),
        key[1] ^ UINT64_C(0x7465646279746573),
    };
    size_t left = len;
    for (; left >= 8; p += 8, left -= 8)
        take(&s, herd_load_le64(p));
    /* The last 1..7 bytes, read together with those before them where there are any. */
    uint64_t tail = left == 0 ? 0
                    : len < 8 ? herd_load_tail(p, left)
                              : herd_load_le64(p + left - 8) >> (8 * (8 - left));
    take(&s, tail | (uint64_t)len << 56);
    s.v2 ^= 0xff;
    round_once(&s);
    round_once(&s);
    round_once(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
