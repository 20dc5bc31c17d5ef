/* SPDX-License-Identifier: MIT */
/*
 * A herd that began with nothing reads what its database has. Journals and neighbours come first, for they have newer
 * values: where there are neighbours it begins after a few seconds, and only if nothing here was accepted before this
 * server began. Neighbours that know something have told it by then; those that began at the same moment know nothing
 * either. To read once more than needed does no harm: the order decides.
 */
#include "beside_impl.h"

#include "../../core/store/effective.h"

#include <herd/store.h>

#define S_NS     INT64_C(1000000000)
#define WAIT_NS  (5 * S_NS)
#define AGAIN_NS S_NS
/* A reading that failed begins anew: what fails behind a million records is not read all day. */
#define AGAIN_DOUBLINGS 6
#define EMPTY_NS        (S_NS / 1000) /* behind a page without rows */
#define PAGE_ROWS       250
#define LOOKED_AT       4096        /* records: if many are there, some of these are from before */
#define CLOCKS_NS       (60 * S_NS) /* servers' clocks differ by less */

void herd_warm_open(struct herd_warm *warm, bool wanted, bool empty, bool alone, struct herd_now now)
{
    *warm = (struct herd_warm){
        .state = !wanted ? HERD_WARM_OFF
                 : empty ? HERD_WARM_WAITS
                         : HERD_WARM_NOT_NEEDED,
        .look_ns = now.steady_ns + (alone ? 0 : WAIT_NS),
        .began_wall_ns = now.wall_ns,
        .first = true,
    };
}

/* Whether a neighbour knew what was before. */
static bool was_told(struct herd_beside *beside)
{
    struct herd_store *store = (struct herd_store *)(uintptr_t)herd_node_store(beside->node);
    struct herd_record record;
    uint32_t slots = herd_store_slots(store);
    for (uint32_t slot = 0; slot < slots && slot < LOOKED_AT; slot++)
        if (herd_store_get_slot(store, slot, &record) &&
            herd_accepted_ns(&record) < beside->warm.began_wall_ns - CLOCKS_NS)
            return true;
    return false;
}

static void log_end(struct herd_beside *beside, struct herd_now now)
{
    const struct herd_warm *warm = &beside->warm;
    const struct herd_log_field fields[] = {
        herd_log_int("read", (int64_t)warm->read),
        herd_log_int("taken", (int64_t)warm->taken),
        herd_log_int("invalid", (int64_t)warm->invalid),
        herd_log_int("ms", (now.steady_ns - warm->read_ns) / 1000000),
    };
    herd_log_event(beside->log, HERD_LOG_INFO, "warm_start_done", fields, 4);
}

void herd_warm_page(struct herd_beside *beside, uint64_t ticket, enum herd_database_result result,
                    const struct herd_database_row *rows, size_t count, bool last, struct herd_now now)
{
    struct herd_warm *warm = &beside->warm;
    if (warm->state != HERD_WARM_READS || !warm->asked || ticket != warm->ticket)
        return;
    warm->asked = false;
    if (result != HERD_DATABASE_DONE) {
        herd_warm_lost(warm, now);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        enum herd_verdict verdict = HERD_VERDICT_OLDER;
        struct herd_record record = rows[i].record;
        record.time_ns = 0; /* read again, from the text */
        int err = herd_node_learn(beside->node, &record, now, &verdict);
        warm->read++;
        warm->invalid += err == HERD_E_ARG;
        warm->taken += err >= 0 && (verdict == HERD_VERDICT_NEW || verdict == HERD_VERDICT_NEWER);
    }
    warm->first = false;
    warm->look_ns = now.steady_ns + (count > 0 ? 0 : EMPTY_NS);
    if (last) {
        warm->state = HERD_WARM_DONE;
        log_end(beside, now);
    }
}

/* From the beginning, a moment later. */
void herd_warm_lost(struct herd_warm *warm, struct herd_now now)
{
    warm->asked = false;
    warm->first = true;
    if (warm->state != HERD_WARM_READS)
        return;
    warm->look_ns = now.steady_ns + (AGAIN_NS << warm->failures);
    warm->failures += warm->failures < AGAIN_DOUBLINGS;
}

void herd_warm_run(struct herd_beside *beside, struct herd_now now)
{
    struct herd_warm *warm = &beside->warm;
    if (now.steady_ns < warm->look_ns || !beside->connected || warm->asked)
        return;
    if (warm->state == HERD_WARM_WAITS) {
        warm->state = was_told(beside) ? HERD_WARM_NOT_NEEDED : HERD_WARM_READS;
        warm->read_ns = now.steady_ns;
        if (warm->state == HERD_WARM_READS)
            herd_log_event(beside->log, HERD_LOG_INFO, "warm_start", NULL, 0);
    }
    if (warm->state != HERD_WARM_READS)
        return;
    warm->ticket =
        HERD_BESIDE_TICKET_PAGE | ((warm->ticket + 1) & ~(HERD_BESIDE_TICKET_PAGE | HERD_BESIDE_TICKET_FIND));
    warm->asked = beside->driver->read_page(beside->database, warm->ticket, PAGE_ROWS, warm->first) >= 0;
    if (!warm->asked)
        herd_warm_lost(warm, now);
}

int64_t herd_warm_next_ns(const struct herd_warm *warm)
{
    bool waits = warm->state == HERD_WARM_WAITS || (warm->state == HERD_WARM_READS && !warm->asked);
    return waits ? warm->look_ns : INT64_MAX;
}
