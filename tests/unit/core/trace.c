/* SPDX-License-Identifier: MIT */
/* Which way the newest record of a client came: from whom first, when, how often; and for how long that is known. */
#include "peer.h"

#include "node_impl.h"

#include <string.h>

#define WALL INT64_C(1621464828000000000)

static const struct herd_node_options three = {.traces_max = 3, .tombstones_max = 8, .future_ns = -1};

/* One node, Juzang, with links to both of its neighbours. */
struct herd {
    struct one o;
    struct herd_session *jaquez, *riley, *client;
};

static void open_herd(struct herd *h, const struct herd_node_options *options)
{
    begin(&h->o, "Juzang", options);
    h->jaquez = accept_one(&h->o);
    h->riley = accept_one(&h->o);
    h->client = accept_one(&h->o);
    say(&h->o, h->jaquez, "HELLO 2 Jaquez Juzang 41 0 0 1\n");
    say(&h->o, h->riley, "HELLO 2 Riley Juzang 42 0 0 1\n");
    assert_int_equal(herd_session_peer(h->jaquez), 0);
    assert_int_equal(herd_session_peer(h->riley), 1);
    h->o.out.len = 0;
}

static void close_herd(struct herd *h)
{
    end(&h->o);
}

static struct herd_trace ask(struct herd *h, const char *id)
{
    struct herd_trace trace;
    assert_int_equal(herd_node_trace(h->o.node, herd_span_of(id), h->o.now, &trace), 0);
    assert_true(herd_span_equal(trace.record.id, herd_span_of(id)));
    return trace;
}

static void is_unheard(const struct herd_trace *trace, uint64_t copies)
{
    assert_false(trace->heard);
    assert_int_equal(trace->heard_from.len, 0);
    assert_int_equal(trace->delay_ns, 0);
    assert_int_equal(trace->copies, copies);
}

static void is_from(const struct herd_trace *trace, const char *peer, int64_t delay_ns, uint64_t copies)
{
    assert_true(trace->heard);
    assert_true(herd_span_equal(trace->heard_from, herd_span_of(peer)));
    assert_int_equal(trace->delay_ns, delay_ns);
    assert_int_equal(trace->copies, copies);
}

static void test_from_whom_and_how_often(void **state)
{
    (void)state;
    struct herd h;
    struct herd_trace trace;
    open_herd(&h, &three);
    assert_int_equal(herd_node_trace(h.o.node, herd_span_of("kiwi"), h.o.now, &trace), HERD_E_NOTFOUND);
    say(&h.o, h.jaquez, "AT Bernard +1.000000000 kiwi +1+2 1621464826\n");
    trace = ask(&h, "kiwi"); /* it came before anybody asked */
    is_unheard(&trace, 0);
    assert_true(trace.traced);
    assert_int_equal(trace.since_ns, WALL);
    assert_int_equal(trace.accepted_ns, WALL - SECOND);
    assert_true(herd_span_equal(trace.record.server, herd_span_of("Bernard")));
    say(&h.o, h.riley, "AT Bernard +1.000000000 kiwi +1+2 1621464826\n"); /* a copy that came since counts */
    trace = ask(&h, "kiwi");
    is_unheard(&trace, 1);

    h.o.now.wall_ns += 3 * MS;
    say(&h.o, h.riley, "AT Bernard +0.500000000 kiwi +3+4 1621464827.5\n");
    h.o.now.wall_ns += 2 * MS;
    say(&h.o, h.jaquez, "AT Bernard +0.500000000 kiwi +3+4 1621464827.5\n");
    trace = ask(&h, "kiwi");
    is_from(&trace, "Riley", 3 * MS, 2);
    say(&h.o, h.jaquez,
        "AT Bernard +0.500000000 kiwi +3+4 1621464827.5\n"
        "AT Bernard +1.000000000 kiwi +1+2 1621464826\n"); /* the last one is older: no copy of it */
    trace = ask(&h, "kiwi");
    is_from(&trace, "Riley", 3 * MS, 3);
    assert_int_equal(trace.since_ns, WALL);
    assert_true(herd_span_equal(trace.record.position, herd_span_of("+3+4")));

    /* A clock that is behind that of the server which accepted it. */
    say(&h.o, h.jaquez, "AT Bernard +1.000000000 kiwi +5+6 1621464828\n");
    trace = ask(&h, "kiwi");
    is_from(&trace, "Jaquez", 5 * MS - SECOND, 1);
    close_herd(&h);
}

