/* SPDX-License-Identifier: MIT */
/* Clients that are forgotten: when, by whom, and that nothing brings them back or rings the alarm. */
#include "cm.h"

#include "wire.h"

#include "../../../lib/core/journal/journal_encoder.h"
#include "../../../lib/core/journal/replay.h"

#include <stdio.h>
#include <string.h>

#define S   INT64_C(1000000000)
#define TTL (60 * S)

static struct wire *open_herd(const char *names, const char *edges, const int64_t *skews)
{
    struct wire *w = wire_new(names, edges);
    w->now.wall_ns = INT64_C(5400000) * 300 * S; /* at an edge */
    for (int i = 0; i < w->count; i++) {
        w->nodes[i].options.expire_ns = TTL;
        w->nodes[i].skew_ns = skews ? skews[i] : 0;
        assert_int_equal(wire_start(w, i), 0);
    }
    wire_settle(w);
    return w;
}

static void report(struct wire *w, int node, const char *id, int64_t time_ns)
{
    char line[64];
    struct wire_end *client = wire_client(w, node);
    snprintf(line, sizeof line, "IAMAT %s +1+1 %lld.%09lld\n", id, (long long)(time_ns / S),
             (long long)(time_ns % S));
    wire_say(w, client, line);
    assert_memory_equal(client->in.at, "AT ", 3);
    wire_close(client);
}

static bool visible(struct wire *w, int node, const char *id)
{
    char line[64];
    struct wire_end *client = wire_client(w, node);
    snprintf(line, sizeof line, "WHATSAT %s 1 1\n", id);
    wire_say(w, client, line);
    bool found = client->in.at[0] == 'A';
    wire_close(client);
    return found;
}

static size_t held(struct wire *w, int node)
{
    return herd_store_count(herd_node_store(w->nodes[node].node));
}

static uint64_t alarms(struct wire *w)
{
    uint64_t sum = 0;
    for (int i = 0; i < w->count; i++)
        if (w->nodes[i].node)
            sum += herd_node_stats(w->nodes[i].node).repairs;
    return sum;
}

static void pass(struct wire *w, int64_t seconds)
{
    for (int64_t i = 0; i < seconds; i++)
        wire_advance(w, S);
}

static void test_life(void **state)
{
    (void)state;
    struct wire *w = open_herd("a b", "a-b", NULL);
    report(w, 0, "k", w->now.wall_ns);
    report(w, 0, "old", 5 * S); /* what counts is when it was taken in, not what the client says */
    report(w, 0, "ahead", w->now.wall_ns + 200 * S);
    wire_advance(w, TTL);
    assert_true(visible(w, 0, "k") && visible(w, 1, "k") && visible(w, 1, "old") && visible(w, 1, "ahead"));
    wire_advance(w, 1);
    assert_false(visible(w, 0, "k") || visible(w, 1, "k") || visible(w, 1, "old") || visible(w, 1, "ahead"));
    pass(w, 535); /* grace, and the next edge: at 600 s */
    assert_int_equal(held(w, 0), 3);
    assert_int_equal(held(w, 1), 3);
    report(w, 1, "k", w->now.wall_ns); /* back in time */
    pass(w, 10);
    assert_int_equal(held(w, 0), 1);
    assert_int_equal(held(w, 1), 1);
    assert_true(visible(w, 0, "k"));
    report(w, 1, "old", 6 * S); /* and as if it had never been */
    pass(w, 1);
    assert_true(visible(w, 0, "old"));
    assert_true(wire_agree(w));
    wire_free(w);
}

static void test_off(void **state)
{
    (void)state;
    struct wire *w = wire_new("a", "");
    assert_int_equal(wire_start(w, 0), 0);
    report(w, 0, "k", w->now.wall_ns);
    wire_advance(w, 1000000 * S);
    assert_true(visible(w, 0, "k"));
    wire_free(w);
}

