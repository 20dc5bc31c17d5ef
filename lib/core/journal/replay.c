/* SPDX-License-Identifier: MIT */
/* Lines of a journal into the store, parsed and looked up many at a time, so that cache misses overlap. */
#include "replay.h"

#include "../node/offer.h"
#include "journal_encoder.h"

#define BATCH 32

struct line {
    struct herd_offer offer;
    size_t end; /* behind its LF, in the bytes given */
    bool report;
};

static bool begins_with(struct herd_span text, const char *word)
{
    size_t len = strlen(word);
    return text.len >= len && memcmp(text.at, word, len) == 0;
}

/* Checks and parses a line. Whether it is a record. */
static bool read_line(const struct herd_store *store, struct herd_replay *replay, struct herd_span bytes,
                      struct line *ret_line)
{
    struct herd_span text;
    struct herd_command command;
    ret_line->report = false;
    if (!herd_checksum_check(bytes, &text)) {
        replay->corrupt++;
        return false;
    }
    herd_command_parse(text, &command);
    if (command.verb == HERD_AT || command.verb == HERD_GONE) {
        struct herd_offer *offer = &ret_line->offer;
        offer->record = (struct herd_record){command.server,   command.diff, command.id,
                                             command.position, command.time, command.time_ns};
        offer->source = HERD_SOURCE_JOURNAL;
        offer->from = NULL;
        offer->hash = herd_store_hash(store, command.id);
        offer->id_hash = herd_store_id_hash(store, command.id);
        offer->slot_hint = HERD_NO_SLOT;
        ret_line->report = true;
        replay->lines++;
        return true;
    }
    if (herd_span_equal(text, herd_span_of(HERD_JOURNAL_VERSION))) {
        replay->begun = true;
        replay->lines++;
    } else if (begins_with(text, "JOURNAL ")) {
        replay->begun = replay->unknown = true;
    } else {
        replay->corrupt++;
    }
    return false;
}

static int take_record(struct herd_node *node, struct herd_replay *replay, struct line *line)
{
    int verdict = herd_offer(node, &line->offer);
    switch (verdict) {
    case HERD_VERDICT_NEW:
    case HERD_VERDICT_NEWER: replay->records++; break;
    case HERD_VERDICT_FULL: replay->refused++; break;
    case HERD_VERDICT_EXPIRED: replay->forgotten++; break;
    default: break;
    }
    return verdict < 0 ? verdict : 0;
}

/* Reads up to BATCH lines and brings what they will touch into the cache. */
static size_t read_batch(struct herd_node *node, struct herd_replay *replay, struct herd_span *io_rest,
                         const char *start, struct line lines[BATCH])
{
    struct herd_store *store = node->store;
    struct herd_span line;
    size_t n = 0, seen = 0;
    while (n < BATCH && herd_line_next(io_rest, &seen, HERD_REPLAY_LINE_MAX, &line) == HERD_LINE) {
        lines[n].end = (size_t)(io_rest->at - start);
        if (read_line(store, replay, line, &lines[n]))
            __builtin_prefetch(herd_index_home(&store->index, lines[n].offer.hash));
        n++;
    }
    for (size_t i = 0; i < n; i++) {
        if (!lines[i].report)
            continue;
        uint32_t *slot_hint = &lines[i].offer.slot_hint;
        *slot_hint = herd_index_first_match(&store->index, lines[i].offer.hash);
        if (*slot_hint != HERD_NO_SLOT)
            __builtin_prefetch(herd_store_packed(store, *slot_hint), 1);
    }
    return n;
}

/* The end of a line too long is looked for: true if it is found, and *io_rest begins behind it. */
static bool skip(struct herd_replay *replay, struct herd_span *io_rest)
{
    if (io_rest->len == 0)
        return false; /* it may have no address */
    const char *lf = memchr(io_rest->at, '\n', io_rest->len);
    size_t len = lf ? (size_t)(lf - io_rest->at) + 1 : io_rest->len;
    io_rest->at += len;
    io_rest->len -= len;
    replay->skipping = !lf;
    return lf != NULL;
}

int herd_replay_take(struct herd_node *node, struct herd_replay *replay, struct herd_span bytes,
                     struct herd_now now, size_t *ret_consumed)
{
    struct line lines[BATCH];
    struct herd_span rest = bytes;
    node->now = now;
    *ret_consumed = 0;
    for (;;) {
        if (replay->skipping && !skip(replay, &rest))
            break;
        size_t n = read_batch(node, replay, &rest, bytes.at, lines);
        for (size_t i = 0; i < n; i++) {
            int err = lines[i].report ? take_record(node, replay, &lines[i]) : 0;
            if (err < 0)
                return err;
            *ret_consumed = lines[i].end;
        }
        if (n > 0)
            continue;
        if (rest.len <= HERD_REPLAY_LINE_MAX)
            break;
        replay->corrupt++;
        replay->skipping = true;
    }
    *ret_consumed = bytes.len - rest.len;
    return 0;
}

int herd_replay_tail(struct herd_node *node, struct herd_replay *replay, struct herd_span tail, struct herd_now now)
{
    struct herd_span text;
    struct line line;
    node->now = now;
    if (tail.len == 0 || replay->skipping || !herd_checksum_check(tail, &text))
        return 0;
    if (read_line(node->store, replay, tail, &line)) {
        int err = take_record(node, replay, &line);
        if (err < 0)
            return err;
    }
    return 1;
}
