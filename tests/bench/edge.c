/* SPDX-License-Identifier: MIT */
/* Sockets on the loopback, clocks, kernel accounting of other processes, pinning. */
#include "edge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REST_WINDOW_NS 60000000
#define REST_SHARE     50 /* one part in this many of a core */

void die(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

int64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_real_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void sleep_ns(int64_t ns)
{
    struct timespec wait = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

    nanosleep(&wait, NULL);
}

int64_t number_of(const char *text, const char *what, int64_t least, int64_t most)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < least || value > most)
        die("%s: \"%s\" is not a number from %lld to %lld", what, text, (long long)least, (long long)most);
    return value;
}

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address;

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

void make_ready(int fd)
{
    int on = 1;

    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
        die("cannot set up a socket: %s", strerror(errno));
}

int listen_on(uint16_t port, int backlog)
{
    struct sockaddr_in address = loopback(port);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)) < 0 || listen(fd, backlog) < 0)
        die("cannot listen on 127.0.0.1:%u: %s", port, strerror(errno));
    make_ready(fd);
    return fd;
}

int take_connection(int listener)
{
    int fd = accept(listener, NULL, NULL);

    if (fd >= 0)
        make_ready(fd);
    return fd;
}

void watch_reads(int ep, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl: %s", strerror(errno));
}

int dial_segments(uint16_t port, int segment)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && segment > 0 && setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment)) < 0)
        die("TCP_MAXSEG: %s", strerror(errno));

    /* Blocking until connected, so that a run starts with every connection up. */
    if (fd < 0 || connect(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)) < 0)
        die("cannot connect to 127.0.0.1:%u: %s", port, strerror(errno));
    make_ready(fd);
    return fd;
}

int dial(uint16_t port)
{
    return dial_segments(port, 0);
}

void pin_to(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) < 0)
        die("cannot run on CPU %d: %s", cpu, strerror(errno));
}

int64_t cpu_ns_of(pid_t pid)
{
    struct timespec used;
    clockid_t clock;
    int err = clock_getcpuclockid(pid, &clock);

    if (err != 0 || clock_gettime(clock, &used) < 0)
        die("no CPU time of process %ld: %s (has it ended?)", (long)pid, strerror(err != 0 ? err : errno));
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

int64_t cpu_ns_of_machine(void)
{
    unsigned long long user, nice, kernel, idle, waiting, irq, softirq, steal;
    FILE *stat = fopen("/proc/stat", "re");

    if (stat == NULL || fscanf(stat, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &kernel, &idle,
                               &waiting, &irq, &softirq, &steal) != 8)
        die("cannot read /proc/stat");
    fclose(stat);
    return (int64_t)(user + nice + kernel + irq + softirq + steal) * (1000000000 / sysconf(_SC_CLK_TCK));
}

int64_t cpu_ns_of_all(const struct pids *pids)
{
    int64_t sum = 0;
    size_t i;

    for (i = 0; i < pids->count; i++)
        sum += cpu_ns_of(pids->at[i]);
    return sum;
}

void rest_begin(struct rest *rest, const struct pids *pids, int64_t patience_ns)
{
    rest->since_ns = clock_ns();
    rest->cpu_ns = cpu_ns_of_all(pids);
    rest->bound_ns = rest->since_ns + patience_ns;
}

int rest_reached(struct rest *rest, const struct pids *pids)
{
    int64_t now = clock_ns(), cpu, span = now - rest->since_ns;

    if (pids->count == 0)
        return 1;
    if (span < REST_WINDOW_NS)
        return 0;
    cpu = cpu_ns_of_all(pids);
    if (cpu - rest->cpu_ns < span / REST_SHARE)
        return 1;
    if (now > rest->bound_ns)
        die("the servers do not come to rest");
    rest->since_ns = now;
    rest->cpu_ns = cpu;
    return 0;
}
