/* SPDX-License-Identifier: MIT */
/*
 * No call takes longer because the store is large: each kind of frame, as nodes say it and as nobody does, a thousand
 * times in one read, at a million records; and ticks that forget, and a journal read back. Counted in steps, records
 * looked at, so that the answer is the same on any machine.
 */
#include "cm.h"

#include "journal_encoder.h"
#include "node_impl.h"
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>

#define RECORDS  1000000
#define ONE_LEAF 100000
#define TIMES    1000
#define SECOND   INT64_C(1000000000)
/* A turn's share, and what one frame may add: a walk, and one more for a list found too long while it was written. */
#define STEPS_MAX (HERD_TURN_STEPS + 4096 + 1024)

/* Memory for more leaves is not to be had: then chosen ids need share no more than eight bits. */
static bool no_growth;
int __real_herd_digest_init(struct herd_digest *digest, unsigned bits);
int __wrap_herd_digest_init(struct herd_digest *digest, unsigned bits);
int __wrap_herd_digest_init(struct herd_digest *digest, unsigned bits)
{
    return no_growth && bits > HERD_DIGEST_BITS_FIRST ? HERD_E_NOMEM : __real_herd_digest_init(digest, bits);
}

struct big {
    struct herd_node *node;
    struct herd_session *link;
    struct herd_now now;
    struct herd_buf out;
    uint64_t before, longest;
    size_t downs;
    bool resumed;
};

static void turn_begins(struct big *b)
{
    b->before = herd_node_steps(b->node);
}

static void turn_ends(struct big *b, const char *what)
{
    struct herd_effect e;
    uint64_t steps = herd_node_steps(b->node) - b->before;
    if (steps > b->longest)
        b->longest = steps;
    if (steps > STEPS_MAX)
        fail_msg("%s: a turn of %llu steps", what, (unsigned long long)steps);
    while (herd_node_next_effect(b->node, &e)) {
        b->downs += e.kind == HERD_EFFECT_PEER_DOWN;
        b->resumed |= e.kind == HERD_EFFECT_RESUME;
    }
}

/* What the loop does in a turn besides reading. */
static void rest_of_turn(struct big *b, const char *what)
{
    turn_begins(b);
    b->out.len = 0;
    if (b->downs == 0)
        assert_int_equal(herd_session_write(b->link, 16384, b->now, &b->out), 0);
    turn_ends(b, what);
    if (herd_node_next_ns(b->node) <= b->now.steady_ns) {
        turn_begins(b);
        herd_node_tick(b->node, b->now);
        turn_ends(b, what);
    }
    b->now.steady_ns += SECOND / 100000;
}

static void open_link(struct big *b, const char *name)
{
    char hello[64];
    struct herd_input_result result;
    b->downs = 0;
    assert_int_equal(herd_session_open(b->node, &b->link, NULL, b->now), 0);
    int len = snprintf(hello, sizeof hello, "HELLO 2 Riley %s 1\n", name);
    turn_begins(b);
    assert_int_equal(herd_session_input(b->link, (struct herd_span){hello, (size_t)len}, b->now, &b->out, &result),
                     0);
    turn_ends(b, "HELLO");
    assert_int_equal(herd_session_peer(b->link), 0);
}

static void make(struct big *b, const char *name, int records, unsigned leaf, int64_t expire_ns)
{
    struct herd_span peers[] = {herd_span_of("Riley")};
    struct herd_node_options options = {
        .name = herd_span_of(name), .peers = peers, .peer_count = 1, .seed = {3, 4}, .expire_ns = expire_ns};
    *b = (struct big){.now = {INT64_C(1621464828000000000), 50 * SECOND}};
    assert_int_equal(herd_node_new(&b->node, &options), 0);
    struct herd_session *client;
    struct herd_input_result result;
    struct herd_buf text = {0};
    assert_int_equal(herd_session_open(b->node, &client, NULL, b->now), 0);
    for (int i = 0, made = 0; made < records; i++) {
        char line[64], id[16];
        int len = 0;
        id[len++] = 'c'; /* by hand: of most it is only asked where they would go */
        for (unsigned rest = (unsigned)i; len == 1 || rest > 0; rest >>= 4)
            id[len++] = "0123456789abcdef"[rest & 15];
        id[len] = '\0';
        if (leaf < 256 && herd_store_id_hash(b->node->store, (struct herd_span){id, (size_t)len}) >> 56 != leaf)
            continue;
        len = snprintf(line, sizeof line, "IAMAT %s +0+0 1621464828\n", id);
        assert_int_equal(herd_buf_add(&text, line, (size_t)len), 0);
        if (++made % 100 && made < records)
            continue;
        b->out.len = 0;
        turn_begins(b);
        assert_int_equal(
            herd_session_input(client, (struct herd_span){text.at, text.len}, b->now, &b->out, &result), 0);
        turn_ends(b, "IAMAT");
        text.len = 0;
    }
    herd_buf_fini(&text);
    herd_session_close(client);
    assert_int_equal(b->node->store->count, records);
    open_link(b, name);
}

