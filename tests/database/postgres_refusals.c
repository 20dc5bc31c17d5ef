/* SPDX-License-Identifier: MIT */
/* libherd-postgres and what a database refuses: who may not, what is not there, what does not fit. Each SQLSTATE has its result,
 * and no message says a secret. */
#include "fresh.h"

#include <libpq-fe.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static struct side one;
static char small_dir[64]; /* a file system of a few megabytes, "": not to be had */

#define SMALL_BYTES "size=24m"

static void test_dsn(void **state)
{
    (void)state;
    static const char *const bad[] = {"hunter2secret",
                                      "password=hunter2secret nonsense",
                                      "host=a password",
                                      "sslmoode=disable x=hunter2secret",
                                      "postgresql://herd:hunter2secret@[::1/x",
                                      "password='hunter2secret"};
    struct herd_database *database = NULL;
    struct herd_diagnostic diagnostic;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct herd_database_options options = {.dsn = herd_span_of(bad[i])};
        assert_int_equal(DRIVER->open(&database, base, &options, &side_events, NULL, &diagnostic), HERD_E_SYNTAX);
        assert_null(strstr(diagnostic.message, "hunter2"));
        assert_true(strlen(diagnostic.message) > 0);
    }
    const struct herd_database_options nul = {.dsn = {"host=a\0b", 8}};
    assert_int_equal(DRIVER->open(&database, base, &nul, &side_events, NULL, &diagnostic), HERD_E_SYNTAX);
    DRIVER->close(NULL);
    /* White space around it, as in a file, is no part of it. */
    char text[600];
    cluster_database(&cluster, "fresh");
    snprintf(text, sizeof text, " \n%s\r\n\n", fresh_dsn());
    side_open(&one, base, DRIVER, text);
    assert_int_equal(DRIVER->find(one.database, 1, herd_span_of("kiwi")), HERD_E_STATE);
    assert_int_equal(DRIVER->read_page(one.database, 1, 1, true), HERD_E_STATE);
    assert_int_equal(DRIVER->read_writers(one.database, 1), HERD_E_STATE);
    side_connect(&one);
    side_close(&one);
}

static enum herd_database_result fails_with(const char *dsn)
{
    side_open(&one, base, DRIVER, dsn);
    enum herd_database_result result = side_connect_fails(&one);
    side_close(&one);
    return result;
}

static void test_not_there(void **state)
{
    (void)state;
    assert_int_equal(fails_with("host=/nonexistent user=herd dbname=fresh"), HERD_DATABASE_RETRY);
    assert_int_equal(fails_with("host=127.0.0.1 port=1 user=herd dbname=fresh"), HERD_DATABASE_RETRY);
    assert_int_equal(fails_with(cluster_dsn(&cluster, "nowhere", "")), HERD_DATABASE_REFUSED);
    assert_non_null(strstr(one.disconnected.message, "3D000"));
    assert_int_equal(fails_with("host=127.0.0.1 port=99999 user=herd"), HERD_DATABASE_REFUSED);
    /* A name that is none: told by the thread, after however long. */
    assert_int_equal(fails_with("host=no-such-host.invalid user=herd dbname=fresh"), HERD_DATABASE_RETRY);
    /* Several hosts: the one that is there. */
    char dsn[512];
    cluster_database(&cluster, "fresh");
    snprintf(dsn, sizeof dsn, "host=/nonexistent,%s user=herd dbname=fresh", cluster.dir);
    side_open(&one, base, DRIVER, dsn);
    side_connect(&one);
    side_close(&one);
}

