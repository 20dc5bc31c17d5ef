/* SPDX-License-Identifier: MIT */
/* One way in: a report by call is a report by line, and whoever brings a record meets the same verdict. */
#include "cm.h"

#include "alloc.h"
#include "guard.h"
#include "offer.h"

#include <herd/node.h>

#include <stdio.h>

#define SECOND INT64_C(1000000000)

static const struct herd_now NOW = {INT64_C(1621464828000000000), 100 * SECOND};

static struct herd_node *make_node(const struct herd_node_options *given)
{
    static const struct herd_span peers[] = {{"Jaquez", 6}, {"Bonner", 6}};
    static const bool plain[] = {false, true};
    struct herd_node_options options = given ? *given : (struct herd_node_options){0};
    options.name = herd_span_of("Riley");
    options.peers = peers;
    options.peers_plain = plain;
    options.peer_count = 2;
    options.seed[0] = 5;
    struct herd_node *node;
    assert_int_equal(herd_node_new(&node, &options), 0);
    assert_int_equal(herd_changes_subscribe(&node->changes, &node->peers[0]->subscriber),
                     0); /* a link that is up */
    return node;
}

/* What a new client is answered to `text`. */
static void say(struct herd_node *node, const char *text, struct herd_now now, struct herd_buf *out)
{
    struct herd_session *session;
    struct herd_input_result result;
    assert_int_equal(herd_session_open(node, &session, NULL, now), 0);
    assert_int_equal(herd_session_input(session, guarded(herd_span_of(text)), now, out, &result), 0);
    herd_session_close(session);
}

static int call(struct herd_node *node, const char *id, const char *position, const char *time, struct herd_now now,
                struct herd_buf *out)
{
    enum herd_verdict verdict;
    int err =
        herd_node_report(node, herd_span_of(id), herd_span_of(position), herd_span_of(time), now, out, &verdict);
    return err < 0 ? err : (int)verdict;
}

/* ---- by line and by call ---- */

/* "AT Riley DIFF rest": the rest. */
static struct herd_span behind_diff(const struct herd_buf *at)
{
    struct herd_span rest = span_of_buf(at);
    for (int fields = 3; fields > 0; fields--) {
        const char *space = memchr(rest.at, ' ', rest.len);
        assert_non_null(space);
        rest.len -= (size_t)(space + 1 - rest.at);
        rest.at = space + 1;
    }
    return rest;
}

static void test_line_and_call(void **state)
{
    (void)state;
    static const char *const reports[][3] = {
        {"kiwi", "+34.068930-118.445127", "1621464827.959498503"},
        {"a", "+0-0", "0"},
        {"\xff\x01?", "-90.000000+180", "1621464828.00000000000000000001"},
        {"an-id-that-is-longer-than-a-packed-record-takes-of-any-body-however-it-is-packed-or-written-down", "+1+1",
         "7"},
    };
    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++) {
        struct herd_node *by_line = make_node(NULL), *by_call = make_node(NULL);
        struct herd_buf line_at = {0}, call_at = {0}, line = {0};
        const char *const *r = reports[i];
        struct herd_now later = NOW;
        herd_format_iamat(&line, herd_span_of(r[0]), herd_span_of(r[1]), herd_span_of(r[2]));
        herd_buf_add(&line, "", 1);
        say(by_line, line.at, NOW, &line_at);
        assert_int_equal(call(by_call, r[0], r[1], r[2], NOW, &call_at), HERD_VERDICT_NEW);
        assert_true(herd_span_equal(span_of_buf(&line_at), span_of_buf(&call_at)));
        assert_true(herd_store_digest(herd_node_store(by_line)) == herd_store_digest(herd_node_store(by_call)));
        assert_int_equal(herd_node_stats(by_call).reports, 1);

        /* A moment later, the same line but for its difference; nothing is stored. */
        later.wall_ns += 5;
        line_at.len = call_at.len = 0;
        say(by_line, line.at, NOW, &line_at);
        assert_int_equal(call(by_call, r[0], r[1], r[2], later, &call_at), HERD_VERDICT_SAME);
        assert_false(herd_span_equal(span_of_buf(&line_at), span_of_buf(&call_at)));
        assert_true(herd_span_equal(behind_diff(&line_at), behind_diff(&call_at)));
        assert_int_equal(herd_node_stats(by_call).reports_stale, 1);
        assert_int_equal(call(by_call, r[0], r[1], r[2], later, NULL), HERD_VERDICT_SAME);

        struct herd_record record;
        assert_int_equal(herd_node_find(by_call, herd_span_of(r[0]), NOW, &record), 0);
        assert_true(herd_span_equal(record.position, herd_span_of(r[1])));
        assert_true(herd_span_equal(record.time, herd_span_of(r[2])));
        assert_int_equal(herd_node_find(by_call, herd_span_of("nobody"), NOW, &record), HERD_E_NOTFOUND);
        herd_buf_fini(&line);
        herd_buf_fini(&line_at);
        herd_buf_fini(&call_at);
        herd_node_free(by_line);
        herd_node_free(by_call);
    }
}

