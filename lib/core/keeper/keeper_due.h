/* SPDX-License-Identifier: MIT */
/* Which slots are due: changes, and scans. */
#ifndef HERD_CORE_KEEPER_DUE_H
#define HERD_CORE_KEEPER_DUE_H

#include "keeper_impl.h"

/* HERD_E_NOMEM. */
int herd_keeper_due_init(struct herd_keeper *keeper);
void herd_keeper_due_fini(struct herd_keeper *keeper);

/* The changes so far become a pass. HERD_E_NOMEM: none begins, all is still due. */
int herd_keeper_pass_begin(struct herd_keeper *keeper);
/* Ends the pass if everything of it has been answered. */
void herd_keeper_pass_end(struct herd_keeper *keeper);

/* All slots are looked at once more for this scan. */
void herd_keeper_scan_begin(struct herd_keeper *keeper, struct herd_keeper_scan *scan, bool holds);
/* Everything this server writes, slowly. */
void herd_keeper_full_begin(struct herd_keeper *keeper, bool holds);
/* That begins in an hour, unless it does sooner. */
void herd_keeper_full_soon(struct herd_keeper *keeper);

/* The next slot from PASS, CATCH_UP or FULL; HERD_NO_SLOT: nothing is left, or no steps. It stays the next until
 * herd_keeper_due_next. */
uint32_t herd_keeper_due_peek(struct herd_keeper *keeper, enum herd_keeper_source source, size_t *io_steps);
void herd_keeper_due_next(struct herd_keeper *keeper, enum herd_keeper_source source, uint32_t slot);
/* Whether PASS, CATCH_UP or FULL has nothing more. */
bool herd_keeper_due_empty(const struct herd_keeper *keeper, enum herd_keeper_source source);

/* These slots are due again: what they hold was not written. */
void herd_keeper_due_again(struct herd_keeper *keeper, const uint32_t *slots, size_t count);

#endif