static void test_accepted_here(void **state)
{
    (void)state;
    struct herd h;
    struct herd_trace trace;
    open_herd(&h, &three);
    say(&h.o, h.client, "IAMAT kiwi +1+2 1621464826\n");
    trace = ask(&h, "kiwi");
    is_unheard(&trace, 0);
    assert_int_equal(trace.accepted_ns, WALL);
    say(&h.o, h.jaquez, "AT Riley +1.000000000 kiwi +1+2 1621464827\n");
    trace = ask(&h, "kiwi");
    is_from(&trace, "Jaquez", 0, 1);
    say(&h.o, h.client, "IAMAT kiwi +1+2 1621464828\n"); /* what was heard was another */
    trace = ask(&h, "kiwi");
    is_unheard(&trace, 0);
    assert_true(herd_span_equal(trace.record.server, herd_span_of("Juzang")));
    /* It comes back: round a ring. */
    say(&h.o, h.riley, "AT Juzang +0.000000000 kiwi +1+2 1621464828\n");
    trace = ask(&h, "kiwi");
    is_unheard(&trace, 1);
    close_herd(&h);
}

static size_t traced(const struct herd *h)
{
    return h->o.node->traces.count;
}

static bool is_traced(const struct herd *h, const char *id)
{
    const struct herd_store *store = h->o.node->store;
    struct herd_span span = herd_span_of(id);
    return herd_traces_find(&h->o.node->traces, herd_store_hash(store, span), herd_store_id_hash(store, span));
}

static void test_least_recently_asked_gives_way(void **state)
{
    (void)state;
    struct herd h;
    open_herd(&h, &three);
    say(&h.o, h.client, "IAMAT a +1+2 5\nIAMAT b +1+2 5\nIAMAT c +1+2 5\nIAMAT d +1+2 5\n");
    h.o.out.len = 0;
    ask(&h, "a");
    ask(&h, "b");
    ask(&h, "c");
    ask(&h, "a");
    ask(&h, "d");
    assert_int_equal(traced(&h), 3);
    assert_true(is_traced(&h, "a") && !is_traced(&h, "b") && is_traced(&h, "c") && is_traced(&h, "d"));

    struct herd_node_options less = three;
    less.traces_max = 1;
    herd_node_configure(h.o.node, &less, h.o.now);
    assert_true(traced(&h) == 1 && is_traced(&h, "d"));
    less.traces_max = 0;
    herd_node_configure(h.o.node, &less, h.o.now);
    assert_int_equal(traced(&h), 0);
    assert_int_equal(h.o.node->news_mask, HERD_PROPAGATION_SAMPLE - 1);
    struct herd_trace trace = ask(&h, "a");
    assert_false(trace.traced);
    is_unheard(&trace, 0);
    assert_int_equal(trace.accepted_ns, WALL);
    close_herd(&h);
}

/* More than there are buckets at first. */
static void test_many(void **state)
{
    (void)state;
    struct herd h;
    struct herd_node_options many = three;
    char text[64];
    many.traces_max = 300;
    open_herd(&h, &many);
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "IAMAT c%d +1+2 5\n", i);
        say(&h.o, h.client, text);
        snprintf(text, sizeof text, "c%d", i);
        ask(&h, text);
        assert_int_equal(traced(&h), i < 300 ? i + 1 : 300);
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "c%d", i);
        assert_int_equal(is_traced(&h, text), i >= 700);
    }
    close_herd(&h);
}

/* A client that goes and comes back, perhaps where another was: what is known is of its id. */
static void test_slots_change_hands(void **state)
{
    (void)state;
    struct herd h;
    struct herd_record record;
    struct herd_trace trace;
    enum herd_verdict verdict;
    open_herd(&h, &three);
    say(&h.o, h.jaquez, "AT Riley +0.000000000 kiwi +1+2 1621464828\n");
    ask(&h, "kiwi");
    say(&h.o, h.jaquez, "AT Riley +0.000000000 kiwi +1+2 1621464829\n");
    assert_int_equal(herd_node_delete(h.o.node, herd_span_of("kiwi"), h.o.now, NULL, &verdict), 0);
    assert_int_equal(herd_node_trace(h.o.node, herd_span_of("kiwi"), h.o.now, &trace), HERD_E_NOTFOUND);
    say(&h.o, h.riley, "AT Riley +0.000000000 kiwi +1+2 1621464831\n");
    trace = ask(&h, "kiwi");
    is_from(&trace, "Riley", -3 * SECOND, 1);

    struct herd_store *store = herd_node_store(h.o.node);
    uint32_t slot =
        herd_store_find(store, herd_store_hash(store, herd_span_of("kiwi")), HERD_NO_SLOT, herd_span_of("kiwi"));
    herd_store_remove(store, slot); /* as a sweep does */
    herd_seen_cache_clear(&h.o.node->seen);
    say(&h.o, h.jaquez, "AT Riley +0.000000000 lime +1+2 1621464832\n");
    assert_true(herd_store_get_slot(store, slot, &record) && herd_span_equal(record.id, herd_span_of("lime")));
    assert_int_equal(herd_node_trace(h.o.node, herd_span_of("kiwi"), h.o.now, &trace), HERD_E_NOTFOUND);
    trace = ask(&h, "lime");
    is_unheard(&trace, 0);
    say(&h.o, h.jaquez, "AT Riley +0.000000000 kiwi +1+2 1621464833\n");
    trace = ask(&h, "kiwi");
    is_from(&trace, "Jaquez", -5 * SECOND, 1);
    close_herd(&h);
}

