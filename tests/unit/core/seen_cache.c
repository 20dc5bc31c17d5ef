/* SPDX-License-Identifier: MIT */
/* Copies that come another way: what is recognised, and what must be looked at all the same. */
#include "cm.h"

#include "guard.h"
#include "seen_cache.h"

#include <herd/node.h>

#include <stdio.h>

static void test_memory(void **state)
{
    (void)state;
    struct herd_seen_cache seen;
    const uint64_t key[2] = {5, 6};
    assert_int_equal(herd_seen_cache_init(&seen, key), 0);
    assert_int_equal(herd_seen_cache_slot(&seen, 77), HERD_NO_SLOT);
    herd_seen_cache_add(&seen, 77, 3);
    assert_int_equal(herd_seen_cache_slot(&seen, 77), 3);
    assert_int_equal(herd_seen_cache_slot(&seen, 77 + HERD_SEEN_CACHE_LINES), HERD_NO_SLOT);
    herd_seen_cache_add(&seen, 77 + HERD_SEEN_CACHE_LINES, 4);
    assert_int_equal(herd_seen_cache_slot(&seen, 77), HERD_NO_SLOT);
    herd_seen_cache_add(&seen, 0, 5); /* what has no hash is never found */
    assert_int_equal(herd_seen_cache_slot(&seen, 0), HERD_NO_SLOT);
    herd_seen_cache_clear(&seen);
    assert_int_equal(herd_seen_cache_slot(&seen, 77 + HERD_SEEN_CACHE_LINES), HERD_NO_SLOT);
    herd_seen_cache_fini(&seen);
}

/* Every byte and the length count, another key gives another hash, and nothing is read outside the line. */
static void test_hash(void **state)
{
    (void)state;
    struct herd_seen_cache seen, other;
    const uint64_t key[2] = {5, 6}, other_key[2] = {5, 7};
    assert_int_equal(herd_seen_cache_init(&seen, key), 0);
    assert_int_equal(herd_seen_cache_init(&other, other_key), 0);
    char text[71];
    memset(text, 'a', sizeof text);
    for (size_t len = 0; len < sizeof text; len++) {
        struct herd_span line = guarded((struct herd_span){text, len});
        uint64_t hash = herd_seen_cache_hash(&seen, line);
        assert_true((hash == 0) == (len < 16));
        if (len < 16)
            continue;
        assert_int_not_equal(herd_seen_cache_hash(&other, line), hash);
        assert_int_not_equal(herd_seen_cache_hash(&seen, guarded((struct herd_span){text, len + 1})), hash);
        for (size_t i = 0; i < len; i++) {
            text[i] ^= 1;
            assert_int_not_equal(herd_seen_cache_hash(&seen, guarded((struct herd_span){text, len})), hash);
            text[i] ^= 1;
        }
    }
    herd_seen_cache_fini(&seen);
    herd_seen_cache_fini(&other);
}

static struct herd_now now = {INT64_C(1621464828000000000), INT64_C(1000000000)};
static struct herd_buf out;

static void say(struct herd_session *session, const char *text)
{
    struct herd_input_result result;
    struct herd_effect effect;
    struct herd_node *const node = herd_session_user(session);
    out.len = 0;
    assert_int_equal(herd_session_input(session, guarded(herd_span_of(text)), now, &out, &result), 0);
    assert_int_equal(result.consumed, strlen(text));
    while (herd_node_next_effect(node, &effect))
        assert_int_not_equal(effect.kind, HERD_EFFECT_CLOSE);
}

static struct herd_session *link_of(struct herd_node *node, const char *hello)
{
    struct herd_session *session;
    assert_int_equal(herd_session_open(node, &session, node, now), 0);
    say(session, hello);
    assert_true(herd_session_peer(session) >= 0);
    return session;
}

/* What a link has to say of the client. */
static size_t due(struct herd_session *session)
{
    size_t lines = 0;
    out.len = 0;
    assert_int_equal(herd_session_write(session, 65536, now, &out), 0);
    for (size_t i = 0; i + 3 < out.len; i++)
        lines += memcmp(out.at + i, "AT ", 3) == 0 && (i == 0 || out.at[i - 1] == '\n');
    return lines;
}

