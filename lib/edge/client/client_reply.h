/* SPDX-License-Identifier: MIT */
/* Replies of a server. */
#ifndef HERD_EDGE_CLIENT_REPLY_H
#define HERD_EDGE_CLIENT_REPLY_H

#include "client_types.h"

/* Takes every whole reply from the connection and ends its request. Returns NULL, or why the client has to leave
 * this server: a sentence for herd_client_lost. The client may have been freed; then the result is NULL.
 * Only in states AUTH and UP. */
const char *herd_client_read_replies(struct herd_client *client);
/* The server is of use: state UP, and the program is told. It may have freed the client then. */
void herd_client_up(struct herd_client *client);

#endif
