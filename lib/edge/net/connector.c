/* SPDX-License-Identifier: MIT */
/* Connection attempts in parallel; the first that succeeds wins. */
#include "connector.h"

#include "../clock.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* RFC 8305, section 5: Connection Attempt Delay. */
#define ATTEMPT_DELAY_NS INT64_C(250000000)
#define NS_PER_MS        INT64_C(1000000)

struct attempt {
    struct herd_connector *connector;
    struct event event;
    int fd; /* -1: not begun, or failed */
};

struct herd_connector {
    struct herd_connect_options options; /* host and prefer are not valid any more */
    struct event_base *base;
    struct herd_resolver_call *resolving;
    struct herd_sockaddr_list list;
    struct herd_sockaddr prefer;
    struct attempt attempts[HERD_SOCKADDRS_MAX];
    size_t begun, open;
    struct event timer;
    int64_t deadline_ns;
    int error; /* why the address at error_at failed; 0: none did */
    size_t error_at;
    bool local;
};

static void close_attempt(struct attempt *attempt)
{
    assert(attempt->fd >= 0 && attempt->connector->open > 0);
    event_del(&attempt->event);
    close(attempt->fd);
    attempt->fd = -1;
    attempt->connector->open--;
}

void herd_connect_cancel(struct herd_connector *connector)
{
    if (!connector)
        return;
    herd_resolver_cancel(connector->resolving);
    for (size_t i = 0; i < connector->begun; i++)
        if (connector->attempts[i].fd >= 0)
            close_attempt(&connector->attempts[i]);
    event_del(&connector->timer);
    free(connector);
}

/* Frees the connector, then calls `done`. */
static void end(struct herd_connector *connector, const struct herd_connect_result *result)
{
    herd_connect_done *done = connector->options.done;
    void *ctx = connector->options.ctx;
    herd_connect_cancel(connector);
    done(ctx, result);
}

static void end_failed(struct herd_connector *connector)
{
    const struct herd_connect_result result = {
        .fd = -1,
        .why = connector->error == ETIMEDOUT ? "no answer" : strerror(connector->error),
        .local = connector->local,
        .address = connector->list.at[connector->error_at],
    };
    end(connector, &result);
}

static void end_unresolved(struct herd_connector *connector, const char *why, bool local)
{
    const struct herd_connect_result result = {.fd = -1, .why = why, .local = local, .unresolved = true};
    end(connector, &result);
}

static void end_without_memory(struct herd_connector *connector)
{
    connector->error = ENOMEM;
    connector->local = true;
    end_failed(connector);
}

/* True for errors of this machine, not of the network; EADDRNOTAVAIL: all ports are in use. */
static bool is_local(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM || error == EADDRNOTAVAIL;
}

