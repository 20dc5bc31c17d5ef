/* SPDX-License-Identifier: MIT */
/* Neighbours: who may introduce itself as what, which of two connections survives, how the dead are found, and
 * when one is dialled again. */
#include "cm.h"

#include "guard.h"
#include "wire.h"

#include <stdio.h>

#define MS     INT64_C(1000000)
#define SECOND INT64_C(1000000000)

/* ---- one node, the other side played by hand ---- */

struct one {
    struct herd_node *node;
    struct herd_now now;
    struct herd_buf out;
    struct herd_turn turn;
    size_t dials, ups, downs, closes;
    struct herd_session *closed;
    char why[64], notice[64];
    size_t dial_peer;
};

static void begin(struct one *o, const char *name, const struct herd_node_options *given)
{
    static struct herd_span peers[2];
    struct herd_node_options options = given ? *given : (struct herd_node_options){0};
    peers[0] = herd_span_of("Jaquez");
    peers[1] = herd_span_of("Riley");
    options.name = herd_span_of(name);
    options.peers = peers;
    options.peer_count = 2;
    options.seed[0] += 7;
    *o = (struct one){.now = {INT64_C(1621464828000000000), 50 * SECOND}};
    assert_int_equal(herd_node_new(&o->node, &options), 0);
}

static void end(struct one *o)
{
    herd_node_free(o->node);
    herd_buf_fini(&o->out);
}

static void effects(struct one *o)
{
    struct herd_effect e;
    while (herd_node_effect(o->node, &e)) {
        switch (e.kind) {
        case HERD_EFFECT_DIAL:
            o->dials++;
            o->dial_peer = e.peer;
            break;
        case HERD_EFFECT_PEER_UP: o->ups++; break;
        case HERD_EFFECT_PEER_DOWN:
            o->downs++;
            snprintf(o->why, sizeof o->why, "%s", e.text);
            break;
        case HERD_EFFECT_CLOSE:
            o->closes++;
            o->closed = e.session;
            snprintf(o->why, sizeof o->why, "%s", e.text);
            break;
        case HERD_EFFECT_NOTICE: snprintf(o->notice, sizeof o->notice, "%s", e.text); break;
        default: fail_msg("effect %d", e.kind);
        }
    }
}

static struct herd_session *accept_one(struct one *o)
{
    struct herd_session *session;
    assert_int_equal(herd_session_open(o->node, &session, NULL, o->now), 0);
    return session;
}

static struct herd_session *dial_one(struct one *o, size_t peer)
{
    struct herd_session *session;
    assert_int_equal(herd_session_dialled(o->node, &session, NULL, peer, o->now, &o->out), 0);
    o->out.len = 0;
    return session;
}

static void say(struct one *o, struct herd_session *session, const char *text)
{
    assert_int_equal(herd_session_input(session, guarded(herd_span_of(text)), o->now, &o->out, &o->turn), 0);
    effects(o);
}

static void heard(struct one *o, const char *start)
{
    if (o->out.len < strlen(start) || memcmp(o->out.at, start, strlen(start)) != 0 || (!*start && o->out.len))
        fail_msg("got \"%.*s\", expected \"%s\"", (int)o->out.len, o->out.len ? o->out.at : "", start);
    o->out.len = 0;
}

static void fill(struct one *o, struct herd_session *session)
{
    assert_int_equal(herd_session_fill(session, 65536, o->now, &o->out), 0);
}

static void tick(struct one *o, int64_t ns)
{
    o->now.wall_ns += ns;
    o->now.steady_ns += ns;
    herd_node_tick(o->node, o->now);
    effects(o);
}

