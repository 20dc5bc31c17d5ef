/* SPDX-License-Identifier: MIT */
/* The table of clients that are traced, and what it is told. */
#include "trace.h"

#include "node_impl.h"

#include <stdlib.h>

#define BUCKETS_FIRST 64

void herd_traces_init(struct herd_traces *traces)
{
    *traces = (struct herd_traces){0};
    herd_list_init(&traces->by_asked);
}

static struct herd_trace_entry **bucket(const struct herd_traces *traces, uint64_t hash)
{
    return &traces->buckets[hash & (traces->bucket_count - 1)];
}

struct herd_trace_entry *herd_traces_find(const struct herd_traces *traces, uint64_t hash, uint64_t id_hash)
{
    if (!traces->buckets)
        return NULL;
    for (struct herd_trace_entry *entry = *bucket(traces, hash); entry; entry = entry->next)
        if (entry->hash == hash && entry->id_hash == id_hash)
            return entry;
    return NULL;
}

/* ---- adding and removing ---- */

static void drop_oldest(struct herd_traces *traces)
{
    struct herd_trace_entry *entry = HERD_CONTAINER_OF(traces->by_asked.next, struct herd_trace_entry, by_asked);
    struct herd_trace_entry **at = bucket(traces, entry->hash);
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    herd_list_remove(&entry->by_asked);
    free(entry);
    traces->count--;
}

void herd_traces_fini(struct herd_traces *traces)
{
    while (traces->count > 0)
        drop_oldest(traces);
    free(traces->buckets);
    traces->buckets = NULL;
}

/* Keeps about one entry in a bucket. Without memory there are more; without any bucket nobody can be traced. */
static int grow(struct herd_traces *traces)
{
    if (traces->count < traces->bucket_count)
        return 0;
    struct herd_traces bigger = {.bucket_count = traces->bucket_count ? traces->bucket_count * 2 : BUCKETS_FIRST};
    bigger.buckets = calloc(bigger.bucket_count, sizeof *bigger.buckets);
    if (!bigger.buckets)
        return traces->buckets ? 0 : HERD_E_NOMEM;
    for (struct herd_list *at = traces->by_asked.next; at != &traces->by_asked; at = at->next) {
        struct herd_trace_entry *entry = HERD_CONTAINER_OF(at, struct herd_trace_entry, by_asked);
        struct herd_trace_entry **head = bucket(&bigger, entry->hash);
        entry->next = *head;
        *head = entry;
    }
    free(traces->buckets);
    traces->buckets = bigger.buckets;
    traces->bucket_count = bigger.bucket_count;
    return 0;
}

static void set_mask(struct herd_node *node)
{
    node->news_mask = node->traces.count > 0 ? 0 : HERD_PROPAGATION_SAMPLE - 1;
}

void herd_trace_configure(struct herd_node *node)
{
    while (node->traces.count > node->options.traces_max)
        drop_oldest(&node->traces);
    set_mask(node);
}

/* Forgets what is known of another record than the one in `slot`. */
static void settle(const struct herd_node *node, struct herd_trace_entry *entry, uint32_t slot)
{
    uint64_t hash = herd_store_record_hash(node->store, slot);
    if (entry->record_hash == hash)
        return;
    entry->record_hash = hash;
    entry->copies = 0;
    entry->heard = false;
    entry->from = -1;
}

int herd_trace_ask(struct herd_node *node, uint64_t hash, uint64_t id_hash, uint32_t slot,
                   struct herd_trace_entry **ret_entry)
{
    struct herd_traces *traces = &node->traces;
    struct herd_trace_entry *entry = herd_traces_find(traces, hash, id_hash);
    *ret_entry = NULL;
    if (!entry) {
        if (node->options.traces_max == 0)
            return 0;
        entry = calloc(1, sizeof *entry);
        if (!entry || grow(traces) < 0) {
            free(entry);
            return HERD_E_NOMEM;
        }
        if (traces->count >= node->options.traces_max)
            drop_oldest(traces);
        entry->hash = hash;
        entry->id_hash = id_hash;
        entry->since_ns = node->now.wall_ns;
        entry->record_hash = ~herd_store_record_hash(node->store, slot);
        entry->next = *bucket(traces, hash);
        *bucket(traces, hash) = entry;
        traces->count++;
        set_mask(node);
        herd_seen_cache_forget_slot(&node->seen, slot); /* copies of what is held already count too */
    }
    herd_list_remove(&entry->by_asked);
    herd_list_append(&traces->by_asked, &entry->by_asked);
    settle(node, entry, slot);
    *ret_entry = entry;
    return 0;
}

/* ---- what neighbours say ---- */

void herd_trace_news(struct herd_node *node, uint64_t hash, uint64_t id_hash, uint64_t line_hash, uint32_t slot,
                     int32_t from)
{
    struct herd_trace_entry *entry = herd_traces_find(&node->traces, hash, id_hash);
    if (!entry)
        return;
    entry->record_hash = herd_store_record_hash(node->store, slot);
    entry->copies = 1;
    entry->heard = true;
    entry->heard_ns = node->now.wall_ns;
    entry->from = from;
    herd_seen_cache_forget(&node->seen, line_hash);
}

void herd_trace_copy(struct herd_node *node, uint64_t hash, uint64_t id_hash, uint32_t slot)
{
    struct herd_trace_entry *entry = herd_traces_find(&node->traces, hash, id_hash);
    if (!entry)
        return;
    settle(node, entry, slot);
    entry->copies++;
}
