/* SPDX-License-Identifier: MIT */
/* What answers is no Redis, or a wicked one. */
#include "../temp.h"
#include "adapter.h"

#include "redis_impl.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct event_base *base;
static struct adapter a;
static struct {
    char dir[TEMP_LEN], path[64];
    int listener, fd;
    struct event *accepts, *reads;
    const char *says; /* to a connection, and then to each piece that comes, the next one */
    size_t len;
    bool closes, repeats;
} other;

static void on_read(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    (void)arg;
    char bytes[65536];
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n <= 0) {
        event_del(other.reads);
    } else if (other.len) {
        assert_true(send(fd, other.says, other.len, MSG_NOSIGNAL) >= 0);
        other.len = other.repeats ? other.len : 0;
        if (other.closes)
            shutdown(fd, SHUT_RDWR);
    }
}

static void end_connection(void)
{
    if (other.reads)
        event_free(other.reads);
    other.reads = NULL;
    if (other.fd >= 0)
        close(other.fd);
    other.fd = -1;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    (void)arg;
    end_connection();
    other.fd = accept(fd, NULL, NULL);
    assert_true(other.fd >= 0);
    other.reads = event_new(base, other.fd, EV_READ | EV_PERSIST, on_read, NULL);
    event_add(other.reads, NULL);
}

static int setup(void **state)
{
    (void)state;
    base = event_base_new();
    temp_dir(other.dir);
    snprintf(other.path, sizeof other.path, "%s/s", other.dir);
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    snprintf(path.sun_path, sizeof path.sun_path, "%s", other.path);
    other.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    other.fd = -1;
    assert_int_equal(bind(other.listener, (struct sockaddr *)&path, sizeof path), 0);
    assert_int_equal(listen(other.listener, 5), 0);
    other.accepts = event_new(base, other.listener, EV_READ | EV_PERSIST, on_accept, NULL);
    event_add(other.accepts, NULL);
    char dsn[128];
    snprintf(dsn, sizeof dsn, "unix://herd:hunter2@%s", other.path);
    return adapter_open(&a, base, dsn, true);
}

static int teardown(void **state)
{
    (void)state;
    herd_redis_driver.close(a.database);
    end_connection();
    event_free(other.accepts);
    close(other.listener);
    unlink(other.path);
    rmdir(other.dir);
    event_base_free(base);
    return 0;
}

static void say(const char *bytes, size_t len)
{
    other.says = bytes;
    other.len = len;
}

#define SETUP \
    "+OK\r\n+OK\r\n$23\r\nredis_version:7.0.15\r\n\n\r\n$40\r\n0123456789012345678901234567890123456789\r\n"

