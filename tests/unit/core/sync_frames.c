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
        assert_int_equal(herd_node_counts(o.node).syncs, 1);
        assert_false(herd_session_wants(o.link));
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
        "ROOT 1 1 x\n",
        "ROOT 1 1 -1\n",
        "ROOT 1 1 1.5\n",
        "ROOT 1 1 1 1\n",
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
        assert_int_equal(herd_node_counts(o.node).repairs, 0);
    }
    for (int check = 0; check < 2; check++) {
        assert_int_equal(herd_node_counts(o.node).repairs, 0);
        o.now.steady_ns = herd_sync_next_ns(o.node, o.node->peers[0]);
        herd_node_tick(o.node, o.now);
        told(&o);
        tell(&o, "ROOT 3 0\n");
    }
    assert_int_equal(herd_node_counts(o.node).repairs, 1);
    assert_int_equal(lines(told(&o), "SUMS 0 0 "), 1);
    end(&o);
}

/* A check on a quiet link that differs, with what the follower says it refused. */
static void check(struct one *o, const char *root)
{
    o->now.steady_ns = herd_sync_next_ns(o->node, o->node->peers[0]);
    herd_node_tick(o->node, o->now);
    assert_int_equal(lines(told(o), "ROOT "), 1);
    tell(o, root);
}

/* What one side refuses to hold makes both differ: that is no alarm, and is compared again ever more seldom. */
static void test_refusals_raise_no_alarm(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", 3);
    told(&o);
    tell(&o, "ROOT 3 0\n");
    told(&o);
    size_t compared = 0;
    for (int i = 0; i < 2 * (4 + 8 + 16 + 32 + 64 + 64); i++) {
        check(&o, "ROOT 1 0 2\n");
        compared += lines(told(&o), "SUMS 0 0 ");
    }
    assert_int_equal(compared, 6);
    assert_int_equal(herd_node_counts(o.node).repairs, 0);
    /* it has room again: compared at once */
    check(&o, "ROOT 1 0\n");
    check(&o, "ROOT 1 0\n");
    assert_int_equal(lines(told(&o), "SUMS 0 0 "), 1);
    assert_int_equal(herd_node_counts(o.node).repairs, 0);
    /* and if that was of no use, it is an alarm */
    check(&o, "ROOT 1 0\n");
    check(&o, "ROOT 1 0\n");
    assert_int_equal(herd_node_counts(o.node).repairs, 1);
    end(&o);
}

/* Its own refusals a node knows, and it says them as long as it would refuse again. */
static void test_refusals_are_told(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Zora", 3);
    struct herd_node_options options = o.node->options;
    options.records_max = 2;
    herd_node_configure(o.node, &options, o.now);
    tell(&o, "AT Riley +1 c7 +0+0 5\nAT Riley +1 c8 +0+0 5\nAT Riley +1 c9 +0+0 5\nAT Riley +1 c1 +0+0 9\n");
    assert_int_equal(o.node->store->count, 4);
    assert_int_equal(herd_node_counts(o.node).at_refused, 2);
    assert_string_equal(o.notice, "peer_record_refused");
    assert_int_equal(o.downs, 0);
    tell(&o, "ROOT 9 9\n");
    const char *text = told(&o);
    assert_int_equal(lines(text, "ROOT 4 "), 1);
    assert_string_equal(strstr(text, "ROOT 4 ") + 7 + 16, " 2\n");
    options.records_max = 3;
    herd_node_configure(o.node, &options, o.now);
    tell(&o, "ROOT 9 9\n");
    assert_string_equal(strstr(told(&o), "ROOT 4 ") + 7 + 16, "\n");
    end(&o);
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
        cmocka_unit_test(test_refusals_raise_no_alarm),
        cmocka_unit_test(test_refusals_are_told),
        cmocka_unit_test(test_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
