/* SPDX-License-Identifier: MIT */
/*
 * Who is who, as the files of a configuration say: the herd's secret, identities, TLS. All of them together, or nothing:
 * a reload makes a new one and takes it only if all is good.
 *
 * Without OpenSSL a secret, tokens and TLS are errors (HERD_E_UNSUPPORTED): none of them is ever ignored.
 */
#ifndef HERD_EDGE_TRUST_H
#define HERD_EDGE_TRUST_H

#include "../config/config_trust.h"
#include "../tls/tls.h"

#include <herd/config.h>
#include <herd/identity.h>

/* Is told each fault (`err` < 0) and each warning (0), and the member of the configuration that it belongs to. `fault` is
 * borrowed for the call. */
typedef void herd_trust_report(void *ctx, enum herd_config_trust member, int err,
                               const struct herd_tls_fault *fault);

struct herd_trust {
    enum herd_tls_mode mode;
    bool has_secret;
    uint64_t digest_key;        /* of the secret; 0 without one */
    uint64_t key_check;         /* of the secret too: equal where the secret is, and says nothing of the key */
    uint64_t bucket_key;        /* of the secret of several herds, else of the herd's own; 0 without one */
    uint64_t secret_bucket_key; /* of the herd's own */
    struct herd_identities *identities; /* NULL: everybody may report and ask for every client */
    struct herd_tls_context *tls;       /* NULL: off */
    struct herd_tls_end ends[HERD_TLS_ENDS];
};

/* Opens all files that `config` names for the server `name`, and judges them. Each fault is told, not the first alone. With
 * `name` NULL, what has "{name}" in its path is left out. `report` may be NULL. HERD_E_NOMEM; HERD_E_IO, HERD_E_ACCESS,
 * HERD_E_SYNTAX, HERD_E_RANGE, HERD_E_EXISTS, HERD_E_UNSUPPORTED: the first fault. */
int herd_trust_new(struct herd_trust **ret_trust, const struct herd_config *config, const char *name,
                   herd_trust_report *report, void *ctx);
void herd_trust_free(struct herd_trust *trust); /* NULL is fine */

/* Makes a new one in place of *io_trust, which stays as it is if anything is wrong. *ret_old is what was there: identities
 * of live connections point into it; look each up again, then free it. What identities used of their rates goes on to
 * count. The keys of the secret do not change while a server runs: another secret is told as a warning, restart_needed.
 * `now_ns` is the steady clock. Errors as herd_trust_new. */
int herd_trust_reload(struct herd_trust **io_trust, struct herd_trust **ret_old, const struct herd_config *config,
                      const char *name, int64_t now_ns, herd_trust_report *report, void *ctx);

/* Takes a context of the program's own in place of what files say, with mode require where the configuration says off.
 * HERD_E_NOMEM; HERD_E_ARG: files are configured too, no name of the herd, or a plain neighbour; HERD_E_UNSUPPORTED; with
 * *reterr_diagnostic. The caller frees `trust` then. */
int herd_trust_adopt_tls(struct herd_trust *trust, struct ssl_ctx_st *ssl_ctx, const struct herd_config *config,
                         struct herd_tls_fault *reterr_diagnostic);

/* Whether a live connection would be let in now; `stream` NULL: one without TLS. False with *reterr_diagnostic. */
bool herd_trust_accepts(const struct herd_trust *trust, const struct herd_tls_stream *stream,
                        struct herd_tls_fault *reterr_diagnostic);
/* The identity of a token (with its SHA-256, by which it is found again after a reload), of a stream's certificate, or of who proved nothing. NULL: none, or no identities at all. */
struct herd_identity *herd_trust_find_token(const struct herd_trust *trust, struct herd_span token,
                                            unsigned char ret_hash[HERD_TOKEN_HASH_BYTES]);
struct herd_identity *herd_trust_find_client(const struct herd_trust *trust, const struct herd_tls_stream *stream);
struct herd_identity *herd_trust_anonymous(const struct herd_trust *trust);

/* Tells what is right in form and yet wrong for a herd: neighbours without a proof, no identities, identities that nobody
 * can prove, what ends within 30 days of `now_s`. `self` < 0: no server in particular. 0, or the first error. */
int herd_trust_check(const struct herd_trust *trust, const struct herd_config *config, int self, int64_t now_s,
                     herd_trust_report *report, void *ctx);

#endif
