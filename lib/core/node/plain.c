/* SPDX-License-Identifier: MIT */
/*
 * Neighbours that speak the class protocol: bare AT lines, a connection for each message, no introduction
 * and no answer.
 *
 *     us                              them
 *     connect, "AT ...", FIN   ->
 *                              <-     whatever they say, or nothing; FIN, or never
 *
 * To them: their dirty set is joined always. While it holds anything a connection is asked for, takes
 * plain_lines_max lines (one, as long as nobody says that the other side reads more than one) and is done
 * for. They never tell what they know, so after every failed dial they are sent everything once more:
 * they may have forgotten all of it.
 *
 * From them: on a connection from an address that is theirs, AT lines are taken like those of a link, with
 * whatever follows the sixth field; it is the route the message took. Replies are not for the likes of
 * them: on a connection that brought an AT line nothing is invalid.
 */
#include "../protocol/fields.h"
#include "node_impl.h"

#define AT_FIELDS 6

void herd_session_allow_plain(struct herd_session *session, int peer)
{
    session->plain = true;
    session->peer = peer;
}

static bool wants(const struct herd_node *node, const struct herd_peer *peer)
{
    return peer->reader.pending > 0 || (peer->behind && node->store->count > 0);
}

int64_t herd_plain_next_ns(const struct herd_node *node, const struct herd_peer *peer)
{
    return !peer->dial_asked && wants(node, peer) ? peer->next_dial_ns : INT64_MAX;
}

void herd_plain_tick(struct herd_node *node, struct herd_peer *peer)
{
    if (peer->dial_asked || !wants(node, peer) || node->now.steady_ns < peer->next_dial_ns)
        return;
    peer->dial_asked = true;
    herd_wish_make(node, &peer->dial, HERD_EFFECT_DIAL);
}

void herd_plain_failed(struct herd_node *node, struct herd_peer *peer)
{
    if (!peer->behind) {
        peer->behind = true;
        peer->down_why = "unreachable";
        herd_wish_make(node, &peer->down, HERD_EFFECT_PEER_DOWN);
    }
}

int herd_plain_say(struct herd_session *session, struct herd_peer *peer, struct herd_buf *out)
{
    struct herd_node *node = session->node;
    int err = 0;
    if (peer->behind) {
        herd_reader_mark_all(&node->changes, &peer->reader, node->store->slots);
        peer->behind = false;
        herd_wish_make(node, &peer->up, HERD_EFFECT_PEER_UP);
    }
    for (size_t lines = 0; lines < node->options.plain_lines_max && err >= 0; lines++) {
        int said = herd_flood_record(node, peer, out);
        if (said == 0)
            break;
        err = lines == 0 && said < 0 ? said : 0; /* what did not fit is still due */
        if (said < 0)
            break;
    }
    peer->dial_asked = false;
    peer->next_dial_ns = 0;
    peer->backoff_ns = node->options.redial_min_ns;
    herd_session_kill(session, "said");
    return err;
}

bool herd_node_peer_plain(const struct herd_node *node, size_t peer)
{
    return peer < node->peer_count && node->peers[peer]->plain;
}

bool herd_node_owes(const struct herd_node *node)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct herd_peer *peer = node->peers[i];
        if (peer->plain && !peer->behind && peer->reader.pending > 0)
            return true;
    }
    return false;
}

/* An AT line with more behind its six fields: cut off there. */
static bool cut(const struct herd_store *store, struct herd_job *job)
{
    struct herd_span fields[AT_FIELDS];
    if (herd_fields(job->line, job->line.at + job->line.len, fields, AT_FIELDS) <= AT_FIELDS)
        return false;
    const struct herd_span *last = &fields[AT_FIELDS - 1];
    struct herd_span line = {job->line.at, (size_t)(last->at + last->len - job->line.at)};
    if (herd_command_parse(line, &job->command) != HERD_AT)
        return false;
    job->line = line;
    job->hash = herd_store_hash(store, job->command.id);
    job->id_hash = herd_store_id_hash(store, job->command.id);
    job->guess = HERD_NO_SLOT;
    return true;
}

bool herd_plain_take(struct herd_session *session, const struct herd_job *given)
{
    struct herd_node *node = session->node;
    struct herd_job job = *given;
    if (job.command.verb != HERD_AT && !cut(node->store, &job))
        return session->plain_spoke;
    if (!session->plain_spoke) {
        session->plain_spoke = true;
        herd_list_remove(&session->idle);
        herd_list_append(&node->plains, &session->idle);
    }
    herd_report_learn(session, &job);
    return true;
}
