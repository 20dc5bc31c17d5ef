/* SPDX-License-Identifier: MIT */
/*
 * Prints who comes within 200 m of a place, and who goes, whatever server of the herd they report to: a node inside this
 * program knows them all, and has a fence around the place.
 *
 *     near LATITUDE LONGITUDE                     Riley of the built-in herd
 *     near LATITUDE LONGITUDE herd.json NAME      a server of a herd of your own
 */
#include <herd/herd.h>

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define RADIUS_M 200
/* Whose position jitters at the border goes only when it is so far outside. */
#define MARGIN_M 20

static void on_fence(void *ctx, const struct herd_fence_event *event)
{
    const struct herd_span id = event->record.id, position = event->record.position;
    (void)ctx;
    if (event->kind == HERD_FENCE_ENTER)
        printf("%.*s comes: %.*s\n", (int)id.len, id.at, (int)position.len, position.at);
    else
        printf("%.*s %s\n", (int)id.len, id.at, event->gone ? "is gone" : "goes");
    fflush(stdout);
}

static int set_fence(struct herd_server *server, double lat_deg, double lon_deg)
{
    struct herd_shape *circle = NULL;
    const struct herd_fence_options options = {.kinds = HERD_FENCE_ENTER | HERD_FENCE_LEAVE, .margin_m = MARGIN_M};
    int err = herd_shape_circle(&circle, lat_deg, lon_deg, RADIUS_M);
    if (err >= 0)
        err = herd_area_fence_set(herd_server_area(server), herd_span_of("place"), circle, &options);
    if (err < 0) {
        herd_shape_free(circle);
        fprintf(stderr, "no fence at %f,%f: %s\n", lat_deg, lon_deg, herd_strerror(err));
    }
    return err;
}

static void on_interrupt(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(arg);
}

static int run(struct event_base *base)
{
    struct event *interrupt = evsignal_new(base, SIGINT, on_interrupt, base);
    int status = 1;
    if (interrupt && event_add(interrupt, NULL) == 0)
        status = event_base_dispatch(base) < 0;
    if (interrupt)
        event_free(interrupt);
    return status;
}

int main(int argc, char **argv)
{
    struct herd_config *config = NULL;
    struct herd_diagnostic diagnostic = {0};
    struct herd_server *server = NULL;
    if (argc != 3 && argc != 5) {
        fputs("usage: near LATITUDE LONGITUDE [herd.json NAME]\n", stderr);
        return 2;
    }
    struct event_base *base = event_base_new();
    int status = 1;
    signal(SIGPIPE, SIG_IGN);
    if (argc == 5 && herd_config_read(&config, argv[3], &diagnostic) < 0)
        fprintf(stderr, "%s:%u:%u: %s\n", argv[3], diagnostic.line, diagnostic.column, diagnostic.message);
    else if (argc == 3 && herd_config_default(&config) < 0)
        fputs("out of memory\n", stderr);
    const struct herd_server_options options = {
        .name = argc == 5 ? argv[4] : "Riley",
        .config = config,
        .hooks = {.fence = on_fence}, /* for this the server keeps an area */
    };
    if (base && config && herd_server_new(&server, base, &options, &diagnostic) < 0)
        fprintf(stderr, "%s\n", diagnostic.message);
    if (server && set_fence(server, strtod(argv[1], NULL), strtod(argv[2], NULL)) >= 0)
        status = run(base);
    herd_server_free(server);
    herd_config_free(config);
    if (base)
        event_base_free(base);
    return status;
}
