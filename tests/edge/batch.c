/* SPDX-License-Identifier: MIT */
/* Replies that wait for the end of the turn: they leave together, in order, and a connection takes its own with it. */
#include "../unit/cm.h"

#include "conn.h"

#include <herd/herd.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURNS_MAX 100000
#define LARGE     20000 /* more than is held in one piece */

struct trio {
    struct event_base *base;
    struct herd_config *config;
    struct herd_server *server;
    struct herd_conn *conn[3];
    int far[3]; /* the other ends */
};

static int begin(void **state)
{
    static const char json[] =
        "{\"servers\":{\"a\":{\"port\":1}},\"links\":[],\"limits\":{\"output_pause_bytes\":4096},"
        "\"places\":{\"provider\":\"embedded\"}}";
    struct herd_diagnostic diagnostic;
    struct trio *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->base = event_base_new();
    if (herd_config_parse(&t->config, herd_span_of(json), &diagnostic) < 0)
        fail_msg("%s", diagnostic.message);
    struct herd_server_options options = {.name = "a", .config = t->config, .dont_listen = true};
    if (herd_server_new(&t->server, t->base, &options, &diagnostic) < 0)
        fail_msg("%s", diagnostic.message);
    for (int i = 0; i < 3; i++) {
        int pair[2], small = 4096;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
        t->far[i] = pair[1];
        t->conn[i] = herd_conn_new(t->server);
        assert_non_null(t->conn[i]);
        assert_int_equal(
            herd_socket_new(&t->conn[i]->transport, &t->server->sockets, pair[0], &herd_serve_events, t->conn[i]),
            0);
        assert_int_equal(herd_line_begin_client(t->conn[i]), 0);
    }
    assert_int_equal(event_base_loop(t->base, EVLOOP_NONBLOCK), 0);
    *state = t;
    return 0;
}

static int end(void **state)
{
    struct trio *t = *state;
    herd_server_free(t->server);
    for (int i = 0; i < 3; i++)
        close(t->far[i]);
    herd_config_free(t->config);
    event_base_free(t->base);
    free(t);
    return 0;
}

static void say(struct trio *t, int i, const char *text)
{
    herd_conn_send(t->conn[i], herd_span_of(text));
}

static void say_large(struct trio *t, int i, char with)
{
    static char text[LARGE];
    memset(text, with, sizeof text);
    herd_conn_send(t->conn[i], (struct herd_span){text, sizeof text});
}

static ssize_t look(struct trio *t, int i, char *to, size_t cap)
{
    return recv(t->far[i], to, cap, 0);
}

/* What comes while the loop turns, up to so many bytes. */
static void hear(struct trio *t, int i, char *to, size_t len)
{
    size_t got = 0;
    for (int turn = 0; got < len && turn < TURNS_MAX; turn++) {
        assert_int_equal(event_base_loop(t->base, EVLOOP_NONBLOCK), 0);
        ssize_t n = look(t, i, to + got, len - got);
        if (n > 0)
            got += (size_t)n;
        else
            assert_true(n < 0 && errno == EAGAIN);
    }
    assert_int_equal(got, len);
}

static void test_together(void **state)
{
    struct trio *t = *state;
    char got[64];
    say(t, 0, "one ");
    say(t, 1, "other");
    say(t, 0, "two");
    for (int i = 0; i < 2; i++)
        assert_true(look(t, i, got, sizeof got) < 0 && errno == EAGAIN);
    assert_int_equal(herd_conn_unsent(t->conn[0]), 7);
    assert_int_equal(event_base_loop(t->base, EVLOOP_NONBLOCK), 0);
    assert_int_equal(look(t, 0, got, sizeof got), 7);
    assert_memory_equal(got, "one two", 7);
    assert_int_equal(look(t, 1, got, sizeof got), 5);
    assert_int_equal(herd_conn_unsent(t->conn[0]), 0);
}

/* What is not held follows what is, and what the kernel did not take is followed by what is held. */
static void test_order(void **state)
{
    struct trio *t = *state;
    static char got[6 + 2 * LARGE];
    say(t, 0, "<");
    say_large(t, 0, 'a');
    say(t, 0, "|");
    assert_int_equal(event_base_loop(t->base, EVLOOP_NONBLOCK), 0);
    assert_true(herd_conn_unsent(t->conn[0]) > 0);
    assert_true(herd_list_linked(&t->conn[0]->deadline_link));
    say(t, 0, "+");
    say_large(t, 0, 'b');
    say(t, 0, ">");
    hear(t, 0, got, 4 + 2 * LARGE);
    assert_true(got[0] == '<' && got[1] == 'a' && got[LARGE] == 'a' && got[LARGE + 1] == '|' &&
                got[LARGE + 2] == '+');
    assert_true(got[LARGE + 3] == 'b' && got[2 * LARGE + 2] == 'b' && got[2 * LARGE + 3] == '>');
    assert_int_equal(event_base_loop(t->base, EVLOOP_NONBLOCK), 0);
    assert_false(herd_list_linked(&t->conn[0]->deadline_link)); /* or it would be closed as stalled one day */
}

