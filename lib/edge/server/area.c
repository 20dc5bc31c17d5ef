/* SPDX-License-Identifier: MIT */
/* Where clients are: the area follows the node a bounded number of steps at the end of each turn of the loop. */
#include "area.h"

#include "server_impl.h"

#include <sys/random.h>

/* Of herd_area_next: four a record that moves, so that 4096 records are taken in, in about 0.2 ms. */
#define STEPS_A_TURN  16384
#define EVENTS_A_TURN 1024

void herd_server_fence_sink_add(struct herd_server *server, struct herd_fence_sink *sink)
{
    herd_list_append(&server->fence_sinks, &sink->link);
}

void herd_server_fence_sink_remove(struct herd_fence_sink *sink)
{
    herd_list_remove(&sink->link);
}

struct herd_area *herd_server_area(struct herd_server *server)
{
    return server->area;
}

int herd_server_area_open(struct herd_server *server)
{
    uint64_t key[2];
    if (!server->config->area && !server->options.area && !server->options.hooks.fence)
        return 0;
    if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key)
        return HERD_E_IO;
    return herd_area_open(server->node, key, &server->area);
}

static void tell(struct herd_server *server, const struct herd_fence_event *event)
{
    struct herd_list *next;
    for (struct herd_list *at = server->fence_sinks.next; at != &server->fence_sinks; at = next) {
        struct herd_fence_sink *sink = HERD_CONTAINER_OF(at, struct herd_fence_sink, link);
        next = at->next;
        sink->on_event(sink->ctx, event);
    }
    if (server->options.hooks.fence)
        server->options.hooks.fence(server->options.hooks.ctx, event);
}

/* A crowd is greater than a proximity looks at: told at the 1st, 2nd, 4th ... move of that kind. */
static void tell_missed(struct herd_server *server)
{
    const uint64_t missed = herd_area_stats(server->area).pairs_missed;
    if (missed < server->pairs_missed_next)
        return;
    while (server->pairs_missed_next <= missed)
        server->pairs_missed_next = server->pairs_missed_next ? server->pairs_missed_next * 2 : 1;
    struct herd_log_field field = herd_log_int("moves", (int64_t)missed);
    if (missed > 0)
        herd_log_event(server->log, HERD_LOG_WARN, "fence_crowd", &field, 1);
}

bool herd_server_area_run(struct herd_server *server)
{
    struct herd_fence_event event;
    size_t steps = STEPS_A_TURN;
    const struct herd_now now = herd_clock();
    tell_missed(server);
    for (size_t i = 0; i < EVENTS_A_TURN; i++) {
        if (!herd_area_next(server->area, now, &steps, &event))
            return steps == 0;
        tell(server, &event);
    }
    return true;
}
