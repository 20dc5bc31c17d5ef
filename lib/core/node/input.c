/* SPDX-License-Identifier: MIT */
/* Bytes into lines, many at a time; what each means is in dispatch.c. */
#include "../protocol/parse_bounded.h"
#include "../protocol/preface.h"
#include "dispatch.h"
#include "effect.h"
#include "peer.h"
#include "plain_session.h"
#include "report.h"
#include "session.h"
#include "timeouts.h"

/* Lines that are parsed and looked up together, so that their cache misses overlap. */
#define BATCH 32
/* What a client is shown of a line that is too long. */
#define TOO_LONG_SHOWN 256
/* A neighbour's AT line is longer than the report it came from ("AT", a name, a difference), and a LIST
 * takes 16 000 bytes whatever limit clients have. */
#define LINK_LINE_EXTRA 16384

/* ---- lines too long, and other protocols ---- */

static size_t line_max(const struct herd_session *session)
{
    size_t max = session->node->options.line_max_bytes;
    return session->role == HERD_ROLE_CLIENT ? max : max + LINK_LINE_EXTRA;
}

/* A neighbour's limit may be greater: a record too long for this node is refused, and its line is skipped. */
static bool skips_too_long(struct herd_session *session, struct herd_span bytes)
{
    static const char at[] = "AT ", gone[] = "GONE ";
    if (session->role != HERD_ROLE_LINK ||
        (memcmp(bytes.at, at, sizeof at - 1) != 0 && memcmp(bytes.at, gone, sizeof gone - 1) != 0))
        return false;
    session->node->stats.at_received++;
    session->node->peers[session->peer]->at_received++;
    bytes.len = bytes.len < TOO_LONG_SHOWN ? bytes.len : TOO_LONG_SHOWN;
    herd_offer_refuse(session->node, herd_session_neighbour(session), HERD_REFUSAL_LINE, bytes);
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
    struct herd_parsed_line parsed = {.line = bytes};
    if (herd_command_parse(bytes, &parsed.command) != HERD_AUTH) /* cut off, it says something else, or nothing */
        parsed.command.verb = HERD_INVALID;
    parsed.command.args = (struct herd_span){"", 0};
    return herd_dispatch_client(session, &parsed, out);
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

/* ---- batches ---- */

/* True if the last command produced output or left a ticket open. */
static bool replied(const struct herd_session *session, const struct herd_buf *out, size_t out_before)
{
    return out->len > out_before || session->ticket_count > 0;
}

/* Lines cut from the bytes of one read. */
struct batch {
    struct herd_parsed_line lines[BATCH];
    size_t count, next; /* lines; the first that was not run */
    struct herd_span rest;
    enum herd_scan scan; /* why no more were cut */
};

/* Cuts up to BATCH lines off the front of batch->rest; a link's get their hash. Before its introduction a connection is
 * given one line at a time: what follows is read as what that makes of it. */
static void cut_lines(struct herd_session *session, const char *start, struct batch *batch)
{
    const struct herd_seen_cache *seen = &session->node->seen;
    const bool link = session->role == HERD_ROLE_LINK;
    const bool may_introduce = !session->had_line || session->role == HERD_ROLE_HANDSHAKE;
    const size_t most = link || !may_introduce ? BATCH : 1;
    enum herd_scan scan = HERD_LINE;
    size_t n = 0;
    for (; n < most; n++) {
        struct herd_parsed_line *parsed = &batch->lines[n];
        scan = herd_line_next(&batch->rest, &session->seen, line_max(session), &parsed->line);
        if (scan != HERD_LINE)
            break;
        if (!session->had_line)
            parsed->line = herd_preface_skip_bom(parsed->line);
        parsed->end = (size_t)(batch->rest.at - start);
        parsed->line_hash = link ? herd_seen_cache_hash(seen, parsed->line) : 0;
        if (link)
            __builtin_prefetch(herd_seen_cache_home(seen, parsed->line_hash));
    }
    batch->count = n;
    batch->next = 0;
    batch->scan = scan;
}

/* What the id of a report is looked up by. */
static inline void hash_id(const struct herd_store *store, struct herd_parsed_line *io_parsed)
{
    io_parsed->hash = herd_store_hash(store, io_parsed->command.id);
    io_parsed->id_hash = herd_store_id_hash(store, io_parsed->command.id);
    io_parsed->slot_hint = HERD_NO_SLOT;
}

static bool is_report(const struct herd_parsed_line *parsed)
{
    return parsed->command.verb == HERD_IAMAT || parsed->command.verb == HERD_AT ||
           parsed->command.verb == HERD_GONE;
}

/* Parses the lines of a batch, and leaves out those that are just copies. */
static void parse_lines(struct herd_session *session, const char *readable_end, struct batch *batch)
{
    const struct herd_store *store = session->node->store;
    const bool link = session->role == HERD_ROLE_LINK;
    const size_t count = batch->count;
    bool frame = false;
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        struct herd_parsed_line *parsed = &batch->lines[left];
        parsed->line = batch->lines[i].line;
        parsed->end = batch->lines[i].end;
        parsed->line_hash = batch->lines[i].line_hash;
        if (link && !frame && herd_report_seen(session, parsed->line_hash))
            continue; /* most lines of a link are copies */
        enum herd_verb verb = herd_command_parse_bounded(parsed->line, readable_end, &parsed->command);
        frame |= verb != HERD_AT && verb != HERD_GONE; /* which may make this neighbour due what follows */
        if (is_report(parsed)) {
            hash_id(store, parsed);
            __builtin_prefetch(herd_index_home(&store->index, parsed->hash));
            __builtin_prefetch(&store->digest.leaves[herd_digest_leaf(&store->digest, parsed->id_hash)], 1);
        }
        left++;
    }
    batch->count = left;
}

