/* SPDX-License-Identifier: MIT */
/* When a client is closed, and what it is told before: its input ended, it was answered, a line was too long. */
#include "client.h"

/* ---- the end of input ---- */

static void half_close(struct fixture *f)
{
    struct herd_span rest = f->in.len ? guarded(span_of_buf(&f->in)) : (struct herd_span){NULL, 0};
    assert_int_equal(herd_session_eof(f->session, rest, f->now, &f->out, &f->turn), 0);
    use_up(f);
}

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
    assert_true(f.turn.blocked);
    assert_false(f.turn.close);
    answer(&f, 0, "1");
    half_close(&f);
    assert_true(f.turn.blocked);
    answer(&f, 1, "2");
    half_close(&f);
    assert_true(f.turn.close);
    heard(&f, AT_KIWI "1\n\n" AT_KIWI "2\n\n? end\n");
    end(&f);

    /* as many look-ups as allowed, and no rest: nothing to be given again */
    begin(&f, &(struct herd_node_options){.lookups_per_client_max = 1});
    say(&f, KIWI "WHATSAT kiwi 1 1\n");
    half_close(&f);
    assert_false(f.turn.blocked || f.turn.close);
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

/* ---- lines too long ---- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_half_close_while_paused),
        cmocka_unit_test(test_close_after_reply),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_too_long_waits_its_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