static void drop(struct big *b)
{
    herd_node_free(b->node);
    herd_buf_fini(&b->out);
}

#define ZEROS "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"

/* %x is a prefix: another in each of the thousand, or always the same. */
static const struct {
    const char *text;
    unsigned depth;
    bool follower_only, fault;
} frames[] = {
    {"PING\n", 0, false, false},
    {"\n", 0, false, false},
    {"ROOT 5 5\n", 0, true, false},
    {"PUSH\n", 0, true, false},
    {"SUMS 0 %x " ZEROS "\n", 0, false, false},
    {"SUMS 4 %x " ZEROS "\n", 4, false, false},
    {"SUMS 8 %x " ZEROS "\n", 8, false, false},
    {"SUMS 12 %x " ZEROS "\n", 12, false, false},
    {"LIST 8 %x end\n", 8, false, false},
    {"LIST 8 %x ask\n", 8, false, false},
    {"LIST 8 %x all\n", 8, false, false},
    {"LIST 8 %x ask 0000000000000001:0000000000000001\n", 8, false, false},
    {"LIST 12 %x end\n", 12, false, false},
    {"LIST 12 %x all\n", 12, false, false},
    {"LIST 16 %x ask 0000000000000001:0000000000000001\n", 16, false, false},
    {"LIST 16 %x all\n", 16, false, false},
    {"AT Riley +0.1 c1 +1+1 1621464828.%u\n", 16, false, false},
    {"AT Riley +0.1 c1 +1+1 5\n", 0, false, false},
    {"LIST 0 %x end\n", 0, false, true},
    {"LIST 4 %x all\n", 4, false, true},
    {"LIST 0 0 ask 0000000000000001:0000000000000001\n", 0, false, true},
    {"LIST 17 0 all\n", 0, false, true},
    {"SUMS 16 0 " ZEROS "\n", 0, false, true},
    {"WHATSAT c1 10 5\n", 0, false, true},
};

/* A thousand of them in one read; whatever is left waits for its next turn. */
static void say(struct big *b, size_t which, bool same, unsigned leaf)
{
    struct herd_buf text = {0};
    struct herd_input_result result = {0};
    const char *form = frames[which].text;
    unsigned depth = frames[which].depth;
    for (unsigned i = 0; i < TIMES; i++) {
        char line[128];
        unsigned prefix = 0;
        if (depth > 0)
            prefix = same ? leaf << 24 >> (32 - depth) : i & ((1u << depth) - 1);
        int len = snprintf(line, sizeof line, form, prefix); /* NOLINT: the forms are above */
        assert_int_equal(herd_buf_add(&text, line, (size_t)len), 0);
    }
    size_t used = 0, turns = 0;
    while (used < text.len && b->downs == 0) {
        turn_begins(b);
        b->out.len = 0;
        assert_int_equal(herd_session_input(b->link, (struct herd_span){text.at + used, text.len - used}, b->now,
                                            &b->out, &result),
                         0);
        turn_ends(b, form);
        used += result.consumed;
        b->resumed = false;
        rest_of_turn(b, form);
        if (b->downs == 0 && used < text.len)
            assert_true(result.blocked && b->resumed);
        assert_in_range(++turns, 1, 2 * TIMES);
    }
    assert_int_equal(b->downs, frames[which].fault);
    herd_buf_fini(&text);
    for (int i = 0; i < 30; i++) /* some of what this made due */
        rest_of_turn(b, form);
}

static void test_frames(const char *name, int records, unsigned leaf)
{
    struct big b;
    make(&b, name, records, leaf, 0);
    bool follows = strcmp(name, "Riley") > 0;
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        if (frames[i].follower_only && !follows)
            continue;
        for (int same = 0; same < 2; same++) {
            say(&b, i, same, leaf < 256 ? leaf : 0x5a);
            if (b.downs > 0) {
                herd_session_close(b.link);
                open_link(&b, name);
            }
        }
    }
    print_message("%d records, %s: the longest turn took %llu steps\n", records, follows ? "follower" : "leader",
                  (unsigned long long)b.longest);
    drop(&b);
}

