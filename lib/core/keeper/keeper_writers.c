/* SPDX-License-Identifier: MIT */
/*
 * What servers say of themselves in the database, and what follows.
 *
 *     own row, read for the first time    what this server accepted since a minute before it says is written again:
 *                                         the last life may not have come so far
 *     own row, not as it was written      the database has lost its memory: everything is written again
 *     another's row, older than adopt_ns  it does not write: the next in rank by rendezvous hash among those that do
 *                                         adopts it, the r-th r * adopt_ns later, in case that those before see no
 *                                         records of it. Until its row moves
 *     a server with records and no row    likewise, from when that is known on: it has no database, or is no more
 *
 * Two that write for the same server do no harm: the order decides in the database.
 *
 * A database may show other rows than were written for ever: two servers of one name, a reading that overtakes what was
 * written before it, a rule that hides rows. What follows from a row is done at once the first time, and then once in
 * a while.
 */
#include "keeper_writers.h"

#include "../base/array.h"
#include "keeper_due.h"
#include "keeper_notice.h"

#include <stdlib.h>

#define NAMES_A_STEP   16
#define WRITERS_A_STEP 16
/* So long after its start a server does not say that more is written: what its last life accepted and did not write may
 * still be with its neighbours. */
#define HOLD_NS INT64_C(30000000000)

void herd_keeper_writers_init(struct herd_keeper *keeper)
{
    keeper->own_from_ns = INT64_MAX;
    keeper->own_hash = herd_hash(0, keeper->node->name.at, keeper->node->name.len);
    keeper->hold_ns = herd_add_saturated(keeper->now.steady_ns, HOLD_NS);
}

void herd_keeper_writers_fini(struct herd_keeper *keeper)
{
    for (size_t i = 0; i < keeper->server_count; i++)
        herd_names_unref(&keeper->node->store->names, keeper->servers[i].name);
    free(keeper->servers);
    free(keeper->by_name);
}

static struct herd_span name_of(const struct herd_keeper *keeper, const struct herd_keeper_server *server)
{
    return herd_names_text(&keeper->node->store->names, server->name);
}

/* ---- the table ---- */

static int make_room(struct herd_keeper *keeper, unsigned name)
{
    const size_t old_cap = keeper->by_name_cap;
    uint16_t *by_name =
        herd_array_reserve(keeper->by_name, &keeper->by_name_cap, (size_t)name + 1, sizeof *by_name);
    if (!by_name)
        return HERD_E_NOMEM;
    for (size_t i = old_cap; i < keeper->by_name_cap; i++)
        by_name[i] = HERD_KEEPER_NONE;
    keeper->by_name = by_name;
    struct herd_keeper_server *servers =
        herd_array_reserve(keeper->servers, &keeper->server_cap, keeper->server_count + 1, sizeof *servers);
    if (!servers)
        return HERD_E_NOMEM;
    keeper->servers = servers;
    return 0;
}

/* The entry of a name of the store, made if there is none. HERD_E_NOMEM; HERD_E_LIMIT: there are too many. */
static int entry(struct herd_keeper *keeper, unsigned name, struct herd_keeper_server **ret_server)
{
    if (name < keeper->by_name_cap && keeper->by_name[name] != HERD_KEEPER_NONE) {
        *ret_server = &keeper->servers[keeper->by_name[name]];
        return 0;
    }
    if (keeper->server_count == HERD_KEEPER_WRITERS_MAX)
        return HERD_E_LIMIT;
    int err = make_room(keeper, name);
    if (err < 0)
        return err;
    struct herd_keeper_server *server = &keeper->servers[keeper->server_count];
    herd_names_ref(&keeper->node->store->names, name);
    *server = (struct herd_keeper_server){.name = (uint16_t)name,
                                          .missing_ns = keeper->now.steady_ns,
                                          .released_ns = INT64_MIN,
                                          .from_ns = INT64_MAX};
    server->hash = herd_hash(0, name_of(keeper, server).at, name_of(keeper, server).len);
    keeper->by_name[name] = (uint16_t)keeper->server_count++;
    *ret_server = server;
    return 0;
}

static void drop_entry(struct herd_keeper *keeper, size_t at)
{
    struct herd_keeper_server *server = &keeper->servers[at];
    herd_names_unref(&keeper->node->store->names, server->name);
    keeper->by_name[server->name] = HERD_KEEPER_NONE;
    keeper->stats.adopted -= server->adopted;
    *server = keeper->servers[--keeper->server_count];
    if (at < keeper->server_count)
        keeper->by_name[server->name] = (uint16_t)at;
}

/* ---- what was read ---- */

static void release(struct herd_keeper *keeper, struct herd_keeper_server *server)
{
    server->adopted = false;
    server->from_ns = INT64_MAX;
    server->released_ns = keeper->now.steady_ns;
    keeper->stats.adopted--;
    herd_keeper_notice_damped(keeper, &keeper->returned_count, "writer_returned", name_of(keeper, server));
}

