/* SPDX-License-Identifier: MIT */
/* Clients: what they say, and what they must be answered, byte for byte. */
#include "world.h"

#include "access.h"
#include "delete.h"
#include "node_impl.h"
#include "report.h"
#include "session.h"

#include <stdarg.h>
#include <stdlib.h>

#define JSON "{\"results\":[],\"status\":\"OK\"}"

struct talk {
    struct herd_buf say, expect;
    int begins; /* as which identity its connection begins; -1: nobody */
    int who;    /* as which it goes on */
    int address;
    bool secure, over;            /* after a refusal nothing is heard */
    bool door;                    /* its connection speaks HTTP: reports come without lines */
    struct herd_session *session; /* NULL: it connects first */
};

__attribute__((format(printf, 2, 3))) static void add(struct herd_buf *buf, const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    int len = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (len < 0 || (size_t)len >= sizeof text || herd_buf_add(buf, text, (size_t)len) < 0)
        abort();
}

/* Nanoseconds, decimals beyond the ninth cut off. */
static int64_t time_ns(const char *time)
{
    int64_t ns = 0;
    int decimals = -1;
    for (; *time; time++) {
        if (*time == '.')
            decimals = 0;
        else if (decimals < 9) {
            ns = ns * 10 + (*time - '0');
            decimals += decimals >= 0;
        }
    }
    for (decimals = decimals < 0 ? 0 : decimals; decimals < 9; decimals++)
        ns *= 10;
    return ns;
}

/* Whether the node takes a report of this version for news: a report equal in place and time is the same. */
static bool is_news(const struct world *w, int node, int32_t version, int32_t has)
{
    if (has == NO_VERSION)
        return true;
    const struct version *v = &w->model.versions[version], *old = &w->model.versions[has];
    if (herd_span_equal(v->part[3], old->part[3]) && herd_span_equal(v->part[4], old->part[4]) &&
        !model_expired(w, node, has))
        return false;
    return model_order(&w->model, version, has) > 0;
}

static const char *const decimals[] = {
    "",    "",           "",           ".0",          ".5",           ".50",
    ".25", ".963974953", ".000000001", ".5000000001", ".50000000010", ".499999999999999999999"};

void load_draw(struct world *w, char time[64], char position[64])
{
    struct rng *r = &w->workload;
    bool old = w->expire_ns ? rng_one_in(r, 8) : !rng_one_in(r, 3);
    int64_t second = 1621464800 + (old ? 0 : w->now / SECOND) + rng_in(r, 0, w->op_window_s);
    if (w->expire_ns && rng_one_in(r, 6)) /* clients' clocks are wrong too */
        second = rng_one_in(r, 4) ? rng_in(r, 0, 4000000000) : second + rng_in(r, -2000, 2000);
    snprintf(time, 64, "%s%lld%s", rng_one_in(r, 20) ? "00" : "", (long long)second,
             decimals[rng_below(r, sizeof decimals / sizeof *decimals)]);
    snprintf(position, 64, rng_one_in(r, 3) ? "+34.%d-118.4" : "+%d.068930-118.445127", (int)rng_below(r, 60));
}

