/* SPDX-License-Identifier: MIT */
/* Who is at the other end of a connection. */
#ifndef HERD_EDGE_SECURE_H
#define HERD_EDGE_SECURE_H

#include "../tls/tls.h"
#include "../trust/trust.h"

struct herd_conn;
struct herd_effect;
struct herd_server;

/* ---- secure_tls.c; without OpenSSL secure_none.c ---- */
/* A handshake is over. False: the connection was closed. */
typedef bool herd_secure_opened_fn(struct herd_conn *conn, enum herd_tls_proof proof, struct herd_span name);
/* Prepares what the streams of a server share. */
void herd_secure_init(struct herd_server *server, herd_secure_opened_fn *opened);
void herd_secure_fini(struct herd_server *server);
/* Another iteration of the loop begins: handshakes that wait take a step. */
void herd_secure_iteration(struct herd_server *server);
/* Puts TLS on the transport of a connection; a client expects server `name`. HERD_E_NOMEM. */
int herd_secure_start(struct herd_conn *conn, enum herd_tls_role role, struct herd_span name);
/* Whether a step of its handshake is being computed, or waits for that. */
bool herd_secure_busy(const struct herd_conn *conn);
/* Takes the bytes that came before; may close the connection. */
void herd_secure_started(struct herd_conn *conn);
/* NULL: no TLS. */
const struct herd_tls_stream *herd_secure_stream(const struct herd_conn *conn);
/* What went wrong on its TLS; NULL: nothing. */
const struct herd_tls_fault *herd_secure_tls_fault(const struct herd_conn *conn);
bool herd_secure_truncated(const struct herd_conn *conn);

/* ---- secure.c ---- */
/* Whether the other end is on this machine. */
bool herd_secure_is_local(const struct herd_conn *conn);
/* A client was accepted, and has its session: tells it who that is until more is known. False: it was closed. */
bool herd_secure_accepted(struct herd_conn *conn);
/* The first bytes of an undecided connection, or its end. True: they are dealt with; look at its state. */
bool herd_secure_first(struct herd_conn *conn);
/* What follows from a handshake that is over. */
herd_secure_opened_fn herd_secure_opened;
/* A socket to neighbour `peer` is connected, and has its transport. HERD_E_NOMEM. */
int herd_secure_dialled(struct herd_conn *conn, size_t peer);
/* Logs why a connection's TLS failed, if it did. */
void herd_secure_fault(struct herd_conn *conn);
/* An AUTH effect. */
void herd_secure_auth(struct herd_server *server, const struct herd_effect *effect);
/* Tells the next one whose time has come that its token is wrong, and returns it, open or closed by now; NULL: none. */
struct herd_conn *herd_secure_answer_late(struct herd_server *server);
/* Handshakes that waited for a place begin. */
void herd_secure_admit(struct herd_server *server);
void herd_secure_housekeeping(struct herd_server *server);
/* server->trust is another one than `old`, which is freed: live connections are judged anew. */
void herd_secure_reloaded(struct herd_server *server, struct herd_trust *old);

/* ---- secure_files.c ---- */
/* Opens the files of the configuration. Errors with *reterr_diagnostic. */
int herd_secure_open(struct herd_server *server, struct herd_diagnostic *reterr_diagnostic);
/* The same for another configuration: *ret_old is what was there. */
int herd_secure_reload(struct herd_server *server, const struct herd_config *config, struct herd_trust **ret_old,
                       struct herd_diagnostic *reterr_diagnostic);
/* Logs who may do what, if `old` let others in. */
void herd_secure_log_access(struct herd_server *server, const struct herd_trust *old);
/* Warns, daily, of what ends soon. */
void herd_secure_watch_ends(struct herd_server *server);

#endif
