/* SPDX-License-Identifier: MIT */
/* Connections to plain neighbours on which all is said: they are asked for, for nothing tells when it has arrived. */
#include "conn.h"
#include "neighbours.h"

/* A peer that lost power sends no RST: data counts as delivered only when TCP acknowledged it. A FIN that was sent
 * adds one to TIOCOUTQ until it is acknowledged. */
bool herd_plain_delivered(const struct herd_conn *conn)
{
    return herd_conn_unacked(conn) <= (conn->state == HERD_CONN_LINGERING ? 1u : 0u);
}

void herd_plain_linger(struct herd_conn *conn)
{
    herd_list_append(&conn->server->plain_lingering, &conn->deadline_link);
    herd_plain_ask(conn->server);
}

void herd_plain_ask(struct herd_server *server)
{
    struct timeval soon = {0, HERD_PLAIN_ASK_US};
    if (!herd_list_empty(&server->plain_lingering) && !evtimer_pending(server->plain_event, NULL))
        event_add(server->plain_event, &soon);
}
