/* SPDX-License-Identifier: MIT */
/*
 * Warnings of the node, with whom they are about: the neighbour's name, or the address a stranger has. What a peer
 * can cause again with each connection is logged at the 1st, 2nd, 4th, 8th, ... time in a row, each reason and name
 * by itself; the node damps its other warnings.
 */
#include "../../core/base/hash.h"
#include "conn.h"

#include <string.h>

/* Two servers that dial each other at once agree on one connection: no reason to warn anybody. */
static bool is_agreement(const struct herd_effect *effect)
{
    return strcmp(effect->text, "peer_linked_already") == 0 ||
           (strcmp(effect->text, "peer_refuses_us") == 0 &&
            herd_span_equal(effect->detail, herd_span_of("peer_linked_already")));
}

/* A refused introduction, from either side. */
static bool is_about_peer(const char *text)
{
    return strncmp(text, "peer_", 5) == 0;
}

/* A client that may not do what it wants, did not prove who it is, or speaks something else: whoever looks into that needs its
 * address. */
static bool is_about_client(const char *text)
{
    return strncmp(text, "auth_", 5) == 0 || strncmp(text, "identity_", 9) == 0 ||
           strcmp(text, "not_allowed") == 0 || strcmp(text, "too_often") == 0 ||
           strcmp(text, "client_of_another_herd") == 0 || strcmp(text, "http_request") == 0 ||
           strcmp(text, "tls_not_enabled") == 0;
}

/* What a peer can cause again with each connection, and the node tells each time. */
static bool is_damped_here(const char *text)
{
    return is_about_peer(text) && strcmp(text, "peer_record_refused") != 0 &&
           strncmp(text, "peer_expires_", 13) != 0;
}

/* The counter of a warning among `n`: the last one is for all that find no place. */
static struct herd_damped *find(struct herd_damped *at, size_t n, const char *text, uint64_t detail)
{
    size_t i = 0;
    while (i + 1 < n && at[i].text && (at[i].detail != detail || strcmp(at[i].text, text) != 0))
        i++;
    at[i].text = text;
    at[i].detail = detail;
    return &at[i];
}

/* Counts a warning; 0 if it is not to be logged this time. The key keeps strangers from choosing equal hashes. */
static uint64_t count_damped(struct herd_server *server, const struct herd_conn *conn,
                             const struct herd_effect *effect)
{
    uint64_t detail = herd_siphash(server->addresses.key, effect->detail.at, effect->detail.len);
    struct herd_damped *damped =
        conn && conn->peer >= 0 ? find(server->dials[conn->peer]->refusals, HERD_DAMPED_PEER, effect->text, detail)
                                : find(server->refusals, HERD_DAMPED_STRANGERS, effect->text, detail);
    uint64_t count = ++damped->count;
    return (count & (count - 1)) == 0 ? count : 0;
}

bool herd_notice_worth_logging(struct herd_server *server, const char *text)
{
    uint64_t count = ++find(server->refusals, HERD_DAMPED_STRANGERS, text, 0)->count;
    return (count & (count - 1)) == 0;
}

void herd_notice_log(struct herd_server *server, const struct herd_effect *effect)
{
    struct herd_conn *conn = server->input_conn;
    struct herd_log_field fields[4] = {herd_log_span("detail", effect->detail)};
    char address[HERD_LABEL_MAX];
    size_t n = 1;
    uint64_t count = 0;
    enum herd_log_level level = HERD_LOG_WARN;
    if (conn && conn->peer >= 0)
        conn->refused = true;
    if (is_agreement(effect))
        level = HERD_LOG_DEBUG;
    else if (is_damped_here(effect->text) && !(count = count_damped(server, conn, effect)))
        level = HERD_LOG_DEBUG;
    if (!herd_log_enabled(server->log, level))
        return;
    if (conn && is_about_peer(effect->text)) {
        if (conn->peer >= 0)
            fields[n++] = herd_log_span("peer", herd_node_peer_name(server->node, (size_t)conn->peer));
        fields[n++] = herd_log_span("address", herd_conn_address(conn, address));
    }
    if (conn && is_about_client(effect->text))
        fields[n++] = herd_log_span("client", herd_conn_address(conn, address));
    if (count)
        fields[n++] = herd_log_int("count", (int64_t)count);
    herd_log_event(server->log, level, effect->text, fields, n);
}

void herd_notice_peer(struct herd_server *server, const struct herd_effect *effect, bool up)
{
    struct herd_dial *dial = server->dials[effect->peer];
    struct herd_log_field fields[4] = {herd_log_span("peer", effect->detail)};
    char address[HERD_LABEL_MAX];
    size_t n = 1;
    if (!up && effect->text)
        fields[n++] = herd_log_text("why", effect->text);
    if (up && effect->session && !herd_node_peer_plain(server->node, effect->peer))
        fields[n++] = herd_log_span("address", herd_conn_address(herd_session_user(effect->session), address));
    if (up && dial->failures)
        fields[n++] = herd_log_int("failures", (int64_t)dial->failures); /* attempts before this one */
    if (up) {
        dial->failures = 0;
        memset(dial->refusals, 0, sizeof dial->refusals);
    }
    herd_log_event(server->log, HERD_LOG_INFO, up ? "peer_up" : "peer_down", fields, n);
}
