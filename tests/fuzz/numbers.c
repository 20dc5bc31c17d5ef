/* SPDX-License-Identifier: MIT */
/*
 * The numbers of the protocol against exact decimal arithmetic: places, stamps, their order, differences,
 * radii; by the reader for lines in a larger read as by the one for texts of their own; and packed.
 */
#include "exact.h"

#include "../../lib/core/area/e7.h"
#include "../../lib/core/protocol/parse_bounded.h"
#include "../../lib/core/store/pack.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int sign(int order)
{
    return (order > 0) - (order < 0);
}

/* A number in degrees and what the library makes of it. */
static void check_degrees(struct herd_span half, const struct exact *number)
{
    char *copy = malloc(half.len + 1); /* strtod wants an end */
    MUST(copy);
    memcpy(copy, half.at, half.len);
    copy[half.len] = '\0';
    double want = strtod(copy, NULL), got = herd_coordinate_degrees(half);
    free(copy);
    long first = exact_high(number), last = exact_low(number);
    while (first > last && exact_at(number, first - 1) == 0)
        first--;
    /* Eighteen decimals are looked at, seventeen digits from the first that is not zero. */
    if (first - last <= 15 && last >= -18)
        MUST(exact_near(got, want, 0));
    else
        MUST(exact_near(got, want, 2) || fabs(got - want) <= 2e-18);
}

static void check_place(struct herd_span text)
{
    struct exact lat = {0}, lon = {0}, lat_max = exact_of("90"), lon_max = exact_of("180");
    long len = (long)text.len, middle = 0, end = 0;
    if (len > 0 && (text.at[0] == '+' || text.at[0] == '-'))
        middle = exact_scan(text.at + 1, len - 1, &lat) + 1;
    if (middle > 1 && middle < len && (text.at[middle] == '+' || text.at[middle] == '-'))
        end = middle + 1 + exact_scan(text.at + middle + 1, len - middle - 1, &lon);
    int want = HERD_E_SYNTAX;
    if (middle > 1 && end > middle + 1 && end == len)
        want = exact_compare(&lat, &lat_max) > 0 || exact_compare(&lon, &lon_max) > 0 ? HERD_E_RANGE : 0;
    struct herd_position position;
    MUST(herd_position_parse(text, &position) == want);
    if (want)
        return;
    MUST(position.lat.at == text.at && position.lat.len == (size_t)middle);
    MUST(position.lon.at == text.at + middle && position.lon.len == (size_t)(len - middle));
    check_degrees(position.lat, &lat);
    check_degrees(position.lon, &lon);
}

static bool check_stamp(struct herd_span text, struct exact *ret)
{
    struct exact max = exact_of("9223372036.854775807");
    long len = (long)text.len;
    bool is_stamp = len > 0 && exact_scan(text.at, len, ret) == len;
    int64_t ns;
    int err = herd_timestamp_parse(text, &ns);
    MUST(err == (!is_stamp ? HERD_E_SYNTAX : exact_compare(ret, &max) > 0 ? HERD_E_RANGE : 0));
    if (err)
        return false;
    char printed[40];
    snprintf(printed, sizeof printed, "%lld.%09lld", (long long)(ns / 1000000000), (long long)(ns % 1000000000));
    struct exact back = exact_of(printed);
    MUST(ns >= 0 && exact_compare_cut(ret, &back, 9) == 0);
    return true;
}

static void check_diff(struct herd_span text)
{
    struct exact number;
    long len = (long)text.len;
    bool is_diff =
        len > 1 && (text.at[0] == '+' || text.at[0] == '-') && exact_scan(text.at + 1, len - 1, &number) == len - 1;
    MUST(herd_diff_valid(text) == is_diff);
}

static void check_diff_format(int64_t ns)
{
    if (ns == INT64_MIN) /* no difference of two stamps */
        return;
    char out[HERD_DIFF_MAX], want[40];
    struct herd_span diff = {out, herd_diff_format(ns, out)};
    long long size = ns < 0 ? -(long long)ns : (long long)ns;
    snprintf(want, sizeof want, "%c%lld.%09lld", ns < 0 ? '-' : '+', size / 1000000000, size % 1000000000);
    MUST(herd_span_equal(diff, herd_span_of(want)) && herd_diff_valid(diff));
}