static void iamat(struct world *w, struct talk *t, int node, uint32_t key, bool at_ease)
{
    struct sim_node *n = &w->nodes[node];
    const struct sim_key *id = &w->model.keys[key];
    char time[64], position[64], line[1024];
    load_draw(w, time, position);
    add(&t->say, "IAMAT %.*s %s %s\n", (int)id->len, id->id, position, time);

    if (t->over)
        return;
    if (at_ease && !trust_report(w, node, t->who, t->address, key)) {
        add(&t->expect, "? IAMAT %.*s %s %s\n", (int)id->len, id->id, position, time);
        return;
    }
    int64_t diff = world_clock(w, node).wall_ns - time_ns(time);
    uint64_t size = diff < 0 ? 0 - (uint64_t)diff : (uint64_t)diff;
    int len = snprintf(line, sizeof line, "AT %s %c%llu.%09llu %.*s %s %s", n->name, diff < 0 ? '-' : '+',
                       (unsigned long long)(size / 1000000000), (unsigned long long)(size % 1000000000),
                       (int)id->len, id->id, position, time);
    bool future = n->options.future_refuse && -diff > (n->options.future_ns ? n->options.future_ns : 300 * SECOND);
    bool full = !model_present(w, node, key) &&
                n->held - n->gone >= (n->options.records_max ? n->options.records_max : 1000000);
    if (future) {
        add(&t->expect, "? IAMAT %.*s %s %s\n", (int)id->len, id->id, position, time);
        return;
    }
    int32_t version = model_add(w, key, (struct herd_span){line, (size_t)len});
    if (full && n->has[key] != NO_VERSION && at_ease)
        model_settle(w, node, key);
    if (full && is_news(w, node, version, n->has[key])) {
        add(&t->expect, "? IAMAT %.*s %s %s\n", (int)id->len, id->id, position, time);
        return;
    }
    add(&t->expect, "%s\n", line);
    if (at_ease)
        model_settle(w, node, key);
    if (at_ease && is_news(w, node, version, n->has[key])) {
        w->figures->updates++;
        model_learn(w, node, version);
    }
}

static void whatsat(struct world *w, struct talk *t, int node, uint32_t key)
{
    const struct sim_key *id = &w->model.keys[key];
    int32_t has = w->nodes[node].has[key];
    add(&t->say, "WHATSAT %.*s 10 5\n", (int)id->len, id->id);
    if (t->over)
        return;
    if (!trust_ask(w, t->who, key) || !model_present(w, node, key) || model_expired(w, node, has))
        add(&t->expect, "? WHATSAT %.*s 10 5\n", (int)id->len, id->id);
    else
        add(&t->expect, "%.*s\n" JSON "\n\n", (int)w->model.versions[has].len, w->model.texts[has]);
}

/* The tombstone that a node makes for a version. */
static int32_t tombstone(struct world *w, int node, int32_t version)
{
    const struct sim_node *n = &w->nodes[node];
    const struct version *v = &w->model.versions[version];
    const struct sim_key *id = &w->model.keys[v->key];
    char line[2048];
    int64_t now_ns = world_clock(w, node).wall_ns, accepted_ns = now_ns;
    char now[32], before[1024];
    snprintf(now, sizeof now, "%lld.%09lld", (long long)(now_ns / SECOND), (long long)(now_ns % SECOND));
    snprintf(before, sizeof before, "%.*s", (int)v->part[4].len, v->part[4].at);
    const char *time = model_time_order(v->part[4], herd_span_of(now)) >= 0 ? before : now;
    if (w->expire_ns && v->accepted_ns > accepted_ns)
        accepted_ns = v->accepted_ns;
    int64_t diff = accepted_ns - time_ns(time);
    uint64_t more = diff < 0 ? 0 - (uint64_t)diff : (uint64_t)diff;
    int len = snprintf(line, sizeof line, "GONE %s %c%llu.%09llu %.*s %s", n->name, diff < 0 ? '-' : '+',
                       (unsigned long long)(more / 1000000000), (unsigned long long)(more % 1000000000),
                       (int)id->len, id->id, time);
    int32_t made = model_add(w, v->key, (struct herd_span){line, (size_t)len});
    if (model_order(&w->model, made, version) <= 0)
        sim_fail(w, "a tombstone that does not win: %s", line);
    return made;
}

/* Who knows how much of what was said before was heard: it may be for any version. */
static void tombstones(struct world *w, int node, uint32_t key)
{
    int32_t has = w->nodes[node].has[key];
    if (has != NO_VERSION && w->model.versions[has].effective_ns > model_window_end(w, node))
        model_corrected(w, node, has);
    for (uint32_t version = 0, count = w->model.count; version < count; version++)
        if (w->model.versions[version].key == key && !w->model.versions[version].gone)
            tombstone(w, node, (int32_t)version);
}

