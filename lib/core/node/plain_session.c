/* SPDX-License-Identifier: MIT */
/*
 * Connections that plain neighbours make: on one from an address that is theirs, AT lines are taken like those of a
 * link, with whatever follows the sixth field; it is the route the message took. They are read leniently: a difference
 * as a sloppy printer writes it, and a line without LF when nothing came behind it for a while. Once a connection has carried an AT line, its
 * unknown lines are dropped without a reply: such a server does not read replies.
 *
 * Not all of them hang up: the longest silent is closed when there are too many.
 */
#include "plain_session.h"

#include "../protocol/diff.h"
#include "../protocol/fields.h"
#include "../protocol/parse_bounded.h"
#include "effect.h"
#include "report.h"
#include "session.h"
#include "timeouts.h"

/* So many connections of each plain neighbour stay open. */
#define OPEN_MAX   32
#define AT_FIELDS  6
#define DIFF_FIELD 2
/* A line that is longer under way than this has to have its LF. */
#define LINE_WHOLE_NS INT64_C(1000000000)

static bool is_at(const struct herd_span *fields, size_t count)
{
    return count >= AT_FIELDS && fields[0].len == 2 && memcmp(fields[0].at, "AT", 2) == 0;
}

/* An AT line with more behind its six fields, or with a difference that a sloppy printer wrote; `diff` is memory for
 * that. True: *job is what it says. */
static bool read_lenient(const struct herd_store *store, struct herd_parsed_line *parsed,
                         char diff[HERD_DIFF_LENIENT_MAX])
{
    struct herd_span fields[AT_FIELDS];
    size_t count = herd_fields(parsed->line, parsed->line.at + parsed->line.len, fields, AT_FIELDS);
    if (!is_at(fields, count))
        return false;
    const struct herd_span *last = &fields[AT_FIELDS - 1];
    struct herd_span line = {parsed->line.at, (size_t)(last->at + last->len - parsed->line.at)};
    struct herd_command command;
    if (herd_command_parse(line, &command) != HERD_AT) {
        size_t diff_len = herd_diff_read_lenient(fields[DIFF_FIELD], diff);
        const struct herd_span *id = &fields[DIFF_FIELD + 1];
        if (diff_len == 0 || !herd_name_valid(fields[1]) ||
            herd_report_parse(id[0], id[1], id[2], &command) != HERD_IAMAT)
            return false;
        command.verb = HERD_AT;
        command.server = fields[1];
        command.diff = (struct herd_span){diff, diff_len};
    }
    parsed->command = command;
    parsed->line = line;
    parsed->hash = herd_store_hash(store, command.id);
    parsed->id_hash = herd_store_id_hash(store, command.id);
    parsed->slot_hint = HERD_NO_SLOT;
    return true;
}

/* Makes room for one more: the longest silent goes. */
static void make_room(struct herd_node *node)
{
    size_t max = 0;
    for (size_t i = 0; i < node->peer_count; i++)
        max += node->peers[i]->plain && !node->peers[i]->removed ? OPEN_MAX : 0;
    struct herd_session *oldest = herd_timeout_oldest(node, HERD_TIMEOUT_PLAIN_IDLE);
    if (node->plain_count >= max && oldest)
        herd_session_mark_closing(oldest, "plain_open_max");
}

/* Takes an AT line, whole or not: 1; 0 if it is none. HERD_E_NOMEM. */
static int take(struct herd_session *session, const struct herd_parsed_line *given)
{
    struct herd_node *node = session->node;
    struct herd_parsed_line parsed = *given;
    char diff[HERD_DIFF_LENIENT_MAX];
    if (parsed.command.verb != HERD_AT && !read_lenient(node->store, &parsed, diff))
        return 0;
    if (!session->plain_spoke)
        make_room(node);
    herd_session_mark_plain(session);
    int err = herd_report_apply_peer(session, &parsed);
    return err < 0 ? err : 1;
}

int herd_plain_receive(struct herd_session *session, const struct herd_parsed_line *parsed)
{
    struct herd_span verb;
    int taken = take(session, parsed);
    if (taken != 0)
        return taken;
    if (herd_fields(parsed->line, parsed->line.at + parsed->line.len, &verb, 1) > 0 && verb.len == 2 &&
        memcmp(verb.at, "AT", 2) == 0)
        herd_notice_damped(session->node, &session->node->plain_invalid_count, "plain_line_invalid", parsed->line);
    return session->plain_spoke;
}

int herd_plain_take_unfinished(struct herd_session *session, struct herd_span line)
{
    const struct herd_store *store = session->node->store;
    struct herd_parsed_line parsed = {.line = line, .slot_hint = HERD_NO_SLOT};
    if (!session->plain)
        return 0;
    if (herd_command_parse(line, &parsed.command) == HERD_AT) {
        parsed.hash = herd_store_hash(store, parsed.command.id);
        parsed.id_hash = herd_store_id_hash(store, parsed.command.id);
    }
    return take(session, &parsed);
}

void herd_plain_time_line(struct herd_session *session)
{
    if (session->node->now.steady_ns - session->timers[HERD_TIMEOUT_LINE].started_ns < LINE_WHOLE_NS)
        herd_timeout_start(session, HERD_TIMEOUT_LINE_SILENCE);
    else
        herd_timeout_stop(session, HERD_TIMEOUT_LINE_SILENCE);
}
