/* SPDX-License-Identifier: MIT */
/* The service side of systemd's protocol, by hand: it is four environment variables and a datagram. */
#include "service.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_FD 3
#define FDS_MAX  1024

/* A whole number from the environment; -1: it is not there, or is no number. */
static int64_t get_number(const char *name)
{
    const char *text = getenv(name);
    char *end;
    if (!text || *text < '0' || *text > '9')
        return -1;
    long long value = strtoll(text, &end, 10);
    return *end ? -1 : value;
}

int service_listen_fd(int *ret_more)
{
    int64_t count = get_number("LISTEN_FDS");
    *ret_more = 0;
    if (get_number("LISTEN_PID") != getpid() || count < 1 || count > FDS_MAX)
        return 0;
    for (int fd = FIRST_FD; fd < FIRST_FD + (int)count; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    *ret_more = (int)count - 1;
    return FIRST_FD;
}

void service_notify(const char *state)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path ? strlen(path) : 0;
    if (len < 2 || len > sizeof to.sun_path || (*path != '/' && *path != '@'))
        return;
    memcpy(to.sun_path, path, len);
    if (*path == '@')
        to.sun_path[0] = '\0'; /* a name outside the file system */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}

int64_t service_watchdog_us(void)
{
    int64_t pid = get_number("WATCHDOG_PID"), interval_us = get_number("WATCHDOG_USEC");
    return interval_us > 0 && (!getenv("WATCHDOG_PID") || pid == getpid()) ? interval_us : 0;
}
