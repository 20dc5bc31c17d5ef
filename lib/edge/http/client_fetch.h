/* SPDX-License-Identifier: MIT */
/* GET for a client of which nothing is held here, while a database beside the server is asked: see read_through.c there. */
#ifndef HERD_EDGE_CLIENT_FETCH_H
#define HERD_EDGE_CLIENT_FETCH_H

#include "http.h"

#include <herd/store.h>

/* Makes the answer of a record, its headers and its body: the status to reply with, or an error. `known` is the value of
 * If-None-Match; {"", 0}: there is none. */
typedef int herd_client_put(struct herd_http_exchange *exchange, const struct herd_record *record,
                            struct herd_span known);
/* Answers a request for client `id`, which is not known here, at once or later: with what `put` makes of the record that the
 * database has, else 404. Whoever asks has the right to. HERD_E_NOMEM, or what `put` says. */
int herd_client_fetch(struct herd_http_exchange *exchange, struct herd_span id, herd_client_put *put);

/* Replies with what `put` made; `status` < 0: nothing is replied, the error is given back. */
int herd_client_reply(struct herd_http_exchange *exchange, int status);

#endif
