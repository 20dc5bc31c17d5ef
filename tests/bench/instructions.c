/* SPDX-License-Identifier: MIT */
/*
 * What one line costs, for callgrind to count: everything up to the counted function is preparation, and what is in it
 * is the library's alone. `instructions` runs this once a kind and divides by the count that is printed.
 *
 *     instructions-of KIND       runs it, prints how many lines were counted
 *     instructions-of --list     the kinds
 *     instructions-of --build    what the figures depend on
 *
 * Same input in each run. The hash keys of a node are fixed; those of a server are random, which moves its figures by
 * less than a hundredth.
 */
#include "instructions_http.h"
#include "instructions_scrape.h"

#include <herd/herd.h>

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <gnu/libc-version.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define IDS        1000
#define LINE_BYTES 128
#define AT_ONCE    128 /* lines of one read, of what is counted without a socket */
#define LINKS_MAX  4
#define CONNS      50
#define PIPELINED  3 /* lines in flight on each connection */
#define PASSES     3
#define TURNS_MAX  1000
#define WALL_NS    INT64_C(1700000000000000000)
#define TIME_S     1621464827

static _Noreturn void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static void must(int err, const char *what)
{
    if (err < 0)
        die("%s: %s", what, herd_strerror(err));
}

/* ---- lines: 78 bytes an IAMAT, each report newer than the one before ---- */

enum kind_of_line { IAMAT, AT, WHATSAT };

static size_t put_line(char *to, enum kind_of_line kind, unsigned id, unsigned sequence)
{
    static const char *const formats[] = {
        [IAMAT] = "IAMAT client.example.com/id-%04u +%02u.%06u-118.%06u %u.%09u\n",
        [AT] = "AT Aaa +0.263873386 client.example.com/id-%04u +%02u.%06u-118.%06u %u.%09u\n",
    };
    int len = kind == WHATSAT ? snprintf(to, LINE_BYTES, "WHATSAT client.example.com/id-%04u 50 5\n", id)
                              : snprintf(to, LINE_BYTES, formats[kind], id, 30 + id % 12,
                                         100000 + sequence * 7 % 800000, 100000 + sequence * 13 % 800000,
                                         TIME_S + sequence / 1000, 100000000 + sequence % 1000 * 899999);
    if (len < 0 || len >= LINE_BYTES)
        die("a line is too long");
    return (size_t)len;
}

/* ---- a node and its neighbours, in memory ---- */

struct world {
    struct herd_node *node;
    struct herd_session *client, *links[LINKS_MAX];
    size_t link_count;
    struct herd_buf out;
    struct herd_now now;
    unsigned sequence;
};

static void take_effects(struct herd_node *node)
{
    struct herd_effect effect;
    while (herd_node_next_effect(node, &effect))
        continue;
}

/* A read of a session, and what follows from it: effects, and what each link but the one it came from is owed. */
__attribute__((noinline)) void counted_read(struct world *world, struct herd_session *session,
                                            struct herd_span bytes);
void counted_read(struct world *world, struct herd_session *session, struct herd_span bytes)
{
    struct herd_input_result result;
    world->out.len = 0;
    must(herd_session_input(session, bytes, world->now, &world->out, &result), "input");
    if (result.consumed != bytes.len)
        die("a line was left");
    take_effects(world->node);
    for (size_t i = 0; i < world->link_count; i++) {
        while (herd_session_want_write(world->links[i])) {
            world->out.len = 0;
            must(herd_session_write(world->links[i], 65536, world->now, &world->out), "write");
        }
    }
}

static void introduce(struct world *world, size_t i)
{
    static const char *const names[LINKS_MAX] = {"Aaa", "Bbb", "Yyy", "Zzz"};
    struct herd_input_result result;
    char hello[64];
    int len =
        snprintf(hello, sizeof hello, "HELLO %d %s Riley %u\n", HERD_PROTOCOL_VERSION, names[i], 1 + (unsigned)i);
    must(herd_session_open(world->node, &world->links[i], NULL, world->now), "open");
    must(herd_session_input(world->links[i], (struct herd_span){hello, (size_t)len}, world->now, &world->out,
                            &result),
         "hello");
    if (herd_session_peer(world->links[i]) < 0)
        die("%s is not taken", names[i]);
}

/* A line of each id for `session`, by `read`; after each read the same lines for `copy_to`, if any, by `read_copy`. */
static void pass(struct world *world, enum kind_of_line kind, struct herd_session *session,
                 struct herd_session *copy_to, void read(struct world *, struct herd_session *, struct herd_span),
                 void read_copy(struct world *, struct herd_session *, struct herd_span))
{
    static char text[AT_ONCE * LINE_BYTES];
    for (unsigned id = 0; id < IDS;) {
        size_t len = 0;
        for (unsigned i = 0; i < AT_ONCE && id < IDS; i++, id++)
            len += put_line(text + len, kind, id * 7 % IDS, world->sequence++);
        world->now.steady_ns++;
        read(world, session, (struct herd_span){text, len});
        if (copy_to)
            read_copy(world, copy_to, (struct herd_span){text, len});
    }
}

