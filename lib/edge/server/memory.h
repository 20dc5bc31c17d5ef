/* SPDX-License-Identifier: MIT */
/* The database beside a server. */
#ifndef HERD_EDGE_SERVER_MEMORY_H
#define HERD_EDGE_SERVER_MEMORY_H

#include "../database/beside.h"
#include "server_impl.h"

/* Opens the one of the configuration, if there is one. Errors with *reterr_diagnostic. */
int herd_server_memory_open(struct herd_server *server, struct herd_diagnostic *reterr_diagnostic);
/* All that a configuration says of it, as text: a running server keeps what it began with. Owned; NULL: there is none, or no
 * memory. */
char *herd_server_memory_text(const struct herd_config_database *config);
/* Nothing more is accepted: whether all that was is in the database, or that is not to be had. */
bool herd_server_memory_stopped(struct herd_server *server);

#endif