static void forget(struct world *w, struct talk *t, int node, uint32_t key, bool at_ease)
{
    struct sim_node *n = &w->nodes[node];
    const struct sim_key *id = &w->model.keys[key];
    add(&t->say, "FORGET %.*s\n", (int)id->len, id->id);
    if (t->over)
        return;
    if (!at_ease) {
        tombstones(w, node, key);
        return;
    }
    bool allowed = trust_delete(w, node, t->who, t->address, key);
    if (allowed)
        model_settle(w, node, key);
    int32_t has = n->has[key];
    bool present = model_present(w, node, key) && !model_expired(w, node, has);
    if (!present || !allowed || n->gone >= n->options.tombstones_max) {
        add(&t->expect, "? FORGET %.*s\n", (int)id->len, id->id);
        return;
    }
    int32_t version = tombstone(w, node, has);
    if (!model_within(w, node, version))
        sim_fail(w, "a tombstone out of the window: %.*s", (int)w->model.versions[version].len,
                 w->model.texts[version]);
    add(&t->expect, "%.*s\n", (int)w->model.versions[version].len, w->model.texts[version]);
    w->figures->deleted++;
    model_learn(w, node, version);
}

static void nonsense(struct world *w, struct talk *t)
{
    static const char *const lines[] = {"hello",
                                        "IAMAT",
                                        "IAMAT kiwi +34-118",
                                        "IAMAT kiwi +34-118 x",
                                        "WHATSAT kiwi 10 21",
                                        "AT Riley +1.000000000 kiwi +1+1 1",
                                        "ROOT 1 1",
                                        "PING",
                                        "  x  y\t"};
    const char *line = lines[rng_below(&w->workload, sizeof lines / sizeof *lines)];
    add(&t->say, "%s\n", line);
    if (!t->over)
        add(&t->expect, "? %s\n", line);
}

/* A look-up ends, one of those under way. */
static int answer(struct world *w, int node, const struct herd_session *session, struct herd_now now,
                  struct herd_buf *replies)
{
    size_t which = (size_t)rng_below(&w->workload, w->ticket_count);
    struct herd_session *whose;
    world_enter(w, node);
    int err = herd_node_answer(w->nodes[node].node, w->tickets[which], herd_span_of(JSON), now, replies, &whose);
    world_leave(w);
    w->tickets[which] = w->tickets[--w->ticket_count];
    if (whose != session)
        sim_fail(w, "%s answers another client", w->nodes[node].name);
    return err;
}

/* The table of tokens answers. */
static int answer_auth(struct world *w, int node, const struct herd_session *session, struct herd_now now,
                       struct herd_buf *replies)
{
    struct herd_session *whose = NULL;
    w->auth_asked = false;
    world_enter(w, node);
    int err = herd_node_auth(w->nodes[node].node, w->auth_ticket, w->auth_identity, now, replies, &whose);
    world_leave(w);
    if (whose != session)
        sim_fail(w, "%s takes another client for who sent a token", w->nodes[node].name);
    return err;
}

/* Connects, as somebody or nobody; NULL: it cannot. */
static struct herd_session *connect(struct world *w, int node, struct talk *t, struct herd_now now)
{
    struct herd_session *session;
    struct sim_node *n = &w->nodes[node];
    world_enter(w, node);
    int err = herd_session_open(n->node, &session, NULL, now);
    world_leave(w);
    if (err < 0)
        return NULL;
    herd_session_set_proof(session, (struct herd_span){"", 0}, t->secure);
    if (t->address >= 0)
        herd_session_set_rate(session, &n->addresses[t->address]);
    struct herd_identity *identity =
        t->begins >= 0 ? herd_identities_find(n->set, herd_span_of(w->identities[t->begins].name)) : NULL;
    if (identity && herd_session_set_identity(session, identity) < 0)
        sim_fail(w, "%s does not take a connection of %s", n->name, w->identities[t->begins].name);
    return session;
}

/* Who it is now, by the node; -1: nobody. */
static int identity_of(const struct world *w, const struct herd_session *session)
{
    const struct herd_identity *identity = herd_session_identity(session);
    for (int i = 0; identity && i < w->identity_count; i++)
        if (herd_span_equal(herd_identity_name(identity), herd_span_of(w->identities[i].name)))
            return i;
    return -1;
}