static void test_password(void **state)
{
    (void)state;
    char path[128], dsn[512];
    snprintf(path, sizeof path, "%s/data/pg_hba.conf", cluster.dir);
    FILE *hba = fopen(path, "w");
    assert_non_null(hba);
    fputs("local all guarded scram-sha-256\nlocal all all trust\nhost all all 127.0.0.1/32 trust\n", hba);
    assert_int_equal(fclose(hba), 0);
    cluster_database(&cluster, "fresh");
    sql("DROP ROLE IF EXISTS guarded; CREATE ROLE guarded LOGIN PASSWORD 'hunter2secret'");
    sql("GRANT ALL ON SCHEMA public TO guarded");
    sql("SELECT pg_reload_conf()");
    time_t end = time(NULL) + WAIT_S;
    while (strcmp(sql("SELECT count(*) FROM pg_hba_file_rules WHERE user_name = '{guarded}'"), "1") != 0 &&
           time(NULL) < end)
        ;
    snprintf(dsn, sizeof dsn, "host=%s user=guarded dbname=fresh password=hunter2wrong", cluster.dir);
    /* The old rules hold for a moment longer. */
    bool up;
    do {
        side_open(&one, base, DRIVER, dsn);
        up = side_try_connect(&one);
        side_close(&one);
    } while (up && time(NULL) < end);
    assert_int_equal(one.disconnected.result, HERD_DATABASE_REFUSED);
    assert_non_null(strstr(one.disconnected.message, "28P01"));
    assert_null(strstr(one.disconnected.message, "hunter2"));
    snprintf(dsn, sizeof dsn, "host=%s user=guarded dbname=fresh passfile=/nonexistent", cluster.dir);
    assert_int_equal(fails_with(dsn), HERD_DATABASE_REFUSED); /* none at all */
    snprintf(dsn, sizeof dsn, "postgresql://guarded:hunter2secret@/fresh?host=%s", cluster.dir);
    side_open(&one, base, DRIVER, dsn);
    side_connect(&one);
    side_close(&one);
}

/* A role that may only read and write needs the tables to be there. */
static void test_rights(void **state)
{
    (void)state;
    char dsn[256];
    cluster_database(&cluster, "fresh");
    sql("DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN");
    snprintf(dsn, sizeof dsn, "host=%s user=clerk dbname=fresh", cluster.dir);
    assert_int_equal(fails_with(dsn), HERD_DATABASE_REFUSED);
    assert_non_null(strstr(one.disconnected.message, "42501"));
    assert_string_equal(sql("SELECT to_regclass('herd_schema') IS NULL"), "t");
    side_open(&one, base, DRIVER, fresh_dsn());
    side_connect(&one);
    side_close(&one);
    assert_int_equal(fails_with(dsn), HERD_DATABASE_REFUSED);
    sql("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk");
    side_open(&one, base, DRIVER, dsn);
    side_connect(&one);
    struct herd_database_row row = row_of(herd_span_of("kiwi"), "Riley", "+1-1", "1600000000");
    assert_int_equal(side_write(&one, &row, 1), HERD_DATABASE_DONE);
    sql("REVOKE INSERT ON herd_newest FROM clerk");
    assert_int_equal(side_write(&one, &row, 1), HERD_DATABASE_REFUSED);
    assert_non_null(strstr(one.written.message, "42501"));
    sql("GRANT INSERT ON herd_newest TO clerk");
    assert_int_equal(side_write(&one, &row, 1), HERD_DATABASE_DONE);
    side_close(&one);
}

static void test_other_tables(void **state)
{
    (void)state;
    struct herd_database_row row = row_of(herd_span_of("kiwi"), "Riley", "+1-1", "1600000000");
    connect_fresh(&one);
    assert_int_equal(side_write(&one, &row, 1), HERD_DATABASE_DONE);
    sql("DROP VIEW herd_client; ALTER TABLE herd_newest ALTER expires_ns TYPE int4 USING 7");
    assert_int_equal(DRIVER->find(one.database, 1, herd_span_of("kiwi")), 0);
    wait_times(&one, &one.found.times, 1);
    assert_int_equal(one.found.result, HERD_DATABASE_REFUSED);
    assert_string_equal(one.found.message, "herd_newest has other columns");
    assert_int_equal(DRIVER->read_page(one.database, 1, 10, true), 0);
    wait_times(&one, &one.page.times, 1);
    assert_int_equal(one.page.result, HERD_DATABASE_REFUSED);
    assert_string_equal(one.page.message, "herd_newest has other columns");
    sql("ALTER TABLE herd_writer ALTER sequence TYPE int4");
    assert_int_equal(DRIVER->read_writers(one.database, 1), 0);
    wait_times(&one, &one.writers.times, 1);
    assert_int_equal(one.writers.result, HERD_DATABASE_REFUSED);
    assert_string_equal(one.writers.message, "herd_writer has other columns");
    sql("ALTER TABLE herd_newest DROP COLUMN diff");
    assert_int_equal(side_write(&one, &row, 1), HERD_DATABASE_REFUSED);
    sql("DROP TABLE herd_newest");
    assert_int_equal(side_write(&one, &row, 1), HERD_DATABASE_REFUSED);
    assert_non_null(strstr(one.written.message, "42P01"));
    assert_int_equal(one.disconnected.times, 0);
    /* Of the same names, and not ours at all. */
    side_close(&one);
    sql("DROP TABLE herd_schema; CREATE TABLE herd_schema (colour text)");
    assert_int_equal(fails_with(fresh_dsn()), HERD_DATABASE_REFUSED);
}

