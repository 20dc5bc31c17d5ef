/* SPDX-License-Identifier: MIT */
/* What an operator is told. */
#ifndef HERD_CORE_KEEPER_NOTICE_H
#define HERD_CORE_KEEPER_NOTICE_H

#include "keeper_impl.h"

/* Queues a notice; one too many is dropped: the caller takes them after each call. */
void herd_keeper_notice(struct herd_keeper *keeper, const char *text, struct herd_span detail);
/* The same at 1, 2, 4, 8, ... occurrences. */
void herd_keeper_notice_damped(struct herd_keeper *keeper, uint64_t *io_count, const char *text,
                               struct herd_span detail);
/* Takes the next. */
bool herd_keeper_notice_next(struct herd_keeper *keeper, struct herd_keeper_effect *ret_effect);

/* The database does not work: `text` is database_gone or database_refused, `message` what it said, or NULL. It is told
 * once until it works again. Where it comes and goes, at the 1st, 2nd, 4th, 8th, ... time, or when it stays away. */
void herd_keeper_away(struct herd_keeper *keeper, const char *text, const char *message);
/* It works: told if the operator knows that it did not. */
void herd_keeper_there(struct herd_keeper *keeper);
/* When something is to be told that was not yet; INT64_MAX: nothing. */
int64_t herd_keeper_away_next_ns(const struct herd_keeper *keeper);
void herd_keeper_away_tick(struct herd_keeper *keeper);

#endif
