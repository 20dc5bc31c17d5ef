/* SPDX-License-Identifier: MIT */
/*
 * Sockets of our own. They could be bufferevents too, but then each read would take 4 KiB, ask the kernel
 * how much there is, and each reply would switch write interest on and off: five system calls for what
 * takes two, and a kilobyte for an idle client. Here a read takes 64 KiB into memory that all
 * connections share, replies leave once a turn, and only what the kernel does not take is kept.
 */
#include "server_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* An unfinished line's memory up to this size is kept for the next one. */
#define REST_KEEP 512

/* On Linux EWOULDBLOCK is EAGAIN. */
static bool try_again(int error)
{
    return error == EAGAIN || error == EINTR;
}

static void on_read(evutil_socket_t fd, short what, void *arg);
static void on_write(evutil_socket_t fd, short what, void *arg);

int herd_socket_attach(struct herd_conn *conn, int fd)
{
    if (event_assign(&conn->read_event, conn->server->base, fd, EV_READ | EV_PERSIST, on_read, conn) < 0)
        return HERD_E_NOMEM;
    if (event_add(&conn->read_event, NULL) < 0)
        return HERD_E_NOMEM;
    conn->fd = fd;
    return 0;
}

void herd_socket_close(struct herd_conn *conn)
{
    event_del(&conn->read_event);
    if (conn->write_event)
        event_free(conn->write_event);
    if (conn->queue)
        evbuffer_free(conn->queue);
    herd_buf_fini(&conn->rest);
    close(conn->fd);
    conn->write_event = NULL;
    conn->queue = NULL;
    conn->fd = -1;
}

/* Keeps what the session left of `bytes` for the next read. */
static void keep(struct herd_conn *conn, struct herd_span left)
{
    if (left.len > 0 && left.at == conn->rest.at) {
        conn->rest.len = left.len; /* it is where it belongs */
        return;
    }
    if (left.len > 0 && conn->rest.at && left.at > conn->rest.at && left.at < conn->rest.at + conn->rest.cap) {
        memmove(conn->rest.at, left.at, left.len);
        conn->rest.len = left.len;
        return;
    }
    conn->rest.len = 0;
    if (left.len > 0 && herd_buf_add(&conn->rest, left.at, left.len) < 0)
        herd_conn_close(conn, "out_of_memory");
    else if (left.len == 0 && conn->rest.cap > REST_KEEP)
        herd_buf_fini(&conn->rest);
}

/* Gives the kept bytes and those behind them to the session. */
static void feed(struct herd_conn *conn, struct herd_span bytes)
{
    if (bytes.len == 0)
        bytes.at = ""; /* nothing kept has no address */
    size_t used = conn->eof ? herd_conn_eof(conn, bytes) : herd_conn_input(conn, bytes);
    if (!conn->closed)
        keep(conn, (struct herd_span){bytes.at + used, bytes.len - used});
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct herd_conn *conn = arg;
    struct herd_server *server = conn->server;
    size_t kept = conn->rest.len;
    char *start, *behind;
    if (kept <= HERD_READ_FRONT) {
        behind = server->scratch + HERD_READ_FRONT;
        start = behind - kept;
        if (kept)
            memcpy(start, conn->rest.at, kept);
    } else {
        if (herd_buf_reserve(&conn->rest, HERD_READ_BYTES) < 0) {
            herd_conn_close(conn, "out_of_memory");
            return;
        }
        start = conn->rest.at;
        behind = start + kept;
    }
    ssize_t n = recv(fd, behind, HERD_READ_BYTES, 0);
    if (n > 0) {
        feed(conn, (struct herd_span){start, kept + (size_t)n});
    } else if (n == 0) {
        conn->eof = true;
        feed(conn, (struct herd_span){conn->rest.at, kept});
    } else if (!try_again(errno)) {
        herd_conn_close(conn, strerror(errno));
    }
    herd_batch_flush_full(server);
}

void herd_socket_use(struct herd_conn *conn, size_t used)
{
    keep(conn, (struct herd_span){conn->rest.at + used, conn->rest.len - used});
}

void herd_socket_redeliver(struct herd_conn *conn)
{
    if (conn->rest.len > 0 || conn->eof)
        feed(conn, (struct herd_span){conn->rest.at, conn->rest.len});
}

void herd_socket_read(struct herd_conn *conn, bool enable)
{
    bool enabled = event_pending(&conn->read_event, EV_READ, NULL) != 0;
    if (enable && !enabled) {
        if (event_add(&conn->read_event, NULL) < 0)
            herd_conn_close(conn, "out_of_memory");
    } else if (!enable && enabled) {
        event_del(&conn->read_event);
    }
}

static int wait_for_room(struct herd_conn *conn)
{
    if (!conn->write_event)
        conn->write_event = event_new(conn->server->base, conn->fd, EV_WRITE | EV_PERSIST, on_write, conn);
    return conn->write_event && event_add(conn->write_event, NULL) == 0 ? 0 : HERD_E_NOMEM;
}

int herd_socket_send(struct herd_conn *conn, struct herd_span bytes)
{
    size_t queued = conn->queue ? evbuffer_get_length(conn->queue) : 0;
    if (queued == 0) {
        ssize_t n = send(conn->fd, bytes.at, bytes.len, MSG_NOSIGNAL);
        if (n < 0 && !try_again(errno))
            return HERD_E_IO;
        if (n > 0) {
            bytes.at += n;
            bytes.len -= (size_t)n;
        }
    }
    if (bytes.len == 0)
        return 0;
    if (!conn->queue)
        conn->queue = evbuffer_new();
    if (!conn->queue || evbuffer_add(conn->queue, bytes.at, bytes.len) < 0)
        return HERD_E_NOMEM;
    return queued == 0 ? wait_for_room(conn) : 0;
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct herd_conn *conn = arg;
    int n = evbuffer_write(conn->queue, fd);
    if (n < 0 && !try_again(errno)) {
        herd_conn_close(conn, strerror(errno));
        return;
    }
    if (evbuffer_get_length(conn->queue) == 0) {
        event_free(conn->write_event);
        evbuffer_free(conn->queue);
        conn->write_event = NULL;
        conn->queue = NULL;
    }
    if (n > 0)
        herd_conn_drained(conn);
}

size_t herd_socket_unsent(const struct herd_conn *conn)
{
    return conn->queue ? evbuffer_get_length(conn->queue) : 0;
}

size_t herd_socket_unacked(const struct herd_conn *conn)
{
    int unacked = 0;
    return ioctl(conn->fd, TIOCOUTQ, &unacked) < 0 || unacked < 0 ? 0 : (size_t)unacked;
}

void herd_socket_shutdown(struct herd_conn *conn)
{
    shutdown(conn->fd, SHUT_WR);
}
