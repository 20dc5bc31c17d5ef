/* SPDX-License-Identifier: MIT */
/*
 * AT lines taken in a moment ago, known by a hash of their bytes. In a herd with cycles most lines that
 * arrive are copies of one that came another way a little earlier: these are recognised here before they are
 * parsed or looked up.
 *
 * The hash has 64 bits and a key of this node's own, so that nobody can choose lines that agree; two that do
 * by chance are as rare as digests that agree by chance, on which the comparison of states rests. What was
 * taken in once is not news again while records only give way to newer ones. One that was removed or accepted anew
 * because of this node's clock may be news once more: then nothing is remembered here either.
 */
#ifndef HERD_CORE_SEEN_CACHE_H
#define HERD_CORE_SEEN_CACHE_H

#include "../base/hash.h"
#include "../store/index.h"

/* Copies arrive within milliseconds; this is many times that at a million lines a second. */
#define HERD_SEEN_CACHE_LINES 16384

struct herd_seen_line {
    uint64_t hash; /* 0: none, and never found */
    uint32_t slot; /* where its record is, or was */
};

struct herd_seen_cache {
    struct herd_seen_line *lines; /* the newest of each place */
    uint64_t key[2];
};

/* HERD_E_NOMEM. */
int herd_seen_cache_init(struct herd_seen_cache *seen, const uint64_t key[2]);
void herd_seen_cache_fini(struct herd_seen_cache *seen);
void herd_seen_cache_clear(struct herd_seen_cache *seen);
/* Lines that brought the record in `slot` are not kept any more. Looks at all there are. */
void herd_seen_cache_forget_slot(struct herd_seen_cache *seen, uint32_t slot);

/* Both factors of each product hold a secret: no bytes make one of them zero, whatever they are. */
static inline uint64_t herd_seen_cache_hash(const struct herd_seen_cache *seen, struct herd_span line)
{
    const unsigned char *p = (const unsigned char *)line.at;
    uint64_t h = seen->key[0] ^ line.len;
    if (line.len < 16)
        return 0; /* no AT line is so short */
    for (const unsigned char *last = p + line.len - 16;; p += 16) {
        if (p > last)
            p = last;
        h = herd_mul_fold(h ^ herd_load_le64(p), seen->key[1] ^ herd_load_le64(p + 8));
        if (p == last)
            break;
    }
    return herd_mul_fold(h ^ seen->key[1], seen->key[0] | 1);
}

/* Where a hash is looked for, to be fetched ahead. */
static inline const struct herd_seen_line *herd_seen_cache_home(const struct herd_seen_cache *seen, uint64_t hash)
{
    return &seen->lines[hash % HERD_SEEN_CACHE_LINES];
}

/* The slot of the record that a line with this hash brought, or HERD_NO_SLOT. */
static inline uint32_t herd_seen_cache_slot(const struct herd_seen_cache *seen, uint64_t hash)
{
    const struct herd_seen_line *line = herd_seen_cache_home(seen, hash);
    return line->hash == hash && hash != 0 ? line->slot : HERD_NO_SLOT;
}

/* A line without a hash is not kept. */
static inline void herd_seen_cache_add(struct herd_seen_cache *seen, uint64_t hash, uint32_t slot)
{
    seen->lines[hash % HERD_SEEN_CACHE_LINES] = (struct herd_seen_line){hash, slot};
}

/* The line with this hash is not kept any more. */
static inline void herd_seen_cache_forget(struct herd_seen_cache *seen, uint64_t hash)
{
    struct herd_seen_line *line = &seen->lines[hash % HERD_SEEN_CACHE_LINES];
    if (line->hash == hash)
        line->hash = 0;
}

#endif
