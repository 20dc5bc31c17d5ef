/* SPDX-License-Identifier: MIT */
/* Records in cells: what goes in comes out, on both sides of the line between inline and apart; and the hash
 * of a record tells any two records apart. */
#include "cm.h"

#include "guard.h"
#include "hash.h"
#include "record.h"

#include <herd/timestamp.h>

#include <stdio.h>

static struct herd_packed_record empty_cell(void)
{
    struct herd_packed_record cell;
    memset(&cell, 0, sizeof cell);
    cell.server = HERD_NO_SERVER;
    return cell;
}

static char *digits(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        text[i] = "0123456789+-."[(i * 7 + len) % 13];
    return text;
}

/* A stamp of `len` characters, of all kinds: with leading zeros or without, few decimals or many. */
static struct herd_span stamp(char *text, size_t len, unsigned kind)
{
    for (size_t i = 0; i < len; i++)
        text[i] = (char)('1' + (i * 7 + len) % 9);
    if (kind % 3 == 0)
        text[0] = '0';
    size_t whole = len > 11 ? 1 + kind % 9 : len / 2;
    if (len > 2)
        text[whole] = '.';
    return (struct herd_span){text, len};
}

static void check_cell(const struct herd_packed_record *cell, const struct herd_record *record, uint16_t server)
{
    struct herd_buf scratch = {0};
    struct herd_record back;
    assert_false(herd_packed_record_empty(cell));
    assert_int_equal(cell->server, server);
    assert_true(cell->time_ns == record->time_ns);
    assert_true(herd_span_equal(herd_packed_record_id(cell), record->id));
    assert_int_equal(herd_packed_record_texts(cell, &scratch, &back), 0);
    assert_true(herd_span_equal(back.diff, record->diff));
    assert_true(herd_span_equal(back.position, record->position));
    assert_true(herd_span_equal(back.time, record->time));
    herd_buf_fini(&scratch);
}

/* Cells are written over with records of all sizes, inline to apart and back. Two cells in one piece of
 * memory: what one needs behind its end must not harm the next. */
static void test_sizes(void **state)
{
    (void)state;
    static const size_t ids[] = {1, 2, 19, 20, 48, 49, 50, 51, 100, 254, 255, 256, 65536};
    static const size_t texts[] = {1, 2, 5, 9, 10, 21, 31, 60, 98, 99, 100, 101, 255, 256, 70000};
    struct herd_buf scratch = {0};
    struct herd_packed_record cell[2] = {empty_cell(), empty_cell()};
    char *id = malloc(65536), *a = malloc(70000), *b = malloc(70000), *c = malloc(70000);
    for (size_t i = 0; i < 65536; i++)
        id[i] = (char)(i * 31);
    uint64_t seed = 4;
    struct herd_record neighbour = {{"x", 1}, {"+1", 2}, {"neighbour", 9}, {"+1+2", 4}, {"3.4", 3}, 3400000000};
    struct herd_encoded_record encoded;
    assert_int_equal(herd_record_encode(&encoded, &scratch, &neighbour, 9), 0);
    assert_int_equal(herd_packed_record_write(&cell[1], &encoded), 0);
    bool inline_seen = false, apart_seen = false;
    for (int i = 0; i < 4000; i++) {
        struct herd_record record = {0};
        record.id = (struct herd_span){id, ids[rnd_below(&seed, 13)]};
        size_t len = texts[rnd_below(&seed, i % 50 ? 14 : 15)];
        record.diff = (struct herd_span){digits(a, len), len};
        len = texts[rnd_below(&seed, 8)];
        record.position = (struct herd_span){digits(b, len), len};
        len = texts[rnd_below(&seed, 8)];
        record.time = stamp(c, len, (unsigned)rnd_below(&seed, 100));
        assert_int_equal(herd_timestamp_parse(record.time, &record.time_ns), 0);
        assert_int_equal(herd_record_encode(&encoded, &scratch, &record, (uint16_t)i), 0);
        assert_int_equal(herd_packed_record_write(&cell[0], &encoded), 0);
        check_cell(&cell[0], &record, (uint16_t)i);
        check_cell(&cell[1], &neighbour, 9);
        bool fits = herd_record_layout_fits(&encoded.layout);
        assert_int_equal(cell[0].id_len == HERD_BODY_EXTERNAL, !fits);
        inline_seen |= fits;
        apart_seen |= !fits;
    }
    assert_true(inline_seen && apart_seen);
    herd_packed_record_clear(&cell[0]);
    assert_true(herd_packed_record_empty(&cell[0]));
    herd_packed_record_clear(&cell[0]);
    herd_packed_record_clear(&cell[1]);
    free(id);
    free(a);
    free(b);
    free(c);
    herd_buf_fini(&scratch);
}

