/* SPDX-License-Identifier: MIT */
/* The line WATCH, where limits.watch_line is 1 and there is an area: what happens at fences is sent as lines. */
#ifndef HERD_EDGE_SERVER_WATCH_LINE_H
#define HERD_EDGE_SERVER_WATCH_LINE_H

#include "../../core/base/list.h"

#include <herd/node.h>

struct herd_conn;
struct herd_server;

/* Connections that watch at a time; a further one is answered with WATCH BUSY. */
#define HERD_LINE_WATCHERS_MAX 100
/* Fences that one names; or all. */
#define HERD_LINE_FENCES_MAX 64

/* What a connection watches: conn->watch. */
struct herd_line_watch {
    struct herd_list link; /* in the server's list */
    struct herd_conn *conn;
    struct herd_buf names; /* each with a LF behind it */
    size_t count;
    bool every;
    uint64_t lost; /* events that it did not get, because it took nothing, and is to be told of */
};

/* Answers a COMMAND if it is this line. False: it is another one, which nobody has answered. */
bool herd_watch_line(struct herd_server *server, const struct herd_effect *effect);
/* Tells those that lost events and read again how many, now and then: perhaps nothing happens at their fences any more. */
void herd_watch_lines_tell_lost(struct herd_server *server);
#endif
