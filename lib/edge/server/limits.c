/* SPDX-License-Identifier: MIT */
/* Limits of a configuration, as the node counts them. */
#include "server_impl.h"

static int64_t ms(int64_t value)
{
    return value * 1000000;
}

/* In a configuration 0 says "never"; the node says it with a negative time. */
static int64_t ms_or_never(int64_t value)
{
    return value == 0 ? -1 : ms(value);
}

void herd_server_node_access(const struct herd_trust *trust, struct herd_node_options *o)
{
    o->access = trust->identities != NULL;
    o->peers_prove = trust->mode == HERD_TLS_REQUIRE;
}

void herd_server_node_limits(const struct herd_limits *l, struct herd_node_options *o)
{
    o->line_max_bytes = (size_t)l->line_max_bytes;
    o->records_max = (size_t)l->records_max;
    o->records_bytes_max = l->records_bytes_max ? (uint64_t)l->records_bytes_max : UINT64_MAX;
    o->lookups_per_client_max = (size_t)l->lookups_per_client_max;
    o->queued_reply_max_bytes = (size_t)l->output_pause_bytes;
    o->plain_lines_max = (size_t)l->plain_lines_max;
    o->client_idle_ns = ms_or_never(l->client_idle_ms);
    o->line_deadline_ns = ms_or_never(l->line_deadline_ms);
    o->ping_ns = ms(l->peer_ping_ms);
    o->hello_ns = ms(l->peer_hello_ms);
    o->redial_min_ns = ms(l->redial_min_ms);
    o->redial_max_ns = ms(l->redial_max_ms);
    o->digest_ns = ms(l->digest_ms);
    o->future_ns = ms_or_never(l->future_ms);
    o->expire_ns = ms(l->expire_ms);
    o->tombstones_max = (size_t)l->tombstones_max;
    o->traces_max = (size_t)l->traces_max;
    o->forget_line = l->forget_line != 0;
    o->future_refuse = l->future_refuse != 0;
    o->close_after_reply = l->close_after_reply != 0;
}
