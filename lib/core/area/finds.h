/* SPDX-License-Identifier: MIT */
/* What was found to have happened, and is still to be told. */
#ifndef HERD_CORE_FINDS_H
#define HERD_CORE_FINDS_H

#include "area_impl.h"

/* From now on finds are those of this slot; those before have been told. */
void herd_finds_begin(struct herd_area *area, uint32_t slot);
/* Notes an event of a fence, if the fence tells of this kind. `other`: of a proximity, the slot of the other client; else
 * HERD_NO_SLOT. HERD_E_NOMEM. */
int herd_finds_add(struct herd_area *area, uint32_t fence, enum herd_fence_kind kind, uint32_t other,
                   double distance_m);
/* Another client's slot is emptied: what was found about both is not told. */
void herd_finds_forget(struct herd_area *area, uint32_t other);

#endif
