/* SPDX-License-Identifier: MIT */
/* What ends soon, and when to look again. Pure: the clock is an input. */
#ifndef HERD_EDGE_EXPIRY_H
#define HERD_EDGE_EXPIRY_H

#include "../tls/tls.h"

/* How long before an end it is warned of, and how often. */
#define HERD_EXPIRY_WARN_S  (INT64_C(30) * 86400)
#define HERD_EXPIRY_EVERY_S INT64_C(86400)

/* Copies the ends that are to be warned of at `now_s` (POSIX seconds) to `ret_due`, which has room for `count`. Returns
 * how many; *ret_next_s is when to look again, at most a day later: the clock may be set meanwhile. */
size_t herd_expiry_due(const struct herd_tls_end *ends, size_t count, int64_t now_s, struct herd_tls_end *ret_due,
                       int64_t *ret_next_s);
/* One end as an event and a sentence: "tls_certificate_ends", "tls_ca_ends", "tls_crl_ends", and behind the end
 * "tls_certificate_ended" and so on. */
void herd_expiry_describe(const struct herd_tls_end *end, int64_t now_s, struct herd_tls_fault *ret_text);

#endif
