/* SPDX-License-Identifier: MIT */
/* What is said on a link, what is refused there, how much a neighbour is told and may tell, and the end of it. */
#include "peer.h"

/* What is said on a link must be of the peer protocol. */
static void test_invalid_on_a_link(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "IAMAT kiwi +1+1 1\n",        "WHATSAT kiwi 1 1\n",       "what\n",     "AT Riley +1 kiwi +1+1\n",
        "AT Riley +1 kiwi +91+1 1\n", "HELLO 2 Riley Juzang 1\n", "PING PING\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct one o;
        begin(&o, "Juzang", NULL);
        struct herd_session *session = accept_one(&o);
        say(&o, session, "HELLO 2 Riley Juzang 1\n");
        o.out.len = 0;
        say(&o, session, bad[i]);
        heard(&o, "");
        assert_string_equal(o.notice, "peer_line_invalid");
        assert_string_equal(o.why, "protocol");
        assert_int_equal(o.downs, 1);
        assert_null(herd_node_link(o.node, 1));
        say(&o, session, "AT Riley +1 kiwi +1+1 1\n");
        assert_int_equal(herd_store_count(herd_node_store(o.node)), 0);
        end(&o);
    }
    struct one o;
    begin(&o, "Juzang", NULL);
    struct herd_session *session = accept_one(&o);
    say(&o, session, "HELLO 2 Riley Juzang 1\n\n \t\nPONG\nPING\n");
    o.out.len = 0;
    assert_true(herd_session_want_write(session));
    fill(&o, session);
    heard(&o, "PONG\n");
    assert_false(herd_session_want_write(session));
    assert_int_equal(o.downs, 0);
    end(&o);
}

/* A neighbour's line may be longer than a client's, by what AT adds to IAMAT; even in the read that holds its
 * introduction. */
static void test_long_lines_on_a_link(void **state)
{
    (void)state;
    static char text[20000];
    for (int together = 0; together < 2; together++) {
        struct one o;
        begin(&o, "Juzang", &(struct herd_node_options){.line_max_bytes = 1000});
        struct herd_session *session = accept_one(&o);
        int len = snprintf(text, sizeof text, "HELLO 2 Riley Juzang 1\n");
        if (!together) {
            say(&o, session, text);
            len = 0;
        }
        snprintf(text + len, sizeof text - (size_t)len, "AT Riley +1 %0980d +1+1 1\n", 7);
        len = (int)strlen(text);
        snprintf(text + len, sizeof text - (size_t)len, "AT Riley +1 %01500d +1+1 1\n", 7);
        say(&o, session, text);
        assert_int_equal(o.downs, 0);
        assert_int_equal(herd_store_count(herd_node_store(o.node)), 2);
        memset(text, 'x', 1000 + 16384 + 1);
        text[1000 + 16384 + 1] = '\0';
        say(&o, session, text);
        assert_int_equal(o.downs, 1);
        assert_string_equal(o.why, "line_too_long");
        end(&o);
    }
}

/* To a neighbour that knows little all is told at link-up, but for what it says first. */
static void test_full_push(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", NULL);
    struct herd_session *client = accept_one(&o), *session = accept_one(&o);
    for (int i = 0; i < 10; i++) {
        char line[64];
        snprintf(line, sizeof line, "IAMAT c%d +0+0 5\n", i);
        say(&o, client, line);
    }
    o.out.len = 0;
    say(&o, session, "HELLO 2 Riley Juzang 1\n");
    heard(&o, "HELLO 2 Juzang Riley ");
    fill(&o, session);
    heard(&o, "ROOT 10 ");
    say(&o, session,
        "ROOT 3 1\nAT Riley +1 c3 +1+1 6\nAT Riley +1 c4 +1+1 4\n"
        "AT Juzang +1621464823.000000000 c5 +0+0 5\n");
    fill(&o, session);
    assert_memory_equal(o.out.at, "PUSH\n", 5);
    size_t lines = 0;
    bool told[10] = {false};
    char copy[2048];
    snprintf(copy, sizeof copy, "%.*s", (int)o.out.len - 5, o.out.at + 5);
    for (char *p = strtok(copy, "\n"); p; p = strtok(NULL, "\n"), lines++)
        told[strchr(strstr(p, " c"), 'c')[1] - '0'] = true;
    assert_int_equal(lines, 8); /* not c3, newer there; not c5, equal there; c4 is older there */
    assert_true(told[4] && !told[3] && !told[5]);
    assert_int_equal(herd_node_stats(o.node).at_sent, 8);
    assert_int_equal(herd_node_stats(o.node).at_received, 3);
    assert_int_equal(herd_node_stats(o.node).at_new, 1);
    end(&o);
}

