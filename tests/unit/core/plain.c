/* SPDX-License-Identifier: MIT */
/* Neighbours that speak the class protocol, in herds in one process and line by line. */
#include "cm.h"

#include "wire.h"

#include <stdio.h>
#include <string.h>

static void start_all(struct wire *w)
{
    for (int i = 0; i < w->count; i++)
        assert_int_equal(wire_start(w, i), 0);
    wire_settle(w);
}

static void pass(struct wire *w, int turns)
{
    for (int i = 0; i < turns; i++)
        wire_advance(w, 1000000);
}

static void report(struct wire *w, int node, const char *line)
{
    struct wire_end *client = wire_client(w, node);
    wire_say(w, client, line);
    assert_memory_equal(client->in.at, "AT ", 3);
    wire_close(client);
}

static bool knows(struct wire *w, int node, const char *id)
{
    struct herd_record record;
    return herd_store_get(herd_node_store(w->nodes[node].node), herd_span_of(id), &record);
}

/* Everything gets everywhere through plain servers, alone and among others. */
static void test_herds(void **state)
{
    (void)state;
    for (int plain = 1; plain < 8; plain++) {
        struct wire *w = wire_new("a b c", "a-b b-c");
        for (int i = 0; i < 3; i++)
            w->nodes[i].plain = plain >> i & 1;
        start_all(w);
        char line[64];
        for (int i = 0; i < 60; i++) {
            snprintf(line, sizeof line, "IAMAT k%d +1+1 %d\n", i % 20, i);
            report(w, i % 3, line);
            pass(w, 3);
        }
        pass(w, 300);
        assert_true(wire_agree(w));
        assert_int_equal(herd_store_count(herd_node_store(w->nodes[0].node)), 20);
        assert_int_equal(w->failures, 0);
        size_t dials = w->dials;
        pass(w, 300);
        if (plain == 2) /* no link that would be dialled: silence */
            assert_int_equal(w->dials, dials);
        wire_free(w);
    }
}

static void test_no_echo_to_the_only_one(void **state)
{
    (void)state;
    struct wire *w = wire_new("a p", "a-p");
    w->nodes[1].plain = true;
    start_all(w);
    report(w, 1, "IAMAT k +1+1 5\n");
    pass(w, 100);
    assert_true(knows(w, 0, "k"));
    assert_int_equal(w->dials, 2); /* the second: everything, at the first chance */
    report(w, 1, "IAMAT k +1+1 6\n");
    pass(w, 100);
    assert_int_equal(w->dials, 3);
    assert_true(wire_agree(w));
    wire_free(w);
}

static void test_everything_after_absence(void **state)
{
    (void)state;
    struct wire *w = wire_new("a p", "a-p");
    w->nodes[1].plain = true;
    w->nodes[0].options.plain_lines_max = 7;
    start_all(w);
    assert_int_equal(w->dials, 0); /* nothing to say */
    for (int i = 0; i < 100; i++) {
        char line[64];
        snprintf(line, sizeof line, "IAMAT k%d +1+1 5\n", i);
        report(w, 0, line);
    }
    pass(w, 100);
    assert_true(wire_agree(w));
    assert_int_equal(w->ups, 2); /* each finds the other */
    assert_false(herd_node_plain_pending(w->nodes[0].node));

    wire_crash(w, 1);
    pass(w, 10000);
    assert_int_equal(w->downs, 0); /* nobody has tried */
    report(w, 0, "IAMAT k1 +1+1 6\n");
    assert_true(herd_node_plain_pending(w->nodes[0].node));
    pass(w, 2);
    assert_int_equal(w->downs, 1);
    assert_false(herd_node_plain_pending(w->nodes[0].node)); /* nobody would take it */
    size_t dials = w->dials;
    pass(w, 60000);
    assert_in_range(w->dials - dials, 15, 70); /* with back-off */
    assert_int_equal(wire_start(w, 1), 0);
    pass(w, 5000);
    assert_int_equal(w->ups, 4);
    assert_true(wire_agree(w));
    assert_int_equal(herd_store_count(herd_node_store(w->nodes[1].node)), 100);
    wire_free(w);
}

static void expect(struct wire *w, struct wire_end *client, const char *said, const char *answer)
{
    client->in.len = 0;
    wire_say(w, client, said);
    assert_int_equal(client->in.len, strlen(answer));
    if (*answer)
        assert_memory_equal(client->in.at, answer, strlen(answer));
}

