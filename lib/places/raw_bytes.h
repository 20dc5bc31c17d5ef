/* SPDX-License-Identifier: MIT */
/* JSON many bytes at a time: most of an answer is ordinary characters inside strings, and layout. Sixteen where
 * the machine has SSE2, which every x86-64 has, else eight, and the rest one by one. */
#ifndef HERD_PLACES_RAW_BYTES_H
#define HERD_PLACES_RAW_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define HERD_RAW_FIRST(found) (__builtin_ctzll(found) / 8) /* the first byte in memory that has a bit set */
#endif

/* The first byte of a string's inside that is not an ordinary ASCII character: a quote, a backslash, a control
 * character, or the start of something longer. `end` where there is none. */
static inline const char *herd_raw_plain_end(const char *at, const char *end)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
#ifdef __SSE2__
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i found = _mm_or_si128(
            _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)), /* signed: above 0x7f too */
            _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
        int mask = _mm_movemask_epi8(found);
        if (mask)
            return at + __builtin_ctz((unsigned)mask);
    }
#endif
    while (end - at >= 8) {
        uint64_t eight;
        memcpy(&eight, at, 8);
        uint64_t quote = eight ^ ones * '"', backslash = eight ^ ones * '\\';
        /* A high bit is set for each byte that is zero after the XOR, below 0x20, or above 0x7f. */
        uint64_t found = ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
                         ((eight - ones * 0x20) & ~eight) | eight;
        if (found & highs) {
#ifdef HERD_RAW_FIRST
            /* A borrow only ever marks bytes behind one that is rightly marked, so the first one is right. */
            return at + HERD_RAW_FIRST(found & highs);
#else
            break;
#endif
        }
        at += 8;
    }
    while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' && *at != '\\')
        at++;
    return at;
}

/* Behind the first LF that another one follows. `end` where there is none. */
static inline const char *herd_raw_blank_line(const char *at, const char *end)
{
#ifdef __SSE2__
    for (; end - at >= 17; at += 16) {
        __m128i here = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i next = _mm_loadu_si128((const __m128i *)(const void *)(at + 1));
        __m128i lf = _mm_set1_epi8('\n');
        int mask = _mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(here, lf), _mm_cmpeq_epi8(next, lf)));
        if (mask)
            return at + __builtin_ctz((unsigned)mask) + 1;
    }
#endif
    for (; end - at >= 2; at++)
        if (at[0] == '\n' && at[1] == '\n')
            return at + 1;
    return end;
}

/* Behind a run of blanks. */
static inline const char *herd_raw_blanks_end(const char *at, const char *end)
{
    const uint64_t blanks = 0x2020202020202020u;
#ifdef __SSE2__
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        int mask = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')));
        if (mask != 0xffff)
            return at + __builtin_ctz(~(unsigned)mask);
    }
#endif
    while (end - at >= 8) {
        uint64_t eight;
        memcpy(&eight, at, 8);
        if (eight != blanks) {
#ifdef HERD_RAW_FIRST
            return at + HERD_RAW_FIRST(eight ^ blanks);
#else
            break;
#endif
        }
        at += 8;
    }
    while (at < end && *at == ' ')
        at++;
    return at;
}

/* The first byte that is not white space. `end` where there is none. Mostly there is none, or one blank, or a line
 * end and indentation. */
static inline const char *herd_raw_space_end(const char *at, const char *end)
{
    if (at < end && *at == ' ')
        at++;
    while (at < end && (unsigned char)*at <= ' ') {
        if (*at == '\n') /* what follows is indentation */
            at = herd_raw_blanks_end(at + 1, end);
        else if (*at == ' ' || *at == '\r' || *at == '\t')
            at++;
        else
            break;
    }
    return at;
}

#endif
