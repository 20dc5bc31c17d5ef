/* SPDX-License-Identifier: MIT */
/* Clients of other herds: who is answered with SEE, what is not touched, and that nothing is said where nobody asked. */
#include "client.h"

#include "alloc.h"
#include "foreign.h"

#include <string.h>

/* kiwi.example is in bucket 3116, b in 732: PROTOCOL.md, 5. */
#define REPORT    "IAMAT kiwi.example +34.068930-118.445127 1621464827.959498503\n"
#define AT_REPORT "AT Riley +0.040501497 kiwi.example +34.068930-118.445127 1621464827.959498503\n"

static const struct herd_node_address south[] = {{{"south.example", 13}, 12000}, {{"2001:db8::1", 11}, 12001}};
static const struct herd_node_shard herds[] = {{NULL, 0}, {south, 2}};

/* Bucket 3116 is the other herd's. */
static struct herd_node_shards *make_shards(void)
{
    static struct herd_node_shards shards;
    shards = (struct herd_node_shards){.self = 0, .herds = herds};
    shards.herd_of_bucket[3116] = 1;
    return &shards;
}

static void test_lines(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, &(struct herd_node_options){.tombstones_max = 9, .forget_line = true});
    say(&f, REPORT);
    heard(&f, AT_REPORT);
    herd_node_set_shards(f.node, make_shards());

    say(&f, REPORT "WHATSAT kiwi.example 10 5\n  WHATSAT\tkiwi.example 0 0\r\nFORGET kiwi.example\n");
    heard(&f, "SEE 2001:db8::1 12001 3116\nSEE south.example 12000 3116\n"
              "SEE 2001:db8::1 12001 3116\nSEE south.example 12000 3116\n");
    assert_int_equal(f.ticket_count, 0);
    assert_int_equal(herd_node_stats(f.node).foreign, 4);
    assert_int_equal(herd_node_stats(f.node).invalid, 0);
    assert_int_equal(herd_node_stats(f.node).reports, 1);
    assert_int_equal(f.notices, 3); /* at 1, 2 and 4 */
    assert_string_equal(f.notice, "client_of_another_herd");
    /* what is held stays */
    assert_int_equal(herd_store_count(herd_node_store(f.node)), 1);
    assert_int_equal(herd_store_tombstones(herd_node_store(f.node)), 0);

    /* a line that is no command is none whatever its id, and our own are answered as ever */
    say(&f, "IAMAT kiwi.example +91+0 1\nWHATSAT kiwi.example 51 5\nIAMAT b +1+2 1621464828\nWHATSAT b 1 1\n");
    assert_int_equal(f.ticket_count, 1);
    heard(&f, "? IAMAT kiwi.example +91+0 1\n? WHATSAT kiwi.example 51 5\n"
              "AT Riley +0.000000000 b +1+2 1621464828\n");
    answer(&f, 0, "{}");
    heard(&f, "AT Riley +0.000000000 b +1+2 1621464828\n{}\n\n");

    /* nobody says SEE to a server */
    say(&f, "SEE south.example 12000 3116\n");
    heard(&f, "? SEE south.example 12000 3116\n");
    herd_node_set_shards(f.node, NULL);
    say(&f, REPORT "FORGET kiwi.example\n");
    assert_int_equal(herd_store_tombstones(herd_node_store(f.node)), 1);
    end(&f);
}

/* Behind a WHATSAT that waits, SEE keeps its place. */
static void test_order_of_replies(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    herd_node_set_shards(f.node, make_shards());
    say(&f, "IAMAT b +1+2 1621464828\nWHATSAT b 1 1\n" REPORT "WHATSAT kiwi.example 1 1\n? x\n");
    heard(&f, "AT Riley +0.000000000 b +1+2 1621464828\n");
    answer(&f, 0, "{}");
    heard(&f, "AT Riley +0.000000000 b +1+2 1621464828\n{}\n\nSEE 2001:db8::1 12001 3116\n"
              "SEE south.example 12000 3116\n? ? x\n");
    end(&f);
}

static void test_key(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    struct herd_node_shards *shards = make_shards();
    shards->key = UINT64_C(0x33fd8a41ac5e59a5); /* kiwi.example is in 1176, b in 4084 */
    shards->herd_of_bucket[4084] = 1;
    herd_node_set_shards(f.node, shards);
    say(&f, REPORT "IAMAT b +1+2 1621464828\n");
    heard(&f, AT_REPORT "SEE 2001:db8::1 12001 4084\n");
    unsigned bucket = 9;
    assert_true(herd_node_foreign(f.node, herd_span_of("b"), &bucket));
    assert_int_equal(bucket, 4084);
    assert_false(herd_node_foreign(f.node, herd_span_of("kiwi.example"), &bucket));
    herd_node_set_shards(f.node, NULL);
    assert_false(herd_node_foreign(f.node, herd_span_of("b"), &bucket));
    end(&f);
}

