/* SPDX-License-Identifier: MIT */
/*
 * The line protocol, rule by rule. Each row is parsed whole from a buffer that ends at unreadable memory,
 * then given to a session whole, split at every byte, and byte by byte: the reply must be the same.
 */
#include "cm.h"

#include "guard.h"

#include <herd/node.h>
#include <herd/protocol.h>
#include <herd/stamp.h>

#include <stdio.h>

static const struct herd_now NOW = {INT64_C(1621464828000000000), INT64_C(5000000000)};

struct row {
    enum herd_verb verb;
    const char *line;
    size_t len;
};
#define ROW(verb, text)              \
    {                                \
        verb, text, sizeof(text) - 1 \
    }
#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static const struct row lines[] = {
    /* nothing, and all kinds of white space */
    ROW(HERD_BLANK, ""),
    ROW(HERD_BLANK, " "),
    ROW(HERD_BLANK, " \t\r\f\v "),
    ROW(HERD_BLANK, "                                 "),
    ROW(HERD_BLANK, "\r"),
    /* the report */
    ROW(HERD_IAMAT, "IAMAT kiwi.cs.ucla.edu +34.068930-118.445127 1621464827.959498503"),
    ROW(HERD_IAMAT, "IAMAT kiwi +34.068930-118.445127 1621464827.959498503\r"),
    ROW(HERD_IAMAT, "\t\v IAMAT\f\fkiwi\r+34.068930-118.445127\v1621464827.959498503 \t "),
    ROW(HERD_IAMAT, "IAMAT k +0-0 0"),
    ROW(HERD_IAMAT, "IAMAT IAMAT +0+0 1"),
    ROW(HERD_IAMAT, "IAMAT \xc3\xa9\xff\x80 +0+0 1"),
    ROW(HERD_IAMAT, "IAMAT a\0b +0+0 1"),
    ROW(HERD_IAMAT, "IAMAT \0 +0+0 1"),
    ROW(HERD_IAMAT, "IAMAT \x01\x02\x08\x0e\x1f\x7f +0+0 1"),
    ROW(HERD_IAMAT, "IAMAT \x85\xa0 +0+0 1"), /* white space of other character sets is none here */
    ROW(HERD_IAMAT, "IAMAT \xe2\x80\x83 +0+0 1"),
    ROW(HERD_INVALID, "iamat kiwi +0+0 1"),
    ROW(HERD_INVALID, "Iamat kiwi +0+0 1"),
    ROW(HERD_INVALID, "IAMAT"),
    ROW(HERD_INVALID, "IAMAT kiwi"),
    ROW(HERD_INVALID, "IAMAT kiwi +0+0"),
    ROW(HERD_INVALID, "IAMAT kiwi +0+0 1 1"),
    ROW(HERD_INVALID, "IAMAT kiwi +0+0 1 1 1"),
    ROW(HERD_INVALID, "IAMAT kiwi +0+0 1 1 1 1"),
    ROW(HERD_INVALID, "IAMAT kiwi +0+0 1 1 1 1 1 1 1 1 1 1 1"),
    ROW(HERD_INVALID, "IAMAT kiwi +0 +0 1"),
    ROW(HERD_INVALID, "IAMATkiwi +0+0 1"),
    ROW(HERD_INVALID, "IAMAT\0kiwi +0+0 1"),
    ROW(HERD_INVALID, "IAMATX kiwi +0+0 1"),
    ROW(HERD_INVALID, "IAMA kiwi +0+0 1"),
    ROW(HERD_INVALID, "X IAMAT kiwi +0+0 1"),
    ROW(HERD_INVALID, "IAMAT kiwi 1 +0+0"),
    /* the question */
    ROW(HERD_WHATSAT, "WHATSAT nobody.cs.ucla.edu 10 5"),
    ROW(HERD_WHATSAT, "  WHATSAT  nobody  10\t5\r"),
    ROW(HERD_WHATSAT, "WHATSAT \xff\0 0 0"),
    ROW(HERD_INVALID, "whatsat kiwi 10 5"),
    ROW(HERD_INVALID, "WHATSAT kiwi 10"),
    ROW(HERD_INVALID, "WHATSAT kiwi 10 5 5"),
    ROW(HERD_INVALID, "WHATSAT"),
    ROW(HERD_INVALID, "WHATSAT kiwi"),
    /* not commands at all */
    ROW(HERD_INVALID, "hello"),
    ROW(HERD_INVALID, "\0"),
    ROW(HERD_INVALID, "?"),
    ROW(HERD_INVALID, "? foo"),
    ROW(HERD_INVALID, "   white  space   stays   "),
    ROW(HERD_INVALID, "\x80\xff"),
    ROW(HERD_INVALID, "GET / HTTP/1.1\r"),
    /* between servers */
    ROW(HERD_AT, "AT Riley +0.263873386 kiwi +34.068930-118.445127 1621464827.959498503"),
    ROW(HERD_AT, "AT Riley -0 kiwi +0+0 1"),
    ROW(HERD_AT, "AT A.b_c-9 +00.0 kiwi +0+0 1"),
    ROW(HERD_INVALID, "AT Riley 0.2 kiwi +0+0 1"),
    ROW(HERD_INVALID, "AT Riley +.2 kiwi +0+0 1"),
    ROW(HERD_INVALID, "AT Riley +2. kiwi +0+0 1"),
    ROW(HERD_INVALID, "AT Riley + kiwi +0+0 1"),
    ROW(HERD_INVALID, "AT Riley ++1 kiwi +0+0 1"),
    ROW(HERD_INVALID, "AT Riley +1e3 kiwi +0+0 1"),
    ROW(HERD_INVALID, "AT Ril/ey +1 kiwi +0+0 1"),
    ROW(HERD_INVALID, "AT Ril\xff +1 kiwi +0+0 1"),
    ROW(HERD_INVALID, "AT Riley +1 kiwi +91+0 1"),
    ROW(HERD_INVALID, "AT Riley +1 kiwi +0+0 -1"),
    ROW(HERD_INVALID, "AT Riley +1 kiwi +0+0"),
    ROW(HERD_INVALID, "AT Riley +1 kiwi +0+0 1 Jaquez"),
    ROW(HERD_INVALID, "At Riley +1 kiwi +0+0 1"),
    ROW(HERD_PING, "PING"),
    ROW(HERD_PING, " PING\r"),
    ROW(HERD_PONG, "PONG"),
    ROW(HERD_INVALID, "PING 1"),
    ROW(HERD_INVALID, "PONG 1"),
    ROW(HERD_INVALID, "ping"),
    ROW(HERD_REFUSE, "REFUSE x"),
    ROW(HERD_REFUSE, "REFUSE peer_name_unknown and more words than an AT line has"),
    ROW(HERD_INVALID, "REFUSE"),
    ROW(HERD_INVALID, "REFUSE  "),
    ROW(HERD_HELLO, "HELLO 1 Riley Jaquez 0123456789abcdef"),
    ROW(HERD_HELLO, "HELLO 0 a b 0"),
    ROW(HERD_HELLO, "HELLO 1000000 a b f"),
    ROW(HERD_INVALID, "HELLO 1000001 a b f"),
    ROW(HERD_INVALID, "HELLO 99999999999999999999999 a b f"),
    ROW(HERD_INVALID, "HELLO 1.0 a b f"),
    ROW(HERD_INVALID, "HELLO +1 a b f"),
    ROW(HERD_INVALID, "HELLO 1 a b F"),
    ROW(HERD_INVALID, "HELLO 1 a b 0x1"),
    ROW(HERD_INVALID, "HELLO 1 a b 00123456789abcdef"),
    ROW(HERD_INVALID, "HELLO 1 a b"),
    ROW(HERD_INVALID, "HELLO 1 a b c d"),
    ROW(HERD_INVALID, "HELLO 1 a/ b c"),
    ROW(HERD_INVALID, "HELLO 1 a b/ c"),
};

