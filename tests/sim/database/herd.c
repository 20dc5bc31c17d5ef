/* SPDX-License-Identifier: MIT */
/* Servers: their life, their links, their keepers. */
#include "kept.h"

#include "offer.h"

#include <stdlib.h>
#include <string.h>

struct herd_now kept_now(const struct kept *k, int server)
{
    return (struct herd_now){INT64_C(1700000000) * SECOND + k->now_ns + k->servers[server].wall_off, k->now_ns};
}

/* ---- links ---- */

void kept_unlink(struct kept *k, struct kept_pair *pair)
{
    (void)k;
    for (int i = 0; i < 2; i++) {
        if (pair->session[i])
            herd_session_close(pair->session[i]);
        herd_buf_fini(&pair->in[i]);
    }
    *pair = (struct kept_pair){0};
}

static void dial(struct kept *k, int from, size_t peer)
{
    struct kept_server *s = &k->servers[from];
    int to = 0;
    while (to < k->count && !herd_span_equal(herd_span_of(k->servers[to].name), herd_node_peer_name(s->node, peer)))
        to++;
    struct kept_pair *pair = NULL;
    for (int i = 0; i < PAIRS_MAX && !pair; i++)
        if (!k->pairs[i].used)
            pair = &k->pairs[i];
    if (!pair || to == k->count || !k->servers[to].node || k->cut[from][to]) {
        herd_node_dial_failed(s->node, peer, kept_now(k, from));
        return;
    }
    *pair = (struct kept_pair){.used = true, .server = {from, to}};
    if (herd_session_connected(s->node, &pair->session[0], pair, peer, kept_now(k, from), &pair->in[1]) < 0 ||
        herd_session_open(k->servers[to].node, &pair->session[1], pair, kept_now(k, to)) < 0)
        kept_fail(k, "no session");
}

static bool node_effects(struct kept *k, int server)
{
    struct herd_effect effect;
    bool any = false;
    while (herd_node_next_effect(k->servers[server].node, &effect)) {
        any = true;
        if (effect.kind == HERD_EFFECT_DIAL)
            dial(k, server, effect.peer);
        else if (effect.kind == HERD_EFFECT_CLOSE)
            kept_unlink(k, herd_session_user(effect.session));
    }
    return any;
}

static bool carry(struct kept *k, struct kept_pair *pair, int side)
{
    struct herd_buf *to = &pair->in[!side];
    struct herd_input_result result = {0};
    bool any = false;
    if (herd_session_peer(pair->session[side]) >= 0 && herd_session_want_write(pair->session[side])) {
        size_t before = to->len;
        (void)herd_session_write(pair->session[side], 4096, kept_now(k, pair->server[side]), to);
        any = to->len > before;
    }
    if (pair->in[side].len == 0)
        return any;
    struct herd_buf reply = {0};
    if (herd_session_input(pair->session[side], (struct herd_span){pair->in[side].at, pair->in[side].len},
                           kept_now(k, pair->server[side]), &reply, &result) < 0)
        kept_fail(k, "no memory for input");
    any |= result.consumed > 0;
    memmove(pair->in[side].at, pair->in[side].at + result.consumed, pair->in[side].len - result.consumed);
    pair->in[side].len -= result.consumed;
    herd_buf_add(to, reply.len ? reply.at : "", reply.len);
    herd_buf_fini(&reply);
    if (result.close)
        kept_unlink(k, pair);
    return any || result.close;
}

void kept_pump(struct kept *k)
{
    for (bool any = true; any;) {
        any = false;
        for (int i = 0; i < PAIRS_MAX; i++) {
            struct kept_pair *pair = &k->pairs[i];
            for (int side = 0; side < 2 && pair->used; side++) {
                any |= carry(k, pair, side);
                for (int s = 0; s < k->count; s++)
                    any |= k->servers[s].node && node_effects(k, s);
            }
        }
        for (int s = 0; s < k->count; s++)
            any |= k->servers[s].node && node_effects(k, s);
    }
}

/* ---- lives ---- */

/* What a server owes from now on: what it accepted and holds. */
static void owe_all(struct kept *k, int server)
{
    struct kept_server *s = &k->servers[server];
    struct herd_store *store = herd_node_store(s->node);
    memset(s->owed, 0, sizeof s->owed);
    for (uint32_t slot = 0; slot < herd_store_slots(store); slot++) {
        struct herd_record record;
        if (herd_store_get_slot(store, slot, &record) && herd_span_equal(record.server, herd_node_name(s->node)))
            kept_copy(&s->owed[kept_id(record.id)], &record);
    }
}

