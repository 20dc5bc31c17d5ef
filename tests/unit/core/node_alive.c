/* SPDX-License-Identifier: MIT */
/* How a dead neighbour is found, and how one that lives shows it. */
#include "peer.h"
#include "wire.h"

static void test_silence(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", NULL);
    struct herd_session *session = accept_one(&o);
    say(&o, session, "HELLO 2 Riley Juzang 1\n");
    o.out.len = 0;
    for (int i = 0; i < 10; i++) { /* answered: alive */
        tick(&o, 5 * SECOND);
        fill(&o, session);
        heard(&o, "PING\n");
        say(&o, session, "PONG\n");
    }
    tick(&o, 5 * SECOND - 1);
    assert_false(herd_session_want_write(session));
    tick(&o, 1);
    for (int missed = 1; missed <= 3; missed++) {
        fill(&o, session);
        heard(&o, "PING\n");
        assert_int_equal(o.downs, 0);
        tick(&o, 5 * SECOND);
    }
    assert_int_equal(o.downs, 1);
    assert_string_equal(o.why, "silent");
    assert_ptr_equal(o.closed, session);
    end(&o);
}

/* Anything that is heard counts; a clock that jumps does not. */
static void test_life_is_any_byte(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", NULL);
    struct herd_session *session = accept_one(&o);
    say(&o, session, "HELLO 2 Riley Juzang 1\n");
    for (int i = 0; i < 100; i++) {
        o.now.wall_ns -= 1000 * SECOND;
        tick(&o, 4 * SECOND);
        struct herd_input_result result;
        assert_int_equal(herd_session_input(session, guarded((struct herd_span){"AAAA", (size_t)i % 4 + 1}), o.now,
                                            &o.out, &result),
                         0);
        assert_int_equal(result.consumed, 0);
    }
    assert_int_equal(o.downs, 0);
    end(&o);
}

/* Who was quiet for a ping period says so unasked: the neighbour's ping may wait behind much else. */
static void test_signs_of_life(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", &(struct herd_node_options){.digest_ns = 1000000 * SECOND});
    tick(&o, 0); /* the other neighbour is dialled, and nothing comes of it */
    struct herd_session *session = accept_one(&o);
    say(&o, session, "HELLO 2 Riley Juzang 1\n");
    fill(&o, session);
    o.out.len = 0;
    for (int i = 0; i < 20; i++) { /* they say much, and ask nothing */
        for (int k = 0; k < 4; k++) {
            say(&o, session, "AT Riley +1 kiwi +1+1 1\n");
            assert_false(herd_session_want_write(session));
            assert_true(herd_node_next_ns(o.node) > o.now.steady_ns);
            tick(&o, 5 * SECOND / 4);
        }
        assert_true(herd_session_want_write(session));
        assert_true(herd_node_next_ns(o.node) > o.now.steady_ns); /* no room: nothing hurries */
        fill(&o, session);
        heard(&o, "PONG\n");
    }
    tick(&o, 4 * SECOND); /* anything we say is a sign */
    struct herd_session *client = accept_one(&o);
    say(&o, client, "IAMAT kiwi +1+1 2\n");
    o.out.len = 0;
    fill(&o, session);
    o.out.len = 0;
    say(&o, session, "\n");
    tick(&o, 4 * SECOND);
    assert_false(herd_session_want_write(session));
    tick(&o, SECOND); /* in silence a ping does for both */
    fill(&o, session);
    heard(&o, "PING\n");
    assert_int_equal(o.downs, 0);
    end(&o);
}

/* A neighbour that is gone without a word: nothing moves on the old connection, a new one replaces it. */
static void test_half_open(void **state)
{
    (void)state;
    struct wire *w = wire_new("a b", "a-b");
    assert_int_equal(wire_start(w, 0), 0);
    assert_int_equal(wire_start(w, 1), 0);
    wire_settle(w);
    struct wire_end *client = wire_client(w, 0);
    for (struct wire_conn *conn = w->conns; conn; conn = conn->next)
        conn->stalled = conn->end[0].node >= 0;
    wire_say(w, client, "IAMAT kiwi +1+1 1\n");
    assert_false(wire_agree(w));
    for (int i = 0; i < 40; i++)
        wire_advance(w, SECOND);
    assert_true(wire_linked(w, 0, 1));
    assert_true(wire_agree(w));
    assert_in_range(w->downs, 2, 4); /* both may dial anew at once */
    wire_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_life_is_any_byte),
        cmocka_unit_test(test_signs_of_life),
        cmocka_unit_test(test_half_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