/* Put into "IAMAT kiwi %s 1": whether it is a place. */
static const struct {
    bool good;
    const char *text;
} places[] = {
    {true, "+34.068930-118.445127"},
    {true, "+90+180"},
    {true, "-90-180"},
    {true, "+90.0-180.000"},
    {true, "+0-0"},
    {true, "-0.0+0.0"},
    {true, "+00000000000000000000000000090+000180"},
    {true, "+5.00-5"},
    {true, "+89.9999999999999999999999999999+179.99999999999999999999999999"},
    {true, "+90.00000000000000000000000000000000000000-180.000000000000000000000000000000000"},
    {false, "+90.0000000000000000001+0"},
    {false, "-90.0000000000000000001+0"},
    {false, "+0+180.0000000000000000000000001"},
    {false, "+0-180.00000000000000000001"},
    {false, "+91+0"},
    {false, "+0+181"},
    {false, "+100+100"},
    {false, "+18446744073709551616+0"},
    {false, "+18446744073709551706+0"},
    {false, "+0+340282366920938463463374607431768211456"},
    {false, "34+118"},
    {false, "+34118"},
    {false, "+34"},
    {false, "+34+"},
    {false, "+34-"},
    {false, "+"},
    {false, "+-"},
    {false, "++1+1"},
    {false, "+.5+1"},
    {false, "+5.+1"},
    {false, "+1+1."},
    {false, "+1+.5"},
    {false, "+1.2.3+1"},
    {false, "+1,5+1"},
    {false, "+1/+1"},
    {false, "+1+1/"},
    {false, "+1+1+1"},
    {false, "+1;+1"},
    {false, "+1e1+1"},
    {false, "+1+1e0"},
    {false, "+1E0+1"},
    {false, "+0x1+1"},
    {false, "+nan+1"},
    {false, "+inf+1"},
    {false, "+1+inf"},
    {false, "NaN"},
    {false, "+1+1CRS"},
    {false, "\xe2\x88\x92"
            "1+1"},
    {false, "+\xd9\xa1+1"},
    {false, "+34.0-118.0-"},
    {false, "-+1+1"},
};

