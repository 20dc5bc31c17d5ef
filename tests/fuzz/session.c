/* SPDX-License-Identifier: MIT */
/*
 * Three nodes in a triangle and the bytes of strangers. The input is a list of steps, each a byte that chooses
 * and one that measures: say some of the following bytes on a connection, move bytes of any number, answer a
 * look-up, let time pass, cut, crash. Every session's input lies in memory of exactly its size. Afterwards the
 * garbage is gone, the nodes link up, and must agree; nothing may leak.
 *
 * Strangers may also bring reports and deletions without lines, as HTTP does.
 *
 * An input that begins with GUARDED and a byte of bits has identities (1: clients may do what theirs may; tokens are
 * those of `tokens`), neighbours that prove their names (2) and a key of the herd (4). No reply and no notice may hold
 * a token that came in a line AUTH.
 */
#include <herd/node.h>
#include <herd/protocol.h>

#include "delete.h"
#include "report.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

#define NODES   3
#define ENDS    48
#define TICKETS 64
#define GUARDED 0xff
#define KEY     UINT64_C(0x1f2e3d4c5b6a7988)
#define MARK    "herd_t" /* all tokens begin so */

/* Ends 2k and 2k + 1 are connected; a stranger's end has no node. */
struct end {
    int node; /* -1: a stranger */
    struct herd_session *session;
    struct herd_buf in;
    bool used, eof, paused;
    bool proved; /* it has a name that it proved */
};

struct world {
    struct herd_node *node[NODES];
    uint64_t seed[NODES];
    struct end end[ENDS];
    struct {
        int node;
        uint64_t ticket;
        bool auth;
        struct herd_identity *identity; /* whose token it was */
    } tickets[TICKETS];
    size_t ticket_count;
    struct herd_now now;
    bool access, prove, keyed;
    struct herd_identities *set[NODES];
    bool said; /* a token in a line that is not AUTH: it may come back */
};

static const char *const names[NODES] = {"a", "b", "c"};

/* ---- identities and tokens ---- */

static const struct {
    const char *token, *identity;
} tokens[] = {{MARK "kiwi", "kiwi"}, {MARK "fleet", "fleet"}, {MARK "fleet2", "fleet"}};

static const char *const identities[] = {NULL, "anonymous", "desk", "fleet"};

/* `hash` of a token is its number in all bytes. */
static const char list[] =
    "kiwi sha256:0101010101010101010101010101010101010101010101010101010101010101 k,kiwi k*\n"
    "fleet sha256:0202020202020202020202020202020202020202020202020202020202020202 "
    "sha256:0303030303030303030303030303030303030303030303030303030303030303 cert f*,k *"
    " reports=5 burst=2 connections=2 delete=f*\n"
    "desk cert * * delete=*\n"
    "anonymous - public*,z public* reports=50 connections=9\n";

static struct herd_identity *find_token(const struct world *w, int node, struct herd_span token)
{
    unsigned char hash[HERD_TOKEN_HASH_BYTES] = {0};
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
        if (herd_span_equal(token, herd_span_of(tokens[i].token)))
            memset(hash, (int)i + 1, sizeof hash);
    return w->set[node] ? herd_identities_find_token(w->set[node], hash) : NULL;
}

static bool has_mark(const char *at, size_t len)
{
    for (size_t i = 0; i + sizeof MARK - 1 <= len; i++)
        if (memcmp(at + i, MARK, sizeof MARK - 1) == 0)
            return true;
    return false;
}

/* Looks for tokens in lines that a session has used up, but for those of AUTH. */
static void note_tokens(struct world *w, const char *at, size_t len)
{
    if (len == 0)
        return; /* there may be no address */
    for (const char *stop = at + len; at < stop;) {
        const char *lf = memchr(at, '\n', (size_t)(stop - at)), *line = at;
        at = lf ? lf + 1 : stop;
        while (line < at && memchr(" \t\v\f\r", *line, 5))
            line++;
        bool auth = at - line > 5 && strncasecmp(line, "AUTH", 4) == 0 && memchr(" \t\v\f\r", line[4], 5);
        w->said |= !auth && has_mark(line, (size_t)(at - line));
    }
}

