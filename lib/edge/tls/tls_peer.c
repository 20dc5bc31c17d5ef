/* SPDX-License-Identifier: MIT */
/*
 * Who is at the other end: the names in its certificate.
 *
 * The name is a URI among the alternative names, herd://HERD/server/NAME or herd://HERD/client/NAME, compared byte by
 * byte with its length: DNS names fold case, know wildcards and 63-byte labels, and names of servers do not. The part
 * between says the role, so that no client's certificate becomes a server's. More than one herd:// URI is none.
 */
#include "tls_impl.h"

#include <herd/protocol.h>

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static bool cut(struct herd_span *io_text, struct herd_span front)
{
    if (io_text->len < front.len || memcmp(io_text->at, front.at, front.len) != 0)
        return false;
    io_text->at += front.len;
    io_text->len -= front.len;
    return true;
}

/* `uri` as the name of somebody of this herd. */
static enum herd_tls_proof read_uri(struct herd_span uri, struct herd_span herd, struct herd_span *ret_name)
{
    enum herd_tls_proof proof = HERD_TLS_PROOF_NONE;
    if (!cut(&uri, herd_span_of("herd://")) || !cut(&uri, herd))
        return HERD_TLS_PROOF_NONE;
    if (cut(&uri, herd_span_of("/server/")))
        proof = HERD_TLS_PROOF_SERVER;
    else if (cut(&uri, herd_span_of("/client/")))
        proof = HERD_TLS_PROOF_CLIENT;
    *ret_name = uri;
    return herd_name_valid(uri) ? proof : HERD_TLS_PROOF_NONE;
}

static struct herd_span uri_of(const GENERAL_NAME *name)
{
    const ASN1_IA5STRING *text = name->d.uniformResourceIdentifier;
    return (struct herd_span){(const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)};
}

enum herd_tls_proof herd_tls_names_read(const GENERAL_NAMES *names, struct herd_span herd,
                                        char ret_name[HERD_PSK_NAME_MAX], size_t *ret_len)
{
    enum herd_tls_proof proof = HERD_TLS_PROOF_NONE;
    unsigned found = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);
        if (one->type != GEN_URI)
            continue;
        struct herd_span uri = uri_of(one), scheme = uri, name;
        if (!cut(&scheme, herd_span_of("herd:")))
            continue;
        found++;
        proof = read_uri(uri, herd, &name);
        if (proof == HERD_TLS_PROOF_NONE)
            continue;
        memcpy(ret_name, name.at, name.len);
        *ret_len = name.len;
    }
    return found == 1 ? proof : HERD_TLS_PROOF_NONE;
}

enum herd_tls_proof herd_tls_certificate_name(const X509 *certificate, struct herd_span herd,
                                              char ret_name[HERD_PSK_NAME_MAX], size_t *ret_len)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    enum herd_tls_proof proof = herd_tls_names_read(names, herd, ret_name, ret_len);
    GENERAL_NAMES_free(names);
    return proof;
}

/* Appends bytes of a stranger, escaped; false: no room for all of them. */
static bool append(char *text, size_t size, size_t *io_used, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool printable = bytes[i] > 0x20 && bytes[i] < 0x7f && bytes[i] != '\\' && bytes[i] != ',';
        if (*io_used + (printable ? 1 : 4) >= size)
            return false;
        *io_used += (size_t)snprintf(text + *io_used, size - *io_used, printable ? "%c" : "\\x%02x",
                                     (unsigned char)bytes[i]);
    }
    return true;
}

void herd_tls_certificate_describe(const X509 *certificate, char *text, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);
        if (one->type != GEN_URI && one->type != GEN_DNS)
            continue;
        const ASN1_STRING *value = one->type == GEN_URI ? one->d.uniformResourceIdentifier : one->d.dNSName;
        int put = snprintf(text + used, size - used, "%s%s", used ? "," : "", one->type == GEN_DNS ? "DNS:" : "");
        if (put < 0 || (size_t)put >= size - used)
            break;
        used += (size_t)put;
        if (!append(text, size, &used, (const char *)ASN1_STRING_get0_data(value),
                    (size_t)ASN1_STRING_length(value)))
            break;
    }
    GENERAL_NAMES_free(names);
    if (!used)
        snprintf(text, size, "none");
}

static void name_of(const X509_NAME *name, char *text, int size)
{
    if (!name || !X509_NAME_oneline(name, text, size))
        text[0] = '\0';
}

