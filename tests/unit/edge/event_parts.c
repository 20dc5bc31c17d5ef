/* SPDX-License-Identifier: MIT */
/* What event streams keep: the ring of changes, and who was shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../lib/edge/http/event_ring.h"
#include "../../../lib/edge/http/event_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_ring(void **state)
{
    (void)state;
    struct herd_event_ring *ring = calloc(1, sizeof *ring);
    char id[32];
    assert_non_null(ring);
    herd_event_ring_forget(ring);
    uint64_t start = ring->next;
    assert_true(herd_event_ring_has_all_after(ring, start - 1));
    assert_false(herd_event_ring_has_all_after(ring, start));
    for (unsigned i = 0; i < 3 * HERD_EVENT_RING_ENTRIES; i++) {
        int len = snprintf(id, sizeof id, "c%u", i);
        assert_int_equal(herd_event_ring_add(ring, (struct herd_span){id, (size_t)len}), 0);
        assert_true(herd_span_equal(herd_event_ring_id(ring, ring->next - 1), herd_span_of(id)));
    }
    assert_int_equal(ring->next - ring->first, HERD_EVENT_RING_ENTRIES);
    assert_true(herd_event_ring_has_all_after(ring, ring->first - 1));
    assert_false(herd_event_ring_has_all_after(ring, ring->first - 2));
    assert_false(herd_event_ring_has_all_after(ring, ring->next));

    uint64_t last = ring->next - 1;
    herd_event_ring_forget(ring);
    assert_false(herd_event_ring_has_all_after(ring, last));
    assert_true(herd_event_ring_has_all_after(ring, ring->next - 1));
    herd_event_ring_forget(ring);
    free(ring);
}

/* Long ids: fewer of them are kept. */
static void test_ring_of_long_ids(void **state)
{
    (void)state;
    struct herd_event_ring *ring = calloc(1, sizeof *ring);
    static char id[65000];
    memset(id, 'x', sizeof id);
    for (int i = 0; i < 100; i++)
        assert_int_equal(herd_event_ring_add(ring, (struct herd_span){id, sizeof id}), 0);
    assert_true(ring->bytes <= HERD_EVENT_RING_MAX_BYTES);
    assert_true(ring->next - ring->first == HERD_EVENT_RING_MAX_BYTES / sizeof id);
    herd_event_ring_forget(ring);
    assert_int_equal(ring->bytes, 0);
    free(ring);
}

/* Against a plain table of flags; few different homes, so that runs are long and wrap round. */
static void test_set(void **state)
{
    (void)state;
    enum { HASHES = 600, STEPS = 200000 };
    struct herd_event_set set = {0};
    static uint64_t hashes[HASHES];
    static bool there[HASHES];
    size_t count = 0;
    uint32_t random = 1;
    for (size_t i = 0; i < HASHES; i++)
        hashes[i] = (uint64_t)i << 32 | (i * 7 % 60 + 40); /* homes at the end of a table of 64, too */
    assert_false(herd_event_set_remove(&set, 5));
    for (int step = 0; step < STEPS; step++) {
        random = random * 1664525 + 1013904223;
        size_t i = random >> 8 & 511;
        if (random >> 31) {
            assert_int_equal(herd_event_set_add(&set, hashes[i]), !there[i]);
            count += !there[i];
            there[i] = true;
        } else {
            assert_int_equal(herd_event_set_remove(&set, hashes[i]), there[i]);
            count -= there[i];
            there[i] = false;
        }
        assert_int_equal(set.used, count);
    }
    assert_int_equal(herd_event_set_add(&set, 0), 1);
    assert_int_equal(herd_event_set_add(&set, 0), 0);
    herd_event_set_fini(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_ring_of_long_ids),
        cmocka_unit_test(test_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
