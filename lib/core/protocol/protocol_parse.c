/* SPDX-License-Identifier: MIT */
/* Lines into commands. */
#include "decimal.h"
#include "fields.h"
#include "hex.h"
#include "parse_bounded.h"

#include <herd/shard.h>

#include <string.h>

/* The longest command, HELLO, has eight fields that are looked at. */
#define FIELDS_MAX    8
#define RADIUS_MAX_KM 50
#define BOUND_MAX     20
#define VERSION_MAX   1000000
#define PORT_MAX      65535

enum herd_scan herd_line_next(struct herd_span *io_bytes, size_t *io_seen, size_t line_max_bytes,
                              struct herd_span *ret_line)
{
    size_t from = *io_seen < io_bytes->len ? *io_seen : io_bytes->len;
    size_t limit = io_bytes->len;
    if (limit > line_max_bytes && limit - line_max_bytes > 1)
        limit = line_max_bytes + 1; /* one more for its LF */
    const char *lf = from < limit ? memchr(io_bytes->at + from, '\n', limit - from) : NULL;
    if (!lf) {
        *io_seen = io_bytes->len;
        return io_bytes->len > line_max_bytes ? HERD_LINE_TOO_LONG : HERD_LINE_MORE;
    }
    ret_line->at = io_bytes->at;
    ret_line->len = (size_t)(lf - io_bytes->at);
    io_bytes->at += ret_line->len + 1;
    io_bytes->len -= ret_line->len + 1;
    *io_seen = 0;
    return HERD_LINE;
}

static bool is_word(struct herd_span field, const char *word, size_t len)
{
    return field.len == len && memcmp(field.at, word, len) == 0;
}
#define IS(field, word) is_word(field, word, sizeof(word) - 1)

static bool radius_valid(struct herd_span text)
{
    struct herd_decimal number;
    const char *end = text.at + text.len;
    if (herd_decimal_scan(text.at, end, end, &number) != end)
        return false;
    return number.whole < RADIUS_MAX_KM ||
           (number.whole == RADIUS_MAX_KM && !herd_digits_any(number.frac, number.frac_len));
}

/* Digits only, no more than `max`; leading zeros are fine. */
static bool parse_count(struct herd_span text, unsigned max, unsigned *ret)
{
    struct herd_decimal number;
    const char *end = text.at + text.len;
    if (herd_decimal_scan(text.at, end, end, &number) != end || number.frac || number.whole > max)
        return false;
    *ret = (unsigned)number.whole;
    return true;
}

static enum herd_verb parse_report(const struct herd_span *fields, const char *readable_end,
                                   struct herd_command *ret)
{
    struct herd_position position;
    ret->id = fields[0];
    ret->position = fields[1];
    ret->time = fields[2];
    if (herd_position_parse_bounded(ret->position, readable_end, &position) < 0 ||
        herd_timestamp_parse_bounded(ret->time, readable_end, &ret->time_ns) < 0)
        return HERD_INVALID;
    return HERD_IAMAT;
}

static enum herd_verb parse_at(const struct herd_span *fields, const char *readable_end, struct herd_command *ret)
{
    ret->server = fields[0];
    ret->diff = fields[1];
    if (!herd_name_valid(ret->server) || !herd_diff_valid(ret->diff))
        return HERD_INVALID;
    return parse_report(fields + 2, readable_end, ret) == HERD_IAMAT ? HERD_AT : HERD_INVALID;
}

static enum herd_verb parse_gone(const struct herd_span *fields, const char *readable_end, struct herd_command *ret)
{
    ret->server = fields[0];
    ret->diff = fields[1];
    ret->id = fields[2];
    ret->position = (struct herd_span){"", 0};
    ret->time = fields[3];
    return herd_name_valid(ret->server) && herd_diff_valid(ret->diff) &&
                   herd_timestamp_parse_bounded(ret->time, readable_end, &ret->time_ns) >= 0
               ? HERD_GONE
               : HERD_INVALID;
}

static enum herd_verb parse_whatsat(const struct herd_span *fields, struct herd_command *ret)
{
    ret->id = fields[0];
    ret->radius = fields[1];
    if (!radius_valid(ret->radius) || !parse_count(fields[2], BOUND_MAX, &ret->bound))
        return HERD_INVALID;
    return HERD_WHATSAT;
}

static bool host_valid(struct herd_span host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.at[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              (c && strchr(".-_:%", c))))
            return false;
    }
    return host.len > 0 && host.len <= HERD_HOST_MAX;
}

static enum herd_verb parse_see(const struct herd_span *fields, struct herd_command *ret)
{
    unsigned port, bucket;
    ret->host = fields[0];
    if (!host_valid(ret->host) || !parse_count(fields[1], PORT_MAX, &port) || port == 0 ||
        !parse_count(fields[2], HERD_BUCKETS - 1, &bucket))
        return HERD_INVALID;
    ret->port = (uint16_t)port;
    ret->bucket = (uint16_t)bucket;
    return HERD_SEE;
}

