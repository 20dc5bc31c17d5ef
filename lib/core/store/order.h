/* SPDX-License-Identifier: MIT */
/* The total order of records of one client. */
#ifndef HERD_CORE_ORDER_H
#define HERD_CORE_ORDER_H

#include <herd/store.h>

/* Compares two records of the same time_ns, and the same effective time: <0: `a` comes before `b`. */
int herd_record_compare_texts(const struct herd_record *a, const struct herd_record *b);

#endif
