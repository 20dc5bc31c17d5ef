/* SPDX-License-Identifier: MIT */
/*
 * A block of 128 bits, the number and its kind, through four rounds of a Feistel network whose function is SipHash: a
 * permutation that without the key cannot be told from a random one, backward neither (Luby and Rackoff). Of all blocks one
 * in 2^64 has the kind that is looked for.
 */
#include "cursor.h"

#include "../../core/base/hash.h"
#include "../../core/base/hex_digit.h"

#include <inttypes.h>
#include <stdio.h>

#define ROUNDS 4

static uint64_t round_of(const uint64_t key[2], uint64_t round, uint64_t half)
{
    const uint64_t words[2] = {round, half};
    return herd_siphash(key, words, sizeof words);
}

void herd_cursor_write(const uint64_t key[2], enum herd_cursor_kind kind, uint64_t number,
                       char ret_text[HERD_CURSOR_DIGITS + 1])
{
    uint64_t left = number, right = kind;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        const uint64_t next = left ^ round_of(key, round, right);
        left = right;
        right = next;
    }
    snprintf(ret_text, HERD_CURSOR_DIGITS + 1, "%016" PRIx64 "%016" PRIx64, left, right);
}

static bool read_half(const char *at, uint64_t *ret_half)
{
    *ret_half = 0;
    for (size_t i = 0; i < HERD_CURSOR_DIGITS / 2; i++) {
        const int digit = herd_hex_digit(at[i]);
        if (digit < 0)
            return false;
        *ret_half = *ret_half << 4 | (unsigned)digit;
    }
    return true;
}

bool herd_cursor_read(const uint64_t key[2], enum herd_cursor_kind kind, struct herd_span text,
                      uint64_t *ret_number)
{
    uint64_t left, right;
    if (text.len != HERD_CURSOR_DIGITS || !read_half(text.at, &left) ||
        !read_half(text.at + HERD_CURSOR_DIGITS / 2, &right))
        return false;
    for (uint64_t round = ROUNDS; round-- > 0;) {
        const uint64_t before = right ^ round_of(key, round, left);
        right = left;
        left = before;
    }
    *ret_number = left;
    return right == (uint64_t)kind;
}
