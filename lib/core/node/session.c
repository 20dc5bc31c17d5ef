/* SPDX-License-Identifier: MIT */
/* One connection: bytes into lines, lines to their handlers. */
#include "../protocol/parse_bounded.h"
#include "../protocol/preface.h"
#include "node_impl.h"

#include <stdlib.h>

/* Lines that are parsed and looked up together, so that their cache misses overlap. */
#define BATCH 32
/* What a client is shown of a line that is too long. */
#define TOO_LONG_SHOWN 256
/* A neighbour's AT line is longer than the report it came from ("AT", a name, a difference), and a LIST
 * takes 16 000 bytes whatever limit clients have. */
#define LINK_LINE_EXTRA 16384

static struct herd_session *open_session(struct herd_node *node, void *user, struct herd_now now)
{
    struct herd_session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    node->now = now;
    session->node = node;
    session->user = user;
    session->last_rx_ns = now.steady_ns;
    session->peer = -1;
    herd_list_init(&session->tickets);
    herd_list_append(&node->sessions, &session->all);
    return session;
}

int herd_session_open(struct herd_node *node, struct herd_session **ret_session, void *user, struct herd_now now)
{
    struct herd_session *session = open_session(node, user, now);
    if (!session)
        return HERD_E_NOMEM;
    session->role = HERD_ROLE_CLIENT;
    herd_list_append(&node->idle, &session->idle);
    *ret_session = session;
    return 0;
}

int herd_session_connected(struct herd_node *node, struct herd_session **ret_session, void *user, size_t peer,
                           struct herd_now now, struct herd_buf *out)
{
    if (peer >= node->peer_count || node->peers[peer]->removed)
        return HERD_E_ARG;
    struct herd_peer *p = node->peers[peer];
    struct herd_session *session = open_session(node, user, now);
    if (!session) {
        herd_node_dial_failed(node, peer, now);
        return HERD_E_NOMEM;
    }
    int err = p->plain ? herd_plain_send(session, p, out) : herd_peer_say_hello(node, p, out);
    if (err < 0) {
        herd_session_close(session);
        herd_node_dial_failed(node, peer, now);
        return err;
    }
    *ret_session = session;
    if (p->plain)
        return 0;
    session->role = HERD_ROLE_HANDSHAKE;
    session->peer = (int32_t)peer;
    p->dialled = session;
    p->dial_asked = true;
    p->dialled_ns = now.steady_ns;
    return 0;
}

void herd_session_cancel_timeouts(struct herd_session *session)
{
    herd_list_remove(&session->idle);
    herd_list_remove(&session->line);
    herd_list_remove(&session->line_due.link);
}

void herd_session_suspend_timeouts(struct herd_session *session)
{
    herd_session_cancel_timeouts(session);
}

void herd_session_close(struct herd_session *session)
{
    herd_peer_session_gone(session, "connection_lost");
    herd_peer_left(session);
    herd_plain_gone(session);
    herd_session_abandon_tickets(session);
    herd_session_cancel_timeouts(session);
    herd_list_remove(&session->close.link);
    herd_list_remove(&session->all);
    free(session);
}

/* Takes no more input. */
static void end_session(struct herd_session *session, const char *why)
{
    herd_peer_session_gone(session, why);
    herd_plain_gone(session);
    herd_session_abandon_tickets(session);
    herd_session_cancel_timeouts(session);
    session->role = HERD_ROLE_CLOSING;
    session->close_why = why;
}

void herd_session_terminate(struct herd_session *session, const char *why)
{
    if (session->role == HERD_ROLE_CLOSING)
        return;
    end_session(session, why);
    herd_effect_queue(session->node, &session->close, HERD_EFFECT_CLOSE);
}

void herd_session_leave(struct herd_session *session, const char *why)
{
    end_session(session, why);
    session->leaving = true;
}

void *herd_session_user(const struct herd_session *session)
{
    return session->user;
}

int herd_session_peer(const struct herd_session *session)
{
    return session->role == HERD_ROLE_LINK ? session->peer : -1;
}

struct herd_buf *herd_session_replies(struct herd_session *session, struct herd_buf *out)
{
    if (herd_list_empty(&session->tickets))
        return out;
    return &HERD_CONTAINER_OF(session->tickets.prev, struct herd_ticket, of_session)->queued_replies;
}

/* ---- what a line means to whom ---- */

