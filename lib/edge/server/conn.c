/* SPDX-License-Identifier: MIT */
/* One connection: bytes to the session, replies to the transport, pausing and closing. */
#include "server_impl.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long the other side has to read our last words before the connection is closed under it. */
#define LINGER_NS INT64_C(2000000000)

struct herd_conn *herd_conn_new(struct herd_server *server)
{
    struct herd_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        return NULL;
    conn->server = server;
    conn->fd = -1;
    conn->peer = conn->plain_from = -1;
    herd_list_append(&server->conns, &conn->all);
    return conn;
}

int herd_conn_begin_client(struct herd_conn *conn)
{
    int err = herd_session_open(conn->server->node, &conn->session, conn, herd_clock());
    herd_server_schedule_flush(conn->server);
    return err;
}

int herd_conn_begin_link(struct herd_conn *conn, size_t peer)
{
    struct herd_server *server = conn->server;
    herd_conn_set_peer(conn, peer);
    server->out.len = 0;
    int err = herd_session_connected(server->node, &conn->session, conn, peer, herd_clock(), &server->out);
    if (err < 0)
        return err;
    if (herd_node_peer_plain(server->node, peer))
        herd_plain_opened(conn);
    herd_conn_send(conn, (struct herd_span){server->out.at, server->out.len});
    herd_server_schedule_flush(server);
    return 0;
}

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

static void log_conn(struct herd_conn *conn, enum herd_log_level level, const char *event, const char *why)
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

/* ---- closing ---- */

static void leave_session(struct herd_conn *conn, const char *why)
{
    struct herd_server *server = conn->server;
    struct herd_session *session = conn->session;
    if (!session)
        return;
    conn->session = NULL;
    herd_session_close(session);
    if (conn->peer >= 0 && !conn->link && !conn->plain && !conn->refused)
        herd_dial_ended(server, (size_t)conn->peer, why);
    if (conn->link && conn->peer >= 0 && server->links[conn->peer] == conn)
        server->links[conn->peer] = NULL;
}

void herd_conn_close(struct herd_conn *conn, const char *why)
{
    struct herd_server *server = conn->server;
    if (conn->closed)
        return;
    conn->closed = true;
    if (why)
        log_conn(conn, HERD_LOG_DEBUG, "closed", why);
    bool delivered = conn->plain && herd_plain_delivered(conn);
    herd_plain_lost(conn);
    leave_session(conn, why);
    herd_transport_close(conn);
    herd_list_remove(&conn->deadline_link);
    if (conn->counted) {
        server->client_count--;
        herd_addresses_release(&server->addresses, conn->address);
        herd_listener_resume(server);
    }
    if (conn->plain)
        herd_plain_closed(conn, delivered);
    herd_list_remove(&conn->all);
    herd_list_append(&server->closed_conns, &conn->all);
    herd_server_schedule_flush(server);
}

void herd_conn_free_closed(struct herd_server *server)
{
    while (!herd_list_empty(&server->closed_conns)) {
        struct herd_conn *conn = HERD_CONTAINER_OF(server->closed_conns.next, struct herd_conn, all);
        herd_list_remove(&conn->all);
        free(conn);
    }
}

/* All is sent. Closing with bytes unread would make the kernel reset the connection and perhaps take our
 * last words with it: say that we are done, and wait a moment for the other side to be done too. */
static void linger_or_close(struct herd_conn *conn)
{
    /* There are no last words to who brought nothing but AT lines. */
    if (conn->eof || conn->server->freeing || (conn->plain_home && conn->gained && !conn->answered)) {
        herd_conn_close(conn, NULL);
        return;
    }
    conn->lingering = true;
    conn->progress_ns = herd_clock().steady_ns;
    herd_list_remove(&conn->deadline_link);
    herd_transport_shutdown(conn);
    if (conn->plain) {
        herd_plain_linger(conn);
    } else {
        conn->progress_ns += LINGER_NS;
        herd_list_append(&conn->server->deadline_list, &conn->deadline_link);
    }
    herd_transport_read(conn, true);
}

void herd_conn_finish(struct herd_conn *conn, const char *why)
{
    if (conn->closed || conn->closing)
        return;
    if (why)
        log_conn(conn, HERD_LOG_DEBUG, "closing", why);
    conn->closing = true;
    leave_session(conn, why);
    if (herd_transport_unsent(conn) == 0)
        linger_or_close(conn);
    herd_server_schedule_flush(conn->server);
}

/* ---- sending ---- */

/* An answer to WHATSAT is logged as its AT line and the size of its JSON. In a reply stream these lines
 * are told apart by their beginning: no line of JSON starts like that, for its strings hold no LF. */
