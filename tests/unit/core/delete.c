/* SPDX-License-Identifier: MIT */
/* Deleting a client: at one node, and in a herd. */
#include "client.h"
#include "wire.h"

#include "node_impl.h"

#include <string.h>

#define GONE_KIWI "GONE Riley +0.000000000 kiwi 1621464828.000000000\n"

static const struct herd_node_options line = {.tombstones_max = 2, .forget_line = true};

/* ---- one node ---- */

static void test_line(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, &line);
    say(&f, "FORGET kiwi\n");
    heard(&f, "? FORGET kiwi\n");
    say(&f, KIWI);
    heard(&f, AT_KIWI);
    say(&f, "FORGET kiwi\n");
    heard(&f, GONE_KIWI);
    say(&f, "WHATSAT kiwi 1 1\nFORGET  kiwi\nFORGET\nFORGET a b\nGONE Riley +0 kiwi 5\n");
    heard(&f, "? WHATSAT kiwi 1 1\n? FORGET  kiwi\n? FORGET\n? FORGET a b\n? GONE Riley +0 kiwi 5\n");
    assert_int_equal(herd_store_count(herd_node_store(f.node)), 1);
    assert_int_equal(herd_store_tombstones(herd_node_store(f.node)), 1);
    assert_int_equal(herd_node_stats(f.node).deletions, 1);

    say(&f, KIWI); /* older: answered, and that is all */
    heard(&f, AT_KIWI);
    say(&f, "IAMAT kiwi +1+2 1621464828\n"); /* of the same time */
    heard(&f, "AT Riley +0.000000000 kiwi +1+2 1621464828\n");
    say(&f, "WHATSAT kiwi 1 1\n");
    heard(&f, "? WHATSAT kiwi 1 1\n");
    say(&f, "IAMAT kiwi +1+2 1621464828.000000001\nWHATSAT kiwi 1 1\n");
    assert_int_equal(f.ticket_count, 1);
    assert_int_equal(herd_store_tombstones(herd_node_store(f.node)), 0);
    end(&f);
}

