/* SPDX-License-Identifier: MIT */
/* The database: rows, transactions, what fails. */
#include "kept.h"

#include <stdlib.h>
#include <string.h>

/* ---- records ---- */

struct herd_record kept_record(const struct kept_record *r)
{
    return (struct herd_record){{r->text[0], r->len[0]}, {r->text[1], r->len[1]}, {r->text[2], r->len[2]},
                                {r->text[3], r->len[3]}, {r->text[4], r->len[4]}, r->time_ns};
}

void kept_copy(struct kept_record *to, const struct herd_record *from)
{
    const struct herd_span parts[5] = {from->server, from->diff, from->id, from->position, from->time};
    *to = (struct kept_record){.there = true, .time_ns = from->time_ns};
    for (int i = 0; i < 5; i++) {
        if (parts[i].len >= sizeof to->text[i])
            abort();
        to->len[i] = (uint16_t)parts[i].len;
        if (parts[i].len)
            memcpy(to->text[i], parts[i].at, parts[i].len);
    }
}

uint32_t kept_id(struct herd_span id)
{
    uint32_t number = 0;
    for (size_t i = 1; i < id.len; i++)
        number = number * 10 + (uint32_t)(id.at[i] - '0');
    return number;
}

bool kept_poison(const struct kept *k, const struct kept_record *record)
{
    uint32_t id = kept_id((struct herd_span){record->text[2], record->len[2]});
    return k->poisoned >> id & 1 && record->len[3] > 0 && record->text[3][0] == '-';
}

static int order(const struct kept *k, const struct kept_record *a, const struct kept_record *b)
{
    struct herd_record left = kept_record(a), right = kept_record(b);
    return herd_record_compare(&left, &right, k->expire_ns);
}

bool kept_holds(const struct kept *k, const struct kept_record *record)
{
    const struct kept_record *row = &k->state.rows[kept_id((struct herd_span){record->text[2], record->len[2]})];
    return row->there && order(k, row, record) >= 0;
}

/* ---- transactions ---- */

static void free_op(struct kept_op *op)
{
    free(op->rows);
    op->rows = NULL;
}

/* All or nothing. A late transaction does not write the writer's row over a later one of the same life. */
static void commit(struct kept *k, const struct kept_op *op)
{
    struct kept_row *writer = &k->state.writers[op->server];
    for (uint32_t i = 0; i < op->count; i++) {
        struct kept_record *row =
            &k->state.rows[kept_id((struct herd_span){op->rows[i].text[2], op->rows[i].len[2]})];
        if (!row->there || order(k, &op->rows[i], row) > 0)
            *row = op->rows[i];
    }
    if (writer->there && writer->incarnation == op->incarnation && writer->sequence > op->sequence)
        return;
    if (k->verbose)
        kept_say(k, "%s says %u %.3f", k->servers[op->server].name, op->count,
                 (double)(op->until_ns - INT64_C(1700000000) * SECOND) / 1e9);
    *writer = (struct kept_row){true, op->incarnation, op->sequence, op->until_ns, k->now_ns};
    if (k->doubt[op->server] == KEPT_TOLD && !op->doubtful)
        k->doubt[op->server] = KEPT_SURE;
    kept_check_row(k, op->server);
}

static bool bad(struct kept *k, const struct kept_op *op)
{
    bool poison = false;
    for (uint32_t i = 0; i < op->count; i++)
        poison |= kept_poison(k, &op->rows[i]);
    if (poison) {
        kept_figures.bad++;
        k->bad_alone += op->count == 1;
    }
    return poison;
}

/* Whether a server holds one by now that the database does not take, or that another server is to write. */
static bool replaced(struct kept *k, int server, const struct kept_record *record)
{
    struct herd_record held;
    struct kept_record copy;
    struct herd_node *node = k->servers[server].node;
    if (!node || !herd_store_get(herd_node_store(node), (struct herd_span){record->text[2], record->len[2]}, &held))
        return false;
    kept_copy(&copy, &held);
    return kept_poison(k, &copy) || !herd_span_equal(held.server, herd_node_name(node));
}

bool kept_written(struct kept *k, int server, const struct kept_record *record)
{
    return kept_holds(k, record) || kept_poison(k, record) || replaced(k, server, record);
}

/* What the server's row says is written, is: of what it accepted itself. */
void kept_check_row(struct kept *k, int server)
{
    struct kept_server *s = &k->servers[server];
    const struct kept_row *row = &k->state.writers[server];
    if (!s->keeper || k->lies[server] || k->doubt[server] != KEPT_SURE || k->now_ns < s->set_back_ns ||
        !row->there || row->incarnation != s->seed)
        return;
    kept_figures.checks++;
    for (uint32_t id = 0; id < k->ids; id++) {
        const struct kept_record *owed = &s->owed[id];
        struct herd_record record = kept_record(owed);
        if (!owed->there || herd_record_accepted_ns(&record) >= row->until_ns - 60 * SECOND)
            continue;
        if (!kept_written(k, server, owed))
            kept_fail(k, "%s says that it wrote c%u, and did not", s->name, id);
    }
}

