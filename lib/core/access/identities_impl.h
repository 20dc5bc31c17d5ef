/* SPDX-License-Identifier: MIT */
/* The inside of a set of identities: identities.c finds, identities_parse.c fills. */
#ifndef HERD_CORE_IDENTITIES_IMPL_H
#define HERD_CORE_IDENTITIES_IMPL_H

#include "pattern.h"
#include "rate.h"

#include <herd/identity.h>

struct herd_identity {
    struct herd_span name; /* in `bytes` of its set, like all patterns */
    struct herd_patterns report, ask, delete;
    struct herd_rate reports;
    size_t connections, connections_max; /* now; at most, 0: no bound */
    bool certificate, admin;
};

struct herd_token {
    unsigned char hash[HERD_TOKEN_HASH_BYTES];
    uint32_t identity;
};

/* Open addressing over indices + 1; 0: free. At most half full. */
struct herd_identity_table {
    uint32_t *buckets;
    size_t size; /* a power of two */
};

struct herd_identities {
    uint64_t key[2];
    char *bytes;
    struct herd_pattern *patterns;
    struct herd_identity *list;
    struct herd_token *tokens;
    size_t count, token_count;
    struct herd_identity_table by_name, by_token;
};

/* A connection is that identity's from now on; HERD_E_LIMIT: it has as many as it may. */
int herd_identity_join(struct herd_identity *identity);
void herd_identity_leave(struct herd_identity *identity);

/* Makes both tables from `list` and `tokens`. HERD_E_NOMEM; HERD_E_EXISTS: *ret_twice is the index of the identity
 * that repeats a name or a token. */
int herd_identities_index(struct herd_identities *identities, size_t *ret_twice);

#endif
