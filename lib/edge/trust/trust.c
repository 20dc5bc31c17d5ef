/* SPDX-License-Identifier: MIT */
/* The files of a configuration that say who is who, opened together. */
#include "../../core/base/hex_digit.h"
#include "../config/config_path.h"
#include "../tls/tls_file.h"
#include "trust_impl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct opening {
    struct herd_trust *trust;
    const struct herd_config *config;
    const char *name;
    herd_trust_report *report;
    void *ctx;
    struct herd_buf text; /* of one file */
    int err;              /* the first */
    unsigned told;
};

static void tell(struct opening *opening, enum herd_config_trust member, int err,
                 const struct herd_tls_fault *fault)
{
    if (opening->err >= 0)
        opening->err = err;
    opening->told++;
    if (opening->report && err != HERD_E_NOMEM)
        opening->report(opening->ctx, member, err, fault);
}

/* Whether a path is one for this opening. */
static bool is_for_us(const struct opening *opening, const char *path)
{
    return path && (opening->name || !strstr(path, "{name}"));
}

/* *ret_path is owned; NULL: not given, not for us, or no memory. */
static char *expand(struct opening *opening, const char *path)
{
    struct herd_buf out = {0};
    if (!is_for_us(opening, path))
        return NULL;
    if (herd_config_path(path, opening->name ? opening->name : "", &out) < 0) {
        opening->err = HERD_E_NOMEM;
        herd_buf_fini(&out);
        return NULL;
    }
    return out.at;
}

/* ---- the secret ---- */

/* 64 hexadecimal digits, and the end of a line. */
static bool read_secret(struct herd_span text, unsigned char ret_secret[HERD_SECRET_BYTES])
{
    if (text.len > 0 && text.at[text.len - 1] == '\n')
        text.len--;
    if (text.len > 0 && text.at[text.len - 1] == '\r')
        text.len--;
    if (text.len != 2 * HERD_SECRET_BYTES)
        return false;
    for (size_t i = 0; i < HERD_SECRET_BYTES; i++) {
        int high = herd_hex_digit(text.at[2 * i]), low = herd_hex_digit(text.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret_secret[i] = (unsigned char)(high * 16 + low);
    }
    return true;
}

/* Whether there are keys of the file `named`, which is that of `member`. */
static bool open_secret(struct opening *opening, const char *named, enum herd_config_trust member,
                        struct herd_trust_keys *ret_keys)
{
    struct herd_tls_fault fault = {0};
    unsigned char secret[HERD_SECRET_BYTES];
    char *path = expand(opening, named);
    if (!path)
        return false;
    int err = herd_tls_file_read(path, true, &opening->text, &fault);
    if (err >= 0 && !read_secret((struct herd_span){opening->text.at, opening->text.len}, secret)) {
        herd_tls_fail(&fault, "secret_file_bad", "%s:1: expected 64 hexadecimal digits and nothing else", path);
        err = HERD_E_SYNTAX;
    }
    if (err >= 0) {
        err = herd_trust_derive(secret, ret_keys);
        if (err == HERD_E_UNSUPPORTED)
            herd_tls_fail(&fault, "tls_not_built", "%s: a secret needs SHA-256, and this library has no OpenSSL",
                          path);
    }
    herd_trust_wipe(secret, sizeof secret);
    if (opening->text.at)
        herd_trust_wipe(opening->text.at, opening->text.cap);
    if (err < 0)
        tell(opening, member, err, &fault);
    free(path);
    return err >= 0;
}

static void open_secrets(struct opening *opening)
{
    struct herd_trust *trust = opening->trust;
    struct herd_trust_keys own = {0}, of_all = {0};
    trust->has_secret = open_secret(opening, opening->config->secret_file, HERD_CONFIG_SECRET_FILE, &own);
    if (trust->has_secret) {
        trust->digest_key = own.digest;
        trust->key_check = own.check;
        trust->bucket_key = trust->secret_bucket_key = own.bucket;
    }
    if (open_secret(opening, opening->config->shards.key_file, HERD_CONFIG_SHARDS_KEY, &of_all))
        trust->bucket_key = of_all.bucket;
    herd_trust_wipe(&own, sizeof own);
    herd_trust_wipe(&of_all, sizeof of_all);
}

/* ---- identities ---- */

static int parse_identities(struct opening *opening, const char *path, struct herd_tls_fault *fault)
{
    uint64_t key[2];
    struct herd_identities_error error = {0};
    if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key) {
        herd_tls_fail(fault, "no_random_bytes", "%s: no random bytes", path);
        return HERD_E_IO;
    }
    struct herd_span text = {opening->text.len ? opening->text.at : "", opening->text.len};
    int err = herd_identities_parse(&opening->trust->identities, text, key, &error);
    if (err < 0)
        herd_tls_fail(fault, "identities_bad", "%s:%u:%u: %s", path, error.line, error.column,
                      error.message ? error.message : "");
    if (err < 0 || herd_trust_has_tokens() || herd_identities_token_count(opening->trust->identities) == 0)
        return err;
    herd_tls_fail(fault, "tls_not_built", "%s: tokens need SHA-256, and this library has no OpenSSL", path);
    return HERD_E_UNSUPPORTED;
}