/* Brings what a line says as HTTP does: a report or a deletion, without the line. */
static int request(struct herd_session *session, const struct herd_command *command, struct herd_now now,
                   struct herd_buf *replies)
{
    enum herd_verdict verdict;
    if (command->verb == HERD_IAMAT)
        return herd_session_report(session, command->id, command->position, command->time, now, replies, &verdict);
    int err = herd_session_delete(session, command->id, now, replies, &verdict);
    return err == HERD_E_NOTFOUND || err == HERD_E_ACCESS ? 0 : err;
}

/* One request after the other; gathers what the client is told: the AT or GONE line, or the line with "? " before it. Now
 * and then a request is not over when the client leaves. */
static int speak_http(struct world *w, int node, struct herd_session *session, const struct herd_buf *say,
                      struct herd_now now, struct herd_buf *replies, size_t *ret_used)
{
    const char *at = say->at, *stop = at + say->len;
    int err = 0;
    for (*ret_used = 0; err >= 0 && at < stop; *ret_used = (size_t)(at - say->at)) {
        const char *lf = memchr(at, '\n', (size_t)(stop - at));
        struct herd_span line = {at, (size_t)(lf - at)};
        struct herd_command command;
        size_t before = replies->len;
        command.verb = herd_command_parse(line, &command);
        world_enter(w, node);
        herd_session_begin_message(session, now);
        err = request(session, &command, now, replies);
        if (!(w->ops_left & 8))
            herd_session_await_message(session, now);
        world_leave(w);
        if (err >= 0 && replies->len == before)
            add(replies, "? %.*s\n", (int)line.len, line.at);
        at = lf + 1;
        w->figures->by_http++;
    }
    return err;
}

/* Says it all, in pieces, and gathers the replies. */
static void speak(struct world *w, int node, struct talk *t, bool at_ease, bool stay)
{
    struct sim_node *n = &w->nodes[node];
    struct herd_buf replies = {0};
    struct rng *r = &w->workload;
    struct herd_now now = world_clock(w, node);
    struct herd_session *session = t->session ? t->session : connect(w, node, t, now);
    int err = 0;
    if (!session) {
        trust_leave(w, node, t->who);
        return;
    }
    struct herd_input_result result = {0};
    size_t used = 0, shown = 0;
    uint64_t failed = sim_alloc.failed;
    bool pieces = rng_one_in(r, 2);
    w->ticket_count = 0;
    w->auth_asked = false;
    uint64_t bytes = herd_store_bytes(n->node->store);
    if (t->door)
        err = speak_http(w, node, session, &t->say, now, &replies, &used);
    while (err >= 0 && used < t->say.len && session->role == HERD_ROLE_CLIENT) {
        shown =
            pieces && shown < t->say.len ? (size_t)rng_in(r, (int64_t)shown + 1, (int64_t)t->say.len) : t->say.len;
        world_enter(w, node);
        err =
            herd_session_input(session, (struct herd_span){t->say.at + used, shown - used}, now, &replies, &result);
        world_leave(w);
        used += result.consumed;
        if (err < 0 || !result.blocked)
            continue;
        world_effects(w, node); /* as many look-ups as one client may have, or as much waits behind them */
        if (w->ticket_count == 0 && !w->auth_asked)
            sim_fail(w, "%s waits for nothing", n->name);
        if (!stay)
            break;
        err =
            w->auth_asked ? answer_auth(w, node, session, now, &replies) : answer(w, node, session, now, &replies);
    }
    if (n->options.records_bytes_max && herd_store_bytes(n->node->store) > bytes &&
        herd_store_bytes(n->node->store) > n->options.records_bytes_max)
        sim_fail(w, "%s takes reports beyond %llu bytes", n->name,
                 (unsigned long long)n->options.records_bytes_max);
    if (at_ease && t->over && !result.close && session->role != HERD_ROLE_CLOSING)
        sim_fail(w, "%s goes on with a client that it refused", n->name);
    if (err >= 0 && stay && !t->over && used != t->say.len)
        sim_fail(w, "%s used %zu of %zu bytes of a client", n->name, used, t->say.len);
    if (!at_ease) {
        model_follow(w, node);
        trust_follow(w, node);
        trust_leave(w, node, t->who);
        t->who = identity_of(w, session);
        w->nodes[node].connections[t->who < 0 ? 0 : t->who] += t->who >= 0;
    }
    if (t->who != identity_of(w, session))
        sim_fail(w, "%s takes identity %d for %d", n->name, t->who, identity_of(w, session));
    world_turn(w, node); /* tells the neighbours, and gives out the look-ups */
    while (w->ticket_count > 0 && err >= 0 && stay)
        err = answer(w, node, session, now, &replies);
    if (err < 0 && sim_alloc.failed == failed)
        sim_fail(w, "%s: client: %s", n->name, herd_strerror(err));
    if (at_ease &&
        (replies.len != t->expect.len || (replies.len && memcmp(replies.at, t->expect.at, replies.len) != 0)))
        sim_fail(w, "%s was told:\n%.*sand answered:\n%.*sinstead of:\n%.*s", n->name, (int)t->say.len, t->say.at,
                 (int)replies.len, replies.at ? replies.at : "", (int)t->expect.len,
                 t->expect.at ? t->expect.at : "");
    w->trace = herd_hash(w->trace, replies.at, replies.len);
    trust_see(w, node, (struct herd_span){replies.at, replies.len});
    herd_session_close(session);
    trust_leave(w, node, t->who);
    w->ticket_count = 0;
    if (w->auth_asked) /* it left before the answer */
        answer_auth(w, node, NULL, now, &(struct herd_buf){0});
    herd_buf_fini(&replies);
    world_turn(w, node);
}

