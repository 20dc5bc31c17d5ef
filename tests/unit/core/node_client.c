/* SPDX-License-Identifier: MIT */
/* The whole client protocol through herd_session_input and its kin: what is answered, when, and in what order;
 * what waits; what is closed, and why. */
#include "cm.h"

#include "alloc.h"
#include "guard.h"

#include <herd/node.h>
#include <herd/protocol.h>

#include <stdio.h>

#define SECOND  INT64_C(1000000000)
#define KIWI    "IAMAT kiwi +34.068930-118.445127 1621464827.959498503\n"
#define AT_KIWI "AT Riley +0.040501497 kiwi +34.068930-118.445127 1621464827.959498503\n"

/* One node and one client; what a caller keeps for a connection. */
struct fixture {
    struct herd_node *node;
    struct herd_session *session;
    struct herd_now now;
    struct herd_buf in, out;
    struct herd_turn turn;
    uint64_t tickets[64]; /* LOOKUP effects taken, in order */
    size_t ticket_count;
    struct herd_effect lookup; /* the last one's bound; spans copied below */
    char looked_up[256];
    size_t cancels, notices;
    char notice[64], closed[64]; /* texts of the last effects; "" if none */
};

static void begin(struct fixture *f, const struct herd_node_options *given)
{
    struct herd_node_options options = given ? *given : (struct herd_node_options){0};
    options.name = herd_span_of("Riley");
    options.seed[0] = 5;
    *f = (struct fixture){.now = {INT64_C(1621464828000000000), 100 * SECOND}};
    assert_int_equal(herd_node_new(&f->node, &options), 0);
    assert_int_equal(herd_session_open(f->node, &f->session, f, f->now), 0);
}

static void end(struct fixture *f)
{
    herd_node_free(f->node);
    herd_buf_fini(&f->in);
    herd_buf_fini(&f->out);
}

static void effects(struct fixture *f)
{
    struct herd_effect e;
    while (herd_node_effect(f->node, &e)) {
        switch (e.kind) {
        case HERD_EFFECT_LOOKUP:
            assert_true(f->ticket_count < 64);
            f->tickets[f->ticket_count++] = e.ticket;
            f->lookup = e;
            snprintf(f->looked_up, sizeof f->looked_up, "%.*s %.*s %.*s", (int)e.id.len, e.id.at, (int)e.place.len,
                     e.place.at, (int)e.radius.len, e.radius.at);
            herd_ticket_user(f->node, e.ticket, &f->tickets[f->ticket_count - 1]);
            break;
        case HERD_EFFECT_CANCEL:
            f->cancels++;
            assert_true(*(uint64_t *)e.lookup_user == e.ticket);
            break;
        case HERD_EFFECT_CLOSE:
            assert_ptr_equal(herd_session_user(e.session), f);
            snprintf(f->closed, sizeof f->closed, "%s", e.text);
            break;
        case HERD_EFFECT_NOTICE:
            f->notices++;
            snprintf(f->notice, sizeof f->notice, "%s", e.text);
            break;
        default: fail_msg("effect %d", e.kind);
        }
    }
}

static void use_up(struct fixture *f)
{
    assert_true(f->turn.consumed <= f->in.len);
    if (f->turn.consumed)
        memmove(f->in.at, f->in.at + f->turn.consumed, f->in.len - f->turn.consumed);
    f->in.len -= f->turn.consumed;
    effects(f);
}

static void say_bytes(struct fixture *f, struct herd_span bytes)
{
    herd_buf_add(&f->in, bytes.at, bytes.len);
    assert_int_equal(herd_session_input(f->session, guarded(span_of_buf(&f->in)), f->now, &f->out, &f->turn), 0);
    use_up(f);
}

static void say(struct fixture *f, const char *text)
{
    say_bytes(f, herd_span_of(text));
}

static void half_close(struct fixture *f)
{
    struct herd_span rest = f->in.len ? guarded(span_of_buf(&f->in)) : (struct herd_span){NULL, 0};
    assert_int_equal(herd_session_end(f->session, rest, f->now, &f->out, &f->turn), 0);
    use_up(f);
}

