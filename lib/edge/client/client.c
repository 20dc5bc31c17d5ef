/* SPDX-License-Identifier: MIT */
/* Creates and destroys a client, and does what is due when its timer fires. */
#include "client_connect.h"
#include "client_life.h"
#include "client_request.h"
#include "client_route.h"
#include "client_tls.h"

#include <herd/config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The longest token that is sent. */
#define TOKEN_MAX 4096

static bool fill_time(int64_t *io_ms, int64_t standard_ms)
{
    if (*io_ms == 0)
        *io_ms = standard_ms;
    return *io_ms > 0 && *io_ms <= INT64_MAX / 4 / NS_PER_MS;
}

static bool fill_defaults(struct herd_client_options *o)
{
    bool good = fill_time(&o->connect_ms, 3000) && fill_time(&o->reply_ms, 10000) &&
                fill_time(&o->timeout_ms, 30000) && fill_time(&o->retry_min_ms, 100) &&
                fill_time(&o->retry_max_ms, 5000) && o->server_count > 0;
    if (o->requests_max == 0)
        o->requests_max = 1024;
    if (o->reply_max_bytes == 0)
        o->reply_max_bytes = 2097152;
    for (size_t i = 0; good && i < o->server_count; i++)
        good = o->servers[i].host && o->servers[i].host[0] && o->servers[i].port;
    return good;
}

static int copy_servers(struct herd_client *client)
{
    client->servers = calloc(client->options.server_count, sizeof *client->servers);
    client->preferred = calloc(client->options.server_count, sizeof *client->preferred);
    if (!client->servers || !client->preferred)
        return HERD_E_NOMEM;
    for (size_t i = 0; i < client->options.server_count; i++) {
        client->servers[i].port = client->options.servers[i].port;
        client->servers[i].host = strdup(client->options.servers[i].host);
        if (!client->servers[i].host)
            return HERD_E_NOMEM;
    }
    return 0;
}

static int copy_token(struct herd_client *client, struct herd_diagnostic *diagnostic)
{
    const char *token = client->options.token;
    if (!token)
        return 0;
    size_t len = strlen(token);
    bool good = len > 0 && len <= TOKEN_MAX;
    for (size_t i = 0; i < len && good; i++)
        good = (unsigned char)token[i] > ' ' && token[i] != 0x7f;
    if (!good) {
        snprintf(diagnostic->message, sizeof diagnostic->message,
                 "the token: expected 1 to %d bytes without white space or control characters", TOKEN_MAX);
        return HERD_E_ARG;
    }
    client->token = strdup(token);
    return client->token ? 0 : HERD_E_NOMEM;
}

/* What proves who is who. The diagnostic of the options gets why it is refused. */
static int open_security(struct herd_client *client)
{
    const struct herd_client_options *o = &client->options;
    struct herd_diagnostic diagnostic = {0};
    int err = copy_token(client, &diagnostic);
    if (err >= 0 && o->tls)
        err = herd_client_tls_new(client, o->tls, &diagnostic);
    if (err < 0 && o->diagnostic) {
        if (!diagnostic.message[0])
            snprintf(diagnostic.message, sizeof diagnostic.message, "%s", herd_strerror(err));
        *o->diagnostic = diagnostic;
    }
    /* These are the program's again. */
    client->options.token = NULL;
    client->options.tls = NULL;
    client->options.diagnostic = NULL;
    return err;
}

static void on_timer(evutil_socket_t fd, short what, void *arg);

int herd_client_new(struct herd_client **ret_client, struct event_base *base,
                    const struct herd_client_options *options)
{
    if (!ret_client || !base || !options)
        return HERD_E_ARG;
    struct herd_client_options filled = *options;
    if (!fill_defaults(&filled))
        return HERD_E_ARG;
    struct herd_client *client = calloc(1, sizeof *client);
    if (!client)
        return HERD_E_NOMEM;
    client->root = client;
    client->base = base;
    client->options = filled;
    client->backoff_ns = filled.retry_min_ms * NS_PER_MS;
    herd_list_init(&client->requests);
    herd_list_init(&client->ages);
    client->timer = evtimer_new(base, on_timer, client);
    client->work = event_new(base, -1, 0, herd_client_work, client);
    int err = client->timer && client->work ? copy_servers(client) : HERD_E_NOMEM;
    if (err >= 0)
        err = open_security(client);
    if (err >= 0 && filled.bucket_key) {
        client->bucket_key = *filled.bucket_key;
        client->has_bucket_key = true;
    }
    client->options.bucket_key = NULL;
    if (err >= 0 && filled.follow)
        err = herd_client_follow_new(client);
    if (err < 0) {
        herd_client_free(client);
        return err;
    }
    *ret_client = client;
    return 0;
}

void herd_client_free(struct herd_client *client)
{
    if (!client || client->freed)
        return;
    herd_client_enter(client);
    herd_client_follow_close(client);
    herd_client_close(client);
    herd_client_leave(client);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct herd_client *client = arg;
    int64_t now_ns = herd_clock().steady_ns;
    herd_client_enter(client);
    if (client == client->root)
        herd_client_end_late(client, now_ns);
    if (client->freed)
        goto out;
    switch (client->state) {
    case HERD_CLIENT_IDLE: break;
    case HERD_CLIENT_WAITING:
        if (now_ns >= client->state_deadline_ns)
            herd_client_connect(client);
        break;
    case HERD_CLIENT_CONNECTING:
        if (now_ns >= client->state_deadline_ns)
            herd_client_lost(client, "no connection in time");
        break;
    case HERD_CLIENT_HANDSHAKE:
        if (now_ns >= client->state_deadline_ns)
            herd_client_lost(client, "no handshake in time");
        break;
    case HERD_CLIENT_AUTH:
        if (now_ns >= client->state_deadline_ns)
            herd_client_lost(client, "no answer to the token in time");
        break;
    case HERD_CLIENT_UP:
        if (!herd_list_empty(&client->requests) &&
            now_ns >= client->state_since_ns + client->options.reply_ms * NS_PER_MS)
            herd_client_lost(client, "no reply in time");
        break;
    }
    herd_client_arm(client);
out:
    herd_client_leave(client);
}
