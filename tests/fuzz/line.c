/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as client lines. What parses is formatted and parsed again and must say the same; a line in a larger
 * read, where usual ones are read in one pass, is what it is alone; cutting lines piece by piece gives the same
 * lines as cutting them at once.
 */
#include "../../lib/core/protocol/parse_bounded.h"

#include <herd/shard.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

static void check_inside(struct herd_span part, struct herd_span line)
{
    MUST(part.len > 0 && part.at >= line.at && part.at + part.len <= line.at + line.len);
    for (size_t i = 0; i < part.len; i++)
        MUST(part.at[i] != ' ' && (part.at[i] < '\t' || part.at[i] > '\r'));
}

static void check_place(struct herd_span text)
{
    struct herd_position position;
    MUST(herd_position_parse(text, &position) == 0);
    MUST(position.lat.len + position.lon.len == text.len);
    MUST(fabs(herd_coordinate_degrees(position.lat)) <= 90 && fabs(herd_coordinate_degrees(position.lon)) <= 180);
}

static void again(const struct herd_command *c, struct herd_buf *out)
{
    struct herd_command d;
    struct herd_span line = {out->at, out->len - 1};
    MUST(out->at[out->len - 1] == '\n');
    MUST(herd_command_parse(line, &d) == c->verb);
    if (c->verb == HERD_IAMAT)
        MUST(herd_span_equal(c->id, d.id) && herd_span_equal(c->position, d.position) &&
             herd_span_equal(c->time, d.time) && c->time_ns == d.time_ns);
    if (c->verb == HERD_WHATSAT)
        MUST(herd_span_equal(c->id, d.id) && herd_span_equal(c->radius, d.radius) && c->bound == d.bound);
    if (c->verb == HERD_SEE)
        MUST(herd_span_equal(c->host, d.host) && c->port == d.port && c->bucket == d.bucket);
    if (c->verb == HERD_HELLO)
        MUST(herd_span_equal(c->from, d.from) && herd_span_equal(c->to, d.to) && c->version == d.version &&
             c->incarnation == d.incarnation);
}

static bool same_bytes(struct herd_span a, struct herd_span b)
{
    return a.at == b.at && a.len == b.len;
}

/* `limit`: the end of the read that the line lies in. */
static void check_in_read(struct herd_span line, const char *limit)
{
    struct herd_command alone = {0}, inside = {0};
    enum herd_verb verb = herd_command_parse(line, &alone);
    MUST(herd_command_parse_bounded(line, limit, &inside) == verb);
    if (verb != HERD_IAMAT && verb != HERD_AT && verb != HERD_GONE)
        return;
    MUST(same_bytes(alone.id, inside.id) && same_bytes(alone.position, inside.position) &&
         same_bytes(alone.time, inside.time) && alone.time_ns == inside.time_ns);
    if (verb != HERD_IAMAT)
        MUST(same_bytes(alone.server, inside.server) && same_bytes(alone.diff, inside.diff));
}

static void check_line(struct herd_span line)
{
    struct herd_command c;
    struct herd_buf out = {0};
    switch (herd_command_parse(line, &c)) {
    case HERD_IAMAT:
        check_inside(c.id, line);
        check_inside(c.position, line);
        check_inside(c.time, line);
        check_place(c.position);
        MUST(c.time_ns >= 0 && herd_timestamp_compare(c.time, c.time) == 0);
        MUST(herd_format_iamat(&out, c.id, c.position, c.time) == 0);
        again(&c, &out);
        break;
    case HERD_WHATSAT:
        check_inside(c.id, line);
        MUST(c.bound <= 20);
        MUST(herd_format_whatsat(&out, c.id, c.radius, c.bound) == 0);
        again(&c, &out);
        break;
    case HERD_GONE:
        check_inside(c.id, line);
        check_inside(c.time, line);
        MUST(c.time_ns >= 0 && c.position.len == 0 && herd_name_valid(c.server) && herd_diff_valid(c.diff));
        MUST(herd_format_gone(&out, c.server, c.diff, c.id, c.time) == 0);
        again(&c, &out);
        break;
    case HERD_FORGET: check_inside(c.id, line); break;
    case HERD_SEE:
        check_inside(c.host, line);
        MUST(c.host.len <= HERD_HOST_MAX && c.port > 0 && c.bucket < HERD_BUCKETS);
        MUST(herd_format_see(&out, c.host, c.port, c.bucket) == 0);
        again(&c, &out);
        break;
    case HERD_HELLO:
        if (c.version != HERD_PROTOCOL_VERSION) /* of which nothing else is known */
            break;
        MUST(herd_name_valid(c.from) && herd_name_valid(c.to));
        MUST(herd_format_hello(&out, c.version, c.from, c.to, c.incarnation, c.expire_ms, c.key_check,
                               c.takes_gone) == 0);
        again(&c, &out);
        break;
    default: break;
    }
    herd_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t step = data[0] % 17 + 1, max = data[1];
    struct herd_span whole = {(const char *)data + 2, size - 2}, rest = whole, line;
    size_t seen = 0, seen_slowly = 0, given = 0;
    struct herd_span slow = {whole.at, 0};
    enum herd_scan scan;
    while ((scan = herd_line_next(&rest, &seen, max, &line)) == HERD_LINE) {
        struct herd_span same;
        enum herd_scan slow_scan;
        MUST(line.len <= max && (line.len == 0 || !memchr(line.at, '\n', line.len)));
        while ((slow_scan = herd_line_next(&slow, &seen_slowly, max, &same)) == HERD_LINE_MORE &&
               given < whole.len) {
            size_t more = whole.len - given < step ? whole.len - given : step;
            given += more;
            slow.len += more;
        }
        MUST(slow_scan == HERD_LINE && same.at == line.at && same.len == line.len);
        check_line(line);
        check_in_read(line, whole.at + whole.len);
    }
    check_line(rest); /* at the end of input the rest is a line too */
    return 0;
}
