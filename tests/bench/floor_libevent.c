/* SPDX-License-Identifier: MIT */
/*
 * The libevent floor: a bufferevent a connection, every line found and moved to the output by itself. (Of
 * evbuffer_readln, evbuffer_remove to the stack and evbuffer_remove_buffer the last is the cheapest, so it
 * is the floor.) A line server on libevent that also parses, stores and logs cannot be expected to cost
 * less without leaving the beaten path.
 *
 *     floor-libevent PORT
 */
#include "edge.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include <sys/socket.h>

#define LINE_MAX_BYTES 65536

static void on_read(struct bufferevent *bev, void *ctx)
{
    struct evbuffer *in = bufferevent_get_input(bev), *out = bufferevent_get_output(bev);
    struct evbuffer_ptr eol;

    (void)ctx;
    for (;;) {
        eol = evbuffer_search_eol(in, NULL, NULL, EVBUFFER_EOL_LF);
        if (eol.pos < 0)
            break;
        if (evbuffer_remove_buffer(in, out, (size_t)eol.pos + 1) < 0)
            die("out of memory");
    }
    if (evbuffer_get_length(in) > LINE_MAX_BYTES)
        bufferevent_free(bev);
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
    (void)ctx;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        bufferevent_free(bev);
}

static void on_door(evutil_socket_t listener, short what, void *ctx)
{
    struct event_base *base = ctx;
    struct bufferevent *bev;
    int fd;

    (void)what;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        make_ready(fd);
        bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
        if (bev == NULL)
            die("out of memory");
        bufferevent_setcb(bev, on_read, NULL, on_event, NULL);
        bufferevent_enable(bev, EV_READ | EV_WRITE);
    }
}

int main(int argc, char **argv)
{
    struct event_base *base = event_base_new();
    struct event *door;

    if (argc != 2)
        die("usage: floor-libevent PORT");
    if (base == NULL)
        die("no event base");
    door = event_new(base, listen_on((uint16_t)number_of(argv[1], "PORT", 1, 65535), 4096), EV_READ | EV_PERSIST,
                     on_door, base);
    if (door == NULL || event_add(door, NULL) < 0)
        die("out of memory");
    return event_base_dispatch(base) < 0;
}
