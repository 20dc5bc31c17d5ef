/* SPDX-License-Identifier: MIT */
/* Clients for servers that SEE named, made after the pattern of their root; and the end of any client. */
#include "client_life.h"

#include "client_request.h"
#include "client_transport.h"

#include <stdlib.h>
#include <string.h>

static void free_servers(struct herd_client *client)
{
    for (size_t i = 0; client->servers && i < client->options.server_count; i++)
        free((void *)(uintptr_t)client->servers[i].host);
    free(client->servers);
    free(client->preferred);
    client->servers = NULL;
    client->preferred = NULL;
}

static int fill(struct herd_client *client, struct herd_span host, uint16_t port)
{
    client->servers = calloc(1, sizeof *client->servers);
    client->preferred = calloc(1, sizeof *client->preferred);
    char *text = malloc(host.len + 1);
    if (text) {
        memcpy(text, host.at, host.len);
        text[host.len] = '\0';
    }
    if (!client->servers || !client->preferred || !text) {
        free(text);
        return HERD_E_NOMEM;
    }
    client->servers[0] = (struct herd_client_address){text, port};
    /* The functions of the root's events: they stand above this file. */
    client->timer = evtimer_new(client->base, event_get_callback(client->root->timer), client);
    client->work = event_new(client->base, -1, 0, event_get_callback(client->root->work), client);
    return client->timer && client->work ? 0 : HERD_E_NOMEM;
}

int herd_client_spawn(struct herd_client *root, struct herd_span host, uint16_t port,
                      struct herd_client **ret_client)
{
    struct herd_client *client = calloc(1, sizeof *client);
    if (!client)
        return HERD_E_NOMEM;
    client->root = root;
    client->base = root->base;
    client->options = root->options;
    client->options.servers = NULL;
    client->options.server_count = 1;
    client->security = root->security;
    client->token = root->token;
    client->backoff_ns = root->options.retry_min_ms * NS_PER_MS;
    herd_list_init(&client->requests);
    herd_list_init(&client->ages);
    int err = fill(client, host, port);
    if (err < 0) {
        herd_client_close(client);
        return err;
    }
    *ret_client = client;
    return 0;
}

void herd_client_close(struct herd_client *client)
{
    herd_client_enter(client);
    client->freed = true;
    herd_client_disconnect(client);
    while (!herd_list_empty(&client->requests))
        herd_client_forget(client, HERD_CONTAINER_OF(client->requests.next, struct herd_request, link));
    if (client->timer)
        event_free(client->timer);
    if (client->work)
        event_free(client->work);
    if (client == client->root) {
        if (client->token)
            herd_client_wipe(client->token, strlen(client->token));
        free(client->token);
        herd_resolver_release(client->resolver);
    }
    free_servers(client);
    herd_client_leave(client);
}
