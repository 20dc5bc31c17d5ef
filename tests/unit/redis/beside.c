/* SPDX-License-Identifier: MIT */
/* The adapter with a real Redis, or Valkey, which the test starts; skipped where there is none. */
#include "adapter.h"
#include "server.h"

#include "redis_impl.h"

#include <herd/store.h>

static struct event_base *base;
static struct redis_server server;
static struct adapter a;

static void dsn_of(char text[128], const char *user)
{
    snprintf(text, 128, "unix://%s%s", user, server.socket);
}

static int open_adapter(struct adapter *at, const char *user, bool geo)
{
    char dsn[128];
    dsn_of(dsn, user);
    return adapter_open(at, base, dsn, geo);
}

static int setup(void **state)
{
    (void)state;
    base = event_base_new();
    redis_make(&server);
    return open_adapter(&a, "", false);
}

static int teardown(void **state)
{
    (void)state;
    herd_redis_driver.close(a.database);
    redis_end(&server);
    event_base_free(base);
    return 0;
}

static int setup_geo(void **state)
{
    int err = setup(state);
    herd_redis_driver.close(a.database);
    return err ? err : open_adapter(&a, "", true);
}

static void connected(void)
{
    unsigned before = a.connected;
    adapter_connect(&a);
    if (a.connected == before)
        fail_msg("%s", a.message);
}

/* ---- what it is for ---- */

static void written_and_found(void **state)
{
    (void)state;
    connected();
    assert_non_null(strchr(a.server, '.'));
    static char big[65000];
    memset(big, 'x', sizeof big);
    const struct herd_span ids[] = {
        {"\0nul\0", 5}, {"\1\377\376", 3}, {"kiwi", 4}, {big, sizeof big}, {"\377\377", 2}};
    struct herd_database_row rows[5];
    for (size_t i = 0; i < 5; i++)
        rows[i] = adapter_row(ids[i], "Riley", "+34.068930-118.445127", "1621464827.959498503");
    assert_int_equal(adapter_write(&a, 1, rows, 5), HERD_DATABASE_DONE);
    for (size_t i = 0; i < 5; i++) {
        assert_true(adapter_find(&a, ids[i]));
        assert_string_equal(a.found_line, "Riley +0.5 +34.068930-118.445127 1621464827.959498503");
    }
    assert_false(adapter_find(&a, herd_span_of("kiw")));
    /* What is older, the same, or greater by one byte. */
    rows[0] = adapter_row(ids[2], "Riley", "+1+1", "1621464827.9594985029");
    assert_int_equal(adapter_write(&a, 2, rows, 1), HERD_DATABASE_DONE);
    assert_true(adapter_find(&a, ids[2]) && strstr(a.found_line, "+34.068930"));
    rows[0] = adapter_row(ids[2], "Riley", "", "1621464827.959498503");
    assert_int_equal(adapter_write(&a, 3, rows, 1), HERD_DATABASE_DONE);
    assert_true(adapter_find(&a, ids[2]));
    assert_string_equal(a.found_line, "Riley +0.5  1621464827.959498503");
    adapter_read_all(&a, 2);
    assert_int_equal(a.rows, 5);
    /* What the writer said of itself. */
    assert_int_equal(herd_redis_driver.read_writers(a.database, 4), 0);
    adapter_until(&a, a.results[4] >= 0);
    assert_int_equal(a.writer_count, 1);
    assert_string_equal(a.writer_names[0], "Riley");
    assert_true(a.writers[0].incarnation == adapter_writer.incarnation && a.writers[0].sequence == 41 &&
                a.writers[0].written_until_ns == 1234567890123456789);
    assert_true(a.writers[0].age_ns >= 0 && a.writers[0].age_ns < INT64_C(20000000000));
    /* What was sent before comes late: it takes nothing away. A run of its own begins anew. */
    struct herd_database_writer late = adapter_writer;
    late.sequence = 5;
    assert_int_equal(herd_redis_driver.write(a.database, 5, NULL, 0, &late), 0);
    assert_int_equal(herd_redis_driver.read_writers(a.database, 6), 0);
    adapter_until(&a, a.results[6] >= 0);
    assert_int_equal(a.writers[0].sequence, 41);
    late.incarnation++;
    assert_int_equal(herd_redis_driver.write(a.database, 7, NULL, 0, &late), 0);
    assert_int_equal(herd_redis_driver.read_writers(a.database, 8), 0);
    adapter_until(&a, a.results[8] >= 0);
    assert_int_equal(a.writers[0].sequence, 5);
}