static void test_room(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", NULL);
    struct herd_session *client = accept_one(&o), *session = accept_one(&o);
    for (int i = 0; i < 100; i++) {
        char line[64];
        snprintf(line, sizeof line, "IAMAT c%d +0+0 5\n", i);
        say(&o, client, line);
    }
    o.out.len = 0;
    assert_int_equal(herd_session_write(client, 65536, o.now, &o.out), 0); /* no link */
    assert_int_equal(o.out.len, 0);
    say(&o, session, "HELLO 2 Riley Juzang 1\n");
    fill(&o, session);
    say(&o, session, "ROOT 0 0\n");
    o.out.len = 0;
    size_t calls = 0;
    for (; herd_session_want_write(session); calls++) {
        size_t before = o.out.len;
        assert_int_equal(herd_session_write(session, 100, o.now, &o.out), 0);
        assert_in_range(o.out.len - before, 1, 200);
    }
    assert_int_equal(herd_node_stats(o.node).at_sent, 100);
    assert_true(calls > 20);
    end(&o);
}

/* Ended input on a link is its end; the last line without LF was cut off, perhaps inside its time. */
static void test_end_of_a_link(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", NULL);
    struct herd_session *session = accept_one(&o);
    say(&o, session, "HELLO 2 Riley Juzang 1\n");
    assert_int_equal(herd_session_eof(session, herd_span_of("AT Riley +1 kiwi +1+1 1"), o.now, &o.out, &o.turn), 0);
    effects(&o);
    assert_int_equal(o.downs, 1);
    assert_string_equal(o.why, "peer_closed");
    assert_int_equal(herd_store_count(herd_node_store(o.node)), 0);
    herd_session_close(session);
    effects(&o);
    assert_int_equal(o.downs, 1);

    /* An introduction that is cut off may look whole too; it must not take the place of a link that lives. */
    session = accept_one(&o);
    say(&o, session, "HELLO 2 Riley Juzang 1\n");
    struct herd_session *torn = accept_one(&o);
    o.out.len = 0;
    assert_int_equal(herd_session_eof(torn, herd_span_of("HELLO 2 Riley Juzang 2"), o.now, &o.out, &o.turn), 0);
    heard(&o, "? HELLO 2 Riley Juzang 2\n");
    effects(&o);
    assert_int_equal(o.downs, 1);
    assert_true(herd_session_peer(session) >= 0 && herd_session_peer(torn) < 0);
    herd_session_close(torn);
    end(&o);
}

/* Twice what a node takes from its clients, and no more: a wild neighbour cannot fill its memory. What is beyond is
 * refused alone: of what both know the link goes on to tell. */
static void test_records_max_from_neighbours(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", &(struct herd_node_options){.records_max = 5});
    struct herd_session *session = accept_one(&o);
    say(&o, session, "HELLO 2 Riley Juzang 1\n");
    for (int i = 0; i < 20; i++) {
        char line[64];
        snprintf(line, sizeof line, "AT Riley +1 c%d +0+0 5\n", i);
        say(&o, session, line);
    }
    assert_int_equal(herd_store_count(herd_node_store(o.node)), 10);
    assert_int_equal(o.downs, 0);
    assert_int_equal(herd_node_stats(o.node).at_refused, 10);
    assert_string_equal(o.notice, "peer_record_refused");
    assert_int_equal(o.notices, 4); /* 1, 2, 4, 8 */
    say(&o, session, "AT Riley +1 c3 +5+5 6\n");
    assert_int_equal(herd_node_stats(o.node).at_new, 11);
    struct herd_session *client = accept_one(&o);
    say(&o, client, "IAMAT c4 +7+7 8\n");
    o.out.len = 0;
    fill(&o, session);
    assert_non_null(strstr((herd_buf_add(&o.out, "", 1), o.out.at), " c4 +7+7 8\n"));
    end(&o);
}