/* Put into "IAMAT kiwi +0+0 %s". */
static const struct {
    bool good;
    const char *text;
} times[] = {
    {true, "0"},
    {true, "0.0"},
    {true, "1621464827.959498503"},
    {true, "000000000000000000000000001.5"},
    {true, "1.000000000000000000000000000000000000000000000000001"},
    {true, "9223372036"},
    {true, "9223372036.854775807"},
    {true, "9223372036.854775807000000000000000000000000"},
    {true, "0009223372036.8547758069999999999999999999"},
    {false, "9223372036.854775808"},
    {false, "9223372036.8547758070000000000000000000000001"},
    {false, "9223372036.9"},
    {false, "9223372037"},
    {false, "18446744073709551616"},
    {false, "18446744073.709551616"},
    {false, "99999999999999999999999999999999999999999"},
    {false, "+1"},
    {false, "-1"},
    {false, "-0"},
    {false, "1."},
    {false, ".5"},
    {false, "."},
    {false, "1.5.0"},
    {false, "1e9"},
    {false, "1E9"},
    {false, "0x10"},
    {false, "1.5e0"},
    {false, "nan"},
    {false, "inf"},
    {false, "infinity"},
    {false, "1,5"},
    {false, "1_000"},
    {false, "1f"},
    {false, "1L"},
    {false, "\xd9\xa1"},
};

/* Put into "WHATSAT kiwi %s 5". */
static const struct {
    bool good;
    const char *text;
} radii[] = {
    {true, "0"},
    {true, "0.0"},
    {true, "50"},
    {true, "50.000000000000000000000000000000"},
    {true, "0000050"},
    {true, "49.99999999999999999999999999999999"},
    {true, "0.000000000000000000000000000000000000001"},
    {true, "10"},
    {true, "00000000000000000000000000000000001.5"},
    {false, "50.0000000000000000000000000001"},
    {false, "51"},
    {false, "100"},
    {false, "18446744073709551616"},
    {false, "18446744073709551620"},
    {false, "+5"},
    {false, "-5"},
    {false, "-0"},
    {false, "5."},
    {false, ".5"},
    {false, "5e0"},
    {false, "1e1"},
    {false, "0x5"},
    {false, "nan"},
    {false, "inf"},
    {false, "5km"},
    {false, "5,0"},
    {false, "."},
};