static void read_journal(struct kept *k, int server)
{
    struct kept_server *s = &k->servers[server];
    for (uint32_t slot = 0; s->disk && slot < herd_store_slots(s->disk); slot++) {
        struct herd_offer offer = {.source = HERD_SOURCE_JOURNAL, .slot_hint = UINT32_MAX};
        if (!herd_store_get_slot(s->disk, slot, &offer.record))
            continue;
        offer.hash = herd_store_hash(s->node->store, offer.record.id);
        offer.id_hash = herd_store_id_hash(s->node->store, offer.record.id);
        s->node->now = kept_now(k, server);
        if (herd_offer(s->node, &offer) < 0)
            kept_fail(k, "no memory for a journal");
    }
    herd_store_free(s->disk);
    s->disk = NULL;
}

void kept_start(struct kept *k, int server)
{
    struct kept_server *s = &k->servers[server];
    struct herd_span peers[SERVERS_MAX];
    struct herd_node_options options = {
        .name = herd_span_of(s->name), .peers = peers, .tombstones_max = 1000, .expire_ns = k->expire_ns};
    for (int i = 0; i < k->count; i++)
        if (i != server)
            peers[options.peer_count++] = herd_span_of(k->servers[i].name);
    s->seed = rng_next(&k->load) | 1;
    options.seed[0] = s->seed;
    options.seed[1] = 7;
    if (herd_node_new(&s->node, &options) < 0)
        kept_fail(k, "no node");
    read_journal(k, server);
    owe_all(k, server);
    struct herd_keeper_options keeper = k->options;
    keeper.seed[0] = s->seed;
    keeper.incarnation = s->seed;
    if (herd_keeper_open(&s->keeper, s->node, &keeper, kept_now(k, server)) < 0)
        kept_fail(k, "no keeper");
    s->restart_ns = s->stop_ns = 0;
    s->set_back_ns = INT64_MIN;
    k->began_anew |= s->emptied;
    if (k->verbose)
        kept_say(k, "%s starts", s->name);
    kept_effects(k, server);
    kept_pump(k);
}

/* Whether some living node has this record, or a later one. */
static bool known_elsewhere(struct kept *k, const struct herd_record *record)
{
    for (int i = 0; i < k->count; i++) {
        struct herd_record held;
        if (k->servers[i].node && herd_store_get(herd_node_store(k->servers[i].node), record->id, &held) &&
            herd_record_compare(&held, record, k->expire_ns) >= 0)
            return true;
        struct herd_store *disk = k->servers[i].disk;
        if (disk && herd_store_get(disk, record->id, &held) &&
            herd_record_compare(&held, record, k->expire_ns) >= 0)
            return true;
    }
    return false;
}

void kept_die(struct kept *k, int server, bool journal)
{
    struct kept_server *s = &k->servers[server];
    struct herd_keeper_stats stats = herd_keeper_stats(s->keeper);
    struct herd_store *store = herd_node_store(s->node);
    s->dropped += stats.dropped;
    s->written += stats.written;
    kept_figures.retried += stats.retried;
    kept_figures.deaths++;
    if (k->verbose)
        kept_say(k, "%s dies%s", s->name, journal ? "" : ", and all that it knows");
    /* No row tells what was accepted by a clock that was set back; within an hour it is written. */
    k->lies[server] |= k->doubt[server] != KEPT_SURE || s->set_back;
    s->set_back = false;
    s->emptied = !journal;
    herd_keeper_close(s->keeper);
    s->keeper = NULL;
    kept_drop(k, server);
    if (herd_store_new(&s->disk, NULL) < 0)
        abort();
    for (uint32_t slot = 0; slot < herd_store_slots(store); slot++) {
        struct herd_record record;
        if (journal && herd_store_get_slot(store, slot, &record) &&
            herd_store_put(s->disk, &record, NULL, NULL) < 0)
            abort();
    }
    struct herd_node *node = s->node;
    s->node = NULL;
    for (uint32_t slot = 0; slot < herd_store_slots(store); slot++) {
        struct herd_record record;
        if (herd_store_get_slot(store, slot, &record))
            k->lost |= !known_elsewhere(k, &record);
    }
    for (int i = 0; i < PAIRS_MAX; i++)
        if (k->pairs[i].used && (k->pairs[i].server[0] == server || k->pairs[i].server[1] == server))
            kept_unlink(k, &k->pairs[i]);
    herd_node_free(node);
    kept_pump(k);
}

/* ---- keepers ---- */

