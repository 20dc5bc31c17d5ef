/* SPDX-License-Identifier: MIT */
/*
 * Doors for phones: OwnTracks at /pub, Overland at /overland, OsmAnd, Traccar and GPSLogger at /, PhoneTrack where it has
 * them. An app keeps what is answered with anything but 2xx and sends it again, before all that came later; so only what may
 * succeed another time is refused: wrong credentials (401, 403) and passing trouble (503). What can never succeed is taken
 * away from the app with the answer it waits for, counted, and logged at the 1st, 2nd, 4th, 8th, ... time.
 *
 * A batch that holds more reports than may come at once is refused until all of them are in, and comes whole each time. What is
 * known of it by then is not reported again, for that would use up what the others wait for; only where nothing else is
 * in it one of these is, so that no request is free.
 */
#include "../../trackers/trackers.h"
#include "../../core/node/effect.h"
#include "http_impl.h"

#include <herd/timestamp.h>

#include <stdlib.h>
#include <string.h>

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
enum { WHY_FUTURE = HERD_TRACKER_OUTCOME_COUNT, WHY_EXPIRED, WHY_FOREIGN, WHYS };

struct trackers {
    struct herd_tracker tracker;
    uint64_t skipped[DOORS][WHYS];
};

/* What came of the messages of one request. */
struct tally {
    bool taken, denied, foreign;
    bool other_user; /* what was denied is said to be of another user than who proved to be one */
    bool busy;       /* some may be taken another time: reports come too often, memory is short, the server stops */
    bool full;       /* there is no room for a client; perhaps there never is */
    bool reported;
    unsigned bucket;                  /* of a client of another herd */
    struct herd_tracker_report known; /* one that was left out because it is known, a copy; its id is empty: none */
};

static const char *why_name(unsigned why)
{
    return why == WHY_FUTURE    ? "future"
           : why == WHY_EXPIRED ? "expired"
           : why == WHY_FOREIGN ? "another_herd"
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

/* Whether a report changes nothing, for a newer one or the same is there. Whoever may not report learns nothing of it. */
static bool is_known(struct herd_http_exchange *exchange, const struct herd_tracker_report *message)
{
    struct herd_record record;
    int64_t time_ns;
    if (!herd_http_may_report(exchange, message->id) || herd_timestamp_parse(message->time, &time_ns) < 0 ||
        herd_node_find(exchange->server->node, message->id, exchange->now, &record) < 0)
        return false;
    const int order = herd_timestamp_compare(message->time, record.time);
    return order < 0 || (order == 0 && herd_span_equal(message->position, record.position));
}

/* A copy that stays until the request is answered. False: no memory. */
static bool keep(struct herd_http_exchange *exchange, const struct herd_tracker_report *message,
                 struct herd_tracker_report *ret_copy)
{
    const struct herd_span *from[] = {&message->id, &message->position, &message->time};
    struct herd_span *to[] = {&ret_copy->id, &ret_copy->position, &ret_copy->time};
    char *at = herd_http_arena_alloc(&exchange->http->arena, from[0]->len + from[1]->len + from[2]->len);
    if (!at)
        return false;
    for (size_t i = 0; i < 3; i++) {
        memcpy(at, from[i]->at, from[i]->len);
        *to[i] = (struct herd_span){at, from[i]->len};
        at += from[i]->len;
    }
    return true;
}

static void report(struct herd_http_exchange *exchange, const struct herd_tracker_report *message,
                   struct tally *tally)
{
    enum herd_verdict verdict;
    tally->reported = true;
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
    case HERD_VERDICT_FULL: tally->full = true; break;
    case HERD_VERDICT_TOO_OFTEN: tally->busy = true; break;
    case HERD_VERDICT_NOT_ALLOWED: tally->denied = true; break;
    case HERD_VERDICT_FOREIGN:
        tally->foreign = true;
        (void)herd_node_foreign(exchange->server->node, message->id, &tally->bucket);
        break;
    case HERD_VERDICT_FUTURE: skip(exchange, WHY_FUTURE, message->id); break;
    default: skip(exchange, WHY_EXPIRED, message->id);
    }
}

/* One of a batch: reports it, or leaves it out if that changes nothing. */
static void take_one(struct herd_http_exchange *exchange, const struct herd_tracker_report *message,
                     struct tally *tally)
{
    if (is_known(exchange, message) && (tally->known.id.len > 0 || keep(exchange, message, &tally->known)))
        tally->taken = true;
    else
        report(exchange, message, tally);
}

/* One answer for all. What may succeed another time comes again with all of its batch, where more of it is let in; of a batch
 * of which some was taken nothing comes again because of the rest that may never be, or it would for ever. */
static int answer(struct herd_http_exchange *exchange, const struct tally *tally)
{
    unsigned door = exchange->route->data;
    if (tally->busy || (tally->full && !tally->taken)) {
        int err = herd_http_add_header(exchange, "Retry-After", herd_span_of("10"));
        return err < 0 ? err
                       : herd_http_problem(exchange, 503, "busy", "Not now", "not all was taken: send it again");
    }
    if (tally->foreign && !tally->taken)
        return herd_http_elsewhere(exchange, tally->bucket);
    if (tally->other_user && !tally->taken)
        return herd_http_problem(exchange, 403, "forbidden", "Not allowed",
                                 "X-Limit-U, u or the topic names another user than the credentials do");
    if (tally->denied && !tally->taken)
        return herd_http_refuse(exchange);
    if (tally->foreign)
        skip(exchange, WHY_FOREIGN, (struct herd_span){"", 0});
    return herd_http_reply_static(exchange, 200, doors[door].type, herd_span_of(doors[door].answer));
}

static int take(struct herd_http_exchange *exchange)
{
    struct trackers *trackers = exchange->state;
    unsigned door = exchange->route->data;
    struct herd_tracker_report message;
    struct tally tally = {0};
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
        if (message.outcome == HERD_TRACKER_REPORT) {
            take_one(exchange, &message, &tally);
        } else if (message.outcome == HERD_TRACKER_OTHER_USER) {
            tally.other_user = true;
            herd_http_deny(exchange, message.id);
        } else {
            skip(exchange, message.outcome, message.id);
        }
    }
    tally.busy |= more < 0;
    if (!tally.reported && tally.known.id.len > 0)
        report(exchange, &tally.known, &tally);
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