static void test_large_at_once(void **state)
{
    struct trio *t = *state;
    char got[64];
    say_large(t, 0, 'a');
    assert_int_equal(look(t, 0, got, sizeof got), sizeof got);
}

/* A turn does not hold without end: what is over the limit leaves at once, and all of it after a read. */
static void test_limit(void **state)
{
    struct trio *t = *state;
    static char piece[16000];
    const int full = HERD_BATCH_MAX_BYTES / (int)sizeof piece + 1; /* so many pieces are too much */
    char got[16];
    memset(piece, 'p', sizeof piece);
    for (int i = 0; i < full; i++)
        herd_conn_send(t->conn[0], (struct herd_span){piece, sizeof piece});
    assert_int_equal(herd_conn_unsent(t->conn[0]), (size_t)full * sizeof piece);
    say(t, 1, "at once");
    assert_int_equal(look(t, 1, got, sizeof got), 7);
    assert_true(look(t, 0, got, sizeof got) < 0 && errno == EAGAIN);
    for (int i = 0; i < full; i++)
        hear(t, 0, piece, sizeof piece);
    say(t, 1, "later");
    herd_batch_flush_full(t->server);
    assert_true(look(t, 1, got, sizeof got) < 0 && errno == EAGAIN);
    for (int i = 0; i < full; i++)
        herd_conn_send(t->conn[0], (struct herd_span){piece, sizeof piece});
    herd_batch_flush_full(t->server);
    assert_int_equal(look(t, 1, got, sizeof got), 5);
}

static void test_closed_meanwhile(void **state)
{
    struct trio *t = *state;
    char got[16];
    say(t, 0, "zero");
    say(t, 1, "first");
    say(t, 2, "second");
    say(t, 1, "again");
    herd_conn_close(t->conn[1], NULL);
    assert_int_equal(event_base_loop(t->base, EVLOOP_NONBLOCK), 0);
    assert_int_equal(look(t, 0, got, sizeof got), 4);
    assert_int_equal(look(t, 1, got, sizeof got), 0);
    assert_int_equal(look(t, 2, got, sizeof got), 6);
}

/* The protocol may be done with a connection before its last words have left. */
static void test_finished_meanwhile(void **state)
{
    struct trio *t = *state;
    char got[16];
    say(t, 0, "bye");
    herd_conn_finish(t->conn[0], NULL);
    assert_int_equal(t->conn[0]->state, HERD_CONN_DRAINING);
    assert_int_equal(event_base_loop(t->base, EVLOOP_NONBLOCK), 0);
    assert_int_equal(look(t, 0, got, sizeof got), 3);
    assert_int_equal(look(t, 0, got, sizeof got), 0);
}

/* A reader that is gone closes its own connection only. */
static void test_reader_gone(void **state)
{
    struct trio *t = *state;
    char got[16];
    say(t, 0, "to nobody");
    say(t, 1, "somebody");
    close(t->far[0]);
    t->far[0] = -1;
    assert_int_equal(event_base_loop(t->base, EVLOOP_NONBLOCK), 0);
    assert_int_equal(look(t, 1, got, sizeof got), 8);
}

static void test_free_sends(void **state)
{
    struct trio *t = *state;
    char got[16];
    say(t, 0, "last");
    herd_server_free(t->server);
    t->server = NULL;
    assert_int_equal(look(t, 0, got, sizeof got), 4);
    assert_int_equal(look(t, 0, got, sizeof got), 0);
}

/* Answers of one read that are more than output_pause_bytes hold up its commands, until they have left. */
static void test_goes_on(void **state)
{
    struct trio *t = *state;
    enum { LOOKUPS = 50 };
    struct herd_buf text = {0};
    static char got[1 << 20];
    size_t len = 0, answers = 0;
    herd_buf_add_text(&text, "IAMAT x +34.068930-118.445127 1621464827\n");
    for (int i = 0; i < LOOKUPS; i++)
        herd_buf_add_text(&text, "WHATSAT x 50 20\n");
    assert_int_equal(send(t->far[0], text.at, text.len, 0), text.len);
    for (int turn = 0; answers < LOOKUPS && turn < TURNS_MAX; turn++) {
        assert_int_equal(event_base_loop(t->base, EVLOOP_NONBLOCK), 0);
        ssize_t n = look(t, 0, got + len, sizeof got - len);
        len += n > 0 ? (size_t)n : 0;
        answers = 0;
        for (size_t i = 1; i < len; i++)
            answers += got[i] == '\n' && got[i - 1] == '\n';
    }
    assert_int_equal(answers, LOOKUPS);
    herd_buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_together, begin, end),
        cmocka_unit_test_setup_teardown(test_order, begin, end),
        cmocka_unit_test_setup_teardown(test_large_at_once, begin, end),
        cmocka_unit_test_setup_teardown(test_limit, begin, end),
        cmocka_unit_test_setup_teardown(test_closed_meanwhile, begin, end),
        cmocka_unit_test_setup_teardown(test_finished_meanwhile, begin, end),
        cmocka_unit_test_setup_teardown(test_reader_gone, begin, end),
        cmocka_unit_test_setup_teardown(test_free_sends, begin, end),
        cmocka_unit_test_setup_teardown(test_goes_on, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
