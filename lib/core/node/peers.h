/* SPDX-License-Identifier: MIT */
/* Neighbours added and removed, and other bounds, while a node runs. */
#ifndef HERD_CORE_PEERS_H
#define HERD_CORE_PEERS_H

#include "node_impl.h"

/* Puts defaults in place of zeros. */
void herd_options_fill(struct herd_node_options *io_options);
/* Adds a neighbour: its number. HERD_E_ARG, HERD_E_NOMEM. */
int herd_peers_add(struct herd_node *node, struct herd_span name, bool plain);
/* Frees all entries. Sessions are closed already. */
void herd_peers_free(struct herd_node *node);

#endif
