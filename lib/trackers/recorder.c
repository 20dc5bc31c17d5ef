/* SPDX-License-Identifier: MIT */
/* Records as objects of OwnTracks. */
#include "recorder.h"

#include "../core/base/hex_digit.h"
#include "../places/raw.h"

#include <herd/geo.h>

#include <string.h>

void herd_recorder_split(struct herd_span id, struct herd_span *ret_user, struct herd_span *ret_device)
{
    const char *slash = id.len ? memchr(id.at, '/', id.len) : NULL;
    size_t len = slash ? (size_t)(slash - id.at) : id.len;
    *ret_user = (struct herd_span){id.at, len};
    *ret_device = slash ? (struct herd_span){slash + 1, id.len - len - 1} : (struct herd_span){"", 0};
}

/* The byte of the escape at the front; -1: none. */
static int escaped(struct herd_span text)
{
    if (text.len < 3 || text.at[0] != '%')
        return -1;
    int high = herd_hex_digit(text.at[1]), low = herd_hex_digit(text.at[2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

int herd_recorder_put_name(struct herd_buf *out, struct herd_span part)
{
    int err = herd_buf_add(out, "\"", 1);
    while (err >= 0 && part.len > 0) {
        size_t plain = 0;
        while (plain < part.len && escaped((struct herd_span){part.at + plain, part.len - plain}) < 0)
            plain++;
        err = herd_raw_escape(out, (struct herd_span){part.at, plain});
        part = (struct herd_span){part.at + plain, part.len - plain};
        if (err >= 0 && part.len > 0) {
            char byte = (char)escaped(part);
            err = herd_raw_escape(out, (struct herd_span){&byte, 1});
            part = (struct herd_span){part.at + 3, part.len - 3};
        }
    }
    return err < 0 ? err : herd_buf_add(out, "\"", 1);
}

static int put_text(struct herd_buf *out, const char *name, struct herd_span part)
{
    int err = herd_buf_add_text(out, name);
    return err < 0 ? err : herd_recorder_put_name(out, part);
}

int herd_recorder_put_number(struct herd_buf *out, const char *name, struct herd_span digits)
{
    int err = herd_buf_add_text(out, name);
    if (err >= 0 && *digits.at == '-')
        err = herd_buf_add(out, "-", 1);
    size_t at = *digits.at == '-' || *digits.at == '+';
    while (at + 1 < digits.len && digits.at[at] == '0' && digits.at[at + 1] != '.')
        at++;
    return err < 0 ? err : herd_buf_add(out, digits.at + at, digits.len - at);
}

int herd_recorder_put_location(struct herd_buf *out, const struct herd_record *record)
{
    struct herd_position position;
    struct herd_span user, device, seconds = record->time;
    herd_recorder_split(record->id, &user, &device);
    const char *point = memchr(seconds.at, '.', seconds.len);
    if (point)
        seconds.len = (size_t)(point - seconds.at);
    if (herd_position_parse(record->position, &position) < 0) /* a record of the store has one */
        return HERD_E_SYNTAX;
    struct herd_span named = device.len > 0 ? device : user, topic = record->id;
    struct herd_span tid = named.len > 2 ? (struct herd_span){named.at + named.len - 2, 2} : named;
    int err = put_text(out, "{\"_type\":\"location\",\"username\":", user);
    if (err >= 0)
        err = put_text(out, ",\"device\":", device);
    if (err >= 0)
        err = herd_buf_add_text(out, ",\"topic\":\"owntracks/");
    if (err >= 0)
        err = herd_raw_escape(out, topic);
    if (err >= 0)
        err = put_text(out, "\",\"tid\":", tid);
    if (err >= 0)
        err = herd_recorder_put_number(out, ",\"tst\":", seconds);
    if (err >= 0)
        err = herd_recorder_put_number(out, ",\"lat\":", position.lat);
    if (err >= 0)
        err = herd_recorder_put_number(out, ",\"lon\":", position.lon);
    return err < 0 ? err : herd_buf_add(out, "}", 1);
}