static void check_secret(const struct world *w, const char *at, size_t len)
{
    MUST(w->said || len == 0 || !has_mark(at, len));
}

/* ---- nodes ---- */

static void start(struct world *w, int i)
{
    struct herd_span peers[2];
    struct herd_node_options options = {.name = herd_span_of(names[i]),
                                        .peers = peers,
                                        .line_max_bytes = 300,
                                        .lookups_per_client_max = 2,
                                        .queued_reply_max_bytes = 200,
                                        .records_max = 20,
                                        .tombstones_max = 1000,
                                        .traces_max = 2,
                                        .forget_line = true,
                                        .access = w->access,
                                        .peers_prove = w->prove,
                                        .key_check = w->keyed ? KEY : 0};
    for (int k = 0; k < NODES; k++)
        if (k != i)
            peers[options.peer_count++] = herd_span_of(names[k]);
    options.seed[0] = ++w->seed[i];
    options.seed[1] = (uint64_t)i;
    MUST(herd_node_new(&w->node[i], &options) == 0);
}

static struct end *other(struct world *w, const struct end *end)
{
    return &w->end[(size_t)(end - w->end) ^ 1];
}

static void close_end(struct world *w, struct end *end)
{
    if (end->session)
        herd_session_close(end->session);
    end->session = NULL;
    end->in.len = 0;
    other(w, end)->eof = true;
    if (!other(w, end)->session)
        end->used = other(w, end)->used = false;
}

static void drop(struct world *w, struct end *end)
{
    close_end(w, end);
    close_end(w, other(w, end));
}

/* A free pair, its first end for `a`. */
static struct end *pair(struct world *w, int a, int b)
{
    for (size_t i = 0; i < ENDS; i += 2) {
        if (w->end[i].used)
            continue;
        for (size_t k = 0; k < 2; k++) {
            struct herd_buf in = w->end[i + k].in;
            in.len = 0;
            w->end[i + k] = (struct end){.node = k ? b : a, .in = in, .used = true};
        }
        return &w->end[i];
    }
    return NULL;
}

static struct end *find(struct world *w, const struct herd_session *session)
{
    for (size_t i = 0; i < ENDS; i++)
        if (w->end[i].session == session)
            return &w->end[i];
    abort();
}

static int index_of(struct herd_span name)
{
    return name.at[0] - 'a';
}

static void dial(struct world *w, int i, size_t peer)
{
    int to = index_of(herd_node_peer_name(w->node[i], peer));
    struct end *end = pair(w, i, to);
    if (!end) {
        herd_node_dial_failed(w->node[i], peer, w->now);
        return;
    }
    MUST(herd_session_connected(w->node[i], &end->session, NULL, peer, w->now, &end[1].in) == 0);
    MUST(herd_session_open(w->node[to], &end[1].session, NULL, w->now) == 0);
    if (w->prove) {
        herd_session_set_proof(end->session, herd_span_of(names[to]), true);
        herd_session_set_proof(end[1].session, herd_span_of(names[i]), true);
    }
}

static void remember(struct world *w, int node, const struct herd_effect *e)
{
    size_t at = w->ticket_count++ % TICKETS;
    w->tickets[at].node = node;
    w->tickets[at].ticket = e->ticket;
    w->tickets[at].auth = e->kind == HERD_EFFECT_AUTH;
    w->tickets[at].identity = w->tickets[at].auth ? find_token(w, node, e->detail) : NULL;
}

static void line_timeout(struct world *w, struct end *end)
{
    struct herd_input_result result;
    char *copy = malloc(end->in.len ? end->in.len : 1);
    MUST(copy != NULL);
    if (end->in.len)
        memcpy(copy, end->in.at, end->in.len);
    MUST(herd_session_line_timeout(end->session, (struct herd_span){copy, end->in.len}, w->now, &result) == 0);
    free(copy);
    MUST(result.consumed == 0 || result.consumed == end->in.len);
    end->in.len -= result.consumed;
}

