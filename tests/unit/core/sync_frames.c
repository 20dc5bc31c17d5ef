/* SPDX-License-Identifier: MIT */
/* The frames of a comparison: what is said to which, what is refused, what is no alarm, what is left behind. */
#include "cm.h"

#include "node_impl.h"
#include "sync_link.h"

static void test_push(void **state)
{
    (void)state;
    static const struct {
        int ours;
        const char *root;
        bool push;
    } rows[] = {
        {0, "ROOT 1 1\n", true},      {10, "ROOT 0 0\n", true},     {10, "ROOT 512 1\n", true},
        {512, "ROOT 512 1\n", true},  {513, "ROOT 513 1\n", false}, {512, "ROOT 513 1\n", false},
        {800, "ROOT 99 1\n", true},   {800, "ROOT 100 1\n", false}, {99, "ROOT 800 1\n", true},
        {100, "ROOT 800 1\n", false}, {100, "ROOT 801 1\n", false}, {100, "ROOT 808 1\n", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct one o;
        begin(&o, "Juzang", rows[i].ours); /* leads: the smaller name */
        assert_int_equal(lines(told(&o), "ROOT "), 1);
        tell(&o, rows[i].root);
        const char *text = told(&o);
        assert_int_equal(lines(text, "PUSH"), rows[i].push);
        assert_int_equal(lines(text, "SUMS 0 0 "), !rows[i].push);
        assert_int_equal(lines(text, "AT "), rows[i].push ? rows[i].ours : 0);
        assert_int_equal(herd_node_stats(o.node).syncs, 1);
        assert_false(herd_session_want_write(o.link));
        end(&o);
    }
    struct one o;
    begin(&o, "Zora", 20); /* follows */
    assert_string_equal(told(&o), "");
    tell(&o, "ROOT 20 1\n");
    assert_int_equal(lines(told(&o), "ROOT 20 "), 1);
    assert_string_equal(told(&o), "");
    tell(&o, "PUSH\n");
    assert_int_equal(lines(told(&o), "AT "), 20);
    assert_int_equal(o.downs, 0);
    end(&o);
}

#define S16 "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"

static void test_frames_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "ROOT 1\n",
        "ROOT x 1\n",
        "ROOT 1 g\n",
        "ROOT 1 1 1\n",
        "ROOT 1 1 1 1 1\n",
        "ROOT 1 1 x 1\n",
        "ROOT 1 1 1 -1\n",
        "ROOT -1 1\n",
        "ROOT 1.5 1\n",
        "ROOT 1 A\n",
        "ROOT 1 00000000000000001\n",
        "ROOT\n",
        "PUSH 1\n",
        "SUMS 0 0\n",
        "SUMS 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
        "SUMS 0 0 " S16 " 0\n",
        "SUMS 1 0 " S16 "\n",
        "SUMS 0 1 " S16 "\n",
        "SUMS 4 10 " S16 "\n",
        "SUMS 16 0 " S16 "\n",
        "SUMS 20 0 " S16 "\n",
        "SUMS x 0 " S16 "\n",
        "SUMS 4 x " S16 "\n",
        "SUMS 0 0 x 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
        "SUMS 18446744073709551616 0 " S16 "\n",
        "SUMS 4294967296 0 " S16 "\n",
        "LIST 8 0\n",
        "LIST 8 0 any\n",
        "LIST 8 0 all 1\n",
        "LIST 0 0 all\n", /* depths that no node lists */
        "LIST 0 0 end\n",
        "LIST 4 f all\n",
        "LIST 17 0 end\n",
        "LIST 16 10000 end\n",
        "LIST 20 0 end\n",
        "LIST 8 0 ask 1:1\n",
        "LIST 8 0 end 0000000000000001:000000000000000g\n",
        "LIST 8 0 end 0000000000000001-0000000000000001\n",
        "LIST 8 0 end 0000000000000001:0000000000000001x\n",
    };
    static const char *const good[] = {
        "SUMS 0 0 " S16 "\n", "SUMS 12 fff " S16 "\n",
        "LIST 8 0 end\n",     "LIST 16 ffff ask\n",
        "LIST 8 f all\n",     "LIST 8 0 ask 0000000000000001:0000000000000001 0000000000000001:0000000000000001\n",
    };
    for (size_t follows = 0; follows < 2; follows++) {
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            struct one o;
            begin(&o, follows ? "Zora" : "Juzang", 3);
            told(&o);
            tell(&o, bad[i]);
            if (o.downs != 1)
                fail_msg("taken: %s", bad[i]);
            assert_string_equal(o.why, "protocol");
            assert_string_equal(o.notice, "peer_line_invalid");
            assert_null(herd_node_link(o.node, 0));
            end(&o);
        }
        for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
            struct one o;
            begin(&o, follows ? "Zora" : "Juzang", 3);
            told(&o);
            tell(&o, good[i]);
            if (o.downs)
                fail_msg("refused: %s", good[i]);
            told(&o);
            assert_null(o.node->peers[0]->sync.due);
            end(&o);
        }
    }
    /* what makes no sense now */
    struct one o;
    begin(&o, "Juzang", 3);
    tell(&o, "ROOT 0 0\n"); /* we lead and have not asked */
    assert_string_equal(o.why, "protocol");
    end(&o);
    begin(&o, "Juzang", 3);
    told(&o);
    tell(&o, "ROOT 0 0\n");
    tell(&o, "ROOT 0 0\n"); /* an answer too many */
    assert_int_equal(o.downs, 1);
    end(&o);
    begin(&o, "Juzang", 3);
    told(&o);
    tell(&o, "PUSH\n"); /* the leader's to say */
    assert_int_equal(o.downs, 1);
    end(&o);
}

