/* SPDX-License-Identifier: MIT */
/* Streams and contexts of TLS without sockets: who is let in, who is not and with which words, and what bytes cost. */
#include "tls_impl.h"
#include "tls_pair.h"

static struct tls_files files;

static void send_text(struct tls_pair *pair, struct tls_end *from, struct tls_end *to, const char *text,
                      size_t step)
{
    assert_int_equal(herd_tls_output(from->stream, herd_span_of(text), &from->out), 0);
    size_t before = to->plain.len;
    tls_settle(pair, step);
    assert_true(
        herd_span_equal((struct herd_span){to->plain.at + before, to->plain.len - before}, herd_span_of(text)));
}

static void test_mutual(void **state)
{
    (void)state;
    struct herd_tls_context *north =
        tls_context(&files, "North", (struct herd_tls_options){.self = herd_span_of("North")});
    struct herd_tls_context *south =
        tls_context(&files, "South", (struct herd_tls_options){.self = herd_span_of("South")});
    struct herd_tls_context *kiwi = tls_context(&files, "kiwi", (struct herd_tls_options){0});
    struct herd_tls_context *nobody = tls_context(&files, NULL, (struct herd_tls_options){0});
    const struct herd_tls_expect expect = {.server = herd_span_of("North")};
    struct tls_pair pair;
    static const size_t steps[] = {1, 7, 1000000};
    for (size_t i = 0; i < 3; i++) {
        tls_connect(&pair, north, south, &expect, steps[i]);
        assert_true(tls_open(&pair));
        assert_true(tls_proved(&pair.server, HERD_TLS_PROOF_SERVER, "South"));
        assert_true(tls_proved(&pair.client, HERD_TLS_PROOF_SERVER, "North"));
        send_text(&pair, &pair.client, &pair.server, "IAMAT kiwi +1+1 1\n", steps[i]);
        send_text(&pair, &pair.server, &pair.client, "AT North +1.0 kiwi +1+1 1\n", steps[i]);
        tls_pair_fini(&pair);
    }
    tls_connect(&pair, north, kiwi, &expect, 1000000);
    assert_true(tls_open(&pair) && tls_proved(&pair.server, HERD_TLS_PROOF_CLIENT, "kiwi"));
    tls_pair_fini(&pair);
    tls_connect(&pair, north, nobody, &expect, 1000000);
    assert_true(tls_open(&pair) && tls_proved(&pair.server, HERD_TLS_PROOF_NONE, ""));
    herd_tls_context_unref(north); /* streams keep it */
    send_text(&pair, &pair.server, &pair.client, "hello", 1);
    tls_pair_fini(&pair);
    herd_tls_context_unref(south);
    herd_tls_context_unref(kiwi);
    herd_tls_context_unref(nobody);
}

