/* SPDX-License-Identifier: MIT */
/* Clients that say nothing for long, or take long over a line. */
#include "client.h"

static void tick(struct fixture *f, int64_t ns)
{
    f->now.wall_ns += ns;
    f->now.steady_ns += ns;
    herd_node_tick(f->node, f->now);
    effects(f);
}

static void test_idle(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    assert_true(herd_node_next_ns(f.node) == f.now.steady_ns + 300 * SECOND);
    tick(&f, 299 * SECOND);
    assert_string_equal(f.closed, "");
    say(&f, "\n");
    tick(&f, 299 * SECOND);
    assert_string_equal(f.closed, "");
    tick(&f, SECOND);
    assert_string_equal(f.closed, "idle");
    say(&f, KIWI);
    heard(&f, ""); /* the dead hear nothing */
    assert_true(herd_node_next_ns(f.node) == INT64_MAX);
    end(&f);

    /* one that waits for an answer is not idle */
    begin(&f, &(struct herd_node_options){.client_idle_ns = 10 * SECOND});
    say(&f, KIWI "WHATSAT kiwi 1 1\n");
    tick(&f, 100 * SECOND);
    assert_string_equal(f.closed, "");
    answer(&f, 0, "{}");
    tick(&f, 9 * SECOND);
    assert_string_equal(f.closed, "");
    tick(&f, SECOND);
    assert_string_equal(f.closed, "idle");
    end(&f);

    begin(&f, &(struct herd_node_options){.client_idle_ns = -1});
    tick(&f, 1000000 * SECOND);
    assert_string_equal(f.closed, "");
    end(&f);
}

/* One whose bytes are held back by the caller is not silent; the answer to what it asked before changes nothing in
 * that. */
static void test_held(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, &(struct herd_node_options){.client_idle_ns = 10 * SECOND});
    say(&f, KIWI "WHATSAT kiwi 1 1\n");
    herd_session_suspend_timeouts(f.session);
    answer(&f, 0, "{}");
    assert_true(herd_node_next_ns(f.node) == INT64_MAX);
    tick(&f, 1000 * SECOND);
    assert_string_equal(f.closed, "");
    say(&f, "\n"); /* it goes on */
    tick(&f, 9 * SECOND);
    assert_string_equal(f.closed, "");
    tick(&f, SECOND);
    assert_string_equal(f.closed, "idle");
    end(&f);

    /* one that was taken for a plain neighbour's has a shorter time, whatever it asked for first */
    begin(&f, NULL);
    herd_session_allow_plain(f.session, -1);
    say(&f, KIWI "WHATSAT kiwi 1 1\nAT Jaquez +1 plum +1+1 1\n");
    answer(&f, 0, "{}");
    tick(&f, 5 * SECOND);
    assert_string_equal(f.closed, "idle");
    end(&f);
}

/* An answer makes its client fresh, and must not shield those who were silent for longer than it. */
static void test_idle_in_order(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, &(struct herd_node_options){.client_idle_ns = 10 * SECOND});
    say(&f, KIWI "WHATSAT kiwi 1 1\n");
    struct herd_session *silent;
    struct fixture *user = &f;
    assert_int_equal(herd_session_open(f.node, &silent, user, f.now), 0);
    tick(&f, 9 * SECOND);
    answer(&f, 0, "{}");
    assert_true(herd_node_next_ns(f.node) == f.now.steady_ns + SECOND);
    tick(&f, SECOND);
    assert_string_equal(f.closed, "idle");
    f.out.len = 0;
    say(&f, KIWI);
    heard(&f, "AT Riley +10.040501497 kiwi +34.068930-118.445127 1621464827.959498503\n");
    end(&f);
}

static void test_line_deadline(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    say(&f, "I");
    assert_true(herd_node_next_ns(f.node) == f.now.steady_ns + 10 * SECOND);
    for (int i = 0; i < 9; i++) { /* dripping does not help */
        tick(&f, SECOND);
        say(&f, "A");
        assert_string_equal(f.closed, "");
    }
    tick(&f, SECOND);
    assert_string_equal(f.closed, "line_deadline");
    assert_string_equal(f.notice, "line_deadline");
    heard(&f, "");
    end(&f);

    /* a line completed in time; another begun in the same read has its own time */
    begin(&f, NULL);
    for (int i = 0; i < 100; i++) {
        say(&f, i ? "MAT kiwi\nIA" : "IA");
        tick(&f, 9 * SECOND);
        assert_string_equal(f.closed, "");
    }
    tick(&f, SECOND);
    assert_string_equal(f.closed, "line_deadline");
    end(&f);

    /* a client that is paused is not late */
    begin(&f, &(struct herd_node_options){.lookups_per_client_max = 1});
    say(&f, KIWI "WHATSAT kiwi 1 1\nhalf a li");
    tick(&f, 100 * SECOND);
    assert_string_equal(f.closed, "");
    answer(&f, 0, "{}");
    say(&f, "");
    tick(&f, 10 * SECOND);
    assert_string_equal(f.closed, "line_deadline");
    end(&f);

    begin(&f, &(struct herd_node_options){.line_deadline_ns = -1});
    say(&f, "IA");
    tick(&f, 200 * SECOND);
    assert_string_equal(f.closed, "");
    end(&f);
}

/* Setting the clock closes nobody, and goes into differences only. */
static void test_wall_clock_jumps(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    say(&f, "IA");
    f.now.wall_ns += 1000000 * SECOND;
    tick(&f, 0);
    f.now.wall_ns = 0;
    tick(&f, 0);
    assert_string_equal(f.closed, "");
    say(&f, "MAT a +0+0 1\n");
    heard(&f, "AT Riley -1.000000000 a +0+0 1\n");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_idle_in_order),
        cmocka_unit_test(test_line_deadline),
        cmocka_unit_test(test_wall_clock_jumps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
