/* SPDX-License-Identifier: MIT */
/* The members of a configuration that say who is who. */
#include "cm.h"

#include "printed_again.h"

#include "config_path.h"

#include <herd/config.h>

#include <string.h>

#define PAIR "\"servers\": {\"A\": {\"port\": 1}, \"B\": {\"port\": 2}}, "

static void test_good(void **state)
{
    (void)state;
    static const char text[] =
        "{" PAIR "\"tls\": {\"mode\": \"allow\", \"certificate\": \"/etc/herd/{name}.pem\", \"key\": "
        "\"/etc/herd/{name}.key\", \"ca\": \"/etc/herd/ca.pem\", \"crl\": \"/etc/herd/crl.pem\", \"min_version\": "
        "\"1.2\"}, \"herd\": \"h\", \"secret_file\": \"/etc/herd/secret\", \"identities\": "
        "\"/etc/herd/identities\", "
        "\"psk_file\": \"/etc/herd/{name}.psk\"}";
    struct herd_config *config = NULL, *again = NULL;
    struct herd_diagnostic diagnostic;
    assert_int_equal(herd_config_parse(&config, herd_span_of(text), &diagnostic), 0);
    for (int round = 0; round < 2; round++) {
        const struct herd_config *c = round ? again : config;
        assert_int_equal(c->tls.mode, HERD_TLS_ALLOW);
        assert_string_equal(c->tls.certificate, "/etc/herd/{name}.pem");
        assert_string_equal(c->tls.key, "/etc/herd/{name}.key");
        assert_string_equal(c->tls.ca, "/etc/herd/ca.pem");
        assert_string_equal(c->tls.crl, "/etc/herd/crl.pem");
        assert_true(c->tls.tls_1_2);
        assert_string_equal(c->herd, "h");
        assert_string_equal(c->secret_file, "/etc/herd/secret");
        assert_string_equal(c->identities, "/etc/herd/identities");
        assert_string_equal(c->psk_file, "/etc/herd/{name}.psk");
        if (round == 0)
            printed_again(config, &again);
    }
    herd_config_free(config);
    herd_config_free(again);

    assert_int_equal(herd_config_parse(&config, herd_span_of("{}"), &diagnostic), 0);
    assert_int_equal(config->tls.mode, HERD_TLS_OFF);
    assert_false(config->herd || config->identities || config->psk_file || config->secret_file || config->tls.ca);
    herd_config_free(config);
    /* A member tls alone means what it says: only TLS. */
    assert_int_equal(herd_config_parse(&config, herd_span_of("{\"herd\": \"h\", \"psk_file\": \"p\", \"tls\": {}}"),
                                       &diagnostic),
                     0);
    assert_int_equal(config->tls.mode, HERD_TLS_REQUIRE);
    assert_false(config->tls.tls_1_2);
    herd_config_free(config);
}

static void test_bad(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{\"herd\": \"a b\"}", "herd: expected 1 to 64 bytes of A-Z a-z 0-9 . _ -"},
        {"{\"herd\": 1}", "herd: expected a string"},
        {"{\"tls\": true}", "tls: expected an object"},
        {"{\"tls\": {\"mode\": \"on\"}}", "tls.mode: expected off, allow or require"},
        {"{\"tls\": {\"min_version\": \"1.1\"}}", "tls.min_version: expected \"1.2\" or \"1.3\""},
        {"{\"tls\": {\"min_version\": 1.3}}", "tls.min_version: expected \"1.2\" or \"1.3\""},
        {"{\"tls\": {\"cert\": \"x\"}}",
         "tls.cert: unknown member, expected mode, certificate, key, ca, crl or min_version"},
        {"{\"herd\": \"h\", \"tls\": {\"key\": \"x\", \"ca\": \"c\"}}", "tls: a key without a certificate"},
        {"{\"herd\": \"h\", \"tls\": {\"certificate\": \"x\", \"ca\": \"c\"}}", "tls: a certificate without a key"},
        {"{\"herd\": \"h\", \"tls\": {}}", "tls: expected a certificate and its key"},
        {"{\"herd\": \"h\", \"tls\": {\"certificate\": \"x\", \"key\": \"y\"}}", "tls: expected \"ca\""},
        {"{\"tls\": {\"certificate\": \"x\", \"key\": \"y\", \"ca\": \"c\"}}", "tls: expected \"herd\""},
        {"{\"herd\": \"h\", \"psk_file\": \"p\"}", "\"psk_file\" needs \"tls\""},
        {"{\"herd\": \"h\", \"psk_file\": \"p\", \"tls\": {\"crl\": \"x\"}}",
         "tls: a revocation list without \"ca\""},
        {"{\"servers\": {\"A\": {\"port\": 1, \"plain\": true}}, \"herd\": \"h\", \"psk_file\": \"p\", \"tls\": "
         "{}}",
         "tls: mode require, but server A is plain"},
        {"{\"key\": \"x\"}", "unknown member"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_config *config = NULL;
        struct herd_diagnostic diagnostic = {0};
        int err = herd_config_parse(&config, herd_span_of(rows[i][0]), &diagnostic);
        if (err >= 0 || !strstr(diagnostic.message, rows[i][1]))
            fail_msg("%s\n  %s\n  %s", rows[i][0], diagnostic.message, rows[i][1]);
    }
}

static void test_path(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"a.journal", "a.journal"},
                                          {"{name}", "Riley"},
                                          {"/x/{name}/{name}.j", "/x/Riley/Riley.j"},
                                          {"{nam}", "{nam}"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_buf path = {0};
        assert_int_equal(herd_config_path(rows[i][0], "Riley", &path), 0);
        assert_string_equal(path.at, rows[i][1]);
        herd_buf_fini(&path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
