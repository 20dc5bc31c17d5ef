/* SPDX-License-Identifier: MIT */
/* The connection of a client: made, written to, ended. */
#ifndef HERD_EDGE_CLIENT_TRANSPORT_H
#define HERD_EDGE_CLIENT_TRANSPORT_H

#include "client_types.h"

/* Makes the transport of a socket, which is the client's or closed. HERD_E_NOMEM. */
int herd_client_attach(struct herd_client *client, const struct herd_connect_result *result);
/* Takes the transport off the client; it is closed at the last herd_client_leave. None is fine. */
void herd_client_retire(struct herd_client *client);

/* Closes the connection or attempt; the state is the caller's to set. */
void herd_client_disconnect(struct herd_client *client);

/* Adds lines to what leaves at the end of this turn of the loop. HERD_E_NOMEM: they are not added. */
int herd_client_write(struct herd_client *client, struct herd_span bytes);
/* Sends the token, if there is one, and every request of the list. HERD_E_NOMEM. */
int herd_client_write_all(struct herd_client *client);
/* Sends what was added. A failure ends the connection: see client->ended. */
void herd_client_flush(struct herd_client *client);

#endif
