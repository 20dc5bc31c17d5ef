/* SPDX-License-Identifier: MIT */
/*
 * Names and connections, where what getaddrinfo, connect and the clock say is said by the test, and where a call fails: each look-up and
 * each attempt ends once, says why, and leaves nothing open.
 */
#include "../unit/cm.h"
#include "../unit/failing_calls.h"
#include "../unit/open_files.h"

#include "connector.h"
#include "resolver.h"

#include <herd/types.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
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
static _Atomic int64_t clock_ahead_s;

static void arm(const char *name, unsigned first, int error)
{
    armed.name = name;
    armed.calls = 0;
    armed.first = first;
    armed.error = error;
}

static bool fails(const char *name)
{
    if (!armed.name || strcmp(armed.name, name) != 0 || ++armed.calls != armed.first)
        return false;
    errno = armed.error;
    return true;
}

FAILING(int, eventfd, -1, (unsigned initial, int flags), initial, flags)
FAILING(int, pthread_mutex_init, ENOMEM, (pthread_mutex_t * mutex, const pthread_mutexattr_t *attr), mutex, attr)
FAILING(int, pthread_attr_init, ENOMEM, (pthread_attr_t * attr), attr)
FAILING(int, pthread_create, EAGAIN,
        (pthread_t * thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg), thread, attr, run, arg)
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

/* What getaddrinfo says of a name: "code N" that, "ADDRESS ADDRESS ..." those, "gate N" 127.0.0.1 once the gate is open. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool open;
    unsigned asked, waiting, most, finished;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER};

static void wait_at_gate(void)
{
    pthread_mutex_lock(&gate.lock);
    gate.waiting++;
    gate.most = gate.waiting > gate.most ? gate.waiting : gate.most;
    while (!gate.open)
        pthread_cond_wait(&gate.opened, &gate.lock);
    gate.waiting--;
    pthread_mutex_unlock(&gate.lock);
}

static void set_gate(bool open)
{
    pthread_mutex_lock(&gate.lock);
    gate.open = open;
    if (open)
        pthread_cond_broadcast(&gate.opened);
    pthread_mutex_unlock(&gate.lock);
}

static unsigned look(const unsigned *number)
{
    pthread_mutex_lock(&gate.lock);
    unsigned is = *number;
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
    gate.asked++;
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
    gate.finished++;
    pthread_mutex_unlock(&gate.lock);
    return __real_write(fd, bytes, len);
}

/* ---- connections ---- */

/* What connect says of the address 127.0.0.N or ::N: the error at N; 0: it is under way for ever. */
static int answers[16];
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

static struct event_base *base;

static int setup(void **state)
{
    (void)state;
    base = event_base_new();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, stuck), 0);
    while (send(stuck[0], "", 1, MSG_NOSIGNAL) == 1)
        continue;
    armed.name = NULL;
    set_gate(true);
    gate.asked = gate.most = 0;
    clock_ahead_s = 0;
    for (size_t i = 0; i < 16; i++)
        answers[i] = -1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    set_gate(true);
    event_base_free(base);
    close(stuck[0]);
    close(stuck[1]);
    return 0;
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    fail_msg("nothing came for 20 s");
}

#define until(condition)                                            \
    do {                                                            \
        struct event *late = event_new(base, -1, 0, on_late, NULL); \
        __real_event_add(late, &(struct timeval){20, 0});           \
        while (!(condition))                                        \
            event_base_loop(base, EVLOOP_ONCE);                     \
        event_free(late);                                           \
    } while (0)

struct answer {
    struct herd_resolver_call **cancels; /* NULL, or another call that it ends */
    unsigned count;
    struct herd_sockaddr_list found;
    char why[64];
    bool local;
};

static void on_resolved(void *ctx, const struct herd_sockaddr_list *found, const char *why, bool local)
{
    struct answer *answer = ctx;
    answer->count++;
    answer->found = *found;
    answer->local = local;
    snprintf(answer->why, sizeof answer->why, "%s", why ? why : "");
    if (answer->cancels)
        herd_resolver_cancel(*answer->cancels);
}

static struct answer look_up(struct herd_resolver *resolver, const char *host)
{
    struct answer answer = {0};
    struct herd_resolver_call *call = NULL;
    assert_int_equal(herd_resolver_lookup(resolver, host, 9, on_resolved, &answer, &call), 0);
    assert_int_equal(answer.count, 0);
    until(answer.count > 0);
    assert_int_equal(answer.count, 1);
    return answer;
}

