/* SPDX-License-Identifier: MIT */
/*
 * Bringing two neighbours to the same state when a link comes up.
 *
 *     initiator                                   responder        (the initiator has the smaller name)
 *     ROOT count sum            ->
 *                               <-             ROOT count sum
 *     nothing differs: done. One knows little: PUSH, and both send all. Else:
 *     SUMS 0 0 s0 .. s15        ->
 *                               <-             SUMS 4 3 s0 .. s15      (the children that differ)
 *     SUMS 8 35 s0 .. s15       ->             and so on, down to the leaves:
 *                               <-             LIST 16 35a1 ask id:record id:record ..
 *     LIST 16 35a1 end ..       ->
 *
 * Whoever gets a LIST marks for the link what it has and the list lacks or has otherwise; the link's
 * ordinary sender does the rest, and the newer record wins as ever. Answers are made from the state of the
 * moment they are sent, so nothing is remembered but which prefixes have an answer queued: a few bits each.
 * Updates that happen meanwhile flow over the same link from the start and at worst cause a comparison
 * that finds nothing.
 */
#ifndef HERD_CORE_SYNC_H
#define HERD_CORE_SYNC_H

#include "../store/digest.h"

#include <herd/protocol.h>

struct herd_node;
struct herd_peer;

#define HERD_SYNC_FAN_BITS 4
#define HERD_SYNC_FAN      16
/* Prefixes of depth 0, 4, 8, 12 and 16, numbered from the shortest on. */
#define HERD_SYNC_PREFIXES (1 + 16 + 256 + 4096 + 65536)
#define HERD_SYNC_WORDS    ((HERD_SYNC_PREFIXES + 63) / 64)

/* The answers a prefix can have queued; the last are sent first, so that a comparison ends branch by branch. */
enum herd_sync_answer { HERD_SYNC_SUMS, HERD_SYNC_ASK, HERD_SYNC_END, HERD_SYNC_ANSWERS };

/* Which prefixes have which answer queued, as bits; made when the first difference shows. */
struct herd_sync_due {
    size_t count;
    size_t top[HERD_SYNC_ANSWERS]; /* no word behind this one has a bit */
    uint64_t bits[HERD_SYNC_ANSWERS][HERD_SYNC_WORDS];
};

/* Prefixes with too many records to mark at once: all slots are looked at, some a tick, for records under any of
 * them. A prefix that is asked for once more while its scan runs costs nothing but another round. */
struct herd_sync_scan {
    uint32_t at, end; /* the next slot; behind the last */
    uint32_t left;    /* slots still to look at */
    uint64_t bits[HERD_SYNC_WORDS];
};

struct herd_sync {
    struct herd_sync_due *due;   /* NULL: no answer is queued on this link */
    struct herd_sync_scan *scan; /* NULL: none is under way */
    bool root_due, push_due;
    bool root_sent;         /* initiator: the responder's ROOT is to come */
    bool at_link_up;        /* the ROOT under way is the first of this link */
    unsigned differed;      /* checks in a row, on a quiet link, that found a difference */
    unsigned pause, pauses; /* of a difference with a reason: comparisons to leave out; how many the last time */
    int64_t apart_ns;       /* since when the purge points of both differ; INT64_MAX: they do not */
    /* Records of this neighbour that this node refused, or may have removed though the neighbour has them, since both
     * last knew the same. Says of a difference that it has a reason. */
    uint64_t refused;
    uint64_t told_refused; /* by the neighbour, when it was logged last */
    uint64_t quiet_mark;   /* AT lines on this link when the last check began */
    int64_t next_check_ns; /* initiator: when to compare roots on an idle link */
};

void herd_sync_begin(struct herd_node *node, struct herd_peer *peer);
void herd_sync_end(struct herd_peer *peer);
bool herd_sync_want_write(const struct herd_peer *peer);

/* A ROOT, PUSH, SUMS or LIST arrived. HERD_E_SYNTAX: malformed; HERD_E_STATE: it makes no sense now;
 * HERD_E_NOMEM. Each is a reason to end the link. */
int herd_sync_take(struct herd_node *node, struct herd_peer *peer, const struct herd_command *command);

/* Appends one frame that is due, if any; 1 if it did, 0 if nothing is due. HERD_E_NOMEM. */
int herd_sync_send(struct herd_node *node, struct herd_peer *peer, struct herd_buf *out);

/* Whether a comparison is under way, as far as this side knows. */
bool herd_sync_comparing(const struct herd_peer *peer);
void herd_sync_tick(struct herd_node *node, struct herd_peer *peer);
int64_t herd_sync_next_ns(const struct herd_node *node, const struct herd_peer *peer);

#endif
