/* SPDX-License-Identifier: MIT */
/* All files of trust together: good, faulty in each way, and read again while a server runs. */
#include "trust.h"
#include "expiry.h"
#include "tls_pair.h"

#include <unistd.h>

static struct tls_files files;

#define SECRET   "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define SECRET_2 "100102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define HASH     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" /* of "abc" */

static void write_file(const char *name, const char *text, mode_t mode)
{
    const char *path = tls_path(&files, name);
    unlink(path);
    FILE *file = fopen(path, "w");
    assert_true(file && fputs(text, file) >= 0 && fclose(file) == 0 && chmod(path, mode) == 0);
}

/* A configuration whose files lie in the directory of the test. */
static struct herd_config *config_of(const char *members)
{
    char text[2048], *to = text;
    struct herd_config *config = NULL;
    struct herd_diagnostic diagnostic = {0};
    for (const char *at = members; *at; at++) {
        if (*at == '$')
            to += snprintf(to, 64, "%s/", files.dir);
        else
            *to++ = *at;
    }
    *to = '\0';
    if (herd_config_parse(&config, herd_span_of(text), &diagnostic) < 0)
        fail_msg("%s: %s", text, diagnostic.message);
    return config;
}

#define SERVERS \
    "\"servers\": {\"North\": {\"port\": 1}, \"South\": {\"port\": 2}}, \"links\": [[\"North\", \"South\"]]"
#define ALL                                                                                                        \
    "{" SERVERS ", \"herd\": \"h\", \"secret_file\": \"$secret\", \"identities\": \"$identities\", \"psk_file\": " \
    "\"$psk\", \"tls\": {\"certificate\": \"${name}.pem\", \"key\": \"${name}.key\", \"ca\": \"$ca.pem\"}}"

struct told {
    int faults, warnings;
    enum herd_config_trust member;
    char events[512];
};

static void on_told(void *ctx, enum herd_config_trust member, int err, const struct herd_tls_fault *fault)
{
    struct told *told = ctx;
    told->faults += err < 0;
    told->warnings += err == 0;
    told->member = member;
    strncat(told->events, fault->event, sizeof told->events - strlen(told->events) - 1);
    strncat(told->events, " ", sizeof told->events - strlen(told->events) - 1);
}

static void write_good(void)
{
    write_file("secret", SECRET "\n", 0600);
    write_file("identities", "kiwi sha256:" HASH " kiwi kiwi reports=1 burst=2\ndesk cert - *\n", 0640);
    write_file("psk", "South " SECRET "\n", 0600);
}

static struct herd_trust *open_good(const struct herd_config *config)
{
    struct herd_trust *trust = NULL;
    struct told told = {0};
    write_good();
    if (herd_trust_new(&trust, config, "North", on_told, &told) < 0)
        fail_msg("%s", told.events);
    assert_int_equal(told.faults + told.warnings, 0);
    return trust;
}

