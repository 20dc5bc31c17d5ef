/* SPDX-License-Identifier: MIT */
/* Connecting to neighbours: whom to warn of when it fails, what to do when it succeeds. */
#include "conn.h"
#include "listen.h"
#include "neighbours.h"

#include "../net/connector.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The kernel may hold so much that it has not sent: more would only make values old. */
#define NOTSENT_LOWAT (128 * 1024)
/* The C library gives three dead name servers up after 30 s. */
#define RESOLVE_MS 60000

void herd_dial_cancel(struct herd_dial *dial)
{
    herd_connect_cancel(dial->connector);
    dial->connector = NULL;
}

/* Warns of a neighbour that is not reached: at the 1st, 2nd, 4th, 8th, ... attempt in a row. */
static void log_failure(struct herd_dial *dial, const struct herd_connect_result *result)
{
    struct herd_server *server = dial->server;
    const struct herd_config_server *to = &server->config->servers[server->peer_servers[dial->peer]];
    uint64_t count = ++dial->failures;
    bool warn = (count & (count - 1)) == 0;
    char address[HERD_SOCKADDR_TEXT_MAX] = "";
    if (result->address.len)
        herd_sockaddr_text(&result->address.u.any, result->address.len, address);
    struct herd_log_field fields[] = {
        herd_log_span("peer", herd_node_peer_name(server->node, dial->peer)),
        herd_log_text("why", result->why),
        herd_log_int("count", (int64_t)count),
        herd_log_text("host", to->host),
        herd_log_int("port", to->port),
        herd_log_text("address", address),
    };
    herd_log_event(server->log, warn ? HERD_LOG_WARN : HERD_LOG_DEBUG, "peer_unreachable", fields,
                   result->address.len ? 6 : 5);
}

static void failed(struct herd_dial *dial, const struct herd_connect_result *result)
{
    struct herd_server *server = dial->server;
    struct herd_now now = herd_clock();
    herd_log_set_time(server->log, now.wall_ns);
    log_failure(dial, result);
    if (result->local)
        herd_node_dial_local_failure(server->node, dial->peer, now);
    else
        herd_node_dial_failed(server->node, dial->peer, now);
    herd_server_schedule_flush(server);
}

static void failed_without_memory(struct herd_dial *dial)
{
    failed(dial, &(struct herd_connect_result){.fd = -1, .why = "out of memory", .local = true});
}

void herd_dial_tune(int fd)
{
    int on = 1, lowat = NOTSENT_LOWAT;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof lowat);
}

/* A connection we dialled ended; without a link and without a word why it counts as not reached. */
static void on_ended(struct herd_conn *conn, const char *why)
{
    struct herd_server *server = conn->server;
    size_t peer = (size_t)conn->peer;
    struct herd_dial *dial = server->dials[peer];
    if (conn->link || conn->plain || conn->refused)
        return;
    if (server->freeing || server->stopping || server->links[peer])
        return;
    if (!why || strcmp(why, "connection_lost") == 0 || strcmp(why, "peer_closed") == 0)
        why = "closed before an introduction";
    log_failure(dial, &(struct herd_connect_result){.fd = -1, .why = why, .address = dial->address});
}

/* One to a plain neighbour is closed: the next may be made. */
static void on_closed(struct herd_conn *conn, bool delivered)
{
    struct herd_server *server = conn->server;
    size_t peer = (size_t)conn->peer;
    struct herd_plain *plain = &server->plains[peer];
    if (!conn->plain)
        return;
    plain->open--;
    if (server->freeing)
        return;
    if (!delivered)
        herd_node_dial_failed(server->node, peer, herd_clock()); /* who knows what it has got */
    else if (plain->waiting)
        herd_dial_start(server, peer);
    plain->waiting = false;
}

static const struct herd_conn_owner dial_owner = {.ended = on_ended, .closed = on_closed};

int herd_dial_begin(struct herd_conn *conn, size_t peer)
{
    struct herd_server *server = conn->server;
    conn->owner = &dial_owner;
    int err = herd_line_begin_link(conn, peer);
    if (err < 0)
        return err;
    if (herd_node_peer_plain(server->node, peer))
        herd_plain_opened(conn);
    herd_conn_send(conn, (struct herd_span){server->out.at, server->out.len});
    herd_server_schedule_flush(server);
    return 0;
}

static void connected(struct herd_dial *dial, const struct herd_connect_result *result)
{
    struct herd_server *server = dial->server;
    int on = 1;
    dial->address = result->address;
    struct herd_conn *conn = herd_conn_new(server);
    if (!conn) {
        close(result->fd);
        failed_without_memory(dial);
        return;
    }
    herd_address_of(&result->address.u.any, conn->address, &conn->port);
    setsockopt(result->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (herd_socket_new(&conn->transport, &server->sockets, result->fd, server->transport_events, conn) < 0) {
        close(result->fd);
        herd_conn_close(conn, NULL);
        failed_without_memory(dial);
        return;
    }
    if (herd_secure_dialled(conn, dial->peer) < 0 || herd_dial_begin(conn, dial->peer) < 0) {
        herd_conn_close(conn, "out_of_memory");
        failed_without_memory(dial);
    }
}

static void on_done(void *ctx, const struct herd_connect_result *result)
{
    struct herd_dial *dial = ctx;
    dial->connector = NULL;
    if (result->fd < 0)
        failed(dial, result);
    else
        connected(dial, result);
}

static void on_found(void *ctx, const struct herd_sockaddr_list *found)
{
    const struct herd_dial *dial = ctx;
    herd_plain_found(dial->server, dial->peer, found);
}

void herd_dial_start(struct herd_server *server, size_t peer)
{
    const struct herd_config_server *to = &server->config->servers[server->peer_servers[peer]];
    struct herd_dial *dial = server->dials[peer];
    herd_dial_cancel(dial);
    if (!herd_plain_may_dial(server, peer))
        return;
    const struct herd_connect_options options = {
        .host = to->host,
        .port = to->port,
        .resolve_ms = RESOLVE_MS,
        .connect_ms = server->limits->peer_hello_ms,
        .prefer = dial->address.len ? &dial->address : NULL,
        .found = on_found,
        .done = on_done,
        .ctx = dial,
    };
    if (herd_connect_start(&dial->connector, server->base, &server->resolver, &options) < 0)
        failed_without_memory(dial);
}
