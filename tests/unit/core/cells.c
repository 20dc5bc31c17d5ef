/* SPDX-License-Identifier: MIT */
/* The table of cells against a plain array: one shard of it that grows and shrinks again, and gives back what it had. */
#include "cm.h"

#include "cells.h"
#include "guard.h"

#define MANY 700

static uint32_t value_of(const struct herd_cells *cells, uint32_t cell)
{
    return herd_cells_find(cells, herd_cells_hash(cells, cell), cell);
}

static void test_one_shard(void **state)
{
    (void)state;
    static const uint64_t key[2] = {5, 6};
    static uint32_t cell_of[MANY], value[MANY];
    struct herd_cells cells;
    size_t found = 0, most = 0, shrunk = 0;
    uint64_t seed = 77;
    herd_cells_init(&cells, key);
    for (uint32_t cell = 0; found < MANY; cell++)
        if (herd_cells_hash(&cells, cell) >> 56 == 3)
            cell_of[found++] = cell;
    for (size_t i = 0; i < MANY; i++)
        value[i] = HERD_CELLS_NONE;
    /* It fills, empties and fills again: many are there at first, then few, then none. */
    for (int phase = 0; phase < 4; phase++) {
        for (int round = 0; round < 6 * MANY; round++) {
            const size_t i = rnd_below(&seed, MANY);
            const uint64_t hash = herd_cells_hash(&cells, cell_of[i]);
            const bool wanted = phase % 2 == 0 ? rnd_below(&seed, 10) > 0 : rnd_below(&seed, 60) == 0;
            const size_t bytes = cells.bytes;
            if (value[i] != HERD_CELLS_NONE && !wanted) {
                herd_cells_remove(&cells, hash, cell_of[i]);
                value[i] = HERD_CELLS_NONE;
                shrunk += cells.bytes < bytes;
            } else if (value[i] == HERD_CELLS_NONE && wanted) {
                assert_int_equal(herd_cells_reserve(&cells, hash), 0);
                value[i] = (uint32_t)round;
                herd_cells_set(&cells, hash, cell_of[i], value[i]);
            }
            if (round % 97 == 0)
                for (size_t k = 0; k < MANY; k++)
                    assert_int_equal(value_of(&cells, cell_of[k]), value[k]);
            most = cells.bytes > most ? cells.bytes : most;
        }
        if (phase % 2)
            assert_true(cells.bytes < most / 2);
    }
    assert_true(shrunk > 2);
    for (size_t i = 0; i < MANY; i++)
        if (value[i] != HERD_CELLS_NONE)
            herd_cells_remove(&cells, herd_cells_hash(&cells, cell_of[i]), cell_of[i]);
    assert_int_equal(cells.bytes, 0);
    herd_cells_fini(&cells);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_shard)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
