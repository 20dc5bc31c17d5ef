/* SPDX-License-Identifier: MIT */
/*
 * The load generator: connections that each keep a number of requests in flight, or requests on a fixed
 * schedule; every reply checked; server CPU, throughput and latency as one line of JSON.
 *
 * Everything is written before the clock starts: each connection has its own stream of requests, made in
 * memory, so the generator only moves bytes. A connection owns the ids that are its number modulo the
 * connections, so that reports of one client never overtake each other and each is fresh.
 *
 * "D in flight" is pipelining as redis-benchmark -P does it: D requests in one write, and the next D when
 * all D are answered. Latency is from that write to the reply.
 *
 * With --rate, request k is due at k / rate after the start, whether or not earlier ones are answered, and
 * latency counts from when it was due: a server that stands still is seen by every request it delays. Where
 * others have the generator's CPU too, they are in it; "answer_ns" is the server's share: from the write until
 * the kernel has the reply.
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
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 262144
#define STALL_NS   20000000000
#define FILL_DEPTH 128
#define LINKS_MAX  128

static const char usage[] =
    "usage: load --mode MODE --port PORT [options]\n"
    "  --mode         echo iamat whatsat redis-set redis-geoadd redis-geosearch near redis-near memcached-set\n"
    "  --connections  how many (50)            --depth    requests in flight a connection (1)\n"
    "  --ids          clients (100000)         --id-bytes 20 or 28 (28: IAMAT lines of 78 bytes)\n"
    "  --fill         first send every client once\n"
    "  --warm         requests before the clock starts (0)\n"
    "  --count        requests measured, at most (100000)\n"
    "  --ms           stop sending after this many milliseconds (no bound)\n"
    "  --rate         requests a second on a schedule instead of --depth in flight\n"
    "  --pid          a process whose CPU time is accounted; repeatable\n"
    "  --settle       wait for these processes to come to rest, and account that too\n"
    "  --link         PORT:SELF:PEER, a neighbour that takes what is flooded to it; repeatable\n"
    "  --time         POSIX nanoseconds of the first report (1621464827959498503)\n"
    "  --places       a file of +dd.dddddd-ddd.dddddd lines: where each client is (anywhere in one degree)\n"
    "  --seed         chooses ids and places (1)\n"
    "  --cpu          run on this CPU only";

struct connection {
    int fd;
    uint64_t sent, done, limit; /* requests: wholly or partly written, answered, to be sent in this phase */
    size_t put;                 /* bytes written */
    int64_t sent_ns;
    int64_t written_ns,
        arrived_ns; /* on a schedule, CLOCK_REALTIME: the last request's write, its reply's arrival */
    char *stream;
    char *part; /* the beginning of a reply whose end has not come yet */
    size_t part_len, part_cap;
    bool waiting; /* for the socket to take more */
};

/* Something a neighbour link is drained of while the load runs. */
struct drain {
    int fd;
    uint64_t lines;
};

static struct {
    struct request_plan plan;
    struct pids pids;
    struct neighbour links[LINKS_MAX];
    struct drain drains[LINKS_MAX];
    size_t link_count;
    size_t connection_count;
    uint64_t depth, ids, warm, count, rate, seed;
    int64_t bound_ns;
    uint16_t port;
    int cpu;
    const char *places;
    bool fill, settle;

    struct connection *connections;
    int ep;
    uint64_t busy; /* connections with something still to do in this phase */
    int64_t last_rx_ns, deadline_ns;
    struct histogram *histogram, *answer;
    char *buffer;
} load;

