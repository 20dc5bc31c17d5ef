/* SPDX-License-Identifier: MIT */
/* Connections to one of several addresses: each attempt ends once, says why, and leaves nothing open. And addresses as they are
 * written. */
#include "../unit/cm.h"
#include "../unit/open_files.h"
#include "network_fakes.h"

#include "connector.h"
#include "resolver.h"

#include <herd/types.h>

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

struct ends {
    unsigned count;
    int fd;
    bool unresolved, local;
    char why[64], address[HERD_SOCKADDR_TEXT_MAX];
};

static void on_ended(void *ctx, const struct herd_connect_result *result)
{
    struct ends *ends = ctx;
    ends->count++;
    ends->fd = result->fd;
    ends->unresolved = result->unresolved;
    ends->local = result->local;
    snprintf(ends->why, sizeof ends->why, "%s", result->why ? result->why : "");
    if (result->address.len)
        herd_sockaddr_text(&result->address.u.any, result->address.len, ends->address);
}

static struct ends connect_to(const char *host, int64_t connect_ms, const char *call, unsigned first, int error)
{
    struct ends ends = {.fd = -1};
    struct herd_connector *connector = NULL;
    struct herd_resolver *resolver = NULL;
    const struct herd_connect_options options = {
        .host = host, .port = 9, .resolve_ms = 20000, .connect_ms = connect_ms, .done = on_ended, .ctx = &ends};
    assert_int_equal(herd_resolver_new(&resolver, base), 0);
    arm(call, first, error);
    assert_int_equal(herd_connect_start(&connector, base, &resolver, &options), 0);
    assert_int_equal(ends.count, 0);
    until(ends.count > 0);
    disarm();
    assert_int_equal(ends.count, 1);
    herd_resolver_release(resolver);
    return ends;
}

/* The last has failed, and one before it says nothing yet: it has its time. */
static void test_one_is_left(void **state)
{
    (void)state;
    answers[1] = 0;
    answers[2] = -1; /* nobody listens there */
    struct ends ends = connect_to("127.0.0.1 127.0.0.2 ", 400, NULL, 0, 0);
    assert_string_equal(ends.why, "Connection refused");
    assert_string_equal(ends.address, "127.0.0.2:9");
    assert_int_equal(ends.fd, -1);
}

/* Of several errors one is told: what says most of the host. */
static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        int answers[5]; /* of .1, .2, ... */
        const char *why, *address;
        bool local;
    } rows[] = {
        {"127.0.0.1", {ECONNREFUSED}, "Connection refused", "127.0.0.1:9", false},
        {"127.0.0.1 ::2", {ECONNREFUSED, EHOSTUNREACH}, "Connection refused", "127.0.0.1:9", false},
        {"127.0.0.1 ::2", {ENETUNREACH, ECONNREFUSED}, "Connection refused", "[::2]:9", false},
        {"127.0.0.1 ::2", {EAFNOSUPPORT, ECONNREFUSED}, "Connection refused", "[::2]:9", false},
        {"127.0.0.1 ::2", {EADDRNOTAVAIL, ECONNREFUSED}, "Connection refused", "[::2]:9", false},
        {"127.0.0.1 ::2 127.0.0.3",
         {ENETUNREACH, EADDRNOTAVAIL, ENETUNREACH},
         "Network is unreachable",
         "127.0.0.3:9",
         false},
        {"127.0.0.1 ::2", {ENETUNREACH, EADDRNOTAVAIL}, "Cannot assign requested address", "[::2]:9", true},
        {"127.0.0.1", {ENOBUFS}, "No buffer space available", "127.0.0.1:9", true},
        {"127.0.0.1", {0}, "no answer", "127.0.0.1:9", false},
        {"127.0.0.1 ::2", {EHOSTUNREACH, 0}, "No route to host", "127.0.0.1:9", false},
        {"127.0.0.1 ::2", {ENETUNREACH, 0}, "no answer", "[::2]:9", false},
    };
    const unsigned files = open_files();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t a = 0; a < 5; a++)
            answers[a + 1] = rows[i].answers[a];
        struct ends ends = connect_to(rows[i].host, 50, NULL, 0, 0);
        assert_int_equal(ends.fd, -1);
        assert_false(ends.unresolved);
        assert_string_equal(ends.why, rows[i].why);
        assert_string_equal(ends.address, rows[i].address);
        assert_int_equal(ends.local, rows[i].local);
        until(open_files() == files || event_base_loop(base, EVLOOP_NONBLOCK) < 0);
    }
}

