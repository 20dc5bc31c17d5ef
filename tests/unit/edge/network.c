/* SPDX-License-Identifier: MIT */
/* Networks: what is one, and which addresses are in it. */
#include "network.h"
#include "../cm.h"

#include <arpa/inet.h>
#include <string.h>

/* As the server holds addresses. */
static void address_of(const char *text, unsigned char ret_address[16])
{
    memset(ret_address, 0, 16);
    if (inet_pton(AF_INET, text, ret_address + 12) == 1)
        ret_address[10] = ret_address[11] = 0xff;
    else
        assert_int_equal(inet_pton(AF_INET6, text, ret_address), 1);
}

static void test_has(void **state)
{
    (void)state;
    static const struct {
        const char *network, *address;
        bool has;
    } rows[] = {
        {"10.0.0.0/8", "10.255.1.2", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.6", false},
        {"192.0.2.128/25", "192.0.2.129", true},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"172.16.0.0/12", "172.31.255.255", true},
        {"172.16.0.0/12", "172.32.0.0", false},
        {"0.0.0.0/0", "192.0.2.7", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "192.0.2.7", true},
        {"2001:db8::/32", "2001:db8:ffff::1", true},
        {"2001:db8::/32", "2001:db9::1", false},
        {"::1", "::1", true},
        {"::1/128", "::2", false},
        {"::ffff:10.0.0.0/104", "10.1.2.3", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_network network;
        unsigned char address[16];
        assert_true(herd_network_parse(rows[i].network, &network));
        address_of(rows[i].address, address);
        if (herd_network_has(&network, address) != rows[i].has)
            fail_msg("%s %s", rows[i].network, rows[i].address);
    }
}

static void test_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "/",
                                        "10.0.0.0/",
                                        "10.0.0.0/33",
                                        "10.0.0.0/08",
                                        "10.0.0.0/-1",
                                        "10.0.0",
                                        "10.0.0.0/x",
                                        "::/129",
                                        "::1/1280",
                                        "a.example",
                                        "10.0.0.0/8/8",
                                        "10.0.0.1 ",
                                        "*",
                                        "fe80::1%lo",
                                        "1:2:3:4:5:6:7:8:9",
                                        "::ffff:255.255.255.255.255.255.255.255.255.255/96"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct herd_network network;
        if (herd_network_parse(texts[i], &network))
            fail_msg("%s", texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_has), cmocka_unit_test(test_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