static void test_no_line(void **state)
{
    (void)state;
    static const char *const wrong[][3] = {
        {"", "+1+1", "1"},     {"a b", "+1+1", "1"},
        {" a", "+1+1", "1"},   {"a\n", "+1+1", "1"},
        {"a", "+1", "1"},      {"a", "+91+1", "1"},
        {"a", "+1+1", ""},     {"a", "+1+1", "x"},
        {"a", "+1+1 ", "1"},   {"a", "+1+1", "1\n"},
        {"a", "", "+1+1 1 1"}, {"a +1+1 1 b", "", ""},
        {"a", "+1+1\n", "1"},  {"a\nIAMAT b +1+1 1\nc", "+1+1", "1"},
    };
    struct herd_node *node = make_node(&(struct herd_node_options){.line_max_bytes = 64});
    struct herd_buf out = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(call(node, wrong[i][0], wrong[i][1], wrong[i][2], NOW, &out), HERD_E_SYNTAX);
    /* What is the longest line of a client is the longest report. */
    char line[120], id[80];
    for (int len = 40; len < 60; len++) {
        snprintf(id, sizeof id, "%0*d", len, 0);
        snprintf(line, sizeof line, "IAMAT %s +1+1 1\n", id);
        struct herd_node *other = make_node(&(struct herd_node_options){.line_max_bytes = 64});
        say(other, line, NOW, &out);
        bool fits = herd_store_count(herd_node_store(other)) == 1;
        assert_int_equal(call(other, id, "+1+1", "1", NOW, NULL), fits ? HERD_VERDICT_SAME : HERD_E_LIMIT);
        herd_node_free(other);
    }
    assert_int_equal(herd_store_count(herd_node_store(node)), 0);
    herd_buf_fini(&out);
    herd_node_free(node);
}

/* ---- the same verdict from each source in the same situation ---- */

enum from { LINE, CALL, LINK, PLAIN, JOURNAL, SOURCES };

/* Brings a record with this acceptance to a node; of LINE and CALL the clock is set so that it is accepted then. The
 * verdict is read off what changed. */
static int bring(struct herd_node *node, enum from from, const char *id, int64_t time, int64_t accepted)
{
    struct herd_now now = NOW;
    char position[] = "+1+1", text[32], diff[HERD_DIFF_MAX];
    snprintf(text, sizeof text, "%lld", (long long)time);
    now.wall_ns = accepted * SECOND;
    if (from == CALL)
        return call(node, id, position, text, now, NULL);
    struct herd_offer offer = {
        .record = {herd_span_of(from == LINE ? "Riley" : "Juzang"),
                   {diff, herd_diff_format((accepted - time) * SECOND, diff)},
                   herd_span_of(id),
                   herd_span_of(position),
                   herd_span_of(text),
                   time * SECOND},
        .source = from == LINE      ? HERD_SOURCE_CLIENT
                  : from == JOURNAL ? HERD_SOURCE_JOURNAL
                                    : HERD_SOURCE_PEER,
        .from = from == LINK    ? node->peers[0]
                : from == PLAIN ? node->peers[1]
                                : NULL,
        .hash = herd_store_hash(node->store, herd_span_of(id)),
        .id_hash = herd_store_id_hash(node->store, herd_span_of(id)),
        .slot_hint = HERD_NO_SLOT,
    };
    node->now = from == LINE ? now : NOW;
    return herd_offer(node, &offer);
}