/* ---- what a server asks ---- */

/* Whatever the database answers, batches of nothing have pauses between them. */
static void check_pace(struct kept *k, struct kept_server *s)
{
    if (s->stop_ns)
        return;
    if (k->now_ns - s->empty_ns > 10 * SECOND) {
        s->empty_ns = k->now_ns;
        s->empty = 0;
    }
    if (++s->empty > 20)
        kept_fail(k, "%s writes nothing again and again", s->name);
}

void kept_ask(struct kept *k, int server, const struct herd_keeper_effect *effect)
{
    struct kept_server *s = &k->servers[server];
    if (s->op_count == KEPT_OPS)
        kept_fail(k, "%s asks for too much at once", s->name);
    struct kept_op *op = &s->ops[s->op_count++];
    *op = (struct kept_op){.kind = effect->kind, .server = server, .ticket = effect->ticket};
    op->doubtful = k->doubt[server] == KEPT_DOUBTED;
    op->at_ns = k->now_ns + rng_in(&k->database, 100 * US, 20 * MS);
    if (s->op_count > 1 && op->at_ns < s->ops[s->op_count - 2].at_ns)
        op->at_ns = s->ops[s->op_count - 2].at_ns; /* in order */
    if (effect->kind == HERD_KEEPER_WRITE) {
        if (!s->read_before)
            kept_fail(k, "%s writes without reading first", s->name);
        s->read_before = false;
        if (effect->count == 0)
            check_pace(k, s);
        /* both at once: nothing comes between */
        op->at_ns = s->op_count > 1 ? s->ops[s->op_count - 2].at_ns : op->at_ns;
        op->incarnation = effect->writer->incarnation;
        op->sequence = effect->writer->sequence;
        op->until_ns = effect->writer->written_until_ns;
        op->rows = calloc(effect->count + 1, sizeof *op->rows);
        for (size_t i = 0; i < effect->count; i++) {
            if (i > 0 && herd_span_compare(effect->rows[i - 1].record.id, effect->rows[i].record.id) >= 0)
                kept_fail(k, "%s writes ids that are not sorted", s->name);
            kept_copy(&op->rows[op->count++], &effect->rows[i].record);
        }
        if (op->count > k->options.batch_max)
            kept_fail(k, "%s writes %u records at once", s->name, op->count);
    }
    if (k->verbose)
        kept_say(k, "%s asks %d, %zu rows%s", s->name, effect->kind, effect->count,
                 op->doubtful ? ", doubtful" : "");
    if (effect->kind == HERD_KEEPER_READ_WRITERS)
        s->read_before = true;
}

static bool trouble(struct kept *k, uint64_t one_in)
{
    return k->now_ns < k->trouble_until && rng_one_in(&k->database, one_in);
}

static void answer_connect(struct kept *k, int server)
{
    struct kept_server *s = &k->servers[server];
    s->connecting = false;
    if (k->now_ns < k->refused_until) {
        herd_keeper_disconnected(s->keeper, HERD_DATABASE_REFUSED, "password", kept_now(k, server));
    } else if (k->now_ns < k->away_until || trouble(k, 4)) {
        herd_keeper_disconnected(s->keeper, HERD_DATABASE_LOST, "away", kept_now(k, server));
    } else {
        s->connected = true;
        herd_keeper_connected(s->keeper, "sim", kept_now(k, server));
    }
}

static void answer_read(struct kept *k, int server, uint64_t ticket)
{
    struct herd_database_writer rows[SERVERS_MAX];
    size_t count = 0;
    for (int i = 0; i < k->count; i++) {
        const struct kept_row *row = &k->state.writers[i];
        if (row->there)
            rows[count++] = (struct herd_database_writer){herd_span_of(k->servers[i].name), row->incarnation,
                                                          row->sequence, row->until_ns, k->now_ns - row->at_ns};
    }
    struct kept_server *s = &k->servers[server];
    if (trouble(k, 16)) {
        herd_keeper_writers(s->keeper, ticket, HERD_DATABASE_RETRY, "busy", NULL, 0, kept_now(k, server));
        return;
    }
    if (k->doubt[server] == KEPT_DOUBTED)
        k->doubt[server] = KEPT_TOLD;
    sim_alloc.one_in = k->oom_one_in;
    herd_keeper_writers(s->keeper, ticket, HERD_DATABASE_DONE, NULL, rows, count, kept_now(k, server));
    sim_alloc.one_in = 0;
}