static void test_copies(void **state)
{
    (void)state;
    static const char old[] = "AT Bernard +0.1 kiwi.cs.ucla.edu +34.0-118.0 1621464827.1\n";
    static const char new[] = "AT Bernard +0.1 kiwi.cs.ucla.edu +34.0-118.0 1621464827.2\n";
    const struct herd_span names[] = {herd_span_of("Aaa"), herd_span_of("Bbb")};
    const struct herd_node_options options = {
        .name = herd_span_of("Riley"), .peers = names, .peer_count = 2, .seed = {1, 2}};
    struct herd_node *node;
    assert_int_equal(herd_node_new(&node, &options), 0);
    struct herd_session *a = link_of(node, "HELLO 2 Aaa Riley 1\n"), *b = link_of(node, "HELLO 2 Bbb Riley 1\n");
    due(a);
    due(b);

    say(a, old);
    assert_int_equal(due(b), 1);
    say(b, old); /* the other way round the cycle */
    say(a, old);
    assert_int_equal(due(a) + due(b), 0);

    /* A copy of what this neighbour is due settles the debt; one of something older does not. */
    say(a, new);
    say(b, old);
    assert_int_equal(due(b), 1);
    say(a, "AT Bernard +0.1 kiwi.cs.ucla.edu +34.0-118.0 1621464827.3\n");
    say(b, "AT Bernard +0.1 kiwi.cs.ucla.edu +34.0-118.0 1621464827.3\n");
    assert_int_equal(due(b), 0);

    /* Copies count as received, only news as new; in one read as in several. */
    struct herd_node_stats before = herd_node_stats(node);
    say(a, "AT Bernard +0.1 kiwi.cs.ucla.edu +34.0-118.0 1621464827.3\n"
           "AT Bernard +0.1 kiwi.cs.ucla.edu +34.0-118.0 1621464827.4\n"
           "AT Bernard +0.1 kiwi.cs.ucla.edu +34.0-118.0 1621464827.4\n"
           "AT Bernard +0.1 kiwi.cs.ucla.edu +34.0-118.0 1621464827.3\n");
    struct herd_node_stats after = herd_node_stats(node);
    assert_int_equal(after.at_received - before.at_received, 4);
    assert_int_equal(after.at_new - before.at_new, 1);

    /* Another text of the same time is another record. */
    say(b, "AT Bernard +0.1 kiwi.cs.ucla.edu +34.00-118.0 1621464827.4\n");
    assert_int_equal(herd_node_stats(node).at_new - after.at_new, 1);
    herd_node_free(node);
    herd_buf_fini(&out);
}

/* A clock that is ahead makes the node remove a record; when it is right again, the same line is news once more. */
static void test_forgotten(void **state)
{
    (void)state;
    static const char line[] = "AT Bernard +400.0 kiwi.cs.ucla.edu +34.0-118.0 1621463500\n";
    const struct herd_span names[] = {herd_span_of("Aaa")};
    const struct herd_node_options options = {.name = herd_span_of("Riley"),
                                              .peers = names,
                                              .peer_count = 1,
                                              .seed = {1, 2},
                                              .expire_ns = INT64_C(1000000000000),
                                              .ping_ns = INT64_C(1000000000000)};
    const struct herd_now start = now = (struct herd_now){INT64_C(1621464000000000000), INT64_C(1000000000)};
    struct herd_node *node;
    assert_int_equal(herd_node_new(&node, &options), 0);
    struct herd_session *a = link_of(node, "HELLO 2 Aaa Riley 1\n");
    say(a, line);
    say(a, line);
    assert_int_equal(herd_node_stats(node).at_new, 1);
    assert_int_equal(herd_store_count(herd_node_store(node)), 1);

    now.wall_ns = start.wall_ns + INT64_C(86400000000000);
    for (int i = 0; i < 10; i++) {
        now.steady_ns += 1000000;
        herd_node_tick(node, now);
    }
    assert_int_equal(herd_store_count(herd_node_store(node)), 0);
    say(a, line); /* for good, by this clock */
    assert_int_equal(herd_store_count(herd_node_store(node)), 0);
    assert_int_equal(herd_node_stats(node).at_expired, 1);
    now.wall_ns = start.wall_ns;
    say(a, line);
    assert_int_equal(herd_store_count(herd_node_store(node)), 1);
    assert_int_equal(herd_node_stats(node).at_new, 2);
    herd_node_free(node);
    herd_buf_fini(&out);
    now = start;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