/* Who is refused, by whom, and the event that says so. */
static void test_refused(void **state)
{
    (void)state;
    struct pki_options server = {.san = "URI:herd://h/server/South"};
    tls_issue(&files, "expired",
              (struct pki_options){.san = server.san, .from_s = -9 * PKI_DAY, .until_s = -PKI_DAY});
    tls_issue(&files, "future", (struct pki_options){.san = server.san, .from_s = PKI_DAY});
    tls_issue(&files, "foreign", (struct pki_options){.san = server.san, .issuer = &files.other});
    tls_issue(&files, "self", (struct pki_options){.san = server.san});
    tls_issue(&files, "otherherd", (struct pki_options){.san = "URI:herd://hh/server/South"});
    tls_issue(&files, "two", (struct pki_options){.san = "URI:herd://h/server/South,URI:herd://h/server/East"});
    tls_issue(&files, "case", (struct pki_options){.san = "URI:herd://h/server/south"});
    tls_issue(&files, "dns", (struct pki_options){.san = "DNS:South"});
    static const struct {
        const char *certificate;
        bool as_client; /* it dials us; else we dial it, expecting South */
        const char *event;
        enum herd_tls_proof proof; /* where it is let in */
    } rows[] = {
        {"expired", true, "tls_certificate_expired", 0}, {"future", true, "tls_certificate_not_yet_valid", 0},
        {"foreign", true, "tls_issuer_unknown", 0},      {"otherherd", true, NULL, HERD_TLS_PROOF_NONE},
        {"two", true, NULL, HERD_TLS_PROOF_NONE},        {"dns", true, NULL, HERD_TLS_PROOF_NONE},
        {"case", true, NULL, HERD_TLS_PROOF_SERVER},     {"foreign", false, "tls_issuer_unknown", 0},
        {"otherherd", false, "peer_name_differs", 0},    {"two", false, "peer_name_differs", 0},
        {"case", false, "peer_name_differs", 0},         {"dns", false, "peer_name_differs", 0},
        {"kiwi", false, "peer_name_differs", 0},         {"South", false, NULL, HERD_TLS_PROOF_SERVER},
    };
    struct herd_tls_context *north =
        tls_context(&files, "North", (struct herd_tls_options){.self = herd_span_of("North")});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        /* A context that judges nothing: peers that lie do not read their own files critically. */
        SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_method());
        char file[64];
        snprintf(file, sizeof file, "%s.pem", rows[i].certificate);
        assert_int_equal(SSL_CTX_use_certificate_chain_file(ssl_ctx, tls_path(&files, file)), 1);
        snprintf(file, sizeof file, "%s.key", rows[i].certificate);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(ssl_ctx, tls_path(&files, file), SSL_FILETYPE_PEM), 1);
        struct herd_tls_context *liar;
        assert_int_equal(herd_tls_context_adopt(&liar, ssl_ctx, herd_span_of("h")), 0);
        SSL_CTX_free(ssl_ctx);
        const struct herd_tls_expect expect = {.server = herd_span_of("South")};
        struct tls_pair pair;
        if (rows[i].as_client)
            tls_connect(&pair, north, liar, NULL, 1000000);
        else
            tls_connect(&pair, liar, north, &expect, 1000000);
        const struct tls_end *judge = rows[i].as_client ? &pair.server : &pair.client;
        struct herd_span name;
        if (rows[i].event) {
            assert_int_equal(herd_tls_stream_state(judge->stream), HERD_TLS_FAILED);
            const struct herd_tls_fault *fault = herd_tls_stream_fault(judge->stream);
            if (strcmp(fault->event, rows[i].event) != 0)
                fail_msg("%s: %s %s", rows[i].certificate, fault->event, fault->text);
            assert_non_null(
                strstr(fault->text, strcmp(rows[i].event, "peer_name_differs") == 0 ? "expected=South" : "CN="));
        } else {
            assert_int_equal(herd_tls_stream_state(judge->stream), HERD_TLS_OPEN);
            assert_int_equal(herd_tls_stream_peer(judge->stream, &name), rows[i].proof);
        }
        tls_pair_fini(&pair);
        herd_tls_context_unref(liar);
    }
    herd_tls_context_unref(north);
}

