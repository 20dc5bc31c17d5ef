/* SPDX-License-Identifier: MIT */
#include "cut.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ReadyForQuery, idle: the end of every answer. */
static const char ready[] = {'Z', 0, 0, 0, 5, 'I'};

enum what { PASS, SWALLOW, ANSWER, SILENT };

struct pair {
    struct pair *next;
    struct cut *cut;
    struct bufferevent *client, *server;
};

struct cut {
    struct event_base *base;
    struct evconnlistener *listener;
    struct pair *pairs;
    enum what what;
    struct herd_span answer;
    char dir[64], path[96], server[128];
};

static void end(struct pair *pair)
{
    if (pair->client)
        bufferevent_free(pair->client);
    if (pair->server)
        bufferevent_free(pair->server);
    pair->client = pair->server = NULL;
}

static void on_client(struct bufferevent *bev, void *arg)
{
    struct pair *pair = arg;
    bufferevent_write_buffer(pair->server, bufferevent_get_input(bev));
}

static void on_server(struct bufferevent *bev, void *arg)
{
    struct pair *pair = arg;
    struct cut *cut = pair->cut;
    struct evbuffer *input = bufferevent_get_input(bev);
    size_t len = evbuffer_get_length(input);
    const char *bytes = (const char *)evbuffer_pullup(input, -1);
    switch (cut->what) {
    case PASS: bufferevent_write_buffer(pair->client, input); break;
    case SWALLOW:
        if (len >= sizeof ready && memcmp(bytes + len - sizeof ready, ready, sizeof ready) == 0) {
            cut->what = PASS;
            end(pair);
        }
        break;
    case ANSWER:
        bufferevent_write(pair->client, cut->answer.at, cut->answer.len);
        cut->what = SILENT;
        evbuffer_drain(input, len);
        break;
    case SILENT: evbuffer_drain(input, len);
    }
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        end(arg);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int len,
                      void *arg)
{
    struct cut *cut = arg;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    (void)listener;
    (void)from;
    (void)len;
    memcpy(to.sun_path, cut->server, strlen(cut->server) + 1);
    struct pair *pair = calloc(1, sizeof *pair);
    if (!pair)
        abort();
    pair->cut = cut;
    pair->next = cut->pairs;
    cut->pairs = pair;
    pair->client = bufferevent_socket_new(cut->base, fd, BEV_OPT_CLOSE_ON_FREE);
    pair->server = bufferevent_socket_new(cut->base, -1, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(pair->client, on_client, NULL, on_event, pair);
    bufferevent_setcb(pair->server, on_server, NULL, on_event, pair);
    bufferevent_enable(pair->client, EV_READ | EV_WRITE);
    bufferevent_enable(pair->server, EV_READ | EV_WRITE);
    bufferevent_socket_connect(pair->server, (struct sockaddr *)&to, sizeof to);
}

struct cut *cut_new(struct event_base *base, const char *dir)
{
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    struct cut *cut = calloc(1, sizeof *cut);
    if (!cut)
        abort();
    cut->base = base;
    strcpy(cut->dir, "/tmp/herd-cut-XXXXXX");
    if (!mkdtemp(cut->dir))
        abort();
    snprintf(cut->path, sizeof cut->path, "%s/.s.PGSQL.5432", cut->dir);
    snprintf(cut->server, sizeof cut->server, "%s/.s.PGSQL.5432", dir);
    memcpy(own.sun_path, cut->path, strlen(cut->path) + 1);
    cut->listener = evconnlistener_new_bind(base, on_accept, cut, LEV_OPT_CLOSE_ON_FREE, -1,
                                            (struct sockaddr *)&own, sizeof own);
    if (!cut->listener)
        abort();
    return cut;
}

void cut_free(struct cut *cut)
{
    while (cut->pairs) {
        struct pair *pair = cut->pairs;
        cut->pairs = pair->next;
        end(pair);
        free(pair);
    }
    evconnlistener_free(cut->listener);
    unlink(cut->path);
    rmdir(cut->dir);
    free(cut);
}

const char *cut_dir(const struct cut *cut)
{
    return cut->dir;
}

void cut_before_answer(struct cut *cut)
{
    cut->what = SWALLOW;
}

void cut_answer(struct cut *cut, struct herd_span bytes)
{
    cut->what = ANSWER;
    cut->answer = bytes;
}

void cut_pass(struct cut *cut)
{
    cut->what = PASS;
}
