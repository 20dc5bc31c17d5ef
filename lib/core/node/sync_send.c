/* SPDX-License-Identifier: MIT */
/* What a comparison says: ROOT, SUMS, LIST and PUSH, made from the state of the moment. */
#include "sync_impl.h"

#include "expiry.h"
#include "node_impl.h"

#include <stdlib.h>
#include <string.h>

/* Every link takes lines of this length. */
#define LIST_LINE_MAX 16000

static char *put_decimal(char *p, uint64_t value)
{
    char digits[20];
    unsigned n = 0;
    do
        digits[n++] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    while (n > 0)
        *p++ = digits[--n];
    return p;
}

static char *put_hex(char *p, uint64_t value, unsigned width)
{
    unsigned digits = value ? (67 - (unsigned)__builtin_clzll(value)) / 4 : 1;
    if (digits < width)
        digits = width;
    for (unsigned i = digits; i-- > 0; value >>= 4)
        p[i] = "0123456789abcdef"[value & 15];
    return p + digits;
}

static int send_root(struct herd_node *node, const struct herd_peer *peer, struct herd_buf *out)
{
    char line[128], *p = line;
    uint64_t horizon = herd_expiry_horizon(node);
    memcpy(p, "ROOT ", 5);
    p = put_decimal(p + 5, node->store->count);
    *p++ = ' ';
    p = put_hex(p, node->store->digest.total, 16);
    if (horizon || peer->sync.refused) {
        *p++ = ' ';
        p = put_decimal(p, horizon);
        *p++ = ' ';
        p = put_decimal(p, peer->sync.refused);
    }
    *p++ = '\n';
    return herd_buf_add(out, line, (size_t)(p - line));
}

static char *put_prefix(char *p, const char *verb, unsigned depth, uint32_t prefix)
{
    memcpy(p, verb, 5);
    p = put_decimal(p + 5, depth);
    *p++ = ' ';
    return put_hex(p, prefix, 1);
}

static int send_sums(struct herd_node *node, unsigned depth, uint32_t prefix, struct herd_buf *out)
{
    char line[16 + HERD_SYNC_FAN * 17], *p = put_prefix(line, "SUMS ", depth, prefix);
    for (uint32_t child = 0; child < HERD_SYNC_FAN; child++) {
        *p++ = ' ';
        p = put_hex(
            p, herd_digest_sum(&node->store->digest, prefix * HERD_SYNC_FAN + child, depth + HERD_SYNC_FAN_BITS),
            16);
    }
    *p++ = '\n';
    node->store->steps += (UINT64_C(1) << (node->store->digest.bits - depth)) / 64;
    return herd_buf_add(out, line, (size_t)(p - line));
}

/* A list too long for a line says "all": both send all they have under the prefix. */
static int send_list(struct herd_node *node, struct herd_peer *peer, enum herd_sync_answer answer, unsigned depth,
                     uint32_t prefix, struct herd_buf *out)
{
    struct herd_sync_walk walk = {0};
    uint64_t id_hash;
    size_t start = out->len;
    int err = herd_buf_reserve(out, LIST_LINE_MAX + 2 * HERD_SYNC_ENTRY_TEXT);
    if (err < 0)
        return err;
    char *line = out->at + start, *p = put_prefix(line, "LIST ", depth, prefix);
    char *head_end = p;
    memcpy(p, answer == HERD_SYNC_ASK ? " ask" : " end", 4);
    p += 4;
    while (herd_sync_walk_next(node->store, depth, prefix, &walk, &id_hash)) {
        if (p - line > LIST_LINE_MAX) {
            walk.exhausted = true;
            break;
        }
        *p++ = ' ';
        p = put_hex(p, id_hash, 16);
        *p++ = ':';
        p = put_hex(p, herd_store_record_hash(node->store, walk.slot), 16);
    }
    if (walk.exhausted) {
        memcpy(head_end, " all", 4);
        p = head_end + 4;
        err = herd_sync_mark_prefix(node, peer, depth, prefix);
        if (err < 0)
            return err;
    }
    *p++ = '\n';
    out->len = start + (size_t)(p - line);
    return 0;
}

bool herd_sync_comparing(const struct herd_peer *peer)
{
    const struct herd_sync *sync = &peer->sync;
    return sync->root_due || sync->root_sent || sync->push_due || sync->due || sync->scan;
}

bool herd_sync_want_write(const struct herd_peer *peer)
{
    return peer->sync.root_due || peer->sync.push_due || peer->sync.scan ||
           (peer->sync.due && peer->sync.due->count > 0);
}

int herd_sync_send(struct herd_node *node, struct herd_peer *peer, struct herd_buf *out)
{
    struct herd_sync *sync = &peer->sync;
    enum herd_sync_answer answer;
    unsigned depth;
    uint32_t prefix;
    int err;
    if (sync->push_due) {
        err = herd_buf_add_text(out, "PUSH\n");
        sync->push_due = err < 0;
    } else if (sync->root_due) {
        err = send_root(node, peer, out);
        sync->root_due = err < 0;
        sync->root_sent = herd_sync_is_initiator(node, peer);
    } else if (sync->due && herd_sync_next_answer(sync->due, &answer, &depth, &prefix)) {
        err = answer == HERD_SYNC_SUMS ? send_sums(node, depth, prefix, out)
                                       : send_list(node, peer, answer, depth, prefix, out);
        if (err < 0)
            herd_sync_queue(peer, answer, depth, prefix);
    } else {
        /* No answer is queued any more: the bits are made again when they are needed. */
        free(sync->due);
        sync->due = NULL;
        return 0;
    }
    return err < 0 ? err : 1;
}