/* The version decides what the other fields mean: of one that is not known nothing but itself is required. */
static enum herd_verb parse_hello(const struct herd_span *fields, size_t count, struct herd_command *ret)
{
    const struct herd_span none = {"", 0};
    struct herd_decimal number = {0};
    ret->from = count > 1 && herd_name_valid(fields[1]) ? fields[1] : none;
    ret->to = count > 2 && herd_name_valid(fields[2]) ? fields[2] : none;
    ret->incarnation = ret->expire_ms = ret->key_check = 0;
    ret->takes_gone = false;
    bool whole = count > 3 && herd_hex_read(fields[3], &ret->incarnation);
    if (!parse_count(fields[0], VERSION_MAX, &ret->version))
        return HERD_INVALID;
    if (ret->version != HERD_PROTOCOL_VERSION)
        return HERD_HELLO;
    if (!whole || ret->from.len == 0 || ret->to.len == 0)
        return HERD_INVALID;
    if (count > 4) { /* a later version's field may stand here, of any form */
        const char *end = fields[4].at + fields[4].len;
        if (herd_decimal_scan(fields[4].at, end, end, &number) == end && !number.frac)
            ret->expire_ms = number.whole;
    }
    if (count > 5 && !herd_hex_read(fields[5], &ret->key_check))
        ret->key_check = 0;
    ret->takes_gone = count > 6 && IS(fields[6], "1");
    return HERD_HELLO;
}

/* In letters of any size: who types it wrong must not see the token come back either. */
static bool is_auth(struct herd_span word)
{
    static const char auth[] = "auth";
    if (word.len != sizeof auth - 1)
        return false;
    for (size_t i = 0; i < word.len; i++)
        if ((word.at[i] | 0x20) != auth[i])
            return false;
    return true;
}

static enum herd_verb parse(struct herd_span line, const char *readable_end, struct herd_command *ret)
{
    struct herd_span fields[FIELDS_MAX];
    size_t count = herd_fields(line, readable_end, fields, FIELDS_MAX);

    if (count == 0)
        return HERD_BLANK;
    if (count == 4 && IS(fields[0], "IAMAT"))
        return parse_report(fields + 1, readable_end, ret);
    if (count == 6 && IS(fields[0], "AT"))
        return parse_at(fields + 1, readable_end, ret);
    if (count == 4 && IS(fields[0], "WHATSAT"))
        return parse_whatsat(fields + 1, ret);
    if (count >= 2 && IS(fields[0], "HELLO"))
        return parse_hello(fields + 1, (count < FIELDS_MAX ? count : FIELDS_MAX) - 1, ret);
    if (count == 5 && IS(fields[0], "GONE"))
        return parse_gone(fields + 1, readable_end, ret);
    if (count == 2 && IS(fields[0], "FORGET")) {
        ret->id = fields[1];
        return HERD_FORGET;
    }
    if (count == 4 && IS(fields[0], "SEE"))
        return parse_see(fields + 1, ret);
    if (is_auth(fields[0])) {
        ret->args = count == 2 && IS(fields[0], "AUTH") ? fields[1] : (struct herd_span){"", 0};
        return HERD_AUTH;
    }
    if (count == 1 && IS(fields[0], "PING"))
        return HERD_PING;
    if (count == 1 && IS(fields[0], "PONG"))
        return HERD_PONG;
    if (count == 1 && IS(fields[0], "PUSH"))
        return HERD_PUSH;
    if (count >= 2) {
        ret->args = (struct herd_span){fields[1].at, (size_t)(line.at + line.len - fields[1].at)};
        if (IS(fields[0], "LIST"))
            return HERD_LIST;
        if (IS(fields[0], "SUMS"))
            return HERD_SUMS;
        if (IS(fields[0], "ROOT"))
            return HERD_ROOT;
        if (IS(fields[0], "REFUSE"))
            return HERD_REFUSE;
    }
    return HERD_INVALID;
}

enum herd_verb herd_report_parse(struct herd_span id, struct herd_span position, struct herd_span time,
                                 struct herd_command *ret_command)
{
    const struct herd_span fields[] = {id, position, time};
    return parse_report(fields, time.at + time.len, ret_command);
}

enum herd_verb herd_command_parse_bounded(struct herd_span line, const char *readable_end,
                                          struct herd_command *ret_command)
{
    if (!herd_line_parse_fast(line, readable_end, ret_command))
        ret_command->verb = parse(line, readable_end, ret_command);
    return ret_command->verb;
}

enum herd_verb herd_command_parse(struct herd_span line, struct herd_command *ret_command)
{
    return herd_command_parse_bounded(line, line.len ? line.at + line.len : line.at, ret_command);
}
