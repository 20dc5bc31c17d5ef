/* SPDX-License-Identifier: MIT */
/*
 * The inside of a client, shared by the files that make it:
 *
 *     client.c          its life, ends of requests, deadlines
 *     client_ask.c      requests made from what the program asks
 *     client_connect.c  which server, connecting, leaving it for the next
 *     client_reply.c    bytes from the server into ends of requests
 */
#ifndef HERD_EDGE_CLIENT_IMPL_H
#define HERD_EDGE_CLIENT_IMPL_H

#include "../../core/base/list.h"
#include "../clock.h"
#include "../net/connector.h"

#include <herd/client.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

struct herd_request {
    struct herd_list link;
    struct herd_buf line; /* LF included */
    bool is_query;        /* WHATSAT, else IAMAT */
    bool ended;           /* its function was called; the reply that is still to come is thrown away */
    int64_t deadline_ns;
    herd_client_done *done;
    void *ctx;
};

enum herd_client_state {
    HERD_CLIENT_IDLE,    /* nothing to ask, no connection */
    HERD_CLIENT_WAITING, /* the timer begins the next attempt at state_ns */
    HERD_CLIENT_CONNECTING,
    HERD_CLIENT_UP, /* every request of the list is sent */
};

struct herd_client {
    struct event_base *base;
    struct herd_client_options options; /* defaults filled in; `servers` is a copy */
    struct herd_client_address *servers;
    enum herd_client_state state;
    size_t server_index; /* the server in use or next to be tried */
    size_t failures;     /* since a server last replied */
    int64_t backoff_ns;
    int64_t state_ns; /* WAITING: when to try; CONNECTING: when to give up; UP: since when the oldest waits */
    struct herd_resolver *resolver; /* NULL until a name is looked up */
    struct herd_connector *connector;
    struct herd_sockaddr *preferred; /* of each server: the address it was last reached at; len 0: none */
    struct bufferevent *bev;
    struct event *timer;
    struct herd_list requests; /* oldest first, so deadlines are in order too */
    size_t pending;
    size_t searched; /* bytes of an unfinished reply already searched */
    unsigned depth;  /* callbacks on the stack */
    bool freed;      /* free the memory when they are done */
};

/* ---- client.c ---- */
/* Around everything that may call the program. */
void herd_client_enter(struct herd_client *client);
void herd_client_leave(struct herd_client *client);
/* Takes a request off the list and calls its function, unless that was done. Look at `freed` afterwards. */
void herd_client_end(struct herd_client *client, struct herd_request *request, int err,
                     const struct herd_client_reply *reply);
void herd_client_forget(struct herd_client *client, struct herd_request *request);
/* Sets the timer to whatever comes first. */
void herd_client_arm(struct herd_client *client);

/* ---- client_connect.c ---- */
/* Tries the next server, if there is something to ask. */
void herd_client_wake(struct herd_client *client);
void herd_client_connect(struct herd_client *client);
/* Leaves this server; what it did not answer is asked again. Look at `freed` afterwards. */
void herd_client_lost(struct herd_client *client, const char *why);
void herd_client_disconnect(struct herd_client *client);

/* ---- client_reply.c ---- */
/* Takes all replies that are whole. */
void herd_client_read_replies(struct herd_client *client);

#endif