static void effects(struct world *w)
{
    for (int i = 0; i < NODES; i++) {
        struct herd_effect e;
        while (herd_node_next_effect(w->node[i], &e)) {
            if (e.kind == HERD_EFFECT_DIAL)
                dial(w, i, e.peer);
            else if (e.kind == HERD_EFFECT_CLOSE)
                close_end(w, find(w, e.session));
            else if (e.kind == HERD_EFFECT_LINE_TIMEOUT)
                line_timeout(w, find(w, e.session));
            else if (e.kind == HERD_EFFECT_LOOKUP || e.kind == HERD_EFFECT_AUTH)
                remember(w, i, &e);
            else if (e.kind == HERD_EFFECT_NOTICE)
                check_secret(w, e.detail.at, e.detail.len);
        }
    }
}

/* Shows a session the first `len` bytes that came for it. */
static bool deliver(struct world *w, struct end *end, size_t len)
{
    if (!end->session || end->paused)
        return false;
    if (len > end->in.len)
        len = end->in.len;
    bool last = end->eof && len == end->in.len;
    if (len == 0 && !last)
        return false;
    struct herd_buf *out = &other(w, end)->in;
    size_t out_before = out->len;
    char *copy = malloc(len ? len : 1);
    MUST(copy != NULL);
    if (len)
        memcpy(copy, end->in.at, len);
    struct herd_input_result result;
    struct herd_span bytes = {copy, len};
    MUST((last ? herd_session_eof(end->session, bytes, w->now, out, &result)
               : herd_session_input(end->session, bytes, w->now, out, &result)) == 0);
    free(copy);
    note_tokens(w, end->in.at, result.consumed);
    MUST(result.consumed <= len && out->len >= out_before);
    if (out->len > out_before)
        check_secret(w, out->at + out_before, out->len - out_before);
    MUST(out->len == out_before || out->at[out->len - 1] == '\n');
    if (result.consumed)
        memmove(end->in.at, end->in.at + result.consumed, end->in.len - result.consumed);
    end->in.len -= result.consumed;
    end->paused = result.blocked;
    if (last && !result.blocked)
        end->eof = false;
    if (result.close)
        close_end(w, end);
    if (end->session) {
        int peer = herd_session_peer(end->session);
        MUST(peer < 0 || !w->prove || other(w, end)->node >= 0 || end->proved);
    }
    effects(w);
    return result.consumed > 0 || result.close || last;
}

static bool fill(struct world *w, struct end *end, size_t room)
{
    if (!end->session || !herd_session_want_write(end->session))
        return false;
    size_t before = other(w, end)->in.len;
    MUST(herd_session_write(end->session, room, w->now, &other(w, end)->in) == 0);
    return other(w, end)->in.len > before;
}

static void answer(struct world *w, size_t which)
{
    if (w->ticket_count == 0)
        return;
    which %= w->ticket_count < TICKETS ? w->ticket_count : TICKETS;
    struct herd_session *session;
    struct herd_buf out = {0};
    struct herd_node *node = w->node[w->tickets[which].node];
    uint64_t ticket = w->tickets[which].ticket;
    MUST((w->tickets[which].auth
              ? herd_node_auth(node, ticket, w->tickets[which].identity, w->now, &out, &session)
              : herd_node_answer(node, ticket, herd_span_of("{}"), w->now, &out, &session)) == 0);
    w->tickets[which].auth = false; /* its number may be another's some day */
    w->tickets[which].ticket = 0;
    check_secret(w, out.at, out.len);
    if (session) {
        struct end *end = find(w, session);
        MUST(herd_buf_add(&other(w, end)->in, out.at, out.len) == 0);
        end->paused = false;
    } else {
        MUST(out.len == 0);
    }
    herd_buf_fini(&out);
    effects(w);
}

static void tick(struct world *w, int64_t ns)
{
    w->now.steady_ns += ns;
    w->now.wall_ns += ns;
    for (int i = 0; i < NODES; i++)
        herd_node_tick(w->node[i], w->now);
    effects(w);
}

static void crash(struct world *w, int i)
{
    for (size_t k = 0; k < ENDS; k++)
        if (w->end[k].used && w->end[k].node == i)
            drop(w, &w->end[k]);
    for (size_t k = 0; k < TICKETS; k++)
        if (w->tickets[k].node == i)
            w->tickets[k].ticket = 0;
    herd_node_free(w->node[i]);
    start(w, i);
}

