/* SPDX-License-Identifier: MIT */
/*
 * Every system call failing, one after the other: two servers in this process, linked, with clients that report
 * while recv, send, accept4, connect, socket, epoll_ctl, epoll_wait, writev, write or open say that they were
 * interrupted, that the connection is lost, that there is no descriptor, memory or disk left, or take only a
 * byte. Whatever failed, the servers live, link up again, and whatever was answered is known to both.
 *
 * The functions below stand before libc's in this program, for libevent's calls too.
 */
#include "two_servers.h"

#include "server_impl.h"

#include <dlfcn.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

enum call {
    CALL_RECV,
    CALL_SEND,
    CALL_WRITEV,
    CALL_ACCEPT,
    CALL_CONNECT,
    CALL_SOCKET,
    CALL_EPOLL_CTL,
    CALL_EPOLL_WAIT,
    CALL_WRITE,
    CALL_OPEN,
    CALLS
};

static const char *const call_names[CALLS] = {"recv",   "send",      "writev",     "accept4", "connect",
                                              "socket", "epoll_ctl", "epoll_wait", "write",   "open"};
#define SHORT (-1) /* not an error: one byte */

static struct {
    bool armed; /* only then are calls counted and failed */
    enum call call;
    int error;
    size_t from, count; /* which of them fail, counted from 1 */
    size_t seen[CALLS];
    size_t failed;
} plan;

/* 0: go on; SHORT; or what errno is set to. */
static int decide(enum call call)
{
    if (!plan.armed)
        return 0;
    size_t n = ++plan.seen[call];
    if (call == CALL_SEND && plan.call == CALL_WRITEV) { /* what a send does not take is written later */
        errno = EAGAIN;
        return EAGAIN;
    }
    if (!plan.error || call != plan.call || n < plan.from || n - plan.from >= plan.count)
        return 0;
    plan.failed++;
    if (plan.error != SHORT)
        errno = plan.error;
    return plan.error;
}

#define REAL(name)                 \
    static __typeof__(name) *real; \
    if (!real)                     \
    *(void **)&real = dlsym(RTLD_NEXT, #name)
#define FAIL(call)              \
    int decided = decide(call); \
    if (decided > 0)            \
    return -1

ssize_t recv(int fd, void *at, size_t len, int flags)
{
    REAL(recv);
    FAIL(CALL_RECV);
    return real(fd, at, decided && len > 1 ? 1 : len, flags);
}

ssize_t send(int fd, const void *at, size_t len, int flags)
{
    REAL(send);
    FAIL(CALL_SEND);
    return real(fd, at, decided && len > 1 ? 1 : len, flags);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    REAL(writev);
    FAIL(CALL_WRITEV);
    struct iovec one = {parts->iov_base, 1};
    return decided && parts->iov_len > 1 ? real(fd, &one, 1) : real(fd, parts, count);
}

int accept4(int fd, __SOCKADDR_ARG from, socklen_t *restrict len, int flags)
{
    REAL(accept4);
    FAIL(CALL_ACCEPT);
    return real(fd, from, len, flags);
}

int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t len)
{
    REAL(connect);
    FAIL(CALL_CONNECT);
    return real(fd, to, len);
}

int socket(int domain, int type, int protocol)
{
    REAL(socket);
    FAIL(CALL_SOCKET);
    return real(domain, type, protocol);
}

int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    REAL(epoll_ctl);
    FAIL(CALL_EPOLL_CTL);
    return real(epoll, op, fd, event);
}

int epoll_wait(int epoll, struct epoll_event *events, int max, int timeout)
{
    REAL(epoll_wait);
    FAIL(CALL_EPOLL_WAIT);
    return real(epoll, events, max, timeout);
}

ssize_t write(int fd, const void *at, size_t len)
{
    REAL(write);
    FAIL(CALL_WRITE);
    return real(fd, at, decided && len > 1 ? 1 : len);
}

int open(const char *path, int flags, ...)
{
    REAL(open);
    FAIL(CALL_OPEN);
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & O_CREAT ? (mode_t)va_arg(list, int) : 0;
    va_end(list);
    return real(path, flags, mode);
}

/* ---- two servers ---- */

#define CLIENTS 12

struct duo {
    struct event_base *base;
    struct herd_config *config;
    struct herd_logfile *file;
    struct herd_log *log;
    struct herd_server *server[2];
    uint16_t port[2];
    struct herd_buf answers; /* AT lines that clients were given */
    char path[64];
};