static void test_calls_that_fail(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        int answers[2];
        const char *call;
        unsigned first;
        int error;
        const char *why;
        bool local;
    } rows[] = {
        {"127.0.0.1", {-1, -1}, "socket", 1, EMFILE, "Too many open files", true},
        {"127.0.0.1", {0, 0}, "event_add", 1, 0, "Cannot allocate memory", true},
        {"127.0.0.1", {-1, -1}, "getsockopt", 1, ENOBUFS, "No buffer space available", true},
        /* Of the timer, once a name is resolved. */
        {"127.0.0.1 ", {0, 0}, "event_add", 4, 0, "Cannot allocate memory", true},
        /* Of the timer, when an attempt has failed, and when the next one is due. */
        {"127.0.0.1 127.0.0.2 ", {-1, 0}, "event_add", 6, 0, "Cannot allocate memory", true},
        {"127.0.0.1 127.0.0.2 ", {0, 0}, "event_add", 6, 0, "Cannot allocate memory", true},
    };
    const unsigned files = open_files();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        answers[1] = rows[i].answers[0];
        answers[2] = rows[i].answers[1];
        struct ends ends = connect_to(rows[i].host, 5000, rows[i].call, rows[i].first, rows[i].error);
        assert_int_equal(ends.fd, -1);
        if (strcmp(ends.why, rows[i].why) != 0)
            fail_msg("%zu: %s", i, ends.why);
        assert_int_equal(ends.local, rows[i].local);
        until(open_files() == files || event_base_loop(base, EVLOOP_NONBLOCK) < 0);
    }
    /* A name that cannot be looked up: nothing has begun. */
    static const struct {
        const char *call;
        unsigned first;
    } begun[] = {{"calloc", 1}, {"event_add", 1}, {"calloc", 2}, {"event_new", 1}};
    for (size_t i = 0; i < sizeof begun / sizeof begun[0]; i++) {
        struct ends ends = {0};
        struct herd_connector *connector = NULL;
        struct herd_resolver *resolver = NULL;
        const struct herd_connect_options options = {
            .host = "127.0.0.1 ", .port = 9, .resolve_ms = 20000, .connect_ms = 50, .done = on_ended, .ctx = &ends};
        arm(begun[i].call, begun[i].first, ENOMEM);
        assert_int_equal(herd_connect_start(&connector, base, &resolver, &options), HERD_E_NOMEM);
        disarm();
        event_base_loop(base, EVLOOP_NONBLOCK);
        assert_int_equal(ends.count, 0);
        herd_resolver_release(resolver);
        until(open_files() == files || event_base_loop(base, EVLOOP_NONBLOCK) < 0);
    }
    /* One that was interrupted goes on: here nobody answers. */
    answers[1] = EINTR;
    assert_string_equal(connect_to("127.0.0.1", 50, NULL, 0, 0).why, "no answer");
}

/* ---- addresses ---- */

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *host, *text;
        bool loopback, any;
    } rows[] = {
        {"127.0.0.1", "127.0.0.1:9", true, false},
        {"127.255.0.9", "127.255.0.9:9", true, false},
        {"126.0.0.1", "126.0.0.1:9", false, false},
        {"0.0.0.0", "0.0.0.0:9", false, true},
        {"::1", "[::1]:9", true, false},
        {"::", "[::]:9", false, true},
        {"::2", "[::2]:9", false, false},
        {"1::1", "[1::1]:9", false, false},
        {"0:0:1::1", "[0:0:1::1]:9", false, false},
        {"0:0:0:0:1::1", "[::1:0:0:1]:9", false, false},
        {"1::", "[1::]:9", false, false},
        {"0:0:1::", "[0:0:1::]:9", false, false},
        {"::1:0:0", "[::1:0:0]:9", false, false},
    };
    const size_t count = sizeof rows / sizeof rows[0];
    struct herd_sockaddr_list all[sizeof rows / sizeof rows[0]], other;
    char text[HERD_SOCKADDR_TEXT_MAX];
    for (size_t i = 0; i < count; i++) {
        assert_true(herd_sockaddr_list_numeric(&all[i], rows[i].host, 9));
        const struct herd_sockaddr *address = &all[i].at[0];
        assert_int_equal(herd_sockaddr_is_loopback(&address->u.any), rows[i].loopback);
        assert_int_equal(herd_sockaddr_is_any(&address->u.any), rows[i].any);
        assert_string_equal(herd_sockaddr_text(&address->u.any, address->len, text), rows[i].text);
        assert_true(herd_sockaddr_list_numeric(&other, rows[i].host, 10));
        assert_false(herd_sockaddr_equal(address, &other.at[0]));
    }
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++)
            assert_int_equal(herd_sockaddr_equal(&all[i].at[0], &all[k].at[0]), i == k);
    struct herd_sockaddr scoped = all[4].at[0];
    scoped.u.in6.sin6_scope_id = 2;
    assert_false(herd_sockaddr_equal(&scoped, &all[4].at[0]));
    /* One that is not in the list comes before nothing. */
    struct herd_sockaddr_list list = {.count = 0};
    list.at[list.count++] = all[0].at[0];
    list.at[list.count++] = all[1].at[0];
    herd_sockaddr_list_order(&list, &all[2].at[0]);
    assert_true(herd_sockaddr_equal(&list.at[0], &all[0].at[0]));

    struct sockaddr_un local = {.sun_family = AF_UNIX};
    const struct sockaddr *any = (const struct sockaddr *)(const void *)&local;
    const socklen_t front = (socklen_t)offsetof(struct sockaddr_un, sun_path);
    assert_false(herd_sockaddr_is_loopback(any));
    assert_false(herd_sockaddr_is_any(any));
    assert_string_equal(herd_sockaddr_text(any, front, text), "unix");
    assert_string_equal(herd_sockaddr_text(any, 2, text), "unix");
    memset(local.sun_path, 'p', sizeof local.sun_path);
    assert_int_equal(strlen(herd_sockaddr_text(any, sizeof local, text)), 5 + sizeof local.sun_path);
    memcpy(local.sun_path, "/run/x", 7);
    assert_string_equal(herd_sockaddr_text(any, front + 7, text), "unix:/run/x");
    assert_string_equal(herd_sockaddr_text(any, front + 6, text), "unix:/run/x");
    memcpy(local.sun_path, "\0name", 5);
    assert_string_equal(herd_sockaddr_text(any, front + 5, text), "unix:@name");
    local.sun_family = 99;
    assert_string_equal(herd_sockaddr_text(any, sizeof local, text), "unknown");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_one_is_left),
        TEST(test_errors),
        TEST(test_calls_that_fail),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
