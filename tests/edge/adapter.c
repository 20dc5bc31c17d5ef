/* SPDX-License-Identifier: MIT */
/* Libraries that have an adapter, and such that have none; files that say how to connect, and such that do not. */
#include "../unit/cm.h"
#include "../unit/temp.h"

#include "adapter.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folder of the libraries is the program's first word. */
static const char *folder;

static const char *path_of(const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/adapter-%s.so", folder, name);
    return path;
}

static bool loaded(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (library)
        dlclose(library);
    return library != NULL;
}

static struct herd_config_database configured(const char *path, const char *dsn_file)
{
    static char texts[3][4096];
    snprintf(texts[0], sizeof texts[0], "mine");
    snprintf(texts[1], sizeof texts[1], "%s", path);
    snprintf(texts[2], sizeof texts[2], "%s", dsn_file);
    return (struct herd_config_database){.kind = texts[0], .library = texts[1], .dsn_file = texts[2]};
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *why;
    } rows[] = {
        {"none", "cannot load the adapter"},       {"symbol", "no adapter of this version"},
        {"nothing", "no adapter of this version"}, {"version", "no adapter of this version"},
        {"kind", "for another kind: other"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct herd_database_driver *driver = NULL;
        struct herd_diagnostic diagnostic = {.line = 7};
        struct herd_config_database config = configured(path_of(rows[i].name), "");
        assert_int_equal(herd_adapter_find(&config, &driver, &diagnostic), HERD_E_UNSUPPORTED);
        assert_null(driver);
        assert_int_equal(diagnostic.line, 0);
        if (!strstr(diagnostic.message, rows[i].why))
            fail_msg("%s: %s", rows[i].name, diagnostic.message);
        assert_false(loaded(config.library));
    }
}

static int open_with_bytes(const char *dsn, size_t len, struct herd_diagnostic *diagnostic)
{
    char file[TEMP_LEN];
    int fd = temp_file(file);
    assert_int_equal(write(fd, dsn, len), len);
    close(fd);
    const struct herd_database_driver *driver;
    struct herd_database *database = NULL;
    const struct herd_database_events events = {0};
    struct herd_config_database config = configured(path_of("good"), file);
    assert_int_equal(herd_adapter_find(&config, &driver, diagnostic), 0);
    assert_true(loaded(config.library));
    int err = herd_adapter_open(&config, "herd", driver, NULL, &events, NULL, &database, diagnostic);
    if (err >= 0) {
        assert_string_equal((const char *)database, "host=here"); /* it begins with what it was given */
        driver->close(database);
    }
    unlink(file);
    return err;
}

static int open_with(const char *dsn, struct herd_diagnostic *diagnostic)
{
    return open_with_bytes(dsn, strlen(dsn), diagnostic);
}

static void test_dsn(void **state)
{
    (void)state;
    static char longest[5000];
    static const char *const good[] = {"host=here", "host=here\n", "host=here \t\r\nof another\n"};
    struct herd_diagnostic diagnostic = {0};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(open_with(good[i], &diagnostic), 0);
    assert_int_equal(open_with_bytes("host=here\0more", 14, &diagnostic), 0); /* a NUL ends it */
    memset(longest, 'h', sizeof longest - 1);
    const char *const bad[] = {"", "\nhost=here\n", " \t\n", longest};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(open_with(bad[i], &diagnostic), HERD_E_SYNTAX);
        assert_non_null(strstr(diagnostic.message, "its first line is not how to connect"));
    }
    /* What the adapter refuses without a word has one, and nothing of the DSN in it. */
    assert_int_equal(open_with("x secret", &diagnostic), HERD_E_SYNTAX);
    assert_non_null(strstr(diagnostic.message, herd_strerror(HERD_E_SYNTAX)));
    assert_null(strstr(diagnostic.message, "secret"));
    assert_int_equal(open_with("y", &diagnostic), HERD_E_SYNTAX);
    assert_string_equal(diagnostic.message, "database: dsn_file: there is no y");
    /* Nobody wrote a wrong file where there is no memory. */
    longest[2000] = '\0';
    diagnostic.message[0] = '\0';
    assert_int_equal(open_with(longest, &diagnostic), HERD_E_NOMEM);
    assert_string_equal(diagnostic.message, "");
}

static void test_file(void **state)
{
    (void)state;
    char file[TEMP_LEN];
    close(temp_file(file));
    assert_int_equal(chmod(file, 0604), 0);
    const struct herd_database_driver *driver;
    struct herd_database *database = NULL;
    const struct herd_database_events events = {0};
    struct herd_diagnostic diagnostic = {0};
    struct herd_config_database config = configured(path_of("good"), file);
    assert_int_equal(herd_adapter_find(&config, &driver, &diagnostic), 0);
    assert_int_equal(herd_adapter_open(&config, "herd", driver, NULL, &events, NULL, &database, &diagnostic),
                     HERD_E_ACCESS);
    assert_non_null(strstr(diagnostic.message, "lets others read it"));
    unlink(file);
    assert_int_equal(herd_adapter_open(&config, "herd", driver, NULL, &events, NULL, &database, &diagnostic),
                     HERD_E_IO);
    assert_non_null(strstr(diagnostic.message, "dsn_file"));
    assert_null(database);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused), cmocka_unit_test(test_dsn),
                                       cmocka_unit_test(test_file)};
    folder = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
