/* SPDX-License-Identifier: MIT */
/* One node between two neighbours, who are played by hand. */
#ifndef TEST_PEER_H
#define TEST_PEER_H

#include "cm.h"

#include "guard.h"

#include <herd/node.h>

#include <stdio.h>

#define MS     INT64_C(1000000)
#define SECOND INT64_C(1000000000)

struct one {
    struct herd_node *node;
    struct herd_now now;
    struct herd_buf out;
    struct herd_input_result turn;
    size_t dials, ups, downs, closes, notices, resumes;
    struct herd_session *closed;
    char why[64], notice[64];
    size_t dial_peer;
};

static inline void begin(struct one *o, const char *name, const struct herd_node_options *given)
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

static inline void end(struct one *o)
{
    herd_node_free(o->node);
    herd_buf_fini(&o->out);
}

static inline void effects(struct one *o)
{
    struct herd_effect e;
    while (herd_node_next_effect(o->node, &e)) {
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
        case HERD_EFFECT_RESUME: o->resumes++; break;
        case HERD_EFFECT_NOTICE:
            o->notices++;
            snprintf(o->notice, sizeof o->notice, "%s", e.text);
            break;
        default: fail_msg("effect %d", e.kind);
        }
    }
}

static inline struct herd_session *accept_one(struct one *o)
{
    struct herd_session *session;
    assert_int_equal(herd_session_open(o->node, &session, NULL, o->now), 0);
    return session;
}

static inline struct herd_session *dial_one(struct one *o, size_t peer)
{
    struct herd_session *session;
    assert_int_equal(herd_session_connected(o->node, &session, NULL, peer, o->now, &o->out), 0);
    o->out.len = 0;
    return session;
}

static inline void say(struct one *o, struct herd_session *session, const char *text)
{
    assert_int_equal(herd_session_input(session, guarded(herd_span_of(text)), o->now, &o->out, &o->turn), 0);
    effects(o);
}

static inline void heard(struct one *o, const char *start)
{
    size_t len = strlen(start);
    if (o->out.len < len || (len && memcmp(o->out.at, start, len) != 0) || (!len && o->out.len))
        fail_msg("got \"%.*s\", expected \"%s\"", (int)o->out.len, o->out.len ? o->out.at : "", start);
    o->out.len = 0;
}

static inline void fill(struct one *o, struct herd_session *session)
{
    assert_int_equal(herd_session_write(session, 65536, o->now, &o->out), 0);
}

static inline void tick(struct one *o, int64_t ns)
{
    o->now.wall_ns += ns;
    o->now.steady_ns += ns;
    herd_node_tick(o->node, o->now);
    effects(o);
}

#endif