static int reply_invalid(struct herd_session *session, struct herd_span line, struct herd_buf *out)
{
    session->node->stats.invalid++;
    return herd_format_invalid(herd_session_replies(session, out), line);
}

/* The end of what the protocol knows. */
static int no_command(struct herd_session *session, const struct herd_parsed_line *parsed, struct herd_buf *out)
{
    if (session->node->options.commands && !session->draining)
        return herd_command_offer(session, parsed);
    return reply_invalid(session, parsed->line, out);
}

static int client_command(struct herd_session *session, const struct herd_parsed_line *parsed, bool first,
                          struct herd_buf *out)
{
    switch (parsed->command.verb) {
    case HERD_BLANK: return 0;
    case HERD_IAMAT: return herd_report_apply_client(session, parsed, herd_session_replies(session, out));
    case HERD_WHATSAT: return herd_whatsat_begin(session, parsed, out);
    case HERD_HELLO:
        if (first)
            return herd_peer_hello(session, &parsed->command, out);
        return no_command(session, parsed, out);
    default:
        if (session->plain && herd_plain_receive(session, parsed))
            return 0;
        return no_command(session, parsed, out);
    }
}

/* A web page can make its reader's browser send a request here, and choose what is in its body: a client that begins
 * like HTTP is answered once, and nothing behind that is read. */
static bool is_http(struct herd_session *session, const struct herd_parsed_line *parsed)
{
    if (session->began || parsed->command.verb == HERD_BLANK)
        return false;
    session->began = true;
    if (parsed->command.verb == HERD_IAMAT || parsed->command.verb == HERD_WHATSAT ||
        parsed->command.verb == HERD_HELLO || !herd_preface_http(parsed->line))
        return false;
    herd_notice_damped(session->node, &session->node->http_count, "http_request", parsed->line);
    return true;
}

static int client_line(struct herd_session *session, const struct herd_parsed_line *parsed, struct herd_buf *out)
{
    bool first = !session->had_line;
    session->had_line = true;
    if (is_http(session, parsed)) {
        session->draining = true;
        return reply_invalid(session, parsed->line, out);
    }
    const struct herd_buf *replies = herd_session_replies(session, out);
    size_t before = replies->len;
    int err = client_command(session, parsed, first, out);
    if (replies != out) /* behind a ticket, which lives at least until its answer */
        session->queued_reply_bytes += replies->len - before;
    return err;
}

static int handshake_line(struct herd_session *session, const struct herd_parsed_line *parsed, struct herd_buf *out)
{
    switch (parsed->command.verb) {
    case HERD_BLANK: return 0;
    case HERD_HELLO: return herd_peer_hello(session, &parsed->command, out);
    case HERD_REFUSE:
        if (herd_worth_saying(++session->node->peers[session->peer]->refused_us))
            herd_notice(session->node, "peer_refuses_us", parsed->command.args);
        herd_session_terminate(session, "refused");
        return 0;
    default:
        herd_notice(session->node, "peer_not_a_herd_server", parsed->line);
        herd_session_terminate(session, "no_introduction");
        return 0;
    }
}

/* No neighbour says that. */
static void protocol_error(struct herd_session *session, const struct herd_parsed_line *parsed)
{
    herd_notice(session->node, "peer_line_invalid", parsed->line);
    herd_session_terminate(session, "protocol");
}

static void link_line(struct herd_session *session, const struct herd_parsed_line *parsed)
{
    struct herd_peer *peer = session->node->peers[session->peer];
    switch (parsed->command.verb) {
    case HERD_BLANK:
    case HERD_PONG: break;
    case HERD_PING: peer->pong_due = true; break;
    case HERD_AT: herd_report_apply_peer(session, parsed); break;
    case HERD_ROOT:
    case HERD_PUSH:
    case HERD_SUMS:
    case HERD_LIST: {
        int err = herd_sync_take(session->node, peer, &parsed->command);
        if (err == HERD_E_NOMEM) {
            herd_session_terminate(session, "out_of_memory");
        } else if (err < 0) {
            protocol_error(session, parsed);
        }
        break;
    }
    case HERD_REFUSE:
        /* Ours was the connection that both sides agreed to drop. */
        herd_session_terminate(session, "refused");
        break;
    default: protocol_error(session, parsed);
    }
}

static int take_line(struct herd_session *session, const struct herd_parsed_line *parsed, struct herd_buf *out)
{
    switch (session->role) {
    case HERD_ROLE_CLIENT: return client_line(session, parsed, out);
    case HERD_ROLE_HANDSHAKE: return handshake_line(session, parsed, out);
    case HERD_ROLE_LINK: link_line(session, parsed); return 0;
    default: return 0;
    }
}