/* A record longer than this node's limit is refused alone, in whatever pieces its line comes. */
static void test_long_records(void **state)
{
    (void)state;
    static char text[60000];
    for (size_t piece = 1; piece < sizeof text; piece = piece * 7 + 1) {
        struct one o;
        begin(&o, "Juzang", &(struct herd_node_options){.line_max_bytes = 1000});
        struct herd_session *session = accept_one(&o);
        say(&o, session, "HELLO 2 Riley Juzang 1\n");
        o.out.len = 0;
        int len = 0;
        for (int i = 0; i < 2; i++) {
            len += snprintf(text + len, sizeof text - (size_t)len, "AT Riley +1 before%d +1+1 1\n", i);
            len +=
                snprintf(text + len, sizeof text - (size_t)len, "AT Riley +1 %0*d +1+1 1\n", 17384 + i * 5000, 7);
            len += snprintf(text + len, sizeof text - (size_t)len, "AT Riley +1 behind%d +1+1 1\n", i);
        }
        struct herd_buf in = {0};
        for (size_t at = 0; at < (size_t)len; at += piece) {
            size_t some = (size_t)len - at < piece ? (size_t)len - at : piece;
            assert_int_equal(herd_buf_add(&in, text + at, some), 0);
            struct herd_span given = {in.at, in.len};
            assert_int_equal(herd_session_input(session, given, o.now, &o.out, &o.turn), 0);
            effects(&o);
            memmove(in.at, in.at + o.turn.consumed, in.len - o.turn.consumed);
            in.len -= o.turn.consumed;
            assert_in_range(in.len, 0, 1000 + 16384 + piece); /* what is skipped is not kept */
        }
        assert_int_equal(in.len, 0);
        herd_buf_fini(&in);
        assert_int_equal(o.downs, 0);
        assert_int_equal(herd_store_count(herd_node_store(o.node)), 4);
        assert_int_equal(herd_node_stats(o.node).at_refused, 2);
        end(&o);
        if (piece == 1)
            piece = 40;
    }
}

/* More names of servers at once than there are numbers for: those beyond are refused, the link stays, and when names
 * fall out of use there is room for others. */
static void test_server_names(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", NULL);
    struct herd_session *session = accept_one(&o);
    say(&o, session, "HELLO 2 Riley Juzang 1\n");
    char line[128];
    for (int i = 0; i < 65600; i++) {
        snprintf(line, sizeof line, "AT n%d +0.0 c%d +1+1 5\n", i, i);
        say(&o, session, line);
        if (o.turn.blocked) /* the digest got more leaves: that was a turn's work */
            tick(&o, 0);
    }
    assert_int_equal(o.downs, 0);
    assert_int_equal(herd_store_count(herd_node_store(o.node)), 65534); /* its own name has a number too */
    assert_int_equal(herd_node_stats(o.node).at_refused, 66);
    say(&o, session, "AT n0 +0.0 c1 +1+1 6\nAT other +0.0 c2 +1+1 6\n"); /* n1 is free, then n2 */
    assert_int_equal(herd_node_stats(o.node).at_refused, 66);
    end(&o);

    /* one client, reported by ever other servers */
    begin(&o, "Juzang", NULL);
    session = accept_one(&o);
    say(&o, session, "HELLO 2 Riley Juzang 1\n");
    for (int i = 0; i < 70000; i++) {
        snprintf(line, sizeof line, "AT n%d +0.0 one +1+1 %d.0\n", i, i);
        say(&o, session, line);
    }
    assert_int_equal(o.downs, 0);
    assert_int_equal(herd_node_stats(o.node).at_new, 70000);
    assert_int_equal(herd_node_stats(o.node).at_refused, 0);
    end(&o);
}