/* Cuts and parses lines, and brings what they will touch into the cache. */
static void batch_fill(struct herd_session *session, struct herd_span bytes, struct batch *batch)
{
    const struct herd_store *store = session->node->store;
    cut_lines(session, bytes.at, batch);
    parse_lines(session, bytes.at + bytes.len, batch);
    for (size_t i = 0; i < batch->count; i++) {
        struct herd_parsed_line *parsed = &batch->lines[i];
        if (!is_report(parsed))
            continue;
        parsed->slot_hint = herd_index_first_match(&store->index, parsed->hash);
        if (parsed->slot_hint != HERD_NO_SLOT)
            __builtin_prefetch(herd_store_packed(store, parsed->slot_hint), 1);
    }
}

/* Runs the lines of a batch until none is left or the session takes no more; `steps` is what the node's were when the
 * input began. */
static int batch_run(struct herd_session *session, struct batch *batch, uint64_t steps, struct herd_buf *out)
{
    const struct herd_node *node = session->node;
    while (batch->next < batch->count && herd_session_accepts_input(session)) {
        size_t out_before = out->len;
        int err = herd_dispatch(session, &batch->lines[batch->next++], out);
        if (err < 0)
            return err;
        if (node->options.close_after_reply && session->role == HERD_ROLE_CLIENT &&
            replied(session, out, out_before))
            session->draining = true;
        session->spent |= session->role == HERD_ROLE_LINK && herd_node_steps(node) - steps >= HERD_TURN_STEPS;
    }
    if (!herd_session_accepts_input(session))
        session->seen = 0; /* lines behind the last that ran are found again later */
    return 0;
}

/* How many bytes are used up: all that were cut, or up to the last line that ran. */
static size_t batch_consumed(const struct batch *batch, struct herd_span bytes)
{
    return batch->next == batch->count ? (size_t)(batch->rest.at - bytes.at) : batch->lines[batch->next - 1].end;
}