/* ---- input ---- */

static bool waits(const struct herd_session *session)
{
    const struct herd_node_options *o = &session->node->options;
    return session->awaiting_command || session->spent || session->ticket_count >= o->lookups_per_client_max ||
           session->queued_reply_bytes >= o->queued_reply_max_bytes;
}

static size_t line_max(const struct herd_session *session)
{
    size_t max = session->node->options.line_max_bytes;
    return session->role == HERD_ROLE_CLIENT ? max : max + LINK_LINE_EXTRA;
}

/* Cuts up to BATCH lines; a link's get their hash. Before its introduction a connection is given one line at a
 * time: what follows is read as what that makes of it. */
static size_t cut_batch(struct herd_session *session, struct herd_span *io_rest, const char *start,
                        struct herd_parsed_line jobs[BATCH], enum herd_scan *ret_scan)
{
    const struct herd_seen_cache *seen = &session->node->seen;
    const bool link = session->role == HERD_ROLE_LINK;
    const bool may_introduce = !session->had_line || session->role == HERD_ROLE_HANDSHAKE;
    const size_t most = link || !may_introduce ? BATCH : 1;
    size_t n = 0;
    *ret_scan = HERD_LINE;
    for (; n < most; n++) {
        struct herd_parsed_line *parsed = &jobs[n];
        *ret_scan = herd_line_next(io_rest, &session->seen, line_max(session), &parsed->line);
        if (*ret_scan != HERD_LINE)
            break;
        if (!session->had_line)
            parsed->line = herd_preface_skip_bom(parsed->line);
        parsed->end = (size_t)(io_rest->at - start);
        parsed->line_hash = link ? herd_seen_cache_hash(seen, parsed->line) : 0;
        if (link)
            __builtin_prefetch(herd_seen_cache_home(seen, parsed->line_hash));
    }
    return n;
}

/* Parses the lines of a batch that are not just copies, and brings what they will touch into the cache. Returns
 * how many are left. */
static size_t read_batch(struct herd_session *session, const char *readable_end,
                         struct herd_parsed_line jobs[BATCH], size_t n)
{
    struct herd_store *store = session->node->store;
    const bool link = session->role == HERD_ROLE_LINK;
    bool frame = false;
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        struct herd_parsed_line *parsed = &jobs[left];
        parsed->line = jobs[i].line;
        parsed->end = jobs[i].end;
        parsed->line_hash = jobs[i].line_hash;
        if (link && !frame && herd_report_seen(session, parsed->line_hash))
            continue; /* most lines of a link are copies */
        enum herd_verb verb = herd_command_parse_bounded(parsed->line, readable_end, &parsed->command);
        frame |= verb != HERD_AT; /* which may make this neighbour due what follows */
        if (verb == HERD_IAMAT || verb == HERD_AT) {
            parsed->hash = herd_store_hash(store, parsed->command.id);
            parsed->id_hash = herd_store_id_hash(store, parsed->command.id);
            __builtin_prefetch(herd_index_home(&store->index, parsed->hash));
            __builtin_prefetch(&store->digest.leaves[herd_digest_leaf(&store->digest, parsed->id_hash)], 1);
        }
        left++;
    }
    for (size_t i = 0; i < left; i++) {
        struct herd_parsed_line *parsed = &jobs[i];
        if (parsed->command.verb != HERD_IAMAT && parsed->command.verb != HERD_AT)
            continue;
        parsed->slot_hint = herd_index_first_match(&store->index, parsed->hash);
        if (parsed->slot_hint != HERD_NO_SLOT)
            __builtin_prefetch(herd_store_packed(store, parsed->slot_hint), 1);
    }
    return left;
}

/* A neighbour's limit may be greater: a record too long for this node is refused, and its line is skipped. */
static bool skips_too_long(struct herd_session *session, struct herd_span bytes)
{
    static const char at[] = "AT ";
    if (session->role != HERD_ROLE_LINK || memcmp(bytes.at, at, sizeof at - 1) != 0)
        return false;
    session->node->stats.at_received++;
    session->node->peers[session->peer]->at_lines++;
    bytes.len = bytes.len < TOO_LONG_SHOWN ? bytes.len : TOO_LONG_SHOWN;
    herd_report_refuse(session, HERD_REFUSAL_LINE, bytes);
    session->skipping = true;
    session->seen = 0;
    return true;
}

