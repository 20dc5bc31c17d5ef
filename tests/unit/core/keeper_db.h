/* SPDX-License-Identifier: MIT */
/* A node, its keeper, and a database that does what a test says; time goes on by the keeper's own clock. */
#ifndef TEST_KEEPER_DB_H
#define TEST_KEEPER_DB_H

#include "cm.h"

#include "keeper_impl.h"
#include "store_impl.h"

#include <stdio.h>
#include <string.h>

#define MS INT64_C(1000000)
#define S  INT64_C(1000000000)

#define DB_WRITERS 8
#define DB_OPS     4

#ifndef DB_INSIDE /* whether a keeper's call is on the stack */
static bool db_inside;
#define DB_INSIDE db_inside
#endif

struct db_writer {
    char server[16];
    uint64_t incarnation, sequence;
    int64_t until_ns, at_ns;
};

struct db_op {
    enum herd_keeper_effect_kind kind;
    uint64_t ticket;
    int64_t at_ns;                     /* when it is answered */
    struct db_writer rows[DB_WRITERS]; /* as they were when they were read */
    size_t row_count;
};

struct db {
    struct herd_node *node;
    struct herd_keeper *keeper;
    struct herd_now now;
    /* what the next answers are; DONE at first */
    enum herd_database_result connect, write, read;
    const char *poison;  /* ids that begin so are BAD */
    bool mute;           /* nothing is answered */
    bool hangs;          /* what is written is neither carried out nor answered */
    bool overtakes;      /* a reading shows what was written behind it */
    bool hides;          /* a reading shows no row */
    const char *usurped; /* its row is another life's each time it is read */
    const char *aged;    /* its row moves each time it is read, and is said to be of long ago */
    int64_t latency_ns;
    bool connected, read_before;
    struct db_op ops[DB_OPS];
    size_t op_count;
    struct herd_store *rows;
    struct db_writer writers[DB_WRITERS];
    size_t writer_count;
    struct { /* what was seen */
        unsigned connects, disconnects, writes, reads, empty;
        size_t records, most;
        uint64_t steps_max;
        char notices[32][64];
        unsigned notice_count;
    } seen;
};

static void db_row(struct db *db, const struct herd_database_writer *writer)
{
    size_t i = 0;
    while (i < db->writer_count && !herd_span_equal(herd_span_of(db->writers[i].server), writer->server))
        i++;
    assert_true(i < DB_WRITERS);
    db->writer_count += i == db->writer_count;
    struct db_writer *row = &db->writers[i];
    assert_true(writer->server.len < sizeof row->server);
    memcpy(row->server, writer->server.at, writer->server.len);
    row->server[writer->server.len] = '\0';
    row->incarnation = writer->incarnation;
    row->sequence = writer->sequence;
    row->until_ns = writer->written_until_ns;
    row->at_ns = db->now.steady_ns;
}

static inline struct db_writer *db_writer(struct db *db, const char *server)
{
    for (size_t i = 0; i < db->writer_count; i++)
        if (strcmp(db->writers[i].server, server) == 0)
            return &db->writers[i];
    return NULL;
}

static bool begins(struct herd_span id, const char *with)
{
    return with && id.len >= strlen(with) && memcmp(id.at, with, strlen(with)) == 0;
}

static enum herd_database_result db_write(struct db *db, const struct herd_keeper_effect *effect)
{
    for (size_t i = 0; i < effect->count; i++) {
        if (i > 0)
            assert_true(herd_span_compare(effect->rows[i - 1].record.id, effect->rows[i].record.id) < 0);
        if (begins(effect->rows[i].record.id, db->poison))
            return HERD_DATABASE_BAD;
    }
    if (db->write != HERD_DATABASE_DONE)
        return db->write;
    bool was_inside = DB_INSIDE;
    DB_INSIDE = false;
    for (size_t i = 0; i < effect->count; i++) {
        enum herd_put put;
        uint32_t slot;
        assert_int_equal(effect->rows[i].accepted_ns, herd_record_accepted_ns(&effect->rows[i].record));
        assert_int_equal(herd_store_offer(db->rows, &effect->rows[i].record, &put, &slot), 0);
    }
    db_row(db, effect->writer);
    DB_INSIDE = was_inside;
    return HERD_DATABASE_DONE;
}