static void test_lines(void **state)
{
    (void)state;
    for (int chunk = 0; chunk < 4; chunk++) {
        struct wire *w = wire_new("a p", "a-p");
        w->nodes[1].plain = true;
        w->chunk = (size_t)chunk;
        w->cut[0][1] = true;
        start_all(w);
        struct wire_end *client = wire_client(w, 0);
        /* not from there: a client's mistake */
        expect(w, client, "AT p +1 x +1+1 5\n", "? AT p +1 x +1+1 5\n");
        expect(w, client, "AT p +1 x +1+1 5 p\n", "? AT p +1 x +1+1 5 p\n");
        wire_close(client);
        client = wire_client(w, 0);
        herd_session_allow_plain(client->other->session, 0);
        expect(w, client, "? huh\n", "? ? huh\n"); /* it may still be a client */
        expect(w, client, "AT p +1 x +1+1\n", "? AT p +1 x +1+1\n");
        expect(w, client, "AT p +1 x +1+1 5\n\n  AT\tp +1 y +1+1 5   p q r s t u v w \r\n", "");
        assert_true(knows(w, 0, "x") && knows(w, 0, "y"));
        expect(w, client, "? AT a +1 x +1+1 5\nAT p +1 z +1+1 now p\nLIST\n", "");
        assert_false(knows(w, 0, "z"));
        expect(w, client, "WHATSAT x 1 1\n", "AT p +1 x +1+1 5\n{}\n\n"); /* and still a client */
        wire_write(client, herd_span_of("AT p +1 last +1+1 5 p"));
        client->other->eof = true;
        wire_run(w);
        assert_true(knows(w, 0, "last"));
        assert_int_equal(client->in.len, strlen("AT p +1 x +1+1 5\n{}\n\n"));
        wire_free(w);
    }
}

static void at_is(struct wire *w, int node, const char *id, const char *diff)
{
    struct herd_record record;
    assert_true(herd_store_get(herd_node_store(w->nodes[node].node), herd_span_of(id), &record));
    if (!herd_span_equal(record.diff, herd_span_of(diff)))
        fail_msg("%s: %.*s is not %s", id, (int)record.diff.len, record.diff.at, diff);
}

static struct wire *beside_plain(void)
{
    struct wire *w = wire_new("a p", "a-p");
    w->nodes[1].plain = true;
    w->cut[0][1] = w->cut[1][0] = true;
    start_all(w);
    return w;
}

static struct wire_end *from_plain(struct wire *w, int peer)
{
    struct wire_end *end = wire_client(w, 0);
    herd_session_allow_plain(end->other->session, peer);
    return end;
}

/* From them alone a difference is read as they print it, and is passed on as everybody prints it. */
static void test_sloppy(void **state)
{
    (void)state;
    struct wire *w = wire_new("a b p", "a-b a-p");
    w->nodes[2].plain = true;
    w->cut[0][2] = true;
    start_all(w);
    struct wire_end *client = wire_client(w, 0);
    expect(w, client, "AT p 0.5 x +1+1 5\n", "? AT p 0.5 x +1+1 5\n");
    client = from_plain(w, 1);
    expect(w, client, "AT p 0.500192 c1 +1+1 5\nAT p +8.106e-06 c2 +1+1 5 p q\r\nAT  p  +-2.5  c3  +1+1  5\n", "");
    expect(w, client, "AT p +0.5 c4 +1+1 5\nAT p .5 c5 +1+1 5\n", "");
    at_is(w, 0, "c1", "+0.500192000");
    at_is(w, 0, "c2", "+0.000008106");
    at_is(w, 0, "c3", "-2.500000000");
    at_is(w, 0, "c4", "+0.5"); /* in the form of the protocol: as it came */
    at_is(w, 0, "c5", "+0.500000000");
    assert_true(knows(w, 1, "c1") && knows(w, 1, "c2") && knows(w, 1, "c3"));
    at_is(w, 1, "c2", "+0.000008106");
    /* again, and as its neighbours print it: nothing new */
    struct herd_node_stats before = herd_node_stats(w->nodes[0].node);
    expect(w, client, "AT p 0.500192 c1 +1+1 5\nAT p +0.500192000 c1 +1+1 5\n", "");
    assert_int_equal(herd_node_stats(w->nodes[0].node).at_new, before.at_new);
    /* the rest of a line is read as strictly as ever */
    static const char *const wrong[] = {"AT p 0.5 w +91+1 5\n", "AT p 0.5 w +1+1 5e0\n", "AT p! 0.5 w +1+1 5\n",
                                        "AT p nan w +1+1 5\n",  "AT p 1e100 w +1+1 5\n", "AT p 0.5 w +1+1\n",
                                        "at p 0.5 w +1+1 5\n"};
    size_t notices = w->notices;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect(w, client, wrong[i], "");
    assert_false(knows(w, 0, "w"));
    assert_string_equal(w->notice, "plain_line_invalid");
    assert_int_equal(w->notices - notices, 3); /* at 1, 2, 4 of 6 */
    wire_free(w);
}

