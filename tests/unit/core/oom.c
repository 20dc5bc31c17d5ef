/* SPDX-License-Identifier: MIT */
/*
 * Every allocation of a whole story, failed once, and failed from then on. The story: three servers link up,
 * clients report (more records than first fit in any table), ask, are answered late, leave; links break, a
 * server crashes and returns. Whatever failed, nothing leaks or breaks, and when memory is back all agree.
 */
#include "cm.h"

#include "wire.h"

#define ALLOC_HERE (wire_inside > 0)
#include "alloc.h"

#include "guard.h"

#include <herd/protocol.h>

#include <stdio.h>

#define REPORTS 1100 /* more than the first bits of a reader, the first chunk of a store */

/* ---- identities: the same story with rights, and clients that send tokens ---- */

static size_t before_tokens;              /* allocations of the story until then */
static const struct herd_identities *set; /* NULL: everybody may everything */

/* Who it is by a certificate, as a transport says; or nobody, if that is refused. */
static struct wire_end *client_as(struct wire *w, int node, const char *identity)
{
    struct wire_end *client = wire_client(w, node);
    struct herd_session *session = client->other->session;
    if (session && set) {
        herd_session_set_proof(session, (struct herd_span){"", 0}, true);
        if (identity)
            (void)!herd_session_set_identity(session, herd_identities_find(set, herd_span_of(identity)));
    }
    return client;
}

/* A token, then a report. A session whose answer could not be made is to be closed, and it is known which. */
static void authenticate(struct wire *w, int node, const char *token, bool stay)
{
    if (!w->nodes[node].node || !set)
        return;
    struct wire_end *client = client_as(w, node, NULL);
    char line[64];
    snprintf(line, sizeof line, "AUTH %s\nIAMAT 00000002 +1-1 3.25\n", token);
    w->lookup_count = 0;
    wire_say(w, client, line);
    if (!stay)
        wire_close(client);
    wire_run(w);
    for (size_t i = w->lookup_count; i-- > 0;) {
        struct herd_session *session = NULL;
        struct herd_identity *identity =
            strcmp(token, "right") == 0 ? herd_identities_find(set, herd_span_of("fleet")) : NULL;
        bool there = client->other->session != NULL;
        wire_inside++;
        int err = herd_node_auth(w->nodes[node].node, w->lookups[i].ticket, identity, w->now, &w->out, &session);
        wire_inside--;
        assert_true((session != NULL) == there);
        if (session && err == 0) {
            herd_buf_add(&client->in, w->out.at, w->out.len);
            client->other->paused = false;
        } else if (session) {
            w->failures++;
            wire_close(client->other);
        }
        w->out.len = 0;
    }
    w->lookup_count = 0;
    wire_run(w);
    wire_close(client);
    wire_run(w);
}

/* ---- the story ---- */

static void report(struct wire *w, int node, int id, int second, size_t id_len)
{
    if (!w->nodes[node].node)
        return;
    char line[512];
    struct wire_end *client = client_as(w, node, "desk");
    snprintf(line, sizeof line, "IAMAT %0*d +1.5-2.5 %d.5\n", (int)id_len, id, second);
    wire_say(w, client, line);
    wire_close(client);
    wire_run(w);
}

/* One read of many reports, so that a story is quick. */
static void report_many(struct wire *w, int node)
{
    static char text[REPORTS * 40];
    if (!w->nodes[node].node)
        return;
    size_t len = 0;
    for (int i = 0; i < REPORTS; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "IAMAT many%d +1-1 5\n", i);
    struct wire_end *client = client_as(w, node, "desk");
    wire_say(w, client, text);
    wire_close(client);
    wire_run(w);
}

