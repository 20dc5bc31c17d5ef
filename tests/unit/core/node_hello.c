/* SPDX-License-Identifier: MIT */
/* Who may introduce itself as what, and which of two connections between the same two survives. */
#include "peer.h"
#include "wire.h"

static void test_introduced_to(void **state)
{
    (void)state;
    static const struct {
        const char *line, *reply, *notice;
    } refused[] = {
        {"HELLO 3 Riley Juzang 1\n", "REFUSE peer_version_unknown\n", "peer_version_unknown"},
        {"HELLO 0 Riley Juzang 1\n", "REFUSE peer_version_unknown\n", "peer_version_unknown"},
        {"HELLO 2 Riley Jaquez 1\n", "REFUSE peer_wants_another\n", "peer_wants_another"},
        {"HELLO 2 Campbell Juzang 1\n", "REFUSE peer_name_unknown\n", "peer_name_unknown"},
        {"HELLO 2 Juzang Juzang 1\n", "REFUSE peer_name_unknown\n", "peer_name_unknown"},
        {"HELLO 2 riley Juzang 1\n", "REFUSE peer_name_unknown\n", "peer_name_unknown"},
        {"HELLO 2 Rile Juzang 1\n", "REFUSE peer_name_unknown\n", "peer_name_unknown"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct one o;
        begin(&o, "Juzang", NULL);
        struct herd_session *session = accept_one(&o);
        say(&o, session, refused[i].line);
        heard(&o, refused[i].reply);
        assert_string_equal(o.notice, refused[i].notice);
        assert_true(o.turn.close);
        assert_int_equal(herd_session_peer(session), -1);
        say(&o, session, "AT Riley +1 kiwi +1+1 1\nIAMAT kiwi +1+1 1\n");
        heard(&o, "");
        assert_int_equal(herd_store_count(herd_node_store(o.node)), 0);
        assert_int_equal(o.ups, 0);
        end(&o);
    }
    struct one o;
    begin(&o, "Juzang", NULL);
    struct herd_session *session = accept_one(&o);
    say(&o, session, "HELLO 2 Riley Juzang 1\nAT Riley +1 kiwi +1+1 1\n"); /* in one read */
    heard(&o, "HELLO 2 Juzang Riley ");
    assert_int_equal(o.ups, 1);
    assert_int_equal(herd_session_peer(session), 1);
    assert_ptr_equal(herd_node_link(o.node, 1), session);
    assert_null(herd_node_link(o.node, 0));
    assert_null(herd_node_link(o.node, 99));
    assert_int_equal(herd_store_count(herd_node_store(o.node)), 1);
    end(&o);
}

static void test_dialled(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why, *notice;
    } refused[] = {
        {"HELLO 2 Jaquez Juzang 1\n", "peer_name_unknown",
         "peer_name_unknown"}, /* a neighbour, not the one dialled */
        {"HELLO 2 Riley Jaquez 1\n", "peer_wants_another", "peer_wants_another"},
        {"HELLO 3 Riley Juzang 1\n", "peer_version_unknown", "peer_version_unknown"},
        {"REFUSE peer_name_unknown\n", "refused", "peer_refuses_us"},
        {"HTTP/1.1 400 Bad Request\r\n", "no_introduction", "peer_not_a_herd_server"},
        {"? HELLO 2 Juzang Riley 1\n", "no_introduction", "peer_not_a_herd_server"},
        {"AT Riley +1 kiwi +1+1 1\n", "no_introduction", "peer_not_a_herd_server"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct one o;
        begin(&o, "Juzang", NULL);
        tick(&o, 0);
        assert_int_equal(o.dials, 2);
        struct herd_session *session = dial_one(&o, 1);
        say(&o, session, refused[i].line);
        heard(&o, "");
        assert_string_equal(o.notice, refused[i].notice);
        assert_string_equal(o.why, refused[i].why);
        assert_ptr_equal(o.closed, session);
        assert_int_equal(o.ups, 0);
        herd_session_close(session);
        tick(&o, 10 * SECOND); /* and is dialled again */
        assert_int_equal(o.dials, 3);
        end(&o);
    }
    struct one o;
    begin(&o, "Juzang", NULL);
    struct herd_session *session;
    assert_int_equal(herd_session_dialled(o.node, &session, NULL, 2, o.now, &o.out), HERD_E_ARG);
    assert_int_equal(herd_session_dialled(o.node, &session, &o, 1, o.now, &o.out), 0);
    heard(&o, "HELLO 2 Juzang Riley ");
    assert_ptr_equal(herd_session_user(session), &o);
    say(&o, session, "\nHELLO 2 Riley Juzang 5\n");
    heard(&o, "");
    assert_int_equal(o.ups, 1);
    assert_ptr_equal(herd_node_link(o.node, 1), session);
    end(&o);

    /* one that says nothing */
    begin(&o, "Juzang", NULL);
    tick(&o, 0);
    session = dial_one(&o, 1);
    tick(&o, 5 * SECOND - 1);
    assert_int_equal(o.closes, 0);
    tick(&o, 1);
    assert_string_equal(o.why, "no_introduction");
    end(&o);
}

/* ---- two connections between the same two ---- */

/* Both dial at once: whatever order the lines arrive in, one link is left, and it is the same at both ends: the one
 * dialled by the smaller name. */
static void test_simultaneous_dials(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct wire *w = wire_new("a b", "a-b");
        w->random = seed;
        w->chunk = 1 + seed % 40;
        assert_int_equal(wire_start(w, 0), 0);
        assert_int_equal(wire_start(w, 1), 0);
        herd_node_tick(w->nodes[0].node, w->now);
        herd_node_tick(w->nodes[1].node, w->now);
        wire_run(w);
        assert_int_equal(w->dials, 2);
        assert_true(wire_linked(w, 0, 1));
        size_t open = 0;
        for (struct wire_conn *conn = w->conns; conn; conn = conn->next) {
            open++;
            assert_int_equal(conn->end[0].node, 0);
            assert_int_equal(herd_session_peer(conn->end[0].session), 0);
            assert_int_equal(herd_session_peer(conn->end[1].session), 0);
        }
        assert_int_equal(open, 1);
        size_t dials = w->dials;
        for (int i = 0; i < 200; i++)
            wire_advance(w, SECOND); /* and so it stays */
        assert_int_equal(w->dials, dials);
        assert_true(wire_linked(w, 0, 1));
        wire_free(w);
    }
}

