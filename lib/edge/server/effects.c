/* SPDX-License-Identifier: MIT */
/* What the node wants, carried out. Nothing of this calls back into what gives bytes to a protocol. */
#include "conn.h"
#include "listen.h"
#include "near_line.h"
#include "neighbours.h"
#include "watch_line.h"

static void notify_peer(struct herd_server *server, const struct herd_effect *effect, bool up)
{
    herd_notice_peer(server, effect, up);
    if (server->options.hooks.peer)
        server->options.hooks.peer(server->options.hooks.ctx, effect->detail, up);
}

static void peer_up(struct herd_server *server, const struct herd_effect *effect)
{
    if (herd_node_peer_plain(server->node, effect->peer)) {
        notify_peer(server, effect, true); /* without a link */
        return;
    }
    struct herd_conn *conn = herd_session_user(effect->session);
    herd_conn_set_peer(conn, effect->peer);
    conn->link = true;
    herd_dial_tune(herd_transport_fd(conn->transport));
    if (conn->over_limit) {
        conn->over_limit = false;
        herd_list_remove(&conn->deadline_link);
    }
    herd_accept_uncount(conn);
    bool moved =
        server->links[effect->peer] != NULL; /* of two connections made at once this is the one that stays */
    server->links[effect->peer] = conn;
    if (!moved)
        notify_peer(server, effect, true);
}

static void peer_down(struct herd_server *server, const struct herd_effect *effect)
{
    server->links[effect->peer] = NULL;
    notify_peer(server, effect, false);
}

static void carry_out(struct herd_server *server, const struct herd_effect *effect)
{
    switch (effect->kind) {
    case HERD_EFFECT_LOOKUP: herd_lookups_start(server, effect); break;
    case HERD_EFFECT_CANCEL: herd_lookups_cancel(effect); break;
    case HERD_EFFECT_COMMAND:
        if (!herd_near_line(server, effect) && !herd_watch_line(server, effect))
            herd_lookups_command(server, effect);
        break;
    case HERD_EFFECT_FETCH: herd_lookups_unknown(server, effect); break;
    case HERD_EFFECT_AUTH: herd_secure_auth(server, effect); break;
    case HERD_EFFECT_LINE_TIMEOUT: herd_line_timeout(herd_session_user(effect->session)); break;
    case HERD_EFFECT_DIAL:
        if ((!server->stopping || herd_node_peer_plain(server->node, effect->peer)) && !server->options.dont_dial)
            herd_dial_start(server, effect->peer);
        break;
    case HERD_EFFECT_CLOSE: herd_conn_finish(herd_session_user(effect->session), effect->text); break;
    case HERD_EFFECT_PEER_UP: peer_up(server, effect); break;
    case HERD_EFFECT_RESUME:
        if (effect->session)
            herd_conn_ready(herd_session_user(effect->session));
        break;
    case HERD_EFFECT_PEER_DOWN: peer_down(server, effect); break;
    case HERD_EFFECT_NOTICE: herd_notice_log(server, effect); break;
    }
}

void herd_server_effects(struct herd_server *server)
{
    struct herd_effect effect;
    while (herd_node_next_effect(server->node, &effect))
        carry_out(server, &effect);
}
