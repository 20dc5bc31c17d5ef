/* SPDX-License-Identifier: MIT */
/* The adapter of Redis where the server goes, forgets, refuses, or is not what it was. */
#include "world.h"

static void killed(void **state)
{
    (void)state;
    connected_with_rows(1000);
    for (int round = 0; round < 5; round++) {
        adapter_forget(&a);
        assert_int_equal(herd_redis_driver.write(a.database, 1, many, 1000, &adapter_writer), 0);
        assert_int_equal(herd_redis_driver.write(a.database, 2, many, 10, &adapter_writer), 0);
        assert_int_equal(herd_redis_driver.find(a.database, 3, herd_span_of("x")), 0);
        for (int turn = 0; turn < round; turn++)
            event_base_loop(base, EVLOOP_ONCE);
        redis_kill(&server);
        adapter_until(&a, a.disconnected);
        for (unsigned t = 1; t <= 3; t++)
            assert_true(a.results[t] == HERD_DATABASE_LOST || a.results[t] == HERD_DATABASE_DONE);
        assert_int_equal(a.disconnected, 1);
        assert_int_equal(herd_redis_driver.write(a.database, 4, many, 1, NULL), HERD_E_STATE);
        assert_int_equal(herd_redis_driver.find(a.database, 4, herd_span_of("x")), HERD_E_STATE);
        adapter_connect(&a); /* nobody there */
        assert_int_equal(a.disconnected, 2);
        assert_non_null(strstr(a.message, "cannot connect"));
        redis_start(&server);
        connected();
        assert_int_equal(adapter_write(&a, 5, many, 1000), HERD_DATABASE_DONE);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(killed), TEST(forgets), TEST(refuses_us), TEST(no_memory_there), TEST(wrong_types), TEST(replica),
    };
    return run_with_servers(tests, sizeof tests / sizeof *tests);
}
