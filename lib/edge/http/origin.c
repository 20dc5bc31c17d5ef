/* SPDX-License-Identifier: MIT */
/*
 * What a browser's page may do to a server that its user can reach and the page's author cannot.
 *
 *     Host      a name that is not ours: some other's name was given our address (DNS rebinding), and its page would count
 *               as our own. An address is no name, so nobody can do that to it
 *     Origin    browsers send it with whatever may change something, and with all that a script reads; "null" is nobody's
 *     Sec-Fetch-Site, Referer   what an image or a link of a page sends, without Origin
 */
#include "../../core/http/field_list.h"
#include "http_impl.h"

#include <arpa/inet.h>
#include <string.h>

/* ---- Host ---- */

/* The host of "host:port", without brackets. */
static struct herd_span host_of(struct herd_span host)
{
    if (host.len > 0 && host.at[0] == '[') {
        const char *end = memchr(host.at, ']', host.len);
        return end ? (struct herd_span){host.at + 1, (size_t)(end - host.at) - 1} : host;
    }
    const char *colon = host.len ? memchr(host.at, ':', host.len) : NULL;
    return colon ? (struct herd_span){host.at, (size_t)(colon - host.at)} : host;
}

static bool is_address(struct herd_span host)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    if (host.len == 0 || host.len >= sizeof text)
        return false;
    memcpy(text, host.at, host.len);
    text[host.len] = '\0';
    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static bool is_one_of(struct herd_span host, char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (herd_http_spans_equal_nocase(host, herd_span_of(names[i])))
            return true;
    return false;
}

bool herd_http_host_accepted(const struct herd_server *server, struct herd_span host)
{
    const struct herd_config *config = server->config;
    const struct herd_config_server *self = &config->servers[server->self];
    struct herd_span name = host_of(host);
    if (host.len == 0)
        return true; /* HTTP/1.0, which no browser speaks */
    if (name.len > 1 && name.at[name.len - 1] == '.')
        name.len--; /* the root of all names */
    return is_address(name) || herd_http_equal_nocase(name, "localhost") ||
           herd_http_spans_equal_nocase(name, herd_span_of(self->host)) ||
           is_one_of(name, self->listen, self->listen_count) ||
           is_one_of(name, self->http_listen, self->http_listen_count) ||
           is_one_of(name, config->http.hosts, config->http.host_count);
}

/* ---- Origin ---- */

static bool begins(struct herd_span text, const char *with)
{
    size_t len = strlen(with);
    return text.len >= len && herd_http_spans_equal_nocase((struct herd_span){text.at, len}, herd_span_of(with));
}

/* Whether an origin is that of this server's own pages: its Host was looked at already. One without TLS is not where this
 * connection has it: whoever is on the way may have written that page. The reverse is how a proxy with TLS looks. */
static bool is_own(struct herd_span origin, struct herd_span host, bool tls)
{
    size_t scheme = begins(origin, "https://") ? 8 : begins(origin, "http://") && !tls ? 7 : origin.len;
    return host.len > 0 &&
           herd_http_spans_equal_nocase((struct herd_span){origin.at + scheme, origin.len - scheme}, host);
}

static enum herd_http_page judge(const struct herd_http_request *request, struct herd_span origin,
                                 struct herd_span *ret_origin)
{
    const struct herd_config_http *http = &request->exchange.server->config->http;
    if (is_own(origin, request->head->host, herd_secure_stream(request->conn) != NULL))
        return HERD_HTTP_OWN_PAGE;
    if (!is_one_of(origin, http->origins, http->origin_count))
        return HERD_HTTP_FOREIGN_PAGE;
    *ret_origin = origin;
    return HERD_HTTP_LISTED_PAGE;
}

/* The origin of the page that a Referer names. */
static struct herd_span origin_of(struct herd_span url)
{
    size_t at = begins(url, "https://") ? 8 : begins(url, "http://") ? 7 : url.len;
    while (at < url.len && url.at[at] != '/' && url.at[at] != '?' && url.at[at] != '#')
        at++;
    return (struct herd_span){url.at, at};
}

enum herd_http_page herd_http_page_of(const struct herd_http_request *request, struct herd_span *ret_origin)
{
    const struct herd_http_head *head = request->head;
    struct herd_span value, unused;
    size_t count;
    *ret_origin = (struct herd_span){"", 0};
    if (herd_http_only(head, "origin", &value, &count))
        return judge(request, value, ret_origin);
    if (count > 1)
        return HERD_HTTP_FOREIGN_PAGE;
    if (herd_http_head_find(head, "sec-fetch-site", &value) > 0)
        return herd_http_equal_nocase(value, "same-origin") ? HERD_HTTP_OWN_PAGE
               : herd_http_equal_nocase(value, "none")      ? HERD_HTTP_NO_PAGE
                                                            : HERD_HTTP_FOREIGN_PAGE;
    if (herd_http_head_find(head, "referer", &value) > 0)
        return judge(request, origin_of(value), &unused);
    return HERD_HTTP_NO_PAGE;
}