static void answer_write(struct kept *k, struct kept_op *op)
{
    struct herd_keeper *keeper = k->servers[op->server].keeper;
    enum herd_database_result result = HERD_DATABASE_DONE;
    if (k->now_ns < k->refused_until)
        result = HERD_DATABASE_REFUSED;
    else if (bad(k, op))
        result = HERD_DATABASE_BAD;
    else if (trouble(k, 6))
        result = HERD_DATABASE_RETRY;
    else
        commit(k, op);
    kept_figures.batches += result == HERD_DATABASE_DONE;
    kept_figures.rows += result == HERD_DATABASE_DONE ? op->count : 0;
    if (k->verbose)
        kept_say(k, "%s wrote %u: %d", k->servers[op->server].name, op->count, result);
    herd_keeper_written(keeper, op->ticket, result, "so", kept_now(k, op->server));
}

void kept_carry_out(struct kept *k, int server)
{
    struct kept_server *s = &k->servers[server];
    struct kept_op op = s->ops[0];
    if (op.kind == HERD_KEEPER_READ_WRITERS && k->now_ns < k->overtaken_until && s->op_count > 1 &&
        s->ops[1].kind == HERD_KEEPER_WRITE) {
        s->ops[0] = s->ops[1];
        s->ops[1] = op;
        op = s->ops[0];
    }
    if (op.kind == HERD_KEEPER_WRITE && trouble(k, 12)) { /* the answer never comes, or the connection breaks */
        bool committed = rng_one_in(&k->database, 2) && !bad(k, &op);
        if (committed)
            commit(k, &op);
        if (rng_one_in(&k->database, 2)) {
            kept_cut(k, server);
        } else {
            for (size_t i = 0; i < s->op_count; i++)
                s->ops[i].at_ns = INT64_MAX;
            s->ops[0].mute = committed;
        }
        return;
    }
    memmove(s->ops, s->ops + 1, --s->op_count * sizeof *s->ops);
    if (op.kind == HERD_KEEPER_CONNECT)
        answer_connect(k, server);
    else if (op.kind == HERD_KEEPER_READ_WRITERS)
        answer_read(k, server, op.ticket);
    else
        answer_write(k, &op);
    free_op(&op);
    kept_effects(k, server);
}

/* A server that is gone left a transaction behind: it is carried out some time, or never. */
static void leave(struct kept *k, struct kept_op *op)
{
    if (op->kind == HERD_KEEPER_WRITE && !op->mute && k->late_count < LATE_OPS && rng_one_in(&k->database, 3)) {
        k->late[k->late_count] = *op;
        k->late[k->late_count++].at_ns = k->now_ns + rng_in(&k->database, MS, 30 * SECOND);
        op->rows = NULL;
    }
    free_op(op);
}

void kept_late(struct kept *k)
{
    for (size_t i = 0; i < k->late_count; i++) {
        if (k->late[i].at_ns > k->now_ns)
            continue;
        struct kept_op op = k->late[i];
        k->late[i--] = k->late[--k->late_count];
        kept_figures.late++;
        if (!bad(k, &op))
            commit(k, &op);
        free_op(&op);
    }
}

void kept_drop(struct kept *k, int server)
{
    struct kept_server *s = &k->servers[server];
    for (size_t i = 0; i < s->op_count; i++)
        leave(k, &s->ops[i]);
    s->op_count = 0;
    s->connected = s->connecting = s->read_before = false;
}

void kept_cut(struct kept *k, int server)
{
    struct kept_server *s = &k->servers[server];
    struct kept_op ops[KEPT_OPS];
    size_t count = s->op_count;
    memcpy(ops, s->ops, sizeof ops);
    kept_drop(k, server);
    struct herd_now now = kept_now(k, server);
    for (size_t i = 0; i < count; i++) {
        if (ops[i].kind == HERD_KEEPER_WRITE)
            herd_keeper_written(s->keeper, ops[i].ticket, HERD_DATABASE_LOST, "cut", now);
        else if (ops[i].kind == HERD_KEEPER_READ_WRITERS)
            herd_keeper_writers(s->keeper, ops[i].ticket, HERD_DATABASE_LOST, "cut", NULL, 0, now);
        kept_effects(k, server);
    }
    herd_keeper_disconnected(s->keeper, HERD_DATABASE_LOST, "cut", now);
    kept_effects(k, server);
}

/* It was restored from what it was once, or is another. */
void kept_forget(struct kept *k, bool all)
{
    const bool restored = !all && k->has_old;
    if (restored)
        k->state = k->old;
    else
        memset(&k->state, 0, sizeof k->state);
    for (size_t i = 0; i < k->late_count; i++)
        free_op(&k->late[i]);
    k->late_count = 0;
    for (int i = 0; i < k->count; i++) {
        k->doubt[i] = KEPT_DOUBTED;
        k->lies[i] |= restored && k->old_lies[i];
        for (size_t op = 0; op < k->servers[i].op_count; op++)
            k->servers[i].ops[op].doubtful = true;
    }
    kept_figures.forgot++;
}
