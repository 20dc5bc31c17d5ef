/* SPDX-License-Identifier: MIT */
/* Names, connections and a clock that say what the test wants. */
#include "network_fakes.h"

#include "../unit/cm.h"
#include "../unit/failing_calls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* ---- calls that fail ---- */

static struct {
    const char *name;
    unsigned calls, first;
    int error;
} armed;
_Atomic int64_t clock_ahead_s;

void arm(const char *name, unsigned first, int error)
{
    armed.name = name;
    armed.calls = 0;
    armed.first = first;
    armed.error = error;
}

void disarm(void)
{
    armed.name = NULL;
}

static bool fails(const char *name)
{
    if (!armed.name || strcmp(armed.name, name) != 0 || ++armed.calls != armed.first)
        return false;
    errno = armed.error;
    return true;
}

FAILING_TO_BEGIN_A_THREAD
FAILING(void *, calloc, NULL, (size_t count, size_t size), count, size)
FAILING(int, event_add, -1, (struct event * event, const struct timeval *after), event, after)
FAILING(struct event *, event_new, NULL,
        (struct event_base * b, evutil_socket_t fd, short what, event_callback_fn fn, void *arg), b, fd, what, fn,
        arg)
FAILING(int, socket, -1, (int domain, int type, int protocol), domain, type, protocol)
FAILING(int, getsockopt, -1, (int fd, int level, int name, void *value, socklen_t *len), fd, level, name, value,
        len)

int __real_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    int err = __real_clock_gettime(clock, ret_time);
    ret_time->tv_sec += clock_ahead_s;
    return err;
}

/* ---- names ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool open;
    struct gate is;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER};

static void wait_at_gate(void)
{
    pthread_mutex_lock(&gate.lock);
    gate.is.waiting++;
    gate.is.most = gate.is.waiting > gate.is.most ? gate.is.waiting : gate.is.most;
    while (!gate.open)
        pthread_cond_wait(&gate.opened, &gate.lock);
    gate.is.waiting--;
    pthread_mutex_unlock(&gate.lock);
}

void set_gate(bool open)
{
    pthread_mutex_lock(&gate.lock);
    gate.open = open;
    if (open)
        pthread_cond_broadcast(&gate.opened);
    pthread_mutex_unlock(&gate.lock);
}

struct gate gate_now(void)
{
    pthread_mutex_lock(&gate.lock);
    struct gate is = gate.is;
    pthread_mutex_unlock(&gate.lock);
    return is;
}

int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **ret);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **ret);
void __real_freeaddrinfo(struct addrinfo *info);
void __wrap_freeaddrinfo(struct addrinfo *info);

static struct addrinfo *make_info(const char *address, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *real = NULL;
    struct addrinfo *info = calloc(1, sizeof *info + sizeof(struct sockaddr_un));
    assert_non_null(info);
    info->ai_addr = (struct sockaddr *)(void *)(info + 1);
    if (strcmp(address, "unix") == 0 || strcmp(address, "long") == 0) {
        info->ai_family = address[0] == 'u' ? AF_UNIX : AF_INET6;
        info->ai_addrlen = sizeof(struct sockaddr_un);
        return info;
    }
    assert_int_equal(__real_getaddrinfo(address, port, &hints, &real), 0);
    info->ai_family = real->ai_family;
    info->ai_addrlen = real->ai_addrlen;
    memcpy(info->ai_addr, real->ai_addr, real->ai_addrlen);
    __real_freeaddrinfo(real);
    return info;
}

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
    int code = 0;
    if (hints->ai_flags & AI_NUMERICHOST)
        return __real_getaddrinfo(host, service, hints, ret);
    pthread_mutex_lock(&gate.lock);
    gate.is.asked++;
    pthread_mutex_unlock(&gate.lock);
    if (sscanf(host, "code %d", &code) == 1)
        return code;
    if (strncmp(host, "gate", 4) == 0) {
        wait_at_gate();
        host = "127.0.0.1";
    }
    char copy[512];
    struct addrinfo **end = ret;
    snprintf(copy, sizeof copy, "%s", host);
    char *rest = NULL;
    for (char *at = strtok_r(copy, " ", &rest); at; at = strtok_r(NULL, " ", &rest)) {
        *end = make_info(at, service);
        end = &(*end)->ai_next;
    }
    return 0;
}

/* Those of make_info have no socket type. */
void __wrap_freeaddrinfo(struct addrinfo *info)
{
    if (info && info->ai_socktype) {
        __real_freeaddrinfo(info);
        return;
    }
    while (info) {
        struct addrinfo *next = info->ai_next;
        free(info);
        info = next;
    }
}

/* Of an eventfd: a look-up is done. */
ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    pthread_mutex_lock(&gate.lock);
    gate.is.finished++;
    pthread_mutex_unlock(&gate.lock);
    return __real_write(fd, bytes, len);
}

/* ---- connections ---- */

int answers[16];
static int stuck[2]; /* the first of them takes nothing */

int __real_connect(int fd, const struct sockaddr *to, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len)
{
    unsigned last = to->sa_family == AF_INET
                        ? ntohl(((const struct sockaddr_in *)(const void *)to)->sin_addr.s_addr) & 15
                        : ((const struct sockaddr_in6 *)(const void *)to)->sin6_addr.s6_addr[15] & 15;
    if (answers[last] == -1)
        return __real_connect(fd, to, len);
    if (!answers[last] || answers[last] == EINTR)
        assert_int_equal(dup2(stuck[0], fd), fd); /* never writable */
    errno = answers[last] ? answers[last] : EINPROGRESS;
    return -1;
}

/* ---- the world ---- */

struct event_base *base;

int setup(void **state)
{
    (void)state;
    base = event_base_new();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, stuck), 0);
    while (send(stuck[0], "", 1, MSG_NOSIGNAL) == 1)
        continue;
    disarm();
    set_gate(true);
    gate.is.asked = gate.is.most = 0;
    clock_ahead_s = 0;
    for (size_t i = 0; i < 16; i++)
        answers[i] = -1;
    return 0;
}

int teardown(void **state)
{
    (void)state;
    set_gate(true);
    event_base_free(base);
    close(stuck[0]);
    close(stuck[1]);
    return 0;
}

void on_late(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    fail_msg("nothing came for 20 s");
}
