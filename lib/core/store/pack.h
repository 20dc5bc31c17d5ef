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

/* Both functions work sixteen characters at a time, and write so much: there must be this much room behind the end of
 * what they write, and behind that of the text to pack. */
#define HERD_PACK_SLACK 16
/* Packed text is read eight bytes at a time and not beyond its end, for there begins another cache line: so many bytes in
 * front of it may be read instead. A record has as many before its body. */
#define HERD_PACK_FRONT 8

static inline size_t herd_packed_size(size_t text_len)
{
    return (text_len + 1) / 2;
}

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && (defined(__clang__) || __GNUC__ >= 12)

typedef uint64_t herd_words2 __attribute__((vector_size(16)));
typedef unsigned char herd_bytes8 __attribute__((vector_size(8)));
typedef unsigned char herd_bytes16 __attribute__((vector_size(16)));
typedef signed char herd_chars16 __attribute__((vector_size(16)));
typedef uint16_t herd_pairs8 __attribute__((vector_size(16)));

/* `text` is followed by at least HERD_PACK_SLACK readable bytes, the first of them zero. */
static inline void herd_pack(unsigned char *packed, const char *text, size_t text_len)
{
    for (size_t i = 0; i < text_len; i += 16) {
        herd_pairs8 pairs; /* the first character of each is its low byte */
        memcpy(&pairs, text + i, sizeof pairs);
        pairs &= 0x0f0f;
        pairs = (pairs << 4 | pairs >> 8) & 0xff;
        herd_bytes8 bytes = __builtin_convertvector(pairs, herd_bytes8);
        memcpy(packed + i / 2, &bytes, sizeof bytes);
    }
}

static inline void herd_unpack(char *text, const unsigned char *packed, size_t text_len)
{
    const size_t packed_len = herd_packed_size(text_len);
    for (size_t i = 0; i < text_len; i += 16) {
        const size_t left = packed_len - i / 2, beyond = left < 8 ? 8 - left : 0;
        uint64_t word;
        memcpy(&word, packed + i / 2 - beyond, 8);
        word >>= 8 * beyond;
        herd_bytes16 bytes = (herd_bytes16)(herd_words2){word, 0};
        herd_bytes16 c =
            __builtin_shufflevector(bytes >> 4, bytes & 15, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        /* 10 and above came from 0x2?, the digits from 0x3?. */
        c = (c | 0x30) ^ ((herd_bytes16)((herd_chars16)c > 9) & 0x10);
        memcpy(text + i, &c, sizeof c);
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
