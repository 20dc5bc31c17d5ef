/* SPDX-License-Identifier: MIT */
/* How many connections each address has: against a list that is searched from end to end, without memory too. */
#include "cm.h"

#include "alloc.h"

#include "../../../lib/core/access/rate.h"
#include "listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#define MOST 400

struct model {
    uint64_t address[MOST][2];
    int64_t count[MOST];
};

/* Addresses of both families, some of which differ in one half only. */
static void make(uint64_t address[2], int i)
{
    address[0] = i % 3 ? UINT64_C(0xfe80000000000000) + (uint64_t)(i % 100) : 0;
    address[1] = (uint64_t)(i / 2) << (i % 2 ? 32 : 0) | 1;
}

static void address_from(const char *text, uint64_t ret_address[2])
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    const bool four = inet_pton(AF_INET, text, &in.sin_addr) == 1;
    uint16_t port;
    assert_true(four || inet_pton(AF_INET6, text, &in6.sin6_addr) == 1);
    herd_address_of(four ? (struct sockaddr *)&in : (struct sockaddr *)&in6, ret_address, &port);
}

/* Those of a network of IPv6 count as one. */
static bool count_together(const uint64_t a[2], const uint64_t b[2])
{
    return a[0] == b[0] && (a[0] != 0 || a[1] == b[1]);
}

static void test_counts(void **state)
{
    (void)state;
    struct herd_addresses table = {.key = {1, 2}};
    struct model *model = calloc(1, sizeof *model);
    assert_non_null(model);
    for (int i = 0; i < MOST; i++)
        make(model->address[i], i);
    srand(3);
    size_t refused = 0;
    for (int step = 0; step < 60000; step++) {
        int i = rand() % (step % 20000 < 10000 ? MOST : 40); /* many, then few: gaps are closed */
        int k = i;
        for (int j = i - 1; j >= 0; j--)
            if (count_together(model->address[j], model->address[i]))
                k = j;
        if (rand() % 100 < (step % 20000 < 8000 ? 60 : 35)) {
            int err = herd_addresses_acquire(&table, model->address[i], 5, 0);
            assert_int_equal(err, model->count[k] < 5 ? 0 : HERD_E_LIMIT);
            model->count[k] += err == 0;
            refused += err < 0;
        } else if (model->count[k] > 0) {
            herd_addresses_release(&table, model->address[i], 0);
            model->count[k]--;
        }
    }
    size_t used = 0;
    for (int i = 0; i < MOST; i++)
        used += model->count[i] > 0;
    assert_int_equal(table.used, used);
    assert_true(refused > 0 && table.size >= 2 * used);
    for (int i = 0; i < MOST; i++)
        for (; model->count[i] > 0; model->count[i]--)
            herd_addresses_release(&table, model->address[i], 0);
    assert_int_equal(table.used, 0);
    const uint64_t never[2] = {7, 7};
    herd_addresses_release(&table, never, 0); /* one that has none: nothing happens */
    assert_int_equal(table.used, 0);
    herd_addresses_fini(&table);
    free(model);
}

