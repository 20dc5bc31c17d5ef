/* SPDX-License-Identifier: MIT */
/* GET /metrics: the figures of this server for Prometheus. Labels are names of servers and words of the program: no
 * client's id and no address, of which there may be millions. */
#include "../journal/journal.h"
#include "exposition.h"
#include "http_impl.h"

#include <herd/store.h>

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct herd_span none = {"", 0};

/* ---- the process ---- */

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* In bytes; 0: the system does not say. */
static uint64_t resident_bytes(void)
{
    unsigned long long size, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file)
        return 0;
    if (fscanf(file, "%llu %llu", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void put_process(struct herd_exposition *exposition, const struct herd_server *server)
{
    struct rusage used;
    struct rlimit files;
    herd_exposition_begin(exposition, "herd_build_info", "gauge", "Which program this is; always 1.");
    herd_exposition_count(exposition, "version", herd_span_of(herd_version()), 1);
    herd_exposition_begin(exposition, "process_start_time_seconds", "gauge",
                          "When the server was made, POSIX time.");
    herd_exposition_number(exposition, NULL, none, (double)server->start_wall_ns / 1e9);
    if (getrusage(RUSAGE_SELF, &used) == 0) {
        herd_exposition_begin(exposition, "process_cpu_seconds_total", "counter",
                              "Processor time, of all threads.");
        herd_exposition_number(exposition, NULL, none, seconds(used.ru_utime) + seconds(used.ru_stime));
    }
    herd_exposition_one(exposition, "process_resident_memory_bytes", "gauge", "Memory that is resident.",
                        resident_bytes());
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        herd_exposition_one(exposition, "process_max_fds", "gauge", "How many descriptors may be open.",
                            (uint64_t)files.rlim_cur);
}

/* ---- clients ---- */

static void put_clients(struct herd_exposition *exposition, const struct herd_server *server)
{
    const struct herd_store *store = herd_node_store(server->node);
    const struct herd_node_stats stats = herd_node_stats(server->node);
    herd_exposition_one(exposition, "herd_clients", "gauge", "Clients whose location is known.",
                        herd_store_count(store) - herd_store_tombstones(store));
    herd_exposition_one(exposition, "herd_clients_max", "gauge", "limits.records_max.",
                        (uint64_t)server->limits->records_max);
    herd_exposition_one(exposition, "herd_tombstones", "gauge", "Clients that were deleted, and are remembered.",
                        herd_store_tombstones(store));
    herd_exposition_one(exposition, "herd_tombstones_max", "gauge", "limits.tombstones_max.",
                        (uint64_t)server->limits->tombstones_max);
    herd_exposition_one(exposition, "herd_deletions_total", "counter", "Clients deleted at this server.",
                        stats.deletions);
    herd_exposition_one(exposition, "herd_records_bytes", "gauge", "Memory of their records and tombstones.",
                        herd_store_bytes(store));
    herd_exposition_one(exposition, "herd_connections", "gauge", "Connections of clients.", server->client_count);
    herd_exposition_one(exposition, "herd_connections_refused_total", "counter", "Connections beyond a limit.",
                        server->refused_count);
    herd_exposition_begin(exposition, "herd_reports_total", "counter", "Reports of clients of this server.");
    const struct {
        const char *result;
        uint64_t count;
    } results[] = {
        {"news", stats.reports},
        {"stale", stats.reports_stale},
        {"not_allowed", stats.not_allowed},
        {"too_often", stats.too_often},
    };
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        herd_exposition_count(exposition, "result", herd_span_of(results[i].result), results[i].count);
    herd_exposition_begin(exposition, "herd_tracker_skipped_total", "counter",
                          "What apps sent that is no report, and was acknowledged.");
    const char *why;
    uint64_t skipped;
    for (unsigned i = 0; herd_http_trackers_skipped(server->http, i, &why, &skipped); i++)
        herd_exposition_count(exposition, "why", herd_span_of(why), skipped);
    herd_exposition_one(exposition, "herd_invalid_lines_total", "counter", "Lines answered with a question mark.",
                        stats.invalid);
    herd_exposition_one(exposition, "herd_lookups_total", "counter", "Questions for places near a known client.",
                        stats.lookups);
    herd_exposition_one(exposition, "herd_auth_failed_total", "counter", "Tokens that nobody has.",
                        stats.auth_failed);
}

/* ---- the herd ---- */

struct peer_family {
    const char *name, *type, *help;
    uint64_t (*value)(const struct herd_peer_stats *stats);
};

static uint64_t up(const struct herd_peer_stats *stats)
{
    return stats->up;
}

static uint64_t agrees(const struct herd_peer_stats *stats)
{
    return stats->agrees;
}

static uint64_t links(const struct herd_peer_stats *stats)
{
    return stats->links;
}

static uint64_t unsent(const struct herd_peer_stats *stats)
{
    return stats->unsent;
}

static uint64_t received(const struct herd_peer_stats *stats)
{
    return stats->at_received;
}

static uint64_t sent(const struct herd_peer_stats *stats)
{
    return stats->at_sent;
}

static uint64_t refused(const struct herd_peer_stats *stats)
{
    return stats->refused;
}

static const struct peer_family peer_families[] = {
    {"herd_peer_up", "gauge", "Whether the link with this neighbour is up.", up},
    {"herd_digest_agrees", "gauge", "Whether the last comparison with this neighbour found the same state.",
     agrees},
    {"herd_peer_links_total", "counter", "How often the link with this neighbour came up.", links},
    {"herd_peer_unsent", "gauge", "Records this neighbour is still to be told of.", unsent},
    {"herd_at_received_total", "counter", "AT lines from this neighbour.", received},
    {"herd_at_sent_total", "counter", "AT lines to this neighbour.", sent},
    {"herd_at_refused_total", "counter", "Records of this neighbour that were refused.", refused},
};

static void put_peers(struct herd_exposition *exposition, const struct herd_node *node)
{
    struct herd_peer_stats stats;
    for (size_t f = 0; f < sizeof peer_families / sizeof *peer_families; f++) {
        const struct peer_family *family = &peer_families[f];
        herd_exposition_begin(exposition, family->name, family->type, family->help);
        for (size_t i = 0; i < herd_node_peer_count(node); i++)
            if (herd_node_peer_stats(node, i, &stats) == 0)
                herd_exposition_count(exposition, "peer", herd_node_peer_name(node, i), family->value(&stats));
    }
}

static void put_flooding(struct herd_exposition *exposition, const struct herd_server *server)
{
    const struct herd_node_stats stats = herd_node_stats(server->node);
    put_peers(exposition, server->node);
    herd_exposition_one(exposition, "herd_at_news_total", "counter", "AT lines of neighbours that were news.",
                        stats.at_new);
    herd_exposition_one(exposition, "herd_syncs_total", "counter", "Links that came up and found a difference.",
                        stats.syncs);
    herd_exposition_one(exposition, "herd_repairs_total", "counter",
                        "Differences found on quiet links. An alarm: this must stay 0.", stats.repairs);
    herd_exposition_begin(
        exposition, "herd_propagation_seconds", "histogram",
        "From the acceptance of a report elsewhere to its arrival here, by both servers' clocks; one "
        "of sixteen.");
    herd_exposition_histogram(exposition, herd_node_propagation(server->node));
}

/* ---- the loop and its files ---- */

static void put_loop(struct herd_exposition *exposition, const struct herd_http *http)
{
    const struct herd_server *server = http->server;
    herd_exposition_begin(exposition, "herd_loop_lag_seconds", "histogram",
                          "How late a timer of the event loop came, twice a second.");
    herd_exposition_histogram(exposition, &server->lag);
    herd_exposition_one(exposition, "herd_viewers", "gauge", "Event streams that are open.", http->stream_count);
    if (!server->journal)
        return;
    herd_exposition_one(exposition, "herd_journal_behind", "gauge",
                        "Whether replies no longer wait for the journal, for it does not keep up.",
                        herd_journal_is_behind(server->journal));
    herd_exposition_one(exposition, "herd_journal_unwritten", "gauge", "Records that the journal lacks.",
                        herd_journal_unwritten(server->journal));
}

static int get_metrics(struct herd_http_exchange *exchange)
{
    struct herd_exposition exposition = {.out = herd_http_body(exchange)};
    put_process(&exposition, exchange->server);
    put_clients(&exposition, exchange->server);
    put_flooding(&exposition, exchange->server);
    put_loop(&exposition, exchange->http);
    return exposition.err < 0 ? exposition.err
                              : herd_http_reply(exchange, 200, "text/plain; version=0.0.4; charset=utf-8");
}

static const struct herd_http_route routes[] = {
    {.methods = HERD_HTTP_ON_GET, .path = "/metrics", .handler = get_metrics, .right = HERD_HTTP_ADMIN},
};

const struct herd_http_module herd_http_metrics = {.routes = routes, .route_count = sizeof routes / sizeof *routes};
