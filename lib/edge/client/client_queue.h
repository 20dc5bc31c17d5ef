/* SPDX-License-Identifier: MIT */
/* Who sends a request. */
#ifndef HERD_EDGE_CLIENT_QUEUE_H
#define HERD_EDGE_CLIENT_QUEUE_H

#include "client_types.h"

/* Schedules the next attempt: at once, or after the back-off if every server has failed since the last reply. State
 * IDLE before, WAITING after. */
void herd_client_wake(struct herd_client *client);
/* Puts a request that has not ended behind those of a client, which sends it if it is connected and connects if not. It is
 * taken from its owner, if it has one. HERD_E_NOMEM: nothing has changed. */
int herd_client_append(struct herd_client *client, struct herd_request *request);

#endif
