/* SPDX-License-Identifier: MIT */
/*
 * Doors for phones: OwnTracks at /pub, Overland at /overland, OsmAnd, Traccar and GPSLogger at /, PhoneTrack where it has
 * them. An app keeps what is answered with anything but 2xx and sends it again, before all that came later; so only what may
 * succeed another time is refused: wrong credentials (401, 403) and passing trouble (503). What can never succeed is taken
 * away from the app with the answer it waits for, counted, and logged at the 1st, 2nd, 4th, 8th, ... time.
 */
#include "../../trackers/trackers.h"
#include "../../core/node/effect.h"
#include "http_impl.h"

#include <stdlib.h>

/* The doors, by the `data` of a route. */
enum door { OWNTRACKS, OSMAND, PHONETRACK, OVERLAND, DOORS };

static const struct {
    const char *app; /* in the log */
    enum herd_tracker_format format;
    const char *type, *answer; /* of what was taken, or never can be */
} doors[DOORS] = {
    [OWNTRACKS] = {"owntracks", HERD_TRACKER_OWNTRACKS, "application/json", "[]"},
    [OSMAND] = {"osmand", HERD_TRACKER_OSMAND, NULL, ""},
    [PHONETRACK] = {"phonetrack", HERD_TRACKER_OSMAND, NULL, ""},
    [OVERLAND] = {"overland", HERD_TRACKER_OVERLAND, "application/json", "{\"result\":\"ok\"}"},
};

/* Why a message was skipped: an outcome, or a verdict that another report would get too. */
enum { WHY_FUTURE = HERD_TRACKER_OUTCOME_COUNT, WHY_EXPIRED, WHYS };

struct trackers {
    struct herd_tracker tracker;
    uint64_t skipped[DOORS][WHYS];
};

/* What came of the messages of one request. */
struct tally {
    bool taken, denied, busy;
};

static const char *why_name(unsigned why)
{
    return why == WHY_FUTURE    ? "future"
           : why == WHY_EXPIRED ? "expired"
                                : herd_tracker_outcome_name((enum herd_tracker_outcome)why);
}

/* What phones send by their nature is no fault. */
static bool is_usual(unsigned why)
{
    return why == HERD_TRACKER_EMPTY || why == HERD_TRACKER_NOT_A_LOCATION || why == HERD_TRACKER_NO_POSITION;
}

static void skip(struct herd_http_exchange *exchange, unsigned why, struct herd_span id)
{
    struct trackers *trackers = exchange->state;
    unsigned door = exchange->route->data;
    uint64_t count = ++trackers->skipped[door][why];
    char from[HERD_HTTP_FROM_MAX];
    if (!herd_worth_saying(count))
        return;
    const struct herd_log_field fields[] = {
        herd_log_text("app", doors[door].app),
        herd_log_text("why", why_name(why)),
        herd_log_span("id", id),
        herd_log_span("client", herd_http_from(exchange, from)),
        herd_log_int("count", (int64_t)count),
    };
    herd_log_event(exchange->server->log, is_usual(why) ? HERD_LOG_INFO : HERD_LOG_WARN, "tracker_skipped", fields,
                   sizeof fields / sizeof *fields);
}

static void report(struct herd_http_exchange *exchange, const struct herd_tracker_report *message,
                   struct tally *tally)
{
    enum herd_verdict verdict;
    int err = herd_http_report(exchange, message->id, message->position, message->time, NULL, &verdict);
    if (err == HERD_E_LIMIT || err == HERD_E_SYNTAX) {
        skip(exchange, err == HERD_E_LIMIT ? HERD_TRACKER_ID_TOO_LONG : HERD_TRACKER_INVALID, message->id);
        return;
    }
    if (err < 0) {
        tally->busy = true;
        return;
    }
    switch (verdict) {
    case HERD_VERDICT_NEW:
    case HERD_VERDICT_NEWER:
    case HERD_VERDICT_SAME:
    case HERD_VERDICT_OLDER: tally->taken = true; break;
    case HERD_VERDICT_FULL:
    case HERD_VERDICT_TOO_OFTEN: tally->busy = true; break;
    case HERD_VERDICT_NOT_ALLOWED: tally->denied = true; break;
    case HERD_VERDICT_FUTURE: skip(exchange, WHY_FUTURE, message->id); break;
    default: skip(exchange, WHY_EXPIRED, message->id);
    }
}

