/* SPDX-License-Identifier: MIT */
/* One connection: its state and what the log says of it, its output, its protocol. */
#ifndef HERD_EDGE_SERVER_CONN_H
#define HERD_EDGE_SERVER_CONN_H

#include "server_impl.h"

/* ---- conn_log.c ---- */
/* Writes the peer's address and port to `text`; "local:0" for what is no IP address. */
struct herd_span herd_conn_address(const struct herd_conn *conn, char text[HERD_LABEL_MAX]);
/* "client=127.0.0.1:5000" or "peer=Jaquez", for the log; borrowed until the connection is freed. */
struct herd_span herd_conn_label(struct herd_conn *conn);
/* It turned out to be this neighbour. */
void herd_conn_set_peer(struct herd_conn *conn, size_t peer);
/* Logs that something became of the connection; `why` may be NULL. */
void herd_conn_log(struct herd_conn *conn, enum herd_log_level level, const char *event, const char *why);
/* Log traffic, if that is wanted: whole lines, or an answer as its AT line and the size of its JSON. */
/* What was used up of the input, and the replies to it. */
void herd_conn_log_exchange(struct herd_conn *conn, struct herd_span received, struct herd_span sent);
void herd_conn_log_received(struct herd_conn *conn, struct herd_span bytes);
void herd_conn_log_sent(struct herd_conn *conn, struct herd_span bytes);
void herd_conn_log_answer(struct herd_conn *conn, struct herd_span bytes);
/* Counts a connection that a limit refused, and warns; `conn` is NULL where there is no more than a socket. */
void herd_conn_log_refused(struct herd_server *server, const struct herd_conn *conn, const char *why);

/* ---- conn.c ---- */
/* A connection without a transport or session yet. NULL: out of memory. */
struct herd_conn *herd_conn_new(struct herd_server *server);
/* Closes now, whatever is unsent; memory is freed at the end of the loop iteration. Fine for a closed one. */
void herd_conn_close(struct herd_conn *conn, const char *why);
/* The protocol is done: sends what is unsent, lets the peer read it, then closes. Fine in any state. */
void herd_conn_finish(struct herd_conn *conn, const char *why);
/* DRAINING, and all is sent: LINGERING or CLOSED. */
void herd_conn_drain_done(struct herd_conn *conn);
/* It watches no fence any more; fine for one that does not. */
void herd_conn_unwatch(struct herd_conn *conn);
/* Frees what was closed, with what descriptors it still has: some of it (true: there is more), or all (true: there was
 * any). No callback of a connection may be on the stack. */
bool herd_conn_free_some_closed(struct herd_server *server);
bool herd_conn_free_closed(struct herd_server *server);
/* BLOCKED, and perhaps no longer: it is served in this iteration or a later one. Does nothing in other states. */
void herd_conn_ready(struct herd_conn *conn);
/* Bytes given to send that have not left; these, and those that the peer's kernel has not acknowledged. */
static inline size_t herd_conn_unsent(const struct herd_conn *conn)
{
    return conn->batched_bytes + (conn->transport ? herd_transport_unsent(conn->transport) : 0);
}
static inline size_t herd_conn_unacked(const struct herd_conn *conn)
{
    return conn->batched_bytes + (conn->transport ? herd_transport_unacked(conn->transport) : 0);
}
/* Switches reading; closes the connection if that fails. */
void herd_conn_set_read(struct herd_conn *conn, bool enable);
/* Whether the protocol still has it. */
static inline bool herd_conn_active(const struct herd_conn *conn)
{
    return conn->state <= HERD_CONN_ENDING;
}

/* ---- conn_output.c ---- */
/* Sends bytes and logs them, perhaps not before the end of the loop iteration; may close the connection. */
void herd_conn_send(struct herd_conn *conn, struct herd_span bytes);
void herd_conn_send_answer(struct herd_conn *conn, struct herd_span bytes);
/* The same for bytes that the log knows of. */
void herd_conn_send_logged(struct herd_conn *conn, struct herd_span bytes);
/* Sends bytes now, without waiting for the journal: for what acknowledges nothing. `block` holds them as long as that
 * takes. They stand behind what was sent before. */
void herd_conn_send_block(struct herd_conn *conn, struct herd_block *block);
/* The transport took bytes, or failed with `err`. */
void herd_conn_sent(struct herd_conn *conn, int err);
/* Bytes left the queue. */
void herd_conn_drained(struct herd_conn *conn);
/* Whether a client has so much to read that its commands wait. */
bool herd_conn_output_full(const struct herd_conn *conn);

/* ---- conn_feed.c ---- */
/* OPEN: gives the protocol what arrived, once, sends what it replies, and goes to the state that follows. Effects are
 * the caller's. Returns how many bytes were used up. */
size_t herd_conn_feed(struct herd_conn *conn);
/* Reads on from one that is BLOCKED, or not, as its protocol wants it and as much as it may. */
void herd_conn_attend(struct herd_conn *conn);
/* The server stops: to the protocol it is as if the peer had said all it wanted to. */
void herd_conn_end(struct herd_conn *conn);

/* ---- line.c ---- */
/* Gives a connection its session of the line protocol: a client's; or that of a link we dialled, whose introduction is
 * left in server->out. HERD_E_NOMEM; HERD_E_ARG (the neighbour was removed). */
int herd_line_begin_client(struct herd_conn *conn);
int herd_line_begin_link(struct herd_conn *conn, size_t peer);
/* A line lacks its LF for a while: the session may take it as it is. */
void herd_line_timeout(struct herd_conn *conn);

/* ---- batch_send.c ---- */
/* Sends all that is held, if the journal has what it acknowledges; the other one only if it is much. Commands that
 * waited for space become ready. */
void herd_batch_flush_full(struct herd_server *server);
void herd_batch_flush(struct herd_server *server);

/* ---- batch.c ---- */
/* No more is held than stays in the cache. */
#define HERD_BATCH_MAX_BYTES 524288
/* Whether so many bytes should wait for the end of the turn. With a journal all bytes to clients must: see
 * herd_batch_required. */
bool herd_batch_wanted(const struct herd_conn *conn, size_t len);
/* Whether bytes may acknowledge what the journal has not, so that sending them at once is out of the question. */
bool herd_batch_required(const struct herd_conn *conn);
/* Keeps bytes until then; what is sent on this connection meanwhile has to follow them. HERD_E_NOMEM. */
int herd_batch_add(struct herd_conn *conn, struct herd_span bytes);
void herd_batch_drop(struct herd_conn *conn);
void herd_batch_fini(struct herd_batch *batch);

#endif
