/* SPDX-License-Identifier: MIT */
/*
 * libcurl's multi-socket interface on libevent. The rules it is strict about: its timer callback must not call back
 * into it; transfers end through curl_multi_info_read only; and after an error of the multi handle nothing about
 * its transfers is certain.
 */
#include "fetch_multi.h"

#include "../clock.h"
#include "fetch_watch.h"

#include <assert.h>

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    struct herd_fetch_multi *multi = ctx;
    multi->sockets.ready(multi->sockets.ctx, CURL_SOCKET_TIMEOUT, 0);
}

static int socket_cb(CURL *easy, curl_socket_t fd, int what, void *userp, void *socketp)
{
    (void)easy;
    (void)socketp;
    struct herd_fetch_multi *multi = userp;
    return herd_fetch_watch_set(&multi->sockets, fd, what);
}

static int timer_cb(CURLM *curl, long timeout_ms, void *userp)
{
    (void)curl;
    struct herd_fetch_multi *multi = userp;
    if (timeout_ms < 0)
        return event_del(multi->timer);
    if (timeout_ms == 0) { /* in this loop iteration, once, for all that begins in it */
        event_active(multi->timer, EV_TIMEOUT, 0);
        return 0;
    }
    struct timeval wait = herd_timeval_ms(timeout_ms);
    /* Without memory it fires at once, and libcurl sets it anew: after a failure here libcurl 7.88 leaves a handle
     * that points to a multi handle which does not hold it. */
    if (event_add(multi->timer, &wait) < 0)
        event_active(multi->timer, EV_TIMEOUT, 0);
    return 0;
}

static int open_again(struct herd_fetch_multi *multi)
{
    assert(!multi->curl && !multi->timer);
    multi->timer = evtimer_new(multi->sockets.base, on_timer, multi);
    multi->curl = curl_multi_init();
    if (!multi->timer || !multi->curl) {
        herd_fetch_multi_close(multi);
        return HERD_E_NOMEM;
    }
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, socket_cb);
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, timer_cb);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
    /* Above what is in flight as a rule, or connections are closed that the next request needs. */
    curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, 128L);
    return 0;
}

int herd_fetch_multi_open(struct herd_fetch_multi *multi, struct event_base *base, herd_fetch_ready *ready,
                          void *ctx)
{
    multi->sockets.base = base;
    multi->sockets.ready = ready;
    multi->sockets.ctx = ctx;
    return open_again(multi);
}

void herd_fetch_multi_close(struct herd_fetch_multi *multi)
{
    assert(!multi->stepping);
    if (multi->curl)
        curl_multi_cleanup(multi->curl);
    multi->curl = NULL;
    herd_fetch_watch_free_all(&multi->sockets);
    if (multi->timer)
        event_free(multi->timer);
    multi->timer = NULL;
}

int herd_fetch_multi_add(struct herd_fetch_multi *multi, CURL *easy)
{
    if (!multi->curl && open_again(multi) < 0)
        return HERD_E_NOMEM;
    return curl_multi_add_handle(multi->curl, easy) == CURLM_OK ? 0 : HERD_E_NOMEM;
}

void herd_fetch_multi_remove(struct herd_fetch_multi *multi, CURL *easy)
{
    assert(multi->curl && !multi->stepping);
    /* Never blocks: libcurl was given the addresses, so no resolver thread of its own is running. */
    (void)curl_multi_remove_handle(multi->curl, easy);
}

int herd_fetch_multi_step(struct herd_fetch_multi *multi, curl_socket_t fd, int what)
{
    int running;
    assert(multi->curl && !multi->stepping);
    multi->stepping = true;
    CURLMcode code = curl_multi_socket_action(multi->curl, fd, what, &running);
    multi->stepping = false;
    return code == CURLM_OK ? 0 : HERD_E_IO;
}

void *herd_fetch_multi_next_done(struct herd_fetch_multi *multi, CURLcode *ret_code)
{
    CURLMsg *message;
    int left;
    while (multi->curl && (message = curl_multi_info_read(multi->curl, &left))) {
        char *private = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        *ret_code = message->data.result;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        assert(private);
        return private;
    }
    return NULL;
}
