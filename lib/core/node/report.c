/* SPDX-License-Identifier: MIT */
/* Updates: a client's report, and what a neighbour knows. Both end in the store and the change stream. */
#include "../base/copy.h"
#include "../base/saturate.h"
#include "node_impl.h"

#include <herd/timestamp.h>

/* Stores an encoded record as new or newer, and publishes it to every subscriber but `except`. *io_slot is where it was, or
 * HERD_NO_SLOT, and is where it is now. */
static int accept(struct herd_node *node, const struct herd_parsed_line *parsed,
                  const struct herd_encoded_record *encoded, uint32_t *io_slot,
                  const struct herd_subscriber *except)
{
    struct herd_store *store = node->store;
    int err;
    if (*io_slot != HERD_NO_SLOT) {
        err = herd_store_replace(store, *io_slot, parsed->id_hash, encoded);
    } else {
        err = herd_changes_reserve(&node->changes, store->slots + 1);
        if (err >= 0)
            err = herd_store_insert(store, parsed->hash, parsed->id_hash, encoded, io_slot);
    }
    if (err >= 0)
        herd_changes_publish(&node->changes, *io_slot, except);
    return err;
}

/* The same report again, whoever took the first, or one made before it: it is answered, and that is all. Who reports
 * the same once more after it expired is heard. Otherwise *ret_order is the total order. */
static int order_report(struct herd_node *node, const struct herd_encoded_record *encoded, uint32_t slot,
                        int *ret_order)
{
    const struct herd_packed_record *packed = herd_store_packed(node->store, slot);
    if (encoded->record->time_ns < packed->time_ns && node->options.expire_ns <= 0) {
        *ret_order = -1;
        return 0;
    }
    if (encoded->record->time_ns == packed->time_ns) {
        struct herd_record old = {.time_ns = packed->time_ns};
        int err = herd_packed_record_texts(packed, &node->store->texts, &old);
        if (err < 0)
            return err;
        if (herd_span_equal(encoded->record->position, old.position) &&
            herd_span_equal(encoded->record->time, old.time) && !herd_expired(node, &old)) {
            *ret_order = 0;
            return 0;
        }
    }
    return herd_store_order(node->store, slot, encoded, ret_order);
}

static bool from_the_future(struct herd_node *node, const struct herd_command *command)
{
    if (node->options.future_ns < 0 ||
        herd_sub_saturated(command->time_ns, node->now.wall_ns) <= node->options.future_ns)
        return false;
    herd_notice_damped(node, &node->future_count,
                       node->options.future_refuse ? "report_from_future_refused" : "report_from_future",
                       command->id);
    return true;
}

/* A report that needs memory which it may not have. One over another that both fit their cell needs none. */
static bool too_large(const struct herd_node *node, uint32_t slot, const struct herd_encoded_record *encoded)
{
    if (slot != HERD_NO_SLOT && encoded->fits)
        return false;
    size_t growth = herd_store_growth(node->store, slot, encoded);
    return growth > 0 && herd_store_bytes(node->store) + growth > node->options.records_bytes_max;
}

/* Says no to a report that is well formed: "? " and the line, and the operator hears why. */
static int refuse(struct herd_session *session, const struct herd_parsed_line *parsed, const char *why,
                  struct herd_buf *replies)
{
    struct herd_node *node = session->node;
    node->stats.invalid++;
    if (why)
        herd_notice_damped(node, &node->refused_count, why, parsed->command.id);
    return herd_format_invalid(replies, parsed->line);
}

/* The AT line for a report. As a rule id, place and time stand in it as they came, one space apart. */
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

int herd_report_apply_client(struct herd_session *session, const struct herd_parsed_line *parsed,
                             struct herd_buf *replies)
{
    struct herd_node *node = session->node;
    const struct herd_command *command = &parsed->command;
    char diff[HERD_DIFF_MAX];
    int64_t wall_ns = node->now.wall_ns > 0 ? node->now.wall_ns : 0; /* a clock before 1970 is no clock */
    size_t diff_len = herd_diff_format(wall_ns - command->time_ns, diff);
    struct herd_record record = {
        .server = node->name,
        .diff = {diff, diff_len},
        .id = command->id,
        .position = command->position,
        .time = command->time,
        .time_ns = command->time_ns,
    };
    if (from_the_future(node, command) && node->options.future_refuse)
        return refuse(session, parsed, NULL, replies);

    struct herd_encoded_record encoded;
    uint32_t slot = herd_store_find(node->store, parsed->hash, parsed->slot_hint, command->id);
    herd_expiry_look(node);
    int err = slot == HERD_NO_SLOT ? 0 : herd_expiry_settle(node, slot);
    if (err >= 0)
        err = herd_record_encode(&encoded, &node->store->encoded, &record, node->own_name);
    if (err < 0)
        return refuse(session, parsed, "out_of_memory", replies);
    int order = 1;
    if (slot == HERD_NO_SLOT && node->store->count >= node->options.records_max)
        return refuse(session, parsed, "records_max", replies);
    if (slot != HERD_NO_SLOT && order_report(node, &encoded, slot, &order) < 0)
        return refuse(session, parsed, "out_of_memory", replies);
    if (order > 0) {
        if (too_large(node, slot, &encoded))
            return refuse(session, parsed, "records_bytes_max", replies);
        if (accept(node, parsed, &encoded, &slot, NULL) < 0)
            return refuse(session, parsed, "out_of_memory", replies);
        node->stats.reports++;
    } else {
        node->stats.reports_stale++;
    }
    return reply(node, &record, replies);
}

