/* SPDX-License-Identifier: MIT */
/*
 * What an AT line from a neighbour costs the server that receives it. Poses as two neighbours, as there are
 * where copies come about: lines that are news come over one link and are told to the other, then the same
 * lines come over the other, a few thousand lines later, as they do where two ways round a cycle meet. At the
 * end all of them come once more, late: most are older than what the server holds by then. Accounts the
 * server's CPU for each, and asks it, as a client, whether it believed them.
 *
 * Lines go out as fast as TCP takes them; a pass is over when the server has come to rest.
 */
#include "edge.h"
#include "neighbour.h"
#include "requests.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK_BYTES 65536
#define PATIENCE_NS 60000000000
#define CHECKED     50
#define LAG_LINES   8000 /* between a line and its copy */

static const char usage[] = "usage: flood --link PORT:SELF:PEER --link PORT:OTHER:PEER --pid PID [--ids 100000]\n"
                            "             [--count 1000000] [--time NS] [--seed 1] [--cpu N]";

struct lines {
    struct request_plan plan;
    char *bytes;
    uint64_t count;
};

/* A neighbour reads what it is sent, or the server would stop for it. */
static void take(int fd)
{
    static char sink[CHUNK_BYTES];
    ssize_t got;

    while ((got = read(fd, sink, sizeof(sink))) > 0)
        continue;
    if (got == 0 || errno != EAGAIN)
        die("the server closed the link");
}

