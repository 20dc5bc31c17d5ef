/* SPDX-License-Identifier: MIT */
/*
 * /v1/clients/{id}: report (PUT), where it is (GET), forget it (DELETE). Strict: what is wrong is said, unlike at the doors
 * for phones. Whoever may not ask for a client learns nothing of it: 404, as for one that is not known.
 */
#include "../../core/base/hash.h"
#include "../../core/http/entity_tag.h"
#include "../../core/http/response.h"
#include "../../places/raw.h"
#include "../../trackers/native.h"
#include "client_fetch.h"
#include "feature.h"
#include "http_impl.h"
#include "id.h"

#include <stdio.h>

/* ---- GET ---- */

/* Of the fields of the AT line: two records with equal ones are the same. */
static void make_etag(const struct herd_record *record, char etag[20])
{
    static const uint64_t key[2] = {UINT64_C(0x6865726420657461), UINT64_C(0x6720763120202020)};
    const struct herd_span fields[] = {record->server, record->diff, record->id, record->position, record->time};
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const uint64_t one = herd_siphash(key, fields[i].at, fields[i].len);
        const uint64_t both[2] = {sum, one};
        sum = herd_siphash(key, both, sizeof both);
    }
    snprintf(etag, 20, "\"%016llx\"", (unsigned long long)sum);
}

static int put_record(struct herd_http_exchange *exchange, const struct herd_record *record, struct herd_span known)
{
    char etag[20], date[HERD_HTTP_DATE_BYTES];
    make_etag(record, etag);
    herd_http_date_put(date, record->time_ns);
    int err = herd_http_add_header(exchange, "ETag", herd_span_of(etag));
    if (err >= 0)
        err = herd_http_add_header(exchange, "Last-Modified", (struct herd_span){date, sizeof date});
    if (err >= 0)
        err = herd_http_add_header(exchange, "Cache-Control", herd_span_of("private, no-cache"));
    if (err < 0)
        return err;
    if (herd_http_tag_listed(known, herd_span_of(etag)))
        return 304;
    err = herd_feature_put(herd_http_body(exchange), record);
    return err < 0 ? err : 200;
}

static int get_client(struct herd_http_exchange *exchange)
{
    struct herd_span id = exchange->segments[0], known = {"", 0};
    struct herd_record record;
    if (!herd_http_has_id(exchange))
        return herd_http_bad_id(exchange);
    if (!herd_http_may_ask(exchange, id))
        return herd_http_unknown_client(exchange);
    unsigned bucket;
    if (herd_http_foreign(exchange, id, &bucket))
        return herd_http_elsewhere(exchange, bucket);
    int err = herd_node_find(exchange->server->node, id, exchange->now, &record);
    if (err == HERD_E_NOTFOUND)
        return herd_client_fetch(exchange, id, put_record);
    if (err < 0)
        return err;
    (void)herd_http_header(exchange, "If-None-Match", &known);
    return herd_client_reply(exchange, put_record(exchange, &record, known));
}

/* ---- PUT ---- */

static int reply_state(struct herd_http_exchange *exchange, const char *state, struct herd_span line)
{
    struct herd_buf *out = herd_http_body(exchange);
    if (line.len > 0 && line.at[line.len - 1] == '\n')
        line.len--;
    int err = herd_buf_add_text(out, "{\"state\":\"");
    if (err >= 0)
        err = herd_buf_add_text(out, state);
    if (err >= 0)
        err = herd_buf_add_text(out, "\",\"at\":\"");
    if (err >= 0)
        err = herd_raw_escape(out, line);
    if (err >= 0)
        err = herd_buf_add_text(out, "\"}\n");
    return err < 0 ? err : herd_http_reply(exchange, 200, "application/json");
}

