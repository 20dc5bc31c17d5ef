/* SPDX-License-Identifier: MIT */
/* What peers of other makes, or with other aims, put on the wire: handshakes we refuse, records we did not expect. */
#include "tls_impl.h"
#include "tls_pair.h"

#include <openssl/err.h>

static struct tls_files files;
static struct herd_tls_context *north, *nobody;

/* A client context that keeps none of our settings: all versions, all suites. */
static SSL_CTX *loose_client(void)
{
    SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_method());
    assert_non_null(ssl_ctx);
    SSL_CTX_set_security_level(ssl_ctx, 0);
    SSL_CTX_set_min_proto_version(ssl_ctx, 0);
    assert_int_equal(SSL_CTX_set_cipher_list(ssl_ctx, "ALL:@SECLEVEL=0"), 1);
    return ssl_ctx;
}

static struct herd_tls_context *adopt(SSL_CTX *ssl_ctx)
{
    struct herd_tls_context *context = NULL;
    assert_int_equal(herd_tls_context_adopt(&context, ssl_ctx, herd_span_of("h")), 0);
    SSL_CTX_free(ssl_ctx);
    return context;
}

static void assert_refused(const struct tls_end *end, const char *event, const char *words)
{
    const struct herd_tls_fault *fault = herd_tls_stream_fault(end->stream);
    if (herd_tls_stream_state(end->stream) != HERD_TLS_FAILED || !fault->event ||
        strcmp(fault->event, event) != 0 || !strstr(fault->text, words))
        fail_msg("expected %s %s, found state %d %s %s", event, words, herd_tls_stream_state(end->stream),
                 fault->event ? fault->event : "-", fault->text);
}

static void test_versions(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION};
    struct herd_tls_context *both =
        tls_context(&files, "North", (struct herd_tls_options){.self = herd_span_of("North"), .tls_1_2 = true});
    struct tls_pair pair;
    for (size_t i = 0; i < 3; i++) {
        SSL_CTX *ssl_ctx = loose_client();
        SSL_CTX_set_max_proto_version(ssl_ctx, versions[i]);
        struct herd_tls_context *old = adopt(ssl_ctx);
        tls_connect(&pair, north, old, NULL, 1000000);
        assert_refused(&pair.server, "tls_version", "expected TLS 1.3");
        assert_int_equal(herd_tls_stream_state(pair.client.stream), HERD_TLS_FAILED);
        tls_pair_fini(&pair);
        tls_connect(&pair, both, old, NULL, 1000000);
        if (versions[i] == TLS1_2_VERSION)
            assert_true(tls_open(&pair));
        else
            assert_refused(&pair.server, "tls_version", "expected TLS 1.2 or 1.3");
        tls_pair_fini(&pair);
        herd_tls_context_unref(old);
    }
    herd_tls_context_unref(both);
}

static void test_nothing_in_common(void **state)
{
    (void)state;
    struct tls_pair pair;
    SSL_CTX *ssl_ctx = loose_client();
    SSL_CTX_set_min_proto_version(ssl_ctx, TLS1_3_VERSION);
    assert_int_equal(SSL_CTX_set_ciphersuites(ssl_ctx, "TLS_AES_128_CCM_SHA256"), 1);
    struct herd_tls_context *context = adopt(ssl_ctx);
    tls_connect(&pair, north, context, NULL, 1000000);
    assert_refused(&pair.server, "tls_nothing_in_common", "");
    tls_pair_fini(&pair);
    herd_tls_context_unref(context);
}

