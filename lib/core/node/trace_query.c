/* SPDX-License-Identifier: MIT */
/* Which way the newest record of a client came. */
#include "../base/saturate.h"
#include "../store/effective.h"
#include "report.h"

int herd_node_trace(struct herd_node *node, struct herd_span id, struct herd_now now, struct herd_trace *ret_trace)
{
    const struct herd_store *store = node->store;
    struct herd_trace trace = {.heard_from = {"", 0}};
    struct herd_trace_entry *entry;
    node->now = now;
    int err = herd_report_find(node, id, &trace.record);
    if (err < 0)
        return err;
    uint64_t hash = herd_store_hash(store, id);
    uint32_t slot = herd_store_find(store, hash, HERD_NO_SLOT, id);
    err = herd_trace_ask(node, hash, herd_store_id_hash(store, id), slot, &entry);
    if (err < 0)
        return err;
    trace.accepted_ns = herd_accepted_ns(&trace.record);
    if (entry) {
        trace.traced = true;
        trace.since_ns = entry->since_ns;
        trace.copies = entry->copies;
        trace.heard = entry->heard;
    }
    if (trace.heard) {
        trace.delay_ns = herd_sub_saturated(entry->heard_ns, trace.accepted_ns);
        if (entry->from >= 0)
            trace.heard_from = node->peers[entry->from]->name;
    }
    *ret_trace = trace;
    return 0;
}