static void test_table(void **state)
{
    (void)state;
    const int64_t t = NOW.wall_ns / SECOND;
    static const struct herd_node_options any = {0}, few = {.records_max = 1}, strict = {.future_refuse = true},
                                          expire = {.expire_ns = 1000 * SECOND};
    const struct {
        const char *what;
        const struct herd_node_options *options;
        int known; /* clients a, b, ... that report at t - 100 first */
        const char *id;
        int64_t time, accepted;
        int verdict[SOURCES]; /* of LINE, CALL, LINK, PLAIN, JOURNAL */
    } rows[] = {
#define ALL(v) {v, v, v, v, v}
#define NEAR(v, far)        \
    {                       \
        v, v, far, far, far \
    }
        {"first", &any, 0, "a", t, t, ALL(HERD_VERDICT_NEW)},
        {"another", &any, 1, "b", t, t, ALL(HERD_VERDICT_NEW)},
        {"newer", &any, 1, "a", t, t, ALL(HERD_VERDICT_NEWER)},
        {"older", &any, 1, "a", t - 200, t, ALL(HERD_VERDICT_OLDER)},
        /* Of one time the greater difference wins; a client that says the same again is not news. */
        {"the same time", &any, 1, "a", t - 100, t, NEAR(HERD_VERDICT_SAME, HERD_VERDICT_NEWER)},
        {"one too many", &few, 1, "b", t, t, NEAR(HERD_VERDICT_FULL, HERD_VERDICT_NEW)},
        {"far too many", &few, 2, "c", t, t, ALL(HERD_VERDICT_FULL)},
        {"newer, though full", &few, 2, "a", t, t, ALL(HERD_VERDICT_NEWER)},
        {"from the future", &any, 0, "a", t + 1000, t, ALL(HERD_VERDICT_NEW)},
        {"refused from the future", &strict, 0, "a", t + 1000, t, NEAR(HERD_VERDICT_FUTURE, HERD_VERDICT_NEW)},
        {"newer, expiring", &expire, 1, "a", t, t, ALL(HERD_VERDICT_NEWER)},
        {"accepted long ago",
         &expire,
         0,
         "a",
         t - 9000,
         t - 9000,
         {HERD_VERDICT_NEW, HERD_VERDICT_NEW, HERD_VERDICT_EXPIRED, HERD_VERDICT_EXPIRED, HERD_VERDICT_EXPIRED}},
        /* A journal's is taken, and accepted anew by the next tick: this node's own clock was ahead. */
        {"accepted far ahead",
         &expire,
         0,
         "a",
         t + 9000,
         t + 9000,
         {HERD_VERDICT_NEW, HERD_VERDICT_NEW, HERD_VERDICT_FUTURE, HERD_VERDICT_FUTURE, HERD_VERDICT_NEW}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (enum from from = 0; from < SOURCES; from++) {
            struct herd_node *node = make_node(rows[i].options);
            for (int known = 0; known < rows[i].known; known++) {
                char id[] = {(char)('a' + known), 0};
                assert_int_equal(bring(node, known ? LINK : from, id, t - 100, t - 100), HERD_VERDICT_NEW);
            }
            uint64_t before = herd_store_digest(node->store);
            int verdict = bring(node, from, rows[i].id, rows[i].time, rows[i].accepted);
            if (verdict != rows[i].verdict[from])
                fail_msg("%s, from %d: verdict %d, not %d", rows[i].what, from, verdict, rows[i].verdict[from]);
            bool stored = verdict == HERD_VERDICT_NEW || verdict == HERD_VERDICT_NEWER;
            assert_int_equal(herd_store_digest(node->store) != before, stored);
            /* Told to the plain neighbour, unless it is from there or was known before. */
            bool told = stored && from != PLAIN && from != JOURNAL;
            uint32_t slot = herd_store_find(node->store, herd_store_hash(node->store, herd_span_of(rows[i].id)),
                                            HERD_NO_SLOT, herd_span_of(rows[i].id));
            if (stored && !(rows[i].known && from != PLAIN && from != JOURNAL))
                assert_int_equal(herd_subscriber_has(&node->peers[1]->subscriber, slot), told);
            herd_node_free(node);
        }
    }
}

static void test_names_full(void **state)
{
    (void)state;
    struct herd_node *node = make_node(NULL);
    char name[16];
    int err = 0;
    for (int i = 0; err >= 0; i++) {
        snprintf(name, sizeof name, "s%d", i);
        err = herd_names_intern(&node->store->names, herd_span_of(name));
        if (err >= 0)
            herd_names_ref(&node->store->names, (uint16_t)err);
    }
    assert_int_equal(err, HERD_E_LIMIT);
    for (enum from from = 0; from < SOURCES; from++)
        assert_int_equal(bring(node, from, "a", 1621464800 + from, 1621464800 + from),
                         from == LINE   ? HERD_VERDICT_NEW
                         : from == CALL ? HERD_VERDICT_NEWER
                                        : HERD_VERDICT_FULL);
    assert_int_equal(herd_node_stats(node).at_refused, 2);
    herd_node_free(node);
}

/* Each allocation that a report makes, failed: an error, and nothing is changed. */
static void test_no_memory(void **state)
{
    (void)state;
    for (enum from from = 0; from < SOURCES; from++) {
        int verdict = HERD_E_NOMEM;
        for (size_t at = 1; verdict < 0; at++) {
            struct herd_node *node = make_node(NULL);
            uint64_t digest = herd_store_digest(node->store);
            alloc_plan = (struct alloc_plan){.armed = true, .fail = at};
            verdict = bring(node, from, "a", 1621464800, 1621464800);
            alloc_plan.armed = false;
            assert_int_equal(verdict, verdict < 0 ? HERD_E_NOMEM : HERD_VERDICT_NEW);
            assert_int_equal(herd_store_count(node->store), verdict >= 0);
            assert_true((herd_store_digest(node->store) == digest) == (verdict < 0));
            assert_true(at > 1 || verdict < 0);
            assert_int_equal(bring(node, from, "a", 1621464800, 1621464800) < 0, 0);
            herd_node_free(node);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line_and_call), cmocka_unit_test(test_no_line),   cmocka_unit_test(test_table),
        cmocka_unit_test(test_names_full),    cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
