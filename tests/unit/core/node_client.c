/* SPDX-License-Identifier: MIT */
/* What a client reports and what it is answered; which reports are refused. */
#include "alloc.h"
#include "client.h"

static void test_replies(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    say(&f, KIWI "\n \t \nwhat\n" KIWI "WHATSAT nobody 1 1\nAT x +1 kiwi +1+1 1\nPING\nPONG\nREFUSE x\n");
    heard(&f,
          AT_KIWI "? what\n" AT_KIWI "? WHATSAT nobody 1 1\n? AT x +1 kiwi +1+1 1\n? PING\n? PONG\n? REFUSE x\n");
    assert_false(f.turn.blocked || f.turn.close);
    struct herd_node_stats counts = herd_node_stats(f.node);
    assert_int_equal(counts.reports, 1);
    assert_int_equal(counts.reports_stale, 1);
    assert_int_equal(counts.invalid, 6);
    say(&f, "HELLO 2 Juzang Riley 1\n"); /* not its first word */
    heard(&f, "? HELLO 2 Juzang Riley 1\n");
    end(&f);
}

static void test_pipelined_thousands(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    struct herd_buf commands = {0}, expected = {0};
    for (int i = 0; i < 5000; i++) {
        char text[128];
        snprintf(text, sizeof text, "IAMAT c%d +1-1 1621464827.%d\n", i, i);
        herd_buf_add_text(&commands, i % 3 ? text : "what is this\n");
    }
    say_bytes(&f, span_of_buf(&commands));
    assert_int_equal(f.in.len, 0);
    size_t lines = 0, good = 0;
    for (const char *p = f.out.at; p < f.out.at + f.out.len; p = (const char *)memchr(p, '\n', 400) + 1) {
        assert_memory_equal(p, lines % 3 ? "AT" : "? ", 2);
        good += lines % 3 != 0;
        lines++;
    }
    assert_int_equal(lines, 5000);
    assert_int_equal(herd_store_count(herd_node_store(f.node)), good);
    herd_buf_fini(&commands);
    herd_buf_fini(&expected);
    end(&f);
}

static void test_reports_again_and_stale(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    say(&f, "IAMAT a +1+1 100\nIAMAT a +1+1 100\nIAMAT a +2+2 99\nIAMAT a +1+1 100.0\n");
    heard(&f, "AT Riley +1621464728.000000000 a +1+1 100\nAT Riley +1621464728.000000000 a +1+1 100\n"
              "AT Riley +1621464729.000000000 a +2+2 99\nAT Riley +1621464728.000000000 a +1+1 100.0\n");
    f.now.wall_ns += 5;
    say(&f, "IAMAT a +1+1 100.0\n"); /* the same, later: answered with its own difference, not stored */
    heard(&f, "AT Riley +1621464728.000000005 a +1+1 100.0\n");
    struct herd_record record;
    assert_true(herd_store_get(herd_node_store(f.node), herd_span_of("a"), &record));
    assert_true(herd_span_equal(record.time, herd_span_of("100.0")));
    assert_true(herd_span_equal(record.diff, herd_span_of("+1621464728.000000000")));
    assert_int_equal(herd_node_stats(f.node).reports, 2);
    assert_int_equal(herd_node_stats(f.node).reports_stale, 3);
    end(&f);
}

/* ---- reports that are refused ---- */

static void test_records_max(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, &(struct herd_node_options){.records_max = 2});
    say(&f, "IAMAT a +0+0 1\nIAMAT b +0+0 1\n");
    f.out.len = 0;
    say(&f, "IAMAT c +0+0 1\nIAMAT a +0+0 1621464828\nWHATSAT c 1 1\n");
    heard(&f, "? IAMAT c +0+0 1\nAT Riley +0.000000000 a +0+0 1621464828\n? WHATSAT c 1 1\n");
    assert_string_equal(f.notice, "records_max");
    size_t notices = f.notices;
    for (int i = 0; i < 1000; i++)
        say(&f, "IAMAT c +0+0 1\n");
    assert_true(f.notices - notices <= 10); /* a stranger cannot fill the log */
    end(&f);
}

/* Reports that need more memory than there may be are refused; those that need none, and what neighbours tell,
 * are not. */
static void test_records_bytes_max(void **state)
{
    (void)state;
    struct fixture f;
    char line[400], expected[420], id[201];
    memset(id, 'x', 200);
    id[200] = 0;
    begin(&f, &(struct herd_node_options){.records_bytes_max = 500});
    struct herd_store *store = herd_node_store(f.node);
    assert_int_equal(herd_store_bytes(store), 0);
    say(&f, "IAMAT a +0+0 1\nIAMAT b +0+0 1\n");
    assert_int_equal(herd_store_bytes(store), 136);
    snprintf(line, sizeof line, "IAMAT %s +0+0 1\n", id); /* a record of its own memory */
    say(&f, line);
    uint64_t bytes = herd_store_bytes(store);
    assert_in_range(bytes, 136 + 68 + 200, 136 + 68 + 300);
    f.out.len = 0;

    id[0] = 'y';
    snprintf(line, sizeof line, "IAMAT %s +0+0 1\n", id);
    snprintf(expected, sizeof expected, "? %s", line);
    say(&f, line);
    heard(&f, expected);
    assert_string_equal(f.notice, "records_bytes_max");
    assert_int_equal(herd_store_bytes(store), bytes);
    id[0] = 'x';
    snprintf(line, sizeof line, "IAMAT %s +0+0 1621464828\n", id); /* no more than before */
    snprintf(expected, sizeof expected, "AT Riley +0.000000000 %.300s", line + 6);
    say(&f, line);
    heard(&f, expected);
    snprintf(line, sizeof line, "IAMAT a +0.%0120d+0 2\n", 1); /* known, but larger than it was */
    snprintf(expected, sizeof expected, "? %s", line);
    say(&f, line);
    heard(&f, expected);
    say(&f, "IAMAT a +0+0 1621464828\n");
    heard(&f, "AT Riley +0.000000000 a +0+0 1621464828\n");
    assert_int_equal(herd_store_count(store), 3);
    end(&f);
}

