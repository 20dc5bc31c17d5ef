/* SPDX-License-Identifier: MIT */
/* Every state of a connection meets every event: a protocol and a transport of the test's own, what follows in a table. */
#include "../unit/cm.h"

#include "conn.h"

#include <herd/herd.h>

#include <stdlib.h>
#include <string.h>

enum event_kind {
    INPUT,
    INPUT_BLOCKS,
    INPUT_CLOSES,
    INPUT_FAILS,
    AT_EOF,
    DRAINED,
    READY,
    END,
    FINISH,
    FAILED,
    EVENTS
};
static const char *const event_names[EVENTS] = {"input",   "input blocks", "input closes", "input fails", "eof",
                                                "drained", "ready",        "end",          "finish",      "failed"};
static const char *const state_names[] = {"OPEN", "BLOCKED", "ENDING", "DRAINING", "LINGERING", "CLOSED"};

/* ---- a transport without wires ---- */

struct wire {
    struct herd_transport base;
    size_t arrived, unsent, sent;
    bool reading, shut, closed;
};

static struct wire *wire_of(const struct herd_transport *transport)
{
    return (struct wire *)(uintptr_t)transport;
}

static int wire_send(struct herd_transport *transport, struct herd_span bytes)
{
    wire_of(transport)->sent += bytes.len;
    wire_of(transport)->unsent += bytes.len;
    return 0;
}

static int wire_set_read(struct herd_transport *transport, bool enable)
{
    wire_of(transport)->reading = enable;
    return 0;
}

static int wire_peek(struct herd_transport *transport, struct herd_span *ret_bytes)
{
    static const char bytes[16] = "................";
    assert_false(wire_of(transport)->closed);
    *ret_bytes = (struct herd_span){bytes, wire_of(transport)->arrived};
    return 0;
}

static int wire_consume(struct herd_transport *transport, size_t len)
{
    assert_true(len <= wire_of(transport)->arrived);
    wire_of(transport)->arrived -= len;
    return 0;
}

static size_t wire_unsent(const struct herd_transport *transport)
{
    return wire_of(transport)->unsent;
}

static void wire_shutdown(struct herd_transport *transport)
{
    wire_of(transport)->shut = true;
}

static void wire_close(struct herd_transport *transport)
{
    assert_false(wire_of(transport)->closed);
    wire_of(transport)->closed = true;
}

static void wire_free(struct herd_transport *transport)
{
    assert_true(wire_of(transport)->closed);
}

static int wire_fd(const struct herd_transport *transport)
{
    (void)transport;
    return -1;
}

static const struct herd_transport_ops wire_ops = {
    .send = wire_send,
    .set_read = wire_set_read,
    .peek = wire_peek,
    .consume = wire_consume,
    .unsent = wire_unsent,
    .unacked = wire_unsent,
    .shutdown = wire_shutdown,
    .close = wire_close,
    .free = wire_free,
    .fd = wire_fd,
};

/* ---- a protocol without lines ---- */

static struct {
    struct herd_input_result result;
    int err;
    size_t inputs, eofs, closes;
} said;

static int talk_input(struct herd_conn *conn, struct herd_span bytes, struct herd_now now, struct herd_buf *out,
                      struct herd_input_result *ret_result)
{
    (void)conn;
    (void)now;
    (void)out;
    assert_true(bytes.len > 0);
    said.inputs++;
    *ret_result = said.result;
    ret_result->consumed = said.result.blocked ? 0 : bytes.len;
    return said.err;
}

static int talk_eof(struct herd_conn *conn, struct herd_span rest, struct herd_now now, struct herd_buf *out,
                    struct herd_input_result *ret_result)
{
    (void)conn;
    (void)now;
    (void)out;
    said.eofs++;
    *ret_result = said.result;
    ret_result->consumed = rest.len;
    return said.err;
}

static void talk_close(struct herd_conn *conn, const char *why)
{
    (void)conn;
    (void)why;
    said.closes++;
}

static const struct herd_conn_protocol talk = {.input = talk_input, .eof = talk_eof, .close = talk_close};

/* ---- the table ---- */

struct stage {
    struct event_base *base;
    struct herd_config *config;
    struct herd_server *server;
    struct herd_conn *conn;
    struct wire wire;
};

