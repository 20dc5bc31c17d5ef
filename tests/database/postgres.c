/* SPDX-License-Identifier: MIT */
/* libherd-postgres on a PostgreSQL of its own: tables, the order, ids of all kinds, pages. */
#include "fresh.h"

static struct side one, other; /* large */

/* ---- tables ---- */

static void test_tables_are_made(void **state)
{
    (void)state;
    connect_fresh(&one);
    assert_int_equal(strncmp(one.server, "PostgreSQL ", 11), 0);
    assert_string_equal(sql("SELECT max(version) FROM herd_schema"), "1");
    assert_string_equal(sql("SELECT string_agg(herd, ',') FROM herd_name"), "city");
    /* A second time nothing is made. */
    side_close(&one);
    side_open(&one, base, DRIVER, cluster_dsn(&cluster, "fresh", ""));
    side_connect(&one);
    assert_string_equal(sql("SELECT count(*) FROM herd_schema"), "1");
    side_close(&one);
}

static void test_two_make_them_at_once(void **state)
{
    (void)state;
    enum { SIDES = 6 };
    struct side *side = calloc(SIDES, sizeof *side);
    assert_non_null(side);
    for (int round = 0; round < 5; round++) {
        cluster_database(&cluster, "fresh");
        for (int i = 0; i < SIDES; i++) {
            const struct herd_database_options options = {.dsn = herd_span_of(cluster_dsn(&cluster, "fresh", "")),
                                                          .herd = i % 2 ? "city" : NULL,
                                                          .history = true,
                                                          .retention_ns = INT64_C(86400000000000)};
            side_open_with(&side[i], base, DRIVER, &options);
            assert_int_equal(DRIVER->connect(side[i].database), 0);
        }
        for (int i = 0; i < SIDES; i++)
            wait_times(&side[i], &side[i].connected.times, 1);
        assert_string_equal(sql("SELECT count(*) FROM herd_schema"), "1");
        assert_string_equal(sql("SELECT count(*) FROM herd_name"), "2");
        for (int i = 0; i < SIDES; i++) {
            assert_int_equal(side[i].disconnected.times, 0);
            side_close(&side[i]);
        }
    }
    free(side);
}

static void test_later_tables_are_refused(void **state)
{
    (void)state;
    connect_fresh(&one);
    side_close(&one);
    sql("INSERT INTO herd_schema VALUES (99)");
    side_open(&one, base, DRIVER, cluster_dsn(&cluster, "fresh", ""));
    assert_int_equal(side_connect_fails(&one), HERD_DATABASE_REFUSED);
    assert_non_null(strstr(one.disconnected.message, "version 99"));
    side_close(&one);
}

/* ---- writing and reading ---- */

static void test_a_row(void **state)
{
    (void)state;
    connect_fresh(&one);
    struct herd_database_row row =
        row_of(herd_span_of("kiwi"), "Riley", "+34.068930-118.445127", "1621464827.9594985031200");
    row.effective_ns += 5, row.expires_ns = INT64_C(4000000000000000000);
    assert_false(side_find(&one, row.record.id));
    assert_int_equal(side_write(&one, &row, 1), HERD_DATABASE_DONE);
    assert_true(side_find(&one, row.record.id));
    check_equal(&one.row.record, &row.record);
    assert_int_equal(one.row.accepted_ns, row.accepted_ns);
    assert_int_equal(one.row.effective_ns, row.effective_ns);
    assert_int_equal(one.row.expires_ns, row.expires_ns);
    assert_string_equal(sql("SELECT convert_from(time_rest, 'UTF8') FROM herd_newest"), "12");
    assert_string_equal(sql("SELECT lat || ' ' || lon FROM herd_client WHERE id = 'kiwi' AND herd = 'city'"),
                        "34.06893 -118.445127");
    assert_string_equal(sql("SELECT at = '2021-05-19 22:53:47.959498+00' FROM herd_client"), "t");
    /* A tombstone of the same time comes behind a report. */
    struct herd_database_row gone = row;
    gone.record.position.len = 0;
    assert_int_equal(side_write(&one, &gone, 1), HERD_DATABASE_DONE);
    assert_int_equal(side_write(&one, &row, 1), HERD_DATABASE_DONE);
    assert_true(side_find(&one, row.record.id));
    assert_true(herd_record_is_tombstone(&one.row.record));
    assert_string_equal(sql("SELECT count(*) FROM herd_client"), "0");
    assert_string_equal(sql("SELECT lat IS NULL AND lon IS NULL FROM herd_newest"), "t");
    side_close(&one);
}