static void test_files(void **state)
{
    (void)state;
    struct herd_tls_context *context = NULL;
    struct herd_tls_fault fault = {0};
    const struct herd_tls_options north = {.self = herd_span_of("North")};
    assert_int_equal(tls_try_context(&files, &context, "South", north, &fault), HERD_E_SYNTAX);
    assert_string_equal(fault.event, "tls_name_differs");
    assert_non_null(strstr(fault.text, "expected=herd://h/server/North found=herd://h/server/South"));
    struct herd_tls_options options = north;
    options.key = tls_path(&files, "South.key");
    assert_int_equal(tls_try_context(&files, &context, "North", options, &fault), HERD_E_SYNTAX);
    assert_string_equal(fault.event, "tls_key_differs");
    assert_int_equal(chmod(tls_path(&files, "South.pem"), 0600), 0);
    options.key = tls_path(&files, "South.pem");
    assert_int_equal(tls_try_context(&files, &context, "North", options, &fault), HERD_E_SYNTAX);
    assert_string_equal(fault.event, "tls_key_bad");
    options.key = tls_path(&files, "absent");
    assert_int_equal(tls_try_context(&files, &context, "North", options, &fault), HERD_E_IO);
    assert_non_null(strstr(fault.text, "No such file"));
    assert_int_equal(chmod(tls_path(&files, "North.key"), 0604), 0);
    assert_int_equal(tls_try_context(&files, &context, "North", north, &fault), HERD_E_ACCESS);
    assert_string_equal(fault.event, "key_file_mode");
    assert_int_equal(chmod(tls_path(&files, "North.key"), 0640), 0);
    assert_int_equal(tls_try_context(&files, &context, "foreign", (struct herd_tls_options){0}, &fault),
                     HERD_E_SYNTAX);
    assert_string_equal(fault.event, "tls_issuer_unknown");
    assert_int_equal(tls_try_context(&files, &context, "expired", (struct herd_tls_options){0}, &fault),
                     HERD_E_SYNTAX);
    assert_string_equal(fault.event, "tls_certificate_expired");
    options = north;
    options.ca = tls_path(&files, "North.key");
    assert_int_equal(tls_try_context(&files, &context, "North", options, &fault), HERD_E_SYNTAX);
    assert_string_equal(fault.event, "tls_ca_bad");
    options.ca = files.dir;
    assert_int_equal(tls_try_context(&files, &context, "North", options, &fault), HERD_E_IO);
    assert_null(context);
    context = tls_context(&files, "North", north);
    struct herd_tls_end end = herd_tls_context_end(context);
    assert_true(end.at_s > time(NULL) + 29 * PKI_DAY && end.at_s < time(NULL) + 31 * PKI_DAY);
    herd_tls_context_unref(context);
}

static void test_revoked(void **state)
{
    (void)state;
    struct pki bad =
        pki_make("Bad", (struct pki_options){.san = "URI:herd://h/server/Bad", .issuer = &files.authority});
    pki_write_certificates(tls_path(&files, "Bad.pem"), &bad, NULL);
    pki_write_key(tls_path(&files, "Bad.key"), &bad);
    char crl[128];
    snprintf(crl, sizeof crl, "%s", tls_path(&files, "crl.pem"));
    struct herd_tls_options options = {.self = herd_span_of("North")};
    struct herd_tls_context *before = tls_context(&files, "North", options), *after, *bad_context;
    bad_context = tls_context(&files, "Bad", (struct herd_tls_options){.self = herd_span_of("Bad")});
    struct tls_pair live, late;
    tls_connect(&live, before, bad_context, NULL, 1000000);
    assert_true(tls_open(&live));

    pki_write_crl(crl, &files.authority, &bad, PKI_DAY);
    options.crl = crl;
    after = tls_context(&files, "North", options);
    assert_true(herd_tls_context_end(after).at_s < time(NULL) + 2 * PKI_DAY);
    assert_string_equal(herd_tls_context_end(after).what, "crl");
    struct herd_tls_fault fault = {0};
    assert_true(herd_tls_stream_accepted_by(live.server.stream, before, &fault));
    assert_false(herd_tls_stream_accepted_by(live.server.stream, after, &fault));
    assert_string_equal(fault.event, "tls_certificate_revoked");
    tls_connect(&late, after, bad_context, NULL, 1000000);
    assert_int_equal(herd_tls_stream_state(late.server.stream), HERD_TLS_FAILED);
    assert_string_equal(herd_tls_stream_fault(late.server.stream)->event, "tls_certificate_revoked");

    struct herd_tls_context *none = NULL;
    pki_write_crl(crl, &files.authority, NULL, -PKI_DAY);
    assert_int_equal(tls_try_context(&files, &none, "North", options, &fault), HERD_E_SYNTAX);
    assert_string_equal(fault.event, "tls_crl_unusable");
    tls_pair_fini(&live);
    tls_pair_fini(&late);
    herd_tls_context_unref(before);
    herd_tls_context_unref(after);
    herd_tls_context_unref(bad_context);
    pki_free(&bad);
}

