/* SPDX-License-Identifier: MIT */
/* What the log says of one connection: what it is called, what it received and sent, what became of it. */
#include "server_impl.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct herd_span herd_conn_address(const struct herd_conn *conn, char text[HERD_LABEL_MAX])
{
    char address[INET6_ADDRSTRLEN] = "local";
    const unsigned char *bytes = (const unsigned char *)conn->address;
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (conn->address[0] || conn->address[1]) {
        bool v4 = memcmp(bytes, mapped, sizeof mapped) == 0;
        inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? bytes + 12 : bytes, address, sizeof address);
    }
    int len =
        snprintf(text, HERD_LABEL_MAX, strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, (unsigned)conn->port);
    return (struct herd_span){text, len > 0 ? (size_t)len : 0};
}

void herd_conn_set_peer(struct herd_conn *conn, size_t peer)
{
    conn->peer = (int)peer;
    conn->label_len = 0;
}

/* Once a connection, not once a line: printing an address costs more than the line. */
static void make_label(struct herd_conn *conn)
{
    char text[HERD_LABEL_MAX];
    bool peer = conn->peer >= 0;
    struct herd_span name =
        peer ? herd_node_peer_name(conn->server->node, (size_t)conn->peer) : herd_conn_address(conn, text);
    int len =
        snprintf(conn->label, sizeof conn->label, "%s=%.*s", peer ? "peer" : "client", (int)name.len, name.at);
    if (len > 0)
        conn->label_len = (uint8_t)((size_t)len < sizeof conn->label ? (size_t)len : sizeof conn->label - 1);
}

struct herd_span herd_conn_label(struct herd_conn *conn)
{
    if (conn->label_len == 0)
        make_label(conn);
    return (struct herd_span){conn->label, conn->label_len};
}

void herd_conn_log(struct herd_conn *conn, enum herd_log_level level, const char *event, const char *why)
{
    struct herd_span label = herd_conn_label(conn);
    const char *equals = label.len ? memchr(label.at, '=', label.len) : NULL;
    if (!equals || !herd_log_enabled(conn->server->log, level))
        return;
    size_t key_len = (size_t)(equals - label.at);
    struct herd_log_field fields[2] = {
        herd_log_span(key_len == 4 ? "peer" : "client", (struct herd_span){equals + 1, label.len - key_len - 1}),
        herd_log_text("why", why),
    };
    herd_log_event(conn->server->log, level, event, fields, why ? 2 : 1);
}

/* ---- traffic ---- */

/* Where the first line that says AUTH begins, in letters of any size and behind blanks; bytes.len: nowhere. */
static size_t auth_line_at(struct herd_span bytes)
{
    for (size_t at = 0; at < bytes.len;) {
        size_t from = at;
        while (from < bytes.len && (bytes.at[from] == ' ' ||
                                    (bytes.at[from] >= '\t' && bytes.at[from] <= '\r' && bytes.at[from] != '\n')))
            from++;
        if (bytes.len - from >= 4 && strncasecmp(bytes.at + from, "auth", 4) == 0)
            return at;
        const char *lf = memchr(bytes.at + at, '\n', bytes.len - at);
        if (!lf)
            break;
        at = (size_t)(lf - bytes.at) + 1;
    }
    return bytes.len;
}

void herd_conn_log_received(struct herd_conn *conn, struct herd_span bytes)
{
    struct herd_log *log = conn->server->log;
    if (bytes.len == 0 || !herd_log_traffic_enabled(log))
        return;
    /* A token is never written down, wherever it stands. */
    while (bytes.len > 0) {
        size_t before = auth_line_at(bytes);
        herd_log_lines(log, "received", herd_conn_label(conn), (struct herd_span){bytes.at, before});
        bytes = (struct herd_span){bytes.at + before, bytes.len - before};
        if (bytes.len == 0)
            break;
        const char *lf = memchr(bytes.at, '\n', bytes.len);
        size_t len = lf ? (size_t)(lf - bytes.at) + 1 : bytes.len;
        herd_log_lines(log, "received", herd_conn_label(conn), herd_span_of("AUTH\n"));
        bytes = (struct herd_span){bytes.at + len, bytes.len - len};
    }
}

void herd_conn_log_sent(struct herd_conn *conn, struct herd_span bytes)
{
    struct herd_log *log = conn->server->log;
    if (herd_log_traffic_enabled(log))
        herd_log_lines(log, "sent", herd_conn_label(conn), bytes);
}

void herd_conn_log_exchange(struct herd_conn *conn, struct herd_span received, struct herd_span sent)
{
    struct herd_log *log = conn->server->log;
    if ((received.len == 0 && sent.len == 0) || !herd_log_traffic_enabled(log))
        return;
    if (auth_line_at(received) == received.len) {
        herd_log_exchange(log, herd_conn_label(conn), received, sent);
        return;
    }
    herd_conn_log_received(conn, received);
    herd_conn_log_sent(conn, sent);
}

/* An answer to WHATSAT is logged as its AT line and the size of its JSON. In a reply stream these lines
 * are told apart by their beginning: no line of JSON starts like that, for its strings hold no LF. */
void herd_conn_log_answer(struct herd_conn *conn, struct herd_span bytes)
{
    struct herd_log *log = conn->server->log;
    size_t json = 0;
    if (!herd_log_traffic_enabled(log))
        return;
    while (bytes.len > 0) {
        const char *lf = memchr(bytes.at, '\n', bytes.len);
        size_t len = lf ? (size_t)(lf - bytes.at) + 1 : bytes.len;
        if (len > 3 && (memcmp(bytes.at, "AT ", 3) == 0 || memcmp(bytes.at, "? ", 2) == 0))
            herd_log_lines(log, "sent", herd_conn_label(conn), (struct herd_span){bytes.at, len});
        else
            json += len;
        bytes.at += len;
        bytes.len -= len;
    }
    struct herd_log_field field = herd_log_int("bytes", (int64_t)json);
    herd_log_event(log, HERD_LOG_INFO, "sent_json", &field, 1);
}

/* Warned of at 1, 2, 4, 8, ... refusals: a stranger can cause them. */
void herd_conn_log_refused(struct herd_server *server, const char *why)
{
    uint64_t count = ++server->refused_count;
    if ((count & (count - 1)) == 0) {
        struct herd_log_field fields[] = {herd_log_text("why", why), herd_log_int("count", (int64_t)count)};
        herd_log_set_time(server->log, herd_clock().wall_ns);
        herd_log_event(server->log, HERD_LOG_WARN, "connection_refused", fields, 2);
    }
}
