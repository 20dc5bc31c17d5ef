/* SPDX-License-Identifier: MIT */
/* libherd-postgres while its database is killed, cut off, hangs or is shut down, in every phase of what is under way: what was told DONE
 * is there, what was told LOST can be written again, and nothing is told that is over. */
#include "fresh.h"

#include "cut.h"

#include <libpq-fe.h>

static struct side one;

#define ROWS       300
#define PHASES_MAX 200 /* turns of the loop; far more than anything here takes */

static char ids[ROWS][8];
static struct herd_database_row rows[ROWS];

static void draw_rows(const char *time)
{
    for (int i = 0; i < ROWS; i++) {
        snprintf(ids[i], sizeof ids[i], "%05d", i);
        rows[i] = row_of(herd_span_of(ids[i]), "Riley", "+1.5-2.5", time);
    }
}

/* Connects, however often it takes while the server starts. */
static void connect_again(struct side *side)
{
    time_t end = time(NULL) + WAIT_S;
    for (;;) {
        unsigned ups = side->connected.times, downs = side->disconnected.times;
        assert_int_equal(DRIVER->connect(side->database), 0);
        while (side->connected.times == ups && side->disconnected.times == downs)
            assert_true(event_base_loop(base, EVLOOP_ONCE) >= 0);
        if (side->connected.times > ups)
            return;
        assert_true(side->disconnected.result != HERD_DATABASE_REFUSED);
        assert_true(time(NULL) < end);
    }
}

static void turn(void)
{
    const struct timeval soon = {0, 20000};
    event_base_loopexit(base, &soon);
    event_base_loop(base, EVLOOP_ONCE);
}

static pid_t backend(void)
{
    const char *pid =
        cluster_sql(&cluster, "postgres", "SELECT pid FROM pg_stat_activity WHERE application_name = 'libherd'");
    return pid && *pid ? (pid_t)atoi(pid) : 0;
}

/* Until the server has noticed, which ends all its connections then: one that is made before is one of them. */
static void kill_backend(pid_t pid)
{
    const time_t end = time(NULL) + 30;
    assert_int_equal(kill(pid, SIGKILL), 0);
    while (kill(pid, 0) == 0) {
        usleep(1000);
        assert_true(time(NULL) < end);
    }
}

static void check_all_there(const char *time)
{
    char text[128];
    snprintf(text, sizeof text, "SELECT count(*) FROM herd_newest WHERE time = '%s'", time);
    assert_int_equal(atoi(sql(text)), ROWS);
}

/* Killed while the batch waits for a lock: it cannot have been done, however slow this program is. */
static void test_batch_killed(void **state)
{
    (void)state;
    connect_fresh(&one);
    PGconn *blocker = PQconnectdb(fresh_dsn());
    PQclear(PQexec(blocker, "BEGIN; LOCK herd_newest"));
    draw_rows("1600000000");
    pid_t pid = backend();
    assert_true(pid > 0);
    assert_int_equal(DRIVER->write(one.database, 1, rows, ROWS, &some_writer), 0);
    turn();
    assert_int_equal(one.written.times, 0);
    kill_backend(pid);
    PQfinish(blocker);
    wait_times(&one, &one.disconnected.times, 1);
    assert_int_equal(one.written.times, 1);
    assert_int_equal(one.written.result, HERD_DATABASE_LOST);
    assert_int_equal(DRIVER->write(one.database, 2, rows, ROWS, &some_writer), HERD_E_STATE);
    connect_again(&one);
    assert_int_equal(side_write(&one, rows, ROWS), HERD_DATABASE_DONE);
    check_all_there("1600000000");
    side_close(&one);
}

