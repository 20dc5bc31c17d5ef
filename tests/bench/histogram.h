/* SPDX-License-Identifier: MIT */
/*
 * Latencies in log-linear buckets, in the manner of HDR histograms: 64 buckets to each doubling, so a
 * percentile is at most 1.6 % above the true one, for 1 ns to 18 minutes in 16 KiB.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>
#include <stdio.h>

#define HISTOGRAM_BITS      6
#define HISTOGRAM_DOUBLINGS 35

struct histogram {
    uint64_t count;
    int64_t max_ns;
    uint64_t bucket[HISTOGRAM_DOUBLINGS << HISTOGRAM_BITS];
};

void histogram_add(struct histogram *h, int64_t ns, uint64_t times);
/* The upper edge of the bucket in which the quantile (0..1) lies, never above the largest seen. */
int64_t histogram_at(const struct histogram *h, double quantile);
/* {"p50":..,"p90":..,"p99":..,"p999":..,"max":..}, in ns. */
void histogram_print(const struct histogram *h, FILE *out);

#endif
