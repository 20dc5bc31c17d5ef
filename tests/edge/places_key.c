/* SPDX-License-Identifier: MIT */
/* The API key: where it may come from, and that it goes nowhere but to the provider. */
#include "../unit/failing_file_calls.h"
#include "../unit/temp.h"
#include "world.h"

#include <sys/stat.h>
#include <unistd.h>

#define CANARY_REST "IzaCANARY-0123456789_canary" /* without its A */

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
        /* In escapes, which our own sentence would be without. */
        {.body =
             herd_span_of("{\"error\":{\"status\":\"INVALID_ARGUMENT\",\"message\":\"\\u0041" CANARY_REST "\"}}"),
         .status = 400},
        {.body = herd_span_of(
             "{\"results\":[],\"status\":\"REQUEST_DENIED\",\"error_message\":\"\\u0041" CANARY_REST "\"}")},
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

#define LINE64  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LINE256 LINE64 LINE64 LINE64 LINE64

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
        {"\t " CANARY "\t \t\r\n", 0600, 0, ""},
        {"   ", 0600, HERD_E_SYNTAX, "holds no key"},
        {"\t\t\n", 0600, HERD_E_SYNTAX, "holds no key"},
        {CANARY " x", 0600, HERD_E_SYNTAX, "printable ASCII without blanks"},
        {CANARY "\x01", 0600, HERD_E_SYNTAX, "printable ASCII without blanks"},
        {CANARY "\x7f", 0600, HERD_E_SYNTAX, "printable ASCII without blanks"},
        {CANARY "\n" LINE256 LINE256, 0600, 0, ""}, /* the first line alone counts */
        {LINE256 LINE256 "x", 0600, HERD_E_SYNTAX, "longer than 512 bytes"},
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

/* The groups of this process, made up. */
static struct {
    bool made_up;
    gid_t effective, real;
    int count, error_at; /* the call of getgroups that fails, from 1; 0: none */
    gid_t last;          /* of `count` */
} ours;

int __real_getgroups(int cap, gid_t groups[]);
int __wrap_getgroups(int cap, gid_t groups[]);
int __wrap_getgroups(int cap, gid_t groups[])
{
    if (!ours.made_up)
        return __real_getgroups(cap, groups);
    if ((ours.error_at && --ours.error_at == 0) || (cap > 0 && cap < ours.count)) {
        errno = EINVAL;
        return -1;
    }
    for (int i = 0; i < ours.count && cap > 0; i++)
        groups[i] = i == ours.count - 1 ? ours.last : 70000;
    return ours.count;
}

gid_t __real_getegid(void);
gid_t __wrap_getegid(void);
gid_t __wrap_getegid(void)
{
    return ours.made_up ? ours.effective : __real_getegid();
}

gid_t __real_getgid(void);
gid_t __wrap_getgid(void);
gid_t __wrap_getgid(void)
{
    return ours.made_up ? ours.real : __real_getgid();
}

/* A group may read the key if this process is in it, in whatever way. */
static void test_groups(void **state)
{
    (void)state;
    static const struct {
        gid_t effective, real;
        int count;
        gid_t last;
        int error_at, err;
    } rows[] = {
        {.effective = 54321},
        {.effective = 1, .real = 54321},
        {.effective = 1, .real = 1, .count = 1, .last = 54321},
        {.effective = 1, .real = 1, .count = 3, .last = 54321},
        {.effective = 1, .real = 1, .count = 300, .last = 54321}, /* as in large directories */
        {.effective = 1, .real = 1, .count = 65536, .last = 54321},
        {.effective = 1, .real = 1, .count = 300, .last = 7, .err = HERD_E_ACCESS},
        {.effective = 1, .real = 1, .err = HERD_E_ACCESS},
        {.effective = 1, .real = 1, .count = 3, .last = 54321, .error_at = 1, .err = HERD_E_ACCESS},
        {.effective = 1, .real = 1, .count = 3, .last = 54321, .error_at = 2, .err = HERD_E_ACCESS},
    };
    struct world *w = world_new();
    world_provider(w, "google-new", stub_url(w->stub, "/"))->key_file = path;
    write_key(CANARY, 0440);
    file_call_plan.gid = 54321;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ours.made_up = true;
        ours.effective = rows[i].effective;
        ours.real = rows[i].real;
        ours.count = rows[i].count;
        ours.last = rows[i].last;
        ours.error_at = rows[i].error_at;
        int err = open_with(w);
        ours.made_up = false;
        if (err != rows[i].err)
            fail_msg("row %zu: %d %s", i, err, w->fault.message);
        if (err < 0)
            assert_non_null(strstr(w->fault.message, "can be read by others (mode 440, group 54321)"));
        herd_places_free(w->places);
        w->places = NULL;
    }
    file_call_plan.gid = 0;
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
        {"http://[::1:1]/", false},
        {"http://[0:0:1::1]/", false},
        {"http://[0:1::1]/", false},
        {"http://[::1:0:1]/", false},
        {"http://[1::1]/", false},
        {"http://[::]/", false},
        {"https://example.com/", true},
        {"https://a/", true},
        {"https://[2001:db8::1]/", true},
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
        cmocka_unit_test(test_canary),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_foreign_group),
        cmocka_unit_test(test_missing_and_reloaded),
        cmocka_unit_test(test_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