/* Each time the backend is killed a turn of the loop later. */
static void test_backend_killed(void **state)
{
    (void)state;
    unsigned lost = 0, done = 0;
    connect_fresh(&one);
    for (int phase = 0; phase < PHASES_MAX && done < 2; phase++) {
        char time[32];
        snprintf(time, sizeof time, "%d.5", 1600000000 + phase);
        draw_rows(time);
        pid_t pid = backend();
        assert_true(pid > 0);
        unsigned written = one.written.times, downs = one.disconnected.times;
        assert_int_equal(DRIVER->write(one.database, 1, rows, ROWS, &some_writer), 0);
        for (int i = 0; i < phase && one.written.times == written; i++)
            turn();
        bool before = one.written.times > written;
        kill_backend(pid);
        wait_times(&one, &one.disconnected.times, downs + 1);
        assert_int_equal(one.written.times, written + 1);
        assert_int_equal(one.disconnected.times, downs + 1);
        if (one.written.result == HERD_DATABASE_DONE)
            done++;
        else
            lost++;
        assert_true(one.written.result == HERD_DATABASE_DONE || one.written.result == HERD_DATABASE_LOST);
        assert_true(!before || one.written.result == HERD_DATABASE_DONE);
        assert_int_equal(DRIVER->write(one.database, 2, rows, ROWS, &some_writer), HERD_E_STATE);
        bool told_done = one.written.result == HERD_DATABASE_DONE;
        connect_again(&one);
        if (told_done)
            check_all_there(time);
        assert_int_equal(side_write(&one, rows, ROWS), HERD_DATABASE_DONE);
        check_all_there(time);
    }
    printf("%u batches lost, %u done\n", lost, done);
    assert_int_equal(done, 2);
    side_close(&one);
}

/* The same, from the first turn of connecting on. */
static void test_killed_while_preparing(void **state)
{
    (void)state;
    bool whole = false;
    for (int phase = 0; phase < PHASES_MAX && !whole; phase += 4) {
        open_fresh(&one);
        assert_int_equal(DRIVER->connect(one.database), 0);
        for (int i = 0; i < phase && one.connected.times == 0; i++)
            turn();
        whole = one.connected.times > 0;
        pid_t pid = backend();
        if (pid > 0) {
            kill_backend(pid);
            wait_times(&one, &one.disconnected.times, 1);
        } else {
            DRIVER->disconnect(one.database);
        }
        connect_again(&one);
        draw_rows("1600000000");
        assert_int_equal(side_write(&one, rows, ROWS), HERD_DATABASE_DONE);
        assert_string_equal(sql("SELECT count(*) FROM herd_schema"), "1");
        side_close(&one);
    }
    assert_true(whole);
}

static void test_postmaster_killed(void **state)
{
    (void)state;
    connect_fresh(&one);
    draw_rows("1600000000");
    for (int phase = 0; phase < 2; phase++) {
        unsigned written = one.written.times, downs = one.disconnected.times;
        assert_int_equal(DRIVER->write(one.database, 1, rows, ROWS, &some_writer), 0);
        for (int i = 0; i < phase * 2; i++)
            turn();
        cluster_kill(&cluster);
        wait_times(&one, &one.disconnected.times, downs + 1);
        assert_int_equal(one.written.times, written + 1);
        assert_int_equal(one.disconnected.result, HERD_DATABASE_LOST);
        /* Nobody is there: that is worth trying again. */
        unsigned ends = one.disconnected.times;
        assert_int_equal(DRIVER->connect(one.database), 0);
        wait_times(&one, &one.disconnected.times, ends + 1);
        assert_int_equal(one.disconnected.result, HERD_DATABASE_RETRY);
        cluster_start(&cluster);
        connect_again(&one);
        assert_int_equal(side_write(&one, rows, ROWS), HERD_DATABASE_DONE);
        check_all_there("1600000000");
    }
    side_close(&one);
}