/* Not counted. */
static void plain_read(struct world *world, struct herd_session *session, struct herd_span bytes)
{
    struct herd_input_result result;
    world->out.len = 0;
    must(herd_session_input(session, bytes, world->now, &world->out, &result), "input");
    take_effects(world->node);
    for (size_t i = 0; i < world->link_count; i++) {
        while (herd_session_want_write(world->links[i])) {
            world->out.len = 0;
            must(herd_session_write(world->links[i], 65536, world->now, &world->out), "write");
        }
    }
}

static void world_begin(struct world *world, size_t link_count)
{
    const struct herd_span peers[LINKS_MAX] = {herd_span_of("Aaa"), herd_span_of("Bbb"), herd_span_of("Yyy"),
                                               herd_span_of("Zzz")};
    const struct herd_node_options options = {
        .name = herd_span_of("Riley"), .peers = peers, .peer_count = LINKS_MAX, .seed = {1, 2}};
    *world = (struct world){.now = {.wall_ns = WALL_NS, .steady_ns = 1}, .link_count = link_count};
    must(herd_node_new(&world->node, &options), "node");
    must(herd_session_open(world->node, &world->client, NULL, world->now), "open");
    for (size_t i = 0; i < link_count; i++)
        introduce(world, i);
    pass(world, IAMAT, world->client, NULL, plain_read, NULL); /* the ids are known, memory is there */
    pass(world, IAMAT, world->client, NULL, plain_read, NULL);
}

static void world_end(struct world *world)
{
    herd_buf_fini(&world->out);
    herd_node_free(world->node);
}

static unsigned count_reports(size_t links)
{
    struct world world;
    world_begin(&world, links);
    for (int i = 0; i < PASSES; i++)
        pass(&world, IAMAT, world.client, NULL, counted_read, NULL);
    if (herd_node_stats(world.node).reports != (PASSES + 2) * IDS)
        die("not every report was news");
    world_end(&world);
    return PASSES * IDS;
}

static unsigned count_iamat(void)
{
    return count_reports(0);
}

static unsigned count_iamat_4(void)
{
    return count_reports(4);
}

/* News from Aaa, written for Bbb, which then brings the same lines. Either the one or the other is counted. */
static unsigned count_at(bool copies)
{
    struct world world;
    world_begin(&world, 2);
    for (int i = 0; i < PASSES; i++)
        pass(&world, AT, world.links[0], world.links[1], copies ? plain_read : counted_read,
             copies ? counted_read : plain_read);
    struct herd_node_stats stats = herd_node_stats(world.node);
    if (stats.at_new != PASSES * IDS || stats.at_received != 2 * PASSES * IDS)
        die("not what was meant to be news");
    world_end(&world);
    return PASSES * IDS;
}

static unsigned count_at_fresh(void)
{
    return count_at(false);
}

static unsigned count_at_copy(void)
{
    return count_at(true);
}

/* ---- two nodes that know different things, and link up ---- */

struct end {
    struct herd_node *node;
    struct herd_session *session;
    struct herd_buf in; /* of the other side, not used up yet */
};

static void end_begin(struct end *end, const char *name, const char *peer, struct herd_now now)
{
    const struct herd_span peers[] = {herd_span_of(peer)};
    const struct herd_node_options options = {
        .name = herd_span_of(name), .peers = peers, .peer_count = 1, .seed = {3, 4}};
    struct herd_session *client;
    struct herd_input_result result;
    struct herd_buf out = {0};
    *end = (struct end){0};
    must(herd_node_new(&end->node, &options), "node");
    must(herd_session_open(end->node, &client, NULL, now), "open");
    for (unsigned i = 0; i < 5 * IDS; i++) { /* one id in five is known here alone, each fifth of these to both */
        char line[LINE_BYTES], *id = line + sizeof "IAMAT client.example.com/" - 1;
        size_t len = put_line(line, IAMAT, i, i);
        if (i % 5 == 0)
            *id = *name;
        must(
            herd_session_input(client, (struct herd_span){line, len}, (struct herd_now){WALL_NS, 1}, &out, &result),
            "input");
        out.len = 0;
    }
    herd_buf_fini(&out);
    herd_session_close(client);
    take_effects(end->node);
}

/* A turn of one side: what came is taken, what is owed is given to the other. */
static void take_turn(struct end *end, struct end *other, struct herd_now now)
{
    struct herd_input_result result = {0};
    herd_node_tick(end->node, now);
    if (end->in.len > 0) {
        must(
            herd_session_input(end->session, (struct herd_span){end->in.at, end->in.len}, now, &other->in, &result),
            "input");
        memmove(end->in.at, end->in.at + result.consumed, end->in.len - result.consumed);
        end->in.len -= result.consumed;
    }
    take_effects(end->node);
    must(herd_session_write(end->session, 65536, now, &other->in), "write");
}

