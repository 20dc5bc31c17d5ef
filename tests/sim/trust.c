/* SPDX-License-Identifier: MIT */
/* Who is who, and what each may: identities and their rates told once more in the plainest way; tokens; proofs of
 * neighbours. The table of tokens is the library's, over hashes of the simulator's. */
#include "world.h"

#include "identities_impl.h"
#include "node_impl.h"

#include <stdlib.h>

/* ---- what a seed means ---- */

static struct sim_right draw_right(struct world *w)
{
    struct rng *r = &w->trust;
    const struct sim_key *key = &w->model.keys[rng_below(r, w->model.key_count)];
    switch (rng_below(r, 5)) {
    case 0: return (struct sim_right){key->id, 0, true};
    case 1: return (struct sim_right){key->id, key->len, false};
    case 2: return (struct sim_right){key->id, (uint32_t)rng_in(r, 1, key->len), false}; /* hardly a client's */
    default: return (struct sim_right){key->id, (uint32_t)rng_in(r, 1, key->len < 4 ? key->len : 4), true};
    }
}

static void draw_rights(struct world *w, struct sim_rights *rights)
{
    rights->count = (size_t)rng_below(&w->trust, RIGHTS_MAX + 1);
    for (size_t i = 0; i < rights->count; i++)
        rights->list[i] = draw_right(w);
}

static void draw_token(struct world *w, char token[TOKEN_SIZE])
{
    snprintf(token, TOKEN_SIZE, TOKEN_MARK "%016llx", (unsigned long long)rng_next(&w->trust));
}

static void draw_identities(struct world *w)
{
    struct rng *r = &w->trust;
    w->identity_count = (int)rng_in(r, 2, IDENTITIES_MAX);
    w->anonymous = rng_one_in(r, 2) ? w->identity_count - 1 : -1;
    for (int i = 0; i < w->identity_count; i++) {
        struct sim_identity *identity = &w->identities[i];
        *identity = (struct sim_identity){.certificate = i == 0 || rng_one_in(r, 2)};
        snprintf(identity->name, sizeof identity->name, "i%d", i);
        if (i == 0) /* somebody is heard, whatever the client */
            identity->report = identity->ask = identity->delete = (struct sim_rights){{{"", 0, true}}, 1};
        if (i == 0)
            continue;
        draw_rights(w, &identity->report);
        draw_rights(w, &identity->ask);
        if (w->deletes)
            draw_rights(w, &identity->delete);
        if (rng_one_in(r, 2)) {
            identity->per_second = rng_in(r, 1, 20);
            identity->burst = rng_in(r, 1, 12);
        }
        identity->connections_max = rng_one_in(r, 3) ? (size_t)rng_in(r, 1, 2) : 0;
        if (i == w->anonymous) {
            identity->certificate = false;
            snprintf(identity->name, sizeof identity->name, HERD_IDENTITY_ANONYMOUS);
            continue;
        }
        identity->token_count = identity->certificate ? (size_t)rng_below(r, TOKENS_MAX + 1) : TOKENS_MAX;
        for (size_t k = 0; k < identity->token_count; k++)
            draw_token(w, identity->tokens[k]);
    }
}

void trust_draw(struct world *w)
{
    struct rng *r = &w->trust;
    w->access = rng_one_in(r, 3);
    w->peers_prove = rng_one_in(r, 3);
    w->key_check = rng_one_in(r, 3) ? rng_next(r) | 1 : 0;
    w->apart = -1;
    if (sim_options.no_trust) {
        w->access = w->peers_prove = false;
        w->key_check = 0;
        return;
    }
    /* The last node: the others are linked without it. */
    if (!w->calm && w->plains == 0 && w->count > 2 && rng_one_in(r, 6))
        w->apart = w->count - 1;
    if (w->access)
        draw_identities(w);
    for (int i = 0; i < w->count; i++) {
        struct herd_node_options *options = &w->nodes[i].options;
        options->access = w->access;
        options->peers_prove = w->peers_prove;
        options->key_check = i == w->apart ? w->key_check ^ 2 : w->key_check;
    }
    w->figures->guarded += w->access;
    w->figures->proving += w->peers_prove;
    w->figures->apart += w->apart >= 0;
}

/* ---- the file of identities ---- */

static void add(struct herd_buf *text, const char *at, size_t len)
{
    if (herd_buf_add(text, at, len) < 0)
        abort();
}

static void add_text(struct herd_buf *text, const char *more)
{
    add(text, more, strlen(more));
}

static void add_rights(struct herd_buf *text, const struct sim_rights *rights)
{
    add_text(text, rights->count ? "" : "-");
    for (size_t i = 0; i < rights->count; i++) {
        const struct sim_right *right = &rights->list[i];
        add_text(text, i ? "," : "");
        for (uint32_t k = 0; k < right->len; k++) {
            char byte[4];
            snprintf(byte, sizeof byte, "%%%02x", (unsigned char)right->at[k]);
            add(text, byte, 3);
        }
        add_text(text, right->prefix ? "*" : "");
    }
}

