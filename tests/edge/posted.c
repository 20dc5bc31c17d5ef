/* SPDX-License-Identifier: MIT */
/* Requests by HTTP that come together have a part of each iteration of the loop, in the order in which they came; lines do not
 * wait for them. Linked with --wrap=clock_gettime: each look at the clock takes longer than that part, or
 * as long as it does, or none ever. */
#include "http_world.h"

#include "conn.h"

#include <sys/ioctl.h>

#define CLIENTS 20
#define STEP_NS 30000

static struct http_client clients[CLIENTS];
static long passed_ns;
enum pace { REAL, SLOW, STILL };
static enum pace pace;
static struct timespec stopped[CLOCK_BOOTTIME + 1]; /* while STILL; 0: it was not looked at */

int __real_clock_gettime(clockid_t clock, struct timespec *ret_now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now)
{
    const int err = __real_clock_gettime(clock, ret_now);
    if (pace == STILL && stopped[clock].tv_sec > 0) {
        *ret_now = stopped[clock];
        return 0;
    }
    passed_ns += pace == SLOW ? STEP_NS : 0;
    const int64_t ns = (int64_t)ret_now->tv_sec * 1000000000 + ret_now->tv_nsec + passed_ns;
    *ret_now = (struct timespec){ns / 1000000000, ns % 1000000000};
    if (pace == STILL)
        stopped[clock] = *ret_now;
    return err;
}

/* What has come, without a turn of the loop. */
static bool is_answered(struct http_client *c)
{
    char bytes[4096];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n > 0)
        assert_int_equal(herd_buf_add(&c->got, bytes, (size_t)n), 0);
    return strstr(client_text(c), "\r\n\r\n") || strchr(client_text(c), '\n');
}

