/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a journal: read whole and piece by piece it must give the same records, and these, written
 * as a journal, the same again. The first byte says how long pieces are, and whether every line first gets
 * the checksum that it ought to have: no fuzzer finds those by itself.
 */
#include "../../lib/core/journal/journal_encoder.h"
#include "../../lib/core/journal/replay.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

static const struct herd_now now = {INT64_C(1621464828000000000), 1};

static struct herd_node *new_node(uint64_t seed)
{
    struct herd_node_options options = {.name = {"Riley", 5}, .seed = {seed, 2}, .records_max = 50};
    struct herd_node *node;
    MUST(herd_node_new(&node, &options) == 0);
    return node;
}

/* As a reader of a file does: what is not used up is given again with more behind it. */
static struct herd_replay read_in(struct herd_node *node, struct herd_span bytes, size_t piece)
{
    struct herd_replay replay = {0};
    size_t from = 0, given = 0;
    while (given < bytes.len) {
        size_t consumed, more = bytes.len - given < piece ? bytes.len - given : piece;
        given += more;
        char *copy = malloc(given - from); /* of just this size, so that reading too far is seen */
        MUST(copy);
        memcpy(copy, bytes.at + from, given - from);
        MUST(herd_replay_take(node, &replay, (struct herd_span){copy, given - from}, now, &consumed) == 0);
        MUST(consumed <= given - from);
        from += consumed;
        free(copy);
    }
    int tail =
        herd_replay_tail(node, &replay, (struct herd_span){bytes.at ? bytes.at + from : "", bytes.len - from}, now);
    MUST(tail == 0 || (tail == 1 && from < bytes.len));
    return replay;
}

static void put_checksums(struct herd_span bytes, struct herd_buf *out)
{
    while (bytes.len > 0) {
        const char *lf = memchr(bytes.at, '\n', bytes.len);
        size_t len = lf ? (size_t)(lf - bytes.at) : bytes.len, start = out->len;
        MUST(herd_buf_add(out, bytes.at, len) == 0 && herd_checksum_add(out, start) == 0);
        len += lf != NULL;
        bytes.at += len;
        bytes.len -= len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct herd_span bytes = {(const char *)data + 1, size - 1};
    struct herd_buf fixed = {0}, journal = {0};
    if (data[0] & 1) {
        put_checksums(bytes, &fixed);
        bytes = (struct herd_span){fixed.at, fixed.len};
    }
    struct herd_node *whole = new_node(1), *pieces = new_node(2), *again = new_node(3);
    struct herd_journal_encoder encoder = {0};
    MUST(herd_journal_encoder_open(&encoder, whole) == 0);
    struct herd_replay a = read_in(whole, bytes, bytes.len ? bytes.len : 1);
    struct herd_replay b = read_in(pieces, bytes, (size_t)data[0] / 2 + 1);
    MUST(a.lines == b.lines && a.records == b.records && a.corrupt == b.corrupt && a.refused == b.refused);
    uint64_t digest = herd_store_digest(herd_node_store(whole));
    MUST(digest == herd_store_digest(herd_node_store(pieces)));

    uint32_t slot = 0, slots = herd_store_slots(herd_node_store(whole));
    MUST(herd_journal_encode_header(&journal) == 0);
    while (slot < slots)
        MUST(herd_journal_encode_range(&encoder, &slot, slots, 100, &journal) >= 0);
    struct herd_replay c = read_in(again, (struct herd_span){journal.at, journal.len}, 1000);
    MUST(c.corrupt == 0 && c.begun && c.records == herd_store_count(herd_node_store(whole)));
    MUST(digest == herd_store_digest(herd_node_store(again)));
    herd_journal_encoder_close(&encoder);
    herd_node_free(whole);
    herd_node_free(pieces);
    herd_node_free(again);
    herd_buf_fini(&fixed);
    herd_buf_fini(&journal);
    return 0;
}