static void options_read(int argc, char **argv)
{
    static const struct option options[] = {
        {"mode", 1, NULL, 'm'},  {"port", 1, NULL, 'p'},   {"connections", 1, NULL, 'c'},
        {"depth", 1, NULL, 'd'}, {"ids", 1, NULL, 'i'},    {"id-bytes", 1, NULL, 'b'},
        {"fill", 0, NULL, 'f'},  {"warm", 1, NULL, 'w'},   {"count", 1, NULL, 'n'},
        {"rate", 1, NULL, 'r'},  {"ms", 1, NULL, 's'},     {"pid", 1, NULL, 'P'},
        {"link", 1, NULL, 'l'},  {"settle", 0, NULL, 'S'}, {"time", 1, NULL, 't'},
        {"seed", 1, NULL, 'e'},  {"cpu", 1, NULL, 'u'},    {"places", 1, NULL, 'L'},
        {NULL, 0, NULL, 0}};
    bool mode = false;
    int c;

    load.connection_count = 50;
    load.depth = 1;
    load.ids = 100000;
    load.count = 100000;
    load.seed = 1;
    load.cpu = -1;
    load.plan.id_bytes = 28;
    load.plan.time_ns = 1621464827959498503;
    load.plan.server = "";
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'm':
            if (request_mode_of(optarg, &load.plan.mode) < 0 || load.plan.mode == MODE_AT)
                die("no mode \"%s\"", optarg);
            mode = true;
            break;
        case 'p': load.port = (uint16_t)number_of(optarg, "--port", 1, 65535); break;
        case 'c': load.connection_count = (size_t)number_of(optarg, "--connections", 1, 50000); break;
        case 'd': load.depth = (uint64_t)number_of(optarg, "--depth", 1, 65536); break;
        case 'i': load.ids = (uint64_t)number_of(optarg, "--ids", 1, 10000000); break;
        case 'b': load.plan.id_bytes = (unsigned)number_of(optarg, "--id-bytes", 20, 28); break;
        case 'f': load.fill = true; break;
        case 'w': load.warm = (uint64_t)number_of(optarg, "--warm", 0, 100000000); break;
        case 'n': load.count = (uint64_t)number_of(optarg, "--count", 0, 100000000); break;
        case 'r': load.rate = (uint64_t)number_of(optarg, "--rate", 1, 10000000); break;
        case 's': load.bound_ns = number_of(optarg, "--ms", 1, 3600000) * 1000000; break;
        case 'P':
            if (load.pids.count == EDGE_PIDS_MAX)
                die("too many --pid");
            load.pids.at[load.pids.count++] = (pid_t)number_of(optarg, "--pid", 1, INT32_MAX);
            break;
        case 'l':
            if (load.link_count == LINKS_MAX)
                die("too many --link");
            neighbour_parse(&load.links[load.link_count++], optarg);
            break;
        case 'S': load.settle = true; break;
        case 'L': load.places = optarg; break;
        case 't': load.plan.time_ns = number_of(optarg, "--time", 0, INT64_C(9000000000000000000)); break;
        case 'e': load.seed = (uint64_t)number_of(optarg, "--seed", 0, INT64_MAX); break;
        case 'u': load.cpu = (int)number_of(optarg, "--cpu", 0, 1023); break;
        default: die("%s", usage);
        }
    }
    if (!mode || load.port == 0 || optind != argc)
        die("%s", usage);
    if (load.plan.id_bytes != 20 && load.plan.id_bytes != 28)
        die("--id-bytes is 20 or 28");
    if (load.ids < load.connection_count)
        die("every connection needs an id of its own: --ids is less than --connections");
}

/* The place of every id, one a line. */
static void places_read(void)
{
    char line[PLACE_BYTES + 2], *places = malloc((size_t)load.ids * PLACE_BYTES);
    FILE *file = fopen(load.places, "re");
    uint64_t i;

    if (file == NULL || places == NULL)
        die("cannot read %s: %s", load.places, strerror(errno));
    for (i = 0; i < load.ids; i++) {
        if (fgets(line, sizeof(line), file) == NULL || strlen(line) != PLACE_BYTES + 1)
            die("%s:%" PRIu64 ": expected a place of %d bytes", load.places, i + 1, PLACE_BYTES);
        memcpy(places + i * PLACE_BYTES, line, PLACE_BYTES);
    }
    fclose(file);
    load.plan.places = places;
}