/* A key of 1024 bits: we do not start with one, and nobody with one is let in. */
static void test_small_rsa(void **state)
{
    (void)state;
    tls_issue(&files, "rsa", (struct pki_options){.san = "URI:herd://h/server/North", .rsa_bits = 1024});
    struct herd_tls_context *none = NULL;
    struct herd_tls_fault fault;
    assert_int_equal(
        tls_try_context(&files, &none, "rsa", (struct herd_tls_options){.self = herd_span_of("North")}, &fault),
        HERD_E_SYNTAX);
    assert_string_equal(fault.event, "tls_certificate_bad");
    assert_non_null(strstr(fault.text, "key too small"));
    SSL_CTX *ssl_ctx = loose_client();
    assert_int_equal(SSL_CTX_use_certificate_file(ssl_ctx, tls_path(&files, "rsa.pem"), SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(ssl_ctx, tls_path(&files, "rsa.key"), SSL_FILETYPE_PEM), 1);
    struct herd_tls_context *weak = adopt(ssl_ctx);
    struct tls_pair pair;
    tls_connect(&pair, north, weak, NULL, 1000000);
    assert_refused(&pair.server, "tls_certificate_refused", "key too weak");
    tls_pair_fini(&pair);
    herd_tls_context_unref(weak);
}

/* A client that believes that it may send data with its first message: the handshake goes on, the data is dropped. */
static SSL_SESSION *early_session;

static int early_psk(SSL *ssl, const EVP_MD *md, const unsigned char **ret_id, size_t *ret_len, SSL_SESSION **ret)
{
    static const unsigned char id[] = "A>North";
    (void)ssl;
    (void)md;
    SSL_SESSION_up_ref(early_session);
    *ret = early_session;
    *ret_id = id;
    *ret_len = sizeof id - 1;
    return 1;
}

static void test_early_data(void **state)
{
    (void)state;
    static const unsigned char key[32] = {1}, suite[2] = {0x13, 0x01};
    struct tls_pair pair = {0};
    SSL_CTX *ssl_ctx = loose_client();
    SSL *finder = SSL_new(ssl_ctx);
    early_session = SSL_SESSION_new();
    assert_true(SSL_SESSION_set1_master_key(early_session, key, sizeof key) &&
                SSL_SESSION_set_cipher(early_session, SSL_CIPHER_find(finder, suite)) &&
                SSL_SESSION_set_protocol_version(early_session, TLS1_3_VERSION) &&
                SSL_SESSION_set_max_early_data(early_session, 1000));
    SSL_free(finder);
    SSL_CTX_set_psk_use_session_callback(ssl_ctx, early_psk);
    struct herd_tls_context *eager = adopt(ssl_ctx);
    assert_int_equal(herd_tls_stream_new(&pair.server.stream, north, HERD_TLS_SERVER, NULL), 0);
    assert_int_equal(herd_tls_stream_new(&pair.client.stream, eager, HERD_TLS_CLIENT, NULL), 0);
    size_t written = 0;
    pair.client.stream->out = &pair.client.out;
    assert_int_equal(SSL_write_early_data(pair.client.stream->ssl, "IAMAT early", 11, &written), 1);
    assert_int_equal(written, 11);
    pair.client.stream->out = NULL;
    tls_settle(&pair, 1000000);
    assert_true(tls_open(&pair));
    assert_int_equal(pair.server.plain.len, 0);
    assert_int_equal(SSL_get_early_data_status(pair.client.stream->ssl), SSL_EARLY_DATA_REJECTED);
    tls_pair_fini(&pair);
    herd_tls_context_unref(eager);
    SSL_SESSION_free(early_session);
}

static void test_renegotiation(void **state)
{
    (void)state;
    struct herd_tls_context *both =
        tls_context(&files, "North", (struct herd_tls_options){.self = herd_span_of("North"), .tls_1_2 = true});
    SSL_CTX *ssl_ctx = loose_client();
    SSL_CTX_set_max_proto_version(ssl_ctx, TLS1_2_VERSION);
    struct herd_tls_context *old = adopt(ssl_ctx);
    struct tls_pair pair;
    tls_connect(&pair, both, old, NULL, 1000000);
    assert_true(tls_open(&pair));
    struct herd_tls_stream *client = pair.client.stream;
    client->out = &pair.client.out;
    assert_int_equal(SSL_renegotiate(client->ssl), 1);
    (void)SSL_do_handshake(client->ssl);
    client->out = NULL;
    ERR_clear_error();
    assert_true(pair.client.out.len > 0);
    tls_settle(&pair, 1000000);
    assert_true(herd_tls_stream_state(client) == HERD_TLS_FAILED ||
                SSL_num_renegotiations(pair.server.stream->ssl) == 0);
    assert_int_equal(SSL_num_renegotiations(pair.server.stream->ssl), 0);
    tls_pair_fini(&pair);
    herd_tls_context_unref(both);
    herd_tls_context_unref(old);
}

/* ---- names ---- */

static void add_uri(GENERAL_NAMES *names, const char *bytes, size_t len)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    assert_true(name && text && ASN1_STRING_set(text, bytes, (int)len) == 1);
    GENERAL_NAME_set0_value(name, GEN_URI, text);
    assert_true(sk_GENERAL_NAME_push(names, name) > 0);
}

