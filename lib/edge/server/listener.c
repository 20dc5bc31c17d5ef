/* SPDX-License-Identifier: MIT */
/* Accepting connections, and what to do when there are too many or descriptors run out. */
#include "server_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG         1024
#define ACCEPT_PAUSE_US 100000

void herd_address_of(const struct sockaddr *from, uint64_t ret_address[2], uint16_t *ret_port)
{
    unsigned char bytes[16] = {0};
    *ret_port = 0;
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)from;
        bytes[10] = bytes[11] = 0xff; /* IPv4-mapped */
        memcpy(bytes + 12, &in->sin_addr, 4);
        *ret_port = ntohs(in->sin_port);
    } else if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)from;
        memcpy(bytes, &in6->sin6_addr, 16);
        *ret_port = ntohs(in6->sin6_port);
    }
    memcpy(ret_address, bytes, 16);
}

/* Warned of at 1, 2, 4, 8, ... refusals: a stranger can cause them. */
void herd_listener_refused(struct herd_server *server, const char *why)
{
    uint64_t count = ++server->refused_count;
    if ((count & (count - 1)) == 0) {
        struct herd_log_field fields[] = {herd_log_text("why", why), herd_log_int("count", (int64_t)count)};
        herd_log_time(server->log, herd_clock().wall_ns);
        herd_log_event(server->log, HERD_LOG_WARN, "connection_refused", fields, 2);
    }
}

static void refuse(struct herd_server *server, int fd, const char *why)
{
    close(fd);
    herd_listener_refused(server, why);
}

/* Two connections a neighbour beyond the clients: both ends dial. */
static bool has_room(const struct herd_server *server)
{
    return server->client_count < (size_t)server->limits->clients_max + 2 * herd_node_peer_count(server->node);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int len,
                      void *arg)
{
    (void)listener;
    (void)len;
    struct herd_server *server = arg;
    uint64_t address[2];
    uint16_t port = 0;
    herd_address_of(from, address, &port);
    int err = herd_addresses_take(&server->addresses, address, server->limits->clients_per_address_max);
    if (err < 0) {
        refuse(server, fd, err == HERD_E_LIMIT ? "clients_per_address_max" : "out_of_memory");
        return;
    }
    struct herd_conn *conn = herd_conn_new(server);
    if (!conn) {
        herd_addresses_give(&server->addresses, address);
        refuse(server, fd, "out_of_memory");
        return;
    }
    conn->address[0] = address[0];
    conn->address[1] = address[1];
    conn->port = port;
    conn->counted = true;
    server->client_count++;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (herd_socket_attach(conn, fd) < 0) {
        close(fd);
        herd_conn_close(conn, "out_of_memory");
        return;
    }
    if (herd_conn_begin_client(conn) < 0) {
        herd_conn_close(conn, "out_of_memory");
        return;
    }
    herd_plain_admit(conn);
    /* Full of clients, there still is room for neighbours: whoever comes now has to introduce itself. */
    if (server->client_count > (size_t)server->limits->clients_max) {
        conn->over = true;
        conn->progress_ns = herd_clock().steady_ns + server->limits->peer_hello_ms * 1000000;
        herd_list_append(&server->unsent, &conn->unsent);
    }
    if (!has_room(server))
        evconnlistener_disable(server->listener); /* the others wait in the kernel's queue */
}

void herd_listener_resume(struct herd_server *server)
{
    if (server->listener && !server->stopping && !evtimer_pending(server->accept_again, NULL) && has_room(server))
        evconnlistener_enable(server->listener);
}

/* Out of descriptors: the connection waits in the kernel's queue, which would wake us again and again.
 * With the descriptor held in reserve it is taken and closed, so that its client knows; then we rest. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    struct herd_server *server = arg;
    int error = errno;
    if ((error == EMFILE || error == ENFILE) && server->reserve_fd >= 0) {
        close(server->reserve_fd);
        int fd = accept(evconnlistener_get_fd(listener), NULL, NULL);
        if (fd >= 0)
            refuse(server, fd, strerror(error));
        server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    evconnlistener_disable(listener);
    event_add(server->accept_again, &(struct timeval){0, ACCEPT_PAUSE_US});
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct herd_server *server = arg;
    if (server->reserve_fd < 0)
        server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (server->listener && !server->stopping && has_room(server))
        evconnlistener_enable(server->listener);
}

static int fail(struct herd_config_fault *fault, const char *host, unsigned port, const char *why)
{
    fault->line = fault->column = 0;
    snprintf(fault->what, sizeof fault->what, "cannot listen on %s port %u: %s", host, port, why);
    return HERD_E_ADDRESS;
}

/* On a socket that somebody else made; it stays theirs if this fails. */
static struct evconnlistener *listen_on(struct herd_server *server, int fd)
{
    int listening = 0;
    socklen_t len = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0)
        return NULL;
    if (!listening) {
        errno = EINVAL;
        return NULL;
    }
    if (evutil_make_socket_nonblocking(fd) < 0 || evutil_make_socket_closeonexec(fd) < 0)
        return NULL;
    return evconnlistener_new(server->base, on_accept, server, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0,
                              fd);
}

static struct evconnlistener *listen_on_address(struct herd_server *server, const struct addrinfo *to)
{
    return evconnlistener_new_bind(server->base, on_accept, server,
                                   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, BACKLOG,
                                   to->ai_addr, (int)to->ai_addrlen);
}

int herd_listener_open(struct herd_server *server, struct herd_config_fault *reterr_fault)
{
    const struct herd_config_server *self = &server->config->servers[server->self];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
    int given = server->options.listen_fd;
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)self->port);
    int code = given ? 0 : getaddrinfo(self->host, port, &hints, &found);
    if (code != 0)
        return fail(reterr_fault, self->host, self->port, gai_strerror(code));

    server->accept_again = evtimer_new(server->base, on_accept_again, server);
    errno = ENOMEM;
    if (server->accept_again)
        server->listener = given ? listen_on(server, given) : listen_on_address(server, found);
    int error = errno;
    if (found)
        freeaddrinfo(found);
    if (!server->listener && given) {
        reterr_fault->line = reterr_fault->column = 0;
        snprintf(reterr_fault->what, sizeof reterr_fault->what, "cannot listen on the inherited socket %d: %s",
                 given, strerror(error));
        return HERD_E_ADDRESS;
    }
    if (!server->listener)
        return fail(reterr_fault, self->host, self->port, strerror(error));
    evconnlistener_set_error_cb(server->listener, on_accept_error);
    server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    struct sockaddr_storage bound;
    socklen_t bound_len = sizeof bound;
    uint64_t address[2];
    if (getsockname(evconnlistener_get_fd(server->listener), (struct sockaddr *)&bound, &bound_len) == 0)
        herd_address_of((struct sockaddr *)&bound, address, &server->port);
    return 0;
}

void herd_listener_close(struct herd_server *server)
{
    if (server->listener)
        evconnlistener_free(server->listener);
    server->listener = NULL;
    if (server->accept_again)
        event_free(server->accept_again);
    server->accept_again = NULL;
    if (server->reserve_fd >= 0)
        close(server->reserve_fd);
    server->reserve_fd = -1;
}