/* A line without LF is taken when nothing came behind it for a while, and the connection lives on. */
static void test_unfinished(void **state)
{
    (void)state;
    struct wire *w = beside_plain();
    struct wire_end *end = from_plain(w, 0);
    wire_say(w, end, "AT p 0.5 x +1+1 5 p q");
    assert_true(herd_node_next_ns(w->nodes[0].node) <= w->now.steady_ns + 250000000);
    wire_advance(w, 249000000);
    assert_false(knows(w, 0, "x"));
    wire_advance(w, 1000000);
    at_is(w, 0, "x", "+0.500000000");
    assert_int_equal(end->other->in.len, 0);
    assert_false(end->eof);
    wire_say(w, end, "AT p +1 y +1+1 5"); /* another on the same connection */
    wire_advance(w, 250000000);
    assert_true(knows(w, 0, "y"));
    wire_say(w, end, "\nAT p +1 z +1+1 5\n"); /* or what belongs to it after all */
    assert_true(knows(w, 0, "z"));
    assert_int_equal(end->in.len, 0);
    wire_close(end);

    /* more of it comes in time */
    end = from_plain(w, -1);
    wire_say(w, end, "AT p +1 d +1+1 1");
    for (int i = 0; i < 3; i++) {
        wire_advance(w, 200000000);
        assert_false(knows(w, 0, "d"));
        wire_say(w, end, "2");
    }
    wire_advance(w, 250000000);
    struct herd_record record;
    assert_true(herd_store_get(herd_node_store(w->nodes[0].node), herd_span_of("d"), &record));
    assert_true(herd_span_equal(record.time, herd_span_of("1222")));
    wire_close(end);

    /* anything else has the time that a client has, and is not answered before */
    static const char *const others[] = {"IAMAT x +1+1 6", "AT p +1 x +1+1", "AT p +1 x +1+1 now", "HELLO 1 p a 0",
                                         "AT"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        end = from_plain(w, 0);
        wire_say(w, end, others[i]);
        wire_advance(w, 300000000);
        assert_int_equal(end->in.len, 0);
        assert_int_equal(end->other->in.len, strlen(others[i]));
        wire_advance(w, INT64_C(9600000000));
        assert_false(end->eof);
        wire_advance(w, 200000000);
        assert_true(end->eof);
        assert_string_equal(w->notice, "line_deadline");
        wire_close(end);
    }
    /* dripping does not help */
    end = from_plain(w, 0);
    for (int i = 0; i < 120 && !end->eof; i++) {
        wire_say(w, end, "A");
        wire_advance(w, 100000000);
    }
    assert_true(end->eof);
    /* nor does a client elsewhere have its line taken */
    end = wire_client(w, 0);
    wire_say(w, end, "AT p +1 e +1+1 5");
    wire_advance(w, 300000000);
    assert_false(knows(w, 0, "e"));
    wire_free(w);
}

/* A session that is gone when its line has had its time. */
static void test_unfinished_and_gone(void **state)
{
    (void)state;
    struct wire *w = beside_plain();
    struct wire_end *end = from_plain(w, 0);
    wire_say(w, end, "AT p +1 x +1+1 5");
    w->now.steady_ns += 250000000;
    herd_node_tick(w->nodes[0].node, w->now);
    herd_session_close(end->other->session);
    end->other->session = NULL;
    struct herd_effect effect;
    while (herd_node_next_effect(w->nodes[0].node, &effect))
        assert_int_not_equal(effect.kind, HERD_EFFECT_LINE_TIMEOUT);
    /* and one that got its LF meanwhile */
    end = from_plain(w, 0);
    wire_say(w, end, "AT p +1 x +1+1 5");
    w->now.steady_ns += 250000000;
    herd_node_tick(w->nodes[0].node, w->now);
    struct herd_input_result result;
    struct herd_buf out = {0};
    assert_int_equal(
        herd_session_input(end->other->session, herd_span_of("AT p +1 x +1+1 56\n"), w->now, &out, &result), 0);
    assert_false(herd_node_next_effect(w->nodes[0].node, &effect) && effect.kind == HERD_EFFECT_LINE_TIMEOUT);
    assert_int_equal(result.consumed, 18);
    herd_buf_fini(&out);
    wire_free(w);
}