/* Who may not report or ask hears nothing of where the client is. */
static void test_rights_come_first(void **state)
{
    (void)state;
    static const char text[] = "anonymous - b,c b\n";
    struct herd_identities *identities;
    struct herd_identities_error error;
    struct fixture f;
    assert_int_equal(herd_identities_parse(&identities, herd_span_of(text), (const uint64_t[2]){1, 2}, &error), 0);
    begin(&f, &(struct herd_node_options){.access = true});
    assert_int_equal(
        herd_session_set_identity(f.session, herd_identities_find(identities, herd_span_of("anonymous"))), 0);
    struct herd_node_shards *shards = make_shards();
    for (size_t i = 0; i < HERD_BUCKETS; i++)
        shards->herd_of_bucket[i] = 1;
    herd_node_set_shards(f.node, shards);
    say(&f, REPORT "WHATSAT c 1 1\nWHATSAT b 1 1\nIAMAT c +1+2 1\n");
    heard(&f, "? " REPORT "? WHATSAT c 1 1\nSEE 2001:db8::1 12001 732\nSEE south.example 12000 1438\n");
    end(&f);
    herd_identities_free(identities);
}

static void test_calls(void **state)
{
    (void)state;
    struct fixture f;
    enum herd_verdict verdict;
    struct herd_record record;
    begin(&f, &(struct herd_node_options){.tombstones_max = 9});
    say(&f, REPORT);
    f.out.len = 0;
    herd_node_set_shards(f.node, make_shards());
    struct herd_span id = herd_span_of("kiwi.example");
    assert_int_equal(
        herd_node_report(f.node, id, herd_span_of("+1+1"), herd_span_of("1621464828"), f.now, &f.out, &verdict), 0);
    assert_int_equal(verdict, HERD_VERDICT_FOREIGN);
    assert_int_equal(herd_node_delete(f.node, id, f.now, &f.out, &verdict), 0);
    assert_int_equal(verdict, HERD_VERDICT_FOREIGN);
    assert_int_equal(f.out.len, 0);
    assert_int_equal(herd_node_stats(f.node).foreign, 2);
    /* what the program asks for is what is held, whose ever it is */
    assert_int_equal(herd_node_find(f.node, id, f.now, &record), 0);
    effects(&f);
    end(&f);
}

/* A neighbour's record of a foreign bucket is taken: a bucket may be moving. */
static void test_neighbours_carry_buckets(void **state)
{
    (void)state;
    static const struct herd_span peers[] = {{"Jaquez", 6}};
    struct fixture f;
    begin(&f, &(struct herd_node_options){.peers = peers, .peer_count = 1});
    herd_node_set_shards(f.node, make_shards());
    struct herd_effect effect;
    while (herd_node_next_effect(f.node, &effect))
        ;
    struct herd_buf in = {0};
    herd_buf_add_text(&in, "HELLO 2 Jaquez Riley 0000000000000001\nAT Jaquez +0.5 kiwi.example +1+2 1621464827\n");
    assert_int_equal(herd_session_input(f.session, span_of_buf(&in), f.now, &f.out, &f.turn), 0);
    assert_int_equal(herd_node_stats(f.node).at_new, 1);
    assert_int_equal(herd_node_stats(f.node).foreign, 0);
    herd_buf_fini(&in);
    end(&f);
}

/* No memory for a SEE ends the call, and the node is sound. */
static void test_no_memory(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    herd_node_set_shards(f.node, make_shards());
    static const char *const lines[] = {REPORT, "WHATSAT kiwi.example 1 1\n"};
    for (size_t i = 0; i < 2; i++) {
        struct herd_session *session;
        struct herd_buf out = {0};
        struct herd_input_result result;
        assert_int_equal(herd_session_open(f.node, &session, &f, f.now), 0);
        alloc_plan = (struct alloc_plan){.armed = true, .fail = 1, .all = true};
        int err = herd_session_input(session, herd_span_of(lines[i]), f.now, &out, &result);
        alloc_plan.armed = false;
        assert_int_equal(err, HERD_E_NOMEM);
        assert_int_equal(out.len, 0);
        herd_session_close(session);
        herd_buf_fini(&out);
    }
    say(&f, REPORT);
    assert_true(f.out.len > 4 && memcmp(f.out.at, "SEE ", 4) == 0);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),     cmocka_unit_test(test_order_of_replies),
        cmocka_unit_test(test_key),       cmocka_unit_test(test_rights_come_first),
        cmocka_unit_test(test_calls),     cmocka_unit_test(test_neighbours_carry_buckets),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