/* Put into "WHATSAT kiwi 10 %s". */
static const struct {
    bool good;
    unsigned value;
    const char *text;
} bounds[] = {
    {true, 0, "0"},
    {true, 20, "20"},
    {true, 5, "0005"},
    {true, 20, "00000000000000000000000000000000000000020"},
    {true, 0, "000"},
    {false, 0, "21"},
    {false, 0, "5.0"},
    {false, 0, "5."},
    {false, 0, "+5"},
    {false, 0, "-0"},
    {false, 0, "-5"},
    {false, 0, "1e1"},
    {false, 0, "0x5"},
    {false, 0, "4294967296"},
    {false, 0, "4294967301"},
    {false, 0, "18446744073709551616"},
    {false, 0, "18446744073709551621"},
    {false, 0, "five"},
    {false, 0, "nan"},
    {false, 0, "5;"},
};

/* ---- the naive way ---- */

static bool is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v' || c == '\n';
}

static size_t naive_fields(struct herd_span line, struct herd_span *fields, size_t max)
{
    size_t n = 0, i = 0;
    while (i < line.len && n < max) {
        while (i < line.len && is_white(line.at[i]))
            i++;
        size_t from = i;
        while (i < line.len && !is_white(line.at[i]))
            i++;
        if (i > from)
            fields[n++] = (struct herd_span){line.at + from, i - from};
    }
    return n;
}

static struct herd_node *make_node(void)
{
    struct herd_node_options options = {.name = herd_span_of("Juzang"), .seed = {1, 2}};
    struct herd_node *node;
    assert_int_equal(herd_node_new(&node, &options), 0);
    return node;
}

/* Gives `bytes` in pieces that end at the offsets `cut` says, keeping what is not used up. */
static void feed(struct herd_node *node, struct herd_span bytes, size_t first, size_t step, struct herd_buf *out)
{
    struct herd_session *session;
    struct herd_turn turn = {0};
    assert_int_equal(herd_session_open(node, &session, NULL, NOW), 0);
    size_t used = 0, given = first;
    while (true) {
        if (given > bytes.len)
            given = bytes.len;
        struct herd_span piece = guarded((struct herd_span){bytes.at + used, given - used});
        assert_int_equal(herd_session_input(session, piece, NOW, out, &turn), 0);
        assert_true(turn.consumed <= piece.len);
        assert_false(turn.paused);
        used += turn.consumed;
        if (given == bytes.len)
            break;
        given += step;
    }
    assert_int_equal(used, bytes.len);
    herd_session_close(session);
}

static void expect_reply(const struct row *row, struct herd_buf *expected)
{
    struct herd_span line = {row->line, row->len}, f[6];
    switch (row->verb) {
    case HERD_BLANK: break;
    case HERD_IAMAT: {
        assert_int_equal(naive_fields(line, f, 6), 4);
        int64_t time_ns;
        char diff[HERD_DIFF_MAX];
        assert_int_equal(herd_stamp_parse(f[3], &time_ns), 0);
        size_t len = herd_diff_format(NOW.wall_ns - time_ns, diff);
        herd_buf_add_text(expected, "AT Juzang ");
        herd_buf_add(expected, diff, len);
        for (size_t i = 1; i < 4; i++) {
            herd_buf_add_text(expected, " ");
            herd_buf_add(expected, f[i].at, f[i].len);
        }
        herd_buf_add_text(expected, "\n");
        break;
    }
    default:
        /* WHATSAT too: nobody reported; and a client is no neighbour */
        herd_buf_add_text(expected, "? ");
        herd_buf_add(expected, line.at, line.len);
        herd_buf_add_text(expected, "\n");
    }
}

static void check_fields(struct herd_span line, const struct herd_command *c)
{
    struct herd_span f[8];
    size_t n = naive_fields(line, f, 8);
    if (c->verb == HERD_IAMAT) {
        assert_int_equal(n, 4);
        assert_true(herd_span_equal(c->id, f[1]) && herd_span_equal(c->place, f[2]) &&
                    herd_span_equal(c->time, f[3]));
    } else if (c->verb == HERD_AT) {
        assert_int_equal(n, 6);
        assert_true(herd_span_equal(c->server, f[1]) && herd_span_equal(c->diff, f[2]) &&
                    herd_span_equal(c->id, f[3]) && herd_span_equal(c->place, f[4]) &&
                    herd_span_equal(c->time, f[5]));
    } else if (c->verb == HERD_WHATSAT) {
        assert_int_equal(n, 4);
        assert_true(herd_span_equal(c->id, f[1]) && herd_span_equal(c->radius, f[2]));
    } else if (c->verb == HERD_HELLO) {
        assert_int_equal(n, 5);
        assert_true(herd_span_equal(c->from, f[2]) && herd_span_equal(c->to, f[3]));
    } else if (c->verb == HERD_REFUSE) {
        assert_true(c->rest.at == f[1].at && c->rest.at + c->rest.len == line.at + line.len);
    }
}

