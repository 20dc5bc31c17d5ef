/* SPDX-License-Identifier: MIT */
/*
 * Who may report and ask for which clients: an access control list, made from the text of a file.
 *
 *     # identity   proof...                       report         ask            options
 *     kiwi         sha256:9f86d081884c7d65...     kiwi.example   kiwi.example
 *     fleet        sha256:...  sha256:...         fleet-*        fleet-*,depot  reports=50
 *     desk         cert                           -              *              admin
 *     anonymous    -                              -              public-*       connections=4
 *
 * One identity a line, fields separated by white space; a line that is blank or begins with `#` says nothing.
 *
 * proof     `sha256:` and 64 hexadecimal digits: the SHA-256 of a token. More than one, for a time of change.
 *           `cert`: a certificate whose subject alternative name is URI:herd://HERD/client/IDENTITY.
 *           `-`: none, and then the identity is `anonymous`: what a connection has that proved nothing.
 *           Without that line such a connection may neither report nor ask.
 * report,   `-`: no client. Else patterns separated by commas: an exact id, or a prefix with `*` behind it; `*` is
 * ask       every client. `%` and two hexadecimal digits stand for a byte: `%2A` for `*`, `%2C` for a comma,
 *           `%63ert` for the client `cert`, which would be taken for a proof.
 * options   `admin`: may see the state of the server, and set fences by HTTP. `connections=N`: at most so many at a time. `reports=N`: at
 *           most so many a second on average, deletions among them. `delete=PATTERNS`: may delete these clients, which
 *           nobody may otherwise; patterns as above. `burst=N`: so many at once; default the larger of `reports` and 10.
 *
 * Nothing here reads a file, hashes a token or knows a socket. The text holds no secret: a token has 256 random bits,
 * so its SHA-256 says nothing of it.
 */
#ifndef HERD_IDENTITY_H
#define HERD_IDENTITY_H

#include <herd/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HERD_TOKEN_HASH_BYTES 32
/* The name of the identity that needs no proof. */
#define HERD_IDENTITY_ANONYMOUS "anonymous"

/* A set of identities, and one of them; an identity is borrowed for the life of its set. */
struct herd_identities;
struct herd_identity;

/* Where the text is wrong: line and column (in bytes) count from 1. `message` is static. */
struct herd_identities_error {
    unsigned line, column;
    const char *message;
};

/* Parses `text` (copied): all of it or nothing. `key` is secret random bits of this process, so that nobody can choose
 * tokens whose hashes collide in a table. HERD_E_NOMEM; HERD_E_SYNTAX, HERD_E_RANGE (a number), HERD_E_EXISTS (an
 * identity or a token given twice) with *reterr_error. No argument may be NULL. */
HERD_API int herd_identities_parse(struct herd_identities **ret_identities, struct herd_span text,
                                   const uint64_t key[2], struct herd_identities_error *reterr_error);
/* NULL is fine. */
HERD_API void herd_identities_free(struct herd_identities *identities);
HERD_API size_t herd_identities_count(const struct herd_identities *identities);
/* How many tokens, and how many identities that a certificate proves, are in it. */
HERD_API size_t herd_identities_token_count(const struct herd_identities *identities);
HERD_API size_t herd_identities_certificate_count(const struct herd_identities *identities);
/* What identities of the same name in `from` have used of their rates counts for those of `identities` too, at most as much
 * as the limits of these allow: a set that was read anew is no fresh start. `now_ns` is the steady clock. */
HERD_API void herd_identities_carry_over(struct herd_identities *identities, const struct herd_identities *from,
                                         int64_t now_ns);

/* The identity of this name; NULL: there is none. */
HERD_API struct herd_identity *herd_identities_find(const struct herd_identities *identities,
                                                    struct herd_span name);
/* The identity one of whose tokens has this SHA-256; NULL: none. The comparison takes the same time for every hash
 * that is not in the set. */
HERD_API struct herd_identity *herd_identities_find_token(const struct herd_identities *identities,
                                                          const unsigned char token_hash[HERD_TOKEN_HASH_BYTES]);

HERD_API struct herd_span herd_identity_name(const struct herd_identity *identity);
/* Whether a certificate with its name proves it. */
HERD_API bool herd_identity_by_certificate(const struct herd_identity *identity);
HERD_API bool herd_identity_is_admin(const struct herd_identity *identity);
/* Whether it may report, or ask for, client `id`. Walks the patterns of the identity. */
HERD_API bool herd_identity_may_report(const struct herd_identity *identity, struct herd_span id);
HERD_API bool herd_identity_may_ask(const struct herd_identity *identity, struct herd_span id);
/* Whether it may delete client `id`: the option `delete=`. */
HERD_API bool herd_identity_may_delete(const struct herd_identity *identity, struct herd_span id);
/* At most so many connections; 0: no bound. */
HERD_API size_t herd_identity_connections_max(const struct herd_identity *identity);

#ifdef __cplusplus
}
#endif
#endif