/* ---- keys of pairs ---- */

#define KEY_1 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_2 "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static struct herd_tls_context *psk_context(const char *self, const char *text)
{
    char name[32];
    snprintf(name, sizeof name, "%s.psk", self);
    const char *path = tls_path(&files, name);
    FILE *file = fopen(path, "w");
    assert_true(file && fputs(text, file) >= 0 && fclose(file) == 0 && chmod(path, 0600) == 0);
    struct herd_tls_options options = {.herd = herd_span_of("h"), .self = herd_span_of(self), .psk_file = path};
    struct herd_tls_context *context;
    struct herd_tls_fault fault = {0};
    if (herd_tls_context_new(&context, &options, &fault) < 0)
        fail_msg("%s: %s", fault.event, fault.text);
    return context;
}

static void test_psk(void **state)
{
    (void)state;
    struct herd_tls_context *a = psk_context("A", "# pairs\nB " KEY_1 "\n\nC " KEY_2 "\n");
    struct herd_tls_context *b = psk_context("B", "A " KEY_1 "\r\n");
    struct herd_tls_context *c = psk_context("C", "A " KEY_1); /* the wrong one */
    struct herd_tls_context *d = psk_context("D", "A " KEY_1); /* nobody A knows */
    struct herd_tls_context *a2 = psk_context("A", "B " KEY_2);
    struct herd_tls_expect expect_a = {.server = herd_span_of("A")}, expect_b = {.server = herd_span_of("B")};
    struct tls_pair pair;
    tls_connect(&pair, a, b, &expect_a, 3);
    if (!tls_open(&pair))
        fail_msg("%s / %s", herd_tls_stream_fault(pair.server.stream)->text,
                 herd_tls_stream_fault(pair.client.stream)->text);
    assert_true(tls_proved(&pair.server, HERD_TLS_PROOF_SERVER, "B") &&
                tls_proved(&pair.client, HERD_TLS_PROOF_SERVER, "A"));
    send_text(&pair, &pair.client, &pair.server, "HELLO", 1);
    struct herd_tls_fault fault;
    assert_true(herd_tls_stream_accepted_by(pair.server.stream, a, &fault));
    assert_false(herd_tls_stream_accepted_by(pair.server.stream, a2, &fault));
    assert_string_equal(fault.event, "psk_gone");
    tls_pair_fini(&pair);
    tls_connect(&pair, b, a, &expect_b, 1000000);
    assert_true(tls_open(&pair) && tls_proved(&pair.server, HERD_TLS_PROOF_SERVER, "A"));
    tls_pair_fini(&pair);
    struct herd_tls_context *wrong[] = {c, d, a2};
    for (size_t i = 0; i < 3; i++) {
        tls_connect(&pair, a, wrong[i], &expect_a, 1000000);
        assert_int_equal(herd_tls_stream_state(pair.server.stream), HERD_TLS_FAILED);
        assert_false(tls_open(&pair));
        tls_pair_fini(&pair);
    }
    /* What A sends to B comes back to A, as if B had dialled. */
    struct tls_end mirror = {0}, self = {0};
    assert_int_equal(herd_tls_stream_new(&self.stream, a, HERD_TLS_CLIENT, &expect_b), 0);
    assert_int_equal(herd_tls_stream_new(&mirror.stream, a, HERD_TLS_SERVER, NULL), 0);
    assert_true(herd_tls_input(self.stream, (struct herd_span){"", 0}, &self.plain, &self.out) >= 0);
    pair = (struct tls_pair){.server = mirror, .client = self};
    tls_settle(&pair, 1000000);
    assert_false(tls_open(&pair));
    tls_pair_fini(&pair);
    herd_tls_context_unref(a);
    herd_tls_context_unref(b);
    herd_tls_context_unref(c);
    herd_tls_context_unref(d);
    herd_tls_context_unref(a2);
}

