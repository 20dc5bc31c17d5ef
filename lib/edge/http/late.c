/* SPDX-License-Identifier: MIT */
/* Refusals that are given late, as that of a wrong AUTH is, so that guessing takes time: the connection waits meanwhile. */
#include "http_impl.h"

#include <stdlib.h>

#define DELAY_NS INT64_C(1000000000)
/* More are refused at once: memory is bounded. */
#define LATE_MAX HERD_AUTH_LATE_MAX

struct late {
    struct herd_list link; /* in http->late, the first that is due in front */
    struct herd_http *http;
    struct herd_http_deferred *deferred;
    int (*answer)(struct herd_http_exchange *exchange);
    int64_t due_ns;
};

static void drop(struct late *late)
{
    herd_list_remove(&late->link);
    late->http->late_count--;
    free(late);
}

static void on_gone(void *ctx)
{
    drop(ctx);
}

static struct late *first(struct herd_http *http)
{
    return HERD_CONTAINER_OF(http->late.next, struct late, link);
}

static int arm(struct herd_http *http, int64_t now_ns)
{
    int64_t wait_ns = first(http)->due_ns - now_ns;
    struct timeval wait = herd_timeval_ms(wait_ns > 0 ? wait_ns / 1000000 + 1 : 1);
    return event_add(http->late_event, &wait);
}

static void on_due(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    struct herd_http *http = ctx;
    const int64_t now_ns = herd_clock().steady_ns;
    while (!herd_list_empty(&http->late) && first(http)->due_ns <= now_ns) {
        struct late *late = first(http);
        struct herd_http_exchange *exchange = herd_http_resume(late->deferred);
        int (*answer)(struct herd_http_exchange *) = late->answer;
        drop(late);
        (void)answer(exchange); /* if it fails the connection ends */
    }
    if (!herd_list_empty(&http->late))
        (void)arm(http, now_ns);
}

int herd_http_late_open(struct herd_http *http)
{
    herd_list_init(&http->late);
    http->late_event = evtimer_new(http->server->base, on_due, http);
    return http->late_event ? 0 : HERD_E_NOMEM;
}

void herd_http_late_close(struct herd_http *http)
{
    if (http->late_event)
        event_free(http->late_event);
}

int herd_http_answer_late(struct herd_http_request *request, int (*answer)(struct herd_http_exchange *exchange))
{
    struct herd_http *http = request->exchange.http;
    if (http->late_count == LATE_MAX || http->server->stopping)
        return answer(&request->exchange);
    struct late *late = calloc(1, sizeof *late);
    if (!late)
        return HERD_E_NOMEM;
    *late = (struct late){.http = http, .answer = answer, .due_ns = request->exchange.now.steady_ns + DELAY_NS};
    herd_list_append(&http->late, &late->link);
    http->late_count++;
    if (!evtimer_pending(http->late_event, NULL) && arm(http, request->exchange.now.steady_ns) < 0) {
        drop(late);
        return answer(&request->exchange);
    }
    late->deferred = herd_http_defer(&request->exchange, on_gone, late);
    if (!late->deferred) {
        drop(late); /* the timer may find nobody */
        return HERD_E_NOMEM;
    }
    return 0;
}
