/* SPDX-License-Identifier: MIT */
/* Accepting connections, and what to do when there are too many or descriptors run out. */
#include "conn.h"
#include "listen.h"
#include "neighbours.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define ACCEPT_PAUSE_US 100000
/* Of connections that come at once, those who are connected already do not wait for more. */
#define ACCEPTS_AN_ITERATION 32
static const struct timeval hold_time = {.tv_sec = 2};

static void refuse(struct herd_server *server, int fd, const char *why)
{
    close(fd);
    herd_conn_log_refused(server, NULL, why);
}

/* Two connections a neighbour beyond the clients: both ends dial. */
static bool has_room(const struct herd_server *server)
{
    return !server->accept_held && server->accepted < ACCEPTS_AN_ITERATION &&
           server->client_count < (size_t)server->limits->clients_max + 2 * herd_node_peer_count(server->node);
}

static void enable(struct herd_server *server, bool enable)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        if (enable)
            evconnlistener_enable(server->listeners[i]->socket);
        else
            evconnlistener_disable(server->listeners[i]->socket);
    }
}

void herd_accept_resume(struct herd_server *server)
{
    if (server->listener_count > 0 && !server->stopping && !evtimer_pending(server->accept_retry_event, NULL) &&
        has_room(server))
        enable(server, true);
}

void herd_accept_iteration(struct herd_server *server)
{
    bool paused = server->accepted >= ACCEPTS_AN_ITERATION;
    server->accepted = 0;
    if (paused)
        herd_accept_resume(server);
}

void herd_accept_hold(struct herd_server *server)
{
    if (server->listener_count == 0 || server->stopping || event_add(server->accept_retry_event, &hold_time) < 0)
        return;
    server->accept_held = true;
    enable(server, false);
}

void herd_accept_release(struct herd_server *server)
{
    if (!server->accept_held)
        return;
    server->accept_held = false;
    evtimer_del(server->accept_retry_event);
    herd_accept_resume(server);
}

void herd_accept_uncount(struct herd_conn *conn)
{
    struct herd_server *server = conn->server;
    if (!conn->counted)
        return;
    conn->counted = false;
    server->client_count--;
    if (conn->addressed)
        herd_addresses_release(&server->addresses, conn->address, herd_clock().steady_ns);
    conn->addressed = false;
    herd_accept_resume(server);
}

static void on_closed(struct herd_conn *conn, bool delivered)
{
    (void)delivered;
    herd_accept_uncount(conn);
}

static const struct herd_conn_owner accept_owner = {.closed = on_closed};

static void take(const struct herd_listener *listener, evutil_socket_t fd, const struct sockaddr *from)
{
    struct herd_server *server = listener->server;
    const int64_t now_ns = herd_clock().steady_ns;
    uint64_t address[2];
    uint16_t port = 0;
    herd_address_of(from, address, &port);
    if (!listener->door->neighbours && server->client_count >= (size_t)server->limits->clients_max) {
        refuse(server, fd, "clients_max");
        return;
    }
    bool proxied = !listener->door->admin &&
                   herd_proxied_from(server, address); /* then whose it is comes with its first bytes */
    int err = proxied ? 0
                      : herd_addresses_acquire(&server->addresses, address, server->limits->clients_per_address_max,
                                               now_ns);
    if (err < 0) {
        refuse(server, fd, err == HERD_E_LIMIT ? "clients_per_address_max" : "out_of_memory");
        return;
    }
    struct herd_conn *conn = herd_conn_new(server);
    if (!conn) {
        if (!proxied)
            herd_addresses_release(&server->addresses, address, now_ns);
        refuse(server, fd, "out_of_memory");
        return;
    }
    conn->admin = listener->door->admin;
    conn->addressed = !proxied;
    conn->proxied = conn->unnamed = proxied;
    conn->address[0] = address[0];
    conn->address[1] = address[1];
    conn->port = port;
    conn->counted = true;
    conn->owner = &accept_owner;
    server->client_count++;
    server->accepted_count++;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (herd_socket_new(&conn->transport, &server->sockets, fd, server->transport_events, conn) < 0) {
        close(fd);
        herd_conn_close(conn, "out_of_memory");
        return;
    }
    if (listener->door->begin(conn) < 0) {
        herd_conn_close(conn, "out_of_memory");
        return;
    }
    if (!herd_secure_accepted(conn))
        return;
    if (listener->door->neighbours && !proxied)
        herd_plain_admit(conn);
    /* Full of clients, there still is room for neighbours: whoever comes now has to introduce itself. */
    if (server->client_count > (size_t)server->limits->clients_max) {
        conn->over_limit = true;
        conn->progress_ns = now_ns + server->limits->peer_hello_ms * 1000000;
        herd_list_remove(&conn->deadline_link); /* who has to prove who it is has the same time for it */
        herd_list_append(&server->deadline_list, &conn->deadline_link);
    }
}

static void on_accept(struct evconnlistener *socket, evutil_socket_t fd, struct sockaddr *from, int len, void *arg)
{
    (void)socket;
    (void)len;
    const struct herd_listener *listener = arg;
    struct herd_server *server = listener->server;
    if (server->accepted++ == 0)
        herd_server_schedule_flush(server);
    take(listener, fd, from);
    if (!has_room(server))
        enable(server, false); /* the others wait in the kernel's queue */
}

/* Out of descriptors: the connection waits in the kernel's queue, which would wake us again and again.
 * With the descriptor held in reserve it is taken and closed, so that its client knows; then we rest. */
static void on_accept_error(struct evconnlistener *socket, void *arg)
{
    const struct herd_listener *listener = arg;
    struct herd_server *server = listener->server;
    int error = errno;
    if (herd_conn_free_closed(server))
        return; /* there are some again */
    if ((error == EMFILE || error == ENFILE) && server->reserve_fd >= 0) {
        close(server->reserve_fd);
        int fd = accept(evconnlistener_get_fd(socket), NULL, NULL);
        if (fd >= 0)
            refuse(server, fd, strerror(error));
        server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    enable(server, false);
    event_add(server->accept_retry_event, &(struct timeval){0, ACCEPT_PAUSE_US});
}

void herd_accept_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct herd_server *server = arg;
    server->accept_held = false;
    if (server->reserve_fd < 0)
        server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (!server->stopping && has_room(server))
        enable(server, true);
}

int herd_accept_new(struct herd_listener *listener, int fd)
{
    listener->socket = evconnlistener_new(listener->server->base, on_accept, listener,
                                          LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (!listener->socket)
        return HERD_E_NOMEM;
    evconnlistener_set_error_cb(listener->socket, on_accept_error);
    return 0;
}
