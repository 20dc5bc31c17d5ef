/* SPDX-License-Identifier: MIT */
/*
 * How many connections each address has, and how many reports a second: open addressing, keyed. An address without connections
 * is kept until its rate has nothing to remember any more: else who connects anew for each burst would have no bound.
 */
#include "../../core/access/rate.h"
#include "../../core/base/hash.h"
#include "listen.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST  64
#define BURST_LEAST 10 /* reports at once, however few a second may come */
/* Slots that are looked at for what can be forgotten, with each connection: of a table that is at least a quarter full all are
 * seen before half as many addresses are added as it has. */
#define SWEPT 8

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

static size_t home(const struct herd_addresses *a, const uint64_t source[2])
{
    return (size_t)herd_siphash(a->key, source, 16) & (a->size - 1);
}

static bool is_taken(const struct herd_address_count *slot)
{
    return slot->count > 0 || slot->reports;
}

static struct herd_address_count *find_source(const struct herd_addresses *a, const uint64_t source[2])
{
    size_t at = home(a, source);
    while (is_taken(&a->table[at]) && (a->table[at].source[0] != source[0] || a->table[at].source[1] != source[1]))
        at = (at + 1) & (a->size - 1);
    return &a->table[at];
}

static struct herd_address_count *find(const struct herd_addresses *a, const uint64_t address[2])
{
    uint64_t source[2];
    herd_address_source(address, source);
    return find_source(a, source);
}

static int grow(struct herd_addresses *a)
{
    struct herd_addresses bigger = {.size = a->size ? a->size * 2 : SIZE_FIRST,
                                    .used = a->used,
                                    .swept = a->swept,
                                    .key = {a->key[0], a->key[1]}};
    bigger.table = calloc(bigger.size, sizeof *bigger.table);
    if (!bigger.table)
        return HERD_E_NOMEM;
    for (size_t i = 0; i < a->size; i++)
        if (is_taken(&a->table[i]))
            *find_source(&bigger, a->table[i].source) = a->table[i];
    free(a->table);
    *a = bigger;
    return 0;
}

static bool is_forgettable(const struct herd_address_count *slot, int64_t now_ns)
{
    return slot->count == 0 && (!slot->reports || slot->reports->next_ns <= now_ns);
}

static void forget(struct herd_addresses *a, struct herd_address_count *slot)
{
    free(slot->reports);
    *slot = (struct herd_address_count){0};
    a->used--;
    /* Close the gap: every later one of the run moves to where a search finds it. */
    size_t at = (size_t)(slot - a->table);
    for (size_t next = (at + 1) & (a->size - 1); is_taken(&a->table[next]); next = (next + 1) & (a->size - 1)) {
        struct herd_address_count moved = a->table[next];
        a->table[next] = (struct herd_address_count){0};
        *find_source(a, moved.source) = moved;
    }
}

static void sweep(struct herd_addresses *a, int64_t now_ns)
{
    for (int i = 0; i < SWEPT && a->size > 0; i++) {
        struct herd_address_count *slot = &a->table[a->swept++ & (a->size - 1)];
        if (is_taken(slot) && is_forgettable(slot, now_ns))
            forget(a, slot);
    }
}

int herd_addresses_acquire(struct herd_addresses *a, const uint64_t address[2], int64_t max, int64_t now_ns)
{
    sweep(a, now_ns);
    if ((a->used + 1) * 2 > a->size && grow(a) < 0)
        return HERD_E_NOMEM;
    struct herd_address_count *found = find(a, address);
    if (max > 0 && found->count >= max)
        return HERD_E_LIMIT;
    if (!is_taken(found)) {
        herd_address_source(address, found->source);
        a->used++;
    }
    found->count++;
    return 0;
}

void herd_addresses_release(struct herd_addresses *a, const uint64_t address[2], int64_t now_ns)
{
    struct herd_address_count *found = find(a, address);
    if (found->count > 0 && --found->count == 0 && is_forgettable(found, now_ns))
        forget(a, found);
}

struct herd_rate *herd_addresses_rate(struct herd_addresses *a, const uint64_t address[2], int64_t per_second,
                                      int64_t now_ns)
{
    if (per_second <= 0)
        return NULL;
    struct herd_address_count *found = find(a, address);
    struct herd_rate rate;
    herd_rate_init(&rate, per_second, per_second > BURST_LEAST ? per_second : BURST_LEAST);
    if (!found->reports)
        found->reports = calloc(1, sizeof *found->reports);
    else if (found->reports->interval_ns != rate.interval_ns) /* the limit is another one now */
        herd_rate_carry_over(&rate, found->reports, now_ns);
    else
        return found->reports;
    if (found->reports)
        *found->reports = rate;
    return found->reports;
}

void herd_addresses_fini(struct herd_addresses *a)
{
    for (size_t i = 0; i < a->size; i++)
        free(a->table[i].reports);
    free(a->table);
    *a = (struct herd_addresses){0};
}