static void test_good(void **state)
{
    unsigned char hash[HERD_TOKEN_HASH_BYTES];
    (void)state;
    struct herd_config *config = config_of(ALL);
    struct herd_trust *trust = open_good(config), *again = open_good(config), *other = NULL;
    assert_true(trust->tls && trust->identities && trust->has_secret);
    /* HKDF-SHA256 with salt "herd secret 1": made with "openssl kdf", not with this code. */
    assert_int_equal(trust->digest_key, again->digest_key);
    assert_int_equal(trust->key_check, again->key_check);
    assert_true(trust->digest_key != trust->key_check && trust->digest_key != 0);
    char command[256], line[128] = "";
    static const char *const infos[] = {"digest key", "key check"};
    for (int i = 0; i < 2; i++) {
        snprintf(command, sizeof command,
                 "openssl kdf -keylen 8 -kdfopt digest:SHA256 -kdfopt hexkey:" SECRET
                 " -kdfopt 'salt:herd secret 1' -kdfopt 'info:%s' HKDF | tr -d :",
                 infos[i]);
        FILE *pipe = popen(command, "r");
        assert_true(pipe && fgets(line, sizeof line, pipe) && pclose(pipe) == 0);
        assert_int_equal(strtoull(line, NULL, 16), i ? trust->key_check : trust->digest_key);
    }
    write_file("secret", SECRET_2, 0600);
    assert_int_equal(herd_trust_new(&other, config, "North", NULL, NULL), 0);
    assert_true(other->digest_key != trust->digest_key && other->key_check != trust->key_check);
    assert_true(herd_span_equal(herd_identity_name(herd_trust_find_token(trust, herd_span_of("abc"), hash)),
                                herd_span_of("kiwi")));
    assert_null(herd_trust_find_token(trust, herd_span_of("abd"), hash));
    assert_null(herd_trust_anonymous(trust));
    struct told told = {0};
    assert_int_equal(herd_trust_check(trust, config, 0, (int64_t)time(NULL) - 2 * PKI_DAY, on_told, &told), 0);
    assert_string_equal(told.events, "");
    assert_int_equal(herd_trust_check(trust, config, 0, (int64_t)time(NULL) + 2 * PKI_DAY, on_told, &told), 0);
    assert_string_equal(told.events, "tls_certificate_ends tls_ca_ends ");
    herd_trust_free(trust);
    herd_trust_free(again);
    herd_trust_free(other);
    herd_config_free(config);
}

/* Each way in which one file is wrong: the error, the event, and that a reload keeps what there is. */
static void test_faults(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text;
        mode_t mode;
        int err;
        enum herd_config_trust member;
        const char *event;
    } rows[] = {
        {"secret", NULL, 0, HERD_E_IO, HERD_CONFIG_SECRET_FILE, "file_unreadable "},
        {"secret", "", 0600, HERD_E_SYNTAX, HERD_CONFIG_SECRET_FILE, "secret_file_bad "},
        {"secret", "0011", 0600, HERD_E_SYNTAX, HERD_CONFIG_SECRET_FILE, "secret_file_bad "},
        {"secret", SECRET SECRET, 0600, HERD_E_SYNTAX, HERD_CONFIG_SECRET_FILE, "secret_file_bad "},
        {"secret", "g" SECRET, 0600, HERD_E_SYNTAX, HERD_CONFIG_SECRET_FILE, "secret_file_bad "},
        {"secret", SECRET, 0604, HERD_E_ACCESS, HERD_CONFIG_SECRET_FILE, "key_file_mode "},
        {"secret", "FIFO", 0600, HERD_E_IO, HERD_CONFIG_SECRET_FILE, "file_unreadable "},
        {"identities", NULL, 0, HERD_E_IO, HERD_CONFIG_IDENTITIES, "file_unreadable "},
        {"identities", "kiwi sha256:" HASH " kiwi", 0600, HERD_E_SYNTAX, HERD_CONFIG_IDENTITIES, "identities_bad "},
        {"identities", "a sha256:" HASH " - -\nb sha256:" HASH " - -\n", 0600, HERD_E_EXISTS,
         HERD_CONFIG_IDENTITIES, "identities_bad "},
        {"identities", "", 0602, HERD_E_ACCESS, HERD_CONFIG_IDENTITIES, "key_file_mode "},
        {"identities", "FIFO", 0600, HERD_E_IO, HERD_CONFIG_IDENTITIES, "file_unreadable "},
        {"psk", NULL, 0, HERD_E_IO, HERD_CONFIG_PSK_FILE, "file_unreadable "},
        {"psk", "South 0011\n", 0600, HERD_E_SYNTAX, HERD_CONFIG_PSK_FILE, "psk_file_bad "},
        {"psk", "South " SECRET "\nSouth " SECRET_2, 0600, HERD_E_EXISTS, HERD_CONFIG_PSK_FILE, "psk_file_bad "},
        {"psk", "South " SECRET, 0644, HERD_E_ACCESS, HERD_CONFIG_PSK_FILE, "key_file_mode "},
        {"psk", "FIFO", 0600, HERD_E_IO, HERD_CONFIG_PSK_FILE, "file_unreadable "},
    };
    struct herd_config *config = config_of(ALL);
    struct herd_trust *trust = open_good(config);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct told told = {0};
        struct herd_trust *was = trust, *old = NULL;
        write_good();
        if (!rows[i].text || strcmp(rows[i].text, "FIFO") == 0)
            assert_int_equal(unlink(tls_path(&files, rows[i].file)), 0);
        if (rows[i].text && strcmp(rows[i].text, "FIFO") == 0)
            assert_int_equal(mkfifo(tls_path(&files, rows[i].file), rows[i].mode), 0);
        else if (rows[i].text)
            write_file(rows[i].file, rows[i].text, rows[i].mode);
        int err = herd_trust_reload(&trust, &old, config, "North", 0, on_told, &told);
        if (err != rows[i].err || strcmp(told.events, rows[i].event) != 0 || told.member != rows[i].member)
            fail_msg("%s \"%s\": %d %s", rows[i].file, rows[i].text ? rows[i].text : "absent", err, told.events);
        assert_true(trust == was && !old);
    }
    /* All of them at once, each told. */
    struct told told = {0};
    struct herd_trust *none = NULL;
    write_file("secret", "", 0600);
    write_file("identities", "x", 0600);
    write_file("psk", "x", 0600);
    assert_int_equal(herd_trust_new(&none, config, "North", on_told, &told), HERD_E_SYNTAX);
    assert_string_equal(told.events, "secret_file_bad identities_bad psk_file_bad ");
    /* The files of TLS of a server that has none. */
    write_good();
    memset(&told, 0, sizeof told);
    assert_int_equal(herd_trust_new(&none, config, "West", on_told, &told), HERD_E_IO);
    assert_int_equal(told.member, HERD_CONFIG_TLS_CERTIFICATE);
    assert_null(none);
    herd_trust_free(trust);
    herd_config_free(config);
}

