/* SPDX-License-Identifier: MIT */
/* What a connection needs of its transport, whichever of the two it has. */
#include "server_impl.h"

struct ssl_st;
/* Of libevent_openssl, which this library does not link: NULL unless the program does. */
struct ssl_st *bufferevent_openssl_get_ssl(struct bufferevent *bev) __attribute__((weak));

/* Whether a bufferevent is a socket and nothing more, so that the socket's end is the stream's end. */
static bool is_bare_socket(struct bufferevent *bev)
{
    if (bufferevent_getfd(bev) < 0 || bufferevent_get_underlying(bev))
        return false;
    return !bufferevent_openssl_get_ssl || !bufferevent_openssl_get_ssl(bev);
}

void herd_transport_close(struct herd_conn *conn)
{
    herd_batch_drop(conn);
    if (conn->bev) {
        /* Callbacks of this bufferevent may be on the stack: libevent keeps it alive until they return. */
        bufferevent_setcb(conn->bev, NULL, NULL, NULL, NULL);
        bufferevent_free(conn->bev);
        conn->bev = NULL;
    } else if (conn->fd >= 0) {
        herd_socket_close(conn);
    }
}

void herd_transport_redeliver(struct herd_conn *conn)
{
    if (!conn->bev)
        herd_socket_redeliver(conn);
    else if (conn->eof || evbuffer_get_length(bufferevent_get_input(conn->bev)) > 0)
        herd_bev_redeliver(conn);
}

struct herd_span herd_transport_kept(struct herd_conn *conn)
{
    if (!conn->bev)
        return (struct herd_span){conn->rest.len ? conn->rest.at : "", conn->rest.len};
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    size_t len = evbuffer_get_length(input);
    const char *at = len ? (const char *)evbuffer_pullup(input, -1) : NULL;
    return (struct herd_span){at ? at : "", at ? len : 0};
}

void herd_transport_use(struct herd_conn *conn, size_t used)
{
    if (used == 0)
        return;
    if (conn->bev)
        evbuffer_drain(bufferevent_get_input(conn->bev), used);
    else
        herd_socket_use(conn, used);
}

void herd_transport_read(struct herd_conn *conn, bool enable)
{
    if (conn->closed)
        return;
    if (!conn->bev)
        herd_socket_read(conn, enable);
    else if (enable)
        bufferevent_enable(conn->bev, EV_READ);
    else
        bufferevent_disable(conn->bev, EV_READ);
}

int herd_transport_send_now(struct herd_conn *conn, struct herd_span bytes)
{
    if (conn->bev)
        return bufferevent_write(conn->bev, bytes.at, bytes.len) < 0 ? HERD_E_NOMEM : 0;
    return herd_socket_send(conn, bytes);
}

int herd_transport_send(struct herd_conn *conn, struct herd_span bytes)
{
    return conn->batched_bytes > 0 ? herd_batch_add(conn, bytes) : herd_transport_send_now(conn, bytes);
}

size_t herd_transport_unsent(const struct herd_conn *conn)
{
    return conn->batched_bytes +
           (conn->bev ? evbuffer_get_length(bufferevent_get_output(conn->bev)) : herd_socket_unsent(conn));
}

size_t herd_transport_unacked(const struct herd_conn *conn)
{
    return herd_transport_unsent(conn) + (conn->bev ? 0 : herd_socket_unacked(conn));
}

void herd_transport_shutdown(struct herd_conn *conn)
{
    if (!conn->bev) {
        herd_socket_shutdown(conn);
        return;
    }
    /* Does nothing for a socket. TLS says its end when the bufferevent is freed: without that, a shut down socket
     * would look like an attack. */
    bufferevent_flush(conn->bev, EV_WRITE, BEV_FINISHED);
    if (is_bare_socket(conn->bev))
        shutdown(bufferevent_getfd(conn->bev), SHUT_WR);
}
