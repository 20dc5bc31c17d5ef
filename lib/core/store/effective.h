/* SPDX-License-Identifier: MIT */
/*
 * The time a record counts for in the order of a herd that forgets: PROTOCOL.md, 3.7.
 *
 *     accepted - behind          accepted          accepted + ahead
 *     |------------- the client's time is believed -------------|
 *
 * A client's time within these bounds counts as it is; one outside counts as the bound. All of it is in the record,
 * so that every node finds the same, whatever its own clock says.
 */
#ifndef HERD_CORE_EFFECTIVE_H
#define HERD_CORE_EFFECTIVE_H

#include <herd/store.h>

/* How far behind and ahead of its acceptance a time is believed, where records expire after `expire_ns` > 0. */
static inline int64_t herd_believed_behind_ns(int64_t expire_ns)
{
    return expire_ns;
}

static inline int64_t herd_believed_ahead_ns(int64_t expire_ns)
{
    const int64_t most_ns = INT64_C(300000000000);
    return expire_ns < most_ns ? expire_ns : most_ns;
}

static inline int64_t herd_accepted_ns(const struct herd_record *record)
{
    return herd_record_accepted_ns(record);
}
/* The client's time, no further from the acceptance than is believed. */
int64_t herd_effective_ns(const struct herd_record *record, int64_t expire_ns);

#endif