static void not_a_redis(void **state)
{
    (void)state;
    static const struct {
        const char *says;
        bool closes;
        enum herd_database_result result;
    } rows[] = {
        {"HTTP/1.1 400 Bad Request\r\n\r\n", false, HERD_DATABASE_LOST},
        {"+OK\r\n*2147483647\r\n", false, HERD_DATABASE_LOST},
        {"+OK\r\n*65537\r\n", false, HERD_DATABASE_LOST},
        {"+OK\r\n*2\r\n*60000\r\n*60000\r\n", false, HERD_DATABASE_LOST},
        {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", false, HERD_DATABASE_LOST},
        {"$-7\r\n", false, HERD_DATABASE_LOST},
        {"", true, HERD_DATABASE_LOST},
        {"+OK\r\n", true, HERD_DATABASE_LOST},
        {"-ERR max number of clients reached\r\n", true, HERD_DATABASE_RETRY},
        {"-LOADING Redis is loading the dataset in memory\r\n", false, HERD_DATABASE_RETRY},
        {"-ERR unknown command 'AUTH', with args beginning with: 'herd' 'hunter2'\r\n", false,
         HERD_DATABASE_REFUSED},
        {"+OK\r\n-ERR DB index is out of range hunter2\r\n", false, HERD_DATABASE_REFUSED},
        {"+OK\r\n+OK\r\n:5\r\n", false, HERD_DATABASE_REFUSED},
        {"+OK\r\n+OK\r\n$5\r\nhello\r\n", false, HERD_DATABASE_REFUSED},
        {"+OK\r\n+OK\r\n$21\r\nredis_version:6.0.16\r\n\r\n", false, HERD_DATABASE_REFUSED},
        {"+OK\r\n+OK\r\n$39\r\nredis_version:7.0.15\r\ncluster_enabled:1\r\n", false, HERD_DATABASE_REFUSED},
        {"+OK\r\n+OK\r\n-NOPERM no\r\n$4\r\nabcd\r\n", false, HERD_DATABASE_REFUSED},
        {"+OK\r\n+OK\r\n-NOPERM no\r\n-NOPERM no\r\n", false, HERD_DATABASE_REFUSED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        say(rows[i].says, strlen(rows[i].says));
        if (!rows[i].says[0])
            say("+", 1);
        other.closes = rows[i].closes;
        adapter_forget(&a);
        adapter_connect(&a);
        if (a.connected || a.result != rows[i].result)
            fail_msg("%zu: %d %s", i, a.result, a.message);
        assert_null(strstr(a.message, "hunter2"));
        assert_true(a.message[0]);
    }
    other.closes = false;
}

static void connected(void)
{
    say(SETUP, sizeof SETUP - 1);
    adapter_forget(&a);
    adapter_connect(&a);
    if (!a.connected)
        fail_msg("%s", a.message);
}

static void wrong_answers(void **state)
{
    (void)state;
    static const struct {
        char what;
        const char *says;
        int result;
    } rows[] = {
        {'f', ":1\r\n", HERD_DATABASE_RETRY},
        {'f', "*0\r\n", HERD_DATABASE_RETRY},
        {'f', "$3\r\nabc\r\n", HERD_DATABASE_DONE},
        {'f', "-NOSCRIPT x\r\n", HERD_DATABASE_RETRY},
        {'w', "+OK\r\n", HERD_DATABASE_RETRY},
        {'w', "$-1\r\n", HERD_DATABASE_RETRY},
        {'w', "$9\r\nsome text\r\n", HERD_DATABASE_REFUSED},
        {'r', "*0\r\n*0\r\n", HERD_DATABASE_RETRY},
        {'r', "*2\r\n$1\r\nx\r\n$1\r\n0\r\n*0\r\n", HERD_DATABASE_RETRY},
        {'r', "*2\r\n$20\r\n99999999999999999999\r\n$1\r\n0\r\n*0\r\n", HERD_DATABASE_RETRY},
        {'r', "*2\r\n$1\r\n1\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n", HERD_DATABASE_RETRY},
        {'r', "*2\r\n$1\r\n1\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$7\r\n1 2 3 x\r\n", HERD_DATABASE_DONE},
        {'r', "*2\r\n$1\r\n1\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n*0\r\n", HERD_DATABASE_RETRY},
        {'p', "*2\r\n$1\r\n0\r\n*1\r\n$3\r\nfoo\r\n", HERD_DATABASE_RETRY},
        {'p', "*2\r\n$30\r\n012345678901234567890123456789\r\n*0\r\n", HERD_DATABASE_RETRY},
        {'p', "*2\r\n*0\r\n*0\r\n", HERD_DATABASE_RETRY},
        {'p', "*2\r\n$1\r\n0\r\n*0\r\n", HERD_DATABASE_DONE},
        {'p', "-BUSY x\r\n", HERD_DATABASE_RETRY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        connected();
        say(rows[i].says, strlen(rows[i].says));
        struct herd_database_row row = adapter_row(herd_span_of("a"), "Riley", "+1+1", "1");
        switch (rows[i].what) {
        case 'f': herd_redis_driver.find(a.database, 1, herd_span_of("a")); break;
        case 'w': herd_redis_driver.write(a.database, 1, &row, 1, NULL); break;
        case 'r': herd_redis_driver.read_writers(a.database, 1); break;
        case 'p': herd_redis_driver.read_page(a.database, 1, 100, true); break;
        default: break;
        }
        adapter_until(&a, a.results[1] >= 0 || a.disconnected);
        if (a.results[1] != rows[i].result)
            fail_msg("%zu: %d %s", i, a.results[1], a.messages[1]);
        assert_int_equal(a.writer_count, 0);
        assert_int_equal(a.rows, 0);
        herd_redis_driver.disconnect(a.database);
    }
    /* What nobody asked for. */
    connected();
    assert_true(write(other.fd, "+hello\r\n", 8) == 8);
    adapter_until(&a, a.disconnected);
}

/* A reply that goes on and on, in parts none of which is long. */
static void endless_reply(void **state)
{
    (void)state;
    static char part[16 + 65536];
    size_t len = (size_t)snprintf(part, sizeof part, "$65528\r\n");
    memset(part + len, 'x', 65528);
    memcpy(part + len + 65528, "\r\n", 2);
    len += 65530;
    connected();
    say("*65536\r\n", 8);
    assert_int_equal(herd_redis_driver.find(a.database, 1, herd_span_of("a")), 0);
    adapter_until(&a, other.len == 0);
    fcntl(other.fd, F_SETFL, O_NONBLOCK);
    size_t sent = 0, at = 0;
    while (!a.disconnected && sent < 4 * (size_t)HERD_REDIS_REPLY_MAX_BYTES) {
        ssize_t n = send(other.fd, part + at, len - at, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        at = n > 0 ? (at + (size_t)n) % len : at;
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    assert_int_equal(a.disconnected, 1);
    assert_int_equal(a.results[1], HERD_DATABASE_LOST);
    assert_string_equal(a.message, "its answer is too long");
}

/* Keys that have no end: the reading ends, and the connection does not. */
static void endless_scan(void **state)
{
    (void)state;
    static const char *const scans[] = {"*2\r\n$1\r\n7\r\n*0\r\n",
                                        "*2\r\n$1\r\n7\r\n*1\r\n$16\r\nherd:{paws}:at:x\r\n"};
    connected();
    other.repeats = true;
    say(scans[0], strlen(scans[0]));
    assert_int_equal(herd_redis_driver.read_page(a.database, 1, 100, true), 0);
    a.database->scans = HERD_REDIS_SCANS_MAX - 100;
    adapter_until(&a, a.results[1] >= 0);
    assert_int_equal(a.results[1], HERD_DATABASE_RETRY);
    assert_string_equal(a.messages[1], "its keys have no end");
    assert_int_equal(a.disconnected, 0);
    /* From the beginning, and likewise where there are keys. */
    say(scans[1], strlen(scans[1]));
    assert_int_equal(herd_redis_driver.read_page(a.database, 2, 100, true), 0);
    assert_in_range(a.database->scans, 1, 1);
    a.database->scans = HERD_REDIS_SCANS_MAX;
    adapter_until(&a, a.results[2] >= 0);
    assert_int_equal(a.results[2], HERD_DATABASE_RETRY);
    assert_int_equal(a.disconnected, 0);
    other.repeats = false;
}

/* Answers with bytes changed: whatever they are, each operation is told once, and nothing else happens. */
static void fuzzed(void **state)
{
    (void)state;
    static const char answers[] =
        "$3\r\nabc\r\n:5\r\n*2\r\n$1\r\n1\r\n$1\r\n0\r\n*2\r\n$5\r\nRiley\r\n$9\r\nab 1 2 33\r\n"
        "*2\r\n$2\r\n17\r\n*1\r\n$16\r\nherd:{paws}:at:x\r\n*1\r\n$61\r\n"
        "00000000000000000001 0000000000000000001 A Riley +0.5 +1+1 1 \r\n";
    char bytes[sizeof answers];
    unsigned random = 3;
    for (int round = 0; round < 3000; round++) {
        connected();
        memcpy(bytes, answers, sizeof answers);
        for (int i = 0; i < round % 4; i++) {
            random = random * 1103515245 + 12345;
            bytes[(random >> 8) % (sizeof answers - 1)] = "$*:+-\r\n09 \377"[(random >> 20) % 11];
        }
        say(bytes, sizeof answers - 1);
        struct herd_database_row row = adapter_row(herd_span_of("a"), "Riley", "+1+1", "1");
        herd_redis_driver.find(a.database, 1, herd_span_of("a"));
        herd_redis_driver.write(a.database, 2, &row, 1, NULL);
        herd_redis_driver.read_writers(a.database, 3);
        herd_redis_driver.read_page(a.database, 4, 10, true);
        for (int turn = 0; turn < 6; turn++)
            event_base_loop(base, EVLOOP_NONBLOCK);
        herd_redis_driver.disconnect(a.database);
    }
}

/* A name that is none, and an address that nobody listens at. */
static void nobody_there(void **state)
{
    (void)state;
    static const char *const dsns[] = {"redis://no-such-host.invalid", "redis://127.0.0.1:1", "redis://[::1]:1",
                                       "unix:///nonexistent/socket"};
    for (size_t i = 0; i < 4; i++) {
        struct adapter nobody;
        assert_int_equal(adapter_open(&nobody, base, dsns[i], false), 0);
        if (i) {
            adapter_connect(&nobody);
            assert_int_equal(nobody.disconnected, 1);
            assert_int_equal(nobody.result, HERD_DATABASE_LOST);
        } else {
            /* How long a resolver takes is not ours: it may be dropped meanwhile. */
            assert_int_equal(herd_redis_driver.connect(nobody.database), 0);
            event_base_loop(base, EVLOOP_NONBLOCK);
            herd_redis_driver.disconnect(nobody.database);
            event_base_loop(base, EVLOOP_NONBLOCK);
        }
        herd_redis_driver.close(nobody.database);
    }
    struct adapter local;
    assert_int_equal(adapter_open(&local, base, "redis://localhost:1", false), 0);
    adapter_connect(&local);
    assert_non_null(strstr(local.message, "cannot connect"));
    herd_redis_driver.close(local.database);
    struct herd_database_options options = {.dsn = herd_span_of("unix:///x"), .history = true};
    struct herd_database *database;
    struct herd_diagnostic diagnostic;
    assert_int_equal(herd_redis_driver.open(&database, base, &options, &adapter_events, NULL, &diagnostic),
                     HERD_E_UNSUPPORTED);
    options = (struct herd_database_options){.dsn = herd_span_of("unix:///x"), .herd = "a*"};
    assert_int_equal(herd_redis_driver.open(&database, base, &options, &adapter_events, NULL, &diagnostic),
                     HERD_E_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(not_a_redis, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(endless_reply, setup, teardown),
        cmocka_unit_test_setup_teardown(endless_scan, setup, teardown),
        cmocka_unit_test_setup_teardown(fuzzed, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_there, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