/* 20 bytes of id and the numbers of the seed's example fit into the line. */
static void test_common_records_are_inline(void **state)
{
    (void)state;
    struct herd_buf scratch = {0};
    struct herd_encoded_record encoded;
    struct herd_record record = {herd_span_of("Riley"),
                                 herd_span_of("+0.263873386"),
                                 herd_span_of("kiwi.cs.ucla.edu"),
                                 herd_span_of("+34.068930-118.445127"),
                                 herd_span_of("1621464827.959498503"),
                                 1};
    assert_int_equal(herd_record_encode(&encoded, &scratch, &record, 0), 0);
    assert_true(herd_record_layout_fits(&encoded.layout));
    herd_buf_fini(&scratch);
}

static uint64_t hash_of(const char *id, const char *diff, const char *position, const char *time, uint64_t server)
{
    struct herd_buf scratch = {0};
    struct herd_encoded_record encoded;
    struct herd_record record = {
        {"", 0}, herd_span_of(diff), herd_span_of(id), herd_span_of(position), herd_span_of(time), 0};
    assert_int_equal(herd_timestamp_parse(record.time, &record.time_ns), 0);
    assert_int_equal(herd_record_encode(&encoded, &scratch, &record, 0), 0);
    uint64_t hash = herd_body_hash(encoded.body, &encoded.layout, record.time_ns, server);
    herd_buf_fini(&scratch);
    return hash;
}

/* Records that differ only in where one text ends, or in a zero at the very end, are different records. */
static void test_hash_tells_apart(void **state)
{
    (void)state;
    static const char *const ids[] = {"a", "ab", "a\x10", "\x10"};
    static const char *const diffs[] = {"+0", "+0.1", "+0.10", "+01"};
    static const char *const places[] = {"+1+1", "+1+10", "+1+100", "+11+1"};
    static const char *const times[] = {"1", "10", "100", "1.5", "1.50", "1.500", "01.5", "0", "00", "000"};
    static struct {
        uint64_t hash;
        char what[64];
    } seen[4 * 4 * 4 * 10 * 2];
    size_t n = 0;
    for (size_t i = 0; i < 4; i++)
        for (size_t d = 0; d < 4; d++)
            for (size_t p = 0; p < 4; p++)
                for (size_t t = 0; t < 10; t++)
                    for (uint64_t server = 0; server < 2; server++) {
                        uint64_t hash =
                            hash_of(ids[i], diffs[d], places[p], times[t], herd_hash(0, &server, sizeof server));
                        seen[n].hash = hash;
                        snprintf(seen[n].what, sizeof seen[n].what, "%s %s %s %s", ids[i], diffs[d], places[p],
                                 times[t]);
                        for (size_t k = 0; k < n; k++)
                            if (seen[k].hash == hash)
                                fail_msg("the same hash: %s and %s", seen[k].what, seen[n].what);
                        n++;
                    }
}

/* An id with the hash's own constant at the end of a block: what stands before it still counts. */
static void test_hash_is_not_wiped(void **state)
{
    (void)state;
    static const unsigned char wipe[8] = {0x15, 0x7c, 0x4a, 0x7f, 0xb9, 0x79, 0x37, 0x9e};
    for (size_t blocks = 1; blocks <= 3; blocks++) {
        char id[49] = "";
        for (size_t i = 0; i < blocks; i++) {
            memcpy(id + 16 * i, "12345678", 8);
            memcpy(id + 16 * i + 8, wipe, 8);
        }
        uint64_t hash = hash_of(id, "+0.5", "+1+1", "1621464827.5", 7);
        assert_true(hash != hash_of(id, "+0.5", "+1+1", "1621464828.5", 7)); /* another time */
        assert_true(hash != hash_of(id, "+0.5", "+1+1", "1621464827.50", 7));
        assert_true(hash != hash_of(id, "+0.5", "+1+1", "1621464827.5", 8)); /* another server */
        id[0] = '0';
        assert_true(hash != hash_of(id, "+0.5", "+1+1", "1621464827.5", 7));
    }
}

static void test_too_large(void **state)
{
    (void)state;
    struct herd_buf scratch = {0};
    struct herd_encoded_record encoded;
    struct herd_record record = {.id = {"x", (size_t)UINT32_MAX / 2 + 1}};
    assert_int_equal(herd_record_encode(&encoded, &scratch, &record, 0), HERD_E_LIMIT);
    record = (struct herd_record){.id = {"x", 1}, .time = {"1", (size_t)UINT32_MAX}};
    assert_int_equal(herd_record_encode(&encoded, &scratch, &record, 0), HERD_E_LIMIT);
    herd_buf_fini(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_common_records_are_inline),
        cmocka_unit_test(test_hash_tells_apart),
        cmocka_unit_test(test_hash_is_not_wiped),
        cmocka_unit_test(test_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