/* A certificate cut off after every few bytes, as one that is read while it is written. */
static void test_half_written(void **state)
{
    (void)state;
    struct herd_config *config = config_of(ALL);
    static const char *const names[] = {"North.pem", "North.key", "ca.pem"};
    char whole[8192];
    write_good();
    for (int i = 0; i < 3; i++) {
        FILE *file = fopen(tls_path(&files, names[i]), "r");
        assert_non_null(file);
        size_t len = fread(whole, 1, sizeof whole, file);
        fclose(file);
        for (size_t cut = 0; cut + 1 < len; cut += 7) {
            struct herd_trust *trust = NULL;
            struct told told = {0};
            file = fopen(tls_path(&files, names[i]), "w");
            assert_true(file && fwrite(whole, 1, cut, file) == cut && fclose(file) == 0);
            if (herd_trust_new(&trust, config, "North", on_told, &told) >= 0)
                fail_msg("%s is taken with %zu of %zu bytes", names[i], cut, len);
            assert_true(told.faults >= 1);
        }
        file = fopen(tls_path(&files, names[i]), "w");
        assert_true(file && fwrite(whole, 1, len, file) == len && fclose(file) == 0);
    }
    herd_config_free(config);
}

static void test_reload(void **state)
{
    (void)state;
    struct herd_config *config = config_of(ALL);
    struct herd_trust *trust = open_good(config), *old = NULL;
    struct herd_tls_context *desk = tls_context(&files, "desk", (struct herd_tls_options){0});
    struct tls_pair pair;
    struct herd_tls_fault fault;
    struct told told = {0};
    tls_connect(&pair, trust->tls, desk, NULL, 1000000);
    assert_true(tls_open(&pair));
    assert_true(herd_span_equal(herd_identity_name(herd_trust_find_client(trust, pair.server.stream)),
                                herd_span_of("desk")));
    assert_true(herd_trust_accepts(trust, pair.server.stream, &fault));
    assert_false(herd_trust_accepts(trust, NULL, &fault));
    assert_string_equal(fault.event, "tls_required");

    /* Another secret, and no desk any more. */
    uint64_t key = trust->digest_key;
    write_file("secret", SECRET_2, 0600);
    write_file("identities", "kiwi sha256:" HASH " kiwi kiwi\n", 0600);
    assert_int_equal(herd_trust_reload(&trust, &old, config, "North", 0, on_told, &told), 0);
    assert_string_equal(told.events, "restart_needed ");
    assert_true(trust != old && trust->digest_key == key);
    assert_null(herd_trust_find_client(trust, pair.server.stream));
    assert_true(herd_trust_accepts(trust, pair.server.stream, &fault));
    herd_trust_free(old);

    /* The herd has another name: its certificates say nothing any more. TLS is off: no stream is let in. */
    struct herd_config *renamed = config_of(
        "{\"herd\": \"h2\", \"psk_file\": \"$psk\", \"tls\": {\"mode\": \"allow\", \"ca\": \"$ca.pem\"}}");
    struct herd_config *off = config_of("{}");
    assert_int_equal(herd_trust_reload(&trust, &old, renamed, "North", 0, NULL, NULL), 0);
    herd_trust_free(old);
    assert_false(herd_trust_accepts(trust, pair.server.stream, &fault));
    assert_string_equal(fault.event, "peer_name_differs");
    assert_true(herd_trust_accepts(trust, NULL, &fault));
    assert_int_equal(herd_trust_reload(&trust, &old, off, "North", 0, NULL, NULL), 0);
    herd_trust_free(old);
    assert_false(herd_trust_accepts(trust, pair.server.stream, &fault));
    assert_string_equal(fault.event, "tls_not_enabled");
    assert_null(trust->tls);
    tls_pair_fini(&pair);
    herd_tls_context_unref(desk);
    herd_trust_free(trust);
    herd_config_free(config);
    herd_config_free(renamed);
    herd_config_free(off);
}

