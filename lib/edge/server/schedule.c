/* SPDX-License-Identifier: MIT */
/* The end of a loop iteration is asked for. */
#include "server_impl.h"

void herd_server_schedule_flush(struct herd_server *server)
{
    if (server->flush_active || server->freeing)
        return;
    server->flush_active = true;
    event_active(server->flush_event, 0, 0);
}
