/* SPDX-License-Identifier: MIT */
/* What a session may do: identities, tokens, proofs of names, keys of herds, limits of rate. */
#include "cm.h"

#include "access.h"
#include "delete.h"
#include "guard.h"

#include <stdio.h>

#define S herd_span_of

static bool holds(struct herd_span bytes, const char *text)
{
    for (size_t i = 0; i + strlen(text) <= bytes.len; i++)
        if (memcmp(bytes.at + i, text, strlen(text)) == 0)
            return true;
    return false;
}

static const struct herd_now NOW = {INT64_C(1621464828000000000), INT64_C(5000000000)};

static const char list[] = "kiwi   cert  kiwi        kiwi\n"
                           "fleet  cert  fleet-*     fleet-*,kiwi  reports=2 burst=3 connections=2 delete=fleet-*\n"
                           "desk   cert  -           *  delete=*\n"
                           "anonymous -  public      public\n";

static struct herd_identities *make_list(void)
{
    struct herd_identities *set = NULL;
    struct herd_identities_error error;
    assert_int_equal(herd_identities_parse(&set, S(list), (const uint64_t[2]){1, 2}, &error), 0);
    return set;
}

static struct herd_node *make_node(bool access, bool peers_prove, uint64_t key_check)
{
    const struct herd_span peers[] = {S("Bernard"), S("Campbell")};
    const struct herd_node_options options = {.name = S("Juzang"),
                                              .peers = peers,
                                              .peer_count = 2,
                                              .seed = {1, 2},
                                              .access = access,
                                              .peers_prove = peers_prove,
                                              .key_check = key_check};
    struct herd_node *node;
    assert_int_equal(herd_node_new(&node, &options), 0);
    return node;
}

static struct herd_session *open_as(struct herd_node *node, struct herd_identity *identity)
{
    struct herd_session *session;
    assert_int_equal(herd_session_open(node, &session, NULL, NOW), 0);
    assert_int_equal(herd_session_set_identity(session, identity), 0);
    return session;
}

/* Says `text` and compares the beginning of what is answered. */
static void expect_at(struct herd_session *session, const char *text, const char *reply, struct herd_now now)
{
    struct herd_buf out = {0};
    struct herd_input_result result;
    assert_int_equal(herd_session_input(session, guarded(S(text)), now, &out, &result), 0);
    if (out.len < strlen(reply) || (*reply ? memcmp(out.at, reply, strlen(reply)) != 0 : out.len > 0))
        fail_msg("%s: %.*s in place of %s", text, (int)out.len, out.len ? out.at : "", reply);
    herd_buf_fini(&out);
}

static void expect(struct herd_session *session, const char *text, const char *reply)
{
    expect_at(session, text, reply, NOW);
}

static unsigned drain(struct herd_node *node, enum herd_effect_kind kind, struct herd_effect *ret)
{
    struct herd_effect effect;
    unsigned found = 0;
    while (herd_node_next_effect(node, &effect)) {
        if (effect.kind != kind)
            continue;
        found++;
        *ret = effect;
    }
    return found;
}

