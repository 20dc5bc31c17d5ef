/* SPDX-License-Identifier: MIT */
/* Decimal numbers as texts: split, shifted by powers of ten, read to fixed point and to doubles. */
#include "decimal.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct herd_span digits_at(struct herd_span *io_rest)
{
    struct herd_span digits = {io_rest->at, 0};
    while (digits.len < io_rest->len && is_digit(digits.at[digits.len]))
        digits.len++;
    io_rest->at += digits.len;
    io_rest->len -= digits.len;
    return digits;
}

static bool take(struct herd_span *io_rest, char c)
{
    if (!io_rest->len || *io_rest->at != c)
        return false;
    io_rest->at++;
    io_rest->len--;
    return true;
}

/* The part JSON numbers and coordinates share; what follows it is left in *io_rest. */
static int split_front(struct herd_span *io_rest, struct herd_decimal *ret_decimal)
{
    struct herd_decimal d = {false, {NULL, 0}, {NULL, 0}};
    if (take(io_rest, '-'))
        d.negative = true;
    else
        (void)take(io_rest, '+');
    d.whole = digits_at(io_rest);
    if (!d.whole.len)
        return HERD_E_SYNTAX;
    d.fraction = (struct herd_span){io_rest->at, 0};
    if (take(io_rest, '.')) {
        d.fraction = digits_at(io_rest);
        if (!d.fraction.len)
            return HERD_E_SYNTAX;
    }
    *ret_decimal = d;
    return 0;
}

int herd_decimal_split(struct herd_span text, struct herd_decimal *ret_decimal)
{
    struct herd_decimal d;
    int err = split_front(&text, &d);
    if (err < 0)
        return err;
    if (text.len)
        return HERD_E_SYNTAX;
    *ret_decimal = d;
    return 0;
}

/* The digit `i` places behind the first whole digit; zeros follow the last one. */
static char digit_of(const struct herd_decimal *d, size_t i)
{
    if (i < d->whole.len)
        return d->whole.at[i];
    i -= d->whole.len;
    return i < d->fraction.len ? d->fraction.at[i] : '0';
}

int herd_decimal_write(struct herd_buf *out, const struct herd_decimal *d, unsigned shift, bool trim)
{
    size_t point = d->whole.len + shift; /* digits before the point */
    size_t total = d->whole.len + d->fraction.len;
    size_t first = 0;
    while (first + 1 < point && digit_of(d, first) == '0')
        first++;
    if (trim)
        while (total > point && digit_of(d, total - 1) == '0')
            total--;
    size_t end = total > point ? total : point;
    int err = herd_buf_reserve(out, end - first + 2);
    if (err < 0)
        return err;
    char *to = out->at + out->len;
    if (d->negative)
        *to++ = '-';
    for (size_t i = first; i < end; i++) {
        if (i == point)
            *to++ = '.';
        *to++ = digit_of(d, i);
    }
    out->len = (size_t)(to - out->at);
    return 0;
}

double herd_decimal_double(struct herd_span text)
{
    /* 17 significant digits tell any two doubles apart; more would not fit the 64-bit mantissa. */
    static const double pow10[] = {1,    1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct herd_decimal d;
    if (herd_decimal_split(text, &d) < 0)
        return 0;
    uint64_t mantissa = 0;
    unsigned significant = 0, decimals = 0;
    for (size_t i = 0; i < d.whole.len + d.fraction.len; i++) {
        bool behind = i >= d.whole.len;
        if (behind && (significant >= 17 || decimals >= 22))
            break;
        mantissa = mantissa * 10 + (uint64_t)(digit_of(&d, i) - '0');
        decimals += behind;
        if (mantissa)
            significant++;
        if (significant > 18) /* far outside what a coordinate or a radius can be */
            return d.negative ? -1e18 : 1e18;
    }
    double value = (double)mantissa / pow10[decimals];
    return d.negative ? -value : value;
}

/* The exponent behind e or E, held within +-1000; false where there is something else. */
static bool exponent_of(struct herd_span rest, int *ret_exponent)
{
    int exponent = 0;
    if (rest.len) {
        if (!take(&rest, 'e') && !take(&rest, 'E'))
            return false;
        bool negative = take(&rest, '-');
        if (!negative)
            (void)take(&rest, '+');
        struct herd_span digits = digits_at(&rest);
        if (!digits.len || rest.len)
            return false;
        for (size_t i = 0; i < digits.len; i++)
            if (exponent < 1000)
                exponent = exponent * 10 + (digits.at[i] - '0');
        if (exponent > 1000)
            exponent = 1000;
        if (negative)
            exponent = -exponent;
    }
    *ret_exponent = exponent;
    return true;
}

int herd_decimal_e7(struct herd_span text, int64_t *ret_e7)
{
    struct herd_decimal d;
    int exponent;
    if (split_front(&text, &d) < 0 || !exponent_of(text, &exponent))
        return HERD_E_SYNTAX;
    const int64_t most = (int64_t)400 * HERD_E7;
    /* The last digit that counts is the seventh behind the (moved) point; the next one rounds. */
    long long places = (long long)d.whole.len + exponent + 7;
    int64_t value = 0;
    for (long long i = 0; i < places; i++) {
        value = value * 10 + (digit_of(&d, (size_t)i) - '0');
        if (value > most)
            return HERD_E_RANGE;
    }
    if (places >= 0 && digit_of(&d, (size_t)places) >= '5')
        value++;
    if (value > most)
        return HERD_E_RANGE;
    *ret_e7 = d.negative ? -value : value;
    return 0;
}

int herd_decimal_e7_write(struct herd_buf *out, int64_t e7)
{
    char text[32];
    size_t at = sizeof text;
    uint64_t rest = e7 < 0 ? (uint64_t)0 - (uint64_t)e7 : (uint64_t)e7;
    bool behind = false; /* a digit other than zero was written behind the point */
    for (int i = 0; i < 7; i++, rest /= 10) {
        char digit = (char)('0' + rest % 10);
        if (digit != '0' || behind) {
            text[--at] = digit;
            behind = true;
        }
    }
    if (behind)
        text[--at] = '.';
    do
        text[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (e7 < 0)
        text[--at] = '-';
    return herd_buf_add(out, text + at, sizeof text - at);
}
