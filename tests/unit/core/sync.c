/* SPDX-License-Identifier: MIT */
/* Two nodes compare their states: what it costs when little differs, and what it finds. */
#include "cm.h"

#include "node_impl.h"
#include "sync_link.h"
#include "wire.h"

#define MS INT64_C(1000000)

struct said {
    size_t root, push, sums, list, all, at, other, bytes;
};

static void count_line(void *ctx, int from, int to, struct herd_span line)
{
    (void)from;
    (void)to;
    struct said *said = ctx;
    static const char *const verbs[] = {"ROOT ", "PUSH", "SUMS ", "LIST ", "AT "};
    size_t *counts[] = {&said->root, &said->push, &said->sums, &said->list, &said->at};
    said->bytes += line.len + 1;
    for (size_t i = 0; i < 5; i++) {
        if (line.len >= strlen(verbs[i]) && memcmp(line.at, verbs[i], strlen(verbs[i])) == 0) {
            (*counts[i])++;
            said->all += i == 3 && line.len > 4 && memcmp(line.at + line.len - 4, " all", 4) == 0;
            return;
        }
    }
    said->other++;
}

/* Reports of ids from .. to - 1 at one node, `second` being their time. */
static void report(struct wire *w, int node, int from, int to, int second)
{
    static char text[500 * 40];
    struct wire_end *client = wire_client(w, node);
    while (from < to) {
        size_t len = 0;
        for (int i = 0; i < 500 && from < to; i++, from++)
            len += (size_t)snprintf(text + len, sizeof text - len, "IAMAT c%d +1-1 %d\n", from, second);
        wire_say(w, client, text);
        client->in.len = 0;
    }
    wire_close(client);
    wire_run(w);
}

static struct herd_store *store_of(struct wire *w, int node)
{
    return herd_node_store(w->nodes[node].node);
}

/* Two nodes that are linked and hold `common` records; then the link breaks. */
static struct wire *pair(int common, struct said *said)
{
    struct wire *w = wire_new("a b", "a-b");
    w->tap = count_line;
    w->tap_ctx = said;
    assert_int_equal(wire_start(w, 0), 0);
    assert_int_equal(wire_start(w, 1), 0);
    wire_settle(w);
    report(w, 0, 0, common, 5);
    assert_true(wire_agree(w));
    wire_cut(w, 0, 1);
    return w;
}

static void mend(struct wire *w, struct said *said)
{
    *said = (struct said){0};
    wire_mend(w, 0, 1);
    wire_settle(w);
    wire_run(w);
    assert_true(wire_agree(w));
    for (int i = 0; i < 2; i++) {
        const struct herd_peer *peer = w->nodes[i].node->peers[0];
        assert_null(peer->sync.due);
        assert_int_equal(peer->subscriber.pending, 0);
        assert_false(herd_sync_want_write(peer));
        assert_int_equal(herd_node_stats(w->nodes[i].node).repairs, 0);
    }
}

static void test_equal_stores(void **state)
{
    (void)state;
    static const int sizes[] = {0, 1, 511, 600, 20000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct said said;
        struct wire *w = pair(sizes[i], &said);
        uint64_t syncs = herd_node_stats(w->nodes[0].node).syncs;
        mend(w, &said);
        assert_int_equal(said.root, 2);
        assert_int_equal(said.push + said.sums + said.list + said.at + said.other, 0);
        assert_in_range(said.bytes, 1, 2 * 32);
        assert_int_equal(herd_node_stats(w->nodes[0].node).syncs, syncs);
        wire_free(w);
    }
}

enum where { AT_A, AT_B, AT_BOTH, NEWER_AT_A, NEWER_AT_B, EACH_OTHER, WHERES };

