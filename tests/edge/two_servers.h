/* SPDX-License-Identifier: MIT */
/* Two servers that are linked, in this process, while something fails: what must be true of them in the end. */
#ifndef TEST_EDGE_TWO_SERVERS_H
#define TEST_EDGE_TWO_SERVERS_H

#include "../unit/cm.h"
#include "../unit/free_port.h"

#include <herd/herd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define DEADLINE_S 20

static inline double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What libevent has to say of failures. */
static inline void quiet(int severity, const char *text)
{
    (void)severity;
    (void)text;
}

/* A socket at a port of this machine that the kernel chose; `flags` are those of socket(). */
static inline int bind_somewhere(int flags, uint16_t *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | flags, 0), on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static inline int connect_to(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_true(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

static inline bool linked(struct herd_server *const server[2])
{
    return herd_node_link(herd_server_node(server[0]), 0) && herd_node_link(herd_server_node(server[1]), 0);
}

/* Both hold the same, and that is no older than the AT lines that clients were given. */
static inline bool both_know(struct herd_server *const server[2], const struct herd_buf *answers)
{
    struct herd_store *stores[2];
    for (int i = 0; i < 2; i++)
        stores[i] = herd_node_store(herd_server_node(server[i]));
    if (herd_store_digest(stores[0]) != herd_store_digest(stores[1]))
        return false;
    const char *at = answers->at, *stop = at ? at + answers->len : at;
    for (const char *lf; at < stop; at = lf + 1) {
        struct herd_command command;
        struct herd_record record;
        lf = memchr(at, '\n', (size_t)(stop - at));
        assert_int_equal(herd_command_parse((struct herd_span){at, (size_t)(lf - at)}, &command), HERD_AT);
        if (!herd_store_get(stores[0], command.id, &record) || record.time_ns < command.time_ns)
            fail_msg("lost: %.*s", (int)(lf - at), at);
    }
    return true;
}

#endif
