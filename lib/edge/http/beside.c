/* SPDX-License-Identifier: MIT */
/* What GET /metrics and GET /v1/node say of the database beside the server. */
#include "../database/beside.h"
#include "beside.h"
#include "http_impl.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const warm_states[] = {
    [HERD_WARM_OFF] = "off",   [HERD_WARM_WAITS] = "waits",           [HERD_WARM_READS] = "reads",
    [HERD_WARM_DONE] = "done", [HERD_WARM_NOT_NEEDED] = "not_needed",
};

static double seconds_since(int64_t then_ns, int64_t now_ns)
{
    return then_ns ? (double)(now_ns - then_ns) / 1e9 : -1;
}

/* The same to the millisecond, of whole numbers: printf's point is the locale's. */
static const char *seconds_text(char text[32], int64_t then_ns, int64_t now_ns)
{
    const int64_t ms = (now_ns - then_ns) / 1000000;
    if (!then_ns)
        return "-1";
    snprintf(text, 32, "%" PRId64 ".%03d", ms / 1000, (int)(ms % 1000));
    return text;
}

void herd_http_beside_put_metrics(struct herd_exposition *exposition, const struct herd_server *server)
{
    if (!server->beside)
        return;
    const struct herd_beside_stats stats = herd_beside_stats(server->beside);
    const struct herd_keeper_stats *keeper = &stats.keeper;
    const int64_t now_ns = herd_clock().steady_ns;
    const struct {
        const char *name, *type, *help;
        uint64_t value;
    } families[] = {
        {"herd_database_connected", "gauge", "Whether there is a connection to the database.", keeper->connected},
        {"herd_database_refused", "gauge", "Whether an operator has to do something there.", keeper->refused},
        {"herd_database_pending", "gauge", "Changes that are to be looked at, or under way.", keeper->pending},
        {"herd_database_written_total", "counter", "Records in batches that were acknowledged.", keeper->written},
        {"herd_database_retried_total", "counter", "Records of batches that failed.", keeper->retried},
        {"herd_database_dropped_total", "counter", "Records that it does not take.", keeper->dropped},
        {"herd_database_failures_total", "counter", "Batches, attempts and connections that failed.",
         keeper->failures},
        {"herd_database_forgot_total", "counter", "How often it had lost its memory.", keeper->forgot},
        {"herd_database_adopted", "gauge", "Servers whose records this one writes.", keeper->adopted},
        {"herd_database_writers", "gauge", "Servers that gave a sign of life there.", keeper->writers},
        {"herd_database_warm_read_total", "counter", "Records that a warm start read.", stats.warm_read},
        {"herd_database_warm_taken_total", "counter", "Those of them that were news.", stats.warm_taken},
    };
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        herd_exposition_one(exposition, families[i].name, families[i].type, families[i].help, families[i].value);
    if (keeper->success_ns) {
        herd_exposition_begin(exposition, "herd_database_success_age_seconds", "gauge",
                              "How long ago it last acknowledged something.");
        herd_exposition_number(exposition, NULL, (struct herd_span){"", 0},
                               seconds_since(keeper->success_ns, now_ns));
    }
    herd_exposition_begin(exposition, "herd_database_reads_total", "counter",
                          "Look-ups of clients not known here.");
    herd_exposition_count(exposition, "result", herd_span_of("found"), stats.read_found);
    herd_exposition_count(exposition, "result", herd_span_of("missed"), stats.read_missed);
    herd_exposition_count(exposition, "result", herd_span_of("failed"), stats.read_failed);
    herd_exposition_begin(exposition, "herd_database_batch_seconds", "histogram",
                          "From sending a batch to its acknowledgement.");
    herd_exposition_histogram(exposition, NULL, (struct herd_span){"", 0}, stats.batch_seconds);
}

int herd_http_beside_put_node(struct herd_buf *out, const struct herd_server *server)
{
    if (!server->beside)
        return 0;
    char text[640], age[32];
    const struct herd_beside_stats stats = herd_beside_stats(server->beside);
    const struct herd_keeper_stats *keeper = &stats.keeper;
    int len = snprintf(text, sizeof text,
                       ",\"database\":{\"kind\":\"%.64s\",\"state\":\"%s\",\"pending\":%zu,\"written\":%" PRIu64
                       ",\"retried\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"failures\":%" PRIu64
                       ",\"adopted\":%zu,\"success_age_s\":%s,\"warm_start\":\"%s\",\"warm_read\":%" PRIu64
                       ",\"warm_taken\":%" PRIu64 "}",
                       stats.kind,
                       keeper->refused     ? "refused"
                       : keeper->connected ? "connected"
                                           : "away",
                       keeper->pending, keeper->written, keeper->retried, keeper->dropped, keeper->failures,
                       keeper->adopted, seconds_text(age, keeper->success_ns, herd_clock().steady_ns),
                       warm_states[stats.warm], stats.warm_read, stats.warm_taken);
    return len > 0 && (size_t)len < sizeof text ? herd_buf_add(out, text, (size_t)len) : HERD_E_NOMEM;
}

bool herd_http_beside_is_away(const struct herd_server *server)
{
    return server->beside && !herd_beside_stats(server->beside).keeper.connected;
}
