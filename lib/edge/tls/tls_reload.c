/* SPDX-License-Identifier: MIT */
/* Whether a live connection would still be let in: its peer's certificate against files that were read later. */
#include "tls_impl.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

static bool key_still_there(const struct herd_tls_stream *stream, const struct herd_tls_context *context,
                            struct herd_tls_fault *fault)
{
    struct herd_span name = {stream->peer, stream->peer_len};
    const struct herd_psk *before = herd_psks_find(&stream->context->psks, name);
    const struct herd_psk *now = herd_psks_find(&context->psks, name);
    if (before && now && CRYPTO_memcmp(before->key, now->key, HERD_PSK_BYTES) == 0)
        return true;
    herd_tls_fail(fault, "psk_gone", "the key of the pair with %.*s is another one or gone", (int)name.len,
                  name.at);
    return false;
}

/* The herd may have another name now, and then its certificates say nothing. */
static bool same_name(const struct herd_tls_stream *stream, const X509 *certificate,
                      const struct herd_tls_context *context, struct herd_tls_fault *fault)
{
    char name[HERD_PSK_NAME_MAX];
    size_t len = 0;
    enum herd_tls_proof proof = herd_tls_certificate_name(certificate, context->herd, name, &len);
    if (proof == stream->proof &&
        (proof == HERD_TLS_PROOF_NONE || (len == stream->peer_len && memcmp(name, stream->peer, len) == 0)))
        return true;
    herd_tls_fail(fault, "peer_name_differs", "the certificate of %.*s says nothing in herd %.*s",
                  (int)stream->peer_len, stream->peer, (int)context->herd.len, context->herd.at);
    return false;
}

bool herd_tls_stream_accepted_by(const struct herd_tls_stream *stream, const struct herd_tls_context *context,
                                 struct herd_tls_fault *reterr_diagnostic)
{
    X509 *certificate = SSL_get0_peer_certificate(stream->ssl);
    if (stream->psk_identity && SSL_session_reused(stream->ssl))
        return key_still_there(stream, context, reterr_diagnostic);
    if (!certificate)
        return true; /* it never proved anything this way */
    X509_STORE_CTX *store_ctx = X509_STORE_CTX_new();
    bool good =
        store_ctx &&
        X509_STORE_CTX_init(store_ctx, SSL_CTX_get_cert_store(context->ssl_ctx), certificate,
                            SSL_get_peer_cert_chain(stream->ssl)) == 1 &&
        X509_STORE_CTX_set_default(store_ctx, stream->role == HERD_TLS_SERVER ? "ssl_client" : "ssl_server") == 1;
    if (!good) {
        herd_tls_fail(reterr_diagnostic, "out_of_memory", "out of memory");
    } else if (X509_verify_cert(store_ctx) != 1) {
        herd_tls_verify_fault(store_ctx, reterr_diagnostic);
        good = false;
    } else {
        good = same_name(stream, certificate, context, reterr_diagnostic);
    }
    X509_STORE_CTX_free(store_ctx);
    ERR_clear_error();
    return good;
}
