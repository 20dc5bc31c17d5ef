/* SPDX-License-Identifier: MIT */
/*
 * Rights of sessions. The node is told who is at the other end; what follows from that is decided here.
 *
 *     report    not its client, or too often          -> "? " and the line, as for any report that is refused
 *     deletion  not its to delete, or too often       -> as for a client that nobody knows
 *     question  not its client                        -> as for a client that nobody knows: no oracle
 */
#include "access.h"

#include "../access/identities_impl.h"
#include "../base/copy.h"
#include "effect.h"
#include "session.h"

/* ---- who ---- */

int herd_session_set_identity(struct herd_session *session, struct herd_identity *identity)
{
    int err = identity ? herd_identity_join(identity) : 0;
    if (err < 0)
        return err;
    if (session->identity)
        herd_identity_leave(session->identity);
    session->identity = identity;
    return 0;
}

struct herd_identity *herd_session_identity(const struct herd_session *session)
{
    return session->identity;
}

void herd_session_set_proof(struct herd_session *session, struct herd_span server, bool secure)
{
    session->proved = server;
    session->secure = secure;
}

void herd_session_set_rate(struct herd_session *session, struct herd_rate *rate)
{
    session->address_rate = rate;
}

/* ---- what ---- */

/* "IDENTITY ID", or what fits of it. */
static void notice_denied(struct herd_session *session, uint64_t *io_count, const char *text, struct herd_span id)
{
    char detail[HERD_NOTICE_DETAIL_MAX];
    struct herd_span name = session->identity ? session->identity->name : herd_span_of("-");
    if (!herd_worth_saying(++*io_count))
        return;
    size_t len = name.len;
    herd_copy(detail, name.at, name.len);
    detail[len++] = ' ';
    size_t room = sizeof detail - len, some = id.len < room ? id.len : room;
    herd_copy(detail + len, id.at, some);
    herd_notice(session->node, text, (struct herd_span){detail, len + some});
}

void herd_access_deny(struct herd_session *session, struct herd_span id)
{
    notice_denied(session, &session->node->stats.not_allowed, "not_allowed", id);
}

/* Whether it may change what is known of `id`: `allowed`, and not too often. */
static int change(struct herd_session *session, struct herd_span id,
                  bool (*allowed)(const struct herd_identity *identity, struct herd_span id))
{
    struct herd_node *node = session->node;
    struct herd_identity *identity = session->identity;
    if (node->options.access && !(identity && allowed(identity, id))) {
        herd_access_deny(session, id);
        return HERD_VERDICT_NOT_ALLOWED;
    }
    if ((node->options.access && !herd_rate_take(&identity->reports, node->now.steady_ns)) ||
        (session->address_rate && !herd_rate_take(session->address_rate, node->now.steady_ns))) {
        notice_denied(session, &node->stats.too_often, "too_often", id);
        return HERD_VERDICT_TOO_OFTEN;
    }
    return 0;
}

int herd_access_report_guarded(struct herd_session *session, struct herd_span id)
{
    return change(session, id, herd_identity_may_report);
}

int herd_access_delete(struct herd_session *session, struct herd_span id)
{
    return change(session, id, herd_identity_may_delete);
}

bool herd_access_see(const struct herd_session *session, struct herd_span id)
{
    return !session->node->options.access || (session->identity && herd_identity_may_ask(session->identity, id));
}

bool herd_access_see_group(const struct herd_session *session, struct herd_span group)
{
    if (group.len == 0 || group.at[group.len - 1] != '*')
        return herd_access_see(session, group);
    group.len--;
    return !session->node->options.access ||
           (session->identity && herd_patterns_meet(session->identity->ask, group));
}

bool herd_access_ask(struct herd_session *session, struct herd_span id)
{
    if (herd_access_see(session, id))
        return true;
    herd_access_deny(session, id);
    return false;
}