/* ---- the wire ---- */

static void test_end(void **state)
{
    (void)state;
    struct herd_tls_context *north =
        tls_context(&files, "North", (struct herd_tls_options){.self = herd_span_of("North")});
    struct herd_tls_context *nobody = tls_context(&files, NULL, (struct herd_tls_options){0});
    struct tls_pair pair;
    tls_connect(&pair, north, nobody, NULL, 1000000);
    send_text(&pair, &pair.client, &pair.server, "IAMAT", 1);
    assert_int_equal(herd_tls_close(pair.client.stream, &pair.client.out), 0);
    tls_settle(&pair, 1);
    assert_int_equal(herd_tls_stream_state(pair.server.stream), HERD_TLS_EOF);
    assert_int_equal(herd_tls_output(pair.client.stream, herd_span_of("x"), &pair.client.out), HERD_E_IO);
    tls_pair_fini(&pair);

    /* Half-close: replies reach who said it has no more to say. */
    tls_connect(&pair, north, nobody, NULL, 1000000);
    herd_tls_close(pair.client.stream, &pair.client.out);
    tls_settle(&pair, 1000000);
    send_text(&pair, &pair.server, &pair.client, "AT North", 1);
    tls_pair_fini(&pair);

    /* What is no TLS. */
    static const char *const no_tls[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "IAMAT kiwi +1+1 1\n"};
    for (size_t i = 0; i < 2; i++) {
        pair = (struct tls_pair){0};
        assert_int_equal(herd_tls_stream_new(&pair.server.stream, north, HERD_TLS_SERVER, NULL), 0);
        assert_int_equal(
            herd_tls_input(pair.server.stream, herd_span_of(no_tls[i]), &pair.server.plain, &pair.server.out),
            HERD_TLS_FAILED);
        assert_string_equal(herd_tls_stream_fault(pair.server.stream)->event, "tls_expected");
        tls_pair_fini(&pair);
    }
    herd_tls_context_unref(north);
    herd_tls_context_unref(nobody);
}

/* A bit turned in each byte of a record is an error, never another text. */
static void test_tampered(void **state)
{
    (void)state;
    struct herd_tls_context *north =
        tls_context(&files, "North", (struct herd_tls_options){.self = herd_span_of("North")});
    struct herd_tls_context *nobody = tls_context(&files, NULL, (struct herd_tls_options){0});
    static const char line[] = "IAMAT kiwi +1+1 1\n";
    for (size_t at = 0; at < sizeof line - 1 + 22; at++) {
        struct tls_pair pair;
        tls_connect(&pair, north, nobody, NULL, 1000000);
        assert_int_equal(herd_tls_output(pair.client.stream, herd_span_of(line), &pair.client.out), 0);
        assert_int_equal(pair.client.out.len, sizeof line - 1 + 22);
        pair.client.out.at[at] ^= 1;
        /* a length that became longer waits for more: give it something */
        assert_int_equal(
            herd_buf_add(&pair.client.out, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 59), 0);
        tls_carry(&pair.client, &pair.server, 1000000);
        assert_int_equal(pair.server.plain.len, 0);
        if (at != 3) /* 256 bytes more than there are */
            assert_int_equal(herd_tls_stream_state(pair.server.stream), HERD_TLS_FAILED);
        tls_pair_fini(&pair);
    }
    herd_tls_context_unref(north);
    herd_tls_context_unref(nobody);
}

