/* SPDX-License-Identifier: MIT */
/* The line protocol, rule by rule: lines and their fields. */
#include "row.h"

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
    ROW(HERD_HELLO, "HELLO 2 Riley Jaquez 0123456789abcdef"),
    ROW(HERD_HELLO, "HELLO 0 a b 0"),
    ROW(HERD_HELLO, "HELLO 1000000 a b f"),
    ROW(HERD_INVALID, "HELLO 1000001 a b f"),
    ROW(HERD_INVALID, "HELLO 99999999999999999999999 a b f"),
    ROW(HERD_INVALID, "HELLO 1.0 a b f"),
    ROW(HERD_INVALID, "HELLO +1 a b f"),
    ROW(HERD_INVALID, "HELLO 2 a b F"),
    ROW(HERD_INVALID, "HELLO 2 a b 0x1"),
    ROW(HERD_INVALID, "HELLO 2 a b 00123456789abcdef"),
    ROW(HERD_INVALID, "HELLO 2 a b"),
    ROW(HERD_HELLO, "HELLO 2 a b c d"), /* fields may be added */
    ROW(HERD_HELLO, "HELLO 2 a b c 600000 x y z"),
    ROW(HERD_INVALID, "HELLO 2 a b C d"),
    ROW(HERD_HELLO, "HELLO 3"), /* what it says otherwise is for those who know */
    ROW(HERD_HELLO, "HELLO 3 a/ b 1 newfield"),
    ROW(HERD_INVALID, "HELLO"),
    ROW(HERD_INVALID, "HELLO x"),
    ROW(HERD_INVALID, "HELLO 2 a/ b c"),
    ROW(HERD_INVALID, "HELLO 2 a b/ c"),
    /* of a server to a client */
    ROW(HERD_SEE, "SEE south.example 12000 3116"),
    ROW(HERD_SEE, "SEE 127.0.0.1 1 0"),
    ROW(HERD_SEE, "SEE fe80::1%eth0 65535 4095"),
    ROW(HERD_SEE, "SEE 255_-.Z 00012000 0004095"),
    ROW(HERD_INVALID, "SEE"),
    ROW(HERD_INVALID, "SEE south"),
    ROW(HERD_INVALID, "SEE south 12000"),
    ROW(HERD_INVALID, "SEE south 12000 1 1"),
    ROW(HERD_INVALID, "see south 12000 1"),
    ROW(HERD_INVALID, "SEE south 0 1"),
    ROW(HERD_INVALID, "SEE south 65536 1"),
    ROW(HERD_INVALID, "SEE south 99999999999999999999999 1"),
    ROW(HERD_INVALID, "SEE south -1 1"),
    ROW(HERD_INVALID, "SEE south 12000.0 1"),
    ROW(HERD_INVALID, "SEE south 0x10 1"),
    ROW(HERD_INVALID, "SEE south 12000 4096"),
    ROW(HERD_INVALID, "SEE south 12000 +1"),
    ROW(HERD_INVALID, "SEE south 12000 1.5"),
    ROW(HERD_INVALID, "SEE [::1] 12000 1"),
    ROW(HERD_INVALID, "SEE so/uth 12000 1"),
    ROW(HERD_INVALID, "SEE so~uth 12000 1"),
    ROW(HERD_INVALID, "SEE so@uth 12000 1"),
    ROW(HERD_INVALID, "SEE http://south 12000 1"),
    ROW(HERD_INVALID, "SEE so\0uth 12000 1"),
    ROW(HERD_INVALID, "SEE s\xc3\xbc"
                      "d 12000 1"),
};

/* A host may have 255 bytes, and is refused however much longer it is. */
static void test_host_of_see(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 255, 256, 65536};
    struct herd_command c;
    struct herd_buf line = {0};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        line.len = 0;
        herd_buf_add_text(&line, "SEE ");
        assert_int_equal(herd_buf_reserve(&line, lengths[i] + 16), 0);
        memset(line.at + line.len, 'a', lengths[i]);
        line.len += lengths[i];
        herd_buf_add_text(&line, " 12000 77");
        enum herd_verb verb = herd_command_parse(guarded((struct herd_span){line.at, line.len}), &c);
        assert_int_equal(verb, lengths[i] <= HERD_HOST_MAX ? HERD_SEE : HERD_INVALID);
        if (verb == HERD_SEE) {
            assert_int_equal(c.host.len, lengths[i]);
            assert_int_equal(c.port, 12000);
            assert_int_equal(c.bucket, 77);
        }
    }
    herd_buf_fini(&line);
}

static void test_lines(void **state)
{
    (void)state;
    struct herd_node *node = make_node();
    for (size_t i = 0; i < COUNT(lines); i++)
        check_row(node, &lines[i]);
    herd_node_free(node);
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
            assert_true(verb == HERD_REFUSE && c.args.at == f[1].at);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_host_of_see),
        cmocka_unit_test(test_any_byte_in_an_id),
        cmocka_unit_test(test_random_fields),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
