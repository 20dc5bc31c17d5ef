/* SPDX-License-Identifier: MIT */
/* Ends of life of certificates and lists. */
#include "expiry.h"

#include "../tls/tls_file.h"

#include <inttypes.h>
#include <string.h>

size_t herd_expiry_due(const struct herd_tls_end *ends, size_t count, int64_t now_s, struct herd_tls_end *ret_due,
                       int64_t *ret_next_s)
{
    size_t due = 0;
    *ret_next_s = now_s + HERD_EXPIRY_EVERY_S;
    for (size_t i = 0; i < count; i++) {
        if (ends[i].at_s == INT64_MAX)
            continue;
        int64_t warn_s = ends[i].at_s - HERD_EXPIRY_WARN_S;
        int64_t next_s = now_s < warn_s ? warn_s : ends[i].at_s;
        if (now_s >= warn_s)
            ret_due[due++] = ends[i];
        if (next_s > now_s && next_s < *ret_next_s)
            *ret_next_s = next_s;
    }
    return due;
}

static const char *event_of(const char *what, bool ended)
{
    static const char *const rows[][3] = {{"certificate", "tls_certificate_ends", "tls_certificate_ended"},
                                          {"ca", "tls_ca_ends", "tls_ca_ended"},
                                          {"crl", "tls_crl_ends", "tls_crl_ended"}};
    size_t i = 0;
    while (i < 2 && strcmp(what, rows[i][0]) != 0)
        i++;
    return rows[i][ended ? 2 : 1];
}

void herd_expiry_describe(const struct herd_tls_end *end, int64_t now_s, struct herd_tls_fault *ret_text)
{
    char when[32] = "?";
    time_t at = (time_t)end->at_s;
    struct tm tm;
    bool ended = end->at_s <= now_s;
    int64_t days = (ended ? now_s - end->at_s : end->at_s - now_s) / 86400;
    if (gmtime_r(&at, &tm))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    herd_tls_fail(ret_text, event_of(end->what, ended), "%s %s at %s, %s%" PRId64 " day%s%s", end->what,
                  ended ? "ended" : "ends", when, ended ? "" : "in ", days, days == 1 ? "" : "s",
                  ended ? " ago" : "");
}
