/* SPDX-License-Identifier: MIT */
/* The adapter of Redis: what it writes is found, in the order of the store, until it expires or its owner drops it. */
#include "world.h"

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

/* Several calls to a write, several writes and reads begun at once: all told, in that order. */
static void in_order(void **state)
{
    (void)state;
    connected_with_rows(2500);
    assert_int_equal(herd_redis_driver.write(a.database, 1, many, 2500, &adapter_writer), 0);
    assert_int_equal(herd_redis_driver.find(a.database, 2, herd_span_of("002499")), 0);
    assert_int_equal(herd_redis_driver.write(a.database, 3, many, 0, &adapter_writer), 0);
    assert_int_equal(herd_redis_driver.read_writers(a.database, 4), 0);
    assert_int_equal(herd_redis_driver.write(a.database, 5, many, 101, &adapter_writer), 0);
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
    connected_with_rows(1000);
    redis_run(&server, "SCRIPT FLUSH");
    assert_int_equal(herd_redis_driver.write(a.database, 1, many, 1000, &adapter_writer), 0);
    assert_int_equal(herd_redis_driver.write(a.database, 2, many, 50, &adapter_writer), 0);
    assert_int_equal(herd_redis_driver.find(a.database, 3, herd_span_of("000999")), 0);
    adapter_until(&a, a.told == 3);
    for (unsigned t = 1; t <= 3; t++)
        assert_true(a.results[t] == HERD_DATABASE_DONE && a.order[t] == t - 1);
    adapter_read_all(&a, 1000);
    assert_true(a.rows >= 1000);
    for (int round = 0; round < 20; round++) {
        redis_run(&server, "SCRIPT FLUSH");
        assert_int_equal(adapter_write(&a, 4, many, 300), HERD_DATABASE_DONE);
    }
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
    connected_with_rows(1000);
    assert_int_equal(herd_redis_driver.write(a.database, 1, many, 1000, &adapter_writer), 0);
    herd_redis_driver.disconnect(a.database);
    event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(a.results[1], -1);
    assert_int_equal(herd_redis_driver.write(a.database, 1, many, 1, NULL), HERD_E_STATE);
    /* From inside of an event, with more under way. */
    a.connected = 0;
    connected();
    a.disconnect_in_written = true;
    assert_int_equal(herd_redis_driver.write(a.database, 1, many, 1000, &adapter_writer), 0);
    assert_int_equal(herd_redis_driver.write(a.database, 2, many, 10, &adapter_writer), 0);
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
    assert_int_equal(adapter_write(&a, 3, many, 1000), HERD_DATABASE_DONE);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(written_and_found),
        TEST(herds_apart),
        TEST(expires),
        TEST(ties_as_the_store),
        TEST(ties_by_effective_time),
        TEST(in_order),
        TEST(script_gone),
        TEST_GEO(places),
        TEST(dropped),
        TEST(long_rows),
    };
    return run_with_servers(tests, sizeof tests / sizeof *tests);
}