static void answer(struct fixture *f, size_t ticket, const char *json)
{
    struct herd_session *session;
    assert_int_equal(herd_node_answer(f->node, f->tickets[ticket], herd_span_of(json), f->now, &f->out, &session),
                     0);
    assert_ptr_equal(session, f->session);
    effects(f);
}

static void heard(struct fixture *f, const char *expected)
{
    if (!herd_span_equal(span_of_buf(&f->out), herd_span_of(expected)))
        fail_msg("got \"%.*s\", expected \"%s\"", (int)f->out.len, f->out.at ? f->out.at : "", expected);
    f->out.len = 0;
}

static void tick(struct fixture *f, int64_t ns)
{
    f->now.wall_ns += ns;
    f->now.steady_ns += ns;
    herd_node_tick(f->node, f->now);
    effects(f);
}

/* ---- replies and their order ---- */

static void test_replies(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    say(&f, KIWI "\n \t \nwhat\n" KIWI "WHATSAT nobody 1 1\nAT x +1 kiwi +1+1 1\nPING\nPONG\nREFUSE x\n");
    heard(&f,
          AT_KIWI "? what\n" AT_KIWI "? WHATSAT nobody 1 1\n? AT x +1 kiwi +1+1 1\n? PING\n? PONG\n? REFUSE x\n");
    assert_false(f.turn.paused || f.turn.close);
    struct herd_node_counts counts = herd_node_counts(f.node);
    assert_int_equal(counts.reports, 1);
    assert_int_equal(counts.reports_old, 1);
    assert_int_equal(counts.invalid, 6);
    say(&f, "HELLO 1 Juzang Riley 1\n"); /* not its first word */
    heard(&f, "? HELLO 1 Juzang Riley 1\n");
    end(&f);
}

static void test_pipelined_thousands(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    struct herd_buf commands = {0}, expected = {0};
    for (int i = 0; i < 5000; i++) {
        char text[128];
        snprintf(text, sizeof text, "IAMAT c%d +1-1 1621464827.%d\n", i, i);
        herd_buf_add_text(&commands, i % 3 ? text : "what is this\n");
    }
    say_bytes(&f, span_of_buf(&commands));
    assert_int_equal(f.in.len, 0);
    size_t lines = 0, good = 0;
    for (const char *p = f.out.at; p < f.out.at + f.out.len; p = (const char *)memchr(p, '\n', 400) + 1) {
        assert_memory_equal(p, lines % 3 ? "AT" : "? ", 2);
        good += lines % 3 != 0;
        lines++;
    }
    assert_int_equal(lines, 5000);
    assert_int_equal(herd_store_count(herd_node_store(f.node)), good);
    herd_buf_fini(&commands);
    herd_buf_fini(&expected);
    end(&f);
}

static void test_reports_again_and_stale(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    say(&f, "IAMAT a +1+1 100\nIAMAT a +1+1 100\nIAMAT a +2+2 99\nIAMAT a +1+1 100.0\n");
    heard(&f, "AT Riley +1621464728.000000000 a +1+1 100\nAT Riley +1621464728.000000000 a +1+1 100\n"
              "AT Riley +1621464729.000000000 a +2+2 99\nAT Riley +1621464728.000000000 a +1+1 100.0\n");
    f.now.wall_ns += 5;
    say(&f, "IAMAT a +1+1 100.0\n"); /* the same, later: answered with its own difference, not stored */
    heard(&f, "AT Riley +1621464728.000000005 a +1+1 100.0\n");
    struct herd_record record;
    assert_true(herd_store_get(herd_node_store(f.node), herd_span_of("a"), &record));
    assert_true(herd_span_equal(record.time, herd_span_of("100.0")));
    assert_true(herd_span_equal(record.diff, herd_span_of("+1621464728.000000000")));
    assert_int_equal(herd_node_counts(f.node).reports, 2);
    assert_int_equal(herd_node_counts(f.node).reports_old, 3);
    end(&f);
}

/* ---- look-ups ---- */