static int reply_verdict(struct herd_http_exchange *exchange, enum herd_verdict verdict, struct herd_span line)
{
    switch (verdict) {
    case HERD_VERDICT_NEW: return reply_state(exchange, "new", line);
    case HERD_VERDICT_NEWER: return reply_state(exchange, "newer", line);
    case HERD_VERDICT_SAME: return reply_state(exchange, "same", line);
    case HERD_VERDICT_OLDER: return reply_state(exchange, "older", line);
    case HERD_VERDICT_FULL:
        return herd_http_problem(exchange, 507, "full", "Full", "this server holds as many clients as it may");
    case HERD_VERDICT_FUTURE:
        return herd_http_problem(exchange, 422, "future", "From the future",
                                 "time is too far ahead of the server's");
    case HERD_VERDICT_EXPIRED:
        return herd_http_problem(exchange, 422, "expired", "Expired",
                                 "time is so old that no server keeps the report");
    case HERD_VERDICT_FOREIGN: return herd_http_elsewhere_id(exchange, exchange->segments[0]);
    case HERD_VERDICT_TOO_OFTEN: {
        int err = herd_http_add_header(exchange, "Retry-After", herd_span_of("1"));
        return err < 0 ? err
                       : herd_http_problem(exchange, 429, "too-often", "Too many reports",
                                           "more a second than this identity or address may make");
    }
    default: return herd_http_refuse(exchange);
    }
}

static int put_client(struct herd_http_exchange *exchange)
{
    struct herd_span id = exchange->segments[0];
    struct herd_place_time pt;
    struct herd_buf line = {0};
    enum herd_verdict verdict = HERD_VERDICT_NOT_ALLOWED;
    const char *why = "";
    if (!herd_http_has_id(exchange))
        return herd_http_bad_id(exchange);
    if (!herd_http_may_report(exchange, id)) {
        herd_http_deny(exchange, id);
        return herd_http_refuse(exchange);
    }
    int err = herd_native_report_read(exchange->body, exchange->now.wall_ns, &pt, &why);
    if (err < 0)
        return herd_http_problem(exchange, err == HERD_E_RANGE ? 422 : 400, "body", "Not a report", why);
    err = herd_http_report(exchange, id, herd_place_of(&pt), herd_time_of(&pt), &line, &verdict);
    if (err == HERD_E_LIMIT)
        err = herd_http_bad_id(exchange);
    else if (err == HERD_E_STATE)
        err = herd_http_problem(exchange, 503, "stopping", "Stopping", NULL);
    else if (err >= 0)
        err = reply_verdict(exchange, verdict, (struct herd_span){line.at, line.len});
    herd_buf_fini(&line);
    return err;
}

/* ---- DELETE ---- */

static int delete_client(struct herd_http_exchange *exchange)
{
    struct herd_span id = exchange->segments[0];
    enum herd_verdict verdict = HERD_VERDICT_NEWER;
    if (!herd_http_has_id(exchange))
        return herd_http_bad_id(exchange);
    int err = herd_http_delete(exchange, id, &verdict);
    switch (err) {
    case HERD_E_NOTFOUND: return herd_http_unknown_client(exchange);
    case HERD_E_ACCESS:
        return herd_http_problem(exchange, 403, "tombstones", "Nothing is deleted here",
                                 "limits.tombstones_max is 0");
    case HERD_E_STATE: return herd_http_problem(exchange, 503, "stopping", "Stopping", NULL);
    default: break;
    }
    if (err < 0)
        return err;
    if (verdict == HERD_VERDICT_FULL)
        return herd_http_problem(exchange, 507, "full", "Full", "limits.tombstones_max deletions are remembered");
    if (verdict != HERD_VERDICT_NEWER)
        return reply_verdict(exchange, verdict, (struct herd_span){"", 0});
    return herd_http_reply(exchange, 204, NULL);
}

static const struct herd_http_route routes[] = {
    {.methods = HERD_HTTP_ON_GET, .path = "/v1/clients/{}", .handler = get_client, .right = HERD_HTTP_CLIENT},
    {.methods = HERD_HTTP_ON_PUT, .path = "/v1/clients/{}", .handler = put_client, .right = HERD_HTTP_CLIENT},
    {.methods = HERD_HTTP_ON_DELETE, .path = "/v1/clients/{}", .handler = delete_client, .right = HERD_HTTP_CLIENT},
};

const struct herd_http_module herd_http_clients = {.routes = routes, .route_count = sizeof routes / sizeof *routes};
