/* SPDX-License-Identifier: MIT */
/*
 * Proxied look-ups: how many a second and what CPU each costs, 64 in flight, against a stub in a process of
 * its own that answers as fast as libevent's HTTP server can.
 *
 *     bench-proxied [SECONDS [BODY_BYTES]]     prints the stub's port first, for a wrk or h2load beside it
 */
#include "query.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <herd/places.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define IN_FLIGHT 64

static struct herd_buf body;

static void serve(struct evhttp_request *request, void *ctx)
{
    (void)ctx;
    struct evbuffer *out = evbuffer_new();
    evbuffer_add_reference(out, body.at, body.len, NULL, NULL);
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", "application/json");
    evhttp_send_reply(request, 200, "OK", out);
    evbuffer_free(out);
}

static unsigned start_stub(pid_t *ret_pid)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 512) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        exit(1);
    *ret_pid = fork();
    if (*ret_pid == 0) {
        struct event_base *base = event_base_new();
        struct evhttp *http = evhttp_new(base);
        evhttp_set_gencb(http, serve, NULL);
        evhttp_accept_socket(http, fd);
        event_base_dispatch(base);
        _exit(0);
    }
    close(fd);
    return ntohs(address.sin_port);
}

static struct herd_places *places;
static size_t asked, answered, good;
static double end_s;

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void answer(void *ctx, struct herd_span json, const char *origin);

/* Each question is another one, or they would share a request. */
static void ask(void)
{
    char place[64];
    struct herd_places_question q = {0};
    struct herd_places_request *handle;
    snprintf(place, sizeof place, "+34.%09zu-118.445127", asked++);
    if (herd_places_query_make_iso(&q, herd_span_of(place), herd_span_of("10"), 20) < 0 ||
        herd_places_lookup(places, &q.query, answer, NULL, &handle) < 0)
        exit(1);
    herd_places_query_fini(&q);
}

static void answer(void *ctx, struct herd_span json, const char *origin)
{
    (void)ctx;
    (void)json;
    answered++;
    good += strcmp(origin, "none") != 0;
    if (seconds(CLOCK_MONOTONIC) < end_s)
        ask();
}

int main(int argc, char **argv)
{
    static char kind[] = "google-legacy", key_env[] = "HERD_BENCH_KEY";
    double run_s = argc > 1 ? atof(argv[1]) : 3;
    size_t bytes = argc > 2 ? strtoul(argv[2], NULL, 10) : 2000;
    char url[64];
    pid_t stub;
    herd_buf_add_text(&body, "{\"results\":[{\"name\":\"");
    while (body.len < bytes)
        herd_buf_add_text(&body, "x");
    herd_buf_add_text(&body, "\"}],\"status\":\"OK\"}");
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", start_stub(&stub));
    printf("stub: %s\n", url);
    fflush(stdout);
    setenv(key_env, "key", 1);
    struct herd_config_provider provider = {
        .kind = kind, .url = url, .key_env = key_env, .timeout_ms = 5000, .in_flight_max = IN_FLIGHT};
    struct herd_config config = {.providers = &provider, .provider_count = 1};
    struct herd_diagnostic diagnostic;
    struct event_base *base = event_base_new();
    herd_limits_default(&config.limits);
    if (herd_places_new(&places, base, &config, NULL, &diagnostic) < 0) {
        fprintf(stderr, "%s\n", diagnostic.message);
        return 1;
    }
    double begin_s = seconds(CLOCK_MONOTONIC), cpu_s = seconds(CLOCK_PROCESS_CPUTIME_ID);
    end_s = begin_s + run_s;
    for (int i = 0; i < IN_FLIGHT; i++)
        ask();
    while (answered < asked && event_base_loop(base, EVLOOP_ONCE) >= 0)
        ;
    double took_s = seconds(CLOCK_MONOTONIC) - begin_s;
    cpu_s = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_s;
    printf("%zu look-ups, %zu good: %.0f a second, %.1f us of CPU each\n", answered, good,
           (double)answered / took_s, cpu_s * 1e6 / (double)answered);
    if (argc > 3) { /* for a client beside us */
        fflush(stdout);
        sleep((unsigned)atoi(argv[3]));
    }
    herd_places_free(places);
    event_base_free(base);
    herd_buf_fini(&body);
    kill(stub, SIGTERM);
    return good == answered ? 0 : 1;
}
