/* SPDX-License-Identifier: MIT */
/* A name server on a loopback port: answers as it is told, or not at all. */
#ifndef TEST_EDGE_NAME_SERVER_H
#define TEST_EDGE_NAME_SERVER_H

#include "../unit/cm.h"

#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct name_server {
    int fd;
    struct event *event;
    bool silent;         /* says nothing */
    size_t deaf;         /* so many questions are lost first */
    bool none;           /* NXDOMAIN */
    bool a, aaaa;        /* has 127.0.0.1; has ::1 */
    unsigned char a_too; /* and 127.0.0.this, in front; 0: no */
    size_t asked;
    char address[32];
};

static inline size_t name_server_put(unsigned char *to, unsigned char type, const unsigned char *bytes,
                                     unsigned char n)
{
    const unsigned char head[] = {0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, n};
    memcpy(to, head, sizeof head);
    memcpy(to + sizeof head, bytes, n);
    return sizeof head + n;
}

static inline void name_server_on_question(evutil_socket_t fd, short what, void *ctx)
{
    (void)what;
    struct name_server *names = ctx;
    unsigned char packet[700];
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    ssize_t len = recvfrom(fd, packet, 512, 0, (struct sockaddr *)&from, &from_len);
    if (len < 17)
        return;
    names->asked++;
    if (names->silent || names->deaf > 0) {
        names->deaf -= !names->silent;
        return;
    }
    size_t at = 12; /* over the name, to its type */
    while (at < (size_t)len && packet[at])
        at += packet[at] + 1u;
    unsigned char type = packet[at + 2];
    size_t end = at + 5;
    packet[2] = 0x81;
    packet[3] = (unsigned char)(names->none ? 0x83 : 0x80);
    memset(packet + 6, 0, 6);
    if (names->none)
        type = 0;
    if (type == 1 && names->a && names->a_too) {
        const unsigned char bytes[] = {127, 0, 0, names->a_too};
        packet[7]++;
        end += name_server_put(packet + end, 1, bytes, 4);
    }
    if (type == 1 && names->a) {
        static const unsigned char bytes[] = {127, 0, 0, 1};
        packet[7]++;
        end += name_server_put(packet + end, 1, bytes, 4);
    }
    if (type == 28 && names->aaaa) {
        static const unsigned char bytes[16] = {[15] = 1};
        packet[7]++;
        end += name_server_put(packet + end, 28, bytes, 16);
    }
    sendto(fd, packet, end, 0, (struct sockaddr *)&from, from_len);
}

static inline void name_server_open(struct name_server *names, struct event_base *base)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    names->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(names->fd >= 0);
    assert_int_equal(bind(names->fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(names->fd, (struct sockaddr *)&address, &len), 0);
    snprintf(names->address, sizeof names->address, "127.0.0.1:%u", ntohs(address.sin_port));
    names->event = event_new(base, names->fd, EV_READ | EV_PERSIST, name_server_on_question, names);
    assert_non_null(names->event);
    assert_int_equal(event_add(names->event, NULL), 0);
}

static inline void name_server_close(struct name_server *names)
{
    event_free(names->event);
    close(names->fd);
}

#endif