static void send_all(const int links[2], int which, const char *bytes, size_t len)
{
    const int fd = links[which];
    struct pollfd ready[2] = {{.fd = fd, .events = POLLIN | POLLOUT}, {.fd = links[!which], .events = POLLIN}};
    int64_t bound = clock_ns() + PATIENCE_NS;
    ssize_t n;

    while (len > 0) {
        if (clock_ns() > bound)
            die("the server does not read its link");
        if (poll(ready, 2, 1000) <= 0)
            continue;
        if (ready[0].revents & POLLIN)
            take(fd);
        if (ready[1].revents & POLLIN)
            take(links[!which]);
        if (!(ready[0].revents & POLLOUT))
            continue;
        n = send(fd, bytes, len < CHUNK_BYTES ? len : CHUNK_BYTES, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            die("the server closed the link: %s", strerror(errno));
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
    }
}

static void settle(const int links[2], const struct pids *pids)
{
    struct rest rest;

    rest_begin(&rest, pids, PATIENCE_NS);
    do {
        take(links[0]);
        take(links[1]);
        sleep_ns(2000000);
    } while (!rest_reached(&rest, pids));
}

/* Some lines over one link; the server's CPU ns. */
static int64_t pass(const int links[2], int which, const struct lines *lines, uint64_t first, uint64_t count,
                    const struct pids *pids)
{
    int64_t before = cpu_ns_of_all(pids);

    send_all(links, which, lines->bytes + (size_t)first * lines->plan.stride, (size_t)count * lines->plan.stride);
    settle(links, pids);
    return cpu_ns_of_all(pids) - before;
}

static void lines_make(struct lines *lines, uint64_t ids, bool each_once, uint64_t first, uint64_t *io_random)
{
    uint64_t k;

    lines->bytes = malloc((size_t)lines->count * lines->plan.stride);
    if (lines->bytes == NULL)
        die("out of memory");
    for (k = 0; k < lines->count; k++) {
        uint64_t id = each_once ? k : random_next(io_random) % ids;

        request_write(&lines->plan, lines->bytes + k * lines->plan.stride, id, first + k, random_next(io_random));
    }
}

/* The last lines that are the newest of their client must be what a client is now told. */
static void check(uint16_t port, const struct lines *lines)
{
    const size_t stride = lines->plan.stride, id_at = lines->plan.id_at, id_len = 7;
    uint64_t first = lines->count > CHECKED ? lines->count - CHECKED : 0, k, later;

    for (k = first; k < lines->count; k++) {
        const char *line = lines->bytes + k * stride;
        struct pollfd ready = {.events = POLLIN};
        char question[128], reply[4096];
        size_t len = 0;

        for (later = k + 1; later < lines->count; later++)
            if (memcmp(line + id_at, lines->bytes + later * stride + id_at, id_len) == 0)
                break;
        if (later < lines->count)
            continue;
        ready.fd = dial(port);
        len = (size_t)snprintf(question, sizeof(question), "WHATSAT %.*s 1 0\n", (int)lines->plan.id_bytes,
                               line + id_at - 8);
        if (write(ready.fd, question, len) != (ssize_t)len)
            die("cannot ask: %s", strerror(errno));
        for (len = 0; len < stride;) {
            ssize_t n = -1;

            if (poll(&ready, 1, 5000) > 0)
                n = read(ready.fd, reply + len, sizeof(reply) - len);
            if (n <= 0)
                die("no answer to %s", question);
            len += (size_t)n;
        }
        if (memcmp(reply, line, stride) != 0)
            die("the server did not take a line\n  sent: %.*s\n  told: %.*s", (int)stride, line, (int)stride,
                reply);
        close(ready.fd);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"link", 1, NULL, 'l'},  {"pid", 1, NULL, 'P'},  {"ids", 1, NULL, 'i'},
                                            {"count", 1, NULL, 'n'}, {"time", 1, NULL, 't'}, {"seed", 1, NULL, 'e'},
                                            {"cpu", 1, NULL, 'u'},   {NULL, 0, NULL, 0}};
    struct lines all = {.plan = {.mode = MODE_AT, .id_bytes = 28, .time_ns = 1621464827959498503}}, news;
    struct neighbour neighbours[2] = {{.port = 0}, {.port = 0}};
    struct pids pids = {.count = 0};
    uint64_t ids = 100000, count = 1000000, random = 1, at, now;
    int64_t fresh = 0, duplicate = 0, late;
    int c, links[2], link_count = 0;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'l':
            if (link_count == 2)
                die("%s", usage);
            neighbour_parse(&neighbours[link_count++], optarg);
            break;
        case 'P':
            pids.at[0] = (pid_t)number_of(optarg, "--pid", 1, INT32_MAX);
            pids.count = 1;
            break;
        case 'i': ids = (uint64_t)number_of(optarg, "--ids", 1, 10000000); break;
        case 'n': count = (uint64_t)number_of(optarg, "--count", 1, 100000000); break;
        case 't': all.plan.time_ns = number_of(optarg, "--time", 0, INT64_C(9000000000000000000)); break;
        case 'e': random = (uint64_t)number_of(optarg, "--seed", 0, INT64_MAX); break;
        case 'u': pin_to((int)number_of(optarg, "--cpu", 0, 1023)); break;
        default: die("%s", usage);
        }
    }
    if (link_count != 2 || pids.count == 0 || optind != argc)
        die("%s", usage);
    all.plan.server = neighbours[0].self[0] == '\0' ? "Neighbour" : neighbours[0].self;
    request_plan_init(&all.plan);
    news = all;
    all.count = ids;
    news.count = count;
    lines_make(&all, ids, true, 0, &random);
    lines_make(&news, ids, false, ids, &random);

    for (c = 0; c < 2; c++)
        links[c] = neighbour_dial(&neighbours[c]);
    send_all(links, 0, all.bytes, (size_t)all.count * all.plan.stride);
    settle(links, &pids);
    for (at = 0; at < count; at += now) {
        now = count - at < LAG_LINES ? count - at : LAG_LINES;
        fresh += pass(links, 0, &news, at, now, &pids);
        duplicate += pass(links, 1, &news, at, now, &pids);
    }
    late = pass(links, 1, &news, 0, count, &pids);
    check(neighbours[0].port, &news);
    printf("{\"lines\":%" PRIu64 ",\"ids\":%" PRIu64
           ",\"bytes\":%zu,\"fresh_cpu_ns\":%.1f,\"duplicate_cpu_ns\":%.1f,\"late_cpu_ns\":%.1f}\n",
           count, ids, news.plan.stride, (double)fresh / (double)count, (double)duplicate / (double)count,
           (double)late / (double)count);
    return fflush(stdout) == 0 ? 0 : 1;
}
