/* SPDX-License-Identifier: MIT */
/* How often something took how long. */
#ifndef HERD_CORE_HISTOGRAM_H
#define HERD_CORE_HISTOGRAM_H

#include <herd/node.h>

/* Adds `ns`, of which below zero counts as zero. */
void herd_histogram_add(struct herd_histogram *histogram, int64_t ns);

#endif
