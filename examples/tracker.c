/* SPDX-License-Identifier: MIT */
/*
 * Reports a client that moves along a GPX track, point after point, to whichever server of a herd can be
 * reached; when that one goes away, to the next. At the end it asks what is near.
 *
 *     tracker INTERVAL_MS ID TRACK.gpx HOST:PORT...
 *     tracker 1000 walker examples/walk.gpx 127.0.0.1:12000 127.0.0.1:12003
 */
#include <herd/client.h>

#include <event2/event.h>
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
    char *track, *at; /* the file, and how far we are in it */
    bool asked;
    int status;
};

/* The number in `name="..."` between `at` and `end`. This is no XML parser: a track point has its two
 * coordinates as attributes, in either order, and nothing else is looked at. */
static bool get_attribute(const char *at, const char *end, const char *name, double *ret)
{
    size_t len = strlen(name);
    for (; at + len + 2 < end; at++)
        if (at[-1] <= ' ' && strncmp(at, name, len) == 0 && at[len] == '=' &&
            (at[len + 1] == '"' || at[len + 1] == '\'')) {
            char *stop;
            *ret = strtod(at + len + 2, &stop);
            return stop > at + len + 2;
        }
    return false;
}

/* The next point of the track, as a place. False: there is none. */
static bool next_point(struct tracker *tracker, char place[HERD_CLIENT_PLACE_MAX])
{
    double lat_deg, lon_deg;
    while ((tracker->at = strstr(tracker->at, "<trkpt"))) {
        const char *start = tracker->at + 6, *end = strchr(start, '>');
        if (!end)
            return false;
        tracker->at = tracker->at + 6;
        if (get_attribute(start, end, "lat", &lat_deg) && get_attribute(start, end, "lon", &lon_deg) &&
            herd_client_place(place, lat_deg, lon_deg) == 0)
            return true;
    }
    return false;
}

static void on_reported(void *ctx, int err, const struct herd_client_reply *reply)
{
    (void)ctx;
    if (err < 0)
        printf("not reported: %s\n", herd_strerror(err));
    else
        printf("%.*s took %.*s\n", (int)reply->record.server.len, reply->record.server.at,
               (int)reply->record.place.len, reply->record.place.at);
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
        tracker->status = EXIT_SUCCESS;
    }
    event_base_loopbreak(tracker->base);
}

static void on_interval(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct tracker *tracker = arg;
    char place[HERD_CLIENT_PLACE_MAX];
    int err = 0;
    if (tracker->asked)
        return;
    if (tracker->at && next_point(tracker, place)) {
        err = herd_client_report(tracker->client, herd_span_of(tracker->id), herd_span_of(place), herd_span_of(""),
                                 on_reported, tracker);
    } else {
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

static char *read_file(const char *path)
{
    size_t len = 0, cap = 1 << 20;
    char *text = malloc(cap);
    FILE *file = fopen(path, "rb");
    if (text && file)
        len = fread(text, 1, cap - 1, file);
    if (text)
        text[len] = '\0';
    if (file)
        fclose(file);
    return text;
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

int main(int argc, char **argv)
{
    struct tracker tracker = {.status = EXIT_FAILURE};
    struct herd_client_options options = {
        .servers = tracker.servers, .connect_ms = 1000, .retry_max_ms = 1000, .ctx = &tracker, .down = on_down};
    for (int i = 4; i < argc && options.server_count < SERVERS_MAX; i++)
        if (parse_address(argv[i], &tracker.servers[options.server_count]))
            options.server_count++;
    if (argc < 5 || options.server_count == 0) {
        fputs("usage: tracker INTERVAL_MS ID TRACK.gpx HOST:PORT...\n", stderr);
        return 2;
    }
    long interval_ms = strtol(argv[1], NULL, 10);
    struct timeval interval = {interval_ms / 1000, interval_ms % 1000 * 1000};
    signal(SIGPIPE, SIG_IGN);
    tracker.id = argv[2];
    tracker.track = tracker.at = read_file(argv[3]);
    tracker.base = event_base_new();
    if (tracker.base && tracker.track && herd_client_new(&tracker.client, tracker.base, &options) == 0 &&
        (tracker.timer = event_new(tracker.base, -1, EV_PERSIST, on_interval, &tracker)) &&
        event_add(tracker.timer, &interval) == 0)
        event_base_dispatch(tracker.base);
    herd_client_free(tracker.client);
    if (tracker.timer)
        event_free(tracker.timer);
    if (tracker.base)
        event_base_free(tracker.base);
    free(tracker.track);
    return tracker.status;
}
