/* SPDX-License-Identifier: MIT */
/* Judging replies: what every provider's replies have in common. */
#include "google.h"

#include <stdarg.h>
#include <stdio.h>

void herd_judgement_fail(struct herd_judgement *ret_judgement, const char *status, bool blame, const char *why, ...)
{
    *ret_judgement = (struct herd_judgement){.verdict = HERD_REPLY_FAILED, .status = status, .blame = blame};
    va_list args;
    va_start(args, why);
    vsnprintf(ret_judgement->why, sizeof ret_judgement->why, why, args);
    va_end(args);
}

void herd_judgement_http(struct herd_judgement *ret_judgement, const char *name, long http_status)
{
    const char *status = http_status == 429                         ? "OVER_QUERY_LIMIT"
                         : http_status == 401 || http_status == 403 ? "REQUEST_DENIED"
                         : http_status == 400 || http_status == 414 ? "INVALID_REQUEST"
                                                                    : "UNKNOWN_ERROR";
    /* A wrong question says nothing about the provider's health. */
    herd_judgement_fail(ret_judgement, status, http_status != 400 && http_status != 414, "%s answered HTTP %ld",
                        name, http_status);
    ret_judgement->retry = http_status == 500 || http_status == 503 || http_status == 504;
}
