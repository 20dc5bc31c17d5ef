/* SPDX-License-Identifier: MIT */
/*
 * libcurl alone on libevent, asking an HTTP server as one of its clients can at best: handles that are set up once,
 * connections that are kept, nothing done with what comes back. What a look-up that is passed on through libcurl
 * cannot be faster than.
 *
 *     floor-curl PORT IN_FLIGHT MILLISECONDS     prints {"requests":N,"throughput":R,"cpu_ns_per_request":T}
 */
#include "edge.h"

#include <curl/curl.h>
#include <event2/event.h>

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static struct {
    struct event_base *base;
    struct event *timer;
    CURLM *multi;
    uint64_t asked, answered;
    int64_t end_ns;
    int running;
} state;

static size_t on_body(char *at, size_t size, size_t count, void *ctx)
{
    (void)at;
    (void)ctx;
    return size * count;
}

/* Each request is another one, as each look-up is. */
static void begin(CURL *easy)
{
    char target[128];

    snprintf(target, sizeof(target), "/?location=34.%09llu,-118.445127&radius=10000&key=key-of-the-benchmark",
             (unsigned long long)state.asked++);
    if (curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, target) != CURLE_OK ||
        curl_multi_add_handle(state.multi, easy) != CURLM_OK)
        die("out of memory");
}

static void act(curl_socket_t fd, int what)
{
    CURLMsg *message;
    int left;

    if (curl_multi_socket_action(state.multi, fd, what, &state.running) != CURLM_OK)
        die("libcurl failed");
    while ((message = curl_multi_info_read(state.multi, &left)) != NULL) {
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        long status = 0;

        if (code != CURLE_OK || curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK ||
            status != 200)
            die("a request failed: %s, HTTP status %ld", curl_easy_strerror(code), status);
        state.answered++;
        curl_multi_remove_handle(state.multi, easy);
        if (clock_ns() < state.end_ns)
            begin(easy);
        else
            curl_easy_cleanup(easy);
    }
    if (state.answered == state.asked)
        event_base_loopbreak(state.base);
}

static void on_socket(evutil_socket_t fd, short what, void *ctx)
{
    (void)ctx;
    act(fd, ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) | ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0));
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    (void)ctx;
    act(CURL_SOCKET_TIMEOUT, 0);
}

static int socket_cb(CURL *easy, curl_socket_t fd, int what, void *userp, void *socketp)
{
    struct event *event = socketp;

    (void)easy;
    (void)userp;
    if (event != NULL)
        event_free(event);
    event = NULL;
    if (what != CURL_POLL_REMOVE) {
        event = event_new(state.base, fd,
                          (short)(((what & CURL_POLL_IN) != 0 ? EV_READ : 0) |
                                  ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0) | EV_PERSIST),
                          on_socket, NULL);
        if (event == NULL || event_add(event, NULL) < 0)
            die("out of memory");
    }
    curl_multi_assign(state.multi, fd, event);
    return 0;
}

static int timer_cb(CURLM *multi, long timeout_ms, void *userp)
{
    struct timeval wait = {timeout_ms / 1000, timeout_ms % 1000 * 1000};

    (void)multi;
    (void)userp;
    if (timeout_ms < 0)
        return event_del(state.timer);
    if (timeout_ms > 0)
        return event_add(state.timer, &wait);
    event_active(state.timer, EV_TIMEOUT, 0);
    return 0;
}

static CURL *easy_make(uint16_t port)
{
    CURL *easy = curl_easy_init();
    char url[64];

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", (unsigned)port);
    if (easy == NULL || curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_PROXY, "") != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) != CURLE_OK)
        die("out of memory");
    return easy;
}

int main(int argc, char **argv)
{
    int64_t start_ns, cpu_ns, i, in_flight;
    uint16_t port;
    double seconds;

    if (argc != 4)
        die("usage: floor-curl PORT IN_FLIGHT MILLISECONDS");
    port = (uint16_t)number_of(argv[1], "PORT", 1, 65535);
    in_flight = number_of(argv[2], "IN_FLIGHT", 1, 1024);
    state.base = event_base_new();
    if (state.base == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        die("out of memory");
    state.timer = evtimer_new(state.base, on_timer, NULL);
    state.multi = curl_multi_init();
    if (state.timer == NULL || state.multi == NULL)
        die("out of memory");
    curl_multi_setopt(state.multi, CURLMOPT_SOCKETFUNCTION, socket_cb);
    curl_multi_setopt(state.multi, CURLMOPT_TIMERFUNCTION, timer_cb);
    curl_multi_setopt(state.multi, CURLMOPT_MAXCONNECTS, (long)in_flight * 2);
    start_ns = clock_ns();
    cpu_ns = cpu_ns_of(getpid());
    state.end_ns = start_ns + number_of(argv[3], "MILLISECONDS", 1, 3600000) * 1000000;
    for (i = 0; i < in_flight; i++)
        begin(easy_make(port));
    if (event_base_dispatch(state.base) < 0)
        die("the event loop failed");
    seconds = (double)(clock_ns() - start_ns) / 1e9;
    cpu_ns = cpu_ns_of(getpid()) - cpu_ns;
    printf("{\"requests\":%llu,\"throughput\":%.0f,\"cpu_ns_per_request\":%.1f}\n",
           (unsigned long long)state.answered, (double)state.answered / seconds,
           (double)cpu_ns / (double)state.answered);
    curl_multi_cleanup(state.multi);
    event_free(state.timer);
    event_base_free(state.base);
    curl_global_cleanup();
    return fflush(stdout) == 0 ? 0 : 1;
}
