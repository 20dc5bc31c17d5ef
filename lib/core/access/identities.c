/* SPDX-License-Identifier: MIT */
/* Finding an identity by its name or its token, and what it may. */
#include "../base/hash.h"
#include "identities_impl.h"

#include <stdlib.h>

static uint64_t name_hash(const struct herd_identities *identities, struct herd_span name)
{
    return herd_siphash(identities->key, name.at, name.len);
}

static uint64_t token_hash_of(const struct herd_identities *identities, const unsigned char *hash)
{
    return herd_siphash(identities->key, hash, HERD_TOKEN_HASH_BYTES);
}

/* In the same time wherever they differ. */
static bool same_hash(const unsigned char *a, const unsigned char *b)
{
    unsigned char differ = 0;
    for (size_t i = 0; i < HERD_TOKEN_HASH_BYTES; i++)
        differ |= (unsigned char)(a[i] ^ b[i]);
    return differ == 0;
}

/* The bucket of `name`, or the free one where it belongs. */
static uint32_t *name_bucket(const struct herd_identities *identities, struct herd_span name)
{
    const struct herd_identity_table *table = &identities->by_name;
    size_t at = (size_t)name_hash(identities, name) & (table->size - 1);
    while (table->buckets[at] && !herd_span_equal(identities->list[table->buckets[at] - 1].name, name))
        at = (at + 1) & (table->size - 1);
    return &table->buckets[at];
}

static uint32_t *token_bucket(const struct herd_identities *identities, const unsigned char *hash)
{
    const struct herd_identity_table *table = &identities->by_token;
    size_t at = (size_t)token_hash_of(identities, hash) & (table->size - 1);
    while (table->buckets[at] && !same_hash(identities->tokens[table->buckets[at] - 1].hash, hash))
        at = (at + 1) & (table->size - 1);
    return &table->buckets[at];
}

static int table_init(struct herd_identity_table *table, size_t count)
{
    table->size = 16;
    while (table->size < count * 2)
        table->size *= 2;
    table->buckets = calloc(table->size, sizeof *table->buckets);
    return table->buckets ? 0 : HERD_E_NOMEM;
}

int herd_identities_index(struct herd_identities *identities, size_t *ret_twice)
{
    if (table_init(&identities->by_name, identities->count) < 0 ||
        table_init(&identities->by_token, identities->token_count) < 0)
        return HERD_E_NOMEM;
    for (size_t i = 0; i < identities->count; i++) {
        uint32_t *bucket = name_bucket(identities, identities->list[i].name);
        if (*bucket) {
            *ret_twice = i;
            return HERD_E_EXISTS;
        }
        *bucket = (uint32_t)(i + 1);
    }
    for (size_t i = 0; i < identities->token_count; i++) {
        uint32_t *bucket = token_bucket(identities, identities->tokens[i].hash);
        if (*bucket) {
            *ret_twice = identities->tokens[i].identity;
            return HERD_E_EXISTS;
        }
        *bucket = (uint32_t)(i + 1);
    }
    return 0;
}

void herd_identities_free(struct herd_identities *identities)
{
    if (!identities)
        return;
    free(identities->by_name.buckets);
    free(identities->by_token.buckets);
    free(identities->tokens);
    free(identities->list);
    free(identities->patterns);
    free(identities->bytes);
    free(identities);
}

size_t herd_identities_count(const struct herd_identities *identities)
{
    return identities->count;
}

size_t herd_identities_token_count(const struct herd_identities *identities)
{
    return identities->token_count;
}

size_t herd_identities_certificate_count(const struct herd_identities *identities)
{
    size_t count = 0;
    for (size_t i = 0; i < identities->count; i++)
        count += identities->list[i].certificate;
    return count;
}

void herd_identities_carry_over(struct herd_identities *identities, const struct herd_identities *from,
                                int64_t now_ns)
{
    for (size_t i = 0; i < identities->count; i++) {
        const struct herd_identity *before = herd_identities_find(from, identities->list[i].name);
        if (before)
            herd_rate_carry_over(&identities->list[i].reports, &before->reports, now_ns);
    }
}

struct herd_identity *herd_identities_find(const struct herd_identities *identities, struct herd_span name)
{
    uint32_t number = *name_bucket(identities, name);
    return number ? &identities->list[number - 1] : NULL;
}

struct herd_identity *herd_identities_find_token(const struct herd_identities *identities,
                                                 const unsigned char token_hash[HERD_TOKEN_HASH_BYTES])
{
    uint32_t number = *token_bucket(identities, token_hash);
    return number ? &identities->list[identities->tokens[number - 1].identity] : NULL;
}

struct herd_span herd_identity_name(const struct herd_identity *identity)
{
    return identity->name;
}

bool herd_identity_by_certificate(const struct herd_identity *identity)
{
    return identity->certificate;
}

bool herd_identity_is_admin(const struct herd_identity *identity)
{
    return identity->admin;
}

bool herd_identity_may_report(const struct herd_identity *identity, struct herd_span id)
{
    return herd_patterns_match(identity->report, id);
}

bool herd_identity_may_ask(const struct herd_identity *identity, struct herd_span id)
{
    return herd_patterns_match(identity->ask, id);
}

bool herd_identity_may_delete(const struct herd_identity *identity, struct herd_span id)
{
    return herd_patterns_match(identity->delete, id);
}

int herd_identity_join(struct herd_identity *identity)
{
    if (identity->connections_max > 0 && identity->connections >= identity->connections_max)
        return HERD_E_LIMIT;
    identity->connections++;
    return 0;
}

void herd_identity_leave(struct herd_identity *identity)
{
    identity->connections--;
}

size_t herd_identity_connections_max(const struct herd_identity *identity)
{
    return identity->connections_max;
}
