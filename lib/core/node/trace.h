/* SPDX-License-Identifier: MIT */
/*
 * Clients whose reports are traced: how the newest record of each came to this node.
 *
 * A client is traced from the first time that somebody asks for its way, until traces_max others were asked for since it
 * was asked for last. It is known by two hashes of its id, so that it stays traced while its record is removed and comes
 * back, in whatever slot. What is remembered is of one record, known by its hash: if another is held now, that one was
 * not heard of from a neighbour.
 *
 * The path of news has one test for sampling the propagation, `at_new & news_mask`. While somebody is traced the mask is
 * 0, so that it holds for all news, and the table is consulted behind it: as long as nobody is, nothing is done for it. A
 * traced line is not kept in the cache of lines seen, so that its copies are looked at and counted.
 */
#ifndef HERD_CORE_TRACE_H
#define HERD_CORE_TRACE_H

#include "../base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct herd_node;

struct herd_trace_entry {
    struct herd_trace_entry *next; /* of the same bucket */
    struct herd_list by_asked;     /* the one asked for last is the last */
    uint64_t hash, id_hash;        /* of the id: in the table; in digests */
    uint64_t record_hash;          /* of the record that the rest is about */
    uint64_t copies;               /* how often neighbours sent it */
    int64_t since_ns;              /* traced since; wall time */
    int64_t heard_ns;              /* when it came first, if `heard`; wall time */
    int32_t from;                  /* number of the neighbour that it came from then; -1: not known which one */
    bool heard;                    /* it was news while it was traced */
};

struct herd_traces {
    struct herd_trace_entry **buckets; /* NULL: nobody was ever traced */
    size_t bucket_count;               /* a power of two */
    size_t count;
    struct herd_list by_asked;
};

void herd_traces_init(struct herd_traces *traces);
void herd_traces_fini(struct herd_traces *traces);

/* The entry of an id; NULL: it is not traced. */
struct herd_trace_entry *herd_traces_find(const struct herd_traces *traces, uint64_t hash, uint64_t id_hash);

/* Somebody asks for an id, whose record is in `slot`: it is traced from now on, or still. *ret_entry is borrowed until
 * the next call; NULL: traces_max is 0. HERD_E_NOMEM: nothing has changed. */
int herd_trace_ask(struct herd_node *node, uint64_t hash, uint64_t id_hash, uint32_t slot,
                   struct herd_trace_entry **ret_entry);
/* traces_max may have become less: those beyond it are no longer traced. */
void herd_trace_configure(struct herd_node *node);

/* A neighbour's line was news, and is in `slot` now; `from` is its number, or -1. */
void herd_trace_news(struct herd_node *node, uint64_t hash, uint64_t id_hash, uint64_t line_hash, uint32_t slot,
                     int32_t from);
/* A neighbour's line says what is in `slot` already. */
void herd_trace_copy(struct herd_node *node, uint64_t hash, uint64_t id_hash, uint32_t slot);

#endif