/* Makes d differences of one kind; how many records the other side has to be told at least. */
static size_t differ(struct wire *w, enum where where, int common, int d)
{
    switch (where) {
    case AT_A: report(w, 0, common, common + d, 6); return (size_t)d;
    case AT_B: report(w, 1, common, common + d, 6); return (size_t)d;
    case AT_BOTH:
        report(w, 0, common, common + d, 6);
        report(w, 1, common + d, common + 2 * d, 6);
        return 2 * (size_t)d;
    case NEWER_AT_A: report(w, 0, 0, d, 6); return (size_t)d;
    case NEWER_AT_B: report(w, 1, 0, d, 6); return (size_t)d;
    default: /* both know a newer place of the same clients, one the newest */
        report(w, 0, 0, d, 6);
        report(w, 1, 0, d, 7);
        return (size_t)d;
    }
}

static void test_differences(void **state)
{
    (void)state;
    static const int sizes[] = {600, 3000, 20000};
    static const int counts[] = {1, 10, 1000};
    for (size_t s = 0; s < 3; s++) {
        for (size_t c = 0; c < 3; c++) {
            for (enum where where = 0; where < WHERES; where++) {
                int common = sizes[s], d = counts[c] < common ? counts[c] : common;
                struct said said;
                struct wire *w = pair(common, &said);
                size_t least = differ(w, where, common, d);
                mend(w, &said);
                assert_int_equal(said.push, 0);
                assert_int_equal(said.root, 2);
                assert_in_range(said.at, least, 2 * least); /* of two versions, both may be told */
                if (where <= AT_BOTH)
                    assert_int_equal(said.at, least); /* what matched is never sent */
                assert_true(said.sums >= 1 && said.list >= 1);
                /* one path of the tree and two lists a difference, a whole small store at most */
                assert_in_range(said.bytes, 1, 600 + least * (3 * 300 + 2 * (40 + 34 * 20) + 2 * 100));
                wire_free(w);
            }
        }
    }
}

/* The leaves of one are finer than those of the other, whichever of them leads. */
static void test_different_depths(void **state)
{
    (void)state;
    for (int finer = 0; finer < 2; finer++) {
        struct said said;
        struct wire *w = pair(1900, &said);
        report(w, finer, 3000, 3500, 6);
        report(w, 1 - finer, 5000, 5020, 6);
        report(w, 1 - finer, 7, 9, 6);
        assert_int_equal(store_of(w, finer)->digest.bits, 12);
        assert_int_equal(store_of(w, 1 - finer)->digest.bits, 8);
        mend(w, &said);
        assert_int_equal(said.push, 0);
        assert_in_range(said.at, 522, 524);
        wire_free(w);
    }
}

/* A leaf with more records than a line can list: both send all of it. The ids share the first 8 bits. */
static void test_list_too_long(void **state)
{
    (void)state;
    struct said said;
    struct wire *w = pair(600, &said);
    for (int node = 0; node < 2; node++) {
        struct wire_end *client = wire_client(w, node);
        for (int i = 0, found = 0; found < 500; i++) {
            char line[64], id[16];
            int len = snprintf(id, sizeof id, "n%d-%d", node, i);
            if (herd_store_id_hash(store_of(w, 0), (struct herd_span){id, (size_t)len}) >> 56 != 0x5a)
                continue;
            found++;
            snprintf(line, sizeof line, "IAMAT %s +1-1 5\n", id);
            wire_say(w, client, line);
        }
        wire_close(client);
    }
    assert_int_equal(store_of(w, 0)->digest.bits, 8);
    mend(w, &said);
    assert_in_range(said.all, 1, 2);
    assert_in_range(said.at, 1000, 1010); /* the leaf held few others */
    wire_free(w);

    struct one o;
    begin(&o, "Juzang", 40);
    told(&o);
    for (unsigned prefix = 0; prefix < 256; prefix++) {
        char line[32];
        snprintf(line, sizeof line, "LIST 8 %x all\n", prefix);
        tell(&o, line);
    }
    assert_int_equal(lines(told(&o), "AT "), 40);
    end(&o);
}

