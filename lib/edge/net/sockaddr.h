/* SPDX-License-Identifier: MIT */
/* Socket addresses: lists of them, their order for connecting, and how a log shows them. */
#ifndef HERD_EDGE_NET_SOCKADDR_H
#define HERD_EDGE_NET_SOCKADDR_H

#include <herd/types.h>

#include <netinet/in.h>
#include <sys/socket.h>

/* So many addresses of one name are used; a name with more is cut. */
#define HERD_SOCKADDRS_MAX 16
/* Longest text of an address with its NUL: a path of AF_UNIX. */
#define HERD_SOCKADDR_TEXT_MAX 128

struct addrinfo;

/* An IPv4 or IPv6 address with its port. */
struct herd_sockaddr {
    socklen_t len;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } u;
};

struct herd_sockaddr_list {
    struct herd_sockaddr at[HERD_SOCKADDRS_MAX];
    size_t count;
};

/* Appends the IPv4 and IPv6 addresses of `info`; those that are in the list, or do not fit, are left out. */
void herd_sockaddr_list_add(struct herd_sockaddr_list *list, const struct addrinfo *info);
/* Makes `ret_list` the address that `host` stands for if it is numeric; false for a name, which is never asked
 * for. */
bool herd_sockaddr_list_numeric(struct herd_sockaddr_list *ret_list, const char *host, uint16_t port);
/* Orders as RFC 8305, section 4: families alternate, the first one first. `prefer` (may be NULL), if it is in the
 * list, comes before all. */
void herd_sockaddr_list_order(struct herd_sockaddr_list *list, const struct herd_sockaddr *prefer);

bool herd_sockaddr_equal(const struct herd_sockaddr *a, const struct herd_sockaddr *b);
bool herd_sockaddr_is_loopback(const struct sockaddr *address);
bool herd_sockaddr_is_any(const struct sockaddr *address);
/* Writes "127.0.0.1:12000", "[::1]:12000", "unix:/run/herd.sock" or "unix" to `text`, and returns it. */
const char *herd_sockaddr_text(const struct sockaddr *address, socklen_t len, char text[HERD_SOCKADDR_TEXT_MAX]);

#endif