/* ---- looking up ---- */

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *why;
        bool local;
    } rows[] = {
        {EAI_NONAME, "the name is not known", false},
        {EAI_AGAIN, "no name server answers", false},
        {EAI_MEMORY, "out of memory", true},
        {EAI_FAIL, "the name servers refuse", false},
        {-5 /* EAI_NODATA */, "the name has no address", false},
        {EAI_SYSTEM, "the name cannot be resolved", true},
        {EAI_SERVICE, "the name cannot be resolved", false},
    };
    struct herd_resolver *resolver = NULL;
    assert_int_equal(herd_resolver_new(&resolver, base), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char host[16];
        snprintf(host, sizeof host, "code %d", rows[i].code);
        struct answer answer = look_up(resolver, host);
        assert_string_equal(answer.why, rows[i].why);
        assert_int_equal(answer.local, rows[i].local);
        assert_int_equal(answer.found.count, 0);
    }
    static const struct {
        const char *host;
        size_t count;
        const char *why;
    } lists[] = {
        {"unix", 0, "the name has no address"},
        {"long", 0, "the name has no address"},
        {"127.0.0.1 unix ::1 long 127.0.0.2", 3, ""},
        {"::1 ::1 ::2 127.0.0.1 127.0.0.1 ::1", 3, ""},
        {"127.0.0.1 127.0.0.2 127.0.0.3 127.0.0.4 127.0.0.5 127.0.0.6 127.0.0.7 127.0.0.8 127.0.0.9 ::1 ::2 ::3 "
         "::4 ::5 "
         "::6 ::7 ::8 ::9",
         HERD_SOCKADDRS_MAX, ""},
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct answer answer = look_up(resolver, lists[i].host);
        assert_string_equal(answer.why, lists[i].why);
        assert_false(answer.local);
        assert_int_equal(answer.found.count, lists[i].count);
    }
    static const char *const servers[] = {"", "x", "127.0.0.1:x", "[::1]:53"};
    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++)
        assert_int_equal(herd_resolver_nameserver(resolver, servers[i]), HERD_E_ADDRESS);
    herd_resolver_release(resolver);
}

static void test_lookups_that_cannot_begin(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        unsigned first;
    } made[] = {{"calloc", 1}, {"calloc", 2}, {"eventfd", 1}, {"pthread_mutex_init", 1}, {"event_new", 1}},
      begun[] = {{"calloc", 1}, {"calloc", 2}, {"calloc", 3}, {"event_add", 1}},
      threads[] = {{"pthread_attr_init", 1}, {"pthread_create", 1}};
    const unsigned files = open_files();
    struct herd_resolver *resolver = NULL;
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        arm(made[i].call, made[i].first, ENFILE);
        assert_int_equal(herd_resolver_new(&resolver, base), HERD_E_NOMEM);
        armed.name = NULL;
        assert_int_equal(open_files(), files);
    }
    assert_int_equal(herd_resolver_new(&resolver, base), 0);
    for (size_t i = 0; i < sizeof begun / sizeof begun[0]; i++) {
        struct answer answer = {0};
        struct herd_resolver_call *call = NULL;
        arm(begun[i].call, begun[i].first, ENOMEM);
        assert_int_equal(herd_resolver_lookup(resolver, "127.0.0.1 ", 9, on_resolved, &answer, &call),
                         HERD_E_NOMEM);
        armed.name = NULL;
        assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0); /* the loop may end */
        answer = look_up(resolver, "127.0.0.1 ");
        assert_string_equal(answer.why, "");
    }
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) {
        arm(threads[i].call, threads[i].first, ENOMEM);
        struct answer answer = look_up(resolver, "127.0.0.1 ");
        armed.name = NULL;
        assert_string_equal(answer.why, "no thread for the look-up");
        assert_true(answer.local);
        assert_string_equal(look_up(resolver, "127.0.0.1 ").why, "");
    }
    herd_resolver_release(resolver);
    until(open_files() == files || event_base_loop(base, EVLOOP_NONBLOCK) < 0);
}

/* Of several that ask for the same, one is told and takes the next one's question back; and one that cannot be begun beside them
 * changes nothing for them. */