static void check_row(struct herd_node *node, const struct row *row)
{
    struct herd_command command;
    struct herd_span line = guarded((struct herd_span){row->line, row->len});
    if (herd_command_parse(line, &command) != row->verb)
        fail_msg("\"%s\" is verb %d, not %d", row->line, command.verb, row->verb);
    assert_int_equal(command.verb, row->verb);
    check_fields(line, &command);

    struct herd_buf bytes = {0}, expected = {0}, out = {0};
    herd_buf_add(&bytes, row->line, row->len);
    herd_buf_add_text(&bytes, "\n");
    struct herd_span all = {bytes.at, bytes.len};
    if (row->verb == HERD_HELLO)
        feed(node, all, all.len, 1,
             &expected); /* what it says is peer business; that splits do not matter is ours */
    else
        expect_reply(row, &expected);
    for (size_t cut = 0; cut <= all.len; cut++) {
        out.len = 0;
        feed(node, all, cut, all.len, &out);
        if (!herd_span_equal(span_of_buf(&out), span_of_buf(&expected)))
            fail_msg("\"%s\" cut at %zu: got \"%.*s\", expected \"%.*s\"", row->line, cut, (int)out.len, out.at,
                     (int)expected.len, expected.at);
    }
    out.len = 0;
    feed(node, all, 1, 1, &out);
    assert_true(herd_span_equal(span_of_buf(&out), span_of_buf(&expected)));
    herd_buf_fini(&bytes);
    herd_buf_fini(&expected);
    herd_buf_fini(&out);
}

static void test_lines(void **state)
{
    (void)state;
    struct herd_node *node = make_node();
    for (size_t i = 0; i < COUNT(lines); i++)
        check_row(node, &lines[i]);
    herd_node_free(node);
}

static void check_text(struct herd_node *node, enum herd_verb verb, const char *before, const char *text,
                       const char *behind)
{
    char line[512];
    int len = snprintf(line, sizeof line, "%s%s%s", before, text, behind);
    struct row row = {verb, line, (size_t)len};
    check_row(node, &row);
}

static void test_numbers(void **state)
{
    (void)state;
    struct herd_node *node = make_node();
    for (size_t i = 0; i < COUNT(places); i++) {
        check_text(node, places[i].good ? HERD_IAMAT : HERD_INVALID, "IAMAT kiwi ", places[i].text, " 1");
        check_text(node, places[i].good ? HERD_AT : HERD_INVALID, "AT Riley +0.1 kiwi ", places[i].text, " 1");
    }
    for (size_t i = 0; i < COUNT(times); i++) {
        check_text(node, times[i].good ? HERD_IAMAT : HERD_INVALID, "IAMAT kiwi +0+0 ", times[i].text, "");
        check_text(node, times[i].good ? HERD_AT : HERD_INVALID, "AT Riley +0.1 kiwi +0+0 ", times[i].text, "");
    }
    herd_node_free(node);
    node = make_node(); /* that knows nobody: WHATSAT is answered as it stands */
    for (size_t i = 0; i < COUNT(radii); i++)
        check_text(node, radii[i].good ? HERD_WHATSAT : HERD_INVALID, "WHATSAT kiwi ", radii[i].text, " 5");
    for (size_t i = 0; i < COUNT(bounds); i++)
        check_text(node, bounds[i].good ? HERD_WHATSAT : HERD_INVALID, "WHATSAT kiwi 10 ", bounds[i].text, "");
    herd_node_free(node);
}

