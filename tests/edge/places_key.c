/* SPDX-License-Identifier: MIT */
/* The API key: where it may come from, and that it goes nowhere but to the provider. */
#include "../unit/temp.h"
#include "world.h"

#include <sys/stat.h>
#include <unistd.h>

static void no_canary(const char *what, const char *at, size_t len)
{
    if (len && memmem(at, len, CANARY, sizeof CANARY - 1))
        fail_msg("the key is in %s: %.*s", what, (int)len, at);
}

/* Replies that echo whatever was sent, failing and not: the key must not come out on our side. */
static void test_canary(void **state)
{
    (void)state;
    static const char *const kinds[] = {"google-legacy", "google-new"};
    struct stub_plan plans[] = {
        {.act = STUB_ECHO},
        {.act = STUB_ECHO, .body = herd_span_of("REQUEST_DENIED")},
        {.act = STUB_ECHO, .status = 403},
        {.act = STUB_ECHO, .status = 500},
        {.act = STUB_RESET},
        {.act = STUB_SHORT},
        {.status = 301, .headers = "Location: http://127.0.0.1:9/?key=" CANARY "\r\n"},
        {.body = herd_span_of("{\"error\":{\"status\":\"INVALID_ARGUMENT\",\"message\":\"" CANARY "\"}}"),
         .status = 400},
        {.body = herd_span_of("{\"results\":[],\"status\":\"OK\"}")},
    };
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
            struct world *w = world_new();
            struct herd_buf printed = {0};
            herd_log_free(w->log);
            assert_int_equal(herd_log_new(&w->log, &(struct herd_log_options){.sink = world_sink,
                                                                              .sink_ctx = &w->log_text,
                                                                              .level = HERD_LOG_DEBUG,
                                                                              .traffic = true}),
                             0);
            w->plans[0] = plans[i];
            world_provider(w, kinds[k], stub_url(w->stub, "/"))->timeout_ms = 300;
            world_open(w);
            world_ask(w, UCLA, 5);
            run_until(w->base, &w->answered, 1);
            herd_places_reload(w->places);
            world_ask(w, UCLA, 6);
            run_until(w->base, &w->answered, 2);
            struct herd_span request = stub_request(w->stub, 0);
            assert_non_null(memmem(request.at, request.len, CANARY, sizeof CANARY - 1));
            herd_log_flush(w->log);
            no_canary("the log", w->log_text.at, w->log_text.len);
            for (size_t a = 0; a < 2; a++)
                no_canary("an answer", w->answers[a].at, w->answers[a].len);
            assert_int_equal(herd_config_print(&w->config, &printed), 0);
            no_canary("the configuration", printed.at, printed.len);
            herd_buf_fini(&printed);
            world_free(w);
        }
}

static char path[TEMP_LEN];

