/* SPDX-License-Identifier: MIT */
/* TLS on the connection of a client. Without OpenSSL: client_tls_none.c. */
#ifndef HERD_EDGE_CLIENT_TLS_H
#define HERD_EDGE_CLIENT_TLS_H

#include "client_types.h"

struct herd_diagnostic;

/* Reads the files of `tls`, or takes its context, for a client that has its copy of the servers. HERD_E_NOMEM; HERD_E_ARG,
 * HERD_E_IO, HERD_E_ACCESS, HERD_E_SYNTAX, HERD_E_UNSUPPORTED with the message of *reterr_diagnostic. */
int herd_client_tls_new(struct herd_client *client, const struct herd_client_tls *tls,
                        struct herd_diagnostic *reterr_diagnostic);
/* The connection is closed by then. A client without TLS is fine. */
void herd_client_tls_free(struct herd_client *client);

/* Whether a server at `host`, which SEE named, could prove that it is the one meant: by the name of the herd, or by a DNS name.
 * A root without TLS expects no proof. */
bool herd_client_tls_may_follow(const struct herd_client *root, const char *host);
/* Puts TLS on the new transport of the client: `opened` is set, and `work` made active, when the handshake is over.
 * HERD_E_NOMEM. */
int herd_client_tls_start(struct herd_client *client);
/* Why the server is not the one expected, when the handshake is over; NULL: it is. */
const char *herd_client_tls_refusal(const struct herd_client *client);
/* What went wrong on its TLS as "event: text", cut off where `size` ends. False: nothing did, or there is none. */
bool herd_client_tls_fault(const struct herd_client *client, char *text, size_t size);
/* Whether the connection ended without close_notify. */
bool herd_client_tls_truncated(const struct herd_client *client);
/* Lets a handshake that waits take its step. */
void herd_client_tls_iteration(struct herd_client *client);

#endif