static void test_rights(void **state)
{
    (void)state;
    struct herd_identities *set = make_list();
    struct herd_node *node = make_node(true, false, 0);
    struct herd_session *kiwi = open_as(node, herd_identities_find(set, S("kiwi")));
    struct herd_session *desk = open_as(node, herd_identities_find(set, S("desk")));
    struct herd_session *nobody = open_as(node, NULL);
    struct herd_session *anonymous = open_as(node, herd_identities_find(set, S("anonymous")));
    expect(kiwi, "IAMAT kiwi +1+1 1\n", "AT Juzang ");
    expect(kiwi, "IAMAT kiwi2 +1+1 1\n", "? IAMAT kiwi2 +1+1 1\n");
    expect(desk, "IAMAT kiwi +1+1 2\n", "? IAMAT kiwi +1+1 2\n");
    expect(nobody, "IAMAT kiwi +1+1 2\n", "? IAMAT kiwi +1+1 2\n");
    expect(anonymous, "IAMAT public +1+1 2\n", "AT Juzang ");
    /* What is not theirs and what is not there look the same. */
    expect(anonymous, "WHATSAT kiwi 1 1\n", "? WHATSAT kiwi 1 1\n");
    expect(anonymous, "WHATSAT none 1 1\n", "? WHATSAT none 1 1\n");
    expect(nobody, "WHATSAT public 1 1\n", "? WHATSAT public 1 1\n");
    struct herd_effect effect;
    drain(node, HERD_EFFECT_LOOKUP, &effect);
    expect(desk, "WHATSAT kiwi 1 1\n", "");
    assert_int_equal(drain(node, HERD_EFFECT_LOOKUP, &effect), 1);
    assert_int_equal(herd_node_stats(node).not_allowed, 6);
    /* The same bytes that are in the store already, and not allowed: refused all the same. */
    expect(open_as(node, herd_identities_find(set, S("desk"))), "IAMAT kiwi +1+1 1\n", "? ");
    /* Who it is can change: at a reload, or never. */
    assert_int_equal(herd_session_set_identity(nobody, herd_identities_find(set, S("kiwi"))), 0);
    expect(nobody, "IAMAT kiwi +1+1 3\n", "AT Juzang ");
    assert_int_equal(herd_session_set_identity(nobody, NULL), 0);
    expect(nobody, "IAMAT kiwi +1+1 4\n", "? ");
    herd_node_free(node);
    /* Without identities everything is as ever. */
    node = make_node(false, false, 0);
    nobody = open_as(node, NULL);
    expect(nobody, "IAMAT kiwi +1+1 2\n", "AT Juzang ");
    herd_node_free(node);
    herd_identities_free(set);
}

/* Who may not delete hears the same whether there is such a client or not. */
static void test_delete(void **state)
{
    (void)state;
    struct herd_identities *set = make_list();
    struct herd_node *node = make_node(true, false, 0);
    node->options.tombstones_max = 10;
    node->options.forget_line = true;
    struct herd_session *kiwi = open_as(node, herd_identities_find(set, S("kiwi")));
    struct herd_session *desk = open_as(node, herd_identities_find(set, S("desk")));
    struct herd_session *fleet = open_as(node, herd_identities_find(set, S("fleet")));
    struct herd_session *nobody = open_as(node, NULL);
    expect(kiwi, "IAMAT kiwi +1+1 1\n", "AT Juzang ");
    expect(kiwi, "FORGET kiwi\n", "? FORGET kiwi\n");
    expect(nobody, "FORGET kiwi\n", "? FORGET kiwi\n");
    expect(fleet, "FORGET kiwi\n", "? FORGET kiwi\n");
    expect(fleet, "FORGET none\n", "? FORGET none\n");
    assert_int_equal(herd_node_stats(node).not_allowed, 4);
    expect(desk, "FORGET kiwi\n", "GONE Juzang ");
    expect(desk, "FORGET kiwi\n", "? FORGET kiwi\n");
    /* A deletion counts as a report: three at once. */
    expect(fleet, "IAMAT fleet-1 +1+1 1\n", "AT Juzang ");
    expect(fleet, "FORGET fleet-1\n", "GONE Juzang ");
    expect(fleet, "FORGET fleet-1\n", "? FORGET fleet-1\n");
    expect(fleet, "FORGET fleet-1\n", "? FORGET fleet-1\n");
    assert_int_equal(herd_node_stats(node).too_often, 1);
    enum herd_verdict verdict;
    assert_int_equal(herd_session_delete(kiwi, S("kiwi"), NOW, NULL, &verdict), 0);
    assert_int_equal(verdict, HERD_VERDICT_NOT_ALLOWED);
    assert_int_equal(herd_session_delete(desk, S("kiwi"), NOW, NULL, &verdict), HERD_E_NOTFOUND);
    herd_node_free(node);
    herd_identities_free(set);
}

