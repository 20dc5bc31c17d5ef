/* SPDX-License-Identifier: MIT */
/*
 * Who is at the other end of a connection, and what follows.
 *
 *     accepted   the first byte decides: 0x16 is TLS, anything else is not (tls.mode off, allow, require)
 *     dialled    TLS, and the server there has to prove the name of the one we dialled
 *     proved     by the handshake: the name of a server, or the identity of a client
 *     AUTH       by a token: the identity; a wrong one is answered late, so that guessing takes time
 *
 * Rights are the node's to decide: here it is told who somebody is.
 */
#include "server_impl.h"

#include "../../core/node/access.h"

#include <stdlib.h>
#include <string.h>

/* A wrong token is answered this late. */
#define AUTH_DELAY_NS INT64_C(1000000000)
/* Handshakes that are not over cost 45 KB each. */
#define HALF_OPEN_MAX             256
#define HALF_OPEN_PER_ADDRESS_MAX 8
#define TLS_HANDSHAKE_BYTE        0x16

static const struct herd_span nobody = {"", 0};

bool herd_secure_is_local(const struct herd_conn *conn)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const unsigned char loopback6[16] = {[15] = 1};
    const unsigned char *bytes = (const unsigned char *)conn->address;
    if (!conn->address[0] && !conn->address[1])
        return true; /* a Unix socket, or a connection inside the program */
    if (memcmp(bytes, mapped, sizeof mapped) == 0)
        return bytes[12] == 127;
    return memcmp(bytes, loopback6, sizeof loopback6) == 0;
}

/* ---- who ---- */

/* False: the identity has as many connections as it may; the connection was closed. */
static bool set_identity(struct herd_conn *conn, struct herd_identity *identity)
{
    if (herd_session_set_identity(conn->session, identity) == 0)
        return true;
    herd_conn_log_refused(conn->server, "identity_connections");
    herd_conn_close(conn, "identity_connections");
    return false;
}

static void log_fault(struct herd_conn *conn, const struct herd_tls_fault *fault)
{
    if (fault->event && herd_notice_worth_logging(conn->server, fault->event))
        herd_conn_log(conn, HERD_LOG_WARN, fault->event, fault->text);
}

void herd_secure_fault(struct herd_conn *conn)
{
    const struct herd_tls_fault *fault = herd_secure_tls_fault(conn);
    if (fault)
        log_fault(conn, fault);
}

/* A handshake that began before the files were read anew was judged by the old ones. */
static bool still_accepted(struct herd_conn *conn)
{
    struct herd_tls_fault fault = {0};
    if (conn->handshake_ns > conn->server->trust_reloaded_ns ||
        herd_trust_accepts(conn->server->trust, herd_secure_stream(conn), &fault))
        return true;
    log_fault(conn, &fault);
    herd_conn_close(conn, fault.event);
    return false;
}

bool herd_secure_opened(struct herd_conn *conn, enum herd_tls_proof proof, struct herd_span name)
{
    const struct herd_trust *trust = conn->server->trust;
    herd_list_remove(&conn->handshake_link);
    if (conn->state != HERD_CONN_OPEN || !conn->session)
        return true;
    if (!still_accepted(conn))
        return false;
    herd_session_set_proof(conn->session, proof == HERD_TLS_PROOF_SERVER ? name : nobody, true);
    if (conn->peer >= 0 || proof == HERD_TLS_PROOF_SERVER)
        return true; /* a server, and it proved that: it has no identity of clients */
    struct herd_identity *identity = herd_trust_find_client(trust, herd_secure_stream(conn));
    return set_identity(conn, identity ? identity : herd_trust_anonymous(trust));
}

/* ---- accepted ---- */

/* Until its first byte has come, and while it shakes hands, a connection is nobody's: neighbours and those who are about
 * to prove themselves take no place of the anonymous ones. */
bool herd_secure_accepted(struct herd_conn *conn)
{
    const struct herd_trust *trust = conn->server->trust;
    conn->undecided = trust->mode != HERD_TLS_OFF;
    herd_session_set_proof(conn->session, nobody, herd_secure_is_local(conn) || conn->proxied);
    if (conn->unnamed)
        return true; /* once more when it is known from whom it is */
    herd_session_set_rate(conn->session, herd_addresses_rate(&conn->server->addresses, conn->address,
                                                             conn->server->limits->reports_per_address_max));
    return conn->undecided || set_identity(conn, herd_trust_anonymous(trust));
}

