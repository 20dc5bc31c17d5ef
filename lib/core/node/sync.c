/* SPDX-License-Identifier: MIT */
/* Comparing states with a neighbour: digests from the root down, then lists of the leaves that differ. */
#include "sync.h"

#include "../protocol/decimal.h"
#include "../protocol/fields.h"
#include "../protocol/hex.h"
#include "effect.h"
#include "expiry.h"
#include "node_impl.h"
#include "random.h"

#include <stdlib.h>

#define DEPTH_MAX HERD_DIGEST_BITS_MAX
/* With so few records, or so unequal stores, sending all is as good as finding out what differs. */
#define PUSH_BELOW 512
#define PUSH_RATIO 8
/* Every link takes lines of this length. */
#define LIST_LINE_MAX 16000
/* A list speaks of a leaf of the sender's digest, and none has fewer bits. */
#define LIST_DEPTH_MIN HERD_DIGEST_BITS_FIRST
/* Records that one frame looks at; where there are more, it is answered as if all of them differed. */
#define WALK_MAX 4096
/* Purge points that differ for so long do not because one clock is a little behind the other. */
#define APART_NS INT64_C(150000000000)
/* Comparisons left out at most while a difference has a reason. */
#define PAUSES_MAX 4
#define ENTRY_TEXT 34 /* 16 hex digits, a colon, 16 hex digits, a space */

struct entry {
    uint64_t id, record;
};

static bool is_initiator(const struct herd_node *node, const struct herd_peer *peer)
{
    return herd_span_compare(node->name, peer->name) < 0;
}

/* ---- which prefixes have an answer queued ---- */

static size_t first_of_depth(unsigned depth)
{
    static const size_t first[] = {0, 1, 1 + 16, 1 + 16 + 256, 1 + 16 + 256 + 4096};
    return first[depth / HERD_SYNC_FAN_BITS];
}

static int queue_answer(struct herd_peer *peer, enum herd_sync_answer answer, unsigned depth, uint32_t prefix)
{
    if (!peer->sync.due && !(peer->sync.due = calloc(1, sizeof *peer->sync.due)))
        return HERD_E_NOMEM;
    struct herd_sync_due *due = peer->sync.due;
    size_t number = first_of_depth(depth) + prefix;
    uint64_t *word = &due->bits[answer][number / 64], bit = UINT64_C(1) << (number % 64);
    due->count += !(*word & bit);
    *word |= bit;
    if (number / 64 > due->top[answer])
        due->top[answer] = number / 64;
    return 0;
}

/* Takes the next prefix with an answer queued: the deepest first. */
static bool next_answer(struct herd_sync_due *due, enum herd_sync_answer *ret_answer, unsigned *ret_depth,
                        uint32_t *ret_prefix)
{
    for (int answer = HERD_SYNC_ANSWERS - 1; answer >= 0; answer--) {
        uint64_t *words = due->bits[answer];
        size_t *top = &due->top[answer];
        while (words[*top] == 0 && *top > 0)
            (*top)--;
        if (words[*top] == 0)
            continue;
        unsigned bit = 63 - (unsigned)__builtin_clzll(words[*top]);
        words[*top] &= ~(UINT64_C(1) << bit);
        due->count--;
        size_t number = *top * 64 + bit;
        unsigned depth = DEPTH_MAX;
        while (number < first_of_depth(depth))
            depth -= HERD_SYNC_FAN_BITS;
        *ret_answer = (enum herd_sync_answer)answer;
        *ret_depth = depth;
        *ret_prefix = (uint32_t)(number - first_of_depth(depth));
        return true;
    }
    return false;
}

/* ---- the records under a prefix ---- */

/* Records are found through the lists of leaves, each a miss of the cache: some are fetched ahead. */
#define AHEAD 16

/* A way through the records whose id hash begins with a prefix. Begin with a zeroed walk. */
struct walk {
    uint32_t slot; /* where it is */
    uint32_t slots[AHEAD];
    unsigned count, at; /* in `slots` */
    uint32_t next;      /* the one behind those */
    size_t leaf, leaf_end;
    size_t steps; /* records fetched */
    bool begun;
    bool exhausted; /* there are more than WALK_MAX: it ended early */
};

