/* SPDX-License-Identifier: MIT */
/* What servers say of themselves in the database, and what follows. */
#ifndef HERD_CORE_KEEPER_WRITERS_H
#define HERD_CORE_KEEPER_WRITERS_H

#include "keeper_impl.h"

void herd_keeper_writers_init(struct herd_keeper *keeper);
void herd_keeper_writers_fini(struct herd_keeper *keeper);

/* An answer was read. HERD_E_NOMEM: a server was left out; another time. */
int herd_keeper_writers_read(struct herd_keeper *keeper, const struct herd_database_writer *writers, size_t count);
/* Decides on some servers whether this one writes for them. */
void herd_keeper_writers_judge(struct herd_keeper *keeper, size_t *io_steps);
bool herd_keeper_writers_to_judge(const struct herd_keeper *keeper);
/* The clock was set back by more than the margin: what servers say by their wall clocks is not to be relied on. */
void herd_keeper_writers_clock(struct herd_keeper *keeper);

#endif