/* Makes room for one more handshake: the oldest goes, and an address has its share. False: the connection was closed. */
static bool has_room(struct herd_conn *conn)
{
    struct herd_server *server = conn->server;
    size_t all = 0, same = 0;
    for (struct herd_list *at = server->handshakes.next; at != &server->handshakes; at = at->next) {
        const struct herd_conn *one = HERD_CONTAINER_OF(at, struct herd_conn, handshake_link);
        all++;
        same += one->address[0] == conn->address[0] && one->address[1] == conn->address[1];
    }
    if (same >= HALF_OPEN_PER_ADDRESS_MAX && !herd_secure_is_local(conn)) {
        herd_conn_log_refused(server, "tls_half_open");
        herd_conn_close(conn, "tls_half_open");
        return false;
    }
    if (all >= HALF_OPEN_MAX) {
        struct herd_conn *oldest = HERD_CONTAINER_OF(server->handshakes.next, struct herd_conn, handshake_link);
        herd_conn_log_refused(server, "tls_half_open");
        herd_conn_close(oldest, "tls_half_open");
    }
    return true;
}

static void refuse_plain(struct herd_conn *conn, struct herd_span bytes)
{
    struct herd_tls_fault fault = {.event = "tls_expected"};
    static const char front[] = "first_bytes=";
    size_t len = bytes.len < 16 ? bytes.len : 16, at = sizeof front - 1;
    memcpy(fault.text, front, at);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes.at[i];
        fault.text[at++] = c > 0x20 && c < 0x7f ? (char)c : '.';
    }
    log_fault(conn, &fault);
    herd_conn_close(conn, "tls_expected");
}

bool herd_secure_first(struct herd_conn *conn)
{
    struct herd_span bytes;
    if (herd_transport_peek(conn->transport, &bytes) < 0) {
        herd_conn_close(conn, "out_of_memory");
        return true;
    }
    if (bytes.len == 0)
        return false;
    conn->undecided = false;
    if ((unsigned char)bytes.at[0] != TLS_HANDSHAKE_BYTE) {
        if (conn->server->trust->mode != HERD_TLS_REQUIRE)
            return !set_identity(conn, herd_trust_anonymous(conn->server->trust));
        refuse_plain(conn, bytes);
        return true;
    }
    if (!has_room(conn))
        return true;
    conn->handshake_ns = herd_clock().steady_ns;
    herd_list_append(&conn->server->handshakes, &conn->handshake_link);
    if (herd_secure_start(conn, HERD_TLS_SERVER, nobody) < 0)
        herd_conn_close(conn, "out_of_memory");
    else
        herd_secure_started(conn);
    return true;
}

void herd_secure_housekeeping(struct herd_server *server)
{
    int64_t before_ns = herd_clock().steady_ns - server->limits->peer_hello_ms * 1000000;
    while (!herd_list_empty(&server->handshakes)) {
        struct herd_conn *conn = HERD_CONTAINER_OF(server->handshakes.next, struct herd_conn, handshake_link);
        if (conn->handshake_ns > before_ns)
            break;
        herd_conn_close(conn, "tls_handshake_deadline");
    }
    herd_secure_answer_late(server);
    herd_secure_watch_ends(server);
}

/* ---- dialled ---- */

int herd_secure_dialled(struct herd_conn *conn, size_t peer)
{
    struct herd_server *server = conn->server;
    enum herd_tls_mode mode = server->trust->mode;
    if (mode == HERD_TLS_OFF || herd_node_peer_plain(server->node, peer))
        return 0;
    /* During a change of the herd a neighbour may not speak it yet: every other try is without. */
    if (mode == HERD_TLS_ALLOW && server->dials[peer]->failures % 2 == 1)
        return 0;
    conn->handshake_ns = herd_clock().steady_ns;
    herd_list_append(&server->handshakes, &conn->handshake_link);
    return herd_secure_start(conn, HERD_TLS_CLIENT, herd_node_peer_name(server->node, peer));
}

/* ---- AUTH ---- */

