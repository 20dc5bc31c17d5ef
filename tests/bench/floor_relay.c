/* SPDX-License-Identifier: MIT */
/*
 * The floor of one hop: whatever arrives on any connection is written to one connection onwards. Two of
 * these in a row are what the way of an update through a herd is compared with.
 *
 *     floor-relay PORT NEXT_PORT
 */
#include "edge.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static char buffer[65536];
    struct epoll_event events[64];
    int ep, door, onwards = -1, i, n;
    uint16_t next;

    if (argc != 3)
        die("usage: floor-relay PORT NEXT_PORT");
    door = listen_on((uint16_t)number_of(argv[1], "PORT", 1, 65535), 128);
    next = (uint16_t)number_of(argv[2], "NEXT_PORT", 1, 65535);
    ep = epoll_create1(EPOLL_CLOEXEC);
    watch_reads(ep, door);
    for (;;) {
        n = epoll_wait(ep, events, 64, -1);
        for (i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            ssize_t got;

            if (fd == door) {
                fd = take_connection(door);
                if (fd >= 0)
                    watch_reads(ep, fd);
                continue;
            }
            got = read(fd, buffer, sizeof(buffer));
            if (got <= 0) {
                close(fd);
                continue;
            }
            /* Dialled with the first byte, so that relays can be started in any order. */
            if (onwards < 0)
                onwards = dial(next);
            if (write(onwards, buffer, (size_t)got) != got)
                die("the relay after this one does not keep up: %s", strerror(errno));
        }
    }
}