static void db_queue(struct db *db, const struct herd_keeper_effect *effect)
{
    assert_true(db->op_count < DB_OPS);
    struct db_op *op = &db->ops[db->op_count++];
    *op = (struct db_op){.kind = effect->kind, .ticket = effect->ticket, .at_ns = INT64_MAX};
    if (!db->mute)
        op->at_ns = db->now.steady_ns + db->latency_ns;
    memcpy(op->rows, db->writers, sizeof op->rows);
    op->row_count = db->writer_count;
}

static void db_effects(struct db *db);

static void db_answer(struct db *db, struct db_op op, enum herd_database_result result)
{
    struct herd_database_writer rows[DB_WRITERS];
    switch (op.kind) {
    case HERD_KEEPER_CONNECT:
        db->connected = db->connect == HERD_DATABASE_DONE;
        if (db->connected)
            herd_keeper_connected(db->keeper, "test 1", db->now);
        else
            herd_keeper_disconnected(db->keeper, db->connect, "no way", db->now);
        break;
    case HERD_KEEPER_READ_WRITERS:
        if (db->overtakes) {
            memcpy(op.rows, db->writers, sizeof op.rows);
            op.row_count = db->writer_count;
        }
        if (db->hides)
            op.row_count = 0;
        for (size_t i = 0; i < op.row_count; i++) {
            rows[i] = (struct herd_database_writer){
                .server = herd_span_of(op.rows[i].server),
                .incarnation = op.rows[i].incarnation,
                .sequence = op.rows[i].sequence,
                .written_until_ns = op.rows[i].until_ns,
                .age_ns = db->now.steady_ns - op.rows[i].at_ns,
            };
            if (db->usurped && strcmp(op.rows[i].server, db->usurped) == 0)
                rows[i].incarnation = 99;
            if (db->aged && strcmp(op.rows[i].server, db->aged) == 0) {
                rows[i].sequence += db->seen.reads;
                rows[i].age_ns += 3600 * S;
            }
        }
        herd_keeper_writers(db->keeper, op.ticket, db->read, "no", rows, op.row_count, db->now);
        break;
    default: herd_keeper_written(db->keeper, op.ticket, result, "not so", db->now);
    }
    db_effects(db);
}

static void db_effects(struct db *db)
{
    struct herd_keeper_effect effect;
    while (herd_keeper_next_effect(db->keeper, &effect)) {
        switch (effect.kind) {
        case HERD_KEEPER_CONNECT:
            db->seen.connects++;
            db_queue(db, &effect);
            break;
        case HERD_KEEPER_DISCONNECT:
            db->seen.disconnects++;
            db->connected = false;
            db->op_count = 0;
            break;
        case HERD_KEEPER_WRITE: {
            assert_true(db->connected);
            assert_true(db->read_before); /* else its row hides that the database lost the last one */
            db->read_before = false;
            db->seen.writes++;
            db->seen.records += effect.count;
            db->seen.empty += effect.count == 0;
            db->seen.most = effect.count > db->seen.most ? effect.count : db->seen.most;
            db_queue(db, &effect);
            /* carried out now: what the answer is stands in the kind's place */
            if (db->hangs)
                db->ops[db->op_count - 1].at_ns = INT64_MAX;
            else if (!db->mute)
                db->ops[db->op_count - 1].kind = (enum herd_keeper_effect_kind)(100 + (int)db_write(db, &effect));
            break;
        }
        case HERD_KEEPER_READ_WRITERS:
            assert_true(db->connected);
            db->seen.reads++;
            db->read_before = true;
            db_queue(db, &effect);
            break;
        default:
            assert_true(db->seen.notice_count < 32);
            snprintf(db->seen.notices[db->seen.notice_count++], 64, "%s %.*s", effect.text, (int)effect.detail.len,
                     effect.detail.len ? effect.detail.at : "");
        }
    }
}

static void db_tick(struct db *db)
{
    uint64_t steps = herd_keeper_stats(db->keeper).steps;
    herd_keeper_tick(db->keeper, db->now);
    steps = herd_keeper_stats(db->keeper).steps - steps;
    db->seen.steps_max = steps > db->seen.steps_max ? steps : db->seen.steps_max;
    db_effects(db);
}

