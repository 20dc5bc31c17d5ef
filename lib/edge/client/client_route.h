/* SPDX-License-Identifier: MIT */
/*
 * Servers that SEE named. Each is a client of its own beside the one that the program has, its *root*: with one server, a
 * connection, and the requests that were sent there. Which of them a request goes to first follows from its bucket, as far
 * as that is known.
 */
#ifndef HERD_EDGE_CLIENT_ROUTE_H
#define HERD_EDGE_CLIENT_ROUTE_H

#include "client_types.h"

#include <herd/protocol.h>

/* So often a request is followed. */
#define HERD_CLIENT_HOPS_MAX 3
/* So many servers are followed to at a time. */
#define HERD_CLIENT_ROUTES_MAX 256

/* Makes what a root needs to follow. HERD_E_NOMEM, HERD_E_IO (no random bytes). */
int herd_client_follow_new(struct herd_client *root);
/* Closes every client that a root followed to. None is fine. */
void herd_client_follow_close(struct herd_client *root);

/* The client that a request for `id` is sent by: the root, or one that was followed to. */
struct herd_client *herd_client_route(struct herd_client *root, struct herd_span id);

/* Finds or makes the client for the server that `see` names, in answer to a request for `id`, and remembers the bucket.
 * `asker` is who heard it. HERD_E_ADDRESS: the program does not want it, or the server could prove nothing;
 * HERD_E_LIMIT: too many are busy; HERD_E_NOMEM. The program may have freed the root meanwhile: the caller looks. */
int herd_client_route_learn(struct herd_client *asker, struct herd_span id, const struct herd_command *see,
                            struct herd_client **ret_client);
/* Forgets which buckets are at the server of a followed client. */
void herd_client_route_forget(struct herd_client *client);

#endif
