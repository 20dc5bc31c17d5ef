/* SPDX-License-Identifier: MIT */
/* Classifies replies: what is common to all providers. */
#include "google.h"

#include <stdarg.h>
#include <stdio.h>

void herd_reply_class_fail(struct herd_reply_class *ret_class, const char *status, bool counts_as_failure,
                           const char *why, ...)
{
    *ret_class = (struct herd_reply_class){
        .verdict = HERD_REPLY_FAILED, .status = status, .counts_as_failure = counts_as_failure};
    va_list args;
    va_start(args, why);
    vsnprintf(ret_class->why, sizeof ret_class->why, why, args);
    va_end(args);
}

void herd_reply_class_http(struct herd_reply_class *ret_class, const char *name, long http_status)
{
    const char *status = http_status == 429                         ? "OVER_QUERY_LIMIT"
                         : http_status == 401 || http_status == 403 ? "REQUEST_DENIED"
                         : http_status == 400 || http_status == 414 ? "INVALID_REQUEST"
                                                                    : "UNKNOWN_ERROR";
    /* A wrong query is no failure of the provider. */
    herd_reply_class_fail(ret_class, status, http_status != 400 && http_status != 414, "%s answered HTTP %ld", name,
                          http_status);
    ret_class->retry = http_status == 500 || http_status == 503 || http_status == 504;
}
