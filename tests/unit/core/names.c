/* SPDX-License-Identifier: MIT */
/* Names as numbers: the same number for the same bytes, for ever, up to the last number there is. */
#include "cm.h"

#include "guard.h"
#include "names.h"

#include <stdio.h>

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
    herd_names_init(&names, 5);
    for (unsigned i = 0; i < HERD_NAMES_MAX; i++)
        assert_int_equal(herd_names_intern(&names, numbered(text, i)), i);
    for (unsigned i = HERD_NAMES_MAX; i-- > 0;)
        assert_int_equal(herd_names_intern(&names, numbered(text, i)), i);
    for (unsigned i = 0; i < HERD_NAMES_MAX; i++)
        assert_true(herd_span_equal(herd_names_text(&names, i), numbered(text, i)));
    assert_int_equal(herd_names_intern(&names, herd_span_of("one more")), HERD_E_LIMIT);
    assert_int_equal(herd_names_intern(&names, herd_span_of("s65534")), 65534);
    assert_int_equal(names.count, HERD_NAMES_MAX);
    herd_names_fini(&names);
    assert_int_equal(names.count, 0);
}

static void test_bytes_decide(void **state)
{
    (void)state;
    struct herd_names names;
    herd_names_init(&names, 0);
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
    herd_names_init(&a, 5);
    herd_names_init(&b, 5);
    herd_names_init(&c, 6);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_numbers),
        cmocka_unit_test(test_bytes_decide),
        cmocka_unit_test(test_hash_is_of_the_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