static void test_writers(void **state)
{
    (void)state;
    connect_fresh(&one);
    const struct herd_database_options options = {.dsn = herd_span_of(cluster_dsn(&cluster, "fresh", "")),
                                                  .herd = "town"};
    side_open_with(&other, base, DRIVER, &options);
    side_connect(&other);
    struct herd_database_writer writer = some_writer;
    assert_int_equal(DRIVER->write(one.database, 1, NULL, 0, &writer), 0);
    writer.server = herd_span_of("Bernard"), writer.sequence = UINT64_C(1) << 40, writer.written_until_ns = 12345;
    assert_int_equal(DRIVER->write(one.database, 2, NULL, 0, &writer), 0);
    assert_int_equal(DRIVER->read_writers(one.database, 3), 0);
    wait_times(&one, &one.writers.times, 1);
    assert_int_equal(one.done, 2);
    assert_int_equal(one.writer_count, 2);
    assert_string_equal(one.writer_name[0], "Bernard");
    assert_string_equal(one.writer_name[1], "Riley");
    assert_int_equal(one.writer[0].sequence, UINT64_C(1) << 40);
    assert_int_equal(one.writer[0].written_until_ns, 12345);
    assert_true(one.writer[1].incarnation == some_writer.incarnation);
    assert_true(one.writer[0].age_ns >= 0 && one.writer[0].age_ns < INT64_C(600000000000));
    sql("UPDATE herd_writer SET at = at - interval '1000 seconds'");
    assert_int_equal(DRIVER->read_writers(one.database, 4), 0);
    wait_times(&one, &one.writers.times, 2);
    assert_true(one.writer[0].age_ns >= INT64_C(1000000000000));
    /* What was sent before comes late: it takes nothing away. A run of its own begins anew. */
    writer.sequence = 5;
    assert_int_equal(DRIVER->write(one.database, 5, NULL, 0, &writer), 0);
    assert_int_equal(DRIVER->read_writers(one.database, 6), 0);
    wait_times(&one, &one.writers.times, 3);
    assert_int_equal(one.writer[0].sequence, UINT64_C(1) << 40);
    writer.incarnation++;
    assert_int_equal(DRIVER->write(one.database, 7, NULL, 0, &writer), 0);
    assert_int_equal(DRIVER->read_writers(one.database, 8), 0);
    wait_times(&one, &one.writers.times, 4);
    assert_int_equal(one.writer[0].sequence, 5);
    /* Another herd has its own. */
    assert_int_equal(DRIVER->read_writers(other.database, 5), 0);
    wait_times(&other, &other.writers.times, 1);
    assert_int_equal(other.writer_count, 0);
    side_close(&one);
    side_close(&other);
}

static void test_ids(void **state)
{
    (void)state;
    static char id[9][65000];
    static const size_t len[9] = {65000, 1, 3, 255, 256, 257, 2704, 65000, 65000};
    struct herd_database_row rows[9];
    for (size_t i = 0; i < 9; i++)
        memset(id[i], 'x', sizeof id[i]);
    for (size_t i = 0; i < sizeof id[0]; i++) /* all bytes, no compression */
        id[0][i] = memchr(" \t\r\n\v\f", (char)(i * 7919 >> 3), 6) ? 'w' : (char)(i * 7919 >> 3);
    memcpy(id[1], "\0", 1);
    memcpy(id[2], "\xff\0\xff", 3);
    id[7][64999] = 'y'; /* differs in the last byte */
    for (size_t i = 0; i < 9; i++)
        rows[i] = row_of((struct herd_span){id[i], len[i]}, "Riley", "+1.5-2.5", "1621464827.5");
    rows[3].record.position = herd_span_of("+90-180"), rows[4].record.position = herd_span_of("-90+180");
    rows[5].record.position = herd_span_of("-0.0+0");
    connect_fresh(&one);
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(side_write(&one, &rows[i], 1), HERD_DATABASE_DONE);
    assert_string_equal(sql("SELECT count(*) FROM herd_newest"), "9");
    for (size_t i = 0; i < 9; i++) {
        assert_true(side_find(&one, rows[i].record.id));
        check_equal(&one.row.record, &rows[i].record);
    }
    assert_false(side_find(&one, herd_span_of("xxxx")));
    assert_string_equal(
        sql("SELECT min(lat) || ' ' || max(lat) || ' ' || min(lon) || ' ' || max(lon) FROM herd_client"),
        "-90 90 -180 180");
    herd_store_new(&one.rows, NULL);
    assert_int_equal(side_read_all(&one, 2), 9);
    assert_int_equal(herd_store_count(one.rows), 9);
    herd_store_free(one.rows);
    side_close(&one);
}