static void open_identities(struct opening *opening)
{
    struct herd_tls_fault fault = {0};
    char *path = expand(opening, opening->config->identities);
    if (!path)
        return;
    int err = herd_tls_file_read(path, false, &opening->text, &fault);
    if (err >= 0)
        err = parse_identities(opening, path, &fault);
    if (err < 0)
        tell(opening, HERD_CONFIG_IDENTITIES, err, &fault);
    free(path);
}

/* ---- TLS ---- */

static void on_tls_fault(void *ctx, enum herd_tls_file file, int err, const struct herd_tls_fault *fault)
{
    static const enum herd_config_trust members[] = {
        [HERD_TLS_FILE_CERTIFICATE] = HERD_CONFIG_TLS_CERTIFICATE,
        [HERD_TLS_FILE_KEY] = HERD_CONFIG_TLS_KEY,
        [HERD_TLS_FILE_CA] = HERD_CONFIG_TLS_CA,
        [HERD_TLS_FILE_CRL] = HERD_CONFIG_TLS_CRL,
        [HERD_TLS_FILE_PSK] = HERD_CONFIG_PSK_FILE,
    };
    tell(ctx, members[file], err, fault);
}

static void open_tls(struct opening *opening)
{
    const struct herd_config *config = opening->config;
    const struct herd_config_tls *tls = &config->tls;
    struct herd_tls_fault fault = {0};
    if (tls->mode == HERD_TLS_OFF)
        return;
    bool own = is_for_us(opening, tls->certificate) && is_for_us(opening, tls->key);
    char *certificate = own ? expand(opening, tls->certificate) : NULL;
    char *key = own ? expand(opening, tls->key) : NULL;
    char *ca = expand(opening, tls->ca), *crl = expand(opening, tls->crl);
    char *psk_file = expand(opening, config->psk_file);
    const struct herd_tls_options options = {
        .certificate = certificate,
        .key = key,
        .ca = ca,
        .crl = crl,
        .psk_file = psk_file,
        .tls_1_2 = tls->tls_1_2,
        .herd = herd_span_of(config->herd ? config->herd : ""),
        .self = herd_span_of(opening->name ? opening->name : ""),
        .report = on_tls_fault,
        .report_ctx = opening,
    };
    unsigned before = opening->told;
    int err = opening->err == HERD_E_NOMEM ? HERD_E_NOMEM : herd_trust_open_tls(opening->trust, &options, &fault);
    if (err < 0 && opening->told == before) /* not told by one of the files */
        tell(opening, HERD_CONFIG_TLS, err, &fault);
    free(certificate);
    free(key);
    free(ca);
    free(crl);
    free(psk_file);
}

/* ---- life ---- */

int herd_trust_new(struct herd_trust **ret_trust, const struct herd_config *config, const char *name,
                   herd_trust_report *report, void *ctx)
{
    struct herd_trust *trust = calloc(1, sizeof *trust);
    struct opening opening = {.trust = trust, .config = config, .name = name, .report = report, .ctx = ctx};
    if (!trust)
        return HERD_E_NOMEM;
    trust->mode = config->tls.mode;
    for (size_t i = 0; i < HERD_TLS_ENDS; i++)
        trust->ends[i] = (struct herd_tls_end){INT64_MAX, ""};
    open_secrets(&opening);
    open_identities(&opening);
    open_tls(&opening);
    herd_buf_fini(&opening.text);
    if (opening.err < 0) {
        herd_trust_free(trust);
        return opening.err;
    }
    *ret_trust = trust;
    return 0;
}

