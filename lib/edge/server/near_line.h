/* SPDX-License-Identifier: MIT */
/* The line NEAR, where limits.near_line is 1 and there is an area. */
#ifndef HERD_EDGE_SERVER_NEAR_LINE_H
#define HERD_EDGE_SERVER_NEAR_LINE_H

#include <herd/node.h>

struct herd_server;

/* Answers a COMMAND, at once or later, if it is this line. False: it is another one, which nobody has answered. */
bool herd_near_line(struct herd_server *server, const struct herd_effect *effect);

#endif
