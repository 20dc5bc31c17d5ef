/* SPDX-License-Identifier: MIT */
/*
 * SipHash-1-3 against another implementation: CPython 3.11 hashes bytes with it, under the key that
 * PYTHONHASHSEED=42 expands to. And the digest hash against numbers that every node must agree on.
 */
#include "cm.h"

#include "guard.h"
#include "hash.h"

static const uint64_t KEY[2] = {UINT64_C(0xdc504fd368cd90af), UINT64_C(0xb920bb9ffe99e9c1)};

/* Of the bytes 0, 1, 2, ...: the first of them; the first two; ... */
static const uint64_t vectors[64] = {
    UINT64_C(0xce880c366bcf3489), UINT64_C(0xef32fbc0469f0756), UINT64_C(0xef4b9dcae9b04417),
    UINT64_C(0x79793200f3b3b3db), UINT64_C(0xbe8653fc64f95fbd), UINT64_C(0xb32b5a11619800dd),
    UINT64_C(0xce280fabc397fbda), UINT64_C(0x60866c3c108c6afb), UINT64_C(0x68814005f7469e03),
    UINT64_C(0x060a514cd0a2e301), UINT64_C(0x72f315ef14fb4b09), UINT64_C(0x550fe6ca26ef7fdd),
    UINT64_C(0x19c8185b4c3e2799), UINT64_C(0xfaa1fc2224a07929), UINT64_C(0x94ace24d68c18cf8),
    UINT64_C(0x339176f3ac59ce05), UINT64_C(0xed2706b414c296f1), UINT64_C(0xcdd77102531929e2),
    UINT64_C(0x33a51c4b838d8070), UINT64_C(0xa7dbb0b1fa0842a3), UINT64_C(0x20dfd910e0134ee5),
    UINT64_C(0xcd0fe2c8291e801e), UINT64_C(0xad71bad831e3a42d), UINT64_C(0xae431c6fb201ce8b),
    UINT64_C(0x0979abaf2e4d385e), UINT64_C(0x7a6386516c9db280), UINT64_C(0xb0c2acd9e8f32b9c),
    UINT64_C(0x539526f9be7bc8e8), UINT64_C(0x80aca43c39d622a3), UINT64_C(0x02bdd64163fc53a4),
    UINT64_C(0x06f3af51bda71c61), UINT64_C(0x26f2ecd47de50371), UINT64_C(0x0c2f62fe705a39bc),
    UINT64_C(0xf36e3b1fa0873bc4), UINT64_C(0x5f01e52e566b6883), UINT64_C(0x325168a6b0dc469f),
    UINT64_C(0x2be7232ee94b7e5f), UINT64_C(0xc475b8968275842d), UINT64_C(0xc6e27a94ae5452f3),
    UINT64_C(0xde03d697bf20e38a), UINT64_C(0x738c6863d812c266), UINT64_C(0xde0a234ddc2bb678),
    UINT64_C(0xb67b95b357062551), UINT64_C(0x29911eff4d51e13d), UINT64_C(0x53f6e668e7fb95e2),
    UINT64_C(0xed79c3358e44c539), UINT64_C(0x275680412b4519a3), UINT64_C(0x567c448c8884a52b),
    UINT64_C(0x8be2a3cb52704009), UINT64_C(0x164feac24917ec19), UINT64_C(0x39b726f73ef545d1),
    UINT64_C(0x7ec4a07d0082066b), UINT64_C(0x23ab9cd189b60fb0), UINT64_C(0x7a5be6d78842117c),
    UINT64_C(0x1aa5ebf1421bacc3), UINT64_C(0x6d85aecde75643f1), UINT64_C(0x553957a2ca3d0178),
    UINT64_C(0x958f5b7f5f952508), UINT64_C(0xa23119bd8d7ba75c), UINT64_C(0xc2f6babeec826e14),
    UINT64_C(0xa0d5052b62d88a85), UINT64_C(0x4ff1b6793caa7e77), UINT64_C(0x06e24d6f0d014c37),
    UINT64_C(0x91639ef7de8d52cb),
};

static void test_vectors(void **state)
{
    (void)state;
    char bytes[64];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    for (size_t len = 1; len <= 64; len++) {
        struct herd_span span = guarded((struct herd_span){bytes, len});
        assert_true(herd_siphash(KEY, span.at, len) == vectors[len - 1]);
    }
    /* PYTHONHASHSEED=0 is the key of zeros */
    const uint64_t zero[2] = {0, 0};
    assert_true(herd_siphash(zero, bytes, 1) == UINT64_C(0x68a914128e01e473));
    assert_true(herd_siphash(zero, bytes, 8) == UINT64_C(0xead411e67ebe2eea));
}

