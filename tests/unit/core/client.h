/* SPDX-License-Identifier: MIT */
/* One node and one client, and what a caller keeps for a connection. */
#ifndef TEST_CLIENT_H
#define TEST_CLIENT_H

#include "cm.h"

#include "guard.h"

#include <herd/node.h>

#include <stdio.h>

#define SECOND  INT64_C(1000000000)
#define KIWI    "IAMAT kiwi +34.068930-118.445127 1621464827.959498503\n"
#define AT_KIWI "AT Riley +0.040501497 kiwi +34.068930-118.445127 1621464827.959498503\n"

struct fixture {
    struct herd_node *node;
    struct herd_session *session;
    struct herd_now now;
    struct herd_buf in, out;
    struct herd_input_result turn;
    uint64_t tickets[64]; /* LOOKUP effects taken, in order */
    size_t ticket_count;
    struct herd_effect lookup; /* the last one's bound; spans copied below */
    char looked_up[256];
    size_t cancels, notices;
    char notice[64], closed[64]; /* texts of the last effects; "" if none */
};

static inline void begin(struct fixture *f, const struct herd_node_options *given)
{
    struct herd_node_options options = given ? *given : (struct herd_node_options){0};
    options.name = herd_span_of("Riley");
    options.seed[0] = 5;
    *f = (struct fixture){.now = {INT64_C(1621464828000000000), 100 * SECOND}};
    assert_int_equal(herd_node_new(&f->node, &options), 0);
    assert_int_equal(herd_session_open(f->node, &f->session, f, f->now), 0);
}

static inline void end(struct fixture *f)
{
    herd_node_free(f->node);
    herd_buf_fini(&f->in);
    herd_buf_fini(&f->out);
}

static inline void effects(struct fixture *f)
{
    struct herd_effect e;
    while (herd_node_next_effect(f->node, &e)) {
        switch (e.kind) {
        case HERD_EFFECT_LOOKUP:
            assert_true(f->ticket_count < 64);
            f->tickets[f->ticket_count++] = e.ticket;
            f->lookup = e;
            snprintf(f->looked_up, sizeof f->looked_up, "%.*s %.*s %.*s", (int)e.id.len, e.id.at,
                     (int)e.position.len, e.position.at, (int)e.radius.len, e.radius.at);
            herd_ticket_user(f->node, e.ticket, &f->tickets[f->ticket_count - 1]);
            break;
        case HERD_EFFECT_FETCH:
            assert_true(f->ticket_count < 64);
            assert_ptr_equal(herd_session_user(e.session), f);
            f->tickets[f->ticket_count++] = e.ticket;
            snprintf(f->looked_up, sizeof f->looked_up, "fetch %.*s", (int)e.id.len, e.id.at);
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

static inline void use_up(struct fixture *f)
{
    assert_true(f->turn.consumed <= f->in.len);
    if (f->turn.consumed)
        memmove(f->in.at, f->in.at + f->turn.consumed, f->in.len - f->turn.consumed);
    f->in.len -= f->turn.consumed;
    effects(f);
}

static inline void say_bytes(struct fixture *f, struct herd_span bytes)
{
    herd_buf_add(&f->in, bytes.at, bytes.len);
    assert_int_equal(herd_session_input(f->session, guarded(span_of_buf(&f->in)), f->now, &f->out, &f->turn), 0);
    use_up(f);
}

static inline void say(struct fixture *f, const char *text)
{
    say_bytes(f, herd_span_of(text));
}

static inline void answer(struct fixture *f, size_t ticket, const char *json)
{
    struct herd_session *session;
    assert_int_equal(herd_node_answer(f->node, f->tickets[ticket], herd_span_of(json), f->now, &f->out, &session),
                     0);
    assert_ptr_equal(session, f->session);
    effects(f);
}

static inline void heard(struct fixture *f, const char *expected)
{
    if (!herd_span_equal(span_of_buf(&f->out), herd_span_of(expected)))
        fail_msg("got \"%.*s\", expected \"%s\"", (int)f->out.len, f->out.at ? f->out.at : "", expected);
    f->out.len = 0;
}

#endif
