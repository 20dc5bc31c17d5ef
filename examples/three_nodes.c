/* SPDX-License-Identifier: MIT */
/*
 * Three nodes of a herd in one process, joined by pairs of bufferevents instead of sockets:
 *
 *     client -- East ---- Middle ---- West
 *
 * A report given to East is known to West a moment later. Any bufferevent will do in place of a pair: a
 * filter, TLS, a socket that the program connected itself.
 */
#include <herd/herd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Hosts and ports are not used: nobody listens and nobody dials. */
static const char herd_json[] =
    "{\"servers\": {\"East\": {\"port\": 1}, \"Middle\": {\"port\": 2}, \"West\": {\"port\": 3}},"
    " \"links\": [[\"East\", \"Middle\"], [\"Middle\", \"West\"]]}";

enum { EAST, MIDDLE, WEST, NODES };
static const char *const names[NODES] = {"East", "Middle", "West"};

static void on_west_update(void *ctx, const struct herd_record *record)
{
    printf("West knows: %.*s is at %.*s, as %.*s heard\n", (int)record->id.len, record->id.at,
           (int)record->position.len, record->position.at, (int)record->server.len, record->server.at);
    event_base_loopbreak(ctx);
}

/* Joins two servers: one end introduces itself by name, the other learns the name from that. */
static int join(struct event_base *base, struct herd_server *from, struct herd_server *to, const char *to_name)
{
    struct bufferevent *pair[2];
    if (bufferevent_pair_new(base, BEV_OPT_DEFER_CALLBACKS, pair) < 0)
        return HERD_E_NOMEM;
    int err = herd_server_adopt_client(to, pair[1]);
    if (err < 0) {
        bufferevent_free(pair[1]); /* what was not adopted is still ours */
        bufferevent_free(pair[0]);
        return err;
    }
    err = herd_server_adopt_link(from, pair[0], to_name);
    if (err < 0)
        bufferevent_free(pair[0]);
    return err;
}

static void on_reply(struct bufferevent *bev, void *arg)
{
    (void)arg;
    char *line = evbuffer_readln(bufferevent_get_input(bev), NULL, EVBUFFER_EOL_LF);
    if (line) {
        printf("East replies: %s\n", line);
        free(line);
    }
}

/* A client of East, likewise without a socket. */
static struct bufferevent *report(struct event_base *base, struct herd_server *east)
{
    static const char line[] = "IAMAT kiwi +34.068930-118.445127 1621464827.959498503\n";
    struct bufferevent *pair[2];
    if (bufferevent_pair_new(base, BEV_OPT_DEFER_CALLBACKS, pair) < 0)
        return NULL;
    if (herd_server_adopt_client(east, pair[1]) < 0) {
        bufferevent_free(pair[1]);
        bufferevent_free(pair[0]);
        return NULL;
    }
    bufferevent_setcb(pair[0], on_reply, NULL, NULL, NULL);
    bufferevent_enable(pair[0], EV_READ | EV_WRITE);
    bufferevent_write(pair[0], line, strlen(line));
    return pair[0];
}

int main(void)
{
    struct event_base *base = event_base_new();
    struct herd_config *config = NULL;
    struct herd_diagnostic diagnostic = {0};
    struct herd_server *servers[NODES] = {NULL};
    struct bufferevent *client = NULL;
    int status = 1;
    if (!base || herd_config_parse(&config, herd_span_of(herd_json), &diagnostic) < 0)
        goto out;
    for (int i = 0; i < NODES; i++) {
        struct herd_server_options options = {
            .name = names[i], .config = config, .dont_listen = true, .dont_dial = true};
        if (i == WEST)
            options.hooks = (struct herd_server_hooks){.ctx = base, .update = on_west_update};
        if (herd_server_new(&servers[i], base, &options, &diagnostic) < 0)
            goto out;
    }
    if (join(base, servers[EAST], servers[MIDDLE], "Middle") < 0 ||
        join(base, servers[MIDDLE], servers[WEST], "West") < 0 || !(client = report(base, servers[EAST])))
        goto out;
    event_base_loopexit(base, &(struct timeval){10, 0}); /* should never be needed */
    event_base_dispatch(base);
    status = herd_store_count(herd_node_store(herd_server_node(servers[WEST]))) == 1 ? 0 : 1;
out:
    if (status)
        fprintf(stderr, "three_nodes: %s\n", diagnostic.message[0] ? diagnostic.message : "failed");
    if (client)
        bufferevent_free(client);
    for (int i = 0; i < NODES; i++)
        herd_server_free(servers[i]);
    herd_config_free(config);
    if (base)
        event_base_loop(base, EVLOOP_NONBLOCK); /* libevent frees pairs in a turn of the loop */
    if (base)
        event_base_free(base);
    return status;
}
