/* SPDX-License-Identifier: MIT */
/*
 * Questions for clients that this server does not know, asked of the database. What is found is kept for a second beside
 * the store, never in it: a record that one server alone holds would make its state another than its neighbours'. What
 * is not found is remembered for ten, as a hash in a table of fixed size; a client that reports meanwhile is in the
 * store, where it is looked for first.
 */
#include "beside_impl.h"

#include "../../core/base/hash.h"

#include <stdlib.h>
#include <string.h>

#define S_NS         INT64_C(1000000000)
#define PATIENCE_NS  (S_NS / 10)
#define MISS_S       10
#define CACHED_NS    S_NS
#define FAILURES_MAX 5
#define CLOSED_NS    S_NS

int herd_read_through_open(struct herd_read_through *reads)
{
    reads->misses = calloc(HERD_BESIDE_MISSES, sizeof *reads->misses);
    for (size_t i = 0; i < HERD_BESIDE_FLIGHTS; i++)
        herd_list_init(&reads->flights[i].readers);
    return reads->misses ? 0 : HERD_E_NOMEM;
}

void herd_read_through_close(struct herd_read_through *reads)
{
    for (size_t i = 0; i < HERD_BESIDE_FLIGHTS && reads->misses; i++) {
        struct herd_list *readers = &reads->flights[i].readers;
        while (!herd_list_empty(readers))
            herd_list_remove(readers->next);
        herd_buf_fini(&reads->flights[i].id);
    }
    for (size_t i = 0; i < HERD_BESIDE_CACHED; i++)
        herd_buf_fini(&reads->cached[i].bytes);
    free(reads->misses);
    reads->misses = NULL;
}

/* ---- misses ---- */

static struct herd_beside_miss *miss_place(struct herd_read_through *reads, uint64_t hash)
{
    return &reads->misses[hash % HERD_BESIDE_MISSES];
}

static void note_miss(struct herd_read_through *reads, uint64_t hash, int64_t now_ns)
{
    *miss_place(reads, hash) =
        (struct herd_beside_miss){(uint32_t)(hash >> 32), (uint32_t)(now_ns / S_NS) + MISS_S};
}

static bool is_missed(struct herd_read_through *reads, uint64_t hash, int64_t now_ns)
{
    const struct herd_beside_miss *miss = miss_place(reads, hash);
    return miss->tag == hash >> 32 && now_ns / S_NS < miss->until_s;
}

/* ---- what was found ---- */

static void cached_record(const struct herd_beside_cached *cached, struct herd_record *ret_record)
{
    struct herd_span parts[5];
    const char *at = cached->bytes.at;
    for (size_t i = 0; i < 5; at += cached->lens[i++])
        parts[i] = (struct herd_span){at, cached->lens[i]};
    *ret_record = (struct herd_record){
        .id = parts[0], .server = parts[1], .diff = parts[2], .position = parts[3], .time = parts[4]};
}

static void cache(struct herd_read_through *reads, uint64_t hash, const struct herd_record *record, int64_t now_ns)
{
    struct herd_beside_cached *cached = &reads->cached[reads->cached_next++ % HERD_BESIDE_CACHED];
    const struct herd_span parts[5] = {record->id, record->server, record->diff, record->position, record->time};
    cached->bytes.len = 0;
    cached->until_ns = 0;
    for (size_t i = 0; i < 5; i++) {
        cached->lens[i] = parts[i].len;
        if (parts[i].len && herd_buf_add(&cached->bytes, parts[i].at, parts[i].len) < 0)
            return;
    }
    cached->hash = hash;
    cached->until_ns = now_ns + CACHED_NS;
}

static bool find_cached(struct herd_read_through *reads, uint64_t hash, struct herd_span id, int64_t now_ns,
                        struct herd_record *ret_record)
{
    for (size_t i = 0; i < HERD_BESIDE_CACHED; i++) {
        const struct herd_beside_cached *cached = &reads->cached[i];
        struct herd_record record;
        if (cached->hash != hash || now_ns >= cached->until_ns)
            continue;
        cached_record(cached, &record);
        if (herd_span_equal(record.id, id)) {
            *ret_record = record;
            return true;
        }
    }
    return false;
}

/* ---- look-ups ---- */

static void tell(struct herd_beside_flight *flight, const struct herd_record *record)
{
    while (!herd_list_empty(&flight->readers)) {
        struct herd_beside_reader *reader =
            HERD_CONTAINER_OF(flight->readers.next, struct herd_beside_reader, link);
        herd_list_remove(&reader->link);
        reader->done(reader, record);
    }
}

static void succeeded(struct herd_read_through *reads)
{
    reads->failures = 0;
}

static void failed(struct herd_read_through *reads, int64_t now_ns)
{
    reads->failed++;
    if (++reads->failures < FAILURES_MAX)
        return;
    reads->failures = 0;
    reads->closed_until_ns = now_ns + CLOSED_NS;
}

