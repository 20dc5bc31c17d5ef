/* SPDX-License-Identifier: MIT */
/* One connection: bytes into lines, lines to whoever handles them. */
#include "../protocol/preface.h"
#include "../protocol/read.h"
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
    session->heard_ns = now.steady_ns;
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

int herd_session_dialled(struct herd_node *node, struct herd_session **ret_session, void *user, size_t peer,
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
    int err = p->plain ? herd_plain_say(session, p, out) : herd_peer_say_hello(node, p, out);
    if (err < 0) {
        herd_session_close(session);
        herd_node_dial_failed(node, peer, now);
        return err;
    }
    *ret_session = session;
    if (p->plain)
        return 0;
    session->role = HERD_ROLE_DIALLED;
    session->peer = (int32_t)peer;
    p->dialled = session;
    p->dial_asked = true;
    p->dialled_ns = now.steady_ns;
    return 0;
}

void herd_session_untime(struct herd_session *session)
{
    herd_list_remove(&session->idle);
    herd_list_remove(&session->line);
    herd_list_remove(&session->line_due.link);
}

void herd_session_hold(struct herd_session *session)
{
    herd_session_untime(session);
}

void herd_session_close(struct herd_session *session)
{
    herd_peer_session_gone(session, "connection_lost");
    herd_peer_left(session);
    herd_plain_gone(session);
    herd_lookup_abandon(session);
    herd_session_untime(session);
    herd_list_remove(&session->close.link);
    herd_list_remove(&session->all);
    free(session);
}

/* Takes no more input. */
static void end_session(struct herd_session *session, const char *why)
{
    herd_peer_session_gone(session, why);
    herd_plain_gone(session);
    herd_lookup_abandon(session);
    herd_session_untime(session);
    session->role = HERD_ROLE_DEAD;
    session->close_why = why;
}

void herd_session_kill(struct herd_session *session, const char *why)
{
    if (session->role == HERD_ROLE_DEAD)
        return;
    end_session(session, why);
    herd_wish_make(session->node, &session->close, HERD_EFFECT_CLOSE);
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
    return &HERD_ITEM(session->tickets.prev, struct herd_ticket, of_session)->behind;
}

/* ---- what a line means to whom ---- */

static int reply_invalid(struct herd_session *session, struct herd_span line, struct herd_buf *out)
{
    session->node->counts.invalid++;
    return herd_format_invalid(herd_session_replies(session, out), line);
}

/* The end of what the protocol knows. */
static int no_command(struct herd_session *session, const struct herd_job *job, struct herd_buf *out)
{
    if (session->node->options.commands && !session->finishing)
        return herd_command_offer(session, job);
    return reply_invalid(session, job->line, out);
}

static int client_command(struct herd_session *session, const struct herd_job *job, bool first,
                          struct herd_buf *out)
{
    switch (job->command.verb) {
    case HERD_BLANK: return 0;
    case HERD_IAMAT: return herd_report_take(session, job, herd_session_replies(session, out));
    case HERD_WHATSAT: return herd_lookup_begin(session, job, out);
    case HERD_HELLO:
        if (first)
            return herd_peer_hello(session, &job->command, out);
        return no_command(session, job, out);
    default:
        if (session->plain && herd_plain_take(session, job))
            return 0;
        return no_command(session, job, out);
    }
}

/* A web page can make its reader's browser send a request here, and choose what is in its body: a client that begins
 * like HTTP is answered once, and nothing behind that is read. */
static bool is_http(struct herd_session *session, const struct herd_job *job)
{
    if (session->began || job->command.verb == HERD_BLANK)
        return false;
    session->began = true;
    if (job->command.verb == HERD_IAMAT || job->command.verb == HERD_WHATSAT || job->command.verb == HERD_HELLO ||
        !herd_preface_http(job->line))
        return false;
    herd_notice_damped(session->node, &session->node->http_count, "http_request", job->line);
    return true;
}

static int client_line(struct herd_session *session, const struct herd_job *job, struct herd_buf *out)
{
    bool first = !session->spoken;
    session->spoken = true;
    if (is_http(session, job)) {
        session->finishing = true;
        return reply_invalid(session, job->line, out);
    }
    const struct herd_buf *replies = herd_session_replies(session, out);
    size_t before = replies->len;
    int err = client_command(session, job, first, out);
    if (replies != out) /* behind a ticket, which lives at least until its answer */
        session->owed_bytes += replies->len - before;
    return err;
}