/* What a neighbour knows is taken in, however much memory reports may have. */
static void test_records_bytes_max_from_neighbours(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", &(struct herd_node_options){.records_bytes_max = 1});
    struct herd_session *session = accept_one(&o), *client = accept_one(&o);
    say(&o, session, "HELLO 2 Riley Juzang 1\n");
    say(&o, session,
        "AT Riley +1 kiwi +0+0 5\nAT Riley +1 plum +0.00000000000000000000000000000000000000000000000000000+0 5\n");
    assert_int_equal(herd_store_count(herd_node_store(o.node)), 2);
    o.out.len = 0;
    say(&o, client, "IAMAT lime +0+0 5\n");
    heard(&o, "? IAMAT lime +0+0 5\n");
    say(&o, client, "IAMAT plum +0+0 1621464828\n");
    heard(&o, "AT Juzang +0.000000000 plum +0+0 1621464828\n");
    assert_int_equal(o.downs, 0);
    end(&o);
}

/* News is passed on as it came if that is how this node writes it, and else as this node writes it; of several in one
 * read the newest. */
static void test_passed_on(void **state)
{
    (void)state;
    static const struct {
        const char *came, *told;
    } rows[] = {
        {"AT Riley +1.5 kiwi +1+1 2\n", "AT Riley +1.5 kiwi +1+1 2\n"},
        {"AT  Riley +1.5 kiwi +1+1 3\n", "AT Riley +1.5 kiwi +1+1 3\n"},
        {"AT Riley +1.5 kiwi\t+1+1 4\n", "AT Riley +1.5 kiwi +1+1 4\n"},
        {" AT Riley +1.5 kiwi +1+1 5\n", "AT Riley +1.5 kiwi +1+1 5\n"},
        {"AT Riley +1.5 kiwi +1+1 6\r\n", "AT Riley +1.5 kiwi +1+1 6\n"},
        {"AT Riley +1.5 kiwi +1+1 7 \n", "AT Riley +1.5 kiwi +1+1 7\n"},
        {"AT Riley -0.50 kiwi +1.0-1.00 0008.10\n", "AT Riley -0.50 kiwi +1.0-1.00 0008.10\n"},
        {"AT Riley +1.5 kiwi +1+1 9\nAT Zulu +1 kiwi +2+2 10\n", "AT Zulu +1 kiwi +2+2 10\n"},
        {"AT Riley +1.5 kiwi +1+1 12\nAT Zulu +1 kiwi +2+2 11\n", "AT Riley +1.5 kiwi +1+1 12\n"},
    };
    struct one o;
    begin(&o, "Juzang", NULL);
    struct herd_session *riley = accept_one(&o), *jaquez = accept_one(&o);
    say(&o, riley, "HELLO 2 Riley Juzang 1\n");
    say(&o, jaquez, "HELLO 2 Jaquez Juzang 1\n");
    fill(&o, riley);
    fill(&o, jaquez);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        o.out.len = 0;
        say(&o, riley, rows[i].came);
        fill(&o, riley);
        heard(&o, "");
        fill(&o, jaquez);
        assert_int_equal(o.out.len, strlen(rows[i].told));
        heard(&o, rows[i].told);
    }
    assert_int_equal(o.downs, 0);
    end(&o);
}

static void test_names(void **state)
{
    (void)state;
    struct one o;
    begin(&o, "Juzang", NULL);
    assert_true(herd_span_equal(herd_node_name(o.node), herd_span_of("Juzang")));
    assert_int_equal(herd_node_peer_count(o.node), 2);
    assert_true(herd_span_equal(herd_node_peer_name(o.node, 0), herd_span_of("Jaquez")));
    assert_true(herd_span_equal(herd_node_peer_name(o.node, 1), herd_span_of("Riley")));
    assert_int_equal(herd_node_peer_name(o.node, 2).len, 0);
    herd_node_dial_failed(o.node, 99, o.now);
    end(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_invalid_on_a_link),
        cmocka_unit_test(test_long_lines_on_a_link),
        cmocka_unit_test(test_full_push),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_end_of_a_link),
        cmocka_unit_test(test_records_max_from_neighbours),
        cmocka_unit_test(test_long_records),
        cmocka_unit_test(test_server_names),
        cmocka_unit_test(test_records_bytes_max_from_neighbours),
        cmocka_unit_test(test_passed_on),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
