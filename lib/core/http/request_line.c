/* SPDX-License-Identifier: MIT */
/* Method, target and version (RFC 9112, 3). */
#include "request_line.h"

#include "../base/digits.h"
#include "../base/hex_digit.h"
#include "chars.h"
#include "field_list.h"

#define VERSION_LEN 8 /* HTTP/1.1 */

static int refuse(struct herd_http_fault *reterr_fault, int status, const char *message)
{
    *reterr_fault = (struct herd_http_fault){status, message};
    return HERD_E_SYNTAX;
}

static const char *const methods[HERD_HTTP_METHODS] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"};

const char *herd_http_method_name(enum herd_http_method method)
{
    return methods[method];
}

static bool read_method(struct herd_span text, enum herd_http_method *ret)
{
    for (unsigned i = 0; i < HERD_HTTP_METHODS; i++) {
        if (text.len == strlen(methods[i]) && memcmp(text.at, methods[i], text.len) == 0) {
            *ret = (enum herd_http_method)i;
            return true;
        }
    }
    return false;
}

bool herd_http_host_valid(struct herd_span text)
{
    const char *p = text.at, *end = p + text.len;
    if (text.len == 0)
        return false;
    if (*p == '[') {
        const char *from = ++p;
        while (p < end && (herd_hex_digit(*p) >= 0 || *p == ':' || *p == '.'))
            p++;
        if (p == from || p == end || *p++ != ']')
            return false;
    } else {
        p = herd_http_skip(p, end, HERD_HTTP_REG_NAME);
        if (p == text.at)
            return false;
    }
    if (p == end)
        return true;
    if (*p++ != ':' || end - p > 5)
        return false;
    while (p < end && herd_is_digit(*p))
        p++;
    return p == end;
}

/* Behind characters of a path, and escapes. */
static const char *skip_path(const char *p, const char *end)
{
    for (;;) {
        p = herd_http_skip(p, end, HERD_HTTP_PATH);
        if (end - p < 3 || *p != '%' || herd_hex_digit(p[1]) < 0 || herd_hex_digit(p[2]) < 0)
            return p;
        p += 3;
    }
}

/* [path] [? query]. Whether that is all up to `end`. A '%' in a query may be no escape: whoever reads its pairs decides,
 * for a phone would repeat for ever what is refused here. */
static bool read_path(struct herd_http_head *head, const char *p, const char *end)
{
    const char *stop = skip_path(p, end);
    head->path = (struct herd_span){p, (size_t)(stop - p)};
    head->query = (struct herd_span){NULL, 0};
    if (stop == end)
        return true;
    if (*stop != '?')
        return false;
    head->query = (struct herd_span){stop + 1, (size_t)(end - stop - 1)};
    return herd_http_skip(stop + 1, end, HERD_HTTP_QUERY) == end;
}

/* http://host[:port][path][?query], which proxies are sent, and any server has to take (RFC 9112, 3.2.2). */
static bool read_absolute(struct herd_http_head *head, struct herd_span target)
{
    const char *p = target.at, *end = p + target.len;
    size_t scheme = 0;
    while (scheme < target.len && p[scheme] != ':')
        scheme++;
    if (!herd_http_equal_nocase((struct herd_span){p, scheme}, "http") &&
        !herd_http_equal_nocase((struct herd_span){p, scheme}, "https"))
        return false;
    if (target.len - scheme < 3 || memcmp(p + scheme, "://", 3) != 0)
        return false;
    const char *host = p + scheme + 3, *stop = host;
    while (stop < end && *stop != '/' && *stop != '?')
        stop++;
    head->host = (struct herd_span){host, (size_t)(stop - host)};
    if (!herd_http_host_valid(head->host) || !read_path(head, stop, end))
        return false;
    if (head->path.len == 0)
        head->path = (struct herd_span){host - 1, 1}; /* "/", in the bytes of the head as well */
    return true;
}

static bool read_target(struct herd_http_head *head, struct herd_span target)
{
    head->host = (struct herd_span){NULL, 0};
    if (target.at[0] == '/')
        return read_path(head, target.at, target.at + target.len);
    if (target.len > 1 || target.at[0] != '*')
        return read_absolute(head, target);
    head->path = target;
    head->query = (struct herd_span){NULL, 0};
    return head->method == HERD_HTTP_OPTIONS;
}

/* HTTP/digit.digit; the digits' values. */
static bool read_version(const char *p, int *ret_major, int *ret_minor)
{
    if (memcmp(p, "HTTP/", 5) != 0 || !herd_is_digit(p[5]) || p[6] != '.' || !herd_is_digit(p[7]))
        return false;
    *ret_major = p[5] - '0';
    *ret_minor = p[7] - '0';
    return true;
}

int herd_http_request_line(struct herd_http_head *head, struct herd_span *io_rest,
                           struct herd_http_fault *reterr_fault)
{
    const char *begin = io_rest->at, *end = begin + io_rest->len;
    const char *method = herd_http_skip(begin, end, HERD_HTTP_TOKEN);
    if (method == begin || method == end || *method != ' ')
        return refuse(reterr_fault, 400, "the request line begins with no method");
    const char *target = method + 1, *target_end = target;
    while (target_end<end && * target_end> 0x20 && *target_end < 0x7f)
        target_end++;
    if (target_end == target || target_end == end || *target_end != ' ')
        return refuse(reterr_fault, 400, "the request line has no target that ends with one blank");
    const char *version = target_end + 1;
    int major = 0;
    if (end - version < VERSION_LEN + 2 || !read_version(version, &major, &head->minor) ||
        memcmp(version + VERSION_LEN, "\r\n", 2) != 0)
        return refuse(reterr_fault, 400, "the request line ends with no version");
    if (major != 1 || head->minor > 1)
        return refuse(reterr_fault, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    if (!read_method((struct herd_span){begin, (size_t)(method - begin)}, &head->method))
        return refuse(reterr_fault, 501, "method not known");
    if (!read_target(head, (struct herd_span){target, (size_t)(target_end - target)}))
        return refuse(reterr_fault, 400, "the target is not valid");
    io_rest->at = version + VERSION_LEN + 2;
    io_rest->len = (size_t)(end - io_rest->at);
    return 0;
}
