/* SPDX-License-Identifier: MIT */
/*
 * Connecting to a host by TCP: all its addresses are tried, in the spirit of RFC 8305. The attempts begin 250 ms
 * apart, or as soon as the one before has failed; families alternate; the first connection that is made wins and
 * the others are closed. Numeric addresses are never looked up.
 */
#ifndef HERD_EDGE_NET_CONNECTOR_H
#define HERD_EDGE_NET_CONNECTOR_H

#include "resolver.h"

struct event_base;
struct herd_connector;

struct herd_connect_result {
    int fd;          /* connected, non-blocking, close-on-exec, the callee's; -1: no connection */
    const char *why; /* a sentence if there is none; borrowed */
    bool unresolved; /* the name gave no address */
    bool local;      /* this machine failed (memory, descriptors, ports), not the network or the peer */
    struct herd_sockaddr address; /* the one connected to, or the one that `why` is about; len 0: none */
};

/* Runs in the loop, never from inside herd_connect_start; the connector is gone by then. */
typedef void herd_connect_done(void *ctx, const struct herd_connect_result *result);
/* The addresses of the host are known; may run from inside herd_connect_start, must not cancel. */
typedef void herd_connect_found(void *ctx, const struct herd_sockaddr_list *found);

struct herd_connect_options {
    const char *host; /* borrowed for the call */
    uint16_t port;
    int64_t resolve_ms; /* time-out of resolving */
    int64_t connect_ms; /* then, for all attempts together */
    const struct herd_sockaddr
        *prefer;               /* tried first, if the host still has it; NULL: none. Borrowed for the call */
    herd_connect_found *found; /* NULL: not wanted */
    herd_connect_done *done;
    void *ctx;
};

/* `io_resolver` points to the caller's reference, which is made when it is NULL and needed. HERD_E_NOMEM. */
int herd_connect_start(struct herd_connector **ret_connector, struct event_base *base,
                       struct herd_resolver **io_resolver, const struct herd_connect_options *options);
/* `done` will not run. NULL is fine. */
void herd_connect_cancel(struct herd_connector *connector);

#endif
