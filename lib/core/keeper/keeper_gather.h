/* SPDX-License-Identifier: MIT */
/* Batches are put together in slices. */
#ifndef HERD_CORE_KEEPER_GATHER_H
#define HERD_CORE_KEEPER_GATHER_H

#include "keeper_impl.h"

/* Memory for batches. HERD_E_NOMEM. */
int herd_keeper_gather_init(struct herd_keeper *keeper);
void herd_keeper_gather_fini(struct herd_keeper *keeper);

/* Puts records of the batch's source into it, and makes it ready when it is full or nothing is left. HERD_E_NOMEM:
 * what is in it stays, the rest stays due. */
int herd_keeper_gather(struct herd_keeper *keeper, struct herd_keeper_batch *batch, size_t *io_steps);
/* Makes a batch of the writer's row alone ready. */
void herd_keeper_gather_heartbeat(struct herd_keeper *keeper, struct herd_keeper_batch *batch);
/* What a batch that is sent now may say of written_until_ns: if it is the last of a pass and nothing else is under way, what
 * the end of the pass will say. */
int64_t herd_keeper_until_ns(const struct herd_keeper *keeper, const struct herd_keeper_batch *batch);
/* The rows of the batch that is ready, for its effect. */
void herd_keeper_rows(struct herd_keeper *keeper);
/* What is gathered is due again. */
void herd_keeper_gather_undo(struct herd_keeper *keeper);

/* Cuts a batch that was BAD in halves, to be written before anything else. */
void herd_keeper_halve(struct herd_keeper *keeper, const struct herd_keeper_batch *batch);
/* Halves are due again, as changes. */
void herd_keeper_halves_undo(struct herd_keeper *keeper);

#endif