static void turn(struct duo *d, bool armed)
{
    struct timeval soon = {0, 2000};
    plan.armed = false;
    event_base_loopexit(d->base, &soon); /* so that a turn ends when nothing happens */
    plan.armed = armed;
    event_base_loop(d->base, EVLOOP_ONCE);
    plan.armed = false;
}

static void begin(struct duo *d)
{
    struct herd_diagnostic diagnostic;
    *d = (struct duo){0};
    plan = (__typeof__(plan)){0};
    snprintf(d->path, sizeof d->path, "/tmp/herd-exhaustion-%ld.log", (long)getpid());
    d->base = event_base_new();
    assert_int_equal(herd_logfile_open(&d->file, d->path), 0);
    assert_int_equal(
        herd_log_new(&d->log,
                     &(struct herd_log_options){.sink = herd_logfile_sink, .sink_ctx = d->file, .traffic = true}),
        0);
    static uint16_t port[2];
    char json[600];
    for (int i = 0; i < 2; i++)
        d->port[i] = port[i] = port[i] ? port[i] : free_port();
    snprintf(json, sizeof json,
             "{\"servers\":{\"a\":{\"port\":%u},\"b\":{\"port\":%u}},\"links\":[[\"a\",\"b\"]],"
             "\"limits\":{\"redial_min_ms\":1,\"redial_max_ms\":20,\"peer_ping_ms\":50,\"peer_hello_ms\":200}}",
             d->port[0], d->port[1]);
    assert_int_equal(herd_config_parse(&d->config, herd_span_of(json), &diagnostic), 0);
    for (int i = 0; i < 2; i++) {
        struct herd_server_options options = {.name = i ? "b" : "a", .config = d->config, .log = d->log};
        if (herd_server_new(&d->server[i], d->base, &options, &diagnostic) < 0)
            fail_msg("%s", diagnostic.message);
    }
}

static void end(struct duo *d)
{
    for (int i = 0; i < 2; i++)
        herd_server_free(d->server[i]);
    event_base_loop(d->base, EVLOOP_NONBLOCK);
    herd_log_free(d->log);
    herd_logfile_close(d->file);
    herd_config_free(d->config);
    event_base_free(d->base);
    herd_buf_fini(&d->answers);
    unlink(d->path);
}

/* What came for a client so far is kept; whole AT lines are answers. True: it wants no more. */
static bool hear(struct duo *d, int fd, struct herd_buf *heard, size_t lines)
{
    char bytes[4096];
    ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0)
        return true; /* its connection was lost: what it has not heard it does not know */
    assert_int_equal(herd_buf_add(heard, bytes, (size_t)n), 0);
    const char *at = heard->at, *stop = heard->at + heard->len;
    for (const char *lf; (lf = memchr(at, '\n', (size_t)(stop - at))) != NULL; at = lf + 1) {
        lines--;
        if (memcmp(at, "AT ", 3) == 0)
            assert_int_equal(herd_buf_add(&d->answers, at, (size_t)(lf + 1 - at)), 0);
        else
            assert_memory_equal(at, "? ", 2); /* out of memory, perhaps */
    }
    d->answers.len = lines ? 0 : d->answers.len; /* counted when all of it is there */
    return lines == 0;
}

/* Clients at both servers report and ask, while calls fail. */
static void load(struct duo *d, int round, bool armed)
{
    int fds[CLIENTS];
    struct herd_buf heard[CLIENTS] = {{0}}, all = {0};
    size_t open_count = CLIENTS;
    for (int i = 0; i < CLIENTS; i++) {
        char text[512];
        int len = snprintf(text, sizeof text, "IAMAT c%d-%d +34.0-118.4 5.5\nwhat\nIAMAT c%d-%d +34.5-118.4 6.5\n",
                           round, i, round, i);
        fds[i] = connect_to(d->port[i % 2]);
        assert_int_equal(send(fds[i], text, (size_t)len, 0), len);
    }
    double until = now_s() + DEADLINE_S;
    for (int turns = 0; open_count > 0 && (now_s() < until); turns++) {
        turn(d, armed && turns < 400);
        for (int i = 0; i < CLIENTS; i++) {
            if (fds[i] < 0)
                continue;
            d->answers.len = 0;
            if (hear(d, fds[i], &heard[i], 3)) {
                assert_int_equal(herd_buf_add(&all, d->answers.at, d->answers.len), 0);
                close(fds[i]);
                fds[i] = -1;
                open_count--;
            }
        }
    }
    for (int i = 0; i < CLIENTS; i++)
        herd_buf_fini(&heard[i]);
    herd_buf_fini(&d->answers);
    d->answers = all;
    assert_int_equal(open_count, 0); /* answered or closed: nobody waits for ever */
}