/* A difference seen while updates pass says nothing. */
static void test_busy_links_raise_no_alarm(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", 3);
    told(&o);
    tell(&o, "ROOT 3 0\n"); /* at link-up: small stores are pushed */
    told(&o);
    for (int check = 0; check < 10; check++) {
        o.now.steady_ns = herd_sync_next_ns(o.node, o.node->peers[0]);
        herd_node_tick(o.node, o.now);
        assert_int_equal(lines(told(&o), "ROOT "), 1);
        if (check % 2 == 1) { /* an update came between question and answer */
            char line[64];
            snprintf(line, sizeof line, "AT Riley +1.000000000 c9 +1+1 %d\n", check);
            tell(&o, line);
        }
        tell(&o, "ROOT 3 0\n");
        assert_int_equal(herd_node_stats(o.node).repairs, 0);
    }
    for (int check = 0; check < 2; check++) {
        assert_int_equal(herd_node_stats(o.node).repairs, 0);
        o.now.steady_ns = herd_sync_next_ns(o.node, o.node->peers[0]);
        herd_node_tick(o.node, o.now);
        told(&o);
        tell(&o, "ROOT 3 0\n");
    }
    assert_int_equal(herd_node_stats(o.node).repairs, 1);
    assert_int_equal(lines(told(&o), "SUMS 0 0 "), 1);
    end(&o);
}

/* A difference that has a reason raises no alarm, and is compared ever more rarely. */
static void test_reasons(void **state)
{
    (void)state;
    static const char *const roots[] = {"ROOT 3 0 0 7\n", "ROOT 3 0 1621464000000 0\n"};
    for (int reason = 0; reason < 2; reason++) {
        struct one o;
        begin(&o, "Juzang", 3);
        told(&o);
        tell(&o, "ROOT 3 0\n");
        told(&o);
        size_t descents[3] = {0};
        for (int check = 0; check < 60; check++) {
            o.now.steady_ns = herd_sync_next_ns(o.node, o.node->peers[0]);
            herd_node_tick(o.node, o.now);
            assert_int_equal(lines(told(&o), "ROOT "), 1);
            tell(&o, roots[reason]);
            descents[check / 20] += lines(told(&o), "SUMS 0 0 ");
            assert_string_equal(o.notice, reason == 0 ? "neighbour_refuses_records" : "");
        }
        assert_int_equal(herd_node_stats(o.node).repairs, 0);
        assert_in_range(descents[0], 3, 4);
        assert_in_range(descents[1] + descents[2], 3, 5);
        tell(&o, "PONG\n");
        end(&o);
    }
}

/* However much differs, what is remembered is a fixed number of bits, and it is given back. */
static void test_bounded(void **state)
{
    (void)state;
    assert_in_range(sizeof(struct herd_sync_due), 1, 27000);
    struct one o;
    begin(&o, "Juzang", 0);
    told(&o);
    static char line[64];
    size_t owed = 0;
    for (unsigned prefix = 0; prefix < 65536; prefix++) {
        snprintf(line, sizeof line, "LIST 16 %x ask 0000000000000001:0000000000000001\n", prefix);
        tell(&o, line); /* unknown here: an END is owed for each */
        assert_int_equal(o.node->peers[0]->sync.due->count, ++owed);
    }
    tell(&o, line);
    assert_int_equal(o.node->peers[0]->sync.due->count, owed); /* once for each prefix */
    assert_int_equal(lines(told(&o), "LIST "), 65536);
    assert_null(o.node->peers[0]->sync.due);
    tell(&o, line);
    assert_non_null(o.node->peers[0]->sync.due);
    herd_session_close(o.link); /* and when the link goes */
    assert_null(o.node->peers[0]->sync.due);
    end(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_push),
        cmocka_unit_test(test_frames_refused),
        cmocka_unit_test(test_busy_links_raise_no_alarm),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
