/* SPDX-License-Identifier: MIT */
/* Requests to the client that sends them; and from one to another. */
#include "client_queue.h"

#include "client_request.h"
#include "client_transport.h"

#include <assert.h>
#include <sys/random.h>

/* Returns a random wait between half of the back-off and all of it, and doubles the back-off. */
static int64_t wait_ns(struct herd_client *client)
{
    uint64_t random = 0;
    int64_t half = client->backoff_ns / 2, max_ns = client->options.retry_max_ms * NS_PER_MS;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = 0; /* less jitter */
    client->backoff_ns = client->backoff_ns < max_ns / 2 ? client->backoff_ns * 2 : max_ns;
    return half + (int64_t)(random % ((uint64_t)half + 1));
}

void herd_client_wake(struct herd_client *client)
{
    assert(client->state == HERD_CLIENT_IDLE && !client->transport && !client->connector);
    client->state = HERD_CLIENT_WAITING;
    client->state_deadline_ns = herd_clock().steady_ns;
    if (client->failures >= client->options.server_count) {
        client->failures = 0;
        client->state_deadline_ns += wait_ns(client);
    }
    herd_client_arm(client);
}

int herd_client_append(struct herd_client *client, struct herd_request *request)
{
    if (herd_client_sends(client)) {
        int err = herd_client_write(client, (struct herd_span){request->line.at, request->line.len});
        if (err < 0)
            return err;
    }
    if (request->owner) {
        herd_list_remove(&request->link);
        request->owner->pending--;
    }
    bool first = herd_list_empty(&client->requests);
    request->owner = client;
    herd_list_append(&client->requests, &request->link);
    client->pending++;
    if (client->state == HERD_CLIENT_UP && first)
        client->state_since_ns = herd_clock().steady_ns;
    if (client->state == HERD_CLIENT_IDLE)
        herd_client_wake(client);
    else
        herd_client_arm(client);
    return 0;
}
