/* SPDX-License-Identifier: MIT */
/* How long look-ups took at each provider, for those who look from outside. */
#ifndef HERD_EDGE_PLACES_STATS_H
#define HERD_EDGE_PLACES_STATS_H

#include <herd/node.h>

struct herd_places;

struct herd_places_stats {
    const char *provider;            /* its kind; borrowed until the next reload */
    struct herd_histogram durations; /* from its turn at the provider to its end; of cached answers none */
    uint64_t failures;               /* of these */
    size_t in_flight;                /* at it now */
};

/* Of provider `index`, from 0 on; of several of one kind all together with the first, and false at the others.
 * HERD_E_NOTFOUND: behind the last. */
int herd_places_stats(const struct herd_places *places, size_t index, struct herd_places_stats *ret_stats,
                      bool *ret_first);

/* How many look-ups wait for a turn at a provider. */
size_t herd_places_waiting(const struct herd_places *places);

#endif
