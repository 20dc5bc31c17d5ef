/* SPDX-License-Identifier: MIT */
/* Neighbours that are added and removed, and bounds that change, while a node runs. */
#include "peer.h"

static size_t add(struct one *o, const char *name, bool plain)
{
    size_t peer = SIZE_MAX;
    assert_int_equal(herd_node_peer_add(o->node, herd_span_of(name), plain, o->now, &peer), 0);
    return peer;
}

static struct herd_session *link_up(struct one *o, const char *hello)
{
    struct herd_session *session = accept_one(o);
    say(o, session, hello);
    heard(o, "HELLO 2 ");
    return session;
}

/* Whether a text is somewhere in what the node has said. */
static bool among(const struct one *o, const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i + len <= o->out.len; i++)
        if (memcmp(o->out.at + i, text, len) == 0)
            return true;
    return false;
}

static void report(struct one *o, const char *line)
{
    struct herd_session *client = accept_one(o);
    say(o, client, line);
    heard(o, "AT ");
    herd_session_close(client);
}

static void test_added(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", NULL);
    report(&o, "IAMAT kiwi +1+1 1621464827\n");
    tick(&o, 0);
    assert_int_equal(o.dials, 2);
    assert_int_equal(add(&o, "Campbell", false), 2);
    assert_int_equal(herd_node_peer_count(o.node), 3);
    assert_int_equal(herd_node_peer_name(o.node, 2).len, 8);
    assert_int_equal(herd_node_next_ns(o.node), o.now.steady_ns); /* no time before now: callers subtract */
    tick(&o, 0);
    assert_int_equal(o.dials, 3);
    assert_int_equal(o.dial_peer, 2);
    struct herd_session *link = link_up(&o, "HELLO 2 Campbell Juzang 5\n");
    assert_int_equal(o.ups, 1);
    assert_int_equal(herd_session_peer(link), 2);
    say(&o, link, "PUSH\n"); /* the larger name asks for all */
    fill(&o, link);
    assert_true(among(&o, "AT Juzang +1.000000000 kiwi +1+1 1621464827\n"));
    end(&o);
}

static void test_not_added(void **state)
{
    (void)state;
    static const char *const bad[] = {"Juzang", "Riley", "Jaquez", "", "a b", "a\nb"};
    struct one o;
    begin(&o, "Juzang", NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t peer = 77;
        assert_int_equal(herd_node_peer_add(o.node, herd_span_of(bad[i]), false, o.now, &peer), HERD_E_ARG);
        assert_int_equal(peer, 77);
    }
    assert_int_equal(herd_node_peer_count(o.node), 2);
    assert_int_equal(herd_node_peer_remove(o.node, 2, o.now), HERD_E_NOTFOUND);
    end(&o);
}

static void test_removed(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", NULL);
    struct herd_session *link = link_up(&o, "HELLO 2 Riley Juzang 1\n");
    report(&o, "IAMAT kiwi +1+1 1621464827\n");
    assert_true(herd_session_want_write(link));
    assert_int_equal(herd_node_peer_remove(o.node, 1, o.now), 0);
    assert_null(herd_node_link(o.node, 1));
    effects(&o);
    assert_int_equal(o.downs, 1);
    assert_int_equal(o.closes, 1);
    assert_ptr_equal(o.closed, link);
    assert_string_equal(o.why, "peer_removed");
    assert_false(herd_session_want_write(link));
    herd_session_close(link);
    assert_int_equal(herd_node_peer_remove(o.node, 1, o.now), HERD_E_NOTFOUND);
    assert_int_equal(herd_node_peer_name(o.node, 1).len, 0);
    assert_int_equal(herd_node_peer_name(o.node, 0).len, 6);

    /* It is neither dialled nor let in. */
    struct herd_session *session;
    assert_int_equal(herd_session_connected(o.node, &session, NULL, 1, o.now, &o.out), HERD_E_ARG);
    herd_node_dial_failed(o.node, 1, o.now);
    assert_int_equal(herd_node_peer_remove(o.node, 0, o.now), 0);
    assert_int_equal(herd_node_next_ns(o.node), INT64_MAX);
    tick(&o, 100 * SECOND);
    assert_int_equal(o.dials, 0);
    session = accept_one(&o);
    say(&o, session, "HELLO 2 Riley Juzang 2\n");
    heard(&o, "REFUSE peer_name_unknown\n");
    assert_string_equal(o.notice, "peer_name_unknown");
    herd_session_close(session);

    /* Added again it has its number, and a link like any other. */
    assert_int_equal(add(&o, "Campbell", false), 2);
    assert_int_equal(add(&o, "Riley", false), 1);
    tick(&o, 0);
    assert_int_equal(o.dials, 2);
    link = link_up(&o, "HELLO 2 Riley Juzang 3\n");
    assert_int_equal(herd_session_peer(link), 1);
    assert_ptr_equal(herd_node_link(o.node, 1), link);
    end(&o);
}

