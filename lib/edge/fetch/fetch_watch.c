/* SPDX-License-Identifier: MIT */
/*
 * libcurl's sockets on libevent. libcurl stops waiting for a socket after every reply, and waits again with the
 * next request on the same connection. Passing each of these changes on to libevent and the kernel is a good part
 * of a request's cost. So a kept connection stays registered while libcurl does not wait for it.
 *
 * What is registered is a duplicate of libcurl's descriptor. libcurl may close its own at any time, and the number
 * may come back as another socket of the process, with an event of its own; the duplicate's number stays taken
 * until the event is gone. Where no descriptor is left for a duplicate, libcurl's own is registered, while libcurl
 * waits only.
 */
#include "fetch_watch.h"

#include "../../core/base/array.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct herd_fetch_socket {
    struct herd_fetch_sockets *sockets;
    struct event event;
    int fd, dup_fd; /* libcurl's descriptor, and the one registered */
    short events;
    bool wanted; /* libcurl waits for it */
};

static void watch_free(struct herd_fetch_sockets *sockets, curl_socket_t fd)
{
    struct herd_fetch_socket *watch = (size_t)fd < sockets->count ? sockets->at[fd] : NULL;
    if (!watch)
        return;
    sockets->at[fd] = NULL;
    event_del(&watch->event);
    if (watch->dup_fd != watch->fd)
        close(watch->dup_fd);
    free(watch);
}

void herd_fetch_watch_free_all(struct herd_fetch_sockets *sockets)
{
    for (size_t fd = 0; fd < sockets->count; fd++)
        watch_free(sockets, (curl_socket_t)fd);
    free(sockets->at);
    sockets->at = NULL;
    sockets->count = 0;
}

static void on_socket(evutil_socket_t dup_fd, short what, void *ctx)
{
    (void)dup_fd;
    struct herd_fetch_socket *watch = ctx;
    struct herd_fetch_sockets *sockets = watch->sockets;
    if (watch->wanted)
        sockets->ready(sockets->ctx, watch->fd,
                       (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
    else /* most likely the peer closed it; libcurl notices when it uses the connection again */
        watch_free(sockets, watch->fd);
}

static struct herd_fetch_socket *watch_new(struct herd_fetch_sockets *sockets, curl_socket_t fd)
{
    if ((size_t)fd >= sockets->count) {
        const size_t old_count = sockets->count;
        struct herd_fetch_socket **at =
            herd_array_reserve(sockets->at, &sockets->count, (size_t)fd + 1, sizeof(struct herd_fetch_socket *));
        if (!at)
            return NULL;
        for (size_t i = old_count; i < sockets->count; i++)
            at[i] = NULL;
        sockets->at = at;
    }
    struct herd_fetch_socket *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->sockets = sockets;
    watch->fd = fd;
    watch->dup_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (watch->dup_fd < 0)
        watch->dup_fd = fd;
    return sockets->at[fd] = watch;
}

int herd_fetch_watch_set(struct herd_fetch_sockets *sockets, curl_socket_t fd, int what)
{
    assert(fd >= 0 && sockets->ready);
    struct herd_fetch_socket *watch = (size_t)fd < sockets->count ? sockets->at[fd] : NULL;
    if (what == CURL_POLL_REMOVE) {
        /* One that is being connected is about to be closed, or will be waited for with other events. */
        if (watch && watch->events == (EV_READ | EV_PERSIST) && watch->dup_fd != watch->fd)
            watch->wanted = false;
        else
            watch_free(sockets, fd);
        return 0;
    }
    short events =
        (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);
    if (!watch && !(watch = watch_new(sockets, fd)))
        return -1;
    if (watch->events != events) {
        if (watch->events)
            event_del(&watch->event);
        event_assign(&watch->event, sockets->base, watch->dup_fd, events, on_socket, watch);
        watch->events = events;
        if (event_add(&watch->event, NULL) < 0) {
            watch_free(sockets, fd);
            return -1;
        }
    }
    watch->wanted = true;
    return 0;
}

/* A registration left under this number is of an earlier socket, however that one was closed. */
curl_socket_t herd_fetch_socket_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    watch_free(ctx, fd);
    return fd;
}

int herd_fetch_socket_close(void *ctx, curl_socket_t fd)
{
    watch_free(ctx, fd);
    return close(fd);
}
