/* SPDX-License-Identifier: MIT */
/*
 * Who asks, and what that one may. A request brings its proof with it: a token, as Bearer or as the password of Basic. One
 * without has what its connection proved, by a certificate, or is `anonymous`. What follows from an identity the node
 * decides, as for lines.
 */
#include "../../core/http/field_list.h"
#include "../../core/node/access.h"
#include "../../core/node/delete.h"
#include "../../core/node/effect.h"
#include "../../core/node/report.h"
#include "../../core/node/session.h"
#include "../server/conn.h"
#include "http_impl.h"

#include <stdlib.h>
#include <string.h>

/* ---- Authorization ---- */

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Undoes base64 (RFC 4648, 4), with or without the signs that fill it up. */
static bool decode64(struct herd_http_arena *arena, struct herd_span text, struct herd_span *ret_bytes)
{
    while (text.len > 0 && text.at[text.len - 1] == '=')
        text.len--;
    char *to = herd_http_arena_alloc(arena, text.len + 1);
    uint32_t bits = 0;
    size_t len = 0;
    unsigned held = 0;
    if (!to || text.len % 4 == 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int value = sextet(text.at[i]);
        if (value < 0)
            return false;
        bits = (bits << 6 | (uint32_t)value) & 0xffff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            to[len++] = (char)(bits >> held & 0xff);
        }
    }
    *ret_bytes = (struct herd_span){to, len};
    return true;
}

/* The token of a request, {"", 0}: none, and the user of Basic. False: it says so in a way that is not understood. */
static bool read_proof(struct herd_http_request *request, struct herd_span *ret_token)
{
    struct herd_span value, pair;
    size_t count;
    *ret_token = (struct herd_span){"", 0};
    if (!herd_http_only(request->head, "authorization", &value, &count))
        return count == 0;
    const char *blank = value.len ? memchr(value.at, ' ', value.len) : NULL;
    if (!blank)
        return false;
    struct herd_span scheme = {value.at, (size_t)(blank - value.at)};
    struct herd_span rest = {blank, value.len - scheme.len};
    while (rest.len > 0 && rest.at[0] == ' ')
        rest = (struct herd_span){rest.at + 1, rest.len - 1};
    if (herd_http_equal_nocase(scheme, "bearer")) {
        *ret_token = rest;
        return rest.len > 0;
    }
    if (!herd_http_equal_nocase(scheme, "basic") || !decode64(&request->exchange.http->arena, rest, &pair))
        return false;
    const char *colon = pair.len ? memchr(pair.at, ':', pair.len) : NULL;
    if (!colon)
        return false;
    request->exchange.user = (struct herd_span){pair.at, (size_t)(colon - pair.at)};
    *ret_token = (struct herd_span){colon + 1, pair.len - request->exchange.user.len - 1};
    return true;
}

/* ---- identity ---- */

/* A token that is taken out of the file takes its connections with it. */
static int keep_token(struct herd_conn *conn, const unsigned char hash[HERD_TOKEN_HASH_BYTES])
{
    if (!conn->token_hash)
        conn->token_hash = malloc(HERD_TOKEN_HASH_BYTES);
    if (!conn->token_hash)
        return HERD_E_NOMEM;
    memcpy(conn->token_hash, hash, HERD_TOKEN_HASH_BYTES);
    return 0;
}

static int set_identity(struct herd_http_request *request, struct herd_identity *identity)
{
    struct herd_session *session = request->conn->session;
    if (herd_session_identity(session) == identity || herd_session_set_identity(session, identity) == 0)
        return HERD_HTTP_ADMITTED;
    int err = herd_http_add_header(&request->exchange, "Retry-After", herd_span_of("10"));
    if (err >= 0)
        err = herd_http_problem(&request->exchange, 429, "identity-connections", "Too many connections",
                                "the identity has as many connections as it may");
    return err < 0 ? err : HERD_HTTP_ANSWERED;
}

