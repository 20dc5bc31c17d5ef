/* SPDX-License-Identifier: MIT */
/*
 * Decimal numbers the slow way: a text, and the digit at any power of ten. Nothing is rounded, nothing is
 * held in a machine number, no code is shared with the library; what the library reads is compared with this.
 */
#ifndef FUZZ_EXACT_H
#define FUZZ_EXACT_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define MUST(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

struct exact {
    const char *at;
    long len, point; /* where the point is, or would be */
    long shift;      /* the number is 10^shift times what is written */
};

static inline bool exact_digit(const char *at, long len, long i)
{
    return i < len && memchr("0123456789", at[i], 10) != NULL;
}

/* digits [. digits] at the front: how many characters, 0 if there is no such number. */
static inline long exact_scan(const char *at, long len, struct exact *ret)
{
    long i = 0;
    while (exact_digit(at, len, i))
        i++;
    if (i == 0)
        return 0;
    *ret = (struct exact){.at = at, .len = i, .point = i};
    if (i < len && at[i] == '.') {
        long from = ++i;
        while (exact_digit(at, len, i))
            i++;
        if (i == from)
            return 0;
        ret->len = i;
    }
    return i;
}

static inline struct exact exact_of(const char *text)
{
    struct exact number = {0};
    MUST(exact_scan(text, (long)strlen(text), &number) == (long)strlen(text));
    return number;
}

/* The digit that counts 10^place. */
static inline int exact_at(const struct exact *n, long place)
{
    long i = n->point - 1 - (place - n->shift);
    if (i >= n->point)
        i++; /* over the point */
    return i < 0 || i >= n->len ? 0 : n->at[i] - '0';
}

static inline long exact_high(const struct exact *n)
{
    return n->point + n->shift;
}

static inline long exact_low(const struct exact *n)
{
    return n->len > n->point ? n->shift - (n->len - n->point - 1) : n->shift;
}

/* <0, 0, >0; with `places` decimals and the rest cut off. */
static inline int exact_compare_cut(const struct exact *a, const struct exact *b, long places)
{
    long high = exact_high(a) > exact_high(b) ? exact_high(a) : exact_high(b);
    long low = exact_low(a) < exact_low(b) ? exact_low(a) : exact_low(b);
    for (long place = high; place >= low && place >= -places; place--)
        if (exact_at(a, place) != exact_at(b, place))
            return exact_at(a, place) - exact_at(b, place);
    return 0;
}

static inline int exact_compare(const struct exact *a, const struct exact *b)
{
    return exact_compare_cut(a, b, 1L << 30);
}

/* Whether two doubles are this many steps apart at most. */
static inline bool exact_near(double a, double b, int steps)
{
    for (int i = 0; i < steps && a != b; i++)
        a = nextafter(a, b);
    return a == b;
}

/* Texts of numbers come up seldom in bytes of any kind: with `dense` each byte stands for one of sixteen characters. */
static inline char *exact_text(const unsigned char *bytes, size_t len, bool dense)
{
    char *text = malloc(len + 1);
    MUST(text);
    for (size_t i = 0; i < len; i++)
        text[i] = dense ? "0123456789+-. 90"[bytes[i] & 15] : (char)bytes[i];
    text[len] = '\0';
    return text;
}

#endif
