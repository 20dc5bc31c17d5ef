/* SPDX-License-Identifier: MIT */
/* Dates and times of ISO 8601, by the Gregorian calendar. */
#include "iso_time.h"

#include "../core/base/digits.h"

struct cursor {
    const char *at, *end;
    bool strict;
};

/* A number of exactly `count` digits up to `most`; -1: it is not there. */
static int number(struct cursor *c, int count, int most)
{
    int value = 0;
    if (c->end - c->at < count)
        return -1;
    for (int i = 0; i < count; i++, c->at++) {
        if (!herd_is_digit(*c->at))
            return -1;
        value = value * 10 + (*c->at - '0');
    }
    return value <= most ? value : -1;
}

static bool is_at(const struct cursor *c, char byte)
{
    return c->at < c->end && *c->at == byte;
}

static bool take(struct cursor *c, char byte)
{
    bool there = is_at(c, byte);
    c->at += there;
    return there;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970-01-01. Years are counted from March, so that the leap day is the last of its year. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static int read_date(struct cursor *c, int64_t *ret_days)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = number(c, 4, 9999);
    if (year < 0 || !take(c, '-'))
        return HERD_E_SYNTAX;
    int month = number(c, 2, 12);
    if (month < 1 || !take(c, '-'))
        return HERD_E_SYNTAX;
    int day = number(c, 2, lengths[month - 1] + (month == 2 && is_leap(year)));
    if (day < 1)
        return HERD_E_SYNTAX;
    *ret_days = days_of(year, month, day);
    return 0;
}

static int read_clock(struct cursor *c, struct herd_iso_time *time)
{
    int second = 0;
    int hour = number(c, 2, 23);
    if (hour < 0 || !take(c, ':'))
        return HERD_E_SYNTAX;
    int minute = number(c, 2, 59);
    if (minute < 0)
        return HERD_E_SYNTAX;
    if (take(c, ':')) {
        second = number(c, 2, 60);
        if (second < 0)
            return HERD_E_SYNTAX;
        if (take(c, '.') || (!c->strict && take(c, ','))) {
            time->fraction.at = c->at;
            while (c->at < c->end && herd_is_digit(*c->at))
                c->at++;
            time->fraction.len = (size_t)(c->at - time->fraction.at);
            if (time->fraction.len == 0)
                return HERD_E_SYNTAX;
        }
    } else if (c->strict) {
        return HERD_E_SYNTAX;
    }
    time->seconds = (int64_t)hour * 3600 + minute * 60 + second;
    return 0;
}

/* Seconds that the zone is east of UTC. */
static int read_zone(struct cursor *c, int *ret_offset)
{
    *ret_offset = 0;
    if (c->at == c->end)
        return c->strict ? HERD_E_SYNTAX : 0;
    if (take(c, 'Z') || take(c, 'z'))
        return 0;
    bool west = is_at(c, '-');
    if (!west && !is_at(c, '+') && (c->strict || !is_at(c, ' ')))
        return HERD_E_SYNTAX;
    c->at++;
    int hours = number(c, 2, 23), minutes = 0;
    if (hours < 0)
        return HERD_E_SYNTAX;
    bool colon = take(c, ':');
    if (colon || !(c->strict || c->at == c->end))
        minutes = number(c, 2, 59);
    if (minutes < 0 || (c->strict && !colon))
        return HERD_E_SYNTAX;
    *ret_offset = (hours * 60 + minutes) * 60 * (west ? -1 : 1);
    return 0;
}

bool herd_iso_time_begins(struct herd_span text)
{
    for (size_t i = 0; i < 4; i++)
        if (i >= text.len || !herd_is_digit(text.at[i]))
            return false;
    return text.len > 4 && text.at[4] == '-';
}

int herd_iso_time_read(struct herd_span text, bool strict, struct herd_iso_time *ret_time)
{
    struct herd_iso_time time = {0, {"", 0}};
    struct cursor c = {text.at, text.at, strict};
    int64_t days;
    int offset;
    if (text.len == 0)
        return HERD_E_SYNTAX;
    c.end = text.at + text.len;
    int err = read_date(&c, &days);
    if (err < 0)
        return err;
    if (!take(&c, 'T') && !take(&c, 't') && !take(&c, ' ')) /* RFC 3339, 5.6: lower case and a blank are allowed */
        return HERD_E_SYNTAX;
    err = read_clock(&c, &time);
    if (err >= 0)
        err = read_zone(&c, &offset);
    if (err < 0)
        return err;
    if (c.at != c.end)
        return HERD_E_SYNTAX;
    time.seconds += days * 86400 - offset;
    *ret_time = time;
    return 0;
}
