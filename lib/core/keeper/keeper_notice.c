/* SPDX-License-Identifier: MIT */
/* What an operator is told, and how often. */
#include "keeper_notice.h"

#include "../node/effect.h"

/* It worked for so long: the next time is the first again. */
#define CALM_NS INT64_C(600000000000)
/* What is away for so long is told whatever was told before. */
#define LONG_NS INT64_C(60000000000)

void herd_keeper_notice(struct herd_keeper *keeper, const char *text, struct herd_span detail)
{
    if (keeper->notice_count == HERD_KEEPER_NOTICES)
        return;
    struct herd_keeper_notice *notice =
        &keeper->notices[(keeper->notice_first + keeper->notice_count++) % HERD_KEEPER_NOTICES];
    notice->text = text;
    notice->len = detail.len < sizeof notice->detail ? detail.len : sizeof notice->detail;
    if (notice->len > 0)
        memcpy(notice->detail, detail.at, notice->len);
}

void herd_keeper_notice_damped(struct herd_keeper *keeper, uint64_t *io_count, const char *text,
                               struct herd_span detail)
{
    if (herd_worth_saying(++*io_count))
        herd_keeper_notice(keeper, text, detail);
}

bool herd_keeper_notice_next(struct herd_keeper *keeper, struct herd_keeper_effect *ret_effect)
{
    if (keeper->notice_count == 0)
        return false;
    keeper->lent = keeper->notices[keeper->notice_first];
    keeper->notice_first = (keeper->notice_first + 1) % HERD_KEEPER_NOTICES;
    keeper->notice_count--;
    ret_effect->kind = HERD_KEEPER_NOTICE;
    ret_effect->text = keeper->lent.text;
    ret_effect->detail = (struct herd_span){keeper->lent.detail, keeper->lent.len};
    return true;
}

/* ---- gone and back ---- */

static void tell(struct herd_keeper *keeper)
{
    keeper->away_told = true;
    herd_keeper_notice(keeper, keeper->away, (struct herd_span){keeper->away_detail, keeper->away_len});
}

void herd_keeper_away(struct herd_keeper *keeper, const char *text, const char *message)
{
    const bool first = !keeper->away;
    if (!first && strcmp(keeper->away, text) == 0)
        return;
    size_t len = message ? strlen(message) : 0;
    keeper->away = text;
    keeper->away_len = len < sizeof keeper->away_detail ? len : sizeof keeper->away_detail;
    if (keeper->away_len > 0)
        memcpy(keeper->away_detail, message, keeper->away_len);
    if (first) {
        keeper->away_ns = keeper->now.steady_ns;
        keeper->away_told = false;
        if (herd_sub_saturated(keeper->now.steady_ns, keeper->there_ns) > CALM_NS)
            keeper->away_count = 0;
    }
    if (herd_worth_saying(++keeper->away_count))
        tell(keeper);
}

void herd_keeper_there(struct herd_keeper *keeper)
{
    if (!keeper->away)
        return;
    if (keeper->away_told)
        herd_keeper_notice(keeper, "database_back", herd_span_of(keeper->server));
    keeper->away = NULL;
    keeper->there_ns = keeper->now.steady_ns;
}

int64_t herd_keeper_away_next_ns(const struct herd_keeper *keeper)
{
    bool waits = keeper->away && !keeper->away_told;
    return waits ? herd_add_saturated(keeper->away_ns, LONG_NS) : INT64_MAX;
}

void herd_keeper_away_tick(struct herd_keeper *keeper)
{
    if (keeper->now.steady_ns >= herd_keeper_away_next_ns(keeper))
        tell(keeper);
}