/* A server that is shut down says so, with something under way and with nothing. */
static void test_shutdown(void **state)
{
    (void)state;
    connect_fresh(&one);
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'libherd'");
    wait_times(&one, &one.disconnected.times, 1);
    assert_int_equal(one.disconnected.result, HERD_DATABASE_LOST);
    assert_non_null(strstr(one.disconnected.message, "57P01"));
    connect_again(&one);
    PGconn *blocker = PQconnectdb(fresh_dsn());
    PQclear(PQexec(blocker, "BEGIN; LOCK herd_newest"));
    draw_rows("1600000000");
    assert_int_equal(DRIVER->write(one.database, 1, rows, ROWS, &some_writer), 0);
    for (int i = 0; i < 5; i++)
        turn();
    assert_int_equal(one.written.times, 0);
    cluster_sql(&cluster, "postgres",
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'libherd'");
    wait_times(&one, &one.disconnected.times, 2);
    assert_int_equal(one.written.result, HERD_DATABASE_LOST);
    assert_non_null(strstr(one.written.message, "57P01"));
    PQfinish(blocker);
    side_close(&one);
}

/* What is given up is not told any more, in whatever phase; the next connection knows nothing of it. */
static void test_disconnect(void **state)
{
    (void)state;
    open_fresh(&one);
    draw_rows("1600000000");
    DRIVER->disconnect(one.database);
    for (int phase = 0; phase < PHASES_MAX && (phase < 40 || one.done == 0); phase += 2) {
        assert_int_equal(DRIVER->connect(one.database), 0);
        assert_int_equal(DRIVER->connect(one.database), HERD_E_STATE);
        unsigned ups = one.connected.times;
        for (int i = 0; i < phase; i++) {
            turn();
            if (one.connected.times > ups) {
                ups = one.connected.times;
                assert_int_equal(DRIVER->write(one.database, 1, rows, ROWS, &some_writer), 0);
                assert_int_equal(DRIVER->read_page(one.database, 2, 100, true), 0);
                assert_int_equal(DRIVER->read_writers(one.database, 3), 0);
                assert_int_equal(DRIVER->find(one.database, 4, herd_span_of("00001")), 0);
            }
        }
        unsigned written = one.written.times, pages = one.page.times, found = one.found.times;
        DRIVER->disconnect(one.database);
        for (int i = 0; i < 3; i++)
            turn();
        assert_int_equal(one.connected.times, ups);
        assert_int_equal(one.written.times, written);
        assert_int_equal(one.page.times, pages);
        assert_int_equal(one.found.times, found);
    }
    assert_int_equal(one.disconnected.times, 0);
    assert_true(one.done > 0);
    connect_again(&one);
    assert_int_equal(side_write(&one, rows, ROWS), HERD_DATABASE_DONE);
    side_close(&one);
}

/* A server that is there and says nothing: nothing is told, the loop goes on, the caller gives up. */
static void test_hangs(void **state)
{
    (void)state;
    connect_fresh(&one);
    draw_rows("1600000000");
    pid_t pid = backend();
    assert_int_equal(kill(pid, SIGSTOP), 0);
    /* More than the kernel takes. */
    for (int i = 0; i < 30; i++)
        assert_int_equal(DRIVER->write(one.database, 1, rows, ROWS, &some_writer), 0);
    for (int i = 0; i < 20; i++)
        turn();
    assert_int_equal(one.written.times, 0);
    DRIVER->disconnect(one.database);
    connect_again(&one);
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(side_write(&one, rows, ROWS), HERD_DATABASE_DONE);
    side_close(&one);
}

/* ---- a proxy between ---- */

/* The answer to a batch never comes, though the batch is there: written again it is, and nothing changes. */
static void test_cut_after_commit(void **state)
{
    (void)state;
    struct cut *cut = cut_new(base, cluster.dir);
    char dsn[256];
    snprintf(dsn, sizeof dsn, "host=%s user=herd dbname=fresh", cut_dir(cut));
    cluster_database(&cluster, "fresh");
    const struct herd_database_options options = {.dsn = herd_span_of(dsn), .history = true};
    side_open_with(&one, base, DRIVER, &options);
    side_connect(&one);
    draw_rows("1600000000");
    cut_before_answer(cut);
    assert_int_equal(DRIVER->write(one.database, 1, rows, ROWS, &some_writer), 0);
    wait_times(&one, &one.disconnected.times, 1);
    assert_int_equal(one.written.result, HERD_DATABASE_LOST);
    check_all_there("1600000000");
    connect_again(&one);
    assert_int_equal(side_write(&one, rows, ROWS), HERD_DATABASE_DONE);
    assert_int_equal(atoi(sql("SELECT count(*) FROM herd_sample")), ROWS);
    side_close(&one);
    cut_free(cut);
}

/* Bytes that are no answer of PostgreSQL. */
static void test_nonsense(void **state)
{
    (void)state;
    struct cut *cut = cut_new(base, cluster.dir);
    char dsn[256];
    snprintf(dsn, sizeof dsn, "host=%s user=herd dbname=fresh", cut_dir(cut));
    cluster_database(&cluster, "fresh");
    side_open(&one, base, DRIVER, dsn);
    side_connect(&one);
    draw_rows("1600000000");
    static const char *const nonsense[] = {"HTTP/1.1 400 Bad Request\r\n\r\n",
                                           "Z\0\0\0\5I",
                                           "D\0\0\0\6\0\1",
                                           "T\0\0\0\6\177\377",
                                           "\0\0\0\0\0\0\0\0",
                                           "E\0\0\0\5",
                                           "C\0\0\0\6X"};
    static const size_t lens[] = {28, 6, 7, 7, 8, 6, 7};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        unsigned downs = one.disconnected.times, written = one.written.times;
        cut_answer(cut, (struct herd_span){nonsense[i], lens[i]});
        assert_int_equal(DRIVER->write(one.database, 1, rows, ROWS, &some_writer), 0);
        for (int turns = 0; turns < 100 && one.written.times == written; turns++)
            turn();
        /* Told, or the caller's time-out ends it. */
        if (one.written.times > written) {
            assert_true(one.written.result != HERD_DATABASE_DONE);
            wait_times(&one, &one.disconnected.times, downs + 1);
        } else {
            DRIVER->disconnect(one.database);
        }
        cut_pass(cut);
        connect_again(&one);
        assert_int_equal(side_write(&one, rows, ROWS), HERD_DATABASE_DONE);
    }
    side_close(&one);
    cut_free(cut);
}

