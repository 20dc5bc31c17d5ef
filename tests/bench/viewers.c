/* SPDX-License-Identifier: MIT */
/*
 * Viewers of a server's events: opens streams, takes what comes, and says how much that was when its standard input ends.
 *
 *     bench-viewers [--cpu N] PORT COUNT PATH
 *
 * Prints "ready" when the head of each stream has come, and at the end one line of JSON: events (of kind `at`, by what
 * begins each of their features) and bytes, of all streams, since it was ready.
 */
#include "edge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 8192
/* Those of Ethernet. A message that is less than one segment, as on the loopback, is acknowledged by a timer, 40 ms later:
 * those of hundreds of viewers at once, on the CPU of the server, in one piece of half a millisecond. */
#define SEGMENT_BYTES 1448

static const char mark[] = "{\"type\":\"Feature\",";

struct viewer {
    int fd, begun;
    size_t matched; /* of `mark`, at the end of what was read last */
};

static uint64_t events, bytes;

/* Counts marks, those too that two reads share. */
static void count_marks(struct viewer *v, const char *at, size_t len)
{
    const size_t mark_len = sizeof(mark) - 1;
    size_t i = 0;

    while (v->matched > 0 && i < len && at[i] == mark[v->matched]) {
        i++;
        if (++v->matched == mark_len) {
            events++;
            v->matched = 0;
        }
    }
    if (i == len)
        return;
    v->matched = 0;
    for (const char *found = at + i, *end = at + len;
         (found = memmem(found, (size_t)(end - found), mark, mark_len)); found += mark_len)
        events++;
    for (size_t tail = len - i < mark_len - 1 ? len - i : mark_len - 1; tail > 0; tail--)
        if (memcmp(at + len - tail, mark, tail) == 0) {
            v->matched = tail;
            return;
        }
}

static void open_viewer(int ep, struct viewer *v, uint16_t port, const char *path)
{
    char request[512];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = v};
    int len = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);

    memset(v, 0, sizeof(*v));
    v->fd = dial_segments(port, SEGMENT_BYTES);
    if (write(v->fd, request, (size_t)len) != len)
        die("a request was not taken: %s", strerror(errno));
    if (epoll_ctl(ep, EPOLL_CTL_ADD, v->fd, &event) < 0)
        die("epoll_ctl: %s", strerror(errno));
}

int main(int argc, char **argv)
{
    static char buffer[READ_BYTES];
    struct epoll_event found[256], event = {.events = EPOLLIN};
    struct viewer *viewers;
    size_t count, begun = 0;
    int ep = epoll_create1(EPOLL_CLOEXEC), first = 1;

    if (argc > 2 && strcmp(argv[1], "--cpu") == 0) {
        pin_to((int)number_of(argv[2], "CPU", 0, 1023));
        first = 3;
    }
    if (argc - first != 3)
        die("usage: bench-viewers [--cpu N] PORT COUNT PATH");
    count = (size_t)number_of(argv[first + 1], "COUNT", 1, 100000);
    viewers = calloc(count, sizeof(*viewers));
    if (viewers == NULL || epoll_ctl(ep, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0)
        die("cannot begin");
    for (size_t i = 0; i < count; i++)
        open_viewer(ep, &viewers[i], (uint16_t)number_of(argv[first], "PORT", 1, 65535), argv[first + 2]);
    for (;;) {
        int n = epoll_wait(ep, found, 256, -1);
        for (int i = 0; i < n; i++) {
            struct viewer *v = found[i].data.ptr;
            ssize_t got;

            if (v == NULL) {
                if (read(STDIN_FILENO, buffer, sizeof(buffer)) > 0)
                    continue;
                printf("{\"events\":%llu,\"bytes\":%llu}\n", (unsigned long long)events, (unsigned long long)bytes);
                return 0;
            }
            got = read(v->fd, buffer, sizeof(buffer));
            if (got < 0 && errno == EAGAIN)
                continue;
            if (got <= 0)
                die("a stream has ended");
            if (!v->begun) {
                if (memcmp(buffer, "HTTP/1.1 200", 12) != 0)
                    die("not a stream: %.60s", buffer);
                v->begun = 1;
                if (++begun == count) {
                    events = bytes = 0;
                    puts("ready");
                    fflush(stdout);
                }
            }
            bytes += (uint64_t)got;
            count_marks(v, buffer, (size_t)got);
        }
    }
}