static void test_introduced_to(void **state)
{
    (void)state;
    static const struct {
        const char *line, *reply, *notice;
    } refused[] = {
        {"HELLO 2 Riley Juzang 1\n", "REFUSE peer_version_unknown\n", "peer_version_unknown"},
        {"HELLO 0 Riley Juzang 1\n", "REFUSE peer_version_unknown\n", "peer_version_unknown"},
        {"HELLO 1 Riley Jaquez 1\n", "REFUSE peer_wants_another\n", "peer_wants_another"},
        {"HELLO 1 Campbell Juzang 1\n", "REFUSE peer_name_unknown\n", "peer_name_unknown"},
        {"HELLO 1 Juzang Juzang 1\n", "REFUSE peer_name_unknown\n", "peer_name_unknown"},
        {"HELLO 1 riley Juzang 1\n", "REFUSE peer_name_unknown\n", "peer_name_unknown"},
        {"HELLO 1 Rile Juzang 1\n", "REFUSE peer_name_unknown\n", "peer_name_unknown"},
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
    say(&o, session, "HELLO 1 Riley Juzang 1\nAT Riley +1 kiwi +1+1 1\n"); /* in one read */
    heard(&o, "HELLO 1 Juzang Riley ");
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
        {"HELLO 1 Jaquez Juzang 1\n", "peer_name_unknown",
         "peer_name_unknown"}, /* a neighbour, not the one dialled */
        {"HELLO 1 Riley Jaquez 1\n", "peer_wants_another", "peer_wants_another"},
        {"HELLO 2 Riley Juzang 1\n", "peer_version_unknown", "peer_version_unknown"},
        {"REFUSE peer_name_unknown\n", "refused", "peer_refuses_us"},
        {"HTTP/1.1 400 Bad Request\r\n", "no_introduction", "peer_not_a_herd_server"},
        {"? HELLO 1 Juzang Riley 1\n", "no_introduction", "peer_not_a_herd_server"},
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
    heard(&o, "HELLO 1 Juzang Riley ");
    assert_ptr_equal(herd_session_user(session), &o);
    say(&o, session, "\nHELLO 1 Riley Juzang 5\n");
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

/* What is said on a link must be of the peer protocol. */
static void test_invalid_on_a_link(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "IAMAT kiwi +1+1 1\n",        "WHATSAT kiwi 1 1\n",       "what\n",     "AT Riley +1 kiwi +1+1\n",
        "AT Riley +1 kiwi +91+1 1\n", "HELLO 1 Riley Juzang 1\n", "PING PING\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct one o;
        begin(&o, "Juzang", NULL);
        struct herd_session *session = accept_one(&o);
        say(&o, session, "HELLO 1 Riley Juzang 1\n");
        o.out.len = 0;
        say(&o, session, bad[i]);
        heard(&o, "");
        assert_string_equal(o.notice, "peer_line_invalid");
        assert_string_equal(o.why, "protocol");
        assert_int_equal(o.downs, 1);
        assert_null(herd_node_link(o.node, 1));
        say(&o, session, "AT Riley +1 kiwi +1+1 1\n");
        assert_int_equal(herd_store_count(herd_node_store(o.node)), 0);
        end(&o);
    }
    struct one o;
    begin(&o, "Juzang", NULL);
    struct herd_session *session = accept_one(&o);
    say(&o, session, "HELLO 1 Riley Juzang 1\n\n \t\nPONG\nPING\n");
    o.out.len = 0;
    assert_true(herd_session_wants(session));
    fill(&o, session);
    heard(&o, "PONG\n");
    assert_false(herd_session_wants(session));
    assert_int_equal(o.downs, 0);
    end(&o);
}

/* A neighbour's line may be longer than a client's, by what AT adds to IAMAT; even in the read that holds its
 * introduction. */
static void test_long_lines_on_a_link(void **state)
{
    (void)state;
    static char text[20000];
    for (int together = 0; together < 2; together++) {
        struct one o;
        begin(&o, "Juzang", &(struct herd_node_options){.line_max_bytes = 1000});
        struct herd_session *session = accept_one(&o);
        int len = snprintf(text, sizeof text, "HELLO 1 Riley Juzang 1\n");
        if (!together) {
            say(&o, session, text);
            len = 0;
        }
        snprintf(text + len, sizeof text - (size_t)len, "AT Riley +1 %0980d +1+1 1\n", 7);
        len = (int)strlen(text);
        snprintf(text + len, sizeof text - (size_t)len, "AT Riley +1 %01500d +1+1 1\n", 7);
        say(&o, session, text);
        assert_int_equal(o.downs, 0);
        assert_int_equal(herd_store_count(herd_node_store(o.node)), 2);
        memset(text, 'x', 1000 + 16384 + 1);
        text[1000 + 16384 + 1] = '\0';
        say(&o, session, text);
        assert_int_equal(o.downs, 1);
        assert_string_equal(o.why, "line_too_long");
        end(&o);
    }
}

/* To a neighbour that knows little all is told at link-up, but for what it says first. */
static void test_full_push(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", NULL);
    struct herd_session *client = accept_one(&o), *session = accept_one(&o);
    for (int i = 0; i < 10; i++) {
        char line[64];
        snprintf(line, sizeof line, "IAMAT c%d +0+0 5\n", i);
        say(&o, client, line);
    }
    o.out.len = 0;
    say(&o, session, "HELLO 1 Riley Juzang 1\n");
    heard(&o, "HELLO 1 Juzang Riley ");
    fill(&o, session);
    heard(&o, "ROOT 10 ");
    say(&o, session,
        "ROOT 3 1\nAT Riley +1 c3 +1+1 6\nAT Riley +1 c4 +1+1 4\n"
        "AT Juzang +1621464823.000000000 c5 +0+0 5\n");
    fill(&o, session);
    assert_memory_equal(o.out.at, "PUSH\n", 5);
    size_t lines = 0;
    bool told[10] = {false};
    char copy[2048];
    snprintf(copy, sizeof copy, "%.*s", (int)o.out.len - 5, o.out.at + 5);
    for (char *p = strtok(copy, "\n"); p; p = strtok(NULL, "\n"), lines++)
        told[strchr(strstr(p, " c"), 'c')[1] - '0'] = true;
    assert_int_equal(lines, 8); /* not c3, newer there; not c5, equal there; c4 is older there */
    assert_true(told[4] && !told[3] && !told[5]);
    assert_int_equal(herd_node_counts(o.node).at_sent, 8);
    assert_int_equal(herd_node_counts(o.node).at_received, 3);
    assert_int_equal(herd_node_counts(o.node).at_new, 1);
    end(&o);
}

static void test_room(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", NULL);
    struct herd_session *client = accept_one(&o), *session = accept_one(&o);
    for (int i = 0; i < 100; i++) {
        char line[64];
        snprintf(line, sizeof line, "IAMAT c%d +0+0 5\n", i);
        say(&o, client, line);
    }
    o.out.len = 0;
    assert_int_equal(herd_session_fill(client, 65536, o.now, &o.out), 0); /* no link */
    assert_int_equal(o.out.len, 0);
    say(&o, session, "HELLO 1 Riley Juzang 1\n");
    fill(&o, session);
    say(&o, session, "ROOT 0 0\n");
    o.out.len = 0;
    size_t calls = 0;
    for (; herd_session_wants(session); calls++) {
        size_t before = o.out.len;
        assert_int_equal(herd_session_fill(session, 100, o.now, &o.out), 0);
        assert_in_range(o.out.len - before, 1, 200);
    }
    assert_int_equal(herd_node_counts(o.node).at_sent, 100);
    assert_true(calls > 20);
    end(&o);
}

/* ---- keep-alive ---- */

static void test_silence(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", NULL);
    struct herd_session *session = accept_one(&o);
    say(&o, session, "HELLO 1 Riley Juzang 1\n");
    o.out.len = 0;
    for (int i = 0; i < 10; i++) { /* answered: alive */
        tick(&o, 5 * SECOND);
        fill(&o, session);
        heard(&o, "PING\n");
        say(&o, session, "PONG\n");
    }
    tick(&o, 5 * SECOND - 1);
    assert_false(herd_session_wants(session));
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
    say(&o, session, "HELLO 1 Riley Juzang 1\n");
    for (int i = 0; i < 100; i++) {
        o.now.wall_ns -= 1000 * SECOND;
        tick(&o, 4 * SECOND);
        struct herd_turn turn;
        assert_int_equal(herd_session_input(session, guarded((struct herd_span){"AAAA", (size_t)i % 4 + 1}), o.now,
                                            &o.out, &turn),
                         0);
        assert_int_equal(turn.consumed, 0);
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
    say(&o, session, "HELLO 1 Riley Juzang 1\n");
    fill(&o, session);
    o.out.len = 0;
    for (int i = 0; i < 20; i++) { /* they say much, and ask nothing */
        for (int k = 0; k < 4; k++) {
            say(&o, session, "AT Riley +1 kiwi +1+1 1\n");
            assert_false(herd_session_wants(session));
            assert_true(herd_node_next_ns(o.node) > o.now.steady_ns);
            tick(&o, 5 * SECOND / 4);
        }
        assert_true(herd_session_wants(session));
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
    assert_false(herd_session_wants(session));
    tick(&o, SECOND); /* in silence a ping does for both */
    fill(&o, session);
    heard(&o, "PING\n");
    assert_int_equal(o.downs, 0);
    end(&o);
}

/* ---- dialling again ---- */

static void back_off(const char *name, int64_t extra_min, int64_t extra_max)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct one o;
        begin(&o, name, &(struct herd_node_options){.seed = {seed, seed * 3}});
        assert_true(herd_node_next_ns(o.node) <= o.now.steady_ns);
        tick(&o, 0);
        herd_node_dial_failed(o.node, 0, o.now); /* the other is never heard of again */
        int64_t wait = 50 * MS;
        for (int i = 0; i < 12; i++) {
            int64_t next = herd_node_next_ns(o.node) - o.now.steady_ns;
            assert_true(next >= wait / 2 + extra_min && next <= wait + extra_max);
            size_t before = o.dials;
            tick(&o, next - 1);
            assert_int_equal(o.dials, before);
            tick(&o, 1);
            assert_int_equal(o.dials, before + 1);
            assert_int_equal(o.dial_peer, 0);
            herd_node_dial_failed(o.node, 0, o.now);
            wait = wait < 1500 * MS ? wait * 2 : 3000 * MS;
        }
        end(&o);
    }
}

static void test_back_off(void **state)
{
    (void)state;
    back_off("Bernard", 0, 0);            /* smaller than Jaquez */
    back_off("Juzang", 50 * MS, 50 * MS); /* larger: a moment more */
}

/* Jitter: two nodes with other seeds do not dial in step. */
static void test_jitter(void **state)
{
    (void)state;
    int64_t seen[20];
    size_t different = 0;
    for (uint64_t i = 0; i < 20; i++) {
        struct one o;
        begin(&o, "Bernard", &(struct herd_node_options){.seed = {i, 1}});
        tick(&o, 0);
        herd_node_dial_failed(o.node, 0, o.now);
        seen[i] = herd_node_next_ns(o.node);
        different += i > 0 && seen[i] != seen[i - 1];
        end(&o);
    }
    assert_true(different >= 18);
}

/* A link that lasted makes the next wait short; one that did not leaves it as long as it was. */
static void test_link_resets_back_off(void **state)
{
    (void)state;
    for (int lasts = 0; lasts < 2; lasts++) {
        struct one o;
        begin(&o, "Bernard", NULL);
        tick(&o, 0);
        for (int i = 0; i < 10; i++) {
            herd_node_dial_failed(o.node, 0, o.now);
            tick(&o, herd_node_next_ns(o.node) - o.now.steady_ns);
        }
        struct herd_session *session = dial_one(&o, 0);
        say(&o, session, "HELLO 1 Jaquez Bernard 1\n");
        assert_int_equal(o.ups, 1);
        if (lasts)
            tick(&o, 3 * SECOND);
        herd_session_close(session);
        effects(&o);
        assert_int_equal(o.downs, 1);
        int64_t wait = herd_node_next_ns(o.node) - o.now.steady_ns;
        if (lasts)
            assert_true(wait <= 50 * MS);
        else
            assert_true(wait >= 1500 * MS && wait <= 3 * SECOND);
        end(&o);
    }
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
    say(&o, theirs, "HELLO 1 Riley Juzang 1\n");
    heard(&o, "HELLO 1 Juzang Riley ");
    assert_ptr_equal(herd_node_link(o.node, 1), theirs);
    say(&o, ours, "HELLO 1 Riley Juzang 1\n");
    assert_ptr_equal(herd_node_link(o.node, 1), ours);
    assert_ptr_equal(o.closed, theirs);
    herd_session_close(theirs);
    assert_ptr_equal(herd_node_link(o.node, 1), ours);
    /* the same Riley once more: refused, and the old link is asked whether it lives */
    theirs = accept_one(&o);
    say(&o, theirs, "HELLO 1 Riley Juzang 1\n");
    heard(&o, "REFUSE peer_linked_already\n");
    assert_true(o.turn.close);
    assert_ptr_equal(herd_node_link(o.node, 1), ours);
    fill(&o, ours);
    heard(&o, "PING\n");
    herd_session_close(theirs);
    /* another incarnation of Riley: it restarted, the old link is dead */
    restarted = accept_one(&o);
    say(&o, restarted, "HELLO 1 Riley Juzang 2\n");
    heard(&o, "HELLO 1 Juzang Riley ");
    assert_ptr_equal(herd_node_link(o.node, 1), restarted);
    assert_ptr_equal(o.closed, ours);
    herd_session_close(ours);
    /* the same side dials again: it gave the old one up */
    again = accept_one(&o);
    say(&o, again, "HELLO 1 Riley Juzang 2\n");
    heard(&o, "HELLO 1 Juzang Riley ");
    assert_ptr_equal(herd_node_link(o.node, 1), again);
    assert_ptr_equal(o.closed, restarted);
    end(&o);

    /* Riley's view (Jaquez is smaller): the one the other dialled stays */
    begin(&o, "Juzang", NULL);
    tick(&o, 0);
    ours = dial_one(&o, 0);
    theirs = accept_one(&o);
    say(&o, ours, "HELLO 1 Jaquez Juzang 1\n");
    assert_ptr_equal(herd_node_link(o.node, 0), ours);
    say(&o, theirs, "HELLO 1 Jaquez Juzang 1\n");
    heard(&o, "HELLO 1 Juzang Jaquez ");
    assert_ptr_equal(herd_node_link(o.node, 0), theirs);
    assert_ptr_equal(o.closed, ours);
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

/* Ended input on a link is its end; the last line without LF was cut off, perhaps inside its time. */
static void test_end_of_a_link(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", NULL);
    struct herd_session *session = accept_one(&o);
    say(&o, session, "HELLO 1 Riley Juzang 1\n");
    assert_int_equal(herd_session_end(session, herd_span_of("AT Riley +1 kiwi +1+1 1"), o.now, &o.out, &o.turn), 0);
    effects(&o);
    assert_int_equal(o.downs, 1);
    assert_string_equal(o.why, "connection_lost");
    assert_int_equal(herd_store_count(herd_node_store(o.node)), 0);
    herd_session_close(session);
    effects(&o);
    assert_int_equal(o.downs, 1);

    /* An introduction that is cut off may look whole too; it must not take the place of a link that lives. */
    session = accept_one(&o);
    say(&o, session, "HELLO 1 Riley Juzang 1\n");
    struct herd_session *torn = accept_one(&o);
    o.out.len = 0;
    assert_int_equal(herd_session_end(torn, herd_span_of("HELLO 1 Riley Juzang 2"), o.now, &o.out, &o.turn), 0);
    heard(&o, "? HELLO 1 Riley Juzang 2\n");
    effects(&o);
    assert_int_equal(o.downs, 1);
    assert_true(herd_session_peer(session) >= 0 && herd_session_peer(torn) < 0);
    herd_session_close(torn);
    end(&o);
}

/* Twice what a node takes from its clients, and no more: a wild neighbour cannot fill its memory. */
static void test_records_max_from_neighbours(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", &(struct herd_node_options){.records_max = 5});
    struct herd_session *session = accept_one(&o);
    say(&o, session, "HELLO 1 Riley Juzang 1\n");
    for (int i = 0; i < 20; i++) {
        char line[64];
        snprintf(line, sizeof line, "AT Riley +1 c%d +0+0 5\n", i);
        say(&o, session, line);
    }
    assert_int_equal(herd_store_count(herd_node_store(o.node)), 10);
    assert_string_equal(o.why, "records_max");
    end(&o);
}

/* What a neighbour knows is taken in, however much memory reports may have. */
static void test_records_bytes_max_from_neighbours(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", &(struct herd_node_options){.records_bytes_max = 1});
    struct herd_session *session = accept_one(&o), *client = accept_one(&o);
    say(&o, session, "HELLO 1 Riley Juzang 1\n");
    say(&o, session,
        "AT Riley +1 kiwi +0+0 5\nAT Riley +1 plum +0.00000000000000000000000000000000000000000000000000000+0 5\n");
    assert_int_equal(herd_store_count(herd_node_store(o.node)), 2);
    o.out.len = 0;
    say(&o, client, "IAMAT lime +0+0 5\n");
    heard(&o, "? IAMAT lime +0+0 5\n");
    say(&o, client, "IAMAT plum +0+0 1621464828\n");
    heard(&o, "AT Juzang +0.000000000 plum +0+0 1621464828\n");
    assert_int_equal(o.downs, 0);
    end(&o);
}

static void test_names(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", NULL);
    assert_true(herd_span_equal(herd_node_name(o.node), herd_span_of("Juzang")));
    assert_int_equal(herd_node_peer_count(o.node), 2);
    assert_true(herd_span_equal(herd_node_peer_name(o.node, 0), herd_span_of("Jaquez")));
    assert_true(herd_span_equal(herd_node_peer_name(o.node, 1), herd_span_of("Riley")));
    assert_int_equal(herd_node_peer_name(o.node, 2).len, 0);
    herd_node_dial_failed(o.node, 99, o.now);
    end(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_introduced_to),
        cmocka_unit_test(test_dialled),
        cmocka_unit_test(test_invalid_on_a_link),
        cmocka_unit_test(test_long_lines_on_a_link),
        cmocka_unit_test(test_full_push),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_life_is_any_byte),
        cmocka_unit_test(test_signs_of_life),
        cmocka_unit_test(test_back_off),
        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_link_resets_back_off),
        cmocka_unit_test(test_simultaneous_dials),
        cmocka_unit_test(test_which_survives),
        cmocka_unit_test(test_half_open),
        cmocka_unit_test(test_end_of_a_link),
        cmocka_unit_test(test_records_max_from_neighbours),
        cmocka_unit_test(test_records_bytes_max_from_neighbours),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
