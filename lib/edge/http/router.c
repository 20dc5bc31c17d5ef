/* SPDX-License-Identifier: MIT */
/* Which route a path is of. */
#include "http_impl.h"

#include <string.h>

/* Whether `path` is of the pattern; what stands for each `{}`, still escaped, is in `segments`. */
static bool matches(const char *pattern, struct herd_span path, struct herd_span segments[HERD_HTTP_SEGMENTS_MAX],
                    size_t *ret_count)
{
    size_t at = 0, count = 0;
    while (*pattern) {
        if (pattern[0] == '{' && pattern[1] == '}') {
            const char *end = at < path.len ? memchr(path.at + at, '/', path.len - at) : NULL;
            size_t len = end ? (size_t)(end - path.at) - at : path.len - at;
            if (len == 0 || count == HERD_HTTP_SEGMENTS_MAX)
                return false;
            segments[count++] = (struct herd_span){path.at + at, len};
            at += len;
            pattern += 2;
        } else if (at < path.len && path.at[at] == *pattern) {
            at++;
            pattern++;
        } else {
            return false;
        }
    }
    *ret_count = count;
    return at == path.len;
}

/* Whether the request says nothing but its path. */
static bool is_bare(const struct herd_http_request *request)
{
    const struct herd_http_head *head = request->head;
    return request->exchange.query.len == 0 &&
           (head->framing == HERD_HTTP_NO_BODY || (head->framing == HERD_HTTP_LENGTH && head->content_length == 0));
}

bool herd_http_route_find(struct herd_http_request *request, unsigned on, unsigned *ret_methods)
{
    struct herd_http_exchange *exchange = &request->exchange;
    struct herd_http *http = exchange->http;
    *ret_methods = 0;
    for (size_t i = 0; i < http->part_count; i++) {
        struct herd_http_part *part = &http->parts[i];
        for (size_t j = 0; j < part->module->route_count; j++) {
            const struct herd_http_route *route = &part->module->routes[j];
            if (request->conn->admin && route->right == HERD_HTTP_CLIENT)
                continue; /* admin_port is no way to clients */
            if (!matches(route->path, exchange->path, exchange->segments, &exchange->segment_count))
                continue;
            *ret_methods |= route->methods;
            if (!(route->methods & on) || (route->bare && !is_bare(request)))
                continue;
            exchange->route = route;
            exchange->state = part->state;
            request->part = part;
            return true;
        }
    }
    return false;
}

/* Whether what stands before the first `{}` of a pattern is anywhere in `path`. */
static bool has_front(const char *pattern, struct herd_span path)
{
    size_t len = (size_t)(strchr(pattern, '{') - pattern);
    for (size_t at = 0; at + len <= path.len; at++)
        if (memcmp(path.at + at, pattern, len) == 0)
            return true;
    return false;
}

const char *herd_http_path_hidden(const struct herd_http *http, struct herd_span path)
{
    for (size_t i = 0; i < http->part_count; i++) {
        const struct herd_http_module *module = http->parts[i].module;
        for (size_t j = 0; j < module->route_count; j++)
            if (module->routes[j].hides_path && has_front(module->routes[j].path, path))
                return module->routes[j].path;
    }
    return NULL;
}

int herd_http_methods_text(unsigned methods, struct herd_buf *out)
{
    static const struct {
        unsigned on;
        const char *text;
    } names[] = {{HERD_HTTP_ON_GET, "GET, HEAD, "},
                 {HERD_HTTP_ON_POST, "POST, "},
                 {HERD_HTTP_ON_PUT, "PUT, "},
                 {HERD_HTTP_ON_DELETE, "DELETE, "}};
    int err = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names && err >= 0; i++)
        if (methods & names[i].on)
            err = herd_buf_add_text(out, names[i].text);
    return err < 0 ? err : herd_buf_add_text(out, "OPTIONS");
}