static bool at_rest(const struct end ends[2])
{
    return ends[0].in.len + ends[1].in.len == 0 &&
           herd_store_digest(herd_node_store(ends[0].node)) == herd_store_digest(herd_node_store(ends[1].node));
}

__attribute__((noinline)) void counted_link_up(struct end ends[2], struct herd_now now);
void counted_link_up(struct end ends[2], struct herd_now now)
{
    int turns = 0;
    must(herd_session_connected(ends[0].node, &ends[0].session, NULL, 0, now, &ends[1].in), "connected");
    must(herd_session_open(ends[1].node, &ends[1].session, NULL, now), "open");
    do {
        if (turns++ > TURNS_MAX)
            die("they do not agree");
        now.steady_ns += 1000000;
        for (int i = 1; i >= 0; i--)
            take_turn(&ends[i], &ends[1 - i], now);
    } while (!at_rest(ends));
}

static unsigned count_link_up(void)
{
    struct end ends[2];
    struct herd_now now = {WALL_NS, 1};
    end_begin(&ends[0], "Aaa", "Zzz", now);
    end_begin(&ends[1], "Zzz", "Aaa", (struct herd_now){WALL_NS, 1});
    counted_link_up(ends, now);
    for (int i = 0; i < 2; i++) {
        if (herd_store_count(herd_node_store(ends[i].node)) != 6 * IDS)
            die("%zu records", herd_store_count(herd_node_store(ends[i].node)));
        herd_buf_fini(&ends[i].in);
        herd_node_free(ends[i].node);
    }
    return 2 * IDS;
}

/* ---- a server on a loop ---- */

struct served {
    struct event_base *base;
    struct herd_config *config;
    struct herd_server *server;
    struct herd_log *log;
    int fds[CONNS];
    int conns;
    uint64_t logged_bytes;
    unsigned sequence;
};

static int sink(void *ctx, const char *bytes, size_t len)
{
    (void)bytes;
    ((struct served *)ctx)->logged_bytes += len;
    return 0;
}

__attribute__((noinline)) void counted_loop(struct event_base *base);
void counted_loop(struct event_base *base)
{
    if (event_base_loop(base, EVLOOP_NONBLOCK) < 0)
        die("loop");
}

static void plain_loop(struct event_base *base)
{
    if (event_base_loop(base, EVLOOP_NONBLOCK) < 0)
        die("loop");
}

/* A socket in the abstract name space that listens: nobody else's, and the kernel delivers at once. */
static int listen_somewhere(struct sockaddr_un *ret_at, socklen_t *ret_len)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *ret_at = (struct sockaddr_un){.sun_family = AF_UNIX};
    *ret_len = sizeof *ret_at;
    if (fd < 0 || bind(fd, (struct sockaddr *)ret_at, sizeof(sa_family_t)) < 0 || listen(fd, CONNS) < 0 ||
        getsockname(fd, (struct sockaddr *)ret_at, ret_len) < 0)
        die("listen: %s", strerror(errno));
    return fd;
}

/* What of a server is switched on beside lines. */
enum features { NOTHING, BUFFEREVENTS, LOG, EYES };

static void served_begin(struct served *served, int conns, enum features features)
{
    char json[256], ports[64] = "";
    const bool log = features == LOG, bufferevents = features == BUFFEREVENTS;
    struct herd_diagnostic diagnostic = {0};
    struct sockaddr_un at;
    socklen_t at_len;
    *served = (struct served){.base = event_base_new(), .conns = conns};
    if (features == EYES)
        snprintf(ports, sizeof ports, ",\"http_port\":%u,\"admin_port\":%u", free_port(), free_port());
    snprintf(json, sizeof json,
             "{\"servers\":{\"Riley\":{\"port\":1%s}},\"links\":[],\"places\":{\"provider\":\"embedded\"}}", ports);
    if (!served->base || herd_config_parse(&served->config, herd_span_of(json), &diagnostic) < 0)
        die("configuration: %s", diagnostic.message);
    struct herd_log_options log_options = {.traffic = true, .sink = sink, .sink_ctx = served};
    if (log)
        must(herd_log_new(&served->log, &log_options), "log");
    struct herd_server_options options = {.name = "Riley", .config = served->config, .log = served->log};
    if (bufferevents)
        options.dont_listen = true;
    else
        options.listen_fd = listen_somewhere(&at, &at_len);
    if (herd_server_new(&served->server, served->base, &options, &diagnostic) < 0)
        die("server: %s", diagnostic.message);
    for (int i = 0; i < conns; i++) {
        int pair[2] = {-1, -1};
        if (bufferevents) {
            if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
                die("socketpair: %s", strerror(errno));
            struct bufferevent *bev = bufferevent_socket_new(served->base, pair[1], BEV_OPT_CLOSE_ON_FREE);
            must(bev ? herd_server_adopt_client(served->server, bev) : HERD_E_NOMEM, "adopt");
        } else {
            pair[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
            if (pair[0] < 0 || connect(pair[0], (struct sockaddr *)&at, at_len) < 0)
                die("connect: %s", strerror(errno));
        }
        served->fds[i] = pair[0];
        plain_loop(served->base);
    }
}

static void served_end(struct served *served)
{
    for (int i = 0; i < served->conns; i++)
        close(served->fds[i]);
    herd_server_free(served->server);
    plain_loop(served->base);
    herd_log_free(served->log);
    herd_config_free(served->config);
    event_base_free(served->base);
}

/* How many answers are in what one connection has: an AT line each, and of WHATSAT the empty line behind it. */
static unsigned take_answers(int fd, enum kind_of_line kind)
{
    static char bytes[1 << 20];
    unsigned answers = 0;
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);
    for (ssize_t i = 0; i < n; i++)
        answers += bytes[i] == '\n' && (kind == IAMAT || (i > 0 && bytes[i - 1] == '\n'));
    return answers;
}

