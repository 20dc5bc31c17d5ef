/* SPDX-License-Identifier: MIT */
/* A hexadecimal digit of either case, as secrets and hashes are written in files. */
#ifndef HERD_CORE_HEX_DIGIT_H
#define HERD_CORE_HEX_DIGIT_H

/* Its value, or -1. */
static inline int herd_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

#endif
