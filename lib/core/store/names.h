/* SPDX-License-Identifier: MIT */
/* Names of servers as small numbers: a record keeps two bytes instead of a name. Names stay for ever. */
#ifndef HERD_CORE_NAMES_H
#define HERD_CORE_NAMES_H

#include <herd/types.h>

#define HERD_NAMES_MAX 65535 /* numbers 0..65534; 65535 marks an empty record */

struct herd_name {
    char *text;
    size_t len;
    uint64_t hash; /* of the name, for digests */
};

struct herd_names {
    struct herd_name *list;
    uint16_t *table; /* open addressing, number + 1, 0 is empty */
    size_t count, cap, table_size;
    uint64_t seed;
    uint16_t last; /* the number found last: reports come in runs from one server */
};

void herd_names_init(struct herd_names *names, uint64_t seed);
void herd_names_fini(struct herd_names *names);

/* The number of a name, taking it in if it is new. HERD_E_NOMEM, HERD_E_LIMIT. */
int herd_names_intern(struct herd_names *names, struct herd_span name);

static inline struct herd_span herd_names_text(const struct herd_names *names, unsigned number)
{
    return (struct herd_span){names->list[number].text, names->list[number].len};
}

#endif
