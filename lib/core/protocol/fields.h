/* SPDX-License-Identifier: MIT */
/* A line cut into its fields at runs of white space. */
#ifndef HERD_CORE_FIELDS_H
#define HERD_CORE_FIELDS_H

#include <herd/types.h>

#include <string.h>

/* Space, TAB, VT, FF, CR; LF too, though a line never holds one. */
static inline bool herd_is_space(char c)
{
    return c == ' ' || (unsigned char)(c - '\t') < 5;
}

/* The first white space at or behind `p`, or `end`; memory may be read up to `readable_end`, and between `end`
 * and `readable_end` white space comes first. Eight bytes at a time: a word without a byte below 0x21 has no
 * white space. The lowest flagged byte is exact (a borrow only spoils higher ones), but may be a control
 * byte that is no white space. */
static inline const char *herd_field_end(const char *p, const char *end, const char *readable_end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    while (p < end && readable_end - p >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        uint64_t low = (word - ones * 0x21) & ~word & (ones * 0x80);
        if (low == 0) {
            p += 8;
            continue;
        }
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        p += (unsigned)__builtin_ctzll(low) / 8;
#else
        while ((unsigned char)*p > 0x20)
            p++;
#endif
        if (herd_is_space(*p))
            return p;
        p++;
    }
    while (p < end && !herd_is_space(*p))
        p++;
    return p;
}

static inline const char *herd_space_end(const char *p, const char *end)
{
    while (p < end && herd_is_space(*p))
        p++;
    return p;
}

/* `readable_end` as above. Cuts `line` into at most `max` fields. Returns how many there are, max + 1 when there are more. */
static inline size_t herd_fields(struct herd_span line, const char *readable_end, struct herd_span *fields,
                                 size_t max)
{
    size_t n = 0;
    if (line.len == 0)
        return 0; /* it may have no address */
    const char *end = line.at + line.len;
    const char *p = herd_space_end(line.at, end);
    while (p < end) {
        if (n == max)
            return max + 1;
        const char *stop = herd_field_end(p, end, readable_end);
        fields[n].at = p;
        fields[n].len = (size_t)(stop - p);
        n++;
        p = herd_space_end(stop, end);
    }
    return n;
}

#endif