/* The bytes up to the end of a line that is skipped. */
static size_t skip_line(struct herd_session *session, struct herd_span bytes)
{
    const char *lf = memchr(bytes.at, '\n', bytes.len);
    session->skipping = !lf;
    return lf ? (size_t)(lf - bytes.at) + 1 : bytes.len;
}

static int reply_too_long(struct herd_session *session, struct herd_span bytes, struct herd_buf *out)
{
    if (skips_too_long(session, bytes))
        return 0;
    if (session->role != HERD_ROLE_CLIENT) {
        herd_session_terminate(session, "line_too_long");
        return 0;
    }
    session->draining = true;
    if (!session->had_line)
        bytes = herd_preface_skip_bom(bytes);
    if (bytes.len > TOO_LONG_SHOWN)
        bytes.len = TOO_LONG_SHOWN;
    struct herd_parsed_line parsed = {.line = bytes, .command = {.verb = HERD_INVALID}};
    return client_line(session, &parsed, out);
}

/* True if the last command produced output or left a ticket open. */
static bool replied(const struct herd_session *session, const struct herd_buf *out, size_t out_before)
{
    return out->len > out_before || session->ticket_count > 0;
}

/* A client that speaks TLS would wait for an answer of its kind; no line of ours begins so. */
static bool is_tls(struct herd_session *session, struct herd_span bytes)
{
    if (session->had_line || session->role != HERD_ROLE_CLIENT || !herd_preface_tls(bytes))
        return false;
    herd_notice_damped(session->node, &session->node->tls_count, "tls_not_enabled", (struct herd_span){"", 0});
    herd_session_terminate(session, "tls_not_enabled");
    return true;
}

/* Handles lines until the bytes end or the session takes no more. Returns how many bytes are used up. */
static int take_lines(struct herd_session *session, struct herd_span bytes, struct herd_buf *out,
                      size_t *ret_consumed)
{
    struct herd_parsed_line jobs[BATCH];
    struct herd_span rest = bytes;
    size_t consumed = 0;
    uint64_t steps = herd_node_steps(session->node);
    enum herd_scan scan = is_tls(session, bytes) ? HERD_LINE_MORE : HERD_LINE;
    while (scan == HERD_LINE && !session->draining && session->role != HERD_ROLE_CLOSING && !waits(session)) {
        size_t n = cut_batch(session, &rest, bytes.at, jobs, &scan), done = 0;
        n = read_batch(session, bytes.at + bytes.len, jobs, n);
        while (done < n) {
            size_t out_before = out->len;
            int err = take_line(session, &jobs[done++], out);
            if (err < 0)
                return err;
            if (session->node->options.close_after_reply && session->role == HERD_ROLE_CLIENT &&
                replied(session, out, out_before))
                session->draining = true;
            session->spent |=
                session->role == HERD_ROLE_LINK && herd_node_steps(session->node) - steps >= HERD_TURN_STEPS;
            if (session->draining || session->role == HERD_ROLE_CLOSING || waits(session)) {
                session->seen = 0; /* lines behind this one are found again later */
                break;
            }
        }
        consumed = done == n ? (size_t)(rest.at - bytes.at) : jobs[done - 1].end;
    }
    if (scan == HERD_LINE_TOO_LONG && !session->draining && session->role != HERD_ROLE_CLOSING &&
        consumed == (size_t)(rest.at - bytes.at) && !waits(session)) {
        int err = reply_too_long(session, rest, out);
        if (err < 0)
            return err;
    }
    if (session->draining || session->role == HERD_ROLE_CLOSING)
        consumed = bytes.len; /* nothing more is read from this connection */
    *ret_consumed = consumed;
    return 0;
}

/* A client in the middle of a line is on the clock from the line's first byte; `another`: this is not the
 * line it was in the middle of before. */
static void time_line(struct herd_session *session, bool unfinished, bool another)
{
    struct herd_node *node = session->node;
    if (!unfinished || another || session->role != HERD_ROLE_CLIENT) {
        herd_list_remove(&session->line);
        herd_list_remove(&session->line_due.link);
    }
    if (!unfinished || session->role != HERD_ROLE_CLIENT)
        return;
    if (!herd_list_linked(&session->line)) {
        session->line_ns = node->now.steady_ns;
        herd_list_append(&node->lines, &session->line);
    }
    if (session->plain)
        herd_plain_time_line(session);
}

