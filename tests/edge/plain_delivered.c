/* SPDX-License-Identifier: MIT */
/*
 * What a plain neighbour was told and what only its machine's silence hides: a server, a neighbour of the class
 * protocol played here, and a kernel that says whether bytes were acknowledged. The function below stands before
 * libc's in this program.
 */
#include "../unit/cm.h"
#include "../unit/free_port.h"

#include <herd/herd.h>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_S 20

static int unacknowledged = -1; /* what the kernel says of every socket; negative: the truth */

int ioctl(int fd, unsigned long request, ...)
{
    static int (*real)(int, unsigned long, ...);
    va_list list;
    va_start(list, request);
    void *at = va_arg(list, void *);
    va_end(list);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "ioctl");
    if (request == TIOCOUTQ && unacknowledged >= 0) {
        *(int *)at = unacknowledged;
        return 0;
    }
    return real(fd, request, at);
}

static struct event_base *base;
static struct herd_config *config;
static struct herd_server *server;
static int door;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void turn(void)
{
    struct timeval soon = {0, 2000};
    event_base_loopexit(base, &soon);
    event_base_loop(base, EVLOOP_ONCE);
}

static bool readable(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    return poll(&ready, 1, 0) > 0;
}

/* The next connection of the server, all that is said on it, and the connection itself, which is left open. */
static int told(char *ret, size_t size)
{
    double until = now_s() + DEADLINE_S;
    size_t len = 0;
    while (!readable(door)) {
        assert_true(now_s() < until);
        turn();
    }
    int fd = accept(door, NULL, NULL);
    assert_true(fd >= 0);
    for (;;) {
        assert_true(now_s() < until);
        if (!readable(fd)) {
            turn();
            continue;
        }
        ssize_t got = recv(fd, ret + len, size - 1 - len, 0);
        assert_true(got >= 0);
        len += (size_t)got;
        if (got == 0)
            break;
    }
    ret[len] = '\0';
    return fd;
}

static void report(const char *line)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(herd_server_port(server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(send(fd, line, strlen(line), 0), (ssize_t)strlen(line));
    while (!readable(fd))
        turn();
    close(fd);
}

static int listen_here(uint16_t *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static void begin(void)
{
    struct herd_diagnostic diagnostic;
    char json[500];
    uint16_t port;
    door = listen_here(&port);
    base = event_base_new();
    snprintf(json, sizeof json,
             "{\"servers\":{\"Riley\":{\"port\":%u},\"Other\":{\"port\":%u,\"plain\":true}},\"links\":[[\"Riley\","
             "\"Other\"]],"
             "\"limits\":{\"redial_min_ms\":1,\"redial_max_ms\":20,\"write_stall_ms\":100}}",
             free_port(), port);
    assert_int_equal(herd_config_parse(&config, herd_span_of(json), &diagnostic), 0);
    const struct herd_server_options options = {.name = "Riley", .config = config};
    if (herd_server_new(&server, base, &options, &diagnostic) < 0)
        fail_msg("%s", diagnostic.message);
}

static void end(void)
{
    herd_server_free(server);
    event_base_loop(base, EVLOOP_NONBLOCK);
    herd_config_free(config);
    event_base_free(base);
    close(door);
}

static void test_vanished(void **state)
{
    (void)state;
    char got[2000];
    begin();
    report("IAMAT fig.cs.ucla.edu +34.0-118.0 1621464827.5\n");
    close(told(got, sizeof got));
    assert_non_null(strstr(got, "fig.cs.ucla.edu"));

    /* The kernel has sent it, but nobody has acknowledged it when the connection is given up: all is told again. */
    unacknowledged = 60;
    report("IAMAT kiwi.cs.ucla.edu +34.0-118.0 1621464827.5\n");
    int open = told(got, sizeof got);
    assert_non_null(strstr(got, "kiwi.cs.ucla.edu"));
    bool fig = false, kiwi = false;
    for (int i = 0; i < 10 && !(fig && kiwi); i++) {
        close(told(got, sizeof got));
        fig |= strstr(got, "fig.cs.ucla.edu") != NULL;
        kiwi |= strstr(got, "kiwi.cs.ucla.edu") != NULL;
    }
    assert_true(fig && kiwi);
    close(open);

    /* It is there after all. Then it is told of each update once; that it never hangs up does not matter, nor that
     * the end of our side is under way. */
    unacknowledged = 1;
    double until = now_s() + DEADLINE_S;
    for (;;) { /* what was due again meanwhile */
        double quiet = now_s() + 1.5;
        while (now_s() < quiet && !readable(door))
            turn();
        if (!readable(door))
            break;
        assert_true(now_s() < until);
        close(told(got, sizeof got));
    }
    report("IAMAT lime.cs.ucla.edu +34.0-118.0 1621464827.5\n");
    open = told(got, sizeof got);
    assert_non_null(strstr(got, "lime.cs.ucla.edu"));
    assert_null(strstr(got, "kiwi.cs.ucla.edu"));
    for (double later = now_s() + 2.5; now_s() < later; turn())
        assert_false(readable(door));
    close(open);
    unacknowledged = -1;
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vanished)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
