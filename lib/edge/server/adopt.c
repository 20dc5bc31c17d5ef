/* SPDX-License-Identifier: MIT */
/* Connections that the program made and hands to its server, and who is at their other end as far as it says. */
#include "conn.h"
#include "neighbours.h"

struct adoption {
    int peer;   /* the link to this neighbour; < 0: a client, or a neighbour that introduces itself */
    int proved; /* the neighbour that it is; < 0: not said */
    struct herd_identity *identity; /* NULL: nobody's */
};

static int tell_who(struct herd_conn *conn, struct bufferevent *bev, const struct adoption *adoption)
{
    struct herd_server *server = conn->server;
    struct herd_span name = {"", 0};
    bool secure = adoption->proved >= 0 || herd_bev_is_private(bev);
    if (adoption->proved >= 0)
        name = herd_node_peer_name(server->node, (size_t)adoption->proved);
    herd_session_set_proof(conn->session, name, secure);
    return herd_session_set_identity(conn->session, adoption->identity);
}

static int adopt(struct herd_server *server, struct bufferevent *bev, const struct adoption *adoption)
{
    if (server->stopping)
        return HERD_E_STATE;
    struct herd_conn *conn = herd_conn_new(server);
    if (!conn)
        return HERD_E_NOMEM;
    conn->local = true;
    int err = herd_bev_new(&conn->transport, bev, server->transport_events, conn);
    if (err >= 0)
        err = adoption->peer < 0 ? herd_line_begin_client(conn) : herd_dial_begin(conn, (size_t)adoption->peer);
    if (err >= 0 && conn->session)
        err = tell_who(conn, bev, adoption);
    if (err < 0) {
        if (conn->transport)
            herd_bev_release(conn->transport); /* still the caller's */
        herd_conn_close(conn, NULL);
    } else if (conn->state == HERD_CONN_OPEN && evbuffer_get_length(bufferevent_get_input(bev)) > 0) {
        /* What came before: no callback tells of it, and none may run before the caller has our answer. */
        bufferevent_trigger(bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
    }
    return err;
}

/* The number of a neighbour, or HERD_E_NOTFOUND. */
static int find_peer(const struct herd_server *server, const char *name)
{
    struct herd_span wanted = herd_span_of(name);
    for (size_t i = 0; i < herd_node_peer_count(server->node); i++)
        if (herd_span_equal(herd_node_peer_name(server->node, i), wanted))
            return (int)i;
    return HERD_E_NOTFOUND;
}

int herd_server_adopt_client(struct herd_server *server, struct bufferevent *bev)
{
    return adopt(server, bev, &(struct adoption){-1, -1, herd_trust_anonymous(server->trust)});
}

int herd_server_adopt_client_as(struct herd_server *server, struct bufferevent *bev, const char *identity)
{
    const struct herd_identities *identities = server->trust->identities;
    struct herd_identity *found = identities ? herd_identities_find(identities, herd_span_of(identity)) : NULL;
    return found ? adopt(server, bev, &(struct adoption){-1, -1, found}) : HERD_E_NOTFOUND;
}

int herd_server_adopt_neighbour(struct herd_server *server, struct bufferevent *bev, const char *name)
{
    int proved = find_peer(server, name);
    if (proved < 0)
        return proved;
    return adopt(server, bev, &(struct adoption){-1, proved, herd_trust_anonymous(server->trust)});
}

int herd_server_adopt_link(struct herd_server *server, struct bufferevent *bev, const char *name)
{
    int peer = find_peer(server, name);
    return peer < 0 ? peer : adopt(server, bev, &(struct adoption){peer, peer, NULL});
}
