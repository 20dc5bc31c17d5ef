/* SPDX-License-Identifier: MIT */
/* Names as numbers: the same number for the same bytes while it is used, numbers given back, hostile names. */
#include "cm.h"

#include "guard.h"
#include "hash.h"
#include "names.h"

#include <stdio.h>

static const uint64_t key[2] = {3, 4};

static struct herd_span numbered(char text[16], unsigned i)
{
    int len = snprintf(text, 16, "s%u", i);
    return (struct herd_span){text, (size_t)len};
}

static void test_all_numbers(void **state)
{
    (void)state;
    struct herd_names names;
    char text[16];
    herd_names_init(&names, 5, key);
    for (unsigned i = 0; i < HERD_NAMES_MAX; i++) {
        assert_int_equal(herd_names_intern(&names, numbered(text, i)), i);
        herd_names_ref(&names, i);
    }
    for (unsigned i = HERD_NAMES_MAX; i-- > 0;)
        assert_int_equal(herd_names_intern(&names, numbered(text, i)), i);
    for (unsigned i = 0; i < HERD_NAMES_MAX; i++)
        assert_true(herd_span_equal(herd_names_text(&names, i), numbered(text, i)));
    assert_int_equal(herd_names_intern(&names, herd_span_of("one more")), HERD_E_LIMIT);
    assert_int_equal(herd_names_intern(&names, herd_span_of("s65534")), 65534);
    assert_int_equal(names.count, HERD_NAMES_MAX);
    /* one is given back: its number serves the next, and its bytes are new again */
    herd_names_unref(&names, 77);
    assert_int_equal(herd_names_intern(&names, herd_span_of("one more")), 77);
    herd_names_ref(&names, 77);
    assert_int_equal(herd_names_intern(&names, numbered(text, 77)), HERD_E_LIMIT);
    assert_true(herd_span_equal(herd_names_text(&names, 77), herd_span_of("one more")));
    herd_names_fini(&names);
    assert_int_equal(names.count, 0);
}

static void test_bytes_decide(void **state)
{
    (void)state;
    struct herd_names names;
    herd_names_init(&names, 0, key);
    assert_int_equal(herd_names_intern(&names, herd_span_of("Riley")), 0);
    assert_int_equal(herd_names_intern(&names, herd_span_of("riley")), 1);
    assert_int_equal(herd_names_intern(&names, herd_span_of("Rile")), 2);
    assert_int_equal(herd_names_intern(&names, herd_span_of("Riley")), 0);
    assert_int_equal(herd_names_intern(&names, guarded(herd_span_of("Riley2"))), 3);
    herd_names_fini(&names);
    herd_names_fini(&names);
}

/* Digests use the hash of a name: it depends on the name and the key only, not on its number. */
static void test_hash_is_of_the_name(void **state)
{
    (void)state;
    struct herd_names a, b, c;
    herd_names_init(&a, 5, key);
    herd_names_init(&b, 5, key);
    herd_names_init(&c, 6, key);
    herd_names_intern(&a, herd_span_of("Riley"));
    herd_names_intern(&a, herd_span_of("Juzang"));
    herd_names_intern(&b, herd_span_of("Juzang"));
    herd_names_intern(&c, herd_span_of("Juzang"));
    assert_true(a.list[1].hash == b.list[0].hash);
    assert_true(a.list[1].hash != a.list[0].hash);
    assert_true(a.list[1].hash != c.list[0].hash);
    herd_names_fini(&a);
    herd_names_fini(&b);
    herd_names_fini(&c);
}

/* Far more names over time than there are numbers, a few in use at any time. */
static void test_numbers_are_reused(void **state)
{
    (void)state;
    struct herd_names names;
    char text[16];
    unsigned used[100];
    herd_names_init(&names, 5, key);
    assert_int_equal(herd_names_intern(&names, herd_span_of("own")), 0);
    herd_names_ref(&names, 0);
    for (unsigned i = 0, stored = 0; i < 300000; i++) {
        int number = herd_names_intern(&names, numbered(text, i));
        assert_in_range(number, 1, 100 + HERD_NAMES_UNUSED + 2);
        if (i % 3 == 0) /* not stored: refused, or older than what is known */
            continue;
        herd_names_ref(&names, (unsigned)number);
        if (stored >= 100)
            herd_names_unref(&names, used[stored % 100]);
        used[stored++ % 100] = (unsigned)number;
    }
    assert_in_range(names.count, 1, 100 + HERD_NAMES_UNUSED + 2);
    assert_int_equal(herd_names_intern(&names, herd_span_of("own")), 0);
    herd_names_fini(&names);
}

/* Names that a hash without a key would put into one cell do not meet in the table. */
static void test_chosen_names(void **state)
{
    (void)state;
    struct herd_names names;
    char text[16];
    herd_names_init(&names, 0, key);
    unsigned chosen = 0;
    for (unsigned i = 0; chosen < 30000; i++) {
        struct herd_span name = numbered(text, i);
        if (herd_hash(0, name.at, name.len) & 15)
            continue;
        int number = herd_names_intern(&names, name);
        assert_int_equal(number, chosen++);
        herd_names_ref(&names, (unsigned)number);
    }
    /* The longest run of the table: what a search walks at most. */
    size_t run = 0, longest = 0;
    for (size_t i = 0; i < names.table_size; i++) {
        run = names.table[i] ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    assert_in_range(longest, 1, 200);
    herd_names_fini(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_numbers),         cmocka_unit_test(test_bytes_decide),
        cmocka_unit_test(test_hash_is_of_the_name), cmocka_unit_test(test_numbers_are_reused),
        cmocka_unit_test(test_chosen_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