void kept_effects(struct kept *k, int server)
{
    struct kept_server *s = &k->servers[server];
    struct herd_keeper_effect effect;
    while (s->keeper && herd_keeper_next_effect(s->keeper, &effect)) {
        k->trace = mix(k->trace, (uint64_t)effect.kind * 31 + effect.count + (uint64_t)k->now_ns);
        switch (effect.kind) {
        case HERD_KEEPER_CONNECT:
            if (s->connected || s->connecting)
                kept_fail(k, "%s connects twice", s->name);
            s->connecting = true;
            kept_ask(k, server, &effect);
            break;
        case HERD_KEEPER_DISCONNECT: kept_drop(k, server); break;
        case HERD_KEEPER_NOTICE:
            if (k->verbose)
                kept_say(k, "%s notices %s %.*s", s->name, effect.text, (int)effect.detail.len, effect.detail.at);
            kept_figures.adopted += strcmp(effect.text, "writer_adopted") == 0;
            break;
        default:
            if (!s->connected)
                kept_fail(k, "%s asks without a connection", s->name);
            kept_ask(k, server, &effect);
        }
    }
}

void kept_tick(struct kept *k, int server)
{
    struct kept_server *s = &k->servers[server];
    struct herd_now now = kept_now(k, server);
    if (herd_node_next_ns(s->node) <= k->now_ns) {
        herd_node_tick(s->node, now);
        kept_pump(k);
    }
    if (herd_keeper_next_ns(s->keeper) > k->now_ns)
        return;
    uint64_t steps = herd_keeper_stats(s->keeper).steps;
    sim_alloc.one_in = k->oom_one_in;
    herd_keeper_tick(s->keeper, now);
    sim_alloc.one_in = 0;
    steps = herd_keeper_stats(s->keeper).steps - steps;
    kept_figures.steps_max = steps > kept_figures.steps_max ? steps : kept_figures.steps_max;
    if (steps > HERD_KEEPER_STEPS)
        kept_fail(k, "%s does %llu steps at once", s->name, (unsigned long long)steps);
    kept_effects(k, server);
}

void kept_report(struct kept *k, int server)
{
    struct kept_server *s = &k->servers[server];
    char id[16], position[40], time[40];
    enum herd_verdict verdict;
    struct herd_record record;
    struct herd_now now = kept_now(k, server);
    uint32_t number = (uint32_t)rng_below(&k->load, k->ids);
    snprintf(id, sizeof id, "c%u", number);
    int err;
    if (rng_one_in(&k->load, 8)) {
        err = herd_node_delete(s->node, herd_span_of(id), now, NULL, &verdict);
    } else {
        int64_t at_ns = now.wall_ns + rng_in(&k->load, -5 * SECOND, 5 * SECOND);
        if (rng_one_in(&k->load, 4))
            at_ns -= at_ns % SECOND; /* ties */
        snprintf(position, sizeof position, "%+d.%u+10", (int)rng_in(&k->load, -89, 89),
                 (unsigned)rng_below(&k->load, 9));
        snprintf(time, sizeof time, "%lld.%09lld", (long long)(at_ns / SECOND), (long long)(at_ns % SECOND));
        err = herd_node_report(s->node, herd_span_of(id), herd_span_of(position), herd_span_of(time), now, NULL,
                               &verdict);
    }
    if (err < 0 && err != HERD_E_NOTFOUND)
        kept_fail(k, "a report failed: %s", herd_strerror(err));
    if (herd_store_get(herd_node_store(s->node), herd_span_of(id), &record) &&
        herd_span_equal(record.server, herd_node_name(s->node)))
        kept_copy(&s->owed[number], &record);
    kept_pump(k);
}

int64_t kept_next_ns(const struct kept *k)
{
    int64_t next_ns = INT64_MAX;
    for (size_t i = 0; i < k->late_count; i++)
        next_ns = k->late[i].at_ns < next_ns ? k->late[i].at_ns : next_ns;
    for (int i = 0; i < k->count; i++) {
        const struct kept_server *s = &k->servers[i];
        int64_t mine = s->restart_ns;
        if (s->node) {
            int64_t node = herd_node_next_ns(s->node), keeper = herd_keeper_next_ns(s->keeper);
            mine = node < keeper ? node : keeper;
            if (s->op_count > 0 && s->ops[0].at_ns < mine)
                mine = s->ops[0].at_ns;
            if (s->stop_ns && s->stop_ns < mine)
                mine = s->stop_ns;
        }
        next_ns = mine < next_ns ? mine : next_ns;
    }
    return next_ns;
}
