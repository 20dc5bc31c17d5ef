/* SPDX-License-Identifier: MIT */
/* Reports of clients, by line or by call, and records and tombstones of neighbours: offers made of what was said. */
#include "report.h"

#include "../base/copy.h"
#include "access.h"
#include "expiry.h"
#include "foreign.h"
#include "session.h"

/* The AT line for a line IAMAT. As a rule id, place and time stand in it as they came, one space apart. */
static int reply(struct herd_node *node, const struct herd_record *record, struct herd_buf *out)
{
    const char *id = record->id.at, *position = record->position.at, *time = record->time.at;
    if (id + record->id.len + 1 != position || position + record->position.len + 1 != time || position[-1] != ' ' ||
        time[-1] != ' ')
        return herd_format_at(out, record->server, record->diff, record->id, record->position, record->time);
    size_t as_came = (size_t)(time + record->time.len - id);
    size_t len = node->at_name.len + record->diff.len + 1 + as_came + 1;
    int err = herd_buf_reserve(out, len);
    if (err < 0)
        return err;
    char *p = out->at + out->len;
    herd_copy(p, node->at_name.at, node->at_name.len);
    p += node->at_name.len;
    herd_copy(p, record->diff.at, record->diff.len);
    p += record->diff.len;
    *p++ = ' ';
    herd_copy(p, id, as_came);
    p[as_came] = '\n';
    out->len += len;
    return 0;
}

/* Makes a report that is accepted now an offer: it gets this node's name and the difference of the clocks. */
static inline void accept_now(const struct herd_node *node, const struct herd_command *command,
                              struct herd_offer *offer)
{
    int64_t wall_ns = node->now.wall_ns > 0 ? node->now.wall_ns : 0; /* a clock before 1970 is no clock */
    offer->source = HERD_SOURCE_CLIENT;
    offer->from = NULL;
    offer->record = (struct herd_record){
        .server = node->name,
        .diff = {offer->diff, herd_diff_format(wall_ns - command->time_ns, offer->diff)},
        .id = command->id,
        .position = command->position,
        .time = command->time,
        .time_ns = command->time_ns,
    };
}

/* Most news came as the line that links are due, or were answered with it: it need not be made of the record again. */
static inline void keep_line(struct herd_node *node, int verdict, const struct herd_offer *offer,
                             struct herd_span line)
{
    uint64_t place;
    if ((verdict == HERD_VERDICT_NEWER || verdict == HERD_VERDICT_NEW) &&
        herd_changes_newest(&node->changes, offer->slot_hint, &place))
        herd_line_cache_keep(&node->lines, node->store, offer->slot_hint, place, line);
}

int herd_report_apply_client(struct herd_session *session, const struct herd_parsed_line *parsed,
                             struct herd_buf *replies)
{
    struct herd_node *node = session->node;
    struct herd_offer offer;
    offer.hash = parsed->hash;
    offer.id_hash = parsed->id_hash;
    offer.slot_hint = parsed->slot_hint;
    accept_now(node, &parsed->command, &offer);
    int refused = herd_access_report(session, parsed->command.id);
    unsigned bucket;
    if (!refused && herd_foreign(node, parsed->command.id, &bucket))
        return herd_foreign_see(node, parsed->command.id, bucket, replies);
    int verdict = refused ? refused : herd_offer(node, &offer);
    if (!refused && herd_offer_taken(verdict)) {
        size_t before = replies->len;
        int err = reply(node, &offer.record, replies);
        if (err >= 0 && node->peer_count > 0)
            keep_line(node, verdict, &offer, (struct herd_span){replies->at + before, replies->len - before});
        return err;
    }
    node->stats.invalid++;
    return herd_format_invalid(replies, parsed->line);
}

/* Whether a line AT of a link, which ends with LF, is as herd_store_format writes it. */
static inline bool as_written(const struct herd_parsed_line *parsed)
{
    const struct herd_command *command = &parsed->command;
    const char *at = parsed->line.at + sizeof "AT" - 1;
    const struct herd_span fields[] = {command->server, command->diff, command->id, command->position,
                                       command->time};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (*at != ' ' || fields[i].at != at + 1)
            return false;
        at = fields[i].at + fields[i].len;
    }
    return at == parsed->line.at + parsed->line.len && *at == '\n';
}

int herd_report_apply_peer(struct herd_session *session, const struct herd_parsed_line *parsed)
{
    struct herd_node *node = session->node;
    const struct herd_command *command = &parsed->command;
    struct herd_offer offer;
    offer.record = (struct herd_record){
        .server = command->server,
        .diff = command->diff,
        .id = command->id,
        .position = command->position,
        .time = command->time,
        .time_ns = command->time_ns,
    };
    offer.source = HERD_SOURCE_PEER;
    offer.from = herd_session_neighbour(session);
    offer.hash = parsed->hash;
    offer.id_hash = parsed->id_hash;
    offer.line_hash = parsed->line_hash;
    offer.slot_hint = parsed->slot_hint;
    node->stats.at_received++;
    if (offer.from)
        offer.from->at_received++;
    int verdict = herd_offer(node, &offer);
    if (node->peer_count > 1 && session->role == HERD_ROLE_LINK && command->verb == HERD_AT && as_written(parsed))
        keep_line(node, verdict, &offer, (struct herd_span){parsed->line.at, parsed->line.len + 1});
    return verdict < 0 ? verdict : 0;
}

