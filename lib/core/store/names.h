/* SPDX-License-Identifier: MIT */
/*
 * Names of servers as small numbers: a record keeps two bytes instead of a name.
 *
 * Each record counts as a reference to its server's name. A name without references keeps its number for a while,
 * for it may come again with the next line; when enough of them wait, the one that waits longest gives its number to
 * the next new name. So no number of names over time fills the table, only that many in use at once.
 */
#ifndef HERD_CORE_NAMES_H
#define HERD_CORE_NAMES_H

#include <herd/types.h>

#define HERD_NAMES_MAX    65535 /* numbers 0..65534; 65535 marks an empty record */
#define HERD_NAMES_UNUSED 64    /* names without references that are kept */

struct herd_name {
    char *text;
    size_t len;
    uint64_t hash;       /* of the name, for digests */
    uint32_t refs;       /* records with this name */
    uint16_t prev, next; /* among the unused, the longest unused first; numbers, HERD_NAMES_MAX: none */
};

struct herd_names {
    struct herd_name *list;
    uint16_t *table; /* open addressing, number + 1, 0 is empty */
    size_t count, cap, table_size, unused;
    uint64_t seed;   /* of the hashes for digests: the same on every node */
    uint64_t key[2]; /* of the table's: this node's own, so that nobody can choose names that collide */
    uint16_t unused_first, unused_last;
    uint32_t renamed; /* how often a number was given to another name */
    uint16_t last;    /* the number found last: reports come in runs from one server */
};

void herd_names_init(struct herd_names *names, uint64_t seed, const uint64_t key[2]);
void herd_names_fini(struct herd_names *names);

/* The number of a name, taking it in if it is new; without a reference it holds until the next call.
 * HERD_E_NOMEM; HERD_E_LIMIT: HERD_NAMES_MAX names have references. */
int herd_names_intern(struct herd_names *names, struct herd_span name);

/* Adds a reference to a name, and gives one back. */
void herd_names_ref(struct herd_names *names, unsigned number);
void herd_names_unref(struct herd_names *names, unsigned number);

static inline struct herd_span herd_names_text(const struct herd_names *names, unsigned number)
{
    return (struct herd_span){names->list[number].text, names->list[number].len};
}

#endif