static void test_values(void **state)
{
    (void)state;
    struct herd_command c;
    char line[256];
    for (size_t i = 0; i < COUNT(bounds); i++) {
        snprintf(line, sizeof line, "WHATSAT kiwi 10 %s", bounds[i].text);
        if (herd_command_parse(herd_span_of(line), &c) == HERD_WHATSAT)
            assert_int_equal(c.bound, bounds[i].value);
    }
    assert_int_equal(herd_command_parse(herd_span_of("IAMAT a +0+0 1621464827.9594985037"), &c), HERD_IAMAT);
    assert_true(c.time_ns == INT64_C(1621464827959498503));
    assert_int_equal(herd_command_parse(herd_span_of("HELLO 17 Riley Juzang ffffffffffffffff"), &c), HERD_HELLO);
    assert_int_equal(c.version, 17);
    assert_true(c.incarnation == UINT64_MAX);
    assert_int_equal(herd_command_parse(herd_span_of("HELLO 017 Riley Juzang 00012abc"), &c), HERD_HELLO);
    assert_int_equal(c.version, 17);
    assert_true(c.incarnation == 0x12abc);
    struct herd_span nothing = {NULL, 0};
    assert_int_equal(herd_command_parse(nothing, &c), HERD_BLANK);
}

/* Every byte but white space may stand in an id, at every offset: the scan works on whole words. */
static void test_any_byte_in_an_id(void **state)
{
    (void)state;
    struct herd_command c;
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t len = 1; len <= 20; len++) {
            for (size_t at = 0; at < len; at++) {
                char line[64] = "IAMAT ";
                memset(line + 6, 'x', len);
                line[6 + at] = (char)byte;
                memcpy(line + 6 + len, " +0+0 1", 7);
                struct herd_span span = guarded((struct herd_span){line, 6 + len + 7});
                bool white = is_white((char)byte);
                enum herd_verb verb = herd_command_parse(span, &c);
                if (!white) {
                    assert_int_equal(verb, HERD_IAMAT);
                    assert_int_equal(c.id.len, len);
                    assert_memory_equal(c.id.at, line + 6, len);
                } else if (len > 1 && at > 0 && at + 1 < len) {
                    assert_int_equal(verb, HERD_INVALID); /* two fields of it */
                }
            }
        }
    }
}

/* Fields found by the library against the naive way, on lines dense with white space and odd bytes. */
static void test_random_fields(void **state)
{
    (void)state;
    static const char bytes[] = " \t\v\f\r\x01\x1f\x20\x21\x7f\x80\xa0\xff"
                                "A\0";
    uint64_t seed = 7;
    for (int round = 0; round < 200000; round++) {
        char line[64];
        size_t len = rnd_below(&seed, 40), start = 0;
        if (rnd(&seed) & 1) {
            memcpy(line, "REFUSE ", 7);
            start = 7;
        }
        for (size_t i = start; i < start + len; i++)
            line[i] = bytes[rnd_below(&seed, sizeof bytes - 1)];
        struct herd_span span = guarded((struct herd_span){line, start + len}), f[64];
        struct herd_command c;
        size_t n = naive_fields(span, f, 64);
        enum herd_verb verb = herd_command_parse(span, &c);
        if (n == 0)
            assert_int_equal(verb, HERD_BLANK);
        else if (n > 1 && herd_span_equal(f[0], herd_span_of("REFUSE")))
            assert_true(verb == HERD_REFUSE && c.rest.at == f[1].at);
        else
            assert_int_equal(verb, HERD_INVALID);
    }
}

static void test_names(void **state)
{
    (void)state;
    char name[HERD_NAME_MAX + 1];
    memset(name, 'n', sizeof name);
    assert_false(herd_name_valid((struct herd_span){name, 0}));
    assert_true(herd_name_valid((struct herd_span){name, 1}));
    assert_true(herd_name_valid((struct herd_span){name, HERD_NAME_MAX}));
    assert_false(herd_name_valid((struct herd_span){name, HERD_NAME_MAX + 1}));
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    for (unsigned byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        assert_int_equal(herd_name_valid((struct herd_span){&c, 1}), c && strchr(allowed, c) != NULL);
    }
}

/* ---- cutting lines ---- */

