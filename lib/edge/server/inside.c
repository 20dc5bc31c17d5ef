/* SPDX-License-Identifier: MIT */
/* What the program itself reports, finds and asks, without a socket. */
#include "../../places/query.h"
#include "server_impl.h"

#include <stdio.h>
#include <stdlib.h>

/* What a client calls itself to the log if it is the program. */
static const char label[] = "client=program";

/* `fields`: of the line that a client would have said. */
static void log_line(struct herd_server *server, const struct herd_span *fields, size_t count,
                     struct herd_span reply)
{
    struct herd_buf line = {0};
    if (!herd_log_traffic_enabled(server->log))
        return;
    int err = 0;
    for (size_t i = 0; i < count && err >= 0; i++) {
        err = herd_buf_add(&line, fields[i].at, fields[i].len);
        if (err >= 0)
            err = herd_buf_add_text(&line, i + 1 < count ? " " : "\n");
    }
    if (err >= 0)
        herd_log_exchange(server->log, herd_span_of(label), (struct herd_span){line.at, line.len}, reply);
    herd_buf_fini(&line);
}

int herd_server_report(struct herd_server *server, struct herd_span id, struct herd_span position,
                       struct herd_span time, struct herd_buf *out, enum herd_verdict *ret_verdict)
{
    struct herd_now now = herd_clock();
    struct herd_buf reply = {0};
    if (server->stopping)
        return HERD_E_STATE;
    /* The caller's memory comes first: once the node has the report there is no way back. */
    size_t most = herd_node_name(server->node).len + id.len + position.len + 2 * time.len + 64;
    int err = out ? herd_buf_reserve(out, most) : 0;
    if (err < 0)
        return err;
    herd_log_set_time(server->log, now.wall_ns);
    err = herd_node_report(server->node, id, position, time, now, &reply, ret_verdict);
    if (err >= 0) {
        const struct herd_span fields[] = {herd_span_of("IAMAT"), id, position, time};
        log_line(server, fields, 4, (struct herd_span){reply.at, reply.len});
        if (out && reply.len > 0)
            err = herd_buf_add(out, reply.at, reply.len);
    }
    herd_buf_fini(&reply);
    herd_server_schedule_flush(server);
    return err;
}

int herd_server_delete(struct herd_server *server, struct herd_span id, struct herd_buf *out,
                       enum herd_verdict *ret_verdict)
{
    struct herd_now now = herd_clock();
    if (server->stopping)
        return HERD_E_STATE;
    herd_log_set_time(server->log, now.wall_ns);
    struct herd_buf reply = {0};
    struct herd_buf *to = out ? out : &reply; /* for the log, if nobody else wants it */
    size_t before = to->len;
    int err = herd_node_delete(server->node, id, now, to, ret_verdict);
    if (err >= 0) {
        const struct herd_span fields[] = {herd_span_of("FORGET"), id};
        struct herd_span said = {to->len > before ? to->at + before : "", to->len - before};
        log_line(server, fields, 2, said);
        herd_server_schedule_flush(server);
    }
    herd_buf_fini(&reply);
    return err;
}

int herd_server_find(struct herd_server *server, struct herd_span id, struct herd_record *ret_record)
{
    return herd_node_find(server->node, id, herd_clock(), ret_record);
}

int herd_server_trace(struct herd_server *server, struct herd_span id, struct herd_trace *ret_trace)
{
    return herd_node_trace(server->node, id, herd_clock(), ret_trace);
}

/* ---- places ---- */

struct herd_server_question {
    struct herd_list link; /* in the server's list while under way */
    struct herd_places_request *request;
    herd_server_places *on_places;
    void *ctx;
};

static void on_answer(void *ctx, struct herd_span json, const char *origin)
{
    struct herd_server_question *question = ctx;
    (void)origin;
    herd_list_remove(&question->link);
    question->on_places(question->ctx, json);
    free(question);
}

/* The words of a WHATSAT are judged where lines are: a radius or bound that a client may not ask for is refused. */
static int parse(struct herd_buf *io_line, struct herd_span id, struct herd_span radius, unsigned bound,
                 struct herd_command *ret_command)
{
    char number[16];
    snprintf(number, sizeof number, " %u", bound);
    const struct herd_span texts[] = {herd_span_of("WHATSAT "), id, herd_span_of(" "), radius,
                                      herd_span_of(number)};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (herd_buf_add(io_line, texts[i].at, texts[i].len) < 0)
            return HERD_E_NOMEM;
    enum herd_verb verb = herd_command_parse((struct herd_span){io_line->at, io_line->len}, ret_command);
    return verb == HERD_WHATSAT && herd_span_equal(ret_command->id, id) &&
                   herd_span_equal(ret_command->radius, radius)
               ? 0
               : HERD_E_SYNTAX;
}

int herd_server_ask(struct herd_server *server, struct herd_span id, struct herd_span radius, unsigned bound,
                    herd_server_places *on_places, void *ctx)
{
    struct herd_places_question query = {0};
    struct herd_command command;
    struct herd_record record;
    struct herd_buf line = {0};
    struct herd_server_question *question = NULL;
    int err = server->stopping ? HERD_E_STATE : parse(&line, id, radius, bound, &command);
    if (err >= 0)
        err = herd_server_find(server, id, &record);
    if (err >= 0)
        err = herd_places_query_make_iso(&query, record.position, radius, bound);
    if (err >= 0) {
        question = calloc(1, sizeof *question);
        err = question ? 0 : HERD_E_NOMEM;
    }
    if (err >= 0) {
        *question = (struct herd_server_question){.on_places = on_places, .ctx = ctx};
        herd_list_append(&server->questions, &question->link);
        struct herd_places_request *request = NULL;
        err = herd_places_lookup(server->places, &query.query, on_answer, question, &request);
        if (err < 0) {
            herd_list_remove(&question->link);
            free(question);
        } else if (request) {
            question->request = request; /* not answered at once: it is still there */
        }
    }
    herd_places_query_fini(&query);
    herd_buf_fini(&line);
    return err;
}

void herd_inside_cancel(struct herd_server *server)
{
    while (!herd_list_empty(&server->questions)) {
        struct herd_server_question *question =
            HERD_CONTAINER_OF(server->questions.next, struct herd_server_question, link);
        herd_places_cancel(question->request);
        herd_list_remove(&question->link);
        free(question);
    }
}
