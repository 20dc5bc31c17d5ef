/* SPDX-License-Identifier: MIT */
/*
 * What carries the bytes of a connection, behind one table of functions. Two are here: a socket (socket.c) and a
 * bufferevent (bev.c). A third may stand on one of them: it takes the lower one's events, transforms what arrives and
 * what leaves, and passes events on; who uses it notices nothing.
 *
 *     bytes arrive -> events.input -> herd_transport_peek, herd_transport_consume     what is not consumed is kept and
 *                                                                                     is there at the next peek
 *     bytes leave  -> herd_transport_send, which takes all of them; then events.drained, perhaps several times
 *     the end      -> events.eof (the peer sends no more), events.failed (no use any more: close it)
 *
 * A transport is closed, then freed: between the two it may still be on the stack of the one who closed it, who frees it
 * when no callback can be. Several connections may decide what carries them by their first bytes: these are peeked at
 * and, not consumed, found by the transport that is put on top with herd_transport_set_events.
 */
#ifndef HERD_EDGE_NET_TRANSPORT_H
#define HERD_EDGE_NET_TRANSPORT_H

#include <herd/types.h>

#include <assert.h>

struct bufferevent;
struct event_base;
struct herd_block;
struct herd_transport;

/* Called from the loop, never from inside a function of the transport. Each may close the transport. */
struct herd_transport_events {
    /* Bytes arrived. */
    void (*input)(void *ctx);
    /* The peer sends no more; what was not consumed is the rest. At most once. */
    void (*eof)(void *ctx);
    /* Bytes left the queue. */
    void (*drained)(void *ctx);
    /* The transport is of no more use; `why` is borrowed. */
    void (*failed)(void *ctx, const char *why);
};

struct herd_transport_ops {
    /* Sends bytes or keeps them: all of them. HERD_E_NOMEM, HERD_E_IO: the transport is of no more use. */
    int (*send)(struct herd_transport *transport, struct herd_span bytes);
    /* The same; what is kept of them holds `block`, uncopied. NULL: they are copied. */
    int (*send_block)(struct herd_transport *transport, struct herd_block *block);
    /* Whether to read. HERD_E_NOMEM. */
    int (*set_read)(struct herd_transport *transport, bool enable);
    /* What arrived and is not consumed, in one piece; borrowed until the next call on the transport. HERD_E_NOMEM. */
    int (*peek)(struct herd_transport *transport, struct herd_span *ret_bytes);
    /* The first `len` bytes of these are used up. HERD_E_NOMEM: the rest is lost, the transport of no more use. */
    int (*consume)(struct herd_transport *transport, size_t len);
    /* Bytes that were given to send and are not in the kernel, or in other hands, yet. */
    size_t (*unsent)(const struct herd_transport *transport);
    /* These, and what the peer's kernel has not acknowledged, as far as this one knows: until it is none, closing may
     * lose it, for a byte from there that finds the connection gone makes the kernel forget the rest. */
    size_t (*unacked)(const struct herd_transport *transport);
    /* Tells the peer that nothing more comes; after it, nothing is sent. */
    void (*shutdown)(struct herd_transport *transport);
    /* Ends the connection; no event comes any more, and nothing but free may be called. */
    void (*close)(struct herd_transport *transport);
    void (*free)(struct herd_transport *transport);
    /* The socket below, to be tuned; -1: none, or not ours. */
    int (*fd)(const struct herd_transport *transport);
    /* Each send is a system call (or as dear), so sends are worth joining. */
    bool joins;
};

/* Bytes that are sent on many transports, counted. */
struct herd_block {
    size_t holders;
    size_t len;
    char bytes[];
};

/* With a copy of `bytes`, held once. NULL: no memory. */
struct herd_block *herd_block_new(struct herd_span bytes);
void herd_block_release(struct herd_block *block);
static inline struct herd_span herd_block_bytes(const struct herd_block *block)
{
    return (struct herd_span){block->bytes, block->len};
}

/* The beginning of each transport. */
struct herd_transport {
    const struct herd_transport_ops *ops;
    const struct herd_transport_events *events;
    void *ctx;
};

/* What sockets of one loop share. */
struct herd_socket_loop {
    struct event_base *base;
    char *scratch; /* HERD_SOCKET_SCRATCH_BYTES, where bytes arrive */
};

/* One read takes so much: large enough that a busy client costs few system calls. */
#define HERD_SOCKET_READ_BYTES 65536
/* An unfinished line up to this long is copied in front of the next read; longer ones are read behind. */
#define HERD_SOCKET_FRONT_BYTES   4096
#define HERD_SOCKET_SCRATCH_BYTES (HERD_SOCKET_FRONT_BYTES + HERD_SOCKET_READ_BYTES)

/* A transport of a connected, non-blocking socket, reading. `loop` is borrowed for its life. The socket is the
 * transport's on success, the caller's on failure: HERD_E_NOMEM. */
int herd_socket_new(struct herd_transport **ret_transport, const struct herd_socket_loop *loop, int fd,
                    const struct herd_transport_events *events, void *ctx);
/* A transport of a connected bufferevent (socket, pair, filter, TLS), reading; ownership likewise. HERD_E_NOMEM. */
int herd_bev_new(struct herd_transport **ret_transport, struct bufferevent *bev,
                 const struct herd_transport_events *events, void *ctx);
/* Whether nobody but its other end reads what a bufferevent carries: a pair, a socket of this machine, TLS of
 * libevent_openssl. */
bool herd_bev_is_private(struct bufferevent *bev);
/* Gives the bufferevent back to whom it came from; then close does nothing. */
void herd_bev_release(struct herd_transport *transport);

static inline int herd_transport_send(struct herd_transport *t, struct herd_span bytes)
{
    return t->ops->send(t, bytes);
}

static inline int herd_transport_send_block(struct herd_transport *t, struct herd_block *block)
{
    return t->ops->send_block ? t->ops->send_block(t, block) : t->ops->send(t, herd_block_bytes(block));
}

static inline int herd_transport_set_read(struct herd_transport *t, bool enable)
{
    return t->ops->set_read(t, enable);
}

static inline int herd_transport_peek(struct herd_transport *t, struct herd_span *ret_bytes)
{
    return t->ops->peek(t, ret_bytes);
}

static inline int herd_transport_consume(struct herd_transport *t, size_t len)
{
    return t->ops->consume(t, len);
}

static inline size_t herd_transport_unsent(const struct herd_transport *t)
{
    return t->ops->unsent(t);
}

static inline size_t herd_transport_unacked(const struct herd_transport *t)
{
    return t->ops->unacked(t);
}

static inline void herd_transport_shutdown(struct herd_transport *t)
{
    t->ops->shutdown(t);
}

static inline void herd_transport_close(struct herd_transport *t)
{
    t->ops->close(t);
}

static inline void herd_transport_free(struct herd_transport *t)
{
    if (t)
        t->ops->free(t);
}

static inline int herd_transport_fd(const struct herd_transport *t)
{
    return t->ops->fd(t);
}

/* Another one hears of this transport from now on: who puts itself on top. Not while it is closed. */
static inline void herd_transport_set_events(struct herd_transport *t, const struct herd_transport_events *events,
                                             void *ctx)
{
    assert(events);
    t->events = events;
    t->ctx = ctx;
}

#endif