bool herd_report_full(const struct herd_node *node)
{
    return node->store->count / 2 >= node->options.records_max;
}

void herd_report_refuse(struct herd_session *session, enum herd_refusal why, struct herd_span what)
{
    static const char *const reasons[HERD_REFUSALS] = {"records_max", "line_max_bytes", "server_names"};
    struct herd_node *node = session->node;
    struct herd_peer *from = session->peer >= 0 ? node->peers[session->peer] : NULL;
    uint64_t *count = from ? &from->refused[why] : &node->plain_refused[why];
    node->stats.at_refused++;
    if (from && from->session == session)
        from->sync.refused++;
    if (!herd_worth_saying(++*count))
        return;
    /* NAME REASON ID, as much of it as a notice takes */
    char text[HERD_NOTICE_DETAIL_MAX];
    struct herd_span name = from ? from->name : herd_span_of("a-plain-neighbour");
    const struct herd_span parts[] = {name, herd_span_of(reasons[why]), what};
    size_t len = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t room = sizeof text - 1 - len, some = parts[i].len < room ? parts[i].len : room;
        herd_copy(text + len, parts[i].at, some);
        len += some;
        if (i < 2)
            text[len++] = ' ';
    }
    herd_notice(node, "peer_record_refused", (struct herd_span){text, len});
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
    from->at_lines++;
    return true;
}

/* A neighbour's record that this node does not hold, for its own clock: nothing is wrong with the link. */
static void refuse_record(struct herd_node *node, struct herd_peer *from, enum herd_window window,
                          struct herd_span server)
{
    bool future = window == HERD_WINDOW_BEHIND;
    if (from)
        from->sync.refused++;
    herd_notice_damped(node, future ? &node->stats.at_future : &node->stats.at_expired,
                       future ? "record_from_future_refused" : "record_expired_refused", server);
}

void herd_report_apply_peer(struct herd_session *session, const struct herd_parsed_line *parsed)
{
    struct herd_node *node = session->node;
    struct herd_store *store = node->store;
    /* A plain neighbour may be any of several: then nobody is left out. */
    struct herd_peer *from = session->peer >= 0 ? node->peers[session->peer] : NULL;
    const struct herd_command *command = &parsed->command;
    struct herd_record record = {
        .server = command->server,
        .diff = command->diff,
        .id = command->id,
        .position = command->position,
        .time = command->time,
        .time_ns = command->time_ns,
    };
    node->stats.at_received++;
    if (from)
        from->at_lines++;
    enum herd_window window = herd_expiry_window(node, &record);
    if (window != HERD_WINDOW_WITHIN) {
        refuse_record(node, from, window, command->server);
        return;
    }

    /* What a limit does not let in is refused alone. What memory does not let in ends the link: when it is up again,
     * the neighbour tells it once more. */
    uint32_t slot = herd_store_find(store, parsed->hash, parsed->slot_hint, command->id);
    if (slot == HERD_NO_SLOT && herd_report_full(node)) {
        herd_report_refuse(session, HERD_REFUSAL_RECORDS, record.id);
        return;
    }
    int order = 1;
    if (slot != HERD_NO_SLOT && node->options.expire_ns <= 0 &&
        record.time_ns < herd_store_packed(store, slot)->time_ns)
        return; /* older, whatever else it says */
    int err = slot == HERD_NO_SLOT ? 0 : herd_expiry_settle(node, slot);
    int server = herd_names_intern(&store->names, command->server);
    struct herd_encoded_record encoded;
    if (server == HERD_E_LIMIT) {
        herd_report_refuse(session, HERD_REFUSAL_SERVERS, record.id);
        return;
    }
    if (err < 0 || server < 0 || herd_record_encode(&encoded, &store->encoded, &record, (uint16_t)server) < 0) {
        herd_session_terminate(session, "out_of_memory");
        return;
    }
    if (slot != HERD_NO_SLOT)
        err = herd_store_order(store, slot, &encoded, &order);
    if (err < 0) {
        herd_session_terminate(session, "out_of_memory");
        return;
    }
    if (order > 0) {
        if (accept(node, parsed, &encoded, &slot, from ? &from->subscriber : NULL) < 0) {
            herd_session_terminate(session, "out_of_memory");
            return;
        }
        node->stats.at_new++;
        herd_seen_cache_add(&node->seen, parsed->line_hash, slot);
    }
    /* The neighbour has what we have or newer: it need not be told. A new slot may be one that was due before it
     * was emptied. */
    if (order >= 0 && from)
        herd_subscriber_clear(&from->subscriber, slot);
}