/* Stands for SHA-256: the core compares what it is given. */
static void hash_token(struct herd_span token, unsigned char ret_hash[HERD_TOKEN_HASH_BYTES])
{
    for (size_t i = 0; i < HERD_TOKEN_HASH_BYTES; i += 8) {
        uint64_t part = herd_hash(i + 1, token.at, token.len);
        memcpy(ret_hash + i, &part, 8);
    }
}

static void add_identity(struct herd_buf *text, const struct sim_identity *identity)
{
    char number[64];
    add_text(text, identity->name);
    for (size_t i = 0; i < identity->token_count; i++) {
        unsigned char hash[HERD_TOKEN_HASH_BYTES];
        hash_token(herd_span_of(identity->tokens[i]), hash);
        add_text(text, " sha256:");
        for (size_t k = 0; k < sizeof hash; k++) {
            snprintf(number, sizeof number, "%02x", hash[k]);
            add(text, number, 2);
        }
    }
    add_text(text, identity->certificate ? " cert" : identity->token_count ? "" : " -");
    add_text(text, " ");
    add_rights(text, &identity->report);
    add_text(text, " ");
    add_rights(text, &identity->ask);
    add_text(text, " delete=");
    add_rights(text, &identity->delete);
    if (identity->per_second) {
        snprintf(number, sizeof number, " reports=%d burst=%d", (int)identity->per_second, (int)identity->burst);
        add_text(text, number);
    }
    if (identity->connections_max) {
        snprintf(number, sizeof number, " connections=%d", (int)identity->connections_max);
        add_text(text, number);
    }
    add_text(text, "\n");
}

void trust_start(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    herd_identities_free(n->set);
    n->set = NULL;
    memset(n->connections, 0, sizeof n->connections);
    for (int i = 0; i < ADDRESSES; i++) {
        herd_rate_init(&n->addresses[i], 3 + i, 2 + 2 * i);
        n->address_buckets[i] = (struct sim_bucket){3 + i, 2 + 2 * i, INT64_MAX, 0};
    }
    if (!w->access)
        return;
    struct herd_buf text = {0};
    for (int i = 0; i < w->identity_count; i++) {
        const struct sim_identity *identity = &w->identities[i];
        add_identity(&text, identity);
        n->buckets[i] = (struct sim_bucket){identity->per_second, identity->burst, INT64_MAX, 0};
    }
    struct herd_identities_error error = {0};
    const uint64_t key[2] = {w->seed, (uint64_t)node};
    if (herd_identities_parse(&n->set, (struct herd_span){text.at, text.len}, key, &error) < 0)
        sim_fail(w, "identities, line %u, column %u: %s\n%.*s", error.line, error.column, error.message,
                 (int)text.len, text.at);
    herd_buf_fini(&text);
}

void trust_stop(struct sim_node *n)
{
    herd_identities_free(n->set);
    n->set = NULL;
}

/* ---- what each may ---- */

static bool matches(const struct sim_rights *rights, const struct sim_key *key)
{
    for (size_t i = 0; i < rights->count; i++) {
        const struct sim_right *right = &rights->list[i];
        bool begins = right->len <= key->len && memcmp(right->at, key->id, right->len) == 0;
        if (begins && (right->prefix || right->len == key->len))
            return true;
    }
    return false;
}

static int64_t full_ns(const struct sim_bucket *bucket)
{
    return SECOND / bucket->per_second * bucket->burst;
}

/* A bucket of time: full it holds `burst` reports, each costs its share of a second. */
static bool take(struct sim_bucket *bucket, int64_t now_ns)
{
    if (bucket->per_second == 0)
        return true;
    int64_t cost_ns = SECOND / bucket->per_second;
    int64_t since_ns = bucket->level_ns == INT64_MAX ? 0 : now_ns - bucket->at_ns;
    bucket->level_ns =
        bucket->level_ns >= full_ns(bucket) - since_ns ? full_ns(bucket) : bucket->level_ns + since_ns;
    bucket->at_ns = now_ns;
    if (bucket->level_ns < cost_ns)
        return false;
    bucket->level_ns -= cost_ns;
    return true;
}

/* Whether a client may do what some right allows, now: counts it. */
static bool change(struct world *w, int node, int who, int address, bool allowed)
{
    struct sim_node *n = &w->nodes[node];
    int64_t now_ns = world_clock(w, node).steady_ns;
    if (!allowed) {
        w->figures->denied++;
        return false;
    }
    if ((w->access && !take(&n->buckets[who], now_ns)) ||
        (address >= 0 && !take(&n->address_buckets[address], now_ns))) {
        w->figures->too_often++;
        return false;
    }
    return true;
}

static bool may(const struct world *w, int who, const struct sim_rights *rights, uint32_t key)
{
    return !w->access || (who >= 0 && matches(rights, &w->model.keys[key]));
}

bool trust_report(struct world *w, int node, int who, int address, uint32_t key)
{
    return change(w, node, who, address, may(w, who, &w->identities[who < 0 ? 0 : who].report, key));
}

bool trust_delete(struct world *w, int node, int who, int address, uint32_t key)
{
    return change(w, node, who, address, may(w, who, &w->identities[who < 0 ? 0 : who].delete, key));
}

