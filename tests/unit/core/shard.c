/* SPDX-License-Identifier: MIT */
/* Buckets of ids, and herds of buckets: the examples of PROTOCOL.md, and what makes them of use. */
#include "cm.h"

#include <herd/protocol.h>
#include <herd/shard.h>

#include <stdio.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))
#define HERDS_MAX   65

static char texts[HERDS_MAX][16];
static struct herd_span names[HERDS_MAX];

static void make_names(void)
{
    for (size_t i = 0; i < HERDS_MAX; i++) {
        snprintf(texts[i], sizeof texts[i], "h%02zu", i);
        names[i] = herd_span_of(texts[i]);
    }
}

static void test_bucket_examples(void **state)
{
    (void)state;
    static const uint64_t key = UINT64_C(0x33fd8a41ac5e59a5);
    static const struct {
        const char *id;
        unsigned open, keyed;
    } rows[] = {
        {"kiwi.example", 3116, 1176},
        {"b", 732, 4084},
        {"a-client-with-a-rather-long-name", 2324, 3445},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(herd_bucket(herd_span_of(rows[i].id), 0), rows[i].open);
        assert_int_equal(herd_bucket(herd_span_of(rows[i].id), key), rows[i].keyed);
    }
}

static void test_shard_examples(void **state)
{
    (void)state;
    const struct herd_span herds[] = {herd_span_of("north"), herd_span_of("south"), herd_span_of("east")};
    static const struct {
        unsigned bucket;
        const char *herd;
    } rows[] = {{0, "south"}, {1, "east"}, {2, "north"}, {3, "east"}, {3116, "south"}, {4095, "north"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t herd = herd_shard(rows[i].bucket, herds, 3);
        assert_true(herd_span_equal(herds[herd], herd_span_of(rows[i].herd)));
    }
}

/* A million ids are spread evenly: no bucket has much more than its share. The bound is eight standard deviations of a
 * random spread. */
static void test_ids_are_spread(void **state)
{
    (void)state;
    static unsigned held[HERD_BUCKETS];
    memset(held, 0, sizeof held);
    for (unsigned i = 0; i < 1000000; i++) {
        char id[24];
        int len = snprintf(id, sizeof id, "client-%u", i);
        held[herd_bucket((struct herd_span){id, (size_t)len}, 7)]++;
    }
    for (unsigned bucket = 0; bucket < HERD_BUCKETS; bucket++)
        assert_in_range(held[bucket], 244 - 125, 244 + 125);
}

static void test_table_is_one_by_one(void **state)
{
    (void)state;
    static uint16_t table[HERD_BUCKETS];
    for (size_t count = 1; count <= HERDS_MAX; count += 8) {
        herd_shard_table(names, count, table);
        for (unsigned bucket = 0; bucket < HERD_BUCKETS; bucket++)
            assert_int_equal(table[bucket], herd_shard(bucket, names, count));
    }
}

/* Whoever lists the herds in another order, or one of them twice, knows the same herd. */
static void test_order_does_not_count(void **state)
{
    (void)state;
    struct herd_span turned[33], twice[34];
    for (size_t i = 0; i < 33; i++)
        turned[i] = names[(i * 7 + 5) % 33];
    memcpy(twice, turned, sizeof turned);
    twice[33] = turned[0];
    for (unsigned bucket = 0; bucket < HERD_BUCKETS; bucket++) {
        struct herd_span herd = names[herd_shard(bucket, names, 33)];
        assert_true(herd_span_equal(turned[herd_shard(bucket, turned, 33)], herd));
        assert_int_equal(herd_shard(bucket, twice, 34), herd_shard(bucket, turned, 33));
    }
}

/* A herd that is added takes about its share, and no bucket goes to another; one that is removed gives back what it had. */
static void test_adding_moves_only_to_it(void **state)
{
    (void)state;
    for (size_t count = 1; count < HERDS_MAX; count++) {
        unsigned moved = 0, share = HERD_BUCKETS / (unsigned)(count + 1);
        static uint16_t before[HERD_BUCKETS], after[HERD_BUCKETS];
        herd_shard_table(names, count, before);
        herd_shard_table(names, count + 1, after);
        for (unsigned bucket = 0; bucket < HERD_BUCKETS; bucket++) {
            if (before[bucket] == after[bucket])
                continue;
            assert_int_equal(after[bucket], count);
            moved++;
        }
        assert_in_range(moved, share / 2, share + share / 2);
        if (count == 2 || count == 32)
            print_message("%zu herds gain one: %u of 4096 buckets move, %u is the share\n", count, moved, share);
    }
}

static void test_herds_have_equal_shares(void **state)
{
    (void)state;
    static uint16_t table[HERD_BUCKETS];
    unsigned had[32] = {0};
    herd_shard_table(names, 32, table);
    for (unsigned bucket = 0; bucket < HERD_BUCKETS; bucket++)
        had[table[bucket]]++;
    for (size_t i = 0; i < 32; i++)
        assert_in_range(had[i], 128 - 64, 128 + 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bucket_examples),         cmocka_unit_test(test_shard_examples),
        cmocka_unit_test(test_ids_are_spread),          cmocka_unit_test(test_table_is_one_by_one),
        cmocka_unit_test(test_order_does_not_count),    cmocka_unit_test(test_adding_moves_only_to_it),
        cmocka_unit_test(test_herds_have_equal_shares),
    };
    make_names();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
