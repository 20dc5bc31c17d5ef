/* SPDX-License-Identifier: MIT */
/* Numbers into digits, eight at a time. */
#ifndef HERD_CORE_PRINT_H
#define HERD_CORE_PRINT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The eight digits of a number below 10^8, one a byte, the first in the lowest byte. Each step cuts every
 * number in the word into two of half as many digits; the products are exact quotients in these ranges. */
static inline uint64_t herd_digits8(uint32_t value)
{
    uint64_t word = value / 10000 | (uint64_t)(value % 10000) << 32;
    uint64_t high = (word * 10486 >> 20) & UINT64_C(0x0000007f0000007f); /* by 100 */
    word = high | (word - high * 100) << 16;
    high = (word * 103 >> 10) & UINT64_C(0x000f000f000f000f); /* by 10 */
    return high | (word - high * 10) << 8;
}

static inline void herd_put_bytes8(char *p, uint64_t word)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(p, &word, 8);
#else
    for (int i = 0; i < 8; i++)
        p[i] = (char)(word >> 8 * i);
#endif
}

/* Eight digits, zeros in front. */
static inline void herd_put8(char *p, uint32_t value)
{
    herd_put_bytes8(p, herd_digits8(value) | UINT64_C(0x3030303030303030));
}

/* Nine digits, zeros in front. */
static inline void herd_put9(char *p, uint32_t value)
{
    p[0] = (char)('0' + value / 100000000);
    herd_put8(p + 1, value % 100000000);
}

/* Up to eight digits, no zeros in front. Eight bytes are written, whatever the number. */
static inline char *herd_put_below8(char *p, uint32_t value)
{
    uint64_t word = herd_digits8(value);
    unsigned zeros = word ? (unsigned)__builtin_ctzll(word) / 8 : 7;
    herd_put_bytes8(p, (word | UINT64_C(0x3030303030303030)) >> 8 * zeros);
    return p + 8 - zeros;
}

/* A number below 10^10, as seconds are that fit 64 bits of nanoseconds; returns where it ends. There must be
 * room for 8 digits, or for the 9 or 10 that it has. */
static inline char *herd_put_number(char *p, uint64_t value)
{
    if (value < 100000000)
        return herd_put_below8(p, (uint32_t)value);
    unsigned high = (unsigned)(value / 100000000);
    *p = (char)('0' + high / 10);
    p += high >= 10;
    *p++ = (char)('0' + high % 10);
    herd_put8(p, (uint32_t)(value % 100000000));
    return p + 8;
}

#endif