static void test_order_behind_a_lookup(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    say(&f, KIWI "WHATSAT kiwi 10.50 5\nbad\nWHATSAT kiwi 1 2\n" KIWI "WHATSAT kiwi 3 4\nlast\n");
    heard(&f, AT_KIWI);
    assert_int_equal(f.ticket_count, 3);
    assert_string_equal(f.looked_up, "kiwi +34.068930-118.445127 3");
    assert_int_equal(f.lookup.bound, 4);
    answer(&f, 1, "[2]"); /* out of order: kept */
    heard(&f, "");
    answer(&f, 2, "[3]");
    heard(&f, "");
    answer(&f, 0, "[1]");
    heard(&f, AT_KIWI "[1]\n\n? bad\n" AT_KIWI "[2]\n\n" AT_KIWI AT_KIWI "[3]\n\n? last\n");
    struct herd_session *session = f.session;
    assert_int_equal(herd_node_answer(f.node, f.tickets[0], herd_span_of("x"), f.now, &f.out, &session), 0);
    assert_null(session); /* an old number is nobody's */
    say(&f, "and on\n");
    heard(&f, "? and on\n");
    assert_false(f.turn.paused);
    end(&f);
}

/* A look-up shows what was stored when it was asked, whatever is reported while it waits. */
static void test_lookup_is_of_its_moment(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    say(&f, KIWI "WHATSAT kiwi 1 1\nIAMAT kiwi +0-0 1621464828\n");
    f.out.len = 0;
    answer(&f, 0, "{}");
    heard(&f, AT_KIWI "{}\n\nAT Riley +0.000000000 kiwi +0-0 1621464828\n");
    end(&f);
}

static void test_pauses_at_lookups(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, &(struct herd_node_options){.lookups_per_client_max = 2});
    say(&f, KIWI "WHATSAT kiwi 1 1\nWHATSAT kiwi 2 2\nWHATSAT kiwi 3 3\nlast\n");
    assert_int_equal(f.ticket_count, 2);
    assert_true(f.turn.paused);
    assert_int_equal(f.in.len, strlen("WHATSAT kiwi 3 3\nlast\n"));
    say(&f, ""); /* nothing changed: nothing happens */
    assert_true(f.turn.paused);
    assert_int_equal(f.ticket_count, 2);
    f.out.len = 0;
    answer(&f, 1, "2");
    say(&f, "");
    assert_true(f.turn.paused); /* the first still holds both */
    answer(&f, 0, "1");
    say(&f, "");
    assert_false(f.turn.paused);
    assert_int_equal(f.ticket_count, 3);
    heard(&f, AT_KIWI "1\n\n" AT_KIWI "2\n\n");
    answer(&f, 2, "3");
    heard(&f, AT_KIWI "3\n\n? last\n");
    end(&f);
}

/* Lines that were looked at before the pause are all found again behind it. */
static void test_pause_forgets_what_was_read_ahead(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, &(struct herd_node_options){.lookups_per_client_max = 1});
    say(&f, KIWI "WHATSAT kiwi 1 1\nx\ny\nan unfinished line");
    assert_true(f.turn.paused);
    f.out.len = 0;
    answer(&f, 0, "1");
    f.out.len = 0;
    say(&f, "");
    heard(&f, "? x\n? y\n");
    say(&f, "\n");
    heard(&f, "? an unfinished line\n");
    end(&f);
}

/* A number whose place was given to another look-up means nothing to that one. */
static void test_old_tickets_are_strangers(void **state)
{
    (void)state;
    struct fixture f;
    struct herd_session *session;
    begin(&f, NULL);
    say(&f, KIWI);
    for (size_t i = 0; i < 60; i++) {
        say(&f, "WHATSAT kiwi 1 1\n");
        f.out.len = 0;
        for (size_t old = 0; old < i; old++) {
            assert_int_equal(herd_node_answer(f.node, f.tickets[old], herd_span_of("old"), f.now, &f.out, &session),
                             0);
            assert_null(session);
        }
        heard(&f, "");
        answer(&f, i, "new");
        heard(&f, AT_KIWI "new\n\n");
    }
    assert_int_equal(herd_node_answer(f.node, UINT64_MAX, herd_span_of("old"), f.now, &f.out, &session), 0);
    assert_null(session);
    end(&f);
}