static void check_radius(struct herd_span text)
{
    struct exact number, max = exact_of("50");
    long len = (long)text.len;
    bool is_radius = len > 0 && exact_scan(text.at, len, &number) == len && exact_compare(&number, &max) <= 0;
    struct herd_buf line = {0};
    struct herd_command command;
    MUST(herd_buf_add(&line, "WHATSAT a ", 10) == 0 && herd_buf_add(&line, text.at, text.len) == 0 &&
         herd_buf_add(&line, " 5", 2) == 0);
    bool taken = herd_command_parse((struct herd_span){line.at, line.len}, &command) == HERD_WHATSAT;
    MUST(taken == (is_radius && len > 0));
    MUST(!taken || herd_span_equal(command.radius, text));
    herd_buf_fini(&line);
}

/* The same line alone and with more behind it, which may be read in one pass. */
static void check_line(struct herd_span position, struct herd_span time)
{
    static const char more[] = "\nIAMAT behind +1.5-2.5 1621464827.959498503\n";
    struct herd_buf bytes = {0};
    MUST(herd_buf_add(&bytes, "AT Riley +0.263873386 kiwi ", 27) == 0 &&
         herd_buf_add(&bytes, position.at, position.len) == 0 && herd_buf_add(&bytes, " ", 1) == 0 &&
         herd_buf_add(&bytes, time.at, time.len) == 0);
    size_t len = bytes.len;
    MUST(herd_buf_add(&bytes, more, sizeof more - 1) == 0);
    char *alone = malloc(len);
    MUST(alone);
    memcpy(alone, bytes.at, len);
    struct herd_command a, b;
    enum herd_verb verb = herd_command_parse((struct herd_span){alone, len}, &a);
    MUST(herd_command_parse_bounded((struct herd_span){bytes.at, len}, bytes.at + bytes.len, &b) == verb);
    struct herd_position read;
    int64_t ns;
    MUST((verb == HERD_AT) == (herd_position_parse(position, &read) == 0 && herd_timestamp_parse(time, &ns) == 0));
    if (verb == HERD_AT)
        MUST(herd_span_equal(a.server, b.server) && herd_span_equal(a.diff, b.diff) &&
             herd_span_equal(a.id, b.id) && herd_span_equal(a.position, position) &&
             herd_span_equal(b.position, position) && herd_span_equal(a.time, time) &&
             herd_span_equal(b.time, time) && a.time_ns == ns && b.time_ns == ns);
    free(alone);
    herd_buf_fini(&bytes);
}

static void check_packed(struct herd_span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!memchr("0123456789+-.", text.at[i], 13))
            return;
    char *room = calloc(3, text.len + 2 * HERD_PACK_SLACK);
    MUST(room);
    unsigned char *packed = (unsigned char *)room + text.len + 2 * HERD_PACK_SLACK;
    char *back = (char *)packed + text.len + 2 * HERD_PACK_SLACK;
    memcpy(room, text.at, text.len);
    herd_pack(packed, room, text.len);
    herd_unpack(back, packed, text.len); /* the text stands in front of it */
    MUST(memcmp(back, text.at, text.len) == 0);
    struct herd_position read;
    struct herd_e7 e7, quick = {0, 0};
    if (herd_position_parse(text, &read) == 0) {
        bool exact = herd_e7_position(text, &e7);
        if (herd_e7_position_packed(packed, 0, text.len, &quick))
            MUST(exact && quick.lat == e7.lat && quick.lon == e7.lon);
    }
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    char *text = exact_text(data + 1, size - 1, data[0] & 1);
    const char *blank = memchr(text, ' ', size - 1);
    size_t len = blank ? (size_t)(blank - text) : size - 1;
    struct herd_span first = {text, len}, second = {text + len, size - 1 - len};
    if (blank)
        second = (struct herd_span){blank + 1, size - 2 - len};
    bool one_field = len > 0 && !memchr(text, '\t', len) && !memchr(text, '\n', len) && !memchr(text, '\v', len) &&
                     !memchr(text, '\f', len) && !memchr(text, '\r', len);

    struct exact a, b;
    check_place(first);
    check_diff(first);
    check_packed(first);
    if (check_stamp(first, &a) && check_stamp(second, &b)) {
        MUST(sign(herd_timestamp_compare(first, second)) == sign(exact_compare(&a, &b)));
        MUST(sign(herd_timestamp_compare(second, first)) == sign(exact_compare(&b, &a)));
    }
    if (one_field) {
        check_radius(first);
        if (!memchr(second.at, ' ', second.len) && check_stamp(second, &b))
            check_line(first, second);
    }
    if (size > 8) {
        int64_t ns;
        memcpy(&ns, data + 1, 8);
        check_diff_format(ns >> data[0] % 64);
    }
    free(text);
    return 0;
}