/* Another herd, and another program's keys, in the same database are not seen. */
static void herds_apart(void **state)
{
    (void)state;
    char dsn[128];
    struct adapter other = {.base = base};
    adapter_forget(&other);
    dsn_of(dsn, "");
    struct herd_database_options options = {.dsn = herd_span_of(dsn)};
    struct herd_diagnostic diagnostic;
    assert_int_equal(herd_redis_driver.open(&other.database, base, &options, &adapter_events, &other, &diagnostic),
                     0);
    connected();
    adapter_connect(&other);
    struct herd_database_row row = adapter_row(herd_span_of("a"), "Riley", "+1+1", "1");
    assert_int_equal(adapter_write(&a, 1, &row, 1), HERD_DATABASE_DONE);
    redis_run(&server, "SET herd:{paws}:other x");
    redis_run(&server, "MSET other x herd:{paws}x:at:b y");
    assert_false(adapter_find(&other, herd_span_of("a")));
    adapter_read_all(&other, 10);
    assert_int_equal(other.rows, 0);
    adapter_read_all(&a, 10);
    assert_int_equal(a.rows, 1);
    herd_redis_driver.close(other.database);
}

static void expires(void **state)
{
    (void)state;
    connected();
    redisReply *now = redis_do(&server, "TIME");
    int64_t ms = strtoll(now->element[0]->str, NULL, 10) * 1000;
    freeReplyObject(now);
    struct herd_database_row rows[3];
    for (size_t i = 0; i < 3; i++)
        rows[i] = adapter_row((struct herd_span){&"abc"[i], 1}, "Riley", "+1+1", "1");
    rows[0].expires_ns = (ms + 100000) * 1000000 + 1;
    rows[1].expires_ns = -5;
    assert_int_equal(adapter_write(&a, 1, rows, 3), HERD_DATABASE_DONE);
    redisReply *reply = redis_do(&server, "PEXPIRETIME herd:{paws}:at:a");
    assert_int_equal(reply->integer, ms + 100001);
    freeReplyObject(reply);
    assert_false(adapter_find(&a, herd_span_of("b")));
    reply = redis_do(&server, "PTTL herd:{paws}:at:c");
    assert_int_equal(reply->integer, -1);
    freeReplyObject(reply);
}

/* ---- the order ---- */

#define IDS     60
#define RECORDS 6000

struct offered {
    struct herd_database_row row;
    char id[8], position[16], time[40], server[8], diff[8];
};

static unsigned random_state = 7;
static unsigned pick(unsigned n)
{
    random_state = random_state * 1103515245 + 12345;
    return (random_state >> 8) % n;
}

static void offer(struct offered *to, bool effective)
{
    snprintf(to->id, sizeof to->id, "id%u", pick(IDS));
    to->position[0] = 0;
    if (pick(8))
        snprintf(to->position, sizeof to->position, "+%u.%u+0%u", pick(3), pick(2), pick(2));
    static const char *const decimals[] = {"",           ".5", ".50", ".000000001", ".0000000011", ".00000000110",
                                           ".0000000012"};
    snprintf(to->time, sizeof to->time, "%s%u%s", pick(5) ? "" : "0", pick(3), decimals[pick(7)]);
    snprintf(to->server, sizeof to->server, "%s", pick(2) ? "Riley" : pick(2) ? "Rile" : "Bona");
    snprintf(to->diff, sizeof to->diff, "%c%u", pick(2) ? '+' : '-', pick(3));
    to->row = (struct herd_database_row){.record = {herd_span_of(to->server), herd_span_of(to->diff),
                                                    herd_span_of(to->id), herd_span_of(to->position),
                                                    herd_span_of(to->time), 0},
                                         .expires_ns = INT64_MAX};
    herd_timestamp_parse(to->row.record.time, &to->row.record.time_ns);
    to->row.effective_ns = effective ? (int64_t)pick(4) * 1000000007 - 2000000000 : to->row.record.time_ns;
}