static void note(struct herd_keeper *keeper, struct herd_keeper_server *server,
                 const struct herd_database_writer *writer)
{
    bool moved = server->incarnation != writer->incarnation || server->sequence != writer->sequence;
    if (server->adopted && moved)
        release(keeper, server);
    server->has_row = server->seen = true;
    server->incarnation = writer->incarnation;
    server->sequence = writer->sequence;
    server->written_until_ns = writer->written_until_ns;
    server->age_ns = writer->age_ns > 0 ? writer->age_ns : 0;
}

static int64_t margin_before(int64_t until_ns)
{
    return herd_sub_saturated(until_ns, HERD_KEEPER_MARGIN_NS);
}

/* The database has this row, or none: from now on it is to have no less. */
static void expect(struct herd_keeper *keeper, const struct herd_database_writer *row)
{
    keeper->expected = row != NULL;
    if (!row)
        return;
    keeper->expected_incarnation = row->incarnation;
    keeper->expected_sequence = row->sequence;
}

/* Whether the row is not what it has to be. */
static bool lost(const struct herd_keeper *keeper, const struct herd_database_writer *row)
{
    if (!keeper->expected)
        return false;
    if (!row)
        return true;
    if (row->incarnation == keeper->expected_incarnation)
        return row->sequence < keeper->expected_sequence;
    return row->incarnation != keeper->options.incarnation; /* written, but not acknowledged */
}

/* The row as the last life left it; NULL: none. */
static void begin_life(struct herd_keeper *keeper, const struct herd_database_writer *row)
{
    keeper->own_known = true;
    keeper->own_from_ns = INT64_MIN;
    if (row) {
        keeper->sequence = row->sequence;
        expect(keeper, row);
        /* A row that is ahead of this clock: it was set back since, perhaps in the last life. The row says nothing then; nor if
         * the clock was behind it at any moment of this life, for records were accepted by it. */
        if (margin_before(row->written_until_ns) <= keeper->wall_least_ns) {
            keeper->written_until_ns = row->written_until_ns;
            keeper->own_from_ns = margin_before(row->written_until_ns);
        }
    }
    herd_keeper_scan_begin(keeper, &keeper->catch_up, true);
}

/* Whether the row was written by a batch before which it could not be read, or that was never acknowledged, which may have been
 * carried out late: it may hide that the one before was lost. */
static bool unverified(const struct herd_keeper *keeper, const struct herd_database_writer *row)
{
    if (!row || row->incarnation != keeper->options.incarnation)
        return false;
    return (keeper->unverified_sequence > 0 && row->sequence >= keeper->unverified_sequence) ||
           (keeper->expected &&
            (row->incarnation != keeper->expected_incarnation || row->sequence > keeper->expected_sequence));
}

/* The row says more than is true: it is written again, at once if that was not done just now. */
static void correct(struct herd_keeper *keeper)
{
    const int64_t now_ns = keeper->now.steady_ns;
    if (keeper->correct_ns == INT64_MAX)
        keeper->correct_ns = keeper->next_correct_ns > now_ns ? keeper->next_correct_ns : now_ns;
}

/* The database has whatever it has: all is written once more. What a row says that it went back to may not have been true
 * either, as where it loses its memory for the second time before the first loss is made good. */
static void write_all(struct herd_keeper *keeper)
{
    keeper->written_until_ns = 0;
    correct(keeper);
    keeper->pass.covers = false;
    keeper->pass.owed = true;
    if (keeper->stop_done)
        keeper->next_pass_ns = keeper->now.steady_ns;
    keeper->stop_done = false;
    herd_keeper_full_begin(keeper, true);
    keeper->next_slow_ns = keeper->now.steady_ns;
    keeper->full_from_ns = keeper->next_correct_ns;
    for (size_t i = 0; i < keeper->server_count; i++)
        keeper->servers[i].doubted = true;
}

static void own_row(struct herd_keeper *keeper, const struct herd_database_writer *row)
{
    if (!keeper->own_known) {
        begin_life(keeper, row);
        return;
    }
    if (lost(keeper, row)) {
        expect(keeper, row);
        write_all(keeper);
        herd_keeper_notice_damped(keeper, &keeper->stats.forgot, "database_forgot", (struct herd_span){"", 0});
    } else if (unverified(keeper, row)) {
        expect(keeper, row);
        write_all(keeper);
    }
    keeper->unverified_sequence = 0;
}

