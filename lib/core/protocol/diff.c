/* SPDX-License-Identifier: MIT */
/* Clock differences as sloppy printers write them: by their digits, never by a rounded number. */
#include "diff.h"

#include "../base/digits.h"

#define DECIMALS 9

/* All digits in a row, and where among them the point stands. */
struct digits {
    struct herd_span whole, frac;
    int64_t point;
};

static char digit_at(const struct digits *d, int64_t i)
{
    if (i < 0 || i >= (int64_t)(d->whole.len + d->frac.len))
        return '0';
    return (size_t)i < d->whole.len ? d->whole.at[i] : d->frac.at[(size_t)i - d->whole.len];
}

static struct herd_span take_digits(const char **io_at, const char *end)
{
    const char *start = *io_at;
    while (*io_at < end && herd_is_digit(**io_at))
        ++*io_at;
    return (struct herd_span){start, (size_t)(*io_at - start)};
}

/* [sign] or the "+-" of those who print a plus before a number that has a sign. */
static bool take_sign(const char **io_at, const char *end)
{
    bool minus = *io_at < end && **io_at == '-';
    if (*io_at < end && (**io_at == '+' || minus))
        ++*io_at;
    if (!minus && *io_at < end && (*io_at)[0] == '-' && (*io_at)[-1] == '+') {
        minus = true;
        ++*io_at;
    }
    return minus;
}

/* Digits of an exponent; false: none, or too great. */
static bool take_exponent(const char **io_at, const char *end, int64_t *ret)
{
    bool minus = *io_at < end && **io_at == '-';
    if (*io_at < end && (**io_at == '+' || minus))
        ++*io_at;
    struct herd_span digits = take_digits(io_at, end);
    int64_t value = 0;
    if (digits.len == 0)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        value = value * 10 + (digits.at[i] - '0');
        if (value > HERD_DIFF_EXPONENT_MAX)
            return false;
    }
    *ret = minus ? -value : value;
    return true;
}

static bool read_digits(const char *at, const char *end, struct digits *ret)
{
    ret->whole = take_digits(&at, end);
    ret->frac = (struct herd_span){at, 0};
    if (at < end && *at == '.') {
        at++;
        ret->frac = take_digits(&at, end);
    }
    if (ret->whole.len + ret->frac.len == 0)
        return false;
    ret->point = (int64_t)ret->whole.len;
    if (at < end && (*at == 'e' || *at == 'E')) {
        int64_t exponent;
        at++;
        if (!take_exponent(&at, end, &exponent))
            return false;
        ret->point += exponent;
    }
    return at == end;
}

size_t herd_diff_read_lenient(struct herd_span text, char out[HERD_DIFF_LENIENT_MAX])
{
    struct digits d;
    if (text.len == 0)
        return 0; /* it may have no address */
    const char *at = text.at, *end = text.at + text.len;
    bool minus = take_sign(&at, end);
    if (!read_digits(at, end, &d))
        return 0;
    int64_t first = 0; /* digit that is not 0, or the last in front of the point */
    while (first < d.point - 1 && digit_at(&d, first) == '0')
        first++;
    if (first >= d.point)
        first = d.point - 1;
    if (d.point - first > HERD_DIFF_WHOLE_MAX)
        return 0;
    char *p = out;
    *p++ = minus ? '-' : '+';
    for (; first < d.point; first++)
        *p++ = digit_at(&d, first);
    *p++ = '.';
    for (int64_t i = 0; i < DECIMALS; i++)
        *p++ = digit_at(&d, d.point + i);
    return (size_t)(p - out);
}
