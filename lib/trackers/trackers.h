/* SPDX-License-Identifier: MIT */
/*
 * What phone apps send, as reports: which client, where, when. Pure: the parts of a request go in, texts for
 * herd_server_report come out.
 *
 *     struct herd_tracker tracker = {0};                                      may be used for many requests
 *     herd_tracker_begin(&tracker, HERD_TRACKER_OWNTRACKS, &request);
 *     while ((err = herd_tracker_next(&tracker, &report)) > 0)
 *         if (report.outcome == HERD_TRACKER_REPORT)
 *             herd_server_report(server, report.id, report.position, report.time, ...);
 *         else count report.outcome
 *     herd_tracker_fini(&tracker);
 *
 * Nothing an app sends is an error: an app repeats what is refused until it is taken, and everything behind it waits. So
 * each message, and each point of a batch, becomes a report or says by its outcome why it never can; whoever answers the
 * app acknowledges both.
 *
 * Memory: one buffer for an id, at most `id_max_bytes` or what the id takes in the request, whichever is less. Time is
 * linear in the request.
 */
#ifndef HERD_TRACKERS_H
#define HERD_TRACKERS_H

#include "../places/raw.h"
#include "place_time.h"

enum herd_tracker_format {
    /* One JSON object, its `_type` is "location": lat, lon, tst. The id is USER/DEVICE: client_id.h, owntracks.c. */
    HERD_TRACKER_OWNTRACKS,
    /* A query, a form as the body, or JSON: `id`, `lat`, `lon`, `timestamp` and names like these. OsmAnd, Traccar Client
     * to 10, GPSLogger, PhoneTrack. */
    HERD_TRACKER_OSMAND,
    /* JSON, {"locations": [GeoJSON Feature, ...]}, longitude first. */
    HERD_TRACKER_OVERLAND,
};

/* Points of a batch that are looked at. What is behind them is one outcome TOO_MANY: apps send at most 1000. */
#define HERD_TRACKER_POINTS_MAX 2048

/* What became of a message, and its name in logs. */
#define HERD_TRACKER_OUTCOMES(X)                                                                                  \
    X(REPORT, "report")                 /* id, position and time are set */                                       \
    X(OTHER_USER, "other_user")         /* own_user, and it names another user than that of Basic */              \
    X(EMPTY, "empty")                   /* no body: an app says that a friend is gone */                          \
    X(INVALID, "invalid")               /* not of its format: no JSON, a number that is none, a member twice */   \
    X(OUT_OF_RANGE, "out_of_range")     /* a place or time that there is not */                                   \
    X(NO_POSITION, "no_position")       /* an app that does not know where it is */                               \
    X(NOT_A_LOCATION, "not_a_location") /* another message: a waypoint, a card, a status */                       \
    X(ENCRYPTED, "encrypted")           /* with a key that only the phone has */                                  \
    X(NO_ID, "no_id")                   /* nothing says which client it is, or only the words every phone says */ \
    X(ID_TOO_LONG, "id_too_long")       /* more than id_max_bytes, or HERD_TRACKER_ESCAPED_MAX */                 \
    X(TOO_MANY, "too_many")             /* the rest of a batch of more than HERD_TRACKER_POINTS_MAX points */

enum herd_tracker_outcome {
#define HERD_TRACKER_OUTCOME(name, text) HERD_TRACKER_##name,
    HERD_TRACKER_OUTCOMES(HERD_TRACKER_OUTCOME)
#undef HERD_TRACKER_OUTCOME
        HERD_TRACKER_OUTCOME_COUNT
};

/* Static. */
const char *herd_tracker_outcome_name(enum herd_tracker_outcome outcome);

/* A request; all of it is borrowed until the next herd_tracker_begin. What is not there is {"", 0} or {NULL, 0}. */
struct herd_tracker_request {
    struct herd_span query; /* behind '?', still escaped */
    struct herd_span body;
    struct herd_span limit_user, limit_device; /* X-Limit-U, X-Limit-D */
    struct herd_span user;                     /* of Basic authentication, decoded */
    struct herd_span name; /* of a client in the path, decoded: it is before those in query and body */
    bool own_user;         /* OwnTracks: who is authenticated as `user` reports for no other USER */
    int64_t wall_ns;       /* now: the time of what says none */
    size_t id_max_bytes;   /* longer ids are not made */
};

/* Borrowed until the next call for the same tracker. */
struct herd_tracker_report {
    enum herd_tracker_outcome outcome;
    struct herd_span id;             /* {"", 0} where it is not known */
    struct herd_span position, time; /* of a REPORT: ISO 6709 and POSIX seconds, as for herd_server_report */
};

struct herd_tracker;
/* Reads the next message. > 0, 0: there is none, HERD_E_NOMEM. */
typedef int herd_tracker_read(struct herd_tracker *tracker, struct herd_tracker_report *ret_report);

/* What is escaped in the request is not longer than this there: a name, a number, a time. Others have no such bound. */
#define HERD_TRACKER_ESCAPED_MAX 512

struct herd_tracker {
    struct herd_tracker_request request;
    herd_tracker_read *read;
    struct herd_raw_walk walk; /* over the points of a batch */
    size_t points;             /* of them looked at */
    struct herd_buf id;        /* of the report */
    struct herd_place_time place_time;
    char room[4][HERD_TRACKER_ESCAPED_MAX]; /* for texts without their escapes */
};

/* Begins with a request. */
void herd_tracker_begin(struct herd_tracker *tracker, enum herd_tracker_format format,
                        const struct herd_tracker_request *request);
/* The next message of the request: 1 with *ret_report, 0 where there is none, HERD_E_NOMEM, after which the request may be
 * begun again. */
int herd_tracker_next(struct herd_tracker *tracker, struct herd_tracker_report *ret_report);
/* Frees what it holds. */
void herd_tracker_fini(struct herd_tracker *tracker);

#endif