bool herd_report_seen(struct herd_session *session, uint64_t line_hash)
{
    struct herd_node *node = session->node;
    struct herd_peer *from = node->peers[session->peer];
    uint32_t slot = herd_seen_cache_slot(&node->seen, line_hash);
    /* What this neighbour is still due may be this very record: then it has to be looked at. */
    if (slot == HERD_NO_SLOT || herd_subscriber_has(&from->subscriber, slot))
        return false;
    node->stats.at_received++;
    from->at_received++;
    return true;
}

/* ---- from inside a program ---- */

/* Writes a report as a line into scratch, so that it is read as any other. HERD_E_SYNTAX, HERD_E_LIMIT, HERD_E_NOMEM. */
static int read_report(struct herd_node *node, const struct herd_span fields[3], struct herd_command *ret_command)
{
    struct herd_buf *line = &node->entries;
    line->len = 0;
    for (size_t i = 0; i < 3; i++)
        if (fields[i].len > node->options.line_max_bytes)
            return HERD_E_LIMIT;
    int err = herd_format_iamat(line, fields[0], fields[1], fields[2]);
    if (err < 0)
        return err;
    struct herd_span rest = {line->at, line->len}, whole;
    size_t seen = 0;
    if (herd_line_next(&rest, &seen, node->options.line_max_bytes, &whole) != HERD_LINE)
        return HERD_E_LIMIT;
    bool one_line = rest.len == 0 && herd_command_parse(whole, ret_command) == HERD_IAMAT;
    if (!one_line || !herd_span_equal(ret_command->id, fields[0]) ||
        !herd_span_equal(ret_command->position, fields[1]) || !herd_span_equal(ret_command->time, fields[2]))
        return HERD_E_SYNTAX;
    return 0;
}

/* `session` NULL: the program's own report, which everything is allowed to. */
static int report(struct herd_node *node, struct herd_session *session, const struct herd_span fields[3],
                  struct herd_now now, struct herd_buf *out, enum herd_verdict *ret_verdict)
{
    struct herd_span id = fields[0], position = fields[1], time = fields[2];
    struct herd_command command;
    struct herd_offer offer;
    int err = read_report(node, fields, &command);
    if (err >= 0 && out)
        err = herd_buf_reserve(out, node->at_name.len + HERD_DIFF_MAX + node->entries.len);
    if (err < 0)
        return err;
    node->now = now;
    int refused = session ? herd_access_report(session, id) : 0;
    unsigned bucket;
    if (!refused && herd_foreign(node, id, &bucket)) {
        herd_foreign_count(node, id);
        refused = HERD_VERDICT_FOREIGN;
    }
    if (refused) {
        *ret_verdict = (enum herd_verdict)refused;
        return 0;
    }
    offer.hash = herd_store_hash(node->store, id);
    offer.id_hash = herd_store_id_hash(node->store, id);
    offer.slot_hint = HERD_NO_SLOT;
    accept_now(node, &command, &offer);
    int verdict = herd_offer(node, &offer);
    if (verdict < 0)
        return verdict;
    *ret_verdict = (enum herd_verdict)verdict;
    if (!out || !herd_offer_taken(verdict))
        return 0;
    return herd_format_at(out, node->name, offer.record.diff, id, position, time);
}

int herd_node_report(struct herd_node *node, struct herd_span id, struct herd_span position, struct herd_span time,
                     struct herd_now now, struct herd_buf *out, enum herd_verdict *ret_verdict)
{
    return report(node, NULL, (const struct herd_span[3]){id, position, time}, now, out, ret_verdict);
}

int herd_session_report(struct herd_session *session, struct herd_span id, struct herd_span position,
                        struct herd_span time, struct herd_now now, struct herd_buf *out,
                        enum herd_verdict *ret_verdict)
{
    return report(session->node, session, (const struct herd_span[3]){id, position, time}, now, out, ret_verdict);
}

int herd_report_find(struct herd_node *node, struct herd_span id, struct herd_record *ret_record)
{
    uint32_t slot = herd_store_find(node->store, herd_store_hash(node->store, id), HERD_NO_SLOT, id);
    if (slot == HERD_NO_SLOT)
        return HERD_E_NOTFOUND;
    if (!herd_store_get_slot(node->store, slot, ret_record))
        return HERD_E_NOMEM;
    return herd_record_is_tombstone(ret_record) || herd_expired(node, ret_record) ? HERD_E_NOTFOUND : 0;
}

int herd_node_find(struct herd_node *node, struct herd_span id, struct herd_now now, struct herd_record *ret_record)
{
    node->now = now;
    return herd_report_find(node, id, ret_record);
}
