/* SPDX-License-Identifier: MIT */
/*
 * Reports a client that moves along a GPX file's points, one after the other, to whichever server of a herd can be
 * reached; when that one goes away, to the next. At the end it asks what is near. A file that is wrong somewhere ends
 * the walk there, with its line.
 *
 *     tracker [--ca FILE] [--herd NAME] [--name NAME]... [--token-file FILE] INTERVAL_MS ID TRACK.gpx HOST:PORT...
 *     tracker 1000 walker examples/walk.gpx 127.0.0.1:12000 127.0.0.1:12003
 *
 * With --ca it speaks TLS: a server has to show a certificate that leads to these roots, and to be a server of the herd
 * (--herd) with the name of its place (--name, one for each server, in their order), or any of it; without --herd the names
 * are DNS names. A token comes from a file, whose first line it is: arguments are seen by everybody on the machine.
 */
#include "gpx.h"

#include <herd/client.h>
#include <herd/config.h>

#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVERS_MAX 16

struct tracker {
    struct event_base *base;
    struct herd_client *client;
    struct event *timer;
    struct herd_client_address servers[SERVERS_MAX];
    const char *id;
    const char *path;
    struct gpx *track;
    bool asked;
    int status;
};

/* The next point of the track, as a place. False: there is none. */
static bool next_point(struct tracker *tracker, char place[HERD_CLIENT_POSITION_MAX])
{
    struct gpx_point point;
    return gpx_next(tracker->track, &point) &&
           herd_client_format_position(place, point.lat_deg, point.lon_deg) == 0;
}

static void on_reported(void *ctx, int err, const struct herd_client_reply *reply)
{
    (void)ctx;
    if (err < 0)
        printf("not reported: %s\n", herd_strerror(err));
    else
        printf("%.*s took %.*s\n", (int)reply->record.server.len, reply->record.server.at,
               (int)reply->record.position.len, reply->record.position.at);
    fflush(stdout);
}

static void on_places(void *ctx, int err, const struct herd_client_reply *reply)
{
    struct tracker *tracker = ctx;
    if (err < 0) {
        printf("no answer: %s\n", herd_strerror(err));
    } else {
        printf("%.*s says what is near: %.*s\n", (int)reply->record.server.len, reply->record.server.at,
               (int)reply->json.len, reply->json.at);
        tracker->status = gpx_fault(tracker->track) ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    event_base_loopbreak(tracker->base);
}

static void on_interval(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct tracker *tracker = arg;
    char place[HERD_CLIENT_POSITION_MAX];
    int err = 0;
    if (tracker->asked)
        return;
    if (next_point(tracker, place)) {
        err = herd_client_report(tracker->client, herd_span_of(tracker->id), herd_span_of(place), herd_span_of(""),
                                 on_reported, tracker);
    } else {
        if (gpx_fault(tracker->track))
            fprintf(stderr, "%s: %s\n", tracker->path, gpx_fault(tracker->track));
        tracker->asked = true;
        err = herd_client_whatsat(tracker->client, herd_span_of(tracker->id), herd_span_of("10"), 2, on_places,
                                  tracker);
    }
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", tracker->id, herd_strerror(err));
        event_base_loopbreak(tracker->base);
    }
}

static void on_down(void *ctx, size_t server, const char *why)
{
    const struct tracker *tracker = ctx;
    printf("%s:%u: %s\n", tracker->servers[server].host, (unsigned)tracker->servers[server].port, why);
    fflush(stdout);
}

/* HOST:PORT, cut in two where it stands. */
static bool parse_address(char *text, struct herd_client_address *ret)
{
    char *colon = strrchr(text, ':');
    unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 0;
    if (!colon || port < 1 || port > 65535)
        return false;
    *colon = '\0';
    *ret = (struct herd_client_address){text, (uint16_t)port};
    return true;
}

struct arguments {
    struct herd_client_tls tls;
    const char *names[SERVERS_MAX];
    size_t name_count;
    char token[256];
};

/* The first line of a file. */
static bool read_token(const char *path, char token[256])
{
    FILE *file = fopen(path, "r");
    bool good = file && fgets(token, 256, file);
    if (good)
        token[strcspn(token, "\r\n")] = '\0';
    else
        perror(path);
    if (file)
        fclose(file);
    return good;
}

static bool parse_options(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {{"ca", required_argument, NULL, 'c'},
                                            {"herd", required_argument, NULL, 'h'},
                                            {"name", required_argument, NULL, 'n'},
                                            {"token-file", required_argument, NULL, 't'},
                                            {0}};
    for (int option; (option = getopt_long(argc, argv, "+", options, NULL)) != -1;) {
        switch (option) {
        case 'c': arguments->tls.ca = optarg; break;
        case 'h': arguments->tls.herd = optarg; break;
        case 'n':
            if (arguments->name_count == SERVERS_MAX)
                return false;
            arguments->names[arguments->name_count++] = optarg;
            break;
        case 't':
            if (!read_token(optarg, arguments->token))
                return false;
            break;
        default: return false;
        }
    }
    arguments->tls.names = arguments->names;
    return argc - optind >= 4 && (arguments->tls.ca || (!arguments->tls.herd && arguments->name_count == 0));
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct herd_diagnostic diagnostic = {0};
    bool good = parse_options(argc, argv, &arguments);
    argc -= optind - 1;
    argv += optind - 1;
    struct tracker tracker = {.status = EXIT_FAILURE};
    struct herd_client_options options = {.servers = tracker.servers,
                                          .connect_ms = 1000,
                                          .retry_max_ms = 1000,
                                          .ctx = &tracker,
                                          .on_disconnect = on_down,
                                          .tls = arguments.tls.ca ? &arguments.tls : NULL,
                                          .token = arguments.token[0] ? arguments.token : NULL,
                                          .diagnostic = &diagnostic};
    for (int i = 4; good && i < argc && options.server_count < SERVERS_MAX; i++)
        if (parse_address(argv[i], &tracker.servers[options.server_count]))
            options.server_count++;
    if (!good || options.server_count == 0) {
        fputs("usage: tracker [--ca FILE] [--herd NAME] [--name NAME]... [--token-file FILE]\n"
              "               INTERVAL_MS ID TRACK.gpx HOST:PORT...\n",
              stderr);
        return 2;
    }
    long interval_ms = strtol(argv[1], NULL, 10);
    struct timeval interval = {interval_ms / 1000, interval_ms % 1000 * 1000};
    signal(SIGPIPE, SIG_IGN);
    tracker.id = argv[2];
    char why[128];
    tracker.path = argv[3];
    tracker.track = gpx_open(argv[3], why, sizeof why);
    if (!tracker.track) {
        fprintf(stderr, "%s: %s\n", argv[3], why);
        return EXIT_FAILURE;
    }
    tracker.base = event_base_new();
    if (tracker.base && herd_client_new(&tracker.client, tracker.base, &options) < 0)
        fprintf(stderr, "%s\n", diagnostic.message);
    explicit_bzero(arguments.token, sizeof arguments.token);
    if (tracker.client && (tracker.timer = event_new(tracker.base, -1, EV_PERSIST, on_interval, &tracker)) &&
        event_add(tracker.timer, &interval) == 0)
        event_base_dispatch(tracker.base);
    herd_client_free(tracker.client);
    if (tracker.timer)
        event_free(tracker.timer);
    if (tracker.base)
        event_base_free(tracker.base);
    gpx_close(tracker.track);
    return tracker.status;
}
