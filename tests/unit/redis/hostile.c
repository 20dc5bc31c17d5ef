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
    const char *says; /* to the next piece that comes */
    size_t len;
    const char *then; /* to the one behind it; NULL: nothing */
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
        if (!other.repeats) {
            other.says = other.then;
            other.len = other.then ? strlen(other.then) : 0;
            other.then = NULL;
        }
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
        {"+OK\r\n+OK\r\n-NOPERM no\r\n:1\r\n", false, HERD_DATABASE_REFUSED},
        {"+OK\r\n+OK\r\n-LOADING x\r\n", false, HERD_DATABASE_RETRY},
        {"+OK\r\n+OK\r\n$31\r\nredis_version:7.0.15\r\nloading:1\r\n", false, HERD_DATABASE_RETRY},
        {"+OK\r\n+OK\r\n$17\r\nredis_version:6.1\r\n", false, HERD_DATABASE_REFUSED},
        /* Of what is not a record nor a write neither of these can be true. */
        {"+OK\r\n-WRONGTYPE x\r\n", false, HERD_DATABASE_RETRY},
        {"+OK\r\n-READONLY x\r\n", false, HERD_DATABASE_RETRY},
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

/* What else a server may say of itself. */
static void versions(void **state)
{
    (void)state;
    static const struct {
        const char *info, *server;
    } rows[] = {
        {"redis_version:6.2.0\r\n", "redis 6.2.0"},
        {"redis_version:6:2", "redis 6:2"},
        {"redis_version:7/0", "redis 7/0"},
        {"redis_version:12345.6\n", "redis 12345.6"},
        {"redis_version:7.0\r\nrole:\nloading:\r\n", "redis 7.0"},
        {"redis_versions:1.0\r\nredis_version:7.2.4\r\nvalkey_version:8.0.1\r\n", "valkey 8.0.1"},
        {"redis_version:7.0.0123456789012345678901234567890", "redis 7.0.0123456789012345678901234567"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];
        int len = snprintf(text, sizeof text, "+OK\r\n+OK\r\n$%zu\r\n%s\r\n$40\r\n%040d\r\n", strlen(rows[i].info),
                           rows[i].info, 7);
        say(text, (size_t)len);
        adapter_forget(&a);
        adapter_connect(&a);
        assert_int_equal(a.connected, 1);
        assert_string_equal(a.server, rows[i].server);
        herd_redis_driver.disconnect(a.database);
    }
}

#define ONE_KEY "*1\r\n$16\r\nherd:{paws}:at:x\r\n"

