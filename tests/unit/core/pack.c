/* SPDX-License-Identifier: MIT */
/* Numbers at two characters a byte: round trip, layout, and how far each side may read and write. */
#include "cm.h"

#include "guard.h"
#include "pack.h"

#define LENGTH_MAX 600
static const char alphabet[] = "0123456789+-.";

static void test_every_length(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for (size_t len = 0; len <= LENGTH_MAX; len++) {
        char text[LENGTH_MAX + HERD_PACK_SLACK] = {0}, back[LENGTH_MAX + HERD_PACK_SLACK];
        unsigned char room[HERD_PACK_FRONT + LENGTH_MAX / 2 + 1 + HERD_PACK_SLACK];
        unsigned char *const packed = room + HERD_PACK_FRONT;
        for (size_t i = 0; i < len; i++)
            text[i] = alphabet[rnd_below(&seed, sizeof alphabet - 1)];
        /* what stands behind the zero must not matter */
        memset(text + len + 1, 0xee, HERD_PACK_SLACK - 1);
        memset(room, 0xdd, sizeof room);
        memset(back, 0xcc, sizeof back);
        herd_pack(packed, text, len);
        for (size_t i = 0; i < len; i++) {
            unsigned half = i % 2 ? packed[i / 2] & 15u : packed[i / 2] >> 4;
            assert_int_equal(half, text[i] & 15);
        }
        if (len % 2)
            assert_int_equal(packed[len / 2] & 15, 0);
        for (size_t i = herd_packed_size(len) + HERD_PACK_SLACK; packed + i < room + sizeof room; i++)
            assert_int_equal(packed[i], 0xdd);
        herd_unpack(back, packed, len);
        assert_memory_equal(back, text, len);
        for (size_t i = len + HERD_PACK_SLACK; i < sizeof back; i++)
            assert_int_equal((unsigned char)back[i], 0xcc);
    }
}

static void test_size(void **state)
{
    (void)state;
    assert_int_equal(herd_packed_size(0), 0);
    assert_int_equal(herd_packed_size(1), 1);
    assert_int_equal(herd_packed_size(2), 1);
    assert_int_equal(herd_packed_size(3), 2);
}

/* Packing reads no further than the slack behind the text, unpacking nothing behind the packed bytes. */
static void test_reads_end(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 64; len++) {
        char text[64 + HERD_PACK_SLACK] = {0}, back[64 + HERD_PACK_SLACK];
        unsigned char packed[32 + HERD_PACK_SLACK] = {0};
        memset(text, '7', len);
        struct herd_span end = guarded((struct herd_span){text, len + HERD_PACK_SLACK});
        herd_pack(packed, end.at, len);
        end = guarded((struct herd_span){(char *)packed, herd_packed_size(len)});
        herd_unpack(back, (const unsigned char *)end.at, len);
        assert_memory_equal(back, text, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_reads_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
