/* SPDX-License-Identifier: MIT */
/*
 * What a keeper takes of memory and time: each of its allocations failed once, and from then on; a million records that are
 * due at once; a day without the database.
 */
#include "cm.h"

#include <stdbool.h>

static bool inside; /* a keeper's call, not the node's or the database's own */
#define DB_INSIDE  inside
#define ALLOC_HERE inside
#include "alloc.h"

#include "keeper_db.h"

#define CLIENTS 400

/* ---- memory ---- */

static void run(struct db *db, int64_t ns)
{
    inside = true;
    db_run(db, ns);
    inside = false;
}

/* Returns how many allocations there were. */
static size_t tell(size_t fail, bool all)
{
    struct db db = {.now = {INT64_C(1700000000) * S, 1000 * S}, .latency_ns = MS};
    const struct herd_node_options node = {.name = herd_span_of("Riley"), .seed = {3, 5}};
    const struct herd_keeper_options options = {.batch_max = 50};
    char id[16];
    assert_int_equal(herd_node_new(&db.node, &node), 0);
    assert_int_equal(herd_store_new(&db.rows, NULL), 0);
    alloc_plan = (struct alloc_plan){true, 0, fail, all};
    inside = true;
    int err = herd_keeper_open(&db.keeper, db.node, &options, db.now);
    inside = false;
    if (err < 0) {
        assert_int_equal(err, HERD_E_NOMEM);
        assert_null(db.node->changes.subscribers); /* nothing is left of it */
        assert_null(db.node->database);
        alloc_plan.armed = false;
        herd_node_free(db.node);
        herd_store_free(db.rows);
        return alloc_plan.count;
    }
    const struct herd_database_writer dead = {herd_span_of("Bailey"), 7, 4, db.now.wall_ns, 0};
    db_row(&db, &dead);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned client = 0; client < CLIENTS; client++) {
            snprintf(id, sizeof id, "c%u", client + round * 800); /* more slots than bits at first */
            if (client % 4 == 0)
                db_learn(&db, client % 8 ? "Bailey" : "Johnson", id, db.now.wall_ns);
            else
                db_report(&db, id, 10 * round);
        }
        run(&db, 20 * S);
    }
    size_t count = alloc_plan.count;
    alloc_plan.armed = false;
    run(&db, 120 * S);
    db_equal(&db);
    assert_int_equal(herd_keeper_stats(db.keeper).adopted, 2);
    db_close(&db);
    return count;
}

static void test_every_allocation(void **state)
{
    (void)state;
    size_t count = tell(0, false);
    assert_in_range(count, 12, 200); /* few: none for each record */
    for (size_t fail = 1; fail <= count; fail++) {
        tell(fail, false);
        tell(fail, true);
    }
}

/* ---- time ---- */

#define MANY 1000000

static void fill(struct db *db, unsigned count)
{
    char id[16];
    for (unsigned i = 0; i < count; i++) {
        snprintf(id, sizeof id, "c%u", (unsigned)(i * UINT64_C(7919) % count));
        db_report(db, id, i % 90);
    }
}

static void test_a_million_at_once(void **state)
{
    (void)state;
    struct db db;
    struct herd_keeper_options options = {.seed = {1, 2}};
    db_open(&db, "Riley", &options);
    db_run(&db, S);
    db.connect = HERD_DATABASE_LOST;
    db_cut(&db);
    fill(&db, MANY);
    db_run(&db, 600 * S);
    db.connect = HERD_DATABASE_DONE;
    uint64_t steps = herd_keeper_stats(db.keeper).steps;
    db_run(&db, 60 * S);
    steps = herd_keeper_stats(db.keeper).steps - steps;
    db_equal(&db);
    assert_true(db.seen.steps_max <= HERD_KEEPER_STEPS);
    assert_int_equal(db.seen.most, 1000);
    assert_in_range(steps, 4 * MANY, 5 * MANY + 100000); /* four a record */
    db_close(&db);
}

/* ---- a day away ---- */

static void test_memory_without_it(void **state)
{
    (void)state;
    struct db db;
    db_open(&db, "Riley", NULL);
    fill(&db, 20000);
    db_run(&db, 10 * S);
    db_equal(&db);
    db.connect = HERD_DATABASE_LOST;
    db_cut(&db);
    alloc_plan = (struct alloc_plan){.armed = true};
    fill(&db, 20000);
    run(&db, 60 * S);
    size_t allocations = alloc_plan.count;
    for (int hour = 0; hour < 24; hour++) {
        fill(&db, 20000);
        run(&db, 3600 * S);
    }
    assert_int_equal(alloc_plan.count, allocations); /* not one: not a byte more */
    alloc_plan.armed = false;
    db.connect = HERD_DATABASE_DONE;
    db_run(&db, 60 * S);
    db_equal(&db);
    db_close(&db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation),
        cmocka_unit_test(test_a_million_at_once),
        cmocka_unit_test(test_memory_without_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
