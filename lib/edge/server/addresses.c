/* SPDX-License-Identifier: MIT */
/* How many connections each address has: open addressing, keyed, forgetting addresses with none. */
#include "../../core/access/rate.h"
#include "../../core/base/hash.h"
#include "listen.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST  64
#define BURST_LEAST 10 /* reports at once, however few a second may come */

void herd_address_of(const struct sockaddr *from, uint64_t ret_address[2], uint16_t *ret_port)
{
    unsigned char bytes[16] = {0};
    *ret_port = 0;
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)from;
        bytes[10] = bytes[11] = 0xff; /* IPv4-mapped */
        memcpy(bytes + 12, &in->sin_addr, 4);
        *ret_port = ntohs(in->sin_port);
    } else if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)from;
        memcpy(bytes, &in6->sin6_addr, 16);
        *ret_port = ntohs(in6->sin6_port);
    }
    memcpy(ret_address, bytes, 16);
}

static size_t home(const struct herd_addresses *a, const uint64_t address[2])
{
    return (size_t)herd_siphash(a->key, address, 16) & (a->size - 1);
}

static struct herd_address_count *find(const struct herd_addresses *a, const uint64_t address[2])
{
    size_t at = home(a, address);
    while (a->table[at].count && (a->table[at].address[0] != address[0] || a->table[at].address[1] != address[1]))
        at = (at + 1) & (a->size - 1);
    return &a->table[at];
}

static int grow(struct herd_addresses *a)
{
    struct herd_addresses bigger = {
        .size = a->size ? a->size * 2 : SIZE_FIRST, .used = a->used, .key = {a->key[0], a->key[1]}};
    bigger.table = calloc(bigger.size, sizeof *bigger.table);
    if (!bigger.table)
        return HERD_E_NOMEM;
    for (size_t i = 0; i < a->size; i++)
        if (a->table[i].count)
            *find(&bigger, a->table[i].address) = a->table[i];
    free(a->table);
    *a = bigger;
    return 0;
}

int herd_addresses_acquire(struct herd_addresses *a, const uint64_t address[2], int64_t max)
{
    if ((a->used + 1) * 2 > a->size && grow(a) < 0)
        return HERD_E_NOMEM;
    struct herd_address_count *found = find(a, address);
    if (max > 0 && found->count >= max)
        return HERD_E_LIMIT;
    if (found->count == 0) {
        found->reports = NULL;
        found->address[0] = address[0];
        found->address[1] = address[1];
        a->used++;
    }
    found->count++;
    return 0;
}

void herd_addresses_release(struct herd_addresses *a, const uint64_t address[2])
{
    struct herd_address_count *found = find(a, address);
    if (found->count == 0 || --found->count > 0)
        return;
    free(found->reports);
    found->reports = NULL;
    a->used--;
    /* Close the gap: every later one of the run moves to where a search finds it. */
    size_t at = (size_t)(found - a->table);
    for (size_t next = (at + 1) & (a->size - 1); a->table[next].count; next = (next + 1) & (a->size - 1)) {
        struct herd_address_count moved = a->table[next];
        a->table[next].count = 0;
        *find(a, moved.address) = moved;
    }
}

struct herd_rate *herd_addresses_rate(struct herd_addresses *a, const uint64_t address[2], int64_t per_second)
{
    struct herd_address_count *found = a->size ? find(a, address) : NULL;
    if (per_second <= 0 || !found || found->count == 0)
        return NULL;
    if (!found->reports) {
        found->reports = malloc(sizeof *found->reports);
        if (found->reports)
            herd_rate_init(found->reports, per_second, per_second > BURST_LEAST ? per_second : BURST_LEAST);
    }
    return found->reports;
}

void herd_addresses_fini(struct herd_addresses *a)
{
    for (size_t i = 0; i < a->size; i++)
        if (a->table[i].count)
            free(a->table[i].reports);
    free(a->table);
    *a = (struct herd_addresses){0};
}