/* Copies of what is forgotten are refused, from neighbours and from the journal. */
static void test_refused(void **state)
{
    (void)state;
    struct wire *w = open_herd("a b", "a-b", NULL);
    long long edge_s = w->now.wall_ns / S, before_s = edge_s - 420;
    struct wire_end *b = wire_client(w, 0);
    wire_crash(w, 1);
    struct {
        long long time;
        const char *diff;
        bool taken;
    } rows[] = {
        {before_s, "+0", true},
        {before_s - 1, "+1", false}, /* the time counts, where it is believed */
        {before_s - 1, "+60", false},
        {before_s - 1, "+61", true},
        {before_s - 1, "+60.9999999999", false},
        {before_s - 1, "+61.0000000001", true},
        {before_s + 60, "-60", true},
        {before_s + 100, "-100", true},
        {before_s + 60, "-120.000000001", false},
        {5, "+0.5", false},
        {before_s + 7, "-99999999999999999999999", false},
        {9223372036, "-9223372036", false},
        {edge_s + 360, "+0",
         true}, /* as far ahead of the clock as is believed: 300 s and the least of 60 and 300 */
        {edge_s + 361, "+0", false},
        {edge_s, "+420", true},
        {edge_s, "+422", false},
        {5, "+99999999999999999999999", false},
        {9223372036, "+9223372036", false},
    };
    wire_say(w, b, "HELLO 2 b a 77\n");
    struct herd_buf journal = {0};
    size_t count = 0, before = 0, taken = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[128];
        snprintf(line, sizeof line, "AT b %s id%zu +1+1 %lld\n", rows[i].diff, i, rows[i].time);
        wire_say(w, b, line);
        count += rows[i].taken;
        assert_int_equal(held(w, 0), count);
        if (rows[i].time > edge_s || rows[i].diff[1] == '4' || rows[i].diff[1] == '9')
            continue; /* accepted anew from a journal: test_clock_was_ahead */
        before += !rows[i].taken;
        taken += rows[i].taken;
        size_t start = journal.len;
        herd_buf_add_text(&journal, line);
        assert_int_equal(herd_checksum_add(&journal, start), 0);
    }
    struct herd_node_options options = {.name = {"c", 1}, .expire_ns = TTL};
    struct herd_node *node;
    struct herd_replay replay = {0};
    size_t consumed;
    assert_int_equal(herd_node_new(&node, &options), 0);
    assert_int_equal(
        herd_replay_take(node, &replay, (struct herd_span){journal.at, journal.len}, w->now, &consumed), 0);
    assert_int_equal(replay.forgotten, before);
    assert_int_equal(herd_store_count(herd_node_store(node)), taken);
    struct herd_node_stats seen = herd_node_stats(w->nodes[0].node);
    assert_int_equal(seen.at_expired + seen.at_future, sizeof rows / sizeof *rows - count);
    assert_true(herd_node_link(w->nodes[0].node, 0) != NULL); /* nothing is wrong with the link */
    herd_node_free(node);
    herd_buf_fini(&journal);
    wire_free(w);
}

/* A busy herd with clocks that differ, links that come and go, servers that restart: for hours nothing is
 * held for ever, nothing comes back, and no alarm rings. */
