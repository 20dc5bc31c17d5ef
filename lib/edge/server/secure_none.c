/* SPDX-License-Identifier: MIT */
/* A library without OpenSSL: no configuration with TLS is taken, so none of this is ever asked for. */
#include "server_impl.h"

void herd_secure_init(struct herd_server *server, herd_secure_opened_fn *opened)
{
    (void)server;
    (void)opened;
}

void herd_secure_fini(struct herd_server *server)
{
    (void)server;
}

void herd_secure_iteration(struct herd_server *server)
{
    (void)server;
}

int herd_secure_start(struct herd_conn *conn, enum herd_tls_role role, struct herd_span name)
{
    (void)conn;
    (void)role;
    (void)name;
    return HERD_E_UNSUPPORTED;
}

bool herd_secure_busy(const struct herd_conn *conn)
{
    (void)conn;
    return false;
}

void herd_secure_started(struct herd_conn *conn)
{
    (void)conn;
}

const struct herd_tls_stream *herd_secure_stream(const struct herd_conn *conn)
{
    (void)conn;
    return NULL;
}

const struct herd_tls_fault *herd_secure_tls_fault(const struct herd_conn *conn)
{
    (void)conn;
    return NULL;
}

bool herd_secure_truncated(const struct herd_conn *conn)
{
    (void)conn;
    return false;
}
