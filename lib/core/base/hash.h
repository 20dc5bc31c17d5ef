/* SPDX-License-Identifier: MIT */
/*
 * Two hashes with two jobs.
 *
 * herd_siphash  places ids in this node's table. Its key is the node's own secret, so that nobody can
 *               choose ids that collide (SipHash-1-3, Aumasson and Bernstein).
 * herd_hash     names records in digests. All nodes of a herd must agree on it, so its definition is
 *               part of the peer protocol (PROTOCOL.md, "Digests") and does not depend on the machine.
 */
#ifndef HERD_CORE_HASH_H
#define HERD_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

uint64_t herd_siphash(const uint64_t key[2], const void *bytes, size_t len);

static inline uint64_t herd_load_le64(const unsigned char *p)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
#else
    uint64_t word = 0;
    for (int i = 7; i >= 0; i--)
        word = word << 8 | p[i];
    return word;
#endif
}

/* The 0..7 bytes at `p` as a little-endian number. */
static inline uint64_t herd_load_tail(const unsigned char *p, size_t len)
{
    uint64_t word = 0;
    while (len > 0)
        word = word << 8 | p[--len];
    return word;
}

/* High half XOR low half of the 128-bit product. */
static inline uint64_t herd_mul_fold(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t a_lo = (uint32_t)a, a_hi = a >> 32, b_lo = (uint32_t)b, b_hi = b >> 32;
    uint64_t ll = a_lo * b_lo, lh = a_lo * b_hi, hl = a_hi * b_lo, hh = a_hi * b_hi;
    uint64_t mid = (ll >> 32) + (uint32_t)lh + (uint32_t)hl;
    uint64_t low = mid << 32 | (uint32_t)ll;
    uint64_t high = hh + (lh >> 32) + (hl >> 32) + (mid >> 32);
    return low ^ high;
#endif
}

#define HERD_HASH_A UINT64_C(0x9e3779b97f4a7c15) /* 2^64 / golden ratio */
#define HERD_HASH_B UINT64_C(0xd1342543de82ef95)
#define HERD_HASH_C UINT64_C(0xaf251af3b0f025b5)

/* The state after a block. The state is in both factors, so that nobody who does not know it can choose a block that
 * makes one of them zero; and it is added to the product, so that even a product of zero keeps what came before. */
static inline uint64_t herd_hash_block(uint64_t h, uint64_t first, uint64_t second)
{
    uint64_t turned = h << 32 | h >> 32;
    return herd_mul_fold(h ^ first, turned ^ HERD_HASH_A ^ second) + (h ^ HERD_HASH_B);
}

/* Sixteen bytes at a time; the last block is the last sixteen bytes, even if some were read before. Fewer
 * than sixteen bytes are one block with zeros behind them. */
static inline uint64_t herd_hash(uint64_t seed, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    uint64_t h = seed ^ (uint64_t)len * HERD_HASH_C;
    if (len < 16) {
        uint64_t first = len < 8 ? herd_load_tail(p, len) : herd_load_le64(p);
        uint64_t second = len > 8 ? herd_load_le64(p + len - 8) >> (8 * (16 - len)) : 0;
        h = herd_hash_block(h, first, second);
    } else {
        for (const unsigned char *last = p + len - 16;; p += 16) {
            if (p > last)
                p = last;
            h = herd_hash_block(h, herd_load_le64(p), herd_load_le64(p + 8));
            if (p == last)
                break;
        }
    }
    return herd_mul_fold(h ^ HERD_HASH_C, HERD_HASH_B);
}

#endif
