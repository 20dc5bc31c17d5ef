/* SPDX-License-Identifier: MIT */
/*
 * Runs of digits, eight characters at a time.
 *
 * `readable_end` is how far memory may be read, at or behind the end of the text that is meant: a line lies in
 * a larger read, and a run of digits ends by itself at the white space that ends its field.
 */
#ifndef HERD_CORE_DIGITS_H
#define HERD_CORE_DIGITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool herd_is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

static inline uint64_t herd_load8(const char *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

/* How many of the eight characters, from the first on, are digits. */
static inline unsigned herd_digit_run8(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t x = word ^ ones * '0';                       /* digits become 0..9 */
    uint64_t bad = ((x & ones * 0x7f) + ones * 0x76) | x; /* bit 7 of a byte: not a digit */
    bad &= ones * 0x80;
    return bad ? (unsigned)__builtin_ctzll(bad) / 8 : 8;
}

/* The value of the first `n` characters, which are digits; 1 <= n <= 8. */
static inline uint32_t herd_digits_value8(uint64_t word, unsigned n)
{
    word <<= 8 * (8 - n); /* zeros in front: bits 0..3 of a missing character are 0 */
    word &= UINT64_C(0x0f0f0f0f0f0f0f0f);
    word = word * 10 + (word >> 8);
    word = ((word & UINT64_C(0x000000ff000000ff)) * (100 + (UINT64_C(1000000) << 32)) +
            (word >> 16 & UINT64_C(0x000000ff000000ff)) * (1 + (UINT64_C(10000) << 32))) >>
           32;
    return (uint32_t)word;
}

#endif

/* Reads up to sixteen digits; returns how many there are and their value. */
static inline unsigned herd_read_digits(const char *p, const char *readable_end, uint64_t *ret_value)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    static const uint32_t power[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    if (readable_end - p >= 16) {
        uint64_t word = herd_load8(p);
        unsigned n = herd_digit_run8(word);
        *ret_value = n ? herd_digits_value8(word, n) : 0;
        if (n < 8)
            return n;
        word = herd_load8(p + 8);
        unsigned more = herd_digit_run8(word);
        if (more)
            *ret_value = *ret_value * power[more] + herd_digits_value8(word, more);
        return 8 + more;
    }
#endif
    unsigned n = 0;
    uint64_t value = 0;
    while (n < 16 && p + n < readable_end && herd_is_digit(p[n]))
        value = value * 10 + (uint64_t)(p[n++] - '0');
    *ret_value = value;
    return n;
}

#endif