/* The time of the record counts, if that is later; all its decimals. */
static void test_time(void **state)
{
    (void)state;
    static const struct {
        const char *time, *gone;
    } rows[] = {
        {"5", "GONE Riley +0.000000000 a 1621464828.000000000\n"},
        {"1621464827.99999999999", "GONE Riley +0.000000000 a 1621464828.000000000\n"},
        {"01621464828", "GONE Riley +0.000000000 a 01621464828\n"},
        {"1621464828.00000000001", "GONE Riley +0.000000000 a 1621464828.00000000001\n"},
        {"1621464900.5", "GONE Riley -72.500000000 a 1621464900.5\n"},
        {"9223372036.854775807", "GONE Riley -7601907208.854775807 a 9223372036.854775807\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        struct herd_node_options options = line;
        options.future_ns = -1;
        char text[128];
        begin(&f, &options);
        snprintf(text, sizeof text, "IAMAT a +1+2 %s\n", rows[i].time);
        say(&f, text);
        f.out.len = 0;
        say(&f, "FORGET a\n");
        heard(&f, rows[i].gone);
        say(&f, text);
        say(&f, "WHATSAT a 1 1\n");
        assert_int_equal(f.ticket_count, 0);
        end(&f);
    }
}

static void test_off(void **state)
{
    (void)state;
    struct fixture f;
    enum herd_verdict verdict;
    begin(&f, &(struct herd_node_options){.tombstones_max = 2});
    say(&f, KIWI);
    f.out.len = 0;
    say(&f, "FORGET kiwi\n");
    heard(&f, "? FORGET kiwi\n");
    assert_int_equal(herd_node_delete(f.node, herd_span_of("kiwi"), f.now, NULL, &verdict), 0);
    assert_int_equal(verdict, HERD_VERDICT_NEWER);
    end(&f);

    begin(&f, &(struct herd_node_options){.forget_line = true});
    say(&f, KIWI);
    f.out.len = 0;
    say(&f, "FORGET kiwi\n");
    heard(&f, "? FORGET kiwi\n");
    assert_int_equal(herd_node_delete(f.node, herd_span_of("kiwi"), f.now, NULL, &verdict), HERD_E_ACCESS);
    end(&f);
}

static void test_call(void **state)
{
    (void)state;
    struct fixture f;
    struct herd_watch *watch;
    struct herd_record record;
    enum herd_verdict verdict;
    begin(&f, &line);
    assert_int_equal(herd_watch_open(f.node, &watch), 0);
    assert_int_equal(herd_node_delete(f.node, herd_span_of("kiwi"), f.now, &f.out, &verdict), HERD_E_NOTFOUND);
    say(&f, KIWI);
    f.out.len = 0;
    assert_true(herd_watch_next(watch, &record) && !herd_record_is_tombstone(&record));
    assert_int_equal(herd_node_delete(f.node, herd_span_of("kiwi"), f.now, &f.out, &verdict), 0);
    assert_int_equal(verdict, HERD_VERDICT_NEWER);
    heard(&f, GONE_KIWI);
    assert_int_equal(herd_node_find(f.node, herd_span_of("kiwi"), f.now, &record), HERD_E_NOTFOUND);
    assert_int_equal(herd_node_delete(f.node, herd_span_of("kiwi"), f.now, &f.out, &verdict), HERD_E_NOTFOUND);
    assert_true(herd_watch_next(watch, &record) && herd_record_is_tombstone(&record));
    assert_true(herd_span_equal(record.id, herd_span_of("kiwi")));
    assert_false(herd_watch_next(watch, &record));
    assert_int_equal(herd_node_report(f.node, herd_span_of("kiwi"), herd_span_of("+1+1"),
                                      herd_span_of("1621464829"), f.now, NULL, &verdict),
                     0);
    assert_int_equal(verdict, HERD_VERDICT_NEW);
    herd_watch_close(watch);
    end(&f);
}

/* Clients and tombstones have bounds of their own. */
static void test_limits(void **state)
{
    (void)state;
    struct fixture f;
    struct herd_node_options options = line;
    options.records_max = 3;
    begin(&f, &options);
    say(&f, "IAMAT a +1+1 1\nIAMAT b +1+1 1\nIAMAT c +1+1 1\nIAMAT d +1+1 1\n");
    assert_string_equal(f.notice, "records_max");
    say(&f, "FORGET a\nIAMAT d +1+1 1\nFORGET b\n");
    f.out.len = 0;
    say(&f, "FORGET c\n");
    heard(&f, "? FORGET c\n");
    assert_string_equal(f.notice, "tombstones_max");
    say(&f, "IAMAT a +1+1 9000000000\n"); /* b left room for it */
    heard(&f, "AT Riley -7378535172.000000000 a +1+1 9000000000\n");
    say(&f, "IAMAT b +1+1 9000000000\n"); /* known, but it would be a client more */
    heard(&f, "? IAMAT b +1+1 9000000000\n");
    say(&f, "IAMAT b +1+1 1\n"); /* older than the tombstone: answered */
    heard(&f, "AT Riley +1621464827.000000000 b +1+1 1\n");
    say(&f, "FORGET c\nIAMAT b +1+1 9000000000\n");
    assert_int_equal(herd_store_tombstones(herd_node_store(f.node)), 1);
    assert_int_equal(herd_store_count(herd_node_store(f.node)), 4);
    end(&f);
}

/* ---- a herd ---- */

static void start_all(struct wire *w)
{
    for (int i = 0; i < w->count; i++)
        assert_int_equal(wire_start(w, i), 0);
    wire_settle(w);
}

static void pass(struct wire *w, int ms)
{
    for (int i = 0; i < ms; i++)
        wire_advance(w, 1000000);
}

static struct wire *herd(const char *links, int64_t expire_ns)
{
    struct wire *w = wire_new("Riley Jaquez Juzang", links);
    for (int i = 0; i < w->count; i++) {
        w->nodes[i].options = line;
        w->nodes[i].options.expire_ns = expire_ns;
    }
    start_all(w);
    return w;
}

static bool knows(struct wire *w, int node, const char *id)
{
    struct herd_record record;
    return herd_node_find(w->nodes[node].node, herd_span_of(id), w->now, &record) == 0;
}

/* A server that was away brings back nothing, but is told. */
static void test_away(void **state)
{
    (void)state;
    struct wire *w = herd("Riley-Jaquez Jaquez-Juzang", 0);
    struct wire_end *client = wire_client(w, 0);
    wire_say(w, client, "IAMAT kiwi +1+2 3\nIAMAT kea +1+2 3\n");
    assert_true(wire_agree(w) && knows(w, 2, "kiwi"));
    wire_cut(w, 1, 2);
    wire_say(w, client, "FORGET kiwi\n");
    assert_false(knows(w, 1, "kiwi"));
    assert_true(knows(w, 2, "kiwi"));
    wire_mend(w, 1, 2);
    wire_settle(w);
    assert_true(wire_agree(w));
    for (int i = 0; i < 3; i++)
        assert_true(!knows(w, i, "kiwi") && knows(w, i, "kea"));
    wire_free(w);
}

static void test_expire(void **state)
{
    (void)state;
    struct wire *w = herd("Riley-Jaquez Jaquez-Juzang", 100 * SECOND);
    struct wire_end *client = wire_client(w, 0);
    char text[128];
    snprintf(text, sizeof text, "IAMAT kiwi +1+2 %lld\n", (long long)(w->now.wall_ns / SECOND));
    wire_say(w, client, text);
    wire_say(w, client, "FORGET kiwi\n");
    for (int i = 0; i < 3; i++)
        assert_int_equal(herd_store_tombstones(herd_node_store(w->nodes[i].node)), 1);
    wire_advance(w, 1000 * SECOND);
    for (int i = 0; i < 3; i++)
        assert_int_equal(herd_store_count(herd_node_store(w->nodes[i].node)), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(herd_node_stats(w->nodes[i].node).repairs, 0);
    wire_free(w);
}

/* A neighbour that has no word for it is not told, keeps what it has, and rings no alarm. */
static void test_unable(void **state)
{
    (void)state;
    struct wire *w = wire_new("Riley Jaquez", "Riley-Jaquez");
    w->nodes[0].options = line;
    w->nodes[0].options.digest_ns = w->nodes[1].options.digest_ns = SECOND;
    start_all(w);
    assert_string_equal(w->notice, "peer_cannot_delete");
    struct wire_end *client = wire_client(w, 0);
    wire_say(w, client, "IAMAT kiwi +1+2 3\n");
    assert_true(wire_agree(w));
    wire_say(w, client, "FORGET kiwi\n");
    wire_say(w, client, "IAMAT kea +1+2 3\n");
    for (int i = 0; i < 60; i++)
        wire_advance(w, SECOND);
    assert_true(wire_linked(w, 0, 1));
    assert_true(!knows(w, 0, "kiwi") && knows(w, 1, "kiwi") && knows(w, 1, "kea"));
    for (int i = 0; i < 2; i++)
        assert_int_equal(herd_node_stats(w->nodes[i].node).repairs, 0);

    /* It learns the word: the link is made anew, and it is told. */
    herd_node_configure(w->nodes[1].node, &line, w->now);
    wire_run(w);
    wire_settle(w);
    wire_advance(w, SECOND);
    assert_true(wire_agree(w) && !knows(w, 1, "kiwi"));
    wire_free(w);
}

/* More tombstones than twice its own limit are refused, alone, and taken when there is room. */
static void test_refused(void **state)
{
    (void)state;
    struct wire *w = wire_new("Riley Jaquez", "Riley-Jaquez");
    w->nodes[0].options = w->nodes[1].options = line;
    w->nodes[0].options.tombstones_max = 10;
    w->nodes[1].options.tombstones_max = 1;
    w->nodes[0].options.digest_ns = w->nodes[1].options.digest_ns = SECOND;
    start_all(w);
    struct wire_end *client = wire_client(w, 0);
    wire_say(w, client, "IAMAT a +1+1 3\nIAMAT b +1+1 3\nIAMAT c +1+1 3\n");
    wire_say(w, client, "FORGET a\nFORGET b\nFORGET c\n");
    assert_true(!knows(w, 1, "a") && !knows(w, 1, "b") && knows(w, 1, "c"));
    assert_int_equal(herd_node_stats(w->nodes[1].node).at_refused, 1);
    assert_string_equal(w->notice, "peer_record_refused");
    wire_say(w, client, "IAMAT a +1+1 9000000000\n");
    assert_true(knows(w, 1, "a"));
    for (int i = 0; i < 60; i++)
        wire_advance(w, SECOND);
    assert_true(wire_agree(w) && !knows(w, 1, "c"));
    for (int i = 0; i < 2; i++)
        assert_int_equal(herd_node_stats(w->nodes[i].node).repairs, 0);
    wire_free(w);
}

static void tap(void *ctx, int from, int to, struct herd_span said)
{
    (void)from;
    if (to == 2 && memcmp(said.at, "AT ", 3) != 0)
        ++*(int *)ctx;
}

/* A plain neighbour is told what is, also all of it anew, and never that something is gone. */
static void test_plain(void **state)
{
    (void)state;
    int strange = 0;
    struct wire *w = wire_new("Riley Jaquez Juzang", "Riley-Jaquez Jaquez-Juzang");
    for (int i = 0; i < 3; i++)
        w->nodes[i].options = line;
    w->nodes[2].plain = true;
    w->tap = tap;
    w->tap_ctx = &strange;
    start_all(w);
    struct wire_end *client = wire_client(w, 0);
    wire_say(w, client, "IAMAT a +1+1 3\nIAMAT b +1+1 3\n");
    pass(w, 100);
    assert_true(knows(w, 2, "a") && knows(w, 2, "b"));
    wire_say(w, client, "FORGET a\n");
    pass(w, 100);
    assert_true(!knows(w, 1, "a") && knows(w, 2, "a"));
    wire_crash(w, 2);
    wire_say(w, client, "IAMAT b +1+1 4\n");
    pass(w, 100);
    wire_start(w, 2);
    pass(w, 5000);
    assert_true(!knows(w, 2, "a") && knows(w, 2, "b"));
    assert_int_equal(strange, 0);
    wire_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),   cmocka_unit_test(test_time),   cmocka_unit_test(test_off),
        cmocka_unit_test(test_call),   cmocka_unit_test(test_limits), cmocka_unit_test(test_away),
        cmocka_unit_test(test_expire), cmocka_unit_test(test_unable), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
