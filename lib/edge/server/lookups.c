/* SPDX-License-Identifier: MIT */
/* From a WHATSAT to the places around its client, and back to the session that asked; likewise from a command
 * that only the program knows to its reply. */
#include "../../places/query.h"
#include "conn.h"
#include "memory.h"

#include <stdlib.h>

/* One question under way. */
struct lookup_call {
    struct herd_ticket_call call;
    struct herd_server *server;
    uint64_t ticket;
    struct herd_places_request *request;
    bool answered;
    bool starting; /* herd_places_lookup is on the stack */
};

/* The database is asked for a client first. */
struct fetch_call {
    struct herd_ticket_call call;
    struct herd_beside_reader reader;
    struct herd_server *server;
    uint64_t ticket;
};

static const struct herd_span no_memory_json = {
    "{\n   \"html_attributions\" : [],\n   \"results\" : [],\n   \"status\" : \"UNKNOWN_ERROR\",\n"
    "   \"error_message\" : \"out of memory\"\n}",
    sizeof("{\n   \"html_attributions\" : [],\n   \"results\" : [],\n   \"status\" : \"UNKNOWN_ERROR\",\n"
           "   \"error_message\" : \"out of memory\"\n}") -
        1};

/* Sends what an answer released. */
static void pass_on(struct herd_server *server, struct herd_session *session, int err)
{
    if (!session)
        return;
    struct herd_conn *conn = herd_session_user(session);
    if (err < 0) {
        herd_conn_close(conn, herd_strerror(err));
    } else {
        herd_conn_send_answer(conn, (struct herd_span){server->out.at, server->out.len});
        herd_conn_ready(conn);
    }
    herd_server_schedule_flush(server);
}

static void answer(struct herd_server *server, uint64_t ticket, struct herd_span json)
{
    struct herd_session *session;
    struct herd_now now = herd_clock();
    server->out.len = 0;
    herd_log_set_time(server->log, now.wall_ns);
    int err = herd_node_answer(server->node, ticket, json, now, &server->out, &session);
    pass_on(server, session, err);
}

static void on_answer(void *ctx, struct herd_span json, const char *origin)
{
    (void)origin; /* logged where it is known how long it took */
    struct lookup_call *call = ctx;
    call->answered = true;
    answer(call->server, call->ticket, json);
    if (!call->starting)
        free(call);
}

static void on_cancel(struct herd_ticket_call *ticket_call)
{
    struct lookup_call *call = HERD_CONTAINER_OF(ticket_call, struct lookup_call, call);
    herd_places_cancel(call->request);
    free(call);
}

void herd_lookups_start(struct herd_server *server, const struct herd_effect *effect)
{
    struct herd_places_question question = {0};
    struct lookup_call *call = calloc(1, sizeof *call);
    uint64_t ticket = effect->ticket;
    if (!call || herd_places_query_make_iso(&question, effect->position, effect->radius, effect->bound) < 0)
        goto out_of_memory;
    call->call.cancel = on_cancel;
    call->server = server;
    call->ticket = ticket;
    call->starting = true;
    herd_ticket_user(server->node, ticket, &call->call);
    if (herd_places_lookup(server->places, &question.query, on_answer, call, &call->request) < 0) {
        herd_ticket_user(server->node, ticket, NULL);
        goto out_of_memory;
    }
    call->starting = false;
    if (call->answered)
        free(call);
    herd_places_query_fini(&question);
    return;

out_of_memory:
    free(call);
    herd_places_query_fini(&question);
    answer(server, ticket, no_memory_json);
}

void herd_lookups_cancel(const struct herd_effect *effect)
{
    struct herd_ticket_call *call = effect->lookup_user;
    if (call)
        call->cancel(call);
}

void herd_lookups_reply(struct herd_server *server, uint64_t ticket, const struct herd_span *reply)
{
    struct herd_session *session;
    server->out.len = 0;
    int err = herd_node_reply(server->node, ticket, reply, herd_clock(), &server->out, &session);
    pass_on(server, session, err);
}

void herd_lookups_command(struct herd_server *server, const struct herd_effect *effect)
{
    const struct herd_server_hooks *hooks = &server->options.hooks;
    const uint64_t ticket = effect->ticket;
    struct herd_buf reply = {0};
    bool known = hooks->command && hooks->command(hooks->ctx, effect->detail, &reply);
    struct herd_span bytes = {reply.len ? reply.at : "", reply.len};
    herd_lookups_reply(server, ticket, known ? &bytes : NULL);
    herd_buf_fini(&reply);
}

/* With a record a LOOKUP of the same ticket follows. */
static void fetched(struct herd_server *server, uint64_t ticket, const struct herd_record *record)
{
    struct herd_session *session;
    server->out.len = 0;
    int err = herd_node_fetched(server->node, ticket, record, herd_clock(), &server->out, &session);
    pass_on(server, session, err);
    herd_server_schedule_flush(server);
}

static void on_read(struct herd_beside_reader *reader, const struct herd_record *record)
{
    struct fetch_call *call = HERD_CONTAINER_OF(reader, struct fetch_call, reader);
    struct herd_server *server = call->server;
    uint64_t ticket = call->ticket;
    herd_ticket_user(server->node, ticket, NULL);
    free(call);
    fetched(server, ticket, record);
}

static void on_fetch_cancel(struct herd_ticket_call *ticket_call)
{
    struct fetch_call *call = HERD_CONTAINER_OF(ticket_call, struct fetch_call, call);
    herd_beside_drop(&call->reader);
    free(call);
}

void herd_lookups_unknown(struct herd_server *server, const struct herd_effect *effect)
{
    struct herd_record record = {0};
    const uint64_t ticket = effect->ticket;
    struct fetch_call *call = server->beside ? calloc(1, sizeof *call) : NULL;
    bool asked = false;
    if (call) {
        call->call.cancel = on_fetch_cancel;
        call->reader.done = on_read;
        call->server = server;
        call->ticket = ticket;
        asked = herd_beside_read(server->beside, effect->id, &call->reader, herd_clock(), &record);
    }
    if (asked && record.id.len == 0) {
        herd_ticket_user(server->node, ticket, &call->call);
        return;
    }
    free(call);
    fetched(server, ticket, asked ? &record : NULL);
}