static void test_pauses_at_owed_bytes(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, &(struct herd_node_options){.owed_max_bytes = 1000});
    say(&f, KIWI "WHATSAT kiwi 1 1\n");
    f.out.len = 0;
    struct herd_buf expected = {0};
    herd_buf_add_text(&expected, AT_KIWI "{}\n\n");
    int said = 0;
    while (!f.turn.paused && said < 1000) {
        say(&f, "ten bytes\n");
        herd_buf_add_text(&expected, "? ten bytes\n");
        said++;
    }
    assert_int_equal(said, 84); /* 84 * 12 > 1000 */
    for (int i = 0; i < 100; i++) {
        say(&f, "ten bytes\n");
        assert_true(f.turn.paused);
        herd_buf_add_text(&expected, "? ten bytes\n");
    }
    assert_int_equal(f.in.len, 1000);
    answer(&f, 0, "{}");
    say(&f, "");
    assert_false(f.turn.paused);
    assert_int_equal(f.in.len, 0);
    assert_true(herd_span_equal(span_of_buf(&f.out), span_of_buf(&expected)));
    f.out.len = 0;
    /* and the account is even: the next look-up owes nothing yet */
    say(&f, "WHATSAT kiwi 1 1\nx\n");
    assert_false(f.turn.paused);
    answer(&f, 1, "{}");
    heard(&f, AT_KIWI "{}\n\n? x\n");
    herd_buf_fini(&expected);
    end(&f);
}

static void test_other_clients_never_wait(void **state)
{
    (void)state;
    struct fixture f;
    struct herd_session *other;
    struct herd_buf out = {0};
    struct herd_turn turn;
    begin(&f, NULL);
    say(&f, KIWI "WHATSAT kiwi 1 1\n");
    assert_int_equal(herd_session_open(f.node, &other, &f, f.now), 0);
    assert_int_equal(herd_session_input(other, herd_span_of(KIWI), f.now, &out, &turn), 0);
    assert_true(herd_span_equal(span_of_buf(&out), herd_span_of(AT_KIWI)));
    herd_buf_fini(&out);
    end(&f);
}

static void test_cancel_on_close(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    say(&f, KIWI "WHATSAT kiwi 1 1\nWHATSAT kiwi 2 2\nWHATSAT kiwi 3 3\n");
    answer(&f, 1, "{}");
    herd_session_close(f.session);
    effects(&f);
    assert_int_equal(f.cancels, 2);
    struct herd_session *session;
    f.out.len = 0;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(herd_node_answer(f.node, f.tickets[i], herd_span_of("late"), f.now, &f.out, &session), 0);
        assert_null(session);
    }
    assert_int_equal(f.out.len, 0);
    /* answered between the close and the taking of CANCEL: no CANCEL then */
    assert_int_equal(herd_session_open(f.node, &f.session, &f, f.now), 0);
    f.in.len = 0;
    f.ticket_count = f.cancels = 0;
    say(&f, "WHATSAT kiwi 1 1\n");
    herd_session_close(f.session);
    assert_int_equal(herd_node_answer(f.node, f.tickets[0], herd_span_of("late"), f.now, &f.out, &session), 0);
    assert_null(session);
    effects(&f);
    assert_int_equal(f.cancels, 0);
    /* closed before LOOKUP was taken: nobody hears of it */
    struct herd_buf out = {0};
    assert_int_equal(herd_session_open(f.node, &f.session, &f, f.now), 0);
    assert_int_equal(herd_session_input(f.session, herd_span_of("WHATSAT kiwi 1 1\n"), f.now, &out, &f.turn), 0);
    herd_session_close(f.session);
    f.ticket_count = 0;
    effects(&f);
    assert_int_equal(f.ticket_count + f.cancels, 0);
    herd_buf_fini(&out);
    end(&f);
}

/* ---- the end of input ---- */

