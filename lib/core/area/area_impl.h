/* SPDX-License-Identifier: MIT */
/* The objects of an area. */
#ifndef HERD_CORE_AREA_IMPL_H
#define HERD_CORE_AREA_IMPL_H

#include "../node/node_impl.h"
#include "fences.h"
#include "grid.h"
#include "members.h"

#include <herd/area.h>

/* What happened at a fence, of the client whose record was taken in last. */
struct herd_fence_find {
    uint32_t fence, serial;
    enum herd_fence_kind kind;
};

/* A LEAVE of a client that is gone. */
struct herd_fence_gone {
    struct herd_fence_gone *next;
    uint32_t fence, serial;
    size_t id_len;
    char id[];
};

struct herd_area {
    struct herd_node *node;
    struct herd_subscriber subscriber;
    struct herd_grid grid;
    struct herd_fences fences;
    struct herd_members members;
    struct herd_list queries;
    bool loading;    /* what the node had when the area was opened is still to come */
    uint64_t judged; /* updates compared with fences */
    uint32_t slot;   /* of the record that `finds` are about */
    struct herd_fence_find *finds;
    size_t find_count, find_cap, find_next;
    struct herd_fence_gone *gone_first, **gone_last, *gone_lent;
    uint32_t sweep_at; /* the next slot to look at for expiry */
    int64_t swept_ns;  /* steady time of the last look */
    uint64_t events, events_lost;
};

/* Tells what the move of a client does to fences; NULL: it was, or is, nowhere. Appends to area->finds, whose slot is set;
 * counts steps down from *io_steps, to 0 at least. HERD_E_NOMEM: some are missing. */
int herd_fences_judge(struct herd_area *area, uint32_t slot, const struct herd_e7 *from, const struct herd_e7 *to,
                      size_t *io_steps);

#endif
