/* SPDX-License-Identifier: MIT */
/* Clients beside the program's own, and the end of any. */
#ifndef HERD_EDGE_CLIENT_LIFE_H
#define HERD_EDGE_CLIENT_LIFE_H

#include "client_types.h"

/* Makes a client with the one server `host` (copied) and `port` that follows from `root`: its bounds, its TLS, its token.
 * Its requests end as those of the root. Owned: herd_client_close. HERD_E_NOMEM. */
int herd_client_spawn(struct herd_client *root, struct herd_span host, uint16_t port,
                      struct herd_client **ret_client);
/* Closes the connection and forgets the requests; their functions are not called. The memory is freed when the last callback
 * has returned. */
void herd_client_close(struct herd_client *client);

#endif
