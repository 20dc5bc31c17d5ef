/* SPDX-License-Identifier: MIT */
/*
 * Reading a journal back into a node: any bytes, piece by piece. A line whose checksum is wrong is skipped
 * and counted, and reading goes on behind its LF; what follows the last LF is the tail, torn when the
 * writer died in the middle of it.
 */
#ifndef HERD_CORE_REPLAY_H
#define HERD_CORE_REPLAY_H

#include <herd/node.h>

/* A line that has no LF within this is skipped as corrupt: longer than any record a node takes. */
#define HERD_REPLAY_LINE_MAX (17u << 20)

struct herd_replay {
    uint64_t lines;     /* with the right checksum */
    uint64_t records;   /* that were new or newer */
    uint64_t corrupt;   /* lines skipped */
    uint64_t refused;   /* records beyond twice records_max */
    uint64_t forgotten; /* records expired meanwhile */
    bool begun;         /* the first line of a journal was seen */
    bool unknown;       /* it names a format that this version does not know */
    bool skipping;      /* in the middle of a line too long */
};

/* Takes the whole lines of `bytes` in; *ret_consumed is where the next piece has to begin. Zero `replay`
 * first. HERD_E_NOMEM: the line at *ret_consumed could not be taken in. */
int herd_replay_take(struct herd_node *node, struct herd_replay *replay, struct herd_span bytes,
                     struct herd_now now, size_t *ret_consumed);

/* Takes the tail in if nothing of it is missing but its LF: 1 if so, else 0. HERD_E_NOMEM. */
int herd_replay_tail(struct herd_node *node, struct herd_replay *replay, struct herd_span tail,
                     struct herd_now now);

#endif
