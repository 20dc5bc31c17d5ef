/* SPDX-License-Identifier: MIT */
/*
 * GET / without a query: the page on which people see the herd. With one it is a report of a phone (trackers.c). Everybody may
 * have it: it says nothing of this server, and asks for what it shows with the rights of who looks. It is one file, made by
 * embed_page.py of what is in page/, and the policy that is sent with it lets it ask this server and no other.
 */
#include "../../core/http/entity_tag.h"
#include "http_impl.h"

#include "page.inc"

static const struct {
    const char *name, *value;
} headers[] = {
    {"Content-Security-Policy", PAGE_POLICY},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"X-Frame-Options", "DENY"}, /* for browsers that do not know frame-ancestors */
    {"Cache-Control", "no-cache"},
    {"Vary", "Accept-Encoding"},
};

static int get_page(struct herd_http_exchange *exchange)
{
    struct herd_span value;
    const bool zipped =
        herd_http_header(exchange, "Accept-Encoding", &value) && herd_http_accepts_coding(value, "gzip");
    const struct herd_span tag = herd_span_of(zipped ? PAGE_TAG_GZIP : PAGE_TAG_PLAIN);
    const void *bytes = zipped ? page_gzip : page_plain;
    int err = herd_http_add_header(exchange, "ETag", tag);
    for (size_t i = 0; i < sizeof headers / sizeof *headers && err >= 0; i++)
        err = herd_http_add_header(exchange, headers[i].name, herd_span_of(headers[i].value));
    if (err >= 0 && herd_http_header(exchange, "If-None-Match", &value) && herd_http_tag_listed(value, tag))
        return herd_http_reply(exchange, 304, NULL);
    if (err >= 0 && zipped)
        err = herd_http_add_header(exchange, "Content-Encoding", herd_span_of("gzip"));
    return err < 0
               ? err
               : herd_http_reply_static(exchange, 200, "text/html; charset=utf-8",
                                        (struct herd_span){bytes, zipped ? sizeof page_gzip : sizeof page_plain});
}

static const struct herd_http_route routes[] = {
    {.methods = HERD_HTTP_ON_GET, .path = "/", .handler = get_page, .right = HERD_HTTP_PUBLIC, .bare = true},
};

const struct herd_http_module herd_http_page = {.routes = routes, .route_count = sizeof routes / sizeof *routes};