static int dialled_line(struct herd_session *session, const struct herd_job *job, struct herd_buf *out)
{
    switch (job->command.verb) {
    case HERD_BLANK: return 0;
    case HERD_HELLO: return herd_peer_hello(session, &job->command, out);
    case HERD_REFUSE:
        if (herd_worth_saying(++session->node->peers[session->peer]->refused_us))
            herd_notice(session->node, "peer_refuses_us", job->command.rest);
        herd_session_kill(session, "refused");
        return 0;
    default:
        herd_notice(session->node, "peer_not_a_herd_server", job->line);
        herd_session_kill(session, "no_introduction");
        return 0;
    }
}

/* No neighbour says that. */
static void breach(struct herd_session *session, const struct herd_job *job)
{
    herd_notice(session->node, "peer_line_invalid", job->line);
    herd_session_kill(session, "protocol");
}

static void link_line(struct herd_session *session, const struct herd_job *job)
{
    struct herd_peer *peer = session->node->peers[session->peer];
    switch (job->command.verb) {
    case HERD_BLANK:
    case HERD_PONG: break;
    case HERD_PING: peer->pong_due = true; break;
    case HERD_AT: herd_report_learn(session, job); break;
    case HERD_ROOT:
    case HERD_PUSH:
    case HERD_SUMS:
    case HERD_LIST: {
        int err = herd_sync_take(session->node, peer, &job->command);
        if (err == HERD_E_NOMEM) {
            herd_session_kill(session, "out_of_memory");
        } else if (err < 0) {
            breach(session, job);
        }
        break;
    }
    case HERD_REFUSE:
        /* Ours was the connection that both sides agreed to drop. */
        herd_session_kill(session, "refused");
        break;
    default: breach(session, job);
    }
}

static int take_line(struct herd_session *session, const struct herd_job *job, struct herd_buf *out)
{
    switch (session->role) {
    case HERD_ROLE_CLIENT: return client_line(session, job, out);
    case HERD_ROLE_DIALLED: return dialled_line(session, job, out);
    case HERD_ROLE_LINK: link_line(session, job); return 0;
    default: return 0;
    }
}

/* ---- input ---- */

static bool waits(const struct herd_session *session)
{
    const struct herd_node_options *o = &session->node->options;
    return session->offered || session->spent || session->ticket_count >= o->lookups_per_client_max ||
           session->owed_bytes >= o->owed_max_bytes;
}

static size_t line_max(const struct herd_session *session)
{
    size_t max = session->node->options.line_max_bytes;
    return session->role == HERD_ROLE_CLIENT ? max : max + LINK_LINE_EXTRA;
}

/* Cuts up to BATCH lines; a link's get their hash. Before its introduction a connection is given one line at a
 * time: what follows is read as what that makes of it. */
static size_t cut_batch(struct herd_session *session, struct herd_span *io_rest, const char *start,
                        struct herd_job jobs[BATCH], enum herd_scan *ret_scan)
{
    const struct herd_recent *recent = &session->node->recent;
    const bool link = session->role == HERD_ROLE_LINK;
    const bool may_introduce = !session->spoken || session->role == HERD_ROLE_DIALLED;
    const size_t most = link || !may_introduce ? BATCH : 1;
    size_t n = 0;
    *ret_scan = HERD_LINE;
    for (; n < most; n++) {
        struct herd_job *job = &jobs[n];
        *ret_scan = herd_line_next(io_rest, &session->seen, line_max(session), &job->line);
        if (*ret_scan != HERD_LINE)
            break;
        if (!session->spoken)
            job->line = herd_preface_skip_bom(job->line);
        job->end = (size_t)(io_rest->at - start);
        job->line_hash = link ? herd_recent_hash(recent, job->line) : 0;
        if (link)
            __builtin_prefetch(herd_recent_home(recent, job->line_hash));
    }
    return n;
}

/* Parses the lines of a batch that are not just copies, and brings what they will touch into the cache. Returns
 * how many are left. */