static struct herd_beside_flight *same_id(struct herd_read_through *reads, uint64_t hash, struct herd_span id)
{
    for (size_t i = 0; i < HERD_BESIDE_FLIGHTS; i++) {
        struct herd_beside_flight *flight = &reads->flights[i];
        if (flight->used && !flight->late && flight->hash == hash &&
            herd_span_equal((struct herd_span){flight->id.at, flight->id.len}, id))
            return flight;
    }
    return NULL;
}

/* A free place with the id in it; NULL: none, or no memory. */
static struct herd_beside_flight *begin(struct herd_read_through *reads, uint64_t hash, struct herd_span id,
                                        int64_t now_ns)
{
    size_t i = 0;
    while (i < HERD_BESIDE_FLIGHTS && reads->flights[i].used)
        i++;
    if (i == HERD_BESIDE_FLIGHTS)
        return NULL;
    struct herd_beside_flight *flight = &reads->flights[i];
    flight->id.len = 0;
    if (herd_buf_add(&flight->id, id.at, id.len) < 0)
        return NULL;
    flight->hash = hash;
    flight->until_ns = now_ns + PATIENCE_NS;
    flight->late = false;
    flight->ticket = HERD_BESIDE_TICKET_FIND | (++reads->tickets * HERD_BESIDE_FLIGHTS + i);
    return flight;
}

bool herd_beside_read(struct herd_beside *beside, struct herd_span id, struct herd_beside_reader *reader,
                      struct herd_now now, struct herd_record *ret_record)
{
    struct herd_read_through *reads = &beside->reads;
    *ret_record = (struct herd_record){0};
    if (!reads->misses)
        return false;
    uint64_t hash = herd_siphash(reads->key, id.at, id.len);
    if (find_cached(reads, hash, id, now.steady_ns, ret_record))
        return true;
    if (is_missed(reads, hash, now.steady_ns) || !beside->connected || now.steady_ns < reads->closed_until_ns)
        return false;
    struct herd_beside_flight *flight = same_id(reads, hash, id);
    if (!flight) {
        flight = begin(reads, hash, id, now.steady_ns);
        if (!flight || beside->driver->find(beside->database, flight->ticket, id) < 0)
            return false;
        flight->used = true;
        reads->asked++;
    }
    herd_list_append(&flight->readers, &reader->link);
    beside->wake(beside->ctx); /* for its patience */
    return true;
}

void herd_beside_drop(struct herd_beside_reader *reader)
{
    herd_list_remove(&reader->link);
}

void herd_read_through_found(struct herd_read_through *reads, uint64_t ticket, enum herd_database_result result,
                             const struct herd_database_row *row, struct herd_now now)
{
    struct herd_beside_flight *flight = &reads->flights[ticket % HERD_BESIDE_FLIGHTS];
    if (!reads->misses || !flight->used || flight->ticket != ticket)
        return;
    flight->used = false;
    if (result != HERD_DATABASE_DONE) {
        if (!flight->late)
            failed(reads, now.steady_ns);
        tell(flight, NULL);
        return;
    }
    if (!flight->late)
        succeeded(reads);
    /* The node judges the members; what has another id is none. */
    bool found = row && herd_span_equal(row->record.id, (struct herd_span){flight->id.at, flight->id.len});
    if (found) {
        reads->found++;
        cache(reads, flight->hash, &row->record, now.steady_ns);
    } else {
        reads->missed++;
        note_miss(reads, flight->hash, now.steady_ns);
    }
    tell(flight, found ? &row->record : NULL);
}

void herd_read_through_lost(struct herd_read_through *reads, struct herd_now now)
{
    for (size_t i = 0; i < HERD_BESIDE_FLIGHTS && reads->misses; i++)
        herd_read_through_found(reads, reads->flights[i].ticket, HERD_DATABASE_LOST, NULL, now);
}

void herd_read_through_run(struct herd_read_through *reads, struct herd_now now)
{
    for (size_t i = 0; i < HERD_BESIDE_FLIGHTS && reads->misses; i++) {
        struct herd_beside_flight *flight = &reads->flights[i];
        if (!flight->used || flight->late || now.steady_ns < flight->until_ns)
            continue;
        flight->late = true;
        failed(reads, now.steady_ns);
        tell(flight, NULL);
    }
}

int64_t herd_read_through_next_ns(const struct herd_read_through *reads)
{
    int64_t next_ns = INT64_MAX;
    for (size_t i = 0; i < HERD_BESIDE_FLIGHTS && reads->misses; i++) {
        const struct herd_beside_flight *flight = &reads->flights[i];
        if (flight->used && !flight->late && flight->until_ns < next_ns)
            next_ns = flight->until_ns;
    }
    return next_ns;
}