/* Clients report at both ends while the comparison goes on, in small pieces. */
static void test_updates_meanwhile(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct said said;
        struct wire *w = pair(2500, &said);
        differ(w, EACH_OTHER, 2500, 400);
        differ(w, AT_BOTH, 2500, 100);
        w->room = 300;
        w->random = seed;
        wire_mend(w, 0, 1);
        wire_advance(w, 1); /* dials may be due later: give them time */
        for (int i = 0; i < 300; i++) {
            /* Queued, not run: moved together with the frames by the next run. */
            char line[64];
            for (int node = 0; node < 2; node++) {
                struct wire_end *client = wire_client(w, node);
                snprintf(line, sizeof line, "IAMAT c%zu +2-2 %d\n", rnd_below(&w->random, 2800), 8 + i);
                wire_write(client, herd_span_of(line));
                wire_close(client);
            }
            wire_advance(w, 10 * MS);
        }
        wire_settle(w);
        assert_true(wire_agree(w));
        for (int i = 0; i < 2; i++) {
            assert_int_equal(herd_node_stats(w->nodes[i].node).repairs, 0);
            assert_null(w->nodes[i].node->peers[0]->sync.due);
        }
        wire_free(w);
    }
}

/* ---- the alarm ---- */

/* Puts a record into a store behind the node's back: what a lost update would leave. */
static void smuggle(struct wire *w, int node, const char *id, const char *time)
{
    struct herd_record record = {herd_span_of("a"),    herd_span_of("+1.000000000"), herd_span_of(id),
                                 herd_span_of("+9-9"), herd_span_of(time),           0};
    int64_t ns = 0;
    for (const char *p = time; *p; p++)
        ns = ns * 10 + (*p - '0');
    record.time_ns = ns * SECOND;
    enum herd_put verdict;
    uint32_t slot;
    assert_int_equal(herd_changes_reserve(&w->nodes[node].node->changes, store_of(w, node)->slots + 1), 0);
    assert_int_equal(herd_store_put(store_of(w, node), &record, &verdict, &slot), 0);
    assert_true(verdict == HERD_PUT_NEW || verdict == HERD_PUT_NEWER);
}

static void test_idle_links_compare(void **state)
{
    (void)state;
    struct said said;
    struct wire *w = pair(700, &said);
    mend(w, &said);
    said = (struct said){0};
    w->notices = 0; /* dials that crossed */
    for (int i = 0; i < 600; i++)
        wire_advance(w, SECOND); /* ten checks, give or take a fifth */
    assert_in_range(said.root, 2 * 8, 2 * 13);
    assert_int_equal(said.at + said.sums + said.list + said.push, 0);
    assert_int_equal(w->notices, 0);

    for (int node = 0; node < 2; node++) {
        for (int kind = 0; kind < 2; kind++) {
            uint64_t repairs = herd_node_stats(w->nodes[0].node).repairs;
            smuggle(w, node, kind ? "lost" : "c5", node ? "60" : "50");
            assert_false(wire_agree(w));
            said = (struct said){0};
            int seconds = 0;
            while (!wire_agree(w)) {
                wire_advance(w, SECOND);
                assert_true(++seconds < 3 * 75);
            }
            assert_true(said.root == 4); /* two checks, no more and no less */
            assert_true(seconds > 48);
            assert_int_equal(herd_node_stats(w->nodes[0].node).repairs, repairs + 1);
            assert_string_equal(w->notice, "digest_differs");
            assert_in_range(said.at, 1, 2);
            assert_int_equal(herd_node_stats(w->nodes[1].node).repairs, 0); /* the leader counts */
        }
    }
    for (int i = 0; i < 2; i++)
        assert_null(w->nodes[i].node->peers[0]->sync.due);
    wire_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_stores),      cmocka_unit_test(test_differences),
        cmocka_unit_test(test_different_depths),  cmocka_unit_test(test_list_too_long),
        cmocka_unit_test(test_updates_meanwhile), cmocka_unit_test(test_idle_links_compare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
