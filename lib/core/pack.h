/* SPDX-License-Identifier: MIT */
/*
 * Numbers as text, two characters a byte. Places, times and differences hold digits, '+', '-' and '.'
 * only, and the low four bits of these thirteen characters are all different:
 *
 *     '0'..'9' 0x30..0x39 -> 0..9     '+' 0x2b -> 11     '-' 0x2d -> 13     '.' 0x2e -> 14
 *
 * so the verbatim text survives in half the room. The first character is in the high half of the first
 * byte; an odd last character is followed by a zero half.
 */
#ifndef HERD_CORE_PACK_H
#define HERD_CORE_PACK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Both functions work in whole words: `text` and `packed` must have this much room behind their ends. */
#define HERD_PACK_SLACK 8

static inline size_t herd_packed_size(size_t text_len)
{
    return (text_len + 1) / 2;
}

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

/* `text` is followed by at least HERD_PACK_SLACK readable bytes, the first of them zero. */
static inline void herd_pack(unsigned char *packed, const char *text, size_t text_len)
{
    for (size_t i = 0; i < text_len; i += 8) {
        uint64_t w;
        memcpy(&w, text + i, 8);
        w &= UINT64_C(0x0f0f0f0f0f0f0f0f);
        w = (w << 4 | w >> 8) & UINT64_C(0x00ff00ff00ff00ff);
        w = (w | w >> 8) & UINT64_C(0x0000ffff0000ffff);
        w = w | w >> 16;
        uint32_t half = (uint32_t)w;
        memcpy(packed + i / 2, &half, 4);
    }
}

static inline void herd_unpack(char *text, const unsigned char *packed, size_t text_len)
{
    for (size_t i = 0; i < text_len; i += 8) {
        uint32_t half;
        memcpy(&half, packed + i / 2, 4);
        uint64_t w = half;
        w = (w | w << 16) & UINT64_C(0x0000ffff0000ffff);
        w = (w | w << 8) & UINT64_C(0x00ff00ff00ff00ff);
        w = (w >> 4 & UINT64_C(0x000f000f000f000f)) | (w & UINT64_C(0x000f000f000f000f)) << 8;
        /* 10 and above came from 0x2?, the digits from 0x3?: adding 6 carries into bit 4 exactly there. */
        w = (w | UINT64_C(0x3030303030303030)) ^ ((w + UINT64_C(0x0606060606060606)) & UINT64_C(0x1010101010101010));
        memcpy(text + i, &w, 8);
    }
}

#else

static inline void herd_pack(unsigned char *packed, const char *text, size_t text_len)
{
    for (size_t i = 0; i < text_len; i += 2) {
        unsigned low = i + 1 < text_len ? (unsigned char)text[i + 1] & 15u : 0;
        packed[i / 2] = (unsigned char)(((unsigned char)text[i] & 15u) << 4 | low);
    }
}

static inline void herd_unpack(char *text, const unsigned char *packed, size_t text_len)
{
    for (size_t i = 0; i < text_len; i++) {
        unsigned n = i % 2 ? packed[i / 2] & 15u : packed[i / 2] >> 4;
        text[i] = (char)(n < 10 ? 0x30 | n : 0x20 | n);
    }
}

#endif
#endif