/* Handles lines until the bytes end or the session takes no more. *ret_consumed: how many bytes are used up. */
static int take_lines(struct herd_session *session, struct herd_span bytes, struct herd_buf *out,
                      size_t *ret_consumed)
{
    struct batch batch;
    size_t consumed = 0;
    uint64_t steps = herd_node_steps(session->node);
    batch.rest = bytes;
    batch.scan = is_tls(session, bytes) ? HERD_LINE_MORE : HERD_LINE;
    while (batch.scan == HERD_LINE && herd_session_accepts_input(session)) {
        batch_fill(session, bytes, &batch);
        int err = batch_run(session, &batch, steps, out);
        if (err < 0)
            return err;
        consumed = batch_consumed(&batch, bytes);
    }
    if (batch.scan == HERD_LINE_TOO_LONG && herd_session_accepts_input(session)) {
        int err = reply_too_long(session, batch.rest, out);
        if (err < 0)
            return err;
    }
    if (session->draining || session->role == HERD_ROLE_CLOSING)
        consumed = bytes.len; /* nothing more is read from this connection */
    *ret_consumed = consumed;
    return 0;
}

/* ---- input ---- */

/* A client in the middle of a line is on the clock from the line's first byte; `another`: this is not the
 * line it was in the middle of before. */
static void time_line(struct herd_session *session, bool unfinished, bool another)
{
    if (!unfinished || another || session->role != HERD_ROLE_CLIENT) {
        herd_timeout_stop(session, HERD_TIMEOUT_LINE);
        herd_timeout_stop(session, HERD_TIMEOUT_LINE_SILENCE);
        herd_list_remove(&session->line_due.link);
    }
    if (!unfinished || session->role != HERD_ROLE_CLIENT)
        return;
    if (!herd_timeout_running(session, HERD_TIMEOUT_LINE))
        herd_timeout_start(session, HERD_TIMEOUT_LINE);
    if (session->plain)
        herd_plain_time_line(session);
}

static void set_result(const struct herd_session *session, size_t consumed, struct herd_input_result *ret_result)
{
    bool dead = session->role == HERD_ROLE_CLOSING;
    ret_result->consumed = consumed;
    ret_result->blocked = !dead && !session->draining && herd_session_waits(session);
    ret_result->close = !dead && session->draining && session->ticket_count == 0;
}

int herd_session_input(struct herd_session *session, struct herd_span bytes, struct herd_now now,
                       struct herd_buf *out, struct herd_input_result *ret_result)
{
    struct herd_node *node = session->node;
    if (bytes.len == 0)
        bytes.at = ""; /* it may have no address */
    node->now = now;
    if (session->role == HERD_ROLE_CLIENT) {
        herd_session_touch(session);
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

/* The end of input ends a client's last line too. A neighbour's was cut off: what is there of it may look whole, with a
 * shorter time. */
static int last_line(struct herd_session *session, struct herd_span rest, struct herd_buf *out)
{
    struct herd_parsed_line parsed = {.line = session->had_line ? rest : herd_preface_skip_bom(rest)};
    herd_command_parse(parsed.line, &parsed.command);
    if (parsed.command.verb == HERD_HELLO)
        parsed.command.verb = HERD_INVALID; /* nobody to be linked with any more, and perhaps cut off */
    if (is_report(&parsed))
        hash_id(session->node->store, &parsed);
    return herd_dispatch(session, &parsed, out);
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
        err = last_line(session, (struct herd_span){rest.at + ret_result->consumed, left}, out);
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
    if (session->role != HERD_ROLE_CLIENT || rest.len == 0 || !herd_session_accepts_input(session) ||
        memchr(rest.at, '\n', rest.len))
        return 0;
    struct herd_span line = session->had_line ? rest : herd_preface_skip_bom(rest);
    int taken = herd_plain_take_unfinished(session, line);
    if (taken < 0)
        herd_dispatch_no_memory(session);
    if (taken == 0)
        return 0;
    session->had_line = session->began = true;
    session->seen = 0;
    ret_result->consumed = rest.len;
    time_line(session, false, true);
    return 0;
}