static void write_key(const char *text, mode_t mode)
{
    int fd = temp_file(path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static int open_with(struct world *w)
{
    int err = herd_places_new(&w->places, w->base, &w->config, w->log, &w->fault);
    if (err < 0)
        no_canary("a fault", w->fault.message, strlen(w->fault.message));
    return err;
}

static void test_files(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        mode_t mode;
        int err;
        const char *part;
    } rows[] = {
        {CANARY, 0600, 0, ""},
        {" " CANARY " \r\nsecond line\n", 0400, 0, ""},
        {CANARY "\n", 0440, 0, ""}, /* as systemd hands a credential over: root's group, or the mask of a list */
        {CANARY "\n", 0640, 0, ""}, /* our own group */
        {CANARY "\n", 0644, HERD_E_ACCESS, "can be read by others (mode 644)"},
        {CANARY "\n", 0604, HERD_E_ACCESS, "mode 604"},
        {CANARY "\n", 0620, HERD_E_ACCESS, "mode 620"},
        {"", 0600, HERD_E_SYNTAX, "holds no key"},
        {"\n" CANARY, 0600, HERD_E_SYNTAX, "holds no key"},
        {CANARY " x", 0600, HERD_E_SYNTAX, "printable ASCII without blanks"},
        {CANARY "\xc3\xa9", 0600, HERD_E_SYNTAX, "printable ASCII"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *w = world_new();
        w->plans[0] = reply_with(TWO);
        write_key(rows[i].text, rows[i].mode);
        struct herd_config_provider *p = world_provider(w, "google-new", stub_url(w->stub, "/"));
        p->key_file = path;
        int err = open_with(w);
        if (err != rows[i].err || !strstr(w->fault.message, rows[i].part))
            fail_msg("row %zu: %d %s", i, err, w->fault.message);
        if (err == 0) {
            world_ask(w, UCLA, 5);
            run_until(w->base, &w->answered, 1);
            struct herd_span request = stub_request(w->stub, 0);
            assert_non_null(memmem(request.at, request.len, ": " CANARY "\r\n", sizeof CANARY + 3));
        }
        unlink(path);
        world_free(w);
    }
}

/* A group of somebody else is others; only root can give a file to one. */
static void test_foreign_group(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_provider(w, "google-new", stub_url(w->stub, "/"))->key_file = path;
    write_key(CANARY, 0440);
    if (chown(path, (uid_t)-1, 54321) == 0) {
        assert_int_equal(open_with(w), HERD_E_ACCESS);
        assert_non_null(strstr(w->fault.message, "can be read by others (mode 440, group 54321)"));
        assert_int_equal(chmod(path, 0400), 0);
    }
    assert_int_equal(open_with(w), 0);
    unlink(path);
    world_free(w);
}

static void test_missing_and_reloaded(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct herd_config_provider *p = world_provider(w, "google-legacy", stub_url(w->stub, "/"));
    p->key_file = (char *)(uintptr_t) "/nonexistent/key";
    assert_int_equal(open_with(w), HERD_E_IO);
    p->key_file = (char *)(uintptr_t) "/tmp";
    assert_int_equal(open_with(w), HERD_E_ACCESS);
    p->key_file = NULL;
    p->key_env = NULL;
    assert_int_equal(open_with(w), HERD_E_ACCESS);
    assert_non_null(strstr(w->fault.message, "needs a key"));
    p->key_env = (char *)(uintptr_t) "HERD_NO_SUCH_VARIABLE";
    assert_int_equal(open_with(w), HERD_E_ACCESS);
    /* A new key takes effect on reload; a broken one leaves the old one in force. */
    write_key("first", 0600);
    p->key_file = path;
    w->plans[0] = reply_with(TWO);
    assert_int_equal(open_with(w), 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("second\n", file);
    fclose(file);
    herd_places_reload(w->places);
    assert_int_equal(chmod(path, 0644), 0);
    herd_places_reload(w->places);
    assert_true(world_logged(w, "places_key_kept"));
    world_ask(w, UCLA, 5);
    run_until(w->base, &w->answered, 1);
    struct herd_span request = stub_request(w->stub, 0);
    assert_non_null(memmem(request.at, request.len, "&key=second ", 12));
    unlink(path);
    world_free(w);
}

static void test_urls(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool good;
    } rows[] = {
        {"http://example.com/", false},
        {"http://10.0.0.1/", false},
        {"http://128.0.0.1/", false},
        {"ftp://127.0.0.1/", false},
        {"file:///etc/passwd", false},
        {"http://u:p@127.0.0.1/", false},
        {"https://x/#f", false},
        {"https://", false},
        {"nonsense", false},
        {"http://localhost.evil.org/", false},
        {"http://127.0.0.1.evil.org/", false},
        {"http://[::2]/", false},
        {"https://example.com/", true},
        {"http://127.9.9.9:8080/x", true},
        {"http://[::1]:80/", true},
        {"http://localhost:1/", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *w = world_new();
        world_provider(w, "google-new", rows[i].url);
        int err = open_with(w);
        if ((err == 0) != rows[i].good || (err < 0 && err != HERD_E_SYNTAX))
            fail_msg("%s: %d %s", rows[i].url, err, w->fault.message);
        world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canary),        cmocka_unit_test(test_files),
        cmocka_unit_test(test_foreign_group), cmocka_unit_test(test_missing_and_reloaded),
        cmocka_unit_test(test_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