static void test_lookups_together(void **state)
{
    (void)state;
    struct herd_resolver *resolver = NULL;
    struct herd_resolver_call *calls[3] = {NULL}, *none = NULL;
    struct answer told[3] = {{.cancels = &calls[1]}, {.count = 0}, {.count = 0}}, never = {.count = 0};
    for (int count = 2; count <= 3; count++) {
        told[0].count = told[1].count = told[2].count = 0;
        set_gate(false);
        assert_int_equal(herd_resolver_new(&resolver, base), 0);
        for (int i = 0; i < count; i++)
            assert_int_equal(herd_resolver_lookup(resolver, "gate", 9, on_resolved, &told[i], &calls[i]), 0);
        arm("calloc", 2, ENOMEM);
        assert_int_equal(herd_resolver_lookup(resolver, "127.0.0.1 ", 9, on_resolved, &never, &none), HERD_E_NOMEM);
        armed.name = NULL;
        set_gate(true);
        until(told[0].count > 0 && (count == 2 || told[2].count > 0));
        assert_int_equal(told[0].count, 1);
        assert_int_equal(told[1].count, 0);
        assert_int_equal(told[2].count, count - 2);
        assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
        herd_resolver_release(resolver);
    }
    assert_int_equal(never.count, 0);
}

enum { MANY = 40, AT_ONCE = 32 };

/* So many run at once; the others wait, are joined by who asks for the same, and go if nobody wants them any more. */
static void test_many_lookups(void **state)
{
    (void)state;
    static struct answer answers_of[MANY], again, last;
    struct herd_resolver_call *calls[MANY] = {0}, *second = NULL, *third = NULL;
    struct herd_resolver *resolver = NULL;
    char host[16];
    memset(answers_of, 0, sizeof answers_of);
    memset(&again, 0, sizeof again);
    memset(&last, 0, sizeof last);
    set_gate(false);
    assert_int_equal(herd_resolver_new(&resolver, base), 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(host, sizeof host, "gate %d", i);
        assert_int_equal(herd_resolver_lookup(resolver, host, 9, on_resolved, &answers_of[i], &calls[i]), 0);
    }
    while (look(&gate.waiting) < AT_ONCE)
        usleep(1000);
    assert_int_equal(look(&gate.asked), AT_ONCE);
    /* The one before the last twice; the last twice, and then not at all. */
    assert_int_equal(herd_resolver_lookup(resolver, "gate 38", 9, on_resolved, &again, &second), 0);
    assert_int_equal(herd_resolver_lookup(resolver, "gate 39", 9, on_resolved, &last, &third), 0);
    herd_resolver_cancel(calls[39]);
    herd_resolver_cancel(third);
    herd_resolver_cancel(calls[0]); /* its thread goes on */
    set_gate(true);
    until(answers_of[MANY - 2].count > 0 && again.count > 0);
    for (int i = 1; i < MANY - 1; i++)
        until(answers_of[i].count > 0);
    for (int i = 1; i < MANY - 1; i++) {
        assert_int_equal(answers_of[i].count, 1);
        assert_string_equal(answers_of[i].why, "");
        assert_int_equal(answers_of[i].found.count, 1);
    }
    assert_int_equal(answers_of[0].count + answers_of[39].count + last.count, 0);
    assert_int_equal(look(&gate.asked), MANY - 1);
    assert_int_equal(gate.most, AT_ONCE);
    herd_resolver_release(resolver);
}

/* Begins look-ups, the names of which have these numbers, and cancels them; their threads are done afterwards, and what they found
 * is the resolver's. */
static void cancel_many(struct herd_resolver *resolver, const char *kind, int from, int count)
{
    struct herd_resolver_call *calls[AT_ONCE];
    struct answer never = {0};
    char host[16];
    const unsigned before = look(&gate.finished);
    set_gate(false);
    for (int i = 0; i < count; i++) {
        snprintf(host, sizeof host, "%s %d", kind, from + i);
        assert_int_equal(herd_resolver_lookup(resolver, host, 9, on_resolved, &never, &calls[i]), 0);
    }
    for (int i = 0; i < count; i++)
        herd_resolver_cancel(calls[i]);
    set_gate(true);
    while (look(&gate.finished) != before + (unsigned)count)
        usleep(1000);
    (void)look_up(resolver, "127.0.0.8 ");
    assert_int_equal(never.count, 0);
}

