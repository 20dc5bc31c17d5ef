/* SPDX-License-Identifier: MIT */
/* One call of the system, of the loop, of its resolver or of hiredis fails: it is said, nothing stays open, and all works afterwards. */
#include "../failing_calls.h"
#include "../open_files.h"
#include "adapter.h"
#include "server.h"

#include "redis_impl.h"

#include <errno.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct redis_server server;
static struct event_base *base;
static struct adapter a;

/* ---- calls that fail ---- */

static struct {
    const char *name;
    unsigned calls, first;
    int error;
} armed[2];

/* The first call of that name from now on, or a later one. */
static void arm(size_t i, const char *name, unsigned first, int error)
{
    armed[i].name = name;
    armed[i].calls = 0;
    armed[i].first = first;
    armed[i].error = error;
}

static void disarm(void)
{
    armed[0].name = armed[1].name = NULL;
}

static bool fails(const char *name)
{
    for (size_t i = 0; i < 2; i++) {
        if (!armed[i].name || strcmp(armed[i].name, name) != 0 || ++armed[i].calls != armed[i].first)
            continue;
        errno = armed[i].error;
        return true;
    }
    return false;
}

FAILING(int, socket, -1, (int domain, int type, int protocol), domain, type, protocol)
FAILING(int, connect, -1, (int fd, const struct sockaddr *to, socklen_t len), fd, to, len)
FAILING(int, getsockopt, -1, (int fd, int level, int name, void *value, socklen_t *len), fd, level, name, value,
        len)
FAILING(ssize_t, send, -1, (int fd, const void *bytes, size_t len, int flags), fd, bytes, len, flags)
FAILING(ssize_t, recv, -1, (int fd, void *bytes, size_t len, int flags), fd, bytes, len, flags)
FAILING(struct event *, event_new, NULL,
        (struct event_base * b, evutil_socket_t fd, short what, event_callback_fn fn, void *arg), b, fd, what, fn,
        arg)
FAILING(struct evdns_base *, evdns_base_new, NULL, (struct event_base * b, int flags), b, flags)

redisReader *__real_redisReaderCreate(void);
redisReader *__wrap_redisReaderCreate(void);
redisReader *__wrap_redisReaderCreate(void)
{
    return fails("redisReaderCreate") ? NULL : __real_redisReaderCreate();
}

int __real_event_add(struct event *event, const struct timeval *after);
int __wrap_event_add(struct event *event, const struct timeval *after);
int __wrap_event_add(struct event *event, const struct timeval *after)
{
    const bool mine = event_get_callback(event) != adapter_late;
    return mine && fails("event_add") ? -1 : __real_event_add(event, after);
}

int __real_redisReaderFeed(redisReader *reader, const char *bytes, size_t len);
int __wrap_redisReaderFeed(redisReader *reader, const char *bytes, size_t len);
int __wrap_redisReaderFeed(redisReader *reader, const char *bytes, size_t len)
{
    if (!fails("redisReaderFeed"))
        return __real_redisReaderFeed(reader, bytes, len);
    reader->err = REDIS_ERR_OOM;
    return REDIS_ERR;
}

/* ---- the resolver ---- */

static struct {
    int error;
    struct evutil_addrinfo *list;
    unsigned freed;
} resolver;

struct evdns_getaddrinfo_request *__wrap_evdns_getaddrinfo(struct evdns_base *dns, const char *node,
                                                           const char *service, const struct evutil_addrinfo *hints,
                                                           evdns_getaddrinfo_cb done, void *arg);
struct evdns_getaddrinfo_request *__wrap_evdns_getaddrinfo(struct evdns_base *dns, const char *node,
                                                           const char *service, const struct evutil_addrinfo *hints,
                                                           evdns_getaddrinfo_cb done, void *arg)
{
    assert_non_null(dns);
    assert_string_equal(node, "name");
    assert_string_equal(service, "77");
    assert_int_equal(hints->ai_socktype, SOCK_STREAM);
    done(resolver.error, resolver.list, arg);
    return NULL;
}

