/* SPDX-License-Identifier: MIT */
/* A record of a database beside the herd, for one reply. */
#ifndef HERD_CORE_LEARN_H
#define HERD_CORE_LEARN_H

#include "node_impl.h"

/* Finds a client as herd_node_find does; where nothing is held of the id `record`, what the database has, may be the answer:
 * NULL, or not one of this id that clients may still see, it is not. HERD_E_NOTFOUND, HERD_E_NOMEM. */
int herd_learn_find(struct herd_node *node, struct herd_span id, const struct herd_record *record,
                    struct herd_now now, struct herd_record *ret_known);

#endif