static void test_hours(void **state)
{
    (void)state;
    static const int64_t skews[] = {0, 70 * S, -3 * S, 40 * S};
    struct wire *w = open_herd("a b c d", "a-b b-c c-d d-a", skews);
    unsigned random = 1;
    for (int step = 0; step < 4 * 3600; step++) {
        char id[16];
        random = random * 1664525 + 1013904223;
        if (step % 3 == 0 && step < 2 * 3600) {
            snprintf(id, sizeof id, "id%u", (random >> 8) % 5000);
            int node = (int)(random >> 4 & 3);
            if (w->nodes[node].node)
                report(w, node, id, w->now.wall_ns);
        }
        if (step % 613 == 0)
            wire_cut(w, 0, 1);
        if (step % 613 == 400)
            wire_mend(w, 0, 1);
        if (step % 1999 == 1000)
            wire_crash(w, 2);
        if (step % 1999 == 1050)
            assert_int_equal(wire_start(w, 2), 0);
        wire_advance(w, S);
    }
    assert_int_equal(alarms(w), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(held(w, i), 0);
    wire_free(w);
}

/* One that was cut off for long has forgotten what the others have, and more. */
static void test_return(void **state)
{
    (void)state;
    static const int64_t skews[] = {0, 200 * S};
    for (int64_t away = 0; away < 1000; away += 37) {
        struct wire *w = open_herd("a b", "a-b", skews);
        report(w, 0, "k", w->now.wall_ns);
        report(w, 1, "l", w->now.wall_ns);
        wire_cut(w, 0, 1);
        pass(w, away);
        report(w, 0, "m", w->now.wall_ns);
        wire_mend(w, 0, 1);
        pass(w, 1300);
        assert_int_equal(held(w, 0), 0);
        assert_int_equal(held(w, 1), 0);
        wire_free(w);
    }
}

/* A client's clock was ahead and is set right. The first node to forget its old record takes the new one, and those
 * that still hold the old one must not think that it is old news: when they forgot too, they would have nothing. */
static void test_client_clock_set_back(void **state)
{
    (void)state;
    static const int64_t skews[] = {0, -70 * S, 0};
    struct wire *w = open_herd("a b c", "a-b b-c", skews);
    report(w, 0, "k", w->now.wall_ns + 1000 * S);
    report(w, 0, "l", w->now.wall_ns + 1000 * S);
    pass(w, 30);
    report(w, 2, "l", w->now.wall_ns); /* too soon: its time was believed to be 60 s ahead */
    assert_int_equal(herd_node_stats(w->nodes[2].node).reports, 0);
    pass(w, 31);
    report(w, 2, "l", w->now.wall_ns);
    assert_int_equal(herd_node_stats(w->nodes[2].node).reports, 1);
    pass(w, 549); /* a and c have forgotten it, b has not */
    assert_true(held(w, 0) == 0 && held(w, 1) >= 1 && held(w, 2) == 0);
    report(w, 0, "k", w->now.wall_ns);
    pass(w, 1);
    assert_true(visible(w, 0, "k") && visible(w, 1, "k") && visible(w, 2, "k"));
    struct wire_end *old = wire_client(w, 2); /* and what comes late is late */
    wire_crash(w, 1);
    wire_say(w, old, "HELLO 2 b c 77\n");
    char line[128];
    snprintf(line, sizeof line, "AT a -1000.000000000 k +1+1 %lld.000000000\n",
             (long long)(w->now.wall_ns / S + 389));
    wire_say(w, old, line);
    assert_true(visible(w, 2, "k"));
    pass(w, 300);
    assert_int_equal(alarms(w), 0);
    wire_free(w);
}

static struct herd_node_stats counts(const struct wire *w, int node)
{
    return herd_node_stats(w->nodes[node].node);
}

#define DAY (86400 * S)

/* One tick by a clock that is a day ahead: what neighbours tell afterwards is taken again. */
static void test_one_tick_ahead(void **state)
{
    (void)state;
    struct wire *w = open_herd("a b", "a-b", NULL);
    report(w, 1, "k", w->now.wall_ns);
    herd_node_tick(w->nodes[0].node, (struct herd_now){w->now.wall_ns + DAY, w->now.steady_ns});
    assert_int_equal(held(w, 0), 0);
    report(w, 1, "l", w->now.wall_ns);
    assert_true(visible(w, 0, "l"));
    pass(w, 50);
    assert_int_equal(counts(w, 0).at_expired, 0);
    pass(w, 250); /* and what it removed is asked for again, without the alarm */
    assert_int_equal(held(w, 0), 2);
    assert_int_equal(alarms(w), 0);
    wire_free(w);
}

/* Nodes that hold the same record from the future accept it anew at different moments, each with a diff of its own,
 * and one believes it as it was. What each makes of it is less than what it was, so that the greatest wins, once. */
static void test_accepted_anew_apart(void **state)
{
    (void)state;
    static const int64_t skews[] = {25 * S, 25 * S, 25 * S};
    struct wire *w = wire_new("a b c", "a-b b-c c-a");
    w->now.wall_ns = INT64_C(5400000) * 300 * S;
    for (int i = 0; i < w->count; i++) {
        w->nodes[i].options.expire_ns = TTL;
        w->nodes[i].options.future_ns = 5 * S;
        w->nodes[i].skew_ns = skews[i];
        assert_int_equal(wire_start(w, i), 0);
    }
    wire_settle(w);
    report(w, 0, "k", w->now.wall_ns + 1000 * S);
    pass(w, 1);
    assert_int_equal(held(w, 2), 1);
    w->nodes[0].skew_ns = 0; /* in its future: believed again when 20 s have passed */
    pass(w, 3);
    w->nodes[1].skew_ns = 0;
    pass(w, 3);
    assert_int_equal(counts(w, 0).accepted_anew, 1);
    assert_int_equal(counts(w, 1).accepted_anew, 1);
    pass(w, 200);
    assert_true(wire_agree(w));
    uint64_t told = 0, more = 0;
    for (int i = 0; i < w->count; i++)
        told += counts(w, i).at_received;
    pass(w, 300);
    for (int i = 0; i < w->count; i++) {
        more += counts(w, i).at_received;
        assert_true(counts(w, i).accepted_anew <= 1);
    }
    assert_int_equal(more, told);
    assert_true(wire_agree(w));
    assert_int_equal(alarms(w), 0);
    wire_free(w);
}

/* A report by way of a server whose clock is a day ahead freezes nobody; when its clock is right, all is. */
static void test_clock_was_ahead(void **state)
{
    (void)state;
    static const int64_t skews[] = {DAY, 0, 0};
    struct wire *w = open_herd("a b c", "a-b b-c c-a", skews);
    report(w, 0, "k", w->now.wall_ns);
    report(w, 0, "own", w->now.wall_ns);
    assert_int_equal(held(w, 1) + held(w, 2), 0);
    assert_true(counts(w, 1).at_future == 2 && counts(w, 2).at_future == 2);
    assert_true(wire_linked(w, 0, 1) && wire_linked(w, 0, 2));
    pass(w, 1);
    report(w, 1, "k", w->now.wall_ns);
    assert_true(visible(w, 1, "k") && visible(w, 2, "k"));
    assert_int_equal(counts(w, 1).reports, 1);
    assert_true(counts(w, 0).at_expired > 0);
    pass(w, 400);
    assert_int_equal(alarms(w), 0);
    w->nodes[0].skew_ns = 0;
    report(w, 1, "k", w->now.wall_ns);
    report(w, 0, "own", w->now.wall_ns);
    assert_true(counts(w, 0).accepted_anew > 0);
    pass(w, 70);
    assert_int_equal(counts(w, 0).accepted_anew, 2);
    assert_int_equal(held(w, 0), 2);
    assert_true(wire_agree(w));
    pass(w, 1000);
    assert_true(wire_agree(w) && held(w, 0) == 0);
    assert_int_equal(alarms(w), 0);
    wire_free(w);
}

/* The same from journals that were written then: what the last line of a client says is what the node held, and it is
 * that which is accepted anew, at the first tick. */
static void test_journal_of_a_clock_ahead(void **state)
{
    (void)state;
    /* TTL is 60 s, the clock says 1621464828. */
    static const struct {
        const char *what, *lines[3], *diff, *time; /* no diff: nothing is held */
    } rows[] = {
        {"one", {"AT c +86400.000000000 k +1+1 1621464800"}, "+0.000000000", "1621464800"},
        {"the first by a client whose clock is ahead too: accepted anew alone, it would be the greater one",
         {"AT c +45585921.826187324 k +1+1 1891239514", "AT c +315361194.242330615 k +2+2 1621464801"},
         "+0.000000000",
         "1621464801"},
        {"accepted anew already, and heard of since",
         {"AT c +0.000000000 k +1+1 1891239514", "AT c -269774714.000000000 k +1+1 1891239514",
          "AT c -269774700.000000000 k +2+2 1891239515"},
         "-269774700.000000000",
         "1891239515"},
        {"what it became was never written",
         {"AT c +0.000000000 k +1+1 1891239514", "AT c +0.000000000 k +2+2 1621464810"},
         "+0.000000000",
         "1621464810"},
        {"the same line twice",
         {"AT c +86400.000000000 k +1+1 1621464800", "AT c +86400.000000000 k +1+1 1621464800"},
         "+0.000000000",
         "1621464800"},
        {"what took its place has expired meanwhile",
         {"AT c +0.000000000 k +1+1 1891239514", "AT c +0.000000000 k +2+2 1621460000"},
         NULL,
         NULL},
        {"a right one stays before an older one",
         {"AT c +0.000000000 k +1+1 1621464820", "AT c +0.000000000 k +2+2 1621464810"},
         "+0.000000000",
         "1621464820"},
    };
    const struct herd_now now = {INT64_C(1621464828) * S, S};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_node_options options = {.name = {"c", 1}, .expire_ns = TTL};
        struct herd_node *node;
        struct herd_replay replay = {0};
        struct herd_buf journal = {0};
        struct herd_record record;
        size_t consumed;
        for (size_t k = 0; k < 3 && rows[i].lines[k]; k++) {
            size_t start = journal.len;
            herd_buf_add_text(&journal, rows[i].lines[k]);
            herd_buf_add_text(&journal, "\n");
            assert_int_equal(herd_checksum_add(&journal, start), 0);
        }
        assert_int_equal(herd_node_new(&node, &options), 0);
        assert_int_equal(
            herd_replay_take(node, &replay, (struct herd_span){journal.at, journal.len}, now, &consumed), 0);
        assert_true(herd_node_next_ns(node) <= now.steady_ns || rows[i].what[0] == 'a');
        herd_node_tick(node, now);
        bool held = herd_store_get(herd_node_store(node), herd_span_of("k"), &record);
        if (held != (rows[i].diff != NULL) || (held && !herd_span_equal(record.diff, herd_span_of(rows[i].diff))) ||
            (held && !herd_span_equal(record.time, herd_span_of(rows[i].time))))
            fail_msg("%s: %.*s %.*s", rows[i].what, held ? (int)record.diff.len : 0, held ? record.diff.at : "",
                     held ? (int)record.time.len : 0, held ? record.time.at : "");
        herd_node_free(node);
        herd_buf_fini(&journal);
    }
}