/* What a connection is without a token. */
static struct herd_identity *base_identity(const struct herd_conn *conn)
{
    const struct herd_trust *trust = conn->server->trust;
    const struct herd_tls_stream *stream = herd_secure_stream(conn);
    struct herd_identity *identity = stream ? herd_trust_find_client(trust, stream) : NULL;
    return identity ? identity : herd_trust_anonymous(trust);
}

static int challenge(struct herd_http_request *request, const char *title, const char *detail)
{
    struct herd_http_exchange *exchange = &request->exchange;
    int err = herd_http_add_header(exchange, "WWW-Authenticate", herd_span_of("Bearer realm=\"herd\""));
    if (err >= 0 && exchange->route && exchange->route->challenges)
        err = herd_http_add_header(exchange, "WWW-Authenticate",
                                   herd_span_of("Basic realm=\"herd\", charset=\"UTF-8\""));
    return err < 0 ? err : herd_http_problem(exchange, 401, "unauthorized", title, detail);
}

int herd_http_refuse(struct herd_http_exchange *exchange)
{
    if (!exchange->proved && exchange->server->trust->identities)
        return challenge(herd_http_request_of(exchange), "Credentials needed", NULL);
    return herd_http_problem(exchange, 403, "forbidden", "Not allowed",
                             exchange->server->trust->identities
                                 ? "the identity has no right to this"
                                 : "without identities this is for programs of the server's machine alone");
}

int herd_http_unknown_client(struct herd_http_exchange *exchange)
{
    return herd_http_problem(exchange, 404, "not-found", "Not found", "no such client, or not one of yours");
}

/* Counts a proof that is none. */
static void note_failure(const struct herd_http_request *request, const char *why)
{
    struct herd_node *node = request->conn->session->node;
    herd_notice_damped(node, &node->stats.auth_failed, why, (struct herd_span){"", 0});
    herd_server_schedule_flush(request->conn->server);
}

static int refuse_token(struct herd_http_exchange *exchange)
{
    return challenge(herd_http_request_of(exchange), "Credentials refused", "no such token");
}

/* Answers what proves nothing. */
static int fail(struct herd_http_request *request, const char *why, int status, const char *detail)
{
    note_failure(request, why);
    int err = status == 401 ? challenge(request, "Credentials refused", detail)
                            : herd_http_problem(&request->exchange, status, "forbidden", "Not allowed", detail);
    return err < 0 ? err : HERD_HTTP_ANSWERED;
}

static int identify(struct herd_http_request *request)
{
    struct herd_conn *conn = request->conn;
    const struct herd_trust *trust = conn->server->trust;
    unsigned char hash[HERD_TOKEN_HASH_BYTES];
    struct herd_span token;
    bool understood = read_proof(request, &token);
    if (!trust->identities)
        return HERD_HTTP_ADMITTED;
    if (!understood)
        return fail(request, "auth_failed", 401, "Authorization is neither Bearer nor Basic with a token");
    int err;
    if (token.len == 0 && request->exchange.user.len == 0) {
        free(conn->token_hash);
        conn->token_hash = NULL;
        err = set_identity(request, base_identity(conn));
    } else {
        if (!conn->session->secure)
            return fail(request, "auth_in_clear", 403, "credentials over a connection that others can read");
        struct herd_identity *identity = herd_trust_find_token(trust, token, hash);
        if (!identity) { /* guessing takes time, as by AUTH */
            note_failure(request, "auth_failed");
            err = herd_http_answer_late(request, refuse_token);
            return err < 0 ? err : HERD_HTTP_ANSWERED;
        }
        err = keep_token(conn, hash);
        if (err >= 0)
            err = set_identity(request, identity);
    }
    const struct herd_identity *identity = herd_session_identity(conn->session);
    request->exchange.identity = identity;
    request->exchange.proved =
        identity && !herd_span_equal(herd_identity_name(identity), herd_span_of(HERD_IDENTITY_ANONYMOUS));
    return err;
}