/* ---- who speaks ---- */

/* Its identity has as many connections as it may: the transport closes it. */
static void one_too_many(struct world *w, int node, int who)
{
    struct sim_node *n = &w->nodes[node];
    struct talk t = {.begins = -1, .address = -1};
    struct herd_session *session = connect(w, node, &t, world_clock(w, node));
    if (!session)
        return;
    struct herd_identity *identity = herd_identities_find(n->set, herd_span_of(w->identities[who].name));
    if (herd_session_set_identity(session, identity) != HERD_E_LIMIT || herd_session_identity(session))
        sim_fail(w, "%s takes a connection more of %s", n->name, w->identities[who].name);
    herd_session_close(session);
}

static bool begin_as(struct world *w, int node, struct talk *t, int who)
{
    if (who >= 0 && !trust_join(w, node, who)) {
        one_too_many(w, node, who);
        return false;
    }
    t->begins = t->who = who;
    return true;
}

static void refused(struct world *w, struct talk *t)
{
    w->figures->unproved++;
    t->over = true;
    add(&t->expect, "? AUTH\n");
}

/* Whose token it sends: one that has some, or -1. */
static int token_owner(struct world *w)
{
    int who = (int)rng_below(&w->trust, (uint64_t)w->identity_count);
    return w->identities[who].token_count ? who : -1;
}

static const char *token_of(struct world *w, int who)
{
    return w->identities[who].tokens[rng_below(&w->trust, w->identities[who].token_count)];
}

/* A token, in one of the ways that are right or wrong. */
static void authenticate(struct world *w, struct talk *t, int node)
{
    struct rng *r = &w->trust;
    int who = token_owner(w);
    uint64_t how = who < 0 ? 0 : rng_below(r, 10);
    t->secure = true;
    switch (how) {
    case 0: add(&t->say, "AUTH " TOKEN_MARK "%016llx\n", (unsigned long long)rng_next(r)); break;
    case 1: add(&t->say, "AUTH %.*s\n", (int)TOKEN_SIZE - 2, token_of(w, who)); break;
    case 2: add(&t->say, "AUTH %s0\n", token_of(w, who)); break;
    case 3:
        nonsense(w, t);
        add(&t->say, "AUTH %s\n", token_of(w, who));
        break;
    case 4:
        t->secure = false;
        add(&t->say, "AUTH %s\n", token_of(w, who));
        break;
    default:
        add(&t->say, "AUTH %s\n", token_of(w, who));
        if (!trust_join(w, node, who))
            break;
        trust_leave(w, node, t->who);
        w->figures->proved++;
        t->who = who;
        add(&t->expect, "OK %s\n", w->identities[who].name);
        return;
    }
    refused(w, t);
}

