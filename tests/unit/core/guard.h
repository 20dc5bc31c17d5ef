/* SPDX-License-Identifier: MIT */
/* Bytes whose end is the end of readable memory: reading one byte too many is a crash, not luck. And a small
 * random generator, so that a failing run can be had again. */
#ifndef TEST_GUARD_H
#define TEST_GUARD_H

#include <herd/types.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define GUARD_BYTES ((size_t)1 << 20)

/* A copy of `bytes` that ends where a PROT_NONE page begins; valid until the next call. */
static inline struct herd_span guarded(struct herd_span bytes)
{
    static char *area;
    if (!area) {
        void *at = mmap(NULL, GUARD_BYTES + 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED || mprotect((char *)at + GUARD_BYTES, 65536, PROT_NONE) != 0)
            abort();
        area = at;
    }
    if (bytes.len > GUARD_BYTES)
        abort();
    char *at = area + GUARD_BYTES - bytes.len;
    if (bytes.len)
        memmove(at, bytes.at, bytes.len);
    return (struct herd_span){at, bytes.len};
}

static inline struct herd_span span_of_buf(const struct herd_buf *buf)
{
    return (struct herd_span){buf->len ? buf->at : "", buf->len};
}

/* splitmix64 */
static inline uint64_t rnd(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline size_t rnd_below(uint64_t *state, size_t bound)
{
    return (size_t)(rnd(state) % bound);
}

#endif