static void ask(struct wire *w, int node, bool stay)
{
    if (!w->nodes[node].node)
        return;
    struct wire_end *client = client_as(w, node, "desk");
    w->answer = NULL;
    w->lookup_count = 0;
    wire_say(w, client, "WHATSAT 00000007 10 5\nwhat\nWHATSAT 00000007 1 1\nIAMAT 00000007 +1.5-2.5 3.5\n");
    if (!stay)
        wire_close(client);
    w->answer = "{\"results\":[]}";
    for (size_t i = w->lookup_count; i-- > 0;) {
        struct herd_session *session;
        wire_inside++;
        int err = herd_node_answer(w->nodes[node].node, w->lookups[i].ticket, herd_span_of(w->answer), w->now,
                                   &w->out, &session);
        wire_inside--;
        if (session) {
            struct wire_end *end = herd_session_user(session);
            if (err == 0)
                herd_buf_add(&end->other->in, w->out.at, w->out.len);
            else
                wire_close(end);
        }
        w->out.len = 0;
    }
    wire_run(w);
    wire_close(client);
    wire_run(w);
}

/* From here on more is known of these clients' records, if memory allows. */
static void trace(struct wire *w, int node)
{
    struct herd_trace found;
    if (!w->nodes[node].node)
        return;
    wire_inside++;
    for (int i = 0; i < 12; i++) {
        char id[16];
        snprintf(id, sizeof id, "%08d", i);
        (void)!herd_node_trace(w->nodes[node].node, herd_span_of(id), w->now, &found);
    }
    wire_inside--;
}

static void try_start(struct wire *w, int node)
{
    if (!w->nodes[node].node && wire_start(w, node) < 0)
        w->failures++;
}

/* Without asserts: each step must bear that an earlier one failed. */
static void story(struct wire *w)
{
    for (int i = 0; i < 3; i++)
        try_start(w, i);
    for (int i = 0; i < 20; i++)
        wire_advance(w, INT64_C(20000000));
    for (int i = 0; i < 12; i++)
        report(w, i % 3, i, 3, 8);
    report(w, 0, 1, 4, 300); /* a record apart from its cell */
    report(w, 1, 1, 5, 300);
    trace(w, 0);
    report(w, 1, 5, 4, 8);
    ask(w, 0, true);
    ask(w, 1, false);
    wire_cut(w, 0, 1);
    report_many(w, 0);
    wire_mend(w, 0, 1);
    for (int i = 0; i < 20; i++)
        wire_advance(w, INT64_C(20000000));
    wire_crash(w, 2);
    report(w, 1, 20, 6, 8);
    try_start(w, 2);
    for (int i = 0; i < 20; i++)
        wire_advance(w, INT64_C(20000000));
    ask(w, 2, true);
    before_tokens = alloc_plan.count;
    authenticate(w, 0, "right", true);
    authenticate(w, 1, "wrong", true);
    authenticate(w, 2, "right", false);
}

/* Memory is back: all servers run, link up, agree, and serve. */
static void check_sound(struct wire *w)
{
    for (int i = 0; i < 3; i++)
        if (!w->nodes[i].node)
            assert_int_equal(wire_start(w, i), 0);
    wire_settle(w);
    assert_true(wire_agree(w));
    for (int i = 0; i < 3; i++) {
        struct wire_end *client = client_as(w, i, "desk");
        wire_say(w, client, "IAMAT after +0-0 1621464829\nWHATSAT after 1 1\nbad\n");
        assert_true(client->in.len > 40);
        assert_memory_equal(client->in.at + client->in.len - 6, "? bad\n", 6);
        assert_false(client->eof);
        wire_close(client);
        wire_run(w);
    }
    assert_true(wire_agree(w));
    struct herd_record record;
    for (int i = 0; i < 3; i++)
        assert_true(herd_store_get(herd_node_store(w->nodes[i].node), herd_span_of("after"), &record));
}

static struct wire *new_world(void)
{
    struct wire *w = wire_new("a b c", "a-b b-c a-c");
    for (int i = 0; i < 3; i++)
        w->nodes[i].options = (struct herd_node_options){.access = set != NULL, .traces_max = 5};
    return w;
}

static size_t run(size_t fail, bool all)
{
    struct wire *w = new_world();
    alloc_plan = (struct alloc_plan){.armed = true, .fail = fail, .all = all};
    story(w);
    alloc_plan.armed = false;
    size_t count = alloc_plan.count;
    check_sound(w);
    wire_free(w);
    return count;
}

