/* SPDX-License-Identifier: MIT */
/* What a connection keeps while a request of it is neither whole nor answered. */
#include "http_impl.h"

#include <stdlib.h>

struct herd_http_unfinished *herd_http_unfinished(struct herd_conn *conn)
{
    if (!conn->request)
        conn->request = calloc(1, sizeof(struct herd_http_unfinished));
    return conn->request;
}

void herd_http_unfinished_free(struct herd_conn *conn)
{
    struct herd_http_unfinished *unfinished = conn->request;
    if (!unfinished)
        return;
    conn->server->http->bodies_bytes -= unfinished->reserved;
    herd_buf_fini(&unfinished->head);
    herd_buf_fini(&unfinished->body);
    free(unfinished);
    conn->request = NULL;
}
