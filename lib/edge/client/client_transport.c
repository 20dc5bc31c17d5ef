/* SPDX-License-Identifier: MIT */
/*
 * The connection of a client. Lines made in one turn of the loop leave together: a system call and a record of TLS cost
 * more than a line does.
 */
#include "client_transport.h"

#include "client_tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Memory for lines up to this size is kept. */
#define OUT_KEEP_BYTES 65536

/* ---- what happens on it ---- */

static void end(struct herd_client *client, const char *why)
{
    if (!client->ended && !herd_client_tls_fault(client, client->why, sizeof client->why))
        snprintf(client->why, sizeof client->why, "%s", why);
    client->ended = true;
    event_active(client->work, EV_TIMEOUT, 0);
}

static void on_input(void *ctx)
{
    const struct herd_client *client = ctx;
    event_active(client->work, EV_TIMEOUT, 0);
}

static void on_eof(void *ctx)
{
    struct herd_client *client = ctx;
    end(client, herd_client_tls_truncated(client) ? "tls_truncated: the connection ended without close_notify"
                                                  : "closed by the server");
}

static void on_drained(void *ctx)
{
    (void)ctx;
}

static void on_failed(void *ctx, const char *why)
{
    struct herd_client *client = ctx;
    (void)why;
    end(client, client->security && !client->opened ? "tls_failed: the connection ended in the handshake"
                                                    : "connection broken");
}

static const struct herd_transport_events events = {on_input, on_eof, on_drained, on_failed};

/* ---- its life ---- */

int herd_client_attach(struct herd_client *client, const struct herd_connect_result *result)
{
    client->opened = client->ended = false;
    client->out.len = 0;
    client->to_loopback = herd_sockaddr_is_loopback(&result->address.u.any);
    client->sockets.base = client->base;
    if (!client->sockets.scratch)
        client->sockets.scratch = malloc(HERD_SOCKET_SCRATCH_BYTES);
    if (client->sockets.scratch &&
        herd_socket_new(&client->transport, &client->sockets, result->fd, &events, client) >= 0)
        return 0;
    close(result->fd);
    return HERD_E_NOMEM;
}

void herd_client_retire(struct herd_client *client)
{
    assert(client->depth > 0);
    if (!client->transport)
        return;
    assert(!client->retired);
    client->retired = client->transport;
    client->transport = NULL;
    herd_buf_fini(&client->out);
}

void herd_client_disconnect(struct herd_client *client)
{
    herd_connect_cancel(client->connector);
    client->connector = NULL;
    herd_client_retire(client);
    client->searched = 0;
}

/* ---- writing ---- */

/* Sends what was added, whose first `secret_len` bytes are wiped then. */
static void send_out(struct herd_client *client, size_t secret_len)
{
    struct herd_span bytes = {client->out.at, client->out.len};
    client->out.len = 0;
    if (bytes.len == 0)
        return;
    int err = herd_transport_send(client->transport, bytes);
    if (err < 0)
        end(client, err == HERD_E_NOMEM ? "out of memory" : "connection broken");
    herd_client_wipe(client->out.at, secret_len);
    if (client->out.cap > OUT_KEEP_BYTES)
        herd_buf_fini(&client->out);
}

int herd_client_write(struct herd_client *client, struct herd_span bytes)
{
    int err = herd_buf_add(&client->out, bytes.at, bytes.len);
    if (err >= 0)
        event_active(client->work, EV_TIMEOUT, 0);
    return err;
}

int herd_client_write_all(struct herd_client *client)
{
    struct herd_buf *out = &client->out;
    size_t token_len = client->token ? strlen(client->token) : 0, auth_len = client->token ? token_len + 6 : 0;
    size_t len = auth_len;
    for (struct herd_list *at = client->requests.next; at != &client->requests; at = at->next)
        len += HERD_CONTAINER_OF(at, struct herd_request, link)->line.len;
    out->len = 0;
    if (herd_buf_reserve(out, len + 1) < 0) /* so that no copy of the token is left behind */
        return HERD_E_NOMEM;
    if (client->token) {
        herd_buf_add(out, "AUTH ", 5);
        herd_buf_add(out, client->token, token_len);
        herd_buf_add(out, "\n", 1);
    }
    for (struct herd_list *at = client->requests.next; at != &client->requests; at = at->next) {
        const struct herd_request *request = HERD_CONTAINER_OF(at, struct herd_request, link);
        herd_buf_add(out, request->line.at, request->line.len);
    }
    send_out(client, auth_len);
    return 0;
}

void herd_client_flush(struct herd_client *client)
{
    send_out(client, 0);
}
