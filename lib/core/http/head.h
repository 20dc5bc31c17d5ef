/* SPDX-License-Identifier: MIT */
/*
 * The head of an HTTP/1.1 request (RFC 9112, RFC 9110): where it ends, and what it says.
 *
 * Strict: what two programs could read differently is refused, so that a proxy in front and this server always agree
 * where a request ends. Nothing is allocated; everything is borrowed from the bytes.
 *
 *     struct herd_http_scan scan = {0};                       one for each request
 *     switch (herd_http_head_scan(&scan, bytes, 8192, &fault)) {
 *     case HERD_HTTP_MORE: return;                            read more, call again with all bytes since the beginning
 *     case HERD_HTTP_FAULT: reply with fault.status, close
 *     case HERD_HTTP_DONE:
 *         if (herd_http_head_parse(&head, herd_http_scan_head(&scan, bytes), &fault) < 0) reply, close
 *         the body begins at bytes.at + scan.at
 *     }
 */
#ifndef HERD_CORE_HTTP_HEAD_H
#define HERD_CORE_HTTP_HEAD_H

#include "fault.h"

#include <herd/types.h>

#define HERD_HTTP_HEAD_MAX_BYTES 8192  /* the usual bound of a head */
#define HERD_HTTP_HEAD_LIMIT     65535 /* no bound may be above: places in a head are 16 bits */
#define HERD_HTTP_FIELDS_MAX     64

enum herd_http_progress { HERD_HTTP_MORE, HERD_HTTP_DONE, HERD_HTTP_FAULT };

/* How far a head was looked at. Zero at the beginning of each request. */
struct herd_http_scan {
    size_t from; /* where the head begins: behind one empty line, which is skipped (RFC 9112, 2.2) */
    size_t at;   /* bytes looked at; when done, all of the head with the empty line that ends it */
    size_t line; /* where the line that `at` is in begins */
};

/*
 * Looks for the end of the head. `bytes` is everything that came since the request began; bytes that were looked at
 * are not looked at again. Refuses as soon as it is seen what no head holds: a first byte that begins no method (TLS,
 * a blank), LF without CR, CR without LF, a control character (400). No end within `head_max` bytes: 414 in the
 * request line, else 431. `head_max` is at most HERD_HTTP_HEAD_LIMIT.
 */
enum herd_http_progress herd_http_head_scan(struct herd_http_scan *io_scan, struct herd_span bytes, size_t head_max,
                                            struct herd_http_fault *reterr_fault);

/* The head that a scan found in the same `bytes`. */
static inline struct herd_span herd_http_scan_head(const struct herd_http_scan *scan, struct herd_span bytes)
{
    return (struct herd_span){bytes.at + scan->from, scan->at - scan->from};
}

/* Other methods are refused with 501. */
enum herd_http_method {
    HERD_HTTP_GET,
    HERD_HTTP_HEAD,
    HERD_HTTP_POST,
    HERD_HTTP_PUT,
    HERD_HTTP_DELETE,
    HERD_HTTP_OPTIONS,
    HERD_HTTP_PATCH,
    HERD_HTTP_METHODS, /* how many */
};

/* As it is written in a request line; static. */
const char *herd_http_method_name(enum herd_http_method method);

enum herd_http_framing { HERD_HTTP_NO_BODY, HERD_HTTP_LENGTH, HERD_HTTP_CHUNKED };

/* Where a field line is in the head. */
struct herd_http_field {
    uint16_t name, name_len, value, value_len;
};

struct herd_http_head {
    const char *at; /* the bytes of the head */
    enum herd_http_method method;
    int minor;              /* HTTP/1.minor: 0 or 1 */
    struct herd_span path;  /* as sent, still escaped: begins with '/', or is "*" (OPTIONS) */
    struct herd_span query; /* behind '?', as sent: escapes may be bad; `at` is NULL where there is no '?' */
    struct herd_span host;  /* host or host:port, valid characters; empty only in HTTP/1.0 */
    enum herd_http_framing framing;
    uint64_t content_length; /* HERD_HTTP_LENGTH; UINT64_MAX stands for all that are larger */
    bool keep_alive;         /* by version and Connection: the client can take a further reply */
    bool expect_continue;    /* wants 100 before it sends its body; never without a body or in HTTP/1.0 */
    size_t field_count;
    struct herd_http_field fields[HERD_HTTP_FIELDS_MAX];
};

/*
 * Reads a whole head, the empty line at its end included. Borrowed until `head` is freed or moved. HERD_E_SYNTAX, with
 * *ret_head spoilt and a fault of
 *   400  bytes or fields not as the RFCs say; not exactly one Host in HTTP/1.1, or a different one than that of an
 *        absolute target; Content-Length twice, or not digits; Transfer-Encoding beside it, in HTTP/1.0, twice, or
 *        without chunked as the last coding
 *   417  an expectation that is not 100-continue
 *   431  more than HERD_HTTP_FIELDS_MAX fields
 *   501  a method that is not in the list above, or a transfer coding other than chunked
 *   505  another version than 1.0 and 1.1; the preface of HTTP/2
 */
int herd_http_head_parse(struct herd_http_head *ret_head, struct herd_span head,
                         struct herd_http_fault *reterr_fault);

/* The bytes of the head are at `at` now: lets everything point there. They must not have changed. */
void herd_http_head_rebase(struct herd_http_head *head, const char *at);

/* The fields in the order sent, `i` below field_count; the value without white space around it. */
static inline struct herd_span herd_http_field_name(const struct herd_http_head *head, size_t i)
{
    return (struct herd_span){head->at + head->fields[i].name, head->fields[i].name_len};
}

static inline struct herd_span herd_http_field_value(const struct herd_http_head *head, size_t i)
{
    return (struct herd_span){head->at + head->fields[i].value, head->fields[i].value_len};
}

/* How often the field `name` is there; cases of ASCII letters are equal. *ret_value is the first one's, and is not
 * written if there is none. Whoever decides by a field that may be there once must refuse 2. */
size_t herd_http_head_find(const struct herd_http_head *head, const char *name, struct herd_span *ret_value);

#endif
