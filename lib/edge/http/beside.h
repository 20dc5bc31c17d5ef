/* SPDX-License-Identifier: MIT */
/* What is told of the database beside the server; nothing where there is none. */
#ifndef HERD_EDGE_HTTP_BESIDE_H
#define HERD_EDGE_HTTP_BESIDE_H

#include "../server/server_impl.h"
#include "exposition.h"

/* Its families of figures. */
void herd_http_beside_put_metrics(struct herd_exposition *exposition, const struct herd_server *server);
/* Appends a member `database` to an object that has members. HERD_E_NOMEM. */
int herd_http_beside_put_node(struct herd_buf *out, const struct herd_server *server);
/* Whether there is one, and it can not be reached or refuses. */
bool herd_http_beside_is_away(const struct herd_server *server);

#endif