static size_t read_batch(struct herd_session *session, const char *limit, struct herd_job jobs[BATCH], size_t n)
{
    struct herd_store *store = session->node->store;
    const bool link = session->role == HERD_ROLE_LINK;
    bool frame = false;
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        struct herd_job *job = &jobs[left];
        job->line = jobs[i].line;
        job->end = jobs[i].end;
        job->line_hash = jobs[i].line_hash;
        if (link && !frame && herd_report_seen(session, job->line_hash))
            continue; /* most lines of a link are copies */
        enum herd_verb verb = herd_command_read(job->line, limit, &job->command);
        frame |= verb != HERD_AT; /* which may make this neighbour due what follows */
        if (verb == HERD_IAMAT || verb == HERD_AT) {
            job->hash = herd_store_hash(store, job->command.id);
            job->id_hash = herd_store_id_hash(store, job->command.id);
            __builtin_prefetch(herd_index_home(&store->index, job->hash));
            __builtin_prefetch(&store->digest.leaves[herd_digest_leaf(&store->digest, job->id_hash)], 1);
        }
        left++;
    }
    for (size_t i = 0; i < left; i++) {
        struct herd_job *job = &jobs[i];
        if (job->command.verb != HERD_IAMAT && job->command.verb != HERD_AT)
            continue;
        job->guess = herd_index_guess(&store->index, job->hash);
        if (job->guess != HERD_NO_SLOT)
            __builtin_prefetch(herd_store_cell(store, job->guess), 1);
    }
    return left;
}

/* A neighbour's limit may be greater: a record too long for this node is refused, and its line is skipped. */
static bool skips_too_long(struct herd_session *session, struct herd_span bytes)
{
    static const char at[] = "AT ";
    if (session->role != HERD_ROLE_LINK || memcmp(bytes.at, at, sizeof at - 1) != 0)
        return false;
    session->node->counts.at_received++;
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
        herd_session_kill(session, "line_too_long");
        return 0;
    }
    session->finishing = true;
    if (!session->spoken)
        bytes = herd_preface_skip_bom(bytes);
    if (bytes.len > TOO_LONG_SHOWN)
        bytes.len = TOO_LONG_SHOWN;
    struct herd_job job = {.line = bytes, .command = {.verb = HERD_INVALID}};
    return client_line(session, &job, out);
}

/* Whether a reply was made since `before` bytes were owed. */
static bool replied(const struct herd_session *session, const struct herd_buf *out, size_t out_before)
{
    return out->len > out_before || session->ticket_count > 0;
}

/* A client that speaks TLS would wait for an answer of its kind; no line of ours begins so. */
static bool is_tls(struct herd_session *session, struct herd_span bytes)
{
    if (session->spoken || session->role != HERD_ROLE_CLIENT || !herd_preface_tls(bytes))
        return false;
    herd_notice_damped(session->node, &session->node->tls_count, "tls_not_enabled", (struct herd_span){"", 0});
    herd_session_kill(session, "tls_not_enabled");
    return true;
}

