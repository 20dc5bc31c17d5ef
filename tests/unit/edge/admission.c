/* SPDX-License-Identifier: MIT */
/* Which handshakes hold a place: in the order in which they came, a share for each address, and nobody is forgotten. */
#include "cm.h"

#include "alloc.h"

#include "listen.h"

#include <stdlib.h>
#include <string.h>

#define MOST   2000
#define PLACES 256
#define SHARE  8

static struct herd_server server;
static struct herd_conn conns[MOST];

static int begin(void **state)
{
    (void)state;
    memset(&server, 0, sizeof server);
    memset(conns, 0, sizeof conns);
    server.addresses.key[0] = 1;
    server.addresses.key[1] = 2;
    herd_admission_init(&server.admission);
    for (size_t i = 0; i < MOST; i++)
        conns[i].server = &server;
    return 0;
}

static int end(void **state)
{
    (void)state;
    herd_admission_fini(&server.admission);
    return 0;
}

static void set_address(struct herd_conn *conn, unsigned number)
{
    unsigned char bytes[16] = {
        [10] = 0xff, 0xff, 10, (unsigned char)(number >> 16), (unsigned char)(number >> 8), (unsigned char)number};
    memcpy(conn->address, bytes, sizeof bytes);
}

static bool holds(const struct herd_conn *conn)
{
    return conn->admission == HERD_ADMITTED_HOLDS;
}

static size_t holding(void)
{
    size_t count = 0;
    for (size_t i = 0; i < MOST; i++)
        count += holds(&conns[i]);
    return count;
}

/* A crowd of as many addresses: the first ones have the places, the others come in their order. */
static void test_a_crowd(void **state)
{
    (void)state;
    for (size_t i = 0; i < MOST; i++)
        assert_true(herd_admission_enter(&conns[i], false) == (i < PLACES));
    assert_null(herd_admission_next(&server));
    assert_true(herd_admission_is_short(&server));
    for (size_t i = 0; i < MOST; i++) {
        assert_true(holds(&conns[i]));
        herd_admission_leave(&conns[i]);
        herd_admission_leave(&conns[i]); /* fine for who has none */
        struct herd_conn *next = herd_admission_next(&server);
        assert_ptr_equal(next, i + PLACES < MOST ? &conns[i + PLACES] : NULL);
        assert_null(herd_admission_next(&server));
    }
    assert_false(herd_admission_is_short(&server));
    assert_int_equal(server.admission.held, 0);
    assert_int_equal(server.admission.waiting, 0);
}

/* One address holds its share, another is let in at once; IPv6 counts by the first half of the address. */
static void test_one_address(void **state)
{
    (void)state;
    for (size_t i = 0; i < 100; i++) {
        set_address(&conns[i], 1);
        assert_true(herd_admission_enter(&conns[i], true) == (i < SHARE));
    }
    assert_false(herd_admission_is_short(&server)); /* they wait for themselves */
    set_address(&conns[100], 2);
    assert_true(herd_admission_enter(&conns[100], true));
    for (size_t i = 101; i < 120; i++) {
        conns[i].address[0] = 7;
        conns[i].address[1] = i;
        assert_true(herd_admission_enter(&conns[i], true) == (i < 101 + SHARE));
    }
    herd_admission_leave(&conns[50]); /* closed while it waits */
    herd_admission_leave(&conns[0]);
    assert_ptr_equal(herd_admission_next(&server), &conns[SHARE]);
    for (size_t i = 1; i < 100; i++)
        if (i != 50) {
            assert_true(holds(&conns[i]));
            herd_admission_leave(&conns[i]);
            (void)herd_admission_next(&server);
        }
    assert_int_equal(holding(), 1 + SHARE);
}

/* With all places taken by others, one address stands in the queue with its share and no more. */
static void test_who_waits_for_a_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < PLACES; i++)
        assert_true(herd_admission_enter(&conns[i], false));
    for (size_t i = 300; i < 400; i++) {
        set_address(&conns[i], 1);
        assert_false(herd_admission_enter(&conns[i], true));
    }
    assert_int_equal(server.admission.waiting, SHARE);
    set_address(&conns[400], 2);
    assert_false(herd_admission_enter(&conns[400], true));
    herd_admission_leave(&conns[300]); /* another one of that address is next, behind the one of the other */
    for (size_t i = 0; i < SHARE; i++) {
        herd_admission_leave(&conns[i]);
        assert_non_null(herd_admission_next(&server));
    }
    assert_true(holds(&conns[400]));
    assert_false(holds(&conns[300 + SHARE]));
}

/* Neighbours that we dial take no place. */
static void test_dialled(void **state)
{
    (void)state;
    for (size_t i = 0; i < MOST; i++)
        herd_admission_add(&conns[i]);
    assert_int_equal(server.admission.held, 0);
    for (size_t i = 0; i < MOST; i++) {
        assert_true(herd_list_linked(&conns[i].handshake_link));
        herd_admission_leave(&conns[i]);
    }
    assert_true(herd_list_empty(&server.admission.holding));
}

static void test_without_memory(void **state)
{
    (void)state;
    alloc_fail_at = 1;
    assert_true(herd_admission_enter(&conns[0], true));
    herd_admission_leave(&conns[0]);
    assert_int_equal(server.admission.held, 0);
}

/* Whatever comes and goes: the counts are those of the lists, and nobody waits while there is a place. */
static void test_any_order(void **state)
{
    (void)state;
    srand(5);
    for (int step = 0; step < 200000; step++) {
        struct herd_conn *conn = &conns[rand() % MOST];
        if (herd_list_linked(&conn->handshake_link)) {
            herd_admission_leave(conn);
        } else {
            unsigned source = (unsigned)rand() % 60;
            set_address(conn, source);
            (void)herd_admission_enter(conn, source >= 20);
        }
        if (step % 3 == 0)
            while (herd_admission_next(&server))
                continue;
        if (step % 1000 != 0)
            continue;
        assert_int_equal(holding(), server.admission.held);
        assert_true(server.admission.held <= PLACES);
        size_t linked = 0, waiting = 0;
        for (size_t i = 0; i < MOST; i++) {
            linked += herd_list_linked(&conns[i].handshake_link);
            waiting += conns[i].admission == HERD_ADMITTED_NEXT;
        }
        assert_int_equal(waiting, server.admission.waiting);
        for (struct herd_list *at = server.admission.holding.next; at != &server.admission.holding; at = at->next)
            linked--;
        for (struct herd_list *at = server.admission.next.next; at != &server.admission.next; at = at->next)
            linked--;
        for (size_t i = 0; i < 1025; i++) {
            const struct herd_admission_source *source = &server.admission.sources[i];
            const struct herd_list *behind = &source->behind;
            assert_true(herd_list_empty(behind) || source->holding + source->next == SHARE);
            for (const struct herd_list *at = behind->next; at != behind; at = at->next)
                linked--;
        }
        assert_int_equal(linked, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_crowd, begin, end),
        cmocka_unit_test_setup_teardown(test_one_address, begin, end),
        cmocka_unit_test_setup_teardown(test_who_waits_for_a_place, begin, end),
        cmocka_unit_test_setup_teardown(test_dialled, begin, end),
        cmocka_unit_test_setup_teardown(test_without_memory, begin, end),
        cmocka_unit_test_setup_teardown(test_any_order, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
