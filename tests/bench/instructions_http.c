/* SPDX-License-Identifier: MIT */
/* A report as OwnTracks for Android posts it, read and answered, and its JSON: no node, no socket. */
#include "instructions_http.h"

#include "../../lib/core/http/body.h"
#include "../../lib/core/http/response.h"
#include "../../lib/trackers/trackers.h"

#include <stdlib.h>
#include <string.h>

#define REQUESTS 1000

static const char request[] =
    "POST /pub HTTP/1.1\r\n"
    "Content-Type: application/json; charset=utf-8\r\n"
    "Content-Length: 279\r\n"
    "Host: herd.example.org:8080\r\n"
    "Connection: Keep-Alive\r\n"
    "Accept-Encoding: gzip\r\n"
    "User-Agent: Owntracks-Android/gms/420500004\r\n"
    "Authorization: Basic amFuZTpzb21lIHNlY3JldCB3b3Jk\r\n"
    "X-Limit-U: jane\r\n"
    "X-Limit-D: phone\r\n"
    "\r\n"
    "{\"_type\":\"location\",\"BSSID\":\"02:00:00:00:00:00\",\"SSID\":\"home\",\"_id\":\"5f2ac1b4\",\"acc\":14,"
    "\"alt\":89,"
    "\"batt\":87,\"bs\":1,\"cog\":0,\"conn\":\"w\",\"created_at\":1795694396,\"lat\":48.8568372,\"lon\":2.2927123,"
    "\"m\":1,"
    "\"t\":\"u\",\"tid\":\"ja\",\"topic\":\"owntracks/jane/phone\",\"tst\":1795694395,\"vac\":3,\"vel\":0}";

/* The way of a request through the parser, as a connection would use it. */
__attribute__((noinline)) size_t counted_request(struct herd_span bytes);
size_t counted_request(struct herd_span bytes)
{
    static struct herd_http_head head;
    struct herd_http_scan scan = {0};
    struct herd_http_body body;
    struct herd_http_fault fault;
    struct herd_span user, device, piece;
    size_t taken = 0;
    if (herd_http_head_scan(&scan, bytes, HERD_HTTP_HEAD_MAX_BYTES, &fault) != HERD_HTTP_DONE ||
        herd_http_head_parse(&head, herd_http_scan_head(&scan, bytes), &fault) < 0 ||
        herd_http_body_begin(&body, &head, HERD_HTTP_BODY_MAX_BYTES, &fault) < 0 ||
        herd_http_head_find(&head, "X-Limit-U", &user) != 1 ||
        herd_http_head_find(&head, "X-Limit-D", &device) != 1)
        abort();
    struct herd_span rest = {bytes.at + scan.at, bytes.len - scan.at};
    while (herd_http_body_take(&body, &rest, &piece, &fault) == HERD_HTTP_DONE && piece.len)
        taken += piece.len;
    if (!herd_http_body_done(&body))
        abort();
    return taken;
}

__attribute__((noinline)) void counted_reply(struct herd_buf *out, int64_t wall_ns);
void counted_reply(struct herd_buf *out, int64_t wall_ns)
{
    if (herd_http_response_begin(out, 200, wall_ns) < 0 ||
        herd_http_response_field(out, "Content-Type", herd_span_of("application/json")) < 0 ||
        herd_http_response_length(out, 2) < 0 || herd_http_response_end(out) < 0)
        abort();
}

/* From the body to client, place and time. */
__attribute__((noinline)) void counted_tracker(struct herd_tracker *tracker,
                                               const struct herd_tracker_request *message);
void counted_tracker(struct herd_tracker *tracker, const struct herd_tracker_request *message)
{
    struct herd_tracker_report report;
    herd_tracker_begin(tracker, HERD_TRACKER_OWNTRACKS, message);
    if (herd_tracker_next(tracker, &report) != 1 || report.outcome != HERD_TRACKER_REPORT)
        abort();
}

unsigned count_http_request(void)
{
    struct herd_span bytes = {request, sizeof request - 1};
    size_t body = strlen(strstr(request, "\r\n\r\n") + 4);
    for (unsigned i = 0; i < REQUESTS; i++)
        if (counted_request(bytes) != body)
            abort();
    return REQUESTS;
}

unsigned count_http_reply(void)
{
    struct herd_buf out = {0};
    for (unsigned i = 0; i < REQUESTS; i++) {
        out.len = 0;
        counted_reply(&out, INT64_C(1700000000000000000) + (int64_t)i * 999999937);
    }
    herd_buf_fini(&out);
    return REQUESTS;
}

unsigned count_owntracks(void)
{
    struct herd_tracker tracker = {0};
    struct herd_tracker_request message = {.body = herd_span_of(strstr(request, "\r\n\r\n") + 4),
                                           .limit_user = herd_span_of("jane"),
                                           .limit_device = herd_span_of("phone"),
                                           .id_max_bytes = 65536};
    for (unsigned i = 0; i < REQUESTS; i++)
        counted_tracker(&tracker, &message);
    herd_tracker_fini(&tracker);
    return REQUESTS;
}