int herd_keeper_writers_read(struct herd_keeper *keeper, const struct herd_database_writer *writers, size_t count)
{
    struct herd_names *names = &keeper->node->store->names;
    const struct herd_database_writer *own = NULL;
    int err = 0;
    for (size_t i = 0; i < keeper->server_count; i++)
        keeper->servers[i].seen = false;
    for (size_t i = 0; i < count && i <= HERD_KEEPER_WRITERS_MAX; i++) {
        struct herd_keeper_server *server;
        if (herd_span_equal(writers[i].server, keeper->node->name)) {
            own = &writers[i];
            continue;
        }
        if (!herd_name_valid(writers[i].server))
            continue;
        int name = herd_names_intern(names, writers[i].server);
        int failed = name < 0 ? name : entry(keeper, (unsigned)name, &server);
        if (failed < 0) {
            err = failed;
            continue;
        }
        note(keeper, server, &writers[i]);
    }
    for (size_t i = keeper->server_count; i-- > 0;) {
        struct herd_keeper_server *server = &keeper->servers[i];
        if (!server->seen && err < 0)
            continue; /* perhaps it is among those left out */
        if (!server->seen && server->has_row)
            server->missing_ns = keeper->now.steady_ns;
        server->has_row = server->seen;
        server->judge = true;
        if (!server->has_row && names->list[server->name].refs == 1)
            drop_entry(keeper, i); /* no row and no record */
    }
    own_row(keeper, own);
    keeper->judge_at = keeper->names_at = 0;
    keeper->names_due = true;
    return err;
}

/* ---- adopting ---- */

static bool lives(const struct herd_keeper *keeper, const struct herd_keeper_server *server)
{
    return server->has_row && server->age_ns <= keeper->options.adopt_ns;
}

/* How much a writer is wanted for a server: the same for all that ask. */
static uint64_t score(uint64_t writer_hash, uint64_t server_hash)
{
    return herd_mul_fold(writer_hash ^ HERD_HASH_A, server_hash ^ HERD_HASH_B) + (writer_hash ^ server_hash);
}

/* How many writers are wanted more than this one. */
static int64_t rank_for(const struct herd_keeper *keeper, const struct herd_keeper_server *server)
{
    uint64_t own = score(keeper->own_hash, server->hash);
    int64_t rank = 0;
    for (size_t i = 0; i < keeper->server_count; i++)
        rank += lives(keeper, &keeper->servers[i]) && score(keeper->servers[i].hash, server->hash) > own;
    return rank;
}

static void judge(struct herd_keeper *keeper, struct herd_keeper_server *server)
{
    server->judge = false;
    if (server->adopted || lives(keeper, server))
        return;
    if (keeper->now.steady_ns < herd_add_saturated(server->released_ns, keeper->options.adopt_ns))
        return; /* it writes, whatever age its row has by the database's clock */
    int64_t silent_ns =
        server->has_row ? server->age_ns : herd_sub_saturated(keeper->now.steady_ns, server->missing_ns);
    if (silent_ns / (rank_for(keeper, server) + 1) <= keeper->options.adopt_ns)
        return;
    server->adopted = true;
    server->from_ns = server->has_row && !server->doubted ? margin_before(server->written_until_ns) : INT64_MIN;
    server->doubted = false;
    keeper->stats.adopted++;
    herd_keeper_full_soon(keeper); /* its row does not tell what it accepted by a clock that was set back */
    herd_keeper_scan_begin(keeper, &keeper->catch_up, false);
    herd_keeper_notice_damped(keeper, &keeper->adopted_count, "writer_adopted", name_of(keeper, server));
}

/* Servers that have records here and no row: an entry each. */
static void look_at_names(struct herd_keeper *keeper, size_t *io_steps)
{
    const struct herd_names *names = &keeper->node->store->names;
    for (unsigned n = 1; *io_steps > 0; n++, keeper->names_at++) {
        struct herd_keeper_server *server;
        if (keeper->names_at >= names->count) {
            keeper->names_due = false;
            return;
        }
        *io_steps -= n % NAMES_A_STEP == 0;
        if (keeper->names_at != keeper->node->own_name && names->list[keeper->names_at].refs > 0)
            (void)entry(keeper, (unsigned)keeper->names_at, &server); /* no memory: at the next reading */
    }
}

bool herd_keeper_writers_to_judge(const struct herd_keeper *keeper)
{
    return keeper->names_due || keeper->judge_at < keeper->server_count;
}

void herd_keeper_writers_judge(struct herd_keeper *keeper, size_t *io_steps)
{
    if (keeper->names_due)
        look_at_names(keeper, io_steps);
    for (; keeper->judge_at<keeper->server_count && * io_steps> 0; keeper->judge_at++) {
        if (!keeper->servers[keeper->judge_at].judge)
            continue;
        size_t steps = keeper->server_count / WRITERS_A_STEP + 1;
        judge(keeper, &keeper->servers[keeper->judge_at]);
        *io_steps -= *io_steps < steps ? *io_steps : steps;
    }
}

void herd_keeper_writers_clock(struct herd_keeper *keeper)
{
    if (!keeper->own_known)
        return;
    if (keeper->written_until_ns > keeper->now.wall_ns)
        keeper->written_until_ns = keeper->now.wall_ns;
    keeper->pass.covers = false; /* it began by the other clock */
    correct(keeper);
    herd_keeper_full_begin(keeper, false);
}