/* As many requests as ids, PIPELINED at a time on each connection. */
static void serve(struct served *served, enum kind_of_line kind, void loop(struct event_base *))
{
    for (unsigned id = 0; id < IDS;) {
        unsigned asked = 0, answered = 0;
        for (int conn = 0; conn < served->conns; conn++) {
            char text[PIPELINED * LINE_BYTES];
            size_t len = 0;
            for (int i = 0; i < PIPELINED && id < IDS; i++, asked++)
                len += put_line(text + len, kind, id++ * 7 % IDS, served->sequence++);
            if (len > 0 && send(served->fds[conn], text, len, MSG_NOSIGNAL) != (ssize_t)len)
                die("send: %s", strerror(errno));
        }
        for (int turns = 0; answered < asked; turns++) {
            if (turns > TURNS_MAX)
                die("no answer");
            loop(served->base);
            for (int conn = 0; conn < served->conns; conn++)
                answered += take_answers(served->fds[conn], kind);
        }
    }
}

static unsigned count_served(enum kind_of_line kind, enum features features)
{
    struct served served;
    served_begin(&served, CONNS, features);
    serve(&served, IAMAT, plain_loop);
    serve(&served, kind, plain_loop);
    herd_log_flush(served.log);
    uint64_t before = served.logged_bytes;
    for (int i = 0; i < PASSES; i++)
        serve(&served, kind, counted_loop);
    herd_log_flush(served.log);
    if (features == LOG)
        printf("logged %.0f\n", (double)(served.logged_bytes - before) / (PASSES * IDS));
    served_end(&served);
    return PASSES * IDS;
}

static unsigned count_socket(void)
{
    return count_served(IAMAT, NOTHING);
}

static unsigned count_logged(void)
{
    return count_served(IAMAT, LOG);
}

static unsigned count_bufferevent(void)
{
    return count_served(IAMAT, BUFFEREVENTS);
}

static unsigned count_eyes(void)
{
    return count_served(IAMAT, EYES);
}

static unsigned count_whatsat(void)
{
    return count_served(WHATSAT, NOTHING);
}

static const struct {
    const char *name;
    unsigned (*run)(void);
} kinds[] = {
    {"iamat", count_iamat},
    {"iamat-4-links", count_iamat_4},
    {"at-fresh", count_at_fresh},
    {"at-duplicate", count_at_copy},
    {"link-up-record", count_link_up},
    {"iamat-socket", count_socket},
    {"iamat-eyes", count_eyes},
    {"iamat-logged", count_logged},
    {"iamat-bufferevent", count_bufferevent},
    {"whatsat", count_whatsat},
    {"http-request", count_http_request},
    {"http-reply", count_http_reply},
    {"owntracks", count_owntracks},
    {"scrape", count_scrape},
    {"scrape-100000", count_scrape_of_many},
};

int main(int argc, char **argv)
{
    const char *wanted = argc == 2 ? argv[1] : "";
    if (strcmp(wanted, "--build") == 0) {
        printf("%s, libc %s, libevent %s\n", BUILD, gnu_get_libc_version(), event_get_version());
        return 0;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(wanted, "--list") == 0)
            puts(kinds[i].name);
        else if (strcmp(wanted, kinds[i].name) == 0)
            return printf("lines %u\n", kinds[i].run()) < 0;
    }
    if (strcmp(wanted, "--list") == 0)
        return 0;
    fputs("usage: instructions-of KIND | --list | --build\n", stderr);
    return 2;
}
