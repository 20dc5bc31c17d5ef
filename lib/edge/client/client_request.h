/* SPDX-License-Identifier: MIT */
/* The requests of a client, from the list's point of view, and the one timer for all deadlines. */
#ifndef HERD_EDGE_CLIENT_REQUEST_H
#define HERD_EDGE_CLIENT_REQUEST_H

#include "client_types.h"

/* Brackets everything that may call the program: a client freed meanwhile, and its root, keep their memory until the last
 * leave. */
void herd_client_enter(struct herd_client *client);
void herd_client_leave(struct herd_client *client);

/* Takes a request off the list and frees it, without a call of its function. */
void herd_client_forget(struct herd_client *client, struct herd_request *request);
/* Takes a request off the list and calls its function, unless that was done. `reply` is passed on if err is 0. The
 * caller checks `freed` afterwards. */
void herd_client_end(struct herd_client *client, struct herd_request *request, int err,
                     const struct herd_client_reply *reply);
/* Ends every request of a root whose deadline has passed, whoever sends it, with HERD_E_TIMEOUT. The caller checks `freed`
 * afterwards. */
void herd_client_end_late(struct herd_client *root, int64_t now_ns);
/* Forgets the requests that ended while their reply was still to come: the connection is closed, it will not. */
void herd_client_forget_ended(struct herd_client *client);
/* Sets the timer to the earliest deadline, of a root's requests or of the state. */
void herd_client_arm(struct herd_client *client);

#endif
