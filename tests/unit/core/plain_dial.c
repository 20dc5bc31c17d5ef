/* SPDX-License-Identifier: MIT */
/* When a plain neighbour is dialled again, and what it is told then. */
#include "peer.h"

#include "alloc.h"

/* A node with a plain neighbour, Jaquez, that is due three records. */
static void begin_plain(struct one *o)
{
    static const struct herd_span peers[] = {{"Jaquez", 6}};
    static const bool plain[] = {true};
    const struct herd_node_options options = {
        .name = {"Riley", 5}, .peers = peers, .peers_plain = plain, .peer_count = 1, .seed = {7, 7}};
    *o = (struct one){.now = {INT64_C(1621464828000000000), 50 * SECOND}};
    assert_int_equal(herd_node_new(&o->node, &options), 0);
    struct herd_session *client = accept_one(o);
    say(o, client, "IAMAT a +1+1 1\nIAMAT b +1+1 1\nIAMAT c +1+1 1\n");
    herd_session_close(client);
    o->out.len = 0;
}

/* Connects as the node wishes; 1 if it said a line. */
static int dial(struct one *o)
{
    struct herd_session *session = NULL;
    size_t dials = o->dials;
    int64_t next = herd_node_next_ns(o->node);
    tick(o, next > o->now.steady_ns ? next - o->now.steady_ns : 0);
    assert_int_equal(o->dials, dials + 1);
    o->out.len = 0;
    int err = herd_session_connected(o->node, &session, NULL, 0, o->now, &o->out);
    effects(o);
    if (err < 0)
        return err;
    herd_session_close(session);
    return o->out.len > 0;
}

/* Without memory for a connection nothing is known of the neighbour: what it was told it is not told again. */
static void test_no_memory(void **state)
{
    (void)state;
    struct one o;
    for (size_t fail = 1;; fail++) {
        begin_plain(&o);
        assert_int_equal(dial(&o), 1);
        assert_int_equal(o.ups, 1);
        herd_buf_fini(&o.out);
        o.out = (struct herd_buf){0};
        alloc_plan = (struct alloc_plan){.armed = true, .fail = fail};
        int said = dial(&o);
        size_t count = alloc_plan.count;
        alloc_plan.armed = false;
        if (said < 0) {
            assert_int_equal(said, HERD_E_NOMEM);
            assert_int_equal(o.downs, 0);
            assert_true(herd_node_next_ns(o.node) >= o.now.steady_ns + 25 * MS);
            assert_int_equal(dial(&o), 1);
        }
        assert_int_equal(dial(&o), 1); /* the third line, and no more */
        assert_int_equal(herd_node_next_ns(o.node), INT64_MAX);
        assert_true(o.ups == 1 && o.downs == 0);
        end(&o);
        if (count < fail)
            break;
    }
}

/* One that takes connections and loses what they carry is dialled less and less often; one that stayed is as before. */
static void test_back_off(void **state)
{
    (void)state;
    struct one o;
    begin_plain(&o);
    int64_t start_ns = o.now.steady_ns;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(dial(&o), 1);
        herd_node_dial_failed(o.node, 0, o.now); /* it was not delivered */
        effects(&o);
        assert_int_equal(o.downs, (size_t)i + 1);
    }
    assert_true(o.now.steady_ns - start_ns > 20 * SECOND);
    for (int i = 0; i < 3; i++)
        assert_int_equal(dial(&o), 1);
    tick(&o, 3 * SECOND);
    struct herd_session *client = accept_one(&o);
    say(&o, client, "IAMAT a +1+1 2\n");
    assert_int_equal(dial(&o), 1);
    herd_node_dial_failed(o.node, 0, o.now);
    effects(&o);
    assert_true(herd_node_next_ns(o.node) <= o.now.steady_ns + 150 * MS);
    end(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_back_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
