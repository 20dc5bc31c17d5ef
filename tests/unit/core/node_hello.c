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
        {"HELLO 3 Riley Juzang 1 newfield\n", "REFUSE peer_version_unknown\n", "peer_version_unknown"},
        {"HELLO 3 {}\n", "REFUSE peer_version_unknown\n", "peer_version_unknown"},
        {"HELLO 3 Plain Jaquez 1\n", "REFUSE peer_version_unknown\n", "peer_version_unknown"},
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
    assert_int_equal(herd_session_connected(o.node, &session, NULL, 2, o.now, &o.out), HERD_E_ARG);
    assert_int_equal(herd_session_connected(o.node, &session, &o, 1, o.now, &o.out), 0);
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
        assert_int_equal(w->downs, 0); /* nobody sees a link go */
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
    /* ours is left to the other side to close, and nobody sees a link go */
    assert_int_equal(o.closes, 0);
    assert_int_equal(o.ups, 2);
    assert_int_equal(o.downs, 0);
    say(&o, ours, "AT Jaquez +1 kiwi +1+1 1\n"); /* nobody listens there any more */
    assert_int_equal(herd_store_count(herd_node_store(o.node)), 0);
    assert_int_equal(herd_session_eof(ours, (struct herd_span){"", 0}, o.now, &o.out, &o.turn), 0);
    effects(&o);
    assert_int_equal(o.closes, 1);
    assert_ptr_equal(o.closed, ours);
    herd_session_close(ours);
    assert_ptr_equal(herd_node_link(o.node, 0), theirs);
    assert_int_equal(o.downs, 0);
    end(&o);
}

/* Gives bytes to a session; nobody takes effects. */
static void say_unseen(struct one *o, struct herd_session *session, const char *text)
{
    assert_int_equal(herd_session_input(session, guarded(herd_span_of(text)), o->now, &o->out, &o->turn), 0);
}

/* Takes all effects: "up" and "down" in their order, and what is up after the last. */
static void follow(struct one *o, const char *expected, struct herd_session **io_link)
{
    struct herd_effect e;
    char seen[64] = "";
    while (herd_node_next_effect(o->node, &e)) {
        if (e.kind == HERD_EFFECT_PEER_UP) {
            *io_link = e.session;
            assert_true(strlen(seen) < 50);
            strcat(seen, "up ");
        } else if (e.kind == HERD_EFFECT_PEER_DOWN) {
            assert_non_null(*io_link);
            assert_null(e.session);
            *io_link = NULL;
            assert_true(strlen(seen) < 50);
            strcat(seen, "down ");
        }
    }
    assert_string_equal(seen, expected);
    assert_ptr_equal(*io_link, herd_node_link(o->node, 1));
}

/* Whoever takes effects now and then believes what the node holds, whatever happened meanwhile. */
static void test_ups_and_downs_alternate(void **state)
{
    (void)state;
    struct one o;
    struct herd_session *at[5], *link = NULL;
    begin(&o, "Juzang", NULL);
    for (int i = 0; i < 5; i++)
        at[i] = accept_one(&o);

    /* a server that was restarted four times: the first link came and went unseen */
    say_unseen(&o, at[0], "HELLO 2 Riley Juzang 1\n");
    say_unseen(&o, at[1], "HELLO 2 Riley Juzang 2\n");
    follow(&o, "up ", &link);
    assert_ptr_equal(link, at[1]);
    say_unseen(&o, at[2], "HELLO 2 Riley Juzang 3\n");
    follow(&o, "down up ", &link);
    assert_ptr_equal(link, at[2]);
    say_unseen(&o, at[3], "HELLO 2 Riley Juzang 4\n");
    say_unseen(&o, at[4], "HELLO 2 Riley Juzang 5\n");
    follow(&o, "down up ", &link);
    assert_ptr_equal(link, at[4]);

    /* gone, back, and gone again */
    struct herd_session *back = accept_one(&o);
    herd_session_close(at[4]);
    say_unseen(&o, back, "HELLO 2 Riley Juzang 6\n");
    herd_session_close(back);
    follow(&o, "down ", &link);
    back = accept_one(&o);
    say_unseen(&o, back, "HELLO 2 Riley Juzang 7\n");
    herd_session_close(back);
    follow(&o, "", &link);
    end(&o);
}

/* A link that was lost is told as lost, though the one after it was replaced quietly. */
static void test_quiet_after_a_loss(void **state)
{
    (void)state;
    struct one o;
    struct herd_session *link = NULL;
    begin(&o, "Juzang", NULL);
    struct herd_session *first = accept_one(&o);
    say_unseen(&o, first, "HELLO 2 Riley Juzang 1\n");
    follow(&o, "up ", &link);
    struct herd_session *ours = dial_one(&o, 1), *theirs = accept_one(&o);
    herd_session_close(first);
    say_unseen(&o, theirs, "HELLO 2 Riley Juzang 1\n");
    say_unseen(&o, ours, "HELLO 2 Riley Juzang 1\n"); /* Juzang is smaller: what it dialled stays */
    follow(&o, "down up ", &link);
    assert_ptr_equal(link, ours);
    end(&o);
}

/* The loser of two connections that this node dialled waits for the other side, not for ever, and not for a link that
 * is gone. */
