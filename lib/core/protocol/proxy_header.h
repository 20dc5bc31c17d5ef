/* SPDX-License-Identifier: MIT */
/*
 * The header that a proxy puts in front of a connection to say from whom it is: PROXY protocol, versions 1 (a line) and 2
 * (binary), as haproxy's proxy-protocol.txt has it. Only who is known to be a proxy may be believed.
 */
#ifndef HERD_CORE_PROXY_HEADER_H
#define HERD_CORE_PROXY_HEADER_H

#include <herd/types.h>

/* No line of version 1 is longer, its CR LF included. */
#define HERD_PROXY_LINE_MAX_BYTES 107
/* Of version 2: what stands behind its first 16 bytes, addresses and then more that is not read here. */
#define HERD_PROXY_REST_MAX_BYTES 4096

enum herd_proxy_scan {
    HERD_PROXY_MORE, /* so far it is one */
    HERD_PROXY_DONE,
    HERD_PROXY_FAULT, /* it is none, or not a proper one */
};

struct herd_proxy_header {
    size_t len;                /* of the header; what is behind it is the client's */
    bool named;                /* else the connection is the proxy's own, or of a kind without addresses */
    unsigned char address[16]; /* of the client; IPv4 as ::ffff:a.b.c.d */
    uint16_t port;
};

/* Looks for a header at the beginning of `bytes`, which is all that came so far. DONE fills *ret_header. */
enum herd_proxy_scan herd_proxy_header_scan(struct herd_span bytes, struct herd_proxy_header *ret_header);

#endif