static void test_pages(void **state)
{
    (void)state;
    enum { COUNT = 2500 };
    static char id[COUNT][8];
    struct herd_database_row *rows = calloc(COUNT, sizeof *rows);
    assert_non_null(rows);
    for (int i = 0; i < COUNT; i++) {
        snprintf(id[i], sizeof id[i], "%05d", i);
        rows[i] = row_of(herd_span_of(id[i]), "Riley", i % 10 ? "+1.5-2.5" : "", "1621464827.5");
    }
    connect_fresh(&one);
    assert_int_equal(side_read_all(&one, 100), 0);
    assert_int_equal(side_write(&one, rows, COUNT), HERD_DATABASE_DONE);
    herd_store_new(&one.rows, NULL);
    assert_int_equal(side_read_all(&one, 100), COUNT);
    assert_int_equal(herd_store_count(one.rows), COUNT);
    assert_int_equal(side_read_all(&one, 1000000), COUNT);
    assert_int_equal(side_read_all(&one, 0), COUNT); /* one each */
    /* Rows of another herd are not in them. */
    const struct herd_database_options options = {.dsn = herd_span_of(cluster_dsn(&cluster, "fresh", "")),
                                                  .herd = "town"};
    side_open_with(&other, base, DRIVER, &options);
    side_connect(&other);
    assert_int_equal(side_read_all(&other, 100), 0);
    assert_false(side_find(&other, herd_span_of("00001")));
    assert_int_equal(side_write(&other, rows, 1), HERD_DATABASE_DONE);
    assert_int_equal(side_read_all(&other, 100), 1);
    side_close(&other);
    herd_store_free(one.rows);
    side_close(&one);
    free(rows);
}

/* ---- the order ---- */

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(random_state >> 33) % below;
}

#define IDS     60
#define RECORDS 30000
#define BATCH   40

/* Records full of ties: times that differ in the tenth decimal, in zeros in front and behind, or not at all. */
struct drawn {
    uint32_t id;
    char server[16], diff[16], position[32], time[48];
};

static void draw_record(struct drawn *drawn)
{
    static const char *const servers[] = {"A", "AB", "B", "a", "a-b", "a.b", "a_b", "Riley", "riley", "Z9"};
    static const char *const diffs[] = {"+0", "-0", "+0.0", "+00", "+0.1", "-0.1", "+1", "+10", "+2"};
    static const char *const positions[] = {"+1+1", "+1-1", "-1+1", "+01+1", "+1.0+1", "+1+1.0", "+10+1", ""};
    static const char *const decimals[] = {"",
                                           ".0",
                                           ".5",
                                           ".50",
                                           ".500000000",
                                           ".5000000000",
                                           ".5000000001",
                                           ".50000000010",
                                           ".5000000002",
                                           ".49999999999",
                                           ".50000000009",
                                           ".500000000000000000001"};
    static const char *const seconds[] = {"1621464827", "01621464827", "1621464828", "0001621464827"};
    drawn->id = draw(IDS);
    snprintf(drawn->server, sizeof drawn->server, "%s", servers[draw(10)]);
    snprintf(drawn->diff, sizeof drawn->diff, "%s", diffs[draw(9)]);
    snprintf(drawn->position, sizeof drawn->position, "%s", positions[draw(8)]);
    snprintf(drawn->time, sizeof drawn->time, "%s%s", seconds[draw(4)], decimals[draw(12)]);
}

struct offer {
    struct drawn *drawn;
    uint32_t *order; /* in which they are offered */
    size_t next;
    uint64_t tickets;
    unsigned retries;
    size_t batch_end[4]; /* where those under way begin, to go back to */
};

static int by_id(const void *a, const void *b)
{
    return herd_span_compare(((const struct herd_database_row *)a)->record.id,
                             ((const struct herd_database_row *)b)->record.id);
}

static void name_id(char out[8], uint32_t id)
{
    snprintf(out, 8, "id%02u", (unsigned)id);
}

/* The next batch: unique ids, sorted. */
static size_t gather(struct offer *offer, struct herd_database_row rows[BATCH], char ids[BATCH][8])
{
    bool in[IDS] = {false};
    size_t count = 0;
    while (count < BATCH && offer->next < RECORDS) {
        const struct drawn *drawn = &offer->drawn[offer->order[offer->next]];
        if (in[drawn->id])
            break;
        in[drawn->id] = true;
        name_id(ids[count], drawn->id);
        rows[count] = row_of(herd_span_of(ids[count]), drawn->server, drawn->position, drawn->time);
        rows[count].record.diff = herd_span_of(drawn->diff);
        count++;
        offer->next++;
    }
    qsort(rows, count, sizeof *rows, by_id);
    return count;
}

