/* SPDX-License-Identifier: MIT */
/*
 * libcurl's sockets on libevent. libcurl says that it no longer waits for a socket after every reply, and that it
 * waits again with the next request on the same connection. To tell libevent and the kernel each time is a good
 * part of a request. So a kept connection stays registered while nobody waits for it.
 *
 * What is registered is a duplicate of libcurl's descriptor. libcurl may close its own at any time, and the number
 * may come back as a socket of somebody else, with an event of his own; the duplicate's number is ours until the
 * event is gone. Where there is no descriptor left for a duplicate, libcurl's own is registered, while it waits
 * only.
 */
#include "fetch_parts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct herd_fetch_watch {
    struct herd_fetch *fetch;
    struct event event;
    int fd, dup_fd; /* libcurl's descriptor, and the one registered */
    short events;
    bool wanted;
};

static void watch_free(struct herd_fetch *fetch, curl_socket_t fd)
{
    struct herd_fetch_watch *watch = (size_t)fd < fetch->watch_count ? fetch->watches[fd] : NULL;
    if (!watch)
        return;
    fetch->watches[fd] = NULL;
    event_del(&watch->event);
    if (watch->dup_fd != watch->fd)
        close(watch->dup_fd);
    free(watch);
}

void herd_fetch_watch_free_all(struct herd_fetch *fetch)
{
    for (size_t fd = 0; fd < fetch->watch_count; fd++)
        watch_free(fetch, (curl_socket_t)fd);
    free(fetch->watches);
    fetch->watches = NULL;
    fetch->watch_count = 0;
}

static void on_socket(evutil_socket_t own, short what, void *ctx)
{
    (void)own;
    struct herd_fetch_watch *watch = ctx;
    if (watch->wanted)
        herd_fetch_socket_action(watch->fetch, watch->fd,
                                 (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
    else /* the other side closed it, most likely; libcurl sees that when it wants it again */
        watch_free(watch->fetch, watch->fd);
}

static struct herd_fetch_watch *watch_new(struct herd_fetch *fetch, curl_socket_t fd)
{
    if ((size_t)fd >= fetch->watch_count) {
        size_t count = (size_t)fd * 2 + 16;
        struct herd_fetch_watch **watches = realloc(fetch->watches, count * sizeof(struct herd_fetch_watch *));
        if (!watches)
            return NULL;
        for (size_t i = fetch->watch_count; i < count; i++)
            watches[i] = NULL;
        fetch->watches = watches;
        fetch->watch_count = count;
    }
    struct herd_fetch_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->fetch = fetch;
    watch->fd = fd;
    watch->dup_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (watch->dup_fd < 0)
        watch->dup_fd = fd;
    return fetch->watches[fd] = watch;
}

int herd_fetch_watch_set(struct herd_fetch *fetch, curl_socket_t fd, int what)
{
    struct herd_fetch_watch *watch = (size_t)fd < fetch->watch_count ? fetch->watches[fd] : NULL;
    if (what == CURL_POLL_REMOVE) {
        /* One that is still being connected is about to be closed, or soon waited for in another way. */
        if (watch && watch->events == (EV_READ | EV_PERSIST) && watch->dup_fd != watch->fd)
            watch->wanted = false;
        else
            watch_free(fetch, fd);
        return 0;
    }
    short events =
        (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);
    if (!watch && !(watch = watch_new(fetch, fd)))
        return -1;
    if (watch->events != events) {
        if (watch->events)
            event_del(&watch->event);
        event_assign(&watch->event, fetch->base, watch->dup_fd, events, on_socket, watch);
        watch->events = events;
        if (event_add(&watch->event, NULL) < 0) {
            watch_free(fetch, fd);
            return -1;
        }
    }
    watch->wanted = true;
    return 0;
}

/* A number that comes back is another socket, however the last one of that number was closed. */
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