/* One answer for all: of a batch of which some was taken nothing comes again, or it would for ever. */
static int answer(struct herd_http_exchange *exchange, const struct tally *tally)
{
    unsigned door = exchange->route->data;
    if (tally->busy && !tally->taken) {
        int err = herd_http_add_header(exchange, "Retry-After", herd_span_of("10"));
        return err < 0
                   ? err
                   : herd_http_problem(exchange, 503, "busy", "Not now", "the report was not taken: send it again");
    }
    if (tally->denied && !tally->taken)
        return herd_http_refuse(exchange);
    return herd_http_reply_static(exchange, 200, doors[door].type, herd_span_of(doors[door].answer));
}

static int take(struct herd_http_exchange *exchange)
{
    struct trackers *trackers = exchange->state;
    unsigned door = exchange->route->data;
    struct herd_tracker_report message;
    struct tally tally = {false, false, false};
    struct herd_tracker_request request = {
        .query = exchange->query,
        .body = exchange->body,
        .user = exchange->user,
        .own_user = exchange->identity != NULL,
        .wall_ns = exchange->now.wall_ns,
        .id_max_bytes = (size_t)exchange->server->config->limits.line_max_bytes,
    };
    int more;
    (void)herd_http_header(exchange, "x-limit-u", &request.limit_user);
    (void)herd_http_header(exchange, "x-limit-d", &request.limit_device);
    if (door == PHONETRACK)
        request.name = exchange->segments[1];
    herd_tracker_begin(&trackers->tracker, doors[door].format, &request);
    while ((more = herd_tracker_next(&trackers->tracker, &message)) > 0) {
        if (message.outcome == HERD_TRACKER_REPORT)
            report(exchange, &message, &tally);
        else if (message.outcome == HERD_TRACKER_OTHER_USER)
            tally.denied = true;
        else
            skip(exchange, message.outcome, message.id);
    }
    tally.busy |= more < 0;
    return answer(exchange, &tally);
}

bool herd_http_trackers_skipped(const struct herd_http *http, unsigned why, const char **ret_name,
                                uint64_t *ret_count)
{
    why += HERD_TRACKER_EMPTY; /* the outcomes before it are not skipped */
    if (why >= WHYS)
        return false;
    *ret_name = why_name(why);
    *ret_count = 0;
    for (size_t i = 0; i < http->part_count; i++)
        if (http->parts[i].module == &herd_http_trackers)
            for (unsigned door = 0; door < DOORS; door++)
                *ret_count += ((const struct trackers *)http->parts[i].state)->skipped[door][why];
    return true;
}

static int open_trackers(struct herd_http *http, void **ret_state)
{
    struct trackers *trackers = calloc(1, sizeof *trackers);
    (void)http;
    if (!trackers)
        return HERD_E_NOMEM;
    *ret_state = trackers;
    return 0;
}

static void close_trackers(void *state)
{
    struct trackers *trackers = state;
    herd_tracker_fini(&trackers->tracker);
    free(trackers);
}

#define ANY_TYPE (HERD_HTTP_JSON | HERD_HTTP_FORM | HERD_HTTP_ELSE)

/* A body that is refused for its size would come for ever, so all may be as long as there is. */
#define DOOR(on, url, to)                                                                                          \
    {                                                                                                              \
        .methods = (on), .path = (url), .handler = take, .right = HERD_HTTP_CLIENT, .accepts = ANY_TYPE,           \
        .body_max_bytes = HERD_HTTP_BODY_MAX_BYTES, .body_optional = true, .get_writes = true, .challenges = true, \
        .hides_path = (to) == PHONETRACK, .data = (to)                                                             \
    }

static const struct herd_http_route routes[] = {
    DOOR(HERD_HTTP_ON_POST, "/pub", OWNTRACKS),
    DOOR(HERD_HTTP_ON_POST, "/overland", OVERLAND),
    DOOR(HERD_HTTP_ON_GET | HERD_HTTP_ON_POST | HERD_HTTP_ON_PUT, "/", OSMAND),
    DOOR(HERD_HTTP_ON_GET | HERD_HTTP_ON_POST, "/apps/phonetrack/logGet/{}/{}", PHONETRACK),
    DOOR(HERD_HTTP_ON_GET | HERD_HTTP_ON_POST, "/apps/phonetrack/logPost/{}/{}", PHONETRACK),
    DOOR(HERD_HTTP_ON_GET | HERD_HTTP_ON_POST, "/index.php/apps/phonetrack/logGet/{}/{}", PHONETRACK),
    DOOR(HERD_HTTP_ON_GET | HERD_HTTP_ON_POST, "/index.php/apps/phonetrack/logPost/{}/{}", PHONETRACK),
};

const struct herd_http_module herd_http_trackers = {
    .routes = routes,
    .route_count = sizeof routes / sizeof *routes,
    .open = open_trackers,
    .close = close_trackers,
};
