/* SPDX-License-Identifier: MIT */
/*
 * The generator for TLS, and for plain connections that are to be compared with it: every reply checked, the server's CPU
 * as one line of JSON.
 *
 *     requests     connections that each write --depth reports at a time; the next when all are answered
 *     handshakes   --clients at once, of each one connection after the other: handshake, one request, goodbye
 *     idle         connections that make one request each and stay until standard input ends
 *     crowd        all connections shake hands at once, again and again for --ms
 *
 * OpenSSL on blocking sockets, but for the crowd: what the generator spends is not accounted.
 */
#include "edge.h"
#include "requests.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_BYTES 65536
#define SETTLE_NS  60000000

static const char usage[] =
    "usage: bench-tls requests|handshakes|idle|crowd --port PORT [options]\n"
    "  --ca FILE                roots; without it connections are plain\n"
    "  --certificate, --key     of the client\n"
    "  --mode MODE              what is asked: iamat (the default), echo, redis-set\n"
    "  --connections (50)  --depth (1)  --count (10000)  --warm (0)  --ms (3000)  --clients (1)\n"
    "  --pid PID  --time NANOSECONDS  --cpu CPU";

struct connection {
    int fd;
    SSL *ssl; /* NULL: plain */
    char part[4096];
    size_t part_len;
    bool done, refused;
};

static struct {
    struct request_plan plan;
    struct connection *connections;
    SSL_CTX *ctx;
    const char *ca, *certificate, *key;
    char *text;
    size_t connection_count, clients;
    uint64_t depth, count, warm, sequence, random;
    int64_t bound_ns;
    pid_t pid;
    uint16_t port;
    int cpu;
} tls;

static _Noreturn void die_tls(const char *what)
{
    die("%s: %s", what, ERR_error_string(ERR_peek_error(), NULL));
}

static void options_read(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", 1, NULL, 'p'},        {"ca", 1, NULL, 'a'},      {"key", 1, NULL, 'k'},
        {"certificate", 1, NULL, 'C'}, {"mode", 1, NULL, 'm'},    {"connections", 1, NULL, 'c'},
        {"depth", 1, NULL, 'd'},       {"count", 1, NULL, 'n'},   {"warm", 1, NULL, 'w'},
        {"ms", 1, NULL, 's'},          {"pid", 1, NULL, 'P'},     {"time", 1, NULL, 't'},
        {"cpu", 1, NULL, 'u'},         {"clients", 1, NULL, 'l'}, {NULL, 0, NULL, 0}};
    int c;

    tls.plan.mode = MODE_IAMAT;
    tls.plan.id_bytes = 28;
    tls.plan.time_ns = 1621464827959498503;
    tls.plan.server = "";
    tls.connection_count = 50;
    tls.clients = 1;
    tls.depth = tls.random = 1;
    tls.count = 10000;
    tls.bound_ns = 3000000000;
    tls.cpu = -1;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'p': tls.port = (uint16_t)number_of(optarg, "--port", 1, 65535); break;
        case 'a': tls.ca = optarg; break;
        case 'k': tls.key = optarg; break;
        case 'C': tls.certificate = optarg; break;
        case 'm':
            if (request_mode_of(optarg, &tls.plan.mode) < 0)
                die("no mode %s", optarg);
            break;
        case 'c': tls.connection_count = (size_t)number_of(optarg, "--connections", 1, 50000); break;
        case 'd': tls.depth = (uint64_t)number_of(optarg, "--depth", 1, 256); break;
        case 'n': tls.count = (uint64_t)number_of(optarg, "--count", 1, 100000000); break;
        case 'w': tls.warm = (uint64_t)number_of(optarg, "--warm", 0, 100000000); break;
        case 's': tls.bound_ns = number_of(optarg, "--ms", 1, 3600000) * 1000000; break;
        case 'P': tls.pid = (pid_t)number_of(optarg, "--pid", 1, INT32_MAX); break;
        case 't': tls.plan.time_ns = number_of(optarg, "--time", 0, INT64_C(9000000000000000000)); break;
        case 'l': tls.clients = (size_t)number_of(optarg, "--clients", 1, 64); break;
        case 'u': tls.cpu = (int)number_of(optarg, "--cpu", 0, 1023); break;
        default: die("%s", usage);
        }
    }
    if (tls.port == 0 || optind + 1 != argc)
        die("%s", usage);
}