bool trust_ask(const struct world *w, int who, uint32_t key)
{
    return may(w, who, &w->identities[who < 0 ? 0 : who].ask, key);
}

/* What is left of a rate, for nobody knows how much of a client was heard: never more than there was. */
static void follow(struct world *w, int node, struct sim_bucket *bucket, const struct herd_rate *rate)
{
    int64_t now_ns = world_clock(w, node).steady_ns;
    if (bucket->per_second == 0 || rate->next_ns == INT64_MIN)
        return;
    int64_t used_ns = rate->next_ns > now_ns ? rate->next_ns - now_ns : 0;
    int64_t before_ns = bucket->level_ns == INT64_MAX ? full_ns(bucket) : bucket->level_ns + now_ns - bucket->at_ns;
    if (full_ns(bucket) - used_ns > before_ns && used_ns > 0)
        sim_fail(w, "%s forgets how often an identity reported", w->nodes[node].name);
    bucket->level_ns = full_ns(bucket) - used_ns;
    bucket->at_ns = now_ns;
}

void trust_follow(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    for (int i = 0; n->set && i < w->identity_count; i++)
        follow(w, node, &n->buckets[i],
               &herd_identities_find(n->set, herd_span_of(w->identities[i].name))->reports);
    for (int i = 0; i < ADDRESSES; i++)
        follow(w, node, &n->address_buckets[i], &n->addresses[i]);
}

/* ---- who a session is ---- */

bool trust_join(struct world *w, int node, int who)
{
    size_t *connections = &w->nodes[node].connections[who];
    if (w->identities[who].connections_max && *connections >= w->identities[who].connections_max)
        return false;
    ++*connections;
    return true;
}

void trust_leave(struct world *w, int node, int who)
{
    if (who >= 0)
        w->nodes[node].connections[who]--;
}

struct herd_identity *trust_find(const struct world *w, int node, struct herd_span token)
{
    unsigned char hash[HERD_TOKEN_HASH_BYTES];
    hash_token(token, hash);
    return w->nodes[node].set ? herd_identities_find_token(w->nodes[node].set, hash) : NULL;
}

/* Nobody is told of a token. */
void trust_see(struct world *w, int node, struct herd_span said)
{
    for (size_t i = 0; i + sizeof TOKEN_MARK - 1 <= said.len; i++)
        if (memcmp(said.at + i, TOKEN_MARK, sizeof TOKEN_MARK - 1) == 0)
            sim_fail(w, "%s gives a token away: %.*s", w->nodes[node].name, (int)said.len, said.at);
}

void trust_check(struct world *w, int node)
{
    const struct sim_node *n = &w->nodes[node];
    for (int i = 0; n->node && n->set && i < w->identity_count; i++) {
        size_t connections = herd_identities_find(n->set, herd_span_of(w->identities[i].name))->connections;
        if (connections != n->connections[i])
            sim_fail(w, "%s counts %zu connections of %s instead of %zu", n->name, connections,
                     w->identities[i].name, n->connections[i]);
    }
}

/* ---- neighbours ---- */

void trust_prove(struct world *w, struct end *end, int peer)
{
    struct rng *r = &w->trust;
    end->proof = herd_span_of(peer >= 0 ? w->nodes[peer].name : "");
    if (peer < 0 || !w->peers_prove)
        end->proof.len = 0;
    /* Now and then a connection was not proved, or somebody else is there. */
    if (w->peers_prove && !w->calm && !w->healed && rng_one_in(r, 8))
        end->proof = herd_span_of(rng_one_in(r, 2) ? "" : w->nodes[rng_below(r, (uint64_t)w->count)].name);
    herd_session_set_proof(end->session, end->proof, w->peers_prove);
}

void trust_pose(struct world *w, struct end *end, int claimed)
{
    struct rng *r = &w->trust;
    uint64_t what = w->peers_prove || rng_one_in(r, 8) ? rng_below(r, 3) : 0;
    end->proof = herd_span_of(what == 0   ? ""
                              : what == 1 ? w->nodes[rng_below(r, (uint64_t)w->count)].name
                                          : w->nodes[claimed].name);
}

void trust_see_link(struct world *w, const struct end *end)
{
    const struct end *other = &end->conn->end[end == &end->conn->end[0]];
    int number = herd_session_peer(end->session);
    if (number < 0)
        return;
    const struct sim_node *n = &w->nodes[end->node];
    struct herd_span claimed = n->peer_names[number];
    if ((w->peers_prove || end->proof.len) && !herd_span_equal(end->proof, claimed))
        sim_fail(w, "%s is linked with %.*s, who proved to be \"%.*s\"", n->name, (int)claimed.len, claimed.at,
                 (int)end->proof.len, end->proof.at);
    if (end->keyless && n->options.key_check)
        sim_fail(w, "%s is linked with somebody who does not know its key", n->name);
    if (other->node >= 0 && w->apart >= 0 && (end->node == w->apart) != (other->node == w->apart))
        sim_fail(w, "%s is linked with %s, whose key is another", n->name, w->nodes[other->node].name);
}
