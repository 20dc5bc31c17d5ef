/* SPDX-License-Identifier: MIT */
/* A port of this machine for a server to listen on. */
#ifndef TEST_FREE_PORT_H
#define TEST_FREE_PORT_H

#include "cm.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static inline int free_port_bind(int type, uint16_t port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1;
    assert_true(fd >= 0);
    if (type == SOCK_STREAM)
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Below the range from which the kernel takes ports to connect from, and ours until the process ends: the UDP port of the
 * same number is held, so that tests running beside this one (tests/system/herd.py does the same) pass it over. */
static inline uint16_t free_port(void)
{
    static uint64_t seed;
    if (!seed) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        seed = (uint64_t)now.tv_nsec ^ (uint64_t)getpid() << 32;
    }
    for (int i = 0; i < 1000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint16_t port = (uint16_t)(18000 + (seed >> 33) % 14000);
        int lock = free_port_bind(SOCK_DGRAM, port), probe;
        if (lock < 0)
            continue;
        if ((probe = free_port_bind(SOCK_STREAM, port)) >= 0 && listen(probe, 1) == 0) {
            close(probe);
            return port;
        }
        if (probe >= 0)
            close(probe);
        close(lock);
    }
    fail_msg("no free port");
    return 0;
}

#endif