static void test_removed_while_dialled(void **state)
{
    (void)state;
    struct one o;
    struct herd_effect effect;
    begin(&o, "Juzang", NULL);
    /* Nobody has taken the DIAL effect yet. */
    herd_node_tick(o.node, o.now);
    assert_int_equal(herd_node_peer_remove(o.node, 0, o.now), 0);
    assert_true(herd_node_next_effect(o.node, &effect));
    assert_int_equal(effect.kind, HERD_EFFECT_DIAL);
    assert_int_equal(effect.peer, 1);
    assert_false(herd_node_next_effect(o.node, &effect));
    /* A connection was made, and the introduction is to come. */
    struct herd_session *session = dial_one(&o, 1);
    assert_int_equal(herd_node_peer_remove(o.node, 1, o.now), 0);
    effects(&o);
    assert_ptr_equal(o.closed, session);
    assert_int_equal(o.downs, 0);
    say(&o, session, "HELLO 2 Riley Juzang 1\n");
    assert_int_equal(o.ups, 0);
    assert_null(herd_node_link(o.node, 1));
    end(&o);
}

static void test_plain(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", NULL);
    size_t peer = add(&o, "Foreign", true);
    assert_true(herd_node_peer_plain(o.node, peer));
    struct herd_session *theirs = accept_one(&o);
    herd_session_allow_plain(theirs, (int)peer);
    say(&o, theirs, "AT Foreign +1.0 kiwi +1+1 1621464827\n");
    heard(&o, "");
    tick(&o, 0);
    struct herd_session *ours = dial_one(&o, peer);
    effects(&o);
    assert_int_equal(o.ups, 1);
    herd_session_close(ours);
    report(&o, "IAMAT bus +2+2 1621464827\n");
    assert_true(herd_node_plain_pending(o.node));
    assert_int_equal(herd_node_peer_remove(o.node, peer, o.now), 0);
    assert_false(herd_node_plain_pending(o.node));
    assert_false(herd_node_peer_plain(o.node, peer));
    effects(&o);
    assert_int_equal(o.downs, 1);
    say(&o, theirs, "AT Foreign +1.0 kiwi +3+3 1621464828\n");
    heard(&o, "? AT Foreign");
    /* The same name as a neighbour of the other kind. */
    assert_int_equal(add(&o, "Foreign", false), peer);
    assert_false(herd_node_peer_plain(o.node, peer));
    link_up(&o, "HELLO 2 Foreign Juzang 9\n");
    assert_int_equal(herd_node_peer_remove(o.node, peer, o.now), 0);
    assert_int_equal(add(&o, "Foreign", true), peer);
    effects(&o);
    o.dials = 0;
    tick(&o, 0);
    assert_int_equal(o.dials, 1); /* it is sent what there is */
    end(&o);
}

/* Links and effects under way do not mind that the table grows. */
static void test_many(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", NULL);
    struct herd_session *link = link_up(&o, "HELLO 2 Riley Juzang 1\n");
    herd_node_tick(o.node, o.now); /* effects wait in the table */
    for (int i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%d", i);
        assert_int_equal(add(&o, name, i % 3 == 0), i + 2);
    }
    tick(&o, 0);
    assert_int_equal(o.dials, 1 + 200); /* plain ones are dialled when there is something to say */
    report(&o, "IAMAT kiwi +1+1 1621464827\n");
    assert_true(herd_session_want_write(link));
    tick(&o, 0);
    assert_int_equal(o.dials, 1 + 300);
    fill(&o, link);
    assert_true(among(&o, "AT Juzang "));
    for (size_t i = 0; i < 302; i++)
        assert_int_equal(herd_node_peer_remove(o.node, i, o.now), 0);
    end(&o);
}

