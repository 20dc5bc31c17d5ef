/* SPDX-License-Identifier: MIT */
/*
 * Who is at the other end of a connection, and what follows.
 *
 *     accepted   the first byte decides: 0x16 is TLS, anything else is not (tls.mode off, allow, require). Its handshake
 *                begins when the first record is there, for only then does it cost much, and when there is a place
 *     dialled    TLS, and the server there has to prove the name of the one we dialled
 *     proved     by the handshake: the name of a server, or the identity of a client
 *     AUTH       by a token: the identity; a wrong one is answered late, so that guessing takes time
 *
 * Rights are the node's to decide: here it is told who somebody is.
 */
#include "conn.h"
#include "listen.h"

#include "../../core/node/access.h"

#include <stdlib.h>
#include <string.h>

/* A wrong token is answered this late. */
#define AUTH_DELAY_NS      INT64_C(1000000000)
#define TLS_HANDSHAKE_BYTE 0x16
#define TLS_HEADER_BYTES   5
/* A first record is waited for up to this length, and one that is no record not at all. */
#define HELLO_WAIT_BYTES 4096
#define TLS_RECORD_MAX   16640
/* While others wait for a place, a peer that lets us wait has this part of the time for a handshake; one that waits for its
 * place has more. */
#define CROWDED_PART  4
#define WAITING_TIMES 6

static const struct herd_span nobody = {"", 0};

bool herd_secure_is_local(const struct herd_conn *conn)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const unsigned char loopback6[16] = {[15] = 1};
    const unsigned char *bytes = (const unsigned char *)conn->address;
    if (conn->proxied)
        return false; /* what is loopback there is not ours, and whom a proxy does not name nobody knows */
    if (!conn->address[0] && !conn->address[1])
        return true; /* a Unix socket, or a connection inside the program */
    if (memcmp(bytes, mapped, sizeof mapped) == 0)
        return bytes[12] == 127;
    return memcmp(bytes, loopback6, sizeof loopback6) == 0;
}

/* ---- who ---- */

/* It has so long for what it has to do next. */
static void set_deadline(struct herd_conn *conn, int64_t ms)
{
    if (herd_list_linked(&conn->deadline_link))
        return; /* it has one, beyond clients_max too */
    conn->progress_ns = herd_clock().steady_ns + ms * 1000000;
    herd_list_append(&conn->server->deadline_list, &conn->deadline_link);
}

/* False: the identity has as many connections as it may; the connection was closed. Where these are the anonymous ones, who
 * comes may still prove to be somebody else: by AUTH, or by HELLO. Until then it may do nothing. */
static bool set_identity(struct herd_conn *conn, struct herd_identity *identity)
{
    if (herd_session_set_identity(conn->session, identity) == 0)
        return true;
    if (identity == herd_trust_anonymous(conn->server->trust) && !herd_session_identity(conn->session)) {
        if (!conn->nameless && !conn->over_limit)
            herd_list_remove(&conn->deadline_link); /* in the list for bytes that wait */
        conn->nameless = true;
        set_deadline(conn, conn->server->limits->peer_hello_ms);
        return true;
    }
    herd_conn_log_refused(conn->server, conn, "identity_connections");
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
    herd_admission_leave(conn);
    herd_server_schedule_flush(conn->server); /* others may wait for the place */
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
    conn->undecided = trust->mode != HERD_TLS_OFF && !conn->admin;
    herd_session_set_proof(conn->session, nobody, herd_secure_is_local(conn) || conn->proxied);
    if (conn->unnamed)
        return true; /* once more when it is known from whom it is */
    herd_session_set_rate(conn->session, herd_addresses_rate(&conn->server->addresses, conn->address,
                                                             conn->server->limits->reports_per_address_max,
                                                             herd_clock().steady_ns));
    return conn->undecided || set_identity(conn, herd_trust_anonymous(trust));
}

static void refuse_plain(struct herd_conn *conn, struct herd_span bytes)
{
    struct herd_tls_fault fault = {.event = "tls_expected"};
    static const char front[] = "first_bytes=";
    size_t len = bytes.len < 16 ? bytes.len : 16, at = sizeof front - 1;
    memcpy(fault.text, front, at);
    /* The first word, for what is behind it may be a token: AUTH, or a URL. */
    for (size_t i = 0; i < len && bytes.at[i] != ' '; i++) {
        unsigned char c = (unsigned char)bytes.at[i];
        fault.text[at++] = c > 0x20 && c < 0x7f ? (char)c : '.';
    }
    log_fault(conn, &fault);
    herd_conn_close(conn, "tls_expected");
}

static void decide(struct herd_conn *conn)
{
    conn->undecided = false;
    if (!conn->over_limit)
        herd_list_remove(&conn->deadline_link);
}

static bool is_whole(struct herd_span bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.at;
    if (bytes.len < TLS_HEADER_BYTES)
        return bytes.len > 1 && at[1] != 3;
    size_t len = TLS_HEADER_BYTES + (size_t)(at[3] << 8 | at[4]);
    return at[1] != 3 || len > TLS_RECORD_MAX || bytes.len >= (len < HELLO_WAIT_BYTES ? len : HELLO_WAIT_BYTES);
}

/* It has a place. */
static void start(struct herd_conn *conn)
{
    decide(conn);
    conn->handshake_ns = herd_clock().steady_ns;
    if (herd_secure_start(conn, HERD_TLS_SERVER, nobody) < 0)
        herd_conn_close(conn, "out_of_memory");
    else
        herd_secure_started(conn);
}

