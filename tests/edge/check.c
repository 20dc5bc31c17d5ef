/* SPDX-License-Identifier: MIT */
/* A configuration judged before a start: each finding with its words, hosts and folders as the system sees them, and memory that
 * runs out at each allocation. */
#include "../unit/cm.h"
#include "../unit/failing_additions.h"
#include "../unit/temp.h"
#include "failing_memory.h"

#include <herd/herd.h>
#include <herd/server.h>

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the system ---- */

static struct {
    int lookup;             /* what getaddrinfo says; 0: what it does */
    int bind_error;         /* 0: none */
    bool no_socket, denied; /* access: nothing may be written */
} host;

int __real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    return host.lookup ? host.lookup : __real_getaddrinfo(node, service, hints, found);
}

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol)
{
    errno = EAFNOSUPPORT;
    return host.no_socket ? -1 : __real_socket(family, type, protocol);
}

int __real_bind(int fd, const struct sockaddr *to, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *to, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *to, socklen_t len)
{
    errno = host.bind_error;
    return host.bind_error ? -1 : __real_bind(fd, to, len);
}

int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
int __wrap_access(const char *path, int mode)
{
    errno = EACCES;
    return host.denied ? -1 : __real_access(path, mode);
}

static long left = -1; /* allocations and additions that succeed; < 0: all */
static bool failed;

static bool fails_now(void)
{
    failed |= left == 0;
    return left >= 0 && left-- == 0;
}

static bool addition_fails_now(void)
{
    return fails_now();
}

/* ---- files ---- */

static char dir[TEMP_LEN], config_path[TEMP_LEN + 32];

