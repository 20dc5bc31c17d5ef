/* SPDX-License-Identifier: MIT */
/*
 * AT lines that links are due: as they came, or written for one link and copied for the others.
 *
 * A line follows from the packed record and the name that its number of a server stands for, so it is valid while both
 * are the same: nothing has to be told when a record changes. Records with a body outside are not kept.
 *
 * Lines are kept in the order of the changes, which is that in which links take them: none drives out another of the
 * same loop iteration, and memory is read from one end to the other.
 */
#ifndef HERD_CORE_LINE_CACHE_H
#define HERD_CORE_LINE_CACHE_H

#include "../store/store_impl.h"

/* Links are filled one after the other at the end of a loop iteration: about so many records change in one. */
#define HERD_LINE_CACHE_LINES 1024
#define HERD_LINE_CACHE_MAX   116 /* bytes of a line */

struct herd_cached_line {
    struct herd_packed_record packed;
    uint32_t names; /* how often a number of a server had changed its name */
    uint8_t len;    /* 0: none */
    char text[HERD_LINE_CACHE_MAX];
};

struct herd_line_cache {
    struct herd_cached_line *lines; /* by place in the ring of changes; NULL: not used yet, or no memory */
};

void herd_line_cache_fini(struct herd_line_cache *cache);

/* Appends the line of a slot if it is kept at `place`: see herd_subscriber. */
bool herd_line_cache_copy(const struct herd_line_cache *cache, const struct herd_store *store, uint32_t slot,
                          uint64_t place, struct herd_buf *out);
/* Keeps the line of a slot. */
void herd_line_cache_keep(struct herd_line_cache *cache, const struct herd_store *store, uint32_t slot,
                          uint64_t place, struct herd_span line);

#endif
