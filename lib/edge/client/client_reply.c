/* SPDX-License-Identifier: MIT */
/*
 * Bytes from the server into ends of requests. Replies come in the order of the requests, so the next one belongs
 * to the first of the list: `AT ...` LF for a report, that and JSON and two LF for a query, `? ` and the line for a
 * refusal, `SEE ...` LF for another server.
 */
#include "client_reply.h"

#include "client_queue.h"
#include "client_request.h"
#include "client_route.h"

#include <herd/protocol.h>

#include <assert.h>
#include <string.h>

/* "OK " and an identity, or "? AUTH". */
#define AUTH_REPLY_MAX 256
/* SEE, with room for white space and leading zeros. */
#define SEE_MAX 512

static const char nonsense[] = "the server's reply makes no sense";

/* Finds the end of a line, or (`two`) an empty line, at or after `from`. Returns the offset behind it, 0 if it has not
 * arrived; the first `searched` bytes are known not to hold it. */
static size_t find_end(struct herd_span bytes, size_t from, size_t searched, bool two)
{
    size_t at = searched > from + 2 ? searched - 2 : from;
    while (at < bytes.len) {
        const char *lf = memchr(bytes.at + at, '\n', bytes.len - at);
        if (!lf)
            break;
        at = (size_t)(lf - bytes.at) + 1;
        if (!two)
            return at;
        if (at < bytes.len && bytes.at[at] == '\n')
            return at + 1;
    }
    return 0;
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
        .server = herd_client_server(client),
        .address = client->servers[client->server_index],
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

/* Follows: hands a request to who sends it to the server that a SEE names, or ends it. Returns NULL or why to leave the
 * server. */
static const char *follow(struct herd_client *client, struct herd_request *request, struct herd_span line)
{
    struct herd_client *root = client->root, *next = NULL;
    struct herd_command see, asked;
    herd_command_parse((struct herd_span){request->line.at, request->line.len - 1}, &asked);
    if (herd_command_parse(line, &see) != HERD_SEE)
        return nonsense;
    if (root->has_bucket_key && see.bucket != herd_bucket(asked.id, root->bucket_key))
        return "the server knows another key of the buckets";
    reply_came(client);
    int err = HERD_E_ADDRESS;
    if (!request->ended && root->follow && request->hops < HERD_CLIENT_HOPS_MAX)
        err = herd_client_route_learn(client, asked.id, &see, &next);
    if (client->freed)
        return NULL;
    if (err >= 0)
        err = herd_client_append(next, request);
    if (err >= 0)
        request->hops++;
    else
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

void herd_client_up(struct herd_client *client)
{
    assert(client->state == HERD_CLIENT_AUTH);
    client->state = HERD_CLIENT_UP;
    client->state_since_ns = herd_clock().steady_ns;
    if (client->options.on_connect)
        client->options.on_connect(client->options.ctx, herd_client_server(client));
}

/* Takes the answer to AUTH. *ret_used: its bytes, 0: it is not whole. Returns NULL or why to leave the server. */
static const char *take_auth(struct herd_client *client, struct herd_span bytes, size_t *ret_used)
{
    size_t end = find_end(bytes, 0, 0, false);
    *ret_used = end;
    if (end == 0)
        return bytes.len > AUTH_REPLY_MAX ? nonsense : NULL;
    if (end > 4 && memcmp(bytes.at, "OK ", 3) == 0)
        herd_client_up(client);
    else if (end >= 3 && memcmp(bytes.at, "? ", 2) == 0)
        return "the server refuses the token";
    else
        return nonsense;
    return NULL;
}

/* Takes one reply from the beginning of `bytes`. *ret_used: its bytes, 0: there is no whole one. Returns NULL or why to
 * leave the server. */
static const char *take_one(struct herd_client *client, struct herd_span bytes, size_t *ret_used)
{
    size_t end = 0;
    *ret_used = 0;
    if (bytes.len == 0)
        return NULL;
    if (client->state == HERD_CLIENT_AUTH)
        return take_auth(client, bytes, ret_used);
    if (herd_list_empty(&client->requests))
        return "the server spoke unasked";
    struct herd_request *request = HERD_CONTAINER_OF(client->requests.next, struct herd_request, link);
    bool refused = bytes.len >= 2 && bytes.at[0] == '?';
    bool elsewhere = bytes.len >= 4 && memcmp(bytes.at, "SEE ", 4) == 0;
    bool one_line = !request->is_query || refused || elsewhere;
    size_t line_end = find_end(bytes, 0, one_line ? client->searched : 0, false);
    if (elsewhere && (line_end > 0 ? line_end : bytes.len) > SEE_MAX)
        return nonsense;
    if (line_end > 0)
        end = one_line ? line_end : find_end(bytes, line_end, client->searched, true);
    if (end == 0 && bytes.len <= client->options.reply_max_bytes) {
        client->searched = bytes.len;
        return NULL;
    }
    if (end == 0 || end > client->options.reply_max_bytes)
        return end_with_error(client, request, HERD_E_LIMIT, "the server's reply is too long");
    struct herd_span line = {bytes.at, line_end - 1};
    struct herd_span json = {bytes.at + line_end, one_line ? 0 : end - line_end - 2};
    *ret_used = end;
    if (elsewhere)
        return follow(client, request, line);
    return refused ? end_with_refusal(client, request, line) : end_with_record(client, request, line, json);
}

const char *herd_client_read_replies(struct herd_client *client)
{
    assert(herd_client_sends(client) && client->transport && client->depth > 0);
    struct herd_span bytes;
    size_t at = 0, used;
    if (herd_transport_peek(client->transport, &bytes) < 0)
        return "out of memory";
    /* The functions called may free the client; what `bytes` points to lives until the last callback has returned. */
    do {
        const char *why = take_one(client, (struct herd_span){bytes.at + at, bytes.len - at}, &used);
        if (why || client->freed)
            return client->freed ? NULL : why;
        at += used;
    } while (used > 0);
    if (at > 0 && herd_transport_consume(client->transport, at) < 0)
        return "out of memory";
    return NULL;
}
