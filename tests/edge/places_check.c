/* SPDX-License-Identifier: MIT */
/* What herd_places_check opens, and what it says of it. */
#define RESERVATIONS_FAIL
#include "../unit/failing_additions.h"
#include "../unit/failing_file_calls.h"
#include "../unit/temp.h"

#include <herd/places.h>

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct found {
    size_t count, provider;
    int err;
    char message[512];
};

static void on_finding(void *ctx, size_t provider, int err, const char *message)
{
    struct found *found = ctx;
    if (!found->count++) {
        found->provider = provider;
        found->err = err;
        snprintf(found->message, sizeof found->message, "%s", message);
    }
}

#define LINE64      "MIIBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
#define CERTIFICATE "-----BEGIN CERTIFICATE-----\n" LINE64 LINE64 "-----END CERTIFICATE-----\n"
/* Every character of base64, and what may stand between them. */
#define BASE64 "MABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n\t "
#define NOT_BASE64(text)                                                                                          \
    {                                                                                                             \
        CERTIFICATE "-----BEGIN CERTIFICATE-----\n" LINE64 text LINE64 "-----END CERTIFICATE-----\n", 0644, "ca", \
            HERD_E_SYNTAX, "certificate 2 is not whole"                                                           \
    }
#define PARIS                                                                                      \
    "2988507\tParis\tParis\t\t48.85341\t2.3488\tP\tPPLC\tFR\t\t11\t75\t\t\t2138551\t\t42\tEurope/" \
    "Paris\t2020-01-01\n"

static char path[TEMP_LEN];

