/* SPDX-License-Identifier: MIT */
/*
 * Sockets of our own. They could be bufferevents too, but then each read would take 4 KiB, ask the kernel
 * how much there is, and each reply would switch write interest on and off: five system calls for what
 * takes two, and a kilobyte for an idle client. Here a read takes 64 KiB into memory that all
 * connections share, replies leave once a turn, and only what the kernel does not take is kept.
 */
#include "transport.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* An unfinished line's memory up to this size is kept for the next one. */
#define REST_KEEP 512

struct sock {
    struct herd_transport base;
    const struct herd_socket_loop *loop;
    struct event read_event;
    struct event *write_event; /* made when first needed, likewise: */
    struct evbuffer *queue;    /* bytes the kernel did not take */
    struct herd_buf rest;      /* memory for bytes that were not consumed */
    struct herd_span arrived;  /* not consumed: in `rest`, or in the scratch memory while on_read is on the stack */
    int fd;                    /* -1: closed */
};

static struct sock *sock_of(struct herd_transport *transport)
{
    return (struct sock *)(void *)transport;
}

static const struct sock *sock_of_const(const struct herd_transport *transport)
{
    return (const struct sock *)(const void *)transport;
}

/* On Linux EWOULDBLOCK is EAGAIN. */
static bool try_again(int error)
{
    return error == EAGAIN || error == EINTR;
}

static void fail(struct sock *s, const char *why)
{
    s->base.events->failed(s->base.ctx, why);
}

/* ---- receiving ---- */

static int sock_peek(struct herd_transport *transport, struct herd_span *ret_bytes)
{
    const struct sock *s = sock_of(transport);
    *ret_bytes = (struct herd_span){s->arrived.len ? s->arrived.at : "", s->arrived.len};
    return 0;
}

static bool in_rest(const struct sock *s, const char *at)
{
    return s->rest.at && at >= s->rest.at && at < s->rest.at + s->rest.cap;
}

/* Keeps what is left for the next read. What is kept already is not moved: of many commands a few are consumed at a
 * time. */
static int sock_consume(struct herd_transport *transport, size_t len)
{
    struct sock *s = sock_of(transport);
    assert(len <= s->arrived.len);
    const char *left = len ? s->arrived.at + len : s->arrived.at; /* without bytes it may have no address */
    size_t left_len = s->arrived.len - len;
    if (left_len == 0) {
        if (s->rest.cap > REST_KEEP)
            herd_buf_fini(&s->rest);
        s->arrived = (struct herd_span){0};
        return 0;
    }
    if (!in_rest(s, left)) {
        s->rest.len = 0;
        if (herd_buf_add(&s->rest, left, left_len) < 0) {
            s->arrived = (struct herd_span){0};
            return HERD_E_NOMEM;
        }
        left = s->rest.at;
    }
    s->arrived = (struct herd_span){left, left_len};
    return 0;
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct sock *s = arg;
    size_t kept = s->arrived.len;
    char *start, *behind;
    if (kept <= HERD_SOCKET_FRONT_BYTES) {
        behind = s->loop->scratch + HERD_SOCKET_FRONT_BYTES;
        start = behind - kept;
        if (kept)
            memcpy(start, s->arrived.at, kept);
    } else {
        if (s->arrived.at > s->rest.at)
            memmove(s->rest.at, s->arrived.at, kept);
        s->rest.len = kept;
        s->arrived.at = s->rest.at;
        if (herd_buf_reserve(&s->rest, HERD_SOCKET_READ_BYTES) < 0) {
            fail(s, "out_of_memory");
            return;
        }
        start = s->rest.at;
        behind = start + kept;
        s->arrived.at = start;
    }
    ssize_t n = recv(fd, behind, HERD_SOCKET_READ_BYTES, 0);
    if (n > 0) {
        s->arrived = (struct herd_span){start, kept + (size_t)n};
        s->base.events->input(s->base.ctx);
        /* The scratch memory is the next reader's. */
        if (s->fd >= 0 && s->arrived.len > 0 && !in_rest(s, s->arrived.at) && sock_consume(&s->base, 0) < 0)
            fail(s, "out_of_memory");
    } else if (n == 0) {
        event_del(&s->read_event);
        s->base.events->eof(s->base.ctx);
    } else if (!try_again(errno)) {
        fail(s, strerror(errno));
    }
}

static int sock_set_read(struct herd_transport *transport, bool enable)
{
    struct sock *s = sock_of(transport);
    bool enabled = event_pending(&s->read_event, EV_READ, NULL) != 0;
    if (enable && !enabled)
        return event_add(&s->read_event, NULL) < 0 ? HERD_E_NOMEM : 0;
    if (!enable && enabled)
        event_del(&s->read_event);
    return 0;
}

/* ---- sending ---- */