static void test_loser_is_left(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct one o;
        begin(&o, "Juzang", &(struct herd_node_options){.ping_ns = 100 * SECOND});
        tick(&o, 0);
        struct herd_session *ours = dial_one(&o, 0), *theirs = accept_one(&o);
        say(&o, theirs, "HELLO 2 Jaquez Juzang 1\n");
        say(&o, ours, "HELLO 2 Jaquez Juzang 1\n"); /* it took ours before it saw that theirs was taken */
        assert_ptr_equal(herd_node_link(o.node, 0), theirs);
        assert_int_equal(o.closes, 0);
        assert_int_equal(o.downs, 0);
        if (how == 0) {
            tick(&o, 5 * SECOND - 1);
            assert_int_equal(o.closes, 0);
            assert_true(herd_node_next_ns(o.node) <= o.now.steady_ns + 1);
            tick(&o, 1);
            assert_ptr_equal(herd_node_link(o.node, 0), theirs);
        } else if (how == 1) {
            herd_session_close(theirs);
            effects(&o);
            assert_int_equal(o.downs, 1);
        } else {
            herd_session_close(ours); /* it broke */
            tick(&o, 10 * SECOND);
            assert_int_equal(o.closes, 0);
            end(&o);
            continue;
        }
        assert_int_equal(o.closes, 1);
        assert_ptr_equal(o.closed, ours);
        herd_session_close(ours);
        end(&o);
    }
}

/* Two processes with one name take the link from each other: their numbers come back, those of restarts never do. */
static void test_two_servers_one_name(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", NULL);
    for (int i = 1; i < 50; i++) { /* restarts */
        char hello[64];
        snprintf(hello, sizeof hello, "HELLO 2 Riley Juzang %x\n", (unsigned)i);
        say(&o, accept_one(&o), hello);
    }
    assert_int_equal(o.notices, 0);
    for (int i = 0; i < 100; i++)
        say(&o, accept_one(&o), i % 2 ? "HELLO 2 Riley Juzang aaa\n" : "HELLO 2 Riley Juzang bbb\n");
    assert_string_equal(o.notice, "two_servers_one_name");
    assert_int_equal(o.notices, 6); /* of 98: at 2, 4, 8, 16, 32, 64 */
    end(&o);
}

/* Each refusal has its notice, with what is refused: whoever takes them damps, for it knows the addresses. */
static void test_refusals_are_told(void **state)
{
    (void)state;
    struct one o;
    static const char *const rows[][2] = {
        {"HELLO 2 Campbell Juzang 1\n", "peer_name_unknown"},
        {"HELLO 2 Juzang Juzang 1\n", "peer_name_unknown"},
        {"HELLO 3 Riley Juzang 1\n", "peer_version_unknown"},
        {"HELLO 2 Riley Jaquez 1\n", "peer_wants_another"},
    };
    begin(&o, "Juzang", NULL);
    size_t told = 0;
    for (int i = 0; i < 20; i++) {
        size_t row = (size_t)i % (sizeof rows / sizeof *rows);
        say(&o, accept_one(&o), rows[row][0]);
        assert_int_equal(o.notices, ++told);
        assert_string_equal(o.notice, rows[row][1]);
    }
    for (int i = 0; i < 20; i++) {
        say(&o, dial_one(&o, 0), "REFUSE whatever\n");
        assert_int_equal(o.notices, ++told);
        assert_string_equal(o.notice, "peer_refuses_us");
    }
    end(&o);
}

/* A neighbour that forgets after another time is told of, and no alarm rings for what that makes differ. */
static void test_other_expiry(void **state)
{
    (void)state;
    static const struct {
        int64_t ours_ns;
        const char *hello, *notice;
    } rows[] = {
        {0, "HELLO 2 Riley Juzang 1\n", ""},
        {0, "HELLO 2 Riley Juzang 1 60000\n", "peer_expires_sooner"},
        {60 * SECOND, "HELLO 2 Riley Juzang 1 60000\n", ""},
        {60 * SECOND, "HELLO 2 Riley Juzang 1 60000 more\n", ""},
        {60 * SECOND, "HELLO 2 Riley Juzang 1 60001\n", "peer_expires_later"},
        {60 * SECOND, "HELLO 2 Riley Juzang 1 59999\n", "peer_expires_sooner"},
        {60 * SECOND, "HELLO 2 Riley Juzang 1\n", "peer_expires_later"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct one o;
        begin(&o, "Juzang", &(struct herd_node_options){.expire_ns = rows[i].ours_ns});
        struct herd_session *session = accept_one(&o);
        say(&o, session, rows[i].hello);
        heard(&o, "HELLO 2 Juzang Riley ");
        assert_int_equal(o.ups, 1);
        assert_string_equal(o.notice, rows[i].notice);
        end(&o);
    }
    struct one o;
    begin(&o, "Juzang", &(struct herd_node_options){.expire_ns = 60 * SECOND + 1});
    dial_one(&o, 1);
    herd_session_close(accept_one(&o));
    struct herd_session *session;
    assert_int_equal(herd_session_connected(o.node, &session, NULL, 1, o.now, &o.out), 0);
    assert_int_equal(herd_buf_add(&o.out, "", 1), 0);
    assert_string_equal(o.out.at + o.out.len - 8, " 60001\n");
    end(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ups_and_downs_alternate), cmocka_unit_test(test_quiet_after_a_loss),
        cmocka_unit_test(test_introduced_to),           cmocka_unit_test(test_dialled),
        cmocka_unit_test(test_simultaneous_dials),      cmocka_unit_test(test_which_survives),
        cmocka_unit_test(test_loser_is_left),           cmocka_unit_test(test_two_servers_one_name),
        cmocka_unit_test(test_refusals_are_told),       cmocka_unit_test(test_other_expiry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
