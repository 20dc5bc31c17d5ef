/* SPDX-License-Identifier: MIT */
/*
 * How long a report takes through a herd: sends one IAMAT at a time into one server, and waits for it to
 * come out at the far end; the herd is otherwise idle. The far end is a link to the farthest server, on
 * which this program is a neighbour, or whoever dials --out-listen (relays, plain servers). Being told by
 * the farthest server is one hop more than being known to it, so the figure is an upper bound.
 *
 * Spins instead of sleeping, so that no wake-up of its own is in the figure.
 */
#include "edge.h"
#include "histogram.h"
#include "neighbour.h"
#include "requests.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_NS 10000000000
#define OUTS_MAX    256

static const char usage[] = "usage: propagate --in PORT (--out-link PORT:SELF:PEER | --out-listen PORT)\n"
                            "                 [--count 1000] [--warm 100] [--gap-us 500] [--time NS] [--cpu N]";

/* A connection on which reports come out, and the line begun on it. */
struct out {
    int fd;
    char line[1024];
    size_t len;
};

static struct out outs[OUTS_MAX];
static int ep;

static void watch(int fd, uint64_t what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = what};

    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl: %s", strerror(errno));
}

static void out_add(int fd)
{
    size_t i;

    for (i = 0; i < OUTS_MAX; i++)
        if (outs[i].fd < 0) {
            outs[i].fd = fd;
            outs[i].len = 0;
            watch(fd, i);
            return;
        }
    die("more than %d connections come out", OUTS_MAX);
}

/* Whether a line came that ends with `tail`, its LF included. */
static bool out_read(struct out *out, const char *tail, size_t tail_len)
{
    char buffer[4096];
    ssize_t got = read(out->fd, buffer, sizeof(buffer)), i;
    bool seen = false;

    if (got < 0 && errno == EAGAIN)
        return false;
    if (got <= 0) {
        close(out->fd);
        out->fd = -1;
        return false;
    }
    for (i = 0; i < got; i++) {
        if (out->len == sizeof(out->line))
            die("a line of more than %zu bytes comes out", sizeof(out->line));
        out->line[out->len++] = buffer[i];
        if (buffer[i] != '\n')
            continue;
        if (out->len >= tail_len && memcmp(out->line + out->len - tail_len, tail, tail_len) == 0)
            seen = true;
        out->len = 0;
    }
    return seen;
}

enum { FROM_IN = OUTS_MAX, FROM_DOOR };

/* Sends one report; returns when it has come out. */
static int64_t report(int in, int door, const char *request, size_t len)
{
    char sink[4096];
    struct epoll_event events[16];
    int64_t start = clock_ns();
    int i, n, fd;

    if (write(in, request, len) != (ssize_t)len)
        die("cannot send: %s", strerror(errno));
    while (clock_ns() - start < PATIENCE_NS) {
        n = epoll_wait(ep, events, 16, 0);
        for (i = 0; i < n; i++) {
            switch (events[i].data.u64) {
            case FROM_IN:
                if (read(in, sink, sizeof(sink)) == 0)
                    die("the server closed the connection");
                break;
            case FROM_DOOR:
                fd = take_connection(door);
                if (fd >= 0)
                    out_add(fd);
                break;
            default:
                if (out_read(&outs[events[i].data.u64], request + 5, len - 5))
                    return clock_ns() - start;
            }
        }
    }
    die("a report did not come out: %.*s", (int)len, request);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"in", 1, NULL, 'i'},    {"out-link", 1, NULL, 'l'}, {"out-listen", 1, NULL, 'o'},
        {"count", 1, NULL, 'n'}, {"warm", 1, NULL, 'w'},     {"gap-us", 1, NULL, 'g'},
        {"time", 1, NULL, 't'},  {"cpu", 1, NULL, 'u'},      {NULL, 0, NULL, 0}};
    struct request_plan plan = {.mode = MODE_IAMAT, .id_bytes = 28, .server = "", .time_ns = 1621464827959498503};
    struct neighbour link = {.port = 0};
    struct histogram histogram;
    uint64_t count = 1000, warm = 100, random = 7, k;
    uint16_t in_port = 0, out_port = 0;
    int64_t gap_ns = 500000, took;
    char request[256];
    int c, in, door = -1;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'i': in_port = (uint16_t)number_of(optarg, "--in", 1, 65535); break;
        case 'l': neighbour_parse(&link, optarg); break;
        case 'o': out_port = (uint16_t)number_of(optarg, "--out-listen", 1, 65535); break;
        case 'n': count = (uint64_t)number_of(optarg, "--count", 1, 1000000); break;
        case 'w': warm = (uint64_t)number_of(optarg, "--warm", 0, 1000000); break;
        case 'g': gap_ns = number_of(optarg, "--gap-us", 0, 1000000) * 1000; break;
        case 't': plan.time_ns = number_of(optarg, "--time", 0, INT64_C(9000000000000000000)); break;
        case 'u': pin_to((int)number_of(optarg, "--cpu", 0, 1023)); break;
        default: die("%s", usage);
        }
    }
    if (in_port == 0 || (link.port == 0) == (out_port == 0) || optind != argc)
        die("%s", usage);
    request_plan_init(&plan);
    memset(&histogram, 0, sizeof(histogram));
    ep = epoll_create1(EPOLL_CLOEXEC);
    for (k = 0; k < OUTS_MAX; k++)
        outs[k].fd = -1;
    if (link.port != 0) {
        out_add(neighbour_dial(&link));
    } else {
        door = listen_on(out_port, 128);
        watch(door, FROM_DOOR);
    }
    in = dial(in_port);
    watch(in, FROM_IN);
    for (k = 0; k < warm + count; k++) {
        request_write(&plan, request, random_next(&random) % 1000, k, random_next(&random));
        took = report(in, door, request, plan.stride);
        if (k >= warm)
            histogram_add(&histogram, took, 1);
        sleep_ns(gap_ns);
    }
    printf("{\"reports\":%" PRIu64 ",\"latency_ns\":", count);
    histogram_print(&histogram, stdout);
    printf("}\n");
    return fflush(stdout) == 0 ? 0 : 1;
}
