/* SPDX-License-Identifier: MIT */
/* Digests: every prefix at every depth against plain addition. */
#include "cm.h"

#include "digest.h"
#include "guard.h"

#define ITEMS 500

static void test_sums(void **state)
{
    (void)state;
    struct herd_digest digest;
    uint64_t hash[ITEMS], value[ITEMS], seed = 11;
    assert_int_equal(herd_digest_init(&digest, HERD_DIGEST_BITS_FIRST), 0);
    assert_int_equal(digest.bits, HERD_DIGEST_BITS_FIRST);
    for (size_t i = 0; i < ITEMS; i++) {
        hash[i] = rnd(&seed);
        value[i] = rnd(&seed);
        herd_digest_add(&digest, hash[i], value[i]);
    }
    for (size_t i = 0; i < ITEMS; i += 3) { /* changes: one subtraction, one addition */
        uint64_t newer = rnd(&seed);
        herd_digest_add(&digest, hash[i], newer - value[i]);
        value[i] = newer;
    }
    for (unsigned depth = 0; depth <= digest.bits; depth++) {
        uint64_t all = 0;
        for (uint32_t prefix = 0; prefix < 1u << depth; prefix++) {
            uint64_t expected = 0;
            for (size_t i = 0; i < ITEMS; i++)
                if (depth == 0 || hash[i] >> (64 - depth) == prefix)
                    expected += value[i];
            uint64_t sum = herd_digest_sum(&digest, prefix, depth);
            assert_true(sum == expected);
            all += sum;
        }
        assert_true(all == digest.total);
    }
    for (size_t i = 0; i < ITEMS; i++)
        herd_digest_add(&digest, hash[i], 0 - value[i]);
    assert_true(digest.total == 0);
    for (uint32_t leaf = 0; leaf < 1u << digest.bits; leaf++)
        assert_true(digest.leaves[leaf] == 0);
    herd_digest_fini(&digest);
    herd_digest_fini(&digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sums)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