/* What the log shows of a stranger's names: as they are, but for what could be taken for more than a name; cut where there is
 * no room. */
static void test_described(void **state)
{
    (void)state;
    char filler[260], text[200], cut[200];
    memset(filler, 'y', sizeof filler);
    static const char odd[] = "a b\\c,\x7f\xc3\xa9\n~";
    X509 *certificate = X509_new();
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    herd_tls_certificate_describe(certificate, text, sizeof text);
    assert_string_equal(text, "none");
    GENERAL_NAME *mail = GENERAL_NAME_new();
    ASN1_IA5STRING *address = ASN1_IA5STRING_new();
    assert_true(mail && address && ASN1_STRING_set(address, "a@b", 3) == 1);
    GENERAL_NAME_set0_value(mail, GEN_EMAIL, address);
    assert_true(sk_GENERAL_NAME_push(names, mail) > 0);
    add_uri(names, odd, sizeof odd - 1);
    add_uri(names, "herd://h/server/A", 17);
    assert_int_equal(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_REPLACE), 1);
    herd_tls_certificate_describe(certificate, text, sizeof text);
    assert_string_equal(text, "a\\x20b\\x5cc\\x2c\\x7f\\xc3\\xa9\\x0a~,herd://h/server/A");
    for (size_t size = 1; size < strlen(text); size++) { /* never half of a sign, never beyond the room */
        memset(cut, 'Z', sizeof cut);
        herd_tls_certificate_describe(certificate, cut, size);
        assert_true(strlen(cut) < size && cut[size] == 'Z');
        if (size > 5)
            assert_memory_equal(cut, text, strlen(cut));
    }
    add_uri(names, filler, sizeof filler);
    assert_int_equal(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_REPLACE), 1);
    herd_tls_certificate_describe(certificate, text, sizeof text);
    assert_int_equal(strlen(text), sizeof text - 1);
    GENERAL_NAMES_free(names);
    X509_free(certificate);
}