/* What nobody waited for any more is kept for who asks again: half a minute, and so many. */
static void test_kept(void **state)
{
    (void)state;
    struct herd_resolver *resolver = NULL;
    assert_int_equal(herd_resolver_new(&resolver, base), 0);
    for (int batch = 0; batch < 3; batch++)
        cancel_many(resolver, "gate", batch * 30, 30);
    unsigned asked = look(&gate.asked);
    assert_string_equal(look_up(resolver, "gate 3").why, "");
    assert_int_equal(look(&gate.asked), asked); /* it was there */
    struct answer answer = {0};
    struct herd_resolver_call *call = NULL;
    assert_int_equal(herd_resolver_lookup(resolver, "gate 4", 10, on_resolved, &answer, &call), 0);
    until(answer.count == 1);
    assert_int_equal(look(&gate.asked), asked + 1); /* another port is another look-up */
    asked = look(&gate.asked);
    for (int i = 60; i < 90; i++) {
        char host[16];
        snprintf(host, sizeof host, "gate %d", i);
        assert_string_equal(look_up(resolver, host).why, "");
    }
    assert_int_equal(look(&gate.asked), asked + 90 - 64); /* those beyond 64 were not kept */
    clock_ahead_s = 40;
    asked = look(&gate.asked);
    assert_string_equal(look_up(resolver, "gate 5").why, "");
    assert_int_equal(look(&gate.asked), asked + 1); /* too old */
    /* What was found to be no name is not kept; nor is anything that was forgotten. */
    cancel_many(resolver, "code -2", 0, 1);
    cancel_many(resolver, "gate", 100, 1);
    herd_resolver_flush(resolver);
    asked = look(&gate.asked);
    assert_string_equal(look_up(resolver, "gate 100").why, "");
    assert_string_equal(look_up(resolver, "code -2 0").why, "the name is not known");
    assert_int_equal(look(&gate.asked), asked + 2);
    /* One that was old when it was taken is not kept. */
    struct answer never = {0};
    const unsigned finished = look(&gate.finished);
    assert_int_equal(herd_resolver_lookup(resolver, "gate 200", 9, on_resolved, &never, &call), 0);
    herd_resolver_cancel(call);
    while (look(&gate.finished) != finished + 1)
        usleep(1000);
    clock_ahead_s = 80;
    asked = look(&gate.asked);
    assert_string_equal(look_up(resolver, "gate 200").why, "");
    assert_int_equal(look(&gate.asked), asked + 1);
    assert_int_equal(never.count, 0);
    herd_resolver_release(resolver);
}

/* ---- connecting ---- */

struct ends {
    unsigned count;
    int fd;
    bool unresolved, local;
    char why[64], address[HERD_SOCKADDR_TEXT_MAX];
};

static void on_ended(void *ctx, const struct herd_connect_result *result)
{
    struct ends *ends = ctx;
    ends->count++;
    ends->fd = result->fd;
    ends->unresolved = result->unresolved;
    ends->local = result->local;
    snprintf(ends->why, sizeof ends->why, "%s", result->why ? result->why : "");
    if (result->address.len)
        herd_sockaddr_text(&result->address.u.any, result->address.len, ends->address);
}

static struct ends connect_to(const char *host, int64_t connect_ms, const char *call, unsigned first, int error)
{
    struct ends ends = {.fd = -1};
    struct herd_connector *connector = NULL;
    struct herd_resolver *resolver = NULL;
    const struct herd_connect_options options = {
        .host = host, .port = 9, .resolve_ms = 20000, .connect_ms = connect_ms, .done = on_ended, .ctx = &ends};
    assert_int_equal(herd_resolver_new(&resolver, base), 0);
    arm(call, first, error);
    assert_int_equal(herd_connect_start(&connector, base, &resolver, &options), 0);
    assert_int_equal(ends.count, 0);
    until(ends.count > 0);
    armed.name = NULL;
    assert_int_equal(ends.count, 1);
    herd_resolver_release(resolver);
    return ends;
}

/* The last has failed, and one before it says nothing yet: it has its time. */
static void test_one_is_left(void **state)
{
    (void)state;
    answers[1] = 0;
    answers[2] = -1; /* nobody listens there */
    struct ends ends = connect_to("127.0.0.1 127.0.0.2 ", 400, NULL, 0, 0);
    assert_string_equal(ends.why, "Connection refused");
    assert_string_equal(ends.address, "127.0.0.2:9");
    assert_int_equal(ends.fd, -1);
}