void __wrap_evutil_freeaddrinfo(struct evutil_addrinfo *list);
void __wrap_evutil_freeaddrinfo(struct evutil_addrinfo *list)
{
    assert_ptr_equal(list, resolver.list);
    resolver.freed++;
}

/* ---- tests ---- */

static int setup(void **state)
{
    (void)state;
    base = event_base_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    herd_redis_driver.close(a.database);
    event_base_free(base);
    return 0;
}

static void open_server(void)
{
    char dsn[128];
    snprintf(dsn, sizeof dsn, "unix://%s", server.socket);
    assert_int_equal(adapter_open(&a, base, dsn, true), 0);
}

static void check_works(void)
{
    struct herd_database_row row = adapter_row(herd_span_of("a"), "Riley", "+1+1", "1");
    disarm();
    adapter_forget(&a);
    adapter_connect(&a);
    assert_int_equal(a.connected, 1);
    assert_int_equal(adapter_write(&a, 1, &row, 1), HERD_DATABASE_DONE);
    assert_true(adapter_find(&a, herd_span_of("a")));
}

static void opening(void **state)
{
    (void)state;
    for (unsigned first = 1; first <= 2; first++) {
        arm(0, "event_new", first, ENOMEM);
        assert_int_equal(adapter_open(&a, base, "unix:///x", true), HERD_E_NOMEM);
        assert_null(a.database);
        disarm();
    }
    herd_redis_driver.close(NULL);
    open_server();
    /* Before there is a connection. */
    struct herd_database_row row = adapter_row(herd_span_of("a"), "Riley", "+1+1", "1");
    assert_int_equal(herd_redis_driver.write(a.database, 1, &row, 1, NULL), HERD_E_STATE);
    assert_int_equal(herd_redis_driver.read_writers(a.database, 1), HERD_E_STATE);
    assert_int_equal(herd_redis_driver.read_page(a.database, 1, 10, true), HERD_E_STATE);
    assert_int_equal(herd_redis_driver.find(a.database, 1, herd_span_of("a")), HERD_E_STATE);
    event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(a.told, 0);
    check_works();
}

static void connecting(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        unsigned first;
        int error;
        enum herd_database_result result;
        const char *message;
    } rows[] = {
        {"socket", 1, EMFILE, HERD_DATABASE_LOST, "cannot connect: Too many open files"},
        {"connect", 1, ECONNREFUSED, HERD_DATABASE_LOST, "cannot connect: Connection refused"},
        {"event_new", 1, 0, HERD_DATABASE_LOST, "cannot connect: Cannot allocate memory"},
        {"event_new", 2, 0, HERD_DATABASE_LOST, "cannot connect: Cannot allocate memory"},
        {"event_add", 1, 0, HERD_DATABASE_LOST, "cannot connect: Cannot allocate memory"},
        {"getsockopt", 1, ENOBUFS, HERD_DATABASE_LOST, "cannot connect: No buffer space available"},
        {"event_add", 2, 0, HERD_DATABASE_RETRY, "out of memory"},
        {"redisReaderCreate", 1, 0, HERD_DATABASE_LOST, "out of memory"},
        {"redisReaderFeed", 1, 0, HERD_DATABASE_LOST, "out of memory"},
        {"send", 1, ECONNRESET, HERD_DATABASE_LOST, "Connection reset by peer"},
        {"recv", 1, ECONNRESET, HERD_DATABASE_LOST, "Connection reset by peer"},
    };
    open_server();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const unsigned files = open_files();
        adapter_forget(&a);
        arm(0, rows[i].call, rows[i].first, rows[i].error);
        assert_int_equal(herd_redis_driver.connect(a.database), 0);
        assert_int_equal(a.disconnected, 0); /* never from inside */
        adapter_until(&a, a.connected + a.disconnected);
        assert_int_equal(a.disconnected, 1);
        assert_int_equal(a.result, rows[i].result);
        assert_string_equal(a.message, rows[i].message);
        assert_int_equal(open_files(), files);
        check_works();
        herd_redis_driver.disconnect(a.database);
    }
}

