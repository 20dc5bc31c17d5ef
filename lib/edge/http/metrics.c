/* SPDX-License-Identifier: MIT */
/* GET /metrics: the figures of this server for Prometheus. Labels are names of servers and words of the program: no
 * client's id and no address, of which there may be millions. */
#include "../journal/journal.h"
#include "../places/places_stats.h"
#include "../server/webhook.h"
#include "beside.h"
#include "exposition.h"
#include "http_impl.h"

#include <herd/store.h>

#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct herd_span none = {"", 0};
static herd_http_handler get_metrics;

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

/* Since Linux 6.2 the size of the directory; to count its entries would hold the loop up. 0: the system does not say. */
static uint64_t open_files(void)
{
    struct stat files;
    return stat("/proc/self/fd", &files) == 0 && files.st_size > 0 ? (uint64_t)files.st_size : 0;
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
    const uint64_t open = open_files();
    if (open > 0)
        herd_exposition_one(exposition, "process_open_fds", "gauge", "Descriptors that are open.", open);
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
    herd_exposition_one(exposition, "herd_connections_total", "counter", "Connections that were let in.",
                        server->accepted_count);
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
    herd_exposition_one(exposition, "herd_foreign_total", "counter",
                        "Reports, questions and deletions for clients of other herds.", stats.foreign);
    herd_exposition_one(exposition, "herd_auth_failed_total", "counter", "Tokens that nobody has.",
                        stats.auth_failed);
}

/* ---- where they are ---- */

static void put_area(struct herd_exposition *exposition, const struct herd_server *server)
{
    if (!server->area)
        return;
    const struct herd_area_stats stats = herd_area_stats(server->area);
    herd_exposition_one(exposition, "herd_area_clients", "gauge", "Clients that questions of who is near find.",
                        stats.clients);
    herd_exposition_one(exposition, "herd_area_bytes", "gauge", "Memory for where they are.", stats.bytes);
    herd_exposition_one(exposition, "herd_fences", "gauge", "Fences that are set up.", stats.fences);
    herd_exposition_one(exposition, "herd_fence_events_total", "counter", "Events of fences.", stats.events);
    herd_exposition_one(exposition, "herd_fence_events_lost_total", "counter",
                        "Clients whose events at fences are incomplete because memory was short.",
                        stats.events_lost);
    herd_exposition_one(exposition, "herd_fence_pairs", "gauge", "Pairs of clients that are near each other.",
                        stats.pairs);
    herd_exposition_one(exposition, "herd_fence_pairs_missed_total", "counter",
                        "Moves after which more clients were nearby than a proximity looks at or remembers.",
                        stats.pairs_missed);
    if (!server->webhook)
        return;
    const struct herd_webhook_stats hook = herd_webhook_stats(server->webhook);
    herd_exposition_one(exposition, "herd_webhook_queue", "gauge", "Events that wait to be posted.", hook.queued);
    herd_exposition_one(exposition, "herd_webhook_posted_total", "counter", "Events that were posted and taken.",
                        hook.posted);
    herd_exposition_one(exposition, "herd_webhook_dropped_total", "counter",
                        "Events that were not posted, or not taken.", hook.dropped);
    herd_exposition_one(exposition, "herd_webhook_failures_total", "counter",
                        "Requests that failed or were refused.", hook.failures);
}

/* ---- places ---- */

static void put_lookups(struct herd_exposition *exposition, const struct herd_places *places)
{
    struct herd_places_stats stats;
    bool first;
    herd_exposition_begin(exposition, "herd_lookup_duration_seconds", "histogram",
                          "Look-ups at a provider of places, from their turn to their answer or failure.");
    for (size_t i = 0; herd_places_stats(places, i, &stats, &first) == 0; i++)
        if (first)
            herd_exposition_histogram(exposition, "provider", herd_span_of(stats.provider), &stats.durations);
    herd_exposition_begin(exposition, "herd_lookup_failures_total", "counter",
                          "Look-ups at a provider that failed.");
    for (size_t i = 0; herd_places_stats(places, i, &stats, &first) == 0; i++)
        if (first)
            herd_exposition_count(exposition, "provider", herd_span_of(stats.provider), stats.failures);
    herd_exposition_begin(exposition, "herd_lookups_in_flight", "gauge", "Look-ups at a provider now.");
    for (size_t i = 0; herd_places_stats(places, i, &stats, &first) == 0; i++)
        if (first)
            herd_exposition_count(exposition, "provider", herd_span_of(stats.provider), stats.in_flight);
    herd_exposition_one(exposition, "herd_lookup_queue", "gauge", "Look-ups that wait for a turn at a provider.",
                        herd_places_waiting(places));
}

/* ---- HTTP ---- */

static const char *method_of(const struct herd_http_route *route)
{
    switch (route->methods) {
    case HERD_HTTP_ON_GET: return "GET";
    case HERD_HTTP_ON_POST: return "POST";
    case HERD_HTTP_ON_PUT: return "PUT";
    case HERD_HTTP_ON_DELETE: return "DELETE";
    default: return "any";
    }
}

