/* SPDX-License-Identifier: MIT */
/*
 * Connections from a proxy's address: nothing is taken from them but the header that says from whom they are. From then on
 * they are that client's to every limit and to the log; without one, or with one that is not proper, they are closed.
 */
#include "../../core/node/session.h"
#include "../../core/protocol/proxy_header.h"
#include "../net/network.h"
#include "conn.h"
#include "listen.h"

#include <stdlib.h>
#include <string.h>

struct herd_network *herd_proxied_networks(const struct herd_config *config)
{
    size_t count = config->http.proxy_count;
    struct herd_network *networks = calloc(count + 1, sizeof *networks);
    for (size_t i = 0; networks && i < count; i++)
        if (!herd_network_parse(config->http.proxies[i], &networks[i]))
            networks[i].bits = 128; /* of "::": nobody. A configuration of the program's own may hold anything */
    return networks;
}

bool herd_proxied_from(const struct herd_server *server, const uint64_t address[2])
{
    for (size_t i = 0; i < server->proxy_count; i++)
        if (herd_network_has(&server->proxies[i], (const unsigned char *)address))
            return true;
    return false;
}

static void refuse(struct herd_conn *conn, const char *why)
{
    herd_conn_log_refused(conn->server, conn, why);
    herd_conn_close(conn, why);
}

/* The connection is the client's from now on. False: it was closed. */
static bool name(struct herd_conn *conn, const struct herd_proxy_header *header)
{
    struct herd_server *server = conn->server;
    conn->unnamed = false;
    conn->label_len = 0;
    if (header->named) {
        memcpy(conn->address, header->address, sizeof header->address);
        conn->port = header->port;
    }
    const struct herd_now now = herd_clock();
    int err = herd_addresses_acquire(&server->addresses, conn->address, server->limits->clients_per_address_max,
                                     now.steady_ns);
    if (err < 0) {
        refuse(conn, err == HERD_E_LIMIT ? "clients_per_address_max" : "out_of_memory");
        return false;
    }
    conn->addressed = true;
    herd_session_await_message(conn->session, now);
    return herd_secure_accepted(conn);
}

bool herd_proxied_first(struct herd_conn *conn)
{
    struct herd_span bytes;
    struct herd_proxy_header header;
    if (herd_transport_peek(conn->transport, &bytes) < 0) {
        herd_conn_close(conn, "out_of_memory");
        return true;
    }
    switch (herd_proxy_header_scan(bytes, &header)) {
    case HERD_PROXY_MORE: return true;
    case HERD_PROXY_FAULT: refuse(conn, "proxy_header"); return true;
    case HERD_PROXY_DONE: break;
    }
    size_t more = bytes.len - header.len;
    if (herd_transport_consume(conn->transport, header.len) < 0) {
        herd_conn_close(conn, "out_of_memory");
        return true;
    }
    return !name(conn, &header) || more == 0;
}
