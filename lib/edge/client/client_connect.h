/* SPDX-License-Identifier: MIT */
/* The server a client uses. */
#ifndef HERD_EDGE_CLIENT_CONNECT_H
#define HERD_EDGE_CLIENT_CONNECT_H

#include "client_types.h"

/* Begins an attempt to connect, if a request is open. State WAITING before. */
void herd_client_connect(struct herd_client *client);
/* Closes the connection or attempt and, if requests are open, goes on with the next server, where they are sent
 * again; a followed one gives them back to its root. `why` is a sentence for on_disconnect. The caller checks `freed` afterwards. */
void herd_client_lost(struct herd_client *client, const char *why);
/* Does what the connection's events made necessary: the function of client->work. */
void herd_client_work(evutil_socket_t fd, short what, void *arg);

#endif
