/* SPDX-License-Identifier: MIT */
/* When a neighbour is dialled again. */
#include "peer.h"

static void back_off(const char *name, int64_t extra_min, int64_t extra_max)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct one o;
        begin(&o, name, &(struct herd_node_options){.seed = {seed, seed * 3}});
        assert_true(herd_node_next_ns(o.node) <= o.now.steady_ns);
        tick(&o, 0);
        herd_node_dial_failed(o.node, 0, o.now); /* the other is never heard of again */
        int64_t wait = 50 * MS;
        for (int i = 0; i < 12; i++) {
            int64_t next = herd_node_next_ns(o.node) - o.now.steady_ns;
            assert_true(next >= wait / 2 + extra_min && next <= wait + extra_max);
            size_t before = o.dials;
            tick(&o, next - 1);
            assert_int_equal(o.dials, before);
            tick(&o, 1);
            assert_int_equal(o.dials, before + 1);
            assert_int_equal(o.dial_peer, 0);
            herd_node_dial_failed(o.node, 0, o.now);
            wait = wait < 1500 * MS ? wait * 2 : 3000 * MS;
        }
        end(&o);
    }
}

static void test_back_off(void **state)
{
    (void)state;
    back_off("Bernard", 0, 0);            /* smaller than Jaquez */
    back_off("Juzang", 50 * MS, 50 * MS); /* larger: a moment more */
}

/* Jitter: two nodes with other seeds do not dial in step. */
static void test_jitter(void **state)
{
    (void)state;
    int64_t seen[20];
    size_t different = 0;
    for (uint64_t i = 0; i < 20; i++) {
        struct one o;
        begin(&o, "Bernard", &(struct herd_node_options){.seed = {i, 1}});
        tick(&o, 0);
        herd_node_dial_failed(o.node, 0, o.now);
        seen[i] = herd_node_next_ns(o.node);
        different += i > 0 && seen[i] != seen[i - 1];
        end(&o);
    }
    assert_true(different >= 18);
}

/* A link that lasted makes the next wait short; one that did not leaves it as long as it was. */
static void test_link_resets_back_off(void **state)
{
    (void)state;
    for (int lasts = 0; lasts < 2; lasts++) {
        struct one o;
        begin(&o, "Bernard", NULL);
        tick(&o, 0);
        for (int i = 0; i < 10; i++) {
            herd_node_dial_failed(o.node, 0, o.now);
            tick(&o, herd_node_next_ns(o.node) - o.now.steady_ns);
        }
        struct herd_session *session = dial_one(&o, 0);
        say(&o, session, "HELLO 2 Jaquez Bernard 1\n");
        assert_int_equal(o.ups, 1);
        if (lasts)
            tick(&o, 3 * SECOND);
        herd_session_close(session);
        effects(&o);
        assert_int_equal(o.downs, 1);
        int64_t wait = herd_node_next_ns(o.node) - o.now.steady_ns;
        if (lasts)
            assert_true(wait <= 50 * MS);
        else
            assert_true(wait >= 1500 * MS && wait <= 3 * SECOND);
        end(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_back_off),
        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_link_resets_back_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