/* How much of `total` falls to connection `at`. */
static uint64_t share(uint64_t total, size_t at)
{
    return (total + load.connection_count - 1 - at) / load.connection_count;
}

/* Phases follow each other in a connection's stream: fill, warm-up, measured. */
static uint64_t limit_after(int phase, size_t at)
{
    uint64_t limit = load.fill ? share(load.ids, at) : 0;

    if (phase > 0)
        limit += share(load.warm, at);
    if (phase > 1)
        limit += share(load.count, at);
    return limit;
}

static void streams_make(void)
{
    uint64_t random = load.seed, own, k, all;
    size_t at, bytes;

    load.connections = calloc(load.connection_count, sizeof(*load.connections));
    load.buffer = malloc(READ_BYTES);
    if (load.connections == NULL || load.buffer == NULL)
        die("out of memory");
    for (at = 0; at < load.connection_count; at++) {
        struct connection *c = &load.connections[at];

        own = share(load.ids, at);
        all = limit_after(2, at);
        bytes = (size_t)all * load.plan.stride;
        if (bytes == 0)
            continue;
        /* Mapped, not from the heap: touched once here and never again in the way of the measurement. */
        c->stream = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (c->stream == MAP_FAILED)
            die("no memory for %zu bytes of requests", bytes);
        for (k = 0; k < all; k++) {
            uint64_t lot = random_next(&random);
            uint64_t id = (k < limit_after(0, at) ? k : lot % own) * load.connection_count + at;

            request_write(&load.plan, c->stream + k * load.plan.stride, id, k * load.connection_count + at,
                          random_next(&random));
        }
    }
}

static void watch(struct connection *c, int op, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};

    if (epoll_ctl(load.ep, op, c->fd, &event) < 0)
        die("epoll_ctl: %s", strerror(errno));
}

static void connections_open(void)
{
    size_t i;

    load.ep = epoll_create1(EPOLL_CLOEXEC);
    for (i = 0; i < load.link_count; i++) {
        struct epoll_event event = {.events = EPOLLIN};

        load.drains[i].fd = neighbour_dial(&load.links[i]);
        event.data.ptr = &load.drains[i];
        if (epoll_ctl(load.ep, EPOLL_CTL_ADD, load.drains[i].fd, &event) < 0)
            die("epoll_ctl: %s", strerror(errno));
    }
    for (i = 0; i < load.connection_count; i++) {
        load.connections[i].fd = dial(load.port);
        watch(&load.connections[i], EPOLL_CTL_ADD, EPOLLIN);
    }
}