static void open_stage(struct stage *s)
{
    static const char json[] =
        "{\"servers\":{\"a\":{\"port\":1}},\"links\":[],\"places\":{\"provider\":\"embedded\"}}";
    struct herd_diagnostic diagnostic;
    *s = (struct stage){.base = event_base_new()};
    memset(&said, 0, sizeof said);
    assert_int_equal(herd_config_parse(&s->config, herd_span_of(json), &diagnostic), 0);
    struct herd_server_options options = {.name = "a", .config = s->config, .dont_listen = true};
    assert_int_equal(herd_server_new(&s->server, s->base, &options, &diagnostic), 0);
    s->conn = herd_conn_new(s->server);
    assert_non_null(s->conn);
    s->wire = (struct wire){.base = {&wire_ops, &herd_serve_events, s->conn}, .reading = true};
    s->conn->transport = &s->wire.base;
    s->conn->protocol = &talk;
    s->conn->session = (struct herd_session *)(void *)s; /* which nobody looks into */
}

static void close_stage(struct stage *s)
{
    herd_server_free(s->server);
    assert_int_equal(said.closes, 1);
    assert_true(s->wire.closed);
    herd_config_free(s->config);
    event_base_free(s->base);
}

static void input(struct stage *s, bool blocked, bool close, int err)
{
    s->wire.arrived += 3;
    said.result = (struct herd_input_result){.blocked = blocked, .close = close};
    said.err = err;
    s->wire.base.events->input(s->conn);
}

static void bring_to(struct stage *s, enum herd_conn_state state, bool unsent)
{
    if (unsent)
        herd_conn_send(s->conn, herd_span_of("bytes"));
    switch (state) {
    case HERD_CONN_OPEN: break;
    case HERD_CONN_BLOCKED: input(s, true, false, 0); break;
    case HERD_CONN_ENDING: herd_conn_end(s->conn); break;
    case HERD_CONN_DRAINING:
    case HERD_CONN_LINGERING: herd_conn_finish(s->conn, NULL); break;
    case HERD_CONN_CLOSED: break;
    }
    assert_int_equal(s->conn->state, state);
    said.result = (struct herd_input_result){0};
    said.err = 0;
}

static void happen(struct stage *s, enum event_kind kind)
{
    switch (kind) {
    case INPUT: input(s, false, false, 0); break;
    case INPUT_BLOCKS: input(s, true, false, 0); break;
    case INPUT_CLOSES: input(s, false, true, 0); break;
    case INPUT_FAILS: input(s, false, false, HERD_E_NOMEM); break;
    case AT_EOF: s->wire.base.events->eof(s->conn); break;
    case DRAINED:
        s->wire.unsent = 0;
        s->wire.base.events->drained(s->conn);
        break;
    case READY:
        herd_conn_ready(s->conn);
        herd_serve_iteration(s->server);
        herd_serve_ready(s->server);
        break;
    case END: /* the precondition: stop.c asks for it */
        if (s->conn->state == HERD_CONN_OPEN)
            herd_conn_end(s->conn);
        break;
    case FINISH: herd_conn_finish(s->conn, "test"); break;
    case FAILED: s->wire.base.events->failed(s->conn, "test"); break;
    case EVENTS: fail();
    }
}

#define O HERD_CONN_OPEN
#define B HERD_CONN_BLOCKED
#define E HERD_CONN_ENDING
#define D HERD_CONN_DRAINING
#define L HERD_CONN_LINGERING
#define C HERD_CONN_CLOSED
/* With nothing unsent, and with bytes unsent. */
static const struct {
    enum herd_conn_state from;
    bool unsent;
    enum herd_conn_state to[EVENTS];
} table[] = {
    /*               input blocks closes fails eof drained ready end finish failed */
    {O, false, {O, B, L, C, E, O, O, E, L, C}}, {O, true, {O, B, D, C, E, O, O, E, D, C}},
    {B, false, {B, B, B, B, B, B, O, B, L, C}}, {B, true, {B, B, B, B, B, B, O, B, D, C}},
    {E, false, {E, E, E, E, E, E, E, E, L, C}}, {E, true, {E, E, E, E, E, E, E, E, D, C}},
    {D, true, {D, D, D, D, D, L, D, D, D, C}},  {L, false, {L, L, L, L, C, L, L, L, L, C}},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (enum event_kind kind = 0; kind < EVENTS; kind++) {
            struct stage s;
            open_stage(&s);
            bring_to(&s, table[i].from, table[i].unsent);
            size_t inputs = said.inputs, eofs = said.eofs;
            happen(&s, kind);
            if (s.conn->state != table[i].to[kind])
                fail_msg("%s%s, %s: %s, not %s", state_names[table[i].from], table[i].unsent ? " (unsent)" : "",
                         event_names[kind], state_names[s.conn->state], state_names[table[i].to[kind]]);
            /* Only an open connection hands bytes to its protocol. */
            bool took = table[i].from == O && kind <= INPUT_FAILS;
            bool resumed = table[i].from == B && kind == READY;
            assert_int_equal(said.inputs - inputs, took || resumed);
            assert_int_equal(said.eofs - eofs, table[i].from == O && (kind == AT_EOF || kind == END));
            if (s.conn->state != C) {
                assert_int_equal(s.conn->session != NULL, s.conn->state <= E);
                assert_int_equal(s.wire.shut, s.conn->state == L);
                if (s.conn->state == B || s.conn->state == E)
                    assert_false(s.wire.reading);
                if (s.conn->state == O || (s.conn->state == L && kind != AT_EOF))
                    assert_true(s.wire.reading);
                /* It may go on when its replies have left. */
                assert_int_equal(herd_list_linked(&s.conn->ready_link),
                                 table[i].from == B && table[i].unsent && kind == DRAINED);
            }
            close_stage(&s);
        }
}