static bool walk_fetch(struct herd_store *store, struct walk *walk)
{
    walk->count = walk->at = 0;
    if (walk->steps >= WALK_MAX) {
        walk->exhausted = true;
        return false;
    }
    while (walk->count < AHEAD) {
        while (walk->next == HERD_NO_SLOT) {
            if (walk->leaf + 1 >= walk->leaf_end)
                return walk->count > 0;
            walk->next = store->digest.heads[++walk->leaf];
            store->steps += walk->leaf % 128 == 0;
        }
        walk->steps++;
        store->steps++;
        walk->slots[walk->count++] = walk->next;
        __builtin_prefetch(herd_store_packed(store, walk->next));
        walk->next = *herd_store_next(store, walk->next);
    }
    return true;
}

static bool walk_next(struct herd_store *store, unsigned depth, uint32_t prefix, struct walk *walk,
                      uint64_t *ret_id_hash)
{
    unsigned bits = store->digest.bits;
    if (!walk->begun) {
        /* All leaves below the prefix, or the one leaf that it is a part of. */
        walk->leaf = depth <= bits ? (size_t)prefix << (bits - depth) : prefix >> (depth - bits);
        walk->leaf_end = walk->leaf + (depth <= bits ? (size_t)1 << (bits - depth) : 1);
        walk->next = store->digest.heads[walk->leaf];
        walk->begun = true;
    }
    while (walk->at < walk->count || walk_fetch(store, walk)) {
        walk->slot = walk->slots[walk->at++];
        uint64_t id_hash = herd_store_id_hash(store, herd_packed_record_id(herd_store_packed(store, walk->slot)));
        if (depth == 0 || id_hash >> (64 - depth) == prefix) {
            *ret_id_hash = id_hash;
            return true;
        }
    }
    return false;
}

/* Has all slots looked at, in slices, for records under this prefix too. HERD_E_NOMEM. */
static int scan_prefix(struct herd_node *node, struct herd_peer *peer, unsigned depth, uint32_t prefix)
{
    struct herd_sync_scan *scan = peer->sync.scan;
    if (!scan && !(scan = peer->sync.scan = calloc(1, sizeof *scan)))
        return HERD_E_NOMEM;
    size_t number = first_of_depth(depth) + prefix;
    scan->bits[number / 64] |= UINT64_C(1) << (number % 64);
    scan->end = scan->left = node->store->slots; /* from where it is, once round */
    return 0;
}

static bool scan_wants(const struct herd_sync_scan *scan, uint64_t id_hash)
{
    for (unsigned depth = LIST_DEPTH_MIN; depth <= DEPTH_MAX; depth += HERD_SYNC_FAN_BITS) {
        size_t number = first_of_depth(depth) + (size_t)(id_hash >> (64 - depth));
        if (scan->bits[number / 64] >> (number % 64) & 1)
            return true;
    }
    return false;
}

/* Looks at some slots of a scan. */
static void scan_some(struct herd_node *node, struct herd_peer *peer, uint32_t slots)
{
    struct herd_store *store = node->store;
    struct herd_sync_scan *scan = peer->sync.scan;
    for (; slots > 0 && scan->left > 0; slots--, scan->left--) {
        uint32_t slot = scan->at;
        scan->at = slot + 1 < scan->end ? slot + 1 : 0;
        store->steps++;
        const struct herd_packed_record *packed = herd_store_packed(store, slot);
        if (!herd_packed_record_empty(packed) &&
            scan_wants(scan, herd_store_id_hash(store, herd_packed_record_id(packed))))
            herd_subscriber_mark_dirty(&node->changes, &peer->subscriber, slot);
    }
    if (scan->left > 0)
        return;
    free(scan);
    peer->sync.scan = NULL;
}

/* Owes the link all records under a prefix: at once, or by a scan if there are many. HERD_E_NOMEM. */
static int mark_prefix(struct herd_node *node, struct herd_peer *peer, unsigned depth, uint32_t prefix)
{
    const struct herd_sync_scan *scan = peer->sync.scan;
    size_t number = first_of_depth(depth) + prefix;
    if (scan && scan->bits[number / 64] >> (number % 64) & 1)
        return scan_prefix(node, peer, depth, prefix);
    struct walk walk = {0};
    uint64_t id_hash;
    while (walk_next(node->store, depth, prefix, &walk, &id_hash))
        herd_subscriber_mark_dirty(&node->changes, &peer->subscriber, walk.slot);
    return walk.exhausted ? scan_prefix(node, peer, depth, prefix) : 0;
}

