/* SPDX-License-Identifier: MIT */
/*
 * Bytes from the server into ends of requests. Replies come in the order of the requests, so the next one belongs
 * to the first of the list: `AT ...` LF for a report, that and JSON and two LF for a query, `? ` and the line for a
 * refusal.
 */
#include "client_reply.h"

#include "client_request.h"

#include <herd/protocol.h>

#include <assert.h>
#include <string.h>

static const char nonsense[] = "the server's reply makes no sense";

/* Finds `end` (one or two LF) at or after `from`. Returns the offset behind it, 0 if it has not arrived; the first
 * `searched` bytes are known not to hold it. */
static size_t find_end(struct evbuffer *input, size_t from, size_t searched, const char *end, size_t end_len)
{
    struct evbuffer_ptr start;
    size_t at = searched > from + end_len ? searched - end_len : from;
    if (at >= evbuffer_get_length(input) || evbuffer_ptr_set(input, &start, at, EVBUFFER_PTR_SET) < 0)
        return 0;
    start = evbuffer_search(input, end, end_len, &start);
    return start.pos < 0 ? 0 : (size_t)start.pos + end_len;
}

/* Returns the error that a "? " reply which shows `shown` means for the request; 1 if it is not about this
 * request. */
static int classify_refusal(const struct herd_request *request, struct herd_span shown)
{
    struct herd_span line = {request->line.at, request->line.len - 1};
    if (herd_span_equal(shown, line))
        return request->is_query ? HERD_E_NOTFOUND : HERD_E_ACCESS;
    if (shown.len > 0 && shown.len < line.len && memcmp(shown.at, line.at, shown.len) == 0)
        return HERD_E_LIMIT; /* the server shows only the beginning of a line that is too long */
    return 1;
}

/* True if an AT line can be the reply to this request. */
static bool answers(const struct herd_request *request, const struct herd_command *at)
{
    struct herd_command asked;
    herd_command_parse((struct herd_span){request->line.at, request->line.len - 1}, &asked);
    if (!herd_span_equal(asked.id, at->id))
        return false;
    return request->is_query ||
           (herd_span_equal(asked.position, at->position) && herd_span_equal(asked.time, at->time));
}

/* Notes that the server works: the back-off and the time-out of the next reply begin anew. */
static void reply_came(struct herd_client *client)
{
    client->failures = 0;
    client->backoff_ns = client->options.retry_min_ms * NS_PER_MS;
    client->state_since_ns = herd_clock().steady_ns;
    client->searched = 0;
}

/* Ends a request with an AT line and, for a query, the JSON behind it. Returns NULL or why to leave the server. */
static const char *end_with_record(struct herd_client *client, struct herd_request *request, struct herd_span line,
                                   struct herd_span json)
{
    struct herd_command at;
    if (herd_command_parse(line, &at) != HERD_AT || !answers(request, &at))
        return nonsense;
    const struct herd_client_reply reply = {
        .record = {at.server, at.diff, at.id, at.position, at.time, at.time_ns},
        .json = json,
        .server = client->server_index,
    };
    reply_came(client);
    herd_client_end(client, request, 0, &reply);
    return NULL;
}

/* Ends a request with a "? " line. Returns NULL or why to leave the server. */
static const char *end_with_refusal(struct herd_client *client, struct herd_request *request, struct herd_span line)
{
    int err = line.len >= 2 ? classify_refusal(request, (struct herd_span){line.at + 2, line.len - 2}) : 1;
    if (err > 0)
        return nonsense;
    reply_came(client);
    herd_client_end(client, request, err, NULL);
    return NULL;
}

/* Ends a request whose reply cannot be taken. Returns `why`: the rest of the reply is skipped by leaving the
 * server. */
static const char *end_with_error(struct herd_client *client, struct herd_request *request, int err,
                                  const char *why)
{
    herd_client_end(client, request, err, NULL);
    return client->freed ? NULL : why;
}

/* Takes one reply. *ret_more: there may be another. Returns NULL or why to leave the server. */
static const char *take_one(struct herd_client *client, struct evbuffer *input, bool *ret_more)
{
    size_t len = evbuffer_get_length(input), end = 0;
    *ret_more = false;
    if (len == 0)
        return NULL;
    if (herd_list_empty(&client->requests))
        return "the server spoke unasked";
    struct herd_request *request = HERD_CONTAINER_OF(client->requests.next, struct herd_request, link);
    char start[2];
    bool refused = evbuffer_copyout(input, start, sizeof start) == (ev_ssize_t)sizeof start && start[0] == '?';
    bool one_line = !request->is_query || refused;
    size_t line_end = find_end(input, 0, one_line ? client->searched : 0, "\n", 1);
    if (line_end > 0)
        end = one_line ? line_end : find_end(input, line_end, client->searched, "\n\n", 2);
    if (end == 0 && len <= client->options.reply_max_bytes) {
        client->searched = len;
        return NULL;
    }
    if (end == 0 || end > client->options.reply_max_bytes)
        return end_with_error(client, request, HERD_E_LIMIT, "the server's reply is too long");
    const char *bytes = (const char *)evbuffer_pullup(input, (ev_ssize_t)end);
    if (!bytes)
        return end_with_error(client, request, HERD_E_NOMEM, "out of memory");
    struct herd_span line = {bytes, line_end - 1};
    struct herd_span json = {bytes + line_end, one_line ? 0 : end - line_end - 2};
    const char *why =
        refused ? end_with_refusal(client, request, line) : end_with_record(client, request, line, json);
    /* The request's function may have freed the client. Its bufferevent, and with it `bytes`, lives until the
     * callback of libevent that this runs in has returned. */
    if (why || client->freed)
        return why;
    assert(client->state == HERD_CLIENT_UP);
    evbuffer_drain(input, end);
    *ret_more = true;
    return NULL;
}

const char *herd_client_read_replies(struct herd_client *client)
{
    assert(client->state == HERD_CLIENT_UP && client->bev && client->depth > 0);
    const char *why = NULL;
    bool more = true;
    while (more && !why)
        why = take_one(client, bufferevent_get_input(client->bev), &more);
    return why;
}
