/* SPDX-License-Identifier: MIT */
/* When a record was accepted, and the time it counts for. */
#include "effective.h"

#include "../base/saturate.h"
#include "../protocol/decimal.h"

#define NS_PER_S INT64_C(1000000000)

/* The difference in nanoseconds; of absurd ones the greatest there is. */
static int64_t diff_ns(struct herd_span diff)
{
    struct herd_decimal number;
    const char *end = diff.at + diff.len;
    if (diff.len < 2 || herd_decimal_scan(diff.at + 1, end, end, &number) != end)
        return 0;
    int64_t ns = INT64_MAX;
    if (number.whole < INT64_MAX / NS_PER_S) {
        int64_t frac = 0;
        for (size_t i = 0; i < 9; i++)
            frac = frac * 10 + (i < number.frac_len ? number.frac[i] - '0' : 0);
        ns = (int64_t)number.whole * NS_PER_S + frac;
    }
    return diff.at[0] == '-' ? -ns : ns;
}

int64_t herd_record_accepted_ns(const struct herd_record *record)
{
    return herd_add_saturated(record->time_ns, diff_ns(record->diff));
}

int64_t herd_effective_ns(const struct herd_record *record, int64_t expire_ns)
{
    int64_t accepted_ns = herd_accepted_ns(record);
    int64_t least_ns = herd_sub_saturated(accepted_ns, herd_believed_behind_ns(expire_ns));
    int64_t most_ns = herd_add_saturated(accepted_ns, herd_believed_ahead_ns(expire_ns));
    return record->time_ns < least_ns ? least_ns : record->time_ns > most_ns ? most_ns : record->time_ns;
}
