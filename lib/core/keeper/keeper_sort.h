/* SPDX-License-Identifier: MIT */
/* Ids in the order of their bytes. */
#ifndef HERD_CORE_KEEPER_SORT_H
#define HERD_CORE_KEEPER_SORT_H

#include "keeper_impl.h"

/* Sorts the keys from `from` on: runs that are in order already are merged, so that pieces which were sorted before cost
 * little. Of equal ids the one gathered first comes first. */
void herd_keeper_sort(struct herd_keeper_gather *gather, size_t from);
/* Leaves of equal ids the one gathered last, of sorted keys. */
void herd_keeper_unique(struct herd_keeper_gather *gather);

#endif