/* Files that are all right in form, and what an operator should know of them. */
static void test_check(void **state)
{
    (void)state;
#define TOKENS "\"identities\": \"$tokens\""
#define SHARDS                                                                                                 \
    "\"shards\": {\"self\": \"h\", \"herds\": {\"h\": {\"servers\": [\"127.0.0.1:1\"]}, \"i\": {\"servers\": " \
    "[\"127.0.0.1:2\"]}}"
#define TLS(mode)                                  \
    "\"herd\": \"h\", \"tls\": {\"mode\": \"" mode \
    "\", \"certificate\": \"$North.pem\", \"key\": \"$North.key\", \"ca\": \"$ca.pem\"}"
#define HTTP(host)                                \
    "\"servers\": {\"North\": {\"host\": \"" host \
    "\", \"port\": 1, \"http_port\": 3}, \"South\": {\"host\": \"" host "\", \"port\": 2, \"http_port\": 4}}"
    static const struct {
        const char *config;
        int self, err;
        const char *events;
    } rows[] = {
        {"{" SERVERS "}", -1, 0, "no_identities "},
        {"{" SERVERS "}", 0, 0, "no_identities "},
        {"{" SERVERS ", \"identities\": \"${name}.ids\"}", -1, 0, ""},
        {"{" SERVERS ", \"identities\": \"$certs\"}", -1, 0, "identities_unproved "},
        {"{" SERVERS ", \"identities\": \"$certs\"}", 0, 0, "identities_unproved peer_not_proved "},
        {"{\"servers\": {\"North\": {\"port\": 1}, \"South\": {\"port\": 2}}, \"identities\": \"$certs\"}", 0, 0,
         "identities_unproved "},
        {"{" SERVERS ", " TOKENS
         ", \"psk_file\": \"$west\", \"herd\": \"h\", \"tls\": {\"mode\": \"allow\", \"ca\": "
         "\"$ca.pem\"}}",
         0, HERD_E_NOTFOUND, "psk_missing peer_not_proved "},
        {"{" SERVERS ", " TOKENS ", \"psk_file\": \"$west\", " TLS("require") "}", 0, 0, "psk_missing "},
        {"{" SERVERS ", " TOKENS ", \"psk_file\": \"$psk\", " TLS("require") "}", 0, 0, ""},
        {"{" SERVERS ", " TOKENS ", " TLS("allow") "}", 0, 0, "peer_not_proved "},
        {"{\"servers\": {\"North\": {\"port\": 1}, \"South\": {\"port\": 2, \"plain\": true}}, \"links\": "
         "[[\"South\", "
         "\"North\"]], " TOKENS ", " TLS("allow") "}",
         0, 0, "peer_not_proved peer_not_proved "},
        {"{" HTTP("127.0.0.1") ", " TOKENS "}", -1, 0, ""},
        {"{" HTTP("0.0.0.0") ", " TOKENS "}", -1, 0, "auth_in_clear auth_in_clear "},
        {"{" HTTP("0.0.0.0") ", " TOKENS "}", 1, 0, "auth_in_clear "},
        {"{" HTTP("0.0.0.0") ", " TOKENS ", \"http\": {\"proxies\": [\"10.0.0.1\"]}}", 1, 0, ""},
        {"{" HTTP("0.0.0.0") ", " TOKENS ", " TLS("allow") "}", 0, 0, ""},
        {"{" HTTP("0.0.0.0") ", \"identities\": \"$certs\"}", 1, 0, "identities_unproved "},
        {"{" SERVERS ", " SHARDS "}}", -1, 0, "no_identities buckets_without_key "},
        {"{" SERVERS ", " SHARDS ", \"key_file\": \"$secret\"}}", -1, 0, "no_identities "},
        {"{" SERVERS ", " SHARDS "}, \"secret_file\": \"$secret\"}", -1, 0, "no_identities "},
        {"{" SERVERS ", " SHARDS "}, " TOKENS "}", -1, 0, ""},
    };
    write_good();
    write_file("certs", "desk cert - *\n", 0600);
    write_file("tokens", "kiwi sha256:" HASH " kiwi kiwi\n", 0600);
    write_file("west", "West " SECRET "\n", 0600);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_config *config = config_of(rows[i].config);
        struct herd_trust *trust = NULL;
        struct told told = {0};
        const char *name = rows[i].self < 0 ? NULL : config->servers[rows[i].self].name;
        if (herd_trust_new(&trust, config, name, on_told, &told) < 0)
            fail_msg("%s: %s", rows[i].config, told.events);
        int err = herd_trust_check(trust, config, rows[i].self, (int64_t)time(NULL) - 2 * PKI_DAY, on_told, &told);
        if (err != rows[i].err || strcmp(told.events, rows[i].events) != 0)
            fail_msg("%s: %d, %s", rows[i].config, err, told.events);
        assert_int_equal(
            herd_trust_check(trust, config, rows[i].self, (int64_t)time(NULL) - 2 * PKI_DAY, NULL, NULL), err);
        herd_trust_free(trust);
        herd_config_free(config);
    }
    /* Nobody to tell: an error all the same. */
    struct herd_config *config = config_of(ALL);
    struct herd_trust *none = NULL;
    write_file("secret", "0", 0600);
    assert_int_equal(herd_trust_new(&none, config, "North", NULL, NULL), HERD_E_SYNTAX);
    write_good();
    assert_int_equal(herd_trust_new(&none, config, "West", NULL, NULL), HERD_E_IO);
    assert_null(none);
    herd_config_free(config);
}

