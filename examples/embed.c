/* SPDX-License-Identifier: MIT */
/*
 * A herd node inside a program that has work of its own on the same event loop: here, once a second, it
 * reports where the program itself is, without a socket, and says how many clients it knows.
 *
 *     embed                  Riley of the built-in herd
 *     embed herd.json NAME   a server of a herd of your own
 */
#include <herd/herd.h>

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

static void on_update(void *ctx, const struct herd_record *record)
{
    (void)ctx;
    printf("%.*s is at %.*s\n", (int)record->id.len, record->id.at, (int)record->position.len, record->position.at);
    fflush(stdout);
}

static struct herd_server *start_node(struct event_base *base, const struct herd_config *config, const char *name)
{
    struct herd_server *server = NULL;
    struct herd_diagnostic diagnostic = {0};
    const struct herd_server_options options = {
        .name = name,
        .config = config,
        .hooks = {.update = on_update},
    };
    if (herd_server_new(&server, base, &options, &diagnostic) < 0)
        fprintf(stderr, "%s\n", diagnostic.message);
    return server;
}

/* ---- the program's own life, which the node does not disturb ---- */

static void on_second(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct herd_server *server = arg;
    struct herd_store *store = herd_node_store(herd_server_node(server));
    char time_text[32];
    enum herd_verdict verdict;
    snprintf(time_text, sizeof time_text, "%lld", (long long)time(NULL));
    if (herd_server_report(server, herd_span_of("program"), herd_span_of("+34.0689-118.4452"),
                           herd_span_of(time_text), NULL, &verdict) < 0)
        fputs("the report was not taken\n", stderr);
    printf("%zu clients known\n", herd_store_count(store));
    fflush(stdout);
}

static void on_interrupt(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(arg);
}

static int run(struct event_base *base, struct herd_server *server)
{
    struct event *second = event_new(base, -1, EV_PERSIST, on_second, server);
    struct event *interrupt = evsignal_new(base, SIGINT, on_interrupt, base);
    int status = 1;
    if (second && interrupt && event_add(second, &(struct timeval){1, 0}) == 0 && event_add(interrupt, NULL) == 0)
        status = event_base_dispatch(base) < 0;
    if (second)
        event_free(second);
    if (interrupt)
        event_free(interrupt);
    return status;
}

int main(int argc, char **argv)
{
    struct herd_config *config = NULL;
    struct herd_diagnostic diagnostic = {0};
    struct herd_server *server = NULL;
    struct event_base *base = event_base_new();
    int status = 1;
    signal(SIGPIPE, SIG_IGN); /* a program's decision, so the library leaves it to the program */
    if (argc == 3 && herd_config_read(&config, argv[1], &diagnostic) < 0)
        fprintf(stderr, "%s:%u:%u: %s\n", argv[1], diagnostic.line, diagnostic.column, diagnostic.message);
    else if (argc != 3 && herd_config_default(&config) < 0)
        fputs("out of memory\n", stderr);
    if (base && config)
        server = start_node(base, config, argc == 3 ? argv[2] : "Riley");
    if (server)
        status = run(base, server);
    herd_server_free(server);
    herd_config_free(config);
    if (base)
        event_base_free(base);
    return status;
}
