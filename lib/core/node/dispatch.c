/* SPDX-License-Identifier: MIT */
/* Each line to who handles it: what it means from a client, on a connection that is being introduced, on a link. */
#include "dispatch.h"

#include "../protocol/fields.h"
#include "../protocol/preface.h"
#include "auth.h"
#include "delete.h"
#include "effect.h"
#include "hello.h"
#include "lookup.h"
#include "peer.h"
#include "plain_session.h"
#include "report.h"
#include "session.h"

#include <assert.h>

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

void herd_dispatch_no_memory(struct herd_session *session)
{
    herd_session_terminate(session, "out_of_memory");
}

/* What no client says, but perhaps a plain neighbour. */
static int plain_line(struct herd_session *session, const struct herd_parsed_line *parsed, struct herd_buf *out)
{
    int taken = session->plain ? herd_plain_receive(session, parsed) : 0;
    if (taken < 0)
        herd_dispatch_no_memory(session);
    return taken == 0 ? no_command(session, parsed, out) : 0;
}

static int client_command(struct herd_session *session, const struct herd_parsed_line *parsed, bool first,
                          struct herd_buf *out)
{
    switch (parsed->command.verb) {
    case HERD_BLANK: return 0;
    case HERD_IAMAT: return herd_report_apply_client(session, parsed, herd_session_replies(session, out));
    case HERD_WHATSAT: return herd_whatsat_begin(session, parsed, out);
    case HERD_AUTH: return herd_access_auth(session, parsed, first, out);
    case HERD_FORGET:
        if (session->node->options.forget_line)
            return herd_delete_apply_client(session, parsed, herd_session_replies(session, out));
        return plain_line(session, parsed, out);
    case HERD_HELLO:
        if (first)
            return herd_peer_hello(session, &parsed->command, out);
        return no_command(session, parsed, out);
    default: return plain_line(session, parsed, out);
    }
}

/* A method: what is behind it, a URL, may hold a token. */
static struct herd_span first_word(struct herd_span line)
{
    const char *end = line.at + line.len, *at = herd_space_end(line.at, end), *word = at;
    while (at < end && !herd_is_space(*at))
        at++;
    return (struct herd_span){word, (size_t)(at - word)};
}

/* A web page can make its reader's browser send a request here, and choose what is in its body: a client that begins
 * like HTTP is answered once, and nothing behind that is read. */
static bool is_http(struct herd_session *session, const struct herd_parsed_line *parsed)
{
    if (session->began || parsed->command.verb == HERD_BLANK)
        return false;
    session->began = true;
    if (parsed->command.verb == HERD_IAMAT || parsed->command.verb == HERD_AUTH ||
        parsed->command.verb == HERD_WHATSAT || parsed->command.verb == HERD_HELLO ||
        (parsed->command.verb == HERD_FORGET && session->node->options.forget_line) ||
        !herd_preface_http(parsed->line))
        return false;
    herd_notice_damped(session->node, &session->node->http_count, "http_request", first_word(parsed->line));
    return true;
}

int herd_dispatch_client(struct herd_session *session, const struct herd_parsed_line *parsed, struct herd_buf *out)
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

/* A line for the log. */
static struct herd_span shown(const struct herd_parsed_line *parsed)
{
    return parsed->command.verb == HERD_AUTH ? herd_span_of("AUTH") : parsed->line;
}

static int handshake_line(struct herd_session *session, const struct herd_parsed_line *parsed, struct herd_buf *out)
{
    switch (parsed->command.verb) {
    case HERD_BLANK: return 0;
    case HERD_HELLO: return herd_peer_hello(session, &parsed->command, out);
    case HERD_REFUSE:
        herd_notice(session->node, "peer_refuses_us", parsed->command.args);
        herd_session_terminate(session, "refused");
        return 0;
    default:
        herd_notice(session->node, "peer_not_a_herd_server", shown(parsed));
        herd_session_terminate(session, "no_introduction");
        return 0;
    }
}

/* No neighbour says that. */
static void protocol_error(struct herd_session *session, const struct herd_parsed_line *parsed)
{
    herd_notice(session->node, "peer_line_invalid", shown(parsed));
    herd_session_terminate(session, "protocol");
}

static void link_line(struct herd_session *session, const struct herd_parsed_line *parsed)
{
    struct herd_peer *peer = session->node->peers[session->peer];
    switch (parsed->command.verb) {
    case HERD_BLANK:
    case HERD_PONG: break;
    case HERD_PING: peer->pong_due = true; break;
    case HERD_AT:
    case HERD_GONE:
        if (herd_report_apply_peer(session, parsed) < 0)
            herd_dispatch_no_memory(session);
        break;
    case HERD_ROOT:
    case HERD_PUSH:
    case HERD_SUMS:
    case HERD_LIST: {
        int err = herd_sync_take(session->node, peer, &parsed->command);
        if (err == HERD_E_NOMEM) {
            herd_dispatch_no_memory(session);
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

bool herd_session_waits(const struct herd_session *session)
{
    const struct herd_node_options *o = &session->node->options;
    return session->awaiting_command || session->spent || session->ticket_count >= o->lookups_per_client_max ||
           session->queued_reply_bytes >= o->queued_reply_max_bytes;
}

bool herd_session_accepts_input(const struct herd_session *session)
{
    return !session->draining && session->role != HERD_ROLE_CLOSING && !herd_session_waits(session);
}

int herd_dispatch(struct herd_session *session, const struct herd_parsed_line *parsed, struct herd_buf *out)
{
    assert(session->role != HERD_ROLE_CLOSING);
    switch (session->role) {
    case HERD_ROLE_CLIENT: return herd_dispatch_client(session, parsed, out);
    case HERD_ROLE_HANDSHAKE: return handshake_line(session, parsed, out);
    default: link_line(session, parsed); return 0;
    }
}