static void iterate(struct http_world *w, enum pace at)
{
    memset(stopped, 0, sizeof stopped);
    pace = at;
    event_base_loop(w->base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
    pace = REAL;
}

static size_t count_answered(void)
{
    size_t answered = 0;
    for (int i = 0; i < CLIENTS; i++)
        answered += is_answered(&clients[i]);
    return answered;
}

static void send_all(const char *text)
{
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(send(clients[i].fd, text, strlen(text), 0), strlen(text));
}

static void open_all(struct http_world *w)
{
    http_world_open(w, NULL, "");
    for (int i = 0; i < CLIENTS; i++) {
        client_open(&clients[i], w);
        client_say(&clients[i], "GET /healthz HTTP/1.1\r\n" HOST "\r\n");
        client_expect(&clients[i], "\r\n\r\n");
        clients[i].got.len = 0;
    }
    for (int i = 0; i < 20; i++) /* whatever is under way */
        event_base_loop(w->base, EVLOOP_NONBLOCK);
    for (int i = 0; i < CLIENTS; i++) {
        is_answered(&clients[i]);
        clients[i].got.len = 0;
    }
}

static void close_all(struct http_world *w)
{
    for (int i = 0; i < CLIENTS; i++)
        client_close(&clients[i]);
    http_world_close(w);
}

static void answer_all(enum pace at, size_t an_iteration)
{
    struct http_world w, lines;
    open_all(&w);
    lines = w;
    lines.port = herd_server_port(w.server);
    struct http_client line;
    client_open(&line, &lines);
    client_say(&line, "IAMAT kiwi +1-1 1\n");
    client_expect(&line, "\n");
    send_all("GET /healthz HTTP/1.1\r\n" HOST "\r\n");
    const char *report = "IAMAT kiwi +1-1 2\n";
    assert_int_equal(send(line.fd, report, strlen(report), 0), strlen(report));
    size_t before = 0, iterations = 0;
    bool told = false;
    while (before < CLIENTS) {
        iterate(&w, at);
        iterations++;
        size_t answered = count_answered();
        assert_in_range(answered - before, 0, an_iteration);
        before = answered;
        told = told || is_answered(&line);
        assert_true(told || iterations < 3);
        assert_true(iterations < 10 * CLIENTS);
    }
    assert_true(iterations >= CLIENTS / an_iteration);
    client_close(&line);
    close_all(&w);
}

static void test_a_part_of_each_iteration(void **state)
{
    (void)state;
    answer_all(SLOW, 1);
}

/* However soon they are made: replies are sent, and that takes time too. */
static void test_a_few_replies_an_iteration(void **state)
{
    (void)state;
    answer_all(STILL, 2);
}

/* Until the kernel has so much for the newest connection. */
static void wait_arrived(const struct http_world *w, size_t len)
{
    const struct herd_conn *conn = HERD_CONTAINER_OF(w->server->conns.prev, struct herd_conn, all);
    const time_t end = seconds() + DEADLINE_S;
    int there = 0;
    while ((size_t)there < len) {
        assert_int_equal(ioctl(herd_transport_fd(conn->transport), FIONREAD, &there), 0);
        assert_true(seconds() < end);
    }
}

/* Beside a flood of lines they have more of an iteration, as that has. */
static void test_a_share_beside_lines(void **state)
{
    (void)state;
    static const char line[] = "IAMAT kiwi +1-1 1\n";
    static char lines[60000];
    struct http_world w, door;
    struct http_client flood;
    size_t len = 0;
    open_all(&w);
    door = w;
    door.port = herd_server_port(w.server);
    client_open(&flood, &door);
    client_say(&flood, line);
    client_expect(&flood, "\n");
    for (; len + sizeof line <= sizeof lines; len += sizeof line - 1)
        memcpy(lines + len, line, sizeof line - 1);
    assert_int_equal(send(flood.fd, lines, len, 0), len);
    wait_arrived(&w, len);
    send_all("GET /healthz HTTP/1.1\r\n" HOST "\r\n");
    iterate(&w, STILL);
    assert_in_range(count_answered(), 2 + len / 12800 - 1, 2 + len / 12800);
    client_close(&flood);
    close_all(&w);
}

/* Requests behind one another wait for those of others. */
static void test_in_turn(void **state)
{
    (void)state;
    struct http_world w;
    open_all(&w);
    for (int round = 0; round < 3; round++) {
        send_all("GET /healthz HTTP/1.1\r\n" HOST "\r\n");
        for (size_t i = 0; i < 10 * CLIENTS && count_answered() < CLIENTS; i++) {
            iterate(&w, SLOW);
            if (is_answered(&clients[0])) { /* the first asks on and on */
                clients[0].got.len = 0;
                const char *more = "GET /healthz HTTP/1.1\r\n" HOST "\r\n";
                assert_int_equal(send(clients[0].fd, more, strlen(more), 0), strlen(more));
            }
            size_t answered = 1;
            for (int k = 1; k < CLIENTS; k++)
                answered += is_answered(&clients[k]);
            if (answered == CLIENTS)
                break;
        }
        for (int k = 1; k < CLIENTS; k++) {
            assert_true(is_answered(&clients[k]));
            clients[k].got.len = 0;
        }
    }
    close_all(&w);
}

/* Whose bytes wait and is gone then is answered and forgotten; who sends on is not read for ever. */
static void test_gone_while_it_waits(void **state)
{
    (void)state;
    struct http_world w;
    static char body[65536];
    open_all(&w);
    send_all("GET /healthz HTTP/1.1\r\n" HOST "\r\n");
    iterate(&w, SLOW);
    shutdown(clients[CLIENTS - 1].fd, SHUT_WR);
    memset(body, 'x', sizeof body);
    assert_true(send(clients[CLIENTS - 2].fd, body, sizeof body, MSG_DONTWAIT) > 0);
    for (int i = 0; i < 10 * CLIENTS; i++)
        iterate(&w, SLOW);
    assert_int_equal(count_answered(), CLIENTS);
    client_expect_end(&clients[CLIENTS - 1]);
    client_expect_end(&clients[CLIENTS - 2]); /* that is no request */
    close_all(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_part_of_each_iteration), cmocka_unit_test(test_a_few_replies_an_iteration),
        cmocka_unit_test(test_a_share_beside_lines),     cmocka_unit_test(test_in_turn),
        cmocka_unit_test(test_gone_while_it_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