/* What a trigger raises is what the server would say. */
static void test_sqlstates(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        enum herd_database_result result;
    } cases[] = {
        {"21000", HERD_DATABASE_BAD},     {"22021", HERD_DATABASE_BAD},     {"22003", HERD_DATABASE_BAD},
        {"23502", HERD_DATABASE_BAD},     {"23514", HERD_DATABASE_REFUSED}, {"54000", HERD_DATABASE_BAD},
        {"40001", HERD_DATABASE_RETRY},   {"40P01", HERD_DATABASE_RETRY},   {"53100", HERD_DATABASE_RETRY},
        {"53200", HERD_DATABASE_RETRY},   {"53300", HERD_DATABASE_RETRY},   {"55P03", HERD_DATABASE_RETRY},
        {"57014", HERD_DATABASE_RETRY},   {"57P03", HERD_DATABASE_RETRY},   {"58030", HERD_DATABASE_RETRY},
        {"28000", HERD_DATABASE_REFUSED}, {"3D000", HERD_DATABASE_REFUSED}, {"3F000", HERD_DATABASE_REFUSED},
        {"42501", HERD_DATABASE_REFUSED}, {"42P01", HERD_DATABASE_REFUSED}, {"42703", HERD_DATABASE_REFUSED},
        {"0A000", HERD_DATABASE_REFUSED}, {"XX001", HERD_DATABASE_REFUSED}, {"P0001", HERD_DATABASE_REFUSED},
    };
    struct herd_database_row row = row_of(herd_span_of("kiwi"), "Riley", "+1-1", "1600000000");
    connect_fresh(&one);
    sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION E'no\\nand\\033 no' USING ERRCODE = TG_ARGV[0], DETAIL = 'a value'; END $$");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON herd_newest FOR EACH ROW EXECUTE FUNCTION "
                 "refuse('%s')",
                 cases[i].sqlstate);
        sql(text);
        assert_int_equal(side_write(&one, &row, 1), cases[i].result);
        snprintf(text, sizeof text, "no and  no (SQLSTATE %s)", cases[i].sqlstate);
        assert_string_equal(one.written.message, text);
    }
    assert_int_equal(one.disconnected.times, 0);
    /* A standby: another connection may find the one that takes writes. */
    sql("CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON herd_newest FOR EACH ROW EXECUTE FUNCTION "
        "refuse('25006')");
    assert_int_equal(side_write(&one, &row, 1), HERD_DATABASE_RETRY);
    wait_times(&one, &one.disconnected.times, 1);
    assert_int_equal(one.disconnected.result, HERD_DATABASE_RETRY);
    side_connect(&one);
    /* One that says that the connection is gone is believed. */
    sql("CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON herd_newest FOR EACH ROW EXECUTE FUNCTION "
        "refuse('08006')");
    assert_int_equal(side_write(&one, &row, 1), HERD_DATABASE_LOST);
    wait_times(&one, &one.disconnected.times, 2);
    /* None of it left anything behind; the writer's part neither. */
    assert_string_equal(sql("SELECT count(*) FROM herd_newest"), "0");
    assert_string_equal(sql("SELECT count(*) FROM herd_writer"), "0");
    side_close(&one);
}

static void test_read_only(void **state)
{
    (void)state;
    cluster_database(&cluster, "fresh");
    assert_int_equal(fails_with(cluster_dsn(&cluster, "fresh", "options='-c default_transaction_read_only=on'")),
                     HERD_DATABASE_RETRY);
    assert_non_null(strstr(one.disconnected.message, "25006"));
}