static void answer(struct herd_server *server, uint64_t ticket, struct herd_identity *identity)
{
    struct herd_session *session = NULL;
    server->out.len = 0;
    int err = herd_node_auth(server->node, ticket, identity, herd_clock(), &server->out, &session);
    if (!session)
        return;
    struct herd_conn *conn = herd_session_user(session);
    if (err < 0) {
        herd_conn_close(conn, herd_strerror(err));
        return;
    }
    herd_conn_send(conn, (struct herd_span){server->out.at, server->out.len});
    herd_conn_ready(conn);
    herd_server_schedule_flush(server);
}

/* A token that is taken out of the file must take its connections with it. False: no memory. */
static bool keep_token(struct herd_conn *conn, const unsigned char hash[HERD_TOKEN_HASH_BYTES])
{
    if (!conn->token_hash)
        conn->token_hash = malloc(HERD_TOKEN_HASH_BYTES);
    if (conn->token_hash)
        memcpy(conn->token_hash, hash, HERD_TOKEN_HASH_BYTES);
    return conn->token_hash != NULL;
}

void herd_secure_auth(struct herd_server *server, const struct herd_effect *effect)
{
    unsigned char hash[HERD_TOKEN_HASH_BYTES];
    struct herd_identity *identity = herd_trust_find_token(server->trust, effect->detail, hash);
    if (identity && !keep_token(herd_session_user(effect->session), hash))
        identity = NULL;
    if (identity || server->auth_late_count == HERD_AUTH_LATE_MAX) {
        answer(server, effect->ticket, identity);
        return;
    }
    struct herd_auth_late *late = &server->auth_late[server->auth_late_count++];
    *late = (struct herd_auth_late){effect->ticket, herd_clock().steady_ns + AUTH_DELAY_NS};
}

void herd_secure_answer_late(struct herd_server *server)
{
    int64_t now_ns = herd_clock().steady_ns;
    size_t done = 0;
    while (done < server->auth_late_count && server->auth_late[done].due_ns <= now_ns)
        answer(server, server->auth_late[done++].ticket, NULL);
    server->auth_late_count -= done;
    memmove(server->auth_late, server->auth_late + done, server->auth_late_count * sizeof *server->auth_late);
}

/* ---- read anew ---- */

/* Whether the connection is still who it was: by its token, by its certificate, or because the program said so. NULL: no
 * longer. */
static struct herd_identity *still(const struct herd_conn *conn, const struct herd_identity *old)
{
    const struct herd_trust *trust = conn->server->trust;
    const struct herd_tls_stream *stream = herd_secure_stream(conn);
    struct herd_identity *now;
    if (!trust->identities)
        return NULL;
    if (conn->token_hash)
        now = herd_identities_find_token(trust->identities, conn->token_hash);
    else if (stream)
        now = herd_trust_find_client(trust, stream);
    else
        now = herd_identities_find(trust->identities, herd_identity_name(old));
    return now && herd_span_equal(herd_identity_name(now), herd_identity_name(old)) ? now : NULL;
}

/* Closes who would not be let in now; the others get what their identity is now. */
static void judge(struct herd_conn *conn)
{
    const struct herd_trust *trust = conn->server->trust;
    struct herd_tls_fault fault = {0};
    const struct herd_tls_stream *stream = herd_secure_stream(conn);
    if (!conn->session || herd_list_linked(&conn->handshake_link) || conn->undecided)
        return;
    if (!conn->plain && !conn->local && !herd_trust_accepts(trust, stream, &fault)) {
        log_fault(conn, &fault);
        herd_conn_close(conn, fault.event);
        return;
    }
    if (conn->peer >= 0)
        return;
    struct herd_identity *old = herd_session_identity(conn->session), *now = old ? still(conn, old) : NULL;
    if (old && !now && !herd_span_equal(herd_identity_name(old), herd_span_of(HERD_IDENTITY_ANONYMOUS))) {
        herd_session_set_identity(conn->session, NULL);
        if (trust->identities) {
            herd_conn_log(conn, HERD_LOG_WARN, "identity_gone", NULL);
            herd_conn_close(conn, "identity_gone");
            return;
        }
    }
    set_identity(conn, now ? now : herd_trust_anonymous(trust));
}

void herd_secure_reloaded(struct herd_server *server, struct herd_trust *old)
{
    struct herd_list *next;
    server->trust_reloaded_ns = herd_clock().steady_ns;
    for (struct herd_list *at = server->conns.next; at != &server->conns; at = next) {
        next = at->next;
        judge(HERD_CONTAINER_OF(at, struct herd_conn, all));
    }
    herd_trust_free(old);
}