static void test_half_close(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    say(&f, KIWI "IAMAT kiwi +0-0 16214648");
    f.out.len = 0;
    herd_buf_add_text(&f.in, "28");
    half_close(&f); /* the unterminated rest is a command too */
    heard(&f, "AT Riley +0.000000000 kiwi +0-0 1621464828\n");
    assert_true(f.turn.close);
    assert_int_equal(f.in.len, 0);
    end(&f);

    begin(&f, NULL);
    half_close(&f);
    heard(&f, "");
    assert_true(f.turn.close);
    end(&f);

    begin(&f, NULL);
    say(&f, "\t ");
    half_close(&f);
    heard(&f, "");
    assert_true(f.turn.close);
    end(&f);

    begin(&f, NULL);
    say(&f, KIWI "WHATSAT kiwi 1 1");
    half_close(&f);
    assert_false(f.turn.close);
    assert_int_equal(f.ticket_count, 1);
    say(&f, "ignored\n");
    assert_int_equal(f.in.len, 0);
    assert_string_equal(f.closed, "");
    answer(&f, 0, "{}");
    heard(&f, AT_KIWI AT_KIWI "{}\n\n");
    assert_string_equal(f.closed, "done");
    end(&f);
}

static void test_half_close_while_paused(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, &(struct herd_node_options){.lookups_per_client_max = 1});
    say(&f, KIWI "WHATSAT kiwi 1 1\nWHATSAT kiwi 2 2\nend");
    f.out.len = 0;
    half_close(&f);
    assert_true(f.turn.paused);
    assert_false(f.turn.close);
    answer(&f, 0, "1");
    half_close(&f);
    assert_true(f.turn.paused);
    answer(&f, 1, "2");
    half_close(&f);
    assert_true(f.turn.close);
    heard(&f, AT_KIWI "1\n\n" AT_KIWI "2\n\n? end\n");
    end(&f);

    /* as many look-ups as allowed, and no rest: nothing to be given again */
    begin(&f, &(struct herd_node_options){.lookups_per_client_max = 1});
    say(&f, KIWI "WHATSAT kiwi 1 1\n");
    half_close(&f);
    assert_false(f.turn.paused || f.turn.close);
    answer(&f, 0, "1");
    assert_string_equal(f.closed, "done");
    end(&f);
}

static void test_close_after_reply(void **state)
{
    (void)state;
    struct herd_node_options options = {.close_after_reply = true};
    struct fixture f;
    begin(&f, &options);
    say(&f, "\n \n");
    assert_false(f.turn.close);
    say(&f, KIWI KIWI);
    heard(&f, AT_KIWI);
    assert_true(f.turn.close);
    assert_int_equal(f.in.len, 0);
    herd_session_close(f.session);
    assert_int_equal(herd_session_open(f.node, &f.session, &f, f.now), 0);
    say(&f, "WHATSAT kiwi 1 1\n" KIWI);
    assert_false(f.turn.close);
    answer(&f, 0, "{}");
    heard(&f, AT_KIWI "{}\n\n");
    assert_string_equal(f.closed, "done");
    end(&f);
}

/* ---- limits ---- */

static void test_too_long(void **state)
{
    (void)state;
    for (size_t step = 1; step <= 2000; step += 333) {
        struct fixture f;
        begin(&f, &(struct herd_node_options){.line_max_bytes = 1000});
        char line[1002], expected[400];
        memset(line, 'x', sizeof line);
        line[1000] = '\n';
        say_bytes(&f, (struct herd_span){line, 1001}); /* exactly as long as may be */
        assert_int_equal(f.out.len, 1003);
        assert_false(f.turn.close);
        f.out.len = 0;
        line[1000] = 'x';
        say(&f, KIWI);
        heard(&f, AT_KIWI);
        for (size_t at = 0; at < 1001 && !f.turn.close; at += step)
            say_bytes(&f, (struct herd_span){line + at, at + step < 1001 ? step : 1001 - at});
        assert_true(f.turn.close);
        snprintf(expected, sizeof expected, "? %.256s\n", line);
        heard(&f, expected);
        say(&f, KIWI);
        heard(&f, "");
        assert_int_equal(f.in.len, 0);
        end(&f);
    }
}

