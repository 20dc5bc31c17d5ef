/* SPDX-License-Identifier: MIT */
/* Durations counted by size. */
#include "histogram.h"

static const int64_t bounds_ns[HERD_HISTOGRAM_BOUNDS] = {
    100000,   250000,    500000,    1000000,   2500000,    5000000,    10000000,   25000000,
    50000000, 100000000, 250000000, 500000000, 1000000000, 2500000000, 5000000000, 10000000000,
};

int64_t herd_histogram_bound_ns(size_t i)
{
    return i < HERD_HISTOGRAM_BOUNDS ? bounds_ns[i] : INT64_MAX;
}

void herd_histogram_add(struct herd_histogram *histogram, int64_t ns)
{
    size_t at = 0;
    if (ns < 0)
        ns = 0;
    while (at < HERD_HISTOGRAM_BOUNDS && ns > bounds_ns[at])
        at++;
    histogram->counts[at]++;
    histogram->count++;
    histogram->sum_s += (double)ns / 1e9;
}