static void write_file(const char *name, const char *text, mode_t mode)
{
    char path[TEMP_LEN + 64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_true(file && fputs(text, file) >= 0 && fclose(file) == 0 && chmod(path, mode) == 0);
}

/* `$` in a configuration stands for the directory of the test. */
static void write_config(const char *text)
{
    FILE *file = fopen(config_path, "w");
    assert_non_null(file);
    for (const char *at = text; *at; at++)
        assert_true((*at == '$' ? fputs(dir, file) : fputc(*at, file)) >= 0);
    assert_int_equal(fclose(file), 0);
}

static char told[8192];
static int errors, notes;

static void on_finding(void *ctx, int err, const struct herd_diagnostic *diagnostic)
{
    (void)ctx;
    errors += err < 0;
    notes += err >= 0;
    snprintf(told + strlen(told), sizeof told - strlen(told), "%u: %s\n", diagnostic->line, diagnostic->message);
}

static int check(const char *path, const char *name)
{
    told[0] = '\0';
    errors = notes = 0;
    return herd_server_check(path, name, on_finding, NULL);
}

#define A "\"servers\": {\"a\": {\"port\": 1"

static void test_findings(void **state)
{
    (void)state;
    static const struct {
        const char *config, *name;
        int err;
        const char *has;
    } rows[] = {
        {"{" A "}}}", NULL, 0, "no \"identities\""},
        {"{" A "}}}", "a", 0, "no \"identities\""},
        {"{" A "}}, \"identities\": \"$/ids\"}", "a", 0, ""},
        {"{" A ", \"listen\": \"*\", \"http_port\": 2, \"http_listen\": [\"*\", \"127.0.0.1\"]}}, \"identities\": "
         "\"$/ids\"}",
         "a", 0, ""},
        {"{" A "}, \"b\": {\"port\": 2}}}", "c", HERD_E_NOTFOUND,
         "no such server in the configuration: c; there is: a b\n"},
        {"{" A "}}, \"journal\": \"$/{name}.journal\"}", "a", 0, ""},
        {"{" A "}}, \"journal\": \"$\"}", "a", HERD_E_IO, "journal: not a regular file: "},
        {"{" A "}}, \"journal\": \"$/no/x\"}", "a", HERD_E_IO, "journal: cannot make a file in "},
        {"{" A "}}, \"journal\": \"$/ids\"}", "a", 0, ""},
        {"{" A "}}, \"journal\": \"x.journal\"}", "a", 0, ""},
        {"{" A "}}, \"journal\": \"/no-such-file-here\"}", "a", 0, ""},
        {"{" A "}}, \"area\": true, \"fences\": \"$/fences\"}", "a", 0, ""},
        {"{" A "}}, \"area\": true, \"fences\": \"$/ids\"}", "a", HERD_E_SYNTAX, "ids"},
        {"{" A "}}, \"area\": true, \"fences\": \"$/no\"}", "a", HERD_E_IO, "No such file"},
        {"{" A "}}, \"area\": true, \"fences\": \"$/fences\", \"webhook\": {\"server\": \"a\", \"url\": "
         "\"http://127.0.0.1:9/\", "
         "\"secret_file\": "
         "\"$/no\"}}",
         "a", HERD_E_IO, "No such file"},
        {"{" A "}}, \"places\": {\"provider\": \"google-new\", \"key_file\": \"$/no\"}}", "a", HERD_E_IO,
         "No such file"},
        {"{" A "}}, \"places\": {\"provider\": \"file\", \"file\": \"$/no\"}}", NULL, HERD_E_IO, "No such file"},
        {"{" A "}}, \"database\": {\"kind\": \"postgres\", \"dsn_file\": \"$/no\"}, \"herd\": \"h\"}", "a",
         HERD_E_IO, ""},
        {"{" A "}", "a", HERD_E_SYNTAX, ""},
        {"{" A ", \"what\": 1}}, \"places\": {\"provider\": \"what\"}}", "a", HERD_E_SYNTAX, "what"},
        {"{" A "}}, \"identities\": \"$/no\"}", "a", HERD_E_IO, "No such file"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_config(rows[i].config);
        int err = check(config_path, rows[i].name);
        bool no_adapter = strstr(rows[i].config, "postgres") && err == HERD_E_UNSUPPORTED;
        if ((err != rows[i].err && !no_adapter) || (err < 0) != (errors > 0) || !strstr(told, rows[i].has))
            fail_msg("%s: %d\n%s", rows[i].config, err, told);
        if (!*rows[i].has && err >= 0 && strstr(rows[i].config, "identities"))
            assert_string_equal(told, "");
        assert_int_equal(herd_server_check(config_path, rows[i].name, NULL, NULL), err);
    }
    assert_int_equal(check("/no/such/file", "a"), HERD_E_IO);
    assert_int_equal(check(NULL, "Riley"), 0);
    assert_int_equal(check(NULL, "a"), HERD_E_NOTFOUND);
}

/* A path that is longer than the message is cut, and shows that it is. */
static void test_long_path(void **state)
{
    (void)state;
    char text[2000], name[1200];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    snprintf(text, sizeof text, "{" A "}}, \"journal\": \"/no/%s/x\"}", name);
    write_config(text);
    assert_int_equal(check(config_path, "a"), HERD_E_IO);
    assert_non_null(strstr(told, "..."));
}

static void test_host(void **state)
{
    (void)state;
    static const char config[] =
        "{" A ", \"host\": \"herd.example\"}}, \"identities\": \"$/ids\", \"journal\": \"$/new\"}";
    write_config(config);
    static const struct {
        int lookup, err;
        const char *has;
    } rows[] = {{EAI_NONAME, HERD_E_ADDRESS, "cannot listen: "},
                {EAI_FAIL, HERD_E_ADDRESS, "cannot listen: "},
                {EAI_AGAIN, 0, ""},
                {EAI_MEMORY, 0, ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        host.lookup = rows[i].lookup;
        assert_int_equal(check(config_path, "a"), rows[i].err);
        assert_non_null(strstr(told, rows[i].has));
    }
    host.lookup = 0;
    write_config("{" A "}}, \"identities\": \"$/ids\", \"journal\": \"$/new\"}");
    host.bind_error = EADDRNOTAVAIL;
    assert_int_equal(check(config_path, "a"), HERD_E_ADDRESS);
    assert_non_null(strstr(told, "cannot listen on this host: "));
    host.bind_error = EPERM; /* a service manager's word */
    assert_int_equal(check(config_path, "a"), 0);
    host.bind_error = 0;
    host.no_socket = true;
    assert_int_equal(check(config_path, "a"), 0);
    host.no_socket = false;
    host.denied = true;
    assert_int_equal(check(config_path, "a"), HERD_E_IO);
    assert_non_null(strstr(told, "journal: cannot make a file in "));
    write_file("old", "", 0600);
    write_config("{" A "}}, \"identities\": \"$/ids\", \"journal\": \"$/old\"}");
    assert_int_equal(check(config_path, "a"), HERD_E_IO);
    assert_non_null(strstr(told, "journal: Permission denied"));
    host.denied = false;
    assert_int_equal(check(config_path, "a"), 0);
    assert_string_equal(told, "");
}

/* Whatever could not be had: the check says that something is wrong, or all that it says without it. */
static void test_no_memory(void **state)
{
    (void)state;
    static const char *const configs[] = {
        "{" A "}}, \"area\": true, \"fences\": \"$/fences\", \"journal\": \"$/{name}.journal\", \"identities\": "
        "\"$/ids\", "
        "\"webhook\": {\"server\": \"a\", \"url\": \"http://127.0.0.1:9/\"}, \"places\": {\"provider\": \"file\", "
        "\"file\": "
        "\"$/places\"}}",
        "{" A "}, \"b\": {\"port\": 2}}, \"identities\": \"$/ids\"}",
    };
    static const char *const names[] = {"a", "c"};
    for (size_t i = 0; i < 2; i++) {
        write_config(configs[i]);
        const int right = check(config_path, names[i]);
        assert_int_equal(right, i ? HERD_E_NOTFOUND : 0);
        long n = 0;
        for (bool more = true; more; n++) {
            left = n;
            failed = false;
            int err = check(config_path, names[i]);
            left = -1;
            more = failed;
            if (err >= 0 && right < 0)
                fail_msg("allocation %ld: %d %s", n, err, told);
            if (!more)
                assert_int_equal(err, right);
        }
        assert_true(n > 50);
    }
}

static int set_up(void **state)
{
    (void)state;
    temp_dir(dir);
    snprintf(config_path, sizeof config_path, "%s/herd.json", dir);
    write_file("ids", "kiwi cert kiwi kiwi\n", 0600);
    write_file("ids", "anonymous - - *\n", 0600);
    write_file(
        "places",
        "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\","
        "\"coordinates\":[1,2]},\"properties\":{\"name\":\"x\"}}]}",
        0600);
    write_file(
        "fences",
        "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\","
        "\"coordinates\":[1,2]},\"properties\":{\"name\":\"x\",\"radius\":9}}]}",
        0600);
    return 0;
}

static int tear_down(void **state)
{
    char command[TEMP_LEN + 16];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_findings), cmocka_unit_test(test_long_path),
                                       cmocka_unit_test(test_host), cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
