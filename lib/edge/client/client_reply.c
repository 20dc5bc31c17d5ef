/* SPDX-License-Identifier: MIT */
/*
 * Bytes from the server into ends of requests. The oldest request of the list is the one whose reply comes
 * next: `AT ...` LF for a report, that and JSON and two LF for a question, `? ` and the line for a no.
 */
#include "client_impl.h"

#include <herd/protocol.h>

#include <string.h>

#define NS_PER_MS INT64_C(1000000)

/* How many bytes up to and including `end` (one or two LF) lie behind `from`; 0 if it is not there yet. */
static size_t find_end(struct evbuffer *input, size_t from, size_t searched, const char *end, size_t end_len)
{
    struct evbuffer_ptr start;
    size_t at = searched > from + end_len ? searched - end_len : from;
    if (at >= evbuffer_get_length(input) || evbuffer_ptr_set(input, &start, at, EVBUFFER_PTR_SET) < 0)
        return 0;
    start = evbuffer_search(input, end, end_len, &start);
    return start.pos < 0 ? 0 : (size_t)start.pos + end_len;
}

/* A "? " reply: what it says about the request. Positive: it is not about this request. */
static int classify_refusal(const struct herd_request *request, struct herd_span shown)
{
    struct herd_span line = {request->line.at, request->line.len - 1};
    if (herd_span_equal(shown, line))
        return request->is_query ? HERD_E_NOTFOUND : HERD_E_ACCESS;
    if (shown.len > 0 && shown.len < line.len && memcmp(shown.at, line.at, shown.len) == 0)
        return HERD_E_LIMIT; /* of a line that is too long its beginning is shown */
    return 1;
}

/* Whether an AT line can be the reply to this request. */
static bool answers(const struct herd_request *request, const struct herd_command *at)
{
    struct herd_command asked;
    herd_command_parse((struct herd_span){request->line.at, request->line.len - 1}, &asked);
    if (!herd_span_equal(asked.id, at->id))
        return false;
    return request->is_query ||
           (herd_span_equal(asked.position, at->position) && herd_span_equal(asked.time, at->time));
}

static void reply_came(struct herd_client *client)
{
    client->failures = 0;
    client->backoff_ns = client->options.retry_min_ms * NS_PER_MS;
    client->state_ns = herd_clock().steady_ns;
    client->searched = 0;
}

/* Ends a request with what an AT line, and for a question the bytes behind it, say. */
static bool give(struct herd_client *client, struct herd_request *request, struct herd_span line,
                 struct herd_span json)
{
    struct herd_command at;
    if (herd_command_parse(line, &at) != HERD_AT || !answers(request, &at)) {
        herd_client_lost(client, "the server's reply makes no sense");
        return false;
    }
    const struct herd_client_reply reply = {
        .record = {at.server, at.diff, at.id, at.position, at.time, at.time_ns},
        .json = json,
        .server = client->server_index,
    };
    reply_came(client);
    herd_client_end(client, request, 0, &reply);
    return true;
}

/* One reply. True: there may be more. */
static bool take_one(struct herd_client *client, struct evbuffer *input)
{
    size_t len = evbuffer_get_length(input), end = 0;
    if (len == 0)
        return false;
    if (herd_list_empty(&client->requests)) {
        herd_client_lost(client, "the server spoke unasked");
        return false;
    }
    struct herd_request *request = HERD_CONTAINER_OF(client->requests.next, struct herd_request, link);
    char start[2];
    bool is_no = evbuffer_copyout(input, start, sizeof start) == (ev_ssize_t)sizeof start && start[0] == '?';
    bool whole_line = !request->is_query || is_no;
    size_t line_end = find_end(input, 0, whole_line ? client->searched : 0, "\n", 1);
    if (line_end > 0)
        end = whole_line ? line_end : find_end(input, line_end, client->searched, "\n\n", 2);
    if (end == 0 && len <= client->options.reply_max_bytes) {
        client->searched = len;
        return false;
    }
    if (end == 0 || end > client->options.reply_max_bytes) {
        herd_client_end(client, request, HERD_E_LIMIT, NULL);
        if (!client->freed)
            herd_client_lost(client, "the server's reply is too long");
        return false;
    }
    const char *bytes = (const char *)evbuffer_pullup(input, (ev_ssize_t)end);
    if (!bytes) {
        herd_client_end(client, request, HERD_E_NOMEM, NULL);
        if (!client->freed)
            herd_client_lost(client, "out of memory");
        return false;
    }
    struct herd_span line = {bytes, line_end - 1};
    if (is_no) {
        int err = line.len >= 2 ? classify_refusal(request, (struct herd_span){line.at + 2, line.len - 2}) : 1;
        if (err > 0) {
            herd_client_lost(client, "the server's reply makes no sense");
            return false;
        }
        reply_came(client);
        herd_client_end(client, request, err, NULL);
    } else {
        struct herd_span json = {bytes + line_end, whole_line ? 0 : end - line_end - 2};
        if (!give(client, request, line, json))
            return false;
    }
    /* What was called may have freed the client; its bufferevent, and with it `bytes`, lives until the
     * callback of libevent that we are in returns. */
    if (client->freed || client->state != HERD_CLIENT_UP)
        return false;
    evbuffer_drain(input, end);
    return true;
}

void herd_client_read_replies(struct herd_client *client)
{
    while (!client->freed && client->state == HERD_CLIENT_UP &&
           take_one(client, bufferevent_get_input(client->bev)))
        ;
}
