/* SPDX-License-Identifier: MIT */
/*
 * The structures of a client. Its files, each calling only those above it:
 *
 *     client_tls.c      TLS on a connection, and whom the client expects there (client_tls_none.c: without OpenSSL)
 *     client_request.c  the list of requests: their ends, their deadlines, the timer
 *     client_reply.c    bytes from the server into ends of requests
 *     client_transport.c  the connection: made, written to, ended
 *     client_queue.c    requests to who sends them; waking who has none
 *     client_life.c     clients beside the program's, for servers that SEE named; the end of any
 *     client_route.c    which bucket is at which of them
 *     client_connect.c  which server, connecting, leaving it for the next
 *     client_ask.c      requests made from the program's arguments
 *     client.c          creation, destruction, what the timer does
 */
#ifndef HERD_EDGE_CLIENT_TYPES_H
#define HERD_EDGE_CLIENT_TYPES_H

#include "../../core/base/list.h"
#include "../clock.h"
#include "../net/connector.h"
#include "../net/transport.h"

#include <herd/client.h>
#include <herd/shard.h>

#include <event2/event.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

struct herd_client;

struct herd_request {
    struct herd_list link;     /* in the list of its owner */
    struct herd_list age;      /* in the root's, until it has ended */
    struct herd_client *owner; /* who sends it; NULL: nobody yet */
    unsigned hops;             /* how often it was followed since it was sent by the root */
    struct herd_buf line;      /* LF included */
    bool is_query;             /* WHATSAT, else IAMAT */
    bool ended;                /* its function was called; its reply, which may still come, is discarded */
    int64_t deadline_ns;
    herd_client_done *done;
    void *ctx;
};

enum herd_client_state {
    HERD_CLIENT_IDLE,       /* no request, no connection */
    HERD_CLIENT_WAITING,    /* the next attempt begins at state_deadline_ns */
    HERD_CLIENT_CONNECTING, /* the attempt is given up at state_deadline_ns */
    HERD_CLIENT_HANDSHAKE,  /* of TLS; given up at state_deadline_ns */
    HERD_CLIENT_AUTH,       /* as UP, and the answer to the token comes first, until state_deadline_ns */
    HERD_CLIENT_UP,         /* every request of the list is sent; the first has waited since state_since_ns */
};

struct herd_client_security;

/* Where buckets are, of a root that follows. */
struct herd_client_follow {
    struct herd_list routes; /* clients followed to; that which was used last is behind */
    size_t route_count;
    struct herd_client *of_bucket[HERD_BUCKETS]; /* NULL: not known, or at the root's own server */
    struct herd_known_id *ids;                   /* NULL: buckets are computed */
    uint64_t id_key[2];                          /* of the hashes of ids */
};

#define HERD_CLIENT_WHY_MAX 480

struct herd_client {
    struct herd_client *root; /* the one that the program has; itself */
    struct event_base *base;
    struct herd_client_options options; /* defaults filled in; what it points to is used from the copies below */
    struct herd_client_address *servers;
    enum herd_client_state state;
    int64_t state_deadline_ns; /* WAITING, CONNECTING, HANDSHAKE, AUTH */
    int64_t state_since_ns;    /* UP: connected, last reply, or first request of the list, whichever was last */
    size_t server_index;       /* the server in use or next to be tried */
    size_t failures;           /* since a server last replied */
    int64_t backoff_ns;
    struct herd_resolver *resolver;   /* of a root; NULL until a name is looked up */
    struct herd_connector *connector; /* CONNECTING only */
    struct herd_sockaddr *preferred;  /* of each server: the address it was last reached at; len 0: none */
    struct event *timer;

    /* The connection. Its events only note what happened and make `work` active: so no function of the transport is on
     * the stack when the program is called, which may free the client. */
    struct herd_transport *transport; /* HANDSHAKE, AUTH, UP */
    struct herd_transport
        *retired; /* is closed when the last callback has returned: a reply may be in its memory */
    struct herd_socket_loop sockets;
    struct event *work;
    struct herd_buf out; /* lines that leave together */
    bool opened;         /* the handshake is over */
    bool ended;          /* no more comes: `why` says why */
    bool to_loopback;
    char why[HERD_CLIENT_WHY_MAX];
    struct herd_client_security *security; /* the root's; NULL: plain TCP */
    char *token;                           /* likewise; NULL: none */

    struct herd_list requests; /* in the order in which they were sent */
    size_t pending;            /* requests of the list that have not ended */
    size_t searched;           /* bytes of an unfinished reply already searched */
    unsigned depth;            /* callbacks on the stack */
    bool freed;                /* free the memory when they have returned */

    struct herd_list route; /* of one that was followed to */

    /* Of a root. */
    struct herd_list ages; /* requests that have not ended, here and where they were followed to, oldest first: so
                              deadlines are in order too */
    size_t open;           /* how many */
    struct herd_client_follow *follow; /* NULL: it does not */
    uint64_t bucket_key;
    bool has_bucket_key;
};

/* Overwrites memory that held a token. */
static inline void herd_client_wipe(char *at, size_t len)
{
    for (volatile char *byte = at; len > 0; len--)
        *byte++ = 0;
}

/* What the program calls the server that this client is at. */
static inline size_t herd_client_server(const struct herd_client *client)
{
    return client == client->root ? client->server_index : client->root->options.server_count;
}

/* Whether requests are on their way as soon as they are made. */
static inline bool herd_client_sends(const struct herd_client *client)
{
    return client->state >= HERD_CLIENT_AUTH;
}

#endif
