/* SPDX-License-Identifier: MIT */
/*
 * Reports as nearly everybody writes them, read in one pass:
 *
 *     IAMAT kiwi.cs.ucla.edu +34.068930-118.445127 1621464827.959498503
 *     AT Riley +0.263873386 kiwi.cs.ucla.edu +34.068930-118.445127 1621464827.959498503
 *
 * One space between fields, well inside the ranges, no more decimals than a nanosecond needs. Whatever is
 * not plainly so is left to protocol_parse.c, which decides; here nothing is ever refused.
 */
#include "../base/digits.h"
#include "fields.h"
#include "parse_bounded.h"

/* Bytes that must be readable behind the line: the words below reach so far. */
#define SLACK 32
/* A second less than the last that fits 64 bits of nanoseconds. */
#define SECONDS_BELOW 9223372036

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

static inline const char *skip_digits(const char *p)
{
    for (;;) {
        unsigned n = herd_digit_run8(herd_load8(p));
        p += n;
        if (n < 8)
            return p; /* a line ends with LF at the latest */
    }
}

/* [. digits]; NULL: a point without digits. */
static inline const char *skip_fraction(const char *p)
{
    if (*p != '.')
        return p;
    const char *end = skip_digits(p + 1);
    return end > p + 1 ? end : NULL;
}

/* Sign, degrees below `max_deg`, fraction. */
static inline const char *read_coordinate(const char *p, uint32_t max_deg)
{
    if (*p != '+' && *p != '-')
        return NULL;
    uint64_t word = herd_load8(p + 1);
    unsigned n = herd_digit_run8(word);
    if (n - 1u > 2u || herd_digits_value8(word, n) >= max_deg) /* 1..3 digits */
        return NULL;
    return skip_fraction(p + 1 + n);
}

static inline const char *read_timestamp(const char *p, int64_t *ret_ns)
{
    static const uint32_t power[] = {1000000000, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};
    uint64_t word = herd_load8(p);
    unsigned n = herd_digit_run8(word);
    if (n == 0)
        return NULL;
    uint64_t seconds = herd_digits_value8(word, n);
    p += n;
    while (n >= 8 && herd_is_digit(*p)) {
        if (++n > 10)
            return NULL;
        seconds = seconds * 10 + (uint64_t)(*p++ - '0');
    }
    if (seconds >= SECONDS_BELOW)
        return NULL;
    uint64_t frac = 0;
    n = 0;
    if (*p == '.') {
        word = herd_load8(p + 1);
        n = herd_digit_run8(word);
        if (n == 0)
            return NULL;
        frac = herd_digits_value8(word, n);
        p += 1 + n;
        if (n == 8 && herd_is_digit(*p)) {
            frac = frac * 10 + (uint64_t)(*p++ - '0');
            n = 9;
            if (herd_is_digit(*p))
                return NULL;
        }
    }
    *ret_ns = (int64_t)(seconds * 1000000000 + frac * power[n]);
    return p;
}

/* id place time, up to the end of the line. */
static inline bool read_report(const char *p, const char *end, const char *readable_end, struct herd_command *ret)
{
    const char *id_end = herd_field_end(p, end, readable_end);
    if (id_end == p || *id_end != ' ')
        return false;
    const char *position = id_end + 1;
    const char *position_end = read_coordinate(position, 90);
    if (!position_end || !(position_end = read_coordinate(position_end, 180)) || *position_end != ' ')
        return false;
    const char *time = position_end + 1;
    if (read_timestamp(time, &ret->time_ns) != end)
        return false;
    ret->id = (struct herd_span){p, (size_t)(id_end - p)};
    ret->position = (struct herd_span){position, (size_t)(position_end - position)};
    ret->time = (struct herd_span){time, (size_t)(end - time)};
    return true;
}

static inline bool read_at(const char *p, const char *end, const char *readable_end, struct herd_command *ret)
{
    const char *name_end = herd_field_end(p, end, readable_end);
    struct herd_span name = {p, (size_t)(name_end - p)};
    if (*name_end != ' ' || !herd_name_valid(name))
        return false;
    const char *diff = name_end + 1;
    if (*diff != '+' && *diff != '-')
        return false;
    const char *whole_end = skip_digits(diff + 1);
    const char *diff_end = whole_end > diff + 1 ? skip_fraction(whole_end) : NULL;
    if (!diff_end || *diff_end != ' ')
        return false;
    ret->server = name;
    ret->diff = (struct herd_span){diff, (size_t)(diff_end - diff)};
    return read_report(diff_end + 1, end, readable_end, ret);
}

bool herd_line_parse_fast(struct herd_span line, const char *readable_end, struct herd_command *ret)
{
    if (line.len < 8) /* it may have no address */
        return false;
    const char *p = line.at, *end = p + line.len;
    if (readable_end - end < SLACK)
        return false;
    if (memcmp(p, "IAMAT ", 6) == 0) {
        ret->verb = HERD_IAMAT;
        return read_report(p + 6, end, readable_end, ret);
    }
    if (memcmp(p, "AT ", 3) == 0) {
        ret->verb = HERD_AT;
        return read_at(p + 3, end, readable_end, ret);
    }
    return false;
}

#else

bool herd_line_parse_fast(struct herd_span line, const char *readable_end, struct herd_command *ret)
{
    (void)line;
    (void)readable_end;
    (void)ret;
    return false;
}

#endif