int herd_http_authenticate(struct herd_http_request *request)
{
    struct herd_http_exchange *exchange = &request->exchange;
    enum herd_http_right right = exchange->route->right;
    if (right == HERD_HTTP_PUBLIC)
        return HERD_HTTP_ADMITTED;
    int err = identify(request);
    if (err != HERD_HTTP_ADMITTED)
        return err;
    bool may = right == HERD_HTTP_ADMIN ? herd_http_is_admin(exchange)
                                        : !exchange->server->trust->identities || exchange->identity;
    if (may)
        return HERD_HTTP_ADMITTED;
    err = herd_http_refuse(exchange);
    return err < 0 ? err : HERD_HTTP_ANSWERED;
}

/* ---- what for ---- */

bool herd_http_is_admin(const struct herd_http_exchange *exchange)
{
    if (exchange->server->trust->identities)
        return exchange->identity && herd_identity_is_admin(exchange->identity);
    const struct herd_conn *conn = herd_http_request_of_const(exchange)->conn;
    return herd_secure_is_local(conn) || (!exchange->server->config->http.open && !conn->proxied);
}

bool herd_http_may_report(const struct herd_http_exchange *exchange, struct herd_span id)
{
    if (!exchange->server->trust->identities)
        return true;
    return exchange->identity && herd_identity_may_report(exchange->identity, id);
}

void herd_http_deny(struct herd_http_exchange *exchange, struct herd_span id)
{
    herd_access_deny(herd_http_request_of(exchange)->conn->session, id);
    herd_server_schedule_flush(exchange->server);
}

bool herd_http_may_ask(struct herd_http_exchange *exchange, struct herd_span id)
{
    return herd_access_ask(herd_http_request_of(exchange)->conn->session, id);
}

bool herd_http_may_see(const struct herd_http_exchange *exchange, struct herd_span id)
{
    return herd_access_see(herd_http_request_of_const(exchange)->conn->session, id);
}

/* A report or a deletion is logged as the line that would have made it. */
static void log_line(struct herd_http_request *request, const struct herd_span *texts, size_t count,
                     struct herd_span reply)
{
    struct herd_buf *line = &request->exchange.http->line;
    int err = 0;
    line->len = 0;
    for (size_t i = 0; i < count && err >= 0; i++)
        err = herd_buf_add(line, texts[i].at, texts[i].len);
    if (err >= 0)
        herd_conn_log_exchange(request->conn, (struct herd_span){line->at, line->len}, reply);
}

int herd_http_report(struct herd_http_exchange *exchange, struct herd_span id, struct herd_span position,
                     struct herd_span time, struct herd_buf *out, enum herd_verdict *ret_verdict)
{
    struct herd_http_request *request = herd_http_request_of(exchange);
    struct herd_server *server = exchange->server;
    size_t before = out ? out->len : 0;
    if (server->stopping)
        return HERD_E_STATE;
    int err = herd_session_report(request->conn->session, id, position, time, exchange->now, out, ret_verdict);
    herd_server_schedule_flush(server);
    if (err >= 0 && herd_log_traffic_enabled(server->log)) {
        const struct herd_span texts[] = {{"IAMAT ", 6}, id, {" ", 1}, position, {" ", 1}, time, {"\n", 1}};
        log_line(request, texts, sizeof texts / sizeof *texts,
                 out && out->len > before ? (struct herd_span){out->at + before, out->len - before}
                                          : (struct herd_span){"", 0});
    }
    return err;
}

int herd_http_delete(struct herd_http_exchange *exchange, struct herd_span id, enum herd_verdict *ret_verdict)
{
    struct herd_http_request *request = herd_http_request_of(exchange);
    struct herd_server *server = exchange->server;
    struct herd_buf gone = {0};
    if (server->stopping)
        return HERD_E_STATE;
    int err = herd_session_delete(request->conn->session, id, exchange->now, &gone, ret_verdict);
    herd_server_schedule_flush(server);
    if (err >= 0 && herd_log_traffic_enabled(server->log)) {
        const struct herd_span texts[] = {{"FORGET ", 7}, id, {"\n", 1}};
        log_line(request, texts, sizeof texts / sizeof *texts,
                 gone.len ? (struct herd_span){gone.at, gone.len} : (struct herd_span){"", 0});
    }
    herd_buf_fini(&gone);
    return err;
}
