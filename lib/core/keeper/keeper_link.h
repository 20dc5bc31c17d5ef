/* SPDX-License-Identifier: MIT */
/* The connection to the database: made, lost, given up. */
#ifndef HERD_CORE_KEEPER_LINK_H
#define HERD_CORE_KEEPER_LINK_H

#include "keeper_impl.h"

#define HERD_KEEPER_ANSWER_NS INT64_C(10000000000) /* nothing is answered for so long: it never will be */

/* Something failed that may succeed later: the next attempt waits, longer each time. */
void herd_keeper_back_off(struct herd_keeper *keeper);
/* The next batch waits between half a second and a whole one; nothing failed. */
void herd_keeper_slow_down(struct herd_keeper *keeper);
/* The connection is gone: what was under way is due again. */
void herd_keeper_gone(struct herd_keeper *keeper, const char *message);
/* An operator has to do something. */
void herd_keeper_refuse(struct herd_keeper *keeper, const char *message);
/* Something was done: back-off begins anew. */
void herd_keeper_succeeded(struct herd_keeper *keeper);

/* Whether an answer is waited for. */
bool herd_keeper_waits(const struct herd_keeper *keeper);
/* Whether a batch may be begun. */
bool herd_keeper_writable(const struct herd_keeper *keeper);
/* Attempts that are due, and answers that do not come. */
void herd_keeper_link_tick(struct herd_keeper *keeper);
/* When that is; INT64_MAX: nothing is waited for. */
int64_t herd_keeper_link_next_ns(const struct herd_keeper *keeper);

#endif