static void test_the_story_itself(void **state)
{
    (void)state;
    struct wire *w = new_world();
    story(w);
    assert_int_equal(w->failures, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(herd_store_count(herd_node_store(w->nodes[i].node)), 12 + 1 + REPORTS + 1);
    assert_true(wire_agree(w));
    wire_free(w);
}

static void test_each_fails_once(void **state)
{
    (void)state;
    size_t total = run(0, false);
    assert_true(total > 300);
    for (size_t fail = 1; fail <= total; fail++)
        run(fail, false);
    print_message("%zu allocations, each failed once\n", total);
}

static void test_each_fails_with_identities(void **state)
{
    static const char text[] = "desk cert * *\nfleet cert 0000000* 0000000* reports=900 connections=1\n";
    struct herd_identities *made;
    struct herd_identities_error error;
    assert_int_equal(herd_identities_parse(&made, herd_span_of(text), (const uint64_t[2]){1, 2}, &error), 0);
    set = made;
    test_the_story_itself(state);
    size_t total = run(0, false), first = before_tokens;
    assert_true(total > first + 10);
    for (size_t fail = 1; fail <= total; fail += fail < first ? 7 : 1) { /* the rest is as without them */
        run(fail, false);
        /* nobody is left in its count: its one connection is free */
        struct wire *w = new_world();
        assert_int_equal(wire_start(w, 0), 0);
        struct wire_end *client = wire_client(w, 0);
        assert_int_equal(
            herd_session_set_identity(client->other->session, herd_identities_find(set, herd_span_of("fleet"))), 0);
        wire_free(w);
    }
    set = NULL;
    herd_identities_free(made);
}

static void test_all_fail_from_one_on(void **state)
{
    (void)state;
    size_t total = run(0, false);
    for (size_t fail = 1; fail <= total; fail += fail < 400 ? 1 : 7)
        run(fail, true);
}

/* Who could not be traced for want of memory is not, and those that were still are. */
static void test_a_refused_trace_changes_nothing(void **state)
{
    (void)state;
    for (size_t fail = 1;; fail++) {
        struct herd_node_options options = {.name = {"a", 1}, .traces_max = 2};
        struct herd_node *node;
        struct herd_now now = {INT64_C(1621464828000000000), 0};
        struct herd_trace found;
        enum herd_verdict verdict;
        int err = 0;
        static const char *const ids[] = {"lime", "kiwi", "plum"};
        assert_int_equal(herd_node_new(&node, &options), 0);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(herd_node_report(node, herd_span_of(ids[i]), herd_span_of("+1+2"), herd_span_of("5"),
                                              now, NULL, &verdict),
                             0);
        wire_inside++;
        alloc_plan = (struct alloc_plan){.armed = true, .fail = fail};
        for (size_t i = 0; i < 3 && err >= 0; i++)
            err = herd_node_trace(node, herd_span_of(ids[i]), now, &found);
        alloc_plan.armed = false;
        wire_inside--;
        bool failed = alloc_plan.count >= fail;
        assert_int_equal(err, failed ? HERD_E_NOMEM : 0);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(herd_node_trace(node, herd_span_of(ids[i]), now, &found), 0);
        herd_node_free(node);
        if (!failed)
            break;
    }
}

/* So is a deletion; the record is of a time to come and apart from its cell, so that all that memory is taken for is. */
static void test_a_refused_deletion_changes_nothing(void **state)
{
    (void)state;
    static const char id[] = "a-client-whose-id-is-so-long-that-its-record-does-not-fit-into-a-cell";
    for (size_t fail = 1;; fail++) {
        struct herd_node_options options = {
            .name = {"a", 1}, .tombstones_max = 9, .forget_line = true, .expire_ns = INT64_C(60000000000)};
        struct herd_node *node;
        struct herd_session *session;
        struct herd_input_result result;
        struct herd_buf out = {0};
        struct herd_now now = {INT64_C(1621464828000000000), 0};
        char line[128];
        assert_int_equal(herd_node_new(&node, &options), 0);
        assert_int_equal(herd_session_open(node, &session, NULL, now), 0);
        snprintf(line, sizeof line, "IAMAT %s +0-0 1621464830\n", id);
        assert_int_equal(herd_session_input(session, herd_span_of(line), now, &out, &result), 0);
        uint64_t digest = herd_store_digest(herd_node_store(node));
        herd_buf_reserve(&out, 4096);
        out.len = 0;
        snprintf(line, sizeof line, "FORGET %s\n", id);
        wire_inside++;
        alloc_plan = (struct alloc_plan){.armed = true, .fail = fail};
        int err = herd_session_input(session, herd_span_of(line), now, &out, &result);
        alloc_plan.armed = false;
        wire_inside--;
        assert_int_equal(err, 0);
        bool failed = alloc_plan.count >= fail, refused = out.at[0] == '?';
        assert_int_equal(refused, failed);
        assert_int_equal(herd_store_tombstones(herd_node_store(node)), !refused);
        assert_true((herd_store_digest(herd_node_store(node)) == digest) == refused);
        herd_node_free(node);
        herd_buf_fini(&out);
        if (!failed)
            break;
    }
}

/* A report that could not be kept is answered with "? ", and is not half there. */
static void test_a_refused_report_changes_nothing(void **state)
{
    (void)state;
    for (size_t fail = 1;; fail++) {
        struct herd_node_options options = {.name = {"a", 1}};
        struct herd_node *node;
        struct herd_session *session;
        struct herd_input_result result;
        struct herd_buf out = {0};
        struct herd_now now = {INT64_C(1621464828000000000), 0};
        assert_int_equal(herd_node_new(&node, &options), 0);
        assert_int_equal(herd_session_open(node, &session, NULL, now), 0);
        herd_buf_reserve(&out, 4096);
        wire_inside++;
        alloc_plan = (struct alloc_plan){.armed = true, .fail = fail};
        int err = herd_session_input(session, herd_span_of("IAMAT kiwi +0-0 1\n"), now, &out, &result);
        alloc_plan.armed = false;
        wire_inside--;
        assert_int_equal(err, 0);
        bool failed = alloc_plan.count >= fail;
        bool refused = out.at[0] == '?';
        assert_int_equal(refused, failed);
        assert_int_equal(herd_store_count(herd_node_store(node)), refused ? 0 : 1);
        assert_true((herd_store_digest(herd_node_store(node)) == 0) == refused);
        herd_node_free(node);
        herd_buf_fini(&out);
        if (!failed)
            break;
    }
}

static size_t lines_of(const struct herd_buf *out)
{
    size_t lines = 0;
    for (size_t i = 0; i + 3 <= out->len; i++)
        lines += memcmp(out->at + i, "AT ", 3) == 0;
    return lines;
}

/* A link that could not be filled is owed what it was not told: nothing is told twice, nothing is lost. */
static void test_fill(void **state)
{
    (void)state;
    bool failed = true;
    for (size_t fail = 1; failed; fail++) {
        struct herd_span peer = {"b", 1};
        struct herd_node_options options = {.name = {"a", 1}, .peers = &peer, .peer_count = 1};
        struct herd_node *node;
        struct herd_session *client, *link;
        struct herd_input_result result;
        struct herd_buf out = {0}, said = {0};
        struct herd_now now = {INT64_C(1621464828000000000), 0};
        assert_int_equal(herd_node_new(&node, &options), 0);
        assert_int_equal(herd_session_open(node, &client, NULL, now), 0);
        assert_int_equal(herd_session_open(node, &link, NULL, now), 0);
        assert_int_equal(herd_session_input(link, herd_span_of("HELLO 2 b a 1\n"), now, &out, &result), 0);
        for (int i = 0; i < 40; i++) {
            char line[64];
            snprintf(line, sizeof line, "IAMAT client%d +1.5-2.5 3.5\n", i);
            assert_int_equal(herd_session_input(client, herd_span_of(line), now, &out, &result), 0);
        }
        wire_inside++;
        alloc_plan = (struct alloc_plan){.armed = true, .fail = fail};
        int err = herd_session_write(link, 65536, now, &said);
        alloc_plan.armed = false;
        wire_inside--;
        failed = err < 0;
        assert_int_equal(herd_session_want_write(link), failed);
        assert_int_equal(herd_session_write(link, 65536, now, &said), 0);
        assert_int_equal(lines_of(&said), 40);
        herd_buf_fini(&out);
        herd_buf_fini(&said);
        herd_node_free(node);
    }
}

/* A neighbour that could not be added is none, and can be added the next time. */
static void test_a_neighbour_more(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        bool failed = true;
        for (size_t fail = 1; failed; fail++) {
            struct herd_node_options options = {.name = {"a", 1}};
            struct herd_node *node;
            struct herd_now now = {INT64_C(1621464828000000000), 0};
            size_t peer = SIZE_MAX;
            assert_int_equal(herd_node_new(&node, &options), 0);
            wire_inside++;
            alloc_plan = (struct alloc_plan){.armed = true, .fail = fail};
            int err = herd_node_peer_add(node, herd_span_of("b"), plain, now, &peer);
            alloc_plan.armed = false;
            wire_inside--;
            failed = err < 0;
            if (failed) {
                assert_int_equal(err, HERD_E_NOMEM);
                assert_int_equal(peer, SIZE_MAX);
                assert_int_equal(herd_node_next_ns(node), INT64_MAX);
                assert_int_equal(herd_node_peer_add(node, herd_span_of("b"), plain, now, &peer), 0);
            }
            assert_int_equal(peer, 0);
            assert_int_equal(herd_node_peer_count(node), 1);
            herd_node_free(node);
        }
    }
}