/* Too long behind a look-up: what is owed comes first. */
static void test_too_long_waits_its_turn(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, &(struct herd_node_options){.line_max_bytes = 300});
    char line[302];
    memset(line, 'y', sizeof line);
    line[301] = '\0';
    say(&f, KIWI "WHATSAT kiwi 1 1\n");
    say(&f, line);
    assert_false(f.turn.close);
    heard(&f, AT_KIWI);
    answer(&f, 0, "{}");
    char expected[512];
    snprintf(expected, sizeof expected, AT_KIWI "{}\n\n? %.256s\n", line);
    heard(&f, expected);
    assert_string_equal(f.closed, "done");
    end(&f);
}

static void test_records_max(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, &(struct herd_node_options){.records_max = 2});
    say(&f, "IAMAT a +0+0 1\nIAMAT b +0+0 1\n");
    f.out.len = 0;
    say(&f, "IAMAT c +0+0 1\nIAMAT a +0+0 1621464828\nWHATSAT c 1 1\n");
    heard(&f, "? IAMAT c +0+0 1\nAT Riley +0.000000000 a +0+0 1621464828\n? WHATSAT c 1 1\n");
    assert_string_equal(f.notice, "records_max");
    size_t notices = f.notices;
    for (int i = 0; i < 1000; i++)
        say(&f, "IAMAT c +0+0 1\n");
    assert_true(f.notices - notices <= 10); /* a stranger cannot fill the log */
    end(&f);
}

/* Reports that need more memory than there may be are refused; those that need none, and what neighbours tell,
 * are not. */
static void test_records_bytes_max(void **state)
{
    (void)state;
    struct fixture f;
    char line[400], expected[420], id[201];
    memset(id, 'x', 200);
    id[200] = 0;
    begin(&f, &(struct herd_node_options){.records_bytes_max = 500});
    struct herd_store *store = herd_node_store(f.node);
    assert_int_equal(herd_store_bytes(store), 0);
    say(&f, "IAMAT a +0+0 1\nIAMAT b +0+0 1\n");
    assert_int_equal(herd_store_bytes(store), 136);
    snprintf(line, sizeof line, "IAMAT %s +0+0 1\n", id); /* a record of its own memory */
    say(&f, line);
    uint64_t bytes = herd_store_bytes(store);
    assert_in_range(bytes, 136 + 68 + 200, 136 + 68 + 300);
    f.out.len = 0;

    id[0] = 'y';
    snprintf(line, sizeof line, "IAMAT %s +0+0 1\n", id);
    snprintf(expected, sizeof expected, "? %s", line);
    say(&f, line);
    heard(&f, expected);
    assert_string_equal(f.notice, "records_bytes_max");
    assert_int_equal(herd_store_bytes(store), bytes);
    id[0] = 'x';
    snprintf(line, sizeof line, "IAMAT %s +0+0 1621464828\n", id); /* no more than before */
    snprintf(expected, sizeof expected, "AT Riley +0.000000000 %.300s", line + 6);
    say(&f, line);
    heard(&f, expected);
    snprintf(line, sizeof line, "IAMAT a +0.%0120d+0 2\n", 1); /* known, but larger than it was */
    snprintf(expected, sizeof expected, "? %s", line);
    say(&f, line);
    heard(&f, expected);
    say(&f, "IAMAT a +0+0 1621464828\n");
    heard(&f, "AT Riley +0.000000000 a +0+0 1621464828\n");
    assert_int_equal(herd_store_count(store), 3);
    end(&f);
}

static void test_future(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    say(&f, "IAMAT a +0+0 1621465128\n"); /* 300 s ahead: fine */
    heard(&f, "AT Riley -300.000000000 a +0+0 1621465128\n");
    assert_int_equal(f.notices, 0);
    say(&f, "IAMAT a +0+0 1621465128.000000001\n");
    heard(&f, "AT Riley -300.000000001 a +0+0 1621465128.000000001\n");
    assert_string_equal(f.notice, "report_from_future");
    say(&f, "IAMAT a +0+0 9223372036.854775807\n");
    heard(&f, "AT Riley -7601907208.854775807 a +0+0 9223372036.854775807\n");
    end(&f);

    begin(&f, &(struct herd_node_options){.future_refuse = true, .future_ns = SECOND});
    say(&f, "IAMAT a +0+0 1621464829\nIAMAT a +0+0 1621464829.000000001\n");
    heard(&f, "AT Riley -1.000000000 a +0+0 1621464829\n? IAMAT a +0+0 1621464829.000000001\n");
    assert_string_equal(f.notice, "report_from_future_refused");
    end(&f);

    begin(&f, &(struct herd_node_options){.future_refuse = true, .future_ns = -1});
    say(&f, "IAMAT a +0+0 9223372036\n");
    heard(&f, "AT Riley -7601907208.000000000 a +0+0 9223372036\n");
    assert_int_equal(f.notices, 0);
    end(&f);
}

