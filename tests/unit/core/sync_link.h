/* SPDX-License-Identifier: MIT */
/* One node that compares its state with a neighbour, who is played by hand. */
#ifndef TEST_SYNC_LINK_H
#define TEST_SYNC_LINK_H

#include "cm.h"

#include "guard.h"

#include <herd/node.h>

#include <stdio.h>

#define SECOND INT64_C(1000000000)

struct one {
    struct herd_node *node;
    struct herd_session *link;
    struct herd_now now;
    struct herd_buf out;
    char why[64], notice[64];
    size_t downs;
};

static inline void effects(struct one *o)
{
    struct herd_effect e;
    while (herd_node_next_effect(o->node, &e)) {
        if (e.kind == HERD_EFFECT_PEER_DOWN) {
            o->downs++;
            snprintf(o->why, sizeof o->why, "%s", e.text);
        } else if (e.kind == HERD_EFFECT_NOTICE) {
            snprintf(o->notice, sizeof o->notice, "%s", e.text);
        }
    }
}

static inline void say(struct one *o, struct herd_session *session, const char *text)
{
    struct herd_input_result result;
    assert_int_equal(herd_session_input(session, guarded(herd_span_of(text)), o->now, &o->out, &result), 0);
    effects(o);
}

static inline void begin(struct one *o, const char *name, int records)
{
    struct herd_span peers[] = {herd_span_of("Riley")};
    struct herd_node_options options = {.name = herd_span_of(name), .peers = peers, .peer_count = 1};
    *o = (struct one){.now = {INT64_C(1621464828000000000), 50 * SECOND}};
    assert_int_equal(herd_node_new(&o->node, &options), 0);
    struct herd_session *client;
    assert_int_equal(herd_session_open(o->node, &client, NULL, o->now), 0);
    for (int i = 0; i < records; i++) {
        char line[64];
        snprintf(line, sizeof line, "IAMAT c%d +0+0 5\n", i);
        say(o, client, line);
    }
    assert_int_equal(herd_session_open(o->node, &o->link, NULL, o->now), 0);
    char hello[64];
    snprintf(hello, sizeof hello, "HELLO 2 Riley %s 1\n", name);
    say(o, o->link, hello);
    o->out.len = 0;
}

static inline void end(struct one *o)
{
    herd_node_free(o->node);
    herd_buf_fini(&o->out);
}

/* What the link says now, as text valid until the next call. */
static inline const char *told(struct one *o)
{
    o->out.len = 0;
    assert_int_equal(herd_session_write(o->link, 4 << 20, o->now, &o->out), 0);
    assert_int_equal(herd_buf_add(&o->out, "", 1), 0);
    return o->out.at;
}

static inline void tell(struct one *o, const char *text)
{
    say(o, o->link, text);
}

static inline size_t lines(const char *text, const char *start)
{
    size_t n = 0;
    for (; *text; text = strchr(text, '\n') + 1)
        n += strncmp(text, start, strlen(start)) == 0;
    return n;
}

#endif
