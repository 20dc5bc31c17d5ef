/* SPDX-License-Identifier: MIT */
/*
 * A node that understands one command more than the protocol: `COUNT` is answered with the number of clients
 * it knows, in its place among the other replies. All else stays as it is.
 *
 *     custom_command                   Riley of the built-in herd
 *     custom_command herd.json NAME    a server of a herd of your own
 */
#include <herd/herd.h>

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>

struct program {
    struct event_base *base;
    struct herd_server *server;
};

static bool on_command(void *ctx, struct herd_span line, struct herd_buf *io_reply)
{
    const struct program *program = ctx;
    char text[32];
    if (!herd_span_equal(line, herd_span_of("COUNT")))
        return false;
    snprintf(text, sizeof text, "%zu\n", herd_store_count(herd_node_store(herd_server_node(program->server))));
    return herd_buf_add_text(io_reply, text) >= 0;
}

static void on_interrupt(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct program *program = arg;
    event_base_loopbreak(program->base);
}

static int run(struct program *program, const struct herd_config *config, const char *name)
{
    struct herd_diagnostic diagnostic = {0};
    const struct herd_server_options options = {
        .name = name,
        .config = config,
        .hooks = {.ctx = program, .command = on_command},
    };
    struct event *interrupt = evsignal_new(program->base, SIGINT, on_interrupt, program);
    int status = 1;
    if (herd_server_new(&program->server, program->base, &options, &diagnostic) < 0)
        fprintf(stderr, "%s\n", diagnostic.message);
    else if (interrupt && event_add(interrupt, NULL) == 0)
        status = event_base_dispatch(program->base) < 0;
    herd_server_free(program->server);
    if (interrupt)
        event_free(interrupt);
    return status;
}

int main(int argc, char **argv)
{
    struct program program = {.base = event_base_new()};
    struct herd_config *config = NULL;
    struct herd_diagnostic diagnostic = {0};
    int status = 1;
    signal(SIGPIPE, SIG_IGN);
    if (argc == 3 && herd_config_read(&config, argv[1], &diagnostic) < 0)
        fprintf(stderr, "%s:%u:%u: %s\n", argv[1], diagnostic.line, diagnostic.column, diagnostic.message);
    else if (argc != 3 && herd_config_default(&config) < 0)
        fputs("out of memory\n", stderr);
    if (program.base && config)
        status = run(&program, config, argc == 3 ? argv[2] : "Riley");
    herd_config_free(config);
    if (program.base)
        event_base_free(program.base);
    return status;
}
