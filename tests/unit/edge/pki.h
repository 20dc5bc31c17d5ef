/* SPDX-License-Identifier: MIT */
/* Authorities and certificates for tests, made when they are needed: none in the tree could not end. */
#ifndef TEST_PKI_H
#define TEST_PKI_H

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PKI_DAY INT64_C(86400)

struct pki {
    EVP_PKEY *key;
    X509 *certificate;
};

/* What a certificate says; zero: it is valid from yesterday for thirty days, and a leaf. */
struct pki_options {
    const char *san;         /* as in openssl.cnf: "URI:herd://h/server/North"; NULL: none */
    int64_t from_s, until_s; /* from now */
    bool authority;
    const struct pki *issuer; /* NULL: itself */
    unsigned rsa_bits;        /* 0: P-256 */
};

#define PKI_MUST(condition)                                                 \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

static inline void pki_extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    PKI_MUST(extension && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static inline struct pki pki_make(const char *name, struct pki_options options)
{
    static long serial = 1;
    struct pki made = {options.rsa_bits ? EVP_RSA_gen(options.rsa_bits) : EVP_EC_gen("P-256"), X509_new()};
    X509 *one = made.certificate;
    X509 *issuer = options.issuer ? options.issuer->certificate : one;
    PKI_MUST(made.key && one);
    PKI_MUST(X509_set_version(one, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(one), ++serial) == 1);
    X509_gmtime_adj(X509_getm_notBefore(one), (long)(options.from_s ? options.from_s : -PKI_DAY));
    X509_gmtime_adj(X509_getm_notAfter(one), (long)(options.until_s ? options.until_s : 30 * PKI_DAY));
    X509_NAME_add_entry_by_txt(X509_get_subject_name(one), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
                               0);
    X509_set_issuer_name(one, X509_get_subject_name(issuer));
    X509_set_pubkey(one, made.key);
    pki_extend(one, issuer, NID_basic_constraints, options.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    pki_extend(one, issuer, NID_subject_key_identifier, "hash");
    if (options.authority)
        pki_extend(one, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
    if (options.issuer)
        pki_extend(one, issuer, NID_authority_key_identifier, "keyid");
    if (options.san)
        pki_extend(one, issuer, NID_subject_alt_name, options.san);
    PKI_MUST(X509_sign(one, options.issuer ? options.issuer->key : made.key, EVP_sha256()) > 0);
    return made;
}

static inline void pki_free(struct pki *made)
{
    EVP_PKEY_free(made->key);
    X509_free(made->certificate);
    *made = (struct pki){0};
}

/* A list that revokes `revoked` (NULL: nobody), valid until `until_s` from now, written to `path`. */
static inline void pki_write_crl(const char *path, const struct pki *issuer, const struct pki *revoked,
                                 int64_t until_s)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *from = X509_gmtime_adj(NULL, (long)-(2 * PKI_DAY)), *until = X509_gmtime_adj(NULL, (long)until_s);
    PKI_MUST(crl && X509_CRL_set_version(crl, 1) == 1);
    PKI_MUST(X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->certificate)) == 1);
    PKI_MUST(X509_CRL_set1_lastUpdate(crl, from) == 1 && X509_CRL_set1_nextUpdate(crl, until) == 1);
    if (revoked) {
        X509_REVOKED *entry = X509_REVOKED_new();
        PKI_MUST(entry && X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->certificate)) == 1);
        PKI_MUST(X509_REVOKED_set_revocationDate(entry, from) == 1 && X509_CRL_add0_revoked(crl, entry) == 1);
    }
    PKI_MUST(X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0);
    FILE *file = fopen(path, "w");
    PKI_MUST(file && PEM_write_X509_CRL(file, crl) == 1 && fclose(file) == 0);
    X509_CRL_free(crl);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
}

static inline void pki_write_certificates(const char *path, const struct pki *one, const struct pki *behind)
{
    FILE *file = fopen(path, "w");
    PKI_MUST(file && PEM_write_X509(file, one->certificate) == 1);
    PKI_MUST(!behind || PEM_write_X509(file, behind->certificate) == 1);
    PKI_MUST(fclose(file) == 0);
}

static inline void pki_write_key(const char *path, const struct pki *one)
{
    FILE *file = fopen(path, "w");
    PKI_MUST(file && chmod(path, 0600) == 0 &&
             PEM_write_PrivateKey(file, one->key, NULL, NULL, 0, NULL, NULL) == 1);
    PKI_MUST(fclose(file) == 0);
}

#endif
