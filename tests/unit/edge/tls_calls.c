/* SPDX-License-Identifier: MIT */
/*
 * Calls of OpenSSL that fail, each in turn, with no word of why: for want of memory, of an algorithm that a machine's policy
 * took away, of random bytes. A context is not made, a handshake fails and says so, and what follows works again.
 */
#include "tls_impl.h"
#include "tls_pair.h"

#include <errno.h>
#include <openssl/kdf.h>
#include <sys/random.h>

static long left = -1; /* calls that succeed; < 0: all */
static bool failed;    /* one did not */

static bool fails(void)
{
    failed |= left == 0;
    return left >= 0 && left-- == 0;
}

#define FAILING(type, name, params, args, failure)       \
    type __real_##name params;                           \
    type __wrap_##name params;                           \
    type __wrap_##name params                            \
    {                                                    \
        return fails() ? (failure) : __real_##name args; \
    }

/* A context's. */
FAILING(BIO_METHOD *, BIO_meth_new, (int type, const char *name), (type, name), NULL)
FAILING(int, BIO_meth_set_read, (BIO_METHOD * m, int (*f)(BIO *, char *, int)), (m, f), 0)
FAILING(int, BIO_meth_set_write, (BIO_METHOD * m, int (*f)(BIO *, const char *, int)), (m, f), 0)
FAILING(int, BIO_meth_set_ctrl, (BIO_METHOD * m, long (*f)(BIO *, int, long, void *)), (m, f), 0)
FAILING(SSL_CTX *, SSL_CTX_new, (const SSL_METHOD *method), (method), NULL)
FAILING(int, SSL_CTX_set_num_tickets, (SSL_CTX * c, size_t n), (c, n), 0)
FAILING(int, SSL_CTX_set_ciphersuites, (SSL_CTX * c, const char *list), (c, list), 0)
FAILING(int, SSL_CTX_set_cipher_list, (SSL_CTX * c, const char *list), (c, list), 0)
FAILING(int, SSL_CTX_set_session_id_context, (SSL_CTX * c, const unsigned char *id, unsigned len), (c, id, len), 0)
FAILING(int, SSL_CTX_up_ref, (SSL_CTX * c), (c), 0)
FAILING(BIO *, BIO_new_mem_buf, (const void *bytes, int len), (bytes, len), NULL)
FAILING(int, SSL_CTX_use_certificate, (SSL_CTX * c, X509 *one), (c, one), 0)
FAILING(int, SSL_CTX_use_PrivateKey, (SSL_CTX * c, EVP_PKEY *key), (c, key), 0)
FAILING(int, SSL_CTX_check_private_key, (const SSL_CTX *c), (c), 0)
FAILING(int, SSL_CTX_add_client_CA, (SSL_CTX * c, X509 *one), (c, one), 0)
FAILING(int, X509_STORE_add_cert, (X509_STORE * store, X509 *one), (store, one), 0)
FAILING(int, X509_STORE_add_crl, (X509_STORE * store, X509_CRL *one), (store, one), 0)
FAILING(X509_STORE_CTX *, X509_STORE_CTX_new, (void), (), NULL)
FAILING(int, X509_STORE_CTX_init, (X509_STORE_CTX * c, X509_STORE *store, X509 *one, STACK_OF(X509) * more),
        (c, store, one, more), 0)
FAILING(int, X509_STORE_CTX_set_default, (X509_STORE_CTX * c, const char *name), (c, name), 0)
/* A stream's. */
FAILING(SSL *, SSL_new, (SSL_CTX * c), (c), NULL)
FAILING(BIO *, BIO_new, (const BIO_METHOD *method), (method), NULL)
FAILING(int, SSL_set_ex_data, (SSL * ssl, int index, void *data), (ssl, index, data), 0)
FAILING(const SSL_CIPHER *, SSL_CIPHER_find, (SSL * ssl, const unsigned char *suite), (ssl, suite), NULL)
FAILING(SSL_SESSION *, SSL_SESSION_new, (void), (), NULL)
FAILING(int, SSL_SESSION_set1_master_key, (SSL_SESSION * s, const unsigned char *key, size_t len), (s, key, len), 0)
FAILING(int, SSL_SESSION_set_cipher, (SSL_SESSION * s, const SSL_CIPHER *cipher), (s, cipher), 0)
FAILING(int, SSL_SESSION_set_protocol_version, (SSL_SESSION * s, int version), (s, version), 0)
FAILING(int, SSL_SESSION_set1_id_context, (SSL_SESSION * s, const unsigned char *id, unsigned len), (s, id, len), 0)
FAILING(EVP_KDF *, EVP_KDF_fetch, (OSSL_LIB_CTX * library, const char *name, const char *properties),
        (library, name, properties), NULL)
