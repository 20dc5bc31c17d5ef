/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/clients/{id}/trace: who accepted a client's newest report, and which way it came here. What is in the record is
 * answered at once; from whom it came is known of reports that came after somebody asked. Whoever may not ask for a client
 * learns nothing of it, and makes nobody be traced: 404, as for one that is not known.
 */
#include "../../places/raw.h"
#include "http_impl.h"
#include "id.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/* Appends POSIX time as RFC 3339, to the millisecond; every int64_t has a year of four digits. */
static int put_timestamp(struct herd_buf *out, int64_t time_ns)
{
    char text[40];
    struct tm parts = {0};
    int64_t s = time_ns / NS_PER_S - (time_ns % NS_PER_S < 0);
    time_t seconds = (time_t)s;
    gmtime_r(&seconds, &parts);
    size_t len = strftime(text, sizeof text, "\"%Y-%m-%dT%H:%M:%S", &parts);
    int more = snprintf(text + len, sizeof text - len, ".%03dZ\"", (int)((time_ns - s * NS_PER_S) / NS_PER_MS));
    return herd_buf_add(out, text, len + (size_t)more);
}

static int put_text(struct herd_buf *out, const char *before, struct herd_span text)
{
    int err = herd_buf_add_text(out, before);
    return err < 0 ? err : herd_raw_escape(out, text);
}

static int put_delay(struct herd_buf *out, int64_t delay_ns)
{
    char text[48];
    uint64_t us = (delay_ns < 0 ? 0 - (uint64_t)delay_ns : (uint64_t)delay_ns) / 1000;
    int len = snprintf(text, sizeof text, "%s%" PRIu64 ".%03u", delay_ns < 0 ? "-" : "", us / 1000,
                       (unsigned)(us % 1000));
    return herd_buf_add(out, text, (size_t)len);
}

/* What was seen of the record since the client is traced. */
static int put_seen(struct herd_buf *out, const struct herd_trace *trace)
{
    char text[48];
    int err = herd_buf_add_text(out, ",\"heard_from\":");
    if (err >= 0)
        err = trace->heard_from.len ? put_text(out, "\"", trace->heard_from) : herd_buf_add_text(out, "null");
    if (err >= 0)
        err = herd_buf_add_text(out, trace->heard_from.len ? "\",\"delay_ms\":" : ",\"delay_ms\":");
    if (err >= 0)
        err = trace->heard ? put_delay(out, trace->delay_ns) : herd_buf_add_text(out, "null");
    int len = snprintf(text, sizeof text, ",\"copies\":%" PRIu64 ",\"traced_since\":", trace->copies);
    if (err >= 0)
        err = herd_buf_add(out, text, (size_t)len);
    if (err < 0)
        return err;
    return trace->traced ? put_timestamp(out, trace->since_ns) : herd_buf_add_text(out, "null");
}

static int put_trace(struct herd_buf *out, const struct herd_trace *trace)
{
    int err = put_text(out, "{\"id\":\"", trace->record.id);
    if (err >= 0)
        err = put_text(out, "\",\"server\":\"", trace->record.server);
    if (err >= 0)
        err = put_text(out, "\",\"time\":\"", trace->record.time);
    if (err >= 0)
        err = herd_buf_add_text(out, "\",\"accepted\":");
    if (err >= 0)
        err = put_timestamp(out, trace->accepted_ns);
    if (err >= 0)
        err = put_seen(out, trace);
    return err < 0 ? err : herd_buf_add_text(out, "}\n");
}

static int get_trace(struct herd_http_exchange *exchange)
{
    const struct herd_span id = exchange->segments[0];
    struct herd_trace trace;
    unsigned bucket;
    if (!herd_http_has_id(exchange))
        return herd_http_bad_id(exchange);
    if (!herd_http_may_ask(exchange, id))
        return herd_http_unknown_client(exchange);
    if (herd_http_foreign(exchange, id, &bucket))
        return herd_http_elsewhere(exchange, bucket);
    int err = herd_node_trace(exchange->server->node, id, exchange->now, &trace);
    if (err == HERD_E_NOTFOUND)
        return herd_http_unknown_client(exchange);
    if (err >= 0)
        err = put_trace(herd_http_body(exchange), &trace);
    return err < 0 ? err : herd_http_reply(exchange, 200, "application/json");
}

static const struct herd_http_route routes[] = {
    {.methods = HERD_HTTP_ON_GET,
     .path = "/v1/clients/{}/trace",
     .handler = get_trace,
     .right = HERD_HTTP_CLIENT,
     .get_writes = true}, /* from now on it is traced, and perhaps another no longer */
};

const struct herd_http_module herd_http_trace = {.routes = routes, .route_count = sizeof routes / sizeof *routes};
