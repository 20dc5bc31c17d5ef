/* SPDX-License-Identifier: MIT */
/* What a node knows of its neighbours, and how long news were under way. */
#include "peer.h"

#include "../../../lib/core/base/histogram.h"

static void test_histogram(void **state)
{
    (void)state;
    struct herd_histogram h = {0};
    const int64_t longest_ns = herd_histogram_bound_ns(HERD_HISTOGRAM_BOUNDS - 1);
    for (size_t i = 1; i < HERD_HISTOGRAM_BOUNDS; i++)
        assert_true(herd_histogram_bound_ns(i) > herd_histogram_bound_ns(i - 1));
    assert_true(herd_histogram_bound_ns(HERD_HISTOGRAM_BOUNDS) == INT64_MAX);
    herd_histogram_add(&h, -5);
    herd_histogram_add(&h, herd_histogram_bound_ns(0));
    herd_histogram_add(&h, herd_histogram_bound_ns(0) + 1);
    herd_histogram_add(&h, longest_ns);
    herd_histogram_add(&h, longest_ns + 1);
    herd_histogram_add(&h, INT64_MAX);
    assert_int_equal(h.counts[0], 2);
    assert_int_equal(h.counts[1], 1);
    assert_int_equal(h.counts[HERD_HISTOGRAM_BOUNDS - 1], 1);
    assert_int_equal(h.counts[HERD_HISTOGRAM_BOUNDS], 2);
    assert_int_equal(h.count, 6);
}

static void test_a_neighbour(void **state)
{
    (void)state;
    struct one o;
    struct herd_peer_stats stats;
    begin(&o, "Juzang", NULL);
    assert_int_equal(herd_node_peer_stats(o.node, 99, &stats), HERD_E_NOTFOUND);
    assert_int_equal(herd_node_peer_stats(o.node, 1, &stats), 0);
    assert_false(stats.up || stats.agrees || stats.plain);
    assert_int_equal(stats.links, 0);
    assert_int_equal(stats.since_ns, 0);
    assert_null(stats.down_why);

    struct herd_session *client = accept_one(&o), *link = accept_one(&o);
    say(&o, client, "IAMAT here +1+1 1\n");
    say(&o, link, "HELLO 2 Riley Juzang 1\n");
    assert_int_equal(herd_node_peer_stats(o.node, 1, &stats), 0);
    assert_true(stats.up);
    assert_int_equal(stats.links, 1);
    say(&o, link, "AT Riley +1 a +1+1 1\nAT Riley +1 a +1+1 1\n");
    say(&o, client, "IAMAT b +1+1 1\n");
    assert_int_equal(herd_node_peer_stats(o.node, 1, &stats), 0);
    assert_int_equal(stats.at_received, 2);
    assert_true(stats.unsent > 0);
    fill(&o, link);
    assert_int_equal(herd_node_peer_stats(o.node, 1, &stats), 0);
    assert_int_equal(stats.unsent, 0);
    assert_true(stats.at_sent >= 1);

    say(&o, link, "nonsense\n");
    assert_int_equal(herd_node_peer_stats(o.node, 1, &stats), 0);
    assert_false(stats.up || stats.agrees);
    assert_string_equal(stats.down_why, "protocol");
    end(&o);
}

/* One that is dialled for each line: what it lacks counts, all of it at first. */
static void test_a_plain_neighbour(void **state)
{
    (void)state;
    struct one o;
    struct herd_peer_stats stats;
    size_t peer = SIZE_MAX;
    begin(&o, "Juzang", NULL);
    struct herd_session *client = accept_one(&o);
    say(&o, client, "IAMAT a +1+1 1\nIAMAT b +1+1 1\nIAMAT c +1+1 1\n");
    assert_int_equal(herd_node_peer_add(o.node, herd_span_of("Foreign"), true, o.now, &peer), 0);
    assert_int_equal(herd_node_peer_stats(o.node, peer, &stats), 0);
    assert_true(stats.plain && !stats.up && !stats.agrees);
    assert_int_equal(stats.unsent, 3); /* it may know nothing */
    struct herd_session *ours = dial_one(&o, peer);
    effects(&o);
    assert_int_equal(herd_node_peer_stats(o.node, peer, &stats), 0);
    assert_true(stats.up && stats.unsent > 0 && !stats.agrees);
    for (int i = 0; i < 4 && stats.unsent > 0; i++) {
        herd_session_close(ours);
        ours = dial_one(&o, peer);
        effects(&o);
        assert_int_equal(herd_node_peer_stats(o.node, peer, &stats), 0);
    }
    assert_int_equal(stats.unsent, 0);
    assert_true(stats.up && stats.agrees);
    assert_int_equal(stats.at_sent, 3);
    herd_session_close(ours);
    say(&o, client, "IAMAT a +1+1 2\n");
    assert_int_equal(herd_node_peer_stats(o.node, peer, &stats), 0);
    assert_true(stats.unsent == 1 && !stats.agrees);
    assert_int_equal(herd_node_peer_remove(o.node, peer, o.now), 0);
    assert_int_equal(herd_node_peer_stats(o.node, peer, &stats), HERD_E_NOTFOUND);
    end(&o);
}

/* Of neighbours' news one in so many is measured; copies and reports of clients are not. */
static void test_propagation(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", NULL);
    struct herd_session *client = accept_one(&o), *link = accept_one(&o);
    say(&o, link, "HELLO 2 Riley Juzang 1\n");
    for (int i = 0; i < 4 * HERD_PROPAGATION_SAMPLE; i++) {
        char line[64];
        snprintf(line, sizeof line, "AT Riley +0.5 c%d +0+0 5\n", i);
        say(&o, link, line);
        say(&o, link, line);
        say(&o, client, "IAMAT d +0+0 5\n");
    }
    assert_int_equal(herd_node_propagation(o.node)->count, 4);
    end(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_a_neighbour),
        cmocka_unit_test(test_a_plain_neighbour),
        cmocka_unit_test(test_propagation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
