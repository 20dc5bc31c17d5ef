/* SPDX-License-Identifier: MIT */
/* A line that is kept is given back while its record says the same, and not a moment longer. */
#include "cm.h"

#include "guard.h"
#include "line_cache.h"

#include <stdio.h>

#define S herd_span_of

static void put(struct herd_store *store, const char *server, const char *id, const char *time, int64_t time_ns)
{
    const struct herd_record record = {S(server), S("+0.500000000"), S(id), S("+1-1"), S(time), time_ns};
    assert_int_equal(herd_store_put(store, &record, NULL, NULL), 0);
}

static uint32_t slot_of(struct herd_store *store, const char *id)
{
    return herd_store_find(store, herd_store_hash(store, S(id)), HERD_NO_SLOT, S(id));
}

/* The line of the client as the store has it, kept or not, must be what the cache gives. */
static bool copied_at(struct herd_line_cache *cache, struct herd_store *store, const char *id, uint64_t place)
{
    struct herd_buf whole = {0}, copy = {0};
    assert_int_equal(herd_store_format(store, slot_of(store, id), &whole), 0);
    bool found = herd_line_cache_copy(cache, store, slot_of(store, id), place, &copy);
    if (found)
        assert_true(herd_span_equal(span_of_buf(&whole), span_of_buf(&copy)));
    else
        assert_int_equal(copy.len, 0);
    herd_line_cache_keep(cache, store, slot_of(store, id), place, span_of_buf(&whole));
    herd_buf_fini(&whole);
    herd_buf_fini(&copy);
    return found;
}

static bool copied(struct herd_line_cache *cache, struct herd_store *store, const char *id)
{
    return copied_at(cache, store, id, slot_of(store, id));
}

static void test_follows_the_record(void **state)
{
    (void)state;
    const struct herd_store_options options = {.table_key = {1, 2}};
    struct herd_store *store;
    struct herd_line_cache cache = {0};
    assert_int_equal(herd_store_new(&store, &options), 0);
    put(store, "Riley", "kiwi", "1.5", 1500000000);
    assert_false(copied(&cache, store, "kiwi"));
    assert_true(copied(&cache, store, "kiwi"));
    put(store, "Riley", "kiwi", "1.50", 1500000000); /* the same time in other digits */
    assert_true(copied(&cache, store, "kiwi") || copied(&cache, store, "kiwi"));
    put(store, "Riley", "kiwi", "2.5", 2500000000);
    assert_false(copied(&cache, store, "kiwi"));
    put(store, "Juzang", "kiwi", "3.5", 3500000000);
    assert_false(copied(&cache, store, "kiwi"));
    assert_true(copied(&cache, store, "kiwi"));
    /* Another number's name may change: what its number stood for is not known any more. */
    for (int i = 0; i < 200; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", i);
        assert_true(herd_names_intern(&store->names, S(name)) >= 0);
    }
    assert_true(store->names.renamed > 0);
    assert_false(copied(&cache, store, "kiwi"));
    assert_true(copied(&cache, store, "kiwi"));
    /* Longer than a place, and with a body outside. */
    char id[201] = {0};
    memset(id, 'x', 200);
    put(store, "Riley", id, "1", 1000000000);
    assert_false(copied(&cache, store, id));
    assert_false(copied(&cache, store, id));
    /* More records than places. */
    for (int i = 0; i < 3000; i++) {
        snprintf(id, sizeof id, "c%d", i);
        put(store, "Riley", id, "1", 1000000000);
        copied(&cache, store, id);
    }
    unsigned kept = 0;
    for (int i = 0; i < 3000; i++) {
        snprintf(id, sizeof id, "c%d", i);
        kept += copied(&cache, store, id);
    }
    assert_true(kept < 3000);
    herd_line_cache_fini(&cache);
    herd_store_free(store);
}

/* Changes one after the other drive none of each other's lines out, whatever slots they are in. */
static void test_keeps_the_newest(void **state)
{
    (void)state;
    const struct herd_store_options options = {.table_key = {1, 2}};
    const uint64_t first = UINT64_MAX / 2;
    struct herd_store *store;
    struct herd_line_cache cache = {0};
    char id[16];
    assert_int_equal(herd_store_new(&store, &options), 0);
    for (unsigned i = 0; i < HERD_LINE_CACHE_LINES + 1; i++) {
        snprintf(id, sizeof id, "c%u", i);
        put(store, "Riley", id, "1", 1000000000);
        assert_false(copied_at(&cache, store, id, first + i));
    }
    for (unsigned i = 1; i < HERD_LINE_CACHE_LINES + 1; i++) {
        snprintf(id, sizeof id, "c%u", i);
        assert_true(copied_at(&cache, store, id, first + i));
    }
    assert_false(copied_at(&cache, store, "c0", first));
    herd_line_cache_fini(&cache);
    herd_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follows_the_record),
        cmocka_unit_test(test_keeps_the_newest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