static void time_of(const ASN1_TIME *time, char *text, size_t size)
{
    struct tm tm;
    if (!time || ASN1_TIME_to_tm(time, &tm) != 1 || strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        text[0] = '\0';
}

void herd_tls_verify_fault(X509_STORE_CTX *store_ctx, struct herd_tls_fault *fault)
{
    X509 *certificate = X509_STORE_CTX_get_current_cert(store_ctx);
    int error = X509_STORE_CTX_get_error(store_ctx);
    char subject[160] = "", issuer[160] = "", from[32] = "", to[32] = "", now_text[32] = "";
    if (certificate) {
        name_of(X509_get_subject_name(certificate), subject, sizeof subject);
        name_of(X509_get_issuer_name(certificate), issuer, sizeof issuer);
        time_of(X509_get0_notBefore(certificate), from, sizeof from);
        time_of(X509_get0_notAfter(certificate), to, sizeof to);
    }
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID: {
        time_t now = time(NULL);
        struct tm tm;
        if (gmtime_r(&now, &tm))
            strftime(now_text, sizeof now_text, "%Y-%m-%dT%H:%M:%SZ", &tm);
        herd_tls_fail(fault,
                      error == X509_V_ERR_CERT_HAS_EXPIRED ? "tls_certificate_expired"
                                                           : "tls_certificate_not_yet_valid",
                      "%s is valid from %s to %s; it is %s here", subject, from, to, now_text);
        return;
    }
    case X509_V_ERR_CERT_REVOKED: herd_tls_fail(fault, "tls_certificate_revoked", "%s", subject); return;
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_UNABLE_TO_GET_CRL:
        herd_tls_fail(fault, "tls_crl_unusable", "%s: %s", subject, X509_verify_cert_error_string(error));
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        herd_tls_fail(fault, "tls_issuer_unknown",
                      "%s is issued by %s, which is not in our file of roots; a peer must send its intermediates",
                      subject, issuer);
        return;
    default:
        herd_tls_fail(fault, "tls_certificate_refused", "%s: %s", subject, X509_verify_cert_error_string(error));
        return;
    }
}

/* ---- when the handshake is over ---- */

static bool is_expected(struct herd_tls_stream *stream, X509 *certificate)
{
    char name[HERD_PSK_NAME_MAX], found[200];
    size_t len;
    if (stream->dns_name) {
        const unsigned flags = X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
        if (X509_check_host(certificate, stream->dns_name, 0, flags, NULL) == 1)
            return true;
    } else if (stream->expects_server) {
        if (herd_tls_certificate_name(certificate, stream->context->herd, name, &len) == HERD_TLS_PROOF_SERVER &&
            len == stream->peer_len && memcmp(name, stream->peer, len) == 0)
            return true;
    } else {
        return true;
    }
    herd_tls_certificate_describe(certificate, found, sizeof found);
    struct herd_tls_fault *fault = herd_tls_stream_note(stream);
    if (fault)
        herd_tls_fail(fault, "peer_name_differs", "expected=%.*s found=%s",
                      stream->dns_name ? (int)strlen(stream->dns_name) : (int)stream->peer_len,
                      stream->dns_name ? stream->dns_name : stream->peer, found);
    return false;
}

/* A handshake by a key of a pair, which only the two of them know. */
static bool by_key(struct herd_tls_stream *stream)
{
    const char *sign = stream->psk_identity ? strchr(stream->psk_identity, '>') : NULL;
    if (!sign || !SSL_session_reused(stream->ssl))
        return false;
    if (stream->role == HERD_TLS_SERVER) {
        stream->peer_len = (size_t)(sign - stream->psk_identity);
        memcpy(stream->peer, stream->psk_identity, stream->peer_len);
    }
    stream->proof = HERD_TLS_PROOF_SERVER;
    return true;
}

static int refuse(struct herd_tls_stream *stream, const char *event, const char *why)
{
    struct herd_tls_fault *fault = herd_tls_stream_note(stream);
    if (fault)
        herd_tls_fail(fault, event, "%s", why);
    return HERD_E_ACCESS;
}

int herd_tls_peer_prove(struct herd_tls_stream *stream)
{
    X509 *certificate = SSL_get0_peer_certificate(stream->ssl);
    if (by_key(stream))
        return 0;
    if (!certificate) {
        if (stream->role == HERD_TLS_SERVER)
            return 0; /* it may prove who it is in another way, or need not */
        return refuse(stream, "peer_no_certificate", "the server showed no certificate");
    }
    /* A program's own context may let pass what does not lead to its roots: that proves nothing. */
    long verified = SSL_get_verify_result(stream->ssl);
    if (verified != X509_V_OK) {
        if (!stream->dns_name && !stream->expects_server)
            return 0;
        return refuse(stream, "tls_certificate_refused", X509_verify_cert_error_string(verified));
    }
    if (stream->role == HERD_TLS_CLIENT && !is_expected(stream, certificate))
        return HERD_E_ACCESS;
    stream->proof = herd_tls_certificate_name(certificate, stream->context->herd, stream->peer, &stream->peer_len);
    if (stream->proof == HERD_TLS_PROOF_NONE)
        stream->peer_len = 0;
    return 0;
}

enum herd_tls_proof herd_tls_stream_peer(const struct herd_tls_stream *stream, struct herd_span *ret_name)
{
    *ret_name = (struct herd_span){stream->peer, stream->peer_len};
    if (stream->proof == HERD_TLS_PROOF_NONE)
        *ret_name = (struct herd_span){"", 0};
    return stream->proof;
}