static void context_make(void)
{
    if (tls.ca == NULL)
        return;
    tls.ctx = SSL_CTX_new(TLS_client_method());
    if (tls.ctx == NULL || SSL_CTX_set_min_proto_version(tls.ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_load_verify_locations(tls.ctx, tls.ca, NULL) != 1)
        die_tls(tls.ca);
    SSL_CTX_set_verify(tls.ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(tls.ctx, SSL_MODE_RELEASE_BUFFERS);
    if (tls.certificate != NULL && (SSL_CTX_use_certificate_chain_file(tls.ctx, tls.certificate) != 1 ||
                                    SSL_CTX_use_PrivateKey_file(tls.ctx, tls.key, SSL_FILETYPE_PEM) != 1))
        die_tls(tls.certificate);
}

/* Connected; blocking unless it is one of a crowd. */
static void open_one(struct connection *c, bool blocking)
{
    *c = (struct connection){.fd = dial(tls.port)};
    if (blocking && fcntl(c->fd, F_SETFL, 0) < 0)
        die("fcntl: %s", strerror(errno));
    if (tls.ctx == NULL)
        return;
    c->ssl = SSL_new(tls.ctx);
    if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1)
        die_tls("no session");
    SSL_set_connect_state(c->ssl);
    if (blocking && SSL_do_handshake(c->ssl) != 1)
        die_tls("handshake");
}

static void close_one(struct connection *c)
{
    if (c->ssl != NULL) {
        SSL_shutdown(c->ssl);
        SSL_free(c->ssl);
    }
    close(c->fd);
    ERR_clear_error();
}

static void open_all(void)
{
    tls.connections = calloc(tls.connection_count, sizeof(*tls.connections));
    if (tls.connections == NULL)
        die("out of memory");
    for (size_t i = 0; i < tls.connection_count; i++)
        open_one(&tls.connections[i], true);
}

/* ---- requests ---- */

/* Reports of the connection's own ids, each newer than the one before. */
static void requests_write(size_t at, uint64_t depth, char *text)
{
    for (uint64_t k = 0; k < depth; k++, tls.sequence++)
        request_write(&tls.plan, text + k * tls.plan.stride,
                      random_next(&tls.random) % 1000 * tls.connection_count + at, tls.sequence,
                      random_next(&tls.random));
}

static void put(struct connection *c, const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n =
            c->ssl != NULL ? SSL_write(c->ssl, text + at, (int)(len - at)) : write(c->fd, text + at, len - at);

        if (n <= 0)
            die("the server closed a connection");
        at += (size_t)n;
    }
}

/* Reads until all of `depth` requests are answered. */
static void get(struct connection *c, const char *text, uint64_t depth)
{
    static char buffer[READ_BYTES + sizeof(c->part)];
    uint64_t done = 0;

    while (done < depth) {
        size_t len = c->part_len, used = 0;
        ssize_t n;

        memcpy(buffer, c->part, len);
        n = c->ssl != NULL ? SSL_read(c->ssl, buffer + len, READ_BYTES) : read(c->fd, buffer + len, READ_BYTES);
        if (n <= 0)
            die("the server closed a connection");
        for (len += (size_t)n; done < depth; done++) {
            long reply = reply_cut(&tls.plan, buffer + used, len - used, text + done * tls.plan.stride);

            if (reply < 0)
                die("wrong reply: %.*s", (int)(len - used > 200 ? 200 : len - used), buffer + used);
            if (reply == 0)
                break;
            used += (size_t)reply;
        }
        c->part_len = len - used;
        if (c->part_len > sizeof(c->part) || (done == depth && c->part_len > 0))
            die("more than was asked for");
        memcpy(c->part, buffer + used, c->part_len);
    }
}

static void run_requests(uint64_t count)
{
    size_t bytes = (size_t)tls.depth * tls.plan.stride;

    for (uint64_t told = 0; told < count; told += tls.depth * tls.connection_count) {
        for (size_t i = 0; i < tls.connection_count; i++) {
            requests_write(i, tls.depth, tls.text + i * bytes);
            put(&tls.connections[i], tls.text + i * bytes, bytes);
        }
        for (size_t i = 0; i < tls.connection_count; i++)
            get(&tls.connections[i], tls.text + i * bytes, tls.depth);
    }
}

static int64_t server_cpu_ns(void)
{
    sleep_ns(SETTLE_NS);
    return tls.pid > 0 ? cpu_ns_of(tls.pid) : 0;
}

