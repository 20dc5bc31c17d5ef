/* SPDX-License-Identifier: MIT */
/* Connections that the program made and hands to its server. */
#include "server_impl.h"

static int adopt(struct herd_server *server, struct bufferevent *bev, int peer)
{
    if (server->stopping)
        return HERD_E_STATE;
    struct herd_conn *conn = herd_conn_new(server);
    if (!conn)
        return HERD_E_NOMEM;
    int err = herd_bev_new(&conn->transport, bev, server->transport_events, conn);
    if (err >= 0)
        err = peer < 0 ? herd_line_begin_client(conn) : herd_dial_begin(conn, (size_t)peer);
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

int herd_server_adopt_client(struct herd_server *server, struct bufferevent *bev)
{
    return adopt(server, bev, -1);
}

int herd_server_adopt_link(struct herd_server *server, struct bufferevent *bev, const char *name)
{
    struct herd_span wanted = herd_span_of(name);
    for (size_t i = 0; i < herd_node_peer_count(server->node); i++)
        if (herd_span_equal(herd_node_peer_name(server->node, i), wanted))
            return adopt(server, bev, (int)i);
    return HERD_E_NOTFOUND;
}