/* True for errors of an unreachable address family: they say less about the host than a time-out does. */
static bool is_unroutable(int error)
{
    return error == ENETUNREACH || error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

static void note_error(struct herd_connector *connector, size_t at, int error)
{
    if (connector->error != 0 && !is_unroutable(connector->error))
        return;
    connector->error = error;
    connector->error_at = at;
    connector->local = is_local(error);
}

static void on_attempt(evutil_socket_t fd, short what, void *arg);

/* Starts a non-blocking connect. Returns 0 or an errno. */
static int start_attempt(struct herd_connector *connector, size_t i)
{
    const struct herd_sockaddr *to = &connector->list.at[i];
    struct attempt *attempt = &connector->attempts[i];
    *attempt = (struct attempt){.connector = connector, .fd = -1};
    int fd = socket(to->u.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    if (connect(fd, &to->u.any, to->len) < 0 && errno != EINPROGRESS && errno != EINTR) {
        int error = errno;
        close(fd);
        return error;
    }
    event_assign(&attempt->event, connector->base, fd, EV_WRITE, on_attempt, attempt);
    if (event_add(&attempt->event, NULL) < 0) {
        close(fd);
        return ENOMEM;
    }
    attempt->fd = fd;
    connector->open++;
    return 0;
}

/* Begins the next attempt that can begin, and sets the timer. HERD_E_NOMEM: it cannot be set. */
static int advance(struct herd_connector *connector)
{
    int64_t now_ns = herd_clock().steady_ns, due_ns = connector->deadline_ns;
    while (connector->begun < connector->list.count) {
        size_t i = connector->begun++;
        int error = start_attempt(connector, i);
        if (error == 0)
            break;
        note_error(connector, i, error);
    }
    if (connector->open == 0)
        due_ns = now_ns; /* all failed: `done` runs from the loop */
    else if (connector->begun < connector->list.count && now_ns + ATTEMPT_DELAY_NS < due_ns)
        due_ns = now_ns + ATTEMPT_DELAY_NS;
    struct timeval wait = herd_timeval_ns(due_ns - now_ns);
    return event_add(&connector->timer, &wait) < 0 ? HERD_E_NOMEM : 0;
}

static void on_attempt(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct attempt *attempt = arg;
    struct herd_connector *connector = attempt->connector;
    size_t i = (size_t)(attempt - connector->attempts);
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    if (error == 0) {
        const struct herd_connect_result result = {.fd = fd, .address = connector->list.at[i]};
        event_del(&attempt->event);
        attempt->fd = -1;
        connector->open--;
        end(connector, &result);
        return;
    }
    close_attempt(attempt);
    note_error(connector, i, error);
    if (connector->open == 0 && connector->begun == connector->list.count)
        end_failed(connector);
    else if (connector->begun < connector->list.count && advance(connector) < 0)
        end_without_memory(connector);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct herd_connector *connector = arg;
    if (connector->resolving) {
        end_unresolved(connector, "no name server answers", false);
    } else if (connector->open == 0) {
        assert(connector->begun == connector->list.count); /* or the next would have begun */
        end_failed(connector);
    } else if (herd_clock().steady_ns >= connector->deadline_ns) {
        for (size_t i = 0; i < connector->begun; i++)
            if (connector->attempts[i].fd >= 0)
                note_error(connector, i, ETIMEDOUT);
        end_failed(connector);
    } else if (advance(connector) < 0) {
        end_without_memory(connector);
    }
}

/* Starts the attempts. HERD_E_NOMEM. */
static int start_race(struct herd_connector *connector)
{
    if (connector->options.found)
        connector->options.found(connector->options.ctx, &connector->list);
    herd_sockaddr_list_order(&connector->list, connector->prefer.len ? &connector->prefer : NULL);
    connector->deadline_ns = herd_clock().steady_ns + connector->options.connect_ms * NS_PER_MS;
    return advance(connector);
}

static void on_resolved(void *ctx, const struct herd_sockaddr_list *found, const char *why, bool local)
{
    struct herd_connector *connector = ctx;
    connector->resolving = NULL;
    if (why) {
        end_unresolved(connector, why, local);
        return;
    }
    connector->list = *found;
    if (start_race(connector) < 0)
        end_without_memory(connector);
}

static int start_resolving(struct herd_connector *connector, struct herd_resolver **io_resolver)
{
    struct timeval wait = herd_timeval_ms(connector->options.resolve_ms);
    if (!*io_resolver && herd_resolver_new(io_resolver, connector->base) < 0)
        return HERD_E_NOMEM;
    if (event_add(&connector->timer, &wait) < 0)
        return HERD_E_NOMEM;
    return herd_resolver_lookup(*io_resolver, connector->options.host, connector->options.port, on_resolved,
                                connector, &connector->resolving);
}

int herd_connect_start(struct herd_connector **ret_connector, struct event_base *base,
                       struct herd_resolver **io_resolver, const struct herd_connect_options *options)
{
    struct herd_connector *connector = calloc(1, sizeof *connector);
    if (!connector)
        return HERD_E_NOMEM;
    connector->base = base;
    connector->options = *options;
    if (options->prefer)
        connector->prefer = *options->prefer;
    evtimer_assign(&connector->timer, base, on_timer, connector);
    int err = herd_sockaddr_list_numeric(&connector->list, options->host, options->port)
                  ? start_race(connector)
                  : start_resolving(connector, io_resolver);
    if (err < 0) {
        herd_connect_cancel(connector);
        return err;
    }
    *ret_connector = connector;
    return 0;
}
