/* SPDX-License-Identifier: MIT */
/*
 * The floor of flooding: what arrives on any connection is written to all others, unless it is what arrived last. Five of
 * these with the links of a herd do what five servers must, on as many turns of the CPU; for one report at a time only.
 *
 *     floor-flood PORT OUT_PORT [PEER_PORT...]
 *
 * Peers are dialled at once, OUT_PORT with the first byte, so that whoever listens there can be started last; 0: nobody.
 */
#include "edge.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define LINE_BYTES      1024

static int ep, connections[CONNECTIONS_MAX];
static size_t connection_count;

static void add(int fd)
{
    if (connection_count == CONNECTIONS_MAX)
        die("more than %d connections", CONNECTIONS_MAX);
    connections[connection_count++] = fd;
    watch_reads(ep, fd);
}

static void drop(int fd)
{
    size_t i = 0;

    while (connections[i] != fd)
        i++;
    connections[i] = connections[--connection_count];
    close(fd);
}

static void flood(int from, const char *bytes, size_t len)
{
    size_t i;

    for (i = 0; i < connection_count; i++)
        if (connections[i] != from && write(connections[i], bytes, len) != (ssize_t)len)
            die("a peer does not keep up: %s", strerror(errno));
}

int main(int argc, char **argv)
{
    static char last[LINE_BYTES], buffer[LINE_BYTES];
    struct epoll_event events[64];
    size_t last_len = 0;
    uint16_t out;
    int door, i, n;

    if (argc < 3)
        die("usage: floor-flood PORT OUT_PORT [PEER_PORT...]");
    door = listen_on((uint16_t)number_of(argv[1], "PORT", 1, 65535), 128);
    out = (uint16_t)number_of(argv[2], "OUT_PORT", 0, 65535);
    ep = epoll_create1(EPOLL_CLOEXEC);
    watch_reads(ep, door);
    for (i = 3; i < argc; i++)
        add(dial((uint16_t)number_of(argv[i], "PEER_PORT", 1, 65535)));
    for (;;) {
        n = epoll_wait(ep, events, 64, -1);
        for (i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            ssize_t got;

            if (fd == door) {
                fd = take_connection(door);
                if (fd >= 0)
                    add(fd);
                continue;
            }
            got = read(fd, buffer, sizeof(buffer));
            if (got <= 0) {
                drop(fd);
                continue;
            }
            if ((size_t)got == last_len && memcmp(buffer, last, last_len) == 0)
                continue;
            last_len = (size_t)got;
            memcpy(last, buffer, last_len);
            if (out != 0) {
                add(dial(out));
                out = 0;
            }
            flood(fd, buffer, last_len);
        }
    }
}
