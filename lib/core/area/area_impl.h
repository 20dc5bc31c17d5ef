/* SPDX-License-Identifier: MIT */
/* The objects of an area. */
#ifndef HERD_CORE_AREA_IMPL_H
#define HERD_CORE_AREA_IMPL_H

#include "../node/node_impl.h"
#include "dwells.h"
#include "fences.h"
#include "grid.h"
#include "members.h"

#include <herd/area.h>

/* What happened at a fence, of the client whose record was taken in last. */
struct herd_fence_find {
    uint32_t fence, serial;
    uint32_t other; /* of a proximity: the slot of the other client; else HERD_NO_SLOT */
    enum herd_fence_kind kind;
    double distance_m;
};

/* A LEAVE of a client that is gone. */
struct herd_fence_gone {
    struct herd_fence_gone *next;
    uint32_t fence, serial;
    double distance_m;
    size_t id_len, other_len;
    char id[]; /* and behind it that of the other client, of a proximity */
};

struct herd_area {
    struct herd_node *node;
    struct herd_subscriber subscriber;
    struct herd_grid grid;
    struct herd_fences fences;
    struct herd_members members; /* who is in fences that remember that */
    struct herd_dwells dwells;   /* who is in fences, and is not told of yet */
    struct herd_list queries;
    bool loading;    /* what the node had when the area was opened is still to come */
    uint64_t judged; /* updates compared with fences */
    uint32_t slot;   /* of the record that `finds` are about */
    struct herd_fence_find *finds;
    size_t find_count, find_cap, find_next;
    struct herd_fence_gone *gone_first, **gone_last, *gone_lent;
    uint32_t sweep_at;     /* the next slot to look at for expiry */
    int64_t swept_ns;      /* steady time up to which slots were looked at */
    struct herd_buf other; /* id and time of the other client, of the event that was given out last */
    uint64_t events, events_lost, pairs_missed;
};

/* Tells what the move of a client does to fences; NULL: it was, or is, nowhere. Appends to area->finds, which is of its slot;
 * counts steps down from *io_steps, to 0 at least. HERD_E_NOMEM: some are missing. */
int herd_fences_judge(struct herd_area *area, uint32_t slot, const struct herd_e7 *from, const struct herd_e7 *to,
                      size_t *io_steps);

/* The same for proximities. `quiet`: nothing is told. */
int herd_proximities_judge(struct herd_area *area, uint32_t slot, const struct herd_e7 *from,
                           const struct herd_e7 *to, bool quiet, size_t *io_steps);
/* Takes in clients that were there before a proximity. True: there are more. */
bool herd_proximities_load(struct herd_area *area, size_t *io_steps);

/* A client has been in a fence for long enough: finds that it enters. HERD_E_NOMEM. */
int herd_fences_dwelt(struct herd_area *area, const struct herd_dwell *dwell);

#endif
