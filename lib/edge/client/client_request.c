/* SPDX-License-Identifier: MIT */
/* The list of requests: their ends, their deadlines, and the timer set to the earliest. */
#include "client_request.h"

#include "client_tls.h"

#include <assert.h>
#include <stdlib.h>

void herd_client_enter(struct herd_client *client)
{
    client->depth++;
    if (client->root != client)
        client->root->depth++;
}

/* Closes the connection that was left, whose last reply nobody reads any more. */
static void drop_retired(struct herd_client *client)
{
    if (client->retired) {
        herd_transport_close(client->retired);
        herd_transport_free(client->retired);
    }
    client->retired = NULL;
    if (!client->transport) {
        free(client->sockets.scratch);
        client->sockets.scratch = NULL;
    }
}

static void leave(struct herd_client *client)
{
    assert(client->depth > 0);
    if (--client->depth > 0)
        return;
    drop_retired(client);
    if (!client->freed)
        return;
    if (client->root == client)
        herd_client_tls_free(client);
    if (client->follow)
        free(client->follow->ids);
    free(client->follow);
    free(client);
}

void herd_client_leave(struct herd_client *client)
{
    struct herd_client *root = client->root;
    leave(client);
    if (root != client)
        leave(root);
}

void herd_client_forget(struct herd_client *client, struct herd_request *request)
{
    assert(herd_list_linked(&request->link));
    assert(request->owner == client);
    assert(request->ended || client->pending > 0);
    client->pending -= !request->ended;
    client->root->open -= !request->ended;
    herd_list_remove(&request->link);
    herd_list_remove(&request->age);
    herd_buf_fini(&request->line);
    free(request);
}

void herd_client_end(struct herd_client *client, struct herd_request *request, int err,
                     const struct herd_client_reply *reply)
{
    assert(client->depth > 0);
    assert((err == 0) == (reply != NULL));
    herd_client_done *done = request->ended ? NULL : request->done;
    void *ctx = request->ctx;
    herd_client_forget(client, request);
    if (done)
        done(ctx, err, reply);
}

void herd_client_forget_ended(struct herd_client *client)
{
    struct herd_list *next;
    for (struct herd_list *at = client->requests.next; at != &client->requests; at = next) {
        struct herd_request *request = HERD_CONTAINER_OF(at, struct herd_request, link);
        next = at->next;
        if (request->ended)
            herd_client_forget(client, request);
    }
}

/* Returns the oldest request whose function has not been called, or NULL: of a root, and of all that it followed to. */
static struct herd_request *oldest_open(struct herd_client *root)
{
    return herd_list_empty(&root->ages) ? NULL : HERD_CONTAINER_OF(root->ages.next, struct herd_request, age);
}

/* A request that was sent keeps its place in the list of its owner, so that later replies find theirs. */
static void end_before_reply(struct herd_request *request)
{
    request->ended = true;
    request->owner->pending--;
    request->owner->root->open--;
    herd_list_remove(&request->age);
    if (request->done)
        request->done(request->ctx, HERD_E_TIMEOUT, NULL);
}

void herd_client_end_late(struct herd_client *root, int64_t now_ns)
{
    struct herd_request *request;
    while (!root->freed && (request = oldest_open(root)) && request->deadline_ns <= now_ns) {
        struct herd_client *owner = request->owner;
        herd_client_enter(owner);
        if (herd_client_sends(owner))
            end_before_reply(request);
        else
            herd_client_end(owner, request, HERD_E_TIMEOUT, NULL);
        herd_client_leave(owner);
    }
}

/* Asserts what holds of every state between two events. */
static void check_state(const struct herd_client *client)
{
    assert((client->state >= HERD_CLIENT_HANDSHAKE) == (client->transport != NULL));
    assert((client->state == HERD_CLIENT_CONNECTING) == (client->connector != NULL));
    assert(client->server_index < client->options.server_count);
    assert(client->pending == 0 || client->state != HERD_CLIENT_IDLE);
    assert(client->pending == 0 || !herd_list_empty(&client->requests));
    (void)client;
}

static int64_t min_ns(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void herd_client_arm(struct herd_client *client)
{
    if (client->freed)
        return;
    check_state(client);
    const struct herd_request *open = client == client->root ? oldest_open(client) : NULL;
    int64_t next_ns = open ? open->deadline_ns : INT64_MAX;
    if (client->state != HERD_CLIENT_IDLE && client->state != HERD_CLIENT_UP)
        next_ns = min_ns(next_ns, client->state_deadline_ns);
    if (client->state == HERD_CLIENT_UP && !herd_list_empty(&client->requests))
        next_ns = min_ns(next_ns, client->state_since_ns + client->options.reply_ms * NS_PER_MS);
    if (next_ns == INT64_MAX) {
        evtimer_del(client->timer);
        return;
    }
    struct timeval wait = herd_timeval_ns(next_ns - herd_clock().steady_ns);
    evtimer_add(client->timer, &wait);
}
