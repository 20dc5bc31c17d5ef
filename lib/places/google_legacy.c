/* SPDX-License-Identifier: MIT */
/* Google Nearby Search (legacy): GET, the key in the URL, always HTTP 200, the result is in `status`. */
#include "google.h"
#include "raw.h"

#include <stdio.h>
#include <string.h>

/* Appends what is not unreserved (RFC 3986) as %XX. */
static int add_query_text(struct herd_buf *out, struct herd_span text)
{
    static const char hex[] = "0123456789ABCDEF";
    int err = herd_buf_reserve(out, 3 * text.len);
    if (err < 0)
        return err;
    char *to = out->at + out->len;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
                     c == '.' || c == '_' || c == '~';
        if (plain) {
            *to++ = (char)c;
        } else {
            *to++ = '%';
            *to++ = hex[c >> 4];
            *to++ = hex[c & 15];
        }
    }
    out->len = (size_t)(to - out->at);
    return 0;
}

int herd_google_legacy_url(struct herd_buf *out, const char *url, const struct herd_places_query *query,
                           struct herd_span key)
{
    int err;
    if ((err = herd_buf_add_text(out, url)) < 0 ||
        (err = herd_buf_add_text(out, strchr(url, '?') ? "&location=" : "?location=")) < 0 ||
        (err = herd_buf_add(out, query->lat.at, query->lat.len)) < 0 || (err = herd_buf_add_text(out, ",")) < 0 ||
        (err = herd_buf_add(out, query->lon.at, query->lon.len)) < 0 ||
        (err = herd_buf_add_text(out, "&radius=")) < 0 ||
        (err = herd_buf_add(out, query->radius.at, query->radius.len)) < 0 ||
        (err = herd_buf_add_text(out, "&key=")) < 0 || (err = add_query_text(out, key)) < 0)
        return err;
    return herd_buf_add(out, "", 1) < 0 ? HERD_E_NOMEM : 0;
}

/* Returns the static copy of an error status of Google; NULL for any other text. */
static const char *error_status(struct herd_span status)
{
    static const char *const known[] = {"INVALID_REQUEST", "OVER_QUERY_LIMIT", "REQUEST_DENIED",
                                        "UNKNOWN_ERROR",   "OVER_DAILY_LIMIT", "NOT_FOUND"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (herd_span_equal(status, herd_span_of(known[i])))
            return known[i];
    return NULL;
}

void herd_google_legacy_classify(const struct herd_reply *reply, struct herd_reply_class *ret_class,
                                 struct herd_answer_shape *ret_shape)
{
    static const char name[] = "Google Nearby Search";
    if (reply->http_status != 200) {
        herd_reply_class_http(ret_class, name, reply->http_status);
        return;
    }
    struct herd_answer_shape shape;
    char why[120];
    if (herd_answer_read(reply->body, &shape, why, sizeof why) < 0) {
        herd_reply_class_fail(ret_class, "UNKNOWN_ERROR", true, "%s sent no valid answer: %s", name, why);
        return;
    }
    *ret_shape = shape;
    const char *error = error_status(shape.status);
    bool good = herd_span_equal(shape.status, herd_span_of("OK")) ||
                herd_span_equal(shape.status, herd_span_of("ZERO_RESULTS"));
    if (good && shape.results.at) {
        *ret_class = (struct herd_reply_class){.verdict = HERD_REPLY_ANSWER};
        return;
    }
    if (good) {
        herd_reply_class_fail(ret_class, "UNKNOWN_ERROR", true, "%s sent an answer without results", name);
        return;
    }
    char message[120];
    int message_len = (int)herd_raw_decode(shape.message, message, sizeof message);
    herd_reply_class_fail(ret_class, error ? error : "UNKNOWN_ERROR",
                          !error || strcmp(error, "INVALID_REQUEST") != 0, "%s answered %s%s%.*s", name,
                          error ? error : "an unknown status", message_len ? ": " : "", message_len, message);
    /* Documented: "UNKNOWN_ERROR indicates a server-side error; trying again may be successful". */
    ret_class->retry = error && strcmp(error, "UNKNOWN_ERROR") == 0;
    ret_class->verbatim = shape.results.at != NULL;
}
