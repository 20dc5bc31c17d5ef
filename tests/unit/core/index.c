/* SPDX-License-Identifier: MIT */
/* The table of ids against a plain array, with hashes made to collide in every way there is. */
#include "cm.h"

#include "guard.h"
#include "index.h"

#define SLOTS 3000

struct model {
    bool present[SLOTS];
    uint64_t hash[SLOTS];
};

/* In these tests the id of a slot is its number. */
static bool same(const void *ctx, uint32_t slot, struct herd_span id)
{
    const struct model *model = ctx;
    uint32_t wanted;
    memcpy(&wanted, id.at, sizeof wanted);
    assert_true(slot < SLOTS && model->present[slot]); /* a removed slot is never offered */
    return slot == wanted;
}

static uint32_t find(const struct herd_index *index, const struct model *model, uint64_t hash, uint32_t slot)
{
    return herd_index_find(index, hash, same, model, (struct herd_span){(const char *)&slot, sizeof slot});
}

static void check_all(const struct herd_index *index, const struct model *model)
{
    size_t used = 0, present = 0;
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        uint32_t expected = model->present[slot] ? slot : HERD_NO_SLOT;
        assert_int_equal(find(index, model, model->hash[slot], slot), expected);
        if (model->present[slot]) {
            uint32_t guess = herd_index_first_match(index, model->hash[slot]);
            assert_true(guess < SLOTS && (uint32_t)model->hash[guess] == (uint32_t)model->hash[slot]);
        }
        present += model->present[slot];
    }
    for (size_t i = 0; i < HERD_INDEX_SHARDS; i++)
        used += index->shards[i].used;
    assert_int_equal(used, present);
}

static void run(uint64_t seed, uint64_t mask, int rounds)
{
    static struct model model;
    static struct herd_index index;
    model = (struct model){0};
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        model.hash[slot] = rnd(&seed) & mask;
    for (int i = 0; i < rounds; i++) {
        uint32_t slot = (uint32_t)rnd_below(&seed, SLOTS);
        if (model.present[slot]) {
            herd_index_remove(&index, model.hash[slot], slot);
            model.present[slot] = false;
        } else {
            assert_int_equal(herd_index_reserve(&index, model.hash[slot]), 0);
            herd_index_insert(&index, model.hash[slot], slot);
            model.present[slot] = true;
        }
        assert_int_equal(find(&index, &model, model.hash[slot], slot), model.present[slot] ? slot : HERD_NO_SLOT);
        if (i % (rounds / 4) == 0)
            check_all(&index, &model);
    }
    check_all(&index, &model);
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        if (model.present[slot]) {
            herd_index_remove(&index, model.hash[slot], slot);
            model.present[slot] = false;
        }
    check_all(&index, &model);
    herd_index_fini(&index);
}

static void test_against_model(void **state)
{
    (void)state;
    run(1, UINT64_MAX, 60000);
    run(2, UINT64_C(0x00ffffffffffffff), 60000); /* one shard */
    run(3, UINT64_C(0xff0000000000000f), 20000); /* few places in each shard */
    run(4, UINT64_C(0x000000000000000f), 4000);  /* sixteen hashes for all */
    run(5, UINT64_C(0xffffffff00000000), 20000); /* the 32 bits say nothing */
    run(6, UINT64_C(0x00000000fffffff0), 20000); /* runs that wrap */
}

static void test_empty(void **state)
{
    (void)state;
    static struct herd_index index;
    struct model *model = calloc(1, sizeof *model);
    assert_int_equal(find(&index, model, 7, 7), HERD_NO_SLOT);
    assert_int_equal(herd_index_first_match(&index, 7), HERD_NO_SLOT);
    assert_null(herd_index_home(&index, 7));
    herd_index_fini(&index);
    free(model);
}

static bool is_number(const void *ctx, uint32_t slot, struct herd_span id)
{
    (void)ctx;
    uint32_t wanted;
    memcpy(&wanted, id.at, sizeof wanted);
    return slot == wanted;
}

/* All shards outgrow a block or two at about the same time, and are found wherever they are. */
static void test_blocks(void **state)
{
    (void)state;
    enum { MANY = 200000, ASKED = 64 };
    static struct herd_index index;
    static uint64_t hashes[MANY];
    uint64_t seed = 7, *block = NULL;
    int blocks = 0, left = 0;
    for (uint32_t slot = 0; slot < MANY; slot++) {
        hashes[slot] = rnd(&seed);
        assert_int_equal(herd_index_reserve(&index, hashes[slot]), 0);
        herd_index_insert(&index, hashes[slot], slot);
        blocks += index.block != block;
        block = index.block;
        left += index.left != NULL;
        for (uint32_t i = 0; i < (index.left ? ASKED : 1); i++) {
            uint32_t asked = i == 0 ? slot : (uint32_t)rnd_below(&seed, slot);
            assert_int_equal(herd_index_find(&index, hashes[asked], is_number, NULL,
                                             (struct herd_span){(const char *)&asked, sizeof asked}),
                             asked);
        }
        if (slot % 5 == 0) { /* also while shards move */
            herd_index_remove(&index, hashes[slot], slot);
            herd_index_insert(&index, hashes[slot], slot);
        }
    }
    assert_int_equal(blocks, 3);
    assert_int_equal(left, 2 * HERD_INDEX_SHARDS); /* insertions that found it so */
    herd_index_fini(&index);
}

/* After reserve, an insert finds room: the table is never full, so that a search always ends. */
static void test_never_full(void **state)
{
    (void)state;
    static struct herd_index index;
    for (uint32_t slot = 0; slot < 100000; slot++) {
        assert_int_equal(herd_index_reserve(&index, slot), 0);
        assert_true(index.shards[0].used < index.shards[0].size - 1);
        herd_index_insert(&index, slot, slot);
    }
    herd_index_fini(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_never_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