/* Of several errors one is told: what says most of the host. */
static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        int answers[5]; /* of .1, .2, ... */
        const char *why, *address;
        bool local;
    } rows[] = {
        {"127.0.0.1", {ECONNREFUSED}, "Connection refused", "127.0.0.1:9", false},
        {"127.0.0.1 ::2", {ECONNREFUSED, EHOSTUNREACH}, "Connection refused", "127.0.0.1:9", false},
        {"127.0.0.1 ::2", {ENETUNREACH, ECONNREFUSED}, "Connection refused", "[::2]:9", false},
        {"127.0.0.1 ::2", {EAFNOSUPPORT, ECONNREFUSED}, "Connection refused", "[::2]:9", false},
        {"127.0.0.1 ::2", {EADDRNOTAVAIL, ECONNREFUSED}, "Connection refused", "[::2]:9", false},
        {"127.0.0.1 ::2 127.0.0.3",
         {ENETUNREACH, EADDRNOTAVAIL, ENETUNREACH},
         "Network is unreachable",
         "127.0.0.3:9",
         false},
        {"127.0.0.1 ::2", {ENETUNREACH, EADDRNOTAVAIL}, "Cannot assign requested address", "[::2]:9", true},
        {"127.0.0.1", {ENOBUFS}, "No buffer space available", "127.0.0.1:9", true},
        {"127.0.0.1", {0}, "no answer", "127.0.0.1:9", false},
        {"127.0.0.1 ::2", {EHOSTUNREACH, 0}, "No route to host", "127.0.0.1:9", false},
        {"127.0.0.1 ::2", {ENETUNREACH, 0}, "no answer", "[::2]:9", false},
    };
    const unsigned files = open_files();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t a = 0; a < 5; a++)
            answers[a + 1] = rows[i].answers[a];
        struct ends ends = connect_to(rows[i].host, 50, NULL, 0, 0);
        assert_int_equal(ends.fd, -1);
        assert_false(ends.unresolved);
        assert_string_equal(ends.why, rows[i].why);
        assert_string_equal(ends.address, rows[i].address);
        assert_int_equal(ends.local, rows[i].local);
        until(open_files() == files || event_base_loop(base, EVLOOP_NONBLOCK) < 0);
    }
}

static void test_calls_that_fail(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        int answers[2];
        const char *call;
        unsigned first;
        int error;
        const char *why;
        bool local;
    } rows[] = {
        {"127.0.0.1", {-1, -1}, "socket", 1, EMFILE, "Too many open files", true},
        {"127.0.0.1", {0, 0}, "event_add", 1, 0, "Cannot allocate memory", true},
        {"127.0.0.1", {-1, -1}, "getsockopt", 1, ENOBUFS, "No buffer space available", true},
        /* Of the timer, once a name is resolved. */
        {"127.0.0.1 ", {0, 0}, "event_add", 4, 0, "Cannot allocate memory", true},
        /* Of the timer, when an attempt has failed, and when the next one is due. */
        {"127.0.0.1 127.0.0.2 ", {-1, 0}, "event_add", 6, 0, "Cannot allocate memory", true},
        {"127.0.0.1 127.0.0.2 ", {0, 0}, "event_add", 6, 0, "Cannot allocate memory", true},
    };
    const unsigned files = open_files();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        answers[1] = rows[i].answers[0];
        answers[2] = rows[i].answers[1];
        struct ends ends = connect_to(rows[i].host, 5000, rows[i].call, rows[i].first, rows[i].error);
        assert_int_equal(ends.fd, -1);
        if (strcmp(ends.why, rows[i].why) != 0)
            fail_msg("%zu: %s", i, ends.why);
        assert_int_equal(ends.local, rows[i].local);
        until(open_files() == files || event_base_loop(base, EVLOOP_NONBLOCK) < 0);
    }
    /* A name that cannot be looked up: nothing has begun. */
    static const struct {
        const char *call;
        unsigned first;
    } begun[] = {{"calloc", 1}, {"event_add", 1}, {"calloc", 2}, {"event_new", 1}};
    for (size_t i = 0; i < sizeof begun / sizeof begun[0]; i++) {
        struct ends ends = {0};
        struct herd_connector *connector = NULL;
        struct herd_resolver *resolver = NULL;
        const struct herd_connect_options options = {
            .host = "127.0.0.1 ", .port = 9, .resolve_ms = 20000, .connect_ms = 50, .done = on_ended, .ctx = &ends};
        arm(begun[i].call, begun[i].first, ENOMEM);
        assert_int_equal(herd_connect_start(&connector, base, &resolver, &options), HERD_E_NOMEM);
        armed.name = NULL;
        event_base_loop(base, EVLOOP_NONBLOCK);
        assert_int_equal(ends.count, 0);
        herd_resolver_release(resolver);
        until(open_files() == files || event_base_loop(base, EVLOOP_NONBLOCK) < 0);
    }
    /* One that was interrupted goes on: here nobody answers. */
    answers[1] = EINTR;
    assert_string_equal(connect_to("127.0.0.1", 50, NULL, 0, 0).why, "no answer");
}