static void begin_handshake(struct herd_conn *conn)
{
    const struct herd_limits *limits = conn->server->limits;
    if (herd_list_linked(&conn->handshake_link))
        return; /* it waits */
    if (herd_admission_enter(conn, !herd_secure_is_local(conn))) {
        start(conn);
        return;
    }
    decide(conn);
    conn->undecided = true;
    set_deadline(conn, WAITING_TIMES * limits->peer_hello_ms);
    herd_conn_set_read(conn, false); /* what it says meanwhile stays in the kernel */
}

bool herd_secure_first(struct herd_conn *conn)
{
    const struct herd_trust *trust = conn->server->trust;
    struct herd_span bytes;
    if (herd_transport_peek(conn->transport, &bytes) < 0) {
        herd_conn_close(conn, "out_of_memory");
        return true;
    }
    if (bytes.len == 0)
        return false;
    if ((unsigned char)bytes.at[0] == TLS_HANDSHAKE_BYTE && trust->tls) {
        if (conn->eof)
            herd_conn_close(conn, "tls_handshake_cut_off");
        else if (is_whole(bytes))
            begin_handshake(conn);
        else
            set_deadline(conn, conn->server->limits->peer_hello_ms);
        return true;
    }
    decide(conn);
    if (trust->mode != HERD_TLS_REQUIRE)
        return !set_identity(conn, herd_trust_anonymous(trust));
    refuse_plain(conn, bytes);
    return true;
}

/* A crowd that had to wait long has gone: nobody is there to shake hands with. */
static bool is_gone(const struct herd_conn *conn)
{
    char byte;
    return recv(herd_transport_fd(conn->transport), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void herd_secure_admit(struct herd_server *server)
{
    struct herd_conn *conn;
    while ((conn = herd_admission_next(server))) {
        if (conn->state != HERD_CONN_OPEN || !server->trust->tls) {
            herd_conn_close(conn, "tls_not_enabled"); /* meanwhile we stop, or have none any more */
            continue;
        }
        if (is_gone(conn)) {
            herd_conn_close(conn, "tls_handshake_cut_off");
            continue;
        }
        start(conn);
        if (conn->state == HERD_CONN_OPEN && !herd_secure_busy(conn))
            herd_conn_set_read(conn, true);
    }
}

/* Those that are too late, and while others wait those that let us wait. */
static void close_slow(struct herd_server *server)
{
    int64_t now_ns = herd_clock().steady_ns, most_ns = server->limits->peer_hello_ms * 1000000;
    struct herd_list *next;
    for (struct herd_list *at = server->admission.holding.next; at != &server->admission.holding; at = next) {
        struct herd_conn *conn = HERD_CONTAINER_OF(at, struct herd_conn, handshake_link);
        int64_t taken_ns = now_ns - conn->handshake_ns;
        next = at->next;
        if (taken_ns < most_ns / CROWDED_PART)
            break;
        if (herd_secure_busy(conn))
            continue; /* it waits for us */
        if (taken_ns >= most_ns) {
            herd_conn_close(conn, "tls_handshake_deadline");
        } else if (conn->admission == HERD_ADMITTED_HOLDS && herd_admission_is_short(server)) {
            herd_conn_log_refused(server, conn, "tls_half_open");
            herd_conn_close(conn, "tls_half_open");
        }
    }
}

void herd_secure_housekeeping(struct herd_server *server)
{
    close_slow(server);
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
    herd_admission_add(conn);
    return herd_secure_start(conn, HERD_TLS_CLIENT, herd_node_peer_name(server->node, peer));
}

/* ---- AUTH ---- */

/* Whose it was; NULL: gone meanwhile. */
static struct herd_conn *answer(struct herd_server *server, uint64_t ticket, struct herd_identity *identity)
{
    struct herd_session *session = NULL;
    server->out.len = 0;
    int err = herd_node_auth(server->node, ticket, identity, herd_clock(), &server->out, &session);
    if (!session)
        return NULL;
    struct herd_conn *conn = herd_session_user(session);
    if (err < 0) {
        herd_conn_close(conn, herd_strerror(err));
        return conn;
    }
    herd_conn_send(conn, (struct herd_span){server->out.at, server->out.len});
    herd_conn_ready(conn);
    herd_server_schedule_flush(server);
    return conn;
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
        (void)answer(server, effect->ticket, identity);
        return;
    }
    struct herd_auth_late *late = &server->auth_late[server->auth_late_count++];
    *late = (struct herd_auth_late){effect->ticket, herd_clock().steady_ns + AUTH_DELAY_NS};
}

struct herd_conn *herd_secure_answer_late(struct herd_server *server)
{
    int64_t now_ns = herd_clock().steady_ns;
    struct herd_conn *conn = NULL;
    size_t done = 0;
    while (!conn && done < server->auth_late_count && server->auth_late[done].due_ns <= now_ns)
        conn = answer(server, server->auth_late[done++].ticket, NULL);
    server->auth_late_count -= done;
    memmove(server->auth_late, server->auth_late + done, server->auth_late_count * sizeof *server->auth_late);
    return conn;
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
    if (!conn->plain && !conn->local && !conn->admin && !herd_trust_accepts(trust, stream, &fault)) {
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