static void test_rates(void **state)
{
    (void)state;
    struct herd_identities *set = make_list();
    struct herd_node *node = make_node(true, false, 0);
    struct herd_identity *fleet = herd_identities_find(set, S("fleet"));
    struct herd_session *one = open_as(node, fleet), *two = open_as(node, fleet), *three;
    assert_int_equal(herd_session_open(node, &three, NULL, NOW), 0);
    assert_int_equal(herd_session_set_identity(three, fleet), HERD_E_LIMIT);
    expect(one, "IAMAT fleet-1 +1+1 1\nIAMAT fleet-1 +1+1 2\n", "AT ");
    expect(two, "IAMAT fleet-2 +1+1 1\n", "AT "); /* the identity's, whatever the connection */
    expect(two, "IAMAT fleet-2 +1+1 2\n", "? ");
    expect(one, "IAMAT kiwi +1+1 2\n", "? ");
    assert_int_equal(herd_node_stats(node).too_often, 1);
    struct herd_now later = {NOW.wall_ns + 500000000, NOW.steady_ns + 500000000};
    expect_at(two, "IAMAT fleet-2 +1+1 2\n", "AT ", later);
    expect_at(two, "IAMAT fleet-2 +1+1 3\n", "? ", later);
    herd_session_close(one);
    assert_int_equal(herd_session_set_identity(three, fleet), 0);
    herd_node_free(node);

    /* An address has a rate of its own, with identities or without. */
    struct herd_rate rate;
    herd_rate_init(&rate, 1, 2);
    node = make_node(false, false, 0);
    one = open_as(node, NULL);
    herd_session_set_rate(one, &rate);
    expect(one, "IAMAT a +1+1 1\n", "AT ");
    expect(one, "IAMAT b +1+1 1\n", "AT ");
    expect(one, "IAMAT c +1+1 1\n", "? ");
    two = open_as(node, NULL);
    expect(two, "IAMAT c +1+1 1\n", "AT ");
    herd_node_free(node);
    herd_identities_free(set);
}

/* ---- AUTH ---- */

static void answer(struct herd_node *node, const struct herd_effect *effect, struct herd_identity *identity,
                   const char *reply)
{
    struct herd_buf out = {0};
    struct herd_session *session;
    assert_int_equal(herd_node_auth(node, effect->ticket, identity, NOW, &out, &session), 0);
    assert_true(herd_span_equal(span_of_buf(&out), S(reply)));
    herd_buf_fini(&out);
}

static void test_auth(void **state)
{
    (void)state;
    struct herd_identities *set = make_list();
    struct herd_node *node = make_node(true, false, 0);
    struct herd_session *session = open_as(node, NULL);
    struct herd_effect effect;
    struct herd_buf out = {0};
    struct herd_input_result result;
    const struct herd_span none = {"", 0};
    herd_session_set_proof(session, none, true);
    /* What follows waits, and is judged by the answer. */
    const struct herd_span said = S("AUTH herd_secret\nIAMAT kiwi +1+1 1\n");
    assert_int_equal(herd_session_input(session, said, NOW, &out, &result), 0);
    assert_int_equal(out.len, 0);
    assert_true(result.blocked && result.consumed == strlen("AUTH herd_secret\n"));
    assert_int_equal(drain(node, HERD_EFFECT_AUTH, &effect), 1);
    assert_true(herd_span_equal(effect.detail, S("herd_secret")) && effect.session == session);
    answer(node, &effect, herd_identities_find(set, S("kiwi")), "OK kiwi\n");
    assert_ptr_equal(herd_session_identity(session), herd_identities_find(set, S("kiwi")));
    expect(session, said.at + result.consumed, "AT Juzang ");
    /* Once is enough. */
    expect(session, "AUTH herd_other\n", "? AUTH\n");
    expect(session, "IAMAT kiwi +1+1 2\n", "");

    static const struct {
        const char *text;
        bool secure;
    } wrong[] = {
        {"AUTH\n", true},
        {"AUTH a b\n", true},
        {"auth herd_secret\n", true},
        {"x\nAUTH herd_secret\n", true},
        {" AUTH\t\r\n", true},
        {"AUTH herd_secret\n", false},
        {"AuTh herd_secret more\n", false},
        {"AUTH herd_secret HTTP/1.1\n", true},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct herd_session *one = open_as(node, NULL);
        herd_session_set_proof(one, none, wrong[i].secure);
        out.len = 0;
        assert_int_equal(herd_session_input(one, S(wrong[i].text), NOW, &out, &result), 0);
        assert_true(result.close && out.len >= 7 && memcmp(out.at + out.len - 7, "? AUTH\n", 7) == 0);
        assert_false(holds(span_of_buf(&out), "secret"));
        while (herd_node_next_effect(node, &effect)) /* nor in what an operator reads */
            assert_false(holds(effect.detail, "secret"));
        herd_session_close(one);
    }
    /* A wrong token; and too long a line that begins so. */
    struct herd_session *one = open_as(node, NULL);
    herd_session_set_proof(one, none, true);
    expect(one, "AUTH herd_wrong\n", "");
    assert_int_equal(drain(node, HERD_EFFECT_AUTH, &effect), 1);
    answer(node, &effect, NULL, "? AUTH\n");
    herd_session_close(one);
    char *longest = malloc(70001);
    assert_non_null(longest);
    memset(longest, 's', 70000);
    longest[70000] = '\0';
    memcpy(longest, "AUTH ", 5);
    one = open_as(node, NULL);
    herd_session_set_proof(one, none, true);
    out.len = 0;
    assert_int_equal(herd_session_input(one, S(longest), NOW, &out, &result), 0);
    assert_true(herd_span_equal(span_of_buf(&out), S("? AUTH\n")));
    free(longest);
    herd_session_close(one);
    /* Gone before the answer. */
    one = open_as(node, NULL);
    herd_session_set_proof(one, none, true);
    expect(one, "AUTH herd_late\n", "");
    assert_int_equal(drain(node, HERD_EFFECT_AUTH, &effect), 1);
    herd_session_close(one);
    answer(node, &effect, herd_identities_find(set, S("kiwi")), "");
    herd_node_free(node);

    /* A server without identities does not give the token back either. */
    node = make_node(false, false, 0);
    one = open_as(node, NULL);
    expect(one, "AUTH herd_secret\n", "? AUTH\n");
    herd_node_free(node);
    herd_buf_fini(&out);
    herd_identities_free(set);
}