/* ---- addresses ---- */

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *host, *text;
        bool loopback, any;
    } rows[] = {
        {"127.0.0.1", "127.0.0.1:9", true, false},
        {"127.255.0.9", "127.255.0.9:9", true, false},
        {"126.0.0.1", "126.0.0.1:9", false, false},
        {"0.0.0.0", "0.0.0.0:9", false, true},
        {"::1", "[::1]:9", true, false},
        {"::", "[::]:9", false, true},
        {"::2", "[::2]:9", false, false},
        {"1::1", "[1::1]:9", false, false},
        {"0:0:1::1", "[0:0:1::1]:9", false, false},
        {"0:0:0:0:1::1", "[::1:0:0:1]:9", false, false},
        {"1::", "[1::]:9", false, false},
        {"0:0:1::", "[0:0:1::]:9", false, false},
        {"::1:0:0", "[::1:0:0]:9", false, false},
    };
    const size_t count = sizeof rows / sizeof rows[0];
    struct herd_sockaddr_list all[sizeof rows / sizeof rows[0]], other;
    char text[HERD_SOCKADDR_TEXT_MAX];
    for (size_t i = 0; i < count; i++) {
        assert_true(herd_sockaddr_list_numeric(&all[i], rows[i].host, 9));
        const struct herd_sockaddr *address = &all[i].at[0];
        assert_int_equal(herd_sockaddr_is_loopback(&address->u.any), rows[i].loopback);
        assert_int_equal(herd_sockaddr_is_any(&address->u.any), rows[i].any);
        assert_string_equal(herd_sockaddr_text(&address->u.any, address->len, text), rows[i].text);
        assert_true(herd_sockaddr_list_numeric(&other, rows[i].host, 10));
        assert_false(herd_sockaddr_equal(address, &other.at[0]));
    }
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++)
            assert_int_equal(herd_sockaddr_equal(&all[i].at[0], &all[k].at[0]), i == k);
    struct herd_sockaddr scoped = all[4].at[0];
    scoped.u.in6.sin6_scope_id = 2;
    assert_false(herd_sockaddr_equal(&scoped, &all[4].at[0]));
    /* One that is not in the list comes before nothing. */
    struct herd_sockaddr_list list = {.count = 0};
    list.at[list.count++] = all[0].at[0];
    list.at[list.count++] = all[1].at[0];
    herd_sockaddr_list_order(&list, &all[2].at[0]);
    assert_true(herd_sockaddr_equal(&list.at[0], &all[0].at[0]));

    struct sockaddr_un local = {.sun_family = AF_UNIX};
    const struct sockaddr *any = (const struct sockaddr *)(const void *)&local;
    const socklen_t front = (socklen_t)offsetof(struct sockaddr_un, sun_path);
    assert_false(herd_sockaddr_is_loopback(any));
    assert_false(herd_sockaddr_is_any(any));
    assert_string_equal(herd_sockaddr_text(any, front, text), "unix");
    assert_string_equal(herd_sockaddr_text(any, 2, text), "unix");
    memset(local.sun_path, 'p', sizeof local.sun_path);
    assert_int_equal(strlen(herd_sockaddr_text(any, sizeof local, text)), 5 + sizeof local.sun_path);
    memcpy(local.sun_path, "/run/x", 7);
    assert_string_equal(herd_sockaddr_text(any, front + 7, text), "unix:/run/x");
    assert_string_equal(herd_sockaddr_text(any, front + 6, text), "unix:/run/x");
    memcpy(local.sun_path, "\0name", 5);
    assert_string_equal(herd_sockaddr_text(any, front + 5, text), "unix:@name");
    local.sun_family = 99;
    assert_string_equal(herd_sockaddr_text(any, sizeof local, text), "unknown");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_answers), TEST(test_lookups_that_cannot_begin), TEST(test_many_lookups),
        TEST(test_kept),    TEST(test_lookups_together),          TEST(test_one_is_left),
        TEST(test_errors),  TEST(test_calls_that_fail),           TEST(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