/* ---- time ---- */

static void test_idle(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    assert_true(herd_node_next_ns(f.node) == f.now.steady_ns + 300 * SECOND);
    tick(&f, 299 * SECOND);
    assert_string_equal(f.closed, "");
    say(&f, "\n");
    tick(&f, 299 * SECOND);
    assert_string_equal(f.closed, "");
    tick(&f, SECOND);
    assert_string_equal(f.closed, "idle");
    say(&f, KIWI);
    heard(&f, ""); /* the dead hear nothing */
    assert_true(herd_node_next_ns(f.node) == INT64_MAX);
    end(&f);

    /* one that waits for an answer is not idle */
    begin(&f, &(struct herd_node_options){.client_idle_ns = 10 * SECOND});
    say(&f, KIWI "WHATSAT kiwi 1 1\n");
    tick(&f, 100 * SECOND);
    assert_string_equal(f.closed, "");
    answer(&f, 0, "{}");
    tick(&f, 9 * SECOND);
    assert_string_equal(f.closed, "");
    tick(&f, SECOND);
    assert_string_equal(f.closed, "idle");
    end(&f);

    begin(&f, &(struct herd_node_options){.client_idle_ns = -1});
    tick(&f, 1000000 * SECOND);
    assert_string_equal(f.closed, "");
    end(&f);
}

/* An answer makes its client fresh, and must not shield those who were silent for longer than it. */
static void test_idle_in_order(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, &(struct herd_node_options){.client_idle_ns = 10 * SECOND});
    say(&f, KIWI "WHATSAT kiwi 1 1\n");
    struct herd_session *silent;
    struct fixture *user = &f;
    assert_int_equal(herd_session_open(f.node, &silent, user, f.now), 0);
    tick(&f, 9 * SECOND);
    answer(&f, 0, "{}");
    assert_true(herd_node_next_ns(f.node) == f.now.steady_ns + SECOND);
    tick(&f, SECOND);
    assert_string_equal(f.closed, "idle");
    f.out.len = 0;
    say(&f, KIWI);
    heard(&f, "AT Riley +10.040501497 kiwi +34.068930-118.445127 1621464827.959498503\n");
    end(&f);
}

static void test_line_deadline(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    say(&f, "I");
    assert_true(herd_node_next_ns(f.node) == f.now.steady_ns + 10 * SECOND);
    for (int i = 0; i < 9; i++) { /* dripping does not help */
        tick(&f, SECOND);
        say(&f, "A");
        assert_string_equal(f.closed, "");
    }
    tick(&f, SECOND);
    assert_string_equal(f.closed, "line_deadline");
    end(&f);

    /* a line completed in time; another begun in the same read has its own time */
    begin(&f, NULL);
    for (int i = 0; i < 100; i++) {
        say(&f, i ? "MAT kiwi\nIA" : "IA");
        tick(&f, 9 * SECOND);
        assert_string_equal(f.closed, "");
    }
    tick(&f, SECOND);
    assert_string_equal(f.closed, "line_deadline");
    end(&f);

    /* a client that is paused is not late */
    begin(&f, &(struct herd_node_options){.lookups_per_client_max = 1});
    say(&f, KIWI "WHATSAT kiwi 1 1\nhalf a li");
    tick(&f, 100 * SECOND);
    assert_string_equal(f.closed, "");
    answer(&f, 0, "{}");
    say(&f, "");
    tick(&f, 10 * SECOND);
    assert_string_equal(f.closed, "line_deadline");
    end(&f);

    begin(&f, &(struct herd_node_options){.line_deadline_ns = -1});
    say(&f, "IA");
    tick(&f, 200 * SECOND);
    assert_string_equal(f.closed, "");
    end(&f);
}

