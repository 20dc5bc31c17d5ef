/* SPDX-License-Identifier: MIT */
/*
 * Who was silent for too long. The node removes records later than it hides them, and tells nobody: slots are looked at in
 * turn, all of them in about ten seconds, for those that expired since the turn before. Where it may have removed some first,
 * for the clock was set ahead or more expired than can be told of in time, viewers get a new snapshot. Costs nothing without
 * expire_ms, and nothing while nobody looks.
 */
#include "../../core/node/expiry.h"
#include "../../core/node/node_impl.h"
#include "../../core/store/effective.h"
#include "../../core/store/store_impl.h"
#include "events.h"

#define TICKS_A_TURN  50
#define SLOTS_LEAST   256
#define SLOTS_A_TICK  20000
#define SLOTS_A_PIECE 1000
#define NS_PER_MS     INT64_C(1000000)

/* What was accepted before this is expired, by the node's clock as herd_expired; INT64_MIN: nothing is. */
static int64_t edge_ns(const struct herd_events *events)
{
    const struct herd_server *server = events->http->server;
    int64_t life_ns = server->limits->expire_ms * NS_PER_MS;
    return life_ns > 0 ? server->node->now.wall_ns - life_ns : INT64_MIN;
}

void herd_event_expiry_begin(struct herd_events *events)
{
    events->expired_from_ns = events->expired_to_ns = edge_ns(events);
    events->expiry_slot = events->expiry_left = 0;
}

/* Another turn: what expired since the last one began. */
static void begin_turn(struct herd_events *events)
{
    int64_t now_ns = edge_ns(events);
    if (now_ns < events->expired_to_ns)
        herd_events_all_behind(events); /* the clock went back, or they are kept for longer: some are there again */
    events->expired_from_ns = events->expired_to_ns;
    events->expired_to_ns = now_ns;
    events->expiry_slot = 0;
}

void herd_event_expiry_tick(struct herd_events *events, size_t most)
{
    const uint32_t slots = herd_store_slots(herd_node_store(events->http->server->node));
    const uint32_t left = slots / TICKS_A_TURN;
    events->http->server->node->now = herd_clock();
    events->expiry_left = 0;
    events->expired_left = most;
    const int64_t now_ns = edge_ns(events);
    if (now_ns == INT64_MIN)
        return;
    if (now_ns - events->expired_from_ns >= HERD_EXPIRY_GRACE_NS) {
        herd_events_all_behind(events);
        herd_event_expiry_begin(events);
    }
    if (events->expiry_slot >= slots)
        begin_turn(events);
    events->expiry_left = left < SLOTS_LEAST ? SLOTS_LEAST : left > SLOTS_A_TICK ? SLOTS_A_TICK : left;
    if (events->expiry_left > slots - events->expiry_slot)
        events->expiry_left = slots - events->expiry_slot;
}

void herd_event_expiry_take(struct herd_events *events, size_t most)
{
    struct herd_store *store = herd_node_store(events->http->server->node);
    for (uint32_t i = 0; i < SLOTS_A_PIECE && events->expiry_left > 0 && most > 0 && events->expired_left > 0;
         i++) {
        struct herd_record record;
        const int found = herd_store_read_slot(store, events->expiry_slot, &record);
        if (found < 0) {
            events->expiry_left = 0; /* no memory: at the next tick */
            break;
        }
        events->expiry_left--;
        events->expiry_slot++;
        if (found == 0 || herd_record_is_tombstone(&record))
            continue;
        int64_t accepted_ns = herd_accepted_ns(&record);
        if (accepted_ns < events->expired_from_ns || accepted_ns >= events->expired_to_ns)
            continue;
        most--;
        events->expired_left--;
        (void)herd_event_ring_add(&events->ring, record.id); /* where it is not, all are behind */
    }
}