static void on_write(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct sock *s = arg;
    int n = evbuffer_write(s->queue, fd);
    if (n < 0 && !try_again(errno)) {
        fail(s, strerror(errno));
        return;
    }
    if (evbuffer_get_length(s->queue) == 0) {
        event_free(s->write_event);
        evbuffer_free(s->queue);
        s->write_event = NULL;
        s->queue = NULL;
    }
    if (n > 0)
        s->base.events->drained(s->base.ctx);
}

static int wait_for_space(struct sock *s)
{
    if (!s->write_event)
        s->write_event = event_new(s->loop->base, s->fd, EV_WRITE | EV_PERSIST, on_write, s);
    return s->write_event && event_add(s->write_event, NULL) == 0 ? 0 : HERD_E_NOMEM;
}

static size_t queued_bytes(const struct sock *s)
{
    return s->queue ? evbuffer_get_length(s->queue) : 0;
}

/* Gives bytes to the kernel, if none wait in front of them; *io_bytes is what it did not take. HERD_E_IO. */
static int send_now(struct sock *s, struct herd_span *io_bytes)
{
    if (queued_bytes(s) > 0)
        return 0;
    ssize_t n = send(s->fd, io_bytes->at, io_bytes->len, MSG_NOSIGNAL);
    if (n < 0 && !try_again(errno))
        return HERD_E_IO;
    if (n > 0) {
        io_bytes->at += n;
        io_bytes->len -= (size_t)n;
    }
    return 0;
}

static int sock_send(struct herd_transport *transport, struct herd_span bytes)
{
    struct sock *s = sock_of(transport);
    bool waiting = queued_bytes(s) > 0;
    int err = send_now(s, &bytes);
    if (err < 0 || bytes.len == 0)
        return err;
    if (!s->queue)
        s->queue = evbuffer_new();
    if (!s->queue || evbuffer_add(s->queue, bytes.at, bytes.len) < 0)
        return HERD_E_NOMEM;
    return waiting ? 0 : wait_for_space(s);
}

static void on_block_sent(const void *bytes, size_t len, void *block)
{
    (void)bytes;
    (void)len;
    herd_block_release(block);
}

static int sock_send_block(struct herd_transport *transport, struct herd_block *block)
{
    struct sock *s = sock_of(transport);
    struct herd_span bytes = herd_block_bytes(block);
    bool waiting = queued_bytes(s) > 0;
    int err = send_now(s, &bytes);
    if (err < 0 || bytes.len == 0)
        return err;
    if (!s->queue)
        s->queue = evbuffer_new();
    if (!s->queue || evbuffer_add_reference(s->queue, bytes.at, bytes.len, on_block_sent, block) < 0)
        return HERD_E_NOMEM;
    block->holders++;
    return waiting ? 0 : wait_for_space(s);
}

static size_t sock_unsent(const struct herd_transport *transport)
{
    return queued_bytes(sock_of_const(transport));
}

static size_t sock_unacked(const struct herd_transport *transport)
{
    const struct sock *s = sock_of_const(transport);
    int unacked = 0;
    bool known = ioctl(s->fd, TIOCOUTQ, &unacked) == 0 && unacked > 0;
    return queued_bytes(s) + (known ? (size_t)unacked : 0);
}

/* ---- life ---- */

static void sock_shutdown(struct herd_transport *transport)
{
    shutdown(sock_of(transport)->fd, SHUT_WR);
}

static void sock_close(struct herd_transport *transport)
{
    struct sock *s = sock_of(transport);
    assert(s->fd >= 0);
    event_del(&s->read_event);
    if (s->write_event)
        event_free(s->write_event);
    if (s->queue)
        evbuffer_free(s->queue);
    herd_buf_fini(&s->rest);
    close(s->fd);
    s->write_event = NULL;
    s->queue = NULL;
    s->arrived = (struct herd_span){0};
    s->fd = -1;
}

static void sock_free(struct herd_transport *transport)
{
    assert(sock_of(transport)->fd < 0);
    free(sock_of(transport));
}

static int sock_fd(const struct herd_transport *transport)
{
    return sock_of_const(transport)->fd;
}

static const struct herd_transport_ops sock_ops = {
    .send = sock_send,
    .send_block = sock_send_block,
    .set_read = sock_set_read,
    .peek = sock_peek,
    .consume = sock_consume,
    .unsent = sock_unsent,
    .unacked = sock_unacked,
    .shutdown = sock_shutdown,
    .close = sock_close,
    .free = sock_free,
    .fd = sock_fd,
    .joins = true,
};

int herd_socket_new(struct herd_transport **ret_transport, const struct herd_socket_loop *loop, int fd,
                    const struct herd_transport_events *events, void *ctx)
{
    struct sock *s = calloc(1, sizeof *s);
    if (!s)
        return HERD_E_NOMEM;
    *s = (struct sock){.base = {&sock_ops, events, ctx}, .loop = loop, .fd = fd};
    event_assign(&s->read_event, loop->base, fd, EV_READ | EV_PERSIST, on_read, s);
    if (event_add(&s->read_event, NULL) < 0) {
        free(s);
        return HERD_E_NOMEM;
    }
    *ret_transport = &s->base;
    return 0;
}