/* False: its connection is refused. */
static bool introduce(struct world *w, struct talk *t, int node)
{
    struct rng *r = &w->trust;
    t->begins = t->who = t->address = -1;
    if (sim_options.no_trust)
        return true;
    if (rng_one_in(r, 8))
        t->address = (int)rng_below(r, ADDRESSES);
    if (t->door) /* who asks is known before the first report */
        return !w->access || begin_as(w, node, t, (int)rng_below(r, (uint64_t)w->identity_count));
    if (!w->access) {
        if (rng_one_in(r, 24)) {
            t->secure = rng_one_in(r, 2);
            add(&t->say, "AUTH " TOKEN_MARK "0\n");
            refused(w, t);
        }
        return true;
    }
    if (rng_one_in(r, 2))
        return begin_as(w, node, t, 0);
    int who = (int)rng_below(r, (uint64_t)w->identity_count);
    if (w->identities[who].certificate && rng_one_in(r, 2))
        return begin_as(w, node, t, who);
    if (!begin_as(w, node, t, w->anonymous))
        return false;
    if (!rng_one_in(r, 4))
        authenticate(w, t, node);
    return true;
}

/* Somebody sends a token, and hears only later what it is. */
static void come_late(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    struct talk t = {.secure = true, .address = -1};
    int whose = token_owner(w);
    uint32_t which = 0;
    while (which < LATE_MAX && w->late[which].session)
        which++;
    if (which == LATE_MAX || whose < 0 || n->oom_one_in || !begin_as(w, node, &t, w->anonymous))
        return;
    struct herd_now now = world_clock(w, node);
    struct herd_session *session = connect(w, node, &t, now);
    struct herd_input_result result;
    bool wrong = rng_one_in(&w->trust, 3);
    add(&t.say, "AUTH %s%s\n", token_of(w, whose), wrong ? "x" : "");
    int err = herd_session_input(session, (struct herd_span){t.say.at, t.say.len}, now, &t.expect, &result);
    w->auth_asked = false;
    world_effects(w, node);
    if (err < 0 || !result.blocked || !w->auth_asked || t.expect.len)
        sim_fail(w, "%s does not ask whose a token is", n->name);
    w->auth_asked = false;
    w->late[which] =
        (struct late_client){session, w->auth_ticket, w->auth_identity, node, t.who, wrong ? -1 : whose, n->starts};
    world_event(w, w->now + rng_in(&w->trust, 0, 3 * SECOND), EV_AUTH, which, 0, 0);
    herd_buf_fini(&t.say);
    herd_buf_fini(&t.expect);
    world_turn(w, node);
}

static void say_something(struct world *w, int node, struct talk *t, bool at_ease);