static void log_answer(struct herd_conn *conn, struct herd_span bytes)
{
    struct herd_log *log = conn->server->log;
    size_t json = 0;
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

void herd_conn_sent(struct herd_conn *conn, int err)
{
    struct herd_server *server = conn->server;
    if (err < 0) {
        herd_conn_close(conn, "send_failed");
        return;
    }
    size_t unsent = herd_transport_unsent(conn);
    if (unsent == 0)
        return;
    if (!herd_list_linked(&conn->deadline_link)) {
        conn->progress_ns = herd_clock().steady_ns;
        herd_list_append(&server->deadline_list, &conn->deadline_link);
    }
    if (!conn->link && unsent > (size_t)server->limits->output_max_bytes)
        herd_conn_close(conn, "output_max_bytes");
}

/* Small replies to clients leave together: see batch.c. */
static void put(struct herd_conn *conn, struct herd_span bytes)
{
    conn->answered = true;
    if (herd_batch_wanted(conn, bytes.len) && herd_batch_add(conn, bytes) == 0)
        return;
    bool must = herd_batch_required(conn);
    herd_conn_sent(conn, must ? HERD_E_NOMEM : herd_transport_send(conn, bytes));
}

void herd_conn_send(struct herd_conn *conn, struct herd_span bytes)
{
    if (bytes.len == 0 || conn->closed)
        return;
    if (herd_log_traffic_enabled(conn->server->log))
        herd_log_lines(conn->server->log, "sent", herd_conn_label(conn), bytes);
    put(conn, bytes);
}

void herd_conn_send_answer(struct herd_conn *conn, struct herd_span bytes)
{
    if (bytes.len == 0 || conn->closed)
        return;
    if (herd_log_traffic_enabled(conn->server->log))
        log_answer(conn, bytes);
    put(conn, bytes);
}

static bool too_much_unsent(const struct herd_conn *conn)
{
    return !conn->link && herd_transport_unsent(conn) > (size_t)conn->server->limits->output_pause_bytes;
}

void herd_conn_drained(struct herd_conn *conn)
{
    conn->progress_ns = herd_clock().steady_ns;
    size_t unsent = herd_transport_unsent(conn);
    if (unsent == 0) {
        herd_list_remove(&conn->deadline_link);
        if (conn->closing) {
            linger_or_close(conn);
            return;
        }
    }
    if (conn->link)
        herd_server_schedule_flush(conn->server);
    else if (conn->blocked && unsent <= (size_t)conn->server->limits->output_pause_bytes / 2)
        herd_conn_resume(conn);
}

/* ---- receiving ---- */

/* Replies are on their way, then effects carried out. False: nothing more can be fed to the session. */
static bool carry_out(struct herd_conn *conn, const struct herd_input_result *result)
{
    struct herd_server *server = conn->server;
    if (server->out.len > 0 && !conn->closed)
        put(conn, (struct herd_span){server->out.at, server->out.len}); /* log_exchange has told of it */
    if (!conn->closed && result->close)
        herd_conn_finish(conn, NULL);
    conn->resume_pending = false;
    herd_server_effects(server);
    herd_server_schedule_flush(server);
    return !conn->closed && !conn->closing;
}

static void pause(struct herd_conn *conn, bool session_waits)
{
    conn->blocked = session_waits || too_much_unsent(conn);
    if (conn->blocked && !session_waits)
        herd_session_suspend_timeouts(conn->session);
    herd_transport_read(conn, !conn->blocked && !conn->eof);
}

static void log_received(struct herd_conn *conn, struct herd_span bytes)
{
    struct herd_log *log = conn->server->log;
    if (bytes.len > 0 && herd_log_traffic_enabled(log))
        herd_log_lines(log, "received", herd_conn_label(conn), bytes);
}

/* What was used up, and the replies to it. */
static void log_exchange(struct herd_conn *conn, struct herd_span received)
{
    struct herd_server *server = conn->server;
    if ((received.len > 0 || server->out.len > 0) && herd_log_traffic_enabled(server->log))
        herd_log_exchange(server->log, herd_conn_label(conn), received,
                          (struct herd_span){server->out.at, server->out.len});
}

/* Beyond clients_max only an introduction is listened to. */
static bool reject_over_limit(struct herd_conn *conn, struct herd_span bytes)
{
    static const char hello[] = "HELLO ";
    size_t len = bytes.len < sizeof hello - 1 ? bytes.len : sizeof hello - 1;
    if (!conn->over_limit || memcmp(bytes.at, hello, len) == 0)
        return false;
    herd_listener_refused(conn->server, "clients_max");
    herd_conn_close(conn, "clients_max");
    return true;
}

/* Around calls of the session: what the node notices meanwhile is about this connection. */
static struct herd_conn *enter_input(struct herd_conn *conn)
{
    struct herd_conn *outer = conn->server->input_conn;
    conn->server->input_conn = conn;
    conn->busy = true;
    return outer;
}

static void leave_input(struct herd_conn *conn, struct herd_conn *outer)
{
    conn->server->input_conn = outer;
    conn->busy = false;
}

size_t herd_conn_input(struct herd_conn *conn, struct herd_span bytes)
{
    struct herd_server *server = conn->server;
    size_t used = 0;
    struct herd_input_result result;
    if (!conn->session || reject_over_limit(conn, bytes))
        return bytes.len; /* closing: nobody listens */
    struct herd_conn *outer = enter_input(conn);
    do {
        struct herd_now now = herd_clock();
        struct herd_span rest = {bytes.at + used, bytes.len - used};
        herd_log_set_time(server->log, now.wall_ns);
        server->out.len = 0;
        int err = herd_session_input(conn->session, rest, now, &server->out, &result);
        if (err < 0) {
            herd_conn_close(conn, herd_strerror(err));
            herd_server_effects(server);
            break;
        }
        log_exchange(conn, (struct herd_span){rest.at, result.consumed});
        herd_plain_received(conn);
        used += result.consumed;
        if (!carry_out(conn, &result)) {
            used = bytes.len;
            break;
        }
        if (conn->over_limit && used > 0) {
            herd_conn_close(conn, "clients_max"); /* it said HELLO and is no neighbour */
            break;
        }
        /* A look-up that held commands up may have been answered on the spot. */
    } while (result.blocked && conn->resume_pending && !too_much_unsent(conn));
    leave_input(conn, outer);
    if (!conn->closed && !conn->closing)
        pause(conn, result.blocked);
    return used;
}

size_t herd_conn_eof(struct herd_conn *conn, struct herd_span rest)
{
    struct herd_server *server = conn->server;
    size_t used = 0;
    struct herd_input_result result;
    if (!rest.at)
        rest.at = ""; /* nothing was kept */
    conn->eof = true;
    herd_transport_read(conn, false);
    if (!conn->session) {
        if (herd_transport_unsent(conn) == 0)
            herd_conn_close(conn, NULL);
        return rest.len;
    }
    struct herd_conn *outer = enter_input(conn);
    do {
        struct herd_now now = herd_clock();
        struct herd_span left = {used ? rest.at + used : rest.at, rest.len - used}; /* it may have no address */
        herd_log_set_time(server->log, now.wall_ns);
        server->out.len = 0;
        int err = herd_session_eof(conn->session, left, now, &server->out, &result);
        if (err < 0) {
            herd_conn_close(conn, herd_strerror(err));
            herd_server_effects(server);
            break;
        }
        log_exchange(conn, (struct herd_span){left.at, result.consumed});
        herd_plain_received(conn);
        used += result.consumed;
        if (!carry_out(conn, &result)) {
            used = rest.len;
            break;
        }
    } while (result.blocked && conn->resume_pending);
    leave_input(conn, outer);
    conn->blocked = !conn->closed && result.blocked;
    return used;
}

void herd_conn_line_timeout(struct herd_conn *conn)
{
    struct herd_input_result result;
    if (!conn->session || conn->closed || conn->busy || conn->blocked)
        return;
    struct herd_span kept = herd_transport_kept(conn);
    (void)herd_session_line_timeout(conn->session, kept, herd_clock(), &result);
    log_received(conn, (struct herd_span){kept.at, result.consumed});
    herd_plain_received(conn);
    herd_transport_use(conn, result.consumed);
    herd_server_schedule_flush(conn->server);
}

void herd_conn_end(struct herd_conn *conn)
{
    struct herd_server *server = conn->server;
    struct herd_input_result result;
    server->out.len = 0;
    int err = herd_session_eof(conn->session, (struct herd_span){"", 0}, herd_clock(), &server->out, &result);
    if (err < 0)
        herd_conn_close(conn, herd_strerror(err));
    else if (result.close)
        herd_conn_finish(conn, NULL);
    else
        herd_transport_read(conn, false);
}

void herd_conn_resume(struct herd_conn *conn)
{
    if (conn->closed || conn->closing || !conn->blocked) {
        conn->resume_pending = conn->busy;
        return;
    }
    if (conn->busy) {
        conn->resume_pending = true;
        return;
    }
    if (too_much_unsent(conn))
        return;
    conn->blocked = false;
    herd_transport_redeliver(conn);
    if (conn->closed || conn->closing || conn->blocked)
        return;
    if (conn->server->stopping && !conn->link && !conn->eof)
        herd_conn_end(conn);
    else
        herd_transport_read(conn, !conn->eof);
}
