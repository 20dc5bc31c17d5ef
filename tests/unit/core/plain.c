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
    assert_false(herd_node_owes(w->nodes[0].node));

    wire_crash(w, 1);
    pass(w, 10000);
    assert_int_equal(w->downs, 0); /* nobody has tried */
    report(w, 0, "IAMAT k1 +1+1 6\n");
    assert_true(herd_node_owes(w->nodes[0].node));
    pass(w, 2);
    assert_int_equal(w->downs, 1);
    assert_false(herd_node_owes(w->nodes[0].node)); /* nobody would take it */
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
        cmocka_unit_test(test_reaped),
        cmocka_unit_test(test_no_introduction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