/* What came while it was blocked is there when it goes on, and then its end. */
static void test_eof_while_blocked(void **state)
{
    struct stage s;
    (void)state;
    open_stage(&s);
    bring_to(&s, B, false);
    happen(&s, AT_EOF);
    assert_int_equal(s.conn->state, B);
    happen(&s, READY);
    assert_int_equal(s.conn->state, E);
    assert_int_equal(said.eofs, 1);
    assert_int_equal(s.wire.arrived, 0);
    herd_conn_finish(s.conn, NULL);
    assert_int_equal(s.conn->state, C); /* the peer has said its end: no lingering */
    close_stage(&s);
}

/* One iteration serves a bounded number; the rest waits in the list. */
static void test_budget(void **state)
{
    struct stage s;
    (void)state;
    open_stage(&s);
    bring_to(&s, B, false);
    herd_serve_iteration(s.server);
    size_t passes = s.server->passes, inputs = said.inputs;
    assert_true(passes > 0);
    said.result.blocked = true; /* answered on the spot, and blocked again, for ever */
    for (size_t i = 0; i < passes + 10; i++) {
        herd_conn_ready(s.conn);
        herd_conn_ready(s.conn);
        herd_serve_ready(s.server);
    }
    assert_int_equal(said.inputs - inputs, passes);
    assert_true(herd_list_linked(&s.conn->ready_link));
    herd_serve_iteration(s.server);
    herd_serve_ready(s.server);
    assert_int_equal(said.inputs - inputs, passes + 1);
    close_stage(&s);
}

/* Many whose peers leave at once are closed a few an iteration; who fails is closed at once, and a stop closes all. */
static void test_crowd_leaves(void **state)
{
    enum { CROWD = 40 };
    static struct wire wires[CROWD];
    struct herd_conn *conns[CROWD];
    struct stage s;
    size_t closed = 0, before;
    (void)state;
    open_stage(&s);
    for (size_t i = 0; i < CROWD; i++) {
        conns[i] = herd_conn_new(s.server);
        assert_non_null(conns[i]);
        wires[i] = (struct wire){.base = {&wire_ops, &herd_serve_events, conns[i]}};
        conns[i]->transport = &wires[i].base;
        conns[i]->protocol = &talk;
        conns[i]->session = (struct herd_session *)(void *)&s;
        herd_conn_finish(conns[i], NULL);
        assert_int_equal(conns[i]->state, L);
    }
    wires[0].base.events->failed(conns[0], "test");
    assert_true(wires[0].closed);
    for (size_t i = 1; i < CROWD; i++) {
        wires[i].base.events->eof(conns[i]);
        assert_int_equal(conns[i]->state, C);
        assert_false(wires[i].closed);
    }
    while (herd_conn_free_some_closed(s.server)) {
        for (before = closed, closed = 0; closed < CROWD && wires[closed].closed; closed++)
            continue;
        assert_true(closed > before && closed - before <= CROWD / 4);
        if (closed > CROWD / 2)
            break;
    }
    assert_true(herd_conn_free_closed(s.server));
    assert_false(herd_conn_free_closed(s.server));
    for (size_t i = 0; i < CROWD; i++)
        assert_true(wires[i].closed);
    said.closes = 0;
    close_stage(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_eof_while_blocked),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_crowd_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
