/* SPDX-License-Identifier: MIT */
/* Decimal numbers with exponents: the point is moved among the digits. */
#include "number.h"

#include "../core/base/digits.h"

/* No text is as long as this, so that a larger exponent says no more: the number is out of range, or 0. */
#define EXPONENT_MAX 1000000000

static struct herd_span take_digits(const char **io_at, const char *end)
{
    const char *from = *io_at;
    while (*io_at < end && herd_is_digit(**io_at))
        (*io_at)++;
    return (struct herd_span){from, (size_t)(*io_at - from)};
}

static bool take_sign(const char **io_at, const char *end)
{
    bool negative = *io_at < end && **io_at == '-';
    if (*io_at < end && (**io_at == '-' || **io_at == '+'))
        (*io_at)++;
    return negative;
}

/* The digit `i` places behind the first one; zeros are before and behind all that were sent. */
static char digit_at(const struct herd_number *number, int64_t i)
{
    int64_t whole = (int64_t)number->whole.len, fraction = (int64_t)number->fraction.len;
    if (i < 0 || i >= whole + fraction)
        return '0';
    return i < whole ? number->whole.at[i] : number->fraction.at[i - whole];
}

static int64_t digit_count(const struct herd_number *number)
{
    return (int64_t)(number->whole.len + number->fraction.len);
}

/* How many digits are before the point, once the exponent has moved it; negative: zeros follow the point. */
static int64_t point_of(const struct herd_number *number)
{
    return (int64_t)number->whole.len + number->exponent;
}

int herd_number_read(struct herd_span text, struct herd_number *ret_number)
{
    struct herd_number number = {0};
    if (text.len == 0)
        return HERD_E_SYNTAX;
    const char *at = text.at, *end = text.at + text.len;
    number.negative = take_sign(&at, end);
    number.whole = take_digits(&at, end);
    if (at < end && *at == '.') {
        at++;
        number.fraction = take_digits(&at, end);
    }
    if (digit_count(&number) == 0)
        return HERD_E_SYNTAX;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        bool negative = take_sign(&at, end);
        struct herd_span digits = take_digits(&at, end);
        if (digits.len == 0)
            return HERD_E_SYNTAX;
        for (size_t i = 0; i < digits.len && number.exponent < EXPONENT_MAX; i++)
            number.exponent = number.exponent * 10 + (digits.at[i] - '0');
        if (number.exponent > EXPONENT_MAX)
            number.exponent = EXPONENT_MAX;
        if (negative)
            number.exponent = -number.exponent;
    }
    if (at != end)
        return HERD_E_SYNTAX;
    int64_t zeros = 0;
    while (zeros < digit_count(&number) && digit_at(&number, zeros) == '0')
        zeros++;
    number.zeros = (size_t)zeros;
    *ret_number = number;
    return 0;
}

bool herd_number_is_zero(const struct herd_number *number)
{
    return (int64_t)number->zeros == digit_count(number);
}

int herd_number_compare(const struct herd_number *number, uint64_t other)
{
    int64_t first = (int64_t)number->zeros, point = point_of(number), count = digit_count(number);
    uint64_t whole = 0;
    if (first == count)
        return other ? -1 : 0;
    if (point - first > 18) /* more than `other` has */
        return 1;
    for (int64_t i = first; i < point; i++)
        whole = whole * 10 + (uint64_t)(digit_at(number, i) - '0');
    if (whole != other)
        return whole > other ? 1 : -1;
    for (int64_t i = point > first ? point : first; i < count; i++)
        if (digit_at(number, i) != '0')
            return 1;
    return 0;
}

size_t herd_number_put(const struct herd_number *number, char out[HERD_NUMBER_TEXT_MAX])
{
    int64_t first = (int64_t)number->zeros, point = point_of(number), count = digit_count(number);
    char *to = out;
    if (first == count) { /* 0: only its decimals tell where the point is */
        if (point > count)
            point = count;
        first = point;
    }
    if (point - first > HERD_NUMBER_WHOLE_MAX)
        return 0;
    for (int64_t i = first; i < point; i++)
        *to++ = digit_at(number, i);
    if (to == out)
        *to++ = '0';
    int64_t decimals = count - point;
    if (decimals > HERD_NUMBER_DECIMALS_MAX)
        decimals = HERD_NUMBER_DECIMALS_MAX;
    if (decimals > 0)
        *to++ = '.';
    for (int64_t i = 0; i < decimals; i++)
        *to++ = digit_at(number, point + i);
    return (size_t)(to - out);
}
