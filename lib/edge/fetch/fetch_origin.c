/* SPDX-License-Identifier: MIT */
/* Checks the URL of an origin, and looks its addresses up without blocking. */
#include "fetch_origin.h"

#include "../clock.h"
#include "fetch_easy.h"

#include <assert.h>
#include <event2/util.h>

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The C library does not return an answer's TTL; after a minute at most a provider's new address is used. */
#define ADDRESSES_FRESH_MS 60000
#define ADDRESSES_MAX      8

static bool is_loopback(const char *host, bool *ret_fixed)
{
    struct in_addr four;
    struct in6_addr six;
    *ret_fixed = true;
    if (evutil_inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    if (evutil_inet_pton(AF_INET6, host, &six) == 1)
        return IN6_IS_ADDR_LOOPBACK(&six);
    *ret_fixed = strcmp(host, "localhost") == 0;
    return *ret_fixed;
}

static const char *read_url(struct herd_fetch_origin *origin, CURLU *u, const char *url)
{
    char *part = NULL;
    if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK)
        return "not a URL";
    if (curl_url_get(u, CURLUPART_USER, &part, 0) != CURLUE_NO_USER) {
        curl_free(part);
        return "a URL with a user is not accepted";
    }
    if (curl_url_get(u, CURLUPART_FRAGMENT, &part, 0) != CURLUE_NO_FRAGMENT) {
        curl_free(part);
        return "a URL with a fragment is not accepted";
    }
    char *scheme = NULL, *host = NULL, *port = NULL;
    const char *why = "not a URL";
    if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        bool brackets = host[0] == '['; /* and a ] at the end */
        origin->host = brackets ? strndup(host + 1, strlen(host) - 2) : strdup(host);
        origin->port = (uint16_t)strtoul(port, NULL, 10);
        if (!origin->host) {
            why = NULL;
        } else {
            bool loopback = is_loopback(origin->host, &origin->fixed);
            why = "";
            if (strcmp(scheme, "https") != 0 && (strcmp(scheme, "http") != 0 || !loopback))
                why = "only https:// is accepted, and http:// to a loopback address";
        }
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    return why;
}

int herd_fetch_origin_new(struct herd_fetch *fetch, struct herd_fetch_origin **ret_origin, const char *url,
                          const char *ca_file, const char **reterr_why)
{
    int err = HERD_E_NOMEM;
    *reterr_why = "out of memory";
    CURLU *u = curl_url();
    struct herd_fetch_origin *origin = calloc(1, sizeof *origin);
    if (!u || !origin || (ca_file && !(origin->ca_file = strdup(ca_file))))
        goto out;
    const char *why = read_url(origin, u, url);
    if (!why)
        goto out;
    if (*why) {
        *reterr_why = why;
        err = HERD_E_SYNTAX;
        goto out;
    }
    origin->fetch = fetch;
    origin->next = fetch->origins;
    fetch->origins = origin;
    *ret_origin = origin;
    origin = NULL;
    err = 0;
out:
    curl_url_cleanup(u);
    herd_fetch_origin_free(origin);
    return err;
}

void herd_fetch_origin_free(struct herd_fetch_origin *origin)
{
    if (!origin)
        return;
    herd_resolver_cancel(origin->resolving);
    herd_fetch_easy_free_idle(origin);
    free(origin->host);
    free(origin->ca_file);
    free(origin->addresses);
    free(origin);
}

bool herd_fetch_origin_ready(const struct herd_fetch_origin *origin)
{
    return origin->fixed || (origin->addresses && herd_clock_steady_ms() < origin->fresh_until_ms);
}

/* "host:port:address,address"; NULL for no memory or no address. */
static char *addresses_text(const struct herd_fetch_origin *origin, const struct herd_sockaddr_list *list)
{
    struct herd_buf text = {0};
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)origin->port);
    int err = 0, count = 0;
    if (herd_buf_add_text(&text, origin->host) < 0 || herd_buf_add_text(&text, ":") < 0 ||
        herd_buf_add_text(&text, port) < 0)
        err = HERD_E_NOMEM;
    for (size_t i = 0; i < list->count && err == 0 && count < ADDRESSES_MAX; i++) {
        char address[64];
        const struct herd_sockaddr *at = &list->at[i];
        bool six = at->u.any.sa_family == AF_INET6;
        const void *bytes = six ? (const void *)&at->u.in6.sin6_addr : (const void *)&at->u.in.sin_addr;
        if (!evutil_inet_ntop(at->u.any.sa_family, bytes, address, sizeof address))
            continue;
        if (herd_buf_add_text(&text, count++ ? "," : ":") < 0 || herd_buf_add_text(&text, six ? "[" : "") < 0 ||
            herd_buf_add_text(&text, address) < 0 || herd_buf_add_text(&text, six ? "]" : "") < 0)
            err = HERD_E_NOMEM;
    }
    if (err < 0 || !count || herd_buf_add(&text, "", 1) < 0) {
        herd_buf_fini(&text);
        return NULL;
    }
    return text.at;
}

static void on_resolved(void *ctx, const struct herd_sockaddr_list *found, const char *why, bool local)
{
    struct herd_fetch_origin *origin = ctx;
    (void)local;
    origin->resolving = NULL;
    char *text = why ? NULL : addresses_text(origin, found);
    if (text) {
        free(origin->addresses);
        origin->addresses = text;
        origin->fresh_until_ms = herd_clock_steady_ms() + ADDRESSES_FRESH_MS;
    }
    origin->resolved(origin);
}

static int make_resolver(struct herd_fetch *fetch)
{
    return fetch->resolver ? 0 : herd_resolver_new(&fetch->resolver, fetch->base);
}

void herd_fetch_set_resolver(struct herd_fetch *fetch, struct herd_resolver *resolver)
{
    struct herd_resolver *before = fetch->resolver;
    fetch->resolver = herd_resolver_acquire(resolver);
    herd_resolver_release(before);
}

int herd_fetch_resolver(struct herd_fetch *fetch, const char *address)
{
    int err = make_resolver(fetch);
    return err < 0 ? err : herd_resolver_nameserver(fetch->resolver, address);
}

int herd_fetch_origin_resolve(struct herd_fetch_origin *origin, herd_fetch_resolved *resolved)
{
    struct herd_fetch *fetch = origin->fetch;
    assert(!origin->fixed);
    origin->resolved = resolved;
    if (origin->resolving)
        return 0;
    if (make_resolver(fetch) < 0)
        return HERD_E_NOMEM;
    return herd_resolver_lookup(fetch->resolver, origin->host, origin->port, on_resolved, origin,
                                &origin->resolving);
}