/* Who has one address of IPv6 has its /64; of IPv4 there are no more than one. */
static void test_networks(void **state)
{
    (void)state;
    static const struct {
        const char *one, *other;
        bool together;
    } rows[] = {
        {"2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true},
        {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
        {"2001:db8:0:1::1", "2001:db9:0:1::1", false},
        {"fe80::1", "fe80::2", true},
        {"::1", "::2", false},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"0.0.0.0", "::ffff:0.0.0.0", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_addresses table = {.key = {1, 2}};
        uint64_t one[2], other[2];
        address_from(rows[i].one, one);
        address_from(rows[i].other, other);
        assert_int_equal(herd_addresses_acquire(&table, one, 1, 0), 0);
        assert_non_null(herd_addresses_rate(&table, one, 1, 0));
        const bool refused = herd_addresses_acquire(&table, other, 1, 0) == HERD_E_LIMIT;
        assert_int_equal(refused, rows[i].together);
        if (!refused)
            assert_ptr_not_equal(herd_addresses_rate(&table, one, 1, 0), herd_addresses_rate(&table, other, 1, 0));
        herd_addresses_fini(&table);
    }
}

#define SECOND INT64_C(1000000000)

static struct herd_rate *enter(struct herd_addresses *table, uint64_t i, int64_t per_second, int64_t now_ns)
{
    const uint64_t address[2] = {0, i};
    assert_int_equal(herd_addresses_acquire(table, address, 0, now_ns), 0);
    return herd_addresses_rate(table, address, per_second, now_ns);
}

static void leave(struct herd_addresses *table, uint64_t i, int64_t now_ns)
{
    const uint64_t address[2] = {0, i};
    herd_addresses_release(table, address, now_ns);
}

/* Who connects anew goes on where it left off, until it would have been in bounds again anyway. */
static void test_rates(void **state)
{
    (void)state;
    struct herd_addresses table = {.key = {1, 2}};
    int64_t now_ns = 1000 * SECOND;
    assert_null(enter(&table, 1, 0, now_ns)); /* no limit */
    leave(&table, 1, now_ns);
    assert_int_equal(table.used, 0);
    int taken = 0;
    for (int i = 0; i < 100; i++) { /* two reports with each connection */
        struct herd_rate *rate = enter(&table, 1, 2, now_ns);
        taken += herd_rate_take(rate, now_ns);
        taken += herd_rate_take(rate, now_ns);
        leave(&table, 1, now_ns);
        now_ns += SECOND / 10;
    }
    assert_int_equal(taken, 10 + 20 - 1); /* at once, and in ten seconds; the last instant is not over */
    assert_int_equal(table.used, 1);
    /* Its connections share it, and another limit of a new configuration counts what was used under the old one. */
    struct herd_rate *rate = enter(&table, 1, 2, now_ns);
    assert_ptr_equal(enter(&table, 1, 2, now_ns), rate);
    while (herd_rate_take(rate, now_ns))
        ;
    assert_ptr_equal(enter(&table, 1, 1000, now_ns), rate);
    assert_true(rate->interval_ns == SECOND / 1000 && rate->next_ns > now_ns);
    for (int i = 0; i < 3; i++)
        leave(&table, 1, now_ns);
    assert_int_equal(table.used, 1);
    /* What has nothing to remember is forgotten while others come and go; who is there is not. */
    (void)enter(&table, 2, 2, now_ns);
    for (uint64_t i = 3; i < 1000; i++) {
        (void)herd_rate_take(enter(&table, i, 2, now_ns), now_ns);
        leave(&table, i, now_ns);
    }
    assert_int_equal(table.used, 999);
    const size_t size = table.size;
    now_ns += 10 * SECOND;
    for (uint64_t i = 0; i < 5000; i++) {
        (void)herd_rate_take(enter(&table, 1000 + i, 2, now_ns), now_ns);
        leave(&table, 1000 + i, now_ns);
        now_ns += SECOND / 100; /* fifty of them at once have half a second to wait */
    }
    assert_true(table.used < 2000 && table.size <= 4 * size);
    assert_non_null(herd_addresses_rate(&table, (const uint64_t[2]){0, 2}, 2, now_ns));
    leave(&table, 2, now_ns);
    herd_addresses_fini(&table);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct herd_addresses table = {.key = {1, 2}};
    int taken = 0;
    for (int i = 0; i < 200; i++) {
        uint64_t address[2] = {0, (uint64_t)i};
        alloc_fail_at = 1;
        int err = herd_addresses_acquire(&table, address, 0, 0);
        alloc_fail_at = 0;
        assert_true(err == 0 || err == HERD_E_NOMEM);
        if (err < 0)
            assert_int_equal(herd_addresses_acquire(&table, address, 0, 0), 0);
        taken += err == 0;
    }
    assert_int_equal(taken, 200 - 4); /* 64, 128, 256, 512 */
    assert_int_equal(table.used, 200);
    herd_addresses_fini(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_counts), cmocka_unit_test(test_networks),
                                       cmocka_unit_test(test_rates), cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