static char *put_message(char *at, char type, const char *body, size_t len)
{
    const uint32_t all = (uint32_t)len + 4;
    *at++ = type;
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (char)(all >> shift);
    memcpy(at, body, len);
    return at + len;
}

/* Answers that are right and have no end: nothing of it is kept but a bounded part. */
static void test_endless(void **state)
{
    (void)state;
    enum { CELL = 1 << 20, ROWS_SENT = 100 };
    static const char column[] = "\0\1x\0\0\0\0\0\0\0\0\0\0\21\377\377\0\0\0\0\0\1", notified[] = "\0\0\0\1a\0b";
    char dsn[256], *bytes = malloc((size_t)(CELL + 64) * ROWS_SENT + 64), *cell = calloc(1, CELL + 6);
    assert_true(bytes && cell);
    struct cut *cut = cut_new(base, cluster.dir);
    snprintf(dsn, sizeof dsn, "host=%s user=herd dbname=fresh", cut_dir(cut));
    cluster_database(&cluster, "fresh");
    side_open(&one, base, DRIVER, dsn);
    side_connect(&one);
    char *end = put_message(bytes, '1', "", 0);
    end = put_message(end, '2', "", 0);
    end = put_message(end, 'T', column, sizeof column - 1);
    cell[1] = 1;
    cell[3] = CELL >> 16;
    for (int i = 0; i < ROWS_SENT; i++)
        end = put_message(end, 'D', cell, CELL + 6);
    cut_answer(cut, (struct herd_span){bytes, (size_t)(end - bytes)});
    assert_int_equal(DRIVER->read_writers(one.database, 1), 0);
    wait_times(&one, &one.disconnected.times, 1);
    assert_int_equal(one.writers.result, HERD_DATABASE_LOST);
    assert_string_equal(one.writers.message, "the server's answer is too long");
    cut_pass(cut);
    connect_again(&one);
    /* What nobody listens to. */
    end = put_message(bytes, 'A', notified, sizeof notified);
    cut_answer(cut, (struct herd_span){bytes, (size_t)(end - bytes)});
    assert_int_equal(DRIVER->read_writers(one.database, 2), 0);
    wait_times(&one, &one.disconnected.times, 2);
    assert_string_equal(one.disconnected.message, "the server answered something else");
    cut_pass(cut);
    connect_again(&one);
    side_close(&one);
    cut_free(cut);
    free(cell);
    free(bytes);
}

/* ---- calls from inside ---- */

static void again(struct side *side)
{
    unsigned *left = side->user;
    if (*left == 0)
        return;
    (*left)--;
    switch (*left % 5) {
    case 0: assert_int_equal(DRIVER->write(side->database, 1, rows, ROWS, &some_writer), 0); break;
    case 1:
        DRIVER->disconnect(side->database);
        assert_int_equal(DRIVER->connect(side->database), 0);
        break;
    case 2: assert_int_equal(DRIVER->find(side->database, 1, herd_span_of("00001")), 0); break;
    case 3: assert_int_equal(DRIVER->read_page(side->database, 1, 10, true), 0); break;
    default: assert_int_equal(DRIVER->read_writers(side->database, 1), 0);
    }
}