/* Three records of one client, accepted far apart, by way of three servers in a ring, in any order: one wins. */
static void test_ring(void **state)
{
    (void)state;
    unsigned random = 7;
    for (int round = 0; round < 200; round++) {
        struct wire *w = open_herd("a b c x", "a-b b-c c-a x-a x-b x-c", NULL);
        struct wire_end *links[3];
        char lines[3][96];
        wire_crash(w, 3);
        w->chunk = 40;
        for (int i = 0; i < 3; i++) {
            char hello[32];
            random = random * 1664525 + 1013904223;
            long long time = w->now.wall_ns / S - 150 + (int)(random >> 8) % 300;
            random = random * 1664525 + 1013904223;
            int diff = (int)(random >> 8) % 500 - 250;
            snprintf(lines[i], sizeof lines[i], "AT x %+d k +1+%d %lld\n", diff, i, time);
            links[i] = wire_client(w, i);
            snprintf(hello, sizeof hello, "HELLO 2 x %s 77\n", w->nodes[i].name);
            wire_say(w, links[i], hello);
        }
        for (int i = 0; i < 3; i++) {
            wire_write(links[i], herd_span_of(lines[i]));
            if (round % 2)
                wire_write(links[(i + 1) % 3], herd_span_of(lines[i]));
        }
        wire_run(w);
        assert_true(wire_agree(w));
        wire_free(w);
    }
}