static void test_line_limits(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t max;
        enum herd_scan scan;
        size_t line_len;
    } rows[] = {
        {"", 3, HERD_LINE_MORE, 0},
        {"\n", 0, HERD_LINE, 0},
        {"a", 0, HERD_LINE_TOO_LONG, 0},
        {"abc", 3, HERD_LINE_MORE, 0},
        {"abc\n", 3, HERD_LINE, 3},
        {"abcd", 3, HERD_LINE_TOO_LONG, 0},
        {"abcd\n", 3, HERD_LINE_TOO_LONG, 0},
        {"abc\nd\n", 3, HERD_LINE, 3},
        {"abcdefgh\n", 3, HERD_LINE_TOO_LONG, 0},
        {"abc\n", SIZE_MAX, HERD_LINE, 3},
        {"abc", SIZE_MAX, HERD_LINE_MORE, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct herd_span bytes = guarded(herd_span_of(rows[i].bytes)), before = bytes, line;
        size_t seen = 0;
        assert_int_equal(herd_line_next(&bytes, &seen, rows[i].max, &line), rows[i].scan);
        if (rows[i].scan == HERD_LINE) {
            assert_ptr_equal(line.at, before.at);
            assert_int_equal(line.len, rows[i].line_len);
            assert_ptr_equal(bytes.at, before.at + line.len + 1);
            assert_int_equal(bytes.len, before.len - line.len - 1);
            assert_int_equal(seen, 0);
        } else {
            assert_ptr_equal(bytes.at, before.at);
            assert_int_equal(bytes.len, before.len);
        }
        /* the same, byte by byte */
        seen = 0;
        enum herd_scan scan = HERD_LINE_MORE;
        for (size_t len = 0; len <= before.len && scan == HERD_LINE_MORE; len++) {
            bytes = (struct herd_span){before.at, len};
            scan = herd_line_next(&bytes, &seen, rows[i].max, &line);
            if (scan == HERD_LINE_MORE)
                assert_int_equal(seen, len);
        }
        assert_int_equal(scan, rows[i].scan);
    }
}

/* What was searched is not searched again: bytes changed behind our back are not seen. */
static void test_line_seen(void **state)
{
    (void)state;
    char bytes[] = "abcdef\n";
    size_t seen = 0;
    struct herd_span span = {bytes, 4}, line;
    assert_int_equal(herd_line_next(&span, &seen, 100, &line), HERD_LINE_MORE);
    assert_int_equal(seen, 4);
    bytes[2] = '\n';
    span = (struct herd_span){bytes, 7};
    assert_int_equal(herd_line_next(&span, &seen, 100, &line), HERD_LINE);
    assert_int_equal(line.len, 6);
}

static void test_formats(void **state)
{
    (void)state;
    struct herd_buf out = {0};
#define S(text) herd_span_of(text)
    assert_int_equal(herd_format_at(&out, S("Riley"), S("+0.1"), S("kiwi"), S("+1-2"), S("3.4")), 0);
    assert_int_equal(herd_format_invalid(&out, S("  what? ")), 0);
    assert_int_equal(herd_format_invalid(&out, S("")), 0);
    assert_int_equal(herd_format_iamat(&out, S("kiwi"), S("+1-2"), S("3.4")), 0);
    assert_int_equal(herd_format_whatsat(&out, S("kiwi"), S("10"), 0), 0);
    assert_int_equal(herd_format_whatsat(&out, S("kiwi"), S("0.5"), UINT32_MAX), 0);
    assert_int_equal(herd_format_hello(&out, 1, S("Riley"), S("Juzang"), 0xabc), 0);
    assert_int_equal(herd_format_hello(&out, UINT32_MAX, S("a"), S("b"), UINT64_MAX), 0);
    static const char expected[] = "AT Riley +0.1 kiwi +1-2 3.4\n"
                                   "?   what? \n"
                                   "? \n"
                                   "IAMAT kiwi +1-2 3.4\n"
                                   "WHATSAT kiwi 10 0\n"
                                   "WHATSAT kiwi 0.5 4294967295\n"
                                   "HELLO 1 Riley Juzang 0000000000000abc\n"
                                   "HELLO 4294967295 a b ffffffffffffffff\n";
    assert_int_equal(out.len, sizeof expected - 1);
    assert_memory_equal(out.at, expected, out.len);
    herd_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),         cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_values),        cmocka_unit_test(test_any_byte_in_an_id),
        cmocka_unit_test(test_random_fields), cmocka_unit_test(test_names),
        cmocka_unit_test(test_line_limits),   cmocka_unit_test(test_line_seen),
        cmocka_unit_test(test_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