/* ---- saying ---- */

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
    struct walk walk = {0};
    uint64_t id_hash;
    size_t start = out->len;
    int err = herd_buf_reserve(out, LIST_LINE_MAX + 2 * ENTRY_TEXT);
    if (err < 0)
        return err;
    char *line = out->at + start, *p = put_prefix(line, "LIST ", depth, prefix);
    char *head_end = p;
    memcpy(p, answer == HERD_SYNC_ASK ? " ask" : " end", 4);
    p += 4;
    while (walk_next(node->store, depth, prefix, &walk, &id_hash)) {
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
        err = mark_prefix(node, peer, depth, prefix);
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
        sync->root_sent = is_initiator(node, peer);
    } else if (sync->due && next_answer(sync->due, &answer, &depth, &prefix)) {
        err = answer == HERD_SYNC_SUMS ? send_sums(node, depth, prefix, out)
                                       : send_list(node, peer, answer, depth, prefix, out);
        if (err < 0)
            queue_answer(peer, answer, depth, prefix);
    } else {
        /* No answer is queued any more: the bits are made again when they are needed. */
        free(sync->due);
        sync->due = NULL;
        return 0;
    }
    return err < 0 ? err : 1;
}

/* ---- hearing ---- */

/* Takes the next field off the front of *io_rest. */
static struct herd_span next_field(struct herd_span *io_rest)
{
    const char *end = io_rest->at + io_rest->len;
    const char *at = herd_space_end(io_rest->at, end);
    const char *stop = herd_field_end(at, end, end);
    *io_rest = (struct herd_span){stop, (size_t)(end - stop)};
    return (struct herd_span){at, (size_t)(stop - at)};
}

static bool get_count(struct herd_span text, uint64_t *ret)
{
    struct herd_decimal number;
    const char *end = text.at + text.len;
    if (herd_decimal_scan(text.at, end, end, &number) != end || number.frac)
        return false;
    *ret = number.whole;
    return true;
}

/* The depth and prefix that SUMS and LIST begin with. */
static bool get_prefix(struct herd_span *io_rest, unsigned *ret_depth, uint32_t *ret_prefix)
{
    uint64_t depth, prefix;
    if (!get_count(next_field(io_rest), &depth) || !herd_hex_read(next_field(io_rest), &prefix) ||
        depth > DEPTH_MAX || depth % HERD_SYNC_FAN_BITS != 0 || prefix >> depth != 0)
        return false;
    *ret_depth = (unsigned)depth;
    *ret_prefix = (uint32_t)prefix;
    return true;
}

static void push_all(struct herd_node *node, struct herd_peer *peer)
{
    node->store->steps += node->store->slots / 4096;
    herd_subscriber_mark_all_dirty(&node->changes, &peer->subscriber, node->store->slots);
}

struct root {
    uint64_t count, sum, horizon, refused;
};

static bool get_root(struct herd_span rest, struct root *ret)
{
    *ret = (struct root){0};
    if (!get_count(next_field(&rest), &ret->count) || !herd_hex_read(next_field(&rest), &ret->sum))
        return false;
    struct herd_span horizon = next_field(&rest);
    return horizon.len == 0 || (get_count(horizon, &ret->horizon) && get_count(next_field(&rest), &ret->refused) &&
                                next_field(&rest).len == 0);
}

/* The neighbour does not hold all we told it: the operator hears of it, for our clock may be wrong. */
static void log_refused(struct herd_node *node, struct herd_peer *peer, uint64_t refused)
{
    if (refused == 0 || refused / 2 < peer->sync.told_refused)
        return;
    peer->sync.told_refused = refused;
    herd_notice(node, "neighbour_refuses_records", peer->name);
}

/* AT lines both ways. */
static uint64_t at_lines(const struct herd_peer *peer)
{
    return peer->at_received + peer->at_sent;
}

