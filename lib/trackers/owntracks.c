/* SPDX-License-Identifier: MIT */
/*
 * OwnTracks: one JSON object a request. User and device are each the first of
 *
 *     the fields X-Limit-U and X-Limit-D, which a proxy may have set
 *     `u` and `d` of the query
 *     `topic`, if it is owntracks/USER/DEVICE
 *     the user of Basic authentication
 *     `tid`, two letters, as the device
 *
 * Where only one is said, the id is that one alone. An iOS app without a user name says `user` and, without a name of its
 * own, `device`: all such phones would be one client, so the user `user` is none, and the device `device` alone is none.
 */
#include "../core/http/target.h"
#include "trackers_impl.h"

enum { TYPE, LAT, LON, TST, TOPIC, TID, MEMBERS };

struct names {
    struct herd_span user, device;
    bool default_words, other;
};

/* The first that is said stays. */
static void offer_user(struct names *names, struct herd_span user)
{
    if (herd_span_equal(user, herd_span_of("user")))
        names->default_words = true;
    else if (names->user.len == 0)
        names->user = user;
}

static void offer_device(struct names *names, struct herd_span device)
{
    if (names->device.len == 0)
        names->device = device;
}

/* What is said already is not read again: its text may be in the room that the next one would take. */
static int offer_query(struct herd_tracker *tracker, struct names *names)
{
    struct herd_span rest = tracker->request.query, name, value, text;
    int err = 0;
    while (err >= 0 && herd_http_query_next(&rest, &name, &value)) {
        if (names->user.len == 0 && herd_span_equal(name, herd_span_of("u"))) {
            if ((err = herd_tracker_form_text(tracker, HERD_TRACKER_LAT, value, &text)) >= 0)
                offer_user(names, text);
        } else if (names->device.len == 0 && herd_span_equal(name, herd_span_of("d"))) {
            if ((err = herd_tracker_form_text(tracker, HERD_TRACKER_LON, value, &text)) >= 0)
                offer_device(names, text);
        }
    }
    return err;
}

/* owntracks/USER/DEVICE, and nothing else. */
static void offer_topic(struct names *names, struct herd_span topic)
{
    struct herd_span parts[3] = {{topic.at, 0}};
    size_t part = 0;
    for (size_t i = 0; i < topic.len; i++) {
        if (topic.at[i] != '/') {
            parts[part].len++;
            continue;
        }
        if (++part == 3)
            return;
        parts[part] = (struct herd_span){topic.at + i + 1, 0};
    }
    if (part == 2 && herd_span_equal(parts[0], herd_span_of("owntracks"))) {
        offer_user(names, parts[1]);
        offer_device(names, parts[2]);
    }
}

/* The rooms of place and time hold parts of names until the id is made. */
static int find_names(struct herd_tracker *tracker, const struct herd_json_member *members, struct names *names)
{
    const struct herd_tracker_request *request = &tracker->request;
    struct herd_span text;
    offer_user(names, request->limit_user);
    offer_device(names, request->limit_device);
    int err = offer_query(tracker, names);
    if (err >= 0)
        err = herd_tracker_json_text(tracker, HERD_TRACKER_TIME, members[TOPIC].value, &text);
    if (err < 0)
        return err;
    offer_topic(names, text);
    names->other = request->own_user && request->user.len > 0 && names->user.len > 0 &&
                   !herd_span_equal(names->user, request->user);
    offer_user(names, request->user);
    if (names->user.len == 0) {
        if (herd_span_equal(names->device, herd_span_of("device")))
            names->default_words = true;
        if (names->default_words) {
            names->device = (struct herd_span){"", 0};
            return 0;
        }
    }
    err = herd_tracker_json_text(tracker, HERD_TRACKER_NAME, members[TID].value, &text);
    if (err >= 0)
        offer_device(names, text);
    return err;
}

int herd_tracker_owntracks(struct herd_tracker *tracker, struct herd_tracker_report *ret_report)
{
    struct herd_json_member members[MEMBERS] = {{.name = "_type"}, {.name = "lat"},   {.name = "lon"},
                                                {.name = "tst"},   {.name = "topic"}, {.name = "tid"}};
    struct names names = {.user = {"", 0}, .device = {"", 0}};
    const char *message;
    tracker->read = NULL;
    if (herd_raw_trim(tracker->request.body).len == 0)
        return herd_tracker_end(tracker, HERD_TRACKER_EMPTY, ret_report);
    if (herd_json_read(tracker->request.body, members, MEMBERS, &message) < 0)
        return herd_tracker_end(tracker, HERD_TRACKER_INVALID, ret_report);
    if (herd_raw_is(members[TYPE].value, "encrypted"))
        return herd_tracker_end(tracker, HERD_TRACKER_ENCRYPTED, ret_report);
    if (!herd_raw_is(members[TYPE].value, "location"))
        return herd_tracker_end(tracker, HERD_TRACKER_NOT_A_LOCATION, ret_report);
    int err = find_names(tracker, members, &names);
    if (err < 0)
        return herd_tracker_bad_name(tracker, err, ret_report);
    err = herd_tracker_user_device(tracker, names.user, names.device, ret_report);
    if (err != 0)
        return err;
    if (names.other)
        return herd_tracker_end(tracker, HERD_TRACKER_OTHER_USER, ret_report);
    return herd_tracker_json_point(tracker, members[LAT].value, members[LON].value, members[TST].value, ret_report);
}