/* Keys change on the way, both ways at once, and nothing is lost. */
static void test_key_update(void **state)
{
    (void)state;
    struct herd_tls_context *north =
        tls_context(&files, "North", (struct herd_tls_options){.self = herd_span_of("North")});
    struct herd_tls_context *nobody = tls_context(&files, NULL, (struct herd_tls_options){0});
    struct tls_pair pair;
    enum { PART = 1 << 20, PARTS = 20 };
    char *part = malloc(PART);
    assert_non_null(part);
    tls_connect(&pair, north, nobody, NULL, 1000000);
    for (int i = 0; i < PARTS; i++) {
        memset(part, i, PART);
        if (i % 5 == 0)
            pair.client.stream->records = UINT64_C(1) << 20;
        assert_int_equal(herd_tls_output(pair.client.stream, (struct herd_span){part, PART}, &pair.client.out), 0);
        tls_carry(&pair.client, &pair.server, 1000000);
        send_text(&pair, &pair.server, &pair.client, "x", 1000000);
        assert_int_equal(pair.server.plain.len, PART);
        assert_memory_equal(pair.server.plain.at, part, PART);
        pair.server.plain.len = pair.client.plain.len = 0;
    }
    assert_true(tls_open(&pair) && pair.client.stream->records < 1000);
    tls_pair_fini(&pair);
    free(part);
    herd_tls_context_unref(north);
    herd_tls_context_unref(nobody);
}

static void test_token(void **state)
{
    (void)state;
    char a[HERD_TOKEN_TEXT_MAX], b[HERD_TOKEN_TEXT_MAX];
    unsigned char hash[32], again[32];
    assert_int_equal(herd_token_make(a, hash), 0);
    assert_int_equal(strlen(a), 48);
    assert_memory_equal(a, "herd_", 5);
    assert_int_equal(strspn(a + 5, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 43);
    assert_int_equal(herd_token_hash(herd_span_of(a), again), 0);
    assert_memory_equal(hash, again, 32);
    assert_int_equal(herd_token_make(b, hash), 0);
    assert_string_not_equal(a, b);
    static const unsigned char abc[32] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                          0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                          0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    assert_int_equal(herd_token_hash(herd_span_of("abc"), hash), 0); /* FIPS 180-4 */
    assert_memory_equal(hash, abc, 32);
}

static int set_up(void **state)
{
    (void)state;
    tls_files_init(&files);
    tls_issue(&files, "North", (struct pki_options){.san = "URI:herd://h/server/North,DNS:north.example"});
    tls_issue(&files, "South", (struct pki_options){.san = "URI:herd://h/server/South"});
    tls_issue(&files, "kiwi", (struct pki_options){.san = "URI:herd://h/client/kiwi"});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tls_files_fini(&files);
    return 0;
}

/* An intermediate that stands among the roots of who shows the certificate, and not behind that: it is sent all the same, to
 * peers who have the root alone. */
static void test_intermediate_among_the_roots(void **state)
{
    (void)state;
    struct pki between = pki_make("Between", (struct pki_options){.authority = true, .issuer = &files.authority});
    pki_write_certificates(tls_path(&files, "both.pem"), &files.authority, &between);
    tls_issue(&files, "below", (struct pki_options){.san = "URI:herd://h/server/A", .issuer = &between});
    struct herd_tls_context *server = tls_context(
        &files, "below", (struct herd_tls_options){.self = herd_span_of("A"), .ca = tls_path(&files, "both.pem")});
    struct herd_tls_context *client = tls_context(&files, NULL, (struct herd_tls_options){0});
    const struct herd_tls_expect expect = {.server = herd_span_of("A")};
    struct tls_pair pair;
    tls_connect(&pair, server, client, &expect, 1000000);
    assert_true(tls_open(&pair));
    assert_true(tls_proved(&pair.client, HERD_TLS_PROOF_SERVER, "A"));
    tls_pair_fini(&pair);
    herd_tls_context_unref(server);
    herd_tls_context_unref(client);
    pki_free(&between);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intermediate_among_the_roots),
        cmocka_unit_test(test_mutual),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_revoked),
        cmocka_unit_test(test_psk),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_tampered),
        cmocka_unit_test(test_key_update),
        cmocka_unit_test(test_token),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
