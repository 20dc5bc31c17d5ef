/* SPDX-License-Identifier: MIT */
/* GET /metrics of a server with 64 neighbours, none of which is there, on one connection. */
#include "instructions_scrape.h"

#include <herd/herd.h>

#include <arpa/inet.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NEIGHBOURS 64
#define SCRAPES    20
#define TURNS_MAX  1000

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "scrape: %s\n", what);
    exit(1);
}

static int open_socket(uint16_t port, bool connected)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || (connected ? connect(fd, (struct sockaddr *)&at, sizeof at)
                             : bind(fd, (struct sockaddr *)&at, sizeof at)) < 0)
        die("no socket");
    return fd;
}

uint16_t free_port(void)
{
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    int fd = open_socket(0, false);
    if (getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        die("no port");
    close(fd);
    return ntohs(at.sin_port);
}

/* A server and its neighbours; it alone has an admin_port, and its neighbours are reached nowhere. */
static struct herd_config *make_config(uint16_t port, uint16_t admin_port)
{
    struct herd_config *config;
    struct herd_diagnostic diagnostic;
    struct herd_buf json = {0};
    char text[128];
    snprintf(text, sizeof text, "{\"servers\":{\"Riley\":{\"port\":%u,\"admin_port\":%u}", port, admin_port);
    int err = herd_buf_add_text(&json, text);
    for (int i = 0; i < NEIGHBOURS && err >= 0; i++) {
        snprintf(text, sizeof text, ",\"Neighbour%d\":{\"host\":\"127.0.0.2\",\"port\":%d}", i, i + 1);
        err = herd_buf_add_text(&json, text);
    }
    if (err >= 0)
        err = herd_buf_add_text(&json, "},\"links\":[");
    for (int i = 0; i < NEIGHBOURS && err >= 0; i++) {
        snprintf(text, sizeof text, "%s[\"Riley\",\"Neighbour%d\"]", i ? "," : "", i);
        err = herd_buf_add_text(&json, text);
    }
    if (err >= 0)
        err = herd_buf_add_text(&json, "]}");
    if (err < 0 || herd_config_parse(&config, (struct herd_span){json.at, json.len}, &diagnostic) < 0)
        die(err < 0 ? "no memory" : diagnostic.message);
    herd_buf_fini(&json);
    return config;
}

__attribute__((noinline)) void counted_scrape_turn(struct event_base *base);
void counted_scrape_turn(struct event_base *base)
{
    if (event_base_loop(base, EVLOOP_NONBLOCK) < 0)
        die("loop");
}

static void turn(struct event_base *base)
{
    if (event_base_loop(base, EVLOOP_NONBLOCK) < 0)
        die("loop");
}

/* Asks once, and turns the loop until all of the answer is here. */
static void scrape(struct event_base *base, int fd, void loop(struct event_base *))
{
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static char answer[1 << 20];
    size_t got = 0, whole = 0;
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)sizeof request - 1)
        die("not sent");
    for (int turns = 0; whole == 0 || got < whole; turns++) {
        if (turns > TURNS_MAX)
            die("no answer");
        loop(base);
        ssize_t n = recv(fd, answer + got, sizeof answer - 1 - got, MSG_DONTWAIT);
        got += n > 0 ? (size_t)n : 0;
        answer[got] = '\0';
        const char *end = strstr(answer, "\r\n\r\n"), *length = strstr(answer, "Content-Length: ");
        if (end && length)
            whole = (size_t)(end + 4 - answer) + strtoul(length + 16, NULL, 10);
    }
    if (got != whole || strncmp(answer, "HTTP/1.1 200 ", 13) != 0 || !strstr(answer, "\"Neighbour63\"} "))
        die("not the answer");
}

static unsigned count(unsigned records)
{
    struct event_base *base = event_base_new();
    struct herd_diagnostic diagnostic;
    struct herd_server *server;
    enum herd_verdict verdict;
    const uint16_t admin_port = free_port();
    struct herd_config *config = make_config(free_port(), admin_port);
    const struct herd_server_options options = {.name = "Riley", .config = config, .dont_dial = true};
    if (!base || herd_server_new(&server, base, &options, &diagnostic) < 0)
        die(diagnostic.message);
    for (unsigned i = 0; i < records; i++) {
        char id[32];
        int len = snprintf(id, sizeof id, "client-%u", i);
        if (herd_server_report(server, (struct herd_span){id, (size_t)len}, herd_span_of("+34.068930-118.445127"),
                               herd_span_of("1614209128.918963997"), NULL, &verdict) < 0 ||
            verdict != HERD_VERDICT_NEW)
            die("not reported");
    }
    int fd = open_socket(admin_port, true);
    scrape(base, fd, turn); /* what is needed but once is there */
    for (int i = 0; i < SCRAPES; i++)
        scrape(base, fd, counted_scrape_turn);
    close(fd);
    herd_server_free(server);
    turn(base);
    herd_config_free(config);
    event_base_free(base);
    return SCRAPES;
}

unsigned count_scrape(void)
{
    return count(1000);
}

unsigned count_scrape_of_many(void)
{
    return count(100000);
}