/* Lets so much time go by. */
static void db_run(struct db *db, int64_t ns)
{
    const int64_t end_ns = db->now.steady_ns + ns;
    for (unsigned still = 0;;) {
        int64_t next_ns = herd_keeper_next_ns(db->keeper);
        bool answer = db->op_count > 0 && db->ops[0].at_ns <= next_ns;
        next_ns = answer ? db->ops[0].at_ns : next_ns;
        if (next_ns > end_ns)
            break;
        still = next_ns > db->now.steady_ns ? 0 : still + 1;
        assert_true(still < 100000); /* it goes round in circles */
        if (next_ns > db->now.steady_ns) {
            db->now.wall_ns += next_ns - db->now.steady_ns;
            db->now.steady_ns = next_ns;
        }
        if (!answer) {
            db_tick(db);
            continue;
        }
        struct db_op op = db->ops[0];
        memmove(db->ops, db->ops + 1, --db->op_count * sizeof *db->ops);
        db_answer(db, op, op.kind >= 100 ? (enum herd_database_result)(op.kind - 100) : HERD_DATABASE_DONE);
    }
    db->now.wall_ns += end_ns - db->now.steady_ns;
    db->now.steady_ns = end_ns;
}

/* Ends the connection from the database's side. */
static inline void db_cut(struct db *db)
{
    db->connected = false;
    db->op_count = 0;
    herd_keeper_disconnected(db->keeper, HERD_DATABASE_LOST, "cut", db->now);
    db_effects(db);
}

static void db_open_keeper(struct db *db, const struct herd_keeper_options *options)
{
    static const struct herd_keeper_options defaults = {.seed = {3, 4}};
    assert_int_equal(herd_keeper_open(&db->keeper, db->node, options ? options : &defaults, db->now), 0);
}

static void db_open(struct db *db, const char *name, const struct herd_keeper_options *options)
{
    *db = (struct db){.now = {INT64_C(1700000000) * S, 1000 * S}, .latency_ns = MS};
    const struct herd_node_options node = {
        .name = herd_span_of(name), .seed = {3, 5}, .tombstones_max = 1000, .records_max = 4000000};
    assert_int_equal(herd_node_new(&db->node, &node), 0);
    assert_int_equal(herd_store_new(&db->rows, NULL), 0);
    db_open_keeper(db, options);
}

static void db_close(struct db *db)
{
    herd_keeper_close(db->keeper);
    herd_node_free(db->node);
    herd_store_free(db->rows);
}

static void db_report(struct db *db, const char *id, double lat)
{
    char position[40], time[40];
    enum herd_verdict verdict;
    snprintf(position, sizeof position, "%+.4f+010.0000", lat);
    snprintf(time, sizeof time, "%lld.%09lld", (long long)(db->now.wall_ns / S), (long long)(db->now.wall_ns % S));
    assert_int_equal(herd_node_report(db->node, herd_span_of(id), herd_span_of(position), herd_span_of(time),
                                      db->now, NULL, &verdict),
                     0);
    assert_true(verdict <= HERD_VERDICT_NEWER);
}

/* c0 and on. */
static inline void db_report_many(struct db *db, int count)
{
    char id[16];
    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof id, "c%d", i);
        db_report(db, id, i % 90);
    }
}

/* The database loses its records and its writers. */
static inline void db_forget(struct db *db)
{
    herd_store_free(db->rows);
    assert_int_equal(herd_store_new(&db->rows, NULL), 0);
    db->writer_count = 0;
}

/* A record of another server. */
static inline void db_learn(struct db *db, const char *server, const char *id, int64_t accepted_ns)
{
    char time[40];
    enum herd_put put;
    uint32_t slot;
    snprintf(time, sizeof time, "%lld.%09lld", (long long)(accepted_ns / S), (long long)(accepted_ns % S));
    const struct herd_record record = {.server = herd_span_of(server),
                                       .diff = herd_span_of("+0.000000000"),
                                       .id = herd_span_of(id),
                                       .position = herd_span_of("+10.0000+020.0000"),
                                       .time = herd_span_of(time)};
    assert_int_equal(herd_changes_reserve(&db->node->changes, db->node->store->slots + 1), 0);
    assert_int_equal(herd_store_put(db->node->store, &record, &put, &slot), 0);
    assert_true(put <= HERD_PUT_NEWER);
    herd_changes_publish(&db->node->changes, slot, NULL);
}

static inline bool db_has(struct db *db, const char *id)
{
    struct herd_record record;
    return herd_store_get(db->rows, herd_span_of(id), &record);
}

static inline bool db_said(const struct db *db, const char *notice)
{
    for (unsigned i = 0; i < db->seen.notice_count; i++)
        if (strncmp(db->seen.notices[i], notice, strlen(notice)) == 0)
            return true;
    return false;
}

/* What the node holds and what the database does are the same. */
static inline void db_equal(struct db *db)
{
    assert_int_equal(herd_store_count(db->rows), herd_store_count(db->node->store));
    assert_true(herd_store_digest(db->rows) == herd_store_digest(db->node->store));
}

#endif