static void test_findings(void **state)
{
    (void)state;
    static const struct {
        const char *text; /* NULL: there is no such file */
        mode_t mode;
        const char *member; /* which names the file */
        int err;
        const char *part;
    } rows[] = {
        {"key", 0600, "key", 0, NULL},
        {"key", 0604, "key", HERD_E_ACCESS, "can be read by others"},
        {"", 0600, "key", HERD_E_SYNTAX, "holds no key"},
        {NULL, 0, "key", HERD_E_IO, "No such file"},
        {CERTIFICATE, 0644, "ca", 0, NULL},
        {"some words\n" CERTIFICATE CERTIFICATE, 0644, "ca", 0, NULL},
        {NULL, 0, "ca", HERD_E_IO, "No such file"},
        {"nothing", 0644, "ca", HERD_E_SYNTAX, "holds no certificate"},
        {"-----BEGIN TRUSTED CERTIFICATE-----\n", 0644, "ca", 0, NULL},
        {"-----BEGIN CERTIFICATE-----\r\n\t " BASE64 LINE64 "-----END CERTIFICATE-----\r\n", 0644, "ca", 0, NULL},
        {"-----BEGIN CERTIFICATE-----\n" LINE64 "-----END CERTIFICATE-----\n", 0644, "ca", HERD_E_SYNTAX,
         "certificate 1 is not whole"}, /* too short for one */
        {"-----BEGIN CERTIFICATE-----\nN" LINE64 LINE64 "-----END CERTIFICATE-----\n", 0644, "ca", HERD_E_SYNTAX,
         "certificate 1 is not whole"}, /* no SEQUENCE of that size */
        NOT_BASE64("@"),
        NOT_BASE64("["),
        NOT_BASE64("`"),
        NOT_BASE64("{"),
        NOT_BASE64("."),
        NOT_BASE64(":"),
        NOT_BASE64("-"),
        NOT_BASE64("\xc3\xa9"),
        {"", 0644, "ca", HERD_E_SYNTAX, "holds no certificate"},
        {"-----BEGIN CERTIFICATE-----\n" LINE64 LINE64, 0644, "ca", HERD_E_SYNTAX, "certificate 1 is not whole"},
        {CERTIFICATE "-----BEGIN CERTIFICATE-----\n" LINE64 "\x01\n" LINE64 "-----END CERTIFICATE-----\n", 0644,
         "ca", HERD_E_SYNTAX, "certificate 2 is not whole"},
        {PARIS, 0644, "file", 0, NULL},
        {NULL, 0, "file", HERD_E_IO, "No such file"},
        {"nonsense", 0644, "file", HERD_E_SYNTAX, ", line 1: 1 columns"},
        {PARIS "nonsense\n1\t2\n", 0644, "file", 0, ": 1 places, 2 faults, the first on line 2: 1 columns"},
        {"{\"type\":\"FeatureCollection\",\"features\":[]}", 0644, "file", 0, "holds no place"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct herd_config_provider providers[2] = {{.kind = (char *)(uintptr_t) "embedded"}};
        const struct herd_config config = {.providers = providers, .provider_count = 2};
        struct found found = {0};
        int fd = temp_file(path);
        if (rows[i].text)
            assert_int_equal(write(fd, rows[i].text, strlen(rows[i].text)), (ssize_t)strlen(rows[i].text));
        assert_int_equal(fchmod(fd, rows[i].mode), 0);
        close(fd);
        if (!rows[i].text)
            unlink(path);
        bool ca = strcmp(rows[i].member, "ca") == 0, file = strcmp(rows[i].member, "file") == 0;
        providers[1].kind = (char *)(uintptr_t)(ca ? "overpass" : file ? "file" : "google-new");
        *(ca ? &providers[1].ca_file : file ? &providers[1].file : &providers[1].key_file) = path;
        int err = herd_places_check(&config, on_finding, &found);
        if (err != rows[i].err || found.count != (rows[i].part != NULL) || found.err != err ||
            (rows[i].part && (found.provider != 1 || !strstr(found.message, rows[i].part))))
            fail_msg("row %zu: %d, %zu findings: %s", i, err, found.count, found.message);
        assert_int_equal(herd_places_check(&config, NULL, NULL), err);
        unlink(path);
    }
}

/* More than any store of trust roots has: neither read nor, if it grows meanwhile, read on. */
static void test_too_large(void **state)
{
    (void)state;
    struct herd_config_provider provider = {.kind = (char *)(uintptr_t) "overpass", .ca_file = path};
    const struct herd_config config = {.providers = &provider, .provider_count = 1};
    struct found found = {0};
    int fd = temp_file(path);
    assert_int_equal(ftruncate(fd, (16 << 20) + 1), 0);
    close(fd);
    assert_int_equal(herd_places_check(&config, on_finding, &found), HERD_E_LIMIT);
    assert_non_null(strstr(found.message, "has more than 16777216 bytes"));
    found.count = 0;
    assert_int_equal(truncate(path, 16 << 20), 0);
    assert_int_equal(herd_places_check(&config, on_finding, &found), HERD_E_SYNTAX);
    assert_non_null(strstr(found.message, "holds no certificate"));
    file_call_plan.grows = true;
    assert_int_equal(truncate(path, 32 << 20), 0);
    assert_int_equal(herd_places_check(&config, on_finding, &found), HERD_E_SYNTAX);
    assert_non_null(strstr(found.message, "holds no certificate"));
    file_call_plan.grows = false;
    unlink(path);
}

static long addition_fail_at;

static bool addition_fails_now(void)
{
    return addition_fail_at != 0 && --addition_fail_at == 0;
}

static void test_no_memory(void **state)
{
    (void)state;
    struct herd_config_provider provider = {.kind = (char *)(uintptr_t) "overpass", .ca_file = path};
    const struct herd_config config = {.providers = &provider, .provider_count = 1};
    int fd = temp_file(path);
    assert_int_equal(write(fd, CERTIFICATE, sizeof CERTIFICATE - 1), sizeof CERTIFICATE - 1);
    close(fd);
    bool met = true;
    long n = 0;
    while (met) {
        struct found found = {0};
        reserved.buf = NULL;
        addition_fail_at = ++n;
        int err = herd_places_check(&config, on_finding, &found);
        met = addition_fail_at <= 0;
        addition_fail_at = 0;
        assert_int_equal(err, met ? HERD_E_NOMEM : 0);
        assert_true(!met || strcmp(found.message, "out of memory") == 0);
    }
    assert_int_equal(n, 2 + 1); /* two pieces, of which one is empty; the NUL has room */
    unlink(path);
}

/* Each call that reads a file fails once; the next time it is read. */
static void test_failing_calls(void **state)
{
    (void)state;
    static const struct {
        int fstat_at, read_at, error, err;
    } rows[] = {
        {.fstat_at = 1, .error = EIO, .err = HERD_E_IO},
        {.read_at = 1, .error = EIO, .err = HERD_E_IO},
        {.read_at = 2, .error = EISDIR, .err = HERD_E_IO},
        {.read_at = 1, .error = EINTR},
        {.read_at = 2, .error = EINTR},
    };
    static const struct {
        const char *kind, *text;
    } files[] = {{"overpass", CERTIFICATE}, {"google-new", "key\n"}, {"file", PARIS}};
    for (size_t f = 0; f < sizeof files / sizeof files[0]; f++) {
        struct herd_config_provider provider = {.kind = (char *)(uintptr_t)files[f].kind};
        const struct herd_config config = {.providers = &provider, .provider_count = 1};
        *(f == 0 ? &provider.ca_file : f == 1 ? &provider.key_file : &provider.file) = path;
        int fd = temp_file(path);
        assert_int_equal(write(fd, files[f].text, strlen(files[f].text)), (ssize_t)strlen(files[f].text));
        assert_int_equal(fchmod(fd, 0600), 0);
        close(fd);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            struct found found = {0};
            file_call_plan.fstat_at = rows[i].fstat_at;
            file_call_plan.read_at = rows[i].read_at;
            file_call_plan.error = rows[i].error;
            file_call_plan.read_most = 40;
            assert_int_equal(herd_places_check(&config, on_finding, &found), rows[i].err);
            assert_int_equal(found.count, rows[i].err < 0);
            if (rows[i].err < 0)
                assert_true(strstr(found.message, path) && strstr(found.message, strerror(rows[i].error)));
            assert_true(file_call_plan.fstat_at == 0 && file_call_plan.read_at == 0);
            assert_int_equal(herd_places_check(&config, NULL, NULL), 0);
        }
        file_call_plan.read_most = 0;
        unlink(path);
    }
}

/* All of them are told, and the first decides. */
static void test_more_than_one(void **state)
{
    (void)state;
    struct herd_config_provider providers[] = {
        {.kind = (char *)(uintptr_t) "google-legacy", .ca_file = (char *)(uintptr_t) "/tmp"},
        {.kind = (char *)(uintptr_t) "file"},
    };
    const struct herd_config config = {.providers = providers, .provider_count = 2};
    struct found found = {0};
    assert_int_equal(herd_places_check(&config, on_finding, &found), HERD_E_ACCESS);
    assert_int_equal(found.count, 3);
    assert_non_null(strstr(found.message, "needs a key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_findings),      cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_no_memory),     cmocka_unit_test(test_failing_calls),
        cmocka_unit_test(test_more_than_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