/* ---- servers ---- */

static void hello(bool peers_prove, uint64_t key_check, const char *proved, const char *line, const char *reply)
{
    struct herd_node *node = make_node(false, peers_prove, key_check);
    struct herd_session *session = open_as(node, NULL);
    if (proved)
        herd_session_set_proof(session, S(proved), true);
    expect(session, line, reply);
    assert_int_equal(herd_session_peer(session) >= 0, memcmp(reply, "HELLO", 5) == 0);
    herd_node_free(node);
}

static void test_hello(void **state)
{
    (void)state;
    hello(true, 0, "Bernard", "HELLO 2 Bernard Juzang ab\n", "HELLO 2 Juzang Bernard ");
    hello(true, 0, NULL, "HELLO 2 Bernard Juzang ab\n", "REFUSE peer_not_proved\n");
    hello(true, 0, "Campbell", "HELLO 2 Bernard Juzang ab\n", "REFUSE peer_not_proved\n");
    hello(false, 0, "Campbell", "HELLO 2 Bernard Juzang ab\n", "REFUSE peer_not_proved\n");
    hello(false, 0, NULL, "HELLO 2 Bernard Juzang ab\n", "HELLO 2 Juzang Bernard ");
    hello(true, 0, "Mallory", "HELLO 2 Mallory Juzang ab\n", "REFUSE peer_name_unknown\n");
    hello(false, 0xabc, NULL, "HELLO 2 Bernard Juzang ab 0 0000000000000abc\n", "HELLO 2 Juzang Bernard ");
    hello(false, 0xabc, NULL, "HELLO 2 Bernard Juzang ab 0 abd\n", "REFUSE peer_key_differs\n");
    hello(false, 0xabc, NULL, "HELLO 2 Bernard Juzang ab 5\n", "REFUSE peer_key_differs\n");
    hello(false, 0, NULL, "HELLO 2 Bernard Juzang ab 0 abc\n", "REFUSE peer_key_differs\n");
    hello(false, 0xabc, NULL, "HELLO 2 Bernard Juzang ab\n", "REFUSE peer_key_differs\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rights), cmocka_unit_test(test_delete), cmocka_unit_test(test_rates),
        cmocka_unit_test(test_auth),   cmocka_unit_test(test_hello),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
