/* SPDX-License-Identifier: MIT */
/*
 * TLS on top of another transport, which it owns from then on.
 *
 * What the lower one has already got (a first byte that was peeked at, and what came with it) is taken first. What is
 * sent before the handshake is over waits for it.
 *
 * Only close_notify is an end. A connection that ends without it may have been cut off by anybody who can forge a FIN:
 * what stands behind the last LF may be half of a line, with another meaning, and is dropped; whole lines stand.
 *
 * A step of a handshake costs up to a millisecond, which everybody else would wait: threads compute it, where the loop has
 * them (tls_pool.h), and meanwhile nothing is read from the connection. Without them, and with a context of the program's
 * own, whose callbacks may be for its own thread only, an iteration of the loop takes one step and the others wait.
 */
#ifndef HERD_EDGE_TLS_TRANSPORT_H
#define HERD_EDGE_TLS_TRANSPORT_H

#include "../../core/base/list.h"
#include "../net/transport.h"
#include "tls.h"

struct herd_tls_pool;

/* What the streams of one loop share: bytes between two steps. */
struct herd_tls_loop {
    struct herd_buf plain, wire;
    struct herd_tls_pool *pool; /* borrowed; NULL: none */
    unsigned steps;             /* of handshakes that this iteration may still take itself */
    struct herd_list waiting;   /* for the next iteration */
    void (*wake)(void *ctx);    /* called when one waits: call herd_tls_loop_iteration soon */
    void (*pooled)(void *ctx);  /* called when the pool has got one; NULL: never */
    void *ctx;
};

void herd_tls_loop_init(struct herd_tls_loop *loop, void (*wake)(void *ctx), void *ctx);
/* Another iteration begins: those that wait take their step. */
void herd_tls_loop_iteration(struct herd_tls_loop *loop);
/* The pool's descriptor is readable: goes on with what its threads computed, so many steps at most. */
void herd_tls_loop_computed(struct herd_tls_loop *loop);
/* Some milliseconds have passed with jobs in the queue: if no thread took any, the loop takes one. */
void herd_tls_loop_relieve(struct herd_tls_loop *loop);
void herd_tls_loop_fini(struct herd_tls_loop *loop);

/* Tells that the handshake is over: who is at the other end is known, and no byte of it was given to the events yet.
 * False: close the connection (which the callee has done). Called from the loop. */
typedef bool herd_tls_opened(void *ctx, struct herd_tls_stream *stream);

/* Puts TLS on `lower`. The stream and `lower` are the transport's on success, the caller's on failure: HERD_E_NOMEM. A
 * client's handshake begins at once. `loop` is borrowed for its life; `opened` gets the `ctx` of events and may be NULL.
 * Bytes that `lower` has already are taken by herd_tls_transport_start, which calls events. */
int herd_tls_transport_new(struct herd_transport **ret_transport, struct herd_transport *lower,
                           struct herd_tls_stream *stream, struct herd_tls_loop *loop, herd_tls_opened *opened,
                           const struct herd_transport_events *events, void *ctx);
void herd_tls_transport_start(struct herd_transport *transport);
/* Whether it ended without close_notify. */
bool herd_tls_transport_truncated(const struct herd_transport *transport);
/* Whether a step of its handshake is being computed, or waits for that. */
bool herd_tls_transport_busy(const struct herd_transport *transport);
/* The stream inside; NULL: `transport` is no TLS, or its stream is in other hands right now. */
struct herd_tls_stream *herd_tls_transport_stream(struct herd_transport *transport);

#endif