void load_late(struct world *w, uint32_t which)
{
    struct late_client late = w->late[which];
    struct sim_node *n = &w->nodes[late.node];
    bool alive = n->node && n->starts == late.starts;
    if (alive && n->paused_until > w->now) {
        world_event(w, n->paused_until, EV_AUTH, which, 0, 0);
        return;
    }
    w->late[which].session = NULL;
    if (!alive)
        return;
    struct talk t = {.session = late.session, .who = late.who, .address = -1};
    struct herd_buf reply = {0};
    char expect[64] = "? AUTH\n";
    bool stay = !w->healed && !n->oom_one_in && !rng_one_in(&w->trust, 4);
    w->auth_ticket = late.ticket;
    w->auth_identity = late.identity;
    if (!stay) {
        herd_session_close(late.session);
        trust_leave(w, late.node, late.who);
        answer_auth(w, late.node, NULL, world_clock(w, late.node), &reply);
        expect[0] = 0;
    } else {
        if (late.whose >= 0 && trust_join(w, late.node, late.whose)) {
            trust_leave(w, late.node, late.who);
            t.who = late.whose;
            snprintf(expect, sizeof expect, "OK %s\n", w->identities[t.who].name);
            w->figures->proved++;
        }
        answer_auth(w, late.node, late.session, world_clock(w, late.node), &reply);
    }
    if (reply.len != strlen(expect) || (reply.len && memcmp(reply.at, expect, reply.len) != 0))
        sim_fail(w, "%s answers a token, late: %.*sinstead of: %s", n->name, (int)reply.len, reply.at, expect);
    herd_buf_fini(&reply);
    if (stay && expect[0] == 'O') {
        bool at_ease = n->options.records_bytes_max == 0;
        say_something(w, late.node, &t, at_ease);
        speak(w, late.node, &t, at_ease, true);
    } else if (stay) {
        world_effects(w, late.node);
        if (late.session->role != HERD_ROLE_CLOSING)
            sim_fail(w, "%s keeps a client whose token was wrong", n->name);
        herd_session_close(late.session);
        trust_leave(w, late.node, late.who);
    }
    herd_buf_fini(&t.say);
    herd_buf_fini(&t.expect);
    world_turn(w, late.node);
}

/* ---- all together ---- */

static void say_something(struct world *w, int node, struct talk *t, bool at_ease)
{
    struct rng *r = &w->workload;
    for (uint64_t commands = 1 + rng_below(r, rng_one_in(r, 4) ? 14 : 4); commands > 0; commands--) {
        uint32_t key = (uint32_t)rng_below(r, w->model.key_count);
        if (rng_one_in(r, 3))
            key = (uint32_t)rng_below(r, 1 + w->model.key_count / 8); /* some report more often */
        uint64_t what = t->door ? 0 : rng_below(r, 16);
        if (w->deletes && rng_one_in(&w->deletions, 8))
            forget(w, t, node, key, at_ease);
        if (what < 11)
            iamat(w, t, node, key, at_ease);
        else if (what < 14)
            whatsat(w, t, node, key);
        else if (what < 15)
            nonsense(w, t);
        else
            add(&t->say, " \t\n");
    }
}

void load_op(struct world *w)
{
    struct rng *r = &w->workload;
    if (w->ops_left == 0)
        return;
    w->ops_left--;
    world_event(w, w->now + rng_in(r, 0, 2 * w->op_gap_ns), EV_OP, 0, 0, 0);
    int node = (int)rng_below(r, (uint64_t)(w->count + w->plains));
    struct sim_node *n = &w->nodes[node];
    if (node >= w->count) {
        if (n->up && n->paused_until <= w->now)
            foreign_report(w, node, (uint32_t)rng_below(r, w->model.key_count));
        return;
    }
    if (!n->node || n->paused_until > w->now)
        return;
    bool stay = !rng_one_in(r, 8); /* for all answers; else who knows what is carried out */
    bool at_ease = stay && n->oom_one_in == 0 && n->options.records_bytes_max == 0;
    struct talk t = {0};
    if (w->access && rng_one_in(&w->trust, 10)) {
        come_late(w, node);
        return;
    }
    t.door = (w->ops_left + w->seed) % 6 == 0;
    if (!introduce(w, &t, node))
        return;
    say_something(w, node, &t, at_ease);
    if (w->verbose)
        sim_say(w, "%s is told:\n%.*s", n->name, (int)t.say.len, t.say.at);
    speak(w, node, &t, at_ease, stay);
    herd_buf_fini(&t.say);
    herd_buf_fini(&t.expect);
}

/* Every client reports once, at one node or another: stores are full before links are up. */
void load_preload(struct world *w)
{
    for (uint32_t key = 0; key < w->model.key_count; key++) {
        struct talk t = {.begins = -1, .who = -1, .address = -1};
        int node = (int)rng_below(&w->workload, (uint64_t)w->count);
        if (w->nodes[node].node && (!w->access || begin_as(w, node, &t, 0))) {
            iamat(w, &t, node, key, true);
            speak(w, node, &t, true, true);
        }
        herd_buf_fini(&t.say);
        herd_buf_fini(&t.expect);
    }
}
