/* SPDX-License-Identifier: MIT */
/* Look-ups of a client: the order of replies around them, what waits for them, and what becomes of their tickets. */
#include "client.h"

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
    assert_false(f.turn.blocked);
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
    assert_true(f.turn.blocked);
    assert_int_equal(f.in.len, strlen("WHATSAT kiwi 3 3\nlast\n"));
    say(&f, ""); /* nothing changed: nothing happens */
    assert_true(f.turn.blocked);
    assert_int_equal(f.ticket_count, 2);
    f.out.len = 0;
    answer(&f, 1, "2");
    say(&f, "");
    assert_true(f.turn.blocked); /* the first still holds both */
    answer(&f, 0, "1");
    say(&f, "");
    assert_false(f.turn.blocked);
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
    assert_true(f.turn.blocked);
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
    begin(&f, &(struct herd_node_options){.queued_reply_max_bytes = 1000});
    say(&f, KIWI "WHATSAT kiwi 1 1\n");
    f.out.len = 0;
    struct herd_buf expected = {0};
    herd_buf_add_text(&expected, AT_KIWI "{}\n\n");
    int said = 0;
    while (!f.turn.blocked && said < 1000) {
        say(&f, "ten bytes\n");
        herd_buf_add_text(&expected, "? ten bytes\n");
        said++;
    }
    assert_int_equal(said, 84); /* 84 * 12 > 1000 */
    for (int i = 0; i < 100; i++) {
        say(&f, "ten bytes\n");
        assert_true(f.turn.blocked);
        herd_buf_add_text(&expected, "? ten bytes\n");
    }
    assert_int_equal(f.in.len, 1000);
    answer(&f, 0, "{}");
    say(&f, "");
    assert_false(f.turn.blocked);
    assert_int_equal(f.in.len, 0);
    assert_true(herd_span_equal(span_of_buf(&f.out), span_of_buf(&expected)));
    f.out.len = 0;
    /* and the account is even: the next look-up owes nothing yet */
    say(&f, "WHATSAT kiwi 1 1\nx\n");
    assert_false(f.turn.blocked);
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
    struct herd_input_result result;
    begin(&f, NULL);
    say(&f, KIWI "WHATSAT kiwi 1 1\n");
    assert_int_equal(herd_session_open(f.node, &other, &f, f.now), 0);
    assert_int_equal(herd_session_input(other, herd_span_of(KIWI), f.now, &out, &result), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_behind_a_lookup),     cmocka_unit_test(test_lookup_is_of_its_moment),
        cmocka_unit_test(test_pauses_at_lookups),         cmocka_unit_test(test_pause_forgets_what_was_read_ahead),
        cmocka_unit_test(test_old_tickets_are_strangers), cmocka_unit_test(test_pauses_at_owed_bytes),
        cmocka_unit_test(test_other_clients_never_wait),  cmocka_unit_test(test_cancel_on_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
