/* SPDX-License-Identifier: MIT */
/* Lines that only the program knows: offered one at a time, answered in their place, or "? " as ever. */
#include "cm.h"

#include <herd/node.h>

#include <string.h>

static const struct herd_now now = {INT64_C(1621464828000000000), 1};

struct talk {
    struct herd_node *node;
    struct herd_session *session;
    struct herd_buf in, out;
};

static int setup(void **state)
{
    static struct talk talk;
    talk = (struct talk){0};
    const struct herd_node_options options = {.name = herd_span_of("A"), .commands = true};
    assert_int_equal(herd_node_new(&talk.node, &options), 0);
    assert_int_equal(herd_session_open(talk.node, &talk.session, NULL, now), 0);
    *state = &talk;
    return 0;
}

static int teardown(void **state)
{
    struct talk *talk = *state;
    herd_node_free(talk->node);
    herd_buf_fini(&talk->in);
    herd_buf_fini(&talk->out);
    return 0;
}

/* Gives what is not used up, with `more` behind it. */
static struct herd_input_result say(struct talk *talk, const char *more)
{
    struct herd_input_result result;
    assert_int_equal(herd_buf_add_text(&talk->in, more), 0);
    assert_int_equal(
        herd_session_input(talk->session, (struct herd_span){talk->in.at, talk->in.len}, now, &talk->out, &result),
        0);
    memmove(talk->in.at, talk->in.at + result.consumed, talk->in.len - result.consumed);
    talk->in.len -= result.consumed;
    return result;
}

static void expect_offer(struct talk *talk, const char *line, uint64_t *ret_ticket)
{
    struct herd_effect effect;
    assert_true(herd_node_next_effect(talk->node, &effect));
    assert_int_equal(effect.kind, HERD_EFFECT_COMMAND);
    assert_true(herd_span_equal(effect.detail, herd_span_of(line)));
    assert_ptr_equal(effect.session, talk->session);
    *ret_ticket = effect.ticket;
    assert_false(herd_node_next_effect(talk->node, &effect));
}

static void reply(struct talk *talk, uint64_t ticket, const char *text)
{
    struct herd_session *session;
    struct herd_span bytes = herd_span_of(text ? text : "");
    assert_int_equal(herd_node_reply(talk->node, ticket, text ? &bytes : NULL, now, &talk->out, &session), 0);
    assert_ptr_equal(session, talk->session);
}

static void expect_out(struct talk *talk, const char *text)
{
    assert_int_equal(talk->out.len, strlen(text));
    assert_memory_equal(talk->out.at, text, talk->out.len);
    talk->out.len = 0;
}

static void test_one_at_a_time(void **state)
{
    struct talk *talk = *state;
    uint64_t ticket;
    struct herd_input_result result = say(talk, "HOW\t many \nIAMAT k +1+1 1621464827\nPING\n\nBYE\n");
    assert_true(result.blocked);
    assert_int_equal(herd_store_count(herd_node_store(talk->node)), 0); /* the report waits */
    expect_offer(talk, "HOW\t many ", &ticket);
    reply(talk, ticket, "1\n2\n");
    expect_out(talk, "1\n2\n");
    assert_true(say(talk, "").blocked);
    expect_out(talk, "AT A +1.000000000 k +1+1 1621464827\n");
    expect_offer(talk, "PING", &ticket);
    reply(talk, ticket, NULL);
    expect_out(talk, "? PING\n");
    assert_true(say(talk, "").blocked);
    expect_offer(talk, "BYE", &ticket);
    reply(talk, ticket, ""); /* a command may have no reply */
    expect_out(talk, "");
    assert_false(say(talk, "").blocked);
    assert_int_equal(herd_node_stats(talk->node).invalid, 1);
}

static void test_behind_a_question(void **state)
{
    struct talk *talk = *state;
    struct herd_effect effect;
    struct herd_session *session;
    uint64_t ticket;
    say(talk, "IAMAT k +1+1 1621464827\nWHATSAT k 1 1\nHELP\n");
    talk->out.len = 0;
    assert_true(herd_node_next_effect(talk->node, &effect));
    assert_int_equal(effect.kind, HERD_EFFECT_LOOKUP);
    uint64_t question = effect.ticket;
    expect_offer(talk, "HELP", &ticket);
    reply(talk, ticket, "no\n");
    expect_out(talk, "");
    assert_int_equal(herd_node_answer(talk->node, question, herd_span_of("{}"), now, &talk->out, &session), 0);
    expect_out(talk, "AT A +1.000000000 k +1+1 1621464827\n{}\n\nno\n");
}

static void test_cancel(void **state)
{
    struct talk *talk = *state;
    struct herd_effect effect;
    struct herd_session *session = talk->session;
    uint64_t ticket;
    say(talk, "HELP\n");
    expect_offer(talk, "HELP", &ticket);
    herd_session_close(session);
    assert_true(herd_node_next_effect(talk->node, &effect));
    assert_int_equal(effect.kind, HERD_EFFECT_CANCEL);
    assert_int_equal(herd_node_reply(talk->node, ticket, NULL, now, &talk->out, &session), 0);
    assert_null(session);
    expect_out(talk, "");
}

/* The end of input ends the last line; a line that is too long is answered at once, and no offer. */
static void test_end_and_too_long(void **state)
{
    struct talk *talk = *state;
    struct herd_input_result result;
    struct herd_effect effect;
    uint64_t ticket;
    assert_int_equal(herd_session_eof(talk->session, herd_span_of("HELP"), now, &talk->out, &result), 0);
    assert_false(result.close);
    expect_offer(talk, "HELP", &ticket);
    reply(talk, ticket, "yes\n");
    expect_out(talk, "yes\n");
    assert_true(herd_node_next_effect(talk->node, &effect));
    assert_int_equal(effect.kind, HERD_EFFECT_CLOSE);

    static char line[70000];
    memset(line, 'x', sizeof line);
    assert_int_equal(herd_session_open(talk->node, &talk->session, NULL, now), 0);
    assert_int_equal(
        herd_session_input(talk->session, (struct herd_span){line, sizeof line}, now, &talk->out, &result), 0);
    assert_true(result.close);
    assert_int_equal(talk->out.len, 2 + 256 + 1);
    assert_false(herd_node_next_effect(talk->node, &effect));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_behind_a_question, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_end_and_too_long, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
