/* SPDX-License-Identifier: MIT */
#include "value.h"

#include <herd/timestamp.h>

#include <string.h>

#define DIGITS   19
#define FIXED    (1 + DIGITS + 1 + DIGITS) /* both times and the space between */
#define DECIMALS 9

static char *put_digits(char *at, uint64_t number)
{
    /* Two at a time: what is left of each is less than 100. */
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
        "49505152535455565758596061626364656667686970717273747576777879808182838485868788899091929394959697"
        "9899";
    for (int i = DIGITS - 2; i > 0; i -= 2, number /= 100)
        memcpy(at + i, pairs + 2 * (number % 100), 2);
    at[0] = (char)('0' + number % 10);
    return at + DIGITS;
}

static bool get_digits(const char *at, int64_t *ret_number)
{
    uint64_t number = 0;
    for (int i = 0; i < DIGITS; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(at[i] - '0');
    }
    *ret_number = (int64_t)number;
    return number <= INT64_MAX;
}

static char *put_span(char *at, struct herd_span span, char behind)
{
    if (span.len)
        memcpy(at, span.at, span.len);
    at[span.len] = behind;
    return at + span.len + 1;
}

/* The decimals beyond the ninth, without zeros at the end. */
static struct herd_span rest_of(struct herd_span time)
{
    const char *point = memchr(time.at, '.', time.len);
    size_t front = point ? (size_t)(point - time.at) + 1 + DECIMALS : time.len;
    if (front >= time.len)
        return (struct herd_span){"", 0};
    struct herd_span rest = {time.at + front, time.len - front};
    while (rest.len && rest.at[rest.len - 1] == '0')
        rest.len--;
    return rest;
}

int herd_redis_value_add(struct herd_buf *out, const struct herd_database_row *row)
{
    const struct herd_record *record = &row->record;
    struct herd_span rest = rest_of(record->time);
    int err = herd_buf_reserve(out, FIXED + rest.len + 3 + record->server.len + 1 + record->diff.len + 1 +
                                        record->position.len + 1 + record->time.len + 1);
    if (err < 0)
        return err;
    char *at = out->at + out->len;
    bool negative = row->effective_ns < 0;
    *at++ = negative ? '-' : '0';
    at = put_digits(at, negative ? (uint64_t)(row->effective_ns - INT64_MIN) : (uint64_t)row->effective_ns);
    *at++ = ' ';
    at = put_digits(at, (uint64_t)record->time_ns);
    at = put_span(at, rest, ' ');
    *at++ = herd_record_is_tombstone(record) ? 'G' : 'A';
    *at++ = ' ';
    at = put_span(at, record->server, ' ');
    at = put_span(at, record->diff, ' ');
    at = put_span(at, record->position, ' ');
    at = put_span(at, record->time, ' ');
    out->len = (size_t)(at - 1 - out->at);
    return 0;
}

static bool cut(struct herd_span *io_text, struct herd_span *ret_field)
{
    const char *space = memchr(io_text->at, ' ', io_text->len);
    if (!space)
        return false;
    *ret_field = (struct herd_span){io_text->at, (size_t)(space - io_text->at)};
    *io_text = (struct herd_span){space + 1, io_text->len - ret_field->len - 1};
    return true;
}

/* The time plus the difference, no further than there are numbers. */
static int64_t accepted_ns(int64_t time_ns, struct herd_span diff)
{
    int64_t by_ns = INT64_MAX;
    struct herd_span digits = {diff.at + 1, diff.len - 1};
    if (herd_timestamp_parse(digits, &by_ns) < 0)
        by_ns = INT64_MAX;
    if (diff.at[0] == '-')
        return time_ns - by_ns; /* neither is negative */
    return time_ns > INT64_MAX - by_ns ? INT64_MAX : time_ns + by_ns;
}

bool herd_redis_value_parse(struct herd_span id, struct herd_span value, struct herd_database_row *ret_row)
{
    struct herd_database_row row = {.expires_ns = INT64_MAX};
    struct herd_record *record = &row.record;
    struct herd_span rest, kind;
    if (value.len < FIXED || value.at[1 + DIGITS] != ' ' || (value.at[0] != '0' && value.at[0] != '-') ||
        !get_digits(value.at + 1, &row.effective_ns))
        return false;
    if (value.at[0] == '-')
        row.effective_ns += INT64_MIN;
    struct herd_span text = {value.at + FIXED, value.len - FIXED};
    if (!cut(&text, &rest) || !cut(&text, &kind) || !cut(&text, &record->server) || !cut(&text, &record->diff) ||
        !cut(&text, &record->position))
        return false;
    record->id = id;
    record->time = text;
    if (!herd_diff_valid(record->diff) || herd_timestamp_parse(record->time, &record->time_ns) < 0)
        return false;
    row.accepted_ns = accepted_ns(record->time_ns, record->diff);
    *ret_row = row;
    return true;
}