/* Of what was never asked for nothing is told: there are many routes. */
static void put_requests(struct herd_exposition *exposition, const struct herd_http *http)
{
    struct herd_http_count count;
    char labels[192];
    herd_exposition_begin(exposition, "herd_http_requests_total", "counter", "HTTP requests that were answered.");
    for (size_t i = 0; herd_http_count_at(http, i, &count); i++) {
        for (int class = 2; class <= 5; class ++) {
            const struct herd_http_route *route = count.route;
            if (count.by_class[class] == 0 && route && route->handler != get_metrics)
                continue;
            snprintf(labels, sizeof labels, "route=\"%s\",method=\"%s\",code=\"%dxx\"",
                     route ? route->path : "none", route ? method_of(route) : "any", class);
            herd_exposition_labelled(exposition, labels, count.by_class[class]);
        }
    }
    herd_exposition_begin(exposition, "herd_http_request_duration_seconds", "histogram",
                          "HTTP requests, from their last byte to their answer; of streams of events none.");
    herd_exposition_histogram(exposition, NULL, none, &http->durations);
}

/* ---- certificates ---- */

static void put_ends(struct herd_exposition *exposition, const struct herd_trust *trust)
{
    bool begun = false;
    for (size_t i = 0; i < HERD_TLS_ENDS; i++) {
        if (trust->ends[i].at_s == INT64_MAX)
            continue;
        if (!begun)
            herd_exposition_begin(exposition, "herd_certificate_end_timestamp_seconds", "gauge",
                                  "When what is in a file of tls ends, POSIX time; of several the first.");
        begun = true;
        herd_exposition_number(exposition, "file", herd_span_of(trust->ends[i].what), (double)trust->ends[i].at_s);
    }
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
    herd_exposition_histogram(exposition, NULL, none, herd_node_propagation(server->node));
}

/* ---- the loop and its files ---- */

static void put_loop(struct herd_exposition *exposition, const struct herd_http *http)
{
    const struct herd_server *server = http->server;
    herd_exposition_begin(exposition, "herd_loop_lag_seconds", "histogram",
                          "How late a timer of the event loop came, twice a second.");
    herd_exposition_histogram(exposition, NULL, none, &server->lag);
    herd_exposition_begin(exposition, "herd_loop_lag_max_seconds", "gauge",
                          "The greatest of them since the last summary in the log.");
    herd_exposition_number(exposition, NULL, none, (double)server->lag_max_ns / 1e9);
    herd_exposition_one(exposition, "herd_viewers", "gauge", "Event streams that are open.", http->stream_count);
    herd_exposition_one(exposition, "herd_events_sent_total", "counter", "Messages to event streams.",
                        http->stream_writes);
    herd_exposition_one(exposition, "herd_events_skipped_total", "counter",
                        "How often a viewer did not take what it was sent, and was left out until it did.",
                        http->stream_pauses);
    if (!server->journal)
        return;
    herd_exposition_one(exposition, "herd_journal_behind", "gauge",
                        "Whether replies no longer wait for the journal, for it does not keep up.",
                        herd_journal_is_behind(server->journal));
    herd_exposition_one(exposition, "herd_journal_unwritten", "gauge", "Records that the journal lacks.",
                        herd_journal_unwritten(server->journal));
    const struct herd_journal_stats stats = herd_journal_stats(server->journal);
    herd_exposition_one(exposition, "herd_journal_bytes", "gauge", "Size of the journal's file.", stats.bytes);
    herd_exposition_one(exposition, "herd_journal_errors_total", "counter",
                        "What the disk did not take, or not in time: lines, syncs, a journal written anew.",
                        stats.failures);
    herd_exposition_begin(exposition, "herd_journal_sync_seconds", "histogram",
                          "How long the disk took to sync the journal.");
    herd_exposition_histogram(exposition, NULL, none, &stats.synced);
}

static int get_metrics(struct herd_http_exchange *exchange)
{
    struct herd_exposition exposition = {.out = herd_http_body(exchange)};
    put_process(&exposition, exchange->server);
    put_clients(&exposition, exchange->server);
    put_area(&exposition, exchange->server);
    herd_http_beside_put_metrics(&exposition, exchange->server);
    put_lookups(&exposition, exchange->server->places);
    put_flooding(&exposition, exchange->server);
    put_ends(&exposition, exchange->server->trust);
    put_requests(&exposition, exchange->http);
    put_loop(&exposition, exchange->http);
    return exposition.err < 0 ? exposition.err
                              : herd_http_reply(exchange, 200, "text/plain; version=0.0.4; charset=utf-8");
}

static const struct herd_http_route routes[] = {
    {.methods = HERD_HTTP_ON_GET, .path = "/metrics", .handler = get_metrics, .right = HERD_HTTP_ADMIN},
};

const struct herd_http_module herd_http_metrics = {.routes = routes, .route_count = sizeof routes / sizeof *routes};