/* Writes what is owed of the requests up to `sent`. */
static void put(struct connection *c)
{
    size_t owed = (size_t)c->sent * load.plan.stride;
    bool waiting = false;

    while (c->put < owed) {
        ssize_t n = write(c->fd, c->stream + c->put, owed - c->put);

        if (n < 0 && errno != EAGAIN)
            die("the server closed a connection: %s", strerror(errno));
        if (n < 0) {
            waiting = true;
            break;
        }
        c->put += (size_t)n;
    }
    if (waiting != c->waiting) {
        c->waiting = waiting;
        watch(c, EPOLL_CTL_MOD, waiting ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
}

static void send_some(struct connection *c, uint64_t count)
{
    c->sent += count < c->limit - c->sent ? count : c->limit - c->sent;
    put(c);
}

static void wrong(const struct connection *c, const char *reply, size_t len)
{
    int shown = len > 200 ? 200 : (int)len;

    die("wrong reply\n  to: %.*s\n  is: %.*s", (int)load.plan.stride, c->stream + c->done * load.plan.stride, shown,
        reply);
}

static void keep_part(struct connection *c, const char *rest, size_t len)
{
    if (len > c->part_cap) {
        free(c->part);
        c->part_cap = len * 2;
        c->part = malloc(c->part_cap);
        if (c->part == NULL)
            die("out of memory");
    }
    if (len > 0)
        memcpy(c->part, rest, len);
    c->part_len = len;
}

/* As read(), and notes when the kernel had what was read. */
static ssize_t read_stamped(struct connection *c, char *to, size_t len)
{
    union {
        char bytes[CMSG_SPACE(sizeof(struct timespec))];
        struct cmsghdr aligned;
    } control;
    struct iovec into = {.iov_base = to, .iov_len = len};
    struct msghdr message = {
        .msg_iov = &into, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control)};
    ssize_t got = recvmsg(c->fd, &message, 0);
    struct cmsghdr *at = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    struct timespec stamp;

    if (got <= 0)
        return got;
    /* The kernel begins to stamp a moment after it is asked to. */
    if (at == NULL || at->cmsg_level != SOL_SOCKET || at->cmsg_type != SO_TIMESTAMPNS) {
        c->arrived_ns = clock_real_ns();
        return got;
    }
    memcpy(&stamp, CMSG_DATA(at), sizeof(stamp));
    c->arrived_ns = (int64_t)stamp.tv_sec * 1000000000 + stamp.tv_nsec;
    return got;
}

/* Reads once, checks every whole reply; returns how many there were. */
static uint64_t receive(struct connection *c)
{
    size_t len = c->part_len, used = 0;
    uint64_t replies = 0;
    ssize_t got;
    long n;

    if (len > READ_BYTES / 2)
        die("a reply has no end");
    if (len > 0)
        memcpy(load.buffer, c->part, len);
    got = load.answer == NULL ? read(c->fd, load.buffer + len, READ_BYTES - len)
                              : read_stamped(c, load.buffer + len, READ_BYTES - len);
    if (got < 0 && errno == EAGAIN)
        return 0;
    if (got <= 0)
        die("the server closed a connection%s%s", got < 0 ? ": " : "", got < 0 ? strerror(errno) : "");
    len += (size_t)got;
    while (used < len) {
        if (c->done == c->sent)
            wrong(c, load.buffer + used, len - used);
        n = reply_cut(&load.plan, load.buffer + used, len - used, c->stream + c->done * load.plan.stride);
        if (n < 0)
            wrong(c, load.buffer + used, len - used);
        if (n == 0)
            break;
        used += (size_t)n;
        c->done++;
        replies++;
    }
    keep_part(c, load.buffer + used, len - used);
    return replies;
}

static bool is_drain(const void *at)
{
    return (const struct drain *)at >= load.drains && (const struct drain *)at < load.drains + LINKS_MAX;
}

static void drain(struct drain *link)
{
    ssize_t got = read(link->fd, load.buffer, READ_BYTES), i;

    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        die("the server closed a link");
    for (i = 0; i < got; i++)
        link->lines += load.buffer[i] == '\n';
}

/* Replies came: the next batch when the last one is whole. */
static void closed_loop(struct connection *c, uint64_t depth)
{
    uint64_t replies = receive(c);
    int64_t now = clock_ns();

    if (replies == 0)
        return;
    load.last_rx_ns = now;
    if (load.histogram != NULL)
        histogram_add(load.histogram, now - c->sent_ns, replies);
    if (c->done < c->sent)
        return;
    if (c->sent < c->limit && now < load.deadline_ns) {
        c->sent_ns = now;
        send_some(c, depth);
    } else {
        load.busy--;
    }
}

static void stall_check(void)
{
    if (clock_ns() - load.last_rx_ns > STALL_NS)
        die("no reply for %d s", (int)(STALL_NS / 1000000000));
}

/* Runs one phase with `depth` in flight; histogram and deadline are those of `load`. */
static void run_closed(int phase, uint64_t depth)
{
    struct epoll_event events[256];
    size_t at;
    int i, n;

    load.busy = 0;
    load.last_rx_ns = clock_ns();
    for (at = 0; at < load.connection_count; at++) {
        struct connection *c = &load.connections[at];

        c->limit = limit_after(phase, at);
        if (c->sent == c->limit)
            continue;
        load.busy++;
        c->sent_ns = clock_ns();
        send_some(c, depth);
    }
    while (load.busy > 0) {
        n = epoll_wait(load.ep, events, 256, 1000);
        for (i = 0; i < n; i++) {
            if (is_drain(events[i].data.ptr)) {
                drain(events[i].data.ptr);
                continue;
            }
            if (events[i].events & EPOLLOUT)
                put(events[i].data.ptr);
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                closed_loop(events[i].data.ptr, depth);
        }
        stall_check();
    }
}

static void scheduled_replies(struct connection *c, uint64_t first, int64_t start)
{
    uint64_t before = c->done, k;
    uint64_t replies = receive(c);
    int64_t now = clock_ns();
    size_t at = (size_t)(c - load.connections);

    for (k = before; k < before + replies; k++) {
        uint64_t global = (k - first) * load.connection_count + at;

        histogram_add(load.histogram, now - start - (int64_t)(global * 1000000000 / load.rate), 1);
        histogram_add(load.answer, c->arrived_ns - c->written_ns, 1);
        load.busy--;
    }
    if (replies > 0)
        load.last_rx_ns = now;
}

/* The measured phase on a schedule: request k goes to connection k mod connections. */
static void run_scheduled(struct histogram *answer)
{
    uint64_t k = 0, total = load.count / load.connection_count * load.connection_count;
    uint64_t first = limit_after(1, 0);
    struct epoll_event events[256];
    int64_t start = clock_ns(), now = start, due;
    size_t at;
    int i, n, on = 1;

    /* So that equal positions in all streams are equal positions in the schedule. */
    for (at = 0; at < load.connection_count; at++)
        if (limit_after(1, at) != first)
            die("with --rate, --ids and --warm must be multiples of --connections");
    for (at = 0; at < load.connection_count; at++)
        if (setsockopt(load.connections[at].fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0)
            die("SO_TIMESTAMPNS: %s", strerror(errno));
    /* The default of 50 us would be most of what is measured. */
    if (prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0) < 0)
        die("prctl: %s", strerror(errno));
    load.last_rx_ns = start;
    load.busy = 0;
    for (at = 0; at < load.connection_count; at++)
        load.connections[at].limit = limit_after(2, at);
    load.answer = answer;
    while (k < total || load.busy > 0) {
        struct timespec wait = {.tv_sec = 1};

        now = clock_ns();
        if (now >= load.deadline_ns)
            total = k;
        for (; k < total; k++) {
            due = start + (int64_t)(k * 1000000000 / load.rate);
            if (due > now) {
                wait.tv_sec = (due - now) / 1000000000;
                wait.tv_nsec = (due - now) % 1000000000;
                break;
            }
            load.busy++;
            load.connections[k % load.connection_count].written_ns = clock_real_ns();
            send_some(&load.connections[k % load.connection_count], 1);
        }
        n = epoll_pwait2(load.ep, events, 256, &wait, NULL);
        for (i = 0; i < n; i++) {
            if (is_drain(events[i].data.ptr)) {
                drain(events[i].data.ptr);
                continue;
            }
            if (events[i].events & EPOLLOUT)
                put(events[i].data.ptr);
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                scheduled_replies(events[i].data.ptr, first, start);
        }
        if (load.busy > 0)
            stall_check();
        else
            load.last_rx_ns = clock_ns();
    }
}

/* Waits for the servers to come to rest, taking what they flood meanwhile. */
static void settle(void)
{
    struct epoll_event events[64];
    struct rest rest;
    int i, n;

    if (!load.settle)
        return;
    rest_begin(&rest, &load.pids, 120000000000);
    while (!rest_reached(&rest, &load.pids)) {
        n = epoll_wait(load.ep, events, 64, 5);
        for (i = 0; i < n; i++) {
            if (!is_drain(events[i].data.ptr))
                die("a reply that nobody asked for");
            drain(events[i].data.ptr);
        }
    }
}

static int64_t own_cpu_ns(void)
{
    return cpu_ns_of(getpid());
}

int main(int argc, char **argv)
{
    int64_t cpu[EDGE_PIDS_MAX], cpu_sum = 0, own, machine, others, start, end, settled;
    struct histogram histogram, answer;
    uint64_t measured = 0, flooded = 0;
    double seconds;
    size_t i;

    options_read(argc, argv);
    if (load.cpu >= 0)
        pin_to(load.cpu);
    request_plan_init(&load.plan);
    if (load.places != NULL)
        places_read();
    streams_make();
    connections_open();

    load.deadline_ns = INT64_MAX;
    run_closed(0, FILL_DEPTH > load.depth ? FILL_DEPTH : load.depth);
    run_closed(1, load.depth);
    settle();
    for (i = 0; i < load.link_count; i++)
        load.drains[i].lines = 0;

    memset(&histogram, 0, sizeof(histogram));
    load.histogram = &histogram;
    memset(&answer, 0, sizeof(answer));
    for (i = 0; i < load.connection_count; i++)
        measured -= load.connections[i].done;
    for (i = 0; i < load.pids.count; i++)
        cpu[i] = cpu_ns_of(load.pids.at[i]);
    own = own_cpu_ns();
    machine = cpu_ns_of_machine();
    start = clock_ns();
    if (load.bound_ns > 0)
        load.deadline_ns = start + load.bound_ns;
    if (load.rate > 0)
        run_scheduled(&answer);
    else
        run_closed(2, load.depth);
    end = load.last_rx_ns > start ? load.last_rx_ns : clock_ns();
    own = own_cpu_ns() - own;
    settle();
    settled = clock_ns();
    machine = cpu_ns_of_machine() - machine;
    for (i = 0; i < load.pids.count; i++) {
        cpu[i] = cpu_ns_of(load.pids.at[i]) - cpu[i];
        cpu_sum += cpu[i];
    }
    for (i = 0; i < load.connection_count; i++)
        measured += load.connections[i].done;
    for (i = 0; i < load.link_count; i++)
        flooded += load.drains[i].lines;

    seconds = (double)(end - start) / 1e9;
    others = machine - cpu_sum - own;
    printf("{\"mode\":\"%s\",\"connections\":%zu,\"depth\":%" PRIu64 ",\"ids\":%" PRIu64 ",\"bytes\":%zu",
           request_mode_name(load.plan.mode), load.connection_count, load.depth, load.ids, load.plan.stride);
    printf(",\"requests\":%" PRIu64 ",\"seconds\":%.6f,\"throughput\":%.0f,\"settled_seconds\":%.6f", measured,
           seconds, measured > 0 ? (double)measured / seconds : 0.0, (double)(settled - start) / 1e9);
    printf(",\"cpu_ns\":%" PRId64 ",\"cpu_ns_per_request\":%.1f,\"cpu_ns_by_process\":[", cpu_sum,
           measured > 0 ? (double)cpu_sum / (double)measured : 0.0);
    for (i = 0; i < load.pids.count; i++)
        printf("%s%" PRId64, i == 0 ? "" : ",", cpu[i]);
    printf("],\"generator_busy\":%.3f,\"others_busy\":%.3f,\"flooded_lines\":%" PRIu64 ",\"latency_ns\":",
           (double)own / 1e9 / seconds, others > 0 ? (double)others / (double)(settled - start) : 0.0, flooded);
    histogram_print(&histogram, stdout);
    if (load.rate > 0) {
        printf(",\"answer_ns\":");
        histogram_print(&answer, stdout);
    }
    printf("}\n");
    return fflush(stdout) == 0 ? 0 : 1;
}