FAILING(int, EVP_KDF_derive, (EVP_KDF_CTX * c, unsigned char *key, size_t len, const OSSL_PARAM *params),
        (c, key, len, params), 0)
FAILING(char *, strndup, (const char *text, size_t len), (text, len), NULL)
FAILING(char *, strdup, (const char *text), (text), NULL)
/* A token's. */
FAILING(int, EVP_Digest,
        (const void *data, size_t len, unsigned char *hash, unsigned *size, const EVP_MD *md, ENGINE *engine),
        (data, len, hash, size, md, engine), 0)
FAILING(ssize_t, getrandom, (void *bytes, size_t len, unsigned flags), (bytes, len, flags), (errno = EINTR, -1))

/* Of the many that go this way, those that can fail. */
long __real_SSL_CTX_ctrl(SSL_CTX *ctx, int command, long number, void *pointer);
long __wrap_SSL_CTX_ctrl(SSL_CTX *ctx, int command, long number, void *pointer);
long __wrap_SSL_CTX_ctrl(SSL_CTX *ctx, int command, long number, void *pointer)
{
    bool may = command == SSL_CTRL_SET_MIN_PROTO_VERSION || command == SSL_CTRL_SET_GROUPS ||
               command == SSL_CTRL_CHAIN_CERT;
    return may && fails() ? 0 : __real_SSL_CTX_ctrl(ctx, command, number, pointer);
}

long __real_SSL_ctrl(SSL *ssl, int command, long number, void *pointer);
long __wrap_SSL_ctrl(SSL *ssl, int command, long number, void *pointer);
long __wrap_SSL_ctrl(SSL *ssl, int command, long number, void *pointer)
{
    return command == SSL_CTRL_SET_TLSEXT_HOSTNAME && fails() ? 0 : __real_SSL_ctrl(ssl, command, number, pointer);
}

/* Everything succeeds again. True: the call that was to fail did. */
static bool done(void)
{
    bool did = failed;
    left = -1;
    failed = false;
    return did;
}

static struct tls_files files;

static void test_context(void **state)
{
    (void)state;
    char crl[128], psk[128];
    snprintf(crl, sizeof crl, "%s", tls_path(&files, "crl.pem"));
    snprintf(psk, sizeof psk, "%s", tls_path(&files, "North.psk"));
    struct herd_tls_options options = {.self = herd_span_of("North"), .crl = crl, .psk_file = psk};
    static const bool versions[] = {false, true};
    for (size_t i = 0; i < 2; i++) {
        options.tls_1_2 = versions[i];
        long n = 0;
        for (bool more = true; more; n++) {
            struct herd_tls_context *context = NULL;
            struct herd_tls_fault fault = {0};
            left = n;
            int err = tls_try_context(&files, &context, "chain", options, &fault);
            more = done();
            if (more ? err >= 0 || context || (err != HERD_E_NOMEM && !fault.event) : err < 0)
                fail_msg("call %ld: %d, %s", n, err, fault.event ? fault.text : "no word");
            herd_tls_context_unref(context);
        }
        assert_true(n > 20);
    }
}

static void test_adopted(void **state)
{
    (void)state;
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    long n = 0;
    for (bool more = true; more; n++) {
        struct herd_tls_context *context = NULL;
        left = n;
        int err = herd_tls_context_adopt(&context, ctx, herd_span_of("h"));
        more = done();
        assert_int_equal(err, more ? HERD_E_NOMEM : 0);
        assert_true(more == !context);
        herd_tls_context_unref(context);
    }
    assert_int_equal(n, 6);
    SSL_CTX_free(ctx);
}

/* Streams between contexts: whichever call fails, one of the two ends says so and neither is open. */
static void try_streams(struct herd_tls_context *server, struct herd_tls_context *client,
                        const struct herd_tls_expect *expect, long least)
{
    long n = 0;
    for (bool more = true; more; n++) {
        struct tls_pair pair = {0};
        struct tls_end *ends[] = {&pair.client, &pair.server};
        left = n;
        bool good = herd_tls_stream_new(&pair.server.stream, server, HERD_TLS_SERVER, NULL) >= 0 &&
                    herd_tls_stream_new(&pair.client.stream, client, HERD_TLS_CLIENT, expect) >= 0 &&
                    herd_tls_input(pair.client.stream, (struct herd_span){"", 0}, &pair.client.plain,
                                   &pair.client.out) >= 0;
        for (int turn = 0; good && turn < 8; turn++) {
            struct tls_end *from = ends[turn % 2], *to = ends[(turn + 1) % 2];
            good = herd_tls_input(to->stream, tls_span(&from->out), &to->plain, &to->out) >= 0;
            from->out.len = 0;
        }
        more = done();
        bool open = good && tls_open(&pair);
        if (open == more)
            fail_msg("call %ld: %s", n, open ? "open" : "not open");
        for (int i = 0; i < 2; i++)
            if (ends[i]->stream && herd_tls_stream_state(ends[i]->stream) == HERD_TLS_FAILED)
                assert_non_null(herd_tls_stream_fault(ends[i]->stream)->event);
        tls_pair_fini(&pair);
    }
    assert_true(n > least);
}

