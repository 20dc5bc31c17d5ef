/* SPDX-License-Identifier: MIT */
/* Replies of a server. */
#ifndef HERD_EDGE_CLIENT_REPLY_H
#define HERD_EDGE_CLIENT_REPLY_H

#include "client_types.h"

/* Takes every whole reply from the connection and ends its request. Returns NULL, or why the client has to leave
 * this server: a static sentence for herd_client_lost. The client may have been freed; then the result is NULL.
 * Only in state UP. */
const char *herd_client_read_replies(struct herd_client *client);

#endif