/* A difference found on a link that was quiet twice. With a reason it is compared what can be, rarely. */
static int repair(struct herd_node *node, struct herd_peer *peer, bool reason)
{
    struct herd_sync *sync = &peer->sync;
    if (!reason) {
        node->stats.repairs++;
        herd_notice(node, "digest_differs", peer->name);
    } else if (sync->pause > 0) {
        sync->pause--;
        return 0;
    } else {
        sync->pauses = sync->pauses ? sync->pauses * 2 : 1;
        if (sync->pauses > PAUSES_MAX)
            sync->pauses = PAUSES_MAX;
        sync->pause = sync->pauses;
    }
    return queue_answer(peer, HERD_SYNC_SUMS, 0, 0);
}

static int receive_root(struct herd_node *node, struct herd_peer *peer, struct herd_span rest)
{
    struct herd_sync *sync = &peer->sync;
    struct root theirs;
    if (!get_root(rest, &theirs))
        return HERD_E_SYNTAX;
    bool agree = theirs.sum == node->store->digest.total;
    if (agree)
        sync->refused = sync->told_refused = 0;
    log_refused(node, peer, theirs.refused);
    if (!is_initiator(node, peer)) {
        sync->root_due = true;
        return 0;
    }
    if (!sync->root_sent)
        return HERD_E_STATE;
    sync->root_sent = false;
    bool at_link_up = sync->at_link_up;
    sync->at_link_up = false;
    bool same_horizon = theirs.horizon == herd_expiry_horizon(node);
    bool external = sync->apart_ns != INT64_MAX;
    if (agree || (same_horizon && external))
        sync->pause = sync->pauses = 0;
    if (same_horizon)
        sync->apart_ns = INT64_MAX;
    else if (!external)
        sync->apart_ns = node->now.steady_ns;
    if (agree) {
        sync->differed = 0;
        return 0;
    }
    if (at_link_up) {
        uint64_t ours = node->store->count;
        uint64_t less = ours < theirs.count ? ours : theirs.count, more = ours < theirs.count ? theirs.count : ours;
        node->stats.syncs++;
        if (more > PUSH_BELOW && less >= more / PUSH_RATIO)
            return queue_answer(peer, HERD_SYNC_SUMS, 0, 0);
        sync->push_due = true;
        push_all(node, peer);
        return 0;
    }
    /* A difference while updates are on their way means nothing, nor one while one side has removed what expired and
     * the other is about to; a quiet link twice in a row does. */
    if (at_lines(peer) != sync->quiet_mark || peer->subscriber.pending > 0 ||
        (!same_horizon && node->now.steady_ns - sync->apart_ns < APART_NS)) {
        sync->differed = 0;
        return 0;
    }
    if (++sync->differed < 2)
        return 0;
    sync->differed = 0;
    return repair(node, peer, !same_horizon || sync->refused || theirs.refused);
}

static int receive_sums(struct herd_node *node, struct herd_peer *peer, struct herd_span rest)
{
    const struct herd_digest *digest = &node->store->digest;
    unsigned depth;
    uint32_t prefix;
    uint64_t sums[HERD_SYNC_FAN];
    if (!get_prefix(&rest, &depth, &prefix) || depth == DEPTH_MAX)
        return HERD_E_SYNTAX;
    for (size_t i = 0; i < HERD_SYNC_FAN; i++)
        if (!herd_hex_read(next_field(&rest), &sums[i]))
            return HERD_E_SYNTAX;
    if (next_field(&rest).len)
        return HERD_E_SYNTAX;

    node->store->steps += (UINT64_C(1) << digest->bits >> (depth < digest->bits ? depth : digest->bits)) / 64;
    depth += HERD_SYNC_FAN_BITS;
    if (depth > digest->bits) /* their leaves are finer than ours */
        return queue_answer(peer, HERD_SYNC_ASK, depth - HERD_SYNC_FAN_BITS, prefix);
    for (uint32_t i = 0; i < HERD_SYNC_FAN; i++) {
        uint32_t child = prefix * HERD_SYNC_FAN + i;
        if (herd_digest_sum(digest, child, depth) == sums[i])
            continue;
        int err = queue_answer(peer, depth + HERD_SYNC_FAN_BITS <= digest->bits ? HERD_SYNC_SUMS : HERD_SYNC_ASK,
                               depth, child);
        if (err < 0)
            return err;
    }
    return 0;
}

