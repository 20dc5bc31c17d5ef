/* SPDX-License-Identifier: MIT */
/* Networks: an address and how many of its bits count. */
#ifndef HERD_EDGE_NET_NETWORK_H
#define HERD_EDGE_NET_NETWORK_H

#include <stdbool.h>

/* IPv4 is held as IPv6 does, ::ffff:a.b.c.d. */
struct herd_network {
    unsigned char address[16];
    unsigned bits; /* 0..128 */
};

/* Reads "10.0.0.0/8", "192.0.2.7", "2001:db8::/32". False: it is none. */
bool herd_network_parse(const char *text, struct herd_network *ret_network);
/* Whether an address is in it. */
bool herd_network_has(const struct herd_network *network, const unsigned char address[16]);

#endif