/* A program's own SSL_CTX takes the place of the files, and of nothing else. */
static void test_adopt(void **state)
{
    (void)state;
    static const struct {
        const char *config, *event;
        enum herd_tls_mode mode;
    } rows[] = {
        {"{" SERVERS ", \"herd\": \"h\"}", NULL, HERD_TLS_REQUIRE},
        {"{" SERVERS ", \"herd\": \"h\"}", NULL, HERD_TLS_ALLOW},
        {"{" SERVERS "}", "tls_context_refused", HERD_TLS_OFF},
        {"{" SERVERS ", " TLS("allow") "}", "tls_context_refused", HERD_TLS_ALLOW},
        {"{" SERVERS ", \"herd\": \"h\", \"psk_file\": \"$psk\", \"tls\": {\"mode\": \"allow\"}}",
         "tls_context_refused", HERD_TLS_ALLOW},
        {"{\"servers\": {\"North\": {\"port\": 1}, \"South\": {\"port\": 2, \"plain\": true}}, \"herd\": \"h\"}",
         "tls_context_refused", HERD_TLS_OFF},
        {"{\"servers\": {\"North\": {\"port\": 1}, \"South\": {\"port\": 2, \"plain\": true}}, \"herd\": \"h\"}",
         NULL, HERD_TLS_ALLOW},
    };
    SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_method());
    write_good();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_config *config = config_of(rows[i].config);
        struct herd_trust *trust = NULL;
        struct herd_tls_fault fault = {0};
        if (!rows[i].event)
            config->tls.mode =
                rows[i].mode == HERD_TLS_ALLOW ? HERD_TLS_ALLOW : HERD_TLS_OFF; /* as a program may */
        assert_int_equal(herd_trust_new(&trust, config, "North", NULL, NULL), 0);
        int err = herd_trust_adopt_tls(trust, ssl_ctx, config, &fault);
        if (err != (rows[i].event ? HERD_E_ARG : 0) || trust->mode != rows[i].mode)
            fail_msg("%s: %d %s", rows[i].config, err, fault.text);
        if (rows[i].event)
            assert_string_equal(fault.event, rows[i].event);
        else
            assert_non_null(trust->tls);
        herd_trust_free(trust);
        herd_config_free(config);
    }
    SSL_CTX_free(ssl_ctx);
}