static void test_streams(void **state)
{
    (void)state;
    struct herd_tls_options options = {.self = herd_span_of("North"), .psk_file = tls_path(&files, "North.psk")};
    struct herd_tls_context *north = tls_context(&files, NULL, options);
    options = (struct herd_tls_options){.self = herd_span_of("South"), .psk_file = tls_path(&files, "South.psk")};
    struct herd_tls_context *south = tls_context(&files, NULL, options);
    try_streams(north, south, &(struct herd_tls_expect){.server = herd_span_of("North")}, 20);
    herd_tls_context_unref(south);
    herd_tls_context_unref(north);
    north = tls_context(&files, "dns", (struct herd_tls_options){0});
    struct herd_tls_context *client = tls_context(&files, NULL, (struct herd_tls_options){0});
    try_streams(north, client, &(struct herd_tls_expect){.dns_name = "north.example"}, 6);
    herd_tls_context_unref(client);
    herd_tls_context_unref(north);
}

/* A live connection that cannot be judged anew for want of memory is not let stay, and the fault says why. */
static void test_judged_anew(void **state)
{
    (void)state;
    struct herd_tls_context *north =
        tls_context(&files, "North", (struct herd_tls_options){.self = herd_span_of("North")});
    struct herd_tls_context *south =
        tls_context(&files, "South", (struct herd_tls_options){.self = herd_span_of("South")});
    struct tls_pair pair;
    tls_connect(&pair, north, south, &(struct herd_tls_expect){.server = herd_span_of("North")}, 1000000);
    long n = 0;
    for (bool more = true; more; n++) {
        struct herd_tls_fault fault = {0};
        left = n;
        bool stays = herd_tls_stream_accepted_by(pair.server.stream, north, &fault);
        more = done();
        assert_true(stays == !more);
        if (more)
            assert_string_equal(fault.event, "out_of_memory");
    }
    assert_int_equal(n, 4);
    tls_pair_fini(&pair);
    herd_tls_context_unref(south);
    herd_tls_context_unref(north);
}

static void test_token(void **state)
{
    (void)state;
    char token[HERD_TOKEN_TEXT_MAX];
    unsigned char hash[32], again[32];
    left = 0; /* a signal in between */
    assert_int_equal(herd_token_make(token, hash), 0);
    assert_true(done());
    assert_int_equal(herd_token_hash(herd_span_of(token), again), 0);
    assert_memory_equal(hash, again, sizeof hash);
    left = 0;
    assert_int_equal(herd_token_hash(herd_span_of(token), again), HERD_E_NOMEM);
    assert_true(done());
    left = 1; /* the hash of a new one */
    assert_int_equal(herd_token_make(token, hash), HERD_E_NOMEM);
    assert_true(done());
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(tls_path(&files, name), "w");
    assert_non_null(file);
    assert_int_equal(chmod(tls_path(&files, name), 0600), 0);
    assert_true(fputs(text, file) >= 0 && fclose(file) == 0);
}

static int set_up(void **state)
{
    (void)state;
    tls_files_init(&files);
    tls_issue(&files, "North", (struct pki_options){.san = "URI:herd://h/server/North"});
    tls_issue(&files, "South", (struct pki_options){.san = "URI:herd://h/server/South"});
    tls_issue(&files, "dns", (struct pki_options){.san = "DNS:north.example"});
    struct pki between = pki_make("Between", (struct pki_options){.authority = true, .issuer = &files.authority});
    struct pki leaf =
        pki_make("North", (struct pki_options){.san = "URI:herd://h/server/North", .issuer = &between});
    pki_write_certificates(tls_path(&files, "chain.pem"), &leaf, &between);
    pki_write_key(tls_path(&files, "chain.key"), &leaf);
    pki_write_crl(tls_path(&files, "crl.pem"), &between, NULL, 30 * PKI_DAY);
    pki_free(&leaf);
    pki_free(&between);
#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
    write_file("North.psk", "South " KEY "\n");
    write_file("South.psk", "North " KEY "\n");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tls_files_fini(&files);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_context),     cmocka_unit_test(test_adopted), cmocka_unit_test(test_streams),
        cmocka_unit_test(test_judged_anew), cmocka_unit_test(test_token),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