static void test_bounds(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", &(struct herd_node_options){.records_max = 1, .line_max_bytes = 64});
    report(&o, "IAMAT a +1+1 1621464827\n");
    struct herd_session *client = accept_one(&o);
    say(&o, client, "IAMAT b +1+1 1621464827\n");
    heard(&o, "? IAMAT b");
    herd_node_configure(o.node, &(struct herd_node_options){.records_max = 2, .line_max_bytes = 64}, o.now);
    say(&o, client, "IAMAT b +1+1 1621464827\n");
    heard(&o, "AT Juzang");
    /* Below what is there already: nothing is lost, and no new one is taken. */
    herd_node_configure(o.node, &(struct herd_node_options){.records_max = 1}, o.now);
    assert_int_equal(herd_store_count(herd_node_store(o.node)), 2);
    say(&o, client, "IAMAT a +2+2 1621464828\nIAMAT c +1+1 1621464827\n");
    heard(&o, "AT Juzang");
    assert_int_equal(herd_store_count(herd_node_store(o.node)), 2);
    /* Zero is the default again, and who this node is stays. */
    herd_node_configure(o.node, &(struct herd_node_options){.name = herd_span_of("Other")}, o.now);
    say(&o, client, "IAMAT a-name-that-is-longer-than-sixty-four-bytes-together-with-the-rest +1+1 1621464827\n");
    heard(&o, "AT Juzang ");
    assert_int_equal(herd_node_peer_count(o.node), 2);
    end(&o);
}

static void test_periods(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang",
          &(struct herd_node_options){.redial_min_ns = 1000 * SECOND, .redial_max_ns = 4000 * SECOND});
    tick(&o, 0);
    assert_int_equal(o.dials, 2);
    herd_node_dial_failed(o.node, 0, o.now);
    herd_node_dial_failed(o.node, 1, o.now);
    tick(&o, 100 * SECOND);
    assert_int_equal(o.dials, 2);
    struct herd_session *client = accept_one(&o);
    herd_node_configure(o.node, &(struct herd_node_options){.client_idle_ns = 2 * SECOND}, o.now);
    assert_true(herd_node_next_ns(o.node) <= o.now.steady_ns + 2 * SECOND);
    tick(&o, 3 * SECOND);
    assert_int_equal(o.dials, 4);
    assert_ptr_equal(o.closed, client);
    assert_string_equal(o.why, "idle");
    herd_session_close(client);
    /* And never again: negative. */
    herd_node_configure(o.node, &(struct herd_node_options){.client_idle_ns = -1}, o.now);
    accept_one(&o);
    o.closes = 0;
    tick(&o, 10000 * SECOND);
    assert_int_equal(o.closes, 0);
    end(&o);
}

/* Roots are compared on an idle link as often as the new period says. */
static void test_digest_period(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", &(struct herd_node_options){.digest_ns = 100000 * SECOND});
    struct herd_session *link = link_up(&o, "HELLO 2 Riley Juzang 1\n");
    fill(&o, link);
    heard(&o, "ROOT ");
    say(&o, link, "ROOT 0 0\n");
    herd_node_configure(o.node, &(struct herd_node_options){.digest_ns = 2 * SECOND}, o.now);
    tick(&o, 3 * SECOND);
    fill(&o, link);
    assert_true(among(&o, "ROOT "));
    end(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_added),         cmocka_unit_test(test_not_added),
        cmocka_unit_test(test_removed),       cmocka_unit_test(test_removed_while_dialled),
        cmocka_unit_test(test_plain),         cmocka_unit_test(test_many),
        cmocka_unit_test(test_bounds),        cmocka_unit_test(test_periods),
        cmocka_unit_test(test_digest_period),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