/* The store by itself: what failed changed nothing, digest included, and works the next time. */
static void test_store(void **state)
{
    (void)state;
    for (size_t fail = 1; fail < 40; fail++) {
        struct herd_store *store;
        assert_int_equal(herd_store_new(&store, NULL), 0);
        wire_inside++;
        alloc_plan = (struct alloc_plan){.fail = fail};
        for (int i = 0; i < 60; i++) {
            char id[300];
            int len = snprintf(id, sizeof id, "%0*d", i % 3 ? 8 : 299, i % 20);
            char time[16];
            snprintf(time, sizeof time, "%d", i);
            struct herd_record record = {herd_span_of(i % 2 ? "a" : "b"),
                                         herd_span_of("+1"),
                                         {id, (size_t)len},
                                         herd_span_of("+1+1"),
                                         herd_span_of(time),
                                         i * INT64_C(1000000000)};
            enum herd_put verdict;
            uint32_t slot;
            size_t count = herd_store_count(store);
            uint64_t digest = herd_store_digest(store);
            alloc_plan.armed = true;
            int err = herd_store_put(store, &record, &verdict, &slot);
            alloc_plan.armed = false;
            if (err < 0) {
                assert_int_equal(err, HERD_E_NOMEM);
                assert_int_equal(herd_store_count(store), count);
                assert_true(herd_store_digest(store) == digest);
                assert_int_equal(herd_store_put(store, &record, &verdict, &slot), 0);
            }
            struct herd_record back;
            assert_true(herd_store_get(store, record.id, &back));
            assert_true(herd_span_equal(back.time, record.time));
        }
        wire_inside--;
        herd_store_free(store);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_story_itself),
        cmocka_unit_test(test_each_fails_once),
        cmocka_unit_test(test_each_fails_with_identities),
        cmocka_unit_test(test_all_fail_from_one_on),
        cmocka_unit_test(test_a_refused_report_changes_nothing),
        cmocka_unit_test(test_a_refused_trace_changes_nothing),
        cmocka_unit_test(test_a_refused_deletion_changes_nothing),
        cmocka_unit_test(test_fill),
        cmocka_unit_test(test_a_neighbour_more),
        cmocka_unit_test(test_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
