/* SPDX-License-Identifier: MIT */
/* Figures of providers. */
#include "places_stats.h"

#include "places_types.h"

#include <string.h>

static void add(struct herd_places_stats *stats, const struct places_backend *backend)
{
    for (size_t i = 0; i <= HERD_HISTOGRAM_BOUNDS; i++)
        stats->durations.counts[i] += backend->durations.counts[i];
    stats->durations.count += backend->durations.count;
    stats->durations.sum_s += backend->durations.sum_s;
    stats->failures += backend->failures;
    stats->in_flight += backend->in_flight;
}

size_t herd_places_waiting(const struct herd_places *places)
{
    return places->waiting;
}

int herd_places_stats(const struct herd_places *places, size_t index, struct herd_places_stats *ret_stats,
                      bool *ret_first)
{
    if (index >= places->backend_count)
        return HERD_E_NOTFOUND;
    const char *name = places->backends[index]->name;
    *ret_stats = (struct herd_places_stats){.provider = name};
    *ret_first = true;
    for (size_t i = 0; i < places->backend_count; i++) {
        if (strcmp(places->backends[i]->name, name) != 0)
            continue;
        *ret_first = *ret_first && i >= index;
        add(ret_stats, places->backends[i]);
    }
    return 0;
}