/* A server 700 s slow: its neighbours refuse, and say so; and so does it. */
static void test_slow(void **state)
{
    (void)state;
    static const int64_t skews[] = {-700 * S, 0};
    struct wire *w = open_herd("a b", "a-b", skews);
    report(w, 0, "k", w->now.wall_ns);
    assert_int_equal(counts(w, 1).at_expired, 1);
    assert_string_equal(w->notice, "record_expired_refused");
    report(w, 1, "l", w->now.wall_ns);
    assert_int_equal(counts(w, 0).at_future, 1);
    assert_true(visible(w, 0, "k") && visible(w, 1, "l"));
    size_t downs = w->downs;
    pass(w, 400);
    assert_int_equal(alarms(w), 0);
    assert_int_equal(w->downs, downs);
    w->nodes[0].skew_ns = 0;
    report(w, 0, "k", w->now.wall_ns);
    report(w, 1, "m", w->now.wall_ns);
    pass(w, 1);
    assert_true(visible(w, 0, "k") && visible(w, 1, "k") && visible(w, 0, "m") && visible(w, 1, "m"));
    pass(w, 1000);
    assert_true(held(w, 0) == 0 && held(w, 1) == 0);
    assert_int_equal(alarms(w), 0);
    wire_free(w);
}

static void test_slices(void **state)
{
    (void)state;
    struct wire *w = open_herd("a", "", NULL);
    for (int i = 0; i < 10000; i++) {
        char id[16];
        snprintf(id, sizeof id, "id%d", i);
        report(w, 0, id, w->now.wall_ns);
    }
    pass(w, 599);
    assert_int_equal(held(w, 0), 10000);
    wire_advance(w, S);
    size_t left = held(w, 0);
    assert_in_range(left, 5500, 7500);
    for (int slices = 1; left > 0; slices++) {
        assert_in_range(slices, 1, 5);
        assert_true(herd_node_next_ns(w->nodes[0].node) <= w->now.steady_ns);
        wire_advance(w, 0);
        assert_true(held(w, 0) < left);
        left = held(w, 0);
    }
    wire_advance(w, 0);
    assert_int_equal(held(w, 0), 0);
    assert_true(herd_node_next_ns(w->nodes[0].node) > w->now.steady_ns);
    wire_free(w);
}

