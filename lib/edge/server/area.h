/* SPDX-License-Identifier: MIT */
/* The area of a server, and who is told what happens at its fences. Without one nothing of this runs. */
#ifndef HERD_EDGE_SERVER_AREA_H
#define HERD_EDGE_SERVER_AREA_H

#include "../../core/base/list.h"

#include <herd/area.h>

struct herd_server;

/* Is told of each event of each fence, in the order of herd_server_fence_sink_add, before the hook of the program. Its owner
 * keeps it and sets `on_event` and `ctx`. */
struct herd_fence_sink {
    struct herd_list link;
    /* `event` and its spans are borrowed for the call. It calls nothing that changes the node, and may take out its own sink
     * but no other. */
    void (*on_event)(void *ctx, const struct herd_fence_event *event);
    void *ctx;
};

/* From now on, until herd_server_fence_sink_remove, which must come before the server is freed; fine for one that is not in it.
 * Without an area nothing is told. */
void herd_server_fence_sink_add(struct herd_server *server, struct herd_fence_sink *sink);
void herd_server_fence_sink_remove(struct herd_fence_sink *sink);

/* Makes the area if the configuration, the options or a hook asks for it. HERD_E_NOMEM, HERD_E_IO (no random bytes). */
int herd_server_area_open(struct herd_server *server);
/* Takes in what changed, for a bounded number of steps, and tells of events. True: there is more. */
bool herd_server_area_run(struct herd_server *server);

#endif