static void say(struct world *w, size_t which, const uint8_t *bytes, size_t len)
{
    struct end *end = &w->end[which % ENDS];
    if (!end->used || !end->session || other(w, end)->node >= 0) { /* strangers speak on their own connections */
        end = pair(w, -1, (int)(which % NODES));
        if (!end)
            return;
        end++;
        MUST(herd_session_open(w->node[end->node], &end->session, NULL, w->now) == 0);
        if (which & 16) /* from where plain neighbours may be */
            herd_session_allow_plain(end->session, -1);
        end->proved = w->prove && (which & 8);
        if (w->access || end->proved)
            herd_session_set_proof(end->session, herd_span_of(end->proved ? names[(which + 1) % NODES] : ""),
                                   which & 4);
        if (w->access && identities[which / 3 % 4]) /* refused: one has as many as it may */
            (void)!herd_session_set_identity(
                end->session, herd_identities_find(w->set[end->node], herd_span_of(identities[which / 3 % 4])));
    }
    MUST(herd_buf_add(&end->in, bytes, len) == 0);
}

/* Cuts the bytes up to the next NUL off the front. */
static struct herd_span cut_field(struct herd_span *io_rest)
{
    const char *nul = io_rest->len ? memchr(io_rest->at, '\0', io_rest->len) : NULL;
    struct herd_span field = {io_rest->at, nul ? (size_t)(nul - io_rest->at) : io_rest->len};
    size_t used = nul ? field.len + 1 : field.len;
    *io_rest = (struct herd_span){io_rest->at + used, io_rest->len - used};
    return field;
}

/* Somebody asks which way a client's newest record came: what is said agrees with itself. */
static void trace(struct world *w, int node, struct herd_span id)
{
    struct herd_trace found;
    int err = herd_node_trace(w->node[node], id, w->now, &found);
    MUST(err == 0 || err == HERD_E_NOTFOUND);
    if (err < 0)
        return;
    MUST(herd_span_equal(found.record.id, id) && found.traced);
    MUST(found.heard ? found.copies > 0 : found.heard_from.len == 0 && found.delay_ns == 0);
    MUST(found.heard_from.len == 0 || !herd_span_equal(found.heard_from, herd_node_name(w->node[node])));
}

/* A stranger comes by another protocol than lines, as HTTP does: an id, a position and a time, or an id to be deleted.
 * What is taken must be what a line would have said; `how` says who it is. */
static void bring(struct world *w, size_t how, const uint8_t *bytes, size_t len)
{
    int node = (int)(how % NODES);
    struct herd_session *session;
    struct herd_buf out = {0};
    enum herd_verdict verdict = HERD_VERDICT_FULL;
    char *copy = malloc(len ? len : 1);
    MUST(copy && herd_session_open(w->node[node], &session, NULL, w->now) == 0);
    if (len)
        memcpy(copy, bytes, len);
    if (w->access && identities[how / 3 % 4]) /* refused: one has as many as it may */
        (void)!herd_session_set_identity(session,
                                         herd_identities_find(w->set[node], herd_span_of(identities[how / 3 % 4])));
    struct herd_span rest = {copy, len}, id = cut_field(&rest), position = cut_field(&rest),
                     time = cut_field(&rest);
    w->said |= len > 0 && has_mark(copy, len); /* in an id it is no secret */
    herd_session_begin_message(session, w->now);
    int err = how & 16 ? herd_session_delete(session, id, w->now, &out, &verdict)
                       : herd_session_report(session, id, position, time, w->now, &out, &verdict);
    herd_session_await_message(session, w->now);
    MUST(err == 0 || err == HERD_E_SYNTAX || err == HERD_E_LIMIT || err == HERD_E_NOTFOUND || err == HERD_E_ACCESS);
    MUST(out.len == 0 || (err == 0 && out.at[out.len - 1] == '\n'));
    if (out.len > 0) {
        struct herd_command command;
        enum herd_verb verb = herd_command_parse((struct herd_span){out.at, out.len - 1}, &command);
        MUST(memchr(out.at, '\n', out.len) == out.at + out.len - 1 && herd_span_equal(command.id, id));
        MUST(how & 16 ? verb == HERD_GONE
                      : verb == HERD_AT && herd_span_equal(command.position, position) &&
                            herd_span_equal(command.time, time));
    }
    herd_session_close(session);
    trace(w, node, id);
    herd_buf_fini(&out);
    free(copy);
    effects(w);
}

