/* SPDX-License-Identifier: MIT */
/* A stranger's program that joins a running herd: it becomes the server NAME of the configuration FILE, waits
 * until it hears where a client is, prints that, and ends. */
#include <herd/herd.h>

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>

static void on_update(void *ctx, const struct herd_record *record)
{
    printf("%.*s at %.*s\n", (int)record->id.len, record->id.at, (int)record->position.len, record->position.at);
    event_base_loopbreak(ctx);
}

int main(int argc, char **argv)
{
    struct herd_config *config = NULL;
    struct herd_diagnostic diagnostic = {0};
    struct herd_server *server = NULL;
    struct event_base *base = event_base_new();
    int status = 1;
    signal(SIGPIPE, SIG_IGN);
    if (!base || argc != 3 || herd_config_read(&config, argv[1], &diagnostic) < 0)
        goto out;
    const struct herd_server_options options = {
        .name = argv[2], .config = config, .hooks = {.ctx = base, .update = on_update}};
    if (herd_server_new(&server, base, &options, &diagnostic) < 0)
        goto out;
    event_base_loopexit(base, &(struct timeval){60, 0});
    event_base_dispatch(base);
    status = event_base_got_break(base) ? 0 : 1;
out:
    if (status)
        fprintf(stderr, "%s\n", diagnostic.message);
    herd_server_free(server);
    herd_config_free(config);
    if (base)
        event_base_free(base);
    return status;
}
