/* SPDX-License-Identifier: MIT */
/*
 * The kernel floor: raw epoll, writes back whatever was read. No server on TCP can cost less than this
 * for the same pattern of requests.
 *
 *     floor-epoll PORT
 */
#include "edge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 65536

/* What the socket did not take; reading stops until it does, so one chunk is enough. */
struct rest_of {
    int fd;
    size_t len, done;
    char *bytes;
};

static void watch(int ep, int op, struct rest_of *c, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};

    if (epoll_ctl(ep, op, c->fd, &event) < 0)
        die("epoll_ctl: %s", strerror(errno));
}

static void finish(struct rest_of *c)
{
    close(c->fd);
    free(c->bytes);
    free(c);
}

static void flush_rest(int ep, struct rest_of *c)
{
    ssize_t n = write(c->fd, c->bytes + c->done, c->len - c->done);

    if (n < 0 && errno != EAGAIN) {
        finish(c);
        return;
    }
    c->done += n < 0 ? 0 : (size_t)n;
    if (c->done == c->len) {
        c->len = c->done = 0;
        watch(ep, EPOLL_CTL_MOD, c, EPOLLIN);
    }
}

static void echo(int ep, struct rest_of *c, char *buffer)
{
    ssize_t got = read(c->fd, buffer, READ_BYTES), put;

    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        finish(c);
        return;
    }
    put = write(c->fd, buffer, (size_t)got);
    if (put < 0 && errno != EAGAIN) {
        finish(c);
        return;
    }
    if (put == got)
        return;
    put = put < 0 ? 0 : put;
    if (c->bytes == NULL)
        c->bytes = malloc(READ_BYTES);
    if (c->bytes == NULL)
        die("out of memory");
    c->len = (size_t)(got - put);
    memcpy(c->bytes, buffer + put, c->len);
    watch(ep, EPOLL_CTL_MOD, c, EPOLLOUT);
}

static void welcome(int ep, int listener)
{
    struct rest_of *c;
    int fd;

    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        make_ready(fd);
        c = calloc(1, sizeof(*c));
        if (c == NULL)
            die("out of memory");
        c->fd = fd;
        watch(ep, EPOLL_CTL_ADD, c, EPOLLIN);
    }
}

int main(int argc, char **argv)
{
    static char buffer[READ_BYTES];
    struct epoll_event events[256];
    struct rest_of door;
    int ep, i, n;

    if (argc != 2)
        die("usage: floor-epoll PORT");
    memset(&door, 0, sizeof(door));
    door.fd = listen_on((uint16_t)number_of(argv[1], "PORT", 1, 65535), 4096);
    ep = epoll_create1(EPOLL_CLOEXEC);
    watch(ep, EPOLL_CTL_ADD, &door, EPOLLIN);
    for (;;) {
        n = epoll_wait(ep, events, 256, -1);
        for (i = 0; i < n; i++) {
            struct rest_of *c = events[i].data.ptr;

            if (c == &door)
                welcome(ep, door.fd);
            else if (events[i].events & EPOLLOUT)
                flush_rest(ep, c);
            else
                echo(ep, c, buffer);
        }
    }
}
