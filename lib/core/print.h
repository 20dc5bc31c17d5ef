/* SPDX-License-Identifier: MIT */
/* Numbers into digits, two at a time. */
#ifndef HERD_CORE_PRINT_H
#define HERD_CORE_PRINT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void herd_put2(char *p, unsigned value)
{
    static const char pairs[] = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940"
                                "4142434445464748495051525354555657585960616263646566676869707172737475767778798081"
                                "828384858687888990919293949596979899";
    memcpy(p, pairs + 2 * value, 2);
}

/* Nine digits, zeros in front. */
static inline void herd_put9(char *p, uint32_t value)
{
    uint32_t high = value / 10000, low = value % 10000; /* five digits, four digits */
    p[0] = (char)('0' + high / 10000);
    high %= 10000;
    herd_put2(p + 1, high / 100);
    herd_put2(p + 3, high % 100);
    herd_put2(p + 5, low / 100);
    herd_put2(p + 7, low % 100);
}

/* As many digits as it takes; returns where they end. */
static inline char *herd_put_number(char *p, uint64_t value)
{
    if (value < 10) {
        *p = (char)('0' + value);
        return p + 1;
    }
    char digits[20], *q = digits + sizeof digits;
    while (value >= 100) {
        q -= 2;
        herd_put2(q, (unsigned)(value % 100));
        value /= 100;
    }
    if (value >= 10) {
        q -= 2;
        herd_put2(q, (unsigned)value);
    } else {
        *--q = (char)('0' + value);
    }
    size_t len = (size_t)(digits + sizeof digits - q);
    memcpy(p, q, len);
    return p + len;
}

#endif