static void set_result(const struct herd_session *session, size_t consumed, struct herd_input_result *ret_result)
{
    bool dead = session->role == HERD_ROLE_CLOSING;
    ret_result->consumed = consumed;
    ret_result->blocked = !dead && !session->draining && waits(session);
    ret_result->close = !dead && session->draining && session->ticket_count == 0;
}

int herd_session_input(struct herd_session *session, struct herd_span bytes, struct herd_now now,
                       struct herd_buf *out, struct herd_input_result *ret_result)
{
    struct herd_node *node = session->node;
    if (bytes.len == 0)
        bytes.at = ""; /* it may have no address */
    node->now = now;
    session->last_rx_ns = now.steady_ns;
    struct herd_list *idle = session->plain_spoke ? &node->plains : &node->idle;
    if (session->role == HERD_ROLE_CLIENT && idle->prev != &session->idle) {
        herd_list_remove(&session->idle);
        herd_list_append(idle, &session->idle);
    } else if (session->role == HERD_ROLE_LINK) {
        node->peers[session->peer]->last_rx_ns = now.steady_ns;
        node->peers[session->peer]->pings_missed = 0;
    }
    size_t consumed = 0;
    do {
        size_t some;
        if (session->skipping)
            consumed += skip_line(session, (struct herd_span){bytes.at + consumed, bytes.len - consumed});
        int err = take_lines(session, (struct herd_span){bytes.at + consumed, bytes.len - consumed}, out, &some);
        if (err < 0)
            return err;
        consumed += some;
    } while (session->skipping && consumed < bytes.len);
    set_result(session, consumed, ret_result);
    time_line(session, consumed < bytes.len && !ret_result->blocked, consumed > 0);
    return 0;
}

int herd_session_eof(struct herd_session *session, struct herd_span rest, struct herd_now now, struct herd_buf *out,
                     struct herd_input_result *ret_result)
{
    int err = herd_session_input(session, rest, now, out, ret_result);
    if (err >= 0 && session->leaving) /* the other side has closed it, as it was to */
        herd_effect_queue(session->node, &session->close, HERD_EFFECT_CLOSE);
    if (err < 0 || session->role == HERD_ROLE_CLOSING)
        return err;
    size_t left = rest.len - ret_result->consumed;
    if (ret_result->blocked && left > 0)
        return 0;
    if (left > 0 && !session->draining && session->role == HERD_ROLE_CLIENT) {
        /* The end of input ends a client's last line too. A neighbour's was cut off: what is there of it may
         * look whole, with a shorter time. */
        struct herd_span last = {rest.at + ret_result->consumed, left};
        if (!session->had_line)
            last = herd_preface_skip_bom(last);
        struct herd_parsed_line parsed = {.line = last, .end = rest.len, .slot_hint = HERD_NO_SLOT};
        enum herd_verb verb = herd_command_parse(last, &parsed.command);
        if (verb == HERD_HELLO)
            parsed.command.verb = HERD_INVALID; /* nobody to be linked with any more, and perhaps cut off */
        if (verb == HERD_IAMAT || verb == HERD_AT) {
            parsed.hash = herd_store_hash(session->node->store, parsed.command.id);
            parsed.id_hash = herd_store_id_hash(session->node->store, parsed.command.id);
        }
        err = take_line(session, &parsed, out);
        if (err < 0)
            return err;
    }
    if (session->role == HERD_ROLE_CLIENT)
        session->draining = true;
    else if (session->role != HERD_ROLE_CLOSING)
        herd_session_terminate(session, "peer_closed");
    session->seen = 0;
    time_line(session, false, false);
    set_result(session, rest.len, ret_result);
    return 0;
}

int herd_session_line_timeout(struct herd_session *session, struct herd_span rest, struct herd_now now,
                              struct herd_input_result *ret_result)
{
    session->node->now = now;
    *ret_result = (struct herd_input_result){0};
    if (session->role != HERD_ROLE_CLIENT || session->draining || rest.len == 0 || waits(session) ||
        memchr(rest.at, '\n', rest.len))
        return 0;
    struct herd_span line = session->had_line ? rest : herd_preface_skip_bom(rest);
    if (!herd_plain_take_unfinished(session, line))
        return 0;
    session->had_line = session->began = true;
    session->seen = 0;
    ret_result->consumed = rest.len;
    time_line(session, false, true);
    return 0;
}