static int by_id(const void *x, const void *y)
{
    const struct herd_database_row *left = x, *right = y;
    return herd_span_compare(left->record.id, right->record.id);
}

/* Of the records of an id with the greatest effective time the one that the store keeps. */
static void best(const struct offered *all, struct herd_span id, char line[128])
{
    struct herd_store *store;
    int64_t most = INT64_MIN;
    for (size_t i = 0; i < RECORDS; i++)
        if (herd_span_equal(all[i].row.record.id, id) && all[i].row.effective_ns > most)
            most = all[i].row.effective_ns;
    assert_int_equal(herd_store_new(&store, NULL), 0);
    for (size_t i = 0; i < RECORDS; i++)
        if (herd_span_equal(all[i].row.record.id, id) && all[i].row.effective_ns == most)
            assert_int_equal(herd_store_put(store, &all[i].row.record, NULL, NULL), 0);
    struct herd_record r;
    line[0] = 0;
    if (herd_store_get(store, id, &r))
        snprintf(line, 128, "%.*s %.*s %.*s %.*s", (int)r.server.len, r.server.at, (int)r.diff.len, r.diff.at,
                 (int)r.position.len, r.position.at, (int)r.time.len, r.time.at);
    herd_store_free(store);
}

/* Two writers offer the same records in two orders, batches of each with unique ids. */
static void ties(bool effective)
{
    static struct offered all[RECORDS];
    static size_t orders[2][RECORDS];
    struct adapter other;
    struct adapter *writers[2] = {&a, &other};
    size_t at[2] = {0, 0};
    assert_int_equal(open_adapter(&other, "", false), 0);
    connected();
    adapter_connect(&other);
    for (size_t i = 0; i < RECORDS; i++) {
        offer(&all[i], effective);
        orders[0][i] = orders[1][i] = i;
    }
    for (size_t w = 0; w < 2; w++)
        for (size_t i = RECORDS - 1; i > 0; i--) {
            size_t k = pick((unsigned)i + 1), held = orders[w][i];
            orders[w][i] = orders[w][k];
            orders[w][k] = held;
        }
    for (bool more = true; more;) {
        more = false;
        for (size_t w = 0; w < 2; w++) {
            struct herd_database_row rows[IDS];
            size_t count = 0;
            while (at[w] < RECORDS && count < 40) {
                const struct herd_database_row *row = &all[orders[w][at[w]]].row;
                bool twice = false;
                for (size_t i = 0; i < count; i++)
                    twice |= herd_span_equal(rows[i].record.id, row->record.id);
                if (twice)
                    break;
                rows[count++] = *row;
                at[w]++;
            }
            qsort(rows, count, sizeof rows[0], by_id);
            writers[w]->results[1] = -1;
            assert_int_equal(herd_redis_driver.write(writers[w]->database, 1, rows, count, NULL), 0);
            more |= at[w] < RECORDS;
        }
        adapter_until(&a, a.results[1] >= 0 && other.results[1] >= 0);
        assert_true(a.results[1] == HERD_DATABASE_DONE && other.results[1] == HERD_DATABASE_DONE);
    }
    for (unsigned i = 0; i < IDS; i++) {
        char id[8], want[128];
        snprintf(id, sizeof id, "id%u", i);
        best(all, herd_span_of(id), want);
        assert_true(adapter_find(&a, herd_span_of(id)));
        assert_string_equal(a.found_line, want);
    }
    herd_redis_driver.close(other.database);
}

static void ties_as_the_store(void **state)
{
    (void)state;
    ties(false);
}

static void ties_by_effective_time(void **state)
{
    (void)state;
    ties(true);
}

/* ---- long writes ---- */

static void many(struct herd_database_row *rows, char ids[][8], size_t count, const char *time)
{
    for (size_t i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[0], "%06zu", i % 1000000);
        rows[i] = adapter_row(herd_span_of(ids[i]), "Riley", "+1+1", time);
    }
}

