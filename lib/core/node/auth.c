/* SPDX-License-Identifier: MIT */
/*
 * A client proves who it is: AUTH, the first line of a connection.
 *
 *     AUTH token    -> effect AUTH, and no more input -> herd_node_auth: "OK identity", or "? AUTH" and the end
 *
 * The token is never part of a reply or a notice, and its copy is wiped when the answer is given.
 */
#include "auth.h"

#include "../access/identities_impl.h"
#include "effect.h"
#include "lookup.h"
#include "session.h"

static int refuse(struct herd_session *session, const char *why, struct herd_buf *to)
{
    struct herd_node *node = session->node;
    herd_notice_damped(node, &node->stats.auth_failed, why, (struct herd_span){"", 0});
    session->draining = true;
    return herd_buf_add_text(to, "? AUTH\n");
}

int herd_access_auth(struct herd_session *session, const struct herd_parsed_line *parsed, bool first,
                     struct herd_buf *out)
{
    const struct herd_node *node = session->node;
    struct herd_buf *replies = herd_session_replies(session, out);
    if (!node->options.access)
        return refuse(session, "auth_without_identities", replies);
    if (!session->secure)
        return refuse(session, "auth_in_clear", replies);
    if (!first || parsed->command.args.len == 0)
        return refuse(session, "auth_failed", replies);
    return herd_auth_offer(session, parsed->command.args);
}

int herd_node_auth(struct herd_node *node, uint64_t ticket, struct herd_identity *identity, struct herd_now now,
                   struct herd_buf *out, struct herd_session **ret_session)
{
    struct herd_buf reply = {0};
    struct herd_session *session = herd_ticket_session(node, ticket);
    int err = 0;
    node->now = now;
    *ret_session = session; /* whatever fails: it is to be closed then */
    if (session && identity && herd_session_set_identity(session, identity) < 0) {
        err = refuse(session, "identity_connections", &reply);
    } else if (session && identity) {
        err = herd_buf_add_text(&reply, "OK ");
        if (err >= 0)
            err = herd_buf_add(&reply, identity->name.at, identity->name.len);
        if (err >= 0)
            err = herd_buf_add_text(&reply, "\n");
    } else if (session) {
        err = refuse(session, "auth_failed", &reply);
    }
    const struct herd_span text = {reply.at, reply.len};
    if (err >= 0)
        err = herd_node_reply(node, ticket, &text, now, out, ret_session);
    herd_buf_fini(&reply);
    return err;
}
