/* SPDX-License-Identifier: MIT */
/* A line of the log, once in a while, that says how the server is: what happened between two of them is the difference
 * of their counts. */
#include "../journal/journal.h"
#include "server_impl.h"

#include <herd/store.h>

void herd_summary_log(struct herd_server *server, int64_t now_ns)
{
    const int64_t period_ns = server->limits->summary_ms * INT64_C(1000000);
    if (period_ns == 0)
        server->summary_ns = 0;
    if (period_ns == 0 || (server->summary_ns && now_ns - server->summary_ns < period_ns))
        return;
    const bool first = server->summary_ns == 0; /* begins to wait */
    server->summary_ns = now_ns;
    if (first)
        return;
    const struct herd_node_stats stats = herd_node_stats(server->node);
    size_t links = 0;
    for (size_t i = 0; i < herd_node_peer_count(server->node); i++)
        links += herd_node_link(server->node, i) != NULL;
    const char *journal = !server->journal ? "none" : herd_journal_is_behind(server->journal) ? "behind" : "ok";
    const struct herd_log_field fields[] = {
        herd_log_int("connections", (int64_t)server->client_count),
        herd_log_int("clients", (int64_t)herd_store_count(herd_node_store(server->node))),
        herd_log_int("links", (int64_t)links),
        herd_log_int("reports", (int64_t)stats.reports),
        herd_log_int("stale", (int64_t)stats.reports_stale),
        herd_log_int("invalid", (int64_t)stats.invalid),
        herd_log_int("at_received", (int64_t)stats.at_received),
        herd_log_int("at_sent", (int64_t)stats.at_sent),
        herd_log_int("refused", (int64_t)server->refused_count),
        herd_log_int("lag_ms", server->lag_max_ns / 1000000),
        herd_log_text("journal", journal),
    };
    herd_log_event(server->log, HERD_LOG_INFO, "summary", fields, sizeof fields / sizeof *fields);
    server->lag_max_ns = 0;
}
