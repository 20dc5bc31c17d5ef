/* SPDX-License-Identifier: MIT */
/* The one way in: a record, and who brings it. */
#ifndef HERD_CORE_OFFER_H
#define HERD_CORE_OFFER_H

#include "node_impl.h"

/* Who brings a record decides which limits it meets, which clock judges it and who is told of it. */
enum herd_source {
    HERD_SOURCE_CLIENT,   /* accepted by this node, now */
    HERD_SOURCE_PEER,     /* a link, or a plain neighbour */
    HERD_SOURCE_JOURNAL,  /* what this node knew before it was restarted */
    HERD_SOURCE_DATABASE, /* read from the one beside the herd: a record of some server, which is written already */
};

struct herd_offer {
    struct herd_record record; /* checked, with its time_ns */
    enum herd_source source;
    struct herd_peer *from;   /* of PEER: not told of it; NULL: a plain neighbour that may be any of several */
    uint64_t hash, id_hash;   /* of the id: in the table; in digests */
    uint64_t line_hash;       /* of a link's line; 0: of another */
    uint32_t slot_hint;       /* as for herd_store_find; NEW, NEWER: where the record is now */
    char diff[HERD_DIFF_MAX]; /* what record.diff shows if this node made it */
};

/* Decides what becomes of a record: looks it up, holds it against clock and limits, orders it, stores and publishes it,
 * counts it and tells the operator of a refusal. An enum herd_verdict; HERD_E_NOMEM: nothing has changed. */
int herd_offer(struct herd_node *node, struct herd_offer *io_offer);

/* Whether the record, or one ordered before it no less, is held now. */
static inline bool herd_offer_taken(int verdict)
{
    return verdict >= 0 && verdict <= HERD_VERDICT_OLDER;
}

/* Counts a record of a neighbour that a limit does not let in, and tells the operator at 1, 2, 4, 8, ... of them; `what`
 * is its id, or what there is of its line. `from` as in an offer. */
void herd_offer_refuse(struct herd_node *node, struct herd_peer *from, enum herd_refusal why,
                       struct herd_span what);

#endif