/* A client that stays connected does not keep the node from forgetting others. */
static void test_beside_a_client(void **state)
{
    (void)state;
    struct wire *w = open_herd("a", "", NULL);
    report(w, 0, "k", w->now.wall_ns);
    struct wire_end *client = wire_client(w, 0);
    wire_say(w, client, "IAMAT other +1+1 1\n");
    /* Its idle time ends in 300 s, the wish to look at the clock comes before. */
    assert_true(herd_node_next_ns(w->nodes[0].node) <= w->now.steady_ns + 60 * S);
    for (int minutes = 0; minutes < 30 && held(w, 0) > 0; minutes++) {
        struct herd_node *node = w->nodes[0].node;
        int64_t next_ns = herd_node_next_ns(node), wait_ns = next_ns - w->now.steady_ns;
        w->now.steady_ns += wait_ns;
        w->now.wall_ns += wait_ns;
        herd_node_tick(node, w->now); /* only when it wants to */
        if (minutes == 2 || minutes == 6)
            wire_say(w, client, "WHATSAT nobody 1 1\n");
    }
    assert_int_equal(held(w, 0), 0);
    wire_free(w);
}

/* Neighbours that forget after a minute, after four and never: what all hold flows every way, no link goes down, no
 * alarm rings, and what one has forgotten does not come back to it. */
static void test_periods_differ(void **state)
{
    (void)state;
    static const char *const edges[] = {"a-b b-c c-a", "a-b b-c", "b-a a-c"};
    static const int64_t periods[] = {TTL, 4 * TTL, 0};
    for (size_t e = 0; e < sizeof edges / sizeof *edges; e++) {
        struct wire *w = wire_new("a b c", edges[e]);
        char id[16];
        w->now.wall_ns = INT64_C(5400000) * 300 * S;
        for (int i = 0; i < 3; i++) {
            w->nodes[i].options.expire_ns = periods[i];
            assert_int_equal(wire_start(w, i), 0);
        }
        wire_settle(w);
        size_t ups = w->ups;
        for (int round = 0; round < 300; round++) {
            snprintf(id, sizeof id, "k%d", round);
            report(w, round % 3, id, w->now.wall_ns);
            report(w, (round + 1) % 3, "often", w->now.wall_ns);
            pass(w, 7);
            for (int i = 0; i < 3; i++)
                assert_true(visible(w, i, id) && visible(w, i, "often"));
        }
        assert_true(w->ups == ups && w->downs == 0);
        assert_int_equal(alarms(w), 0);
        assert_int_equal(held(w, 2), 301);
        assert_in_range(held(w, 1), 4 * 60 / 7, 1400 / 7);
        assert_in_range(held(w, 0), 60 / 7, 800 / 7);
        uint64_t told = counts(w, 0).at_sent + counts(w, 1).at_sent + counts(w, 2).at_sent;
        pass(w, 2000);
        assert_true(w->ups == ups && w->downs == 0);
        assert_int_equal(alarms(w), 0);
        assert_true(held(w, 0) == 0 && held(w, 1) == 0 && held(w, 2) == 301);
        told = counts(w, 0).at_sent + counts(w, 1).at_sent + counts(w, 2).at_sent - told;
        assert_true(told < 10 * 301); /* what a neighbour has forgotten is offered to it again, rarely */
        wire_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_periods_differ),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_hours),
        cmocka_unit_test(test_return),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_beside_a_client),
        cmocka_unit_test(test_one_tick_ahead),
        cmocka_unit_test(test_accepted_anew_apart),
        cmocka_unit_test(test_clock_was_ahead),
        cmocka_unit_test(test_journal_of_a_clock_ahead),
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_client_clock_set_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