/* A batch with one bad record is halved by the caller until it is alone: the good ones get in. */
static void test_bad_record(void **state)
{
    (void)state;
    enum { COUNT = 64 };
    static char ids[COUNT][8];
    struct herd_database_row rows[COUNT];
    for (int i = 0; i < COUNT; i++) {
        snprintf(ids[i], sizeof ids[i], "%05d", i);
        rows[i] = row_of(herd_span_of(ids[i]), "Riley", "+1-1", "1600000000");
    }
    rows[37].record.diff = (struct herd_span){"+\0", 2};
    connect_fresh(&one);
    size_t from = 0, count = COUNT, bad = 0;
    while (from < COUNT) {
        enum herd_database_result result = side_write(&one, rows + from, count);
        assert_true(result == HERD_DATABASE_DONE || result == HERD_DATABASE_BAD);
        if (result == HERD_DATABASE_BAD && count > 1) {
            count /= 2;
            continue;
        }
        bad += result == HERD_DATABASE_BAD;
        from += count;
        count = from + count <= COUNT ? count : COUNT - from;
    }
    assert_int_equal(bad, 1);
    assert_string_equal(sql("SELECT count(*) FROM herd_newest"), "63");
    /* An id twice in a batch breaks the contract, and is told as what halving mends. */
    struct herd_database_row twice[] = {rows[0], rows[0]};
    twice[0].effective_ns++, twice[1].effective_ns += 2;
    assert_int_equal(side_write(&one, twice, 2), HERD_DATABASE_BAD);
    side_close(&one);
}

/* The tables are on a file system that gets full. */
static void test_full_disk(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    static char ids[COUNT][16];
    static struct herd_database_row rows[COUNT];
    char text[256];
    if (!small_dir[0]) {
        printf("skipped: a small file system needs root and mount namespaces\n");
        return;
    }
    char filler[96];
    static const char zeros[1024 * 1024];
    snprintf(filler, sizeof filler, "%s.filler", small_dir);
    FILE *file = fopen(filler, "w");
    assert_non_null(file);
    for (int i = 0; i < 8; i++)
        assert_int_equal(fwrite(zeros, sizeof zeros, 1, file), 1);
    assert_int_equal(fclose(file), 0);
    cluster_database(&cluster, "fresh");
    snprintf(text, sizeof text, "CREATE TABLESPACE small LOCATION '%s'", small_dir);
    assert_non_null(cluster_sql(&cluster, "fresh", text));
    side_open(&one, base, DRIVER, cluster_dsn(&cluster, "fresh", "options='-c default_tablespace=small'"));
    side_connect(&one);
    enum herd_database_result result = HERD_DATABASE_DONE;
    int batches = 0;
    for (; batches < 200 && result == HERD_DATABASE_DONE; batches++) {
        for (int i = 0; i < COUNT; i++) {
            snprintf(ids[i], sizeof ids[i], "%05d-%05d", batches, i);
            rows[i] = row_of(herd_span_of(ids[i]), "Riley", "+1.5-2.5", "1621464827.5");
        }
        result = side_write(&one, rows, COUNT);
    }
    assert_int_equal(result, HERD_DATABASE_RETRY);
    assert_non_null(strstr(one.written.message, "53100"));
    assert_int_equal(one.disconnected.times, 0);
    /* Room again: the same batch gets in. */
    assert_int_equal(unlink(filler), 0);
    assert_int_equal(side_write(&one, rows, COUNT), HERD_DATABASE_DONE);
    assert_int_equal(atoi(sql("SELECT count(*) FROM herd_newest")), batches * COUNT);
    printf("full after %d batches\n", batches);
    side_close(&one);
    sql("DROP TABLE herd_schema, herd_name, herd_newest, herd_writer, herd_sample CASCADE");
    sql("DROP TABLESPACE small");
}

/* Before there is a server: it is to see the file system too. */
static void make_small(void)
{
    char dir[] = "/tmp/herd-small-XXXXXX";
    if (geteuid() != 0 || !mkdtemp(dir))
        return;
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("small", dir, "tmpfs", 0, SMALL_BYTES ",mode=777") != 0) {
        rmdir(dir);
        return;
    }
    snprintf(small_dir, sizeof small_dir, "%s/data", dir);
    if (mkdir(small_dir, 0777) != 0 || chown(small_dir, 65534, 65534) != 0)
        small_dir[0] = '\0';
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_LOOP(test_dsn),       ON_LOOP(test_not_there),    ON_LOOP(test_password),
        ON_LOOP(test_rights),    ON_LOOP(test_other_tables), ON_LOOP(test_sqlstates),
        ON_LOOP(test_read_only), ON_LOOP(test_bad_record),   ON_LOOP(test_full_disk),
    };
    make_small();
    int failed = run_on_cluster(tests, sizeof tests / sizeof *tests, "");
    if (small_dir[0]) {
        *strrchr(small_dir, '/') = '\0';
        umount2(small_dir, MNT_DETACH);
        rmdir(small_dir);
    }
    return failed;
}