static const uint8_t *step(struct world *w, const uint8_t *p, const uint8_t *stop)
{
    uint8_t what = *p++;
    size_t n = p < stop ? *p++ : 1;
    struct end *end = &w->end[(what >> 3) % ENDS];
    switch (what & 7) {
    case 0:
    case 1: {
        size_t len = n < (size_t)(stop - p) ? n : (size_t)(stop - p);
        say(w, what >> 3, p, len);
        return p + len;
    }
    case 2:
        for (size_t i = 0; i < ENDS; i++)
            deliver(w, &w->end[i], n + 1);
        break;
    case 3: deliver(w, end, n + 1); break;
    case 4:
        for (size_t i = 0; i < ENDS; i++)
            fill(w, &w->end[i], n * 4);
        break;
    case 5: answer(w, n); break;
    case 6: tick(w, (int64_t)n * n * 1000000); break;
    default:
        if (n >= 200 && n < 250) {
            size_t len = n - 190 < (size_t)(stop - p) ? n - 190 : (size_t)(stop - p);
            bring(w, what >> 3, p, len);
            return p + len;
        }
        if (n < 200 && end->used)
            other(w, end)->node < 0 ? (void)(end->eof = true) : drop(w, end);
        else if (n >= 250)
            crash(w, (int)(n % NODES));
        effects(w);
    }
    return p;
}

static void run(struct world *w)
{
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < ENDS; i++) {
            moved |= fill(w, &w->end[i], 65536);
            moved |= deliver(w, &w->end[i], SIZE_MAX);
        }
    }
}

static bool all_linked(const struct world *w)
{
    for (int i = 0; i < NODES; i++)
        for (size_t p = 0; p < NODES - 1; p++)
            if (!herd_node_link(w->node[i], p))
                return false;
    return true;
}

static void check_agreement(struct world *w)
{
    for (size_t i = 0; i < ENDS; i++) {
        /* a stranger that introduced itself as a neighbour is gone like the others */
        if (w->end[i].used && (w->end[i].node < 0 || other(w, &w->end[i])->node < 0))
            drop(w, &w->end[i]);
    }
    effects(w);
    run(w); /* what is on its way may still end links */
    for (int i = 0; i < 3000 && !all_linked(w); i++) {
        tick(w, 20000000);
        run(w);
    }
    MUST(all_linked(w));
    struct herd_store *first = herd_node_store(w->node[0]);
    for (int i = 1; i < NODES; i++) {
        struct herd_store *store = herd_node_store(w->node[i]);
        MUST(herd_store_digest(store) == herd_store_digest(first));
        MUST(herd_store_count(store) == herd_store_count(first));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    struct world *w = &world;
    if (size > 4096)
        return 0;
    *w = (struct world){.now = {1000000000, 1000000000}};
    const uint8_t *p = data, *stop = data + size;
    if (size >= 2 && data[0] == GUARDED) {
        w->access = data[1] & 1;
        w->prove = data[1] & 2;
        w->keyed = data[1] & 4;
        p += 2;
    }
    for (int i = 0; i < NODES; i++) {
        struct herd_identities_error error;
        if (w->access)
            MUST(herd_identities_parse(&w->set[i], herd_span_of(list), (const uint64_t[2]){1, 2}, &error) == 0);
        start(w, i);
    }
    while (p < stop)
        p = step(w, p, stop);
    check_agreement(w);
    for (int i = 0; i < NODES; i++) {
        herd_node_free(w->node[i]);
        herd_identities_free(w->set[i]);
    }
    for (size_t i = 0; i < ENDS; i++)
        herd_buf_fini(&w->end[i].in);
    return 0;
}