/* Setting the clock closes nobody, and goes into differences only. */
static void test_wall_clock_jumps(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    say(&f, "IA");
    f.now.wall_ns += 1000000 * SECOND;
    tick(&f, 0);
    f.now.wall_ns = 0;
    tick(&f, 0);
    assert_string_equal(f.closed, "");
    say(&f, "MAT a +0+0 1\n");
    heard(&f, "AT Riley -1.000000000 a +0+0 1\n");
    end(&f);
}

/* ---- memory ---- */

static void test_no_allocation_in_steady_state(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    herd_buf_reserve(&f.out, 4096);
    for (int i = 0; i < 10000; i++) {
        char line[128];
        snprintf(line, sizeof line, "IAMAT client%d.cs.ucla.edu +34.068930-118.445127 16214648%02d.95949%04d\n",
                 i % 10, i / 400, i);
        struct herd_turn turn;
        if (i == 1000)
            alloc_plan = (struct alloc_plan){.armed = true};
        f.out.len = 0;
        assert_int_equal(herd_session_input(f.session, herd_span_of(line), f.now, &f.out, &turn), 0);
        assert_memory_equal(f.out.at, "AT", 2);
    }
    assert_int_equal(alloc_plan.count, 0);
    char large[128]; /* a record too large for its cell does allocate: the counting works */
    snprintf(large, sizeof large, "IAMAT %050d +34.068930-118.445127 1621464827.959498503\n", 1);
    struct herd_turn turn;
    assert_int_equal(herd_session_input(f.session, herd_span_of(large), f.now, &f.out, &turn), 0);
    alloc_plan.armed = false;
    assert_true(alloc_plan.count > 0);
    assert_int_equal(herd_node_counts(f.node).reports, 10001);
    end(&f);
}

static void test_bad_options(void **state)
{
    (void)state;
    struct herd_node *node;
    struct herd_span peers[2] = {{"a", 1}, {"b", 1}};
    struct herd_node_options options = {.name = {"", 0}};
    assert_int_equal(herd_node_new(&node, &options), HERD_E_ARG);
    options.name = herd_span_of("white space");
    assert_int_equal(herd_node_new(&node, &options), HERD_E_ARG);
    options = (struct herd_node_options){.name = herd_span_of("a"), .peers = peers, .peer_count = 2};
    assert_int_equal(herd_node_new(&node, &options), HERD_E_ARG); /* itself */
    options.name = herd_span_of("c");
    peers[1] = peers[0];
    assert_int_equal(herd_node_new(&node, &options), HERD_E_ARG); /* twice */
    peers[1] = (struct herd_span){"b b", 3};
    assert_int_equal(herd_node_new(&node, &options), HERD_E_ARG);
    herd_node_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_pipelined_thousands),
        cmocka_unit_test(test_reports_again_and_stale),
        cmocka_unit_test(test_order_behind_a_lookup),
        cmocka_unit_test(test_lookup_is_of_its_moment),
        cmocka_unit_test(test_pauses_at_lookups),
        cmocka_unit_test(test_pause_forgets_what_was_read_ahead),
        cmocka_unit_test(test_old_tickets_are_strangers),
        cmocka_unit_test(test_pauses_at_owed_bytes),
        cmocka_unit_test(test_other_clients_never_wait),
        cmocka_unit_test(test_cancel_on_close),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_half_close_while_paused),
        cmocka_unit_test(test_close_after_reply),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_too_long_waits_its_turn),
        cmocka_unit_test(test_records_max),
        cmocka_unit_test(test_records_bytes_max),
        cmocka_unit_test(test_future),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_idle_in_order),
        cmocka_unit_test(test_line_deadline),
        cmocka_unit_test(test_wall_clock_jumps),
        cmocka_unit_test(test_no_allocation_in_steady_state),
        cmocka_unit_test(test_bad_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