static void test_names(void **state)
{
    (void)state;
#define URI(text)             \
    {                         \
        text, sizeof text - 1 \
    }
    static const struct {
        struct {
            const char *at;
            size_t len;
        } uris[2];
        enum herd_tls_proof proof;
    } rows[] = {
        {{URI("herd://h/server/A")}, HERD_TLS_PROOF_SERVER},
        {{URI("herd://h/client/A")}, HERD_TLS_PROOF_CLIENT},
        {{URI("herd://h/server/A"), URI("https://h/server/A")}, HERD_TLS_PROOF_SERVER},
        {{URI("herd://h/server/A\0")}, HERD_TLS_PROOF_NONE},
        {{URI("herd://h/server/A\0.evil")}, HERD_TLS_PROOF_NONE},
        {{URI("herd://h\0/server/A")}, HERD_TLS_PROOF_NONE},
        {{URI("herd://h/server/")}, HERD_TLS_PROOF_NONE},
        {{URI("herd://h/server/A/B")}, HERD_TLS_PROOF_NONE},
        {{URI("herd://h/servers/A")}, HERD_TLS_PROOF_NONE},
        {{URI("HERD://h/server/A")}, HERD_TLS_PROOF_NONE},
        {{URI("herd://H/server/A")}, HERD_TLS_PROOF_NONE},
        {{URI("herd://hh/server/A")}, HERD_TLS_PROOF_NONE},
        {{URI("herd:///server/A")}, HERD_TLS_PROOF_NONE},
        {{URI("herd://h/server/A%20")}, HERD_TLS_PROOF_NONE},
        {{URI("")}, HERD_TLS_PROOF_NONE},
        {{URI("herd://h/server/A"), URI("herd://h/server/B")}, HERD_TLS_PROOF_NONE},
        {{URI("herd://h/server/A"), URI("herd://h/server/A")}, HERD_TLS_PROOF_NONE},
        {{URI("herd://h/server/A"), URI("herd:x")}, HERD_TLS_PROOF_NONE},
        {{URI("herd://other/server/A"), URI("herd://h/server/A")}, HERD_TLS_PROOF_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
        char name[HERD_PSK_NAME_MAX];
        size_t len = 0;
        for (size_t j = 0; j < 2 && rows[i].uris[j].at; j++)
            add_uri(names, rows[i].uris[j].at, rows[i].uris[j].len);
        enum herd_tls_proof proof = herd_tls_names_read(names, herd_span_of("h"), name, &len);
        if (proof != rows[i].proof)
            fail_msg("%s: %d", rows[i].uris[0].at, proof);
        if (proof)
            assert_true(len == 1 && name[0] == 'A');
        GENERAL_NAMES_free(names);
    }
    /* A name that no server can have is no name at all, and never "whoever is there". */
    char text[100];
    memset(text, 'x', sizeof text);
    const struct herd_tls_expect expect = {.server = {text, sizeof text}};
    struct herd_tls_stream *stream = NULL;
    assert_int_equal(herd_tls_stream_new(&stream, nobody, HERD_TLS_CLIENT, &expect), HERD_E_ARG);
    assert_null(stream);
}

/* ---- records ---- */

static void send_text(struct tls_pair *pair, struct tls_end *from, struct tls_end *to, const char *text,
                      size_t step)
{
    size_t before = to->plain.len;
    assert_int_equal(herd_tls_output(from->stream, herd_span_of(text), &from->out), 0);
    tls_settle(pair, step);
    assert_true(
        herd_span_equal((struct herd_span){to->plain.at + before, to->plain.len - before}, herd_span_of(text)));
}

/* Writes with OpenSSL itself, to send what herd_tls_output does not. */
static int raw_write(struct tls_end *end, const char *bytes, size_t len)
{
    end->stream->out = &end->out;
    size_t written = 0;
    int result = SSL_write_ex(end->stream->ssl, bytes, len, &written);
    end->stream->out = NULL;
    return result;
}

static void test_small_records(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_connect(&pair, north, nobody, NULL, 1000000);
    for (int i = 0; i < 3000; i++)
        assert_int_equal(herd_tls_output(pair.client.stream, herd_span_of("x"), &pair.client.out), 0);
    tls_carry(&pair.client, &pair.server, 65536);
    assert_int_equal(pair.server.plain.len, 3000);
    /* Empty records say nothing; a few are fine. */
    pair.server.plain.len = 0;
    for (int i = 0; i < 10; i++)
        assert_int_equal(raw_write(&pair.client, "", 0), 1);
    assert_int_equal(herd_tls_output(pair.client.stream, herd_span_of("y"), &pair.client.out), 0);
    tls_carry(&pair.client, &pair.server, 1);
    assert_true(pair.server.plain.len == 1 && tls_open(&pair));
    assert_int_equal(herd_tls_output(pair.client.stream, herd_span_of(""), &pair.client.out), 0);
    assert_int_equal(pair.client.out.len, 0); /* we send none */
    tls_pair_fini(&pair);
}

/* A record's length above what the standard allows ends the connection before its bytes are waited for. */
static void test_long_record(void **state)
{
    (void)state;
    static const unsigned lengths[] = {16384 + 256 + 1, 17408, 65535};
    struct tls_pair pair;
    for (size_t i = 0; i < 3; i++) {
        tls_connect(&pair, north, nobody, NULL, 1000000);
        char head[] = {23, 3, 3, (char)(lengths[i] >> 8), (char)lengths[i]};
        assert_int_equal(herd_buf_add(&pair.client.out, head, 5), 0);
        tls_carry(&pair.client, &pair.server, 1);
        assert_refused(&pair.server, "tls_failed", "length too long");
        assert_true(pair.server.out.len > 0); /* an alert */
        tls_pair_fini(&pair);
    }
}

static void change_keys(struct tls_end *end, bool ask)
{
    end->stream->out = &end->out;
    assert_int_equal(
        SSL_key_update(end->stream->ssl, ask ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED), 1);
    assert_int_equal(SSL_do_handshake(end->stream->ssl), 1);
    end->stream->out = NULL;
}

static void test_key_updates(void **state)
{
    (void)state;
    struct tls_pair pair;
    tls_connect(&pair, north, nobody, NULL, 1000000);
    for (int i = 0; i < 1000; i++) {
        change_keys(i % 3 ? &pair.client : &pair.server, i % 2 == 0);
        send_text(&pair, &pair.client, &pair.server, "IAMAT\n", 1000000);
        send_text(&pair, &pair.server, &pair.client, "AT\n", 1000000);
        if (i % 100 == 0) /* ours */
            pair.server.stream->records = UINT64_C(1) << 40;
    }
    assert_true(tls_open(&pair));
    assert_true(pair.server.stream->records < 1000); /* ours were made, and count anew */
    /* A full queue: what was written before stays in order behind the change. */
    for (int i = 0; i < 100; i++)
        assert_int_equal(herd_tls_output(pair.server.stream, herd_span_of("0123456789"), &pair.server.out), 0);
    change_keys(&pair.client, true);
    tls_carry(&pair.client, &pair.server, 1000000);
    size_t before = pair.client.plain.len;
    tls_settle(&pair, 100);
    assert_int_equal(pair.client.plain.len - before, 1000);
    assert_true(tls_open(&pair));
    /* Nothing but changes of keys is work that nobody needs. */
    for (int i = 0; i < 1000; i++)
        change_keys(&pair.client, true);
    tls_carry(&pair.client, &pair.server, 1000000);
    assert_refused(&pair.server, "tls_flood", "messages without data");
    assert_true(pair.server.out.len < 40 * 50); /* nor are a thousand answered */
    tls_pair_fini(&pair);
}

/* ---- cut off ---- */

/* A handshake that stops after k bytes, for each k: it waits, and its memory comes back (under a sanitizer or valgrind). */
static void test_stops(void **state)
{
    (void)state;
    struct tls_pair pair;
    size_t total = 0;
    tls_connect(&pair, north, nobody, NULL, 1000000);
    tls_pair_fini(&pair);
    for (size_t k = 0; k == 0 || k <= total; k++) {
        pair = (struct tls_pair){0};
        assert_int_equal(herd_tls_stream_new(&pair.server.stream, north, HERD_TLS_SERVER, NULL), 0);
        assert_int_equal(herd_tls_stream_new(&pair.client.stream, nobody, HERD_TLS_CLIENT, NULL), 0);
        assert_true(herd_tls_input(pair.client.stream, (struct herd_span){"", 0}, &pair.client.plain,
                                   &pair.client.out) >= 0);
        size_t left = k, gone = 0;
        while (pair.client.out.len > 0) {
            struct herd_span all = tls_span(&pair.client.out);
            size_t len = k > 0 && left < all.len ? left : all.len;
            assert_true(herd_tls_input(pair.server.stream, (struct herd_span){all.at, len}, &pair.server.plain,
                                       &pair.server.out) >= 0);
            gone += len;
            left -= k > 0 ? len : 0;
            bool stopped = len < all.len;
            pair.client.out.len = 0;
            if (stopped)
                break;
            tls_carry(&pair.server, &pair.client, 1000000);
        }
        if (k == 0)
            total = gone;
        else if (k < total)
            assert_int_equal(herd_tls_stream_state(pair.server.stream), HERD_TLS_HANDSHAKE);
        if (k == 0 || k == total)
            assert_int_equal(herd_tls_stream_state(pair.server.stream), HERD_TLS_OPEN);
        tls_pair_fini(&pair);
    }
    assert_true(total > 200);
}

/* One stream's failure is nobody else's: OpenSSL's queue of errors is the thread's. */
static void test_errors_interleaved(void **state)
{
    (void)state;
    enum { COUNT = 60 };
    static struct tls_pair pairs[COUNT];
    for (int i = 0; i < COUNT; i++)
        tls_connect(&pairs[i], north, nobody, NULL, 1000000);
    for (int round = 0; round < COUNT; round++) {
        struct tls_pair *bad = &pairs[round];
        if (round % 3 == 0) {
            assert_int_equal(
                herd_buf_add(&bad->client.out, "\x17\x03\x03\x00\x20xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 37), 0);
            tls_carry(&bad->client, &bad->server, 1000000);
            assert_int_equal(herd_tls_stream_state(bad->server.stream), HERD_TLS_FAILED);
        } else if (round % 3 == 1) {
            ERR_put_error(ERR_LIB_SSL, 0, SSL_R_BAD_LENGTH, __FILE__, __LINE__); /* left there by another library */
        } else {
            assert_int_equal(herd_tls_close(bad->client.stream, &bad->client.out), 0);
            tls_carry(&bad->client, &bad->server, 1000000);
            assert_int_equal(herd_tls_stream_state(bad->server.stream), HERD_TLS_EOF);
        }
        for (int i = round + 1; i < COUNT; i += 7)
            send_text(&pairs[i], &pairs[i].client, &pairs[i].server, "IAMAT\n", 1000000);
    }
    for (int i = 0; i < COUNT; i++) {
        if (i % 3 == 1)
            assert_true(tls_open(&pairs[i]));
        tls_pair_fini(&pairs[i]);
    }
    ERR_clear_error();
}

static void test_first_bytes(void **state)
{
    (void)state;
    struct tls_end end = {0};
    assert_int_equal(herd_tls_stream_new(&end.stream, north, HERD_TLS_SERVER, NULL), 0);
    for (const char *at = "GET / HTTP/1.1\r\n"; *at; at++)
        (void)herd_tls_input(end.stream, (struct herd_span){at, 1}, &end.plain, &end.out);
    assert_refused(&end, "tls_expected", "first_bytes=GET\\x20/");
    herd_tls_stream_free(end.stream);
    herd_buf_fini(&end.out);
    herd_buf_fini(&end.plain);
}

static int set_up(void **state)
{
    (void)state;
    tls_files_init(&files);
    tls_issue(&files, "North", (struct pki_options){.san = "URI:herd://h/server/North"});
    FILE *file = fopen(tls_path(&files, "psk"), "w");
    assert_true(file && fprintf(file, "A 01%062d\n", 0) > 0 && fclose(file) == 0);
    assert_int_equal(chmod(tls_path(&files, "psk"), 0600), 0);
    north = tls_context(&files, "North", (struct herd_tls_options){.self = herd_span_of("North")});
    nobody = tls_context(&files, NULL, (struct herd_tls_options){0});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    herd_tls_context_unref(north);
    herd_tls_context_unref(nobody);
    tls_files_fini(&files);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),      cmocka_unit_test(test_nothing_in_common),
        cmocka_unit_test(test_small_rsa),     cmocka_unit_test(test_early_data),
        cmocka_unit_test(test_renegotiation), cmocka_unit_test(test_names),
        cmocka_unit_test(test_described),     cmocka_unit_test(test_small_records),
        cmocka_unit_test(test_long_record),   cmocka_unit_test(test_key_updates),
        cmocka_unit_test(test_stops),         cmocka_unit_test(test_errors_interleaved),
        cmocka_unit_test(test_first_bytes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
