/* SPDX-License-Identifier: MIT */
/* What OsmAnd, Traccar, GPSLogger and PhoneTrack call the client, the place and the time. */
#include "../core/http/target.h"
#include "trackers_impl.h"

#include <stddef.h>

/* The names of one thing stand together, the one that is looked at first before the others: GPSLogger's %ALL sends both
 * `timestamp`, which is a number, and `time`. */
static const struct {
    const char *name;
    size_t member;
} names[] = {
    {"id", offsetof(struct herd_osmand, id)},
    {"deviceid", offsetof(struct herd_osmand, id)},
    {"device_id", offsetof(struct herd_osmand, id)},
    {"lat", offsetof(struct herd_osmand, lat)},
    {"latitude", offsetof(struct herd_osmand, lat)},
    {"lon", offsetof(struct herd_osmand, lon)},
    {"lng", offsetof(struct herd_osmand, lon)},
    {"longitude", offsetof(struct herd_osmand, lon)},
    {"location", offsetof(struct herd_osmand, location)},
    {"timestamp", offsetof(struct herd_osmand, time)},
    {"time", offsetof(struct herd_osmand, time)},
    {"tst", offsetof(struct herd_osmand, time)},
    {"coords", offsetof(struct herd_osmand, coords)},
};
#define NAMES (sizeof names / sizeof *names)

/* The values of the names to what they are of. */
static struct herd_osmand gather(const struct herd_json_member members[NAMES])
{
    struct herd_osmand osmand = {{"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}};
    for (size_t i = 0; i < NAMES; i++) {
        struct herd_span *to = (struct herd_span *)(void *)((char *)&osmand + names[i].member);
        if (to->len == 0 && members[i].value.len > 0)
            *to = members[i].value;
    }
    return osmand;
}

int herd_osmand_form_read(struct herd_span text, struct herd_osmand *ret_osmand)
{
    struct herd_json_member members[NAMES] = {0};
    struct herd_span name, value;
    while (herd_http_query_next(&text, &name, &value)) {
        size_t i = 0;
        while (i < NAMES && !herd_span_equal(name, herd_span_of(names[i].name)))
            i++;
        if (i == NAMES)
            continue;
        if (members[i].seen)
            return HERD_E_SYNTAX;
        members[i].seen = true;
        members[i].value = value;
    }
    *ret_osmand = gather(members);
    return 0;
}

static void name_members(struct herd_json_member members[NAMES])
{
    for (size_t i = 0; i < NAMES; i++)
        members[i].name = names[i].name;
}

int herd_osmand_json_read(struct herd_span text, struct herd_osmand *ret_osmand)
{
    struct herd_json_member members[NAMES];
    const char *message;
    name_members(members);
    int err = herd_json_read(text, members, NAMES, &message);
    if (err >= 0)
        *ret_osmand = gather(members);
    return err;
}

int herd_osmand_object_read(struct herd_span object, struct herd_osmand *ret_osmand)
{
    struct herd_json_member members[NAMES];
    name_members(members);
    int err = herd_json_read_inside(object, members, NAMES);
    if (err >= 0)
        *ret_osmand = gather(members);
    return err;
}