void herd_trust_free(struct herd_trust *trust)
{
    if (!trust)
        return;
    herd_identities_free(trust->identities);
    herd_trust_close_tls(trust);
    herd_trust_wipe(trust, sizeof *trust);
    free(trust);
}

int herd_trust_reload(struct herd_trust **io_trust, struct herd_trust **ret_old, const struct herd_config *config,
                      const char *name, int64_t now_ns, herd_trust_report *report, void *ctx)
{
    struct herd_trust *old = *io_trust, *new;
    struct herd_tls_fault fault;
    int err = herd_trust_new(&new, config, name, report, ctx);
    if (err < 0)
        return err;
    if (new->identities && old->identities)
        herd_identities_carry_over(new->identities, old->identities, now_ns);
    if (new->has_secret != old->has_secret || new->digest_key != old->digest_key) {
        herd_tls_fail(&fault, "restart_needed",
                      "another secret of the herd: links and digests keep the one in force");
        if (report)
            report(ctx, HERD_CONFIG_SECRET_FILE, 0, &fault);
        new->has_secret = old->has_secret;
        new->digest_key = old->digest_key;
        new->key_check = old->key_check;
        if (new->bucket_key == new->secret_bucket_key)
            new->bucket_key = old->secret_bucket_key;
        new->secret_bucket_key = old->secret_bucket_key;
    }
    *ret_old = old;
    *io_trust = new;
    return 0;
}

int herd_trust_adopt_tls(struct herd_trust *trust, struct ssl_ctx_st *ssl_ctx, const struct herd_config *config,
                         struct herd_tls_fault *reterr_diagnostic)
{
    const struct herd_config_tls *tls = &config->tls;
    enum herd_tls_mode mode = tls->mode == HERD_TLS_OFF ? HERD_TLS_REQUIRE : tls->mode;
    const char *why = NULL;
    if (tls->certificate || tls->key || tls->ca || tls->crl || config->psk_file)
        why = "ssl_ctx takes the place of the files of \"tls\" and \"psk_file\": expected none";
    else if (!config->herd)
        why = "expected \"herd\", the name of the herd, beside ssl_ctx";
    for (size_t i = 0; i < config->server_count && mode == HERD_TLS_REQUIRE; i++)
        if (config->servers[i].plain)
            why = "a plain neighbour proves nothing, and mode is require";
    if (why) {
        herd_tls_fail(reterr_diagnostic, "tls_context_refused", "%s", why);
        return HERD_E_ARG;
    }
    herd_trust_close_tls(trust); /* of a mode without files */
    trust->tls = NULL;
    trust->mode = mode;
    return herd_trust_wrap_tls(trust, ssl_ctx, herd_span_of(config->herd), reterr_diagnostic);
}

/* ---- who it is ---- */

bool herd_trust_accepts(const struct herd_trust *trust, const struct herd_tls_stream *stream,
                        struct herd_tls_fault *reterr_diagnostic)
{
    if (stream && trust->tls)
        return herd_trust_stream_accepted(trust, stream, reterr_diagnostic);
    if (stream)
        herd_tls_fail(reterr_diagnostic, "tls_not_enabled", "TLS is off now");
    else if (trust->mode == HERD_TLS_REQUIRE)
        herd_tls_fail(reterr_diagnostic, "tls_required", "only TLS is let in now");
    else
        return true;
    return false;
}

struct herd_identity *herd_trust_find_token(const struct herd_trust *trust, struct herd_span token,
                                            unsigned char ret_hash[HERD_TOKEN_HASH_BYTES])
{
    if (!trust->identities || herd_trust_hash_token(token, ret_hash) < 0)
        return NULL;
    return herd_identities_find_token(trust->identities, ret_hash);
}

struct herd_identity *herd_trust_find_client(const struct herd_trust *trust, const struct herd_tls_stream *stream)
{
    struct herd_span name;
    if (!trust->identities || herd_trust_stream_peer(stream, &name) != HERD_TLS_PROOF_CLIENT)
        return NULL;
    struct herd_identity *identity = herd_identities_find(trust->identities, name);
    return identity && herd_identity_by_certificate(identity) ? identity : NULL;
}

struct herd_identity *herd_trust_anonymous(const struct herd_trust *trust)
{
    return trust->identities ? herd_identities_find(trust->identities, herd_span_of(HERD_IDENTITY_ANONYMOUS))
                             : NULL;
}
