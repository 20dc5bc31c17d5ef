/* SPDX-License-Identifier: MIT */
/* Counts latencies in log-linear buckets and tells their percentiles. */
#include "histogram.h"

#include <inttypes.h>

/* Values below 2^BITS have a bucket each; above, the top BITS bits after the leading one choose. */
static size_t bucket_of(uint64_t ns)
{
    unsigned top, shift;
    size_t at;

    if (ns < (1U << HISTOGRAM_BITS))
        return (size_t)ns;
    top = 63U - (unsigned)__builtin_clzll(ns);
    shift = top - HISTOGRAM_BITS;
    at = ((size_t)(shift + 1) << HISTOGRAM_BITS) + (size_t)((ns >> shift) - (1U << HISTOGRAM_BITS));
    if (at >= (size_t)HISTOGRAM_DOUBLINGS << HISTOGRAM_BITS)
        at = ((size_t)HISTOGRAM_DOUBLINGS << HISTOGRAM_BITS) - 1;
    return at;
}

static int64_t bucket_end(size_t at)
{
    size_t shift;
    uint64_t base;

    if (at < (1U << HISTOGRAM_BITS))
        return (int64_t)at;
    shift = (at >> HISTOGRAM_BITS) - 1;
    base = (at & ((1U << HISTOGRAM_BITS) - 1)) + (1U << HISTOGRAM_BITS);
    return (int64_t)(((base + 1) << shift) - 1);
}

void histogram_add(struct histogram *h, int64_t ns, uint64_t times)
{
    if (ns < 0)
        ns = 0;
    h->bucket[bucket_of((uint64_t)ns)] += times;
    h->count += times;
    if (ns > h->max_ns)
        h->max_ns = ns;
}

int64_t histogram_at(const struct histogram *h, double quantile)
{
    uint64_t wanted = (uint64_t)(quantile * (double)h->count), seen = 0;
    size_t i;

    for (i = 0; i < sizeof(h->bucket) / sizeof(h->bucket[0]); i++) {
        seen += h->bucket[i];
        if (seen > wanted)
            return bucket_end(i) < h->max_ns ? bucket_end(i) : h->max_ns;
    }
    return h->max_ns;
}

void histogram_print(const struct histogram *h, FILE *out)
{
    fprintf(out,
            "{\"p50\":%" PRId64 ",\"p90\":%" PRId64 ",\"p99\":%" PRId64 ",\"p999\":%" PRId64 ",\"max\":%" PRId64
            "}",
            histogram_at(h, 0.5), histogram_at(h, 0.9), histogram_at(h, 0.99), histogram_at(h, 0.999), h->max_ns);
}