/* Its number and its name stay those of a neighbour that was removed. */
static void test_neighbour_is_removed(void **state)
{
    (void)state;
    struct herd h;
    open_herd(&h, &three);
    say(&h.o, h.jaquez, "AT Riley +0.000000000 kiwi +1+2 1621464828\n");
    ask(&h, "kiwi");
    say(&h.o, h.jaquez, "AT Riley +0.000000000 kiwi +1+2 1621464829\n");
    assert_int_equal(herd_node_peer_remove(h.o.node, 0, h.o.now), 0);
    effects(&h.o);
    struct herd_trace trace = ask(&h, "kiwi");
    is_from(&trace, "Jaquez", -SECOND, 1);
    close_herd(&h);
}

/* One of several plain neighbours: which one is not known. */
static void test_plain_neighbour(void **state)
{
    (void)state;
    struct herd h;
    open_herd(&h, &three);
    struct herd_session *plain = accept_one(&h.o);
    herd_session_allow_plain(plain, -1);
    say(&h.o, plain, "AT Old +0.000000000 kiwi +1+2 1621464828\n");
    ask(&h, "kiwi");
    say(&h.o, plain, "AT Old +0.000000000 kiwi +1+2 1621464829\nAT Old +0.000000000 kiwi +1+2 1621464829\n");
    struct herd_trace trace = ask(&h, "kiwi");
    assert_true(trace.heard);
    assert_int_equal(trace.heard_from.len, 0);
    assert_int_equal(trace.copies, 2);
    assert_int_equal(trace.delay_ns, -SECOND);
    close_herd(&h);
}

/* Lines of clients that nobody traces are recognised as copies before they are parsed, as ever; and one in so many is
 * still a sample of the propagation, whether somebody is traced or not. */
static void test_others_are_as_before(void **state)
{
    (void)state;
    for (int tracing = 0; tracing < 2; tracing++) {
        struct herd h;
        char text[64];
        open_herd(&h, &three);
        if (tracing) {
            say(&h.o, h.client, "IAMAT kiwi +1+2 5\n");
            ask(&h, "kiwi");
        }
        for (int i = 0; i < 3 * HERD_PROPAGATION_SAMPLE; i++) {
            snprintf(text, sizeof text, "AT Riley +0.000000000 c%d +1+2 1621464828\n", i);
            say(&h.o, h.jaquez, text);
            text[strlen(text) - 1] = '\0';
            uint64_t hash = herd_seen_cache_hash(&h.o.node->seen, herd_span_of(text));
            assert_int_not_equal(herd_seen_cache_slot(&h.o.node->seen, hash), HERD_NO_SLOT);
        }
        assert_int_equal(herd_node_propagation(h.o.node)->count, 3);
        say(&h.o, h.jaquez, "AT Riley +0.000000000 kiwi +1+2 1621464829\n");
        uint64_t hash =
            herd_seen_cache_hash(&h.o.node->seen, herd_span_of("AT Riley +0.000000000 kiwi +1+2 1621464829"));
        assert_int_equal(herd_seen_cache_slot(&h.o.node->seen, hash) == HERD_NO_SLOT, tracing);
        close_herd(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_whom_and_how_often),
        cmocka_unit_test(test_accepted_here),
        cmocka_unit_test(test_least_recently_asked_gives_way),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_slots_change_hands),
        cmocka_unit_test(test_neighbour_is_removed),
        cmocka_unit_test(test_plain_neighbour),
        cmocka_unit_test(test_others_are_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