static void wait_sound(struct duo *d, const char *what)
{
    double until = now_s() + DEADLINE_S;
    while (!linked(d->server) || !both_know(d->server, &d->answers)) {
        if (now_s() > until)
            fail_msg("%s: %s", what, linked(d->server) ? "no agreement" : "no link");
        turn(d, false);
    }
}

/* One failing thing; the number of calls made. */
static size_t story(enum call call, int error, size_t from, size_t count)
{
    struct duo d;
    char what[128];
    begin(&d);
    plan.call = call;
    plan.error = error;
    plan.from = from;
    plan.count = count;
    snprintf(what, sizeof what, "%s %zu..%zu: %s", call_names[call], from, from + count - 1,
             error == SHORT ? "short" : strerror(error));
    wait_sound(&d, what);
    shutdown(herd_transport_fd(d.server[0]->links[0]->transport), SHUT_RDWR); /* linking up again fails too */
    load(&d, 1, true);
    for (int i = 0; i < 100 && !linked(d.server); i++)
        turn(&d, true);
    herd_logfile_reopen(d.file);
    plan.armed = true;
    herd_log_flush(d.log);
    herd_logfile_reopen(d.file);
    plan.armed = false;
    wait_sound(&d, what);
    load(&d, 2, false); /* all is well again */
    size_t answered = 0;
    for (size_t i = 0; i < d.answers.len; i++)
        answered += d.answers.at[i] == '\n';
    if (answered != 2 * CLIENTS)
        fail_msg("%s: %zu answers of %d", what, answered, 2 * CLIENTS);
    wait_sound(&d, what);
    size_t seen = plan.seen[call];
    end(&d);
    return seen;
}

static const struct {
    enum call call;
    int errors[6];
} rows[] = {
    {CALL_RECV, {EINTR, EAGAIN, ECONNRESET, ENOBUFS, SHORT}},
    {CALL_SEND, {EINTR, EAGAIN, ECONNRESET, EPIPE, ENOBUFS, SHORT}},
    {CALL_WRITEV, {EINTR, EAGAIN, ECONNRESET, SHORT}},
    {CALL_ACCEPT, {EINTR, EAGAIN, ECONNABORTED, EMFILE, ENFILE, ENOBUFS}},
    {CALL_CONNECT, {EINTR, ECONNREFUSED, ETIMEDOUT, EADDRNOTAVAIL, EAGAIN}},
    {CALL_SOCKET, {EMFILE, ENFILE, ENOBUFS}},
    {CALL_EPOLL_CTL, {ENOMEM, ENOSPC}},
    {CALL_EPOLL_WAIT, {EINTR}},
    {CALL_WRITE, {EINTR, EAGAIN, ENOSPC, EIO, SHORT}},
    {CALL_OPEN, {EMFILE, ENOSPC, EINTR, EACCES}},
};

static size_t points;

static void fail_each(size_t count, size_t most)
{
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        size_t total = story(rows[r].call, 0, 1, 0);
        size_t done = 0;
        for (size_t e = 0; e < 6 && rows[r].errors[e]; e++) {
            size_t step = total / most + 1;
            for (size_t from = 1; from <= total; from += step, done++)
                story(rows[r].call, rows[r].errors[e], from, count);
        }
        points += done;
        print_message("%s: %zu calls, %zu failures of %zu\n", call_names[rows[r].call], total, done, count);
    }
}

static void test_once(void **state)
{
    (void)state;
    fail_each(1, 16);
}

static void test_for_a_while(void **state)
{
    (void)state;
    fail_each(10, 4);
}

/* What the rest is worth: without failures everything is answered, and calls are seen at all. */
static void test_the_story_itself(void **state)
{
    (void)state;
    for (enum call call = 0; call < CALLS; call++) {
        size_t seen = story(call, 0, 1, 0);
        if (seen == 0)
            fail_msg("%s is never called", call_names[call]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_story_itself),
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_for_a_while),
    };
    signal(SIGPIPE, SIG_IGN);
    event_set_log_callback(quiet);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    print_message("%zu failure points\n", points);
    return failed;
}
