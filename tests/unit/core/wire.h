/* SPDX-License-Identifier: MIT */
/*
 * A herd in one process: nodes, and connections that are pairs of byte queues. Nothing happens by itself:
 * wire_run moves bytes and carries out effects until nothing moves, wire_advance lets time pass.
 *
 *     struct wire *w = wire_new("Riley Jaquez Juzang", "Riley-Jaquez Jaquez-Juzang");
 *     wire_settle(w);                                    links are up
 *     struct wire_end *client = wire_client(w, 0);
 *     wire_say(w, client, "IAMAT kiwi +1+2 3\n");        runs; the reply is in client->in
 *     assert_true(wire_agree(w));
 *
 * The same calls and the same seed give the same run.
 */
#ifndef TEST_WIRE_H
#define TEST_WIRE_H

#include <herd/node.h>

#define WIRE_NODES 64

/* One end of a connection. `session` is NULL at a test's own end, and where the end is closed. */
struct wire_end {
    struct wire *wire;
    struct wire_end *other;
    int node; /* -1: the test */
    struct herd_session *session;
    struct herd_buf in; /* bytes on their way here, and those not used up */
    size_t given;       /* of `in`, shown to the session already */
    bool eof;           /* behind `in` the other side is closed */
    bool paused;
    bool closed;
};

struct wire_conn {
    struct wire_conn *next;
    struct wire_end end[2];
    bool stalled; /* nothing moves, nothing is lost */
};

struct wire_lookup {
    int node;
    uint64_t ticket;
};

struct wire_node {
    char name[16];
    struct herd_node *node; /* NULL: crashed */
    uint64_t seed;
    int64_t skew_ns; /* how far its wall clock is ahead */
    bool plain;      /* its neighbours take it for one that speaks the class protocol, and it them */
    struct herd_node_options options; /* what wire_start gives it besides names and seed */
};

/* Sees each line that a node floods, before it is sent. */
typedef void wire_tap(void *ctx, int from, int to, struct herd_span line);

struct wire {
    struct wire_node nodes[WIRE_NODES];
    int count;
    bool edge[WIRE_NODES][WIRE_NODES]; /* configured */
    bool cut[WIRE_NODES][WIRE_NODES];  /* dials fail, connections are gone */
    int edges;
    struct wire_conn *conns;
    struct herd_now now;
    uint64_t random;
    size_t chunk;       /* bytes that move at once: 1 .. chunk at random; 0: all there are */
    size_t room;        /* unsent bytes below which a link is filled */
    const char *answer; /* look-ups are answered with this; NULL: kept in `lookups` */
    struct wire_lookup lookups[64];
    size_t lookup_count;
    wire_tap *tap;
    void *tap_ctx;
    struct herd_buf out;
    /* what happened */
    size_t ups, downs, dials, cancels, notices, failures;
    char notice[64]; /* the text of the last one */
};

/* How deep we are inside the library: allocation failures are injected only there. */
extern int wire_inside;

struct wire *wire_new(const char *names, const char *edges);
void wire_free(struct wire *w);
int wire_find(const struct wire *w, const char *name);

/* Crashes a node (all its connections are gone), starts one. wire_start: what herd_node_new said. */
void wire_crash(struct wire *w, int node);
int wire_start(struct wire *w, int node);
void wire_cut(struct wire *w, int a, int b);
void wire_mend(struct wire *w, int a, int b);

void wire_run(struct wire *w);
void wire_advance(struct wire *w, int64_t ns);
/* Lets time pass until every link that can be up is up and nothing moves. */
void wire_settle(struct wire *w);

struct wire_end *wire_client(struct wire *w, int node);
void wire_write(struct wire_end *from, struct herd_span bytes);
void wire_say(struct wire *w, struct wire_end *from, const char *text);
/* Forgets the session and tells the other side. */
void wire_close(struct wire_end *end);

/* Whether link a-b is up at both ends. */
bool wire_linked(const struct wire *w, int a, int b);
/* Whether all nodes that run hold the same records, byte for byte, in equal digests. */
bool wire_agree(const struct wire *w);

#endif
