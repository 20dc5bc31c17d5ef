/* SPDX-License-Identifier: MIT */
/* A record as a Feature, and boxes that records lie in. */
#include "feature.h"

#include "../../places/raw.h"
#include "../../trackers/number.h"
#include "../../trackers/recorder.h"

#include <herd/geo.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int herd_feature_put_segment(struct herd_buf *out, struct herd_span id)
{
    /* As it is, such a segment would be taken out of the path (RFC 3986, 5.2.4). */
    if (herd_span_equal(id, herd_span_of(".")) || herd_span_equal(id, herd_span_of("..")))
        return herd_buf_add_text(out, id.len == 1 ? "%2E" : "%2E%2E");
    static const char hex[] = "0123456789ABCDEF";
    static const char unreserved[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    int err = herd_buf_reserve(out, 3 * id.len);
    if (err < 0)
        return err;
    for (size_t i = 0; i < id.len; i++) {
        unsigned char c = (unsigned char)id.at[i];
        if (c && strchr(unreserved, c)) {
            out->at[out->len++] = id.at[i];
        } else {
            out->at[out->len++] = '%';
            out->at[out->len++] = hex[c >> 4];
            out->at[out->len++] = hex[c & 15];
        }
    }
    return 0;
}

static int put_timestamp(struct herd_buf *out, int64_t time_ns)
{
    char text[64];
    struct tm parts;
    time_t s = (time_t)(time_ns / 1000000000);
    if (!gmtime_r(&s, &parts) || parts.tm_year > 9999 - 1900)
        return 0;
    size_t len = strftime(text, sizeof text, ",\"timestamp\":\"%Y-%m-%dT%H:%M:%SZ\"", &parts);
    return herd_buf_add(out, text, len);
}

static int put_text(struct herd_buf *out, const char *before, struct herd_span text)
{
    int err = herd_buf_add_text(out, before);
    return err < 0 ? err : herd_raw_escape(out, text);
}

/* A number with two decimals at most, without a double's ways of being printed. */
static int put_distance(struct herd_buf *out, double distance_m)
{
    char text[64];
    uint64_t cm = (uint64_t)(distance_m * 100 + 0.5);
    int len = snprintf(text, sizeof text, "\"distance\":%" PRIu64, cm / 100);
    if (cm % 100 > 0)
        len += snprintf(text + len, sizeof text - (size_t)len, cm % 10 ? ".%02u" : ".%u",
                        (unsigned)(cm % 10 ? cm % 100 : cm % 100 / 10));
    int err = herd_buf_add(out, text, (size_t)len);
    return err < 0 ? err : herd_buf_add(out, ",", 1);
}

static int put_feature(struct herd_buf *out, const struct herd_record *record, const double *distance_m)
{
    struct herd_position position;
    if (herd_position_parse(record->position, &position) < 0)
        return HERD_E_SYNTAX;
    int err = put_text(out, "{\"type\":\"Feature\",\"id\":\"", record->id);
    if (err >= 0)
        err = herd_recorder_put_number(out, "\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[", position.lon);
    if (err >= 0)
        err = herd_recorder_put_number(out, ",", position.lat);
    if (err >= 0)
        err = herd_buf_add_text(out, "]},\"properties\":{");
    if (err >= 0 && distance_m)
        err = put_distance(out, *distance_m);
    if (err >= 0)
        err = put_text(out, "\"time\":\"", record->time);
    if (err >= 0)
        err = herd_buf_add(out, "\"", 1);
    if (err >= 0)
        err = put_timestamp(out, record->time_ns);
    if (err >= 0)
        err = put_text(out, ",\"server\":\"", record->server);
    if (err >= 0)
        err = put_text(out, "\",\"diff\":\"", record->diff);
    if (err >= 0)
        err = herd_buf_add_text(out, "\",\"href\":\"/v1/clients/");
    if (err >= 0)
        err = herd_feature_put_segment(out, record->id);
    return err < 0 ? err : herd_buf_add_text(out, "\"}}");
}

int herd_feature_put(struct herd_buf *out, const struct herd_record *record)
{
    return put_feature(out, record, NULL);
}

int herd_feature_put_near(struct herd_buf *out, const struct herd_record *record, double distance_m)
{
    return put_feature(out, record, &distance_m);
}

/* ---- boxes ---- */

int herd_degrees_take(struct herd_span *io_text, double *ret_number)
{
    const char *comma = io_text->len ? memchr(io_text->at, ',', io_text->len) : NULL;
    size_t len = comma ? (size_t)(comma - io_text->at) : io_text->len;
    struct herd_number number;
    char digits[1 + HERD_NUMBER_TEXT_MAX];
    int err = herd_number_read((struct herd_span){io_text->at, len}, &number);
    if (err < 0)
        return err;
    digits[0] = number.negative ? '-' : '+';
    size_t wrote = herd_number_put(&number, digits + 1);
    if (wrote == 0)
        return HERD_E_RANGE;
    *ret_number = herd_coordinate_degrees((struct herd_span){digits, wrote + 1});
    len += comma != NULL;
    *io_text = (struct herd_span){io_text->at + len, io_text->len - len};
    return 0;
}

int herd_bbox_parse(struct herd_span text, struct herd_bbox *ret_bbox)
{
    double sides[4];
    for (size_t i = 0; i < 4; i++) {
        int err = herd_degrees_take(&text, &sides[i]);
        if (err < 0)
            return err;
        double most = i % 2 ? 90 : 180;
        if (!(sides[i] >= -most && sides[i] <= most))
            return HERD_E_RANGE;
    }
    if (text.len > 0)
        return HERD_E_SYNTAX;
    *ret_bbox = (struct herd_bbox){sides[0], sides[1], sides[2], sides[3]};
    return sides[1] > sides[3] ? HERD_E_RANGE : 0;
}

bool herd_bbox_has(const struct herd_bbox *bbox, const struct herd_record *record)
{
    struct herd_position position;
    return herd_position_parse(record->position, &position) == 0 &&
           herd_bbox_has_place(bbox, herd_coordinate_degrees(position.lat), herd_coordinate_degrees(position.lon));
}

bool herd_bbox_has_place(const struct herd_bbox *bbox, double lat, double lon)
{
    if (lat < bbox->south || lat > bbox->north)
        return false;
    if (bbox->west <= bbox->east)
        return lon >= bbox->west && lon <= bbox->east;
    return lon >= bbox->west || lon <= bbox->east;
}