static void test_future(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    say(&f, "IAMAT a +0+0 1621465128\n"); /* 300 s ahead: fine */
    heard(&f, "AT Riley -300.000000000 a +0+0 1621465128\n");
    assert_int_equal(f.notices, 0);
    say(&f, "IAMAT a +0+0 1621465128.000000001\n");
    heard(&f, "AT Riley -300.000000001 a +0+0 1621465128.000000001\n");
    assert_string_equal(f.notice, "report_from_future");
    say(&f, "IAMAT a +0+0 9223372036.854775807\n");
    heard(&f, "AT Riley -7601907208.854775807 a +0+0 9223372036.854775807\n");
    end(&f);

    begin(&f, &(struct herd_node_options){.future_refuse = true, .future_ns = SECOND});
    say(&f, "IAMAT a +0+0 1621464829\nIAMAT a +0+0 1621464829.000000001\n");
    heard(&f, "AT Riley -1.000000000 a +0+0 1621464829\n? IAMAT a +0+0 1621464829.000000001\n");
    assert_string_equal(f.notice, "report_from_future_refused");
    end(&f);

    begin(&f, &(struct herd_node_options){.future_refuse = true, .future_ns = -1});
    say(&f, "IAMAT a +0+0 9223372036\n");
    heard(&f, "AT Riley -7601907208.000000000 a +0+0 9223372036\n");
    assert_int_equal(f.notices, 0);
    end(&f);

    begin(&f, &(struct herd_node_options){.future_refuse = true});
    f.now.wall_ns = -5 * SECOND; /* a clock before 1970: the difference has no room in 64 bits */
    say(&f, "IAMAT a +0+0 9223372036.854775807\nIAMAT a +0+0 294\n");
    heard(&f, "? IAMAT a +0+0 9223372036.854775807\nAT Riley -294.000000000 a +0+0 294\n");
    end(&f);
}

/* ---- memory ---- */

static void test_no_allocation_in_steady_state(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    herd_buf_reserve(&f.out, 4096);
    for (int i = 0; i < 10000; i++) {
        char line[128];
        snprintf(line, sizeof line, "IAMAT client%d.cs.ucla.edu +34.068930-118.445127 16214648%02d.95949%04d\n",
                 i % 10, i / 400, i);
        struct herd_input_result result;
        if (i == 1000)
            alloc_plan = (struct alloc_plan){.armed = true};
        f.out.len = 0;
        assert_int_equal(herd_session_input(f.session, herd_span_of(line), f.now, &f.out, &result), 0);
        assert_memory_equal(f.out.at, "AT", 2);
    }
    assert_int_equal(alloc_plan.count, 0);
    char large[128]; /* a record too large for its cell does allocate: the counting works */
    snprintf(large, sizeof large, "IAMAT %050d +34.068930-118.445127 1621464827.959498503\n", 1);
    struct herd_input_result result;
    assert_int_equal(herd_session_input(f.session, herd_span_of(large), f.now, &f.out, &result), 0);
    alloc_plan.armed = false;
    assert_true(alloc_plan.count > 0);
    assert_int_equal(herd_node_stats(f.node).reports, 10001);
    end(&f);
}

static void test_bad_options(void **state)
{
    (void)state;
    struct herd_node *node;
    struct herd_span peers[2] = {{"a", 1}, {"b", 1}};
    struct herd_node_options options = {.name = {"", 0}};
    assert_int_equal(herd_node_new(&node, &options), HERD_E_ARG);
    options.name = herd_span_of("white space");
    assert_int_equal(herd_node_new(&node, &options), HERD_E_ARG);
    options = (struct herd_node_options){.name = herd_span_of("a"), .peers = peers, .peer_count = 2};
    assert_int_equal(herd_node_new(&node, &options), HERD_E_ARG); /* itself */
    options.name = herd_span_of("c");
    peers[1] = peers[0];
    assert_int_equal(herd_node_new(&node, &options), HERD_E_ARG); /* twice */
    peers[1] = (struct herd_span){"b b", 3};
    assert_int_equal(herd_node_new(&node, &options), HERD_E_ARG);
    herd_node_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_pipelined_thousands),
        cmocka_unit_test(test_reports_again_and_stale),
        cmocka_unit_test(test_records_max),
        cmocka_unit_test(test_records_bytes_max),
        cmocka_unit_test(test_future),
        cmocka_unit_test(test_no_allocation_in_steady_state),
        cmocka_unit_test(test_bad_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
