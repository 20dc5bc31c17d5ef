/* SPDX-License-Identifier: MIT */
/*
 * The floors of a phone's report over HTTP: a server that takes the JSON of OwnTracks apart with json-c, reads place and time
 * in it, and answers with an empty list. It keeps nothing and tells nobody.
 *
 *     floor-report PORT epoll     raw epoll, which looks for Content-Length and the end of the head, and at nothing else of it
 *     floor-report PORT evhttp    libevent's HTTP server
 */
#include "edge.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_BYTES 8192

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]";
static struct json_tokener *tokener;
static double sum; /* of what was read: it is used */

static void take(const char *body, size_t len)
{
    struct json_object *report, *lat, *lon, *time;

    json_tokener_reset(tokener);
    report = json_tokener_parse_ex(tokener, body, (int)len);
    if (report == NULL || !json_object_object_get_ex(report, "lat", &lat) ||
        !json_object_object_get_ex(report, "lon", &lon) || !json_object_object_get_ex(report, "tst", &time))
        die("not the JSON of a report");
    sum += json_object_get_double(lat) + json_object_get_double(lon) + (double)json_object_get_int64(time);
    json_object_put(report);
}

/* ---- epoll ---- */

struct connection {
    int fd;
    size_t len;
    char bytes[REQUEST_BYTES + 1];
};

static void finish(struct connection *c)
{
    close(c->fd);
    free(c);
}

/* The length of the first request; 0: it is not whole. */
static size_t request_whole(const struct connection *c, size_t *ret_head_len)
{
    static const char field[] = "Content-Length: ";
    const char *end = memmem(c->bytes, c->len, "\r\n\r\n", 4), *length;
    size_t head_len, body_len;

    if (end == NULL)
        return 0;
    head_len = (size_t)(end + 4 - c->bytes);
    length = memmem(c->bytes, head_len, field, sizeof(field) - 1);
    if (length == NULL)
        die("a request without %s", field);
    body_len = strtoul(length + sizeof(field) - 1, NULL, 10);
    *ret_head_len = head_len;
    return head_len + body_len <= c->len ? head_len + body_len : 0;
}

static void on_readable(struct connection *c)
{
    ssize_t got = read(c->fd, c->bytes + c->len, REQUEST_BYTES - c->len);
    size_t whole, head_len;

    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        finish(c);
        return;
    }
    c->len += (size_t)got;
    c->bytes[c->len] = '\0';
    while ((whole = request_whole(c, &head_len)) > 0) {
        take(c->bytes + head_len, whole - head_len);
        if (write(c->fd, answer, sizeof(answer) - 1) != (ssize_t)(sizeof(answer) - 1))
            die("an answer was not taken");
        c->len -= whole;
        memmove(c->bytes, c->bytes + whole, c->len + 1);
    }
    if (c->len == REQUEST_BYTES)
        die("a request is too long");
}

static void watch(int ep, struct connection *c)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

    if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &event) < 0)
        die("epoll_ctl: %s", strerror(errno));
}

static _Noreturn void serve_epoll(int listener)
{
    struct epoll_event events[256];
    struct connection door = {.fd = listener}, *c;
    int ep = epoll_create1(EPOLL_CLOEXEC), fd, i, n;

    watch(ep, &door);
    for (;;) {
        n = epoll_wait(ep, events, 256, -1);
        for (i = 0; i < n; i++) {
            if (events[i].data.ptr != &door) {
                on_readable(events[i].data.ptr);
                continue;
            }
            while ((fd = accept(listener, NULL, NULL)) >= 0) {
                make_ready(fd);
                c = calloc(1, sizeof(*c));
                if (c == NULL)
                    die("out of memory");
                c->fd = fd;
                watch(ep, c);
            }
        }
    }
}

/* ---- evhttp ---- */

static void on_request(struct evhttp_request *request, void *ctx)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(request), *out = evbuffer_new();
    size_t len = evbuffer_get_length(in);

    (void)ctx;
    if (out == NULL || evbuffer_add(out, "[]", 2) < 0)
        die("out of memory");
    take((const char *)evbuffer_pullup(in, -1), len);
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", "application/json");
    evhttp_send_reply(request, 200, "OK", out);
    evbuffer_free(out);
}

static int serve_evhttp(int listener)
{
    struct event_base *base = event_base_new();
    struct evhttp *http = base == NULL ? NULL : evhttp_new(base);

    if (http == NULL)
        die("no event base");
    evhttp_set_gencb(http, on_request, NULL);
    if (evhttp_accept_socket(http, listener) < 0)
        die("out of memory");
    return event_base_dispatch(base) < 0;
}

int main(int argc, char **argv)
{
    int listener;

    if (argc != 3 || (strcmp(argv[2], "epoll") != 0 && strcmp(argv[2], "evhttp") != 0))
        die("usage: floor-report PORT epoll|evhttp");
    tokener = json_tokener_new();
    if (tokener == NULL)
        die("out of memory");
    listener = listen_on((uint16_t)number_of(argv[1], "PORT", 1, 65535), 4096);
    if (argv[2][1] == 'p')
        serve_epoll(listener);
    return serve_evhttp(listener);
}