static void test_order(void **state)
{
    (void)state;
    struct drawn *drawn = calloc(RECORDS, sizeof *drawn);
    struct offer offer[2] = {{.drawn = drawn}, {.drawn = drawn}};
    struct herd_store *store;
    struct side *side[2] = {&one, &other};
    assert_non_null(drawn);
    assert_int_equal(herd_store_new(&store, NULL), 0);
    random_state = (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)random_state);
    for (uint32_t i = 0; i < RECORDS; i++) {
        char id[8];
        draw_record(&drawn[i]);
        name_id(id, drawn[i].id);
        struct herd_database_row row = row_of(herd_span_of(id), drawn[i].server, drawn[i].position, drawn[i].time);
        row.record.diff = herd_span_of(drawn[i].diff);
        assert_int_equal(herd_store_put(store, &row.record, NULL, NULL), 0);
    }
    connect_fresh(&one);
    side_open(&other, base, DRIVER, cluster_dsn(&cluster, "fresh", ""));
    side_connect(&other);
    for (int s = 0; s < 2; s++) {
        offer[s].order = calloc(RECORDS, sizeof *offer[s].order);
        assert_non_null(offer[s].order);
        for (uint32_t i = 0; i < RECORDS; i++) {
            uint32_t at = draw(i + 1);
            offer[s].order[i] = offer[s].order[at];
            offer[s].order[at] = i;
        }
    }
    size_t batches = 0;
    while (offer[0].next < RECORDS || offer[1].next < RECORDS) {
        /* Two in flight of each, all at once. */
        for (int s = 0; s < 2; s++)
            for (int n = 0; n < 2; n++) {
                struct herd_database_row rows[BATCH];
                char ids[BATCH][8];
                size_t count = gather(&offer[s], rows, ids);
                assert_int_equal(DRIVER->write(side[s]->database, ++offer[s].tickets, rows, count, &some_writer),
                                 0);
                batches++;
            }
        for (int s = 0; s < 2; s++)
            wait_times(side[s], &side[s]->written.times, (unsigned)offer[s].tickets);
    }
    /* Sorted batches do not lock each other out. */
    assert_int_equal(one.failed + other.failed, 0);
    assert_int_equal(one.done + other.done, batches);
    herd_store_new(&one.rows, NULL);
    assert_int_equal(side_read_all(&one, 1000), IDS);
    assert_int_equal(herd_store_count(store), IDS);
    for (uint32_t i = 0; i < IDS; i++) {
        struct herd_record want, got;
        char id[8];
        name_id(id, i);
        assert_true(herd_store_get(store, herd_span_of(id), &want));
        assert_true(herd_store_get(one.rows, herd_span_of(id), &got));
        check_equal(&got, &want);
    }
    assert_true(herd_store_digest(store) == herd_store_digest(one.rows));
    printf("%d records by two writers in %zu batches\n", 2 * RECORDS, batches);
    herd_store_free(one.rows);
    herd_store_free(store);
    side_close(&one);
    side_close(&other);
    free(offer[0].order);
    free(offer[1].order);
    free(drawn);
}

/* Where records expire the effective time comes first: a client whose clock was set back is seen again. */
static void test_effective_time(void **state)
{
    (void)state;
    connect_fresh(&one);
    struct herd_database_row ahead = row_of(herd_span_of("kiwi"), "Riley", "+1+1", "1700000000");
    struct herd_database_row back = row_of(herd_span_of("kiwi"), "Riley", "+2+2", "1600000000");
    back.effective_ns = ahead.effective_ns + 1;
    assert_int_equal(side_write(&one, &ahead, 1), HERD_DATABASE_DONE);
    assert_int_equal(side_write(&one, &back, 1), HERD_DATABASE_DONE);
    assert_int_equal(side_write(&one, &ahead, 1), HERD_DATABASE_DONE);
    assert_true(side_find(&one, herd_span_of("kiwi")));
    check_equal(&one.row.record, &back.record);
    side_close(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_LOOP(test_tables_are_made),
        ON_LOOP(test_two_make_them_at_once),
        ON_LOOP(test_later_tables_are_refused),
        ON_LOOP(test_a_row),
        ON_LOOP(test_writers),
        ON_LOOP(test_ids),
        ON_LOOP(test_pages),
        ON_LOOP(test_order),
        ON_LOOP(test_effective_time),
    };
    return run_on_cluster(tests, sizeof tests / sizeof *tests, "");
}
