/* SPDX-License-Identifier: MIT */
/* What the log says of one connection: what it is called, what it received and sent, what became of it. */
#include "../../core/protocol/preface.h"
#include "conn.h"

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

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static const char auth[] = "AUTH";

/* Whether a line may hold a secret: it says AUTH, in letters of any size and behind blanks, as Authorization of HTTP does; or it
 * asks by HTTP, for a URL that may have a token in it. *ret_told is what the log has in its place, its first word. */
static bool hides(struct herd_span line, struct herd_span *ret_told)
{
    line = herd_preface_skip_bom(line);
    while (line.len > 0 && is_blank(line.at[0]))
        line = (struct herd_span){line.at + 1, line.len - 1};
    *ret_told = herd_span_of(auth);
    if (line.len >= 4 && strncasecmp(line.at, "auth", 4) == 0)
        return true;
    if (!herd_preface_http(line))
        return false;
    *ret_told = (struct herd_span){line.at, 0};
    while (!is_blank(line.at[ret_told->len]))
        ret_told->len++;
    return true;
}

/* Cuts the first line off, and its LF. */
static struct herd_span take_line(struct herd_span *io_bytes)
{
    const char *lf = memchr(io_bytes->at, '\n', io_bytes->len);
    const struct herd_span line = {io_bytes->at, lf ? (size_t)(lf - io_bytes->at) + 1 : io_bytes->len};
    *io_bytes = (struct herd_span){line.at + line.len, io_bytes->len - line.len};
    return line;
}

/* The bytes in front of the first line that hides something; all of them if none does. */
static size_t open_len(struct herd_span bytes, struct herd_span *ret_told)
{
    static const char report[] = "IAMAT ";
    struct herd_span rest = bytes;
    while (rest.len > 0) {
        struct herd_span line = take_line(&rest);
        if (line.len >= sizeof report && memcmp(line.at, report, sizeof report - 1) == 0)
            continue; /* nearly all lines are reports: no more is looked at */
        const size_t before = (size_t)(line.at - bytes.at);
        const bool given_back = line.len > 2 && memcmp(line.at, "? ", 2) == 0;
        if (given_back)
            line = (struct herd_span){line.at + 2, line.len - 2};
        if (!hides(line, ret_told))
            continue;
        if (given_back && ret_told->at == auth)
            *ret_told = herd_span_of("? AUTH");
        else if (given_back) /* it is in front of the method */
            *ret_told = (struct herd_span){line.at - 2, (size_t)(ret_told->at - line.at) + ret_told->len + 2};
        return before;
    }
    return bytes.len;
}

/* A token is never written down, wherever it stands. */
static void log_lines(struct herd_conn *conn, const char *event, struct herd_span bytes)
{
    struct herd_log *log = conn->server->log;
    struct herd_span told;
    while (bytes.len > 0 && herd_log_traffic_enabled(log)) {
        const size_t len = open_len(bytes, &told);
        herd_log_lines(log, event, herd_conn_label(conn), (struct herd_span){bytes.at, len});
        bytes = (struct herd_span){bytes.at + len, bytes.len - len};
        if (bytes.len == 0)
            break;
        (void)take_line(&bytes);
        herd_log_lines(log, event, herd_conn_label(conn), told);
    }
}

void herd_conn_log_received(struct herd_conn *conn, struct herd_span bytes)
{
    log_lines(conn, "received", bytes);
}

void herd_conn_log_sent(struct herd_conn *conn, struct herd_span bytes)
{
    log_lines(conn, "sent", bytes);
}

void herd_conn_log_exchange(struct herd_conn *conn, struct herd_span received, struct herd_span sent)
{
    struct herd_log *log = conn->server->log;
    struct herd_span told;
    if ((received.len == 0 && sent.len == 0) || !herd_log_traffic_enabled(log))
        return;
    if (open_len(received, &told) == received.len) {
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
void herd_conn_log_refused(struct herd_server *server, const struct herd_conn *conn, const char *why)
{
    uint64_t count = ++server->refused_count;
    char address[HERD_LABEL_MAX];
    if ((count & (count - 1)) != 0)
        return;
    struct herd_log_field fields[3] = {herd_log_text("why", why), herd_log_int("count", (int64_t)count)};
    size_t n = 2;
    if (conn)
        fields[n++] = herd_log_span("client", herd_conn_address(conn, address));
    herd_log_set_time(server->log, herd_clock().wall_ns);
    herd_log_event(server->log, HERD_LOG_WARN, "connection_refused", fields, n);
}