static void test_which_survives(void **state)
{
    (void)state;
    struct one o;
    /* Juzang is smaller than Riley: the link it dialled itself is the one that stays */
    begin(&o, "Juzang", NULL);
    tick(&o, 0);
    struct herd_session *ours = dial_one(&o, 1), *theirs = accept_one(&o), *again, *restarted;
    say(&o, theirs, "HELLO 2 Riley Juzang 1\n");
    heard(&o, "HELLO 2 Juzang Riley ");
    assert_ptr_equal(herd_node_link(o.node, 1), theirs);
    say(&o, ours, "HELLO 2 Riley Juzang 1\n");
    assert_ptr_equal(herd_node_link(o.node, 1), ours);
    assert_ptr_equal(o.closed, theirs);
    herd_session_close(theirs);
    assert_ptr_equal(herd_node_link(o.node, 1), ours);
    /* the same Riley once more: refused, and the old link is asked whether it lives */
    theirs = accept_one(&o);
    say(&o, theirs, "HELLO 2 Riley Juzang 1\n");
    heard(&o, "REFUSE peer_linked_already\n");
    assert_true(o.turn.close);
    assert_ptr_equal(herd_node_link(o.node, 1), ours);
    fill(&o, ours);
    heard(&o, "PING\n");
    herd_session_close(theirs);
    /* another incarnation of Riley: it restarted, the old link is dead */
    restarted = accept_one(&o);
    say(&o, restarted, "HELLO 2 Riley Juzang 2\n");
    heard(&o, "HELLO 2 Juzang Riley ");
    assert_ptr_equal(herd_node_link(o.node, 1), restarted);
    assert_ptr_equal(o.closed, ours);
    herd_session_close(ours);
    /* the same side dials again: it gave the old one up */
    again = accept_one(&o);
    say(&o, again, "HELLO 2 Riley Juzang 2\n");
    heard(&o, "HELLO 2 Juzang Riley ");
    assert_ptr_equal(herd_node_link(o.node, 1), again);
    assert_ptr_equal(o.closed, restarted);
    end(&o);

    /* Riley's view (Jaquez is smaller): the one the other dialled stays */
    begin(&o, "Juzang", NULL);
    tick(&o, 0);
    ours = dial_one(&o, 0);
    theirs = accept_one(&o);
    say(&o, ours, "HELLO 2 Jaquez Juzang 1\n");
    assert_ptr_equal(herd_node_link(o.node, 0), ours);
    say(&o, theirs, "HELLO 2 Jaquez Juzang 1\n");
    heard(&o, "HELLO 2 Juzang Jaquez ");
    assert_ptr_equal(herd_node_link(o.node, 0), theirs);
    assert_ptr_equal(o.closed, ours);
    end(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_introduced_to),
        cmocka_unit_test(test_dialled),
        cmocka_unit_test(test_simultaneous_dials),
        cmocka_unit_test(test_which_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