/* One that never hangs up holds some dozens of connections, and loses nothing. */
static void test_open_max(void **state)
{
    (void)state;
    struct wire *w = beside_plain();
    struct wire_end *ends[200];
    struct wire_end *client = from_plain(w, 0), *asking = wire_client(w, 0);
    wire_say(w, client, "x\n");
    for (int i = 0; i < 200; i++) {
        char line[64];
        snprintf(line, sizeof line, "AT p +1 c%d +1+1 5\n", i);
        ends[i] = from_plain(w, i % 2 ? 0 : -1);
        wire_say(w, ends[i], line);
        wire_say(w, ends[i > 0 ? 1 : 0], "AT p +1 again +1+1 5\n"); /* the busiest is not the longest silent */
    }
    size_t open = 0;
    for (int i = 0; i < 200; i++)
        open += !ends[i]->eof;
    assert_int_equal(open, 32);
    assert_false(ends[1]->eof);
    assert_false(ends[199]->eof);
    assert_int_equal(herd_store_count(herd_node_store(w->nodes[0].node)), 201);
    assert_false(client->eof);
    expect(w, asking, "y\n", "? y\n");
    for (int i = 0; i < 200; i++) /* those that leave make room */
        wire_close(ends[i]);
    wire_run(w);
    for (int i = 0; i < 32; i++) {
        ends[i] = from_plain(w, 0);
        wire_say(w, ends[i], "AT p +1 c1 +1+1 5\n");
    }
    for (int i = 0; i < 32; i++)
        assert_false(ends[i]->eof);
    wire_free(w);
}

/* A herd that wants to know who speaks. */
static void test_sender(void **state)
{
    (void)state;
    struct herd_node *node;
    const struct herd_span peers[] = {herd_span_of("p"), herd_span_of("q"), herd_span_of("r")};
    const bool plain[] = {true, true, false}, sender[] = {true, false, true};
    const struct herd_node_options options = {
        .name = herd_span_of("Riley"), .peers = peers, .peer_count = 3, .peers_plain = plain, .plain_lines_max = 2};
    struct herd_now now = {INT64_C(7000000000), INT64_C(1000000000)};
    assert_int_equal(herd_node_new(&node, &options), 0);
    struct herd_session *client, *session;
    struct herd_buf out = {0};
    struct herd_input_result result;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(herd_node_peer_sender(node, i, sender[i]), 0);
    assert_int_equal(herd_node_peer_sender(node, 3, true), HERD_E_NOTFOUND);
    assert_int_equal(herd_session_open(node, &client, NULL, now), 0);
    assert_int_equal(
        herd_session_input(client, herd_span_of("IAMAT k +1+1 5\nIAMAT l +1+1 5\n"), now, &out, &result), 0);
    static const char *const said[] = {
        "AT Riley +2.000000000 k +1+1 5 Riley\nAT Riley +2.000000000 l +1+1 5 Riley\n",
        "AT Riley +2.000000000 k +1+1 5\nAT Riley +2.000000000 l +1+1 5\n", "HELLO "};
    for (size_t i = 0; i < 3; i++) {
        out.len = 0;
        assert_int_equal(herd_session_connected(node, &session, NULL, i, now, &out), 0);
        assert_true(out.len >= strlen(said[i]));
        assert_memory_equal(out.at, said[i], strlen(said[i]));
        if (i < 2)
            assert_int_equal(out.len, strlen(said[i]));
    }
    herd_buf_fini(&out);
    herd_node_free(node);
}

static void test_reaped(void **state)
{
    (void)state;
    struct wire *w = wire_new("a p", "a-p");
    w->nodes[1].plain = true;
    w->cut[0][1] = true;
    start_all(w);
    struct wire_end *forgetful = wire_client(w, 0), *silent = wire_client(w, 0);
    herd_session_allow_plain(forgetful->other->session, -1);
    herd_session_allow_plain(silent->other->session, -1);
    wire_say(w, forgetful, "AT p +1 x +1+1 5\n");
    wire_advance(w, INT64_C(4900000000));
    wire_say(w, forgetful, "AT p +1 x +1+1 6\n");
    wire_advance(w, INT64_C(4900000000));
    assert_false(forgetful->eof);
    assert_true(herd_node_next_ns(w->nodes[0].node) <= w->now.steady_ns + 100000000);
    wire_advance(w, INT64_C(200000000));
    assert_true(forgetful->eof);
    assert_false(silent->eof); /* perhaps a client */
    wire_advance(w, INT64_C(300000000000));
    assert_true(silent->eof);
    wire_free(w);
}

static void test_no_introduction(void **state)
{
    (void)state;
    struct wire *w = wire_new("a p", "a-p");
    w->nodes[1].plain = true;
    w->cut[0][1] = true;
    start_all(w);
    struct wire_end *client = wire_client(w, 0);
    expect(w, client, "HELLO 2 p a 0\n", "REFUSE peer_is_plain\n");
    assert_true(client->eof);
    assert_false(wire_linked(w, 0, 1));
    wire_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_herds),
        cmocka_unit_test(test_no_echo_to_the_only_one),
        cmocka_unit_test(test_everything_after_absence),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_sloppy),
        cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_unfinished_and_gone),
        cmocka_unit_test(test_open_max),
        cmocka_unit_test(test_sender),
        cmocka_unit_test(test_reaped),
        cmocka_unit_test(test_no_introduction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