/* Several calls to a write, several writes and reads begun at once: all told, in that order. */
static void in_order(void **state)
{
    (void)state;
    static struct herd_database_row rows[2500];
    static char ids[2500][8];
    connected();
    many(rows, ids, 2500, "5");
    assert_int_equal(herd_redis_driver.write(a.database, 1, rows, 2500, &adapter_writer), 0);
    assert_int_equal(herd_redis_driver.find(a.database, 2, herd_span_of("002499")), 0);
    assert_int_equal(herd_redis_driver.write(a.database, 3, rows, 0, &adapter_writer), 0);
    assert_int_equal(herd_redis_driver.read_writers(a.database, 4), 0);
    assert_int_equal(herd_redis_driver.write(a.database, 5, rows, 101, &adapter_writer), 0);
    assert_int_equal(herd_redis_driver.read_page(a.database, 6, 100, true), 0);
    assert_int_equal(a.told, 0);
    adapter_until(&a, a.told == 6);
    for (unsigned t = 1; t <= 6; t++)
        assert_true(a.results[t] == HERD_DATABASE_DONE && a.order[t] == t - 1);
    adapter_read_all(&a, 1000);
    assert_true(a.rows >= 2500 && a.pages >= 2);
    redisReply *reply = redis_do(&server, "DBSIZE");
    assert_int_equal(reply->integer, 2501);
    freeReplyObject(reply);
}

/* Somebody else throws all scripts away, before and while writes are under way. */
static void script_gone(void **state)
{
    (void)state;
    static struct herd_database_row rows[1000];
    static char ids[1000][8];
    connected();
    many(rows, ids, 1000, "5");
    redis_run(&server, "SCRIPT FLUSH");
    assert_int_equal(herd_redis_driver.write(a.database, 1, rows, 1000, &adapter_writer), 0);
    assert_int_equal(herd_redis_driver.write(a.database, 2, rows, 50, &adapter_writer), 0);
    assert_int_equal(herd_redis_driver.find(a.database, 3, herd_span_of("000999")), 0);
    adapter_until(&a, a.told == 3);
    for (unsigned t = 1; t <= 3; t++)
        assert_true(a.results[t] == HERD_DATABASE_DONE && a.order[t] == t - 1);
    adapter_read_all(&a, 1000);
    assert_true(a.rows >= 1000);
    for (int round = 0; round < 20; round++) {
        redis_run(&server, "SCRIPT FLUSH");
        assert_int_equal(adapter_write(&a, 4, rows, 300), HERD_DATABASE_DONE);
    }
}

/* ---- failures ---- */

static void killed(void **state)
{
    (void)state;
    static struct herd_database_row rows[1000];
    static char ids[1000][8];
    connected();
    many(rows, ids, 1000, "5");
    for (int round = 0; round < 5; round++) {
        adapter_forget(&a);
        assert_int_equal(herd_redis_driver.write(a.database, 1, rows, 1000, &adapter_writer), 0);
        assert_int_equal(herd_redis_driver.write(a.database, 2, rows, 10, &adapter_writer), 0);
        assert_int_equal(herd_redis_driver.find(a.database, 3, herd_span_of("x")), 0);
        for (int turn = 0; turn < round; turn++)
            event_base_loop(base, EVLOOP_ONCE);
        redis_kill(&server);
        adapter_until(&a, a.disconnected);
        for (unsigned t = 1; t <= 3; t++)
            assert_true(a.results[t] == HERD_DATABASE_LOST || a.results[t] == HERD_DATABASE_DONE);
        assert_int_equal(a.disconnected, 1);
        assert_int_equal(herd_redis_driver.write(a.database, 4, rows, 1, NULL), HERD_E_STATE);
        assert_int_equal(herd_redis_driver.find(a.database, 4, herd_span_of("x")), HERD_E_STATE);
        adapter_connect(&a); /* nobody there */
        assert_int_equal(a.disconnected, 2);
        assert_non_null(strstr(a.message, "cannot connect"));
        redis_start(&server);
        connected();
        assert_int_equal(adapter_write(&a, 5, rows, 1000), HERD_DATABASE_DONE);
    }
}