static void requests(void)
{
    open_all();
    run_requests(tls.warm);
    uint64_t before = tls.sequence;
    int64_t cpu = server_cpu_ns();
    run_requests(tls.count);
    printf("{\"requests\":%" PRIu64 ",\"cpu_ns_per_request\":%.1f}\n", tls.sequence - before,
           (double)(server_cpu_ns() - cpu) / (double)(tls.sequence - before));
}

static void shake_hands(uint64_t count)
{
    while (count-- > 0) {
        struct connection c;

        open_one(&c, true);
        requests_write(0, 1, tls.text);
        put(&c, tls.text, tls.plan.stride);
        get(&c, tls.text, 1);
        close_one(&c);
    }
}

/* All clients, each a process; `count` of each. */
static void run_clients(uint64_t count)
{
    int status;

    for (size_t i = 0; i < tls.clients; i++) {
        pid_t child = fork();

        if (child < 0)
            die("fork: %s", strerror(errno));
        if (child == 0) {
            tls.sequence += i * count;
            shake_hands(count);
            _exit(0);
        }
    }
    for (size_t i = 0; i < tls.clients; i++)
        if (wait(&status) < 0 || status != 0)
            die("a client failed");
    tls.sequence += tls.clients * count;
}

static void handshakes(void)
{
    uint64_t each = (tls.count + tls.clients - 1) / tls.clients;
    int64_t cpu;

    run_clients(tls.warm / tls.clients);
    cpu = server_cpu_ns();
    run_clients(each);
    printf("{\"handshakes\":%" PRIu64 ",\"cpu_ns_per_handshake\":%.1f}\n", each * tls.clients,
           (double)(server_cpu_ns() - cpu) / (double)(each * tls.clients));
}

static void idle(void)
{
    char byte;

    open_all();
    run_requests(1);
    printf("{\"connections\":%zu}\n", tls.connection_count);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
}

/* ---- a crowd ---- */

static void shake(int ep, struct connection *c, uint64_t *io_left)
{
    int result, error;

    if (c->done)
        return;
    ERR_clear_error();
    result = SSL_do_handshake(c->ssl);
    if (result == 1) {
        c->done = true;
        --*io_left;
        return;
    }
    error = SSL_get_error(c->ssl, result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) { /* more at once than the server takes */
        c->done = c->refused = true;
        --*io_left;
        epoll_ctl(ep, EPOLL_CTL_DEL, c->fd, NULL);
        return;
    }
    struct epoll_event event = {.events = error == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT, .data.ptr = c};
    if (epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &event) < 0)
        die("epoll_ctl: %s", strerror(errno));
}

static void crowd(void)
{
    int64_t end = clock_ns() + tls.bound_ns;
    uint64_t rounds = 0, refused = 0;
    struct epoll_event events[256];

    if (tls.ctx == NULL)
        die("a crowd needs --ca");
    tls.connections = calloc(tls.connection_count, sizeof(*tls.connections));
    for (; clock_ns() < end; rounds++) {
        int ep = epoll_create1(EPOLL_CLOEXEC);
        uint64_t left = tls.connection_count;

        for (size_t i = 0; i < tls.connection_count; i++) {
            struct connection *c = &tls.connections[i];
            struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};

            open_one(c, false);
            if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &event) < 0)
                die("epoll_ctl: %s", strerror(errno));
        }
        while (left > 0) {
            int n = epoll_wait(ep, events, 256, 20000);

            if (n <= 0)
                die("%" PRIu64 " handshakes do not end", left);
            for (int i = 0; i < n; i++)
                shake(ep, events[i].data.ptr, &left);
        }
        for (size_t i = 0; i < tls.connection_count; i++) {
            refused += tls.connections[i].refused;
            close_one(&tls.connections[i]);
        }
        close(ep);
    }
    printf("{\"handshakes\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"seconds\":%.3f}\n",
           rounds * tls.connection_count - refused, refused, (double)(clock_ns() - end + tls.bound_ns) / 1e9);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } modes[] = {{"requests", requests}, {"handshakes", handshakes}, {"idle", idle}, {"crowd", crowd}};

    options_read(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    if (tls.cpu >= 0)
        pin_to(tls.cpu);
    context_make();
    request_plan_init(&tls.plan);
    tls.text = malloc(tls.connection_count * (size_t)tls.depth * tls.plan.stride);
    if (tls.text == NULL)
        die("out of memory");
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        if (strcmp(modes[i].name, argv[optind]) != 0)
            continue;
        modes[i].run();
        return fflush(stdout) == 0 ? 0 : 1;
    }
    die("%s", usage);
}