static void test_expiry(void **state)
{
    (void)state;
    const struct herd_tls_end ends[3] = {
        {1000 * PKI_DAY, "certificate"}, {900 * PKI_DAY, "ca"}, {INT64_MAX, "crl"}};
    struct herd_tls_end due[3];
    int64_t next_s;
    static const struct {
        int64_t now_s;
        size_t due;
        int64_t next_s;
    } rows[] = {
        {0, 0, PKI_DAY},
        {870 * PKI_DAY - 10, 0, 870 * PKI_DAY},
        {870 * PKI_DAY, 1, 871 * PKI_DAY},
        {900 * PKI_DAY - 1, 1, 900 * PKI_DAY},
        {900 * PKI_DAY, 1, 901 * PKI_DAY},
        {970 * PKI_DAY - 1, 1, 970 * PKI_DAY},
        {970 * PKI_DAY, 2, 971 * PKI_DAY},
        {2000 * PKI_DAY, 2, 2001 * PKI_DAY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(herd_expiry_due(ends, 3, rows[i].now_s, due, &next_s), rows[i].due);
        assert_int_equal(next_s, rows[i].next_s);
    }
    struct herd_tls_fault text;
    herd_expiry_describe(&ends[0], 970 * PKI_DAY, &text);
    assert_string_equal(text.event, "tls_certificate_ends");
    assert_string_equal(text.text, "certificate ends at 1972-09-27T00:00:00Z, in 30 days");
    herd_expiry_describe(&ends[1], 901 * PKI_DAY, &text);
    assert_string_equal(text.event, "tls_ca_ended");
    assert_string_equal(text.text, "ca ended at 1972-06-19T00:00:00Z, 1 day ago");
    herd_expiry_describe(&(struct herd_tls_end){PKI_DAY, "crl"}, 3 * PKI_DAY, &text);
    assert_string_equal(text.event, "tls_crl_ended");
    assert_string_equal(text.text, "crl ended at 1970-01-02T00:00:00Z, 2 days ago");
}

static int set_up(void **state)
{
    (void)state;
    tls_files_init(&files);
    tls_issue(&files, "North", (struct pki_options){.san = "URI:herd://h/server/North"});
    tls_issue(&files, "desk", (struct pki_options){.san = "URI:herd://h/client/desk"});
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
        cmocka_unit_test(test_good),   cmocka_unit_test(test_faults), cmocka_unit_test(test_half_written),
        cmocka_unit_test(test_reload), cmocka_unit_test(test_check),  cmocka_unit_test(test_adopt),
        cmocka_unit_test(test_expiry),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