/* Takes lines until the bytes, the session or its patience end. Returns how many bytes are used up. */
static int take_lines(struct herd_session *session, struct herd_span bytes, struct herd_buf *out,
                      size_t *ret_consumed)
{
    struct herd_job jobs[BATCH];
    struct herd_span rest = bytes;
    size_t consumed = 0;
    uint64_t steps = herd_node_steps(session->node);
    enum herd_scan scan = is_tls(session, bytes) ? HERD_LINE_MORE : HERD_LINE;
    while (scan == HERD_LINE && !session->finishing && session->role != HERD_ROLE_DEAD && !waits(session)) {
        size_t n = cut_batch(session, &rest, bytes.at, jobs, &scan), done = 0;
        n = read_batch(session, bytes.at + bytes.len, jobs, n);
        while (done < n) {
            size_t out_before = out->len;
            int err = take_line(session, &jobs[done++], out);
            if (err < 0)
                return err;
            if (session->node->options.close_after_reply && session->role == HERD_ROLE_CLIENT &&
                replied(session, out, out_before))
                session->finishing = true;
            session->spent |=
                session->role == HERD_ROLE_LINK && herd_node_steps(session->node) - steps >= HERD_TURN_STEPS;
            if (session->finishing || session->role == HERD_ROLE_DEAD || waits(session)) {
                session->seen = 0; /* lines behind this one are found again later */
                break;
            }
        }
        consumed = done == n ? (size_t)(rest.at - bytes.at) : jobs[done - 1].end;
    }
    if (scan == HERD_LINE_TOO_LONG && !session->finishing && session->role != HERD_ROLE_DEAD &&
        consumed == (size_t)(rest.at - bytes.at) && !waits(session)) {
        int err = reply_too_long(session, rest, out);
        if (err < 0)
            return err;
    }
    if (session->finishing || session->role == HERD_ROLE_DEAD)
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

static void set_turn(const struct herd_session *session, size_t consumed, struct herd_turn *ret_turn)
{
    bool dead = session->role == HERD_ROLE_DEAD;
    ret_turn->consumed = consumed;
    ret_turn->paused = !dead && !session->finishing && waits(session);
    ret_turn->close = !dead && session->finishing && session->ticket_count == 0;
}

int herd_session_input(struct herd_session *session, struct herd_span bytes, struct herd_now now,
                       struct herd_buf *out, struct herd_turn *ret_turn)
{
    struct herd_node *node = session->node;
    if (bytes.len == 0)
        bytes.at = ""; /* it may have no address */
    node->now = now;
    session->heard_ns = now.steady_ns;
    struct herd_list *idle = session->plain_spoke ? &node->plains : &node->idle;
    if (session->role == HERD_ROLE_CLIENT && idle->prev != &session->idle) {
        herd_list_remove(&session->idle);
        herd_list_append(idle, &session->idle);
    } else if (session->role == HERD_ROLE_LINK) {
        node->peers[session->peer]->heard_ns = now.steady_ns;
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
    set_turn(session, consumed, ret_turn);
    time_line(session, consumed < bytes.len && !ret_turn->paused, consumed > 0);
    return 0;
}

int herd_session_end(struct herd_session *session, struct herd_span rest, struct herd_now now, struct herd_buf *out,
                     struct herd_turn *ret_turn)
{
    int err = herd_session_input(session, rest, now, out, ret_turn);
    if (err >= 0 && session->leaving) /* the other side has closed it, as it was to */
        herd_wish_make(session->node, &session->close, HERD_EFFECT_CLOSE);
    if (err < 0 || session->role == HERD_ROLE_DEAD)
        return err;
    size_t left = rest.len - ret_turn->consumed;
    if (ret_turn->paused && left > 0)
        return 0;
    if (left > 0 && !session->finishing && session->role == HERD_ROLE_CLIENT) {
        /* The end of input ends a client's last line too. A neighbour's was cut off: what is there of it may
         * look whole, with a shorter time. */
        struct herd_span last = {rest.at + ret_turn->consumed, left};
        if (!session->spoken)
            last = herd_preface_skip_bom(last);
        struct herd_job job = {.line = last, .end = rest.len, .guess = HERD_NO_SLOT};
        enum herd_verb verb = herd_command_parse(last, &job.command);
        if (verb == HERD_HELLO)
            job.command.verb = HERD_INVALID; /* nobody to be linked with any more, and perhaps cut off */
        if (verb == HERD_IAMAT || verb == HERD_AT) {
            job.hash = herd_store_hash(session->node->store, job.command.id);
            job.id_hash = herd_store_id_hash(session->node->store, job.command.id);
        }
        err = take_line(session, &job, out);
        if (err < 0)
            return err;
    }
    if (session->role == HERD_ROLE_CLIENT)
        session->finishing = true;
    else if (session->role != HERD_ROLE_DEAD)
        herd_session_kill(session, "peer_closed");
    session->seen = 0;
    time_line(session, false, false);
    set_turn(session, rest.len, ret_turn);
    return 0;
}

int herd_session_line_timeout(struct herd_session *session, struct herd_span rest, struct herd_now now,
                              struct herd_turn *ret_turn)
{
    session->node->now = now;
    *ret_turn = (struct herd_turn){0};
    if (session->role != HERD_ROLE_CLIENT || session->finishing || rest.len == 0 || waits(session) ||
        memchr(rest.at, '\n', rest.len))
        return 0;
    struct herd_span line = session->spoken ? rest : herd_preface_skip_bom(rest);
    if (!herd_plain_take_unfinished(session, line))
        return 0;
    session->spoken = session->began = true;
    session->seen = 0;
    ret_turn->consumed = rest.len;
    time_line(session, false, true);
    return 0;
}
