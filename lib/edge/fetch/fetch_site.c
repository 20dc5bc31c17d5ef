/* SPDX-License-Identifier: MIT */
/* Where requests go: URLs that are accepted, and the addresses behind their names, found without blocking. */
#include "fetch_parts.h"

#include <event2/dns.h>
#include <event2/util.h>

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* evdns does not tell how long an answer lives; a minute follows any move of a provider soon enough. */
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

static const char *read_url(struct herd_fetch_site *site, CURLU *u, const char *url)
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
        size_t len = strlen(host);
        bool brackets = len > 2 && host[0] == '[' && host[len - 1] == ']';
        site->host = strdup(brackets ? host + 1 : host);
        if (site->host && brackets)
            site->host[len - 2] = '\0';
        site->port = (uint16_t)strtoul(port, NULL, 10);
        if (!site->host) {
            why = NULL;
        } else {
            bool loopback = is_loopback(site->host, &site->fixed);
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

int herd_fetch_site_new(struct herd_fetch *fetch, struct herd_fetch_site **ret_site, const char *url,
                        const char *ca_file, const char **reterr_why)
{
    int err = HERD_E_NOMEM;
    *reterr_why = "out of memory";
    CURLU *u = curl_url();
    struct herd_fetch_site *site = calloc(1, sizeof *site);
    if (!u || !site || (ca_file && !(site->ca_file = strdup(ca_file))))
        goto out;
    const char *why = read_url(site, u, url);
    if (!why)
        goto out;
    if (*why) {
        *reterr_why = why;
        err = HERD_E_SYNTAX;
        goto out;
    }
    site->fetch = fetch;
    site->next = fetch->sites;
    fetch->sites = site;
    *ret_site = site;
    site = NULL;
    err = 0;
out:
    curl_url_cleanup(u);
    herd_fetch_site_free(site);
    return err;
}

void herd_fetch_site_free(struct herd_fetch_site *site)
{
    if (!site)
        return;
    if (site->resolve) {
        site->resolve->site = NULL;
        evdns_getaddrinfo_cancel(site->resolve->request);
    }
    herd_fetch_easy_free_idle(site);
    free(site->host);
    free(site->ca_file);
    free(site->addresses);
    free(site);
}

bool herd_fetch_site_ready(struct herd_fetch_site *site)
{
    return site->fixed || (site->addresses && herd_fetch_now_ms() < site->fresh_until_ms);
}

/* "host:port:address,address"; NULL for no memory or no address. */
static char *addresses_text(const struct herd_fetch_site *site, const struct evutil_addrinfo *list)
{
    struct herd_buf text = {0};
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)site->port);
    int err = 0, count = 0;
    if (herd_buf_add_text(&text, site->host) < 0 || herd_buf_add_text(&text, ":") < 0 ||
        herd_buf_add_text(&text, port) < 0)
        err = HERD_E_NOMEM;
    for (; list && err == 0 && count < ADDRESSES_MAX; list = list->ai_next) {
        char address[64];
        const void *at = NULL;
        if (list->ai_family == AF_INET)
            at = &((const struct sockaddr_in *)(const void *)list->ai_addr)->sin_addr;
        else if (list->ai_family == AF_INET6)
            at = &((const struct sockaddr_in6 *)(const void *)list->ai_addr)->sin6_addr;
        if (!at || !evutil_inet_ntop(list->ai_family, at, address, sizeof address))
            continue;
        bool six = list->ai_family == AF_INET6;
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

static void free_dns_now(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    struct herd_fetch_dns *dns = ctx;
    if (dns->base)
        evdns_base_free(dns->base, 0);
    free(dns);
}

void herd_fetch_dns_free(struct herd_fetch_dns *dns)
{
    if (!dns)
        return;
    dns->orphan = true;
    if (!dns->pending)
        free_dns_now(-1, 0, dns);
}

/* A call of evdns has come; not from inside it, but soon after the last one, an orphan goes. */
static void dns_called(struct herd_fetch_dns *dns)
{
    struct timeval soon = {0, 0};
    if (--dns->pending == 0 && dns->orphan)
        (void)event_base_once(dns->loop, -1, EV_TIMEOUT, free_dns_now, dns, &soon);
}

static void resolved(int result, struct evutil_addrinfo *list, void *ctx)
{
    struct herd_fetch_resolve *resolve = ctx;
    struct herd_fetch_site *site = resolve->site;
    resolve->running = false;
    dns_called(resolve->dns);
    if (site) {
        site->resolve = NULL;
        char *text = result == 0 ? addresses_text(site, list) : NULL;
        if (text) {
            free(site->addresses);
            site->addresses = text;
            site->fresh_until_ms = herd_fetch_now_ms() + ADDRESSES_FRESH_MS;
        }
    }
    if (list)
        evutil_freeaddrinfo(list);
    /* Addresses of a while ago are better than none while the name servers are away. Neither function runs
     * a callback of ours, so the list of calls stays as it is. */
    for (struct herd_fetch_call *call = site ? site->fetch->calls : NULL; call; call = call->next) {
        if (call->site != site || call->state != HERD_FETCH_RESOLVING)
            continue;
        if (site->addresses)
            herd_fetch_go(call);
        else
            herd_fetch_end(call, HERD_E_ADDRESS, "the provider's host name cannot be resolved");
    }
    if (resolve->request)
        free(resolve);
}

static struct herd_fetch_dns *dns_of(struct herd_fetch *fetch)
{
    if (fetch->dns)
        return fetch->dns;
    struct herd_fetch_dns *dns = calloc(1, sizeof *dns);
    if (!dns)
        return NULL;
    dns->loop = fetch->base;
    /* Without "when inactive" a loop with nothing else to do would never end. */
    dns->base = evdns_base_new(fetch->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (!dns->base) {
        free(dns);
        return NULL;
    }
    (void)evdns_base_resolv_conf_parse(dns->base, DNS_OPTIONS_ALL, "/etc/resolv.conf");
    if (evdns_base_count_nameservers(dns->base) == 0)
        (void)evdns_base_nameserver_ip_add(dns->base, "127.0.0.1");
    return fetch->dns = dns;
}

int herd_fetch_resolver(struct herd_fetch *fetch, const char *address)
{
    struct herd_fetch_dns *owner = dns_of(fetch);
    if (!owner)
        return HERD_E_NOMEM;
    struct evdns_base *dns = owner->base;
    (void)evdns_base_clear_nameservers_and_suspend(dns);
    if (evdns_base_nameserver_ip_add(dns, address) != 0)
        return HERD_E_ADDRESS;
    return evdns_base_resume(dns) == 0 ? 0 : HERD_E_ADDRESS;
}

void herd_fetch_site_resolve(struct herd_fetch_site *site)
{
    if (site->resolve)
        return;
    struct herd_fetch_dns *dns = dns_of(site->fetch);
    struct herd_fetch_resolve *resolve = dns ? calloc(1, sizeof *resolve) : NULL;
    if (!resolve) {
        for (struct herd_fetch_call *call = site->fetch->calls; call; call = call->next)
            if (call->site == site && call->state == HERD_FETCH_RESOLVING)
                herd_fetch_end(call, HERD_E_NOMEM, "out of memory");
        return;
    }
    struct evutil_addrinfo hints = {0};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_protocol = IPPROTO_TCP;
    hints.ai_flags = EVUTIL_AI_ADDRCONFIG;
    resolve->site = site;
    resolve->running = true;
    resolve->dns = dns;
    dns->pending++;
    site->resolve = resolve;
    struct evdns_getaddrinfo_request *request =
        evdns_getaddrinfo(dns->base, site->host, NULL, &hints, resolved, resolve);
    /* Names in /etc/hosts are answered before the call returns, and then there is no request. */
    if (!resolve->running)
        free(resolve);
    else
        resolve->request = request;
}
