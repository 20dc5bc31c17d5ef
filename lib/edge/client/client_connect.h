/* SPDX-License-Identifier: MIT */
/* The server a client uses. */
#ifndef HERD_EDGE_CLIENT_CONNECT_H
#define HERD_EDGE_CLIENT_CONNECT_H

#include "client_types.h"

/* Schedules the next attempt: at once, or after the back-off if every server has failed since the last reply. State
 * IDLE before, WAITING after. */
void herd_client_wake(struct herd_client *client);
/* Begins an attempt to connect, if a request is open. State WAITING before. */
void herd_client_connect(struct herd_client *client);
/* Closes the connection or attempt and, if requests are open, goes on with the next server, where they are sent
 * again. `why` is a sentence for on_disconnect. The caller checks `freed` afterwards. */
void herd_client_lost(struct herd_client *client, const char *why);
/* Closes the connection or attempt; the state is the caller's to set. */
void herd_client_disconnect(struct herd_client *client);
/* Does what the connection's events made necessary: the function of client->work. */
void herd_client_work(evutil_socket_t fd, short what, void *arg);

#endif
