/* SPDX-License-Identifier: MIT */
/*
 * libcurl's multi-socket interface on libevent. The rules it is strict about: its timer callback must not
 * call back into it; transfers end through curl_multi_info_read only; and after an error of the multi handle nothing
 * about its transfers is certain, so all of them end.
 */
#include "fetch_parts.h"

#include <stdlib.h>

/* libcurl calls a line of a header that is longer than its own bound "out of memory". It is that, as a rule, when the
 * reply has begun and nothing behind its header has come. */
static bool header_under_way(const struct herd_fetch_call *call)
{
    curl_off_t begun_us = 0;
    (void)curl_easy_getinfo(call->easy->curl, CURLINFO_STARTTRANSFER_TIME_T, &begun_us);
    return begun_us > 0 && call->body.len == 0;
}

static void finish(struct herd_fetch_call *call, CURLcode code)
{
    curl_off_t retry_after = 0;
    (void)curl_easy_getinfo(call->easy->curl, CURLINFO_RESPONSE_CODE, &call->result.http_status);
    if (curl_easy_getinfo(call->easy->curl, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK && retry_after > 0)
        call->result.retry_after_s = (int64_t)retry_after;
    if (call->header_too_big || (code == CURLE_OUT_OF_MEMORY && header_under_way(call)))
        herd_fetch_end(call, HERD_E_LIMIT, "the header of the reply is larger than allowed");
    else if (call->no_memory || code == CURLE_OUT_OF_MEMORY)
        herd_fetch_end(call, HERD_E_NOMEM, "out of memory");
    else if (call->too_big)
        herd_fetch_end(call, HERD_E_LIMIT, "the reply is larger than allowed");
    else if (code == CURLE_OPERATION_TIMEDOUT)
        herd_fetch_end(call, HERD_E_TIMEOUT, "no reply in time");
    else if (code != CURLE_OK)
        herd_fetch_end(call, HERD_E_IO, curl_easy_strerror(code)); /* static; the error buffer may hold the URL */
    else
        herd_fetch_end(call, 0, NULL);
}

static void fail_all(struct herd_fetch *fetch)
{
    for (struct herd_fetch_call *call = fetch->calls; call; call = call->next)
        if (call->state == HERD_FETCH_RUNNING)
            herd_fetch_end(call, HERD_E_IO, "the HTTP client failed");
    herd_fetch_multi_close(fetch);
    (void)herd_fetch_multi_open(fetch); /* without one, later calls say HERD_E_NOMEM and try again */
}

static void act(struct herd_fetch *fetch, curl_socket_t fd, int what)
{
    int running;
    if (curl_multi_socket_action(fetch->multi, fd, what, &running) != CURLM_OK) {
        fail_all(fetch);
        return;
    }
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(fetch->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        char *private = NULL;
        CURLcode code = message->data.result;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        if (private)
            finish((struct herd_fetch_call *)(void *)private, code);
    }
}

/* What ends in here, as a rule one call at most, is delivered at once: its bytes are in the cache. */
void herd_fetch_socket_action(struct herd_fetch *fetch, curl_socket_t fd, int what)
{
    fetch->acting = true;
    act(fetch, fd, what);
    fetch->acting = false;
    herd_fetch_deliver(fetch);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    herd_fetch_socket_action(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static int socket_cb(CURL *easy, curl_socket_t fd, int what, void *userp, void *socketp)
{
    (void)easy;
    (void)socketp;
    return herd_fetch_watch_set(userp, fd, what);
}

static int timer_cb(CURLM *multi, long timeout_ms, void *userp)
{
    (void)multi;
    struct herd_fetch *fetch = userp;
    if (timeout_ms < 0)
        return event_del(fetch->timer);
    if (timeout_ms == 0) { /* this turn, once, for all that begins in it */
        event_active(fetch->timer, EV_TIMEOUT, 0);
        return 0;
    }
    struct timeval wait = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    /* Without memory it rings at once, and libcurl asks anew: to a failure here libcurl 7.88 leaves a handle
     * that points to a multi handle it has no place in. */
    if (event_add(fetch->timer, &wait) < 0)
        event_active(fetch->timer, EV_TIMEOUT, 0);
    return 0;
}

int herd_fetch_multi_open(struct herd_fetch *fetch)
{
    fetch->timer = evtimer_new(fetch->base, on_timer, fetch);
    fetch->multi = curl_multi_init();
    if (!fetch->timer || !fetch->multi) {
        herd_fetch_multi_close(fetch);
        return HERD_E_NOMEM;
    }
    curl_multi_setopt(fetch->multi, CURLMOPT_SOCKETFUNCTION, socket_cb);
    curl_multi_setopt(fetch->multi, CURLMOPT_SOCKETDATA, fetch);
    curl_multi_setopt(fetch->multi, CURLMOPT_TIMERFUNCTION, timer_cb);
    curl_multi_setopt(fetch->multi, CURLMOPT_TIMERDATA, fetch);
    /* Above what is in flight as a rule, or connections are closed that the next request needs. */
    curl_multi_setopt(fetch->multi, CURLMOPT_MAXCONNECTS, 128L);
    return 0;
}

void herd_fetch_multi_close(struct herd_fetch *fetch)
{
    if (fetch->multi)
        curl_multi_cleanup(fetch->multi);
    fetch->multi = NULL;
    herd_fetch_watch_free_all(fetch);
    if (fetch->timer)
        event_free(fetch->timer);
    fetch->timer = NULL;
}

int herd_fetch_multi_add(struct herd_fetch_call *call)
{
    struct herd_fetch *fetch = call->origin->fetch;
    if (!fetch->multi && herd_fetch_multi_open(fetch) < 0)
        return HERD_E_NOMEM;
    return curl_multi_add_handle(fetch->multi, call->easy->curl) == CURLM_OK ? 0 : HERD_E_NOMEM;
}

void herd_fetch_multi_remove(struct herd_fetch_call *call)
{
    struct herd_fetch *fetch = call->origin->fetch;
    /* Never blocks: libcurl was given the addresses, so no resolver thread of its own is running. */
    if (fetch->multi)
        (void)curl_multi_remove_handle(fetch->multi, call->easy->curl);
}