static void forgets(void **state)
{
    (void)state;
    connected();
    struct herd_database_writer writer = adapter_writer;
    for (writer.sequence = 1; writer.sequence <= 3; writer.sequence++) {
        a.results[1] = -1;
        assert_int_equal(herd_redis_driver.write(a.database, 1, NULL, 0, &writer), 0);
        adapter_until(&a, a.results[1] >= 0);
        if (writer.sequence == 2)
            redis_run(&server, "SAVE");
    }
    redis_kill(&server); /* what came behind the dump is gone */
    redis_start(&server);
    adapter_until(&a, a.disconnected);
    connected();
    assert_int_equal(herd_redis_driver.read_writers(a.database, 2), 0);
    adapter_until(&a, a.results[2] >= 0);
    assert_true(a.writer_count == 1 && a.writers[0].sequence == 2);
    redis_run(&server, "FLUSHALL");
    assert_int_equal(herd_redis_driver.read_writers(a.database, 3), 0);
    adapter_until(&a, a.results[3] >= 0);
    assert_int_equal(a.writer_count, 0);
}

static void refuses_us(void **state)
{
    (void)state;
    struct adapter other;
    redis_run(&server, "ACL SETUSER herd on >geheim-12 ~herd:* +@all");
    redis_run(&server, "ACL SETUSER poor on >geheim-13 ~herd:* +@all -eval -evalsha -script");
    redis_run(&server, "CONFIG SET requirepass geheim-11");
    static const struct {
        const char *user;
        bool ok;
    } rows[] = {
        {"", false},           {":geheim-14@", false},    {"herd:geheim-14@", false}, {"nobody:geheim-14@", false},
        {":geheim-11@", true}, {"herd:geheim-12@", true}, {"poor:geheim-13@", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(open_adapter(&other, rows[i].user, false), 0);
        adapter_connect(&other);
        assert_int_equal(other.connected, rows[i].ok);
        if (!rows[i].ok) {
            assert_int_equal(other.result, HERD_DATABASE_REFUSED);
            assert_null(strstr(other.message, "geheim"));
        }
        herd_redis_driver.close(other.database);
    }
    /* Rights that are taken away later. */
    assert_int_equal(open_adapter(&other, "herd:geheim-12@", false), 0);
    adapter_connect(&other);
    redis_run(&server, "AUTH geheim-11");
    redis_run(&server, "ACL SETUSER herd resetkeys ~other:*");
    struct herd_database_row row = adapter_row(herd_span_of("a"), "Riley", "+1+1", "1");
    assert_int_equal(adapter_write(&other, 1, &row, 1), HERD_DATABASE_REFUSED);
    assert_non_null(strstr(other.messages[1], "NOPERM"));
    herd_redis_driver.close(other.database);
}

static void no_memory_there(void **state)
{
    (void)state;
    connected();
    struct herd_database_row row = adapter_row(herd_span_of("a"), "Riley", "+1+1", "1");
    redis_run(&server, "CONFIG SET maxmemory 1");
    assert_int_equal(adapter_write(&a, 1, &row, 1), HERD_DATABASE_RETRY);
    assert_non_null(strstr(a.messages[1], "OOM"));
    redis_run(&server, "CONFIG SET maxmemory 0");
    assert_int_equal(adapter_write(&a, 2, &row, 1), HERD_DATABASE_DONE);
}

static void wrong_types(void **state)
{
    (void)state;
    connected();
    struct herd_database_row rows[2] = {adapter_row(herd_span_of("a"), "Riley", "+1+1", "1"),
                                        adapter_row(herd_span_of("b"), "Riley", "+1+1", "1")};
    redis_run(&server, "LPUSH herd:{paws}:at:a x");
    assert_int_equal(adapter_write(&a, 1, rows, 2), HERD_DATABASE_BAD);
    assert_int_equal(adapter_write(&a, 2, rows, 1), HERD_DATABASE_BAD);
    assert_int_equal(adapter_write(&a, 3, rows + 1, 1), HERD_DATABASE_DONE);
    adapter_read_all(&a, 10);
    assert_int_equal(a.rows, 1);
    redis_run(&server, "DEL herd:{paws}:writers");
    redis_run(&server, "LPUSH herd:{paws}:writers x");
    assert_int_equal(adapter_write(&a, 4, rows + 1, 1), HERD_DATABASE_REFUSED);
    assert_int_equal(herd_redis_driver.read_writers(a.database, 5), 0);
    adapter_until(&a, a.results[5] >= 0);
    assert_int_equal(a.results[5], HERD_DATABASE_BAD);
    /* Another program's text. */
    redis_run(&server, "SET herd:{paws}:at:c hello");
    assert_false(adapter_find(&a, herd_span_of("c")));
}

/* It became a replica of another one: what it is connected to is not what takes writes. */
static void replica(void **state)
{
    (void)state;
    connected();
    struct herd_database_row row = adapter_row(herd_span_of("a"), "Riley", "+1+1", "1");
    redis_run(&server, "REPLICAOF 127.0.0.1 1");
    assert_int_equal(adapter_write(&a, 1, &row, 1), HERD_DATABASE_LOST);
    adapter_until(&a, a.disconnected);
    assert_non_null(strstr(a.message, "READONLY"));
    adapter_connect(&a);
    assert_int_equal(a.disconnected, 2);
    assert_int_equal(a.result, HERD_DATABASE_RETRY);
    redis_run(&server, "REPLICAOF NO ONE");
    a.connected = a.disconnected = 0;
    connected();
    assert_int_equal(adapter_write(&a, 2, &row, 1), HERD_DATABASE_DONE);
}

/* ---- places ---- */

static void places(void **state)
{
    (void)state;
    connected();
    static const char *const positions[] = {
        "+90+180", "-90-180", "+85.06+0", "+0.0000000+0", "-34.0689301-118.4451271", "+00001.5-000.25"};
    struct herd_database_row rows[6];
    for (size_t i = 0; i < 6; i++)
        rows[i] = adapter_row((struct herd_span){&"abcdef"[i], 1}, "Riley", positions[i], "1");
    assert_int_equal(adapter_write(&a, 1, rows, 6), HERD_DATABASE_DONE);
    redisReply *reply = redis_do(&server, "GEOPOS herd:{paws}:geo a b c d e f");
    static const double want[][2] = {{180, 85.0511287},           {-180, -85.0511287}, {0, 85.0511287}, {0, 0},
                                     {-118.4451271, -34.0689301}, {-0.25, 1.5}};
    for (size_t i = 0; i < 6; i++)
        for (size_t k = 0; k < 2; k++) {
            double off = strtod(reply->element[i]->element[k]->str, NULL) - want[i][k];
            assert_true(off < 1e-5 && off > -1e-5);
        }
    freeReplyObject(reply);
    /* Deleted ones are not there, and those that expired go later. */
    rows[0] = adapter_row(herd_span_of("a"), "Riley", "", "2");
    assert_int_equal(adapter_write(&a, 2, rows, 1), HERD_DATABASE_DONE);
    redis_run(&server, "DEL herd:{paws}:at:b");
    for (int tries = 0;; tries++) {
        assert_true(tries < 1000);
        assert_int_equal(adapter_write(&a, 3, rows, 0), HERD_DATABASE_DONE);
        reply = redis_do(&server, "ZCARD herd:{paws}:geo");
        long long count = reply->integer;
        freeReplyObject(reply);
        if (count == 4)
            break;
    }
    redis_run(&server, "DEL herd:{paws}:geo");
    redis_run(&server, "SET herd:{paws}:geo x");
    rows[0] = adapter_row(herd_span_of("g"), "Riley", "+1+1", "2");
    assert_int_equal(adapter_write(&a, 4, rows, 1), HERD_DATABASE_REFUSED);
}

/* ---- endings ---- */

static void dropped(void **state)
{
    (void)state;
    static struct herd_database_row rows[1000];
    static char ids[1000][8];
    connected();
    many(rows, ids, 1000, "5");
    assert_int_equal(herd_redis_driver.write(a.database, 1, rows, 1000, &adapter_writer), 0);
    herd_redis_driver.disconnect(a.database);
    event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(a.results[1], -1);
    assert_int_equal(herd_redis_driver.write(a.database, 1, rows, 1, NULL), HERD_E_STATE);
    /* From inside of an event, with more under way. */
    a.connected = 0;
    connected();
    a.disconnect_in_written = true;
    assert_int_equal(herd_redis_driver.write(a.database, 1, rows, 1000, &adapter_writer), 0);
    assert_int_equal(herd_redis_driver.write(a.database, 2, rows, 10, &adapter_writer), 0);
    adapter_until(&a, a.results[1] >= 0);
    event_base_loop(base, EVLOOP_NONBLOCK);
    assert_true(a.results[2] == -1 && a.disconnected == 0);
    a.disconnect_in_written = false;
    /* An attempt is dropped; `connect` from inside of `disconnected`. */
    assert_int_equal(herd_redis_driver.connect(a.database), 0);
    herd_redis_driver.disconnect(a.database);
    event_base_loop(base, EVLOOP_NONBLOCK);
    a.connected = 0;
    connected();
    a.reconnect = true;
    a.connected = 0;
    redis_run(&server, "CLIENT KILL TYPE normal SKIPME yes");
    adapter_until(&a, a.connected);
    assert_int_equal(a.disconnected, 1);
    assert_int_equal(adapter_write(&a, 3, rows, 1000), HERD_DATABASE_DONE);
    /* More than may be begun at once. */
    int err = 0, begun = 0;
    while ((err = herd_redis_driver.find(a.database, 4, herd_span_of("x"))) == 0)
        begun++;
    assert_int_equal(err, HERD_E_NOMEM);
    assert_int_equal(begun, 256);
    herd_redis_driver.disconnect(a.database);
}

/* Rows so long that a call of the script takes but a few of them. */
static void long_rows(void **state)
{
    (void)state;
    static struct herd_database_row rows[12];
    static char ids[12][60000];
    connected();
    for (size_t i = 0; i < 12; i++) {
        memset(ids[i], 'a' + (int)i, sizeof ids[i]);
        rows[i] = adapter_row((struct herd_span){ids[i], sizeof ids[i]}, "Riley", "+1+1", "5");
    }
    assert_int_equal(herd_redis_driver.write(a.database, 1, rows, 12, &adapter_writer), 0);
    assert_int_equal(a.database->first->count, 3); /* of 4 rows each: the 5th would be beyond 256 KiB */
    adapter_until(&a, a.results[1] >= 0);
    assert_int_equal(a.results[1], HERD_DATABASE_DONE);
    for (size_t i = 0; i < 12; i++)
        assert_true(adapter_find(&a, rows[i].record.id));
    adapter_read_all(&a, 5);
    assert_true(a.rows >= 12);
}

/* ---- pages ---- */

/* Reads on from the first page, whose rows are counted already. */
static void read_on(size_t limit, size_t all)
{
    while (!a.last) {
        a.results[2] = -1;
        assert_int_equal(herd_redis_driver.read_page(a.database, 2, limit, false), 0);
        adapter_until(&a, a.results[2] >= 0);
        assert_int_equal(a.results[2], HERD_DATABASE_DONE);
    }
    assert_true(a.rows >= all); /* SCAN may give a key twice */
}

/* What is read ahead while nobody asks is there when somebody does, and goes with the connection or for a new beginning. */
static void read_ahead(void **state)
{
    (void)state;
    static struct herd_database_row rows[5000];
    static char ids[5000][8];
    connected();
    many(rows, ids, 5000, "5");
    redis_run(&server, "FLUSHALL");
    assert_int_equal(adapter_write(&a, 1, rows, 5000), HERD_DATABASE_DONE);
    redis_run(&server, "SET herd:{paws}:at:zzz nonsense"); /* no row */
    for (int round = 0; round < 4; round++) {
        const size_t limit = round % 2 ? 10 : 1000; /* a part of what one answer has, or all of it but for some */
        adapter_forget(&a);
        assert_int_equal(herd_redis_driver.read_page(a.database, 1, limit, true), 0);
        adapter_until(&a, a.results[1] >= 0);
        assert_int_equal(a.results[1], HERD_DATABASE_DONE);
        adapter_until(&a, a.database->page == NULL);
        assert_non_null(a.database->ahead);
        assert_int_equal(a.told, 1);
        if (round < 2) {
            read_on(limit, 5000);
        } else {
            herd_redis_driver.disconnect(a.database);
            assert_null(a.database->ahead);
            connected();
        }
        a.last = false;
        a.pages = a.rows = 0;
        a.results[1] = -1;
        assert_int_equal(herd_redis_driver.read_page(a.database, 1, 0, true), 0); /* at least a row */
        adapter_until(&a, a.results[1] >= 0);
        assert_int_equal(a.rows, 1);
        read_on(1000, 5000);
    }
}

static int at_row;

static void leave(void *ctx, const struct herd_database_row *row)
{
    struct adapter *leaving = ctx;
    (void)row;
    if (--at_row)
        return;
    switch (leaving->pages % 3) {
    case 0: herd_redis_driver.disconnect(leaving->database); break;
    case 1: assert_int_equal(herd_redis_driver.connect(leaving->database), 0); break;
    default:
        herd_redis_driver.disconnect(leaving->database);
        assert_int_equal(herd_redis_driver.read_page(leaving->database, 3, 10, false), HERD_E_STATE);
        break;
    }
}

static void restart(void *ctx, const struct herd_database_row *row)
{
    struct adapter *reading = ctx;
    (void)row;
    if (--at_row == 0)
        assert_int_equal(herd_redis_driver.read_page(reading->database, 3, 1000, true), 0);
}

/* From inside of a page the connection is ended, or made anew, or the reading is begun again: the rows are the owner's until the
 * event ends. */
static void pages_left(void **state)
{
    (void)state;
    static struct herd_database_row rows[3000];
    static char ids[3000][8];
    connected();
    many(rows, ids, 3000, "5");
    redis_run(&server, "FLUSHALL");
    assert_int_equal(adapter_write(&a, 1, rows, 3000), HERD_DATABASE_DONE);
    for (int page = 1; page <= 6; page++) {
        adapter_forget(&a);
        a.row = leave;
        a.row_ctx = &a;
        at_row = page * 10 - 5;
        for (int i = 1; i <= page; i++) {
            a.results[1] = -1;
            assert_int_equal(herd_redis_driver.read_page(a.database, 1, 10, i == 1), 0);
            adapter_until(&a, a.results[1] >= 0);
            assert_int_equal(a.results[1], HERD_DATABASE_DONE);
        }
        assert_int_equal(at_row, -5);
        assert_int_equal(a.rows, page * 10);
        for (int i = 0; i < 3; i++)
            event_base_loop(base, EVLOOP_NONBLOCK);
        assert_int_equal(a.disconnected, 0);
        a.row = NULL;
        a.connected = 0;
        connected();
    }
    for (int page = 1; page <= 3; page++) {
        adapter_forget(&a);
        a.row = restart;
        at_row = page * 10 - 5;
        for (int i = 1; i <= page; i++) {
            a.results[1] = -1;
            assert_int_equal(herd_redis_driver.read_page(a.database, 1, 10, i == 1), 0);
            adapter_until(&a, a.results[1] >= 0);
        }
        a.row = NULL;
        adapter_until(&a, a.results[3] >= 0);
        assert_int_equal(a.results[3], HERD_DATABASE_DONE);
        a.rows -= (size_t)page * 10;
        read_on(1000, 3000);
    }
}

int main(void)
{
#define TEST(name)     cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_GEO(name) cmocka_unit_test_setup_teardown(name, setup_geo, teardown)
    const struct CMUnitTest tests[] = {
        TEST(written_and_found),
        TEST(herds_apart),
        TEST(expires),
        TEST(ties_as_the_store),
        TEST(ties_by_effective_time),
        TEST(in_order),
        TEST(script_gone),
        TEST(killed),
        TEST(forgets),
        TEST(refuses_us),
        TEST(no_memory_there),
        TEST(wrong_types),
        TEST(replica),
        TEST_GEO(places),
        TEST(dropped),
        TEST(long_rows),
        TEST(read_ahead),
        TEST(pages_left),
    };
    static const char *const programs[] = {"redis-server", "valkey-server"};
    int failed = 0, installed = 0;
    for (size_t i = 0; i < 2; i++) {
        if (!redis_installed(programs[i])) {
            fprintf(stderr, "%s is not installed: not tested with it\n", programs[i]);
            continue;
        }
        installed++;
        redis_program = programs[i];
        failed += cmocka_run_group_tests_name(programs[i], tests, NULL, NULL);
    }
    return installed ? failed != 0 : 77;
}
