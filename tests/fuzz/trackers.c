/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a request of an app, or as a body of the native API: what comes out is what a line IAMAT may hold. The first
 * byte says which; then lines: query, X-Limit-U, X-Limit-D, user of Basic, name in the path, and the body is the rest.
 */
#include "trackers.h"
#include "native.h"

#include <herd/geo.h>
#include <herd/protocol.h>
#include <herd/timestamp.h>

#include <json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ID_MAX 200

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(bool is_so)
{
    if (!is_so)
        abort();
}

static struct herd_span take_line(struct herd_span *io_rest)
{
    const char *end = io_rest->len ? memchr(io_rest->at, '\n', io_rest->len) : NULL;
    struct herd_span line = {io_rest->at, end ? (size_t)(end - io_rest->at) : io_rest->len};
    size_t used = end ? line.len + 1 : line.len;
    *io_rest = (struct herd_span){io_rest->at + used, io_rest->len - used};
    return line;
}

/* The fields are those of a line, byte for byte. */
static void check_line(struct herd_span id, struct herd_span position, struct herd_span time)
{
    struct herd_buf line = {0};
    struct herd_command command;
    check(herd_format_iamat(&line, id, position, time) == 0);
    check(herd_command_parse((struct herd_span){line.at, line.len - 1}, &command) == HERD_IAMAT);
    check(herd_span_equal(command.id, id) && herd_span_equal(command.position, position) &&
          herd_span_equal(command.time, time));
    check(!memchr(id.at, '\0', id.len) && !memchr(id.at, '\n', id.len));
    herd_buf_fini(&line);
}

static void check_request(enum herd_tracker_format format, const struct herd_tracker_request *request)
{
    static struct herd_tracker tracker;
    struct herd_tracker_report report;
    size_t count = 0;
    herd_tracker_begin(&tracker, format, request);
    while (herd_tracker_next(&tracker, &report) > 0) {
        check(++count <= HERD_TRACKER_POINTS_MAX + 1);
        check(report.outcome < HERD_TRACKER_OUTCOME_COUNT && report.id.len <= ID_MAX);
        if (report.outcome == HERD_TRACKER_REPORT)
            check_line(report.id, report.position, report.time);
        else
            check(report.position.len == 0 && report.time.len == 0);
    }
    check(tracker.id.cap <= 2 * ID_MAX + 64);
}

/* A parser that nobody here wrote reads the same number, as near as doubles are. */
static void check_degrees(struct json_object *body, const char *name, struct herd_span coordinate)
{
    struct json_object *value = NULL;
    check(json_object_object_get_ex(body, name, &value));
    double theirs = json_object_get_double(value), ours = herd_coordinate_degrees(coordinate);
    check(fabs(theirs - ours) <= 4 * 0x1p-52 * fabs(theirs) + 1e-17);
}

static void check_native(struct herd_span body)
{
    struct herd_place_time pt;
    struct herd_position position;
    const char *message = NULL;
    int err = herd_native_report_read(body, 5, &pt, &message);
    if (err < 0) {
        check(message && (err == HERD_E_SYNTAX || err == HERD_E_RANGE));
        return;
    }
    check_line(herd_span_of("x"), herd_place_of(&pt), herd_time_of(&pt));
    check(herd_position_parse(herd_place_of(&pt), &position) == 0);
    struct json_tokener *tokener = json_tokener_new_ex(HERD_RAW_DEPTH_MAX + 4);
    check(tokener != NULL);
    struct json_object *object = json_tokener_parse_ex(tokener, body.at, (int)body.len);
    check(object != NULL);
    check_degrees(object, "lat", position.lat);
    check_degrees(object, "lon", position.lon);
    json_object_put(object);
    json_tokener_free(tokener);
}

/* A number or time alone. */
static void check_texts(struct herd_span text)
{
    struct herd_place_time pt = {0}, strict = {0};
    int64_t ns;
    if (herd_place_put(&pt, text, herd_span_of("0")) == 0)
        check_line(herd_span_of("x"), herd_place_of(&pt), herd_span_of("0"));
    int loose = herd_time_put(&pt, text, HERD_TIME_LOOSE);
    if (loose == 0)
        check(herd_timestamp_parse(herd_time_of(&pt), &ns) == 0);
    if (herd_time_put(&strict, text, HERD_TIME_STRICT) == 0)
        check(loose == 0 && herd_span_equal(herd_time_of(&pt), herd_time_of(&strict)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return 0;
    unsigned kind = bytes[0] % 8;
    struct herd_span rest = {(const char *)bytes + 1, len - 1};
    struct herd_tracker_request request = {.wall_ns = 5, .id_max_bytes = ID_MAX};
    check_texts(rest);
    if (kind > HERD_TRACKER_OVERLAND) {
        check_native(rest);
        return 0;
    }
    request.query = take_line(&rest);
    request.limit_user = take_line(&rest);
    request.limit_device = take_line(&rest);
    request.user = take_line(&rest);
    request.name = take_line(&rest);
    request.body = rest;
    /* A field of a head and a part of a path hold no NUL: whoever reads those sees to it. */
    check_request((enum herd_tracker_format)kind, &request);
    return 0;
}