static void test_key_and_length_matter(void **state)
{
    (void)state;
    static const char zeros[32];
    const uint64_t other[2] = {KEY[0], KEY[1] ^ 1};
    assert_true(herd_siphash(KEY, zeros, 8) != herd_siphash(other, zeros, 8));
    for (size_t len = 0; len < 32; len++) {
        assert_true(herd_siphash(KEY, zeros, len) != herd_siphash(KEY, zeros, len + 1));
        assert_true(herd_hash(1, zeros, len) != herd_hash(1, zeros, len + 1));
        assert_true(herd_hash(1, zeros, len) != herd_hash(2, zeros, len));
    }
    assert_true(herd_siphash(KEY, NULL, 0) == herd_siphash(KEY, "", 0));
}

/* 64 x 64 -> 128 bits done with four 32-bit products. */
static uint64_t slow_fold(uint64_t a, uint64_t b)
{
    uint64_t a0 = a & 0xffffffff, a1 = a >> 32, b0 = b & 0xffffffff, b1 = b >> 32;
    uint64_t p00 = a0 * b0, p01 = a0 * b1, p10 = a1 * b0, p11 = a1 * b1;
    uint64_t carry = ((p00 >> 32) + (p01 & 0xffffffff) + (p10 & 0xffffffff)) >> 32;
    return (p00 + (p01 << 32) + (p10 << 32)) ^ (p11 + (p01 >> 32) + (p10 >> 32) + carry);
}

static uint64_t slow_word(const unsigned char *p, size_t len)
{
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)p[i] << (8 * i);
    return word;
}

static uint64_t slow_block(uint64_t h, uint64_t first, uint64_t second)
{
    uint64_t swapped = (h & 0xffffffff) << 32 | h >> 32;
    return slow_fold(h ^ first, swapped ^ UINT64_C(0x9e3779b97f4a7c15) ^ second) +
           (h ^ UINT64_C(0xd1342543de82ef95));
}

/* The definition, said once more. */
static uint64_t slow_hash(uint64_t seed, const unsigned char *p, size_t len)
{
    const uint64_t b = UINT64_C(0xd1342543de82ef95), c = UINT64_C(0xaf251af3b0f025b5);
    uint64_t h = seed ^ len * c;
    if (len < 16) {
        size_t first = len < 8 ? len : 8;
        h = slow_block(h, slow_word(p, first), slow_word(p + first, len - first));
    }
    for (size_t at = 0; len >= 16 && at < len; at += 16) {
        if (at > len - 16)
            at = len - 16;
        h = slow_block(h, slow_word(p + at, 8), slow_word(p + at + 8, 8));
    }
    return slow_fold(h ^ c, b);
}

static void test_digest_hash(void **state)
{
    (void)state;
    uint64_t seed = 9;
    for (int i = 0; i < 20000; i++) {
        char bytes[80];
        size_t len = rnd_below(&seed, sizeof bytes);
        for (size_t k = 0; k < len; k++)
            bytes[k] = (char)rnd(&seed);
        uint64_t key = rnd(&seed);
        struct herd_span span = guarded((struct herd_span){bytes, len});
        assert_true(herd_hash(key, span.at, len) == slow_hash(key, (const unsigned char *)span.at, len));
    }
}

/* No block makes two states one that were different before: neither the block that had done so when only one factor
 * had the state in it, nor those that make a factor zero for one of the two. */
static void test_no_block_wipes(void **state)
{
    (void)state;
    uint64_t seed = 4;
    for (int i = 0; i < 1000; i++) {
        uint64_t h = rnd(&seed), other = rnd(&seed), first = rnd(&seed), swapped = h << 32 | h >> 32;
        const uint64_t firsts[] = {first, h, other, 0, ~h},
                       seconds[] = {HERD_HASH_A, HERD_HASH_A ^ swapped, 0, first};
        for (size_t a = 0; a < sizeof firsts / sizeof *firsts; a++)
            for (size_t b = 0; b < sizeof seconds / sizeof *seconds; b++) {
                uint64_t after = herd_hash_block(h, firsts[a], seconds[b]);
                assert_true(after != herd_hash_block(other, firsts[a], seconds[b]));
                assert_true(after != herd_hash_block(h ^ 1, firsts[a], seconds[b]));
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_key_and_length_matter),
        cmocka_unit_test(test_digest_hash),
        cmocka_unit_test(test_no_block_wipes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