static void test_frames_follower(void **state)
{
    (void)state;
    test_frames("Zora", RECORDS, 256);
}

static void test_frames_leader(void **state)
{
    (void)state;
    test_frames("Juzang", RECORDS / 10, 256); /* other frames mean the same to it */
}

static void test_frames_chosen_ids(void **state)
{
    (void)state;
    no_growth = true;
    test_frames("Zora", ONE_LEAF, 0x5a);
    no_growth = false;
}

/* A prefix with more records than one turn looks at: all of them are due in the end, and no others. */
static void test_scan_finds_all(void **state)
{
    (void)state;
    struct big b;
    struct herd_input_result result;
    no_growth = true;
    make(&b, "Zora", 20000, 0x5a, 0);
    struct herd_session *client;
    assert_int_equal(herd_session_open(b.node, &client, NULL, b.now), 0);
    for (int i = 0; i < 50; i++) { /* elsewhere, most of them */
        char line[64];
        int len = snprintf(line, sizeof line, "IAMAT other%d +0+0 1621464828\n", i);
        assert_int_equal(herd_session_input(client, (struct herd_span){line, (size_t)len}, b.now, &b.out, &result),
                         0);
    }
    size_t due = 0;
    while (herd_session_want_write(b.link)) /* the fifty */
        rest_of_turn(&b, "");
    assert_int_equal(herd_session_input(b.link, herd_span_of("LIST 8 5a all\n"), b.now, &b.out, &result), 0);
    assert_non_null(b.node->peers[0]->sync.scan);
    for (int turns = 0; herd_session_want_write(b.link); turns++) {
        assert_in_range(turns, 0, 10000);
        rest_of_turn(&b, "LIST 8 5a all");
        for (size_t i = 0; i < b.out.len; i++)
            due += b.out.at[i] == '\n';
    }
    assert_null(b.node->peers[0]->sync.scan);
    assert_in_range(due, 20000, 20005 + 4096 + 16); /* those looked at before the scan may be said again */
    drop(&b);
    no_growth = false;
}

static void forget(int records, unsigned leaf)
{
    struct big b;
    make(&b, "Zora", records, leaf, 10 * SECOND);
    b.now.wall_ns += 2000 * SECOND;
    for (int turns = 0; b.node->store->count > 0; turns++) {
        assert_in_range(turns, 0, 10000);
        turn_begins(&b);
        herd_node_tick(b.node, b.now);
        turn_ends(&b, "a tick that forgets");
    }
    /* What was due and is gone costs nothing when it is looked for. */
    for (int i = 0; i < 100; i++)
        rest_of_turn(&b, "after forgetting");
    drop(&b);
}

static void test_forgetting(void **state)
{
    (void)state;
    forget(RECORDS, 256);
    no_growth = true;
    forget(ONE_LEAF, 0x5a);
    no_growth = false;
}

/* Each line of a journal is read in a few steps, also where it is the second about its client, of many in one leaf. */
static void test_replay(void **state)
{
    (void)state;
    struct big b;
    struct herd_buf text = {0};
    no_growth = true;
    make(&b, "Zora", 20000, 0x5a, 1000000 * SECOND);
    for (uint32_t slot = 0; slot < 20000; slot++) {
        struct herd_record record;
        char line[128];
        assert_true(herd_store_get_slot(b.node->store, slot, &record));
        int len = snprintf(line, sizeof line, "AT Zora +900000000 %.*s +1+1 1621400000", (int)record.id.len,
                           record.id.at);
        size_t start = text.len;
        assert_int_equal(herd_buf_add(&text, line, (size_t)len), 0);
        assert_int_equal(herd_checksum_add(&text, start), 0);
    }
    struct herd_replay replay = {0};
    size_t consumed;
    turn_begins(&b);
    assert_int_equal(herd_replay_take(b.node, &replay, (struct herd_span){text.at, text.len}, b.now, &consumed), 0);
    turn_ends(&b, "20 000 lines of a journal");
    assert_int_equal(replay.lines, 20000);
    herd_buf_fini(&text);
    drop(&b);
    no_growth = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_follower),   cmocka_unit_test(test_frames_leader),
        cmocka_unit_test(test_frames_chosen_ids), cmocka_unit_test(test_scan_finds_all),
        cmocka_unit_test(test_forgetting),        cmocka_unit_test(test_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