static void wrong_answers(void **state)
{
    (void)state;
    static const struct {
        char what;
        const char *says;
        int result;
        const char *then;
    } rows[] = {
        {'f', ":1\r\n", HERD_DATABASE_RETRY, NULL},
        {'f', "*0\r\n", HERD_DATABASE_RETRY, NULL},
        {'f', "$3\r\nabc\r\n", HERD_DATABASE_DONE, NULL},
        {'f', "-NOSCRIPT x\r\n", HERD_DATABASE_RETRY, NULL},
        {'w', "+OK\r\n", HERD_DATABASE_RETRY, NULL},
        {'w', "$-1\r\n", HERD_DATABASE_RETRY, NULL},
        {'w', "$9\r\nsome text\r\n", HERD_DATABASE_REFUSED, NULL},
        {'r', "*0\r\n*0\r\n", HERD_DATABASE_RETRY, NULL},
        {'r', "*2\r\n$1\r\nx\r\n$1\r\n0\r\n*0\r\n", HERD_DATABASE_RETRY, NULL},
        {'r', "*2\r\n$20\r\n99999999999999999999\r\n$1\r\n0\r\n*0\r\n", HERD_DATABASE_RETRY, NULL},
        {'r', "*2\r\n$1\r\n1\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n", HERD_DATABASE_RETRY, NULL},
        {'r', "*2\r\n$1\r\n1\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$7\r\n1 2 3 x\r\n", HERD_DATABASE_DONE, NULL},
        {'r', "*2\r\n$1\r\n1\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n*0\r\n", HERD_DATABASE_RETRY, NULL},
        {'p', "*2\r\n$1\r\n0\r\n*1\r\n$3\r\nfoo\r\n", HERD_DATABASE_RETRY, NULL},
        {'p', "*2\r\n$30\r\n012345678901234567890123456789\r\n*0\r\n", HERD_DATABASE_RETRY, NULL},
        {'p', "*2\r\n*0\r\n*0\r\n", HERD_DATABASE_RETRY, NULL},
        {'p', "*2\r\n$1\r\n0\r\n*0\r\n", HERD_DATABASE_DONE, NULL},
        {'p', "-BUSY x\r\n", HERD_DATABASE_RETRY, NULL},
        /* The second answer to a write is the last, whatever it is. */
        {'w', "-NOSCRIPT x\r\n", HERD_DATABASE_RETRY,
         "$40\r\n0123456789012345678901234567890123456789\r\n-NOSCRIPT y\r\n"},
        {'w', "-NOSCRIPT x\r\n", HERD_DATABASE_REFUSED, "-NOPERM x\r\n:1\r\n"},
        {'w', "-NOSCRIPT x\r\n", HERD_DATABASE_DONE, "$40\r\n0123456789012345678901234567890123456789\r\n:1\r\n"},
        {'r', "*2\r\n$1\r\n1\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$9\r\n1 2 3 4 5\r\n", HERD_DATABASE_DONE, NULL},
        {'r', "*2\r\n$1\r\n1\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$26\r\n1 2 3 18446744073709551615\r\n",
         HERD_DATABASE_DONE, NULL},
        {'r', "*2\r\n$13\r\n9223372036854\r\n$1\r\n0\r\n*0\r\n", HERD_DATABASE_RETRY, NULL},
        {'r', "*2\r\n$1\r\n1\r\n$1\r\nx\r\n*0\r\n", HERD_DATABASE_RETRY, NULL},
        {'p', "*2\r\n$1\r\n0\r\n" ONE_KEY, HERD_DATABASE_RETRY, "*1\r\n:1\r\n"},
        {'p', "*2\r\n$1\r\n0\r\n" ONE_KEY, HERD_DATABASE_RETRY, "*2\r\n$-1\r\n$-1\r\n"},
        {'p', "*2\r\n$1\r\n0\r\n" ONE_KEY, HERD_DATABASE_RETRY, "$-1\r\n"},
        {'p', "*2\r\n$1\r\n0\r\n" ONE_KEY, HERD_DATABASE_DONE, "*1\r\n$-1\r\n"},
        {'p', "*2\r\n$1\r\n0\r\n" ONE_KEY, HERD_DATABASE_DONE, "*1\r\n$3\r\nabc\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        connected();
        say(rows[i].says, strlen(rows[i].says));
        other.then = rows[i].then;
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

/* Servers of the herd: those of any age, and no more than there can be. */
static void many_writers(void **state)
{
    (void)state;
    static char reply[5000 * 32];
    connected();
    static const char old[] =
        "*2\r\n$13\r\n9223372036852\r\n$6\r\n999999\r\n"
        "*4\r\n$1\r\na\r\n$8\r\nff 2 3 0\r\n$1\r\nb\r\n$27\r\nff 2 -3 9223372036853000000\r\n";
    say(old, sizeof old - 1);
    assert_int_equal(herd_redis_driver.read_writers(a.database, 1), 0);
    adapter_until(&a, a.results[1] >= 0);
    assert_int_equal(a.results[1], HERD_DATABASE_DONE);
    assert_int_equal(a.writer_count, 2);
    assert_int_equal(a.writers[0].incarnation, 255);
    assert_int_equal(a.writers[0].written_until_ns, 3);
    assert_true(a.writers[0].age_ns == INT64_MAX);
    assert_int_equal(a.writers[1].written_until_ns, -3);
    assert_int_equal(a.writers[1].age_ns, 0); /* it wrote later than now */
    size_t len = (size_t)snprintf(reply, sizeof reply, "*2\r\n$1\r\n1\r\n$1\r\n0\r\n*10000\r\n");
    for (int i = 0; i < 5000; i++)
        len += (size_t)snprintf(reply + len, sizeof reply - len, "$4\r\n%04d\r\n$7\r\n1 2 3 4\r\n", i);
    say(reply, len);
    assert_int_equal(herd_redis_driver.read_writers(a.database, 2), 0);
    adapter_until(&a, a.results[2] >= 0);
    assert_int_equal(a.results[2], HERD_DATABASE_DONE);
    assert_int_equal(a.writer_count, 4096);
    assert_string_equal(a.writer_names[7], "0007");
}

/* The part of the keys that was looked at meanwhile has none of ours: the next page begins behind it. */
static void empty_part(void **state)
{
    (void)state;
    connected();
    static const char scanned[] = "*2\r\n$1\r\n7\r\n" ONE_KEY;
    say(scanned, sizeof scanned - 1);
    other.then = "*1\r\n$-1\r\n*2\r\n$1\r\n8\r\n*0\r\n";
    assert_int_equal(herd_redis_driver.read_page(a.database, 1, 100, true), 0);
    adapter_until(&a, a.results[1] >= 0);
    assert_int_equal(a.results[1], HERD_DATABASE_DONE);
    assert_false(a.last);
    assert_string_equal(a.database->cursor, "8");
    static const char end[] = "*2\r\n$1\r\n0\r\n*0\r\n";
    say(end, sizeof end - 1);
    adapter_until(&a, a.database->ahead != NULL); /* nobody asked yet */
    assert_int_equal(herd_redis_driver.read_page(a.database, 2, 100, false), 0);
    adapter_until(&a, a.results[2] >= 0);
    assert_int_equal(a.results[2], HERD_DATABASE_DONE);
    assert_true(a.last);
    assert_int_equal(a.rows, 0);
}

/* All keys are known, and the last page is not there yet: the one before is not the last. */
static void last_under_way(void **state)
{
    (void)state;
    connected();
    static const char scanned[] = "*2\r\n$1\r\n7\r\n*2\r\n$16\r\nherd:{paws}:at:x\r\n$16\r\nherd:{paws}:at:y\r\n";
    say(scanned, sizeof scanned - 1);
    other.then = "*2\r\n$-1\r\n$-1\r\n*2\r\n$1\r\n0\r\n" ONE_KEY;
    for (unsigned ticket = 1; ticket <= 2; ticket++) { /* a part of the first page each */
        assert_int_equal(herd_redis_driver.read_page(a.database, ticket, 1, ticket == 1), 0);
        adapter_until(&a, a.results[ticket] >= 0);
        assert_int_equal(a.results[ticket], HERD_DATABASE_DONE);
        assert_false(a.last);
    }
    adapter_until(&a, a.database->under_way_count == 1);
    assert_int_equal(send(other.fd, "*1\r\n$-1\r\n", 9, MSG_NOSIGNAL), 9);
    assert_int_equal(herd_redis_driver.read_page(a.database, 3, 1, false), 0);
    adapter_until(&a, a.results[3] >= 0);
    assert_int_equal(a.results[3], HERD_DATABASE_DONE);
    assert_true(a.last);
}

/* Far more than may be under way: no more than that is, and all of it goes. */
static void many_commands(void **state)
{
    (void)state;
    static struct herd_database_row rows[1030 * 100];
    char answers[4 * HERD_REDIS_SENT_MAX];
    for (size_t i = 0; i < sizeof answers; i++)
        answers[i] = ":1\r\n"[i % 4];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        rows[i] = adapter_row(herd_span_of("a"), "Riley", "+1+1", "1");
    connected();
    assert_int_equal(herd_redis_driver.write(a.database, 1, rows, sizeof rows / sizeof rows[0], &adapter_writer),
                     0);
    adapter_until(&a, a.database->under_way_count == HERD_REDIS_SENT_MAX && a.database->out.len == 0);
    for (int i = 0; i < 3; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(a.database->under_way_count, HERD_REDIS_SENT_MAX);
    assert_int_equal(a.results[1], -1);
    size_t answered = 0;
    for (size_t sent = HERD_REDIS_SENT_MAX; answered < 1030; sent = a.database->under_way_count) {
        assert_int_equal(send(other.fd, answers, 4 * sent, MSG_NOSIGNAL), 4 * sent);
        answered += sent;
        adapter_until(&a, a.results[1] >= 0 ||
                              (a.database->under_way_count == 1030 - answered && a.database->out.len == 0));
    }
    adapter_until(&a, a.results[1] >= 0);
    assert_int_equal(a.results[1], HERD_DATABASE_DONE);
}

/* Whoever is told that a write was lost may end it all there: nothing is told after that. */
static void ended_when_told(void **state)
{
    (void)state;
    struct herd_database_row row = adapter_row(herd_span_of("a"), "Riley", "+1+1", "1");
    connected();
    say("-", 1);
    other.closes = true;
    for (unsigned i = 1; i <= 3; i++)
        assert_int_equal(herd_redis_driver.write(a.database, i, &row, 1, NULL), 0);
    assert_int_equal(herd_redis_driver.read_page(a.database, 4, 10, true), 0);
    a.disconnect_in_written = true;
    adapter_until(&a, a.told > 0);
    for (int i = 0; i < 3; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(a.results[1], HERD_DATABASE_LOST);
    assert_int_equal(a.told, 1);
    assert_int_equal(a.disconnected, 0);
    a.disconnect_in_written = other.closes = false;
    connected();
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
        cmocka_unit_test_setup_teardown(versions, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(many_writers, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_part, setup, teardown),
        cmocka_unit_test_setup_teardown(last_under_way, setup, teardown),
        cmocka_unit_test_setup_teardown(many_commands, setup, teardown),
        cmocka_unit_test_setup_teardown(ended_when_told, setup, teardown),
        cmocka_unit_test_setup_teardown(endless_reply, setup, teardown),
        cmocka_unit_test_setup_teardown(endless_scan, setup, teardown),
        cmocka_unit_test_setup_teardown(fuzzed, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_there, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