static int by_id(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static bool get_entry(struct herd_span text, struct entry *ret)
{
    return text.len == ENTRY_TEXT - 1 && text.at[16] == ':' &&
           herd_hex_read((struct herd_span){text.at, 16}, &ret->id) &&
           herd_hex_read((struct herd_span){text.at + 17, 16}, &ret->record);
}

static int receive_list(struct herd_node *node, struct herd_peer *peer, struct herd_span rest)
{
    unsigned depth;
    uint32_t prefix;
    if (!get_prefix(&rest, &depth, &prefix) || depth < LIST_DEPTH_MIN)
        return HERD_E_SYNTAX;
    struct herd_span kind = next_field(&rest);
    bool ask = herd_span_equal(kind, herd_span_of("ask"));
    if (herd_span_equal(kind, herd_span_of("all")) && next_field(&rest).len == 0) {
        return mark_prefix(node, peer, depth, prefix);
    }
    if (!ask && !herd_span_equal(kind, herd_span_of("end")))
        return HERD_E_SYNTAX;

    node->entries.len = 0;
    for (struct herd_span field; (field = next_field(&rest)).len > 0;) {
        struct entry entry;
        if (!get_entry(field, &entry))
            return HERD_E_SYNTAX;
        int err = herd_buf_add(&node->entries, &entry, sizeof entry);
        if (err < 0)
            return err;
    }
    struct entry *entries = (struct entry *)(void *)node->entries.at;
    size_t count = node->entries.len / sizeof *entries, matched = 0;
    if (count > 1)
        qsort(entries, count, sizeof *entries, by_id);

    struct walk walk = {0};
    struct entry mine;
    while (walk_next(node->store, depth, prefix, &walk, &mine.id)) {
        const struct entry *theirs = count ? bsearch(&mine, entries, count, sizeof mine, by_id) : NULL;
        if (theirs && theirs->record == herd_store_record_hash(node->store, walk.slot))
            matched++;
        else
            herd_subscriber_mark_dirty(&node->changes, &peer->subscriber, walk.slot);
    }
    if (walk.exhausted) {
        int err = scan_prefix(node, peer, depth, prefix);
        if (err < 0)
            return err;
    }
    /* What matched is known to both; anything else they listed is news here or another version. */
    return ask && matched < count ? queue_answer(peer, HERD_SYNC_END, depth, prefix) : 0;
}

int herd_sync_take(struct herd_node *node, struct herd_peer *peer, const struct herd_command *command)
{
    node->store->steps++;
    switch (command->verb) {
    case HERD_ROOT: return receive_root(node, peer, command->args);
    case HERD_SUMS: return receive_sums(node, peer, command->args);
    case HERD_LIST: return receive_list(node, peer, command->args);
    case HERD_PUSH:
        if (is_initiator(node, peer))
            return HERD_E_STATE;
        push_all(node, peer);
        return 0;
    default: return HERD_E_ARG;
    }
}

/* ---- life ---- */

static void schedule_check(struct herd_node *node, struct herd_peer *peer)
{
    int64_t fifth = node->options.digest_ns / 5;
    peer->sync.next_check_ns =
        node->now.steady_ns + 4 * fifth + (int64_t)herd_node_random(node, (uint64_t)(2 * fifth) + 1);
}

void herd_sync_begin(struct herd_node *node, struct herd_peer *peer)
{
    peer->sync =
        (struct herd_sync){.root_due = is_initiator(node, peer), .at_link_up = true, .apart_ns = INT64_MAX};
    schedule_check(node, peer);
}

void herd_sync_end(struct herd_peer *peer)
{
    free(peer->sync.due);
    free(peer->sync.scan);
    peer->sync = (struct herd_sync){0};
}

int64_t herd_sync_next_ns(const struct herd_node *node, const struct herd_peer *peer)
{
    if (peer->sync.scan)
        return node->now.steady_ns;
    return is_initiator(node, peer) ? peer->sync.next_check_ns : INT64_MAX;
}

void herd_sync_tick(struct herd_node *node, struct herd_peer *peer)
{
    struct herd_sync *sync = &peer->sync;
    if (sync->scan) /* links share the turn */
        scan_some(node, peer, (uint32_t)(HERD_TURN_STEPS / node->peer_count) + 1);
    if (!is_initiator(node, peer) || node->now.steady_ns < sync->next_check_ns)
        return;
    schedule_check(node, peer);
    if (sync->root_sent || herd_sync_want_write(peer))
        return; /* one is under way */
    sync->quiet_mark = at_lines(peer);
    sync->root_due = true;
}