static void test_from_inside(void **state)
{
    (void)state;
    unsigned left = 50;
    open_fresh(&one);
    draw_rows("1600000000");
    one.then = again, one.user = &left;
    assert_int_equal(DRIVER->connect(one.database), 0);
    time_t end = time(NULL) + WAIT_S;
    while (left > 0 && time(NULL) < end)
        turn();
    assert_int_equal(left, 0);
    assert_int_equal(one.failed, 0);
    one.then = NULL;
    side_close(&one);
}

/* ---- two at once ---- */

static PGresult *run(PGconn *conn, const char *text)
{
    PGresult *result = PQexec(conn, text);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", text, PQerrorMessage(conn));
    return result;
}

/* A circle of locks, closed by the batch: it is the one that is told. */
static void test_deadlock(void **state)
{
    (void)state;
    cluster_database(&cluster, "fresh");
    side_open(&one, base, DRIVER, cluster_dsn(&cluster, "fresh", "options='-c deadlock_timeout=20ms'"));
    side_connect(&one);
    draw_rows("1600000000");
    assert_int_equal(side_write(&one, rows, ROWS), HERD_DATABASE_DONE);
    draw_rows("1600000001");
    PGconn *first = PQconnectdb(fresh_dsn()), *second = PQconnectdb(fresh_dsn());
    PQclear(run(first, "SET deadlock_timeout = '1h'; BEGIN; UPDATE herd_newest SET lat = 1 WHERE key = '00200'"));
    PQclear(run(second, "BEGIN; UPDATE herd_newest SET lat = 1 WHERE key = '00100'"));
    assert_int_equal(DRIVER->write(one.database, 1, rows, ROWS, &some_writer), 0);
    /* It has the rows before 00100, and waits for that one. */
    time_t end = time(NULL) + WAIT_S;
    do
        turn();
    while (strcmp(sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), "1") != 0 &&
           time(NULL) < end);
    assert_int_equal(PQsendQuery(first, "UPDATE herd_newest SET lat = 1 WHERE key = '00050'"), 1);
    while (strcmp(sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), "2") != 0 &&
           time(NULL) < end)
        turn();
    PQclear(run(second, "ROLLBACK"));
    wait_times(&one, &one.written.times, 2);
    assert_int_equal(one.written.result, HERD_DATABASE_RETRY);
    assert_non_null(strstr(one.written.message, "40P01"));
    /* The other one goes on, and has that row before the batch is written again: else there might be another circle. */
    PGresult *updated = PQgetResult(first);
    assert_int_equal(PQresultStatus(updated), PGRES_COMMAND_OK);
    PQclear(updated);
    PQfinish(first);
    PQfinish(second);
    /* The connection is as good as before. */
    assert_int_equal(side_write(&one, rows, ROWS), HERD_DATABASE_DONE);
    assert_int_equal(one.disconnected.times, 0);
    side_close(&one);
}

/* Several operations, one of which fails: the others are as they would be without it. */
static void test_one_of_several_fails(void **state)
{
    (void)state;
    connect_fresh(&one);
    draw_rows("1600000000");
    struct herd_database_row bad = row_of(herd_span_of("zzz"), "Riley", "+1-1", "1600000000");
    bad.record.server = (struct herd_span){"R\xff", 2};
    assert_int_equal(DRIVER->write(one.database, 1, rows, 10, &some_writer), 0);
    assert_int_equal(DRIVER->write(one.database, 2, &bad, 1, &some_writer), 0);
    assert_int_equal(DRIVER->write(one.database, 3, rows + 10, 10, &some_writer), 0);
    assert_int_equal(DRIVER->find(one.database, 4, herd_span_of("00015")), 0);
    wait_times(&one, &one.found.times, 1);
    assert_int_equal(one.done, 2);
    assert_int_equal(one.failed, 1);
    assert_false(one.absent);
    assert_string_equal(sql("SELECT count(*) FROM herd_newest"), "20");
    side_close(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_LOOP(test_batch_killed),
        ON_LOOP(test_backend_killed),
        ON_LOOP(test_killed_while_preparing),
        ON_LOOP(test_postmaster_killed),
        ON_LOOP(test_shutdown),
        ON_LOOP(test_disconnect),
        ON_LOOP(test_hangs),
        ON_LOOP(test_cut_after_commit),
        ON_LOOP(test_nonsense),
        ON_LOOP(test_endless),
        ON_LOOP(test_from_inside),
        ON_LOOP(test_deadlock),
        ON_LOOP(test_one_of_several_fails),
    };
    return run_on_cluster(tests, sizeof tests / sizeof *tests, "");
}
