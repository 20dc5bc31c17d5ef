/* SPDX-License-Identifier: MIT */
/*
 * The library's client, for test_shards.py: does what lines of standard input say, one behind the other or all at once, and
 * prints what came of each.
 *
 *     follower [--no-follow] [--key HEX] HOST:PORT...
 *     IAMAT id position time      -> id ERR port
 *     WHATSAT id                  -> id ERR port time
 *     WAIT                        until all before it have ended
 */
#include <herd/client.h>

#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVERS_MAX 8

static struct event_base *base;
static struct herd_client *client;

static void on_done(void *ctx, int err, const struct herd_client_reply *reply)
{
    printf("%s %d %u", (char *)ctx, err, reply ? (unsigned)reply->address.port : 0);
    if (reply && reply->json.len)
        printf(" %.*s", (int)reply->record.time.len, reply->record.time.at);
    puts("");
    free(ctx);
    if (herd_client_pending(client) == 0)
        event_base_loopbreak(base);
}

static void wait_for_all(void)
{
    while (herd_client_pending(client) > 0)
        event_base_dispatch(base);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct herd_client_address servers[SERVERS_MAX];
    struct herd_client_options options = {
        .servers = servers, .follow = true, .requests_max = 100000, .timeout_ms = 30000, .retry_min_ms = 10};
    uint64_t key;
    char line[512], id[128], position[64], time[64];
    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--no-follow") == 0) {
            options.follow = false;
        } else if (strcmp(argv[i], "--key") == 0 && i + 1 < argc) {
            key = strtoull(argv[++i], NULL, 16);
            options.bucket_key = &key;
        } else if (options.server_count < SERVERS_MAX) {
            char *colon = strrchr(argv[i], ':');
            if (!colon)
                return 2;
            *colon = '\0';
            servers[options.server_count++] = (struct herd_client_address){argv[i], (uint16_t)atoi(colon + 1)};
        }
    }
    base = event_base_new();
    if (!base || herd_client_new(&client, base, &options) < 0)
        return 2;
    while (fgets(line, sizeof line, stdin)) {
        int err = HERD_E_SYNTAX;
        if (strcmp(line, "WAIT\n") == 0) {
            wait_for_all();
            continue;
        }
        if (sscanf(line, "IAMAT %127s %63s %63s", id, position, time) == 3)
            err = herd_client_report(client, herd_span_of(id), herd_span_of(position), herd_span_of(time), on_done,
                                     strdup(id));
        else if (sscanf(line, "WHATSAT %127s", id) == 1)
            err = herd_client_whatsat(client, herd_span_of(id), herd_span_of("10"), 0, on_done, strdup(id));
        if (err < 0)
            return 2;
    }
    wait_for_all();
    herd_client_free(client);
    event_base_free(base);
    return 0;
}
