/* SPDX-License-Identifier: MIT */
/* Connecting to neighbours: resolve (without blocking the loop), connect, introduce. */
#include "server_impl.h"

#include <errno.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The kernel may hold so much that it has not sent: more would only make values old. */
#define NOTSENT_LOWAT (128 * 1024)

/* Outlives a dial that was cancelled, and even its server: the resolver calls back in any case. */
struct herd_dial_resolve {
    struct herd_dial *dial; /* NULL: cancelled */
    struct evdns_getaddrinfo_request *request;
};

void herd_dial_cancel(struct herd_dial *dial)
{
    if (dial->resolving) {
        dial->resolving->dial = NULL;
        evdns_getaddrinfo_cancel(dial->resolving->request);
    }
    if (dial->event)
        event_free(dial->event);
    if (dial->fd >= 0)
        close(dial->fd);
    dial->resolving = NULL;
    dial->event = NULL;
    dial->fd = -1;
}

/* `at_home`: it was not the other side that failed. */
static void end_dial(struct herd_dial *dial, const char *why, bool at_home)
{
    struct herd_server *server = dial->server;
    struct herd_now now = herd_clock();
    herd_dial_cancel(dial);
    struct herd_log_field fields[] = {
        herd_log_span("peer", herd_node_peer_name(server->node, dial->peer)),
        herd_log_text("why", why),
    };
    herd_log_time(server->log, now.wall_ns);
    herd_log_event(server->log, HERD_LOG_DEBUG, "dial_failed", fields, 2);
    if (at_home)
        herd_node_dial_later(server->node, dial->peer, now);
    else
        herd_node_dial_failed(server->node, dial->peer, now);
    herd_server_turn(server);
}

static void failed(struct herd_dial *dial, const char *why)
{
    end_dial(dial, why, false);
}

static void failed_at_home(struct herd_dial *dial, const char *why)
{
    end_dial(dial, why, true);
}

void herd_dial_tune(int fd)
{
    int on = 1, lowat = NOTSENT_LOWAT;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof lowat);
}

static void connected(struct herd_dial *dial)
{
    struct herd_server *server = dial->server;
    int fd = dial->fd, on = 1;
    struct herd_conn *conn = herd_conn_new(server);
    if (!conn) {
        failed_at_home(dial, "out of memory");
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (herd_socket_attach(conn, fd) < 0) {
        herd_conn_close(conn, NULL);
        failed_at_home(dial, "out of memory");
        return;
    }
    dial->fd = -1; /* the connection's now */
    herd_dial_cancel(dial);
    if (herd_conn_begin_link(conn, dial->peer) < 0) {
        herd_conn_close(conn, "out_of_memory");
        failed_at_home(dial, "out of memory");
    }
}

static void on_connect(evutil_socket_t fd, short what, void *arg)
{
    struct herd_dial *dial = arg;
    int error = 0;
    socklen_t len = sizeof error;
    if (what & EV_TIMEOUT)
        failed(dial, "no answer");
    else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error != 0)
        failed(dial, strerror(error ? error : errno));
    else
        connected(dial);
}

static void connect_to(struct herd_dial *dial, const struct sockaddr *to, socklen_t len)
{
    struct herd_server *server = dial->server;
    int64_t patience_ms = server->limits->peer_hello_ms;
    dial->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (dial->fd < 0) {
        failed_at_home(dial, strerror(errno));
        return;
    }
    if (connect(dial->fd, to, len) < 0 && errno != EINPROGRESS && errno != EINTR) {
        end_dial(dial, strerror(errno), errno == EADDRNOTAVAIL); /* all our ports are in use */
        return;
    }
    struct timeval patience = {patience_ms / 1000, patience_ms % 1000 * 1000};
    dial->event = event_new(server->base, dial->fd, EV_WRITE, on_connect, dial);
    if (!dial->event || event_add(dial->event, &patience) < 0)
        failed_at_home(dial, "out of memory");
}

static void on_resolved(int code, struct evutil_addrinfo *found, void *arg)
{
    struct herd_dial_resolve *resolve = arg;
    struct herd_dial *dial = resolve->dial;
    free(resolve);
    if (dial) {
        dial->resolving = NULL;
        if (code == 0)
            herd_plain_found(dial->server, dial->peer, found);
        if (code != 0 || !found)
            failed(dial, evutil_gai_strerror(code));
        else
            connect_to(dial, found->ai_addr, (socklen_t)found->ai_addrlen);
    }
    if (found)
        evutil_freeaddrinfo(found);
}

void herd_dial_start(struct herd_server *server, size_t peer)
{
    const struct herd_config_server *to = &server->config->servers[server->peer_servers[peer]];
    struct herd_dial *dial = server->dials[peer];
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)to->port);
    struct evutil_addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                    .ai_flags = EVUTIL_AI_NUMERICHOST | EVUTIL_AI_NUMERICSERV};
    struct evutil_addrinfo *found = NULL;
    herd_dial_cancel(dial);
    if (!herd_plain_may_dial(server, peer))
        return;
    if (evutil_getaddrinfo(to->host, port, &hints, &found) == 0) {
        connect_to(dial, found->ai_addr, (socklen_t)found->ai_addrlen);
        evutil_freeaddrinfo(found);
        return;
    }
    if (!server->dns)
        server->dns =
            evdns_base_new(server->base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (!server->dns) {
        failed(dial, "cannot resolve names");
        return;
    }
    hints.ai_flags = EVUTIL_AI_NUMERICSERV;
    struct herd_dial_resolve *resolve = calloc(1, sizeof *resolve);
    if (!resolve) {
        failed_at_home(dial, "out of memory");
        return;
    }
    resolve->dial = dial;
    dial->resolving = resolve;
    /* May call on_resolved before it returns: then it gives NULL, and `resolve` is gone. */
    struct evdns_getaddrinfo_request *request =
        evdns_getaddrinfo(server->dns, to->host, port, &hints, on_resolved, resolve);
    if (request)
        resolve->request = request;
}