/* What is not sent or not read at once is sent or read later. */
static void interrupted(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        int error;
    } rows[] = {{"send", EAGAIN}, {"send", EINTR}, {"recv", EAGAIN}, {"recv", EINTR}};
    open_server();
    check_works();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct herd_database_row row = adapter_row(herd_span_of("a"), "Riley", "+1+1", "2");
        arm(0, rows[i].call, 1, rows[i].error);
        assert_int_equal(adapter_write(&a, 1, &row, 1), HERD_DATABASE_DONE);
        assert_true(armed[0].calls > 1);
        disarm();
        assert_int_equal(a.disconnected, 0);
    }
    struct herd_database_row row = adapter_row(herd_span_of("a"), "Riley", "+1+1", "3");
    arm(0, "send", 1, EAGAIN);
    arm(1, "event_add", 1, 0);
    assert_int_equal(adapter_write(&a, 2, &row, 1), HERD_DATABASE_LOST);
    assert_int_equal(a.disconnected, 1);
    assert_int_equal(a.result, HERD_DATABASE_RETRY);
    assert_string_equal(a.message, "out of memory");
    check_works();
}

static void resolving(void **state)
{
    (void)state;
    struct sockaddr_un to = {.sun_family = AF_UNIX}, nobody = {.sun_family = AF_UNIX, .sun_path = "/nonexistent"};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", server.socket);
    struct evutil_addrinfo list[40];
    memset(list, 0, sizeof list);
    for (size_t i = 0; i < 40; i++) {
        list[i].ai_addr = (struct sockaddr *)&nobody;
        list[i].ai_addrlen = sizeof nobody;
        list[i].ai_next = i < 39 ? &list[i + 1] : NULL;
    }
    assert_int_equal(adapter_open(&a, base, "redis://name:77", true), 0);
    arm(0, "evdns_base_new", 1, 0);
    assert_int_equal(herd_redis_driver.connect(a.database), HERD_E_NOMEM);
    event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(a.disconnected, 0);
    disarm();
    static const struct {
        int error;
        const char *message;
    } errors[] = {{EVUTIL_EAI_NONAME, "its name gives no address: nodename nor servname provided, or not known"},
                  {EVUTIL_EAI_FAIL, "its name gives no address: non-recoverable failure in name resolution"},
                  {0, "its name gives no address: none"}};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        adapter_forget(&a);
        resolver.error = errors[i].error;
        resolver.list = NULL;
        adapter_connect(&a);
        assert_int_equal(a.disconnected, 1);
        assert_int_equal(a.result, HERD_DATABASE_LOST);
        assert_string_equal(a.message, errors[i].message);
    }
    /* One that is too long is none; of many only so many are tried. */
    list[0].ai_addrlen = 4096;
    resolver.list = list;
    adapter_forget(&a);
    adapter_connect(&a);
    assert_string_equal(a.message, "cannot connect: No such file or directory");
    assert_int_equal(a.database->address_count, HERD_REDIS_ADDRESSES_MAX);
    assert_int_equal(resolver.freed, 1);
    /* The last of them is there. */
    list[HERD_REDIS_ADDRESSES_MAX].ai_addr = (struct sockaddr *)&to;
    check_works();
    assert_int_equal(resolver.freed, 2);
}

int main(void)
{
    redis_program = "redis-server";
    if (!redis_installed(redis_program)) {
        fprintf(stderr, "%s is not installed: not tested\n", redis_program);
        return 77;
    }
    redis_make(&server);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(opening, setup, teardown),
        cmocka_unit_test_setup_teardown(connecting, setup, teardown),
        cmocka_unit_test_setup_teardown(interrupted, setup, teardown),
        cmocka_unit_test_setup_teardown(resolving, setup, teardown),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    redis_end(&server);
    return failed != 0;
}
