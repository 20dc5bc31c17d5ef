/* SPDX-License-Identifier: MIT */
/* Which clients a filter has shown, as hashes of 64 bits: whoever leaves a box was in it. */
#ifndef HERD_EDGE_EVENT_SET_H
#define HERD_EDGE_EVENT_SET_H

#include <herd/types.h>

struct herd_event_set {
    uint64_t *table; /* 0: free */
    size_t size, used;
};

void herd_event_set_fini(struct herd_event_set *set);
/* 1: it was not there; 0: it was. HERD_E_NOMEM. A hash of 0 counts as 1. */
int herd_event_set_add(struct herd_event_set *set, uint64_t hash);
/* Whether it was there. */
bool herd_event_set_remove(struct herd_event_set *set, uint64_t hash);

#endif
